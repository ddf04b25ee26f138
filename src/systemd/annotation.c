/* SPDX-License-Identifier: Apache-2.0 */
#include "systemd/annotation.h"

#include <string.h>

#include "base/strv.h"
#include "systemd/property.h"

#define PREFIX "org.systemd.property."

enum {
  MAX_VALUE = 128,    /* of one annotation's text */
  FRACTION_DIGITS = 6 /* of seconds */
};

static const struct known {
  const char *name;
  char type; /* of D-Bus */
} known[] = {
  { "BlockIOWeight", 't' },
  { "CPUQuotaPerSecUSec", 't' },
  { "CPUQuotaPeriodUSec", 't' },
  { "CPUShares", 't' },
  { "CPUWeight", 't' },
  { "CollectMode", 's' },
  { "FinalKillSignal", 'i' },
  { "IOWeight", 't' },
  { "KillMode", 's' },
  { "KillSignal", 'i' },
  { "ManagedOOMMemoryPressure", 's' },
  { "ManagedOOMMemoryPressureLimit", 'u' },
  { "ManagedOOMPreference", 's' },
  { "ManagedOOMSwap", 's' },
  { "MemoryHigh", 't' },
  { "MemoryLimit", 't' },
  { "MemoryLow", 't' },
  { "MemoryMax", 't' },
  { "MemoryMin", 't' },
  { "MemorySwapMax", 't' },
  { "MemoryZSwapMax", 't' },
  { "OOMPolicy", 's' },
  { "RuntimeMaxUSec", 't' },
  { "SendSIGHUP", 'b' },
  { "SendSIGKILL", 'b' },
  { "StartupBlockIOWeight", 't' },
  { "StartupCPUShares", 't' },
  { "StartupCPUWeight", 't' },
  { "StartupIOWeight", 't' },
  { "TasksMax", 't' },
  { "TimeoutStopUSec", 't' },
};

static const struct known *find_known(const char *name, size_t len)
{
  for (size_t i = 0; i < ZL_COUNT(known); i++)
    if (strlen(known[i].name) == len && memcmp(known[i].name, name, len) == 0)
      return &known[i];
  return NULL;
}

static const char *type_name(char type)
{
  return type == 't' ? "uint64" : type == 'u' ? "uint32" : type == 'i' ? "int32" : "";
}

/* What a number is written after: "uint64 5" or "@t 5", and nothing before an int32. NULL: the text
 * is of another type. */
static const char *after_type(const char *text, char type)
{
  const char *name = type_name(type);

  if (text[0] == '@' && text[1] == type)
    text += 2;
  else if (zl_has_prefix(text, name) && text[strlen(name)] == ' ')
    text += strlen(name);
  else
    return type == 'i' ? text : NULL;
  return *text == ' ' ? text + strspn(text, " ") : NULL;
}

static bool put_number(struct zl_dbus_out *out, const struct known *property, const char *text)
{
  const uint64_t max = property->type == 't'   ? UINT64_MAX
                       : property->type == 'u' ? UINT32_MAX
                                               : INT32_MAX;
  uint64_t value;

  text = after_type(text, property->type);
  if (text == NULL || !zl_parse_u64(text, max, &value))
    return false;
  if (property->type == 't')
    zl_property_u64(out, property->name, value);
  else if (property->type == 'u')
    zl_property_u32(out, property->name, (uint32_t)value);
  else
    zl_property_i32(out, property->name, (int32_t)value);
  return true;
}

static bool put_bool(struct zl_dbus_out *out, const struct known *property, const char *text)
{
  const bool value = strcmp(text, "true") == 0;

  if (!value && strcmp(text, "false") != 0)
    return false;
  zl_property_bool(out, property->name, value);
  return true;
}

/* The values that there are have letters and dashes: no escapes are needed. */
static bool put_text(struct zl_dbus_out *out, const struct known *property, const char *text)
{
  const size_t len = strlen(text);
  char inner[MAX_VALUE] = "";

  if (len < 3 || (text[0] != '\'' && text[0] != '"') || text[len - 1] != text[0])
    return false;
  (void)strncat(inner, text + 1, len - 2);
  if (strspn(inner, "abcdefghijklmnopqrstuvwxyz-") != len - 2)
    return false;
  zl_property_string(out, property->name, inner);
  return true;
}

static bool put_value(struct zl_dbus_out *out, const struct known *property, const char *text)
{
  switch (property->type) {
  case 'b':
    return put_bool(out, property, text);
  case 's':
    return put_text(out, property, text);
  default:
    return put_number(out, property, text);
  }
}

/* "TimeoutStopSec": "2.5", as in unit files, is TimeoutStopUSec. Any of GVariant's numbers. */
static bool put_seconds(struct zl_dbus_out *out, const struct known *property, const char *text)
{
  static const char *const types[] = { "uint64 ", "uint32 ", "int32 ", "int64 ", "double " };
  char whole[24] = "", fraction[FRACTION_DIGITS + 1] = "000000";
  uint64_t seconds, us;
  size_t n;

  for (size_t i = 0; i < ZL_COUNT(types); i++)
    if (zl_has_prefix(text, types[i])) {
      text += strlen(types[i]);
      break;
    }
  n = strcspn(text, ".");
  if (n >= sizeof(whole) || (text[n] == '.' && strlen(text + n + 1) > FRACTION_DIGITS))
    return false;
  (void)strncat(whole, text, n);
  if (text[n] == '.')
    memcpy(fraction, text + n + 1, strlen(text + n + 1));
  if (!zl_parse_u64(whole, UINT64_MAX / 1000000 - 1, &seconds) ||
      !zl_parse_u64(fraction, 999999, &us))
    return false;
  zl_property_u64(out, property->name, seconds * 1000000 + us);
  return true;
}

/* "XSec" for a known "XUSec"; NULL: it is none. */
static const struct known *find_seconds(const char *name)
{
  const size_t len = strlen(name);
  char other[64];

  if (len < 4 || len + 2 > sizeof(other) || strcmp(name + len - 3, "Sec") != 0)
    return NULL;
  memcpy(other, name, len - 3);
  (void)stpcpy(other + len - 3, "USec");
  return find_known(other, len + 1);
}

static int put_one(struct zl_dbus_out *out, const char *key, const char *text, struct zl_error *err)
{
  const char *name = key + strlen(PREFIX);
  const struct known *property = find_known(name, strlen(name));
  const struct known *seconds = property == NULL ? find_seconds(name) : NULL;
  bool is_good;

  if (property == NULL && seconds == NULL)
    return zl_fail(
        err, ZL_E_UNSUPPORTED, 0,
        "annotations: %.100s: a container may set limits and how its unit ends, no other "
        "property",
        key);
  if (text == NULL || strlen(text) >= MAX_VALUE)
    is_good = false;
  else
    is_good = property != NULL ? put_value(out, property, text) : put_seconds(out, seconds, text);
  if (is_good)
    return out->r;
  if (seconds != NULL)
    return zl_fail(err, ZL_E_INVALID, 0, "annotations: %.100s: must be a number of seconds", key);
  return zl_fail(err, ZL_E_INVALID, 0, "annotations: %.100s: must be %s in GVariant's text form",
                 key,
                 property->type == 'b'   ? "true or false"
                 : property->type == 's' ? "a word in quotes"
                 : property->type == 't' ? "a number as 'uint64 1'"
                 : property->type == 'u' ? "a number as 'uint32 1'"
                                         : "a number as 'int32 1'");
}

int zl_annotations_put(struct zl_dbus_out *out, const json_t *annotations, struct zl_error *err)
{
  const char *key;
  json_t *value;
  int r = 0;

  json_object_foreach ((json_t *)(uintptr_t)annotations, key, value) {
    if (zl_has_prefix(key, PREFIX))
      r = put_one(out, key, json_string_value(value), err);
    if (r < 0)
      return r;
  }
  return 0;
}
