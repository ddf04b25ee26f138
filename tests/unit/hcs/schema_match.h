/* SPDX-License-Identifier: Apache-2.0
 *
 * Texts that have a form: GUIDs, and the paths of what a change is for.
 */
#ifndef ZL_TEST_HCS_SCHEMA_MATCH_H
#define ZL_TEST_HCS_SCHEMA_MATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

enum {
  GUID_LEN = 36
};

#define GUID_LOWER "0123456789abcdef" /* as we write them */
#define GUID_ANY   "0123456789abcdefABCDEF"

/* Whether the text begins with a GUID of these digits. */
static inline bool schema_is_guid(const char *text, const char *digits)
{
  for (size_t i = 0; i < GUID_LEN; i++)
    if (i == 8 || i == 13 || i == 18 || i == 23
            ? text[i] != '-'
            : text[i] == '\0' || strchr(digits, text[i]) == NULL)
      return false;
  return true;
}

/* "@" is a GUID, "#" a number, "*" the rest. */
static inline bool schema_matches(const char *pattern, const char *path, const char *digits)
{
  for (; *pattern != '\0'; pattern++) {
    size_t len = 1;

    if (*pattern == '*')
      return *path != '\0';
    if (*pattern == '#')
      len = strspn(path, "0123456789");
    else if (*pattern == '@')
      len = schema_is_guid(path, digits) ? GUID_LEN : 0;
    else if (*pattern != *path)
      return false;
    if (len == 0)
      return false;
    path += len;
  }
  return *path == '\0';
}

#endif
