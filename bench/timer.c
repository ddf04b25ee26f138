/* SPDX-License-Identifier: Apache-2.0
 *
 * Times commands against each other: round after round, each contender once, in turn. A contender
 * is a line of the input file, tab-separated: NAME, mount namespace file or "-", then the argv.
 * Prints "NAME<TAB>MICROSECONDS<TAB>EXIT<TAB>FIRST" for each run. The time is that of the whole
 * command, whose output is dropped, and FIRST is "-"; with -f it is the time to the first byte of
 * its output, which FIRST is in hexadecimal.
 *
 * In C because the cost of the harness must not blur the ratio: vfork, exec, wait, nothing else.
 * usage: timer [-f] ROUNDS FILE
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
  MAX_CONTENDERS = 16,
  MAX_ARGS = 128 /* QEMU has many */
};

struct contender {
  char *name;
  int mntns; /* -1: ours */
  char *argv[MAX_ARGS];
};

static uint64_t now_us(void)
{
  struct timespec ts;

  (void)clock_gettime(CLOCK_MONOTONIC, &ts);
  return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

static int parse(char *line, struct contender *c)
{
  char *save = NULL, *field;
  size_t n = 0;

  line[strcspn(line, "\n")] = '\0';
  c->name = strtok_r(line, "\t", &save);
  field = strtok_r(NULL, "\t", &save);
  if (c->name == NULL || field == NULL)
    return -1;
  c->mntns = strcmp(field, "-") == 0 ? -1 : open(field, O_RDONLY | O_CLOEXEC);
  while ((field = strtok_r(NULL, "\t", &save)) != NULL && n < MAX_ARGS - 1)
    c->argv[n++] = field;
  return n > 0 ? 0 : -1;
}

/* The child's parent does not run before the program does. */
static pid_t start(const struct contender *c, int in_fd, int out_fd)
{
  pid_t pid = vfork(); // NOLINT(clang-analyzer-security.insecureAPI.vfork): fork would cost more

  if (pid == 0) {
    // NOLINTBEGIN(clang-analyzer-unix.Vfork): system calls on descriptors, no memory is touched
    if ((c->mntns >= 0 && setns(c->mntns, CLONE_NEWNS) < 0) || dup2(in_fd, 0) < 0 ||
        dup2(out_fd, 1) < 0)
      _exit(125);
    // NOLINTEND(clang-analyzer-unix.Vfork)
    execv(c->argv[0], c->argv);
    _exit(127);
  }
  return pid;
}

static int await_end(pid_t pid)
{
  int status = 0;

  while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
    ;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static void run_whole(const struct contender *c, int null_fd)
{
  uint64_t began = now_us();
  int code = await_end(start(c, null_fd, null_fd));
  uint64_t us = now_us() - began;

  (void)printf("%s\t%llu\t%d\t-\n", c->name, (unsigned long long)us, code);
}

/* What follows the first byte has to fit into the pipe: nobody reads it. */
static void run_first(const struct contender *c, int null_fd)
{
  uint64_t began = now_us(), us;
  unsigned char byte = 0;
  int ends[2], code;
  pid_t pid;
  ssize_t n;

  if (pipe2(ends, O_CLOEXEC) < 0) {
    perror("timer: pipe");
    exit(2);
  }
  pid = start(c, null_fd, ends[1]);
  (void)close(ends[1]);
  while ((n = read(ends[0], &byte, 1)) < 0 && errno == EINTR)
    ;
  us = now_us() - began;
  code = await_end(pid);
  (void)close(ends[0]);
  if (n == 1)
    (void)printf("%s\t%llu\t%d\t%02x\n", c->name, (unsigned long long)us, code, byte);
  else
    (void)printf("%s\t%llu\t%d\tnone\n", c->name, (unsigned long long)us, code);
}

int main(int argc, char **argv)
{
  static struct contender contenders[MAX_CONTENDERS];
  bool first = argc == 4 && strcmp(argv[1], "-f") == 0;
  int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
  FILE *file = argc == 3 || first ? fopen(argv[argc - 1], "re") : NULL;
  char *line = NULL;
  size_t size = 0, n = 0;

  if (file == NULL || null_fd < 0) {
    (void)fprintf(stderr, "usage: timer [-f] ROUNDS FILE\n");
    return 2;
  }
  while (n < MAX_CONTENDERS && getline(&line, &size, file) > 0) {
    if (parse(line, &contenders[n]) == 0)
      n++;
    line = NULL; /* the contender points into it */
    size = 0;
  }
  (void)fclose(file);
  for (long round = strtol(argv[argc - 2], NULL, 10); round > 0; round--)
    for (size_t i = 0; i < n; i++)
      (first ? run_first : run_whole)(&contenders[i], null_fd);
  return 0;
}
