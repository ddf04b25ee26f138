/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ZL_CLI_IMAGE_OPTIONS_H
#define ZL_CLI_IMAGE_OPTIONS_H

#include "cli/cli.h"

#define ZL_OPTION_COMPRESSION(words)                           \
  {                                                            \
    .name = "compression", .value = "HOW", .complete = words,  \
    .summary = "Of layers that are written anew; default gzip" \
  }

enum zl_image_compression zl_image_compression_of(const struct zl_args *args);

/* zl_inspect_image, parsed. Free with json_decref. */
int zl_image_facts(struct zl_runtime *rt, const char *image, json_t **ret, struct zl_error *err);

/* What `docker history` and `podman history` show of the image, newest first: objects with
 * "created", "createdBy", "size", "comment", and "empty" where a step made no layer. A new
 * reference, NULL when out of memory. */
json_t *zl_image_history(const json_t *facts);
/* What `docker image inspect` and `podman image inspect` call its facts. */
json_t *zl_image_description(const json_t *facts);

#endif
