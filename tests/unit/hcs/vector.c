/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "schema.h"
#include "vector.h"

#include "base/cleanup.h"
#include "base/strv.h"

enum {
  MAX_FILE = 64 << 10,
  MAX_USED = 128
};

static char *used[MAX_USED];
static size_t n_used;

static const char *data_dir(void)
{
  const char *dir = getenv("ZL_TEST_DATA");

  if (dir == NULL)
    fail_msg("ZL_TEST_DATA is not set: run this with meson test, or set it to tests/data/hcs");
  return dir;
}

/* Without blanks and line ends outside of strings. */
static void shrink(char *text)
{
  bool quoted = false;
  char *to = text;

  for (const char *p = text; *p != '\0'; p++) {
    if (!quoted && (*p == ' ' || *p == '\n'))
      continue;
    if (*p == '"')
      quoted = !quoted;
    *to++ = *p;
    if (quoted && *p == '\\' && p[1] != '\0')
      *to++ = *++p;
  }
  *to = '\0';
}

static char *read_vector(const char *name)
{
  zl_autofree char *path = zl_asprintf("%s/%s.json", data_dir(), name);
  zl_autofile *file = NULL;
  char *text = calloc(1, MAX_FILE);
  size_t len;

  assert_non_null(path);
  assert_non_null(text);
  file = fopen(path, "re");
  if (file == NULL)
    fail_msg("no vector %s", path);
  len = fread(text, 1, MAX_FILE - 1, file);
  assert_true(len < MAX_FILE - 1);
  shrink(text);
  assert_true(n_used < MAX_USED);
  used[n_used++] = strdup(name);
  return text;
}

static void compare(const json_t *document, const char *name)
{
  zl_autofree char *expected = read_vector(name), *rendered = NULL;

  assert_int_equal(zl_hcs_doc_render(document, name, &rendered, NULL), 0);
  if (strcmp(rendered, expected) != 0)
    fail_msg("%s differs:\n%s\n%s", name, rendered, expected);
}

static void check_schema(const json_t *document, const char *name, const char *type)
{
  char why[2048] = "";

  if (!schema_check(document, type, why, sizeof(why)))
    fail_msg("%s: %s", name, why);
}

void check_vector(json_t *document, const char *name, const char *type)
{
  assert_non_null(document);
  compare(document, name);
  /* The query for the basic properties has no members. */
  if (json_object_size(document) > 0)
    check_schema(document, name, type);
  json_decref(document);
}

static void check_settings(const json_t *settings, const char *name, const char *type)
{
  if (type == NULL)
    fail_msg("%s: what is changed is not known", name);
  if (*type == '\0')
    assert_true(json_is_integer(settings));
  else if (strcmp(type, "*") != 0 && settings != NULL)
    check_schema(settings, name, type);
}

static json_t *guest_json(const struct zl_hcs_modify *change)
{
  return json_pack("{s:s, s:s, s:O}", "ResourceType", change->resource, "RequestType",
                   change->request, "Settings", change->settings);
}

void check_change(struct zl_hcs_modify *change, const char *name)
{
  json_t *both = json_object();

  assert_non_null(both);
  if (change->host != NULL) {
    const char *path = json_string_value(json_object_get(change->host, "ResourcePath"));

    check_schema(change->host, name, "ModifySettingRequest");
    check_settings(json_object_get(change->host, "Settings"), name, schema_of_path(path));
    assert_int_equal(json_object_set(both, "host", change->host), 0);
  }
  if (change->resource != NULL) {
    assert_int_equal(json_object_set_new(both, "guest", guest_json(change)), 0);
    check_schema(json_object_get(both, "guest"), name, "GuestModifySettingRequest");
    check_settings(change->settings, name, schema_of_resource(change->resource));
  }
  compare(both, name);
  json_decref(both);
  zl_hcs_modify_done(change);
}

static bool is_used(const char *name)
{
  size_t len = strlen(name) - strlen(".json");

  for (size_t i = 0; i < n_used; i++)
    if (strlen(used[i]) == len && strncmp(used[i], name, len) == 0)
      return true;
  return false;
}

void check_vectors_used(const char *const *prefixes)
{
  DIR *dir = opendir(data_dir());
  const struct dirent *entry;

  assert_non_null(dir);
  while ((entry = readdir(dir)) != NULL)
    for (size_t i = 0; prefixes[i] != NULL; i++)
      if (strncmp(entry->d_name, prefixes[i], strlen(prefixes[i])) == 0 &&
          !is_used(entry->d_name)) {
        (void)closedir(dir);
        fail_msg("no test compares %s", entry->d_name);
        return;
      }
  (void)closedir(dir);
  for (size_t i = 0; i < n_used; i++)
    free(used[i]);
  n_used = 0;
}
