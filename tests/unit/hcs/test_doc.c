/* SPDX-License-Identifier: Apache-2.0
 *
 * Documents against their vectors and against the schema's fields, and input that is refused.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "schema.h"
#include "vector.h"

#include "base/json.h"
#include "base/limits.h"
#include "base/strv.h"
#include "runtime/hcs/doc.h"
#include "runtime/hcs/modify.h"

#define OWNER    "zlayer"
#define LAYER_1  "bbd84837-2da6-5545-b782-93cab41ee821"
#define LAYER_2  "ddc7da26-dd55-5244-99d9-8a3b385583b7"
#define NETWORK  "9d7f9e33-86aa-4c12-8d6c-3c0c3a3a2c11"
#define ENDPOINT "6f6f3a50-0a3b-4a0e-9f0f-6a2b1f1c2d3e"
#define ADAPTER  "0b9c6a54-5b6e-4f6a-9d64-0b5f1a2c3d4e"
#define VOLUME   "\\\\?\\Volume{4d4f2b1c-0d2e-4a3f-8b5c-6d7e8f901234}\\"
#define SHARES   "\\\\?\\VMSMB\\VSMB-{dcc079ae-60ba-4d07-847c-3493609c0870}\\"

static const struct zl_hcs_layer host_layers[] = {
  { LAYER_1, "C:\\ProgramData\\zlayer\\layers\\e481b6d4\\fs" },
  { LAYER_2, "C:\\ProgramData\\zlayer\\layers\\3fa23006\\fs" },
};
static const struct zl_hcs_layer guest_layers[] = {
  { LAYER_1, SHARES "s1" },
  { LAYER_2, SHARES "s2" },
};

static char *text_of(const char *literal)
{
  return (char *)(uintptr_t)literal;
}

static struct zl_hcs_mount mount(const char *source, const char *target, bool readonly)
{
  return (struct zl_hcs_mount){ text_of(source), text_of(target),
                                text_of("services.web.storage[0]"), readonly };
}

static struct zl_hcs_container process_container(void)
{
  return (struct zl_hcs_container){ .id = "web-rep-1",
                                    .hostname = "web-rep-1",
                                    .layers = host_layers,
                                    .n_layers = ZL_COUNT(host_layers),
                                    .scratch = VOLUME };
}

static struct zl_hcs_container hosted_container(void)
{
  return (struct zl_hcs_container){ .id = "web-rep-1",
                                    .hostname = "web-rep-1",
                                    .layers = guest_layers,
                                    .n_layers = ZL_COUNT(guest_layers),
                                    .scratch = "c:\\mounts\\scsi\\m1" };
}

static struct zl_hcs_machine machine(void)
{
  return (struct zl_hcs_machine){
    .id = "web-rep-1",
    .owner = OWNER,
    .boot_files = "C:\\ProgramData\\zlayer\\layers\\3fa23006\\fs\\UtilityVM\\Files",
    .scratch = "C:\\ProgramData\\zlayer\\containers\\web-rep-1\\vm\\sandbox.vhdx",
    .size = { .cpu_count = 2, .memory_mib = 1024 },
  };
}

/* ---- Containers ---- */

static void a_container_on_the_hosts_kernel(void **state)
{
  struct zl_hcs_mount dirs[] = { mount("C:\\data", "C:\\data", true),
                                 mount("D:\\db files", "C:\\db", false) };
  struct zl_hcs_mount pipes[] = { mount("\\\\.\\pipe\\docker_engine", "engine", false) };
  const struct zl_hcs_mounts mounts = { dirs, pipes, ZL_COUNT(dirs), ZL_COUNT(pipes) };
  struct zl_hcs_container c = process_container();
  json_t *json = NULL;

  (void)state;
  assert_int_equal(zl_hcs_doc_process(&c, OWNER, &json, NULL), 0);
  check_vector(json, "process_minimal", "ComputeSystem");

  c.network = NETWORK;
  assert_int_equal(zl_hcs_doc_process(&c, OWNER, &json, NULL), 0);
  check_vector(json, "process_network", "ComputeSystem");

  c.network = NULL;
  c.limits = (struct zl_hcs_limits){ .cpu_maximum = 625, .memory_mib = 512 };
  assert_int_equal(zl_hcs_doc_process(&c, OWNER, &json, NULL), 0);
  check_vector(json, "process_resources", "ComputeSystem");

  c.limits = (struct zl_hcs_limits){ .cpu_weight = 500 };
  assert_int_equal(zl_hcs_doc_process(&c, OWNER, &json, NULL), 0);
  check_vector(json, "process_weight", "ComputeSystem");

  c.limits = (struct zl_hcs_limits){ 0 };
  c.mounts = &mounts;
  assert_int_equal(zl_hcs_doc_process(&c, OWNER, &json, NULL), 0);
  check_vector(json, "process_mounts", "ComputeSystem");

  c.network = NETWORK;
  c.dns_search = (const char *const[]){ "shop.internal", "example.com", NULL };
  c.limits = (struct zl_hcs_limits){ .cpu_count = 2, .memory_mib = 2048 };
  c.iops = 5000;
  c.bandwidth = UINT64_C(50) << 20;
  assert_int_equal(zl_hcs_doc_process(&c, OWNER, &json, NULL), 0);
  check_vector(json, "process_full", "ComputeSystem");
}

static void a_container_in_a_machine(void **state)
{
  struct zl_hcs_mount dirs[] = { mount(SHARES "s3", "C:\\data", true) };
  const struct zl_hcs_mounts mounts = { dirs, NULL, ZL_COUNT(dirs), 0 };
  struct zl_hcs_container c = hosted_container();
  json_t *json = NULL;

  (void)state;
  assert_int_equal(zl_hcs_doc_hosted(&c, &json, NULL), 0);
  check_vector(json, "hosted_minimal", "Container");

  c.network = NETWORK;
  c.mounts = &mounts;
  c.iops = 100;
  assert_int_equal(zl_hcs_doc_hosted(&c, &json, NULL), 0);
  check_vector(json, "hosted_full", "Container");

  assert_int_equal(zl_hcs_doc_hosted_system(&c, "web-rep-1@vm", OWNER, &json, NULL), 0);
  check_vector(json, "hosted_system", "ComputeSystem");
}

static void a_machine(void **state)
{
  struct zl_hcs_machine m = machine();
  json_t *json = NULL;

  (void)state;
  assert_int_equal(zl_hcs_doc_machine(&m, &json, NULL), 0);
  check_vector(json, "machine_minimal", "ComputeSystem");

  m.size = (struct zl_hcs_machine_size){ 4, 87500, 200, 4096 };
  m.log_forwarding = true;
  m.iops = 1000;
  m.bandwidth = 1 << 20;
  m.com1 = "\\\\.\\pipe\\zlayer-web-rep-1-com1";
  m.dump_file = "C:\\ProgramData\\zlayer\\containers\\web-rep-1\\vm\\crash.dmp";
  m.dump_max = UINT64_C(4) << 30;
  assert_int_equal(zl_hcs_doc_machine(&m, &json, NULL), 0);
  check_vector(json, "machine_full", "ComputeSystem");

  m = machine();
  m.physical = true;
  assert_int_equal(zl_hcs_doc_machine(&m, &json, NULL), 0);
  check_vector(json, "machine_physical", "ComputeSystem");
}

/* ---- Processes ---- */

static void processes(void **state)
{
  struct zl_hcs_process p = { .field = "services.web.command", .line = "cmd /c echo hello" };
  json_t *json = NULL;

  (void)state;
  assert_int_equal(zl_hcs_doc_parameters(&p, &json, NULL), 0);
  check_vector(json, "parameters_minimal", "ProcessParameters");

  p.line = "\"C:\\my app\\run.exe\" \"a \\\"b\\\"\"";
  p.directory = "C:\\my app";
  p.user = "ContainerAdministrator";
  p.env =
      (char *[]){ text_of("PATH=C:\\bin;C:\\Windows"), text_of("GREETING=h\xc3\xa9llo=1"), NULL };
  p.in = p.out = p.err = true;
  assert_int_equal(zl_hcs_doc_parameters(&p, &json, NULL), 0);
  check_vector(json, "parameters_full", "ProcessParameters");

  p = (struct zl_hcs_process){ .field = "services.web.command",
                               .line = "powershell",
                               .console = true,
                               .rows = 50,
                               .cols = 132,
                               .in = true,
                               .out = true,
                               .err = true };
  assert_int_equal(zl_hcs_doc_parameters(&p, &json, NULL), 0);
  check_vector(json, "parameters_console", "ProcessParameters");

  /* A size without a console means nothing. */
  p = (struct zl_hcs_process){ .field = "f", .line = "cmd /c echo hello", .rows = 50, .cols = 132 };
  assert_int_equal(zl_hcs_doc_parameters(&p, &json, NULL), 0);
  check_vector(json, "parameters_minimal", "ProcessParameters");
}

static void what_processes_are_told(void **state)
{
  static const struct {
    enum zl_hcs_stream stream;
    const char *vector;
  } streams[] = { { ZL_HCS_STREAM_IN, "told_close_in" },
                  { ZL_HCS_STREAM_OUT, "told_close_out" },
                  { ZL_HCS_STREAM_ERR, "told_close_err" },
                  { ZL_HCS_STREAM_ALL, "told_close_all" } };
  static const struct {
    enum zl_hcs_signal signal;
    const char *vector;
  } signals[] = { { ZL_HCS_CTRL_C, "told_ctrl_c" },
                  { ZL_HCS_CTRL_BREAK, "told_ctrl_break" },
                  { ZL_HCS_CTRL_CLOSE, "told_ctrl_close" },
                  { ZL_HCS_CTRL_LOGOFF, "told_ctrl_logoff" },
                  { ZL_HCS_CTRL_SHUTDOWN, "told_ctrl_shutdown" } };
  json_t *json = NULL;

  (void)state;
  for (size_t i = 0; i < ZL_COUNT(streams); i++) {
    assert_int_equal(zl_hcs_doc_close(streams[i].stream, &json, NULL), 0);
    check_vector(json, streams[i].vector, "ProcessModifyRequest");
  }
  for (size_t i = 0; i < ZL_COUNT(signals); i++) {
    assert_int_equal(zl_hcs_doc_signal(signals[i].signal, &json, NULL), 0);
    check_vector(json, signals[i].vector, "SignalProcessOptions");
  }
  assert_int_equal(zl_hcs_doc_console_size(24, 80, &json, NULL), 0);
  check_vector(json, "told_console_size", "ProcessModifyRequest");
  assert_int_equal(zl_hcs_doc_signal(ZL_HCS_TERMINATE, &json, NULL), -ZL_E_INVALID);
  assert_int_equal(zl_hcs_doc_console_size(0, 80, &json, NULL), -ZL_E_INVALID);
  assert_int_equal(zl_hcs_doc_console_size(24, 65536, &json, NULL), -ZL_E_INVALID);
}

static void queries(void **state)
{
  json_t *json = NULL;

  (void)state;
  assert_int_equal(zl_hcs_doc_properties(0, &json, NULL), 0);
  check_vector(json, "query_basic", "System_PropertyQuery");
  assert_int_equal(zl_hcs_doc_properties(ZL_HCS_ASK_STATISTICS | ZL_HCS_ASK_PROCESSES, &json, NULL),
                   0);
  check_vector(json, "query_statistics", "System_PropertyQuery");
  assert_int_equal(zl_hcs_doc_properties(ZL_HCS_ASK_MEMORY, &json, NULL), 0);
  check_vector(json, "query_memory", "System_PropertyQuery");
  assert_int_equal(zl_hcs_doc_systems_of(OWNER, &json, NULL), 0);
  check_vector(json, "query_systems", "SystemQuery");
  assert_int_equal(zl_hcs_doc_service(&json, NULL), 0);
  check_vector(json, "query_service", "Service_PropertyQuery");
  assert_int_equal(zl_hcs_doc_systems_of("", &json, NULL), -ZL_E_INVALID);
}

/* ---- Changes ---- */

static void disks(void **state)
{
  struct zl_hcs_disk disk = {
    .lun = 1,
    .path = "C:\\ProgramData\\zlayer\\containers\\web-rep-1\\sandbox.vhdx",
    .guest_path = "c:\\mounts\\scsi\\m1",
  };
  struct zl_hcs_modify change;

  (void)state;
  assert_int_equal(zl_hcs_modify_disk(&disk, true, &change, NULL), 0);
  check_change(&change, "change_disk_add");
  assert_int_equal(zl_hcs_modify_disk(&disk, false, &change, NULL), 0);
  check_change(&change, "change_disk_remove");
  disk =
      (struct zl_hcs_disk){ .controller = 3, .lun = 63, .path = "D:\\data.vhdx", .readonly = true };
  assert_int_equal(zl_hcs_modify_disk(&disk, true, &change, NULL), 0);
  check_change(&change, "change_disk_readonly");
}

static void shares(void **state)
{
  struct zl_hcs_share share = { .name = "s1",
                                .path = host_layers[0].path,
                                .options = ZL_HCS_SHARE_LAYER };
  struct zl_hcs_modify change;

  (void)state;
  assert_int_equal(zl_hcs_modify_share_add(&share, &change, NULL), 0);
  check_change(&change, "change_share_layer");
  /* Its files are mapped into the machine. */
  assert_int_equal(zl_hcs_modify_share_remove(&share, &change, NULL), -ZL_E_CONFLICT);

  share = (struct zl_hcs_share){ .name = "s3",
                                 .path = "C:\\data",
                                 .options = ZL_HCS_SHARE_NO_DIRECT_MAP };
  assert_int_equal(zl_hcs_modify_share_add(&share, &change, NULL), 0);
  check_change(&change, "change_share_writable");
  assert_int_equal(zl_hcs_modify_share_remove(&share, &change, NULL), 0);
  check_change(&change, "change_share_remove");

  share = (struct zl_hcs_share){ .name = "sa",
                                 .path = "C:\\etc",
                                 .options = ZL_HCS_SHARE_READ_ONLY | ZL_HCS_SHARE_RESTRICT_FILES |
                                            ZL_HCS_SHARE_SINGLE_FILE,
                                 .files = (const char *const[]){ "C:\\etc\\app.conf", NULL } };
  assert_int_equal(zl_hcs_modify_share_add(&share, &change, NULL), 0);
  check_change(&change, "change_share_file");
  share.files = (const char *const[]){ "C:\\etc\\app.conf", "C:\\etc\\b.conf", NULL };
  assert_int_equal(zl_hcs_modify_share_update(&share, &change, NULL), 0);
  check_change(&change, "change_share_update");
}

static void layers_of_a_guest(void **state)
{
  struct zl_hcs_modify change;

  (void)state;
  assert_int_equal(zl_hcs_modify_layers_add("c:\\mounts\\scsi\\m1", guest_layers, 2, &change, NULL),
                   0);
  check_change(&change, "change_layers_add");
  assert_int_equal(zl_hcs_modify_layers_remove("c:\\mounts\\scsi\\m1", &change, NULL), 0);
  check_change(&change, "change_layers_remove");
}

static void networks(void **state)
{
  const struct zl_hcs_nic nic = { ADAPTER, ENDPOINT, "00-15-5d-52-c0-10" };
  zl_autojson *namespace_ =
      json_pack("{s:s, s:i, s:[], s:{s:i, s:i}}", "ID", NETWORK, "NamespaceId", 2, "Resources",
                "SchemaVersion", "Major", 2, "Minor", 0);
  zl_autojson *endpoint =
      json_pack("{s:s, s:s, s:[{s:s, s:i}]}", "ID", ENDPOINT, "Name", "zlayer-web-rep-1-eth0",
                "IpConfigurations", "IpAddress", "10.220.99.18", "PrefixLength", 28);
  struct zl_hcs_modify change;

  (void)state;
  assert_int_equal(zl_hcs_modify_namespace(namespace_, true, &change, NULL), 0);
  check_change(&change, "change_namespace_add");
  assert_int_equal(zl_hcs_modify_namespace(namespace_, false, &change, NULL), 0);
  check_change(&change, "change_namespace_remove");
  assert_int_equal(zl_hcs_modify_nic_announce(&nic, endpoint, &change, NULL), 0);
  check_change(&change, "change_nic_announce");
  assert_int_equal(zl_hcs_modify_nic(&nic, true, &change, NULL), 0);
  check_change(&change, "change_nic_add");
  assert_int_equal(zl_hcs_modify_nic(&nic, false, &change, NULL), 0);
  check_change(&change, "change_nic_remove");
}

static void sizes(void **state)
{
  const struct zl_hcs_machine_size size = { 4, 50000, 300, 2048 };
  const struct zl_hcs_limits limits = { .cpu_maximum = 5000 };
  struct zl_hcs_modify change;

  (void)state;
  assert_int_equal(zl_hcs_modify_machine_memory(2048, &change, NULL), 0);
  check_change(&change, "change_machine_memory");
  assert_int_equal(zl_hcs_modify_machine_processors(&size, &change, NULL), 0);
  check_change(&change, "change_machine_processors");
  assert_int_equal(zl_hcs_modify_machine_cpu_group(ADAPTER, &change, NULL), 0);
  check_change(&change, "change_machine_cpu_group");
  assert_int_equal(zl_hcs_modify_container_memory(513, &change, NULL), 0);
  check_change(&change, "change_container_memory");
  assert_int_equal(zl_hcs_modify_container_processors(&limits, &change, NULL), 0);
  check_change(&change, "change_container_processors");
}

static void directories_pipes_and_sockets(void **state)
{
  const struct zl_hcs_service service = { .bind = "D:P(A;;FA;;;SY)",
                                          .connect = "D:P(A;;FA;;;BA)",
                                          .wildcard = true };
  struct zl_hcs_mount dir = mount("C:\\data", "C:\\data", true);
  struct zl_hcs_mount pipe = mount("\\\\.\\pipe\\docker_engine", "engine", false);
  struct zl_hcs_modify change;

  (void)state;
  assert_int_equal(zl_hcs_modify_directory(&dir, true, &change, NULL), 0);
  check_change(&change, "change_directory_add");
  assert_int_equal(zl_hcs_modify_directory(&dir, false, &change, NULL), 0);
  check_change(&change, "change_directory_remove");
  assert_int_equal(zl_hcs_modify_container_pipe(&pipe, true, &change, NULL), 0);
  check_change(&change, "change_container_pipe_add");
  assert_int_equal(zl_hcs_modify_container_pipe(&pipe, false, &change, NULL), 0);
  check_change(&change, "change_container_pipe_remove");
  assert_int_equal(zl_hcs_modify_machine_pipe(pipe.source, true, &change, NULL), 0);
  check_change(&change, "change_machine_pipe_add");
  assert_int_equal(zl_hcs_modify_machine_pipe(pipe.source, false, &change, NULL), 0);
  check_change(&change, "change_machine_pipe_remove");
  assert_int_equal(zl_hcs_modify_service(ADAPTER, &service, &change, NULL), 0);
  check_change(&change, "change_service_update");
  assert_int_equal(zl_hcs_modify_service(ADAPTER, NULL, &change, NULL), 0);
  check_change(&change, "change_service_remove");
}

static void names_in_a_guest(void **state)
{
  char name[ZL_HCS_SHARE_NAME], path[ZL_HCS_GUEST_PATH];

  (void)state;
  assert_string_equal(zl_hcs_share_name(1, name), "s1");
  assert_string_equal(zl_hcs_share_name(10, name), "sa");
  assert_string_equal(zl_hcs_share_name(UINT32_MAX, name), "sffffffff");
  assert_string_equal(zl_hcs_share_path(name, path), SHARES "sffffffff");
  assert_string_equal(zl_hcs_disk_path(1, path), "c:\\mounts\\scsi\\m1");
  assert_string_equal(zl_hcs_scsi_controller(0), "df6d0690-79e5-55b6-a5ec-c1e2f77f580a");
  assert_string_equal(zl_hcs_scsi_controller(3), "305891a9-b251-5dfe-91a2-c25d9212275b");
  assert_null(zl_hcs_scsi_controller(4));
}

/* ---- Refusals ---- */

static void check_process_refused(const struct zl_hcs_container *c, const char *owner, int code,
                                  const char *says)
{
  json_t *json = NULL;
  struct zl_error err = { 0 };

  assert_int_equal(zl_hcs_doc_process(c, owner, &json, &err), -code);
  assert_string_equal(err.msg, says);
  assert_null(json);
}

#define CHECK_PROCESS(code, says, ...)                \
  do {                                                \
    struct zl_hcs_container c = process_container();  \
                                                      \
    __VA_ARGS__;                                      \
    check_process_refused(&c, OWNER, (code), (says)); \
  } while (0)

#define OF_IT "container 'web-rep-1': "

static void containers_that_are_refused(void **state)
{
  static const struct zl_hcs_layer bad_id = { "BBD84837-2DA6-5545-B782-93CAB41EE821", "C:\\a" };
  static const struct zl_hcs_layer bad_path = { LAYER_1, "layers\\a" };
  struct zl_hcs_mount relative = mount("C:\\a", "data", false);
  const struct zl_hcs_mounts mounts = { &relative, NULL, 1, 0 };
  struct zl_hcs_container ok = process_container();

  (void)state;
  check_process_refused(&ok, "", ZL_E_INVALID,
                        OF_IT "Owner: none, and nothing would find the system again");
  check_process_refused(&ok, NULL, ZL_E_INVALID,
                        OF_IT "Owner: none, and nothing would find the system again");
  check_process_refused(&ok, "a\nb", ZL_E_INVALID, OF_IT "Owner: has a control character");
  CHECK_PROCESS(ZL_E_INVALID, OF_IT "Storage.Path: 'C:\\x' is no volume (\\\\?\\Volume{GUID}\\)",
                c.scratch = "C:\\x");
  CHECK_PROCESS(ZL_E_INVALID, OF_IT "Storage.Path: '' is no volume (\\\\?\\Volume{GUID}\\)",
                c.scratch = NULL);
  CHECK_PROCESS(ZL_E_INVALID, OF_IT "GuestOs.HostName: '' is no NetBIOS name", c.hostname = NULL);
  CHECK_PROCESS(ZL_E_INVALID, OF_IT "GuestOs.HostName: 'sixteen-letters-' is no NetBIOS name",
                c.hostname = "sixteen-letters-");
  CHECK_PROCESS(ZL_E_INVALID, OF_IT "Layers: none", c.n_layers = 0);
  CHECK_PROCESS(ZL_E_LIMIT, OF_IT "Layers: 129, the limit is 128", c.n_layers = 129);
  CHECK_PROCESS(ZL_E_INVALID,
                OF_IT "Layers.Id: 'BBD84837-2DA6-5545-B782-93CAB41EE821' is no GUID (lower case, "
                      "no braces)",
                c.layers = &bad_id;
                c.n_layers = 1);
  CHECK_PROCESS(ZL_E_INVALID, OF_IT "Layers.Path: 'layers\\a' is not an absolute path of Windows",
                c.layers = &bad_path;
                c.n_layers = 1);
  CHECK_PROCESS(ZL_E_INVALID,
                OF_IT "Networking.Namespace: '{x}' is no GUID (lower case, no braces)",
                c.network = "{x}");
  CHECK_PROCESS(ZL_E_INVALID, OF_IT "Networking.DnsSearchList: 'a,b' is no domain",
                c.network = NETWORK;
                c.dns_search = ((const char *const[]){ "a,b", NULL }));
  CHECK_PROCESS(ZL_E_INVALID, OF_IT "Processor: Count, Maximum and Weight exclude each other",
                c.limits.cpu_count = c.limits.cpu_weight = 1);
  CHECK_PROCESS(ZL_E_INVALID, OF_IT "Processor: 10001 is more than can be asked for",
                c.limits.cpu_maximum = 10001);
  CHECK_PROCESS(ZL_E_INVALID,
                OF_IT "Memory: 18446744073709551615 MiB is more than can be asked for",
                c.limits.memory_mib = UINT64_MAX);
  CHECK_PROCESS(ZL_E_INVALID, OF_IT "QoS.IopsMaximum: '9223372036854775808' is too much",
                c.iops = UINT64_C(1) << 63);
  CHECK_PROCESS(ZL_E_INVALID, "services.web.storage[0]: 'data' is not an absolute path of Windows",
                c.mounts = &mounts);
}

static void hosted_containers_that_are_refused(void **state)
{
  struct zl_hcs_container c = hosted_container();
  json_t *json = NULL;
  struct zl_error err = { 0 };

  (void)state;
  c.limits.memory_mib = 5;
  assert_int_equal(zl_hcs_doc_hosted(&c, &json, &err), -ZL_E_INVALID);
  assert_string_equal(err.msg, OF_IT "Processor and Memory are those of its machine");
  c = hosted_container();
  c.scratch = "m1";
  assert_int_equal(zl_hcs_doc_hosted(&c, &json, &err), -ZL_E_INVALID);
  assert_string_equal(err.msg, OF_IT "Storage.Path: 'm1' is not an absolute path of Windows");
  c = hosted_container();
  assert_int_equal(zl_hcs_doc_hosted_system(&c, "", OWNER, &json, &err), -ZL_E_INVALID);
  assert_string_equal(err.msg, OF_IT "HostingSystemId: '' is no id");
  assert_null(json);
}

static void check_machine_refused(const struct zl_hcs_machine *m, const char *says)
{
  json_t *json = NULL;
  struct zl_error err = { 0 };

  assert_int_equal(zl_hcs_doc_machine(m, &json, &err), -ZL_E_INVALID);
  assert_string_equal(err.msg, says);
  assert_null(json);
}

#define OF_MACHINE "machine of 'web-rep-1': "
#define CHECK_MACHINE(says, ...)         \
  do {                                   \
    struct zl_hcs_machine m = machine(); \
                                         \
    __VA_ARGS__;                         \
    check_machine_refused(&m, (says));   \
  } while (0)

static void machines_that_are_refused(void **state)
{
  (void)state;
  CHECK_MACHINE(OF_MACHINE "Owner: none, and nothing would find the system again", m.owner = NULL);
  CHECK_MACHINE(OF_MACHINE "VirtualSmb.Shares.Path: no path", m.boot_files = NULL);
  CHECK_MACHINE(OF_MACHINE "Scsi.Attachments.Path: 'x' is not an absolute path of Windows",
                m.scratch = "x");
  CHECK_MACHINE(OF_MACHINE "Memory: 1023 MiB is not an even number up to 12582912",
                m.size.memory_mib = 1023);
  CHECK_MACHINE(OF_MACHINE "Memory: 0 MiB is not an even number up to 12582912",
                m.size.memory_mib = 0);
  CHECK_MACHINE(OF_MACHINE "Memory: 12582914 MiB is not an even number up to 12582912",
                m.size.memory_mib = 12582914);
  CHECK_MACHINE(OF_MACHINE "Processor: count 0, limit 0, weight 0", m.size.cpu_count = 0);
  CHECK_MACHINE(OF_MACHINE "Processor: count 2, limit 100001, weight 0", m.size.cpu_limit = 100001);
  CHECK_MACHINE("ComPorts: 'C:\\x' is no pipe; they are called \\\\.\\pipe\\NAME",
                m.com1 = "C:\\x");
  CHECK_MACHINE(OF_MACHINE "GuestCrashReporting: 'C:\\x' has no largest size",
                m.dump_file = "C:\\x");
}

static void check_parameters_refused(const struct zl_hcs_process *p, int code, const char *says)
{
  json_t *json = NULL;
  struct zl_error err = { 0 };

  assert_int_equal(zl_hcs_doc_parameters(p, &json, &err), -code);
  assert_string_equal(err.msg, says);
  assert_null(json);
}

static void processes_that_are_refused(void **state)
{
  struct zl_hcs_process p = { .field = "exec", .line = "" };
  zl_autofree char *line = calloc(1, 32768);

  (void)state;
  check_parameters_refused(&p, ZL_E_INVALID, "exec: no command line");
  p.line = "\xff";
  check_parameters_refused(&p, ZL_E_INVALID, "exec: not UTF-8, which Windows needs");
  assert_non_null(line);
  memset(line, 'x', 32767);
  p.line = line;
  check_parameters_refused(&p, ZL_E_LIMIT, "exec: a command line of 32767 characters");
  p.line = "cmd";
  p.directory = "app";
  check_parameters_refused(&p, ZL_E_INVALID, "exec: 'app' is not an absolute path of Windows");
  p.directory = NULL;
  p.rows = 65536;
  check_parameters_refused(&p, ZL_E_INVALID, "exec: a console of 65536 rows and 0 columns");
  p.rows = 0;
  p.env = (char *[]){ text_of("A=1"), text_of("B"), NULL };
  check_parameters_refused(&p, ZL_E_INVALID, "exec: environment: 'B' is no NAME=value");
  p.env = (char *[]){ text_of("A=1"), text_of("a=2"), NULL };
  check_parameters_refused(&p, ZL_E_INVALID, "exec: environment: 'a=2' is there twice");
  p.env = (char *[]){ text_of("A="), NULL };
  check_parameters_refused(&p, ZL_E_INVALID, "exec: environment: 'A=' is no NAME=value");
}

static void changes_that_are_refused(void **state)
{
  struct zl_hcs_disk disk = { .lun = 0, .path = "C:\\a.vhdx" };
  struct zl_hcs_share share = { .name = "S1", .path = "C:\\a" };
  const struct zl_hcs_nic nic = { ADAPTER, ENDPOINT, "00:15:5d:52:c0:10" };
  const struct zl_hcs_nic good_nic = { ADAPTER, ENDPOINT, "00-15-5d-52-c0-10" };
  const struct zl_hcs_machine_size no_size = { .cpu_count = 3 };
  const struct zl_hcs_limits no_limits = { .memory_mib = 3 };
  zl_autojson *empty = json_object();
  struct zl_hcs_modify change = { .resource = "untouched" };
  struct zl_error err = { 0 };

  (void)state;
  assert_int_equal(zl_hcs_modify_disk(&disk, true, &change, &err), -ZL_E_INVALID);
  assert_string_equal(err.msg, "disk: place 0 of controller 0; places go to 63, the first is the "
                               "machine's");
  disk.lun = 64;
  assert_int_equal(zl_hcs_modify_disk(&disk, true, &change, NULL), -ZL_E_INVALID);
  disk = (struct zl_hcs_disk){ .controller = 4, .lun = 1, .path = "C:\\a.vhdx" };
  assert_int_equal(zl_hcs_modify_disk(&disk, true, &change, NULL), -ZL_E_INVALID);
  disk = (struct zl_hcs_disk){
    .controller = 1, .lun = 1, .path = "C:\\a.vhdx", .guest_path = "c:\\m"
  };
  assert_int_equal(zl_hcs_modify_disk(&disk, true, &change, NULL), -ZL_E_INVALID);
  assert_int_equal(zl_hcs_modify_share_add(&share, &change, &err), -ZL_E_INVALID);
  assert_string_equal(err.msg, "VirtualSmb.Shares.Name: 'S1' is no name of a share");
  share.name = "s1";
  share.options = ZL_HCS_SHARE_RESTRICT_FILES;
  assert_int_equal(zl_hcs_modify_share_add(&share, &change, NULL), -ZL_E_INVALID);
  share.options = 0;
  assert_int_equal(zl_hcs_modify_share_update(&share, &change, NULL), -ZL_E_INVALID);
  assert_int_equal(zl_hcs_modify_nic(&nic, true, &change, &err), -ZL_E_INVALID);
  assert_string_equal(err.msg, "NetworkAdapters.MacAddress: '00:15:5d:52:c0:10' is no address");
  assert_int_equal(zl_hcs_modify_nic_announce(&good_nic, empty, &change, NULL), -ZL_E_INVALID);
  assert_int_equal(zl_hcs_modify_namespace(empty, true, &change, NULL), -ZL_E_INVALID);
  assert_int_equal(zl_hcs_modify_machine_memory(1023, &change, NULL), -ZL_E_INVALID);
  assert_int_equal(zl_hcs_modify_machine_memory(0, &change, NULL), -ZL_E_INVALID);
  assert_int_equal(zl_hcs_modify_container_memory(0, &change, NULL), -ZL_E_INVALID);
  assert_int_equal(zl_hcs_modify_machine_processors(&no_size, &change, NULL), -ZL_E_INVALID);
  assert_int_equal(zl_hcs_modify_container_processors(&no_limits, &change, NULL), -ZL_E_INVALID);
  assert_int_equal(zl_hcs_modify_machine_cpu_group("x", &change, NULL), -ZL_E_INVALID);
  assert_int_equal(zl_hcs_modify_machine_pipe("C:\\x", true, &change, NULL), -ZL_E_INVALID);
  assert_int_equal(zl_hcs_modify_service("x", NULL, &change, NULL), -ZL_E_INVALID);
  assert_int_equal(zl_hcs_modify_layers_add("c:\\m", NULL, 0, &change, NULL), -ZL_E_INVALID);
  assert_int_equal(zl_hcs_modify_layers_remove("m", &change, NULL), -ZL_E_INVALID);
  assert_string_equal(change.resource, "untouched");
}

/* ---- Size ---- */

static void a_document_has_a_largest(void **state)
{
  size_t len = ZL_MAX_HCS_DOCUMENT - strlen("{\"a\":\"\"}");
  zl_autofree char *text = calloc(1, len + 2), *rendered = NULL;
  zl_autojson *fits = NULL, *larger = NULL;
  char *none = NULL;
  struct zl_error err = { 0 };

  (void)state;
  assert_non_null(text);
  memset(text, 'x', len);
  fits = json_pack("{s:s}", "a", text);
  assert_int_equal(zl_hcs_doc_render(fits, "document", &rendered, NULL), 0);
  assert_int_equal(strlen(rendered), ZL_MAX_HCS_DOCUMENT);
  text[len] = 'x';
  larger = json_pack("{s:s}", "a", text);
  assert_int_equal(zl_hcs_doc_render(larger, "document", &none, &err), -ZL_E_LIMIT);
  assert_string_equal(err.msg, "document: a document of 1048577 bytes, the limit is 1048576");
  assert_null(none);
}

/* The most of everything still fits, with paths of usual length. */
static void the_largest_container_fits(void **state)
{
  static struct zl_hcs_layer layers[ZL_MAX_LAYERS];
  static struct zl_hcs_mount dirs[ZL_MAX_MOUNTS];
  const struct zl_hcs_mounts mounts = { dirs, NULL, ZL_COUNT(dirs), 0 };
  struct zl_hcs_container c = process_container();
  char path[260] = "C:\\";
  zl_autojson *json = NULL;
  zl_autofree char *text = NULL;

  (void)state;
  memset(path + 3, 'x', sizeof(path) - 4);
  for (size_t i = 0; i < ZL_COUNT(layers); i++)
    layers[i] = (struct zl_hcs_layer){ LAYER_1, path };
  for (size_t i = 0; i < ZL_COUNT(dirs); i++)
    dirs[i] = mount(path, path, true);
  c.layers = layers;
  c.n_layers = ZL_COUNT(layers);
  c.mounts = &mounts;
  assert_int_equal(zl_hcs_doc_process(&c, OWNER, &json, NULL), 0);
  assert_int_equal(zl_hcs_doc_render(json, "document", &text, NULL), 0);
}

/* ---- The reader of the schema ---- */

static void the_reader_sees_what_is_wrong(void **state)
{
  static const struct {
    const char *json, *type, *why;
  } rows[] = {
    { "{\"Owner\":\"a\",\"HostName\":\"b\"}", "ComputeSystem", "$.HostName: no such field" },
    { "{\"owner\":\"a\"}", "ComputeSystem", "$.owner: no such field" },
    { "{\"Container\":{\"Memory\":{\"SizeInMb\":5}}}", "ComputeSystem",
      "$.Container.Memory.SizeInMb: no such field" },
    { "{\"Container\":{\"Memory\":{\"SizeInMB\":0}}}", "ComputeSystem",
      "$.Container.Memory.SizeInMB: no number above 0" },
    { "{\"Container\":{\"Memory\":{\"SizeInMB\":\"5\"}}}", "ComputeSystem",
      "$.Container.Memory.SizeInMB: no number above 0" },
    { "{\"Container\":{\"Memory\":{}}}", "ComputeSystem",
      "$.Container.Memory: no object, or an empty one" },
    { "{\"Container\":{\"MappedDirectories\":[]}}", "ComputeSystem",
      "$.Container.MappedDirectories: no array, or an empty one" },
    { "{\"Container\":{\"MappedDirectories\":[{\"ReadOnly\":false}]}}", "ComputeSystem",
      "$.Container.MappedDirectories[0].ReadOnly: not true" },
    { "{\"Owner\":\"\"}", "ComputeSystem", "$.Owner: no text, or an empty one" },
    { "{\"SchemaVersion\":{\"Minor\":1,\"Major\":2}}", "ComputeSystem",
      "$.SchemaVersion.Major: not in the schema's order" },
    { "{\"SchemaVersion\":{\"Major\":4294967296}}", "ComputeSystem",
      "$.SchemaVersion.Major: too large for its type" },
    { "{\"Id\":\"{bbd84837-2da6-5545-b782-93cab41ee821}\"}", "Layer", "$.Id: no GUID" },
    { "{\"Id\":\"BBD84837-2da6-5545-b782-93cab41ee821\"}", "Layer", "$.Id: no GUID in lower case" },
    { "{\"Hive\":\"Sys\"}", "RegistryKey", "$.Hive: not a value of its enum" },
    { "{\"LowMmioGapInMB\":128}", "VirtualMachine_Memory",
      "$.LowMmioGapInMB: newer than schema version 2.1" },
    { "{\"ServiceTable\":{\"x\":{\"Bind\":\"y\"}}}", "HvSocketSystemConfig",
      "$.ServiceTable.x.Bind: no such field" },
    { "{\"Environment\":{\"A\":\"\"}}", "ProcessParameters",
      "$.Environment.A: no text, or an empty one" },
    { "{\"ConsoleSize\":[24,0]}", "ProcessParameters", "$.ConsoleSize[1]: no number above 0" },
    { "{\"Settings\":0}", "ModifySettingRequest", "$.Settings: no number above 0" },
    { "{\"Settings\":{}}", "ModifySettingRequest", "$.Settings: no object, or an empty one" },
  };

  (void)state;
  for (size_t i = 0; i < ZL_COUNT(rows); i++) {
    zl_autojson *json = json_loads(rows[i].json, 0, NULL);
    char why[256] = "";

    assert_non_null(json);
    assert_false(schema_check(json, rows[i].type, why, sizeof(why)));
    assert_string_equal(why, rows[i].why);
  }
  assert_null(schema_of_path("VirtualMachine/Devices/Scsi/0/Attachments/1"));
  assert_null(schema_of_path("VirtualMachine/Devices/VirtualSmb/Shares/0"));
  assert_null(schema_of_path("Container/Networks"));
  assert_null(schema_of_path(NULL));
  assert_null(schema_of_resource("Container/Networks"));
}

static void every_vector_is_compared(void **state)
{
  (void)state;
  check_vectors_used((const char *const[]){ "process_", "hosted_", "machine_", "parameters_",
                                            "told_", "query_", "change_", NULL });
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_container_on_the_hosts_kernel),
    cmocka_unit_test(a_container_in_a_machine),
    cmocka_unit_test(a_machine),
    cmocka_unit_test(processes),
    cmocka_unit_test(what_processes_are_told),
    cmocka_unit_test(queries),
    cmocka_unit_test(disks),
    cmocka_unit_test(shares),
    cmocka_unit_test(layers_of_a_guest),
    cmocka_unit_test(networks),
    cmocka_unit_test(sizes),
    cmocka_unit_test(directories_pipes_and_sockets),
    cmocka_unit_test(names_in_a_guest),
    cmocka_unit_test(containers_that_are_refused),
    cmocka_unit_test(hosted_containers_that_are_refused),
    cmocka_unit_test(machines_that_are_refused),
    cmocka_unit_test(processes_that_are_refused),
    cmocka_unit_test(changes_that_are_refused),
    cmocka_unit_test(a_document_has_a_largest),
    cmocka_unit_test(the_largest_container_fits),
    cmocka_unit_test(the_reader_sees_what_is_wrong),
    cmocka_unit_test(every_vector_is_compared), /* last */
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
