/* SPDX-License-Identifier: Apache-2.0 */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/strv.h"
#include "engine/caps.h"
#include "runtime/bundle/bundle.h"

enum {
  DEFAULT_ROWS = 24,
  DEFAULT_COLS = 80
};

bool zl_bundle_has_option(const struct zl_service *service, const char *name)
{
  size_t len = strlen(name);
  bool on = false;

  for (size_t i = 0; service->security_opt != NULL && service->security_opt[i] != NULL; i++) {
    const char *text = service->security_opt[i];

    if (strncmp(text, name, len) == 0 && (text[len] == '\0' || strchr(":=", text[len]) != NULL))
      on = strstr(text + len, "false") == NULL;
  }
  return on;
}

static json_t *list_caps(uint64_t set)
{
  json_t *list = json_array();

  for (unsigned i = 0; i < 64; i++)
    if (set & (UINT64_C(1) << i))
      (void)json_array_append_new(list, json_string(zl_cap_name(i)));
  return list;
}

/* Ambient and inheritable stay empty: a user other than root gets nothing by itself
 * (CVE-2022-24769). */
static int add_caps(json_t *process, const struct zl_service *service, struct zl_error *err)
{
  uint64_t set = 0;
  int r = zl_bundle_capabilities(service, &set, err);
  json_t *list;

  if (r < 0)
    return r;
  list = list_caps(set);
  if (json_object_set_new(
          process, "capabilities",
          json_pack("{s:O, s:O, s:O}", "bounding", list, "effective", list, "permitted", list)) < 0)
    r = zl_fail_nomem(err, "bundle");
  json_decref(list);
  return r;
}

static json_int_t limit_of(uint64_t value)
{
  return value == ZL_UNLIMITED || value > INT64_MAX ? -1 : (json_int_t)value;
}

static json_t *list_rlimits(const struct zl_service *service)
{
  json_t *list = json_array();

  for (size_t i = 0; i < service->n_ulimits; i++) {
    const struct zl_ulimit *limit = &service->ulimits[i];
    char name[32];

    (void)snprintf(name, sizeof(name), "RLIMIT_%s", limit->name);
    for (char *p = name; *p != '\0'; p++)
      *p = (char)toupper((unsigned char)*p);
    (void)json_array_append_new(list,
                                json_pack("{s:s, s:I, s:I}", "type", name, "soft",
                                          limit_of(limit->soft), "hard", limit_of(limit->hard)));
  }
  return list;
}

static json_t *console_size(const struct zl_create_options *options)
{
  return json_pack("{s:i, s:i}", "height", options->rows > 0 ? (int)options->rows : DEFAULT_ROWS,
                   "width", options->cols > 0 ? (int)options->cols : DEFAULT_COLS);
}

int zl_bundle_process(const struct zl_bundle *bundle, json_t **ret, struct zl_error *err)
{
  const struct zl_container_plan *plan = bundle->plan;
  const struct zl_service *service = plan->service;
  zl_autojson *process = json_pack(
      "{s:b, s:o*, s:{s:i, s:i}, s:o, s:o, s:s, s:b, s:o}", "terminal", (int)service->tty,
      "consoleSize", service->tty ? console_size(plan->options) : NULL, "user", "uid", 0, "gid", 0,
      "args", zl_json_from_strv((const char *const *)plan->argv), "env",
      zl_json_from_strv((const char *const *)plan->env), "cwd", plan->cwd, "noNewPrivileges",
      (int)zl_bundle_has_option(service, "no-new-privileges"), "rlimits", list_rlimits(service));
  int r;

  if (process == NULL)
    return zl_fail_nomem(err, "bundle");
  if (service->resources.has_oom_score_adj)
    (void)json_object_set_new(process, "oomScoreAdj",
                              json_integer(service->resources.oom_score_adj));
  r = add_caps(process, service, err);
  if (r == 0)
    *ret = zl_steal_ptr(&process);
  return r;
}
