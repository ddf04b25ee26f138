/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/hcs/task.h"

#include <string.h>

#include "base/cleanup.h"
#include "runtime/hcs/hresult.h"
#include "runtime/hcs/stream.h"

static void close_stream(struct zl_byte_stream *stream)
{
  if (stream->ctx != NULL)
    stream->close(stream->ctx);
  *stream = (struct zl_byte_stream){ 0 };
}

void zl_hcs_task_close(struct zl_hcs_task *task)
{
  if (task == NULL)
    return;
  close_stream(&task->in);
  close_stream(&task->out);
  close_stream(&task->err);
  zl_hcs_proc_close(task->proc);
  free(task->container);
  free(task);
}

static int take_pipe(const struct zl_hcs_api *api, zl_handle *pipe, struct zl_byte_stream *ret,
                     struct zl_error *err)
{
  int r = *pipe != NULL ? zl_hcs_stream_new(api, *pipe, ret, err) : 0;

  if (r == 0)
    *pipe = NULL;
  return r;
}

static int start_proc(struct zl_hcs_task *task, struct zl_hcs_system *system,
                      const struct zl_hcs_task_options *options, struct zl_error *err)
{
  int r = zl_hcs_proc_create(system, options->parameters, &task->proc, err);

  if (r < 0)
    return r;
  task->pid = task->proc->pid;
  r = take_pipe(system->api, &task->proc->in, &task->in, err);
  if (r == 0)
    r = take_pipe(system->api, &task->proc->out, &task->out, err);
  if (r == 0)
    r = take_pipe(system->api, &task->proc->err, &task->err, err);
  if (r < 0)
    (void)zl_hcs_proc_signal(task->proc, ZL_HCS_TERMINATE, NULL);
  return r;
}

static int start_in_guest(struct zl_hcs_task *task, const struct zl_hcs_task_options *options,
                          struct zl_error *err)
{
  const struct zl_hcs_guest_execute how = { .container = task->container,
                                            .parameters = options->parameters,
                                            .in = options->in,
                                            .out = options->out,
                                            .err = options->err };
  struct zl_hcs_guest_process process = { 0 };
  int r = zl_hcs_guest_execute(task->guest, &how, &process, err);

  if (r < 0)
    return r;
  task->pid = process.pid;
  task->in = process.in;
  task->out = process.out;
  task->err = process.err;
  return 0;
}

/* Why a command did not start, from the code of CreateProcess in the container, as its exit code is
 * chosen by it. Anything else is the services' failure. */
static int explain(struct zl_error *err)
{
  static const struct {
    uint32_t win32;
    enum zl_code code;
    const char *text;
  } reasons[] = {
    { 2, ZL_E_NO_COMMAND, "no such command in the container" },
    { 3, ZL_E_NO_COMMAND, "no such directory of a command in the container" },
    { 5, ZL_E_NOT_EXECUTABLE, "the command may not be executed" },
    { 193, ZL_E_NOT_EXECUTABLE, "the command is no program" },
    { 216, ZL_E_NOT_EXECUTABLE, "the command is a program for another processor" },
    { 267, ZL_E_INVALID, "the working directory is not there" },
    { 1326, ZL_E_NOT_FOUND, "no such user in the container" },
  };
  const uint32_t hr = (uint32_t)err->os_error;
  char text[ZL_HRESULT_TEXT];

  for (size_t i = 0; i < ZL_COUNT(reasons); i++)
    if (zl_hresult_failed(hr) && zl_hresult_fold(hr) == reasons[i].win32) {
      (void)zl_fail(err, reasons[i].code, 0, "%s: %s", reasons[i].text,
                    zl_hresult_format(hr, text));
      err->os_error = (int)hr;
    }
  return -(int)err->code;
}

int zl_hcs_task_start(struct zl_hcs_system *system, struct zl_hcs_guest *guest,
                      const char *container, const struct zl_hcs_task_options *options,
                      struct zl_hcs_task **ret, struct zl_error *err)
{
  struct zl_hcs_task *task = calloc(1, sizeof(*task));
  struct zl_error why = { 0 };
  int r;

  if (task == NULL)
    return zl_fail_nomem(err, "a process");
  task->guest = guest;
  task->container = strdup(container);
  r = task->container == NULL ? zl_fail_nomem(&why, "a process")
      : guest != NULL         ? start_in_guest(task, options, &why)
                              : start_proc(task, system, options, &why);
  if (r < 0) {
    r = explain(&why);
    if (err != NULL)
      *err = why;
    zl_hcs_task_close(task);
    return r;
  }
  *ret = task;
  return 0;
}

int zl_hcs_task_wait(struct zl_hcs_task *task, uint64_t deadline_ns, uint32_t *ret_code,
                     struct zl_error *err)
{
  return task->proc != NULL ? zl_hcs_proc_wait(task->proc, deadline_ns, ret_code, err)
                            : zl_hcs_guest_wait(task->guest, task->container, task->pid,
                                                deadline_ns, ret_code, err);
}

int zl_hcs_task_signal(struct zl_hcs_task *task, enum zl_hcs_signal signal, struct zl_error *err)
{
  return task->proc != NULL
             ? zl_hcs_proc_signal(task->proc, signal, err)
             : zl_hcs_guest_signal(task->guest, task->container, task->pid, signal, err);
}

int zl_hcs_task_resize(struct zl_hcs_task *task, unsigned rows, unsigned cols, struct zl_error *err)
{
  return task->proc != NULL
             ? zl_hcs_proc_resize(task->proc, rows, cols, err)
             : zl_hcs_guest_resize(task->guest, task->container, task->pid, rows, cols, err);
}

int zl_hcs_task_finish_input(struct zl_hcs_task *task, struct zl_error *err)
{
  int r = task->proc != NULL && task->in.ctx != NULL
              ? zl_hcs_proc_close_stream(task->proc, ZL_HCS_STREAM_IN, err)
              : 0;

  if (task->in.ctx != NULL)
    task->in.finish(task->in.ctx);
  close_stream(&task->in);
  return r;
}
