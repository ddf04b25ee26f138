/* SPDX-License-Identifier: Apache-2.0
 *
 * BackupRead and BackupWrite, which Wine does not have.
 */
#include "client.h"

#include <stdlib.h>
#include <string.h>
#include <winternl.h>

#include "streams.h"

struct basic { /* OBJECT_BASIC_INFORMATION */
  ULONG attributes;
  ACCESS_MASK access;
  ULONG counts[12];
};

struct writing {
  struct stream_writer writer;
  char *path;
};

struct reading {
  uint8_t *head; /* the other streams, and the header of the data */
  size_t size, at;
  uint64_t left; /* of the file's data */
};

static char *path_of(HANDLE file)
{
  wchar_t wide[1024] = L"";

  (void)GetFinalPathNameByHandleW(file, wide, 1000, 0);
  return sim_narrow(wide);
}

/* What a security descriptor needs; without it Windows leaves it out and says nothing. */
static bool has_rights(HANDLE file)
{
  const ACCESS_MASK need = WRITE_DAC | WRITE_OWNER | ACCESS_SYSTEM_SECURITY;
  struct basic basic;
  ULONG size = 0;

  if (NtQueryObject(file, ObjectBasicInformation, &basic, sizeof(basic), &size) < 0)
    return false;
  return (basic.access & need) == need;
}

static bool begin_call(const char *name, const char *path, bool security)
{
  hr_t hr = client_simple(name, json_pack("{s:s,s:b,s:b}", "path", path, "security", (int)security,
                                          "privileged", (int)client_is_privileged()));

  if (hr != 0)
    SetLastError(hr & 0xffff);
  return hr == 0;
}

static struct writing *begin_write(HANDLE file, BOOL security)
{
  struct writing *w;
  char *path = path_of(file);

  if (!begin_call("BackupWrite", path, security)) {
    free(path);
    return NULL;
  }
  w = sim_alloc(sizeof(*w));
  w->path = path;
  stream_writer_init(&w->writer, file, security && has_rights(file));
  return w;
}

static void end_write(struct writing *w)
{
  if (w == NULL)
    return;
  if (!stream_writer_is_whole(&w->writer))
    client_misuse("BackupWrite of '%.100s' ends within a stream", w->path);
  if (w->writer.dropped)
    (void)client_simple("sim.dropped", json_pack("{s:s}", "path", w->path));
  stream_writer_done(&w->writer);
  free(w->path);
  free(w);
}

BOOL WINAPI double_BackupWrite(HANDLE file, BYTE *data, DWORD len, DWORD *done, BOOL abort,
                               BOOL security, void **context)
{
  struct writing *w = *context;

  if (abort) {
    end_write(w);
    *context = NULL;
    return TRUE;
  }
  if (w == NULL) {
    w = begin_write(file, security);
    if (w == NULL)
      return FALSE;
    *context = w;
  }
  *done = 0;
  if (!stream_writer_feed(&w->writer, data, len))
    return FALSE;
  *done = len;
  return TRUE;
}

/* ---- Reading --------------------------------------------------------------------------------- */

static uint8_t *read_side(HANDLE file, size_t *size)
{
  char *place = stream_place(file);
  wchar_t *wide = sim_wide(place);
  HANDLE side = CreateFileW(wide, GENERIC_READ, FILE_SHARE_READ, NULL, OPEN_EXISTING, 0, NULL);
  DWORD total = side == INVALID_HANDLE_VALUE ? 0 : GetFileSize(side, NULL), done = 0;
  uint8_t *data = sim_alloc((size_t)total + STREAM_HEADER);

  if (total > 0)
    (void)ReadFile(side, data, total, &done, NULL);
  if (side != INVALID_HANDLE_VALUE)
    (void)CloseHandle(side);
  free(wide);
  free(place);
  *size = done;
  return data;
}

static size_t without_security(uint8_t *data, size_t size)
{
  size_t at = 0, to = 0;

  while (at + STREAM_HEADER <= size) {
    uint32_t id, name;
    uint64_t left;
    size_t whole;

    memcpy(&id, data + at, 4);
    memcpy(&left, data + at + 8, 8);
    memcpy(&name, data + at + 16, 4);
    whole = STREAM_HEADER + name + (size_t)left;
    if (id != STREAM_SECURITY) {
      memmove(data + to, data + at, whole);
      to += whole;
    }
    at += whole;
  }
  return to;
}

static struct reading *begin_read(HANDLE file, BOOL security)
{
  BY_HANDLE_FILE_INFORMATION info;
  uint32_t id = STREAM_DATA;
  struct reading *r;
  char *path = path_of(file);
  bool good = begin_call("BackupRead", path, security) && GetFileInformationByHandle(file, &info);

  free(path);
  if (!good)
    return NULL;
  r = sim_alloc(sizeof(*r));
  r->head = read_side(file, &r->size);
  if (!security)
    r->size = without_security(r->head, r->size);
  if ((info.dwFileAttributes & FILE_ATTRIBUTE_DIRECTORY) == 0) {
    r->left = (uint64_t)info.nFileSizeHigh << 32 | info.nFileSizeLow;
    memset(r->head + r->size, 0, STREAM_HEADER);
    memcpy(r->head + r->size, &id, 4);
    memcpy(r->head + r->size + 8, &r->left, 8);
    r->size += STREAM_HEADER;
  }
  return r;
}

BOOL WINAPI double_BackupRead(HANDLE file, BYTE *data, DWORD len, DWORD *done, BOOL abort,
                              BOOL security, void **context)
{
  struct reading *r = *context;

  if (abort) {
    if (r != NULL)
      free(r->head);
    free(r);
    *context = NULL;
    return TRUE;
  }
  if (r == NULL && (r = begin_read(file, security)) == NULL)
    return FALSE;
  *context = r;
  *done = 0;
  if (r->at < r->size) {
    size_t n = r->size - r->at < len ? r->size - r->at : len;

    memcpy(data, r->head + r->at, n);
    r->at += n;
    *done = (DWORD)n;
    return TRUE;
  }
  if (r->left == 0)
    return TRUE;
  if (!ReadFile(file, data, len < r->left ? len : (DWORD)r->left, done, NULL))
    return FALSE;
  r->left -= *done;
  return TRUE;
}
