/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/command.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/strv.h"
#include "vmm/arguments.h"

enum {
  MIN_TSC_KHZ = 100000, /* anything else is a failed measurement */
  MAX_TSC_KHZ = 100000000,
  TCG_CACHE_MIB = 64 /* translated code; QEMU's default is a gigabyte of address space */
};

/* REP_GOOD (word 3, bit 16 of the kernel's features): with it pages are cleared and memory is
 * copied by `rep stosq` and `rep movsq`, of which an emulated processor takes each step for a
 * block. */
#define NO_REP " clearcpuid=112"

/* QEMU starts nothing and has no need of privileges beyond its descriptors; with 9p it keeps root's
 * right to the shared files. */
#define SANDBOX "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny"

size_t zl_vm_max_binds(bool acpi)
{
  return acpi ? ZL_VM_MAX_BINDS : ZL_VM_MAX_BINDS_MMIO;
}

/* ---- the list ---- */

void zl__argument(struct zl_arguments *args, const char *option)
{
  if (args->r == 0)
    args->r = zl_strv_push(&args->argv, option, args->err);
}

void zl__option(struct zl_arguments *args, const char *option, const char *fmt, ...)
{
  zl_autofree char *value = NULL;
  va_list ap;
  int n;

  zl__argument(args, option);
  va_start(ap, fmt);
  n = vasprintf(&value, fmt, ap);
  va_end(ap);
  if (n < 0) {
    value = NULL; /* undefined after a failure */
    if (args->r == 0)
      args->r = zl_fail_nomem(args->err, "QEMU's command line");
    return;
  }
  zl__argument(args, value);
}

int zl__inherit(struct zl_arguments *args, int fd)
{
  int number = ZL_VM_FIRST_FD + (int)args->n_fds;

  if (args->n_fds == ZL_VM_MAX_FDS) {
    if (args->r == 0)
      args->r = zl_fail(args->err, ZL_E_LIMIT, 0, "a machine has at most %d files", ZL_VM_MAX_FDS);
    return -1;
  }
  args->fds[args->n_fds++] = (struct zl_proc_fd){ .from = fd, .to = number };
  return number;
}

/* ---- checks ---- */

static int check_bounds(const struct zl_vm_machine *m, struct zl_error *err)
{
  if (m->memory_mib < ZL_VM_MIN_MEMORY_MIB || m->memory_mib > ZL_VM_MAX_MEMORY_MIB)
    return zl_fail(err, ZL_E_INVALID, 0, "a machine of %u MiB: it must be %d to %d", m->memory_mib,
                   ZL_VM_MIN_MEMORY_MIB, ZL_VM_MAX_MEMORY_MIB);
  if (m->vcpus < 1 || m->vcpus > ZL_VM_MAX_VCPUS)
    return zl_fail(err, ZL_E_INVALID, 0, "a machine of %u processors: it must be 1 to %d", m->vcpus,
                   ZL_VM_MAX_VCPUS);
  if (m->start != ZL_VM_CLONE && (m->tsc_khz < MIN_TSC_KHZ || m->tsc_khz > MAX_TSC_KHZ))
    return zl_fail(err, ZL_E_INVALID, 0, "a TSC of %llu kHz", (unsigned long long)m->tsc_khz);
  if ((m->mac[0] & 1) != 0)
    return zl_fail(err, ZL_E_INVALID, 0, "the machine's MAC is a multicast address");
  return 0;
}

static int check_fds(const struct zl_vm_machine *m, struct zl_error *err)
{
  const struct {
    const char *what;
    int fd;
    bool needed;
  } fds[] = {
    { "a kernel", m->kernel_fd, m->start != ZL_VM_CLONE },
    { "an initrd", m->initrd_fd, m->start != ZL_VM_CLONE },
    { "a memory file", m->memory_fd, m->start != ZL_VM_BOOT },
    { "a scratch disk", m->scratch_fd, m->start != ZL_VM_BOOT },
    { "a socket for the bridge", m->bridge_fd, true },
    { "a socket for streams", m->stdio_fd, true },
    { "a socket for the console", m->console_fd, true },
    { "a socket for the monitor", m->qmp_fd, true },
  };

  for (size_t i = 0; i < ZL_COUNT(fds); i++)
    if (fds[i].needed && fds[i].fd < 0)
      return zl_fail(err, ZL_E_INVALID, 0, "a machine needs %s", fds[i].what);
  /* What a tap offers the guest, only another tap can go on with (devices.c). */
  if (m->start == ZL_VM_TEMPLATE && m->tap_fd >= 0)
    return zl_fail(err, ZL_E_INVALID, 0, "a template has no link");
  return 0;
}

static int check_binds(const struct zl_vm_machine *m, struct zl_error *err)
{
  if (m->n_binds > zl_vm_max_binds(m->acpi))
    return zl_fail(err, ZL_E_LIMIT, 0,
                   "%zu directories of the host: a machine with this kernel shares at most %zu",
                   m->n_binds, zl_vm_max_binds(m->acpi));
  for (size_t i = 0; i < m->n_binds; i++)
    if (m->binds[i].dir_fd < 0)
      return zl_fail(err, ZL_E_INVALID, 0, "shared directory %zu is not open", i);
  return 0;
}

static int check(const struct zl_vm_machine *machine, struct zl_error *err)
{
  int r = check_bounds(machine, err);

  if (r == 0)
    r = check_fds(machine, err);
  if (r == 0)
    r = check_binds(machine, err);
  return r;
}

/* ---- the machine ---- */

char *zl_vm_kernel_arguments(const struct zl_vm_machine *machine)
{
  /* Without HPET and PM timer the guest measures its TSC against the PIT, which fails on a busy
   * host and leaves it hanging. It is the host's TSC, and its rate is known. */
  return zl_asprintf("console=ttyS0 quiet panic=-1 reboot=t tsc_early_khz=%llu no_timer_check%s",
                     (unsigned long long)machine->tsc_khz,
                     machine->accel == ZL_VM_TCG ? NO_REP : "");
}

/* QEMU may translate code that another processor is just writing, and keep the old: a kernel that
 * patches itself (Debian's, the one with ACPI) then runs into a breakpoint of its own that is not
 * there any more, and panics. With one thread for all processors that cannot happen. */
static void add_tcg(struct zl_arguments *args, const struct zl_vm_machine *m)
{
  zl__option(args, "-accel", "tcg,tb-size=%d%s", TCG_CACHE_MIB,
             m->acpi && m->vcpus > 1 ? ",thread=single" : "");
}

static void add_machine(struct zl_arguments *args, const struct zl_vm_machine *m)
{
  bool kvm = m->accel == ZL_VM_KVM;

  /* Without ACPI QEMU takes qboot, which is a fifth of a second faster, and puts the devices on the
   * kernel's command line. */
  zl__option(args, "-M", "microvm,acpi=%s,rtc=on,memory-backend=mem", m->acpi ? "on" : "off");
  if (kvm)
    zl__option(args, "-accel", "kvm");
  else
    add_tcg(args, m);
  /* With "erms" the kernel clears and copies pages by `rep stosb` and `rep movsb`, which are
   * emulated byte by byte. */
  zl__option(args, "-cpu", "%s", kvm ? "host" : "max,-erms");
  zl__option(args, "-smp", "%u", m->vcpus);
  zl__option(args, "-m", "%uM", m->memory_mib);
}

/* Opened anew by QEMU, for which it needs the right to write also where it copies. */
static void add_memory(struct zl_arguments *args, const struct zl_vm_machine *m)
{
  if (m->start == ZL_VM_BOOT)
    zl__option(args, "-object", "memory-backend-ram,id=mem,size=%uM", m->memory_mib);
  else
    zl__option(
        args, "-object", "memory-backend-file,id=mem,size=%uM,mem-path=/proc/self/fd/%d,share=%s",
        m->memory_mib, zl__inherit(args, m->memory_fd), m->start == ZL_VM_TEMPLATE ? "on" : "off");
}

static void add_start(struct zl_arguments *args, const struct zl_vm_machine *m)
{
  zl_autofree char *append = NULL;

  if (m->start == ZL_VM_CLONE) {
    zl__option(args, "-incoming", "defer");
    zl__argument(args, "-S");
    return;
  }
  append = zl_vm_kernel_arguments(m);
  if (append == NULL && args->r == 0)
    args->r = zl_fail_nomem(args->err, "the kernel's command line");
  zl__option(args, "-kernel", "/proc/self/fd/%d", zl__inherit(args, m->kernel_fd));
  zl__option(args, "-initrd", "/proc/self/fd/%d", zl__inherit(args, m->initrd_fd));
  zl__option(args, "-append", "%s", append != NULL ? append : "");
}

static void add_all(struct zl_arguments *args, const struct zl_vm_machine *machine)
{
  zl__argument(args, "qemu-system-x86_64");
  zl__option(args, "-name", "zlayer");
  zl__argument(args, "-nodefaults");
  zl__argument(args, "-no-user-config");
  zl__option(args, "-display", "none");
  zl__argument(args, "-no-reboot"); /* a guest that has panicked ends */
  zl__option(args, "-sandbox", SANDBOX);
  add_machine(args, machine);
  add_memory(args, machine);
  add_start(args, machine);
  zl__add_devices(args, machine);
}

int zl_vm_command_build(const struct zl_vm_machine *machine, struct zl_vm_command *ret,
                        struct zl_error *err)
{
  struct zl_arguments args = { .err = err };
  struct zl_proc_fd *fds;
  int r = check(machine, err);

  if (r < 0)
    return r;
  add_all(&args, machine);
  fds = args.r == 0 ? calloc(args.n_fds, sizeof(*fds)) : NULL;
  if (fds == NULL) {
    zl_strv_free(args.argv);
    return args.r < 0 ? args.r : zl_fail_nomem(err, "QEMU's command line");
  }
  memcpy(fds, args.fds, args.n_fds * sizeof(*fds));
  *ret = (struct zl_vm_command){ .argv = args.argv, .fds = fds, .n_fds = args.n_fds };
  return 0;
}

void zl_vm_command_done(struct zl_vm_command *command)
{
  zl_strv_free(command->argv);
  free(command->fds);
  *command = (struct zl_vm_command){ .argv = NULL };
}
