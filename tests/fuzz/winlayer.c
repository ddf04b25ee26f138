/* SPDX-License-Identifier: Apache-2.0
 *
 * Fuzz target of Windows layers. The bytes are read twice: as the PAX header of one file, whose
 * Windows records are then parsed, and as an archive that is imported as a base layer and as one
 * with another below it. The host of the tests ends the program when it is asked for a place
 * outside, or to change a layer below.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "image/layer/pax.h"
#include "image/layer/tar.h"
#include "image/windows/descriptor.h"
#include "image/windows/ea.h"
#include "image/windows/sink_windows.h"
#include "tar_mutator.h"
#include "unit/winlayer/fake_host.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
  MAX_BYTES = 1 << 20,
  MAX_ENTRIES = 300
};

static void require(bool condition)
{
  if (!condition)
    abort();
}

/* What was taken can be handed to Windows as it is. */
static void check(const struct zl_win_attributes *a, enum zl_layer_type type)
{
  require(a->basic.created > 0 && a->basic.accessed > 0 && a->basic.written > 0 &&
          a->basic.changed > 0);
  require((a->basic.attributes & ZL_WIN_DEVICE) == 0 && a->ea.len < ZL_WIN_MAX_EA);
  require(type == ZL_LAYER_DIR || type == ZL_LAYER_SYMLINK ||
          (a->basic.attributes & (ZL_WIN_DIRECTORY | ZL_WIN_REPARSE_POINT)) == 0);
  require(a->security.len == 0 ||
          (a->sddl == NULL && zl_win_descriptor_is_valid(a->security.data, a->security.len)));
}

static void parse(const uint8_t *data, size_t size, enum zl_layer_type type)
{
  struct zl_layer_windows windows = { .n_records = 0 };
  struct zl_layer_entry entry = {
    .type = type, .path = "Files/a", .link = "", .windows = &windows
  };
  struct zl_win_attributes attributes;
  struct zl_sparse map = { 0 };
  struct zl_pax pax = { 0 };
  struct zl_error err = { 0 };
  char *text = malloc(size + 1);
  int r;

  require(text != NULL);
  memcpy(text, data, size);
  zl_win_attributes_init(&attributes);
  r = zl_pax_parse(text, size, &pax, &map, &windows, &err);
  if (r == 0)
    r = zl_win_attributes_read(&entry, &attributes, &err);
  if (r == 0)
    check(&attributes, type);
  require(r == 0 || (-r == (int)err.code && err.msg[0] != '\0'));
  zl_win_attributes_done(&attributes);
  zl_sparse_done(&map);
  free(text);
}

static void import(const uint8_t *data, size_t size, size_t n_parents)
{
  const struct zl_tar_limits limits = { .bytes = MAX_BYTES, .entries = MAX_ENTRIES };
  struct fake_host *host = fake_host_new(n_parents);
  struct zl_sink_windows *sink = NULL;
  struct zl_tar *tar = NULL;
  struct zl_error err = { 0 };
  int r;

  if (n_parents > 0) {
    fake_host_add(host, 0, 'f', "Files/a");
    fake_host_add(host, 0, 'j', "Files/j");
    fake_host_add(host, 0, 'f', "UtilityVM/Files/f");
    fake_host_add(host, 0, 'j', "UtilityVM/Files/j");
  }
  require(zl_sink_windows_new(&fake_host_ops, host, n_parents, &sink, &err) == 0 &&
          zl_tar_new(&limits, &zl_sink_windows_ops, sink, &tar, &err) == 0);
  r = zl_tar_feed(tar, data, size, &err);
  if (r == 0)
    r = zl_tar_finish(tar, &err);
  if (r == 0)
    r = zl_sink_windows_ops.seal(sink, &err);
  require(r != -ZL_E_INTERNAL && (r == 0 || (-r == (int)err.code && err.msg[0] != '\0')));
  zl_tar_free(tar);
  zl_sink_windows_ops.free(sink);
  require(fake_host_open_files(host) == 0);
  fake_host_free(host);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  parse(data, size, ZL_LAYER_FILE);
  parse(data, size, ZL_LAYER_DIR);
  parse(data, size, ZL_LAYER_SYMLINK);
  import(data, size, 0);
  import(data, size, 1);
  return 0;
}
