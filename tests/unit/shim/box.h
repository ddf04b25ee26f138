/* SPDX-License-Identifier: Apache-2.0
 *
 * Plays the library: makes a container directory and a bundle by hand, starts the shim as
 * docs/shim.md says, and talks to it. Everything lies in a temporary directory, in mount and
 * network namespaces of the test program itself.
 */
#ifndef ZL_TESTS_SHIM_BOX_H
#define ZL_TESTS_SHIM_BOX_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <jansson.h>
#include <stdbool.h>
#include <zlayer/error.h>

#include "base/cleanup.h"
#include "base/proc.h"

struct box {
  struct box *next;
  char id[32];
  char dir[96]; /* the container directory */
  int dir_fd, control;
  json_t *config; /* may be changed before box_create */
  struct zl_proc shim;
  int pid;    /* of the container's first process */
  int fds[4]; /* that came with the last reply */
  size_t n_fds;
};

/* The directory that everything is in; it holds `layer`, a root file system of busybox. */
const char *box_home(void);

/* Group set-up and tear-down: namespaces, home, layer. */
int box_group_begin(void **state);
int box_group_end(void **state);

/* A container that will run argv (ended by NULL). Fails the test on any problem. */
struct box *box_new(const char *const *argv);
#define BOX(...)       box_new((const char *const[]){ __VA_ARGS__, NULL })
#define BOX_SH(script) BOX("sh", "-c", script)

/* Sets a member of the bundle: "process.terminal". `value` is released. */
void box_set(struct box *box, const char *path, json_t *value);
/* Appends to an array of the bundle. */
void box_add(struct box *box, const char *path, json_t *value);

/* Starts the shim and returns its first message. The caller releases it. */
json_t *box_launch(struct box *box);
/* Starts the shim and expects success. */
void box_create(struct box *box);
/* Sends a request, returns the next message; received descriptors are in box->fds. */
json_t *box_ask_with(struct box *box, const int *fds, size_t n_fds, json_t *request);
#define box_ask(box, ...) box_ask_with((box), NULL, 0, json_pack(__VA_ARGS__))
/* As above, expects {"ok":true}. */
void box_do(struct box *box, json_t *request);
json_t *box_receive(struct box *box);
void box_send(struct box *box, const int *fds, size_t n_fds, json_t *request);
/* A second connection through the socket file. */
int box_connect(const struct box *box);

/* create + start. */
void box_run(struct box *box);
/* Waits for the shim to end; the exit record goes to *ret_code, its reason to `reason`. */
void box_finish(struct box *box, int *ret_code, char reason[32]);
/* As box_finish, for those who know already. */
void box_end(struct box *box);
/* Blocks until the log holds something of stdout. */
void box_await_output(const struct box *box);
/* create + start + end; expects the exit code. */
void box_expect(struct box *box, int code);
/* Whole text of one stream in the log (all files, oldest first); the caller frees it. */
char *box_log(const struct box *box, const char *stream);
/* The first line that the container printed on stdout. */
#define box_assert_output(box, text)     \
  do {                                   \
    char *out_ = box_log(box, "stdout"); \
    assert_string_equal(out_, text);     \
    free(out_);                          \
  } while (0)

/* What exec of `sh -c script` printed; `user` may be NULL. Expects the exit code. */
char *box_exec(struct box *box, const char *script, const char *user, int code);

/* Kills what is left, and fails the test if anything of the container has stayed on the host. */
void box_free(struct box *box);

char *read_all(int fd);
char *read_text(const char *path);

#endif
