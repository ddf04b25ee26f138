/* SPDX-License-Identifier: Apache-2.0 */
#include "shim/vm/create.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/json.h"
#include "base/path.h"
#include "base/rand.h"
#include "base/time.h"
#include "bridge/guest.h"
#include "net/linux/link.h"
#include "shim/vm/machine.h"
#include "shim/vm/patience.h"
#include "shim/vm/stock.h"
#include "vmm/clone.h"
#include "vmm/swap.h"

#define POD_TAP "zlayer-tap" /* one machine per network namespace */

enum {
  ENTROPY = 64,   /* bytes: twice the strength of the guest's generator */
  MACHINE_ID = 33 /* digits and the NUL */
};

static int find_id(struct shim *shim, struct zl_error *err)
{
  char link[ZL_FD_PATH], path[4096];
  ssize_t n = readlink(zl_path_of_fd(shim->dir_fd, link), path, sizeof(path) - 1);
  const char *name;

  path[n > 0 ? n : 0] = '\0';
  name = strrchr(path, '/');
  if (name == NULL || !zl_path_is_name(name + 1, ZL_MAX_ID))
    return zl_fail(err, ZL_E_INVALID, 0, "the container's directory has no proper name");
  memcpy(shim->id, name + 1, strlen(name));
  return 0;
}

int vm_load(struct shim *shim, struct zl_error *err)
{
  struct vm_shim *vm = vm_of(shim);
  int r = bundle_config_load(shim->dir_fd, &vm->bundle, &shim->settings, err);

  /* A pooled machine has learnt only now whose it is: its directory is named so. */
  if (r == 0 && shim->id[0] == '\0')
    r = find_id(shim, err);
  machine_config_done(&vm->machine); /* a pooled machine's own */
  if (r == 0)
    r = machine_config_load(shim->dir_fd, &vm->machine, err);
  shim->settings.unrecorded = vm->machine.unrecorded;
  /* A machine that has run something of an image is for that image alone. */
  if (r == 0 && vm->mounted != NULL &&
      (vm->machine.image == NULL || strcmp(vm->mounted, vm->machine.image) != 0))
    r = zl_fail(err, ZL_E_INTERNAL, 0, "the machine has another image than the container");
  /* Its disk goes with the container in any case: nothing has to reach it in order. */
  if (r == 0 && !vm->machine.keep_on_failure)
    (void)json_object_set_new(json_object_get(vm->bundle.json, "zlayer"), "volatile", json_true());
  return r;
}

/* ---- What it is made of -------------------------------------------------------------------- */

/* The link's frames go to the machine, which has its address, and the machine's to the link. */
static int open_pod_tap(struct vm_shim *vm, struct machine_files *files, struct zl_error *err)
{
  const struct bundle_config *bundle = &vm->bundle;
  struct zl_tap tap = { .name = POD_TAP, .mtu = bundle->mtu };
  int r = 0;

  if (!zl_link_mac_parse(bundle->mac, files->qemu.mac))
    return zl_fail(err, ZL_E_INVALID, 0, "zlayer.network.mac: '%.40s' is none", bundle->mac);
  r = zl_link_create_tap(&tap, &files->qemu.tap_fd, err);
  if (r == -ZL_E_CONFLICT)
    return zl_fail(err, ZL_E_CONFLICT, 0,
                   "its network namespace has a machine already, and a link leads to one only");
  if (r == 0)
    r = zl_link_redirect(bundle->link, POD_TAP, err);
  return r < 0 ? zl_wrap(err, "joining the machine to link '%s'", bundle->link) : 0;
}

static int open_tap(struct vm_shim *vm, struct machine_files *files, struct zl_error *err)
{
  struct zl_tap tap = { .name = vm->bundle.link,
                        .bridge = vm->bundle.bridge,
                        .address = ntohl(vm->bundle.ip.s_addr),
                        .mtu = vm->bundle.mtu };
  int r;

  if (vm->bundle.pod)
    return open_pod_tap(vm, files, err);
  if (!vm->bundle.bridged)
    return 0;
  zl_link_mac(ntohl(vm->bundle.ip.s_addr), files->qemu.mac);
  r = zl_link_create_tap(&tap, &files->qemu.tap_fd, err);
  return r < 0 ? zl_wrap(err, "joining bridge '%s'", vm->bundle.bridge) : 0;
}

/* Without one the container's root directory is in a bind, which neither template nor pool has. */
static int open_image(const struct vm_shim *vm, int *ret, struct zl_error *err)
{
  const struct machine_config *machine = &vm->machine;
  int fd;

  if (machine->image == NULL && !vm->pooled && machine->template == NULL && machine->n_binds > 0)
    return 0;
  if (machine->image == NULL)
    return zl_fail(err, ZL_E_INVALID, 0, "machine.json.image: missing");
  fd = zl_fd_open(AT_FDCWD, machine->image, O_RDONLY, 0);
  if (fd < 0)
    return zl_fail(err, ZL_E_NOT_FOUND, -fd, "opening '%s'", machine->image);
  *ret = fd;
  return 0;
}

static int open_files(struct vm_shim *vm, struct machine_files *files, struct zl_error *err)
{
  const struct machine_config *machine = &vm->machine;
  int r = open_image(vm, &files->qemu.image_fd, err);

  if (r < 0)
    return r;
  for (size_t i = 0; i < machine->n_binds; i++) {
    int fd = zl_fd_open(AT_FDCWD, machine->binds[i].source, O_PATH | O_DIRECTORY, 0);

    if (fd < 0)
      return zl_fail(err, fd == -ENOTDIR ? ZL_E_UNSUPPORTED : ZL_E_NOT_FOUND, -fd,
                     "opening directory '%s'", machine->binds[i].source);
    files->qemu.bind_fds[i] = fd;
  }
  return open_tap(vm, files, err);
}

/* QEMU has its own copies by then. */
static void files_done(struct machine_files *files)
{
  zl_fd_closep(&files->qemu.image_fd);
  zl_fd_closep(&files->qemu.tap_fd);
  zl_fd_closep(&files->qemu.scratch_fd);
  for (size_t i = 0; i < ZL_VM_MAX_BINDS; i++)
    zl_fd_closep(&files->qemu.bind_fds[i]);
}

static void files_init(struct machine_files *files, int dir_fd)
{
  *files = (struct machine_files){ .qemu = QEMU_FILES_INIT, .dir_fd = dir_fd };
  for (size_t i = 0; i < ZL_VM_MAX_BINDS; i++)
    files->qemu.bind_fds[i] = -1;
}

/* A pooled machine is given what it was made without while it is at work on what it was told. */
static int plug_image(struct vm_shim *vm, const struct machine_files *files, struct zl_error *err)
{
  if (!vm->pooled || vm->mounted != NULL)
    return 0;
  return zl_vm_swap_image(&vm->qemu.qmp, files->qemu.image_fd, patience_end(PATIENCE_MONITOR), err);
}

static int plug_tap(struct vm_shim *vm, const struct machine_files *files, struct zl_error *err)
{
  if (!vm->pooled || files->qemu.tap_fd < 0)
    return 0;
  return zl_vm_plug_tap(&vm->qemu.qmp, files->qemu.tap_fd, patience_end(PATIENCE_MONITOR), err);
}

static int start(struct vm_shim *vm, struct machine_files *files, struct zl_error *err)
{
  if (!vm->pooled)
    return machine_start(vm, files, err);
  vm->shim.tier = VM_TIER_POOL;
  if (vm->is_awake)
    return 0;
  return zl_vm_continue(&vm->qemu.qmp, patience_end(PATIENCE_MONITOR), err);
}

static bool is_clone(const struct vm_shim *vm)
{
  return vm->shim.tier != NULL && strcmp(vm->shim.tier, VM_TIER_CLONE) == 0;
}

/* ---- What the guest is told ---------------------------------------------------------------- */

static void tell_identity(struct vm_shim *vm, struct guest_batch *batch)
{
  char machine_id[MACHINE_ID];
  uint8_t entropy[ENTROPY];
  struct zl_rpc_identity identity = { .hostname = vm->bundle.hostname,
                                      .wall_clock_ns = zl_time_wall(),
                                      .entropy = entropy,
                                      .entropy_len = sizeof(entropy),
                                      .machine_id = machine_id };
  int r = zl_rand_hex(machine_id, sizeof(machine_id), &batch->err);
  const struct zl_rpc_then *then = guest_batch_next(batch);

  if (r == 0 && getrandom(entropy, sizeof(entropy), 0) != (ssize_t)sizeof(entropy))
    r = zl_fail_errno(&batch->err, "entropy for the guest");
  if (r == 0)
    r = zl_rpc_identity(vm->guest.client, &identity, then, &batch->err);
  guest_batch_made(batch, r);
}

static void tell_network(struct vm_shim *vm, struct guest_batch *batch,
                         const uint8_t mac[ZL_VM_MAC])
{
  const struct bundle_config *bundle = &vm->bundle;
  char text[3 * ZL_VM_MAC];
  struct zl_rpc_network network = { .mac = text };

  (void)snprintf(text, sizeof(text), "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2],
                 mac[3], mac[4], mac[5]);
  if (bundle->bridged || bundle->pod) {
    network.address = bundle->address;
    network.prefix = bundle->prefix;
    network.gateway = bundle->gateway;
    network.mtu = bundle->mtu;
  } else {
    network.mac = NULL; /* it stays as it is, and goes down */
  }
  guest_batch_made(
      batch, zl_rpc_network(vm->guest.client, &network, guest_batch_next(batch), &batch->err));
}

static void tell_disks(struct vm_shim *vm, struct guest_batch *batch)
{
  static const struct zl_rpc_disk image = { .lun = ZL_GUEST_LUN_IMAGE,
                                            .mount_path = ZL_GUEST_IMAGE,
                                            .read_only = true,
                                            .filesystem = "erofs" };
  static const struct zl_rpc_disk scratch = { .lun = ZL_GUEST_LUN_SCRATCH,
                                              .mount_path = ZL_GUEST_SCRATCH,
                                              .filesystem = "ext4" };
  struct zl_bridge_client *client = vm->guest.client;

  if (vm->machine.image != NULL && vm->mounted == NULL)
    guest_batch_made(batch, zl_rpc_disk_add(client, &image, guest_batch_next(batch), &batch->err));
  /* A template has it mounted already. */
  if (vm->machine.scratch != NULL && strcmp(vm->shim.tier, VM_TIER_BOOT) == 0)
    guest_batch_made(batch,
                     zl_rpc_disk_add(client, &scratch, guest_batch_next(batch), &batch->err));
}

static void tell_binds(struct vm_shim *vm, struct guest_batch *batch)
{
  for (size_t i = 0; i < vm->machine.n_binds; i++) {
    char tag[16], path[64];
    struct zl_rpc_directory directory = { .share_name = tag,
                                          .mount_path = path,
                                          .read_only = vm->machine.binds[i].read_only };

    (void)snprintf(tag, sizeof(tag), ZL_GUEST_BIND_TAG "%zu", i);
    (void)snprintf(path, sizeof(path), ZL_GUEST_BINDS "/%zu", i);
    guest_batch_made(batch, zl_rpc_directory_add(vm->guest.client, &directory,
                                                 guest_batch_next(batch), &batch->err));
  }
}

/* A caller that keeps its own records has such files mounted. */
static int read_files(int dir_fd, bool may_be_absent, json_t **ret, struct zl_error *err)
{
  static const char *const names[] = { "hosts", "resolv.conf", "hostname" };
  zl_autojson *files = json_object();
  int r = 0;

  for (size_t i = 0; r == 0 && i < ZL_COUNT(names); i++) {
    zl_autobuf text = ZL_BUF_INIT(ZL_MAX_SMALL_FILE);

    r = zl_file_read(dir_fd, names[i], &text, err);
    if (r == -ZL_E_NOT_FOUND && may_be_absent) {
      r = 0;
      continue;
    }
    if (r == 0 &&
        json_object_set_new(files, names[i],
                            json_stringn(text.data != NULL ? text.data : "", text.len)) < 0)
      r = zl_fail(err, ZL_E_INVALID, 0, "'%s' is not UTF-8", names[i]);
  }
  if (r == 0)
    *ret = zl_steal_ptr(&files);
  return r;
}

/* By way of the prepared container where that can become this one. */
static void tell_bundle(struct vm_shim *vm, json_t *texts, struct guest_batch *batch)
{
  struct zl_bridge_client *client = vm->guest.client;
  zl_autojson *amendment = stock_amendment(vm->bundle.json, vm->prepared);

  guest_batch_made(batch, amendment != NULL
                              ? zl_rpc_create_prepared(client, vm->shim.id, amendment, texts,
                                                       guest_batch_next(batch), &batch->err)
                              : zl_rpc_create(client, vm->shim.id, vm->bundle.json, texts,
                                              guest_batch_next(batch), &batch->err));
}

/* The guest works everything off in order, and one answer that fails is the result. */
static int tell_guest(struct vm_shim *vm, const struct machine_files *files, struct zl_error *err)
{
  zl_autojson *texts = NULL;
  struct guest_batch batch;
  struct zl_error own = { 0 };
  int r = read_files(vm->shim.dir_fd, vm->machine.unrecorded, &texts, err), told;

  if (r < 0)
    return r;
  guest_batch_begin(&batch, &vm->guest, is_clone(vm) ? PATIENCE_CLONED : PATIENCE_GUEST);
  tell_identity(vm, &batch);
  tell_network(vm, &batch, files->qemu.mac);
  guest_flush(&vm->guest);
  r = plug_image(vm, files, &own);
  if (r == 0) {
    tell_disks(vm, &batch);
    tell_binds(vm, &batch);
    tell_bundle(vm, texts, &batch);
    guest_flush(&vm->guest);
    r = plug_tap(vm, files, &own);
  }
  told = guest_batch_wait(&batch, err);
  if (r < 0 && err != NULL)
    *err = own;
  return r < 0 ? r : told;
}

/* ---- Streams ------------------------------------------------------------------------------- */

/* A terminal is a socket here: its size is told to the guest, not set on it. */
static int open_stdin(struct vm_shim *vm, struct zl_error *err)
{
  struct shim *shim = &vm->shim;
  int ends[2], r;

  if (shim->settings.terminal) {
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) < 0)
      return zl_fail_errno(err, "terminal");
    vm->stdin_end = ends[0];
    shim->stdin_fd = ends[1];
    return 0;
  }
  if (!vm->bundle.open_stdin)
    return 0;
  r = zl_fd_pipe(ends, err);
  if (r < 0)
    return r;
  vm->stdin_end = ends[0];
  shim->stdin_fd = ends[1];
  return 0;
}

/* A clone that cannot go on is one more template that does not work. What the guest refuses is no
 * fault of its memory's. */
static int tell_all(struct vm_shim *vm, struct machine_files *files, struct zl_error *err)
{
  struct zl_error why = { 0 };
  int r = tell_guest(vm, files, &why);

  if (r < 0 && guest_is_broken(&vm->guest)) {
    machine_explain(vm, "", &why);
    if (is_clone(vm)) {
      (void)zl_wrap(&why, "cloning template %.12s", strrchr(vm->machine.template, '/') + 1);
      r = machine_boot_instead(vm, files, &why, err);
      return r < 0 ? r : tell_guest(vm, files, err);
    }
  }
  if (r < 0)
    *err = why;
  return r;
}

/* ---- Together ------------------------------------------------------------------------------ */

static int build(struct vm_shim *vm, struct machine_files *files, struct zl_error *err)
{
  int r = open_files(vm, files, err);

  if (r == 0)
    r = open_stdin(vm, err);
  if (r == 0)
    r = start(vm, files, err);
  return r < 0 ? r : tell_all(vm, files, err);
}

/* What the guest had to answer when QEMU died tells nothing. */
static int explain(struct vm_shim *vm, int r, struct zl_error *err)
{
  if (vm->qemu.proc.pidfd < 0 || !qemu_is_dead(&vm->qemu, QEMU_DEATH_MS))
    return r;
  r = zl_fail(err, ZL_E_REMOTE, 0, "the virtual machine ended unexpectedly");
  machine_explain(vm, "", err);
  return r;
}

int vm_create(struct shim *shim, struct zl_error *err)
{
  struct vm_shim *vm = vm_of(shim);
  struct machine_files files;
  int r;

  files_init(&files, shim->dir_fd);
  r = build(vm, &files, err);
  if (!vm->pooled)
    vm->scratch_fd = zl_steal_fd(&files.qemu.scratch_fd);
  vm->tap_fd = zl_steal_fd(&files.qemu.tap_fd);
  files_done(&files);
  if (r < 0)
    return explain(vm, r, err);
  shim->pid = vm->qemu.proc.pid;
  return zl_proc_start_time(shim->pid, &shim->start_time, err);
}
