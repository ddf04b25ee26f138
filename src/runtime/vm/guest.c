/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/vm/guest.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/strv.h"

#define OWN_QEMU "qemu/qemu-system-x86_64"

static const char *const names[] = { "zlayer", "debian" };

void zl_vm_guest_done(struct zl_vm_guest *guest)
{
  free(guest->kernel);
  free(guest->initrd);
  free(guest->version);
  *guest = (struct zl_vm_guest){ 0 };
}

static bool has_feature(const json_t *features, const char *name)
{
  json_t *item;
  size_t i;

  json_array_foreach (features, i, item)
    if (json_is_string(item) && strcmp(json_string_value(item), name) == 0)
      return true;
  return false;
}

static int read_facts(const char *path, struct zl_vm_guest *guest, struct zl_error *err)
{
  zl_autobuf text = ZL_BUF_INIT(ZL_MAX_SMALL_FILE);
  zl_autojson *json = NULL;
  json_t *features = NULL;
  const char *version = NULL;
  int r = zl_file_read(AT_FDCWD, path, &text, err);

  if (r == 0)
    r = zl_json_parse(text.data, text.len, path, &json, err);
  if (r == 0)
    r = zl_json_get_string(json, path, "version", &version, err);
  if (r == 0)
    r = zl_json_get_bool(json, path, "acpi", false, &guest->acpi, err);
  if (r == 0)
    r = zl_json_get_array(json, path, "features", ZL_MAX_LIST, &features, err);
  if (r < 0)
    return r == -ZL_E_INVALID ? zl_fail(err, ZL_E_CORRUPT, 0, "'%s' is damaged", path) : r;
  guest->has_9p = has_feature(features, "9p");
  guest->version = strdup(version != NULL ? version : "");
  return guest->version != NULL ? 0 : zl_fail_nomem(err, "guest kernel");
}

/* 1: there is no such kernel. */
static int open_guest(const char *guest_dir, const char *name, struct zl_vm_guest *ret,
                      struct zl_error *err)
{
  zl_autofree char *facts = zl_asprintf("%s/%s/kernel.json", guest_dir, name);
  zl_autoguest guest = { .name = name,
                         .kernel = zl_asprintf("%s/%s/kernel", guest_dir, name),
                         .initrd = zl_asprintf("%s/%s/initrd", guest_dir, name) };
  int r;

  if (facts == NULL || guest.kernel == NULL || guest.initrd == NULL)
    return zl_fail_nomem(err, "guest kernel");
  if (access(guest.kernel, R_OK) < 0 || access(guest.initrd, R_OK) < 0 || access(facts, R_OK) < 0)
    return 1;
  r = read_facts(facts, &guest, err);
  if (r < 0)
    return r;
  *ret = guest;
  guest = (struct zl_vm_guest){ 0 };
  return 0;
}

int zl_vm_guest_find(const char *guest_dir, enum zl_vm_kernel wanted, struct zl_vm_guest *ret,
                     struct zl_error *err)
{
  static const char *const how[] = { "'make guest-kernel' (or 'make guest' for Debian's)",
                                     "'make guest-kernel'", "'make guest'" };

  for (size_t i = 0; i < ZL_COUNT(names); i++) {
    int r;

    if (wanted != ZL_VM_KERNEL_AUTO && (size_t)wanted != i + 1)
      continue;
    r = open_guest(guest_dir, names[i], ret, err);
    if (r <= 0)
      return r;
  }
  return zl_fail(err, ZL_E_UNSUPPORTED, 0,
                 "there is no %s%sguest kernel in '%s': %s makes one, $ZLAYER_GUEST_DIR says where "
                 "it is",
                 wanted != ZL_VM_KERNEL_AUTO ? names[wanted - 1] : "",
                 wanted != ZL_VM_KERNEL_AUTO ? " " : "", guest_dir, how[wanted]);
}

int zl_vm_guest_dir(const char *helper_dir, char **ret, struct zl_error *err)
{
  const char *given = getenv("ZLAYER_GUEST_DIR");

  *ret = given != NULL && *given != '\0' ? strdup(given) : zl_asprintf("%s/guest", helper_dir);
  return *ret != NULL ? 0 : zl_fail_nomem(err, "directory of the guest kernels");
}

int zl_vm_qemu_find(const char *guest_dir, const char *path, char **ret, struct zl_error *err)
{
  zl_autofree char *own = zl_asprintf("%s/" OWN_QEMU, guest_dir);

  if (own == NULL)
    return zl_fail_nomem(err, "path of QEMU");
  if (access(own, X_OK) == 0) {
    *ret = zl_steal_ptr(&own);
    return 0;
  }
  if (access(path, X_OK) < 0)
    return zl_fail(err, ZL_E_UNSUPPORTED, 0,
                   "'%s' is needed for isolation hyperv: install Debian's package qemu-system-x86",
                   path);
  *ret = strdup(path);
  return *ret != NULL ? 0 : zl_fail_nomem(err, "path of QEMU");
}
