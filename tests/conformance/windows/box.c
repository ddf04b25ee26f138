/* SPDX-License-Identifier: Apache-2.0
 *
 * The box for Windows: an open runtime on a root of its own; the image is the one that the
 * environment names (BOX_IMAGE, with BOX_CONFIG as its registry's config.yaml). Leaks on the host
 * are looked for by whoever runs this program, with the doubles' own ledger.
 */
#include "../box.h"

#include <windows.h>

#include <dirent.h>

#include "base/path.h"

struct box box;

/* `backend` is "hcs" with the isolation of its containers: "hcs-process" or "hcs-hyperv". */
int box_open(const char *backend)
{
  const char *image = getenv("BOX_IMAGE"), *config = getenv("BOX_CONFIG");
  char to[96], temp[MAX_PATH];

  if (image == NULL || config == NULL || GetTempPathA(sizeof(temp), temp) == 0)
    return -1;
  box.backend = "hcs";
  box.real = true;
  box.windows = true;
  box.machines = strcmp(backend, "hcs-hyperv") == 0;
  box.isolation = box.machines ? ZL_ISOLATION_HYPERV : ZL_ISOLATION_PROCESS;
  (void)snprintf(box.root, sizeof(box.root), "C:\\zl-conf-%lu", GetCurrentProcessId());
  (void)snprintf(box.scratch, sizeof(box.scratch), "%s\\scratch", box.root);
  (void)snprintf(box.image, sizeof(box.image), "%s", image);
  (void)snprintf(to, sizeof(to), "%s\\config.yaml", box.root);
  if (!CreateDirectoryA(box.root, NULL) || !CreateDirectoryA(box.scratch, NULL) ||
      !CopyFileA(config, to, TRUE))
    return -1;
  box.rt = box_runtime();
  return 0;
}

void box_close(void)
{
  zl_runtime_close(box.rt);
  (void)zl_path_remove_tree(AT_FDCWD, box.root);
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

static bool is_clean(void *ctx)
{
  (void)ctx;
  return count_entries("containers") == 0 && count_entries("locks") == 0 &&
         box_count("SELECT (SELECT count(*) FROM containers) + (SELECT count(*) FROM journal)"
                   " + (SELECT count(*) FROM leases) + (SELECT count(*) FROM ports)") == 0;
}

int box_teardown(void **state)
{
  struct zl_error err = { 0 };

  (void)state;
  box_remove_all();
  if (zl_system_check(box.rt, true, NULL, NULL, NULL, &err) < 0)
    (void)fprintf(stderr, "checking: %s\n", err.msg);
  if (box_eventually(is_clean, NULL))
    return 0;
  (void)fprintf(stderr, "left behind: containers %d, locks %d\n", count_entries("containers"),
                count_entries("locks"));
  return -1;
}
