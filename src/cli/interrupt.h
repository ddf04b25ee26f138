/* SPDX-License-Identifier: Apache-2.0
 *
 * Work that the user may end before it is done.
 */
#ifndef ZL_CLI_INTERRUPT_H
#define ZL_CLI_INTERRUPT_H

#include <stdbool.h>
#include <zlayer/error.h>

/* Runs fn. The first Ctrl-C or request to end meanwhile is told by zl_cli_is_interrupted, which fn
 * asks; a second one ends the program. One at a time. */
typedef int (*zl_interruptible_fn)(void *ctx, struct zl_error *err);
int zl_cli_interruptible(zl_interruptible_fn fn, void *ctx, struct zl_error *err);
bool zl_cli_is_interrupted(void);

#endif
