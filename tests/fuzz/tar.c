/* SPDX-License-Identifier: Apache-2.0
 *
 * Fuzz target of the archive reader: whatever the bytes, it neither crashes nor leaks, tells its
 * sink a consistent story, and tells the same story however the stream is cut.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "image/layer/layer_path.h"
#include "image/layer/tar.h"
#include "tar_mutator.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
  MAX_BYTES = 1 << 20,
  MAX_ENTRIES = 1000
};

struct story {
  uint64_t hash; /* of all events */
  uint64_t next; /* lowest offset that data may have */
  uint64_t size; /* of the open file */
  uint64_t bytes, entries;
  bool open, is_file, finished;
};

static void require(bool condition)
{
  if (!condition)
    abort();
}

static void add(struct story *s, const void *data, size_t len)
{
  const uint8_t *p = data;

  for (size_t i = 0; i < len; i++)
    s->hash = (s->hash ^ p[i]) * UINT64_C(1099511628211);
}

/* A clean path must be one that no joining can lead out of a root. */
static void check_clean(const char *raw)
{
  char out[ZL_LAYER_PATH];

  if (zl_layer_path_clean(raw, out, NULL, NULL) < 0)
    return;
  require(out[0] != '/' && strstr(out, "//") == NULL);
  for (const char *p = out; *p != '\0';) {
    size_t n = strcspn(p, "/");

    require(n > 0 && !(n == 1 && p[0] == '.') && !(n == 2 && p[0] == '.' && p[1] == '.'));
    p += n + (p[n] == '/');
  }
}

static int story_begin(void *sink, const struct zl_layer_entry *e, struct zl_error *err)
{
  struct story *s = sink;

  (void)err;
  require(!s->open && !s->finished && *e->path != '\0' && e->mode <= 07777);
  require(e->mtime_ns < 1000000000 && e->uid != UINT32_MAX && e->gid != UINT32_MAX);
  require(e->type == ZL_LAYER_FILE || e->size == 0);
  s->open = true;
  s->is_file = e->type == ZL_LAYER_FILE;
  s->next = 0;
  s->size = e->size;
  s->bytes += e->size;
  require(s->bytes <= MAX_BYTES && ++s->entries <= MAX_ENTRIES);
  check_clean(e->path);
  check_clean(e->link);
  add(s, e->path, strlen(e->path) + 1);
  add(s, e->link, strlen(e->link) + 1);
  add(s, &e->size, sizeof(e->size));
  add(s, &e->mtime_s, sizeof(e->mtime_s));
  add(s, &e->uid, sizeof(e->uid));
  for (size_t i = 0; i < e->n_xattrs; i++) {
    add(s, e->xattrs[i].name, strlen(e->xattrs[i].name) + 1);
    add(s, e->xattrs[i].value, e->xattrs[i].len);
  }
  return 0;
}

static int story_data(void *sink, uint64_t offset, const void *bytes, size_t len,
                      struct zl_error *err)
{
  struct story *s = sink;

  (void)err;
  require(s->open && s->is_file && len > 0);
  require(offset >= s->next && offset <= s->size && len <= s->size - offset);
  if (offset != s->next)
    add(s, &offset, sizeof(offset));
  s->next = offset + len;
  add(s, bytes, len);
  return 0;
}

static int story_end(void *sink, struct zl_error *err)
{
  struct story *s = sink;

  (void)err;
  require(s->open);
  s->open = false;
  add(s, "end", 3);
  return 0;
}

static int story_finish(void *sink, struct zl_error *err)
{
  struct story *s = sink;

  (void)err;
  require(!s->open && !s->finished);
  s->finished = true;
  return 0;
}

static const struct zl_sink_ops story_ops = {
  .begin = story_begin, .data = story_data, .end = story_end, .finish = story_finish
};

/* Reads the archive in pieces of `step` bytes; the code that came of it. */
static int tell(const uint8_t *data, size_t size, size_t step, struct story *story)
{
  const struct zl_tar_limits limits = { .bytes = MAX_BYTES, .entries = MAX_ENTRIES };
  ZL_CLEANUP(zl_tar_freep) struct zl_tar *tar = NULL;
  struct zl_error err = { 0 };
  int r = zl_tar_new(&limits, &story_ops, story, &tar, &err);

  for (size_t at = 0; at < size && r == 0; at += step)
    r = zl_tar_feed(tar, data + at, size - at < step ? size - at : step, &err);
  if (r == 0)
    r = zl_tar_finish(tar, &err);
  require(r == 0 ? story->finished : -r == (int)err.code && err.msg[0] != '\0');
  return r;
}

/* Now and then single bytes, which take the longest; archives have mostly zeros, so that their size
 * decides too. */
static size_t step_of(const uint8_t *data, size_t size)
{
  size_t seed = size > 0 ? data[size / 2] + size : 0;

  return seed % 64 == 0 ? 1 : 20 + seed * 7 % 1000;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  struct story whole = { .hash = 1 }, cut = { .hash = 1 };
  size_t step = step_of(data, size);
  int r = tell(data, size, size > 0 ? size : 1, &whole);

  require(tell(data, size, step, &cut) == r);
  require(r < 0 || whole.hash == cut.hash);
  return 0;
}
