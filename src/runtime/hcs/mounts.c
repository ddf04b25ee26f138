/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/hcs/mounts.h"

#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/strv.h"
#include "runtime/hcs/wintext.h"

#define PIPES "\\\\.\\pipe\\"

static void mount_done(struct zl_hcs_mount *mount)
{
  free(mount->source);
  free(mount->target);
  free(mount->field);
  *mount = (struct zl_hcs_mount){ 0 };
}
#define automount ZL_CLEANUP(mount_done) struct zl_hcs_mount

static void free_list(struct zl_hcs_mount *list, size_t count)
{
  for (size_t i = 0; i < count; i++)
    mount_done(&list[i]);
  free(list);
}

void zl_hcs_mounts_done(struct zl_hcs_mounts *mounts)
{
  free_list(mounts->dirs, mounts->n_dirs);
  free_list(mounts->pipes, mounts->n_pipes);
  *mounts = (struct zl_hcs_mounts){ 0 };
}

/* Takes the mount over. */
static int push(struct zl_hcs_mount **list, size_t *count, struct zl_hcs_mount *mount,
                struct zl_error *err)
{
  struct zl_hcs_mount *grown;

  for (size_t i = 0; i < *count; i++)
    if (zl_wintext_equal((*list)[i].target, mount->target))
      return zl_fail(err, ZL_E_INVALID, 0, "%s.target: '%s' is that of %s, too", mount->field,
                     mount->target, (*list)[i].field);
  if (*count >= ZL_MAX_MOUNTS)
    return zl_fail(err, ZL_E_LIMIT, 0, "%s: more than %d mounts", mount->field, ZL_MAX_MOUNTS);
  grown = realloc(*list, (*count + 1) * sizeof(*grown));
  if (grown == NULL)
    return zl_fail_nomem(err, "mounts");
  *list = grown;
  grown[(*count)++] = *mount;
  *mount = (struct zl_hcs_mount){ 0 };
  return 0;
}

/* ---- Pipes ---- */

static bool is_pipe(const char *path)
{
  return zl_wintext_has_prefix(path, PIPES);
}

static int check_pipe(const char *path, const char *field, const char *key, struct zl_error *err)
{
  const char *name = path + sizeof(PIPES) - 1;

  if (is_pipe(path) && *name != '\0' && strchr(name, '\\') == NULL && strchr(name, '/') == NULL)
    return zl_wintext_check(name, field, ZL_WIN_MAX_PATH, err);
  return zl_fail(err, ZL_E_INVALID, 0, "%s.%s: '%.200s' is no pipe; they are called " PIPES "NAME",
                 field, key, path);
}

static int take_pipe(const struct zl_storage *storage, enum zl_isolation isolation,
                     struct zl_hcs_mount *mount, struct zl_hcs_mounts *ret, struct zl_error *err)
{
  int r;

  if (isolation == ZL_ISOLATION_HYPERV)
    return zl_fail(err, ZL_E_UNSUPPORTED, 0,
                   "%s.source: with isolation hyperv pipes of the host are not supported yet",
                   mount->field);
  if (storage->readonly)
    return zl_fail(err, ZL_E_INVALID, 0, "%s.readonly: a pipe has two ends", mount->field);
  r = check_pipe(storage->source, mount->field, "source", err);
  if (r == 0)
    r = check_pipe(storage->target, mount->field, "target", err);
  if (r < 0)
    return r;
  mount->source = strdup(storage->source);
  mount->target = strdup(storage->target + sizeof(PIPES) - 1);
  if (mount->source == NULL || mount->target == NULL)
    return zl_fail_nomem(err, "mounts");
  return push(&ret->pipes, &ret->n_pipes, mount, err);
}

/* ---- Directories ---- */

static int set_target(const struct zl_storage *storage, struct zl_hcs_mount *mount,
                      struct zl_error *err)
{
  zl_autofree char *field = zl_asprintf("%s.target", mount->field);
  int r = field != NULL ? 0 : zl_fail_nomem(err, "mounts");

  if (r == 0)
    r = zl_win_container_path(storage->target, field, &mount->target, err);
  if (r == 0 && zl_wintext_equal(mount->target, "C:\\"))
    return zl_fail(err, ZL_E_INVALID, 0, "%s: C:\\ is the image's; name a directory below it",
                   field);
  return r;
}

/* After a drive "/" is as good as "\", to users and in paths below ROOT; not to the service. */
static char *with_backslashes(const char *path)
{
  char *copy = strdup(path);
  bool drive = copy != NULL && copy[0] != '\0' && copy[1] == ':';

  for (char *p = copy; drive && *p != '\0'; p++)
    *p = *p == '/' ? '\\' : *p;
  return copy;
}

static int take_directory(const struct zl_storage *storage, const char *source, const char *key,
                          struct zl_hcs_mount *mount, struct zl_hcs_mounts *ret,
                          struct zl_error *err)
{
  zl_autofree char *field = zl_asprintf("%s.%s", mount->field, key);
  int r;

  mount->source = with_backslashes(source);
  if (field == NULL || mount->source == NULL)
    return zl_fail_nomem(err, "mounts");
  r = zl_win_check_path(mount->source, field, err);
  if (r == 0)
    r = set_target(storage, mount, err);
  mount->readonly = storage->readonly;
  return r < 0 ? r : push(&ret->dirs, &ret->n_dirs, mount, err);
}

static int take(const struct zl_service *service, size_t i, const char *volume,
                enum zl_isolation isolation, struct zl_hcs_mounts *ret, struct zl_error *err)
{
  const struct zl_storage *storage = &service->storage[i];
  automount mount = { .field = zl_asprintf("services.%s.storage[%zu]", service->name, i) };

  if (mount.field == NULL)
    return zl_fail_nomem(err, "mounts");
  switch (storage->type) {
  case ZL_STORAGE_BIND:
    if (is_pipe(storage->source))
      return take_pipe(storage, isolation, &mount, ret, err);
    return take_directory(storage, storage->source, "source", &mount, ret, err);
  case ZL_STORAGE_NAMED:
  case ZL_STORAGE_ANONYMOUS:
    return take_directory(storage, volume, "name", &mount, ret, err);
  case ZL_STORAGE_TMPFS:
    return zl_fail(err, ZL_E_UNSUPPORTED, 0, "%s.type: Windows has no file system in memory",
                   mount.field);
  case ZL_STORAGE_S3:
    break;
  }
  return zl_fail(err, ZL_E_UNSUPPORTED, 0, "%s.type: not supported on Windows", mount.field);
}

int zl_hcs_mounts_of(const struct zl_service *service, char *const *volumes,
                     enum zl_isolation isolation, struct zl_hcs_mounts *ret, struct zl_error *err)
{
  zl_autohcsmounts mounts = { 0 };
  int r = 0;

  for (size_t i = 0; r == 0 && i < service->n_storage; i++)
    r = take(service, i, volumes != NULL ? volumes[i] : "", isolation, &mounts, err);
  if (r < 0)
    return r;
  *ret = mounts;
  mounts = (struct zl_hcs_mounts){ 0 };
  return 0;
}
