/* SPDX-License-Identifier: Apache-2.0
 *
 * In the order of their cost.
 */
#include "../box.h"

const struct box_suite box_suites[] = {
  { "acceptance", suite_acceptance },
  { "lifecycle", suite_lifecycle },
  { "exec", suite_exec },
  { "logs", suite_logs },
  { "spec", suite_spec },
  { "network", suite_network },
  { "recovery", suite_recovery },
  { "load", suite_load },
  { "faults", suite_faults },
  { NULL, NULL },
};
