/* SPDX-License-Identifier: Apache-2.0
 *
 * The box for Windows: an open runtime on a root of its own; the image is the one that the
 * environment names (BOX_IMAGE, with BOX_CONFIG as its registry's config.yaml). What is left on the
 * host is told by the doubles' own ledger.
 */
#include "../box.h"

#include <windows.h>

#include <dirent.h>

#include "base/path.h"
#include "hcs-sim/control.h"

#define CHILD_ROOT "BOX_CHILD_ROOT" /* of whoever runs this program as its child */

enum {
  LEAKS = 4096,
  KILLED = 137 /* what a process ends with that kills itself (zl_proc_die) */
};

struct box box;

static int make_root(const char *config)
{
  char to[96];

  (void)snprintf(to, sizeof(to), "%s\\config.yaml", box.root);
  return CreateDirectoryA(box.root, NULL) && CreateDirectoryA(box.scratch, NULL) &&
                 CopyFileA(config, to, TRUE)
             ? 0
             : -1;
}

/* `backend` is "hcs" with the isolation of its containers: "hcs-process" or "hcs-hyperv". */
int box_open(const char *backend)
{
  const char *image = getenv("BOX_IMAGE"), *config = getenv("BOX_CONFIG");
  const char *root = getenv(CHILD_ROOT);

  if (image == NULL || config == NULL)
    return -1;
  box.backend = "hcs";
  box.real = true;
  box.windows = true;
  box.machines = strcmp(backend, "hcs-hyperv") == 0;
  box.isolation = box.machines ? ZL_ISOLATION_HYPERV : ZL_ISOLATION_PROCESS;
  if (root != NULL)
    (void)snprintf(box.root, sizeof(box.root), "%s", root);
  else
    (void)snprintf(box.root, sizeof(box.root), "C:\\zl-conf-%lu", GetCurrentProcessId());
  (void)snprintf(box.scratch, sizeof(box.scratch), "%s\\scratch", box.root);
  (void)snprintf(box.image, sizeof(box.image), "%s", image);
  if (root == NULL && make_root(config) < 0)
    return -1;
  box.rt = box_runtime();
  return 0;
}

void box_close(void)
{
  zl_runtime_close(box.rt);
  if (!box_is_child())
    (void)zl_path_remove_tree(AT_FDCWD, box.root);
}

/* ---- Children -------------------------------------------------------------------------------- */

bool box_is_child(void)
{
  return getenv(CHILD_ROOT) != NULL;
}

bool box_child_is_killed(const char *suite, void (*work)(void))
{
  STARTUPINFOA startup = { .cb = sizeof(startup) };
  PROCESS_INFORMATION info;
  char program[MAX_PATH], line[MAX_PATH + 64];
  DWORD code = 0;
  BOOL started;

  (void)work;
  if (GetModuleFileNameA(NULL, program, sizeof(program)) == 0)
    return false;
  (void)snprintf(line, sizeof(line), "conformance %s %s",
                 box.machines ? "hcs-hyperv" : "hcs-process", suite);
  (void)setenv(CHILD_ROOT, box.root, 1);
  started = CreateProcessA(program, line, NULL, NULL, FALSE, 0, NULL, NULL, &startup, &info);
  (void)unsetenv(CHILD_ROOT);
  if (!started)
    return false;
  (void)WaitForSingleObject(info.hProcess, BOX_PATIENCE_MS);
  (void)GetExitCodeProcess(info.hProcess, &code);
  (void)CloseHandle(info.hProcess);
  (void)CloseHandle(info.hThread);
  return code == KILLED;
}

/* ---- The node -------------------------------------------------------------------------------- */

void box_hide_machines(bool hide)
{
  assert_int_equal(hcs_sim_set(hide ? "host hyperv=0" : "host hyperv=1"), 0);
}

/* ---- Fixtures -------------------------------------------------------------------------------- */

int box_setup(void **state)
{
  struct zl_error err = { 0 };

  (void)state;
  if (zl_pull_image(box.rt, box.image, NULL, NULL, &err) == 0)
    return 0;
  (void)fprintf(stderr, "pulling '%s': %s\n", box.image, err.msg);
  return -1;
}

static int count_entries(const char *name)
{
  char path[96];
  struct dirent *e;
  DIR *dir;
  int n = 0;

  (void)snprintf(path, sizeof(path), "%s\\%s", box.root, name);
  dir = opendir(path);
  while (dir != NULL && (e = readdir(dir)) != NULL)
    n += e->d_name[0] != '.' || strncmp(e->d_name, ".gone", 5) == 0;
  if (dir != NULL)
    (void)closedir(dir);
  return n;
}

static bool is_clean(void *why)
{
  return count_entries("containers") == 0 && count_entries("locks") == 0 &&
         box_count("SELECT (SELECT count(*) FROM containers) + (SELECT count(*) FROM journal)"
                   " + (SELECT count(*) FROM leases) + (SELECT count(*) FROM ports)") == 0 &&
         hcs_sim_leaks(1, why, LEAKS) == 0;
}

bool box_is_clean(void)
{
  char why[LEAKS] = "";

  if (box_eventually(is_clean, why))
    return true;
  (void)fprintf(stderr, "left behind: containers %d, locks %d; %s\n", count_entries("containers"),
                count_entries("locks"), why);
  return false;
}

int box_teardown(void **state)
{
  struct zl_error err = { 0 };

  (void)state;
  box_remove_all();
  if (zl_system_check(box.rt, true, NULL, NULL, NULL, &err) < 0)
    (void)fprintf(stderr, "checking: %s\n", err.msg);
  return box_is_clean() ? 0 : -1;
}
