/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/hcs/scratch.h"

#include <string.h>

#include "base/strv.h"
#include "runtime/hcs/files.h"

char *zl_hcs_scratch_disk(const struct zl_hcs_scratch *scratch)
{
  return zl_asprintf("%s\\sandbox.vhdx", scratch->path);
}

void zl_hcs_scratch_done(struct zl_hcs_scratch *scratch)
{
  free(scratch->path);
  free(scratch->volume);
  *scratch = (struct zl_hcs_scratch){ .api = scratch->api };
}

static void keep_first(int *first, int r, const struct zl_error *why, struct zl_error *err)
{
  if (r == 0 || *first != 0)
    return;
  *first = r;
  if (err != NULL)
    *err = *why;
}

int zl_hcs_scratch_remove(struct zl_hcs_scratch *scratch, struct zl_error *err)
{
  struct zl_error why = { 0 };
  int first = 0, r = 0;

  if (scratch->mounted) {
    keep_first(&first, zl_wclayer_unprepare(scratch->api, scratch->path, &why), &why, err);
    r = zl_wclayer_deactivate(scratch->api, scratch->path, &why);
    keep_first(&first, r, &why, err);
    scratch->mounted = r != 0;
  }
  if (scratch->exists) {
    r = zl_wclayer_destroy(scratch->api, scratch->path, &why);
    keep_first(&first, r, &why, err);
    scratch->exists = r != 0;
    scratch->mounted = scratch->mounted && r != 0; /* a destroyed layer is not active any more */
  }
  return first;
}

static int create(struct zl_hcs_scratch *scratch, const struct zl_hcs_scratch_options *options,
                  struct zl_error *err)
{
  const struct zl_hcs_api *api = scratch->api;
  int r = zl_wclayer_create(api, scratch->path, options->chain, err);

  if (r == 0 && options->bytes != 0)
    r = zl_wclayer_expand(api, scratch->path, options->bytes, err);
  if (r < 0 || !options->mount)
    return r;
  r = zl_wclayer_mount(api, scratch->path, options->chain, err);
  scratch->mounted = r == 0;
  return r < 0 ? r : zl_wclayer_volume(api, scratch->path, &scratch->volume, err);
}

int zl_hcs_scratch_create(const struct zl_hcs_api *api,
                          const struct zl_hcs_scratch_options *options, struct zl_hcs_scratch *ret,
                          struct zl_error *err)
{
  struct zl_hcs_scratch scratch = { .api = api, .path = strdup(options->path) };
  int r = scratch.path != NULL ? 0 : zl_fail_nomem(err, "a scratch layer");

  if (r == 0 && zl_hcs_file_exists(api, scratch.path))
    r = zl_wclayer_destroy(api, scratch.path, err);
  if (r == 0)
    r = zl_hcs_make_directory(api, scratch.path, err);
  scratch.exists = r == 0;
  if (r == 0)
    r = create(&scratch, options, err);
  if (r < 0) {
    (void)zl_hcs_scratch_remove(&scratch, NULL);
    zl_hcs_scratch_done(&scratch);
    return r;
  }
  *ret = scratch;
  return 0;
}
