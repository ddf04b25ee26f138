/* SPDX-License-Identifier: Apache-2.0
 *
 * What a bundle leaves to the machine, because the host that wrote it cannot know it or because the
 * machine's is the container's.
 */
#ifndef ZL_GUEST_BUNDLE_H
#define ZL_GUEST_BUNDLE_H

#include <jansson.h>
#include <zlayer/error.h>

/* `zlayer.allDevices` becomes a list of what is below /dev here. */
int bundle_add_devices(json_t *specification, struct zl_error *err);

/* Sets the settings of the network, which the container has from the machine, and takes them out:
 * for the engine they belong to a namespace that is not the container's own. Nothing happens when
 * the container has a network namespace of its own. */
int bundle_set_network(json_t *specification, struct zl_error *err);

#endif
