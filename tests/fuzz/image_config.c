/* SPDX-License-Identifier: Apache-2.0
 *
 * Fuzz target of image configurations: what is accepted has a platform and diff ids that are
 * digests, as many as an image may have layers; what is refused leaves nothing behind.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/digest.h"
#include "base/limits.h"
#include "base/strv.h"
#include "image/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
  if (!condition)
    abort();
}

static void check(const struct zl_image *image, char *const *diff_ids)
{
  const struct zl_image_config *c = &image->config;
  char **const lists[] = { c->entrypoint, c->cmd, c->env };

  require(image->os != NULL && *image->os != '\0' && image->arch != NULL && *image->arch != '\0');
  for (size_t i = 0; i < ZL_COUNT(lists); i++)
    require(lists[i] == NULL || zl_strv_len((const char *const *)lists[i]) <= ZL_MAX_LIST);
  for (size_t i = 0; c->labels != NULL && c->labels[i] != NULL; i++)
    require(strchr(c->labels[i], '=') != NULL);
  require(diff_ids == NULL || zl_strv_len((const char *const *)diff_ids) <= ZL_MAX_LAYERS);
  for (size_t i = 0; diff_ids != NULL && diff_ids[i] != NULL; i++)
    require(zl_digest_is_valid(diff_ids[i], NULL));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  zl_autoimage image = { 0 };
  zl_autostrv diff_ids = NULL;
  struct zl_error err = { 0 };
  int r = zl_image_config_parse((const char *)data, size, "fuzz", &image, &diff_ids, &err);

  if (r == 0)
    check(&image, diff_ids);
  else
    require(-r == (int)err.code && err.msg[0] != '\0' && image.os == NULL && diff_ids == NULL);
  return 0;
}
