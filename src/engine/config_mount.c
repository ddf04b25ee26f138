/* SPDX-License-Identifier: Apache-2.0
 *
 * Mounts. Options are those of mount(8) as the OCI specification lists them: what is an attribute
 * of the mount itself is taken out, everything else goes to the file system.
 */
#include <ctype.h>
#include <errno.h>
#include <linux/mount.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>

#include "base/limits.h"
#include "base/log.h"
#include "base/strv.h"
#include "engine/config_private.h"

enum option_kind {
  ATTR,        /* value is set (and, for access times, the whole field cleared first) */
  ATTR_OFF,    /* value is cleared */
  PROPAGATION, /* value is MS_* */
  BIND,
  RBIND,
  REMOUNT,
  COPY_UP,
  IDMAP,
  RIDMAP,
  COPY_LINK,
  NO_FOLLOW, /* value is one of the enum below */
  NOTHING    /* the default of mount(8), or a word that only its tools read */
};

enum {
  OF_SOURCE,
  OF_DESTINATION
};

// NOLINTNEXTLINE(clang-analyzer-optin.performance.Padding): in the order the table is read
static const struct mount_option {
  const char *name;
  enum option_kind kind;
  unsigned long value;
  bool recursive_form; /* "r" + name is the same for all mounts below */
} options[] = {
  { "ro", ATTR, MOUNT_ATTR_RDONLY, true },
  { "rw", ATTR_OFF, MOUNT_ATTR_RDONLY, true },
  { "nosuid", ATTR, MOUNT_ATTR_NOSUID, true },
  { "suid", ATTR_OFF, MOUNT_ATTR_NOSUID, true },
  { "nodev", ATTR, MOUNT_ATTR_NODEV, true },
  { "dev", ATTR_OFF, MOUNT_ATTR_NODEV, true },
  { "noexec", ATTR, MOUNT_ATTR_NOEXEC, true },
  { "exec", ATTR_OFF, MOUNT_ATTR_NOEXEC, true },
  { "noatime", ATTR, MOUNT_ATTR_NOATIME, true },
  { "strictatime", ATTR, MOUNT_ATTR_STRICTATIME, true },
  { "relatime", ATTR_OFF, MOUNT_ATTR__ATIME, true },
  { "atime", ATTR_OFF, MOUNT_ATTR__ATIME, true },
  { "norelatime", ATTR_OFF, MOUNT_ATTR__ATIME, true },
  { "nostrictatime", ATTR_OFF, MOUNT_ATTR__ATIME, true },
  { "nodiratime", ATTR, MOUNT_ATTR_NODIRATIME, true },
  { "diratime", ATTR_OFF, MOUNT_ATTR_NODIRATIME, true },
  { "nosymfollow", ATTR, MOUNT_ATTR_NOSYMFOLLOW, true },
  { "symfollow", ATTR_OFF, MOUNT_ATTR_NOSYMFOLLOW, true },
  { "shared", PROPAGATION, MS_SHARED, true },
  { "slave", PROPAGATION, MS_SLAVE, true },
  { "private", PROPAGATION, MS_PRIVATE, true },
  { "unbindable", PROPAGATION, MS_UNBINDABLE, true },
  { "bind", BIND, 0, false },
  { "rbind", RBIND, 0, false },
  { "remount", REMOUNT, 0, false },
  { "tmpcopyup", COPY_UP, 0, false },
  { "idmap", IDMAP, 0, false },
  { "ridmap", RIDMAP, 0, false },
  { "copy-symlink", COPY_LINK, 0, false },
  { "src-nofollow", NO_FOLLOW, OF_SOURCE, false },
  { "dest-nofollow", NO_FOLLOW, OF_DESTINATION, false },
  { "defaults", NOTHING, 0, false },
  { "auto", NOTHING, 0, false },
  { "noauto", NOTHING, 0, false },
  { "nofail", NOTHING, 0, false },
  { "_netdev", NOTHING, 0, false },
  { "user", NOTHING, 0, false },
  { "nouser", NOTHING, 0, false },
  { "noiversion", NOTHING, 0, false }, /* "iversion" only some file systems know, and answer for */
  { "loud", NOTHING, 0, false },
  { "silent", NOTHING, 0, false },
};

/* The exact name first: "rbind" and "relatime" are words of their own. */
static const struct mount_option *find_option(const char *text, bool *ret_recursive)
{
  for (size_t i = 0; i < ZL_COUNT(options); i++)
    if (strcmp(options[i].name, text) == 0) {
      *ret_recursive = false;
      return &options[i];
    }
  for (size_t i = 0; text[0] == 'r' && i < ZL_COUNT(options); i++)
    if (options[i].recursive_form && strcmp(options[i].name, text + 1) == 0) {
      *ret_recursive = true;
      return &options[i];
    }
  return NULL;
}

/* A later option undoes an earlier one. Access time is one field of several bits, so setting a mode
 * clears the others (mount_setattr(2) demands it). */
static void use_attr(const struct mount_option *o, uint64_t *set, uint64_t *clear)
{
  const bool atime = (o->value & MOUNT_ATTR__ATIME) != 0;
  const uint64_t field = atime ? MOUNT_ATTR__ATIME : o->value;

  *set &= ~field;
  *clear &= ~field;
  if (o->kind == ATTR)
    *set |= o->value;
  if (o->kind == ATTR_OFF || atime)
    *clear |= field;
}

static void use_option(struct zl_mount *m, const struct mount_option *o, bool recursive)
{
  switch (o->kind) {
  case ATTR:
  case ATTR_OFF:
    use_attr(o, recursive ? &m->rattr_set : &m->attr_set,
             recursive ? &m->rattr_clear : &m->attr_clear);
    break;
  case PROPAGATION:
    m->propagation = o->value | (recursive ? MS_REC : 0);
    break;
  case RBIND:
    m->recursive = true;
    m->bind = true;
    break;
  case BIND:
    m->bind = true;
    break;
  case REMOUNT:
    m->remount = true;
    break;
  case COPY_UP:
    m->copy_up = true;
    break;
  case RIDMAP:
    m->idmap_recursive = true;
    m->idmap = true;
    break;
  case IDMAP:
    m->idmap = true;
    break;
  case COPY_LINK:
    m->copy_link = true;
    break;
  case NO_FOLLOW:
    *(o->value == OF_SOURCE ? &m->source_nofollow : &m->target_nofollow) = true;
    break;
  case NOTHING:
    break;
  }
}

static int join_options(struct zl_config_reader *rd, struct zl_mount *m, const char *path)
{
  char *data, *end;
  size_t size = 1;

  for (char **o = m->fs_options; *o != NULL; o++)
    size += strlen(*o) + 1;
  if (size > ZL_MAX_MOUNT_DATA + 1)
    return zl_fail(rd->err, ZL_E_LIMIT, 0, "%s.options: longer than %d bytes", path,
                   ZL_MAX_MOUNT_DATA);
  data = end = zl_arena_alloc(rd->arena, size);
  if (data == NULL)
    return zl_fail_nomem(rd->err, "configuration");
  for (char **o = m->fs_options; *o != NULL; o++) {
    if (end != data)
      *end++ = ',';
    end = stpcpy(end, *o);
  }
  m->data = data;
  return 0;
}

/* A number and the `end` behind it, which is passed over unless it is '\0'. */
static bool read_number(const char **text, char end, uint32_t *ret)
{
  unsigned long value;
  char *after;

  if (!isdigit((unsigned char)**text))
    return false;
  errno = 0;
  value = strtoul(*text, &after, 10);
  if (errno != 0 || value >= UINT32_MAX || (end != '\0' && *after != end))
    return false;
  *text = after + (end != '\0');
  *ret = (uint32_t)value;
  return true;
}

/* "0-1000-10#10-5000-1", up to the ";" of the next word: triplets as of uidMappings. */
static int read_ranges(struct zl_config_reader *rd, const char *text, const char *path,
                       const struct zl_idmap **ret, size_t *ret_n)
{
  struct zl_idmap *list = zl_arena_alloc(rd->arena, ZL_MAX_INLINE_IDMAPS * sizeof(*list));
  const char *at = text;

  if (list == NULL)
    return zl_fail_nomem(rd->err, "configuration");
  for (size_t n = 0; n < ZL_MAX_INLINE_IDMAPS; at++) {
    struct zl_idmap *map = &list[n++];

    if (!read_number(&at, '-', &map->container_id) || !read_number(&at, '-', &map->host_id) ||
        !read_number(&at, '\0', &map->size) || map->size == 0)
      break;
    if (*at == '\0' || *at == ';') {
      *ret = list;
      *ret_n = n;
      return 0;
    }
    if (*at != '#')
      break;
  }
  return zl_fail(rd->err, ZL_E_INVALID, 0,
                 "%s.options: '%.60s' is not a list of at most %d like 0-1000-10#10-2000-1 "
                 "(relative ones, with @, are not supported)",
                 path, text, ZL_MAX_INLINE_IDMAPS);
}

/* "idmap=uids=...;gids=...", as crun has it; *ret_taken says whether it is that. */
static int use_idmap(struct zl_config_reader *rd, struct zl_mount *m, const char *option,
                     const char *path, bool *ret_taken)
{
  const bool recursive = zl_has_prefix(option, "ridmap=");
  int r = 0;

  *ret_taken = recursive || zl_has_prefix(option, "idmap=");
  if (!*ret_taken)
    return 0;
  m->idmap = true;
  m->idmap_recursive = recursive;
  for (const char *word = strchr(option, '='); r == 0 && word != NULL; word = strchr(word, ';')) {
    word++;
    if (zl_has_prefix(word, "uids="))
      r = read_ranges(rd, word + 5, path, &m->uid_maps, &m->n_uid_maps);
    else if (zl_has_prefix(word, "gids="))
      r = read_ranges(rd, word + 5, path, &m->gid_maps, &m->n_gid_maps);
    else
      r = zl_fail(rd->err, ZL_E_INVALID, 0, "%s.options: '%.60s' is neither uids= nor gids=", path,
                  word);
  }
  return r;
}

static int read_options(struct zl_config_reader *rd, struct zl_mount *m, const char *path)
{
  size_t n = 0, n_fs = 0;
  int r = 0;

  while (m->options[n] != NULL)
    n++;
  m->fs_options = zl_arena_alloc(rd->arena, (n + 1) * sizeof(*m->fs_options));
  if (m->fs_options == NULL)
    return zl_fail_nomem(rd->err, "configuration");
  for (size_t i = 0; i < n; i++) {
    bool recursive, taken = false;
    const struct mount_option *o = find_option(m->options[i], &recursive);

    if (o != NULL)
      use_option(m, o, recursive);
    else
      r = use_idmap(rd, m, m->options[i], path, &taken);
    if (r < 0)
      return r;
    if (o == NULL && !taken)
      m->fs_options[n_fs++] = m->options[i];
  }
  if (m->type != NULL && strcmp(m->type, "bind") == 0)
    m->bind = true;
  return join_options(rd, m, path);
}

int zl_config_idmap(struct zl_config_reader *rd, const json_t *item, const char *path, void *out)
{
  struct zl_idmap *map = out;
  int r = zl_config_required_u32(rd, item, path, "containerID", UINT32_MAX - 1, &map->container_id);

  if (r == 0)
    r = zl_config_required_u32(rd, item, path, "hostID", UINT32_MAX - 1, &map->host_id);
  if (r == 0)
    r = zl_config_required_u32(rd, item, path, "size", UINT32_MAX, &map->size);
  if (r < 0)
    return r;
  if (map->size == 0 || map->size > UINT32_MAX - map->container_id ||
      map->size > UINT32_MAX - map->host_id)
    return zl_fail(rd->err, ZL_E_INVALID, 0, "%s.size: %u ids do not fit there", path, map->size);
  return 0;
}

/* A relative one, which old documents have, is taken from the root. Other code compares with
 * "/dev", so there is one way to write it. */
static int read_destination(struct zl_config_reader *rd, const json_t *item, const char *path,
                            struct zl_mount *m)
{
  const char *part;
  size_t len;
  char *end;
  int r = zl_config_required(rd, item, path, "destination", &part);

  if (r < 0)
    return r;
  m->destination = end = zl_arena_alloc(rd->arena, strlen(part) + 2);
  if (end == NULL)
    return zl_fail_nomem(rd->err, "configuration");
  for (; (len = strcspn(part += strspn(part, "/"), "/")) > 0; part += len) {
    if (len == 1 && *part == '.')
      continue;
    *end++ = '/';
    end = mempcpy(end, part, len);
  }
  if (end == m->destination)
    *end = '/';
  return 0;
}

static int check_mount(struct zl_config_reader *rd, const struct zl_mount *m, const char *path)
{
  if (m->bind && !m->remount && (m->source == NULL || m->source[0] == '\0'))
    return zl_fail(rd->err, ZL_E_INVALID, 0, "%s.source: a bind mount needs one", path);
  if (m->idmap && (!m->bind || m->remount))
    return zl_fail(rd->err, ZL_E_UNSUPPORTED, 0, "%s: only a new bind mount can map ids", path);
  if ((m->n_uid_maps == 0) != (m->n_gid_maps == 0))
    return zl_fail(rd->err, ZL_E_INVALID, 0, "%s: uidMappings and gidMappings go together", path);
  if ((m->copy_link || m->source_nofollow || m->target_nofollow) && (!m->bind || m->remount))
    return zl_fail(
        rd->err, ZL_E_INVALID, 0,
        "%s.options: copy-symlink, src-nofollow and dest-nofollow are for a new bind mount", path);
  if (m->copy_up && (m->bind || m->remount || m->type == NULL || strcmp(m->type, "tmpfs") != 0))
    return zl_fail(rd->err, ZL_E_INVALID, 0, "%s.options: tmpcopyup is for a tmpfs", path);
  /* The kernel and other runtimes do without a word; some tools leave such words in. */
  if (m->bind && *m->data != '\0')
    zl_warning("%s.options: '%.100s' means nothing for a bind mount", path, m->data);
  return 0;
}

int zl_config_mount(struct zl_config_reader *rd, const json_t *item, const char *path, void *out)
{
  struct zl_mount *m = out;
  void *uids, *gids;
  int r = read_destination(rd, item, path, m);

  if (r == 0)
    r = zl_config_string(rd, item, path, "type", &m->type);
  if (r == 0)
    r = zl_config_string(rd, item, path, "source", &m->source);
  if (r == 0)
    r = zl_config_strv(rd, item, path, "options", ZL_MAX_LIST, &m->options);
  if (r == 0)
    r = zl_config_items(rd, item, path, "uidMappings", ZL_MAX_IDMAPS, sizeof(struct zl_idmap),
                        zl_config_idmap, &uids, &m->n_uid_maps);
  if (r == 0)
    r = zl_config_items(rd, item, path, "gidMappings", ZL_MAX_IDMAPS, sizeof(struct zl_idmap),
                        zl_config_idmap, &gids, &m->n_gid_maps);
  if (r < 0)
    return r;
  m->uid_maps = uids;
  m->gid_maps = gids;
  if (m->n_uid_maps + m->n_gid_maps > 0)
    m->idmap = true;
  r = read_options(rd, m, path);
  return r == 0 ? check_mount(rd, m, path) : r;
}
