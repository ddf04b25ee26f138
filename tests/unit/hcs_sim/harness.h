/* SPDX-License-Identifier: Apache-2.0
 *
 * What the tests of the doubles have in common: functions of hcssim.dll, a machine of its own for
 * each program, and after each case a look at what is left.
 */
#ifndef TESTS_UNIT_HCS_SIM_HARNESS_H
#define TESTS_UNIT_HCS_SIM_HARNESS_H

#include <windows.h>
#include <winsock2.h>

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hcs-sim/control.h"

struct event {
  uint32_t type;
  const wchar_t *data;
  void *operation;
};
struct process_info {
  DWORD pid, reserved;
  HANDLE in, out, err;
};
struct driver {
  int32_t flavour;
  const wchar_t *home;
};
struct descriptor {
  GUID id;
  ULONG flags;
  const wchar_t *path;
};
typedef void(CALLBACK *event_fn)(struct event *event, void *context);
typedef void(CALLBACK *completion_fn)(void *operation, void *context);

/* X(result, name, parameters) */
#define FUNCTIONS(X)                                                                             \
  X(void *, HcsCreateOperation, (const void *, completion_fn))                                   \
  X(void, HcsCloseOperation, (void *))                                                           \
  X(int, HcsGetOperationType, (void *))                                                          \
  X(uint32_t, HcsGetOperationResult, (void *, wchar_t **))                                       \
  X(uint32_t, HcsWaitForOperationResult, (void *, DWORD, wchar_t **))                            \
  X(uint32_t, HcsWaitForOperationResultAndProcessInfo,                                           \
    (void *, DWORD, struct process_info *, wchar_t **))                                          \
  X(uint32_t, HcsCancelOperation, (void *))                                                      \
  X(uint32_t, HcsEnumerateComputeSystems, (const wchar_t *, void *))                             \
  X(uint32_t, HcsCreateComputeSystem,                                                            \
    (const wchar_t *, const wchar_t *, void *, const void *, void **))                           \
  X(uint32_t, HcsOpenComputeSystem, (const wchar_t *, DWORD, void **))                           \
  X(void, HcsCloseComputeSystem, (void *))                                                       \
  X(uint32_t, HcsStartComputeSystem, (void *, void *, const wchar_t *))                          \
  X(uint32_t, HcsShutDownComputeSystem, (void *, void *, const wchar_t *))                       \
  X(uint32_t, HcsTerminateComputeSystem, (void *, void *, const wchar_t *))                      \
  X(uint32_t, HcsPauseComputeSystem, (void *, void *, const wchar_t *))                          \
  X(uint32_t, HcsResumeComputeSystem, (void *, void *, const wchar_t *))                         \
  X(uint32_t, HcsGetComputeSystemProperties, (void *, void *, const wchar_t *))                  \
  X(uint32_t, HcsModifyComputeSystem, (void *, void *, const wchar_t *, HANDLE))                 \
  X(uint32_t, HcsWaitForComputeSystemExit, (void *, DWORD, wchar_t **))                          \
  X(uint32_t, HcsSetComputeSystemCallback, (void *, uint32_t, const void *, event_fn))           \
  X(uint32_t, HcsCreateProcess, (void *, const wchar_t *, void *, const void *, void **))        \
  X(uint32_t, HcsOpenProcess, (void *, DWORD, DWORD, void **))                                   \
  X(void, HcsCloseProcess, (void *))                                                             \
  X(uint32_t, HcsTerminateProcess, (void *, void *, const wchar_t *))                            \
  X(uint32_t, HcsSignalProcess, (void *, void *, const wchar_t *))                               \
  X(uint32_t, HcsGetProcessInfo, (void *, void *))                                               \
  X(uint32_t, HcsGetProcessProperties, (void *, void *, const wchar_t *))                        \
  X(uint32_t, HcsModifyProcess, (void *, void *, const wchar_t *))                               \
  X(uint32_t, HcsSetProcessCallback, (void *, uint32_t, void *, event_fn))                       \
  X(uint32_t, HcsWaitForProcessExit, (void *, DWORD, wchar_t **))                                \
  X(uint32_t, HcsGetServiceProperties, (const wchar_t *, wchar_t **))                            \
  X(uint32_t, HcsGrantVmAccess, (const wchar_t *, const wchar_t *))                              \
  X(uint32_t, HcsRevokeVmAccess, (const wchar_t *, const wchar_t *))                             \
  X(uint32_t, CreateSandboxLayer,                                                                \
    (const struct driver *, const wchar_t *, const wchar_t *, const struct descriptor *, ULONG)) \
  X(uint32_t, ExpandSandboxSize, (const struct driver *, const wchar_t *, uint64_t))             \
  X(uint32_t, ActivateLayer, (const struct driver *, const wchar_t *))                           \
  X(uint32_t, DeactivateLayer, (const struct driver *, const wchar_t *))                         \
  X(uint32_t, PrepareLayer,                                                                      \
    (const struct driver *, const wchar_t *, const struct descriptor *, ULONG))                  \
  X(uint32_t, UnprepareLayer, (const struct driver *, const wchar_t *))                          \
  X(uint32_t, DestroyLayer, (const struct driver *, const wchar_t *))                            \
  X(uint32_t, GetLayerMountPath, (const struct driver *, const wchar_t *, size_t *, wchar_t *))  \
  X(uint32_t, ImportLayer,                                                                       \
    (const struct driver *, const wchar_t *, const wchar_t *, const struct descriptor *, ULONG)) \
  X(uint32_t, NameToGuid, (const wchar_t *, GUID *))                                             \
  X(uint32_t, ProcessBaseImage, (const wchar_t *))                                               \
  X(uint32_t, ProcessUtilityImage, (const wchar_t *))                                            \
  X(uint32_t, HNSCall, (const wchar_t *, const wchar_t *, const wchar_t *, wchar_t **))          \
  X(uint32_t, HcsFormatWritableLayerVhd, (HANDLE))                                               \
  X(uint32_t, HcnCreateNetwork, (const GUID *, const wchar_t *, void **, wchar_t **))            \
  X(uint32_t, HcnOpenNetwork, (const GUID *, void **, wchar_t **))                               \
  X(uint32_t, HcnDeleteNetwork, (const GUID *, wchar_t **))                                      \
  X(uint32_t, HcnCloseNetwork, (void *))                                                         \
  X(uint32_t, HcnQueryNetworkProperties, (void *, const wchar_t *, wchar_t **, wchar_t **))      \
  X(uint32_t, HcnEnumerateNetworks, (const wchar_t *, wchar_t **, wchar_t **))                   \
  X(uint32_t, HcnCreateNamespace, (const GUID *, const wchar_t *, void **, wchar_t **))          \
  X(uint32_t, HcnModifyNamespace, (void *, const wchar_t *, wchar_t **))                         \
  X(uint32_t, HcnQueryNamespaceProperties, (void *, const wchar_t *, wchar_t **, wchar_t **))    \
  X(uint32_t, HcnDeleteNamespace, (const GUID *, wchar_t **))                                    \
  X(uint32_t, HcnCloseNamespace, (void *))                                                       \
  X(uint32_t, HcnCreateEndpoint, (void *, const GUID *, const wchar_t *, void **, wchar_t **))   \
  X(uint32_t, HcnQueryEndpointProperties, (void *, const wchar_t *, wchar_t **, wchar_t **))     \
  X(uint32_t, HcnDeleteEndpoint, (const GUID *, wchar_t **))                                     \
  X(uint32_t, HcnCloseEndpoint, (void *))                                                        \
  X(DWORD, CreateVirtualDisk,                                                                    \
    (void *, const wchar_t *, int, void *, int, ULONG, void *, void *, HANDLE *))                \
  X(DWORD, OpenVirtualDisk, (void *, const wchar_t *, int, int, void *, HANDLE *))               \
  X(DWORD, AttachVirtualDisk, (HANDLE, void *, int, ULONG, void *, void *))                      \
  X(DWORD, DetachVirtualDisk, (HANDLE, int, ULONG))                                              \
  X(void *, LocalFree, (void *))                                                                 \
  X(void, CoTaskMemFree, (void *))                                                               \
  X(BOOL, CloseHandle, (HANDLE))                                                                 \
  X(HANDLE, CreateFileW, (const wchar_t *, DWORD, DWORD, void *, DWORD, DWORD, HANDLE))          \
  X(BOOL, DeviceIoControl, (HANDLE, DWORD, void *, DWORD, void *, DWORD, DWORD *, void *))       \
  X(BOOL, BackupWrite, (HANDLE, BYTE *, DWORD, DWORD *, BOOL, BOOL, void **))                    \
  X(BOOL, BackupRead, (HANDLE, BYTE *, DWORD, DWORD *, BOOL, BOOL, void **))                     \
  X(LONG, RtlGetVersion, (RTL_OSVERSIONINFOW *))                                                 \
  X(BOOL, AdjustTokenPrivileges,                                                                 \
    (HANDLE, BOOL, TOKEN_PRIVILEGES *, DWORD, TOKEN_PRIVILEGES *, DWORD *))                      \
  X(SOCKET, socket, (int, int, int))                                                             \
  X(int, bind, (SOCKET, const void *, int))                                                      \
  X(int, listen, (SOCKET, int))                                                                  \
  X(SOCKET, accept, (SOCKET, void *, int *))                                                     \
  X(int, shutdown, (SOCKET, int))                                                                \
  X(int, closesocket, (SOCKET))

struct functions {
#define X(result, name, parameters) result(WINAPI *name##_) parameters;
  FUNCTIONS(X)
#undef X
};
extern struct functions f;
#define CALL(name) (f.name##_)

/* ---- Checks: a failed one ends the program with 1, and its machine with it. --------------------
 */

void check(bool good, const char *file, int line, const char *what, unsigned long long got);
#define OK(condition) check((condition), __FILE__, __LINE__, #condition, 0)
#define IS(value, want) \
  check_is(__FILE__, __LINE__, #value, (unsigned long long)(value), (unsigned long long)(want))
void check_is(const char *file, int line, const char *what, unsigned long long got,
              unsigned long long want);
/* Nothing of the case is left, and it did nothing that it should not. */
void check_clean(void);
/* There was just this misuse (a part of its text), and it is forgotten. */
void check_misuse(const char *text);

struct test_case {
  const char *name;
  void (*run)(void);
};
/* The program: each case with a machine that is as new. */
int run_cases(int argc, char **argv, const struct test_case *cases, size_t count);
/* A second process of a test: it uses the machine and box of the first. */
void attach_other(void);
#define RUN(argc, argv, cases) run_cases(argc, argv, cases, sizeof(cases) / sizeof((cases)[0]))

/* ---- Help --------------------------------------------------------------------------------------
 */

const char *box(void); /* the directory of this program's files, with one for each case */
void knob(const char *fmt, ...);
wchar_t *w(const char *fmt, ...); /* UTF-16, valid until the 64th call after it */
char *at(const char *name);       /* a path in the box; valid as w() */
void write_text(const char *path, const char *text);
void make_dir(const char *path);
bool there_is(const char *path);
json_t *json_of(wchar_t *text, bool local); /* frees the text */
void enable_privileges(void);

extern const struct driver driver;
/* A base layer with a utility VM, and one over it: "base" and "top" in the box. */
void make_layers(void);
void describe(struct descriptor *ret, const char *path);
const char *layer_id(const char *path); /* valid as w() */

/* An operation that is waited for. Its document, or NULL, in *document when that is not NULL. */
struct done {
  uint32_t accepted, hr;
  json_t *document;
};
void *op(void);
uint32_t finish(void *operation, uint32_t accepted); /* closes it; the document is thrown away */
uint32_t finish_with(void *operation, uint32_t accepted, json_t **document);

/* A container of the host that runs: its scratch in "scratch". */
void make_scratch(const char *name);
void mount_scratch(const char *name);
void unmount_scratch(const char *name);
const char *volume_of(const char *name);                      /* valid as w() */
char *container_document(const char *name, const char *more); /* the caller frees it */
void *create_container(const char *id, const char *name);
void *run_container(const char *id, const char *name);
void end_container(void *system);
/* What comes to its end, with a NUL; closes the pipe. */
const char *read_all(HANDLE pipe, char *text, size_t size);
/* Runs to its end; what it printed, valid as w(). */
const char *run_process(void *system, const char *command, uint32_t *exit_code);

#endif
