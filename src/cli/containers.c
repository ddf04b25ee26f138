/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/containers.h"

#include <string.h>

/* Exit members are null until it has ended, so that 0 always means "ended with 0". */
static int add_state(json_t *entry, const struct zl_container_info *info)
{
  const struct zl_outcome *outcome = &info->state.outcome;
  bool ended = zl_container_has_ended(info);
  int r = json_object_set_new(entry, "state", zl_json_text(zl_state_name(info->state.state)));

  r |= json_object_set_new(entry, "paused", json_boolean(info->state.paused));
  r |= json_object_set_new(entry, "pid", json_integer(info->state.pid));
  r |= json_object_set_new(entry, "exitCode",
                           ended ? json_integer(outcome->exit_code) : json_null());
  r |= json_object_set_new(entry, "exitReason",
                           zl_json_text(ended ? zl_exit_reason_name(outcome->reason) : NULL));
  r |= json_object_set_new(
      entry, "signal", ended && outcome->signal != 0 ? json_integer(outcome->signal) : json_null());
  r |= json_object_set_new(entry, "finishedAt", zl_json_time(ended ? outcome->finished_at_ns : 0));
  r |= json_object_set_new(entry, "reason",
                           zl_json_text(info->state.reason[0] != '\0' ? info->state.reason : NULL));
  return r;
}

json_t *zl_container_json(const struct zl_container_info *info)
{
  const struct {
    const char *key, *value;
  } texts[] = {
    { "id", info->id },
    { "name", info->name },
    { "deployment", info->deployment },
    { "service", info->service },
    { "image", info->image },
    { "command", info->command },
    { "address", info->address },
    { "ports", info->ports },
    { "backend", info->backend },
    { "isolation", info->isolation },
  };
  zl_autojson *entry = json_object();
  int r = 0;

  for (size_t i = 0; i < ZL_COUNT(texts); i++)
    r |= json_object_set_new(entry, texts[i].key, zl_json_text(texts[i].value));
  r |= json_object_set_new(entry, "createdAt", zl_json_time(info->created_at_ns));
  r |= json_object_set_new(entry, "startedAt", zl_json_time(info->started_at_ns));
  r |= add_state(entry, info);
  return r < 0 ? NULL : zl_steal_ptr(&entry);
}

static const char *const keys[] = { "deployment", "service", "state", "name", "image" };

/* The text of a filter when it has this key, else NULL. */
static const char *text_for(const char *filter, const char *key)
{
  size_t len = strlen(key);

  return strncmp(filter, key, len) == 0 && filter[len] == '=' ? filter + len + 1 : NULL;
}

static bool is_state(const char *text)
{
  for (int i = ZL_STATE_PENDING; i <= ZL_STATE_FAILED; i++)
    if (strcmp(text, zl_state_name((enum zl_state)i)) == 0)
      return true;
  return strcmp(text, "paused") == 0;
}

int zl_filters_check(const struct zl_args *args, struct zl_error *err)
{
  const char *filter, *text;

  for (size_t pos = 0; (filter = zl_args_next(args, "filter", &pos)) != NULL;) {
    text = NULL;
    for (size_t i = 0; i < ZL_COUNT(keys) && text == NULL; i++)
      text = text_for(filter, keys[i]);
    if (text == NULL)
      return zl_fail(err, ZL_E_INVALID, 0,
                     "filter '%s': use deployment=, service=, state=, name= or image=", filter);
    if (text_for(filter, "state") != NULL && !is_state(text))
      return zl_fail(err, ZL_E_INVALID, 0,
                     "filter '%s': states are pending, initializing, running, paused, stopping, "
                     "exited, failed",
                     filter);
  }
  return 0;
}

bool zl_filters_have(const struct zl_args *args, const char *key)
{
  const char *filter;

  for (size_t pos = 0; (filter = zl_args_next(args, "filter", &pos)) != NULL;)
    if (text_for(filter, key) != NULL)
      return true;
  return false;
}

static bool contains(const char *value, const char *part)
{
  return value != NULL && strstr(value, part) != NULL;
}

static bool equals(const char *value, const char *text)
{
  return value != NULL && strcmp(value, text) == 0;
}

static bool fits(const struct zl_container_info *info, const char *key, const char *text)
{
  if (strcmp(key, "deployment") == 0)
    return equals(info->deployment, text);
  if (strcmp(key, "service") == 0)
    return equals(info->service, text);
  if (strcmp(key, "name") == 0)
    return contains(info->name, text) || contains(info->id, text);
  if (strcmp(key, "image") == 0)
    return contains(info->image, text);
  if (strcmp(text, "paused") == 0)
    return info->state.paused;
  return equals(zl_state_name(info->state.state), text);
}

bool zl_filters_match(const struct zl_args *args, const struct zl_container_info *info)
{
  const char *filter, *text;
  bool given, found;

  for (size_t i = 0; i < ZL_COUNT(keys); i++) {
    given = found = false;
    for (size_t pos = 0; (filter = zl_args_next(args, "filter", &pos)) != NULL;) {
      text = text_for(filter, keys[i]);
      given |= text != NULL;
      found |= text != NULL && fits(info, keys[i], text);
    }
    if (given && !found)
      return false;
  }
  return true;
}
