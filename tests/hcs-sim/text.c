/* SPDX-License-Identifier: Apache-2.0 */
#include "text.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void *sim_alloc(size_t size)
{
  void *memory = calloc(1, size == 0 ? 1 : size);

  if (memory == NULL)
    abort();
  return memory;
}

char *sim_copy(const char *text)
{
  size_t size = strlen(text) + 1;
  char *copy = sim_alloc(size);

  memcpy(copy, text, size);
  return copy;
}

char *sim_narrow(const wchar_t *wide)
{
  int size;
  char *text;

  if (wide == NULL)
    return NULL;
  size = WideCharToMultiByte(CP_UTF8, 0, wide, -1, NULL, 0, NULL, NULL);
  text = sim_alloc((size_t)size + 1);
  (void)WideCharToMultiByte(CP_UTF8, 0, wide, -1, text, size, NULL, NULL);
  return text;
}

wchar_t *sim_wide(const char *text)
{
  int count;
  wchar_t *wide;

  if (text == NULL)
    return NULL;
  count = MultiByteToWideChar(CP_UTF8, 0, text, -1, NULL, 0);
  wide = sim_alloc(((size_t)count + 1) * sizeof(*wide));
  (void)MultiByteToWideChar(CP_UTF8, 0, text, -1, wide, count);
  return wide;
}

char *sim_format(const char *fmt, ...)
{
  va_list ap;
  char *text;
  int len;

  va_start(ap, fmt);
  len = vsnprintf(NULL, 0, fmt, ap);
  va_end(ap);
  if (len < 0)
    abort();
  text = sim_alloc((size_t)len + 1);
  va_start(ap, fmt);
  (void)vsnprintf(text, (size_t)len + 1, fmt, ap);
  va_end(ap);
  return text;
}

char *sim_path_key(const char *path)
{
  char *key = sim_copy(strncmp(path, "\\\\?\\", 4) == 0 ? path + 4 : path);
  size_t len = strlen(key);

  for (size_t i = 0; i < len; i++)
    key[i] = key[i] == '/' ? '\\' : (char)tolower((unsigned char)key[i]);
  while (len > 0 && key[len - 1] == '\\')
    key[--len] = '\0';
  return key;
}

char *sim_join(const char *path, const char *name)
{
  size_t len = strlen(path);

  return sim_format("%s%s%s", path, len > 0 && path[len - 1] == '\\' ? "" : "\\", name);
}

char *sim_env(const char *name)
{
  wchar_t *wide = sim_wide(name), *value;
  DWORD count = GetEnvironmentVariableW(wide, NULL, 0);
  char *text = NULL;

  if (count > 0) {
    value = sim_alloc((count + 1) * sizeof(*value));
    if (GetEnvironmentVariableW(wide, value, count) > 0)
      text = sim_narrow(value);
    free(value);
  }
  free(wide);
  return text;
}

bool sim_path_under(const char *key, const char *root_key)
{
  size_t len = strlen(root_key);

  return strncmp(key, root_key, len) == 0 && (key[len] == '\0' || key[len] == '\\');
}

const char *sim_basename(const char *path)
{
  const char *name = path;

  for (; *path != '\0'; path++)
    if ((*path == '\\' || *path == '/') && path[1] != '\0')
      name = path + 1;
  return name;
}

static DWORD attributes(const char *path)
{
  wchar_t *wide = sim_wide(path);
  DWORD found = GetFileAttributesW(wide);

  free(wide);
  return found;
}

bool sim_exists(const char *path)
{
  return attributes(path) != INVALID_FILE_ATTRIBUTES;
}

bool sim_is_directory(const char *path)
{
  DWORD found = attributes(path);

  return found != INVALID_FILE_ATTRIBUTES && (found & FILE_ATTRIBUTE_DIRECTORY) != 0;
}

bool sim_guid_parse(const char *text, GUID *ret)
{
  unsigned data1, data2, data3, last[8];
  int end = 0;

  if (strlen(text) != SIM_GUID_TEXT - 1 ||
      strspn(text, "0123456789abcdefABCDEF-") != SIM_GUID_TEXT - 1)
    return false;
  if (sscanf(text, "%8x-%4x-%4x-%2x%2x-%2x%2x%2x%2x%2x%2x%n", &data1, &data2, &data3, &last[0],
             &last[1], &last[2], &last[3], &last[4], &last[5], &last[6], &last[7], &end) != 11 ||
      end != SIM_GUID_TEXT - 1)
    return false;
  *ret = (GUID){ .Data1 = data1, .Data2 = (WORD)data2, .Data3 = (WORD)data3 };
  for (int i = 0; i < 8; i++)
    ret->Data4[i] = (BYTE)last[i];
  return true;
}

void sim_guid_format(const GUID *guid, char text[SIM_GUID_TEXT])
{
  const BYTE *d = guid->Data4;

  (void)snprintf(text, SIM_GUID_TEXT, "%08x-%04x-%04x-%02x%02x-%02x%02x%02x%02x%02x%02x",
                 (unsigned)guid->Data1, guid->Data2, guid->Data3, d[0], d[1], d[2], d[3], d[4],
                 d[5], d[6], d[7]);
}

uint64_t sim_hash(const char *text)
{
  uint64_t hash = UINT64_C(14695981039346656037);

  for (; *text != '\0'; text++)
    hash = (hash ^ (unsigned char)*text) * UINT64_C(1099511628211);
  return hash;
}

static void fill(GUID *ret, uint64_t high, uint64_t low, unsigned version)
{
  *ret = (GUID){ .Data1 = (DWORD)(high >> 32),
                 .Data2 = (WORD)(high >> 16),
                 .Data3 = (WORD)((high & 0xfff) | version << 12) };
  for (int i = 0; i < 8; i++)
    ret->Data4[i] = (BYTE)(low >> (8 * i));
  ret->Data4[0] = (BYTE)((ret->Data4[0] & 0x3f) | 0x80);
}

void sim_guid_random(GUID *ret)
{
  static LONG count;
  LARGE_INTEGER now;
  char seed[96];

  (void)QueryPerformanceCounter(&now);
  (void)snprintf(seed, sizeof(seed), "%lu-%ld-%lld", GetCurrentProcessId(),
                 InterlockedIncrement(&count), (long long)now.QuadPart);
  fill(ret, sim_hash(seed), sim_hash(seed + 1) ^ (uint64_t)now.QuadPart, 4);
}

void sim_guid_of_name(const char *name, GUID *ret)
{
  char *salted = sim_format("layer of %s", name);

  fill(ret, sim_hash(name), sim_hash(salted), 5);
  free(salted);
}
