/* SPDX-License-Identifier: Apache-2.0
 *
 * zlayer-shim: one process per container (docs/shim.md).
 */
#include "shim/process/process.h"
#include "shim/run.h"

int main(int argc, char **argv)
{
  static struct process_shim self = { .netns_fd = -1,
                                      .container = ZL_CONTAINER_INIT,
                                      .init_source = SOURCE_INIT };

  shim_init(&self.shim, &process_keeper);
  return shim_main(&self.shim, argc, argv);
}
