/* SPDX-License-Identifier: Apache-2.0
 *
 * Messages of D-Bus, as much as talking to systemd needs: little-endian, no descriptors. What comes
 * from the bus is read with every length checked against what is there.
 */
#ifndef ZL_SYSTEMD_MESSAGE_H
#define ZL_SYSTEMD_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <zlayer/error.h>

#include "base/buf.h"
#include "base/limits.h"

enum zl_dbus_type {
  ZL_DBUS_CALL = 1,
  ZL_DBUS_REPLY = 2,
  ZL_DBUS_ERROR = 3,
  ZL_DBUS_SIGNAL = 4
};

enum {
  ZL_DBUS_FIXED = 16 /* bytes that tell how long a message is */
};

/* ---- Writing. The first failure sticks in `r`; later calls do nothing. */

struct zl_dbus_out {
  struct zl_buf buf; /* begins at a multiple of 8 of its message */
  struct zl_error *err;
  int r;
};

#define ZL_DBUS_OUT_INIT(error)                                  \
  {                                                              \
    .buf = ZL_BUF_INIT(ZL_MAX_DBUS_CALL), .err = (error), .r = 0 \
  }

void zl_dbus_out_done(struct zl_dbus_out *out);
#define zl_autodbusout ZL_CLEANUP(zl_dbus_out_done) struct zl_dbus_out

void zl_dbus_put_bytes(struct zl_dbus_out *out, const void *data, size_t len);
/* Zeros up to a multiple of `align`; 8 is where a struct begins. */
void zl_dbus_put_pad(struct zl_dbus_out *out, size_t align);
void zl_dbus_put_u8(struct zl_dbus_out *out, uint8_t value);
void zl_dbus_put_u32(struct zl_dbus_out *out, uint32_t value);
void zl_dbus_put_u64(struct zl_dbus_out *out, uint64_t value);
void zl_dbus_put_string(struct zl_dbus_out *out, const char *text);
void zl_dbus_put_signature(struct zl_dbus_out *out, const char *text);

/* An array whose elements begin at multiples of `align`. */
struct zl_dbus_array {
  size_t length_at, begin;
};
struct zl_dbus_array zl_dbus_put_array(struct zl_dbus_out *out, size_t align);
void zl_dbus_end_array(struct zl_dbus_out *out, struct zl_dbus_array array);

/* The head of a call, whose body of `body_len` bytes with `signature` follows it. `destination` is
 * NULL where there is no bus between. */
struct zl_dbus_call {
  const char *destination, *path, *interface, *member, *signature;
};
void zl_dbus_put_head(struct zl_dbus_out *out, const struct zl_dbus_call *call, uint32_t serial,
                      size_t body_len);

/* ---- Reading. A value that is not there, or not well formed, is 0 or "" and sets `bad`. */

struct zl_dbus_in {
  const uint8_t *data; /* begins at a multiple of 8 of its message */
  size_t len, pos;
  bool bad;
};

void zl_dbus_skip_pad(struct zl_dbus_in *in, size_t align);
uint8_t zl_dbus_get_u8(struct zl_dbus_in *in);
uint32_t zl_dbus_get_u32(struct zl_dbus_in *in);
uint64_t zl_dbus_get_u64(struct zl_dbus_in *in);
/* Strings lie in the message and have no NUL in them. */
const char *zl_dbus_get_string(struct zl_dbus_in *in);
const char *zl_dbus_get_signature(struct zl_dbus_in *in);

/* Strings are never NULL, "" when the message has none; they and the body lie in the message. */
struct zl_dbus_message {
  enum zl_dbus_type type;
  uint32_t serial, reply_serial; /* the latter 0: none */
  const char *path, *interface, *member, *error_name, *sender, *signature;
  struct zl_dbus_in body;
};

/* The length of the message that begins so, at most ZL_MAX_DBUS_MESSAGE. ZL_E_REMOTE: it is none
 * that we read. */
int zl_dbus_size(const uint8_t fixed[ZL_DBUS_FIXED], size_t *ret, struct zl_error *err);

/* One whole message. ZL_E_REMOTE: it is malformed. */
int zl_dbus_parse(const uint8_t *data, size_t len, struct zl_dbus_message *ret,
                  struct zl_error *err);

#endif
