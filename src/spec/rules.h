/* SPDX-License-Identifier: Apache-2.0
 *
 * The rules for single values (zl_check_fn of the tables) and for whole structs.
 */
#ifndef ZL_SPEC_RULES_H
#define ZL_SPEC_RULES_H

#include <stdbool.h>
#include <stdint.h>
#include <zlayer/spec.h>

#include "spec/report.h"

/* One character of UTF-8; moves *p past it. False: not valid (also surrogates and overlong forms).
 */
bool zl_utf8_next(const char **p, uint32_t *ret);
bool zl_text_is_utf8(const char *text);

/* rules_text.c: names, addresses, paths. Each is given a const char *. */
void zl_check_not_empty(struct zl_spec_ctx *ctx, const struct zl_at *at, const void *value);
void zl_check_version(struct zl_spec_ctx *ctx, const struct zl_at *at, const void *value);
void zl_check_deployment(struct zl_spec_ctx *ctx, const struct zl_at *at, const void *value);
void zl_check_service_name(struct zl_spec_ctx *ctx, const struct zl_at *at, const void *value);
void zl_check_role(struct zl_spec_ctx *ctx, const struct zl_at *at, const void *value);
void zl_check_volume_name(struct zl_spec_ctx *ctx, const struct zl_at *at, const void *value);
void zl_check_image(struct zl_spec_ctx *ctx, const struct zl_at *at, const void *value);
void zl_check_ip(struct zl_spec_ctx *ctx, const struct zl_at *at, const void *value);
void zl_check_hostname(struct zl_spec_ctx *ctx, const struct zl_at *at, const void *value);
void zl_check_extra_host(struct zl_spec_ctx *ctx, const struct zl_at *at, const void *value);
void zl_check_absolute(struct zl_spec_ctx *ctx, const struct zl_at *at, const void *value);
void zl_check_mount_path(struct zl_spec_ctx *ctx, const struct zl_at *at, const void *value);
void zl_check_target(struct zl_spec_ctx *ctx, const struct zl_at *at, const void *value);
void zl_check_cgroup_parent(struct zl_spec_ctx *ctx, const struct zl_at *at, const void *value);
bool zl_text_is_ip(const char *text);
bool zl_text_is_absolute(const char *text); /* "/x", "C:\x" */
bool zl_text_is_volume_name(const char *text);

/* rules_process.c: users, signals, privileges. */
void zl_check_user(struct zl_spec_ctx *ctx, const struct zl_at *at, const void *value);
void zl_check_group(struct zl_spec_ctx *ctx, const struct zl_at *at, const void *value);
void zl_check_signal(struct zl_spec_ctx *ctx, const struct zl_at *at, const void *value);
void zl_check_capability(struct zl_spec_ctx *ctx, const struct zl_at *at, const void *value);
void zl_check_security_opt(struct zl_spec_ctx *ctx, const struct zl_at *at, const void *value);
void zl_check_ulimit_name(struct zl_spec_ctx *ctx, const struct zl_at *at, const void *value);
void zl_check_expose(struct zl_spec_ctx *ctx, const struct zl_at *at, const void *value);
void zl_check_cpuset(struct zl_spec_ctx *ctx, const struct zl_at *at, const void *value);
void zl_check_cpu(struct zl_spec_ctx *ctx, const struct zl_at *at, const void *value); /* double */
/* struct zl_pair */
void zl_check_env(struct zl_spec_ctx *ctx, const struct zl_at *at, const void *value);
void zl_check_label(struct zl_spec_ctx *ctx, const struct zl_at *at, const void *value);
void zl_check_sysctl(struct zl_spec_ctx *ctx, const struct zl_at *at, const void *value);

/* cron.c: seven fields: second minute hour day month weekday year. */
void zl_check_cron(struct zl_spec_ctx *ctx, const struct zl_at *at, const void *value);

/* env.c: replaces "$E:VAR" by the value of VAR, reports one that is not set. */
void zl_env_resolve(struct zl_spec_ctx *ctx, const struct zl_at *at, struct zl_pairs *env);

/* rules_service.c, rules_deployment.c */
void zl_check_service(struct zl_spec_ctx *ctx, const struct zl_at *at, const void *object);
void zl_check_resources(struct zl_spec_ctx *ctx, const struct zl_at *at, const void *object);
void zl_check_deployment_rules(struct zl_spec_ctx *ctx, const struct zl_at *at, const void *object);

#endif
