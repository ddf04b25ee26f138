/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/sysctl.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/limits.h"
#include "base/path.h"
#include "base/strv.h"

enum {
  SYS_PATH = ZL_MAX_SYSCTL_TEXT + 8 /* "sys/" and the key */
};

/* Everything else is one setting for the whole host. */
static const struct {
  const char *key; /* with "/" at its end: all below */
  int ns;
} namespaced[] = {
  { "net/", CLONE_NEWNET },
  { "fs/mqueue/", CLONE_NEWIPC },
  { "kernel/auto_msgmni", CLONE_NEWIPC },
  { "kernel/msgmax", CLONE_NEWIPC },
  { "kernel/msgmnb", CLONE_NEWIPC },
  { "kernel/msgmni", CLONE_NEWIPC },
  { "kernel/sem", CLONE_NEWIPC },
  { "kernel/shmall", CLONE_NEWIPC },
  { "kernel/shmmax", CLONE_NEWIPC },
  { "kernel/shmmni", CLONE_NEWIPC },
  { "kernel/shm_rmid_forced", CLONE_NEWIPC },
  { "kernel/domainname", CLONE_NEWUTS },
  { "user/", CLONE_NEWUSER },
};

/* No empty part, "." or "..": nothing that could lead elsewhere. */
static bool is_plain(const char *path)
{
  for (const char *part = path;;) {
    const size_t n = strcspn(part, "/");

    if (n == 0 || (n == 1 && part[0] == '.') || (n == 2 && memcmp(part, "..", 2) == 0))
      return false;
    if (part[n] == '\0')
      return true;
    part += n + 1;
  }
}

/* The path below /proc/sys: whichever of "." and "/" comes first separates, and the other one is
 * part of a name (an interface called "eth0.5"), as in sysctl(8). */
static bool to_path(const char *key, char path[SYS_PATH])
{
  const size_t len = strlen(key), first = strcspn(key, "./");
  const bool dots = key[first] == '.';

  if (len == 0 || len > ZL_MAX_SYSCTL_TEXT)
    return false;
  for (size_t i = 0; i <= len; i++) {
    char c = key[i];

    if (dots && (c == '.' || c == '/'))
      c = c == '.' ? '/' : '.';
    path[i] = c;
  }
  return is_plain(path) &&
         strspn(path, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.:@/") ==
             len;
}

static bool belongs(const char *path, int namespaces)
{
  for (size_t i = 0; i < ZL_COUNT(namespaced); i++) {
    const char *key = namespaced[i].key;
    const bool all_below = key[strlen(key) - 1] == '/';

    if (all_below ? zl_has_prefix(path, key) : strcmp(path, key) == 0)
      return (namespaces & namespaced[i].ns) != 0;
  }
  return false;
}

static bool is_one_line(const char *value)
{
  size_t len = 0;

  for (; value[len] != '\0'; len++)
    if ((value[len] < ' ' && value[len] != '\t') || value[len] > '~')
      return false;
  return len > 0 && len <= ZL_MAX_SYSCTL_TEXT;
}

static int check_one(const struct zl_sysctl *s, int namespaces, char path[SYS_PATH],
                     struct zl_error *err)
{
  if (!to_path(s->key, path))
    return zl_fail(err, ZL_E_INVALID, 0,
                   "'%.100s' contains an invalid path: not the name of a kernel setting", s->key);
  if (!belongs(path, namespaces))
    return zl_fail(err, ZL_E_INVALID, 0,
                   "'%.100s': not a setting of a namespace that the container has for itself",
                   s->key);
  if (!is_one_line(s->value))
    return zl_fail(err, ZL_E_INVALID, 0,
                   "'%.100s': the value must be one line of at most %d printable characters",
                   s->key, ZL_MAX_SYSCTL_TEXT);
  return 0;
}

int zl_sysctl_check(const struct zl_sysctl *settings, size_t n, int namespaces,
                    struct zl_error *err)
{
  char path[SYS_PATH];
  int r = 0;

  for (size_t i = 0; r == 0 && i < n; i++)
    r = check_one(&settings[i], namespaces, path, err);
  return r;
}

static int write_one(int proc_fd, const char *path, const struct zl_sysctl *s, struct zl_error *err)
{
  char full[SYS_PATH + 4];
  const size_t len = strlen(s->value);
  zl_autofd fd = -1;

  (void)snprintf(full, sizeof(full), "sys/%s", path);
  fd = zl_path_open_beneath(proc_fd, full, O_WRONLY, 0);
  if (fd < 0) {
    const int os_error = -fd;

    fd = -1;
    return zl_fail(err, ZL_E_SYSTEM, os_error, "sysctl '%.100s'", s->key);
  }
  /* One write: the kernel takes each write as a whole value. */
  if (write(fd, s->value, len) != (ssize_t)len)
    return zl_fail_errno(err, "sysctl '%.100s' = '%.60s'", s->key, s->value);
  return 0;
}

int zl_sysctl_apply(int proc_fd, const struct zl_sysctl *settings, size_t n, int namespaces,
                    struct zl_error *err)
{
  char path[SYS_PATH];
  int r = zl_sysctl_check(settings, n, namespaces, err);

  for (size_t i = 0; r == 0 && i < n; i++) {
    r = check_one(&settings[i], namespaces, path, err);
    if (r == 0)
      r = write_one(proc_fd, path, &settings[i], err);
  }
  return r;
}
