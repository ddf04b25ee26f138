/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/hcs/isolation.h"

/* Why `auto` wants a machine, for a message. */
static const char *reason(const struct zl_hcs_isolation *facts)
{
  if (facts->asked == ZL_ISOLATION_HYPERV)
    return "it is asked for";
  return zl_os_version_is_known(&facts->version) ? "the host's kernel cannot run the image"
                                                 : "the image does not say which Windows it is for";
}

static int need_machine(const struct zl_hcs_isolation *facts, struct zl_error *err)
{
  char host[ZL_OS_VERSION_TEXT], image[ZL_OS_VERSION_TEXT];
  const char *lacking = NULL;

  if (!facts->host_has_hypervisor)
    lacking = "this host has no Hyper-V: enable the feature, on a virtual host nested "
              "virtualisation too";
  else if (!facts->image_has_machine)
    lacking = "the image has no files to boot a machine from (UtilityVM)";
  if (lacking == NULL)
    return 0;
  return zl_fail(err, ZL_E_UNSUPPORTED, 0,
                 "services.%s.isolation: image '%s' (Windows %s) on this host (Windows %s) needs "
                 "hyperv, since %s; %s",
                 facts->service, facts->image, zl_os_version_format(&facts->version, image),
                 zl_os_version_format(&facts->host, host), reason(facts), lacking);
}

int zl_hcs_isolation_choose(const struct zl_hcs_isolation *facts, enum zl_isolation *ret,
                            struct zl_error *err)
{
  enum zl_isolation isolation = facts->asked;
  int r = zl_os_check(facts->asked, &facts->host, &facts->version, facts->image, err);

  if (r < 0)
    return err != NULL ? zl_wrap(err, "services.%s.isolation", facts->service) : r;
  if (isolation == ZL_ISOLATION_AUTO)
    isolation = zl_os_runs_process(&facts->host, &facts->version) ? ZL_ISOLATION_PROCESS
                                                                  : ZL_ISOLATION_HYPERV;
  if (isolation == ZL_ISOLATION_HYPERV)
    r = need_machine(facts, err);
  if (r == 0)
    *ret = isolation;
  return r;
}
