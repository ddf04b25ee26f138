/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"

#include <stdio.h>
#include <string.h>

void zl_buf_done(struct zl_buf *buf)
{
  free(buf->data);
  buf->data = NULL;
  buf->len = buf->cap = 0;
}

void zl_buf_clear(struct zl_buf *buf)
{
  buf->len = 0;
  if (buf->data != NULL)
    buf->data[0] = '\0';
}

int zl_buf_reserve(struct zl_buf *buf, size_t len, struct zl_error *err)
{
  size_t need, cap;
  char *data;

  if (len > buf->max || buf->len > buf->max - len)
    return zl_fail(err, ZL_E_LIMIT, 0, "over the limit of %zu bytes", buf->max);
  need = buf->len + len + 1;
  if (need <= buf->cap)
    return 0;
  cap = buf->cap < 64 ? 64 : buf->cap;
  while (cap < need)
    cap *= 2;
  data = realloc(buf->data, cap);
  if (data == NULL)
    return zl_fail_nomem(err, "growing a buffer");
  buf->data = data;
  buf->cap = cap;
  buf->data[buf->len] = '\0';
  return 0;
}

int zl_buf_append(struct zl_buf *buf, const void *data, size_t len, struct zl_error *err)
{
  int r = zl_buf_reserve(buf, len, err);

  if (r < 0)
    return r;
  if (len > 0)
    memcpy(buf->data + buf->len, data, len);
  buf->len += len;
  buf->data[buf->len] = '\0';
  return 0;
}

int zl_buf_puts(struct zl_buf *buf, const char *text, struct zl_error *err)
{
  return zl_buf_append(buf, text, strlen(text), err);
}

int zl_buf_printf(struct zl_buf *buf, struct zl_error *err, const char *fmt, ...)
{
  va_list ap;
  int n, r;

  va_start(ap, fmt);
  n = vsnprintf(NULL, 0, fmt, ap);
  va_end(ap);
  if (n < 0)
    return zl_fail(err, ZL_E_INTERNAL, 0, "bad format '%s'", fmt);
  r = zl_buf_reserve(buf, (size_t)n, err);
  if (r < 0)
    return r;
  va_start(ap, fmt);
  (void)vsnprintf(buf->data + buf->len, (size_t)n + 1, fmt, ap);
  va_end(ap);
  buf->len += (size_t)n;
  return 0;
}

void zl_buf_consume(struct zl_buf *buf, size_t len)
{
  if (len >= buf->len) {
    zl_buf_clear(buf);
    return;
  }
  buf->len -= len;
  memmove(buf->data, buf->data + len, buf->len + 1);
}

char *zl_buf_steal(struct zl_buf *buf)
{
  char *data = buf->data != NULL ? buf->data : strdup("");

  buf->data = NULL;
  buf->len = buf->cap = 0;
  return data;
}
