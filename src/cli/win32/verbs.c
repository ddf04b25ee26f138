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
  &zl_verb_validate,
  &zl_verb_pull,
  &zl_verb_images,
  &zl_verb_rmi,
  &zl_verb_image,
  &zl_verb_version,
  &zl_verb_completion,
  &zl_verb_help,
  REFUSED("run", ZL_VERB_WORKLOAD),
  REFUSED("exec", ZL_VERB_WORKLOAD),
  REFUSED("ps", 0),
  REFUSED("logs", 0),
  REFUSED("inspect", 0),
  REFUSED("stats", 0),
  REFUSED("wait", 0),
  REFUSED("stop", 0),
  REFUSED("kill", 0),
  REFUSED("pause", 0),
  REFUSED("unpause", 0),
  REFUSED("rm", 0),
  REFUSED("up", 0),
  REFUSED("down", 0),
  REFUSED("push", 0),
  REFUSED("events", 0),
  REFUSED("info", 0),
  REFUSED("system", 0),
  REFUSED("vm", 0),
  REFUSED("oci", 0),
  NULL,
};
