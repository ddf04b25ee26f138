/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/hcs/command.h"

#include <stdlib.h>
#include <string.h>

#include "base/strv.h"
#include "image/image.h"
#include "runtime/hcs/argv.h"
#include "runtime/hcs/env.h"
#include "runtime/hcs/wintext.h"

/* Where a field of the service, or one of the image, stands; for messages. */
struct place {
  const struct zl_service *service;
  char *text;
};

static void place_done(struct place *place)
{
  free(place->text);
}
#define autoplace ZL_CLEANUP(place_done) struct place

static const char *in_service(struct place *place, const char *field, const char *key)
{
  free(place->text);
  place->text = zl_asprintf("services.%s.%s%s", place->service->name, field, key);
  return place->text != NULL ? place->text : field;
}

static const char *in_image(struct place *place, const char *field)
{
  free(place->text);
  place->text = zl_asprintf(
      "image '%s': %s",
      place->service->image.name != NULL ? place->service->image.name : "(no name)", field);
  return place->text != NULL ? place->text : field;
}

void zl_hcs_command_done(struct zl_hcs_command *command)
{
  free(command->line);
  free(command->directory);
  free(command->user);
  zl_strv_free(command->env);
  *command = (struct zl_hcs_command){ 0 };
}

/* ---- The command line ---- */

struct words {
  char *const *entrypoint, *const *args;
  bool is_line; /* the first word is the image's, who wrote it as part of a command line */
};

static struct words choose_words(const struct zl_service *service,
                                 const struct zl_image_config *image)
{
  const struct zl_command *own = &service->command;
  struct words words = { own->entrypoint, own->args, false };

  if (own->entrypoint == NULL) {
    words.entrypoint = image->entrypoint;
    if (own->args == NULL)
      words.args = image->cmd;
    words.is_line = image->args_escaped && (image->entrypoint != NULL || own->args == NULL);
  }
  return words;
}

static int append_word(struct zl_buf *line, const char *word, bool as_is, const char *field,
                       struct zl_error *err)
{
  if (line->len > 0)
    return zl_win_append_argument(line, word, err);
  return as_is ? zl_buf_puts(line, word, err) : zl_win_append_program(line, word, field, err);
}

static int append_words(struct zl_buf *line, char *const *list, bool as_is, const char *field,
                        struct zl_error *err)
{
  int r = 0;

  for (size_t i = 0; r == 0 && list != NULL && list[i] != NULL; i++)
    r = append_word(line, list[i], as_is, field, err);
  return r;
}

static int merge_line(const struct zl_service *service, const struct zl_image_config *image,
                      struct zl_hcs_command *command, struct zl_error *err)
{
  struct words words = choose_words(service, image);
  zl_autobuf line = ZL_WIN_COMMAND_INIT;
  autoplace place = { .service = service };
  const char *field = in_service(&place, "command", "");
  int r = append_words(&line, words.entrypoint, words.is_line, field, err);

  if (r == 0)
    r = append_words(&line, words.args, words.is_line, field, err);
  if (r == -ZL_E_LIMIT)
    return zl_fail(err, ZL_E_LIMIT, 0,
                   "%s: a command line of more than %d characters, which Windows does not take",
                   field, ZL_WIN_COMMAND_MAX - 1);
  if (r == 0 && line.len == 0)
    return zl_fail(err, ZL_E_INVALID, 0, "%s: image '%s' has no command of its own, give one",
                   field, service->image.name);
  return r < 0 ? r : zl_win_finish_line(&line, field, &command->line, err);
}

/* ---- The rest ---- */

static int merge_env(const struct zl_service *service, const struct zl_image_config *image,
                     struct zl_hcs_command *command, struct zl_error *err)
{
  autoplace place = { .service = service };
  int r = 0;

  for (size_t i = 0; r == 0 && image->env != NULL && image->env[i] != NULL; i++)
    r = zl_win_env_set_entry(&command->env, image->env[i], in_image(&place, "Env"), err);
  for (size_t i = 0; r == 0 && i < service->env.count; i++) {
    const struct zl_pair *pair = &service->env.items[i];
    const char *field = in_service(&place, "env.", pair->key);

    if (zl_win_env_is_system(pair->key))
      return zl_fail(err, ZL_E_INVALID, 0, "%s: Windows sets it in every container; remove it",
                     field);
    r = zl_win_env_set(&command->env, pair->key, pair->value, field, err);
  }
  return r;
}

static int merge_directory(const struct zl_service *service, const struct zl_image_config *image,
                           struct zl_hcs_command *command, struct zl_error *err)
{
  const char *own = service->command.workdir;
  const char *path = own != NULL ? own : image->working_dir;
  autoplace place = { .service = service };
  const char *field =
      own != NULL ? in_service(&place, "command.workdir", "") : in_image(&place, "WorkingDir");
  int r = zl_win_container_path(path != NULL ? path : "", field, &command->directory, err);

  return r < 0 ? r : zl_wintext_check(command->directory, field, ZL_WIN_DIRECTORY_MAX, err);
}

/* The characters that no account's name has; "\" stands between domain and name. */
static int merge_user(const struct zl_service *service, const struct zl_image_config *image,
                      struct zl_hcs_command *command, struct zl_error *err)
{
  const char *user = service->user != NULL ? service->user : image->user;
  autoplace place = { .service = service };
  const char *field =
      service->user != NULL ? in_service(&place, "user", "") : in_image(&place, "User");
  int r;

  if (user == NULL || *user == '\0')
    return 0;
  r = zl_wintext_check(user, field, ZL_WIN_USER_MAX, err);
  if (r == 0 && strpbrk(user, "\"/[]:;|=,+*?<>") != NULL)
    return zl_fail(err, ZL_E_INVALID, 0,
                   "%s: '%.100s' is no user of Windows; there are no groups and no numbers", field,
                   user);
  if (r < 0)
    return r;
  command->user = strdup(user);
  return command->user != NULL ? 0 : zl_fail_nomem(err, field);
}

int zl_hcs_command_merge(const struct zl_service *service, const struct zl_image_config *image,
                         struct zl_hcs_command *ret, struct zl_error *err)
{
  zl_autohcscommand command = { 0 };
  int r = merge_line(service, image, &command, err);

  if (r == 0)
    r = merge_env(service, image, &command, err);
  if (r == 0)
    r = merge_directory(service, image, &command, err);
  if (r == 0)
    r = merge_user(service, image, &command, err);
  if (r < 0)
    return r;
  *ret = command;
  command = (struct zl_hcs_command){ 0 };
  return 0;
}
