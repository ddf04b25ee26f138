/* SPDX-License-Identifier: Apache-2.0
 *
 * zlayer is linked twice from the same sources. `zlayer` is static: a command that starts or enters
 * a container lives for milliseconds, and the dynamic linker would be a tenth of them. It cannot
 * load libcurl and libcrypto, which only a pull needs; then `zlayer-complete`, linked dynamically,
 * takes over with the same arguments.
 */
#ifndef ZL_CLI_PROGRAM_H
#define ZL_CLI_PROGRAM_H

#include <stdbool.h>

/* False in the static program; defined by the file that is linked in. */
extern const bool zl_program_is_complete;

/* What main was given; borrowed. */
void zl_program_set_argv(char **argv);

/* Returns in the complete program. In the static one it executes the complete one from the start,
 * so call it before anything was done. When that fails it returns too: what needs the libraries
 * then says that they are missing. */
void zl_program_complete(void);

/* Becomes the program `name` that is built or installed with this one. Returns -errno if that
 * fails. */
int zl_program_execute(const char *name, char *const *argv);

#endif
