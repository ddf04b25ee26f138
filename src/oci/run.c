/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "oci/create.h"
#include "oci/delete.h"
#include "oci/foreground.h"
#include "oci/notify.h"
#include "oci/start.h"

static void destroy(struct oci_container *c)
{
  struct zl_error err = { 0 };

  if (oci_destroy(c, &err) < 0)
    zl_warning("%s", err.msg);
}

/* Nobody waits for our lock while the program runs: `kill` and `exec` take none, and `delete` of a
 * running container is meant to wait only as long as something changes. */
static void unlock(struct oci_container *c)
{
  zl_fd_closep(&c->lock_fd);
}

static int run_made(struct oci_container *c, struct zl_container *made, bool detach, bool keep,
                    struct zl_error *err)
{
  struct oci_started started;
  zl_autofd notify = -1;
  int r;

  if (!detach)
    oci_foreground_hold_signals();
  r = oci_start_container(c, &started, err);
  notify = started.notify_fd;
  if (r == 0 && detach && made->master >= 0)
    r = zl_fail(err, ZL_E_INVALID, 0, "--detach with a terminal needs --console-socket");
  if (r < 0) {
    zl_child_kill(&made->init);
    destroy(c);
    return r;
  }
  unlock(c);
  if (notify >= 0)
    (detach ? oci_notify_relay : oci_notify_relay_beside)(notify, made->init.pidfd);
  if (detach)
    return 0;
  r = oci_foreground(&made->init, &made->master, err);
  if (!keep)
    destroy(c);
  return r;
}

int oci_run(const struct oci *oci, int argc, char **argv, struct zl_error *err)
{
  struct oci_create create = { .bundle = NULL };
  struct oci_option options[OCI_CREATE_OPTIONS + 3];
  oci_autocontainer c = OCI_CONTAINER_INIT;
  struct zl_container made = ZL_CONTAINER_INIT;
  size_t n = oci_create_options(&create, options);
  bool detach = false, keep = false;
  const char *id;
  int r;

  options[n++] =
      (struct oci_option){ .name = "detach", .letter = 'd', .kind = OCI_FLAG, .variable = &detach };
  options[n++] = (struct oci_option){ .name = "keep", .kind = OCI_FLAG, .variable = &keep };
  options[n++] = (struct oci_option){ .name = "no-subreaper", .kind = OCI_NOTHING };
  r = oci_options_id(options, n, argc, argv, &id, err);
  if (r == 0)
    r = oci_create_container(oci, id, &create, &c, &made, err);
  if (r < 0)
    return r;
  r = run_made(&c, &made, detach, keep, err);
  zl_container_leave(&made);
  return r;
}
