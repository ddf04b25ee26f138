/* SPDX-License-Identifier: Apache-2.0 */
#include <linux/seccomp.h>
#include <string.h>

#include "base/limits.h"
#include "base/strv.h"
#include "engine/config_private.h"

#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1UL << 5)
#endif

static const struct zl_config_word actions[] = {
  { "SCMP_ACT_ALLOW", SECCOMP_RET_ALLOW },
  { "SCMP_ACT_ERRNO", SECCOMP_RET_ERRNO },
  { "SCMP_ACT_KILL", SECCOMP_RET_KILL_THREAD },
  { "SCMP_ACT_KILL_THREAD", SECCOMP_RET_KILL_THREAD },
  { "SCMP_ACT_KILL_PROCESS", SECCOMP_RET_KILL_PROCESS },
  { "SCMP_ACT_TRAP", SECCOMP_RET_TRAP },
  { "SCMP_ACT_TRACE", SECCOMP_RET_TRACE },
  { "SCMP_ACT_LOG", SECCOMP_RET_LOG },
  { "SCMP_ACT_NOTIFY", SECCOMP_RET_USER_NOTIF },
};

static const struct zl_config_word ops[] = {
  { "SCMP_CMP_NE", ZL_CMP_NE },
  { "SCMP_CMP_LT", ZL_CMP_LT },
  { "SCMP_CMP_LE", ZL_CMP_LE },
  { "SCMP_CMP_EQ", ZL_CMP_EQ },
  { "SCMP_CMP_GE", ZL_CMP_GE },
  { "SCMP_CMP_GT", ZL_CMP_GT },
  { "SCMP_CMP_MASKED_EQ", ZL_CMP_MASKED_EQ },
};

static const struct zl_config_word flags[] = {
  { "SECCOMP_FILTER_FLAG_TSYNC", SECCOMP_FILTER_FLAG_TSYNC },
  { "SECCOMP_FILTER_FLAG_LOG", SECCOMP_FILTER_FLAG_LOG },
  { "SECCOMP_FILTER_FLAG_SPEC_ALLOW", SECCOMP_FILTER_FLAG_SPEC_ALLOW },
  { "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV", SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV },
};

/* An action and the errno that belongs to ERRNO and TRACE (EPERM when absent, as in runc). */
static int read_action(struct zl_config_reader *rd, const json_t *object, const char *path,
                       const char *key, const char *errno_key, uint32_t *ret)
{
  char at[ZL_CONFIG_PATH];
  const char *text = NULL;
  int64_t number = 0;
  int r = zl_config_required(rd, object, path, key, &text);

  if (r == 0)
    r = zl_json_get_int(object, path, errno_key, 0, 4095, EPERM, &number, rd->err);
  if (r == 0)
    r = zl_config_word(rd, actions, ZL_COUNT(actions), text, zl_config_path(at, path, key, -1),
                       ret);
  if (r == 0 && (*ret == SECCOMP_RET_ERRNO || *ret == SECCOMP_RET_TRACE))
    *ret |= (uint32_t)number;
  return r;
}

static int read_arg(struct zl_config_reader *rd, const json_t *item, const char *path, void *out)
{
  struct zl_seccomp_arg *arg = out;
  char at[ZL_CONFIG_PATH];
  const char *op = NULL;
  uint32_t index = 0, code = 0;
  int64_t value = 0, value2 = 0;
  int r = zl_config_required_u32(rd, item, path, "index", 5, &index);

  /* Unsigned 64-bit members: -1 is what 2^64-1 was folded to. */
  if (r == 0)
    r = zl_json_get_int(item, path, "value", -1, INT64_MAX, 0, &value, rd->err);
  if (r == 0)
    r = zl_json_get_int(item, path, "valueTwo", -1, INT64_MAX, 0, &value2, rd->err);
  if (r == 0)
    r = zl_config_required(rd, item, path, "op", &op);
  if (r == 0)
    r = zl_config_word(rd, ops, ZL_COUNT(ops), op, zl_config_path(at, path, "op", -1), &code);
  if (r < 0)
    return r;
  *arg = (struct zl_seccomp_arg){ .index = (uint8_t)index,
                                  .op = (uint8_t)code,
                                  .value = (uint64_t)value,
                                  .value2 = (uint64_t)value2 };
  return 0;
}

/* The names as one text, separated by spaces. */
static int read_names(struct zl_config_reader *rd, const json_t *item, const char *path,
                      const char **ret)
{
  char at[ZL_CONFIG_PATH];
  char *text, *end;
  json_t *array;
  size_t size = 1;
  int r = zl_json_get_array(item, path, "names", ZL_MAX_LIST, &array, rd->err);

  if (r < 0)
    return r;
  if (json_array_size(array) == 0)
    return zl_fail(rd->err, ZL_E_INVALID, 0, "%s: a system call must be given",
                   zl_config_path(at, path, "names", -1));
  for (size_t i = 0; i < json_array_size(array); i++) {
    const char *name = json_string_value(json_array_get(array, i));

    if (name == NULL || *name == '\0' || strchr(name, ' ') != NULL)
      return zl_fail(rd->err, ZL_E_INVALID, 0, "%s: expected the name of a system call",
                     zl_config_path(at, path, "names", (int)i));
    size += strlen(name) + 1;
  }
  text = end = zl_arena_alloc(rd->arena, size);
  if (text == NULL)
    return zl_fail_nomem(rd->err, "configuration");
  for (size_t i = 0; i < json_array_size(array); i++) {
    if (i > 0)
      *end++ = ' ';
    end = stpcpy(end, json_string_value(json_array_get(array, i)));
  }
  *ret = text;
  return 0;
}

/* Whoever reports that the program could not be executed would wait for the agent. */
static int check_notify(struct zl_config_reader *rd, const struct zl_seccomp_rule *rule,
                        const char *path)
{
  const char *found = rule->action == SECCOMP_RET_USER_NOTIF ? rule->names : "";

  for (size_t len; *found != '\0'; found += len + (found[len] == ' ')) {
    len = strcspn(found, " ");
    if (len == strlen("write") && strncmp(found, "write", len) == 0)
      return zl_fail(rd->err, ZL_E_INVALID, 0,
                     "%s: SCMP_ACT_NOTIFY cannot be used for the write syscall", path);
  }
  return 0;
}

static int read_rule(struct zl_config_reader *rd, const json_t *item, const char *path, void *out)
{
  struct zl_seccomp_rule *rule = out;
  void *args;
  int r = read_names(rd, item, path, &rule->names);

  if (r == 0)
    r = read_action(rd, item, path, "action", "errnoRet", &rule->action);
  if (r == 0)
    r = check_notify(rd, rule, path);
  if (r == 0)
    r = zl_config_items(rd, item, path, "args", ZL_MAX_SECCOMP_ARGS, sizeof(struct zl_seccomp_arg),
                        read_arg, &args, &rule->n_args);
  if (r == 0)
    rule->args = args;
  return r;
}

static int read_architectures(struct zl_config_reader *rd, const json_t *object, const char *path,
                              struct zl_seccomp_profile *p)
{
  char at[ZL_CONFIG_PATH];
  char **list;
  int r = zl_config_strv(rd, object, path, "architectures", ZL_MAX_LIST, &list);

  for (int i = 0; r == 0 && list[i] != NULL; i++) {
    if (!zl_has_prefix(list[i], "SCMP_ARCH_"))
      r = zl_fail(rd->err, ZL_E_INVALID, 0, "%s: '%.40s' does not begin with SCMP_ARCH_",
                  zl_config_path(at, path, "architectures", i), list[i]);
    if (strcmp(list[i], "SCMP_ARCH_X86") == 0)
      p->compat32 = true;
  }
  return r;
}

int zl_config_seccomp(struct zl_config_reader *rd, const json_t *object, const char *path,
                      const struct zl_seccomp_profile **ret)
{
  char at[ZL_CONFIG_PATH];
  struct zl_seccomp_profile *p;
  json_t *seccomp;
  void *rules;
  int r = zl_json_get_object(object, path, "seccomp", &seccomp, rd->err);

  if (r < 0 || seccomp == NULL)
    return r;
  (void)zl_config_path(at, path, "seccomp", -1);
  p = zl_arena_alloc(rd->arena, sizeof(*p));
  if (p == NULL)
    return zl_fail_nomem(rd->err, "configuration");
  r = read_action(rd, seccomp, at, "defaultAction", "defaultErrnoRet", &p->default_action);
  p->spares_unknown = (p->default_action & SECCOMP_RET_ACTION_FULL) == SECCOMP_RET_ERRNO &&
                      json_object_get(seccomp, "defaultErrnoRet") == NULL;
  if (r == 0)
    r = zl_config_flags(rd, seccomp, at, flags, ZL_COUNT(flags), &p->flags);
  if (r == 0)
    r = read_architectures(rd, seccomp, at, p);
  if (r == 0)
    r = zl_config_string(rd, seccomp, at, "listenerPath", &p->listener_path);
  if (r == 0)
    r = zl_config_string(rd, seccomp, at, "listenerMetadata", &p->listener_metadata);
  if (r == 0)
    r = zl_config_items(rd, seccomp, at, "syscalls", ZL_MAX_SECCOMP_RULES,
                        sizeof(struct zl_seccomp_rule), read_rule, &rules, &p->n_rules);
  if (r < 0)
    return r;
  p->rules = rules;
  *ret = p;
  return 0;
}
