/* SPDX-License-Identifier: Apache-2.0
 *
 * Rules for names, addresses and paths.
 */
#include <arpa/inet.h>
#include <string.h>

#include "base/limits.h"
#include "base/path.h"
#include "base/strv.h"
#include "spec/imageref.h"
#include "spec/rules.h"

#define LOWER "abcdefghijklmnopqrstuvwxyz"
#define UPPER "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGIT "0123456789"

enum {
  LABEL_MAX = 63,   /* a name that becomes a DNS label */
  HOSTNAME_MAX = 64 /* what the kernel's UTS namespace takes */
};

bool zl_utf8_next(const char **p, uint32_t *ret)
{
  const unsigned char *s = (const unsigned char *)*p;
  size_t more = s[0] < 0x80 ? 0 : s[0] >= 0xf0 ? 3 : s[0] >= 0xe0 ? 2 : 1;
  static const uint32_t lowest[] = { 0, 0x80, 0x800, 0x10000 };
  uint32_t c = more == 0 ? s[0] : s[0] & (0x3fu >> more);

  if ((s[0] >= 0x80 && s[0] < 0xc2) || s[0] > 0xf4)
    return false;
  for (size_t i = 1; i <= more; i++) {
    if ((s[i] & 0xc0) != 0x80)
      return false;
    c = (c << 6) | (s[i] & 0x3fu);
  }
  if (c < lowest[more] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
    return false;
  *p += more + 1;
  *ret = c;
  return true;
}

bool zl_text_is_utf8(const char *text)
{
  uint32_t c;

  while (*text != '\0')
    if (!zl_utf8_next(&text, &c))
      return false;
  return true;
}

/* Begins with one of `first`, goes on with `rest`, ends with one of `last`. */
static bool is_name(const char *text, const char *first, const char *rest, const char *last,
                    size_t min, size_t max)
{
  size_t len = strnlen(text, max + 1);

  return len >= min && len <= max && strchr(first, text[0]) != NULL && strspn(text, rest) == len &&
         strchr(last, text[len - 1]) != NULL;
}

static bool has_control(const char *text)
{
  for (const unsigned char *p = (const unsigned char *)text; *p != '\0'; p++)
    if (*p < ' ' || *p == 0x7f)
      return true;
  return false;
}

void zl_check_not_empty(struct zl_spec_ctx *ctx, const struct zl_at *at, const void *value)
{
  const char *text = value;

  if (*text == '\0')
    zl_report(ctx, at, ZL_E_INVALID, "must not be empty");
  else if (has_control(text))
    zl_report(ctx, at, ZL_E_INVALID, "contains a control character");
}

void zl_check_version(struct zl_spec_ctx *ctx, const struct zl_at *at, const void *value)
{
  const char *text = value;

  if (strcmp(text, "v1") != 0)
    zl_report(ctx, at, ZL_E_INVALID, "expected v1, found '%s'", text);
}

void zl_check_deployment(struct zl_spec_ctx *ctx, const struct zl_at *at, const void *value)
{
  const char *name = value;

  if (!is_name(name, LOWER UPPER DIGIT, LOWER UPPER DIGIT "-", LOWER UPPER DIGIT "-", 3, LABEL_MAX))
    zl_report(ctx, at, ZL_E_INVALID,
              "'%s' is not a deployment name: 3 to 63 letters, digits or '-', the first not '-'",
              name);
}

void zl_check_service_name(struct zl_spec_ctx *ctx, const struct zl_at *at, const void *value)
{
  const char *name = value;

  if (name == NULL || !zl_path_is_name(name, LABEL_MAX))
    zl_report(ctx, at, ZL_E_INVALID,
              "'%s' is not a service name: 1 to 63 letters, digits, '_', '.' or '-', the first a "
              "letter or digit",
              name != NULL ? name : "");
}

void zl_check_role(struct zl_spec_ctx *ctx, const struct zl_at *at, const void *value)
{
  const char *role = value;

  if (!is_name(role, LOWER, LOWER DIGIT "-", LOWER DIGIT, 1, 30))
    zl_report(ctx, at, ZL_E_INVALID,
              "'%s' is not a role: up to 30 lower-case letters, digits or '-', the first a letter, "
              "the last not '-'",
              role);
}

bool zl_text_is_volume_name(const char *text)
{
  return is_name(text, LOWER DIGIT, LOWER DIGIT "-", LOWER DIGIT, 1, LABEL_MAX);
}

void zl_check_volume_name(struct zl_spec_ctx *ctx, const struct zl_at *at, const void *value)
{
  const char *name = value;

  if (!zl_text_is_volume_name(name))
    zl_report(
        ctx, at, ZL_E_INVALID,
        "'%s' is not a volume name: up to 63 lower-case letters, digits or '-', neither first "
        "nor last a '-'",
        name);
}

void zl_check_image(struct zl_spec_ctx *ctx, const struct zl_at *at, const void *value)
{
  zl_auto_image_ref ref = { 0 };
  struct zl_error err = { 0 };
  int r = zl_image_ref_parse(value, &ref, &err);

  if (r == -ZL_E_NO_MEMORY)
    ctx->no_memory = true;
  else if (r < 0)
    zl_report(ctx, at, ZL_E_INVALID, "'%s' is not an image reference: %s", (const char *)value,
              err.msg);
}

bool zl_text_is_ip(const char *text)
{
  unsigned char raw[16];

  return inet_pton(AF_INET, text, raw) == 1 || inet_pton(AF_INET6, text, raw) == 1;
}

void zl_check_ip(struct zl_spec_ctx *ctx, const struct zl_at *at, const void *value)
{
  const char *text = value;

  if (!zl_text_is_ip(text))
    zl_report(ctx, at, ZL_E_INVALID, "'%s' is not an IP address", text);
}

/* Labels of letters, digits and '-' (and '_', which names of services may have), with dots. */
static bool is_hostname(const char *name, size_t len)
{
  char before = '.';

  for (size_t i = 0; i < len; i++) {
    bool letter = name[i] != '\0' && strchr(LOWER UPPER DIGIT "_", name[i]) != NULL;

    if (!letter && (before == '.' || (name[i] != '-' && name[i] != '.')))
      return false;
    if (name[i] == '.' && before == '-')
      return false;
    before = name[i];
  }
  return len > 0 && before != '.' && before != '-';
}

void zl_check_hostname(struct zl_spec_ctx *ctx, const struct zl_at *at, const void *value)
{
  const char *name = value;
  size_t len = strlen(name);

  if (len > HOSTNAME_MAX || !is_hostname(name, len))
    zl_report(ctx, at, ZL_E_INVALID,
              "'%s' is not a host name: up to 64 letters, digits, '-' or '.'", name);
}

void zl_check_extra_host(struct zl_spec_ctx *ctx, const struct zl_at *at, const void *value)
{
  const char *text = value;
  const char *colon = strchr(text, ':');

  if (colon == NULL || !is_hostname(text, (size_t)(colon - text)) || colon - text > 253 ||
      (strcmp(colon + 1, "host-gateway") != 0 && !zl_text_is_ip(colon + 1)))
    zl_report(ctx, at, ZL_E_INVALID, "expected NAME:ADDRESS or NAME:host-gateway, found '%s'",
              text);
}

bool zl_text_is_absolute(const char *text)
{
  bool drive = text[0] != '\0' && strchr(LOWER UPPER, text[0]) != NULL && text[1] == ':' &&
               (text[2] == '\\' || text[2] == '/');

  return text[0] == '/' || drive;
}

static bool has_dotdot(const char *path)
{
  while (true) {
    size_t len = strcspn(path, "/\\");

    if (len == 2 && path[0] == '.' && path[1] == '.')
      return true;
    if (path[len] == '\0')
      return false;
    path += len + 1;
  }
}

void zl_check_absolute(struct zl_spec_ctx *ctx, const struct zl_at *at, const void *value)
{
  const char *path = value;

  if (!zl_text_is_absolute(path))
    zl_report(ctx, at, ZL_E_INVALID, "'%s' is not an absolute path", path);
  else if (has_control(path))
    zl_report(ctx, at, ZL_E_INVALID, "the path contains a control character");
}

/* A path that climbs is refused although the kernel could resolve it: it says one thing to the
 * reader and another to the runtime. */
void zl_check_mount_path(struct zl_spec_ctx *ctx, const struct zl_at *at, const void *value)
{
  const char *path = value;

  zl_check_absolute(ctx, at, path);
  if (has_dotdot(path))
    zl_report(ctx, at, ZL_E_INVALID, "'%s' contains '..'", path);
}

void zl_check_target(struct zl_spec_ctx *ctx, const struct zl_at *at, const void *value)
{
  const char *path = value;

  zl_check_mount_path(ctx, at, path);
  if (path[0] == '/' && path[strspn(path, "/.")] == '\0')
    zl_report(ctx, at, ZL_E_INVALID, "nothing can be mounted over the root of the container");
}

void zl_check_cgroup_parent(struct zl_spec_ctx *ctx, const struct zl_at *at, const void *value)
{
  const char *path = value;

  zl_check_not_empty(ctx, at, path);
  if (has_dotdot(path))
    zl_report(ctx, at, ZL_E_INVALID, "'%s' contains '..'", path);
}
