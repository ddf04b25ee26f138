/* SPDX-License-Identifier: Apache-2.0 */
#include "image/hosts_toml.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/path.h"
#include "base/strv.h"
#include "image/config_read.h"
#include "spec/toml.h"

enum {
  MAX_HEADERS = 32,
  MAX_CA_FILES = 32,
  MAX_DIAL_S = 3600
};

struct file {
  struct zl_spec_ctx ctx;
  const char *name, *dir;
};

/* What a server's table says besides its address. */
struct reading {
  struct zl_stop *stop;
  bool override_path;
};

/* ---- Values ---------------------------------------------------------------------------------- */

static char *absolute(const struct file *f, const char *path)
{
  return zl_path_is_absolute(path) ? strdup(path) : zl_asprintf("%s/%s", f->dir, path);
}

static void keep_path(struct file *f, const struct zl_at *at, char **ret)
{
  const char *text = zl_read_text(&f->ctx, at, "a path");

  if (text == NULL)
    return;
  free(*ret);
  *ret = absolute(f, text);
  f->ctx.no_memory |= *ret == NULL;
}

static void push_path(struct file *f, const struct zl_at *at, char ***list)
{
  zl_autofree char *path = NULL;

  keep_path(f, at, &path);
  if (path != NULL && zl_strv_push(list, path, NULL) < 0)
    f->ctx.no_memory = true;
}

/* "path" or ["path", …]. */
static void read_ca(struct file *f, const struct zl_at *at, struct zl_stop *stop)
{
  if (at->node->kind != ZL_NODE_LIST) {
    push_path(f, at, &stop->tls.ca_files);
    return;
  }
  if (at->node->count > MAX_CA_FILES)
    zl_report(&f->ctx, at, ZL_E_LIMIT, "more than %d files", MAX_CA_FILES);
  for (size_t i = 0; i < at->node->count && i < MAX_CA_FILES; i++) {
    const struct zl_at item = zl_at_index(at, i);

    push_path(f, &item, &stop->tls.ca_files);
  }
}

/* ["cert", "key"]; an empty key is in the file of the certificate. */
static void read_pair(struct file *f, const struct zl_at *at, struct zl_stop *stop)
{
  const struct zl_at cert = zl_at_index(at, 0), key = zl_at_index(at, 1);
  const char *text;

  if (at->node->count != 2) {
    zl_report(&f->ctx, at, ZL_E_INVALID, "expected a pair: [\"certificate\", \"key\"]");
    return;
  }
  keep_path(f, &cert, &stop->tls.cert_file);
  text = zl_read_text(&f->ctx, &key, "a path");
  if (text != NULL && *text != '\0')
    keep_path(f, &key, &stop->tls.key_file);
}

/* "file", ["file"] or [["cert", "key"]]. Of several pairs containerd offers the server a choice;
 * libcurl holds one. */
static void read_client(struct file *f, const struct zl_at *at, struct zl_stop *stop)
{
  const struct zl_at first = zl_at_index(at, 0);

  if (at->node->kind != ZL_NODE_LIST) {
    keep_path(f, at, &stop->tls.cert_file);
    return;
  }
  if (at->node->count > 1)
    zl_report(&f->ctx, at, ZL_E_UNSUPPORTED, "one client certificate is supported, not %zu",
              at->node->count);
  else if (at->node->count == 1 && first.node->kind == ZL_NODE_LIST)
    read_pair(f, &first, stop);
  else if (at->node->count == 1)
    keep_path(f, &first, &stop->tls.cert_file);
}

static bool is_token(const char *text)
{
  if (*text == '\0')
    return false;
  for (; *text != '\0'; text++)
    if (*text <= ' ' || *text >= 0x7f || strchr("()<>@,;:\\\"/[]?={}", *text) != NULL)
      return false;
  return true;
}

static void push_header(struct file *f, const struct zl_at *at, struct zl_stop *stop)
{
  const char *value = zl_read_text(&f->ctx, at, "a text or a list of texts");
  const char *name = at->key != NULL ? at->key : at->up->key;
  zl_autofree char *line = NULL;

  if (value == NULL)
    return;
  for (const char *p = value; *p != '\0'; p++)
    if ((unsigned char)*p < ' ' || *p == 0x7f) {
      zl_report(&f->ctx, at, ZL_E_INVALID, "a header cannot contain control characters");
      return;
    }
  /* With nothing after the colon libcurl would leave the header out. */
  line = zl_asprintf(*value != '\0' ? "%s: %s" : "%s;", name, value);
  if (line == NULL || zl_strv_push(&stop->headers, line, NULL) < 0)
    f->ctx.no_memory = true;
}

static void read_headers(struct file *f, const struct zl_at *at, struct zl_stop *stop)
{
  const struct zl_node *map = zl_read_kind(&f->ctx, at, ZL_NODE_MAP, "a table of headers");

  for (size_t i = 0; map != NULL && i < map->count; i++) {
    const struct zl_at field = zl_read_child(at, &map->entries[i]);

    if (zl_strv_len((const char *const *)stop->headers) + field.node->count >= MAX_HEADERS)
      zl_report(&f->ctx, &field, ZL_E_LIMIT, "more than %d headers", MAX_HEADERS);
    else if (!is_token(field.key))
      zl_report(&f->ctx, &field, ZL_E_INVALID, "not the name of a header");
    else if (field.node->kind != ZL_NODE_LIST)
      push_header(f, &field, stop);
    else
      for (size_t k = 0; k < field.node->count; k++) {
        const struct zl_at item = zl_at_index(&field, k);

        push_header(f, &item, stop);
      }
  }
}

static void read_capabilities(struct file *f, const struct zl_at *at, struct zl_stop *stop)
{
  const struct zl_node *list = zl_read_kind(&f->ctx, at, ZL_NODE_LIST, "a list of capabilities");

  if (list == NULL || list->count == 0)
    return;
  stop->pulls = stop->resolves = false;
  for (size_t i = 0; i < list->count; i++) {
    const struct zl_at item = zl_at_index(at, i);
    const char *text = zl_read_text(&f->ctx, &item, "pull, resolve or push");

    if (text == NULL)
      return;
    if (strcasecmp(text, "pull") == 0)
      stop->pulls = true;
    else if (strcasecmp(text, "resolve") == 0)
      stop->resolves = true;
    else if (strcasecmp(text, "push") != 0) /* which is not what routes are for */
      zl_report(&f->ctx, &item, ZL_E_INVALID, "'%s' is none of pull, resolve and push", text);
  }
}

/* Go's form: numbers with units, "1m30s", "1.5s", "500ms". */
static bool parse_duration(const char *text, uint64_t *ret_ms)
{
  static const struct {
    const char *name;
    double ms;
  } units[] = { { "ns", 1e-6 }, { "us", 1e-3 }, { "\xc2\xb5s", 1e-3 }, { "\xce\xbcs", 1e-3 },
                { "ms", 1.0 },  { "s", 1e3 },   { "m", 6e4 },          { "h", 3.6e6 } };
  double total = 0;

  if (*text == '\0')
    return false;
  while (*text != '\0') {
    const size_t n = strspn(text, "0123456789.");
    size_t unit = 0;
    char *end = NULL;
    double value;

    if (n == 0 || n > 18)
      return false;
    value = strtod(text, &end);
    if (end != text + n)
      return false;
    text = end;
    while (unit < ZL_COUNT(units) && !zl_has_prefix(text, units[unit].name))
      unit++;
    if (unit == ZL_COUNT(units))
      return false;
    total += value * units[unit].ms;
    text += strlen(units[unit].name);
    if (total > MAX_DIAL_S * 1e3)
      return false;
  }
  *ret_ms = total < 1 ? 1 : (uint64_t)total;
  return true;
}

static void read_timeout(struct file *f, const struct zl_at *at, struct zl_stop *stop)
{
  const char *text = zl_read_text(&f->ctx, at, "a duration such as \"5s\"");
  uint64_t ms = 0;

  if (text == NULL)
    return;
  if (!parse_duration(text, &ms))
    zl_report(&f->ctx, at, ZL_E_INVALID, "'%s' is not a duration of at most 1h, such as \"5s\"",
              text);
  stop->dial_ms = (uint32_t)ms;
}

static void read_proxy(struct file *f, const struct zl_at *at, struct zl_stop *stop)
{
  static const char *const schemes[] = { "http://", "https://", "socks5://", "socks5h://" };
  const char *text = zl_read_text(&f->ctx, at, "an address");
  bool known = false;

  for (size_t i = 0; text != NULL && i < ZL_COUNT(schemes); i++)
    known |= zl_has_prefix(text, schemes[i]) && text[strlen(schemes[i])] != '\0';
  if (text != NULL && !known)
    zl_report(&f->ctx, at, ZL_E_INVALID,
              "expected http://, https://, socks5:// or socks5h:// and a "
              "host");
  else if (text != NULL)
    zl_read_copy(&f->ctx, at, "an address", &stop->proxy);
}

/* ---- Servers --------------------------------------------------------------------------------- */

/* False: not a key of a server. */
static bool read_key(struct file *f, const struct zl_at *at, struct reading *r)
{
  if (strcmp(at->key, "capabilities") == 0)
    read_capabilities(f, at, r->stop);
  else if (strcmp(at->key, "ca") == 0)
    read_ca(f, at, r->stop);
  else if (strcmp(at->key, "client") == 0)
    read_client(f, at, r->stop);
  else if (strcmp(at->key, "skip_verify") == 0)
    r->stop->tls.skip_verify = zl_read_bool(&f->ctx, at);
  else if (strcmp(at->key, "header") == 0)
    read_headers(f, at, r->stop);
  else if (strcmp(at->key, "override_path") == 0)
    r->override_path = zl_read_bool(&f->ctx, at);
  else if (strcmp(at->key, "dial_timeout") == 0)
    read_timeout(f, at, r->stop);
  else if (strcmp(at->key, "proxy") == 0)
    read_proxy(f, at, r->stop);
  else
    return false;
  return true;
}

static void warn_unknown(const struct file *f, const struct zl_at *at)
{
  zl_warning("%s, line %u: key '%.100s' is not known: ignored", f->name, at->key_mark.line,
             at->key);
}

/* "[http[s]://]host[:port][/path]". The API is below "/v2" of that path, unless it ends so or the
 * path is said to be the API's. */
static void set_address(struct file *f, const struct zl_at *at, const char *address,
                        struct reading *r)
{
  zl_autofree char *full =
      strstr(address, "://") != NULL ? strdup(address) : zl_asprintf("https://%s", address);
  zl_autourl url = { 0 };
  size_t len;
  const char *text;

  if (full == NULL || zl_url_parse(full, &url, NULL) < 0 || strpbrk(url.path, "?%") != NULL) {
    zl_report(&f->ctx, at, ZL_E_INVALID, "'%s' is not '[https://]host[:port][/path]'", address);
    return;
  }
  text = strstr(full, "://") + 3;
  r->stop->http = !url.https;
  r->stop->insecure = r->stop->http; /* as the file says by the scheme */
  r->stop->host = strndup(text, strcspn(text, "/"));
  len = strlen(url.path);
  while (len > 0 && url.path[len - 1] == '/')
    len--;
  url.path[len] = '\0';
  if (!r->override_path && (len < 3 || strcmp(url.path + len - 3, "/v2") != 0))
    r->stop->api = zl_asprintf("%s/v2", url.path);
  else
    r->stop->api = strdup(url.path);
  f->ctx.no_memory |= r->stop->host == NULL || r->stop->api == NULL;
}

/* One [host."address"]; one that may neither pull nor resolve is for pushes only. */
static void read_host(struct file *f, const struct zl_at *at, struct zl_route *route)
{
  struct zl_error err = { 0 };
  struct reading r = { .stop = zl_route_add(route, &err) };

  if (r.stop == NULL) {
    zl_report(&f->ctx, at, err.code, "%s", err.msg);
    return;
  }
  r.stop->pulls = r.stop->resolves = true;
  if (zl_read_kind(&f->ctx, at, ZL_NODE_MAP, "a table") == NULL)
    return;
  for (size_t i = 0; i < at->node->count; i++) {
    const struct zl_at field = zl_read_child(at, &at->node->entries[i]);

    if (!read_key(f, &field, &r))
      warn_unknown(f, &field);
  }
  set_address(f, at, at->key, &r);
}

static void read_hosts(struct file *f, const struct zl_at *at, struct zl_route *route)
{
  const struct zl_node *map = zl_read_kind(&f->ctx, at, ZL_NODE_MAP, "tables by address");

  for (size_t i = 0; map != NULL && i < map->count; i++) {
    const struct zl_at field = zl_read_child(at, &map->entries[i]);

    read_host(f, &field, route);
  }
}

/* Without `server` the registry itself is the last one, and can do everything. */
static void read_root(struct file *f, const struct zl_at *top, const char *host,
                      struct zl_route *route)
{
  const struct zl_at hosts = zl_at_key(top, "host", NULL), server = zl_at_key(top, "server", NULL);
  const char *address = NULL;
  struct zl_error err = { 0 };
  struct reading r = { 0 };

  if (hosts.node != NULL)
    read_hosts(f, &hosts, route);
  r.stop = zl_route_add(route, &err);
  if (r.stop == NULL) {
    zl_report(&f->ctx, top, err.code, "%s", err.msg);
    return;
  }
  r.stop->pulls = r.stop->resolves = true;
  for (size_t i = 0; i < top->node->count; i++) {
    const struct zl_at field = zl_read_child(top, &top->node->entries[i]);

    if (strcmp(field.key, "host") != 0 && strcmp(field.key, "server") != 0 &&
        !read_key(f, &field, &r))
      warn_unknown(f, &field);
  }
  if (server.node != NULL)
    address = zl_read_text(&f->ctx, &server, "an address");
  if (address != NULL && *address != '\0') {
    set_address(f, &server, address, &r);
    return;
  }
  r.stop->pulls = r.stop->resolves = true;
  r.stop->host = strdup(host);
  f->ctx.no_memory |= r.stop->host == NULL;
}

static void drop_useless(struct zl_route *route)
{
  size_t kept = 0;

  for (size_t i = 0; i < route->count; i++)
    if (route->stops[i].pulls || route->stops[i].resolves)
      route->stops[kept++] = route->stops[i];
    else
      zl_stop_done(&route->stops[i]);
  route->count = kept;
}

/* A server that stands in for the registry is told for which one, as containerd does. */
static int set_ns(struct zl_route *route, const char *host, struct zl_error *err)
{
  for (size_t i = 0; i < route->count; i++) {
    struct zl_stop *stop = &route->stops[i];

    if (strcmp(stop->host, host) == 0 ||
        (strcmp(host, "docker.io") == 0 && strcmp(stop->host, "registry-1.docker.io") == 0))
      continue;
    stop->ns = strdup(host);
    if (stop->ns == NULL)
      return zl_fail_nomem(err, "a registry");
  }
  return 0;
}

static void free_tree(struct zl_tree **tree)
{
  zl_tree_free(*tree);
}

int zl_hosts_toml_parse(const char *text, size_t len, const char *file, const char *dir,
                        const char *host, struct zl_route *ret, struct zl_error *err)
{
  zl_autoroute route = { 0 };
  ZL_CLEANUP(free_tree) struct zl_tree *tree = NULL;
  struct file f = { .ctx = { .from_file = true }, .name = file, .dir = dir };
  const struct zl_node *root = NULL;
  int r = zl_toml_parse(text, len, &f.ctx, &tree, &root, err), finished;

  if (r == 0 && root != NULL) {
    const struct zl_at top = { .node = root };

    read_root(&f, &top, host, &route);
  }
  finished = zl_spec_ctx_finish(&f.ctx, file, NULL, r == 0 ? err : NULL);
  if (r < 0 || finished < 0)
    return r < 0 ? r : finished;
  drop_useless(&route);
  r = set_ns(&route, host, err);
  if (r < 0)
    return r;
  *ret = route;
  route = (struct zl_route){ 0 };
  return 0;
}

/* ---- Directories ----------------------------------------------------------------------------- */

/* "host:port" as "host_port_", for file systems without colons; NULL without a port. */
static char *other_name(const char *host)
{
  const char *colon = strrchr(host, ':');

  return colon != NULL ? zl_asprintf("%.*s_%s_", (int)(colon - host), host, colon + 1) : NULL;
}

static int read_dir(const char *dir, const char *host, struct zl_route *ret, struct zl_tls *ret_tls,
                    struct zl_error *err)
{
  zl_autobuf text = ZL_BUF_INIT((size_t)ZL_MAX_TOML);
  zl_autofree char *file = zl_asprintf("%s/hosts.toml", dir);
  int r = file != NULL ? zl_file_read(AT_FDCWD, file, &text, err) : zl_fail_nomem(err, dir);

  if (r == -ZL_E_NOT_FOUND || (r == 0 && text.len == 0)) {
    r = zl_tls_load_dir(dir, ret_tls, err);
    return r < 0 ? r : 0;
  }
  if (r == 0)
    r = zl_hosts_toml_parse(text.data, text.len, file, dir, host, ret, err);
  return r < 0 ? r : 1;
}

int zl_hosts_dir_find(const char *dir, const char *host, struct zl_route *ret,
                      struct zl_tls *ret_tls, struct zl_error *err)
{
  zl_autofree char *other = other_name(host);
  const char *const names[] = { other != NULL ? other : host, host, "_default" };

  for (size_t i = 0; i < ZL_COUNT(names); i++) {
    zl_autofree char *path = zl_asprintf("%s/%s", dir, names[i]);
    struct stat st;

    if (path == NULL)
      return zl_fail_nomem(err, dir);
    if (stat(path, &st) == 0)
      return read_dir(path, host, ret, ret_tls, err);
    if (errno != ENOENT && errno != ENOTDIR)
      return zl_fail_errno(err, "reading '%s'", path);
  }
  return 0;
}
