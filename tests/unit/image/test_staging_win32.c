/* SPDX-License-Identifier: Apache-2.0
 *
 * Layers that are filled in their place: who may make, sweep and remove them, and what of a dead
 * maker's counts. Without any download.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/path.h"
#include "image/image.h"
#include "image/layer_store.h"
#include "image/store_internal.h"
#include "image/win32/staging.h"
#include "scratch_win32.h"
#include "store/store.h"

#define HEX32  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define DIGEST "sha256:" HEX32 HEX32

static struct {
  char path[512];
  int fd, layers_fd;
  struct zl_store *db;
  struct zl_image_store *store;
} box;

static int set_up(void **state)
{
  struct zl_image_store_options options = { .root = box.path };

  (void)state;
  (void)snprintf(box.path, sizeof(box.path), "%s\\zl-staging-XXXXXX", scratch_place("."));
  assert_non_null(mkdtemp(box.path));
  box.fd = zl_fd_open(AT_FDCWD, box.path, O_RDONLY | O_DIRECTORY, 0);
  assert_int_equal(zl_store_open(box.fd, box.path, &box.db, NULL), 0);
  options.root_fd = box.fd;
  options.store = box.db;
  assert_int_equal(zl_image_store_open(&options, &box.store, NULL), 0);
  box.layers_fd = box.store->layers_fd;
  return 0;
}

static int tear_down(void **state)
{
  (void)state;
  zl_image_store_close(box.store);
  zl_store_close(box.db);
  zl_fd_closep(&box.fd);
  assert_int_equal(zl_path_remove_tree(AT_FDCWD, box.path), 0);
  return 0;
}

static struct zl_claim claim_of(const char *key)
{
  struct zl_claim claim = ZL_CLAIM_INIT;

  (void)snprintf(claim.chain_key, sizeof(claim.chain_key), "%s", key);
  return claim;
}

static bool is_there(const char *name)
{
  return faccessat(box.layers_fd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static int fill(const struct zl_staging *staging)
{
  int r = mkdirat(staging->tree_fd, "Files", 0755);
  int fd = zl_fd_open(staging->tree_fd, "Files/a", O_WRONLY | O_CREAT | O_EXCL, 0600);

  if (r < 0 || fd < 0 || zl_fd_write_full(fd, "content", 7) < 0)
    return -1;
  return close(fd);
}

/* A layer in the middle of its making, the claim held. */
static int begin(struct zl_claim *claim, struct zl_staging *staging)
{
  if (zl_staging_make(box.layers_fd, ZL_LAYER_KIND_WINDOWS, staging, NULL) < 0 ||
      zl_staging_place(box.layers_fd, staging, claim->chain_key, NULL) < 0)
    return -1;
  return fill(staging);
}

static int finish(struct zl_claim *claim, struct zl_staging *staging)
{
  static const struct zl_layer_meta meta = { .diff_id = DIGEST, .bytes = 100, .files = 2 };

  if (zl_staging_publish(box.layers_fd, staging, claim->chain_key, &meta, NULL) < 0)
    return -1;
  return zl_claim_share(box.layers_fd, claim, claim->chain_key, NULL);
}

static void publish(const char *key)
{
  struct zl_claim claim = claim_of(key);
  struct zl_staging staging = ZL_STAGING_INIT;

  assert_int_equal(zl_claim_take(box.layers_fd, &claim, -1, NULL), 0);
  assert_null(claim.key);
  assert_int_equal(begin(&claim, &staging), 0);
  assert_false(zl_layer_is_published(box.layers_fd, key));
  assert_int_equal(finish(&claim, &staging), 0);
  zl_claim_release(box.layers_fd, &claim);
  assert_true(zl_layer_is_published(box.layers_fd, key));
}

static struct zl_image_gc_result gc(bool dry_run)
{
  const struct zl_image_gc_options options = { .dry_run = dry_run };
  struct zl_image_gc_result result;
  struct zl_error err = { 0 };

  if (zl_image_gc(box.store, &options, &result, &err) < 0)
    fail_msg("%s", err.msg);
  return result;
}

/* What a maker that was killed leaves: its files, and no lock. */
static void die(const char *key)
{
  struct zl_claim claim = claim_of(key);
  struct zl_staging staging = ZL_STAGING_INIT;

  assert_int_equal(zl_claim_take(box.layers_fd, &claim, -1, NULL), 0);
  assert_int_equal(begin(&claim, &staging), 0);
  zl_fd_closep(&staging.tree_fd);
  zl_fd_closep(&staging.dir_fd);
  zl_fd_closep(&staging.lock_fd);
  zl_fd_closep(&claim.chain_fd);
}

/* ---- Making ---------------------------------------------------------------------------------- */

static void a_layer_is_published_with_its_metadata(void **state)
{
  enum zl_layer_kind kind = ZL_LAYER_KIND_DIRECTORY;
  struct zl_layer_meta meta;
  zl_autofree char *path = zl_layer_path("C:/r", "chain-a", ZL_LAYER_KIND_WINDOWS);

  (void)state;
  publish("chain-a");
  assert_int_equal(zl_layer_find_kind(box.layers_fd, "chain-a", &kind, NULL, NULL), 0);
  assert_int_equal(kind, ZL_LAYER_KIND_WINDOWS);
  assert_int_equal(zl_layer_meta_read(box.layers_fd, "chain-a", &meta, NULL), 0);
  assert_string_equal(meta.diff_id, DIGEST);
  assert_string_equal(path, "C:\\r\\layers\\chain-a");
  assert_false(zl_staging_is_one(box.layers_fd, "chain-a"));
  assert_int_equal(zl_layer_find_kind(box.layers_fd, "chain-b", &kind, NULL, NULL),
                   -ZL_E_NOT_FOUND);
}

static void damaged_metadata_do_not_count(void **state)
{
  int fd;

  (void)state;
  publish("chain-a");
  fd = zl_fd_open(box.layers_fd, "chain-a/meta.json", O_WRONLY | O_TRUNC, 0);
  assert_true(fd >= 0);
  assert_int_equal(close(fd), 0);
  assert_false(zl_layer_is_published(box.layers_fd, "chain-a"));
  publish("chain-a"); /* over what is left */
}

struct race {
  atomic_int makers, inside;
};

static void *race_for_layer(void *arg)
{
  struct race *race = arg;
  struct zl_claim claim = claim_of("chain-r");
  struct zl_staging staging = ZL_STAGING_INIT;

  if (zl_claim_take(box.layers_fd, &claim, -1, NULL) < 0)
    return arg;
  if (claim.key == NULL) {
    if (atomic_fetch_add(&race->inside, 1) != 0 || begin(&claim, &staging) < 0)
      return arg;
    (void)usleep(20000);
    atomic_fetch_add(&race->makers, 1);
    atomic_fetch_sub(&race->inside, 1);
    if (finish(&claim, &staging) < 0)
      return arg;
  }
  zl_claim_release(box.layers_fd, &claim);
  return NULL;
}

static void one_maker_per_layer(void **state)
{
  struct race race = { 0 };
  pthread_t threads[8];
  void *result;

  (void)state;
  for (size_t i = 0; i < ZL_COUNT(threads); i++)
    assert_int_equal(pthread_create(&threads[i], NULL, race_for_layer, &race), 0);
  for (size_t i = 0; i < ZL_COUNT(threads); i++) {
    assert_int_equal(pthread_join(threads[i], &result), 0);
    assert_null(result);
  }
  assert_int_equal(atomic_load(&race.makers), 1);
  assert_true(zl_layer_is_published(box.layers_fd, "chain-r"));
}

/* ---- Sweeping -------------------------------------------------------------------------------- */

static void who_lives_is_not_swept(void **state)
{
  struct zl_claim claim = claim_of("chain-l");
  struct zl_staging staging = ZL_STAGING_INIT;
  char name[ZL_LAYER_NAME];

  (void)state;
  assert_int_equal(zl_claim_take(box.layers_fd, &claim, -1, NULL), 0);
  assert_int_equal(begin(&claim, &staging), 0);
  (void)snprintf(name, sizeof(name), "%s", staging.name);
  zl_staging_sweep_dead(box.layers_fd);
  assert_int_equal(gc(false).staging, 0);
  assert_true(is_there("chain-l/Files/a") && is_there(name));
  zl_staging_remove(box.layers_fd, &staging);
  zl_claim_release(box.layers_fd, &claim);
  assert_false(is_there("chain-l") || is_there(name) || is_there("lock-chain-l"));
}

static void the_dead_are_swept(void **state)
{
  (void)state;
  die("chain-d");
  die("chain-e");
  publish("chain-p");
  assert_int_equal(gc(true).staging, 4); /* each has its place and a directory beside it */
  assert_true(is_there("chain-d/Files/a"));
  zl_staging_sweep_dead(box.layers_fd);
  assert_false(is_there("chain-d") || is_there("chain-e"));
  assert_true(zl_layer_is_published(box.layers_fd, "chain-p"));
  publish("chain-d");
}

static void a_dead_makers_place_is_taken_over(void **state)
{
  (void)state;
  die("chain-d");
  publish("chain-d");
  assert_int_equal(gc(false).layers, 1); /* no image has it */
  assert_false(is_there("chain-d"));
}

/* ---- Removal --------------------------------------------------------------------------------- */

static void a_held_layer_stays(void **state)
{
  zl_autofd hold = -1;

  (void)state;
  publish("chain-h");
  assert_int_equal(zl_layer_hold(box.layers_fd, "chain-h", &hold, NULL), 0);
  assert_int_equal(gc(false).layers, 0);
  assert_true(zl_layer_is_published(box.layers_fd, "chain-h"));
  zl_fd_closep(&hold);
  assert_int_equal(gc(false).layers, 1);
  assert_false(is_there("chain-h") || is_there("lock-chain-h"));
}

/* A collector that was killed between its steps: the layer does not count any more. */
static void a_retired_layer_is_rubbish(void **state)
{
  struct zl_staging retired = ZL_STAGING_INIT;
  zl_autofd lock = -1;

  (void)state;
  publish("chain-t");
  assert_int_equal(zl_layer_try_lock(box.layers_fd, "chain-t", &lock), 1);
  assert_int_equal(zl_layer_retire(box.layers_fd, "chain-t", &retired, NULL), 0);
  assert_false(zl_layer_is_published(box.layers_fd, "chain-t"));
  assert_true(is_there("chain-t/Files/a"));
  zl_fd_closep(&lock);
  assert_int_equal(gc(false).staging, 1);
  assert_false(is_there("chain-t") || is_there("lock-chain-t"));
}

/* Some reader has a file open, as scanners do: the layer is gone for us at once, its name when he
 * has closed it, at the latest with the next sweep. */
static void an_open_file_hinders_nobody(void **state)
{
  zl_autofd reader = -1;

  (void)state;
  publish("chain-o");
  reader = zl_fd_open(box.layers_fd, "chain-o/Files/a", O_RDONLY, 0);
  assert_true(reader >= 0);
  (void)zl_image_gc(box.store, NULL, NULL, NULL);
  assert_false(zl_layer_is_published(box.layers_fd, "chain-o"));
  zl_fd_closep(&reader);
  zl_staging_sweep_dead(box.layers_fd);
  assert_false(is_there("chain-o"));
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown(a_layer_is_published_with_its_metadata, set_up, tear_down),
    cmocka_unit_test_setup_teardown(damaged_metadata_do_not_count, set_up, tear_down),
    cmocka_unit_test_setup_teardown(one_maker_per_layer, set_up, tear_down),
    cmocka_unit_test_setup_teardown(who_lives_is_not_swept, set_up, tear_down),
    cmocka_unit_test_setup_teardown(the_dead_are_swept, set_up, tear_down),
    cmocka_unit_test_setup_teardown(a_dead_makers_place_is_taken_over, set_up, tear_down),
    cmocka_unit_test_setup_teardown(a_held_layer_stays, set_up, tear_down),
    cmocka_unit_test_setup_teardown(a_retired_layer_is_rubbish, set_up, tear_down),
    cmocka_unit_test_setup_teardown(an_open_file_hinders_nobody, set_up, tear_down),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
