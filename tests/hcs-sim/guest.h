/* SPDX-License-Identifier: Apache-2.0
 *
 * The agent in a machine: guest.c has its connection, guest_*.c what it does with each message.
 */
#ifndef HCS_SIM_GUEST_H
#define HCS_SIM_GUEST_H

#include "machine.h"

#define GCS_TIMEOUT UINT32_C(0xc0370109)
#define GCS_VERSION UINT32_C(0xc037010c)

enum stage { /* of the cold start: another order kills the machine */
  FRESH,
  NEGOTIATED,
  HOST_CREATED,
  HOST_STARTED,
  READY
};

struct guest {
  struct system *vm;
  SOCKET socket;
  CRITICAL_SECTION sending;
  enum stage stage;
  bool over;
  json_t *mounts;     /* {path: LUN} */
  json_t *combined;   /* {root: layers} */
  json_t *namespaces; /* {guid: document} */
  json_t *adapters;   /* {guid: {"state": "PreAdd" | "Add", "endpoint"}} */
};

struct message {
  struct guest *guest;
  char name[40]; /* "guest:Create" */
  uint32_t type;
  uint64_t id;
  json_t *body;
  json_t *answer;   /* of success: what is in it beside the result */
  struct call call; /* for refusals, and the checks that containers of the host go through, too */
};

typedef uint32_t (*message_fn)(struct message *m);
struct message_kind {
  uint32_t type;
  const char *name;
  message_fn fn;
  bool slow; /* does not keep the next message waiting */
};
extern const struct message_kind guest_messages[];

bool guest_is_host(const struct message *m); /* it is about the machine itself */
/* The container of a message, or NULL. */
struct system *guest_container(const struct message *m);
uint32_t guest_modify(struct message *m);
uint32_t guest_execute(struct message *m);
/* A connection to what listens in the host for this service; INVALID_SOCKET: nothing does. */
SOCKET guest_dial(const struct system *vm, const char *service);

#endif
