/* SPDX-License-Identifier: Apache-2.0 */
#include "image/layer/fresh_names.h"

#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>

enum {
  SLOTS = 32 << 10, /* a power of two; 256 KiB */
  MOST = SLOTS / 4 * 3
};

void zl_fresh_names_init(struct zl_fresh_names *names)
{
  const void *random = (const void *)getauxval(AT_RANDOM); /* 16 bytes from the kernel */

  *names = (struct zl_fresh_names){ 0 };
  if (random != NULL)
    memcpy(&names->seed, random, sizeof(names->seed));
}

void zl_fresh_names_done(struct zl_fresh_names *names)
{
  free(names->slots);
  names->slots = NULL;
}

bool zl_fresh_names_is_full(const struct zl_fresh_names *names)
{
  return names->used >= MOST;
}

void zl_fresh_names_forget(struct zl_fresh_names *names)
{
  if (names->used > 0)
    memset(names->slots, 0, SLOTS * sizeof(*names->slots));
  names->used = 0;
}

/* Never 0. The directory itself has the name "". */
static uint64_t hash_of(const struct zl_fresh_names *names, uint64_t dir, const char *name)
{
  const uint64_t prime = UINT64_C(1099511628211);
  uint64_t h = (names->seed ^ dir) * prime;

  for (; *name != '\0'; name++)
    h = (h ^ (unsigned char)*name) * prime;
  h = (h ^ h >> 33) * UINT64_C(0xff51afd7ed558ccd);
  return (h ^ h >> 33) | 1;
}

/* The slot of the hash, or the free one where it belongs. */
static uint64_t *find(const struct zl_fresh_names *names, uint64_t hash)
{
  size_t at = (size_t)(hash >> 1) & (SLOTS - 1);

  while (names->slots[at] != 0 && names->slots[at] != hash)
    at = (at + 1) & (SLOTS - 1);
  return &names->slots[at];
}

void zl_fresh_names_add_dir(struct zl_fresh_names *names, uint64_t dir)
{
  if (names->slots == NULL)
    names->slots = calloc(SLOTS, sizeof(*names->slots));
  if (names->slots != NULL)
    (void)zl_fresh_names_take(names, dir, "");
}

enum zl_name_state zl_fresh_names_take(struct zl_fresh_names *names, uint64_t dir, const char *name)
{
  uint64_t hash = hash_of(names, dir, name), *slot;

  if (names->slots == NULL)
    return ZL_NAME_UNKNOWN;
  if (*name != '\0' && *find(names, hash_of(names, dir, "")) == 0)
    return ZL_NAME_UNKNOWN;
  slot = find(names, hash);
  if (*slot != 0)
    return ZL_NAME_TAKEN;
  *slot = hash;
  names->used++;
  return ZL_NAME_FREE;
}
