/* SPDX-License-Identifier: Apache-2.0
 *
 * Writing a document member by member.
 */
#ifndef ZL_RUNTIME_HCS_DOC_PRIVATE_H
#define ZL_RUNTIME_HCS_DOC_PRIVATE_H

#include "runtime/hcs/doc.h"

/* An object being written. The first failure, which only want of memory can be, sticks. */
struct zl_doc {
  json_t *object;
  bool failed;
};

void zl_doc_init(struct zl_doc *doc);
/* What was written, or NULL after a failure. */
json_t *zl_doc_end(struct zl_doc *doc);
/* The same as the last step of a function. */
int zl_doc_finish(struct zl_doc *doc, const char *what, json_t **ret, struct zl_error *err);

/* Each adds a member, and nothing for what is NULL, empty, 0 or false. */
void zl_doc_text(struct zl_doc *doc, const char *key, const char *text);
void zl_doc_number(struct zl_doc *doc, const char *key, uint64_t number);
void zl_doc_flag(struct zl_doc *doc, const char *key, bool flag);
/* Takes `part` over, an object or array; nothing is added when that is empty. NULL: it failed. */
void zl_doc_part(struct zl_doc *doc, const char *key, json_t *part);

/* Appends to an array of the document's; `part` as above, and may be empty. */
void zl_doc_item(struct zl_doc *doc, json_t *array, json_t *part);
/* {"KEY":"…"} and {KEY: part}, for parts with one member. */
json_t *zl_doc_one_text(const char *key, const char *text);
json_t *zl_doc_one_part(const char *key, json_t *part);

/* {"Major":2,"Minor":1} */
json_t *zl_doc_version(void);
/* [{"Id","Path"}]. */
json_t *zl_doc_layers(const struct zl_hcs_layer *layers, size_t count);
/* {"IopsMaximum","BandwidthMaximum"}; may be empty. */
json_t *zl_doc_qos(uint64_t iops, uint64_t bandwidth);
/* {"Count","Weight","Maximum"} of a container; may be empty. */
json_t *zl_doc_limits(const struct zl_hcs_limits *limits);
/* {"HostPath","ContainerPath","ReadOnly"} and {"ContainerPipeName","HostPath"}. */
json_t *zl_doc_directory(const struct zl_hcs_mount *mount);
json_t *zl_doc_pipe(const struct zl_hcs_mount *mount);

/* What a message says first: "container 'web-rep-1': ", or nothing without an id. */
struct zl_doc_place {
  const char *kind, *id;
};
/* ZL_E_INVALID: `text` as it is, and `why` it cannot be. */
int zl_doc_refuse(const struct zl_doc_place *place, const char *field, const char *text,
                  const char *why, struct zl_error *err);
int zl_doc_check_path(const struct zl_doc_place *place, const char *field, const char *path,
                      struct zl_error *err);
int zl_doc_check_guid(const struct zl_doc_place *place, const char *field, const char *guid,
                      struct zl_error *err);
/* JSON's numbers are signed. */
int zl_doc_check_number(const struct zl_doc_place *place, const char *field, uint64_t number,
                        struct zl_error *err);
int zl_doc_check_owner(const struct zl_doc_place *place, const char *owner, struct zl_error *err);
/* Not empty, not too many, each with an id and an absolute path. */
int zl_doc_check_layers(const struct zl_doc_place *place, const struct zl_hcs_layer *layers,
                        size_t count, struct zl_error *err);
int zl_doc_check_limits(const struct zl_doc_place *place, const struct zl_hcs_limits *limits,
                        struct zl_error *err);
int zl_doc_check_mount(const struct zl_hcs_mount *mount, struct zl_error *err);

#endif
