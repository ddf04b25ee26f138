/* SPDX-License-Identifier: Apache-2.0
 *
 * Operations, and what their memory and handles are counted by.
 */
#include "harness.h"

static void one_operation_follows_one_call(void)
{
  void *operation = op();

  IS(CALL(HcsGetOperationResult)(operation, NULL), 0x80370115);
  IS(CALL(HcsWaitForOperationResult)(operation, 10, NULL), 0x80370115);
  IS(CALL(HcsCancelOperation)(operation), 0x80370115);
  IS(CALL(HcsGetOperationType)(operation), -1);
  IS(CALL(HcsEnumerateComputeSystems)(NULL, operation), 0);
  IS(CALL(HcsEnumerateComputeSystems)(NULL, operation), 0x80370116);
  IS(CALL(HcsGetOperationType)(operation), 0);
  IS(CALL(HcsWaitForOperationResultAndProcessInfo)(operation, 5000, NULL, NULL), 0x8037011d);
  IS(finish(operation, 0), 0);
}

static void a_call_under_way_is_pending(void)
{
  void *operation = op();

  knob("HcsEnumerateComputeSystems delay=700");
  IS(CALL(HcsEnumerateComputeSystems)(NULL, operation), 0);
  IS(CALL(HcsGetOperationResult)(operation, NULL), 0x80370117);
  IS(CALL(HcsWaitForOperationResult)(operation, 50, NULL), 0x80370118);
  IS(finish(operation, 0), 0);
}

static void a_cancelled_call_ends(void)
{
  void *operation = op();

  knob("HcsEnumerateComputeSystems do=hang");
  IS(CALL(HcsEnumerateComputeSystems)(NULL, operation), 0);
  IS(CALL(HcsWaitForOperationResult)(operation, 100, NULL), 0x80370118);
  IS(CALL(HcsCancelOperation)(operation), 0);
  IS(finish(operation, 0), 0x800704c7);
}

static void closing_one_under_way_is_allowed(void)
{
  void *operation = op();

  knob("HcsEnumerateComputeSystems delay=200");
  IS(CALL(HcsEnumerateComputeSystems)(NULL, operation), 0);
  CALL(HcsCloseOperation)(operation);
  Sleep(500);
  IS(hcs_sim_count("HcsEnumerateComputeSystems"), 1);
}

static HANDLE completed;
static DWORD completion_thread;

static void CALLBACK complete(void *operation, void *context)
{
  (void)operation;
  completion_thread = GetCurrentThreadId();
  (void)SetEvent(*(HANDLE *)context);
}

static void completions_come_on_another_thread(void)
{
  void *operation = CALL(HcsCreateOperation)(&completed, complete);

  completed = CreateEventW(NULL, TRUE, FALSE, NULL);
  IS(CALL(HcsEnumerateComputeSystems)(NULL, operation), 0);
  IS(WaitForSingleObject(completed, 5000), WAIT_OBJECT_0);
  OK(completion_thread != GetCurrentThreadId());
  CALL(HcsCloseOperation)(operation);
  (void)CloseHandle(completed);
}

static void CALLBACK no_event(struct event *event, void *context)
{
  (void)event;
  (void)context;
}

static void a_system_that_reports_operations_takes_none_with_a_callback(void)
{
  void *system = run_container("one", "scratch");
  void *operation = CALL(HcsCreateOperation)(&completed, complete);

  IS(CALL(HcsSetComputeSystemCallback)(system, 1, NULL, no_event), 0);
  IS(CALL(HcsGetComputeSystemProperties)(system, operation, NULL), 0x80370119);
  CALL(HcsCloseOperation)(operation);
  end_container(system);
  unmount_scratch("scratch");
}

/* ---- What is counted ------------------------------------------------------------------------- */

static json_int_t count_of(const char *group, const char *key)
{
  json_t *ledger = NULL;
  json_int_t count;

  OK(hcs_sim_ledger(&ledger) == 0);
  count = json_integer_value(json_object_get(json_object_get(ledger, group), key));
  json_decref(ledger);
  return count;
}

static void texts_are_counted_and_their_functions_told_apart(void)
{
  wchar_t *text = NULL;

  IS(CALL(HcsGetServiceProperties)(L"{\"PropertyTypes\":[\"Basic\"]}", &text), 0);
  IS(count_of("strings", "local"), 1);
  (void)CALL(LocalFree)(text);
  IS(count_of("strings", "local"), 0);
  IS(CALL(HNSCall)(L"GET", L"/globals/version", L"", &text), 0);
  IS(count_of("strings", "cotask"), 1);
  (void)CALL(LocalFree)(text);
  IS(count_of("strings", "cotask"), 0);
  check_misuse("LocalFree of a text that CoTaskMemFree frees");
  IS(CALL(HcsGetServiceProperties)(L"{\"PropertyTypes\":[\"Basic\"]}", &text), 0);
  CALL(CoTaskMemFree)(text);
  check_misuse("CoTaskMemFree of a text that LocalFree frees");
}

static void handles_are_counted_and_their_use_is_checked(void)
{
  void *operation = op(), *system = run_container("one", "scratch"), *again = NULL;
  wchar_t *text = NULL;

  IS(count_of("handles", "operation"), 1);
  IS(count_of("handles", "system"), 1);
  IS(CALL(HcsOpenComputeSystem)(L"one", GENERIC_ALL, &again), 0);
  IS(count_of("handles", "system"), 2);
  CALL(HcsCloseComputeSystem)(again);
  CALL(HcsCloseComputeSystem)(again);
  check_misuse("HcsCloseComputeSystem with a handle that is closed");
  IS(CALL(HcsStartComputeSystem)(again, operation, NULL), 0x80070006);
  check_misuse("HcsStartComputeSystem with a handle that is closed");
  IS(CALL(HcsStartComputeSystem)(operation, operation, NULL), 0x80070006);
  check_misuse("of another kind");
  IS(CALL(HcsWaitForProcessExit)((void *)&text, 1, &text), 0x80070006);
  check_misuse("with what is no handle");
  CALL(HcsCloseOperation)(operation);
  end_container(system);
  unmount_scratch("scratch");
}

static void what_is_left_is_told(void)
{
  void *system = run_container("one", "scratch");
  char why[4000];

  IS(hcs_sim_leaks(0, why, sizeof(why)), 1);
  OK(strstr(why, "system 'one' is Running") != NULL && strstr(why, "a scratch layer") != NULL &&
     strstr(why, "an attached disk") != NULL && strstr(why, "open handles of kind system") != NULL);
  end_container(system);
  unmount_scratch("scratch");
}

static void another_process_sees_the_same_machine_and_its_end_is_seen(void)
{
  void *system = run_container("one", "scratch"), *other = NULL;
  char program[1024], command[1200];
  STARTUPINFOA startup = { .cb = sizeof(startup) };
  PROCESS_INFORMATION info;
  DWORD code = 1;

  OK(GetModuleFileNameA(NULL, program, sizeof(program)) > 0);
  (void)snprintf(command, sizeof(command), "\"%s\" --other", program);
  OK(CreateProcessA(NULL, command, NULL, NULL, FALSE, 0, NULL, NULL, &startup, &info));
  IS(WaitForSingleObject(info.hProcess, 30000), WAIT_OBJECT_0);
  OK(GetExitCodeProcess(info.hProcess, &code));
  IS(code, 0);
  (void)CloseHandle(info.hProcess);
  (void)CloseHandle(info.hThread);
  Sleep(200);
  /* It left a handle open, a text and a system of its own. */
  IS(CALL(HcsOpenComputeSystem)(L"two", GENERIC_ALL, &other), 0x8037010e);
  {
    json_t *ledger = NULL;

    OK(hcs_sim_ledger(&ledger) == 0);
    IS(json_array_size(json_object_get(ledger, "misuse")), 4);
    json_decref(ledger);
  }
  OK(hcs_sim_forget() == 0);
  end_container(system);
  unmount_scratch("scratch");
  unmount_scratch("scratch2");
}

/* The other process: opens what it sees, makes a system, and forgets about both. */
static int other_process(void)
{
  void *system = NULL, *own;
  wchar_t *text = NULL;

  attach_other();
  IS(CALL(HcsOpenComputeSystem)(L"one", GENERIC_ALL, &system), 0);
  IS(CALL(HcsGetServiceProperties)(L"{\"PropertyTypes\":[\"Basic\"]}", &text), 0);
  own = run_container("two", "scratch2");
  OK(own != NULL);
  (void)op();
  return 0;
}

static void libraries_have_their_own_names(void)
{
  static const struct {
    const char *library, *function;
  } rows[] = {
    { "computecore.dll", "HcsCreateOperation" },
    { "vmcompute.dll", "ActivateLayer" },
    { "computestorage.dll", "HcsFormatWritableLayerVhd" },
    { "computenetwork.dll", "HcnCreateNetwork" },
    { "virtdisk.dll", "OpenVirtualDisk" },
  };
  HMODULE all = GetModuleHandleA("hcssim.dll");

  OK(all != NULL);
  for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
    char path[1024];
    HMODULE module;

    (void)snprintf(path, sizeof(path), "%s\\%s", getenv("HCS_SIM_LIBS"), rows[i].library);
    for (char *c = path; *c != '\0'; c++)
      if (*c == '/')
        *c = '\\';
    module =
        LoadLibraryExA(path, NULL, LOAD_LIBRARY_SEARCH_DLL_LOAD_DIR | LOAD_LIBRARY_SEARCH_SYSTEM32);
    OK(module != NULL && module != all);
    OK(GetProcAddress(module, rows[i].function) != NULL);
    OK(GetProcAddress(module, rows[i].function) == GetProcAddress(all, rows[i].function));
    OK(GetProcAddress(module, "NoSuchFunction") == NULL);
    (void)FreeLibrary(module);
  }
}

static const struct test_case cases[] = {
  { "libraries_have_their_own_names", libraries_have_their_own_names },
  { "one_operation_follows_one_call", one_operation_follows_one_call },
  { "a_call_under_way_is_pending", a_call_under_way_is_pending },
  { "a_cancelled_call_ends", a_cancelled_call_ends },
  { "closing_one_under_way_is_allowed", closing_one_under_way_is_allowed },
  { "completions_come_on_another_thread", completions_come_on_another_thread },
  { "a_system_that_reports_operations_takes_none_with_a_callback",
    a_system_that_reports_operations_takes_none_with_a_callback },
  { "texts_are_counted_and_their_functions_told_apart",
    texts_are_counted_and_their_functions_told_apart },
  { "handles_are_counted_and_their_use_is_checked", handles_are_counted_and_their_use_is_checked },
  { "what_is_left_is_told", what_is_left_is_told },
  { "another_process_sees_the_same_machine_and_its_end_is_seen",
    another_process_sees_the_same_machine_and_its_end_is_seen },
};

int main(int argc, char **argv)
{
  if (argc > 1 && strcmp(argv[1], "--other") == 0)
    return other_process();
  return RUN(argc, argv, cases);
}
