/* SPDX-License-Identifier: Apache-2.0 */
#include "guest/properties.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/strv.h"
#include "base/time.h"
#include "guest/agent.h"
#include "net/linux/link.h"

enum {
  MAX_TYPES = 8,        /* of one query */
  MAX_LISTED = 512,     /* processes: the answer has to fit in a frame */
  MAX_PROCESS_NAME = 32 /* the kernel keeps 16 bytes */
};

/* ---- Statistics ---------------------------------------------------------------------------- */

/* jansson has no unsigned 64-bit integers: UINT64_MAX, "none", travels as -1. */
static json_int_t number(uint64_t value)
{
  return (json_int_t)value;
}

static json_t *render_statistics(const struct zl_cgroup_stats *s, uint64_t rx, uint64_t tx)
{
  return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:i}", "time_ns",
                   number(zl_time_wall()), "cpu_usage_ns", number(s->cpu_usage_ns), "cpu_system_ns",
                   number(s->cpu_system_ns), "memory_bytes", number(s->memory_bytes),
                   "memory_limit", number(s->memory_limit), "pids", number(s->pids), "pids_limit",
                   number(s->pids_limit), "block_read_bytes", number(s->block_read_bytes),
                   "block_write_bytes", number(s->block_write_bytes), "net_rx_bytes", number(rx),
                   "net_tx_bytes", number(tx), "online_cpus", (int)sysconf(_SC_NPROCESSORS_ONLN));
}

/* The machine's link counts as the container does, not the other way round. */
static int read_network(uint64_t *ret_rx, uint64_t *ret_tx, struct zl_error *err)
{
  int r = zl_link_stats(ZL_LINK_SELF, ret_tx, ret_rx, err);

  return r == -ZL_E_NOT_FOUND ? 0 : r;
}

static int get_statistics(const struct container *c, json_t **ret, struct zl_error *err)
{
  struct zl_cgroup_stats stats = { .memory_limit = UINT64_MAX, .pids_limit = UINT64_MAX };
  uint64_t rx = 0, tx = 0;
  int r = c->group.exists ? zl_cgroup_stats(&c->group.cgroup, &stats, err) : 0;

  if (r == 0)
    r = read_network(&rx, &tx, err);
  if (r == 0)
    *ret = render_statistics(&stats, rx, tx);
  return r;
}

/* ---- Processes ----------------------------------------------------------------------------- */

static int list_process(void *payload, pid_t pid, struct zl_error *err)
{
  zl_autobuf name = ZL_BUF_INIT(MAX_PROCESS_NAME);
  json_t *list = payload, *text;
  char path[32];

  (void)snprintf(path, sizeof(path), "/proc/%d/comm", (int)pid);
  if (zl_file_read(AT_FDCWD, path, &name, NULL) < 0 || name.data == NULL)
    return 0; /* it has just ended */
  name.data[strcspn(name.data, "\n")] = '\0';
  /* A process may call itself anything; what is no UTF-8 has no name here. */
  text = json_string(name.data);
  if (text == NULL)
    text = json_string("");
  if (json_array_append_new(list,
                            json_pack("{s:i, s:o}", "ProcessId", (int)pid, "ImageName", text)) < 0)
    return zl_fail_nomem(err, "list of processes");
  return json_array_size(list) >= MAX_LISTED;
}

static int get_processes(const struct container *c, json_t **ret, struct zl_error *err)
{
  zl_autojson *list = json_array();
  int r = list == NULL      ? zl_fail_nomem(err, "list of processes")
          : c->group.exists ? zl_cgroup_each_process(&c->group.cgroup, list_process, list, err)
                            : 0;

  if (r < 0)
    return r;
  *ret = zl_steal_ptr(&list);
  return 0;
}

/* ---- Memory -------------------------------------------------------------------------------- */

/* "MemAvailable:     12345 kB"; 0 without such a line. */
static json_int_t read_kibibytes(const char *text, const char *key)
{
  const char *line = strstr(text, key);
  char digits[24] = "";
  uint64_t value = 0;

  if (line == NULL)
    return 0;
  line += strlen(key);
  line += strspn(line, " ");
  (void)snprintf(digits, sizeof(digits), "%.*s", (int)strspn(line, "0123456789"), line);
  return zl_parse_u64(digits, INT64_MAX >> 10, &value) ? (json_int_t)(value << 10) : 0;
}

static int get_memory(json_t **ret, struct zl_error *err)
{
  zl_autobuf text = ZL_BUF_INIT(ZL_MAX_SMALL_FILE);
  int r = zl_file_read(AT_FDCWD, "/proc/meminfo", &text, err);

  if (r < 0)
    return r;
  *ret = json_pack("{s:I, s:I}", "TotalBytes", read_kibibytes(text.data, "MemTotal:"),
                   "AvailableBytes", read_kibibytes(text.data, "MemAvailable:"));
  return 0;
}

/* ---- The whole ----------------------------------------------------------------------------- */

static int get(const struct agent *agent, const char *container_id, const char *type, json_t **ret,
               struct zl_error *err)
{
  const struct container *c = &agent->container;
  int r;

  if (strcmp(type, "Memory") == 0)
    return get_memory(ret, err);
  if (strcmp(type, "Statistics") != 0 && strcmp(type, "ProcessList") != 0)
    return zl_fail(err, ZL_E_UNSUPPORTED, 0, "Query.PropertyTypes: '%.100s' is not known", type);
  r = container_expect(agent, container_id, err);
  if (r < 0)
    return r;
  if (c->status == CONTAINER_STOPPED)
    return zl_fail(err, ZL_E_CONFLICT, 0, "the container does not run");
  return *type == 'S' ? get_statistics(c, ret, err) : get_processes(c, ret, err);
}

int properties_get(struct agent *agent, const char *container_id, const json_t *query, json_t **ret,
                   struct zl_error *err)
{
  zl_autojson *properties = json_object();
  zl_autofree char *text = NULL;
  json_t *types, *type;
  size_t i;
  int r = zl_json_get_array(query, "Query", "PropertyTypes", MAX_TYPES, &types, err);

  json_array_foreach (types, i, type) {
    json_t *value = NULL;

    if (r == 0 && !json_is_string(type))
      r = zl_fail(err, ZL_E_INVALID, 0, "Query.PropertyTypes: expected strings");
    if (r == 0)
      r = get(agent, container_id, json_string_value(type), &value, err);
    if (r == 0 && json_object_set_new(properties, json_string_value(type), value) < 0)
      r = zl_fail_nomem(err, "properties");
  }
  if (r == 0)
    r = zl_json_render(properties, &text, err);
  if (r == 0)
    *ret = json_pack("{s:s}", "Properties", text);
  return r;
}
