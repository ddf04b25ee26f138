/* SPDX-License-Identifier: Apache-2.0
 *
 * The calls of docs/bridge.md with typed arguments, and what their answers say. Each function that
 * takes a client makes one zl_bridge_call and fails as that does, or with ZL_E_INVALID for a text
 * that is no UTF-8. Strings and JSON are borrowed for the call. rpc_windows.h has those that only a
 * Windows guest understands.
 */
#ifndef ZL_BRIDGE_RPC_H
#define ZL_BRIDGE_RPC_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <zlayer/error.h>
#include <zlayer/runtime.h>

#include "bridge/client.h"

/* What is to happen with the answer: as in struct zl_bridge_call. */
struct zl_rpc_then {
  uint64_t deadline_ns; /* UINT64_MAX: none */
  zl_bridge_reply_fn fn;
  void *ctx;
  uint64_t *ret_id; /* for zl_bridge_cancel; may be NULL */
};

/* ---- The machine --------------------------------------------------------------------------- */

int zl_rpc_negotiate(struct zl_bridge_client *client, const struct zl_rpc_then *then,
                     struct zl_error *err);

/* Members that are NULL or 0 are not sent. */
struct zl_rpc_identity {
  const char *hostname;
  uint64_t wall_clock_ns; /* CLOCK_REALTIME */
  const void *entropy;
  size_t entropy_len;
  const char *machine_id; /* 32 hex digits */
};
int zl_rpc_identity(struct zl_bridge_client *client, const struct zl_rpc_identity *identity,
                    const struct zl_rpc_then *then, struct zl_error *err);

struct zl_rpc_network {
  const char *mac;     /* "02:00:0a:c8:00:02"; NULL: as it is */
  const char *address; /* NULL: the link goes down */
  unsigned prefix;     /* of the address */
  const char *gateway; /* NULL: no default route */
  unsigned mtu;        /* 0: not sent */
};
int zl_rpc_network(struct zl_bridge_client *client, const struct zl_rpc_network *network,
                   const struct zl_rpc_then *then, struct zl_error *err);

struct zl_rpc_disk {
  unsigned lun; /* 0 is the guest's /dev/vda */
  const char *mount_path;
  bool read_only;
  const char *filesystem; /* "erofs", "ext4" */
};
int zl_rpc_disk_add(struct zl_bridge_client *client, const struct zl_rpc_disk *disk,
                    const struct zl_rpc_then *then, struct zl_error *err);
int zl_rpc_disk_remove(struct zl_bridge_client *client, const struct zl_rpc_disk *disk,
                       const struct zl_rpc_then *then, struct zl_error *err);

struct zl_rpc_directory {
  const char *share_name; /* 9p tag */
  const char *mount_path;
  bool read_only;
};
int zl_rpc_directory_add(struct zl_bridge_client *client, const struct zl_rpc_directory *directory,
                         const struct zl_rpc_then *then, struct zl_error *err);

int zl_rpc_dump_stacks(struct zl_bridge_client *client, const struct zl_rpc_then *then,
                       struct zl_error *err);

/* ---- The container ------------------------------------------------------------------------- */

/* `bundle` is config.json with paths of the guest (bridge/guest.h); `files` {name: text} are
 * written beside it, NULL: none. An empty zlayer.layers has no writable layer. */
int zl_rpc_create(struct zl_bridge_client *client, const char *container_id, json_t *bundle,
                  json_t *files, const struct zl_rpc_then *then, struct zl_error *err);
/* The same up to where its program matters; the id is that of nobody until the next call. */
int zl_rpc_prepare(struct zl_bridge_client *client, const char *container_id, json_t *bundle,
                   json_t *files, const struct zl_rpc_then *then, struct zl_error *err);
/* The prepared container becomes this one; `amendment` holds what differs from its bundle
 * (zl_engine_config_amend). */
int zl_rpc_create_prepared(struct zl_bridge_client *client, const char *container_id,
                           json_t *amendment, json_t *files, const struct zl_rpc_then *then,
                           struct zl_error *err);
int zl_rpc_start(struct zl_bridge_client *client, const char *container_id,
                 const struct zl_rpc_then *then, struct zl_error *err);
int zl_rpc_freeze(struct zl_bridge_client *client, const char *container_id, bool frozen,
                  const struct zl_rpc_then *then, struct zl_error *err);
int zl_rpc_shutdown(struct zl_bridge_client *client, const char *container_id, bool forced,
                    const struct zl_rpc_then *then, struct zl_error *err);
int zl_rpc_delete(struct zl_bridge_client *client, const char *container_id,
                  const struct zl_rpc_then *then, struct zl_error *err);

enum {
  ZL_RPC_STATISTICS = 1,
  ZL_RPC_PROCESS_LIST = 2,
  ZL_RPC_MEMORY = 4,     /* of the machine */
  ZL_RPC_SYSTEM_GUID = 8 /* Windows */
};
/* `what`: some of the above. */
int zl_rpc_properties(struct zl_bridge_client *client, const char *container_id, unsigned what,
                      const struct zl_rpc_then *then, struct zl_error *err);

/* ---- Its processes ------------------------------------------------------------------------- */

struct zl_rpc_process {
  json_t *oci;                          /* OCI process; NULL: the container's own first one */
  bool console;                         /* then `err` is not used */
  unsigned height, width;               /* of the console; 0: not known */
  uint32_t in_port, out_port, err_port; /* 0: no such stream */
};
int zl_rpc_execute(struct zl_bridge_client *client, const char *container_id,
                   const struct zl_rpc_process *process, const struct zl_rpc_then *then,
                   struct zl_error *err);
/* Waits without a limit in the guest; the answer comes when the process has ended. */
int zl_rpc_wait(struct zl_bridge_client *client, const char *container_id, uint32_t process_id,
                const struct zl_rpc_then *then, struct zl_error *err);
int zl_rpc_signal(struct zl_bridge_client *client, const char *container_id, uint32_t process_id,
                  int number, const struct zl_rpc_then *then, struct zl_error *err);
int zl_rpc_resize(struct zl_bridge_client *client, const char *container_id, uint32_t process_id,
                  unsigned height, unsigned width, const struct zl_rpc_then *then,
                  struct zl_error *err);

/* ---- Answers ------------------------------------------------------------------------------- */

/* All of these: ZL_E_INVALID when the answer has not the documented shape. */

struct zl_rpc_capabilities {
  unsigned version;
  bool windows; /* RuntimeOsType; absent means Windows */
  bool send_host_create, send_host_start, hvsocket_config, lifecycle_notifications,
      modify_service_settings;
  /* GuestDefinedCapabilities */
  bool namespace_add, signal_process, dump_stacks, delete_container_state, update_container,
      log_forwarding, host_process;
};
/* ZL_E_UNSUPPORTED: another version than 4. */
int zl_rpc_parse_capabilities(const json_t *reply, struct zl_rpc_capabilities *ret,
                              struct zl_error *err);

int zl_rpc_parse_process_id(const json_t *reply, uint32_t *ret, struct zl_error *err);

struct zl_rpc_exit {
  uint32_t exit_code; /* Windows uses all 32 bits */
  int signal;         /* 0: none */
  bool oom_killed;
};
int zl_rpc_parse_exit(const json_t *reply, struct zl_rpc_exit *ret, struct zl_error *err);

/* The properties asked for, as an object that the caller releases: for the three below. */
int zl_rpc_parse_properties(const json_t *reply, json_t **ret, struct zl_error *err);
/* ZL_E_NOT_FOUND for each: this property is not among them. A negative limit is none. */
int zl_rpc_parse_statistics(const json_t *properties, struct zl_stats *ret, struct zl_error *err);
int zl_rpc_parse_memory(const json_t *properties, uint64_t *ret_total, uint64_t *ret_available,
                        struct zl_error *err);
/* At most `max` ids are written; *ret_count may be larger. */
int zl_rpc_parse_process_list(const json_t *properties, uint32_t *ids, size_t max,
                              size_t *ret_count, struct zl_error *err);

/* Borrowed from the answer; never NULL. */
const char *zl_rpc_stacks(const json_t *reply);

#endif
