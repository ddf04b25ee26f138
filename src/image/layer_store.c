/* SPDX-License-Identifier: Apache-2.0 */
#include "image/layer_store.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/dir.h"
#include "base/fd.h"
#include "base/rand.h"
#include "base/strv.h"

/* ---- Keys ------------------------------------------------------------------------------------ */

void zl_layer_diff_key(const char *diff_id, char key[ZL_LAYER_KEY])
{
  if (zl_has_prefix(diff_id, "sha256:"))
    (void)snprintf(key, ZL_LAYER_KEY, "%s", diff_id + 7);
  else
    (void)snprintf(key, ZL_LAYER_KEY, "sha512-%s", diff_id + 7);
}

void zl_layer_chain_key(const char *chain_id, char key[ZL_LAYER_KEY])
{
  (void)snprintf(key, ZL_LAYER_KEY, "chain-%s", strchr(chain_id, ':') + 1);
}

int zl_layer_chain_id(const char *parent, const char *diff_id, char ret[ZL_DIGEST_TEXT],
                      struct zl_error *err)
{
  zl_autofree char *text = NULL;

  if (parent == NULL) {
    (void)snprintf(ret, ZL_DIGEST_TEXT, "%s", diff_id);
    return 0;
  }
  text = zl_asprintf("%s %s", parent, diff_id);
  return text != NULL ? zl_digest_of(ZL_SHA256, text, strlen(text), ret, err)
                      : zl_fail_nomem(err, "a chain id");
}

/* ---- Staging --------------------------------------------------------------------------------- */

int zl__staging_name(char name[ZL_LAYER_NAME], struct zl_error *err)
{
  char hex[17];
  int r = zl_rand_hex(hex, sizeof(hex), err);

  if (r == 0)
    (void)snprintf(name, ZL_LAYER_NAME, "tmp-%s", hex);
  return r;
}

void zl_staging_sweep_dead(int layers_fd)
{
  zl_autodir *dir = zl_dir_open(layers_fd, ".");
  const struct dirent *entry;

  if (dir == NULL)
    return;
  while ((entry = readdir(dir)) != NULL)
    if (entry->d_name[0] != '.' && zl_staging_is_one(layers_fd, entry->d_name))
      (void)zl_staging_sweep(layers_fd, entry->d_name, NULL);
}
