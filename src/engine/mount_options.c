/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/mount_options.h"

#include <stdlib.h>
#include <string.h>

int zl_fs_params_split(char *const *options, struct zl_fs_params *ret, struct zl_error *err)
{
  size_t n = 0, bytes = 0;
  char *at;

  for (; options[n] != NULL; n++)
    bytes += strlen(options[n]) + 1;
  *ret = (struct zl_fs_params){ .items = calloc(n + 1, sizeof(*ret->items)),
                                .text = malloc(bytes + 1) };
  at = ret->text;
  if (ret->items == NULL || at == NULL) {
    zl_fs_params_done(ret);
    return zl_fail_nomem(err, "mount options");
  }
  for (; ret->n < n; ret->n++) {
    size_t len = strlen(options[ret->n]) + 1;
    char *equals;

    memcpy(at, options[ret->n], len);
    equals = strchr(at, '=');
    if (equals != NULL)
      *equals++ = '\0';
    ret->items[ret->n] = (struct zl_fs_param){ .key = at, .value = equals };
    at += len;
  }
  return 0;
}

void zl_fs_params_done(struct zl_fs_params *params)
{
  free(params->items);
  free(params->text);
  *params = (struct zl_fs_params){ 0 };
}
