/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/verbs.h"

/* "help system prune"; without operands the overview. */
static int verb_page(struct zl_buf *out, const struct zl_args *args, struct zl_error *err)
{
  const struct zl_verb *const *table = zl_verbs;
  const struct zl_verb *verb = NULL;
  char path[64] = "";
  size_t len;

  for (size_t i = 0; i < args->n_operands; i++) {
    verb = table != NULL ? zl_verb_find(table, args->operands[i]) : NULL;
    if (verb == NULL)
      return zl_fail(err, ZL_E_NOT_FOUND, 0, "no help on '%s'; see 'zlayer help'",
                     args->operands[i]);
    len = strlen(path);
    (void)snprintf(path + len, sizeof(path) - len, "%s%s", len > 0 ? " " : "", verb->name);
    table = verb->sub;
  }
  return verb != NULL ? zl_help_verb(out, verb, path, err) : zl_help_overview(out, err);
}

static int run(struct zl_cli *cli, const struct zl_args *args)
{
  struct zl_error err = { 0 };
  zl_autobuf out = ZL_BUF_INIT(ZL_MAX_OUTPUT);
  const char *topic = args->n_operands == 1 ? zl_help_topic(args->operands[0]) : NULL;
  int r;

  r = topic != NULL ? zl_buf_puts(&out, topic, &err) : verb_page(&out, args, &err);
  if (r >= 0)
    r = zl_cli_write(&out, &err);
  return zl_cli_finish(cli, r, &err);
}

const struct zl_verb zl_verb_help = {
  .name = "help",
  .group = "Node",
  .summary = "Explain a verb, or a topic: exit-codes, references",
  .usage = "[VERB | TOPIC]",
  .options = (const struct zl_option[]){ { .name = NULL } },
  .operands = ZL_COMPLETE_VERB,
  .max_operands = 2,
  .run = run,
};
