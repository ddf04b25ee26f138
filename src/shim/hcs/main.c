/* SPDX-License-Identifier: Apache-2.0
 *
 * zlayer-shim.exe ID ROOT: one container of that root. Its input is the pipe of whoever has it
 * made.
 */
#include <windows.h>

#include <shellapi.h>
#include <stdlib.h>
#include <string.h>

#include "base/path.h"
#include "base/strv.h"
#include "base/win32/handle.h"
#include "base/win32/wide.h"
#include "shim/conn.h"
#include "shim/hcs/hcs.h"
#include "shim/run.h"

/* The C runtime's own arguments are in the code page of the system. */
static int read_arguments(char **ret_id, char **ret_root)
{
  int n = 0;
  wchar_t **wide = CommandLineToArgvW(GetCommandLineW(), &n);

  if (wide == NULL || n != 3)
    return -1;
  *ret_id = zl_wide_to_utf8(wide[1], wcslen(wide[1]));
  *ret_root = zl_wide_to_utf8(wide[2], wcslen(wide[2]));
  (void)LocalFree((HLOCAL)wide);
  return *ret_id != NULL && *ret_root != NULL && zl_path_is_name(*ret_id, ZL_MAX_ID) ? 0 : -1;
}

int main(void)
{
  static struct hcs_shim hcs = { .stdin_end = -1 };
  char *id = NULL, *root = NULL;
  HANDLE own;
  int control_fd;

  /* A copy, since the number 0 belongs to the C runtime. */
  if (read_arguments(&id, &root) < 0 ||
      !DuplicateHandle(GetCurrentProcess(), GetStdHandle(STD_INPUT_HANDLE), GetCurrentProcess(),
                       &own, 0, FALSE, DUPLICATE_SAME_ACCESS))
    return EXIT_FAILURE;
  (void)_close(0);
  control_fd = zl_handle_to_fd(own, O_RDWR);
  shim_init(&hcs.shim, &hcs_keeper);
  memcpy(hcs.shim.id, id, strlen(id) + 1);
  hcs.shim.dir = zl_asprintf("%s\\containers\\%s", root, id);
  hcs.shim.events = zl_asprintf("%s\\events.log", root);
  if (control_fd < 0 || hcs.shim.dir == NULL || hcs.shim.events == NULL)
    return EXIT_FAILURE;
  return shim_serve(&hcs.shim, control_fd);
}
