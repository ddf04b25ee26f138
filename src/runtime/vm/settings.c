/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/vm/settings.h"

#include <string.h>
#include <zlayer/spec.h>

#include "runtime/config.h"
#include "vmm/command.h"

#define MIB         (UINT64_C(1) << 20)
#define MIN_SCRATCH (64 * MIB)
#define MAX_SCRATCH (UINT64_C(1) << 40) /* a terabyte: its prepared disk alone has 20 MiB */

static int complain(const struct zl_entry *entry, const char *expected, struct zl_error *err)
{
  char text[ZL_DESCRIBE_TEXT];

  return zl_fail(err, ZL_E_INVALID, 0, ZL_CONFIG_FILE ": vm.%s, line %u: expected %s, not %s",
                 entry->key, entry->mark.line, expected, zl_node_describe(entry->value, text));
}

static int read_bytes(const struct zl_entry *entry, uint64_t min, uint64_t max, uint64_t *ret,
                      const char *expected, struct zl_error *err)
{
  uint64_t bytes = 0;

  if (entry->value->kind != ZL_NODE_SCALAR ||
      zl_memory_parse(entry->value->text, &bytes, NULL) < 0 || bytes < min || bytes > max ||
      bytes % MIB != 0)
    return complain(entry, expected, err);
  *ret = bytes;
  return 0;
}

static int read_scratch(const struct zl_entry *entry, struct zl_vm_settings *to,
                        struct zl_error *err)
{
  return read_bytes(entry, MIN_SCRATCH, MAX_SCRATCH, &to->scratch_bytes,
                    "a size from 64Mi to 1Ti in whole Mi, such as 20Gi", err);
}

static int read_memory(const struct zl_entry *entry, struct zl_vm_settings *to,
                       struct zl_error *err)
{
  uint64_t bytes = 0;
  int r = read_bytes(entry, ZL_VM_MIN_MEMORY_MIB * MIB, ZL_VM_MAX_MEMORY_MIB * MIB, &bytes,
                     "a size from 64Mi to 1Ti in whole Mi, such as 256Mi", err);

  if (r == 0)
    to->memory_mib = (unsigned)(bytes / MIB);
  return r;
}

static int read_number(const struct zl_entry *entry, uint64_t min, uint64_t max, unsigned *ret,
                       const char *expected, struct zl_error *err)
{
  bool negative = false;
  uint64_t value = 0;

  if (entry->value->kind != ZL_NODE_SCALAR || !entry->value->plain ||
      !zl_scalar_int(entry->value->text, &negative, &value) || negative || value < min ||
      value > max)
    return complain(entry, expected, err);
  *ret = (unsigned)value;
  return 0;
}

static int read_cpus(const struct zl_entry *entry, struct zl_vm_settings *to, struct zl_error *err)
{
  return read_number(entry, 1, ZL_VM_MAX_VCPUS, &to->cpus, "a number from 1 to 32", err);
}

static int read_pool(const struct zl_entry *entry, struct zl_vm_settings *to, struct zl_error *err)
{
  return read_number(entry, 0, ZL_VM_MAX_POOL, &to->pool, "a number from 0 to 64", err);
}

/* The index of the scalar in `words`, or -1. */
static int word_of(const struct zl_node *node, const char *const *words)
{
  for (int i = 0; node->kind == ZL_NODE_SCALAR && words[i] != NULL; i++)
    if (strcmp(words[i], node->text) == 0)
      return i;
  return -1;
}

static int read_template(const struct zl_entry *entry, struct zl_vm_settings *to,
                         struct zl_error *err)
{
  static const char *const words[] = { "off", "plain", "auto", NULL };
  int i = word_of(entry->value, words);

  if (i < 0)
    return complain(entry, "auto, plain or off", err);
  to->templates = i > 0;
  to->image_templates = i > 1;
  return 0;
}

static int read_kernel(const struct zl_entry *entry, struct zl_vm_settings *to,
                       struct zl_error *err)
{
  static const char *const words[] = { "auto", "zlayer", "debian", NULL };
  int i = word_of(entry->value, words);

  if (i < 0)
    return complain(entry, "auto, zlayer or debian", err);
  to->kernel = (enum zl_vm_kernel)i;
  return 0;
}

static const struct {
  const char *key;
  int (*read)(const struct zl_entry *entry, struct zl_vm_settings *to, struct zl_error *err);
} keys[] = {
  { "scratch_size", read_scratch },
  { "memory", read_memory },
  { "cpus", read_cpus },
  { "pool", read_pool },
  { "template", read_template },
  { "kernel", read_kernel },
};

static int read_entry(const struct zl_entry *entry, struct zl_vm_settings *to, struct zl_error *err)
{
  for (size_t i = 0; i < ZL_COUNT(keys); i++)
    if (strcmp(keys[i].key, entry->key) == 0)
      return keys[i].read(entry, to, err);
  return zl_fail(err, ZL_E_INVALID, 0,
                 ZL_CONFIG_FILE ": vm.%.40s, line %u: unknown; known are scratch_size, memory, "
                                "cpus, pool, template, kernel",
                 entry->key, entry->mark.line);
}

void zl_vm_settings_init(struct zl_vm_settings *settings)
{
  *settings = (struct zl_vm_settings){ .scratch_bytes = UINT64_C(20) << 30,
                                       .memory_mib = 256,
                                       .cpus = 1,
                                       .templates = true,
                                       .image_templates = true };
}

int zl_vm_settings_load(int root_fd, struct zl_vm_settings *ret, struct zl_error *err)
{
  struct zl_vm_settings settings;
  zl_autoconfig config = { 0 };
  const struct zl_entry *vm;
  int r = zl_config_open(root_fd, &config, err);

  zl_vm_settings_init(&settings);
  if (r < 0)
    return r;
  vm = zl_config_find(config.root, "vm");
  if (vm != NULL && vm->value->kind != ZL_NODE_MAP)
    return zl_fail(err, ZL_E_INVALID, 0, ZL_CONFIG_FILE ": vm, line %u: expected a mapping",
                   vm->mark.line);
  for (size_t i = 0; vm != NULL && i < vm->value->count && r == 0; i++)
    r = read_entry(&vm->value->entries[i], &settings, err);
  if (r == 0)
    *ret = settings;
  return r;
}
