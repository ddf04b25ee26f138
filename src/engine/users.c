/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/users.h"

#include <string.h>

#include "base/limits.h"
#include "engine/users_file.h"

/* One half of "user:group". */
struct who {
  const char *what; /* "user" or "group", for errors */
  char name[ZL_MAX_USER_NAME + 1];
  bool is_id, found;
  uint32_t id;
};

/* POSIX's portable characters and what Samba and directories add. */
static bool is_name(const char *text, size_t len)
{
  if (len == 0 || len > ZL_MAX_USER_NAME || text[0] == '-')
    return false;
  for (size_t i = 0; i < len; i++) {
    const char c = text[i];

    if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
          (c != '\0' && strchr("_.-@$", c) != NULL)))
      return false;
  }
  return true;
}

static int parse_who(const char *what, const char *text, size_t len, struct who *who,
                     struct zl_error *err)
{
  if (!is_name(text, len))
    return zl_fail(err, ZL_E_INVALID, 0, "%s '%.*s': neither a name nor an id", what,
                   (int)(len < 100 ? len : 100), text);
  *who = (struct who){ .what = what };
  memcpy(who->name, text, len);
  if (strspn(who->name, "0123456789") != len)
    return 0;
  who->is_id = true;
  if (!zl_users_parse_id(who->name, &who->id))
    return zl_fail(err, ZL_E_INVALID, 0, "%s '%.100s': not an id within 0..4294967294", what,
                   who->name);
  return 0;
}

static bool is_line_of(const struct who *who, const struct zl_users_line *line)
{
  return who->is_id ? line->id == who->id : strcmp(line->fields[0], who->name) == 0;
}

static int not_found(const struct who *who, const char *file, struct zl_error *err)
{
  return zl_fail(err, ZL_E_NOT_FOUND, 0, "%s '%s': not in the image's %s", who->what, who->name,
                 file);
}

/* What the walk over passwd finds out. */
struct account {
  struct who user;
  uint32_t gid;
  char *home;
};

static void account_done(struct account *account)
{
  free(account->home);
}

static int take_account(void *payload, const struct zl_users_line *line, struct zl_error *err)
{
  struct account *account = payload;
  const char *home = line->fields[5];

  if (account->user.found || !is_line_of(&account->user, line))
    return 0;
  if (!zl_users_parse_id(line->fields[3], &account->gid) ||
      strlen(line->fields[0]) > ZL_MAX_USER_NAME)
    return 0;
  account->user.found = true;
  account->user.id = line->id;
  /* From here on the name is what group lines list. */
  (void)stpcpy(account->user.name, line->fields[0]);
  account->home = strdup(home[0] == '/' ? home : "/");
  return account->home != NULL ? 0 : zl_fail_nomem(err, "home directory");
}

static int find_account(int root_fd, struct account *account, struct zl_error *err)
{
  int r = zl_users_walk(root_fd, ZL_FILE_PASSWD, take_account, account, err);

  if (r < 0)
    return r;
  if (!account->user.found && !account->user.is_id)
    return not_found(&account->user, "/etc/passwd", err);
  if (account->home == NULL)
    account->home = strdup("/");
  return account->home != NULL ? 0 : zl_fail_nomem(err, "home directory");
}

/* What the walk over group finds out. */
struct membership {
  const char *member;  /* collect the groups that list this user; NULL: none */
  struct who *primary; /* NULL: not asked for */
  struct who *extra;
  size_t n_extra;
  uint32_t gids[ZL_MAX_GROUPS];
  size_t n;
};

static int add_gid(struct membership *m, uint32_t gid, struct zl_error *err)
{
  size_t at = 0;

  while (at < m->n && m->gids[at] < gid)
    at++;
  if (at < m->n && m->gids[at] == gid)
    return 0;
  if (m->n == ZL_MAX_GROUPS)
    return zl_fail(err, ZL_E_LIMIT, 0, "more than %d groups", ZL_MAX_GROUPS);
  memmove(&m->gids[at + 1], &m->gids[at], (m->n - at) * sizeof(m->gids[0]));
  m->gids[at] = gid;
  m->n++;
  return 0;
}

static bool lists(const char *members, const char *name)
{
  const size_t len = strlen(name);

  for (const char *at = members; *at != '\0';) {
    const size_t n = strcspn(at, ",");

    if (n == len && memcmp(at, name, n) == 0)
      return true;
    at += n + (at[n] == ',');
  }
  return false;
}

static void meet(struct who *who, const struct zl_users_line *line)
{
  if (who->found || !is_line_of(who, line))
    return;
  who->found = true;
  who->id = line->id;
}

static int take_group(void *payload, const struct zl_users_line *line, struct zl_error *err)
{
  struct membership *m = payload;

  if (m->primary != NULL)
    meet(m->primary, line);
  for (size_t i = 0; i < m->n_extra; i++)
    meet(&m->extra[i], line);
  if (m->member != NULL && lists(line->fields[3], m->member))
    return add_gid(m, line->id, err);
  return 0;
}

static int find_groups(int root_fd, struct membership *m, struct zl_error *err)
{
  int r = zl_users_walk(root_fd, ZL_FILE_GROUP, take_group, m, err);

  if (r < 0)
    return r;
  if (m->primary != NULL && !m->primary->found && !m->primary->is_id)
    return not_found(m->primary, "/etc/group", err);
  for (size_t i = 0; r == 0 && i < m->n_extra; i++) {
    if (!m->extra[i].found && !m->extra[i].is_id)
      return not_found(&m->extra[i], "/etc/group", err);
    r = add_gid(m, m->extra[i].id, err);
  }
  return r;
}

static int parse_extra(const char *const *groups, struct who **ret, size_t *ret_n,
                       struct zl_error *err)
{
  size_t n = 0;
  zl_autofree struct who *extra = NULL;

  while (groups != NULL && groups[n] != NULL)
    if (++n > ZL_MAX_GROUPS)
      return zl_fail(err, ZL_E_LIMIT, 0, "more than %d groups", ZL_MAX_GROUPS);
  extra = calloc(n + 1, sizeof(*extra));
  if (extra == NULL)
    return zl_fail_nomem(err, "groups");
  for (size_t i = 0; i < n; i++) {
    int r = parse_who("group", groups[i], strlen(groups[i]), &extra[i], err);

    if (r < 0)
      return r;
  }
  *ret = zl_steal_ptr(&extra);
  *ret_n = n;
  return 0;
}

static int parse_spec(const char *spec, struct who *user, struct who *group, bool *ret_has_group,
                      struct zl_error *err)
{
  const char *text = spec != NULL && *spec != '\0' ? spec : "0";
  const char *colon = strchrnul(text, ':');
  int r = parse_who("user", text, (size_t)(colon - text), user, err);

  *ret_has_group = *colon == ':';
  if (r == 0 && *ret_has_group)
    r = parse_who("group", colon + 1, strlen(colon + 1), group, err);
  return r;
}

static int hand_out(struct account *account, uint32_t gid, const struct membership *m,
                    struct zl_user *ret, struct zl_error *err)
{
  uint32_t *gids = malloc((m->n + 1) * sizeof(*gids));

  if (gids == NULL)
    return zl_fail_nomem(err, "groups");
  memcpy(gids, m->gids, m->n * sizeof(*gids));
  *ret = (struct zl_user){ .uid = account->user.id, .gid = gid, .gids = gids, .n_gids = m->n };
  ret->home = zl_steal_ptr(&account->home);
  return 0;
}

int zl_user_resolve(int root_fd, const char *spec, const char *const *extra_groups,
                    struct zl_user *ret, struct zl_error *err)
{
  ZL_CLEANUP(account_done) struct account account = { .home = NULL };
  zl_autofree struct who *extra = NULL;
  struct membership m = { .member = NULL };
  struct who group;
  bool has_group;
  int r = parse_spec(spec, &account.user, &group, &has_group, err);

  if (r == 0)
    r = parse_extra(extra_groups, &extra, &m.n_extra, err);
  if (r == 0)
    r = find_account(root_fd, &account, err);
  if (r < 0)
    return r;
  m.extra = extra;
  m.primary = has_group ? &group : NULL;
  m.member = !has_group && account.user.found ? account.user.name : NULL;
  r = find_groups(root_fd, &m, err);
  return r == 0 ? hand_out(&account, has_group ? group.id : account.gid, &m, ret, err) : r;
}

int zl_user_home(int root_fd, uint32_t uid, char **ret, struct zl_error *err)
{
  ZL_CLEANUP(account_done)
  struct account account = { .user = { .what = "user", .is_id = true, .id = uid } };
  int r = find_account(root_fd, &account, err);

  if (r == 0)
    *ret = zl_steal_ptr(&account.home);
  return r;
}

void zl_user_done(struct zl_user *user)
{
  free(user->gids);
  free(user->home);
  *user = (struct zl_user){ .gids = NULL };
}
