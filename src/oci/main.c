/* SPDX-License-Identifier: Apache-2.0
 *
 * zlayer-oci: docs/oci.md.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlayer/version.h>

#include "base/fd.h"
#include "base/kernel.h"
#include "base/log.h"
#include "base/proc.h"
#include "base/strv.h"
#include "oci/commit.h"
#include "oci/machine.h"
#include "oci/oci.h"
#include "oci/options.h"
#include "oci/protect.h"
#include "oci/report.h"

/* In the way of crun, whose callers look for words: what this program can do, whatever it was built
 * with. */
#define FEATURES "+CAP +SECCOMP +EBPF +SYSTEMD_NOTIFY"

enum {
  HEAP_STEP = 512 << 10,
  EXIT_NO_EXEC = 255 /* a program's own codes are told apart from it, as with runc */
};

#define ROOTLESS_ROOT "zlayer-oci" /* below $XDG_RUNTIME_DIR */

struct verb {
  const char *name;
  oci_verb_fn fn;
  const char *text;
  bool enters; /* processes of this program go into a container */
  int failed;  /* exit code of a failure; 0: by its kind */
};

static const struct verb verbs[] = {
  { "checkpoint", oci_checkpoint, "unsupported" },
  { "create", oci_create, "make a container: create [-b BUNDLE] ID", true },
  { "delete", oci_delete, "remove a container: delete [-f] ID" },
  { "events", oci_events, "use of resources: events [--stats] ID" },
  { "exec", oci_exec, "one more process: exec [-d] [-t] ID COMMAND...", true, EXIT_NO_EXEC },
  { "features", oci_features, "what this runtime can do, as JSON" },
  { "kill", oci_kill, "send a signal: kill [--all] ID [SIGNAL]" },
  { "list", oci_list, "containers below the root: list [-q] [-f json]" },
  { "pause", oci_pause, "stop all processes: pause ID" },
  { "ps", oci_ps, "processes of a container: ps [-f json] ID" },
  { "restore", oci_checkpoint, "unsupported" },
  { "resume", oci_resume, "continue all processes: resume ID" },
  { "run", oci_run, "create, start and wait: run [-d] [-b BUNDLE] ID", true },
  { "spec", oci_spec, "write an example config.json" },
  { "start", oci_start, "execute the program: start ID" },
  { "state", oci_state, "the state of a container, as JSON: state ID" },
  { "update", oci_update, "change limits: update [-r FILE] ID" },
};

/* The lines and their order are runc's, which callers read. */
static void print_version(void)
{
  (void)printf("%s version %s\ncommit: %s\nspec: %s\n" FEATURES "\n", oci_program(), ZL_VERSION,
               ZL_COMMIT, OCI_SPEC_VERSION);
}

static void print_help(void)
{
  (void)printf("NAME:\n   %s - Open Container Initiative runtime\n\nUSAGE:\n   %s [--root DIR] "
               "[--log FILE] [--log-format text|json] [--debug] COMMAND ...\n\nCOMMANDS:\n",
               oci_program(), oci_program());
  for (size_t i = 0; i < ZL_COUNT(verbs); i++)
    (void)printf("   %-11s %s\n", verbs[i].name, verbs[i].text);
}

static const struct verb *find_verb(const char *name)
{
  for (size_t i = 0; i < ZL_COUNT(verbs); i++)
    if (strcmp(verbs[i].name, name) == 0)
      return &verbs[i];
  return NULL;
}

static bool wants_help(const char *word)
{
  return word != NULL && (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0);
}

/* The text is what it does, and after a colon how it is called. */
static int print_verb_help(const struct verb *verb)
{
  const char *text = verb->text, *usage = strstr(text, ": ");
  int len = usage != NULL ? (int)(usage - text) : (int)strlen(text);

  (void)printf("NAME:\n   %s %s - %.*s\n\nUSAGE:\n   %s %s\n", program_invocation_short_name,
               verb->name, len, text, program_invocation_short_name,
               usage != NULL ? usage + 2 : verb->name);
  return 0;
}

/* A descriptor 0, 1 or 2 that the caller has closed would be taken by the first file opened. */
static int fill_streams(struct zl_error *err)
{
  int fd;

  if (fcntl(STDIN_FILENO, F_GETFD) >= 0 && fcntl(STDOUT_FILENO, F_GETFD) >= 0 &&
      fcntl(STDERR_FILENO, F_GETFD) >= 0)
    return 0;
  do
    fd = zl_fd_open(AT_FDCWD, "/dev/null", O_RDWR, 0);
  while (fd >= 0 && fd <= STDERR_FILENO);
  if (fd < 0)
    return zl_fail(err, ZL_E_SYSTEM, -fd, "/dev/null");
  (void)close(fd);
  return 0;
}

static int choose_root(struct oci *oci, char **ret_own, struct zl_error *err)
{
  const char *runtime_dir = getenv("XDG_RUNTIME_DIR");

  if (oci->root != NULL)
    return *oci->root == '/' ? 0 : zl_fail(err, ZL_E_INVALID, 0, "--root: must be absolute");
  oci->root = oci_default_root();
  if (geteuid() == 0 || runtime_dir == NULL || *runtime_dir != '/')
    return 0;
  *ret_own = zl_asprintf("%s/%s", runtime_dir, ROOTLESS_ROOT);
  if (*ret_own == NULL)
    return zl_fail_nomem(err, "--root");
  oci->root = *ret_own;
  return 0;
}

static int run(struct oci *oci, int argc, char **argv, struct zl_error *err)
{
  const char *format = "text", *manager = "cgroupfs";
  zl_autofree char *root = NULL;
  bool version = false, help = false;
  const struct oci_option options[] = {
    { .name = "root", .kind = OCI_TEXT, .variable = &oci->root },
    { .name = "log", .kind = OCI_TEXT, .variable = &oci->log },
    { .name = "log-format", .kind = OCI_TEXT, .variable = &format },
    { .name = "debug", .kind = OCI_FLAG, .variable = &oci->debug },
    { .name = "cgroup-manager", .kind = OCI_TEXT, .variable = &manager },
    { .name = "systemd-cgroup", .kind = OCI_FLAG, .variable = &oci->systemd_cgroup },
    { .name = "rootless", .kind = OCI_NOTHING, .takes_value = true },
    { .name = "criu", .kind = OCI_NOTHING, .takes_value = true },
    { .name = "version", .letter = 'v', .kind = OCI_FLAG, .variable = &version },
    { .name = "help", .letter = 'h', .kind = OCI_FLAG, .variable = &help },
  };
  int first = argc, r = oci_options(options, ZL_COUNT(options), argc, argv, &first, err);
  const struct verb *verb;

  oci->log_json = strcmp(format, "json") == 0;
  if (r < 0)
    return r;
  if (version || help) {
    (version ? print_version : print_help)();
    return 0;
  }
  if (!oci->log_json && strcmp(format, "text") != 0)
    return zl_fail(err, ZL_E_INVALID, 0, "--log-format: '%.40s' is neither text nor json", format);
  if (strcmp(manager, "systemd") == 0)
    oci->systemd_cgroup = true;
  else if (strcmp(manager, "cgroupfs") != 0)
    return zl_fail(err, ZL_E_UNSUPPORTED, 0,
                   "--cgroup-manager: '%.40s' is neither cgroupfs nor systemd", manager);
  if (first == argc || strcmp(argv[first], "help") == 0) {
    print_help();
    return first == argc;
  }
  r = report_open(oci, err);
  if (r < 0)
    return r;
  if (oci->debug)
    report_debug(oci);
  verb = find_verb(argv[first]);
  if (verb == NULL && wants_help(argv[first + 1]))
    return zl_fail(err, ZL_E_INVALID, 0, "No help topic for '%.100s'", argv[first]);
  if (verb == NULL)
    return zl_fail(err, ZL_E_INVALID, 0, "no such command '%.100s'; see %s --help", argv[first],
                   oci_program());
  if (wants_help(argv[first + 1]))
    return print_verb_help(verb);
  oci->failed = verb->failed;
  if (verb->enters && geteuid() != 0)
    return zl_fail(
        err, ZL_E_UNSUPPORTED, 0,
        "%s: needs root: containers of users without privileges are not supported; a user "
        "namespace in config.json maps their ids",
        verb->name);
  if (verb->enters)
    r = oci_protect(argv, err);
  if (r == 0)
    r = choose_root(oci, &root, err);
  return r < 0 ? r : verb->fn(oci, argc - first, argv + first, err);
}

/* Documents take some hundred KiB, which end with the program: the heap grows once, and never
 * shrinks. */
static void use_heap_once(void)
{
  (void)mallopt(M_TOP_PAD, HEAP_STEP);
  (void)mallopt(M_TRIM_THRESHOLD, INT_MAX);
}

int main(int argc, char **argv)
{
  struct oci oci = { .log_fd = -1 };
  struct zl_error err = { 0 };
  int r;

  use_heap_once();
  r = fill_streams(&err);
  zl_proc_default_signals();
  if (r == 0)
    r = oci_machine_init(&err);
  if (r == 0)
    r = run(&oci, argc, argv, &err);
  if (r < 0) {
    zl_kernel_explain(&err);
    if (oci.log_fd < 0)
      (void)report_open(&oci, NULL); /* an option that is wrong is told there too */
    report_error(&oci, &err);
  }
  /* Callers tell a runtime that has failed from a program that ended so by the log. */
  return r < 0 ? report_exit_code(&oci, &err) : r;
}
