/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/verb.h"

#include <string.h>

const struct zl_verb *zl_verb_find(const struct zl_verb *const *table, const char *name)
{
  for (; *table != NULL; table++)
    if (strcmp((*table)->name, name) == 0)
      return *table;
  return NULL;
}

const struct zl_option *zl_opt_find(const struct zl_option *options, const char *name,
                                    size_t name_len)
{
  for (; options != NULL && options->name != NULL; options++)
    if (strlen(options->name) == name_len && memcmp(options->name, name, name_len) == 0)
      return options;
  return NULL;
}

const struct zl_option *zl_opt_find_letter(const struct zl_option *options, char letter)
{
  for (; options != NULL && options->name != NULL; options++)
    if (options->letter != '\0' && options->letter == letter)
      return options;
  return NULL;
}

bool zl_opt_accepts(const struct zl_option *option, const char *value)
{
  const char *words = option->complete;
  size_t len = strlen(value), span;

  if (words == NULL || words[0] == '@')
    return true;
  for (; *words != '\0'; words += span + (words[span] == ' ')) {
    span = strcspn(words, " ");
    if (span == len && memcmp(words, value, len) == 0)
      return true;
  }
  return false;
}
