/* SPDX-License-Identifier: Apache-2.0
 *
 * Display ids. They become directory, cgroup and log names, so each part is held to a file name's
 * characters, and text that does not format back to itself is refused.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <zlayer/runtime.h>

#include "base/limits.h"
#include "base/path.h"
#include "base/strv.h"

#define DEFAULT_ROLE "default"
#define REPLICA_MARK "-rep-"
#define NODE_MARK    "-on-"

static const char *role_of(const struct zl_container_id *id)
{
  return id->role != NULL ? id->role : DEFAULT_ROLE;
}

static int check_part(const char *what, const char *text, struct zl_error *err)
{
  if (text != NULL && zl_path_is_name(text, ZL_MAX_NAME))
    return 0;
  return zl_fail(err, ZL_E_INVALID, 0,
                 "%s '%.80s' is not a name: 1 to %d of a-z A-Z 0-9 _ . -, beginning with a letter "
                 "or digit",
                 what, text != NULL ? text : "", ZL_MAX_NAME);
}

int zl_container_id_format(const struct zl_container_id *id, char text[ZL_ID_TEXT],
                           struct zl_error *err)
{
  const char *role = role_of(id);
  int r = check_part("service", id->service, err), n;

  if (r == 0)
    r = check_part("role", role, err);
  if (r < 0)
    return r;
  if (strcmp(role, DEFAULT_ROLE) == 0 && id->node_id == 0)
    n = snprintf(text, ZL_ID_TEXT, "%s" REPLICA_MARK "%" PRIu32, id->service, id->replica);
  else
    n = snprintf(text, ZL_ID_TEXT, "%s-%s-%" PRIu32 NODE_MARK "%" PRIu64, id->service, role,
                 id->replica, id->node_id);
  if (n >= ZL_ID_TEXT)
    return zl_fail(err, ZL_E_INVALID, 0, "the id of service '%s' is longer than %d characters",
                   id->service, ZL_MAX_ID);
  return 0;
}

/* The last occurrence of `mark`, or NULL. */
static char *find_last(char *text, const char *mark)
{
  char *found = NULL;

  for (char *p = strstr(text, mark); p != NULL; p = strstr(p + 1, mark))
    found = p;
  return found;
}

/* "service-role-replica-on-node" */
static bool split_long(char *space, struct zl_container_id *ret)
{
  char *node = find_last(space, NODE_MARK), *replica, *role;
  uint64_t number;

  if (node == NULL || !zl_parse_u64(node + strlen(NODE_MARK), UINT64_MAX, &ret->node_id))
    return false;
  *node = '\0';
  replica = strrchr(space, '-');
  if (replica == NULL || !zl_parse_u64(replica + 1, UINT32_MAX, &number))
    return false;
  *replica = '\0';
  role = strrchr(space, '-');
  if (role == NULL)
    return false;
  *role = '\0';
  *ret = (struct zl_container_id){
    .service = space, .replica = (uint32_t)number, .role = role + 1, .node_id = ret->node_id
  };
  return true;
}

/* "service-rep-replica" */
static bool split_short(char *space, struct zl_container_id *ret)
{
  char *replica = find_last(space, REPLICA_MARK);
  uint64_t number;

  if (replica == NULL || !zl_parse_u64(replica + strlen(REPLICA_MARK), UINT32_MAX, &number))
    return false;
  *replica = '\0';
  *ret = (struct zl_container_id){ .service = space,
                                   .replica = (uint32_t)number,
                                   .role = DEFAULT_ROLE };
  return true;
}

int zl_container_id_parse(const char *text, char space[2 * ZL_ID_TEXT], struct zl_container_id *ret,
                          struct zl_error *err)
{
  static bool (*const shapes[])(char *, struct zl_container_id *) = { split_long, split_short };
  size_t len = strlen(text);

  for (size_t i = 0; len < ZL_ID_TEXT && i < ZL_COUNT(shapes); i++) {
    struct zl_container_id id = { 0 };
    char again[ZL_ID_TEXT];

    memcpy(space, text, len + 1);
    if (!shapes[i](space, &id) || zl_container_id_format(&id, again, NULL) < 0 ||
        strcmp(again, text) != 0)
      continue;
    *ret = id;
    return 0;
  }
  return zl_fail(err, ZL_E_INVALID, 0,
                 "'%.80s' is not a container id such as web-rep-1 or web-role-1-on-2", text);
}
