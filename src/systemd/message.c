/* SPDX-License-Identifier: Apache-2.0 */
#include "systemd/message.h"

#include <string.h>

enum {
  LITTLE_ENDIAN_MARK = 'l',
  PROTOCOL = 1,
  /* Header fields. */
  FIELD_PATH = 1,
  FIELD_INTERFACE = 2,
  FIELD_MEMBER = 3,
  FIELD_ERROR_NAME = 4,
  FIELD_REPLY_SERIAL = 5,
  FIELD_DESTINATION = 6,
  FIELD_SENDER = 7,
  FIELD_SIGNATURE = 8
};

static size_t aligned(size_t at, size_t align)
{
  return (at + align - 1) & ~(align - 1);
}

/* ---- Writing ------------------------------------------------------------------------------- */

void zl_dbus_out_done(struct zl_dbus_out *out)
{
  zl_buf_done(&out->buf);
}

void zl_dbus_put_bytes(struct zl_dbus_out *out, const void *data, size_t len)
{
  if (out->r == 0)
    out->r = zl_buf_append(&out->buf, data, len, out->err);
}

void zl_dbus_put_pad(struct zl_dbus_out *out, size_t align)
{
  static const char zeros[8];

  zl_dbus_put_bytes(out, zeros, aligned(out->buf.len, align) - out->buf.len);
}

void zl_dbus_put_u8(struct zl_dbus_out *out, uint8_t value)
{
  zl_dbus_put_bytes(out, &value, sizeof(value));
}

static void encode(uint8_t *bytes, uint64_t value, size_t n)
{
  for (size_t i = 0; i < n; i++)
    bytes[i] = (uint8_t)(value >> (8 * i));
}

void zl_dbus_put_u32(struct zl_dbus_out *out, uint32_t value)
{
  uint8_t bytes[sizeof(value)];

  encode(bytes, value, sizeof(bytes));
  zl_dbus_put_pad(out, sizeof(bytes));
  zl_dbus_put_bytes(out, bytes, sizeof(bytes));
}

void zl_dbus_put_u64(struct zl_dbus_out *out, uint64_t value)
{
  uint8_t bytes[sizeof(value)];

  encode(bytes, value, sizeof(bytes));
  zl_dbus_put_pad(out, sizeof(bytes));
  zl_dbus_put_bytes(out, bytes, sizeof(bytes));
}

void zl_dbus_put_string(struct zl_dbus_out *out, const char *text)
{
  const size_t len = strlen(text);

  if (len > ZL_MAX_DBUS_CALL) {
    if (out->r == 0)
      out->r = zl_fail(out->err, ZL_E_LIMIT, 0, "a text of %zu bytes is too long for systemd", len);
    return;
  }
  zl_dbus_put_u32(out, (uint32_t)len);
  zl_dbus_put_bytes(out, text, len + 1);
}

void zl_dbus_put_signature(struct zl_dbus_out *out, const char *text)
{
  const size_t len = strlen(text);

  zl_dbus_put_u8(out, (uint8_t)len);
  zl_dbus_put_bytes(out, text, len + 1);
}

struct zl_dbus_array zl_dbus_put_array(struct zl_dbus_out *out, size_t align)
{
  struct zl_dbus_array array;

  zl_dbus_put_u32(out, 0);
  array.length_at = out->buf.len - sizeof(uint32_t);
  zl_dbus_put_pad(out, align);
  array.begin = out->buf.len;
  return array;
}

void zl_dbus_end_array(struct zl_dbus_out *out, struct zl_dbus_array array)
{
  if (out->r == 0)
    encode((uint8_t *)out->buf.data + array.length_at, out->buf.len - array.begin,
           sizeof(uint32_t));
}

static void put_field(struct zl_dbus_out *out, uint8_t code, const char *signature,
                      const char *text)
{
  if (text == NULL)
    return;
  zl_dbus_put_pad(out, 8);
  zl_dbus_put_u8(out, code);
  zl_dbus_put_signature(out, signature);
  if (*signature == 'g')
    zl_dbus_put_signature(out, text);
  else
    zl_dbus_put_string(out, text);
}

void zl_dbus_put_head(struct zl_dbus_out *out, const struct zl_dbus_call *call, uint32_t serial,
                      size_t body_len)
{
  const uint8_t first[] = { LITTLE_ENDIAN_MARK, ZL_DBUS_CALL, 0, PROTOCOL };
  struct zl_dbus_array fields;

  zl_dbus_put_bytes(out, first, sizeof(first));
  zl_dbus_put_u32(out, (uint32_t)body_len);
  zl_dbus_put_u32(out, serial);
  fields = zl_dbus_put_array(out, 8);
  put_field(out, FIELD_PATH, "o", call->path);
  put_field(out, FIELD_INTERFACE, "s", call->interface);
  put_field(out, FIELD_MEMBER, "s", call->member);
  put_field(out, FIELD_DESTINATION, "s", call->destination);
  put_field(out, FIELD_SIGNATURE, "g", call->signature);
  zl_dbus_end_array(out, fields);
  zl_dbus_put_pad(out, 8);
}

/* ---- Reading ------------------------------------------------------------------------------- */

/* The next `len` bytes, or NULL. */
static const uint8_t *take(struct zl_dbus_in *in, size_t len)
{
  const uint8_t *at = in->data + in->pos;

  if (in->bad || len > in->len - in->pos) {
    in->bad = true;
    return NULL;
  }
  in->pos += len;
  return at;
}

void zl_dbus_skip_pad(struct zl_dbus_in *in, size_t align)
{
  const size_t n = aligned(in->pos, align) - in->pos;
  const uint8_t *bytes = take(in, n);

  for (size_t i = 0; bytes != NULL && i < n; i++)
    if (bytes[i] != 0)
      in->bad = true;
}

static uint64_t decode(const uint8_t *bytes, size_t n)
{
  uint64_t value = 0;

  for (size_t i = 0; bytes != NULL && i < n; i++)
    value |= (uint64_t)bytes[i] << (8 * i);
  return value;
}

uint8_t zl_dbus_get_u8(struct zl_dbus_in *in)
{
  return (uint8_t)decode(take(in, 1), 1);
}

uint32_t zl_dbus_get_u32(struct zl_dbus_in *in)
{
  zl_dbus_skip_pad(in, sizeof(uint32_t));
  return (uint32_t)decode(take(in, sizeof(uint32_t)), sizeof(uint32_t));
}

uint64_t zl_dbus_get_u64(struct zl_dbus_in *in)
{
  zl_dbus_skip_pad(in, sizeof(uint64_t));
  return decode(take(in, sizeof(uint64_t)), sizeof(uint64_t));
}

/* `len` bytes and the NUL behind them, which must be the only one. */
static const char *take_text(struct zl_dbus_in *in, size_t len)
{
  const uint8_t *bytes = take(in, len);
  const uint8_t *end = take(in, 1);

  if (end == NULL || *end != 0 || memchr(bytes, 0, len) != NULL) {
    in->bad = true;
    return "";
  }
  return (const char *)bytes;
}

const char *zl_dbus_get_string(struct zl_dbus_in *in)
{
  const uint32_t len = zl_dbus_get_u32(in);

  return take_text(in, len);
}

const char *zl_dbus_get_signature(struct zl_dbus_in *in)
{
  const uint8_t len = zl_dbus_get_u8(in);

  return take_text(in, len);
}

static int malformed(struct zl_error *err)
{
  return zl_fail(err, ZL_E_REMOTE, 0, "the message bus has sent a malformed message");
}

/* Of the fixed part: the lengths of the body and of the fields. */
static int read_lengths(const uint8_t *fixed, size_t *ret_body, size_t *ret_fields,
                        struct zl_error *err)
{
  const size_t body = decode(fixed + 4, 4), fields = decode(fixed + 12, 4);

  if (fixed[0] != LITTLE_ENDIAN_MARK || fixed[3] != PROTOCOL)
    return malformed(err);
  if (body > ZL_MAX_DBUS_MESSAGE || fields > ZL_MAX_DBUS_MESSAGE ||
      aligned(ZL_DBUS_FIXED + fields, 8) + body > ZL_MAX_DBUS_MESSAGE)
    return zl_fail(err, ZL_E_REMOTE, 0, "the message bus has sent a message of more than %d bytes",
                   ZL_MAX_DBUS_MESSAGE);
  *ret_body = body;
  *ret_fields = fields;
  return 0;
}

int zl_dbus_size(const uint8_t fixed[ZL_DBUS_FIXED], size_t *ret, struct zl_error *err)
{
  size_t body = 0, fields = 0;
  int r = read_lengths(fixed, &body, &fields, err);

  if (r == 0)
    *ret = aligned(ZL_DBUS_FIXED + fields, 8) + body;
  return r;
}

/* Fields that we do not know are allowed, and have simple values in all versions there are. */
static void skip_value(struct zl_dbus_in *in, const char *signature)
{
  if (strlen(signature) != 1) {
    in->bad = true;
    return;
  }
  switch (*signature) {
  case 'y':
    (void)zl_dbus_get_u8(in);
    break;
  case 'b':
  case 'u':
  case 'i':
    (void)zl_dbus_get_u32(in);
    break;
  case 'x':
  case 't':
    (void)zl_dbus_get_u64(in);
    break;
  case 's':
  case 'o':
    (void)zl_dbus_get_string(in);
    break;
  case 'g':
    (void)zl_dbus_get_signature(in);
    break;
  default:
    in->bad = true;
  }
}

static void read_field(struct zl_dbus_in *in, struct zl_dbus_message *m)
{
  static const char types[] = "\0ossss\0sg"; /* those that are texts, by their codes */
  const char **const texts[] = {
    [FIELD_PATH] = &m->path,     [FIELD_INTERFACE] = &m->interface,
    [FIELD_MEMBER] = &m->member, [FIELD_ERROR_NAME] = &m->error_name,
    [FIELD_SENDER] = &m->sender, [FIELD_SIGNATURE] = &m->signature,
  };
  const char *signature;
  uint8_t code;

  zl_dbus_skip_pad(in, 8);
  code = zl_dbus_get_u8(in);
  signature = zl_dbus_get_signature(in);
  if (code == FIELD_REPLY_SERIAL && strcmp(signature, "u") == 0) {
    m->reply_serial = zl_dbus_get_u32(in);
    return;
  }
  if (code >= sizeof(texts) / sizeof(texts[0]) || texts[code] == NULL) {
    skip_value(in, signature);
    return;
  }
  if (signature[0] == '\0' || signature[0] != types[code] || signature[1] != '\0')
    in->bad = true;
  else
    *texts[code] = *signature == 'g' ? zl_dbus_get_signature(in) : zl_dbus_get_string(in);
}

int zl_dbus_parse(const uint8_t *data, size_t len, struct zl_dbus_message *ret,
                  struct zl_error *err)
{
  struct zl_dbus_message m = {
    .path = "", .interface = "", .member = "", .error_name = "", .sender = "", .signature = ""
  };
  struct zl_dbus_in in = { .data = data, .len = len, .pos = ZL_DBUS_FIXED };
  size_t body = 0, fields = 0;
  int r = len >= ZL_DBUS_FIXED ? read_lengths(data, &body, &fields, err) : malformed(err);

  if (r < 0)
    return r;
  if (aligned(ZL_DBUS_FIXED + fields, 8) + body != len)
    return malformed(err);
  m.type = data[1];
  m.serial = (uint32_t)decode(data + 8, 4);
  in.len = ZL_DBUS_FIXED + fields;
  while (!in.bad && in.pos < in.len)
    read_field(&in, &m);
  in.len = len;
  zl_dbus_skip_pad(&in, 8);
  if (in.bad || m.type == 0 || m.serial == 0)
    return malformed(err);
  m.body = (struct zl_dbus_in){ .data = data + in.pos, .len = body };
  *ret = m;
  return 0;
}
