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

#include "image/erofs/xattr.h"
#include "image/layer/sink_dir_internal.h"

enum {
  SET_ID = 07000
};

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
  const char *at = s->xattrs.data, *end = s->xattrs.data + s->xattrs.len, *name;
  const void *value;
  size_t len;
  int r = 0;

  while (r == 0 && zl_xattrs_next(&at, end, &name, &value, &len))
    r = set_xattr(s, fd, name, value, len, err);
  return r;
}

/* New objects of root in an ordinary directory are 0:0 already, and have their mode; a set-group-ID
 * parent makes it other. */
static bool needs_owner(const struct zl_sink_dir *s)
{
  return s->entry.uid != 0 || s->entry.gid != 0 || s->again ||
         (s->dir.live != NULL && s->dir.live->st.st_mode & S_ISGID);
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

void zl__sink_dir_get_attrs(const struct zl_sink_dir *s, struct zl_small_file *ret)
{
  ret->set_owner = needs_owner(s);
  ret->set_mode = ret->set_owner || s->entry.mode & SET_ID;
  ret->uid = s->entry.uid;
  ret->gid = s->entry.gid;
  ret->mode = s->entry.mode;
  entry_times(s, ret->times);
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
