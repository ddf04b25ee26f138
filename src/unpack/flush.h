/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ZL_UNPACK_FLUSH_H
#define ZL_UNPACK_FLUSH_H

/* zlayer-unpack flush
 *   descriptor 0: a socket that tells of the pull's end, or ends when it dies; 3: the directory of
 *   layers, as of zl_layers_open_for_flush.
 *
 * Flushes what is pending now and then, so that a long pull that the power ends has not been for
 * nothing, and a last time at the end. The exit code. */
int zl_unpack_flush(void);

#endif
