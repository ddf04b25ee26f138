/* SPDX-License-Identifier: Apache-2.0
 *
 * Ownership by scope: a variable declared with one of these releases what it holds at the end of
 * its block, and `zl_steal_*` hands the value out.
 */
#ifndef ZL_BASE_CLEANUP_H
#define ZL_BASE_CLEANUP_H

#include <stdio.h>
#include <stdlib.h>

#define ZL_CLEANUP(fn) __attribute__((cleanup(fn)))

/* Frees *pp and clears it. Takes void * so that it serves a pointer to any pointer. */
void zl_freep(void *pp);
/* Closes *fd unless it is negative, -1 or an error, and sets it to -1; errno is kept. */
void zl_fd_closep(int *fd);
void zl_filep(FILE **file);

#define zl_autofd   ZL_CLEANUP(zl_fd_closep) int
#define zl_autofree ZL_CLEANUP(zl_freep)
#define zl_autofile ZL_CLEANUP(zl_filep) FILE

#define zl_steal_ptr(pp)          \
  ({                              \
    __typeof__(*(pp)) v_ = *(pp); \
    *(pp) = NULL;                 \
    v_;                           \
  })

#define zl_steal_fd(pfd) \
  ({                     \
    int v_ = *(pfd);     \
    *(pfd) = -1;         \
    v_;                  \
  })

/* Makes `name##p(struct type **)` out of a destructor `name(struct type *)` that accepts NULL. */
#define ZL_DEFINE_CLEANUP(type, name)  \
  static inline void name##p(type **p) \
  {                                    \
    if (*p != NULL)                    \
      name(*p);                        \
    *p = NULL;                         \
  }

#define ZL_COUNT(array) (sizeof(array) / sizeof((array)[0]))

#endif
