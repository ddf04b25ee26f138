/* SPDX-License-Identifier: Apache-2.0 */
#include "image/route.h"

#include <stdlib.h>
#include <string.h>

#include "base/strv.h"
#include "image/hosts_toml.h"
#include "image/registries_conf.h"

enum {
  MAX_STOPS = 16 /* each is asked in turn before an image is said not to be there */
};

void zl_stop_done(struct zl_stop *stop)
{
  zl_freep(&stop->host);
  zl_freep(&stop->repository);
  zl_freep(&stop->api);
  zl_freep(&stop->ns);
  zl_freep(&stop->proxy);
  zl_strv_freep(&stop->headers);
  zl_tls_done(&stop->tls);
}

void zl_route_done(struct zl_route *route)
{
  for (size_t i = 0; i < route->count; i++)
    zl_stop_done(&route->stops[i]);
  zl_freep(&route->stops);
  route->count = 0;
}

struct zl_stop *zl_route_add(struct zl_route *route, struct zl_error *err)
{
  struct zl_stop *stops;

  if (route->count >= MAX_STOPS) {
    (void)zl_fail(err, ZL_E_LIMIT, 0, "more than %d servers for one registry", MAX_STOPS);
    return NULL;
  }
  stops = realloc(route->stops, (route->count + 1) * sizeof(*stops));
  if (stops == NULL) {
    (void)zl_fail_nomem(err, "a registry");
    return NULL;
  }
  route->stops = stops;
  stops[route->count] = (struct zl_stop){ 0 };
  return &stops[route->count++];
}

/* ---- config.yaml ----------------------------------------------------------------------------- */

static int add_mirror(const struct zl_registries *registries, const struct zl_mirror *mirror,
                      const struct zl_image_ref *ref, struct zl_route *route, struct zl_error *err)
{
  const struct zl_registry_config *config = zl_registries_find(registries, mirror->host);
  struct zl_stop *stop = zl_route_add(route, err);

  if (stop == NULL)
    return -(int)err->code;
  if (mirror->http && (config == NULL || !config->insecure))
    return zl_fail(err, ZL_E_INVALID, 0,
                   "mirror of %s: %s: plain HTTP is used only for registries with 'insecure: true'",
                   ref->registry, mirror->host);
  stop->host = strdup(mirror->host);
  stop->repository =
      zl_asprintf("%s%s%s", mirror->prefix, mirror->prefix[0] != '\0' ? "/" : "", ref->repository);
  stop->http = mirror->http;
  stop->pulls = true;
  stop->resolves = mirror->tags;
  return stop->host != NULL && stop->repository != NULL ? 0 : zl_fail_nomem(err, "a registry");
}

static int own_route(const struct zl_registries *registries,
                     const struct zl_registry_config *config, const struct zl_image_ref *ref,
                     struct zl_route *route, struct zl_error *err)
{
  struct zl_stop *stop;
  int r = 0;

  for (size_t i = 0; r == 0 && config != NULL && i < config->n_mirrors; i++)
    r = add_mirror(registries, &config->mirrors[i], ref, route, err);
  if (r < 0)
    return r;
  stop = zl_route_add(route, err);
  if (stop == NULL)
    return -(int)err->code;
  stop->host = strdup(ref->registry);
  stop->pulls = stop->resolves = true;
  return stop->host != NULL ? 0 : zl_fail_nomem(err, "a registry");
}

/* ---- All of them ----------------------------------------------------------------------------- */

/* 1: decided; 0: nobody said anything, but there may be certificates of the registry in *tls. */
static int from_others(const struct zl_registries *registries, const struct zl_image_ref *ref,
                       struct zl_route *route, struct zl_tls *tls, struct zl_error *err)
{
  zl_autoconf conf = { 0 };
  const struct zl_conf_registry *found;
  size_t matched = 0;
  int r = 0;

  if (registries->hosts_dir != NULL)
    r = zl_hosts_dir_find(registries->hosts_dir, ref->registry, route, tls, err);
  if (r != 0 || registries->registries_conf == NULL)
    return r;
  r = zl_conf_load(registries->registries_conf, &conf, err);
  if (r < 0)
    return r;
  found = zl_conf_find(&conf, ref, &matched);
  if (found == NULL)
    return 0;
  r = zl_conf_route(found, matched, ref, route, err);
  return r < 0 ? r : 1;
}

/* Certificates that lie in a directory of the server's name. What config.yaml says of that server
 * is used when this says nothing. */
static int find_certs(const struct zl_registries *registries, struct zl_stop *stop,
                      struct zl_error *err)
{
  int r = 0;

  if (!zl_tls_is_empty(&stop->tls) || zl_registries_find(registries, stop->host) != NULL)
    return 0;
  for (size_t i = 0; r == 0 && registries->certs_dirs != NULL && registries->certs_dirs[i] != NULL;
       i++) {
    zl_autofree char *path = zl_asprintf("%s/%s", registries->certs_dirs[i], stop->host);

    r = path != NULL ? zl_tls_load_dir(path, &stop->tls, err) : zl_fail_nomem(err, "certificates");
  }
  return r < 0 ? r : 0;
}

/* What a stop's maker left open. */
static int complete(const struct zl_registries *registries, const struct zl_image_ref *ref,
                    struct zl_stop *stop, struct zl_error *err)
{
  const struct zl_registry_config *config = zl_registries_find(registries, stop->host);

  if (stop->repository == NULL)
    stop->repository = strdup(ref->repository);
  if (stop->repository == NULL)
    return zl_fail_nomem(err, "a registry");
  stop->insecure |= config != NULL && config->insecure;
  return find_certs(registries, stop, err);
}

static bool can(const struct zl_route *route, const struct zl_image_ref *ref)
{
  bool pulls = false, resolves = ref->digest != NULL;

  for (size_t i = 0; i < route->count; i++) {
    pulls |= route->stops[i].pulls;
    resolves |= route->stops[i].resolves;
  }
  return pulls && resolves;
}

int zl_route_find(const struct zl_registries *registries, const struct zl_image_ref *ref,
                  struct zl_route *ret, struct zl_error *err)
{
  const struct zl_registry_config *config = zl_registries_find(registries, ref->registry);
  zl_autoroute route = { 0 };
  zl_autotls tls = { 0 };
  struct zl_error local = { 0 };
  int r = 0;

  err = err != NULL ? err : &local;
  if (config == NULL)
    r = from_others(registries, ref, &route, &tls, err);
  if (r == 0) {
    r = own_route(registries, config, ref, &route, err);
    if (r == 0)
      r = zl_tls_copy(&tls, &route.stops[route.count - 1].tls, err);
  }
  for (size_t i = 0; r >= 0 && i < route.count; i++)
    r = complete(registries, ref, &route.stops[i], err);
  if (r < 0)
    return r;
  if (!can(&route, ref))
    return zl_fail(
        err, ZL_E_INVALID, 0,
        "no server for %s may both pull and resolve: see 'capabilities' in its hosts.toml",
        ref->registry);
  *ret = route;
  route = (struct zl_route){ 0 };
  return 0;
}
