/* SPDX-License-Identifier: Apache-2.0
 *
 * Events of systems and processes. They come on threads of the compute service's library, which
 * must not wait: what a callback does is to post them. Each system and process has a box with a
 * place for every kind of event that ends something (each comes once), so a box is never full.
 *
 * The library is given a number, not the box's address: an event of a handle that is being closed
 * finds no box and is dropped.
 */
#ifndef ZL_RUNTIME_HCS_MAIL_H
#define ZL_RUNTIME_HCS_MAIL_H

#include <pthread.h>

#include "runtime/hcs/api.h"

enum {
  ZL_HCS_MAIL_EXITED = 1 << 0,       /* the system or process; `exit` is the event's document */
  ZL_HCS_MAIL_CRASHED = 1 << 1,      /* the system's guest; `crash` is the report */
  ZL_HCS_MAIL_DISCONNECTED = 1 << 2, /* the compute service ended: the handle is dead */
  ZL_HCS_MAIL_ARRIVED = 1 << 3,      /* by zl_hcs_mail_post: a connection */
  ZL_HCS_MAIL_FAILED = 1 << 4,       /* by zl_hcs_mail_post: no connection will come */
  ZL_HCS_MAIL_CALLED_OFF = 1 << 5,   /* by zl_hcs_mail_post: whoever waits is to give up */
  ZL_HCS_MAIL_SYSTEM_GONE = 1 << 6   /* a process's system exited, or the service ended */
};

struct zl_hcs_mail {
  uint64_t number; /* what callbacks know it by; 0: not open */
  unsigned have;   /* ZL_HCS_MAIL_* */
  char *exit, *crash;
  pthread_cond_t arrived;
  const struct zl_hcs_mail *of; /* of a process: its system's box; NULL otherwise */
  struct zl_hcs_mail *next;
};

void zl_hcs_mail_open(struct zl_hcs_mail *mail);
/* After it no callback touches the box. Idempotent, also for one that was never opened (zeroed). */
void zl_hcs_mail_close(struct zl_hcs_mail *mail);

/* What is given to HcsSet…Callback, and its context. */
void zl_hcs_mail_event(struct zl_hcs_event *event, void *context);
void *zl_hcs_mail_context(const struct zl_hcs_mail *mail);

void zl_hcs_mail_post(struct zl_hcs_mail *mail, unsigned what);
void zl_hcs_mail_take(struct zl_hcs_mail *mail, unsigned what); /* forgets it */
/* What is there of `any` (ZL_HCS_MAIL_*), at the latest at the CLOCK_BOOTTIME deadline (UINT64_MAX:
 * none); 0: nothing came in time. */
unsigned zl_hcs_mail_wait(struct zl_hcs_mail *mail, unsigned any, uint64_t deadline_ns);
/* Copies of the documents; NULL: none. The caller frees them. */
char *zl_hcs_mail_exit(struct zl_hcs_mail *mail);
char *zl_hcs_mail_crash(struct zl_hcs_mail *mail);

#endif
