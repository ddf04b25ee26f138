/* SPDX-License-Identifier: Apache-2.0
 *
 * Runs every file of the folders named on the command line through the fuzz target, without a
 * fuzzer: the corpus is a regression test of every build.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/fd.h"
#include "base/limits.h"
#include "base/strv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void replay_file(const char *folder, const char *name)
{
  struct zl_error err = { 0 };
  zl_autofree char *path = zl_asprintf("%s/%s", folder, name);
  zl_autobuf data = ZL_BUF_INIT(ZL_MAX_SPEC_FILE);

  if (path == NULL || zl_file_read(AT_FDCWD, path, &data, &err) < 0) {
    (void)fprintf(stderr, "%s: %s\n", name, err.msg);
    exit(1);
  }
  LLVMFuzzerTestOneInput((const uint8_t *)(data.data != NULL ? data.data : ""), data.len);
}

static size_t replay_folder(const char *folder)
{
  DIR *dir = opendir(folder);
  const struct dirent *entry;
  size_t count = 0;

  if (dir == NULL) {
    perror(folder);
    exit(1);
  }
  while ((entry = readdir(dir)) != NULL) {
    if (entry->d_name[0] == '.')
      continue;
    replay_file(folder, entry->d_name);
    count++;
  }
  closedir(dir);
  return count;
}

int main(int argc, char **argv)
{
  for (int i = 1; i < argc; i++) {
    size_t count = replay_folder(argv[i]);

    (void)printf("%s: %zu files\n", argv[i], count);
    if (count == 0)
      return 1;
  }
  return argc > 1 ? 0 : 1;
}
