/* SPDX-License-Identifier: Apache-2.0
 *
 * "Did you mean": what a mistyped key was meant to be.
 */
#include <string.h>

#include "spec/field.h"

enum {
  WORD_MAX = 48
};

static size_t min3(size_t a, size_t b, size_t c)
{
  size_t m = a < b ? a : b;

  return m < c ? m : c;
}

/* Insertions, deletions, replacements and swaps of neighbours between two short words. */
static size_t distance(const char *a, size_t n, const char *b, size_t m)
{
  size_t rows[3][WORD_MAX + 1];
  size_t *before = rows[0], *last = rows[1], *row = rows[2];

  for (size_t j = 0; j <= m; j++)
    last[j] = j;
  for (size_t i = 1; i <= n; i++) {
    size_t *spare = before;

    row[0] = i;
    for (size_t j = 1; j <= m; j++) {
      row[j] = min3(last[j] + 1, row[j - 1] + 1, last[j - 1] + (a[i - 1] != b[j - 1]));
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] && before[j - 2] < row[j])
        row[j] = before[j - 2] + 1;
    }
    before = last;
    last = row;
    row = spare;
  }
  return last[m];
}

struct best {
  const char *word;
  size_t distance;
};

/* Considers `name` (of `len` bytes) as what `text` was meant to be; `word` is what to suggest. */
static void consider(struct best *best, const char *text, const char *name, size_t len,
                     const char *word)
{
  size_t n = strlen(text), found;

  if (n > WORD_MAX || len > WORD_MAX)
    return;
  found = distance(text, n, name, len);
  if (found > (len < 3 ? 0 : len < 6 ? 1 : 3))
    return;
  if (best->word == NULL || found < best->distance)
    *best = (struct best){ word, found };
}

static void consider_words(struct best *best, const char *text, const char *words, const char *word)
{
  while (words != NULL && *words != '\0') {
    size_t len = strcspn(words, " ");

    consider(best, text, words, len, word);
    words += len + (words[len] == ' ');
  }
}

/* "env_vars" begins with "env": the last resort. */
static const char *find_prefix(const struct zl_type *type, const char *key)
{
  for (size_t i = 0; i < type->n_fields; i++) {
    size_t len = strlen(type->fields[i].key);

    if (len >= 3 && strncmp(key, type->fields[i].key, len) == 0)
      return type->fields[i].key;
  }
  return NULL;
}

const char *zl_suggest_key(const struct zl_type *type, const char *key)
{
  struct best best = { 0 };

  for (size_t i = 0; i < type->n_fields; i++) {
    const struct zl_field *field = &type->fields[i];

    consider(&best, key, field->key, strlen(field->key), field->key);
    consider_words(&best, key, field->also, field->key);
  }
  return best.word != NULL ? best.word : find_prefix(type, key);
}

const char *zl_suggest_option(const struct zl_option *options, const char *text)
{
  struct best best = { 0 };

  for (; options->text != NULL; options++)
    consider(&best, text, options->text, strlen(options->text), options->text);
  return best.word;
}
