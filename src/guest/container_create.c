/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/json.h"
#include "base/path.h"
#include "guest/agent.h"
#include "guest/bundle.h"
#include "net/linux/link.h"

enum {
  SCHEMA_MAJOR = 2,
  MAX_FILES = 16, /* name files of a bundle: hosts, resolv.conf, hostname */
  MAX_FILE_NAME = 64,
  MAX_FILE_TEXT = 64 << 10 /* of one of them: a large hosts file */
};

/* ---- The bundle's files -------------------------------------------------------------------- */

static int write_file(int dir_fd, const char *name, const json_t *text, struct zl_error *err)
{
  zl_autofd fd = -1;
  int r;

  if (!zl_path_is_name(name, MAX_FILE_NAME) || !json_is_string(text) ||
      json_string_length(text) > MAX_FILE_TEXT)
    return zl_fail(err, ZL_E_INVALID, 0, "Files: '%.100s' is no name or has no text of at most %d",
                   name, MAX_FILE_TEXT);
  fd = zl_fd_open(dir_fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, 0644);
  r = fd < 0 ? fd : zl_fd_write_full(fd, json_string_value(text), json_string_length(text));
  return r < 0 ? zl_fail(err, ZL_E_SYSTEM, -r, "writing '%s' of the bundle", name) : 0;
}

static int write_files(const json_t *config, struct zl_error *err)
{
  const char *path, *name;
  zl_autofd dir = -1;
  json_t *files, *text;
  int r = zl_json_get_object(config, "ContainerConfig", "Files", &files, err);

  if (r == 0)
    r = zl_json_get_string(config, "ContainerConfig", "OciBundlePath", &path, err);
  if (r < 0 || files == NULL)
    return r;
  if (path == NULL || *path != '/' || json_object_size(files) > MAX_FILES)
    return zl_fail(err, ZL_E_INVALID, 0, "Files: needs an OciBundlePath, and at most %d entries",
                   MAX_FILES);
  dir = zl_path_open_dir(AT_FDCWD, path, 0755);
  if (dir < 0)
    return zl_fail(err, ZL_E_SYSTEM, -dir, "bundle directory '%s'", path);
  json_object_foreach (files, name, text) {
    r = write_file(dir, name, text, err);
    if (r < 0)
      return r;
  }
  return 0;
}

/* ---- Parts --------------------------------------------------------------------------------- */

static int check_schema(const json_t *config, struct zl_error *err)
{
  json_t *version;
  int64_t major;
  int r = zl_json_get_object(config, "ContainerConfig", "SchemaVersion", &version, err);

  if (r == 0)
    r = zl_json_get_int(version, "SchemaVersion", "Major", 0, INT32_MAX, SCHEMA_MAJOR, &major, err);
  if (r == 0 && major != SCHEMA_MAJOR)
    r = zl_fail(err, ZL_E_UNSUPPORTED, 0, "SchemaVersion: %d is the one known here", SCHEMA_MAJOR);
  return r;
}

static int read_bundle(struct agent *agent, const json_t *config, struct zl_error *err)
{
  struct container *c = &agent->container;
  json_t *specification;
  int r = check_schema(config, err);

  if (r == 0)
    r = zl_json_get_object(config, "ContainerConfig", "OciSpecification", &specification, err);
  if (r == 0 && specification == NULL)
    r = zl_fail(err, ZL_E_INVALID, 0, "ContainerConfig: has no OciSpecification");
  if (r == 0)
    r = bundle_add_devices(specification, err);
  if (r == 0 && agent->is_machine)
    r = bundle_set_network(specification, err);
  if (r == 0)
    r = zl_engine_config_read(specification, &c->config, err);
  /* The machine has one link, which the host's request configures; the engine makes none. */
  if (r == 0 && (c->config->zlayer.network.mode == ZL_NET_BRIDGE ||
                 c->config->zlayer.network.mode == ZL_NET_PATH))
    r = zl_fail(err, ZL_E_UNSUPPORTED, 0,
                "zlayer.network.mode: in a machine it is \"host\" or \"none\"");
  return r;
}

int container_prepare_scratch(int dir_fd, struct zl_error *err)
{
  if ((mkdirat(dir_fd, "upper", 0755) < 0 && errno != EEXIST) ||
      (mkdirat(dir_fd, "work", 0755) < 0 && errno != EEXIST))
    return zl_fail_errno(err, "making the directories of the writable layer");
  return 0;
}

static int open_scratch(const json_t *config, int *ret_fd, struct zl_error *err)
{
  zl_autofd fd = -1;
  const char *path;
  int r = zl_json_get_string(config, "ContainerConfig", "ScratchDirPath", &path, err);

  if (r < 0 || path == NULL)
    return r;
  fd = zl_fd_open(AT_FDCWD, path, O_RDONLY | O_DIRECTORY, 0);
  if (fd < 0)
    return zl_fail(err, ZL_E_SYSTEM, -fd, "scratch directory '%s'", path);
  r = container_prepare_scratch(fd, err);
  if (r == 0)
    *ret_fd = zl_steal_fd(&fd);
  return r;
}

/* ---- Standard streams ---------------------------------------------------------------------- */

/* The workload's ends, until it has them. */
struct stdio {
  int fds[STREAM_COUNT];
};

static void stdio_done(struct stdio *stdio)
{
  for (int i = 0; i < STREAM_COUNT; i++)
    zl_fd_closep(&stdio->fds[i]);
}

static int open_pipes(const struct container *c, bool is_prepared, struct stdio *stdio,
                      struct zl_error *err)
{
  for (int i = 0; i < STREAM_COUNT && !c->config->process.terminal; i++) {
    int ends[2], r;

    if (i == STREAM_IN && !c->config->zlayer.open_stdin && !is_prepared)
      continue;
    r = zl_fd_pipe(ends, err);
    if (r < 0)
      return r;
    stdio->fds[i] = ends[i == STREAM_IN ? 0 : 1];
    stream_open(&c->init->streams[i], ends[i == STREAM_IN ? 1 : 0]);
  }
  return 0;
}

/* ---- The whole ----------------------------------------------------------------------------- */

static int enter(void *ctx, struct zl_error *err)
{
  const struct container *c = ctx;

  return c->group.exists ? zl_cgroup_add(&c->group.cgroup, 0, c->group.cgroup.unified_fd >= 0, err)
                         : 0;
}

static int configure(void *ctx, int proc_fd, struct zl_error *err)
{
  const struct container *c = ctx;

  (void)proc_fd;
  return c->config->zlayer.network.mode == ZL_NET_NONE ? zl_link_lo_up(err) : 0;
}

struct zl_container_hooks container_hooks(struct container *c)
{
  return (struct zl_container_hooks){ .ctx = c, .enter = enter, .configure = configure };
}

static int build(struct agent *agent, const json_t *config, bool is_prepared, struct zl_error *err)
{
  ZL_CLEANUP(stdio_done) struct stdio stdio = { .fds = { -1, -1, -1 } };
  struct container *c = &agent->container;
  struct zl_container_spec spec = { .netns_fd = -1, .gate_fd = -1, .hooks = container_hooks(c) };
  zl_autofree char *path = NULL;
  int r = read_bundle(agent, config, err);

  if (r == 0)
    r = write_files(config, err);
  if (r == 0)
    r = open_scratch(config, &c->scratch_fd, err);
  if (r == 0 && is_prepared)
    r = spares_keep_apart(agent, &path, &c->scratch_fd, err);
  if (r == 0)
    r = process_new(agent, &c->init, err);
  if (r == 0)
    r = open_pipes(c, is_prepared, &stdio, err);
  if (r == 0)
    r = group_make(&c->group, path != NULL ? path : c->config->cgroups_path, &c->config->resources,
                   err);
  if (r < 0)
    return r;
  spec.config = c->config;
  spec.dir_fd = c->scratch_fd;
  spec.checks_program = c->config->zlayer.layers == NULL || c->config->zlayer.layers[0] == NULL;
  memcpy(spec.stdio, stdio.fds, sizeof(spec.stdio));
  spec.cgroup_fd = c->group.cgroup.unified_fd;
  spec.amended = is_prepared ? c->config : NULL;
  r = is_prepared ? zl_container_prepare(&spec, &c->engine, err)
                  : zl_container_create(&spec, &c->engine, err);
  if (r < 0 && group_had_oom(&c->group))
    r = zl_fail(err, ZL_E_LIMIT, 0, "the memory limit is too small to start anything");
  return r;
}

static int make(struct agent *agent, const json_t *config, bool is_prepared, struct zl_error *err)
{
  struct container *c = &agent->container;
  int r = build(agent, config, is_prepared, err);

  if (r < 0)
    return r;
  c->init->is_init = true;
  process_begin(c->init, &c->engine.init);
  c->status = is_prepared ? CONTAINER_PREPARED : CONTAINER_CREATED;
  return 0;
}

/* ---- One that was prepared ----------------------------------------------------------------- */

/* Every stream was opened for it: those that the program has not are closed again. */
static void close_spare_streams(struct container *c)
{
  bool terminal = c->config->process.terminal;

  if (terminal || !c->config->zlayer.open_stdin)
    stream_close(&c->init->streams[STREAM_IN]);
  if (!terminal)
    return;
  stream_close(&c->init->streams[STREAM_OUT]);
  stream_close(&c->init->streams[STREAM_ERR]);
}

static int amend(struct container *c, const json_t *config, const json_t *amendment,
                 struct zl_error *err)
{
  struct zl_container_spec spec = { .config = c->config, .gate_fd = -1 };
  zl_autofree char *text = NULL;
  int r = zl_json_render(amendment, &text, err);

  if (r == 0)
    r = zl_engine_config_amend(c->config, amendment, err);
  if (r == 0)
    r = write_files(config, err);
  if (r == 0 && json_object_get(amendment, "linux") != NULL)
    r = zl_cgroup_apply(&c->group.cgroup, &c->config->resources, err);
  if (r < 0)
    return r;
  close_spare_streams(c);
  r = zl_container_finish(&spec, text, &c->engine, err);
  if (r < 0 && group_had_oom(&c->group))
    r = zl_fail(err, ZL_E_LIMIT, 0, "the memory limit is too small to start anything");
  return r;
}

static int take_prepared(struct agent *agent, const json_t *config, const json_t *amendment,
                         struct zl_error *err)
{
  struct container *c = &agent->container;
  int r;

  r = check_schema(config, err);
  if (r == 0)
    r = amend(c, config, amendment, err);
  if (r == 0)
    c->status = CONTAINER_CREATED;
  return r;
}

/* ---- Both ---------------------------------------------------------------------------------- */

/* None that is prepared is left. */
static int delete_prepared(struct agent *agent, struct zl_error *err)
{
  int r = 0;

  while (r == 0 && agent->container.status == CONTAINER_PREPARED)
    r = container_delete(agent, err);
  return r;
}

int container_create(struct agent *agent, const char *id, const json_t *config,
                     struct zl_error *err)
{
  struct container *c = &agent->container;
  bool is_prepared = false;
  json_t *amendment;
  int r = zl_json_get_object(config, "ContainerConfig", "Amendment", &amendment, err);

  if (r == 0)
    r = zl_json_get_bool(config, "ContainerConfig", "Prepare", false, &is_prepared, err);
  if (r < 0)
    return r;
  if (c->status != CONTAINER_NONE && c->status != CONTAINER_PREPARED)
    return zl_fail(err, ZL_E_CONFLICT, 0, "this machine has the container '%s' already", c->id);
  if (!zl_path_is_name(id, ZL_MAX_ID) || strcmp(id, ZL_BRIDGE_NULL_GUID) == 0)
    return zl_fail(err, ZL_E_INVALID, 0, "ContainerId: '%.100s' is none", id);
  if (c->status == CONTAINER_NONE && amendment != NULL)
    return zl_fail(err, ZL_E_CONFLICT, 0, "Amendment: no container is prepared in this machine");
  if (c->status == CONTAINER_PREPARED && amendment == NULL)
    r = is_prepared ? spares_push(agent, err) : delete_prepared(agent, err);
  if (r < 0)
    return r;
  (void)stpcpy(c->id, id);
  r = amendment != NULL ? take_prepared(agent, config, amendment, err)
                        : make(agent, config, is_prepared, err);
  if (r < 0) {
    container_remove(agent);
    (void)spares_pop(agent);
  }
  return r;
}
