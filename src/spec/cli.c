/* SPDX-License-Identifier: Apache-2.0
 *
 * The short forms of the command line: ports, mounts, devices, limits, platforms.
 */
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/strv.h"
#include "spec/rules.h"
#include "spec/tables.h"

/* Makes room for one more element, zeroed and not counted yet, at the end of an array. */
static int reserve(void *array, size_t count, size_t size, struct zl_error *err)
{
  char *elements = zl_pointer_get(array);

  if (count >= ZL_MAX_LIST)
    return zl_fail(err, ZL_E_LIMIT, 0, "more than %d entries", ZL_MAX_LIST);
  elements = realloc(elements, (count + 1) * size);
  if (elements == NULL)
    return zl_fail_nomem(err, "list entry");
  zl_pointer_set(array, elements);
  memset(elements + count * size, 0, size);
  return 0;
}

/* ---- ports ---- */

struct range {
  unsigned first, last;
};

static bool parse_range(const char *text, struct range *ret)
{
  zl_autofree char *copy = strdup(text);
  char *dash = copy != NULL ? strchr(copy, '-') : NULL;
  uint64_t first, last;

  if (copy == NULL)
    return false;
  if (dash != NULL)
    *dash = '\0';
  if (!zl_parse_u64(copy, 65535, &first) || first == 0)
    return false;
  last = first;
  if (dash != NULL && (!zl_parse_u64(dash + 1, 65535, &last) || last < first))
    return false;
  *ret = (struct range){ (unsigned)first, (unsigned)last };
  return true;
}

struct ports {
  char *ip;   /* NULL: every address */
  char *host; /* NULL or "": any port */
  char *container;
  enum zl_protocol protocol;
};

/* Cuts `text` at its last two colons outside brackets. */
static bool split_ports(char *text, struct ports *ret)
{
  char *slash = strchr(text, '/'), *colon;

  if (slash != NULL) {
    *slash = '\0';
    if (strcmp(slash + 1, "udp") == 0)
      ret->protocol = ZL_PROTOCOL_UDP;
    else if (strcmp(slash + 1, "tcp") != 0)
      return false;
  }
  colon = strrchr(text, ':');
  ret->container = colon != NULL ? colon + 1 : text;
  if (colon == NULL)
    return true;
  *colon = '\0';
  colon = strrchr(text, ':');
  ret->host = colon != NULL ? colon + 1 : text;
  if (colon == NULL)
    return true;
  *colon = '\0';
  ret->ip = text;
  if (ret->ip[0] == '[' && colon > text && colon[-1] == ']') {
    colon[-1] = '\0';
    ret->ip++;
  }
  return zl_text_is_ip(ret->ip);
}

static int add_port(struct zl_service *service, const struct ports *ports, unsigned host,
                    unsigned container, struct zl_error *err)
{
  struct zl_port_mapping *mapping;
  int r;

  r = reserve(&service->port_mappings, service->n_port_mappings, sizeof(*mapping), err);
  if (r < 0)
    return r;
  mapping = &service->port_mappings[service->n_port_mappings];
  mapping->host_port = (uint16_t)host;
  mapping->container_port = (uint16_t)container;
  mapping->protocol = ports->protocol;
  r = zl_text_set(&mapping->host_ip, ports->ip != NULL ? ports->ip : "0.0.0.0", err);
  if (r == 0)
    service->n_port_mappings++;
  return r;
}

static void drop_ports(struct zl_service *service, size_t count)
{
  while (service->n_port_mappings > count)
    free(service->port_mappings[--service->n_port_mappings].host_ip);
}

int zl_port_parse(struct zl_service *service, const char *text, struct zl_error *err)
{
  zl_autofree char *copy = strdup(text);
  struct ports ports = { .protocol = ZL_PROTOCOL_TCP };
  struct range container = { 0 }, host = { 0 };
  size_t count = service->n_port_mappings;
  bool fixed;
  int r = 0;

  if (copy == NULL)
    return zl_fail_nomem(err, "port mapping");
  if (!split_ports(copy, &ports) || !parse_range(ports.container, &container))
    return zl_fail(err, ZL_E_INVALID, 0,
                   "expected [[IP:][HOST_PORT]:]CONTAINER_PORT[/tcp|/udp], found '%s'", text);
  fixed = ports.host != NULL && ports.host[0] != '\0';
  if (fixed && (!parse_range(ports.host, &host) ||
                host.last - host.first != container.last - container.first))
    return zl_fail(err, ZL_E_INVALID, 0,
                   "'%s' is not a port or range from 1 to 65535 as long as the container's",
                   ports.host);
  for (unsigned i = 0; r == 0 && i <= container.last - container.first; i++)
    r = add_port(service, &ports, fixed ? host.first + i : 0, container.first + i, err);
  if (r < 0)
    drop_ports(service, count);
  return r;
}

/* ---- mounts ---- */

static int add_storage(struct zl_service *service, struct zl_storage *storage, struct zl_error *err)
{
  int r = reserve(&service->storage, service->n_storage, sizeof(*storage), err);

  if (r < 0)
    return r;
  service->storage[service->n_storage++] = *storage;
  *storage = (struct zl_storage){ 0 };
  return 0;
}

static void storage_done(struct zl_storage *storage)
{
  zl_object_done(&zl_type_storage, storage);
}

/* Runs the rules of a file over one element, so that both say the same. */
static int check_element(const struct zl_type *type, const void *element, struct zl_error *err)
{
  struct zl_spec_ctx ctx = { 0 };
  struct zl_at at = { .key = type->name };

  zl_object_check(&ctx, type, &at, element);
  return zl_spec_ctx_finish(&ctx, NULL, NULL, err);
}

static bool parse_mount_options(char *options, struct zl_storage *storage)
{
  char *option;

  while ((option = strsep(&options, ",")) != NULL) {
    if (strcmp(option, "ro") == 0 || strcmp(option, "readonly") == 0)
      storage->readonly = true;
    else if (strcmp(option, "rw") != 0)
      return false;
  }
  return true;
}

/* The end of a path that may begin with a drive letter. */
static char *path_end(char *path)
{
  bool drive = zl_text_is_absolute(path) && path[0] != '/';

  return strchr(drive ? path + 2 : path, ':');
}

static int set_mount(struct zl_storage *storage, const char *source, const char *target,
                     struct zl_error *err)
{
  char **field = &storage->source;
  int r;

  storage->type = ZL_STORAGE_ANONYMOUS;
  r = zl_text_set(&storage->target, target, err);
  if (r < 0 || source == NULL)
    return r;
  storage->type = ZL_STORAGE_BIND;
  if (!zl_text_is_absolute(source)) {
    if (!zl_text_is_volume_name(source))
      return zl_fail(err, ZL_E_INVALID, 0,
                     "'%s' is neither an absolute path nor the name of a volume (lower-case "
                     "letters, digits, '-')",
                     source);
    storage->type = ZL_STORAGE_NAMED;
    field = &storage->name;
  }
  return zl_text_set(field, source, err);
}

int zl_storage_parse(struct zl_service *service, const char *text, struct zl_error *err)
{
  ZL_CLEANUP(storage_done) struct zl_storage storage = { 0 };
  zl_autofree char *copy = strdup(text);
  char *source = copy, *target = NULL, *options = NULL;
  int r;

  if (copy == NULL)
    return zl_fail_nomem(err, "mount");
  target = path_end(source);
  if (target != NULL) {
    *target++ = '\0';
    options = path_end(target);
    if (options != NULL)
      *options++ = '\0';
  }
  if (options != NULL && !parse_mount_options(options, &storage))
    return zl_fail(err, ZL_E_INVALID, 0, "expected SOURCE:TARGET[:ro|:rw], found '%s'", text);
  r = set_mount(&storage, target != NULL ? source : NULL, target != NULL ? target : source, err);
  if (r == 0)
    r = check_element(&zl_type_storage, &storage, err);
  return r < 0 ? r : add_storage(service, &storage, err);
}

static int parse_tmpfs_option(const char *option, struct zl_storage *storage, struct zl_error *err)
{
  bool negative;
  uint64_t mode;
  char octal[16];

  if (zl_has_prefix(option, "size="))
    return zl_memory_parse(option + 5, &storage->size, err);
  if (zl_has_prefix(option, "mode=")) {
    (void)snprintf(octal, sizeof(octal), "0o%s", option + 5);
    if (strlen(option + 5) <= 5 && zl_scalar_int(octal, &negative, &mode) && mode <= 07777) {
      storage->has_mode = true;
      storage->mode = (uint32_t)mode;
      return 0;
    }
  }
  return zl_fail(err, ZL_E_INVALID, 0, "expected size=SIZE or mode=OCTAL, found '%s'", option);
}

int zl_tmpfs_parse(struct zl_service *service, const char *text, struct zl_error *err)
{
  ZL_CLEANUP(storage_done) struct zl_storage storage = { .type = ZL_STORAGE_TMPFS };
  zl_autofree char *copy = strdup(text);
  char *options, *option;
  int r = 0;

  if (copy == NULL)
    return zl_fail_nomem(err, "mount");
  options = path_end(copy);
  if (options != NULL)
    *options++ = '\0';
  while (r == 0 && (option = strsep(&options, ",")) != NULL)
    r = parse_tmpfs_option(option, &storage, err);
  if (r == 0)
    r = zl_text_set(&storage.target, copy, err);
  if (r == 0)
    r = check_element(&zl_type_storage, &storage, err);
  return r < 0 ? r : add_storage(service, &storage, err);
}

/* ---- devices, limits, platform ---- */

static bool parse_access(const char *text, struct zl_device *device)
{
  device->read = strchr(text, 'r') != NULL;
  device->write = strchr(text, 'w') != NULL;
  device->mknod = strchr(text, 'm') != NULL;
  return *text != '\0' && text[strspn(text, "rwm")] == '\0';
}

static void device_done(struct zl_device *device)
{
  zl_object_done(&zl_type_device, device);
}

int zl_device_parse(struct zl_service *service, const char *text, struct zl_error *err)
{
  ZL_CLEANUP(device_done) struct zl_device device = { .read = true, .write = true };
  zl_autofree char *copy = strdup(text);
  char *rest = copy, *path, *part;
  bool ok = true;
  int r;

  if (copy == NULL)
    return zl_fail_nomem(err, "device");
  path = strsep(&rest, ":");
  while (ok && (part = strsep(&rest, ":")) != NULL)
    ok = part[0] == '/' ? strcmp(part, path) == 0 : rest == NULL && parse_access(part, &device);
  if (!ok)
    return zl_fail(err, ZL_E_INVALID, 0,
                   "expected PATH[:PATH][:rwm] with the same path twice, found '%s'", text);
  r = zl_text_set(&device.path, path, err);
  if (r == 0)
    r = check_element(&zl_type_device, &device, err);
  if (r == 0)
    r = reserve(&service->devices, service->n_devices, sizeof(device), err);
  if (r < 0)
    return r;
  service->devices[service->n_devices++] = device;
  device = (struct zl_device){ 0 };
  return 0;
}

static bool parse_limit(const char *text, uint64_t *ret)
{
  if (strcmp(text, "unlimited") != 0 && strcmp(text, "-1") != 0)
    return zl_parse_u64(text, INT64_MAX, ret);
  *ret = ZL_UNLIMITED;
  return true;
}

static int set_ulimit(struct zl_service *service, const char *name, uint64_t soft, uint64_t hard,
                      struct zl_error *err)
{
  zl_autofree char *copy = NULL;
  struct zl_ulimit *limit;
  int r;

  for (size_t i = 0; i < service->n_ulimits; i++) {
    if (strcmp(service->ulimits[i].name, name) != 0)
      continue;
    service->ulimits[i].soft = soft;
    service->ulimits[i].hard = hard;
    return 0;
  }
  copy = strdup(name);
  if (copy == NULL)
    return zl_fail_nomem(err, "limit");
  r = reserve(&service->ulimits, service->n_ulimits, sizeof(*limit), err);
  if (r < 0)
    return r;
  limit = &service->ulimits[service->n_ulimits];
  *limit = (struct zl_ulimit){ .name = zl_steal_ptr(&copy), .soft = soft, .hard = hard };
  service->n_ulimits++;
  return 0;
}

/* "SOFT[:HARD]" */
static bool parse_limits(const char *text, uint64_t *ret_soft, uint64_t *ret_hard)
{
  zl_autofree char *soft = strndup(text, strcspn(text, ":"));
  const char *colon = strchr(text, ':');

  return soft != NULL && parse_limit(soft, ret_soft) &&
         parse_limit(colon != NULL ? colon + 1 : soft, ret_hard) && *ret_soft <= *ret_hard;
}

int zl_ulimit_parse(struct zl_service *service, const char *text, struct zl_error *err)
{
  struct zl_spec_ctx ctx = { 0 };
  struct zl_at at = { .key = "ulimit" };
  const char *equals = strchr(text, '=');
  zl_autofree char *name = NULL;
  uint64_t soft, hard;
  int r;

  if (equals == NULL || !parse_limits(equals + 1, &soft, &hard))
    return zl_fail(err, ZL_E_INVALID, 0,
                   "expected NAME=SOFT[:HARD], soft not above hard, found '%s'", text);
  name = strndup(text, (size_t)(equals - text));
  if (name == NULL)
    return zl_fail_nomem(err, "limit");
  zl_check_ulimit_name(&ctx, &at, name);
  r = zl_spec_ctx_finish(&ctx, NULL, NULL, err);
  return r < 0 ? r : set_ulimit(service, name, soft, hard, err);
}

int zl_platform_parse(struct zl_service *service, const char *text, struct zl_error *err)
{
  struct zl_platform platform = { 0 };
  zl_autofree char *os = strdup(text);
  char *arch;
  int r;

  if (os == NULL)
    return zl_fail_nomem(err, "platform");
  arch = strchr(os, '/');
  if (arch != NULL)
    *arch++ = '\0';
  r = zl_value_parse(zl_type_find(&zl_type_platform, "os"), os, &platform, err);
  if (r == 0 && arch != NULL)
    r = zl_value_parse(zl_type_find(&zl_type_platform, "arch"), arch, &platform, err);
  if (r < 0)
    return zl_wrap(err, "platform '%s'", text);
  service->platform.os = platform.os;
  service->platform.arch = platform.arch;
  return 0;
}
