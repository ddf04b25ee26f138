/* SPDX-License-Identifier: Apache-2.0 */
#include "fake_host.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/cleanup.h"
#include "base/strv.h"
#include "image/windows/little.h"
#include "image/windows/streams.h"

enum {
  MAX_CONTENT = 64 << 20,
  ATTRIBUTES = 4
};

/* What NTFS calls a file: one may have several names. */
struct object {
  unsigned number, names;
  struct zl_win_basic basic;
  bool security; /* its backup streams were written with the rights for descriptors */
  bool is_backup;
  struct zl_buf bytes; /* content, or backup streams */
};

struct name {
  int root;
  char *path;
  struct object *object;
};

struct zl_win_file {
  struct fake_host *host;
  struct object *object;
  bool security, written, backed;
};

struct fake_host {
  size_t n_parents;
  struct name *names;
  size_t n, cap;
  unsigned objects, open, calls, fail_at;
  struct zl_buf journal;
};

/* ---- Places ---------------------------------------------------------------------------------- */

static bool is_name(const char *p, size_t len)
{
  return len > 0 && len <= 1024 && memchr(p, '\\', len) == NULL && memchr(p, ':', len) == NULL &&
         !(p[0] == '.' && (len == 1 || (len == 2 && p[1] == '.')));
}

static void require_place(const struct fake_host *h, struct zl_win_place at)
{
  if (at.root < ZL_WIN_STAGING || at.root >= (int)h->n_parents)
    abort();
  for (const char *p = at.path;;) {
    size_t n = strcspn(p, "/");

    if (!is_name(p, n))
      abort();
    if (p[n] == '\0')
      return;
    p += n + 1;
  }
}

static struct name *find(const struct fake_host *h, int root, const char *path, size_t len)
{
  for (size_t i = 0; i < h->n; i++)
    if (h->names[i].root == root && strlen(h->names[i].path) == len &&
        strncasecmp(h->names[i].path, path, len) == 0)
      return &h->names[i];
  return NULL;
}

static bool is_directory(const struct object *o)
{
  return (o->basic.attributes & ZL_WIN_DIRECTORY) != 0;
}

static bool is_reparse(const struct object *o)
{
  return (o->basic.attributes & ZL_WIN_REPARSE_POINT) != 0;
}

/* All in front of the last name are directories. */
static int walk(const struct fake_host *h, struct zl_win_place at, struct zl_error *err)
{
  for (const char *p = strchr(at.path, '/'); p != NULL; p = strchr(p + 1, '/')) {
    const struct name *dir = find(h, at.root, at.path, (size_t)(p - at.path));

    if (dir == NULL)
      return zl_fail(err, ZL_E_NOT_FOUND, 0, "'%s': no directory on the way", at.path);
    if (is_reparse(dir->object) || !is_directory(dir->object))
      return zl_fail(err, ZL_E_CORRUPT, 0, "'%s': a reparse point or file on the way", at.path);
  }
  return 0;
}

static struct name *add(struct fake_host *h, int root, const char *path, struct object *object)
{
  if (h->n == h->cap) {
    h->cap = h->cap == 0 ? 64 : 2 * h->cap;
    h->names = realloc(h->names, h->cap * sizeof(*h->names));
    if (h->names == NULL)
      abort();
  }
  if (object == NULL) {
    object = calloc(1, sizeof(*object));
    if (object == NULL)
      abort();
    object->number = ++h->objects;
    object->bytes.max = MAX_CONTENT;
  }
  object->names++;
  h->names[h->n] = (struct name){ .root = root, .path = strdup(path), .object = object };
  return &h->names[h->n++];
}

static void object_drop(struct object *o)
{
  if (--o->names > 0)
    return;
  zl_buf_done(&o->bytes);
  free(o);
}

static void drop(struct fake_host *h, struct name *name)
{
  free(name->path);
  object_drop(name->object);
  *name = h->names[--h->n];
}

static int journal(struct fake_host *h, struct zl_error *err, const char *fmt, ...) ZL_PRINTF(3, 4);
static int journal(struct fake_host *h, struct zl_error *err, const char *fmt, ...)
{
  va_list ap;
  char line[3 * 4096 + 64];

  va_start(ap, fmt);
  (void)vsnprintf(line, sizeof(line), fmt, ap);
  va_end(ap);
  if (++h->calls == h->fail_at)
    return zl_fail(err, ZL_E_SYSTEM, 0, "injected: %s", line);
  if (zl_buf_printf(&h->journal, NULL, "J %s\n", line) < 0)
    abort();
  return 0;
}

/* ---- Operations ------------------------------------------------------------------------------ */

static int fake_open(void *ctx, struct zl_win_place at, enum zl_win_how how, bool security,
                     struct zl_win_file **ret, struct zl_error *err)
{
  static const char *const text[] = { "file", "directory", "old" };
  struct fake_host *h = ctx;
  struct name *name;
  int r;

  require_place(h, at);
  name = find(h, at.root, at.path, strlen(at.path));
  r = walk(h, at, err);
  if (r == 0)
    r = journal(h, err, "open %d %s %s%s", at.root, at.path, text[how],
                security ? " security" : "");
  if (r < 0)
    return r;
  if (how == ZL_WIN_OLD_DIRECTORY &&
      (name == NULL || !is_directory(name->object) || is_reparse(name->object)))
    return zl_fail(err, ZL_E_NOT_FOUND, 0, "'%s': no such directory", at.path);
  if (how != ZL_WIN_OLD_DIRECTORY && name != NULL)
    return zl_fail(err, ZL_E_CONFLICT, 0, "'%s': the name is taken", at.path);
  if (name == NULL)
    name = add(h, at.root, at.path, NULL);
  if (how == ZL_WIN_NEW_DIRECTORY)
    name->object->basic.attributes = ZL_WIN_DIRECTORY;
  *ret = calloc(1, sizeof(**ret));
  if (*ret == NULL)
    abort();
  **ret = (struct zl_win_file){ .host = h, .object = name->object, .security = security };
  name->object->names++;
  h->open++;
  return 0;
}

/* The kind of a file is not among what can be set. */
static int fake_set_basic(struct zl_win_file *file, const struct zl_win_basic *basic,
                          struct zl_error *err)
{
  uint32_t kind = file->object->basic.attributes & (ZL_WIN_DIRECTORY | ZL_WIN_REPARSE_POINT);
  int r = journal(file->host, err, "basic #%u", file->object->number);

  if (r < 0)
    return r;
  file->object->basic = *basic;
  file->object->basic.attributes &= ~(uint32_t)(ZL_WIN_DIRECTORY | ZL_WIN_REPARSE_POINT);
  file->object->basic.attributes |= kind;
  return 0;
}

static int fake_write(struct zl_win_file *file, const void *data, size_t len, struct zl_error *err)
{
  if (file->backed)
    abort();
  file->written = true;
  return zl_buf_append(&file->object->bytes, data, len, err);
}

static int fake_write_backup(struct zl_win_file *file, const void *data, size_t len,
                             struct zl_error *err)
{
  if (file->written)
    abort();
  if (!file->backed)
    zl_buf_clear(&file->object->bytes);
  file->backed = file->object->is_backup = true;
  file->object->security = file->security;
  return zl_buf_append(&file->object->bytes, data, len, err);
}

/* Streams must be whole; a reparse stream makes what has it one. */
static bool read_streams(const struct zl_buf *bytes, size_t at, bool security, uint32_t *attributes)
{
  const uint8_t *p = (const uint8_t *)bytes->data;

  while (at < bytes->len) {
    uint64_t size;
    uint32_t kind, name;

    if (bytes->len - at < ZL_WIN_STREAM_HEADER)
      return false;
    kind = zl_little_get32(p + at);
    size = zl_little_get32(p + at + 8) | (uint64_t)zl_little_get32(p + at + 12) << 32;
    name = zl_little_get32(p + at + 16);
    at += ZL_WIN_STREAM_HEADER;
    if (kind == ZL_WIN_STREAM_REPARSE)
      *attributes |= ZL_WIN_REPARSE_POINT;
    if (kind == ZL_WIN_STREAM_SECURITY && !security)
      return false; /* Windows would leave it out */
    if (name > bytes->len - at || size > bytes->len - at - name)
      return false;
    at += name + size;
  }
  return true;
}

static int fake_close(struct zl_win_file *file, struct zl_error *err)
{
  struct object *o;
  bool whole = true;

  if (file == NULL)
    return 0;
  o = file->object;
  if (file->backed)
    whole = read_streams(&o->bytes, 0, file->security, &o->basic.attributes);
  file->host->open--;
  object_drop(o);
  free(file);
  return whole ? 0 : zl_fail(err, ZL_E_INTERNAL, 0, "streams that are not whole, or lost");
}

static int fake_stat(void *ctx, struct zl_win_place at, struct zl_win_basic *ret,
                     struct zl_error *err)
{
  struct fake_host *h = ctx;
  const struct name *name;
  int r;

  require_place(h, at);
  r = walk(h, at, err);
  name = find(h, at.root, at.path, strlen(at.path));
  if (r == 0 && name == NULL)
    r = zl_fail(err, ZL_E_NOT_FOUND, 0, "'%s': not there", at.path);
  if (r < 0)
    return r;
  *ret = name->object->basic;
  return 0;
}

static int fake_list(void *ctx, struct zl_win_place at, zl_win_list_fn fn, void *fn_ctx,
                     struct zl_error *err)
{
  struct fake_host *h = ctx;
  size_t len = strlen(at.path);
  int r;

  require_place(h, at);
  r = walk(h, at, err);
  for (size_t i = 0; i < h->n && r == 0; i++) {
    const struct name *name = &h->names[i];

    if (name->root == at.root && strncasecmp(name->path, at.path, len) == 0 &&
        name->path[len] == '/' && strchr(name->path + len + 1, '/') == NULL)
      r = fn(fn_ctx, name->path + len + 1, name->object->basic.attributes, err);
  }
  return r;
}

/* What is done from one place to another. */
static int begin_pair(struct fake_host *h, const char *what, struct zl_win_place from,
                      struct zl_win_place to, struct zl_error *err)
{
  int r;

  require_place(h, from);
  require_place(h, to);
  r = walk(h, from, err);
  if (r == 0)
    r = walk(h, to, err);
  return r < 0 ? r
               : journal(h, err, "%s %d %s %d %s", what, from.root, from.path, to.root, to.path);
}

static int fake_copy(void *ctx, struct zl_win_place from, struct zl_win_place to,
                     struct zl_error *err)
{
  struct fake_host *h = ctx;
  const struct object *old;
  struct name *name;
  int r = begin_pair(h, "copy", from, to, err);

  if (r < 0)
    return r;
  name = find(h, from.root, from.path, strlen(from.path));
  if (name == NULL || find(h, to.root, to.path, strlen(to.path)) != NULL)
    return zl_fail(err, ZL_E_CONFLICT, 0, "'%s' cannot be copied", from.path);
  old = name->object;
  name = add(h, to.root, to.path, NULL);
  name->object->basic = old->basic;
  name->object->security = old->security;
  name->object->is_backup = old->is_backup;
  return zl_buf_append(&name->object->bytes, old->bytes.data, old->bytes.len, err);
}

static int fake_link(void *ctx, struct zl_win_place from, struct zl_win_place to,
                     struct zl_error *err)
{
  struct fake_host *h = ctx;
  const struct name *old;
  int r = begin_pair(h, "link", from, to, err);

  if (r < 0)
    return r;
  old = find(h, from.root, from.path, strlen(from.path));
  if (old == NULL)
    return zl_fail(err, ZL_E_NOT_FOUND, 0, "'%s': not there", from.path);
  if (is_directory(old->object) || find(h, to.root, to.path, strlen(to.path)) != NULL)
    return zl_fail(err, ZL_E_CONFLICT, 0, "'%s' cannot be linked", from.path);
  (void)add(h, to.root, to.path, old->object);
  return 0;
}

static int fake_remove(void *ctx, struct zl_win_place at, struct zl_error *err)
{
  struct fake_host *h = ctx;
  size_t len = strlen(at.path);
  struct name *name;
  int r;

  require_place(h, at);
  r = walk(h, at, err);
  if (r == 0)
    r = journal(h, err, "remove %d %s", at.root, at.path);
  if (r < 0)
    return r;
  if (at.root >= 0)
    abort(); /* layers below are never changed */
  name = find(h, at.root, at.path, len);
  if (name == NULL)
    return zl_fail(err, ZL_E_NOT_FOUND, 0, "'%s': not there", at.path);
  for (size_t i = 0; i < h->n; i++)
    if (h->names[i].root == at.root && strncasecmp(h->names[i].path, at.path, len) == 0 &&
        h->names[i].path[len] == '/')
      return zl_fail(err, ZL_E_CONFLICT, 0, "'%s': not empty", at.path);
  drop(h, name);
  return 0;
}

/* One descriptor is known: owned by Everyone. */
static int fake_read_sddl(void *ctx, const char *sddl, struct zl_buf *ret, struct zl_error *err)
{
  static const uint8_t everyone[] = { 1, 0, 0, 0x80, 20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
                                      0, 0, 0, 0,    1,  1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0 };
  (void)ctx;
  if (strcmp(sddl, "O:WD") != 0)
    return zl_fail(err, ZL_E_CORRUPT, 0, "no security descriptor");
  return zl_buf_append(ret, everyone, sizeof(everyone), err);
}

/* ---- Windows' own work ----------------------------------------------------------------------- */

/* Below Files, with its attributes in front; a directory's are in the file beside it. */
static int import_file(struct fake_host *h, size_t i, struct zl_error *err)
{
  zl_autofree char *mark = zl_asprintf("%s.$wcidirs$", h->names[i].path);
  zl_autofree char *path = strdup(h->names[i].path);
  const struct object *o = h->names[i].object;
  const struct name *old;
  struct object *made;
  uint32_t attributes;

  if (is_directory(o)) {
    const struct name *beside = find(h, ZL_WIN_STAGING, mark, strlen(mark));

    if (beside == NULL)
      return zl_fail(err, ZL_E_NOT_FOUND, 0, "ImportLayer: 0x80070002: no '%s'", mark);
    o = beside->object;
  } else if (strstr(path, ".$wcidirs$") != NULL) {
    return 0;
  }
  if (o->is_backup || o->bytes.len < ATTRIBUTES || o->basic.attributes != 0)
    return zl_fail(err, ZL_E_INTERNAL, 0, "ImportLayer: '%s' is no staged file", path);
  attributes = zl_little_get32((const uint8_t *)o->bytes.data);
  if (!read_streams(&o->bytes, ATTRIBUTES, true, &attributes))
    return zl_fail(err, ZL_E_INTERNAL, 0, "ImportLayer: '%s' is not whole", path);
  old = find(h, ZL_WIN_LAYER, path, strlen(path));
  made = old != NULL ? old->object : add(h, ZL_WIN_LAYER, path, NULL)->object;
  made->basic = o->basic;
  made->basic.attributes = attributes;
  made->security = made->is_backup = true;
  return zl_buf_append(&made->bytes, o->bytes.data + ATTRIBUTES, o->bytes.len - ATTRIBUTES, err);
}

static int import_hive(struct fake_host *h, size_t i, struct zl_error *err)
{
  zl_autofree char *path = strdup(h->names[i].path);
  struct object *old = h->names[i].object, *made;

  made = add(h, ZL_WIN_LAYER, path, NULL)->object;
  made->basic = old->basic;
  made->is_backup = old->is_backup;
  return zl_buf_append(&made->bytes, old->bytes.data, old->bytes.len, err);
}

static bool is_in(const char *path, const char *top)
{
  size_t len = strlen(top);

  return strncmp(path, top, len) == 0 && (path[len] == '/' || path[len] == '\0');
}

static int fake_import_layer(void *ctx, struct zl_error *err)
{
  struct fake_host *h = ctx;
  size_t n = h->n;
  int r = journal(h, err, "ImportLayer");

  if (r == 0 && find(h, ZL_WIN_STAGING, "Files", 5) == NULL)
    return zl_fail(err, ZL_E_NOT_FOUND, 0, "ImportLayer: 0x80070003: no Files");
  for (size_t i = 0; i < n && r == 0; i++) {
    if (h->names[i].root != ZL_WIN_STAGING)
      continue;
    if (is_in(h->names[i].path, "Files"))
      r = import_file(h, i, err);
    else if (is_in(h->names[i].path, "Hives"))
      r = import_hive(h, i, err);
  }
  return r;
}

static int fake_process_base(void *ctx, struct zl_error *err)
{
  return journal(ctx, err, "ProcessBaseImage");
}

static int fake_process_utility(void *ctx, struct zl_error *err)
{
  return journal(ctx, err, "ProcessUtilityImage");
}

const struct zl_win_host_ops fake_host_ops = { .open = fake_open,
                                               .set_basic = fake_set_basic,
                                               .write = fake_write,
                                               .write_backup = fake_write_backup,
                                               .close = fake_close,
                                               .stat = fake_stat,
                                               .list = fake_list,
                                               .copy = fake_copy,
                                               .link = fake_link,
                                               .remove = fake_remove,
                                               .read_sddl = fake_read_sddl,
                                               .import_layer = fake_import_layer,
                                               .process_base = fake_process_base,
                                               .process_utility = fake_process_utility };

/* ---- The test's side ------------------------------------------------------------------------- */

struct fake_host *fake_host_new(size_t n_parents)
{
  struct fake_host *h = calloc(1, sizeof(*h));

  if (h == NULL)
    abort();
  h->n_parents = n_parents;
  h->journal.max = MAX_CONTENT;
  return h;
}

void fake_host_free(struct fake_host *h)
{
  while (h->n > 0)
    drop(h, &h->names[h->n - 1]);
  free(h->names);
  zl_buf_done(&h->journal);
  free(h);
}

static void add_way(struct fake_host *h, int root, const char *path, size_t len)
{
  zl_autofree char *way = strndup(path, len);

  if (way != NULL && find(h, root, way, len) == NULL)
    add(h, root, way, NULL)->object->basic.attributes = ZL_WIN_DIRECTORY;
}

void fake_host_add(struct fake_host *h, int root, char kind, const char *path)
{
  struct object *o;

  for (const char *p = strchr(path, '/'); p != NULL; p = strchr(p + 1, '/'))
    add_way(h, root, path, (size_t)(p - path));
  o = add(h, root, path, NULL)->object;
  o->basic.written = 7;
  if (kind != 'f')
    o->basic.attributes = ZL_WIN_DIRECTORY | (kind == 'j' ? ZL_WIN_REPARSE_POINT : 0);
}

void fake_host_fail_at(struct fake_host *h, unsigned n)
{
  h->fail_at = n;
}

unsigned fake_host_open_files(const struct fake_host *h)
{
  return h->open;
}

static void print_name(const struct name *name, FILE *out)
{
  const struct object *o = name->object;

  (void)fprintf(out, "T %d %s #%u %x %lld %lld %lld %lld %s", name->root, name->path, o->number,
                o->basic.attributes, (long long)o->basic.created, (long long)o->basic.accessed,
                (long long)o->basic.written, (long long)o->basic.changed,
                !o->is_backup ? "content" : (o->security ? "security" : "backup"));
  (void)fputc(' ', out);
  for (size_t i = 0; i < o->bytes.len; i++)
    (void)fprintf(out, "%02x", (unsigned)(unsigned char)o->bytes.data[i]);
  (void)fputc('\n', out);
}

bool fake_host_print(const struct fake_host *h, FILE *out)
{
  (void)fputs(h->journal.data != NULL ? h->journal.data : "", out);
  for (size_t i = 0; i < h->n; i++)
    print_name(&h->names[i], out);
  return h->open == 0;
}
