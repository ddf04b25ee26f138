/* SPDX-License-Identifier: Apache-2.0 */
#include "image/layer/law.h"

#include <string.h>

#include "image/erofs/xattr.h"
#include "image/layer/layer_path.h"

enum {
  /* What the kernel's device numbers can hold; others would be cut to a different device. */
  MAX_MAJOR = 0xfff,
  MAX_MINOR = 0xfffff,
  /* A file capability as the kernel takes it: revision and flags, then its size is given. */
  CAPS_REVISION_AT = 3,
  CAPS_2_SIZE = 20,
  CAPS_3_SIZE = 24
};

static const char wh_prefix[] = ".wh.";
static const char wh_meta[] = ".wh..wh.";
static const char wh_opaque[] = ".wh..wh..opq";

/* True when a name of the path, or of its parents only, starts with `prefix`. */
static bool has_name_with(const char *path, const char *prefix, bool parents_only)
{
  size_t len = strlen(prefix);

  for (const char *p = path; p != NULL; p = strchr(p, '/')) {
    p += *p == '/';
    if (strncmp(p, prefix, len) == 0)
      return !parents_only || strchr(p, '/') != NULL;
  }
  return false;
}

const char *zl_layer_whiteout_name(const char *name)
{
  return name + sizeof(wh_prefix) - 1;
}

static const char *judge_device(const struct zl_layer_entry *entry)
{
  if (entry->type != ZL_LAYER_CHAR && entry->type != ZL_LAYER_BLOCK)
    return NULL;
  if (entry->major > MAX_MAJOR || entry->minor > MAX_MINOR)
    return "a device number out of range";
  if (entry->type == ZL_LAYER_CHAR && entry->major == 0 && entry->minor == 0)
    return "a device 0:0, which would be taken for a whiteout";
  return NULL;
}

const char *zl_layer_judge(const char *path, const struct zl_layer_entry *entry,
                           enum zl_layer_role *ret_role)
{
  const char *name = zl_layer_path_name(path), *hidden;
  bool opaque = strcmp(name, wh_opaque) == 0;

  *ret_role = ZL_ROLE_NODE;
  /* AUFS left its own bookkeeping in layers of old; it means nothing to anybody else. */
  if (!opaque && has_name_with(path, wh_meta, false)) {
    *ret_role = ZL_ROLE_IGNORED;
    return NULL;
  }
  if (has_name_with(path, wh_prefix, true))
    return "an entry below a whiteout";
  if (strncmp(name, wh_prefix, sizeof(wh_prefix) - 1) != 0)
    return judge_device(entry);
  *ret_role = opaque ? ZL_ROLE_OPAQUE : ZL_ROLE_WHITEOUT;
  hidden = zl_layer_whiteout_name(name);
  if (*hidden == '\0' || strcmp(hidden, ".") == 0 || strcmp(hidden, "..") == 0)
    return "a whiteout of no name, '.' or '..'";
  return NULL;
}

/* ---- Extended attributes --------------------------------------------------------------------- */

/* Labels, ACLs, integrity hashes and overlayfs' own marks would be believed by the kernel
 * ("trusted.overlay.redirect" leads a merged directory anywhere): file capabilities and plain user
 * attributes are all that a layer may set. */
static bool may_set(enum zl_layer_type type, const char *name)
{
  static const char overlay[] = "user.overlay.";

  if (strcmp(name, "security.capability") == 0)
    return type == ZL_LAYER_FILE;
  return strncmp(name, "user.", 5) == 0 && name[5] != '\0' &&
         strncmp(name, overlay, sizeof(overlay) - 1) != 0 &&
         (type == ZL_LAYER_FILE || type == ZL_LAYER_DIR);
}

/* setxattr(2) checks them, a file system image would hand them out unchecked. */
static bool is_valid(const struct zl_layer_xattr *x)
{
  const unsigned char *value = x->value;

  if (strcmp(x->name, "security.capability") != 0)
    return true;
  return (x->len == CAPS_2_SIZE && value[CAPS_REVISION_AT] == 2) ||
         (x->len == CAPS_3_SIZE && value[CAPS_REVISION_AT] == 3);
}

int zl_layer_keep_xattrs(const struct zl_layer_entry *entry, struct zl_buf *kept,
                         struct zl_error *err)
{
  int r = 0;

  zl_buf_clear(kept);
  for (size_t i = 0; i < entry->n_xattrs && r == 0; i++) {
    const struct zl_layer_xattr *x = &entry->xattrs[i];
    char quoted[ZL_LAYER_QUOTE];

    if (!may_set(entry->type, x->name))
      continue;
    if (!is_valid(x))
      return zl_fail(err, ZL_E_CORRUPT, 0, "'%s': the extended attribute '%s' is malformed",
                     zl_layer_quote(entry->path, quoted), x->name);
    r = zl_xattrs_add(kept, x->name, x->value, x->len, err);
  }
  return r;
}
