/* SPDX-License-Identifier: Apache-2.0
 *
 * How many containers, where, in which order, and what when they fail.
 */
#include <string.h>

#include "base/limits.h"
#include "spec/rules.h"
#include "spec/tables.h"

/* ---- scale ---- */

static const struct zl_option scale_modes[] = {
  { "fixed", ZL_SCALE_FIXED, false },
  { "adaptive", ZL_SCALE_ADAPTIVE, true },
  { "manual", ZL_SCALE_MANUAL, false },
  { 0 },
};

static void check_positive(struct zl_spec_ctx *ctx, const struct zl_at *at, const void *value)
{
  double number;

  memcpy(&number, value, sizeof(number));
  if (number < 0 || (number == 0 && at->node != NULL))
    zl_report(ctx, at, ZL_E_INVALID, "expected a number above 0, found %g", number);
}

static const struct zl_field targets_fields[] = {
  ZL_FIELD(zl_scale_targets, cpu, ZL_KIND_NUMBER, .check = check_positive,
           .doc = "Per cent of the CPUs."),
  ZL_FIELD(zl_scale_targets, memory, ZL_KIND_NUMBER, .check = check_positive,
           .doc = "Per cent of the memory."),
  ZL_FIELD(zl_scale_targets, rps, ZL_KIND_INT, .min = 1, .max = UINT32_MAX,
           .doc = "Requests per second."),
};

static const struct zl_type targets = { .name = "scale.targets",
                                        .size = sizeof(struct zl_scale_targets),
                                        ZL_FIELDS(targets_fields) };

#define FIXED    ZL_CASE(ZL_SCALE_FIXED)
#define ADAPTIVE ZL_CASE(ZL_SCALE_ADAPTIVE)

static const struct zl_field scale_fields[] = {
  ZL_FIELD(zl_scale, mode, ZL_KIND_ENUM, .flags = ZL_REQUIRED | ZL_TAG, .options = scale_modes,
           .fallback = "fixed", .hint = "use fixed",
           .doc = "manual begins with no replica. Absent scale: fixed with 1 replica."),
  ZL_FIELD(zl_scale, replicas, ZL_KIND_INT, .only = FIXED, .need = FIXED, .max = ZL_MAX_REPLICAS,
           .fallback = "1", .doc = "How many containers."),
  ZL_FIELD(zl_scale, min, ZL_KIND_INT, .only = ADAPTIVE, .max = ZL_MAX_REPLICAS, .fallback = "1",
           .doc = "Fewest."),
  ZL_FIELD(zl_scale, max, ZL_KIND_INT, .only = ADAPTIVE, .min = 1, .max = ZL_MAX_REPLICAS,
           .fallback = "10", .doc = "Most."),
  ZL_FIELD(zl_scale, cooldown, ZL_KIND_DURATION, .only = ADAPTIVE, .fallback = "30s",
           .doc = "Pause between two changes."),
  ZL_FIELD(zl_scale, targets, ZL_KIND_STRUCT, .only = ADAPTIVE, .type = &targets,
           .doc = "What is aimed at."),
};

static void finish_scale(struct zl_spec_ctx *ctx, const struct zl_at *at, void *object)
{
  struct zl_scale *scale = object;

  (void)ctx;
  (void)at;
  if (scale->mode == ZL_SCALE_MANUAL)
    scale->replicas = 0;
}

static void check_scale(struct zl_spec_ctx *ctx, const struct zl_at *at, const void *object)
{
  const struct zl_scale *scale = object;
  struct zl_at min = zl_at_key(at, "min", NULL);

  if (scale->mode == ZL_SCALE_ADAPTIVE && scale->min > scale->max)
    zl_report(ctx, &min, ZL_E_INVALID, "min is above max");
}

const struct zl_type zl_type_scale = { .name = "scale",
                                       .size = sizeof(struct zl_scale),
                                       .finish = finish_scale,
                                       .check = check_scale,
                                       ZL_FIELDS(scale_fields) };

/* ---- affinity ---- */

static const struct zl_field affinity_fields[] = {
  ZL_FIELD(zl_affinity, kind, ZL_KIND_INT, .max = ZL_AFFINITY_PIN),
  ZL_FIELD(zl_affinity, selector, ZL_KIND_TEXT),
};

static int parse_affinity(const char *text, void *object, struct zl_error *err)
{
  struct zl_affinity *affinity = object;

  if (strncmp(text, "pin:", 4) == 0 && text[4] != '\0') {
    affinity->selector = strdup(text + 4);
    if (affinity->selector == NULL)
      return zl_fail_nomem(err, "affinity");
    affinity->kind = ZL_AFFINITY_PIN;
  } else if (strcmp(text, "spread") == 0) {
    affinity->kind = ZL_AFFINITY_SPREAD;
  } else if (strcmp(text, "pack") == 0) {
    affinity->kind = ZL_AFFINITY_PACK;
  } else {
    return zl_fail(err, ZL_E_INVALID, 0, "expected spread, pack or pin:SELECTOR, found '%s'", text);
  }
  return 0;
}

static int render_affinity(const void *object, struct zl_buf *buf, struct zl_error *err)
{
  static const char *const names[] = { "", "spread", "pack", "pin:" };
  const struct zl_affinity *affinity = object;

  return zl_buf_printf(buf, err, "%s%s", names[affinity->kind],
                       affinity->selector != NULL ? affinity->selector : "");
}

const struct zl_type zl_type_affinity = { .name = "affinity",
                                          .size = sizeof(struct zl_affinity),
                                          .parse = parse_affinity,
                                          .render = render_affinity,
                                          ZL_FIELDS(affinity_fields) };

static const struct zl_field node_selector_fields[] = {
  ZL_FIELD(zl_node_selector, labels, ZL_KIND_PAIRS, .doc = "Labels that a node must have."),
  ZL_FIELD(zl_node_selector, prefer_labels, ZL_KIND_PAIRS, .doc = "Labels that are better."),
};

const struct zl_type zl_type_node_selector = { .name = "node_selector",
                                               .size = sizeof(struct zl_node_selector),
                                               ZL_FIELDS(node_selector_fields) };

/* ---- replica groups ---- */

static const struct zl_field group_fields[] = {
  ZL_FIELD(zl_replica_group, role, ZL_KIND_TEXT, .flags = ZL_REQUIRED, .check = zl_check_role,
           .doc = "Unique in the service."),
  ZL_FIELD(zl_replica_group, count, ZL_KIND_INT, .flags = ZL_REQUIRED, .min = 1,
           .max = ZL_MAX_REPLICAS, .doc = "How many."),
  ZL_FIELD(zl_replica_group, image, ZL_KIND_TEXT, .check = zl_check_image,
           .doc = "Instead of the service's."),
  ZL_FIELD(zl_replica_group, env, ZL_KIND_PAIRS, .check = zl_check_env,
           .doc = "Besides the service's."),
  ZL_FIELD(zl_replica_group, command, ZL_KIND_STRUCT, .type = &zl_type_command,
           .doc = "Instead of the service's."),
  ZL_FIELD(zl_replica_group, resources, ZL_KIND_STRUCT, .type = &zl_type_resources,
           .doc = "Instead of the service's."),
  ZL_FIELD(zl_replica_group, affinity, ZL_KIND_ATOM, .type = &zl_type_affinity,
           .fallback = "spread", .doc = "Over nodes."),
};

static void finish_group(struct zl_spec_ctx *ctx, const struct zl_at *at, void *object)
{
  struct zl_replica_group *group = object;

  zl_env_resolve(ctx, at, &group->env);
}

const struct zl_type zl_type_replica_group = { .name = "replica_group",
                                               .size = sizeof(struct zl_replica_group),
                                               .finish = finish_group,
                                               ZL_FIELDS(group_fields) };

/* ---- order ---- */

static const struct zl_option conditions[] = {
  { "started", ZL_CONDITION_STARTED, false },
  { "healthy", ZL_CONDITION_HEALTHY, true },
  { "ready", ZL_CONDITION_READY, true },
  { 0 },
};

static const struct zl_option failures[] = {
  { "fail", ZL_ON_FAILURE_FAIL, false },
  { "warn", ZL_ON_FAILURE_WARN, false },
  { "continue", ZL_ON_FAILURE_CONTINUE, false },
  { 0 },
};

static const struct zl_field depend_fields[] = {
  ZL_FIELD(zl_depend, service, ZL_KIND_TEXT, .flags = ZL_REQUIRED, .check = zl_check_not_empty,
           .doc = "A service of this deployment."),
  ZL_FIELD(zl_depend, condition, ZL_KIND_ENUM, .options = conditions, .fallback = "healthy",
           .hint = "write 'condition: started'",
           .doc = "What is waited for. The default needs health checks, which do not exist yet, so "
                  "it has to be written."),
  ZL_FIELD(zl_depend, timeout, ZL_KIND_DURATION, .fallback = "300s", .doc = "How long."),
  ZL_FIELD(zl_depend, on_timeout, ZL_KIND_ENUM, .options = failures, .fallback = "fail",
           .doc = "What then."),
};

const struct zl_type zl_type_depend = { .name = "depend",
                                        .size = sizeof(struct zl_depend),
                                        ZL_FIELDS(depend_fields) };

/* ---- health ---- */

static const struct zl_option check_types[] = {
  { "tcp", ZL_CHECK_TCP, false },
  { "http", ZL_CHECK_HTTP, false },
  { "command", ZL_CHECK_COMMAND, false },
  { 0 },
};

#define HTTP    ZL_CASE(ZL_CHECK_HTTP)
#define COMMAND ZL_CASE(ZL_CHECK_COMMAND)

static const struct zl_field health_check_fields[] = {
  ZL_FIELD(zl_health_check, type, ZL_KIND_ENUM, .flags = ZL_REQUIRED | ZL_TAG,
           .options = check_types, .fallback = "tcp", .doc = "How."),
  ZL_FIELD(zl_health_check, port, ZL_KIND_INT, .only = ZL_CASE(ZL_CHECK_TCP), .max = 65535,
           .fallback = "0", .doc = "0: the first endpoint's."),
  ZL_FIELD(zl_health_check, url, ZL_KIND_TEXT, .only = HTTP, .need = HTTP,
           .check = zl_check_not_empty, .doc = "What is fetched."),
  ZL_FIELD(zl_health_check, expect_status, ZL_KIND_INT, .only = HTTP, .min = 100, .max = 599,
           .fallback = "200", .doc = "What must come back."),
  ZL_FIELD(zl_health_check, command, ZL_KIND_TEXT, .only = COMMAND, .need = COMMAND,
           .check = zl_check_not_empty, .doc = "What is run."),
};

static const struct zl_type health_check = { .name = "health.check",
                                             .size = sizeof(struct zl_health_check),
                                             ZL_FIELDS(health_check_fields) };

static const struct zl_field health_fields[] = {
  ZL_FIELD(zl_health, start_grace, ZL_KIND_DURATION, .fallback = "5s", .doc = "Before the first."),
  ZL_FIELD(zl_health, interval, ZL_KIND_DURATION, .doc = "Between two."),
  ZL_FIELD(zl_health, timeout, ZL_KIND_DURATION, .doc = "Of one."),
  ZL_FIELD(zl_health, retries, ZL_KIND_INT, .max = 1000, .fallback = "3",
           .doc = "Failures in a row that count."),
  ZL_FIELD(zl_health, check, ZL_KIND_STRUCT, .type = &health_check, .doc = "What is checked."),
};

const struct zl_type zl_type_health = { .name = "health",
                                        .size = sizeof(struct zl_health),
                                        ZL_FIELDS(health_fields) };

/* ---- init steps ---- */

static const struct zl_field init_step_fields[] = {
  ZL_FIELD(zl_init_step, id, ZL_KIND_TEXT, .flags = ZL_REQUIRED, .check = zl_check_not_empty,
           .doc = "Its name."),
  ZL_FIELD(zl_init_step, uses, ZL_KIND_TEXT, .flags = ZL_REQUIRED, .check = zl_check_not_empty,
           .doc = "Which action."),
  ZL_FIELD(zl_init_step, with, ZL_KIND_PAIRS, .flags = ZL_LOOSE, .doc = "Its parameters."),
  ZL_FIELD(zl_init_step, retry, ZL_KIND_INT, .max = 1000, .doc = "How often again."),
  ZL_FIELD(zl_init_step, timeout, ZL_KIND_DURATION, .doc = "How long."),
  ZL_FIELD(zl_init_step, on_failure, ZL_KIND_ENUM, .options = failures, .fallback = "fail",
           .doc = "What when it fails."),
};

static const struct zl_type init_step = { .name = "init.step",
                                          .size = sizeof(struct zl_init_step),
                                          ZL_FIELDS(init_step_fields) };

static const struct zl_field init_fields[] = {
  ZL_MANY(zl_init, steps, ZL_KIND_ARRAY, init_step, .planned = ZL_ALWAYS,
          .doc = "Actions before the workload starts."),
};

const struct zl_type zl_type_init = { .name = "init",
                                      .size = sizeof(struct zl_init),
                                      ZL_FIELDS(init_fields) };

/* ---- errors ---- */

static const struct zl_option init_failure_actions[] = {
  { "fail", ZL_INIT_FAILURE_FAIL, false },
  { "restart", ZL_INIT_FAILURE_RESTART, true },
  { "backoff", ZL_INIT_FAILURE_BACKOFF, true },
  { 0 },
};

static const struct zl_field on_init_failure_fields[] = {
  ZL_FIELD(zl_on_init_failure, action, ZL_KIND_ENUM, .options = init_failure_actions,
           .fallback = "fail", .doc = "What happens then."),
};

static const struct zl_type on_init_failure = { .name = "errors.on_init_failure",
                                                .size = sizeof(struct zl_on_init_failure),
                                                ZL_FIELDS(on_init_failure_fields) };

static const struct zl_option panic_actions[] = {
  { "restart", ZL_PANIC_RESTART, false },
  { "shutdown", ZL_PANIC_SHUTDOWN, true },
  { "isolate", ZL_PANIC_ISOLATE, true },
  { 0 },
};

static const struct zl_field on_panic_fields[] = {
  ZL_FIELD(zl_on_panic, action, ZL_KIND_ENUM, .options = panic_actions, .fallback = "restart",
           .doc = "What happens then. There is no supervisor yet: a container that has ended stays "
                  "ended."),
};

static const struct zl_type on_panic = { .name = "errors.on_panic",
                                         .size = sizeof(struct zl_on_panic),
                                         ZL_FIELDS(on_panic_fields) };

static const struct zl_field errors_fields[] = {
  ZL_FIELD(zl_error_policy, on_init_failure, ZL_KIND_STRUCT, .type = &on_init_failure,
           .doc = "When an init step fails."),
  ZL_FIELD(zl_error_policy, on_panic, ZL_KIND_STRUCT, .type = &on_panic,
           .doc = "When the workload fails."),
};

const struct zl_type zl_type_errors = { .name = "errors",
                                        .size = sizeof(struct zl_error_policy),
                                        ZL_FIELDS(errors_fields) };
