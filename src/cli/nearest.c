/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "cli/args.h"

enum {
  LONGEST = 40 /* longer words are not typing errors of ours; bounds the work and the stack */
};

static size_t min2(size_t a, size_t b)
{
  return a < b ? a : b;
}

/* Optimal string alignment with three rows: the swap of two neighbours is one edit, since that is
 * the commonest slip of the fingers. */
size_t zl_edit_distance(const char *a, const char *b)
{
  size_t rows[3][LONGEST + 1], a_len = strlen(a), b_len = strlen(b);
  size_t *before = rows[0], *last = rows[1], *now = rows[2], *spare;

  if (a_len > LONGEST || b_len > LONGEST)
    return LONGEST;
  for (size_t j = 0; j <= b_len; j++)
    last[j] = j;
  for (size_t i = 1; i <= a_len; i++) {
    now[0] = i;
    for (size_t j = 1; j <= b_len; j++) {
      now[j] = min2(last[j - 1] + (a[i - 1] != b[j - 1]), min2(last[j], now[j - 1]) + 1);
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        now[j] = min2(now[j], before[j - 2] + 1);
    }
    spare = before;
    before = last;
    last = now;
    now = spare;
  }
  return last[b_len];
}

/* A third of the word may be wrong; a word that merely goes on ("--net", "--network") is near too.
 */
void zl_nearest_offer(struct zl_nearest *nearest, const char *candidate)
{
  size_t len = strlen(nearest->word), distance = zl_edit_distance(nearest->word, candidate);
  bool begins = len >= 2 && strncmp(candidate, nearest->word, len) == 0;

  if (distance > (len + 2) / 3 && !begins)
    return;
  if (begins)
    distance = 1;
  if (nearest->best != NULL && distance >= nearest->distance)
    return;
  nearest->best = candidate;
  nearest->distance = distance;
}
