/* SPDX-License-Identifier: Apache-2.0
 *
 * Clones of one machine have one memory; before anything of a container runs each gets what must be
 * its own: name, time, random numbers, machine-id. The boot id needs no care: the kernel makes it
 * up when it is read first, which nothing before the container does.
 */
#include <fcntl.h>
#include <linux/random.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "base/base64.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/time.h"
#include "guest/settings.h"

enum {
  MIN_ENTROPY = 32, /* bytes: the key of the kernel's generator */
  MAX_ENTROPY = 512,
  MACHINE_ID = 32, /* hexadecimal digits */
  BITS = 8
};

static int set_hostname(const char *name, struct zl_error *err)
{
  size_t len = name != NULL ? strlen(name) : 0;

  if (name == NULL)
    return 0;
  if (len == 0 || len > ZL_MAX_HOSTNAME)
    return zl_fail(err, ZL_E_INVALID, 0, "Settings.Hostname: not 1 to %d characters",
                   ZL_MAX_HOSTNAME);
  return sethostname(name, len) < 0 ? zl_fail_errno(err, "setting the host name") : 0;
}

static int set_clock(int64_t wall_ns, struct zl_error *err)
{
  const struct timespec time = { .tv_sec = (time_t)(wall_ns / (int64_t)ZL_NS_PER_S),
                                 .tv_nsec = (long)(wall_ns % (int64_t)ZL_NS_PER_S) };

  if (wall_ns == 0)
    return 0;
  return clock_settime(CLOCK_REALTIME, &time) < 0 ? zl_fail_errno(err, "setting the clock") : 0;
}

/* Crediting alone would take effect at the generator's next reseeding, up to minutes later. */
static int reseed(const void *data, size_t len, struct zl_error *err)
{
  union {
    struct rand_pool_info info;
    char bytes[sizeof(struct rand_pool_info) + MAX_ENTROPY];
  } pool = { .bytes = "" };
  zl_autofd fd = zl_fd_open(AT_FDCWD, "/dev/urandom", O_WRONLY, 0);

  if (fd < 0)
    return zl_fail(err, ZL_E_SYSTEM, -fd, "/dev/urandom");
  pool.info.entropy_count = (int)(len * BITS);
  pool.info.buf_size = (int)len;
  memcpy(pool.bytes + offsetof(struct rand_pool_info, buf), data, len);
  if (ioctl(fd, RNDADDENTROPY, &pool) < 0 || ioctl(fd, RNDRESEEDCRNG, 0) < 0)
    return zl_fail_errno(err, "seeding the random number generator");
  explicit_bzero(&pool, sizeof(pool));
  return 0;
}

static int add_entropy(const char *text, struct zl_error *err)
{
  zl_autofree char *data = NULL;
  size_t len = 0;

  if (text == NULL)
    return 0;
  data = zl_base64_decode(text, &len);
  if (data == NULL || len < MIN_ENTROPY || len > MAX_ENTROPY)
    return zl_fail(err, ZL_E_INVALID, 0, "Settings.Entropy: not base64 of %d to %d bytes",
                   MIN_ENTROPY, MAX_ENTROPY);
  return reseed(data, len, err);
}

static int set_machine_id(const char *id, struct zl_error *err)
{
  char line[MACHINE_ID + 1];
  zl_autofd fd = -1;
  int r;

  if (id == NULL)
    return 0;
  if (strlen(id) != MACHINE_ID || strspn(id, "0123456789abcdef") != MACHINE_ID)
    return zl_fail(err, ZL_E_INVALID, 0, "Settings.MachineId: not %d hexadecimal digits",
                   MACHINE_ID);
  fd = zl_fd_open(AT_FDCWD, "/etc/machine-id", O_WRONLY | O_CREAT | O_TRUNC, 0444);
  if (fd < 0)
    return zl_fail(err, ZL_E_SYSTEM, -fd, "/etc/machine-id");
  memcpy(line, id, MACHINE_ID);
  line[MACHINE_ID] = '\n';
  r = zl_fd_write_full(fd, line, sizeof(line));
  return r < 0 ? zl_fail(err, ZL_E_SYSTEM, -r, "writing /etc/machine-id") : 0;
}

int settings_identity(const json_t *settings, struct zl_error *err)
{
  const char *name = NULL, *entropy = NULL, *machine_id = NULL;
  int64_t wall_ns = 0;
  int r = zl_json_get_string(settings, "Settings", "Hostname", &name, err);

  if (r == 0)
    r = zl_json_get_string(settings, "Settings", "Entropy", &entropy, err);
  if (r == 0)
    r = zl_json_get_string(settings, "Settings", "MachineId", &machine_id, err);
  if (r == 0)
    r = zl_json_get_int(settings, "Settings", "WallClockNs", 1, INT64_MAX, 0, &wall_ns, err);
  if (r == 0)
    r = add_entropy(entropy, err);
  if (r == 0)
    r = set_clock(wall_ns, err);
  if (r == 0)
    r = set_hostname(name, err);
  return r == 0 ? set_machine_id(machine_id, err) : r;
}
