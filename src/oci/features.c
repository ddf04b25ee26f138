/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <zlayer/version.h>

#include "engine/caps.h"
#include "oci/machine.h"
#include "oci/options.h"
#include "oci/output.h"

/* What the engine acts upon; the lists follow the specification's features document. */
static const char known[] =
    "{\"ociVersionMin\":\"1.0.0\",\"ociVersionMax\":\"" OCI_SPEC_VERSION "\","
    "\"hooks\":[\"prestart\",\"createRuntime\",\"createContainer\",\"startContainer\","
    "\"poststart\",\"poststop\"],"
    "\"mountOptions\":[\"async\",\"atime\",\"bind\",\"copy-symlink\",\"defaults\",\"dest-"
    "nofollow\","
    "\"dev\",\"diratime\",\"dirsync\",\"exec\",\"idmap\",\"lazytime\",\"loud\",\"mand\","
    "\"noatime\",\"nodev\",\"nodiratime\","
    "\"noexec\",\"nolazytime\",\"nomand\",\"norelatime\",\"nostrictatime\","
    "\"nosuid\",\"nosymfollow\",\"private\",\"ratime\",\"rbind\",\"rdev\",\"rdiratime\","
    "\"relatime\","
    "\"remount\",\"rexec\",\"ridmap\",\"rnoatime\",\"rnodev\",\"rnodiratime\",\"rnoexec\","
    "\"rnorelatime\","
    "\"rnostrictatime\",\"rnosuid\",\"rnosymfollow\",\"ro\",\"rprivate\",\"rrelatime\",\"rro\","
    "\"rrw\",\"rshared\",\"rslave\",\"rstrictatime\",\"rsuid\",\"rsymfollow\",\"runbindable\","
    "\"rw\",\"shared\",\"silent\",\"slave\",\"src-nofollow\",\"strictatime\",\"suid\","
    "\"symfollow\",\"sync\","
    "\"tmpcopyup\",\"unbindable\"],"
    "\"linux\":{\"namespaces\":[\"cgroup\",\"ipc\",\"mount\",\"network\",\"pid\",\"time\",\"user\","
    "\"uts\"],\"cgroup\":{\"v1\":true,\"v2\":true,\"systemd\":true,\"systemdUser\":false,"
    "\"rdma\":false},"
    "\"seccomp\":{\"enabled\":true,\"actions\":[\"SCMP_ACT_ALLOW\",\"SCMP_ACT_ERRNO\","
    "\"SCMP_ACT_KILL\",\"SCMP_ACT_KILL_PROCESS\",\"SCMP_ACT_KILL_THREAD\",\"SCMP_ACT_LOG\","
    "\"SCMP_ACT_NOTIFY\",\"SCMP_ACT_TRACE\",\"SCMP_ACT_TRAP\"],"
    "\"operators\":[\"SCMP_CMP_EQ\",\"SCMP_CMP_GE\",\"SCMP_CMP_GT\",\"SCMP_CMP_LE\","
    "\"SCMP_CMP_LT\",\"SCMP_CMP_MASKED_EQ\",\"SCMP_CMP_NE\"],"
    "\"archs\":[\"SCMP_ARCH_X86\",\"SCMP_ARCH_X86_64\",\"SCMP_ARCH_X32\"]},"
    "\"apparmor\":{\"enabled\":false},\"selinux\":{\"enabled\":false},"
    "\"intelRdt\":{\"enabled\":false},"
    "\"mountExtensions\":{\"idmap\":{\"enabled\":true}}}}";

static json_t *capabilities(void)
{
  json_t *list = json_array();
  const char *name;

  for (unsigned cap = 0; (name = zl_cap_name(cap)) != NULL; cap++)
    if (json_array_append_new(list, json_string(name)) < 0) {
      json_decref(list);
      return NULL;
    }
  return list;
}

int oci_features(const struct oci *oci, int argc, char **argv, struct zl_error *err)
{
  zl_autojson *doc = json_loads(known, 0, NULL);
  int first = argc, r = oci_options(NULL, 0, argc, argv, &first, err);

  (void)oci;
  if (r < 0)
    return r;
  if (doc == NULL ||
      json_object_set_new(json_object_get(doc, "linux"), "capabilities", capabilities()) < 0 ||
      json_object_set_new(doc, "annotations",
                          json_pack("{s:s}", "org.zlayer.version", ZL_VERSION)) < 0)
    return zl_fail_nomem(err, "features");
  oci_machine_restrict(doc);
  return oci_print_json(doc, true, err);
}
