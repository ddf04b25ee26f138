/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/hcs/uvm.h"

#include <string.h>

#include "base/json.h"
#include "base/strv.h"
#include "runtime/hcs/doc.h"
#include "runtime/hcs/files.h"

#define BOOT_MANAGER "UtilityVM\\Files\\EFI\\Microsoft\\Boot\\bootmgfw.efi"
#define TEMPLATE     "UtilityVM\\SystemTemplate.vhdx"

static bool has(const struct zl_hcs_api *api, const char *layer, const char *name)
{
  zl_autofree char *path = zl_asprintf("%s\\%s", layer, name);

  return path != NULL && zl_hcs_file_exists(api, path);
}

static bool is_machine(const struct zl_hcs_api *api, const char *layer)
{
  return has(api, layer, BOOT_MANAGER) && has(api, layer, TEMPLATE);
}

bool zl_hcs_uvm_is_in(const struct zl_hcs_api *api, char *const *layers, size_t count)
{
  while (count > 0)
    if (is_machine(api, layers[--count]))
      return true;
  return false;
}

char *zl_hcs_uvm_boot_files(const char *layer)
{
  return zl_asprintf("%s\\UtilityVM\\Files", layer);
}

void zl_hcs_uvm_done(struct zl_hcs_uvm *uvm)
{
  free(uvm->id);
  free(uvm->dir);
  free(uvm->disk);
  free(uvm->boot_files);
  free(uvm->template_disk);
  zl_strv_free(uvm->granted);
  *uvm = (struct zl_hcs_uvm){ .api = uvm->api };
}

/* The base is the last. */
static const char *find_layer(const struct zl_hcs_api *api, const struct zl_wclayer_chain *chain)
{
  for (size_t i = chain->count; i-- > 0;)
    if (is_machine(api, chain->layers[i].path))
      return chain->layers[i].path;
  return NULL;
}

int zl_hcs_uvm_init(const struct zl_hcs_api *api, const char *id, const char *dir,
                    const struct zl_wclayer_chain *chain, struct zl_hcs_uvm *ret,
                    struct zl_error *err)
{
  const char *layer = find_layer(api, chain);
  struct zl_hcs_uvm uvm = { .api = api };

  if (layer == NULL)
    return zl_fail(
        err, ZL_E_UNSUPPORTED, 0,
        "no layer of the image has a machine to boot (%s and %s): use an image that has, "
        "or isolation process",
        BOOT_MANAGER, TEMPLATE);
  uvm.id = strdup(id);
  uvm.dir = strdup(dir);
  uvm.disk = zl_asprintf("%s\\sandbox.vhdx", dir);
  uvm.boot_files = zl_hcs_uvm_boot_files(layer);
  uvm.template_disk = zl_asprintf("%s\\%s", layer, TEMPLATE);
  if (uvm.id == NULL || uvm.dir == NULL || uvm.disk == NULL || uvm.boot_files == NULL ||
      uvm.template_disk == NULL) {
    zl_hcs_uvm_done(&uvm);
    return zl_fail_nomem(err, "a machine");
  }
  *ret = uvm;
  return 0;
}

/* ---- Files ---- */

int zl_hcs_uvm_make_files(struct zl_hcs_uvm *uvm, struct zl_error *err)
{
  int r = zl_hcs_make_directory(uvm->api, uvm->dir, err);

  if (r == 0)
    r = zl_hcs_copy_file(uvm->api, uvm->template_disk, uvm->disk, err);
  if (r < 0)
    (void)zl_hcs_uvm_remove_files(uvm, NULL);
  return r;
}

int zl_hcs_uvm_remove_files(struct zl_hcs_uvm *uvm, struct zl_error *err)
{
  int r = zl_hcs_remove_file(uvm->api, uvm->disk, err);

  return r < 0 ? r : zl_hcs_remove_directory(uvm->api, uvm->dir, err);
}

int zl_hcs_uvm_grant(struct zl_hcs_uvm *uvm, const char *path, struct zl_error *err)
{
  int r = zl_strv_push(&uvm->granted, path, err);

  return r < 0 ? r : zl_wclayer_grant(uvm->api, uvm->id, path, err);
}

int zl_hcs_uvm_revoke(struct zl_hcs_uvm *uvm, struct zl_error *err)
{
  zl_autostrv left = NULL;
  int first = 0;

  for (size_t i = zl_strv_len((const char *const *)uvm->granted); i-- > 0;) {
    struct zl_error why = { 0 };
    int r = zl_wclayer_revoke(uvm->api, uvm->id, uvm->granted[i], &why);

    if (r == 0)
      continue;
    (void)zl_strv_push(&left, uvm->granted[i], NULL);
    if (first == 0 && err != NULL)
      *err = why;
    first = first == 0 ? r : first;
  }
  zl_strv_free(uvm->granted);
  uvm->granted = zl_steal_ptr(&left);
  return first;
}

/* ---- The system ---- */

/* The address is not the id: it is the service that gives it. */
static int ask_runtime_id(struct zl_hcs_uvm *uvm, struct zl_error *err)
{
  zl_autojson *query = NULL, *properties = NULL;
  const char *text = NULL;
  int r = zl_hcs_doc_properties(0, &query, err);

  if (r == 0)
    r = zl_hcs_system_properties(uvm->system, query, &properties, err);
  if (r == 0)
    r = zl_json_get_string(properties, "properties", "RuntimeId", &text, err);
  if (r < 0)
    return r;
  if (text == NULL || !zl_guid_parse(text, &uvm->runtime_id))
    return zl_fail(err, ZL_E_INTERNAL, 0, "the compute service gave the machine no RuntimeId");
  return 0;
}

int zl_hcs_uvm_create(struct zl_hcs_uvm *uvm, const json_t *document, struct zl_error *err)
{
  int r = zl_hcs_system_create(uvm->api, uvm->id, document, &uvm->system, err);

  if (r < 0)
    return r;
  r = ask_runtime_id(uvm, err);
  if (r < 0)
    (void)zl_hcs_uvm_end(uvm, NULL);
  return r;
}

int zl_hcs_uvm_end(struct zl_hcs_uvm *uvm, struct zl_error *err)
{
  int r;

  if (uvm->system == NULL)
    return 0;
  r = zl_hcs_system_end(uvm->system, true, err);
  if (r == 0) {
    zl_hcs_system_close(uvm->system);
    uvm->system = NULL;
  }
  return r;
}
