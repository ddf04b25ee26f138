/* SPDX-License-Identifier: Apache-2.0
 *
 * QEMU itself with every device, and a guest of twenty instructions in place of a kernel: it writes
 * K to the console and then answers each byte with the next one.
 */
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fd.h"
#include "base/json.h"
#include "base/path.h"
#include "base/time.h"
#include "net/linux/link.h"
#include "vmm/clone.h"
#include "vmm/command.h"
#include "vmm/swap.h"

#define QEMU "/usr/bin/qemu-system-x86_64"

enum {
  PATIENCE_S = 60, /* the host may be busy; nothing here is timed */
  MEMORY_MIB = 64,
  KERNEL_SIZE = 16 << 10,
  IMAGE_SIZE = 12 << 10,
  SCRATCH_SIZE = 1 << 20
};

static const uint8_t guest[] = {
  0xba, 0xf8, 0x03, /* mov dx, 0x3f8: the console */
  0xb0, 'K',        /* mov al, 'K' */
  0xee,             /* out dx, al */
  0xba, 0xfd, 0x03, /* again: mov dx, 0x3fd */
  0xec,             /* in al, dx */
  0xa8, 0x01,       /* test al, 1: has a byte come? */
  0x74, 0xf8,       /* jz again */
  0xba, 0xf8, 0x03, /* mov dx, 0x3f8 */
  0xec,             /* in al, dx */
  0xfe, 0xc0,       /* inc al */
  0xee,             /* out dx, al */
  0xeb, 0xef,       /* jmp again */
};

struct machine {
  struct zl_proc proc;
  struct zl_qmp qmp;
  int console;
  int others[2]; /* our ends of the ports */
};

static uint64_t deadline(void)
{
  return zl_time_boot() + PATIENCE_S * ZL_NS_PER_S;
}

static void must(int r, const struct zl_error *err)
{
  if (r < 0)
    fail_msg("%s", err->msg);
}

static int memory_file(size_t size)
{
  int fd = memfd_create("zl-test", MFD_CLOEXEC);

  assert_true(fd >= 0);
  assert_int_equal(ftruncate(fd, (off_t)size), 0);
  return fd;
}

static int read_only(int fd)
{
  char path[ZL_FD_PATH];
  int copy = zl_fd_open(AT_FDCWD, zl_path_of_fd(fd, path), O_RDONLY, 0);

  assert_true(copy >= 0);
  return copy;
}

/* As a bzImage: the loader's header, and the code at the real-mode entry. */
static int kernel_file(void)
{
  /* A jump over the header, to 0x270; then the header's mark. */
  const uint8_t start_of_header[] = { 0xeb, 0x6e, 'H', 'd', 'r', 'S' };
  uint8_t data[KERNEL_SIZE] = { 0 };
  int fd = memory_file(0);

  data[0x1f1] = 1; /* sectors of real-mode code after the first */
  memcpy(data + 0x200, start_of_header, sizeof(start_of_header));
  data[0x206] = 3; /* protocol 2.03 */
  data[0x207] = 2;
  data[0x211] = 1;    /* loaded high */
  data[0x22f] = 0x37; /* highest address of an initrd, its upper byte */
  memcpy(data + 0x270, guest, sizeof(guest));
  assert_int_equal(zl_fd_write_full(fd, data, sizeof(data)), 0);
  return fd;
}

static int pair(int *ret_theirs)
{
  int ends[2];

  assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
  *ret_theirs = ends[1];
  return ends[0];
}

static void spawn(struct machine *machine, struct zl_vm_machine *spec)
{
  struct zl_vm_command command = { .argv = NULL };
  struct zl_proc_fd fds[32];
  struct zl_proc_options options = { .path = QEMU, .exec_fd = -1, .fds = fds };
  struct zl_error err = { 0 };

  must(zl_vm_command_build(spec, &command, &err), &err);
  assert_true(command.n_fds < ZL_COUNT(fds));
  memcpy(fds, command.fds, command.n_fds * sizeof(*fds));
  fds[command.n_fds] = (struct zl_proc_fd){ .from = 2, .to = 2 };
  options.n_fds = command.n_fds + 1;
  options.argv = (const char *const *)command.argv;
  must(zl_proc_spawn(&options, &machine->proc, &err), &err);
  zl_vm_command_done(&command);
}

static void start(struct machine *machine, struct zl_vm_machine *spec)
{
  struct zl_error err = { 0 };
  int qmp = pair(&spec->qmp_fd);

  machine->console = pair(&spec->console_fd);
  machine->others[0] = pair(&spec->bridge_fd);
  machine->others[1] = pair(&spec->stdio_fd);
  spawn(machine, spec);
  (void)close(spec->qmp_fd);
  (void)close(spec->console_fd);
  (void)close(spec->bridge_fd);
  (void)close(spec->stdio_fd);
  must(zl_qmp_open(&machine->qmp, qmp, NULL, NULL, deadline(), &err), &err);
}

static void end(struct machine *machine)
{
  struct zl_error err = { 0 };
  int status = -1;

  must(zl_qmp_call(&machine->qmp, "quit", NULL, deadline(), NULL, &err), &err);
  must(zl_proc_wait(&machine->proc, &status, &err), &err);
  assert_int_equal(status, 0);
  zl_qmp_close(&machine->qmp);
  (void)close(machine->console);
  (void)close(machine->others[0]);
  (void)close(machine->others[1]);
}

static char hear(const struct machine *machine)
{
  struct pollfd poll_fd = { .fd = machine->console, .events = POLLIN };
  char byte = 0;

  assert_int_equal(poll(&poll_fd, 1, PATIENCE_S * 1000), 1);
  assert_int_equal(read(machine->console, &byte, 1), 1);
  return byte;
}

static char talk(const struct machine *machine, char byte)
{
  assert_int_equal(write(machine->console, &byte, 1), 1);
  return hear(machine);
}

/* Bytes of the image disk as QEMU sees it. */
static json_int_t image_size(struct machine *machine)
{
  zl_autojson *nodes = NULL;
  struct zl_error err = { 0 };
  json_t *node, *image;
  size_t i;

  must(zl_qmp_call(&machine->qmp, "query-named-block-nodes", json_pack("{s:b}", "flat", 1),
                   deadline(), &nodes, &err),
       &err);
  json_array_foreach (nodes, i, node) {
    image = json_object_get(node, "image");
    if (strcmp(json_string_value(json_object_get(node, "node-name")), ZL_VM_NODE_IMAGE) == 0)
      return json_integer_value(json_object_get(image, "virtual-size"));
  }
  fail_msg("there is no node '%s'", ZL_VM_NODE_IMAGE);
  return 0;
}

static bool is_running(struct machine *machine)
{
  zl_autojson *status = NULL;
  struct zl_error err = { 0 };

  must(zl_qmp_call(&machine->qmp, "query-status", NULL, deadline(), &status, &err), &err);
  return json_is_true(json_object_get(status, "running"));
}

static struct zl_vm_machine template_spec(void)
{
  return (struct zl_vm_machine){
    .start = ZL_VM_TEMPLATE,
    .memory_mib = MEMORY_MIB,
    .vcpus = 2,
    .tsc_khz = 2000000,
    .kernel_fd = kernel_file(),
    .initrd_fd = memory_file(4096),
    .memory_fd = memory_file((size_t)MEMORY_MIB << 20),
    .image_fd = -1,
    .scratch_fd = memory_file(SCRATCH_SIZE),
    .tap_fd = -1,
    .mac = { 0x02, 0, 0x0a, 0xc8, 0, 2 },
  };
}

struct saved {
  struct zl_vm_machine spec; /* of a clone */
  int state_fd;
};

/* A template's files, as left by a machine that has ended. */
static struct saved save(void)
{
  struct saved saved = { .spec = template_spec(), .state_fd = memory_file(0) };
  struct machine machine;
  struct zl_error err = { 0 };

  start(&machine, &saved.spec);
  assert_int_equal(hear(&machine), 'K');
  assert_int_equal(talk(&machine, 'a'), 'b');
  assert_true(is_running(&machine));
  must(zl_vm_save(&machine.qmp, saved.state_fd, deadline(), &err), &err);
  assert_false(is_running(&machine));
  end(&machine);
  assert_true(lseek(saved.state_fd, 0, SEEK_END) > 1000);

  (void)close(saved.spec.kernel_fd);
  (void)close(saved.spec.initrd_fd);
  saved.spec.start = ZL_VM_CLONE;
  saved.spec.kernel_fd = saved.spec.initrd_fd = -1;
  return saved;
}

static void drop(struct saved *saved)
{
  (void)close(saved->spec.memory_fd);
  (void)close(saved->spec.scratch_fd);
  (void)close(saved->state_fd);
}

static void a_clone_goes_on_where_its_template_stopped(void **state)
{
  struct saved saved = save();
  zl_autofd image = memory_file(IMAGE_SIZE), image_read = read_only(image),
            dir = zl_fd_open(AT_FDCWD, "/proc/self/fd", O_PATH | O_DIRECTORY, 0);
  const struct zl_vm_bind bind = { .dir_fd = dir, .read_only = true };
  struct zl_error err = { 0 };

  (void)state;
  saved.spec.image_fd = image_read;
  saved.spec.binds = &bind;
  saved.spec.n_binds = 1;
  /* Twice: the first must not have changed what the second begins with. */
  for (int i = 0; i < 2; i++) {
    struct machine machine;

    start(&machine, &saved.spec);
    must(zl_vm_load(&machine.qmp, saved.state_fd, deadline(), &err), &err);
    assert_false(is_running(&machine));
    assert_int_equal(image_size(&machine), IMAGE_SIZE);
    must(zl_vm_continue(&machine.qmp, deadline(), &err), &err);
    assert_int_equal(talk(&machine, 'x'), 'y');
    must(zl_vm_stop(&machine.qmp, deadline(), &err), &err);
    must(zl_vm_stop(&machine.qmp, deadline(), &err), &err);
    assert_false(is_running(&machine));
    end(&machine);
  }
  drop(&saved);
}

static void a_pooled_machine_gets_image_and_link(void **state)
{
  const struct zl_tap tap = { .name = "zltest1" };
  struct saved saved = save();
  zl_autofd image = memory_file(IMAGE_SIZE), image_read = read_only(image), tap_fd = -1;
  struct machine machine;
  struct zl_error err = { 0 };

  (void)state;
  assert_int_equal(unshare(CLONE_NEWNET), 0);
  must(zl_link_create_tap(&tap, &tap_fd, &err), &err);
  start(&machine, &saved.spec);
  must(zl_vm_load(&machine.qmp, saved.state_fd, deadline(), &err), &err);
  must(zl_vm_continue(&machine.qmp, deadline(), &err), &err);
  assert_int_equal(talk(&machine, '1'), '2');
  must(zl_vm_stop(&machine.qmp, deadline(), &err), &err);

  assert_int_equal(image_size(&machine), INT64_C(1) << 40);
  must(zl_vm_swap_image(&machine.qmp, image_read, deadline(), &err), &err);
  assert_int_equal(image_size(&machine), IMAGE_SIZE);
  must(zl_vm_plug_tap(&machine.qmp, tap_fd, deadline(), &err), &err);
  must(zl_vm_continue(&machine.qmp, deadline(), &err), &err);
  assert_int_equal(talk(&machine, '3'), '4');

  /* Once only, and the refusal leaves the machine as it was. */
  assert_int_equal(zl_vm_swap_image(&machine.qmp, image_read, deadline(), &err), -ZL_E_REMOTE);
  assert_int_equal(zl_vm_plug_tap(&machine.qmp, tap_fd, deadline(), &err), -ZL_E_REMOTE);
  assert_int_equal(image_size(&machine), IMAGE_SIZE);
  assert_int_equal(talk(&machine, '5'), '6');

  /* The link is QEMU's own by now and goes with it. */
  zl_fd_closep(&tap_fd);
  assert_int_equal(zl_link_exists("zltest1", &err), 1);
  end(&machine);
  assert_int_equal(zl_link_exists("zltest1", &err), 0);
  drop(&saved);
}

static void a_state_of_another_machine_is_refused(void **state)
{
  struct saved saved = save();
  struct machine machine;
  struct zl_error err = { 0 };
  int status;

  (void)state;
  assert_int_equal(ftruncate(saved.state_fd, 1000), 0);
  start(&machine, &saved.spec);
  assert_int_equal(zl_vm_load(&machine.qmp, saved.state_fd, deadline(), &err), -ZL_E_REMOTE);
  assert_non_null(strstr(err.msg, "loading the machine"));
  zl_qmp_close(&machine.qmp);
  /* QEMU ends by itself after that. */
  must(zl_proc_wait(&machine.proc, &status, &err), &err);
  assert_int_not_equal(status, 0);
  (void)close(machine.console);
  (void)close(machine.others[0]);
  (void)close(machine.others[1]);
  drop(&saved);
}

/* With ACPI there are more devices; QEMU's own memory; everything real. */
static void a_boot_with_every_device_starts(void **state)
{
  struct zl_vm_machine spec = template_spec();
  zl_autofd dir = zl_fd_open(AT_FDCWD, "/proc/self/fd", O_PATH | O_DIRECTORY, 0), tap_fd = -1;
  const struct zl_tap tap = { .name = "zltest1" };
  struct zl_vm_bind binds[ZL_VM_MAX_BINDS];
  struct machine machine;
  struct zl_error err = { 0 };

  (void)state;
  assert_int_equal(unshare(CLONE_NEWNET), 0);
  must(zl_link_create_tap(&tap, &tap_fd, &err), &err);
  for (size_t i = 0; i < ZL_COUNT(binds); i++)
    binds[i] = (struct zl_vm_bind){ .dir_fd = dir, .read_only = i % 2 == 0 };
  spec.start = ZL_VM_BOOT;
  spec.acpi = true;
  spec.tap_fd = tap_fd;
  spec.binds = binds;
  spec.n_binds = ZL_COUNT(binds);
  start(&machine, &spec);
  assert_true(is_running(&machine));
  end(&machine);
  (void)close(spec.kernel_fd);
  (void)close(spec.initrd_fd);
  (void)close(spec.memory_fd);
  (void)close(spec.scratch_fd);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_clone_goes_on_where_its_template_stopped),
    cmocka_unit_test(a_pooled_machine_gets_image_and_link),
    cmocka_unit_test(a_state_of_another_machine_is_refused),
    cmocka_unit_test(a_boot_with_every_device_starts),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
