/* SPDX-License-Identifier: Apache-2.0
 *
 * What a Windows container runs: image and service merged. The service wins.
 */
#ifndef ZL_RUNTIME_HCS_COMMAND_H
#define ZL_RUNTIME_HCS_COMMAND_H

#include <zlayer/error.h>
#include <zlayer/spec.h>

#include "base/cleanup.h"

struct zl_image_config;

struct zl_hcs_command {
  char *line;      /* the command line */
  char *directory; /* "C:\app"; never NULL */
  char *user;      /* "ContainerUser", or NULL: the image's default */
  char **env;      /* "NAME=value", names unique in any case, no value empty; may be NULL */
};

enum {
  ZL_WIN_DIRECTORY_MAX = 260, /* UTF-16 units of a current directory (MAX_PATH), with its NUL */
  ZL_WIN_USER_MAX = 257       /* of a user's name (UNLEN) and its NUL; a domain's is part of it */
};

/* An entrypoint of the service drops the image's command; arguments alone keep the image's
 * entrypoint (as for Linux images, docs/schema.md). Images whose author wrote a command line (the
 * image configuration's ArgsEscaped) keep its first word as it is. The environment is the image's
 * and then the service's; what Windows sets itself the service cannot set. Without a directory it
 * is C:\.
 * ZL_E_INVALID and ZL_E_LIMIT name the field: "services.web.env.PATH", "image 'x': Env". On failure
 * *ret is not touched. Free with zl_hcs_command_done. */
int zl_hcs_command_merge(const struct zl_service *service, const struct zl_image_config *image,
                         struct zl_hcs_command *ret, struct zl_error *err);
void zl_hcs_command_done(struct zl_hcs_command *command);
#define zl_autohcscommand ZL_CLEANUP(zl_hcs_command_done) struct zl_hcs_command

#endif
