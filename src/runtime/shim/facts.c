/* SPDX-License-Identifier: Apache-2.0
 *
 * What is true of a container, from its directory and its shim.
 */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/fd.h"
#include "base/limits.h"
#include "base/lock.h"
#include "runtime/shim/control.h"
#include "runtime/shim/shimclient.h"

enum {
  STATE_PATIENCE_MS = 2000,
  RETRY_MS = 5,
  DEATH_MS = 1000 /* of a process, on a busy node */
};

static int parse_status(const char *status, struct zl_facts *ret)
{
  static const struct {
    const char *name;
    enum zl_presence presence;
  } known[] = { { "created", ZL_PRESENCE_CREATED },
                { "running", ZL_PRESENCE_RUNNING },
                { "stopping", ZL_PRESENCE_STOPPING },
                { "stopped", ZL_PRESENCE_STOPPING } };

  for (size_t i = 0; status != NULL && i < ZL_COUNT(known); i++) {
    if (strcmp(known[i].name, status) != 0)
      continue;
    ret->presence = known[i].presence;
    return 0;
  }
  return -ZL_E_CORRUPT;
}

/* The same members in the shim's reply and in state.json. */
static int parse_state(const json_t *json, struct zl_facts *ret)
{
  const char *status = NULL;
  int64_t pid = 0, started = 0;

  if (zl_json_get_string(json, "", "status", &status, NULL) < 0 ||
      zl_json_get_int(json, "", "pid", 0, INT32_MAX, 0, &pid, NULL) < 0 ||
      zl_json_get_int(json, "", "started_at_ns", 0, INT64_MAX, 0, &started, NULL) < 0 ||
      zl_json_get_bool(json, "", "paused", false, &ret->paused, NULL) < 0)
    return -ZL_E_CORRUPT;
  ret->pid = (int32_t)pid;
  ret->started_at_ns = (uint64_t)started;
  return parse_status(status, ret);
}

static int ask_shim(int dir_fd, struct zl_facts *ret)
{
  zl_autojson *reply = NULL;
  zl_autofd fd = -1;
  uint64_t deadline = zl_time_boot() + STATE_PATIENCE_MS * ZL_NS_PER_MS;
  int r = zl_control_connect(dir_fd, &fd, NULL);

  if (r == 0)
    r = zl_control_send(fd, json_pack("{s:s}", "op", "state"), NULL, 0, NULL);
  if (r == 0)
    r = zl_control_receive(fd, deadline, -1, &reply, NULL, NULL);
  return r < 0 ? r : parse_state(reply, ret);
}

static int read_state_file(int dir_fd, struct zl_facts *ret)
{
  zl_autobuf text = ZL_BUF_INIT(ZL_MAX_SMALL_FILE);
  zl_autojson *json = NULL;

  if (zl_file_read(dir_fd, "state.json", &text, NULL) < 0 ||
      zl_json_parse(text.data, text.len, "state.json", &json, NULL) < 0)
    return -ZL_E_NOT_FOUND;
  return parse_state(json, ret);
}

static int read_ending(int dir_fd, struct zl_facts *ret, struct zl_error *err)
{
  struct zl_facts state = { 0 };
  int r = zl_ending_read(dir_fd, &ret->outcome, err);

  if (r < 0)
    return r;
  ret->presence = ZL_PRESENCE_ENDED;
  if (read_state_file(dir_fd, &state) == 0)
    ret->started_at_ns = state.started_at_ns;
  return 0;
}

/* The exit record is written before the lock is given up, so it is looked for after the lock. */
static int observe(int dir_fd, struct zl_facts *ret, struct zl_error *err)
{
  bool alive = zl_lock_is_held(dir_fd, "lock");
  int r = read_ending(dir_fd, ret, err);

  if (r != -ZL_E_NOT_FOUND)
    return r;
  if (alive && (ask_shim(dir_fd, ret) == 0 || read_state_file(dir_fd, ret) == 0))
    return 0;
  /* It may have ended while it was asked. */
  r = read_ending(dir_fd, ret, err);
  if (r == -ZL_E_NOT_FOUND) {
    *ret = (struct zl_facts){ .presence = ZL_PRESENCE_LOST };
    r = 0;
  }
  return r;
}

int zl_shimclient_state(struct zl_backend *backend, const char *id, struct zl_facts *ret,
                        struct zl_error *err)
{
  zl_autofd dir = -1;
  int r = zl_node_container_dir(backend->rt, id, &dir, err);

  *ret = (struct zl_facts){ .presence = ZL_PRESENCE_NONE };
  if (r == -ZL_E_NOT_FOUND)
    return 0;
  return r < 0 ? r : observe(dir, ret, err);
}

int zl_shimclient_connect(struct zl_runtime *rt, const char *id, int *ret_fd, struct zl_error *err)
{
  zl_autofd dir = -1;
  int r = zl_node_container_dir(rt, id, &dir, err);

  if (r == 0)
    r = zl_control_connect(dir, ret_fd, err);
  return r == -ZL_E_NOT_FOUND ? zl_fail(err, ZL_E_CONFLICT, 0, "it does not run") : r;
}

/* A process that was killed closes its connections before it gives up its lock. */
int zl_shimclient_just_ended(struct zl_backend *backend, const char *id, struct zl_error *err)
{
  struct timespec retry = { .tv_nsec = RETRY_MS * (long)ZL_NS_PER_MS };
  zl_autofd dir = -1;

  if (zl_node_container_dir(backend->rt, id, &dir, NULL) == 0)
    for (int i = 0; i < DEATH_MS / RETRY_MS && zl_lock_is_held(dir, "lock") &&
                    !zl_shimclient_has_exit_record(dir);
         i++)
      (void)nanosleep(&retry, NULL);
  return zl_fail(err, ZL_E_CONFLICT, 0, "it has just ended");
}

static bool is_over(struct zl_backend *backend, const char *id)
{
  struct zl_facts facts;

  return zl_shimclient_state(backend, id, &facts, NULL) < 0 ||
         facts.presence == ZL_PRESENCE_ENDED || facts.presence == ZL_PRESENCE_LOST ||
         facts.presence == ZL_PRESENCE_NONE;
}

static int wait_for_reply(int fd, uint64_t deadline_ns, int cancel_fd, struct zl_error *err)
{
  zl_autojson *reply = NULL;
  int r = zl_control_send(fd, json_pack("{s:s}", "op", "wait"), NULL, 0, err);

  return r < 0 ? r : zl_control_receive(fd, deadline_ns, cancel_fd, &reply, NULL, err);
}

int zl_shimclient_wait(struct zl_backend *backend, const char *id, uint64_t deadline_ns,
                       int cancel_fd, struct zl_error *err)
{
  struct timespec retry = { .tv_nsec = RETRY_MS * (long)ZL_NS_PER_MS };

  for (;;) {
    zl_autofd fd = -1;
    int r = zl_shimclient_connect(backend->rt, id, &fd, NULL);

    if (r == 0)
      r = wait_for_reply(fd, deadline_ns, cancel_fd, err);
    if (r == 0 || r == -ZL_E_TIMEOUT || r == -ZL_E_CANCELLED)
      return r;
    if (is_over(backend, id))
      return 0;
    /* It is at its end and does not listen any more, or is stuck. */
    if (zl_time_boot() >= deadline_ns)
      return zl_fail(err, ZL_E_TIMEOUT, 0, "container '%s' has not ended in time", id);
    (void)nanosleep(&retry, NULL);
  }
}

int zl_shimclient_adopt(struct zl_backend *backend, const char *id, struct zl_error *err)
{
  struct zl_facts facts;
  int r = zl_shimclient_state(backend, id, &facts, err);

  if (r < 0)
    return r;
  if (facts.presence == ZL_PRESENCE_NONE || facts.presence == ZL_PRESENCE_LOST)
    return zl_fail(err, ZL_E_NOT_FOUND, 0, "there is no such container on this host");
  return 0;
}
