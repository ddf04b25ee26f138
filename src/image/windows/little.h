/* SPDX-License-Identifier: Apache-2.0
 *
 * Numbers as Windows writes them: little-endian, on whatever machine.
 */
#ifndef ZL_IMAGE_WINDOWS_LITTLE_H
#define ZL_IMAGE_WINDOWS_LITTLE_H

#include <stddef.h>
#include <stdint.h>

static inline void zl_little_put(uint8_t *to, uint64_t value, size_t bytes)
{
  for (size_t i = 0; i < bytes; i++)
    to[i] = (uint8_t)(value >> (8 * i));
}

static inline uint32_t zl_little_get32(const uint8_t *p)
{
  return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static inline uint32_t zl_little_get16(const uint8_t *p)
{
  return (uint32_t)p[0] | (uint32_t)p[1] << 8;
}

#endif
