/* SPDX-License-Identifier: Apache-2.0
 *
 * libcurl is resolved at run time, in this file only: programs that pull nothing do not pay for it
 * and its forty libraries.
 */
#include <curl/curl.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/limits.h"
#include "base/strv.h"
#include "base/time.h"
#include "image/http.h"

enum {
  RECEIVE_BUFFER = 256 << 10, /* as large as one piece given to the hash and the unpacker */
  MIN_BYTES_PER_S = 1024,
  POLL_MS = 1000
};

static struct {
  __typeof__(&curl_global_init) global_init;
  __typeof__(&curl_easy_init) easy_init;
  __typeof__(&curl_easy_reset) easy_reset;
  __typeof__(&curl_easy_cleanup) easy_cleanup;
  __typeof__(&curl_easy_strerror) easy_strerror;
  CURLcode (*easy_setopt)(CURL *, CURLoption, ...);
  __typeof__(&curl_multi_init) multi_init;
  __typeof__(&curl_multi_cleanup) multi_cleanup;
  __typeof__(&curl_multi_add_handle) multi_add;
  __typeof__(&curl_multi_remove_handle) multi_remove;
  __typeof__(&curl_multi_perform) multi_perform;
  __typeof__(&curl_multi_poll) multi_poll;
  __typeof__(&curl_multi_info_read) multi_info_read;
  __typeof__(&curl_slist_append) slist_append;
  __typeof__(&curl_slist_free_all) slist_free_all;
  bool ready;
  char why[160];
} lib;

static pthread_once_t once = PTHREAD_ONCE_INIT;

static void load(void)
{
  const struct {
    const char *name;
    void *slot;
  } symbols[] = {
    { "curl_global_init", &lib.global_init },
    { "curl_easy_init", &lib.easy_init },
    { "curl_easy_reset", &lib.easy_reset },
    { "curl_easy_cleanup", &lib.easy_cleanup },
    { "curl_easy_strerror", &lib.easy_strerror },
    { "curl_easy_setopt", &lib.easy_setopt },
    { "curl_multi_init", &lib.multi_init },
    { "curl_multi_cleanup", &lib.multi_cleanup },
    { "curl_multi_add_handle", &lib.multi_add },
    { "curl_multi_remove_handle", &lib.multi_remove },
    { "curl_multi_perform", &lib.multi_perform },
    { "curl_multi_poll", &lib.multi_poll },
    { "curl_multi_info_read", &lib.multi_info_read },
    { "curl_slist_append", &lib.slist_append },
    { "curl_slist_free_all", &lib.slist_free_all },
  };
  void *so = dlopen("libcurl.so.4", RTLD_NOW | RTLD_LOCAL);

  for (size_t i = 0; so != NULL && i < ZL_COUNT(symbols); i++) {
    void *sym = dlsym(so, symbols[i].name);

    __builtin_memcpy(symbols[i].slot, &sym, sizeof(sym));
    if (sym == NULL)
      so = NULL;
  }
  if (so == NULL)
    (void)snprintf(lib.why, sizeof(lib.why), "%s", dlerror());
  else if (lib.global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
    (void)snprintf(lib.why, sizeof(lib.why), "curl_global_init failed");
  else
    lib.ready = true;
}

struct zl_http {
  CURLM *multi;
  CURL *easy;
};

int zl_http_new(struct zl_http **ret, struct zl_error *err)
{
  ZL_CLEANUP(zl_http_freep) struct zl_http *http = NULL;

  (void)pthread_once(&once, load);
  if (!lib.ready)
    return zl_fail(err, ZL_E_UNSUPPORTED, 0, "libcurl (package libcurl4) is needed: %s", lib.why);
  http = calloc(1, sizeof(*http));
  if (http == NULL || (http->multi = lib.multi_init()) == NULL ||
      (http->easy = lib.easy_init()) == NULL)
    return zl_fail_nomem(err, "an HTTP client");
  *ret = zl_steal_ptr(&http);
  return 0;
}

void zl_http_free(struct zl_http *http)
{
  if (http == NULL)
    return;
  if (http->easy != NULL)
    lib.easy_cleanup(http->easy);
  if (http->multi != NULL)
    (void)lib.multi_cleanup(http->multi);
  free(http);
}

/* ---- One exchange ---------------------------------------------------------------------------- */

struct exchange {
  const struct zl_http_request *req;
  struct zl_http_reply *reply;
  struct zl_error *err;
  int verdict; /* what a callback decided: > 0 enough, < 0 failed, *err filled */
  struct curl_slist *headers;
  uint64_t sent;                   /* bytes of the upload */
  uint64_t waited_ns;              /* spent waiting for the network */
  uint64_t window_ns, window_from; /* since the last stall check, and the bytes it began with */
  char why[CURL_ERROR_SIZE];
};

/* An informational reply (1xx) may come first: a new status line drops what came before. */
static int keep_head_line(struct exchange *x, const char *line, size_t len)
{
  struct zl_http_reply *reply = x->reply;

  while (len > 0 && (line[len - 1] == '\n' || line[len - 1] == '\r'))
    len--;
  if (len > 5 && memcmp(line, "HTTP/", 5) == 0 && reply->received == 0) {
    const char *space = memchr(line, ' ', len);
    char digits[4] = { 0 };
    uint64_t status = 0;

    zl_buf_clear(&reply->head);
    if (space != NULL && (size_t)(line + len - space) >= 4)
      memcpy(digits, space + 1, 3);
    if (!zl_parse_u64(digits, 999, &status))
      return zl_fail(x->err, ZL_E_REMOTE, 0, "%s: malformed status line", x->req->url->host);
    reply->status = (int)status;
    return 0;
  }
  if (len == 0 || memchr(line, '\0', len) != NULL)
    return 0;
  if (zl_buf_append(&reply->head, line, len, x->err) < 0 ||
      zl_buf_append(&reply->head, "", 1, x->err) < 0)
    return zl_wrap(x->err, "%s: headers of the reply", x->req->url->host);
  return 0;
}

static size_t on_header(char *data, size_t size, size_t n, void *ctx)
{
  struct exchange *x = ctx;

  (void)size;
  x->verdict = keep_head_line(x, data, n);
  return x->verdict == 0 ? n : 0;
}

static bool is_success(const struct zl_http_reply *reply)
{
  return reply->status >= 200 && reply->status < 300;
}

static int check_length(struct exchange *x)
{
  const char *text = zl_http_header(x->reply, "content-length");
  uint64_t length = 0;

  if (!is_success(x->reply) || text == NULL)
    return 0;
  if (!zl_parse_u64(text, UINT64_MAX, &length) || length > x->req->max_body)
    return zl_fail(x->err, ZL_E_LIMIT, 0, "%s announces %.40s bytes, at most %llu are expected",
                   x->req->url->host, text, (unsigned long long)x->req->max_body);
  return 0;
}

static size_t on_body(char *data, size_t size, size_t n, void *ctx)
{
  struct exchange *x = ctx;

  (void)size;
  if (x->reply->received == 0)
    x->verdict = check_length(x);
  if (x->verdict != 0)
    return 0;
  x->reply->received += n;
  if (is_success(x->reply) && x->reply->received > x->req->max_body)
    x->verdict = zl_fail(x->err, ZL_E_LIMIT, 0, "%s sends more than the expected %llu bytes",
                         x->req->url->host, (unsigned long long)x->req->max_body);
  else
    x->verdict = x->req->body(x->req->ctx, x->reply, data, n, x->err);
  return x->verdict == 0 ? n : 0;
}

/* The next bytes of the upload. An abort leaves its reason in the verdict. */
static size_t on_send(char *data, size_t size, size_t n, void *ctx)
{
  struct exchange *x = ctx;
  const struct zl_http_upload *up = x->req->upload;
  uint64_t left = up != NULL ? up->size - x->sent : 0;
  size_t len = size * n < left ? size * n : (size_t)left;
  ssize_t got = (ssize_t)len;

  if (len == 0)
    return 0;
  if (up->data != NULL)
    memcpy(data, (const char *)up->data + x->sent, len);
  else
    got = pread(up->fd, data, len, (off_t)(up->offset + x->sent));
  if (got <= 0)
    x->verdict = zl_fail(x->err, ZL_E_SYSTEM, got < 0 ? errno : EIO, "reading what is sent");
  else if (up->sent != NULL)
    x->verdict = up->sent(up->ctx, x->sent + (uint64_t)got, x->err);
  if (x->verdict != 0)
    return CURL_READFUNC_ABORT;
  x->sent += (uint64_t)got;
  return (size_t)got;
}

/* An exchange that libcurl wants to begin again, on another connection. */
static int on_rewind(void *ctx, curl_off_t offset, int origin)
{
  struct exchange *x = ctx;

  if (origin != SEEK_SET || offset != 0)
    return CURL_SEEKFUNC_FAIL;
  x->sent = 0;
  return CURL_SEEKFUNC_OK;
}

static void set_method(CURL *easy, struct exchange *x)
{
  const char *method = x->req->method;

  if (method == NULL)
    return;
  if (strcmp(method, "HEAD") == 0) {
    (void)lib.easy_setopt(easy, CURLOPT_NOBODY, 1L);
    return;
  }
  (void)lib.easy_setopt(easy, CURLOPT_CUSTOMREQUEST, method);
  if (strcmp(method, "DELETE") == 0)
    return;
  (void)lib.easy_setopt(easy, CURLOPT_UPLOAD, 1L);
  (void)lib.easy_setopt(easy, CURLOPT_READFUNCTION, on_send);
  (void)lib.easy_setopt(easy, CURLOPT_READDATA, x);
  (void)lib.easy_setopt(easy, CURLOPT_SEEKFUNCTION, on_rewind);
  (void)lib.easy_setopt(easy, CURLOPT_SEEKDATA, x);
  (void)lib.easy_setopt(easy, CURLOPT_INFILESIZE_LARGE,
                        (curl_off_t)(x->req->upload != NULL ? x->req->upload->size : 0));
}

static int add_headers(struct exchange *x)
{
  for (size_t i = 0; x->req->headers != NULL && x->req->headers[i] != NULL; i++) {
    struct curl_slist *list = lib.slist_append(x->headers, x->req->headers[i]);

    if (list == NULL)
      return zl_fail_nomem(x->err, "request headers");
    x->headers = list;
  }
  return 0;
}

/* All in one text: libcurl takes one file. */
static int set_authorities(CURL *easy, struct exchange *x, char *const *files)
{
  zl_autobuf text = ZL_BUF_INIT((size_t)ZL_MAX_CA_BYTES);
  struct curl_blob blob;

  for (; files != NULL && *files != NULL; files++) {
    if (zl_file_read(AT_FDCWD, *files, &text, x->err) < 0 || zl_buf_puts(&text, "\n", x->err) < 0)
      return zl_wrap(x->err, "authorities for %s: '%s'", x->req->url->host, *files);
  }
  if (text.len == 0)
    return 0;
  blob = (struct curl_blob){ .data = text.data, .len = text.len, .flags = CURL_BLOB_COPY };
  (void)lib.easy_setopt(easy, CURLOPT_CAINFO_BLOB, &blob);
  return 0;
}

static int set_tls(CURL *easy, struct exchange *x)
{
  const struct zl_http_request *req = x->req;
  const bool verify = !req->skip_verify && (req->tls == NULL || !req->tls->skip_verify);

  (void)lib.easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
  (void)lib.easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, verify ? 1L : 0L);
  (void)lib.easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, verify ? 2L : 0L);
  if (req->tls == NULL || !req->url->https)
    return 0;
  if (req->tls->cert_file != NULL) {
    (void)lib.easy_setopt(easy, CURLOPT_SSLCERT, req->tls->cert_file);
    (void)lib.easy_setopt(easy, CURLOPT_SSLKEY,
                          req->tls->key_file != NULL ? req->tls->key_file : req->tls->cert_file);
  }
  return set_authorities(easy, x, req->tls->ca_files);
}

static void set_proxy(CURL *easy, const struct zl_http_request *req)
{
  if (req->proxy != NULL) {
    (void)lib.easy_setopt(easy, CURLOPT_PROXY, req->proxy);
    (void)lib.easy_setopt(easy, CURLOPT_NOPROXY, "");
  } else if (zl_host_is_loopback(req->url->host)) {
    (void)lib.easy_setopt(easy, CURLOPT_PROXY, "");
  }
}

/* curl keeps its own copy of every string given here. */
static int set_options(CURL *easy, struct exchange *x)
{
  const struct zl_http_request *req = x->req;
  zl_autofree char *url = zl_url_render(req->url);

  if (url == NULL)
    return zl_fail_nomem(x->err, "an address");
  lib.easy_reset(easy);
  (void)lib.easy_setopt(easy, CURLOPT_URL, url);
  (void)lib.easy_setopt(easy, CURLOPT_PROTOCOLS_STR, req->url->https ? "https" : "http");
  (void)lib.easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
  (void)lib.easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
  (void)lib.easy_setopt(easy, CURLOPT_USERAGENT, "zlayer/" ZL_VERSION);
  (void)lib.easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  (void)lib.easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
  (void)lib.easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
  (void)lib.easy_setopt(easy, CURLOPT_BUFFERSIZE, (long)RECEIVE_BUFFER);
  (void)lib.easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)req->connect_ms);
  (void)lib.easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
  (void)lib.easy_setopt(easy, CURLOPT_ERRORBUFFER, x->why);
  (void)lib.easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
  (void)lib.easy_setopt(easy, CURLOPT_HEADERDATA, x);
  (void)lib.easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
  (void)lib.easy_setopt(easy, CURLOPT_WRITEDATA, x);
  set_proxy(easy, req);
  if (req->form != NULL)
    (void)lib.easy_setopt(easy, CURLOPT_COPYPOSTFIELDS, req->form);
  set_method(easy, x);
  if (add_headers(x) < 0)
    return -ZL_E_NO_MEMORY;
  (void)lib.easy_setopt(easy, CURLOPT_HTTPHEADER, x->headers);
  return set_tls(easy, x);
}

static int fail_curl(struct exchange *x, CURLcode code)
{
  const char *why = x->why[0] != '\0' ? x->why : lib.easy_strerror(code);
  const struct zl_url *url = x->req->url;
  enum zl_code result = ZL_E_REMOTE;

  switch (code) {
  case CURLE_OPERATION_TIMEDOUT:
    result = ZL_E_TIMEOUT;
    x->reply->failure = ZL_HTTP_TRANSIENT;
    break;
  case CURLE_COULDNT_CONNECT:
    x->reply->failure = ZL_HTTP_REFUSED;
    break;
  case CURLE_SSL_CONNECT_ERROR:
    x->reply->failure = ZL_HTTP_NO_TLS;
    break;
  case CURLE_PARTIAL_FILE:
  case CURLE_GOT_NOTHING:
  case CURLE_SEND_ERROR:
  case CURLE_RECV_ERROR:
  case CURLE_HTTP2:
  case CURLE_HTTP2_STREAM:
    x->reply->failure = ZL_HTTP_TRANSIENT;
    break;
  default:
    break;
  }
  return zl_fail(x->err, result, 0, "%s:%u: %s", url->host, (unsigned)url->port, why);
}

/* A server that sends almost nothing would hold a connection, and the pull, for ever. Only time
 * spent waiting for it counts: a slow disk on our side is not its fault. */
static int check_stall(struct exchange *x, uint64_t waited_ns)
{
  const struct zl_http_request *req = x->req;
  const uint64_t stall_ns = req->stall_ms * ZL_NS_PER_MS;
  uint64_t got = x->sent + x->reply->received - x->window_from;

  x->waited_ns += waited_ns;
  x->window_ns += waited_ns;
  if (req->total_ms > 0 && x->waited_ns > req->total_ms * ZL_NS_PER_MS) {
    x->reply->failure = ZL_HTTP_TRANSIENT;
    return zl_fail(x->err, ZL_E_TIMEOUT, 0, "%s did not finish its reply within %u ms",
                   req->url->host, req->total_ms);
  }
  if (x->window_ns < stall_ns)
    return 0;
  if (got < (uint64_t)MIN_BYTES_PER_S * req->stall_ms / 1000) {
    x->reply->failure = ZL_HTTP_TRANSIENT;
    return zl_fail(x->err, ZL_E_TIMEOUT, 0, "%s stalled: %llu bytes in %u ms", req->url->host,
                   (unsigned long long)got, req->stall_ms);
  }
  x->window_ns = 0;
  x->window_from = x->sent + x->reply->received;
  return 0;
}

static int wait_network(CURLM *multi, struct exchange *x)
{
  struct curl_waitfd cancel = { .fd = x->req->cancel_fd, .events = CURL_WAIT_POLLIN };
  const bool can_cancel = x->req->cancel_fd >= 0;
  uint64_t start = zl_time_boot();
  uint64_t left = x->req->stall_ms - x->window_ns / ZL_NS_PER_MS;

  if (lib.multi_poll(multi, &cancel, can_cancel ? 1 : 0, left < POLL_MS ? (int)left + 1 : POLL_MS,
                     NULL) != CURLM_OK)
    return zl_fail(x->err, ZL_E_REMOTE, 0, "%s: waiting for the network failed", x->req->url->host);
  if (can_cancel && cancel.revents != 0)
    return zl_fail(x->err, ZL_E_CANCELLED, 0, "cancelled");
  return check_stall(x, zl_time_boot() - start);
}

static int run_to_end(CURLM *multi, struct exchange *x)
{
  int running = 1, left, r = 0;
  CURLMsg *msg;

  while (running > 0 && r == 0) {
    if (lib.multi_perform(multi, &running) != CURLM_OK)
      return zl_fail(x->err, ZL_E_REMOTE, 0, "%s: the transfer failed", x->req->url->host);
    if (running > 0)
      r = wait_network(multi, x);
  }
  if (r < 0)
    return r;
  msg = lib.multi_info_read(multi, &left);
  if (x->verdict != 0)
    return x->verdict < 0 ? x->verdict : 0;
  if (msg == NULL || msg->msg != CURLMSG_DONE)
    return zl_fail(x->err, ZL_E_INTERNAL, 0, "%s: the transfer has no result", x->req->url->host);
  if (msg->data.result == CURLE_OK)
    return 0;
  /* A server that refuses an upload may hang up on the rest of it: what it said counts. */
  if (x->req->upload != NULL && x->reply->status >= 400)
    return 0;
  return fail_curl(x, msg->data.result);
}

int zl_http_run(struct zl_http *http, const struct zl_http_request *request,
                struct zl_http_reply *reply, struct zl_error *err)
{
  struct exchange x = { .req = request, .reply = reply, .err = err };
  int r;

  zl_buf_clear(&reply->head);
  reply->status = 0;
  reply->received = 0;
  reply->failure = ZL_HTTP_FINAL;
  r = set_options(http->easy, &x);
  if (r == 0 && lib.multi_add(http->multi, http->easy) != CURLM_OK)
    r = zl_fail_nomem(err, "an HTTP request");
  if (r == 0) {
    r = run_to_end(http->multi, &x);
    (void)lib.multi_remove(http->multi, http->easy);
  }
  lib.slist_free_all(x.headers);
  return r;
}

void zl_http_reply_done(struct zl_http_reply *reply)
{
  zl_buf_done(&reply->head);
}

const char *zl_http_header(const struct zl_http_reply *reply, const char *name)
{
  const size_t len = strlen(name);

  for (size_t at = 0; at < reply->head.len; at += strlen(reply->head.data + at) + 1) {
    const char *line = reply->head.data + at;

    if (strncasecmp(line, name, len) == 0 && line[len] == ':')
      return line + len + 1 + strspn(line + len + 1, " \t");
  }
  return NULL;
}
