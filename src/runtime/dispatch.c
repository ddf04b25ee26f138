/* SPDX-License-Identifier: Apache-2.0
 *
 * The only callers of a backend's table: which backend serves a service, and one checked wrapper
 * per operation.
 */
#include <string.h>
#include <unistd.h>

#include <sys/eventfd.h>

#include "runtime/backends.h"
#include "runtime/check.h"
#include "runtime/host.h"
#include "runtime/node.h"

const char *zl_backend_name(size_t i)
{
  return zl_backends_known[i] != NULL ? zl_backends_known[i]->name : NULL;
}

int zl_backend_get(struct zl_runtime *rt, const char *name, struct zl_backend **ret,
                   struct zl_error *err)
{
  int r = 0;

  for (size_t i = 0; zl_backends_known[i] != NULL; i++) {
    if (strcmp(zl_backends_known[i]->name, name) != 0)
      continue;
    (void)pthread_mutex_lock(&rt->lock);
    if (rt->backends[i] == NULL)
      r = zl_backends_known[i]->open(rt, &rt->backends[i], err);
    if (r == 0)
      *ret = rt->backends[i];
    (void)pthread_mutex_unlock(&rt->lock);
    return r;
  }
  return zl_fail(err, ZL_E_UNSUPPORTED, 0, "this zlayer has no backend '%.40s'", name);
}

/* ZL_E_UNSUPPORTED: containers of that system do not run here. */
static int check_os(const struct zl_service *service, struct zl_error *err)
{
  if (service->platform.os == ZL_OS_ANY || service->platform.os == zl_backends_os)
    return 0;
  return zl_fail(err, ZL_E_UNSUPPORTED, 0,
                 "services.%s.platform.os: this node runs %s containers only", service->name,
                 zl_host_os());
}

int zl_backend_choose(struct zl_runtime *rt, const struct zl_service *service,
                      struct zl_backend **ret, struct zl_error *err)
{
  int r;

  if (rt->backend != NULL)
    return zl_backend_get(rt, rt->backend, ret, err);
  r = check_os(service, err);
  return r < 0 ? r : zl_backend_get(rt, zl_backends_default(service), ret, err);
}

static int require(const struct zl_backend *backend, unsigned cap, const char *what,
                   struct zl_error *err)
{
  if (backend->ops->caps & cap)
    return 0;
  return zl_fail(err, ZL_E_UNSUPPORTED, 0, "the %s backend has no %s", backend->ops->name, what);
}

int zl_backend_check(struct zl_backend *backend, const struct zl_service *service,
                     struct zl_error *err)
{
  return backend->ops->check(backend, service, err);
}

int zl_backend_prepare(struct zl_backend *backend, const char *id, const struct zl_service *service,
                       const char *image_digest, int *ret_fd, struct zl_error *err)
{
  *ret_fd = -1;
  if (backend->ops->prepare == NULL)
    return 0;
  return backend->ops->prepare(backend, id, service, image_digest, ret_fd, err);
}

int zl_backend_isolate(struct zl_backend *backend, struct zl_container_plan *plan,
                       struct zl_error *err)
{
  if (backend->ops->isolate != NULL)
    return backend->ops->isolate(backend, plan, &plan->isolation, err);
  plan->isolation = backend->ops->isolation;
  return 0;
}

int zl_backend_create(struct zl_backend *backend, const struct zl_container_plan *plan,
                      struct zl_error *err)
{
  return backend->ops->create(backend, plan, err);
}

int zl_backend_start(struct zl_backend *backend, const char *id, struct zl_error *err)
{
  return backend->ops->start(backend, id, err);
}

int zl_backend_stop(struct zl_backend *backend, const char *id, int signal, uint64_t grace_ms,
                    struct zl_error *err)
{
  return backend->ops->stop(backend, id, signal, grace_ms, err);
}

int zl_backend_kill(struct zl_backend *backend, const char *id, int signal, struct zl_error *err)
{
  return backend->ops->kill(backend, id, signal, err);
}

int zl_backend_remove(struct zl_backend *backend, const char *id, struct zl_error *err)
{
  return backend->ops->remove(backend, id, err);
}

int zl_backend_state(struct zl_backend *backend, const char *id, struct zl_facts *ret,
                     struct zl_error *err)
{
  return backend->ops->state(backend, id, ret, err);
}

int zl_backend_wait(struct zl_backend *backend, const char *id, uint64_t deadline_ns, int cancel_fd,
                    struct zl_error *err)
{
  return backend->ops->wait(backend, id, deadline_ns, cancel_fd, err);
}

int zl_backend_enumerate(struct zl_backend *backend, zl_id_fn fn, void *payload,
                         struct zl_error *err)
{
  return backend->ops->enumerate(backend, fn, payload, err);
}

int zl_backend_adopt(struct zl_backend *backend, const char *id, struct zl_error *err)
{
  return backend->ops->adopt(backend, id, err);
}

int zl_backend_describe(struct zl_backend *backend, struct json_t *to, struct zl_error *err)
{
  return backend->ops->describe(backend, to, err);
}

static void adorn(struct zl_session *session, struct zl_runtime *rt, const char *id, bool is_attach)
{
  session->rt = rt;
  session->is_attach = is_attach;
  (void)snprintf(session->id, sizeof(session->id), "%s", id);
}

int zl_backend_attach(struct zl_backend *backend, const char *id, struct zl_session **ret,
                      struct zl_error *err)
{
  int r = require(backend, ZL_RT_ATTACH, "attach", err);

  if (r == 0)
    r = backend->ops->attach(backend, id, ret, err);
  if (r == 0)
    adorn(*ret, backend->rt, id, true);
  return r;
}

int zl_backend_exec(struct zl_backend *backend, const char *id,
                    const struct zl_exec_options *options, struct zl_session **ret,
                    struct zl_error *err)
{
  int r = require(backend, ZL_RT_EXEC, "exec", err);

  if (r == 0)
    r = backend->ops->exec(backend, id, options, ret, err);
  if (r == 0)
    adorn(*ret, backend->rt, id, false);
  return r;
}

int zl_backend_pause(struct zl_backend *backend, const char *id, bool freeze, struct zl_error *err)
{
  int r = require(backend, ZL_RT_PAUSE, "pause", err);

  return r < 0 ? r : backend->ops->pause(backend, id, freeze, err);
}

int zl_backend_stats(struct zl_backend *backend, const char *id, struct zl_stats *ret,
                     struct zl_error *err)
{
  int r = require(backend, ZL_RT_STATS, "statistics", err);

  return r < 0 ? r : backend->ops->stats(backend, id, ret, err);
}

int zl_backend_inspect(struct zl_backend *backend, const char *id, struct json_t *to,
                       struct zl_error *err)
{
  return backend->ops->inspect != NULL ? backend->ops->inspect(backend, id, to, err) : 0;
}

/* ---- All backends ---- */

int zl_backends_sweep(struct zl_runtime *rt, struct zl_check *check, struct zl_error *err)
{
  int r = 0;

  for (size_t i = 0; r == 0 && zl_backends_known[i] != NULL && !check->enough; i++) {
    struct zl_backend *backend = NULL;

    if (zl_backends_known[i]->sweep == NULL)
      continue;
    r = zl_backend_get(rt, zl_backends_known[i]->name, &backend, err);
    if (r == 0)
      r = zl_backends_known[i]->sweep(backend, check, err);
  }
  return r;
}

int zl_backends_collect(struct zl_runtime *rt, bool dry_run, struct zl_backend_usage *ret,
                        struct zl_error *err)
{
  struct zl_backend_usage sum = { 0 }, one = { 0 };
  int r = 0;

  for (size_t i = 0; r == 0 && zl_backends_known[i] != NULL; i++) {
    struct zl_backend *backend = NULL;

    if (zl_backends_known[i]->collect == NULL)
      continue;
    r = zl_backend_get(rt, zl_backends_known[i]->name, &backend, err);
    if (r == 0)
      r = zl_backends_known[i]->collect(backend, dry_run, &one, err);
    sum.count += r == 0 ? one.count : 0;
    sum.bytes += r == 0 ? one.bytes : 0;
  }
  if (r == 0)
    *ret = sum;
  return r;
}

int zl_backends_usage(struct zl_runtime *rt, struct zl_backend_usage *ret, struct zl_error *err)
{
  struct zl_backend_usage sum = { 0 }, one = { 0 };
  int r = 0;

  for (size_t i = 0; r == 0 && zl_backends_known[i] != NULL; i++) {
    struct zl_backend *backend = NULL;

    if (zl_backends_known[i]->usage == NULL)
      continue;
    r = zl_backend_get(rt, zl_backends_known[i]->name, &backend, err);
    if (r == 0)
      r = zl_backends_known[i]->usage(backend, &one, err);
    sum.count += r == 0 ? one.count : 0;
    sum.bytes += r == 0 ? one.bytes : 0;
  }
  if (r == 0)
    *ret = sum;
  return r;
}

int zl_session_init(struct zl_session *session, const struct zl_session_ops *ops,
                    struct zl_error *err)
{
  session->ops = ops;
  session->cancel_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  return session->cancel_fd < 0 ? zl_fail_errno(err, "making an event descriptor") : 0;
}
