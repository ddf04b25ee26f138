/* SPDX-License-Identifier: Apache-2.0
 *
 * Containers of the host: their life, their processes, and what is refused.
 */
#include "harness.h"

/* ---- Life ------------------------------------------------------------------------------------ */

static void a_container_lives(void)
{
  void *system = run_container("one", "scratch");
  uint32_t code = 99;

  OK(strstr(run_process(system, "cmd /c echo hello from a container", &code),
            "hello from a container") != NULL);
  IS(code, 0);
  (void)run_process(system, "cmd /c exit 7", &code);
  IS(code, 7);
  OK(strlen(run_process(system, "cmd /c hostname", &code)) > 1);
  IS(code, 0);
  end_container(system);
  unmount_scratch("scratch");
}

static HANDLE exited;
static char exit_type[64];
static DWORD callback_thread;

static void CALLBACK on_event(struct event *event, void *context)
{
  json_t *data;
  char text[512] = "";

  (void)WideCharToMultiByte(CP_UTF8, 0, event->data == NULL ? L"{}" : event->data, -1, text,
                            sizeof(text), NULL, NULL);
  data = json_loads(text, 0, NULL);
  if (event->type == *(const uint32_t *)context) {
    const char *type = json_string_value(json_object_get(data, "ExitType"));

    (void)snprintf(exit_type, sizeof(exit_type), "%s", type == NULL ? text : type);
    callback_thread = GetCurrentThreadId();
    (void)SetEvent(exited);
  }
  json_decref(data);
}

static const uint32_t system_exited = 1, process_exited = 0x10000, service_disconnect = 0x02000000;

static void watch(void *system, const uint32_t *type)
{
  exited = CreateEventW(NULL, TRUE, FALSE, NULL);
  exit_type[0] = '\0';
  IS(CALL(HcsSetComputeSystemCallback)(system, 0, type, on_event), 0);
}

static void await_event(const char *what)
{
  IS(WaitForSingleObject(exited, 10000), WAIT_OBJECT_0);
  OK(strstr(exit_type, what) != NULL);
  OK(callback_thread != GetCurrentThreadId());
  (void)CloseHandle(exited);
}

static void terminate_comes_back_before_the_exit(void)
{
  void *system = run_container("one", "scratch"), *operation = op();

  watch(system, &system_exited);
  IS(finish(operation, CALL(HcsTerminateComputeSystem)(system, operation, NULL)), 0);
  await_event("ForcedExit");
  operation = op();
  IS(finish(operation, CALL(HcsTerminateComputeSystem)(system, operation, NULL)), 0x80370110);
  CALL(HcsCloseComputeSystem)(system);
  unmount_scratch("scratch");
}

static void shut_down_ends_gracefully(void)
{
  void *system = run_container("one", "scratch"), *operation = op();

  watch(system, &system_exited);
  IS(finish(operation, CALL(HcsShutDownComputeSystem)(system, operation, NULL)), 0);
  await_event("GracefulExit");
  CALL(HcsCloseComputeSystem)(system);
  unmount_scratch("scratch");
}

static void *start_process(void *system, const char *parameters, struct process_info *info)
{
  void *operation = op(), *process = NULL;

  IS(CALL(HcsCreateProcess)(system, w("%s", parameters), operation, NULL, &process), 0);
  IS(CALL(HcsWaitForOperationResultAndProcessInfo)(operation, 20000, info, NULL), 0);
  CALL(HcsCloseOperation)(operation);
  return process;
}

/* ping would run for a minute. */
static void the_last_handle_takes_the_system_along(void)
{
  void *system = run_container("one", "scratch"), *again = NULL;
  struct process_info info;
  void *process = start_process(system, "{\"CommandLine\":\"ping -n 60 127.0.0.1\"}", &info);

  IS(CALL(HcsOpenComputeSystem)(L"one", GENERIC_ALL, &again), 0);
  CALL(HcsCloseProcess)(process);
  CALL(HcsCloseComputeSystem)(system);
  CALL(HcsCloseComputeSystem)(again);
  IS(CALL(HcsOpenComputeSystem)(L"one", GENERIC_ALL, &again), 0x8037010e);
  Sleep(200);
  unmount_scratch("scratch");
}

static void states_are_kept(void)
{
  void *system, *operation = op();

  make_scratch("scratch");
  mount_scratch("scratch");
  system = create_container("one", "scratch");
  IS(finish(operation, CALL(HcsShutDownComputeSystem)(system, operation, NULL)), 0x80370105);
  operation = op();
  IS(finish(operation, CALL(HcsStartComputeSystem)(system, operation, NULL)), 0);
  operation = op();
  IS(finish(operation, CALL(HcsStartComputeSystem)(system, operation, NULL)), 0x80370105);
  operation = op();
  IS(finish(operation, CALL(HcsPauseComputeSystem)(system, operation, NULL)), 0x80070032);
  end_container(system);
  unmount_scratch("scratch");
}

/* ---- What is refused ------------------------------------------------------------------------- */

static void refused_with(const char *document, uint32_t want, const char *path)
{
  void *operation = op(), *system = NULL;
  json_t *error = NULL;
  const char *message;

  IS(finish_with(operation,
                 CALL(HcsCreateComputeSystem)(L"bad", w("%s", document), operation, NULL, &system),
                 &error),
     want);
  message = json_string_value(json_object_get(error, "ErrorMessage"));
  if (message == NULL || strstr(message, path) == NULL)
    (void)fprintf(stderr, "'%s' instead of '%s'\n", message == NULL ? "" : message, path);
  OK(message != NULL && strstr(message, path) != NULL);
  json_decref(error);
  if (system != NULL)
    CALL(HcsCloseComputeSystem)(system);
}

static void refused(const char *more, uint32_t want, const char *path)
{
  char *text = container_document("scratch", more);

  refused_with(text, want, path);
  free(text);
}

static void documents_are_checked(void)
{
  make_scratch("scratch");
  mount_scratch("scratch");
  refused("{\"Surprise\":1}", 0x8037010d, "$.Container.Surprise");
  refused("{\"GuestOs\":{\"HostNam\":\"x\"}}", 0x8037010d, "$.Container.GuestOs.HostNam");
  refused("{\"Memory\":{\"SizeInMB\":\"256\"}}", 0x8037010d, "$.Container.Memory.SizeInMB");
  refused("{\"Processor\":{\"Count\":1,\"Weight\":5}}", 0x80070057, "$.Container.Processor");
  refused("{\"Processor\":{\"Count\":64}}", 0x80070057, "$.Container.Processor.Count");
  refused("{\"Networking\":{\"Namespace\":\"11111111-2222-3333-4444-555555555555\"}}", 0x80070490,
          "$.Container.Networking.Namespace");
  refused("{\"GuestOs\":{},\"Networking\":{\"AllowUnqualifiedDnsQuery\":true}}", 0x80070057,
          "$.Container.GuestOs");
  refused("{\"Storage\":{\"Layers\":[]}}", 0x80070057, "$.Container.Storage.Layers");
  refused_with("{\"Container\":{}}", 0x80070057, "$.SchemaVersion");
  refused_with("{\"SchemaVersion\":{\"Major\":2,\"Minor\":1}}", 0x80070057, "$");
  refused_with("{\"SchemaVersion\":{\"Major\":2,\"Minor\":5},\"Container\":{}}", 0x8037010d,
               "$.SchemaVersion");
  refused_with("no JSON", 0x8037010d, "$");
  unmount_scratch("scratch");
}

static void storage_is_checked(void)
{
  char *text, more[2000];

  make_scratch("scratch");
  mount_scratch("scratch");
  text = at("scratch");
  for (char *c = text; *c != '\0'; c++)
    if (*c == '\\')
      *c = '/';
  (void)snprintf(more, sizeof(more),
                 "{\"Storage\":{\"Layers\":[{\"Path\":\"C:/x\"}],\"Path\":\"%s\"}}", text);
  refused(more, 0x80071126, "$.Container.Storage.Path");
  refused("{\"Storage\":{\"Layers\":[{\"Path\":\"C:/x\"}],\"Path\":"
          "\"\\\\\\\\?\\\\Volume{11111111-2222-3333-4444-555555555555}\\\\\"}}",
          0x80070057, "$.Container.Storage.Path");
  unmount_scratch("scratch");
}

static void layers_are_the_prepared_ones_in_order(void)
{
  char more[4000], top[600], base[600];

  make_scratch("scratch");
  mount_scratch("scratch");
  (void)snprintf(top, sizeof(top), "%s", json_dumps(json_string(at("top")), JSON_ENCODE_ANY));
  (void)snprintf(base, sizeof(base), "%s", json_dumps(json_string(at("base")), JSON_ENCODE_ANY));
  (void)snprintf(
      more, sizeof(more),
      "{\"Storage\":{\"Layers\":[{\"Id\":\"%s\",\"Path\":%s},{\"Id\":\"%s\",\"Path\":%s}],"
      "\"Path\":\"\\\\\\\\?\\\\%s\\\\\"}}",
      layer_id(at("base")), base, layer_id(at("top")), top, "Volume");
  {
    char *volume = json_dumps(json_string(volume_of("scratch")), JSON_ENCODE_ANY);

    (void)snprintf(
        more, sizeof(more),
        "{\"Storage\":{\"Layers\":[{\"Id\":\"%s\",\"Path\":%s},{\"Id\":\"%s\",\"Path\":%s}],"
        "\"Path\":%s}}",
        layer_id(at("base")), base, layer_id(at("top")), top, volume);
    refused(more, 0x80070057, "$.Container.Storage.Layers");
    (void)snprintf(more, sizeof(more),
                   "{\"Storage\":{\"Layers\":[{\"Id\":\"%s\",\"Path\":%s}],\"Path\":%s}}",
                   layer_id(at("base")), top, volume);
    refused(more, 0x80070002, "$.Container.Storage.Layers");
    free(volume);
  }
  unmount_scratch("scratch");
}

static void an_id_is_taken_once(void)
{
  void *system = run_container("one", "scratch"), *operation = op(), *other = NULL;
  char *text = container_document("scratch", NULL);

  IS(finish(operation,
            CALL(HcsCreateComputeSystem)(L"one", w("%s", text), operation, NULL, &other)),
     0x8037010f);
  CALL(HcsCloseComputeSystem)(other);
  free(text);
  end_container(system);
  unmount_scratch("scratch");
}

/* ---- Processes ------------------------------------------------------------------------------- */

static void process_refused(void *system, const char *parameters, uint32_t want)
{
  void *operation = op(), *process = NULL;

  IS(finish(operation,
            CALL(HcsCreateProcess)(system, w("%s", parameters), operation, NULL, &process)),
     want);
  if (process != NULL)
    CALL(HcsCloseProcess)(process);
}

static void processes_are_checked(void)
{
  void *system = run_container("one", "scratch");

  process_refused(system, "{\"CommandLine\":\"cmd\",\"Colour\":1}", 0x8037010d);
  process_refused(system, "{\"WorkingDirectory\":\"C:\\\\app\"}", 0x80070057);
  process_refused(system,
                  "{\"CommandLine\":\"cmd\",\"EmulateConsole\":true,\"CreateStdErrPipe\":true}",
                  0x80070057);
  process_refused(system, "{\"CommandLine\":\"cmd\",\"WorkingDirectory\":\"C:\\\\nowhere\"}",
                  0x8007010b);
  process_refused(system, "{\"CommandLine\":\"no-such-program.exe\"}", 0x80070002);
  end_container(system);
  unmount_scratch("scratch");
}

static void a_directory_and_variables_reach_the_process(void)
{
  void *system = run_container("one", "scratch");
  struct process_info info;
  void *process =
      start_process(system,
                    "{\"CommandLine\":\"cmd /c echo %COLOUR%& cd\",\"WorkingDirectory\":"
                    "\"C:\\\\app\",\"Environment\":{\"COLOUR\":\"green\"},"
                    "\"CreateStdOutPipe\":true}",
                    &info);
  char text[1000];

  (void)read_all(info.out, text, sizeof(text));
  OK(strstr(text, "green") != NULL && strstr(text, "base\\Files\\app") != NULL);
  CALL(HcsCloseProcess)(process);
  end_container(system);
  unmount_scratch("scratch");
}

/* What was written arrives, and the end only by CloseHandle: not by closing the pipe. */
static void input_ends_by_a_request(void)
{
  void *system = run_container("one", "scratch"), *operation = op();
  struct process_info info;
  void *process = start_process(system,
                                "{\"CommandLine\":\"cmd /q\",\"CreateStdInPipe\":true,"
                                "\"CreateStdOutPipe\":true}",
                                &info);
  OVERLAPPED wait = { .hEvent = CreateEventW(NULL, TRUE, FALSE, NULL) };
  char text[4000];
  DWORD done;

  OK(WriteFile(info.in, "echo green\r\n", 12, NULL, &wait) || GetLastError() == ERROR_IO_PENDING);
  OK(GetOverlappedResult(info.in, &wait, &done, TRUE));
  (void)CloseHandle(info.in);
  IS(CALL(HcsWaitForProcessExit)(process, 500, NULL), 0x80370118);
  IS(finish(operation, CALL(HcsModifyProcess)(process, operation,
                                              L"{\"Operation\":\"CloseHandle\",\"CloseHandle\":"
                                              L"{\"Handle\":\"StdIn\"}}")),
     0);
  OK(strstr(read_all(info.out, text, sizeof(text)), "green") != NULL);
  IS(CALL(HcsWaitForProcessExit)(process, 10000, NULL), 0);
  (void)CloseHandle(wait.hEvent);
  CALL(HcsCloseProcess)(process);
  end_container(system);
  unmount_scratch("scratch");
}

static void signals_and_their_end(void)
{
  void *system = run_container("one", "scratch"), *operation = op();
  struct process_info info;
  void *process = start_process(system, "{\"CommandLine\":\"ping -n 60 127.0.0.1\"}", &info),
       *other = NULL;

  exited = CreateEventW(NULL, TRUE, FALSE, NULL);
  IS(CALL(HcsSetProcessCallback)(process, 0, (void *)(uintptr_t)&process_exited, on_event), 0);
  IS(finish(operation, CALL(HcsSignalProcess)(process, operation, L"{\"Signal\":\"Wave\"}")),
     0x8037010d);
  operation = op();
  IS(finish(operation,
            CALL(HcsSignalProcess)(process, operation, L"{\"Signal\":\"CtrlShutdown\"}")),
     0);
  await_event("\"ExitCode\":3221225786");
  operation = op();
  IS(finish(operation, CALL(HcsTerminateProcess)(process, operation, NULL)), 0x8037011f);
  IS(CALL(HcsOpenProcess)(system, info.pid, GENERIC_ALL, &other), 0x80070490);
  CALL(HcsCloseProcess)(process);
  end_container(system);
  unmount_scratch("scratch");
}

static void whoever_ignores_signals_is_terminated(void)
{
  void *system = run_container("one", "scratch"), *operation = op();
  struct process_info info;
  void *process = start_process(system,
                                "{\"CommandLine\":\"ping -n 60 127.0.0.1\",\"Environment\":"
                                "{\"IGNORE_CONSOLE_EVENTS\":\"1\"}}",
                                &info);
  wchar_t *text = NULL;
  json_t *status;

  IS(CALL(HcsSignalProcess)(process, operation, L"{\"Signal\":\"CtrlShutdown\"}"), 0);
  IS(CALL(HcsWaitForOperationResult)(operation, 300, NULL), 0x80370118);
  CALL(HcsCloseOperation)(operation);
  operation = op();
  IS(finish(operation, CALL(HcsTerminateProcess)(process, operation, NULL)), 0);
  IS(CALL(HcsWaitForProcessExit)(process, 10000, &text), 0);
  status = json_of(text, true);
  IS(json_integer_value(json_object_get(status, "ExitCode")), 1067);
  json_decref(status);
  CALL(HcsCloseProcess)(process);
  end_container(system);
  unmount_scratch("scratch");
}

/* ---- Questions ------------------------------------------------------------------------------- */

static void systems_are_listed_by_owner(void)
{
  void *system = run_container("one", "scratch"), *operation = op();
  json_t *list = NULL, *all = NULL;

  IS(finish_with(operation, CALL(HcsEnumerateComputeSystems)(L"{\"Owners\":[\"test\"]}", operation),
                 &list),
     0);
  IS(json_array_size(list), 1);
  OK(strcmp(json_string_value(json_object_get(json_array_get(list, 0), "State")), "Running") == 0);
  json_decref(list);
  operation = op();
  IS(finish_with(operation,
                 CALL(HcsEnumerateComputeSystems)(L"{\"Owners\":[\"other\"]}", operation), &list),
     0);
  IS(json_array_size(list), 0);
  json_decref(list);
  operation = op();
  IS(finish_with(operation,
                 CALL(HcsGetComputeSystemProperties)(
                     system, operation, L"{\"PropertyTypes\":[\"Statistics\",\"ProcessList\"]}"),
                 &all),
     0);
  OK(json_is_integer(json_object_get(
      json_object_get(json_object_get(all, "Statistics"), "Processor"), "TotalRuntime100ns")));
  json_decref(all);
  operation = op();
  IS(finish(operation, CALL(HcsGetComputeSystemProperties)(system, operation, L"{\"What\":1}")),
     0x8037010d);
  end_container(system);
  unmount_scratch("scratch");
}

static void the_service_can_be_asked(void)
{
  wchar_t *text = NULL;
  json_t *answer;

  IS(CALL(HcsGetServiceProperties)(L"{\"PropertyTypes\":[\"Basic\"]}", &text), 0);
  answer = json_of(text, true);
  IS(json_array_size(json_object_get(answer, "Properties")), 1);
  json_decref(answer);
  knob("host service=0");
  IS(CALL(HcsGetServiceProperties)(L"{\"PropertyTypes\":[\"Basic\"]}", &text), 0x80370114);
}

static void a_dead_service_kills_every_handle(void)
{
  void *system = run_container("one", "scratch"), *operation;

  watch(system, &service_disconnect);
  OK(hcs_sim_kill_service() == 0);
  IS(WaitForSingleObject(exited, 10000), WAIT_OBJECT_0);
  (void)CloseHandle(exited);
  operation = op();
  IS(finish(operation, CALL(HcsTerminateComputeSystem)(system, operation, NULL)), 0x8037011e);
  CALL(HcsCloseComputeSystem)(system);
  unmount_scratch("scratch");
}

static const struct test_case cases[] = {
  { "a_container_lives", a_container_lives },
  { "terminate_comes_back_before_the_exit", terminate_comes_back_before_the_exit },
  { "shut_down_ends_gracefully", shut_down_ends_gracefully },
  { "the_last_handle_takes_the_system_along", the_last_handle_takes_the_system_along },
  { "states_are_kept", states_are_kept },
  { "documents_are_checked", documents_are_checked },
  { "storage_is_checked", storage_is_checked },
  { "layers_are_the_prepared_ones_in_order", layers_are_the_prepared_ones_in_order },
  { "an_id_is_taken_once", an_id_is_taken_once },
  { "processes_are_checked", processes_are_checked },
  { "a_directory_and_variables_reach_the_process", a_directory_and_variables_reach_the_process },
  { "input_ends_by_a_request", input_ends_by_a_request },
  { "signals_and_their_end", signals_and_their_end },
  { "whoever_ignores_signals_is_terminated", whoever_ignores_signals_is_terminated },
  { "systems_are_listed_by_owner", systems_are_listed_by_owner },
  { "the_service_can_be_asked", the_service_can_be_asked },
  { "a_dead_service_kills_every_handle", a_dead_service_kills_every_handle },
};

int main(int argc, char **argv)
{
  return RUN(argc, argv, cases);
}
