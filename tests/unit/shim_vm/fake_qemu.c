/* SPDX-License-Identifier: Apache-2.0
 *
 * Stands in QEMU's place (machine.json, "qemu"): takes its command line, speaks enough of its
 * monitor, and plays a guest whose faults are words in the file "role" beside the name under which
 * it was started:
 *
 *   FAULT@MESSAGE   a fault of fake_guest.h that strikes at this request ("garbage@create")
 *   exit@MESSAGE    the machine ends when this request comes; "exit@start": at once
 *   hold            a wait is answered when a signal has come
 *   deaf            as hold, but signals are answered and change nothing
 *   and the words of `flags` below. What begins with "clone:" counts for a clone only.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../bridge/fake_guest.h"
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/json.h"

enum {
  QMP,
  CONSOLE,
  BRIDGE,
  STDIO,
  N_FDS
};

enum flag {
  HOLD,
  DEAF,
  QMP_MUTE,        /* no greeting */
  QMP_SILENT,      /* a greeting, and no answer */
  QMP_GARBAGE,     /* no JSON */
  QMP_LINE,        /* a line without an end */
  QMP_EVENTS,      /* thousands of events, again and again, when the workload runs */
  QMP_BIG,         /* answers of 60 KiB that nobody asked for, then */
  QMP_ENDLESS,     /* a line without an end, then */
  QMP_STOPS,       /* the guest is stopped when the workload runs */
  QMP_NO_LOAD,     /* a state does not load */
  QMP_NO_CODE,     /* code does not */
  BRIDGE_MUTE,     /* nothing is read or said */
  BRIDGE_GARBAGE,  /* instead of the first answer */
  BRIDGE_NOTIFIES, /* the end of the container, for ever, when the workload runs */
  BRIDGE_BIG,      /* the same with 60 KiB that mean nothing */
  BRIDGE_ANSWERS,  /* answers that nobody asked for, then */
  BRIDGE_HANGS_UP, /* then */
  STREAMS_NEVER,   /* none is connected */
  STREAMS_OPEN,    /* they are not ended */
  STREAMS_FLOOD,   /* stdout for ever, as the window allows */
  STREAMS_BEYOND,  /* stdout for ever, whatever is granted */
  STREAMS_PORT,    /* one that nobody listens on is connected */
  STREAMS_GARBAGE, /* no frame */
  STREAMS_GIANT,   /* a frame of 2 GiB is announced */
  STREAMS_SMALL,   /* one of 8 bytes */
  STREAMS_HALF,    /* a frame ends in its middle, with the connection */
  STREAMS_CREDIT,  /* grants without end */
  STREAMS_STALE,   /* every kind of frame for a stream that is over, for ever */
  STREAMS_ZERO,    /* grants of nothing, for ever */
  CONSOLE_WORDS,   /* "last words" and the end when the workload runs */
  CONSOLE_FLOOD,   /* from the start */
  N_FLAGS
};

static const char *const flags[N_FLAGS] = {
  [HOLD] = "hold",
  [DEAF] = "deaf",
  [QMP_MUTE] = "qmp-mute",
  [QMP_SILENT] = "qmp-silent",
  [QMP_GARBAGE] = "qmp-garbage",
  [QMP_LINE] = "qmp-line",
  [QMP_EVENTS] = "qmp-events",
  [QMP_BIG] = "qmp-big",
  [QMP_ENDLESS] = "qmp-endless",
  [QMP_STOPS] = "qmp-stops",
  [QMP_NO_LOAD] = "qmp-no-load",
  [QMP_NO_CODE] = "qmp-no-code",
  [BRIDGE_MUTE] = "bridge-mute",
  [BRIDGE_GARBAGE] = "bridge-garbage",
  [BRIDGE_NOTIFIES] = "bridge-notifies",
  [BRIDGE_BIG] = "bridge-big",
  [BRIDGE_ANSWERS] = "bridge-answers",
  [BRIDGE_HANGS_UP] = "bridge-hangs-up",
  [STREAMS_NEVER] = "streams-never",
  [STREAMS_OPEN] = "streams-open",
  [STREAMS_FLOOD] = "streams-flood",
  [STREAMS_BEYOND] = "streams-beyond",
  [STREAMS_PORT] = "streams-port",
  [STREAMS_GARBAGE] = "streams-garbage",
  [STREAMS_GIANT] = "streams-giant",
  [STREAMS_SMALL] = "streams-small",
  [STREAMS_HALF] = "streams-half",
  [STREAMS_CREDIT] = "streams-credit",
  [STREAMS_STALE] = "streams-stale",
  [STREAMS_ZERO] = "streams-zero",
  [CONSOLE_WORDS] = "console-words",
  [CONSOLE_FLOOD] = "console-flood",
};

static const struct {
  const char *name;
  enum fake_fault fault;
} faults[] = {
  { "silent", FAKE_SILENT },         { "drop", FAKE_DROP },
  { "giant", FAKE_OVERSIZED },       { "small", FAKE_UNDERSIZED },
  { "garbage", FAKE_GARBAGE },       { "no-json", FAKE_NOT_JSON },
  { "half", FAKE_HALF_FRAME },       { "wrong-id", FAKE_WRONG_ID },
  { "version", FAKE_WRONG_VERSION }, { "notifies", FAKE_NOTIFIES_FIRST },
};

static const struct {
  const char *name;
  enum zl_bridge_message message;
} messages[] = {
  { "negotiate", ZL_BRIDGE_NEGOTIATE },   { "modify", ZL_BRIDGE_MODIFY_SETTINGS },
  { "create", ZL_BRIDGE_CREATE },         { "execute", ZL_BRIDGE_EXECUTE_PROCESS },
  { "wait", ZL_BRIDGE_WAIT_FOR_PROCESS }, { "signal", ZL_BRIDGE_SIGNAL_PROCESS },
  { "stats", ZL_BRIDGE_GET_PROPERTIES },
};

/* Sent over and over again, each time to its end. */
struct flood {
  char data[64 << 10];
  size_t len, at;
};

static struct {
  struct fake_guest guest;
  int fds[N_FDS];
  bool is[N_FLAGS];
  enum fake_fault fault;
  enum zl_bridge_message fault_at, exit_at;
  struct zl_mux *mux;
  struct zl_link stdio;
  struct zl_buf monitor;
  struct flood to_bridge, to_streams, to_qmp;
  uint32_t in, out, err; /* streams of the workload */
  uint64_t waits;        /* id of the wait that is held */
  bool running, signalled, is_clone;
  char container[128];
} qemu;

/* What a machine cannot go on without ends it: the shim has to cope with that, too. */
static void die(const char *why)
{
  (void)dprintf(qemu.fds[CONSOLE], "fake QEMU: %s\n", why);
  _exit(3);
}

/* ---- The role ------------------------------------------------------------------------------ */

static enum zl_bridge_message message_named(const char *name)
{
  for (size_t i = 0; i < ZL_COUNT(messages); i++)
    if (strcmp(messages[i].name, name) == 0)
      return messages[i].message;
  die(name);
  return 0;
}

static void take_fault(char *word, char *at)
{
  *at++ = '\0';
  if (strcmp(word, "exit") == 0) {
    if (strcmp(at, "start") == 0)
      _exit(1);
    qemu.exit_at = message_named(at);
    return;
  }
  for (size_t i = 0; i < ZL_COUNT(faults); i++) {
    if (strcmp(faults[i].name, word) != 0)
      continue;
    qemu.fault = faults[i].fault;
    qemu.fault_at = message_named(at);
    return;
  }
  die(word);
}

static void take_word(char *word)
{
  static const char only[] = "clone:";
  char *at;

  if (strncmp(word, only, strlen(only)) == 0) {
    if (!qemu.is_clone)
      return;
    word += strlen(only);
  }
  at = strchr(word, '@');
  if (at != NULL) {
    take_fault(word, at);
    return;
  }
  for (int i = 0; i < N_FLAGS; i++) {
    if (strcmp(flags[i], word) != 0)
      continue;
    qemu.is[i] = true;
    return;
  }
  die(word);
}

static void read_role(void)
{
  // NOLINTNEXTLINE(performance-no-int-to-ptr): that is what the kernel passes
  const char *self = (const char *)getauxval(AT_EXECFN), *slash = strrchr(self, '/');
  char path[256], text[256] = "", *rest = text, *word;
  int fd;

  (void)snprintf(path, sizeof(path), "%.*s/role", (int)(slash - self), self);
  fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0 || read(fd, text, sizeof(text) - 1) < 0)
    die("no role");
  (void)close(fd);
  while ((word = strsep(&rest, " ")) != NULL)
    if (*word != '\0')
      take_word(word);
}

static void read_command_line(int argc, char **argv)
{
  static const char *const names[N_FDS] = { "qmp", "console", "bridge", "stdio" };

  for (int i = 1; i < argc; i++)
    qemu.is_clone |= strcmp(argv[i], "-incoming") == 0;
  for (int which = 0; which < N_FDS; which++) {
    char prefix[48];

    qemu.fds[which] = -1;
    (void)snprintf(prefix, sizeof(prefix), "socket,id=%s,fd=", names[which]);
    for (int i = 1; i + 1 < argc; i++)
      if (strcmp(argv[i], "-chardev") == 0 && strncmp(argv[i + 1], prefix, strlen(prefix)) == 0)
        qemu.fds[which] = (int)strtol(argv[i + 1] + strlen(prefix), NULL, 10);
    if (fcntl(qemu.fds[which], F_SETFL, O_RDWR | O_NONBLOCK) < 0)
      _exit(2);
  }
}

/* ---- The monitor --------------------------------------------------------------------------- */

static void say(const char *text)
{
  if (send(qemu.fds[QMP], text, strlen(text), MSG_NOSIGNAL) < 0 && errno != EAGAIN)
    _exit(0);
}

static void load_state(void)
{
  say(qemu.is[QMP_NO_LOAD] ? "{\"event\":\"MIGRATION\",\"data\":{\"status\":\"failed\"}}\r\n"
                           : "{\"event\":\"MIGRATION\",\"data\":{\"status\":\"completed\"}}\r\n");
}

static void answer_command(const char *line, size_t len)
{
  zl_autojson *json = json_loadb(line, len, 0, NULL);
  const char *command = json_string_value(json_object_get(json, "execute"));
  bool refuses =
      qemu.is[QMP_NO_CODE] && command != NULL && strcmp(command, "x-translations-load") == 0;
  char text[128];

  if (command == NULL)
    die("a command that is none");
  (void)snprintf(text, sizeof(text), "{%s,\"id\":%lld}\r\n",
                 refuses ? "\"error\":{\"class\":\"GenericError\",\"desc\":\"damaged\"}"
                         : "\"return\":{}",
                 (long long)json_integer_value(json_object_get(json, "id")));
  say(text);
  if (strcmp(command, "migrate-incoming") == 0)
    load_state();
}

static void serve_monitor(void)
{
  const char *end;
  ssize_t n;

  if (zl_buf_reserve(&qemu.monitor, 4096, NULL) < 0)
    die("monitor");
  n = recv(qemu.fds[QMP], qemu.monitor.data + qemu.monitor.len, 4096, 0);
  if (n <= 0)
    _exit(0);
  qemu.monitor.len += (size_t)n;
  while ((end = memchr(qemu.monitor.data, '\n', qemu.monitor.len)) != NULL) {
    size_t len = (size_t)(end - qemu.monitor.data);

    if (!qemu.is[QMP_SILENT])
      answer_command(qemu.monitor.data, len);
    zl_buf_consume(&qemu.monitor, len + 1);
    if (qemu.monitor.len == 0)
      break;
  }
}

static void greet(void)
{
  if (qemu.is[QMP_GARBAGE])
    say("HTTP/1.1 400 Bad Request\r\n");
  else if (!qemu.is[QMP_MUTE] && !qemu.is[QMP_LINE])
    say("{\"QMP\":{\"version\":{},\"capabilities\":[]}}\r\n");
}

/* ---- The guest's requests ------------------------------------------------------------------ */

static void note_streams(const json_t *request)
{
  const json_t *relay =
      json_object_get(json_object_get(request, "Settings"), "VsockStdioRelaySettings");

  qemu.in = (uint32_t)json_integer_value(json_object_get(relay, "StdIn"));
  qemu.out = (uint32_t)json_integer_value(json_object_get(relay, "StdOut"));
  qemu.err = (uint32_t)json_integer_value(json_object_get(relay, "StdErr"));
}

static void answer_wait(void)
{
  (void)zl_bridge_answer(qemu.guest.server, ZL_BRIDGE_WAIT_FOR_PROCESS, qemu.waits,
                         json_pack("{s:i, s:i}", "ExitCode", 143, "Signal", 15), NULL);
  qemu.waits = 0;
}

static bool on_request(struct fake_guest *guest, const struct zl_bridge_request *request)
{
  if (request->message == qemu.exit_at)
    _exit(1);
  if (request->message == ZL_BRIDGE_EXECUTE_PROCESS) {
    note_streams(request->body);
    (void)snprintf(qemu.container, sizeof(qemu.container), "%s", request->container_id);
    qemu.running = true;
  }
  if (guest->fault != FAKE_GOOD && guest->at == request->message)
    return false;
  qemu.signalled |= request->message == ZL_BRIDGE_SIGNAL_PROCESS;
  if (request->message != ZL_BRIDGE_WAIT_FOR_PROCESS || (!qemu.is[HOLD] && !qemu.is[DEAF]))
    return false;
  qemu.waits = request->id;
  return true;
}

/* ---- What it does while its workload runs -------------------------------------------------- */

static void shout(int which, const void *data, size_t len)
{
  if (send(qemu.fds[which], data, len, MSG_NOSIGNAL) < 0 && errno != EAGAIN)
    _exit(0);
}

static void stream_frame(uint32_t type, uint32_t size, uint32_t port, uint32_t argument)
{
  const uint32_t header[] = { type, size, port, argument };

  shout(STDIO, header, sizeof(header));
}

static void connect_streams(void)
{
  if (qemu.in != 0)
    (void)zl_mux_open(qemu.mux, qemu.in, NULL); /* and nothing is ever granted */
  if (qemu.out != 0 && zl_mux_open(qemu.mux, qemu.out, NULL) == 0)
    (void)zl_mux_write(qemu.mux, qemu.out, "hello\n", 6, NULL);
  if (qemu.err != 0)
    (void)zl_mux_open(qemu.mux, qemu.err, NULL);
  if (qemu.is[STREAMS_OPEN] || qemu.is[STREAMS_FLOOD])
    return;
  zl_mux_shutdown(qemu.mux, qemu.out);
  zl_mux_shutdown(qemu.mux, qemu.err);
}

static void break_streams(void)
{
  if (qemu.is[STREAMS_BEYOND])
    stream_frame(1, 16, qemu.out, 0);
  if (qemu.is[STREAMS_PORT])
    stream_frame(1, 16, qemu.out + 1000, 0);
  if (qemu.is[STREAMS_GARBAGE])
    shout(STDIO, "\x1b[2Jwhat is no frame of the streams", 36);
  if (qemu.is[STREAMS_GIANT])
    stream_frame(2, 0x80000000u, qemu.out, 0);
  if (qemu.is[STREAMS_SMALL])
    stream_frame(2, 8, qemu.out, 0);
  if (qemu.is[STREAMS_HALF]) {
    stream_frame(1, 16, qemu.out, 0);
    stream_frame(2, 16 + 1000, qemu.out, 0);
    shout(STDIO, "half", 4);
    (void)shutdown(qemu.fds[STDIO], SHUT_RDWR);
  }
  if (qemu.is[STREAMS_CREDIT]) {
    stream_frame(1, 16, qemu.out, 0);
    for (int i = 0; i < 4; i++)
      stream_frame(4, 16, qemu.out, 0xffffffffu);
  }
}

/* As much as the other end takes. */
static void pour(int which, struct flood *flood)
{
  ssize_t n = send(qemu.fds[which], flood->data + flood->at, flood->len - flood->at, MSG_NOSIGNAL);

  if (n < 0 && errno != EAGAIN)
    _exit(0);
  if (n > 0)
    flood->at = (flood->at + (size_t)n) % flood->len;
}

static void add_bytes(struct flood *flood, const void *data, size_t len)
{
  memcpy(flood->data + flood->len, data, len);
  flood->len += len;
}

static void add_stream_frame(uint32_t type, uint32_t port, uint32_t argument, size_t payload)
{
  const uint32_t header[] = { type, (uint32_t)(16 + payload), port, argument };

  add_bytes(&qemu.to_streams, header, sizeof(header));
  qemu.to_streams.len += payload;
}

/* A notification that blanks make long. */
static void fill_bridge(void)
{
  struct flood *flood = &qemu.to_bridge;
  uint32_t header[] = { ZL_BRIDGE_NOTIFY_CONTAINER, 60 << 10, 0, 0 };

  flood->len = 60 << 10;
  memset(flood->data, ' ', flood->len);
  memcpy(flood->data, header, sizeof(header));
  (void)snprintf(flood->data + sizeof(header), 512,
                 "{\"ContainerId\":\"%s\",\"ActivityId\":\"" ZL_BRIDGE_NULL_GUID
                 "\",\"Type\":\"ForcedExit\",\"Operation\":\"None\",\"Result\":0,\"Rest\":\"",
                 qemu.container);
  flood->data[sizeof(header) + strlen(flood->data + sizeof(header))] = ' ';
  memcpy(flood->data + flood->len - 2, "\"}", 2);
}

static void fill_floods(void)
{
  static const char before[] = "{\"return\":{},\"id\":4711,\"rest\":\"", after[] = "\"}\r\n";
  struct flood *qmp = &qemu.to_qmp;

  if (qemu.is[BRIDGE_BIG])
    fill_bridge();
  if (qemu.is[STREAMS_STALE]) {
    stream_frame(1, 16, qemu.out, 0);
    stream_frame(5, 16, qemu.out, 0);
    add_stream_frame(2, qemu.out, 0, 16 << 10);
    for (uint32_t type = 3; type <= 5; type++)
      add_stream_frame(type, qemu.out, type == 4 ? 1 : 0, 0);
  }
  if (qemu.is[STREAMS_BEYOND])
    add_stream_frame(2, qemu.out, 0, 16 << 10);
  for (int i = 0; qemu.is[STREAMS_ZERO] && i < 1000; i++)
    add_stream_frame(4, qemu.out, 0, 0);
  qmp->len = 60 << 10;
  memset(qmp->data, ' ', qmp->len);
  if (qemu.is[QMP_BIG]) {
    memcpy(qmp->data, before, sizeof(before) - 1);
    memcpy(qmp->data + qmp->len - (sizeof(after) - 1), after, sizeof(after) - 1);
  }
}

/* Once, when the answer to the execution is out. */
static void begin(void)
{
  qemu.running = false;
  if (qemu.is[CONSOLE_WORDS]) {
    shout(CONSOLE, "first words\nlast\x1b words\n", 24);
    _exit(1);
  }
  if (qemu.is[QMP_STOPS])
    say("{\"event\":\"STOP\"}\r\n");
  if (qemu.is[BRIDGE_HANGS_UP])
    fake_guest_hang_up(&qemu.guest);
  break_streams();
  fill_floods();
  if (!qemu.is[STREAMS_NEVER])
    connect_streams();
}

/* Again and again. */
static void go_on(void)
{
  static const char event[] = "{\"event\":\"RTC_CHANGE\",\"data\":{\"offset\":78}}\r\n";
  static char noise[4096];

  if (qemu.is[CONSOLE_FLOOD])
    shout(CONSOLE, noise, sizeof(noise));
  if (qemu.is[QMP_LINE])
    shout(QMP, memset(noise, ' ', sizeof(noise)), sizeof(noise));
  if (qemu.out == 0)
    return;
  for (int i = 0; qemu.is[QMP_EVENTS] && i < 64; i++)
    shout(QMP, event, sizeof(event) - 1);
  if (qemu.is[BRIDGE_BIG])
    pour(BRIDGE, &qemu.to_bridge);
  if (qemu.is[STREAMS_STALE] || qemu.is[STREAMS_BEYOND] ||
      (qemu.is[STREAMS_ZERO] && zl_link_events(&qemu.stdio) == POLLIN))
    pour(STDIO, &qemu.to_streams);
  if (qemu.is[QMP_BIG] || qemu.is[QMP_ENDLESS])
    pour(QMP, &qemu.to_qmp);
  if (qemu.is[STREAMS_FLOOD] && zl_mux_room(qemu.mux, qemu.out) >= sizeof(noise))
    (void)zl_mux_write(qemu.mux, qemu.out, noise, sizeof(noise), NULL);
  if (qemu.is[BRIDGE_ANSWERS])
    (void)zl_bridge_answer(qemu.guest.server, ZL_BRIDGE_WAIT_FOR_PROCESS, 4711, json_object(),
                           NULL);
  if (qemu.is[BRIDGE_NOTIFIES] && zl_link_events(&qemu.guest.link) == POLLIN)
    (void)zl_bridge_notify(qemu.guest.server, qemu.container, "ForcedExit", NULL);
}

/* ---- Together ------------------------------------------------------------------------------ */

static bool never_rests(void)
{
  static const enum flag busy[] = {
    CONSOLE_FLOOD, QMP_LINE,     QMP_EVENTS,     QMP_BIG,    QMP_ENDLESS,    STREAMS_FLOOD,
    STREAMS_STALE, STREAMS_ZERO, STREAMS_BEYOND, BRIDGE_BIG, BRIDGE_ANSWERS, BRIDGE_NOTIFIES
  };

  for (size_t i = 0; i < ZL_COUNT(busy); i++)
    if (qemu.is[busy[i]])
      return true;
  return false;
}

static void serve_bridge(short revents)
{
  if (qemu.is[BRIDGE_MUTE] || qemu.guest.fd < 0 || qemu.to_bridge.at > 0)
    return;
  if (qemu.exit_at == ZL_BRIDGE_NEGOTIATE && (revents & POLLIN))
    _exit(1);
  if (qemu.is[BRIDGE_GARBAGE] && (revents & POLLIN)) {
    qemu.is[BRIDGE_GARBAGE] = false;
    qemu.is[BRIDGE_MUTE] = true;
    shout(BRIDGE, "\x1b[2J login: what a bridge does not say", 38);
    return;
  }
  if (qemu.fault == FAKE_WRONG_VERSION && !(revents & POLLIN))
    return;
  fake_guest_turn(&qemu.guest, (short)(revents | POLLOUT));
  if (qemu.signalled && !qemu.is[DEAF] && qemu.waits != 0) {
    answer_wait();
    fake_guest_turn(&qemu.guest, POLLOUT);
  }
}

static void turn(void)
{
  struct pollfd fds[] = {
    { .fd = qemu.fds[QMP], .events = POLLIN },
    { .fd = qemu.is[BRIDGE_MUTE] ? -1 : qemu.guest.fd, .events = POLLIN },
    { .fd = qemu.fds[STDIO], .events = zl_link_events(&qemu.stdio) },
  };

  if (qemu.guest.fd >= 0)
    fds[1].events = zl_link_events(&qemu.guest.link);
  if (poll(fds, ZL_COUNT(fds), never_rests() ? 1 : -1) < 0)
    die("poll");
  if (fds[0].revents != 0)
    serve_monitor();
  serve_bridge(fds[1].revents);
  if (qemu.running)
    begin();
  go_on();
  if (qemu.is[STREAMS_BEYOND]) /* its own end knows nothing of what was sent past it */
    (void)recv(qemu.fds[STDIO], qemu.to_qmp.data, sizeof(qemu.to_qmp.data), 0);
  else if (zl_link_pump(&qemu.stdio, (short)(fds[2].revents | POLLOUT), NULL) < 0 ||
           qemu.stdio.hung_up)
    qemu.fds[STDIO] = qemu.stdio.fd = -1;
}

int main(int argc, char **argv)
{
  static const struct zl_mux_hooks none = { NULL, NULL, NULL, NULL, NULL, NULL };

  read_command_line(argc, argv);
  read_role();
  qemu.monitor = (struct zl_buf)ZL_BUF_INIT(1 << 20);
  fake_guest_init(&qemu.guest, qemu.fds[BRIDGE], qemu.fault, qemu.fault_at);
  qemu.guest.seen = on_request;
  if (zl_mux_new(ZL_MUX_GUEST, &none, &qemu.mux, NULL) < 0)
    die("streams");
  zl_link_mux(&qemu.stdio, qemu.fds[STDIO], qemu.mux);
  greet();
  for (;;)
    turn();
}
