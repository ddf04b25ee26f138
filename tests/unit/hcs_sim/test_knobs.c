/* SPDX-License-Identifier: Apache-2.0
 *
 * Each knob does what control.h says of it, and wrong ones are refused.
 */
#include "machine.h"

static uint32_t enumerate(void)
{
  void *operation = op();

  return finish(operation, CALL(HcsEnumerateComputeSystems)(NULL, operation));
}

/* ---- Which call ------------------------------------------------------------------------------ */

static void wrong_knobs_are_refused(void)
{
  static const char *const wrong[] = { "HcsCreateComputeSystems hr=1",
                                       "HcsStartComputeSystem hm=1",
                                       "HcsStartComputeSystem do=dance",
                                       "guest:Dance",
                                       "guest:Create do=hang",
                                       "guest:dial do=mute",
                                       "host colour=1",
                                       "host build",
                                       "" };

  for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
    OK(hcs_sim_set(wrong[i]) == -1);
}

static void the_nth_calls_fail(void)
{
  knob("HcsEnumerateComputeSystems nth=2 times=2 hr=0x80070005");
  IS(enumerate(), 0);
  IS(enumerate(), 0x80070005);
  IS(enumerate(), 0x80070005);
  IS(enumerate(), 0);
  knob("HcsEnumerateComputeSystems times=0 hr=0x80070006");
  IS(enumerate(), 0x80070006);
  IS(enumerate(), 0x80070006);
  OK(hcs_sim_clear() == 0);
  IS(enumerate(), 0);
}

static void any_call_can_be_the_nth(void)
{
  GUID guid;

  knob("* nth=3 hr=0x80070005");
  IS(enumerate(), 0);
  IS(CALL(NameToGuid)(L"x", &guid), 0);
  IS(CALL(NameToGuid)(L"x", &guid), 0x80070005);
  IS(enumerate(), 0);
}

static void calls_are_told_apart_by_their_arguments(void)
{
  GUID guid;

  knob("NameToGuid match=special hr=0x80070005");
  IS(CALL(NameToGuid)(L"plain", &guid), 0);
  IS(CALL(NameToGuid)(L"special", &guid), 0x80070005);
}

static void a_call_fails_itself_or_by_its_result(void)
{
  void *operation = op();

  knob("HcsEnumerateComputeSystems hr=0x80070005 at=call");
  IS(CALL(HcsEnumerateComputeSystems)(NULL, operation), 0x80070005);
  IS(finish(operation, 0x80070005), 0x80070005);
  knob("HcsEnumerateComputeSystems hr=0x80070005 at=result");
  operation = op();
  IS(CALL(HcsEnumerateComputeSystems)(NULL, operation), 0);
  IS(finish(operation, 0), 0x80070005);
}

static void a_call_takes_its_time(void)
{
  GUID guid;
  ULONGLONG start = GetTickCount64();

  knob("NameToGuid delay=300");
  IS(CALL(NameToGuid)(L"x", &guid), 0);
  OK(GetTickCount64() - start >= 290);
}

static void a_file_of_knobs_is_read(void)
{
  char path[700];

  (void)snprintf(path, sizeof(path), "%s", at("machine\\knobs"));
  write_text(path, "# faults\nHcsEnumerateComputeSystems hr=0x80070005\nhost build=17763\n");
  IS(enumerate(), 0x80070005);
  {
    RTL_OSVERSIONINFOW version = { .dwOSVersionInfoSize = sizeof(version) };

    IS(CALL(RtlGetVersion)(&version), 0);
    IS(version.dwBuildNumber, 17763);
  }
  OK(DeleteFileA(path));
}

static void calls_are_written_down(void)
{
  json_t *journal = NULL, *line;

  OK(hcs_sim_forget() == 0);
  knob("HcsEnumerateComputeSystems hr=0x80070005");
  IS(enumerate(), 0x80070005);
  IS(hcs_sim_count("HcsEnumerateComputeSystems"), 1);
  OK(hcs_sim_journal(&journal) == 0);
  IS(json_array_size(journal), 1);
  line = json_array_get(journal, 0);
  OK(strcmp(json_string_value(json_object_get(line, "hr")), "0x80070005") == 0);
  IS(json_integer_value(json_object_get(line, "pid")), GetCurrentProcessId());
  json_decref(journal);
}

/* ---- What it does ---------------------------------------------------------------------------- */

static void after_the_work_it_fails(void)
{
  struct descriptor parents[2];

  make_layers();
  describe(&parents[0], at("top"));
  describe(&parents[1], at("base"));
  knob("CreateSandboxLayer hr=0x8007001f do=after");
  IS(CALL(CreateSandboxLayer)(&driver, w("%s", at("scratch")), NULL, parents, 2), 0x8007001f);
  OK(there_is(at("scratch\\sandbox.vhdx")));
  IS(CALL(DestroyLayer)(&driver, w("%s", at("scratch"))), 0);
}

static void the_service_dies_in_a_call(void)
{
  void *system = run_container("one", "scratch"), *operation = op();

  knob("HcsGetComputeSystemProperties do=die");
  IS(finish(operation, CALL(HcsGetComputeSystemProperties)(system, operation, NULL)), 0x8037011e);
  operation = op();
  IS(finish(operation, CALL(HcsGetComputeSystemProperties)(system, operation, NULL)), 0x8037011e);
  CALL(HcsCloseComputeSystem)(system);
  unmount_scratch("scratch");
}

static void a_process_comes_with_a_failure(void)
{
  void *system = run_container("one", "scratch"), *operation = op(), *process = NULL;
  struct process_info info;
  char text[500];

  knob("HcsCreateProcess do=quirk");
  IS(CALL(HcsCreateProcess)(system,
                            L"{\"CommandLine\":\"cmd /c echo all the same& ping -n 3 127.0.0.1 "
                            L">nul\",\"CreateStdOutPipe\":true}",
                            operation, NULL, &process),
     0);
  IS(finish(operation, 0), 0x80070057);
  OK(process != NULL);
  operation = op();
  IS(CALL(HcsGetProcessInfo)(process, operation), 0);
  IS(CALL(HcsWaitForOperationResultAndProcessInfo)(operation, 5000, &info, NULL), 0);
  OK(strstr(read_all(info.out, text, sizeof(text)), "all the same") != NULL);
  CALL(HcsCloseOperation)(operation);
  CALL(HcsCloseProcess)(process);
  end_container(system);
  unmount_scratch("scratch");
}

static void a_system_stays_or_goes_silently(void)
{
  void *system = run_container("one", "scratch"), *operation = op();

  knob("HcsShutDownComputeSystem do=stay");
  IS(finish(operation, CALL(HcsShutDownComputeSystem)(system, operation, NULL)), 0);
  IS(CALL(HcsWaitForComputeSystemExit)(system, 300, NULL), 0x80370118);
  end_container(system);
  unmount_scratch("scratch");
}

static HANDLE told;

static void CALLBACK on_event(struct event *event, void *context)
{
  (void)context;
  if (event->type == 1)
    (void)SetEvent(told);
}

static void an_exit_can_be_lost(void)
{
  void *system = run_container("one", "scratch");

  told = CreateEventW(NULL, TRUE, FALSE, NULL);
  IS(CALL(HcsSetComputeSystemCallback)(system, 0, NULL, on_event), 0);
  knob("HcsTerminateComputeSystem do=lose");
  end_container(system);
  IS(WaitForSingleObject(told, 300), WAIT_TIMEOUT);
  (void)CloseHandle(told);
  unmount_scratch("scratch");
}

static void hosts_have_properties(void)
{
  void *system, *operation = op(), *process = NULL;
  char *text;

  make_scratch("scratch");
  mount_scratch("scratch");
  knob("host processors=2");
  text = container_document("scratch", "{\"Processor\":{\"Count\":3}}");
  IS(finish(operation,
            CALL(HcsCreateComputeSystem)(L"one", w("%s", text), operation, NULL, &system)),
     0x80070057);
  CALL(HcsCloseComputeSystem)(system);
  free(text);
  IS(CALL(UnprepareLayer)(&driver, w("%s", at("scratch"))), 0);
  IS(CALL(DeactivateLayer)(&driver, w("%s", at("scratch"))), 0);
  IS(CALL(DestroyLayer)(&driver, w("%s", at("scratch"))), 0);
  knob("host ignore=1");
  system = run_container("one", "scratch");
  operation = op();
  IS(finish(operation, CALL(HcsCreateProcess)(system, L"{\"CommandLine\":\"ping -n 60 127.0.0.1\"}",
                                              operation, NULL, &process)),
     0);
  operation = op();
  IS(finish(operation, CALL(HcsShutDownComputeSystem)(system, operation, NULL)), 0);
  IS(CALL(HcsWaitForComputeSystemExit)(system, 500, NULL), 0x80370118);
  CALL(HcsCloseProcess)(process);
  end_container(system);
  unmount_scratch("scratch");
}

static void a_start_ends_in_an_exit(void)
{
  void *system, *operation = op();
  wchar_t *text = NULL;
  json_t *status;

  make_scratch("scratch");
  mount_scratch("scratch");
  system = create_container("one", "scratch");
  knob("HcsStartComputeSystem do=exit hr=0x80370100");
  IS(finish(operation, CALL(HcsStartComputeSystem)(system, operation, NULL)), 0);
  IS(CALL(HcsWaitForComputeSystemExit)(system, 5000, &text), 0);
  status = json_of(text, true);
  IS((uint32_t)json_integer_value(json_object_get(status, "Status")), 0x80370100);
  json_decref(status);
  CALL(HcsCloseComputeSystem)(system);
  unmount_scratch("scratch");
}

static void crashes_can_be_ordered(void)
{
  void *system = run_container("one", "scratch");
  wchar_t *text = NULL;

  OK(hcs_sim_crash("one") == 0);
  IS(CALL(HcsWaitForComputeSystemExit)(system, 5000, &text), 0);
  json_decref(json_of(text, true));
  CALL(HcsCloseComputeSystem)(system);
  unmount_scratch("scratch");
}

/* ---- Guests ---------------------------------------------------------------------------------- */

static const char versions[] = "{\"MinimumVersion\":4,\"MaximumVersion\":4}";

static void guests_that_do_not_dial(void)
{
  static const char *const how[] = { "guest:dial do=never", "guest:dial do=crash",
                                     "guest:dial delay=2000" };
  struct machine m;

  machine_files("vm");
  for (size_t i = 0; i < 3; i++) {
    memset(&m, 0, sizeof(m));
    knob("%s", how[i]);
    m.system = create_machine("vm");
    machine_listen(&m, "vm");
    machine_power_on(&m);
    OK(!machine_accept(&m, 400));
    machine_drop(&m);
  }
  knob("guest:dial do=drop");
  machine_start(&m, "vm");
  IS(ask_maybe(&m, NEGOTIATE, versions), 1);
  machine_drop(&m);
  machine_files_remove("vm");
}

/* Answers that are none: the result is 1 (harness: connection ended, nonsense, of another call). */
static void guests_that_answer_wrongly(void)
{
  static const char *const how[] = { "drop",    "garbage",   "huge", "short",
                                     "wrongid", "wrongtype", "crash" };
  struct machine m;

  machine_files("vm");
  for (size_t i = 0; i < sizeof(how) / sizeof(how[0]); i++) {
    knob("guest:NegotiateProtocol do=%s", how[i]);
    machine_start(&m, "vm");
    IS(ask_maybe(&m, NEGOTIATE, versions), 1);
    machine_drop(&m);
  }
  machine_files_remove("vm");
}

static void guests_that_do_not_answer(void)
{
  struct machine m;
  DWORD ms = 400;

  machine_files("vm");
  knob("guest:NegotiateProtocol do=mute");
  machine_start(&m, "vm");
  IS(setsockopt(m.bridge, SOL_SOCKET, SO_RCVTIMEO, (const char *)&ms, sizeof(ms)), 0);
  IS(ask(&m, NEGOTIATE, NULL, versions, NULL), 1);
  machine_drop(&m);
  knob("guest:NegotiateProtocol delay=800");
  machine_start(&m, "vm");
  IS(setsockopt(m.bridge, SOL_SOCKET, SO_RCVTIMEO, (const char *)&ms, sizeof(ms)), 0);
  IS(ask(&m, NEGOTIATE, NULL, versions, NULL), 1);
  machine_drop(&m);
  machine_files_remove("vm");
}

static void guests_that_fail(void)
{
  struct machine m;
  json_t *answer = NULL;

  machine_files("vm");
  knob("guest:ModifySettings match=CombinedLayers hr=0xC037010D");
  knob("guest:NegotiateProtocol do=version");
  machine_start(&m, "vm");
  IS(ask(&m, NEGOTIATE, NULL, versions, &answer), 0);
  IS(json_integer_value(json_object_get(answer, "Version")), 3);
  json_decref(answer);
  machine_drop(&m);
  machine_start(&m, "vm");
  machine_cold_start(&m);
  IS(ask(&m, MODIFY, NULL,
         "{\"Request\":{\"RequestType\":\"Add\",\"ResourceType\":\"CombinedLayers\",\"Settings\":{}"
         "}}",
         NULL),
     0xc037010d);
  knob("guest:GetProperties do=dropafter");
  IS(ask(&m, PROPERTIES, NULL, "{\"Query\":\"{\\\"PropertyTypes\\\":[\\\"SystemGUID\\\"]}\"}",
         NULL),
     0);
  IS(ask_maybe(&m, PROPERTIES, "{\"Query\":\"{}\"}"), 1);
  machine_end(&m);
}

static void notifications_come_early_and_answers_twice(void)
{
  struct machine m;

  machine_files("vm");
  machine_start(&m, "vm");
  machine_cold_start(&m);
  knob("guest:DumpStacks do=early");
  IS(ask(&m, 0x10100c01, NULL, "{}", NULL), 0);
  OK(m.notified != NULL);
  knob("guest:DumpStacks do=twice");
  IS(ask(&m, 0x10100c01, NULL, "{}", NULL), 0);
  IS(ask(&m, 0x10100c01, NULL, "{}", NULL), 1); /* what comes is the other answer once more */
  machine_end(&m);
}

static void guests_that_need_no_zone_and_dial_twice(void)
{
  struct machine m = { 0 };
  SOCKET second;

  machine_files("vm");
  knob("host zone=0");
  knob("guest:dial do=twice");
  m.system = create_machine("vm");
  machine_listen(&m, "vm");
  machine_power_on(&m);
  m.bridge = CALL(accept)(m.listening, NULL, NULL);
  OK(m.bridge != INVALID_SOCKET);
  second = CALL(accept)(m.listening, NULL, NULL);
  OK(second != INVALID_SOCKET);
  IS(CALL(closesocket)(m.listening), 0);
  IS(ask(&m, NEGOTIATE, NULL, versions, NULL), 0);
  IS(ask(&m, CREATE, NULL, "{\"ContainerConfig\":\"{\\\"SystemType\\\":\\\"Container\\\"}\"}",
         NULL),
     0);
  (void)CALL(closesocket)(second);
  machine_end(&m);
}

static void guests_without_signals(void)
{
  struct machine m;
  json_t *answer = NULL;

  machine_files("vm");
  knob("host signals=0");
  machine_start(&m, "vm");
  IS(ask(&m, NEGOTIATE, NULL, versions, &answer), 0);
  OK(json_is_false(json_object_get(
      json_object_get(json_object_get(answer, "Capabilities"), "GuestDefinedCapabilities"),
      "SignalProcessSupported")));
  json_decref(answer);
  machine_end(&m);
}

static const struct test_case cases[] = {
  { "wrong_knobs_are_refused", wrong_knobs_are_refused },
  { "the_nth_calls_fail", the_nth_calls_fail },
  { "any_call_can_be_the_nth", any_call_can_be_the_nth },
  { "calls_are_told_apart_by_their_arguments", calls_are_told_apart_by_their_arguments },
  { "a_call_fails_itself_or_by_its_result", a_call_fails_itself_or_by_its_result },
  { "a_call_takes_its_time", a_call_takes_its_time },
  { "a_file_of_knobs_is_read", a_file_of_knobs_is_read },
  { "calls_are_written_down", calls_are_written_down },
  { "after_the_work_it_fails", after_the_work_it_fails },
  { "the_service_dies_in_a_call", the_service_dies_in_a_call },
  { "a_process_comes_with_a_failure", a_process_comes_with_a_failure },
  { "a_system_stays_or_goes_silently", a_system_stays_or_goes_silently },
  { "an_exit_can_be_lost", an_exit_can_be_lost },
  { "hosts_have_properties", hosts_have_properties },
  { "a_start_ends_in_an_exit", a_start_ends_in_an_exit },
  { "crashes_can_be_ordered", crashes_can_be_ordered },
  { "guests_that_do_not_dial", guests_that_do_not_dial },
  { "guests_that_answer_wrongly", guests_that_answer_wrongly },
  { "guests_that_do_not_answer", guests_that_do_not_answer },
  { "guests_that_fail", guests_that_fail },
  { "notifications_come_early_and_answers_twice", notifications_come_early_and_answers_twice },
  { "guests_that_need_no_zone_and_dial_twice", guests_that_need_no_zone_and_dial_twice },
  { "guests_without_signals", guests_without_signals },
};

int main(int argc, char **argv)
{
  return RUN(argc, argv, cases);
}
