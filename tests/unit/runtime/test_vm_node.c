/* SPDX-License-Identifier: Apache-2.0
 *
 * What a node keeps for machines: images' disks, the pool, and what dead makers left.
 */
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/lock.h"
#include "base/strv.h"
#include "box.h"
#include "runtime/vm/ahead.h"
#include "runtime/vm/image.h"
#include "runtime/vm/vm_private.h"

static int open_dir(struct node *node, const char *path)
{
  int fd = zl_path_open_dir(node->rt->root_fd, path, 0700);

  assert_true(fd >= 0);
  return fd;
}

static bool exists(struct node *node, const char *path)
{
  return faccessat(node->rt->root_fd, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static void put(int dir_fd, const char *name, const char *text)
{
  assert_int_equal(zl_file_replace(dir_fd, name, text, strlen(text), 0600, false, NULL), 0);
}

/* ---- Images ---- */

static void store_image(struct node *node, const char *reference, const char *digest)
{
  assert_int_equal(zl_store_run(node->store, NULL, "INSERT INTO images VALUES (?, ?, ?, 1)", "sss",
                                reference, digest, digest),
                   0);
}

static void store_layer(struct node *node, const char *digest, int64_t position, const char *key)
{
  assert_int_equal(zl_store_run(node->store, NULL, "INSERT INTO manifest_layers VALUES (?, ?, ?)",
                                "sis", digest, position, key),
                   0);
}

/* The disk of these layers, top first; its path below the root. */
static char *put_disk(struct node *node, const char *const *keys)
{
  zl_autofd images = open_dir(node, "vm/images");
  char key[ZL_VM_IMAGE_KEY];
  zl_autofree char *name = NULL;

  assert_int_equal(zl_vm_image_key(keys, key, NULL), 0);
  name = zl_asprintf("%s.erofs", key);
  put(images, name, "an image of some bytes");
  return zl_asprintf("vm/images/%s", name);
}

static void a_disk_goes_with_its_last_image(void **state)
{
  struct node *node = *state;
  zl_autofree char *both = put_disk(node, (const char *const[]){ "top", "base", NULL });
  zl_autofree char *base = put_disk(node, (const char *const[]){ "base", NULL });
  zl_autofree char *none = put_disk(node, (const char *const[]){ "lost", NULL });
  struct zl_backend_usage got = { 0 };

  store_image(node, "a", "sha256:1");
  store_image(node, "b", "sha256:1");
  store_image(node, "c", "sha256:2");
  store_layer(node, "sha256:1", 0, "base");
  store_layer(node, "sha256:1", 1, "top");
  store_layer(node, "sha256:2", 0, "base");
  assert_int_equal(zl_backends_collect(node->rt, true, &got, NULL), 0);
  assert_int_equal(got.count, 1);
  assert_true(exists(node, none)); /* only counted */
  assert_int_equal(zl_backends_collect(node->rt, false, &got, NULL), 0);
  assert_int_equal(got.count, 1);
  assert_true(!exists(node, none) && exists(node, both) && exists(node, base));
  assert_int_equal(zl_store_run(node->store, NULL, "DELETE FROM images WHERE reference = 'a'", ""),
                   0);
  assert_int_equal(zl_backends_collect(node->rt, false, &got, NULL), 0);
  assert_true(got.count == 0 && exists(node, both));
  assert_int_equal(zl_store_run(node->store, NULL, "DELETE FROM images WHERE reference = 'b'", ""),
                   0);
  assert_int_equal(zl_backends_collect(node->rt, false, &got, NULL), 0);
  assert_true(got.count == 1 && !exists(node, both) && exists(node, base));
}

/* Somebody makes it: the lock says so. */
static void a_disk_in_the_making_stays(void **state)
{
  struct node *node = *state;
  zl_autofd images = open_dir(node, "vm/images");
  char key[ZL_VM_IMAGE_KEY];
  zl_autofree char *lock_name = NULL, *temporary = NULL;
  struct zl_backend_usage got = { 0 };
  zl_autofd lock = -1;

  assert_int_equal(zl_vm_image_key((const char *const[]){ "base", NULL }, key, NULL), 0);
  lock_name = zl_asprintf("lock-%s", key);
  temporary = zl_asprintf("tmp-%s", key);
  put(images, temporary, "half");
  assert_int_equal(zl_lock_acquire(images, lock_name, 0, &lock, NULL), 0);
  assert_int_equal(zl_backends_collect(node->rt, false, &got, NULL), 0);
  assert_true(got.count == 0 && faccessat(images, temporary, F_OK, 0) == 0);
  zl_fd_closep(&lock);
  assert_int_equal(zl_backends_collect(node->rt, false, &got, NULL), 0);
  assert_true(got.count == 1 && faccessat(images, temporary, F_OK, 0) < 0);
  assert_true(faccessat(images, lock_name, F_OK, 0) < 0);
}

/* ---- The pool ---- */

/* A machine of the pool as its helper would keep it. */
struct pooled {
  int dir_fd, lock_fd, listener;
};

static void pooled_done(struct pooled *p)
{
  zl_fd_closep(&p->dir_fd);
  zl_fd_closep(&p->lock_fd);
  zl_fd_closep(&p->listener);
}

static struct pooled put_machine(struct node *node, const char *name, const char *template)
{
  zl_autofree char *path = zl_asprintf("vm/pool/%s", name);
  zl_autofree char *text = zl_asprintf("{\"template\":\"%s\"}", template);
  struct pooled p = { .dir_fd = open_dir(node, path), .lock_fd = -1 };
  struct sockaddr_un addr = { .sun_family = AF_UNIX };

  put(p.dir_fd, "machine.json", text);
  assert_int_equal(zl_lock_acquire(p.dir_fd, "lock", 0, &p.lock_fd, NULL), 0);
  p.listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  (void)snprintf(addr.sun_path, sizeof(addr.sun_path), "%s/%s/control", node->root, path);
  assert_int_equal(bind(p.listener, (struct sockaddr *)&addr, sizeof(addr)), 0);
  assert_int_equal(listen(p.listener, 1), 0);
  return p;
}

static void a_machine_is_claimed_once(void **state)
{
  struct node *node = *state;
  ZL_CLEANUP(pooled_done) struct pooled other = put_machine(node, "aa", "/t/other");
  ZL_CLEANUP(pooled_done) struct pooled mine = put_machine(node, "bb", "/t/mine");
  zl_autofd fd = -1, second = -1, client = -1;

  assert_int_equal(zl_vm_pool_claim(node->rt, "/t/none", &fd), -ZL_E_NOT_FOUND);
  assert_int_equal(zl_vm_pool_claim(node->rt, "/t/mine", &fd), 0);
  assert_int_equal(zl_vm_pool_claim(node->rt, "/t/mine", &second), -ZL_E_NOT_FOUND);
  client = accept4(mine.listener, NULL, NULL, SOCK_CLOEXEC);
  assert_true(client >= 0);
  assert_true(accept4(mine.listener, NULL, NULL, SOCK_CLOEXEC) < 0);
  assert_true(accept4(other.listener, NULL, NULL, SOCK_CLOEXEC) < 0);
}

static void a_machine_without_its_helper_is_not_claimed(void **state)
{
  struct node *node = *state;
  ZL_CLEANUP(pooled_done) struct pooled dead = put_machine(node, "aa", "/t/mine");
  zl_autofd fd = -1;

  zl_fd_closep(&dead.lock_fd);
  assert_int_equal(zl_vm_pool_claim(node->rt, "/t/mine", &fd), -ZL_E_NOT_FOUND);
}

static void a_pool_shrinks_by_calling_machines_off(void **state)
{
  struct node *node = *state;
  ZL_CLEANUP(pooled_done) struct pooled one = put_machine(node, "aa", "/t/mine");
  ZL_CLEANUP(pooled_done) struct pooled two = put_machine(node, "bb", "/t/mine");
  int called = 0;

  assert_int_equal(zl_vm_pool_shrink(node->rt, 1, NULL), 0);
  for (int i = 0; i < 2; i++) {
    zl_autofd client = accept4(i == 0 ? one.listener : two.listener, NULL, NULL, SOCK_CLOEXEC);
    char byte;

    if (client < 0)
      continue;
    called++;
    assert_int_equal(read(client, &byte, 1), 0); /* and gone */
  }
  assert_int_equal(called, 1);
}

/* ---- Left-overs ---- */

static int count_finding(void *payload, const struct zl_finding *finding)
{
  int *counts = payload;

  counts[0] += strcmp(finding->kind, "machine") == 0;
  counts[1] += strcmp(finding->kind, "template") == 0;
  counts[2] += strcmp(finding->kind, "disk") == 0;
  return 0;
}

static void sweep(struct node *node, bool repair, const int expected[3])
{
  int counts[3] = { 0 };
  struct zl_check check = {
    .rt = node->rt, .repair = repair, .fn = count_finding, .payload = counts
  };

  assert_int_equal(zl_backends_sweep(node->rt, &check, NULL), 0);
  assert_memory_equal(counts, expected, sizeof(counts));
}

static void what_dead_makers_left_is_found(void **state)
{
  struct node *node = *state;
  ZL_CLEANUP(pooled_done) struct pooled dead = put_machine(node, "aa", "/t/mine");
  ZL_CLEANUP(pooled_done) struct pooled alive = put_machine(node, "bb", "/t/mine");
  const char *key = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
  zl_autofree char *half = zl_asprintf("vm/templates/%s", key);
  zl_autofree char *lock_name = zl_asprintf("%s.lock", key);
  zl_autofd template = open_dir(node, half), scratch = open_dir(node, "vm/scratch");
  zl_autofd templates = open_dir(node, "vm/templates"), lock = -1;

  assert_true(alive.lock_fd >= 0 && template >= 0);
  zl_fd_closep(&dead.lock_fd);
  put(scratch, "tmp-1.ext4", "half");
  assert_int_equal(zl_lock_acquire(templates, lock_name, 0, &lock, NULL), 0);
  sweep(node, false, (const int[]){ 1, 0, 1 }); /* the template has a maker */
  zl_fd_closep(&lock);
  sweep(node, false, (const int[]){ 1, 1, 1 });
  sweep(node, true, (const int[]){ 1, 1, 1 });
  sweep(node, true, (const int[]){ 0, 0, 0 });
  assert_true(!exists(node, "vm/pool/aa") && exists(node, "vm/pool/bb") && !exists(node, half));
  assert_true(!exists(node, "vm/scratch/tmp-1.ext4"));
}

/* ---- Which image is expected ---- */

#define KEY_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define KEY_B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

static void an_image_is_expected_when_it_came_twice(void **state)
{
  struct node *node = *state;
  zl_autofd vm = open_dir(node, "vm");
  char image[ZL_VM_KEY_TEXT] = "";

  assert_false(zl_vm_recent_expected(node->rt, image));
  assert_false(zl_vm_recent_note(node->rt, KEY_A));
  assert_false(zl_vm_recent_expected(node->rt, image));
  assert_true(zl_vm_recent_note(node->rt, KEY_A));
  assert_true(zl_vm_recent_expected(node->rt, image));
  assert_string_equal(image, KEY_A);
  assert_true(zl_vm_recent_note(node->rt, KEY_A));
  assert_false(zl_vm_recent_note(node->rt, KEY_B));
  assert_false(zl_vm_recent_expected(node->rt, image));
  /* What is no such file is no guess. */
  put(vm, "recent.json", "{\"image\":\"../../../etc/passwd\",\"again\":true}");
  assert_false(zl_vm_recent_expected(node->rt, image));
  put(vm, "recent.json", "{");
  assert_false(zl_vm_recent_expected(node->rt, image));
  assert_false(zl_vm_recent_note(node->rt, KEY_B));
}

/* ---- What a container has made for the next one ---- */

/* The template is there and the pool is to have none: what is left to do is to note the image. */
static void note_container(struct zl_backend *backend, const char *image)
{
  const struct zl_vm_habit habit = { .program = "/bin/sh" };
  struct zl_vm_machine_plan machine = { .key = "k", .may_clone = true };

  zl_vm_ahead_note((struct zl_vm_backend *)backend, &machine, image, &habit);
  assert_false(machine.may_clone); /* taken over */
}

static struct zl_backend *open_backend(struct node *node)
{
  zl_autofd template = open_dir(node, "vm/templates/k");
  struct zl_backend *backend = NULL;

  put(template, "template.json", "{}");
  assert_int_equal(zl_vm_ops.open(node->rt, &backend, NULL), 0);
  return backend;
}

static void a_container_that_starts_comes_first(void **state)
{
  struct node *node = *state;
  struct zl_backend *backend = open_backend(node);
  struct zl_error err = { 0 };

  note_container(backend, KEY_A);
  assert_false(exists(node, "vm/recent.json"));
  /* Whether it could be started or not. */
  assert_int_equal(zl_vm_ops.start(backend, "none-rep-1", &err), -ZL_E_CONFLICT);
  assert_true(exists(node, "vm/recent.json"));
  assert_int_equal(unlinkat(node->rt->root_fd, "vm/recent.json", 0), 0);
  zl_vm_ops.close(backend);
  assert_false(exists(node, "vm/recent.json")); /* once */
}

static void one_that_is_never_started_is_not_forgotten(void **state)
{
  struct node *node = *state;
  struct zl_backend *backend = open_backend(node);
  char image[ZL_VM_KEY_TEXT] = "";

  note_container(backend, KEY_A);
  note_container(backend, KEY_A);
  assert_true(exists(node, "vm/recent.json"));
  assert_false(zl_vm_recent_expected(node->rt, image));
  zl_vm_ops.close(backend);
  assert_true(zl_vm_recent_expected(node->rt, image));
}

static void one_whose_machine_cannot_be_cloned_leaves_nothing_to_do(void **state)
{
  struct node *node = *state;
  struct zl_backend *backend = open_backend(node);
  struct zl_vm_machine_plan machine = { .key = "k" };

  zl_vm_ahead_note((struct zl_vm_backend *)backend, &machine, KEY_A, &(struct zl_vm_habit){ 0 });
  zl_vm_ops.close(backend);
  assert_false(exists(node, "vm/recent.json"));
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup_node, teardown_node)

int main(void)
{
  const struct CMUnitTest cases[] = {
    CASE(a_disk_goes_with_its_last_image),
    CASE(a_disk_in_the_making_stays),
    CASE(a_machine_is_claimed_once),
    CASE(a_machine_without_its_helper_is_not_claimed),
    CASE(a_pool_shrinks_by_calling_machines_off),
    CASE(what_dead_makers_left_is_found),
    CASE(an_image_is_expected_when_it_came_twice),
    CASE(a_container_that_starts_comes_first),
    CASE(one_that_is_never_started_is_not_forgotten),
    CASE(one_whose_machine_cannot_be_cloned_leaves_nothing_to_do),
  };

  return cmocka_run_group_tests(cases, NULL, NULL);
}
