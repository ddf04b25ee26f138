/* SPDX-License-Identifier: Apache-2.0 */
#include "links.h"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include "box.h"

void links_expect_address(const char *name, const char *address)
{
  char script[160];

  (void)snprintf(script, sizeof(script),
                 "ip -4 -o addr show eth0 | grep -c ' %s/28 '; ip route | grep -c 'via %s'",
                 address, BOX_GATEWAY);
  box_expect_output(name, script, "1\n1\n");
}

void links_expect_none(const char *name)
{
  box_expect_output(name, "ls /sys/class/net", "lo\n");
}

void links_expect_hostname(const char *name, const char *hostname)
{
  char script[160], wanted[160];

  (void)snprintf(script, sizeof(script), "hostname; cat /etc/hostname; grep -c %s /etc/hosts",
                 hostname);
  (void)snprintf(wanted, sizeof(wanted), "%s\n%s\n1\n", hostname, hostname);
  box_expect_output(name, script, wanted);
}

void links_expect_resolver(const char *name, const char *server)
{
  char script[160];

  (void)snprintf(script, sizeof(script), "grep -c 'nameserver %s' /etc/resolv.conf", server);
  box_expect_output(name, script, "1\n");
}

const char *links_server(const char *text)
{
  static char script[96];

  (void)snprintf(script, sizeof(script), "while true; do echo %s | nc -l -p 80; done", text);
  return script;
}

void links_expect_reach(const char *from, const char *to, const char *address, const char *text)
{
  char script[96], wanted[96];

  (void)to;
  (void)snprintf(script, sizeof(script), "until nc -w 2 %s 80; do sleep 0.02; done", address);
  (void)snprintf(wanted, sizeof(wanted), "%s\n", text);
  box_expect_output(from, script, wanted);
}

struct asked {
  uint16_t port;
  const char *text;
};

static bool is_served(void *ctx)
{
  const struct asked *asked = ctx;
  struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(asked->port) };
  char text[64] = "";
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  bool ok;

  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  ok = connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0 &&
       read(fd, text, sizeof(text) - 1) > 0 && strcspn(text, "\n") == strlen(asked->text) &&
       strncmp(text, asked->text, strlen(asked->text)) == 0;
  (void)close(fd);
  return ok;
}

void links_expect_published(const char *name, uint16_t host_port, const char *text)
{
  struct asked asked = { .port = host_port, .text = text };

  (void)name;
  assert_true(box_eventually(is_served, &asked));
}
