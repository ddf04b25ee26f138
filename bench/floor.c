/* SPDX-License-Identifier: Apache-2.0
 *
 * The first process of the machine that bench/vm compares with: says one byte on the console and
 * restarts the machine, which ends it (QEMU's -no-reboot).
 */
#include <sys/reboot.h>
#include <termios.h>
#include <unistd.h>

int main(void)
{
  if (write(STDOUT_FILENO, "x", 1) == 1)
    (void)tcdrain(STDOUT_FILENO);
  return reboot(RB_AUTOBOOT);
}
