/* SPDX-License-Identifier: Apache-2.0
 *
 * A compute system: a container on the host's kernel, or a machine. Thread-safe but for close.
 */
#ifndef ZL_RUNTIME_HCS_SYSTEM_H
#define ZL_RUNTIME_HCS_SYSTEM_H

#include "runtime/hcs/mail.h"
#include "runtime/hcs/operation.h"

enum {
  ZL_HCS_END_MS = 30 * 1000 /* from a shutdown or a termination to the exit event */
};

struct zl_hcs_system {
  const struct zl_hcs_api *api;
  char *id;
  void *handle;
  struct zl_hcs_mail mail;
  uint32_t end_ms; /* ZL_HCS_END_MS */
  bool started;
};

/* An earlier system of the same id, which a crash left, is ended first. The system ends with its
 * last handle. The caller ends with zl_hcs_system_close. */
int zl_hcs_system_create(const struct zl_hcs_api *api, const char *id, const json_t *document,
                         struct zl_hcs_system **ret, struct zl_error *err);
/* ZL_E_NOT_FOUND. */
int zl_hcs_system_open(const struct zl_hcs_api *api, const char *id, struct zl_hcs_system **ret,
                       struct zl_error *err);
/* Only lets go: a handle that is the last one ends the system. NULL is fine. */
void zl_hcs_system_close(struct zl_hcs_system *system);

int zl_hcs_system_start(struct zl_hcs_system *system, struct zl_error *err);
int zl_hcs_system_pause(struct zl_hcs_system *system, bool freeze, struct zl_error *err);
int zl_hcs_system_modify(struct zl_hcs_system *system, const json_t *document, const char *what,
                         struct zl_error *err);
/* The document that was asked for (doc.h's queries); the caller releases it. */
int zl_hcs_system_properties(struct zl_hcs_system *system, const json_t *query, json_t **ret,
                             struct zl_error *err);

/* Waits for the exit event. ZL_E_TIMEOUT; ZL_E_REMOTE: the compute service ended. */
int zl_hcs_system_wait(struct zl_hcs_system *system, uint64_t timeout_ms, struct zl_error *err);
bool zl_hcs_system_has_exited(struct zl_hcs_system *system);
/* How it ended, for messages: "UnexpectedExit, status 0xc0370106". Returns `text`. */
enum {
  ZL_HCS_EXIT_TEXT = 160
};
const char *zl_hcs_system_exit_text(struct zl_hcs_system *system, char text[ZL_HCS_EXIT_TEXT]);

/* Asks it to shut down and waits for its end, then ends it by force and waits again. Success when
 * it has ended before or never existed. ZL_E_TIMEOUT: it is still there. */
int zl_hcs_system_end(struct zl_hcs_system *system, bool forced, struct zl_error *err);

/* Basic properties of each system of an owner, an array that the caller releases. */
int zl_hcs_systems_of(const struct zl_hcs_api *api, const char *owner, json_t **ret,
                      struct zl_error *err);
/* Ends a system by its id, if there is one, and waits until it is gone. Idempotent. */
int zl_hcs_system_reap(const struct zl_hcs_api *api, const char *id, struct zl_error *err);

#endif
