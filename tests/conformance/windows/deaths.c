/* SPDX-License-Identifier: Apache-2.0
 *
 * Processes and machines that are killed from outside, and the handles of this one.
 */
#include "deaths.h"

#include <windows.h>

#include <winternl.h>

#include "../box.h"
#include "base/cleanup.h"
#include "base/win32/nt.h"
#include "runtime/hcs/system.h"

enum {
  HANDLE_INFORMATION = 16, /* SystemHandleInformation */
  KILLED = 137,
  DEATH_MS = 10000
};

struct handle_entry {
  ULONG pid;
  UCHAR type, flags;
  USHORT value;
  void *object;
  ULONG access;
};

struct handle_list {
  ULONG count;
  struct handle_entry entries[];
};

/* Of all processes: Wine does not know GetProcessHandleCount. */
static struct handle_list *list_handles(void)
{
  for (ULONG size = 1 << 16; size <= 1 << 26; size *= 2) {
    struct handle_list *list = malloc(size);

    assert_non_null(list);
    if (NtQuerySystemInformation((SYSTEM_INFORMATION_CLASS)HANDLE_INFORMATION, list, size, NULL) ==
        0)
      return list;
    free(list);
  }
  fail_msg("the handles of the system cannot be listed");
  return NULL;
}

unsigned count_handles(void)
{
  struct handle_list *list = list_handles();
  unsigned n = 0;

  for (ULONG i = 0; i < list->count; i++)
    n += list->entries[i].pid == GetCurrentProcessId();
  free(list);
  return n;
}

bool box_is_dead(int32_t pid)
{
  zl_autohandle process = pid > 0 ? OpenProcess(SYNCHRONIZE, FALSE, (DWORD)pid) : NULL;

  return process == NULL || WaitForSingleObject(process, 0) == WAIT_OBJECT_0;
}

static void kill_process(int32_t pid)
{
  zl_autohandle process = OpenProcess(PROCESS_TERMINATE | SYNCHRONIZE, FALSE, (DWORD)pid);

  assert_non_null(process);
  assert_true(TerminateProcess(process, KILLED));
  assert_int_equal(WaitForSingleObject(process, DEATH_MS), WAIT_OBJECT_0);
}

/* A shim leaves its number in its container's directory. */
void box_kill_shim(const char *name)
{
  char path[200];
  json_t *shim;

  (void)snprintf(path, sizeof(path), "%s\\containers\\%s\\shim.json", box.root, box_id(name));
  shim = json_load_file(path, 0, NULL);
  assert_non_null(shim);
  kill_process((int32_t)json_integer_value(json_object_get(shim, "pid")));
  json_decref(shim);
}

/* What the compute service knows the systems of this root by. */
static void owner_of_root(char owner[64])
{
  char *text = NULL;
  json_t *info;

  OK(zl_info(box.rt, &text, &err));
  info = json_loads(text, 0, NULL);
  (void)snprintf(owner, 64, "%s", json_string_value(json_object_get(info, "hcnNetwork")));
  json_decref(info);
  free(text);
}

/* The only machine of the root, as hcsdiag ends one. */
static void end_machine(int32_t pid)
{
  const struct zl_hcs_api *api = NULL;
  json_t *systems = NULL;
  char owner[64];

  assert_int_equal(pid, 0); /* what runs in it has no number here */
  owner_of_root(owner);
  OK(zl_hcs_api_load(&api, &err));
  OK(zl_hcs_systems_of(api, owner, &systems, &err));
  assert_int_equal(json_array_size(systems), 1);
  OK(zl_hcs_system_reap(api, json_string_value(json_object_get(json_array_get(systems, 0), "Id")),
                        &err));
  json_decref(systems);
}

void box_strike(const struct zl_container_state *running)
{
  if (box.machines)
    end_machine(running->pid);
  else
    kill_process(running->pid);
}
