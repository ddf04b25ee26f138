/* SPDX-License-Identifier: Apache-2.0
 *
 * What hosts and guests are known to do, each as one test of a container: the codes of the compute,
 * storage and network services, the guest's ends and wrong answers, and what operators reported.
 */
#include "windows/hcs_box.h"

#include <stdlib.h>

#include "runtime/hcs/privilege.h"

enum act {
  RUN,  /* create, start and wait, under the knobs */
  STOP, /* stop a container that runs; the knobs are turned when it does */
  EXEC, /* one more process in it */
  STATS
};

struct row {
  const char *name; /* the service's name of the code, or what happens */
  const char *knobs[3];
  enum zl_isolation isolation;
  enum act act;
  enum zl_code code; /* ZL_OK: it works all the same */
  const char *text;  /* in the error */
};

static const struct row guests[] = {
  { "a guest never dials", { "guest:dial do=never" }, GUEST, RUN, ZL_E_TIMEOUT, "has not dialled" },
  { "a machine ends before its guest dials",
    { "guest:dial do=crash" },
    GUEST,
    RUN,
    ZL_E_REMOTE,
    "ended before its guest dialled" },
  { "a guest hangs up at once",
    { "guest:dial do=drop" },
    GUEST,
    RUN,
    ZL_E_REMOTE,
    "negotiation: " },
  { "a guest dials twice", { "guest:dial do=twice" }, GUEST, RUN, ZL_OK, "" },
  { "a guest speaks another version",
    { "guest:NegotiateProtocol do=version" },
    GUEST,
    RUN,
    ZL_E_UNSUPPORTED,
    "negotiation: " },
  { "a guest hangs up after its first answer",
    { "guest:NegotiateProtocol do=dropafter" },
    GUEST,
    RUN,
    ZL_E_REMOTE,
    "connection to the guest: " },
  { "a frame of 16 MiB",
    { "guest:NegotiateProtocol do=huge" },
    GUEST,
    RUN,
    ZL_E_REMOTE,
    "negotiation: " },
  { "a frame shorter than its head",
    { "guest:NegotiateProtocol do=short" },
    GUEST,
    RUN,
    ZL_E_REMOTE,
    "negotiation: " },
  { "an answer that is no JSON",
    { "guest:NegotiateProtocol do=garbage" },
    GUEST,
    RUN,
    ZL_E_REMOTE,
    "negotiation: " },
  { "an answer to no call",
    { "guest:NegotiateProtocol do=wrongid" },
    GUEST,
    RUN,
    ZL_E_REMOTE,
    "negotiation: " },
  { "an answer to another message",
    { "guest:NegotiateProtocol do=wrongtype" },
    GUEST,
    RUN,
    ZL_E_REMOTE,
    "negotiation: " },
  { "an answer that comes twice",
    { "guest:NegotiateProtocol do=twice" },
    GUEST,
    RUN,
    ZL_E_REMOTE,
    "" },
  { "garbage later on",
    { "guest:Create nth=2 do=garbage" },
    GUEST,
    RUN,
    ZL_E_REMOTE,
    "container in the machine: " },
  { "an answer to no call later on",
    { "guest:Start nth=2 do=wrongid" },
    GUEST,
    RUN,
    ZL_E_REMOTE,
    "start of the container in the machine: " },
  { "a bugcheck after the negotiation",
    { "guest:Create do=crash" },
    GUEST,
    RUN,
    ZL_E_REMOTE,
    "its own container: " },
  { "a crash while the container is made",
    { "guest:Create nth=2 do=crash" },
    GUEST,
    RUN,
    ZL_E_REMOTE,
    "container in the machine: " },
  { "a crash while the command starts",
    { "guest:ExecuteProcess do=crash" },
    GUEST,
    RUN,
    ZL_E_REMOTE,
    "command: " },
  { "a connection that ends while the command runs",
    { "guest:WaitForProcess do=drop" },
    GUEST,
    RUN,
    ZL_OK,
    "" },
  { "a wait that the guest gives up (ERROR_VMCOMPUTE_TIMEOUT)",
    { "guest:WaitForProcess hr=0xc0370109" },
    GUEST,
    RUN,
    ZL_OK,
    "" },
  { "a guest without the change (ERROR_VMCOMPUTE_INVALID_JSON)",
    { "guest:ModifySettings nth=2 hr=0xc037010d" },
    GUEST,
    RUN,
    ZL_E_INVALID,
    "storage of the machine: " },
  { "a guest without the message (ERROR_VMCOMPUTE_UNKNOWN_MESSAGE)",
    { "guest:ModifySettings hr=0xc037010b" },
    GUEST,
    RUN,
    ZL_E_UNSUPPORTED,
    "addresses of sockets: " },
  { "a guest that refuses the version (ERROR_VMCOMPUTE_UNSUPPORTED_PROTOCOL_VERSION)",
    { "guest:NegotiateProtocol hr=0xc037010c" },
    GUEST,
    RUN,
    ZL_E_UNSUPPORTED,
    "negotiation: " },
  { "a disk that the host still has (ERROR_SHARING_VIOLATION)",
    { "HcsModifyComputeSystem hr=0x80070020" },
    GUEST,
    RUN,
    ZL_E_CONFLICT,
    "ERROR_SHARING_VIOLATION" },
  { "a container that is there already (ERROR_VMCOMPUTE_SYSTEM_ALREADY_EXISTS)",
    { "guest:Create nth=2 hr=0xc037010f" },
    GUEST,
    RUN,
    ZL_E_CONFLICT,
    "container in the machine: " },
  { "a command that is not there",
    { "guest:ExecuteProcess hr=0x80070002" },
    GUEST,
    RUN,
    ZL_E_NO_COMMAND,
    "command: no such command in the container" },
  { "a command that is no program",
    { "guest:ExecuteProcess hr=0x800700c1" },
    GUEST,
    RUN,
    ZL_E_NOT_EXECUTABLE,
    "command: the command is no program" },
  { "a container that is gone at its shutdown (ERROR_VMCOMPUTE_SYSTEM_NOT_FOUND)",
    { "guest:ShutdownForced hr=0xc037010e", "guest:ShutdownGraceful hr=0xc037010e" },
    GUEST,
    RUN,
    ZL_OK,
    "" },
  { "a process that is gone when it is signalled (ERROR_NOT_FOUND)",
    { "guest:SignalProcess hr=0x80070490 times=0" },
    GUEST,
    STOP,
    ZL_OK,
    "" },
  { "a guest that cannot signal", { "host signals=0" }, GUEST, STOP, ZL_OK, "" },
  { "a command that ignores signals", { "host ignore=1" }, GUEST, STOP, ZL_OK, "" },
  { "a crash during the stop", { "guest:SignalProcess do=crash" }, GUEST, STOP, ZL_OK, "" },
  { "a session's command that is not there",
    { "guest:ExecuteProcess hr=0x80070003" },
    GUEST,
    EXEC,
    ZL_E_NO_COMMAND,
    "no such directory of a command" },
  { "a session whose guest dies",
    { "guest:ExecuteProcess do=crash" },
    GUEST,
    EXEC,
    ZL_E_REMOTE,
    "" },
  { "statistics of a container that goes (ERROR_VMCOMPUTE_SYSTEM_NOT_FOUND)",
    { "guest:GetProperties hr=0xc037010e" },
    GUEST,
    STATS,
    ZL_E_NOT_FOUND,
    "" },
};

#define START(hr)                  \
  {                                \
    "HcsStartComputeSystem hr=" hr \
  }
#define MAKE(hr)                    \
  {                                 \
    "HcsCreateComputeSystem hr=" hr \
  }
#define TWICE " times=2"

static const struct row systems[] = {
  { "TERMINATED_DURING_START once", START("0x80370100"), GUEST, RUN, ZL_OK, "" },
  { "TERMINATED_DURING_START", START("0x80370100" TWICE), GUEST, RUN, ZL_E_SYSTEM, "2048 MiB" },
  { "IMAGE_MISMATCH", MAKE("0x80370101"), HOST, RUN, ZL_E_WRONG_PLATFORM, "isolation hyperv" },
  { "HYPERV_NOT_INSTALLED", MAKE("0x80370102"), GUEST, RUN, ZL_E_UNSUPPORTED,
    "enable the Hyper-V feature" },
  { "ERROR_VMCOMPUTE_OPERATION_PENDING", START("0xc0370103"), HOST, RUN, ZL_E_INTERNAL,
    "OPERATION_PENDING" },
  { "INVALID_STATE at a start", START("0x80370105"), GUEST, RUN, ZL_E_CONFLICT, "INVALID_STATE" },
  { "INVALID_STATE at an end",
    { "HcsTerminateComputeSystem do=after hr=0x80370105", "host ignore=1" },
    HOST,
    STOP,
    ZL_OK,
    "" },
  { "INVALID_STATE at a signal", { "HcsSignalProcess hr=0x80370105" }, HOST, STOP, ZL_OK, "" },
  { "ERROR_VMCOMPUTE_UNEXPECTED_EXIT",
    { "HcsStartComputeSystem do=exit hr=0xc0370106" },
    GUEST,
    RUN,
    ZL_E_REMOTE,
    "UNEXPECTED_EXIT" },
  { "UNEXPECTED_EXIT", START("0x80370106"), HOST, RUN, ZL_E_SYSTEM, "its memory or disk" },
  { "TERMINATED", START("0x80370107"), HOST, RUN, ZL_E_SYSTEM, "ended by force" },
  { "CONNECT_FAILED once", START("0x80370108"), GUEST, RUN, ZL_OK, "" },
  { "CONNECT_FAILED", START("0x80370108" TWICE), GUEST, RUN, ZL_E_REMOTE, "CONNECT_FAILED" },
  { "CONNECTION_TIMEOUT once", START("0x80370109"), GUEST, RUN, ZL_OK, "" },
  { "CONNECTION_TIMEOUT", START("0x80370109" TWICE), GUEST, RUN, ZL_E_TIMEOUT,
    "CONNECTION_TIMEOUT" },
  { "CONNECTION_CLOSED", START("0x8037010a"), GUEST, RUN, ZL_E_REMOTE, "CONNECTION_CLOSED" },
  { "UNKNOWN_MESSAGE", MAKE("0x8037010b"), HOST, RUN, ZL_E_UNSUPPORTED, "UNKNOWN_MESSAGE" },
  { "UNSUPPORTED_PROTOCOL_VERSION", START("0x8037010c"), GUEST, RUN, ZL_E_UNSUPPORTED,
    "UNSUPPORTED_PROTOCOL_VERSION" },
  { "INVALID_JSON", MAKE("0x8037010d"), HOST, RUN, ZL_E_UNSUPPORTED, "INVALID_JSON" },
  { "SYSTEM_NOT_FOUND at the shutdown",
    { "HcsShutDownComputeSystem hr=0x8037010e",
      "HcsTerminateComputeSystem do=after hr=0x8037010e" },
    HOST,
    RUN,
    ZL_OK,
    "" },
  { "SYSTEM_ALREADY_EXISTS", MAKE("0x8037010f"), HOST, RUN, ZL_OK, "" },
  { "SYSTEM_ALREADY_EXISTS of a machine", MAKE("0x8037010f"), GUEST, RUN, ZL_OK, "" },
  { "SYSTEM_ALREADY_STOPPED", { "HcsShutDownComputeSystem hr=0x80370110" }, HOST, RUN, ZL_OK, "" },
  { "SYSTEM_ALREADY_STOPPED at an end",
    { "HcsTerminateComputeSystem do=after hr=0x80370110" },
    GUEST,
    STOP,
    ZL_OK,
    "" },
  { "PROTOCOL_ERROR", START("0x80370111"), HOST, RUN, ZL_E_REMOTE, "PROTOCOL_ERROR" },
  { "INVALID_LAYER", MAKE("0x80370112"), HOST, RUN, ZL_E_CORRUPT, "pull the image again" },
  { "WINDOWS_INSIDER_REQUIRED", MAKE("0x80370113"), HOST, RUN, ZL_E_UNSUPPORTED,
    "WINDOWS_INSIDER_REQUIRED" },
  { "SERVICE_NOT_AVAILABLE", MAKE("0x80370114"), HOST, RUN, ZL_E_SYSTEM,
    "start the service vmcompute" },
  { "OPERATION_NOT_STARTED", START("0x80370115"), HOST, RUN, ZL_E_INTERNAL, "NOT_STARTED" },
  { "OPERATION_ALREADY_STARTED", START("0x80370116"), HOST, RUN, ZL_E_INTERNAL, "ALREADY_STARTED" },
  { "OPERATION_PENDING", START("0x80370117"), HOST, RUN, ZL_E_INTERNAL, "PENDING" },
  { "OPERATION_TIMEOUT", START("0x80370118"), HOST, RUN, ZL_E_TIMEOUT,
    "still works on the request" },
  { "OPERATION_SYSTEM_CALLBACK_ALREADY_SET", START("0x80370119"), HOST, RUN, ZL_E_INTERNAL,
    "CALLBACK_ALREADY_SET" },
  { "OPERATION_RESULT_ALLOCATION_FAILED", START("0x8037011a"), HOST, RUN, ZL_E_NO_MEMORY,
    "ALLOCATION_FAILED" },
  { "HCS_E_ACCESS_DENIED", MAKE("0x8037011b"), HOST, RUN, ZL_E_PERMISSION, "as an administrator" },
  { "GUEST_CRITICAL_ERROR", START("0x8037011c"), GUEST, RUN, ZL_E_SYSTEM, "kernel crashed" },
  { "PROCESS_INFO_NOT_AVAILABLE",
    { "HcsCreateProcess hr=0x8037011d" },
    HOST,
    RUN,
    ZL_E_INTERNAL,
    "PROCESS_INFO_NOT_AVAILABLE" },
  { "a command that is not there",
    { "HcsCreateProcess hr=0x80070002" },
    HOST,
    RUN,
    ZL_E_NO_COMMAND,
    "no such command in the container" },
  { "a command whose directory is not there",
    { "HcsCreateProcess hr=0x80070003" },
    HOST,
    EXEC,
    ZL_E_NO_COMMAND,
    "no such directory of a command" },
  { "a command that may not be executed",
    { "HcsCreateProcess hr=0x80070005" },
    HOST,
    EXEC,
    ZL_E_NOT_EXECUTABLE,
    "may not be executed" },
  { "a command for another processor",
    { "HcsCreateProcess hr=0x800700d8" },
    HOST,
    RUN,
    ZL_E_NOT_EXECUTABLE,
    "another processor" },
  { "a working directory that is not there",
    { "HcsCreateProcess hr=0x8007010b" },
    HOST,
    RUN,
    ZL_E_INVALID,
    "the working directory is not there" },
  { "SERVICE_DISCONNECT", START("0x8037011e"), HOST, RUN, ZL_E_REMOTE, "vmcompute) ended" },
  { "PROCESS_ALREADY_STOPPED", { "HcsSignalProcess hr=0x8037011f" }, HOST, STOP, ZL_OK, "" },
  { "PROCESS_ALREADY_STOPPED at an end",
    { "HcsTerminateProcess hr=0x8037011f", "host ignore=1" },
    HOST,
    STOP,
    ZL_OK,
    "" },
  { "a process that is made at once, and an operation that fails",
    { "HcsCreateProcess do=quirk hr=0x80070057" },
    HOST,
    RUN,
    ZL_OK,
    "" },
};

static const struct row windows[] = {
  { "ERROR_ACCESS_DENIED, no grant",
    { "HcsGrantVmAccess hr=0x80070005" },
    GUEST,
    RUN,
    ZL_E_PERMISSION,
    "grants: " },
  { "ERROR_ACCESS_DENIED, a start without a grant", START("0x80070005"), GUEST, RUN,
    ZL_E_PERMISSION, "a grant for each of its files" },
  { "ERROR_ACCESS_DENIED of a process that dies",
    { "HcsTerminateProcess hr=0x80070005", "host ignore=1" },
    HOST,
    STOP,
    ZL_OK,
    "" },
  { "ERROR_INVALID_HANDLE of statistics",
    { "HcsGetComputeSystemProperties hr=0x80070006" },
    HOST,
    STATS,
    ZL_E_CONFLICT,
    "closed meanwhile" },
  { "ERROR_FILE_NOT_FOUND", MAKE("0x80070002"), HOST, RUN, ZL_E_NOT_FOUND, "file of a layer" },
  { "ERROR_PATH_NOT_FOUND", MAKE("0x80070003"), HOST, RUN, ZL_E_NOT_FOUND, "a path is too long" },
  { "ERROR_NOT_READY four times", { "ActivateLayer hr=0x80070015 times=4" }, HOST, RUN, ZL_OK, "" },
  { "ERROR_NOT_READY",
    { "ActivateLayer hr=0x80070015 times=5" },
    HOST,
    RUN,
    ZL_E_SYSTEM,
    "NOT_READY" },
  { "ERROR_NOT_READY of Prepare", { "PrepareLayer hr=0x80070015 times=4" }, HOST, RUN, ZL_OK, "" },
  { "ERROR_DEVICE_NOT_CONNECTED", { "PrepareLayer hr=0x8007048f times=4" }, HOST, RUN, ZL_OK, "" },
  { "ERROR_DEVICE_NOT_CONNECTED of Activate",
    { "ActivateLayer hr=0x8007048f times=4" },
    HOST,
    RUN,
    ZL_OK,
    "" },
  { "ERROR_SHARING_VIOLATION of DestroyLayer",
    { "DestroyLayer hr=0x80070020 times=3" },
    HOST,
    RUN,
    ZL_OK,
    "" },
  { "ERROR_SHARING_VIOLATION of a machine's DestroyLayer",
    { "DestroyLayer hr=0x80070020 times=3" },
    GUEST,
    RUN,
    ZL_OK,
    "" },
  { "a deactivated layer whose disk stays attached", { "host flush=1" }, HOST, RUN, ZL_OK, "" },
  { "ERROR_NOT_SUPPORTED", START("0x80070032"), HOST, RUN, ZL_E_UNSUPPORTED, "NOT_SUPPORTED" },
  { "E_INVALIDARG of the document", MAKE("0x80070057"), HOST, RUN, ZL_E_INVALID,
    "the result's error says which" },
  { "ERROR_NOT_FOUND of a process that is gone",
    { "HcsSignalProcess hr=0x80070490", "HcsTerminateProcess hr=0x80070490" },
    HOST,
    STOP,
    ZL_OK,
    "" },
  { "ERROR_NO_SYSTEM_RESOURCES", MAKE("0x800705aa"), HOST, RUN, ZL_E_LIMIT, "restart the service" },
  { "ERROR_TIMEOUT", START("0x800705b4"), HOST, RUN, ZL_E_TIMEOUT, "ERROR_TIMEOUT" },
  { "ERROR_NOT_A_REPARSE_POINT", MAKE("0x80071126"), HOST, RUN, ZL_E_INVALID,
    "the volume path of a prepared layer" },
  { "ERROR_INVALID_DATA", MAKE("0x8007000d"), HOST, RUN, ZL_E_CORRUPT, "INVALID_DATA" },
  { "ERROR_OUTOFMEMORY", MAKE("0x8007000e"), HOST, RUN, ZL_E_NO_MEMORY, "OUTOFMEMORY" },
  { "E_NOTIMPL", START("0x80004001"), HOST, RUN, ZL_E_UNSUPPORTED, "no such function" },
  { "a shutdown that never answers", { "HcsShutDownComputeSystem do=hang" }, HOST, RUN, ZL_OK, "" },
  { "a shutdown that ends nothing", { "HcsShutDownComputeSystem do=stay" }, HOST, RUN, ZL_OK, "" },
  { "a command that ignores signals", { "host ignore=1" }, HOST, STOP, ZL_OK, "" },
  { "a terminated process whose end nobody tells",
    { "HcsTerminateProcess do=lose", "host ignore=1" },
    HOST,
    STOP,
    ZL_OK,
    "" },
};

#define ENDPOINT(hr)                 \
  {                                  \
    "HcnCreateEndpoint hr=0x803b" hr \
  }
#define SPACE(hr)                     \
  {                                   \
    "HcnCreateNamespace hr=0x803b" hr \
  }

static const struct row networks[] = {
  { "NETWORK_NOT_FOUND", ENDPOINT("0001"), HOST, RUN, ZL_E_NOT_FOUND, "NETWORK_NOT_FOUND" },
  { "ENDPOINT_NOT_FOUND", SPACE("0002"), HOST, RUN, ZL_E_NOT_FOUND, "ENDPOINT_NOT_FOUND" },
  { "ENDPOINT_NOT_FOUND at its removal",
    { "HcnDeleteEndpoint hr=0x803b0002" },
    HOST,
    RUN,
    ZL_OK,
    "" },
  { "SUBNET_NOT_FOUND", ENDPOINT("0005"), HOST, RUN, ZL_E_NOT_FOUND, "SUBNET_NOT_FOUND" },
  { "ADAPTER_NOT_FOUND", ENDPOINT("0006"), HOST, RUN, ZL_E_NOT_FOUND, "ADAPTER_NOT_FOUND" },
  { "INVALID_NETWORK", ENDPOINT("000a"), HOST, RUN, ZL_E_INVALID, "INVALID_NETWORK" },
  { "INVALID_ENDPOINT", ENDPOINT("000c"), GUEST, RUN, ZL_E_INVALID, "INVALID_ENDPOINT" },
  { "INVALID_POLICY", ENDPOINT("000d"), GUEST, RUN, ZL_E_INVALID, "INVALID_POLICY" },
  { "PORT_ALREADY_EXISTS", ENDPOINT("0013"), HOST, RUN, ZL_E_CONFLICT, "publishes this port" },
  { "REQUEST_UNSUPPORTED", ENDPOINT("0015"), HOST, RUN, ZL_E_UNSUPPORTED, "REQUEST_UNSUPPORTED" },
  { "HCN_E_INVALID_JSON", SPACE("001b"), HOST, RUN, ZL_E_UNSUPPORTED, "network namespace: " },
  { "INVALID_IP", ENDPOINT("001e"), HOST, RUN, ZL_E_INVALID, "INVALID_IP" },
  { "ENTITY_HAS_REFERENCES", SPACE("002c"), HOST, RUN, ZL_E_CONFLICT, "something still uses it" },
  { "ADDR_INVALID_OR_RESERVED", ENDPOINT("002f"), HOST, RUN, ZL_E_NO_ADDRESS,
    "still holds the address" },
  { "a record of a failure that comes with success",
    { "HcnCreateEndpoint do=error hr=0x803b001e" },
    HOST,
    RUN,
    ZL_E_INVALID,
    "INVALID_IP" },
};

/* ---- Running one ---- */

static void turn(const struct row *row)
{
  for (size_t i = 0; i < ZL_COUNT(row->knobs) && row->knobs[i] != NULL; i++)
    NEED(hcs_sim_set(row->knobs[i]) == 0);
}

static int run(const struct row *row, struct zl_hcs_instance **ret, struct zl_error *err)
{
  int r;

  turn(row);
  r = box_try("echo", "row-rep-1", row->isolation, NULL, ret, err);
  if (r == 0)
    r = zl_hcs_instance_start(*ret, err);
  return r < 0 ? r : box_wait(*ret, err);
}

static int exec(struct zl_hcs_instance *one, struct zl_error *err)
{
  zl_autojson *parameters = json_pack("{s:s}", "CommandLine", "cmd /c exit");
  const struct zl_hcs_task_options options = { .parameters = parameters };
  struct zl_hcs_task *task = NULL;
  int r = zl_hcs_instance_exec(one, &options, &task, err);

  if (r == 0)
    zl_hcs_instance_exec_close(one, task);
  return r;
}

static int act(const struct row *row, struct zl_hcs_instance **ret, struct zl_error *why)
{
  struct zl_stats stats;

  if (row->act == RUN)
    return run(row, ret, why);
  *ret = box_create("longlived", "row-rep-1", row->isolation, NULL);
  TRY(zl_hcs_instance_start(*ret, err));
  turn(row);
  switch (row->act) {
  case STOP:
    return zl_hcs_instance_stop(*ret, ZL_HCS_CTRL_SHUTDOWN, 1000, why);
  case EXEC:
    return exec(*ret, why);
  default:
    return zl_hcs_instance_stats(*ret, &stats, why);
  }
}

static unsigned failed;

static void check(const struct row *row)
{
  struct zl_hcs_instance *one = NULL;
  struct zl_error why = { 0 };
  char leaks[4096];
  int r;

  box.node.accept_ms = strstr(row->knobs[0], "never") != NULL ? 3000 : 60000;
  r = act(row, &one, &why);
  if (r != -(int)row->code || (r < 0 && strstr(why.msg, row->text) == NULL)) {
    (void)printf("not ok %s: %d instead of %d, '%s': %s\n", row->name, r, -(int)row->code,
                 row->text, why.msg);
    failed++;
  } else {
    (void)printf("ok %s\n", row->name);
  }
  if (one != NULL) /* under the knobs still: removal takes what comes, too */
    box_drop(one);
  NEED(hcs_sim_clear() == 0);
  if (hcs_sim_leaks(1, leaks, sizeof(leaks)) != 0)
    give_up(leaks, NULL);
}

#define CHECK_ALL(table)                       \
  for (size_t i = 0; i < ZL_COUNT(table); i++) \
  check(&(table)[i])

/* ---- What takes more than one knob ---- */

static void refuse_privileges(void)
{
  struct zl_error why = { 0 };

  NEED(hcs_sim_set("host privileges=0") == 0);
  NEED(zl_hcs_enable_privileges(box.node.api, &why) == -ZL_E_PERMISSION);
  NEED(strstr(why.msg, "as an administrator") != NULL);
  NEED(hcs_sim_clear() == 0);
  (void)printf("ok privileges that are not held\n");
}

/* Not 255, nor what the system's end says. */
static void tell_the_commands_own_code(enum zl_isolation isolation)
{
  struct zl_hcs_instance *one = box_create("seven", "code-rep-1", isolation, NULL);
  struct zl_hcs_status status;

  TRY(zl_hcs_instance_start(one, err));
  TRY(box_wait(one, err));
  zl_hcs_instance_status(one, &status);
  NEED(status.code_known && status.code == 7);
  box_drop(one);
  box_check_clean(isolation == HOST ? "process: the command's own exit code"
                                    : "hyperv: the command's own exit code");
}

/* ---- A process that dies with a container ---- */

_Noreturn void die_with_a_container(enum zl_isolation isolation)
{
  struct zl_hcs_instance *one = box_create("longlived", "dead-rep-1", isolation, NULL);

  TRY(zl_hcs_instance_start(one, err));
  (void)TerminateProcess(GetCurrentProcess(), 9);
  abort();
}

static void run_child(const char *what)
{
  char self[MAX_PATH], command[2 * MAX_PATH];
  STARTUPINFOA start = { .cb = sizeof(start) };
  PROCESS_INFORMATION child;
  DWORD code = 0;

  NEED(GetModuleFileNameA(NULL, self, sizeof(self)) > 0);
  (void)snprintf(command, sizeof(command), "\"%s\" %s", self, what);
  NEED(CreateProcessA(self, command, NULL, NULL, FALSE, 0, NULL, NULL, &start, &child));
  NEED(WaitForSingleObject(child.hProcess, 120000) == WAIT_OBJECT_0);
  NEED(GetExitCodeProcess(child.hProcess, &code) && code == 9);
  (void)CloseHandle(child.hThread);
  (void)CloseHandle(child.hProcess);
}

/* Layers are not unmounted by anybody when a process dies, nor endpoints and grants removed. */
static void reap_the_dead(const char *what, const char *child)
{
  zl_autofree char *dir = box_dir("dead-rep-1");

  run_child(child);
  for (int i = 0; i < 2; i++) { /* the second time nothing is left */
    TRY(zl_hcs_instance_reap(&box.node, "dead-rep-1", dir, err));
    TRY(zl_hcs_instance_revoke(&box.node, "dead-rep-1", box.layers, 2, err));
  }
  box_check_clean(what);
}

void run_rows(void)
{
  box.node.end_ms = 4000; /* some wait for the end of it */
  CHECK_ALL(guests);
  CHECK_ALL(systems);
  CHECK_ALL(windows);
  CHECK_ALL(networks);
  refuse_privileges();
  tell_the_commands_own_code(HOST);
  tell_the_commands_own_code(GUEST);
  reap_the_dead("process: what a dead process left is taken back", "die-process");
  reap_the_dead("hyperv: what a dead process left is taken back", "die-hyperv");
  NEED(failed == 0);
}
