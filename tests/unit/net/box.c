/* SPDX-License-Identifier: Apache-2.0 */
#include "box.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fd.h"
#include "base/path.h"
#include "net/bridge.h"
#include "net/orphans.h"

enum {
  TALK_MS = 300,
  QUIET_MS = 200
};

uint32_t box_ip(const char *text)
{
  uint32_t address = 0;

  assert_true(zl_ip4_parse(text, &address));
  return address;
}

uint64_t box_now(void)
{
  struct timespec now;

  (void)clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
}

static int open_namespace(void)
{
  int fd = zl_fd_open(AT_FDCWD, "/proc/thread-self/ns/net", O_RDONLY, 0);

  assert_true(fd >= 0);
  return fd;
}

void box_enter(int ns)
{
  assert_int_equal(setns(ns, CLONE_NEWNET), 0);
}

int box_namespace(void)
{
  zl_autofd before = open_namespace();
  int ns;

  assert_int_equal(unshare(CLONE_NEWNET), 0);
  ns = open_namespace();
  box_enter(before);
  return ns;
}

int box_new(void **state)
{
  struct box *box = calloc(1, sizeof(*box));
  struct zl_slice slice;
  struct zl_error err = { 0 };

  assert_non_null(box);
  assert_int_equal(unshare(CLONE_NEWNET | CLONE_NEWNS), 0);
  assert_int_equal(zl_link_lo_up(&err), 0);
  box->host_ns = open_namespace();
  (void)snprintf(box->root, sizeof(box->root), "/tmp/zl-net-XXXXXX");
  assert_non_null(mkdtemp(box->root));
  box->root_fd = zl_fd_open(AT_FDCWD, box->root, O_RDONLY | O_DIRECTORY, 0);
  assert_true(box->root_fd >= 0);
  assert_int_equal(zl_store_open(box->root_fd, box->root, &box->store, &err), 0);
  assert_int_equal(zl_slice_parse("10.200.0.0/28", &slice, &err), 0);
  assert_int_equal(zl_net_open(box->root_fd, box->root, box->store, &slice, &box->net, &err), 0);
  *state = box;
  return 0;
}

static int count_link(void *ctx, const struct zl_link_info *link, struct zl_error *err)
{
  (void)err;
  (void)link;
  ++*(int *)ctx;
  return 0;
}

int box_free(void **state)
{
  struct box *box = *state;
  struct zl_net_status status = { .bridge = true, .rules = true };
  struct zl_error err = { 0 };
  int links = 0;

  box_enter(box->host_ns);
  assert_int_equal(zl_store_run(box->store, &err, "DELETE FROM leases", ""), 0);
  assert_int_equal(zl_net_teardown_if_unused(box->net, NULL, &err), 0);
  assert_int_equal(zl_link_list("zl", count_link, &links, &err), 0);
  assert_int_equal(links, 0);
  assert_int_equal(zl_net_status(box->net, &status, &err), 0);
  assert_false(status.bridge || status.rules);
  zl_net_close(box->net);
  zl_store_close(box->store);
  (void)close(box->host_ns);
  (void)close(box->root_fd);
  assert_int_equal(zl_path_remove_tree(AT_FDCWD, box->root), 0);
  free(box);
  return 0;
}

static void join_bridge(const char *link, const char *bridge, int ns, uint32_t address,
                        unsigned prefix, uint32_t gateway)
{
  const struct zl_veth veth = {
    .link = link, .bridge = bridge, .netns_fd = ns, .address = address
  };
  zl_autofd proc = zl_fd_open(AT_FDCWD, "/proc", O_PATH | O_DIRECTORY, 0),
            before = open_namespace();
  const struct zl_link_self self = {
    .address = address, .prefix = prefix, .gateway = gateway, .proc_fd = proc
  };
  struct zl_error err = { 0 };

  if (zl_link_create_veth(&veth, &err) < 0)
    fail_msg("%s", err.msg);
  box_enter(ns);
  if (zl_link_configure_self(&self, &err) < 0)
    fail_msg("%s", err.msg);
  box_enter(before);
}

struct container box_container(struct box *box, const char *id)
{
  const struct zl_slice *slice = zl_net_slice(box->net);
  struct container container = { .ns = box_namespace() };
  struct zl_error err = { 0 };

  (void)snprintf(container.id, sizeof(container.id), "%s", id);
  assert_int_equal(zl_store_begin(box->store, &err), 0);
  assert_int_equal(zl_lease_acquire(box->net, id, &container.lease, &err), 0);
  assert_int_equal(zl_store_commit(box->store, &err), 0);
  if (zl_net_ensure(box->net, &err) < 0)
    fail_msg("%s", err.msg);
  join_bridge(container.lease.link, zl_net_bridge(box->net), container.ns, container.lease.address,
              slice->prefix, zl_slice_gateway(slice));
  return container;
}

void box_remove(struct box *box, struct container *container)
{
  struct zl_error err = { 0 };

  assert_int_equal(zl_ports_withdraw(box->net, container->id, &err), 0);
  assert_int_equal(zl_link_set_down(container->lease.link, &err), 0);
  assert_int_equal(zl_store_begin(box->store, &err), 0);
  assert_int_equal(zl_lease_release(box->net, container->id, &err), 0);
  assert_int_equal(zl_store_commit(box->store, &err), 0);
  (void)close(container->ns);
}

int box_outside(struct box *box)
{
  const struct zl_slice network = { .network = box_ip("192.0.2.0"), .prefix = 24 };
  struct zl_error err = { 0 };
  int ns = box_namespace();

  (void)box;
  assert_int_equal(zl_bridge_create("world", &network, &err), 0);
  assert_int_equal(zl_bridge_configure("world", &network, &err), 0);
  join_bridge("world0", "world", ns, box_ip("192.0.2.2"), 24, 0);
  return ns;
}

static int open_socket(int ns, int type)
{
  const struct timeval limit = { .tv_usec = TALK_MS * 1000L };
  zl_autofd before = open_namespace();
  const int on = 1;
  int sock;

  box_enter(ns);
  sock = socket(AF_INET, type | SOCK_CLOEXEC, 0);
  box_enter(before);
  assert_true(sock >= 0);
  assert_int_equal(setsockopt(sock, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)), 0);
  assert_int_equal(setsockopt(sock, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)), 0);
  assert_int_equal(setsockopt(sock, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)), 0);
  return sock;
}

static struct sockaddr_in address_of(const char *text, uint16_t port)
{
  return (struct sockaddr_in){ .sin_family = AF_INET,
                               .sin_port = htons(port),
                               .sin_addr.s_addr = htonl(box_ip(text)) };
}

int box_listen(int ns, int type, const char *address, uint16_t port)
{
  struct sockaddr_in where = address_of(address, port);
  int sock = open_socket(ns, type);

  assert_int_equal(bind(sock, (struct sockaddr *)&where, sizeof(where)), 0);
  if (type == SOCK_STREAM)
    assert_int_equal(listen(sock, 8), 0);
  return sock;
}

static bool answer_stream(int listener, struct sockaddr_in *peer)
{
  socklen_t len = sizeof(*peer);
  zl_autofd server = accept4(listener, (struct sockaddr *)peer, &len, SOCK_CLOEXEC);
  char byte;

  return server >= 0 && recv(server, &byte, 1, 0) == 1 && send(server, &byte, 1, MSG_NOSIGNAL) == 1;
}

static bool answer_datagram(int listener, struct sockaddr_in *peer)
{
  socklen_t len = sizeof(*peer);
  char byte;

  return recvfrom(listener, &byte, 1, 0, (struct sockaddr *)peer, &len) == 1 &&
         sendto(listener, &byte, 1, 0, (struct sockaddr *)peer, len) == 1;
}

bool box_talk(int ns, int type, const char *address, uint16_t port, int listener,
              uint32_t *ret_peer)
{
  struct sockaddr_in to = address_of(address, port), peer = { 0 };
  zl_autofd client = open_socket(ns, type);
  char byte = 0;

  if (connect(client, (struct sockaddr *)&to, sizeof(to)) < 0 ||
      send(client, "x", 1, MSG_NOSIGNAL) != 1)
    return false;
  if (!(type == SOCK_STREAM ? answer_stream(listener, &peer) : answer_datagram(listener, &peer)))
    return false;
  if (recv(client, &byte, 1, 0) != 1 || byte != 'x')
    return false;
  if (ret_peer != NULL)
    *ret_peer = ntohl(peer.sin_addr.s_addr);
  return true;
}

bool box_gets(int socket)
{
  struct pollfd poll_fd = { .fd = socket, .events = POLLIN };

  return poll(&poll_fd, 1, QUIET_MS) == 1;
}
