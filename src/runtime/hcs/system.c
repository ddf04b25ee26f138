/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/hcs/system.h"

#include <inttypes.h>
#include <string.h>

#include "base/json.h"
#include "base/limits.h"
#include "base/time.h"
#include "runtime/hcs/doc.h"
#include "runtime/hcs/hresult.h"

#define ALL_ACCESS UINT32_C(0x10000000) /* GENERIC_ALL */

typedef zl_hr (*simple_fn)(void *object, void *operation, const zl_wchar *options);

/* ---- Handles ---- */

static int set_callback(struct zl_hcs_system *system, struct zl_error *err)
{
  zl_hr hr = system->api->HcsSetComputeSystemCallback(
      system->handle, 0, zl_hcs_mail_context(&system->mail), zl_hcs_mail_event);

  return zl_hresult_failed(hr) ? zl_hresult_fail(err, hr, "HcsSetComputeSystemCallback") : 0;
}

static struct zl_hcs_system *new_system(const struct zl_hcs_api *api, const char *id)
{
  struct zl_hcs_system *system = calloc(1, sizeof(*system));

  if (system == NULL)
    return NULL;
  system->api = api;
  system->end_ms = ZL_HCS_END_MS;
  system->id = strdup(id);
  zl_hcs_mail_open(&system->mail);
  if (system->id != NULL)
    return system;
  zl_hcs_system_close(system);
  return NULL;
}

void zl_hcs_system_close(struct zl_hcs_system *system)
{
  if (system == NULL)
    return;
  if (system->handle != NULL)
    system->api->HcsCloseComputeSystem(system->handle);
  zl_hcs_mail_close(&system->mail);
  free(system->id);
  free(system);
}

int zl_hcs_system_open(const struct zl_hcs_api *api, const char *id, struct zl_hcs_system **ret,
                       struct zl_error *err)
{
  struct zl_hcs_system *system = new_system(api, id);
  zl_autofree zl_wchar *wide = NULL;
  int r = system != NULL ? zl_wide_new(id, &wide, err) : zl_fail_nomem(err, "a compute system");
  zl_hr hr;

  if (r == 0) {
    hr = api->HcsOpenComputeSystem(wide, ALL_ACCESS, &system->handle);
    r = zl_hresult_failed(hr) ? zl_hresult_fail(err, hr, "HcsOpenComputeSystem") : 0;
  }
  if (r == 0)
    r = set_callback(system, err);
  if (r < 0) {
    zl_hcs_system_close(system);
    return r;
  }
  *ret = system;
  return 0;
}

int zl_hcs_system_reap(const struct zl_hcs_api *api, const char *id, struct zl_error *err)
{
  struct zl_hcs_system *old = NULL;
  struct zl_error why = { 0 };
  int r = zl_hcs_system_open(api, id, &old, &why);

  if (r == -ZL_E_NOT_FOUND)
    return 0;
  if (r == 0)
    r = zl_hcs_system_end(old, true, &why);
  zl_hcs_system_close(old);
  if (r < 0 && err != NULL)
    *err = why;
  return r;
}

/* ---- Creation ---- */

static int create_once(struct zl_hcs_system *system, const json_t *document, zl_hr *ret_hr,
                       struct zl_error *err)
{
  zl_autohcsoperation op = { 0 };
  zl_autofree zl_wchar *id = NULL;
  int r = zl_hcs_operation_open(system->api, document, "HcsCreateComputeSystem", &op, err);
  zl_hr hr;

  if (r == 0)
    r = zl_wide_new(system->id, &id, err);
  if (r < 0)
    return r;
  hr = system->api->HcsCreateComputeSystem(id, op.text, op.handle, NULL, &system->handle);
  r = zl_hcs_operation_wait(&op, hr, ZL_HCS_CALL_MS, "HcsCreateComputeSystem", err);
  *ret_hr = op.hr;
  if (r < 0 && system->handle != NULL) {
    system->api->HcsCloseComputeSystem(system->handle);
    system->handle = NULL;
  }
  return r;
}

static int create(struct zl_hcs_system *system, const json_t *document, struct zl_error *err)
{
  struct zl_error why = { 0 };
  zl_hr hr = 0;
  int r = create_once(system, document, &hr, &why);

  if (r < 0 && zl_hresult_retry(hr) == ZL_HRESULT_REPLACE) {
    r = zl_hcs_system_reap(system->api, system->id, &why);
    if (r == 0)
      r = create_once(system, document, &hr, &why);
  }
  if (r == 0)
    r = set_callback(system, &why);
  if (r < 0 && err != NULL)
    *err = why;
  return r;
}

int zl_hcs_system_create(const struct zl_hcs_api *api, const char *id, const json_t *document,
                         struct zl_hcs_system **ret, struct zl_error *err)
{
  struct zl_hcs_system *system = new_system(api, id);
  int r = system != NULL ? create(system, document, err) : zl_fail_nomem(err, "a compute system");

  if (r < 0) {
    bool exists = system != NULL && system->handle != NULL;

    zl_hcs_system_close(system);
    if (exists) /* its events are not heard; those of another handle may be */
      (void)zl_hcs_system_reap(api, id, NULL);
    return r;
  }
  *ret = system;
  return 0;
}

/* ---- Operations ---- */

static int simple(struct zl_hcs_system *system, simple_fn fn, const char *what,
                  struct zl_error *err)
{
  zl_autohcsoperation op = { 0 };
  int r = zl_hcs_operation_open(system->api, NULL, what, &op, err);

  if (r < 0)
    return r;
  return zl_hcs_operation_wait(&op, fn(system->handle, op.handle, NULL), ZL_HCS_CALL_MS, what, err);
}

int zl_hcs_system_start(struct zl_hcs_system *system, struct zl_error *err)
{
  int r = simple(system, system->api->HcsStartComputeSystem, "HcsStartComputeSystem", err);
  char text[ZL_HCS_EXIT_TEXT];

  if (r == 0)
    system->started = true;
  if (r < 0 && err != NULL && zl_hcs_system_has_exited(system))
    return zl_wrap(err, "it ended (%s)", zl_hcs_system_exit_text(system, text));
  return r;
}

int zl_hcs_system_pause(struct zl_hcs_system *system, bool freeze, struct zl_error *err)
{
  return freeze
             ? simple(system, system->api->HcsPauseComputeSystem, "HcsPauseComputeSystem", err)
             : simple(system, system->api->HcsResumeComputeSystem, "HcsResumeComputeSystem", err);
}

int zl_hcs_system_modify(struct zl_hcs_system *system, const json_t *document, const char *what,
                         struct zl_error *err)
{
  zl_autohcsoperation op = { 0 };
  int r = zl_hcs_operation_open(system->api, document, what, &op, err);

  if (r < 0)
    return r;
  return zl_hcs_operation_wait(
      &op, system->api->HcsModifyComputeSystem(system->handle, op.handle, op.text, NULL),
      ZL_HCS_CALL_MS, what, err);
}

static int parse_answer(const struct zl_hcs_operation *op, const char *what, json_t **ret,
                        struct zl_error *err)
{
  const char *text = op->result != NULL ? op->result : "{}";

  return zl_json_parse_upto(text, strlen(text), ZL_MAX_HCS_DOCUMENT, what, ret, err);
}

int zl_hcs_system_properties(struct zl_hcs_system *system, const json_t *query, json_t **ret,
                             struct zl_error *err)
{
  const char *what = "HcsGetComputeSystemProperties";
  zl_autohcsoperation op = { 0 };
  int r = zl_hcs_operation_open(system->api, query, what, &op, err);

  if (r == 0)
    r = zl_hcs_operation_wait(
        &op, system->api->HcsGetComputeSystemProperties(system->handle, op.handle, op.text),
        ZL_HCS_CALL_MS, what, err);
  return r < 0 ? r : parse_answer(&op, what, ret, err);
}

int zl_hcs_systems_of(const struct zl_hcs_api *api, const char *owner, json_t **ret,
                      struct zl_error *err)
{
  const char *what = "HcsEnumerateComputeSystems";
  zl_autohcsoperation op = { 0 };
  zl_autojson *query = NULL;
  int r = zl_hcs_doc_systems_of(owner, &query, err);

  if (r == 0)
    r = zl_hcs_operation_open(api, query, what, &op, err);
  if (r == 0)
    r = zl_hcs_operation_wait(&op, api->HcsEnumerateComputeSystems(op.text, op.handle),
                              ZL_HCS_CALL_MS, what, err);
  if (r == 0 && op.result == NULL)
    op.result = strdup("[]");
  return r < 0 ? r : parse_answer(&op, what, ret, err);
}

/* ---- The end ---- */

bool zl_hcs_system_has_exited(struct zl_hcs_system *system)
{
  return zl_hcs_mail_wait(&system->mail, ZL_HCS_MAIL_EXITED, 0) != 0;
}

int zl_hcs_system_wait(struct zl_hcs_system *system, uint64_t timeout_ms, struct zl_error *err)
{
  uint64_t deadline =
      timeout_ms == UINT64_MAX ? UINT64_MAX : zl_time_boot() + timeout_ms * ZL_NS_PER_MS;
  unsigned got =
      zl_hcs_mail_wait(&system->mail, ZL_HCS_MAIL_EXITED | ZL_HCS_MAIL_DISCONNECTED, deadline);

  if (got & ZL_HCS_MAIL_EXITED)
    return 0;
  if (got != 0)
    return zl_fail(err, ZL_E_REMOTE, 0,
                   "the compute service (vmcompute) ended; compute system '%s' is not known any "
                   "more",
                   system->id);
  return zl_fail(err, ZL_E_TIMEOUT, 0, "compute system '%s' has not ended after %" PRIu64 " ms",
                 system->id, timeout_ms);
}

const char *zl_hcs_system_exit_text(struct zl_hcs_system *system, char text[ZL_HCS_EXIT_TEXT])
{
  zl_autofree char *document = zl_hcs_mail_exit(&system->mail);
  zl_autojson *json = NULL;
  const char *type = NULL;
  char code[ZL_HRESULT_TEXT];

  if (document != NULL)
    (void)zl_json_parse(document, strlen(document), "exit", &json, NULL);
  type = json_string_value(json_object_get(json, "ExitType"));
  (void)snprintf(
      text, ZL_HCS_EXIT_TEXT, "%.40s, status %s", type != NULL ? type : "exit",
      zl_hresult_format(zl_hresult_of_number(json_integer_value(json_object_get(json, "Status"))),
                        code));
  return text;
}

/* Whoever says that it has ended may say so before the event has come, or instead of it. */
enum {
  GONE_MS = 1000
};

/* *ret_gone: there is nothing to be ended. */
static int ask_to_end(struct zl_hcs_system *system, bool forced, bool *ret_gone,
                      struct zl_error *err)
{
  const char *what = forced ? "HcsTerminateComputeSystem" : "HcsShutDownComputeSystem";
  simple_fn fn =
      forced ? system->api->HcsTerminateComputeSystem : system->api->HcsShutDownComputeSystem;
  zl_autohcsoperation op = { 0 };
  int r = zl_hcs_operation_open(system->api, NULL, what, &op, err);

  if (r < 0)
    return r;
  r = zl_hcs_operation_wait(&op, fn(system->handle, op.handle, NULL), system->end_ms, what, err);
  *ret_gone =
      r < 0 && zl_hresult_is_done(op.hr, forced ? ZL_HRESULT_TERMINATE : ZL_HRESULT_SHUTDOWN);
  return *ret_gone || zl_hcs_system_has_exited(system) ? 0 : r;
}

static int end_by(struct zl_hcs_system *system, bool forced, struct zl_error *err)
{
  bool gone = false;
  int r = ask_to_end(system, forced, &gone, err);

  if (r < 0)
    return r;
  if (gone) {
    (void)zl_hcs_system_wait(system, GONE_MS, NULL);
    return 0;
  }
  return zl_hcs_system_wait(system, system->end_ms, err);
}

int zl_hcs_system_end(struct zl_hcs_system *system, bool forced, struct zl_error *err)
{
  int r = -ZL_E_TIMEOUT;

  if (zl_hcs_system_has_exited(system))
    return 0;
  if (!forced && system->started)
    r = end_by(system, false, NULL);
  if (r < 0)
    r = end_by(system, true, err);
  /* With the service all of its systems have ended. */
  return zl_hcs_mail_wait(&system->mail, ZL_HCS_MAIL_DISCONNECTED, 0) ? 0 : r;
}
