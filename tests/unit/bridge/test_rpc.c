/* SPDX-License-Identifier: Apache-2.0
 *
 * Every request byte for byte. With a folder as argument each one is also written there as a file:
 * the seeds of tests/fuzz/bridge_server-corpus.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>

#include "base/fd.h"
#include "bridge/rpc_windows.h"
#include "frames.h"

#define NULL_ID  "\"ContainerId\":\"00000000-0000-0000-0000-000000000000\""
#define ACTIVITY "\"ActivityId\":\"00000000-0000-0000-0000-000000000000\""
#define MACHINE  "{" NULL_ID "," ACTIVITY
#define BOX      "{\"ContainerId\":\"box\"," ACTIVITY

static int corpus_fd = -1;
static const struct zl_rpc_then then = { .deadline_ns = UINT64_MAX };

static int negotiate(struct zl_bridge_client *c, struct zl_error *err)
{
  return zl_rpc_negotiate(c, &then, err);
}

static int identity(struct zl_bridge_client *c, struct zl_error *err)
{
  const struct zl_rpc_identity all = { "web-1", UINT64_C(1700000000123456789), "\0\1\2\3", 4,
                                       "0123456789abcdef0123456789abcdef" };

  return zl_rpc_identity(c, &all, &then, err);
}

static int identity_of_the_time(struct zl_bridge_client *c, struct zl_error *err)
{
  const struct zl_rpc_identity clock = { .wall_clock_ns = 5 };

  return zl_rpc_identity(c, &clock, &then, err);
}

static int network(struct zl_bridge_client *c, struct zl_error *err)
{
  const struct zl_rpc_network eth0 = { "02:00:0a:c8:00:02", "10.200.0.2", 28, "10.200.0.1", 1500 };

  return zl_rpc_network(c, &eth0, &then, err);
}

static int network_down(struct zl_bridge_client *c, struct zl_error *err)
{
  const struct zl_rpc_network eth0 = { .mac = "02:00:00:00:00:01", .gateway = "10.0.0.1" };

  return zl_rpc_network(c, &eth0, &then, err);
}

static const struct zl_rpc_disk image = { 0, "/run/zlayer/image", true, "erofs" };
static const struct zl_rpc_disk scratch = { 1, "/run/zlayer/scratch", false, "ext4" };

static int disk_add(struct zl_bridge_client *c, struct zl_error *err)
{
  return zl_rpc_disk_add(c, &image, &then, err);
}

static int disk_remove(struct zl_bridge_client *c, struct zl_error *err)
{
  return zl_rpc_disk_remove(c, &scratch, &then, err);
}

static int directory_add(struct zl_bridge_client *c, struct zl_error *err)
{
  const struct zl_rpc_directory bind = { "bind0", "/run/zlayer/binds/0", true };

  return zl_rpc_directory_add(c, &bind, &then, err);
}

static int freeze(struct zl_bridge_client *c, struct zl_error *err)
{
  return zl_rpc_freeze(c, "box", true, &then, err);
}

static int create(struct zl_bridge_client *c, struct zl_error *err)
{
  zl_autojson *bundle = json_pack("{s:s}", "ociVersion", "1.2.0");
  zl_autojson *files = json_pack("{s:s}", "hosts", "127.0.0.1 \"localhost\"\n");

  return zl_rpc_create(c, "box", bundle, files, &then, err);
}

static int create_without_files(struct zl_bridge_client *c, struct zl_error *err)
{
  zl_autojson *bundle = json_object();

  return zl_rpc_create(c, "box", bundle, NULL, &then, err);
}

static int create_without_layers(struct zl_bridge_client *c, struct zl_error *err)
{
  zl_autojson *bundle = json_pack("{s:{s:[]}}", "zlayer", "layers");

  return zl_rpc_create(c, "box", bundle, NULL, &then, err);
}

static int prepare(struct zl_bridge_client *c, struct zl_error *err)
{
  zl_autojson *bundle = json_object();

  return zl_rpc_prepare(c, "box", bundle, NULL, &then, err);
}

static int create_prepared(struct zl_bridge_client *c, struct zl_error *err)
{
  zl_autojson *amendment = json_pack("{s:s}", "hostname", "web-1");

  return zl_rpc_create_prepared(c, "box", amendment, NULL, &then, err);
}

static int start(struct zl_bridge_client *c, struct zl_error *err)
{
  return zl_rpc_start(c, "box", &then, err);
}

static int execute_init(struct zl_bridge_client *c, struct zl_error *err)
{
  const struct zl_rpc_process init = { .out_port = 0x40000001, .err_port = 0x40000002 };

  return zl_rpc_execute(c, "box", &init, &then, err);
}

static int execute_console(struct zl_bridge_client *c, struct zl_error *err)
{
  zl_autojson *oci = json_pack("{s:[s], s:s}", "args", "sh", "cwd", "/");
  const struct zl_rpc_process exec = { oci, true, 24, 80, 0x40000003, 0x40000004, 0x40000005 };

  return zl_rpc_execute(c, "box", &exec, &then, err);
}

static int wait_for(struct zl_bridge_client *c, struct zl_error *err)
{
  return zl_rpc_wait(c, "box", UINT32_MAX, &then, err);
}

static int signal_with(struct zl_bridge_client *c, struct zl_error *err)
{
  return zl_rpc_signal(c, "box", 7, 15, &then, err);
}

static int resize(struct zl_bridge_client *c, struct zl_error *err)
{
  return zl_rpc_resize(c, "box", 7, 50, 132, &then, err);
}

static int properties(struct zl_bridge_client *c, struct zl_error *err)
{
  return zl_rpc_properties(c, "box", ZL_RPC_STATISTICS | ZL_RPC_PROCESS_LIST | ZL_RPC_MEMORY, &then,
                           err);
}

static int shutdown_graceful(struct zl_bridge_client *c, struct zl_error *err)
{
  return zl_rpc_shutdown(c, "box", false, &then, err);
}

static int shutdown_forced(struct zl_bridge_client *c, struct zl_error *err)
{
  return zl_rpc_shutdown(c, "box", true, &then, err);
}

static int delete_state(struct zl_bridge_client *c, struct zl_error *err)
{
  return zl_rpc_delete(c, "box", &then, err);
}

static int dump_stacks(struct zl_bridge_client *c, struct zl_error *err)
{
  return zl_rpc_dump_stacks(c, &then, err);
}

static int windows_host_utc(struct zl_bridge_client *c, struct zl_error *err)
{
  return zl_rpc_windows_create_host(c, NULL, &then, err);
}

static int windows_host(struct zl_bridge_client *c, struct zl_error *err)
{
  const struct zl_rpc_time_zone zone = {
    .bias = -60,
    .daylight_bias = -60,
    .standard_name = "W. Europe Standard Time",
    .daylight_name = "W. Europe Daylight Time",
    .standard_date = { .month = 10, .day = 5, .hour = 3 },
    .daylight_date = { .month = 3, .day = 5, .hour = 2 },
  };

  return zl_rpc_windows_create_host(c, &zone, &then, err);
}

static int windows_hvsocket(struct zl_bridge_client *c, struct zl_error *err)
{
  return zl_rpc_windows_hvsocket(c, "11111111-2222-3333-4444-555555555555", &then, err);
}

static int windows_create(struct zl_bridge_client *c, struct zl_error *err)
{
  zl_autojson *container = json_pack("{s:{s:s}}", "Storage", "Path", "c:\\mounts\\scsi\\m1");

  return zl_rpc_windows_create(c, "box", container, &then, err);
}

static int windows_execute(struct zl_bridge_client *c, struct zl_error *err)
{
  zl_autojson *parameters =
      json_pack("{s:s, s:b}", "CommandLine", "cmd /c \"dir\"", "CreateStdInPipe", 1);
  const struct zl_rpc_windows_ports ports = { .in = 0x40000001,
                                              .out = 0x40000002,
                                              .err = 0x40000003 };

  return zl_rpc_windows_execute(c, "box", parameters, &ports, &then, err);
}

static int windows_console(struct zl_bridge_client *c, struct zl_error *err)
{
  zl_autojson *parameters = json_pack("{s:s, s:b}", "CommandLine", "cmd", "EmulateConsole", 1);
  const struct zl_rpc_windows_ports ports = { .out = 0xfffffffe };

  return zl_rpc_windows_execute(c, "box", parameters, &ports, &then, err);
}

static int windows_signal(struct zl_bridge_client *c, struct zl_error *err)
{
  return zl_rpc_windows_signal(c, "box", 8, "CtrlShutdown", &then, err);
}

static int windows_terminate(struct zl_bridge_client *c, struct zl_error *err)
{
  return zl_rpc_windows_signal(c, "box", 8, NULL, &then, err);
}

static const struct {
  const char *name;
  int (*make)(struct zl_bridge_client *client, struct zl_error *err);
  uint32_t type;
  const char *text;
} vectors[] = {
  { "negotiate", negotiate, 0x10100b01, MACHINE ",\"MinimumVersion\":4,\"MaximumVersion\":4}" },
  { "identity", identity, 0x10100a01,
    MACHINE ",\"Request\":{\"RequestType\":\"Update\",\"ResourceType\":\"Identity\",\"Settings\":"
            "{\"Hostname\":\"web-1\",\"WallClockNs\":1700000000123456789,\"Entropy\":\"AAECAw==\","
            "\"MachineId\":\"0123456789abcdef0123456789abcdef\"}}}" },
  { "identity-clock", identity_of_the_time, 0x10100a01,
    MACHINE ",\"Request\":{\"RequestType\":\"Update\",\"ResourceType\":\"Identity\",\"Settings\":"
            "{\"WallClockNs\":5}}}" },
  { "network", network, 0x10100a01,
    MACHINE ",\"Request\":{\"RequestType\":\"Add\",\"ResourceType\":\"Network\",\"Settings\":"
            "{\"ID\":\"eth0\",\"MacAddress\":\"02:00:0a:c8:00:02\",\"IPConfigs\":"
            "[{\"IPAddress\":\"10.200.0.2\",\"PrefixLength\":28}],\"Routes\":"
            "[{\"NextHop\":\"10.200.0.1\",\"DestinationPrefix\":\"0.0.0.0/0\"}],\"Mtu\":1500}}}" },
  { "network-down", network_down, 0x10100a01,
    MACHINE ",\"Request\":{\"RequestType\":\"Add\",\"ResourceType\":\"Network\",\"Settings\":"
            "{\"ID\":\"eth0\",\"MacAddress\":\"02:00:00:00:00:01\"}}}" },
  { "disk-add", disk_add, 0x10100a01,
    MACHINE ",\"Request\":{\"RequestType\":\"Add\",\"ResourceType\":\"MappedVirtualDisk\","
            "\"Settings\":{\"Lun\":0,\"MountPath\":\"/run/zlayer/image\",\"ReadOnly\":true,"
            "\"Filesystem\":\"erofs\"}}}" },
  { "disk-remove", disk_remove, 0x10100a01,
    MACHINE ",\"Request\":{\"RequestType\":\"Remove\",\"ResourceType\":\"MappedVirtualDisk\","
            "\"Settings\":{\"Lun\":1,\"MountPath\":\"/run/zlayer/scratch\",\"ReadOnly\":false,"
            "\"Filesystem\":\"ext4\"}}}" },
  { "directory-add", directory_add, 0x10100a01,
    MACHINE ",\"Request\":{\"RequestType\":\"Add\",\"ResourceType\":\"MappedDirectory\","
            "\"Settings\":{\"ShareName\":\"bind0\",\"MountPath\":\"/run/zlayer/binds/0\","
            "\"ReadOnly\":true}}}" },
  { "freeze", freeze, 0x10100a01,
    BOX ",\"Request\":{\"RequestType\":\"Update\",\"ResourceType\":\"Freezer\",\"Settings\":"
        "{\"Frozen\":true}}}" },
  { "create", create, 0x10100101,
    BOX ",\"ContainerConfig\":{\"SchemaVersion\":{\"Major\":2,\"Minor\":1},"
        "\"OciBundlePath\":\"/run/zlayer/bundle\",\"OciSpecification\":"
        "{\"ociVersion\":\"1.2.0\"},\"ScratchDirPath\":\"/run/zlayer/scratch\","
        "\"Prepare\":false,\"Files\":{\"hosts\":\"127.0.0.1 \\\"localhost\\\"\\n\"}}}" },
  { "create-without-files", create_without_files, 0x10100101,
    BOX ",\"ContainerConfig\":{\"SchemaVersion\":{\"Major\":2,\"Minor\":1},"
        "\"OciBundlePath\":\"/run/zlayer/bundle\",\"OciSpecification\":{},"
        "\"ScratchDirPath\":\"/run/zlayer/scratch\",\"Prepare\":false}}" },
  { "create-without-layers", create_without_layers, 0x10100101,
    BOX ",\"ContainerConfig\":{\"SchemaVersion\":{\"Major\":2,\"Minor\":1},"
        "\"OciBundlePath\":\"/run/zlayer/bundle\",\"OciSpecification\":"
        "{\"zlayer\":{\"layers\":[]}},\"Prepare\":false}}" },
  { "prepare", prepare, 0x10100101,
    BOX ",\"ContainerConfig\":{\"SchemaVersion\":{\"Major\":2,\"Minor\":1},"
        "\"OciBundlePath\":\"/run/zlayer/bundle\",\"OciSpecification\":{},"
        "\"ScratchDirPath\":\"/run/zlayer/scratch\",\"Prepare\":true}}" },
  { "create-prepared", create_prepared, 0x10100101,
    BOX ",\"ContainerConfig\":{\"SchemaVersion\":{\"Major\":2,\"Minor\":1},"
        "\"OciBundlePath\":\"/run/zlayer/bundle\",\"Amendment\":{\"hostname\":\"web-1\"}}}" },
  { "start", start, 0x10100201, BOX "}" },
  { "execute-init", execute_init, 0x10100501,
    BOX ",\"Settings\":{\"ProcessParameters\":\"{\\\"CreateStdInPipe\\\":false,"
        "\\\"CreateStdOutPipe\\\":true,\\\"CreateStdErrPipe\\\":true,"
        "\\\"EmulateConsole\\\":false}\",\"VsockStdioRelaySettings\":{\"StdOut\":1073741825,"
        "\"StdErr\":1073741826}}}" },
  { "execute-console", execute_console, 0x10100501,
    BOX ",\"Settings\":{\"ProcessParameters\":{\"CreateStdInPipe\":true,"
        "\"CreateStdOutPipe\":true,\"CreateStdErrPipe\":false,"
        "\"EmulateConsole\":true,\"ConsoleSize\":[24,80],"
        "\"OciProcess\":{\"args\":[\"sh\"],\"cwd\":\"/\"}},"
        "\"VsockStdioRelaySettings\":{\"StdIn\":1073741827,\"StdOut\":1073741828}}}" },
  { "wait", wait_for, 0x10100601, BOX ",\"ProcessId\":4294967295,\"TimeoutInMs\":4294967295}" },
  { "signal", signal_with, 0x10100701, BOX ",\"ProcessId\":7,\"Options\":{\"Signal\":15}}" },
  { "resize", resize, 0x10100801, BOX ",\"ProcessId\":7,\"Height\":50,\"Width\":132}" },
  { "properties", properties, 0x10100901,
    BOX ",\"Query\":\"{\\\"PropertyTypes\\\":[\\\"Statistics\\\",\\\"ProcessList\\\","
        "\\\"Memory\\\"]}\"}" },
  { "shutdown-graceful", shutdown_graceful, 0x10100301, BOX "}" },
  { "shutdown-forced", shutdown_forced, 0x10100401, BOX "}" },
  { "delete", delete_state, 0x10100d01, BOX "}" },
  { "dump-stacks", dump_stacks, 0x10100c01, MACHINE "}" },
  { "windows-host-utc", windows_host_utc, 0x10100101,
    MACHINE ",\"ContainerConfig\":\"{\\\"SystemType\\\":\\\"Container\\\","
            "\\\"TimeZoneInformation\\\":{\\\"Bias\\\":0,"
            "\\\"StandardName\\\":\\\"Coordinated Universal Time\\\",\\\"StandardDate\\\":{},"
            "\\\"StandardBias\\\":0,\\\"DaylightName\\\":\\\"Coordinated Universal Time\\\","
            "\\\"DaylightDate\\\":{},\\\"DaylightBias\\\":0}}\"}" },
  { "windows-host", windows_host, 0x10100101,
    MACHINE ",\"ContainerConfig\":\"{\\\"SystemType\\\":\\\"Container\\\","
            "\\\"TimeZoneInformation\\\":{\\\"Bias\\\":-60,"
            "\\\"StandardName\\\":\\\"W. Europe Standard Time\\\",\\\"StandardDate\\\":"
            "{\\\"Year\\\":0,\\\"Month\\\":10,\\\"DayOfWeek\\\":0,\\\"Day\\\":5,\\\"Hour\\\":3,"
            "\\\"Minute\\\":0,\\\"Second\\\":0,\\\"Milliseconds\\\":0},\\\"StandardBias\\\":0,"
            "\\\"DaylightName\\\":\\\"W. Europe Daylight Time\\\",\\\"DaylightDate\\\":"
            "{\\\"Year\\\":0,\\\"Month\\\":3,\\\"DayOfWeek\\\":0,\\\"Day\\\":5,\\\"Hour\\\":2,"
            "\\\"Minute\\\":0,\\\"Second\\\":0,\\\"Milliseconds\\\":0},"
            "\\\"DaylightBias\\\":-60}}\"}" },
  { "windows-hvsocket", windows_hvsocket, 0x10100a01,
    MACHINE ",\"Request\":{\"RequestType\":\"Update\",\"ResourceType\":\"HvSocket\",\"Settings\":"
            "{\"LocalAddress\":\"11111111-2222-3333-4444-555555555555\","
            "\"ParentAddress\":\"894cc2d6-9d79-424f-93fe-42969ae6d8d1\"}}}" },
  { "windows-create", windows_create, 0x10100101,
    BOX ",\"ContainerConfig\":\"{\\\"SchemaVersion\\\":{\\\"Major\\\":2,\\\"Minor\\\":1},"
        "\\\"Container\\\":{\\\"Storage\\\":"
        "{\\\"Path\\\":\\\"c:\\\\\\\\mounts\\\\\\\\scsi\\\\\\\\m1\\\"}}}\"}" },
  { "windows-execute", windows_execute, 0x10100501,
    BOX ",\"Settings\":{\"ProcessParameters\":\"{"
        "\\\"CommandLine\\\":\\\"cmd /c \\\\\\\"dir\\\\\\\"\\\",\\\"CreateStdInPipe\\\":true}\","
        "\"StdioRelaySettings\":{\"StdIn\":\"40000001-facb-11e6-bd58-64006a7986d3\","
        "\"StdOut\":\"40000002-facb-11e6-bd58-64006a7986d3\","
        "\"StdErr\":\"40000003-facb-11e6-bd58-64006a7986d3\"}}}" },
  { "windows-console", windows_console, 0x10100501,
    BOX ",\"Settings\":{\"ProcessParameters\":\"{\\\"CommandLine\\\":\\\"cmd\\\","
        "\\\"EmulateConsole\\\":true}\",\"StdioRelaySettings\":"
        "{\"StdOut\":\"fffffffe-facb-11e6-bd58-64006a7986d3\"}}}" },
  { "windows-signal", windows_signal, 0x10100701,
    BOX ",\"ProcessId\":8,\"Options\":{\"Signal\":\"CtrlShutdown\"}}" },
  { "windows-terminate", windows_terminate, 0x10100701, BOX ",\"ProcessId\":8}" },
};

static void requests_have_their_bytes(void **state)
{
  (void)state;
  for (size_t i = 0; i < ZL_COUNT(vectors); i++) {
    ZL_CLEANUP(zl_bridge_client_freep) struct zl_bridge_client *client = NULL;
    zl_autobuf expected = ZL_BUF_INIT(8192), text = ZL_BUF_INIT(8192);
    struct zl_error err = { 0 };
    const char *data;
    size_t len;

    assert_int_equal(zl_bridge_client_new(NULL, &client, NULL), 0);
    if (vectors[i].make(client, &err) < 0)
      fail_msg("%s: %s", vectors[i].name, err.msg);
    assert_int_equal(zl_buf_printf(&text, NULL, "%s\n", vectors[i].text), 0);
    add_frame(&expected, vectors[i].type, 1, text.data);
    data = zl_bridge_client_pending(client, &len);
    if (len != expected.len || memcmp(data, expected.data, len) != 0)
      fail_msg("%s:\n%.*s\nis not\n%s", vectors[i].name, (int)len - ZL_FRAME_HEADER,
               data + ZL_FRAME_HEADER, text.data);
    if (corpus_fd >= 0)
      assert_int_equal(zl_file_replace(corpus_fd, vectors[i].name, data, len, 0644, false, NULL),
                       0);
  }
}

static void texts_are_utf8(void **state)
{
  ZL_CLEANUP(zl_bridge_client_freep) struct zl_bridge_client *client = NULL;
  const struct zl_rpc_identity name = { .hostname = "\xff", .machine_id = "0" };
  const struct zl_rpc_network mac = { .mac = "\xff", .address = "10.0.0.1", .prefix = 8 };
  const struct zl_rpc_network gateway = { .mac = "a", .address = "b", .gateway = "\xff", .mtu = 1 };
  const struct zl_rpc_disk disk = { 0, "\xc0\x80", true, "ext4" };
  const struct zl_rpc_windows_ports no_ports = { 0 };
  zl_autojson *object = json_object();
  size_t len;

  (void)state;
  assert_int_equal(zl_bridge_client_new(NULL, &client, NULL), 0);
  assert_int_equal(zl_rpc_identity(client, &name, &then, NULL), -ZL_E_INVALID);
  assert_int_equal(zl_rpc_network(client, &mac, &then, NULL), -ZL_E_INVALID);
  assert_int_equal(zl_rpc_network(client, &gateway, &then, NULL), -ZL_E_INVALID);
  assert_int_equal(zl_rpc_disk_add(client, &disk, &then, NULL), -ZL_E_INVALID);
  assert_int_equal(zl_rpc_create(client, "\xff", object, object, &then, NULL), -ZL_E_INVALID);
  assert_int_equal(zl_rpc_windows_execute(client, "\xff", object, &no_ports, &then, NULL),
                   -ZL_E_INVALID);
  assert_int_equal(zl_rpc_windows_signal(client, "box", 1, "\xff", &then, NULL), -ZL_E_INVALID);
  assert_int_equal(zl_rpc_windows_hvsocket(client, "\xff", &then, NULL), -ZL_E_INVALID);
  assert_null(zl_bridge_client_pending(client, &len));
}

static json_t *parse(const char *text)
{
  json_t *json = json_loads(text, 0, NULL);

  assert_non_null(json);
  return json;
}

static void capabilities_are_read(void **state)
{
  zl_autojson *linux_guest = parse(
      "{\"Version\":4,\"Capabilities\":{\"RuntimeOsType\":\"Linux\",\"GuestDefinedCapabilities\":"
      "{\"SignalProcessSupported\":true,\"DumpStacksSupported\":true,"
      "\"DeleteContainerStateSupported\":true,\"NamespaceAddRequestSupported\":false}}}");
  zl_autojson *windows_guest =
      parse("{\"Version\":4,\"Capabilities\":{\"SendHostCreateMessage\":true,"
            "\"SendHostStartMessage\":true,\"HvSocketConfigOnStartup\":true,"
            "\"SendLifecycleNotifications\":true,\"ModifyServiceSettingsSupported\":true,"
            "\"SupportedSchemaVersions\":[{\"Major\":2,\"Minor\":1}],\"GuestDefinedCapabilities\":"
            "{\"NamespaceAddRequestSupported\":true,\"UpdateContainerSupported\":true,"
            "\"LogForwardingSupported\":true,\"HostProcessContainerSupported\":true}}}");
  struct zl_rpc_capabilities c = { 0 };

  (void)state;
  assert_int_equal(zl_rpc_parse_capabilities(linux_guest, &c, NULL), 0);
  assert_true(c.version == 4 && !c.windows && c.signal_process && c.dump_stacks);
  assert_true(c.delete_container_state && !c.namespace_add && !c.send_host_create);
  assert_int_equal(zl_rpc_parse_capabilities(windows_guest, &c, NULL), 0);
  assert_true(c.windows && c.send_host_create && c.send_host_start && c.hvsocket_config);
  assert_true(c.lifecycle_notifications && c.modify_service_settings && c.namespace_add);
  assert_true(c.update_container && c.log_forwarding && c.host_process && !c.signal_process);
}

static void wrong_capabilities_are_refused(void **state)
{
  static const struct {
    const char *text;
    int r;
  } cases[] = {
    { "{\"Version\":4}", 0 },
    { "{\"Version\":4,\"Capabilities\":{}}", 0 },
    { "{\"Version\":5,\"Capabilities\":{}}", -ZL_E_UNSUPPORTED },
    { "{}", -ZL_E_UNSUPPORTED },
    { "{\"Version\":\"4\"}", -ZL_E_INVALID },
    { "{\"Version\":4,\"Capabilities\":[]}", -ZL_E_INVALID },
    { "{\"Version\":4,\"Capabilities\":{\"RuntimeOsType\":\"Plan9\"}}", -ZL_E_INVALID },
    { "{\"Version\":4,\"Capabilities\":{\"RuntimeOsType\":1}}", -ZL_E_INVALID },
    { "{\"Version\":4,\"Capabilities\":{\"SendHostCreateMessage\":1}}", -ZL_E_INVALID },
    { "{\"Version\":4,\"Capabilities\":{\"GuestDefinedCapabilities\":[]}}", -ZL_E_INVALID },
  };

  (void)state;
  for (size_t i = 0; i < ZL_COUNT(cases); i++) {
    zl_autojson *reply = parse(cases[i].text);
    struct zl_rpc_capabilities c = { .version = 99 };

    assert_int_equal(zl_rpc_parse_capabilities(reply, &c, NULL), cases[i].r);
    assert_int_equal(c.version, cases[i].r == 0 ? 4 : 99);
  }
}

static void exits_are_read(void **state)
{
  static const struct {
    const char *text;
    int r;
    struct zl_rpc_exit exit;
  } cases[] = {
    { "{\"ExitCode\":7}", 0, { 7, 0, false } },
    { "{\"ExitCode\":137,\"Signal\":9,\"OomKilled\":true}", 0, { 137, 9, true } },
    { "{\"ExitCode\":4294967295}", 0, { UINT32_MAX, 0, false } },
    { "{}", -ZL_E_INVALID, { 0 } },
    { "{\"ExitCode\":-1}", -ZL_E_INVALID, { 0 } },
    { "{\"ExitCode\":4294967296}", -ZL_E_INVALID, { 0 } },
    { "{\"ExitCode\":1,\"Signal\":65}", -ZL_E_INVALID, { 0 } },
    { "{\"ExitCode\":1,\"OomKilled\":1}", -ZL_E_INVALID, { 0 } },
  };

  (void)state;
  for (size_t i = 0; i < ZL_COUNT(cases); i++) {
    zl_autojson *reply = parse(cases[i].text);
    struct zl_rpc_exit e = { 0 };

    assert_int_equal(zl_rpc_parse_exit(reply, &e, NULL), cases[i].r);
    assert_int_equal(e.exit_code, cases[i].exit.exit_code);
    assert_int_equal(e.signal, cases[i].exit.signal);
    assert_int_equal(e.oom_killed, cases[i].exit.oom_killed);
  }
}

static void process_ids_are_read(void **state)
{
  zl_autojson *good = parse("{\"ProcessId\":4294967295}"), *none = parse("{}");
  zl_autojson *bad = parse("{\"ProcessId\":\"1\"}");
  uint32_t id = 0;

  (void)state;
  assert_int_equal(zl_rpc_parse_process_id(none, &id, NULL), -ZL_E_INVALID);
  assert_int_equal(zl_rpc_parse_process_id(bad, &id, NULL), -ZL_E_INVALID);
  assert_int_equal(id, 0);
  assert_int_equal(zl_rpc_parse_process_id(good, &id, NULL), 0);
  assert_true(id == UINT32_MAX);
}

static void properties_are_read(void **state)
{
  zl_autojson *reply =
      parse("{\"Properties\":\"{\\\"Statistics\\\":{\\\"time_ns\\\":1,\\\"cpu_usage_ns\\\":2,"
            "\\\"cpu_system_ns\\\":3,\\\"memory_bytes\\\":4,\\\"memory_limit\\\":-1,\\\"pids\\\":6,"
            "\\\"pids_limit\\\":7,\\\"block_read_bytes\\\":8,\\\"block_write_bytes\\\":9,"
            "\\\"net_rx_bytes\\\":10,\\\"net_tx_bytes\\\":11,\\\"online_cpus\\\":12},"
            "\\\"ProcessList\\\":[{\\\"ProcessId\\\":1},{\\\"ProcessId\\\":5,\\\"ImageName\\\":"
            "\\\"sh\\\"}],"
            "\\\"Memory\\\":{\\\"TotalBytes\\\":100,\\\"AvailableBytes\\\":60}}\"}");
  zl_autojson *properties = NULL;
  uint64_t total = 0, available = 0;
  uint32_t ids[1] = { 0 };
  struct zl_stats s = { 0 };
  size_t count = 0;

  (void)state;
  assert_int_equal(zl_rpc_parse_properties(reply, &properties, NULL), 0);
  assert_int_equal(zl_rpc_parse_statistics(properties, &s, NULL), 0);
  assert_true(s.time_ns == 1 && s.cpu_usage_ns == 2 && s.cpu_system_ns == 3 && s.memory_bytes == 4);
  assert_true(s.memory_limit == UINT64_MAX && s.pids == 6 && s.pids_limit == 7);
  assert_true(s.block_read_bytes == 8 && s.block_write_bytes == 9 && s.net_rx_bytes == 10);
  assert_true(s.net_tx_bytes == 11 && s.online_cpus == 12);
  assert_int_equal(zl_rpc_parse_memory(properties, &total, &available, NULL), 0);
  assert_true(total == 100 && available == 60);
  assert_int_equal(zl_rpc_parse_process_list(properties, ids, 1, &count, NULL), 0);
  assert_true(count == 2 && ids[0] == 1);
}

static void wrong_properties_are_refused(void **state)
{
  static const char *const texts[] = { "{}", "{\"Properties\":{}}", "{\"Properties\":\"\"}",
                                       "{\"Properties\":\"[]\"}", "{\"Properties\":\"{\"}" };
  zl_autojson *empty = json_object();
  zl_autojson *wrong = parse("{\"Statistics\":{\"pids\":\"1\"},\"Memory\":{\"TotalBytes\":1},"
                             "\"ProcessList\":[{}]}");
  uint64_t total, available;
  struct zl_stats stats;
  size_t count;

  (void)state;
  for (size_t i = 0; i < ZL_COUNT(texts); i++) {
    zl_autojson *reply = parse(texts[i]), *properties = NULL;

    assert_int_equal(zl_rpc_parse_properties(reply, &properties, NULL), -ZL_E_INVALID);
    assert_null(properties);
  }
  assert_int_equal(zl_rpc_parse_statistics(empty, &stats, NULL), -ZL_E_NOT_FOUND);
  assert_int_equal(zl_rpc_parse_memory(empty, &total, &available, NULL), -ZL_E_NOT_FOUND);
  assert_int_equal(zl_rpc_parse_process_list(empty, NULL, 0, &count, NULL), -ZL_E_NOT_FOUND);
  assert_int_equal(zl_rpc_parse_statistics(wrong, &stats, NULL), -ZL_E_INVALID);
  assert_int_equal(zl_rpc_parse_memory(wrong, &total, &available, NULL), -ZL_E_INVALID);
  assert_int_equal(zl_rpc_parse_process_list(wrong, NULL, 0, &count, NULL), -ZL_E_INVALID);
}

static void stacks_are_read(void **state)
{
  zl_autojson *some = parse("{\"GuestStacks\":\"main\"}"), *none = parse("{\"GuestStacks\":1}");

  (void)state;
  assert_string_equal(zl_rpc_stacks(some), "main");
  assert_string_equal(zl_rpc_stacks(none), "");
}

int main(int argc, char **argv)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(requests_have_their_bytes),
    cmocka_unit_test(texts_are_utf8),
    cmocka_unit_test(capabilities_are_read),
    cmocka_unit_test(wrong_capabilities_are_refused),
    cmocka_unit_test(exits_are_read),
    cmocka_unit_test(process_ids_are_read),
    cmocka_unit_test(properties_are_read),
    cmocka_unit_test(wrong_properties_are_refused),
    cmocka_unit_test(stacks_are_read),
  };

  if (argc > 1)
    corpus_fd = open(argv[1], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  return cmocka_run_group_tests_name("bridge calls", tests, NULL, NULL);
}
