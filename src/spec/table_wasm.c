/* SPDX-License-Identifier: Apache-2.0
 *
 * WebAssembly services: known to the schema, not supported yet.
 */
#include "spec/rules.h"
#include "spec/tables.h"

static const struct zl_field preopen_fields[] = {
  ZL_FIELD(zl_wasm_preopen, source, ZL_KIND_TEXT, .flags = ZL_REQUIRED, .check = zl_check_not_empty,
           .doc = "Directory of the node."),
  ZL_FIELD(zl_wasm_preopen, target, ZL_KIND_TEXT, .flags = ZL_REQUIRED, .check = zl_check_not_empty,
           .doc = "Its name for the module."),
  ZL_FIELD(zl_wasm_preopen, readonly, ZL_KIND_BOOL, .fallback = "false",
           .doc = "Cannot be written."),
};

static const struct zl_type preopen = { .name = "wasm.preopen",
                                        .size = sizeof(struct zl_wasm_preopen),
                                        ZL_FIELDS(preopen_fields) };

static const struct zl_field wasm_fields[] = {
  ZL_FIELD(zl_wasm, min_instances, ZL_KIND_INT, .max = UINT32_MAX, .fallback = "0",
           .doc = "Fewest."),
  ZL_FIELD(zl_wasm, max_instances, ZL_KIND_INT, .max = UINT32_MAX, .fallback = "10",
           .doc = "Most."),
  ZL_FIELD(zl_wasm, idle_timeout, ZL_KIND_DURATION, .fallback = "300s",
           .doc = "How long an idle instance is kept."),
  ZL_FIELD(zl_wasm, request_timeout, ZL_KIND_DURATION, .fallback = "30s", .doc = "Of a request."),
  ZL_FIELD(zl_wasm, max_memory, ZL_KIND_BYTES, .doc = "Of an instance."),
  ZL_FIELD(zl_wasm, max_fuel, ZL_KIND_INT, .max = INT64_MAX, .fallback = "0",
           .doc = "Instructions; 0: no limit."),
  ZL_FIELD(zl_wasm, epoch_interval, ZL_KIND_DURATION, .doc = "Between interruptions."),
  ZL_FIELD(zl_wasm, capabilities, ZL_KIND_LIST, .doc = "Narrows what the module may do."),
  ZL_FIELD(zl_wasm, allow_http_outgoing, ZL_KIND_BOOL, .fallback = "true", .doc = "May fetch."),
  ZL_FIELD(zl_wasm, allowed_hosts, ZL_KIND_LIST, .doc = "From where."),
  ZL_FIELD(zl_wasm, allow_tcp, ZL_KIND_BOOL, .fallback = "false", .doc = "May use TCP."),
  ZL_FIELD(zl_wasm, allow_udp, ZL_KIND_BOOL, .fallback = "false", .doc = "May use UDP."),
  ZL_MANY(zl_wasm, preopens, ZL_KIND_ARRAY, preopen, .doc = "Directories."),
  ZL_FIELD(zl_wasm, kv_enabled, ZL_KIND_BOOL, .fallback = "true", .doc = "Has a key-value store."),
  ZL_FIELD(zl_wasm, kv_namespace, ZL_KIND_TEXT, .doc = "Which."),
  ZL_FIELD(zl_wasm, kv_max_value_size, ZL_KIND_INT, .max = INT64_MAX, .fallback = "1048576",
           .doc = "Largest value."),
  ZL_FIELD(zl_wasm, secrets, ZL_KIND_LIST, .doc = "Secrets it may read."),
  ZL_FIELD(zl_wasm, precompile, ZL_KIND_BOOL, .fallback = "true", .doc = "Compiled at pull."),
};

const struct zl_type zl_type_wasm = { .name = "wasm",
                                      .size = sizeof(struct zl_wasm),
                                      ZL_FIELDS(wasm_fields) };
