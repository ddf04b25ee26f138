/* SPDX-License-Identifier: Apache-2.0 */
#include "image/select.h"

#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "base/strv.h"
#include "image/config.h"
#include "image/oscompat.h"

enum {
  SHOWN_PLATFORMS = 200 /* bytes of an index's platforms in a message */
};

void zl_selection_done(struct zl_selection *selection)
{
  zl_document_done(&selection->document);
  zl_manifest_done(&selection->manifest);
  zl_buf_done(&selection->config);
  zl_image_done(&selection->image);
  zl_strv_freep(&selection->diff_ids);
}

static int wrong_platform(const char *name, const char *offered,
                          const struct zl_image_platform *node, struct zl_error *err)
{
  char text[ZL_PLATFORM_TEXT];
  const struct zl_image_platform bare = *node;

  (void)snprintf(text, sizeof(text), "%s/%s", bare.os, bare.arch);
  return zl_fail(err, ZL_E_WRONG_PLATFORM, 0, "image '%s' is for %s, this node is %s", name,
                 offered, text);
}

static int no_entry(const char *name, const struct zl_manifest *index,
                    const struct zl_image_platform *node, struct zl_error *err)
{
  zl_autobuf list = ZL_BUF_INIT(SHOWN_PLATFORMS);
  char text[ZL_PLATFORM_TEXT];

  for (size_t i = 0; i < index->n_items; i++) {
    const struct zl_image_platform *p = &index->items[i].platform;

    /* Attestations are filed as platform unknown/unknown. */
    if (p->os[0] == '\0' || strcmp(p->os, "unknown") == 0)
      continue;
    if (zl_buf_printf(&list, NULL, "%s%s", list.len > 0 ? ", " : "", zl_platform_format(p, text)) <
        0)
      break;
  }
  return wrong_platform(name, list.len > 0 ? list.data : "no platform at all", node, err);
}

static bool is_windows(const struct zl_image_platform *node)
{
  return strcmp(node->os, "windows") == 0;
}

static struct zl_os_version version_of(const char *text)
{
  struct zl_os_version version = { 0 };

  (void)zl_os_version_parse(text, &version);
  return version;
}

/* Of those for this processor the one whose build suits this host, in whatever isolation. *ret
 * stays NULL when there are none. */
static int choose_build(const struct zl_manifest *index, const char *name,
                        const struct zl_image_platform *node, const struct zl_descriptor **ret,
                        struct zl_error *err)
{
  const struct zl_os_choice choice = { .host = version_of(node->os_version),
                                       .isolation = ZL_ISOLATION_AUTO,
                                       .image = name };
  zl_autofree const char **versions = calloc(index->n_items + 1, sizeof(*versions));
  zl_autofree size_t *places = calloc(index->n_items + 1, sizeof(*places));
  size_t n = 0, at = 0;
  int r;

  if (versions == NULL || places == NULL)
    return zl_fail_nomem(err, "an index");
  for (size_t i = 0; i < index->n_items; i++) {
    const struct zl_descriptor *item = &index->items[i];

    if (!zl_descriptor_is_manifest(item) || zl_platform_rank(&item->platform, node) == 0)
      continue;
    versions[n] = item->platform.os_version;
    places[n++] = i;
  }
  if (n == 0)
    return 0;
  r = zl_os_choose(&choice, versions, n, &at, err);
  if (r == 0)
    *ret = &index->items[places[at]];
  return r;
}

static int choose(const struct zl_manifest *index, const char *name,
                  const struct zl_image_platform *node, const struct zl_descriptor **ret,
                  struct zl_error *err)
{
  int r = is_windows(node) ? choose_build(index, name, node, ret, err) : 0;

  if (r < 0)
    return r;
  if (*ret == NULL)
    *ret = zl_index_select(index, node);
  return *ret != NULL ? 0 : no_entry(name, index, node, err);
}

/* Walks from the root to a manifest of an image. */
static int find_manifest(struct zl_source *source, const char *name,
                         const struct zl_image_platform *node, struct zl_selection *s,
                         struct zl_error *err)
{
  for (unsigned depth = 0;; depth++) {
    zl_autodocument next = ZL_DOCUMENT_INIT;
    zl_automanifest parsed = { 0 };
    const struct zl_descriptor *entry = NULL;
    int r =
        zl_manifest_parse(s->document.text.data != NULL ? s->document.text.data : "",
                          s->document.text.len, s->document.media_type,
                          depth == 0 ? "the manifest" : "a manifest of the index", &parsed, err);

    if (r < 0)
      return r;
    if (parsed.kind == ZL_MANIFEST_IMAGE) {
      s->manifest = parsed;
      parsed = (struct zl_manifest){ 0 };
      return 0;
    }
    if (depth >= ZL_MAX_INDEX_DEPTH)
      return zl_fail(err, ZL_E_LIMIT, 0, "indexes are nested more than %d deep",
                     ZL_MAX_INDEX_DEPTH);
    r = choose(&parsed, name, node, &entry, err);
    if (r < 0)
      return r;
    r = zl_source_document(source, entry, &next, err);
    if (r < 0)
      return r;
    zl_document_done(&s->document);
    s->document = next;
    next = (struct zl_document)ZL_DOCUMENT_INIT;
  }
}

static void copy_part(char to[ZL_PLATFORM_PART], const char *from)
{
  (void)snprintf(to, ZL_PLATFORM_PART, "%s", from != NULL ? from : "");
}

/* The configuration says what the image is; an index only claims it. */
static int check_platform(const struct zl_image *image, const char *name,
                          const struct zl_image_platform *node, struct zl_error *err)
{
  struct zl_image_platform platform = { .os = "" };
  struct zl_os_version host, wants;
  char text[ZL_PLATFORM_TEXT];

  copy_part(platform.os, image->os);
  copy_part(platform.arch, image->arch);
  copy_part(platform.variant, image->variant);
  copy_part(platform.os_version, image->os_version);
  if (zl_platform_rank(&platform, node) == 0)
    return wrong_platform(name, zl_platform_format(&platform, text), node, err);
  if (!is_windows(node))
    return 0;
  host = version_of(node->os_version);
  wants = version_of(platform.os_version);
  return zl_os_check(ZL_ISOLATION_AUTO, &host, &wants, name, err);
}

int zl_image_select(struct zl_source *source, struct zl_document *root, const char *name,
                    const struct zl_image_platform *node, struct zl_selection *ret,
                    struct zl_error *err)
{
  size_t n_diff_ids;
  int r;

  zl_document_done(&ret->document);
  ret->document = *root;
  *root = (struct zl_document)ZL_DOCUMENT_INIT;
  memcpy(ret->source_digest, ret->document.digest, sizeof(ret->source_digest));
  r = find_manifest(source, name, node, ret, err);
  if (r == 0)
    r = zl_source_read(source, &ret->manifest.config, &ret->config, err);
  if (r == 0)
    r = zl_image_config_parse(ret->config.data != NULL ? ret->config.data : "", ret->config.len,
                              "the image's configuration", &ret->image, &ret->diff_ids, err);
  if (r == 0)
    r = check_platform(&ret->image, name, node, err);
  if (r < 0)
    return r;
  n_diff_ids = zl_strv_len((const char *const *)ret->diff_ids);
  if (n_diff_ids != ret->manifest.n_items)
    return zl_fail(err, ZL_E_CORRUPT, 0,
                   "the manifest lists %zu layers, the image's configuration %zu diff ids",
                   ret->manifest.n_items, n_diff_ids);
  return 0;
}
