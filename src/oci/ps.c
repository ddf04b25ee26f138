/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/proc.h"
#include "oci/container.h"
#include "oci/options.h"
#include "oci/output.h"

#define PS "/usr/bin/ps"

static int add_pid(void *payload, pid_t pid, struct zl_error *err)
{
  return json_array_append_new(payload, json_integer(pid)) < 0 ? zl_fail_nomem(err, "ps") : 0;
}

static bool has_pid(const json_t *pids, long pid)
{
  size_t i;
  const json_t *one;

  json_array_foreach (pids, i, one)
    if (json_integer_value(one) == pid)
      return true;
  return false;
}

/* The column "PID" of ps's heading; -1: it has none. */
static int find_column(const char *heading)
{
  int column = 0;

  for (const char *word = heading + strspn(heading, " "); *word != '\0' && *word != '\n';) {
    size_t len = strcspn(word, " \n");

    if (len == 3 && memcmp(word, "PID", 3) == 0)
      return column;
    word += len + strspn(word + len, " ");
    column++;
  }
  return -1;
}

static long number_at(const char *line, int column)
{
  line += strspn(line, " ");
  while (column-- > 0) {
    line += strcspn(line, " ");
    line += strspn(line, " ");
  }
  return strtol(line, NULL, 10);
}

static int filter(FILE *out, const json_t *pids, struct zl_error *err)
{
  zl_autofree char *line = NULL;
  size_t size = 0;
  int column = -1;

  while (getline(&line, &size, out) > 0) {
    if (column < 0) {
      column = find_column(line);
      if (column < 0)
        return zl_fail(err, ZL_E_INVALID, 0, "ps: its output has no column PID");
      (void)fputs(line, stdout);
    } else if (has_pid(pids, number_at(line, column))) {
      (void)fputs(line, stdout);
    }
  }
  return fflush(stdout) != 0 ? zl_fail_errno(err, "standard output") : 0;
}

/* The options are ps's own. */
static int print_table(const json_t *pids, char **options, struct zl_error *err)
{
  const char *usual[] = { "ps", "-ef", NULL };
  struct zl_proc proc = { .pidfd = -1 };
  zl_autofile *out = NULL;
  struct zl_proc_fd fds[] = { { .to = STDOUT_FILENO },
                              { .from = STDERR_FILENO, .to = STDERR_FILENO } };
  struct zl_proc_options how = {
    .path = PS, .exec_fd = -1, .argv = usual, .fds = fds, .n_fds = ZL_COUNT(fds)
  };
  int ends[2], r = zl_fd_pipe(ends, err);

  if (r < 0)
    return r;
  fds[0].from = ends[1];
  if (*options != NULL) {
    options[-1] = (char *)(uintptr_t)usual[0]; /* the id's place */
    how.argv = (const char *const *)options - 1;
  }
  r = zl_proc_spawn(&how, &proc, err);
  zl_fd_closep(&ends[1]);
  out = fdopen(ends[0], "r");
  if (r == 0)
    r = out != NULL ? filter(out, pids, err) : zl_fail_errno(err, "ps");
  zl_proc_kill(&proc);
  return r;
}

int oci_ps(const struct oci *oci, int argc, char **argv, struct zl_error *err)
{
  oci_autocontainer c = OCI_CONTAINER_INIT;
  zl_autojson *pids = json_array();
  const char *format = "table";
  const struct oci_option options[] = {
    { .name = "format", .letter = 'f', .kind = OCI_TEXT, .variable = &format },
  };
  int first = argc, r = oci_options(options, ZL_COUNT(options), argc, argv, &first, err);

  if (r == 0 && first == argc)
    r = zl_fail(err, ZL_E_INVALID, 0, "ps: the id of a container must be given");
  if (r == 0)
    r = oci_container_open(oci, argv[first], false, &c, err);
  if (r == 0 && !c.has_cgroup)
    r = zl_fail(err, ZL_E_UNSUPPORTED, 0, "container '%s' has no cgroup", argv[first]);
  if (r == 0)
    r = pids != NULL ? zl_cgroup_each_process(&c.cgroup, add_pid, pids, err)
                     : zl_fail_nomem(err, "ps");
  if (r < 0)
    return r;
  if (strcmp(format, "json") == 0)
    return oci_print_json(pids, false, err);
  if (strcmp(format, "table") != 0)
    return zl_fail(err, ZL_E_INVALID, 0, "--format: '%.40s' is neither table nor json", format);
  return print_table(pids, argv + first + 1, err);
}
