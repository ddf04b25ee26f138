/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/shim/process.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/proc.h"
#include "base/time.h"
#include "base/win32/nt.h"

enum {
  KILLED = 137
};

/* A machine takes half a minute to be ended by force, and what was made for it some more. */
const struct zl__shim_patience zl__shim_patience = { .answer_ns = 90 * ZL_NS_PER_S,
                                                     .end_ns = 180 * ZL_NS_PER_S };

/* `shim.json` is written by the shim as soon as it holds the lock: pid and start name a process. */
static int read_shim(int dir_fd, int64_t *ret_pid, int64_t *ret_start)
{
  zl_autobuf text = ZL_BUF_INIT(ZL_MAX_SMALL_FILE);
  zl_autojson *json = NULL;
  int r = zl_file_read(dir_fd, "shim.json", &text, NULL);

  if (r == 0)
    r = zl_json_parse(text.data, text.len, "shim.json", &json, NULL);
  if (r == 0)
    r = zl_json_get_int(json, "shim.json", "pid", 1, INT32_MAX, 0, ret_pid, NULL);
  if (r == 0)
    r = zl_json_get_int(json, "shim.json", "start_time", 1, INT64_MAX, 0, ret_start, NULL);
  return r;
}

void zl__shim_signal(int dir_fd, int signal)
{
  zl_autohandle process = NULL;
  int64_t pid = 0, start = 0;
  uint64_t now = 0;

  (void)signal;
  if (read_shim(dir_fd, &pid, &start) < 0 || pid == 0)
    return;
  /* The handle first: then what is looked at is what will be ended. */
  process = OpenProcess(PROCESS_TERMINATE | SYNCHRONIZE, FALSE, (DWORD)pid);
  if (process == NULL || zl_proc_start_time((pid_t)pid, &now, NULL) < 0 || (int64_t)now != start)
    return;
  (void)TerminateProcess(process, KILLED);
  (void)WaitForSingleObject(process, 1000);
}
