/* SPDX-License-Identifier: Apache-2.0
 *
 * What the suites run in a container, for Windows: one program that is called by the name of each
 * of its commands (echo, sleep, true, false, cat, hostname, seq, sh -c SCRIPT). The shell knows
 * commands one after the other (";"), ">&2", "exit N", "read line" and $line; nothing else is asked
 * of it.
 */
#include <windows.h>

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
  MAX_WORDS = 16
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

static int print_sequence(const char *from, const char *to)
{
  for (long i = strtol(from, NULL, 10); i <= strtol(to, NULL, 10); i++)
    (void)printf("%ld\n", i);
  return 0;
}

static int print_words(int argc, char **argv, FILE *to)
{
  for (int i = 1; i < argc; i++)
    (void)fprintf(to, "%s%s", i > 1 ? " " : "", strcmp(argv[i], "$line") == 0 ? line : argv[i]);
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

static int print_hostname(void)
{
  char name[256] = "";
  DWORD n = sizeof(name);

  return GetComputerNameA(name, &n) && puts(name) >= 0 ? 0 : 1;
}

static int run_script(char *script);

static int run(int argc, char **argv, FILE *to)
{
  const char *name = argv[0];

  if (strcmp(name, "echo") == 0)
    return print_words(argc, argv, to);
  if (strcmp(name, "sleep") == 0 && argc > 1) {
    (void)fflush(stdout);
    Sleep((DWORD)(strtod(argv[1], NULL) * 1000));
    return 0;
  }
  if (strcmp(name, "seq") == 0 && argc > 2)
    return print_sequence(argv[1], argv[2]);
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
  if (strcmp(name, "hostname") == 0)
    return print_hostname();
  if (strcmp(name, "read") == 0)
    return read_line();
  (void)fprintf(stderr, "busy: '%s' is no command of it\n", name);
  return 127;
}

static int run_command(char *text)
{
  char *words[MAX_WORDS + 1];
  FILE *to = stdout;
  int n = 0;

  for (char *word = strtok(text, " "); word != NULL && n < MAX_WORDS; word = strtok(NULL, " "))
    if (strcmp(word, ">&2") == 0)
      to = stderr;
    else
      words[n++] = word;
  return n == 0 ? 0 : run(n, words, to);
}

static int run_script(char *script)
{
  int code = 0;

  while (script != NULL) {
    char *end = strchr(script, ';');

    if (end != NULL)
      *end++ = '\0';
    code = run_command(script);
    script = end;
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
  code = run(argc, argv, stdout);
  (void)fflush(stdout);
  return code;
}
