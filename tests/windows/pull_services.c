/* SPDX-License-Identifier: Apache-2.0
 *
 * pull_tool's on Windows: the host's own, or the doubles that ZLAYER_HCS_DOUBLES names.
 */
#include "runtime/hcs/layer_services.h"
#include "services.h"

const struct zl_win_services *pull_tool_services(void)
{
  return &zl_hcs_host_layer_services;
}
