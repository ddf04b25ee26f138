/* SPDX-License-Identifier: Apache-2.0
 *
 * The member `zlayer`: ours, so a member that we do not know is a mistake and not the future.
 */
#include <arpa/inet.h>
#include <linux/if.h>
#include <signal.h>
#include <string.h>

#include "base/limits.h"
#include "engine/config_private.h"

static int refuse_unknown(struct zl_config_reader *rd, json_t *object, const char *path,
                          const char *const *known, size_t n)
{
  const char *key;
  json_t *value;

  json_object_foreach (object, key, value) {
    size_t i = 0;

    while (i < n && strcmp(known[i], key) != 0)
      i++;
    if (i == n)
      return zl_fail(rd->err, ZL_E_INVALID, 0, "%s.%.60s: unknown member", path, key);
  }
  return 0;
}

static int read_layers(struct zl_config_reader *rd, const json_t *object,
                       struct zl_private_config *z)
{
  int r = zl_config_strv(rd, object, "zlayer", "layers", ZL_MAX_LAYERS, &z->layers);

  for (int i = 0; r == 0 && z->layers[i] != NULL; i++)
    if (z->layers[i][0] != '/')
      r = zl_fail(rd->err, ZL_E_INVALID, 0, "zlayer.layers[%d]: '%.100s' is not absolute", i,
                  z->layers[i]);
  return r;
}

static int read_log(struct zl_config_reader *rd, const json_t *object, struct zl_private_config *z)
{
  static const char *const known[] = { "maxBytes", "files" };
  int64_t max_bytes, files;
  json_t *log;
  int r = zl_json_get_object(object, "zlayer", "log", &log, rd->err);

  if (r == 0)
    r = refuse_unknown(rd, log, "zlayer.log", known, ZL_COUNT(known));
  if (r == 0)
    r = zl_json_get_int(log, "zlayer.log", "maxBytes", ZL_MIN_LOG_BYTES, INT64_MAX,
                        ZL_DEFAULT_LOG_BYTES, &max_bytes, rd->err);
  if (r == 0)
    r = zl_json_get_int(log, "zlayer.log", "files", 1, ZL_MAX_LOG_FILES, ZL_DEFAULT_LOG_FILES,
                        &files, rd->err);
  if (r < 0)
    return r;
  z->log_max_bytes = (uint64_t)max_bytes;
  z->log_files = (unsigned)files;
  return 0;
}

static int read_choice(struct zl_config_reader *rd, const json_t *object, const char *path,
                       const char *key, const char *const *words, int n, int *ret)
{
  char at[ZL_CONFIG_PATH];
  const char *text;
  int r = zl_json_get_string(object, path, key, &text, rd->err);

  if (r < 0 || text == NULL)
    return r;
  for (int i = 0; i < n; i++)
    if (strcmp(words[i], text) == 0) {
      *ret = i;
      return 0;
    }
  return zl_fail(rd->err, ZL_E_INVALID, 0, "%s: '%.40s' is not known",
                 zl_config_path(at, path, key, -1), text);
}

static int read_address(struct zl_config_reader *rd, const json_t *net, const char *key,
                        struct in_addr *ret)
{
  const char *text;
  int r = zl_config_required(rd, net, "zlayer.network", key, &text);

  if (r == 0 && inet_pton(AF_INET, text, ret) != 1)
    r = zl_fail(rd->err, ZL_E_INVALID, 0, "zlayer.network.%s: '%.40s' is not an IPv4 address", key,
                text);
  return r;
}

static int read_interface(struct zl_config_reader *rd, const json_t *net, const char *key,
                          const char **ret)
{
  int r = zl_config_required(rd, net, "zlayer.network", key, ret);

  if (r == 0 && (strlen(*ret) >= IFNAMSIZ || strpbrk(*ret, "/: \t\n%") != NULL))
    r = zl_fail(rd->err, ZL_E_INVALID, 0, "zlayer.network.%s: '%.40s' is not an interface name",
                key, *ret);
  return r;
}

static int read_bridge(struct zl_config_reader *rd, const json_t *net, struct zl_net_config *c)
{
  int64_t prefix, mtu;
  int r = read_interface(rd, net, "bridge", &c->bridge);

  if (r == 0)
    r = read_interface(rd, net, "link", &c->link);
  if (r == 0)
    r = read_address(rd, net, "address", &c->address);
  if (r == 0)
    r = read_address(rd, net, "gateway", &c->gateway);
  if (r == 0)
    r = zl_json_get_int(net, "zlayer.network", "prefix", 1, 30, -1, &prefix, rd->err);
  /* 576 is what every IPv4 host must take. */
  if (r == 0)
    r = zl_json_get_int(net, "zlayer.network", "mtu", 576, 65535, 1500, &mtu, rd->err);
  if (r < 0)
    return r;
  if (prefix < 0)
    return zl_fail(rd->err, ZL_E_INVALID, 0, "zlayer.network.prefix: must be given");
  c->prefix = (unsigned)prefix;
  c->mtu = (unsigned)mtu;
  return 0;
}

static int read_network(struct zl_config_reader *rd, const json_t *object, struct zl_net_config *c)
{
  static const char *const modes[] = { [ZL_NET_NONE] = "none",
                                       [ZL_NET_BRIDGE] = "bridge",
                                       [ZL_NET_HOST] = "host",
                                       [ZL_NET_PATH] = "path" };
  static const char *const known[] = { "mode",   "bridge",  "link", "address",
                                       "prefix", "gateway", "mtu" };
  int mode = ZL_NET_NONE;
  json_t *net;
  int r = zl_json_get_object(object, "zlayer", "network", &net, rd->err);

  if (r == 0)
    r = refuse_unknown(rd, net, "zlayer.network", known, ZL_COUNT(known));
  if (r == 0)
    r = read_choice(rd, net, "zlayer.network", "mode", modes, ZL_COUNT(modes), &mode);
  if (r < 0)
    return r;
  c->mode = (enum zl_net_mode)mode;
  return c->mode == ZL_NET_BRIDGE ? read_bridge(rd, net, c) : 0;
}

/* What concerns only the program: it may still change when the container around it is there. */
static int read_program(struct zl_config_reader *rd, json_t *object, struct zl_engine_config *c)
{
  struct zl_private_config *z = &c->zlayer;
  int64_t stop_signal;
  int r = zl_config_string(rd, object, "zlayer", "user", &c->process.user);

  if (r == 0)
    r = zl_config_strv(rd, object, "zlayer", "extraGroups", ZL_MAX_GROUPS,
                       &c->process.extra_groups);
  if (r == 0)
    r = zl_json_get_bool(object, "zlayer", "init", false, &z->init, rd->err);
  if (r == 0)
    r = zl_json_get_bool(object, "zlayer", "openStdin", false, &z->open_stdin, rd->err);
  if (r == 0)
    r = zl_json_get_int(object, "zlayer", "stopSignal", 1, 64, SIGTERM, &stop_signal, rd->err);
  if (r == 0)
    z->stop_signal = (int)stop_signal;
  return r;
}

static int read_members(struct zl_config_reader *rd, json_t *object, struct zl_engine_config *c)
{
  static const char *const modes[] = {
    [ZL_SECCOMP_DEFAULT] = "default", [ZL_SECCOMP_UNCONFINED] = "unconfined"
  };
  struct zl_private_config *z = &c->zlayer;
  int seccomp = ZL_SECCOMP_DEFAULT;
  int r = read_program(rd, object, c);

  if (r == 0)
    r = zl_json_get_bool(object, "zlayer", "volatile", false, &z->is_volatile, rd->err);
  if (r == 0)
    r = read_choice(rd, object, "zlayer", "seccomp", modes, ZL_COUNT(modes), &seccomp);
  if (r == 0)
    z->seccomp = (enum zl_seccomp_mode)seccomp;
  return r;
}

int zl_config_private_amend(struct zl_config_reader *rd, const json_t *object,
                            struct zl_engine_config *config)
{
  static const char *const known[] = { "user", "extraGroups", "init", "openStdin", "stopSignal" };
  json_t *member;
  int r = zl_json_get_object(object, "", "zlayer", &member, rd->err);

  if (r < 0 || member == NULL)
    return r;
  r = refuse_unknown(rd, member, "zlayer", known, ZL_COUNT(known));
  return r < 0 ? r : read_program(rd, member, config);
}

int zl_config_private(struct zl_config_reader *rd, const json_t *object,
                      struct zl_engine_config *config)
{
  static const char *const known[] = { "layers",     "user", "extraGroups", "init",    "openStdin",
                                       "stopSignal", "log",  "seccomp",     "network", "volatile" };
  struct zl_private_config *z = &config->zlayer;
  json_t *member;
  int r = zl_json_get_object(object, "", "zlayer", &member, rd->err);

  if (r < 0)
    return r;
  z->present = member != NULL;
  r = refuse_unknown(rd, member, "zlayer", known, ZL_COUNT(known));
  if (r == 0)
    r = read_layers(rd, member, z);
  if (r == 0)
    r = read_members(rd, member, config);
  if (r == 0)
    r = read_log(rd, member, z);
  return r == 0 ? read_network(rd, member, &z->network) : r;
}
