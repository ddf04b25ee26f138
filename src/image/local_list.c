/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/json.h"
#include "base/limits.h"
#include "base/strv.h"
#include "image/files.h"
#include "image/local.h"
#include "image/manifest.h"

void zl_local_list_done(struct zl_local_list *list)
{
  for (size_t i = 0; i < list->n; i++)
    zl_strv_freep(&list->names[i]);
  zl_freep(&list->names);
  list->n = 0;
}

static int make_room(struct zl_local_list *list, size_t n, struct zl_error *err)
{
  list->names = calloc(n + 1, sizeof(*list->names));
  if (list->names == NULL)
    return zl_fail_nomem(err, "the images of an archive");
  list->n = n;
  return 0;
}

static int list_layout(const struct zl_buf *text, struct zl_local_list *list, struct zl_error *err)
{
  zl_automanifest index = { 0 };
  int r = zl_manifest_parse(text->data != NULL ? text->data : "", text->len, ZL_MT_OCI_INDEX,
                            "index.json", &index, err);

  if (r == 0)
    r = make_room(list, index.n_items, err);
  for (size_t i = 0; r == 0 && index.items != NULL && i < index.n_items; i++) {
    const struct zl_descriptor *item = &index.items[i];
    const char *name = item->image_name != NULL ? item->image_name : item->ref_name;

    if (name != NULL)
      r = zl_strv_push(&list->names[i], name, err);
  }
  return r;
}

static int list_docker(const struct zl_buf *text, struct zl_local_list *list, struct zl_error *err)
{
  zl_autojson *images = NULL;
  int r =
      zl_json_parse(text->data != NULL ? text->data : "", text->len, "manifest.json", &images, err);

  if (r < 0)
    return r;
  if (!json_is_array(images) || json_array_size(images) > ZL_MAX_INDEX)
    return zl_fail(err, ZL_E_CORRUPT, 0, "manifest.json is no list of at most %d images",
                   ZL_MAX_INDEX);
  r = make_room(list, json_array_size(images), err);
  for (size_t i = 0; r == 0 && i < json_array_size(images); i++)
    r = zl_json_get_strv(json_array_get(images, i), "manifest.json", "RepoTags", ZL_MAX_LIST,
                         &list->names[i], err);
  return r;
}

/* An archive may be both; the layout has digests that can be compared. */
static int read_list(const struct zl_files *files, struct zl_local_list *list, struct zl_error *err)
{
  zl_autobuf text = ZL_BUF_INIT((size_t)ZL_MAX_JSON);
  zl_autorange range = { .fd = -1 };
  int r = zl_files_find(files, "oci-layout", &range, err);

  list->docker = r == -ZL_E_NOT_FOUND;
  if (r < 0 && !list->docker)
    return r;
  r = zl_files_read(files, list->docker ? "manifest.json" : "index.json", &text, err);
  if (r == -ZL_E_NOT_FOUND && list->docker)
    return zl_fail(err, ZL_E_UNSUPPORTED, 0,
                   "it is neither an OCI archive (oci-layout) nor one of docker (manifest.json)");
  if (r < 0)
    return r;
  return list->docker ? list_docker(&text, list, err) : list_layout(&text, list, err);
}

int zl_local_list(int fd, struct zl_local_list *ret, struct zl_error *err)
{
  ZL_CLEANUP(zl_local_list_done) struct zl_local_list list = { 0 };
  ZL_CLEANUP(zl_files_freep) struct zl_files *files = NULL;
  int r = zl_files_open_fd(fd, "the archive", &files, err);

  if (r == 0)
    r = read_list(files, &list, err);
  if (r == 0 && list.n == 0)
    r = zl_fail(err, ZL_E_CORRUPT, 0, "it lists no image");
  if (r < 0)
    return r;
  *ret = list;
  list = (struct zl_local_list){ 0 };
  return 0;
}
