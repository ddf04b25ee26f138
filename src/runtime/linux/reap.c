/* SPDX-License-Identifier: Apache-2.0
 *
 * The end of a container's host objects, whoever is left to help: the shim clears up after itself;
 * what a dead one left is found by name.
 */
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/limits.h"
#include "base/lock.h"
#include "base/path.h"
#include "base/strv.h"
#include "runtime/linux/control.h"
#include "runtime/linux/groups.h"
#include "runtime/linux/linux_private.h"

#define END_PATIENCE    (20 * ZL_NS_PER_S)
#define ANSWER_PATIENCE (5 * ZL_NS_PER_S)

enum {
  RETRY_MS = 20
};

static void closedirp(DIR **dir)
{
  if (*dir != NULL)
    (void)closedir(*dir);
}

static bool has_exit_record(int dir_fd)
{
  struct stat st;

  return fstatat(dir_fd, "exit.json", &st, AT_SYMLINK_NOFOLLOW) == 0;
}

int zl_linux_load_bundle(int dir_fd, json_t **ret, struct zl_error *err)
{
  zl_autobuf text = ZL_BUF_INIT(ZL_MAX_BUNDLE);
  int r = zl_file_read(dir_fd, "config.json", &text, err);

  return r < 0 ? r : zl_json_parse(text.data, text.len, "config.json", ret, err);
}

/* The process that has the container's directory as descriptor 3: the shim, found without its help.
 * Only for one that does not answer. */
static void signal_shim(int dir_fd, int signal)
{
  ZL_CLEANUP(closedirp) DIR *proc = opendir("/proc");
  struct dirent *e;
  struct stat ours, theirs;

  if (proc == NULL || fstat(dir_fd, &ours) < 0)
    return;
  while ((e = readdir(proc)) != NULL) {
    uint64_t pid = 0;
    zl_autofd pidfd = -1;
    char path[64];

    if (!zl_parse_u64(e->d_name, INT32_MAX, &pid) || (pid_t)pid == getpid())
      continue;
    /* The descriptor first: then what is looked at is what will get the signal. */
    pidfd = pidfd_open((pid_t)pid, 0);
    (void)snprintf(path, sizeof(path), "%d/fd/3", (int)pid);
    if (pidfd >= 0 && fstatat(dirfd(proc), path, &theirs, 0) == 0 && theirs.st_dev == ours.st_dev &&
        theirs.st_ino == ours.st_ino)
      (void)pidfd_send_signal(pidfd, signal, NULL, 0);
  }
}

/* Asks the shim to kill everything. One that does not answer is killed: its container dies too. */
static void ask_to_end(int fd, int dir_fd)
{
  zl_autojson *reply = NULL;
  int r = zl_control_send(
      fd, json_pack("{s:s, s:i, s:i}", "op", "stop", "signal", SIGKILL, "grace_ms", 0), NULL, 0,
      NULL);

  if (r == 0)
    r = zl_control_receive(fd, zl_time_boot() + ANSWER_PATIENCE, -1, &reply, NULL, NULL);
  if (r == -ZL_E_TIMEOUT)
    signal_shim(dir_fd, SIGKILL);
}

/* The lock says that it lives. One that is still building its container does not listen yet; one
 * that waits for a slow client after the end does not listen any more, and SIGTERM ends that. */
static int end_shim(int dir_fd, struct zl_error *err)
{
  uint64_t deadline = zl_time_boot() + END_PATIENCE;
  bool ended = false;

  while (zl_lock_is_held(dir_fd, "lock")) {
    zl_autofd fd = -1, lock = -1;

    if (zl_control_connect(dir_fd, &fd, NULL) == 0)
      ask_to_end(fd, dir_fd);
    else if (ended)
      signal_shim(dir_fd, SIGTERM);
    if (zl_lock_acquire(dir_fd, "lock", RETRY_MS * ZL_NS_PER_MS, &lock, NULL) == 0)
      return 0;
    ended = has_exit_record(dir_fd);
    if (zl_time_boot() >= deadline)
      return zl_fail(err, ZL_E_TIMEOUT, 0, "the shim does not end");
  }
  return 0;
}

/* What only the bundle knows: a cgroup below another parent, and the link. */
static int reap_by_bundle(int dir_fd, struct zl_error *err)
{
  zl_autojson *config = NULL;
  const char *path, *link;
  int r = 0;

  if (zl_linux_load_bundle(dir_fd, &config, NULL) < 0)
    return 0;
  path = json_string_value(json_object_get(json_object_get(config, "linux"), "cgroupsPath"));
  link = json_string_value(
      json_object_get(json_object_get(json_object_get(config, "zlayer"), "network"), "link"));
  if (path != NULL)
    r = zl_groups_reap(path, err);
  if (r == 0 && link != NULL)
    r = zl_link_set_down(link, err);
  return r;
}

static int reap_by_name(struct zl_runtime *rt, const char *id, struct zl_error *err)
{
  char path[ZL_LINUX_CGROUP], prefix[ZL_LINUX_CGROUP];
  int r = zl_linux_cgroup_prefix(rt, prefix, err);

  if (r < 0)
    return r;
  (void)snprintf(path, sizeof(path), "%.300s%s", prefix, id);
  return zl_groups_reap(path, err);
}

int zl_linux_remove(struct zl_backend *backend, const char *id, struct zl_error *err)
{
  zl_autofd dir = -1;
  int r = zl_node_container_dir(backend->rt, id, &dir, err);

  if (r == -ZL_E_NOT_FOUND)
    return reap_by_name(backend->rt, id, err);
  if (r < 0)
    return r;
  r = end_shim(dir, err);
  if (r == 0)
    r = reap_by_name(backend->rt, id, err);
  if (r == 0 && !has_exit_record(dir))
    r = reap_by_bundle(dir, err);
  return r;
}

/* ---- What exists ---- */

struct found {
  char **ids;
  size_t skip; /* of a cgroup's name */
  struct zl_error *err;
};

static bool is_known(const struct found *found, const char *id)
{
  for (size_t i = 0; found->ids != NULL && found->ids[i] != NULL; i++)
    if (strcmp(found->ids[i], id) == 0)
      return true;
  return false;
}

static int add_group(void *payload, const char *name)
{
  struct found *found = payload;
  const char *id = name + found->skip;

  if (!zl_path_is_name(id, ZL_MAX_ID) || is_known(found, id))
    return 0;
  return zl_strv_push(&found->ids, id, found->err);
}

/* A directory without a bundle is a creation that was interrupted early: it counts. */
static bool is_ours(struct zl_runtime *rt, const char *name)
{
  char path[ZL_ID_TEXT + 16];
  struct stat st;

  (void)snprintf(path, sizeof(path), "%.128s/fake.json", name);
  return zl_path_is_name(name, ZL_MAX_ID) &&
         fstatat(rt->containers_fd, path, &st, AT_SYMLINK_NOFOLLOW) < 0;
}

static int find_directories(struct zl_runtime *rt, struct found *found)
{
  int fd = zl_fd_open(rt->containers_fd, ".", O_RDONLY | O_DIRECTORY, 0);
  ZL_CLEANUP(closedirp) DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
  struct dirent *e;
  int r = 0;

  if (dir == NULL)
    return zl_fail_errno(found->err, "reading directory 'containers'");
  while (r == 0 && (e = readdir(dir)) != NULL)
    if (is_ours(rt, e->d_name))
      r = zl_strv_push(&found->ids, e->d_name, found->err);
  return r;
}

int zl_linux_enumerate(struct zl_backend *backend, zl_id_fn fn, void *payload, struct zl_error *err)
{
  struct found found = { .err = err };
  char prefix[ZL_LINUX_CGROUP];
  int r = zl_linux_cgroup_prefix(backend->rt, prefix, err);

  if (r == 0)
    r = find_directories(backend->rt, &found);
  found.skip = r == 0 ? strlen(prefix) - 1 : 0; /* names have no leading "/" */
  if (r == 0)
    r = zl_groups_list(prefix + 1, add_group, &found, err);
  for (size_t i = 0; r == 0 && found.ids != NULL && found.ids[i] != NULL; i++)
    if (fn(payload, found.ids[i]) != 0)
      break;
  zl_strv_free(found.ids);
  return r;
}
