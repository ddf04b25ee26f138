/* SPDX-License-Identifier: Apache-2.0 */
#include "box.h"

const struct box_suite box_suites[] = {
  { "acceptance", suite_acceptance },
  { "lifecycle", suite_lifecycle },
  { "exec", suite_exec },
  { "logs", suite_logs },
  { "network", suite_network },
  { "spec", suite_spec },
  { "recovery", suite_recovery },
  { "load", suite_load },
  { "faults", suite_faults },
  { NULL, NULL },
};
