/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ZL_TEST_SCRATCH_WIN32_H
#define ZL_TEST_SCRATCH_WIN32_H

#include <stdlib.h>
#include <string.h>

#include "base/win32/handle.h"

#include <bcrypt.h>

/* What whole paths begin with. */
#define SCRATCH_DRIVE "C:"

/* Descriptors that are open: numbers of the C runtime, and of objects. */
static inline size_t scratch_count_fds(void)
{
  size_t n = 0;

  for (int fd = 0; fd < 2048; fd++)
    n += zl_handle_of(fd) != INVALID_HANDLE_VALUE;
  for (int fd = ZL_OBJECT_FD; zl_handle_is_object(fd); fd++)
    n += zl_handle_of(fd) != INVALID_HANDLE_VALUE;
  return n;
}

/* The times of a file, as tests of its age set them: UTIME_NOW, or seconds since 1970. */
#define UTIME_NOW ((long)((1L << 30) - 1))
static inline int futimens(int fd, const struct timespec times[2])
{
  const int64_t ticks_per_s = 10000000, epoch_s = 11644473600;
  FILE_BASIC_INFO info = { 0 };
  FILETIME now;

  GetSystemTimeAsFileTime(&now);
  for (int i = 0; i < 2; i++) {
    LARGE_INTEGER *to = i == 0 ? &info.LastAccessTime : &info.LastWriteTime;

    to->QuadPart = times[i].tv_nsec == UTIME_NOW
                       ? (int64_t)(((uint64_t)now.dwHighDateTime << 32) | now.dwLowDateTime)
                       : (times[i].tv_sec + epoch_s) * ticks_per_s;
  }
  return SetFileInformationByHandle(zl_handle_of(fd), FileBasicInfo, &info, sizeof(info)) ? 0 : -1;
}

/* Whether CNG knows ECDSA on P-521: Wine's does not. */
static inline int scratch_has_p521(void)
{
  BCRYPT_ALG_HANDLE alg = NULL;
  const int has = BCryptOpenAlgorithmProvider(&alg, BCRYPT_ECDSA_P521_ALGORITHM, NULL, 0) >= 0;

  if (has)
    (void)BCryptCloseAlgorithmProvider(alg, 0);
  return has;
}

/* Where directories of tests are: there is no /tmp. */
static inline const char *scratch_place(const char *place)
{
  const char *temp = getenv("TEMP");

  return temp != NULL ? temp : place;
}

#endif
