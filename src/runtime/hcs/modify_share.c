/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/limits.h"
#include "base/strv.h"
#include "runtime/hcs/modify_private.h"
#include "runtime/hcs/wintext.h"

/* The directory that machines see shares in; the GUID is the same on every host. */
#define SHARES "\\\\?\\VMSMB\\VSMB-{dcc079ae-60ba-4d07-847c-3493609c0870}\\"

const char *zl_hcs_share_name(unsigned number, char text[ZL_HCS_SHARE_NAME])
{
  (void)snprintf(text, ZL_HCS_SHARE_NAME, "s%x", number);
  return text;
}

const char *zl_hcs_share_path(const char *name, char text[ZL_HCS_GUEST_PATH])
{
  (void)snprintf(text, ZL_HCS_GUEST_PATH, SHARES "%s", name);
  return text;
}

static json_t *share_options(unsigned options)
{
  static const char *const names[] = { "ReadOnly",      "ShareRead",
                                       "CacheIo",       "TakeBackupPrivilege",
                                       "NoDirectmap",   "RestrictFileAccess",
                                       "PseudoOplocks", "SingleFileMapping" };
  struct zl_doc doc;

  zl_doc_init(&doc);
  for (size_t i = 0; i < ZL_COUNT(names); i++)
    zl_doc_flag(&doc, names[i], (options & 1u << i) != 0);
  return zl_doc_end(&doc);
}

static json_t *share_files(const struct zl_hcs_share *share)
{
  return zl_json_from_strv(share->files);
}

json_t *zl_hcs_share_json(const struct zl_hcs_share *share)
{
  struct zl_doc doc;

  zl_doc_init(&doc);
  zl_doc_text(&doc, "Name", share->name);
  zl_doc_text(&doc, "Path", share->path);
  zl_doc_part(&doc, "AllowedFiles", share_files(share));
  zl_doc_part(&doc, "Options", share_options(share->options));
  return zl_doc_end(&doc);
}

static int check_share_name(const char *name, struct zl_error *err)
{
  size_t len = name != NULL ? strlen(name) : 0;

  if (len > 0 && len < ZL_HCS_SHARE_NAME &&
      strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789") == len)
    return 0;
  return zl_doc_refuse(&zl_modify_place, "VirtualSmb.Shares.Name", name, "is no name of a share",
                       err);
}

static int check_share(const struct zl_hcs_share *share, struct zl_error *err)
{
  bool restricted = (share->options & ZL_HCS_SHARE_RESTRICT_FILES) != 0;
  size_t count = zl_strv_len(share->files);
  int r = check_share_name(share->name, err);

  if (r == 0)
    r = zl_win_check_path(share->path, "share", err);
  if (r == 0 && restricted != (count > 0))
    r = zl_fail(err, ZL_E_INVALID, 0, "share '%s': files are listed if it is restricted to them",
                share->name);
  if (r == 0 && count > ZL_MAX_MOUNTS)
    r = zl_fail(err, ZL_E_LIMIT, 0, "share '%s': %zu files, the limit is %d", share->name, count,
                ZL_MAX_MOUNTS);
  for (size_t i = 0; r == 0 && i < count; i++)
    r = zl_win_check_path(share->files[i], "file of a share", err);
  return r;
}

static int finish_share(const char *request, json_t *settings, struct zl_hcs_modify *ret,
                        struct zl_error *err)
{
  return zl_modify_finish_host(
      zl_modify_host(ZL_MODIFY_DEVICES "VirtualSmb/Shares", request, settings), ret, err);
}

int zl_hcs_modify_share_add(const struct zl_hcs_share *share, struct zl_hcs_modify *ret,
                            struct zl_error *err)
{
  int r = check_share(share, err);

  return r < 0 ? r : finish_share("Add", zl_hcs_share_json(share), ret, err);
}

int zl_hcs_modify_share_update(const struct zl_hcs_share *share, struct zl_hcs_modify *ret,
                               struct zl_error *err)
{
  int r = check_share(share, err);

  if (r == 0 && (share->options & ZL_HCS_SHARE_RESTRICT_FILES) == 0)
    r = zl_fail(err, ZL_E_INVALID, 0, "share '%s': only the list of files can change", share->name);
  return r < 0 ? r : finish_share("Update", zl_hcs_share_json(share), ret, err);
}

int zl_hcs_modify_share_remove(const struct zl_hcs_share *share, struct zl_hcs_modify *ret,
                               struct zl_error *err)
{
  int r = check_share_name(share->name, err);

  if (r == 0 && (share->options & ZL_HCS_SHARE_NO_DIRECT_MAP) == 0)
    r = zl_fail(err, ZL_E_CONFLICT, 0, "share '%s': its files are mapped into the machine",
                share->name);
  return r < 0 ? r : finish_share("Remove", zl_doc_one_text("Name", share->name), ret, err);
}
