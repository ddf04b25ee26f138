/* SPDX-License-Identifier: Apache-2.0 */
#include "image/platform.h"

#include <sys/utsname.h>

void zl_platform_of_node(struct zl_image_platform *ret)
{
  struct utsname u = { 0 };

  (void)uname(&u);
  zl_platform_of_machine("linux", u.machine, ret);
}
