/* SPDX-License-Identifier: Apache-2.0
 *
 * What tests of races need to be fast. It ends when its standard input does, and then prints how
 * often it has changed something. usage: racer swap A B [A B …]: exchanges the two of each pair,
 * again and again, as renameat2(RENAME_EXCHANGE) does at once; racer bind SOURCE PLACE [SOURCE
 * PLACE …]: mounts each source on its place and takes it off again. */
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

enum {
  MAX_PAUSE_US = 40, /* of a random length: in step with nothing */
  CHANGES_A_LOOK = 64
};

static int has_ended(void)
{
  struct pollfd in = { .fd = STDIN_FILENO, .events = POLLIN };

  return poll(&in, 1, 0) > 0;
}

static void pause_a_little(void)
{
  struct timespec time = { .tv_nsec = (random() % MAX_PAUSE_US) * 1000L };

  (void)nanosleep(&time, NULL);
}

static int swap(char **pair)
{
  return renameat2(AT_FDCWD, pair[0], AT_FDCWD, pair[1], RENAME_EXCHANGE);
}

static int cover(char **pair)
{
  if (mount(pair[0], pair[1], NULL, MS_BIND, NULL) < 0)
    return -1;
  pause_a_little();
  return umount2(pair[1], MNT_DETACH);
}

int main(int argc, char **argv)
{
  const int swaps = argc > 1 && strcmp(argv[1], "swap") == 0;
  unsigned long changes = 0;

  if (argc < 4 || argc % 2 != 0)
    return 2;
  (void)prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0);
  for (unsigned long i = 0; i % CHANGES_A_LOOK != 0 || !has_ended(); i++) {
    for (int at = 2; at < argc; at += 2)
      changes += (swaps ? swap(argv + at) : cover(argv + at)) == 0;
    pause_a_little();
  }
  (void)printf("%lu\n", changes);
  return 0;
}
