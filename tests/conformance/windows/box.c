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
#include "deaths.h"
#include "hcs-sim/control.h"

enum {
  LEAKS = 4096,
  /* A mutex gets an event from the C library when two threads want it for the first time. */
  MUTEXES = 8
};

struct box box;

static unsigned handles; /* of this process, before the first case: so little leaks add up */

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
void box_describe(const char *backend)
{
  box.backend = "hcs";
  box.real = true;
  box.windows = true;
  box.machines = strcmp(backend, "hcs-hyperv") == 0;
  box.isolation = box.machines ? ZL_ISOLATION_HYPERV : ZL_ISOLATION_PROCESS;
  (void)GetModuleFileNameA(NULL, box.program, sizeof(box.program));
}

/* What the runtime opens at first use and keeps is no leak of the first case. */
static int warm_up(void)
{
  if (box_setup(NULL) < 0)
    return -1;
  box_run("warm-up", ARGV(BIN "true"));
  (void)box_outcome("warm-up");
  OK(zl_remove(box.rt, box_id("warm-up"), false, &err));
  OK(zl_system_check(box.rt, true, NULL, NULL, NULL, &err));
  handles = count_handles();
  return 0;
}

int box_open(const char *backend)
{
  const char *image = getenv("BOX_IMAGE"), *config = getenv("BOX_CONFIG");

  if (image == NULL || config == NULL)
    return -1;
  box_describe(backend);
  (void)snprintf(box.root, sizeof(box.root), "C:\\zl-conf-%lu", GetCurrentProcessId());
  (void)snprintf(box.scratch, sizeof(box.scratch), "%s\\scratch", box.root);
  (void)snprintf(box.image, sizeof(box.image), "%s", image);
  if (make_root(config) < 0)
    return -1;
  box.rt = box_runtime();
  return warm_up();
}

void box_close(void)
{
  zl_runtime_close(box.rt);
  (void)zl_path_remove_tree(AT_FDCWD, box.root);
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
  return count_handles() <= handles + MUTEXES && count_entries("containers") == 0 &&
         count_entries("locks") == 0 &&
         box_count("SELECT (SELECT count(*) FROM containers) + (SELECT count(*) FROM journal)"
                   " + (SELECT count(*) FROM leases) + (SELECT count(*) FROM ports)") == 0 &&
         hcs_sim_leaks(1, why, LEAKS) == 0;
}

bool box_is_clean(void)
{
  char why[LEAKS] = "";

  if (box_eventually(is_clean, why))
    return true;
  (void)fprintf(stderr, "left behind: containers %d, locks %d, handles %+d; %s\n",
                count_entries("containers"), count_entries("locks"),
                (int)(count_handles() - handles), why);
  return false;
}

/* Images are forgotten with the database; their layers are not the cases' leaks. */
static int tell(void *payload, const struct zl_finding *finding)
{
  if (strcmp(finding->kind, "layer") == 0)
    return 0;
  (*(int *)payload)++;
  (void)fprintf(stderr, "left behind: %s %s: %s\n", finding->kind, finding->name, finding->detail);
  return 0;
}

/* What the check finds after all was removed is a leak, also when it can be repaired. */
int box_teardown(void **state)
{
  struct zl_error err = { 0 };
  int found = 0;

  (void)state;
  box_remove_all();
  if (zl_system_check(box.rt, true, tell, &found, NULL, &err) < 0)
    (void)fprintf(stderr, "checking: %s\n", err.msg);
  return box_is_clean() && found == 0 ? 0 : -1;
}
