/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "cli/args.h"
#include "cli/cli.h"
#include "cli/program.h"
#include "cli/verbs.h"

/* The runtime is a program of its own, so that who calls it a hundred times a second need not load
 * this one; the verb is for people. */
static int run(struct zl_cli *cli, const struct zl_args *args)
{
  static char name[] = "zlayer-oci";
  struct zl_error err = { 0 };
  char **argv = calloc(args->n_operands + 2, sizeof(*argv));
  int r;

  if (argv == NULL)
    return zl_cli_finish(cli, zl_fail_nomem(&err, "arguments"), &err);
  argv[0] = name;
  for (size_t i = 0; i < args->n_operands; i++)
    argv[i + 1] = args->operands[i];
  r = zl_program_execute(name, argv);
  free(argv);
  return zl_cli_finish(cli, zl_fail(&err, ZL_E_NOT_FOUND, -r, "executing %s", name), &err);
}

const struct zl_verb zl_verb_oci = {
  .name = "oci",
  .group = "Node",
  .summary = "Be the OCI runtime of Podman, containerd and others",
  .usage = "[OPTIONS] COMMAND ...",
  .detail = "All arguments are those of zlayer-oci, which takes what runc takes; see\n"
            "'zlayer oci --help'.",
  .operands = NULL,
  .max_operands = ZL_ANY_OPERANDS,
  .flags = ZL_VERB_RAW,
  .run = run,
};
