/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/verbs.h"

const struct zl_verb *const zl_verbs[] = {
  &zl_verb_run,     &zl_verb_exec,       &zl_verb_ps,     &zl_verb_logs, &zl_verb_inspect,
  &zl_verb_stats,   &zl_verb_wait,       &zl_verb_stop,   &zl_verb_kill, &zl_verb_pause,
  &zl_verb_unpause, &zl_verb_rm,         &zl_verb_up,     &zl_verb_down, &zl_verb_validate,
  &zl_verb_pull,    &zl_verb_push,       &zl_verb_images, &zl_verb_rmi,  &zl_verb_image,
  &zl_verb_events,  &zl_verb_info,       &zl_verb_system, &zl_verb_vm,   &zl_verb_oci,
  &zl_verb_version, &zl_verb_completion, &zl_verb_help,   NULL,
};
