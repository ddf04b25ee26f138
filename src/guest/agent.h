/* SPDX-License-Identifier: Apache-2.0
 *
 * The state of the guest agent: one machine, one container in it, its processes, and the two ports
 * to the host (docs/bridge.md). One thread, one epoll instance.
 */
#ifndef ZL_GUEST_AGENT_H
#define ZL_GUEST_AGENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <zlayer/error.h>

#include "bridge/frame.h"
#include "bridge/link.h"
#include "bridge/mux.h"
#include "bridge/server.h"
#include "guest/container.h"
#include "guest/process.h"
#include "guest/spares.h"

enum {
  /* What an event of the epoll instance is about; streams are numbered from the last one on. */
  KEY_SIGNALS,
  KEY_BRIDGE,
  KEY_STDIO,
  KEY_STREAMS
};

enum ending {
  ENDING_NOT,
  ENDING_WITH_CONTAINER, /* as soon as the container has ended */
  ENDING_NOW
};

/* An unanswered WaitForProcess. */
struct waiter {
  uint64_t id;
  struct process *process;
  uint64_t deadline_ns; /* CLOCK_BOOTTIME; UINT64_MAX: none */
};

struct agent {
  bool is_machine;  /* the first process of a machine, which may be configured and switched off */
  bool is_graceful; /* the end was asked for politely: what is written has to reach the disks */
  enum ending ending;
  int epoll_fd, signal_fd;
  struct zl_link bridge, stdio;
  uint32_t bridge_events, stdio_events; /* what each is watched for */
  struct zl_bridge_server *server;
  struct zl_mux *mux;
  struct container container;
  struct container spares[MAX_SPARES]; /* prepared; the last one is next */
  size_t n_spares;
  struct process processes[MAX_PROCESSES];
  uint64_t next_serial;
  struct waiter waiters[ZL_BRIDGE_MAX_CALLS];
  size_t n_waiters;
};

/* The two descriptors are connected, non-blocking byte streams; they are borrowed. */
int agent_open(struct agent *agent, bool is_machine, int bridge_fd, int stdio_fd,
               struct zl_error *err);
void agent_close(struct agent *agent);

/* Serves the host until the machine is to be switched off or the host has gone. */
int agent_run(struct agent *agent, struct zl_error *err);

#endif
