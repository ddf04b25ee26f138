/* SPDX-License-Identifier: Apache-2.0
 *
 * What was made on the host, in order, and how each is undone. A failed step is told by its name,
 * and everything before it is taken back in reverse order; so is a container at its removal.
 */
#ifndef ZL_RUNTIME_HCS_UNDO_H
#define ZL_RUNTIME_HCS_UNDO_H

#include <stddef.h>
#include <zlayer/error.h>

enum {
  ZL_UNDO_MAX = 32 /* a container in a machine takes 16 */
};

typedef int (*zl_undo_fn)(void *ctx, struct zl_error *err);

struct zl_undo_step {
  const char *name; /* static: "endpoint" */
  zl_undo_fn fn;
  void *ctx;
};

struct zl_undo {
  struct zl_undo_step steps[ZL_UNDO_MAX];
  size_t count;
};

/* Never fails: the steps of a container are counted. */
void zl_undo_push(struct zl_undo *undo, const char *name, zl_undo_fn fn, void *ctx);
/* Undoes, last first, all but the first `keep`. Each is attempted; the first error is the answer.
 * Steps that failed stay, in their order, so that a later call tries them again. */
int zl_undo_back(struct zl_undo *undo, size_t keep, struct zl_error *err);

#endif
