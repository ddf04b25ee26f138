/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/hcs/undo.h"

#include <assert.h>

void zl_undo_push(struct zl_undo *undo, const char *name, zl_undo_fn fn, void *ctx)
{
  assert(undo->count < ZL_UNDO_MAX);
  undo->steps[undo->count++] = (struct zl_undo_step){ name, fn, ctx };
}

static void put_back(struct zl_undo *undo, size_t keep, const struct zl_undo_step *failed,
                     size_t count)
{
  undo->count = keep;
  while (count > 0) /* they were noted last first */
    undo->steps[undo->count++] = failed[--count];
}

int zl_undo_back(struct zl_undo *undo, size_t keep, struct zl_error *err)
{
  struct zl_undo_step failed[ZL_UNDO_MAX];
  size_t count = 0;
  int first = 0;

  while (undo->count > keep) {
    struct zl_undo_step step = undo->steps[--undo->count];
    struct zl_error why = { 0 };
    int r = step.fn(step.ctx, &why);

    if (r == 0)
      continue;
    failed[count++] = step;
    if (first == 0) {
      first = zl_wrap(&why, "removing its %s", step.name);
      if (err != NULL)
        *err = why;
    }
  }
  put_back(undo, keep, failed, count);
  return first;
}
