/* SPDX-License-Identifier: Apache-2.0 */
#include "image/registry_config.h"

#include <fcntl.h>
#include <string.h>

#include "base/fd.h"
#include "base/limits.h"
#include "base/strv.h"
#include "image/config_read.h"
#include "image/places.h"
#include "spec/node.h"
#include "spec/report.h"

enum {
  MAX_REGISTRIES = 256,
  MAX_CERTS_DIRS = 8,
  MAX_MIRRORS = 8 /* each is asked in turn before an image is said not to be there */
};

/* Keys of the file that other rooms read. */
static const char *const other_keys[] = { "slice_cidr", "layers", "vm" };

void zl_registries_done(struct zl_registries *registries)
{
  for (size_t i = 0; i < registries->count; i++) {
    struct zl_registry_config *item = &registries->items[i];

    for (size_t k = 0; k < item->n_mirrors; k++) {
      free(item->mirrors[k].host);
      free(item->mirrors[k].prefix);
    }
    free(item->mirrors);
    free(item->host);
    zl_tls_done(&item->tls);
  }
  zl_freep(&registries->items);
  registries->count = 0;
  zl_freep(&registries->registries_conf);
  zl_freep(&registries->hosts_dir);
  zl_strv_freep(&registries->certs_dirs);
  zl_policy_done(&registries->policy);
}

static struct zl_registry_config *find(const struct zl_registries *registries, const char *host)
{
  for (size_t i = 0; i < registries->count; i++)
    if (strcasecmp(registries->items[i].host, host) == 0)
      return &registries->items[i];
  return NULL;
}

const struct zl_registry_config *zl_registries_find(const struct zl_registries *registries,
                                                    const char *host)
{
  return find(registries, host);
}

const struct zl_registry_config *zl_registries_find_url(const struct zl_registries *registries,
                                                        const struct zl_url *url)
{
  char host[ZL_URL_HOST + 8];
  const struct zl_registry_config *config;

  (void)snprintf(host, sizeof(host), "%s:%u", url->host, (unsigned)url->port);
  config = find(registries, host);
  if (config == NULL && (url->port == 443 || url->port == 80))
    config = find(registries, url->host);
  return config;
}

/* The entry of that host, made when it is new. */
static int ensure(struct zl_registries *registries, const char *host,
                  struct zl_registry_config **ret, struct zl_error *err)
{
  struct zl_registry_config *items = find(registries, host);

  if (items != NULL) {
    *ret = items;
    return 0;
  }
  if (registries->count >= MAX_REGISTRIES)
    return zl_fail(err, ZL_E_LIMIT, 0, "more than %d registries are configured", MAX_REGISTRIES);
  items = realloc(registries->items, (registries->count + 1) * sizeof(*items));
  if (items == NULL)
    return zl_fail_nomem(err, "registries");
  registries->items = items;
  items[registries->count] = (struct zl_registry_config){ .host = strdup(host) };
  if (items[registries->count].host == NULL)
    return zl_fail_nomem(err, "registries");
  *ret = &items[registries->count++];
  return 0;
}

/* ---- The file -------------------------------------------------------------------------------- */

static void read_ca_file(struct zl_spec_ctx *ctx, const struct zl_at *at,
                         struct zl_registry_config *config)
{
  zl_autofree char *path = NULL;

  zl_read_path(ctx, at, &path);
  if (path != NULL && zl_strv_push(&config->tls.ca_files, path, NULL) < 0)
    ctx->no_memory = true;
}

/* "[http[s]://]host[:port][/prefix]". */
static void read_mirror_url(struct zl_spec_ctx *ctx, const struct zl_at *at,
                            struct zl_mirror *mirror)
{
  const struct zl_node *node = zl_read_kind(ctx, at, ZL_NODE_SCALAR, "an address");
  zl_autofree char *full = NULL;
  zl_autourl url = { 0 };
  const char *text, *prefix;
  size_t len;

  if (node == NULL)
    return;
  text = node->text;
  full = strstr(text, "://") != NULL ? strdup(text) : zl_asprintf("https://%s", text);
  if (full == NULL || zl_url_parse(full, &url, NULL) < 0 || strpbrk(url.path, "?%") != NULL) {
    zl_report(ctx, at, ZL_E_INVALID, "'%s' is not '[https://]host[:port][/prefix]'", text);
    return;
  }
  text = strstr(full, "://") + 3;
  mirror->http = !url.https;
  mirror->host = strndup(text, strcspn(text, "/"));
  prefix = url.path + strspn(url.path, "/");
  len = strlen(prefix);
  while (len > 0 && prefix[len - 1] == '/')
    len--;
  mirror->prefix = strndup(prefix, len);
  ctx->no_memory |= mirror->host == NULL || mirror->prefix == NULL;
}

static void read_mirror(struct zl_spec_ctx *ctx, const struct zl_at *at, struct zl_mirror *mirror)
{
  if (at->node->kind == ZL_NODE_SCALAR) {
    read_mirror_url(ctx, at, mirror);
    return;
  }
  if (zl_read_kind(ctx, at, ZL_NODE_MAP, "an address, or a mapping with 'url'") == NULL)
    return;
  for (size_t i = 0; i < at->node->count; i++) {
    const struct zl_entry *entry = &at->node->entries[i];
    const struct zl_at field = zl_read_child(at, entry);

    if (strcmp(entry->key, "url") == 0)
      read_mirror_url(ctx, &field, mirror);
    else if (strcmp(entry->key, "tags") == 0)
      mirror->tags = zl_read_bool(ctx, &field);
    else
      zl_read_unknown_key(ctx, at, entry, "url and tags");
  }
  if (mirror->host == NULL)
    zl_report(ctx, at, ZL_E_INVALID, "'url' is missing");
}

static void read_mirrors(struct zl_spec_ctx *ctx, const struct zl_at *at,
                         struct zl_registry_config *config)
{
  const struct zl_node *list = zl_read_kind(ctx, at, ZL_NODE_LIST, "a list of mirrors");

  if (list == NULL || list->count == 0)
    return;
  if (list->count > MAX_MIRRORS) {
    zl_report(ctx, at, ZL_E_LIMIT, "%zu mirrors, the limit is %d", list->count, MAX_MIRRORS);
    return;
  }
  config->mirrors = calloc(list->count, sizeof(*config->mirrors));
  if (config->mirrors == NULL) {
    ctx->no_memory = true;
    return;
  }
  config->n_mirrors = list->count;
  for (size_t i = 0; i < list->count; i++) {
    const struct zl_at item = zl_at_index(at, i);

    read_mirror(ctx, &item, &config->mirrors[i]);
  }
}

static void read_registry(struct zl_spec_ctx *ctx, const struct zl_at *at,
                          struct zl_registry_config *config)
{
  const struct zl_node *map = zl_read_kind(ctx, at, ZL_NODE_MAP, "a mapping");

  for (size_t i = 0; map != NULL && i < map->count; i++) {
    const struct zl_entry *entry = &map->entries[i];
    const struct zl_at field = zl_read_child(at, entry);

    if (strcmp(entry->key, "insecure") == 0)
      config->insecure = zl_read_bool(ctx, &field);
    else if (strcmp(entry->key, "ca_file") == 0)
      read_ca_file(ctx, &field, config);
    else if (strcmp(entry->key, "mirrors") == 0)
      read_mirrors(ctx, &field, config);
    else if (strcmp(entry->key, "client_cert") == 0)
      zl_read_path(ctx, &field, &config->tls.cert_file);
    else if (strcmp(entry->key, "client_key") == 0)
      zl_read_path(ctx, &field, &config->tls.key_file);
    else
      zl_read_unknown_key(ctx, at, entry, "insecure, ca_file, client_cert, client_key and mirrors");
  }
  if (config->tls.key_file != NULL && config->tls.cert_file == NULL)
    zl_report(ctx, at, ZL_E_INVALID, "'client_key' is there without 'client_cert'");
}

static void read_registries(struct zl_spec_ctx *ctx, const struct zl_at *at,
                            struct zl_registries *ret)
{
  const struct zl_node *map = zl_read_kind(ctx, at, ZL_NODE_MAP, "a mapping of registries by host");

  for (size_t i = 0; map != NULL && i < map->count; i++) {
    const struct zl_entry *entry = &map->entries[i];
    const struct zl_at field = zl_read_child(at, entry);
    struct zl_registry_config *config = NULL;
    char host[ZL_URL_HOST];
    uint16_t port;

    if (zl_host_parse(entry->key, host, &port, NULL) < 0)
      zl_report_mark(ctx, at, entry->mark, ZL_E_INVALID,
                     "'%s' is not a host name with an optional port", entry->key);
    else if (ensure(ret, entry->key, &config, NULL) < 0)
      zl_report_mark(ctx, at, entry->mark, ZL_E_LIMIT, "more than %d registries", MAX_REGISTRIES);
    else if (config != NULL)
      read_registry(ctx, &field, config);
  }
}

/* An absolute path; `none` turns the reading of it off. */
static void read_source(struct zl_spec_ctx *ctx, const struct zl_at *at, char **ret)
{
  const char *text = zl_read_text(ctx, at, "a path, or none");

  if (text == NULL)
    return;
  if (strcmp(text, "none") == 0)
    zl_freep(ret);
  else
    zl_read_path(ctx, at, ret);
}

static void read_certs_dirs(struct zl_spec_ctx *ctx, const struct zl_at *at, char ***ret)
{
  const struct zl_node *list = zl_read_kind(ctx, at, ZL_NODE_LIST, "a list of paths");

  zl_strv_freep(ret);
  if (list != NULL && list->count > MAX_CERTS_DIRS)
    zl_report(ctx, at, ZL_E_LIMIT, "more than %d directories", MAX_CERTS_DIRS);
  for (size_t i = 0; list != NULL && i < list->count; i++) {
    const struct zl_at item = zl_at_index(at, i);
    zl_autofree char *path = NULL;

    zl_read_path(ctx, &item, &path);
    if (path != NULL && zl_strv_push(ret, path, NULL) < 0)
      ctx->no_memory = true;
  }
}

static void read_file(struct zl_spec_ctx *ctx, const struct zl_node *root,
                      struct zl_registries *ret)
{
  const struct zl_at top = { .node = root };

  if (zl_read_kind(ctx, &top, ZL_NODE_MAP, "a mapping") == NULL)
    return;
  for (size_t i = 0; i < root->count; i++) {
    const struct zl_entry *entry = &root->entries[i];
    const struct zl_at field = zl_read_child(&top, entry);
    bool known = false;

    for (size_t k = 0; k < ZL_COUNT(other_keys); k++)
      known |= strcmp(entry->key, other_keys[k]) == 0;
    if (strcmp(entry->key, "registries") == 0)
      read_registries(ctx, &field, ret);
    else if (strcmp(entry->key, "registries_conf") == 0)
      read_source(ctx, &field, &ret->registries_conf);
    else if (strcmp(entry->key, "hosts_dir") == 0)
      read_source(ctx, &field, &ret->hosts_dir);
    else if (strcmp(entry->key, "certs_dirs") == 0)
      read_certs_dirs(ctx, &field, &ret->certs_dirs);
    else if (strcmp(entry->key, "signatures") == 0)
      zl_policy_read(ctx, &field, &ret->policy);
    else if (!known)
      zl_read_unknown_key(ctx, &top, entry,
                          "registries, registries_conf, hosts_dir, certs_dirs, signatures, "
                          "slice_cidr, layers and vm");
  }
}

/* A file of comments is a configuration that says nothing. */
static bool says_nothing(const char *text, size_t len)
{
  for (size_t i = 0; i < len; i++) {
    if (text[i] == '#')
      while (i < len && text[i] != '\n')
        i++;
    else if (strchr(" \t\r\n", text[i]) == NULL)
      return false;
  }
  return true;
}

static void free_tree(struct zl_tree **tree)
{
  if (*tree != NULL)
    zl_tree_free(*tree);
}

static int copy_place(const char *place, char **ret, struct zl_error *err)
{
  if (place != NULL)
    *ret = strdup(place);
  return place == NULL || *ret != NULL ? 0 : zl_fail_nomem(err, "registries");
}

/* Where other tools of this host have theirs. */
static int set_defaults(struct zl_registries *registries, struct zl_error *err)
{
  const struct zl_image_places *places = &zl_image_places;
  int r = zl_strv_copy(&registries->certs_dirs, places->certs_dirs, err);

  if (r == 0)
    r = copy_place(places->registries_conf, &registries->registries_conf, err);
  return r < 0 ? r : copy_place(places->hosts_dir, &registries->hosts_dir, err);
}

int zl_registries_parse(const char *text, size_t len, const char *file_name,
                        struct zl_registries *ret, struct zl_error *err)
{
  zl_autoregistries registries = { 0 };
  ZL_CLEANUP(free_tree) struct zl_tree *tree = NULL;
  struct zl_spec_ctx ctx = { .from_file = true };
  const struct zl_node *root = NULL;
  int r = set_defaults(&registries, err), finished;

  if (r == 0 && !says_nothing(text, len))
    r = zl_tree_parse(text, len, &ctx, &tree, &root, err);
  if (r == 0 && root != NULL)
    read_file(&ctx, root, &registries);
  finished = zl_spec_ctx_finish(&ctx, file_name, NULL, r == 0 ? err : NULL);
  if (r < 0 || finished < 0)
    return r < 0 ? r : finished;
  *ret = registries;
  registries = (struct zl_registries){ 0 };
  return 0;
}

/* ---- The host -------------------------------------------------------------------------------- */

int zl_registries_add_insecure(struct zl_registries *registries, const char *list,
                               struct zl_error *err)
{
  while (*list != '\0') {
    size_t len = strcspn(list, ",");
    zl_autofree char *host = strndup(list, len);
    struct zl_registry_config *config = NULL;
    char checked[ZL_URL_HOST];
    uint16_t port;
    int r = host != NULL ? 0 : zl_fail_nomem(err, "registries");

    if (r == 0 && len > 0) {
      r = zl_host_parse(host, checked, &port, err);
      if (r == 0)
        r = ensure(registries, host, &config, err);
    }
    if (r < 0)
      return zl_wrap(err, "$ZLAYER_INSECURE_REGISTRIES");
    if (config != NULL)
      config->insecure = true;
    list += len + (list[len] == ',' ? 1 : 0);
  }
  return 0;
}

int zl_node_config_read(int root_fd, const char *root, struct zl_buf *text, char **ret_file,
                        struct zl_error *err)
{
  zl_autofree char *path = zl_asprintf("%s/config.yaml", root);
  int r = path != NULL ? zl_file_read(root_fd, "config.yaml", text, err)
                       : zl_fail_nomem(err, "config.yaml");

  if (r == -ZL_E_NOT_FOUND && zl_image_places.config != NULL) {
    free(path);
    path = strdup(zl_image_places.config);
    r = path != NULL ? zl_file_read(AT_FDCWD, path, text, err) : zl_fail_nomem(err, "config.yaml");
  }
  if (r == 0)
    *ret_file = zl_steal_ptr(&path);
  return r;
}

int zl_registries_load(int root_fd, const char *root, struct zl_registries *ret,
                       struct zl_error *err)
{
  zl_autobuf text = ZL_BUF_INIT((size_t)ZL_MAX_SPEC_FILE);
  zl_autoregistries registries = { 0 };
  zl_autofree char *file = NULL;
  const char *insecure = getenv("ZLAYER_INSECURE_REGISTRIES");
  int r = zl_node_config_read(root_fd, root, &text, &file, err);

  if (r == 0 || r == -ZL_E_NOT_FOUND)
    r = zl_registries_parse(text.data != NULL ? text.data : "", text.len,
                            file != NULL ? file : "config.yaml", &registries, err);
  if (r < 0)
    return r;
  if (insecure != NULL) {
    r = zl_registries_add_insecure(&registries, insecure, err);
    if (r < 0)
      return r;
  }
  *ret = registries;
  registries = (struct zl_registries){ 0 };
  return 0;
}
