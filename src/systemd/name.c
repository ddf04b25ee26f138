/* SPDX-License-Identifier: Apache-2.0 */
#include "systemd/name.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/strv.h"

#define SLICE          ".slice"
#define SCOPE          ".scope"
#define ROOT_SLICE     "-.slice"
#define DEFAULT_SLICE  "system.slice"
#define DEFAULT_PREFIX "zlayer"

static bool has_suffix(const char *text, const char *suffix)
{
  const size_t len = strlen(text), end = strlen(suffix);

  return len > end && strcmp(text + len - end, suffix) == 0;
}

/* What systemd takes in the name of a unit. */
static bool is_unit_char(char c)
{
  return c != '\0' && (isalnum((unsigned char)c) || strchr(":-_.\\@", c) != NULL);
}

static int check_unit(const char *unit, struct zl_error *err)
{
  const size_t len = strlen(unit);

  for (size_t i = 0; i < len; i++)
    if (!is_unit_char(unit[i]))
      return zl_fail(err, ZL_E_INVALID, 0,
                     "linux.cgroupsPath: the unit '%.100s' may have letters, digits and any of "
                     ": - _ . \\ @ only",
                     unit);
  return 0;
}

/* Each '-' is a level: none may be without a name. */
static int check_slice(const char *slice, struct zl_error *err)
{
  bool is_good = has_suffix(slice, SLICE) && check_unit(slice, NULL) == 0;

  if (is_good && strcmp(slice, ROOT_SLICE) != 0)
    is_good = *slice != '-' && strstr(slice, "--") == NULL && strstr(slice, "-" SLICE) == NULL;
  return is_good ? 0
                 : zl_fail(err, ZL_E_INVALID, 0, "linux.cgroupsPath: '%.100s' is no slice", slice);
}

/* An id may have a '+', which a unit may not; the rest is fit for both. */
static int name_by_id(const char *id, char unit[ZL_MAX_UNIT_NAME + 1], struct zl_error *err)
{
  char *to = stpcpy(unit, DEFAULT_PREFIX "-");

  for (; *id != '\0' && (size_t)(to - unit) < ZL_MAX_UNIT_NAME - sizeof(SCOPE) - 4; id++) {
    if (is_unit_char(*id))
      *to++ = *id;
    else
      to += snprintf(to, 5, "\\x%02x", (unsigned char)*id);
  }
  (void)stpcpy(to, SCOPE);
  return *id == '\0'
             ? 0
             : zl_fail(err, ZL_E_INVALID, 0,
                       "linux.cgroupsPath: must be given, as the id is too long for a unit's name");
}

/* `prefix` and `name` need not end with a NUL. */
static int name_as_given(const char *prefix, size_t prefix_len, const char *name,
                         struct zl_unit_name *ret, struct zl_error *err)
{
  int len;

  ret->is_slice = has_suffix(name, SLICE);
  if (ret->is_slice)
    len = snprintf(ret->unit, sizeof(ret->unit), "%s", name);
  else
    len = snprintf(ret->unit, sizeof(ret->unit), "%.*s%s%s" SCOPE, (int)prefix_len, prefix,
                   prefix_len > 0 ? "-" : "", name);
  if (len < 0 || len > ZL_MAX_UNIT_NAME)
    return zl_fail(err, ZL_E_INVALID, 0,
                   "linux.cgroupsPath: the unit's name would be longer than %d bytes",
                   ZL_MAX_UNIT_NAME);
  return ret->is_slice ? check_slice(ret->unit, err) : check_unit(ret->unit, err);
}

static int parse(const char *text, struct zl_unit_name *ret, struct zl_error *err)
{
  const char *prefix = strchr(text, ':');
  const char *name = prefix != NULL ? strchr(prefix + 1, ':') : NULL;
  int len;

  if (name == NULL || strchr(name + 1, ':') != NULL || name[1] == '\0')
    return zl_fail(err, ZL_E_INVALID, 0,
                   "linux.cgroupsPath: '%.100s' is not of the form slice:prefix:name, which "
                   "systemd cgroups need",
                   text);
  len = snprintf(ret->slice, sizeof(ret->slice), "%.*s", (int)(prefix - text), text);
  if (len < 0 || len > ZL_MAX_UNIT_NAME)
    return zl_fail(err, ZL_E_INVALID, 0, "linux.cgroupsPath: the slice is longer than %d bytes",
                   ZL_MAX_UNIT_NAME);
  return name_as_given(prefix + 1, (size_t)(name - prefix - 1), name + 1, ret, err);
}

int zl_unit_name_parse(const char *text, const char *id, struct zl_unit_name *ret,
                       struct zl_error *err)
{
  struct zl_unit_name name = { .is_slice = false };
  int r = text != NULL ? parse(text, &name, err) : name_by_id(id, name.unit, err);

  if (r == 0 && *name.slice == '\0')
    (void)stpcpy(name.slice, DEFAULT_SLICE);
  if (r == 0)
    r = check_slice(name.slice, err);
  if (r == 0)
    *ret = name;
  return r;
}

int zl_unit_name_path(const struct zl_unit_name *name, char ret[ZL_MAX_CGROUP_PATH + 1],
                      struct zl_error *err)
{
  const char *slice = name->is_slice ? name->unit : name->slice;
  const size_t stem = strlen(slice) - strlen(SLICE);
  size_t at = 0;

  if (strcmp(slice, ROOT_SLICE) != 0)
    for (size_t i = 1; i <= stem; i++)
      if ((i == stem || slice[i] == '-') && at <= ZL_MAX_CGROUP_PATH)
        at += (size_t)snprintf(ret + at, ZL_MAX_CGROUP_PATH + 1 - at, "/%.*s" SLICE, (int)i, slice);
  if (!name->is_slice && at <= ZL_MAX_CGROUP_PATH)
    at += (size_t)snprintf(ret + at, ZL_MAX_CGROUP_PATH + 1 - at, "/%s", name->unit);
  if (at == 0 || at > ZL_MAX_CGROUP_PATH)
    return zl_fail(err, ZL_E_INVALID, 0,
                   "linux.cgroupsPath: the cgroup of unit '%.100s' would have no path of 1 to %d "
                   "bytes",
                   name->unit, ZL_MAX_CGROUP_PATH);
  return 0;
}
