/* SPDX-License-Identifier: Apache-2.0
 *
 * Layers, files, grants and pipes.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fake_private.h"

#define S_OK              0U
#define SHARING_VIOLATION 0x80070020U
#define NOT_READY         0x80070015U
#define BAD_STATE         0x80070005U
#define E_INVALIDARG      0x80070057U

enum {
  FILE_NOT_FOUND = 2,
  ALREADY_EXISTS = 183,
  DIRECTORY_NOT_EMPTY = 145,
  OPERATION_ABORTED = 995,
  BROKEN_PIPE = 109
};

/* ---- Files ---- */

static char *find(const char *path)
{
  for (size_t i = 0; i < FAKE_MAX; i++)
    if (fake.files[i][0] != '\0' && strcmp(fake.files[i], path) == 0)
      return fake.files[i];
  return NULL;
}

static void add(const char *path)
{
  for (size_t i = 0; i < FAKE_MAX; i++)
    if (fake.files[i][0] == '\0') {
      (void)snprintf(fake.files[i], FAKE_TEXT, "%s", path);
      return;
    }
}

bool fake_file_exists(const char *path)
{
  return find(path) != NULL;
}

static bool has_children(const char *path)
{
  size_t len = strlen(path);

  for (size_t i = 0; i < FAKE_MAX; i++)
    if (strncmp(fake.files[i], path, len) == 0 && fake.files[i][len] == '\\')
      return true;
  return false;
}

void fake_add_layer(const char *path, bool bootable)
{
  char text[FAKE_TEXT];

  add(path);
  if (!bootable)
    return;
  (void)snprintf(text, sizeof(text), "%s\\UtilityVM\\Files\\EFI\\Microsoft\\Boot\\bootmgfw.efi",
                 path);
  add(text);
  (void)snprintf(text, sizeof(text), "%s\\UtilityVM\\SystemTemplate.vhdx", path);
  add(text);
}

static _Thread_local uint32_t last_error;

static uint32_t get_last_error(void)
{
  return last_error;
}

/* 1, or 0 with a code; `hit` and `ok` decide. */
static int done(bool ok, uint32_t code)
{
  if (!ok)
    last_error = code;
  return ok;
}

static bool refused(const char *name)
{
  zl_hr hr;

  if (!fake_hit(name, &hr))
    return false;
  last_error = hr & 0xffff;
  return true;
}

static uint32_t get_attributes(const zl_wchar *path)
{
  char text[FAKE_TEXT];
  bool found;

  (void)pthread_mutex_lock(&fake.lock);
  found = find(fake_narrow(path, text)) != NULL;
  (void)pthread_mutex_unlock(&fake.lock);
  return found ? 0x20 : UINT32_MAX;
}

static int create_directory(const zl_wchar *path, void *security)
{
  char text[FAKE_TEXT];
  const char *name = fake_narrow(path, text);
  bool found;

  (void)security;
  if (refused("CreateDirectoryW"))
    return 0;
  (void)pthread_mutex_lock(&fake.lock);
  found = find(name) != NULL;
  if (!found)
    add(name);
  (void)pthread_mutex_unlock(&fake.lock);
  return done(!found, ALREADY_EXISTS);
}

static int remove_one(const char *call, const zl_wchar *path)
{
  char text[FAKE_TEXT];
  const char *name = fake_narrow(path, text);
  uint32_t code = FILE_NOT_FOUND;
  char *file;

  if (refused(call))
    return 0;
  (void)pthread_mutex_lock(&fake.lock);
  file = find(name);
  if (file != NULL && has_children(name)) {
    code = DIRECTORY_NOT_EMPTY;
    file = NULL;
  }
  if (file != NULL)
    file[0] = '\0';
  (void)pthread_mutex_unlock(&fake.lock);
  return done(file != NULL, code);
}

static int remove_directory(const zl_wchar *path)
{
  return remove_one("RemoveDirectoryW", path);
}

static int delete_file(const zl_wchar *path)
{
  return remove_one("DeleteFileW", path);
}

static int copy_file(const zl_wchar *from, const zl_wchar *to, int fail_if_exists)
{
  char source[FAKE_TEXT], target[FAKE_TEXT];
  bool found;

  (void)fail_if_exists;
  if (refused("CopyFileW"))
    return 0;
  (void)pthread_mutex_lock(&fake.lock);
  found = find(fake_narrow(from, source)) != NULL;
  if (found && find(fake_narrow(to, target)) == NULL)
    add(fake_narrow(to, target));
  (void)pthread_mutex_unlock(&fake.lock);
  return done(found, FILE_NOT_FOUND);
}

/* ---- Layers ---- */

struct fake_layer *fake_layer_of(const char *path)
{
  for (size_t i = 0; i < FAKE_MAX; i++)
    if (fake.layers[i].used && strcmp(fake.layers[i].path, path) == 0)
      return &fake.layers[i];
  return NULL;
}

/* Runs with the lock; `layer` NULL: there is none. */
typedef zl_hr (*layer_fn)(struct fake_layer *layer, const char *path);

static zl_hr on_layer(const char *name, const struct zl_wc_driver *driver, const zl_wchar *layer,
                      layer_fn fn)
{
  char text[FAKE_TEXT];
  const char *path = fake_narrow(layer, text);
  zl_hr hr;

  if (driver->home == NULL)
    return E_INVALIDARG;
  if (fake_hit(name, &hr))
    return hr;
  (void)pthread_mutex_lock(&fake.lock);
  hr = fn(fake_layer_of(path), path);
  (void)pthread_mutex_unlock(&fake.lock);
  return hr;
}

static zl_hr make(struct fake_layer *layer, const char *path)
{
  char disk[FAKE_TEXT + 16];

  if (layer != NULL)
    return 0x800700b7U;
  for (layer = fake.layers; layer->used; layer++)
    ;
  *layer = (struct fake_layer){ .used = true };
  (void)snprintf(layer->path, sizeof(layer->path), "%s", path);
  (void)snprintf(disk, sizeof(disk), "%s\\sandbox.vhdx", path);
  add(disk);
  return S_OK;
}

static zl_hr create_sandbox(const struct zl_wc_driver *driver, const zl_wchar *layer,
                            const zl_wchar *parent, const struct zl_wc_descriptor *parents,
                            uint32_t count)
{
  if (parent != NULL || count == 0 || parents[count - 1].flags != 0)
    return E_INVALIDARG;
  return on_layer("CreateSandboxLayer", driver, layer, make);
}

static zl_hr grow(struct fake_layer *layer, const char *path)
{
  (void)path;
  return layer != NULL && !layer->active ? S_OK : BAD_STATE;
}

static zl_hr expand(const struct zl_wc_driver *driver, const zl_wchar *layer, uint64_t bytes)
{
  return bytes > 0 ? on_layer("ExpandSandboxSize", driver, layer, grow) : E_INVALIDARG;
}

static zl_hr activate_one(struct fake_layer *layer, const char *path)
{
  (void)path;
  if (layer == NULL || layer->active)
    return BAD_STATE;
  if (fake.options.not_ready && fake.activations++ < 2)
    return NOT_READY;
  layer->active = layer->attached = true;
  return S_OK;
}

static zl_hr activate(const struct zl_wc_driver *driver, const zl_wchar *layer)
{
  return on_layer("ActivateLayer", driver, layer, activate_one);
}

static zl_hr prepare_one(struct fake_layer *layer, const char *path)
{
  (void)path;
  if (layer == NULL || !layer->active || layer->prepared)
    return BAD_STATE;
  layer->prepared = true;
  return S_OK;
}

static zl_hr prepare(const struct zl_wc_driver *driver, const zl_wchar *layer,
                     const struct zl_wc_descriptor *parents, uint32_t count)
{
  (void)parents;
  return count > 0 ? on_layer("PrepareLayer", driver, layer, prepare_one) : E_INVALIDARG;
}

static zl_hr unprepare_one(struct fake_layer *layer, const char *path)
{
  (void)path;
  if (layer == NULL || !layer->prepared)
    return BAD_STATE;
  layer->prepared = false;
  return S_OK;
}

static zl_hr unprepare(const struct zl_wc_driver *driver, const zl_wchar *layer)
{
  return on_layer("UnprepareLayer", driver, layer, unprepare_one);
}

static zl_hr deactivate_one(struct fake_layer *layer, const char *path)
{
  (void)path;
  if (layer == NULL || !layer->active)
    return BAD_STATE;
  layer->active = layer->prepared = false;
  layer->attached = fake.options.stays_attached;
  return S_OK;
}

static zl_hr deactivate(const struct zl_wc_driver *driver, const zl_wchar *layer)
{
  return on_layer("DeactivateLayer", driver, layer, deactivate_one);
}

static zl_hr destroy_one(struct fake_layer *layer, const char *path)
{
  char disk[FAKE_TEXT + 16];
  char *file;

  if (layer != NULL && (layer->active || layer->attached))
    return SHARING_VIOLATION;
  if (layer != NULL)
    layer->used = false;
  (void)snprintf(disk, sizeof(disk), "%s\\sandbox.vhdx", path);
  file = find(disk);
  if (file != NULL)
    file[0] = '\0';
  file = find(path);
  if (file == NULL)
    return 0x80070002U;
  file[0] = '\0';
  return S_OK;
}

static zl_hr destroy(const struct zl_wc_driver *driver, const zl_wchar *layer)
{
  return on_layer("DestroyLayer", driver, layer, destroy_one);
}

static zl_hr mount_path(const struct zl_wc_driver *driver, const zl_wchar *layer, size_t *len,
                        zl_wchar *path)
{
  static const char volume[] = "\\\\?\\Volume{4d4f2b1c-0d2e-4a3f-8b5c-6d7e8f901234}\\";
  zl_hr hr;

  (void)driver;
  (void)layer;
  if (fake_hit("GetLayerMountPath", &hr))
    return hr;
  for (size_t i = 0; path != NULL && i < sizeof(volume) && i < *len; i++)
    path[i] = (unsigned char)volume[i];
  *len = sizeof(volume);
  return S_OK;
}

static zl_hr name_to_guid(const zl_wchar *name, struct zl_guid *guid)
{
  char text[FAKE_TEXT];
  const char *texts[] = { fake_narrow(name, text), NULL };
  zl_hr hr;

  if (fake_hit("NameToGuid", &hr))
    return hr;
  if (strchr(texts[0], '\\') != NULL)
    return E_INVALIDARG;
  zl_guid_of(texts, guid);
  return S_OK;
}

static uint32_t open_disk(const struct zl_vhd_type *type, const zl_wchar *path, uint32_t access,
                          uint32_t flags, const struct zl_vhd_open *parameters, zl_handle *disk)
{
  char text[FAKE_TEXT];
  struct fake_handle *handle;

  (void)type;
  (void)access;
  (void)flags;
  if (parameters->version != 2)
    return 87;
  (void)pthread_mutex_lock(&fake.lock);
  handle = fake_open(FAKE_DISK);
  (void)snprintf(handle->id, sizeof(handle->id), "%s", fake_narrow(path, text));
  *disk = handle;
  (void)pthread_mutex_unlock(&fake.lock);
  return 0;
}

static uint32_t detach_disk(zl_handle disk, uint32_t flags, uint32_t specific)
{
  struct fake_handle *handle;
  char *slash;

  (void)flags;
  (void)specific;
  (void)pthread_mutex_lock(&fake.lock);
  handle = fake_handle_of(disk, FAKE_DISK);
  slash = handle != NULL ? strrchr(handle->id, '\\') : NULL;
  if (slash != NULL) {
    *slash = '\0';
    if (fake_layer_of(handle->id) != NULL)
      fake_layer_of(handle->id)->attached = false;
  }
  (void)pthread_mutex_unlock(&fake.lock);
  return 0;
}

/* ---- Grants ---- */

bool fake_granted(const char *vm, const char *path)
{
  for (size_t i = 0; i < FAKE_MAX; i++)
    if (strcmp(fake.grants[i].vm, vm) == 0 && strcmp(fake.grants[i].path, path) == 0)
      return true;
  return false;
}

static zl_hr grant_access(const zl_wchar *vm, const zl_wchar *path)
{
  char id[FAKE_TEXT], file[FAKE_TEXT];
  size_t i = 0;
  zl_hr hr;

  if (fake_hit("HcsGrantVmAccess", &hr))
    return hr;
  (void)pthread_mutex_lock(&fake.lock);
  while (fake.grants[i].path[0] != '\0')
    i++;
  (void)snprintf(fake.grants[i].vm, FAKE_TEXT, "%s", fake_narrow(vm, id));
  (void)snprintf(fake.grants[i].path, FAKE_TEXT, "%s", fake_narrow(path, file));
  (void)pthread_mutex_unlock(&fake.lock);
  return S_OK;
}

static zl_hr revoke_access(const zl_wchar *vm, const zl_wchar *path)
{
  char id[FAKE_TEXT], file[FAKE_TEXT];
  const char *name = fake_narrow(path, file);
  zl_hr hr;

  if (fake_hit("HcsRevokeVmAccess", &hr))
    return hr;
  (void)pthread_mutex_lock(&fake.lock);
  (void)fake_narrow(vm, id);
  for (size_t i = 0; i < FAKE_MAX; i++)
    if (strcmp(fake.grants[i].vm, id) == 0 && strcmp(fake.grants[i].path, name) == 0)
      fake.grants[i].path[0] = fake.grants[i].vm[0] = '\0';
  (void)pthread_mutex_unlock(&fake.lock);
  return S_OK;
}

/* ---- Pipes ---- */

static zl_handle create_event(void *security, int manual, int set, const zl_wchar *name)
{
  struct fake_handle *handle;

  (void)security;
  (void)manual;
  (void)set;
  (void)name;
  if (refused("CreateEventW"))
    return NULL;
  (void)pthread_mutex_lock(&fake.lock);
  handle = fake_open(FAKE_EVENT);
  (void)pthread_mutex_unlock(&fake.lock);
  return handle;
}

static int close_handle(zl_handle handle)
{
  struct fake_handle *h = handle;

  (void)pthread_mutex_lock(&fake.lock);
  if (h < fake.handles || h >= fake.handles + ZL_COUNT(fake.handles) ||
      (h->kind != FAKE_PIPE && h->kind != FAKE_EVENT && h->kind != FAKE_DISK))
    fake_blame("CloseHandle of what is none; ");
  else {
    if (h->fd >= 0)
      (void)close(h->fd);
    h->kind = FAKE_NOTHING;
  }
  (void)pthread_mutex_unlock(&fake.lock);
  return 1;
}

static int pipe_fd(zl_handle handle)
{
  struct fake_handle *h;
  int fd;

  (void)pthread_mutex_lock(&fake.lock);
  h = fake_handle_of(handle, FAKE_PIPE);
  fd = h != NULL ? h->fd : -1;
  (void)pthread_mutex_unlock(&fake.lock);
  return fd;
}

/* Never pending: it blocks here instead, and the result waits in the structure. */
static int read_file(zl_handle file, void *data, uint32_t len, uint32_t *ret,
                     struct zl_win_overlapped *wait)
{
  ssize_t got = recv(pipe_fd(file), data, len, 0);

  (void)ret;
  wait->internal_high = (uintptr_t)(got > 0 ? got : 0);
  return done(got > 0, BROKEN_PIPE);
}

static int write_file(zl_handle file, const void *data, uint32_t len, uint32_t *ret,
                      struct zl_win_overlapped *wait)
{
  ssize_t put = send(pipe_fd(file), data, len, MSG_NOSIGNAL);

  (void)ret;
  wait->internal_high = (uintptr_t)(put > 0 ? put : 0);
  return done(put > 0, BROKEN_PIPE);
}

static int overlapped_result(zl_handle file, struct zl_win_overlapped *wait, uint32_t *ret,
                             int block)
{
  (void)file;
  (void)block;
  *ret = (uint32_t)wait->internal_high;
  return 1;
}

static int cancel_io(zl_handle file, struct zl_win_overlapped *wait)
{
  (void)wait;
  (void)shutdown(pipe_fd(file), SHUT_RDWR);
  return 1;
}

static void no_sleep(uint32_t ms)
{
  zl_hr hr;

  (void)ms;
  (void)fake_hit("Sleep", &hr);
}

static uint32_t time_zone(struct zl_win_zone *zone)
{
  static const char name[] = "W. Europe Standard Time, 32 chars";

  if (refused("GetTimeZoneInformation"))
    return UINT32_MAX;
  zone->bias = -60;
  for (size_t i = 0; i < 32; i++)
    zone->standard_name[i] = zone->daylight_name[i] = (unsigned char)name[i];
  zone->standard_date = (struct zl_win_time){ .month = 10, .day = 5, .hour = 3 };
  return 1;
}

void fake_files_start(struct zl_hcs_api *api)
{
  add("C:\\box");
  api->GetLastError = get_last_error;
  api->GetFileAttributesW = get_attributes;
  api->CreateDirectoryW = create_directory;
  api->RemoveDirectoryW = remove_directory;
  api->DeleteFileW = delete_file;
  api->CopyFileW = copy_file;
  api->CreateSandboxLayer = create_sandbox;
  api->ExpandSandboxSize = expand;
  api->ActivateLayer = activate;
  api->PrepareLayer = prepare;
  api->UnprepareLayer = unprepare;
  api->DeactivateLayer = deactivate;
  api->DestroyLayer = destroy;
  api->GetLayerMountPath = mount_path;
  api->NameToGuid = name_to_guid;
  api->OpenVirtualDisk = open_disk;
  api->DetachVirtualDisk = detach_disk;
  api->HcsGrantVmAccess = grant_access;
  api->HcsRevokeVmAccess = revoke_access;
  api->CreateEventW = create_event;
  api->CloseHandle = close_handle;
  api->ReadFile = read_file;
  api->WriteFile = write_file;
  api->GetOverlappedResult = overlapped_result;
  api->CancelIoEx = cancel_io;
  api->Sleep = no_sleep;
  api->GetTimeZoneInformation = time_zone;
}
