/* SPDX-License-Identifier: Apache-2.0
 *
 * Locks, staging, collection and the rows of images, without any download.
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
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fd.h"
#include "base/path.h"
#include "base/strv.h"
#include "image/archive.h"
#include "image/erofs/writer.h"
#include "image/layer_kind.h"
#include "image/layer_store.h"
#include "image/layer_wish.h"
#include "image/store_internal.h"
#include "store/store.h"

#define HEX(c)                                                                                    \
  c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c \
      c c c c c c c c c c c c c c c c
#define DIGEST(c) "sha256:" HEX(c)

static struct {
  char path[64];
  int fd, layers_fd;
  struct zl_store *db;
  struct zl_image_store *store;
} box;

static int set_up(void **state)
{
  struct zl_image_store_options options = { .root = box.path, .helper_dir = "/nowhere" };

  (void)state;
  (void)snprintf(box.path, sizeof(box.path), "/tmp/zl-test-image-XXXXXX");
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

static struct zl_claim claim_of(char c)
{
  struct zl_claim claim = ZL_CLAIM_INIT;

  (void)snprintf(claim.diff_key, sizeof(claim.diff_key), "diff%c", c);
  (void)snprintf(claim.chain_key, sizeof(claim.chain_key), "chain-%c", c);
  return claim;
}

/* Publishes an empty layer under its diff key and lets go of it. */
static void publish(char c)
{
  struct zl_claim claim = claim_of(c);
  struct zl_staging staging = ZL_STAGING_INIT;
  struct zl_layer_meta meta = { .diff_id = DIGEST("a"), .bytes = 100, .files = 2 };

  assert_int_equal(zl_claim_take(box.layers_fd, &claim, -1, NULL), 0);
  assert_null(claim.key);
  assert_int_equal(zl_staging_make(box.layers_fd, ZL_LAYER_KIND_DIRECTORY, &staging, NULL), 0);
  assert_int_equal(zl_staging_publish(box.layers_fd, &staging, claim.diff_key, &meta, NULL), 0);
  assert_int_equal(zl_claim_share(box.layers_fd, &claim, claim.diff_key, NULL), 0);
  zl_claim_release(box.layers_fd, &claim);
}

static size_t count_entries(const char *prefix)
{
  zl_autofree char *command = zl_asprintf("%s/layers", box.path);
  zl_autofd fd = zl_fd_open(AT_FDCWD, command, O_RDONLY | O_DIRECTORY, 0);
  uint64_t bytes = 0, files = 0;
  size_t count = 0;

  assert_true(fd >= 0);
  for (int c = 'a'; c <= 'z'; c++) {
    char name[64];

    (void)snprintf(name, sizeof(name), "%s%c", prefix, c);
    count += faccessat(fd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0 ? 1 : 0;
  }
  assert_int_equal(zl_path_tree_usage(fd, ".", &bytes, &files), 0);
  return count;
}

/* ---- Keys ------------------------------------------------------------------------------------ */

static void makes_keys(void **state)
{
  char key[ZL_LAYER_KEY], chain[ZL_DIGEST_TEXT];

  (void)state;
  zl_layer_diff_key(DIGEST("a"), key);
  assert_string_equal(key, HEX("a"));
  zl_layer_diff_key("sha512:" HEX("b") HEX("b"), key);
  assert_string_equal(key, "sha512-" HEX("b") HEX("b"));
  assert_int_equal(zl_layer_chain_id(NULL, DIGEST("a"), chain, NULL), 0);
  assert_string_equal(chain, DIGEST("a"));
  assert_int_equal(zl_layer_chain_id(DIGEST("a"), DIGEST("b"), chain, NULL), 0);
  /* printf 'sha256:aa… sha256:bb…' | sha256sum */
  assert_true(zl_digest_is_valid(chain, NULL));
  zl_layer_chain_key(chain, key);
  assert_true(zl_has_prefix(key, "chain-") && strlen(key) == 6 + 64);
}

/* ---- Claims ---------------------------------------------------------------------------------- */

struct race {
  atomic_int makers, waiting, inside;
};

static void *race_for_layer(void *arg)
{
  struct race *race = arg;
  struct zl_claim claim = claim_of('r');
  struct zl_staging staging = ZL_STAGING_INIT;
  struct zl_layer_meta meta = { .diff_id = DIGEST("a") };

  if (zl_claim_take(box.layers_fd, &claim, -1, NULL) < 0)
    return arg;
  if (claim.key == NULL) {
    if (atomic_fetch_add(&race->inside, 1) != 0)
      return arg; /* two makers at once */
    (void)usleep(20000);
    if (zl_staging_make(box.layers_fd, ZL_LAYER_KIND_DIRECTORY, &staging, NULL) < 0 ||
        zl_staging_publish(box.layers_fd, &staging, claim.diff_key, &meta, NULL) < 0)
      return arg;
    atomic_fetch_add(&race->makers, 1);
    atomic_fetch_sub(&race->inside, 1);
    if (zl_claim_share(box.layers_fd, &claim, claim.diff_key, NULL) < 0)
      return arg;
  }
  zl_claim_release(box.layers_fd, &claim);
  return NULL;
}

static void one_maker_per_layer(void **state)
{
  struct race race = { 0 };
  pthread_t threads[12];
  void *result;

  (void)state;
  for (size_t i = 0; i < ZL_COUNT(threads); i++)
    assert_int_equal(pthread_create(&threads[i], NULL, race_for_layer, &race), 0);
  for (size_t i = 0; i < ZL_COUNT(threads); i++) {
    assert_int_equal(pthread_join(threads[i], &result), 0);
    assert_null(result);
  }
  assert_int_equal(atomic_load(&race.makers), 1);
}

/* Same diff id on two chains, both needing the layers below: each is made, none waits for ever. */
static void chains_are_made_apart(void **state)
{
  struct zl_claim one = claim_of('x'), two = claim_of('x');
  struct zl_staging staging = ZL_STAGING_INIT;
  struct zl_layer_meta meta = { .diff_id = DIGEST("a") };
  int cancel = eventfd(1, EFD_CLOEXEC);

  (void)state;
  (void)snprintf(two.chain_key, sizeof(two.chain_key), "chain-y");
  assert_int_equal(zl_claim_take(box.layers_fd, &one, -1, NULL), 0);
  assert_int_equal(zl_claim_take(box.layers_fd, &two, cancel, NULL), -ZL_E_CANCELLED);
  zl_claim_drop_diff(&one);
  assert_int_equal(zl_claim_take(box.layers_fd, &two, -1, NULL), 0);
  assert_null(two.key);
  assert_int_equal(zl_staging_make(box.layers_fd, ZL_LAYER_KIND_DIRECTORY, &staging, NULL), 0);
  assert_int_equal(zl_staging_publish(box.layers_fd, &staging, one.chain_key, &meta, NULL), 0);
  assert_int_equal(zl_claim_share(box.layers_fd, &one, one.chain_key, NULL), 0);
  zl_claim_release(box.layers_fd, &one);
  zl_claim_release(box.layers_fd, &two);
  assert_int_equal(zl_claim_take(box.layers_fd, &one, -1, NULL), 0);
  assert_string_equal(one.key, one.chain_key);
  zl_claim_release(box.layers_fd, &one);
  assert_int_equal(close(cancel), 0);
}

static void gc_all(struct zl_image_gc_result *ret)
{
  struct zl_error err = { 0 };

  if (zl_image_gc(box.store, NULL, ret, &err) < 0)
    fail_msg("%s", err.msg);
}

/* ---- Images ---------------------------------------------------------------------------------- */

/* Fills a staged image with the smallest file system there is. */
static void fill_image(int fd)
{
  const struct zl_erofs_options options = { .fd = fd };
  struct zl_erofs *image = NULL;

  assert_int_equal(zl_erofs_new(&options, &image, NULL), 0);
  assert_int_equal(zl_erofs_seal(image, NULL), 0);
  zl_erofs_free(image);
}

static void a_layer_may_be_an_image(void **state)
{
  struct zl_claim claim = claim_of('m');
  struct zl_staging staging = ZL_STAGING_INIT;
  struct zl_layer_meta meta = { .diff_id = DIGEST("a"), .bytes = 7 };
  enum zl_layer_kind kind = ZL_LAYER_KIND_DIRECTORY;
  struct zl_image_gc_result result;
  zl_autofd tree = -1;

  (void)state;
  assert_int_equal(zl_claim_take(box.layers_fd, &claim, -1, NULL), 0);
  assert_int_equal(zl_staging_make(box.layers_fd, ZL_LAYER_KIND_EROFS, &staging, NULL), 0);
  fill_image(staging.tree_fd);
  assert_int_equal(zl_layer_find_kind(box.layers_fd, "diffm", &kind, NULL, NULL), -ZL_E_NOT_FOUND);
  assert_int_equal(zl_staging_publish(box.layers_fd, &staging, claim.diff_key, &meta, NULL), 0);
  assert_int_equal(zl_claim_share(box.layers_fd, &claim, claim.diff_key, NULL), 0);
  assert_true(zl_layer_is_published(box.layers_fd, "diffm"));
  assert_int_equal(zl_layer_find_kind(box.layers_fd, "diffm", &kind, NULL, NULL), 0);
  assert_int_equal(kind, ZL_LAYER_KIND_EROFS);
  assert_int_equal(zl_layer_open(box.layers_fd, "diffm", &tree, NULL), 0);
  assert_int_equal(faccessat(tree, ".", F_OK, 0), 0);
  zl_claim_release(box.layers_fd, &claim);
  gc_all(&result); /* although somebody has it mounted */
  assert_int_equal(result.layers, 1);
  assert_int_equal(result.bytes, 7);
  assert_false(zl_layer_is_published(box.layers_fd, "diffm"));
  assert_int_equal(faccessat(tree, ".", F_OK, 0), 0);
}

static void staged_images_of_the_dead_are_swept(void **state)
{
  struct zl_staging live = ZL_STAGING_INIT;
  struct zl_image_gc_result result;

  (void)state;
  assert_int_equal(zl_staging_make(box.layers_fd, ZL_LAYER_KIND_EROFS, &live, NULL), 0);
  assert_int_equal(mkdirat(box.layers_fd, "tmp-dead", 0700), 0);
  assert_int_equal(mknodat(box.layers_fd, "tmp-dead/layer.erofs", S_IFREG | 0600, 0), 0);
  gc_all(&result);
  assert_int_equal(result.staging, 1);
  assert_int_equal(faccessat(box.layers_fd, live.name, F_OK, 0), 0);
  zl_staging_remove(box.layers_fd, &live);
}

static void the_setting_is_one_of_three(void **state)
{
  static const struct {
    const char *text;
    int result;
    enum zl_layer_wish wish;
  } cases[] = {
    { "slice_cidr: 10.0.0.0/24", 0, ZL_LAYER_WISH_AUTO },
    { "layers: auto", 0, ZL_LAYER_WISH_AUTO },
    { "layers: erofs\nregistries: {}", 0, ZL_LAYER_WISH_EROFS },
    { "# why\nlayers: directory", 0, ZL_LAYER_WISH_DIRECTORY },
    { "layers: squashfs", -ZL_E_INVALID, ZL_LAYER_WISH_AUTO },
    { "layers: [erofs]", -ZL_E_INVALID, ZL_LAYER_WISH_AUTO },
  };

  (void)state;
  for (size_t i = 0; i < ZL_COUNT(cases); i++) {
    enum zl_layer_wish wish = ZL_LAYER_WISH_DIRECTORY;
    struct zl_error err = { 0 };
    int r = zl_layer_wish_parse(cases[i].text, strlen(cases[i].text), "c.yaml", &wish, &err);

    if (r != cases[i].result)
      fail_msg("'%s' gave %d: %s", cases[i].text, r, err.msg);
    if (r == 0)
      assert_int_equal(wish, cases[i].wish);
    else
      assert_true(strstr(err.msg, "c.yaml, line 1: layers: ") == err.msg);
  }
}

/* This kernel may have EROFS or not: the choice says so, and asking for it does not change that. */
static void the_kind_is_what_works(void **state)
{
  enum zl_layer_kind automatic, kind;
  struct zl_error err = { 0 };
  int r;

  (void)state;
  assert_int_equal(setenv("ZLAYER_LAYERS", "auto", 1), 0);
  assert_int_equal(zl_layer_kind_choose(box.store, &automatic, NULL), 0);
  assert_int_equal(setenv("ZLAYER_LAYERS", "directory", 1), 0);
  assert_int_equal(zl_layer_kind_choose(box.store, &kind, NULL), 0);
  assert_int_equal(kind, ZL_LAYER_KIND_DIRECTORY);
  assert_int_equal(setenv("ZLAYER_LAYERS", "erofs", 1), 0);
  r = zl_layer_kind_choose(box.store, &kind, &err);
  if (automatic == ZL_LAYER_KIND_EROFS)
    assert_true(r == 0 && kind == ZL_LAYER_KIND_EROFS);
  else
    assert_int_equal(r, -ZL_E_UNSUPPORTED);
  assert_int_equal(setenv("ZLAYER_LAYERS", "tar", 1), 0);
  assert_int_equal(zl_layer_kind_choose(box.store, &kind, &err), -ZL_E_INVALID);
  assert_int_equal(unsetenv("ZLAYER_LAYERS"), 0);
  assert_int_equal(count_entries("tmp-"), 0); /* nothing was left of trying */
}

/* ---- Collection ------------------------------------------------------------------------------ */

static void gc(const struct zl_image_gc_options *options, struct zl_image_gc_result *ret)
{
  struct zl_error err = { 0 };

  if (zl_image_gc(box.store, options, ret, &err) < 0)
    fail_msg("%s", err.msg);
}

static void collects_what_nobody_holds(void **state)
{
  struct zl_claim held = claim_of('h');
  struct zl_staging live = ZL_STAGING_INIT;
  struct zl_image_gc_result result;
  const struct zl_image_gc_options dry = { .dry_run = true };

  (void)state;
  publish('h');
  publish('i');
  assert_int_equal(zl_claim_take(box.layers_fd, &held, -1, NULL), 0);
  assert_non_null(held.key);
  assert_int_equal(zl_staging_make(box.layers_fd, ZL_LAYER_KIND_DIRECTORY, &live, NULL), 0);
  assert_int_equal(mkdirat(box.layers_fd, "tmp-dead", 0700), 0);
  assert_int_equal(mkdirat(box.layers_fd, "tmp-dead/fs", 0700), 0);
  gc(&dry, &result);
  assert_int_equal(result.layers, 1);
  assert_int_equal(count_entries("diff"), 2);
  gc(NULL, &result);
  assert_int_equal(result.layers, 1);
  assert_int_equal(result.bytes, 100);
  assert_int_equal(result.staging, 1);
  assert_true(zl_layer_is_published(box.layers_fd, "diffh"));
  assert_false(zl_layer_is_published(box.layers_fd, "diffi"));
  assert_int_equal(faccessat(box.layers_fd, live.name, F_OK, 0), 0);
  assert_int_equal(count_entries("lock-diff"), 1);
  zl_claim_release(box.layers_fd, &held);
  zl_staging_remove(box.layers_fd, &live);
  gc(NULL, &result);
  assert_int_equal(count_entries("diff") + count_entries("lock-diff"), 0);
}

/* As a helper whose caller is dead: it goes on for a while. */
static void *make_files(void *ctx)
{
  const int *fd = ctx;

  for (unsigned i = 0; i < 20000; i++) {
    char name[16];
    int file;

    (void)snprintf(name, sizeof(name), "f%u", i);
    file = openat(*fd, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (file < 0)
      break; /* the directory is gone */
    (void)close(file);
  }
  return NULL;
}

static void a_dead_pulls_helper_does_not_hinder_collection(void **state)
{
  struct zl_image_gc_result result;
  pthread_t helper;
  int fd;

  (void)state;
  assert_int_equal(mkdirat(box.layers_fd, "tmp-dead", 0700), 0);
  assert_int_equal(mkdirat(box.layers_fd, "tmp-dead/fs", 0700), 0);
  fd = zl_fd_open(box.layers_fd, "tmp-dead/fs", O_RDONLY | O_DIRECTORY, 0);
  assert_true(fd >= 0);
  assert_int_equal(pthread_create(&helper, NULL, make_files, &fd), 0);
  gc(NULL, &result);
  assert_int_equal(result.staging, 1);
  assert_int_equal(count_entries("tmp-"), 0);
  assert_int_equal(pthread_join(helper, NULL), 0);
  (void)close(fd);
}

static bool uses_all(void *ctx, const char *key)
{
  (void)ctx;
  (void)key;
  return true;
}

static void what_was_moved_aside_goes_when_nobody_uses_it(void **state)
{
  const struct zl_image_gc_options used = { .is_used = uses_all };
  struct zl_image_gc_result result;

  (void)state;
  assert_int_equal(mkdirat(box.layers_fd, "void-0123456789abcdef-diffs", 0700), 0);
  assert_int_equal(mkdirat(box.layers_fd, "void-0123456789abcdef-diffs/fs", 0700), 0);
  gc(&used, &result);
  assert_int_equal(result.staging, 0);
  assert_int_equal(faccessat(box.layers_fd, "void-0123456789abcdef-diffs/fs", F_OK, 0), 0);
  gc(NULL, &result);
  assert_int_equal(result.staging, 1);
  assert_int_equal(faccessat(box.layers_fd, "void-0123456789abcdef-diffs", F_OK, 0), -1);
}

static bool uses_diffu(void *ctx, const char *key)
{
  (void)ctx;
  return strcmp(key, "diffu") == 0;
}

static void asks_who_uses_a_layer(void **state)
{
  const struct zl_image_gc_options options = { .is_used = uses_diffu };
  struct zl_image_gc_result result;

  (void)state;
  publish('u');
  publish('v');
  gc(&options, &result);
  assert_int_equal(result.layers, 1);
  assert_true(zl_layer_is_published(box.layers_fd, "diffu"));
}

/* ---- Rows ------------------------------------------------------------------------------------ */

#define CONFIG                                                                             \
  "{\"os\":\"linux\",\"architecture\":\"amd64\",\"config\":{\"Cmd\":[\"x\"]},\"rootfs\":{" \
  "\"diff_ids\":[]}}"

static void run_sql(const char *sql)
{
  struct zl_error err = { 0 };

  if (zl_store_run(box.db, &err, sql, "") < 0)
    fail_msg("%s: %s", sql, err.msg);
}

#define ONE      DIGEST("1")
#define TWO      DIGEST("2")
#define AN_INDEX DIGEST("e")

/* Image 1 "r.io/a:1" and "r.io/b:1" of layers b, c; image 2 "r.io/a:2" of layers b, d. */
static void store_images(void)
{
  publish('b');
  publish('c');
  publish('d');
  run_sql("INSERT INTO manifests VALUES ('" ONE "', 't', '{}', '" CONFIG "', 'linux', 'amd64')");
  run_sql("INSERT INTO manifests VALUES ('" TWO "', 't', '{}', '" CONFIG "', 'linux', 'amd64')");
  run_sql("INSERT INTO layers VALUES ('diffb', 'x', 100, 1), ('diffc', 'x', 10, 1),"
          " ('diffd', 'x', 1, 1)");
  run_sql("INSERT INTO manifest_layers VALUES ('" ONE "', 0, 'diffb'), ('" ONE "', 1, 'diffc')");
  run_sql("INSERT INTO manifest_layers VALUES ('" TWO "', 0, 'diffb'), ('" TWO "', 1, 'diffd')");
  run_sql("INSERT INTO images VALUES ('r.io/a:1', '" ONE "', '" AN_INDEX "', 1)");
  run_sql("INSERT INTO images VALUES ('r.io/b:1', '" ONE "', '" ONE "', 2)");
  run_sql("INSERT INTO images VALUES ('r.io/a:2', '" TWO "', '" TWO "', 3)");
}

static void add_container(const char *image, const char *digest)
{
  struct zl_error err = { 0 };

  if (zl_store_run(box.db, &err,
                   "INSERT INTO containers (id, service, replica, role, node_id, backend,"
                   " isolation, image, image_digest, config, boot_id, auto_remove, created_at)"
                   " VALUES ('web-rep-1', 'web', 1, 'default', 0, 'fake', 'process', ?, ?, '{}',"
                   " 'b', 0, 0)",
                   "ss", image, digest) < 0)
    fail_msg("%s", err.msg);
}

static void resolves_images(void **state)
{
  static const struct {
    const char *image;
    int result;
    const char *digest, *reference;
  } cases[] = {
    { "r.io/a:1", 0, ONE, "r.io/a:1" },
    { "r.io/b:1", 0, ONE, "r.io/b:1" },
    { TWO, 0, TWO, "r.io/a:2" },
    { "sha256:222222", 0, TWO, "r.io/a:2" },
    { "111111", 0, ONE, "r.io/a:1" },
    { "eeeeee", 0, ONE, "r.io/a:1" }, /* of the index it came from */
    { "11111", -ZL_E_NOT_FOUND, NULL, NULL },
    { "333333", -ZL_E_NOT_FOUND, NULL, NULL },
    { "r.io/a:3", -ZL_E_NOT_FOUND, NULL, NULL },
    { "R.IO/A", -ZL_E_INVALID, NULL, NULL },
    { "sha256:1", -ZL_E_NOT_FOUND, NULL, NULL },
  };

  (void)state;
  store_images();
  for (size_t i = 0; i < ZL_COUNT(cases); i++) {
    zl_autoimage image = { 0 };
    struct zl_error err = { 0 };
    int r = zl_image_resolve(box.store, cases[i].image, &image, &err);

    if (r != cases[i].result)
      fail_msg("'%s' gave %d: %s", cases[i].image, r, err.msg);
    if (r < 0)
      continue;
    assert_string_equal(image.digest, cases[i].digest);
    assert_string_equal(image.reference, cases[i].reference);
    assert_string_equal(image.config.cmd[0], "x");
    assert_int_equal(zl_strv_len((const char *const *)image.layers), 2);
    assert_non_null(strstr(image.layers[1], "/layers/diffb/fs")); /* top first */
  }
}

static void notices_a_lost_layer(void **state)
{
  zl_autoimage image = { 0 };

  (void)state;
  store_images();
  assert_int_equal(zl_path_remove_tree(box.layers_fd, "diffc"), 0);
  assert_int_equal(zl_image_resolve(box.store, "r.io/a:1", &image, NULL), -ZL_E_NOT_FOUND);
  assert_int_equal(zl_image_resolve(box.store, "r.io/a:2", &image, NULL), 0);
}

static void lists_and_measures(void **state)
{
  struct zl_image_info *images = NULL;
  struct zl_image_usage usage = { 0 };
  size_t count = 0;

  (void)state;
  store_images();
  add_container("r.io/a:1", ONE);
  assert_int_equal(zl_image_list(box.store, &images, &count, NULL), 0);
  assert_int_equal(count, 3);
  assert_string_equal(images[0].reference, "r.io/a:1");
  assert_int_equal(images[0].size, 110);
  assert_int_equal(images[0].layers, 2);
  assert_int_equal(images[0].containers, 1);
  assert_int_equal(images[1].size, 101);
  zl_image_list_free(images, count);
  assert_int_equal(zl_image_usage(box.store, &usage, NULL), 0);
  assert_int_equal(usage.images, 3);
  assert_int_equal(usage.layers, 3);
  assert_int_equal(usage.bytes, 111);
  assert_int_equal(usage.reclaimable_bytes, 1);
}

static void keeps_what_containers_use(void **state)
{
  zl_autoimage image = { 0 };
  struct zl_error err = { 0 };

  (void)state;
  store_images();
  add_container("r.io/a:1", ONE);
  assert_int_equal(zl_image_remove(box.store, "r.io/a:1", false, &err), -ZL_E_CONFLICT);
  assert_non_null(strstr(err.msg, "web-rep-1"));
  assert_int_equal(zl_image_remove(box.store, ONE, false, NULL), -ZL_E_CONFLICT);
  assert_int_equal(zl_image_remove(box.store, "r.io/b:1", false, NULL), 0); /* another name */
  assert_int_equal(zl_image_remove(box.store, "r.io/a:1", true, NULL), 0);
  assert_int_equal(zl_image_remove(box.store, "r.io/a:2", false, NULL), 0);
  assert_int_equal(zl_image_remove(box.store, "r.io/a:2", false, NULL), -ZL_E_NOT_FOUND);
  assert_int_equal(count_entries("diff"), 2); /* b and c are the container's */
  assert_int_equal(zl_image_resolve(box.store, ONE, &image, NULL), 0);
  assert_string_equal(image.reference, ONE);
  run_sql("DELETE FROM containers");
  gc(NULL, &(struct zl_image_gc_result){ 0 });
  assert_int_equal(count_entries("diff"), 0);
}

static void prunes_images(void **state)
{
  struct zl_image_gc_options options = { .images = true, .dry_run = true };
  struct zl_image_gc_result result;

  (void)state;
  store_images();
  add_container("r.io/a:1", ONE);
  for (int i = 0; i < 2; i++, options.dry_run = false) {
    gc(&options, &result);
    assert_int_equal(result.images, 1);
    assert_int_equal(result.layers, 1);
  }
  assert_int_equal(count_entries("diff"), 2);
}

/* ---- Archives -------------------------------------------------------------------------------- */

static void resolves_links_in_archives(void **state)
{
  static const struct {
    const char *from, *link, *result;
  } cases[] = {
    { NULL, "./a//b/./c", "a/b/c" }, { "a/b", "../c", "c" },     { "a/b", "/c", "a/c" },
    { NULL, "../x", NULL },          { "a/b", "../../x", NULL }, { "a/b/c", "../..", "" },
  };

  (void)state;
  for (size_t i = 0; i < ZL_COUNT(cases); i++) {
    zl_autofree char *text = zl_archive_resolve(cases[i].from, cases[i].link);

    if ((text == NULL) != (cases[i].result == NULL) ||
        (text != NULL && strcmp(text, cases[i].result) != 0))
      fail_msg("case %zu gave '%s'", i, text != NULL ? text : "(none)");
  }
}

/* One ustar header of an empty file or a link, with a right checksum. */
static void put_header(uint8_t *block, const char *name, char type, const char *link, unsigned size)
{
  unsigned sum = 0;

  memset(block, 0, 512);
  (void)snprintf((char *)block, 100, "%s", name);
  (void)snprintf((char *)block + 100, 8, "%07o", 0644U);
  (void)snprintf((char *)block + 124, 12, "%011o", size);
  (void)snprintf((char *)block + 157, 100, "%s", link);
  memcpy(block + 257, (const uint8_t[]){ 'u', 's', 't', 'a', 'r', 0, '0', '0' }, 8);
  memset(block + 148, ' ', 8);
  block[156] = (uint8_t)type;
  for (size_t i = 0; i < 512; i++)
    sum += block[i];
  (void)snprintf((char *)block + 148, 8, "%06o", sum);
}

static int open_blocks(const uint8_t *blocks, size_t len, struct zl_archive **ret)
{
  zl_autofd fd = zl_fd_open(box.fd, "archive", O_RDWR | O_CREAT | O_TRUNC, 0600);

  assert_true(fd >= 0);
  assert_int_equal(zl_fd_write_full(fd, blocks, len), 0);
  return zl_archive_open(fd, len, ret, NULL);
}

static void indexes_archives(void **state)
{
  uint8_t blocks[8 * 512] = { 0 };
  struct zl_archive *archive = NULL;
  uint64_t offset = 0, size = 0;

  (void)state;
  put_header(blocks, "./dir/file", '0', "", 5);
  put_header(blocks + 1024, "link", '2', "dir/file", 0);
  put_header(blocks + 1536, "loop", '2', "loop", 0);
  put_header(blocks + 2048, "dir/hard", '1', "dir/file", 0);
  assert_int_equal(open_blocks(blocks, sizeof(blocks), &archive), 0);
  assert_int_equal(zl_archive_find(archive, "dir/file", &offset, &size, NULL), 0);
  assert_int_equal(offset, 512);
  assert_int_equal(size, 5);
  assert_int_equal(zl_archive_find(archive, "link", &offset, &size, NULL), 0);
  assert_int_equal(zl_archive_find(archive, "dir/hard", &offset, &size, NULL), 0);
  assert_int_equal(zl_archive_find(archive, "loop", &offset, &size, NULL), -ZL_E_CORRUPT);
  assert_int_equal(zl_archive_find(archive, "../x", &offset, &size, NULL), -ZL_E_CORRUPT);
  assert_int_equal(zl_archive_find(archive, "none", &offset, &size, NULL), -ZL_E_NOT_FOUND);
  zl_archive_free(archive);
}

static void refuses_bad_archives(void **state)
{
  uint8_t blocks[4 * 512] = { 0 };
  struct zl_archive *archive = NULL;

  (void)state;
  put_header(blocks, "big", '0', "", 07777777);
  assert_int_equal(open_blocks(blocks, sizeof(blocks), &archive), -ZL_E_CORRUPT);
  put_header(blocks, "twice", '0', "", 0);
  put_header(blocks + 512, "./twice", '0', "", 0);
  assert_int_equal(open_blocks(blocks, sizeof(blocks), &archive), -ZL_E_CORRUPT);
  put_header(blocks + 512, "../out", '0', "", 0);
  assert_int_equal(open_blocks(blocks, sizeof(blocks), &archive), -ZL_E_CORRUPT);
  put_header(blocks + 512, "cut", '0', "", 0);
  assert_int_equal(open_blocks(blocks, 700, &archive), -ZL_E_CORRUPT);
  blocks[0] ^= 1;
  assert_int_equal(open_blocks(blocks, sizeof(blocks), &archive), -ZL_E_CORRUPT);
  memcpy(blocks, (const uint8_t[]){ 0x1f, 0x8b, 8 }, 3);
  assert_int_equal(open_blocks(blocks, sizeof(blocks), &archive), -ZL_E_UNSUPPORTED);
  assert_int_equal(open_blocks(blocks, 0, &archive), 0);
  zl_archive_free(archive);
}

#define CASE(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(makes_keys),
    CASE(one_maker_per_layer),
    CASE(chains_are_made_apart),
    CASE(a_layer_may_be_an_image),
    CASE(staged_images_of_the_dead_are_swept),
    CASE(the_setting_is_one_of_three),
    CASE(the_kind_is_what_works),
    CASE(collects_what_nobody_holds),
    CASE(a_dead_pulls_helper_does_not_hinder_collection),
    CASE(asks_who_uses_a_layer),
    CASE(what_was_moved_aside_goes_when_nobody_uses_it),
    CASE(resolves_images),
    CASE(notices_a_lost_layer),
    CASE(lists_and_measures),
    CASE(keeps_what_containers_use),
    CASE(prunes_images),
    cmocka_unit_test(resolves_links_in_archives),
    CASE(indexes_archives),
    CASE(refuses_bad_archives),
  };

  return cmocka_run_group_tests_name("layer store", tests, NULL, NULL);
}
