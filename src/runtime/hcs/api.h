/* SPDX-License-Identifier: Apache-2.0
 *
 * Every function of Windows that this backend calls, in one table of pointers. Debian's import
 * libraries do not know all of them, older builds have not all of them, and a name without a path
 * must not load a library from the program's directory or the current one: so each is looked up at
 * run time, in System32 only (win32/load.c). Tests hand in tables of their own.
 *
 * What frees what: texts of computecore and computestorage LocalFree, those of vmcompute and
 * computenetwork CoTaskMemFree.
 */
#ifndef ZL_RUNTIME_HCS_API_H
#define ZL_RUNTIME_HCS_API_H

#include "base/winabi.h"
#include "bridge/hv_api.h"
#include "net/win32/hcn_api.h"

/* ---- Structures ------------------------------------------------------------------------------ */

struct zl_hcs_event { /* HCS_EVENT */
  uint32_t type;
  const zl_wchar *data;
  void *operation;
};
_Static_assert(sizeof(struct zl_hcs_event) == 24, "HCS_EVENT");

enum { /* HCS_EVENT_TYPE */
  ZL_HCS_EVENT_SYSTEM_EXITED = 1,
  ZL_HCS_EVENT_SYSTEM_CRASH_INITIATED = 2,
  ZL_HCS_EVENT_SYSTEM_CRASH_REPORT = 3,
  ZL_HCS_EVENT_PROCESS_EXITED = 0x00010000,
  ZL_HCS_EVENT_SERVICE_DISCONNECT = 0x02000000
};

typedef void (*zl_hcs_event_fn)(struct zl_hcs_event *event, void *context);
typedef void (*zl_hcs_completion_fn)(void *operation, void *context);

struct zl_hcs_process_info { /* HCS_PROCESS_INFORMATION */
  uint32_t pid, reserved;
  zl_handle in, out, err;
};
_Static_assert(sizeof(struct zl_hcs_process_info) == 32, "HCS_PROCESS_INFORMATION");

struct zl_wc_driver { /* DriverInfo of vmcompute: `home` may be empty, but not NULL */
  int32_t flavour;
  const zl_wchar *home;
};
struct zl_wc_descriptor { /* WC_LAYER_DESCRIPTOR */
  struct zl_guid id;
  uint32_t flags;
  const zl_wchar *path;
};
_Static_assert(sizeof(struct zl_wc_driver) == 16 && sizeof(struct zl_wc_descriptor) == 32,
               "structures of vmcompute");

struct zl_vhd_type { /* VIRTUAL_STORAGE_TYPE */
  uint32_t device;
  struct zl_guid vendor;
};
struct zl_vhd_open { /* OPEN_VIRTUAL_DISK_PARAMETERS, version 2 */
  uint32_t version;
  int32_t info_only, read_only;
  struct zl_guid resiliency;
};
_Static_assert(sizeof(struct zl_vhd_type) == 20 && sizeof(struct zl_vhd_open) == 28,
               "structures of virtdisk");

struct zl_win_overlapped { /* OVERLAPPED */
  uintptr_t internal, internal_high;
  uint64_t offset;
  zl_handle event;
};
_Static_assert(sizeof(struct zl_win_overlapped) == 32, "OVERLAPPED");

struct zl_win_time { /* SYSTEMTIME */
  uint16_t year, month, day_of_week, day, hour, minute, second, milliseconds;
};
struct zl_win_zone { /* TIME_ZONE_INFORMATION */
  int32_t bias;
  zl_wchar standard_name[32];
  struct zl_win_time standard_date;
  int32_t standard_bias;
  zl_wchar daylight_name[32];
  struct zl_win_time daylight_date;
  int32_t daylight_bias;
};
_Static_assert(sizeof(struct zl_win_zone) == 172, "TIME_ZONE_INFORMATION");

struct zl_win_luid { /* LUID */
  uint32_t low;
  int32_t high;
};
struct zl_win_privileges { /* TOKEN_PRIVILEGES with one of them */
  uint32_t count;
  struct zl_win_luid luid;
  uint32_t attributes;
};
_Static_assert(sizeof(struct zl_win_privileges) == 16, "TOKEN_PRIVILEGES");

struct zl_win_version { /* RTL_OSVERSIONINFOW */
  uint32_t size, major, minor, build, platform;
  zl_wchar pack[128];
};
_Static_assert(sizeof(struct zl_win_version) == 276, "RTL_OSVERSIONINFOW");

/* ---- Functions ------------------------------------------------------------------------------- */

/* X(NEED or MAY, result, name, parameters): a host without one that we NEED is refused, one that it
 * MAY have is NULL without it. */

#define ZL_HCS_DO(X, flag, name) \
  X(flag, zl_hr, name, (void *object, void *operation, const zl_wchar *options))

#define ZL_COMPUTECORE_ENTRIES(X)                                                                \
  X(NEED, void *, HcsCreateOperation, (const void *context, zl_hcs_completion_fn fn))            \
  X(NEED, void, HcsCloseOperation, (void *operation))                                            \
  X(NEED, zl_hr, HcsGetOperationResult, (void *operation, zl_wchar **result))                    \
  X(NEED, zl_hr, HcsWaitForOperationResult,                                                      \
    (void *operation, uint32_t timeout_ms, zl_wchar **result))                                   \
  X(NEED, zl_hr, HcsWaitForOperationResultAndProcessInfo,                                        \
    (void *operation, uint32_t timeout_ms, struct zl_hcs_process_info *info, zl_wchar **result)) \
  X(NEED, zl_hr, HcsCancelOperation, (void *operation))                                          \
  X(NEED, zl_hr, HcsEnumerateComputeSystems, (const zl_wchar *query, void *operation))           \
  X(NEED, zl_hr, HcsCreateComputeSystem,                                                         \
    (const zl_wchar *id, const zl_wchar *document, void *operation, const void *security,        \
     void **system))                                                                             \
  X(NEED, zl_hr, HcsOpenComputeSystem, (const zl_wchar *id, uint32_t access, void **system))     \
  X(NEED, void, HcsCloseComputeSystem, (void *system))                                           \
  ZL_HCS_DO(X, NEED, HcsStartComputeSystem)                                                      \
  ZL_HCS_DO(X, NEED, HcsShutDownComputeSystem)                                                   \
  ZL_HCS_DO(X, NEED, HcsTerminateComputeSystem)                                                  \
  ZL_HCS_DO(X, NEED, HcsPauseComputeSystem)                                                      \
  ZL_HCS_DO(X, NEED, HcsResumeComputeSystem)                                                     \
  ZL_HCS_DO(X, NEED, HcsGetComputeSystemProperties)                                              \
  X(NEED, zl_hr, HcsModifyComputeSystem,                                                         \
    (void *system, void *operation, const zl_wchar *settings, zl_handle identity))               \
  X(NEED, zl_hr, HcsSetComputeSystemCallback,                                                    \
    (void *system, uint32_t options, const void *context, zl_hcs_event_fn fn))                   \
  X(NEED, zl_hr, HcsCreateProcess,                                                               \
    (void *system, const zl_wchar *parameters, void *operation, const void *security,            \
     void **process))                                                                            \
  X(NEED, zl_hr, HcsOpenProcess, (void *system, uint32_t pid, uint32_t access, void **process))  \
  X(NEED, void, HcsCloseProcess, (void *process))                                                \
  ZL_HCS_DO(X, NEED, HcsTerminateProcess)                                                        \
  ZL_HCS_DO(X, NEED, HcsSignalProcess)                                                           \
  X(NEED, zl_hr, HcsGetProcessInfo, (void *process, void *operation))                            \
  ZL_HCS_DO(X, NEED, HcsGetProcessProperties)                                                    \
  ZL_HCS_DO(X, NEED, HcsModifyProcess)                                                           \
  X(NEED, zl_hr, HcsSetProcessCallback,                                                          \
    (void *process, uint32_t options, void *context, zl_hcs_event_fn fn))                        \
  X(NEED, zl_hr, HcsGetServiceProperties, (const zl_wchar *query, zl_wchar **result))            \
  X(NEED, zl_hr, HcsGrantVmAccess, (const zl_wchar *vm, const zl_wchar *path))                   \
  X(NEED, zl_hr, HcsRevokeVmAccess, (const zl_wchar *vm, const zl_wchar *path))                  \
  X(MAY, zl_hr, HcsWaitForComputeSystemExit,                                                     \
    (void *system, uint32_t timeout_ms, zl_wchar **result))                                      \
  X(MAY, zl_hr, HcsWaitForProcessExit, (void *process, uint32_t timeout_ms, zl_wchar **result))

#define ZL_WC_ONE(X, name) \
  X(NEED, zl_hr, name, (const struct zl_wc_driver *driver, const zl_wchar *layer))
#define ZL_WC_CHAIN(X, name)                                   \
  X(NEED, zl_hr, name,                                         \
    (const struct zl_wc_driver *driver, const zl_wchar *layer, \
     const struct zl_wc_descriptor *parents, uint32_t count))
#define ZL_WC_MOVE(X, name)                                                          \
  X(NEED, zl_hr, name,                                                               \
    (const struct zl_wc_driver *driver, const zl_wchar *layer, const zl_wchar *path, \
     const struct zl_wc_descriptor *parents, uint32_t count))

#define ZL_VMCOMPUTE_ENTRIES(X)                                                              \
  ZL_WC_MOVE(X, CreateSandboxLayer) /* `path`: the parent's id, which we leave out */        \
  X(NEED, zl_hr, ExpandSandboxSize,                                                          \
    (const struct zl_wc_driver *driver, const zl_wchar *layer, uint64_t bytes))              \
  ZL_WC_ONE(X, ActivateLayer)                                                                \
  ZL_WC_ONE(X, DeactivateLayer)                                                              \
  ZL_WC_CHAIN(X, PrepareLayer)                                                               \
  ZL_WC_ONE(X, UnprepareLayer)                                                               \
  ZL_WC_ONE(X, DestroyLayer)                                                                 \
  X(NEED, zl_hr, GetLayerMountPath,                                                          \
    (const struct zl_wc_driver *driver, const zl_wchar *layer, size_t *len, zl_wchar *path)) \
  ZL_WC_MOVE(X, ImportLayer)                                                                 \
  ZL_WC_MOVE(X, ExportLayer)                                                                 \
  X(NEED, zl_hr, NameToGuid, (const zl_wchar *name, struct zl_guid *guid))                   \
  X(NEED, zl_hr, ProcessBaseImage, (const zl_wchar *path))                                   \
  X(NEED, zl_hr, ProcessUtilityImage, (const zl_wchar *path))                                \
  X(MAY, zl_hr, HNSCall,                                                                     \
    (const zl_wchar *method, const zl_wchar *path, const zl_wchar *request, zl_wchar **answer))

#define ZL_COMPUTESTORAGE_ENTRIES(X)                                                            \
  X(NEED, zl_hr, HcsImportLayer,                                                                \
    (const zl_wchar *layer, const zl_wchar *source, const zl_wchar *parents))                   \
  X(NEED, zl_hr, HcsExportLayer,                                                                \
    (const zl_wchar *layer, const zl_wchar *folder, const zl_wchar *parents,                    \
     const zl_wchar *options))                                                                  \
  X(NEED, zl_hr, HcsDestroyLayer, (const zl_wchar *layer))                                      \
  X(NEED, zl_hr, HcsSetupBaseOSLayer,                                                           \
    (const zl_wchar *layer, zl_handle vhd, const zl_wchar *options))                            \
  X(NEED, zl_hr, HcsInitializeWritableLayer,                                                    \
    (const zl_wchar *layer, const zl_wchar *parents, const zl_wchar *options))                  \
  X(NEED, zl_hr, HcsAttachLayerStorageFilter, (const zl_wchar *layer, const zl_wchar *parents)) \
  X(NEED, zl_hr, HcsDetachLayerStorageFilter, (const zl_wchar *layer))                          \
  X(NEED, zl_hr, HcsFormatWritableLayerVhd, (zl_handle vhd))                                    \
  X(NEED, zl_hr, HcsGetLayerVhdMountPath, (zl_handle vhd, zl_wchar * *path))                    \
  X(MAY, zl_hr, HcsSetupBaseOSVolume,                                                           \
    (const zl_wchar *layer, const zl_wchar *volume, const zl_wchar *options))

#define ZL_VIRTDISK_ENTRIES(X) /* Win32 codes, not HRESULTs */                              \
  X(NEED, uint32_t, OpenVirtualDisk,                                                        \
    (const struct zl_vhd_type *type, const zl_wchar *path, uint32_t access, uint32_t flags, \
     const struct zl_vhd_open *parameters, zl_handle *disk))                                \
  X(NEED, uint32_t, DetachVirtualDisk, (zl_handle disk, uint32_t flags, uint32_t specific))

#define ZL_KERNEL32_ENTRIES(X)                                                                  \
  X(NEED, uint32_t, GetLastError, (void))                                                       \
  X(NEED, void *, LocalFree, (void *memory))                                                    \
  X(NEED, int, CloseHandle, (zl_handle handle))                                                 \
  X(NEED, zl_handle, GetCurrentProcess, (void))                                                 \
  X(NEED, void, Sleep, (uint32_t ms))                                                           \
  X(NEED, zl_handle, CreateEventW, (void *security, int manual, int set, const zl_wchar *name)) \
  X(NEED, int, ReadFile,                                                                        \
    (zl_handle file, void *data, uint32_t len, uint32_t *done, struct zl_win_overlapped *wait)) \
  X(NEED, int, WriteFile,                                                                       \
    (zl_handle file, const void *data, uint32_t len, uint32_t *done,                            \
     struct zl_win_overlapped *wait))                                                           \
  X(NEED, int, GetOverlappedResult,                                                             \
    (zl_handle file, struct zl_win_overlapped * wait, uint32_t * done, int block))              \
  X(NEED, int, CancelIoEx, (zl_handle file, struct zl_win_overlapped * wait))                   \
  X(NEED, uint32_t, GetFileAttributesW, (const zl_wchar *path))                                 \
  X(NEED, int, CreateDirectoryW, (const zl_wchar *path, void *security))                        \
  X(NEED, int, RemoveDirectoryW, (const zl_wchar *path))                                        \
  X(NEED, int, DeleteFileW, (const zl_wchar *path))                                             \
  X(NEED, int, CopyFileW, (const zl_wchar *from, const zl_wchar *to, int fail_if_exists))       \
  X(NEED, int, MoveFileExW, (const zl_wchar *from, const zl_wchar *to, uint32_t flags))         \
  X(NEED, uint32_t, GetTimeZoneInformation, (struct zl_win_zone * zone))                        \
  X(NEED, uint32_t, GetActiveProcessorCount, (uint16_t group))                                  \
  X(NEED, int, BackupRead,                                                                      \
    (zl_handle file, uint8_t * data, uint32_t len, uint32_t * done, int abort, int security,    \
     void **context))                                                                           \
  X(NEED, int, BackupWrite,                                                                     \
    (zl_handle file, uint8_t * data, uint32_t len, uint32_t * done, int abort, int security,    \
     void **context))

#define ZL_ADVAPI32_ENTRIES(X)                                                               \
  X(NEED, int, OpenProcessToken, (zl_handle process, uint32_t access, zl_handle * token))    \
  X(NEED, int, LookupPrivilegeValueW,                                                        \
    (const zl_wchar *system, const zl_wchar *name, struct zl_win_luid *luid))                \
  X(NEED, int, AdjustTokenPrivileges,                                                        \
    (zl_handle token, int disable_all, const struct zl_win_privileges *change, uint32_t len, \
     void *before, uint32_t *ret_len))

#define ZL_NTDLL_ENTRIES(X) X(NEED, int32_t, RtlGetVersion, (struct zl_win_version * version))
#define ZL_OLE32_ENTRIES(X) X(NEED, void, CoTaskMemFree, (void *memory))

struct zl_hcs_api {
#define X(flag, ret, name, args) ret(*name) args;
  ZL_COMPUTECORE_ENTRIES(X)
  ZL_VMCOMPUTE_ENTRIES(X)
  ZL_COMPUTESTORAGE_ENTRIES(X)
  ZL_VIRTDISK_ENTRIES(X)
  ZL_KERNEL32_ENTRIES(X)
  ZL_ADVAPI32_ENTRIES(X)
  ZL_NTDLL_ENTRIES(X)
  ZL_OLE32_ENTRIES(X)
#undef X
  struct zl_hcn_api hcn; /* computenetwork.dll */
  struct zl_hv_api hv;   /* ws2_32.dll */
};

/* ---- Filling the table ------------------------------------------------------------------------
 */

/* Functions of a library by name; NULL: it has none of that name, or is not there itself. */
struct zl_hcs_resolver {
  void *(*find)(void *ctx, const char *library, const char *name);
  void *ctx;
};
/* Looks every function up. ZL_E_UNSUPPORTED naming the first that we need and the host has not. */
int zl_hcs_api_resolve(const struct zl_hcs_resolver *resolver, struct zl_hcs_api *ret,
                       struct zl_error *err);

/* The host's own functions, looked up at the first call; the table is never freed. Windows only. */
int zl_hcs_api_load(const struct zl_hcs_api **ret, struct zl_error *err);

/* ---- What has no better place -----------------------------------------------------------------
 */

struct zl_os_version;
/* RtlGetVersion, which unlike GetVersionEx tells the truth to programs without a manifest. The
 * revision is not part of its answer. */
int zl_hcs_host_version(const struct zl_hcs_api *api, struct zl_os_version *ret,
                        struct zl_error *err);
/* Fails like zl_fail with GetLastError. */
int zl_hcs_fail_last(const struct zl_hcs_api *api, struct zl_error *err, const char *fmt, ...)
    ZL_PRINTF(3, 4);

#endif
