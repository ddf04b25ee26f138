/* SPDX-License-Identifier: Apache-2.0
 *
 * Hard links, and those whose target is not there (yet).
 */
#include <errno.h>
#include <string.h>

#include "image/layer/sink_erofs_internal.h"

/* True when `name` is `dir` or somewhere below it. */
static bool is_below(const struct zl_erofs_tree *tree, uint32_t name, uint32_t dir)
{
  while (name != dir && name != ZL_EROFS_ROOT)
    name = tree->names[name].parent;
  return name == dir;
}

/* The name of the target: 1, or 0 when it is not in this layer. */
static int find_target(const struct zl_sink_erofs *s, const char *target, uint32_t *ret,
                       struct zl_error *err)
{
  const char *name = zl_layer_path_name(target);
  char dir[ZL_LAYER_PATH];
  size_t len = zl_layer_path_parent(target);
  uint32_t parent;
  int r;

  memcpy(dir, target, len);
  dir[len] = '\0';
  r = zl__sink_erofs_resolve(s, dir, &parent);
  if (r < 0)
    return r == -ENOENT ? 0 : zl__sink_erofs_refuse(s, err, "the hard link's target is not usable");
  *ret = zl_erofs_find(s->tree, parent, name, strlen(name));
  return *ret != ZL_EROFS_NONE;
}

/* 1: linked; 0: the target is not in this layer. The link itself is the target when it is a
 * symbolic one; attributes of the entry are not applied, they belong to the target. */
static int try_link(struct zl_sink_erofs *s, const char *target, const char *name,
                    struct zl_error *err)
{
  uint32_t there = zl__sink_erofs_look(s, name), found = ZL_EROFS_NONE;
  int r = find_target(s, target, &found, err);

  if (r <= 0)
    return r;
  if (S_ISDIR(zl_erofs_inode_of(s->tree, found)->mode) || zl__sink_erofs_is_whiteout(s, found))
    return zl__sink_erofs_refuse(s, err, "the hard link's target is %s",
                                 zl__sink_erofs_is_whiteout(s, found) ? "deleted by this layer"
                                                                      : "a directory");
  /* A link to itself under another spelling stays as it is. */
  if (there != ZL_EROFS_NONE && s->tree->names[there].inode == s->tree->names[found].inode)
    return 1;
  if (there != ZL_EROFS_NONE && is_below(s->tree, found, there))
    return zl__sink_erofs_refuse(s, err, "a hard link replaces its own target");
  r = zl__sink_erofs_put(s, name, s->tree->names[found].inode, err);
  return r < 0 ? r : 1;
}

int zl__sink_erofs_hardlink(struct zl_sink_erofs *s, const struct zl_layer_entry *entry,
                            const char *name, struct zl_error *err)
{
  char target[ZL_LAYER_PATH];
  uint32_t there;
  bool climbs;
  int r = zl_layer_path_clean(entry->link, target, &climbs, err);

  if (r < 0)
    return r;
  if (climbs || *target == '\0' || strcmp(target, s->path) == 0)
    return zl__sink_erofs_refuse(s, err, "a hard link to '..', to the root or to itself");
  r = try_link(s, target, name, err);
  if (r != 0)
    return r < 0 ? r : 0;
  there = zl__sink_erofs_look(s, name);
  if (there != ZL_EROFS_NONE)
    zl_erofs_remove_name(s->tree, there);
  return zl_link_list_add(&s->deferred, s->path, target, err);
}

/* What was put at the place in the meantime came later and stays; but a whiteout speaks of lower
 * layers only. Returns 1 when the link still waits. */
static int retry(void *sink, const struct zl_link *link, struct zl_error *err)
{
  struct zl_sink_erofs *s = sink;
  const char *name = zl_layer_path_name(link->path);
  uint32_t there;
  int r;

  memcpy(s->path, link->path, strlen(link->path) + 1);
  r = zl__sink_erofs_enter(s, link->path, zl_layer_path_parent(link->path), false, err);
  if (r < 0)
    return r;
  there = zl__sink_erofs_look(s, name);
  if (there != ZL_EROFS_NONE && !zl__sink_erofs_is_whiteout(s, there))
    return 0;
  r = try_link(s, link->target, name, err);
  return r < 0 ? r : r == 0;
}

int zl__sink_erofs_retry_links(struct zl_sink_erofs *s, struct zl_error *err)
{
  return zl_link_list_retry(&s->deferred, retry, s, err);
}
