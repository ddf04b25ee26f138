/* SPDX-License-Identifier: Apache-2.0 */
#include "net/files.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/ip4.h"
#include "base/limits.h"

enum {
  MAX_HOST_NAME = 253, /* DNS */
  MAX_WORD = 255,
  MAX_SERVERS = 3 /* what resolvers read (MAXNS) */
};

/* Letters, digits, '-', '_' (services are named so) and '.', beginning with a letter, a digit or
 * '_'. */
static bool is_host_name(const char *name)
{
  size_t len = strlen(name);

  if (len == 0 || len > MAX_HOST_NAME || !(isalnum((unsigned char)name[0]) || name[0] == '_'))
    return false;
  return strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.") == len;
}

static int check_host_name(const char *name, struct zl_error *err)
{
  return is_host_name(name)
             ? 0
             : zl_fail(err, ZL_E_INVALID, 0,
                       "'%.64s' is not a host name: use letters, digits, '-' and '.'", name);
}

static int put_host(struct zl_buf *text, const char *address, const char *name,
                    struct zl_error *err)
{
  int r = check_host_name(name, err);

  return r < 0 ? r : zl_buf_printf(text, err, "%s\t%s\n", address, name);
}

/* "web.example" answers to "web" too. */
static int put_own(struct zl_buf *text, const struct zl_hosts *hosts, struct zl_error *err)
{
  size_t first = strcspn(hosts->hostname, ".");
  char address[ZL_IP4_TEXT];
  int r = check_host_name(hosts->hostname, err);

  /* Without an address of its own its name still resolves, as programs expect. */
  zl_ip4_format(hosts->address != 0 ? hosts->address : INADDR_LOOPBACK, address);
  if (r < 0)
    return r;
  if (hosts->hostname[first] == '\0')
    return zl_buf_printf(text, err, "%s\t%s\n", address, hosts->hostname);
  return zl_buf_printf(text, err, "%s\t%s %.*s\n", address, hosts->hostname, (int)first,
                       hosts->hostname);
}

/* The text of an address that is valid in /etc/hosts; brackets around IPv6 are dropped. */
static bool read_address(const char *text, uint32_t gateway, char ret[INET6_ADDRSTRLEN])
{
  struct in6_addr v6;
  uint32_t v4;
  size_t len = strlen(text);

  if (strcmp(text, "host-gateway") == 0) {
    (void)zl_ip4_format(gateway, ret);
    return gateway != 0;
  }
  if (len >= 2 && text[0] == '[' && text[len - 1] == ']') {
    text++;
    len -= 2;
  }
  if (len >= INET6_ADDRSTRLEN)
    return false;
  memcpy(ret, text, len);
  ret[len] = '\0';
  return zl_ip4_parse(ret, &v4) || inet_pton(AF_INET6, ret, &v6) == 1;
}

static int put_extra(struct zl_buf *text, const char *entry, uint32_t gateway, struct zl_error *err)
{
  char name[MAX_HOST_NAME + 1], address[INET6_ADDRSTRLEN];
  size_t split = strcspn(entry, "=:");

  if (entry[split] == '\0' || split >= sizeof(name) ||
      !read_address(entry + split + 1, gateway, address))
    return zl_fail(err, ZL_E_INVALID, 0,
                   "extra host '%.128s' is not of the form name:address or name:host-gateway",
                   entry);
  memcpy(name, entry, split);
  name[split] = '\0';
  return put_host(text, address, name, err);
}

static int hand_out(struct zl_buf *text, char **ret, struct zl_error *err)
{
  char *content = zl_buf_steal(text);

  if (content == NULL)
    return zl_fail_nomem(err, "a file of the container");
  *ret = content;
  return 0;
}

int zl_files_hosts(const struct zl_hosts *hosts, char **ret, struct zl_error *err)
{
  zl_autobuf text = ZL_BUF_INIT(ZL_MAX_SMALL_FILE);
  char address[ZL_IP4_TEXT];
  int r =
      zl_buf_puts(&text, "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n", err);

  if (r == 0)
    r = put_own(&text, hosts, err);
  for (size_t i = 0; r == 0 && i < hosts->n_others; i++)
    r = put_host(&text, zl_ip4_format(hosts->others[i].address, address), hosts->others[i].name,
                 err);
  for (const char *const *extra = hosts->extra; r == 0 && extra != NULL && *extra != NULL; extra++)
    r = put_extra(&text, *extra, hosts->gateway, err);
  return r < 0 ? zl_wrap(err, "/etc/hosts") : hand_out(&text, ret, err);
}

/* Calls put for each word after the keyword in the lines of a resolv.conf. */
typedef int (*word_fn)(struct zl_buf *text, const char *word, struct zl_error *err);

static int each_word(const char *file, const char *keyword, word_fn put, struct zl_buf *text,
                     struct zl_error *err)
{
  size_t keyword_len = strlen(keyword);
  int r = 0;

  for (const char *line = file; r == 0 && *line != '\0';) {
    const char *end = line + strcspn(line, "\n"), *at = line + keyword_len;
    bool match = strncmp(line, keyword, keyword_len) == 0 && (*at == ' ' || *at == '\t');

    while (r == 0 && match && at < end) {
      char word[MAX_WORD + 1];
      size_t len;

      at += strspn(at, " \t\r");
      len = strcspn(at, " \t\r\n");
      if (len == 0 || *at == '#' || *at == ';')
        break;
      (void)snprintf(word, sizeof(word), "%.*s", (int)(len < MAX_WORD ? len : MAX_WORD), at);
      r = put(text, word, err);
      at += len;
    }
    line = *end == '\n' ? end + 1 : end;
  }
  return r;
}

static size_t count_lines(const struct zl_buf *text)
{
  size_t lines = 0;

  for (size_t i = 0; i < text->len; i++)
    lines += text->data[i] == '\n';
  return lines;
}

static int put_reachable_server(struct zl_buf *text, const char *word, struct zl_error *err)
{
  uint32_t address;

  if (!zl_ip4_parse(word, &address) || address >> 24 == 127 || address == 0 ||
      count_lines(text) >= MAX_SERVERS)
    return 0;
  return zl_buf_printf(text, err, "nameserver %s\n", word);
}

static int put_given_servers(struct zl_buf *text, const char *const *servers, struct zl_error *err)
{
  int r = 0;

  for (; r == 0 && *servers != NULL; servers++) {
    uint32_t address;

    if (!zl_ip4_parse(*servers, &address))
      return zl_fail(err, ZL_E_INVALID, 0, "name server '%.64s' is not an IPv4 address", *servers);
    r = zl_buf_printf(text, err, "nameserver %s\n", *servers);
  }
  return r;
}

static int put_servers(struct zl_buf *text, const struct zl_resolv *resolv, struct zl_error *err)
{
  int r = 0;

  if (resolv->servers != NULL && resolv->servers[0] != NULL)
    return put_given_servers(text, resolv->servers, err);
  if (resolv->host != NULL)
    r = each_word(resolv->host, "nameserver", put_reachable_server, text, err);
  if (r == 0 && text->len == 0)
    r = zl_buf_puts(text, "nameserver 1.1.1.1\nnameserver 8.8.8.8\n", err);
  return r;
}

/* Domains and options alike: nothing that could end the line or begin a comment. */
static bool is_plain_word(const char *word)
{
  size_t len = strlen(word);

  return len > 0 && len < MAX_WORD &&
         strspn(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.:") == len;
}

static int put_word(struct zl_buf *text, const char *word, struct zl_error *err)
{
  return is_plain_word(word) ? zl_buf_printf(text, err, " %s", word) : 0;
}

static int put_line(struct zl_buf *text, const char *keyword, const char *const *given,
                    const char *host, struct zl_error *err)
{
  zl_autobuf words = ZL_BUF_INIT(ZL_MAX_SMALL_FILE);
  int r = 0;

  if (given == NULL && host != NULL)
    r = each_word(host, keyword, put_word, &words, err);
  for (; r == 0 && given != NULL && *given != NULL; given++)
    r = is_plain_word(*given)
            ? put_word(&words, *given, err)
            : zl_fail(err, ZL_E_INVALID, 0, "'%.64s' is not valid for '%s'", *given, keyword);
  if (r < 0 || words.len == 0)
    return r;
  return zl_buf_printf(text, err, "%s%s\n", keyword, words.data);
}

int zl_files_resolv(const struct zl_resolv *resolv, char **ret, struct zl_error *err)
{
  zl_autobuf text = ZL_BUF_INIT(ZL_MAX_SMALL_FILE);
  int r = put_servers(&text, resolv, err);

  if (r == 0)
    r = put_line(&text, "search", resolv->search, resolv->host, err);
  if (r == 0)
    r = put_line(&text, "options", resolv->options, resolv->host, err);
  return r < 0 ? zl_wrap(err, "/etc/resolv.conf") : hand_out(&text, ret, err);
}

int zl_files_hostname(const char *hostname, char **ret, struct zl_error *err)
{
  zl_autobuf text = ZL_BUF_INIT(ZL_MAX_SMALL_FILE);
  int r = check_host_name(hostname, err);

  if (r == 0)
    r = zl_buf_printf(&text, err, "%s\n", hostname);
  return r < 0 ? zl_wrap(err, "/etc/hostname") : hand_out(&text, ret, err);
}
