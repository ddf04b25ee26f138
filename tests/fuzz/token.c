/* SPDX-License-Identifier: Apache-2.0
 *
 * Fuzz target of a registry's authentication: the first line is its WWW-Authenticate, what follows
 * the reply of its token server, with a byte for the settings in front. Credentials go to the token
 * server over TLS or where plain HTTP is configured, ask for our repository, and what comes of it
 * is one header line.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/strv.h"
#include "image/credentials.h"
#include "image/registry_auth.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
  MAX_HEADER = 8192
};

/* What the input says, for the functions below, which stand for network and files. */
static struct {
  bool insecure, identity;
  const uint8_t *reply;
  size_t reply_len;
  unsigned requests;
} world;

static void require(bool condition)
{
  if (!condition)
    abort();
}

static void check_request(const struct zl_http_request *request)
{
  const char *query = request->form != NULL ? request->form : request->url->path;

  require(request->url->https || world.insecure);
  require(request->url->host[0] != '\0' && request->url->path[0] == '/');
  require((request->form != NULL) == world.identity);
  for (const char *p = query; *p != '\0'; p++)
    require((unsigned char)*p > ' ' && *p != 0x7f);
  require(strstr(query, "scope=") != NULL);
  require(request->headers[0] == NULL ||
          strcmp(request->headers[0], "Authorization: Basic dXNlcjpzZWNyZXQ=") == 0);
  require(request->max_body > 0 && request->total_ms > 0);
}

int zl_http_run(struct zl_http *http, const struct zl_http_request *request,
                struct zl_http_reply *reply, struct zl_error *err)
{
  (void)http;
  check_request(request);
  world.requests++;
  reply->status = world.reply_len > 0 && world.reply[0] == '!' ? 401 : 200;
  return request->body(request->ctx, reply, world.reply, world.reply_len, err);
}

void zl_http_reply_done(struct zl_http_reply *reply)
{
  zl_buf_done(&reply->head);
}

void zl_credentials_find(const char *host, const char *repository, struct zl_credentials *ret)
{
  require(strcmp(host, "registry.example") == 0 && strcmp(repository, "a/b") == 0);
  if (world.identity)
    ret->identity_token = strdup("identity");
}

void zl_credentials_done(struct zl_credentials *credentials)
{
  zl_freep(&credentials->username);
  zl_freep(&credentials->password);
  zl_freep(&credentials->identity_token);
}

const struct zl_registry_config *zl_registries_find_url(const struct zl_registries *registries,
                                                        const struct zl_url *url)
{
  (void)registries;
  (void)url;
  return NULL;
}

static void check_header(const char *header)
{
  const char *value = header;

  require(zl_has_prefix(header, "Authorization: B"));
  value += zl_has_prefix(header, "Authorization: Bearer ") ? 22 : 21;
  require(*value != '\0');
  for (; *value != '\0'; value++)
    require(*value > ' ' && *value <= '~');
}

static void ask(const char *challenge, bool given)
{
  static const struct zl_registries registries = { NULL, 0 };
  const struct zl_auth_options options = { .host = "registry.example",
                                           .username = given ? "user" : NULL,
                                           .password = given ? "secret" : NULL,
                                           .registries = &registries,
                                           .timeout_ms = 1,
                                           .cancel_fd = -1 };
  const struct zl_auth_target target = { "registry.example", "a/b", world.insecure };
  ZL_CLEANUP(zl_auth_freep) struct zl_auth *auth = NULL;
  zl_autofree char *header = NULL;
  struct zl_error err = { 0 };
  int r;

  require(zl_auth_new(&options, &auth, &err) == 0);
  r = zl_auth_respond(auth, NULL, &target, challenge, NULL, &err);
  require(r == 0 || (-r == (int)err.code && err.msg[0] != '\0'));
  require(zl_auth_header(auth, &target, &header, &err) == 0 && (header != NULL) == (r == 0));
  require(world.requests <= 1);
  if (header != NULL)
    check_header(header);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  static char challenge[MAX_HEADER];
  const uint8_t *line;
  size_t len;

  if (size < 1)
    return 0;
  line = memchr(data + 1, '\n', size - 1);
  len = line != NULL ? (size_t)(line - data - 1) : size - 1;
  if (len >= sizeof(challenge))
    return 0;
  memcpy(challenge, data + 1, len);
  challenge[len] = '\0';
  world.insecure = (data[0] & 1) != 0;
  world.identity = (data[0] & 6) == 6;
  world.reply = line != NULL ? line + 1 : data;
  world.reply_len = line != NULL ? size - len - 2 : 0;
  world.requests = 0;
  ask(challenge, (data[0] & 6) == 2);
  return 0;
}
