/* SPDX-License-Identifier: Apache-2.0
 *
 * The end of an image: which names are left, how many each inode has, and the directories. Every
 * directory gets its place first, since its parent and its children name it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "image/erofs/internal.h"
#include "image/erofs/xattr.h"

/* One directory that is left. */
struct seal_dir {
  uint32_t name;
  uint32_t first, count; /* of `children` */
  uint64_t size, at;     /* of its entries; of its inode, in bytes */
  uint64_t block;        /* of its whole blocks */
  size_t xattrs_size;
  size_t rest; /* bytes of its entries behind the inode */
};

struct seal {
  struct zl_erofs *image;
  struct zl_erofs_tree *tree;
  uint32_t *place;    /* of each name: index + 1 into dirs; 0 for other names */
  uint32_t *children; /* names, directory after directory, each sorted */
  struct seal_dir *dirs;
  uint32_t n_dirs;
};

static void seal_done(struct seal *s)
{
  free(s->place);
  free(s->children);
  free(s->dirs);
}

/* ---- Names ----------------------------------------------------------------------------------- */

static bool is_dir(const struct zl_erofs_tree *tree, uint32_t name)
{
  return S_ISDIR(zl_erofs_inode_of(tree, name)->mode);
}

/* A directory's name comes before those in it, so one pass finds what is gone with it. */
static void count_names(struct seal *s)
{
  struct zl_erofs_tree *tree = s->tree;

  for (uint32_t i = ZL_EROFS_ROOT; i < tree->n_names; i++) {
    struct zl_erofs_name *name = &tree->names[i];

    name->gone = name->gone || tree->names[name->parent].gone;
    if (name->gone)
      continue;
    zl_erofs_inode_of(tree, i)->nlink++;
    if (is_dir(tree, i)) {
      s->dirs[s->n_dirs].name = i;
      s->place[i] = ++s->n_dirs;
    }
    if (i != ZL_EROFS_ROOT)
      s->dirs[s->place[name->parent] - 1].count++;
  }
}

static void group_names(struct seal *s)
{
  struct zl_erofs_tree *tree = s->tree;
  uint32_t next = 0;

  for (uint32_t d = 0; d < s->n_dirs; d++) {
    s->dirs[d].first = next;
    next += s->dirs[d].count;
    s->dirs[d].count = 0;
  }
  for (uint32_t i = ZL_EROFS_ROOT + 1; i < tree->n_names; i++) {
    struct seal_dir *dir;

    if (tree->names[i].gone)
      continue;
    dir = &s->dirs[s->place[tree->names[i].parent] - 1];
    s->children[dir->first + dir->count++] = i;
  }
}

/* Byte by byte, and the shorter first: the order in which the kernel looks for a name. */
static bool is_behind(const struct zl_erofs_tree *tree, uint32_t a, uint32_t b)
{
  return strcmp(zl_erofs_text(tree, tree->names[a].text),
                zl_erofs_text(tree, tree->names[b].text)) > 0;
}

static void merge(const struct zl_erofs_tree *tree, const uint32_t *from, uint32_t n_left,
                  uint32_t n, uint32_t *to)
{
  uint32_t left = 0, right = n_left;

  for (uint32_t i = 0; i < n; i++) {
    bool take_right = left == n_left || (right < n && is_behind(tree, from[left], from[right]));

    to[i] = take_right ? from[right++] : from[left++];
  }
}

/* The C library's qsort asks the system how much memory it has, which the sandbox forbids. */
static void sort_names(const struct zl_erofs_tree *tree, uint32_t *names, uint32_t n,
                       uint32_t *scratch)
{
  for (uint32_t width = 1; width < n; width *= 2)
    for (uint32_t at = 0; at + width < n; at += 2 * width) {
      uint32_t both = n - at < 2 * width ? n - at : 2 * width;

      if (!is_behind(tree, names[at + width - 1], names[at + width]))
        continue;
      merge(tree, names + at, width, both, scratch);
      memcpy(names + at, scratch, both * sizeof(*names));
    }
}

static int list_names(struct seal *s, struct zl_error *err)
{
  zl_autofree uint32_t *scratch = NULL;

  s->place = calloc(s->tree->n_names, sizeof(*s->place));
  s->children = calloc(s->tree->n_names, sizeof(*s->children));
  s->dirs = calloc(s->tree->n_dirs, sizeof(*s->dirs));
  if (s->place == NULL || s->children == NULL || s->dirs == NULL)
    return zl_fail_nomem(err, "the directories of an image");
  count_names(s);
  group_names(s);
  scratch = calloc(s->tree->n_names, sizeof(*scratch));
  if (scratch == NULL)
    return zl_fail_nomem(err, "the directories of an image");
  for (uint32_t d = 0; d < s->n_dirs; d++)
    sort_names(s->tree, s->children + s->dirs[d].first, s->dirs[d].count, scratch);
  return 0;
}

/* ---- Entries of a directory ------------------------------------------------------------------ */

/* "." and ".." stand among the others, where their bytes put them. */
struct cursor {
  const struct seal *seal;
  const struct seal_dir *dir;
  uint32_t next;    /* child */
  unsigned dots;    /* how many of the two are behind us */
  const char *text; /* of the entry at hand */
  size_t len;
  uint32_t name; /* the name whose inode it is */
};

/* False behind the last one. */
static bool advance(struct cursor *c)
{
  static const char dots[] = "..";
  const struct zl_erofs_tree *tree = c->seal->tree;
  const char *dot = c->dots < 2 ? dots + 1 - c->dots : NULL;
  const char *text = NULL;
  uint32_t child = ZL_EROFS_NONE;

  if (c->next < c->dir->count) {
    child = c->seal->children[c->dir->first + c->next];
    text = zl_erofs_text(tree, tree->names[child].text);
  }
  if (dot != NULL && (text == NULL || strcmp(dot, text) < 0)) {
    c->text = dot;
    c->len = ++c->dots;
    c->name = c->dots == 1 ? c->dir->name : tree->names[c->dir->name].parent;
    return true;
  }
  if (text == NULL)
    return false;
  c->text = text;
  c->len = tree->names[child].len;
  c->name = child;
  c->next++;
  return true;
}

/* How many of the entries that follow fit into one block, and their size. */
static uint32_t fill(const struct cursor *from, size_t *ret_size)
{
  struct cursor c = *from;
  uint32_t n = 0;

  *ret_size = 0;
  while (advance(&c) && *ret_size + ZL_EROFS_DIRENT + c.len <= ZL_EROFS_BLOCK) {
    *ret_size += ZL_EROFS_DIRENT + c.len;
    n++;
  }
  return n;
}

static void skip(struct cursor *c, uint32_t n)
{
  while (n-- > 0)
    (void)advance(c);
}

static uint8_t type_of(uint32_t mode)
{
  switch (mode & S_IFMT) {
  case S_IFREG:
    return 1;
  case S_IFDIR:
    return 2;
  case S_IFCHR:
    return 3;
  case S_IFBLK:
    return 4;
  case S_IFIFO:
    return 5;
  case S_IFSOCK:
    return 6;
  default:
    return 7;
  }
}

/* Writes `n` entries; `block` is zeroed. */
static void encode_entries(struct cursor *c, uint32_t n, uint8_t *block)
{
  size_t text_at = (size_t)n * ZL_EROFS_DIRENT;

  for (uint32_t i = 0; i < n; i++) {
    uint8_t *entry = block + (size_t)i * ZL_EROFS_DIRENT;
    const struct zl_erofs_inode *inode;

    (void)advance(c);
    inode = zl_erofs_inode_of(c->seal->tree, c->name);
    zl_le64(entry, inode->nid);
    zl_le16(entry + 8, (uint16_t)text_at);
    entry[10] = type_of(inode->mode);
    memcpy(block + text_at, c->text, c->len);
    text_at += c->len;
  }
}

static struct cursor cursor_of(const struct seal *s, const struct seal_dir *dir)
{
  return (struct cursor){ .seal = s, .dir = dir };
}

static uint64_t measure(const struct seal *s, const struct seal_dir *dir)
{
  struct cursor c = cursor_of(s, dir);
  uint64_t whole = 0;
  size_t size, last = 0;
  uint32_t n;

  while ((n = fill(&c, &size)) > 0) {
    whole += last > 0 ? ZL_EROFS_BLOCK : 0;
    last = size;
    skip(&c, n);
  }
  return whole + last;
}

/* ---- Places ---------------------------------------------------------------------------------- */

static const struct zl_erofs_dir *attrs_of(const struct seal *s, const struct seal_dir *dir)
{
  return &s->tree->dirs[zl_erofs_inode_of(s->tree, dir->name)->extra];
}

/* Where the inode goes when the last one ended at `at`. What is inline stays within one block. */
static uint64_t place_inode(struct seal_dir *dir, uint64_t at, uint64_t room)
{
  size_t fixed = ZL_EROFS_INODE_SIZE + dir->xattrs_size;
  size_t rest = dir->size % ZL_EROFS_BLOCK;
  uint64_t left = ZL_EROFS_BLOCK - at % ZL_EROFS_BLOCK;

  dir->rest = fixed + rest <= room ? rest : 0;
  if (fixed + dir->rest > left && left < ZL_EROFS_BLOCK)
    at += left;
  dir->at = at;
  at += fixed + dir->rest;
  return (at + ZL_EROFS_SLOT - 1) / ZL_EROFS_SLOT * ZL_EROFS_SLOT;
}

static int place_one(struct seal *s, struct seal_dir *dir, uint64_t *at, struct zl_error *err)
{
  const struct zl_erofs_dir *attrs = attrs_of(s, dir);
  int r = zl_erofs_xattrs_size(attrs->xattrs, attrs->xattrs_len, &dir->xattrs_size, err);

  if (r < 0)
    return r;
  dir->size = measure(s, dir);
  if (dir->name == ZL_EROFS_ROOT) {
    dir->xattrs_size = zl_erofs_xattrs_head_size(attrs->xattrs, attrs->xattrs_len);
    (void)place_inode(dir, ZL_EROFS_ROOT_AT, ZL_EROFS_BLOCK - ZL_EROFS_ROOT_AT);
  } else {
    *at = place_inode(dir, *at, ZL_EROFS_BLOCK);
  }
  zl__erofs_note_inode(s->image, dir->at);
  zl_erofs_inode_of(s->tree, dir->name)->nid = dir->at / ZL_EROFS_SLOT;
  return 0;
}

static int place_all(struct seal *s, struct zl_error *err)
{
  const uint64_t start = s->image->next_block * ZL_EROFS_BLOCK;
  uint64_t at = start, block;
  int r = 0;

  for (uint32_t d = 0; d < s->n_dirs && r == 0; d++)
    r = place_one(s, &s->dirs[d], &at, err);
  if (r == 0)
    r = zl__erofs_take_blocks(s->image, zl__erofs_blocks_of(at - start), &block, err);
  for (uint32_t d = 0; d < s->n_dirs && r == 0; d++) {
    struct seal_dir *dir = &s->dirs[d];
    uint64_t blocks = zl__erofs_blocks_of(dir->size - dir->rest);

    if (blocks > 0)
      r = zl__erofs_take_blocks(s->image, blocks, &dir->block, err);
  }
  /* fsck.erofs reads a head of attributes behind each inode, also where there are none. */
  if (r == 0 && s->image->inodes_end + ZL_EROFS_XATTR_HEAD > s->image->next_block * ZL_EROFS_BLOCK)
    r = zl__erofs_take_blocks(s->image, 1, &block, err);
  return r;
}

/* ---- Writing --------------------------------------------------------------------------------- */

static uint32_t count_subdirs(const struct seal *s, const struct seal_dir *dir)
{
  uint32_t n = 0;

  for (uint32_t i = 0; i < dir->count; i++)
    n += is_dir(s->tree, s->children[dir->first + i]);
  return n;
}

static struct zl_erofs_inode_disk describe(const struct seal *s, const struct seal_dir *dir)
{
  const struct zl_erofs_dir *attrs = attrs_of(s, dir);

  return (struct zl_erofs_inode_disk){
    .attrs = { .mode = zl_erofs_inode_of(s->tree, dir->name)->mode,
               .uid = attrs->uid,
               .gid = attrs->gid,
               .mtime_s = attrs->mtime_s,
               .mtime_ns = attrs->mtime_ns,
               .xattrs = attrs->xattrs,
               .xattrs_len = attrs->xattrs_len },
    .layout = dir->rest > 0 ? ZL_EROFS_INLINE : ZL_EROFS_PLAIN,
    .size = dir->size,
    .start = (uint32_t)dir->block,
    .nlink = 2 + count_subdirs(s, dir),
    .xattrs_size = dir->xattrs_size,
  };
}

/* The entries that are in no block of their own: those of the last, not full one. */
static void encode_rest(const struct seal *s, const struct seal_dir *dir, uint8_t *to)
{
  struct cursor c = cursor_of(s, dir);
  size_t size;
  uint32_t n = fill(&c, &size);

  for (uint64_t done = ZL_EROFS_BLOCK; done < dir->size; done += ZL_EROFS_BLOCK) {
    skip(&c, n);
    n = fill(&c, &size);
  }
  encode_entries(&c, n, to);
}

static int write_inode(struct seal *s, const struct seal_dir *dir, struct zl_error *err)
{
  const struct zl_erofs_inode_disk inode = describe(s, dir);
  uint8_t block[ZL_EROFS_BLOCK] = { 0 };
  zl_autofree uint8_t *large = NULL;
  size_t fixed = ZL_EROFS_INODE_SIZE + dir->xattrs_size;
  uint8_t *to = block;

  if (dir->name == ZL_EROFS_ROOT) {
    if (dir->rest > 0)
      encode_rest(s, dir, block);
    return zl__erofs_write_first_block(s->image, &inode, block, dir->rest, err);
  }
  if (fixed > sizeof(block)) {
    to = large = calloc(1, fixed);
    if (large == NULL)
      return zl_fail_nomem(err, "extended attributes");
  }
  zl__erofs_encode_inode(s->image, &inode, to);
  zl_erofs_xattrs_encode(inode.attrs.xattrs, inode.attrs.xattrs_len, to + ZL_EROFS_INODE_SIZE);
  if (dir->rest > 0)
    encode_rest(s, dir, to + fixed);
  return zl_erofs_out_put(&s->image->out, dir->at, to, fixed + dir->rest, err);
}

static int write_blocks(struct seal *s, const struct seal_dir *dir, struct zl_error *err)
{
  struct cursor c = cursor_of(s, dir);
  uint64_t at = dir->block * ZL_EROFS_BLOCK, end = at + dir->size - dir->rest;
  int r = 0;

  for (; at < end && r == 0; at += ZL_EROFS_BLOCK) {
    uint8_t block[ZL_EROFS_BLOCK] = { 0 };
    size_t size;

    encode_entries(&c, fill(&c, &size), block);
    r = zl_erofs_out_put(&s->image->out, at, block, sizeof(block), err);
  }
  return r;
}

/* The root comes last: its block holds the superblock, which counts all others. */
static int write_all(struct seal *s, struct zl_error *err)
{
  int r = 0;

  for (uint32_t d = 1; d < s->n_dirs && r == 0; d++)
    r = write_inode(s, &s->dirs[d], err);
  for (uint32_t d = 0; d < s->n_dirs && r == 0; d++)
    r = write_blocks(s, &s->dirs[d], err);
  if (r == 0)
    r = write_inode(s, &s->dirs[0], err);
  return r < 0 ? r : zl_erofs_out_flush(&s->image->out, err);
}

/* Inodes were written with one name each. */
static int write_link_counts(struct seal *s, struct zl_error *err)
{
  for (uint32_t i = 0; i < s->tree->n_inodes; i++) {
    const struct zl_erofs_inode *inode = &s->tree->inodes[i];
    uint8_t count[4];

    if (S_ISDIR(inode->mode) || inode->nlink <= 1)
      continue;
    zl_le32(count, inode->nlink);
    if (pwrite(s->image->out.fd, count, sizeof(count),
               (off_t)(inode->nid * ZL_EROFS_SLOT + ZL_EROFS_I_NLINK)) != (ssize_t)sizeof(count))
      return zl_fail_errno(err, "writing the file system image");
  }
  return 0;
}

int zl_erofs_seal(struct zl_erofs *image, struct zl_error *err)
{
  ZL_CLEANUP(seal_done) struct seal s = { .image = image, .tree = &image->tree };
  int r = zl__erofs_flush_run(image, err);

  if (r == 0)
    r = list_names(&s, err);
  if (r == 0)
    r = place_all(&s, err);
  if (r == 0)
    r = write_all(&s, err);
  if (r == 0)
    r = write_link_counts(&s, err);
  if (r == 0 && ftruncate(image->out.fd, (off_t)(image->next_block * ZL_EROFS_BLOCK)) < 0)
    r = zl_fail(err, errno == EFBIG ? ZL_E_LIMIT : ZL_E_SYSTEM, errno,
                "setting the length of the file system image");
  return r;
}
