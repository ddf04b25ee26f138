/* SPDX-License-Identifier: Apache-2.0
 *
 * Containers in both isolations through the real table of functions, against the doubles of
 * Windows' services (tests/hcs-sim): "cases" are the acceptance's three, "rows" what hosts and
 * guests are known to do, "process" and "hyperv" make each call of a container's life fail once.
 */
#include <windows.h>

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hcs-sim/control.h"

#include "base/json.h"
#include "base/path.h"
#include "base/time.h"
#include "image/image.h"
#include "runtime/hcs/instance.h"
#include "runtime/hcs/privilege.h"

#define YAML                                                              \
  "version: v1\n"                                                         \
  "deployment: hcs-hyperv-e2e\n"                                          \
  "services:\n"                                                           \
  "  echo:\n"                                                             \
  "    platform: { os: windows, arch: amd64 }\n"                          \
  "    image: { name: mcr.example.com/nanoserver:ltsc2022 }\n"            \
  "    command: { entrypoint: [cmd, /c, echo, hello from hyperv] }\n"     \
  "    scale: { mode: fixed, replicas: 1 }\n"                             \
  "  longlived:\n"                                                        \
  "    platform: { os: windows, arch: amd64 }\n"                          \
  "    image: { name: mcr.example.com/nanoserver:ltsc2022 }\n"            \
  "    command: { entrypoint: [cmd, /c, ping, -n, \"60\", 127.0.0.1] }\n" \
  "    scale: { mode: fixed, replicas: 1 }\n"

static char root[MAX_PATH];
static char *layers[2];
static struct zl_hcs_node node;
static struct zl_deployment *deployment;
static const struct zl_image_config image;

static _Noreturn void give_up(const char *what, const struct zl_error *err)
{
  (void)fprintf(stderr, "%s: %s\n", what, err != NULL ? err->msg : "");
  (void)hcs_sim_stop();
  exit(1);
}

#define NEED(what)          \
  do {                      \
    if (!(what))            \
      give_up(#what, NULL); \
  } while (0)
#define TRY(call)                               \
  do {                                          \
    struct zl_error err_ = { 0 }, *err = &err_; \
    if ((call) < 0)                             \
      give_up(#call, err);                      \
  } while (0)

/* ---- An image ---- */

static char *at(const char *fmt, ...)
{
  char text[MAX_PATH];
  char *path = calloc(1, MAX_PATH);
  va_list ap;

  va_start(ap, fmt);
  (void)vsnprintf(text, sizeof(text), fmt, ap);
  va_end(ap);
  NEED(path != NULL);
  (void)snprintf(path, MAX_PATH, "%s\\%s", root, text);
  return path;
}

static void make_dirs(const char *path)
{
  char part[MAX_PATH];

  for (size_t i = 3; path[i] != '\0'; i++)
    if (path[i] == '\\') {
      (void)snprintf(part, sizeof(part), "%.*s", (int)i, path);
      (void)CreateDirectoryA(part, NULL);
    }
  (void)CreateDirectoryA(path, NULL);
}

static void make_file(const char *path)
{
  FILE *file = fopen(path, "wb");

  NEED(file != NULL);
  (void)fputs("boot\n", file);
  (void)fclose(file);
}

static void process_image(zl_hr (*fn)(const zl_wchar *path), const char *path)
{
  zl_wchar *wide = NULL;

  TRY(zl_wide_new(path, &wide, err));
  NEED(fn(wide) == 0);
  free(wide);
}

static void make_image(void)
{
  layers[0] = at("layers\\aaaa0001");
  layers[1] = at("layers\\bbbb0002");
  make_dirs(at("layers\\aaaa0001\\Files"));
  make_dirs(at("layers\\bbbb0002\\Files"));
  make_dirs(at("layers\\bbbb0002\\Hives"));
  make_dirs(at("layers\\bbbb0002\\UtilityVM\\Files\\EFI\\Microsoft\\Boot"));
  make_file(at("layers\\bbbb0002\\UtilityVM\\Files\\EFI\\Microsoft\\Boot\\bootmgfw.efi"));
  process_image(node.api->ProcessBaseImage, layers[1]);
  process_image(node.api->ProcessUtilityImage, at("layers\\bbbb0002\\UtilityVM"));
}

/* ---- Containers ---- */

struct seen {
  char out[4096];
};

static void output(void *ctx, bool is_err, const void *data, size_t len)
{
  struct seen *seen = ctx;
  size_t have = strlen(seen->out);

  (void)is_err;
  if (have + len < sizeof(seen->out))
    memcpy(seen->out + have, data, len);
}

static struct zl_hcs_instance *create(const char *service, const char *id, const char *address,
                                      enum zl_isolation isolation, struct seen *seen)
{
  const struct zl_hcs_link link = {
    .slice = "10.220.99.16/28", .address = address, .gateway = "10.220.99.17", .prefix = 28
  };
  const struct zl_hcs_instance_hooks hooks = { .ctx = seen, .output = output };
  struct zl_hcs_instance_spec spec = { .id = id,
                                       .dir = at("%s", id),
                                       .service = zl_service_find(deployment, service),
                                       .image = &image,
                                       .isolation = isolation,
                                       .layers = layers,
                                       .n_layers = 2,
                                       .link = &link,
                                       .scratch_bytes = UINT64_C(25) << 30 };
  struct zl_hcs_instance *instance = NULL;

  make_dirs(spec.dir);
  TRY(zl_hcs_instance_create(&node, &spec, &hooks, &instance, err));
  return instance;
}

static void drop(struct zl_hcs_instance *instance)
{
  TRY(zl_hcs_instance_remove(instance, err));
  zl_hcs_instance_free(instance);
}

static void check_clean(const char *what)
{
  char why[4096];

  if (hcs_sim_leaks(1, why, sizeof(why)) != 0) {
    (void)fprintf(stderr, "%s leaves:\n%s", what, why);
    give_up(what, NULL);
  }
  (void)printf("ok %s\n", what);
}

static void smoke(enum zl_isolation isolation, const char *what)
{
  struct zl_hcs_status status;
  struct seen seen = { "" };
  struct zl_hcs_instance *one = create("echo", "smoke-rep-1", "10.220.99.18", isolation, &seen);

  TRY(zl_hcs_instance_start(one, err));
  TRY(zl_hcs_instance_wait(one, zl_time_boot() + 60 * ZL_NS_PER_S, err));
  zl_hcs_instance_status(one, &status);
  if (!status.code_known)
    give_up(status.why, NULL);
  NEED(status.code == 0);
  NEED(strstr(seen.out, "hello from hyperv") != NULL);
  drop(one);
  check_clean(what);
}

static void run_hostname(struct zl_hcs_instance *one)
{
  zl_autojson *parameters = json_pack("{s:s, s:b, s:b}", "CommandLine", "cmd /c hostname",
                                      "CreateStdOutPipe", 1, "CreateStdErrPipe", 1);
  const struct zl_hcs_task_options options = { .parameters = parameters, .out = true, .err = true };
  struct zl_hcs_task *task = NULL;
  char out[256] = "";
  size_t len = 0;
  uint32_t code = 77;
  int got;

  TRY(zl_hcs_instance_exec(one, &options, &task, err));
  while (len < sizeof(out) - 1 &&
         (got = task->out.read(task->out.ctx, out + len, sizeof(out) - 1 - len, NULL)) > 0)
    len += (size_t)got;
  TRY(zl_hcs_task_wait(task, zl_time_boot() + 60 * ZL_NS_PER_S, &code, err));
  NEED(code == 0);
  NEED(len > 0);
  zl_hcs_instance_exec_close(one, task);
}

static void exec_inside(enum zl_isolation isolation, const char *what)
{
  struct zl_hcs_status status;
  struct seen seen = { "" };
  struct zl_hcs_instance *one = create("longlived", "exec-rep-1", "10.220.99.18", isolation, &seen);

  TRY(zl_hcs_instance_start(one, err));
  run_hostname(one);
  zl_hcs_instance_status(one, &status);
  NEED(status.phase == ZL_HCS_RUNNING);
  TRY(zl_hcs_instance_stop(one, ZL_HCS_CTRL_SHUTDOWN, 5000, err));
  drop(one);
  check_clean(what);
}

static void *start(void *ctx)
{
  TRY(zl_hcs_instance_start(ctx, err));
  return NULL;
}

static void pair(enum zl_isolation isolation, const char *what)
{
  struct seen seen_a = { "" }, seen_b = { "" };
  struct zl_hcs_instance *a =
      create("longlived", "pair-a-rep-1", "10.220.99.18", isolation, &seen_a);
  struct zl_hcs_instance *b =
      create("longlived", "pair-b-rep-1", "10.220.99.19", isolation, &seen_b);
  struct zl_hcs_status status;
  pthread_t threads[2];

  NEED(pthread_create(&threads[0], NULL, start, a) == 0);
  NEED(pthread_create(&threads[1], NULL, start, b) == 0);
  NEED(pthread_join(threads[0], NULL) == 0 && pthread_join(threads[1], NULL) == 0);
  TRY(zl_hcs_instance_stop(a, ZL_HCS_CTRL_SHUTDOWN, 10000, err));
  drop(a);
  zl_hcs_instance_status(b, &status);
  NEED(status.phase == ZL_HCS_RUNNING);
  TRY(zl_hcs_instance_stop(b, ZL_HCS_CTRL_SHUTDOWN, 10000, err));
  drop(b);
  check_clean(what);
}

/* ---- Every call, failing once ---- */

/* What cannot fail on a host either: it gives no result, or nobody could do anything about it. */
static bool is_sure(const char *name)
{
  static const char *const sure[] = { "Close", "Free", "closesocket", "GetOperation", "RtlGet" };

  for (size_t i = 0; i < ZL_COUNT(sure); i++)
    if (strstr(name, sure[i]) != NULL)
      return true;
  return false;
}

/* Names of all calls so far, each with how often it was made. */
static json_t *count_calls(void)
{
  json_t *journal = NULL, *counts = json_object(), *entry;
  size_t i;

  NEED(hcs_sim_journal(&journal) == 0 && counts != NULL);
  json_array_foreach (journal, i, entry) {
    const char *name = json_string_value(json_object_get(entry, "call"));
    json_int_t n = json_integer_value(json_object_get(counts, name));

    if (!is_sure(name))
      NEED(json_object_set_new(counts, name, json_integer(n + 1)) == 0);
  }
  json_decref(journal);
  return counts;
}

/* A life in which what fails is asked for again without the fault, and has to work then. */
static void live(enum zl_isolation isolation, const char *what)
{
  const struct zl_hcs_link link = {
    .slice = "10.220.99.16/28", .address = "10.220.99.18", .gateway = "10.220.99.17", .prefix = 28
  };
  struct zl_hcs_instance_spec spec = { .id = "sweep-rep-1",
                                       .dir = at("sweep-rep-1"),
                                       .service = zl_service_find(deployment, "echo"),
                                       .image = &image,
                                       .isolation = isolation,
                                       .layers = layers,
                                       .n_layers = 2,
                                       .link = &link,
                                       .scratch_bytes = UINT64_C(25) << 30 };
  struct zl_hcs_instance *one = NULL;
  struct zl_error why = { 0 };
  char leaks[4096];

  make_dirs(spec.dir);
  if (zl_hcs_instance_create(&node, &spec, NULL, &one, &why) < 0) {
    (void)printf("  %s: %s\n", what, why.msg);
    if (hcs_sim_leaks(1, leaks, sizeof(leaks)) != 0)
      give_up(leaks, &why);
    TRY(zl_hcs_instance_create(&node, &spec, NULL, &one, err));
  }
  if (zl_hcs_instance_start(one, &why) < 0) {
    (void)printf("  %s: %s\n", what, why.msg);
    TRY(zl_hcs_instance_start(one, err));
  }
  TRY(zl_hcs_instance_wait(one, zl_time_boot() + 90 * ZL_NS_PER_S, err));
  if (zl_hcs_instance_remove(one, &why) < 0) {
    (void)printf("  %s: %s\n", what, why.msg);
    TRY(zl_hcs_instance_remove(one, err));
  }
  zl_hcs_instance_free(one);
  if (hcs_sim_leaks(1, leaks, sizeof(leaks)) != 0)
    give_up(leaks, NULL);
}

static void sweep(enum zl_isolation isolation, const char *what)
{
  json_t *counts, *count;
  const char *name;
  unsigned points = 0;

  NEED(hcs_sim_forget() == 0);
  live(isolation, what);
  counts = count_calls();
  json_object_foreach (counts, name, count) {
    for (json_int_t nth = 1; nth <= json_integer_value(count); nth++) {
      char knob[128];

      (void)snprintf(knob, sizeof(knob), "%s nth=%d hr=0x80004005", name, (int)nth);
      NEED(hcs_sim_set(knob) == 0);
      live(isolation, knob);
      NEED(hcs_sim_clear() == 0);
      points++;
    }
  }
  json_decref(counts);
  (void)printf("ok %s: %u points\n", what, points);
}

/* ---- What hosts and guests are known to do ---- */

struct row {
  const char *knob;
  enum zl_isolation isolation;
  enum zl_code code; /* ZL_OK: it runs all the same */
  const char *text;  /* in the error */
};
#define HOST  ZL_ISOLATION_PROCESS
#define GUEST ZL_ISOLATION_HYPERV

static const struct row rows[] = {
  /* guests */
  { "guest:dial do=never", GUEST, ZL_E_TIMEOUT, "has not dialled" },
  { "guest:dial do=crash", GUEST, ZL_E_REMOTE, "ended before its guest dialled" },
  { "guest:dial do=drop", GUEST, ZL_E_REMOTE, "negotiation: " },
  { "guest:NegotiateProtocol do=version", GUEST, ZL_E_UNSUPPORTED, "negotiation: " },
  { "guest:NegotiateProtocol do=dropafter", GUEST, ZL_E_REMOTE, "connection to the guest: " },
  { "guest:NegotiateProtocol do=huge", GUEST, ZL_E_REMOTE, "negotiation: " },
  { "guest:NegotiateProtocol do=short", GUEST, ZL_E_REMOTE, "negotiation: " },
  { "guest:NegotiateProtocol do=garbage", GUEST, ZL_E_REMOTE, "negotiation: " },
  { "guest:NegotiateProtocol do=wrongid", GUEST, ZL_E_REMOTE, "negotiation: " },
  { "guest:NegotiateProtocol do=wrongtype", GUEST, ZL_E_REMOTE, "negotiation: " },
  { "guest:Create do=crash", GUEST, ZL_E_REMOTE, "its own container: " },
  { "guest:Create nth=2 do=crash", GUEST, ZL_E_REMOTE, "container in the machine: " },
  { "guest:ModifySettings nth=2 hr=0xc037010d", GUEST, ZL_E_INVALID, "storage of the machine: " },
  { "guest:ExecuteProcess hr=0x80070002", GUEST, ZL_E_NO_COMMAND, "command: " },
  { "guest:WaitForProcess do=drop", GUEST, ZL_OK, "" },
  /* machines */
  { "HcsStartComputeSystem hr=0x80370109", GUEST, ZL_OK, "" },
  { "HcsStartComputeSystem hr=0x80370109 times=2", GUEST, ZL_E_TIMEOUT, "CONNECTION_TIMEOUT" },
  { "HcsStartComputeSystem hr=0x80370100", GUEST, ZL_OK, "" },
  { "HcsStartComputeSystem hr=0x80370100 times=2", GUEST, ZL_E_SYSTEM, "TERMINATED_DURING_START" },
  { "HcsStartComputeSystem do=exit hr=0xc0370106", GUEST, ZL_E_REMOTE, "UNEXPECTED_EXIT" },
  { "HcsCreateComputeSystem hr=0x80370102", GUEST, ZL_E_UNSUPPORTED, "enable the Hyper-V feature" },
  { "HcsGrantVmAccess hr=0x80070005", GUEST, ZL_E_PERMISSION, "grants: " },
  /* containers and processes */
  { "HcsCreateProcess do=quirk hr=0x80070057", HOST, ZL_OK, "" },
  { "HcsCreateComputeSystem hr=0x80370101", HOST, ZL_E_WRONG_PLATFORM, "isolation hyperv" },
  { "HcsCreateComputeSystem hr=0x8037010d", HOST, ZL_E_UNSUPPORTED, "INVALID_JSON" },
  { "HcsCreateComputeSystem hr=0x80370114", HOST, ZL_E_SYSTEM, "start the service vmcompute" },
  { "HcsCreateComputeSystem hr=0x800705aa", HOST, ZL_E_LIMIT, "restart the service" },
  { "HcsShutDownComputeSystem do=hang", HOST, ZL_OK, "" },
  { "HcsShutDownComputeSystem do=stay", HOST, ZL_OK, "" },
  { "HcsShutDownComputeSystem hr=0x80370110", HOST, ZL_OK, "" },
  /* layers */
  { "ActivateLayer hr=0x80070015 times=4", HOST, ZL_OK, "" },
  { "ActivateLayer hr=0x80070015 times=5", HOST, ZL_E_SYSTEM, "NOT_READY" },
  { "PrepareLayer hr=0x8007048f times=4", HOST, ZL_OK, "" },
  { "DestroyLayer hr=0x80070020 times=3", HOST, ZL_OK, "" },
  { "host flush=1", HOST, ZL_OK, "" },
  /* networks */
  { "HcnCreateEndpoint hr=0x803b002f", HOST, ZL_E_NO_ADDRESS, "ADDR_INVALID_OR_RESERVED" },
  { "HcnCreateNamespace hr=0x803b001b", HOST, ZL_E_UNSUPPORTED, "network namespace: " },
};

static int run_row(const struct row *row, struct zl_hcs_instance **ret, struct zl_error *err)
{
  const struct zl_hcs_link link = {
    .slice = "10.220.99.16/28", .address = "10.220.99.18", .gateway = "10.220.99.17", .prefix = 28
  };
  struct zl_hcs_instance_spec spec = { .id = "row-rep-1",
                                       .dir = at("row-rep-1"),
                                       .service = zl_service_find(deployment, "echo"),
                                       .image = &image,
                                       .isolation = row->isolation,
                                       .layers = layers,
                                       .n_layers = 2,
                                       .link = &link };
  int r;

  make_dirs(spec.dir);
  r = zl_hcs_instance_create(&node, &spec, NULL, ret, err);
  if (r == 0)
    r = zl_hcs_instance_start(*ret, err);
  if (r == 0)
    r = zl_hcs_instance_wait(*ret, zl_time_boot() + 90 * ZL_NS_PER_S, err);
  return r;
}

static void check_row(const struct row *row)
{
  struct zl_hcs_instance *one = NULL;
  struct zl_error why = { 0 };
  char leaks[4096];
  int r;

  NEED(hcs_sim_set(row->knob) == 0);
  node.accept_ms = strstr(row->knob, "never") != NULL ? 3000 : 60000;
  r = run_row(row, &one, &why);
  if (r != -(int)row->code || (r < 0 && strstr(why.msg, row->text) == NULL)) {
    (void)fprintf(stderr, "%s: %d\n", row->knob, r);
    give_up(row->text, &why);
  }
  if (one != NULL) /* under the knob still: removal takes what comes, too */
    drop(one);
  NEED(hcs_sim_clear() == 0);
  if (hcs_sim_leaks(1, leaks, sizeof(leaks)) != 0) {
    (void)fprintf(stderr, "%s:\n", row->knob);
    give_up(leaks, NULL);
  }
  (void)printf("ok %s\n", row->knob);
}

static void open_host(void)
{
  struct zl_spec_errors errors = { 0 };

  node = (struct zl_hcs_node){
    .owner = "zlayer-test", .network = "zlayer-1a2b3c4d", .cpus = 4, .accept_ms = 30000
  };
  TRY(zl_hcs_api_load(&node.api, err));
  TRY(zl_hcs_enable_privileges(node.api, err));
  TRY(zl_hcs_host_version(node.api, &node.host, err));
  TRY(zl_deployment_parse(YAML, strlen(YAML), "test.yaml", &deployment, &errors, err));
  zl_spec_errors_done(&errors);
  make_image();
}

static void refuse_privileges(void)
{
  struct zl_error why = { 0 };

  NEED(hcs_sim_set("host privileges=0") == 0);
  NEED(zl_hcs_enable_privileges(node.api, &why) == -ZL_E_PERMISSION);
  NEED(strstr(why.msg, "as an administrator") != NULL);
  NEED(hcs_sim_clear() == 0);
  (void)printf("ok host privileges=0\n");
}

/* A machine of its own for this run: HCS_SIM_DIR, and the doubles' functions for the table. */
static void make_machine(void)
{
  char temp[MAX_PATH], dir[MAX_PATH], library[MAX_PATH];
  const char *libs = getenv("HCS_SIM_LIBS");

  NEED(libs != NULL && GetTempPathA(sizeof(temp), temp) != 0);
  (void)snprintf(dir, sizeof(dir), "%szl-doubles-%lu-%lu", temp, GetCurrentProcessId(),
                 GetTickCount());
  (void)snprintf(library, sizeof(library), "%s\\hcssim.dll", libs);
  for (char *p = library; *p != '\0'; p++)
    *p = *p == '/' ? '\\' : *p;
  if (library[0] == '\\') { /* of a file system that Wine knows as Z: */
    memmove(library + 2, library, strlen(library) + 1);
    memcpy(library, "Z:", 2);
  }
  NEED(_putenv_s("HCS_SIM_DIR", dir) == 0 && SetEnvironmentVariableA("HCS_SIM_DIR", dir));
  NEED(_putenv_s("ZLAYER_HCS_DOUBLES", library) == 0);
  (void)snprintf(root, sizeof(root), "%s\\host", dir);
  make_dirs(root);
}

static int remove_machine(void)
{
  int r = hcs_sim_stop();

  *strrchr(root, '\\') = '\0';
  return zl_path_remove_tree(AT_FDCWD, root) == 0 && r == 0 ? 0 : 1;
}

static void cases(enum zl_isolation isolation, const char *name)
{
  char what[100];

  (void)snprintf(what, sizeof(what), "%s: create, start, wait, remove", name);
  smoke(isolation, what);
  (void)snprintf(what, sizeof(what), "%s: exec, stop", name);
  exec_inside(isolation, what);
  (void)snprintf(what, sizeof(what), "%s: two at once", name);
  pair(isolation, what);
}

int main(int argc, char **argv)
{
  const char *what = argc > 1 ? argv[1] : "cases";

  (void)setvbuf(stdout, NULL, _IONBF, 0);
  make_machine();
  open_host();
  if (strcmp(what, "cases") == 0) {
    cases(HOST, "process");
    cases(GUEST, "hyperv");
  }
  node.end_ms = strcmp(what, "rows") == 0 ? 4000 : 20000; /* some rows wait for the end of it */
  if (strcmp(what, "process") == 0)
    sweep(HOST, "process: each call fails once");
  if (strcmp(what, "hyperv") == 0)
    sweep(GUEST, "hyperv: each call fails once");
  for (size_t i = 0; strcmp(what, "rows") == 0 && i < ZL_COUNT(rows); i++)
    check_row(&rows[i]);
  if (strcmp(what, "rows") == 0)
    refuse_privileges();
  zl_deployment_free(deployment);
  return remove_machine();
}
