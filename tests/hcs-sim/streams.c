/* SPDX-License-Identifier: Apache-2.0 */
#include "streams.h"

#include <stdlib.h>
#include <string.h>

#include "text.h"

uint64_t stream_identity(HANDLE file)
{
  BY_HANDLE_FILE_INFORMATION info;

  if (!GetFileInformationByHandle(file, &info))
    return 0;
  return (uint64_t)info.nFileIndexHigh << 32 | info.nFileIndexLow;
}

char *stream_place(HANDLE file)
{
  char *dir = sim_env("HCS_SIM_DIR"), *folder = sim_join(dir == NULL ? "." : dir, "streams"),
       *place;
  wchar_t *wide = sim_wide(folder);

  (void)CreateDirectoryW(wide, NULL);
  place = sim_format("%s\\%016llx", folder, (unsigned long long)stream_identity(file));
  free(wide);
  free(folder);
  free(dir);
  return place;
}

void stream_writer_init(struct stream_writer *writer, HANDLE file, bool security)
{
  char *place = stream_place(file);
  wchar_t *wide = sim_wide(place);

  memset(writer, 0, sizeof(*writer));
  writer->file = file;
  writer->security = security;
  writer->side = INVALID_HANDLE_VALUE;
  (void)DeleteFileW(wide); /* of a file that had this identity before */
  free(wide);
  free(place);
}

static bool put(HANDLE file, const void *data, size_t len)
{
  DWORD done = 0;

  return len == 0 || (WriteFile(file, data, (DWORD)len, &done, NULL) && done == len);
}

static bool open_side(struct stream_writer *w)
{
  char *place;
  wchar_t *wide;

  if (w->side != INVALID_HANDLE_VALUE)
    return true;
  place = stream_place(w->file);
  wide = sim_wide(place);
  w->side = CreateFileW(wide, GENERIC_WRITE, 0, NULL, CREATE_ALWAYS, 0, NULL);
  free(wide);
  free(place);
  return w->side != INVALID_HANDLE_VALUE;
}

static bool is_kept(const struct stream_writer *w)
{
  return w->id != STREAM_DATA && w->id != STREAM_SPARSE &&
         (w->id != STREAM_SECURITY || w->security);
}

static bool invalid(void)
{
  SetLastError(ERROR_INVALID_DATA);
  return false;
}

/* The header is there: what kind of stream comes? */
static bool begin(struct stream_writer *w)
{
  memcpy(&w->id, w->head, 4);
  memcpy(&w->left, w->head + 8, 8);
  memcpy(&w->name_size, w->head + 16, 4);
  if (w->id == 0 || w->id > STREAM_LAST || w->name_size > STREAM_MAX_NAME ||
      w->name_size % 2 != 0 || (w->name_size > 0 && w->id != STREAM_ALTERNATE))
    return invalid();
  w->offset_left = w->id == STREAM_SPARSE ? 8 : 0;
  if (w->id == STREAM_SPARSE && w->left < 8)
    return invalid();
  return true;
}

static bool begin_data(struct stream_writer *w)
{
  w->started = true;
  if (w->id == STREAM_SECURITY && !w->security)
    w->dropped = true;
  return !is_kept(w) || (open_side(w) && put(w->side, w->head, STREAM_HEADER + w->name_size));
}

static size_t take_head(struct stream_writer *w, const uint8_t *data, size_t len, bool *good)
{
  size_t want = STREAM_HEADER + (w->filled < STREAM_HEADER ? 0 : w->name_size);
  size_t n = want - w->filled < len ? want - w->filled : len;

  memcpy(w->head + w->filled, data, n);
  w->filled += n;
  if (w->filled == STREAM_HEADER && n > 0)
    *good = begin(w);
  if (*good && w->filled >= STREAM_HEADER && w->filled == STREAM_HEADER + w->name_size)
    *good = begin_data(w);
  return n;
}

static size_t take_offset(struct stream_writer *w, const uint8_t *data, size_t len)
{
  size_t n = w->offset_left < len ? (size_t)w->offset_left : len;
  LARGE_INTEGER at;

  memcpy(w->offset + 8 - w->offset_left, data, n);
  w->offset_left -= n;
  w->left -= n;
  if (w->offset_left == 0) {
    memcpy(&at.QuadPart, w->offset, 8);
    (void)SetFilePointerEx(w->file, at, NULL, FILE_BEGIN);
  }
  return n;
}

static size_t take_data(struct stream_writer *w, const uint8_t *data, size_t len, bool *good)
{
  size_t n = w->left < len ? (size_t)w->left : len;

  if (w->id == STREAM_DATA || w->id == STREAM_SPARSE)
    *good = put(w->file, data, n);
  else if (is_kept(w))
    *good = put(w->side, data, n);
  w->left -= n;
  return n;
}

static void next(struct stream_writer *w)
{
  w->started = false;
  w->filled = 0;
  w->name_size = 0;
}

bool stream_writer_feed(struct stream_writer *w, const uint8_t *data, size_t len)
{
  bool good = true;

  while (good && len > 0) {
    size_t n;

    if (!w->started)
      n = take_head(w, data, len, &good);
    else if (w->offset_left > 0)
      n = take_offset(w, data, len);
    else
      n = take_data(w, data, len, &good);
    data += n;
    len -= n;
    if (good && w->started && w->left == 0)
      next(w);
  }
  return good;
}

bool stream_writer_is_whole(const struct stream_writer *w)
{
  return !w->started && w->filled == 0;
}

void stream_writer_done(struct stream_writer *w)
{
  if (w->side != INVALID_HANDLE_VALUE)
    (void)CloseHandle(w->side);
  w->side = INVALID_HANDLE_VALUE;
}
