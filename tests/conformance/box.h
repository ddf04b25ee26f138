/* SPDX-License-Identifier: Apache-2.0
 *
 * What every conformance case stands on: a private mount and network namespace, a state root of its
 * own, an image, one open runtime, and a probe that fails the case when anything is left behind.
 */
#ifndef ZL_CONFORMANCE_BOX_H
#define ZL_CONFORMANCE_BOX_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlayer/runtime.h>

#define BOX_SLICE   "10.220.99.16/28" /* 13 containers */
#define BOX_GATEWAY "10.220.99.17"

enum {
  /* For whatever does happen: an emulated processor on a busy node is slow. */
  BOX_PATIENCE_MS = 60000
};

struct box {
  const char *backend;         /* as given on the command line */
  bool real;                   /* containers are real: all but "fake" */
  bool machines;               /* each in a virtual machine of its own: "vm" */
  bool windows;                /* Windows containers: other commands, events in place of signals */
  enum zl_isolation isolation; /* that the backend stands for */
  char root[64];               /* of state */
  char scratch[64];            /* for the cases' own files */
  char image[96];              /* reference */
  char program[300];           /* this one, to be started again (programs.h) */
  struct zl_runtime *rt;
};

extern struct box box;

/* What the backend is like. */
void box_describe(const char *backend);
/* Before all cases and after them. */
int box_open(const char *backend);
void box_close(void);

/* Fixtures of a case: the second removes every container and then looks for leaks. */
int box_setup(void **state);
int box_teardown(void **state);

/* Whether all that the case has made is gone, its containers removed before; what is left is told.
 */
bool box_is_clean(void);
/* Takes from the node what it makes machines with, or gives it back. */
void box_hide_machines(bool hide);

/* Another runtime on the same root. */
struct zl_runtime *box_runtime(void);
/* The runtime again, as after the death of a program. */
void box_reopen(void);

/* By force; what fails is told. */
void box_remove_all(void);

/* A service that runs `argv` (NULL-terminated) in the test image with the backend's isolation. Free
 * with zl_service_free. */
struct zl_service *box_service(const char *name, const char *const argv[]);
/* Creates "<name>-rep-1" with that command; the display id is box_id(name). */
void box_create(const char *name, const char *const argv[]);
void box_run(const char *name, const char *const argv[]); /* and starts it */
int box_create_service(const struct zl_service *service, struct zl_error *err);
/* The display id of replica 1: one of a few static buffers. */
const char *box_id(const char *name);

/* Waits for a state, up to BOX_PATIENCE_MS, and fails the case otherwise. */
struct zl_container_state box_await(const char *name, enum zl_state state);
/* Waits for the end; returns the outcome. */
struct zl_outcome box_outcome(const char *name);
int box_exec(const char *name, const char *const argv[], struct zl_exec_result *ret);
/* The container's shell prints `wanted` on its stdout. */
void box_expect_output(const char *name, const char *script, const char *wanted);

/* The whole log as text, one entry per line. Free it. */
char *box_log(const char *name);
/* Kills the process that keeps a container, and waits for its death. */
void box_kill_shim(const char *name);
/* Kills what runs a container: its init or its machine, as whoever has never heard of us would. */
void box_strike(const struct zl_container_state *running);
/* Of a process of the host. 0 is none. */
bool box_is_dead(int32_t pid);
/* Rows that a query counts in the database. */
int64_t box_count(const char *sql);
/* Polls `check` for at most BOX_PATIENCE_MS. */
bool box_eventually(bool (*check)(void *ctx), void *ctx);

/* Success of a call that fills `err`. */
#define OK(call)                                                                    \
  do {                                                                              \
    struct zl_error err = { 0 };                                                    \
    int ok_r_ = (call);                                                             \
    if (ok_r_ < 0)                                                                  \
      fail_msg("%s: %s: %s", #call, zl_code_name((enum zl_code) - ok_r_), err.msg); \
  } while (0)

/* Failure with a code. */
#define FAILS(call, expected)                                                      \
  do {                                                                             \
    struct zl_error err = { 0 };                                                   \
    int fails_r_ = (call);                                                         \
    if (fails_r_ != -(expected))                                                   \
      fail_msg("%s: %s instead of %s: %s", #call,                                  \
               fails_r_ < 0 ? zl_code_name((enum zl_code) - fails_r_) : "success", \
               zl_code_name(expected), err.msg);                                   \
    assert_int_equal(err.code, (expected));                                        \
    assert_int_not_equal(strlen(err.msg), 0);                                      \
  } while (0)

#ifndef BIN
#define BIN "/bin/" /* of the commands in the test image */
#endif
#define ARGV(...) ((const char *const[]){ __VA_ARGS__, NULL })
#define SH(text)  ARGV(BIN "sh", "-c", text)

/* Not a pass: told as skipped. */
#define SKIP_IF(condition, why)            \
  do {                                     \
    if (condition) {                       \
      print_message("skipped: %s\n", why); \
      skip();                              \
    }                                      \
  } while (0)
#define SKIP_ON_WINDOWS(why) SKIP_IF(box.windows, why)

#define CASE(name) cmocka_unit_test_setup_teardown(name, box_setup, box_teardown)

/* What this system's program runs, in this order, ended by a NULL name (suites.c). */
extern const struct box_suite {
  const char *name;
  int (*run)(void);
} box_suites[];
/* The suites, one per file. */
int suite_acceptance(void);
int suite_lifecycle(void);
int suite_exec(void);
int suite_logs(void);
int suite_network(void);
int suite_spec(void);
int suite_recovery(void);
int suite_load(void);
int suite_faults(void);

#endif
