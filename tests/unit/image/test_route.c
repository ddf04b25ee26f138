/* SPDX-License-Identifier: Apache-2.0
 *
 * Which servers are asked, from the files of other tools: hosts.toml, registries.conf, directories
 * of certificates; and which images need signatures.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <fcntl.h>
#include <stdlib.h>

#include "../scratch.h"
#include "base/buf.h"
#include "base/path.h"
#include "base/strv.h"
#include "image/hosts_toml.h"
#include "image/registries_conf.h"

/* ---- hosts.toml ------------------------------------------------------------------------------ */

static void describe(struct zl_buf *out, const struct zl_stop *s)
{
  (void)zl_buf_printf(out, NULL, "%s%s%s%s %s%s", s->http ? "http:" : "", s->insecure ? "?" : "",
                      s->host, s->api != NULL ? s->api : "", s->pulls ? "p" : "",
                      s->resolves ? "r" : "");
  if (s->repository != NULL)
    (void)zl_buf_printf(out, NULL, " %s", s->repository);
  if (s->ns != NULL)
    (void)zl_buf_printf(out, NULL, " ns=%s", s->ns);
  if (s->dial_ms != 0)
    (void)zl_buf_printf(out, NULL, " dial=%u", s->dial_ms);
  if (s->tls.skip_verify)
    (void)zl_buf_puts(out, " skip", NULL);
  for (size_t i = 0; s->tls.ca_files != NULL && s->tls.ca_files[i] != NULL; i++)
    (void)zl_buf_printf(out, NULL, " ca=%s", s->tls.ca_files[i]);
  if (s->tls.cert_file != NULL)
    (void)zl_buf_printf(out, NULL, " cert=%s", s->tls.cert_file);
  if (s->tls.key_file != NULL)
    (void)zl_buf_printf(out, NULL, " key=%s", s->tls.key_file);
  for (size_t i = 0; s->headers != NULL && s->headers[i] != NULL; i++)
    (void)zl_buf_printf(out, NULL, " [%s]", s->headers[i]);
  if (s->proxy != NULL)
    (void)zl_buf_printf(out, NULL, " via=%s", s->proxy);
  (void)zl_buf_puts(out, "; ", NULL);
}

static char *describe_route(const struct zl_route *route)
{
  zl_autobuf out = ZL_BUF_INIT(8192);

  for (size_t i = 0; i < route->count; i++)
    describe(&out, &route->stops[i]);
  return zl_buf_steal(&out);
}

static void reads_hosts_toml(void **state)
{
  static const struct {
    const char *host, *text, *route;
  } cases[] = {
    { "r.io", "", "r.io pr; " },
    { "r.io", "server = \"https://r.io\"", "r.io/v2 pr; " },
    { "r.io", "server = \"up.io/path/\"", "up.io/path/v2 pr ns=r.io; " },
    { "docker.io", "server = \"https://registry-1.docker.io\"\n[host.\"https://m.io\"]",
      "m.io/v2 pr ns=docker.io; registry-1.docker.io/v2 pr; " },
    { "r.io:5000",
      "[host.\"http://a\"]\ncapabilities = [\"pull\"]\n[host.\"b:1/v2\"]\n"
      "capabilities = ['RESOLVE']\n[host.\"c/x\"]\noverride_path = true\n[host.d]\n"
      "capabilities = [\"push\"]",
      "http:?a/v2 p ns=r.io:5000; b:1/v2 r ns=r.io:5000; c/x pr ns=r.io:5000; r.io:5000 pr; " },
    { "r.io", "[host.b]\n[host.a]\n[host.c]\n",
      "b/v2 pr ns=r.io; a/v2 pr ns=r.io; "
      "c/v2 pr ns=r.io; r.io pr; " },
    { "r.io",
      "ca = \"a.pem\"\nskip_verify = true\nserver = 's'\ndial_timeout = \"1m30s\"\n"
      "[header]\nx-a = \"1\"\nX-B = [\"2\", \"\"]\n"
      "[host.h]\nca = [\"" SCRATCH_DRIVE "/b\", 'c']\nclient = \"d\"\ndial_timeout = '1.5s'\n",
      "h/v2 pr ns=r.io dial=1500 ca=" SCRATCH_DRIVE "/b ca=/dir/c cert=/dir/d; "
      "s/v2 pr ns=r.io dial=90000 skip ca=/dir/a.pem [x-a: 1] [X-B: 2] [X-B;]; " },
    { "r.io", "client = [\"one\"]", "r.io pr cert=/dir/one; " },
    { "r.io", "client = [[\"c\", \"" SCRATCH_DRIVE "/k\"]]\nproxy = \"http://p:1\"",
      "r.io pr cert=/dir/c key=" SCRATCH_DRIVE "/k via=http://p:1; " },
    { "r.io", "client = [[\"c\", \"\"]]", "r.io pr cert=/dir/c; " },
    { "r.io", "capabilities = [\"pull\"]", "r.io pr; " }, /* as containerd: it can do everything */
    { "r.io", "unknown = 1\n[host.h]\nodd = {}", "h/v2 pr ns=r.io; r.io pr; " },
  };

  (void)state;
  for (size_t i = 0; i < ZL_COUNT(cases); i++) {
    zl_autoroute route = { 0 };
    zl_autofree char *text = NULL;
    struct zl_error err = { 0 };

    if (zl_hosts_toml_parse(cases[i].text, strlen(cases[i].text), "f", "/dir", cases[i].host,
                            &route, &err) < 0)
      fail_msg("'%s': %s", cases[i].text, err.msg);
    text = describe_route(&route);
    assert_string_equal(text, cases[i].route);
  }
}

static void refuses_hosts_toml(void **state)
{
  static const struct {
    const char *text, *message;
  } cases[] = {
    { "server = 1", "f: server: expected an address, not the number '1', line 1, column 10" },
    { "server = \"ftp://x\"", "f: server: 'ftp://x' is not" },
    { "host = 1", "host: expected tables by address" },
    { "[host]\na = 1", "f: host.a: expected a table, not the number '1', line 2" },
    { "[host.\"https://u@h\"]", "is not '[https://]host" },
    { "[host.\"https://h?x=1\"]", "is not '[https://]host" },
    { "capabilities = [\"pull\", \"fetch\"]", "capabilities[1]: 'fetch' is none of" },
    { "capabilities = \"pull\"", "expected a list of capabilities" },
    { "skip_verify = \"true\"", "skip_verify: expected true or false" },
    { "ca = [1]", "ca[0]: expected a path" },
    { "client = [\"a\", \"b\"]", "client: one client certificate is supported, not 2" },
    { "client = [[\"a\"]]", "client[0]: expected a pair" },
    { "dial_timeout = \"5\"", "is not a duration" },
    { "dial_timeout = \"-5s\"", "is not a duration" },
    { "dial_timeout = \"2h\"", "is not a duration" },
    { "dial_timeout = 5", "expected a duration" },
    { "[header]\n\"a b\" = \"x\"", "header.a b: not the name of a header" },
    { "[header]\na = \"x\\ny: z\"", "cannot contain control characters" },
    { "header = \"a\"", "expected a table of headers" },
    { "proxy = \"file:///x\"", "proxy: expected http://" },
    { "a = ", "expected a value" },
  };
  zl_autobuf many = ZL_BUF_INIT(1 << 16);
  zl_autoroute route = { 0 };
  struct zl_error err = { 0 };

  (void)state;
  for (size_t i = 0; i < ZL_COUNT(cases); i++) {
    assert_int_not_equal(zl_hosts_toml_parse(cases[i].text, strlen(cases[i].text), "f", "/dir",
                                             "r.io", &route, &err),
                         0);
    if (strstr(err.msg, cases[i].message) == NULL)
      fail_msg("'%s': '%s', expected '%s'", cases[i].text, err.msg, cases[i].message);
  }
  for (unsigned i = 0; i < 20; i++)
    assert_int_equal(zl_buf_printf(&many, &err, "[host.h%u]\n", i), 0);
  assert_int_equal(zl_hosts_toml_parse(many.data, many.len, "f", "/dir", "r.io", &route, &err),
                   -ZL_E_LIMIT);
}

/* ---- registries.conf ------------------------------------------------------------------------- */

#define CONF                                                                             \
  "unqualified-search-registries = [\"quay.io\"]\nshort-name-mode = 'enforcing'\n"       \
  "[[registry]]\nprefix = \"a.io/ns\"\nlocation = \"b.io/other/\"\n"                     \
  "[[registry.mirror]]\nlocation = 'm.io/x'\n"                                           \
  "[[registry.mirror]]\nlocation = 't.io'\npull-from-mirror = \"tag-only\"\n"            \
  "[[registry.mirror]]\nlocation = 'd.io'\npull-from-mirror = \"digest-only\"\n"         \
  "insecure = true\n"                                                                    \
  "[[registry]]\nlocation = \"a.io\"\ninsecure = true\n"                                 \
  "[[registry]]\nprefix = \"a.io/ns/no\"\nlocation = \"a.io/ns/no\"\nblocked = true\n"   \
  "[[registry]]\nprefix = \"*.wild.io\"\n[[registry.mirror]]\nlocation = 'w.io/wild'\n"  \
  "[[registry]]\nprefix = \"x.wild.io\"\nlocation = 'x.wild.io'\n"                       \
  "[[registry]]\nprefix = \"c.io/one\"\nlocation = 'c.io/one'\n"                         \
  "mirror-by-digest-only = true\n[[registry.mirror]]\nlocation = 'm.io/one'\n"           \
  "[[registry]]\nprefix = \"c.io/app:bad\"\nlocation = 'c.io/app:bad'\nblocked = true\n" \
  "[aliases]\n\"busybox\" = \"evil.io/busybox\"\n"

static void routes_by_registries_conf(void **state)
{
  static const char digest[] =
      "@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
  static const struct {
    const char *image;
    bool by_digest;
    const char *route; /* NULL: no table; "" blocked */
  } cases[] = {
    { "a.io/ns/app:1", false, "m.io pr x/app; t.io pr app; b.io pr other/app; " },
    { "a.io/ns/app", true, "m.io pr x/app; ?d.io pr app; b.io pr other/app; " },
    { "a.io/nsx/app", false, "?a.io pr nsx/app; " },
    { "a.io/app", false, "?a.io pr app; " },
    { "a.io/ns/no/app", false, "" },
    { "a.io/ns/no", false, "" },
    { "a.io/ns/nothing", false, "m.io pr x/nothing; t.io pr nothing; b.io pr other/nothing; " },
    { "a.io:5000/ns/app", false, NULL },
    { "q.wild.io/app", false, "w.io pr wild/app; q.wild.io pr app; " },
    { "p.q.wild.io/app", false, "w.io pr wild/app; p.q.wild.io pr app; " },
    { "x.wild.io/app", false, "x.wild.io pr app; " },
    { "wild.io/app", false, NULL },
    { "other.io/q.wild.io", false, NULL },
    { "c.io/one", false, "c.io pr one; " },
    { "c.io/one", true, "m.io pr one; c.io pr one; " },
    { "c.io/app:bad", false, "" },
    { "c.io/app:badly", false, NULL },
    { "c.io/app:good", false, NULL },
    { "busybox", false, NULL },
  };
  zl_autoconf conf = { 0 };
  struct zl_error err = { 0 };

  (void)state;
  if (zl_conf_parse(CONF, strlen(CONF), "f", &conf, &err) < 0)
    fail_msg("%s", err.msg);
  for (size_t i = 0; i < ZL_COUNT(cases); i++) {
    zl_autofree char *name = zl_asprintf("%s%s", cases[i].image, cases[i].by_digest ? digest : "");
    zl_auto_image_ref ref = { 0 };
    zl_autoroute route = { 0 };
    zl_autofree char *text = NULL;
    const struct zl_conf_registry *found;
    size_t len = 0;
    int r;

    assert_int_equal(zl_image_ref_parse(name, &ref, &err), 0);
    found = zl_conf_find(&conf, &ref, &len);
    if ((found == NULL) != (cases[i].route == NULL))
      fail_msg("%s: %s", name, found != NULL ? found->prefix : "no table");
    if (found == NULL)
      continue;
    r = zl_conf_route(found, len, &ref, &route, &err);
    if (cases[i].route[0] == '\0') {
      assert_int_equal(r, -ZL_E_PERMISSION);
      assert_non_null(strstr(err.msg, "is blocked by f, line"));
      continue;
    }
    assert_int_equal(r, 0);
    text = describe_route(&route);
    assert_string_equal(text, cases[i].route);
  }
}

static void refuses_registries_conf(void **state)
{
  static const struct {
    const char *text, *message;
  } cases[] = {
    { "registry = 1", "f: registry: expected an array of tables" },
    { "[[registry]]", "registry[0]: 'prefix' and 'location' are both missing, line 1" },
    { "[[registry]]\nprefix = 'a'", "'location' is missing" },
    { "[[registry]]\nlocation = 'https://a'", "registry[0].location: 'https://a' is not" },
    { "[[registry]]\nlocation = '*.a'", "is not 'host" },
    { "[[registry]]\nprefix = 'a.*.b'\nlocation = 'c'", "is not 'host" },
    { "[[registry]]\nlocation = 'a'\nblocked = 1", "blocked: expected true or false" },
    { "[[registry]]\nlocation = 'a'\n[[registry]]\nprefix = 'a'\nlocation = 'b'",
      "registry[1]: a second table for 'a', line 3" },
    { "[[registry]]\nlocation = 'a'\n[[registry.mirror]]", "mirror[0]: 'location' is missing" },
    { "[[registry]]\nlocation='a'\n[[registry.mirror]]\nlocation='b'\npull-from-mirror='x'",
      "'x' is none of" },
    { "[[registry]]\nlocation='a'\nmirror-by-digest-only=true\n[[registry.mirror]]\n"
      "location='b'\npull-from-mirror='all'",
      "cannot stand beside" },
    { "[[registry]]\nprefix='a/b:1'\nlocation='c/d:1'", "not redirected" },
    { "[registries.search]\nregistries = ['a']", "version 1 of the format" },
  };
  struct zl_error err = { 0 };

  (void)state;
  for (size_t i = 0; i < ZL_COUNT(cases); i++) {
    zl_autoconf conf = { 0 };

    assert_int_not_equal(zl_conf_parse(cases[i].text, strlen(cases[i].text), "f", &conf, &err), 0);
    if (strstr(err.msg, cases[i].message) == NULL)
      fail_msg("'%s': '%s', expected '%s'", cases[i].text, err.msg, cases[i].message);
  }
}

/* ---- Files ----------------------------------------------------------------------------------- */

struct dir {
  char path[512];
};

static void dir_done(struct dir *dir)
{
  (void)zl_path_remove_tree(AT_FDCWD, dir->path);
}

static void put(const struct dir *dir, const char *name, const char *text)
{
  zl_autofree char *path = zl_asprintf("%s/%s", dir->path, name);
  FILE *f;

  for (char *slash = strchr(path + strlen(dir->path) + 1, '/'); slash != NULL;
       slash = strchr(slash + 1, '/')) {
    *slash = '\0';
    (void)mkdir(path, 0700);
    *slash = '/';
  }
  f = fopen(path, "w");
  assert_non_null(f);
  (void)fputs(text, f);
  (void)fclose(f);
}

/* The route, or the error; the directory is written "D". */
static char *route_of(struct zl_registries *registries, const char *image, const struct dir *dir)
{
  const size_t len = strlen(dir->path);
  zl_auto_image_ref ref = { 0 };
  zl_autoroute route = { 0 };
  struct zl_error err = { 0 };
  char *text, *at;

  assert_int_equal(zl_image_ref_parse(image, &ref, &err), 0);
  text =
      zl_route_find(registries, &ref, &route, &err) < 0 ? strdup(err.msg) : describe_route(&route);
  while ((at = strstr(text, dir->path)) != NULL) {
    *at = 'D';
    (void)memmove(at + 1, at + len, strlen(at + len) + 1);
  }
  return text;
}

static void sources_have_an_order(void **state)
{
  ZL_CLEANUP(dir_done) struct dir dir = { "" };
  zl_autofree char *config = NULL;
  zl_autoregistries registries = { 0 };
  struct zl_error err = { 0 };
  static const struct {
    const char *image, *route;
  } cases[] = {
    { "own.io/a", "m.io p a; own.io pr a; " },
    { "hosts.io/a", "m2.io/v2 pr a ns=hosts.io; hosts.io pr a; " },
    { "hosts.io:5000/a", "port/v2 pr a ns=hosts.io:5000; hosts.io:5000 pr a; " },
    { "conf.io/a", "m3.io pr a; conf.io pr a; " },
    { "late.io/a", "m5.io pr a; late.io pr a; " },
    { "certs.io/a", "certs.io pr a ca=D/hosts/certs.io/z.crt cert=D/hosts/certs.io/me.cert "
                    "key=D/hosts/certs.io/me.key; " },
    { "docker.certs/a", "docker.certs pr a ca=D/docker/docker.certs/ca.crt; " },
    { "half.io/a", "'D/hosts/half.io/me.cert' has no 'me.key' beside it; authorities end in .crt" },
    { "nobody.io/a", "no server for nobody.io may both pull and resolve: see 'capabilities' in its "
                     "hosts.toml" },
    { "none.io/a", "none.io pr a; " },
  };

  (void)state;
  (void)snprintf(dir.path, sizeof(dir.path), "%s/zl-route-XXXXXX", scratch_place("/tmp"));
  assert_non_null(mkdtemp(dir.path));
  put(&dir, "hosts/own.io/hosts.toml", "[host.no]");
  put(&dir, "hosts/hosts.io/hosts.toml", "[host.\"m2.io\"]");
  put(&dir, "hosts/hosts.io_5000_/hosts.toml", "[host.port]");
  put(&dir, "hosts/hosts.io:5000/hosts.toml", "[host.no]");
  put(&dir, "hosts/certs.io/z.crt", "");
  put(&dir, "hosts/certs.io/me.cert", "");
  put(&dir, "hosts/certs.io/me.key", "");
  put(&dir, "hosts/half.io/me.cert", "");
  put(&dir, "hosts/nobody.io/hosts.toml", "server = 'up.io'\ncapabilities = ['resolve']");
  put(&dir, "docker/docker.certs/ca.crt", "");
  put(&dir, "conf",
      "[[registry]]\nlocation = 'conf.io'\n[[registry.mirror]]\nlocation = 'm3.io'\n"
      "[[registry]]\nlocation = 'hosts.io'\nblocked = true\n"
      "[[registry]]\nlocation = 'late.io'\n[[registry.mirror]]\nlocation = 'm4.io'\n");
  put(&dir, "conf.d/10-late.conf",
      "[[registry]]\nlocation = 'late.io'\n[[registry.mirror]]\nlocation = 'm5.io'\n");
  put(&dir, "conf.d/20-ignored.toml", "broken");
  config = zl_asprintf("registries: {own.io: {mirrors: [m.io]}}\nhosts_dir: %s/hosts\n"
                       "registries_conf: %s/conf\ncerts_dirs: [%s/docker]\n",
                       dir.path, dir.path, dir.path);
  if (zl_registries_parse(config, strlen(config), "config.yaml", &registries, &err) < 0)
    fail_msg("%s", err.msg);
  for (size_t i = 0; i < ZL_COUNT(cases); i++) {
    zl_autofree char *route = route_of(&registries, cases[i].image, &dir);

    assert_string_equal(route, cases[i].route);
  }
  put(&dir, "hosts/_default/hosts.toml", "server = 'https://only.io'");
  {
    zl_autofree char *route = route_of(&registries, "conf.io/a", &dir);

    assert_string_equal(route, "only.io/v2 pr a ns=conf.io; ");
  }
  put(&dir, "hosts/_default/hosts.toml", "server = ");
  {
    zl_autofree char *route = route_of(&registries, "none.io/a", &dir);

    assert_non_null(strstr(route, "_default/hosts.toml: expected a value"));
  }
}

/* Only ROOT is a place that no user of Windows can write to. */
static void assert_place(const char *got, const char *on_linux)
{
  if (SCRATCH_DRIVE[0] != '\0')
    assert_null(got);
  else
    assert_string_equal(got, on_linux);
}

static void defaults_and_none(void **state)
{
  static const char none[] = "registries_conf: none\nhosts_dir: none\ncerts_dirs: []\n";
  zl_autoregistries usual = { 0 }, off = { 0 };
  struct zl_error err = { 0 };

  (void)state;
  assert_int_equal(zl_registries_parse("", 0, "f", &usual, &err), 0);
  assert_place(usual.registries_conf, "/etc/containers/registries.conf");
  assert_place(usual.hosts_dir, "/etc/containerd/certs.d");
  assert_place(usual.certs_dirs != NULL ? usual.certs_dirs[1] : NULL, "/etc/docker/certs.d");
  assert_int_equal(zl_registries_parse(none, strlen(none), "f", &off, &err), 0);
  assert_null(off.registries_conf);
  assert_null(off.hosts_dir);
  assert_null(off.certs_dirs);
}

/* ---- Signatures ------------------------------------------------------------------------------ */

static void rules_match(void **state)
{
  static const char text[] =
      "signatures:\n"
      "  - {prefix: r.io/prod, key: " SCRATCH_DRIVE "/k}\n"
      "  - {prefix: r.io/prod/free, accept: unsigned}\n"
      "  - {prefix: \"h.io:5000\", cert: [" SCRATCH_DRIVE "/a, " SCRATCH_DRIVE
      "/b], format: notation}\n"
      "  - {prefix: docker.io/library, key: " SCRATCH_DRIVE "/hub}\n"
      "  - {prefix: docker.io/nginx, accept: unsigned}\n"
      "  - {prefix: \"oci:/srv\", key: " SCRATCH_DRIVE "/oci, identity: r.io/prod}\n"
      "  - {prefix: \"docker-archive:\", accept: unsigned}\n"
      "  - {prefix: \"*\", key: " SCRATCH_DRIVE "/all, identity: r.io}\n";
  static const struct {
    const char *image, *prefix;
  } cases[] = {
    { "r.io/prod", "r.io/prod" },
    { "r.io/prod/app:1", "r.io/prod" },
    { "r.io/prod/freedom", "r.io/prod" },
    { "r.io/prod/free", "r.io/prod/free" },
    { "r.io/prod/free/x", "r.io/prod/free" },
    { "r.io/production", "*" },
    { "R.io:443/prod/app", "r.io/prod" },
    { "r.io:0443/prod/app", "r.io/prod" },
    { "r.io:80/prod/app", "r.io/prod" },
    { "r.io:444/prod/app", "*" },
    { "H.IO:5000/x", "h.io:5000" },
    { "h.io/x", "*" },
    { "busybox", "docker.io/library" },
    { "nginx", "docker.io/nginx" },
    { "nginx/x", "docker.io/nginx" },
    { "me/busybox", "*" },
    { "oci:/srv/x:1", "oci:/srv" },
    { "oci:/srvx/x:1", "*" },
    { "oci-archive:/srv/x", "*" },
    { "docker-archive:/x.tar", "docker-archive:" },
  };
  zl_autoregistries registries = { 0 };
  struct zl_error err = { 0 };

  (void)state;
  if (zl_registries_parse(text, strlen(text), "f", &registries, &err) < 0)
    fail_msg("%s", err.msg);
  for (size_t i = 0; i < ZL_COUNT(cases); i++) {
    zl_auto_image_ref ref = { 0 };
    const struct zl_policy_rule *rule;

    assert_int_equal(zl_image_ref_parse(cases[i].image, &ref, &err), 0);
    rule = zl_policy_find(&registries.policy, &ref);
    assert_non_null(rule);
    if (strcmp(rule->prefix, cases[i].prefix) != 0)
      fail_msg("%s: %s, expected %s", cases[i].image, rule->prefix, cases[i].prefix);
  }
}

static void refuses_rules(void **state)
{
  static const struct {
    const char *rule, *message;
  } cases[] = {
    { "{key: " SCRATCH_DRIVE "/k}", "f: signatures[0]: 'prefix' is missing" },
    { "{prefix: r.io}", "'key' or 'cert' is missing" },
    { "{prefix: r.io, key: k}", "signatures[0].key: expected an absolute path" },
    { "{prefix: r.io, key: []}", "expected 1 to 8" },
    { "{prefix: r.io, key: " SCRATCH_DRIVE "/a, cert: " SCRATCH_DRIVE "/b}",
      "both 'key' and 'cert'" },
    { "{prefix: busybox, key: " SCRATCH_DRIVE "/k}", "'busybox' matches no image" },
    { "{prefix: \"r.io/app:1\", key: " SCRATCH_DRIVE "/k}", "matches no image" },
    { "{prefix: r.io/, key: " SCRATCH_DRIVE "/k}", "matches no image" },
    { "{prefix: r.io/Prod, key: " SCRATCH_DRIVE "/k}", "matches no image" },
    { "{prefix: \"*.io\", key: " SCRATCH_DRIVE "/k}", "matches no image" },
    { "{prefix: \"oci:srv\", key: " SCRATCH_DRIVE "/k, identity: r.io}", "matches no image" },
    { "{prefix: \"https://r.io\", key: " SCRATCH_DRIVE "/k}", "matches no image" },
    { "{prefix: r.io, key: " SCRATCH_DRIVE "/k, format: gpg}", "neither cosign nor notation" },
    { "{prefix: r.io, accept: all}", "the one thing to accept is 'unsigned'" },
    { "{prefix: r.io, accept: unsigned, key: " SCRATCH_DRIVE "/k}", "stands with a prefix alone" },
    { "{prefix: r.io, accept: unsigned, format: cosign}", "stands with a prefix alone" },
    { "{prefix: r.io, cert: " SCRATCH_DRIVE "/k, format: notation, identity: r.io}",
      "is for cosign" },
    { "{prefix: \"oci:\", key: " SCRATCH_DRIVE "/k}", "'identity' is missing" },
    { "{prefix: r.io, key: " SCRATCH_DRIVE "/k, identity: x}",
      "signatures[0].identity: 'x' is not" },
    { "{prefix: r.io, key: " SCRATCH_DRIVE "/k, keys: /k}", "unknown key 'keys'" },
    { "{prefix: r.io, key: " SCRATCH_DRIVE "/k}, {prefix: r.io, key: " SCRATCH_DRIVE "/k}",
      "signatures[1]: a second rule" },
    { "r.io", "expected a mapping" },
  };

  (void)state;
  for (size_t i = 0; i < ZL_COUNT(cases); i++) {
    zl_autofree char *text = zl_asprintf("signatures: [%s]\n", cases[i].rule);
    zl_autoregistries registries = { 0 };
    struct zl_error err = { 0 };

    assert_int_not_equal(zl_registries_parse(text, strlen(text), "f", &registries, &err), 0);
    if (strstr(err.msg, cases[i].message) == NULL)
      fail_msg("'%s': '%s', expected '%s'", cases[i].rule, err.msg, cases[i].message);
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(reads_hosts_toml),
    cmocka_unit_test(refuses_hosts_toml),
    cmocka_unit_test(routes_by_registries_conf),
    cmocka_unit_test(refuses_registries_conf),
    cmocka_unit_test(sources_have_an_order),
    cmocka_unit_test(defaults_and_none),
    cmocka_unit_test(rules_match),
    cmocka_unit_test(refuses_rules),
  };

  return cmocka_run_group_tests_name("image_route", tests, NULL, NULL);
}
