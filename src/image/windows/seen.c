/* SPDX-License-Identifier: Apache-2.0 */
#include "image/windows/seen.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/rand.h"
#include "image/windows/text.h"

/* A prime, so that a polynomial over it in a random place is as good as a random function. */
#define PRIME ((UINT64_C(1) << 61) - 1)

int zl_win_seen_init(struct zl_win_seen *seen, struct zl_error *err)
{
  char text[17];
  int r = zl_rand_hex(text, sizeof(text), err);

  *seen = (struct zl_win_seen){ 0 };
  if (r < 0)
    return r;
  seen->seed = strtoull(text, NULL, 16) % PRIME;
  return 0;
}

void zl_win_seen_done(struct zl_win_seen *seen)
{
  for (size_t i = 0; i < seen->n; i++)
    free(seen->names[i].path);
  free(seen->names);
  free(seen->slots);
  *seen = (struct zl_win_seen){ 0 };
}

static uint64_t hash_of(const struct zl_win_seen *seen, const char *path, size_t len)
{
  const char *end = path + len;
  uint64_t h = 1;

  while (path < end) {
    uint32_t c = zl_win_text_next(&path);

    h = (uint64_t)(((unsigned __int128)h * seen->seed + zl_win_text_fold(c)) % PRIME);
    if (c == 0 || c == UINT32_MAX)
      break;
  }
  return h ^ h >> 31;
}

static size_t *find_slot(const struct zl_win_seen *seen, const char *path, size_t len)
{
  size_t at = (size_t)hash_of(seen, path, len) & (seen->n_slots - 1);

  while (seen->slots[at] != 0) {
    const char *other = seen->names[seen->slots[at] - 1].path;

    if (zl_win_text_equal(other, strlen(other), path, len))
      break;
    at = (at + 1) & (seen->n_slots - 1);
  }
  return &seen->slots[at];
}

int64_t zl_win_seen_find(const struct zl_win_seen *seen, const char *path, size_t len)
{
  return seen->n == 0 ? ZL_WIN_UNSEEN : (int64_t)*find_slot(seen, path, len) - 1;
}

static int grow(struct zl_win_seen *seen, struct zl_error *err)
{
  size_t cap = seen->cap == 0 ? 64 : seen->cap * 2;
  struct zl_win_name *names = reallocarray(seen->names, cap, sizeof(*names));
  size_t *slots = calloc(cap * 2, sizeof(*slots));

  if (names != NULL)
    seen->names = names;
  if (names == NULL || slots == NULL) {
    free(slots);
    return zl_fail_nomem(err, "the names of a layer");
  }
  free(seen->slots);
  seen->slots = slots;
  seen->n_slots = cap * 2;
  seen->cap = cap;
  for (size_t i = 0; i < seen->n; i++)
    *find_slot(seen, names[i].path, strlen(names[i].path)) = i + 1;
  return 0;
}

int zl_win_seen_add(struct zl_win_seen *seen, const char *path, enum zl_win_kind kind,
                    size_t *ret_number, struct zl_error *err)
{
  size_t len = strlen(path), *slot;
  int r = seen->n == seen->cap ? grow(seen, err) : 0;
  char *copy;

  if (r < 0)
    return r;
  if (len > ZL_MAX_WINDOWS_TEXT - seen->text)
    return zl_fail(err, ZL_E_LIMIT, 0, "the paths of the layer have more than %d bytes together",
                   ZL_MAX_WINDOWS_TEXT);
  copy = strdup(path);
  if (copy == NULL)
    return zl_fail_nomem(err, "the names of a layer");
  slot = find_slot(seen, path, len);
  seen->names[seen->n] = (struct zl_win_name){ .path = copy, .kind = kind };
  seen->text += len;
  if (ret_number != NULL)
    *ret_number = seen->n;
  *slot = ++seen->n;
  return 0;
}
