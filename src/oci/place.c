/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/place.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "base/limits.h"
#include "base/strv.h"

void oci_place_done(struct oci_place *place)
{
  for (size_t i = 0; i < place->n_parts; i++)
    zl_cgroup_close(&place->parts[i]);
  free(place->parts);
  *place = (struct oci_place){ .whole = NULL };
}

/* ---- v2 ------------------------------------------------------------------------------------ */

static bool hands_down(const struct oci_container *c)
{
  zl_autobuf buf = ZL_BUF_INIT(ZL_MAX_SMALL_FILE);
  zl_autofree char *path = zl_asprintf("%s/cgroup.subtree_control", c->cgroup.path);

  return path != NULL && zl_file_read(c->cgroup_root.fd, path, &buf, NULL) == 0 && buf.len > 1;
}

/* What follows the container's cgroup in "0::/PATH"; NULL: the process is elsewhere. */
static char *find_below(const char *text, const char *whole)
{
  const size_t len = strlen(whole);

  if (!zl_has_prefix(text, "0::/") || strncmp(text + 4, whole, len) != 0 || text[4 + len] != '/')
    return NULL;
  text += 4 + len;
  return strndup(text, strcspn(text, "\n"));
}

/* NULL: where the container is. */
static char *place_of_first(const struct oci_container *c)
{
  zl_autobuf buf = ZL_BUF_INIT(ZL_MAX_SMALL_FILE);
  char path[32];

  if (c->cgroup_root.mode != ZL_CGROUP_V2 || !hands_down(c))
    return NULL;
  (void)snprintf(path, sizeof(path), "/proc/%d/cgroup", (int)c->pid);
  if (zl_file_read(AT_FDCWD, path, &buf, NULL) < 0 || buf.data == NULL)
    return NULL;
  return find_below(buf.data, c->cgroup.path);
}

/* ---- Choosing and entering ----------------------------------------------------------------- */

static int open_parts(const char *const *wanted, struct oci_place *place, struct zl_error *err)
{
  const size_t n = zl_strv_len(wanted);

  place->parts = calloc(n, sizeof(*place->parts));
  if (place->parts == NULL)
    return zl_fail_nomem(err, "--cgroup");
  for (size_t i = 0; i < n; i++) {
    if (*wanted[i] == '\0')
      return zl_fail(err, ZL_E_INVALID, 0, "--cgroup: must not be empty");
    if (zl_cgroup_open_part(place->whole, wanted[i], &place->parts[i], err) < 0)
      return zl_wrap(err, "--cgroup");
    place->n_parts++;
  }
  return 0;
}

int oci_place_open(const struct oci_container *c, char *const *wanted, struct oci_place *ret,
                   struct zl_error *err)
{
  struct oci_place place = { .whole = &c->cgroup };
  zl_autofree char *first = NULL;
  int r = 0;

  if (!c->has_cgroup)
    return 0;
  if (wanted == NULL)
    first = place_of_first(c);
  if (wanted != NULL || first != NULL) {
    const char *const only[] = { first, NULL };

    r = open_parts(wanted != NULL ? (const char *const *)wanted : only, &place, err);
  }
  if (r < 0)
    oci_place_done(&place);
  else
    *ret = place;
  return r;
}

int oci_place_fd(const struct oci_place *place)
{
  for (size_t i = place->n_parts; i-- > 0;)
    if (place->parts[i].unified_fd >= 0)
      return place->parts[i].unified_fd;
  return place->whole->unified_fd;
}

int oci_place_enter(void *ctx, struct zl_error *err)
{
  const struct oci_place *place = ctx;
  const bool born_inside = place->whole->unified_fd >= 0;
  int r = zl_cgroup_add(place->whole, 0, born_inside, err);

  for (size_t i = 0; r == 0 && i < place->n_parts; i++)
    r = zl_cgroup_add(&place->parts[i], 0, born_inside, err);
  return r;
}
