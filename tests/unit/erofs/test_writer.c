/* SPDX-License-Identifier: Apache-2.0
 *
 * What a layer may not hold but an image can, and the writer's limits. Every image is read by
 * fsck.erofs and by an independent reader, and where a case asks for it by the kernel.
 * argv[1]: python3; argv[2]: the reader.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/path.h"
#include "image/erofs/check.h"
#include "image/erofs/disk.h"
#include "image/erofs/writer.h"
#include "image/erofs/xattr.h"

static const char *python, *reader;

struct box {
  char path[64], file[80], tree[80];
  int fd;
  struct zl_erofs *image;
  struct zl_buf xattrs;
};

static void new_image(struct box *box)
{
  struct zl_error err = { 0 };
  struct zl_erofs_options options = { .reserve_bytes = 1 };

  box->fd = open(box->file, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  assert_true(box->fd >= 0);
  options.fd = box->fd;
  if (zl_erofs_new(&options, &box->image, &err) < 0)
    fail_msg("%s", err.msg);
}

static int box_new(void **state)
{
  static struct box box;

  box = (struct box){ .xattrs.max = 1 << 20 };
  (void)snprintf(box.path, sizeof(box.path), "/tmp/zl-erofs-XXXXXX");
  assert_non_null(mkdtemp(box.path));
  (void)snprintf(box.file, sizeof(box.file), "%s/image", box.path);
  (void)snprintf(box.tree, sizeof(box.tree), "%s/tree", box.path);
  assert_int_equal(mkdir(box.tree, 0700), 0);
  new_image(&box);
  *state = &box;
  return 0;
}

static int box_free(void **state)
{
  struct box *box = *state;

  zl_erofs_free(box->image);
  zl_buf_done(&box->xattrs);
  (void)close(box->fd);
  assert_int_equal(zl_path_remove_tree(AT_FDCWD, box->path), 0);
  return 0;
}

static struct zl_erofs_attrs attrs(const struct box *box, uint32_t mode)
{
  return (struct zl_erofs_attrs){ .mode = mode,
                                  .uid = 4000000000,
                                  .gid = 7,
                                  .mtime_s = -5,
                                  .mtime_ns = 999999999,
                                  .xattrs = box->xattrs.data,
                                  .xattrs_len = box->xattrs.len };
}

static void add(struct box *box, const char *name, uint32_t mode, uint64_t nid)
{
  struct zl_erofs_tree *tree = zl_erofs_get_tree(box->image);
  uint32_t inode, ignored;

  assert_int_equal(zl_erofs_add_inode(tree, mode, nid, NULL, &inode, NULL), 0);
  assert_int_equal(
      zl_erofs_add_name(tree, ZL_EROFS_ROOT, name, strlen(name), inode, &ignored, NULL), 0);
}

static uint32_t add_dir(struct box *box, uint32_t parent, const char *name)
{
  struct zl_erofs_tree *tree = zl_erofs_get_tree(box->image);
  uint32_t inode, ret;

  assert_int_equal(zl_erofs_add_dir_inode(tree, S_IFDIR | 0755, &inode, NULL), 0);
  assert_int_equal(zl_erofs_add_name(tree, parent, name, strlen(name), inode, &ret, NULL), 0);
  return ret;
}

/* A child's exit status. */
static int run(const char *const *argv)
{
  pid_t pid = fork();
  int status;

  if (pid == 0) {
    int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

    (void)dup2(null, 1);
    (void)execvp(argv[0], (char *const *)(uintptr_t)argv);
    _exit(127);
  }
  assert_int_equal(waitpid(pid, &status, 0), pid);
  return status;
}

static void seal(struct box *box)
{
  const char *const fsck[] = { "fsck.erofs", box->file, NULL };
  const char *const strict[] = { python, reader, box->file, NULL };
  struct zl_error err = { 0 };

  if (zl_erofs_seal(box->image, &err) < 0 || zl_erofs_check(box->fd, &err) < 0)
    fail_msg("%s", err.msg);
  assert_int_equal(run(fsck), 0);
  assert_int_equal(run(strict), 0);
}

/* Mounts the image for the rest of the case: the mount goes with its namespace. */
static void mount_image(struct box *box)
{
  const char *const argv[] = {
    "mount", "-t", "erofs", "-o", "ro,loop", box->file, box->tree, NULL
  };

  assert_int_equal(run(argv), 0);
}

static void unmount(struct box *box)
{
  assert_int_equal(umount2(box->tree, 0), 0);
}

static void at(const struct box *box, const char *name, char path[128])
{
  (void)snprintf(path, 128, "%s/%s", box->tree, name);
}

/* ---- Cases ----------------------------------------------------------------------------------- */

static void an_empty_image_is_one_block(void **state)
{
  struct box *box = *state;
  struct stat st;

  seal(box);
  assert_int_equal(fstat(box->fd, &st), 0);
  assert_int_equal(st.st_size, ZL_EROFS_BLOCK);
}

static void attributes_of_every_name_space(void **state)
{
  /* An access list of u::rwx, u:1:r--, g::r-x, m::rwx, o::---. */
  static const uint8_t acl[] = { 2,    0,   0,    0,    1,    0,    7,    0,   0xff, 0xff, 0xff,
                                 0xff, 2,   0,    4,    0,    1,    0,    0,   0,    4,    0,
                                 5,    0,   0xff, 0xff, 0xff, 0xff, 0x10, 0,   7,    0,    255,
                                 255,  255, 255,  0x20, 0,    0,    0,    255, 255,  255,  255 };
  static const uint8_t caps[] = { 1, 0, 0, 2, 0, 0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 };
  struct box *box = *state;
  struct zl_erofs_attrs a;
  char path[128], value[64];
  uint64_t nid;

  assert_int_equal(zl_xattrs_add(&box->xattrs, "trusted.overlay.opaque", "y", 1, NULL), 0);
  assert_int_equal(zl_xattrs_add(&box->xattrs, "system.posix_acl_access", acl, sizeof(acl), NULL),
                   0);
  assert_int_equal(zl_xattrs_add(&box->xattrs, "security.capability", caps, sizeof(caps), NULL), 0);
  assert_int_equal(zl_xattrs_add(&box->xattrs, "user.empty", "", 0, NULL), 0);
  a = attrs(box, S_IFREG | 0770);
  assert_int_equal(zl_erofs_file(box->image, &a, 3, &nid, NULL), 0);
  assert_int_equal(zl_erofs_file_data(box->image, 0, "abc", 3, NULL), 0);
  add(box, "file", S_IFREG, nid);
  seal(box);
  mount_image(box);
  at(box, "file", path);
  assert_int_equal(getxattr(path, "trusted.overlay.opaque", value, sizeof(value)), 1);
  assert_int_equal(getxattr(path, "system.posix_acl_access", value, sizeof(value)), sizeof(acl));
  assert_memory_equal(value, acl, sizeof(acl));
  assert_int_equal(getxattr(path, "security.capability", value, sizeof(value)), sizeof(caps));
  assert_memory_equal(value, caps, sizeof(caps));
  assert_int_equal(getxattr(path, "user.empty", value, sizeof(value)), 0);
  unmount(box);
}

static void special_files_of_every_kind(void **state)
{
  static const struct {
    const char *name;
    uint32_t mode, major, minor;
  } files[] = { { "whiteout", S_IFCHR, 0, 0 },
                { "char", S_IFCHR | 0620, 4095, 1048575 },
                { "block", S_IFBLK | 0660, 8, 257 },
                { "fifo", S_IFIFO | 0600, 0, 0 },
                { "socket", S_IFSOCK | 0777, 0, 0 } };
  struct box *box = *state;
  char path[128];

  for (size_t i = 0; i < ZL_COUNT(files); i++) {
    struct zl_erofs_attrs a = attrs(box, files[i].mode);
    uint64_t nid;

    assert_int_equal(zl_erofs_special(box->image, &a, files[i].major, files[i].minor, &nid, NULL),
                     0);
    add(box, files[i].name, files[i].mode, nid);
  }
  seal(box);
  mount_image(box);
  for (size_t i = 0; i < ZL_COUNT(files); i++) {
    struct stat st;

    at(box, files[i].name, path);
    assert_int_equal(lstat(path, &st), 0);
    assert_int_equal(st.st_mode, files[i].mode);
    assert_int_equal(st.st_rdev, makedev(files[i].major, files[i].minor));
    assert_int_equal(st.st_uid, 4000000000);
    assert_int_equal(st.st_mtim.tv_sec, -5);
    assert_int_equal(st.st_mtim.tv_nsec, 999999999);
  }
  unmount(box);
}

/* More attributes than a block holds, on a file, a directory and the root. */
static void attributes_larger_than_a_block(void **state)
{
  struct box *box = *state;
  struct zl_erofs_tree *tree = zl_erofs_get_tree(box->image);
  struct zl_erofs_attrs a;
  char *value = calloc(1, 60000), path[128];
  uint32_t dir = add_dir(box, ZL_EROFS_ROOT, "dir");
  uint64_t nid;

  memset(value, 'v', 60000);
  for (int i = 0; i < 4; i++) {
    char name[32];

    (void)snprintf(name, sizeof(name), "user.large%d", i);
    assert_int_equal(zl_xattrs_add(&box->xattrs, name, value, 60000, NULL), 0);
  }
  a = attrs(box, S_IFREG | 0644);
  assert_int_equal(zl_erofs_file(box->image, &a, 5, &nid, NULL), 0);
  assert_int_equal(zl_erofs_file_data(box->image, 0, "hello", 5, NULL), 0);
  add(box, "file", S_IFREG, nid);
  for (int i = 0; i < 2; i++)
    assert_int_equal(zl_erofs_set_dir_xattrs(tree, tree->names[i == 0 ? dir : ZL_EROFS_ROOT].inode,
                                             box->xattrs.data, box->xattrs.len, NULL),
                     0);
  seal(box);
  mount_image(box);
  for (int i = 0; i < 3; i++) {
    static const char *const names[] = { "file", "dir", "." };
    char *read = calloc(1, 60001);

    at(box, names[i], path);
    assert_int_equal(getxattr(path, "user.large3", read, 60001), 60000);
    assert_memory_equal(read, value, 60000);
    free(read);
  }
  unmount(box);
  free(value);
}

static void too_many_attributes_are_refused(void **state)
{
  struct box *box = *state;
  struct zl_erofs_attrs a;
  struct zl_error err = { 0 };
  char *value = calloc(1, 65536);
  uint64_t nid;

  for (int i = 0; i < 5; i++) {
    char name[32];

    (void)snprintf(name, sizeof(name), "user.large%d", i);
    assert_int_equal(zl_xattrs_add(&box->xattrs, name, value, 60000, NULL), 0);
  }
  a = attrs(box, S_IFREG);
  assert_int_equal(zl_erofs_file(box->image, &a, 0, &nid, &err), -ZL_E_LIMIT);
  zl_buf_clear(&box->xattrs);
  assert_int_equal(zl_xattrs_add(&box->xattrs, "user.a", value, 65536, NULL), 0);
  a = attrs(box, S_IFREG);
  assert_int_equal(zl_erofs_file(box->image, &a, 0, &nid, &err), -ZL_E_LIMIT);
  zl_buf_clear(&box->xattrs);
  assert_int_equal(zl_xattrs_add(&box->xattrs, "lustre.lov", value, 1, NULL), 0);
  a = attrs(box, S_IFREG);
  assert_int_equal(zl_erofs_file(box->image, &a, 0, &nid, &err), -ZL_E_UNSUPPORTED);
  free(value);
}

static void contents_around_a_block(void **state)
{
  static const uint32_t sizes[] = { 0, 1, 4031, 4032, 4033, 4095, 4096, 4097, 8128, 8129, 100000 };
  struct box *box = *state;
  struct zl_erofs_attrs a = attrs(box, S_IFREG | 0644);
  uint8_t *data = malloc(100000), *read_back = malloc(100001);

  for (uint32_t i = 0; i < 100000; i++)
    data[i] = (uint8_t)(i * 7 + i / 251);
  for (size_t i = 0; i < ZL_COUNT(sizes); i++) {
    char name[16];
    uint64_t nid;

    (void)snprintf(name, sizeof(name), "f%zu", i);
    assert_int_equal(zl_erofs_file(box->image, &a, sizes[i], &nid, NULL), 0);
    for (uint32_t done = 0; done < sizes[i];) { /* in odd pieces */
      uint32_t n = sizes[i] - done < 1237 ? sizes[i] - done : 1237;

      assert_int_equal(zl_erofs_file_data(box->image, done, data + done, n, NULL), 0);
      done += n;
    }
    assert_int_equal(zl_erofs_file_data(box->image, sizes[i], data, 1, NULL), -ZL_E_INTERNAL);
    add(box, name, S_IFREG, nid);
  }
  seal(box);
  mount_image(box);
  for (size_t i = 0; i < ZL_COUNT(sizes); i++) {
    char name[16], path[128];
    int fd;

    (void)snprintf(name, sizeof(name), "f%zu", i);
    at(box, name, path);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_int_equal(read(fd, read_back, 100001), sizes[i]);
    assert_memory_equal(read_back, data, sizes[i]);
    (void)close(fd);
  }
  unmount(box);
  free(data);
  free(read_back);
}

static void a_hole_takes_no_space(void **state)
{
  struct box *box = *state;
  struct zl_erofs_attrs a = attrs(box, S_IFREG | 0644);
  const uint64_t size = UINT64_C(1) << 30;
  char path[128], byte = 'x';
  struct stat st;
  uint64_t nid;
  int fd;

  assert_int_equal(zl_erofs_file(box->image, &a, size, &nid, NULL), 0);
  assert_int_equal(zl_erofs_file_data(box->image, size - 1, "e", 1, NULL), 0);
  add(box, "sparse", S_IFREG, nid);
  /* The strict reader would take it all into memory. */
  assert_int_equal(zl_erofs_seal(box->image, NULL), 0);
  assert_int_equal(fstat(box->fd, &st), 0);
  assert_true(st.st_blocks * 512 < 1 << 20);
  mount_image(box);
  at(box, "sparse", path);
  fd = open(path, O_RDONLY | O_CLOEXEC);
  assert_int_equal(pread(fd, &byte, 1, 12345678), 1);
  assert_int_equal(byte, 0);
  assert_int_equal(pread(fd, &byte, 1, (off_t)size - 1), 1);
  assert_int_equal(byte, 'e');
  (void)close(fd);
  unmount(box);
}

/* Beyond what one block of the root may hold, with names that sort before the dots. */
static void large_directories(void **state)
{
  struct box *box = *state;
  struct zl_erofs_attrs a = attrs(box, S_IFREG | 0644);
  struct zl_erofs_tree *tree = zl_erofs_get_tree(box->image);
  uint32_t inode, ignored, dir = add_dir(box, ZL_EROFS_ROOT, "many");
  char path[160];
  struct stat st;
  uint64_t nid;

  assert_int_equal(zl_erofs_file(box->image, &a, 0, &nid, NULL), 0);
  assert_int_equal(zl_erofs_add_inode(tree, S_IFREG, nid, NULL, &inode, NULL), 0);
  for (int i = 0; i < 20000; i++) {
    char name[32];
    int n = snprintf(name, sizeof(name), "%c%x", "!+-a."[i % 5], (unsigned)i * 2654435761U);

    assert_int_equal(zl_erofs_add_name(tree, dir, name, (size_t)n, inode, &ignored, NULL), 0);
    if (i < 1000)
      assert_int_equal(
          zl_erofs_add_name(tree, ZL_EROFS_ROOT, name, (size_t)n, inode, &ignored, NULL), 0);
  }
  seal(box);
  mount_image(box);
  for (int i = 0; i < 20000; i += 97) {
    char name[40];

    (void)snprintf(name, sizeof(name), "many/%c%x", "!+-a."[i % 5], (unsigned)i * 2654435761U);
    at(box, name, path);
    assert_int_equal(lstat(path, &st), 0);
    assert_int_equal(st.st_nlink, 21000);
  }
  at(box, "many/absent", path);
  assert_int_equal(lstat(path, &st), -1);
  unmount(box);
}

static void removed_names_are_gone(void **state)
{
  struct box *box = *state;
  struct zl_erofs_tree *tree = zl_erofs_get_tree(box->image);
  uint32_t dir = add_dir(box, ZL_EROFS_ROOT, "dir"), sub = add_dir(box, dir, "sub"), again;
  char path[128];
  struct stat st;

  (void)add_dir(box, sub, "deep");
  zl_erofs_remove_name(tree, dir);
  assert_int_equal(zl_erofs_find(tree, ZL_EROFS_ROOT, "dir", 3), ZL_EROFS_NONE);
  again = add_dir(box, ZL_EROFS_ROOT, "dir");
  assert_int_equal(zl_erofs_find(tree, again, "sub", 3), ZL_EROFS_NONE);
  seal(box);
  mount_image(box);
  at(box, "dir", path);
  assert_int_equal(lstat(path, &st), 0);
  assert_int_equal(st.st_nlink, 2);
  unmount(box);
}

static void links_of_every_length(void **state)
{
  struct box *box = *state;
  struct zl_erofs_attrs a = attrs(box, S_IFLNK | 0777);
  char target[4097], text[4097], path[128];
  uint64_t nid;

  memset(target, 't', 4096);
  target[4096] = '\0';
  assert_int_equal(zl_erofs_symlink(box->image, &a, "", &nid, NULL), -ZL_E_CORRUPT);
  assert_int_equal(zl_erofs_symlink(box->image, &a, target, &nid, NULL), -ZL_E_CORRUPT);
  for (int len = 4095; len >= 4031; len -= 32) {
    char name[16];

    target[len] = '\0';
    (void)snprintf(name, sizeof(name), "l%d", len);
    assert_int_equal(zl_erofs_symlink(box->image, &a, target, &nid, NULL), 0);
    add(box, name, S_IFLNK, nid);
  }
  seal(box);
  mount_image(box);
  at(box, "l4095", path);
  assert_int_equal(readlink(path, text, sizeof(text)), 4095);
  at(box, "l4031", path);
  assert_int_equal(readlink(path, text, sizeof(text)), 4031);
  unmount(box);
}

/* What a writer that was taken over might make: each byte of the superblock is looked at, and the
 * root's inode by the checksum. */
static void another_superblock_is_refused(void **state)
{
  struct box *box = *state;

  seal(box);
  for (off_t i = ZL_EROFS_SUPER_AT; i < ZL_EROFS_SUPER_AT + ZL_EROFS_SUPER_SIZE + 64; i++) {
    uint8_t byte, other;

    assert_int_equal(pread(box->fd, &byte, 1, i), 1);
    other = byte ^ 1;
    assert_int_equal(pwrite(box->fd, &other, 1, i), 1);
    assert_int_equal(zl_erofs_check(box->fd, NULL), -ZL_E_CORRUPT);
    assert_int_equal(pwrite(box->fd, &byte, 1, i), 1);
  }
  assert_int_equal(zl_erofs_check(box->fd, NULL), 0);
  assert_int_equal(ftruncate(box->fd, (off_t)2 * ZL_EROFS_BLOCK), 0);
  assert_int_equal(zl_erofs_check(box->fd, NULL), -ZL_E_CORRUPT);
  assert_int_equal(ftruncate(box->fd, 100), 0);
  assert_int_equal(zl_erofs_check(box->fd, NULL), -ZL_E_CORRUPT);
}

/* One that ends with its block, which is the last: fsck.erofs looks behind it. */
static void an_inode_at_the_end(void **state)
{
  struct box *box = *state;
  struct zl_erofs_attrs a = attrs(box, S_IFIFO | 0600);

  for (int i = 0; i < ZL_EROFS_BLOCK / ZL_EROFS_INODE_SIZE; i++) {
    char name[16];
    uint64_t nid;

    (void)snprintf(name, sizeof(name), "f%d", i);
    assert_int_equal(zl_erofs_special(box->image, &a, 0, 0, &nid, NULL), 0);
    add(box, name, S_IFIFO, nid);
  }
  seal(box);
}

/* A disk that is full is an error, and nothing else. */
static void a_full_disk(void **state)
{
  struct box *box = *state;
  struct zl_erofs_options options = { .reserve_bytes = 1 };
  struct zl_erofs_attrs a = attrs(box, S_IFREG);
  static const uint8_t zeros[1 << 20];
  struct zl_erofs *image = NULL;
  struct zl_error err = { 0 };
  uint64_t nid;
  int r = 0;

  options.fd = open("/dev/full", O_WRONLY | O_CLOEXEC);
  assert_true(options.fd >= 0);
  assert_int_equal(zl_erofs_new(&options, &image, NULL), 0);
  assert_int_equal(zl_erofs_file(image, &a, 16 << 20, &nid, NULL), 0);
  for (uint64_t at_byte = 0; r == 0 && at_byte < 16 << 20; at_byte += sizeof(zeros))
    r = zl_erofs_file_data(image, at_byte, zeros, sizeof(zeros), &err);
  assert_int_equal(r, -ZL_E_SYSTEM);
  assert_int_equal(err.os_error, ENOSPC);
  zl_erofs_free(image);
  (void)close(options.fd);
}

int main(int argc, char **argv)
{
  static const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown(an_empty_image_is_one_block, box_new, box_free),
    cmocka_unit_test_setup_teardown(attributes_of_every_name_space, box_new, box_free),
    cmocka_unit_test_setup_teardown(special_files_of_every_kind, box_new, box_free),
    cmocka_unit_test_setup_teardown(attributes_larger_than_a_block, box_new, box_free),
    cmocka_unit_test_setup_teardown(too_many_attributes_are_refused, box_new, box_free),
    cmocka_unit_test_setup_teardown(contents_around_a_block, box_new, box_free),
    cmocka_unit_test_setup_teardown(a_hole_takes_no_space, box_new, box_free),
    cmocka_unit_test_setup_teardown(large_directories, box_new, box_free),
    cmocka_unit_test_setup_teardown(removed_names_are_gone, box_new, box_free),
    cmocka_unit_test_setup_teardown(links_of_every_length, box_new, box_free),
    cmocka_unit_test_setup_teardown(another_superblock_is_refused, box_new, box_free),
    cmocka_unit_test_setup_teardown(an_inode_at_the_end, box_new, box_free),
    cmocka_unit_test_setup_teardown(a_full_disk, box_new, box_free),
  };

  assert_int_equal(argc, 3);
  python = argv[1];
  reader = argv[2];
  if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
    return 1;
  return cmocka_run_group_tests(tests, NULL, NULL);
}
