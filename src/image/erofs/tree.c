/* SPDX-License-Identifier: Apache-2.0 */
#include "image/erofs/tree.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>

#include "base/limits.h"

enum {
  FIRST_SLOTS = 1024,
  FIRST_ITEMS = 256
};

/* ---- Hashing (SipHash-1-3) ------------------------------------------------------------------- */

static uint64_t rotate(uint64_t v, int by)
{
  return v << by | v >> (64 - by);
}

static void sip_round(uint64_t v[4])
{
  v[0] += v[1];
  v[2] += v[3];
  v[1] = rotate(v[1], 13) ^ v[0];
  v[3] = rotate(v[3], 16) ^ v[2];
  v[0] = rotate(v[0], 32);
  v[2] += v[1];
  v[0] += v[3];
  v[1] = rotate(v[1], 17) ^ v[2];
  v[3] = rotate(v[3], 21) ^ v[0];
  v[2] = rotate(v[2], 32);
}

static void sip_word(uint64_t v[4], uint64_t word)
{
  v[3] ^= word;
  sip_round(v);
  v[0] ^= word;
}

static uint32_t hash_of(const struct zl_erofs_tree *tree, uint32_t dir, const char *name,
                        size_t len)
{
  uint64_t v[4] = { tree->seed[0] ^ UINT64_C(0x736f6d6570736575),
                    tree->seed[1] ^ UINT64_C(0x646f72616e646f6d),
                    tree->seed[0] ^ UINT64_C(0x6c7967656e657261),
                    tree->seed[1] ^ UINT64_C(0x7465646279746573) };
  uint64_t word = (uint64_t)len << 56;

  sip_word(v, dir);
  for (; len >= sizeof(uint64_t); len -= sizeof(uint64_t), name += sizeof(uint64_t)) {
    uint64_t w;

    memcpy(&w, name, sizeof(w));
    sip_word(v, w);
  }
  for (size_t i = 0; i < len; i++)
    word |= (uint64_t)(unsigned char)name[i] << 8 * i;
  sip_word(v, word);
  v[2] ^= 0xff;
  for (int i = 0; i < 3; i++)
    sip_round(v);
  word = v[0] ^ v[1] ^ v[2] ^ v[3];
  return (uint32_t)(word ^ word >> 32);
}

/* ---- Lists ----------------------------------------------------------------------------------- */

/* Makes room for one more item of `size` bytes. */
static int grow(void **items, uint32_t n, uint32_t *cap, size_t size, struct zl_error *err)
{
  uint32_t more = *cap == 0 ? FIRST_ITEMS : *cap * 2;
  void *grown;

  if (n < *cap)
    return 0;
  if (n >= ZL_MAX_EROFS_NAMES)
    return zl_fail(err, ZL_E_LIMIT, 0, "more than %d names in one layer", ZL_MAX_EROFS_NAMES);
  grown = reallocarray(*items, more, size);
  if (grown == NULL)
    return zl_fail_nomem(err, "the names of a layer");
  *items = grown;
  *cap = more;
  return 0;
}

static int add_text(struct zl_erofs_tree *tree, const char *text, size_t len, uint32_t *ret,
                    struct zl_error *err)
{
  size_t at = tree->texts.len;
  int r = zl_buf_append(&tree->texts, text, len, err);

  if (r == 0)
    r = zl_buf_append(&tree->texts, "", 1, err);
  *ret = (uint32_t)at;
  return r < 0 ? zl_wrap(err, "the names of a layer") : 0;
}

static int rehash(struct zl_erofs_tree *tree, struct zl_error *err)
{
  uint32_t n = tree->n_slots == 0 ? FIRST_SLOTS : tree->n_slots * 2;
  uint32_t *slots = calloc(n, sizeof(*slots));

  if (slots == NULL)
    return zl_fail_nomem(err, "the names of a layer");
  for (uint32_t i = ZL_EROFS_ROOT + 1; i < tree->n_names; i++) {
    struct zl_erofs_name *name = &tree->names[i];

    if (name->gone)
      continue;
    name->next = slots[name->hash & (n - 1)];
    slots[name->hash & (n - 1)] = i;
  }
  free(tree->slots);
  tree->slots = slots;
  tree->n_slots = n;
  return 0;
}

/* ---- The tree -------------------------------------------------------------------------------- */

int zl_erofs_tree_init(struct zl_erofs_tree *tree, struct zl_error *err)
{
  uint32_t inode;
  int r;

  *tree = (struct zl_erofs_tree){ .texts.max = ZL_MAX_EROFS_TEXT };
  if (getrandom(tree->seed, sizeof(tree->seed), 0) != (ssize_t)sizeof(tree->seed))
    return zl_fail_errno(err, "random numbers");
  r = rehash(tree, err);
  if (r == 0)
    r = zl_erofs_add_dir_inode(tree, S_IFDIR | 0755, &inode, err);
  if (r == 0)
    r = grow((void **)&tree->names, 0, &tree->cap_names, sizeof(*tree->names), err);
  if (r == 0)
    r = add_text(tree, "", 0, &tree->names[0].text, err);
  if (r < 0) {
    zl_erofs_tree_done(tree);
    return r;
  }
  tree->names[0] = (struct zl_erofs_name){ .gone = true };
  tree->names[ZL_EROFS_ROOT] = (struct zl_erofs_name){ .parent = ZL_EROFS_ROOT, .inode = inode };
  tree->n_names = ZL_EROFS_ROOT + 1;
  return 0;
}

void zl_erofs_tree_done(struct zl_erofs_tree *tree)
{
  for (uint32_t i = 0; i < tree->n_dirs; i++)
    free(tree->dirs[i].xattrs);
  free(tree->names);
  free(tree->inodes);
  free(tree->dirs);
  free(tree->slots);
  zl_buf_done(&tree->texts);
  *tree = (struct zl_erofs_tree){ 0 };
}

uint32_t zl_erofs_find(const struct zl_erofs_tree *tree, uint32_t dir, const char *name, size_t len)
{
  uint32_t hash = hash_of(tree, dir, name, len);
  uint32_t at = tree->slots[hash & (tree->n_slots - 1)];

  for (; at != ZL_EROFS_NONE; at = tree->names[at].next) {
    const struct zl_erofs_name *n = &tree->names[at];

    if (n->hash == hash && n->parent == dir && n->len == len &&
        memcmp(zl_erofs_text(tree, n->text), name, len) == 0)
      return at;
  }
  return ZL_EROFS_NONE;
}

int zl_erofs_add_inode(struct zl_erofs_tree *tree, uint32_t mode, uint64_t nid, const char *text,
                       uint32_t *ret_inode, struct zl_error *err)
{
  uint32_t extra = 0;
  int r =
      grow((void **)&tree->inodes, tree->n_inodes, &tree->cap_inodes, sizeof(*tree->inodes), err);

  if (r == 0 && text != NULL)
    r = add_text(tree, text, strlen(text), &extra, err);
  if (r < 0)
    return r;
  tree->inodes[tree->n_inodes] =
      (struct zl_erofs_inode){ .mode = mode, .nid = nid, .extra = extra };
  *ret_inode = tree->n_inodes++;
  return 0;
}

int zl_erofs_add_dir_inode(struct zl_erofs_tree *tree, uint32_t mode, uint32_t *ret_inode,
                           struct zl_error *err)
{
  uint32_t inode = 0;
  int r = grow((void **)&tree->dirs, tree->n_dirs, &tree->cap_dirs, sizeof(*tree->dirs), err);

  if (r == 0)
    r = zl_erofs_add_inode(tree, mode, 0, NULL, &inode, err);
  if (r < 0)
    return r;
  tree->dirs[tree->n_dirs] = (struct zl_erofs_dir){ 0 };
  tree->inodes[inode].extra = tree->n_dirs++;
  *ret_inode = inode;
  return 0;
}

int zl_erofs_add_name(struct zl_erofs_tree *tree, uint32_t dir, const char *name, size_t len,
                      uint32_t inode, uint32_t *ret_name, struct zl_error *err)
{
  struct zl_erofs_name *n;
  uint32_t text = 0, *slot;
  int r = grow((void **)&tree->names, tree->n_names, &tree->cap_names, sizeof(*tree->names), err);

  if (r == 0 && tree->n_names >= tree->n_slots)
    r = rehash(tree, err);
  if (r == 0)
    r = add_text(tree, name, len, &text, err);
  if (r < 0)
    return r;
  n = &tree->names[tree->n_names];
  *n = (struct zl_erofs_name){ .parent = dir, .inode = inode, .text = text, .len = (uint8_t)len };
  n->hash = hash_of(tree, dir, name, len);
  slot = &tree->slots[n->hash & (tree->n_slots - 1)];
  n->next = *slot;
  *slot = tree->n_names;
  *ret_name = tree->n_names++;
  return 0;
}

/* Names below are only reached through this one. */
void zl_erofs_remove_name(struct zl_erofs_tree *tree, uint32_t name)
{
  struct zl_erofs_name *n = &tree->names[name];
  uint32_t *at = &tree->slots[n->hash & (tree->n_slots - 1)];

  while (*at != name)
    at = &tree->names[*at].next;
  *at = n->next;
  n->gone = true;
}

int zl_erofs_set_dir_xattrs(struct zl_erofs_tree *tree, uint32_t inode, const char *xattrs,
                            size_t len, struct zl_error *err)
{
  struct zl_erofs_dir *dir = &tree->dirs[tree->inodes[inode].extra];
  char *copy = NULL;

  tree->xattr_bytes -= dir->xattrs_len;
  free(dir->xattrs);
  dir->xattrs = NULL;
  dir->xattrs_len = 0;
  if (len == 0)
    return 0;
  if (len > ZL_MAX_EROFS_TEXT - tree->xattr_bytes)
    return zl_fail(err, ZL_E_LIMIT, 0, "directories with more than %d bytes of attributes",
                   ZL_MAX_EROFS_TEXT);
  copy = malloc(len);
  if (copy == NULL)
    return zl_fail_nomem(err, "extended attributes");
  memcpy(copy, xattrs, len);
  dir->xattrs = copy;
  dir->xattrs_len = (uint32_t)len;
  tree->xattr_bytes += len;
  return 0;
}
