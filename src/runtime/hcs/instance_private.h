/* SPDX-License-Identifier: Apache-2.0
 *
 * What the files instance*.c share.
 */
#ifndef ZL_RUNTIME_HCS_INSTANCE_PRIVATE_H
#define ZL_RUNTIME_HCS_INSTANCE_PRIVATE_H

#include "runtime/hcs/assemble.h"
#include "runtime/hcs/instance.h"
#include "runtime/hcs/scratch.h"
#include "runtime/hcs/undo.h"
#include "runtime/hcs/uvm.h"
#include "runtime/hcs/wclayer.h"

/* zl_hcs_link, copied. */
struct zl_hcs_own_link {
  char *slice, *address, *gateway;
  unsigned prefix;
  char **dns_servers, **dns_search;
  struct zl_hcn_port *ports;
  size_t n_ports;
};

struct zl_hcs_instance {
  const struct zl_hcs_node *node;
  struct zl_hcs_instance_hooks hooks;
  char *id;
  bool in_machine, has_network, console, input;
  uint64_t memory_limit; /* bytes; UINT64_MAX: none */

  /* What is on the host. Changed under `turn` only. */
  pthread_mutex_t turn; /* create, start, stop and remove, one at a time */
  struct zl_undo undo;
  size_t before_system;  /* steps of `undo` below the network's and the system's */
  size_t before_machine; /* those with the machine's files */
  struct zl_wclayer_chain *chain;
  struct zl_hcs_scratch scratch;
  char **dirs; /* sources of mounted directories: a machine is granted them */
  struct zl_hcs_own_link link;
  struct zl_hcn_ids hcn;
  struct zl_hcs_uvm uvm;
  struct zl_hcs_documents documents;
  struct zl_hcs_system *system; /* process: the container's; hyperv: borrowed of `uvm` */
  struct zl_hcs_guest *guest;

  /* The command. */
  struct zl_hcs_task *task;
  pthread_t waiter, reader_out, reader_err;
  bool has_waiter, has_out, has_err;

  pthread_mutex_t lock; /* of all below */
  pthread_cond_t changed;
  struct zl_hcs_status status;
  bool out_done, err_done;
  unsigned execs;
};

struct zl_hcn zl_hcs_instance_hcn(const struct zl_hcs_instance *c);
uint32_t zl_hcs_instance_end_ms(const struct zl_hcs_instance *c);

/* Copies what the network is to be, and makes it (instance_network.c). */
int zl_hcs_instance_note_link(struct zl_hcs_instance *c, const struct zl_hcs_link *link,
                              struct zl_error *err);
void zl_hcs_instance_forget_link(struct zl_hcs_own_link *link);
int zl_hcs_instance_make_network(struct zl_hcs_instance *c, struct zl_error *err);
/* Makes the system, or its machine, after its network, and notes how it is undone
 * (instance_system.c). */
int zl_hcs_instance_make_system(struct zl_hcs_instance *c, struct zl_error *err);
/* From the start of the system to that of the command (instance_start.c). */
int zl_hcs_instance_boot(struct zl_hcs_instance *c, struct zl_error *err);
/* Threads that read and wait (instance_run.c). */
int zl_hcs_instance_watch(struct zl_hcs_instance *c, struct zl_error *err);
void zl_hcs_instance_join(struct zl_hcs_instance *c);

#endif
