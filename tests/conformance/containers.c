/* SPDX-License-Identifier: Apache-2.0
 *
 * What a case does with the runtime and its containers, on any system.
 */
#include <sqlite3.h>
#include <string.h>
#include <time.h>

#include "base/buf.h"
#include "box.h"

enum {
  STEP_MS = 5,
  LOG_MAX = 64 << 20
};

static void pause_a_while(void)
{
  struct timespec t = { .tv_nsec = STEP_MS * 1000000L };

  (void)nanosleep(&t, NULL);
}

bool box_eventually(bool (*check)(void *ctx), void *ctx)
{
  for (int waited = 0; waited < BOX_PATIENCE_MS; waited += STEP_MS) {
    if (check(ctx))
      return true;
    pause_a_while();
  }
  return check(ctx);
}

struct zl_runtime *box_runtime(void)
{
  struct zl_runtime_options options = { .root = box.root,
                                        .slice_cidr = BOX_SLICE,
                                        .backend = box.real ? NULL : box.backend };
  struct zl_runtime *rt = NULL;
  struct zl_error err = { 0 };

  if (zl_runtime_open(&options, &rt, &err) < 0) {
    (void)fprintf(stderr, "opening the runtime: %s\n", err.msg);
    exit(1);
  }
  return rt;
}

void box_reopen(void)
{
  zl_runtime_close(box.rt);
  box.rt = box_runtime();
}

void box_remove_all(void)
{
  struct zl_container_info *list = NULL;
  struct zl_error err = { 0 };
  size_t n = 0;

  if (zl_list(box.rt, &list, &n, &err) < 0)
    (void)fprintf(stderr, "listing: %s\n", err.msg);
  for (size_t i = 0; i < n; i++)
    if (zl_remove(box.rt, list[i].id, true, &err) < 0)
      (void)fprintf(stderr, "removing %s: %s\n", list[i].id, err.msg);
  zl_containers_free(list, n);
}

const char *box_id(const char *name)
{
  static char texts[8][ZL_ID_TEXT];
  static unsigned next;
  struct zl_container_id id = { .service = name, .replica = 1 };
  char *text = texts[next++ % 8];

  OK(zl_container_id_format(&id, text, &err));
  return text;
}

struct zl_service *box_service(const char *name, const char *const argv[])
{
  struct zl_service *service = NULL;

  OK(zl_service_new(name, &service, &err));
  OK(zl_service_set_image(service, box.image, &err));
  service->isolation = box.isolation;
  for (size_t i = 0; argv != NULL && argv[i] != NULL; i++)
    OK(zl_list_add(&service->command.entrypoint, argv[i], &err));
  return service;
}

int box_create_service(const struct zl_service *service, struct zl_error *err)
{
  struct zl_container_id id = { .service = service->name, .replica = 1 };

  return zl_create(box.rt, &id, service, NULL, err);
}

void box_create(const char *name, const char *const argv[])
{
  struct zl_service *service = box_service(name, argv);

  OK(box_create_service(service, &err));
  zl_service_free(service);
}

void box_run(const char *name, const char *const argv[])
{
  box_create(name, argv);
  OK(zl_start(box.rt, box_id(name), &err));
}

struct zl_container_state box_await(const char *name, enum zl_state wanted)
{
  struct zl_container_state seen = { 0 };

  for (int waited = 0; waited < BOX_PATIENCE_MS; waited += STEP_MS) {
    OK(zl_container_state(box.rt, box_id(name), &seen, &err));
    if (seen.state == wanted)
      return seen;
    pause_a_while();
  }
  fail_msg("'%s' is %s (%s), not %s", name, zl_state_name(seen.state), seen.reason,
           zl_state_name(wanted));
  return seen;
}

struct zl_outcome box_outcome(const char *name)
{
  struct zl_outcome outcome = { 0 };

  OK(zl_wait(box.rt, box_id(name), BOX_PATIENCE_MS, &outcome, &err));
  return outcome;
}

int box_exec(const char *name, const char *const argv[], struct zl_exec_result *ret)
{
  struct zl_exec_options options = { .argv = argv };
  struct zl_error err = { 0 };
  int r = zl_exec(box.rt, box_id(name), &options, ret, &err);

  if (r < 0)
    (void)fprintf(stderr, "exec: %s\n", err.msg);
  return r;
}

void box_expect_output(const char *name, const char *script, const char *wanted)
{
  struct zl_exec_result result = { 0 };

  assert_int_equal(box_exec(name, SH(script), &result), 0);
  if (strcmp(result.out, wanted) != 0)
    fail_msg("%s: '%s' instead of '%s' (%s)", script, result.out, wanted, result.err);
  zl_exec_result_done(&result);
}

static int add_line(void *payload, const struct zl_log_entry *entry)
{
  struct zl_buf *to = payload;

  (void)zl_buf_append(to, entry->text, entry->len, NULL);
  if (!entry->partial)
    (void)zl_buf_append(to, "\n", 1, NULL);
  return 0;
}

char *box_log(const char *name)
{
  zl_autobuf text = ZL_BUF_INIT(LOG_MAX);
  char *copy;

  OK(zl_logs(box.rt, box_id(name), NULL, add_line, &text, &err));
  copy = strdup(text.data != NULL ? text.data : "");
  assert_non_null(copy);
  return copy;
}

int64_t box_count(const char *sql)
{
  char path[96];
  sqlite3 *db = NULL;
  sqlite3_stmt *stmt = NULL;
  int64_t n = -1;

  (void)snprintf(path, sizeof(path), "%s/zlayer.db", box.root);
  if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL) == SQLITE_OK &&
      sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) == SQLITE_OK) {
    int rc = sqlite3_step(stmt);

    n = rc == SQLITE_ROW ? sqlite3_column_int64(stmt, 0) : rc == SQLITE_DONE ? 0 : -1;
  }
  (void)sqlite3_finalize(stmt);
  (void)sqlite3_close(db);
  return n;
}
