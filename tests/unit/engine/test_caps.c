/* SPDX-License-Identifier: Apache-2.0
 *
 * What a process gets before its exec: capabilities, resource limits, settings, signal names.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/limits.h"
#include "engine/caps.h"
#include "engine/rlimit.h"
#include "engine/signals.h"
#include "engine/sysctl.h"

#define BIT(cap)    (UINT64_C(1) << (cap))
#define DOCKER_CAPS UINT64_C(0xa80425fb)

/* Runs `fn` in a child; its return value is the case's result (0: good). */
static void in_child(int (*fn)(void))
{
  int status = 0;
  pid_t pid = fork();

  assert_true(pid >= 0);
  if (pid == 0)
    _exit(fn());
  assert_int_equal(waitpid(pid, &status, 0), pid);
  assert_true(WIFEXITED(status));
  assert_int_equal(WEXITSTATUS(status), 0);
}

static uint64_t status_mask(const char *key)
{
  zl_autobuf buf = ZL_BUF_INIT(ZL_MAX_SMALL_FILE);
  struct zl_error err = { 0 };
  const char *at;

  if (zl_file_read(AT_FDCWD, "/proc/self/status", &buf, &err) < 0)
    return UINT64_MAX;
  at = strstr(buf.data, key);
  return at != NULL ? strtoull(at + strlen(key), NULL, 16) : UINT64_MAX;
}

static void names_are_the_kernels(void **state)
{
  (void)state;
  assert_int_equal(zl_cap_parse("CAP_CHOWN"), CAP_CHOWN);
  assert_int_equal(zl_cap_parse("CAP_SYS_ADMIN"), CAP_SYS_ADMIN);
  assert_int_equal(zl_cap_parse("CAP_AUDIT_READ"), CAP_AUDIT_READ);
  assert_int_equal(zl_cap_parse("CAP_CHECKPOINT_RESTORE"), CAP_CHECKPOINT_RESTORE);
  for (unsigned cap = 0; cap <= CAP_LAST_CAP; cap++)
    assert_int_equal(zl_cap_parse(zl_cap_name(cap)), (int)cap);
  assert_null(zl_cap_name(CAP_LAST_CAP + 1));
  assert_null(zl_cap_name(1000));
  assert_int_equal(zl_cap_parse("cap_chown"), -1);
  assert_int_equal(zl_cap_parse("CHOWN"), -1);
  assert_int_equal(zl_cap_parse("CAP_"), -1);
  assert_int_equal(zl_cap_parse(""), -1);
}

static int drops_to_a_list(void)
{
  const struct zl_caps caps = { .bounding = DOCKER_CAPS,
                                .effective = DOCKER_CAPS,
                                .permitted = DOCKER_CAPS };
  struct zl_error err = { 0 };

  if (zl_caps_limit(&caps, &err) < 0 || zl_caps_apply(&caps, &err) < 0)
    return 1;
  if (status_mask("CapBnd:") != DOCKER_CAPS || status_mask("CapPrm:") != DOCKER_CAPS ||
      status_mask("CapEff:") != DOCKER_CAPS)
    return 2;
  /* A shell with file capabilities would inherit them (CVE-2022-29162). */
  if (status_mask("CapInh:") != 0 || status_mask("CapAmb:") != 0)
    return 3;
  return zl_caps_limit(&caps, &err) < 0 || zl_caps_apply(&caps, &err) < 0 ? 4 : 0;
}

static int inherits_what_it_is_told_to(void)
{
  const uint64_t net = BIT(CAP_NET_RAW);
  const struct zl_caps caps = {
    .bounding = net, .effective = net, .permitted = net, .inheritable = net | BIT(CAP_CHOWN)
  };
  struct zl_error err = { 0 };

  if (zl_caps_limit(&caps, &err) < 0 || zl_caps_apply(&caps, &err) < 0)
    return 1;
  return status_mask("CapInh:") == net && status_mask("CapAmb:") == 0 ? 0 : 2;
}

static int survives_the_change_of_user(void)
{
  const uint64_t net = BIT(CAP_NET_BIND_SERVICE);
  const struct zl_caps caps = {
    .bounding = net, .effective = net, .permitted = net, .inheritable = net, .ambient = net
  };
  struct zl_error err = { 0 };

  if (zl_caps_limit(&caps, &err) < 0 || setresgid(1000, 1000, 1000) < 0 ||
      setresuid(1000, 1000, 1000) < 0 || zl_caps_apply(&caps, &err) < 0)
    return 1;
  if (status_mask("CapEff:") != net || status_mask("CapPrm:") != net)
    return 2;
  if (status_mask("CapInh:") != net || status_mask("CapAmb:") != net)
    return 3;
  return 0;
}

static int drops_everything(void)
{
  const struct zl_caps none = { 0 };
  struct zl_error err = { 0 };

  if (zl_caps_limit(&none, &err) < 0 || zl_caps_apply(&none, &err) < 0)
    return 1;
  return status_mask("CapBnd:") == 0 && status_mask("CapPrm:") == 0 &&
                 status_mask("CapEff:") == 0 && status_mask("CapInh:") == 0
             ? 0
             : 2;
}

/* "privileged": everything this runtime has, and no error for what it has not. */
static int takes_what_is_there(void)
{
  const struct zl_caps all = { .bounding = UINT64_MAX,
                               .effective = UINT64_MAX,
                               .permitted = UINT64_MAX };
  const uint64_t before = status_mask("CapPrm:");
  uint64_t available = 0;
  struct zl_error err = { 0 };

  if (zl_caps_available(&available, &err) < 0 || available != before)
    return 1;
  if (zl_caps_limit(&all, &err) < 0 || zl_caps_apply(&all, &err) < 0)
    return 2;
  return status_mask("CapEff:") == before ? 0 : 3;
}

/* Ambient without inheritable is not a valid request of the document: the kernel would refuse. */
static int ambient_needs_inheritable(void)
{
  const uint64_t net = BIT(CAP_NET_RAW);
  const struct zl_caps caps = {
    .bounding = net, .effective = net, .permitted = net, .ambient = net
  };
  struct zl_error err = { 0 };

  if (zl_caps_limit(&caps, &err) < 0 || zl_caps_apply(&caps, &err) < 0)
    return 1;
  return status_mask("CapAmb:") == 0 && status_mask("CapInh:") == 0 ? 0 : 2;
}

static void capability_sets(void **state)
{
  (void)state;
  in_child(drops_to_a_list);
  in_child(inherits_what_it_is_told_to);
  in_child(survives_the_change_of_user);
  in_child(drops_everything);
  in_child(takes_what_is_there);
  in_child(ambient_needs_inheritable);
}

static int sets_limits(void)
{
  const struct zl_rlimit limits[] = { { RLIMIT_NOFILE, 64, 128 }, { RLIMIT_CORE, 0, 0 } };
  struct rlimit now;
  struct zl_error err = { 0 };

  if (zl_rlimits_apply(0, limits, ZL_COUNT(limits), &err) < 0)
    return 1;
  if (getrlimit(RLIMIT_NOFILE, &now) < 0 || now.rlim_cur != 64 || now.rlim_max != 128)
    return 2;
  return getrlimit(RLIMIT_CORE, &now) == 0 && now.rlim_max == 0 ? 0 : 3;
}

static int names_the_roof(void)
{
  const struct zl_caps none = { 0 };
  const struct zl_rlimit low = { RLIMIT_NOFILE, 64, 128 };
  const struct zl_rlimit high = { RLIMIT_NOFILE, 64, 4096 };
  struct zl_error err = { 0 };

  if (zl_rlimits_apply(0, &low, 1, &err) < 0 || zl_caps_apply(&none, &err) < 0)
    return 1;
  if (zl_rlimits_apply(0, &high, 1, &err) != -ZL_E_PERMISSION || err.os_error != EPERM)
    return 2;
  return strstr(err.msg, "RLIMIT_NOFILE") != NULL && strstr(err.msg, "4096") != NULL &&
                 strstr(err.msg, "128") != NULL
             ? 0
             : 3;
}

static void resource_limits(void **state)
{
  struct zl_rlimit odd = { .resource = 99 };
  struct zl_error err = { 0 };

  (void)state;
  for (int i = 0; i < (int)RLIM_NLIMITS; i++)
    assert_int_equal(zl_rlimit_parse(zl_rlimit_name(i)), i);
  assert_int_equal(zl_rlimit_parse("NOFILE"), -1);
  assert_int_equal(zl_rlimit_parse("RLIMIT_NOFILES"), -1);
  assert_null(zl_rlimit_name(RLIM_NLIMITS));
  assert_int_equal(zl_rlimits_apply(0, &odd, 1, &err), -ZL_E_INVALID);
  in_child(sets_limits);
  in_child(names_the_roof);
}

static int check(const char *key, const char *value, int namespaces)
{
  const struct zl_sysctl s = { .key = key, .value = value };
  struct zl_error err = { 0 };

  return zl_sysctl_check(&s, 1, namespaces, &err);
}

static void only_namespaced_settings(void **state)
{
  static const char *const host[] = {
    "kernel.core_pattern",
    "kernel.panic",
    "kernel.modprobe",
    "vm.swappiness",
    "fs.file-max",
    "kernel.sysrq",
    "kernel.shm_next",
    "kernel",
    "net",
    "kernel.msgmax.x",
    "kernel.hostname2",
    "kernel.hostname", /* the document has a member of its own for it */
    "abi.vsyscall32",
    "fs.mqueue",
    "kernel/core_pattern",
    "dev.cdrom.info",
  };
  static const char *const odd[] = {
    "",
    ".",
    "/",
    "..",
    "net..ipv4",
    "net.",
    ".net.ipv4",
    "net/../kernel/core_pattern",
    "net/ipv4/../../kernel/panic",
    "net//ipv4",
    "/net/ipv4",
    "net ipv4",
    "net.ipv4.x\n",
    "net.ipv4.x=1",
    "net.ipv4.x+kernel.y",
    "net.ipv4.\xc3\xa4",
    "net/./ipv4",
  };
  const int all = CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWUSER;

  (void)state;
  for (size_t i = 0; i < ZL_COUNT(host); i++)
    assert_int_equal(check(host[i], "1", all), -ZL_E_INVALID);
  for (size_t i = 0; i < ZL_COUNT(odd); i++)
    assert_int_equal(check(odd[i], "1", all), -ZL_E_INVALID);
  assert_int_equal(check("net.ipv4.ip_forward", "1", CLONE_NEWNET), 0);
  assert_int_equal(check("net/ipv4/ip_forward", "1", CLONE_NEWNET), 0);
  assert_int_equal(check("net.ipv4.conf.eth0/5.rp_filter", "1", CLONE_NEWNET), 0);
  assert_int_equal(check("net.ipv4.ip_forward", "1", all & ~CLONE_NEWNET), -ZL_E_INVALID);
  assert_int_equal(check("kernel.msgmax", "1", CLONE_NEWIPC), 0);
  assert_int_equal(check("kernel.msgmax", "1", CLONE_NEWNET), -ZL_E_INVALID);
  assert_int_equal(check("fs.mqueue.msg_max", "1", CLONE_NEWIPC), 0);
  assert_int_equal(check("kernel.domainname", "x", CLONE_NEWUTS), 0);
  assert_int_equal(check("user.max_user_namespaces", "0", CLONE_NEWUSER), 0);
}

/* CVE-2022-0811: a second setting inside a value. */
static void values_are_one_line(void **state)
{
  static const char *const odd[] = { "",        "1\nkernel.core_pattern=x", "1\r", "\x01", "\x7f",
                                     "\xc3\xa4" };
  char text[ZL_MAX_SYSCTL_TEXT + 2];

  (void)state;
  for (size_t i = 0; i < ZL_COUNT(odd); i++)
    assert_int_equal(check("net.ipv4.x", odd[i], CLONE_NEWNET), -ZL_E_INVALID);
  assert_int_equal(check("net.ipv4.x", "0\t2147483647", CLONE_NEWNET), 0);
  assert_int_equal(check("net.ipv4.x", "a+b=c d", CLONE_NEWNET), 0);
  memset(text, 'x', sizeof(text));
  text[ZL_MAX_SYSCTL_TEXT + 1] = '\0';
  assert_int_equal(check("net.ipv4.x", text, CLONE_NEWNET), -ZL_E_INVALID);
  memcpy(text, "net.", 4);
  assert_int_equal(check(text, "1", CLONE_NEWNET), -ZL_E_INVALID);
}

static int read_setting(const char *path, const char *want)
{
  zl_autobuf buf = ZL_BUF_INIT(256);
  struct zl_error err = { 0 };

  return zl_file_read(AT_FDCWD, path, &buf, &err) == 0 && strcmp(buf.data, want) == 0 ? 0 : 1;
}

static int writes_in_its_namespaces(void)
{
  static const struct zl_sysctl settings[] = {
    { "net.ipv4.ip_forward", "1" },
    { "kernel/msgmax", "12345" },
    { "net.ipv4.conf.lo.forwarding", "0" },
  };
  static const struct zl_sysctl absent = { "net.ipv4.no_such_thing", "1" };
  struct zl_error err = { 0 };
  zl_autofd proc = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

  if (proc < 0 || unshare(CLONE_NEWNET | CLONE_NEWIPC) < 0)
    return 1;
  if (zl_sysctl_apply(proc, settings, ZL_COUNT(settings), CLONE_NEWNET | CLONE_NEWIPC, &err) < 0)
    return 2;
  if (read_setting("/proc/sys/net/ipv4/ip_forward", "1\n") != 0 ||
      read_setting("/proc/sys/kernel/msgmax", "12345\n") != 0 ||
      read_setting("/proc/sys/net/ipv4/conf/lo/forwarding", "0\n") != 0)
    return 3;
  if (zl_sysctl_apply(proc, &absent, 1, CLONE_NEWNET, &err) != -ZL_E_SYSTEM ||
      strstr(err.msg, "no_such_thing") == NULL)
    return 4;
  return 0;
}

static void settings_are_written(void **state)
{
  (void)state;
  in_child(writes_in_its_namespaces);
}

static void signals(void **state)
{
  static const struct {
    const char *text;
    int number;
  } rows[] = {
    { "TERM", 15 },     { "SIGTERM", 15 },    { "sigterm", 15 },
    { "SigTerm", 15 },  { "15", 15 },         { "1", 1 },
    { "64", 64 },       { "KILL", 9 },        { "HUP", 1 },
    { "SIGUSR1", 10 },  { "IOT", 6 },         { "CLD", 17 },
    { "POLL", 29 },     { "SIGSYS", 31 },     { "RTMIN", 34 },
    { "SIGRTMIN", 34 }, { "RTMIN+3", 37 },    { "SIGRTMIN+30", 64 },
    { "RTMAX", 64 },    { "SIGRTMAX-1", 63 }, { "rtmax-30", 34 },
    { "", -1 },         { "0", -1 },          { "65", -1 },
    { "-1", -1 },       { "+15", -1 },        { " 15", -1 },
    { "15 ", -1 },      { "SIG", -1 },        { "SIGSIGTERM", -1 },
    { "TERMX", -1 },    { "RTMIN-1", -1 },    { "RTMIN+31", -1 },
    { "RTMIN+", -1 },   { "RTMAX+1", -1 },    { "RTMAX-31", -1 },
    { "RTMIN+-1", -1 }, { "SIG15", -1 },      { "99999999999", -1 },
    { "0x0f", -1 },
  };
  char text[ZL_SIGNAL_NAME];

  (void)state;
  for (size_t i = 0; i < ZL_COUNT(rows); i++)
    if (zl_signal_number(rows[i].text) != rows[i].number)
      fail_msg("'%s' is %d", rows[i].text, zl_signal_number(rows[i].text));
  assert_string_equal(zl_signal_name(15, text), "SIGTERM");
  assert_string_equal(zl_signal_name(6, text), "SIGABRT");
  assert_string_equal(zl_signal_name(34, text), "SIGRTMIN");
  assert_string_equal(zl_signal_name(64, text), "SIGRTMIN+30");
  assert_string_equal(zl_signal_name(99, text), "signal 99");
  for (int s = 1; s <= 64; s++)
    if (s != 32 && s != 33)
      assert_int_equal(zl_signal_number(zl_signal_name(s, text)), s);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(names_are_the_kernels),
    cmocka_unit_test(capability_sets),
    cmocka_unit_test(resource_limits),
    cmocka_unit_test(only_namespaced_settings),
    cmocka_unit_test(values_are_one_line),
    cmocka_unit_test(settings_are_written),
    cmocka_unit_test(signals),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
