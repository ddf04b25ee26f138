/* SPDX-License-Identifier: Apache-2.0
 *
 * A host of the doubles' (tests/hcs-sim) with an image of two layers and a deployment, for tests
 * that take a container through the real table of functions. A failure ends the program.
 */
#ifndef TESTS_WINDOWS_HCS_BOX_H
#define TESTS_WINDOWS_HCS_BOX_H

#include <windows.h>

#include <stdio.h>
#include <string.h>

#include "hcs-sim/control.h"

#include "base/json.h"
#include "base/time.h"
#include "image/image.h"
#include "runtime/hcs/instance.h"

#define HOST  ZL_ISOLATION_PROCESS
#define GUEST ZL_ISOLATION_HYPERV

extern struct box {
  char root[MAX_PATH]; /* of the host's files */
  char *layers[2];     /* top first */
  struct zl_hcs_node node;
  struct zl_deployment *deployment; /* services "echo", "seven" (exits with 7), "longlived" */
} box;

_Noreturn void give_up(const char *what, const struct zl_error *err);
#define NEED(what)          \
  do {                      \
    if (!(what))            \
      give_up(#what, NULL); \
  } while (0)
#define TRY(call)                               \
  do {                                          \
    struct zl_error err_ = { 0 }, *err = &err_; \
    if ((call) < 0)                             \
      give_up(#call, err);                      \
  } while (0)

/* A host of its own, or that of the program which started this one. */
void box_open(bool of_parent);
/* The exit code: 1 when something of it is left. */
int box_close(void);

struct seen { /* of a container's output */
  char out[4096];
};
/* `seen` may be NULL. */
int box_try(const char *service, const char *id, enum zl_isolation isolation, struct seen *seen,
            struct zl_hcs_instance **ret, struct zl_error *err);
struct zl_hcs_instance *box_create(const char *service, const char *id, enum zl_isolation isolation,
                                   struct seen *seen);
/* The container's directory; the caller frees. */
char *box_dir(const char *id);
void box_drop(struct zl_hcs_instance *instance);
int box_wait(struct zl_hcs_instance *instance, struct zl_error *err);
/* Nothing of any container may be left; what is, is told. */
void box_check_clean(const char *what);

void run_cases(void);
void run_sweep(enum zl_isolation isolation);
void run_rows(void);
/* Starts a container and dies. */
_Noreturn void die_with_a_container(enum zl_isolation isolation);

#endif
