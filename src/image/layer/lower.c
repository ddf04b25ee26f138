/* SPDX-License-Identifier: Apache-2.0 */
#include "image/layer/lower.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/path.h"
#include "image/layer/layer_path.h"
#include "image/layer/notes.h"

enum verdict {
  FOUND,
  ABSENT, /* here; look further down */
  HIDDEN  /* here and in all layers below */
};

bool zl_is_whiteout(const struct stat *st)
{
  return S_ISCHR(st->st_mode) && st->st_rdev == makedev(0, 0);
}

/* The attribute is only readable through a descriptor that is open for reading. */
static bool is_opaque(int dirfd, const char *path)
{
  zl_autofd fd = zl_path_open_beneath(dirfd, path, O_RDONLY | O_DIRECTORY, 0);
  char value = '\0';

  if (fd < 0) {
    fd = -1;
    return false;
  }
  return fgetxattr(fd, "trusted.overlay.opaque", &value, 1) == 1 && value == 'y';
}

/* Looks at every directory on the way: one that is not a directory, deleted or opaque decides about
 * the layers below this one. */
static int look_in(int root_fd, const char *path, bool parents_only, int *ret_fd, bool *ret_last,
                   enum verdict *ret, struct zl_error *err)
{
  char prefix[ZL_LAYER_PATH];
  size_t len = 0;

  *ret_last = false;
  for (;;) {
    zl_autofd fd = -1;
    struct stat st;

    len += path[len] == '/';
    len += strcspn(path + len, "/");
    memcpy(prefix, path, len);
    prefix[len] = '\0';
    if (parents_only && path[len] == '\0')
      break;
    fd = zl_path_open_beneath(root_fd, prefix, O_PATH | O_NOFOLLOW, 0);
    if (fd < 0) {
      int os_error = -fd;

      fd = -1;
      *ret = ABSENT;
      return os_error == ENOENT
                 ? 0
                 : zl_fail(err, ZL_E_SYSTEM, os_error, "looking through lower layers");
    }
    if (fstat(fd, &st) < 0)
      return zl_fail_errno(err, "looking through lower layers");
    if (path[len] == '\0') {
      *ret = zl_is_whiteout(&st) ? HIDDEN : FOUND;
      *ret_fd = *ret == FOUND ? zl_steal_fd(&fd) : -1;
      return 0;
    }
    if (!S_ISDIR(st.st_mode)) {
      *ret = HIDDEN;
      return 0;
    }
    *ret_last = *ret_last || is_opaque(root_fd, prefix);
  }
  *ret = ABSENT;
  return 0;
}

/* Only directories are on the way to what such a layer asks for. */
static bool is_below_opaque(const struct zl_path_set *opaque, const char *path)
{
  char prefix[ZL_LAYER_PATH];

  for (const char *p = strchr(path, '/'); p != NULL; p = strchr(p + 1, '/')) {
    memcpy(prefix, path, (size_t)(p - path));
    prefix[p - path] = '\0';
    if (zl_path_set_has(opaque, prefix))
      return true;
  }
  return false;
}

int zl_lower_find(const struct zl_lower *lower, const char *path, int *ret_fd, struct zl_error *err)
{
  enum verdict verdict = ABSENT;
  bool last = false;
  int r = 0;

  if (lower->layer_fd < 0)
    last = is_below_opaque(lower->opaque, path);
  else
    r = look_in(lower->layer_fd, path, true, ret_fd, &last, &verdict, err);

  for (size_t i = 0; r == 0 && !last && verdict == ABSENT && i < lower->n; i++)
    r = look_in(lower->fds[i], path, false, ret_fd, &last, &verdict, err);
  return r < 0 ? r : verdict == FOUND;
}
