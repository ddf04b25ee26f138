/* SPDX-License-Identifier: Apache-2.0
 *
 * The TOML reader for toml_differs.py: documents on standard input, each a line "LENGTH" and its
 * bytes; for each a line on standard output, JSON or "error: …".
 */
#include <stdlib.h>

#include "toml_dump.h"

int main(void)
{
  char line[32];

  while (fgets(line, sizeof(line), stdin) != NULL) {
    const size_t len = strtoul(line, NULL, 10);
    struct zl_error err = { 0 };
    zl_autobuf out = ZL_BUF_INIT(16 << 20);
    zl_autofree char *text = malloc(len + 1);

    if (text == NULL || fread(text, 1, len, stdin) != len)
      return 2;
    if (dump_toml(text, len, &out, &err) < 0)
      (void)printf("error: %s\n", err.msg);
    else
      (void)printf("%s\n", out.data);
    (void)fflush(stdout);
  }
  return 0;
}
