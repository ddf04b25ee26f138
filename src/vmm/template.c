/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/template.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/digest.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/limits.h"

#define SEAL "template.json"

enum {
  BLOCK = 64 << 10,
  MAX_STATE = 64 << 20 /* devices without memory: some 64 KiB, and the firmware's ROM */
};

enum {
  MEMORY,
  STATE,
  SCRATCH,
  CODE, /* may be absent */
  N_FILES
};

static const char *const names[N_FILES] = { "memory", "state", "scratch", "code" };

/* ---- what a file is ---- */

static json_int_t in_ns(struct timespec time)
{
  return (json_int_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

static int digest_state(int fd, off_t size, char text[ZL_DIGEST_TEXT], struct zl_error *err)
{
  zl_autohash hash = NULL;
  zl_autofree char *block = malloc(BLOCK);
  int r =
      block == NULL ? zl_fail_nomem(err, "reading the state") : zl_hash_new(ZL_SHA256, &hash, err);

  if (r < 0)
    return r;
  if (size > MAX_STATE)
    return zl_fail(err, ZL_E_LIMIT, 0, "a machine's state of more than %d bytes", MAX_STATE);
  for (off_t at = 0; at < size;) {
    ssize_t n = pread(fd, block, BLOCK, at);

    if (n <= 0)
      return zl_fail(err, ZL_E_SYSTEM, n < 0 ? errno : EIO, "reading the state");
    zl_hash_update(hash, block, (size_t)n);
    at += n;
  }
  return zl_hash_final(hash, text, err);
}

/* Two descriptions match exactly when the file is the one that was described. The whole content is
 * not read: the memory has hundreds of megabytes. */
static int describe(int fd, bool with_digest, json_t **ret, struct zl_error *err)
{
  char digest[ZL_DIGEST_TEXT] = "";
  struct stat st;
  json_t *json;
  int r;

  if (fstat(fd, &st) < 0)
    return zl_fail_errno(err, "looking at it");
  if (!S_ISREG(st.st_mode))
    return zl_fail(err, ZL_E_CORRUPT, 0, "it is no regular file");
  r = with_digest ? digest_state(fd, st.st_size, digest, err) : 0;
  if (r < 0)
    return r;
  json = json_pack("{s:I, s:I, s:I, s:I, s:I}", "size", (json_int_t)st.st_size, "blocks",
                   (json_int_t)st.st_blocks, "inode", (json_int_t)st.st_ino, "mtimeNs",
                   in_ns(st.st_mtim), "ctimeNs", in_ns(st.st_ctim));
  if (json == NULL ||
      (with_digest && json_object_set_new(json, "digest", json_string(digest)) < 0)) {
    json_decref(json);
    return zl_fail_nomem(err, "a template's description");
  }
  *ret = json;
  return 0;
}

/* ---- sealing ---- */

static int seal_file(int dir_fd, int which, json_t *seal, struct zl_error *err)
{
  zl_autofd fd = zl_fd_open(dir_fd, names[which], O_RDONLY | O_NOFOLLOW, 0);
  json_t *json = NULL;
  int r;

  if (fd < 0)
    return zl_fail(err, fd == -ENOENT ? ZL_E_NOT_FOUND : ZL_E_SYSTEM, -fd, "opening '%s'",
                   names[which]);
  r = describe(fd, which == STATE, &json, err);
  if (r < 0)
    return zl_wrap(err, "file '%s'", names[which]);
  return json_object_set_new(seal, names[which], json) < 0
             ? zl_fail_nomem(err, "a template's description")
             : 0;
}

static int write_seal(int dir_fd, const json_t *seal, struct zl_error *err)
{
  zl_autofree char *text = NULL;
  int r = zl_json_render(seal, &text, err);

  return r < 0 ? r : zl_file_replace(dir_fd, SEAL, text, strlen(text), 0600, true, err);
}

int zl_vm_template_seal(int dir_fd, const char *key, struct zl_error *err)
{
  zl_autojson *seal = json_pack("{s:i, s:s}", "format", ZL_VM_TEMPLATE_FORMAT, "key", key);
  int r = seal == NULL ? zl_fail_nomem(err, "a template's description") : 0;

  for (int i = 0; r == 0 && i < CODE; i++)
    r = seal_file(dir_fd, i, seal, err);
  if (r == 0)
    r = write_seal(dir_fd, seal, err);
  return r < 0 ? zl_wrap(err, "sealing the template") : 0;
}

/* ---- opening ---- */

static int read_seal(int dir_fd, const char *key, json_t **ret, struct zl_error *err)
{
  zl_autobuf text = ZL_BUF_INIT(ZL_MAX_SMALL_FILE);
  zl_autojson *seal = NULL;
  struct zl_error own = { 0 };
  const char *found = NULL;
  int64_t format = 0;
  int r = zl_file_read(dir_fd, SEAL, &text, &own);

  if (r < 0)
    return zl_fail(err, r == -ZL_E_NOT_FOUND || r == -ZL_E_SYSTEM ? own.code : ZL_E_CORRUPT, 0,
                   "%s", own.msg);
  if (zl_json_parse(text.data != NULL ? text.data : "", text.len, SEAL, &seal, &own) < 0 ||
      zl_json_get_int(seal, "", "format", 0, INT32_MAX, 0, &format, &own) < 0 ||
      zl_json_get_string(seal, "", "key", &found, &own) < 0)
    return zl_fail(err, ZL_E_CORRUPT, 0, "%s", own.msg);
  if (format != ZL_VM_TEMPLATE_FORMAT || found == NULL || strcmp(found, key) != 0)
    return zl_fail(err, ZL_E_CORRUPT, 0, "%s is that of another template", SEAL);
  *ret = zl_steal_ptr(&seal);
  return 0;
}

int zl_vm_template_seal_code(int dir_fd, const char *key, struct zl_error *err)
{
  zl_autojson *seal = NULL;
  int r = read_seal(dir_fd, key, &seal, err);

  if (r == 0)
    r = seal_file(dir_fd, CODE, seal, err);
  if (r == 0)
    r = write_seal(dir_fd, seal, err);
  return r < 0 ? zl_wrap(err, "sealing the template's code") : 0;
}

/* Reading a hole of a mapped file gives it a page on tmpfs, and other file systems count blocks of
 * their own once they have written: there may be more of them, without anybody having written. */
static bool is_same(const char *member, const json_t *sealed, const json_t *now)
{
  if (strcmp(member, "blocks") == 0 && json_is_integer(sealed))
    return json_integer_value(now) >= json_integer_value(sealed);
  return json_equal(now, sealed) != 0;
}

/* Names the first member that differs. */
static int compare(const json_t *sealed, json_t *now, const char *name, struct zl_error *err)
{
  const char *member;
  json_t *value;

  json_object_foreach (now, member, value)
    if (!is_same(member, json_object_get(sealed, member), value))
      return zl_fail(err, ZL_E_CORRUPT, 0, "file '%s' has changed since it was sealed: its %s",
                     name, member);
  return 0;
}

static int open_file(int dir_fd, int which, const json_t *seal, int *ret_fd, struct zl_error *err)
{
  zl_autofd fd = zl_fd_open(dir_fd, names[which], O_RDONLY | O_NOFOLLOW, 0);
  zl_autojson *now = NULL;
  struct zl_error own = { 0 };
  int r;

  if (fd < 0)
    return zl_fail(err, fd == -ENOENT || fd == -ELOOP ? ZL_E_CORRUPT : ZL_E_SYSTEM, -fd,
                   "opening '%s'", names[which]);
  r = describe(fd, which == STATE, &now, &own);
  if (r < 0)
    return zl_fail(err, r == -ZL_E_LIMIT ? ZL_E_CORRUPT : own.code, 0, "file '%s': %s",
                   names[which], own.msg);
  r = compare(json_object_get(seal, names[which]), now, names[which], err);
  if (r == 0)
    *ret_fd = zl_steal_fd(&fd);
  return r;
}

int zl_vm_template_open(int dir_fd, const char *key, struct zl_vm_template *ret,
                        struct zl_error *err)
{
  ZL_CLEANUP(zl_vm_template_close) struct zl_vm_template files = ZL_VM_TEMPLATE_INIT;
  zl_autojson *seal = NULL;
  int r = read_seal(dir_fd, key, &seal, err);

  if (r == 0)
    r = open_file(dir_fd, MEMORY, seal, &files.memory_fd, err);
  if (r == 0)
    r = open_file(dir_fd, STATE, seal, &files.state_fd, err);
  if (r == 0)
    r = open_file(dir_fd, SCRATCH, seal, &files.scratch_fd, err);
  if (r == 0 && json_object_get(seal, names[CODE]) != NULL)
    r = open_file(dir_fd, CODE, seal, &files.code_fd, err);
  if (r < 0)
    return zl_wrap(err, "template %.12s", key);
  *ret = files;
  files = (struct zl_vm_template)ZL_VM_TEMPLATE_INIT;
  return 0;
}

void zl_vm_template_close(struct zl_vm_template *template)
{
  zl_fd_closep(&template->memory_fd);
  zl_fd_closep(&template->state_fd);
  zl_fd_closep(&template->scratch_fd);
  zl_fd_closep(&template->code_fd);
}
