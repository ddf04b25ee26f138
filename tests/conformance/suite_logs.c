/* SPDX-License-Identifier: Apache-2.0 */
#include <pthread.h>
#include <unistd.h>

#include "box.h"

struct collected {
  char text[4096];
  size_t lines, stop_after;
};

static int collect(void *payload, const struct zl_log_entry *entry)
{
  struct collected *c = payload;
  size_t len = strlen(c->text);

  (void)snprintf(c->text + len, sizeof(c->text) - len, "%c:%.*s|",
                 entry->stream == ZL_STDERR ? 'e' : 'o', (int)entry->len, entry->text);
  c->lines++;
  return c->stop_after > 0 && c->lines == c->stop_after;
}

static void expect(const char *name, const struct zl_logs_options *options, const char *wanted)
{
  struct collected c = { .text = "" };

  OK(zl_logs(box.rt, box_id(name), options, collect, &c, &err));
  assert_string_equal(c.text, wanted);
}

static void streams_tail_and_times(void **state)
{
  (void)state;
  box_run("speaker", SH("echo 1; echo 2; sleep 0.05; echo x >&2; sleep 0.05; echo 3"));
  assert_int_equal(box_outcome("speaker").exit_code, 0);
  if (box.real)
    expect("speaker", &(struct zl_logs_options){ .tail = -1, .cancel_fd = -1 }, "o:1|o:2|e:x|o:3|");
  expect("speaker", &(struct zl_logs_options){ .tail = -1, .streams = ZL_STDOUT, .cancel_fd = -1 },
         "o:1|o:2|o:3|");
  expect("speaker", &(struct zl_logs_options){ .tail = -1, .streams = ZL_STDERR, .cancel_fd = -1 },
         "e:x|");
  expect("speaker", &(struct zl_logs_options){ .tail = 2, .streams = ZL_STDOUT, .cancel_fd = -1 },
         "o:2|o:3|");
  expect("speaker", &(struct zl_logs_options){ .tail = 0, .cancel_fd = -1 }, "");
  expect("speaker", &(struct zl_logs_options){ .tail = 99, .streams = ZL_STDOUT, .cancel_fd = -1 },
         "o:1|o:2|o:3|");
  expect("speaker", &(struct zl_logs_options){ .tail = -1, .until_ns = 1, .cancel_fd = -1 }, "");
  expect("speaker",
         &(struct zl_logs_options){ .tail = -1, .since_ns = UINT64_MAX, .cancel_fd = -1 }, "");
}

static void the_callback_can_end_it(void **state)
{
  struct collected c = { .text = "", .stop_after = 2 };

  (void)state;
  box_run("speaker", SH("echo 1; echo 2; echo 3"));
  assert_int_equal(box_outcome("speaker").exit_code, 0);
  OK(zl_logs(box.rt, box_id("speaker"), NULL, collect, &c, &err));
  assert_string_equal(c.text, "o:1|o:2|");
}

static void follow_ends_with_the_container(void **state)
{
  struct zl_logs_options options = { .tail = -1, .follow = true, .cancel_fd = -1 };

  (void)state;
  box_run("speaker", SH("echo 1; sleep 0.3; echo 2"));
  expect("speaker", &options, "o:1|o:2|");
  expect("speaker", &options, "o:1|o:2|");
}

static void *write_later(void *arg)
{
  (void)usleep(100000);
  (void)!write(*(int *)arg, "x", 1);
  return NULL;
}

static void follow_can_be_cancelled(void **state)
{
  struct zl_logs_options options = { .tail = -1, .follow = true };
  pthread_t thread;
  int ends[2];

  (void)state;
  box_run("quiet", ARGV(BIN "sleep", "60"));
  assert_int_equal(pipe(ends), 0);
  options.cancel_fd = ends[0];
  assert_int_equal(pthread_create(&thread, NULL, write_later, &ends[1]), 0);
  expect("quiet", &options, "");
  (void)pthread_join(thread, NULL);
  (void)close(ends[0]);
  (void)close(ends[1]);
}

static int count_numbers(void *payload, const struct zl_log_entry *entry)
{
  unsigned long *next = payload;
  unsigned long number = strtoul(entry->text, NULL, 10);

  if (*next == 0)
    *next = number;
  if (number != *next)
    return 1;
  (*next)++;
  return 0;
}

/* More than the log may hold: the oldest goes, the rest is without a gap, also for a follower. */
static void rotation_keeps_the_newest_without_a_gap(void **state)
{
  struct zl_service *service;
  struct zl_logs_options last = { .tail = 5, .cancel_fd = -1 };
  unsigned long next = 0;

  (void)state;
  if (!box.real)
    return;
  service = box_service("flood", SH("seq 1 60000"));
  service->logs.max_size_bytes = UINT64_C(5) * (64 << 10);
  OK(box_create_service(service, &err));
  zl_service_free(service);
  OK(zl_start(box.rt, box_id("flood"), &err));
  assert_int_equal(box_outcome("flood").exit_code, 0);
  OK(zl_logs(box.rt, box_id("flood"), NULL, count_numbers, &next, &err));
  assert_int_equal(next, 60001);
  next = 0;
  OK(zl_logs(box.rt, box_id("flood"), &last, count_numbers, &next, &err));
  assert_int_equal(next, 60001);
  expect("flood", &(struct zl_logs_options){ .tail = 2, .cancel_fd = -1 }, "o:59999|o:60000|");
}

struct seen_events {
  char text[2048];
  int wanted;
};

static int on_event(void *payload, const char *text)
{
  struct seen_events *seen = payload;
  json_t *json = json_loads(text, 0, NULL);
  size_t len = strlen(seen->text);

  assert_non_null(json);
  (void)snprintf(seen->text + len, sizeof(seen->text) - len, "%s ",
                 json_string_value(json_object_get(json, "action")));
  json_decref(json);
  return --seen->wanted == 0;
}

static void events_tell_the_story(void **state)
{
  struct seen_events seen = { .wanted = 4 };
  struct timespec now;

  (void)state;
  (void)clock_gettime(CLOCK_REALTIME, &now);
  box_run("storied", SH("exit 2"));
  assert_int_equal(box_outcome("storied").exit_code, 2);
  OK(zl_remove(box.rt, box_id("storied"), false, &err));
  OK(zl_events(box.rt, (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec, true, -1,
               on_event, &seen, &err));
  assert_non_null(strstr(seen.text, "create "));
  assert_non_null(strstr(seen.text, "start "));
  assert_non_null(strstr(seen.text, "die "));
  assert_non_null(strstr(seen.text, "remove "));
}

int suite_logs(void)
{
  const struct CMUnitTest cases[] = {
    CASE(streams_tail_and_times),
    CASE(the_callback_can_end_it),
    CASE(follow_ends_with_the_container),
    CASE(follow_can_be_cancelled),
    CASE(rotation_keeps_the_newest_without_a_gap),
    CASE(events_tell_the_story),
  };

  return cmocka_run_group_tests_name("logs", cases, NULL, NULL);
}
