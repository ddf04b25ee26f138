/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/hcs/doc_private.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/limits.h"
#include "base/strv.h"
#include "runtime/hcs/wintext.h"

enum {
  SCHEMA_MAJOR = 2,
  SCHEMA_MINOR = 1,
  MAX_WEIGHT = 10000
};

int zl_hcs_doc_render(const json_t *document, const char *what, char **ret, struct zl_error *err)
{
  zl_autofree char *text = NULL;
  int r = zl_json_render(document, &text, err);
  size_t len = r == 0 ? strlen(text) : 0;

  if (r < 0)
    return r;
  if (len > ZL_MAX_HCS_DOCUMENT)
    return zl_fail(err, ZL_E_LIMIT, 0, "%s: a document of %zu bytes, the limit is %" PRIu32, what,
                   len, ZL_MAX_HCS_DOCUMENT);
  *ret = zl_steal_ptr(&text);
  return 0;
}

/* ---- Writing ---- */

void zl_doc_init(struct zl_doc *doc)
{
  doc->object = json_object();
  doc->failed = doc->object == NULL;
}

json_t *zl_doc_end(struct zl_doc *doc)
{
  if (doc->failed)
    zl_json_decref(&doc->object);
  return zl_steal_ptr(&doc->object);
}

int zl_doc_finish(struct zl_doc *doc, const char *what, json_t **ret, struct zl_error *err)
{
  json_t *object = zl_doc_end(doc);

  if (object == NULL)
    return zl_fail_nomem(err, what);
  *ret = object;
  return 0;
}

static void set(struct zl_doc *doc, const char *key, json_t *value)
{
  if (json_object_set_new(doc->object, key, value) < 0)
    doc->failed = true;
}

void zl_doc_text(struct zl_doc *doc, const char *key, const char *text)
{
  if (text != NULL && *text != '\0')
    set(doc, key, json_string(text));
}

void zl_doc_number(struct zl_doc *doc, const char *key, uint64_t number)
{
  if (number > INT64_MAX) /* JSON of jansson has no more */
    doc->failed = true;
  else if (number != 0)
    set(doc, key, json_integer((json_int_t)number));
}

void zl_doc_flag(struct zl_doc *doc, const char *key, bool flag)
{
  if (flag)
    set(doc, key, json_true());
}

void zl_doc_part(struct zl_doc *doc, const char *key, json_t *part)
{
  if (part == NULL)
    doc->failed = true;
  else if (json_object_size(part) + json_array_size(part) > 0)
    set(doc, key, part);
  else
    json_decref(part);
}

void zl_doc_item(struct zl_doc *doc, json_t *array, json_t *part)
{
  if (json_array_append_new(array, part) < 0)
    doc->failed = true;
}

json_t *zl_doc_one_text(const char *key, const char *text)
{
  struct zl_doc doc;

  zl_doc_init(&doc);
  zl_doc_text(&doc, key, text);
  return zl_doc_end(&doc);
}

json_t *zl_doc_one_part(const char *key, json_t *part)
{
  struct zl_doc doc;

  zl_doc_init(&doc);
  zl_doc_part(&doc, key, part);
  return zl_doc_end(&doc);
}

/* ---- Parts that several documents have ---- */

json_t *zl_doc_version(void)
{
  struct zl_doc doc;

  zl_doc_init(&doc);
  zl_doc_number(&doc, "Major", SCHEMA_MAJOR);
  zl_doc_number(&doc, "Minor", SCHEMA_MINOR);
  return zl_doc_end(&doc);
}

static json_t *layer(const struct zl_hcs_layer *l)
{
  struct zl_doc doc;

  zl_doc_init(&doc);
  zl_doc_text(&doc, "Id", l->id);
  zl_doc_text(&doc, "Path", l->path);
  return zl_doc_end(&doc);
}

json_t *zl_doc_layers(const struct zl_hcs_layer *layers, size_t count)
{
  zl_autojson *array = json_array();

  for (size_t i = 0; i < count; i++)
    if (json_array_append_new(array, layer(&layers[i])) < 0)
      return NULL;
  return zl_steal_ptr(&array);
}

json_t *zl_doc_qos(uint64_t iops, uint64_t bandwidth)
{
  struct zl_doc doc;

  zl_doc_init(&doc);
  zl_doc_number(&doc, "IopsMaximum", iops);
  zl_doc_number(&doc, "BandwidthMaximum", bandwidth);
  return zl_doc_end(&doc);
}

json_t *zl_doc_limits(const struct zl_hcs_limits *limits)
{
  struct zl_doc doc;

  zl_doc_init(&doc);
  zl_doc_number(&doc, "Count", limits->cpu_count);
  zl_doc_number(&doc, "Weight", limits->cpu_weight);
  zl_doc_number(&doc, "Maximum", limits->cpu_maximum);
  return zl_doc_end(&doc);
}

json_t *zl_doc_directory(const struct zl_hcs_mount *mount)
{
  struct zl_doc doc;

  zl_doc_init(&doc);
  zl_doc_text(&doc, "HostPath", mount->source);
  zl_doc_text(&doc, "ContainerPath", mount->target);
  zl_doc_flag(&doc, "ReadOnly", mount->readonly);
  return zl_doc_end(&doc);
}

json_t *zl_doc_pipe(const struct zl_hcs_mount *mount)
{
  struct zl_doc doc;

  zl_doc_init(&doc);
  zl_doc_text(&doc, "ContainerPipeName", mount->target);
  zl_doc_text(&doc, "HostPath", mount->source);
  return zl_doc_end(&doc);
}

/* ---- Checks ---- */

/* "container 'web-rep-1': Storage.Path", a new text. */
static char *name_of(const struct zl_doc_place *place, const char *field)
{
  return place->id != NULL ? zl_asprintf("%s '%s': %s", place->kind, place->id, field)
                           : strdup(field);
}

int zl_doc_refuse(const struct zl_doc_place *place, const char *field, const char *text,
                  const char *why, struct zl_error *err)
{
  zl_autofree char *name = name_of(place, field);

  return zl_fail(err, ZL_E_INVALID, 0, "%s: '%.200s' %s", name != NULL ? name : field,
                 text != NULL ? text : "", why);
}

int zl_doc_check_path(const struct zl_doc_place *place, const char *field, const char *path,
                      struct zl_error *err)
{
  zl_autofree char *name = name_of(place, field);

  return name != NULL ? zl_win_check_path(path, name, err) : zl_fail_nomem(err, field);
}

int zl_doc_check_guid(const struct zl_doc_place *place, const char *field, const char *guid,
                      struct zl_error *err)
{
  return zl_win_is_guid(guid)
             ? 0
             : zl_doc_refuse(place, field, guid, "is no GUID (lower case, no braces)", err);
}

int zl_doc_check_number(const struct zl_doc_place *place, const char *field, uint64_t number,
                        struct zl_error *err)
{
  char text[24];

  (void)snprintf(text, sizeof(text), "%" PRIu64, number);
  return number <= INT64_MAX ? 0 : zl_doc_refuse(place, field, text, "is too much", err);
}

int zl_doc_check_owner(const struct zl_doc_place *place, const char *owner, struct zl_error *err)
{
  zl_autofree char *name = name_of(place, "Owner");

  if (name == NULL)
    return zl_fail_nomem(err, "Owner");
  if (owner == NULL || *owner == '\0')
    return zl_fail(err, ZL_E_INVALID, 0, "%s: none, and nothing would find the system again", name);
  return zl_wintext_check(owner, name, ZL_HCS_MAX_OWNER, err);
}

int zl_doc_check_layers(const struct zl_doc_place *place, const struct zl_hcs_layer *layers,
                        size_t count, struct zl_error *err)
{
  zl_autofree char *name = name_of(place, "Layers");
  int r = 0;

  if (name == NULL)
    return zl_fail_nomem(err, "Layers");
  if (count == 0)
    return zl_fail(err, ZL_E_INVALID, 0, "%s: none", name);
  if (count > ZL_MAX_LAYERS)
    return zl_fail(err, ZL_E_LIMIT, 0, "%s: %zu, the limit is %d", name, count, ZL_MAX_LAYERS);
  for (size_t i = 0; r == 0 && i < count; i++) {
    r = zl_doc_check_guid(place, "Layers.Id", layers[i].id, err);
    if (r == 0)
      r = zl_doc_check_path(place, "Layers.Path", layers[i].path, err);
  }
  return r;
}

int zl_doc_check_limits(const struct zl_doc_place *place, const struct zl_hcs_limits *limits,
                        struct zl_error *err)
{
  unsigned given =
      (limits->cpu_count != 0) + (limits->cpu_maximum != 0) + (limits->cpu_weight != 0);
  zl_autofree char *name = name_of(place, "");

  if (name == NULL)
    return zl_fail_nomem(err, "limits");
  if (given > 1)
    return zl_fail(err, ZL_E_INVALID, 0,
                   "%sProcessor: Count, Maximum and Weight exclude each other", name);
  if (limits->cpu_maximum > ZL_HCS_CPU_ALL || limits->cpu_weight > MAX_WEIGHT ||
      limits->cpu_count > ZL_MAX_CPUS)
    return zl_fail(err, ZL_E_INVALID, 0, "%sProcessor: %" PRIu32 " is more than can be asked for",
                   name, limits->cpu_count + limits->cpu_maximum + limits->cpu_weight);
  if (limits->memory_mib > INT64_MAX >> 20)
    return zl_fail(err, ZL_E_INVALID, 0, "%sMemory: %" PRIu64 " MiB is more than can be asked for",
                   name, limits->memory_mib);
  return 0;
}

int zl_doc_check_mount(const struct zl_hcs_mount *mount, struct zl_error *err)
{
  int r = zl_win_check_path(mount->source, mount->field, err);

  return r < 0 ? r : zl_win_check_path(mount->target, mount->field, err);
}
