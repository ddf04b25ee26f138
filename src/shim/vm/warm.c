/* SPDX-License-Identifier: Apache-2.0
 *
 * The first container of a pooled machine is ours: it does what the real one will do.
 */
#include "base/json.h"
#include "base/time.h"
#include "bridge/guest.h"
#include "shim/vm/modes.h"

#define WARM_ID "warm-rep-0"

#define CAPS                                                                                       \
  "[\"CAP_CHOWN\",\"CAP_DAC_OVERRIDE\",\"CAP_FOWNER\",\"CAP_FSETID\",\"CAP_KILL\",\"CAP_SETGID\"," \
  "\"CAP_SETUID\",\"CAP_SETPCAP\",\"CAP_NET_BIND_SERVICE\",\"CAP_NET_RAW\",\"CAP_SYS_CHROOT\","    \
  "\"CAP_MKNOD\",\"CAP_AUDIT_WRITE\",\"CAP_SETFCAP\"]"
#define BIND(name)                                                                              \
  "{\"destination\":\"/etc/" name "\",\"type\":\"bind\",\"source\":\"" ZL_GUEST_BUNDLE "/" name \
  "\",\"options\":[\"bind\",\"nosuid\",\"nodev\",\"noexec\"]}"

/* As the runtime writes them (src/runtime/bundle): the same mounts, paths, capabilities, so that
 * the same code runs. The program prints a line and ends. */
static const char bundle_text[] =
    "{\"ociVersion\":\"1.2.0\",\"process\":{\"args\":[\"zlayer-warm\"],\"cwd\":\"/run\","
    "\"env\":[\"PATH=/usr/local/bin:/usr/bin:/sbin:/bin\"],\"user\":{\"uid\":0,\"gid\":0},"
    "\"noNewPrivileges\":false,\"rlimits\":[],"
    "\"capabilities\":{\"bounding\":" CAPS ",\"effective\":" CAPS ",\"permitted\":" CAPS "}},"
    "\"root\":{\"path\":\"rootfs\",\"readonly\":false},\"hostname\":\"warm\",\"mounts\":["
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
    "\"nosuid\",\"noexec\",\"nodev\",\"relatime\",\"ro\"]}," BIND("hosts") "," BIND(
        "resolv.conf") "," BIND("hostname") "],"
                                            "\"linux\":{\"cgroupsPath\":\"" ZL_GUEST_CGROUP
                                            "\",\"namespaces\":[{\"type\":\"mount\"},"
                                            "{\"type\":\"uts\"},{\"type\":\"cgroup\"},{\"type\":"
                                            "\"pid\"},{\"type\":\"ipc\"}],\"sysctl\":{},"
                                            "\"maskedPaths\":[\"/proc/acpi\",\"/proc/asound\",\"/"
                                            "proc/interrupts\",\"/proc/kcore\","
                                            "\"/proc/keys\",\"/proc/latency_stats\",\"/proc/"
                                            "sched_debug\",\"/proc/scsi\","
                                            "\"/proc/timer_list\",\"/proc/timer_stats\",\"/sys/"
                                            "firmware\","
                                            "\"/sys/devices/virtual/"
                                            "powercap\"],\"readonlyPaths\":[\"/proc/bus\",\"/proc/"
                                            "fs\",\"/proc/irq\","
                                            "\"/proc/sys\",\"/proc/sysrq-trigger\"],"
                                            "\"resources\":{\"devices\":[],\"pids\":{\"limit\":"
                                            "2048}},\"devices\":[]},"
                                            "\"zlayer\":{\"layers\":[\"" ZL_GUEST_IMAGE
                                            "\"],\"init\":false,\"volatile\":true,"
                                            "\"openStdin\":false,\"stopSignal\":15,\"seccomp\":"
                                            "\"default\",\"log\":{\"maxBytes\":20971520,"
                                            "\"files\":5},\"network\":{\"mode\":\"host\"}}}";

static const struct zl_rpc_disk image = {
  .lun = ZL_GUEST_LUN_IMAGE, .mount_path = ZL_GUEST_IMAGE, .read_only = true, .filesystem = "erofs"
};

/* An address that is nobody's (RFC 5737); the real one replaces it. */
static const struct zl_rpc_network network = { .mac = "02:00:c0:00:02:02",
                                               .address = "192.0.2.2",
                                               .prefix = 24,
                                               .gateway = "192.0.2.1",
                                               .mtu = 1500 };

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
  zl_autojson *files = json_pack("{s:s, s:s, s:s}", "hosts", "127.0.0.1 localhost\n", "resolv.conf",
                                 "", "hostname", "warm\n");
  struct guest_batch batch;

  if (bundle == NULL || files == NULL)
    return zl_fail_nomem(err, "bundle");
  guest_batch_begin(&batch, &vm->guest, PATIENCE_GUEST);
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
  struct zl_rpc_then then = guest_then(began, &run, PATIENCE_GUEST);
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
    then = guest_then(ended, &run, PATIENCE_GUEST);
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

  guest_batch_begin(&batch, &vm->guest, PATIENCE_GUEST);
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
