/* SPDX-License-Identifier: Apache-2.0 */
#include "image/config.h"

#include <string.h>

#include "base/digest.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/strv.h"
#include "image/platform.h"

void zl_image_done(struct zl_image *image)
{
  struct zl_image_config *c = &image->config;
  void *const texts[] = { &image->reference, &image->digest,  &image->os,
                          &image->arch,      &image->variant, &image->os_version,
                          &c->working_dir,   &c->user,        &c->stop_signal };
  char ***const lists[] = { &image->layers,    &c->entrypoint, &c->cmd,   &c->env,
                            &c->exposed_ports, &c->volumes,    &c->labels };

  for (size_t i = 0; i < ZL_COUNT(texts); i++)
    zl_freep(texts[i]);
  for (size_t i = 0; i < ZL_COUNT(lists); i++)
    zl_strv_freep(lists[i]);
}

/* An empty text means the same as none, to every tool that writes these files. */
static int copy_text(const json_t *object, const char *path, const char *key, char **ret,
                     struct zl_error *err)
{
  const char *text = NULL;
  int r = zl_json_get_string(object, path, key, &text, err);

  if (r < 0 || text == NULL || *text == '\0')
    return r;
  *ret = strdup(text);
  return *ret != NULL ? 0 : zl_fail_nomem(err, path);
}

/* A set is written as an object whose members are empty objects. */
static int copy_set(const json_t *object, const char *path, const char *key, char ***ret,
                    struct zl_error *err)
{
  json_t *set = NULL;
  const char *name;
  json_t *value;
  int r = zl_json_get_object(object, path, key, &set, err);

  if (r < 0 || set == NULL)
    return r;
  json_object_foreach (set, name, value) {
    r = zl_strv_push(ret, name, err);
    if (r < 0)
      return r;
  }
  return 0;
}

static int copy_labels(const json_t *object, const char *path, char ***ret, struct zl_error *err)
{
  json_t *labels = NULL;
  const char *key;
  json_t *value;
  int r = zl_json_get_object(object, path, "Labels", &labels, err);

  if (r < 0 || labels == NULL)
    return r;
  json_object_foreach (labels, key, value) {
    zl_autofree char *pair = NULL;

    if (!json_is_string(value))
      return zl_fail(err, ZL_E_INVALID, 0, "%s.Labels['%.100s']: expected a string", path, key);
    pair = zl_asprintf("%s=%s", key, json_string_value(value));
    r = pair != NULL ? zl_strv_push(ret, pair, err) : zl_fail_nomem(err, path);
    if (r < 0)
      return r;
  }
  return 0;
}

static int parse_config(const json_t *root, const char *what, struct zl_image_config *ret,
                        struct zl_error *err)
{
  zl_autofree char *path = zl_asprintf("%s: config", what);
  json_t *c = NULL;
  int r;

  if (path == NULL)
    return zl_fail_nomem(err, what);
  r = zl_json_get_object(root, what, "config", &c, err);
  if (r < 0 || (r = zl_json_get_strv(c, path, "Entrypoint", ZL_MAX_LIST, &ret->entrypoint, err)) ||
      (r = zl_json_get_strv(c, path, "Cmd", ZL_MAX_LIST, &ret->cmd, err)) ||
      (r = zl_json_get_bool(c, path, "ArgsEscaped", false, &ret->args_escaped, err)) ||
      (r = zl_json_get_strv(c, path, "Env", ZL_MAX_LIST, &ret->env, err)) ||
      (r = copy_text(c, path, "WorkingDir", &ret->working_dir, err)) ||
      (r = copy_text(c, path, "User", &ret->user, err)) ||
      (r = copy_text(c, path, "StopSignal", &ret->stop_signal, err)) ||
      (r = copy_set(c, path, "ExposedPorts", &ret->exposed_ports, err)) ||
      (r = copy_set(c, path, "Volumes", &ret->volumes, err)))
    return r;
  return copy_labels(c, path, &ret->labels, err);
}

static int parse_platform(const json_t *root, const char *what, struct zl_image *ret,
                          struct zl_error *err)
{
  int r;

  if ((r = copy_text(root, what, "os", &ret->os, err)) ||
      (r = copy_text(root, what, "architecture", &ret->arch, err)) ||
      (r = copy_text(root, what, "variant", &ret->variant, err)) ||
      (r = copy_text(root, what, "os.version", &ret->os_version, err)))
    return r;
  if (ret->os == NULL || ret->arch == NULL || strlen(ret->os) >= ZL_PLATFORM_PART ||
      strlen(ret->arch) >= ZL_PLATFORM_PART)
    return zl_fail(err, ZL_E_CORRUPT, 0, "%s: 'os' and 'architecture' are required", what);
  return 0;
}

static int parse_diff_ids(const json_t *root, const char *what, char ***ret, struct zl_error *err)
{
  zl_autofree char *path = zl_asprintf("%s: rootfs", what);
  zl_autostrv ids = NULL;
  json_t *rootfs = NULL;
  int r;

  if (path == NULL)
    return zl_fail_nomem(err, what);
  r = zl_json_get_object(root, what, "rootfs", &rootfs, err);
  if (r == 0)
    r = zl_json_get_strv(rootfs, path, "diff_ids", ZL_MAX_LAYERS, &ids, err);
  if (r < 0)
    return r;
  for (size_t i = 0; ids != NULL && ids[i] != NULL; i++)
    if (!zl_digest_is_valid(ids[i], NULL))
      return zl_fail(err, ZL_E_CORRUPT, 0, "%s.diff_ids[%zu]: '%.100s' is not a digest", path, i,
                     ids[i]);
  *ret = zl_steal_ptr(&ids);
  return 0;
}

int zl_image_config_parse(const char *text, size_t len, const char *what, struct zl_image *ret,
                          char ***ret_diff_ids, struct zl_error *err)
{
  struct zl_error local = { 0 };
  zl_autojson *root = NULL;
  zl_autoimage image = { 0 };
  int r;

  if (err == NULL)
    err = &local;
  r = zl_json_parse(text, len, what, &root, err);
  if (r == 0 && !json_is_object(root))
    r = zl_fail(err, ZL_E_CORRUPT, 0, "%s: expected an object", what);
  if (r == 0)
    r = parse_platform(root, what, &image, err);
  if (r == 0)
    r = parse_config(root, what, &image.config, err);
  if (r == 0)
    r = parse_diff_ids(root, what, ret_diff_ids, err);
  if (r == -ZL_E_INVALID) {
    err->code = ZL_E_CORRUPT;
    r = -ZL_E_CORRUPT;
  }
  if (r < 0)
    return r;
  *ret = image;
  image = (struct zl_image){ 0 };
  return 0;
}
