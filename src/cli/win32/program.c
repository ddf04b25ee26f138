/* SPDX-License-Identifier: Apache-2.0
 *
 * There is one program: all of its libraries are in it.
 */
#include "cli/program.h"

const bool zl_program_is_complete = true;

void zl_program_set_argv(char **argv)
{
  (void)argv;
}

void zl_program_complete(void)
{
}
