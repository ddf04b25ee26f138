/* SPDX-License-Identifier: Apache-2.0
 *
 * Containers in both isolations through the real table of functions, against the doubles of
 * Windows' services: "cases" are the acceptance's three, "rows" what hosts and guests are known to
 * do, "process" and "hyperv" make each call of a container's life fail once.
 */
#include "windows/hcs_box.h"

int main(int argc, char **argv)
{
  const char *what = argc > 1 ? argv[1] : "cases";
  bool dies = strncmp(what, "die-", 4) == 0;

  (void)setvbuf(stdout, NULL, _IONBF, 0);
  box_open(dies);
  box.node.end_ms = 20000;
  if (dies)
    die_with_a_container(strcmp(what, "die-process") == 0 ? HOST : GUEST);
  if (strcmp(what, "cases") == 0)
    run_cases();
  else if (strcmp(what, "rows") == 0)
    run_rows();
  else
    run_sweep(strcmp(what, "process") == 0 ? HOST : GUEST);
  return box_close();
}
