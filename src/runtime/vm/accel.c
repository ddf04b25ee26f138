/* SPDX-License-Identifier: Apache-2.0
 *
 * The accelerator of this node. Measuring it takes up to half a second and forks, so the helper
 * program does it, once per boot.
 */
#include <fcntl.h>
#include <string.h>
#include <sys/wait.h>

#include "base/fd.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/proc.h"
#include "runtime/vm/guest.h"

#define FILE_NAME "accel.json"

static const char *const texts[] = { [ZL_VM_TCG] = "tcg", [ZL_VM_KVM] = "kvm" };

const char *zl_vm_accel_text(enum zl_vm_accel accel)
{
  return texts[accel];
}

static int read_members(const json_t *json, struct zl_accel *ret, struct zl_error *err)
{
  const char *accel = NULL, *kvm = NULL;
  int64_t mips = 0, khz = 0;
  int r = zl_json_get_string(json, "probe", "accel", &accel, err);

  if (r == 0)
    r = zl_json_get_string(json, "probe", "kvm", &kvm, err);
  if (r == 0)
    r = zl_json_get_int(json, "probe", "mips", 0, INT64_MAX, 0, &mips, err);
  if (r == 0)
    r = zl_json_get_int(json, "probe", "tsc_khz", 1, INT64_MAX, 0, &khz, err);
  if (r < 0)
    return r;
  if (accel == NULL || khz == 0 ||
      (strcmp(accel, texts[ZL_VM_TCG]) != 0 && strcmp(accel, texts[ZL_VM_KVM]) != 0))
    return zl_fail(err, ZL_E_CORRUPT, 0, "probe: it names no accelerator");
  ret->accel = strcmp(accel, texts[ZL_VM_KVM]) == 0 ? ZL_VM_KVM : ZL_VM_TCG;
  ret->mips = (uint64_t)mips;
  ret->tsc_khz = (uint64_t)khz;
  (void)snprintf(ret->kvm, sizeof(ret->kvm), "%s", kvm != NULL ? kvm : "");
  return 0;
}

int zl_vm_accel_parse(const char *text, size_t len, struct zl_accel *ret, struct zl_error *err)
{
  zl_autojson *json = NULL;
  struct zl_accel accel = { 0 };
  int r = zl_json_parse(text, len, "probe", &json, err);

  if (r == 0)
    r = read_members(json, &accel, err);
  if (r == 0)
    *ret = accel;
  return r;
}

/* What the file says of this boot. */
static int read_file(int vm_fd, const char *boot_id, struct zl_accel *ret)
{
  zl_autobuf text = ZL_BUF_INIT(ZL_MAX_SMALL_FILE);
  zl_autojson *json = NULL;
  const char *boot = NULL;
  int r = zl_file_read(vm_fd, FILE_NAME, &text, NULL);

  if (r == 0)
    r = zl_json_parse(text.data, text.len, FILE_NAME, &json, NULL);
  if (r == 0)
    r = zl_json_get_string(json, FILE_NAME, "boot_id", &boot, NULL);
  if (r < 0 || boot == NULL || strcmp(boot, boot_id) != 0)
    return -ZL_E_NOT_FOUND;
  return read_members(json, ret, NULL);
}

/* Remembering is for speed only: a failure to write costs the next caller a measurement. */
static void write_file(int vm_fd, const char *boot_id, const struct zl_accel *accel)
{
  zl_autojson *json = json_pack("{s:s, s:s, s:s, s:I, s:I}", "boot_id", boot_id, "accel",
                                texts[accel->accel], "kvm", accel->kvm, "mips",
                                (json_int_t)accel->mips, "tsc_khz", (json_int_t)accel->tsc_khz);
  zl_autofree char *text = NULL;

  if (json != NULL && zl_json_render(json, &text, NULL) == 0)
    (void)zl_file_replace(vm_fd, FILE_NAME, text, strlen(text), 0600, false, NULL);
}

static int run_probe(const struct zl_vm_helper *helper, struct zl_buf *out, struct zl_error *err)
{
  const char *argv[] = { helper->program, "probe", NULL };
  zl_autofd ours = -1, theirs = -1;
  struct zl_proc proc = { .pidfd = -1 };
  char chunk[512];
  ssize_t n;
  int ends[2], status = 0;
  int r = zl_fd_pipe(ends, err);

  if (r < 0)
    return r;
  ours = ends[0];
  theirs = ends[1];
  r = zl_proc_spawn(&(struct zl_proc_options){ .path = helper->program,
                                               .exec_fd = helper->fd,
                                               .argv = argv,
                                               .fds = &(struct zl_proc_fd){ theirs, 1 },
                                               .n_fds = 1 },
                    &proc, err);
  zl_fd_closep(&theirs);
  while (r == 0 && (n = zl_fd_read_full(ours, chunk, sizeof(chunk))) > 0)
    r = zl_buf_append(out, chunk, (size_t)n, err);
  if (r < 0) {
    zl_proc_kill(&proc);
    return r;
  }
  r = zl_proc_wait(&proc, &status, err);
  if (r == 0 && status != 0)
    r = zl_fail(err, ZL_E_SYSTEM, 0, "'%s probe' failed (status %d)", helper->program, status);
  return r;
}

int zl_vm_accel_get(const struct zl_vm_helper *helper, int vm_fd, const char *boot_id,
                    struct zl_accel *ret, struct zl_error *err)
{
  zl_autobuf out = ZL_BUF_INIT(ZL_MAX_SMALL_FILE);
  struct zl_accel accel = { 0 };
  int r;

  if (read_file(vm_fd, boot_id, ret) == 0)
    return 0;
  r = run_probe(helper, &out, err);
  if (r == 0)
    r = zl_vm_accel_parse(out.data != NULL ? out.data : "", out.len, &accel, err);
  if (r < 0)
    return zl_wrap(err, "looking for the accelerator");
  write_file(vm_fd, boot_id, &accel);
  *ret = accel;
  return 0;
}
