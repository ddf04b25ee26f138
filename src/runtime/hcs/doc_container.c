/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/limits.h"
#include "runtime/hcs/doc_private.h"
#include "runtime/hcs/wintext.h"

enum {
  DNS_SEARCH = 2048 /* bytes of all suffixes; Windows reads no longer lists */
};

/* ---- Checks ---- */

static struct zl_doc_place place_of(const struct zl_hcs_container *c)
{
  return (struct zl_doc_place){ "container", c->id };
}

static int check_hostname(const struct zl_hcs_container *c, struct zl_error *err)
{
  struct zl_doc_place place = place_of(c);
  size_t len = c->hostname != NULL ? strlen(c->hostname) : 0;

  /* A network without GuestOs is refused with E_INVALIDARG, so there is always one. */
  if (len == 0 || len >= ZL_HCS_HOSTNAME ||
      strspn(c->hostname, "abcdefghijklmnopqrstuvwxyz"
                          "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                          "0123456789-") != len)
    return zl_doc_refuse(&place, "GuestOs.HostName", c->hostname, "is no NetBIOS name", err);
  return 0;
}

static int check_mounts(const struct zl_hcs_container *c, struct zl_error *err)
{
  const struct zl_hcs_mounts *m = c->mounts;
  int r = 0;

  if (m == NULL)
    return 0;
  if (m->n_dirs > ZL_MAX_MOUNTS || m->n_pipes > ZL_MAX_MOUNTS)
    return zl_fail(err, ZL_E_LIMIT, 0, "container '%s': more than %d mounts", c->id, ZL_MAX_MOUNTS);
  for (size_t i = 0; r == 0 && i < m->n_dirs; i++)
    r = zl_doc_check_mount(&m->dirs[i], err);
  for (size_t i = 0; r == 0 && i < m->n_pipes; i++)
    r = zl_wintext_check(m->pipes[i].target, m->pipes[i].field, ZL_WIN_MAX_PATH, err);
  return r;
}

static int check_network(const struct zl_hcs_container *c, struct zl_error *err)
{
  struct zl_doc_place place = place_of(c);
  size_t len = 0;
  int r =
      c->network != NULL ? zl_doc_check_guid(&place, "Networking.Namespace", c->network, err) : 0;

  for (size_t i = 0; r == 0 && c->dns_search != NULL && c->dns_search[i] != NULL; i++) {
    len += strlen(c->dns_search[i]) + 1;
    r = zl_wintext_check(c->dns_search[i], "Networking.DnsSearchList", DNS_SEARCH, err);
    if (r == 0 && (c->dns_search[i][0] == '\0' || strchr(c->dns_search[i], ',') != NULL))
      return zl_doc_refuse(&place, "Networking.DnsSearchList", c->dns_search[i], "is no domain",
                           err);
  }
  if (r == 0 && len > DNS_SEARCH)
    return zl_fail(err, ZL_E_LIMIT, 0,
                   "container '%s': Networking.DnsSearchList: %zu bytes, the limit is %d", c->id,
                   len, DNS_SEARCH);
  return r;
}

static int check(const struct zl_hcs_container *c, struct zl_error *err)
{
  struct zl_doc_place place = place_of(c);
  int r = check_hostname(c, err);

  if (r == 0)
    r = zl_doc_check_layers(&place, c->layers, c->n_layers, err);
  if (r == 0)
    r = zl_doc_check_limits(&place, &c->limits, err);
  if (r == 0)
    r = zl_doc_check_number(&place, "QoS.IopsMaximum", c->iops, err);
  if (r == 0)
    r = zl_doc_check_number(&place, "QoS.BandwidthMaximum", c->bandwidth, err);
  if (r == 0)
    r = check_network(c, err);
  return r < 0 ? r : check_mounts(c, err);
}

/* ---- Parts ---- */

static json_t *storage(const struct zl_hcs_container *c)
{
  struct zl_doc doc;

  zl_doc_init(&doc);
  zl_doc_part(&doc, "Layers", zl_doc_layers(c->layers, c->n_layers));
  zl_doc_text(&doc, "Path", c->scratch);
  zl_doc_part(&doc, "QoS", zl_doc_qos(c->iops, c->bandwidth));
  return zl_doc_end(&doc);
}

static json_t *list(const struct zl_hcs_mount *mounts, size_t count,
                    json_t *(*item)(const struct zl_hcs_mount *mount))
{
  zl_autojson *array = json_array();

  for (size_t i = 0; i < count; i++)
    if (json_array_append_new(array, item(&mounts[i])) < 0)
      return NULL;
  return zl_steal_ptr(&array);
}

static json_t *memory(const struct zl_hcs_limits *limits)
{
  struct zl_doc doc;

  zl_doc_init(&doc);
  zl_doc_number(&doc, "SizeInMB", limits->memory_mib);
  return zl_doc_end(&doc);
}

/* The schema has one text for all of them. */
static bool add_search_list(struct zl_doc *doc, const char *const *search)
{
  zl_autobuf list_ = ZL_BUF_INIT(DNS_SEARCH);
  int r = 0;

  for (size_t i = 0; r == 0 && search != NULL && search[i] != NULL; i++)
    r = zl_buf_printf(&list_, NULL, "%s%s", i > 0 ? "," : "", search[i]);
  if (r == 0)
    zl_doc_text(doc, "DnsSearchList", list_.data);
  return r == 0;
}

static json_t *networking(const struct zl_hcs_container *c)
{
  struct zl_doc doc;

  zl_doc_init(&doc);
  if (c->network != NULL) {
    zl_doc_flag(&doc, "AllowUnqualifiedDnsQuery", true);
    if (!add_search_list(&doc, c->dns_search))
      doc.failed = true;
    zl_doc_text(&doc, "Namespace", c->network);
  }
  return zl_doc_end(&doc);
}

static json_t *control_key(void)
{
  struct zl_doc doc;

  zl_doc_init(&doc);
  zl_doc_text(&doc, "Hive", "System");
  zl_doc_text(&doc, "Name", "ControlSet001\\Control");
  return zl_doc_end(&doc);
}

/* Windows ends its services five seconds after it was told to shut down, whatever grace a container
 * has: in Server Core images that cuts every stop short. The grace is ours to keep. */
static json_t *registry(void)
{
  json_t *values = json_array();
  struct zl_doc doc, value;

  zl_doc_init(&doc);
  zl_doc_init(&value);
  zl_doc_part(&value, "Key", control_key());
  zl_doc_text(&value, "Name", "WaitToKillServiceTimeout");
  zl_doc_text(&value, "Type", "String");
  zl_doc_text(&value, "StringValue", "2147483647");
  zl_doc_item(&doc, values, zl_doc_end(&value));
  zl_doc_part(&doc, "AddValues", values);
  return zl_doc_end(&doc);
}

static json_t *container_json(const struct zl_hcs_container *c)
{
  static const struct zl_hcs_mounts none = { 0 };
  const struct zl_hcs_mounts *m = c->mounts != NULL ? c->mounts : &none;
  struct zl_doc doc;

  zl_doc_init(&doc);
  zl_doc_part(&doc, "GuestOs", zl_doc_one_text("HostName", c->hostname));
  zl_doc_part(&doc, "Storage", storage(c));
  zl_doc_part(&doc, "MappedDirectories", list(m->dirs, m->n_dirs, zl_doc_directory));
  zl_doc_part(&doc, "MappedPipes", list(m->pipes, m->n_pipes, zl_doc_pipe));
  zl_doc_part(&doc, "Memory", memory(&c->limits));
  zl_doc_part(&doc, "Processor", zl_doc_limits(&c->limits));
  zl_doc_part(&doc, "Networking", networking(c));
  zl_doc_part(&doc, "RegistryChanges", registry());
  return zl_doc_end(&doc);
}

/* ---- Documents ---- */

int zl_hcs_doc_process(const struct zl_hcs_container *container, const char *owner, json_t **ret,
                       struct zl_error *err)
{
  struct zl_doc_place place = place_of(container);
  struct zl_doc doc;
  int r = zl_doc_check_owner(&place, owner, err);

  if (r == 0)
    r = check(container, err);
  if (r == 0 && !zl_win_is_volume(container->scratch))
    r = zl_doc_refuse(&place, "Storage.Path", container->scratch,
                      "is no volume (\\\\?\\Volume{GUID}\\)", err);
  if (r < 0)
    return r;
  zl_doc_init(&doc);
  zl_doc_text(&doc, "Owner", owner);
  zl_doc_part(&doc, "SchemaVersion", zl_doc_version());
  zl_doc_part(&doc, "Container", container_json(container));
  zl_doc_flag(&doc, "ShouldTerminateOnLastHandleClosed", true);
  return zl_doc_finish(&doc, "document of a container", ret, err);
}

static int check_hosted(const struct zl_hcs_container *container, struct zl_error *err)
{
  struct zl_doc_place place = place_of(container);
  const struct zl_hcs_limits *limits = &container->limits;
  int r = check(container, err);

  if (r == 0)
    r = zl_doc_check_path(&place, "Storage.Path", container->scratch, err);
  if (r == 0 && (limits->cpu_count | limits->cpu_maximum | limits->cpu_weight) + limits->memory_mib)
    return zl_fail(err, ZL_E_INVALID, 0,
                   "container '%s': Processor and Memory are those of its machine", container->id);
  return r;
}

int zl_hcs_doc_hosted(const struct zl_hcs_container *container, json_t **ret, struct zl_error *err)
{
  int r = check_hosted(container, err);
  json_t *json = r == 0 ? container_json(container) : NULL;

  if (r < 0)
    return r;
  if (json == NULL)
    return zl_fail_nomem(err, "document of a container");
  *ret = json;
  return 0;
}

static json_t *hosted(const struct zl_hcs_container *container)
{
  struct zl_doc doc;

  zl_doc_init(&doc);
  zl_doc_part(&doc, "SchemaVersion", zl_doc_version());
  zl_doc_part(&doc, "Container", container_json(container));
  return zl_doc_end(&doc);
}

int zl_hcs_doc_hosted_system(const struct zl_hcs_container *container, const char *machine,
                             const char *owner, json_t **ret, struct zl_error *err)
{
  struct zl_doc_place place = place_of(container);
  struct zl_doc doc;
  int r = zl_doc_check_owner(&place, owner, err);

  if (r == 0)
    r = check_hosted(container, err);
  if (r == 0 && (machine == NULL || *machine == '\0'))
    r = zl_doc_refuse(&place, "HostingSystemId", machine, "is no id", err);
  if (r == 0)
    r = zl_wintext_check(machine, "HostingSystemId", ZL_HCS_MAX_OWNER, err);
  if (r < 0)
    return r;
  zl_doc_init(&doc);
  zl_doc_text(&doc, "Owner", owner);
  zl_doc_part(&doc, "SchemaVersion", zl_doc_version());
  zl_doc_text(&doc, "HostingSystemId", machine);
  zl_doc_part(&doc, "HostedSystem", hosted(container));
  zl_doc_flag(&doc, "ShouldTerminateOnLastHandleClosed", true);
  return zl_doc_finish(&doc, "document of a hosted container", ret, err);
}
