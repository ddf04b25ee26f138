/* SPDX-License-Identifier: Apache-2.0
 *
 * libFuzzer's mutations of a tar archive, with the checksums of its headers put right: without that
 * they would stop nearly all mutations at the door. For one target each.
 */
#ifndef ZL_FUZZ_TAR_MUTATOR_H
#define ZL_FUZZ_TAR_MUTATOR_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

enum {
  BLOCK = 512
};

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size) __attribute__((weak));
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed);

static void tar_seal(uint8_t *block)
{
  char text[8];
  unsigned sum = 0;

  memset(block + 148, ' ', 8);
  for (size_t i = 0; i < BLOCK; i++)
    sum += block[i];
  (void)snprintf(text, sizeof(text), "%06o", sum);
  memcpy(block + 148, text, 7);
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
  size = LLVMFuzzerMutate(data, size, max_size);
  if (seed % 8 == 0)
    return size;
  for (size_t at = 0; at + BLOCK <= size; at += BLOCK)
    if (memcmp(data + at + 257, "ustar", 5) == 0)
      tar_seal(data + at);
  return size;
}

#endif
