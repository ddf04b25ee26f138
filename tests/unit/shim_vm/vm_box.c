/* SPDX-License-Identifier: Apache-2.0 */
#include "vm_box.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/path.h"
#include "base/time.h"
#include "vmm/template.h"

enum {
  WATCHDOG_S = 110, /* a shim that hangs fails the test */
  GROWTH_KIB = 4 << 10,
  /* An address sanitizer keeps freed memory back for a while. */
  SANITIZED_GROWTH_KIB = 512 << 10
};

static void put(int dir_fd, const char *name, const char *text)
{
  zl_autofd fd = zl_fd_open(dir_fd, name, O_WRONLY | O_CREAT | O_TRUNC, 0600);

  assert_true(fd >= 0);
  assert_int_equal(zl_fd_write_full(fd, text, strlen(text)), 0);
}

static void put_sized(int dir_fd, const char *name, off_t size)
{
  zl_autofd fd = zl_fd_open(dir_fd, name, O_WRONLY | O_CREAT | O_TRUNC, 0600);

  assert_true(fd >= 0);
  assert_int_equal(ftruncate(fd, size), 0);
}

int vm_group_begin(void **state)
{
  static const char *const names[] = { "kernel", "initrd", "image", "scratch" };
  zl_autofd home = -1;

  assert_non_null(getenv("ZLAYER_FAKE_QEMU"));
  (void)box_group_begin(state);
  home = open(box_home(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  assert_true(home >= 0);
  for (size_t i = 0; i < ZL_COUNT(names); i++)
    put_sized(home, names[i], 1 << 20);
  return 0;
}

static json_t *path_of(const char *dir, const char *name)
{
  return json_sprintf("%s/%s", dir, name);
}

struct box *vm_box(const char *role)
{
  static const char *const files[] = { "hosts", "resolv.conf", "hostname" };
  struct box *box = BOX_SH("true");
  zl_autofree char *text = NULL;
  json_t *json;

  for (size_t i = 0; i < ZL_COUNT(files); i++)
    put(box->dir_fd, files[i], "box\n");
  put(box->dir_fd, "role", role);
  assert_int_equal(symlinkat(getenv("ZLAYER_FAKE_QEMU"), box->dir_fd, "qemu"), 0);
  json = json_pack("{s:o, s:o, s:o, s:o, s:o, s:s, s:i, s:i}", "qemu", path_of(box->dir, "qemu"),
                   "kernel", path_of(box_home(), "kernel"), "initrd", path_of(box_home(), "initrd"),
                   "image", path_of(box_home(), "image"), "scratch", path_of(box_home(), "scratch"),
                   "accel", "tcg", "tscKhz", 2000000, "memoryMiB", 96);
  text = json_dumps(json, 0);
  assert_non_null(text);
  put(box->dir_fd, "machine.json", text);
  json_decref(json);
  return box;
}

int vm_case_begin(void **state)
{
  (void)state;
  (void)alarm(WATCHDOG_S);
  (void)unsetenv("ZLAYER_FAULTS");
  return 0;
}

int vm_case_end(void **state)
{
  (void)state;
  (void)alarm(0);
  (void)unsetenv("ZLAYER_FAULTS");
  return 0;
}

void vm_be_hasty(const char *patience)
{
  char text[96];

  (void)snprintf(text, sizeof(text), "shim.vm.hasty.%s", patience);
  assert_int_equal(setenv("ZLAYER_FAULTS", text, 1), 0);
}

struct box *vm_running(const char *role)
{
  struct box *box = vm_box(role);

  print_message("           %s\n", role);
  box_create(box);
  json_decref(box_ask(box, "{s:s}", "op", "start"));
  return box;
}

void vm_stop(struct box *box, int grace_ms)
{
  uint64_t began = zl_time_boot();
  json_t *reply =
      box_ask(box, "{s:s, s:i, s:i}", "op", "stop", "signal", SIGTERM, "grace_ms", grace_ms);

  assert_non_null(reply);
  assert_true(json_is_true(json_object_get(reply, "ok")));
  json_decref(reply);
  assert_true(zl_time_boot() - began < (uint64_t)grace_ms * ZL_NS_PER_MS + QUICK_S * ZL_NS_PER_S);
}

void vm_set(const struct box *box, const char *key, json_t *value)
{
  char path[192];
  json_t *json;

  (void)snprintf(path, sizeof(path), "%s/machine.json", box->dir);
  json = json_load_file(path, 0, NULL);
  assert_int_equal(json_object_set_new(json, key, value), 0);
  assert_int_equal(json_dump_file(json, path, 0), 0);
  json_decref(json);
}

char *vm_image(const struct box *box)
{
  char path[192], *image;
  json_t *json;

  (void)snprintf(path, sizeof(path), "%s/machine.json", box->dir);
  json = json_load_file(path, 0, NULL);
  image = strdup(json_string_value(json_object_get(json, "image")));
  json_decref(json);
  return image;
}

int vm_template(const struct box *box)
{
  struct zl_error err = { 0 };
  int fd;

  assert_int_equal(mkdirat(box->dir_fd, VM_TEMPLATE, 0700), 0);
  fd = openat(box->dir_fd, VM_TEMPLATE, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  assert_true(fd >= 0);
  put(fd, "machine.json",
      "{\"qemu\":\"q\",\"kernel\":\"k\",\"initrd\":\"i\",\"scratch\":\"s\",\"accel\":\"tcg\"}");
  put_sized(fd, "memory", 1 << 20);
  put_sized(fd, "scratch", 1 << 20);
  put(fd, "state", "of the devices");
  if (zl_vm_template_seal(fd, VM_TEMPLATE, &err) < 0)
    fail_msg("%s", err.msg);
  vm_set(box, "template", path_of(box->dir, VM_TEMPLATE));
  return fd;
}

int vm_template_of_image(const struct box *box, const char *image, const char *contents)
{
  int fd = vm_template(box);
  json_t *json = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s}", "qemu", "q", "kernel", "k", "initrd",
                           "i", "scratch", "s", "accel", "tcg", "image", image);
  char *text = json_dumps(json, 0);

  assert_non_null(text);
  assert_int_equal(unlinkat(fd, "machine.json", 0), 0);
  put(fd, "machine.json", text);
  if (contents != NULL)
    put(fd, "contents.json", contents);
  free(text);
  json_decref(json);
  return fd;
}

/* ---- What it says -------------------------------------------------------------------------- */

static char *text_of(const json_t *json, const char *key)
{
  const json_t *value = json_object_get(json, key);
  char *text = NULL;

  if (json_is_string(value))
    return strdup(json_string_value(value));
  if (json_is_integer(value) && asprintf(&text, "%lld", json_integer_value(value)) > 0)
    return text;
  return strdup("");
}

char *vm_state(struct box *box, const char *key)
{
  json_t *reply = box_ask(box, "{s:s}", "op", "state");
  char *text;

  assert_non_null(reply);
  text = text_of(reply, key);
  json_decref(reply);
  return text;
}

char *vm_exit(const struct box *box, const char *key)
{
  char path[192], *text;
  json_t *json;

  (void)snprintf(path, sizeof(path), "%s/exit.json", box->dir);
  json = json_load_file(path, 0, NULL);
  assert_non_null(json);
  text = text_of(json, key);
  json_decref(json);
  return text;
}

static void assert_words(const char *text, const char *words)
{
  if (text == NULL || strstr(text, words) == NULL)
    fail_msg("'%s' is not in '%s'", words, text != NULL ? text : "");
}

void vm_expect_refused(struct box *box, const char *words)
{
  json_t *reply = box_launch(box);
  int status = 0;

  assert_non_null(reply);
  assert_true(json_is_false(json_object_get(reply, "ok")));
  assert_words(json_string_value(json_object_get(reply, "message")), words);
  json_decref(reply);
  assert_int_equal(zl_proc_wait(&box->shim, &status, NULL), 0);
  assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 1);
  assert_true(faccessat(box->dir_fd, "exit.json", F_OK, 0) < 0);
}

void vm_expect_failed(struct box *box, const char *words)
{
  zl_autofree char *message = NULL;

  vm_expect_end(box, 125, "runtime_error");
  message = vm_exit(box, "message");
  assert_words(message, words);
}

void vm_expect_end(struct box *box, int code, const char *reason)
{
  char got[32];
  int got_code = -1;

  box_finish(box, &got_code, got);
  if (got_code != code || strcmp(got, reason) != 0) {
    zl_autofree char *message = vm_exit(box, "message");

    fail_msg("it ended with %d, %s (%s) instead of %d, %s", got_code, got, message, code, reason);
  }
}

/* ---- Memory -------------------------------------------------------------------------------- */

size_t vm_memory(const struct box *box)
{
  char path[64], *text, *line;
  size_t kib;

  (void)snprintf(path, sizeof(path), "/proc/%d/status", (int)box->shim.pid);
  text = read_text(path);
  assert_non_null(text);
  line = strstr(text, "\nVmHWM:");
  assert_non_null(line);
  kib = strtoul(line + strlen("\nVmHWM:"), NULL, 10);
  free(text);
  return kib;
}

void vm_assert_no_growth(const struct box *box, size_t before)
{
  size_t now = vm_memory(box);
  size_t most = getenv("ZLAYER_SHIM_SANITIZED") != NULL ? SANITIZED_GROWTH_KIB : GROWTH_KIB;

  print_message("           its peak: %zu KiB, before %zu\n", now, before);
  if (now > before + most)
    fail_msg("the shim has grown from %zu to %zu KiB", before, now);
}

/* ---- Leftovers ----------------------------------------------------------------------------- */

static bool is_machine(const char *pid)
{
  char path[64], exe[4096];
  ssize_t n;

  (void)snprintf(path, sizeof(path), "/proc/%s/exe", pid);
  n = readlink(path, exe, sizeof(exe) - 1);
  exe[n > 0 ? n : 0] = '\0';
  return strcmp(exe, getenv("ZLAYER_FAKE_QEMU")) == 0;
}

static void assert_no_machine(void)
{
  DIR *dir = opendir("/proc");
  struct dirent *e;

  assert_non_null(dir);
  while ((e = readdir(dir)) != NULL)
    if (e->d_name[0] >= '0' && e->d_name[0] <= '9' && is_machine(e->d_name))
      fail_msg("process %s, a machine, was left behind", e->d_name);
  (void)closedir(dir);
}

void vm_free(struct box *box)
{
  assert_no_machine();
  assert_true(faccessat(box->dir_fd, "scratch", F_OK, 0) < 0);
  box_free(box);
}
