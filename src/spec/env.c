/* SPDX-License-Identifier: Apache-2.0
 *
 * Values of env: "$E:VAR" is taken from the environment of whoever reads the file, "$S:NAME" and
 * "$S:@SERVICE/NAME" name secrets.
 */
#include <stdlib.h>
#include <string.h>

#include "base/strv.h"
#include "spec/rules.h"

#define HOST_PREFIX   "$E:"
#define SECRET_PREFIX "$S:"
#define LETTERS       "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

static bool is_reference(const char *value)
{
  return zl_has_prefix(value, HOST_PREFIX) || zl_has_prefix(value, SECRET_PREFIX);
}

static bool is_secret_name(const char *name, size_t len)
{
  return len > 0 && strchr(LETTERS, name[0]) != NULL && strspn(name, LETTERS "0123456789-_") >= len;
}

/* What follows "$S:": [@SERVICE/]NAME. */
static bool is_secret(const char *text)
{
  const char *slash = text;

  if (*text == '@') {
    slash = strchr(text, '/');
    if (slash == NULL || !is_secret_name(text + 1, (size_t)(slash - text - 1)))
      return false;
    text = slash + 1;
  }
  return is_secret_name(text, strlen(text));
}

/* POSIX leaves names to the program; what the kernel's "NAME=value" form cannot carry is refused.
 */
static void check_name(struct zl_spec_ctx *ctx, const struct zl_at *at, const char *name)
{
  if (*name == '\0')
    zl_report(ctx, at, ZL_E_INVALID, "the name of a variable is empty");
  for (const unsigned char *p = (const unsigned char *)name; *p != '\0'; p++)
    if (*p <= ' ' || *p == 0x7f || *p == '=') {
      zl_report(ctx, at, ZL_E_INVALID, "the name of a variable contains '=' or a blank");
      return;
    }
}

void zl_check_env(struct zl_spec_ctx *ctx, const struct zl_at *at, const void *value)
{
  const struct zl_pair *pair = value;

  check_name(ctx, at, pair->key);
  if (zl_has_prefix(pair->value, SECRET_PREFIX)) {
    if (!is_secret(pair->value + strlen(SECRET_PREFIX)))
      zl_report(ctx, at, ZL_E_INVALID,
                "expected $S:NAME or $S:@SERVICE/NAME, names of letters, digits, '-' and '_' that "
                "begin with a letter");
    else
      zl_report(ctx, at, ZL_E_UNSUPPORTED, "secrets are not supported yet: use $E:VAR");
  } else if (zl_has_prefix(pair->value, HOST_PREFIX) && !ctx->from_file) {
    zl_report(ctx, at, ZL_E_INVALID, "$E: is resolved in deployment files only");
  }
}

static void resolve(struct zl_spec_ctx *ctx, const struct zl_at *at, struct zl_pair *pair)
{
  const char *name = pair->value + strlen(HOST_PREFIX);
  const char *value = *name != '\0' ? getenv(name) : NULL;
  char *copy;

  if (value == NULL) {
    zl_report(ctx, at, ZL_E_INVALID, "the environment has no variable '%s'", name);
  } else if (is_reference(value) || !zl_text_is_utf8(value)) {
    zl_report(ctx, at, ZL_E_INVALID,
              "the variable '%s' of the environment holds a reference or bytes that are not UTF-8",
              name);
  } else {
    copy = strdup(value);
    if (copy == NULL) {
      ctx->no_memory = true;
      return;
    }
    free(pair->value);
    pair->value = copy;
  }
}

void zl_env_resolve(struct zl_spec_ctx *ctx, const struct zl_at *at, struct zl_pairs *env)
{
  struct zl_at list = zl_at_key(at, "env", NULL);

  for (size_t i = 0; i < env->count; i++) {
    struct zl_at child = zl_at_key(&list, env->items[i].key, NULL);

    if (zl_has_prefix(env->items[i].value, HOST_PREFIX))
      resolve(ctx, &child, &env->items[i]);
  }
}
