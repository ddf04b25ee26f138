/* SPDX-License-Identifier: Apache-2.0
 *
 * Machines, and the agent in them: the cold start, containers, and what is refused.
 */
#include "machine.h"

/* ---- Starting one ---------------------------------------------------------------------------- */

static void documents_are_checked(void)
{
  static const struct {
    const char *path, *value;
    uint32_t hr;
    const char *where;
  } rows[] = {
    { "VirtualMachine/ComputeTopology/Memory/SizeInMB", "1023", 0x80070057, "SizeInMB" },
    { "VirtualMachine/ComputeTopology/Processor/Count", "99", 0x80070057, "Processor.Count" },
    { "VirtualMachine/Chipset/Uefi/BootThis/DevicePath", "\"\"", 0x80070057, "BootThis" },
    { "VirtualMachine/Devices/Floppy", "{}", 0x8037010d, "$.VirtualMachine.Devices.Floppy" },
    { "VirtualMachine/Devices/Scsi", "{\"11111111-2222-3333-4444-555555555555\":{}}", 0x80070057,
      "Scsi" },
  };

  machine_files("vm");
  for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
    json_t *document = machine_document("vm"), *error = NULL;
    void *system = NULL, *operation = op();
    char *text;

    set_at(document, rows[i].path, rows[i].value);
    text = json_dumps(document, 0);
    IS(finish_with(operation,
                   CALL(HcsCreateComputeSystem)(L"vm", w("%s", text), operation, NULL, &system),
                   &error),
       rows[i].hr);
    OK(strstr(json_string_value(json_object_get(error, "ErrorMessage")), rows[i].where) != NULL);
    CALL(HcsCloseComputeSystem)(system);
    free(text);
    json_decref(error);
    json_decref(document);
  }
  machine_files_remove("vm");
}

static uint32_t start_hr(const char *id)
{
  void *system = create_machine(id), *operation = op();
  uint32_t hr = finish(operation, CALL(HcsStartComputeSystem)(system, operation, NULL));

  if (hr == 0)
    end_container(system);
  else
    CALL(HcsCloseComputeSystem)(system);
  return hr;
}

static void every_file_needs_a_grant(void)
{
  machine_files("vm");
  IS(CALL(HcsRevokeVmAccess)(L"vm", w("%s", at("vm.vhdx"))), 0);
  IS(start_hr("vm"), 0x80070005);
  IS(CALL(HcsGrantVmAccess)(L"vm", w("%s", at("vm.vhdx"))), 0);
  IS(CALL(HcsRevokeVmAccess)(L"vm", w("%s", at("base"))), 0);
  IS(start_hr("vm"), 0x80070005);
  IS(CALL(HcsGrantVmAccess)(L"vm", w("%s", at("base"))), 0);
  IS(start_hr("vm"), 0);
  machine_files_remove("vm");
}

/* The entry in the access list went with the file. */
static void a_grant_is_of_the_file_and_not_its_name(void)
{
  machine_files("vm");
  OK(MoveFileA(at("vm.vhdx"), at("old.vhdx")));
  OK(CopyFileA(at("old.vhdx"), at("vm.vhdx"), TRUE));
  IS(start_hr("vm"), 0x80070005);
  OK(DeleteFileA(at("old.vhdx")));
  machine_files_remove("vm");
}

static void without_hyperv_there_are_no_machines(void)
{
  json_t *document;
  void *system = NULL, *operation = op();
  char *text;

  machine_files("vm");
  knob("host hyperv=0");
  document = machine_document("vm");
  text = json_dumps(document, 0);
  IS(finish(operation,
            CALL(HcsCreateComputeSystem)(L"vm", w("%s", text), operation, NULL, &system)),
     0x80370102);
  CALL(HcsCloseComputeSystem)(system);
  free(text);
  json_decref(document);
  machine_files_remove("vm");
}

/* ---- Cold start ------------------------------------------------------------------------------ */

static void a_machine_comes_up(void)
{
  struct machine m;

  machine_files("vm");
  machine_start(&m, "vm");
  machine_cold_start(&m);
  machine_end(&m);
}

static void expect_exit(struct machine *m)
{
  wchar_t *text = NULL;
  json_t *status;

  IS(CALL(HcsWaitForComputeSystemExit)(m->system, 10000, &text), 0);
  status = json_of(text, true);
  OK(strcmp(json_string_value(json_object_get(status, "ExitType")), "UnexpectedExit") == 0);
  json_decref(status);
}

static void without_a_time_zone_it_dies(void)
{
  struct machine m;

  machine_files("vm");
  machine_start(&m, "vm");
  IS(ask(&m, NEGOTIATE, NULL, "{\"MinimumVersion\":4,\"MaximumVersion\":4}", NULL), 0);
  say(&m, CREATE, NULL, "{\"ContainerConfig\":\"{\\\"SystemType\\\":\\\"Container\\\"}\"}");
  expect_exit(&m);
  machine_end(&m);
}

static void out_of_turn_it_dies(void)
{
  static const uint32_t early[] = { CREATE, START, MODIFY };
  struct machine m;

  machine_files("vm");
  for (size_t i = 0; i < 3; i++) {
    machine_start(&m, "vm");
    if (early[i] == CREATE) /* of a container, and nobody has negotiated */
      say(&m, CREATE, "c1", "{\"ContainerConfig\":\"{}\"}");
    else if (early[i] == START)
      say(&m, START, NULL, "{}");
    else {
      IS(ask(&m, NEGOTIATE, NULL, "{\"MinimumVersion\":4,\"MaximumVersion\":4}", NULL), 0);
      say(&m, MODIFY, NULL,
          "{\"Request\":{\"RequestType\":\"Add\",\"ResourceType\":\"MappedVirtualDisk\"}}");
    }
    expect_exit(&m);
    machine_drop(&m);
  }
  machine_files_remove("vm");
}

static void there_is_only_version_4(void)
{
  struct machine m;

  machine_files("vm");
  machine_start(&m, "vm");
  IS(ask(&m, NEGOTIATE, NULL, "{\"MinimumVersion\":1,\"MaximumVersion\":3}", NULL), 0xc037010c);
  IS(ask(&m, NEGOTIATE, NULL, "{\"MinimumVersion\":5,\"MaximumVersion\":6}", NULL), 0xc037010c);
  IS(ask(&m, NEGOTIATE, NULL, "{\"MinimumVersion\":4,\"MaximumVersion\":4}", NULL), 0);
  IS(ask(&m, NEGOTIATE, NULL, "{\"MinimumVersion\":4,\"MaximumVersion\":4}", NULL), 0x80004001);
  machine_end(&m);
}

/* It dials once, when it comes up: who listens later waits in vain. */
static void who_listens_too_late_waits_in_vain(void)
{
  struct machine m = { 0 };

  machine_files("vm");
  m.system = create_machine("vm");
  machine_power_on(&m);
  Sleep(300);
  machine_listen(&m, "vm");
  OK(!machine_accept(&m, 300));
  machine_end(&m);
}

static void a_wrong_loader_path_and_lost_security_descriptors_keep_it_silent(void)
{
  struct machine m = { 0 };
  void *context = NULL;
  BYTE stream[24] = { 3, 0, 0, 0, 0, 0, 0, 0, 4 };
  HANDLE file;
  DWORD done;

  machine_files("vm");
  machine_listen(&m, "vm");
  m.system = create_machine_with("vm", "VirtualMachine/Chipset/Uefi/BootThis/DevicePath",
                                 "\"EFI\\\\Microsoft\\\\Boot\\\\bootmgfw.efi\"");
  machine_power_on(&m);
  OK(!machine_accept(&m, 300));
  machine_drop(&m);
  file = CreateFileA(at("base\\UtilityVM\\Files\\service.dll"), GENERIC_READ | GENERIC_WRITE, 0,
                     NULL, CREATE_ALWAYS, FILE_FLAG_BACKUP_SEMANTICS, NULL);
  OK(CALL(BackupWrite)(file, stream, sizeof(stream), &done, FALSE, FALSE, &context));
  OK(CALL(BackupWrite)(file, NULL, 0, &done, TRUE, FALSE, &context));
  (void)CloseHandle(file);
  machine_listen(&m, "vm");
  m.system = create_machine("vm");
  machine_power_on(&m);
  OK(!machine_accept(&m, 300));
  machine_end(&m);
}

/* ---- Containers in it ------------------------------------------------------------------------ */

static void a_container_lives_in_it(void)
{
  struct machine m;
  uint32_t code = 99;
  char printed[4000];

  machine_files("vm");
  machine_start(&m, "vm");
  machine_cold_start(&m);
  machine_prepare_container(&m, "c1");
  IS(ask(&m, START, "c1", "{}", NULL), 0);
  machine_run(&m, "c1", "cmd /c echo hello from hyperv", printed, sizeof(printed), &code);
  OK(strstr(printed, "hello from hyperv") != NULL);
  IS(code, 0);
  machine_run(&m, "c1", "cmd /c hostname", printed, sizeof(printed), &code);
  OK(strlen(printed) > 1 && code == 0);
  IS(ask(&m, SHUTDOWN, "c1", "{}", NULL), 0);
  await_notification(&m, "c1", "GracefulExit");
  machine_end(&m);
  IS(CALL(DestroyLayer)(&driver, w("%s", at("scratch"))), 0);
}

static void a_disk_that_is_activated_here_cannot_go_there(void)
{
  struct machine m;

  make_scratch("scratch");
  machine_files("vm");
  machine_start(&m, "vm");
  IS(CALL(HcsGrantVmAccess)(L"vm", w("%s", at("scratch\\sandbox.vhdx"))), 0);
  IS(CALL(ActivateLayer)(&driver, w("%s", at("scratch"))), 0);
  IS(host_modify(&m, scsi_request("Add", 1, at("scratch\\sandbox.vhdx"))), 0x80070020);
  IS(CALL(DeactivateLayer)(&driver, w("%s", at("scratch"))), 0);
  IS(host_modify(&m, scsi_request("Add", 1, at("scratch\\sandbox.vhdx"))), 0);
  IS(host_modify(&m, scsi_request("Add", 1, at("scratch\\sandbox.vhdx"))), 0x80070057);
  IS(CALL(ActivateLayer)(&driver, w("%s", at("scratch"))), 0x80070020);
  IS(CALL(DestroyLayer)(&driver, w("%s", at("scratch"))), 0x80070020);
  OK(!DeleteFileA(at("scratch\\sandbox.vhdx")) && GetLastError() == ERROR_SHARING_VIOLATION);
  IS(host_modify(&m, scsi_request("Remove", 1, NULL)), 0);
  IS(host_modify(&m, scsi_request("Remove", 1, NULL)), 0x80070490);
  machine_end(&m);
  IS(CALL(DestroyLayer)(&driver, w("%s", at("scratch"))), 0);
}

static void a_disk_needs_its_grant_there(void)
{
  struct machine m;

  make_scratch("scratch");
  machine_files("vm");
  machine_start(&m, "vm");
  IS(host_modify(&m, scsi_request("Add", 1, at("scratch\\sandbox.vhdx"))), 0x80070005);
  IS(host_modify(&m, "{\"ResourcePath\":\"VirtualMachine/Toaster\",\"RequestType\":\"Add\"}"),
     0x80070057);
  IS(host_modify(
         &m,
         "{\"ResourcePath\":\"VirtualMachine/Devices/VirtualSmb/Shares\",\"RequestType\":\"Add\","
         "\"Settings\":{\"Name\":\"s9\",\"Index\":3}}"),
     0x8037010d);
  IS(host_modify(
         &m,
         "{\"ResourcePath\":\"VirtualMachine/Devices/VirtualSmb/Shares\",\"RequestType\":\"Add\","
         "\"GuestRequest\":{},\"Settings\":{\"Name\":\"s9\"}}"),
     0x8037010d);
  machine_end(&m);
  IS(CALL(DestroyLayer)(&driver, w("%s", at("scratch"))), 0);
}

static void the_guest_refuses_what_it_does_not_know(void)
{
  struct machine m;
  json_t *answer = NULL;

  machine_files("vm");
  machine_start(&m, "vm");
  machine_cold_start(&m);
  IS(ask(&m, MODIFY, NULL,
         "{\"Request\":{\"RequestType\":\"Add\",\"ResourceType\":\"CombinedLayers\","
         "\"Settings\":{\"ContainerRootPath\":\"c:\\\\m\",\"FilterType\":\"WCIFS\"}}}",
         &answer),
     0xc037010d);
  OK(strstr(json_string_value(json_object_get(answer, "ErrorMessage")), "$.FilterType") != NULL);
  json_decref(answer);
  IS(ask(&m, MODIFY, NULL,
         "{\"Request\":{\"RequestType\":\"Add\",\"ResourceType\":\"MappedVirtualDisk\","
         "\"ResourcePath\":\"x\"}}",
         NULL),
     0xc037010d);
  IS(ask(&m, MODIFY, NULL,
         "{\"Request\":{\"RequestType\":\"Add\",\"ResourceType\":\"MappedVirtualDisk\","
         "\"Settings\":{\"ContainerPath\":\"c:\\\\m\",\"Lun\":7}}}",
         NULL),
     0x80070490);
  IS(ask(&m, CREATE, "c1",
         "{\"ContainerConfig\":\"{\\\"GuestOs\\\":{\\\"HostName\\\":\\\"a\\\"}}\"}", NULL),
     0xc037010d);
  IS(ask(&m, START, "c1", "{}", NULL), 0xc037010e);
  IS(ask(&m, WAIT, NULL, "{\"ProcessId\":4711,\"TimeoutInMs\":10}", NULL), 0x80070490);
  IS(ask(&m, 0x10100e01, NULL, "{}", NULL), 0x80004001);
  IS(ask(&m, 0x10109901, NULL, "{}", NULL), 0x80004001);
  machine_end(&m);
}

static void streams_need_somebody_who_listens(void)
{
  struct machine m;

  machine_files("vm");
  machine_start(&m, "vm");
  machine_cold_start(&m);
  IS(ask(&m, EXECUTE, NULL,
         "{\"Settings\":{\"ProcessParameters\":\"{\\\"CommandLine\\\":\\\"cmd /c exit\\\","
         "\\\"CreateStdOutPipe\\\":true}\",\"StdioRelaySettings\":{\"StdOut\":"
         "\"40000001-facb-11e6-bd58-64006a7986d3\"}}}",
         NULL),
     0x80004005);
  machine_end(&m);
}

static const struct test_case cases[] = {
  { "documents_are_checked", documents_are_checked },
  { "every_file_needs_a_grant", every_file_needs_a_grant },
  { "a_grant_is_of_the_file_and_not_its_name", a_grant_is_of_the_file_and_not_its_name },
  { "without_hyperv_there_are_no_machines", without_hyperv_there_are_no_machines },
  { "a_machine_comes_up", a_machine_comes_up },
  { "without_a_time_zone_it_dies", without_a_time_zone_it_dies },
  { "out_of_turn_it_dies", out_of_turn_it_dies },
  { "there_is_only_version_4", there_is_only_version_4 },
  { "who_listens_too_late_waits_in_vain", who_listens_too_late_waits_in_vain },
  { "a_container_lives_in_it", a_container_lives_in_it },
  { "a_disk_that_is_activated_here_cannot_go_there",
    a_disk_that_is_activated_here_cannot_go_there },
  { "a_disk_needs_its_grant_there", a_disk_needs_its_grant_there },
  { "the_guest_refuses_what_it_does_not_know", the_guest_refuses_what_it_does_not_know },
  { "streams_need_somebody_who_listens", streams_need_somebody_who_listens },
  /* Last: what it does to the base layer stays. */
  { "a_wrong_loader_path_and_lost_security_descriptors_keep_it_silent",
    a_wrong_loader_path_and_lost_security_descriptors_keep_it_silent },
};

int main(int argc, char **argv)
{
  return RUN(argc, argv, cases);
}
