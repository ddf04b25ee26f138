/* SPDX-License-Identifier: Apache-2.0
 *
 * Times commands against each other: round after round, each contender once, in turn. A contender
 * is a line of the input file, tab-separated: NAME, mount namespace file or "-", then the argv. Its
 * output is dropped. Prints "NAME<TAB>MICROSECONDS<TAB>EXIT" for each run.
 *
 * In C because the cost of the harness must not blur the ratio: vfork, exec, wait, nothing else.
 * usage: timer ROUNDS FILE
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
  MAX_CONTENDERS = 16,
  MAX_ARGS = 64
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

static int run(const struct contender *c, int null_fd, uint64_t *ret_us)
{
  uint64_t start = now_us();
  int status = 0;
  pid_t pid = vfork(); // NOLINT(clang-analyzer-security.insecureAPI.vfork): fork would cost more

  if (pid == 0) {
    // NOLINTBEGIN(clang-analyzer-unix.Vfork): system calls on descriptors, no memory is touched
    if ((c->mntns >= 0 && setns(c->mntns, CLONE_NEWNS) < 0) || dup2(null_fd, 0) < 0 ||
        dup2(null_fd, 1) < 0)
      _exit(125);
    // NOLINTEND(clang-analyzer-unix.Vfork)
    execv(c->argv[0], c->argv);
    _exit(127);
  }
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
    ;
  *ret_us = now_us() - start;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int main(int argc, char **argv)
{
  static struct contender contenders[MAX_CONTENDERS];
  int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
  FILE *file = argc == 3 ? fopen(argv[2], "re") : NULL;
  char *line = NULL;
  size_t size = 0, n = 0;

  if (file == NULL || null_fd < 0) {
    (void)fprintf(stderr, "usage: timer ROUNDS FILE\n");
    return 2;
  }
  while (n < MAX_CONTENDERS && getline(&line, &size, file) > 0) {
    if (parse(line, &contenders[n]) == 0)
      n++;
    line = NULL; /* the contender points into it */
    size = 0;
  }
  (void)fclose(file);
  for (long round = strtol(argv[1], NULL, 10); round > 0; round--) {
    for (size_t i = 0; i < n; i++) {
      uint64_t us;
      int code = run(&contenders[i], null_fd, &us);

      (void)printf("%s\t%llu\t%d\n", contenders[i].name, (unsigned long long)us, code);
    }
  }
  return 0;
}
