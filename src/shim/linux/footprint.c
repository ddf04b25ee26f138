/* SPDX-License-Identifier: Apache-2.0 */
#include "shim/footprint.h"

#include <elf.h>
#include <link.h>
#include <malloc.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

extern const ElfW(Ehdr) __ehdr_start; /* by the linker: where this program is loaded */

/* Only what was never writable: relocated data is ours, not the file's. */
static void drop(const ElfW(Phdr) * segment, uintptr_t page)
{
  uintptr_t base = (uintptr_t)&__ehdr_start;
  uintptr_t start = (base + segment->p_vaddr) & ~(page - 1);
  uintptr_t end = (base + segment->p_vaddr + segment->p_memsz) & ~(page - 1);

  if (end > start)
    (void)madvise((void *)start, end - start, MADV_DONTNEED);
}

void footprint_shrink(void)
{
  const ElfW(Ehdr) *header = &__ehdr_start;
  const ElfW(Phdr) *segments =
      (const ElfW(Phdr) *)(const void *)((const char *)header + header->e_phoff);
  uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);

  (void)malloc_trim(0);
  for (size_t i = 0; header->e_type == ET_DYN && i < header->e_phnum; i++)
    if (segments[i].p_type == PT_LOAD && !(segments[i].p_flags & PF_W))
      drop(&segments[i], page);
}
