/* SPDX-License-Identifier: Apache-2.0
 *
 * What a machine that was started without it is given later: its image and its link
 * (docs/decisions/0009-a-template-knows-no-container.md). The guest is told nothing: it sees the
 * devices it has always had. Best done while the machine is stopped; the guest must not have the
 * image mounted. ZL_E_REMOTE: QEMU refused; what was done so far is undone.
 */
#ifndef ZL_VMM_SWAP_H
#define ZL_VMM_SWAP_H

#include <stdint.h>
#include <zlayer/error.h>

#include "vmm/qmp.h"

/* Puts an image (EROFS, opened for reading only; borrowed) behind the first disk in place of the
 * file or place-holder that the machine began with. Once for each machine. Costs about 4 ms. */
int zl_vm_swap_image(struct zl_qmp *qmp, int image_fd, uint64_t deadline_ns, struct zl_error *err);

/* Plugs a tap (borrowed) into the hub that the machine was started with (tap_fd -1). Once for each
 * machine. Costs about 2 ms. */
int zl_vm_plug_tap(struct zl_qmp *qmp, int tap_fd, uint64_t deadline_ns, struct zl_error *err);

#endif
