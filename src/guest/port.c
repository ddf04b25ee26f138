/* SPDX-License-Identifier: Apache-2.0 */
#include "guest/port.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/compiler.h"
#include "base/fd.h"
#include "base/strv.h"
#define PORTS "/sys/class/virtio-ports"

enum {
  PATIENCE_MS = 10000, /* an emulated machine under load needs seconds to find its devices */
  MAX_PORT_NAME = 64,  /* ours have 17 bytes */
  KERNEL_EVENTS = 1    /* multicast group of the kernel's own events */
};

static bool has_name(const char *device, const char *name)
{
  zl_autobuf text = ZL_BUF_INIT(MAX_PORT_NAME);
  char path[sizeof(PORTS) + 256 + 8];

  (void)snprintf(path, sizeof(path), PORTS "/%s/name", device);
  if (zl_file_read(AT_FDCWD, path, &text, NULL) < 0 || text.data == NULL)
    return false;
  text.data[strcspn(text.data, "\n")] = '\0';
  return strcmp(text.data, name) == 0;
}

static int close_directory(DIR *dir, int result)
{
  (void)closedir(dir);
  return result;
}

/* The descriptor, or -errno. */
static int open_port(const char *name)
{
  DIR *dir = opendir(PORTS);
  struct dirent *entry;
  char path[256 + 8];

  if (dir == NULL)
    return -ENOENT;
  while ((entry = readdir(dir)) != NULL) {
    if (entry->d_name[0] == '.' || !has_name(entry->d_name, name))
      continue;
    (void)snprintf(path, sizeof(path), "/dev/%s", entry->d_name);
    return close_directory(dir, zl_fd_open(AT_FDCWD, path, O_RDWR | O_NONBLOCK, 0));
  }
  return close_directory(dir, -ENOENT);
}

/* A port's name comes from the host some time after its device: the kernel tells when. */
static int listen_for_events(struct zl_error *err)
{
  struct sockaddr_nl address = { .nl_family = AF_NETLINK, .nl_groups = KERNEL_EVENTS };
  zl_autofd fd =
      socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_KOBJECT_UEVENT);

  if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
    return zl_fail_errno(err, "listening for the kernel's events");
  return zl_steal_fd(&fd);
}

static int await_event(int fd)
{
  struct pollfd wait = { .fd = fd, .events = POLLIN };
  ZL_UNCLEARED char event[4096];
  int r = poll(&wait, 1, PATIENCE_MS);

  while (r > 0 && recv(fd, event, sizeof(event), 0) > 0)
    continue;
  return r;
}

int port_find(const char *name, int *ret_fd, struct zl_error *err)
{
  zl_autofd events = -1;
  int fd = open_port(name);

  if (fd == -ENOENT) {
    events = listen_for_events(err);
    if (events < 0)
      return events;
    while ((fd = open_port(name)) == -ENOENT && await_event(events) > 0)
      continue;
  }
  if (fd < 0)
    return zl_fail(err, ZL_E_SYSTEM, -fd, "virtio-serial port '%s'", name);
  *ret_fd = fd;
  return 0;
}
