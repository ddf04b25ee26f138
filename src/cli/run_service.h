/* SPDX-License-Identifier: Apache-2.0
 *
 * The options of `run` that describe the container, and the service that they add up to.
 */
#ifndef ZL_CLI_RUN_SERVICE_H
#define ZL_CLI_RUN_SERVICE_H

#include "cli/cli.h"

/* "busybox-3f9a1c": the image's last part and six random digits; fits a service and a host name.
 * A new string. */
int zl_run_generate_name(const char *image, char **ret, struct zl_error *err);

/* A service named `name` from the options and operands (IMAGE [COMMAND [ARG...]]) of `run`. The
 * caller frees it with zl_service_free. ZL_E_INVALID names the option. */
int zl_run_service(const struct zl_args *args, const char *name, struct zl_service **ret,
                   struct zl_error *err);

#endif
