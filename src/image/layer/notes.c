/* SPDX-License-Identifier: Apache-2.0 */
#include "image/layer/notes.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Seeded by nothing: the worst an image can do with chosen collisions is bounded by the limit. */
static uint64_t hash_of(const char *path)
{
  uint64_t h = UINT64_C(14695981039346656037);

  for (; *path != '\0'; path++)
    h = (h ^ (unsigned char)*path) * UINT64_C(1099511628211);
  return h ^ h >> 29;
}

/* The slot that holds the path, or the free one where it belongs. */
static size_t *find_slot(const struct zl_path_set *set, const char *path)
{
  size_t at = (size_t)hash_of(path) & (set->n_slots - 1);

  while (set->slots[at] != 0 && strcmp(set->paths[set->slots[at] - 1], path) != 0)
    at = (at + 1) & (set->n_slots - 1);
  return &set->slots[at];
}

static int grow(struct zl_path_set *set, struct zl_error *err)
{
  size_t cap = set->cap == 0 ? 64 : set->cap * 2;
  char **paths = reallocarray(set->paths, cap, sizeof(*paths));
  bool *dropped = NULL;
  size_t *slots = NULL;

  if (paths != NULL) {
    set->paths = paths;
    dropped = reallocarray(set->dropped, cap, sizeof(*dropped));
  }
  if (dropped != NULL) {
    set->dropped = dropped;
    slots = calloc(cap * 2, sizeof(*slots));
  }
  if (slots == NULL)
    return zl_fail_nomem(err, "set of paths");
  free(set->slots);
  set->slots = slots;
  set->n_slots = cap * 2;
  set->cap = cap;
  for (size_t i = 0; i < set->n; i++)
    *find_slot(set, set->paths[i]) = i + 1;
  return 0;
}

int zl_path_set_add(struct zl_path_set *set, const char *path, struct zl_error *err)
{
  size_t *slot;

  if (set->n == set->cap) {
    int r = grow(set, err);

    if (r < 0)
      return r;
  }
  slot = find_slot(set, path);
  if (*slot != 0) {
    set->dropped[*slot - 1] = false;
    return 0;
  }
  if (set->n >= ZL_MAX_LAYER_NOTES)
    return zl_fail(err, ZL_E_LIMIT, 0,
                   "more than %d directories without an entry of their own, or opaque ones",
                   ZL_MAX_LAYER_NOTES);
  set->paths[set->n] = strdup(path);
  if (set->paths[set->n] == NULL)
    return zl_fail_nomem(err, "set of paths");
  set->dropped[set->n] = false;
  *slot = ++set->n;
  return 0;
}

void zl_path_set_drop(struct zl_path_set *set, const char *path)
{
  if (set->n == 0)
    return;
  size_t slot = *find_slot(set, path);

  if (slot != 0)
    set->dropped[slot - 1] = true;
}

void zl_path_set_done(struct zl_path_set *set)
{
  for (size_t i = 0; i < set->n; i++)
    free(set->paths[i]);
  free(set->paths);
  free(set->dropped);
  free(set->slots);
  *set = (struct zl_path_set){ 0 };
}

bool zl_path_set_has(const struct zl_path_set *set, const char *path)
{
  size_t slot = set->n > 0 ? *find_slot(set, path) : 0;

  return slot != 0 && !set->dropped[slot - 1];
}

size_t zl_path_set_count(const struct zl_path_set *set)
{
  size_t n = 0;

  for (size_t i = 0; i < set->n; i++)
    n += !set->dropped[i];
  return n;
}

/* ---- Links ----------------------------------------------------------------------------------- */

static int grow_links(struct zl_link_list *list, struct zl_error *err)
{
  struct zl_link *items;

  if (list->n >= ZL_MAX_LAYER_NOTES)
    return zl_fail(err, ZL_E_LIMIT, 0, "more than %d hard links to absent files",
                   ZL_MAX_LAYER_NOTES);
  if ((list->n & (list->n - 1)) != 0)
    return 0;
  items = reallocarray(list->items, list->n == 0 ? 1 : list->n * 2, sizeof(*items));
  if (items == NULL)
    return zl_fail_nomem(err, "hard links to absent files");
  list->items = items;
  return 0;
}

int zl_link_list_add(struct zl_link_list *list, const char *path, const char *target,
                     struct zl_error *err)
{
  struct zl_link link = { 0 };
  int r = grow_links(list, err);

  if (r < 0)
    return r;
  link.path = strdup(path);
  link.target = strdup(target);
  if (link.path == NULL || link.target == NULL) {
    free(link.path);
    free(link.target);
    return zl_fail_nomem(err, "hard links to absent files");
  }
  list->items[list->n++] = link;
  return 0;
}

static void swap_links(struct zl_link_list *list, size_t a, size_t b)
{
  struct zl_link item = list->items[a];

  list->items[a] = list->items[b];
  list->items[b] = item;
}

/* Forgets all from item `n` on. */
static void cut_links(struct zl_link_list *list, size_t n)
{
  for (; list->n > n; list->n--) {
    free(list->items[list->n - 1].path);
    free(list->items[list->n - 1].target);
  }
}

int zl_link_list_retry(struct zl_link_list *list, zl_link_fn fn, void *ctx, struct zl_error *err)
{
  size_t kept = 0;

  for (size_t i = 0; i < list->n; i++) {
    int r = fn(ctx, &list->items[i], err);

    if (r < 0)
      return r;
    if (r > 0)
      swap_links(list, i, kept++);
  }
  cut_links(list, kept);
  return 0;
}

void zl_link_list_done(struct zl_link_list *list)
{
  cut_links(list, 0);
  free(list->items);
  *list = (struct zl_link_list){ 0 };
}

/* ---- Text ------------------------------------------------------------------------------------ */

static bool is_plain(unsigned char c)
{
  return c > 0x20 && c < 0x7f && c != '%';
}

static int write_path(struct zl_buf *text, const char *path, struct zl_error *err)
{
  int r = 0;

  if (*path == '\0')
    return zl_buf_puts(text, ".", err);
  while (*path != '\0' && r == 0) {
    size_t plain = 0;

    while (is_plain((unsigned char)path[plain]))
      plain++;
    r = zl_buf_append(text, path, plain, err);
    path += plain;
    if (r == 0 && *path != '\0')
      r = zl_buf_printf(text, err, "%%%02X", (unsigned)(unsigned char)*path++);
  }
  return r;
}

int zl_note_write(struct zl_buf *text, char kind, const char *path, const char *target,
                  struct zl_error *err)
{
  int r = zl_buf_printf(text, err, "%c ", kind);

  if (r == 0)
    r = write_path(text, path, err);
  if (r == 0 && target != NULL)
    r = zl_buf_puts(text, " ", err);
  if (r == 0 && target != NULL)
    r = write_path(text, target, err);
  return r < 0 ? r : zl_buf_puts(text, "\n", err);
}

static int write_set(struct zl_buf *text, char kind, const struct zl_path_set *set,
                     struct zl_error *err)
{
  int r = 0;

  for (size_t i = 0; i < set->n && r == 0; i++)
    if (!set->dropped[i])
      r = zl_note_write(text, kind, set->paths[i], NULL, err);
  return r;
}

int zl_notes_write_all(struct zl_buf *text, const struct zl_path_set *implicit,
                       const struct zl_link_list *links, const struct zl_path_set *opaque,
                       struct zl_error *err)
{
  int r = write_set(text, 'd', implicit, err);

  for (size_t i = 0; i < links->n && r == 0; i++)
    r = zl_note_write(text, 'l', links->items[i].path, links->items[i].target, err);
  return r < 0 ? r : write_set(text, 'o', opaque, err);
}

static int hex_digit(char c)
{
  return c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Decodes up to `end` and insists on the clean form. */
static int read_path(const char **p, char end, char out[ZL_LAYER_PATH], struct zl_error *err)
{
  char raw[ZL_LAYER_PATH];
  bool climbs = false;
  size_t len = 0;

  while (**p != end && len < ZL_MAX_LAYER_PATH) {
    int c = (unsigned char)**p;

    if (c == '%') {
      int high = hex_digit((*p)[1]), low = high < 0 ? -1 : hex_digit((*p)[2]);

      c = low < 0 ? 0 : high << 4 | low;
      *p += low < 0 ? 0 : 2;
    } else if (!is_plain((unsigned char)c)) {
      c = 0;
    }
    if (c == 0)
      break;
    raw[len++] = (char)c;
    (*p)++;
  }
  raw[len] = '\0';
  if (len == 0 || **p != end || zl_layer_path_clean(raw, out, &climbs, NULL) < 0 || climbs)
    return zl_fail(err, ZL_E_CORRUPT, 0, "malformed note about a layer");
  (*p)++;
  return 0;
}

int zl_note_read(const char **text, struct zl_note *ret, struct zl_error *err)
{
  const char *p = *text;
  bool is_link = *p == 'l';
  int r;

  if (*p == '\0')
    return 0;
  if (strchr("dlo", *p) == NULL || p[1] != ' ')
    return zl_fail(err, ZL_E_CORRUPT, 0, "malformed note about a layer");
  ret->kind = *p;
  p += 2;
  ret->target[0] = '\0';
  r = read_path(&p, is_link ? ' ' : '\n', ret->path, err);
  if (r == 0 && is_link)
    r = read_path(&p, '\n', ret->target, err);
  if (r < 0)
    return r;
  *text = p;
  return 1;
}
