/* SPDX-License-Identifier: Apache-2.0
 *
 * Transient units of systemd: made, changed, stopped. A job is waited for until systemd says how it
 * has ended.
 */
#ifndef ZL_SYSTEMD_UNIT_H
#define ZL_SYSTEMD_UNIT_H

#include "systemd/bus.h"

enum {
  ZL_SYSTEMD_JOBS = 4, /* ended ones that are remembered until they are asked for */
  ZL_SYSTEMD_JOB_PATH = 128,
  ZL_SYSTEMD_JOB_RESULT = 32
};

struct zl_systemd_job {
  char path[ZL_SYSTEMD_JOB_PATH], result[ZL_SYSTEMD_JOB_RESULT];
};

struct zl_systemd {
  struct zl_bus bus;
  char owner[ZL_MAX_DBUS_NAME + 1]; /* systemd's name on the bus; "" on its own socket */
  const char *unit;                 /* whose jobs are noted; borrowed */
  struct zl_systemd_job ended[ZL_SYSTEMD_JOBS];
  size_t n_ended; /* ever */
};

#define ZL_SYSTEMD_INIT \
  {                     \
    .bus = ZL_BUS_INIT  \
  }

/* Whether systemd runs this system. */
bool zl_systemd_is_here(void);

/* Connects, and asks to be told of jobs; each call and each job may take `patience_ns`.
 * The caller ends with zl_systemd_close, in any case; *s must stay where it is until then. */
int zl_systemd_open(struct zl_systemd *s, uint64_t patience_ns, struct zl_error *err);
/* The same for a connection that is there; `owner` is systemd's name on the bus, NULL: `fd` leads
 * to systemd itself. */
void zl_systemd_attach(struct zl_systemd *s, int fd, const char *owner, uint64_t patience_ns);
void zl_systemd_close(struct zl_systemd *s);
#define zl_autosystemd ZL_CLEANUP(zl_systemd_close) struct zl_systemd

/* Its version, "252.39-1" being 252. */
int zl_systemd_version(struct zl_systemd *s, unsigned *ret, struct zl_error *err);

/* Starts a transient unit. `properties` are elements of an array of (sv), written by property.h. A
 * failed unit of that name is forgotten first; ZL_E_CONFLICT: there is one that has not ended. */
int zl_systemd_start(struct zl_systemd *s, const char *unit, const struct zl_buf *properties,
                     struct zl_error *err);

/* Changes properties until the unit ends or the system does. systemd has written their files when
 * this returns. */
int zl_systemd_change(struct zl_systemd *s, const char *unit, const struct zl_buf *properties,
                      struct zl_error *err);

/* Stops it and forgets how it ended. Success when there is none. */
int zl_systemd_stop(struct zl_systemd *s, const char *unit, struct zl_error *err);

#endif
