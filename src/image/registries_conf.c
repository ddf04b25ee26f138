/* SPDX-License-Identifier: Apache-2.0 */
#include "image/registries_conf.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/strv.h"
#include "image/config_read.h"
#include "spec/toml.h"

enum {
  MAX_REGISTRIES = 1024, /* tables of all files; OpenShift writes some hundred */
  MAX_MIRRORS = 8,
  MAX_FILES = 256 /* in registries.conf.d */
};

static void registry_done(struct zl_conf_registry *registry)
{
  for (size_t i = 0; i < registry->n_mirrors; i++)
    free(registry->mirrors[i].location);
  zl_freep(&registry->mirrors);
  registry->n_mirrors = 0;
  zl_freep(&registry->prefix);
  zl_freep(&registry->location);
  zl_freep(&registry->file);
}

void zl_conf_done(struct zl_conf *conf)
{
  for (size_t i = 0; i < conf->count; i++)
    registry_done(&conf->items[i]);
  zl_freep(&conf->items);
  conf->count = 0;
}

/* ---- Reading --------------------------------------------------------------------------------- */

struct file {
  struct zl_spec_ctx ctx;
  const char *name;
};

static void warn_unknown(const struct file *f, const struct zl_at *at)
{
  zl_warning("%s, line %u: key '%.100s' is not known: ignored", f->name, at->key_mark.line,
             at->key);
}

/* Whether "host[:port][/path]" may stand in an address; a wildcard only in a prefix. */
static bool is_location(const char *text, bool wildcard)
{
  zl_autofree char *host = NULL;
  char name[ZL_URL_HOST];
  uint16_t port;

  if (wildcard && zl_has_prefix(text, "*."))
    text += 2;
  if (strpbrk(text, " \t?#%\"\\*") != NULL || strstr(text, "://") != NULL)
    return false;
  host = strndup(text, strcspn(text, "/"));
  return host != NULL && zl_host_parse(host, name, &port, NULL) == 0;
}

/* Podman takes a slash at the end, too. */
static void read_location(struct file *f, const struct zl_at *at, bool wildcard, char **ret)
{
  const char *text = zl_read_text(&f->ctx, at, "a text 'host[:port][/path]'");
  size_t len;

  if (text == NULL)
    return;
  if (!is_location(text, wildcard)) /* kept, so that it is not called missing, too */
    zl_report(&f->ctx, at, ZL_E_INVALID, "'%s' is not 'host[:port][/path]'", text);
  len = strlen(text);
  while (len > 0 && text[len - 1] == '/')
    len--;
  free(*ret);
  *ret = strndup(text, len);
  f->ctx.no_memory |= *ret == NULL;
}

/* ret[2]: whether `for_tags` and `for_digests`. */
static void read_kinds(struct file *f, const struct zl_at *at, struct zl_conf_mirror *mirror)
{
  const char *text = zl_read_text(&f->ctx, at, "all, digest-only or tag-only");

  if (text == NULL)
    return;
  mirror->for_tags = strcmp(text, "digest-only") != 0;
  mirror->for_digests = strcmp(text, "tag-only") != 0;
  if (mirror->for_tags && mirror->for_digests && strcmp(text, "all") != 0 && *text != '\0')
    zl_report(&f->ctx, at, ZL_E_INVALID, "'%s' is none of all, digest-only and tag-only", text);
}

static void read_mirror(struct file *f, const struct zl_at *at, bool by_digest,
                        struct zl_conf_mirror *mirror)
{
  const struct zl_node *map = zl_read_kind(&f->ctx, at, ZL_NODE_MAP, "a table");

  *mirror = (struct zl_conf_mirror){ .for_tags = !by_digest, .for_digests = true };
  for (size_t i = 0; map != NULL && i < map->count; i++) {
    const struct zl_at field = zl_read_child(at, &map->entries[i]);

    if (strcmp(field.key, "location") == 0)
      read_location(f, &field, false, &mirror->location);
    else if (strcmp(field.key, "insecure") == 0)
      mirror->insecure = zl_read_bool(&f->ctx, &field);
    else if (strcmp(field.key, "pull-from-mirror") != 0)
      warn_unknown(f, &field);
    else if (by_digest)
      zl_report(&f->ctx, &field, ZL_E_INVALID,
                "it cannot stand beside mirror-by-digest-only of the registry");
    else
      read_kinds(f, &field, mirror);
  }
  if (map != NULL && mirror->location == NULL)
    zl_report(&f->ctx, at, ZL_E_INVALID, "'location' is missing");
}

static void read_mirrors(struct file *f, const struct zl_at *at, bool by_digest,
                         struct zl_conf_registry *registry)
{
  const struct zl_node *list = zl_read_kind(&f->ctx, at, ZL_NODE_LIST, "an array of tables");

  if (list == NULL || list->count == 0)
    return;
  if (list->count > MAX_MIRRORS) {
    zl_report(&f->ctx, at, ZL_E_LIMIT, "%zu mirrors, the limit is %d", list->count, MAX_MIRRORS);
    return;
  }
  registry->mirrors = calloc(list->count, sizeof(*registry->mirrors));
  if (registry->mirrors == NULL) {
    f->ctx.no_memory = true;
    return;
  }
  registry->n_mirrors = list->count;
  for (size_t i = 0; i < list->count; i++) {
    const struct zl_at item = zl_at_index(at, i);

    read_mirror(f, &item, by_digest, &registry->mirrors[i]);
  }
}

static bool names_tag(const char *prefix)
{
  const char *slash = strrchr(prefix, '/');

  return slash != NULL && strpbrk(slash, ":@") != NULL;
}

/* What podman refuses, and what of a single tag cannot be redirected here. */
static void check_registry(struct file *f, const struct zl_at *at, struct zl_conf_registry *r)
{
  if (r->prefix == NULL && r->location == NULL) {
    zl_report(&f->ctx, at, ZL_E_INVALID, "'prefix' and 'location' are both missing");
    return;
  }
  if (r->prefix == NULL) {
    r->prefix = strdup(r->location);
    f->ctx.no_memory |= r->prefix == NULL;
  } else if (r->location == NULL && !zl_has_prefix(r->prefix, "*.")) {
    zl_report(&f->ctx, at, ZL_E_INVALID,
              "'location' is missing; only a prefix '*.domain' goes without one");
  }
  if (r->prefix != NULL && names_tag(r->prefix) &&
      (r->n_mirrors > 0 || (r->location != NULL && strcmp(r->location, r->prefix) != 0)))
    zl_report(&f->ctx, at, ZL_E_UNSUPPORTED,
              "the prefix names a tag or digest: those may be blocked or insecure, not redirected");
}

static void read_registry(struct file *f, const struct zl_at *at, struct zl_conf_registry *r)
{
  const struct zl_node *map = zl_read_kind(&f->ctx, at, ZL_NODE_MAP, "a table");
  const struct zl_at only = map != NULL ? zl_at_key(at, "mirror-by-digest-only", NULL) : *at;
  const bool by_digest = map != NULL && only.node != NULL && zl_read_bool(&f->ctx, &only);

  for (size_t i = 0; map != NULL && i < map->count; i++) {
    const struct zl_at field = zl_read_child(at, &map->entries[i]);

    if (strcmp(field.key, "prefix") == 0)
      read_location(f, &field, true, &r->prefix);
    else if (strcmp(field.key, "location") == 0)
      read_location(f, &field, false, &r->location);
    else if (strcmp(field.key, "insecure") == 0)
      r->insecure = zl_read_bool(&f->ctx, &field);
    else if (strcmp(field.key, "blocked") == 0)
      r->blocked = zl_read_bool(&f->ctx, &field);
    else if (strcmp(field.key, "mirror") == 0)
      read_mirrors(f, &field, by_digest, r);
    else if (strcmp(field.key, "mirror-by-digest-only") != 0)
      warn_unknown(f, &field);
  }
  if (map == NULL)
    return;
  r->line = at->node->mark.line;
  r->file = strdup(f->name);
  f->ctx.no_memory |= r->file == NULL;
  check_registry(f, at, r);
}

/* In a later file a table takes the place of an earlier one of the same prefix. */
static void keep_registry(struct file *f, const struct zl_at *at, struct zl_conf *conf, size_t own,
                          struct zl_conf_registry *registry)
{
  struct zl_conf_registry *items;

  for (size_t i = 0; registry->prefix != NULL && i < conf->count; i++) {
    if (strcmp(conf->items[i].prefix, registry->prefix) != 0)
      continue;
    if (i >= own)
      zl_report(&f->ctx, at, ZL_E_INVALID, "a second table for '%s'", registry->prefix);
    registry_done(&conf->items[i]);
    conf->items[i] = *registry;
    return;
  }
  items = conf->count < MAX_REGISTRIES && registry->prefix != NULL
              ? realloc(conf->items, (conf->count + 1) * sizeof(*items))
              : NULL;
  if (items == NULL) {
    if (conf->count >= MAX_REGISTRIES)
      zl_report(&f->ctx, at, ZL_E_LIMIT, "more than %d registries", MAX_REGISTRIES);
    else
      f->ctx.no_memory |= registry->prefix != NULL;
    registry_done(registry);
    return;
  }
  conf->items = items;
  items[conf->count++] = *registry;
}

static void read_registries(struct file *f, const struct zl_at *at, struct zl_conf *conf)
{
  const struct zl_node *list = zl_read_kind(&f->ctx, at, ZL_NODE_LIST, "an array of tables");
  const size_t own = conf->count;

  for (size_t i = 0; list != NULL && i < list->count; i++) {
    const struct zl_at item = zl_at_index(at, i);
    struct zl_conf_registry registry = { 0 };

    read_registry(f, &item, &registry);
    keep_registry(f, &item, conf, own, &registry);
  }
}

static void read_root(struct file *f, const struct zl_at *top, struct zl_conf *conf)
{
  static const char *const unused[] = { "unqualified-search-registries", "short-name-mode",
                                        "aliases", "credential-helpers",
                                        "additional-layer-store-auth-helper" };

  for (size_t i = 0; i < top->node->count; i++) {
    const struct zl_at field = zl_read_child(top, &top->node->entries[i]);
    bool known = false;

    for (size_t k = 0; k < ZL_COUNT(unused); k++)
      known |= strcmp(field.key, unused[k]) == 0;
    if (strcmp(field.key, "registry") == 0)
      read_registries(f, &field, conf);
    else if (strcmp(field.key, "registries") == 0)
      zl_report(&f->ctx, &field, ZL_E_UNSUPPORTED,
                "version 1 of the format: write [[registry]] tables instead");
    else if (known)
      zl_debug("%s: '%s' is not used: short names and helpers are not taken from this file",
               f->name, field.key);
    else
      warn_unknown(f, &field);
  }
}

static void free_tree(struct zl_tree **tree)
{
  zl_tree_free(*tree);
}

int zl_conf_parse(const char *text, size_t len, const char *file, struct zl_conf *conf,
                  struct zl_error *err)
{
  ZL_CLEANUP(free_tree) struct zl_tree *tree = NULL;
  struct file f = { .ctx = { .from_file = true }, .name = file };
  const struct zl_node *root = NULL;
  int r = zl_toml_parse(text, len, &f.ctx, &tree, &root, err), finished;

  if (r == 0 && root != NULL) {
    const struct zl_at top = { .node = root };

    read_root(&f, &top, conf);
  }
  finished = zl_spec_ctx_finish(&f.ctx, file, NULL, r == 0 ? err : NULL);
  return r < 0 ? r : finished;
}

/* ---- Files ----------------------------------------------------------------------------------- */

static int load_file(const char *path, struct zl_conf *conf, struct zl_error *err)
{
  zl_autobuf text = ZL_BUF_INIT((size_t)ZL_MAX_TOML);
  int r = zl_file_read(AT_FDCWD, path, &text, err);

  if (r == -ZL_E_NOT_FOUND)
    return 0;
  if (r < 0)
    return zl_wrap(err, "'%s'", path);
  return zl_conf_parse(text.data != NULL ? text.data : "", text.len, path, conf, err);
}

static int compare(const void *a, const void *b)
{
  return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int list_dir(const char *path, char ***ret, struct zl_error *err)
{
  DIR *dir = opendir(path);
  const struct dirent *entry;
  int r = 0;

  if (dir == NULL)
    return errno == ENOENT || errno == ENOTDIR ? 0 : zl_fail_errno(err, "opening '%s'", path);
  while (r == 0 && (entry = readdir(dir)) != NULL) {
    const size_t len = strlen(entry->d_name);

    if (len < 6 || entry->d_name[0] == '.' || strcmp(entry->d_name + len - 5, ".conf") != 0)
      continue;
    r = zl_strv_len((const char *const *)*ret) < MAX_FILES
            ? zl_strv_push(ret, entry->d_name, err)
            : zl_fail(err, ZL_E_LIMIT, 0, "'%s' holds more than %d files", path, MAX_FILES);
  }
  (void)closedir(dir);
  if (r == 0 && *ret != NULL)
    qsort(*ret, zl_strv_len((const char *const *)*ret), sizeof(char *), compare);
  return r;
}

int zl_conf_load(const char *path, struct zl_conf *ret, struct zl_error *err)
{
  zl_autoconf conf = { 0 };
  zl_autofree char *dir = zl_asprintf("%s.d", path);
  zl_autostrv names = NULL;
  int r = dir != NULL ? load_file(path, &conf, err) : zl_fail_nomem(err, path);

  if (r == 0)
    r = list_dir(dir, &names, err);
  for (size_t i = 0; r == 0 && names != NULL && names[i] != NULL; i++) {
    zl_autofree char *file = zl_asprintf("%s/%s", dir, names[i]);

    r = file != NULL ? load_file(file, &conf, err) : zl_fail_nomem(err, dir);
  }
  if (r < 0)
    return r;
  *ret = conf;
  conf = (struct zl_conf){ 0 };
  return 0;
}

/* ---- Matching -------------------------------------------------------------------------------- */

static bool ends_part(char c)
{
  return c == '\0' || c == '/' || c == ':' || c == '@';
}

/* How much of `name` the prefix takes; 0: it does not match. A host may have a port behind it that
 * the prefix does not name: that is another host. */
static size_t match(const char *name, const char *prefix)
{
  const size_t len = strlen(prefix);
  const char *found;

  if (!zl_has_prefix(prefix, "*.")) {
    const bool host_only = strchr(prefix, '/') == NULL;

    return strncmp(name, prefix, len) == 0 && ends_part(name[len]) &&
                   !(host_only && name[len] == ':')
               ? len
               : 0;
  }
  /* "*.example.com": some name in front of the first ".example.com", before any slash. */
  found = strstr(name, prefix + 1);
  if (found == NULL || found == name || memchr(name, '/', (size_t)(found - name)) != NULL)
    return 0;
  found += len - 1;
  return ends_part(*found) ? (size_t)(found - name) : 0;
}

const struct zl_conf_registry *zl_conf_find(const struct zl_conf *conf,
                                            const struct zl_image_ref *ref, size_t *ret_len)
{
  const struct zl_conf_registry *best = NULL;
  size_t best_len = 0;

  for (size_t i = 0; i < conf->count; i++) {
    const struct zl_conf_registry *one = &conf->items[i];
    const size_t len = match(ref->canonical, one->prefix);
    const bool exact =
        best != NULL && len == best_len && zl_has_prefix(best->prefix, "*.") &&
        (!zl_has_prefix(one->prefix, "*.") || strlen(one->prefix) > strlen(best->prefix));

    if (len > best_len || (len > 0 && exact)) {
      best = one;
      best_len = len;
    }
  }
  *ret_len = best_len;
  return best;
}

/* "host/repository" below the location, from what of the name came after the prefix. */
static int add_stop(struct zl_route *route, const char *location, const char *rest, bool insecure,
                    struct zl_error *err)
{
  struct zl_stop *stop = zl_route_add(route, err);
  zl_autofree char *whole = zl_asprintf("%s%s", location, rest);
  const char *slash = whole != NULL ? strchr(whole, '/') : NULL;

  if (stop == NULL)
    return -(int)err->code;
  if (whole == NULL)
    return zl_fail_nomem(err, "a registry");
  if (slash == NULL || slash[1] == '\0')
    return zl_fail(err, ZL_E_INVALID, 0, "location '%s' leaves no repository", location);
  stop->host = strndup(whole, (size_t)(slash - whole));
  stop->repository = strdup(slash + 1);
  stop->insecure = insecure;
  stop->pulls = stop->resolves = true;
  return stop->host != NULL && stop->repository != NULL ? 0 : zl_fail_nomem(err, "a registry");
}

int zl_conf_route(const struct zl_conf_registry *registry, size_t matched,
                  const struct zl_image_ref *ref, struct zl_route *ret, struct zl_error *err)
{
  zl_autofree char *name = zl_asprintf("%s/%s", ref->registry, ref->repository);
  struct zl_error local = { 0 };
  const char *rest;
  int r = 0;

  err = err != NULL ? err : &local;
  if (registry->blocked)
    return zl_fail(err, ZL_E_PERMISSION, 0, "'%s' is blocked by %s, line %u", registry->prefix,
                   registry->file, registry->line);
  if (name == NULL)
    return zl_fail_nomem(err, "a registry");
  /* A prefix with a tag takes more than the name; it is not redirected. */
  rest = matched < strlen(name) ? name + matched : NULL;
  for (size_t i = 0; r == 0 && i < registry->n_mirrors; i++) {
    const struct zl_conf_mirror *mirror = &registry->mirrors[i];

    if (ref->digest != NULL ? mirror->for_digests : mirror->for_tags)
      r = add_stop(ret, mirror->location, rest != NULL ? rest : "", mirror->insecure, err);
  }
  if (r == 0 && (registry->location == NULL || matched > strlen(name)))
    r = add_stop(ret, name, "", registry->insecure, err);
  else if (r == 0)
    r = add_stop(ret, registry->location, rest != NULL ? rest : "", registry->insecure, err);
  return r < 0 ? zl_wrap(err, "%s, line %u", registry->file, registry->line) : 0;
}
