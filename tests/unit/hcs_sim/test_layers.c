/* SPDX-License-Identifier: Apache-2.0
 *
 * Layers, scratch disks, virtual disks, BackupWrite and its like.
 */
#include "harness.h"

/* ---- Scratch disks --------------------------------------------------------------------------- */

static void a_scratch_has_states(void)
{
  struct descriptor parents[2];
  wchar_t *path;

  make_scratch("scratch");
  path = w("%s", at("scratch"));
  describe(&parents[0], at("top"));
  describe(&parents[1], at("base"));
  IS(CALL(PrepareLayer)(&driver, path, parents, 2), 0x80070057);
  IS(CALL(UnprepareLayer)(&driver, path), 0x80070057);
  IS(CALL(DeactivateLayer)(&driver, path), 0x80070057);
  IS(CALL(ActivateLayer)(&driver, path), 0);
  IS(CALL(ActivateLayer)(&driver, path), 0x80070020);
  IS(CALL(DestroyLayer)(&driver, path), 0x80070020);
  IS(CALL(PrepareLayer)(&driver, path, parents, 2), 0);
  IS(CALL(PrepareLayer)(&driver, path, parents, 2), 0x800700b7);
  IS(CALL(DeactivateLayer)(&driver, path), 0x80070020);
  IS(CALL(DestroyLayer)(&driver, w("%s", at("top"))), 0x80070020);
  IS(CALL(UnprepareLayer)(&driver, path), 0);
  IS(CALL(DeactivateLayer)(&driver, path), 0);
  IS(CALL(DestroyLayer)(&driver, path), 0);
  OK(!there_is(at("scratch")));
  IS(CALL(DestroyLayer)(&driver, path), 0x80070003);
}

static void a_container_keeps_its_scratch(void)
{
  void *system = run_container("one", "scratch");

  IS(CALL(UnprepareLayer)(&driver, w("%s", at("scratch"))), 0x80070020);
  end_container(system);
  unmount_scratch("scratch");
}

static void chains_are_checked(void)
{
  struct descriptor good[2], bad[2];

  make_layers();
  describe(&good[0], at("top"));
  describe(&good[1], at("base"));
  IS(CALL(CreateSandboxLayer)(&driver, w("%s", at("s")), NULL, NULL, 0), 0x80070057);
  bad[0] = good[1];
  bad[1] = good[0];
  IS(CALL(CreateSandboxLayer)(&driver, w("%s", at("s")), NULL, bad, 2), 0x80070057);
  memcpy(bad, good, sizeof(bad));
  bad[0].id.Data1 ^= 1;
  IS(CALL(CreateSandboxLayer)(&driver, w("%s", at("s")), NULL, bad, 2), 0x80070002);
  memcpy(bad, good, sizeof(bad));
  bad[0].flags = 0x80000000;
  IS(CALL(CreateSandboxLayer)(&driver, w("%s", at("s")), NULL, bad, 2), 0x80070057);
  memcpy(bad, good, sizeof(bad));
  bad[0].path = w("%s", at("nowhere"));
  IS(CALL(CreateSandboxLayer)(&driver, w("%s", at("s")), NULL, bad, 2), 0x80070003);
  IS(CALL(CreateSandboxLayer)(&driver, w("%s", at("s")), NULL, good, 1), 0x80070002);
  OK(!there_is(at("s")));
}

static void a_missing_home_directory_is_a_crash(void)
{
  const struct driver none = { 1, NULL };

  IS(CALL(ActivateLayer)(&none, w("%s", at("base"))), 0x80070057);
  check_misuse("vmcompute.dll crashes");
}

static void a_scratch_grows_and_does_not_shrink(void)
{
  const uint64_t gigabyte = UINT64_C(1) << 30;

  make_scratch("scratch");
  IS(CALL(ExpandSandboxSize)(&driver, w("%s", at("scratch")), 40 * gigabyte), 0);
  IS(CALL(ExpandSandboxSize)(&driver, w("%s", at("scratch")), 30 * gigabyte), 0x80070057);
  IS(CALL(ActivateLayer)(&driver, w("%s", at("scratch"))), 0);
  IS(CALL(ExpandSandboxSize)(&driver, w("%s", at("scratch")), 50 * gigabyte), 0x80070020);
  IS(CALL(DeactivateLayer)(&driver, w("%s", at("scratch"))), 0);
  IS(CALL(DestroyLayer)(&driver, w("%s", at("scratch"))), 0);
}

static DWORD WINAPI prepare(void *path)
{
  struct descriptor parents[2];

  describe(&parents[0], at("top"));
  describe(&parents[1], at("base"));
  return CALL(PrepareLayer)(&driver, path, parents, 2);
}

static void two_prepares_at_once_fail(void)
{
  HANDLE thread;
  DWORD first, second = 0;
  int tries = 0;

  make_scratch("a");
  make_scratch("b");
  IS(CALL(ActivateLayer)(&driver, w("%s", at("a"))), 0);
  IS(CALL(ActivateLayer)(&driver, w("%s", at("b"))), 0);
  knob("PrepareLayer times=0 delay=50"); /* so that they come at once */
  do {
    thread = CreateThread(NULL, 0, prepare, w("%s", at("a")), 0, NULL);
    first = prepare(w("%s", at("b")));
    IS(WaitForSingleObject(thread, 10000), WAIT_OBJECT_0);
    OK(GetExitCodeThread(thread, &second));
    (void)CloseHandle(thread);
  } while (first != 0x800705b4 && second != 0x800705b4 && ++tries < 20 &&
           CALL(UnprepareLayer)(&driver, w("%s", at("a"))) == 0 &&
           CALL(UnprepareLayer)(&driver, w("%s", at("b"))) == 0);
  OK(first == 0x800705b4 || second == 0x800705b4);
  check_misuse("PrepareLayer twice at once");
  (void)CALL(UnprepareLayer)(&driver, w("%s", at("a")));
  (void)CALL(UnprepareLayer)(&driver, w("%s", at("b")));
  IS(CALL(DeactivateLayer)(&driver, w("%s", at("a"))), 0);
  IS(CALL(DeactivateLayer)(&driver, w("%s", at("b"))), 0);
  IS(CALL(DestroyLayer)(&driver, w("%s", at("a"))), 0);
  IS(CALL(DestroyLayer)(&driver, w("%s", at("b"))), 0);
}

static void known_names_have_their_guids(void)
{
  GUID guid;

  IS(CALL(NameToGuid)(L"4", &guid), 0);
  IS(guid.Data1, 0xbd9c3ef9);
  IS(guid.Data4[7], 0x49);
  IS(CALL(NameToGuid)(L"e481b6d4dff995f75ebcb88163eb5ee5dd92364481076d5374a51fd0c6cbed28", &guid),
     0);
  IS(guid.Data1, 0xbbd84837);
  IS(CALL(NameToGuid)(L"another", &guid), 0);
  IS(guid.Data3 >> 12, 5);
}

static void base_layers_are_processed_once(void)
{
  make_layers();
  OK(there_is(at("base\\blank.vhdx")) && there_is(at("base\\UtilityVM\\SystemTemplate.vhdx")));
  IS(CALL(ProcessBaseImage)(w("%s", at("base"))), 0x800700b7);
  IS(CALL(ProcessBaseImage)(w("%s", at("top"))), 0x80070003);
  IS(CALL(ProcessUtilityImage)(w("%s", at("nowhere"))), 0x80070003);
}

static void without_privileges_nothing_is_made(void)
{
  struct descriptor parents[2];
  TOKEN_PRIVILEGES wanted = { .PrivilegeCount = 1 };
  HANDLE token;

  make_layers();
  describe(&parents[0], at("top"));
  describe(&parents[1], at("base"));
  OK(OpenProcessToken(GetCurrentProcess(), TOKEN_ADJUST_PRIVILEGES, &token));
  OK(LookupPrivilegeValueW(NULL, L"SeRestorePrivilege", &wanted.Privileges[0].Luid));
  OK(AdjustTokenPrivileges(token, FALSE, &wanted, 0, NULL, NULL));
  IS(CALL(CreateSandboxLayer)(&driver, w("%s", at("s")), NULL, parents, 2), 0x80070522);
  knob("host privileges=0");
  wanted.Privileges[0].Attributes = SE_PRIVILEGE_ENABLED;
  OK(CALL(AdjustTokenPrivileges)(token, FALSE, &wanted, 0, NULL, NULL));
  IS(GetLastError(), ERROR_NOT_ALL_ASSIGNED);
  (void)CloseHandle(token);
  IS(CALL(CreateSandboxLayer)(&driver, w("%s", at("s")), NULL, parents, 2), 0x80070522);
  enable_privileges();
}

/* ---- Virtual disks --------------------------------------------------------------------------- */

struct create2 { /* CREATE_VIRTUAL_DISK_PARAMETERS, version 2 */
  int version;
  GUID id;
  uint64_t size;
  uint8_t rest[160];
};

static HANDLE open_disk(const char *path, DWORD want)
{
  uint8_t type[20] = { 3 };
  HANDLE disk = NULL;

  IS(CALL(OpenVirtualDisk)(type, w("%s", path), 0, 0, NULL, &disk), want);
  return disk;
}

static void a_disk_is_formatted_once(void)
{
  uint8_t type[20] = { 3 };
  struct create2 parameters = { .version = 2, .size = UINT64_C(20) << 30 };
  HANDLE disk = NULL;

  IS(CALL(CreateVirtualDisk)(type, w("%s", at("new.vhdx")), 0x3f0000, NULL, 0, 0, &parameters, NULL,
                             &disk),
     87);
  IS(CALL(CreateVirtualDisk)(type, w("%s", at("new.vhdx")), 0, NULL, 0, 0, &parameters, NULL,
                             &disk),
     0);
  IS(CALL(HcsFormatWritableLayerVhd)(disk), 0);
  IS(CALL(HcsFormatWritableLayerVhd)(disk), 0x80070057);
  OK(CALL(CloseHandle)(disk));
  make_scratch("scratch");
  disk = open_disk(at("scratch\\sandbox.vhdx"), 0);
  IS(CALL(HcsFormatWritableLayerVhd)(disk), 0x80070057);
  OK(CALL(CloseHandle)(disk));
  IS(CALL(DestroyLayer)(&driver, w("%s", at("scratch"))), 0);
  OK(DeleteFileA(at("new.vhdx")));
}

static void an_attached_disk_is_in_the_way_until_its_handle_goes(void)
{
  HANDLE disk;

  make_scratch("scratch");
  disk = open_disk(at("scratch\\sandbox.vhdx"), 0);
  IS(CALL(AttachVirtualDisk)(disk, NULL, 0, 0, NULL, NULL), 0);
  IS(CALL(AttachVirtualDisk)(disk, NULL, 0, 0, NULL, NULL), 32);
  IS(CALL(ActivateLayer)(&driver, w("%s", at("scratch"))), 0x80070020);
  OK(CALL(CloseHandle)(disk));
  IS(CALL(ActivateLayer)(&driver, w("%s", at("scratch"))), 0);
  IS(CALL(DeactivateLayer)(&driver, w("%s", at("scratch"))), 0);
  IS(CALL(DestroyLayer)(&driver, w("%s", at("scratch"))), 0);
  (void)open_disk(at("scratch\\sandbox.vhdx"), 2);
  write_text(at("text.vhdx"), "no disk");
  (void)open_disk(at("text.vhdx"), 1392);
  OK(DeleteFileA(at("text.vhdx")));
}

/* What DeactivateLayer sometimes leaves behind, and how it is got rid of. */
static void a_disk_that_stays_attached_is_detached_by_hand(void)
{
  HANDLE disk;

  make_scratch("scratch");
  knob("host flush=1");
  IS(CALL(ActivateLayer)(&driver, w("%s", at("scratch"))), 0);
  IS(CALL(DeactivateLayer)(&driver, w("%s", at("scratch"))), 0);
  IS(CALL(DestroyLayer)(&driver, w("%s", at("scratch"))), 0x80070020);
  disk = open_disk(at("scratch\\sandbox.vhdx"), 0);
  IS(CALL(DetachVirtualDisk)(disk, 0, 0), 0);
  IS(CALL(DetachVirtualDisk)(disk, 0, 0), 21);
  OK(CALL(CloseHandle)(disk));
  IS(CALL(DestroyLayer)(&driver, w("%s", at("scratch"))), 0);
}

static void a_volume_tells_its_length_and_grows(void)
{
  char volume[200];
  HANDLE handle;
  uint64_t length = 0, sectors = 1 << 20;
  DWORD done = 0;

  make_scratch("scratch");
  mount_scratch("scratch");
  (void)snprintf(volume, sizeof(volume), "%s", volume_of("scratch"));
  volume[strlen(volume) - 1] = '\0';
  handle = CALL(CreateFileW)(w("%s", volume), GENERIC_READ, 0, NULL, OPEN_EXISTING, 0, NULL);
  OK(handle != INVALID_HANDLE_VALUE);
  OK(CALL(DeviceIoControl)(handle, 0x7405c, NULL, 0, &length, sizeof(length), &done, NULL));
  IS(length, UINT64_C(20) << 30);
  OK(CALL(DeviceIoControl)(handle, 0x900f0, &sectors, sizeof(sectors), NULL, 0, &done, NULL));
  OK(CALL(CloseHandle)(handle));
  unmount_scratch("scratch");
}

/* ---- Backup streams -------------------------------------------------------------------------- */

static size_t add_stream(uint8_t *to, uint32_t id, const void *data, uint64_t size)
{
  memset(to, 0, 20);
  memcpy(to, &id, 4);
  memcpy(to + 8, &size, 8);
  memcpy(to + 20, data, (size_t)size);
  return 20 + (size_t)size;
}

static bool is_dropped(const char *name)
{
  json_t *journal = NULL, *line;
  bool found = false;
  size_t i;

  OK(hcs_sim_journal(&journal) == 0);
  json_array_foreach (journal, i, line) {
    const char *path = json_string_value(json_object_get(json_object_get(line, "args"), "path"));

    found = found || (path != NULL && strstr(path, name) != NULL);
  }
  json_decref(journal);
  return found;
}

static size_t write_and_read(DWORD access, BOOL security, uint8_t *read, size_t size)
{
  uint8_t streams[200];
  void *context = NULL;
  size_t len = add_stream(streams, 3, "descriptor", 10), all = 0;
  HANDLE file;
  DWORD done = 0;

  len += add_stream(streams + len, 1, "content", 7);
  file = CreateFileA(at("file"), access, 0, NULL, CREATE_ALWAYS, FILE_FLAG_BACKUP_SEMANTICS, NULL);
  OK(file != INVALID_HANDLE_VALUE);
  /* In two pieces, apart within a header. */
  OK(CALL(BackupWrite)(file, streams, 7, &done, FALSE, security, &context) && done == 7);
  OK(CALL(BackupWrite)(file, streams + 7, (DWORD)len - 7, &done, FALSE, security, &context));
  OK(CALL(BackupWrite)(file, NULL, 0, &done, TRUE, security, &context));
  (void)SetFilePointer(file, 0, NULL, FILE_BEGIN);
  do {
    OK(CALL(BackupRead)(file, read + all, (DWORD)(size - all), &done, FALSE, TRUE, &context));
    all += done;
  } while (done > 0);
  OK(CALL(BackupRead)(file, NULL, 0, &done, TRUE, TRUE, &context));
  (void)CloseHandle(file);
  OK(DeleteFileA(at("file")));
  return all;
}

static void security_descriptors_need_their_rights(void)
{
  const DWORD rights =
      GENERIC_READ | GENERIC_WRITE | WRITE_DAC | WRITE_OWNER | ACCESS_SYSTEM_SECURITY;
  uint8_t read[300];

  IS(write_and_read(rights, TRUE, read, sizeof(read)), 20 + 10 + 20 + 7);
  OK(memcmp(read + 20, "descriptor", 10) == 0 && memcmp(read + 50, "content", 7) == 0);
  IS(write_and_read(rights, FALSE, read, sizeof(read)), 20 + 7);
  OK(memcmp(read + 20, "content", 7) == 0);
  IS(write_and_read(GENERIC_READ | GENERIC_WRITE, TRUE, read, sizeof(read)), 20 + 7);
  OK(is_dropped("file"));
}

static void a_stream_that_is_none_is_refused(void)
{
  uint8_t streams[40];
  void *context = NULL;
  HANDLE file = CreateFileA(at("file"), GENERIC_WRITE, 0, NULL, CREATE_ALWAYS, 0, NULL);
  DWORD done = 0, len = (DWORD)add_stream(streams, 77, "x", 1);

  OK(!CALL(BackupWrite)(file, streams, len, &done, FALSE, FALSE, &context));
  IS(GetLastError(), ERROR_INVALID_DATA);
  OK(CALL(BackupWrite)(file, NULL, 0, &done, TRUE, FALSE, &context));
  check_misuse("ends within a stream");
  (void)CloseHandle(file);
  OK(DeleteFileA(at("file")));
}

/* ---- Import ---------------------------------------------------------------------------------- */

static void stage_file(const char *name, const char *content)
{
  uint8_t data[200] = { 0x20, 0, 0, 0 };
  size_t len = 4;
  FILE *file = fopen(at(name), "wb");

  if (content != NULL)
    len += add_stream(data + 4, 1, content, strlen(content));
  OK(file != NULL && fwrite(data, 1, len, file) == len);
  (void)fclose(file);
}

static void staged_layers_become_layers(void)
{
  struct descriptor parents[1];
  char text[20] = "";
  FILE *file;

  make_layers();
  describe(&parents[0], at("base"));
  make_dir(at("staged"));
  make_dir(at("staged\\Files"));
  make_dir(at("staged\\Files\\dir"));
  stage_file("staged\\Files\\dir\\a.txt", "hello");
  IS(CALL(ImportLayer)(&driver, w("%s", at("diff")), w("%s", at("staged")), parents, 1),
     0x80070002);
  stage_file("staged\\Files\\dir.$wcidirs$", NULL);
  IS(CALL(ImportLayer)(&driver, w("%s", at("diff")), w("%s", at("staged")), parents, 1), 0);
  file = fopen(at("diff\\Files\\dir\\a.txt"), "rb");
  OK(file != NULL && fgets(text, sizeof(text), file) != NULL && strcmp(text, "hello") == 0);
  (void)fclose(file);
  OK(!there_is(at("diff\\Files\\dir.$wcidirs$")));
  write_text(at("staged\\Files\\dir\\b.txt"), "no streams");
  IS(CALL(ImportLayer)(&driver, w("%s", at("diff")), w("%s", at("staged")), parents, 1),
     0x8007000d);
  IS(CALL(DestroyLayer)(&driver, w("%s", at("diff"))), 0);
}

static const struct test_case cases[] = {
  { "a_scratch_has_states", a_scratch_has_states },
  { "a_container_keeps_its_scratch", a_container_keeps_its_scratch },
  { "chains_are_checked", chains_are_checked },
  { "a_missing_home_directory_is_a_crash", a_missing_home_directory_is_a_crash },
  { "a_scratch_grows_and_does_not_shrink", a_scratch_grows_and_does_not_shrink },
  { "two_prepares_at_once_fail", two_prepares_at_once_fail },
  { "known_names_have_their_guids", known_names_have_their_guids },
  { "base_layers_are_processed_once", base_layers_are_processed_once },
  { "without_privileges_nothing_is_made", without_privileges_nothing_is_made },
  { "a_disk_is_formatted_once", a_disk_is_formatted_once },
  { "an_attached_disk_is_in_the_way_until_its_handle_goes",
    an_attached_disk_is_in_the_way_until_its_handle_goes },
  { "a_disk_that_stays_attached_is_detached_by_hand",
    a_disk_that_stays_attached_is_detached_by_hand },
  { "a_volume_tells_its_length_and_grows", a_volume_tells_its_length_and_grows },
  { "security_descriptors_need_their_rights", security_descriptors_need_their_rights },
  { "a_stream_that_is_none_is_refused", a_stream_that_is_none_is_refused },
  { "staged_layers_become_layers", staged_layers_become_layers },
};

int main(int argc, char **argv)
{
  return RUN(argc, argv, cases);
}
