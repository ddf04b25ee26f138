/* SPDX-License-Identifier: Apache-2.0 */
#include "control.h"

#include <stdio.h>
#include <string.h>

#include "wire.h"

static json_t *ask(const char *call, json_t *args)
{
  return sim_ask(
      NULL, json_pack("{s:s,s:i,s:i,s:o}", "call", call, "pid", 0, "session", 0, "args", args));
}

/* 0, or -1 with what the server says. */
static int done(json_t *reply)
{
  int result = reply != NULL && json_integer_value(json_object_get(reply, "hr")) == 0 ? 0 : -1;
  const char *why = json_string_value(json_object_get(reply, "why"));

  if (result < 0 && reply != NULL)
    (void)fprintf(stderr, "hcs-sim: %s\n", why == NULL ? "refused" : why);
  json_decref(reply);
  return result;
}

int hcs_sim_set(const char *knob)
{
  return done(ask("sim.set", json_pack("{s:s}", "knob", knob)));
}

int hcs_sim_clear(void)
{
  return done(ask("sim.clear", json_object()));
}

static int fetch(const char *call, const char *key, json_t **ret)
{
  json_t *reply = ask(call, json_object());

  if (reply == NULL)
    return -1;
  *ret = json_incref(json_object_get(reply, key));
  json_decref(reply);
  return *ret == NULL ? -1 : 0;
}

int hcs_sim_ledger(json_t **ret)
{
  return fetch("sim.ledger", "ledger", ret);
}

int hcs_sim_journal(json_t **ret)
{
  return fetch("sim.journal", "journal", ret);
}

int hcs_sim_leaks(int networks, char *why, size_t size)
{
  json_t *reply = ask("sim.leaks", json_pack("{s:b}", "networks", networks));
  const char *text = json_string_value(json_object_get(reply, "leaks"));
  int result = text == NULL ? -1 : text[0] != '\0';

  (void)snprintf(why, size, "%s", text == NULL ? "no answer" : text);
  json_decref(reply);
  return result;
}

int hcs_sim_count(const char *name)
{
  json_t *reply = ask("sim.count", json_pack("{s:s}", "name", name));
  int count = reply == NULL ? -1 : (int)json_integer_value(json_object_get(reply, "count"));

  json_decref(reply);
  return count;
}

int hcs_sim_forget(void)
{
  return done(ask("sim.forget", json_object()));
}

int hcs_sim_kill_service(void)
{
  return done(ask("sim.kill", json_object()));
}

int hcs_sim_crash(const char *system_id)
{
  return done(ask("sim.crash", json_pack("{s:s}", "id", system_id)));
}

int hcs_sim_stop(void)
{
  json_t *reply = sim_ask_running(
      json_pack("{s:s,s:i,s:i,s:{}}", "call", "sim.stop", "pid", 0, "session", 0, "args"));
  HANDLE server = NULL;

  if (reply != NULL)
    server = OpenProcess(SYNCHRONIZE, FALSE,
                         (DWORD)json_integer_value(json_object_get(reply, "server")));
  if (server != NULL) {
    (void)WaitForSingleObject(server, 10000);
    (void)CloseHandle(server);
  }
  json_decref(reply);
  return 0;
}
