/* SPDX-License-Identifier: Apache-2.0
 *
 * Durations, sizes and CPUs as texts. Their parsers are public: zlayer/spec.h.
 */
#ifndef ZL_SPEC_UNITS_H
#define ZL_SPEC_UNITS_H

#include <stdbool.h>
#include <stdint.h>
#include <zlayer/spec.h>

#include "base/buf.h"

/* The shortest exact text: "90s", "512Mi", "1000". */
int zl_duration_render(uint64_t ns, struct zl_buf *buf, struct zl_error *err);
int zl_memory_render(uint64_t bytes, struct zl_buf *buf, struct zl_error *err);
/* From what the kernel can enforce (1 ms in 100 ms) to more than any machine has. */
bool zl_cpu_is_valid(double cpu);

#endif
