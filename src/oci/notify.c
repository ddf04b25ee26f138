/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/notify.h"

#include <fcntl.h>
#include <linux/mount.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/path.h"
#include "base/strv.h"
#include "engine/child.h"

enum {
  PATH_TEXT = 4096,
  MESSAGE = 4096 /* what systemd reads of one */
};

#define DIRECTORY "notify" /* of the container's state, and the socket's name in it */

static const char *host_socket(void)
{
  const char *path = getenv("NOTIFY_SOCKET");

  return path != NULL && *path == '/' ? path : NULL;
}

/* ---- Creation ------------------------------------------------------------------------------ */

static char *own_path(int dir_fd)
{
  char link[ZL_FD_PATH], text[PATH_TEXT];
  ssize_t n = readlink(zl_path_of_fd(dir_fd, link), text, sizeof(text));

  return n < 0 ? NULL : zl_asprintf("%.*s/" DIRECTORY, (int)n, text);
}

int oci_notify_prepare(const struct oci_container *c, struct zl_engine_config *config,
                       struct oci_adopted *adopted, struct zl_error *err)
{
  static char *none[] = { NULL };
  const char *path = host_socket();
  zl_autofree char *variable = NULL;
  int r;

  if (path == NULL)
    return 0;
  if (mkdirat(c->dir_fd, DIRECTORY, 0755) < 0)
    return zl_fail_errno(err, "NOTIFY_SOCKET");
  adopted->notify_source = own_path(c->dir_fd);
  adopted->mounts = calloc(config->n_mounts + 1, sizeof(*adopted->mounts));
  variable = zl_asprintf("NOTIFY_SOCKET=%s/" DIRECTORY, path);
  if (adopted->notify_source == NULL || adopted->mounts == NULL || variable == NULL)
    return zl_fail_nomem(err, "NOTIFY_SOCKET");
  r = oci_adopted_add_env(adopted, config, variable, err);
  if (r < 0)
    return r;
  if (config->n_mounts > 0)
    memcpy(adopted->mounts, config->mounts, config->n_mounts * sizeof(*adopted->mounts));
  adopted->mounts[config->n_mounts++] = (struct zl_mount){
    .destination = path,
    .source = adopted->notify_source,
    .options = none,
    .fs_options = none,
    .data = "",
    .bind = true,
    .attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC,
  };
  config->mounts = adopted->mounts;
  return 0;
}

/* ---- Start --------------------------------------------------------------------------------- */

int oci_notify_open(const struct oci_container *c, int *ret_fd, struct zl_error *err)
{
  struct sockaddr_un address = { .sun_family = AF_UNIX };
  zl_autofd dir = zl_fd_open(c->dir_fd, DIRECTORY, O_PATH | O_DIRECTORY | O_NOFOLLOW, 0);
  zl_autofd sock = -1;
  char link[ZL_FD_PATH];

  *ret_fd = -1;
  if (dir < 0 || host_socket() == NULL)
    return 0;
  sock = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (sock < 0)
    return zl_fail_errno(err, "NOTIFY_SOCKET");
  (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s/" DIRECTORY,
                 zl_path_of_fd(dir, link));
  /* Any user of the container may speak. */
  if (bind(sock, (const struct sockaddr *)&address, sizeof(address)) < 0 ||
      fchmodat(dir, DIRECTORY, 0777, 0) < 0)
    return zl_fail_errno(err, "NOTIFY_SOCKET");
  *ret_fd = zl_steal_fd(&sock);
  return 0;
}

static bool says_ready(char *text)
{
  for (char *line = strtok_r(text, "\n", &text); line != NULL; line = strtok_r(NULL, "\n", &text))
    if (strcmp(line, "READY=1") == 0)
      return true;
  return false;
}

static void pass_on(void)
{
  static const char ready[] = "READY=1";
  struct sockaddr_un address = { .sun_family = AF_UNIX };
  zl_autofd sock = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  const char *path = host_socket();

  if (path == NULL || strlen(path) >= sizeof(address.sun_path))
    return;
  (void)stpcpy(address.sun_path, path);
  if (sendto(sock, ready, strlen(ready), MSG_NOSIGNAL, (const struct sockaddr *)&address,
             sizeof(address)) < 0)
    zl_warning("NOTIFY_SOCKET '%s': %s", path, strerror(errno));
}

void oci_notify_relay(int fd, int pidfd)
{
  char text[MESSAGE + 1];

  for (;;) {
    struct pollfd fds[] = { { .fd = fd, .events = POLLIN }, { .fd = pidfd, .events = POLLIN } };
    ssize_t n;

    if (poll(fds, ZL_COUNT(fds), -1) < 0 && errno != EINTR)
      return;
    n = recv(fd, text, MESSAGE, MSG_DONTWAIT);
    if (n < 0 && fds[1].revents != 0)
      return;
    text[n > 0 ? n : 0] = '\0';
    if (n > 0 && says_ready(text)) {
      pass_on();
      return;
    }
  }
}

void oci_notify_relay_beside(int fd, int pidfd)
{
  struct zl_child child = { .pidfd = -1 };
  int r = zl_child_clone(0, -1, &child, NULL);

  if (r < 0)
    zl_warning("NOTIFY_SOCKET: nobody can be there for it");
  if (r == 0) {
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    oci_notify_relay(fd, pidfd);
    _exit(0);
  }
  zl_fd_closep(&child.pidfd);
}
