/* SPDX-License-Identifier: Apache-2.0
 *
 * Layers on the host's disk: calls of vmcompute.dll. A layer is named by the whole path of its
 * directory; \\?\ is put in front of it, since trees of Windows exceed MAX_PATH.
 */
#ifndef ZL_RUNTIME_HCS_WCLAYER_H
#define ZL_RUNTIME_HCS_WCLAYER_H

#include "runtime/hcs/api.h"
#include "runtime/hcs/doc.h"

/* The read-only layers below a container's, top first and the base last. */
struct zl_wclayer_chain {
  size_t count;
  struct zl_hcs_layer *layers; /* for documents: GUID and path */
  struct zl_wc_descriptor *descriptors;
};

/* Each layer's GUID is what Windows makes of its directory's name, so directories of different
 * layers have different names wherever they are. ZL_E_INVALID, ZL_E_LIMIT naming a path. */
int zl_wclayer_chain_new(const struct zl_hcs_api *api, char *const *paths, size_t count,
                         struct zl_wclayer_chain **ret, struct zl_error *err);
void zl_wclayer_chain_free(struct zl_wclayer_chain *chain); /* NULL is fine */
ZL_DEFINE_CLEANUP(struct zl_wclayer_chain, zl_wclayer_chain_free)

/* A read-only layer of what is staged in `staging`, over the chain. */
int zl_wclayer_import(const struct zl_hcs_api *api, const char *path, const char *staging,
                      const struct zl_wclayer_chain *chain, struct zl_error *err);
/* What a base layer needs beside its files; and what the directory UtilityVM of a layer does. */
int zl_wclayer_process_base(const struct zl_hcs_api *api, const char *path, struct zl_error *err);
int zl_wclayer_process_utility(const struct zl_hcs_api *api, const char *path,
                               struct zl_error *err);

/* The directory and in it sandbox.vhdx, a formatted disk over the chain. */
int zl_wclayer_create(const struct zl_hcs_api *api, const char *path,
                      const struct zl_wclayer_chain *chain, struct zl_error *err);
/* Of that disk; smaller than it is changes nothing. */
int zl_wclayer_expand(const struct zl_hcs_api *api, const char *path, uint64_t bytes,
                      struct zl_error *err);

int zl_wclayer_activate(const struct zl_hcs_api *api, const char *path, struct zl_error *err);
/* One at a time in a process: side by side Windows runs into timeouts. */
int zl_wclayer_prepare(const struct zl_hcs_api *api, const char *path,
                       const struct zl_wclayer_chain *chain, struct zl_error *err);
int zl_wclayer_unprepare(const struct zl_hcs_api *api, const char *path, struct zl_error *err);
int zl_wclayer_deactivate(const struct zl_hcs_api *api, const char *path, struct zl_error *err);

/* Both, anew while the disk is not there yet. On failure neither is left. */
int zl_wclayer_mount(const struct zl_hcs_api *api, const char *path,
                     const struct zl_wclayer_chain *chain, struct zl_error *err);
/* The volume of an activated layer: "\\?\Volume{…}\". The caller frees it. */
int zl_wclayer_volume(const struct zl_hcs_api *api, const char *path, char **ret,
                      struct zl_error *err);

/* With all that is in it. A disk that is still attached, from a crash, is detached first; one that
 * somebody reads, as scanners do, is tried again. Success when there is no such directory. */
int zl_wclayer_destroy(const struct zl_hcs_api *api, const char *path, struct zl_error *err);

/* Which files a machine may open is written into each file's security descriptor. */
int zl_wclayer_grant(const struct zl_hcs_api *api, const char *machine, const char *path,
                     struct zl_error *err);
/* Success when there is no such file. */
int zl_wclayer_revoke(const struct zl_hcs_api *api, const char *machine, const char *path,
                      struct zl_error *err);

/* The path with \\?\ in front as Windows takes it. The caller frees it. */
int zl_wclayer_path(const char *path, zl_wchar **ret, struct zl_error *err);

#endif
