/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/program.h"

const bool zl_program_is_complete = false;
