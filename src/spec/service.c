/* SPDX-License-Identifier: Apache-2.0
 *
 * Services made and changed by a program.
 */
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/strv.h"
#include "spec/imageref.h"
#include "spec/tables.h"

int zl_service_new(const char *name, struct zl_service **ret, struct zl_error *err)
{
  struct zl_service *service = calloc(1, sizeof(*service));
  int r;

  if (service == NULL)
    return zl_fail_nomem(err, "service");
  r = zl_object_init(&zl_type_service, service, err);
  if (r == 0)
    r = zl_text_set(&service->name, name, err);
  if (r < 0) {
    zl_service_free(service);
    return r;
  }
  *ret = service;
  return 0;
}

/* What no table knows: derived members. */
static void free_derived(struct zl_service *service)
{
  free(service->image.canonical);
  service->image.canonical = NULL;
}

void zl_service_free(struct zl_service *service)
{
  if (service == NULL)
    return;
  free_derived(service);
  zl_object_done(&zl_type_service, service);
  free(service);
}

int zl_service_copy(const struct zl_service *service, struct zl_service **ret, struct zl_error *err)
{
  struct zl_service *copy = calloc(1, sizeof(*copy));
  int r;

  if (copy == NULL)
    return zl_fail_nomem(err, "service");
  r = zl_object_copy(&zl_type_service, copy, service, err);
  if (r == 0)
    r = zl_text_set(&copy->image.canonical, service->image.canonical, err);
  if (r < 0) {
    zl_service_free(copy);
    return r;
  }
  *ret = copy;
  return 0;
}

void zl_deployment_free(struct zl_deployment *deployment)
{
  if (deployment == NULL)
    return;
  for (size_t i = 0; i < deployment->n_services; i++)
    free_derived(&deployment->services[i]);
  zl_object_done(&zl_type_deployment, deployment);
  free(deployment);
}

const struct zl_service *zl_service_find(const struct zl_deployment *deployment, const char *name)
{
  for (size_t i = 0; i < deployment->n_services; i++)
    if (strcmp(deployment->services[i].name, name) == 0)
      return &deployment->services[i];
  return NULL;
}

int zl_text_set(char **field, const char *text, struct zl_error *err)
{
  char *copy = text != NULL ? strdup(text) : NULL;

  if (text != NULL && copy == NULL)
    return zl_fail_nomem(err, "text");
  free(*field);
  *field = copy;
  return 0;
}

int zl_service_set_image(struct zl_service *service, const char *reference, struct zl_error *err)
{
  zl_auto_image_ref ref = { 0 };
  int r = zl_image_ref_parse(reference, &ref, err);

  if (r < 0)
    return r == -ZL_E_INVALID ? zl_wrap(err, "image '%s'", reference) : r;
  r = zl_text_set(&service->image.name, reference, err);
  if (r < 0)
    return r;
  free(service->image.canonical);
  service->image.canonical = zl_steal_ptr(&ref.canonical);
  return 0;
}

int zl_list_add(char ***list, const char *text, struct zl_error *err)
{
  return zl_strv_push(list, text, err);
}

void zl_list_clear(char ***list)
{
  zl_strv_free(*list);
  *list = NULL;
}

static struct zl_pair *find_pair(const struct zl_pairs *pairs, const char *key)
{
  for (size_t i = 0; i < pairs->count; i++)
    if (strcmp(pairs->items[i].key, key) == 0)
      return &pairs->items[i];
  return NULL;
}

const char *zl_pairs_find(const struct zl_pairs *pairs, const char *key)
{
  const struct zl_pair *pair = find_pair(pairs, key);

  return pair != NULL ? pair->value : NULL;
}

int zl_pairs_set(struct zl_pairs *pairs, const char *key, const char *value, struct zl_error *err)
{
  struct zl_pair *pair = find_pair(pairs, key), *items;
  zl_autofree char *name = NULL;
  zl_autofree char *text = NULL;

  if (pair != NULL)
    return zl_text_set(&pair->value, value, err);
  if (pairs->count >= ZL_MAX_LIST)
    return zl_fail(err, ZL_E_LIMIT, 0, "more than %d entries", ZL_MAX_LIST);
  name = strdup(key);
  text = strdup(value);
  items = realloc(pairs->items, (pairs->count + 1) * sizeof(*items));
  if (items != NULL)
    pairs->items = items;
  if (items == NULL || name == NULL || text == NULL)
    return zl_fail_nomem(err, "entry");
  items[pairs->count++] = (struct zl_pair){ zl_steal_ptr(&name), zl_steal_ptr(&text) };
  return 0;
}

void zl_pairs_done(struct zl_pairs *pairs)
{
  for (size_t i = 0; i < pairs->count; i++) {
    free(pairs->items[i].key);
    free(pairs->items[i].value);
  }
  free(pairs->items);
  *pairs = (struct zl_pairs){ 0 };
}

int zl_service_set_mode(struct zl_service *service, const char *field, const char *text,
                        struct zl_error *err)
{
  const struct zl_field *found = zl_type_find(&zl_type_image, field);
  void *object = &service->image;
  int r;

  if (found == NULL) {
    found = zl_type_find(&zl_type_service, field);
    object = service;
  }
  if (found == NULL || found->kind != ZL_KIND_ENUM)
    return zl_fail(err, ZL_E_INVALID, 0, "there is no mode '%s'", field);
  r = zl_value_parse(found, text, object, err);
  return r < 0 ? zl_wrap(err, "%s", field) : 0;
}

int zl_network_mode_parse(struct zl_service *service, const char *text, struct zl_error *err)
{
  struct zl_network_mode mode = { 0 };
  int r = zl_type_network_mode.parse(text, &mode, err);

  if (r < 0)
    return r;
  free(service->network_mode.name);
  service->network_mode = mode;
  return 0;
}
