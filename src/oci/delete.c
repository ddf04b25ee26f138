/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/delete.h"

#include <poll.h>
#include <regex.h>
#include <signal.h>
#include <sys/pidfd.h>

#include "base/time.h"
#include "oci/hooks.h"
#include "oci/options.h"
#include "oci/scope.h"

#define KILL_PATIENCE  (10 * ZL_NS_PER_S)
#define MOVED_PATIENCE (200 * ZL_NS_PER_MS)

static int end_first(struct oci_container *c, struct zl_error *err)
{
  struct pollfd fd = { .fd = c->pidfd, .events = POLLIN };

  if (c->pidfd < 0)
    return 0;
  (void)pidfd_send_signal(c->pidfd, SIGKILL, NULL, 0);
  if (poll(&fd, 1, (int)(MOVED_PATIENCE / ZL_NS_PER_MS)) > 0)
    return 0;
  /* Somebody has put it into a frozen cgroup of v1, where nothing dies; in ours it does. */
  if (c->has_cgroup)
    (void)zl_cgroup_add(&c->cgroup, c->pid, true, NULL);
  if (poll(&fd, 1, (int)(KILL_PATIENCE / ZL_NS_PER_MS)) > 0)
    return 0;
  return zl_fail(err, ZL_E_TIMEOUT, 0, "the first process of '%s' does not die", c->id);
}

int oci_end(struct oci_container *c, struct zl_error *err)
{
  int r = c->has_cgroup ? zl_cgroup_kill(&c->cgroup, err) : 0;

  if (r == 0)
    r = end_first(c, err);
  if (r == 0 && c->has_cgroup)
    r = zl_cgroup_wait_empty(&c->cgroup, KILL_PATIENCE, err);
  if (r == 0)
    r = oci_scope_stop(c, err);
  return r == 0 && c->has_cgroup ? zl_cgroup_remove(&c->cgroup, err) : r;
}

int oci_destroy(struct oci_container *c, struct zl_error *err)
{
  int r = oci_end(c, err);

  /* With processes left its state must stay: it is what finds them again. */
  if (r < 0)
    return r;
  (void)oci_run_hooks(c, ZL_HOOK_POSTSTOP, OCI_STOPPED, NULL);
  return oci_container_forget(c, err);
}

static int delete_one(const struct oci *oci, const char *id, bool force, struct zl_error *err)
{
  oci_autocontainer c = OCI_CONTAINER_INIT;
  enum oci_status status;
  int r = oci_container_open(oci, id, true, &c, err);
  if (r == -ZL_E_NOT_FOUND && force)
    return 0; /* as with rm -f */
  if (r < 0)
    return r;
  status = oci_container_status(&c);
  if (!force && status != OCI_STOPPED && status != OCI_CREATING)
    return zl_fail(err, ZL_E_CONFLICT, 0, "cannot delete container '%s' that is not stopped: %s",
                   id, oci_status_name(status));
  return oci_destroy(&c, err);
}

struct wanted {
  regex_t pattern;
  bool force;
};

static int delete_matching(const struct oci *oci, const char *id, void *ctx, struct zl_error *err)
{
  const struct wanted *wanted = ctx;

  return regexec(&wanted->pattern, id, 0, NULL, 0) == 0 ? delete_one(oci, id, wanted->force, err)
                                                        : 0;
}

/* As crun has it: all whose id the extended expression matches somewhere. */
static int delete_all(const struct oci *oci, const char *pattern, bool force, struct zl_error *err)
{
  struct wanted wanted = { .force = force };
  char why[128];
  int r = regcomp(&wanted.pattern, pattern, REG_EXTENDED | REG_NOSUB);

  if (r != 0) {
    (void)regerror(r, &wanted.pattern, why, sizeof(why));
    return zl_fail(err, ZL_E_INVALID, 0, "--regex '%.100s': %s", pattern, why);
  }
  r = oci_container_each(oci, delete_matching, &wanted, err);
  regfree(&wanted.pattern);
  return r;
}

int oci_delete(const struct oci *oci, int argc, char **argv, struct zl_error *err)
{
  bool force = false, regex = false;
  const struct oci_option options[] = {
    { .name = "force", .letter = 'f', .kind = OCI_FLAG, .variable = &force },
    { .name = "regex", .letter = 'r', .kind = OCI_FLAG, .variable = &regex },
  };
  const char *id;
  int r = oci_options_id(options, ZL_COUNT(options), argc, argv, &id, err);

  if (r < 0)
    return r;
  return (regex ? delete_all : delete_one)(oci, id, force, err);
}
