/* SPDX-License-Identifier: Apache-2.0
 *
 * The devices of a machine. Their order is part of a template's state: virtio-serial with its two
 * ports, image, scratch disk, link, random numbers, shared directories.
 */
#include "vmm/arguments.h"

/* Sets of descriptors, which QEMU opens as /dev/fdset/N. */
enum {
  SET_IMAGE = 1,
  SET_SCRATCH = 2
};

/* What stands for an image that is not known yet; larger than any image will be: 1 TiB. */
#define PLACE_HOLDER "1099511627776"

/* Whole options take the place of default ones, so the console is the only serial line. */
static void add_sockets(struct zl_arguments *args, const struct zl_vm_machine *m)
{
  zl__option(args, "-chardev", "socket,id=qmp,fd=%d", zl__inherit(args, m->qmp_fd));
  zl__option(args, "-mon", "chardev=qmp,mode=control");
  zl__option(args, "-chardev", "socket,id=console,fd=%d", zl__inherit(args, m->console_fd));
  zl__option(args, "-serial", "chardev:console");
}

/* Port 0 is the guest's console by convention and stays empty. */
static void add_ports(struct zl_arguments *args, const struct zl_vm_machine *m)
{
  zl__option(args, "-chardev", "socket,id=bridge,fd=%d", zl__inherit(args, m->bridge_fd));
  zl__option(args, "-chardev", "socket,id=stdio,fd=%d", zl__inherit(args, m->stdio_fd));
  zl__option(args, "-device", "virtio-serial-device,max_ports=3");
  zl__option(args, "-device", "virtserialport,nr=1,chardev=bridge,name=" ZL_VM_PORT_BRIDGE);
  zl__option(args, "-device", "virtserialport,nr=2,chardev=stdio,name=" ZL_VM_PORT_STDIO);
}

/* Without locks: an image is read by many machines, a scratch disk belongs to one. */
static void add_image(struct zl_arguments *args, const struct zl_vm_machine *m)
{
  if (m->image_fd < 0) {
    zl__option(args, "-blockdev",
               "driver=null-co,node-name=" ZL_VM_NODE_IMAGE_FILE ",size=" PLACE_HOLDER
               ",read-zeroes=on,read-only=on");
  } else {
    zl__option(args, "-add-fd", "fd=%d,set=%d", zl__inherit(args, m->image_fd), SET_IMAGE);
    zl__option(args, "-blockdev",
               "driver=file,node-name=" ZL_VM_NODE_IMAGE_FILE
               ",filename=/dev/fdset/%d,read-only=on,locking=off",
               SET_IMAGE);
  }
  zl__option(args, "-blockdev",
             "driver=raw,node-name=" ZL_VM_NODE_IMAGE ",file=" ZL_VM_NODE_IMAGE_FILE
             ",read-only=on");
  zl__option(args, "-device", "virtio-blk-device,drive=" ZL_VM_NODE_IMAGE);
}

/* The disk is thrown away with the container, so a flush need not reach the host's disk. */
static void add_scratch(struct zl_arguments *args, const struct zl_vm_machine *m)
{
  if (m->scratch_fd < 0)
    return;
  zl__option(args, "-add-fd", "fd=%d,set=%d", zl__inherit(args, m->scratch_fd), SET_SCRATCH);
  zl__option(args, "-blockdev",
             "driver=file,node-name=" ZL_VM_NODE_SCRATCH
             "-file,filename=/dev/fdset/%d,locking=off,cache.no-flush=on,discard=unmap",
             SET_SCRATCH);
  zl__option(args, "-blockdev",
             "driver=raw,node-name=" ZL_VM_NODE_SCRATCH ",file=" ZL_VM_NODE_SCRATCH
             "-file,cache.no-flush=on,discard=unmap");
  zl__option(args, "-device", "virtio-blk-device,drive=" ZL_VM_NODE_SCRATCH);
}

/* A state saved behind a hub loads behind a tap: the hub offers the guest no offloads, the tap does
 * not insist on any. The other way round it does not. */
static void add_link(struct zl_arguments *args, const struct zl_vm_machine *m)
{
  const uint8_t *mac = m->mac;

  if (m->tap_fd < 0)
    zl__option(args, "-netdev", "hubport,id=net,hubid=%d", ZL_VM_HUB);
  else
    zl__option(args, "-netdev", "tap,id=net,fd=%d", zl__inherit(args, m->tap_fd));
  /* A clone's link gets another address at once: nobody is to hear of the template's. */
  zl__option(args, "-device",
             "virtio-net-device,netdev=net,guest_announce=off,mac=%02x:%02x:%02x:%02x:%02x:%02x",
             mac[0], mac[1], mac[2], mac[3], mac[4], mac[5]);
}

static void add_bind(struct zl_arguments *args, const struct zl_vm_machine *m, size_t n)
{
  const struct zl_vm_bind *bind = n < m->n_binds ? &m->binds[n] : NULL;

  /* multidevs=remap: files of several file systems below one directory keep different inodes. */
  if (bind == NULL)
    zl__option(args, "-fsdev", "synth,id=bind%zu,readonly=on", n);
  else
    zl__option(
        args, "-fsdev",
        "local,id=bind%zu,security_model=passthrough,multidevs=remap,path=/proc/self/fd/%d%s", n,
        zl__inherit(args, bind->dir_fd), bind->read_only ? ",readonly=on" : "");
  zl__option(args, "-device", "virtio-9p-device,fsdev=bind%zu,mount_tag=" ZL_VM_BIND_TAG "%zu", n,
             n);
}

void zl__add_devices(struct zl_arguments *args, const struct zl_vm_machine *machine)
{
  size_t binds = machine->start == ZL_VM_BOOT ? machine->n_binds : zl_vm_max_binds(machine->acpi);

  add_sockets(args, machine);
  add_ports(args, machine);
  add_image(args, machine);
  add_scratch(args, machine);
  add_link(args, machine);
  zl__option(args, "-device", "virtio-rng-device");
  for (size_t n = 0; n < binds; n++)
    add_bind(args, machine, n);
}
