/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/hcs/settings.h"

#include <string.h>

#include "base/strv.h"
#include "runtime/config.h"

enum {
  MAX_GB = 65536 /* of a VHDX */
};

static int complain(const struct zl_entry *entry, const char *expected, struct zl_error *err)
{
  return zl_fail(err, ZL_E_INVALID, 0, ZL_CONFIG_FILE ": hcs.%.40s, line %u: expected %s",
                 entry->key, entry->mark.line, expected);
}

static int read_entry(const struct zl_entry *entry, struct zl_hcs_bundle_options *to,
                      struct zl_error *err)
{
  const char *text = entry->value->kind == ZL_NODE_SCALAR ? entry->value->text : "";
  uint64_t gb = 0;

  if (strcmp(entry->key, "default_scratch_size_gb") == 0) {
    if (!zl_parse_u64(text, MAX_GB, &gb) || gb == 0)
      return complain(entry, "a number of gigabytes from 1 to 65536", err);
    if (to->scratch_bytes == 0)
      to->scratch_bytes = gb << 30;
    return 0;
  }
  if (strcmp(entry->key, "keep_on_failure") == 0) {
    to->keep_on_failure = strcmp(text, "true") == 0;
    return to->keep_on_failure || strcmp(text, "false") == 0
               ? 0
               : complain(entry, "true or false", err);
  }
  return zl_fail(err, ZL_E_INVALID, 0,
                 ZL_CONFIG_FILE ": hcs.%.40s, line %u: unknown; known are default_scratch_size_gb, "
                                "keep_on_failure",
                 entry->key, entry->mark.line);
}

int zl_hcs_settings_load(const struct zl_runtime *rt, struct zl_hcs_bundle_options *to,
                         struct zl_error *err)
{
  zl_autoconfig config = { 0 };
  const struct zl_entry *hcs;
  int r = zl_config_open(rt->root_fd, &config, err);

  if (r < 0)
    return r;
  to->scratch_bytes = (uint64_t)rt->scratch_size_gb << 30;
  hcs = zl_config_find(config.root, "hcs");
  if (hcs != NULL && hcs->value->kind != ZL_NODE_MAP)
    return zl_fail(err, ZL_E_INVALID, 0, ZL_CONFIG_FILE ": hcs, line %u: expected a mapping",
                   hcs->mark.line);
  for (size_t i = 0; hcs != NULL && r == 0 && i < hcs->value->count; i++)
    r = read_entry(&hcs->value->entries[i], to, err);
  return r;
}
