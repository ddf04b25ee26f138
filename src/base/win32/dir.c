/* SPDX-License-Identifier: Apache-2.0 */
#include <stdbool.h>

#include "base/win32/handle.h"
#include "base/win32/wide.h"

enum {
  BUFFER = 32 << 10
};

struct zl_posix_dir {
  int fd;
  bool started;
  size_t at; /* the next entry in `buffer`; BUFFER: none is left */
  struct dirent entry;
  _Alignas(8) char buffer[BUFFER];
};

DIR *fdopendir(int fd)
{
  struct zl_posix_stat st;
  DIR *dir;

  if (fstat(fd, &st) < 0)
    return NULL;
  if (!S_ISDIR(st.st_mode)) {
    errno = ENOTDIR;
    return NULL;
  }
  dir = calloc(1, sizeof(*dir));
  if (dir == NULL)
    return NULL;
  dir->fd = fd;
  dir->at = BUFFER;
  return dir;
}

DIR *opendir(const char *path)
{
  int fd = open(path, O_RDONLY | O_DIRECTORY);
  DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;

  if (dir == NULL && fd >= 0)
    (void)close(fd);
  return dir;
}

static bool fill(DIR *dir)
{
  const FILE_INFO_BY_HANDLE_CLASS kind =
      dir->started ? FileIdBothDirectoryInfo : FileIdBothDirectoryRestartInfo;

  dir->started = true;
  if (GetFileInformationByHandleEx(zl_handle_of(dir->fd), kind, dir->buffer, BUFFER)) {
    dir->at = 0;
    return true;
  }
  if (GetLastError() != ERROR_NO_MORE_FILES)
    errno = zl_errno_of_last();
  return false;
}

static unsigned char type_of(DWORD attributes)
{
  if (attributes & FILE_ATTRIBUTE_REPARSE_POINT)
    return DT_LNK;
  return (attributes & FILE_ATTRIBUTE_DIRECTORY) ? DT_DIR : DT_REG;
}

struct dirent *readdir(DIR *dir)
{
  const FILE_ID_BOTH_DIR_INFO *info;
  char *name;

  if (dir->at >= BUFFER && !fill(dir))
    return NULL;
  info = (const FILE_ID_BOTH_DIR_INFO *)(const void *)(dir->buffer + dir->at);
  dir->at = info->NextEntryOffset != 0 ? dir->at + info->NextEntryOffset : BUFFER;
  name = zl_wide_to_utf8(info->FileName, info->FileNameLength / sizeof(wchar_t));
  if (name == NULL)
    return NULL;
  dir->entry.d_ino = (uint64_t)info->FileId.QuadPart;
  dir->entry.d_type = type_of(info->FileAttributes);
  (void)snprintf(dir->entry.d_name, sizeof(dir->entry.d_name), "%s", name);
  free(name);
  return &dir->entry;
}

int dirfd(DIR *dir)
{
  return dir->fd;
}

int closedir(DIR *dir)
{
  int r = close(dir->fd);

  free(dir);
  return r;
}

/* One more entry; the old list stays the caller's when there is no memory. */
static int add_entry(struct dirent ***list, int n, const struct dirent *entry)
{
  struct dirent **more = reallocarray(*list, (size_t)n + 1, sizeof(*more));

  if (more == NULL)
    return -1;
  *list = more;
  more[n] = malloc(sizeof(*entry));
  if (more[n] == NULL)
    return -1;
  *more[n] = *entry;
  return 0;
}

static int read_all(DIR *dir, struct dirent ***list, int (*wanted)(const struct dirent *entry))
{
  struct dirent *entry;
  int n = 0;

  while ((entry = readdir(dir)) != NULL) {
    if (wanted != NULL && !wanted(entry))
      continue;
    if (add_entry(list, n, entry) < 0) {
      while (n > 0)
        free((*list)[--n]);
      free(*list);
      return zl_posix_fail(ENOMEM);
    }
    n++;
  }
  return n;
}

int scandir(const char *path, struct dirent ***ret, int (*wanted)(const struct dirent *entry),
            int (*order)(const struct dirent **a, const struct dirent **b))
{
  DIR *dir = opendir(path);
  struct dirent **list = NULL;
  int n;

  if (dir == NULL)
    return -1;
  n = read_all(dir, &list, wanted);
  (void)closedir(dir);
  if (n < 0)
    return n;
  if (n > 0)
    qsort(list, (size_t)n, sizeof(*list),
          (int (*)(const void *, const void *))(void (*)(void))order);
  *ret = list;
  return n;
}

int alphasort(const struct dirent **a, const struct dirent **b)
{
  return strcmp((*a)->d_name, (*b)->d_name);
}
