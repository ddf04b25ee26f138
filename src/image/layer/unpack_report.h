/* SPDX-License-Identifier: Apache-2.0
 *
 * The report of the unpacking child, as its caller reads it: bounded, and checked like any other
 * foreign data, since a child that was taken over may say anything.
 */
#ifndef ZL_IMAGE_LAYER_UNPACK_REPORT_H
#define ZL_IMAGE_LAYER_UNPACK_REPORT_H

#include "base/buf.h"
#include "image/layer/unpack.h"

/* Everything up to the end of the pipe. ZL_E_TIMEOUT when the child says nothing for minutes. */
int zl_unpack_report_read(int fd, struct zl_buf *text, struct zl_error *err);

/* Either the child's error, or *ret; directories it names are then marked opaque in staging_fd
 * (-1: all notes are kept). *ret_pending: the child waits for lower layers. */
int zl_unpack_report_take(const struct zl_buf *text, int staging_fd, struct zl_unpack_result *ret,
                          bool *ret_pending, struct zl_error *err);

/* The answer of a child that waited: its error, or 0. */
int zl_unpack_answer_take(const struct zl_buf *text, struct zl_error *err);

#endif
