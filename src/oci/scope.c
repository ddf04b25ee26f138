/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/scope.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/strv.h"
#include "base/time.h"
#include "systemd/annotation.h"
#include "systemd/property.h"
#include "systemd/unit.h"

#define PATIENCE      (30 * ZL_NS_PER_S) /* a busy host's systemd takes seconds */
#define STOP_PATIENCE (10 * ZL_NS_PER_S) /* no process is left in it */

/* ---- Which --------------------------------------------------------------------------------- */

int oci_scope_plan(const struct oci *oci, const struct zl_engine_config *config, const char *id,
                   struct oci_scope *ret, struct zl_error *err)
{
  struct oci_scope scope = OCI_SCOPE_INIT;
  int r;

  if (!oci->systemd_cgroup && config->systemd_path != NULL)
    return zl_fail(err, ZL_E_UNSUPPORTED, 0,
                   "config.json: linux.cgroupsPath: '%.100s' is the systemd form, which needs "
                   "--systemd-cgroup",
                   config->systemd_path);
  if (!oci->systemd_cgroup)
    return 0;
  if (!zl_systemd_is_here())
    return zl_fail(err, ZL_E_UNSUPPORTED, 0,
                   "--systemd-cgroup: no systemd runs here (there is no /run/systemd/system); use "
                   "the caller's cgroupfs manager");
  r = zl_unit_name_parse(config->cgroups_path != NULL ? config->cgroups_path : config->systemd_path,
                         id, &scope.name, err);
  if (r == 0)
    r = zl_unit_name_path(&scope.name, scope.path, err);
  if (r < 0)
    return zl_wrap(err, "config.json");
  scope.is_used = true;
  *ret = scope;
  return 0;
}

static const char *unit_of(const struct oci_container *c)
{
  return json_string_value(json_object_get(c->state, OCI_UNIT));
}

/* ---- The holder ---------------------------------------------------------------------------- */

/* A scope needs a process from its first moment. The container's own comes later, when limits and
 * device rules are in force. */
_Noreturn static void hold(int fd)
{
  char byte;

  if (zl_child_begin(&fd, 1, NULL) == 0)
    (void)zl_fd_read_full(fd, &byte, sizeof(byte));
  _exit(0);
}

static int start_holder(struct oci_scope *scope, struct zl_error *err)
{
  int ends[2], r = zl_fd_pipe(ends, err);

  if (r < 0)
    return r;
  r = zl_child_clone(0, -1, &scope->holder, err);
  if (r == 0)
    hold(ends[0]);
  zl_fd_closep(&ends[0]);
  scope->release_fd = ends[1];
  return r < 0 ? r : 0;
}

void oci_scope_release(struct oci_scope *scope)
{
  zl_fd_closep(&scope->release_fd);
  zl_child_kill(&scope->holder);
}

/* The path in "0::/a/b" or, where there is no unified tree, "1:name=systemd:/a/b". */
static const char *path_in_line(const char *line, bool is_unified)
{
  const char *controllers = strchr(line, ':');

  if (is_unified)
    return zl_has_prefix(line, "0::") ? line + 3 : NULL;
  return controllers != NULL && zl_has_prefix(controllers, ":name=systemd:")
             ? strchr(controllers + 1, ':') + 1
             : NULL;
}

/* Where systemd has put the holder: in a container of its own it does not begin at the root. */
static int find_cgroup(struct oci_scope *scope, const struct oci_container *c, struct zl_error *err)
{
  zl_autobuf text = ZL_BUF_INIT(ZL_MAX_SMALL_FILE);
  const bool is_unified = c->cgroup_root.mode != ZL_CGROUP_V1;
  char file[48], *rest, *line;
  int r;

  (void)snprintf(file, sizeof(file), "/proc/%d/cgroup", (int)scope->holder.pid);
  r = zl_file_read(AT_FDCWD, file, &text, err);
  if (r < 0)
    return r;
  for (rest = text.data; (line = strsep(&rest, "\n")) != NULL;) {
    const char *path = path_in_line(line, is_unified);
    const char *last = path != NULL ? strrchr(path, '/') : NULL;

    if (last == NULL || strcmp(last + 1, scope->name.unit) != 0 ||
        strlen(path) > ZL_MAX_CGROUP_PATH)
      continue;
    (void)stpcpy(scope->path, path);
    return 0;
  }
  return zl_fail(err, ZL_E_REMOTE, 0, "systemd has not put the process into '%s'",
                 scope->name.unit);
}

/* ---- The unit ------------------------------------------------------------------------------ */

static bool needs_version(const struct zl_resources *res)
{
  return res->cpu_period_us != ZL_UNSET || res->cpus != NULL || res->mems != NULL;
}

static int put_limits(struct zl_systemd *s, struct zl_dbus_out *out,
                      const struct zl_cgroup_root *root, const struct zl_resources *res,
                      struct zl_error *err)
{
  struct zl_property_host host = { .is_v2 = root->mode == ZL_CGROUP_V2 };
  int r = needs_version(res) ? zl_systemd_version(s, &host.version, err) : 0;

  if (r < 0)
    return r;
  zl_property_resources(out, res, &host);
  return out->r;
}

static int start_unit(const struct oci_scope *scope, struct oci_container *c,
                      const struct zl_resources *res, struct zl_error *err)
{
  zl_autosystemd systemd = ZL_SYSTEMD_INIT;
  zl_autodbusout properties = ZL_DBUS_OUT_INIT(err);
  int r = zl_systemd_open(&systemd, PATIENCE, err);

  if (r == 0)
    zl_property_unit(&properties, &scope->name, c->id, scope->holder.pid);
  /* What the document's limits say comes later and wins. */
  if (r == 0)
    r = zl_annotations_put(&properties, json_object_get(c->state, "annotations"), err);
  if (r == 0)
    r = put_limits(&systemd, &properties, &c->cgroup_root, res, err);
  if (r == 0 && c->cgroup_root.mode != ZL_CGROUP_V2)
    zl_property_devices(&properties, res);
  if (r == 0)
    r = properties.r;
  if (r == 0) {
    r = zl_systemd_start(&systemd, scope->name.unit, &properties.buf, err);
    if (r != -ZL_E_CONFLICT)
      return r;
  }
  /* There is none, or it is another's: not to be stopped by who tidies up. */
  (void)json_object_del(c->state, OCI_UNIT);
  return r;
}

/* Whoever deletes the container looks for the cgroup where state.json says. */
static int correct_state(const struct oci_scope *scope, struct oci_container *c,
                         struct zl_error *err)
{
  const char *known = json_string_value(json_object_get(c->state, "cgroup"));

  if (known != NULL && strcmp(known, scope->path) == 0)
    return 0;
  if (json_object_set_new(c->state, "cgroup", json_string(scope->path)) < 0)
    return zl_fail_nomem(err, "state.json");
  return oci_container_save(c, err);
}

int oci_scope_start(struct oci_scope *scope, struct oci_container *c,
                    const struct zl_resources *res, struct zl_error *err)
{
  int r = scope->name.is_slice ? 0 : start_holder(scope, err);

  if (r == 0)
    r = start_unit(scope, c, res, err);
  if (r == 0 && !scope->name.is_slice)
    r = find_cgroup(scope, c, err);
  if (r == 0)
    r = correct_state(scope, c, err);
  if (r == 0)
    r = zl_cgroup_adopt(&c->cgroup_root, scope->path, &c->cgroup, err);
  c->has_cgroup = r == 0;
  return r == 0 ? zl_cgroup_join_all(&c->cgroup, err) : r;
}

/* systemd wants processor time by the second: of quota and period it needs both. */
static int complete(const struct zl_cgroup *cg, struct zl_resources *res, struct zl_error *err)
{
  int64_t quota, period;
  int r;

  if ((res->cpu_quota_us == ZL_UNSET) == (res->cpu_period_us == ZL_UNSET))
    return 0;
  r = zl_cgroup_bandwidth(cg, &quota, &period, err);
  if (r < 0)
    return r;
  if (res->cpu_quota_us == ZL_UNSET)
    res->cpu_quota_us = quota;
  else
    res->cpu_period_us = period;
  return 0;
}

int oci_scope_update(const struct oci_container *c, const struct zl_resources *res,
                     struct zl_error *err)
{
  zl_autosystemd systemd = ZL_SYSTEMD_INIT;
  zl_autodbusout properties = ZL_DBUS_OUT_INIT(err);
  struct zl_resources whole = *res;
  const char *unit = unit_of(c);
  int r;

  if (unit == NULL)
    return 0;
  r = complete(&c->cgroup, &whole, err);
  if (r == 0)
    r = zl_systemd_open(&systemd, PATIENCE, err);
  if (r == 0)
    r = put_limits(&systemd, &properties, &c->cgroup_root, &whole, err);
  if (r == 0 && res->n_devices > 0 && c->cgroup_root.mode != ZL_CGROUP_V2)
    zl_property_devices(&properties, res);
  if (r == 0)
    r = properties.r;
  if (r < 0 || properties.buf.len == 0)
    return r;
  return zl_systemd_change(&systemd, unit, &properties.buf, err);
}

int oci_scope_stop(const struct oci_container *c, struct zl_error *err)
{
  zl_autosystemd systemd = ZL_SYSTEMD_INIT;
  const char *unit = unit_of(c);
  int r;

  if (unit == NULL || !zl_systemd_is_here())
    return 0;
  r = zl_systemd_open(&systemd, STOP_PATIENCE, err);
  return r == 0 ? zl_systemd_stop(&systemd, unit, err) : r;
}
