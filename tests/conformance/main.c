/* SPDX-License-Identifier: Apache-2.0
 *
 * conformance BACKEND [SUITE…]: the same cases for every backend, through the public interface.
 */
#include "box.h"
#include "programs.h"

static bool is_wanted(const char *name, int argc, char **argv)
{
  for (int i = 2; i < argc; i++)
    if (strcmp(argv[i], name) == 0)
      return true;
  return argc <= 2;
}

int main(int argc, char **argv)
{
  int failed = 0, r = program_main(argc, argv);

  if (r >= 0)
    return r;
  if (argc < 2)
    return 1;
  (void)setvbuf(stdout, NULL, _IONBF, 0); /* what was told before a crash is seen */
  if (box_open(argv[1]) < 0) {
    box_close();
    return 1;
  }
  for (const struct box_suite *suite = box_suites; suite->name != NULL; suite++)
    if (is_wanted(suite->name, argc, argv))
      failed += suite->run();
  box_close();
  return failed == 0 ? 0 : 1;
}
