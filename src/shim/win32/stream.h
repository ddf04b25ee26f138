/* SPDX-License-Identifier: Apache-2.0
 *
 * What feeds a stream on Windows.
 */
#ifndef ZL_SHIM_WIN32_STREAM_H
#define ZL_SHIM_WIN32_STREAM_H

#include "shim/stream.h"

/* From another thread than the loop's: stream_feed there, then blocks while a client lags, so that
 * the workload waits. */
void stream_pass(struct stream *stream, const char *data, size_t len);
/* From now on nobody is waited for: the workload has ended, and its pipes have to be read to their
 * end. Beyond a mebibyte clients that lag are dropped. Thread-safe. */
void stream_be_generous(struct stream *stream);

#endif
