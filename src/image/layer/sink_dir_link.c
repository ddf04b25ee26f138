/* SPDX-License-Identifier: Apache-2.0
 *
 * Hard links, and those whose target is not there (yet).
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/path.h"
#include "image/layer/sink_dir_internal.h"

/* Opens the directory of the target: -ENOENT when it is not there. */
static int open_target_dir(const struct zl_sink_dir *s, const char *target)
{
  char dir[ZL_LAYER_PATH];
  size_t len = zl_layer_path_parent(target);

  memcpy(dir, target, len);
  dir[len] = '\0';
  return zl_path_open_in_root(s->options.root_fd, len > 0 ? dir : ".", O_PATH | O_DIRECTORY, 0);
}

static int link_failed(const struct zl_sink_dir *s, int os_error, struct zl_error *err)
{
  if (os_error == EMLINK)
    return zl__sink_dir_fail(s, err, ZL_E_LIMIT, 0,
                             "more hard links to one file than the file system allows");
  return zl__sink_dir_fail(s, err, ZL_E_SYSTEM, os_error, "making a hard link");
}

/* Both names are known to exist or not; a link to itself under another spelling stays as it is. */
static int make_link(struct zl_sink_dir *s, int target_dir, const char *target_name,
                     const struct stat *target, const char *name, struct zl_error *err)
{
  struct stat old;
  int r;

  if (linkat(target_dir, target_name, s->dir.fd, name, 0) == 0)
    return 0;
  if (errno != EEXIST)
    return link_failed(s, errno, err);
  r = zl__sink_dir_look(s->dir.fd, name, &old, err);
  if (r < 0)
    return r;
  if (r > 0 && old.st_dev == target->st_dev && old.st_ino == target->st_ino)
    return 0;
  r = zl__sink_dir_vacate(s, name, err);
  if (r < 0)
    return r;
  if (linkat(target_dir, target_name, s->dir.fd, name, 0) < 0)
    return errno == ENOENT ? zl__sink_dir_refuse(s, err, "a hard link replaces its own target")
                           : link_failed(s, errno, err);
  return 0;
}

/* 1: linked; 0: the target is not in this layer. The link itself is the target when it is a
 * symbolic one; attributes of the entry are not applied, they belong to the target. */
static int try_link(struct zl_sink_dir *s, const char *target, const char *name,
                    struct zl_error *err)
{
  const char *target_name = zl_layer_path_name(target);
  zl_autofd dir = open_target_dir(s, target);
  struct stat st;
  int r;

  if (dir < 0) {
    r = dir;
    dir = -1;
    return r == -ENOENT ? 0 : zl__sink_dir_refuse(s, err, "the hard link's target is not usable");
  }
  r = zl__sink_dir_look(dir, target_name, &st, err);
  if (r <= 0)
    return r;
  if (S_ISDIR(st.st_mode) || zl_is_whiteout(&st))
    return zl__sink_dir_refuse(s, err, "the hard link's target is %s",
                               S_ISDIR(st.st_mode) ? "a directory" : "deleted by this layer");
  r = make_link(s, dir, target_name, &st, name, err);
  return r < 0 ? r : 1;
}

int zl__sink_dir_hardlink(struct zl_sink_dir *s, const struct zl_layer_entry *entry,
                          const char *name, struct zl_error *err)
{
  char target[ZL_LAYER_PATH];
  bool climbs;
  struct stat st;
  int r = zl_layer_path_clean(entry->link, target, &climbs, err);

  if (r < 0)
    return r;
  if (climbs || *target == '\0' || strcmp(target, s->path) == 0)
    return zl__sink_dir_refuse(s, err, "a hard link to '..', to the root or to itself");
  r = zl__sink_dir_settle(s, err); /* the target may be the writer's */
  if (r == 0)
    r = try_link(s, target, name, err);
  if (r != 0)
    return r < 0 ? r : 0;
  r = zl__sink_dir_look(s->dir.fd, name, &st, err);
  if (r > 0)
    r = zl__sink_dir_vacate(s, name, err);
  return r < 0 ? r : zl_link_list_add(&s->deferred, s->path, target, err);
}

/* What was put at the place in the meantime came later and stays; but a whiteout speaks of lower
 * layers only. Returns 1 when the link still waits. */
static int retry(void *sink, const struct zl_link *link, struct zl_error *err)
{
  struct zl_sink_dir *s = sink;
  const char *name = zl_layer_path_name(link->path);
  struct stat st;
  int r;

  memcpy(s->path, link->path, strlen(link->path) + 1);
  r = zl__sink_dir_enter(s, link->path, zl_layer_path_parent(link->path), false, err);
  if (r == 0)
    r = zl__sink_dir_look(s->dir.fd, name, &st, err);
  if (r < 0 || (r > 0 && !zl_is_whiteout(&st)))
    return r < 0 ? r : 0;
  r = try_link(s, link->target, name, err);
  return r < 0 ? r : r == 0;
}

int zl__sink_dir_retry_links(struct zl_sink_dir *s, struct zl_error *err)
{
  return zl_link_list_retry(&s->deferred, retry, s, err);
}
