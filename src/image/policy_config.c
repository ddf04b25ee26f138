/* SPDX-License-Identifier: Apache-2.0 */
#include "image/policy_config.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/fd.h"
#include "base/limits.h"
#include "base/sha256.h"
#include "base/strv.h"
#include "image/config_read.h"
#include "image/url.h"

enum {
  MAX_RULES = 256,
  MAX_FILES = 8 /* keys of one rule: those of a change of keys, and some teams */
};

static const char *const local_kinds[] = { "oci:", "oci-archive:", "docker-archive:" };

static void rule_done(struct zl_policy_rule *rule)
{
  zl_freep(&rule->prefix);
  zl_strv_freep(&rule->files);
  zl_freep(&rule->identity);
}

void zl_policy_done(struct zl_policy *policy)
{
  for (size_t i = 0; i < policy->count; i++)
    rule_done(&policy->rules[i]);
  zl_freep(&policy->rules);
  policy->count = 0;
}

/* ---- Reading --------------------------------------------------------------------------------- */

static bool is_local(const char *prefix)
{
  for (size_t i = 0; i < ZL_COUNT(local_kinds); i++) {
    const size_t len = strlen(local_kinds[i]);

    if (zl_has_prefix(prefix, local_kinds[i]))
      return prefix[len] == '\0' || prefix[len] == '/';
  }
  return false;
}

/* "host[:port][/path]" as references have it: what could never match would protect nothing. */
static bool is_remote(const char *prefix)
{
  const size_t len = strcspn(prefix, "/");
  zl_autofree char *host = strndup(prefix, len), *below = zl_asprintf("%s/x", prefix);
  zl_auto_image_ref ref = { 0 };

  return host != NULL && below != NULL && zl_image_ref_parse(below, &ref, NULL) == 0 &&
         ref.kind == ZL_IMAGE_REF_REGISTRY && strcasecmp(ref.registry, host) == 0 &&
         (prefix[len] == '\0' || strcmp(ref.repository, below + len + 1) == 0);
}

static void read_prefix(struct zl_spec_ctx *ctx, const struct zl_at *at, char **ret)
{
  static const char what[] = "a text 'host[:port][/path]', '*', or 'oci:', 'oci-archive:', "
                             "'docker-archive:' with a path";
  const char *text = zl_read_text(ctx, at, what);

  if (text == NULL)
    return;
  if (strcmp(text, "*") != 0 && !is_local(text) && !is_remote(text))
    zl_report(ctx, at, ZL_E_INVALID,
              "'%s' matches no image: expected 'host[:port][/path]' as in full references, without "
              "tag",
              text);
  zl_read_copy(ctx, at, what, ret);
}

static void read_files(struct zl_spec_ctx *ctx, const struct zl_at *at, char ***ret)
{
  const bool list = at->node->kind == ZL_NODE_LIST;
  const size_t count = list ? at->node->count : 1;

  if (*ret != NULL)
    zl_report(ctx, at, ZL_E_INVALID, "both 'key' and 'cert': give one");
  if (count == 0 || count > MAX_FILES)
    zl_report(ctx, at, ZL_E_LIMIT, "%zu files: expected 1 to %d", count, MAX_FILES);
  if (count == 0 && zl_strv_push(ret, "", NULL) < 0) /* a wrong list is not missing, too */
    ctx->no_memory = true;
  for (size_t i = 0; i < count && i < MAX_FILES; i++) {
    const struct zl_at item = list ? zl_at_index(at, i) : *at;
    zl_autofree char *path = NULL;

    zl_read_path(ctx, &item, &path);
    if (zl_strv_push(ret, path != NULL ? path : "", NULL) < 0)
      ctx->no_memory = true;
  }
}

static void read_format(struct zl_spec_ctx *ctx, const struct zl_at *at,
                        struct zl_policy_rule *rule)
{
  const char *text = zl_read_text(ctx, at, "cosign or notation");

  if (text == NULL)
    return;
  if (strcmp(text, "notation") == 0)
    rule->format = ZL_SIGNATURE_NOTATION;
  else if (strcmp(text, "cosign") != 0)
    zl_report(ctx, at, ZL_E_INVALID, "'%s' is neither cosign nor notation", text);
}

static void read_accept(struct zl_spec_ctx *ctx, const struct zl_at *at,
                        struct zl_policy_rule *rule)
{
  const char *text = zl_read_text(ctx, at, "unsigned");

  if (text != NULL && strcmp(text, "unsigned") != 0)
    zl_report(ctx, at, ZL_E_INVALID, "'%s': the one thing to accept is 'unsigned'", text);
  rule->accept_unsigned = true;
}

static void read_identity(struct zl_spec_ctx *ctx, const struct zl_at *at,
                          struct zl_policy_rule *rule)
{
  zl_read_copy(ctx, at, "a text 'host[:port][/path]'", &rule->identity);
  if (rule->identity != NULL && !is_remote(rule->identity))
    zl_report(ctx, at, ZL_E_INVALID, "'%s' is not 'host[:port][/path]'", rule->identity);
}

/* What only together makes no sense. */
static void check_rule(struct zl_spec_ctx *ctx, const struct zl_at *at, const struct zl_at *format,
                       const struct zl_policy_rule *rule)
{
  if (rule->prefix == NULL)
    zl_report(ctx, at, ZL_E_INVALID, "'prefix' is missing");
  if (rule->accept_unsigned &&
      (rule->files != NULL || rule->identity != NULL || format->node != NULL))
    zl_report(ctx, at, ZL_E_INVALID, "'accept: unsigned' stands with a prefix alone");
  else if (!rule->accept_unsigned && rule->files == NULL)
    zl_report(ctx, at, ZL_E_INVALID, "'key' or 'cert' is missing, or 'accept: unsigned'");
  if (rule->identity != NULL && rule->format == ZL_SIGNATURE_NOTATION)
    zl_report(ctx, at, ZL_E_INVALID, "'identity' is for cosign: notation signs no names");
  if (rule->prefix != NULL && !rule->accept_unsigned && is_local(rule->prefix) &&
      rule->format == ZL_SIGNATURE_COSIGN && rule->identity == NULL)
    zl_report(ctx, at, ZL_E_INVALID,
              "'identity' is missing: a file does not tell which repository was signed");
}

static void read_rule(struct zl_spec_ctx *ctx, const struct zl_at *at, struct zl_policy_rule *rule)
{
  const struct zl_node *map = zl_read_kind(ctx, at, ZL_NODE_MAP, "a mapping");
  const struct zl_at format = map != NULL ? zl_at_key(at, "format", NULL) : *at;

  for (size_t i = 0; map != NULL && i < map->count; i++) {
    const struct zl_at field = zl_read_child(at, &map->entries[i]);

    if (strcmp(field.key, "prefix") == 0)
      read_prefix(ctx, &field, &rule->prefix);
    else if (strcmp(field.key, "key") == 0 || strcmp(field.key, "cert") == 0)
      read_files(ctx, &field, &rule->files);
    else if (strcmp(field.key, "format") == 0)
      read_format(ctx, &field, rule);
    else if (strcmp(field.key, "accept") == 0)
      read_accept(ctx, &field, rule);
    else if (strcmp(field.key, "identity") == 0)
      read_identity(ctx, &field, rule);
    else
      zl_read_unknown_key(ctx, at, &map->entries[i],
                          "prefix, key, cert, format, identity and accept");
  }
  if (map != NULL)
    check_rule(ctx, at, &format, rule);
}

void zl_policy_read(struct zl_spec_ctx *ctx, const struct zl_at *at, struct zl_policy *ret)
{
  const struct zl_node *list = zl_read_kind(ctx, at, ZL_NODE_LIST, "a list of rules");

  if (list == NULL || list->count == 0)
    return;
  if (list->count > MAX_RULES) {
    zl_report(ctx, at, ZL_E_LIMIT, "%zu rules, the limit is %d", list->count, MAX_RULES);
    return;
  }
  ret->rules = calloc(list->count, sizeof(*ret->rules));
  if (ret->rules == NULL) {
    ctx->no_memory = true;
    return;
  }
  for (size_t i = 0; i < list->count; i++) {
    const struct zl_at item = zl_at_index(at, i);

    ret->count = i + 1;
    read_rule(ctx, &item, &ret->rules[i]);
    for (size_t k = 0; ret->rules[i].prefix != NULL && k < i; k++)
      if (ret->rules[k].prefix != NULL && strcmp(ret->rules[k].prefix, ret->rules[i].prefix) == 0)
        zl_report(ctx, &item, ZL_E_INVALID, "a second rule for '%s'", ret->rules[i].prefix);
  }
}

/* ---- Matching -------------------------------------------------------------------------------- */

/* Names of one server: "Registry.example.com:443" is registry.example.com. */
static bool same_host(const char *a, size_t a_len, const char *b)
{
  zl_autofree char *copy = strndup(a, a_len);
  char one[ZL_URL_HOST], two[ZL_URL_HOST];
  uint16_t one_port = 0, two_port = 0;

  if (copy == NULL || zl_host_parse(copy, one, &one_port, NULL) < 0 ||
      zl_host_parse(b, two, &two_port, NULL) < 0)
    return true; /* a rule too many is noticed, one too few is not */
  one_port = one_port == 443 || one_port == 80 ? 0 : one_port;
  two_port = two_port == 443 || two_port == 80 ? 0 : two_port;
  return one_port == two_port && strcasecmp(one, two) == 0;
}

static bool path_covers(const char *prefix, const char *path)
{
  const size_t len = strlen(prefix);

  return strncmp(prefix, path, len) == 0 &&
         (path[len] == '\0' || path[len] == '/' || (len > 0 && prefix[len - 1] == '/'));
}

/* "docker.io/busybox" is docker.io/library/busybox, and may be a namespace. */
static bool hub_covers(const char *path, const char *registry, const char *repository)
{
  return strcmp(registry, "docker.io") == 0 && strchr(path, '/') == NULL &&
         zl_has_prefix(repository, "library/") &&
         strcmp(repository + strlen("library/"), path) == 0;
}

bool zl_policy_covers(const char *prefix, const char *registry, const char *repository)
{
  const size_t host = strcspn(prefix, "/");
  const char *path = prefix[host] != '\0' ? prefix + host + 1 : NULL;

  return same_host(prefix, host, registry) &&
         (path == NULL || path_covers(path, repository) || hub_covers(path, registry, repository));
}

static const char *kind_name(enum zl_image_ref_kind kind)
{
  switch (kind) {
  case ZL_IMAGE_REF_OCI_DIR:
    return local_kinds[0];
  case ZL_IMAGE_REF_OCI_ARCHIVE:
    return local_kinds[1];
  case ZL_IMAGE_REF_DOCKER_ARCHIVE:
    return local_kinds[2];
  case ZL_IMAGE_REF_REGISTRY:
    break;
  }
  return "";
}

/* 0: it does not match; else the more, the longer. */
static size_t match_remote(const char *prefix, const struct zl_image_ref *ref)
{
  const char *slash = strchr(prefix, '/');

  if (is_local(prefix) || !zl_policy_covers(prefix, ref->registry, ref->repository))
    return 0;
  return 1 + strlen(prefix) +
         (slash != NULL && hub_covers(slash + 1, ref->registry, ref->repository)
              ? strlen("library/")
              : 0);
}

static size_t match(const struct zl_policy_rule *rule, const struct zl_image_ref *ref)
{
  const char *prefix = rule->prefix, *kind = kind_name(ref->kind);

  if (strcmp(prefix, "*") == 0)
    return 1;
  if (ref->kind == ZL_IMAGE_REF_REGISTRY)
    return match_remote(prefix, ref);
  if (!zl_has_prefix(prefix, kind))
    return 0;
  prefix += strlen(kind);
  return *prefix == '\0' || path_covers(prefix, ref->path) ? 1 + strlen(rule->prefix) : 0;
}

const struct zl_policy_rule *zl_policy_find(const struct zl_policy *policy,
                                            const struct zl_image_ref *ref)
{
  const struct zl_policy_rule *best = NULL;
  size_t best_len = 0;

  for (size_t i = 0; i < policy->count; i++) {
    const size_t len = match(&policy->rules[i], ref);

    if (len > best_len) {
      best = &policy->rules[i];
      best_len = len;
    }
  }
  return best;
}

/* ---- What it was checked against ------------------------------------------------------------- */

static int add_file(struct zl_sha256 *sha, const char *path, struct zl_error *err)
{
  zl_autobuf text = ZL_BUF_INIT((size_t)ZL_MAX_KEY_FILE);
  int r = zl_file_read(AT_FDCWD, path, &text, err);
  const uint64_t len = text.len;

  if (r < 0)
    return zl_wrap(err, "key '%s'", path);
  zl_sha256_update(sha, &len, sizeof(len));
  zl_sha256_update(sha, text.data, text.len);
  return 0;
}

int zl_policy_print(const struct zl_policy_rule *rule, char ret[ZL_POLICY_PRINT],
                    struct zl_error *err)
{
  const char *identity = rule->identity != NULL ? rule->identity : "";
  uint8_t raw[ZL_SHA256_RAW];
  struct zl_sha256 sha;
  int r = 0;

  zl_sha256_init(&sha);
  zl_sha256_update(&sha, rule->format == ZL_SIGNATURE_COSIGN ? "cosign" : "notary", 6);
  zl_sha256_update(&sha, identity, strlen(identity) + 1);
  for (size_t i = 0; r == 0 && rule->files != NULL && rule->files[i] != NULL; i++)
    r = add_file(&sha, rule->files[i], err);
  if (r < 0)
    return zl_wrap(err, "signatures for '%s'", rule->prefix);
  zl_sha256_final(&sha, raw);
  for (size_t i = 0; i < sizeof(raw); i++)
    (void)snprintf(ret + 2 * i, 3, "%02x", raw[i]);
  return 0;
}
