/* SPDX-License-Identifier: Apache-2.0
 *
 * Those whose cases need no fork and no network of Linux.
 */
#include "../box.h"

const struct box_suite box_suites[] = {
  { "acceptance", suite_acceptance },
  { "lifecycle", suite_lifecycle },
  { "exec", suite_exec },
  { "logs", suite_logs },
  { NULL, NULL },
};
