/* SPDX-License-Identifier: Apache-2.0
 *
 * The names of POSIX that the rooms use for files, as Windows can keep their promises. Every source
 * file of the Windows build begins with this header (-include), so that a name means the same
 * everywhere; `include/` beside it has the headers that the C library here lacks.
 *
 * A descriptor is one of the C runtime around a handle, opened by NtCreateFile, or a number from
 * ZL_OBJECT_FD on that stands for an event or a process. Paths are UTF-8.
 *
 * A path below a descriptor is walked component by component, each opened relative to the handle of
 * the one before and itself, never through it: no reparse point is ever followed, no ".." is taken,
 * and a name may not hold '\', ':' (a stream, a drive), a wildcard, a control character, nor end
 * with a dot or a space. Only a path without a descriptor (AT_FDCWD) is a path as users write it.
 */
#ifndef ZL_BASE_WIN32_POSIX_H
#define ZL_BASE_WIN32_POSIX_H

#include <dirent.h> /* ours: include/dirent.h */
#include <errno.h>
#include <fcntl.h>
#include <io.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

typedef unsigned int uid_t;
typedef unsigned int gid_t;

#ifndef NAME_MAX
#define NAME_MAX 255
#endif
#ifndef EDQUOT
#define EDQUOT 1133
#endif
#ifndef ESTALE
#define ESTALE 1134
#endif
#ifndef EUCLEAN
#define EUCLEAN 1135
#endif

/* ---- Opening --------------------------------------------------------------------------------- */

#define AT_FDCWD            (-100)
#define AT_SYMLINK_NOFOLLOW 0x100
#define AT_REMOVEDIR        0x200
#define AT_EACCESS          0x200

/* Beside the C runtime's own flags. */
#define O_CLOEXEC   O_NOINHERIT
#define O_NOCTTY    0
#define O_NONBLOCK  0
#define O_DIRECTORY 0x1000000
#define O_NOFOLLOW  0x2000000
#define O_PATH      0x4000000

/* A new directory or file with no bits for group and others belongs to SYSTEM, the administrators
 * and its owner alone; else it inherits the rights of its directory. */
int zl_posix_openat(int dirfd, const char *path, int flags, ...);
int zl_posix_open(const char *path, int flags, ...);
int zl_posix_mkdirat(int dirfd, const char *path, int mode);
int zl_posix_mkdir(const char *path, int mode);
int zl_posix_close(int fd);
#define openat zl_posix_openat
#undef open
#define open    zl_posix_open
#define mkdirat zl_posix_mkdirat
#undef mkdir
#define mkdir zl_posix_mkdir
#undef close
#define close zl_posix_close

/* ---- Reading and writing --------------------------------------------------------------------- */

/* At most ZL_POSIX_IO_MAX bytes at once. pread and pwrite leave the position behind what they have
 * done: nobody mixes them with read and write. */
enum {
  ZL_POSIX_IO_MAX = 1 << 30
};
ssize_t zl_posix_read(int fd, void *data, size_t len);
ssize_t zl_posix_write(int fd, const void *data, size_t len);
ssize_t zl_posix_pread(int fd, void *data, size_t len, int64_t offset);
ssize_t zl_posix_pwrite(int fd, const void *data, size_t len, int64_t offset);
/* Also for a directory, where its file system can. */
int zl_posix_fsync(int fd);
int zl_posix_ftruncate(int fd, int64_t size);
/* SEEK_HOLE finds the file's end: nobody asks where its holes are. */
int64_t zl_posix_lseek(int fd, int64_t offset, int whence);
/* The whole volume of `fd`, for which the process has to be an administrator's. */
int zl_posix_syncfs(int fd);
#undef read
#define read zl_posix_read
#undef write
#define write  zl_posix_write
#define pread  zl_posix_pread
#define pwrite zl_posix_pwrite
#define fsync  zl_posix_fsync
#undef ftruncate
#define ftruncate zl_posix_ftruncate
#define syncfs    zl_posix_syncfs
#define fdatasync zl_posix_fsync
#define SEEK_HOLE 4
#undef lseek
#define lseek zl_posix_lseek

/* A name of io.h that our files have for functions of their own. */
#define tell zl_posix_own_tell

/* ---- Names ----------------------------------------------------------------------------------- */

/* What others have open is removed and replaced all the same: the name goes at once (POSIX
 * semantics of NTFS), the file when the last one closes it. A directory replaces nothing. */
int zl_posix_unlinkat(int dirfd, const char *path, int flags);
int zl_posix_renameat(int old_fd, const char *old_path, int new_fd, const char *new_path);
int zl_posix_renameat2(int old_fd, const char *old_path, int new_fd, const char *new_path,
                       unsigned flags);
int zl_posix_linkat(int old_fd, const char *old_path, int new_fd, const char *new_path, int flags);
int zl_posix_unlink(const char *path);
#define RENAME_NOREPLACE 1
#define unlinkat         zl_posix_unlinkat
#define renameat         zl_posix_renameat
#define renameat2        zl_posix_renameat2
#define linkat           zl_posix_linkat
#undef unlink
#define unlink zl_posix_unlink

/* ---- What a file is -------------------------------------------------------------------------- */

/* st_mode has the kind, and 0700 or 0600: who may do what stands in no such bits here. */
struct zl_posix_stat {
  dev_t st_dev; /* the serial number of the volume */
  uint64_t st_ino;
  uint32_t st_mode, st_nlink;
  uid_t st_uid;
  gid_t st_gid;
  int64_t st_size, st_blocks;
  struct timespec st_atim, st_mtim, st_ctim;
};
int zl_posix_fstat(int fd, struct zl_posix_stat *ret);
int zl_posix_fstatat(int dirfd, const char *path, struct zl_posix_stat *ret, int flags);
int zl_posix_stat(const char *path, struct zl_posix_stat *ret);
int zl_posix_faccessat(int dirfd, const char *path, int mode, int flags);
int zl_posix_access(const char *path, int mode);
/* Of all the bits only whether its owner may write: the attribute "read-only". */
int zl_posix_fchmodat(int dirfd, const char *path, unsigned mode, int flags);
#undef stat
#define stat zl_posix_stat
#undef fstat
#define fstat     zl_posix_fstat
#define fstatat   zl_posix_fstatat
#define faccessat zl_posix_faccessat
#define fchmodat  zl_posix_fchmodat
#undef access
#define access   zl_posix_access
#define st_mtime st_mtim.tv_sec
#ifndef S_IFLNK
#define S_IFLNK 0xA000
#endif
#ifndef S_ISLNK
#define S_ISLNK(mode) (((mode)&0xF000) == S_IFLNK)
#endif
#ifndef S_ISSOCK
#define S_ISSOCK(mode) 0
#endif

/* ---- Locks, waiting -------------------------------------------------------------------------- */

#define LOCK_SH 1
#define LOCK_EX 2
#define LOCK_NB 4
#define LOCK_UN 8
/* A lock of the whole open file, far behind its content, which stays readable for all. */
int zl_posix_flock(int fd, int operation);
#define flock zl_posix_flock

enum {
  ZL_OBJECT_FD = 1 << 20
};
/* An event: readable from the first write on. */
int zl_posix_eventfd(unsigned value, int flags);
#define eventfd       zl_posix_eventfd
#define EFD_CLOEXEC   0
#define EFD_NONBLOCK  0
#define EFD_SEMAPHORE 1

/* Nobody here sends a thread signals. */
typedef unsigned long long zl_posix_sigset;
#define sigset_t    zl_posix_sigset
#define SIG_BLOCK   0
#define SIG_UNBLOCK 1
#define SIG_SETMASK 2
static inline int zl_posix_fill(zl_posix_sigset *set)
{
  *set = ~0ULL;
  return 0;
}
static inline int zl_posix_mask(int how, const zl_posix_sigset *set, zl_posix_sigset *ret_old)
{
  (void)how;
  if (ret_old != NULL)
    *ret_old = set != NULL ? *set : 0;
  return 0;
}
#define sigfillset zl_posix_fill
#undef pthread_sigmask
#define pthread_sigmask zl_posix_mask

/* ---- Texts and memory that the C library here lacks -------------------------------------------
 */

char *strndup(const char *text, size_t len);
char *strsep(char **text, const char *separators);
char *strcasestr(const char *text, const char *part);
void *memrchr(const void *data, int c, size_t len);
void *reallocarray(void *p, size_t n, size_t size);
void explicit_bzero(void *data, size_t len);
/* An empty value removes a variable. */
int setenv(const char *name, const char *value, int overwrite);
int unsetenv(const char *name);
/* Makes the directory whose name ends with XXXXXX, which are replaced; NULL with errno. */
char *mkdtemp(char *path);
/* The working directory with slashes, in memory of the caller's. */
char *zl_posix_getcwd(char *text, size_t size);
#undef getcwd
#define getcwd zl_posix_getcwd
#define timegm _mkgmtime64

#endif
