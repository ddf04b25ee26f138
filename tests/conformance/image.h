/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ZL_CONFORMANCE_IMAGE_H
#define ZL_CONFORMANCE_IMAGE_H

/* Makes an OCI image layout of one uncompressed layer in the new directory `dir`: busybox with its
 * usual names, users root and web. The command is ["/bin/sh", "-c", "echo from the image"], the
 * environment has IMAGE=yes, the working directory is /srv. Fails the case on any error. */
void image_make(const char *dir);

#endif
