/* SPDX-License-Identifier: Apache-2.0
 *
 * How processes talk to the server of their machine: a pipe for each call, JSON with its length in
 * front both ways.
 *
 * A call:   {"call":NAME,"pid":N,"session":N,"args":{…}[,"phase":"accept"|"work"][,"fault":{…}]}
 * An answer: {"hr":N,…}
 */
#ifndef HCS_SIM_WIRE_H
#define HCS_SIM_WIRE_H

#include <jansson.h>
#include <stdbool.h>
#include <windows.h>

enum {
  SIM_MAX_MESSAGE = 32 << 20
};

/* The name of an object of this machine: "\\.\pipe\hcs-sim-…" and the like. malloc. */
char *sim_object_name(const char *prefix, const char *suffix);
bool sim_send(HANDLE pipe, const json_t *message);
json_t *sim_receive(HANDLE pipe); /* NULL: the other side is gone, or sent nonsense */
/* Starts the server if there is none (hcs-sim.exe beside `module`, or HCS_SIM_SERVER), and asks
 * it. Takes the reference to `request`. NULL with a line on stderr: there is no answer. */
json_t *sim_ask(HMODULE module, json_t *request);
/* The same without starting one; NULL without a word when there is none. */
json_t *sim_ask_running(json_t *request);

#endif
