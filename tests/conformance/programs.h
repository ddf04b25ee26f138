/* SPDX-License-Identifier: Apache-2.0
 *
 * Other programs that use the box's root: this one again, with a role in place of suites. A case
 * waits for them or kills them.
 */
#ifndef ZL_CONFORMANCE_PROGRAMS_H
#define ZL_CONFORMANCE_PROGRAMS_H

#include <stdint.h>
#include <zlayer/runtime.h>

#include "base/proc.h"

/* What such a program does with box.rt, a runtime of its own. 0: success; a failure is told on
 * stderr, since a program has no case that could fail. */
struct role {
  const char *name;
  int (*play)(unsigned arg);
};
/* live: some lifecycles of "program-rep-ARG". Of "victim-rep-1", with ARG 1: create;
 * start; run (create, start, watch); watch (wait for its end); remove (by force). */
extern const struct role roles[]; /* roles.c, ended by a NULL name */

/* Starts one; it has begun when this returns, and opens its runtime next. */
struct zl_proc program_start(const char *role, unsigned arg);
/* Its end; fails the case unless it succeeds. */
void program_finish(struct zl_proc *program);
/* Its end; true: it did not come to it by itself. */
bool program_was_killed(struct zl_proc *program);
/* Starts one and kills it after so many milliseconds. */
void program_strike(const char *role, unsigned arg, double after_ms);
/* How long one takes from its beginning to its end. */
double program_time_ms(const char *role, unsigned arg);

/* main of such a program. -1: the arguments are no role's. */
int program_main(int argc, char **argv);

double program_now_ms(void);

/* A role of the suite of faults: creates the container with all that one can have. */
int role_create_rich(unsigned arg);

/* One lifecycle with an exit code of 5, without the box's helpers, which are not for several
 * threads. */
int role_live(struct zl_runtime *rt, const char *service_name, unsigned replica,
              struct zl_error *err);

#endif
