/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/process.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/strv.h"
#include "engine/users_file.h"
#include "oci/document.h"

void oci_process_done(struct oci_process *p)
{
  zl_strv_free(p->env);
  zl_strv_free(p->gids);
  zl_strv_free(p->caps);
}

static int parse_id(const char *option, const char *text, uint32_t *ret, struct zl_error *err)
{
  if (!zl_users_parse_id(text, ret))
    return zl_fail(err, ZL_E_INVALID, 0, "%s: '%.40s' is no numeric id", option, text);
  return 0;
}

static int set_user(const struct oci_process *p, json_t *process, struct zl_error *err)
{
  zl_autofree char *text = strdup(p->user);
  char *rest = text;
  const char *uid_text = text != NULL ? strsep(&rest, ":") : NULL;
  uint32_t uid = 0, gid = 0;
  int r = uid_text != NULL ? parse_id("--user", uid_text, &uid, err) : zl_fail_nomem(err, "--user");

  if (r == 0 && rest != NULL)
    r = parse_id("--user", rest, &gid, err);
  if (r < 0)
    return r;
  return json_object_set_new(
             process, "user",
             json_pack("{s:I, s:I}", "uid", (json_int_t)uid, "gid", (json_int_t)gid)) < 0
             ? zl_fail_nomem(err, "--user")
             : 0;
}

/* To those of the container's own user; another one has none but these. */
static int add_gids(const struct oci_process *p, json_t *process, struct zl_error *err)
{
  json_t *user = json_object_get(process, "user"), *list;

  if (user == NULL) {
    user = json_object();
    if (json_object_set_new(process, "user", user) < 0)
      return zl_fail_nomem(err, "--additional-gids");
  }
  list = json_object_get(user, "additionalGids");
  if (!json_is_array(list)) {
    list = json_array();
    if (list == NULL || json_object_set_new(user, "additionalGids", list) < 0)
      return zl_fail_nomem(err, "--additional-gids");
  }
  for (char **gid = p->gids; gid != NULL && *gid != NULL; gid++) {
    uint32_t number;
    int r = parse_id("--additional-gids", *gid, &number, err);

    if (r < 0)
      return r;
    if (json_array_append_new(list, json_integer((json_int_t)number)) < 0)
      return zl_fail_nomem(err, "--additional-gids");
  }
  return 0;
}

/* Into every set but the inheritable one, as runc does since CVE-2022-29162. */
static int add_caps(const struct oci_process *p, json_t *process, struct zl_error *err)
{
  static const char *const sets[] = { "bounding", "effective", "permitted" };
  json_t *caps = json_object_get(process, "capabilities");

  if (caps == NULL) {
    caps = json_object();
    if (caps == NULL || json_object_set_new(process, "capabilities", caps) < 0)
      return zl_fail_nomem(err, "--cap");
  }
  for (char **cap = p->caps; cap != NULL && *cap != NULL; cap++) {
    /* Callers of a newer kernel's capabilities get the others, as with those of a document. */
    if (zl_cap_parse(*cap) < 0) {
      zl_warning("--cap: '%.40s' is not known and left out", *cap);
      continue;
    }
    for (size_t i = 0; i < ZL_COUNT(sets); i++) {
      json_t *set = json_object_get(caps, sets[i]);

      if (!json_is_array(set)) {
        set = json_array();
        if (set == NULL || json_object_set_new(caps, sets[i], set) < 0)
          return zl_fail_nomem(err, "--cap");
      }
      if (json_array_append_new(set, json_string(*cap)) < 0)
        return zl_fail_nomem(err, "--cap");
    }
  }
  return 0;
}

static int add_env(const struct oci_process *p, json_t *process, struct zl_error *err)
{
  json_t *env = json_object_get(process, "env");

  if (!json_is_array(env)) {
    env = json_array();
    if (env == NULL || json_object_set_new(process, "env", env) < 0)
      return zl_fail_nomem(err, "--env");
  }
  for (char **one = p->env; one != NULL && *one != NULL; one++)
    if (json_array_append_new(env, json_string(*one)) < 0)
      return zl_fail(err, ZL_E_INVALID, 0, "--env: '%.40s' is not UTF-8", *one);
  return 0;
}

static int set_rest(const struct oci_process *p, json_t *process, struct zl_error *err)
{
  json_t *args = zl_json_from_strv((const char *const *)p->args);

  if (args == NULL || json_object_set_new(process, "args", args) < 0)
    return zl_fail(err, ZL_E_INVALID, 0, "exec: the command is not UTF-8");
  if (json_object_set_new(process, "terminal", json_boolean(p->tty)) < 0 ||
      (p->no_new_privileges && json_object_set_new(process, "noNewPrivileges", json_true()) < 0) ||
      (p->cwd != NULL && json_object_set_new(process, "cwd", json_string(p->cwd)) < 0))
    return zl_fail_nomem(err, "exec");
  return 0;
}

/* The container's own process, and what the options change about it. */
static int derive(const struct oci_process *p, const json_t *config, json_t **ret,
                  struct zl_error *err)
{
  zl_autojson *process = json_deep_copy(json_object_get(config, "process"));
  int r = process != NULL ? set_rest(p, process, err) : zl_fail_nomem(err, "exec");

  if (r == 0)
    r = add_env(p, process, err);
  if (r == 0 && p->user != NULL)
    r = set_user(p, process, err);
  if (r == 0 && p->gids != NULL)
    r = add_gids(p, process, err);
  if (r == 0 && p->caps != NULL)
    r = add_caps(p, process, err);
  if (r == 0)
    *ret = zl_steal_ptr(&process);
  return r;
}

int oci_process_document(const struct oci_process *p, const json_t *config, json_t **ret,
                         struct zl_error *err)
{
  zl_autojson *doc = NULL;
  int r = p->file != NULL ? oci_document_read(p->file, &doc, err) : derive(p, config, &doc, err);

  if (r == 0 && p->file != NULL && p->tty && json_object_set_new(doc, "terminal", json_true()) < 0)
    return zl_fail(err, ZL_E_INVALID, 0, "--process: expected an object");
  if (r == 0)
    *ret = zl_steal_ptr(&doc);
  return r;
}

int oci_process_build(const struct oci_process *p, const json_t *config, struct zl_process **ret,
                      struct zl_error *err)
{
  zl_autojson *doc = NULL;
  int r = oci_process_document(p, config, &doc, err);

  return r < 0 ? r : zl_engine_process_parse(doc, "process", ret, err);
}
