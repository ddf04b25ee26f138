/* SPDX-License-Identifier: Apache-2.0
 *
 * Rules for users, signals, privileges and kernel settings.
 */
#include <string.h>
#include <strings.h>

#include "base/strv.h"
#include "spec/field.h"
#include "spec/rules.h"
#include "spec/units.h"

static bool is_one_of(const char *text, const char *const *words, size_t count)
{
  for (size_t i = 0; i < count; i++)
    if (strcasecmp(text, words[i]) == 0)
      return true;
  return false;
}

static bool is_exactly(const char *text, const char *const *words, size_t count)
{
  for (size_t i = 0; i < count; i++)
    if (strcmp(text, words[i]) == 0)
      return true;
  return false;
}

static bool is_clean(const char *text, size_t len)
{
  for (size_t i = 0; i < len; i++)
    if ((unsigned char)text[i] <= ' ' || text[i] == 0x7f)
      return false;
  return len > 0;
}

void zl_check_user(struct zl_spec_ctx *ctx, const struct zl_at *at, const void *value)
{
  const char *text = value;
  const char *colon = strchr(text, ':');
  size_t len = colon != NULL ? (size_t)(colon - text) : strlen(text);
  bool group_ok =
      colon == NULL || (is_clean(colon + 1, strlen(colon + 1)) && strchr(colon + 1, ':') == NULL);

  if (!is_clean(text, len) || !group_ok)
    zl_report(ctx, at, ZL_E_INVALID, "expected USER or USER:GROUP, names or numbers, found '%s'",
              text);
}

void zl_check_group(struct zl_spec_ctx *ctx, const struct zl_at *at, const void *value)
{
  const char *text = value;

  if (!is_clean(text, strlen(text)) || strchr(text, ':') != NULL)
    zl_report(ctx, at, ZL_E_INVALID, "expected the name or number of a group, found '%s'", text);
}

/* By name only, so that a file means the same on every platform; numbers are Linux's. */
void zl_check_signal(struct zl_spec_ctx *ctx, const struct zl_at *at, const void *value)
{
  static const char *const names[] = {
    "HUP",  "INT",   "QUIT", "ILL",  "TRAP", "ABRT", "IOT",   "BUS",    "FPE",
    "KILL", "USR1",  "SEGV", "USR2", "PIPE", "ALRM", "TERM",  "STKFLT", "CHLD",
    "CONT", "STOP",  "TSTP", "TTIN", "TTOU", "URG",  "XCPU",  "XFSZ",   "VTALRM",
    "PROF", "WINCH", "IO",   "POLL", "PWR",  "SYS",  "RTMIN", "RTMAX",
  };
  const char *text = value, *name = text;
  uint64_t number;

  if (strncasecmp(name, "SIG", 3) == 0)
    name += 3;
  if (strncasecmp(name, "RTMIN+", 6) == 0 && zl_parse_u64(name + 6, 30, &number))
    return;
  if (strncasecmp(name, "RTMAX-", 6) == 0 && zl_parse_u64(name + 6, 30, &number))
    return;
  if (zl_parse_u64(text, 64, &number) && number > 0)
    return;
  if (!is_one_of(name, names, ZL_COUNT(names)))
    zl_report(ctx, at, ZL_E_INVALID, "'%s' is not a signal such as SIGTERM", text);
}

void zl_check_capability(struct zl_spec_ctx *ctx, const struct zl_at *at, const void *value)
{
  static const char *const names[] = {
    "ALL",
    "AUDIT_CONTROL",
    "AUDIT_READ",
    "AUDIT_WRITE",
    "BLOCK_SUSPEND",
    "BPF",
    "CHECKPOINT_RESTORE",
    "CHOWN",
    "DAC_OVERRIDE",
    "DAC_READ_SEARCH",
    "FOWNER",
    "FSETID",
    "IPC_LOCK",
    "IPC_OWNER",
    "KILL",
    "LEASE",
    "LINUX_IMMUTABLE",
    "MAC_ADMIN",
    "MAC_OVERRIDE",
    "MKNOD",
    "NET_ADMIN",
    "NET_BIND_SERVICE",
    "NET_BROADCAST",
    "NET_RAW",
    "PERFMON",
    "SETFCAP",
    "SETGID",
    "SETPCAP",
    "SETUID",
    "SYSLOG",
    "SYS_ADMIN",
    "SYS_BOOT",
    "SYS_CHROOT",
    "SYS_MODULE",
    "SYS_NICE",
    "SYS_PACCT",
    "SYS_PTRACE",
    "SYS_RAWIO",
    "SYS_RESOURCE",
    "SYS_TIME",
    "SYS_TTY_CONFIG",
    "WAKE_ALARM",
  };
  const char *text = value;
  const char *name = strncasecmp(text, "CAP_", 4) == 0 ? text + 4 : text;

  if (!is_one_of(name, names, ZL_COUNT(names)))
    zl_report(ctx, at, ZL_E_INVALID, "'%s' is not a capability such as NET_ADMIN, nor ALL", text);
}

void zl_check_security_opt(struct zl_spec_ctx *ctx, const struct zl_at *at, const void *value)
{
  static const char *const known[] = {
    "no-new-privileges",      "no-new-privileges:true",  "no-new-privileges:false",
    "no-new-privileges=true", "no-new-privileges=false", "seccomp=unconfined",
    "seccomp:unconfined",
  };
  static const char *const planned[] = { "seccomp", "apparmor", "label",    "systempaths",
                                         "mask",    "unmask",   "proc-opts" };
  const char *text = value;
  size_t len = strcspn(text, ":=");

  if (is_exactly(text, known, ZL_COUNT(known)))
    return;
  for (size_t i = 0; i < ZL_COUNT(planned); i++) {
    if (strlen(planned[i]) != len || strncmp(text, planned[i], len) != 0)
      continue;
    zl_report(ctx, at, ZL_E_UNSUPPORTED,
              "'%s' is not supported yet: seccomp=unconfined and no-new-privileges are", text);
    return;
  }
  zl_report(ctx, at, ZL_E_INVALID, "expected no-new-privileges or seccomp=unconfined, found '%s'",
            text);
}

void zl_check_ulimit_name(struct zl_spec_ctx *ctx, const struct zl_at *at, const void *value)
{
  static const char *const names[] = {
    "as",   "core",   "cpu",   "data", "fsize",  "locks",  "memlock",    "msgqueue",
    "nice", "nofile", "nproc", "rss",  "rtprio", "rttime", "sigpending", "stack",
  };
  const char *text = value;

  if (!is_exactly(text, names, ZL_COUNT(names)))
    zl_report(ctx, at, ZL_E_INVALID, "'%s' is not a limit such as nofile or memlock", text);
}

/* The port number at *p, which moves past it. */
static bool take_port(const char **p, unsigned *ret)
{
  unsigned port = 0;
  const char *start = *p;

  for (; **p >= '0' && **p <= '9' && *p - start < 6; (*p)++)
    port = port * 10 + (unsigned)(**p - '0');
  *ret = port;
  return *p > start && port >= 1 && port <= 65535;
}

void zl_check_expose(struct zl_spec_ctx *ctx, const struct zl_at *at, const void *value)
{
  const char *text = value, *p = text;
  unsigned first, last;
  bool ok = take_port(&p, &first);

  if (ok && *p == '-') {
    p++;
    ok = take_port(&p, &last) && last >= first;
  }
  if (!ok || (*p != '\0' && strcmp(p, "/tcp") != 0 && strcmp(p, "/udp") != 0))
    zl_report(ctx, at, ZL_E_INVALID, "expected PORT[-PORT][/tcp|/udp], found '%s'", text);
}

/* "0-3,7": what the kernel's cpuset lists look like. */
void zl_check_cpuset(struct zl_spec_ctx *ctx, const struct zl_at *at, const void *value)
{
  const char *text = value, *p = text;
  bool ok = true;

  while (ok) {
    size_t first = strspn(p, "0123456789"), last = 0;

    ok = first > 0 && first <= 5;
    p += first;
    if (ok && *p == '-') {
      last = strspn(p + 1, "0123456789");
      ok = last > 0 && last <= 5;
      p += last + 1;
    }
    if (*p != ',')
      break;
    p++;
  }
  if (!ok || *p != '\0')
    zl_report(ctx, at, ZL_E_INVALID, "expected a list of CPUs such as 0-3,7, found '%s'", text);
}

void zl_check_cpu(struct zl_spec_ctx *ctx, const struct zl_at *at, const void *value)
{
  double cpu;

  memcpy(&cpu, value, sizeof(cpu));
  if (cpu != 0 && !zl_cpu_is_valid(cpu))
    zl_report(ctx, at, ZL_E_INVALID, "expected a number of CPUs from 0.01 to 8192, found %g", cpu);
  else if (cpu == 0 && at->node != NULL)
    zl_report(ctx, at, ZL_E_INVALID, "expected a number of CPUs from 0.01 to 8192, found 0");
}

void zl_check_label(struct zl_spec_ctx *ctx, const struct zl_at *at, const void *value)
{
  const struct zl_pair *pair = value;

  if (!is_clean(pair->key, strlen(pair->key)))
    zl_report(ctx, at, ZL_E_INVALID, "'%s' is not a label: it is empty or contains a blank",
              pair->key);
}

/* Only what belongs to the container's own namespaces: the rest would change the node. The name and
 * the value end up in a path and a file below /proc/sys, so both are strict (CVE-2022-0811: a value
 * with '+' and '=' smuggled a second setting through a text format). */
void zl_check_sysctl(struct zl_spec_ctx *ctx, const struct zl_at *at, const void *value)
{
  static const char *const names[] = {
    "kernel.msgmax", "kernel.msgmnb", "kernel.msgmni", "kernel.sem",
    "kernel.shmall", "kernel.shmmax", "kernel.shmmni", "kernel.shm_rmid_forced",
  };
  const struct zl_pair *pair = value;
  const char *key = pair->key;
  size_t len = strspn(key, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-");
  bool known = zl_has_prefix(key, "net.") || zl_has_prefix(key, "fs.mqueue.") ||
               is_exactly(key, names, ZL_COUNT(names));

  if (key[len] != '\0' || strstr(key, "..") != NULL || (len > 0 && key[len - 1] == '.'))
    zl_report(ctx, at, ZL_E_INVALID, "'%s' is not the name of a kernel setting", key);
  else if (!known)
    zl_report(
        ctx, at, ZL_E_INVALID,
        "'%s' is not separate for each container: net.*, kernel.shm*, kernel.msg*, kernel.sem "
        "and fs.mqueue.* are",
        key);
  for (const unsigned char *p = (const unsigned char *)pair->value; *p != '\0'; p++)
    if ((*p < ' ' && *p != '\t') || *p >= 0x7f) {
      zl_report(ctx, at, ZL_E_INVALID, "the value contains a control or non-ASCII character");
      return;
    }
  if (pair->value[0] == '\0')
    zl_report(ctx, at, ZL_E_INVALID, "the value is empty");
}
