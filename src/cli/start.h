/* SPDX-License-Identifier: Apache-2.0
 *
 * What each system needs done before the program reads its command line.
 */
#ifndef ZL_CLI_START_H
#define ZL_CLI_START_H

/* Prepares the process: its standard streams, its memory, what a reader that goes away does. The
 * arguments in UTF-8, in memory that stays; NULL: no memory, or no text. */
char **zl_cli_begin(int argc, char **argv);

#endif
