/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "base/strv.h"
#include "oci/container.h"
#include "oci/options.h"
#include "oci/output.h"

static void closedirp(DIR **dir)
{
  if (*dir != NULL)
    (void)closedir(*dir);
}

/* One that goes meanwhile, or cannot be read, is none. */
static int add(const struct oci *oci, const char *id, json_t *list, struct zl_error *err)
{
  oci_autocontainer c = OCI_CONTAINER_INIT;

  if (oci_container_open(oci, id, false, &c, NULL) < 0)
    return 0;
  return json_array_append_new(list, oci_container_state(&c, oci_container_status(&c))) < 0
             ? zl_fail_nomem(err, "list")
             : 0;
}

static int compare(const void *a, const void *b)
{
  return strcmp(*(char *const *)a, *(char *const *)b);
}

static int collect(const struct oci *oci, json_t *list, struct zl_error *err)
{
  int fd = zl_fd_open(AT_FDCWD, oci->root, O_RDONLY | O_DIRECTORY, 0), r = 0;
  ZL_CLEANUP(closedirp) DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
  zl_autostrv ids = NULL;
  struct dirent *e;

  if (fd == -ENOENT)
    return 0;
  if (dir == NULL)
    return zl_fail(err, ZL_E_SYSTEM, fd < 0 ? -fd : errno, "--root '%s'", oci->root);
  while (r == 0 && (e = readdir(dir)) != NULL)
    if (e->d_name[0] != '.')
      r = zl_strv_push(&ids, e->d_name, err);
  if (ids != NULL)
    qsort(ids, zl_strv_len((const char *const *)ids), sizeof(*ids), compare);
  for (size_t i = 0; r == 0 && ids != NULL && ids[i] != NULL; i++)
    r = add(oci, ids[i], list, err);
  return r;
}

static const char *text_of(const json_t *state, const char *key)
{
  const char *text = json_string_value(json_object_get(state, key));

  return text != NULL ? text : "";
}

static void print_table(const json_t *list, bool quiet)
{
  size_t i;
  const json_t *state;

  if (!quiet)
    (void)printf("%-20s %-10s %-9s %-30s %-32s %s\n", "ID", "PID", "STATUS", "BUNDLE", "CREATED",
                 "OWNER");
  json_array_foreach (list, i, state) {
    if (quiet)
      (void)puts(text_of(state, "id"));
    else
      (void)printf("%-20s %-10d %-9s %-30s %-32s %s\n", text_of(state, "id"),
                   (int)json_integer_value(json_object_get(state, "pid")), text_of(state, "status"),
                   text_of(state, "bundle"), text_of(state, "created"), text_of(state, "owner"));
  }
}

int oci_list(const struct oci *oci, int argc, char **argv, struct zl_error *err)
{
  const char *format = "table";
  bool quiet = false;
  const struct oci_option options[] = {
    { .name = "format", .letter = 'f', .kind = OCI_TEXT, .variable = &format },
    { .name = "quiet", .letter = 'q', .kind = OCI_FLAG, .variable = &quiet },
  };
  zl_autojson *list = json_array();
  int first = argc, r = oci_options(options, ZL_COUNT(options), argc, argv, &first, err);
  bool json = strcmp(format, "json") == 0;

  if (r == 0 && first != argc)
    r = zl_fail(err, ZL_E_INVALID, 0, "list: takes no arguments");
  if (r == 0 && !json && strcmp(format, "table") != 0)
    r = zl_fail(err, ZL_E_INVALID, 0, "--format: '%.40s' is neither table nor json", format);
  if (r == 0)
    r = list != NULL ? collect(oci, list, err) : zl_fail_nomem(err, "list");
  if (r < 0)
    return r;
  if (json && !quiet)
    return oci_print_json(list, false, err);
  print_table(list, quiet);
  return fflush(stdout) != 0 ? zl_fail_errno(err, "standard output") : 0;
}
