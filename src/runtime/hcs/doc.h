/* SPDX-License-Identifier: Apache-2.0
 *
 * The documents that Windows' Host Compute Service is told in what to make, and its guests. Pure:
 * the same input gives the same bytes, and nothing is asked of the host.
 *
 * Field names, types and the schema version that each came with are those of Microsoft's "HCS
 * schema reference"; nothing newer than 2.1 is sent, which every build from Server 2019 on knows.
 * The service refuses unknown fields, and what is absent has its default: so no field is written
 * that is empty, false or 0, and of the rest only what is needed. Members are in the schema's
 * order.
 *
 * Functions give ZL_E_INVALID or ZL_E_LIMIT for input that the service would refuse, naming the
 * field; *ret is written on success only, and is the caller's.
 */
#ifndef ZL_RUNTIME_HCS_DOC_H
#define ZL_RUNTIME_HCS_DOC_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <zlayer/error.h>

#include "base/cleanup.h"
#include "runtime/hcs/mounts.h"
#include "runtime/hcs/resources.h"
#include "runtime/hcs/signal.h"

enum {
  ZL_HCS_MAX_OWNER = 256, /* UTF-16 units of ComputeSystem.Owner, and of an id */
  ZL_HCS_CONTROLLERS = 4, /* SCSI controllers that have fixed GUIDs; Windows guests use one */
  ZL_HCS_LUNS = 64,       /* disks of one; 0 is the machine's own scratch disk */
  ZL_HCS_GUEST_PATH = 80  /* of a share or disk in a guest, with the NUL */
};

/* Compact text of a document, what the API takes once it is UTF-16. ZL_E_LIMIT over
 * ZL_MAX_HCS_DOCUMENT bytes; `what` names it. */
int zl_hcs_doc_render(const json_t *document, const char *what, char **ret, struct zl_error *err);

/* ---- Containers (doc_container.c) ------------------------------------------------------------ */

struct zl_hcs_layer {
  const char *id;   /* NameToGuid of the last part of the layer's path */
  const char *path; /* on the host; for a hosted container where the guest sees it */
};

struct zl_hcs_container {
  const char *id;                    /* display id, for messages */
  const char *hostname;              /* zl_hcs_hostname */
  const struct zl_hcs_layer *layers; /* top first, the base last; not empty */
  size_t n_layers;
  const char *scratch; /* process: the volume of the prepared layer; hosted: where the guest has
                        * mounted the disk */
  struct zl_hcs_limits limits;        /* of a hosted container none: its machine has them */
  uint64_t iops, bandwidth;           /* of its disk; 0: no limit */
  const char *network;                /* GUID of its HCN namespace; NULL: it has no network */
  const char *const *dns_search;      /* suffixes; NULL: none */
  const struct zl_hcs_mounts *mounts; /* NULL: none */
};

/* HcsCreateComputeSystem of a container on the host's kernel (schema: ComputeSystem.Container).
 * `owner` is what enumerations find our systems by. The system ends with its last handle. */
int zl_hcs_doc_process(const struct zl_hcs_container *container, const char *owner, json_t **ret,
                       struct zl_error *err);

/* The Container of a guest's Create, which zl_rpc_windows_create puts its schema version around. */
int zl_hcs_doc_hosted(const struct zl_hcs_container *container, json_t **ret, struct zl_error *err);

/* The same for machines whose guest connection is the service's own (ComputeSystem.HostedSystem,
 * with a schema version of its own); `machine` is the hosting system's id. */
int zl_hcs_doc_hosted_system(const struct zl_hcs_container *container, const char *machine,
                             const char *owner, json_t **ret, struct zl_error *err);

/* ---- Machines (doc_machine.c) ---------------------------------------------------------------- */

struct zl_hcs_machine {
  const char *id;         /* of the container, for messages */
  const char *owner;      /* as above */
  const char *boot_files; /* UtilityVM\Files of the layer that has them */
  const char *scratch;    /* the machine's own disk, a copy of UtilityVM\SystemTemplate.vhdx */
  struct zl_hcs_machine_size size;
  bool physical;            /* all memory is backed at once: none is overcommitted */
  bool log_forwarding;      /* the guest may dial the host's log service */
  uint64_t iops, bandwidth; /* of all its disks; 0: no limit */
  const char *com1;         /* a pipe for the first serial port, for debugging; NULL: none */
  const char *dump_file;    /* where a crashed guest's memory goes; NULL: nowhere */
  uint64_t dump_max;        /* bytes of it; not 0 with dump_file */
};

/* HcsCreateComputeSystem of a utility VM (schema: ComputeSystem.VirtualMachine). Its guest
 * connection is ours: the document has no GuestConnection, and HcsStartComputeSystem returns before
 * the guest dials. Layers, disks, networks and directories are added once it runs. */
int zl_hcs_doc_machine(const struct zl_hcs_machine *machine, json_t **ret, struct zl_error *err);

/* ---- Processes (doc_process.c) --------------------------------------------------------------- */

struct zl_hcs_process {
  const char *field;     /* names it in messages: "services.web.command" */
  const char *line;      /* zl_win_command_line */
  const char *directory; /* NULL: the system's */
  const char *user;      /* NULL: the image's */
  char *const *env;      /* "NAME=value" (zl_win_env_set), or NULL */
  bool console;          /* then there is no stream of errors */
  unsigned rows, cols;   /* of the console; 0: the system's */
  bool in, out, err;     /* pipes */
};

/* HcsCreateProcess (schema: ProcessParameters). */
int zl_hcs_doc_parameters(const struct zl_hcs_process *process, json_t **ret, struct zl_error *err);

enum zl_hcs_stream {
  ZL_HCS_STREAM_IN,
  ZL_HCS_STREAM_OUT,
  ZL_HCS_STREAM_ERR,
  ZL_HCS_STREAM_ALL
};
/* HcsModifyProcess (schema: ProcessModifyRequest). The end of input has to be told so: closing the
 * pipe's other end is not enough. */
int zl_hcs_doc_close(enum zl_hcs_stream stream, json_t **ret, struct zl_error *err);
int zl_hcs_doc_console_size(unsigned rows, unsigned cols, json_t **ret, struct zl_error *err);

/* HcsSignalProcess (schema: SignalProcessOptions). ZL_E_INVALID: ZL_HCS_TERMINATE has no document,
 * HcsTerminateProcess is called instead. */
int zl_hcs_doc_signal(enum zl_hcs_signal signal, json_t **ret, struct zl_error *err);

/* ---- Queries (doc_query.c) ------------------------------------------------------------------- */

enum {
  ZL_HCS_ASK_STATISTICS = 1 << 0,
  ZL_HCS_ASK_PROCESSES = 1 << 1,
  ZL_HCS_ASK_MEMORY = 1 << 2 /* of a machine */
};

/* HcsGetComputeSystemProperties: `what` are ZL_HCS_ASK_*; 0: the basic properties, among them
 * RuntimeId and State. */
int zl_hcs_doc_properties(unsigned what, json_t **ret, struct zl_error *err);
/* HcsEnumerateComputeSystems: all of an owner. */
int zl_hcs_doc_systems_of(const char *owner, json_t **ret, struct zl_error *err);
/* HcsGetServiceProperties: the schema versions that the host knows. */
int zl_hcs_doc_service(json_t **ret, struct zl_error *err);

#endif
