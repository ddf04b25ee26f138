/* SPDX-License-Identifier: Apache-2.0
 *
 * What tests of attacks do inside a container. Each verb prints what it could do, so that nothing
 * is what a safe container prints.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
  MAX_DEPTH = 24
};

/* ---- writable DIR: what below it can be opened for writing, made or removed ---------------------
 */

static unsigned long seen;

static void try_directory(const char *path)
{
  char name[4200];

  (void)snprintf(name, sizeof(name), "%s/zl-made", path);
  if (mkdir(name, 0755) == 0) {
    (void)printf("mkdir %s\n", path);
    (void)rmdir(name);
  }
}

static void walk(const char *path, unsigned depth)
{
  DIR *dir = opendir(path);
  struct dirent *e;

  if (dir == NULL || depth > MAX_DEPTH)
    return;
  try_directory(path);
  while ((e = readdir(dir)) != NULL) {
    char name[4096];
    struct stat st;
    int fd;

    if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0 ||
        snprintf(name, sizeof(name), "%s/%s", path, e->d_name) >= (int)sizeof(name) ||
        lstat(name, &st) < 0)
      continue;
    if (S_ISDIR(st.st_mode))
      walk(name, depth + 1);
    if (!S_ISREG(st.st_mode))
      continue;
    seen++;
    fd = open(name, O_WRONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd >= 0)
      (void)printf("open %s\n", name);
    else if (errno != EROFS && errno != EACCES && errno != EPERM && errno != ENOENT)
      (void)printf("%s %s\n", strerror(errno), name);
    if (fd >= 0)
      (void)close(fd);
  }
  (void)closedir(dir);
}

/* ---- grid DIR SIDE: which of SIDE x SIDE numbers of both kinds can be made and opened
 * ------------- */

static void try_device(const char *path, mode_t kind, unsigned major_number, unsigned minor_number)
{
  const char letter = kind == S_IFBLK ? 'b' : 'c';
  int fd;

  if (mknod(path, kind | 0600, makedev(major_number, minor_number)) == 0)
    (void)printf("m %c %u:%u\n", letter, major_number, minor_number);
  else if (errno != EPERM)
    (void)printf("%s %c %u:%u\n", strerror(errno), letter, major_number, minor_number);
  fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
  if (fd >= 0 || (errno != EPERM && errno != ENOENT))
    (void)printf("r %c %u:%u\n", letter, major_number, minor_number);
  if (fd >= 0)
    (void)close(fd);
  (void)unlink(path);
}

static void try_grid(const char *dir, unsigned side)
{
  char path[4096];

  (void)snprintf(path, sizeof(path), "%s/node", dir);
  for (unsigned i = 0; i < side * side; i++) {
    try_device(path, S_IFCHR, i / side, i % side);
    try_device(path, S_IFBLK, i / side, i % side);
  }
}

/* ---- orphans N: leaves N processes that end after their parent; then counts zombies
 * --------------- */

static int count_zombies(void)
{
  DIR *proc = opendir("/proc");
  struct dirent *e;
  int zombies = 0;

  while (proc != NULL && (e = readdir(proc)) != NULL) {
    char path[300], text[512];
    const char *state;
    FILE *file;

    (void)snprintf(path, sizeof(path), "/proc/%s/stat", e->d_name);
    file = e->d_name[0] >= '0' && e->d_name[0] <= '9' ? fopen(path, "re") : NULL;
    if (file == NULL)
      continue;
    if (fgets(text, sizeof(text), file) != NULL && (state = strrchr(text, ')')) != NULL)
      zombies += state[2] == 'Z';
    (void)fclose(file);
  }
  if (proc != NULL)
    (void)closedir(proc);
  return zombies;
}

static void leave_orphans(unsigned n)
{
  int zombies = 1;

  for (unsigned i = 0; i < n; i++) {
    pid_t pid = fork();

    if (pid == 0)
      _exit(fork() < 0);
    if (pid < 0 || waitpid(pid, NULL, 0) != pid)
      (void)printf("fork: %s\n", strerror(errno));
  }
  for (int tries = 0; tries < 500 && (zombies = count_zombies()) > 0; tries++)
    (void)usleep(10000);
  if (zombies > 0)
    (void)printf("%d zombies\n", zombies);
}

/* ---- type: puts text into the input of the terminal, as if it had been typed there
 * ---------------- */

static void type_into_terminal(void)
{
  static const char text[] = "echo typed\n";
  static char paste[] = { 3 }; /* TIOCL_PASTESEL */
  int fd = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC);

  for (size_t i = 0; i < sizeof(text) - 1; i++)
    for (int to = -1; to <= 2; to++)
      if (ioctl(to < 0 ? fd : to, TIOCSTI, text + i) == 0) {
        (void)puts("typed");
        return;
      }
  for (int to = -1; to <= 2; to++)
    if (ioctl(to < 0 ? fd : to, TIOCLINUX, paste) == 0)
      (void)puts("pasted");
}

/* ---- abstract NAME …: connects to sockets of that name without a path
 * ------------------------------ */

static void connect_to(const char *name)
{
  struct sockaddr_un address = { .sun_family = AF_UNIX };
  size_t len = strlen(name);
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

  if (fd < 0 || len + 1 > sizeof(address.sun_path))
    return;
  memcpy(address.sun_path + 1, name, len);
  if (connect(fd, (struct sockaddr *)&address,
              (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + len)) == 0)
    (void)printf("connected %s\n", name);
  (void)close(fd);
}

/* ---- look WHAT:ARGUMENT …: a line each, in one process where many rounds need it
 * ------------------ */

/* How many lines of a file have a text. */
static unsigned count_lines(const char *path, const char *text)
{
  char line[4096];
  unsigned n = 0;
  FILE *file = fopen(path, "re");

  while (file != NULL && fgets(line, sizeof(line), file) != NULL)
    n += strstr(line, text) != NULL;
  if (file != NULL)
    (void)fclose(file);
  return n;
}

static void show_content(const char *path)
{
  char text[4096];
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  ssize_t n = fd >= 0 ? read(fd, text, sizeof(text)) : -1;

  if (n < 0)
    (void)puts(strerror(errno));
  else
    (void)fwrite(text, 1, (size_t)n, stdout);
  if (fd >= 0)
    (void)close(fd);
}

static unsigned count_entries(const char *path)
{
  DIR *dir = opendir(path);
  const struct dirent *e;
  unsigned n = 0;

  while (dir != NULL && (e = readdir(dir)) != NULL)
    n += e->d_name[0] != '.';
  if (dir != NULL)
    (void)closedir(dir);
  return n;
}

static int error_of_open(const char *path, int flags)
{
  int fd = open(path, flags | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0644);
  int error = fd < 0 ? errno : 0;

  if (fd >= 0)
    (void)close(fd);
  return error;
}

static void look(char what, const char *arg)
{
  struct statfs fs = { 0 };
  struct stat st = { 0 };

  switch (what) {
  case 'm': /* mounts that are described so */
    (void)printf("%u\n", count_lines("/proc/self/mountinfo", arg));
    break;
  case 'f': /* the kind of file system */
    (void)printf("%lx\n", statfs(arg, &fs) < 0 ? 0UL : (unsigned long)fs.f_type);
    break;
  case 'd': /* the number of a device */
    if (stat(arg, &st) == 0)
      (void)printf("%x:%x\n", major(st.st_rdev), minor(st.st_rdev));
    break;
  case 'c':
    show_content(arg);
    break;
  case 'n':
    (void)printf("%u\n", count_entries(arg));
    break;
  case 'w': /* why it cannot be opened for writing; 0: it can */
    (void)printf("%d\n", error_of_open(arg, O_WRONLY));
    break;
  case 'x': /* or made */
    (void)printf("%d\n", error_of_open(arg, O_WRONLY | O_CREAT));
    break;
  case 't':
    (void)printf("%d%d\n", isatty(0), isatty(1));
    break;
  default:
    (void)printf("what is %c?\n", what);
    break;
  }
}

int main(int argc, char **argv)
{
  const char *verb = argc > 1 ? argv[1] : "";

  if (argc > 2 && strcmp(verb, "writable") == 0) {
    for (int i = 2; i < argc; i++)
      walk(argv[i], 0);
    (void)printf("%lu files\n", seen);
  } else if (argc == 4 && strcmp(verb, "grid") == 0) {
    try_grid(argv[2], (unsigned)strtoul(argv[3], NULL, 10));
  } else if (argc == 3 && strcmp(verb, "orphans") == 0) {
    leave_orphans((unsigned)strtoul(argv[2], NULL, 10));
  } else if (strcmp(verb, "look") == 0) {
    for (int i = 2; i < argc; i++)
      if (argv[i][0] != '\0' && argv[i][1] == ':')
        look(argv[i][0], argv[i] + 2);
  } else if (strcmp(verb, "type") == 0) {
    type_into_terminal();
  } else if (strcmp(verb, "abstract") == 0) {
    for (int i = 2; i < argc; i++)
      connect_to(argv[i]);
  } else {
    return 125;
  }
  return 0;
}
