/* SPDX-License-Identifier: Apache-2.0 */
#include "image/windows/path.h"

#include <string.h>

#include "base/strv.h"
#include "image/windows/text.h"

static const char files[] = "Files";
static const char hives[] = "Hives";
static const char utility[] = "UtilityVM";
static const char utility_fs[] = "UtilityVM/Files";
static const char wh_prefix[] = ".wh.";
static const char wh_meta[] = ".wh..wh.";

int zl_win_refuse(const char *path, const char *why, struct zl_error *err)
{
  char quoted[ZL_LAYER_QUOTE];

  return zl_fail(err, ZL_E_CORRUPT, 0, "'%s': %s", zl_layer_quote(path, quoted), why);
}

/* Names that mean the way and not a thing. NULL or why the path is refused. */
static const char *absolute_fault(const char *raw)
{
  if (raw[0] == '/' || raw[0] == '\\')
    return "an absolute path";
  if (((raw[0] | 0x20) >= 'a' && (raw[0] | 0x20) <= 'z') && raw[1] == ':')
    return "a path with a drive";
  return NULL;
}

/* Copies the path name by name; "." and doubled slashes go. The last name is judged later. */
static const char *copy_names(const char *raw, char out[ZL_LAYER_PATH], char **ret_last)
{
  const char *fault = NULL;
  size_t len = 0, depth = 0;

  *ret_last = NULL;
  while (fault == NULL) {
    size_t n;

    raw += strspn(raw, "/");
    n = strcspn(raw, "/");
    if (n == 0)
      break;
    if (n == 2 && raw[0] == '.' && raw[1] == '.')
      return "a path with '..'";
    if (n == 1 && raw[0] == '.') {
      raw += n;
      continue;
    }
    if (len + 1 + n > ZL_MAX_LAYER_PATH || ++depth > ZL_MAX_LAYER_DEPTH)
      return "a path that is too long or too deep";
    if (*ret_last != NULL) {
      if (zl_has_prefix(*ret_last, wh_prefix))
        return "an entry below a whiteout";
      fault = zl_win_name_fault(*ret_last, strlen(*ret_last));
      out[len++] = '/';
    }
    memcpy(out + len, raw, n);
    *ret_last = out + len;
    len += n;
    out[len] = '\0';
    raw += n;
  }
  return fault != NULL || *ret_last != NULL ? fault : "a path without a name";
}

static bool is_below(const char *path, const char *top)
{
  return zl_has_prefix(path, top) && (path[strlen(top)] == '/' || path[strlen(top)] == '\0');
}

static const char *find_part(struct zl_win_path *path)
{
  static const struct {
    const char *top;
    enum zl_win_part part;
  } parts[] = { { files, ZL_WIN_FILES },
                { hives, ZL_WIN_HIVES },
                { utility_fs, ZL_WIN_UTILITY_FS } };

  for (size_t i = 0; i < ZL_COUNT(parts); i++)
    if (is_below(path->text, parts[i].top)) {
      path->part = parts[i].part;
      path->is_top = path->text[strlen(parts[i].top)] == '\0';
      return NULL;
    }
  path->part = ZL_WIN_UTILITY;
  path->is_top = true;
  return strcmp(path->text, utility) == 0
             ? NULL
             : "a path outside of Files, Hives and UtilityVM/Files, where a Windows layer has all";
}

static const char *stream_fault(const char *stream)
{
  const char *fault = zl_win_name_fault(stream, strlen(stream));

  /* Streams are no files: their names may be those of devices and end as they like. */
  if (*stream == '\0')
    return "a stream without a name";
  return fault != NULL && (strstr(fault, "device") != NULL || strstr(fault, "ends with") != NULL)
             ? NULL
             : fault;
}

/* A staged layer says there what a directory is (sink_file.c). */
static bool is_import_name(const char *name)
{
  static const char mark[] = ".$wcidirs$";
  size_t len = strlen(name), n = sizeof(mark) - 1;

  return len >= n && zl_win_text_equal(name + len - n, n, mark, n);
}

static const char *file_fault(const char *name)
{
  const char *fault = zl_win_name_fault(name, strlen(name));

  return fault == NULL && is_import_name(name) ? "a name that the import itself uses" : fault;
}

/* The last name: a whiteout, a stream of the file before it, or a name. */
static const char *read_last(struct zl_win_path *path, char *last)
{
  char *colon = strchr(last, ':');
  const char *fault;

  if (zl_has_prefix(last, wh_prefix)) {
    if (zl_has_prefix(last, wh_meta))
      return "a mark that Windows layers do not have: a directory cannot be opaque";
    path->is_whiteout = true;
    memmove(last, last + strlen(wh_prefix), strlen(last + strlen(wh_prefix)) + 1);
    if (*last == '\0' || strcmp(last, ".") == 0 || strcmp(last, "..") == 0)
      return "a whiteout of no name, '.' or '..'";
    return file_fault(last);
  }
  if (colon != NULL) {
    *colon = '\0';
    path->stream = colon + 1;
  }
  fault = file_fault(last);
  return fault == NULL && path->stream != NULL ? stream_fault(path->stream) : fault;
}

static const char *whiteout_fault(const struct zl_win_path *path)
{
  if (!path->is_whiteout)
    return NULL;
  if (path->is_top || (path->part != ZL_WIN_FILES && path->part != ZL_WIN_UTILITY_FS))
    return "a whiteout outside of Files and UtilityVM/Files";
  return NULL;
}

static const char *read_path(const char *raw, struct zl_win_path *path)
{
  char *last = NULL;
  const char *fault = absolute_fault(raw);

  path->stream = NULL;
  path->is_whiteout = false;
  if (fault == NULL)
    fault = copy_names(raw, path->text, &last);
  if (fault == NULL)
    fault = read_last(path, last);
  if (fault == NULL)
    fault = find_part(path);
  return fault == NULL ? whiteout_fault(path) : fault;
}

int zl_win_path_read(const char *raw, struct zl_win_path *ret, struct zl_error *err)
{
  const char *fault = read_path(raw, ret);

  return fault == NULL ? 0 : zl_win_refuse(raw, fault, err);
}

int zl_win_path_read_target(const char *raw, const char *path, struct zl_win_path *ret,
                            struct zl_error *err)
{
  char quoted[ZL_LAYER_QUOTE], target[ZL_LAYER_QUOTE];
  const char *fault = read_path(raw, ret);

  if (fault == NULL && (ret->is_whiteout || ret->stream != NULL))
    fault = "no file";
  if (fault == NULL && (ret->is_top || ret->part == ZL_WIN_HIVES))
    fault = "nothing that has a second name";
  if (fault == NULL)
    return 0;
  return zl_fail(err, ZL_E_CORRUPT, 0, "'%s': hard link to '%s': %s", zl_layer_quote(path, quoted),
                 zl_layer_quote(raw, target), fault);
}
