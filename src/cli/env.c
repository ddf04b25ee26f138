/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/env.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"

int zl_env_parse(const char *text, zl_env_fn set, void *payload, struct zl_error *err)
{
  const char *equals = strchr(text, '='), *value = NULL;
  zl_autofree char *key = strndup(text, equals != NULL ? (size_t)(equals - text) : strlen(text));

  if (key == NULL)
    return zl_fail_nomem(err, "an environment variable");
  if (key[0] == '\0' || strpbrk(key, " \t") != NULL)
    return zl_fail(err, ZL_E_INVALID, 0, "'%s' is neither KEY=VALUE nor KEY", text);
  value = equals != NULL ? equals + 1 : getenv(key);
  return value != NULL ? set(payload, key, value, err) : 0;
}

/* Calls for each line of `text`, which is changed. */
static int parse_lines(const char *path, char *text, zl_env_fn set, void *payload,
                       struct zl_error *err)
{
  unsigned number = 1;
  size_t len;
  char *next;
  int r = 0;

  for (char *line = text; line != NULL && r >= 0; line = next, number++) {
    next = strchr(line, '\n');
    if (next != NULL)
      *next++ = '\0';
    len = strlen(line);
    if (len > 0 && line[len - 1] == '\r')
      line[len - 1] = '\0';
    line += strspn(line, " \t");
    if (line[0] != '\0' && line[0] != '#')
      r = zl_env_parse(line, set, payload, err);
  }
  return r < 0 ? zl_wrap(err, "%s:%u", path, number - 1) : 0;
}

int zl_env_file(const char *path, zl_env_fn set, void *payload, struct zl_error *err)
{
  zl_autobuf buf = ZL_BUF_INIT(ZL_MAX_ENV_FILE);
  int r = zl_file_read(AT_FDCWD, path, &buf, err);

  if (r < 0)
    return r;
  if (buf.data != NULL && strlen(buf.data) != buf.len)
    return zl_fail(err, ZL_E_INVALID, 0, "%s: a NUL byte in a file of variables", path);
  return buf.data == NULL ? 0 : parse_lines(path, buf.data, set, payload, err);
}
