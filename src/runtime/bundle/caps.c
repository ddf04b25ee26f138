/* SPDX-License-Identifier: Apache-2.0 */
#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/cleanup.h"
#include "engine/caps.h"
#include "runtime/bundle/bundle.h"

enum {
  CAP_NAME = 32
};

/* What programs in containers commonly need; Docker's set. */
static const char *const default_caps[] = {
  "CAP_CHOWN",   "CAP_DAC_OVERRIDE", "CAP_FSETID",     "CAP_FOWNER",           "CAP_MKNOD",
  "CAP_NET_RAW", "CAP_SETGID",       "CAP_SETUID",     "CAP_SETFCAP",          "CAP_SETPCAP",
  "CAP_KILL",    "CAP_AUDIT_WRITE",  "CAP_SYS_CHROOT", "CAP_NET_BIND_SERVICE",
};

static uint64_t all_caps(void)
{
  uint64_t all = 0;

  for (unsigned i = 0; i < 64; i++)
    if (zl_cap_name(i) != NULL)
      all |= UINT64_C(1) << i;
  return all;
}

/* "net_admin" or "CAP_NET_ADMIN" as a mask. */
static int parse_cap(const struct zl_service *service, const char *field, const char *text,
                     uint64_t *ret, struct zl_error *err)
{
  char name[CAP_NAME];
  int number;

  (void)snprintf(name, sizeof(name), "CAP_%s", strncasecmp(text, "CAP_", 4) == 0 ? text + 4 : text);
  for (char *p = name; *p != '\0'; p++)
    *p = (char)toupper((unsigned char)*p);
  number = zl_cap_parse(name);
  if (number < 0)
    return zl_fail(err, ZL_E_INVALID, 0, "services.%s.%s: '%.40s' is not a capability",
                   service->name, field, text);
  *ret = UINT64_C(1) << number;
  return 0;
}

static bool has_all(char *const *names)
{
  for (size_t i = 0; names != NULL && names[i] != NULL; i++)
    if (strcasecmp(names[i], "all") == 0)
      return true;
  return false;
}

/* The union of the names, without ALL. */
static int parse_caps(const struct zl_service *service, const char *field, char *const *names,
                      uint64_t *ret, struct zl_error *err)
{
  uint64_t set = 0, mask = 0;
  int r = 0;

  for (size_t i = 0; r == 0 && names != NULL && names[i] != NULL; i++) {
    if (strcasecmp(names[i], "all") == 0)
      continue;
    r = parse_cap(service, field, names[i], &mask, err);
    set |= mask;
  }
  *ret = set;
  return r;
}

/* "drop ALL, add X" is X alone and "add ALL, drop X" all but X, whatever the order in the file. */
int zl_bundle_capabilities(const struct zl_service *service, uint64_t *ret, struct zl_error *err)
{
  uint64_t set = 0, added = 0, dropped = 0;
  int r = parse_caps(service, "capabilities", service->capabilities, &added, err);

  if (r == 0)
    r = parse_caps(service, "cap_drop", service->cap_drop, &dropped, err);
  if (r < 0)
    return r;
  for (size_t i = 0; i < ZL_COUNT(default_caps); i++)
    set |= UINT64_C(1) << zl_cap_parse(default_caps[i]);
  if (has_all(service->capabilities))
    set = all_caps();
  set = has_all(service->cap_drop) ? 0 : set & ~dropped;
  *ret = service->privileged ? all_caps() : set | added;
  return 0;
}
