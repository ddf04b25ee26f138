/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "image/layer_store.h"

enum {
  FIRST_STEP_MS = 1,
  LAST_STEP_MS = 32 /* flock(2) has no timed wait; this is how late a waiter may be */
};

static void lock_name(const char *key, char ret[ZL_LAYER_NAME])
{
  (void)snprintf(ret, ZL_LAYER_NAME, "lock-%s", key);
}

/* The holder may have unlinked the file before he let go. */
static bool still_named(int fd, int layers_fd, const char *name)
{
  struct stat held, named;

  return fstat(fd, &held) == 0 && fstatat(layers_fd, name, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
         held.st_ino == named.st_ino && held.st_dev == named.st_dev;
}

static int try_lock(int layers_fd, const char *key, int operation, int *ret_fd)
{
  char name[ZL_LAYER_NAME];

  lock_name(key, name);
  for (;;) {
    zl_autofd fd = zl_fd_open(layers_fd, name, O_RDWR | O_CREAT | O_NOFOLLOW, 0600);

    /* Windows: the name of a removed file stays taken while somebody has the file open. */
    if (fd == -ENOENT)
      return 0;
    if (fd < 0)
      return fd;
    if (flock(fd, operation | LOCK_NB) < 0)
      return errno == EWOULDBLOCK || errno == EINTR ? 0 : -errno;
    if (still_named(fd, layers_fd, name)) {
      *ret_fd = zl_steal_fd(&fd);
      return 1;
    }
  }
}

int zl_layer_try_lock(int layers_fd, const char *key, int *ret_fd)
{
  return try_lock(layers_fd, key, LOCK_EX, ret_fd);
}

void zl_layer_unlink_lock(int layers_fd, const char *key)
{
  char name[ZL_LAYER_NAME];

  lock_name(key, name);
  (void)unlinkat(layers_fd, name, 0);
}

/* 1 when `key` is published and now held shared. */
static int try_published(int layers_fd, struct zl_claim *claim, const char *key)
{
  int fd = -1, r;

  if (key[0] == '\0' || !zl_layer_is_published(layers_fd, key))
    return 0;
  r = try_lock(layers_fd, key, LOCK_SH, &fd);
  if (r <= 0)
    return r;
  if (!zl_layer_is_published(layers_fd, key)) {
    zl_fd_closep(&fd);
    return 0;
  }
  claim->shared_fd = fd;
  claim->key = key;
  return 1;
}

/* Whoever has it exclusively is about to publish it or to remove it, and does not take long. */
int zl_layer_hold(int layers_fd, const char *key, int *ret_fd, struct zl_error *err)
{
  struct zl_claim claim = ZL_CLAIM_INIT;

  for (;;) {
    int r = try_published(layers_fd, &claim, key);

    if (r < 0)
      return zl_fail(err, ZL_E_SYSTEM, -r, "locking layer %s", key);
    if (r > 0)
      break;
    if (!zl_layer_is_published(layers_fd, key))
      return zl_fail(err, ZL_E_NOT_FOUND, 0,
                     "layer %s is not on disk any more: pull the image again", key);
    (void)poll(NULL, 0, LAST_STEP_MS);
  }
  *ret_fd = claim.shared_fd;
  return 0;
}

/* An exclusive lock that made nothing leaves no file. */
static void drop(int layers_fd, const char *key, int *fd)
{
  if (*fd < 0)
    return;
  if (!zl_layer_is_published(layers_fd, key))
    zl_layer_unlink_lock(layers_fd, key);
  zl_fd_closep(fd);
}

/* One round: 1 the claim is settled, 0 wait, or -errno. Our own exclusive lock would keep us from
 * the shared one, so what is published under it is looked for before each lock is taken and, once
 * both are held, by the name alone. */
static int advance(int layers_fd, struct zl_claim *claim)
{
  int r = 0;

  if (claim->chain_fd < 0) {
    r = try_published(layers_fd, claim, claim->chain_key);
    if (r == 0)
      r = try_published(layers_fd, claim, claim->diff_key);
    if (r != 0)
      return r;
    r = zl_layer_try_lock(layers_fd, claim->chain_key, &claim->chain_fd);
    if (r <= 0)
      return r;
  }
  if (zl_layer_is_published(layers_fd, claim->chain_key)) {
    drop(layers_fd, claim->chain_key, &claim->chain_fd);
    return advance(layers_fd, claim);
  }
  if (claim->diff_key[0] == '\0')
    return 1;
  r = try_published(layers_fd, claim, claim->diff_key);
  if (r != 0)
    return r;
  r = zl_layer_try_lock(layers_fd, claim->diff_key, &claim->diff_fd);
  if (r <= 0)
    return r;
  if (!zl_layer_is_published(layers_fd, claim->diff_key))
    return 1;
  zl_fd_closep(&claim->diff_fd);
  return advance(layers_fd, claim);
}

static int wait_step(int cancel_fd, int step_ms, struct zl_error *err)
{
  struct pollfd p = { .fd = cancel_fd, .events = POLLIN };

  if (poll(&p, cancel_fd >= 0 ? 1 : 0, step_ms) > 0)
    return zl_fail(err, ZL_E_CANCELLED, 0, "cancelled");
  return 0;
}

int zl_claim_take(int layers_fd, struct zl_claim *claim, int cancel_fd, struct zl_error *err)
{
  int step = FIRST_STEP_MS, r;

  claim->key = NULL;
  for (;;) {
    r = advance(layers_fd, claim);
    if (r < 0) {
      zl_claim_release(layers_fd, claim);
      return zl_fail(err, ZL_E_SYSTEM, -r, "locking layer %s", claim->chain_key);
    }
    if (r > 0)
      break;
    r = wait_step(cancel_fd, step, err);
    if (r < 0) {
      zl_claim_release(layers_fd, claim);
      return r;
    }
    step = step < LAST_STEP_MS ? 2 * step : LAST_STEP_MS;
  }
  if (claim->key != NULL)
    drop(layers_fd, claim->chain_key, &claim->chain_fd);
  return 0;
}

void zl_claim_drop_diff(struct zl_claim *claim)
{
  zl_fd_closep(&claim->diff_fd);
}

int zl_claim_share(int layers_fd, struct zl_claim *claim, const char *key, struct zl_error *err)
{
  int *fd = key == claim->diff_key ? &claim->diff_fd : &claim->chain_fd;

  /* The conversion lets go for an instant, in which the collector may come. */
  if (flock(*fd, LOCK_SH) < 0)
    return zl_fail_errno(err, "locking layer %s", key);
  claim->shared_fd = zl_steal_fd(fd);
  claim->key = key;
  drop(layers_fd, claim->diff_key, &claim->diff_fd);
  drop(layers_fd, claim->chain_key, &claim->chain_fd);
  return zl_layer_is_published(layers_fd, key)
             ? 0
             : zl_fail(err, ZL_E_CONFLICT, 0, "layer %s was collected", key);
}

void zl_claim_release(int layers_fd, struct zl_claim *claim)
{
  drop(layers_fd, claim->diff_key, &claim->diff_fd);
  drop(layers_fd, claim->chain_key, &claim->chain_fd);
  if (claim->shared_fd >= 0)
    zl_fd_closep(&claim->shared_fd);
  claim->key = NULL;
}
