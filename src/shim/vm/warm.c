/* SPDX-License-Identifier: Apache-2.0
 *
 * The first container of a pooled machine is ours: it does what the real one will do.
 */
#include "base/json.h"
#include "base/time.h"
#include "bridge/guest.h"
#include "shim/vm/modes.h"

#define PATIENCE (60 * ZL_NS_PER_S)
#define WARM_ID  "warm-rep-0"

/* As the runtime writes them, without limits. The program prints a line and ends. */
static const char bundle_text[] =
    "{\"ociVersion\":\"1.2.0\",\"process\":{\"args\":[\"/bin/zlayer-warm\"],\"cwd\":\"/\","
    "\"env\":[\"PATH=/bin\"],\"user\":{\"uid\":0,\"gid\":0},\"noNewPrivileges\":true,"
    "\"capabilities\":{\"bounding\":[\"CAP_CHOWN\",\"CAP_KILL\"],\"effective\":[\"CAP_CHOWN\","
    "\"CAP_KILL\"],\"permitted\":[\"CAP_CHOWN\",\"CAP_KILL\"]}},\"root\":{\"path\":\"rootfs\"},"
    "\"hostname\":\"warm\",\"mounts\":["
    "{\"destination\":\"/proc\",\"type\":\"proc\",\"source\":\"proc\",\"options\":[\"nosuid\","
    "\"noexec\",\"nodev\"]},"
    "{\"destination\":\"/dev\",\"type\":\"tmpfs\",\"source\":\"tmpfs\",\"options\":[\"nosuid\","
    "\"strictatime\",\"mode=755\",\"size=65536k\"]},"
    "{\"destination\":\"/dev/pts\",\"type\":\"devpts\",\"source\":\"devpts\",\"options\":["
    "\"nosuid\",\"noexec\",\"newinstance\",\"ptmxmode=0666\",\"mode=0620\",\"gid=5\"]},"
    "{\"destination\":\"/dev/shm\",\"type\":\"tmpfs\",\"source\":\"shm\",\"options\":[\"nosuid\","
    "\"noexec\",\"nodev\",\"mode=1777\",\"size=65536k\"]},"
    "{\"destination\":\"/dev/mqueue\",\"type\":\"mqueue\",\"source\":\"mqueue\",\"options\":["
    "\"nosuid\",\"noexec\",\"nodev\"]},"
    "{\"destination\":\"/sys\",\"type\":\"sysfs\",\"source\":\"sysfs\",\"options\":[\"nosuid\","
    "\"noexec\",\"nodev\",\"ro\"]},"
    "{\"destination\":\"/sys/fs/cgroup\",\"type\":\"cgroup\",\"source\":\"cgroup\",\"options\":["
    "\"nosuid\",\"noexec\",\"nodev\",\"relatime\",\"ro\"]},"
    "{\"destination\":\"/etc/hosts\",\"type\":\"bind\",\"source\":\"" ZL_GUEST_BUNDLE
    "/hosts\",\"options\":[\"bind\",\"nosuid\",\"nodev\",\"noexec\"]}],"
    "\"linux\":{\"namespaces\":[{\"type\":\"pid\"},{\"type\":\"mount\"},{\"type\":\"uts\"},"
    "{\"type\":\"ipc\"},{\"type\":\"cgroup\"}],\"cgroupsPath\":\"" ZL_GUEST_CGROUP "\","
    "\"maskedPaths\":[\"/proc/kcore\",\"/proc/keys\",\"/proc/timer_list\",\"/sys/firmware\"],"
    "\"readonlyPaths\":[\"/proc/bus\",\"/proc/fs\",\"/proc/irq\",\"/proc/sys\"]},"
    "\"zlayer\":{\"layers\":[\"" ZL_GUEST_IMAGE "\"],\"seccomp\":\"default\",\"init\":false,"
    "\"network\":{\"mode\":\"host\"}}}";

static const struct zl_rpc_disk image = {
  .lun = ZL_GUEST_LUN_IMAGE, .mount_path = ZL_GUEST_IMAGE, .read_only = true, .filesystem = "erofs"
};

/* An address that is nobody's (RFC 5737); the real one replaces it. */
static const struct zl_rpc_network network = {
  .mac = "02:00:c0:00:02:02", .address = "192.0.2.2", .prefix = 24, .mtu = 1500
};

struct run {
  uint32_t pid;
  bool done;
  struct zl_error failure; /* code 0: none */
};

static void ended(void *ctx, int r, const json_t *reply, const struct zl_error *err)
{
  struct run *run = ctx;

  (void)reply;
  run->done = true;
  if (r < 0)
    run->failure = *err;
}

static void began(void *ctx, int r, const json_t *reply, const struct zl_error *err)
{
  struct run *run = ctx;

  if (r == 0)
    r = zl_rpc_parse_process_id(reply, &run->pid, &run->failure);
  else
    run->failure = *err;
  run->done = r < 0 || run->pid == 0;
}

static int create(struct vm_shim *vm, struct zl_error *err)
{
  static const uint8_t zeroes[64];
  struct zl_rpc_identity identity = { .hostname = "warm",
                                      .wall_clock_ns = zl_time_wall(),
                                      .entropy = zeroes,
                                      .entropy_len = sizeof(zeroes),
                                      .machine_id = "00000000000000000000000000000000" };
  struct zl_bridge_client *client = vm->guest.client;
  zl_autojson *bundle = json_loads(bundle_text, 0, NULL);
  zl_autojson *files = json_pack("{s:s}", "hosts", "127.0.0.1 localhost\n");
  struct guest_batch batch;

  if (bundle == NULL || files == NULL)
    return zl_fail_nomem(err, "bundle");
  guest_batch_begin(&batch, &vm->guest, PATIENCE);
  guest_batch_made(&batch,
                   zl_rpc_identity(client, &identity, guest_batch_next(&batch), &batch.err));
  guest_batch_made(&batch, zl_rpc_network(client, &network, guest_batch_next(&batch), &batch.err));
  guest_batch_made(&batch, zl_rpc_disk_add(client, &image, guest_batch_next(&batch), &batch.err));
  guest_batch_made(
      &batch, zl_rpc_create(client, WARM_ID, bundle, files, guest_batch_next(&batch), &batch.err));
  return guest_batch_wait(&batch, err);
}

/* Its output goes where that of a container goes: through a port. */
static int run_it(struct vm_shim *vm, json_t *process, struct zl_error *err)
{
  struct run run = { 0 };
  struct zl_rpc_then then = guest_then(began, &run, PATIENCE);
  struct zl_rpc_process what = { .oci = process };
  struct port *out = NULL;
  int r = port_to_nobody(&vm->ports, &out, err);

  what.out_port = port_number(out);
  if (r == 0)
    r = zl_rpc_execute(vm->guest.client, WARM_ID, &what, &then, err);
  guest_flush(&vm->guest);
  while (r == 0 && !run.done && run.pid == 0)
    r = loop_turn(&vm->shim.loop, err);
  if (r == 0 && !run.done) {
    then = guest_then(ended, &run, PATIENCE);
    r = zl_rpc_wait(vm->guest.client, WARM_ID, run.pid, &then, err);
    guest_flush(&vm->guest);
  }
  while (r == 0 && !run.done)
    r = loop_turn(&vm->shim.loop, err);
  port_close(out);
  if (r == 0 && run.failure.code != ZL_OK) {
    *err = run.failure;
    r = -(int)run.failure.code;
  }
  return r;
}

static int delete (struct vm_shim *vm, struct zl_error *err)
{
  struct zl_bridge_client *client = vm->guest.client;
  struct guest_batch batch;

  guest_batch_begin(&batch, &vm->guest, PATIENCE);
  guest_batch_made(&batch, zl_rpc_delete(client, WARM_ID, guest_batch_next(&batch), &batch.err));
  guest_batch_made(&batch,
                   zl_rpc_disk_remove(client, &image, guest_batch_next(&batch), &batch.err));
  return guest_batch_wait(&batch, err);
}

int warm_up(struct vm_shim *vm, struct zl_error *err)
{
  int r = 0;

  /* Twice: what was translated at the first pass is linked at the second. */
  for (int i = 0; r == 0 && i < 2; i++) {
    r = create(vm, err);
    if (r == 0)
      r = run_it(vm, NULL, err);
    if (r == 0)
      r = delete (vm, err);
  }
  return r < 0 ? zl_wrap(err, "warming the machine") : 0;
}
