/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/devices_policy.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/fd.h"
#include "engine/cgroup_private.h"

#define ANY ZL_UNSET

enum {
  ALL = ZL_DEV_MKNOD | ZL_DEV_READ | ZL_DEV_WRITE
};

/* A node can be made of anything (archives contain them); it just cannot be opened. */
static const struct zl_device_rule defaults[ZL_DEFAULT_DEVICES] = {
  { true, 'c', ANY, ANY, ZL_DEV_MKNOD },
  { true, 'b', ANY, ANY, ZL_DEV_MKNOD },
  { true, 'c', 1, 3, ALL },     /* null */
  { true, 'c', 1, 5, ALL },     /* zero */
  { true, 'c', 1, 7, ALL },     /* full */
  { true, 'c', 1, 8, ALL },     /* random */
  { true, 'c', 1, 9, ALL },     /* urandom */
  { true, 'c', 5, 0, ALL },     /* tty */
  { true, 'c', 5, 1, ALL },     /* console */
  { true, 'c', 5, 2, ALL },     /* ptmx */
  { true, 'c', 136, ANY, ALL }, /* pts */
  { true, 'c', 137, ANY, ALL }, /* pts above 2^20 */
};

static bool is_about_all(const struct zl_device_rule *r)
{
  return r->type == 'a' && r->major == ANY && r->minor == ANY && r->access == ALL;
}

static bool meet(int64_t a, int64_t b)
{
  return a == ANY || b == ANY || a == b;
}

static bool overlap(const struct zl_device_rule *a, const struct zl_device_rule *b)
{
  return (a->type == 'a' || b->type == 'a' || a->type == b->type) && meet(a->major, b->major) &&
         meet(a->minor, b->minor) && (a->access & b->access) != 0;
}

/* A rule that repeats the default matters only where it takes back an earlier exception. */
static void add_rule(struct zl_device_policy *p, const struct zl_device_rule *rule)
{
  bool matters = rule->allow != p->allow_by_default;

  for (size_t i = 0; !matters && i < p->n; i++)
    if (p->rules[i].allow != rule->allow && overlap(&p->rules[i], rule))
      matters = true;
  if (!matters)
    return;
  p->plain = p->plain && rule->allow != p->allow_by_default;
  p->rules[p->n++] = *rule;
}

int zl_device_policy_make(const struct zl_device_rule *rules, size_t n,
                          struct zl_device_policy *ret, struct zl_error *err)
{
  ret->allow_by_default = false;
  ret->plain = true;
  ret->n = 0;
  if (n > ZL_MAX_DEVICES)
    return zl_fail(err, ZL_E_LIMIT, 0, "%zu device rules, the limit is %d", n, ZL_MAX_DEVICES);
  for (size_t i = 0; i < n; i++) {
    if (is_about_all(&rules[i])) {
      ret->allow_by_default = rules[i].allow;
      ret->plain = true;
      ret->n = 0;
    } else {
      add_rule(ret, &rules[i]);
    }
  }
  for (size_t i = 0; !ret->allow_by_default && i < ZL_DEFAULT_DEVICES; i++)
    add_rule(ret, &defaults[i]);
  return 0;
}

/* An allowance must cover the whole access, a denial any part of it. */
static bool decides(const struct zl_device_rule *r, char type, unsigned major, unsigned minor,
                    uint8_t access)
{
  if ((r->type != 'a' && r->type != type) || (r->major != ANY && r->major != (int64_t)major) ||
      (r->minor != ANY && r->minor != (int64_t)minor))
    return false;
  return r->allow ? (access & ~r->access) == 0 : (access & r->access) != 0;
}

bool zl_device_policy_allows(const struct zl_device_policy *policy, char type, unsigned major,
                             unsigned minor, uint8_t access)
{
  for (size_t i = policy->n; i-- > 0;)
    if (decides(&policy->rules[i], type, major, minor, access))
      return policy->rules[i].allow;
  return policy->allow_by_default;
}

static const char *number_text(int64_t number, char text[16])
{
  if (number == ANY)
    return "*";
  (void)snprintf(text, 16, "%d", (int)number);
  return text;
}

static int write_v1(int allow_fd, int deny_fd, const struct zl_device_rule *r, char type,
                    struct zl_error *err)
{
  char major[16], minor[16], text[64];
  int n = snprintf(text, sizeof(text), "%c %s:%s %s%s%s", type, number_text(r->major, major),
                   number_text(r->minor, minor), (r->access & ZL_DEV_READ) != 0 ? "r" : "",
                   (r->access & ZL_DEV_WRITE) != 0 ? "w" : "",
                   (r->access & ZL_DEV_MKNOD) != 0 ? "m" : "");

  if (write(r->allow ? allow_fd : deny_fd, text, (size_t)n) != n)
    return zl_fail_errno(err, "device rule '%s %s'", r->allow ? "allow" : "deny", text);
  return 0;
}

static int open_v1(const struct zl_cgroup *cg, const char *file, int *ret, struct zl_error *err)
{
  char path[ZL_CGROUP_FILE];
  int fd;

  (void)snprintf(path, sizeof(path), "devices/%s/%s", cg->path, file);
  fd = zl_fd_open(cg->root->fd, path, O_WRONLY, 0);
  if (fd < 0)
    return zl_fail(err, ZL_E_SYSTEM, -fd, "opening cgroup file '%s'", path);
  *ret = fd;
  return 0;
}

/* The kernel takes "a" for everything, whatever numbers follow, so a partial rule about both types
 * is written as two. Without a policy everything is allowed. */
static int put_in_force_v1(const struct zl_cgroup *cg, const struct zl_device_policy *policy,
                           struct zl_error *err)
{
  zl_autofd allow_fd = -1, deny_fd = -1;
  int r = open_v1(cg, "devices.allow", &allow_fd, err);

  if (r == 0)
    r = open_v1(cg, "devices.deny", &deny_fd, err);
  if (r < 0)
    return r;
  if (write(policy == NULL || policy->allow_by_default ? allow_fd : deny_fd, "a", 1) != 1)
    return zl_fail_errno(err, "device rules of cgroup '%s'", cg->path);
  for (size_t i = 0; r == 0 && policy != NULL && i < policy->n; i++) {
    const struct zl_device_rule *rule = &policy->rules[i];

    if (rule->type != 'a') {
      r = write_v1(allow_fd, deny_fd, rule, rule->type, err);
      continue;
    }
    r = write_v1(allow_fd, deny_fd, rule, 'b', err);
    if (r == 0)
      r = write_v1(allow_fd, deny_fd, rule, 'c', err);
  }
  return r;
}

/* On hybrid hosts the v1 files are the cheaper way, and the program is there for what they cannot
 * say; the one that is not used is opened, for the policy may have been another one before. */
int zl_cgroup_set_devices(const struct zl_cgroup *cg, const struct zl_device_rule *rules, size_t n,
                          struct zl_error *err)
{
  const bool has_v1 = zl_cgroup_has(cg, ZL_TREE_DEVICES), has_v2 = cg->unified_fd >= 0;
  struct zl_device_policy policy;
  bool use_v1;
  int r = zl_device_policy_make(rules, n, &policy, err);

  if (r < 0)
    return r;
  if (has_v1 && !has_v2 && !policy.plain)
    return zl_fail(err, ZL_E_UNSUPPORTED, 0,
                   "device rules: v1 cgroups cannot take back a part of an earlier rule");
  use_v1 = has_v1 && policy.plain;
  if (has_v1)
    r = put_in_force_v1(cg, use_v1 ? &policy : NULL, err);
  if (r == 0 && has_v2)
    r = zl_bpf_devices_attach(cg->unified_fd, use_v1 ? NULL : &policy, err);
  return r;
}
