/* SPDX-License-Identifier: Apache-2.0
 *
 * Templates' files and disks.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "../scratch.h"
#include "base/fd.h"
#include "base/path.h"
#include "vmm/disk.h"
#include "vmm/template.h"

#define KEY "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

enum {
  DISK_SIZE = 64 << 20,
  DATA_AT = 20 << 20,
  DATA_SIZE = 300 << 10
};

static int box_new(void **state)
{
  static struct scratch box;

  /* Not in /tmp, which may be a tmpfs: the disk's own file system is of interest. */
  scratch_make(&box, "/var/tmp", "vmm");
  *state = &box;
  return 0;
}

static int box_free(void **state)
{
  scratch_remove(*state);
  return 0;
}

static void put(const struct scratch *box, const char *name, const char *text, off_t size)
{
  zl_autofd fd = zl_fd_open(box->fd, name, O_RDWR | O_CREAT | O_TRUNC, 0600);

  assert_true(fd >= 0);
  assert_int_equal(zl_fd_write_full(fd, text, strlen(text)), 0);
  assert_int_equal(ftruncate(fd, size), 0);
  assert_int_equal(fsync(fd), 0);
}

static void make_template(const struct scratch *box)
{
  struct zl_error err = { 0 };

  put(box, "memory", "memory", 1 << 20);
  put(box, "state", "state of the devices", 20);
  put(box, "scratch", "scratch", 1 << 20);
  if (zl_vm_template_seal(box->fd, KEY, &err) < 0)
    fail_msg("%s", err.msg);
}

/* Opening it now: the code, and the words that the message must have. */
static int attempt(const struct scratch *box, const char *key, const char *words)
{
  struct zl_vm_template template = { .memory_fd = -2, .state_fd = -2, .scratch_fd = -2 };
  struct zl_error err = { 0 };
  int r = zl_vm_template_open(box->fd, key, &template, &err);

  if (r == 0)
    zl_vm_template_close(&template);
  else
    assert_int_equal(template.memory_fd, -2);
  if (strstr(err.msg, words) == NULL)
    fail_msg("'%s' is not in '%s'", words, err.msg);
  return r;
}

static void a_sealed_template_opens(void **state)
{
  const struct scratch *box = *state;
  struct zl_vm_template template;
  struct zl_error err = { 0 };
  char text[32] = "";

  make_template(box);
  assert_int_equal(zl_vm_template_open(box->fd, KEY, &template, &err), 0);
  assert_int_equal(read(template.state_fd, text, sizeof(text)), 20);
  assert_string_equal(text, "state of the devices");
  assert_int_equal(read(template.memory_fd, text, 6), 6);
  assert_memory_equal(text, "memory", 6);
  assert_int_equal(read(template.scratch_fd, text, 7), 7);
  assert_memory_equal(text, "scratch", 7);
  zl_vm_template_close(&template);
  zl_vm_template_close(&template);
  assert_int_equal(attempt(box, KEY, ""), 0);
}

static void change(const struct scratch *box, const char *name, off_t at, off_t size)
{
  zl_autofd fd = zl_fd_open(box->fd, name, O_RDWR, 0);

  assert_true(fd >= 0);
  if (at >= 0)
    assert_int_equal(pwrite(fd, "X", 1, at), 1);
  else
    assert_int_equal(ftruncate(fd, size), 0);
}

/* The others may have got blocks since, by being read; what they were stays. */
static void code_is_sealed_later(void **state)
{
  const struct scratch *box = *state;
  struct zl_vm_template template;
  struct zl_error err = { 0 };
  char text[32] = "";

  assert_int_equal(zl_vm_template_seal_code(box->fd, KEY, &err), -ZL_E_NOT_FOUND);
  make_template(box);
  assert_int_equal(zl_vm_template_seal_code(box->fd, KEY, &err), -ZL_E_NOT_FOUND);
  assert_non_null(strstr(err.msg, "'code'"));
  put(box, "code", "code", 4);
  assert_int_equal(zl_vm_template_open(box->fd, KEY, &template, &err), 0);
  assert_int_equal(template.code_fd, -1); /* it may not be complete */
  zl_vm_template_close(&template);
  assert_int_equal(zl_vm_template_seal_code(box->fd, KEY, &err), 0);
  assert_int_equal(zl_vm_template_open(box->fd, KEY, &template, &err), 0);
  assert_int_equal(read(template.code_fd, text, sizeof(text)), 4);
  assert_string_equal(text, "code");
  zl_vm_template_close(&template);
  assert_int_equal(template.code_fd, -1);
}

/* The seal of the code is none of a memory that was changed before it. */
static void code_does_not_seal_the_rest(void **state)
{
  const struct scratch *box = *state;
  struct zl_error err = { 0 };

  make_template(box);
  change(box, "memory", 3, 0);
  put(box, "code", "code", 4);
  assert_int_equal(zl_vm_template_seal_code(box->fd, KEY, &err), 0);
  assert_int_equal(attempt(box, KEY, "'memory'"), -ZL_E_CORRUPT);
}

static void changed_code_is_noticed(void **state)
{
  const struct scratch *box = *state;
  struct zl_error err = { 0 };

  make_template(box);
  put(box, "code", "code", 4);
  assert_int_equal(zl_vm_template_seal_code(box->fd, KEY, &err), 0);
  change(box, "code", -1, 3);
  assert_int_equal(attempt(box, KEY, "'code'"), -ZL_E_CORRUPT);
  assert_int_equal(unlinkat(box->fd, "code", 0), 0);
  assert_int_equal(attempt(box, KEY, "'code'"), -ZL_E_CORRUPT);
}

static void an_unfinished_template_is_none(void **state)
{
  const struct scratch *box = *state;
  struct zl_error err = { 0 };

  assert_int_equal(attempt(box, KEY, "template.json"), -ZL_E_NOT_FOUND);
  put(box, "memory", "memory", 100);
  put(box, "state", "state", 5);
  assert_int_equal(zl_vm_template_seal(box->fd, KEY, &err), -ZL_E_NOT_FOUND);
  assert_non_null(strstr(err.msg, "'scratch'"));
  assert_int_equal(attempt(box, KEY, "template.json"), -ZL_E_NOT_FOUND);
}

static void changed_files_are_noticed(void **state)
{
  static const char *const names[] = { "memory", "state", "scratch" };
  const struct scratch *box = *state;

  for (size_t i = 0; i < ZL_COUNT(names); i++) {
    char words[32], other[16];

    (void)snprintf(words, sizeof(words), "'%s'", names[i]);
    (void)snprintf(other, sizeof(other), "%s2", names[i]);
    make_template(box);
    change(box, names[i], -1, 10);
    assert_int_equal(attempt(box, KEY, words), -ZL_E_CORRUPT);
    make_template(box);
    change(box, names[i], -1, 2 << 20);
    assert_int_equal(attempt(box, KEY, words), -ZL_E_CORRUPT);
    make_template(box);
    change(box, names[i], 3, 0);
    assert_int_equal(attempt(box, KEY, words), -ZL_E_CORRUPT);

    /* Replaced by a file of the same content and size. */
    make_template(box);
    assert_int_equal(renameat(box->fd, names[i], box->fd, other), 0);
    put(box, names[i], i == 1 ? "state of the devices" : names[i], i == 1 ? 20 : 1 << 20);
    assert_int_equal(attempt(box, KEY, words), -ZL_E_CORRUPT);
    assert_int_equal(unlinkat(box->fd, names[i], 0), 0);
    assert_int_equal(attempt(box, KEY, words), -ZL_E_CORRUPT);
    assert_int_equal(symlinkat(other, box->fd, names[i]), 0);
    assert_int_equal(attempt(box, KEY, words), -ZL_E_CORRUPT);
    assert_int_equal(unlinkat(box->fd, names[i], 0), 0);
    assert_int_equal(unlinkat(box->fd, other, 0), 0);
  }
}

/* On tmpfs a hole that is read through a mapping becomes a page: QEMU does that to the memory. */
static void reading_changes_nothing(void **state)
{
  struct scratch box;
  int memory;
  struct stat before, after;
  volatile const char *pages;

  (void)state;
  scratch_make(&box, "/dev/shm", "vmm");
  make_template(&box);
  memory = zl_fd_open(box.fd, "memory", O_RDWR, 0);
  assert_int_equal(fstat(memory, &before), 0);
  pages = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE, memory, 0);
  assert_true(pages != MAP_FAILED);
  for (size_t at = 0; at < 1 << 20; at += 4096)
    assert_int_equal(pages[at], at == 0 ? 'm' : 0);
  assert_int_equal(munmap((void *)(uintptr_t)pages, 1 << 20), 0);
  assert_int_equal(fstat(memory, &after), 0);
  assert_true(after.st_blocks > before.st_blocks);
  assert_int_equal(attempt(&box, KEY, ""), 0);
  (void)close(memory);
  scratch_remove(&box);
}

/* The times can be put back by whoever may write; what QEMU would read cannot be. */
static void a_state_is_known_by_its_content(void **state)
{
  const struct scratch *box = *state;
  char text[4096] = "";
  char *digit;
  zl_autofd seal = -1;

  make_template(box);
  seal = zl_fd_open(box->fd, "template.json", O_RDWR, 0);
  assert_true(seal >= 0);
  assert_true(zl_fd_read_full(seal, text, sizeof(text) - 1) > 0);
  digit = strstr(text, "\"sha256:");
  assert_non_null(digit);
  digit[8] = digit[8] == '0' ? '1' : '0';
  assert_int_equal(pwrite(seal, text, strlen(text), 0), (ssize_t)strlen(text));
  assert_int_equal(attempt(box, KEY, "digest"), -ZL_E_CORRUPT);
}

static void a_seal_of_another_kind_is_refused(void **state)
{
  static const char *const seals[] = {
    "",
    "{",
    "[]",
    "{}",
    "{\"format\":99,\"key\":\"" KEY "\"}",
    "{\"format\":1,\"key\":7}",
    "{\"format\":1,\"key\":\"" KEY "\",\"memory\":[]}",
  };
  const struct scratch *box = *state;

  make_template(box);
  assert_int_equal(attempt(box, "f" KEY, "another template"), -ZL_E_CORRUPT);
  for (size_t i = 0; i < ZL_COUNT(seals); i++) {
    put(box, "template.json", seals[i], (off_t)strlen(seals[i]));
    assert_int_equal(attempt(box, KEY, ""), -ZL_E_CORRUPT);
  }
  put(box, "template.json", "", 1 << 20);
  assert_int_equal(attempt(box, KEY, "larger"), -ZL_E_CORRUPT);
}

static void a_key_tells_shapes_apart(void **state)
{
  const struct scratch *box = *state;
  struct zl_vm_shape shape = {
    .qemu = "/bin/true", .initrd = "/bin/sh", .memory_mib = 256, .vcpus = 1
  };
  char kernel[96], scratch[96], key[ZL_VM_KEY_TEXT], other[ZL_VM_KEY_TEXT];
  struct zl_error err = { 0 };

  (void)snprintf(kernel, sizeof(kernel), "%s/kernel", box->path);
  (void)snprintf(scratch, sizeof(scratch), "%s/scratch", box->path);
  put(box, "kernel", "kernel", 6);
  shape.kernel = kernel;
  shape.scratch = scratch;
  assert_int_equal(zl_vm_shape_key(&shape, key, &err), -ZL_E_NOT_FOUND);
  assert_non_null(strstr(err.msg, "scratch"));
  put(box, "scratch", "scratch", 7);
  assert_int_equal(zl_vm_shape_key(&shape, key, &err), 0);
  assert_int_equal(strspn(key, "0123456789abcdef"), 64);
  assert_int_equal(zl_vm_shape_key(&shape, other, &err), 0);
  assert_string_equal(key, other);

  shape.vcpus = 2;
  assert_int_equal(zl_vm_shape_key(&shape, other, &err), 0);
  assert_string_not_equal(key, other);
  shape.vcpus = 1;
  shape.acpi = true;
  assert_int_equal(zl_vm_shape_key(&shape, other, &err), 0);
  assert_string_not_equal(key, other);
  shape.acpi = false;
  shape.image = "/bin/true";
  assert_int_equal(zl_vm_shape_key(&shape, other, &err), 0);
  assert_string_not_equal(key, other);
  shape.image = "/there/is/none";
  assert_int_equal(zl_vm_shape_key(&shape, other, &err), -ZL_E_NOT_FOUND);
  shape.image = NULL;
  put(box, "kernel", "Kernel", 6);
  assert_int_equal(zl_vm_shape_key(&shape, other, &err), 0);
  assert_string_not_equal(key, other);
}

static void compare_disks(int one, int two)
{
  static char a[1 << 16], b[1 << 16];

  for (off_t at = 0; at < DISK_SIZE; at += (off_t)sizeof(a)) {
    assert_int_equal(pread(one, a, sizeof(a), at), sizeof(a));
    assert_int_equal(pread(two, b, sizeof(b), at), sizeof(b));
    assert_memory_equal(a, b, sizeof(a));
  }
}

static void copy_and_compare(const struct scratch *box, int from)
{
  struct zl_error err = { 0 };
  struct stat st;
  uint64_t used = 0;
  int to = -1;

  if (zl_disk_copy(from, box->fd, "copy", &to, &err) < 0)
    fail_msg("%s", err.msg);
  assert_int_equal(fsync(to), 0);
  assert_int_equal(fstat(to, &st), 0);
  assert_int_equal(st.st_size, DISK_SIZE);
  assert_int_equal(st.st_mode & 0777, 0600);
  compare_disks(from, to);
  assert_int_equal(zl_disk_allocated(to, &used, &err), 0);
  assert_in_range(used, DATA_SIZE, DATA_SIZE + (1 << 20));
  assert_int_equal(pwrite(to, "z", 1, 0), 1);

  assert_int_equal(zl_disk_copy(from, box->fd, "copy", &to, &err), -ZL_E_CONFLICT);
  assert_int_equal(unlinkat(box->fd, "copy", 0), 0);
  (void)close(to);
}

static void fill_disk(int fd)
{
  static char data[DATA_SIZE];

  for (size_t i = 0; i < sizeof(data); i++)
    data[i] = (char)(i * 7 + i / 251);
  assert_int_equal(ftruncate(fd, DISK_SIZE), 0);
  assert_int_equal(pwrite(fd, data, sizeof(data), DATA_AT + 123), sizeof(data));
}

static void a_copy_of_a_disk_is_sparse_and_equal(void **state)
{
  const struct scratch *box = *state;
  zl_autofd from = zl_fd_open(box->fd, "disk", O_RDWR | O_CREAT, 0600);

  assert_true(from >= 0);
  fill_disk(from);
  copy_and_compare(box, from);
}

/* From another file system, where the kernel does not copy by itself. */
static void a_disk_may_come_from_elsewhere(void **state)
{
  const struct scratch *box = *state;
  zl_autofd from = zl_fd_open(AT_FDCWD, "/dev/shm", O_RDWR | O_TMPFILE, 0600);

  assert_true(from >= 0);
  fill_disk(from);
  copy_and_compare(box, from);
}

static void a_copy_that_fails_leaves_nothing(void **state)
{
  const struct scratch *box = *state;
  zl_autofd from = zl_fd_open(box->fd, "disk", O_RDWR | O_CREAT, 0600),
            blind = zl_fd_open(box->fd, "disk", O_WRONLY, 0);
  struct zl_error err = { 0 };
  int to = -1;

  fill_disk(from);
  assert_int_equal(zl_disk_copy(blind, box->fd, "copy", &to, &err), -ZL_E_SYSTEM);
  assert_int_equal(err.os_error, EBADF);
  assert_int_equal(to, -1);
  assert_int_equal(faccessat(box->fd, "copy", F_OK, 0), -1);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown(a_sealed_template_opens, box_new, box_free),
    cmocka_unit_test_setup_teardown(code_is_sealed_later, box_new, box_free),
    cmocka_unit_test_setup_teardown(code_does_not_seal_the_rest, box_new, box_free),
    cmocka_unit_test_setup_teardown(changed_code_is_noticed, box_new, box_free),
    cmocka_unit_test_setup_teardown(an_unfinished_template_is_none, box_new, box_free),
    cmocka_unit_test_setup_teardown(changed_files_are_noticed, box_new, box_free),
    cmocka_unit_test_setup_teardown(a_state_is_known_by_its_content, box_new, box_free),
    cmocka_unit_test(reading_changes_nothing),
    cmocka_unit_test_setup_teardown(a_seal_of_another_kind_is_refused, box_new, box_free),
    cmocka_unit_test_setup_teardown(a_key_tells_shapes_apart, box_new, box_free),
    cmocka_unit_test_setup_teardown(a_copy_of_a_disk_is_sparse_and_equal, box_new, box_free),
    cmocka_unit_test_setup_teardown(a_disk_may_come_from_elsewhere, box_new, box_free),
    cmocka_unit_test_setup_teardown(a_copy_that_fails_leaves_nothing, box_new, box_free),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
