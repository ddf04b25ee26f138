/* SPDX-License-Identifier: Apache-2.0
 *
 * One description of every struct of the model. Defaults, reading, the check for unknown keys, type
 * errors, copying, freeing, rendering and docs/schema.md all come from these tables (tables.h).
 */
#ifndef ZL_SPEC_FIELD_H
#define ZL_SPEC_FIELD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <zlayer/error.h>
#include <zlayer/spec.h>

#include "base/buf.h"
#include "spec/report.h"

enum zl_kind {
  ZL_KIND_TEXT,     /* char * */
  ZL_KIND_BOOL,     /* bool */
  ZL_KIND_INT,      /* an integer of `size` bytes, signed if min < 0 */
  ZL_KIND_NUMBER,   /* double */
  ZL_KIND_DURATION, /* uint64_t, ns */
  ZL_KIND_BYTES,    /* uint64_t */
  ZL_KIND_ENUM,     /* an enum, texts in `options` */
  ZL_KIND_ATOM,     /* a struct written as one text: hooks of `type` */
  ZL_KIND_LIST,     /* char ** */
  ZL_KIND_PAIRS,    /* struct zl_pairs */
  ZL_KIND_STRUCT,   /* a struct in place */
  ZL_KIND_OPTIONAL, /* a pointer to a struct, NULL when absent */
  ZL_KIND_ARRAY,    /* a pointer to structs and a count; a list in the file */
  ZL_KIND_MAP       /* the same, a map in the file: the key is the element's first member */
};

/* One text of an enum. The first with a value is its canonical text; a NULL text ends the list, one
 * that ends in ':' stands for all that begin with it. A value 0 without a text means "absent". */
struct zl_option {
  const char *text;
  unsigned value;
  bool planned; /* refused as not supported yet */
};

/* Checks one value: a text, a list's element, a struct zl_pair, or the member itself. */
typedef void (*zl_check_fn)(struct zl_spec_ctx *ctx, const struct zl_at *at, const void *value);

enum zl_field_flag {
  ZL_REQUIRED = 1 << 0,
  ZL_TAG = 1 << 1,       /* the enum that says which other fields count */
  ZL_LOOSE = 1 << 2,     /* numbers and booleans are taken as texts */
  ZL_MINUS_ONE = 1 << 3, /* -1 means ZL_UNLIMITED */
  ZL_QUIET = 1 << 4,     /* left out when rendering while it has its default */
  ZL_METADATA = 1 << 5,  /* kept and shown; nothing acts on it */
  ZL_ELSEWHERE = 1 << 6, /* acted on or refused by the runtime, by node and backend */
  ZL_SHOWN = 1 << 7      /* rendered also while it has its default */
};

#define ZL_ALWAYS      (~0u)
#define ZL_CASE(value) (1u << (value))

struct zl_field {
  const char *key;
  const char *alias; /* a second key of the same meaning, or NULL */
  const char *also;  /* names that people try instead, separated by blanks, or NULL */
  enum zl_kind kind;
  unsigned flags;
  size_t offset, size;
  size_t has;           /* offset of the has_ flag; 0: none */
  size_t count;         /* arrays and maps: offset of the count */
  const char *fallback; /* the default as a text; NULL: all zero */
  int64_t min;
  uint64_t max;
  const struct zl_option *options;
  const struct zl_type *type;
  unsigned only;    /* the cases (bits of the tag's value) that have this field; 0: all */
  unsigned need;    /* the cases in which it is required */
  unsigned planned; /* the cases in which only the default is accepted; ZL_ALWAYS: all */
  const char *hint; /* what to do instead of using something planned */
  zl_check_fn check;
  const char *doc;
};

struct zl_type {
  const char *name; /* "endpoint" */
  size_t size;
  const struct zl_field *fields;
  size_t n_fields;
  bool named; /* element of a map: its first member is a char * that holds the key */
  /* After reading and before checking: values that follow from others. May be NULL. */
  void (*finish)(struct zl_spec_ctx *ctx, const struct zl_at *at, void *object);
  /* Rules over several fields. May be NULL. */
  void (*check)(struct zl_spec_ctx *ctx, const struct zl_at *at, const void *object);
  /* Checks the key of an element of a map. May be NULL. */
  zl_check_fn check_name;
  /* Atoms only. `parse` is given an all-zero object. */
  int (*parse)(const char *text, void *object, struct zl_error *err);
  int (*render)(const void *object, struct zl_buf *buf, struct zl_error *err);
};

#define ZL_MEMBER(S, m) \
  .offset = offsetof(struct S, m), .size = sizeof(__typeof__(((struct S *)NULL)->m))
/* A field whose key is the member's name; the rest are designated initializers. */
#define ZL_FIELD(S, m, k, ...)                           \
  {                                                      \
    .key = #m, .kind = (k), ZL_MEMBER(S, m), __VA_ARGS__ \
  }
#define ZL_KEYED(S, m, text, k, ...)                         \
  {                                                          \
    .key = (text), .kind = (k), ZL_MEMBER(S, m), __VA_ARGS__ \
  }
#define ZL_OPTIONAL_FIELD(S, m, k, ...)                                                      \
  {                                                                                          \
    .key = #m, .kind = (k), ZL_MEMBER(S, m), .has = offsetof(struct S, has_##m), __VA_ARGS__ \
  }
/* Arrays and maps: the member n_<m> counts. */
#define ZL_MANY(S, m, k, t, ...)                                                               \
  {                                                                                            \
    .key = #m, .kind = (k), ZL_MEMBER(S, m), .count = offsetof(struct S, n_##m), .type = &(t), \
    __VA_ARGS__                                                                                \
  }

/* ---- object.c: memory and defaults ---- */

/* Sets every default in a struct. Returns a negative code when out of memory (the object can still
 * be released). */
int zl_object_init(const struct zl_type *type, void *object, struct zl_error *err);
/* Frees what the struct owns and clears it. */
void zl_object_done(const struct zl_type *type, void *object);
/* Makes *to, which is overwritten, a deep copy. After an error *to can be released. */
int zl_object_copy(const struct zl_type *type, void *to, const void *from, struct zl_error *err);
/* True while the field has the value that zl_object_init gave it. */
bool zl_field_is_default(const struct zl_field *field, const void *object);

/* The member itself. */
void *zl_slot(const struct zl_field *field, void *object);
const void *zl_slot_const(const struct zl_field *field, const void *object);
/* Members that are pointers (texts, lists, arrays), read and written without aliasing trouble. */
void *zl_pointer_get(const void *slot);
void zl_pointer_set(void *slot, void *pointer);
size_t zl_field_count(const struct zl_field *field, const void *object);
const void *zl_field_element(const struct zl_field *field, const void *object, size_t index);
/* True when an optional value is there; other fields always are. */
bool zl_field_is_set(const struct zl_field *field, const void *object);
/* Which case of a tagged struct this is, as a bit; ZL_ALWAYS for other structs. */
unsigned zl_object_case(const struct zl_type *type, const void *object);
const struct zl_field *zl_type_tag(const struct zl_type *type);
/* By key or alias; NULL. */
const struct zl_field *zl_type_find(const struct zl_type *type, const char *key);
/* The first text of a value, NULL when it has none. */
const char *zl_option_text(const struct zl_option *options, unsigned value);
/* NULL: no such text. */
const struct zl_option *zl_option_find(const struct zl_option *options, const char *text);

/* ---- value.c: single values ---- */

/* Sets a scalar field from a text; ZL_E_INVALID says what is expected. */
int zl_value_parse(const struct zl_field *field, const char *text, void *object,
                   struct zl_error *err);
/* What the field takes: "a whole number from 1 to 65535". Returns `text`. */
enum {
  ZL_EXPECTED_TEXT = 256
};
const char *zl_value_expected(const struct zl_field *field, char text[ZL_EXPECTED_TEXT]);
int64_t zl_int_get(const struct zl_field *field, const void *object);

/* ---- decode.c, check.c, render.c ---- */

/* Reads the mapping at->node into an object that has its defaults. */
void zl_object_decode(struct zl_spec_ctx *ctx, const struct zl_type *type, const struct zl_at *at,
                      void *object);
/* Applies every rule of the table to the object. */
void zl_object_check(struct zl_spec_ctx *ctx, const struct zl_type *type, const struct zl_at *at,
                     const void *object);
/* Canonical text of the object as one document. */
int zl_object_render(const struct zl_type *type, const void *object, enum zl_spec_format format,
                     struct zl_buf *out, struct zl_error *err);
/* Tables of every type reachable from `type`, as Markdown. */
int zl_type_document(const struct zl_type *type, struct zl_buf *out, struct zl_error *err);

/* ---- suggest.c ---- */

/* The known key nearest to an unknown one, or NULL. */
const char *zl_suggest_key(const struct zl_type *type, const char *key);
/* The text nearest to an unknown one, or NULL. */
const char *zl_suggest_option(const struct zl_option *options, const char *text);

#endif
