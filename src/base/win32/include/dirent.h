/* SPDX-License-Identifier: Apache-2.0
 *
 * Directories by descriptor, in place of the C library's by path.
 */
#ifndef ZL_BASE_WIN32_DIRENT_H
#define ZL_BASE_WIN32_DIRENT_H

#include <stdint.h>

enum {
  ZL_DIRENT_NAME = 255 * 3 + 1
};
#define DT_UNKNOWN 0
#define DT_DIR     4
#define DT_REG     8
#define DT_LNK     10

struct dirent {
  uint64_t d_ino;
  unsigned char d_type;
  char d_name[ZL_DIRENT_NAME]; /* UTF-8 */
};

typedef struct zl_posix_dir DIR;

DIR *fdopendir(int fd); /* takes the descriptor on success */
DIR *opendir(const char *path);
/* NULL at the end, or with errno. A name that is no text (a lone surrogate) is EILSEQ. */
struct dirent *readdir(DIR *dir);
int dirfd(DIR *dir);
int closedir(DIR *dir);
/* As POSIX has them; `order` is not NULL. */
int scandir(const char *path, struct dirent ***ret, int (*wanted)(const struct dirent *entry),
            int (*order)(const struct dirent **a, const struct dirent **b));
int alphasort(const struct dirent **a, const struct dirent **b);

#endif
