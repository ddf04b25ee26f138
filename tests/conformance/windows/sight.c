/* SPDX-License-Identifier: Apache-2.0 */
#include "sight.h"

#include <windows.h>

#include <stdlib.h>
#include <string.h>

enum {
  MAX_PATH_TEXT = 1024
};

/* ---- Files ----------------------------------------------------------------------------------- */

struct place {
  char path[MAX_PATH_TEXT];
  bool fixed;
};

/* One "INSIDE|OUTSIDE|rw". */
static bool is_below(const char *path, const char *mount, struct place *ret)
{
  size_t inside = strcspn(mount, "|");
  size_t outside = strcspn(mount + inside + 1, "|");

  if (_strnicmp(path, mount, inside) != 0 || (path[inside] != '\\' && path[inside] != '\0'))
    return false;
  (void)snprintf(ret->path, sizeof(ret->path), "%.*s%s", (int)outside, mount + inside + 1,
                 path + inside);
  ret->fixed = strncmp(mount + inside + outside + 2, "ro", 2) == 0;
  return true;
}

static struct place place_of(const char *path)
{
  const char *mount = getenv("HCS_SIM_MOUNTS");
  struct place place = { .fixed = false };

  (void)snprintf(place.path, sizeof(place.path), "%s", path);
  while (mount != NULL && *mount != '\0') {
    if (is_below(path, mount, &place))
      break;
    mount += strcspn(mount, ";");
    mount += *mount == ';';
  }
  return place;
}

FILE *sight_open(const char *path, const char *mode, FILE *err)
{
  struct place place = place_of(path);
  FILE *file = place.fixed && mode[0] != 'r' ? NULL : fopen(place.path, mode);

  if (file == NULL)
    (void)fprintf(err, "busy: '%s' %s\n", path,
                  place.fixed ? "is below a read-only mount" : "cannot be opened");
  return file;
}

static int copy_file(const char *path, FILE *out, FILE *err)
{
  FILE *file = sight_open(path, "rb", err);
  int c;

  if (file == NULL)
    return 1;
  while ((c = fgetc(file)) != EOF)
    (void)fputc(c, out);
  (void)fclose(file);
  return 0;
}

static int touch_file(const char *path, FILE *err)
{
  FILE *file = sight_open(path, "ab", err);

  return file != NULL && fclose(file) == 0 ? 0 : 1;
}

static int list_files(const char *path, FILE *out, FILE *err)
{
  struct place place = place_of(path);
  char pattern[MAX_PATH_TEXT + 2];
  WIN32_FIND_DATAA found;
  HANDLE search;

  (void)snprintf(pattern, sizeof(pattern), "%s\\*", place.path);
  search = FindFirstFileA(pattern, &found);
  if (search == INVALID_HANDLE_VALUE) {
    (void)fprintf(err, "busy: '%s' cannot be listed\n", path);
    return 1;
  }
  do {
    if (strcmp(found.cFileName, ".") != 0 && strcmp(found.cFileName, "..") != 0)
      (void)fprintf(out, "%s\n", found.cFileName);
  } while (FindNextFileA(search, &found));
  (void)FindClose(search);
  return 0;
}

/* ---- The rest -------------------------------------------------------------------------------- */

/* Nothing, and a failure, when it has none of it. */
static int print_variable(const char *name, FILE *out)
{
  const char *text = getenv(name);

  if (text != NULL)
    (void)fprintf(out, "%s\n", text);
  return text != NULL ? 0 : 1;
}

bool sight_run(int argc, char **argv, FILE *out, FILE *err, int *ret_code)
{
  static const struct {
    const char *command, *variable;
  } facts[] = {
    { "pwd", "HCS_SIM_HERE" },         { "whoami", "HCS_SIM_USER" },
    { "hostname", "HCS_SIM_HOST" },    { "limits", "HCS_SIM_LIMITS" },
    { "ipconfig", "HCS_SIM_ADDRESS" }, { "resolvers", "HCS_SIM_RESOLVERS" },
    { "console", "HCS_SIM_CONSOLE" },
  };

  for (size_t i = 0; argc == 1 && i < sizeof(facts) / sizeof(facts[0]); i++)
    if (strcmp(argv[0], facts[i].command) == 0) {
      *ret_code = print_variable(facts[i].variable, out);
      return true;
    }
  if (argc != 2)
    return false;
  if (strcmp(argv[0], "cat") == 0)
    *ret_code = copy_file(argv[1], out, err);
  else if (strcmp(argv[0], "touch") == 0)
    *ret_code = touch_file(argv[1], err);
  else if (strcmp(argv[0], "ls") == 0)
    *ret_code = list_files(argv[1], out, err);
  else
    return false;
  return true;
}
