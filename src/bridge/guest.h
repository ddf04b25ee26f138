/* SPDX-License-Identifier: Apache-2.0
 *
 * What host and Linux guest agree on besides the protocol: names of ports, paths in the guest.
 */
#ifndef ZL_BRIDGE_GUEST_H
#define ZL_BRIDGE_GUEST_H

/* virtio-serial ports (/sys/class/virtio-ports/vport?p?/name). */
#define ZL_GUEST_PORT_BRIDGE "org.zlayer.bridge"
#define ZL_GUEST_PORT_STDIO  "org.zlayer.stdio"

/* The disks by number: the image (EROFS) and the scratch disk (ext4, holds upper/ and work/). */
enum {
  ZL_GUEST_LUN_IMAGE = 0,
  ZL_GUEST_LUN_SCRATCH = 1
};

#define ZL_GUEST_BUNDLE  "/run/zlayer/bundle"  /* name files of the container */
#define ZL_GUEST_IMAGE   "/run/zlayer/image"   /* the image's tree */
#define ZL_GUEST_SCRATCH "/run/zlayer/scratch" /* upper/ and work/ */
#define ZL_GUEST_BINDS   "/run/zlayer/binds"   /* <n>: the n-th shared directory */
#define ZL_GUEST_CGROUP  "/container"          /* cgroupsPath of the container in the guest */

/* What the agent's program is called when it is the program of a container that warms a machine: in
 * an image of our own, and bound into any other. Its arguments are programs to be read. */
#define ZL_GUEST_WARM      "zlayer-warm"
#define ZL_GUEST_WARM_PATH "/dev/" ZL_GUEST_WARM

#define ZL_GUEST_BIND_TAG "bind" /* 9p tag of the n-th shared directory: "bind<n>" */

enum {
  ZL_GUEST_MAX_BINDS = 8 /* virtio-mmio has few slots */
};

#endif
