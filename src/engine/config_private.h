/* SPDX-License-Identifier: Apache-2.0
 *
 * Shared by the config_*.c files: the arena that owns a parsed configuration, and readers that copy
 * members into it. `path` is the path of `object` in the document, "" for the document itself.
 */
#ifndef ZL_ENGINE_CONFIG_PRIVATE_H
#define ZL_ENGINE_CONFIG_PRIVATE_H

#include "base/json.h"
#include "engine/config.h"

enum {
  ZL_CONFIG_PATH = 160 /* member names are ours and short; indices have at most four digits */
};

struct zl_arena_block;
struct zl_arena {
  struct zl_arena_block *head;
};

/* Zeroed memory of the arena, aligned for any type; NULL when out of memory. */
void *zl_arena_alloc(struct zl_arena *arena, size_t size);
void zl_arena_done(struct zl_arena *arena);

struct zl_config_reader {
  struct zl_arena *arena;
  struct zl_error *err;
};

/* "path.key" or "path.key[index]"; index < 0: none. Returns `text`. */
const char *zl_config_path(char text[ZL_CONFIG_PATH], const char *path, const char *key, int index);

/* A copy of `text` in the arena. */
int zl_config_copy(struct zl_config_reader *rd, const char *text, const char **ret);
/* `text`, of the arena, with a "/" in front unless it has one. */
int zl_config_rooted(struct zl_config_reader *rd, const char *text, const char **ret);
/* NULL when absent. */
int zl_config_string(struct zl_config_reader *rd, const json_t *object, const char *path,
                     const char *key, const char **ret);
/* As above, and absent or "" is an error. */
int zl_config_required(struct zl_config_reader *rd, const json_t *object, const char *path,
                       const char *key, const char **ret);
/* An empty vector when absent. */
int zl_config_strv(struct zl_config_reader *rd, const json_t *object, const char *path,
                   const char *key, size_t max, char ***ret);
/* A number within 0..max that must be there. */
int zl_config_required_u32(struct zl_config_reader *rd, const json_t *object, const char *path,
                           const char *key, uint32_t max, uint32_t *ret);

struct zl_config_word {
  const char *name;
  uint32_t value;
};

/* The value of a word of the specification; another word is an error at `at`. */
int zl_config_word(struct zl_config_reader *rd, const struct zl_config_word *words, size_t n,
                   const char *text, const char *at, uint32_t *ret);

/* Adds the values of the words in the array `flags`, which may be absent, to *ret. */
int zl_config_flags(struct zl_config_reader *rd, const json_t *object, const char *path,
                    const struct zl_config_word *words, size_t n, uint32_t *ret);

/* Reads one object into *out, which is zeroed. */
typedef int (*zl_config_item_fn)(struct zl_config_reader *rd, const json_t *item, const char *path,
                                 void *out);
/* An array of objects, each read by `fn` into an element of `size` bytes. *ret_items is the array
 * (NULL when absent or empty). */
int zl_config_items(struct zl_config_reader *rd, const json_t *object, const char *path,
                    const char *key, size_t max, size_t size, zl_config_item_fn fn,
                    void **ret_items, size_t *ret_n);
/* The same for an object of strings ("sysctl"). */
int zl_config_pairs(struct zl_config_reader *rd, const json_t *object, const char *path,
                    const char *key, size_t max, const struct zl_key_value **ret, size_t *ret_n);

/* ZL_E_UNSUPPORTED when `object` has one of `keys` with a value that says something: a setting that
 * changes what a container may do must not be ignored in silence. */
int zl_config_refuse(struct zl_config_reader *rd, const json_t *object, const char *path,
                     const char *const *keys, size_t n);

/* {"containerID", "hostID", "size"}: used by linux.uidMappings and by mounts. */
int zl_config_idmap(struct zl_config_reader *rd, const json_t *item, const char *path, void *out);

/* One reader per part of the document. */
int zl_config_process(struct zl_config_reader *rd, const json_t *object, const char *path,
                      struct zl_process *process);
int zl_config_schedule(struct zl_config_reader *rd, const json_t *object, const char *path,
                       struct zl_process *process);
int zl_config_memory_policy(struct zl_config_reader *rd, const json_t *linux_object,
                            struct zl_engine_config *config);
int zl_config_mount(struct zl_config_reader *rd, const json_t *item, const char *path, void *out);
int zl_config_linux(struct zl_config_reader *rd, const json_t *object,
                    struct zl_engine_config *config);
/* `path` is the path of the resources themselves. */
int zl_config_resources(struct zl_config_reader *rd, const json_t *object, const char *path,
                        struct zl_resources *res);
int zl_config_seccomp(struct zl_config_reader *rd, const json_t *object, const char *path,
                      const struct zl_seccomp_profile **ret);
int zl_config_hooks(struct zl_config_reader *rd, const json_t *doc,
                    struct zl_engine_config *config);
int zl_config_private(struct zl_config_reader *rd, const json_t *object,
                      struct zl_engine_config *config);
/* The members of `zlayer` that zl_engine_config_amend may replace. */
int zl_config_private_amend(struct zl_config_reader *rd, const json_t *object,
                            struct zl_engine_config *config);

#endif
