/* SPDX-License-Identifier: Apache-2.0 */
#include "image/credentials.h"

#include <fcntl.h>
#include <string.h>

#include "base/base64.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/path.h"
#include "base/strv.h"
#include "image/places.h"

static void wipe(char **text)
{
  if (*text != NULL)
    explicit_bzero(*text, strlen(*text));
  zl_freep(text);
}

void zl_credentials_done(struct zl_credentials *credentials)
{
  wipe(&credentials->username);
  wipe(&credentials->password);
  wipe(&credentials->identity_token);
}

/* ---- One file -------------------------------------------------------------------------------- */

static bool is_docker_hub(const char *host)
{
  return strcmp(host, "docker.io") == 0 || strcmp(host, "index.docker.io") == 0 ||
         strcmp(host, "registry-1.docker.io") == 0;
}

/* Whether key of a config file names `want` ("host" or "host/path"). Old files hold addresses:
 * "https://index.docker.io/v1/". */
static bool key_matches(const char *key, const char *want)
{
  static const char *const suffixes[] = { "/v1/", "/v2/", "/v1", "/v2", "/" };
  zl_autofree char *bare = NULL;
  size_t len;

  if (zl_has_prefix(key, "https://"))
    key += 8;
  else if (zl_has_prefix(key, "http://"))
    key += 7;
  len = strlen(key);
  for (size_t i = 0; i < ZL_COUNT(suffixes); i++) {
    size_t n = strlen(suffixes[i]);

    if (len > n && strcmp(key + len - n, suffixes[i]) == 0) {
      len -= n;
      break;
    }
  }
  bare = strndup(key, len);
  if (bare == NULL)
    return false;
  return strcmp(bare, want) == 0 || (is_docker_hub(want) && is_docker_hub(bare));
}

static json_t *find_entry(json_t *object, const char *want, const char **ret_key)
{
  const char *key;
  json_t *value;

  json_object_foreach (object, key, value)
    if (key_matches(key, want)) {
      *ret_key = key;
      return value;
    }
  return NULL;
}

static int split_auth(const char *auth, const char *key, struct zl_credentials *ret,
                      struct zl_error *err)
{
  size_t len = 0;
  char *text = zl_base64_decode(auth, &len), *colon;
  int r = 0;

  colon = text != NULL ? memchr(text, ':', len) : NULL;
  if (colon == NULL) {
    r = zl_fail(err, ZL_E_INVALID, 0, "auths['%.100s'].auth is not base64 of user:password", key);
  } else {
    ret->username = strndup(text, (size_t)(colon - text));
    ret->password = strdup(colon + 1); /* stops at NUL padding that old clients left */
    if (ret->username == NULL || ret->password == NULL)
      r = zl_fail_nomem(err, "credentials");
  }
  wipe(&text);
  return r;
}

/* 1 when the entry holds something; an empty one only says that a helper knows. */
static int read_entry(const json_t *entry, const char *key, struct zl_credentials *ret,
                      struct zl_error *err)
{
  const char *auth = NULL, *token = NULL, *user = NULL, *password = NULL;

  if (!json_is_object(entry))
    return zl_fail(err, ZL_E_INVALID, 0, "auths['%.100s']: expected an object", key);
  if (zl_json_get_string(entry, "auths", "auth", &auth, err) < 0 ||
      zl_json_get_string(entry, "auths", "identitytoken", &token, err) < 0 ||
      zl_json_get_string(entry, "auths", "username", &user, err) < 0 ||
      zl_json_get_string(entry, "auths", "password", &password, err) < 0)
    return -ZL_E_INVALID;
  if (token != NULL && *token != '\0') {
    ret->identity_token = strdup(token);
    return ret->identity_token != NULL ? 1 : zl_fail_nomem(err, "credentials");
  }
  if (auth != NULL && *auth != '\0') {
    int r = split_auth(auth, key, ret, err);

    return r < 0 ? r : 1;
  }
  if (user == NULL || password == NULL || *user == '\0')
    return 0;
  ret->username = strdup(user);
  ret->password = strdup(password);
  return ret->username != NULL && ret->password != NULL ? 1 : zl_fail_nomem(err, "credentials");
}

static int use_helper(const char *name, const char *server, char **ret_helper, char **ret_server,
                      struct zl_error *err)
{
  zl_autofree char *helper = strdup(name), *text = strdup(server);

  if (helper == NULL || text == NULL)
    return zl_fail_nomem(err, "credentials");
  *ret_helper = zl_steal_ptr(&helper);
  *ret_server = zl_steal_ptr(&text);
  return 0;
}

/* Tries "host/a/b", "host/a", "host". */
static int search(json_t *auths, json_t *helpers, char *want, struct zl_credentials *ret,
                  char **ret_helper, char **ret_server, struct zl_error *err)
{
  for (;;) {
    const char *key = NULL;
    json_t *value = find_entry(helpers, want, &key);
    char *slash;

    if (json_is_string(value))
      return use_helper(json_string_value(value), key, ret_helper, ret_server, err);
    value = find_entry(auths, want, &key);
    if (value != NULL) {
      int r = read_entry(value, key, ret, err);

      if (r != 0)
        return r;
    }
    slash = strrchr(want, '/');
    if (slash == NULL)
      return 0;
    *slash = '\0';
  }
}

int zl_credentials_from_text(const char *text, size_t len, const char *host, const char *repository,
                             struct zl_credentials *ret, char **ret_helper, char **ret_server,
                             struct zl_error *err)
{
  zl_autocredentials found = { 0 };
  zl_autojson *root = NULL;
  json_t *auths = NULL, *helpers = NULL;
  const char *store = NULL;
  zl_autofree char *want = zl_asprintf("%s/%s", host, repository);
  int r = want != NULL ? zl_json_parse(text, len, "credentials", &root, err)
                       : zl_fail_nomem(err, "credentials");

  if (r < 0)
    return r;
  if (!json_is_object(root))
    return zl_fail(err, ZL_E_INVALID, 0, "credentials: expected an object");
  if (zl_json_get_object(root, "", "auths", &auths, err) < 0 ||
      zl_json_get_object(root, "", "credHelpers", &helpers, err) < 0 ||
      zl_json_get_string(root, "", "credsStore", &store, err) < 0)
    return -ZL_E_INVALID;
  r = search(auths, helpers, want, &found, ret_helper, ret_server, err);
  if (r == 0 && *ret_helper == NULL && store != NULL && *store != '\0')
    r = use_helper(store, is_docker_hub(host) ? "https://index.docker.io/v1/" : host, ret_helper,
                   ret_server, err);
  if (r > 0) {
    *ret = found;
    found = (struct zl_credentials){ 0 };
  }
  return r;
}

/* ---- The files of this host ------------------------------------------------------------------ */

static int ask_file(const char *path, const char *host, const char *repository,
                    struct zl_credentials *ret)
{
  zl_autobuf text = ZL_BUF_INIT((size_t)ZL_MAX_CREDENTIALS);
  zl_autofree char *helper = NULL, *server = NULL;
  struct zl_error err = { 0 };
  int r = zl_file_read(AT_FDCWD, path, &text, &err);

  if (r == -ZL_E_NOT_FOUND || (r == 0 && text.len == 0))
    return 0;
  if (r == 0)
    r = zl_credentials_from_text(text.data, text.len, host, repository, ret, &helper, &server,
                                 &err);
  if (text.data != NULL)
    explicit_bzero(text.data, text.len);
  if (r == 0 && helper != NULL)
    r = zl_credential_helper_get(helper, server, ret, &err);
  if (r < 0) {
    zl_warning("credentials of '%s' in %s are not used: %s", host, path, err.msg);
    return 0;
  }
  return r;
}

static char *under(const char *dir, const char *rest)
{
  return dir != NULL && zl_path_is_absolute(dir) ? zl_asprintf("%s/%s", dir, rest) : NULL;
}

void zl_credentials_find(const char *host, const char *repository, struct zl_credentials *ret)
{
  const char *only = getenv("REGISTRY_AUTH_FILE"), *home = getenv(zl_image_places.home);
  zl_autofree char *runtime = under(getenv("XDG_RUNTIME_DIR"), "containers/auth.json");
  zl_autofree char *config = under(getenv("XDG_CONFIG_HOME"), "containers/auth.json");
  zl_autofree char *home_config = under(home, ".config/containers/auth.json");
  zl_autofree char *docker = under(getenv("DOCKER_CONFIG"), "config.json");
  zl_autofree char *home_docker = under(home, ".docker/config.json");
  const char *const paths[] = {
    runtime != NULL ? runtime : zl_image_places.auth,
    config != NULL ? config : home_config,
    docker != NULL ? docker : home_docker,
  };

  *ret = (struct zl_credentials){ 0 };
  if (only != NULL && *only != '\0') {
    (void)ask_file(only, host, repository, ret);
    return;
  }
  for (size_t i = 0; i < ZL_COUNT(paths); i++)
    if (paths[i] != NULL && ask_file(paths[i], host, repository, ret) > 0)
      return;
}
