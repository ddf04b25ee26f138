/* SPDX-License-Identifier: Apache-2.0
 *
 * The smallest user of the library: it includes nothing but the public headers and links nothing
 * but libzlayer.so.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlayer/error.h>
#include <zlayer/image.h>
#include <zlayer/runtime.h>
#include <zlayer/spec.h>
#include <zlayer/version.h>

static int use_runtime(const char *root)
{
  struct zl_runtime_options options = { .root = root, .backend = "fake" };
  struct zl_container_info *list = NULL;
  struct zl_runtime *rt = NULL;
  struct zl_error err = { 0 };
  size_t n = 1;

  if (zl_runtime_open(&options, &rt, &err) < 0 || zl_list(rt, &list, &n, &err) < 0) {
    (void)fprintf(stderr, "%s\n", err.msg);
    return 1;
  }
  zl_containers_free(list, n);
  zl_runtime_close(rt);
  return n == 0 ? 0 : 1;
}

int main(void)
{
  char root[] = "/tmp/zl-library-XXXXXX", command[64];
  struct zl_service *service = NULL;
  int failed;

  if (strcmp(zl_version(), ZL_VERSION) != 0 || mkdtemp(root) == NULL ||
      zl_service_new("web", &service, NULL) < 0)
    return 1;
  zl_service_free(service);
  failed = use_runtime(root);
  (void)snprintf(command, sizeof(command), "%s", root);
  (void)execl("/bin/rm", "rm", "-rf", command, failed ? "--no-such-option" : NULL, NULL);
  return 1;
}
