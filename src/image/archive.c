/* SPDX-License-Identifier: Apache-2.0 */
#include "image/archive.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/limits.h"
#include "base/strv.h"
#include "image/layer/tar.h"
#include "image/layer/tar_ext.h"
#include "image/layer/tar_header.h"

enum {
  MAX_LINKS = 8, /* followed for one name */
  PIECE = 64 << 10
};

struct member {
  char *name;   /* resolved */
  char *target; /* resolved target of a link; NULL: a file */
  uint64_t offset, size;
};

struct zl_archive {
  struct member *members; /* by name */
  size_t count, room;
};

void zl_archive_free(struct zl_archive *archive)
{
  if (archive == NULL)
    return;
  for (size_t i = 0; i < archive->count; i++) {
    free(archive->members[i].name);
    free(archive->members[i].target);
  }
  free(archive->members);
  free(archive);
}
ZL_DEFINE_CLEANUP(struct zl_archive, zl_archive_free)

/* Appends the components of `path` to `text`, of `len` bytes; false when ".." leaves the top. */
static bool append_components(char *text, size_t *len, const char *path)
{
  while (*path != '\0') {
    size_t n = strcspn(path, "/");

    if (n == 2 && path[0] == '.' && path[1] == '.') {
      if (*len == 0)
        return false;
      while (*len > 0 && text[--*len] != '/')
        ;
    } else if (n > 0 && !(n == 1 && path[0] == '.')) {
      if (*len > 0)
        text[(*len)++] = '/';
      memcpy(text + *len, path, n);
      *len += n;
    }
    path += n + strspn(path + n, "/");
  }
  text[*len] = '\0';
  return true;
}

char *zl_archive_resolve(const char *from, const char *link)
{
  const char *slash = from != NULL ? strrchr(from, '/') : NULL;
  zl_autofree char *dir = slash != NULL ? strndup(from, (size_t)(slash - from)) : strdup("");
  zl_autofree char *text = NULL;
  size_t len = 0;

  if (dir == NULL)
    return NULL;
  text = malloc(strlen(dir) + strlen(link) + 2);
  if (text == NULL || !append_components(text, &len, dir) || !append_components(text, &len, link))
    return NULL;
  return zl_steal_ptr(&text);
}

/* ---- Reading the headers --------------------------------------------------------------------- */

static int read_at(int fd, void *data, size_t len, uint64_t offset, struct zl_error *err)
{
  size_t done = 0;

  while (done < len) {
    ssize_t n = pread(fd, (char *)data + done, len - done, (off_t)(offset + done));

    if (n < 0 && errno == EINTR)
      continue;
    if (n < 0)
      return zl_fail_errno(err, "reading it");
    if (n == 0)
      return zl_fail(err, ZL_E_CORRUPT, 0, "it is cut off");
    done += (size_t)n;
  }
  return 0;
}

static int refuse_compressed(const uint8_t *block, struct zl_error *err)
{
  static const struct {
    const char *magic, *name;
    size_t len;
  } formats[] = { { "\x1f\x8b", "gzip", 2 },
                  { "\x28\xb5\x2f\xfd", "zstd", 4 },
                  { "\xfd"
                    "7zXZ",
                    "xz", 5 },
                  { "BZh", "bzip2", 3 } };

  for (size_t i = 0; i < ZL_COUNT(formats); i++)
    if (memcmp(block, formats[i].magic, formats[i].len) == 0)
      return zl_fail(err, ZL_E_UNSUPPORTED, 0, "it is compressed with %s: decompress it first",
                     formats[i].name);
  return 0;
}

/* The payload of an extended header. */
static int read_extension(int fd, struct zl_tar_ext *ext, const struct zl_tar_header *header,
                          uint64_t offset, struct zl_error *err)
{
  char piece[4096];
  uint64_t done = 0;
  int r = zl_tar_ext_open(ext, header, err);

  while (r == 0 && done < header->size) {
    uint64_t left = header->size - done;
    size_t n = left < sizeof(piece) ? (size_t)left : sizeof(piece);

    r = read_at(fd, piece, n, offset + done, err);
    if (r == 0)
      r = zl_tar_ext_append(ext, piece, n, err);
    done += n;
  }
  return r < 0 ? r : zl_tar_ext_close(ext, err);
}

static int add_member(struct zl_archive *archive, const struct zl_layer_entry *entry,
                      uint64_t offset, struct zl_error *err)
{
  const bool is_link = entry->type == ZL_LAYER_SYMLINK || entry->type == ZL_LAYER_HARDLINK;
  struct member m = { .offset = offset, .size = entry->size };

  if (entry->type != ZL_LAYER_FILE && !is_link)
    return 0;
  if (archive->count >= ZL_MAX_ARCHIVE_MEMBERS)
    return zl_fail(err, ZL_E_LIMIT, 0, "more than %d files", ZL_MAX_ARCHIVE_MEMBERS);
  if (archive->count == archive->room) {
    size_t room = archive->room > 0 ? 2 * archive->room : 64;
    struct member *members = realloc(archive->members, room * sizeof(*members));

    if (members == NULL)
      return zl_fail_nomem(err, "the index of an archive");
    archive->members = members;
    archive->room = room;
  }
  m.name = zl_archive_resolve(NULL, entry->path);
  if (m.name != NULL && is_link)
    m.target = zl_archive_resolve(entry->type == ZL_LAYER_SYMLINK ? m.name : NULL, entry->link);
  if (m.name == NULL || (is_link && m.target == NULL)) {
    free(m.name);
    return zl_fail(err, ZL_E_CORRUPT, 0, "'%.200s' leaves the archive", entry->path);
  }
  archive->members[archive->count++] = m;
  return 0;
}

/* One member: its header is at *offset, which moves on to the next. 0 at the end, 1 otherwise. */
static int read_member(struct zl_archive *archive, int fd, uint64_t size, struct zl_tar_ext *ext,
                       uint64_t *offset, struct zl_error *err)
{
  uint8_t block[ZL_TAR_BLOCK];
  struct zl_tar_header header;
  struct zl_layer_entry entry;
  enum zl_sparse_form sparse = ZL_SPARSE_NONE;
  uint64_t content = *offset + ZL_TAR_BLOCK, stored;
  int r;

  if (*offset >= size)
    return 0;
  r = read_at(fd, block, sizeof(block), *offset, err);
  if (r < 0 || zl_tar_is_zero(block))
    return r;
  if (*offset == 0 && (r = refuse_compressed(block, err)) < 0)
    return r;
  r = zl_tar_header_parse(block, &header, err);
  if (r < 0)
    return r;
  stored = header.size;
  if (zl_tar_ext_is_type(header.type)) {
    r = read_extension(fd, ext, &header, content, err);
  } else {
    r = zl_tar_ext_apply(ext, &header, &entry, &stored, &sparse, err);
    if (r == 0 && sparse != ZL_SPARSE_NONE)
      r = zl_fail(err, ZL_E_UNSUPPORTED, 0, "'%.200s' is stored as a sparse file", entry.path);
    if (r == 0)
      r = add_member(archive, &entry, content, err);
    zl_tar_ext_reset(ext);
  }
  if (r == 0 && (content > size || stored > size - content))
    r = zl_fail(err, ZL_E_CORRUPT, 0, "it is cut off");
  if (r < 0)
    return r;
  *offset = content + (stored + ZL_TAR_BLOCK - 1) / ZL_TAR_BLOCK * ZL_TAR_BLOCK;
  return 1;
}

static int compare(const void *a, const void *b)
{
  return strcmp(((const struct member *)a)->name, ((const struct member *)b)->name);
}

/* With a name twice, two readers may read two images. */
static int sort_members(struct zl_archive *archive, struct zl_error *err)
{
  if (archive->count > 1)
    qsort(archive->members, archive->count, sizeof(*archive->members), compare);
  for (size_t i = 1; i < archive->count; i++)
    if (compare(&archive->members[i - 1], &archive->members[i]) == 0)
      return zl_fail(err, ZL_E_CORRUPT, 0, "'%.200s' is in it twice", archive->members[i].name);
  return 0;
}

int zl_archive_open(int fd, uint64_t size, struct zl_archive **ret, struct zl_error *err)
{
  ZL_CLEANUP(zl_archive_freep) struct zl_archive *archive = calloc(1, sizeof(*archive));
  struct zl_tar_ext *ext = malloc(sizeof(*ext));
  uint64_t offset = 0;
  int r = 1;

  if (archive == NULL || ext == NULL) {
    free(ext);
    return zl_fail_nomem(err, "the index of an archive");
  }
  zl_tar_ext_init(ext);
  while (r > 0)
    r = read_member(archive, fd, size, ext, &offset, err);
  zl_tar_ext_done(ext);
  free(ext);
  if (r == 0)
    r = sort_members(archive, err);
  if (r < 0)
    return r;
  *ret = zl_steal_ptr(&archive);
  return 0;
}

int zl_archive_find(const struct zl_archive *archive, const char *name, uint64_t *ret_offset,
                    uint64_t *ret_size, struct zl_error *err)
{
  zl_autofree char *resolved = zl_archive_resolve(NULL, name);
  struct member key = { .name = resolved };

  for (int i = 0; key.name != NULL && i <= MAX_LINKS; i++) {
    const struct member *m =
        archive->count > 0 ? bsearch(&key, archive->members, archive->count, sizeof(key), compare)
                           : NULL;

    if (m == NULL)
      return zl_fail(err, ZL_E_NOT_FOUND, 0, "the archive has no file '%.200s'", key.name);
    if (m->target == NULL) {
      *ret_offset = m->offset;
      *ret_size = m->size;
      return 0;
    }
    key.name = m->target;
  }
  return zl_fail(err, ZL_E_CORRUPT, 0, "the archive's file '%.200s' cannot be found by its links",
                 name);
}
