/* SPDX-License-Identifier: Apache-2.0
 *
 * Every user may make directories in the root of a Windows drive and in %ProgramData%: what is not
 * below ROOT, or named there, could be anybody's.
 */
#include "image/places.h"

#include <stddef.h>

static const char *const certs_dirs[] = { NULL };

const struct zl_image_places zl_image_places = { .certs_dirs = certs_dirs, .home = "USERPROFILE" };
