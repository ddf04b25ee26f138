/* SPDX-License-Identifier: Apache-2.0
 *
 * The verbs on Windows: those that work, and those that say that they do not yet.
 */
#include "cli/verbs.h"

#include "cli/cli.h"

static int refuse(struct zl_cli *cli, const struct zl_args *args)
{
  struct zl_error err = { 0 };

  (void)args;
  (void)zl_fail(&err, ZL_E_UNSUPPORTED, 0, "'zlayer %s' does not work on Windows yet", cli->path);
  return zl_cli_failed(cli, &err);
}

/* What stands behind such a verb is not read: what its options mean is known where it works. */
#define REFUSAL(text, kind)                                                                        \
  {                                                                                                \
    .name = (text), .summary = "Does not work on Windows yet", .usage = "",                        \
    .flags = ZL_VERB_HIDDEN | ZL_VERB_RAW | (kind), .max_operands = ZL_ANY_OPERANDS, .run = refuse \
  }
#define REFUSED(text, kind) &(const struct zl_verb)REFUSAL(text, kind)

/* Among those of `zlayer image`. */
const struct zl_verb zl_verb_image_save = REFUSAL("save", 0);

const struct zl_verb *const zl_verbs[] = {
  &zl_verb_run,
  &zl_verb_exec,
  &zl_verb_ps,
  &zl_verb_logs,
  &zl_verb_inspect,
  &zl_verb_stats,
  &zl_verb_wait,
  &zl_verb_stop,
  &zl_verb_kill,
  &zl_verb_pause,
  &zl_verb_unpause,
  &zl_verb_rm,
  &zl_verb_up,
  &zl_verb_down,
  &zl_verb_validate,
  &zl_verb_pull,
  REFUSED("push", 0),
  &zl_verb_images,
  &zl_verb_rmi,
  &zl_verb_image,
  &zl_verb_events,
  &zl_verb_info,
  &zl_verb_system,
  REFUSED("vm", 0),
  REFUSED("oci", 0),
  &zl_verb_version,
  &zl_verb_completion,
  &zl_verb_help,
  NULL,
};
