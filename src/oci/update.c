/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "base/limits.h"
#include "oci/container.h"
#include "oci/document.h"
#include "oci/machine.h"
#include "oci/options.h"
#include "oci/scope.h"

#define NOT_GIVEN INT64_MIN

/* An option that becomes a number of the resources document. */
struct number {
  const char *option, *object, *member;
  bool is_bytes;
  int64_t value;
};

static const struct number numbers[] = {
  { .option = "blkio-weight", .object = "blockIO", .member = "weight" },
  { .option = "cpu-period", .object = "cpu", .member = "period" },
  { .option = "cpu-quota", .object = "cpu", .member = "quota" },
  { .option = "cpu-burst", .object = "cpu", .member = "burst" },
  { .option = "cpu-share", .object = "cpu", .member = "shares" },
  { .option = "cpu-shares", .object = "cpu", .member = "shares" },
  { .option = "cpu-rt-period", .object = "cpu", .member = "realtimePeriod" },
  { .option = "cpu-rt-runtime", .object = "cpu", .member = "realtimeRuntime" },
  { .option = "cpu-idle", .object = "cpu", .member = "idle" },
  { .option = "memory", .object = "memory", .member = "limit", .is_bytes = true },
  { .option = "memory-reservation", .object = "memory", .member = "reservation", .is_bytes = true },
  { .option = "memory-swap", .object = "memory", .member = "swap", .is_bytes = true },
  { .option = "pids-limit", .object = "pids", .member = "limit" },
};

struct update {
  struct number numbers[ZL_COUNT(numbers)];
  const char *file, *cpus, *mems;
};

static int parse(struct update *update, int argc, char **argv, const char **ret_id,
                 struct zl_error *err)
{
  static const char kernel[] = "the kernel has no such limit any more";
  struct oci_option options[ZL_COUNT(numbers) + 8];
  size_t n = 0;

  memcpy(update->numbers, numbers, sizeof(numbers));
  for (size_t i = 0; i < ZL_COUNT(numbers); i++) {
    update->numbers[i].value = NOT_GIVEN;
    options[n++] = (struct oci_option){ .name = numbers[i].option,
                                        .kind = numbers[i].is_bytes ? OCI_BYTES : OCI_NUMBER,
                                        .variable = &update->numbers[i].value };
  }
  options[n++] = (struct oci_option){
    .name = "resources", .letter = 'r', .kind = OCI_TEXT, .variable = &update->file
  };
  options[n++] =
      (struct oci_option){ .name = "cpuset-cpus", .kind = OCI_TEXT, .variable = &update->cpus };
  options[n++] =
      (struct oci_option){ .name = "cpuset-mems", .kind = OCI_TEXT, .variable = &update->mems };
  options[n++] = (struct oci_option){
    .name = "kernel-memory", .kind = OCI_REFUSED, .takes_value = true, .why = kernel
  };
  options[n++] = (struct oci_option){
    .name = "kernel-memory-tcp", .kind = OCI_REFUSED, .takes_value = true, .why = kernel
  };
  return oci_options_id(options, n, argc, argv, ret_id, err);
}

/* ---- The document -------------------------------------------------------------------------- */

static json_t *part_of(json_t *doc, const char *name)
{
  json_t *part = json_object_get(doc, name);

  if (part != NULL)
    return part;
  part = json_object();
  return json_object_set_new(doc, name, part) < 0 ? NULL : part;
}

static int set(json_t *doc, const char *object, const char *member, json_t *value,
               struct zl_error *err)
{
  json_t *part = part_of(doc, object);

  return part == NULL || json_object_set_new(part, member, value) < 0
             ? zl_fail_nomem(err, "resources")
             : 0;
}

static int from_options(const struct update *update, json_t *doc, struct zl_error *err)
{
  int r = 0;

  for (size_t i = 0; r == 0 && i < ZL_COUNT(numbers); i++) {
    const struct number *number = &update->numbers[i];

    if (number->value != NOT_GIVEN)
      r = set(doc, number->object, number->member, json_integer(number->value), err);
  }
  if (r == 0 && update->cpus != NULL)
    r = set(doc, "cpu", "cpus", json_string(update->cpus), err);
  if (r == 0 && update->mems != NULL)
    r = set(doc, "cpu", "mems", json_string(update->mems), err);
  return r;
}

int oci_update(const struct oci *oci, int argc, char **argv, struct zl_error *err)
{
  oci_autocontainer c = OCI_CONTAINER_INIT;
  struct update update = { .file = NULL };
  zl_autoresources *resources = NULL;
  zl_autojson *doc = NULL;
  const char *id;
  int r = parse(&update, argc, argv, &id, err);

  if (r == 0)
    r = oci_container_open(oci, id, true, &c, err);
  if (r < 0)
    return r;
  if (!c.has_cgroup || oci_container_status(&c) == OCI_STOPPED)
    return zl_fail(err, ZL_E_CONFLICT, 0, "cannot update container '%s': container not running",
                   id);
  if (oci_container_has_machine(&c))
    return zl_fail(err, ZL_E_UNSUPPORTED, 0,
                   "update: the limits of a machine cannot be changed any more");
  if (update.file != NULL && (r = oci_document_read(update.file, &doc, err)) < 0)
    return zl_wrap(err, "--resources");
  if (update.file == NULL)
    r = (doc = json_object()) != NULL ? from_options(&update, doc, err)
                                      : zl_fail_nomem(err, "resources");
  if (r == 0)
    r = zl_engine_resources_parse(doc, "resources", &resources, err);
  if (r == 0)
    r = oci_scope_update(&c, resources, err);
  if (r == 0)
    r = zl_cgroup_apply(&c.cgroup, resources, err);
  if (r == 0 && resources->n_devices > 0)
    r = zl_cgroup_set_devices(&c.cgroup, resources->devices, resources->n_devices, err);
  return r;
}
