/* SPDX-License-Identifier: Apache-2.0 */
#include "services.h"

const struct zl_win_services *pull_tool_services(void)
{
  return NULL;
}
