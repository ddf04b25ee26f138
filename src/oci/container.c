/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/container.h"

#include <ctype.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/dir.h"
#include "base/fd.h"
#include "base/limits.h"
#include "base/lock.h"
#include "base/path.h"
#include "base/proc.h"
#include "base/strv.h"
#include "base/time.h"
#include "oci/machine.h"

#define LOCK_PATIENCE (30 * ZL_NS_PER_S)

void oci_container_done(struct oci_container *c)
{
  json_decref(c->state);
  c->state = NULL;
  if (c->has_cgroup)
    zl_cgroup_close(&c->cgroup);
  if (c->cgroup_root.fd >= 0)
    zl_cgroup_root_close(&c->cgroup_root);
  zl_fd_closep(&c->pidfd);
  zl_fd_closep(&c->lock_fd);
  zl_fd_closep(&c->dir_fd);
  zl_fd_closep(&c->root_fd);
}

/* ---- The directory ------------------------------------------------------------------------- */

/* As runc has it: letters, digits and "_+-."; names that begin with a "." are files of ours. */
static bool may_stand(const char *id, size_t i)
{
  return isalnum((unsigned char)id[i]) ||
         (strchr("_+-.", id[i]) != NULL && (i > 0 || id[i] != '.'));
}

static int check_id(const char *id, struct zl_error *err)
{
  size_t len = strlen(id), i = 0;

  if (len == 0 || len > OCI_MAX_ID)
    return zl_fail(err, ZL_E_INVALID, 0, "container ID '%.100s': invalid length, 1 to %d bytes", id,
                   OCI_MAX_ID);
  while (i < len && may_stand(id, i))
    i++;
  if (i == len)
    return 0;
  if (id[i] > ' ' && id[i] <= '~')
    return zl_fail(err, ZL_E_INVALID, 0,
                   "container ID '%.100s': invalid character `%c` in the ID: letters, digits and "
                   "_ + - . are allowed, no . in front",
                   id, id[i]);
  return zl_fail(err, ZL_E_INVALID, 0, "container ID '%.100s': invalid character 0x%02x in the ID",
                 id, (unsigned char)id[i]);
}

static int open_dir(struct oci_container *c, struct zl_error *err)
{
  c->dir_fd = zl_fd_open(c->root_fd, c->id, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
  if (c->dir_fd >= 0)
    return 0;
  return zl_fail(err, c->dir_fd == -ENOENT ? ZL_E_NOT_FOUND : ZL_E_SYSTEM,
                 c->dir_fd == -ENOENT ? 0 : -c->dir_fd, "container '%s' does not exist", c->id);
}

/* What is in it says whom `kill` and `delete` mean: whoever could write there could choose. */
static int check_root(const struct oci *oci, int fd, struct zl_error *err)
{
  struct stat st;

  if (fstat(fd, &st) < 0)
    return zl_fail_errno(err, "--root '%s'", oci->root);
  if (st.st_uid != geteuid() || (st.st_mode & (S_IWGRP | S_IWOTH)) != 0)
    return zl_fail(err, ZL_E_PERMISSION, 0, "--root '%s': others than its user may write to it",
                   oci->root);
  return 0;
}

int oci_container_new(const struct oci *oci, const char *id, struct oci_container *c,
                      struct zl_error *err)
{
  int r = check_id(id, err);

  if (r < 0)
    return r;
  c->id = id;
  c->root_fd = zl_path_open_dir(AT_FDCWD, oci->root, 0700);
  if (c->root_fd < 0)
    return zl_fail(err, ZL_E_SYSTEM, -zl_steal_fd(&c->root_fd), "--root '%s'", oci->root);
  r = check_root(oci, c->root_fd, err);
  if (r < 0)
    return r;
  if (mkdirat(c->root_fd, id, 0700) < 0)
    return errno == EEXIST
               ? zl_fail(err, ZL_E_CONFLICT, 0, "container with id '%s' exists already", id)
               : zl_fail_errno(err, "making the directory of container '%s'", id);
  r = open_dir(c, err);
  if (r == 0)
    r = zl_lock_acquire(c->dir_fd, "lock", 0, &c->lock_fd, err);
  if (r < 0)
    (void)zl_path_remove_tree(c->root_fd, id);
  return r;
}

int oci_container_forget(struct oci_container *c, struct zl_error *err)
{
  int r = zl_path_remove_tree(c->root_fd, c->id);

  return r < 0 ? zl_fail(err, ZL_E_SYSTEM, -r, "removing the state of container '%s'", c->id) : 0;
}

static int compare(const void *a, const void *b)
{
  return strcmp(*(char *const *)a, *(char *const *)b);
}

int oci_container_each(const struct oci *oci, oci_container_fn fn, void *ctx, struct zl_error *err)
{
  int fd = zl_fd_open(AT_FDCWD, oci->root, O_RDONLY | O_DIRECTORY, 0), r = 0;
  zl_autodir *dir = fd >= 0 ? fdopendir(fd) : NULL;
  zl_autostrv ids = NULL;
  struct dirent *e;

  if (fd == -ENOENT)
    return 0;
  if (dir == NULL)
    return zl_fail(err, ZL_E_SYSTEM, fd < 0 ? -fd : errno, "--root '%s'", oci->root);
  while (r == 0 && (e = readdir(dir)) != NULL)
    if (e->d_name[0] != '.')
      r = zl_strv_push(&ids, e->d_name, err);
  if (ids != NULL)
    qsort(ids, zl_strv_len((const char *const *)ids), sizeof(*ids), compare);
  for (size_t i = 0; r == 0 && ids != NULL && ids[i] != NULL; i++)
    r = fn(oci, ids[i], ctx, err);
  return r;
}

/* ---- The state ----------------------------------------------------------------------------- */

int oci_container_save(struct oci_container *c, struct zl_error *err)
{
  zl_autofree char *text = NULL;
  int r = zl_json_render(c->state, &text, err);

  return r < 0 ? r : zl_file_replace(c->dir_fd, "state.json", text, strlen(text), 0600, false, err);
}

/* The pid may be somebody else's by now: only with its start time it is the container's. */
static int find_process(struct oci_container *c, struct zl_error *err)
{
  uint64_t start_time = 0;

  if (c->pid == 0)
    return 0;
  c->pidfd = pidfd_open(c->pid, 0);
  if (c->pidfd < 0)
    return errno == ESRCH ? 0 : zl_fail_errno(err, "process %d", (int)c->pid);
  if (zl_proc_start_time(c->pid, &start_time, NULL) < 0 || start_time != c->start_time)
    zl_fd_closep(&c->pidfd);
  return 0;
}

/* Who only looks is told of a container as soon as its creator, who has the lock by then, has said
 * what it is: what he changes next waits for that lock. */
static int read_state(struct oci_container *c, bool to_change, struct zl_error *err)
{
  zl_autobuf text = ZL_BUF_INIT(ZL_MAX_BUNDLE);
  int64_t pid = 0, start_time = 0;
  int r = zl_file_read(c->dir_fd, "state.json", &text, err);

  if (r == -ZL_E_NOT_FOUND && !to_change)
    return zl_fail(err, ZL_E_NOT_FOUND, 0, "container '%s' does not exist", c->id);
  /* Its creator has died, or is about to write it. */
  if (r == -ZL_E_NOT_FOUND) {
    c->state = json_object();
    return c->state != NULL ? 0 : zl_fail_nomem(err, "state.json");
  }
  if (r == 0)
    r = zl_json_parse(text.data, text.len, "state.json", &c->state, err);
  if (r == 0)
    r = zl_json_get_int(c->state, "state.json", "pid", 0, INT32_MAX, 0, &pid, err);
  if (r == 0)
    r = zl_json_get_int(c->state, "state.json", "startTime", 0, INT64_MAX, 0, &start_time, err);
  c->pid = (pid_t)pid;
  c->start_time = (uint64_t)start_time;
  return r == 0 ? find_process(c, err) : r;
}

static int open_cgroup(struct oci_container *c, struct zl_error *err)
{
  const char *path;
  int r = zl_json_get_string(c->state, "state.json", "cgroup", &path, err);

  if (r < 0 || path == NULL)
    return r;
  r = zl_cgroup_root_open(&c->cgroup_root, err);
  if (r == 0)
    r = zl_cgroup_open(&c->cgroup_root, path, &c->cgroup, err);
  c->has_cgroup = r == 0;
  return r == -ZL_E_NOT_FOUND ? 0 : r;
}

int oci_container_open(const struct oci *oci, const char *id, bool to_change,
                       struct oci_container *c, struct zl_error *err)
{
  int r = check_id(id, err);

  if (r < 0)
    return r;
  c->id = id;
  c->root_fd = zl_fd_open(AT_FDCWD, oci->root, O_RDONLY | O_DIRECTORY, 0);
  if (c->root_fd < 0 && c->root_fd != -ENOENT)
    return zl_fail(err, ZL_E_SYSTEM, -c->root_fd, "--root '%s'", oci->root);
  if (c->root_fd < 0)
    return zl_fail(err, ZL_E_NOT_FOUND, 0, "container '%s' does not exist", id);
  r = check_root(oci, c->root_fd, err);
  if (r == 0)
    r = open_dir(c, err);
  if (r == 0 && to_change)
    r = zl_lock_acquire(c->dir_fd, "lock", LOCK_PATIENCE, &c->lock_fd, err);
  if (r == 0)
    r = read_state(c, to_change, err);
  return r == 0 ? open_cgroup(c, err) : r;
}

int oci_container_config(const struct oci_container *c, struct zl_engine_config **ret_config,
                         json_t **ret_doc, struct zl_error *err)
{
  zl_autobuf text = ZL_BUF_INIT(ZL_MAX_BUNDLE);
  zl_autojson *doc = NULL;
  int r = zl_file_read(c->dir_fd, "config.json", &text, err);

  if (r == 0)
    r = zl_engine_document_parse(text.data, text.len, &doc, err);
  if (r == 0 && ret_config != NULL)
    r = zl_engine_config_read(doc, ret_config, err);
  if (r == 0 && ret_doc != NULL)
    *ret_doc = zl_steal_ptr(&doc);
  return r;
}

int oci_enter_cgroup(void *cgroup, struct zl_error *err)
{
  const struct zl_cgroup *cg = cgroup;

  return zl_cgroup_add(cg, 0, cg->unified_fd >= 0, err);
}

const char *oci_container_keyring(const struct oci_container *c, char text[OCI_KEYRING_TEXT])
{
  if (!json_is_true(json_object_get(c->state, "keyring")))
    return NULL;
  (void)stpcpy(stpcpy(text, OCI_KEYRING), c->id);
  return text;
}

/* ---- The status ---------------------------------------------------------------------------- */

static bool has_ended(const struct oci_container *c)
{
  struct pollfd fd = { .fd = c->pidfd, .events = POLLIN };

  /* Readable as soon as it is a zombie: whose parent it is does not matter. */
  return c->pidfd < 0 || poll(&fd, 1, 0) > 0;
}

enum oci_status oci_container_status(const struct oci_container *c)
{
  bool frozen = false;

  if (c->pid == 0)
    return OCI_CREATING;
  if (has_ended(c))
    return OCI_STOPPED;
  if (oci_container_has_machine(c))
    return oci_machine_status(c);
  if (faccessat(c->dir_fd, OCI_GATE, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
    return OCI_CREATED;
  if (c->has_cgroup && zl_cgroup_is_frozen(&c->cgroup, &frozen, NULL) == 0 && frozen)
    return OCI_PAUSED;
  return OCI_RUNNING;
}

const char *oci_status_name(enum oci_status status)
{
  static const char *const names[] = {
    [OCI_CREATING] = "creating", [OCI_CREATED] = "created", [OCI_RUNNING] = "running",
    [OCI_PAUSED] = "paused",     [OCI_STOPPED] = "stopped",
  };

  return names[status];
}

json_t *oci_container_state(const struct oci_container *c, enum oci_status status)
{
  static const char *const members[] = { "bundle", "rootfs", "created", "annotations", "owner" };
  json_t *doc =
      json_pack("{s:s, s:s, s:i, s:s}", "ociVersion", OCI_SPEC_VERSION, "id", c->id, "pid",
                status == OCI_STOPPED ? 0 : (int)c->pid, "status", oci_status_name(status));

  for (size_t i = 0; doc != NULL && i < ZL_COUNT(members); i++) {
    json_t *member = json_object_get(c->state, members[i]);

    if (member != NULL && json_object_set(doc, members[i], member) < 0) {
      json_decref(doc);
      doc = NULL;
    }
  }
  return doc;
}
