/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "runtime/hcs/modify_private.h"
#include "runtime/hcs/wintext.h"

const char *zl_hcs_scsi_controller(unsigned controller)
{
  static const char *const guids[ZL_HCS_CONTROLLERS] = { "df6d0690-79e5-55b6-a5ec-c1e2f77f580a",
                                                         "0110f83b-de10-5172-a266-78bca56bf50a",
                                                         "b5d2d8d4-3a75-51bf-945b-3444dc6b8579",
                                                         "305891a9-b251-5dfe-91a2-c25d9212275b" };

  return controller < ZL_HCS_CONTROLLERS ? guids[controller] : NULL;
}

const char *zl_hcs_disk_path(unsigned number, char text[ZL_HCS_GUEST_PATH])
{
  (void)snprintf(text, ZL_HCS_GUEST_PATH, "c:\\mounts\\scsi\\m%u", number);
  return text;
}

static json_t *attachment(const struct zl_hcs_disk *disk)
{
  struct zl_doc doc;

  zl_doc_init(&doc);
  zl_doc_text(&doc, "Type", "VirtualDisk");
  zl_doc_text(&doc, "Path", disk->path);
  zl_doc_flag(&doc, "ReadOnly", disk->readonly);
  return zl_doc_end(&doc);
}

static json_t *mapped_disk(const struct zl_hcs_disk *disk)
{
  struct zl_doc doc;

  zl_doc_init(&doc);
  zl_doc_text(&doc, "ContainerPath", disk->guest_path);
  zl_doc_number(&doc, "Lun", disk->lun);
  return zl_doc_end(&doc);
}

static int check_disk(const struct zl_hcs_disk *disk, bool add, struct zl_error *err)
{
  int r = 0;

  if (zl_hcs_scsi_controller(disk->controller) == NULL)
    return zl_fail(err, ZL_E_INVALID, 0, "disk: controller %u, there are %d", disk->controller,
                   ZL_HCS_CONTROLLERS);
  if (disk->lun >= ZL_HCS_LUNS || (disk->lun == 0 && disk->controller == 0))
    return zl_fail(err, ZL_E_INVALID, 0,
                   "disk: place %u of controller %u; places go to %d, the first is the machine's",
                   disk->lun, disk->controller, ZL_HCS_LUNS - 1);
  if (disk->guest_path != NULL && disk->controller != 0)
    return zl_fail(err, ZL_E_INVALID, 0, "disk: Windows guests mount those of controller 0 only");
  if (add)
    r = zl_win_check_path(disk->path, "disk", err);
  if (r == 0 && disk->guest_path != NULL)
    r = zl_win_check_path(disk->guest_path, "disk in the guest", err);
  return r;
}

int zl_hcs_modify_disk(const struct zl_hcs_disk *disk, bool add, struct zl_hcs_modify *ret,
                       struct zl_error *err)
{
  struct zl_hcs_modify modify = { 0 };
  char path[128];
  int r = check_disk(disk, add, err);

  if (r < 0)
    return r;
  (void)snprintf(path, sizeof(path), ZL_MODIFY_DEVICES "Scsi/%s/Attachments/%u",
                 zl_hcs_scsi_controller(disk->controller), disk->lun);
  if (disk->guest_path != NULL)
    modify = (struct zl_hcs_modify){ .request = zl_modify_verb(add),
                                     .resource = "MappedVirtualDisk",
                                     .settings = mapped_disk(disk) };
  return zl_modify_finish_both(
      zl_modify_host(path, zl_modify_verb(add), add ? attachment(disk) : json_object()), &modify,
      ret, err);
}

/* ---- Layers ---- */

int zl_hcs_modify_layers_add(const char *root, const struct zl_hcs_layer *layers, size_t count,
                             struct zl_hcs_modify *ret, struct zl_error *err)
{
  struct zl_doc doc;
  int r = zl_win_check_path(root, "CombinedLayers.ContainerRootPath", err);

  if (r == 0)
    r = zl_doc_check_layers(&zl_modify_place, layers, count, err);
  if (r < 0)
    return r;
  zl_doc_init(&doc);
  zl_doc_part(&doc, "Layers", zl_doc_layers(layers, count));
  zl_doc_text(&doc, "ContainerRootPath", root);
  return zl_modify_finish_guest("Add", "CombinedLayers", zl_doc_end(&doc), ret, err);
}

int zl_hcs_modify_layers_remove(const char *root, struct zl_hcs_modify *ret, struct zl_error *err)
{
  int r = zl_win_check_path(root, "CombinedLayers.ContainerRootPath", err);

  return r < 0 ? r
               : zl_modify_finish_guest("Remove", "CombinedLayers",
                                        zl_doc_one_text("ContainerRootPath", root), ret, err);
}
