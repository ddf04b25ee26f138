/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/keyring.h"

#include <fcntl.h>
#include <linux/keyctl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"

enum {
  DESCRIPTION_MAX = 512
};

/* The words of linux/key.h, which is not for programs: search for the owner and for all others. */
#define KEY_USR_SEARCH 0x00080000u
#define KEY_OTH_SEARCH 0x00000008u

/* "keyring;0;0;3f030000;_ses.web" */
static int read_permissions(long ring, uint32_t *ret, struct zl_error *err)
{
  char text[DESCRIPTION_MAX], *at = text;
  long n = syscall(SYS_keyctl, KEYCTL_DESCRIBE, ring, text, sizeof(text));

  if (n < 0)
    return zl_fail_errno(err, "describing the session keyring");
  text[(size_t)n < sizeof(text) ? (size_t)n : sizeof(text) - 1] = '\0';
  for (int field = 0; field < 3 && at != NULL; field++) {
    at = strchr(at, ';');
    at = at != NULL ? at + 1 : NULL;
  }
  if (at == NULL)
    return zl_fail(err, ZL_E_SYSTEM, 0, "odd description of the session keyring: '%s'", text);
  *ret = (uint32_t)strtoul(at, NULL, 16);
  return 0;
}

/* What the process itself would label it is for the runtime, and closed to the container. */
static int join_labelled(const char *name, const char *label, long *ret, struct zl_error *err)
{
  static const char attribute[] = "/proc/self/attr/keycreate";
  int r = label != NULL ? zl_file_poke(AT_FDCWD, attribute, label, err) : 0;

  if (r < 0)
    return zl_wrap(err, "label of the session keyring");
  *ret = syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, name);
  if (*ret < 0 && errno != ENOSYS)
    return zl_fail_errno(err, "session keyring '%s'", name);
  return label != NULL ? zl_file_poke(AT_FDCWD, attribute, "\n", err) : 0;
}

int zl_keyring_join(const char *name, bool in_userns, const char *label, struct zl_error *err)
{
  uint32_t permissions = 0;
  long ring = -1;
  int r = join_labelled(name, label, &ring, err);

  if (r < 0 || ring < 0)
    return r;
  r = read_permissions(ring, &permissions, err);
  if (r < 0)
    return r;
  /* Who joins later, an exec, has to find it by name. */
  permissions |= in_userns ? KEY_OTH_SEARCH : KEY_USR_SEARCH;
  if (syscall(SYS_keyctl, KEYCTL_SETPERM, ring, permissions) < 0)
    return zl_fail_errno(err, "permissions of the session keyring '%s'", name);
  return 0;
}
