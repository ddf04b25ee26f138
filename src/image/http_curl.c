/* SPDX-License-Identifier: Apache-2.0
 *
 * libcurl is resolved at run time, in this file only: programs that pull nothing do not pay for it
 * and its forty libraries.
 */
#include <curl/curl.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/fd.h"
#include "base/limits.h"
#include "base/time.h"
#include "image/http_exchange.h"

enum {
  RECEIVE_BUFFER = 256 << 10, /* as large as one piece given to the hash and the unpacker */
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
  struct zl_exchange x;
  int verdict; /* what a callback decided: > 0 enough, < 0 failed, *err filled */
  struct curl_slist *headers;
  char why[CURL_ERROR_SIZE];
};

static size_t on_header(char *data, size_t size, size_t n, void *ctx)
{
  struct exchange *x = ctx;

  (void)size;
  x->verdict = zl_exchange_take_line(&x->x, data, n);
  return x->verdict == 0 ? n : 0;
}

static size_t on_body(char *data, size_t size, size_t n, void *ctx)
{
  struct exchange *x = ctx;

  (void)size;
  x->verdict = zl_exchange_take_body(&x->x, data, n);
  return x->verdict == 0 ? n : 0;
}

/* The next bytes of the upload. An abort leaves its reason in the verdict. */
static size_t on_send(char *data, size_t size, size_t n, void *ctx)
{
  struct exchange *x = ctx;
  size_t len = 0;

  x->verdict = zl_exchange_send(&x->x, data, size * n, &len);
  return x->verdict != 0 ? CURL_READFUNC_ABORT : len;
}

/* An exchange that libcurl wants to begin again, on another connection. */
static int on_rewind(void *ctx, curl_off_t offset, int origin)
{
  struct exchange *x = ctx;

  if (origin != SEEK_SET || offset != 0)
    return CURL_SEEKFUNC_FAIL;
  x->x.sent = 0;
  return CURL_SEEKFUNC_OK;
}

static void set_method(CURL *easy, struct exchange *x)
{
  const char *method = x->x.req->method;

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
                        (curl_off_t)(x->x.req->upload != NULL ? x->x.req->upload->size : 0));
}

static int add_headers(struct exchange *x)
{
  for (size_t i = 0; x->x.req->headers != NULL && x->x.req->headers[i] != NULL; i++) {
    struct curl_slist *list = lib.slist_append(x->headers, x->x.req->headers[i]);

    if (list == NULL)
      return zl_fail_nomem(x->x.err, "request headers");
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
    if (zl_file_read(AT_FDCWD, *files, &text, x->x.err) < 0 ||
        zl_buf_puts(&text, "\n", x->x.err) < 0)
      return zl_wrap(x->x.err, "authorities for %s: '%s'", x->x.req->url->host, *files);
  }
  if (text.len == 0)
    return 0;
  blob = (struct curl_blob){ .data = text.data, .len = text.len, .flags = CURL_BLOB_COPY };
  (void)lib.easy_setopt(easy, CURLOPT_CAINFO_BLOB, &blob);
  return 0;
}

static int set_tls(CURL *easy, struct exchange *x)
{
  const struct zl_http_request *req = x->x.req;
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
  const struct zl_http_request *req = x->x.req;
  zl_autofree char *url = zl_url_render(req->url);

  if (url == NULL)
    return zl_fail_nomem(x->x.err, "an address");
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
  const struct zl_url *url = x->x.req->url;
  enum zl_code result = ZL_E_REMOTE;

  switch (code) {
  case CURLE_OPERATION_TIMEDOUT:
    result = ZL_E_TIMEOUT;
    x->x.reply->failure = ZL_HTTP_TRANSIENT;
    break;
  case CURLE_COULDNT_CONNECT:
    x->x.reply->failure = ZL_HTTP_REFUSED;
    break;
  case CURLE_SSL_CONNECT_ERROR:
    x->x.reply->failure = ZL_HTTP_NO_TLS;
    break;
  case CURLE_PARTIAL_FILE:
  case CURLE_GOT_NOTHING:
  case CURLE_SEND_ERROR:
  case CURLE_RECV_ERROR:
  case CURLE_HTTP2:
  case CURLE_HTTP2_STREAM:
    x->x.reply->failure = ZL_HTTP_TRANSIENT;
    break;
  default:
    break;
  }
  return zl_fail(x->x.err, result, 0, "%s:%u: %s", url->host, (unsigned)url->port, why);
}

static int wait_network(CURLM *multi, struct exchange *x)
{
  struct curl_waitfd cancel = { .fd = x->x.req->cancel_fd, .events = CURL_WAIT_POLLIN };
  const bool can_cancel = x->x.req->cancel_fd >= 0;
  uint64_t start = zl_time_boot();
  uint64_t left = x->x.req->stall_ms - x->x.window_ns / ZL_NS_PER_MS;

  if (lib.multi_poll(multi, &cancel, can_cancel ? 1 : 0, left < POLL_MS ? (int)left + 1 : POLL_MS,
                     NULL) != CURLM_OK)
    return zl_fail(x->x.err, ZL_E_REMOTE, 0, "%s: waiting for the network failed",
                   x->x.req->url->host);
  if (can_cancel && cancel.revents != 0)
    return zl_fail(x->x.err, ZL_E_CANCELLED, 0, "cancelled");
  return zl_exchange_waited(&x->x, zl_time_boot() - start);
}

static int run_to_end(CURLM *multi, struct exchange *x)
{
  int running = 1, left, r = 0;
  CURLMsg *msg;

  while (running > 0 && r == 0) {
    if (lib.multi_perform(multi, &running) != CURLM_OK)
      return zl_fail(x->x.err, ZL_E_REMOTE, 0, "%s: the transfer failed", x->x.req->url->host);
    if (running > 0)
      r = wait_network(multi, x);
  }
  if (r < 0)
    return r;
  msg = lib.multi_info_read(multi, &left);
  if (x->verdict != 0)
    return x->verdict < 0 ? x->verdict : 0;
  if (msg == NULL || msg->msg != CURLMSG_DONE)
    return zl_fail(x->x.err, ZL_E_INTERNAL, 0, "%s: the transfer has no result",
                   x->x.req->url->host);
  if (msg->data.result == CURLE_OK)
    return 0;
  /* A server that refuses an upload may hang up on the rest of it: what it said counts. */
  if (x->x.req->upload != NULL && x->x.reply->status >= 400)
    return 0;
  return fail_curl(x, msg->data.result);
}

int zl_http_run(struct zl_http *http, const struct zl_http_request *request,
                struct zl_http_reply *reply, struct zl_error *err)
{
  struct exchange x = { .x = { .req = request, .reply = reply, .err = err } };
  int r;

  zl_exchange_begin(&x.x);
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
