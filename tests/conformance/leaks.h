/* SPDX-License-Identifier: Apache-2.0
 *
 * The leak probe: mounts and links of the test's namespaces, cgroups, shims and machines of its
 * root, files below the root, disks that have no name any more, rows of the database, descriptors
 * of this process.
 */
#ifndef ZL_CONFORMANCE_LEAKS_H
#define ZL_CONFORMANCE_LEAKS_H

void leaks_begin(void);
/* 0: all is as before. The kernel takes a network namespace down in the background, so links get a
 * moment. What is left over is printed. */
int leaks_end(void);

#endif
