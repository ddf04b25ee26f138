/* SPDX-License-Identifier: Apache-2.0 */
#include "base/limits.h"
#include "runtime/plan.h"

/* The service's limit is of the whole log; the shim's of one file. */
json_t *zl_plan_log(const struct zl_service *service)
{
  uint64_t bytes = service->logs.max_size_bytes / ZL_DEFAULT_LOG_FILES;

  if (bytes < ZL_MIN_LOG_BYTES)
    bytes = ZL_MIN_LOG_BYTES;
  return json_pack("{s:I, s:i}", "maxBytes", (json_int_t)bytes, "files", ZL_DEFAULT_LOG_FILES);
}
