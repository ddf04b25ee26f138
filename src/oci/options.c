/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/options.h"

#include <ctype.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/limits.h"
#include "base/strv.h"

enum {
  MAX_OPTIONS = 48,
  FIRST_VALUE = 256 /* what getopt_long returns for option 0: no letter */
};

static bool takes_value(const struct oci_option *option)
{
  switch (option->kind) {
  case OCI_TEXT:
  case OCI_LIST:
  case OCI_NUMBER:
  case OCI_BYTES:
    return true;
  case OCI_REFUSED:
  case OCI_NOTHING:
    return option->takes_value;
  default:
    return false;
  }
}

static int set_number(const struct oci_option *option, const char *text, struct zl_error *err)
{
  char *end;
  long long value;

  errno = 0;
  value = strtoll(text, &end, 10);
  if (errno != 0 || end == text || *end != '\0')
    return zl_fail(err, ZL_E_INVALID, 0, "--%s: '%.40s' is not a number", option->name, text);
  *(int64_t *)option->variable = value;
  return 0;
}

/* "64m", as Docker's library writes and reads it. -1 has no unit. */
static int set_bytes(const struct oci_option *option, const char *text, struct zl_error *err)
{
  static const char units[] = "bkmgt";
  const size_t len = strlen(text);
  const char *unit = len > 1 ? strchr(units, tolower((unsigned char)text[len - 1])) : NULL;
  zl_autofree char *digits = strndup(text, unit != NULL ? len - 1 : len);
  int64_t *value = option->variable;
  int r = digits != NULL ? set_number(option, digits, err) : zl_fail_nomem(err, "options");

  if (r == 0 && unit != NULL &&
      (*value < 0 || __builtin_mul_overflow(*value, INT64_C(1) << (10 * (unit - units)), value)))
    r = zl_fail(err, ZL_E_INVALID, 0, "--%s: '%.40s' is no number of bytes", option->name, text);
  return r;
}

static bool is_false(const char *text)
{
  return text != NULL && (strcmp(text, "false") == 0 || strcmp(text, "0") == 0);
}

/* Go's flags take "--flag=false" too, and their callers write it. */
static int set_flag(const struct oci_option *option, const char *text, struct zl_error *err)
{
  bool value = text == NULL || strcmp(text, "true") == 0 || strcmp(text, "1") == 0;

  if (!value && !is_false(text))
    return zl_fail(err, ZL_E_INVALID, 0, "--%s: '%.40s' is neither true nor false", option->name,
                   text);
  if (option->variable != NULL)
    *(bool *)option->variable = value;
  return 0;
}

static int take(const struct oci_option *option, const char *text, struct zl_error *err)
{
  switch (option->kind) {
  case OCI_FLAG:
    return set_flag(option, text, err);
  case OCI_TEXT:
    *(const char **)option->variable = text;
    return 0;
  case OCI_LIST:
    return zl_strv_push(option->variable, text, err);
  case OCI_NUMBER:
    return set_number(option, text, err);
  case OCI_BYTES:
    return set_bytes(option, text, err);
  case OCI_REFUSED:
    if (!option->takes_value && is_false(text))
      return 0;
    return zl_fail(err, ZL_E_UNSUPPORTED, 0, "--%s: %s", option->name, option->why);
  case OCI_NOTHING:
    return 0;
  }
  return 0;
}

struct table {
  struct option longs[MAX_OPTIONS + 1];
  char letters[2 * MAX_OPTIONS + 3];
};

/* "+": stop at the first operand; ":": tell a missing value apart. */
static void make_table(const struct oci_option *options, size_t n, struct table *table)
{
  char *letter = stpcpy(table->letters, "+:");

  for (size_t i = 0; i < n; i++) {
    table->longs[i] = (struct option){
      .name = options[i].name,
      .has_arg = takes_value(&options[i]) ? required_argument : optional_argument,
      .val = FIRST_VALUE + (int)i,
    };
    if (options[i].letter == '\0')
      continue;
    *letter++ = options[i].letter;
    if (takes_value(&options[i]))
      *letter++ = ':';
  }
  *letter = '\0';
  table->longs[n] = (struct option){ 0 };
}

static const struct oci_option *find(const struct oci_option *options, size_t n, int value)
{
  if (value >= FIRST_VALUE)
    return &options[value - FIRST_VALUE];
  for (size_t i = 0; i < n; i++)
    if (options[i].letter == value)
      return &options[i];
  return NULL;
}

static int refuse(int value, int argc, char **argv, struct zl_error *err)
{
  const char *word = optind > 0 && optind <= argc ? argv[optind - 1] : "";

  if (value == ':')
    return zl_fail(err, ZL_E_INVALID, 0, "option '%.100s' needs a value", word);
  return zl_fail(err, ZL_E_INVALID, 0, "unknown option '%.100s'", word);
}

int oci_options(const struct oci_option *options, size_t n, int argc, char **argv, int *ret_first,
                struct zl_error *err)
{
  struct table table;
  int value;

  if (n > MAX_OPTIONS)
    return zl_fail(err, ZL_E_INTERNAL, 0, "too many options");
  make_table(options, n, &table);
  opterr = 0;
  optind = 0; /* glibc: begin anew */
  while ((value = getopt_long(argc, argv, table.letters, table.longs, NULL)) != -1) {
    const struct oci_option *option;
    int r;

    if (value == '?' || value == ':')
      return refuse(value, argc, argv, err);
    option = find(options, n, value);
    r = option != NULL ? take(option, optarg, err) : refuse('?', argc, argv, err);
    if (r < 0)
      return r;
  }
  *ret_first = optind;
  return 0;
}

int oci_options_id(const struct oci_option *options, size_t n, int argc, char **argv,
                   const char **ret_id, struct zl_error *err)
{
  int first = argc, r = oci_options(options, n, argc, argv, &first, err);

  if (r < 0)
    return r;
  if (first == argc)
    return zl_fail(err, ZL_E_INVALID, 0, "%s: the id of a container must be given", argv[0]);
  *ret_id = argv[first];
  /* What follows the id may be options again. */
  argc -= first;
  argv += first;
  r = oci_options(options, n, argc, argv, &first, err);
  if (r == 0 && first != argc)
    r = zl_fail(err, ZL_E_INVALID, 0, "one container only: '%.100s' is one word too many",
                argv[first]);
  return r;
}

/* None of our own files may get the number of one that the caller has not opened: a placeholder
 * takes it, which the program does not get. */
static int fill_gap(int number)
{
  int fd = zl_fd_open(AT_FDCWD, "/dev/null", O_PATH, 0);

  if (fd < 0 || fd == number)
    return fd;
  (void)close(fd);
  return -EBADF;
}

int oci_check_preserved(int64_t n, struct zl_error *err)
{
  if (n < 0 || n > ZL_MAX_PRESERVED_FDS)
    return zl_fail(err, ZL_E_INVALID, 0, "--preserve-fds: 0 to %d", ZL_MAX_PRESERVED_FDS);
  for (int i = 0; i < (int)n; i++) {
    int fd = fcntl(3 + i, F_GETFD) < 0 ? fill_gap(3 + i) : 0;

    if (fd < 0)
      return zl_fail(err, ZL_E_SYSTEM, -fd, "--preserve-fds: descriptor %d", 3 + i);
  }
  return 0;
}
