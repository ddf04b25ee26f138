/* SPDX-License-Identifier: Apache-2.0
 *
 * What other programs do on the box's root.
 */
#include "box.h"
#include "programs.h"

#define VICTIM "victim-rep-1"

enum {
  LIVES = 4
};

static int told(int r, const struct zl_error *err)
{
  if (r != 0)
    (void)fprintf(stderr, "program: %s\n", err->msg);
  return r;
}

static int add_words(struct zl_service *service, const char *const words[], struct zl_error *err)
{
  int r = 0;

  for (size_t i = 0; r == 0 && words[i] != NULL; i++)
    r = zl_list_add(&service->command.entrypoint, words[i], err);
  return r;
}

static int create(struct zl_runtime *rt, const char *service_name, unsigned replica,
                  const char *const words[], struct zl_error *err)
{
  struct zl_container_id id = { .service = service_name, .replica = replica };
  struct zl_service *service = NULL;
  int r = zl_service_new(service_name, &service, err);

  if (r == 0)
    r = zl_service_set_image(service, box.image, err);
  if (r == 0) {
    service->isolation = box.isolation;
    r = add_words(service, words, err);
  }
  if (r == 0)
    r = zl_create(rt, &id, service, NULL, err);
  zl_service_free(service);
  return r;
}

int role_live(struct zl_runtime *rt, const char *service_name, unsigned replica,
              struct zl_error *err)
{
  struct zl_container_id id = { .service = service_name, .replica = replica };
  struct zl_outcome outcome = { 0 };
  char text[ZL_ID_TEXT];
  int r = zl_container_id_format(&id, text, err);

  if (r == 0)
    r = create(rt, service_name, replica, SH("exit 5"), err);
  if (r == 0)
    r = zl_start(rt, text, err);
  if (r == 0)
    r = zl_wait(rt, text, BOX_PATIENCE_MS, &outcome, err);
  if (r == 0 && outcome.exit_code != 5)
    r = -ZL_E_INTERNAL;
  if (r == 0)
    r = zl_remove(rt, text, false, err);
  return r;
}

/* ---- Roles ------------------------------------------------------------------------------------
 */

static int play_live(unsigned arg)
{
  struct zl_error err = { 0 };
  int r = 0;

  for (unsigned i = 0; r == 0 && i < LIVES; i++)
    r = told(role_live(box.rt, "program", arg, &err), &err);
  return r;
}

static int play_create(unsigned arg)
{
  struct zl_error err = { 0 };

  return told(create(box.rt, "victim", arg, ARGV(BIN "sleep", "60"), &err), &err);
}

static int play_start(unsigned arg)
{
  struct zl_error err = { 0 };

  (void)arg;
  return told(zl_start(box.rt, VICTIM, &err), &err);
}

static int play_remove(unsigned arg)
{
  struct zl_error err = { 0 };

  (void)arg;
  return told(zl_remove(box.rt, VICTIM, true, &err), &err);
}

static int play_watch(unsigned arg)
{
  struct zl_outcome outcome;
  struct zl_error err = { 0 };

  (void)arg;
  return told(zl_wait(box.rt, VICTIM, BOX_PATIENCE_MS, &outcome, &err), &err);
}

static int play_run(unsigned arg)
{
  struct zl_error err = { 0 };
  int r = play_create(arg);

  if (r == 0)
    r = told(zl_start(box.rt, VICTIM, &err), &err);
  return r == 0 ? play_watch(arg) : r;
}

const struct role roles[] = {
  { "live", play_live },
  { "create", play_create },
  { "create-rich", role_create_rich },
  { "start", play_start },
  { "run", play_run },
  { "watch", play_watch },
  { "remove", play_remove },
  { NULL, NULL },
};
