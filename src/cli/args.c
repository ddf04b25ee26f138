/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/args.h"

#include <stdlib.h>
#include <string.h>

#include "base/strv.h"

struct parser {
  struct zl_args *args;
  char **argv;
  int argc, at;
  size_t room; /* of args->given */
};

static const struct zl_option *lookup(const struct zl_args *args, const char *name, size_t len)
{
  const struct zl_option *option = zl_opt_find(args->tables[0], name, len);

  return option != NULL ? option : zl_opt_find(args->tables[1], name, len);
}

static int unknown_option(const struct zl_args *args, const char *name, struct zl_error *err)
{
  struct zl_nearest nearest = { .word = name };

  for (size_t t = 0; t < ZL_COUNT(args->tables); t++)
    for (const struct zl_option *o = args->tables[t]; o != NULL && o->name != NULL; o++)
      if (!o->hidden)
        zl_nearest_offer(&nearest, o->name);
  if (nearest.best != NULL)
    return zl_fail(err, ZL_E_INVALID, 0, "unknown option '--%s' (did you mean '--%s'?)", name,
                   nearest.best);
  return zl_fail(err, ZL_E_INVALID, 0, "unknown option '--%s'", name);
}

/* A value of two options is refused instead of dropping one in silence; a repeated flag says the
 * same thing twice. */
static int accept_option(struct parser *p, const struct zl_option *option, const char *value,
                         struct zl_error *err)
{
  struct zl_args *args = p->args;

  if (value != NULL && !zl_opt_accepts(option, value))
    return zl_fail(err, ZL_E_INVALID, 0, "option '--%s': '%s' is none of: %s", option->name, value,
                   option->complete);
  for (size_t i = 0; i < args->n_given && !option->repeat; i++) {
    if (args->given[i].option != option)
      continue;
    if (value == NULL)
      return 0;
    return zl_fail(err, ZL_E_INVALID, 0, "option '--%s' is given twice", option->name);
  }
  if (args->n_given == p->room)
    return zl_fail(err, ZL_E_INTERNAL, 0, "more options than arguments");
  args->given[args->n_given++] = (struct zl_arg){ option, value };
  return 0;
}

static int take_value(struct parser *p, const struct zl_option *option, const char *attached,
                      struct zl_error *err)
{
  if (attached != NULL)
    return accept_option(p, option, attached, err);
  if (p->at >= p->argc)
    return zl_fail(err, ZL_E_INVALID, 0, "option '--%s' needs a value: %s", option->name,
                   option->value);
  return accept_option(p, option, p->argv[p->at++], err);
}

static int parse_long(struct parser *p, const char *text, struct zl_error *err)
{
  const char *equals = strchr(text, '=');
  size_t len = equals != NULL ? (size_t)(equals - text) : strlen(text);
  const struct zl_option *option = lookup(p->args, text, len);
  char name[64];

  if (option == NULL) {
    (void)snprintf(name, sizeof(name), "%.*s", (int)(len < sizeof(name) ? len : sizeof(name) - 1),
                   text);
    return unknown_option(p->args, name, err);
  }
  if (option->value != NULL)
    return take_value(p, option, equals != NULL ? equals + 1 : NULL, err);
  if (equals != NULL)
    return zl_fail(err, ZL_E_INVALID, 0, "option '--%s' takes no value", option->name);
  return accept_option(p, option, NULL, err);
}

/* "-it", "-p80:80", "-p=80:80", "-p 80:80". */
static int parse_short(struct parser *p, const char *text, struct zl_error *err)
{
  const struct zl_option *option;
  const char *rest;
  int r;

  for (; *text != '\0'; text++) {
    option = zl_opt_find_letter(p->args->tables[0], *text);
    if (option == NULL)
      option = zl_opt_find_letter(p->args->tables[1], *text);
    if (option == NULL)
      return zl_fail(err, ZL_E_INVALID, 0, "unknown option '-%c'", *text);
    if (option->value != NULL) {
      rest = text[1] == '=' ? text + 2 : text + 1;
      return take_value(p, option, text[1] == '\0' ? NULL : rest, err);
    }
    r = accept_option(p, option, NULL, err);
    if (r < 0)
      return r;
  }
  return 0;
}

static void add_operand(struct zl_args *args, char *text)
{
  args->operands[args->n_operands++] = text;
}

static int parse_all(struct parser *p, unsigned flags, struct zl_error *err)
{
  bool options = true;
  char *text;
  int r = 0;

  while (p->at < p->argc && r >= 0) {
    text = p->argv[p->at++];
    if (options && strcmp(text, "--") == 0) {
      options = false;
    } else if (options && zl_has_prefix(text, "--")) {
      r = parse_long(p, text + 2, err);
    } else if (options && text[0] == '-' && text[1] != '\0') {
      r = parse_short(p, text + 1, err);
    } else {
      add_operand(p->args, text);
      if (flags & ZL_VERB_OPTIONS_FIRST)
        options = false;
    }
  }
  return r;
}

/* Room for every letter of every argument: an upper bound of what can be given. */
static size_t count_letters(int argc, char **argv)
{
  size_t n = 0;

  for (int i = 0; i < argc; i++)
    n += strlen(argv[i]);
  return n;
}

int zl_args_parse(struct zl_args *ret, const struct zl_option *own, unsigned flags, int argc,
                  char **argv, const struct zl_args *before, struct zl_error *err)
{
  size_t earlier = before != NULL ? before->n_given : 0;
  struct parser p = { .args = ret, .argv = argv, .argc = argc };

  *ret = (struct zl_args){ .tables = { own, zl_global_options } };
  p.room = count_letters(argc, argv) + earlier;
  ret->given = calloc(p.room + 1, sizeof(*ret->given));
  ret->operands = calloc((size_t)argc + 1, sizeof(*ret->operands));
  if (ret->given == NULL || ret->operands == NULL)
    return zl_fail_nomem(err, "the command line");
  for (size_t i = 0; i < earlier; i++)
    ret->given[ret->n_given++] = before->given[i];
  return parse_all(&p, flags, err);
}

int zl_args_check_operands(const struct zl_args *args, const struct zl_verb *verb,
                           struct zl_error *err)
{
  if (args->n_operands < verb->min_operands)
    return zl_fail(err, ZL_E_INVALID, 0, "too few arguments: %s %s", verb->name, verb->usage);
  if (args->n_operands > verb->max_operands)
    return zl_fail(err, ZL_E_INVALID, 0, "unexpected argument '%s': %s %s",
                   args->operands[verb->max_operands], verb->name, verb->usage);
  return 0;
}

void zl_args_done(struct zl_args *args)
{
  free(args->given);
  free(args->operands);
  *args = (struct zl_args){ .n_given = 0 };
}

const char *zl_args_next(const struct zl_args *args, const char *name, size_t *pos)
{
  const struct zl_option *option = lookup(args, name, strlen(name));

  if (option == NULL)
    abort();
  while (*pos < args->n_given) {
    const struct zl_arg *arg = &args->given[(*pos)++];

    if (arg->option == option)
      return arg->value != NULL ? arg->value : "";
  }
  return NULL;
}

const char *zl_args_get(const struct zl_args *args, const char *name)
{
  size_t pos = 0;

  return zl_args_next(args, name, &pos);
}

bool zl_args_has(const struct zl_args *args, const char *name)
{
  return zl_args_get(args, name) != NULL;
}

int zl_args_u64(const struct zl_args *args, const char *name, uint64_t max, uint64_t fallback,
                uint64_t *ret, struct zl_error *err)
{
  const char *text = zl_args_get(args, name);
  uint64_t value = fallback;

  if (text != NULL && !zl_parse_u64(text, max, &value))
    return zl_fail(err, ZL_E_INVALID, 0, "option '--%s': '%s' is no number from 0 to %llu", name,
                   text, (unsigned long long)max);
  *ret = value;
  return 0;
}
