/* SPDX-License-Identifier: Apache-2.0
 *
 * The end of a shim, whether it helps or not, and the directories that shims have had.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/dir.h"
#include "base/fd.h"
#include "base/limits.h"
#include "base/lock.h"
#include "base/path.h"
#include "base/signals.h"
#include "runtime/shim/control.h"
#include "runtime/shim/process.h"
#include "runtime/shim/shimclient.h"

enum {
  RETRY_MS = 20
};

bool zl_shimclient_has_exit_record(int dir_fd)
{
  struct stat st;

  return fstatat(dir_fd, "exit.json", &st, AT_SYMLINK_NOFOLLOW) == 0;
}

int zl_shimclient_load_bundle(int dir_fd, json_t **ret, struct zl_error *err)
{
  zl_autobuf text = ZL_BUF_INIT(ZL_MAX_BUNDLE);
  int r = zl_file_read(dir_fd, "config.json", &text, err);

  return r < 0 ? r : zl_json_parse(text.data, text.len, "config.json", ret, err);
}

/* Asks the shim to kill everything. One that does not answer is killed: its container dies too. */
static void ask_to_end(int fd, int dir_fd)
{
  zl_autojson *reply = NULL;
  int r = zl_control_send(
      fd, json_pack("{s:s, s:i, s:i}", "op", "stop", "signal", ZL_SIGNAL_KILL, "grace_ms", 0), NULL,
      0, NULL);

  if (r == 0)
    r = zl_control_receive(fd, zl_time_boot() + zl__shim_patience.answer_ns, -1, &reply, NULL,
                           NULL);
  if (r == -ZL_E_TIMEOUT)
    zl__shim_signal(dir_fd, ZL_SIGNAL_KILL);
}

/* The lock says that it lives. One that is still building its container does not listen yet; one
 * that waits for a slow client after the end does not listen any more, and SIGTERM ends that. */
int zl_shimclient_end(int dir_fd, struct zl_error *err)
{
  uint64_t deadline = zl_time_boot() + zl__shim_patience.end_ns;
  bool ended = false;

  while (zl_lock_is_held(dir_fd, "lock")) {
    zl_autofd fd = -1, lock = -1;

    if (zl_control_connect(dir_fd, &fd, NULL) == 0)
      ask_to_end(fd, dir_fd);
    else if (ended)
      zl__shim_signal(dir_fd, ZL_SIGNAL_TERM);
    if (zl_lock_acquire(dir_fd, "lock", RETRY_MS * ZL_NS_PER_MS, &lock, NULL) == 0)
      return 0;
    ended = zl_shimclient_has_exit_record(dir_fd);
    if (zl_time_boot() >= deadline)
      return zl_fail(err, ZL_E_TIMEOUT, 0, "the shim does not end");
  }
  return 0;
}

bool zl_shimclient_has_file(struct zl_runtime *rt, const char *id, const char *file)
{
  char path[ZL_ID_TEXT + 64];
  struct stat st;

  (void)snprintf(path, sizeof(path), "%.128s/%.60s", id, file);
  return fstatat(rt->containers_fd, path, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

int zl_shimclient_list(struct zl_runtime *rt,
                       bool (*is_mine)(struct zl_runtime *rt, const char *name),
                       int (*fn)(void *payload, const char *name), void *payload,
                       struct zl_error *err)
{
  zl_autodir *dir = zl_dir_open(rt->containers_fd, ".");
  struct dirent *e;
  int r = 0;

  if (dir == NULL)
    return zl_fail_errno(err, "reading directory 'containers'");
  while (r == 0 && (e = readdir(dir)) != NULL)
    if (zl_path_is_name(e->d_name, ZL_MAX_ID) && is_mine(rt, e->d_name))
      r = fn(payload, e->d_name);
  return r;
}
