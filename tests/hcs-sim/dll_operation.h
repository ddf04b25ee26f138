/* SPDX-License-Identifier: Apache-2.0
 *
 * Operations of computecore.dll: each follows one call, which a thread of its own does.
 */
#ifndef HCS_SIM_DLL_OPERATION_H
#define HCS_SIM_DLL_OPERATION_H

#include "client.h"

enum operation_type {
  OPERATION_NONE = -1,
  OPERATION_ENUMERATE,
  OPERATION_CREATE,
  OPERATION_START,
  OPERATION_SHUTDOWN,
  OPERATION_PAUSE,
  OPERATION_RESUME,
  OPERATION_SAVE,
  OPERATION_TERMINATE,
  OPERATION_MODIFY,
  OPERATION_GET_PROPERTIES,
  OPERATION_CREATE_PROCESS,
  OPERATION_SIGNAL_PROCESS,
  OPERATION_GET_PROCESS_INFO,
  OPERATION_GET_PROCESS_PROPERTIES,
  OPERATION_MODIFY_PROCESS,
  OPERATION_CRASH
};

struct started { /* a call that is to be followed */
  enum operation_type type;
  const char *name;
  struct object *system, *process; /* what the operation tells of; either may be NULL */
  const char *made;                /* of calls that make an object: its key in the answer */
  enum client_kind made_kind;
};

/* Takes the reference to `args`. On success of a call that makes an object it is *ret. */
hr_t operation_start(void *operation, const struct started *call, json_t *args,
                     struct object **ret);

#endif
