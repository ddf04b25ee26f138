/* SPDX-License-Identifier: Apache-2.0
 *
 * What a machine has, what is left of a test, and the rest of the control interface.
 */
#include "machine.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
  MAX_LEAKS = 4000
};

static const char *const kinds[KINDS] = { "system",    "process", "network", "endpoint",
                                          "namespace", "disk",    "address" };
static const char *const states[] = { "Creating", "Created", "Running", "Paused", "Stopped" };

/* ---- The ledger ------------------------------------------------------------------------------ */

static unsigned handles_of_process(const struct process *process)
{
  unsigned count = 0;

  for (const struct handle *h = machine.handles; h != NULL; h = h->next)
    count += h->kind == PROCESS && h->process == process && !h->closed;
  return count;
}

static json_t *process_list(const struct system *system)
{
  json_t *list = json_array();

  for (const struct process *p = system->processes; p != NULL; p = p->next)
    (void)json_array_append_new(
        list,
        json_pack("{s:I,s:s,s:O,s:b,s:I,s:i}", "pid", (json_int_t)p->pid, "command", p->command,
                  "parameters", p->parameters, "exited", (int)p->exited, "exit_code",
                  (json_int_t)p->exit_code, "handles", (int)handles_of_process(p)));
  return list;
}

static json_t *system_list(void)
{
  json_t *list = json_array();

  for (const struct system *s = machine.systems; s != NULL; s = s->next)
    (void)json_array_append_new(
        list,
        json_pack("{s:s,s:s,s:s,s:s,s:s,s:O,s:i,s:s*,s:O,s:O,s:O,s:o}", "id", s->id, "owner",
                  s->owner, "type", s->is_machine ? "VirtualMachine" : "Container", "state",
                  states[s->state], "runtime_id", s->runtime_id, "document", s->document, "handles",
                  (int)sim_handles_of(s), "host", s->host == NULL ? NULL : s->host->id, "shares",
                  s->shares, "disks", s->disks, "adapters", s->nics, "processes", process_list(s)));
  return list;
}

static json_t *handle_counts(void)
{
  json_t *counts = json_object();
  unsigned count[KINDS] = { 0 }, operations = 0;

  for (const struct handle *h = machine.handles; h != NULL; h = h->next)
    if (!h->closed)
      count[h->kind]++;
  for (int i = 0; i < KINDS; i++)
    (void)json_object_set_new(counts, kinds[i], json_integer(count[i]));
  for (const struct session *s = machine.sessions; s != NULL; s = s->next)
    if (!s->gone && s->counters != NULL)
      operations += (unsigned)s->counters->operations;
  (void)json_object_set_new(counts, "operation", json_integer(operations));
  return counts;
}

static json_t *string_counts(void)
{
  json_int_t local = 0, cotask = 0;

  for (const struct session *s = machine.sessions; s != NULL; s = s->next)
    if (!s->gone && s->counters != NULL) {
      local += s->counters->local;
      cotask += s->counters->cotask;
    }
  return json_pack("{s:I,s:I}", "local", local, "cotask", cotask);
}

static unsigned children(void)
{
  unsigned count = 0;

  for (const struct system *s = machine.systems; s != NULL; s = s->next)
    for (const struct process *p = s->processes; p != NULL; p = p->next)
      count += !p->exited;
  return count;
}

static json_t *misuse_list(void)
{
  json_t *all = json_copy(machine.misuse);

  for (const struct session *s = machine.sessions; s != NULL; s = s->next)
    for (LONG i = 0; !s->gone && s->counters != NULL && i < s->counters->misuses && i < SIM_MISUSES;
         i++)
      (void)json_array_append_new(all, json_string(s->counters->misuse[i]));
  return all;
}

/* Layers that something is left of: a disk that was removed by hand is not there any more. */
static json_t *layer_list(void)
{
  json_t *list = json_array();
  const char *key;
  json_t *layer;

  json_object_foreach (machine.layers, key, layer)
    if (sim_is_directory(sim_text(layer, "path")) ||
        strcmp(sim_text(layer, "state"), "Created") != 0)
      (void)json_array_append(list, layer);
  return list;
}

static json_t *values_of(const json_t *object)
{
  json_t *list = json_array();
  const char *key;
  json_t *value;

  json_object_foreach ((json_t *)(uintptr_t)object, key, value)
    (void)json_array_append(list, value);
  return list;
}

json_t *sim_ledger(void)
{
  sim_grants_sweep();
  return json_pack("{s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:i,s:o,s:O}", "systems",
                   system_list(), "layers", layer_list(), "disks", sim_disk_list(), "grants",
                   values_of(machine.grants), "networks", values_of(machine.networks), "endpoints",
                   values_of(machine.endpoints), "namespaces", values_of(machine.namespaces),
                   "handles", handle_counts(), "strings", string_counts(), "listeners",
                   values_of(machine.listeners), "children", (int)children(), "misuse",
                   misuse_list(), "host", machine.host);
}

/* ---- What is left ---------------------------------------------------------------------------- */

struct leaks {
  char text[MAX_LEAKS];
  size_t len;
};

static void leak(struct leaks *leaks, const char *fmt, ...)
    __attribute__((format(gnu_printf, 2, 3)));
static void leak(struct leaks *leaks, const char *fmt, ...)
{
  va_list ap;
  int len;

  if (leaks->len + 2 >= sizeof(leaks->text))
    return;
  va_start(ap, fmt);
  len = vsnprintf(leaks->text + leaks->len, sizeof(leaks->text) - leaks->len, fmt, ap);
  va_end(ap);
  leaks->len += (size_t)len;
  if (leaks->len + 2 >= sizeof(leaks->text))
    leaks->len = sizeof(leaks->text) - 2;
  leaks->text[leaks->len++] = '\n';
  leaks->text[leaks->len] = '\0';
}

static void leaked_systems(struct leaks *leaks, const json_t *ledger)
{
  const json_t *system, *process;
  size_t i, j;

  json_array_foreach (json_object_get(ledger, "systems"), i, system) {
    if (strcmp(sim_text(system, "state"), "Stopped") != 0)
      leak(leaks, "system '%s' is %s", sim_text(system, "id"), sim_text(system, "state"));
    json_array_foreach (json_object_get(system, "processes"), j, process)
      if (!json_is_true(json_object_get(process, "exited")))
        leak(leaks, "process of '%s' runs: %s", sim_text(system, "id"),
             sim_text(process, "command"));
  }
}

static void leaked_counts(struct leaks *leaks, const json_t *counts, const char *what)
{
  const char *key;
  const json_t *count;

  json_object_foreach ((json_t *)(uintptr_t)counts, key, count)
    if (json_integer_value(count) > 0)
      leak(leaks, "%d %s of kind %s", (int)json_integer_value(count), what, key);
}

static void leaked_list(struct leaks *leaks, const json_t *list, const char *what)
{
  const json_t *item;
  size_t i;

  json_array_foreach (list, i, item) {
    char *text = json_dumps(item, JSON_COMPACT | JSON_ENCODE_ANY);

    leak(leaks, "%s: %.300s", what, text);
    free(text);
  }
}

char *sim_leaks(bool networks)
{
  static const struct {
    const char *list, *what;
  } lists[] = {
    { "layers", "a scratch layer" }, { "disks", "an attached disk" }, { "grants", "a grant" },
    { "endpoints", "an endpoint" },  { "namespaces", "a namespace" }, { "listeners", "a listener" },
    { "misuse", "a misuse" },
  };
  struct leaks *leaks = sim_alloc(sizeof(*leaks));
  json_t *ledger = sim_ledger();

  leaked_systems(leaks, ledger);
  for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++)
    leaked_list(leaks, json_object_get(ledger, lists[i].list), lists[i].what);
  if (!networks)
    leaked_list(leaks, json_object_get(ledger, "networks"), "a network");
  leaked_counts(leaks, json_object_get(ledger, "handles"), "open handles");
  leaked_counts(leaks, json_object_get(ledger, "strings"), "texts");
  json_decref(ledger);
  return leaks->text;
}

/* ---- Control --------------------------------------------------------------------------------- */

static uint32_t get_ledger(struct call *call)
{
  (void)json_object_set_new(call->reply, "ledger", sim_ledger());
  return 0;
}

static uint32_t get_leaks(struct call *call)
{
  char *text = sim_leaks(json_is_true(json_object_get(call->args, "networks")));

  (void)json_object_set_new(call->reply, "leaks", json_string(text));
  free(text);
  return 0;
}

static uint32_t get_journal(struct call *call)
{
  (void)json_object_set(call->reply, "journal", machine.journal);
  return 0;
}

static uint32_t count_calls(struct call *call)
{
  const char *name = sim_text(call->args, "name");
  const json_t *line;
  json_int_t count = 0;
  size_t i;

  json_array_foreach (machine.journal, i, line)
    count += strcmp(sim_text(line, "call"), name) == 0;
  (void)json_object_set_new(call->reply, "count", json_integer(count));
  return 0;
}

static uint32_t forget(struct call *call)
{
  (void)call;
  (void)json_array_clear(machine.misuse);
  json_decref(machine.journal); /* a reply may still have the old one */
  machine.journal = json_array();
  for (struct session *s = machine.sessions; s != NULL; s = s->next)
    if (!s->gone && s->counters != NULL)
      s->counters->misuses = 0;
  return 0;
}

static uint32_t set(struct call *call)
{
  char why[512];

  if (sim_knob_set(sim_text(call->args, "knob"), why, sizeof(why)))
    return 0;
  (void)json_object_set_new(call->reply, "why", json_string(why));
  return HR_CONSTRUCT;
}

static uint32_t clear(struct call *call)
{
  (void)call;
  sim_knob_clear();
  return 0;
}

static uint32_t kill_service(struct call *call)
{
  (void)call;
  sim_disconnect_all();
  return 0;
}

static uint32_t crash(struct call *call)
{
  struct system *system = sim_system_find(sim_text(call->args, "id"));

  if (system == NULL)
    return HCS_NO_SYSTEM;
  sim_system_end(system, "UnexpectedExit", HCS_UNEXPECTED_EXIT);
  return 0;
}

static uint32_t stop(struct call *call)
{
  (void)json_object_set_new(call->reply, "server", json_integer(GetCurrentProcessId()));
  return 0; /* the server ends when the answer is written */
}

const struct handler sim_control_handlers[] = {
  { .name = "sim.ledger", .work = get_ledger },
  { .name = "sim.leaks", .work = get_leaks },
  { .name = "sim.journal", .work = get_journal },
  { .name = "sim.count", .work = count_calls },
  { .name = "sim.forget", .work = forget },
  { .name = "sim.set", .work = set },
  { .name = "sim.clear", .work = clear },
  { .name = "sim.kill", .work = kill_service },
  { .name = "sim.crash", .work = crash },
  { .name = "sim.stop", .work = stop },
  { .name = NULL },
};
