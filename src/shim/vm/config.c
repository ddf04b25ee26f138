/* SPDX-License-Identifier: Apache-2.0 */
#include "shim/vm/config.h"

#include <arpa/inet.h>
#include <signal.h>
#include <string.h>

#include "base/fd.h"
#include "base/json.h"
#include "base/limits.h"

static int load(int dir_fd, const char *name, json_t **ret, struct zl_error *err)
{
  zl_autobuf text = ZL_BUF_INIT(ZL_MAX_BUNDLE);
  int r = zl_file_read(dir_fd, name, &text, err);

  if (r == 0)
    r = zl_json_parse(text.data != NULL ? text.data : "", text.len, name, ret, err);
  if (r == 0 && !json_is_object(*ret))
    r = zl_fail(err, ZL_E_INVALID, 0, "%s: expected an object", name);
  return r;
}

static int need(const json_t *object, const char *path, const char *key, const char **ret,
                struct zl_error *err)
{
  int r = zl_json_get_string(object, path, key, ret, err);

  if (r == 0 && *ret == NULL)
    r = zl_fail(err, ZL_E_INVALID, 0, "%s.%s: missing", path, key);
  return r;
}

/* ---- machine.json -------------------------------------------------------------------------- */

static int read_binds(struct machine_config *config, struct zl_error *err)
{
  json_t *list = NULL, *item;
  size_t i;
  int r = zl_json_get_array(config->json, "machine.json", "binds", ZL_VM_MAX_BINDS, &list, err);

  if (r < 0)
    return r;
  json_array_foreach (list, i, item) {
    r = need(item, "machine.json.binds", "source", &config->binds[i].source, err);
    if (r == 0)
      r = zl_json_get_bool(item, "machine.json.binds", "readonly", false,
                           &config->binds[i].read_only, err);
    if (r < 0)
      return r;
  }
  config->n_binds = json_array_size(list);
  return 0;
}

static int read_accel(struct machine_config *config, struct zl_error *err)
{
  const char *name = NULL;
  int r = need(config->json, "machine.json", "accel", &name, err);

  if (r < 0)
    return r;
  if (strcmp(name, "tcg") != 0 && strcmp(name, "kvm") != 0)
    return zl_fail(err, ZL_E_INVALID, 0, "machine.json.accel: '%.20s' is neither tcg nor kvm",
                   name);
  config->accel = strcmp(name, "kvm") == 0 ? ZL_VM_KVM : ZL_VM_TCG;
  return 0;
}

static int read_texts(struct machine_config *config, struct zl_error *err)
{
  const struct {
    const char *key, **to;
    bool needed;
  } texts[] = { { "qemu", &config->qemu, true },          { "kernel", &config->kernel, true },
                { "initrd", &config->initrd, true },      { "scratch", &config->scratch, false },
                { "template", &config->template, false }, { "image", &config->image, false },
                { "program", &config->program, false },   { "cwd", &config->cwd, false } };
  int r = 0;

  for (size_t i = 0; r == 0 && i < ZL_COUNT(texts); i++)
    r = texts[i].needed
            ? need(config->json, "machine.json", texts[i].key, texts[i].to, err)
            : zl_json_get_string(config->json, "machine.json", texts[i].key, texts[i].to, err);
  return r;
}

static int read_numbers(struct machine_config *config, struct zl_error *err)
{
  const json_t *json = config->json;
  int64_t memory = 0, vcpus = 0, khz = 0;
  int r = zl_json_get_int(json, "machine.json", "memoryMiB", ZL_VM_MIN_MEMORY_MIB,
                          ZL_VM_MAX_MEMORY_MIB, 256, &memory, err);

  if (r == 0)
    r = zl_json_get_int(json, "machine.json", "vcpus", 1, ZL_VM_MAX_VCPUS, 1, &vcpus, err);
  if (r == 0)
    r = zl_json_get_int(json, "machine.json", "tscKhz", 0, INT32_MAX, 0, &khz, err);
  if (r == 0)
    r = zl_json_get_bool(json, "machine.json", "acpi", false, &config->acpi, err);
  if (r == 0)
    r = zl_json_get_bool(json, "machine.json", "keepOnFailure", false, &config->keep_on_failure,
                         err);
  if (r == 0)
    r = zl_json_get_bool(json, "machine.json", "unrecorded", false, &config->unrecorded, err);
  config->memory_mib = (unsigned)memory;
  config->vcpus = (unsigned)vcpus;
  config->tsc_khz = (uint64_t)khz;
  return r;
}

int machine_config_load(int dir_fd, struct machine_config *ret, struct zl_error *err)
{
  struct machine_config config = { 0 };
  int r = load(dir_fd, "machine.json", &config.json, err);

  if (r == 0)
    r = read_texts(&config, err);
  if (r == 0)
    r = read_numbers(&config, err);
  if (r == 0)
    r = read_accel(&config, err);
  if (r == 0)
    r = read_binds(&config, err);
  if (r < 0)
    machine_config_done(&config);
  else
    *ret = config;
  return r;
}

void machine_config_done(struct machine_config *config)
{
  json_decref(config->json);
  config->json = NULL;
}

/* ---- config.json --------------------------------------------------------------------------- */

/* What only one of the two kinds has. */
static int read_kind(struct bundle_config *config, const json_t *network, struct zl_error *err)
{
  int r;

  if (config->bridged) {
    r = need(network, "zlayer.network", "bridge", &config->bridge, err);
    return r < 0 ? r : need(network, "zlayer.network", "gateway", &config->gateway, err);
  }
  r = need(network, "zlayer.network", "mac", &config->mac, err);
  return r < 0 ? r
               : zl_json_get_string(network, "zlayer.network", "gateway", &config->gateway, err);
}

static int read_address(struct bundle_config *config, const json_t *network, struct zl_error *err)
{
  int64_t prefix = 0, mtu = 0;
  int r = read_kind(config, network, err);

  if (r == 0)
    r = need(network, "zlayer.network", "link", &config->link, err);
  if (r == 0)
    r = need(network, "zlayer.network", "address", &config->address, err);
  if (r == 0)
    r = zl_json_get_int(network, "zlayer.network", "prefix", 1, config->pod ? 32 : 30, 0, &prefix,
                        err);
  if (r == 0)
    r = zl_json_get_int(network, "zlayer.network", "mtu", 576, 65535, 1500, &mtu, err);
  if (r == 0 && inet_pton(AF_INET, config->address, &config->ip) != 1)
    r = zl_fail(err, ZL_E_INVALID, 0, "zlayer.network.address: '%.40s' is no IPv4 address",
                config->address);
  config->prefix = (unsigned)prefix;
  config->mtu = (unsigned)mtu;
  return r;
}

/* In the guest the machine's network is the container's: it joins no bridge, and shares the only
 * link with nobody. */
static int hide_network(struct bundle_config *config, json_t *zlayer, json_t *network)
{
  json_t *spaces = json_object_get(json_object_get(config->json, "linux"), "namespaces");
  bool has_link = config->bridged || config->pod;
  json_t *mode = json_pack("{s:s}", "mode", has_link ? "host" : "none");

  config->network = json_incref(network);
  for (size_t i = json_array_size(spaces); has_link && i-- > 0;) {
    const char *type = json_string_value(json_object_get(json_array_get(spaces, i), "type"));

    if (type != NULL && strcmp(type, "network") == 0)
      (void)json_array_remove(spaces, i);
  }
  return json_object_set_new(zlayer, "network", mode);
}

static int read_network(struct bundle_config *config, json_t *zlayer, struct zl_error *err)
{
  json_t *network = NULL;
  const char *mode = NULL;
  int r = zl_json_get_object(zlayer, "zlayer", "network", &network, err);

  if (r == 0 && network == NULL)
    r = zl_fail(err, ZL_E_INVALID, 0, "zlayer.network: missing");
  if (r == 0)
    r = need(network, "zlayer.network", "mode", &mode, err);
  if (r < 0)
    return r;
  config->bridged = strcmp(mode, "bridge") == 0;
  config->pod = strcmp(mode, "pod") == 0;
  if (!config->bridged && !config->pod && strcmp(mode, "none") != 0)
    return zl_fail(err, ZL_E_UNSUPPORTED, 0,
                   "zlayer.network.mode: a virtual machine has no '%.20s' network", mode);
  r = config->bridged || config->pod ? read_address(config, network, err) : 0;
  if (r == 0 && hide_network(config, zlayer, network) < 0)
    r = zl_fail_nomem(err, "bundle of the guest");
  return r;
}

static int read_settings(const json_t *bundle, const json_t *zlayer, struct settings *settings,
                         struct zl_error *err)
{
  json_t *log = NULL, *process = NULL;
  int64_t bytes = 0, files = 0, signal = 0;
  int r = zl_json_get_object(bundle, "config.json", "process", &process, err);

  if (r == 0)
    r = zl_json_get_bool(process, "process", "terminal", false, &settings->terminal, err);
  if (r == 0)
    r = zl_json_get_int(zlayer, "zlayer", "stopSignal", 0, 64, SIGTERM, &signal, err);
  if (r == 0)
    r = zl_json_get_object(zlayer, "zlayer", "log", &log, err);
  if (r == 0)
    r = zl_json_get_int(log, "zlayer.log", "maxBytes", 0, INT64_MAX, ZL_DEFAULT_LOG_BYTES, &bytes,
                        err);
  if (r == 0)
    r = zl_json_get_int(log, "zlayer.log", "files", 1, ZL_MAX_LOG_FILES, ZL_DEFAULT_LOG_FILES,
                        &files, err);
  settings->stop_signal = signal > 0 ? (int)signal : SIGTERM;
  settings->log_max_bytes = (uint64_t)bytes;
  settings->log_files = (unsigned)files;
  return r;
}

int bundle_config_load(int dir_fd, struct bundle_config *ret, struct settings *settings,
                       struct zl_error *err)
{
  struct bundle_config config = { 0 };
  json_t *zlayer = NULL;
  int r = load(dir_fd, "config.json", &config.json, err);

  if (r == 0)
    r = zl_json_get_object(config.json, "config.json", "zlayer", &zlayer, err);
  if (r == 0)
    r = zl_json_get_string(config.json, "config.json", "hostname", &config.hostname, err);
  if (r == 0)
    r = zl_json_get_bool(zlayer, "zlayer", "openStdin", false, &config.open_stdin, err);
  if (r == 0)
    r = read_network(&config, zlayer, err);
  if (r == 0)
    r = read_settings(config.json, zlayer, settings, err);
  if (r < 0)
    bundle_config_done(&config);
  else
    *ret = config;
  return r;
}

void bundle_config_done(struct bundle_config *config)
{
  json_decref(config->network);
  config->network = NULL;
  json_decref(config->json);
  config->json = NULL;
}
