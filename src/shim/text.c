/* SPDX-License-Identifier: Apache-2.0 */
#include "shim/text.h"

#include <string.h>

#include "base/cleanup.h"

json_t *text_json(const char *text)
{
  json_t *json = json_string(text);
  zl_autofree char *copy = NULL;

  if (json != NULL)
    return json;
  copy = strdup(text);
  if (copy == NULL)
    return NULL;
  for (char *p = copy; *p != '\0'; p++)
    if ((unsigned char)*p >= 0x80)
      *p = '?';
  return json_string(copy);
}
