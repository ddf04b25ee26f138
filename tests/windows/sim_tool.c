/* SPDX-License-Identifier: Apache-2.0
 *
 * The doubles of Windows' services, for tests in Python: sim_tool stop|leaks|count NAME.
 */
#include <stdio.h>
#include <string.h>

#include "hcs-sim/control.h"

static int leaks(void)
{
  char why[4096];
  int r = hcs_sim_leaks(0, why, sizeof(why));

  (void)printf("%s", why);
  return r != 0;
}

int main(int argc, char **argv)
{
  if (argc == 2 && strcmp(argv[1], "stop") == 0)
    return hcs_sim_stop();
  if (argc == 2 && strcmp(argv[1], "leaks") == 0)
    return leaks();
  if (argc == 2 && strcmp(argv[1], "clear") == 0)
    return hcs_sim_clear() != 0;
  if (argc == 3 && strcmp(argv[1], "set") == 0)
    return hcs_sim_set(argv[2]) != 0;
  if (argc == 3 && strcmp(argv[1], "crash") == 0)
    return hcs_sim_crash(argv[2]) != 0;
  if (argc != 3 || strcmp(argv[1], "count") != 0)
    return 2;
  (void)printf("%d\n", hcs_sim_count(argv[2]));
  return 0;
}
