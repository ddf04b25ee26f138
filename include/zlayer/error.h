/* SPDX-License-Identifier: Apache-2.0
 *
 * The error convention of libzlayer. A function that can fail returns 0 on success or a negative
 * enum zl_code, and explains itself in a caller-owned `struct zl_error` passed last. The object has
 * a fixed size and never touches the heap: it cannot leak and works while out of memory.
 * On success it is left as it was. `err` may be NULL where the caller wants the code only.
 */
#ifndef ZLAYER_ERROR_H
#define ZLAYER_ERROR_H

#include <errno.h>
#include <zlayer/version.h>

/* One list: name, HTTP status for the API, one-line text. */
#define ZL_ERR_MAP(X)                                            \
  X(INVALID, 400, "invalid argument")                            \
  X(NOT_FOUND, 404, "not found")                                 \
  X(CONFLICT, 409, "conflicts with current state")               \
  X(UNSUPPORTED, 501, "not supported")                           \
  X(NO_MEMORY, 503, "out of memory")                             \
  X(SYSTEM, 500, "system call failed")                           \
  X(PERMISSION, 403, "permission denied")                        \
  X(TIMEOUT, 504, "timed out")                                   \
  X(LIMIT, 413, "over a limit")                                  \
  X(AUTH, 401, "authentication failed")                          \
  X(REMOTE, 502, "remote end failed")                            \
  X(CORRUPT, 422, "content does not match its digest or format") \
  X(WRONG_PLATFORM, 409, "image is for another platform")        \
  X(NO_ADDRESS, 503, "no overlay address")                       \
  X(NOT_EXECUTABLE, 409, "command cannot be executed")           \
  X(NO_COMMAND, 409, "command not found")                        \
  X(CANCELLED, 499, "cancelled")                                 \
  X(STORE, 500, "state database failed")                         \
  X(INTERNAL, 500, "internal error")

enum zl_code {
  ZL_OK = 0,
#define X(name, http, text) ZL_E_##name,
  ZL_ERR_MAP(X)
#undef X
  ZL_E_MAX_
};

enum {
  ZL_ERROR_MSG_MAX = 512
};

struct zl_error {
  enum zl_code code;
  int os_error;               /* errno, or the Win32/HRESULT value; 0: none */
  char msg[ZL_ERROR_MSG_MAX]; /* outermost context first, always terminated, never a newline */
};

/* Fill *err and return -code. With os_error != 0 its text is appended. `err` may be NULL. */
ZL_PUBLIC int zl_fail(struct zl_error *err, enum zl_code code, int os_error, const char *fmt, ...)
    ZL_PRINTF(4, 5);

/* Put context in front of the message and return -err->code: "stats of 'web': no such container".
 * Precondition: *err was filled by a failure (returns -ZL_E_INTERNAL otherwise). For NULL the code
 * is that of the calling thread's last zl_fail. */
ZL_PUBLIC int zl_wrap(struct zl_error *err, const char *fmt, ...) ZL_PRINTF(2, 3);

/* A failed system call: reads errno. */
#define zl_fail_errno(err, ...) zl_fail((err), ZL_E_SYSTEM, errno, __VA_ARGS__)

/* Out of memory, naming what was being made. */
#define zl_fail_nomem(err, what) zl_fail((err), ZL_E_NO_MEMORY, 0, "out of memory: %s", (what))

/* Static texts; never NULL, also for an unknown code. Name: "NOT_FOUND". */
ZL_PUBLIC const char *zl_code_name(enum zl_code code);
ZL_PUBLIC const char *zl_code_text(enum zl_code code);
ZL_PUBLIC int zl_code_http(enum zl_code code);

#endif
