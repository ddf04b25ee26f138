/* SPDX-License-Identifier: Apache-2.0 */
#include "image/layer_meta.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/json.h"
#include "base/limits.h"

#define FILE_NAME "meta.json"

enum {
  PATH_TEXT = 256,
  PENDING_MODE = 0600,
  FLUSHED_MODE = 0400
};

int zl_layer_meta_read(int dirfd, const char *key, struct zl_layer_meta *ret, struct zl_error *err)
{
  zl_autobuf text = ZL_BUF_INIT((size_t)ZL_MAX_SMALL_FILE);
  const char *diff_id = NULL, *boot = NULL;
  zl_autojson *json = NULL;
  int64_t bytes = 0, files = 0;
  char name[PATH_TEXT];

  (void)snprintf(name, sizeof(name), "%s/%s", key, FILE_NAME);
  if (zl_file_read(dirfd, name, &text, err) < 0 ||
      zl_json_parse(text.data != NULL ? text.data : "", text.len, name, &json, err) < 0 ||
      zl_json_get_string(json, name, "diff_id", &diff_id, err) < 0 ||
      zl_json_get_string(json, name, "boot", &boot, err) < 0 ||
      zl_json_get_int(json, name, "bytes", 0, INT64_MAX, 0, &bytes, err) < 0 ||
      zl_json_get_int(json, name, "files", 0, INT64_MAX, 0, &files, err) < 0)
    return zl_wrap(err, "layer %s", key);
  if (diff_id == NULL || !zl_digest_is_valid(diff_id, NULL))
    return zl_fail(err, ZL_E_CORRUPT, 0, "layer %s: its metadata names no diff id", key);
  (void)snprintf(ret->diff_id, sizeof(ret->diff_id), "%s", diff_id);
  (void)snprintf(ret->boot, sizeof(ret->boot), "%s", boot != NULL ? boot : "");
  ret->bytes = (uint64_t)bytes;
  ret->files = (uint64_t)files;
  return 0;
}

/* The mode says something, so no umask has a say in it. Without a boot it has to be on the disk. */
static int write_meta(int layer_fd, const struct zl_layer_meta *meta, const char *boot,
                      struct zl_error *err)
{
  zl_autojson *json =
      json_pack("{s:s, s:I, s:I, s:s*}", "diff_id", meta->diff_id, "bytes", (json_int_t)meta->bytes,
                "files", (json_int_t)meta->files, "boot", boot);
  zl_autofree char *text = NULL;
  int r;

  if (json == NULL)
    return zl_fail_nomem(err, "metadata of a layer");
  r = zl_json_render(json, &text, err);
  if (r == 0)
    r = zl_file_replace(layer_fd, FILE_NAME, text, strlen(text), PENDING_MODE, boot == NULL, err);
  if (r == 0 && fchmodat(layer_fd, FILE_NAME, PENDING_MODE, 0) < 0)
    r = zl_fail_errno(err, "metadata of a layer");
  return r;
}

int zl_layer_meta_write(int layer_fd, const struct zl_layer_meta *meta, struct zl_error *err)
{
  char boot[ZL_BOOT_ID_TEXT];
  int r = zl_time_boot_id(boot, err);

  return r < 0 ? r : write_meta(layer_fd, meta, boot, err);
}

int zl_layer_meta_write_flushed(int layer_fd, const struct zl_layer_meta *meta,
                                struct zl_error *err)
{
  return write_meta(layer_fd, meta, NULL, err);
}

enum zl_layer_trust zl_layer_trust(int layer_fd)
{
  char now[ZL_BOOT_ID_TEXT];
  struct zl_layer_meta meta;
  struct stat st;
  int r;

  if (fstatat(layer_fd, FILE_NAME, &st, AT_SYMLINK_NOFOLLOW) < 0)
    return errno == ENOENT ? ZL_LAYER_VOID : ZL_LAYER_UNKNOWN;
  if ((st.st_mode & S_IWUSR) == 0)
    return ZL_LAYER_FLUSHED;
  r = zl_layer_meta_read(layer_fd, ".", &meta, NULL);
  if (r == -ZL_E_SYSTEM || r == -ZL_E_NO_MEMORY)
    return ZL_LAYER_UNKNOWN;
  if (r < 0)
    return ZL_LAYER_VOID;
  if (meta.boot[0] == '\0')
    return ZL_LAYER_FLUSHED;
  if (zl_time_boot_id(now, NULL) < 0)
    return ZL_LAYER_UNKNOWN;
  return strcmp(now, meta.boot) == 0 ? ZL_LAYER_PENDING : ZL_LAYER_VOID;
}

enum zl_layer_trust zl_layer_trust_of(int dirfd, const char *key)
{
  zl_autofd fd = zl_fd_open(dirfd, key, O_PATH | O_DIRECTORY | O_NOFOLLOW, 0);

  if (fd >= 0)
    return zl_layer_trust(fd);
  return fd == -ENOENT || fd == -ENOTDIR ? ZL_LAYER_VOID : ZL_LAYER_UNKNOWN;
}

/* The mode of a file that is there: unlike a name, nothing that a remover would trip over. */
void zl_layer_set_flushed(int layer_fd)
{
  (void)!fchmodat(layer_fd, FILE_NAME, FLUSHED_MODE, 0);
}

int zl_layer_set_void(int layer_fd)
{
  return unlinkat(layer_fd, FILE_NAME, 0) < 0 && errno != ENOENT ? -errno : 0;
}
