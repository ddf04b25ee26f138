/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "base/rand.h"
#include "net/net_private.h"

enum {
  NAME_DIGITS = 5, /* what IFNAMSIZ leaves after the prefix: a million names */
  NAME_TRIES = 32
};

struct scan {
  uint32_t candidate;
  uint32_t used;
};

static int see_address(void *ctx, const struct zl_row *row, struct zl_error *err)
{
  struct scan *scan = ctx;

  (void)err;
  scan->used++;
  return zl_slice_next_free(&scan->candidate, (uint32_t)zl_row_int(row, 0)) ? 1 : 0;
}

static int find_free(struct zl_net *net, uint32_t *ret, struct zl_error *err)
{
  const struct zl_slice *slice = &net->slice;
  struct scan scan = { .candidate = zl_slice_first(slice) };
  char text[ZL_SLICE_TEXT];
  int r = zl_store_query(net->store, see_address, &scan, err,
                         "SELECT address FROM leases WHERE address BETWEEN ? AND ?"
                         " ORDER BY address",
                         "ii", (int64_t)zl_slice_first(slice), (int64_t)zl_slice_last(slice));

  if (r < 0)
    return r;
  if (!zl_slice_has(slice, scan.candidate))
    return zl_fail(err, ZL_E_NO_ADDRESS, 0,
                   "slice %s has no free address: %u of %u are in use; remove containers or use a "
                   "larger slice",
                   zl_slice_format(slice, text), scan.used, zl_slice_capacity(slice));
  *ret = scan.candidate;
  return 0;
}

int zl__net_note_any(void *ctx, const struct zl_row *row, struct zl_error *err)
{
  (void)row;
  (void)err;
  *(bool *)ctx = true;
  return 1;
}

/* Not in the database and not on the host: the link of a container that has just ended may still be
 * there for a moment. */
static int choose_link(struct zl_net *net, char name[ZL_LEASE_LINK], struct zl_error *err)
{
  for (int i = 0; i < NAME_TRIES; i++) {
    char digits[NAME_DIGITS + 1];
    bool taken = false;
    int r = zl_rand_hex(digits, sizeof(digits), err);

    if (r < 0)
      return r;
    (void)snprintf(name, ZL_LEASE_LINK, "%s%s", net->link_prefix, digits);
    r = zl_store_query(net->store, zl__net_note_any, &taken, err,
                       "SELECT 1 FROM leases WHERE link=?", "s", name);
    if (r == 0 && !taken)
      r = zl__net_has_link(name, err);
    if (r < 0 || (r == 0 && !taken))
      return r;
  }
  return zl_fail(err, ZL_E_LIMIT, 0, "no free link name begins with '%s'", net->link_prefix);
}

static void read_lease(const struct zl_row *row, int column, struct zl_lease *ret)
{
  const char *link = zl_row_text(row, column + 1);

  ret->address = (uint32_t)zl_row_int(row, column);
  (void)snprintf(ret->link, sizeof(ret->link), "%s", link != NULL ? link : "");
}

static int take_lease(void *ctx, const struct zl_row *row, struct zl_error *err)
{
  (void)err;
  read_lease(row, 0, ctx);
  return 1;
}

/* 1: found, 0: none. */
static int look_up(struct zl_net *net, const char *container, struct zl_lease *ret,
                   struct zl_error *err)
{
  int r = zl_store_query(net->store, take_lease, ret, err,
                         "SELECT address, link FROM leases WHERE container=?", "s", container);

  return r < 0 ? r : ret->link[0] != '\0';
}

int zl_lease_find(struct zl_net *net, const char *container, struct zl_lease *ret,
                  struct zl_error *err)
{
  struct zl_lease lease = { 0 };
  int r = look_up(net, container, &lease, err);

  if (r == 0)
    return zl_fail(err, ZL_E_NOT_FOUND, 0, "container '%s' has no overlay address", container);
  if (r < 0)
    return r;
  *ret = lease;
  return 0;
}

static int insert(struct zl_net *net, const char *container, const struct zl_lease *lease,
                  struct zl_error *err)
{
  return zl_store_run(net->store, err, "INSERT INTO leases VALUES (?, ?, ?, ?)", "isss",
                      (int64_t)lease->address, container, lease->link, net->boot_id);
}

int zl_lease_acquire(struct zl_net *net, const char *container, struct zl_lease *ret,
                     struct zl_error *err)
{
  struct zl_lease lease = { 0 };
  int r = look_up(net, container, &lease, err);

  if (r == 0) {
    r = find_free(net, &lease.address, err);
    if (r == 0)
      r = choose_link(net, lease.link, err);
    if (r == 0)
      r = insert(net, container, &lease, err);
  }
  if (r < 0)
    return r;
  *ret = lease;
  return 0;
}

struct owner {
  char text[ZL_ERROR_MSG_MAX / 4];
};

static int take_owner(void *ctx, const struct zl_row *row, struct zl_error *err)
{
  struct owner *owner = ctx;

  (void)err;
  (void)snprintf(owner->text, sizeof(owner->text), "%s", zl_row_text(row, 0));
  return 1;
}

int zl_lease_adopt(struct zl_net *net, const char *container, const struct zl_lease *lease,
                   struct zl_error *err)
{
  struct owner owner = { "" };
  char text[ZL_IP4_TEXT];
  int r =
      zl_store_query(net->store, take_owner, &owner, err,
                     "SELECT container FROM leases WHERE (address=? OR link=?) AND container<>?",
                     "iss", (int64_t)lease->address, lease->link, container);

  if (r < 0)
    return r;
  if (owner.text[0] != '\0')
    return zl_fail(err, ZL_E_CONFLICT, 0, "address %s or link '%s' belongs to container '%s'",
                   zl_ip4_format(lease->address, text), lease->link, owner.text);
  r = zl_lease_release(net, container, err);
  return r < 0 ? r : insert(net, container, lease, err);
}

int zl_lease_release(struct zl_net *net, const char *container, struct zl_error *err)
{
  return zl_store_run(net->store, err, "DELETE FROM leases WHERE container=?", "s", container);
}

struct listing {
  zl_lease_fn fn;
  void *ctx;
};

static int list_one(void *ctx, const struct zl_row *row, struct zl_error *err)
{
  const struct listing *listing = ctx;
  struct zl_lease lease;

  read_lease(row, 0, &lease);
  return listing->fn(listing->ctx, zl_row_text(row, 2), &lease, err);
}

int zl_lease_list(struct zl_net *net, zl_lease_fn fn, void *ctx, struct zl_error *err)
{
  struct listing listing = { fn, ctx };

  return zl_store_query(net->store, list_one, &listing, err,
                        "SELECT address, link, container FROM leases ORDER BY address", "");
}
