/* SPDX-License-Identifier: Apache-2.0 */
#include "leaks.h"

#include <dirent.h>
#include <net/if.h>
#include <unistd.h>

#include "box.h"

struct counts {
  int mounts, links, groups, processes, containers, locks, fds;
  int rows;                              /* of containers, journal, leases and ports */
  int scratches;                         /* files without a name that somebody holds open */
  int templates, pooled, images, builds; /* of machines; what is being made of them */
};

static struct counts before;

static int count_lines(const char *path)
{
  FILE *file = fopen(path, "re");
  int c, n = 0;

  while (file != NULL && (c = fgetc(file)) != EOF)
    n += c == '\n';
  if (file != NULL)
    (void)fclose(file);
  return n;
}

/* Links besides the bridge, which stays for the next container. */
static int count_links(void)
{
  struct if_nameindex *list = if_nameindex();
  int n = 0;

  for (size_t i = 0; list != NULL && list[i].if_index != 0; i++)
    n += strncmp(list[i].if_name, "zl-", 3) != 0;
  if_freenameindex(list);
  return n;
}

static int count_entries(const char *path, const char *prefix, bool hidden)
{
  DIR *dir = opendir(path);
  struct dirent *e;
  int n = 0;

  while (dir != NULL && (e = readdir(dir)) != NULL)
    if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0 &&
        (hidden || e->d_name[0] != '.') && strncmp(e->d_name, prefix, strlen(prefix)) == 0)
      n++;
  if (dir != NULL)
    (void)closedir(dir);
  return n;
}

/* SQLite keeps the database's descriptors of a closed connection while the process has another; the
 * shim's file, a mount without a place ("/"), is opened once per runtime, at its first creation. */
static int count_descriptors(void)
{
  DIR *dir = opendir("/proc/self/fd");
  struct dirent *e;
  int n = 0;

  while (dir != NULL && (e = readdir(dir)) != NULL) {
    char target[256];
    ssize_t len = readlinkat(dirfd(dir), e->d_name, target, sizeof(target) - 1);

    target[len > 0 ? len : 0] = '\0';
    n += len > 0 && strstr(target, "/zlayer.db") == NULL && strcmp(target, "/") != 0;
  }
  if (dir != NULL)
    (void)closedir(dir);
  return n;
}

static void root_tag(char tag[32])
{
  char *text = NULL;
  json_t *info = NULL;
  const char *bridge;

  (void)snprintf(tag, 32, "none");
  if (zl_info(box.rt, &text, NULL) == 0)
    info = json_loads(text, 0, NULL);
  bridge = json_string_value(json_object_get(json_object_get(info, "network"), "bridge"));
  if (bridge != NULL)
    (void)snprintf(tag, 32, "%s", bridge + strlen("zl-"));
  json_decref(info);
  free(text);
}

static int count_groups(void)
{
  char tag[32], prefix[48], path[300];
  DIR *dir = opendir("/sys/fs/cgroup");
  struct dirent *e;
  int n;

  root_tag(tag);
  (void)snprintf(prefix, sizeof(prefix), "zlayer-%s-", tag);
  n = count_entries("/sys/fs/cgroup", prefix, false);
  while (dir != NULL && (e = readdir(dir)) != NULL) {
    (void)snprintf(path, sizeof(path), "/sys/fs/cgroup/%.200s", e->d_name);
    if (e->d_name[0] != '.')
      n += count_entries(path, prefix, false);
  }
  if (dir != NULL)
    (void)closedir(dir);
  return n;
}

static bool link_is(const char *pid, const char *name, const char *wanted)
{
  char path[300], target[64];
  ssize_t len;

  (void)snprintf(path, sizeof(path), "/proc/%.20s/%s", pid, name);
  len = readlink(path, target, sizeof(target) - 1);
  target[len > 0 ? len : 0] = '\0';
  return strcmp(target, wanted) == 0;
}

/* A shim, the builder of a template, a machine; the kernel cuts names off at 15 characters. */
static bool is_helper(const char *pid)
{
  static const char *const names[] = { "zlayer-shim\n", "zlayer-shim-vm\n", "qemu-system-x86\n" };
  char path[300], name[32] = "";
  bool found = false;
  FILE *file;

  (void)snprintf(path, sizeof(path), "/proc/%.20s/comm", pid);
  file = fopen(path, "re");
  if (file == NULL)
    return false;
  if (fgets(name, sizeof(name), file) == NULL)
    name[0] = '\0';
  (void)fclose(file);
  for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
    found |= strcmp(name, names[i]) == 0;
  return found;
}

/* Descriptors of files below the root that are not there any more: the disks of machines. */
static int count_nameless(const char *pid)
{
  char path[300], target[256];
  DIR *dir;
  struct dirent *e;
  int n = 0;

  (void)snprintf(path, sizeof(path), "/proc/%.20s/fd", pid);
  dir = opendir(path);
  while (dir != NULL && (e = readdir(dir)) != NULL) {
    ssize_t len = readlinkat(dirfd(dir), e->d_name, target, sizeof(target) - 1);

    target[len > 0 ? len : 0] = '\0';
    n += strncmp(target, box.root, strlen(box.root)) == 0 && strstr(target, " (deleted)") != NULL;
  }
  if (dir != NULL)
    (void)closedir(dir);
  return n;
}

/* They stay in the network namespace of who started them, and this one is the test's own. */
static void count_processes(struct counts *c)
{
  DIR *dir = opendir("/proc");
  struct dirent *e;
  char own[64];
  ssize_t len = readlink("/proc/self/ns/net", own, sizeof(own) - 1);

  own[len > 0 ? len : 0] = '\0';
  while (dir != NULL && (e = readdir(dir)) != NULL) {
    if (e->d_name[0] < '0' || e->d_name[0] > '9' || !link_is(e->d_name, "ns/net", own))
      continue;
    c->processes += is_helper(e->d_name);
    c->scratches += count_nameless(e->d_name);
  }
  if (dir != NULL)
    (void)closedir(dir);
}

static int count_below(const char *folder, const char *prefix, bool hidden)
{
  char path[128];

  (void)snprintf(path, sizeof(path), "%s/%s", box.root, folder);
  return count_entries(path, prefix, hidden);
}

static struct counts count_all(void)
{
  struct counts c = { .mounts = count_lines("/proc/self/mountinfo"), .links = count_links() };

  c.groups = count_groups();
  count_processes(&c);
  c.containers = count_below("containers", "", true);
  c.locks = count_below("locks", "", false);
  c.fds = count_descriptors();
  c.rows =
      (int)box_count("SELECT (SELECT count(*) FROM containers) + (SELECT count(*) FROM journal)"
                     " + (SELECT count(*) FROM leases) + (SELECT count(*) FROM ports)");
  c.templates = count_below("vm/templates", "", false);
  c.pooled = count_below("vm/pool", "", false);
  c.images = count_below("vm/images", "", false);
  c.builds = count_below("vm/images", "tmp-", false) + count_below("vm/scratch", "tmp", false);
  return c;
}

void leaks_begin(void)
{
  before = count_all();
}

static bool is_clean(void *ctx)
{
  struct counts *now = ctx;

  *now = count_all();
  if (now->links < before.links) /* one was still going when the case began */
    now->links = before.links;
  if (now->processes < before.processes)
    now->processes = before.processes;
  if (now->scratches < before.scratches)
    now->scratches = before.scratches;
  return memcmp(now, &before, sizeof(before)) == 0;
}

int leaks_end(void)
{
  struct counts now;

  if (box_eventually(is_clean, &now))
    return 0;
  (void)fprintf(stderr,
                "left behind: mounts %+d, links %+d, cgroups %+d, processes %+d, containers %+d, "
                "locks %+d, descriptors %+d, rows %+d\n",
                now.mounts - before.mounts, now.links - before.links, now.groups - before.groups,
                now.processes - before.processes, now.containers - before.containers,
                now.locks - before.locks, now.fds - before.fds, now.rows - before.rows);
  (void)fprintf(stderr,
                "of machines: disks %+d, templates %+d, pooled %+d, images %+d, builds %+d\n",
                now.scratches - before.scratches, now.templates - before.templates,
                now.pooled - before.pooled, now.images - before.images, now.builds - before.builds);
  return -1;
}
