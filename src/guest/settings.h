/* SPDX-License-Identifier: Apache-2.0
 *
 * ModifySettings: docs/bridge.md.
 */
#ifndef ZL_GUEST_SETTINGS_H
#define ZL_GUEST_SETTINGS_H

#include <jansson.h>
#include <stdbool.h>
#include <zlayer/error.h>

struct agent;

int settings_apply(struct agent *agent, const char *container_id, const json_t *body,
                   struct zl_error *err);

/* One kind of setting each; `settings` may be NULL. `is_remove` instead of being added. */
int settings_identity(const json_t *settings, struct zl_error *err);
int settings_network(const json_t *settings, struct zl_error *err);
int settings_disk(const json_t *settings, bool is_remove, struct zl_error *err);
int settings_directory(const json_t *settings, struct zl_error *err);

#endif
