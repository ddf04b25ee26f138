/* SPDX-License-Identifier: Apache-2.0 */
#include "guest/spares.h"

#include <stdio.h>
#include <unistd.h>

#include "base/path.h"
#include "base/strv.h"
#include "guest/agent.h"

enum {
  MAX_NAME = 16 /* "spare-3" */
};

/* It has been copied; what points into it has not. */
static void settle(struct container *c)
{
  if (c->init != NULL && process_is_running(c->init))
    c->init->child = &c->engine.init;
}

int spares_push(struct agent *agent, struct zl_error *err)
{
  struct container *place = &agent->spares[agent->n_spares];

  if (agent->n_spares == MAX_SPARES)
    return zl_fail(err, ZL_E_LIMIT, 0, "Prepare: %d containers are prepared already",
                   MAX_SPARES + 1);
  *place = agent->container;
  settle(place);
  agent->n_spares++;
  container_init(&agent->container);
  return 0;
}

bool spares_pop(struct agent *agent)
{
  if (agent->n_spares == 0)
    return false;
  agent->container = agent->spares[--agent->n_spares];
  settle(&agent->container);
  return true;
}

bool spares_own(const struct agent *agent, const struct process *process)
{
  for (size_t i = 0; i < agent->n_spares; i++)
    if (agent->spares[i].init == process)
      return true;
  return false;
}

static int enter_directory(int *scratch_fd, size_t number, struct zl_error *err)
{
  char name[MAX_NAME];
  int fd;

  (void)snprintf(name, sizeof(name), "spare-%zu", number);
  fd = zl_path_open_dir(*scratch_fd, name, 0755);
  if (fd < 0)
    return zl_fail(err, ZL_E_SYSTEM, -fd, "directory '%s' of the scratch disk", name);
  (void)close(*scratch_fd);
  *scratch_fd = fd;
  return container_prepare_scratch(fd, err);
}

int spares_keep_apart(const struct agent *agent, char **ret_path, int *scratch_fd,
                      struct zl_error *err)
{
  const char *path = agent->container.config->cgroups_path;

  if (agent->n_spares == 0)
    return 0;
  if (path != NULL && (*ret_path = zl_asprintf("%s-%zu", path, agent->n_spares)) == NULL)
    return zl_fail_nomem(err, "path of a cgroup");
  return *scratch_fd >= 0 ? enter_directory(scratch_fd, agent->n_spares, err) : 0;
}
