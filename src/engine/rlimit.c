/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/rlimit.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "base/cleanup.h"

static const struct {
  char name[20];
  int resource;
} limits_known[] = {
  { "RLIMIT_AS", RLIMIT_AS },
  { "RLIMIT_CORE", RLIMIT_CORE },
  { "RLIMIT_CPU", RLIMIT_CPU },
  { "RLIMIT_DATA", RLIMIT_DATA },
  { "RLIMIT_FSIZE", RLIMIT_FSIZE },
  { "RLIMIT_LOCKS", RLIMIT_LOCKS },
  { "RLIMIT_MEMLOCK", RLIMIT_MEMLOCK },
  { "RLIMIT_MSGQUEUE", RLIMIT_MSGQUEUE },
  { "RLIMIT_NICE", RLIMIT_NICE },
  { "RLIMIT_NOFILE", RLIMIT_NOFILE },
  { "RLIMIT_NPROC", RLIMIT_NPROC },
  { "RLIMIT_RSS", RLIMIT_RSS },
  { "RLIMIT_RTPRIO", RLIMIT_RTPRIO },
  { "RLIMIT_RTTIME", RLIMIT_RTTIME },
  { "RLIMIT_SIGPENDING", RLIMIT_SIGPENDING },
  { "RLIMIT_STACK", RLIMIT_STACK },
};

int zl_rlimit_parse(const char *name)
{
  for (size_t i = 0; i < ZL_COUNT(limits_known); i++)
    if (strcmp(limits_known[i].name, name) == 0)
      return limits_known[i].resource;
  return -1;
}

const char *zl_rlimit_name(int resource)
{
  for (size_t i = 0; i < ZL_COUNT(limits_known); i++)
    if (limits_known[i].resource == resource)
      return limits_known[i].name;
  return NULL;
}

/* EPERM means one thing here: without CAP_SYS_RESOURCE the present hard limit is the roof. */
static int explain(pid_t pid, const struct zl_rlimit *limit, struct zl_error *err)
{
  const int os_error = errno;
  const char *name = zl_rlimit_name(limit->resource);
  struct rlimit now;

  if (os_error == EPERM && prlimit(pid, (__rlimit_resource_t)limit->resource, NULL, &now) == 0)
    return zl_fail(err, ZL_E_PERMISSION, os_error,
                   "%s: hard limit %llu is above %llu, the highest possible without "
                   "CAP_SYS_RESOURCE",
                   name, (unsigned long long)limit->hard, (unsigned long long)now.rlim_max);
  return zl_fail(err, ZL_E_SYSTEM, os_error, "%s: setting it to %llu:%llu", name,
                 (unsigned long long)limit->soft, (unsigned long long)limit->hard);
}

int zl_rlimits_apply(pid_t pid, const struct zl_rlimit *limits, size_t n, struct zl_error *err)
{
  for (size_t i = 0; i < n; i++) {
    const struct rlimit value = { .rlim_cur = limits[i].soft, .rlim_max = limits[i].hard };

    if (zl_rlimit_name(limits[i].resource) == NULL)
      return zl_fail(err, ZL_E_INVALID, 0, "resource limit %d is not known", limits[i].resource);
    if (prlimit(pid, (__rlimit_resource_t)limits[i].resource, &value, NULL) < 0)
      return explain(pid, &limits[i], err);
  }
  return 0;
}
