/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/logline.h"

#include <errno.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/time.h"

enum {
  FLUSH_AT = 64 << 10,
  LINE_BUFFER = FLUSH_AT + 8 * ZL_MAX_LOG_LINE /* JSON may take six bytes for one */
};

void zl_log_writer_init(struct zl_log_writer *writer, struct zl_error *err)
{
  *writer = (struct zl_log_writer){ .err = err };
  for (size_t i = 0; i < ZL_COUNT(writer->bufs); i++)
    writer->bufs[i].max = LINE_BUFFER;
}

static int flush_stream(struct zl_log_writer *writer, enum zl_stream stream)
{
  struct zl_buf *buf = &writer->bufs[stream];
  int fd = stream == ZL_STDERR ? STDERR_FILENO : STDOUT_FILENO;
  int r = buf->len > 0 ? zl_fd_write_full(fd, buf->data, buf->len) : 0;

  zl_buf_clear(buf);
  if (r < 0)
    return zl_fail(writer->err, r == -EPIPE ? ZL_E_CANCELLED : ZL_E_SYSTEM, -r, "writing the log");
  return 0;
}

int zl_log_writer_finish(struct zl_log_writer *writer)
{
  int out = writer->result < 0 ? 0 : flush_stream(writer, ZL_STDOUT);
  int err = writer->result < 0 || out < 0 ? 0 : flush_stream(writer, ZL_STDERR);

  for (size_t i = 0; i < ZL_COUNT(writer->bufs); i++)
    zl_buf_done(&writer->bufs[i]);
  if (writer->result < 0)
    return writer->result;
  return out < 0 ? out : err;
}

/* Bytes that are no UTF-8 have no place in JSON: they become U+FFFD. */
static json_t *text_of(const char *text, size_t len)
{
  json_t *string = json_stringn(text, len);
  zl_autobuf clean = ZL_BUF_INIT((size_t)4 * ZL_MAX_LOG_LINE);

  if (string != NULL)
    return string;
  for (size_t i = 0; i < len; i++)
    if (((unsigned char)text[i] < 0x80 && text[i] != '\0'
             ? zl_buf_append(&clean, &text[i], 1, NULL)
             : zl_buf_puts(&clean, "\xef\xbf\xbd", NULL)) < 0)
      return NULL;
  return json_stringn(clean.data, clean.len);
}

static int put_json(struct zl_log_writer *writer, const struct zl_log_entry *entry)
{
  char time[ZL_TIME_TEXT];
  zl_autojson *object =
      json_pack("{s:s, s:s, s:o, s:b}", "time", zl_time_format(entry->time_ns, time), "stream",
                entry->stream == ZL_STDERR ? "stderr" : "stdout", "text",
                text_of(entry->text, entry->len), "partial", entry->partial);
  zl_autofree char *text = object != NULL ? json_dumps(object, JSON_COMPACT) : NULL;

  if (text == NULL)
    return zl_fail_nomem(writer->err, "a log line");
  return zl_buf_printf(&writer->bufs[ZL_STDOUT], writer->err, "%s\n", text);
}

static int put_plain(struct zl_log_writer *writer, const struct zl_log_entry *entry)
{
  struct zl_buf *buf = &writer->bufs[entry->stream];
  bool *open_line = &writer->open_line[entry->stream];
  char time[ZL_TIME_TEXT];
  int r = 0;

  if (!*open_line && writer->prefix != NULL)
    r = zl_buf_puts(buf, writer->prefix, writer->err);
  if (r >= 0 && !*open_line && writer->timestamps)
    r = zl_buf_printf(buf, writer->err, "%s ", zl_time_format(entry->time_ns, time));
  if (r >= 0)
    r = zl_buf_append(buf, entry->text, entry->len, writer->err);
  if (r >= 0 && !entry->partial)
    r = zl_buf_puts(buf, "\n", writer->err);
  *open_line = entry->partial;
  return r;
}

int zl_log_writer_put(void *payload, const struct zl_log_entry *entry)
{
  struct zl_log_writer *writer = payload;
  enum zl_stream stream = entry->stream == ZL_STDERR ? ZL_STDERR : ZL_STDOUT;
  enum zl_stream other = stream == ZL_STDERR ? ZL_STDOUT : ZL_STDERR;
  int r = 0;

  /* The order between the streams is kept where both go to one terminal. */
  if (!writer->json && writer->bufs[other].len > 0)
    r = flush_stream(writer, other);
  if (r >= 0)
    r = writer->json ? put_json(writer, entry) : put_plain(writer, entry);
  if (writer->json)
    stream = ZL_STDOUT;
  if (r >= 0 && (writer->flush || writer->bufs[stream].len >= FLUSH_AT))
    r = flush_stream(writer, stream);
  writer->result = r;
  return r < 0;
}
