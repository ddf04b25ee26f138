/* SPDX-License-Identifier: Apache-2.0
 *
 * conformance hcs-process|hcs-hyperv [SUITE…]: the cases that need no fork and no network of Linux.
 */
#include "../box.h"

static const struct {
  const char *name;
  int (*run)(void);
} suites[] = {
  { "acceptance", suite_acceptance },
  { "lifecycle", suite_lifecycle },
  { "exec", suite_exec },
  { "logs", suite_logs },
};

static bool is_wanted(const char *name, int argc, char **argv)
{
  for (int i = 2; i < argc; i++)
    if (strcmp(argv[i], name) == 0)
      return true;
  return argc <= 2;
}

int main(int argc, char **argv)
{
  int failed = 0;

  if (argc < 2)
    return 1;
  if (box_open(argv[1]) < 0) {
    box_close();
    return 1;
  }
  for (size_t i = 0; i < sizeof(suites) / sizeof(suites[0]); i++)
    if (is_wanted(suites[i].name, argc, argv))
      failed += suites[i].run();
  box_close();
  return failed == 0 ? 0 : 1;
}
