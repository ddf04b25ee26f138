/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/verb.h"

const struct zl_option zl_global_options[] = {
  { .name = "root",
    .value = "DIR",
    .complete = ZL_COMPLETE_DIRECTORY,
    .summary = "State of the node; default $ZLAYER_ROOT, else /var/lib/zlayer" },
  { .name = "slice-cidr",
    .value = "CIDR",
    .summary = "The node's slice of the overlay; default $ZLAYER_SLICE_CIDR, else as configured" },
  { .name = "log-level",
    .value = "LEVEL",
    .complete = "error warning info debug",
    .summary = "Diagnostics on standard error; default $ZLAYER_LOG, else warning" },
  { .name = "backend",
    .value = "NAME",
    .hidden = true,
    .summary = "Use this backend whatever the isolation" },
  { .name = "help", .letter = 'h', .summary = "Explain the verb and end" },
  { .name = NULL },
};
