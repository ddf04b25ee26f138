/* SPDX-License-Identifier: Apache-2.0
 *
 * Messages to the caller: a line of JSON, then the notes about the layer (notes.h); and for an
 * image that waited for lower layers a second line, when it is complete.
 */
#ifndef ZL_UNPACK_REPORT_H
#define ZL_UNPACK_REPORT_H

#include <zlayer/error.h>

#include "base/buf.h"
#include "unpack/pipeline.h"

/* While there still is a /dev/urandom: the JSON library takes its hash seed there. */
void zl_report_prepare(void);

/* {"ok":true,"diff_id":...} and the notes. */
int zl_report_result(int fd, const struct zl_pipeline_result *result, const struct zl_buf *notes,
                     struct zl_error *err);

/* {"ok":true} */
int zl_report_fixed(int fd, struct zl_error *err);

/* {"ok":false,"code":N,"os_error":N,"message":"..."}. Cannot fail in a way that could be told. */
void zl_report_failure(int fd, const struct zl_error *error);

#endif
