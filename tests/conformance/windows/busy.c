/* SPDX-License-Identifier: Apache-2.0
 *
 * What the suites run in a container, for Windows: one program that is called by the name of each
 * of its commands (echo, sleep, true, false, cat, seq, dd, sh -c SCRIPT, and those of sight.h). The
 * shell knows commands one after the other (";", "||", "&&"), ">&2", "2>/dev/null", "> FILE", "exit
 * N", "read line" and $line, and words that are variables; nothing else is asked of it.
 */
#include <windows.h>

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sight.h"

enum {
  MAX_WORDS = 16,
  OUTPUT = 64 << 10, /* Windows' C library writes each line by itself otherwise */
  LINE = 16          /* the longest of a sequence */
};

static char line[256]; /* of "read line" */

/* By handle: the C library drops what it has read when the pipe's other end goes meanwhile. */
static int copy_input(void)
{
  HANDLE in = GetStdHandle(STD_INPUT_HANDLE);
  char chunk[4096];
  DWORD n = 0;

  while (ReadFile(in, chunk, sizeof(chunk), &n, NULL) && n > 0)
    (void)fwrite(chunk, 1, n, stdout);
  return 0;
}

/* In pieces: printf writes each character by itself, which takes Wine minutes. */
static int print_sequence(const char *from, const char *to)
{
  static char piece[OUTPUT];
  const long last = strtol(to, NULL, 10);
  size_t len = 0;

  for (long i = strtol(from, NULL, 10); i <= last; i++) {
    len += (size_t)snprintf(piece + len, sizeof(piece) - len, "%ld\n", i);
    if (i < last && len < sizeof(piece) - LINE)
      continue;
    if (fwrite(piece, len, 1, stdout) != 1)
      return 1;
    len = 0;
  }
  return 0;
}

/* "bs=64k" and "count=N"; it copies zeros. */
static int copy_zeros(int argc, char **argv)
{
  static const char zeros[64 << 10];
  long blocks = 0;

  for (int i = 1; i < argc; i++)
    if (strncmp(argv[i], "count=", 6) == 0)
      blocks = strtol(argv[i] + 6, NULL, 10);
  for (; blocks > 0; blocks--)
    if (fwrite(zeros, sizeof(zeros), 1, stdout) != 1)
      return 1;
  return 0;
}

static const char *value_of(const char *word)
{
  const char *value = word;

  if (strcmp(word, "$line") == 0)
    return line;
  if (word[0] == '$')
    value = getenv(word + 1);
  return value != NULL ? value : "";
}

static int print_words(int argc, char **argv, FILE *to)
{
  for (int i = 1; i < argc; i++)
    (void)fprintf(to, "%s%s", i > 1 ? " " : "", value_of(argv[i]));
  (void)fputs("\n", to);
  (void)fflush(to);
  return 0;
}

static int read_line(void)
{
  if (fgets(line, sizeof(line), stdin) == NULL)
    return 1;
  line[strcspn(line, "\r\n")] = '\0';
  return 0;
}

static int run_script(char *script);

static int run(int argc, char **argv, FILE *to, FILE *err)
{
  const char *name = argv[0];
  int code = 127;

  if (sight_run(argc, argv, to, err, &code))
    return code;
  if (strcmp(name, "echo") == 0)
    return print_words(argc, argv, to);
  if (strcmp(name, "sleep") == 0 && argc > 1) {
    (void)fflush(stdout);
    Sleep((DWORD)(strtod(argv[1], NULL) * 1000));
    return 0;
  }
  if (strcmp(name, "seq") == 0 && argc > 2)
    return print_sequence(argv[1], argv[2]);
  if (strcmp(name, "dd") == 0)
    return copy_zeros(argc, argv);
  if (strcmp(name, "exit") == 0) {
    (void)fflush(stdout);
    exit(argc > 1 ? (int)strtol(argv[1], NULL, 10) : 0);
  }
  if (strcmp(name, "sh") == 0 && argc > 2)
    return run_script(argv[2]);
  if (strcmp(name, "true") == 0 || strcmp(name, "false") == 0)
    return name[0] == 'f';
  if (strcmp(name, "cat") == 0)
    return copy_input();
  if (strcmp(name, "read") == 0)
    return read_line();
  (void)fprintf(err, "busy: '%s' is no command of it\n", name);
  return code;
}

/* "> FILE" and the like: a file to be closed, else NULL. */
static FILE *redirect(const char *word, FILE **to, FILE **err)
{
  if (strcmp(word, ">&2") == 0) {
    *to = stderr;
    return NULL;
  }
  if (strcmp(word, "2>/dev/null") == 0)
    return *err = fopen("NUL", "wb");
  return *to = sight_open(strtok(NULL, " "), "wb", *err);
}

static int run_command(char *text)
{
  char *words[MAX_WORDS + 1];
  FILE *to = stdout, *err = stderr, *opened = NULL;
  int n = 0, code = 1;

  for (char *word = strtok(text, " "); word != NULL && n < MAX_WORDS; word = strtok(NULL, " "))
    if (strcmp(word, ">") == 0 || strcmp(word, ">&2") == 0 || strcmp(word, "2>/dev/null") == 0)
      opened = redirect(word, &to, &err);
    else
      words[n++] = word;
  if (to != NULL && err != NULL)
    code = n == 0 ? 0 : run(n, words, to, err);
  (void)fflush(stdout);
  if (opened != NULL)
    (void)fclose(opened);
  return code;
}

/* Where a command ends, and what stands between it and the next one. */
static char *end_of(char *text, char *ret_between)
{
  char *end = text + strcspn(text, ";|&");

  while ((*end == '|' || *end == '&') && end[1] != *end)
    end += 1 + strcspn(end + 1, ";|&"); /* ">&2" */
  *ret_between = *end;
  if (*end == '\0')
    return NULL;
  *end = '\0';
  return end + (*ret_between == ';' ? 1 : 2);
}

static int run_script(char *script)
{
  char between = ';', next;
  int code = 0;

  while (script != NULL) {
    char *rest = end_of(script, &next);

    if (between == ';' || (between == '|') == (code != 0))
      code = run_command(script);
    between = next;
    script = rest;
  }
  return code;
}

int main(int argc, char **argv)
{
  char *name = argv[0];
  char *dot;
  int code;

  for (char *p = argv[0]; *p != '\0'; p++)
    if (*p == '/' || *p == '\\')
      name = p + 1;
  dot = strrchr(name, '.');
  if (dot != NULL)
    *dot = '\0';
  argv[0] = name;
  (void)setmode(fileno(stdout), O_BINARY);
  (void)setmode(fileno(stderr), O_BINARY);
  (void)setmode(fileno(stdin), O_BINARY);
  (void)setvbuf(stdout, NULL, _IOFBF, OUTPUT);
  code = run(argc, argv, stdout, stderr);
  (void)fflush(stdout);
  return code;
}
