/* SPDX-License-Identifier: Apache-2.0 */
#include "image/tls.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/dir.h"
#include "base/fd.h"
#include "base/strv.h"

enum {
  MAX_CERT_FILES = 64 /* of one host */
};

void zl_tls_done(struct zl_tls *tls)
{
  zl_strv_freep(&tls->ca_files);
  zl_freep(&tls->cert_file);
  zl_freep(&tls->key_file);
}

static int copy_text(const char *text, char **ret, struct zl_error *err)
{
  *ret = text != NULL ? strdup(text) : NULL;
  return text == NULL || *ret != NULL ? 0 : zl_fail_nomem(err, "certificates");
}

int zl_tls_copy(const struct zl_tls *tls, struct zl_tls *ret, struct zl_error *err)
{
  int r = zl_strv_copy(&ret->ca_files, (const char *const *)tls->ca_files, err);

  ret->skip_verify = tls->skip_verify;
  if (r == 0)
    r = copy_text(tls->cert_file, &ret->cert_file, err);
  return r < 0 ? r : copy_text(tls->key_file, &ret->key_file, err);
}

bool zl_tls_is_empty(const struct zl_tls *tls)
{
  return !tls->skip_verify && tls->ca_files == NULL && tls->cert_file == NULL;
}

static bool has_suffix(const char *name, const char *suffix)
{
  const size_t len = strlen(name), n = strlen(suffix);

  return len > n && strcmp(name + len - n, suffix) == 0;
}

static int compare(const void *a, const void *b)
{
  return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The names that count, sorted: which authority comes first must not depend on the disk. */
static int list_names(const char *path, char ***ret, struct zl_error *err)
{
  int fd = zl_fd_open(AT_FDCWD, path, O_RDONLY | O_DIRECTORY, 0), r = 0;
  zl_autodir *dir = NULL;
  const struct dirent *entry;

  if (fd == -ENOENT || fd == -ENOTDIR)
    return 0;
  if (fd < 0)
    return zl_fail(err, ZL_E_SYSTEM, -fd, "opening '%s'", path);
  dir = fdopendir(fd);
  if (dir == NULL) {
    zl_fd_closep(&fd);
    return zl_fail_nomem(err, path);
  }
  while (r == 0 && (entry = readdir(dir)) != NULL) {
    if (!has_suffix(entry->d_name, ".crt") && !has_suffix(entry->d_name, ".cert") &&
        !has_suffix(entry->d_name, ".key"))
      continue;
    if (zl_strv_len((const char *const *)*ret) >= MAX_CERT_FILES)
      return zl_fail(err, ZL_E_LIMIT, 0, "'%s' holds more than %d certificates", path,
                     MAX_CERT_FILES);
    r = zl_strv_push(ret, entry->d_name, err);
  }
  if (r == 0 && *ret != NULL)
    qsort(*ret, zl_strv_len((const char *const *)*ret), sizeof(char *), compare);
  return r;
}

static bool holds(char *const *names, const char *stem, size_t len, const char *suffix)
{
  for (; *names != NULL; names++)
    if (strlen(*names) == len + strlen(suffix) && strncmp(*names, stem, len) == 0 &&
        strcmp(*names + len, suffix) == 0)
      return true;
  return false;
}

static int take_pair(const char *path, char *const *names, const char *name, struct zl_tls *tls,
                     struct zl_error *err)
{
  const size_t len = strlen(name) - strlen(".cert");

  if (!holds(names, name, len, ".key"))
    return zl_fail(err, ZL_E_INVALID, 0,
                   "'%s/%s' has no '%.*s.key' beside it; authorities end in .crt", path, name,
                   (int)len, name);
  if (tls->cert_file != NULL)
    return zl_fail(err, ZL_E_INVALID, 0, "'%s' holds several client certificates: leave one", path);
  tls->cert_file = zl_asprintf("%s/%s", path, name);
  tls->key_file = zl_asprintf("%s/%.*s.key", path, (int)len, name);
  return tls->cert_file != NULL && tls->key_file != NULL ? 0 : zl_fail_nomem(err, path);
}

static int take_file(const char *path, char *const *names, const char *name, struct zl_tls *tls,
                     struct zl_error *err)
{
  zl_autofree char *full = NULL;

  if (has_suffix(name, ".cert"))
    return take_pair(path, names, name, tls, err);
  if (has_suffix(name, ".key")) {
    if (holds(names, name, strlen(name) - strlen(".key"), ".cert"))
      return 0;
    return zl_fail(err, ZL_E_INVALID, 0, "'%s/%s' has no certificate (.cert) beside it", path,
                   name);
  }
  full = zl_asprintf("%s/%s", path, name);
  return full != NULL ? zl_strv_push(&tls->ca_files, full, err) : zl_fail_nomem(err, path);
}

int zl_tls_load_dir(const char *path, struct zl_tls *ret, struct zl_error *err)
{
  zl_autotls tls = { 0 };
  zl_autostrv names = NULL;
  int r = list_names(path, &names, err);

  for (size_t i = 0; r == 0 && names != NULL && names[i] != NULL; i++)
    r = take_file(path, names, names[i], &tls, err);
  if (r < 0)
    return r;
  if (names == NULL)
    return 0;
  *ret = tls;
  tls = (struct zl_tls){ 0 };
  return 1;
}
