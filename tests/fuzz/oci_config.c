/* SPDX-License-Identifier: Apache-2.0
 *
 * Fuzz target of everything that is read of a caller's documents: config.json with its profile,
 * which is compiled, the process of `exec --process`, the resources of `update --resources`.
 * Whatever the bytes, nothing crashes or leaks, and a refusal says why.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/log.h"
#include "engine/config.h"
#include "engine/seccomp.h"
#include "engine/sysctl.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_said(int r, const struct zl_error *err)
{
  if (r < 0 && (err->code == ZL_OK || err->msg[0] == '\0' || (int)err->code != -r))
    abort();
}

static void try_config(const json_t *doc)
{
  zl_autoconfig *config = NULL;
  zl_autofilter filter = { 0 };
  struct zl_error err = { 0 };
  int r = zl_engine_config_read(doc, &config, &err);

  check_said(r, &err);
  if (r < 0)
    return;
  /* Who is root is never a matter of chance. */
  if (config->process.uid == UINT32_MAX || config->process.gid == UINT32_MAX)
    abort();
  check_said(zl_sysctl_check(config->sysctls, config->n_sysctls, 0, &err), &err);
  if (config->seccomp != NULL)
    check_said(zl_seccomp_compile(config->seccomp, &filter, &err), &err);
}

static void try_parts(const json_t *doc)
{
  zl_autoprocess *process = NULL;
  zl_autoresources *resources = NULL;
  struct zl_error err = { 0 };

  check_said(zl_engine_process_parse(doc, "process", &process, &err), &err);
  check_said(zl_engine_resources_parse(doc, "resources", &resources, &err), &err);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  struct zl_error err = { 0 };
  zl_autojson *doc = NULL;
  int r;

  zl_log_set_level(ZL_LOG_ERROR);
  r = zl_engine_document_parse((const char *)data, size, &doc, &err);
  check_said(r, &err);
  if (r < 0)
    return 0;
  try_config(doc);
  try_parts(doc);
  return 0;
}
