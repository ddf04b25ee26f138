/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ZL_UNPACK_FLUSH_H
#define ZL_UNPACK_FLUSH_H

/* zlayer-unpack flush
 *   descriptor 0: a pipe that ends when the pull ends, be it by death; 3: the directory of layers.
 *
 * Flushes what is pending now and then, so that a long pull that the power ends has not been for
 * nothing, and a last time at the end. The exit code. */
int zl_unpack_flush(void);

#endif
