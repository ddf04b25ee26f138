/* SPDX-License-Identifier: Apache-2.0
 *
 * The open runtime and what the files of this room share. Opening is cheap: descriptors of the
 * directories only; database, images, network and backends are opened at first use.
 */
#ifndef ZL_RUNTIME_NODE_H
#define ZL_RUNTIME_NODE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/json.h"
#include "base/time.h"
#include "image/image.h"
#include "net/net.h"
#include "runtime/runtime.h"
#include "store/store.h"

enum {
  ZL_NODE_BACKENDS = 4
};

struct zl_runtime {
  char *root; /* absolute */
  int root_fd, containers_fd, locks_fd;
  char boot_id[ZL_BOOT_ID_TEXT];
  char *slice_cidr; /* as given or from the environment; NULL: ask the node's configuration */
  unsigned scratch_size_gb; /* as given; 0: the node's configuration */
  char *helper_dir;         /* as given or from the environment; NULL: look for it */
  const char *backend;      /* forced; NULL: by isolation. A static text */

  pthread_mutex_t lock; /* of the members below, which are opened at first use */
  struct zl_store *store;
  struct zl_image_store *images;
  struct zl_net *net;
  struct zl_backend *backends[ZL_NODE_BACKENDS];
};

/* Each opens at first use; the result belongs to the runtime. */
int zl_node_store(struct zl_runtime *rt, struct zl_store **ret, struct zl_error *err);
int zl_node_images(struct zl_runtime *rt, struct zl_image_store **ret, struct zl_error *err);
int zl_node_net(struct zl_runtime *rt, struct zl_net **ret, struct zl_error *err);
/* The directory of the helper programs. The caller frees it. */
int zl_node_helper_dir(struct zl_runtime *rt, char **ret, struct zl_error *err);

/* Opens containers/<id>. ZL_E_NOT_FOUND. */
int zl_node_container_dir(struct zl_runtime *rt, const char *id, int *ret_fd, struct zl_error *err);

/* ---- Operation locks (locks.c) -------------------------------------------------------------- */

/* Serialises create, remove and repair of one container, between threads and processes. Waits for
 * the other operation, at most a minute: ZL_E_CONFLICT. Released by closing *ret_fd. */
int zl_node_lock(struct zl_runtime *rt, const char *id, int *ret_fd, struct zl_error *err);
/* Without waiting: false when somebody has it. */
bool zl_node_try_lock(struct zl_runtime *rt, const char *id, int *ret_fd);
/* The same for a container whose record was read a moment ago: false also when it has gone since,
 * or is another of the same id. */
struct zl_record;
bool zl_node_try_lock_of(struct zl_runtime *rt, const struct zl_record *record, int *ret_fd);
bool zl_node_is_locked(struct zl_runtime *rt, const char *id);
/* Under the lock: the file goes with the container. */
void zl_node_forget_lock(struct zl_runtime *rt, const char *id);
/* Whether `id` is the lock file of an operation that was killed before there was a container, or
 * after: nobody holds it and there is neither row nor directory. `remove` takes it away. */
bool zl_node_is_stale_lock(struct zl_runtime *rt, const char *id, bool remove);

/* ---- Records (record.c): the rows of one container ------------------------------------------- */

struct zl_record {
  char *id, *name, *deployment, *service, *role;
  uint32_t replica;
  uint64_t node_id;
  char *backend, *isolation;
  char *image, *image_digest;
  char *config; /* JSON, see describe.c */
  char *boot_id;
  bool auto_remove;
  uint64_t created_at_ns;
  int32_t creator_pid; /* auto_remove only: the process that made it; 0: not known */
  uint64_t creator_start;
};

void zl_record_done(struct zl_record *record);
#define zl_autorecord ZL_CLEANUP(zl_record_done) struct zl_record

/* By display id, name, or unambiguous prefix of the id. A container that the database lost but that
 * runs is taken back first (adopt.c). ZL_E_NOT_FOUND. */
int zl_record_find(struct zl_runtime *rt, const char *text, struct zl_record *ret,
                   struct zl_error *err);
/* The same without opening the database, which takes as long as a whole exec: only while it is not
 * open yet, and only a full id, or a name of the kind `zlayer run --name` gives. The creator is not
 * known. < 0: ask zl_record_find. */
int zl_record_find_quick(struct zl_runtime *rt, const char *text, struct zl_record *ret);
/* By display id exactly, in the database only. ZL_E_NOT_FOUND. */
int zl_record_load(struct zl_runtime *rt, const char *id, struct zl_record *ret,
                   struct zl_error *err);
/* By creation time. Free with zl_records_free. */
int zl_record_list(struct zl_runtime *rt, struct zl_record **ret, size_t *ret_count,
                   struct zl_error *err);
void zl_records_free(struct zl_record *records, size_t count);
/* Inside a transaction. ZL_E_CONFLICT: id or name is taken. */
int zl_record_insert(struct zl_store *store, const struct zl_record *record, struct zl_error *err);
int zl_record_journal(struct zl_store *store, const struct zl_record *record, const char *kind,
                      const char *name, struct zl_error *err);
/* Every row of the container in one transaction of its own. Idempotent. */
int zl_record_delete(struct zl_runtime *rt, const char *id, struct zl_error *err);

/* The row as JSON, kept as record.json in the container's directory, and the way back. */
int zl_record_save(int dir_fd, const struct zl_record *record, struct zl_error *err);
int zl_record_restore(int dir_fd, struct zl_record *ret, struct zl_error *err);

/* ---- Truth (state.c) ---- */

struct zl_observation {
  struct zl_container_state state;
  uint64_t started_at_ns;
  enum zl_presence presence;
};

/* What is true now. A container that was lost is reaped on the way if nobody else does. */
int zl_observe(struct zl_runtime *rt, const struct zl_record *record, struct zl_observation *ret,
               struct zl_error *err);
static inline bool zl_has_ended(const struct zl_observation *seen)
{
  return seen->state.state == ZL_STATE_EXITED || seen->state.state == ZL_STATE_FAILED;
}
/* Removes it if it was created with auto_remove and has ended. Failures are left to the next one
 * who sees it. */
void zl_remove_if_due(struct zl_runtime *rt, const struct zl_record *record,
                      const struct zl_observation *seen);

/* ---- Endings (remove.c, endings.c) ---- */

/* Under the operation lock: takes every trace of the container away, in an order that can be
 * repeated from any point. Every step is attempted. `backend` may be NULL: all are asked. */
int zl_dismantle(struct zl_runtime *rt, const char *id, const char *backend, struct zl_error *err);

/* The exit record of docs/shim.md: exit.json. ZL_E_NOT_FOUND. */
int zl_ending_read(int dir_fd, struct zl_outcome *ret, struct zl_error *err);
/* Members of an exit record. */
int zl_ending_parse(const json_t *object, const char *what, struct zl_outcome *ret,
                    struct zl_error *err);
/* Records the end of a container that nobody is left to record: runtime_error, 125. Not written
 * when there is a record: its keeper was still making it and has told how it was ended. */
int zl_ending_write_lost(int dir_fd, const char *why, bool *ret_written, struct zl_error *err);

/* ---- Recovery (adopt.c) ---- */

/* Under the operation lock: row and lease of a container that exists on the host. Idempotent. */
int zl_take_over(struct zl_runtime *rt, const char *id, struct zl_error *err);

/* ---- Events (events.c) ---- */

/* Appends a line; never fails the caller. `detail` (may be NULL) is one more member "detail". */
void zl_event_emit(struct zl_runtime *rt, const char *type, const char *action, const char *id,
                   const char *detail);

#endif
