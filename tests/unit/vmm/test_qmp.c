/* SPDX-License-Identifier: Apache-2.0
 *
 * The monitor's client against a scripted peer: what QEMU will say is written into a socket pair
 * beforehand, what it was asked is read afterwards.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fd.h"
#include "base/json.h"
#include "base/time.h"
#include "vmm/clone.h"
#include "vmm/qmp.h"
#include "vmm/swap.h"

/* clang-format off */
#define GREETING "{\"QMP\": {\"version\": {}, \"capabilities\": [\"oob\"]}}\r\n"
#define OK       "{\"return\": {}}\r\n"
#define EVENT    "{\"event\": \"STOP\", \"timestamp\": {\"seconds\": 1}, \"data\": {\"n\": 1}}\r\n"
#define MIGRATION(status) \
  "{\"event\": \"MIGRATION\", \"data\": {\"status\": \"" status "\"}}\r\n"
/* clang-format on */

enum {
  SHORT_MS = 50,
  LONG_S = 20,
  BIG = ZL_QMP_MAX_LINE + (16 << 10)
};

struct peer {
  struct zl_qmp qmp;
  int fd;
  int events;
};

static uint64_t soon(void)
{
  return zl_time_boot() + SHORT_MS * ZL_NS_PER_MS;
}

static uint64_t late(void)
{
  return zl_time_boot() + LONG_S * ZL_NS_PER_S;
}

static void count_event(void *ctx, const char *name, const json_t *data)
{
  struct peer *peer = ctx;

  assert_non_null(name);
  if (strcmp(name, "STOP") == 0)
    assert_int_equal(json_integer_value(json_object_get(data, "n")), 1);
  peer->events++;
}

static void say(struct peer *peer, const char *text)
{
  assert_int_equal(zl_fd_write_full(peer->fd, text, strlen(text)), 0);
}

/* All that has been asked so far. One read ends where a descriptor was sent. */
static void asked(struct peer *peer, char *text, size_t size)
{
  size_t len = 0;
  ssize_t n;

  while ((n = recv(peer->fd, text + len, size - 1 - len, MSG_DONTWAIT)) > 0)
    len += (size_t)n;
  assert_true(len > 0);
  text[len] = '\0';
}

static int start(struct peer *peer, const char *script, struct zl_error *err)
{
  const int room = 4 * BIG;
  int ends[2];

  *peer = (struct peer){ .fd = -1 };
  assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
  assert_int_equal(setsockopt(ends[1], SOL_SOCKET, SO_SNDBUF, &room, sizeof(room)), 0);
  peer->fd = ends[1];
  say(peer, script);
  return zl_qmp_open(&peer->qmp, ends[0], count_event, peer, soon(), err);
}

static void open_peer(struct peer *peer, const char *script)
{
  struct zl_error err = { 0 };
  char text[256];

  if (start(peer, script, &err) < 0)
    fail_msg("%s", err.msg);
  asked(peer, text, sizeof(text));
}

static void end(struct peer *peer)
{
  zl_qmp_close(&peer->qmp);
  zl_qmp_close(&peer->qmp);
  assert_int_equal(peer->qmp.fd, -1);
  zl_fd_closep(&peer->fd);
}

static void a_greeting_comes_first(void **state)
{
  struct peer peer;
  struct zl_error err = { 0 };
  char text[256];

  (void)state;
  assert_int_equal(start(&peer, GREETING EVENT OK, &err), 0);
  assert_int_equal(peer.events, 1);
  asked(&peer, text, sizeof(text));
  assert_string_equal(text, "{\"execute\":\"qmp_capabilities\",\"id\":1}\n");
  end(&peer);

  assert_int_equal(start(&peer, OK, &err), -ZL_E_REMOTE);
  assert_int_equal(peer.qmp.fd, -1);
  end(&peer);
  assert_int_equal(start(&peer, "SSH-2.0-OpenSSH\r\n", &err), -ZL_E_REMOTE);
  end(&peer);
  assert_int_equal(start(&peer, "", &err), -ZL_E_TIMEOUT);
  end(&peer);
  assert_int_equal(
      start(&peer, GREETING "{\"error\": {\"class\": \"X\", \"desc\": \"no\"}}\n", &err),
      -ZL_E_REMOTE);
  end(&peer);
}

static void calls_get_their_answers_past_events(void **state)
{
  struct peer peer;
  struct zl_error err = { 0 };
  zl_autojson *value = NULL;
  char text[256];

  (void)state;
  open_peer(&peer, GREETING OK);
  say(&peer, EVENT EVENT "{\"return\": {\"running\": true}, \"id\": 2}\r\n" EVENT);
  assert_int_equal(
      zl_qmp_call(&peer.qmp, "query-status", json_pack("{s:i}", "a", 1), soon(), &value, &err), 0);
  assert_true(json_is_true(json_object_get(value, "running")));
  asked(&peer, text, sizeof(text));
  assert_string_equal(text, "{\"execute\":\"query-status\",\"id\":2,\"arguments\":{\"a\":1}}\n");
  assert_int_equal(peer.events, 2);
  assert_int_equal(zl_qmp_poll(&peer.qmp, &err), 0);
  assert_int_equal(peer.events, 3);
  assert_int_equal(zl_qmp_poll(&peer.qmp, &err), 0);
  assert_int_equal(peer.events, 3);
  end(&peer);
}

static void lines_may_come_in_pieces(void **state)
{
  struct peer peer;
  struct zl_error err = { 0 };

  (void)state;
  open_peer(&peer, GREETING OK);
  say(&peer, "{\"event\": \"RESU");
  assert_int_equal(zl_qmp_poll(&peer.qmp, &err), 0);
  assert_int_equal(peer.events, 0);
  say(&peer, "ME\"}\r\n{\"return\"");
  assert_int_equal(zl_qmp_poll(&peer.qmp, &err), 0);
  assert_int_equal(peer.events, 1);
  say(&peer, ": {}}\n");
  assert_int_equal(zl_qmp_call(&peer.qmp, "cont", NULL, soon(), NULL, &err), 0);
  end(&peer);
}

/* More than the monitor's own limit at once: one poll does not report them all, and none is lost.
 */
static void a_flood_of_events_is_taken_in_turns(void **state)
{
  struct peer peer;
  struct zl_error err = { 0 };
  static const char flood[] = EVENT EVENT EVENT EVENT EVENT EVENT EVENT EVENT;
  int polls = 0;

  (void)state;
  open_peer(&peer, GREETING OK);
  for (int i = 0; i < 100; i++)
    say(&peer, flood);
  for (; polls < 100 && peer.events < 800; polls++)
    assert_int_equal(zl_qmp_poll(&peer.qmp, &err), 0);
  assert_int_equal(peer.events, 800);
  assert_true(polls > 1);
  assert_int_equal(zl_qmp_poll(&peer.qmp, &err), 0);
  say(&peer, OK);
  assert_int_equal(zl_qmp_call(&peer.qmp, "cont", NULL, soon(), NULL, &err), 0);
  end(&peer);
}

static void an_error_of_qemu_is_told(void **state)
{
  struct peer peer;
  struct zl_error err = { 0 };

  (void)state;
  open_peer(&peer, GREETING OK);
  say(&peer, "{\"error\": {\"class\": \"GenericError\", \"desc\": \"no such node\"}}\n" OK);
  assert_int_equal(zl_qmp_call(&peer.qmp, "blockdev-del", NULL, soon(), NULL, &err), -ZL_E_REMOTE);
  assert_string_equal(err.msg, "blockdev-del: no such node");
  /* The conversation goes on. */
  assert_int_equal(zl_qmp_call(&peer.qmp, "cont", NULL, soon(), NULL, &err), 0);
  end(&peer);
}

static void a_late_answer_belongs_to_nobody(void **state)
{
  struct peer peer;
  struct zl_error err = { 0 };
  zl_autojson *value = NULL;

  (void)state;
  open_peer(&peer, GREETING OK);
  assert_int_equal(zl_qmp_call(&peer.qmp, "slow", NULL, soon(), NULL, &err), -ZL_E_TIMEOUT);
  assert_non_null(strstr(err.msg, "slow"));
  say(&peer, "{\"return\": 7, \"id\": 2}\n{\"return\": 8, \"id\": 3}\n");
  assert_int_equal(zl_qmp_call(&peer.qmp, "quick", NULL, soon(), &value, &err), 0);
  assert_int_equal(json_integer_value(value), 8);
  end(&peer);
}

static void the_end_of_qemu_ends_calls(void **state)
{
  struct peer peer;
  struct zl_error err = { 0 };

  (void)state;
  open_peer(&peer, GREETING OK);
  say(&peer, EVENT "{\"half");
  (void)close(peer.fd);
  peer.fd = -1;
  assert_int_equal(zl_qmp_poll(&peer.qmp, &err), -ZL_E_REMOTE);
  assert_int_equal(peer.events, 1);
  assert_int_equal(zl_qmp_wait(&peer.qmp, late(), &err), -ZL_E_REMOTE);
  assert_int_equal(zl_qmp_call(&peer.qmp, "cont", NULL, late(), NULL, &err), -ZL_E_REMOTE);
  end(&peer);
  assert_int_equal(zl_qmp_call(&peer.qmp, "cont", NULL, late(), NULL, &err), -ZL_E_REMOTE);
}

static void a_line_has_a_maximum(void **state)
{
  static char big[BIG];
  struct peer peer;
  struct zl_error err = { 0 };

  (void)state;
  memset(big, ' ', sizeof(big) - 1);
  big[0] = '{';
  open_peer(&peer, GREETING OK);
  say(&peer, big);
  assert_int_equal(zl_qmp_call(&peer.qmp, "cont", NULL, late(), NULL, &err), -ZL_E_REMOTE);
  assert_non_null(strstr(err.msg, "65536"));
  assert_true(peer.qmp.in.cap <= 2 * (size_t)BIG);
  end(&peer);

  /* Complete, but one byte too long. */
  (void)snprintf(big + ZL_QMP_MAX_LINE - 10, 13, "\"return\":1}\n");
  open_peer(&peer, GREETING OK);
  say(&peer, big);
  assert_int_equal(zl_qmp_call(&peer.qmp, "cont", NULL, late(), NULL, &err), -ZL_E_REMOTE);
  end(&peer);
}

static void events_cannot_keep_a_caller_for_ever(void **state)
{
  struct peer peer;
  struct zl_error err = { 0 };

  (void)state;
  open_peer(&peer, GREETING OK);
  for (int i = 0; i < ZL_QMP_MAX_EVENTS; i++)
    say(&peer, EVENT);
  say(&peer, OK);
  assert_int_equal(zl_qmp_call(&peer.qmp, "cont", NULL, late(), NULL, &err), 0);
  assert_int_equal(peer.events, ZL_QMP_MAX_EVENTS);
  for (int i = 0; i <= ZL_QMP_MAX_EVENTS; i++)
    say(&peer, EVENT);
  assert_int_equal(zl_qmp_call(&peer.qmp, "cont", NULL, late(), NULL, &err), -ZL_E_REMOTE);
  end(&peer);
}

static void descriptors_go_with_their_command(void **state)
{
  struct peer peer;
  struct zl_error err = { 0 };
  int ends[2], got[1];
  size_t n_got = 1;
  char text[256];

  (void)state;
  open_peer(&peer, GREETING OK);
  assert_int_equal(zl_fd_pipe(ends, &err), 0);
  say(&peer, OK);
  assert_int_equal(zl_qmp_call_fd(&peer.qmp, "getfd", json_pack("{s:s}", "fdname", "x"), ends[1],
                                  soon(), NULL, &err),
                   0);
  assert_true(zl_fd_recv(peer.fd, text, sizeof(text), got, &n_got) > 0);
  assert_int_equal(n_got, 1);
  assert_int_equal(write(got[0], "y", 1), 1);
  assert_int_equal(read(ends[0], text, 1), 1);
  (void)close(ends[0]);
  (void)close(ends[1]);
  (void)close(got[0]);
  end(&peer);
}

static void a_migration_ends_with_its_event(void **state)
{
  zl_autofd file = zl_fd_open(AT_FDCWD, "/proc/self/stat", O_RDONLY, 0);
  struct peer peer;
  struct zl_error err = { 0 };
  char text[512];

  (void)state;
  open_peer(&peer, GREETING OK);
  say(&peer, OK OK OK MIGRATION("setup") OK MIGRATION("active") MIGRATION("completed"));
  assert_int_equal(zl_vm_save(&peer.qmp, file, soon(), &err), 0);
  assert_int_equal(peer.events, 3);
  asked(&peer, text, sizeof(text));
  assert_non_null(strstr(text, "{\"execute\":\"stop\""));
  assert_non_null(strstr(text, "\"arguments\":{\"uri\":\"fd:state\"}}"));

  say(&peer, OK OK OK MIGRATION("failed") "{\"return\": {\"error-desc\": \"wrong machine\"}}\n");
  assert_int_equal(zl_vm_load(&peer.qmp, file, soon(), &err), -ZL_E_REMOTE);
  assert_string_equal(err.msg, "loading the machine: wrong machine");
  /* The owner has its events back. */
  say(&peer, EVENT);
  assert_int_equal(zl_qmp_wait(&peer.qmp, soon(), &err), 0);
  assert_int_equal(peer.events, 5);
  assert_int_equal(zl_qmp_wait(&peer.qmp, soon(), &err), -ZL_E_TIMEOUT);
  end(&peer);
}

static void a_swap_that_fails_is_undone(void **state)
{
  zl_autofd file = zl_fd_open(AT_FDCWD, "/proc/self/stat", O_RDONLY, 0);
  struct peer peer;
  struct zl_error err = { 0 };
  char text[2048];
  const char *reopen, *undo;

  (void)state;
  open_peer(&peer, GREETING OK);
  say(&peer, "{\"return\": {\"fdset-id\": 5, \"fd\": 9}}\n" OK
             "{\"error\": {\"class\": \"X\", \"desc\": \"node is busy\"}}\n" OK OK);
  assert_int_equal(zl_vm_swap_image(&peer.qmp, file, soon(), &err), -ZL_E_REMOTE);
  assert_string_equal(err.msg, "giving the machine its image: blockdev-reopen: node is busy");
  asked(&peer, text, sizeof(text));
  reopen = strstr(text, "blockdev-reopen");
  assert_non_null(reopen);
  undo = strstr(reopen, "blockdev-del");
  assert_non_null(undo);
  assert_non_null(strstr(undo, "\"arguments\":{\"fdset-id\":5}"));

  say(&peer, "{\"return\": {}}\n");
  assert_int_equal(zl_vm_swap_image(&peer.qmp, file, soon(), &err), -ZL_E_REMOTE);
  assert_non_null(strstr(err.msg, "fdset-id"));
  end(&peer);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_greeting_comes_first),
    cmocka_unit_test(calls_get_their_answers_past_events),
    cmocka_unit_test(lines_may_come_in_pieces),
    cmocka_unit_test(a_flood_of_events_is_taken_in_turns),
    cmocka_unit_test(an_error_of_qemu_is_told),
    cmocka_unit_test(a_late_answer_belongs_to_nobody),
    cmocka_unit_test(the_end_of_qemu_ends_calls),
    cmocka_unit_test(a_line_has_a_maximum),
    cmocka_unit_test(events_cannot_keep_a_caller_for_ever),
    cmocka_unit_test(descriptors_go_with_their_command),
    cmocka_unit_test(a_migration_ends_with_its_event),
    cmocka_unit_test(a_swap_that_fails_is_undone),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
