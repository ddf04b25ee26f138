/* SPDX-License-Identifier: Apache-2.0
 *
 * Helps the fuzzers of the bridge: after a mutation nearly every frame would have a wrong size, at
 * which its reader stops.
 */
#ifndef ZL_FUZZ_FRAMES_H
#define ZL_FUZZ_FRAMES_H

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#include "bridge/frame.h"

/* Long backtraces of allocations and memory filled with patterns cost more than the code under
 * test. With less than two frames no leak is found. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
  return "malloc_context_size=2:quarantine_size_mb=1:max_malloc_fill_size=0";
}

static inline void require(bool condition)
{
  if (!condition)
    abort();
}

/* Gives each frame from `at` on the size that lets the next one begin where one seems to. */
static inline void seal_frames(uint8_t *data, size_t size, size_t at,
                               bool (*is_start)(const uint8_t *header))
{
  while (at + ZL_FRAME_HEADER <= size) {
    size_t end = at + ZL_FRAME_HEADER;

    while (end + ZL_FRAME_HEADER <= size && !is_start(data + end))
      end++;
    if (end + ZL_FRAME_HEADER > size)
      end = size;
    for (int i = 0; i < 4; i++)
      data[at + 4 + (size_t)i] = (uint8_t)((end - at) >> (8 * i));
    at = end;
  }
}

#endif
