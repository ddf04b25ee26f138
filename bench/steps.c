/* SPDX-License-Identifier: Apache-2.0
 *
 * Times sequences of commands against each other: round after round, each contender once, in a
 * random order, so that nobody always follows the same one. A contender is a line of the input
 * file, tab-separated: NAME, then steps with the word ";" between them. A step is an argv; "wait",
 * which waits for the end of the processes that earlier steps have left behind (this program is
 * their reaper, as conmon is); or "!" and an argv, which is run but not counted.
 *
 * Prints "NAME<TAB>MICROSECONDS" per contender and round, the sum of its steps. With -c ID, the
 * number of the trace point raw_syscalls:sys_enter, it prints
 * "NAME<TAB>SYSCALLS<TAB>FAULTS<TAB>MICROSECONDS": calls and minor page faults of the counted steps
 * and of what became of their processes until the contender is through, and their time on a CPU.
 *
 * A step that fails ends it. usage: steps [-c ID] ROUNDS FILE
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/perf_event.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
  MAX_CONTENDERS = 16,
  MAX_STEPS = 8,
  MAX_WORDS = 64
};

struct contender {
  const char *name;
  size_t n;
  struct step {
    bool counts, waits;
    char **argv;
  } steps[MAX_STEPS];
  char *words[MAX_WORDS];
};

/* What one contender has used in one round. */
struct use {
  uint64_t us, cpu_us, syscalls, faults;
};

static int null_fd;
static long trace_point = -1;

static _Noreturn void die(const char *what, const char *why)
{
  (void)fprintf(stderr, "steps: %s: %s\n", what, why);
  exit(2);
}

static uint64_t now_us(void)
{
  struct timespec ts;

  (void)clock_gettime(CLOCK_MONOTONIC, &ts);
  return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

/* ---- Contenders ---------------------------------------------------------------------------- */

static void add_step(struct contender *c, char **argv)
{
  struct step *step = &c->steps[c->n];

  if (c->n++ == MAX_STEPS || *argv == NULL)
    die(c->name, "no step, or too many");
  step->counts = strcmp(*argv, "!") != 0;
  step->waits = strcmp(*argv, "wait") == 0;
  step->argv = argv + !step->counts;
}

/* The words of a step are followed by NULL in the place of its ";". */
static void parse(char *line, struct contender *c)
{
  char *save = NULL, *word, **begin = c->words;
  size_t n = 0;

  line[strcspn(line, "\n")] = '\0';
  c->name = strtok_r(line, "\t", &save);
  while ((word = strtok_r(NULL, "\t", &save)) != NULL) {
    if (n == MAX_WORDS - 1)
      die(c->name, "too many words");
    if (strcmp(word, ";") == 0) {
      c->words[n++] = NULL;
      add_step(c, begin);
      begin = c->words + n;
    } else {
      c->words[n++] = word;
    }
  }
  add_step(c, begin);
}

static size_t read_contenders(const char *path, struct contender all[MAX_CONTENDERS])
{
  FILE *file = fopen(path, "re");
  char *line = NULL;
  size_t size = 0, n = 0;

  if (file == NULL)
    die(path, strerror(errno));
  while (getline(&line, &size, file) > 0) {
    if (n == MAX_CONTENDERS)
      die(path, "too many contenders");
    parse(line, &all[n++]);
    line = NULL; /* the contender points into it */
    size = 0;
  }
  (void)fclose(file);
  return n;
}

/* ---- Running ------------------------------------------------------------------------------- */

static pid_t start(char **argv)
{
  pid_t pid = vfork(); // NOLINT(clang-analyzer-security.insecureAPI.vfork): fork would cost more

  if (pid == 0) {
    // NOLINTBEGIN(clang-analyzer-unix.Vfork): system calls on descriptors, no memory is touched
    if (dup2(null_fd, 0) < 0 || dup2(null_fd, 1) < 0)
      _exit(125);
    // NOLINTEND(clang-analyzer-unix.Vfork)
    execv(argv[0], argv);
    _exit(127);
  }
  return pid;
}

/* What others have left behind is reaped as it ends; for `pid` 0 until nothing is left. */
static int await(pid_t pid, struct use *use)
{
  struct rusage r;
  int status = 0;
  pid_t ended;

  for (;;) {
    ended = wait4(-1, &status, 0, &r);
    if (ended < 0 && errno == EINTR)
      continue;
    if (ended < 0)
      return pid == 0 && errno == ECHILD ? 0 : -1;
    use->faults += (uint64_t)r.ru_minflt;
    use->cpu_us += (uint64_t)(r.ru_utime.tv_sec + r.ru_stime.tv_sec) * 1000000 +
                   (uint64_t)(r.ru_utime.tv_usec + r.ru_stime.tv_usec);
    if (ended == pid)
      return status;
  }
}

static void run(const struct contender *c, const struct step *step, struct use *use)
{
  uint64_t began = now_us();
  int status = await(step->waits ? 0 : start(step->argv), use);

  use->us += now_us() - began;
  if (status == 0)
    return;
  (void)fprintf(stderr, "steps: %s: '%s' ended with status %d\n", c->name, step->argv[0], status);
  exit(1);
}

/* Of this process, which makes no calls worth mentioning, and all its children. */
static int open_counter(void)
{
  struct perf_event_attr attr = { .type = PERF_TYPE_TRACEPOINT,
                                  .size = sizeof(attr),
                                  .config = (uint64_t)trace_point,
                                  .inherit = 1,
                                  .disabled = 1 };
  int fd = (int)syscall(SYS_perf_event_open, &attr, 0, -1, -1, PERF_FLAG_FD_CLOEXEC);

  if (fd < 0)
    die("perf_event_open", strerror(errno));
  return fd;
}

static void run_all(const struct contender *c, struct use *use)
{
  int counter = trace_point >= 0 ? open_counter() : -1;
  struct use ignored = { 0 };

  for (size_t i = 0; i < c->n; i++) {
    const struct step *step = &c->steps[i];

    if (counter >= 0)
      (void)ioctl(counter, step->counts ? PERF_EVENT_IOC_ENABLE : PERF_EVENT_IOC_DISABLE, 0);
    run(c, step, step->counts ? use : &ignored);
  }
  if (counter >= 0 && read(counter, &use->syscalls, sizeof(use->syscalls)) < 0)
    die("counter", strerror(errno));
  if (counter >= 0)
    (void)close(counter);
}

static void print(const struct contender *c, const struct use *use)
{
  if (trace_point < 0)
    (void)printf("%s\t%llu\n", c->name, (unsigned long long)use->us);
  else
    (void)printf("%s\t%llu\t%llu\t%llu\n", c->name, (unsigned long long)use->syscalls,
                 (unsigned long long)use->faults, (unsigned long long)use->cpu_us);
}

static void shuffle(size_t *order, size_t n)
{
  for (size_t i = n; i > 1; i--) {
    size_t other = (size_t)random() % i, kept = order[i - 1];

    order[i - 1] = order[other];
    order[other] = kept;
  }
}

int main(int argc, char **argv)
{
  static struct contender all[MAX_CONTENDERS];
  size_t n, order[MAX_CONTENDERS];

  if (argc == 5 && strcmp(argv[1], "-c") == 0)
    trace_point = strtol(argv[2], NULL, 10);
  else if (argc != 3)
    die("usage", "steps [-c ID] ROUNDS FILE");
  null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
  if (null_fd < 0 || prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0)
    die("start", strerror(errno));
  n = read_contenders(argv[argc - 1], all);
  for (size_t i = 0; i < n; i++)
    order[i] = i;
  for (long round = strtol(argv[argc - 2], NULL, 10); round > 0; round--) {
    shuffle(order, n);
    for (size_t i = 0; i < n; i++) {
      struct use use = { 0 };

      run_all(&all[order[i]], &use);
      print(&all[order[i]], &use);
    }
  }
  return 0;
}
