/* SPDX-License-Identifier: Apache-2.0 */
#include "harness.h"

#include <stdarg.h>

enum {
  RING = 64,
  EXIT_FAILED = 1
};

struct functions f;
const struct driver driver = { 1, L"" };

static const char *running = "?";
static char directory[512];

/* ---- Checks ---------------------------------------------------------------------------------- */

static void give_up(void)
{
  (void)printf("not ok %s\n", running);
  (void)fflush(stdout);
  (void)hcs_sim_stop();
  exit(EXIT_FAILED);
}

void check(bool good, const char *file, int line, const char *what, unsigned long long got)
{
  if (good)
    return;
  (void)fprintf(stderr, "%s:%d: %s: %s (0x%llx)\n", file, line, running, what, got);
  give_up();
}

void check_is(const char *file, int line, const char *what, unsigned long long got,
              unsigned long long want)
{
  if (got == want)
    return;
  (void)fprintf(stderr, "%s:%d: %s: %s is 0x%llx, not 0x%llx\n", file, line, running, what, got,
                want);
  give_up();
}

void check_clean(void)
{
  char why[4096];

  if (hcs_sim_leaks(0, why, sizeof(why)) == 0)
    return;
  (void)fprintf(stderr, "%s leaves:\n%s", running, why);
  give_up();
}

void check_misuse(const char *text)
{
  json_t *ledger = NULL;
  const char *only;

  OK(hcs_sim_ledger(&ledger) == 0);
  IS(json_array_size(json_object_get(ledger, "misuse")), 1);
  only = json_string_value(json_array_get(json_object_get(ledger, "misuse"), 0));
  if (strstr(only, text) == NULL) {
    (void)fprintf(stderr, "%s: misuse '%s', not '%s'\n", running, only, text);
    give_up();
  }
  json_decref(ledger);
  OK(hcs_sim_forget() == 0);
}

/* ---- Help ------------------------------------------------------------------------------------ */

const char *box(void)
{
  return directory;
}

static char *ring(void)
{
  static char *slots[RING];
  static unsigned next;
  char **slot = &slots[next++ % RING];

  free(*slot);
  *slot = calloc(1, 8192);
  OK(*slot != NULL);
  return *slot;
}

wchar_t *w(const char *fmt, ...)
{
  char text[4000];
  wchar_t *wide = (wchar_t *)ring();
  va_list ap;

  va_start(ap, fmt);
  (void)vsnprintf(text, sizeof(text), fmt, ap);
  va_end(ap);
  (void)MultiByteToWideChar(CP_UTF8, 0, text, -1, wide, 4000);
  return wide;
}

char *at(const char *name)
{
  char *path = ring();

  (void)snprintf(path, 8192, "%s\\%s", directory, name);
  return path;
}

void knob(const char *fmt, ...)
{
  char line[1000];
  va_list ap;

  va_start(ap, fmt);
  (void)vsnprintf(line, sizeof(line), fmt, ap);
  va_end(ap);
  OK(hcs_sim_set(line) == 0);
}

void write_text(const char *path, const char *text)
{
  FILE *file = fopen(path, "wb");

  OK(file != NULL);
  (void)fputs(text, file);
  (void)fclose(file);
}

void make_dir(const char *path)
{
  OK(CreateDirectoryA(path, NULL) || GetLastError() == ERROR_ALREADY_EXISTS);
}

bool there_is(const char *path)
{
  return GetFileAttributesA(path) != INVALID_FILE_ATTRIBUTES;
}

json_t *json_of(wchar_t *text, bool local)
{
  static char narrow[1 << 20];
  json_t *value;

  if (text == NULL)
    return NULL;
  (void)WideCharToMultiByte(CP_UTF8, 0, text, -1, narrow, sizeof(narrow), NULL, NULL);
  value = json_loads(narrow, JSON_DECODE_ANY, NULL);
  OK(value != NULL);
  if (local)
    (void)CALL(LocalFree)(text);
  else
    CALL(CoTaskMemFree)(text);
  return value;
}

static void enable(HANDLE token, const wchar_t *name)
{
  TOKEN_PRIVILEGES wanted = { .PrivilegeCount = 1,
                              .Privileges[0].Attributes = SE_PRIVILEGE_ENABLED };

  OK(LookupPrivilegeValueW(NULL, name, &wanted.Privileges[0].Luid));
  OK(AdjustTokenPrivileges(token, FALSE, &wanted, 0, NULL, NULL));
}

void enable_privileges(void)
{
  HANDLE token;

  OK(OpenProcessToken(GetCurrentProcess(), TOKEN_ADJUST_PRIVILEGES, &token));
  enable(token, L"SeBackupPrivilege");
  enable(token, L"SeRestorePrivilege");
  enable(token, L"SeSecurityPrivilege");
  (void)CloseHandle(token);
}

/* ---- Layers ---------------------------------------------------------------------------------- */

void make_layers(void)
{
  static const char *const dirs[] = { "base",
                                      "base\\Files",
                                      "base\\Files\\app",
                                      "base\\Hives",
                                      "base\\UtilityVM",
                                      "base\\UtilityVM\\Files",
                                      "base\\UtilityVM\\Files\\EFI",
                                      "base\\UtilityVM\\Files\\EFI\\Microsoft",
                                      "base\\UtilityVM\\Files\\EFI\\Microsoft\\Boot",
                                      "top",
                                      "top\\Files" };

  for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++)
    make_dir(at(dirs[i]));
  write_text(at("base\\UtilityVM\\Files\\EFI\\Microsoft\\Boot\\bootmgfw.efi"), "boot");
  write_text(at("base\\UtilityVM\\Files\\EFI\\Microsoft\\Boot\\BCD"), "bcd");
  if (!there_is(at("base\\blank.vhdx"))) {
    IS(CALL(ProcessBaseImage)(w("%s", at("base"))), 0);
    IS(CALL(ProcessUtilityImage)(w("%s", at("base\\UtilityVM"))), 0);
  }
}

void describe(struct descriptor *ret, const char *path)
{
  const char *name = strrchr(path, '\\');

  *ret = (struct descriptor){ .path = w("%s", path) };
  IS(CALL(NameToGuid)(w("%s", name + 1), &ret->id), 0);
}

const char *layer_id(const char *path)
{
  struct descriptor d;
  char *text = ring();

  describe(&d, path);
  (void)snprintf(text, 64, "%08x-%04x-%04x-%02x%02x-%02x%02x%02x%02x%02x%02x", (unsigned)d.id.Data1,
                 d.id.Data2, d.id.Data3, d.id.Data4[0], d.id.Data4[1], d.id.Data4[2], d.id.Data4[3],
                 d.id.Data4[4], d.id.Data4[5], d.id.Data4[6], d.id.Data4[7]);
  return text;
}

void make_scratch(const char *name)
{
  struct descriptor parents[2];

  make_layers();
  describe(&parents[0], at("top"));
  describe(&parents[1], at("base"));
  IS(CALL(CreateSandboxLayer)(&driver, w("%s", at(name)), NULL, parents, 2), 0);
}

void mount_scratch(const char *name)
{
  struct descriptor parents[2];

  describe(&parents[0], at("top"));
  describe(&parents[1], at("base"));
  IS(CALL(ActivateLayer)(&driver, w("%s", at(name))), 0);
  IS(CALL(PrepareLayer)(&driver, w("%s", at(name)), parents, 2), 0);
}

void unmount_scratch(const char *name)
{
  IS(CALL(UnprepareLayer)(&driver, w("%s", at(name))), 0);
  IS(CALL(DeactivateLayer)(&driver, w("%s", at(name))), 0);
  IS(CALL(DestroyLayer)(&driver, w("%s", at(name))), 0);
}

const char *volume_of(const char *name)
{
  wchar_t *wide = (wchar_t *)ring();
  char *text = ring();
  size_t len = 0;

  IS(CALL(GetLayerMountPath)(&driver, w("%s", at(name)), &len, NULL), 0);
  OK(len > 0 && len < 100);
  IS(CALL(GetLayerMountPath)(&driver, w("%s", at(name)), &len, wide), 0);
  (void)WideCharToMultiByte(CP_UTF8, 0, wide, -1, text, 8000, NULL, NULL);
  return text;
}

/* ---- Operations ------------------------------------------------------------------------------ */

void *op(void)
{
  void *operation = CALL(HcsCreateOperation)(NULL, NULL);

  OK(operation != NULL);
  return operation;
}

uint32_t finish_with(void *operation, uint32_t accepted, json_t **document)
{
  wchar_t *text = NULL;
  uint32_t hr = accepted;
  json_t *parsed;

  if ((accepted & 0x80000000) == 0)
    hr = CALL(HcsWaitForOperationResult)(operation, 20000, &text);
  else
    (void)CALL(HcsGetOperationResult)(operation, &text);
  parsed = json_of(text, true);
  if (document != NULL)
    *document = parsed;
  else
    json_decref(parsed);
  CALL(HcsCloseOperation)(operation);
  return hr;
}

uint32_t finish(void *operation, uint32_t accepted)
{
  return finish_with(operation, accepted, NULL);
}

/* ---- Containers ------------------------------------------------------------------------------ */

char *container_document(const char *name, const char *more)
{
  json_t *document, *extra = NULL;
  char *text;

  document = json_pack("{s:s,s:{s:i,s:i},s:b,s:{s:{s:s},s:{s:[{s:s,s:s},{s:s,s:s}],s:s}}}", "Owner",
                       "test", "SchemaVersion", "Major", 2, "Minor", 1,
                       "ShouldTerminateOnLastHandleClosed", 1, "Container", "GuestOs", "HostName",
                       "box", "Storage", "Layers", "Id", layer_id(at("top")), "Path", at("top"),
                       "Id", layer_id(at("base")), "Path", at("base"), "Path", volume_of(name));
  OK(document != NULL);
  if (more != NULL) {
    extra = json_loads(more, 0, NULL);
    OK(extra != NULL);
    (void)json_object_update(json_object_get(document, "Container"), extra);
  }
  text = json_dumps(document, JSON_COMPACT);
  json_decref(document);
  json_decref(extra);
  return text;
}

void *create_container(const char *id, const char *name)
{
  char *text = container_document(name, NULL);
  void *operation = op(), *system = NULL;

  IS(finish(operation,
            CALL(HcsCreateComputeSystem)(w("%s", id), w("%s", text), operation, NULL, &system)),
     0);
  free(text);
  OK(system != NULL);
  return system;
}

void *run_container(const char *id, const char *name)
{
  void *system, *operation = op();

  make_scratch(name);
  mount_scratch(name);
  system = create_container(id, name);
  IS(finish(operation, CALL(HcsStartComputeSystem)(system, operation, NULL)), 0);
  return system;
}

void end_container(void *system)
{
  void *operation = op();
  wchar_t *text = NULL;

  IS(finish(operation, CALL(HcsTerminateComputeSystem)(system, operation, NULL)), 0);
  IS(CALL(HcsWaitForComputeSystemExit)(system, 10000, &text), 0);
  json_decref(json_of(text, true));
  CALL(HcsCloseComputeSystem)(system);
}

const char *read_all(HANDLE pipe, char *text, size_t size)
{
  OVERLAPPED wait = { .hEvent = CreateEventW(NULL, TRUE, FALSE, NULL) };
  DWORD got = 0, all = 0;

  while ((ReadFile(pipe, text + all, (DWORD)size - 1 - all, NULL, &wait) ||
          GetLastError() == ERROR_IO_PENDING) &&
         GetOverlappedResult(pipe, &wait, &got, TRUE) && got > 0)
    all += got;
  text[all] = '\0';
  (void)CloseHandle(wait.hEvent);
  (void)CloseHandle(pipe);
  return text;
}

const char *run_process(void *system, const char *command, uint32_t *exit_code)
{
  json_t *parameters = json_pack("{s:s,s:b,s:b}", "CommandLine", command, "CreateStdOutPipe", 1,
                                 "CreateStdErrPipe", 1);
  char *text = json_dumps(parameters, 0), *printed = ring();
  void *operation = op(), *process = NULL;
  struct process_info info;
  wchar_t *result = NULL;
  json_t *status;

  IS(CALL(HcsCreateProcess)(system, w("%s", text), operation, NULL, &process), 0);
  IS(CALL(HcsWaitForOperationResultAndProcessInfo)(operation, 20000, &info, NULL), 0);
  CALL(HcsCloseOperation)(operation);
  OK(info.pid != 0 && info.in == NULL && info.out != NULL && info.err != NULL);
  (void)read_all(info.out, printed, 4000);
  (void)CloseHandle(info.err);
  IS(CALL(HcsWaitForProcessExit)(process, 20000, &result), 0);
  status = json_of(result, true);
  *exit_code = (uint32_t)json_integer_value(json_object_get(status, "ExitCode"));
  CALL(HcsCloseProcess)(process);
  json_decref(status);
  json_decref(parameters);
  free(text);
  return printed;
}

/* ---- The program ----------------------------------------------------------------------------- */

static void load(void)
{
  const char *dir = getenv("HCS_SIM_LIBS");
  char path[1024];
  HMODULE module;

  (void)snprintf(path, sizeof(path), "%s\\hcssim.dll", dir == NULL ? "." : dir);
  for (char *c = path; *c != '\0'; c++)
    if (*c == '/')
      *c = '\\';
  module =
      LoadLibraryExA(path, NULL, LOAD_LIBRARY_SEARCH_DLL_LOAD_DIR | LOAD_LIBRARY_SEARCH_SYSTEM32);
  if (module == NULL) {
    (void)fprintf(stderr, "%s: error %lu\n", path, GetLastError());
    exit(EXIT_FAILED);
  }
#define X(result, name, parameters)               \
  {                                               \
    FARPROC proc = GetProcAddress(module, #name); \
                                                  \
    OK(proc != NULL);                             \
    memcpy(&f.name##_, &proc, sizeof(proc));      \
  }
  FUNCTIONS(X)
#undef X
}

static void remove_tree(const char *path)
{
  char place[1200];
  WIN32_FIND_DATAA found;
  HANDLE search;

  (void)snprintf(place, sizeof(place), "%s\\*", path);
  search = FindFirstFileA(place, &found);
  if (search == INVALID_HANDLE_VALUE)
    return;
  do {
    (void)snprintf(place, sizeof(place), "%s\\%s", path, found.cFileName);
    if (strcmp(found.cFileName, ".") == 0 || strcmp(found.cFileName, "..") == 0)
      continue;
    if (found.dwFileAttributes & FILE_ATTRIBUTE_DIRECTORY)
      remove_tree(place);
    else
      (void)DeleteFileA(place);
  } while (FindNextFileA(search, &found));
  (void)FindClose(search);
  (void)RemoveDirectoryA(path);
}

static void set_up(const char *program)
{
  char temp[MAX_PATH], machine[600];
  WSADATA data;

  (void)GetTempPathA(sizeof(temp), temp);
  (void)snprintf(directory, sizeof(directory), "%shcs-sim-test-%lu", temp, GetCurrentProcessId());
  remove_tree(directory); /* of a process that had our number, and failed */
  make_dir(directory);
  (void)snprintf(machine, sizeof(machine), "%s\\machine", directory);
  make_dir(machine);
  OK(SetEnvironmentVariableA("HCS_SIM_DIR", machine));
  (void)snprintf(machine, sizeof(machine), "%s\\hcs-sim.exe", getenv("HCS_SIM_LIBS"));
  OK(SetEnvironmentVariableA("HCS_SIM_SERVER", machine));
  OK(WSAStartup(MAKEWORD(2, 2), &data) == 0);
  (void)program;
  load();
  enable_privileges();
}

void attach_other(void)
{
  char machine[600];

  running = "the other process";
  OK(GetEnvironmentVariableA("HCS_SIM_DIR", machine, sizeof(machine)) > 0);
  (void)snprintf(directory, sizeof(directory), "%.*s", (int)(strrchr(machine, '\\') - machine),
                 machine);
  load();
  enable_privileges();
}

int run_cases(int argc, char **argv, const struct test_case *cases, size_t count)
{
  unsigned ran = 0;

  set_up(argv[0]);
  for (size_t i = 0; i < count; i++) {
    if (argc > 1 && strcmp(argv[1], cases[i].name) != 0)
      continue;
    running = cases[i].name;
    OK(hcs_sim_clear() == 0 && hcs_sim_forget() == 0);
    cases[i].run();
    OK(hcs_sim_clear() == 0);
    check_clean();
    (void)printf("ok %s\n", cases[i].name);
    (void)fflush(stdout);
    ran++;
  }
  (void)hcs_sim_stop();
  remove_tree(directory);
  return ran > 0 ? 0 : EXIT_FAILED;
}
