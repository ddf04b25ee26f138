/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/strv.h"
#include "bridge/guest.h"
#include "vmm/command.h"

/* Numbers that no process of the test has: nothing is opened. */
static const struct zl_vm_machine sample = {
  .memory_mib = 256,
  .vcpus = 2,
  .tsc_khz = 2596103,
  .kernel_fd = 101,
  .initrd_fd = 102,
  .memory_fd = 103,
  .image_fd = 104,
  .scratch_fd = 105,
  .tap_fd = 106,
  .mac = { 0x02, 0, 0x0a, 0xc8, 0, 0x02 },
  .bridge_fd = 107,
  .stdio_fd = 108,
  .console_fd = 109,
  .qmp_fd = 110,
};

static const struct zl_vm_bind binds[ZL_VM_MAX_BINDS + 1] = {
  { .dir_fd = 120 }, { .dir_fd = 121, .read_only = true },
  { .dir_fd = 122 }, { .dir_fd = 123 },
  { .dir_fd = 124 }, { .dir_fd = 125 },
  { .dir_fd = 126 }, { .dir_fd = 127 },
  { .dir_fd = 128 },
};

/* The command line as text, and the descriptors as " ours>QEMU's". */
struct built {
  char argv[8192], fds[512];
};

static struct built build(const struct zl_vm_machine *machine)
{
  struct built built = { .argv = "" };
  struct zl_vm_command command = { .argv = NULL };
  struct zl_error err = { 0 };
  size_t at = 0;

  if (zl_vm_command_build(machine, &command, &err) < 0)
    fail_msg("%s", err.msg);
  for (char **arg = command.argv; *arg != NULL; arg++)
    at += (size_t)snprintf(built.argv + at, sizeof(built.argv) - at, "%s%s",
                           arg == command.argv ? ""
                           : (*arg)[0] == '-'  ? "\n"
                                               : " ",
                           *arg);
  at = 0;
  for (size_t i = 0; i < command.n_fds; i++)
    at += (size_t)snprintf(built.fds + at, sizeof(built.fds) - at, " %d>%d", command.fds[i].from,
                           command.fds[i].to);
  zl_vm_command_done(&command);
  assert_null(command.argv);
  return built;
}

#define HEAD             \
  "qemu-system-x86_64\n" \
  "-name zlayer\n"       \
  "-nodefaults\n"        \
  "-no-user-config\n"    \
  "-display none\n"      \
  "-no-reboot\n"         \
  "-sandbox on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny\n"
#define PORTS                                                           \
  "-device virtio-serial-device,max_ports=3\n"                          \
  "-device virtserialport,nr=1,chardev=bridge,name=org.zlayer.bridge\n" \
  "-device virtserialport,nr=2,chardev=stdio,name=org.zlayer.stdio\n"
#define IMAGE                                                                                   \
  "-blockdev driver=file,node-name=image-file,filename=/dev/fdset/1,read-only=on,locking=off\n" \
  "-blockdev driver=raw,node-name=image,file=image-file,read-only=on\n"                         \
  "-device virtio-blk-device,drive=image\n"
#define SCRATCH                                                                                \
  "-blockdev driver=file,node-name=scratch-file,filename=/dev/fdset/2,locking=off,"            \
  "cache.no-flush=on,discard=unmap\n"                                                          \
  "-blockdev driver=raw,node-name=scratch,file=scratch-file,cache.no-flush=on,discard=unmap\n" \
  "-device virtio-blk-device,drive=scratch\n"
#define NIC                                                                         \
  "-device virtio-net-device,netdev=net,guest_announce=off,mac=02:00:0a:c8:00:02\n" \
  "-device virtio-rng-device"

static void a_boot_has_what_it_is_given(void **state)
{
  struct built built = build(&sample);

  (void)state;
  assert_string_equal(built.argv,
                      HEAD "-M microvm,acpi=off,rtc=on,memory-backend=mem\n"
                           "-accel tcg,tb-size=64\n"
                           "-cpu max,-erms\n"
                           "-smp 2\n"
                           "-m 256M\n"
                           "-object memory-backend-ram,id=mem,size=256M\n"
                           "-kernel /proc/self/fd/3\n"
                           "-initrd /proc/self/fd/4\n"
                           "-append console=ttyS0 quiet panic=-1 reboot=t tsc_early_khz=2596103 "
                           "no_timer_check clearcpuid=112\n"
                           "-chardev socket,id=qmp,fd=5\n"
                           "-mon chardev=qmp,mode=control\n"
                           "-chardev socket,id=console,fd=6\n"
                           "-serial chardev:console\n"
                           "-chardev socket,id=bridge,fd=7\n"
                           "-chardev socket,id=stdio,fd=8\n" PORTS "-add-fd fd=9,set=1\n" IMAGE
                           "-add-fd fd=10,set=2\n" SCRATCH "-netdev tap,id=net,fd=11\n" NIC);
  assert_string_equal(built.fds, " 101>3 102>4 110>5 109>6 107>7 108>8 104>9 105>10 106>11");
}

static void a_template_has_place_holders(void **state)
{
  struct zl_vm_machine machine = sample;
  struct built built;

  (void)state;
  machine.start = ZL_VM_TEMPLATE;
  machine.image_fd = machine.tap_fd = -1;
  built = build(&machine);
  assert_non_null(strstr(built.argv, "-object memory-backend-file,id=mem,size=256M,"
                                     "mem-path=/proc/self/fd/3,share=on\n"
                                     "-kernel /proc/self/fd/4\n"));
  assert_non_null(strstr(built.argv,
                         "-blockdev driver=null-co,node-name=image-file,size=1099511627776,"
                         "read-zeroes=on,read-only=on\n"
                         "-blockdev driver=raw,node-name=image,file=image-file,"
                         "read-only=on\n"));
  assert_non_null(strstr(built.argv, "-netdev hubport,id=net,hubid=0\n" NIC "\n"
                                     "-fsdev synth,id=bind0,readonly=on\n"
                                     "-device virtio-9p-device,fsdev=bind0,mount_tag=bind0\n"
                                     "-fsdev synth,id=bind1,readonly=on\n"
                                     "-device virtio-9p-device,fsdev=bind1,mount_tag=bind1\n"
                                     "-fsdev synth,id=bind2,readonly=on\n"
                                     "-device virtio-9p-device,fsdev=bind2,mount_tag=bind2"));
  assert_null(strstr(built.argv, "bind3"));
  assert_string_equal(built.fds, " 103>3 101>4 102>5 110>6 109>7 107>8 108>9 105>10");
}

/* The devices alone, which have to be the same for the state of one to load into the other. */
static void keep_devices(struct built *built)
{
  zl_autobuf devices = ZL_BUF_INIT(sizeof(built->argv));
  struct zl_error err = { 0 };
  char *rest = built->argv;

  for (char *line = strsep(&rest, "\n"); line != NULL; line = strsep(&rest, "\n"))
    if (zl_has_prefix(line, "-device ") || zl_has_prefix(line, "-M ") ||
        zl_has_prefix(line, "-smp ") || zl_has_prefix(line, "-m ") || zl_has_prefix(line, "-cpu "))
      assert_int_equal(zl_buf_printf(&devices, &err, "%s\n", line), 0);
  (void)snprintf(built->argv, sizeof(built->argv), "%s", devices.data);
}

static void a_clone_has_the_devices_of_its_template(void **state)
{
  struct zl_vm_machine machine = sample;
  struct built template, clone;

  (void)state;
  machine.start = ZL_VM_TEMPLATE;
  machine.image_fd = machine.tap_fd = -1;
  template = build(&machine);
  machine = sample;
  machine.start = ZL_VM_CLONE;
  machine.kernel_fd = machine.initrd_fd = -1;
  machine.tsc_khz = 0;
  machine.binds = binds;
  machine.n_binds = 2;
  clone = build(&machine);

  assert_null(strstr(clone.argv, "-kernel"));
  assert_null(strstr(clone.argv, "-append"));
  assert_non_null(strstr(clone.argv, "mem-path=/proc/self/fd/3,share=off\n-incoming defer\n-S\n"));
  assert_non_null(strstr(clone.argv, "-fsdev local,id=bind0,security_model=passthrough,"
                                     "multidevs=remap,path=/proc/self/fd/11\n"));
  assert_non_null(strstr(clone.argv, "-fsdev local,id=bind1,security_model=passthrough,"
                                     "multidevs=remap,path=/proc/self/fd/12,readonly=on\n"));
  assert_non_null(strstr(clone.argv, "-fsdev synth,id=bind2,readonly=on\n"));
  assert_string_equal(clone.fds, " 103>3 110>4 109>5 107>6 108>7 104>8 105>9 106>10 120>11 121>12");
  keep_devices(&template);
  keep_devices(&clone);
  assert_string_equal(template.argv, clone.argv);
  assert_true(strlen(clone.argv) > 500);
}

/* Debian's kernel changes its own code while other processors run. */
static void debians_processors_share_a_thread(void **state)
{
  struct zl_vm_machine machine = sample;
  const struct {
    bool acpi;
    unsigned vcpus;
    bool shares;
  } cases[] = { { true, 2, true }, { true, 1, false }, { false, 2, false } };

  (void)state;
  for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    struct built built;

    machine.acpi = cases[i].acpi;
    machine.vcpus = cases[i].vcpus;
    built = build(&machine);
    assert_non_null(strstr(built.argv, "-accel tcg,tb-size=64"));
    assert_int_equal(strstr(built.argv, ",thread=single\n") != NULL, cases[i].shares);
  }
}

static void acpi_and_kvm_are_asked_for(void **state)
{
  struct zl_vm_machine machine = sample;
  struct built built;

  (void)state;
  machine.acpi = true;
  machine.accel = ZL_VM_KVM;
  machine.binds = binds;
  machine.n_binds = ZL_VM_MAX_BINDS;
  built = build(&machine);
  assert_non_null(strstr(built.argv, "-M microvm,acpi=on,rtc=on,memory-backend=mem\n"
                                     "-accel kvm\n-cpu host\n"));
  assert_non_null(strstr(built.argv, "fsdev=bind7,mount_tag=bind7"));
  assert_null(strstr(built.argv, "synth"));

  /* A booted machine has no more than it uses. */
  machine.n_binds = 1;
  assert_null(strstr(build(&machine).argv, "bind1"));
}

static int attempt(const struct zl_vm_machine *machine, const char *text)
{
  struct zl_vm_command command = { .argv = NULL };
  struct zl_error err = { 0 };
  int r = zl_vm_command_build(machine, &command, &err);

  assert_null(command.argv);
  if (strstr(err.msg, text) == NULL)
    fail_msg("'%s' is not in '%s'", text, err.msg);
  return r;
}

static void impossible_machines_are_refused(void **state)
{
  const struct {
    size_t offset;
    int value;
    const char *text;
  } cases[] = {
    { offsetof(struct zl_vm_machine, memory_mib), 63, "63 MiB" },
    { offsetof(struct zl_vm_machine, memory_mib), (1 << 20) + 1, "MiB" },
    { offsetof(struct zl_vm_machine, vcpus), 0, "0 processors" },
    { offsetof(struct zl_vm_machine, vcpus), 33, "33 processors" },
    { offsetof(struct zl_vm_machine, tsc_khz), 99999, "99999 kHz" },
    { offsetof(struct zl_vm_machine, kernel_fd), -1, "kernel" },
    { offsetof(struct zl_vm_machine, initrd_fd), -1, "initrd" },
    { offsetof(struct zl_vm_machine, memory_fd), -1, "memory" },
    { offsetof(struct zl_vm_machine, scratch_fd), -1, "scratch" },
    { offsetof(struct zl_vm_machine, bridge_fd), -1, "bridge" },
    { offsetof(struct zl_vm_machine, stdio_fd), -1, "streams" },
    { offsetof(struct zl_vm_machine, console_fd), -1, "console" },
    { offsetof(struct zl_vm_machine, qmp_fd), -1, "monitor" },
  };
  struct zl_vm_machine machine;

  (void)state;
  for (size_t i = 0; i < ZL_COUNT(cases); i++) {
    machine = sample;
    machine.start = ZL_VM_TEMPLATE;
    memcpy((char *)&machine + cases[i].offset, &cases[i].value, sizeof(int));
    assert_int_equal(attempt(&machine, cases[i].text), -ZL_E_INVALID);
  }
  machine = sample;
  machine.start = ZL_VM_TEMPLATE;
  assert_int_equal(attempt(&machine, "no link"), -ZL_E_INVALID);
  machine = sample;
  machine.mac[0] = 0x03;
  assert_int_equal(attempt(&machine, "multicast"), -ZL_E_INVALID);
}

static void a_booted_machine_needs_no_disk(void **state)
{
  struct zl_vm_machine machine = sample;
  struct built built;

  (void)state;
  machine.scratch_fd = -1;
  machine.start = ZL_VM_BOOT;
  built = build(&machine);
  assert_null(strstr(built.argv, "scratch"));
  assert_non_null(strstr(built.argv, "drive=image"));
  machine.start = ZL_VM_CLONE;
  assert_int_equal(attempt(&machine, "scratch"), -ZL_E_INVALID);
}

static void binds_have_a_maximum(void **state)
{
  static const struct zl_vm_bind closed = { .dir_fd = -1 };
  struct zl_vm_machine machine = sample;

  (void)state;
  assert_int_equal(zl_vm_max_binds(false), ZL_VM_MAX_BINDS_MMIO);
  machine.binds = binds;
  machine.n_binds = ZL_VM_MAX_BINDS_MMIO + 1;
  assert_int_equal(attempt(&machine, "at most 3"), -ZL_E_LIMIT);
  machine.acpi = true;
  (void)build(&machine);
  machine.n_binds = ZL_VM_MAX_BINDS + 1;
  assert_int_equal(attempt(&machine, "at most 8"), -ZL_E_LIMIT);
  machine.binds = &closed;
  machine.n_binds = 1;
  assert_int_equal(attempt(&machine, "directory 0"), -ZL_E_INVALID);
}

static void guest_and_host_use_the_same_names(void **state)
{
  (void)state;
  assert_string_equal(ZL_VM_PORT_BRIDGE, ZL_GUEST_PORT_BRIDGE);
  assert_string_equal(ZL_VM_PORT_STDIO, ZL_GUEST_PORT_STDIO);
  assert_string_equal(ZL_VM_BIND_TAG, ZL_GUEST_BIND_TAG);
  assert_int_equal(ZL_VM_MAX_BINDS, ZL_GUEST_MAX_BINDS);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_boot_has_what_it_is_given),
    cmocka_unit_test(a_template_has_place_holders),
    cmocka_unit_test(a_clone_has_the_devices_of_its_template),
    cmocka_unit_test(acpi_and_kvm_are_asked_for),
    cmocka_unit_test(debians_processors_share_a_thread),
    cmocka_unit_test(impossible_machines_are_refused),
    cmocka_unit_test(a_booted_machine_needs_no_disk),
    cmocka_unit_test(binds_have_a_maximum),
    cmocka_unit_test(guest_and_host_use_the_same_names),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
