/* SPDX-License-Identifier: Apache-2.0
 *
 * What cases of the OCI tests need inside a container and busybox does not have.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

/* syscall NUMBER [ARGUMENT …]: prints "0" or the number of the error. */
static int do_syscall(int argc, char **argv)
{
  long a[6] = { 0 };

  for (int i = 3; i < argc && i < 9; i++)
    a[i - 3] = strtol(argv[i], NULL, 0);
  errno = 0;
  (void)syscall(strtol(argv[2], NULL, 0), a[0], a[1], a[2], a[3], a[4], a[5]);
  printf("%d\n", errno);
  return 0;
}

static void on_sys(int number, siginfo_t *info, void *context)
{
  (void)number;
  (void)context;
  printf("SIGSYS %d %d\n", info->si_syscall, info->si_errno);
  fflush(stdout);
  _exit(0);
}

/* trap NUMBER: what a filter's SIGSYS tells. */
static int do_trap(char **argv)
{
  struct sigaction action = { .sa_sigaction = on_sys, .sa_flags = SA_SIGINFO };

  sigaction(SIGSYS, &action, NULL);
  (void)syscall(strtol(argv[2], NULL, 0), 0, 0, 0, 0, 0, 0);
  puts("not trapped");
  return 1;
}

/* hog MEBIBYTES: touches that much memory. */
static int do_hog(char **argv)
{
  size_t size = (size_t)strtoul(argv[2], NULL, 10) << 20;
  char *memory = malloc(size);

  if (memory == NULL)
    return 1;
  for (size_t i = 0; i < size; i += 4096)
    memory[i] = 1;
  puts("touched");
  return 0;
}

/* forks NUMBER: how many children can be had at once. */
static int do_forks(char **argv)
{
  long wanted = strtol(argv[2], NULL, 10), n = 0;

  for (; n < wanted; n++) {
    pid_t pid = fork();

    if (pid < 0)
      break;
    if (pid == 0) {
      pause();
      _exit(0);
    }
  }
  printf("%ld %d\n", n, n < wanted ? errno : 0);
  fflush(stdout);
  kill(0, SIGKILL);
  return 0;
}

/* open r|w|rw PATH: prints "0" or the number of the error. */
static int do_open(char **argv)
{
  int flags = strcmp(argv[2], "r") == 0 ? O_RDONLY : strcmp(argv[2], "w") == 0 ? O_WRONLY : O_RDWR;

  errno = 0;
  (void)open(argv[3], flags | O_NONBLOCK | O_NOCTTY);
  printf("%d\n", errno);
  return 0;
}

/* exit CODE | signal NUMBER: ends so. */
static int do_end(char **argv)
{
  int number = (int)strtol(argv[2], NULL, 10);

  if (strcmp(argv[1], "exit") == 0)
    return number;
  signal(number, SIG_DFL);
  raise(number);
  return 1;
}

/* fds: the numbers of the open descriptors, without the one that lists them. */
static int do_fds(void)
{
  for (int fd = 0; fd < 1024; fd++)
    if (fcntl(fd, F_GETFD) >= 0)
      printf("%d ", fd);
  puts("");
  return 0;
}

/* affinity: the processors that may be used. */
static int do_affinity(void)
{
  cpu_set_t set;

  if (sched_getaffinity(0, sizeof(set), &set) < 0)
    return 1;
  for (int i = 0; i < CPU_SETSIZE; i++)
    if (CPU_ISSET(i, &set))
      printf("%d ", i);
  puts("");
  return 0;
}

/* signals: tells each signal that comes, and ends after SIGTERM. */
static int do_signals(void)
{
  sigset_t all;

  sigfillset(&all);
  sigprocmask(SIG_BLOCK, &all, NULL);
  puts("ready");
  fflush(stdout);
  for (;;) {
    int number = 0;

    sigwait(&all, &number);
    printf("got %d\n", number);
    fflush(stdout);
    if (number == SIGTERM)
      return 0;
  }
}

/* datagram PATH TEXT: to a unix socket. */
static int do_datagram(char **argv)
{
  struct sockaddr_un address = { .sun_family = AF_UNIX };
  int fd = socket(AF_UNIX, SOCK_DGRAM, 0);

  strncpy(address.sun_path, argv[2], sizeof(address.sun_path) - 1);
  if (sendto(fd, argv[3], strlen(argv[3]), 0, (struct sockaddr *)&address, sizeof(address)) >= 0)
    return 0;
  perror(argv[2]);
  return 1;
}

int main(int argc, char **argv)
{
  const char *verb = argc > 1 ? argv[1] : "";

  if (argc > 2 && strcmp(verb, "syscall") == 0)
    return do_syscall(argc, argv);
  if (argc > 2 && strcmp(verb, "trap") == 0)
    return do_trap(argv);
  if (argc > 2 && strcmp(verb, "hog") == 0)
    return do_hog(argv);
  if (argc > 2 && strcmp(verb, "forks") == 0)
    return do_forks(argv);
  if (argc > 3 && strcmp(verb, "open") == 0)
    return do_open(argv);
  if (argc > 2 && (strcmp(verb, "exit") == 0 || strcmp(verb, "signal") == 0))
    return do_end(argv);
  if (argc > 3 && strcmp(verb, "datagram") == 0)
    return do_datagram(argv);
  if (strcmp(verb, "fds") == 0)
    return do_fds();
  if (strcmp(verb, "affinity") == 0)
    return do_affinity();
  if (strcmp(verb, "signals") == 0)
    return do_signals();
  return 125;
}
