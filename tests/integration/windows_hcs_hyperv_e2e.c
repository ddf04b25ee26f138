/* SPDX-License-Identifier: Apache-2.0
 *
 * windows_hcs_hyperv_e2e [process]: the life of Windows containers through the public interface,
 * from the pull to the removal: one that ends by itself, one that a command is executed in, two at
 * once. Every service asks for isolation hyperv, or for process when that is said: the twin.
 *
 * On a Windows host (Hyper-V and Containers features, as an administrator) it runs as it is, with
 * ZLAYER_HCS_TEST_IMAGE or nanoserver of Microsoft's registry; ZLAYER_HCS_TEST_CONFIG may name a
 * config.yaml for its roots. tests/windows/test_hcs_e2e.py runs it under Wine against the doubles
 * of Windows' services with an image from a registry on loopback.
 */
#include <windows.h>

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlayer/image.h>
#include <zlayer/runtime.h>
#include <zlayer/spec.h>

#include "base/path.h"

#define DEFAULT_IMAGE "mcr.microsoft.com/windows/nanoserver:ltsc2022"
#define SLICE         "10.220.99.16/28"
#define FIRST         "10.220.99.18" /* behind the network and the gateway */

enum {
  SCRATCH_GB = 20,
  POLL_MS = 200,
  SMOKE_S = 180,
  RUNNING_S = 120,
  PAIR_S = 180,
  SMOKE_BUDGET_S = 900,
  EXEC_BUDGET_S = 900,
  PAIR_BUDGET_S = 1200
};

static const char *isolation = "hyperv";

/* ---- Ending a case --------------------------------------------------------------------------- */

static char failure[1024]; /* of the case that runs; "": none */

static bool expect(bool ok, const char *fmt, ...)
{
  va_list ap;

  if (ok || failure[0] != '\0')
    return ok;
  va_start(ap, fmt);
  (void)vsnprintf(failure, sizeof(failure), fmt, ap);
  va_end(ap);
  return false;
}

#define EXPECT_OK(call, what)                                  \
  ({                                                           \
    struct zl_error err = { 0 };                               \
    int ok_r_ = (call);                                        \
    expect(ok_r_ == 0, "%s: %s (%s)", (what), err.msg, #call); \
  })

/* ---- What all cases have --------------------------------------------------------------------- */

static const char *test_image(void)
{
  const char *image = getenv("ZLAYER_HCS_TEST_IMAGE");

  return image != NULL && *image != '\0' ? image : DEFAULT_IMAGE;
}

/* A short suffix that no other run has. */
static void unique_name(const char *prefix, char *name, size_t size)
{
  FILETIME now;
  uint64_t ms;

  GetSystemTimeAsFileTime(&now);
  ms = ((((uint64_t)now.dwHighDateTime << 32) | now.dwLowDateTime) / 10000) % 1000000;
  (void)snprintf(name, size, "%s-%lu-%llu", prefix, (unsigned long)GetCurrentProcessId(),
                 (unsigned long long)ms);
}

struct node {
  char root[MAX_PATH];
  struct zl_runtime *rt;
};

/* Of a registry that is not reached as others are. */
static bool copy_config(const char *root)
{
  const char *config = getenv("ZLAYER_HCS_TEST_CONFIG");
  char to[MAX_PATH + 16];

  (void)snprintf(to, sizeof(to), "%s\\config.yaml", root);
  return config == NULL || CopyFileA(config, to, TRUE);
}

/* Every test has a root of its own; the slice is small, since no container goes without an
 * address. */
static bool node_open(const char *tag, struct node *node)
{
  char temp[MAX_PATH], name[64];
  struct zl_runtime_options options = { .slice_cidr = SLICE, .scratch_size_gb = SCRATCH_GB };

  if (!expect(GetTempPathA(sizeof(temp), temp) != 0, "no directory for temporary files"))
    return false;
  unique_name(tag, name, sizeof(name));
  (void)snprintf(node->root, sizeof(node->root), "%szlayer-hcs-e2e-%s", temp, name);
  options.root = node->root;
  if (!expect(CreateDirectoryA(node->root, NULL) && copy_config(node->root), "making '%s'",
              node->root))
    return false;
  return EXPECT_OK(zl_runtime_open(&options, &node->rt, &err), "opening the runtime") &&
         EXPECT_OK(zl_pull_image(node->rt, test_image(), NULL, NULL, &err), "pull_image");
}

/* Nothing is to be left of the containers, and the network goes with the last of them. */
static void node_close(struct node *node)
{
  size_t left = 0;

  if (node->rt != NULL &&
      EXPECT_OK(zl_system_check(node->rt, true, NULL, NULL, &left, &err), "check"))
    (void)expect(left == 0, "the check finds %zu things that it cannot repair", left);
  zl_runtime_close(node->rt);
  (void)zl_path_remove_tree(AT_FDCWD, node->root);
}

/* As a deployment file: one service, taken out of it. */
static const char *yaml(const char *service, const char *entrypoint)
{
  static char text[2048];

  (void)snprintf(text, sizeof(text),
                 "version: v1\n"
                 "deployment: hcs-hyperv-e2e\n"
                 "services:\n"
                 "  %s:\n"
                 "    rtype: service\n"
                 "    isolation: %s\n"
                 "    image:\n"
                 "      name: %s\n"
                 "    command:\n"
                 "      entrypoint: %s\n"
                 "    endpoints:\n"
                 "      - name: dummy\n"
                 "        protocol: tcp\n"
                 "        port: 8080\n"
                 "    scale:\n"
                 "      mode: fixed\n"
                 "      replicas: 1\n",
                 service, isolation, test_image(), entrypoint);
  return text;
}

static const char *echo_yaml(void)
{
  return yaml("echo", "[\"cmd\", \"/c\", \"echo\", \"hello from hyperv\"]");
}

static const char *long_lived_yaml(void)
{
  return yaml("longlived", "[\"cmd\", \"/c\", \"ping\", \"-n\", \"60\", \"127.0.0.1\"]");
}

/* Creates "<unique name>-rep-1". */
static bool create(const struct node *node, const char *prefix, const char *text,
                   char id[ZL_ID_TEXT])
{
  struct zl_spec_errors errors = { 0 };
  struct zl_deployment *deployment = NULL;
  char name[64];
  struct zl_container_id wanted = { .service = name, .replica = 1 };
  bool ok =
      EXPECT_OK(zl_deployment_parse(text, strlen(text), "test.yaml", &deployment, &errors, &err),
                "the YAML must parse");

  unique_name(prefix, name, sizeof(name));
  if (ok)
    ok = EXPECT_OK(zl_container_id_format(&wanted, id, &err), "id") &&
         EXPECT_OK(zl_create(node->rt, &wanted, &deployment->services[0], NULL, &err), "create");
  zl_spec_errors_done(&errors);
  zl_deployment_free(deployment);
  return ok;
}

/* Polls until the container is in that state; of an ended one the code is the caller's to look at.
 */
static bool wait_for_state(const struct node *node, const char *id, enum zl_state wanted,
                           unsigned seconds, struct zl_container_state *ret)
{
  const ULONGLONG begun = GetTickCount64();

  *ret = (struct zl_container_state){ 0 };
  while (GetTickCount64() - begun < seconds * 1000ULL) {
    if (!EXPECT_OK(zl_container_state(node->rt, id, ret, &err), "container_state"))
      return false;
    if (ret->state == wanted)
      return true;
    Sleep(POLL_MS);
  }
  return expect(false, "%s after %u s: it is %s (%s), not %s", id, seconds,
                zl_state_name(ret->state), ret->reason, zl_state_name(wanted));
}

static void check_address(const struct node *node, const char *id, const char *address)
{
  struct zl_container_info *list = NULL;
  size_t n = 0;

  if (!EXPECT_OK(zl_list(node->rt, &list, &n, &err), "list"))
    return;
  for (size_t i = 0; i < n; i++)
    if (strcmp(list[i].id, id) == 0) {
      (void)expect(list[i].address != NULL && strcmp(list[i].address, address) == 0,
                   "%s has address %s, not %s", id,
                   list[i].address != NULL ? list[i].address : "none", address);
      (void)expect(strcmp(list[i].isolation, isolation) == 0, "%s has isolation %s", id,
                   list[i].isolation);
    }
  zl_containers_free(list, n);
}

/* ---- The cases ------------------------------------------------------------------------------- */

static bool has_text(const struct zl_log_entry *entry)
{
  static const char wanted[] = "hello from hyperv";

  for (size_t i = 0; i + strlen(wanted) <= entry->len; i++)
    if (memcmp(entry->text + i, wanted, strlen(wanted)) == 0)
      return true;
  return false;
}

static int look(void *payload, const struct zl_log_entry *entry)
{
  *(bool *)payload |= has_text(entry);
  return 0;
}

/* One whose command ends at once: its code, and what it has written. */
static void smoke_create_start_stop_remove(void)
{
  struct zl_container_state state;
  struct node node = { .rt = NULL };
  char id[ZL_ID_TEXT] = "";
  bool said = false;

  if (node_open("smoke", &node) && create(&node, "smoke", echo_yaml(), id)) {
    check_address(&node, id, FIRST);
    if (EXPECT_OK(zl_start(node.rt, id, &err), "start") &&
        wait_for_state(&node, id, ZL_STATE_EXITED, SMOKE_S, &state)) {
      (void)expect(state.outcome.exit_code == 0, "echo has ended with code %d",
                   state.outcome.exit_code);
      (void)EXPECT_OK(zl_logs(node.rt, id, NULL, look, &said, &err), "logs");
      (void)expect(said, "the log does not have what echo has written");
    }
  }
  if (id[0] != '\0')
    (void)EXPECT_OK(zl_remove(node.rt, id, true, &err), "remove");
  node_close(&node);
}

static void run_hostname(const struct node *node, const char *id)
{
  static const char *const argv[] = { "cmd", "/c", "hostname", NULL };
  const struct zl_exec_options options = { .argv = argv };
  struct zl_exec_result result = { 0 };

  if (!EXPECT_OK(zl_exec(node->rt, id, &options, &result, &err), "exec"))
    return;
  (void)expect(result.exit_code == 0, "'cmd /c hostname' has ended with code %d", result.exit_code);
  (void)expect(result.out_len > 0, "'cmd /c hostname' has printed nothing");
  zl_exec_result_done(&result);
}

/* A command that is executed in one that runs: its code and its output. */
static void exec_inside_container(void)
{
  struct zl_container_state state;
  struct node node = { .rt = NULL };
  char id[ZL_ID_TEXT] = "";

  if (node_open("exec", &node) && create(&node, "exec", long_lived_yaml(), id) &&
      EXPECT_OK(zl_start(node.rt, id, &err), "start") &&
      wait_for_state(&node, id, ZL_STATE_RUNNING, RUNNING_S, &state))
    run_hostname(&node, id);
  if (id[0] != '\0') {
    (void)EXPECT_OK(zl_stop(node.rt, id, 5000, &err), "stop");
    (void)EXPECT_OK(zl_remove(node.rt, id, false, &err), "remove");
  }
  node_close(&node);
}

struct starting {
  struct zl_runtime *rt;
  const char *id;
  struct zl_error err;
  int r;
};

static void *start(void *arg)
{
  struct starting *s = arg;

  s->r = zl_start(s->rt, s->id, &s->err);
  return NULL;
}

static bool start_both(const struct node *node, const char *a, const char *b)
{
  struct starting both[] = { { .rt = node->rt, .id = a }, { .rt = node->rt, .id = b } };
  pthread_t threads[2];
  bool ok = true;

  for (int i = 0; i < 2; i++)
    if (pthread_create(&threads[i], NULL, start, &both[i]) != 0)
      abort();
  for (int i = 0; i < 2; i++) {
    (void)pthread_join(threads[i], NULL);
    ok = expect(both[i].r == 0, "start of %s: %s", both[i].id, both[i].err.msg) && ok;
  }
  return ok;
}

static bool stop_and_remove(const struct node *node, const char *id)
{
  return EXPECT_OK(zl_stop(node->rt, id, 10000, &err), "stop") &&
         EXPECT_OK(zl_remove(node->rt, id, false, &err), "remove");
}

/* Two that are started at once; that one of them is torn down does not matter to the other. */
static void pair_body(const struct node *node, const char *a, const char *b)
{
  struct zl_container_state state;

  if (!start_both(node, a, b) || !wait_for_state(node, a, ZL_STATE_RUNNING, PAIR_S, &state) ||
      !wait_for_state(node, b, ZL_STATE_RUNNING, PAIR_S, &state) || !stop_and_remove(node, a) ||
      !EXPECT_OK(zl_container_state(node->rt, b, &state, &err), "container_state"))
    return;
  (void)expect(state.state == ZL_STATE_RUNNING, "b is %s after a is gone",
               zl_state_name(state.state));
  (void)stop_and_remove(node, b);
}

static void concurrent_pair(void)
{
  struct node node = { .rt = NULL };
  char a[ZL_ID_TEXT] = "", b[ZL_ID_TEXT] = "";

  if (node_open("pair", &node) && create(&node, "pair-a", long_lived_yaml(), a) &&
      create(&node, "pair-b", long_lived_yaml(), b))
    pair_body(&node, a, b);
  if (a[0] != '\0')
    (void)zl_remove(node.rt, a, true, NULL);
  if (b[0] != '\0')
    (void)zl_remove(node.rt, b, true, NULL);
  node_close(&node);
}

/* ---- Running them ---------------------------------------------------------------------------- */

static const struct {
  const char *name;
  void (*run)(void);
  unsigned budget_s;
} cases[] = {
  { "smoke_create_start_stop_remove", smoke_create_start_stop_remove, SMOKE_BUDGET_S },
  { "exec_inside_container", exec_inside_container, EXEC_BUDGET_S },
  { "concurrent_pair", concurrent_pair, PAIR_BUDGET_S },
};

static void *run_case(void *arg)
{
  cases[*(const size_t *)arg].run();
  return NULL;
}

static bool run_in_time(size_t i)
{
  pthread_t thread;
  ULONGLONG begun = GetTickCount64();

  failure[0] = '\0';
  if (pthread_create(&thread, NULL, run_case, &i) != 0)
    return expect(false, "no thread");
  while (WaitForSingleObject((HANDLE)pthread_gethandle(thread), 1000) == WAIT_TIMEOUT)
    if (GetTickCount64() - begun > cases[i].budget_s * 1000ULL) {
      (void)printf("not ok %zu - %s: more than %u s\n", i + 1, cases[i].name, cases[i].budget_s);
      exit(1); /* nothing of it can be waited for */
    }
  (void)pthread_join(thread, NULL);
  return failure[0] == '\0';
}

int main(int argc, char **argv)
{
  const size_t n = sizeof(cases) / sizeof(cases[0]);
  int failed = 0;

  (void)setvbuf(stdout, NULL, _IONBF, 0);
  if (argc > 1)
    isolation = argv[1];
  (void)printf("1..%zu\n", n);
  for (size_t i = 0; i < n; i++)
    if (run_in_time(i)) {
      (void)printf("ok %zu - windows_hcs_%s_%s\n", i + 1, isolation, cases[i].name);
    } else {
      (void)printf("not ok %zu - windows_hcs_%s_%s: %s\n", i + 1, isolation, cases[i].name,
                   failure);
      failed++;
    }
  return failed == 0 ? 0 : 1;
}
