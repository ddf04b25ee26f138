/* SPDX-License-Identifier: Apache-2.0
 *
 * Mounting images: from the file where the kernel can, else through a loop device, of which nothing
 * stays behind; and a container's root on them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../scratch.h"
#include "base/erofs_mount.h"
#include "base/fd.h"
#include "base/path.h"
#include "engine/rootfs.h"
#include "image/erofs/copy_tree.h"
#include "image/erofs/writer.h"

struct box {
  struct scratch dir;
  char image[96];
};

static void write_file(const char *path, const char *text)
{
  int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

  assert_true(fd >= 0);
  assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
  (void)close(fd);
}

/* An image of a small tree, written as a machine's disk is. */
static void make_image(struct box *box, const char *text)
{
  char tree[96], file[128];
  struct zl_error err = { 0 };
  int dir, out;

  (void)snprintf(tree, sizeof(tree), "%s/tree", box->dir.path);
  (void)snprintf(file, sizeof(file), "%s/file", tree);
  assert_int_equal(mkdir(tree, 0755), 0);
  write_file(file, text);
  dir = open(tree, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  out = open(box->image, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (zl_erofs_copy_tree(dir, out, 1, &err) < 0)
    fail_msg("%s", err.msg);
  (void)close(dir);
  (void)close(out);
  assert_int_equal(zl_path_remove_tree(AT_FDCWD, tree), 0);
}

static int setup(void **state, const char *place)
{
  static struct box box;

  scratch_make(&box.dir, place, "mount");
  (void)snprintf(box.image, sizeof(box.image), "%s/layer.erofs", box.dir.path);
  make_image(&box, "content");
  *state = &box;
  return 0;
}

static int on_disk(void **state)
{
  return setup(state, "/var/tmp");
}

static int in_memory(void **state)
{
  return setup(state, "/dev/shm");
}

/* Whether a loop device is on the image. Its device is let go a moment after the mount. */
static bool has_loop(const struct box *box)
{
  char path[64], backing[256];

  for (int i = 0; i < 256; i++) {
    ssize_t n;
    int fd;

    (void)snprintf(path, sizeof(path), "/sys/block/loop%d/loop/backing_file", i);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
      continue;
    n = read(fd, backing, sizeof(backing) - 1);
    (void)close(fd);
    backing[n > 0 ? n : 0] = '\0';
    if (strncmp(backing, box->image, strlen(box->image)) == 0)
      return true;
  }
  return false;
}

static void wait_for_no_loop(const struct box *box)
{
  const struct timespec pause = { .tv_nsec = 10000000 };

  for (int i = 0; i < 3000 && has_loop(box); i++)
    (void)nanosleep(&pause, NULL);
  assert_false(has_loop(box));
}

static int teardown(void **state)
{
  struct box *box = *state;

  wait_for_no_loop(box);
  scratch_remove(&box->dir);
  return 0;
}

static int mount_it(const struct box *box, struct zl_error *err)
{
  zl_autofd file = open(box->image, O_RDONLY | O_CLOEXEC);
  int fd = -1, r;

  assert_true(file >= 0);
  r = zl_erofs_mount(file, &fd, err);
  return r < 0 ? r : fd;
}

static void reads(int dir, const char *name, const char *wanted)
{
  char text[64] = "";
  int fd = openat(dir, name, O_RDONLY | O_CLOEXEC);

  assert_true(fd >= 0);
  assert_true(read(fd, text, sizeof(text) - 1) >= 0);
  (void)close(fd);
  assert_string_equal(text, wanted);
}

/* ---- Cases ----------------------------------------------------------------------------------- */

static void an_image_is_mounted_and_gone(void **state)
{
  struct box *box = *state;
  struct zl_error err = { 0 };
  int fd = mount_it(box, &err);

  if (fd < 0)
    fail_msg("%s", err.msg);
  reads(fd, "file", "content");
  assert_int_equal(openat(fd, "new", O_WRONLY | O_CREAT | O_CLOEXEC, 0600), -1);
  assert_int_equal(errno, EROFS);
  (void)close(fd);
}

/* The file may go while it is mounted: a pruned layer of a running container. */
static void a_mount_outlives_its_file(void **state)
{
  struct box *box = *state;
  struct zl_error err = { 0 };
  int fd = mount_it(box, &err);

  assert_true(fd >= 0);
  assert_int_equal(unlink(box->image), 0);
  reads(fd, "file", "content");
  (void)close(fd);
}

static void nothing_stays_of_a_killed_user(void **state)
{
  struct box *box = *state;
  int ready[2], status;
  char byte;
  pid_t pid;

  assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
  pid = fork();
  if (pid == 0) {
    struct zl_error err = { 0 };
    int fd;

    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    fd = mount_it(box, &err);

    (void)!write(ready[1], fd < 0 ? "n" : "y", 1);
    for (;;)
      (void)pause();
  }
  assert_int_equal(read(ready[0], &byte, 1), 1);
  assert_int_equal(byte, 'y');
  assert_int_equal(kill(pid, SIGKILL), 0);
  assert_int_equal(waitpid(pid, &status, 0), pid);
  (void)close(ready[0]);
  (void)close(ready[1]);
  wait_for_no_loop(box);
}

static void what_is_no_image_is_refused(void **state)
{
  struct box *box = *state;
  struct zl_error err = { 0 };

  assert_int_equal(truncate(box->image, 0), 0);
  assert_int_equal(truncate(box->image, 8192), 0);
  assert_int_equal(mount_it(box, &err), -ZL_E_CORRUPT);
}

/* Two images below a writable directory, as a container has them; one mapped to other ids. */
static void a_root_stands_on_images(void **state)
{
  struct box *box = *state;
  char second[96];
  const char *layers[] = { box->image, second, NULL };
  struct zl_rootfs rootfs = { .layers = layers, .dir_fd = -1, .userns_fd = -1 };
  struct zl_error err = { 0 };
  zl_autofd root = -1, dir = open(box->dir.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), file = -1;

  (void)snprintf(second, sizeof(second), "%s/lower.erofs", box->dir.path);
  assert_int_equal(rename(box->image, second), 0);
  make_image(box, "upper");
  assert_int_equal(mkdirat(dir, "upper", 0755), 0);
  assert_int_equal(mkdirat(dir, "work", 0755), 0);
  rootfs.dir_fd = dir;
  if (zl_rootfs_open(&rootfs, &root, &err) < 0)
    fail_msg("%s", err.msg);
  reads(root, "file", "upper");
  file = openat(root, "file", O_WRONLY | O_TRUNC | O_CLOEXEC);
  assert_int_equal(write(file, "written", 7), 7);
  reads(root, "file", "written");
  reads(dir, "upper/file", "written");
  zl_fd_closep(&root);
  zl_fd_closep(&file);
  assert_int_equal(zl_path_remove_tree(dir, "upper"), 0);
  /* Read only, and alone. */
  rootfs.dir_fd = -1;
  if (zl_rootfs_open(&rootfs, &root, &err) < 0)
    fail_msg("%s", err.msg);
  reads(root, "file", "upper");
  zl_fd_closep(&root);
  layers[1] = NULL;
  if (zl_rootfs_open(&rootfs, &root, &err) < 0)
    fail_msg("%s", err.msg);
  reads(root, "file", "upper");
}

static int new_userns(void)
{
  char path[64];
  int ready[2], fd;
  char byte;
  pid_t pid;

  assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
  pid = fork();
  if (pid == 0) {
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)unshare(CLONE_NEWUSER);
    (void)!write(ready[1], "y", 1);
    for (;;)
      (void)pause();
  }
  assert_int_equal(read(ready[0], &byte, 1), 1);
  (void)snprintf(path, sizeof(path), "/proc/%d/uid_map", (int)pid);
  write_file(path, "0 100000 65536");
  (void)snprintf(path, sizeof(path), "/proc/%d/gid_map", (int)pid);
  write_file(path, "0 100000 65536");
  (void)snprintf(path, sizeof(path), "/proc/%d/ns/user", (int)pid);
  fd = open(path, O_RDONLY | O_CLOEXEC);
  assert_true(fd >= 0);
  assert_int_equal(kill(pid, SIGKILL), 0);
  assert_int_equal(waitpid(pid, NULL, 0), pid);
  (void)close(ready[0]);
  (void)close(ready[1]);
  return fd;
}

static void a_root_in_a_user_namespace(void **state)
{
  struct box *box = *state;
  const char *layers[] = { box->image, NULL };
  zl_autofd root = -1, dir = open(box->dir.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  zl_autofd userns = new_userns();
  struct zl_rootfs rootfs = {
    .layers = layers, .dir_fd = dir, .userns_fd = userns, .root_uid = 100000, .root_gid = 100000
  };
  struct zl_error err = { 0 };
  struct stat st;

  assert_int_equal(mkdirat(dir, "upper", 0755), 0);
  assert_int_equal(mkdirat(dir, "work", 0755), 0);
  if (zl_rootfs_open(&rootfs, &root, &err) < 0)
    fail_msg("%s", err.msg);
  assert_int_equal(fstatat(root, "file", &st, 0), 0);
  assert_int_equal(st.st_uid, 100000);
}

/* As on kernels whose overlayfs takes attached mounts only. A directory of layers as well. */
static int on_an_old_kernel(void **state)
{
  assert_int_equal(setenv("ZLAYER_FAULTS", "mountns.needed=error(EINVAL)", 1), 0);
  return setup(state, "/var/tmp");
}

static int old_teardown(void **state)
{
  (void)unsetenv("ZLAYER_FAULTS");
  return teardown(state);
}

static void a_root_stands_on_both_kinds(void **state)
{
  struct box *box = *state;
  char below[96], file[128];
  const char *layers[] = { box->image, below, NULL };
  zl_autofd root = -1, dir = open(box->dir.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  struct zl_rootfs rootfs = { .layers = layers, .dir_fd = dir, .userns_fd = -1 };
  struct zl_error err = { 0 };

  (void)snprintf(below, sizeof(below), "%s/below", box->dir.path);
  (void)snprintf(file, sizeof(file), "%s/other", below);
  assert_int_equal(mkdir(below, 0755), 0);
  write_file(file, "of a directory");
  assert_int_equal(mkdirat(dir, "upper", 0755), 0);
  assert_int_equal(mkdirat(dir, "work", 0755), 0);
  if (zl_rootfs_open(&rootfs, &root, &err) < 0)
    fail_msg("%s", err.msg);
  reads(root, "file", "content");
  reads(root, "other", "of a directory");
}

#define CASE_OLD(name)                                                \
  {                                                                   \
#name " (old kernel)", name, on_an_old_kernel, old_teardown, NULL \
  }
#define CASE_BOTH(name)                                \
  { #name " (disk)", name, on_disk, teardown, NULL },  \
  {                                                    \
#name " (memory)", name, in_memory, teardown, NULL \
  }

int main(void)
{
  static const struct CMUnitTest tests[] = {
    CASE_BOTH(an_image_is_mounted_and_gone),   CASE_BOTH(a_mount_outlives_its_file),
    CASE_BOTH(nothing_stays_of_a_killed_user), CASE_BOTH(what_is_no_image_is_refused),
    CASE_BOTH(a_root_stands_on_images),        CASE_BOTH(a_root_in_a_user_namespace),
    CASE_BOTH(a_root_stands_on_both_kinds),    CASE_OLD(a_root_stands_on_images),
    CASE_OLD(a_root_in_a_user_namespace),      CASE_OLD(a_root_stands_on_both_kinds),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
