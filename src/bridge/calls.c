/* SPDX-License-Identifier: Apache-2.0 */
#include "bridge/calls.h"

#include <string.h>

int zl_calls_add(struct zl_calls *calls, const struct zl_pending_call *call, struct zl_error *err)
{
  struct zl_pending_call *slot;

  if (calls->count == ZL_BRIDGE_MAX_CALLS)
    return zl_fail(err, ZL_E_LIMIT, 0, "%d calls to the guest are under way: no more at once",
                   ZL_BRIDGE_MAX_CALLS);
  slot = &calls->slots[calls->count++];
  *slot = *call;
  slot->id = calls->next_id++;
  return 0;
}

struct zl_pending_call *zl_calls_find(struct zl_calls *calls, uint64_t id)
{
  for (size_t i = 0; i < calls->count; i++)
    if (calls->slots[i].id == id)
      return &calls->slots[i];
  return NULL;
}

struct zl_pending_call zl_calls_take(struct zl_calls *calls, struct zl_pending_call *call)
{
  struct zl_pending_call taken = *call;

  *call = calls->slots[--calls->count];
  return taken;
}

struct zl_pending_call *zl_calls_expired(struct zl_calls *calls, uint64_t now_ns, uint64_t limit)
{
  for (size_t i = 0; i < calls->count; i++) {
    struct zl_pending_call *call = &calls->slots[i];

    if (call->deadline_ns != UINT64_MAX && call->deadline_ns <= now_ns && call->id < limit)
      return call;
  }
  return NULL;
}

uint64_t zl_calls_deadline(const struct zl_calls *calls)
{
  uint64_t first = UINT64_MAX;

  for (size_t i = 0; i < calls->count; i++)
    if (calls->slots[i].deadline_ns < first)
      first = calls->slots[i].deadline_ns;
  return first;
}

bool zl_calls_creates(const struct zl_calls *calls, const char *container)
{
  for (size_t i = 0; i < calls->count; i++)
    if (calls->slots[i].container != NULL && strcmp(calls->slots[i].container, container) == 0)
      return true;
  return false;
}
