/* SPDX-License-Identifier: Apache-2.0
 *
 * What the files of the host for tests share.
 */
#ifndef ZL_TEST_FAKE_PRIVATE_H
#define ZL_TEST_FAKE_PRIVATE_H

#include <pthread.h>

#include "fake_host.h"

#include "base/json.h"

enum {
  FAKE_MAX = 64, /* of everything there is */
  FAKE_TEXT = 200
};

enum fake_state {
  FAKE_FREE, /* the slot is not used */
  FAKE_CREATED,
  FAKE_RUNNING,
  FAKE_STOPPED
};

struct fake_process {
  struct fake_system *system;
  uint32_t pid;
  bool used, exited;
  uint32_t code;
  int out, err, in; /* our ends of its streams; -1: none */
};

struct fake_system {
  enum fake_state state;
  bool is_machine;
  char id[FAKE_TEXT], runtime_id[ZL_GUID_CHARS];
  unsigned handles;
  pthread_t guest;
  bool has_guest, guest_stops;
  int bridge; /* the guest's end; -1: none */
};

enum fake_kind {
  FAKE_NOTHING,
  FAKE_OPERATION,
  FAKE_SYSTEM,
  FAKE_PROCESS,
  FAKE_PIPE,
  FAKE_EVENT,
  FAKE_DISK,
  FAKE_NET_OBJECT
};

struct fake_handle {
  enum fake_kind kind;
  struct fake_system *system;
  struct fake_process *process;
  zl_hcs_event_fn fn; /* of systems and processes */
  void *ctx;
  int fd;       /* of pipes */
  int operated; /* operation: 0 unused, 1 done */
  zl_hr hr;     /* of it */
  char result[FAKE_TEXT];
  struct zl_hcs_process_info info;
  char id[FAKE_TEXT]; /* of network objects */
};

struct fake_layer {
  char path[FAKE_TEXT];
  bool used, active, prepared, attached;
};

struct fake {
  struct fake_options options;
  pthread_mutex_t lock; /* of all below */
  pthread_cond_t changed;
  struct fake_system systems[FAKE_MAX];
  struct fake_process processes[FAKE_MAX];
  struct fake_handle handles[FAKE_MAX * 8];
  struct fake_layer layers[FAKE_MAX];
  struct {
    char vm[FAKE_TEXT], path[FAKE_TEXT];
  } grants[FAKE_MAX];
  char files[FAKE_MAX][FAKE_TEXT]; /* files and directories; "" is free */
  struct fake_count counts[FAKE_MAX * 2];
  size_t n_counts;
  char fail_name[FAKE_TEXT];
  unsigned fail_nth;
  zl_hr fail_hr;
  bool failed;
  unsigned local_texts, task_texts;
  unsigned activations;
  uint32_t next_pid, last_error;
  char misuse[2048], leaks[4096];
};
extern struct fake fake;

/* Counts the call; true: it is to fail with *ret. Takes the lock. */
bool fake_hit(const char *name, zl_hr *ret);
void fake_blame(const char *fmt, ...) ZL_PRINTF(1, 2);
/* A text as LocalAlloc ('L') or CoTaskMemAlloc ('C') would give it. */
zl_wchar *fake_text(char allocator, const char *text);
/* Short texts of callers. Returns `text`. */
const char *fake_narrow(const zl_wchar *wide, char text[FAKE_TEXT]);
struct fake_handle *fake_open(enum fake_kind kind);                  /* lock held */
struct fake_handle *fake_handle_of(void *p, enum fake_kind kind);    /* lock held; NULL: misuse */
bool fake_granted(const char *vm, const char *path);                 /* lock held */
struct fake_layer *fake_layer_of(const char *path);                  /* lock held; NULL */
void fake_process_begin(struct fake_process *process);               /* lock held */
void fake_process_exit(struct fake_process *process, uint32_t code); /* lock held */
struct fake_process *fake_process_new(struct fake_system *system);   /* lock held */
void fake_system_exit(struct fake_system *system, const char *type); /* lock held */
/* A machine's guest: dials and serves until the bridge is closed. */
void *fake_guest(void *system);
/* Dials a listener of (vm, service): our end of the connection, or -1. */
int fake_dial(const char *vm, const char *service);
/* The call's work was done, or is refused by the operation; lock held. */
zl_hr fake_complete(void *operation, zl_hr hr, const char *result);
zl_hr fake_set_callback(void *handle, enum fake_kind kind, void *ctx, zl_hcs_event_fn fn);
json_t *fake_parse(const zl_wchar *document);
void fake_processes_start(struct zl_hcs_api *api);
void fake_net_start(struct zl_hcs_api *api);
void fake_net_leaks(char *text, size_t size);
void fake_files_start(struct zl_hcs_api *api);
bool fake_file_exists(const char *path); /* lock held */

#endif
