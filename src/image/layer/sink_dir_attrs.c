/* SPDX-License-Identifier: Apache-2.0
 *
 * Owners, modes, times and extended attributes.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "image/layer/sink_dir_internal.h"

enum {
  SET_ID = 07000
};

/* Labels, ACLs, integrity hashes and overlayfs' own marks would be believed by the kernel
 * ("trusted.overlay.redirect" leads a merged directory anywhere): file capabilities and plain user
 * attributes are all that a layer may set. */
static bool may_set(enum zl_layer_type type, const char *name)
{
  static const char overlay[] = "user.overlay.";

  if (strcmp(name, "security.capability") == 0)
    return type == ZL_LAYER_FILE;
  return strncmp(name, "user.", 5) == 0 && name[5] != '\0' &&
         strncmp(name, overlay, sizeof(overlay) - 1) != 0 &&
         (type == ZL_LAYER_FILE || type == ZL_LAYER_DIR);
}

int zl__sink_dir_keep_xattrs(struct zl_sink_dir *s, const struct zl_layer_entry *entry,
                             struct zl_error *err)
{
  int r = 0;

  zl_buf_clear(&s->xattrs);
  for (size_t i = 0; i < entry->n_xattrs && r == 0; i++) {
    const struct zl_layer_xattr *x = &entry->xattrs[i];
    uint32_t len = (uint32_t)x->len;

    if (!may_set(entry->type, x->name))
      continue;
    r = zl_buf_append(&s->xattrs, x->name, strlen(x->name) + 1, err);
    if (r == 0)
      r = zl_buf_append(&s->xattrs, &len, sizeof(len), err);
    if (r == 0)
      r = zl_buf_append(&s->xattrs, x->value, x->len, err);
  }
  return r;
}

/* A file system without user attributes loses them, as with every other unpacker; a capability
 * that is lost would be a program that fails later. */
static int set_xattr(struct zl_sink_dir *s, int fd, const char *name, const void *value, size_t len,
                     struct zl_error *err)
{
  char quoted[ZL_LAYER_QUOTE];

  if (fsetxattr(fd, name, value, len, 0) == 0)
    return 0;
  if (errno == EOPNOTSUPP && strncmp(name, "user.", 5) == 0)
    return 0;
  return zl__sink_dir_fail(s, err, errno == EINVAL ? ZL_E_CORRUPT : ZL_E_SYSTEM, errno,
                           "setting the extended attribute '%s'", zl_layer_quote(name, quoted));
}

static int set_xattrs(struct zl_sink_dir *s, int fd, struct zl_error *err)
{
  const char *p = s->xattrs.data, *end = s->xattrs.data + s->xattrs.len;
  int r = 0;

  while (p < end && r == 0) {
    const char *name = p;
    uint32_t len;

    p += strlen(name) + 1;
    memcpy(&len, p, sizeof(len));
    p += sizeof(len);
    r = set_xattr(s, fd, name, p, len, err);
    p += len;
  }
  return r;
}

/* New objects of root in an ordinary directory are 0:0 already; a set-group-ID parent (or an object
 * that is described again) makes it other. */
static bool needs_owner(const struct zl_sink_dir *s)
{
  return s->entry.uid != 0 || s->entry.gid != 0 || s->entry.type == ZL_LAYER_DIR ||
         (s->dir.fd >= 0 && s->dir.st.st_mode & S_ISGID);
}

static void entry_times(const struct zl_sink_dir *s, struct timespec times[2])
{
  times[0].tv_sec = s->entry.mtime_s;
  times[0].tv_nsec = s->entry.mtime_ns;
  times[1] = times[0];
}

/* chown clears set-id bits and capabilities, so it comes first; the time comes last. */
int zl__sink_dir_set_attrs(struct zl_sink_dir *s, int fd, struct zl_error *err)
{
  struct timespec times[2];
  bool owner = needs_owner(s);
  int r;

  if (owner && fchown(fd, s->entry.uid, s->entry.gid) < 0)
    return zl__sink_dir_fail(s, err, ZL_E_SYSTEM, errno, "setting its owner");
  if ((owner || s->entry.mode & SET_ID) && fchmod(fd, s->entry.mode) < 0)
    return zl__sink_dir_fail(s, err, ZL_E_SYSTEM, errno, "setting its mode");
  r = set_xattrs(s, fd, err);
  if (r < 0)
    return r;
  entry_times(s, times);
  if (futimens(fd, times) < 0)
    return zl__sink_dir_fail(s, err, ZL_E_SYSTEM, errno, "setting its time");
  return 0;
}

int zl__sink_dir_set_attrs_at(struct zl_sink_dir *s, const char *name, struct zl_error *err)
{
  const int dir = s->dir.fd;
  struct timespec times[2];
  bool owner = needs_owner(s);

  if (owner && fchownat(dir, name, s->entry.uid, s->entry.gid, AT_SYMLINK_NOFOLLOW) < 0)
    return zl__sink_dir_fail(s, err, ZL_E_SYSTEM, errno, "setting its owner");
  /* fchmodat has no way not to follow, but this name was just made as something else. */
  if (s->entry.type != ZL_LAYER_SYMLINK && (owner || s->entry.mode & SET_ID) &&
      fchmodat(dir, name, s->entry.mode, 0) < 0)
    return zl__sink_dir_fail(s, err, ZL_E_SYSTEM, errno, "setting its mode");
  entry_times(s, times);
  if (utimensat(dir, name, times, AT_SYMLINK_NOFOLLOW) < 0)
    return zl__sink_dir_fail(s, err, ZL_E_SYSTEM, errno, "setting its time");
  return 0;
}
