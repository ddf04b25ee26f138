/* SPDX-License-Identifier: Apache-2.0
 *
 * HTTP by WinHTTP, in its asynchronous mode: each step is begun, and then its end or the caller's
 * cancellation is waited for. Certificates are checked against Windows' store of authorities; other
 * authorities and certificates of clients are refused.
 */
#include <stdatomic.h>
#include <windows.h>

#include <winhttp.h>

#include "base/limits.h"
#include "base/strv.h"
#include "base/time.h"
#include "base/win32/handle.h"
#include "base/win32/wide.h"
#include "image/http_exchange.h"

enum {
  PIECE = 64 << 10,
  MAX_HEAD = ZL_MAX_HTTP_HEADERS,
  STEP_MS = 1000 /* between two looks whether the other end still sends */
};

/* What WinHTTP's threads know of one exchange: how the step ended that was begun last, and where
 * its bytes come from or go to. It belongs to the exchange and to the request's handle, which may
 * live on for a while when it is closed in the middle of a step. */
struct step {
  atomic_int owners;
  HANDLE ended; /* event; what follows was written before it was set */
  DWORD error;  /* 0: well */
  DWORD bytes;
  char *form; /* a copy; NULL: none */
  char piece[PIECE];
};

struct zl_http {
  HINTERNET session;
  HINTERNET connection; /* to the server asked last; NULL: none yet */
  char host[ZL_URL_HOST];
  uint16_t port;
  struct step *step; /* of the exchange that runs */
};

static struct step *new_step(void)
{
  struct step *step = calloc(1, sizeof(*step));

  if (step == NULL)
    return NULL;
  atomic_init(&step->owners, 1);
  step->ended = CreateEventW(NULL, FALSE, FALSE, NULL);
  if (step->ended != NULL)
    return step;
  free(step);
  return NULL;
}

static void drop_step(struct step *step)
{
  if (step == NULL || atomic_fetch_sub(&step->owners, 1) > 1)
    return;
  (void)CloseHandle(step->ended);
  free(step->form);
  free(step);
}

static void CALLBACK on_status(HINTERNET handle, DWORD_PTR context, DWORD status, void *info,
                               DWORD len)
{
  struct step *step = (struct step *)context;

  (void)handle;
  if (step == NULL)
    return;
  switch (status) {
  case WINHTTP_CALLBACK_STATUS_READ_COMPLETE:
    step->bytes = len;
    break;
  case WINHTTP_CALLBACK_STATUS_DATA_AVAILABLE:
  case WINHTTP_CALLBACK_STATUS_WRITE_COMPLETE:
    step->bytes = *(const DWORD *)info;
    break;
  case WINHTTP_CALLBACK_STATUS_SENDREQUEST_COMPLETE:
  case WINHTTP_CALLBACK_STATUS_HEADERS_AVAILABLE:
    break;
  case WINHTTP_CALLBACK_STATUS_REQUEST_ERROR:
    step->error = ((const WINHTTP_ASYNC_RESULT *)info)->dwError;
    break;
  case WINHTTP_CALLBACK_STATUS_HANDLE_CLOSING:
    drop_step(step);
    return;
  default:
    return;
  }
  (void)SetEvent(step->ended);
}

int zl_http_new(struct zl_http **ret, struct zl_error *err)
{
  ZL_CLEANUP(zl_http_freep) struct zl_http *http = calloc(1, sizeof(*http));

  if (http == NULL)
    return zl_fail_nomem(err, "an HTTP client");
  http->session = WinHttpOpen(L"zlayer/" ZL_VERSION, WINHTTP_ACCESS_TYPE_DEFAULT_PROXY,
                              WINHTTP_NO_PROXY_NAME, WINHTTP_NO_PROXY_BYPASS, WINHTTP_FLAG_ASYNC);
  if (http->session == NULL)
    return zl_fail(err, ZL_E_SYSTEM, zl_errno_of_last(), "an HTTP client");
  (void)WinHttpSetStatusCallback(
      http->session, on_status,
      WINHTTP_CALLBACK_FLAG_ALL_COMPLETIONS | WINHTTP_CALLBACK_FLAG_HANDLES, 0);
  *ret = zl_steal_ptr(&http);
  return 0;
}

void zl_http_free(struct zl_http *http)
{
  if (http == NULL)
    return;
  if (http->connection != NULL)
    (void)WinHttpCloseHandle(http->connection);
  if (http->session != NULL)
    (void)WinHttpCloseHandle(http->session);
  free(http);
}

/* ---- Failures -------------------------------------------------------------------------------- */

static int fail_http(struct zl_exchange *x, DWORD error, const char *what)
{
  const struct zl_url *url = x->req->url;
  enum zl_code code = ZL_E_REMOTE;

  switch (error) {
  case ERROR_WINHTTP_TIMEOUT:
  case WSAETIMEDOUT:
    code = ZL_E_TIMEOUT;
    x->reply->failure = ZL_HTTP_TRANSIENT;
    break;
  case ERROR_WINHTTP_CANNOT_CONNECT:
    x->reply->failure = ZL_HTTP_REFUSED;
    break;
  case ERROR_WINHTTP_SECURE_CHANNEL_ERROR:
    x->reply->failure = ZL_HTTP_NO_TLS;
    break;
  case ERROR_WINHTTP_CONNECTION_ERROR:
  case ERROR_WINHTTP_RESEND_REQUEST:
  case ERROR_WINHTTP_INVALID_SERVER_RESPONSE:
    x->reply->failure = ZL_HTTP_TRANSIENT;
    break;
  case ERROR_WINHTTP_SECURE_FAILURE:
    return zl_fail(x->err, code, 0, "%s:%u: the server's certificate is not trusted", url->host,
                   (unsigned)url->port);
  case ERROR_WINHTTP_NAME_NOT_RESOLVED:
    return zl_fail(x->err, code, 0, "%s: there is no such host", url->host);
  default:
    break;
  }
  return zl_fail(x->err, code, 0, "%s:%u: %s failed (WinHTTP error %lu)", url->host,
                 (unsigned)url->port, what, error);
}

/* ---- Steps ----------------------------------------------------------------------------------- */

/* Waits for the end of the step that was begun (`begun`: the call's answer). */
static int wait_step(struct zl_http *http, struct zl_exchange *x, BOOL begun, const char *what)
{
  HANDLE handles[2] = { http->step->ended, NULL };
  DWORD n = 1;

  if (!begun)
    return fail_http(x, GetLastError(), what);
  if (x->req->cancel_fd >= 0)
    handles[n++] = zl_handle_of(x->req->cancel_fd);
  for (;;) {
    const uint64_t start = zl_time_boot();
    const DWORD stall = x->req->stall_ms < STEP_MS ? x->req->stall_ms + 1 : STEP_MS;
    const DWORD got = WaitForMultipleObjects(n, handles, FALSE, stall);
    int r = 0;

    if (got == WAIT_OBJECT_0)
      return http->step->error != 0 ? fail_http(x, http->step->error, what) : 0;
    if (got == WAIT_OBJECT_0 + 1)
      return zl_fail(x->err, ZL_E_CANCELLED, 0, "cancelled");
    if (got == WAIT_FAILED)
      return zl_fail(x->err, ZL_E_SYSTEM, zl_errno_of_last(), "waiting for the network");
    r = zl_exchange_waited(x, zl_time_boot() - start);
    if (r < 0)
      return r;
  }
}

/* ---- The request ----------------------------------------------------------------------------- */

static int refuse_files(const struct zl_exchange *x)
{
  const struct zl_tls *tls = x->req->tls;

  if (tls == NULL || !x->req->url->https)
    return 0;
  if (tls->ca_files != NULL && tls->ca_files[0] != NULL)
    return zl_fail(x->err, ZL_E_UNSUPPORTED, 0,
                   "%s: authorities of their own are not read on Windows ('%s'): put them into "
                   "Windows' store",
                   x->req->url->host, tls->ca_files[0]);
  if (tls->cert_file != NULL)
    return zl_fail(x->err, ZL_E_UNSUPPORTED, 0,
                   "%s: certificates of clients are not supported on Windows yet ('%s')",
                   x->req->url->host, tls->cert_file);
  return 0;
}

static int connect_to(struct zl_http *http, struct zl_exchange *x)
{
  const struct zl_url *url = x->req->url;
  zl_autofree wchar_t *host = NULL;

  if (http->connection != NULL && http->port == url->port && strcmp(http->host, url->host) == 0)
    return 0;
  if (http->connection != NULL)
    (void)WinHttpCloseHandle(http->connection);
  host = zl_wide_of(url->host);
  http->connection = host != NULL ? WinHttpConnect(http->session, host, url->port, 0) : NULL;
  if (http->connection == NULL)
    return zl_fail(x->err, ZL_E_SYSTEM, zl_errno_of_last(), "%s", url->host);
  (void)snprintf(http->host, sizeof(http->host), "%s", url->host);
  http->port = url->port;
  return 0;
}

static int add_header(HINTERNET request, struct zl_exchange *x, const char *text)
{
  zl_autofree wchar_t *wide = zl_wide_of(text);

  if (wide != NULL &&
      WinHttpAddRequestHeaders(request, wide, (DWORD)-1,
                               WINHTTP_ADDREQ_FLAG_ADD | WINHTTP_ADDREQ_FLAG_REPLACE))
    return 0;
  return zl_fail(x->err, ZL_E_INVALID, 0, "%s: a header of the request", x->req->url->host);
}

static int add_headers(HINTERNET request, struct zl_exchange *x)
{
  int r = x->req->form != NULL
              ? add_header(request, x, "Content-Type: application/x-www-form-urlencoded")
              : 0;

  for (size_t i = 0; r == 0 && x->req->headers != NULL && x->req->headers[i] != NULL; i++)
    r = add_header(request, x, x->req->headers[i]);
  return r;
}

static int set_proxy(HINTERNET request, struct zl_exchange *x)
{
  WINHTTP_PROXY_INFO info = { .dwAccessType = WINHTTP_ACCESS_TYPE_NO_PROXY };
  zl_autofree wchar_t *proxy = NULL;

  if (x->req->proxy == NULL && !zl_host_is_loopback(x->req->url->host))
    return 0;
  if (x->req->proxy != NULL) {
    proxy = zl_wide_of(x->req->proxy);
    info.dwAccessType = WINHTTP_ACCESS_TYPE_NAMED_PROXY;
    info.lpszProxy = proxy;
  }
  if ((x->req->proxy == NULL || proxy != NULL) &&
      WinHttpSetOption(request, WINHTTP_OPTION_PROXY, &info, sizeof(info)))
    return 0;
  return zl_fail(x->err, ZL_E_SYSTEM, zl_errno_of_last(), "%s: setting the proxy",
                 x->req->url->host);
}

static int set_options(HINTERNET request, struct zl_exchange *x)
{
  const struct zl_http_request *req = x->req;
  /* No redirect, cookie or credential without our caller's word. */
  DWORD off = WINHTTP_DISABLE_REDIRECTS | WINHTTP_DISABLE_COOKIES | WINHTTP_DISABLE_AUTHENTICATION;
  DWORD trust = SECURITY_FLAG_IGNORE_UNKNOWN_CA | SECURITY_FLAG_IGNORE_CERT_DATE_INVALID |
                SECURITY_FLAG_IGNORE_CERT_CN_INVALID | SECURITY_FLAG_IGNORE_CERT_WRONG_USAGE;
  const bool blind = req->skip_verify || (req->tls != NULL && req->tls->skip_verify);

  /* Ours come first; these let go of a step in which the other end has died (Wine waits for it). */
  const int step_ms = (int)req->stall_ms + STEP_MS;

  if (!WinHttpSetTimeouts(request, (int)req->connect_ms, (int)req->connect_ms, step_ms, step_ms) ||
      !WinHttpSetOption(request, WINHTTP_OPTION_DISABLE_FEATURE, &off, sizeof(off)))
    return zl_fail(x->err, ZL_E_SYSTEM, zl_errno_of_last(), "%s: options", req->url->host);
  if (req->url->https && blind &&
      !WinHttpSetOption(request, WINHTTP_OPTION_SECURITY_FLAGS, &trust, sizeof(trust)))
    return zl_fail(x->err, ZL_E_SYSTEM, zl_errno_of_last(), "%s: options", req->url->host);
  return set_proxy(request, x);
}

static const char *method_of(const struct zl_http_request *req)
{
  if (req->method != NULL)
    return req->method;
  return req->form != NULL ? "POST" : "GET";
}

static int open_request(struct zl_http *http, struct zl_exchange *x, HINTERNET *ret)
{
  zl_autofree wchar_t *method = zl_wide_of(method_of(x->req));
  zl_autofree wchar_t *path = zl_wide_of(x->req->url->path);
  const DWORD flags =
      WINHTTP_FLAG_ESCAPE_DISABLE | (x->req->url->https ? (DWORD)WINHTTP_FLAG_SECURE : 0);
  DWORD_PTR context = (DWORD_PTR)http->step;

  if (method == NULL || path == NULL)
    return zl_fail_nomem(x->err, "an HTTP request");
  *ret = WinHttpOpenRequest(http->connection, method, path, NULL, WINHTTP_NO_REFERER,
                            WINHTTP_DEFAULT_ACCEPT_TYPES, flags);
  if (*ret == NULL)
    return zl_fail(x->err, ZL_E_SYSTEM, zl_errno_of_last(), "%s: a request", x->req->url->host);
  if (!WinHttpSetOption(*ret, WINHTTP_OPTION_CONTEXT_VALUE, &context, sizeof(context))) {
    (void)WinHttpCloseHandle(*ret);
    *ret = NULL;
    return zl_fail(x->err, ZL_E_SYSTEM, zl_errno_of_last(), "%s: a request", x->req->url->host);
  }
  (void)atomic_fetch_add(&http->step->owners, 1);
  return 0;
}

/* ---- Sending and receiving ------------------------------------------------------------------- */

static int send_upload(struct zl_http *http, HINTERNET request, struct zl_exchange *x)
{
  size_t len = 0;
  int r;

  while ((r = zl_exchange_send(x, http->step->piece, PIECE, &len)) == 0 && len > 0) {
    for (size_t done = 0; r == 0 && done < len; done += http->step->bytes) {
      http->step->bytes = 0;
      r = wait_step(http, x,
                    WinHttpWriteData(request, http->step->piece + done, (DWORD)(len - done), NULL),
                    "sending");
      if (r == 0 && http->step->bytes == 0)
        r = fail_http(x, ERROR_WINHTTP_CONNECTION_ERROR, "sending");
    }
    if (r < 0)
      break;
  }
  return r;
}

static int send_request(struct zl_http *http, HINTERNET request, struct zl_exchange *x)
{
  const struct zl_http_upload *up = x->req->upload;
  const DWORD len = x->req->form != NULL ? (DWORD)strlen(x->req->form) : 0;
  struct step *step = http->step;
  char length[48];
  DWORD total = len;
  int r = 0;

  step->form = len > 0 ? strdup(x->req->form) : NULL;
  if (len > 0 && step->form == NULL)
    return zl_fail_nomem(x->err, "a form");
  if (up != NULL && up->size > MAXDWORD) {
    /* The parameter has 32 bits; the header says the true length. */
    (void)snprintf(length, sizeof(length), "Content-Length: %llu", (unsigned long long)up->size);
    r = add_header(request, x, length);
    total = WINHTTP_IGNORE_REQUEST_TOTAL_LENGTH;
  } else if (up != NULL) {
    total = (DWORD)up->size;
  }
  if (r == 0)
    r = wait_step(http, x,
                  WinHttpSendRequest(request, WINHTTP_NO_ADDITIONAL_HEADERS, 0, step->form, len,
                                     total, (DWORD_PTR)step),
                  "sending a request");
  if (r == 0 && up != NULL)
    r = send_upload(http, request, x);
  return r != 0 ? r : wait_step(http, x, WinHttpReceiveResponse(request, NULL), "a reply");
}

static int take_head(HINTERNET request, struct zl_exchange *x)
{
  DWORD size = 0;
  zl_autofree wchar_t *wide = NULL;
  zl_autofree char *text = NULL;
  int r = 0;

  (void)WinHttpQueryHeaders(request, WINHTTP_QUERY_RAW_HEADERS_CRLF, WINHTTP_HEADER_NAME_BY_INDEX,
                            NULL, &size, WINHTTP_NO_HEADER_INDEX);
  if (size == 0 || size > (DWORD)MAX_HEAD * sizeof(wchar_t))
    return zl_fail(x->err, ZL_E_LIMIT, 0, "%s: headers of the reply", x->req->url->host);
  wide = calloc(1, size + sizeof(*wide));
  if (wide == NULL)
    return zl_fail_nomem(x->err, "headers of a reply");
  if (!WinHttpQueryHeaders(request, WINHTTP_QUERY_RAW_HEADERS_CRLF, WINHTTP_HEADER_NAME_BY_INDEX,
                           wide, &size, WINHTTP_NO_HEADER_INDEX))
    return fail_http(x, GetLastError(), "headers of the reply");
  text = zl_wide_to_utf8(wide, wcslen(wide));
  if (text == NULL)
    return zl_fail(x->err, ZL_E_REMOTE, 0, "%s: headers of the reply are no text",
                   x->req->url->host);
  for (char *line = text, *end; r == 0 && *line != '\0'; line = end) {
    end = line + strcspn(line, "\n");
    end += *end == '\n';
    r = zl_exchange_take_line(x, line, (size_t)(end - line));
  }
  if (r == 0 && x->reply->status == 0)
    r = zl_fail(x->err, ZL_E_REMOTE, 0, "%s: malformed status line", x->req->url->host);
  return r;
}

/* What the reply announced has come; without an announcement its end is the connection's. */
static int check_end(struct zl_exchange *x)
{
  const char *text = zl_http_header(x->reply, "content-length");
  uint64_t length = 0;

  if (text == NULL || strcmp(method_of(x->req), "HEAD") == 0 ||
      !zl_parse_u64(text, UINT64_MAX, &length) || x->reply->received >= length)
    return 0;
  x->reply->failure = ZL_HTTP_TRANSIENT;
  return zl_fail(x->err, ZL_E_REMOTE, 0, "%s:%u: the reply ended after %llu of %llu bytes",
                 x->req->url->host, (unsigned)x->req->url->port,
                 (unsigned long long)x->reply->received, (unsigned long long)length);
}

static int take_body(struct zl_http *http, HINTERNET request, struct zl_exchange *x)
{
  for (;;) {
    int r;

    http->step->bytes = 0;
    r = wait_step(http, x, WinHttpQueryDataAvailable(request, NULL), "receiving");
    if (r == 0 && http->step->bytes > 0)
      r = wait_step(http, x,
                    WinHttpReadData(request, http->step->piece,
                                    http->step->bytes < PIECE ? http->step->bytes : PIECE, NULL),
                    "receiving");
    if (r < 0)
      return r;
    if (http->step->bytes == 0)
      return check_end(x);
    r = zl_exchange_take_body(x, http->step->piece, http->step->bytes);
    if (r != 0)
      return r < 0 ? r : 0;
  }
}

int zl_http_run(struct zl_http *http, const struct zl_http_request *request,
                struct zl_http_reply *reply, struct zl_error *err)
{
  struct zl_exchange x = { .req = request, .reply = reply, .err = err };
  HINTERNET handle = NULL;
  int r;

  zl_exchange_begin(&x);
  http->step = new_step();
  if (http->step == NULL)
    return zl_fail_nomem(err, "an HTTP request");
  r = refuse_files(&x);
  if (r == 0)
    r = connect_to(http, &x);
  if (r == 0)
    r = open_request(http, &x, &handle);
  if (r == 0)
    r = set_options(handle, &x);
  if (r == 0)
    r = add_headers(handle, &x);
  if (r == 0)
    r = send_request(http, handle, &x);
  if (r == 0)
    r = take_head(handle, &x);
  if (r == 0)
    r = take_body(http, handle, &x);
  if (handle != NULL)
    (void)WinHttpCloseHandle(handle); /* which ends a step that still runs */
  drop_step(http->step);
  return r;
}
