/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/buf.h"
#include "cli/verb.h"

/* The script looks the words of the line up in functions that are made from the tables. */
static const char head[] = "# bash completion of zlayer, printed by 'zlayer completion bash'.\n"
                           "\n"
                           "_zlayer_containers() { zlayer \"${globals[@]}\" ps -aq 2>/dev/null; }\n"
                           "_zlayer_images() { zlayer \"${globals[@]}\" images -q 2>/dev/null; }\n"
                           "\n";

static const char tail[] =
    "\n"
    "_zlayer_complete() {\n"
    "  local want=$1 cur=$2\n"
    "  case $want in\n"
    "    @container) COMPREPLY=($(compgen -W \"$(_zlayer_containers)\" -- \"$cur\")) ;;\n"
    "    @image) COMPREPLY=($(compgen -W \"$(_zlayer_images)\" -- \"$cur\")) ;;\n"
    "    @directory) COMPREPLY=($(compgen -d -- \"$cur\")) ;;\n"
    "    @verb) COMPREPLY=($(compgen -W \"$(_zlayer_verbs)\" -- \"$cur\")) ;;\n"
    "    @file) COMPREPLY=($(compgen -f -- \"$cur\")) ;;\n"
    "    *) COMPREPLY=($(compgen -W \"$want\" -- \"$cur\")) ;;\n"
    "  esac\n"
    "}\n"
    "\n"
    "_zlayer() {\n"
    "  local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} path='' word i\n"
    "  local -a globals=()\n"
    "  COMPREPLY=()\n"
    "  for ((i = 1; i < COMP_CWORD; i++)); do\n"
    "    word=${COMP_WORDS[i]}\n"
    "    if [[ $word == --root || $word == --slice-cidr ]]; then\n"
    "      globals+=(\"$word\" \"${COMP_WORDS[++i]}\")\n"
    "    elif [[ $word == -* ]]; then\n"
    "      [[ $(_zlayer_value \"$path $word\") ]] && ((i++))\n"
    "    elif [[ $(_zlayer_options \"${path:+$path }$word\") ]]; then\n"
    "      path=\"${path:+$path }$word\"\n"
    "    else\n"
    "      break\n"
    "    fi\n"
    "  done\n"
    "  local value\n"
    "  value=$(_zlayer_value \"$path $prev\")\n"
    "  if [[ $value && $value != - ]]; then\n"
    "    _zlayer_complete \"$value\" \"$cur\"\n"
    "  elif [[ $value == - ]]; then\n"
    "    :\n"
    "  elif [[ $cur == -* ]]; then\n"
    "    COMPREPLY=($(compgen -W \"$(_zlayer_options \"$path\")\" -- \"$cur\"))\n"
    "  else\n"
    "    _zlayer_complete \"$(_zlayer_operands \"$path\")\" \"$cur\"\n"
    "  fi\n"
    "}\n"
    "complete -o filenames -F _zlayer zlayer\n";

struct walk {
  struct zl_buf *out;
  struct zl_error *err;
  /* Prints the lines of one verb; `path` is its full name. */
  int (*put)(const struct walk *walk, const struct zl_verb *verb, const char *path);
};

static int each_verb(const struct walk *walk, const struct zl_verb *const *table, const char *above)
{
  char path[64];
  int r = 0;

  for (; *table != NULL && r >= 0; table++) {
    (void)snprintf(path, sizeof(path), "%s%s%s", above, above[0] != '\0' ? " " : "",
                   (*table)->name);
    if (!((*table)->flags & ZL_VERB_HIDDEN))
      r = walk->put(walk, *table, path);
    if (r >= 0 && (*table)->sub != NULL)
      r = each_verb(walk, (*table)->sub, path);
  }
  return r;
}

static int put_names(struct zl_buf *out, const struct zl_option *options, struct zl_error *err)
{
  int r = 0;

  for (; options != NULL && options->name != NULL && r >= 0; options++)
    if (!options->hidden)
      r = zl_buf_printf(out, err, " --%s", options->name);
  return r;
}

static int put_options(const struct walk *walk, const struct zl_verb *verb, const char *path)
{
  int r = zl_buf_printf(walk->out, walk->err, "    '%s') echo '", path);

  if (r >= 0)
    r = put_names(walk->out, verb->options, walk->err);
  if (r >= 0)
    r = put_names(walk->out, zl_global_options, walk->err);
  return r < 0 ? r : zl_buf_puts(walk->out, "' ;;\n", walk->err);
}

static int put_value(const struct walk *walk, const struct zl_option *option, const char *path)
{
  char letter[80] = "";

  if (option->hidden || option->value == NULL)
    return 0;
  if (option->letter != '\0')
    (void)snprintf(letter, sizeof(letter), "|'%s -%c'", path, option->letter);
  return zl_buf_printf(walk->out, walk->err, "    '%s --%s'%s) echo '%s' ;;\n", path, option->name,
                       letter, option->complete != NULL ? option->complete : "-");
}

static int put_values(const struct walk *walk, const struct zl_verb *verb, const char *path)
{
  int r = 0;

  for (const struct zl_option *o = verb->options; o != NULL && o->name != NULL && r >= 0; o++)
    r = put_value(walk, o, path);
  return r;
}

static int put_operands(const struct walk *walk, const struct zl_verb *verb, const char *path)
{
  const char *words = verb->operands != NULL ? verb->operands : "";
  int r = zl_buf_printf(walk->out, walk->err, "    '%s') echo '%s", path, words);

  for (const struct zl_verb *const *sub = verb->sub; sub != NULL && *sub != NULL && r >= 0; sub++)
    r = zl_buf_printf(walk->out, walk->err, "%s%s", sub == verb->sub ? "" : " ", (*sub)->name);
  return r < 0 ? r : zl_buf_puts(walk->out, "' ;;\n", walk->err);
}

static int put_table(struct walk *walk, const char *name, const char *first,
                     int (*put)(const struct walk *, const struct zl_verb *, const char *))
{
  int r = zl_buf_printf(walk->out, walk->err, "%s() {\n  case $1 in\n%s", name, first);

  walk->put = put;
  if (r >= 0)
    r = each_verb(walk, zl_verbs, "");
  return r < 0 ? r : zl_buf_puts(walk->out, "  esac\n}\n", walk->err);
}

static int put_verb_list(struct walk *walk)
{
  int r = zl_buf_puts(walk->out, "_zlayer_verbs() { echo '", walk->err);

  for (const struct zl_verb *const *verb = zl_verbs; *verb != NULL && r >= 0; verb++)
    if (!((*verb)->flags & ZL_VERB_HIDDEN))
      r = zl_buf_printf(walk->out, walk->err, "%s%s", verb == zl_verbs ? "" : " ", (*verb)->name);
  return r < 0 ? r : zl_buf_puts(walk->out, "'; }\n", walk->err);
}

/* Global options have their value anywhere on the line. */
static int put_global_values(struct walk *walk)
{
  int r = 0;

  for (const struct zl_option *o = zl_global_options; o->name != NULL && r >= 0; o++)
    if (!o->hidden && o->value != NULL)
      r = zl_buf_printf(walk->out, walk->err, "    *' --%s') echo '%s' ;;\n", o->name,
                        o->complete != NULL ? o->complete : "-");
  return r;
}

static int put_value_table(struct walk *walk)
{
  int r = zl_buf_puts(walk->out, "_zlayer_value() {\n  case $1 in\n", walk->err);

  walk->put = put_values;
  if (r >= 0)
    r = each_verb(walk, zl_verbs, "");
  if (r >= 0)
    r = put_global_values(walk);
  return r < 0 ? r : zl_buf_puts(walk->out, "  esac\n}\n", walk->err);
}

int zl_completion_bash(struct zl_buf *out, struct zl_error *err)
{
  struct walk walk = { .out = out, .err = err };
  int r = zl_buf_puts(out, head, err);

  if (r >= 0)
    r = put_verb_list(&walk);
  if (r >= 0)
    r = put_table(&walk, "_zlayer_options",
                  "    '') echo '--root --slice-cidr --log-level --help "
                  "--version' ;;\n",
                  put_options);
  if (r >= 0)
    r = put_table(&walk, "_zlayer_operands", "    '') _zlayer_verbs ;;\n", put_operands);
  if (r >= 0)
    r = put_value_table(&walk);
  return r < 0 ? r : zl_buf_puts(out, tail, err);
}
