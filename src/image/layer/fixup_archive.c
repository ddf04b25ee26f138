/* SPDX-License-Identifier: Apache-2.0 */
#include "image/layer/fixup_archive.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/dir.h"
#include "base/path.h"
#include "image/layer/lower.h"
#include "image/layer/notes.h"

struct making {
  struct zl_lower lower;
  struct zl_tar_writer to;
  struct zl_path_set sent;   /* targets */
  struct zl_path_set opaque; /* directories of the layer */
};

static void making_done(struct making *m)
{
  zl_path_set_done(&m->sent);
  zl_path_set_done(&m->opaque);
  zl_tar_writer_done(&m->to);
}

/* ---- Notes ----------------------------------------------------------------------------------- */

static int send_directory(struct making *m, const char *path, struct zl_error *err)
{
  zl_autofd from = -1;
  struct stat st;
  int r = zl_lower_find(&m->lower, path, &from, err);

  if (r <= 0)
    return r;
  if (fstat(from, &st) < 0)
    return zl_fail_errno(err, "looking at a directory");
  /* The layer replaces something else by a directory: nothing to take over. */
  return S_ISDIR(st.st_mode) ? zl_tar_put_object(&m->to, path, from, &st, err) : 0;
}

static int send_target(struct making *m, const struct zl_note *note, struct zl_error *err)
{
  char path[ZL_LAYER_QUOTE], target[ZL_LAYER_QUOTE];
  zl_autofd from = -1;
  struct stat st = { 0 };
  int r;

  if (zl_path_set_has(&m->sent, note->target))
    return 0;
  r = zl_path_set_add(&m->sent, note->target, err);
  if (r == 0)
    r = zl_lower_find(&m->lower, note->target, &from, err);
  if (r < 0)
    return r;
  if (r > 0 && fstat(from, &st) < 0)
    return zl_fail_errno(err, "looking at a lower layer's file");
  if (r == 0 || S_ISDIR(st.st_mode))
    return zl_fail(err, ZL_E_CORRUPT, 0, "hard link '%s' to '%s': the target is %s",
                   zl_layer_quote(note->path, path), zl_layer_quote(note->target, target),
                   r == 0 ? "in no layer" : "a directory");
  return zl_tar_put_object(&m->to, note->target, from, &st, err);
}

static int send_whiteouts(struct making *m, int lower_fd, struct zl_error *err)
{
  int fd = zl_path_open_in_root(lower_fd, ".", O_RDONLY | O_DIRECTORY, 0), r = 0;
  zl_autodir *dir = fd >= 0 ? fdopendir(fd) : NULL;
  const struct dirent *e;

  if (dir == NULL)
    return zl_fail(err, ZL_E_SYSTEM, fd < 0 ? -fd : errno, "listing a lower layer");
  while (r == 0 && (e = readdir(dir)) != NULL) {
    char name[sizeof(e->d_name) + sizeof(".wh.")];
    const struct zl_layer_entry entry = { .type = ZL_LAYER_FILE, .path = name, .link = "" };

    if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
      continue;
    (void)snprintf(name, sizeof(name), ".wh.%s", e->d_name);
    r = zl_tar_put_entry(&m->to, &entry, err);
  }
  return r;
}

static int send_note(struct making *m, const struct zl_note *note, struct zl_error *err)
{
  int r = 0;

  if (note->kind == 'd')
    return send_directory(m, note->path, err);
  if (note->kind == 'l')
    return send_target(m, note, err);
  for (size_t i = 0; *note->path == '\0' && i < m->lower.n && r == 0; i++)
    r = send_whiteouts(m, m->lower.fds[i], err);
  return r;
}

static int list_opaque(struct making *m, const char *text, struct zl_note *note,
                       struct zl_error *err)
{
  int r;

  while ((r = zl_note_read(&text, note, err)) > 0) {
    r = note->kind == 'o' && *note->path != '\0' ? zl_path_set_add(&m->opaque, note->path, err) : 0;
    if (r < 0)
      return r;
  }
  return r;
}

int zl_fixup_archive(const int *lower_fds, size_t n_lower, const char *fixup,
                     const struct zl_byte_sink *to, struct zl_error *err)
{
  ZL_CLEANUP(making_done)
  struct making m = { .lower = { .layer_fd = -1, .fds = lower_fds, .n = n_lower } };
  zl_autofree struct zl_note *note = calloc(1, sizeof(*note));
  int r = zl_tar_writer_init(&m.to, to, err);

  if (r < 0)
    return r;
  if (note == NULL)
    return zl_fail_nomem(err, "what lower layers give");
  m.lower.opaque = &m.opaque;
  r = list_opaque(&m, fixup, note, err);
  while (r == 0 && (r = zl_note_read(&fixup, note, err)) > 0)
    r = send_note(&m, note, err);
  return r;
}
