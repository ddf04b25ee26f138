/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ZL_TESTS_IMAGE_SERVICES_H
#define ZL_TESTS_IMAGE_SERVICES_H

#include "image/windows/services.h"

/* What pull_tool's store makes Windows layers with; NULL on Linux. */
const struct zl_win_services *pull_tool_services(void);

#endif
