/* SPDX-License-Identifier: Apache-2.0
 *
 * ROOT/vm/recent.json: which image machines of the pool are made for. It is a guess, and a wrong
 * one costs nothing but time: whoever writes last is right.
 */
#include <string.h>

#include "base/fd.h"
#include "base/limits.h"
#include "runtime/vm/vm_private.h"

#define NAME "recent.json"

struct recent {
  char image[ZL_VM_KEY_TEXT];
  bool again;
};

static bool load(int vm_fd, struct recent *ret)
{
  zl_autojson *json = NULL;
  const char *image;

  if (zl_vm_read_json(vm_fd, NAME, &json, NULL) < 0)
    return false;
  image = json_string_value(json_object_get(json, "image"));
  if (image == NULL || strlen(image) != ZL_VM_KEY_TEXT - 1 ||
      strspn(image, "0123456789abcdef") != ZL_VM_KEY_TEXT - 1)
    return false;
  memcpy(ret->image, image, ZL_VM_KEY_TEXT);
  ret->again = json_is_true(json_object_get(json, "again"));
  return true;
}

static void save(int vm_fd, const char *image, bool again)
{
  zl_autojson *json = json_pack("{s:s, s:b}", "image", image, "again", (int)again);
  zl_autofree char *text = NULL;

  if (json != NULL && zl_json_render(json, &text, NULL) == 0)
    (void)zl_file_replace(vm_fd, NAME, text, strlen(text), 0600, false, NULL);
}

bool zl_vm_recent_note(struct zl_runtime *rt, const char *image)
{
  struct recent recent = { .again = false };
  zl_autofd vm = -1;
  bool again;

  if (zl_vm_dir(rt, "", &vm, NULL) < 0)
    return false;
  again = load(vm, &recent) && strcmp(recent.image, image) == 0;
  if (!again || !recent.again)
    save(vm, image, again);
  return again;
}

bool zl_vm_recent_expected(struct zl_runtime *rt, char image[ZL_VM_KEY_TEXT])
{
  struct recent recent = { .again = false };
  zl_autofd vm = -1;

  if (zl_vm_dir(rt, "", &vm, NULL) < 0 || !load(vm, &recent) || !recent.again)
    return false;
  memcpy(image, recent.image, ZL_VM_KEY_TEXT);
  return true;
}
