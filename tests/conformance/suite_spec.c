/* SPDX-License-Identifier: Apache-2.0
 *
 * Fields of a service act: seen from inside the container.
 */
#include <sys/stat.h>
#include <unistd.h>

#include "box.h"

/* Of a path in a container. */
#define INSIDE(path) (box.windows ? "C:" path : path)

/* What the backend cannot do is refused, and the field is named. */
static void refused(const struct zl_service *service, enum zl_code code, const char *field)
{
  struct zl_error err = { 0 };
  char path[96];

  (void)snprintf(path, sizeof(path), "services.%s.%s", service->name, field);
  assert_int_equal(box_create_service(service, &err), -(int)code);
  assert_int_equal(err.code, code);
  /* Windows' shim reads most of a service, and says first which container it is about. */
  if (box.windows ? strstr(err.msg, path) == NULL : strncmp(err.msg, path, strlen(path)) != 0)
    fail_msg("'%s' instead of '%s'", err.msg, path);
}

/* Runs a script in a container of this service and compares what it prints. */
static void prints(struct zl_service *service, const char *script, const char *wanted)
{
  char *log;

  zl_list_clear(&service->command.entrypoint);
  OK(zl_list_add(&service->command.entrypoint, BIN "sh", &err));
  OK(zl_list_add(&service->command.entrypoint, "-c", &err));
  OK(zl_list_add(&service->command.entrypoint, script, &err));
  OK(box_create_service(service, &err));
  OK(zl_start(box.rt, box_id(service->name), &err));
  (void)box_outcome(service->name);
  log = box_log(service->name);
  if (strcmp(log, wanted) != 0)
    fail_msg("%s: '%s' instead of '%s'", script, log, wanted);
  free(log);
  OK(zl_remove(box.rt, box_id(service->name), true, &err));
}

static void image_and_service_merge(void **state)
{
  struct zl_service *service = box_service("merged", NULL);
  char *log;

  (void)state;
  OK(box_create_service(service, &err));
  OK(zl_start(box.rt, box_id("merged"), &err));
  assert_int_equal(box_outcome("merged").exit_code, 0);
  log = box_log("merged");
  assert_string_equal(log, "from the image\n");
  free(log);
  OK(zl_remove(box.rt, box_id("merged"), false, &err));
  OK(zl_list_add(&service->command.args, BIN "echo", &err));
  OK(zl_list_add(&service->command.args, "from the arguments", &err));
  OK(box_create_service(service, &err));
  OK(zl_start(box.rt, box_id("merged"), &err));
  assert_int_equal(box_outcome("merged").exit_code, 0);
  log = box_log("merged");
  assert_string_equal(log, "from the arguments\n");
  free(log);
  zl_service_free(service);
}

static void fails_to_start(const struct zl_service *service, enum zl_code code)
{
  OK(box_create_service(service, &err));
  FAILS(zl_start(box.rt, box_id(service->name), &err), (int)code);
  OK(zl_remove(box.rt, box_id(service->name), true, &err));
}

/* Accounts are Windows' own: no numbers, no groups, and one that is not there is found out at the
 * start. */
static void windows_environment_user_and_directory(void)
{
  struct zl_service *service = box_service("who", NULL);

  OK(zl_pairs_set(&service->env, "image", "replaced", &err));
  prints(service, "echo $IMAGE $PATH; pwd; whoami; hostname",
         "replaced C:\\windows\\system32;C:\\windows\nC:\\\nContainerAdministrator\nwho-rep-1\n");
  OK(zl_text_set(&service->user, "ContainerUser", &err));
  OK(zl_text_set(&service->command.workdir, "/app", &err));
  prints(service, "pwd; whoami; cat again.txt", "C:\\app\nContainerUser\nlinked base");
  OK(zl_text_set(&service->command.workdir, "C:\\nowhere", &err));
  fails_to_start(service, ZL_E_INVALID);
  OK(zl_text_set(&service->command.workdir, "C:\\", &err));
  OK(zl_text_set(&service->user, "1000:1001", &err));
  refused(service, ZL_E_INVALID, "user");
  OK(zl_text_set(&service->user, "nobody-here", &err));
  fails_to_start(service, ZL_E_NOT_FOUND);
  OK(zl_text_set(&service->user, "ContainerUser", &err));
  OK(zl_pairs_set(&service->env, "SystemRoot", "D:\\", &err));
  refused(service, ZL_E_INVALID, "env.SystemRoot");
  zl_service_free(service);
}

static void environment_user_and_directory(void **state)
{
  struct zl_service *service;

  (void)state;
  if (!box.real)
    return;
  if (box.windows) {
    windows_environment_user_and_directory();
    return;
  }
  service = box_service("who", NULL);
  OK(zl_pairs_set(&service->env, "IMAGE", "replaced", &err));
  prints(service, "echo $IMAGE $HOSTNAME $PATH $PWD $(id -u)", "replaced who-rep-1 /bin /srv 0\n");
  OK(zl_text_set(&service->user, "web", &err));
  OK(zl_text_set(&service->command.workdir, "/tmp", &err));
  OK(zl_list_add(&service->extra_groups, "extra", &err));
  prints(service, "echo $PWD $(id -u) $(id -g) $HOME; id -G", "/tmp 1000 1001 /srv\n1001 2000\n");
  OK(zl_text_set(&service->user, "nobody-here", &err));
  FAILS(box_create_service(service, &err), ZL_E_NOT_FOUND);
  zl_service_free(service);
}

static void capabilities_are_the_default_set_or_as_asked(void **state)
{
  struct zl_service *service;

  (void)state;
  SKIP_ON_WINDOWS("capabilities are of Linux; that they are refused is a case of its own");
  if (!box.real)
    return;
  service = box_service("caps", NULL);
  prints(service, "grep CapEff /proc/self/status", "CapEff:\t00000000a80425fb\n");
  OK(zl_list_add(&service->cap_drop, "ALL", &err));
  prints(service, "grep CapEff /proc/self/status", "CapEff:\t0000000000000000\n");
  OK(zl_list_add(&service->capabilities, "cap_net_raw", &err));
  OK(zl_list_add(&service->capabilities, "CHOWN", &err));
  prints(service, "grep CapEff /proc/self/status", "CapEff:\t0000000000002001\n");
  zl_list_clear(&service->capabilities);
  OK(zl_list_add(&service->security_opt, "no-new-privileges", &err));
  prints(service, "grep NoNewPrivs /proc/self/status", "NoNewPrivs:\t1\n");
  zl_service_free(service);
}

static void dangerous_files_are_masked(void **state)
{
  struct zl_service *service;

  (void)state;
  SKIP_ON_WINDOWS("there is no /proc and no /sys");
  if (!box.real)
    return;
  service = box_service("masked", NULL);
  prints(
      service,
      "cat /proc/interrupts | wc -c; (echo 1 > /proc/sys/kernel/panic) 2>/dev/null || echo refused;"
      "(touch /sys/x) 2>/dev/null || echo refused; grep -c Seccomp:.2 /proc/self/status",
      "0\nrefused\nrefused\n1\n");
  zl_service_free(service);
}

/* A directory of the host with a file "there", bound to "bound", a named volume and one of its own.
 */
static struct zl_service *service_with_storage(void)
{
  struct zl_service *service = box_service("stored", NULL);
  char source[128], bind[192];
  FILE *file;

  (void)snprintf(source, sizeof(source), "%s%sbound", box.scratch, box.windows ? "\\" : "/");
  assert_true(mkdir(source, 0755) == 0 || errno == EEXIST);
  (void)snprintf(bind, sizeof(bind), "%s/there", source);
  file = fopen(bind, "wb");
  assert_true(file != NULL && fputs("of the host\n", file) >= 0 && fclose(file) == 0);
  (void)snprintf(bind, sizeof(bind), "%s:%s:ro", source, INSIDE("/bound"));
  OK(zl_storage_parse(service, bind, &err));
  OK(zl_storage_parse(service, box.windows ? "shared-data:C:\\data" : "shared-data:/data", &err));
  OK(zl_storage_parse(service, INSIDE("/scratch"), &err));
  return service;
}

static void storage_is_mounted(void **state)
{
  struct zl_service *service;

  (void)state;
  if (!box.real)
    return;
  service = service_with_storage();
  if (box.windows) {
    prints(service,
           "cat C:\\bound\\there; touch C:\\bound\\x 2>/dev/null || echo refused; "
           "echo kept > C:\\data\\file; touch C:\\scratch\\x; ls C:\\scratch",
           "of the host\nrefused\nx\n");
    prints(service, "cat C:\\data\\file; ls C:\\scratch; ls C:\\bound", "kept\nthere\n");
    zl_service_free(service);
    assert_int_equal(box_count("SELECT count(*) FROM volumes"), 1);
    return;
  }
  OK(zl_tmpfs_parse(service, "/ram:size=1M,mode=0700", &err));
  prints(service, "cat /bound/there", "of the host\n");
  prints(service,
         "(touch /bound/x) 2>/dev/null || echo refused; echo kept > /data/file; touch /scratch/x;"
         "stat -c %a /ram; dd if=/dev/zero of=/ram/x bs=1M count=2 2>/dev/null || echo full",
         "refused\n700\nfull\n");
  prints(service, "cat /data/file; ls /scratch", "kept\n");
  zl_service_free(service);
  assert_int_equal(box_count("SELECT count(*) FROM volumes"), 1);
}

static void unused_volumes_are_pruned(void **state)
{
  struct zl_prune_options options = { .containers = true, .volumes = true };
  struct zl_prune_result result = { 0 };

  (void)state;
  if (!box.real)
    return;
  box_run("ended", ARGV(BIN "true"));
  (void)box_outcome("ended");
  box_create("waiting", ARGV(BIN "true"));
  options.dry_run = true;
  OK(zl_prune(box.rt, &options, &result, &err));
  assert_int_equal(result.containers, 1);
  assert_int_equal(result.volumes, 1);
  options.dry_run = false;
  OK(zl_prune(box.rt, &options, &result, &err));
  assert_int_equal(result.containers, 1);
  assert_int_equal(result.volumes, 1);
  OK(zl_prune(box.rt, &options, &result, &err));
  assert_int_equal(result.containers + result.volumes, 0);
  (void)box_await("waiting", ZL_STATE_INITIALIZING);
}

static void a_read_only_root_cannot_be_written(void **state)
{
  struct zl_service *service;

  (void)state;
  SKIP_ON_WINDOWS(
      "their system writes to its disk; that the field is refused is a case of its own");
  if (!box.real)
    return;
  service = box_service("fixed", NULL);
  service->read_only_root_fs = true;
  prints(service, "(touch /srv/x) 2>/dev/null || echo refused", "refused\n");
  zl_service_free(service);
}

static int count_processors(void)
{
  char *text = NULL;
  json_t *info;
  int n;

  OK(zl_info(box.rt, &text, &err));
  info = json_loads(text, 0, NULL);
  n = (int)json_integer_value(json_object_get(info, "cpus"));
  json_decref(info);
  free(text);
  return n;
}

/* As the compute service counts: ten-thousandths of the host for a container, thousandths of a per
 * cent of its own processors for a machine. */
static void windows_limits(void)
{
  struct zl_service *service = box_service("limited", NULL);
  struct zl_stats stats;
  char wanted[96];
  int n = count_processors();

  service->resources.memory = 64 << 20;
  service->resources.cpu = 0.5;
  (void)snprintf(wanted, sizeof(wanted), "count %d maximum %d limit %d memory 64\n",
                 box.machines ? 1 : 0, box.machines ? 0 : (5000 + n / 2) / n,
                 box.machines ? 50000 : 0);
  prints(service, "limits", wanted);
  service->resources.cpu = 1;
  (void)snprintf(wanted, sizeof(wanted), "count 1 maximum 0 limit 0 memory 64\n");
  prints(service, "limits", wanted);
  zl_list_clear(&service->command.entrypoint);
  OK(zl_list_add(&service->command.entrypoint, BIN "sleep", &err));
  OK(zl_list_add(&service->command.entrypoint, "60", &err));
  OK(box_create_service(service, &err));
  OK(zl_start(box.rt, box_id("limited"), &err));
  OK(zl_container_stats(box.rt, box_id("limited"), &stats, &err));
  assert_int_equal(stats.memory_limit, 64 << 20);
  zl_service_free(service);
}

static void limits_are_in_force(void **state)
{
  struct zl_service *service;

  (void)state;
  if (!box.real)
    return;
  if (box.windows) {
    windows_limits();
    return;
  }
  service = box_service("limited", NULL);
  OK(zl_ulimit_parse(service, "nofile=123:456", &err));
  OK(zl_pairs_set(&service->sysctls, "net.ipv4.ip_forward", "1", &err));
  service->resources.memory = 64 << 20;
  service->resources.pids_limit = 5;
  service->resources.has_oom_score_adj = true;
  service->resources.oom_score_adj = 500;
  prints(service,
         "ulimit -n; ulimit -Hn; cat /proc/sys/net/ipv4/ip_forward; cat /proc/self/oom_score_adj;"
         "for i in 1 2 3 4 5 6 7 8; do sleep 1 & done 2>/dev/null; echo never",
         "123\n456\n1\n500\n");
  zl_service_free(service);
}

static void an_init_reaps_and_passes_signals_on(void **state)
{
  struct zl_service *service;

  (void)state;
  SKIP_ON_WINDOWS("Windows has no orphans to reap; that the field is refused is a case of its own");
  if (!box.real)
    return;
  service = box_service("initial", NULL);
  service->init_container = true;
  prints(service, "echo $$; test $$ -ne 1 && exit 3", "2\n");
  zl_service_free(service);
}

static void a_user_namespace_maps_everything(void **state)
{
  struct zl_service *service;

  (void)state;
  SKIP_ON_WINDOWS("there are no user namespaces; that the field is refused is a case of its own");
  if (!box.real)
    return;
  service = box_service("mapped", NULL);
  service->userns_mode = ZL_USERNS_PRIVATE;
  OK(zl_storage_parse(service, "mapped-data:/data", &err));
  if (box.machines)
    refused(service, ZL_E_UNSUPPORTED, "userns_mode");
  else
    prints(service,
           "id -u; stat -c %u /bin/busybox; touch /srv/x /data/x && stat -c %u /srv/x /data/x;"
           "awk '{ print $1, ($2 >= 1073741824), $3 }' /proc/self/uid_map",
           "0\n0\n0\n0\n0 1 65536\n");
  zl_service_free(service);
}

static void a_privileged_container_has_everything(void **state)
{
  struct zl_service *service;

  (void)state;
  SKIP_ON_WINDOWS(
      "nothing makes a container one of the host; that the field is refused is a case of its own");
  if (!box.real)
    return;
  service = box_service("mighty", NULL);
  service->privileged = true;
  prints(service,
         "mount -t tmpfs none /tmp && echo mounted; test -c /dev/kmsg && echo device;"
         "grep Seccomp: /proc/self/status",
         "mounted\ndevice\nSeccomp:\t0\n");
  zl_service_free(service);
}

static void what_this_node_has_not_is_refused(void **state)
{
  struct zl_service *service = box_service("odd", ARGV(BIN "true"));

  (void)state;
  service->isolation = ZL_ISOLATION_HYPERV;
  box_hide_machines(true);
  if (box.real)
    refused(service, ZL_E_UNSUPPORTED, "isolation");
  box_hide_machines(false);
  service->isolation = box.isolation;
  OK(zl_list_add(&service->cap_drop, "NOT_A_CAP", &err));
  FAILS(box_create_service(service, &err), ZL_E_INVALID);
  zl_list_clear(&service->cap_drop);
  OK(zl_service_set_image(service, "oci:/no/such/layout", &err));
  FAILS(box_create_service(service, &err), ZL_E_NOT_FOUND);
  zl_service_free(service);
}

static void bad_sources_are_refused(void **state)
{
  struct zl_service *service;

  (void)state;
  if (!box.real)
    return;
  service = box_service("sourceless", ARGV(BIN "true"));
  OK(zl_storage_parse(service, box.windows ? "C:\\no\\such:C:\\x" : "/no/such/directory:/x", &err));
  FAILS(box_create_service(service, &err), ZL_E_NOT_FOUND);
  zl_service_free(service);
  service = box_service("deviceless", ARGV(BIN "true"));
  OK(zl_device_parse(service, "/dev/no-such-device", &err));
  if (box.machines || box.windows)
    refused(service, ZL_E_UNSUPPORTED, "devices");
  else
    FAILS(box_create_service(service, &err), ZL_E_NOT_FOUND);
  zl_service_free(service);
}

/* ---- What needs an object of the node
 * -------------------------------------------------------------------------------------- */

static void set_network_host(struct zl_service *s)
{
  OK(zl_network_mode_parse(s, "host", &err));
}

static void set_network_container(struct zl_service *s)
{
  OK(zl_network_mode_parse(s, "container:other-rep-1", &err));
}

static void set_pid_mode(struct zl_service *s)
{
  s->pid_mode = ZL_NS_HOST;
}

static void set_ipc_mode(struct zl_service *s)
{
  s->ipc_mode = ZL_NS_HOST;
}

static void set_device(struct zl_service *s)
{
  OK(zl_device_parse(s, "/dev/null", &err));
}

static void set_cgroup_parent(struct zl_service *s)
{
  OK(zl_text_set(&s->cgroup_parent, "elsewhere", &err));
}

static void set_cpuset(struct zl_service *s)
{
  OK(zl_text_set(&s->resources.cpuset, "0", &err));
}

static void set_cpu_shares(struct zl_service *s)
{
  s->resources.cpu_shares = 512;
}

static void set_blkio_weight(struct zl_service *s)
{
  s->resources.blkio_weight = 100;
}

static void set_swap(struct zl_service *s)
{
  s->resources.memory = 64 << 20;
  s->resources.memory_swap = 128 << 20;
}

static void set_swappiness(struct zl_service *s)
{
  s->resources.has_memory_swappiness = true;
}

static void set_many_processors(struct zl_service *s)
{
  s->resources.cpu = 33;
}

static void set_file(struct zl_service *s)
{
  OK(zl_storage_parse(s, "/etc/passwd:/etc/passwd:ro", &err));
}

static void set_many_volumes(struct zl_service *s)
{
  char text[32];

  for (int i = 0; i < 9; i++) {
    (void)snprintf(text, sizeof(text), "vol-%d:/v%d", i, i);
    OK(zl_storage_parse(s, text, &err));
  }
}

/* What a kind of container has not, and the field that the refusal names. */
struct gap {
  void (*set)(struct zl_service *s);
  const char *field;
};

static void are_refused(const struct gap *gaps, size_t n)
{
  for (size_t i = 0; i < n; i++) {
    struct zl_service *service = box_service("refused", ARGV(BIN "true"));

    gaps[i].set(service);
    refused(service, ZL_E_UNSUPPORTED, gaps[i].field);
    zl_service_free(service);
  }
}

static void what_a_machine_has_not_is_refused(void **state)
{
  static const struct gap gaps[] = {
    { set_network_host, "network_mode" },
    { set_network_container, "network_mode" },
    { set_pid_mode, "pid_mode" },
    { set_ipc_mode, "ipc_mode" },
    { set_device, "devices" },
    { set_cgroup_parent, "cgroup_parent" },
    { set_cpuset, "resources.cpuset" },
    { set_cpu_shares, "resources.cpu_shares" },
    { set_blkio_weight, "resources.blkio_weight" },
    { set_swap, "resources.memory_swap" },
    { set_swappiness, "resources.memory_swappiness" },
    { set_many_processors, "resources.cpu" },
    { set_file, "storage[0].source" },
    { set_many_volumes, "storage" },
  };

  (void)state;
  SKIP_ON_WINDOWS("their machines have other gaps, in a case of its own");
  if (box.machines)
    are_refused(gaps, sizeof(gaps) / sizeof(gaps[0]));
}

/* ---- What Windows has nothing for
 * -------------------------------------------------------------------------------------- */

static void set_privileged(struct zl_service *s)
{
  s->privileged = true;
}

static void set_capability(struct zl_service *s)
{
  OK(zl_list_add(&s->capabilities, "NET_RAW", &err));
}

static void set_dropped_capability(struct zl_service *s)
{
  OK(zl_list_add(&s->cap_drop, "ALL", &err));
}

static void set_security_option(struct zl_service *s)
{
  OK(zl_list_add(&s->security_opt, "no-new-privileges", &err));
}

static void set_sysctl(struct zl_service *s)
{
  OK(zl_pairs_set(&s->sysctls, "net.ipv4.ip_forward", "1", &err));
}

static void set_ulimit(struct zl_service *s)
{
  OK(zl_ulimit_parse(s, "nofile=123:456", &err));
}

static void set_group(struct zl_service *s)
{
  OK(zl_list_add(&s->extra_groups, "extra", &err));
}

static void set_user_namespace(struct zl_service *s)
{
  s->userns_mode = ZL_USERNS_PRIVATE;
}

static void set_init(struct zl_service *s)
{
  s->init_container = true;
}

static void set_read_only(struct zl_service *s)
{
  s->read_only_root_fs = true;
}

static void set_extra_host(struct zl_service *s)
{
  OK(zl_list_add(&s->extra_hosts, "db:10.9.8.7", &err));
}

static void set_pids_limit(struct zl_service *s)
{
  s->resources.pids_limit = 5;
}

static void set_reservation(struct zl_service *s)
{
  s->resources.memory = 64 << 20;
  s->resources.memory_reservation = 32 << 20;
}

static void set_oom_score(struct zl_service *s)
{
  s->resources.has_oom_score_adj = true;
  s->resources.oom_score_adj = 500;
}

static void set_oom_kill(struct zl_service *s)
{
  s->resources.oom_kill_disable = true;
}

static void set_tmpfs(struct zl_service *s)
{
  OK(zl_tmpfs_parse(s, "C:\\ram:size=1M", &err));
}

static void what_windows_has_not_is_refused(void **state)
{
  static const struct gap gaps[] = {
    { set_privileged, "privileged" },
    { set_capability, "capabilities" },
    { set_dropped_capability, "cap_drop" },
    { set_security_option, "security_opt" },
    { set_sysctl, "sysctls" },
    { set_ulimit, "ulimits" },
    { set_group, "extra_groups" },
    { set_user_namespace, "userns_mode" },
    { set_pid_mode, "pid_mode" },
    { set_ipc_mode, "ipc_mode" },
    { set_cgroup_parent, "cgroup_parent" },
    { set_init, "init_container" },
    { set_read_only, "read_only_root_fs" },
    { set_device, "devices" },
    { set_extra_host, "extra_hosts" },
    { set_network_host, "network_mode" },
    { set_network_container, "network_mode" },
    { set_cpuset, "resources.cpuset" },
    { set_cpu_shares, "resources.cpu_shares" },
    { set_blkio_weight, "resources.blkio_weight" },
    { set_swap, "resources.memory_swap" },
    { set_swappiness, "resources.memory_swappiness" },
    { set_pids_limit, "resources.pids_limit" },
    { set_reservation, "resources.memory_reservation" },
    { set_oom_score, "resources.oom_score_adj" },
    { set_oom_kill, "resources.oom_kill_disable" },
    { set_tmpfs, "storage[0].type" },
  };

  (void)state;
  SKIP_IF(!box.windows, "these have a meaning here");
  are_refused(gaps, sizeof(gaps) / sizeof(gaps[0]));
}

static void a_terminal_is_one(void **state)
{
  struct zl_service *service;
  char *log;

  (void)state;
  if (!box.real)
    return;
  service = box_service("screen", box.windows ? SH("console && echo xterm")
                                              : SH("test -t 0 && test -t 1 && echo $TERM"));
  service->tty = true;
  OK(box_create_service(service, &err));
  zl_service_free(service);
  OK(zl_start(box.rt, box_id("screen"), &err));
  assert_int_equal(box_outcome("screen").exit_code, 0);
  log = box_log("screen");
  assert_non_null(strstr(log, "xterm"));
  free(log);
}

int suite_spec(void)
{
  const struct CMUnitTest cases[] = {
    CASE(image_and_service_merge),
    CASE(environment_user_and_directory),
    CASE(capabilities_are_the_default_set_or_as_asked),
    CASE(dangerous_files_are_masked),
    CASE(storage_is_mounted),
    CASE(unused_volumes_are_pruned),
    CASE(a_read_only_root_cannot_be_written),
    CASE(limits_are_in_force),
    CASE(an_init_reaps_and_passes_signals_on),
    CASE(a_user_namespace_maps_everything),
    CASE(a_privileged_container_has_everything),
    CASE(what_this_node_has_not_is_refused),
    CASE(bad_sources_are_refused),
    CASE(what_a_machine_has_not_is_refused),
    CASE(what_windows_has_not_is_refused),
    CASE(a_terminal_is_one),
  };

  return cmocka_run_group_tests_name("spec", cases, NULL, NULL);
}
