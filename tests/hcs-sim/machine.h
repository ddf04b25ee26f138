/* SPDX-License-Identifier: Apache-2.0
 *
 * The state of one machine, as its server holds it. One lock is over everything; who waits for
 * something to change gives it up meanwhile. Objects are never freed: a machine lives for a test.
 */
#ifndef HCS_SIM_MACHINE_H
#define HCS_SIM_MACHINE_H

#include <windows.h>
#include <winsock2.h>

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "counters.h"
#include "layer_id.h"
#include "strict.h"
#include "text.h"

/* ---- HRESULTs -------------------------------------------------------------------------------- */

#define HR_CONSTRUCT        UINT32_C(0x80070057) /* E_INVALIDARG */
#define HR_ACCESS           UINT32_C(0x80070005)
#define HR_HANDLE           UINT32_C(0x80070006)
#define HR_FILE             UINT32_C(0x80070002)
#define HR_PATH             UINT32_C(0x80070003)
#define HR_SHARING          UINT32_C(0x80070020)
#define HR_EXISTS           UINT32_C(0x800700b7)
#define HR_DIRECTORY        UINT32_C(0x8007010b)
#define HR_NOT_FOUND        UINT32_C(0x80070490)
#define HR_PRIVILEGE        UINT32_C(0x80070522)
#define HR_LOGON            UINT32_C(0x8007052e)
#define HR_TIMEOUT          UINT32_C(0x800705b4)
#define HR_NOT_REPARSE      UINT32_C(0x80071126)
#define HR_NOT_READY        UINT32_C(0x80070015)
#define HR_NOT_SUPPORTED    UINT32_C(0x80070032)
#define HR_UNEXPECTED       UINT32_C(0x8000ffff)
#define HR_FAIL             UINT32_C(0x80004005)
#define HR_NOT_IMPLEMENTED  UINT32_C(0x80004001)
#define HCS_HYPERV          UINT32_C(0x80370102)
#define HCS_STATE           UINT32_C(0x80370105)
#define HCS_UNEXPECTED_EXIT UINT32_C(0x80370106)
#define HCS_JSON            UINT32_C(0x8037010d)
#define HCS_NO_SYSTEM       UINT32_C(0x8037010e)
#define HCS_EXISTS          UINT32_C(0x8037010f)
#define HCS_STOPPED         UINT32_C(0x80370110)
#define HCS_SERVICE         UINT32_C(0x80370114)
#define HCS_OPERATION_TIME  UINT32_C(0x80370118)
#define HCS_DISCONNECT      UINT32_C(0x8037011e)
#define HCS_PROCESS_STOPPED UINT32_C(0x8037011f)

/* ---- Objects --------------------------------------------------------------------------------- */

enum kind {
  SYSTEM,
  PROCESS,
  NETWORK,
  ENDPOINT,
  NAMESPACE,
  DISK,
  ADDRESS, /* \\.\HvSocketSystem\AddressInfo\{…} */
  KINDS
};

enum state {
  CREATING,
  CREATED,
  RUNNING,
  PAUSED,
  STOPPED
};

struct session { /* a client process */
  int id;
  DWORD pid;
  HANDLE process;
  struct sim_counters *counters;
  json_t *events; /* not fetched yet */
  bool gone;
  struct session *next;
};

struct handle {
  uint64_t id;
  enum kind kind;
  struct session *session;
  struct system *system;
  struct process *process;
  char *name; /* of other objects: a GUID or path */
  bool dead;  /* the service died since */
  bool closed;
  bool writes; /* DISK: opened for the second kind of access */
  struct handle *next;
};

struct process {
  DWORD pid;
  HANDLE handle;
  struct system *system;
  HANDLE in, out, err; /* the host's ends, until somebody takes them */
  char *command;
  json_t *parameters;
  uint64_t created; /* FILETIME */
  uint32_t exit_code;
  bool exited, lost /* no event */, ignores /* console events */, console;
  unsigned height, width;
  struct process *next;
};

struct system { /* a container, a machine, or a container in a machine */
  char *id, *owner;
  bool is_machine, terminates; /* with its last handle */
  bool stays;                  /* a knob: the next ends are accepted and do nothing */
  bool lost;                   /* a knob: nobody is told of its exit */
  char runtime_id[SIM_GUID_TEXT];
  enum state state;
  json_t *document;
  uint32_t exit_status;
  const char *exit_type;
  uint64_t created, started;
  HANDLE job;
  json_t *root;  /* host directories that its C:\ is made of, the upper first */
  json_t *binds; /* [{"inside","outside"}] */
  struct process *processes;
  /* of machines */
  json_t *shares; /* {name: VirtualSmbShare} */
  json_t *disks;  /* {"controller/lun": Attachment} */
  json_t *nics;   /* {guid: NetworkAdapter} */
  struct guest *guest;
  /* of a container in a machine */
  struct system *host;
  struct system *next;
};

struct fault {
  bool hit;
  uint32_t hr;
  unsigned delay;
  bool at_call;
  char action[16];
};

struct call {
  const char *name;
  json_t *args, *reply;
  struct session *session; /* NULL: of the control interface */
  struct handle *handle;   /* args.handle, if it is given */
  struct fault fault;
};

struct handler {
  const char *name;
  uint32_t (*work)(struct call *call);
  bool has_operation;
  uint32_t (*accept)(struct call *call); /* before the operation starts; may be NULL */
  enum kind kind;                        /* of args.handle */
};

struct machine {
  CRITICAL_SECTION lock;
  CONDITION_VARIABLE changed;
  char *dir;
  struct session *sessions;
  struct handle *handles;
  struct system *systems;
  json_t *host;                              /* properties */
  json_t *layers;                            /* {key: {"path","state","volume","parents","size"}} */
  json_t *grants;                            /* {"vm|key": {"vm","path"}} */
  json_t *networks, *endpoints, *namespaces; /* {guid: document} */
  json_t *listeners;                         /* {"vm|service": {"vm","service","port","pid"}} */
  json_t *ended;   /* {guid: true}: namespaces whose container has ended */
  json_t *dropped; /* {key: true}: files whose security descriptors were lost */
  json_t *journal, *misuse;
  json_int_t calls;
  uint64_t last_id;
};
extern struct machine machine;

/* ---- server.c -------------------------------------------------------------------------------- */

void sim_lock(void);
void sim_unlock(void);
void sim_changed(void);
/* Gives the lock up until something changed. False: the deadline (GetTickCount64) has passed. */
bool sim_wait(uint64_t deadline);
void sim_start_thread(DWORD(WINAPI *fn)(void *), void *ctx);
uint64_t sim_filetime(void);
void sim_log(const char *fmt, ...) __attribute__((format(gnu_printf, 1, 2)));
void sim_journal(const char *name, const struct session *session, uint32_t hr, json_t *args);
void sim_misuse(const char *fmt, ...) __attribute__((format(gnu_printf, 1, 2)));

/* Fails a call with `hr`; `detail` ("Construct", "Start" …) and the text go into its error
 * document. Returns `hr`. */
uint32_t sim_refuse(struct call *call, uint32_t hr, const char *detail, const char *fmt, ...)
    __attribute__((format(gnu_printf, 4, 5)));
/* "" for a text that is not there. */
const char *sim_text(const json_t *object, const char *key);
json_t *sim_parse(const json_t *args, const char *key); /* a document in a text; NULL: no JSON */
/* The call's result document; takes the reference. */
void sim_answer(struct call *call, json_t *document);

/* ---- knobs.c --------------------------------------------------------------------------------- */

bool sim_knob_set(const char *line, char *why, size_t size);
void sim_knob_clear(void);
void sim_knob_load(void); /* the file, if it is another since */
struct fault sim_knob_hit(const char *name, const json_t *args);
json_int_t sim_host_number(const char *key);

/* ---- handles.c ------------------------------------------------------------------------------- */

struct session *sim_session_find(json_int_t id);
struct handle *sim_handle_new(struct session *session, enum kind kind);
struct handle *sim_handle_find(uint64_t id);
void sim_handle_close(struct handle *handle);
unsigned sim_handles_of(const struct system *system); /* open ones */
void sim_event(struct handle *handle, uint32_t type, json_t *data);
void sim_event_system(const struct system *system, uint32_t type, const json_t *data);
void sim_disconnect_all(void);
extern const struct handler sim_session_handlers[];

/* ---- systems.c, workload.c ------------------------------------------------------------------- */

struct system *sim_system_find(const char *id); /* that exists: not a stopped one */
void sim_system_end(struct system *system, const char *exit_type, uint32_t status);
/* From threads of their own. The first tells all processes, and ends the system when the last has
 * ended: never, when one of them does not. */
void sim_system_shut_down(struct system *system);
void sim_system_terminate(struct system *system);
void sim_system_close(struct system *system); /* after a handle went */
json_t *sim_system_properties(const struct system *system);
/* "Statistics" and the like, if the system has it now. */
void sim_system_add_property(const struct system *system, const char *type, json_t *all);
struct system *sim_system_new(const char *id, json_t *document);
extern const struct handler sim_system_handlers[];
extern const struct handler sim_process_handlers[];

/* Starts a workload. The system's lock is held. `overlapped`: how the host's ends are opened. */
uint32_t sim_spawn(struct call *call, struct system *system, json_t *parameters, bool overlapped,
                   struct process **ret);
/* A console event by its name: what a process does that does not ignore it. */
void sim_signal(struct process *process, const char *name);
struct process *sim_process_find(const struct system *system, DWORD pid);
json_t *sim_process_status(const struct process *process);
/* "0" closes nothing; StdIn, StdOut, StdErr, All. */
void sim_process_close(struct process *process, const char *which);

/* ---- sight.c --------------------------------------------------------------------------------- */

/* Variables for a workload of `system` that tell what it would see of it. */
json_t *sim_sight(const struct system *system, const json_t *parameters);

/* ---- construct.c ----------------------------------------------------------------------------- */

/* What the service checks of a Container object; `inside` is its machine or NULL. */
uint32_t sim_check_container(struct call *call, json_t *container, struct system *inside);
void sim_container_root(struct system *system, json_t *container, struct system *inside);
/* A path that guests see a share at, on the host; NULL: there is no such share. */
char *sim_vm_outside(const struct system *vm, const char *path);

/* ---- vm.c ------------------------------------------------------------------------------------ */

uint32_t sim_vm_check(struct call *call, json_t *machine_document);
uint32_t sim_vm_start(struct call *call, struct system *system);
void sim_vm_end(struct system *system);
uint32_t sim_vm_modify(struct call *call, struct system *system, const json_t *request);

/* ---- guest.c --------------------------------------------------------------------------------- */

void sim_guest_start(struct system *vm);
void sim_guest_end(struct system *vm);
void sim_guest_exited(struct system *hosted); /* tells the host; the lock is held */

/* ---- layers.c, disks.c ----------------------------------------------------------------------- */

/* The scratch that is mounted as this volume, or NULL. */
json_t *sim_layer_of_volume(const char *volume);
extern const struct handler sim_layer_handlers[];
/* Holds a disk's file; HR_SHARING when somebody else does. */
uint32_t sim_disk_hold(const char *path, const char *by);
void sim_disk_release(const char *path, const char *by); /* either NULL: any */
const char *sim_disk_holder(const char *path);           /* or NULL */
json_t *sim_disk_list(void);
json_t *sim_disk_read(const char *path); /* what is written in it, or NULL */
bool sim_disk_write(const char *path, const json_t *content);
extern const struct handler sim_disk_handlers[];

bool sim_granted(const char *vm, const char *path);
void sim_grants_sweep(void);               /* those of files that are gone */
void sim_layer_detached(const char *disk); /* a scratch whose disk this is */
extern const struct handler sim_grant_handlers[];

/* ---- import.c -------------------------------------------------------------------------------- */

uint32_t sim_import(struct call *call, const char *layer, const char *source);
extern const struct handler sim_import_handlers[];

/* ---- networks.c, endpoints.c ----------------------------------------------------------------- */

extern const struct handler sim_network_handlers[];
extern const struct handler sim_endpoint_handlers[];
uint32_t sim_namespace_check(struct call *call, const char *guid);
void sim_namespace_bind(const char *guid, const char *container); /* NULL: unbind */

/* ---- ledger.c -------------------------------------------------------------------------------- */

json_t *sim_ledger(void);
char *sim_leaks(bool networks); /* "" when nothing is left */
extern const struct handler sim_control_handlers[];

#endif
