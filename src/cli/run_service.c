/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/run_service.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/rand.h"
#include "base/time.h"
#include "cli/env.h"

int zl_run_generate_name(const char *image, char **ret, struct zl_error *err)
{
  const char *slash = strrchr(image, '/'), *base = slash != NULL ? slash + 1 : image;
  char head[24] = "", tail[7];
  size_t len = 0;
  int r = zl_rand_hex(tail, sizeof(tail), err);

  if (slash == NULL && strchr(image, ':') != NULL && zl_has_prefix(image, "oci:"))
    base = image + strlen("oci:");
  for (; *base != '\0' && strchr(":@", *base) == NULL && len < sizeof(head) - 1; base++)
    if (isalnum((unsigned char)*base) || (*base == '-' && len > 0))
      head[len++] = (char)tolower((unsigned char)*base);
  while (len > 0 && head[len - 1] == '-')
    len--;
  head[len] = '\0';
  if (r < 0)
    return r;
  *ret =
      zl_asprintf("%s-%s", len > 0 && isalpha((unsigned char)head[0]) ? head : "container", tail);
  return *ret != NULL ? 0 : zl_fail_nomem(err, "a name");
}

/* ---- One setter per option; each gets the service and one value ---- */

static int set_env(void *service, const char *key, const char *value, struct zl_error *err)
{
  return zl_pairs_set(&((struct zl_service *)service)->env, key, value, err);
}

static int add_env(struct zl_service *s, const char *value, struct zl_error *err)
{
  return zl_env_parse(value, set_env, s, err);
}

static int add_env_file(struct zl_service *s, const char *value, struct zl_error *err)
{
  return zl_env_file(value, set_env, s, err);
}

static int add_label(struct zl_service *s, const char *value, struct zl_error *err)
{
  const char *equals = strchr(value, '=');
  zl_autofree char *key = strndup(value, equals != NULL ? (size_t)(equals - value) : strlen(value));

  if (key == NULL)
    return zl_fail_nomem(err, "a label");
  if (key[0] == '\0')
    return zl_fail(err, ZL_E_INVALID, 0, "'%s' is not KEY=VALUE", value);
  return zl_pairs_set(&s->labels, key, equals != NULL ? equals + 1 : "", err);
}

static int add_sysctl(struct zl_service *s, const char *value, struct zl_error *err)
{
  const char *equals = strchr(value, '=');
  zl_autofree char *key = NULL;

  if (equals == NULL || equals == value)
    return zl_fail(err, ZL_E_INVALID, 0, "'%s' is not KEY=VALUE", value);
  key = strndup(value, (size_t)(equals - value));
  if (key == NULL)
    return zl_fail_nomem(err, "a sysctl");
  return zl_pairs_set(&s->sysctls, key, equals + 1, err);
}

/* Docker's spelling is taken too: small letters, which mean powers of 1024 there ("64m" is 64Mi).
 */
static int parse_memory(const char *value, uint64_t *ret, struct zl_error *err)
{
  size_t digits = strspn(value, "0123456789");
  char text[32];

  if (digits == 0 || digits > 20 || value[digits] == '\0' ||
      strchr("bkmgt", value[digits]) == NULL || strcspn(value + digits + 1, "b") != 0 ||
      strlen(value + digits) > 2)
    return zl_memory_parse(value, ret, err);
  if (value[digits] == 'b')
    (void)snprintf(text, sizeof(text), "%.*s", (int)digits, value);
  else
    (void)snprintf(text, sizeof(text), "%.*s%ci", (int)digits, value, value[digits] - 'a' + 'A');
  return zl_memory_parse(text, ret, err);
}

static int set_memory(struct zl_service *s, const char *value, struct zl_error *err)
{
  return parse_memory(value, &s->resources.memory, err);
}

static int set_memory_swap(struct zl_service *s, const char *value, struct zl_error *err)
{
  if (strcmp(value, "-1") != 0)
    return parse_memory(value, &s->resources.memory_swap, err);
  s->resources.memory_swap = ZL_UNLIMITED;
  return 0;
}

static int set_cpus(struct zl_service *s, const char *value, struct zl_error *err)
{
  return zl_cpu_parse(value, &s->resources.cpu, err);
}

/* Bounds are checked with the whole service. */
static int parse_integer(const char *value, int64_t min, int64_t max, int64_t *ret,
                         struct zl_error *err)
{
  bool negative = value[0] == '-';
  uint64_t number;

  if (!zl_parse_u64(value + negative, INT64_MAX, &number) ||
      (negative ? -(int64_t)number : (int64_t)number) < min ||
      (negative ? -(int64_t)number : (int64_t)number) > max)
    return zl_fail(err, ZL_E_INVALID, 0, "'%s' is no number from %lld to %lld", value,
                   (long long)min, (long long)max);
  *ret = negative ? -(int64_t)number : (int64_t)number;
  return 0;
}

static int set_cpu_shares(struct zl_service *s, const char *value, struct zl_error *err)
{
  int64_t number = 0;
  int r = parse_integer(value, 2, 262144, &number, err);

  if (r >= 0)
    s->resources.cpu_shares = (uint64_t)number;
  return r;
}

static int set_cpuset(struct zl_service *s, const char *value, struct zl_error *err)
{
  return zl_text_set(&s->resources.cpuset, value, err);
}

static int set_pids_limit(struct zl_service *s, const char *value, struct zl_error *err)
{
  return parse_integer(value, -1, INT32_MAX, &s->resources.pids_limit, err);
}

static int set_oom_score_adj(struct zl_service *s, const char *value, struct zl_error *err)
{
  int64_t number = 0;
  int r = parse_integer(value, -1000, 1000, &number, err);

  if (r < 0)
    return r;
  s->resources.has_oom_score_adj = true;
  s->resources.oom_score_adj = (int32_t)number;
  return 0;
}

static int set_user(struct zl_service *s, const char *value, struct zl_error *err)
{
  return zl_text_set(&s->user, value, err);
}

static int set_workdir(struct zl_service *s, const char *value, struct zl_error *err)
{
  return zl_text_set(&s->command.workdir, value, err);
}

static int set_entrypoint(struct zl_service *s, const char *value, struct zl_error *err)
{
  if (value[0] == '\0')
    return zl_fail(err, ZL_E_INVALID, 0, "an empty entrypoint: name the program");
  return zl_list_add(&s->command.entrypoint, value, err);
}

static int set_hostname(struct zl_service *s, const char *value, struct zl_error *err)
{
  return zl_text_set(&s->hostname, value, err);
}

static int set_isolation(struct zl_service *s, const char *value, struct zl_error *err)
{
  return zl_service_set_mode(s, "isolation", value, err);
}

static int set_userns(struct zl_service *s, const char *value, struct zl_error *err)
{
  return zl_service_set_mode(s, "userns_mode", value, err);
}

static int set_pid_mode(struct zl_service *s, const char *value, struct zl_error *err)
{
  return zl_service_set_mode(s, "pid_mode", value, err);
}

static int set_ipc_mode(struct zl_service *s, const char *value, struct zl_error *err)
{
  return zl_service_set_mode(s, "ipc_mode", value, err);
}

static int set_pull(struct zl_service *s, const char *value, struct zl_error *err)
{
  return zl_service_set_mode(s, "pull_policy",
                             strcmp(value, "missing") == 0 ? "if_not_present" : value, err);
}

static int set_read_only(struct zl_service *s, const char *value, struct zl_error *err)
{
  (void)value;
  (void)err;
  s->read_only_root_fs = true;
  return 0;
}

static int set_privileged(struct zl_service *s, const char *value, struct zl_error *err)
{
  (void)value;
  (void)err;
  s->privileged = true;
  return 0;
}

static int set_init(struct zl_service *s, const char *value, struct zl_error *err)
{
  (void)value;
  (void)err;
  s->init_container = true;
  return 0;
}

static int set_tty(struct zl_service *s, const char *value, struct zl_error *err)
{
  (void)value;
  (void)err;
  s->tty = true;
  return 0;
}

static int add_capability(struct zl_service *s, const char *value, struct zl_error *err)
{
  return zl_list_add(&s->capabilities, value, err);
}

static int drop_capability(struct zl_service *s, const char *value, struct zl_error *err)
{
  return zl_list_add(&s->cap_drop, value, err);
}

static int add_group(struct zl_service *s, const char *value, struct zl_error *err)
{
  return zl_list_add(&s->extra_groups, value, err);
}

static int add_dns(struct zl_service *s, const char *value, struct zl_error *err)
{
  return zl_list_add(&s->dns, value, err);
}

static int add_host(struct zl_service *s, const char *value, struct zl_error *err)
{
  return zl_list_add(&s->extra_hosts, value, err);
}

static int add_security_opt(struct zl_service *s, const char *value, struct zl_error *err)
{
  return zl_list_add(&s->security_opt, value, err);
}

static int set_stop_signal(struct zl_service *s, const char *value, struct zl_error *err)
{
  int signal, r = zl_signal_parse(value, &signal, err);

  return r < 0 ? r : zl_text_set(&s->stop_signal, value, err);
}

static int set_stop_timeout(struct zl_service *s, const char *value, struct zl_error *err)
{
  int64_t seconds = 0;
  int r = parse_integer(value, 0, 86400, &seconds, err);

  if (r < 0)
    return r;
  s->has_stop_grace_period = true;
  s->stop_grace_period = (uint64_t)seconds * ZL_NS_PER_S;
  return 0;
}

/* In this order: files of variables come before single ones, which win. */
static const struct {
  const char *option;
  int (*set)(struct zl_service *service, const char *value, struct zl_error *err);
} setters[] = {
  { "add-host", add_host },
  { "cap-add", add_capability },
  { "cap-drop", drop_capability },
  { "cpu-shares", set_cpu_shares },
  { "cpus", set_cpus },
  { "cpuset-cpus", set_cpuset },
  { "device", zl_device_parse },
  { "dns", add_dns },
  { "entrypoint", set_entrypoint },
  { "env-file", add_env_file },
  { "env", add_env },
  { "group-add", add_group },
  { "hostname", set_hostname },
  { "init", set_init },
  { "ipc", set_ipc_mode },
  { "isolation", set_isolation },
  { "label", add_label },
  { "memory", set_memory },
  { "memory-swap", set_memory_swap },
  { "network", zl_network_mode_parse },
  { "oom-score-adj", set_oom_score_adj },
  { "pid", set_pid_mode },
  { "pids-limit", set_pids_limit },
  { "privileged", set_privileged },
  { "publish", zl_port_parse },
  { "pull", set_pull },
  { "read-only", set_read_only },
  { "security-opt", add_security_opt },
  { "stop-signal", set_stop_signal },
  { "stop-timeout", set_stop_timeout },
  { "sysctl", add_sysctl },
  { "tmpfs", zl_tmpfs_parse },
  { "tty", set_tty },
  { "ulimit", zl_ulimit_parse },
  { "user", set_user },
  { "userns", set_userns },
  { "volume", zl_storage_parse },
  { "workdir", set_workdir },
};

static int apply(const struct zl_args *args, struct zl_service *service, struct zl_error *err)
{
  const char *value;
  int r = zl_service_set_image(service, args->operands[0], err);

  for (size_t i = 1; i < args->n_operands && r >= 0; i++)
    r = zl_list_add(&service->command.args, args->operands[i], err);
  for (size_t i = 0; i < ZL_COUNT(setters) && r >= 0; i++)
    for (size_t pos = 0; (value = zl_args_next(args, setters[i].option, &pos)) != NULL;) {
      r = setters[i].set(service, value, err);
      if (r < 0)
        return zl_wrap(err, "option '--%s'", setters[i].option);
    }
  return r;
}

int zl_run_service(const struct zl_args *args, const char *name, struct zl_service **ret,
                   struct zl_error *err)
{
  struct zl_service *service = NULL;
  int r = zl_service_new(name, &service, err);

  if (r >= 0)
    r = apply(args, service, err);
  if (r < 0) {
    zl_service_free(service);
    return r;
  }
  *ret = service;
  return 0;
}
