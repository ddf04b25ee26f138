/* SPDX-License-Identifier: Apache-2.0 */
#include "systemd/unit.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/strv.h"
#include "base/time.h"

#define NAME    "org.freedesktop.systemd1"
#define PATH    "/org/freedesktop/systemd1"
#define MANAGER NAME ".Manager"
#define MODE    "replace" /* of jobs: instead of one that waits */

bool zl_systemd_is_here(void)
{
  return faccessat(AT_FDCWD, "/run/systemd/system", F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

/* ---- Jobs ---------------------------------------------------------------------------------- */

/* On the bus anybody may send us a signal; from systemd's own socket there is systemd only. */
static bool is_from_systemd(const struct zl_systemd *s, const struct zl_dbus_message *m)
{
  return !s->bus.has_broker || (*s->owner != '\0' && strcmp(m->sender, s->owner) == 0);
}

/* JobRemoved(id, path, unit, result): may come before the reply that names the job. */
static void note_job(void *ctx, const struct zl_dbus_message *m)
{
  struct zl_systemd *s = ctx;
  struct zl_dbus_in body = m->body;
  const char *path, *unit, *result;

  if (!is_from_systemd(s, m) || strcmp(m->interface, MANAGER) != 0 ||
      strcmp(m->member, "JobRemoved") != 0 || strcmp(m->signature, "uoss") != 0)
    return;
  (void)zl_dbus_get_u32(&body);
  path = zl_dbus_get_string(&body);
  unit = zl_dbus_get_string(&body);
  result = zl_dbus_get_string(&body);
  if (s->unit == NULL || strcmp(unit, s->unit) != 0)
    return;
  if (!body.bad && strlen(path) < ZL_SYSTEMD_JOB_PATH && strlen(result) < ZL_SYSTEMD_JOB_RESULT) {
    struct zl_systemd_job *job = &s->ended[s->n_ended++ % ZL_SYSTEMD_JOBS];

    (void)stpcpy(job->path, path);
    (void)stpcpy(job->result, result);
  }
}

static const struct zl_systemd_job *find_job(const struct zl_systemd *s, const char *path)
{
  for (size_t i = 0; i < ZL_SYSTEMD_JOBS; i++)
    if (*s->ended[i].path != '\0' && strcmp(s->ended[i].path, path) == 0)
      return &s->ended[i];
  return NULL;
}

static int wait_for_job(struct zl_systemd *s, const char *path, struct zl_error *err)
{
  const uint64_t deadline = zl_time_boot() + s->bus.patience_ns;
  const struct zl_systemd_job *job;
  int r = 0;

  while ((job = find_job(s, path)) == NULL)
    if ((r = zl_bus_wait(&s->bus, deadline, err)) < 0)
      return zl_wrap(err, "waiting for the job");
  return strcmp(job->result, "done") == 0
             ? 0
             : zl_fail(err, ZL_E_REMOTE, 0, "systemd's job has ended with '%s'", job->result);
}

/* ---- Calls --------------------------------------------------------------------------------- */

static int call(struct zl_systemd *s, const char *interface, const char *member,
                const char *signature, const struct zl_dbus_out *body, struct zl_dbus_message *ret,
                struct zl_error *err)
{
  const struct zl_dbus_call manager = { .destination = s->bus.has_broker ? NAME : NULL,
                                        .path = PATH,
                                        .interface = interface,
                                        .member = member,
                                        .signature = signature };

  *ret = (struct zl_dbus_message){ .error_name = "" };
  if (body != NULL && body->r < 0)
    return body->r;
  return zl_bus_call(&s->bus, &manager, body != NULL ? &body->buf : NULL, ret, err);
}

/* A call whose answer is the path of a job. */
static int call_job(struct zl_systemd *s, const char *member, const char *signature,
                    const struct zl_dbus_out *body, bool *ret_is_unknown, struct zl_error *err)
{
  struct zl_dbus_message reply;
  char path[ZL_SYSTEMD_JOB_PATH];
  const char *text;
  int r = call(s, MANAGER, member, signature, body, &reply, err);

  *ret_is_unknown = r < 0 && strcmp(reply.error_name, NAME ".NoSuchUnit") == 0;
  if (r < 0)
    return strcmp(reply.error_name, NAME ".UnitExists") == 0 ? -ZL_E_CONFLICT : r;
  text = zl_dbus_get_string(&reply.body);
  if (strcmp(reply.signature, "o") != 0 || strlen(text) >= sizeof(path))
    return zl_fail(err, ZL_E_REMOTE, 0, "systemd: %s: the answer names no job", member);
  (void)stpcpy(path, text);
  return wait_for_job(s, path, err);
}

/* A unit that has failed stays known until this is said. */
static int forget(struct zl_systemd *s, const char *unit, struct zl_error *err)
{
  zl_autodbusout body = ZL_DBUS_OUT_INIT(err);
  struct zl_dbus_message reply;
  int r;

  zl_dbus_put_string(&body, unit);
  r = call(s, MANAGER, "ResetFailedUnit", "s", &body, &reply, err);
  return r < 0 && strcmp(reply.error_name, NAME ".NoSuchUnit") == 0 ? 0 : r;
}

/* Signals come to those who ask systemd for them and, of a bus, the bus too. */
static int subscribe(struct zl_systemd *s, struct zl_error *err)
{
  static const struct zl_dbus_call match = { .destination = "org.freedesktop.DBus",
                                             .path = "/org/freedesktop/DBus",
                                             .interface = "org.freedesktop.DBus",
                                             .member = "AddMatch",
                                             .signature = "s" };
  zl_autodbusout rule = ZL_DBUS_OUT_INIT(err);
  struct zl_dbus_message reply;
  int r = call(s, MANAGER, "Subscribe", NULL, NULL, &reply, err);

  if (r < 0 || !s->bus.has_broker)
    return r;
  if (*reply.sender == '\0' || strlen(reply.sender) > ZL_MAX_DBUS_NAME)
    return zl_fail(err, ZL_E_REMOTE, 0, "the message bus does not say who has answered");
  (void)stpcpy(s->owner, reply.sender);
  zl_dbus_put_string(&rule, "type='signal',sender='" NAME "',path='" PATH "',interface='" MANAGER
                            "',member='JobRemoved'");
  return rule.r < 0 ? rule.r : zl_bus_call(&s->bus, &match, &rule.buf, &reply, err);
}

void zl_systemd_attach(struct zl_systemd *s, int fd, const char *owner, uint64_t patience_ns)
{
  s->bus.fd = fd;
  s->bus.has_broker = owner != NULL;
  s->bus.patience_ns = patience_ns;
  s->bus.on_signal = note_job;
  s->bus.ctx = s;
  if (owner != NULL)
    (void)strncat(s->owner, owner, ZL_MAX_DBUS_NAME);
}

int zl_systemd_open(struct zl_systemd *s, uint64_t patience_ns, struct zl_error *err)
{
  int r;

  zl_systemd_attach(s, -1, NULL, patience_ns);
  r = zl_bus_open(&s->bus, err);
  return r < 0 ? r : subscribe(s, err);
}

void zl_systemd_close(struct zl_systemd *s)
{
  zl_bus_close(&s->bus);
}

/* "252.39-1~deb12u1", "v252" */
static bool parse_version(const char *text, unsigned *ret)
{
  static const char digits[] = "0123456789";
  char number[8] = "";
  uint64_t value;

  text += strcspn(text, digits);
  if (strspn(text, digits) >= sizeof(number))
    return false;
  (void)strncat(number, text, strspn(text, digits));
  if (!zl_parse_u64(number, UINT32_MAX, &value))
    return false;
  *ret = (unsigned)value;
  return true;
}

int zl_systemd_version(struct zl_systemd *s, unsigned *ret, struct zl_error *err)
{
  zl_autodbusout body = ZL_DBUS_OUT_INIT(err);
  struct zl_dbus_message reply;
  int r;

  zl_dbus_put_string(&body, MANAGER);
  zl_dbus_put_string(&body, "Version");
  r = call(s, "org.freedesktop.DBus.Properties", "Get", "ss", &body, &reply, err);
  if (r < 0)
    return r;
  if (strcmp(reply.signature, "v") == 0 && strcmp(zl_dbus_get_signature(&reply.body), "s") == 0 &&
      parse_version(zl_dbus_get_string(&reply.body), ret))
    return 0;
  return zl_fail(err, ZL_E_REMOTE, 0, "systemd does not tell its version");
}

/* ---- Units --------------------------------------------------------------------------------- */

static void put_properties(struct zl_dbus_out *out, const struct zl_buf *properties)
{
  const struct zl_dbus_array array = zl_dbus_put_array(out, 8);

  zl_dbus_put_bytes(out, properties->data, properties->len);
  zl_dbus_end_array(out, array);
}

int zl_systemd_start(struct zl_systemd *s, const char *unit, const struct zl_buf *properties,
                     struct zl_error *err)
{
  zl_autodbusout body = ZL_DBUS_OUT_INIT(err);
  bool is_unknown = false;
  int r;

  s->unit = unit;
  zl_dbus_put_string(&body, unit);
  zl_dbus_put_string(&body, MODE);
  put_properties(&body, properties);
  zl_dbus_end_array(&body, zl_dbus_put_array(&body, 8)); /* other units */
  r = call_job(s, "StartTransientUnit", "ssa(sv)a(sa(sv))", &body, &is_unknown, err);
  if (r == -ZL_E_CONFLICT && (r = forget(s, unit, err)) == 0)
    r = call_job(s, "StartTransientUnit", "ssa(sv)a(sa(sv))", &body, &is_unknown, err);
  if (r == -ZL_E_CONFLICT)
    return zl_fail(err, ZL_E_CONFLICT, 0, "systemd has a unit '%s' already", unit);
  return r < 0 ? zl_wrap(err, "starting '%s'", unit) : 0;
}

int zl_systemd_change(struct zl_systemd *s, const char *unit, const struct zl_buf *properties,
                      struct zl_error *err)
{
  zl_autodbusout body = ZL_DBUS_OUT_INIT(err);
  struct zl_dbus_message reply;
  unsigned version;
  int r;

  zl_dbus_put_string(&body, unit);
  zl_dbus_put_u32(&body, true); /* until the next boot */
  put_properties(&body, properties);
  r = call(s, MANAGER, "SetUnitProperties", "sba(sv)", &body, &reply, err);
  /* It answers first and writes the files then, but before it looks at another call. */
  if (r == 0)
    r = zl_systemd_version(s, &version, err);
  return r < 0 ? zl_wrap(err, "changing '%s'", unit) : 0;
}

int zl_systemd_stop(struct zl_systemd *s, const char *unit, struct zl_error *err)
{
  zl_autodbusout body = ZL_DBUS_OUT_INIT(err);
  bool is_unknown = false;
  int r;

  s->unit = unit;
  zl_dbus_put_string(&body, unit);
  zl_dbus_put_string(&body, MODE);
  r = call_job(s, "StopUnit", "ss", &body, &is_unknown, err);
  if (r == 0 || is_unknown)
    r = forget(s, unit, err);
  return r < 0 ? zl_wrap(err, "stopping '%s'", unit) : 0;
}
