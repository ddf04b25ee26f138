/* SPDX-License-Identifier: Apache-2.0 */
#include "net/slice.h"

#include <stdio.h>
#include <string.h>

#include "base/ip4.h"
#include "base/strv.h"

enum {
  MIN_PREFIX = 8,
  MAX_PREFIX = 30 /* one container: network, gateway, container, broadcast */
};

/* Networks that a host never routes as ordinary unicast. */
static bool is_special(uint32_t network)
{
  return network >> 24 == 0 || network >> 24 == 127 || network >> 16 == 0xa9fe ||
         network >> 28 >= 0xe;
}

static bool split(const char *text, uint32_t *ret_address, uint64_t *ret_prefix)
{
  const char *slash = strchr(text, '/');
  char address[ZL_IP4_TEXT];

  if (slash == NULL || (size_t)(slash - text) >= sizeof(address))
    return false;
  memcpy(address, text, (size_t)(slash - text));
  address[slash - text] = '\0';
  return zl_ip4_parse(address, ret_address) && zl_parse_u64(slash + 1, 32, ret_prefix);
}

int zl_slice_parse(const char *text, struct zl_slice *ret, struct zl_error *err)
{
  struct zl_slice slice;
  char proposal[ZL_SLICE_TEXT];
  uint32_t address = 0;
  uint64_t prefix = 0;

  if (!split(text, &address, &prefix))
    return zl_fail(err, ZL_E_INVALID, 0,
                   "slice '%.64s' is not an IPv4 network such as 10.200.0.0/28", text);
  if (prefix < MIN_PREFIX || prefix > MAX_PREFIX)
    return zl_fail(err, ZL_E_INVALID, 0, "slice '%s': the prefix must be /%d to /%d", text,
                   MIN_PREFIX, MAX_PREFIX);
  slice.prefix = (unsigned)prefix;
  slice.network = address & zl_ip4_mask(slice.prefix);
  if (slice.network != address)
    return zl_fail(err, ZL_E_INVALID, 0, "slice '%s' is an address within a network: use %s", text,
                   zl_slice_format(&slice, proposal));
  if (is_special(slice.network))
    return zl_fail(err, ZL_E_INVALID, 0,
                   "slice '%s' is reserved and cannot be routed: use a private network", text);
  *ret = slice;
  return 0;
}

const char *zl_slice_format(const struct zl_slice *slice, char text[ZL_SLICE_TEXT])
{
  char address[ZL_IP4_TEXT];

  (void)snprintf(text, ZL_SLICE_TEXT, "%s/%u", zl_ip4_format(slice->network, address),
                 slice->prefix);
  return text;
}

uint32_t zl_slice_gateway(const struct zl_slice *slice)
{
  return slice->network + 1;
}

uint32_t zl_slice_first(const struct zl_slice *slice)
{
  return slice->network + 2;
}

uint32_t zl_slice_last(const struct zl_slice *slice)
{
  return (slice->network | ~zl_ip4_mask(slice->prefix)) - 1;
}

uint32_t zl_slice_capacity(const struct zl_slice *slice)
{
  return zl_slice_last(slice) - zl_slice_first(slice) + 1;
}

bool zl_slice_has(const struct zl_slice *slice, uint32_t address)
{
  return address >= zl_slice_first(slice) && address <= zl_slice_last(slice);
}

bool zl_slice_overlaps(const struct zl_slice *slice, uint32_t address, unsigned prefix)
{
  unsigned shorter = prefix < slice->prefix ? prefix : slice->prefix;

  return ((address ^ slice->network) & zl_ip4_mask(shorter)) == 0;
}

bool zl_slice_next_free(uint32_t *candidate, uint32_t taken)
{
  if (taken > *candidate)
    return true;
  if (taken == *candidate)
    ++*candidate;
  return false;
}

uint32_t zl_slice_lowest_free(const struct zl_slice *slice, const uint32_t *taken, size_t count)
{
  uint32_t candidate = zl_slice_first(slice);

  for (size_t i = 0; i < count; i++)
    if (zl_slice_next_free(&candidate, taken[i]))
      break;
  return zl_slice_has(slice, candidate) ? candidate : 0;
}
