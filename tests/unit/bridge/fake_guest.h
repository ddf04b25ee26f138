/* SPDX-License-Identifier: Apache-2.0
 *
 * A guest for tests: the real server behind a real socket, with one fault that strikes when one
 * kind of message comes. Without a fault it answers everything as a good guest does.
 */
#ifndef ZL_TEST_FAKE_GUEST_H
#define ZL_TEST_FAKE_GUEST_H

#include "bridge/link.h"

enum fake_fault {
  FAKE_GOOD,
  FAKE_DROP,           /* this message is not answered, later ones are */
  FAKE_DELAY,          /* it is answered by fake_guest_release */
  FAKE_WRONG_VERSION,  /* NegotiateProtocol is answered with version 5 */
  FAKE_OVERSIZED,      /* a frame of 64 KiB and a byte comes instead of the answer */
  FAKE_UNDERSIZED,     /* one of 8 bytes */
  FAKE_NOTIFIES_FIRST, /* the container's end comes before the answer */
  FAKE_WRONG_ID,       /* the answer is to another call */
  FAKE_GARBAGE,        /* bytes that are no frame */
  FAKE_NOT_JSON,       /* a frame whose body is no JSON */
  FAKE_SILENT,         /* from now on nothing is answered */
  FAKE_HALF_FRAME      /* hangs up in the middle of the answer */
};

struct fake_guest {
  struct zl_bridge_server *server;
  struct zl_link link;
  int fd; /* owned; -1: hung up */
  enum fake_fault fault;
  enum zl_bridge_message at;
  bool silent;                      /* FAKE_SILENT has struck */
  struct zl_bridge_request delayed; /* id and message only */
  int requests;                     /* that have come, negotiations excepted */
  /* Sees each request first; true: it is dealt with. NULL: nobody looks. */
  bool (*seen)(struct fake_guest *guest, const struct zl_bridge_request *request);
};

/* Takes the descriptor over. */
void fake_guest_init(struct fake_guest *guest, int fd, enum fake_fault fault,
                     enum zl_bridge_message at);
void fake_guest_done(struct fake_guest *guest);

/* Reads what has come and answers. */
void fake_guest_turn(struct fake_guest *guest, short revents);
void fake_guest_release(struct fake_guest *guest);
void fake_guest_hang_up(struct fake_guest *guest);

#endif
