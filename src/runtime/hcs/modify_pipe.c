/* SPDX-License-Identifier: Apache-2.0 */
/* Directories, pipes and the services of Hyper-V sockets. */
#include <stdio.h>
#include <string.h>

#include "base/strv.h"
#include "runtime/hcs/modify_private.h"
#include "runtime/hcs/wintext.h"

#define PIPES "\\\\.\\pipe\\"

int zl_hcs_modify_directory(const struct zl_hcs_mount *mount, bool add, struct zl_hcs_modify *ret,
                            struct zl_error *err)
{
  int r = zl_doc_check_mount(mount, err);

  return r < 0 ? r
               : zl_modify_finish_host(zl_modify_host("Container/MappedDirectories",
                                                      zl_modify_verb(add), zl_doc_directory(mount)),
                                       ret, err);
}

int zl_hcs_check_pipe(const char *pipe, const char *field, struct zl_error *err)
{
  if (!zl_wintext_has_prefix(pipe, PIPES) || pipe[sizeof(PIPES) - 1] == '\0' ||
      strpbrk(pipe + sizeof(PIPES) - 1, "\\/") != NULL)
    return zl_fail(err, ZL_E_INVALID, 0, "%s: '%.200s' is no pipe; they are called " PIPES "NAME",
                   field, pipe);
  return zl_wintext_check(pipe, field, ZL_HCS_MAX_OWNER, err);
}

int zl_hcs_modify_container_pipe(const struct zl_hcs_mount *mount, bool add,
                                 struct zl_hcs_modify *ret, struct zl_error *err)
{
  int r = zl_hcs_check_pipe(mount->source, mount->field, err);

  if (r == 0)
    r = zl_wintext_check(mount->target, mount->field, ZL_HCS_MAX_OWNER, err);
  return r < 0 ? r
               : zl_modify_finish_host(zl_modify_host("Container/MappedPipes", zl_modify_verb(add),
                                                      zl_doc_pipe(mount)),
                                       ret, err);
}

int zl_hcs_modify_machine_pipe(const char *pipe, bool add, struct zl_hcs_modify *ret,
                               struct zl_error *err)
{
  int r = zl_hcs_check_pipe(pipe, "pipe", err);
  zl_autofree char *path = zl_asprintf(ZL_MODIFY_DEVICES "MappedPipes/%s", pipe);

  if (r < 0)
    return r;
  return path != NULL ? zl_modify_finish_host(
                            zl_modify_host(path, zl_modify_verb(add), json_object()), ret, err)
                      : zl_fail_nomem(err, "change of a system");
}

json_t *zl_hcs_service_json(const struct zl_hcs_service *service)
{
  struct zl_doc doc;

  zl_doc_init(&doc);
  zl_doc_text(&doc, "BindSecurityDescriptor", service->bind);
  zl_doc_text(&doc, "ConnectSecurityDescriptor", service->connect);
  zl_doc_flag(&doc, "AllowWildcardBinds", service->wildcard);
  return zl_doc_end(&doc);
}

int zl_hcs_modify_service(const char *guid, const struct zl_hcs_service *service,
                          struct zl_hcs_modify *ret, struct zl_error *err)
{
  char path[128];
  int r = zl_doc_check_guid(&zl_modify_place, "HvSocket.ServiceTable", guid, err);

  if (r < 0)
    return r;
  (void)snprintf(path, sizeof(path), ZL_MODIFY_DEVICES "HvSocket/HvSocketConfig/ServiceTable/%s",
                 guid);
  return zl_modify_finish_host(
      zl_modify_host(path, service != NULL ? "Update" : "Remove",
                     service != NULL ? zl_hcs_service_json(service) : json_object()),
      ret, err);
}
