/* SPDX-License-Identifier: Apache-2.0
 *
 * The client's side of an attachment or exec (session.c), and what attach.c and exec.c fill in.
 */
#ifndef ZL_RUNTIME_SHIM_SESSION_H
#define ZL_RUNTIME_SHIM_SESSION_H

#include "runtime/shim/shimclient.h"

struct zl_shimclient_session {
  struct zl_session base;
  struct zl_backend *backend;
  char target[ZL_ID_TEXT];
  int control_fd;
  int in, out, err; /* our ends; -1: none */
  int master;       /* the terminal, for its size; -1: none */
  bool by_message;  /* the shim sets the size: the terminal is not on this host */
};

/* With everything empty but the control connection to the container's shim. */
int zl_shimclient_session_new(struct zl_backend *backend, const char *id,
                              struct zl_shimclient_session **ret, struct zl_error *err);
void zl_shimclient_session_free(struct zl_shimclient_session *session);
ZL_DEFINE_CLEANUP(struct zl_shimclient_session, zl_shimclient_session_free)

/* A pipe whose one end is ours and not blocking, and whose other goes to the shim. */
int zl_shimclient_pipe_from(int *ret_ours, int *ret_theirs, struct zl_error *err);

/* Whether a terminal comes as one descriptor in place of the streams. */
bool zl_shimclient_has_masters(void);
int zl_shimclient_set_size(int master, unsigned rows, unsigned cols, struct zl_error *err);
/* Whether a path in a container is one from its root. */
bool zl_shimclient_is_absolute(const char *path);

#endif
