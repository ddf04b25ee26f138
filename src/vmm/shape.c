/* SPDX-License-Identifier: Apache-2.0
 *
 * The name of a template: everything that its machine's memory depends on.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/digest.h"
#include "base/fd.h"
#include "base/limits.h"
#include "vmm/template.h"

enum {
  MAX_SHAPE = 32 << 10,  /* four paths and a processor's flags */
  MAX_CPUINFO = 4 << 20, /* some KiB for each of the largest machine's processors */
  DIGEST_PREFIX = 7      /* "sha256:" */
};

/* What may change a processor's behaviour for the guest; the rest, such as its present clock rate,
 * does not. */
static bool matters(const char *line, size_t len)
{
  static const char *const keys[] = { "vendor_id", "cpu family", "model", "model name",
                                      "stepping",  "microcode",  "flags" };
  size_t key = strcspn(line, "\t:\n");

  for (size_t i = 0; i < ZL_COUNT(keys); i++)
    if (key < len && key == strlen(keys[i]) && memcmp(line, keys[i], key) == 0)
      return true;
  return false;
}

/* The first processor's; the others are alike. */
static int add_processor(struct zl_buf *shape, struct zl_error *err)
{
  zl_autobuf info = ZL_BUF_INIT(MAX_CPUINFO);
  int r = zl_file_read(AT_FDCWD, "/proc/cpuinfo", &info, err);

  if (r < 0)
    return r;
  for (const char *line = info.data; line != NULL && *line != '\0' && *line != '\n';) {
    size_t len = strcspn(line, "\n");

    if (matters(line, len))
      r = zl_buf_append(shape, line, len + (line[len] == '\n'), err);
    if (r < 0)
      return r;
    line += len + (line[len] == '\n');
  }
  return 0;
}

static int add_file(struct zl_buf *shape, const char *what, const char *path, struct zl_error *err)
{
  struct stat st;

  if (stat(path, &st) < 0)
    return zl_fail(err, errno == ENOENT || errno == ENOTDIR ? ZL_E_NOT_FOUND : ZL_E_SYSTEM, errno,
                   "%s '%s' of a machine", what, path);
  return zl_buf_printf(shape, err, "%s %s %llu %llu %lld.%09ld %lld.%09ld\n", what, path,
                       (unsigned long long)st.st_ino, (unsigned long long)st.st_size,
                       (long long)st.st_mtim.tv_sec, st.st_mtim.tv_nsec,
                       (long long)st.st_ctim.tv_sec, st.st_ctim.tv_nsec);
}

static int describe(const struct zl_vm_shape *shape, struct zl_buf *ret, struct zl_error *err)
{
  int r = zl_buf_printf(ret, err, "format %d accel %d memory %u vcpus %u acpi %d\n",
                        ZL_VM_TEMPLATE_FORMAT, (int)shape->accel, shape->memory_mib, shape->vcpus,
                        shape->acpi);

  if (r == 0)
    r = add_file(ret, "QEMU", shape->qemu, err);
  if (r == 0)
    r = add_file(ret, "kernel", shape->kernel, err);
  if (r == 0)
    r = add_file(ret, "initrd", shape->initrd, err);
  if (r == 0)
    r = add_file(ret, "scratch disk", shape->scratch, err);
  if (r == 0 && shape->image != NULL)
    r = add_file(ret, "image", shape->image, err);
  if (r == 0)
    r = add_processor(ret, err);
  return r;
}

int zl_vm_shape_key(const struct zl_vm_shape *shape, char key[ZL_VM_KEY_TEXT], struct zl_error *err)
{
  zl_autobuf text = ZL_BUF_INIT(MAX_SHAPE);
  char digest[ZL_DIGEST_TEXT];
  int r = describe(shape, &text, err);

  if (r == 0)
    r = zl_digest_of(ZL_SHA256, text.data, text.len, digest, err);
  if (r < 0)
    return zl_wrap(err, "naming a template");
  (void)snprintf(key, ZL_VM_KEY_TEXT, "%s", digest + DIGEST_PREFIX);
  return 0;
}
