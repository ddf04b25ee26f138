/* SPDX-License-Identifier: Apache-2.0
 *
 * Knobs, as control.h describes them.
 */
#include "machine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
  MAX_KNOBS = 256,
  MAX_WORD = 128,
  MAX_LINE = 1024
};

static struct knob {
  char name[MAX_WORD], match[MAX_WORD];
  unsigned nth, times, seen;
  struct fault fault;
} knobs[MAX_KNOBS];
static size_t count;
static uint64_t loaded; /* when the file was written that we know */

static const char *const exported[] = {
#define NAME(name) #name,
#include "exported.h"
#undef NAME
};

static const char *const messages[] = { "dial",
                                        "Create",
                                        "Start",
                                        "ShutdownGraceful",
                                        "ShutdownForced",
                                        "ExecuteProcess",
                                        "WaitForProcess",
                                        "SignalProcess",
                                        "ResizeConsole",
                                        "GetProperties",
                                        "ModifySettings",
                                        "NegotiateProtocol",
                                        "DumpStacks",
                                        "DeleteContainerState",
                                        "UpdateContainer",
                                        "*" };

static const char *const call_actions[] = { "after", "hang", "die",  "exit",
                                            "quirk", "stay", "lose", "error" };
static const char *const message_actions[] = { "mute",      "drop",  "dropafter", "crash",
                                               "garbage",   "huge",  "short",     "wrongid",
                                               "wrongtype", "early", "twice",     "version" };
static const char *const dial_actions[] = { "never", "drop", "crash", "twice" };

static bool is_one_of(const char *word, const char *const *list, size_t n)
{
  for (size_t i = 0; i < n; i++)
    if (strcmp(word, list[i]) == 0)
      return true;
  return false;
}
#define ONE_OF(word, list) is_one_of(word, list, sizeof(list) / sizeof((list)[0]))

static bool is_name(const char *name)
{
  if (strncmp(name, "guest:", 6) == 0)
    return ONE_OF(name + 6, messages);
  return strcmp(name, "*") == 0 || ONE_OF(name, exported);
}

static bool is_action(const char *name, const char *action)
{
  if (strcmp(name, "guest:dial") == 0)
    return ONE_OF(action, dial_actions);
  if (strncmp(name, "guest:", 6) == 0)
    return ONE_OF(action, message_actions);
  return ONE_OF(action, call_actions);
}

static bool complain(char *why, size_t size, const char *what, const char *word)
{
  (void)snprintf(why, size, "%s: '%s'", what, word);
  return false;
}

static bool option(struct knob *knob, const char *word, char *why, size_t size)
{
  const char *value = strchr(word, '=');

  if (value == NULL)
    return complain(why, size, "no KEY=VALUE", word);
  value++;
  if (strncmp(word, "nth=", 4) == 0)
    knob->nth = (unsigned)strtoul(value, NULL, 0);
  else if (strncmp(word, "times=", 6) == 0)
    knob->times = (unsigned)strtoul(value, NULL, 0);
  else if (strncmp(word, "hr=", 3) == 0)
    knob->fault.hr = (uint32_t)strtoul(value, NULL, 0);
  else if (strncmp(word, "delay=", 6) == 0)
    knob->fault.delay = (unsigned)strtoul(value, NULL, 0);
  else if (strncmp(word, "match=", 6) == 0)
    (void)snprintf(knob->match, sizeof(knob->match), "%s", value);
  else if (strcmp(word, "at=call") == 0 || strcmp(word, "at=result") == 0)
    knob->fault.at_call = value[0] == 'c';
  else if (strncmp(word, "do=", 3) == 0 && is_action(knob->name, value))
    (void)snprintf(knob->fault.action, sizeof(knob->fault.action), "%s", value);
  else
    return complain(why, size, "no such option or action", word);
  return true;
}

static bool property(char *rest, char *why, size_t size)
{
  char *key = strtok(rest, "= \t\r\n"), *value = strtok(NULL, " \t\r\n");

  if (key == NULL || value == NULL || json_object_get(machine.host, key) == NULL)
    return complain(why, size, "no such property of the host", key == NULL ? "" : key);
  if (strcmp(key, "hns") == 0)
    (void)json_object_set_new(machine.host, key, json_string(value));
  else
    (void)json_object_set_new(machine.host, key, json_integer(strtoll(value, NULL, 0)));
  return true;
}

bool sim_knob_set(const char *line, char *why, size_t size)
{
  struct knob knob = { .nth = 1, .times = 1, .fault.hit = true };
  char copy[MAX_LINE], *word;

  (void)snprintf(copy, sizeof(copy), "%s", line);
  if (strncmp(copy, "host ", 5) == 0)
    return property(copy + 5, why, size);
  word = strtok(copy, " \t\r\n");
  if (word == NULL || !is_name(word))
    return complain(why, size, "no such function or message", word == NULL ? "" : word);
  (void)snprintf(knob.name, sizeof(knob.name), "%s", word);
  while ((word = strtok(NULL, " \t\r\n")) != NULL)
    if (!option(&knob, word, why, size))
      return false;
  if (count == MAX_KNOBS)
    return complain(why, size, "too many knobs", line);
  knobs[count++] = knob;
  return true;
}

void sim_knob_clear(void)
{
  count = 0;
  json_decref(machine.host);
  machine.host = json_pack("{s:i,s:i,s:s,s:i,s:i,s:i,s:i,s:i,s:i,s:i}", "build", 20348, "hyperv", 1,
                           "hns", "15.4", "service", 1, "processors", 4, "privileges", 1, "signals",
                           1, "ignore", 0, "zone", 1, "flush", 0);
}

static void load(FILE *file)
{
  char line[MAX_LINE], why[MAX_LINE];

  sim_knob_clear();
  while (fgets(line, sizeof(line), file) != NULL)
    if (strspn(line, " \t\r\n") != strlen(line) && line[0] != '#' &&
        !sim_knob_set(line, why, sizeof(why)))
      sim_misuse("the knobs file: %s", why);
}

void sim_knob_load(void)
{
  char *path = sim_join(machine.dir, "knobs");
  wchar_t *wide = sim_wide(path);
  WIN32_FILE_ATTRIBUTE_DATA data;
  uint64_t written = 0;
  FILE *file;

  if (GetFileAttributesExW(wide, GetFileExInfoStandard, &data))
    written =
        (uint64_t)data.ftLastWriteTime.dwHighDateTime << 32 | data.ftLastWriteTime.dwLowDateTime;
  if (written != 0 && written != loaded && (file = _wfopen(wide, L"rb")) != NULL) {
    loaded = written;
    load(file);
    (void)fclose(file);
  }
  free(wide);
  free(path);
}

static bool covers(const struct knob *knob, const char *name, const char *text)
{
  bool guest = strncmp(name, "guest:", 6) == 0;

  if (strcmp(knob->name, guest ? "guest:*" : "*") != 0 && strcmp(knob->name, name) != 0)
    return false;
  return knob->match[0] == '\0' || strstr(text, knob->match) != NULL;
}

struct fault sim_knob_hit(const char *name, const json_t *args)
{
  char *text = json_dumps(args, JSON_COMPACT | JSON_ENCODE_ANY);
  struct fault fault = { .hit = false };

  for (size_t i = 0; i < count; i++) {
    struct knob *knob = &knobs[i];

    if (!covers(knob, name, text == NULL ? "" : text))
      continue;
    knob->seen++;
    if (!fault.hit && knob->seen >= knob->nth &&
        (knob->times == 0 || knob->seen < knob->nth + knob->times))
      fault = knob->fault;
  }
  free(text);
  return fault;
}

json_int_t sim_host_number(const char *key)
{
  return json_integer_value(json_object_get(machine.host, key));
}
