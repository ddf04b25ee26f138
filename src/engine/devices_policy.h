/* SPDX-License-Identifier: Apache-2.0
 *
 * Device rules in one normal form, and the BPF program that puts them in force on v2 cgroups.
 */
#ifndef ZL_ENGINE_DEVICES_POLICY_H
#define ZL_ENGINE_DEVICES_POLICY_H

#include "base/limits.h"
#include "engine/config.h"

enum {
  ZL_DEFAULT_DEVICES = 12,
  ZL_MAX_POLICY = ZL_MAX_DEVICES + ZL_DEFAULT_DEVICES
};

/* Everything is allowed or denied, then the rules in order; a later one wins. */
struct zl_device_policy {
  bool allow_by_default;
  bool plain; /* all rules are exceptions from the default: v1 knows nothing else */
  size_t n;
  struct zl_device_rule rules[ZL_MAX_POLICY];
};

/* Rules from the last one that is about all devices; unless everything is allowed by default, also
 * the devices that every container has. ZL_E_LIMIT for more than ZL_MAX_DEVICES rules. */
int zl_device_policy_make(const struct zl_device_rule *rules, size_t n,
                          struct zl_device_policy *ret, struct zl_error *err);

/* Nothing is restricted: no program or file is needed. */
static inline bool zl_device_policy_is_open(const struct zl_device_policy *policy)
{
  return policy->allow_by_default && policy->n == 0;
}

/* What the policy says of one access (ZL_DEV_* bits) to one device: the model that tests hold the
 * kernel's answer to. */
bool zl_device_policy_allows(const struct zl_device_policy *policy, char type, unsigned major,
                             unsigned minor, uint8_t access);

/* Loads the policy (NULL: no restriction) as a BPF program and attaches it to the v2 cgroup
 * `cgroup_fd`, in place of those attached before. */
int zl_bpf_devices_attach(int cgroup_fd, const struct zl_device_policy *policy,
                          struct zl_error *err);

#endif
