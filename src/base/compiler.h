/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ZL_BASE_COMPILER_H
#define ZL_BASE_COMPILER_H

/* Every local variable is cleared before its use (-ftrivial-auto-var-init). Not so a large buffer
 * that is declared with this and filled before anything reads it: clearing 64 KiB for each read of
 * a few bytes is what an emulated processor then does most of the time. */
#define ZL_UNCLEARED __attribute__((uninitialized))

#endif
