/* SPDX-License-Identifier: Apache-2.0
 *
 * Taking a container away. The same steps undo a failed creation, finish an interrupted removal and
 * remove what a dead creator left: each step is idempotent, so that it does not matter how far the
 * last one came.
 *
 * Order: host objects, ports, then the directory by one rename, then the rows, then the content of
 * the renamed directory. So a directory in place always is a container, and a row without one is
 * an interrupted operation.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/path.h"
#include "base/rand.h"
#include "runtime/node.h"

/* The first error wins; the steps after it are still tried. */
struct steps {
  int first;
  struct zl_error *err;
};

static struct zl_error *step_error(struct steps *steps)
{
  return steps->first == 0 ? steps->err : NULL;
}

static void note(struct steps *steps, int r)
{
  if (steps->first == 0 && r < 0)
    steps->first = r;
}

static int remove_host_objects(struct zl_runtime *rt, const char *id, const char *name,
                               struct zl_error *err)
{
  struct zl_backend *backend = NULL;
  int r = zl_backend_get(rt, name, &backend, err);

  return r < 0 ? r : zl_backend_remove(backend, id, err);
}

static int withdraw_ports(struct zl_runtime *rt, const char *id, struct zl_error *err)
{
  struct zl_net *net = NULL;
  int r = zl_node_net(rt, &net, err);

  return r < 0 ? r : zl_ports_withdraw(net, id, err);
}

static bool has_ports(struct zl_runtime *rt, const char *id)
{
  struct zl_store *store = NULL;
  int64_t n = 0;

  return zl_node_store(rt, &store, NULL) == 0 &&
         zl_store_query(store, zl_row_keep_int, &n, NULL,
                        "SELECT count(*) FROM ports WHERE container = ?", "s", id) == 0 &&
         n > 0;
}

/* The renamed directory is nobody's: it can be removed without knowing whose it was. */
static int set_directory_aside(struct zl_runtime *rt, const char *id, char *aside, size_t size,
                               struct zl_error *err)
{
  char token[9];
  int r = zl_rand_hex(token, sizeof(token), err);

  if (r < 0)
    return r;
  (void)snprintf(aside, size, ".gone-%s-%s", id, token);
  if (renameat(rt->containers_fd, id, rt->containers_fd, aside) == 0)
    return 0;
  *aside = '\0';
  return errno == ENOENT ? 0 : zl_fail_errno(err, "setting the directory of '%s' aside", id);
}

static int remove_directory(struct zl_runtime *rt, const char *aside, struct zl_error *err)
{
  int r = *aside != '\0' ? zl_path_remove_tree(rt->containers_fd, aside) : 0;

  return r < 0 ? zl_fail(err, ZL_E_SYSTEM, -r, "removing directory 'containers/%s'", aside) : 0;
}

static void remove_by_all(struct zl_runtime *rt, const char *id, struct steps *steps)
{
  const char *name;

  for (size_t i = 0; (name = zl_backend_name(i)) != NULL; i++)
    note(steps, remove_host_objects(rt, id, name, step_error(steps)));
}

int zl_dismantle(struct zl_runtime *rt, const char *id, const char *backend, struct zl_error *err)
{
  struct steps steps = { .err = err };
  char aside[ZL_ID_TEXT + 24] = "";

  if (backend != NULL)
    note(&steps, remove_host_objects(rt, id, backend, step_error(&steps)));
  else
    remove_by_all(rt, id, &steps);
  if (has_ports(rt, id))
    note(&steps, withdraw_ports(rt, id, step_error(&steps)));
  if (steps.first < 0)
    return steps.first; /* directory and rows are what the next try starts from */
  note(&steps, set_directory_aside(rt, id, aside, sizeof(aside), err));
  if (steps.first == 0)
    note(&steps, zl_record_delete(rt, id, err));
  note(&steps, remove_directory(rt, aside, step_error(&steps)));
  return steps.first;
}

static bool has_directory(struct zl_runtime *rt, const char *id)
{
  struct stat st;

  return fstatat(rt->containers_fd, id, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

/* A container that only the host knows, or of which only rows are left. */
static int remove_unknown(struct zl_runtime *rt, const char *id, struct zl_error *err)
{
  return has_directory(rt, id) ? zl_dismantle(rt, id, NULL, err) : 0;
}

static int remove_known(struct zl_runtime *rt, const struct zl_record *record, bool force,
                        struct zl_error *err)
{
  struct zl_backend *backend = NULL;
  struct zl_facts facts = { 0 };
  int r = zl_backend_get(rt, record->backend, &backend, err);

  if (r == 0)
    r = zl_backend_state(backend, record->id, &facts, err);
  if (r < 0 && !force)
    return r;
  if (!force && (facts.presence == ZL_PRESENCE_RUNNING || facts.presence == ZL_PRESENCE_STOPPING))
    return zl_fail(err, ZL_E_CONFLICT, 0, "container '%s' runs: stop it first, or force",
                   record->id);
  return zl_dismantle(rt, record->id, record->backend, err);
}

int zl_remove(struct zl_runtime *rt, const char *id, bool force, struct zl_error *err)
{
  zl_autorecord found = { 0 }, record = { 0 };
  zl_autofd lock = -1;
  const char *name = id;
  int r = zl_record_find(rt, id, &found, err);

  if (r < 0 && r != -ZL_E_NOT_FOUND)
    return r;
  if (r == 0)
    name = found.id;
  else if (!zl_path_is_name(id, ZL_ID_TEXT - 1) ||
           (!has_directory(rt, id) && !zl_node_is_locked(rt, id)))
    return 0; /* the row comes before the directory and goes after it: nothing is left */
  r = zl_node_lock(rt, name, &lock, err);
  if (r < 0)
    return r;
  r = zl_record_load(rt, name, &record,
                     NULL); /* again: it may have changed before we got the lock */
  if (r == 0)
    r = remove_known(rt, &record, force, err);
  else if (r == -ZL_E_NOT_FOUND)
    r = remove_unknown(rt, name, err);
  else
    r = zl_record_load(rt, name, &record, err);
  if (r < 0)
    return r;
  if (record.id != NULL)
    zl_event_emit(rt, "container", "remove", name, NULL);
  zl_node_forget_lock(rt, name);
  return 0;
}
