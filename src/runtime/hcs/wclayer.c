/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/hcs/wclayer.h"

#include <pthread.h>
#include <string.h>

#include "base/limits.h"
#include "base/strv.h"
#include "runtime/hcs/hresult.h"
#include "runtime/hcs/wintext.h"

#define LONG_PATH "\\\\?\\"

enum {
  TRIES = 5,
  PAUSE_MS = 100,
  FILTER_DRIVER = 1,
  /* OpenVirtualDisk, DetachVirtualDisk */
  OPEN_CACHED_IO = 8,
  OPEN_IGNORE_LOCATOR = 0x80,
  OPEN_VERSION = 2
};

static const zl_wchar nothing[] = { 0 }; /* NULL in its place crashes vmcompute */
static const struct zl_wc_driver driver = { .flavour = FILTER_DRIVER, .home = nothing };

static pthread_mutex_t preparing = PTHREAD_MUTEX_INITIALIZER;

/* ---- Paths ---- */

int zl_wclayer_path(const char *path, zl_wchar **ret, struct zl_error *err)
{
  bool plain = strncmp(path, "\\\\", 2) != 0;
  zl_autofree char *text = zl_asprintf("%s%s", plain ? LONG_PATH : "", path);
  int r = text != NULL ? zl_win_check_path(text, "layer", err) : zl_fail_nomem(err, "a path");

  return r < 0 ? r : zl_wide_new(text, ret, err);
}

static const char *base_name(const char *path)
{
  const char *slash = strrchr(path, '\\');

  return slash != NULL ? slash + 1 : path;
}

static int failed(zl_hr hr, const char *call, const char *path, struct zl_error *err)
{
  zl_autofree char *what = zl_asprintf("%s of '%.200s'", call, path);

  return zl_hresult_fail(err, hr, what != NULL ? what : call);
}

/* *err is written for failures only, not for a try that another one made good. */
static int settle(int r, const struct zl_error *why, struct zl_error *err)
{
  if (r < 0 && err != NULL)
    *err = *why;
  return r;
}

/* ---- The chain ---- */

void zl_wclayer_chain_free(struct zl_wclayer_chain *chain)
{
  if (chain == NULL)
    return;
  for (size_t i = 0; i < chain->count; i++) {
    free((void *)(uintptr_t)chain->layers[i].id);
    free((void *)(uintptr_t)chain->layers[i].path);
    free((void *)(uintptr_t)chain->descriptors[i].path);
  }
  free(chain->layers);
  free(chain->descriptors);
  free(chain);
}

static int add_layer(const struct zl_hcs_api *api, struct zl_wclayer_chain *chain, const char *path,
                     struct zl_error *err)
{
  struct zl_wc_descriptor *descriptor = &chain->descriptors[chain->count];
  struct zl_hcs_layer *layer = &chain->layers[chain->count];
  zl_autofree zl_wchar *name = NULL, *wide = NULL;
  char guid[ZL_GUID_CHARS];
  int r = zl_win_check_path(path, "layer", err);
  zl_hr hr;

  if (r == 0)
    r = zl_wide_new(base_name(path), &name, err);
  if (r == 0)
    r = zl_wclayer_path(path, &wide, err);
  if (r < 0)
    return r;
  hr = api->NameToGuid(name, &descriptor->id);
  if (zl_hresult_failed(hr))
    return failed(hr, "NameToGuid", path, err);
  layer->id = strdup(zl_guid_format(&descriptor->id, guid));
  layer->path = strdup(path);
  descriptor->path = zl_steal_ptr(&wide);
  chain->count++;
  return layer->id != NULL && layer->path != NULL ? 0 : zl_fail_nomem(err, "layers");
}

int zl_wclayer_chain_new(const struct zl_hcs_api *api, char *const *paths, size_t count,
                         struct zl_wclayer_chain **ret, struct zl_error *err)
{
  ZL_CLEANUP(zl_wclayer_chain_freep) struct zl_wclayer_chain *chain = NULL;
  int r = 0;

  if (count == 0 || count > ZL_MAX_LAYERS)
    return zl_fail(err, ZL_E_LIMIT, 0, "an image of %zu layers; 1 to %d can be", count,
                   ZL_MAX_LAYERS);
  chain = calloc(1, sizeof(*chain));
  if (chain == NULL)
    return zl_fail_nomem(err, "layers");
  chain->layers = calloc(count, sizeof(*chain->layers));
  chain->descriptors = calloc(count, sizeof(*chain->descriptors));
  if (chain->layers == NULL || chain->descriptors == NULL)
    return zl_fail_nomem(err, "layers");
  for (size_t i = 0; r == 0 && i < count; i++)
    r = add_layer(api, chain, paths[i], err);
  if (r < 0)
    return r;
  *ret = zl_steal_ptr(&chain);
  return 0;
}

/* ---- One call each ---- */

typedef zl_hr (*one_fn)(const struct zl_wc_driver *driver, const zl_wchar *layer);

static int call_one(one_fn fn, const char *call, const char *path, zl_hr *ret_hr,
                    struct zl_error *err)
{
  zl_autofree zl_wchar *wide = NULL;
  int r = zl_wclayer_path(path, &wide, err);
  zl_hr hr;

  if (r < 0)
    return r;
  hr = fn(&driver, wide);
  if (ret_hr != NULL)
    *ret_hr = hr;
  return zl_hresult_failed(hr) ? failed(hr, call, path, err) : 0;
}

int zl_wclayer_import(const struct zl_hcs_api *api, const char *path, const char *staging,
                      const struct zl_wclayer_chain *chain, struct zl_error *err)
{
  zl_autofree zl_wchar *wide = NULL, *from = NULL;
  int r = zl_wclayer_path(path, &wide, err);
  zl_hr hr;

  if (r == 0)
    r = zl_wclayer_path(staging, &from, err);
  if (r < 0)
    return r;
  hr = api->ImportLayer(&driver, wide, from, chain->descriptors, (uint32_t)chain->count);
  return zl_hresult_failed(hr) ? failed(hr, "ImportLayer", path, err) : 0;
}

static int process(zl_hr (*fn)(const zl_wchar *path), const char *call, const char *path,
                   struct zl_error *err)
{
  zl_autofree zl_wchar *wide = NULL;
  int r = zl_wclayer_path(path, &wide, err);
  zl_hr hr;

  if (r < 0)
    return r;
  hr = fn(wide);
  return zl_hresult_failed(hr) ? failed(hr, call, path, err) : 0;
}

int zl_wclayer_process_base(const struct zl_hcs_api *api, const char *path, struct zl_error *err)
{
  return process(api->ProcessBaseImage, "ProcessBaseImage", path, err);
}

int zl_wclayer_process_utility(const struct zl_hcs_api *api, const char *path, struct zl_error *err)
{
  return process(api->ProcessUtilityImage, "ProcessUtilityImage", path, err);
}

int zl_wclayer_create(const struct zl_hcs_api *api, const char *path,
                      const struct zl_wclayer_chain *chain, struct zl_error *err)
{
  zl_autofree zl_wchar *wide = NULL;
  int r = zl_wclayer_path(path, &wide, err);
  zl_hr hr;

  if (r < 0)
    return r;
  hr = api->CreateSandboxLayer(&driver, wide, NULL, chain->descriptors, (uint32_t)chain->count);
  return zl_hresult_failed(hr) ? failed(hr, "CreateSandboxLayer", path, err) : 0;
}

int zl_wclayer_expand(const struct zl_hcs_api *api, const char *path, uint64_t bytes,
                      struct zl_error *err)
{
  zl_autofree zl_wchar *wide = NULL;
  int r = zl_wclayer_path(path, &wide, err);
  zl_hr hr;

  if (r < 0)
    return r;
  hr = api->ExpandSandboxSize(&driver, wide, bytes);
  return zl_hresult_failed(hr) ? failed(hr, "ExpandSandboxSize", path, err) : 0;
}

static int activate(const struct zl_hcs_api *api, const char *path, zl_hr *ret_hr,
                    struct zl_error *err)
{
  return call_one(api->ActivateLayer, "ActivateLayer", path, ret_hr, err);
}

int zl_wclayer_activate(const struct zl_hcs_api *api, const char *path, struct zl_error *err)
{
  return activate(api, path, NULL, err);
}

static int prepare(const struct zl_hcs_api *api, const char *path,
                   const struct zl_wclayer_chain *chain, zl_hr *ret_hr, struct zl_error *err)
{
  zl_autofree zl_wchar *wide = NULL;
  int r = zl_wclayer_path(path, &wide, err);

  if (r < 0)
    return r;
  (void)pthread_mutex_lock(&preparing);
  *ret_hr = api->PrepareLayer(&driver, wide, chain->descriptors, (uint32_t)chain->count);
  (void)pthread_mutex_unlock(&preparing);
  return zl_hresult_failed(*ret_hr) ? failed(*ret_hr, "PrepareLayer", path, err) : 0;
}

int zl_wclayer_prepare(const struct zl_hcs_api *api, const char *path,
                       const struct zl_wclayer_chain *chain, struct zl_error *err)
{
  zl_hr hr = 0;

  return prepare(api, path, chain, &hr, err);
}

int zl_wclayer_unprepare(const struct zl_hcs_api *api, const char *path, struct zl_error *err)
{
  return call_one(api->UnprepareLayer, "UnprepareLayer", path, NULL, err);
}

int zl_wclayer_deactivate(const struct zl_hcs_api *api, const char *path, struct zl_error *err)
{
  return call_one(api->DeactivateLayer, "DeactivateLayer", path, NULL, err);
}

/* ---- Mounting ---- */

static int mount_once(const struct zl_hcs_api *api, const char *path,
                      const struct zl_wclayer_chain *chain, zl_hr *ret_hr, struct zl_error *err)
{
  int r = activate(api, path, ret_hr, err);

  if (r < 0)
    return r;
  r = prepare(api, path, chain, ret_hr, err);
  if (r < 0)
    (void)zl_wclayer_deactivate(api, path, NULL);
  return r;
}

int zl_wclayer_mount(const struct zl_hcs_api *api, const char *path,
                     const struct zl_wclayer_chain *chain, struct zl_error *err)
{
  struct zl_error why = { 0 };
  zl_hr hr = 0;
  int r = mount_once(api, path, chain, &hr, &why);

  for (int i = 1; r < 0 && zl_hresult_retry(hr) == ZL_HRESULT_SOON && i < TRIES; i++) {
    api->Sleep(PAUSE_MS);
    r = mount_once(api, path, chain, &hr, &why);
  }
  return settle(r, &why, err);
}

int zl_wclayer_volume(const struct zl_hcs_api *api, const char *path, char **ret,
                      struct zl_error *err)
{
  zl_autofree zl_wchar *wide = NULL, *volume = NULL;
  size_t len = 0;
  int r = zl_wclayer_path(path, &wide, err);
  zl_hr hr;

  if (r < 0)
    return r;
  hr = api->GetLayerMountPath(&driver, wide, &len, NULL);
  if (zl_hresult_failed(hr))
    return failed(hr, "GetLayerMountPath", path, err);
  if (len == 0 || len > ZL_WIN_MAX_PATH)
    return zl_fail(err, ZL_E_INTERNAL, 0, "GetLayerMountPath of '%.200s': the layer has no volume",
                   path);
  volume = calloc(len + 1, sizeof(*volume));
  if (volume == NULL)
    return zl_fail_nomem(err, "a volume's path");
  hr = api->GetLayerMountPath(&driver, wide, &len, volume);
  return zl_hresult_failed(hr) ? failed(hr, "GetLayerMountPath", path, err)
                               : zl_wide_text(volume, ZL_WIN_MAX_PATH, ret, err);
}

/* ---- Removal ---- */

/* DeactivateLayer may say that it did, and leave the disk attached. */
static void detach_disk(const struct zl_hcs_api *api, const char *path)
{
  static const struct zl_vhd_open how = { .version = OPEN_VERSION };
  static const struct zl_vhd_type any = { 0 };
  zl_autofree char *file = zl_asprintf("%s\\sandbox.vhdx", path);
  zl_autofree zl_wchar *wide = NULL;
  zl_handle disk = NULL;

  if (file == NULL || zl_wclayer_path(file, &wide, NULL) < 0)
    return;
  if (api->OpenVirtualDisk(&any, wide, 0, OPEN_CACHED_IO | OPEN_IGNORE_LOCATOR, &how, &disk) != 0)
    return;
  (void)api->DetachVirtualDisk(disk, 0, 0);
  (void)api->CloseHandle(disk);
}

static void release(const struct zl_hcs_api *api, const char *path)
{
  (void)zl_wclayer_unprepare(api, path, NULL);
  (void)zl_wclayer_deactivate(api, path, NULL);
  detach_disk(api, path);
}

static bool is_missing(zl_hr hr)
{
  return zl_hresult_error(hr) == ZL_E_NOT_FOUND;
}

int zl_wclayer_destroy(const struct zl_hcs_api *api, const char *path, struct zl_error *err)
{
  struct zl_error why = { 0 };
  zl_hr hr = 0;
  int r = call_one(api->DestroyLayer, "DestroyLayer", path, &hr, &why);

  for (int i = 1; r < 0 && zl_hresult_retry(hr) == ZL_HRESULT_RELEASE && i < TRIES; i++) {
    release(api, path);
    if (i > 1)
      api->Sleep(PAUSE_MS);
    r = call_one(api->DestroyLayer, "DestroyLayer", path, &hr, &why);
  }
  return r < 0 && is_missing(hr) ? 0 : settle(r, &why, err);
}

/* ---- Grants ---- */

typedef zl_hr (*access_fn)(const zl_wchar *machine, const zl_wchar *path);

static int access_of(access_fn fn, const char *call, const char *machine, const char *path,
                     zl_hr *ret_hr, struct zl_error *err)
{
  zl_autofree zl_wchar *id = NULL, *wide = NULL;
  int r = zl_wide_new(machine, &id, err);

  if (r == 0)
    r = zl_win_check_path(path, "path", err);
  if (r == 0)
    r = zl_wide_new(path, &wide, err);
  if (r < 0)
    return r;
  *ret_hr = fn(id, wide);
  return zl_hresult_failed(*ret_hr) ? failed(*ret_hr, call, path, err) : 0;
}

int zl_wclayer_grant(const struct zl_hcs_api *api, const char *machine, const char *path,
                     struct zl_error *err)
{
  zl_hr hr = 0;

  return access_of(api->HcsGrantVmAccess, "HcsGrantVmAccess", machine, path, &hr, err);
}

int zl_wclayer_revoke(const struct zl_hcs_api *api, const char *machine, const char *path,
                      struct zl_error *err)
{
  struct zl_error why = { 0 };
  zl_hr hr = 0;
  int r = access_of(api->HcsRevokeVmAccess, "HcsRevokeVmAccess", machine, path, &hr, &why);

  return r < 0 && is_missing(hr) ? 0 : settle(r, &why, err);
}
