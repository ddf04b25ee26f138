/* SPDX-License-Identifier: Apache-2.0
 *
 * Partial files that no pull came back for.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/dir.h"
#include "base/fd.h"
#include "base/limits.h"
#include "base/time.h"
#include "image/partial.h"

struct file {
  char name[ZL_PARTIAL_NAME];
  uint64_t bytes;
  int64_t changed_s; /* CLOCK_REALTIME */
};

struct list {
  struct file *items;
  size_t count;
};

static int add(struct list *list, const char *name, const struct stat *st, struct zl_error *err)
{
  struct file *items = reallocarray(list->items, list->count + 1, sizeof(*items));
  struct file *file;

  if (items == NULL)
    return zl_fail_nomem(err, "the list of partial files");
  list->items = items;
  file = &items[list->count++];
  memcpy(file->name, name, strlen(name) + 1);
  file->bytes = (uint64_t)st->st_blocks * 512;
  file->changed_s = st->st_mtim.tv_sec;
  return 0;
}

/* At most ZL_MAX_PARTIALS at a time: the next sweep finds the others. */
static int list_files(int dir_fd, struct list *ret, struct zl_error *err)
{
  zl_autodir *dir = zl_dir_open(dir_fd, ".");
  const struct dirent *entry;
  int r = 0;

  if (dir == NULL)
    return zl_fail_errno(err, "listing the partial files");
  while (r == 0 && ret->count < ZL_MAX_PARTIALS && (entry = readdir(dir)) != NULL) {
    struct stat st;

    if (strlen(entry->d_name) < ZL_PARTIAL_NAME &&
        fstatat(dir_fd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode))
      r = add(ret, entry->d_name, &st, err);
  }
  return r;
}

static int newest_first(const void *a, const void *b)
{
  const struct file *one = a, *two = b;

  return (one->changed_s < two->changed_s) - (one->changed_s > two->changed_s);
}

static bool remove_idle(int dir_fd, const char *name, bool dry_run)
{
  zl_autofd fd = zl_fd_open(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0);

  if (fd < 0) {
    fd = -1;
    return false;
  }
  return flock(fd, LOCK_EX | LOCK_NB) == 0 && (dry_run || unlinkat(dir_fd, name, 0) == 0);
}

int zl_partial_sweep(int dir_fd, bool all, bool dry_run, struct zl_partial_swept *ret,
                     struct zl_error *err)
{
  const int64_t oldest = (int64_t)(zl_time_wall() / ZL_NS_PER_S) - ZL_MAX_PARTIAL_AGE_S;
  struct list list = { 0 };
  uint64_t kept = 0;
  int r = list_files(dir_fd, &list, err);

  if (list.count > 1)
    qsort(list.items, list.count, sizeof(*list.items), newest_first);
  for (size_t i = 0; r == 0 && i < list.count; i++) {
    const struct file *file = &list.items[i];
    const bool stays =
        !all && file->changed_s >= oldest && kept + file->bytes <= ZL_MAX_PARTIAL_BYTES;

    if (stays || !remove_idle(dir_fd, file->name, dry_run)) {
      kept += file->bytes;
      continue;
    }
    ret->files++;
    ret->bytes += file->bytes;
  }
  free(list.items);
  return r;
}
