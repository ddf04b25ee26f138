/* SPDX-License-Identifier: Apache-2.0 */
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "base/strv.h"
#include "base/time.h"
#include "oci/container.h"
#include "oci/options.h"
#include "oci/output.h"

#define DEFAULT_INTERVAL (5 * ZL_NS_PER_S)

static json_t *number(uint64_t value)
{
  return json_integer(value > INT64_MAX ? INT64_MAX : (json_int_t)value);
}

/* The shape of runc's `events`, which cAdvisor and containerd's tools read. */
static int print_stats(const struct oci_container *c, struct zl_error *err)
{
  struct zl_cgroup_stats s;
  zl_autojson *doc = NULL;
  int r = zl_cgroup_stats(&c->cgroup, &s, err);

  if (r < 0)
    return r;
  doc = json_pack("{s:s, s:s, s:{s:{s:{s:o, s:o, s:o}}, s:{s:{s:o, s:o}}, s:{s:o, s:o}}}", "type",
                  "stats", "id", c->id, "data", "cpu", "usage", "total", number(s.cpu_usage_ns),
                  "kernel", number(s.cpu_system_ns), "user", number(s.cpu_user_ns), "memory",
                  "usage", "usage", number(s.memory_bytes), "limit", number(s.memory_limit), "pids",
                  "current", number(s.pids), "limit", number(s.pids_limit));
  return oci_print_json(doc, false, err);
}

/* Once for all that were killed since the last look. */
static int print_oom(const struct oci_container *c, uint64_t *seen, struct zl_error *err)
{
  zl_autojson *doc = NULL;
  uint64_t kills = 0;

  if (zl_cgroup_oom_kills(&c->cgroup, &kills, NULL) < 0 || kills <= *seen)
    return 0; /* the cgroup may be gone with its container */
  *seen = kills;
  doc = json_pack("{s:s, s:s}", "type", "oom", "id", c->id);
  return oci_print_json(doc, false, err);
}

/* "5s", "500ms", "1m": one number and its unit, as Go writes most durations. */
static int parse_interval(const char *text, uint64_t *ret, struct zl_error *err)
{
  static const struct {
    const char *unit;
    uint64_t ns;
  } units[] = { { "ms", ZL_NS_PER_MS }, { "s", ZL_NS_PER_S }, { "m", 60 * ZL_NS_PER_S } };
  char *end;
  unsigned long value = strtoul(text, &end, 10);

  for (size_t i = 0; i < ZL_COUNT(units); i++)
    if (end != text && strcmp(end, units[i].unit) == 0 && value > 0 && value <= 86400) {
      *ret = value * units[i].ns;
      return 0;
    }
  return zl_fail(err, ZL_E_INVALID, 0, "--interval: '%.40s' is not like 500ms, 5s or 1m", text);
}

int oci_events(const struct oci *oci, int argc, char **argv, struct zl_error *err)
{
  oci_autocontainer c = OCI_CONTAINER_INIT;
  const char *interval = NULL, *id;
  bool once = false;
  const struct oci_option options[] = {
    { .name = "stats", .kind = OCI_FLAG, .variable = &once },
    { .name = "interval", .kind = OCI_TEXT, .variable = &interval },
  };
  uint64_t wait_ns = DEFAULT_INTERVAL, kills = 0;
  struct pollfd fd = { .events = POLLIN };
  int r = oci_options_id(options, ZL_COUNT(options), argc, argv, &id, err);

  if (r == 0 && interval != NULL)
    r = parse_interval(interval, &wait_ns, err);
  if (r == 0)
    r = oci_container_open(oci, id, false, &c, err);
  if (r == 0 && (oci_container_status(&c) == OCI_STOPPED || !c.has_cgroup))
    r = zl_fail(err, ZL_E_CONFLICT, 0, "container '%s' is stopped: container not running", id);
  if (r == 0)
    (void)zl_cgroup_oom_kills(&c.cgroup, &kills, NULL);
  fd.fd = c.pidfd;
  for (;;) {
    bool ended;

    if (r == 0)
      r = print_stats(&c, err);
    if (r < 0 || once)
      return r;
    ended = poll(&fd, 1, (int)(wait_ns / ZL_NS_PER_MS)) > 0;
    r = print_oom(&c, &kills, err);
    if (r < 0 || ended)
      return r;
  }
}
