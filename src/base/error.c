/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <zlayer/error.h>

#include "base/os_error.h"

static const struct {
  const char *name;
  const char *text;
  int http;
} codes[ZL_E_MAX_] = { [ZL_OK] = { "OK", "success", 200 },
#define X(id, status, description) [ZL_E_##id] = { #id, description, status },
                       ZL_ERR_MAP(X)
#undef X
};

/* A message is one line in every log and table, whatever a path or a server's reply contained. */
static void flatten(char *msg)
{
  for (char *p = msg; *p != '\0'; p++)
    if ((unsigned char)*p < 0x20 || *p == 0x7f)
      *p = ' ';
}

/* The code of this thread's last failure, for callers that want no message. */
static _Thread_local enum zl_code last_code = ZL_E_INTERNAL;

int zl_fail(struct zl_error *err, enum zl_code code, int os_error, const char *fmt, ...)
{
  va_list ap;
  int n;

  last_code = code;
  if (err == NULL)
    return -(int)code;
  err->code = code;
  err->os_error = os_error;
  va_start(ap, fmt);
  n = vsnprintf(err->msg, sizeof(err->msg), fmt, ap);
  va_end(ap);
  if (n < 0)
    n = 0;
  if (os_error != 0 && (size_t)n < sizeof(err->msg)) {
    char text[ZL_OS_ERROR_TEXT];

    (void)snprintf(err->msg + n, sizeof(err->msg) - (size_t)n, ": %s",
                   zl_os_error_text(os_error, text, sizeof(text)));
  }
  flatten(err->msg);
  return -(int)code;
}

int zl_wrap(struct zl_error *err, const char *fmt, ...)
{
  char inner[ZL_ERROR_MSG_MAX];
  va_list ap;
  int n;

  if (err == NULL)
    return -(int)last_code;
  if (err->code == ZL_OK)
    return -ZL_E_INTERNAL;
  memcpy(inner, err->msg, sizeof(inner));
  va_start(ap, fmt);
  n = vsnprintf(err->msg, sizeof(err->msg), fmt, ap);
  va_end(ap);
  if (n < 0)
    n = 0;
  if ((size_t)n < sizeof(err->msg))
    (void)snprintf(err->msg + n, sizeof(err->msg) - (size_t)n, ": %s", inner);
  flatten(err->msg);
  return -(int)err->code;
}

const char *zl_code_name(enum zl_code code)
{
  return (unsigned)code < ZL_E_MAX_ ? codes[code].name : "UNKNOWN";
}

const char *zl_code_text(enum zl_code code)
{
  return (unsigned)code < ZL_E_MAX_ ? codes[code].text : "unknown error";
}

int zl_code_http(enum zl_code code)
{
  return (unsigned)code < ZL_E_MAX_ ? codes[code].http : 500;
}

const char *zl_version(void)
{
  return ZL_VERSION;
}
