/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/document.h"

#include <fcntl.h>
#include <string.h>

#include "base/fd.h"
#include "base/limits.h"
#include "engine/config.h"

int oci_document_read(const char *path, json_t **ret, struct zl_error *err)
{
  zl_autobuf text = ZL_BUF_INIT(ZL_MAX_BUNDLE);
  int r = zl_file_read(AT_FDCWD, strcmp(path, "-") == 0 ? "/proc/self/fd/0" : path, &text, err);

  return r < 0 ? r : zl_engine_document_parse(text.data, text.len, ret, err);
}
