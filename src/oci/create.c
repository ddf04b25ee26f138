/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/create.h"

#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/path.h"
#include "base/proc.h"
#include "base/strv.h"
#include "base/time.h"
#include "engine/gate.h"
#include "net/linux/link.h"
#include "oci/adopt.h"
#include "oci/console.h"
#include "oci/delete.h"
#include "oci/filter.h"
#include "oci/links.h"
#include "oci/machine.h"
#include "oci/notify.h"
#include "oci/pidfile.h"
#include "oci/scope.h"

size_t oci_create_options(struct oci_create *create, struct oci_option *options)
{
  const struct oci_option all[] = {
    { .name = "bundle", .letter = 'b', .kind = OCI_TEXT, .variable = &create->bundle },
    { .name = "config", .letter = 'f', .kind = OCI_TEXT, .variable = &create->config },
    { .name = "pid-file", .kind = OCI_TEXT, .variable = &create->pid_file },
    { .name = "console-socket", .kind = OCI_TEXT, .variable = &create->console_socket },
    { .name = "preserve-fds", .kind = OCI_NUMBER, .variable = &create->preserved_fds },
    { .name = "no-new-keyring", .kind = OCI_FLAG, .variable = &create->no_new_keyring },
    { .name = "no-pivot",
      .kind = OCI_REFUSED,
      .why = "a root that cannot be pivoted (an initramfs) is not supported" },
  };

  _Static_assert(ZL_COUNT(all) <= OCI_CREATE_OPTIONS, "room for all");
  memcpy(options, all, sizeof(all));
  return ZL_COUNT(all);
}

enum {
  PATH_TEXT = 4096 /* what the kernel tells of a path */
};

/* What is on its way to a container. */
struct plan {
  const struct oci_create *options;
  struct oci_container *c;
  const struct oci *oci;
  struct oci_scope scope;
  int bundle_fd;
  char *bundle; /* absolute */
  char *rootfs; /* absolute */
  json_t *doc;
  struct zl_engine_config *config;
  bool has_machine;
  char *state;                     /* the OCI state document, for hooks */
  struct zl_seccomp_filter filter; /* of config->filter */
  int64_t listeners;               /* of $LISTEN_FDS */
  struct oci_adopted adopted;
  struct oci_links links;
};

static void plan_done(struct plan *plan)
{
  oci_scope_release(&plan->scope);
  zl_fd_closep(&plan->bundle_fd);
  free(plan->bundle);
  free(plan->rootfs);
  json_decref(plan->doc);
  zl_engine_config_free(plan->config);
  free(plan->state);
  zl_seccomp_filter_done(&plan->filter);
  oci_adopted_done(&plan->adopted);
  oci_links_done(&plan->links);
}

/* ---- Reading the bundle -------------------------------------------------------------------- */

/* Opens the directory; *ret_path is its own absolute path. Returns the descriptor or -errno. */
static int open_directory(const char *path, char **ret_path)
{
  zl_autofd fd = zl_fd_open(AT_FDCWD, path, O_PATH | O_DIRECTORY, 0);
  char link[ZL_FD_PATH], text[PATH_TEXT];
  ssize_t n;

  if (fd < 0)
    return fd;
  n = readlink(zl_path_of_fd(fd, link), text, sizeof(text));
  *ret_path = n >= 0 ? strndup(text, (size_t)n) : NULL;
  return *ret_path != NULL ? zl_steal_fd(&fd) : -errno;
}

/* Who reads the state, hooks above all, knows the bundle by the path that was given. */
static int find_bundle(struct plan *plan, struct zl_error *err)
{
  const char *path = plan->options->bundle != NULL ? plan->options->bundle : ".";

  plan->bundle_fd = open_directory(path, &plan->bundle);
  if (plan->bundle_fd < 0)
    return zl_fail(err, ZL_E_SYSTEM, -zl_steal_fd(&plan->bundle_fd), "--bundle '%s'", path);
  if (*path != '/')
    return 0;
  free(plan->bundle);
  plan->bundle = strdup(path);
  return plan->bundle != NULL ? 0 : zl_fail_nomem(err, "--bundle");
}

static int find_rootfs(struct plan *plan, struct zl_error *err)
{
  const char *path = plan->config->root_path;
  zl_autofree char *whole = NULL;
  zl_autofd fd = -1;

  if (path == NULL)
    return zl_fail(err, ZL_E_INVALID, 0, "config.json: root.path: must be given");
  whole = *path == '/' ? strdup(path) : zl_asprintf("%s/%s", plan->bundle, path);
  if (whole == NULL)
    return zl_fail_nomem(err, "root.path");
  fd = open_directory(whole, &plan->rootfs);
  if (fd < 0)
    return zl_fail(err, ZL_E_SYSTEM, -zl_steal_fd(&fd), "config.json: root.path '%s'", path);
  plan->config->root_path = plan->rootfs;
  return 0;
}

/* A profile that is left out for a filter beside it would be missed in a machine. */
static int read_document(struct plan *plan, struct zl_buf *text, struct zl_error *err)
{
  int r;

  if (!oci_machine_is_possible())
    return oci_filter_read(plan->c, text, &plan->doc, &plan->config, &plan->filter, err);
  r = zl_engine_document_parse(text->data, text->len, &plan->doc, err);
  plan->has_machine = r == 0 && oci_machine_is_for(plan->doc);
  return r == 0 ? zl_engine_config_read(plan->doc, &plan->config, err) : r;
}

static int read_bundle(struct plan *plan, struct zl_error *err)
{
  const char *config = plan->options->config;
  zl_autobuf text = ZL_BUF_INIT(ZL_MAX_BUNDLE);
  int r = find_bundle(plan, err);

  if (r < 0)
    return r;
  if (config == NULL || strcmp(config, "config.json") == 0)
    r = zl_file_read(plan->bundle_fd, "config.json", &text, err);
  else
    r = zl_file_read(AT_FDCWD, config, &text, err);
  if (r == 0)
    r = read_document(plan, &text, err);
  if (r < 0 || plan->config == NULL)
    return r;
  if (plan->config->zlayer.present)
    r = zl_fail(err, ZL_E_UNSUPPORTED, 0, "config.json: zlayer: is for zlayer's own containers");
  if (r == 0)
    r = find_rootfs(plan, err);
  if (r == 0)
    r = oci_adopt(plan->config, plan->doc, plan->listeners, &plan->adopted, err);
  if (r == 0)
    r = oci_notify_prepare(plan->c, plan->config, &plan->adopted, err);
  if (r == 0)
    r = zl_file_replace(plan->c->dir_fd, "config.json", text.data, text.len, 0600, false, err);
  return r;
}

/* ---- The state ----------------------------------------------------------------------------- */

static const char *cgroup_path(const struct plan *plan, char text[OCI_MAX_ID + 2])
{
  if (plan->scope.is_used)
    return plan->scope.path;
  if (plan->config->cgroups_path != NULL)
    return plan->config->cgroups_path;
  *text = '/';
  (void)stpcpy(text + 1, plan->c->id);
  return text;
}

/* Written before anything is made: whoever finds the directory of a runtime that was killed knows
 * what to remove. */
static int save_intent(struct plan *plan, struct zl_error *err)
{
  const struct zl_namespace *pids = &plan->config->namespaces[ZL_NS_PID];
  char path[OCI_MAX_ID + 2], time[ZL_TIME_TEXT];
  json_t *annotations = json_object_get(plan->doc, "annotations");

  (void)zl_time_format(zl_time_wall(), time);
  plan->c->state =
      json_pack("{s:s, s:s, s:s, s:s, s:s*, s:O*, s:s, s:b, s:b, s:b, s:b}", "bundle", plan->bundle,
                "rootfs", plan->rootfs, "created", time, "cgroup", cgroup_path(plan, path),
                OCI_UNIT, plan->scope.is_used ? plan->scope.name.unit : NULL, "annotations",
                annotations, "owner", geteuid() == 0 ? "root" : "", "hooks",
                json_object_size(json_object_get(plan->doc, "hooks")) > 0, "keyring",
                !plan->options->no_new_keyring, OCI_SHARED_PIDS,
                !pids->present || pids->path != NULL, OCI_MACHINE, plan->has_machine);
  return plan->c->state != NULL ? oci_container_save(plan->c, err)
                                : zl_fail_nomem(err, "state.json");
}

static int save_process(struct plan *plan, const struct zl_container *made, struct zl_error *err)
{
  struct oci_container *c = plan->c;
  int r = zl_proc_start_time(made->init.pid, &c->start_time, err);

  if (r < 0)
    return r;
  c->pid = made->init.pid;
  if (json_object_set_new(c->state, "pid", json_integer(c->pid)) < 0 ||
      json_object_set_new(c->state, "startTime", json_integer((json_int_t)c->start_time)) < 0)
    return zl_fail_nomem(err, "state.json");
  c->pidfd = zl_fd_copy(made->init.pidfd);
  return c->pidfd < 0 ? zl_fail(err, ZL_E_SYSTEM, -zl_steal_fd(&c->pidfd), "pidfd")
                      : oci_container_save(c, err);
}

/* ---- The container ------------------------------------------------------------------------- */

/* With cgroups below it none can be replaced, nor get rules for devices (v1). */
static int replace_cgroup(const struct plan *plan, const char *path, const struct zl_resources *res,
                          struct zl_error *err)
{
  const struct zl_cgroup_root *root = &plan->c->cgroup_root;
  struct zl_cgroup *cgroup = &plan->c->cgroup;
  int r = zl_cgroup_take(root, path, res, cgroup, err); /* it is without processes, then */

  if (r < 0)
    return r;
  zl_cgroup_close(cgroup);
  r = zl_cgroup_open(root, path, cgroup, err);
  if (r < 0)
    return r;
  r = zl_cgroup_remove(cgroup, err);
  zl_cgroup_close(cgroup);
  return r == 0 ? zl_cgroup_create(root, path, res, cgroup, err) : r;
}

/* One that the caller has named may be one that it has prepared; another is a left-over. */
static int claim_cgroup(struct plan *plan, const struct zl_resources *res, struct zl_error *err)
{
  struct oci_container *c = plan->c;
  char text[OCI_MAX_ID + 2];
  const char *path = cgroup_path(plan, text);

  if (plan->config->cgroups_path != NULL)
    return zl_cgroup_take(&c->cgroup_root, path, res, &c->cgroup, err);
  if (zl_cgroup_create(&c->cgroup_root, path, res, &c->cgroup, NULL) == 0)
    return 0;
  return replace_cgroup(plan, path, res, err);
}

static int make_plain_cgroup(struct plan *plan, const struct zl_resources *res,
                             struct zl_error *err)
{
  struct oci_container *c = plan->c;
  int r = claim_cgroup(plan, res, err);

  c->has_cgroup = r == 0;
  return r == 0 ? zl_cgroup_join_all(&c->cgroup, err) : r;
}

static int make_cgroup(struct plan *plan, const struct zl_resources *res, struct zl_error *err)
{
  struct oci_container *c = plan->c;
  int r = zl_cgroup_root_open(&c->cgroup_root, err);

  if (r == 0)
    r = plan->scope.is_used ? oci_scope_start(&plan->scope, c, res, err)
                            : make_plain_cgroup(plan, res, err);
  if (r == 0)
    r = zl_cgroup_apply(&c->cgroup, res, err);
  return r;
}

static int enter(void *ctx, struct zl_error *err)
{
  const struct plan *plan = ctx;

  return oci_enter_cgroup(&plan->c->cgroup, err);
}

static int join(void *ctx, const struct zl_child *child, struct zl_error *err)
{
  const struct plan *plan = ctx;

  return oci_links_give(&plan->links, plan->config, child->pid, err);
}

static bool has_new_network(const struct zl_engine_config *config)
{
  return config->namespaces[ZL_NS_NETWORK].present &&
         config->namespaces[ZL_NS_NETWORK].path == NULL;
}

/* A network namespace that nobody else sets up has its loopback up, as every runtime does it. */
static int configure(void *ctx, int proc_fd, struct zl_error *err)
{
  const struct plan *plan = ctx;
  int r = has_new_network(plan->config) ? zl_link_lo_up(err) : 0;

  (void)proc_fd;
  return r == 0 ? oci_links_take(&plan->links, err) : r;
}

static int render_state(struct plan *plan, struct zl_error *err)
{
  zl_autojson *state = oci_container_state(plan->c, OCI_CREATING);

  return state != NULL ? zl_json_render(state, &plan->state, err)
                       : zl_fail_nomem(err, "the container's state");
}

/* Relative sources of mounts are meant from the bundle. */
static int create_from_bundle(const struct plan *plan, const struct zl_container_spec *spec,
                              struct zl_container *made, struct zl_error *err)
{
  zl_autofd here = zl_fd_open(AT_FDCWD, ".", O_PATH | O_DIRECTORY, 0);
  int r;

  if (fchdir(plan->bundle_fd) < 0)
    return zl_fail_errno(err, "--bundle '%s'", plan->bundle);
  r = zl_container_create(spec, made, err);
  if (here >= 0 && fchdir(here) < 0 && r == 0)
    zl_warning("returning to the working directory: %s", strerror(errno));
  return r;
}

static int build(struct plan *plan, struct zl_container *made, struct zl_error *err)
{
  struct oci_container *c = plan->c;
  char keyring[OCI_KEYRING_TEXT];
  zl_autofd gate = -1;
  struct zl_container_spec spec = { .config = plan->config,
                                    .dir_fd = -1,
                                    .stdio = { STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO },
                                    .netns_fd = -1,
                                    .is_free = true,
                                    .preserved_fds =
                                        (unsigned)(plan->listeners + plan->options->preserved_fds),
                                    .hooks = { plan, enter, join, NULL } };
  const struct zl_resources *res = &plan->config->resources;
  int r = make_cgroup(plan, res, err);

  if (r == 0)
    r = zl_cgroup_set_devices(&c->cgroup, res->devices, res->n_devices, err);
  if (has_new_network(plan->config) || plan->links.n > 0)
    spec.hooks.configure = configure;
  if (r == 0)
    r = render_state(plan, err);
  if (r == 0)
    r = zl_gate_make(c->dir_fd, OCI_GATE, &gate, err);
  if (r < 0)
    return r;
  spec.state_json = plan->state;
  spec.keyring = oci_container_keyring(c, keyring);
  spec.gate_fd = gate;
  spec.cgroup_fd = c->cgroup.unified_fd;
  r = create_from_bundle(plan, &spec, made, err);
  oci_scope_release(&plan->scope);
  return r;
}

/* What of the host only its own kernel can hand over. */
static int check_machine(const struct plan *plan, struct zl_error *err)
{
  if (plan->links.n > 0)
    return zl_fail(err, ZL_E_UNSUPPORTED, 0, "linux.netDevices: not with a machine");
  if (plan->adopted.notify_source != NULL)
    return zl_fail(err, ZL_E_UNSUPPORTED, 0,
                   "NOTIFY_SOCKET: a program in a machine cannot reach it; unset it");
  return 0;
}

/* Devices of a machine are its own, and what it is made of needs some of the host's. */
static int build_machine(struct plan *plan, struct zl_container *made, struct zl_error *err)
{
  const struct oci_machine_spec spec = { .doc = plan->doc,
                                         .config = plan->config,
                                         .rootfs = plan->rootfs,
                                         .bundle_fd = plan->bundle_fd,
                                         .state_json = plan->state,
                                         .preserved_fds =
                                             plan->listeners + plan->options->preserved_fds };
  zl_autoresources *res = NULL;
  int r = check_machine(plan, err);

  if (r == 0)
    r = oci_machine_resources(plan->doc, &res, err);
  if (r == 0)
    r = make_cgroup(plan, res, err);
  if (r == 0)
    r = oci_machine_create(plan->c, &spec, made, err);
  oci_scope_release(&plan->scope);
  return r;
}

/* ---- The whole ----------------------------------------------------------------------------- */

static int check_terminal(const struct plan *plan, struct zl_error *err)
{
  if (plan->options->console_socket != NULL && !plan->config->process.terminal)
    return zl_fail(err, ZL_E_INVALID, 0,
                   "--console-socket: config.json has no process.terminal: true");
  return 0;
}

static int make(struct plan *plan, struct zl_container *made, struct zl_error *err)
{
  const struct oci_create *options = plan->options;
  int r = read_bundle(plan, err);

  if (r < 0 || plan->config == NULL) /* the second never without the first */
    return r;
  r = check_terminal(plan, err);
  if (r == 0)
    r = oci_links_find(plan->config, &plan->links, err);
  if (r == 0)
    r = oci_scope_plan(plan->oci, plan->config, plan->c->id, &plan->scope, err);
  if (r == 0 && options->console_socket == NULL)
    oci_console_adopt_size(&plan->config->process);
  if (r == 0)
    r = save_intent(plan, err);
  if (r == 0 && plan->has_machine)
    r = render_state(plan, err);
  if (r == 0)
    r = plan->has_machine ? build_machine(plan, made, err) : build(plan, made, err);
  if (r == 0 && options->console_socket != NULL)
    r = oci_console_send(options->console_socket, &made->master, err);
  if (r == 0)
    r = save_process(plan, made, err);
  if (r == 0 && options->pid_file != NULL)
    r = oci_pidfile_write(options->pid_file, made->init.pid, err);
  return r;
}

static void undo(struct oci_container *c, struct zl_container *made)
{
  struct zl_error err = { 0 };

  zl_container_done(made);
  /* What cannot be undone stays known, for `delete --force`. */
  if (oci_destroy(c, &err) < 0)
    zl_warning("%s", err.msg);
}

int oci_create_container(const struct oci *oci, const char *id, const struct oci_create *create,
                         struct oci_container *c, struct zl_container *made, struct zl_error *err)
{
  ZL_CLEANUP(plan_done)
  struct plan plan = {
    .options = create, .c = c, .oci = oci, .scope = OCI_SCOPE_INIT, .bundle_fd = -1
  };
  int r = oci_adopt_listeners(&plan.listeners, err);

  if (r == 0)
    r = oci_check_preserved(plan.listeners + create->preserved_fds, err);
  if (r == 0)
    r = oci_container_new(oci, id, c, err);
  if (r < 0)
    return r;
  r = make(&plan, made, err);
  if (r < 0) {
    oci_scope_release(&plan.scope);
    undo(c, made);
  }
  return r;
}

int oci_create(const struct oci *oci, int argc, char **argv, struct zl_error *err)
{
  struct oci_create create = { .bundle = NULL };
  struct oci_option options[OCI_CREATE_OPTIONS];
  oci_autocontainer c = OCI_CONTAINER_INIT;
  struct zl_container made = ZL_CONTAINER_INIT;
  size_t n = oci_create_options(&create, options);
  const char *id;
  int r = oci_options_id(options, n, argc, argv, &id, err);

  if (r == 0)
    r = oci_create_container(oci, id, &create, &c, &made, err);
  if (r == 0 && made.master >= 0) {
    r = zl_fail(err, ZL_E_INVALID, 0,
                "config.json: process.terminal: needs --console-socket, as this command ends");
    undo(&c, &made);
  }
  zl_container_leave(&made);
  return r;
}
