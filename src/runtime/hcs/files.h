/* SPDX-License-Identifier: Apache-2.0
 *
 * Files of the host, by whole paths of ours; none that an image or container controls.
 */
#ifndef ZL_RUNTIME_HCS_FILES_H
#define ZL_RUNTIME_HCS_FILES_H

#include "runtime/hcs/api.h"

/* False also when it cannot be looked at. */
bool zl_hcs_file_exists(const struct zl_hcs_api *api, const char *path);
/* Success when it is there; its parent has to be. */
int zl_hcs_make_directory(const struct zl_hcs_api *api, const char *path, struct zl_error *err);
/* Success when it is not there. The directory has to be empty. */
int zl_hcs_remove_directory(const struct zl_hcs_api *api, const char *path, struct zl_error *err);
/* Success when it is not there. One that somebody has open is tried again a few times. */
int zl_hcs_remove_file(const struct zl_hcs_api *api, const char *path, struct zl_error *err);
/* What is at `to` is replaced; on failure nothing is there. */
int zl_hcs_copy_file(const struct zl_hcs_api *api, const char *from, const char *to,
                     struct zl_error *err);

#endif
