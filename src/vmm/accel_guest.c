/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/accel_guest.h"

#include <errno.h>
#include <linux/kvm.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/time.h"

/* The guest's memory: one page of 2 MiB, mapped to itself. */
enum {
  PML4 = 0x1000,
  PDPT = 0x2000,
  PD = 0x3000,
  GDT = 0x4000,
  IDT = 0x5000,
  DATA = 0x6000, /* a page of zeroes, for the instructions under test */
  STACK = 0x8000,
  CODE = 0x8000,
  MEMORY = 2 << 20
};

enum {
  LOOPS = 20000, /* an interpreter takes 40 ms for them, a processor 10 us */
  LOOP_INSTRUCTIONS = 2,
  MAX_CPUID = 256, /* entries; KVM itself stops at 256 */
  MAX_EXITS = 64,  /* of one run of the guest */
  VECTOR_INT3 = 3,
  GATE = 16, /* bytes of an interrupt gate */
  SELECTOR_CODE = 8,
  SELECTOR_DATA = 16,
  TSS_ADDRESS = 0xfffbd000 /* any three free pages, which old Intel processors need */
};

#define PORT "0x10" /* an OUT to it ends a step */

/* A guest never runs as part of this program: it is data. */
extern const uint8_t zl__guest_code[];
extern const struct {
  uint32_t loop, tour, int3, size; /* offsets in the code */
} zl__guest_at;

__asm__(".pushsection .rodata\n"
        "zl__guest_code:\n"
        "  outb %al, $" PORT "\n"
        "  movl $20000, %ecx\n"
        "1: decl %ecx\n"
        "  jnz 1b\n"
        "  outb %al, $" PORT "\n"
        "  hlt\n"
        "2:\n"
        "  movl $0x6000, %esi\n"
        "  xorl %eax, %eax\n"
        "  xorl %edx, %edx\n"
        "  lock cmpxchg16b (%rsi)\n"
        "  movl $1, %eax\n" /* only the x87 state: all processors have it */
        "  xorl %edx, %edx\n"
        "  xrstor (%rsi)\n"
        "  int3\n"
        "  outb %al, $" PORT "\n"
        "  hlt\n"
        "3:\n"
        "  iretq\n"
        "4:\n"
        ".balign 4\n"
        "zl__guest_at: .long 0, 2b - zl__guest_code, 3b - zl__guest_code, 4b - zl__guest_code\n"
        ".popsection\n");

_Static_assert(LOOPS == 20000 && DATA == 0x6000, "the code above has these numbers");

/* ---- making ---- */

static bool copy_cpuid(int kvm_fd, int vcpu_fd)
{
  zl_autofree struct kvm_cpuid2 *cpuid =
      calloc(1, sizeof(*cpuid) + MAX_CPUID * sizeof(struct kvm_cpuid_entry2));

  if (cpuid == NULL)
    return false;
  cpuid->nent = MAX_CPUID;
  return ioctl(kvm_fd, KVM_GET_SUPPORTED_CPUID, cpuid) == 0 &&
         ioctl(vcpu_fd, KVM_SET_CPUID2, cpuid) == 0;
}

static void put64(struct zl_guest *guest, size_t at, uint64_t value)
{
  memcpy(guest->memory + at, &value, sizeof(value));
}

static void fill_memory(struct zl_guest *guest)
{
  uint64_t handler = CODE + zl__guest_at.int3;

  put64(guest, PML4, PDPT | 3); /* present, writable */
  put64(guest, PDPT, PD | 3);
  put64(guest, PD, 0x83); /* a large page */
  put64(guest, GDT + SELECTOR_CODE, UINT64_C(0x00af9b000000ffff));
  put64(guest, GDT + SELECTOR_DATA, UINT64_C(0x00cf93000000ffff));
  /* All of the handler's address is in the first 16 bits. */
  put64(guest, IDT + VECTOR_INT3 * GATE,
        handler | (uint64_t)SELECTOR_CODE << 16 | UINT64_C(0x8e00) << 32);
  memcpy(guest->memory + CODE, zl__guest_code, zl__guest_at.size);
}

static bool give_memory(struct zl_guest *guest)
{
  struct kvm_userspace_memory_region region = { .memory_size = MEMORY };

  guest->memory = mmap(NULL, MEMORY, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (guest->memory == MAP_FAILED)
    return false;
  fill_memory(guest);
  region.userspace_addr = (uint64_t)(uintptr_t)guest->memory;
  return ioctl(guest->vm_fd, KVM_SET_USER_MEMORY_REGION, &region) == 0;
}

bool zl__guest_make(struct zl_guest *guest, int kvm_fd)
{
  int size = ioctl(kvm_fd, KVM_GET_VCPU_MMAP_SIZE, 0);

  if (size <= 0 || ioctl(kvm_fd, KVM_GET_API_VERSION, 0) != KVM_API_VERSION)
    return false;
  guest->vm_fd = ioctl(kvm_fd, KVM_CREATE_VM, 0);
  if (guest->vm_fd < 0)
    return false;
  (void)ioctl(guest->vm_fd, KVM_SET_TSS_ADDR, (unsigned long)TSS_ADDRESS);
  if (!give_memory(guest))
    return false;
  guest->vcpu_fd = ioctl(guest->vm_fd, KVM_CREATE_VCPU, 0);
  if (guest->vcpu_fd < 0 || !copy_cpuid(kvm_fd, guest->vcpu_fd))
    return false;
  guest->run = mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE, MAP_SHARED, guest->vcpu_fd, 0);
  return guest->run != MAP_FAILED;
}

/* ---- running ---- */

static struct kvm_segment segment(uint16_t selector, uint8_t type, bool is_code)
{
  return (struct kvm_segment){ .limit = 0xffffffff,
                               .selector = selector,
                               .type = type,
                               .present = 1,
                               .s = 1,
                               .l = is_code,
                               .db = !is_code,
                               .g = 1 };
}

/* Long mode, as a kernel has it once it runs. */
static bool enter(struct zl_guest *guest, uint32_t at)
{
  struct kvm_regs regs = { .rip = CODE + at, .rsp = STACK, .rflags = 2 };
  struct kvm_sregs sregs;

  if (ioctl(guest->vcpu_fd, KVM_GET_SREGS, &sregs) < 0)
    return false;
  sregs.cr0 = 0x80050033; /* PG, AM, WP, NE, ET, MP, PE */
  sregs.cr3 = PML4;
  sregs.cr4 = 0x40620; /* OSXSAVE, OSXMMEXCPT, OSFXSR, PAE */
  sregs.efer = 0x500;  /* LMA, LME */
  sregs.cs = segment(SELECTOR_CODE, 11, true);
  sregs.ds = sregs.es = sregs.fs = sregs.gs = sregs.ss = segment(SELECTOR_DATA, 3, false);
  sregs.gdt = (struct kvm_dtable){ .base = GDT, .limit = 3 * 8 - 1 };
  sregs.idt = (struct kvm_dtable){ .base = IDT, .limit = (VECTOR_INT3 + 1) * GATE - 1 };
  return ioctl(guest->vcpu_fd, KVM_SET_SREGS, &sregs) == 0 &&
         ioctl(guest->vcpu_fd, KVM_SET_REGS, &regs) == 0;
}

/* Until the guest's next OUT. */
static bool step(struct zl_guest *guest)
{
  for (int i = 0; i < MAX_EXITS; i++) {
    if (ioctl(guest->vcpu_fd, KVM_RUN, 0) == 0)
      return guest->run->exit_reason == KVM_EXIT_IO;
    if (errno != EINTR && errno != EAGAIN)
      return false;
  }
  return false;
}

static uint64_t now(void)
{
  struct timespec time = { 0 };

  (void)clock_gettime(CLOCK_MONOTONIC, &time);
  return (uint64_t)time.tv_sec * ZL_NS_PER_S + (uint64_t)time.tv_nsec;
}

bool zl__guest_loop(struct zl_guest *guest, uint64_t *ret_mips)
{
  uint64_t from, ns;

  /* The first step touches the memory, so that the second is nothing but the loop. */
  if (!enter(guest, zl__guest_at.loop) || !step(guest))
    return false;
  from = now();
  if (!step(guest))
    return false;
  ns = now() - from;
  /* Rounded: an interpreter has one, not none. */
  *ret_mips = ((uint64_t)LOOPS * LOOP_INSTRUCTIONS * 1000 + ns / 2) / (ns + 1);
  return true;
}

bool zl__guest_tour(struct zl_guest *guest)
{
  return enter(guest, zl__guest_at.tour) && step(guest);
}
