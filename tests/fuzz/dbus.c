/* SPDX-License-Identifier: Apache-2.0
 *
 * Fuzz target of what comes from the message bus: whatever the bytes, a message is read or refused,
 * all that it is said to have lies within it, and a conversation made of such messages ends.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "systemd/unit.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define PATIENCE_NS UINT64_C(1000000000)

/* A string ends within the message, or is the constant "". */
static void check_text(const uint8_t *data, size_t size, const char *text)
{
  const uint8_t *at = (const uint8_t *)text;

  if (*text != '\0' && (at < data || at + strlen(text) >= data + size))
    abort();
}

static void try_body(const struct zl_dbus_message *m, const uint8_t *data, size_t size)
{
  struct zl_dbus_in body = m->body;

  for (const char *one = m->signature; *one != '\0' && !body.bad; one++) {
    if (*one == 't')
      (void)zl_dbus_get_u64(&body);
    else if (*one == 'u')
      (void)zl_dbus_get_u32(&body);
    else if (*one == 'g')
      check_text(data, size, zl_dbus_get_signature(&body));
    else
      check_text(data, size, zl_dbus_get_string(&body));
    if (body.pos > body.len)
      abort();
  }
}

static void try_message(const uint8_t *data, size_t size)
{
  struct zl_dbus_message m;
  struct zl_error err = { 0 };
  size_t len = 0;

  if (zl_dbus_parse(data, size, &m, &err) < 0) {
    if (err.code != ZL_E_REMOTE)
      abort();
    return;
  }
  if (zl_dbus_size(data, &len, &err) < 0 || len != size || m.body.data + m.body.len != data + size)
    abort();
  check_text(data, size, m.path);
  check_text(data, size, m.interface);
  check_text(data, size, m.member);
  check_text(data, size, m.error_name);
  check_text(data, size, m.sender);
  check_text(data, size, m.signature);
  try_body(&m, data, size);
}

/* The peer says all of it and hangs up. */
static void try_conversation(const uint8_t *data, size_t size, bool has_broker)
{
  struct zl_systemd s = ZL_SYSTEMD_INIT;
  struct zl_error err = { 0 };
  unsigned version = 0;
  int ends[2], r;

  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
    abort();
  (void)send(ends[1], data, size, MSG_DONTWAIT);
  (void)shutdown(ends[1], SHUT_WR);
  zl_systemd_attach(&s, ends[0], has_broker ? ":1.7" : NULL, PATIENCE_NS);
  r = zl_systemd_stop(&s, "x.scope", &err);
  while (r == 0)
    r = zl_systemd_version(&s, &version, &err);
  if (err.code == ZL_OK || err.code == ZL_E_TIMEOUT)
    abort();
  zl_systemd_close(&s);
  (void)close(ends[1]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  uint8_t *copy = malloc(size > 0 ? size : 1); /* its end is guarded */

  if (copy == NULL)
    abort();
  memcpy(copy, data, size);
  try_message(copy, size);
  free(copy);
  try_conversation(data, size, true);
  try_conversation(data, size, false);
  return 0;
}
