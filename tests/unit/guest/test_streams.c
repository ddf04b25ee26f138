/* SPDX-License-Identifier: Apache-2.0 */
#include "host.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/strv.h"
#include "bridge/guest.h"

static struct running idle(struct host *host, struct box **ret)
{
  *ret = BOX("sleep", "1000");
  return host_start(host, *ret);
}

static void input_and_its_end_reach_the_first_process(void **state)
{
  struct host *host = host_new();
  struct box *box = BOX_SH("cat; echo end");
  struct running r;

  (void)state;
  box_set(box, "zlayer.openStdin", json_true());
  r = host_start(host, box);
  host_write(host, r.in, "line\n");
  host_await_text(host, r.out, "line\n");
  zl_mux_shutdown(host->mux, r.in);
  assert_int_equal(host_wait(host, box, r.pid).exit_code, 0);
  host_expect(host, r.out, "line\nend\n");
  host_free(host);
  box_free(box);
}

static void executed_ones_have_streams_of_their_own(void **state)
{
  struct host *host = host_new();
  struct box *box;
  struct running init = idle(host, &box);
  struct running a = host_exec(host, box, host_script("cat; echo a >&2; exit 2"), true, false);
  struct running b = host_exec(host, box, host_script("cat; echo b >&2"), true, false);

  (void)state;
  host_write(host, b.in, "for b");
  host_write(host, a.in, "for a");
  zl_mux_shutdown(host->mux, a.in);
  assert_int_equal(host_wait(host, box, a.pid).exit_code, 2);
  host_expect(host, a.out, "for a");
  host_expect(host, a.err, "a\n");
  zl_mux_shutdown(host->mux, b.in);
  assert_int_equal(host_wait(host, box, b.pid).exit_code, 0);
  host_expect(host, b.out, "for b");
  host_expect(host, b.err, "b\n");
  host_stop(host, box, init.pid);
  host_free(host);
  box_free(box);
}

/* More than every buffer on the way holds, both ways at once. */
static void much_input_comes_back_whole(void **state)
{
  struct host *host = host_new();
  struct box *box;
  struct running init = idle(host, &box);
  struct running r = host_exec(host, box, host_script("cat"), true, false);
  size_t size = 3 << 20;
  char *text = malloc(size + 1);

  (void)state;
  assert_non_null(text);
  for (size_t i = 0; i < size; i++)
    text[i] = (char)('!' + i * 7 / 3 % 90);
  text[size] = '\0';
  host_write(host, r.in, text);
  zl_mux_shutdown(host->mux, r.in);
  assert_int_equal(host_wait(host, box, r.pid).exit_code, 0);
  host_expect(host, r.out, text);
  free(text);
  host_stop(host, box, init.pid);
  host_free(host);
  box_free(box);
}

static void a_slow_reader_holds_up_nobody_else(void **state)
{
  struct host *host = host_new();
  struct box *box;
  struct running init = idle(host, &box), slow, quick;
  struct reply ended = { 0 };
  struct zl_rpc_then then = host_then(&ended);
  uint32_t port;

  (void)state;
  /* The next stream is the slow one's output: it is held from its first byte on. */
  port = ZL_MUX_FIRST_PORT + host->next_port;
  host_port(host, port)->held = true;
  slow = host_exec(host, box, host_script("head -c 1000000 /dev/zero | tr '\\0' x"), false, false);
  assert_int_equal(slow.out, port);
  assert_int_equal(zl_rpc_wait(host->client, box->id, slow.pid, &then, NULL), 0);
  while (host_port(host, port)->unconsumed < ZL_MUX_WINDOW)
    host_turn(host);
  quick = host_exec(host, box, host_script("echo quick"), false, false);
  assert_int_equal(host_wait(host, box, quick.pid).exit_code, 0);
  host_expect(host, quick.out, "quick\n");
  assert_int_equal(host_port(host, port)->unconsumed, ZL_MUX_WINDOW);
  assert_false(ended.done);
  host_release(host, port);
  assert_int_equal(host_await(host, &ended), 0);
  json_decref(ended.json);
  while (!host_port(host, port)->eof)
    host_turn(host);
  assert_int_equal(host_port(host, port)->data.len, 1000000);
  host_stop(host, box, init.pid);
  host_free(host);
  box_free(box);
}

/* What the process itself has written comes before the answer to the wait, always. */
static void output_comes_before_the_end(void **state)
{
  struct host *host = host_new();
  struct box *box;
  struct running init = idle(host, &box);

  (void)state;
  for (int i = 0; i < 8; i++) {
    struct running r = host_exec(host, box, host_script("seq 1 2000"), false, false);

    assert_int_equal(host_wait(host, box, r.pid).exit_code, 0);
    while (!host_port(host, r.out)->eof)
      host_turn(host);
    assert_int_equal(host_port(host, r.out)->data.len, 8893);
  }
  host_stop(host, box, init.pid);
  host_free(host);
  box_free(box);
}

static void a_child_that_stays_holds_nobody_up(void **state)
{
  struct host *host = host_new();
  struct box *box;
  struct running init = idle(host, &box);
  struct running r = host_exec(host, box, host_script("sleep 1000 & echo $!"), false, false);
  char *end;

  (void)state;
  assert_int_equal(host_wait(host, box, r.pid).exit_code, 0);
  host_await_text(host, r.out, "\n");
  assert_false(host_port(host, r.out)->eof); /* the child still has the pipe */
  end = zl_asprintf("kill %ld", strtol(host_port(host, r.out)->data.data, NULL, 10));
  assert_int_equal(
      host_wait(host, box, host_exec(host, box, host_script(end), false, false).pid).exit_code, 0);
  free(end);
  while (!host_port(host, r.out)->eof)
    host_turn(host);
  host_stop(host, box, init.pid);
  host_free(host);
  box_free(box);
}

static void streams_nobody_wants_are_dropped(void **state)
{
  struct host *host = host_new();
  struct box *box = BOX_SH("head -c 1000000 /dev/zero; echo end >&2; exit 4");
  struct zl_rpc_process process = { .out_port = 0 };
  struct zl_error err = { 0 };
  uint32_t pid;
  json_t *json;

  (void)state;
  box_set(box, "zlayer.openStdin", json_true());
  assert_int_equal(host_create(host, box), 0);
  process.err_port = host_listen(host);
  assert_int_equal(HOST_CALL(host, &json, zl_rpc_execute, box->id, &process), 0);
  assert_int_equal(zl_rpc_parse_process_id(json, &pid, &err), 0);
  json_decref(json);
  assert_int_equal(host_wait(host, box, pid).exit_code, 4);
  host_expect(host, process.err_port, "end\n");
  host_free(host);
  box_free(box);
}

/* It need not be there in the container. */
static void a_stream_nobody_asks_for_is_the_null_device(void **state)
{
  struct host *host = host_new();
  struct box *box = BOX("sleep", "1000");
  struct running init = host_start(host, box);
  struct zl_rpc_process process = {
    .oci =
        host_script("rm -f /dev/null; [ -c /proc/self/fd/0 ] && ! read x && echo gone && exit 6")
  };
  struct zl_error err = { 0 };
  uint32_t pid;
  json_t *json;

  (void)state;
  for (int i = 0; i < 2; i++) {
    assert_int_equal(HOST_CALL(host, &json, zl_rpc_execute, box->id, &process), 0);
    assert_int_equal(zl_rpc_parse_process_id(json, &pid, &err), 0);
    json_decref(json);
    assert_int_equal(host_wait(host, box, pid).exit_code, 6);
  }
  json_decref(process.oci);
  host_stop(host, box, init.pid);
  host_free(host);
  box_free(box);
}

/* The reader is gone: the process finds its pipe closed, as anywhere else. */
static void a_reset_closes_the_pipe(void **state)
{
  struct host *host = host_new();
  struct box *box;
  struct running init = idle(host, &box);
  struct running r = host_exec(host, box, host_script("yes"), false, false);

  (void)state;
  host_await_text(host, r.out, "y\n");
  zl_mux_reset(host->mux, r.out);
  assert_int_equal(host_wait(host, box, r.pid).exit_code, 141);
  host_stop(host, box, init.pid);
  host_free(host);
  box_free(box);
}

static void a_process_that_reads_no_more_is_told(void **state)
{
  struct host *host = host_new();
  struct box *box;
  struct running init = idle(host, &box);
  struct running r = host_exec(host, box, host_script("exec 0<&-; sleep 1000"), true, false);

  (void)state;
  while (!host_port(host, r.in)->reset)
    host_turn(host);
  host_stop(host, box, init.pid);
  host_free(host);
  box_free(box);
}

static void streams_have_to_be_listened_on(void **state)
{
  struct host *host = host_new();
  struct box *box;
  struct running init = idle(host, &box);
  json_t *process = host_script("true");
  struct zl_rpc_process spec = { .oci = process, .out_port = host_listen(host) };

  (void)state;
  assert_int_equal(HOST_CALL(host, NULL, zl_rpc_execute, box->id, &spec), 0);
  assert_int_equal(HOST_CALL(host, NULL, zl_rpc_execute, box->id, &spec), -ZL_E_CONFLICT);
  json_decref(process);
  host_stop(host, box, init.pid);
  host_free(host);
  box_free(box);
}

/* ---- Terminals ----------------------------------------------------------------------------- */

static void a_terminal_of_the_first_process(void **state)
{
  struct host *host = host_new();
  struct box *box = BOX_SH("tty; stty size; read line; echo got $line; stty size; exit 6");
  struct running r;

  (void)state;
  box_set(box, "process.terminal", json_true());
  r = host_start(host, box);
  host_await_text(host, r.out, "24 80");
  assert_non_null(strstr(host_port(host, r.out)->data.data, "/dev/"));
  assert_int_equal(HOST_CALL(host, NULL, zl_rpc_resize, box->id, r.pid, 50, 132), 0);
  host_write(host, r.in, "word\n");
  host_await_text(host, r.out, "got word");
  host_await_text(host, r.out, "50 132");
  assert_int_equal(host_wait(host, box, r.pid).exit_code, 6);
  while (!host_port(host, r.out)->eof)
    host_turn(host);
  assert_int_equal(HOST_CALL(host, NULL, zl_rpc_resize, box->id, r.pid, 50, 132), -ZL_E_CONFLICT);
  host_free(host);
  box_free(box);
}

static void a_terminal_of_an_executed_one(void **state)
{
  struct host *host = host_new();
  struct box *box;
  struct running init = idle(host, &box);
  struct zl_rpc_process spec = { .oci = host_script("stty size; read x; echo $x; exit 9"),
                                 .console = true,
                                 .height = 30,
                                 .width = 90 };
  struct zl_error err = { 0 };
  uint32_t pid;
  json_t *json;

  (void)state;
  spec.in_port = host_listen(host);
  spec.out_port = host_listen(host);
  assert_int_equal(HOST_CALL(host, &json, zl_rpc_execute, box->id, &spec), 0);
  assert_int_equal(zl_rpc_parse_process_id(json, &pid, &err), 0);
  json_decref(json);
  json_decref(spec.oci);
  host_await_text(host, spec.out_port, "30 90");
  host_write(host, spec.in_port, "typed\n");
  assert_int_equal(host_wait(host, box, pid).exit_code, 9);
  host_await_text(host, spec.out_port, "typed\r\ntyped\r\n");
  assert_int_equal(HOST_CALL(host, NULL, zl_rpc_resize, box->id, init.pid, 1, 1), -ZL_E_INVALID);
  host_stop(host, box, init.pid);
  host_free(host);
  box_free(box);
}

/* ---- Properties ---------------------------------------------------------------------------- */

static void properties_are_those_of_the_container(void **state)
{
  struct host *host = host_new();
  struct box *box = BOX_SH("sleep 1000 & echo ready; wait");
  struct running r = host_start(host, box);
  unsigned all = ZL_RPC_STATISTICS | ZL_RPC_PROCESS_LIST | ZL_RPC_MEMORY;
  uint64_t total = 0, available = 0;
  struct zl_error err = { 0 };
  struct zl_stats stats;
  uint32_t ids[8];
  size_t n = 0;
  json_t *json, *properties;

  (void)state;
  host_await_text(host, r.out, "ready\n");
  assert_int_equal(HOST_CALL(host, &json, zl_rpc_properties, box->id, all), 0);
  assert_int_equal(zl_rpc_parse_properties(json, &properties, &err), 0);
  json_decref(json);
  assert_int_equal(zl_rpc_parse_statistics(properties, &stats, &err), 0);
  assert_int_equal(stats.pids, 2);
  assert_int_equal(stats.pids_limit, 64);
  assert_true(stats.cpu_usage_ns > 0 && stats.online_cpus > 0 && stats.time_ns > 0);
  assert_int_equal(zl_rpc_parse_process_list(properties, ids, 8, &n, &err), 0);
  assert_int_equal(n, 2);
  assert_true(ids[0] == r.pid || ids[1] == r.pid);
  assert_int_equal(zl_rpc_parse_memory(properties, &total, &available, &err), 0);
  assert_true(total > available && available > 0);
  json_decref(properties);
  assert_int_equal(HOST_CALL(host, NULL, zl_rpc_properties, box->id, ZL_RPC_SYSTEM_GUID),
                   -ZL_E_UNSUPPORTED);
  assert_int_equal(HOST_CALL(host, NULL, zl_rpc_properties, "other", ZL_RPC_STATISTICS),
                   -ZL_E_NOT_FOUND);
  (void)HOST_CALL(host, NULL, zl_rpc_signal, box->id, r.pid, 9);
  (void)host_wait(host, box, r.pid);
  assert_int_equal(HOST_CALL(host, NULL, zl_rpc_properties, box->id, ZL_RPC_STATISTICS),
                   -ZL_E_CONFLICT);
  host_free(host);
  box_free(box);
}

static void a_frozen_container_stands_still(void **state)
{
  struct host *host = host_new();
  struct box *box;
  struct running init = idle(host, &box);
  json_t *process = host_script("true");
  struct zl_rpc_process spec = { .oci = process, .out_port = host_listen(host) };

  (void)state;
  assert_int_equal(HOST_CALL(host, NULL, zl_rpc_freeze, box->id, true), 0);
  assert_int_equal(HOST_CALL(host, NULL, zl_rpc_freeze, box->id, true), 0);
  assert_int_equal(HOST_CALL(host, NULL, zl_rpc_execute, box->id, &spec), -ZL_E_CONFLICT);
  assert_int_equal(HOST_CALL(host, NULL, zl_rpc_freeze, box->id, false), 0);
  assert_int_equal(HOST_CALL(host, NULL, zl_rpc_execute, box->id, &spec), 0);
  assert_int_equal(HOST_CALL(host, NULL, zl_rpc_freeze, box->id, true), 0);
  host_stop(host, box, init.pid); /* frozen as it is */
  json_decref(process);
  host_free(host);
  box_free(box);
}

static void out_of_memory_is_told(void **state)
{
  struct host *host = host_new();
  struct box *box = BOX_SH("x=y; while :; do x=$x$x; done");
  struct zl_rpc_exit how;
  struct running r;

  (void)state;
  box_set(box, "linux.resources.memory",
          json_pack("{s:i, s:i}", "limit", 16 << 20, "swap", 16 << 20));
  r = host_start(host, box);
  how = host_wait(host, box, r.pid);
  assert_int_equal(how.signal, 9);
  assert_true(how.oom_killed);
  host_free(host);
  box_free(box);
}

static void files_of_the_bundle_are_bound(void **state)
{
  struct host *host = host_new();
  struct box *box = BOX("cat", "/etc/hosts");
  struct running r;

  (void)state;
  box_add(box, "mounts",
          json_pack("{s:s, s:s, s:s, s:[s,s]}", "destination", "/etc/hosts", "type", "bind",
                    "source", ZL_GUEST_BUNDLE "/hosts", "options", "bind", "ro"));
  r = host_start(host, box);
  assert_int_equal(host_wait(host, box, r.pid).exit_code, 0);
  host_expect(host, r.out, "127.0.0.1 localhost\n");
  host_free(host);
  box_free(box);
}

static void stacks_name_the_processes(void **state)
{
  struct host *host = host_new();
  struct box *box;
  struct running init = idle(host, &box);
  json_t *json;

  (void)state;
  assert_int_equal(HOST_CALL(host, &json, zl_rpc_dump_stacks), 0);
  assert_non_null(strstr(zl_rpc_stacks(json), "Name:\t"));
  assert_non_null(strstr(zl_rpc_stacks(json), "State:\t"));
  json_decref(json);
  host_stop(host, box, init.pid);
  host_free(host);
  box_free(box);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(input_and_its_end_reach_the_first_process),
    cmocka_unit_test(executed_ones_have_streams_of_their_own),
    cmocka_unit_test(much_input_comes_back_whole),
    cmocka_unit_test(a_slow_reader_holds_up_nobody_else),
    cmocka_unit_test(output_comes_before_the_end),
    cmocka_unit_test(a_child_that_stays_holds_nobody_up),
    cmocka_unit_test(streams_nobody_wants_are_dropped),
    cmocka_unit_test(a_stream_nobody_asks_for_is_the_null_device),
    cmocka_unit_test(a_reset_closes_the_pipe),
    cmocka_unit_test(a_process_that_reads_no_more_is_told),
    cmocka_unit_test(streams_have_to_be_listened_on),
    cmocka_unit_test(a_terminal_of_the_first_process),
    cmocka_unit_test(a_terminal_of_an_executed_one),
    cmocka_unit_test(properties_are_those_of_the_container),
    cmocka_unit_test(a_frozen_container_stands_still),
    cmocka_unit_test(out_of_memory_is_told),
    cmocka_unit_test(files_of_the_bundle_are_bound),
    cmocka_unit_test(stacks_name_the_processes),
  };

  return cmocka_run_group_tests_name("guest streams", tests, host_group_begin, host_group_end);
}
