/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <linux/capability.h>
#include <linux/mount.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/strv.h"
#include "engine/config.h"

/* Every member that is read. */
static const char full[] =
    "{\"ociVersion\":\"1.2.0\",\"process\":{\"terminal\":true,\"consoleSize\":{\"height\":24,"
    "\"width\":80},\"user\":{\"uid\":1000,\"gid\":1001,\"umask\":18,\"additionalGids\":[10,20]},"
    "\"args\":[\"/bin/sh\",\"-c\",\"true\"],\"env\":[\"PATH=/bin\",\"A=b\"],\"cwd\":\"/srv\","
    "\"capabilities\":{\"bounding\":[\"CAP_CHOWN\",\"CAP_KILL\"],\"effective\":[\"CAP_CHOWN\"],"
    "\"inheritable\":[],\"permitted\":[\"CAP_CHOWN\"],\"ambient\":[\"CAP_CHOWN\"]},"
    "\"rlimits\":[{\"type\":\"RLIMIT_NOFILE\",\"soft\":1024,\"hard\":18446744073709551615},"
    "{\"type\":\"RLIMIT_CORE\",\"soft\":-1,\"hard\":-1}],"
    "\"noNewPrivileges\":true,\"oomScoreAdj\":-5},"
    "\"root\":{\"path\":\"rootfs\",\"readonly\":true},\"hostname\":\"web\",\"domainname\":\"lan\","
    "\"mounts\":[{\"destination\":\"/proc\",\"type\":\"proc\",\"source\":\"proc\"},"
    "{\"destination\":\"/data\",\"type\":\"bind\",\"source\":\"/srv/data\",\"options\":[\"rbind\","
    "\"ro\",\"rnosuid\",\"rprivate\"],\"uidMappings\":[{\"containerID\":0,\"hostID\":1000,"
    "\"size\":10}],\"gidMappings\":[{\"containerID\":0,\"hostID\":1000,\"size\":10}]}],"
    "\"linux\":{\"namespaces\":[{\"type\":\"pid\"},{\"type\":\"mount\"},{\"type\":\"network\"},"
    "{\"type\":\"uts\"},{\"type\":\"ipc\",\"path\":\"/proc/7/ns/ipc\"},{\"type\":\"user\"}],"
    "\"uidMappings\":[{\"containerID\":0,\"hostID\":100000,\"size\":65536}],\"gidMappings\":"
    "[{\"containerID\":0,\"hostID\":100000,\"size\":65536}],\"devices\":[{\"path\":\"/dev/fuse\","
    "\"type\":\"c\",\"major\":10,\"minor\":229,\"fileMode\":8630,\"uid\":1,\"gid\":2},"
    "{\"path\":\"/dev/pipe\",\"type\":\"p\"}],"
    "\"cgroupsPath\":\"/zlayer-web\",\"resources\":{\"devices\":[{\"allow\":false,\"access\":"
    "\"rwm\"},{\"allow\":true,\"type\":\"c\",\"major\":10,\"minor\":229,\"access\":\"rw\"}],"
    "\"memory\":{\"limit\":67108864,\"reservation\":1,\"swap\":-1,\"swappiness\":5,"
    "\"disableOOMKiller\":false},\"cpu\":{\"shares\":1024,\"quota\":50000,\"period\":100000,"
    "\"burst\":1,\"realtimeRuntime\":2,\"realtimePeriod\":3,\"idle\":0,\"cpus\":\"0-1\",\"mems\":"
    "\"0\"},\"pids\":{\"limit\":100},\"blockIO\":{\"weight\":500,\"weightDevice\":[{\"major\":8,"
    "\"minor\":0,\"weight\":10}],\"throttleReadBpsDevice\":[{\"major\":8,\"minor\":1,\"rate\":"
    "1000}],\"throttleWriteBpsDevice\":[],\"throttleReadIOPSDevice\":[],"
    "\"throttleWriteIOPSDevice\":[]},\"hugepageLimits\":[{\"pageSize\":\"2MB\",\"limit\":4}],"
    "\"unified\":{\"memory.high\":\"5\"}},\"sysctl\":{\"net.ipv4.ip_forward\":\"1\"},"
    "\"maskedPaths\":[\"/proc/kcore\"],\"readonlyPaths\":[\"/proc/sys\"],\"seccomp\":{"
    "\"defaultAction\":\"SCMP_ACT_ERRNO\",\"defaultErrnoRet\":38,\"architectures\":["
    "\"SCMP_ARCH_X86_64\",\"SCMP_ARCH_X86\"],\"flags\":[\"SECCOMP_FILTER_FLAG_LOG\"],"
    "\"listenerPath\":\"/run/l\",\"listenerMetadata\":\"m\",\"syscalls\":[{\"names\":[\"read\","
    "\"write\"],\"action\":\"SCMP_ACT_ALLOW\"},{\"names\":[\"clone\"],\"action\":\"SCMP_ACT_"
    "ERRNO\","
    "\"errnoRet\":1,\"args\":[{\"index\":0,\"value\":18446744073709551615,\"valueTwo\":7,\"op\":"
    "\"SCMP_CMP_MASKED_EQ\"}]}]},\"rootfsPropagation\":\"rslave\"},"
    "\"annotations\":{\"a\":\"b\"},"
    "\"zlayer\":{\"layers\":[\"/l/1\",\"/l/2\"],\"user\":\"web:www\",\"extraGroups\":[\"wheel\"],"
    "\"init\":true,\"openStdin\":true,\"stopSignal\":3,\"log\":{\"maxBytes\":1048576,\"files\":3},"
    "\"seccomp\":\"unconfined\",\"network\":{\"mode\":\"bridge\",\"bridge\":\"zl-1a2b3c4d\","
    "\"link\":\"zl1a2b3c4d5e6f7\",\"address\":\"10.200.0.2\",\"prefix\":28,\"gateway\":"
    "\"10.200.0.1\",\"mtu\":1400}}}";

static const char least[] = "{\"process\":{\"args\":[\"a\"],\"cwd\":\"/\"},"
                            "\"linux\":{\"namespaces\":[{\"type\":\"mount\"}]}}";

static int parse(const char *text, struct zl_engine_config **ret, struct zl_error *err)
{
  return zl_engine_config_parse(text, strlen(text), ret, err);
}

static void process_is_read(const struct zl_process *p)
{
  assert_true(p->terminal);
  assert_int_equal(p->console_rows, 24);
  assert_int_equal(p->console_cols, 80);
  assert_int_equal(p->uid, 1000);
  assert_int_equal(p->gid, 1001);
  assert_true(p->has_umask);
  assert_int_equal(p->umask, 022);
  assert_int_equal(p->n_gids, 2);
  assert_int_equal(p->gids[1], 20);
  assert_string_equal(p->args[2], "true");
  assert_null(p->args[3]);
  assert_string_equal(p->env[1], "A=b");
  assert_string_equal(p->cwd, "/srv");
  assert_true(p->has_caps);
  assert_int_equal(p->caps.bounding, (1 << CAP_CHOWN) | (1 << CAP_KILL));
  assert_int_equal(p->caps.ambient, 1 << CAP_CHOWN);
  assert_int_equal(p->caps.inheritable, 0);
  assert_int_equal(p->n_rlimits, 2);
  assert_int_equal(p->rlimits[0].resource, RLIMIT_NOFILE);
  assert_int_equal(p->rlimits[0].soft, 1024);
  assert_int_equal(p->rlimits[0].hard, UINT64_MAX);
  assert_int_equal(p->rlimits[1].soft, UINT64_MAX);
  assert_true(p->no_new_privileges);
  assert_true(p->has_oom_score_adj);
  assert_int_equal(p->oom_score_adj, -5);
  assert_string_equal(p->user, "web:www");
  assert_string_equal(p->extra_groups[0], "wheel");
}

static void linux_is_read(const struct zl_engine_config *c)
{
  assert_true(c->namespaces[ZL_NS_PID].present);
  assert_false(c->namespaces[ZL_NS_TIME].present);
  assert_string_equal(c->namespaces[ZL_NS_IPC].path, "/proc/7/ns/ipc");
  assert_null(c->namespaces[ZL_NS_PID].path);
  assert_int_equal(c->n_uid_maps, 1);
  assert_int_equal(c->gid_maps[0].host_id, 100000);
  assert_int_equal(c->n_devices, 2);
  assert_int_equal(c->devices[0].minor, 229);
  assert_int_equal(c->devices[0].mode, 0666);
  assert_int_equal(c->devices[1].type, 'p');
  assert_string_equal(c->cgroups_path, "/zlayer-web");
  assert_string_equal(c->sysctls[0].value, "1");
  assert_string_equal(c->masked_paths[0], "/proc/kcore");
  assert_string_equal(c->readonly_paths[0], "/proc/sys");
  assert_int_equal(c->rootfs_propagation, MS_SLAVE | MS_REC);
}

static void resources_are_read(const struct zl_resources *r)
{
  assert_int_equal(r->memory_limit, 64 << 20);
  assert_int_equal(r->memory_swap, -1);
  assert_int_equal(r->memory_swappiness, 5);
  assert_int_equal(r->cpu_shares, 1024);
  assert_int_equal(r->cpu_period_us, 100000);
  assert_int_equal(r->cpu_idle, 0);
  assert_string_equal(r->cpus, "0-1");
  assert_int_equal(r->pids_limit, 100);
  assert_int_equal(r->blkio_weight, 500);
  assert_int_equal(r->blkio_weight_device.items[0].value, 10);
  assert_int_equal(r->read_bps.items[0].value, 1000);
  assert_int_equal(r->write_bps.n, 0);
  assert_string_equal(r->hugepages[0].page_size, "2MB");
  assert_string_equal(r->unified[0].key, "memory.high");
  assert_int_equal(r->n_devices, 2);
  assert_false(r->devices[0].allow);
  assert_int_equal(r->devices[0].type, 'a');
  assert_true(r->devices[0].major == ZL_UNSET);
  assert_int_equal(r->devices[1].access, ZL_DEV_READ | ZL_DEV_WRITE);
}

static void seccomp_is_read(const struct zl_seccomp_profile *s)
{
  assert_int_equal(s->default_action, SECCOMP_RET_ERRNO | 38);
  assert_true(s->compat32);
  assert_int_equal(s->flags, SECCOMP_FILTER_FLAG_LOG);
  assert_string_equal(s->listener_path, "/run/l");
  assert_int_equal(s->n_rules, 2);
  assert_string_equal(s->rules[0].names, "read write");
  assert_int_equal(s->rules[1].action, SECCOMP_RET_ERRNO | 1);
  assert_int_equal(s->rules[1].args[0].value, UINT64_MAX);
  assert_int_equal(s->rules[1].args[0].value2, 7);
  assert_int_equal(s->rules[1].args[0].op, ZL_CMP_MASKED_EQ);
}

static void private_part_is_read(const struct zl_private_config *z)
{
  assert_true(z->present);
  assert_string_equal(z->layers[1], "/l/2");
  assert_null(z->layers[2]);
  assert_true(z->init);
  assert_true(z->open_stdin);
  assert_int_equal(z->stop_signal, 3);
  assert_int_equal(z->log_max_bytes, 1 << 20);
  assert_int_equal(z->log_files, 3);
  assert_int_equal(z->seccomp, ZL_SECCOMP_UNCONFINED);
  assert_int_equal(z->network.mode, ZL_NET_BRIDGE);
  assert_string_equal(z->network.link, "zl1a2b3c4d5e6f7");
  assert_int_equal(z->network.address.s_addr, htonl(0x0ac80002));
  assert_int_equal(z->network.prefix, 28);
  assert_int_equal(z->network.mtu, 1400);
}

static void everything_is_read(void **state)
{
  zl_autoconfig *c = NULL;
  struct zl_error err = { 0 };

  (void)state;
  if (parse(full, &c, &err) != 0)
    fail_msg("%s", err.msg);
  assert_string_equal(c->root_path, "rootfs");
  assert_true(c->root_readonly);
  assert_string_equal(c->hostname, "web");
  assert_string_equal(c->domainname, "lan");
  assert_int_equal(c->n_mounts, 2);
  assert_string_equal(c->mounts[0].destination, "/proc");
  assert_true(c->mounts[1].bind && c->mounts[1].recursive && c->mounts[1].idmap);
  assert_int_equal(c->mounts[1].uid_maps[0].size, 10);
  process_is_read(&c->process);
  linux_is_read(c);
  resources_are_read(&c->resources);
  seccomp_is_read(c->seccomp);
  private_part_is_read(&c->zlayer);
}

static void what_is_not_said_has_defaults(void **state)
{
  zl_autoconfig *c = NULL;
  struct zl_error err = { 0 };

  (void)state;
  assert_int_equal(parse(least, &c, &err), 0);
  assert_non_null(c->process.env);
  assert_null(c->process.env[0]);
  assert_null(c->process.extra_groups[0]);
  assert_null(c->process.user);
  assert_false(c->process.has_caps);
  assert_false(c->process.has_umask);
  assert_false(c->process.has_oom_score_adj);
  assert_null(c->hostname);
  assert_null(c->seccomp);
  assert_null(c->cgroups_path);
  assert_non_null(c->masked_paths);
  assert_int_equal(c->rootfs_propagation, 0);
  assert_true(c->resources.memory_limit == ZL_UNSET);
  assert_true(c->resources.pids_limit == ZL_UNSET);
  assert_true(c->resources.cpu_shares == ZL_UNSET);
  assert_false(c->zlayer.present);
  assert_non_null(c->zlayer.layers);
  assert_int_equal(c->zlayer.stop_signal, 15);
  assert_int_equal(c->zlayer.log_files, ZL_DEFAULT_LOG_FILES);
  assert_int_equal(c->zlayer.network.mode, ZL_NET_NONE);
}

/* ---- Errors --------------------------------------------------------------------------------- */

/* `least` with one more member in one of its objects. */
static char *with(const char *where, const char *member)
{
  const char *at = strstr(least, where);

  assert_non_null(at);
  at += strlen(where);
  return zl_asprintf("%.*s%s,%s", (int)(at - least), least, member, at);
}

static const struct {
  const char *where, *member;
  int code;
  const char *message; /* begins with, after "config.json: " */
} wrong[] = {
#define TOP     "{"
#define PROCESS "\"process\":{"
#define LINUX   "\"linux\":{"
#define BAD     -ZL_E_INVALID
  { TOP, "\"hostname\":5", BAD, "hostname: expected a string" },
  { TOP, "\"mounts\":{}", BAD, "mounts: expected an array" },
  { TOP, "\"mounts\":[{},5]", BAD, "mounts[0].destination: must be given" },
  { TOP, "\"mounts\":[5]", BAD, "mounts[0]: expected an object" },
  { TOP, "\"mounts\":[{\"destination\":\"/a\",\"options\":[\"ro\",7]}]", BAD,
    "mounts[0].options[1]: expected a string" },
  { TOP, "\"mounts\":[{\"destination\":\"/a\",\"type\":\"bind\"}]", BAD, "mounts[0].source:" },
  { TOP,
    "\"mounts\":[{\"destination\":\"/a\",\"uidMappings\":[{\"containerID\":0,\"hostID\":0,"
    "\"size\":0}]}]",
    BAD, "mounts[0].uidMappings[0].size:" },
  { TOP, "\"mounts\":[{\"destination\":\"/a\",\"type\":\"tmpfs\",\"options\":[\"idmap\"]}]",
    -ZL_E_UNSUPPORTED, "mounts[0]: only a new bind mount" },
  { TOP,
    "\"mounts\":[{\"destination\":\"/a\",\"source\":\"/b\",\"options\":[\"bind\"],\"uidMappings\":"
    "[{\"containerID\":0,\"hostID\":0,\"size\":1}]}]",
    BAD, "mounts[0]: uidMappings and gidMappings" },
  { TOP, "\"mounts\":[{\"destination\":\"/a\",\"type\":\"proc\",\"options\":[\"tmpcopyup\"]}]", BAD,
    "mounts[0].options: tmpcopyup" },
  { TOP, "\"zlayer\":{},\"hooks\":{\"prestart\":[{\"path\":\"/x\"}]}", -ZL_E_UNSUPPORTED,
    "hooks:" },
  { TOP, "\"hostname\":\"x\"", BAD, "hostname: needs a uts namespace" },
  { PROCESS, "\"terminal\":\"yes\"", BAD, "process.terminal: expected true or false" },
  { PROCESS, "\"consoleSize\":{\"height\":70000}", BAD, "process.consoleSize.height: 70000" },
  { PROCESS, "\"user\":{\"uid\":-1}", BAD, "process.user.uid: -1 is not within" },
  { PROCESS, "\"user\":{\"uid\":4294967295}", BAD, "process.user.uid:" },
  { PROCESS, "\"user\":{\"uid\":4294967296}", BAD, "process.user.uid:" },
  { PROCESS, "\"user\":{\"gid\":1.5}", BAD, "process.user.gid: expected an integer" },
  { PROCESS, "\"user\":{\"umask\":512}", BAD, "process.user.umask:" },
  { PROCESS, "\"user\":{\"additionalGids\":[1,-2]}", BAD, "process.user.additionalGids[1]:" },
  { PROCESS, "\"capabilities\":[]", BAD, "process.capabilities: expected an object" },
  { PROCESS, "\"capabilities\":{\"bounding\":[5]}", BAD, "process.capabilities.bounding[0]:" },
  { PROCESS, "\"rlimits\":[{\"type\":\"NOFILE\",\"soft\":1,\"hard\":1}]", BAD,
    "process.rlimits[0].type: 'NOFILE'" },
  { PROCESS, "\"rlimits\":[{\"type\":\"RLIMIT_CPU\",\"soft\":2,\"hard\":1}]", BAD,
    "process.rlimits[0].soft:" },
  { PROCESS, "\"rlimits\":[{\"type\":\"RLIMIT_CPU\",\"soft\":2}]", BAD, "process.rlimits[0]:" },
  { PROCESS,
    "\"rlimits\":[{\"type\":\"RLIMIT_CPU\",\"soft\":1,\"hard\":1},{\"type\":"
    "\"RLIMIT_CPU\",\"soft\":1,\"hard\":1}]",
    BAD, "process.rlimits[1].type: given twice" },
  { PROCESS, "\"oomScoreAdj\":1001", BAD, "process.oomScoreAdj:" },
  { PROCESS, "\"apparmorProfile\":5", BAD, "process.apparmorProfile:" },
  { LINUX, "\"uidMappings\":[{\"containerID\":0,\"hostID\":0,\"size\":1}]", BAD,
    "linux.uidMappings: needs a user namespace" },
  { LINUX, "\"devices\":[{\"path\":\"/dev/x\",\"type\":\"cc\"}]", BAD, "linux.devices[0].type:" },
  { LINUX, "\"devices\":[{\"path\":\"/dev/x\",\"type\":\"c\",\"major\":1}]", BAD,
    "linux.devices[0].minor: must be given" },
  { LINUX,
    "\"cgroupsPath\":\"system.slice:zl:web\",\"namespaces\":[{\"type\":\"mount\"}]},"
    "\"zlayer\":{},\"rest\":{\"a\":1",
    -ZL_E_UNSUPPORTED, "linux.cgroupsPath: a unit of systemd" },
  { LINUX, "\"cgroupsPath\":\"../web\"", BAD, "linux.cgroupsPath: '../web'" },
  { LINUX, "\"cgroupsPath\":\"/\"", BAD, "linux.cgroupsPath:" },
  { LINUX, "\"cgroupsPath\":\"/a/../b\"", BAD, "linux.cgroupsPath:" },
  { LINUX, "\"cgroupsPath\":\"/a//b\"", BAD, "linux.cgroupsPath:" },
  { LINUX, "\"cgroupsPath\":\"/a/.\"", BAD, "linux.cgroupsPath:" },
  { LINUX, "\"cgroupsPath\":\"/a/\"", BAD, "linux.cgroupsPath:" },
  { LINUX, "\"sysctl\":{\"net.ipv4.ip_forward\":\"1\"}", BAD, "linux.sysctl: 'net.ipv4" },
  { LINUX, "\"sysctl\":{\"kernel.core_pattern\":\"x\"}", BAD, "linux.sysctl: 'kernel.core_p" },
  { LINUX, "\"sysctl\":{\"a.b\":5}", BAD, "linux.sysctl.a.b: expected a string" },
  { LINUX, "\"rootfsPropagation\":\"odd\"", BAD, "linux.rootfsPropagation: 'odd'" },
  { LINUX, "\"intelRdt\":5", BAD, "linux.intelRdt:" },
  { LINUX, "\"memoryPolicy\":{}", -ZL_E_INVALID, "linux.memoryPolicy.mode" },
  { LINUX, "\"memoryPolicy\":{\"mode\":\"MPOL_X\"}", -ZL_E_INVALID, "linux.memoryPolicy.mode" },
  { LINUX, "\"memoryPolicy\":{\"mode\":\"MPOL_BIND\",\"nodes\":\"a\"}", -ZL_E_INVALID,
    "linux.memoryPolicy.nodes" },
  { LINUX, "\"memoryPolicy\":{\"mode\":\"MPOL_BIND\",\"flags\":[\"MPOL_F_X\"]}", -ZL_E_INVALID,
    "linux.memoryPolicy.flags[0]" },
  { LINUX, "\"netDevices\":{\"eth0\":{}}", -ZL_E_INVALID, "linux.netDevices:" },
  { LINUX, "\"resources\":{\"memory\":{\"limit\":\"1\"}}", BAD, "linux.resources.memory.limit:" },
  { LINUX, "\"resources\":{\"memory\":{\"limit\":10,\"swap\":5}}", BAD,
    "linux.resources.memory.swap:" },
  { LINUX, "\"resources\":{\"cpu\":{\"idle\":2}}", BAD, "linux.resources.cpu.idle:" },
  { LINUX, "\"resources\":{\"blockIO\":{\"weight\":5}}", BAD, "linux.resources.blockIO.weight:" },
  { LINUX, "\"resources\":{\"blockIO\":{\"throttleReadBpsDevice\":[{\"major\":1}]}}", BAD,
    "linux.resources.blockIO.throttleReadBpsDevice[0].minor:" },
  { LINUX, "\"resources\":{\"hugepageLimits\":[{\"pageSize\":\"../x\"}]}", BAD,
    "linux.resources.hugepageLimits[0].pageSize:" },
  { LINUX, "\"resources\":{\"unified\":{\"../x.y\":\"1\"}}", BAD, "linux.resources.unified:" },
  { LINUX, "\"resources\":{\"devices\":[{\"allow\":true,\"access\":\"rx\"}]}", BAD,
    "linux.resources.devices[0].access:" },
  { LINUX, "\"resources\":{\"devices\":[{\"allow\":true,\"type\":\"x\"}]}", BAD,
    "linux.resources.devices[0].type:" },
  { LINUX, "\"seccomp\":{}", BAD, "linux.seccomp.defaultAction: must be given" },
  { LINUX, "\"seccomp\":{\"defaultAction\":\"ALLOW\"}", BAD, "linux.seccomp.defaultAction: 'AL" },
  { LINUX,
    "\"seccomp\":{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[{\"names\":[\"a b\"],"
    "\"action\":\"SCMP_ACT_LOG\"}]}",
    BAD, "linux.seccomp.syscalls[0].names[0]:" },
  { LINUX,
    "\"seccomp\":{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[{\"names\":[\"a\"],"
    "\"action\":\"SCMP_ACT_LOG\",\"args\":[{\"index\":6,\"op\":\"SCMP_CMP_EQ\"}]}]}",
    BAD, "linux.seccomp.syscalls[0].args[0].index:" },
  { LINUX, "\"seccomp\":{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"flags\":[\"X\"]}", BAD,
    "linux.seccomp.flags[0]: 'X'" },
  { TOP, "\"zlayer\":5", BAD, "zlayer: expected an object" },
  { TOP, "\"zlayer\":{\"layer\":[]}", BAD, "zlayer.layer: unknown member" },
  { TOP, "\"zlayer\":{\"layers\":[\"rel\"]}", BAD, "zlayer.layers[0]: 'rel'" },
  { TOP, "\"zlayer\":{\"stopSignal\":65}", BAD, "zlayer.stopSignal:" },
  { TOP, "\"zlayer\":{\"stopSignal\":\"TERM\"}", BAD, "zlayer.stopSignal: expected an integer" },
  { TOP, "\"zlayer\":{\"seccomp\":\"none\"}", BAD, "zlayer.seccomp: 'none'" },
  { TOP, "\"zlayer\":{\"log\":{\"size\":1}}", BAD, "zlayer.log.size: unknown member" },
  { TOP, "\"zlayer\":{\"log\":{\"maxBytes\":1}}", BAD, "zlayer.log.maxBytes:" },
  { TOP, "\"zlayer\":{\"network\":{\"mode\":\"nat\"}}", BAD, "zlayer.network.mode: 'nat'" },
  { TOP, "\"zlayer\":{\"network\":{\"mode\":\"none\",\"ip\":1}}", BAD,
    "zlayer.network.ip: unknown member" },
  { TOP, "\"zlayer\":{\"network\":{\"mode\":\"bridge\"}}", BAD, "zlayer.network.bridge: must be" },
  { TOP, "\"zlayer\":{\"network\":{\"mode\":\"bridge\",\"bridge\":\"aaaaaaaaaaaaaaaa\"}}", BAD,
    "zlayer.network.bridge:" },
  { TOP, "\"zlayer\":{\"network\":{\"mode\":\"bridge\",\"bridge\":\"a/b\"}}", BAD,
    "zlayer.network.bridge:" },
  { TOP,
    "\"zlayer\":{\"network\":{\"mode\":\"bridge\",\"bridge\":\"a\",\"link\":\"b\","
    "\"address\":\"10.0.0\"}}",
    BAD, "zlayer.network.address: '10.0.0'" },
  { TOP,
    "\"zlayer\":{\"network\":{\"mode\":\"bridge\",\"bridge\":\"a\",\"link\":\"b\","
    "\"address\":\"10.0.0.2\",\"gateway\":\"10.0.0.1\"}}",
    BAD, "zlayer.network.prefix:" },
  { TOP, "\"zlayer\":{\"network\":{\"mode\":\"none\"}}", BAD, "zlayer.network.mode: contradicts" },
};

static void errors_name_the_path(void **state)
{
  (void)state;
  for (size_t i = 0; i < ZL_COUNT(wrong); i++) {
    zl_autofree char *text = with(wrong[i].where, wrong[i].member);
    zl_autofree char *want = zl_asprintf("config.json: %s", wrong[i].message);
    struct zl_engine_config *c = NULL;
    struct zl_error err = { 0 };
    int r = parse(text, &c, &err);

    if (r != wrong[i].code || !zl_has_prefix(err.msg, want) || c != NULL)
      fail_msg("%s: %d '%s'", wrong[i].member, r, err.msg);
    /* The code alone is also to be had. */
    assert_int_equal(zl_engine_config_parse(text, strlen(text), &c, NULL), wrong[i].code);
  }
}

static void unknown_members_of_the_specification_are_tolerated(void **state)
{
  static const char *const where[] = { TOP, PROCESS, LINUX };

  (void)state;
  for (size_t i = 0; i < ZL_COUNT(where); i++) {
    zl_autofree char *text = with(where[i], "\"future\":{\"a\":[1,2,{\"b\":null}]}");
    zl_autoconfig *c = NULL;
    struct zl_error err = { 0 };

    assert_int_equal(parse(text, &c, &err), 0);
  }
}

static void zero_means_not_said(void **state)
{
  zl_autofree char *text =
      with(LINUX, "\"resources\":{\"memory\":{\"limit\":0,\"swap\":0,\"swappiness\":0},\"cpu\":{"
                  "\"shares\":0,\"quota\":0,\"period\":0,\"idle\":0},\"blockIO\":{\"weight\":0}}");
  zl_autoconfig *c = NULL;
  struct zl_error err = { 0 };

  (void)state;
  assert_int_equal(parse(text, &c, &err), 0);
  assert_true(c->resources.memory_limit == ZL_UNSET);
  assert_true(c->resources.memory_swap == ZL_UNSET);
  assert_true(c->resources.cpu_shares == ZL_UNSET);
  assert_true(c->resources.cpu_quota_us == ZL_UNSET);
  assert_true(c->resources.cpu_period_us == ZL_UNSET);
  assert_true(c->resources.blkio_weight == ZL_UNSET);
  /* Here it is a value. */
  assert_int_equal(c->resources.memory_swappiness, 0);
  assert_int_equal(c->resources.cpu_idle, 0);
}

static void documents_that_are_none(void **state)
{
  static const char *const texts[] = {
    "",
    "{",
    "[]",
    "5",
    "null",
    "\"x\"",
    "{}",
    "{\"process\":null}",
    "{\"process\":{}}",
    "{\"process\":{\"args\":[],\"cwd\":\"/\"}}",
    "{\"process\":{\"args\":[\"a\"]}}",
    "{\"process\":{\"args\":[\"a\"],\"cwd\":\"rel\"}}",
    "{\"process\":{\"args\":[\"\"],\"cwd\":\"/\"}}",
    "{\"process\":{\"args\":[\"a\"],\"cwd\":\"/\"}}",
    "{\"process\":{\"args\":[\"a\"],\"cwd\":\"/\"},\"process\":{}}",
    "{\"process\":{\"args\":[\"a\\u0000b\"],\"cwd\":\"/\"}}",
    ("{\"process\":{\"args\":[\"a\"],\"cwd\":\"/\"},\"linux\":{\"namespaces\":[{\"type\":"
     "\"mount\"},{\"type\":\"mount\"}]}}"),
  };

  (void)state;
  for (size_t i = 0; i < ZL_COUNT(texts); i++) {
    struct zl_engine_config *c = NULL;
    struct zl_error err = { 0 };

    assert_int_equal(parse(texts[i], &c, &err), -ZL_E_INVALID);
    assert_true(zl_has_prefix(err.msg, "config.json"));
    assert_null(c);
  }
}

/* Every value of the full document, replaced by one of every other kind: an error with a path, or a
 * document that is still right. Nothing else, and nothing leaks. */
static size_t tried;
static void mutate(json_t *doc, json_t *node);

static void try_document(const json_t *doc)
{
  zl_autofree char *text = json_dumps(doc, JSON_COMPACT);
  zl_autoconfig *c = NULL;
  struct zl_error err = { 0 };
  int r = parse(text, &c, &err);

  assert_true(r == 0 || zl_has_prefix(err.msg, "config.json: "));
  tried++;
}

static void mutate_slot(json_t *doc, json_t *node, const char *key, size_t index)
{
  json_t *others[] = { json_null(),   json_true(),        json_integer(-7), json_integer(7),
                       json_object(), json_string("odd"), json_array(),     json_real(0.5) };
  json_t *old = json_incref(key != NULL ? json_object_get(node, key) : json_array_get(node, index));

  for (size_t i = 0; i < ZL_COUNT(others); i++) {
    if (key != NULL)
      json_object_set_new(node, key, others[i]);
    else
      json_array_set_new(node, index, others[i]);
    try_document(doc);
  }
  if (key != NULL)
    json_object_set_new(node, key, old);
  else
    json_array_set_new(node, index, old);
  mutate(doc, old);
}

static void mutate(json_t *doc, json_t *node)
{
  for (size_t i = 0; json_is_array(node) && i < json_array_size(node); i++)
    mutate_slot(doc, node, NULL, i);
  if (json_is_object(node)) {
    zl_autostrv keys = NULL;
    struct zl_error err = { 0 };
    const char *key;
    json_t *value;

    json_object_foreach (node, key, value) {
      assert_int_equal(zl_strv_push(&keys, key, &err), 0);
    }
    for (size_t i = 0; keys != NULL && keys[i] != NULL; i++)
      mutate_slot(doc, node, keys[i], 0);
  }
}

static void values_of_a_wrong_kind_never_harm(void **state)
{
  zl_autofree char *text = strdup(full);
  zl_autojson *doc = NULL;
  struct zl_error err = { 0 };

  (void)state;
  for (char *at; (at = strstr(text, "18446744073709551615")) != NULL;)
    // NOLINTNEXTLINE(bugprone-not-null-terminated-result): in the middle of a text
    memcpy(at, "1                   ", 20);
  assert_int_equal(zl_json_parse(text, strlen(text), "full", &doc, &err), 0);
  mutate(doc, doc);
  assert_true(tried > 1000);
}

static void lists_have_limits(void **state)
{
  zl_autobuf buf = ZL_BUF_INIT(4 << 20);
  struct zl_engine_config *c = NULL;
  struct zl_error err = { 0 };

  (void)state;
  assert_int_equal(zl_buf_puts(&buf, "\"mounts\":[", &err), 0);
  for (int i = 0; i <= ZL_MAX_MOUNTS; i++)
    assert_int_equal(zl_buf_puts(&buf, i > 0 ? ",{\"destination\":\"/a\"}" : "{}", &err), 0);
  assert_int_equal(zl_buf_puts(&buf, "]", &err), 0);
  {
    zl_autofree char *text = with(TOP, buf.data);

    assert_int_equal(parse(text, &c, &err), -ZL_E_LIMIT);
    assert_true(zl_has_prefix(err.msg, "config.json: mounts: "));
  }
  assert_int_equal(zl_engine_config_parse(full, (size_t)ZL_MAX_BUNDLE + 1, &c, &err), -ZL_E_LIMIT);
}

/* ---- Mount options -------------------------------------------------------------------------- */

static const struct {
  const char *options; /* JSON strings */
  uint64_t set, clear, rset, rclear;
  unsigned long propagation;
  const char *data;
} option_rows[] = {
  { "", 0, 0, 0, 0, 0, "" },
  { "\"ro\"", MOUNT_ATTR_RDONLY, 0, 0, 0, 0, "" },
  { "\"ro\",\"rw\"", 0, MOUNT_ATTR_RDONLY, 0, 0, 0, "" },
  { "\"rw\",\"ro\"", MOUNT_ATTR_RDONLY, 0, 0, 0, 0, "" },
  { "\"rro\"", 0, 0, MOUNT_ATTR_RDONLY, 0, 0, "" },
  { "\"rrw\",\"rnoexec\"", 0, 0, MOUNT_ATTR_NOEXEC, MOUNT_ATTR_RDONLY, 0, "" },
  { "\"nosuid\",\"nodev\",\"noexec\"", MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC, 0,
    0, 0, 0, "" },
  { "\"noatime\"", MOUNT_ATTR_NOATIME, MOUNT_ATTR__ATIME, 0, 0, 0, "" },
  { "\"noatime\",\"relatime\"", 0, MOUNT_ATTR__ATIME, 0, 0, 0, "" },
  { "\"relatime\",\"strictatime\"", MOUNT_ATTR_STRICTATIME, MOUNT_ATTR__ATIME, 0, 0, 0, "" },
  { "\"rnoatime\"", 0, 0, MOUNT_ATTR_NOATIME, MOUNT_ATTR__ATIME, 0, "" },
  { "\"nodiratime\"", MOUNT_ATTR_NODIRATIME, 0, 0, 0, 0, "" },
  { "\"nosymfollow\"", MOUNT_ATTR_NOSYMFOLLOW, 0, 0, 0, 0, "" },
  { "\"rslave\"", 0, 0, 0, 0, MS_SLAVE | MS_REC, "" },
  { "\"shared\",\"private\"", 0, 0, 0, 0, MS_PRIVATE, "" },
  { "\"runbindable\"", 0, 0, 0, 0, MS_UNBINDABLE | MS_REC, "" },
  { "\"mode=755\",\"nosuid\",\"size=64k\"", MOUNT_ATTR_NOSUID, 0, 0, 0, 0, "mode=755,size=64k" },
  { "\"defaults\",\"sync\"", 0, 0, 0, 0, 0, "sync" },
  { "\"rdev=1\",\"rgid\"", 0, 0, 0, 0, 0, "rdev=1,rgid" },
};

static void mount_options(void **state)
{
  (void)state;
  for (size_t i = 0; i < ZL_COUNT(option_rows); i++) {
    zl_autofree char *member =
        zl_asprintf("\"mounts\":[{\"destination\":\"/a\",\"type\":\"tmpfs\",\"options\":[%s]}]",
                    option_rows[i].options);
    zl_autofree char *text = with(TOP, member);
    zl_autoconfig *c = NULL;
    struct zl_error err = { 0 };
    const struct zl_mount *m;

    assert_int_equal(parse(text, &c, &err), 0);
    m = c->mounts;
    if (m->attr_set != option_rows[i].set || m->attr_clear != option_rows[i].clear ||
        m->rattr_set != option_rows[i].rset || m->rattr_clear != option_rows[i].rclear ||
        m->propagation != option_rows[i].propagation || strcmp(m->data, option_rows[i].data) != 0)
      fail_msg("%s: %#llx %#llx %#llx %#llx %#lx '%s'", option_rows[i].options,
               (unsigned long long)m->attr_set, (unsigned long long)m->attr_clear,
               (unsigned long long)m->rattr_set, (unsigned long long)m->rattr_clear, m->propagation,
               m->data);
  }
}

/* ---- Paths ---------------------------------------------------------------------------------- */

static void relative_paths_are_taken_from_the_root(void **state)
{
  static const char *const destinations[][2] = {
    { "dev", "/dev" },         { "/dev/", "/dev" }, { "//a//b///", "/a/b" },
    { "./srv/./x", "/srv/x" }, { "/", "/" },        { "a/../b", "/a/../b" },
  };
  zl_autofree char *cgroup = with(LINUX, "\"cgroupsPath\":\"pods/web\"");
  zl_autofree char *none = with(LINUX, "\"cgroupsPath\":\"\"");
  zl_autofree char *unit = with(LINUX, "\"cgroupsPath\":\"a.slice:b:c\"");
  zl_autoconfig *c = NULL, *without = NULL, *systemd = NULL;
  struct zl_error err = { 0 };

  (void)state;
  assert_int_equal(parse(cgroup, &c, &err), 0);
  assert_string_equal(c->cgroups_path, "/pods/web");
  assert_null(c->systemd_path);
  assert_int_equal(parse(unit, &systemd, &err), 0);
  assert_null(systemd->cgroups_path);
  assert_string_equal(systemd->systemd_path, "a.slice:b:c");
  assert_int_equal(parse(none, &without, &err), 0);
  assert_null(without->cgroups_path);
  for (size_t i = 0; i < ZL_COUNT(destinations); i++) {
    zl_autofree char *member =
        zl_asprintf("\"mounts\":[{\"destination\":\"%s\",\"type\":\"tmpfs\"}]", destinations[i][0]);
    zl_autofree char *text = with(TOP, member);
    zl_autoconfig *one = NULL;

    assert_int_equal(parse(text, &one, &err), 0);
    assert_string_equal(one->mounts[0].destination, destinations[i][1]);
  }
}

/* ---- exec ----------------------------------------------------------------------------------- */

static void a_process_of_its_own(void **state)
{
  zl_autojson *good =
      json_pack("{s:[s,s],s:s,s:s}", "args", "id", "-u", "cwd", "/", "zlayerUser", "web");
  zl_autojson *bad = json_pack("{s:[s],s:s,s:i}", "args", "id", "cwd", "/", "zlayerUser", 5);
  zl_autojson *array = json_array();
  zl_autoprocess *p = NULL;
  struct zl_process *none = NULL;
  struct zl_error err = { 0 };

  (void)state;
  assert_int_equal(zl_engine_process_parse(good, "process", &p, &err), 0);
  assert_string_equal(p->args[1], "-u");
  assert_string_equal(p->user, "web");
  assert_int_equal(zl_engine_process_parse(bad, "process", &none, &err), -ZL_E_INVALID);
  assert_string_equal(err.msg, "process.zlayerUser: expected a string");
  assert_int_equal(zl_engine_process_parse(array, "process", &none, &err), -ZL_E_INVALID);
  assert_int_equal(zl_engine_process_parse(NULL, "process", &none, &err), -ZL_E_INVALID);
  assert_null(none);
}

static void namespaces_have_flags_and_files(void **state)
{
  int all = 0;

  (void)state;
  for (int i = 0; i < ZL_NS_COUNT; i++) {
    assert_int_equal(all & zl_ns_flag((enum zl_ns)i), 0);
    all |= zl_ns_flag((enum zl_ns)i);
    assert_non_null(zl_ns_file((enum zl_ns)i));
  }
  assert_int_equal(zl_ns_flag(ZL_NS_MOUNT), CLONE_NEWNS);
  assert_string_equal(zl_ns_file(ZL_NS_NETWORK), "net");
  assert_string_equal(zl_ns_file(ZL_NS_MOUNT), "mnt");
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(everything_is_read),
    cmocka_unit_test(what_is_not_said_has_defaults),
    cmocka_unit_test(errors_name_the_path),
    cmocka_unit_test(unknown_members_of_the_specification_are_tolerated),
    cmocka_unit_test(zero_means_not_said),
    cmocka_unit_test(documents_that_are_none),
    cmocka_unit_test(values_of_a_wrong_kind_never_harm),
    cmocka_unit_test(lists_have_limits),
    cmocka_unit_test(mount_options),
    cmocka_unit_test(relative_paths_are_taken_from_the_root),
    cmocka_unit_test(a_process_of_its_own),
    cmocka_unit_test(namespaces_have_flags_and_files),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
