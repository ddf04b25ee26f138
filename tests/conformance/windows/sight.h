/* SPDX-License-Identifier: Apache-2.0
 *
 * What a command sees of the container that it runs in: the doubles tell it in variables of its
 * environment (tests/hcs-sim/sight.c), and what Windows would enforce is kept to here.
 */
#ifndef ZL_CONFORMANCE_WINDOWS_SIGHT_H
#define ZL_CONFORMANCE_WINDOWS_SIGHT_H

#include <stdbool.h>
#include <stdio.h>

/* A file by its path in the container: below a mount that of the host. NULL, with a message on
 * `err`: it cannot be opened, or it would be written to and the mount is read-only. */
FILE *sight_open(const char *path, const char *mode, FILE *err);

/* cat, touch and ls with a path; pwd, whoami, hostname, limits, ipconfig, resolvers, console.
 * False: `argv[0]` is none of these. */
bool sight_run(int argc, char **argv, FILE *out, FILE *err, int *ret_code);

#endif
