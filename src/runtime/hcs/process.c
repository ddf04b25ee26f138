/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/hcs/process.h"

#include <string.h>

#include "base/json.h"
#include "base/time.h"
#include "runtime/hcs/hresult.h"

#define ALL_ACCESS UINT32_C(0x10000000) /* GENERIC_ALL */

static zl_handle present(zl_handle handle)
{
  return handle == ZL_HANDLE_INVALID ? NULL : handle;
}

static void close_handle(const struct zl_hcs_api *api, zl_handle *handle)
{
  if (*handle != NULL)
    (void)api->CloseHandle(*handle);
  *handle = NULL;
}

void zl_hcs_proc_close(struct zl_hcs_proc *proc)
{
  if (proc == NULL)
    return;
  close_handle(proc->api, &proc->in);
  close_handle(proc->api, &proc->out);
  close_handle(proc->api, &proc->err);
  if (proc->handle != NULL)
    proc->api->HcsCloseProcess(proc->handle);
  zl_hcs_mail_close(&proc->mail);
  free(proc);
}

/* ---- Creation ---- */

static int ask_info(struct zl_hcs_proc *proc, struct zl_hcs_process_info *ret, struct zl_error *err)
{
  const char *what = "HcsGetProcessInfo";
  zl_autohcsoperation op = { 0 };
  int r = zl_hcs_operation_open(proc->api, NULL, what, &op, err);

  if (r < 0)
    return r;
  return zl_hcs_operation_wait_process(&op, proc->api->HcsGetProcessInfo(proc->handle, op.handle),
                                       ZL_HCS_CALL_MS, what, ret, err);
}

/* Server 2022 may create a process at once, and then know nothing of the operation any more: it
 * gives a handle, and the wait fails. What the operation would have told can be asked for anew.
 * Only then: after a success the process may have ended, and there is nothing to be asked. */
static int create(struct zl_hcs_proc *proc, const json_t *parameters,
                  struct zl_hcs_process_info *ret, struct zl_error *err)
{
  const char *what = "HcsCreateProcess";
  zl_autohcsoperation op = { 0 };
  struct zl_error why = { 0 };
  int r = zl_hcs_operation_open(proc->api, parameters, what, &op, err);
  zl_hr hr;

  if (r < 0)
    return r;
  hr = proc->api->HcsCreateProcess(proc->system->handle, op.text, op.handle, NULL, &proc->handle);
  r = zl_hcs_operation_wait_process(&op, hr, ZL_HCS_CALL_MS, what, ret, &why);
  if (r < 0 && !zl_hresult_failed(hr) && proc->handle != NULL && ask_info(proc, ret, NULL) == 0)
    return 0;
  if (r == 0 && proc->handle == NULL)
    r = zl_fail(&why, ZL_E_INTERNAL, 0, "%s gave no process", what);
  if (r < 0 && err != NULL)
    *err = why;
  return r;
}

static int set_callback(struct zl_hcs_proc *proc, struct zl_error *err)
{
  zl_hr hr = proc->api->HcsSetProcessCallback(proc->handle, 0, zl_hcs_mail_context(&proc->mail),
                                              zl_hcs_mail_event);

  return zl_hresult_failed(hr) ? zl_hresult_fail(err, hr, "HcsSetProcessCallback") : 0;
}

int zl_hcs_proc_create(struct zl_hcs_system *system, const json_t *parameters,
                       struct zl_hcs_proc **ret, struct zl_error *err)
{
  struct zl_hcs_proc *proc = calloc(1, sizeof(*proc));
  struct zl_hcs_process_info info = { 0 };
  int r;

  if (proc == NULL)
    return zl_fail_nomem(err, "a process");
  proc->api = system->api;
  proc->system = system;
  zl_hcs_mail_open(&proc->mail);
  proc->mail.of = &system->mail;
  r = create(proc, parameters, &info, err);
  proc->pid = info.pid;
  proc->in = present(info.in);
  proc->out = present(info.out);
  proc->err = present(info.err);
  if (r == 0)
    r = set_callback(proc, err);
  if (r < 0) {
    if (proc->handle != NULL)
      (void)zl_hcs_proc_signal(proc, ZL_HCS_TERMINATE, NULL);
    zl_hcs_proc_close(proc);
    return r;
  }
  *ret = proc;
  return 0;
}

/* ---- Its end ---- */

static int exit_code(const char *document, uint32_t *ret, struct zl_error *err)
{
  const char *what = "exit of a process";
  zl_autojson *json = NULL;
  int64_t code, last;
  int r = zl_json_parse(document != NULL ? document : "{}", document != NULL ? strlen(document) : 2,
                        what, &json, err);

  if (r == 0)
    r = zl_json_get_int(json, what, "ExitCode", INT32_MIN, UINT32_MAX, -1, &code, err);
  if (r == 0)
    r = zl_json_get_int(json, what, "LastWaitResult", INT32_MIN, UINT32_MAX, 0, &last, err);
  if (r < 0)
    return r;
  if (last != 0 || json_object_get(json, "ExitCode") == NULL)
    return zl_fail(err, ZL_E_REMOTE, 0,
                   "the compute service does not know the exit code (LastWaitResult %lld)",
                   (long long)last);
  *ret = (uint32_t)code;
  return 0;
}

/* A process that ended before the callback was set gives no event: it is asked for once. */
static int ask_exit(struct zl_hcs_proc *proc, char **ret)
{
  const char *what = "HcsGetProcessProperties";
  zl_autohcsoperation op = { 0 };
  zl_autojson *json = NULL;
  int r = zl_hcs_operation_open(proc->api, NULL, what, &op, NULL);

  if (r == 0)
    r = zl_hcs_operation_wait(&op,
                              proc->api->HcsGetProcessProperties(proc->handle, op.handle, NULL),
                              ZL_HCS_CALL_MS, what, NULL);
  if (r == 0 && op.result != NULL)
    r = zl_json_parse(op.result, strlen(op.result), what, &json, NULL);
  if (r == 0 && json_is_true(json_object_get(json, "Exited")))
    *ret = zl_steal_ptr(&op.result);
  return r;
}

enum {
  LATE_MS = 1000, /* between the system's exit event and that of a process in it */
  ASK_MS = 500    /* between two questions, when the first was not answered */
};

#define ENDS ((unsigned)ZL_HCS_MAIL_EXITED | ZL_HCS_MAIL_DISCONNECTED)

static uint64_t sooner(uint64_t deadline_ns, uint64_t ms)
{
  uint64_t at = zl_time_boot() + ms * ZL_NS_PER_MS;

  return at < deadline_ns ? at : deadline_ns;
}

/* What came of ENDS and ZL_HCS_MAIL_SYSTEM_GONE; 0 with *ret_document: it was asked for, or without
 * that the time is over. */
static unsigned await(struct zl_hcs_proc *proc, uint64_t deadline_ns, char **ret_document)
{
  const unsigned any = ENDS | ZL_HCS_MAIL_SYSTEM_GONE;
  unsigned got = zl_hcs_mail_wait(&proc->mail, ENDS, 0);

  while (got == 0 && ask_exit(proc, ret_document) < 0) {
    got = zl_hcs_mail_wait(&proc->mail, any, sooner(deadline_ns, ASK_MS));
    if (zl_time_boot() >= deadline_ns)
      return got;
  }
  if (got == 0 && *ret_document == NULL)
    got = zl_hcs_mail_wait(&proc->mail, any, deadline_ns);
  if (got == ZL_HCS_MAIL_SYSTEM_GONE)
    got |= zl_hcs_mail_wait(&proc->mail, ENDS, sooner(UINT64_MAX, LATE_MS));
  return got;
}

int zl_hcs_proc_wait(struct zl_hcs_proc *proc, uint64_t deadline_ns, uint32_t *ret_code,
                     struct zl_error *err)
{
  zl_autofree char *document = NULL;
  char text[ZL_HCS_EXIT_TEXT];
  unsigned got = await(proc, deadline_ns, &document);

  if (document == NULL && (got & ZL_HCS_MAIL_EXITED) != 0)
    document = zl_hcs_mail_exit(&proc->mail);
  if (document != NULL || (got & ZL_HCS_MAIL_EXITED) != 0)
    return exit_code(document, ret_code, err);
  if (got & ZL_HCS_MAIL_DISCONNECTED)
    return zl_fail(err, ZL_E_REMOTE, 0, "the compute service (vmcompute) ended");
  return got != 0 ? zl_fail(err, ZL_E_REMOTE, 0, "its container ended (%s)",
                            zl_hcs_system_exit_text(proc->system, text))
                  : zl_fail(err, ZL_E_TIMEOUT, 0, "process %u has not ended", proc->pid);
}

/* ---- What it is told ---- */

typedef zl_hr (*told_fn)(void *object, void *operation, const zl_wchar *options);

static int tell_process(const struct zl_hcs_proc *proc, void *handle, told_fn fn,
                        const json_t *document, const char *what, struct zl_error *err)
{
  enum zl_hresult_call call =
      fn == proc->api->HcsTerminateProcess ? ZL_HRESULT_END : ZL_HRESULT_SIGNAL;
  zl_autohcsoperation op = { 0 };
  struct zl_error why = { 0 };
  int r = zl_hcs_operation_open(proc->api, document, what, &op, err);

  if (r < 0)
    return r;
  r = zl_hcs_operation_wait(&op, fn(handle, op.handle, op.text), ZL_HCS_CALL_MS, what, &why);
  if (r < 0 && zl_hresult_is_done(op.hr, call))
    return 0;
  if (r < 0 && err != NULL)
    *err = why;
  return r;
}

static int terminate_by(const struct zl_hcs_proc *proc, struct zl_hcs_system *system,
                        struct zl_error *err)
{
  void *handle = NULL;
  zl_hr hr = proc->api->HcsOpenProcess(system->handle, proc->pid, ALL_ACCESS, &handle);
  int r;

  if (zl_hresult_failed(hr))
    return zl_hresult_is_done(hr, ZL_HRESULT_END) ? 0 : zl_hresult_fail(err, hr, "HcsOpenProcess");
  r = tell_process(proc, handle, proc->api->HcsTerminateProcess, NULL, "HcsTerminateProcess", err);
  proc->api->HcsCloseProcess(handle);
  return r;
}

static int terminate(struct zl_hcs_proc *proc, struct zl_error *err)
{
  struct zl_hcs_system *system = NULL;
  int r = zl_hcs_system_open(proc->api, proc->system->id, &system, NULL);

  if (r == -ZL_E_NOT_FOUND)
    return 0;
  if (r == 0)
    r = terminate_by(proc, system, NULL);
  zl_hcs_system_close(system);
  return r < 0 ? tell_process(proc, proc->handle, proc->api->HcsTerminateProcess, NULL,
                              "HcsTerminateProcess", err)
               : r;
}

int zl_hcs_proc_signal(struct zl_hcs_proc *proc, enum zl_hcs_signal signal, struct zl_error *err)
{
  zl_autojson *document = NULL;
  int r;

  if (signal == ZL_HCS_TERMINATE)
    return terminate(proc, err);
  r = zl_hcs_doc_signal(signal, &document, err);
  return r < 0 ? r
               : tell_process(proc, proc->handle, proc->api->HcsSignalProcess, document,
                              "HcsSignalProcess", err);
}

int zl_hcs_proc_close_stream(struct zl_hcs_proc *proc, enum zl_hcs_stream stream,
                             struct zl_error *err)
{
  zl_autojson *document = NULL;
  int r = zl_hcs_doc_close(stream, &document, err);

  return r < 0 ? r
               : tell_process(proc, proc->handle, proc->api->HcsModifyProcess, document,
                              "HcsModifyProcess", err);
}

int zl_hcs_proc_resize(struct zl_hcs_proc *proc, unsigned rows, unsigned cols, struct zl_error *err)
{
  zl_autojson *document = NULL;
  int r = zl_hcs_doc_console_size(rows, cols, &document, err);

  return r < 0 ? r
               : tell_process(proc, proc->handle, proc->api->HcsModifyProcess, document,
                              "HcsModifyProcess", err);
}
