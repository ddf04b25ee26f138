/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/container.h"
#include "oci/machine.h"
#include "oci/options.h"

static int freeze(const struct oci *oci, int argc, char **argv, bool frozen, struct zl_error *err)
{
  oci_autocontainer c = OCI_CONTAINER_INIT;
  enum oci_status status, expected = frozen ? OCI_RUNNING : OCI_PAUSED;
  const char *id;
  int r = oci_options_id(NULL, 0, argc, argv, &id, err);

  if (r == 0)
    r = oci_container_open(oci, id, true, &c, err);
  if (r < 0)
    return r;
  status = oci_container_status(&c);
  if (status != expected && !(frozen && status == OCI_CREATED))
    return zl_fail(err, ZL_E_CONFLICT, 0, "cannot %s container '%s': it is %s", argv[0], id,
                   oci_status_name(status));
  if (oci_container_has_machine(&c))
    return oci_machine_freeze(&c, frozen, err);
  if (!c.has_cgroup)
    return zl_fail(err, ZL_E_UNSUPPORTED, 0, "container '%s' has no cgroup", id);
  return zl_cgroup_freeze(&c.cgroup, frozen, err);
}

int oci_pause(const struct oci *oci, int argc, char **argv, struct zl_error *err)
{
  return freeze(oci, argc, argv, true, err);
}

int oci_resume(const struct oci *oci, int argc, char **argv, struct zl_error *err)
{
  return freeze(oci, argc, argv, false, err);
}
