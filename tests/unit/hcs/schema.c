/* SPDX-License-Identifier: Apache-2.0 */
#include "schema.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum kind {
  TEXT,    /* a string; `type` is the enum of its values, or NULL */
  GUID,    /* a string: a GUID */
  FLAG,    /* a boolean */
  NUMBER,  /* an integer of `bits` bits without sign */
  OBJECT,  /* of `type` */
  OBJECTS, /* an array of them */
  TEXTS,   /* an array of strings; `type` as for TEXT */
  NUMBERS, /* an array of integers */
  MAP,     /* an object whose members' names are free and whose values are of `type` */
  TEXT_MAP,
  ANY /* what the schema leaves open, not empty */
};

/* In the order of the schema. */
static const struct field {
  const char *object, *name;
  enum kind kind;
  const char *type;
  unsigned minor; /* the 2.x that it came with */
  unsigned bits;
} fields[] = {
  { "ComputeSystem", "Owner", TEXT, NULL, 0, 0 },
  { "ComputeSystem", "SchemaVersion", OBJECT, "Version", 0, 0 },
  { "ComputeSystem", "HostingSystemId", TEXT, NULL, 0, 0 },
  { "ComputeSystem", "HostedSystem", OBJECT, "HostedSystem", 0, 0 },
  { "ComputeSystem", "Container", OBJECT, "Container", 0, 0 },
  { "ComputeSystem", "VirtualMachine", OBJECT, "VirtualMachine", 0, 0 },
  { "ComputeSystem", "ShouldTerminateOnLastHandleClosed", FLAG, NULL, 0, 0 },

  { "Version", "Major", NUMBER, NULL, 0, 32 },
  { "Version", "Minor", NUMBER, NULL, 0, 32 },

  { "HostedSystem", "SchemaVersion", OBJECT, "Version", 0, 0 },
  { "HostedSystem", "Container", OBJECT, "Container", 0, 0 },

  { "Container", "GuestOs", OBJECT, "GuestOs", 0, 0 },
  { "Container", "Storage", OBJECT, "Storage", 0, 0 },
  { "Container", "MappedDirectories", OBJECTS, "MappedDirectory", 0, 0 },
  { "Container", "MappedPipes", OBJECTS, "MappedPipe", 0, 0 },
  { "Container", "Memory", OBJECT, "Container_Memory", 0, 0 },
  { "Container", "Processor", OBJECT, "Container_Processor", 0, 0 },
  { "Container", "Networking", OBJECT, "Networking", 0, 0 },
  { "Container", "HvSocket", OBJECT, "Container_HvSocket", 0, 0 },
  { "Container", "ContainerCredentialGuard", OBJECT, "ContainerCredentialGuardState", 1, 0 },
  { "Container", "RegistryChanges", OBJECT, "RegistryChanges", 0, 0 },
  { "Container", "AssignedDevices", OBJECTS, "Device", 1, 0 },

  { "GuestOs", "HostName", TEXT, NULL, 0, 0 },

  { "Storage", "Layers", OBJECTS, "Layer", 0, 0 },
  { "Storage", "Path", TEXT, NULL, 0, 0 },
  { "Storage", "QoS", OBJECT, "StorageQoS", 0, 0 },

  { "Layer", "Id", GUID, NULL, 0, 0 },
  { "Layer", "Path", TEXT, NULL, 0, 0 },
  { "Layer", "PathType", TEXT, "PathType", 1, 0 },
  { "Layer", "Cache", TEXT, "CacheMode", 0, 0 },

  { "StorageQoS", "IopsMaximum", NUMBER, NULL, 0, 64 },
  { "StorageQoS", "BandwidthMaximum", NUMBER, NULL, 0, 64 },

  { "MappedDirectory", "HostPath", TEXT, NULL, 0, 0 },
  { "MappedDirectory", "HostPathType", TEXT, "PathType", 1, 0 },
  { "MappedDirectory", "ContainerPath", TEXT, NULL, 0, 0 },
  { "MappedDirectory", "ReadOnly", FLAG, NULL, 0, 0 },
  { "MappedDirectory", "SupportCloudFiles", FLAG, NULL, 3, 0 },

  { "MappedPipe", "ContainerPipeName", TEXT, NULL, 0, 0 },
  { "MappedPipe", "HostPath", TEXT, NULL, 0, 0 },
  { "MappedPipe", "HostPathType", TEXT, "MappedPipePathType", 1, 0 },

  { "Container_Memory", "SizeInMB", NUMBER, NULL, 1, 64 },

  { "Container_Processor", "Count", NUMBER, NULL, 0, 32 },
  { "Container_Processor", "Weight", NUMBER, NULL, 0, 64 },
  { "Container_Processor", "Maximum", NUMBER, NULL, 0, 64 },

  { "Networking", "AllowUnqualifiedDnsQuery", FLAG, NULL, 0, 0 },
  { "Networking", "DnsSearchList", TEXT, NULL, 0, 0 },
  { "Networking", "NetworkSharedContainerName", TEXT, NULL, 0, 0 },
  { "Networking", "Namespace", GUID, NULL, 0, 0 },
  { "Networking", "NetworkAdapters", TEXTS, NULL, 0, 0 },

  { "Container_HvSocket", "Config", OBJECT, "HvSocketSystemConfig", 0, 0 },
  { "Container_HvSocket", "EnablePowerShellDirect", FLAG, NULL, 0, 0 },

  { "ContainerCredentialGuardState", "Cookie", TEXT, NULL, 1, 0 },
  { "ContainerCredentialGuardState", "RpcEndpoint", TEXT, NULL, 1, 0 },
  { "ContainerCredentialGuardState", "Transport", TEXT, NULL, 1, 0 },
  { "ContainerCredentialGuardState", "CredentialSpec", TEXT, NULL, 1, 0 },

  { "Device", "Type", TEXT, NULL, 2, 0 },
  { "Device", "InterfaceClassGuid", GUID, NULL, 1, 0 },
  { "Device", "LocationPath", TEXT, NULL, 2, 0 },

  { "RegistryChanges", "AddValues", OBJECTS, "RegistryValue", 0, 0 },
  { "RegistryChanges", "DeleteKeys", OBJECTS, "RegistryKey", 0, 0 },

  { "RegistryValue", "Key", OBJECT, "RegistryKey", 0, 0 },
  { "RegistryValue", "Name", TEXT, NULL, 0, 0 },
  { "RegistryValue", "Type", TEXT, "RegistryValueType", 0, 0 },
  { "RegistryValue", "StringValue", TEXT, NULL, 0, 0 },
  { "RegistryValue", "BinaryValue", TEXT, NULL, 0, 0 },
  { "RegistryValue", "DWordValue", NUMBER, NULL, 0, 32 },
  { "RegistryValue", "QWordValue", NUMBER, NULL, 0, 64 },
  { "RegistryValue", "CustomType", NUMBER, NULL, 0, 32 },

  { "RegistryKey", "Hive", TEXT, "RegistryHive", 0, 0 },
  { "RegistryKey", "Name", TEXT, NULL, 0, 0 },
  { "RegistryKey", "Volatile", FLAG, NULL, 0, 0 },

  { "VirtualMachine", "StopOnReset", FLAG, NULL, 0, 0 },
  { "VirtualMachine", "Chipset", OBJECT, "Chipset", 0, 0 },
  { "VirtualMachine", "ComputeTopology", OBJECT, "Topology", 0, 0 },
  { "VirtualMachine", "Devices", OBJECT, "Devices", 0, 0 },
  { "VirtualMachine", "GuestState", OBJECT, "GuestState", 1, 0 },
  { "VirtualMachine", "RestoreState", OBJECT, "RestoreState", 0, 0 },
  { "VirtualMachine", "RegistryChanges", OBJECT, "RegistryChanges", 0, 0 },
  { "VirtualMachine", "StorageQoS", OBJECT, "StorageQoS", 1, 0 },
  { "VirtualMachine", "GuestConnection", OBJECT, "GuestConnection", 1, 0 },

  { "Chipset", "Uefi", OBJECT, "Uefi", 0, 0 },
  { "Chipset", "IsNumLockDisabled", FLAG, NULL, 0, 0 },
  { "Chipset", "BaseBoardSerialNumber", TEXT, NULL, 0, 0 },
  { "Chipset", "ChassisSerialNumber", TEXT, NULL, 0, 0 },
  { "Chipset", "ChassisAssetTag", TEXT, NULL, 0, 0 },
  { "Chipset", "UseUtc", FLAG, NULL, 1, 0 },
  { "Chipset", "LinuxKernelDirect", OBJECT, "LinuxKernelDirect", 2, 0 },

  { "Uefi", "EnableDebugger", FLAG, NULL, 0, 0 },
  { "Uefi", "SecureBootTemplateId", GUID, NULL, 0, 0 },
  { "Uefi", "ApplySecureBootTemplate", TEXT, NULL, 3, 0 },
  { "Uefi", "BootThis", OBJECT, "UefiBootEntry", 0, 0 },
  { "Uefi", "Console", TEXT, NULL, 0, 0 },
  { "Uefi", "StopOnBootFailure", FLAG, NULL, 2, 0 },

  { "UefiBootEntry", "DeviceType", TEXT, "UefiBootDevice", 1, 0 },
  { "UefiBootEntry", "DevicePath", TEXT, NULL, 1, 0 },
  { "UefiBootEntry", "DiskNumber", NUMBER, NULL, 1, 16 },
  { "UefiBootEntry", "OptionalData", TEXT, NULL, 1, 0 },
  { "UefiBootEntry", "VmbFsRootPath", TEXT, NULL, 1, 0 },

  { "Topology", "Memory", OBJECT, "VirtualMachine_Memory", 0, 0 },
  { "Topology", "Processor", OBJECT, "VirtualMachine_Processor", 0, 0 },

  { "VirtualMachine_Memory", "SizeInMB", NUMBER, NULL, 1, 64 },
  { "VirtualMachine_Memory", "AllowOvercommit", FLAG, NULL, 1, 0 },
  { "VirtualMachine_Memory", "BackingPageSize", TEXT, NULL, 2, 0 },
  { "VirtualMachine_Memory", "PinBackingPages", FLAG, NULL, 2, 0 },
  { "VirtualMachine_Memory", "ForbidSmallBackingPages", FLAG, NULL, 2, 0 },
  { "VirtualMachine_Memory", "EnableHotHint", FLAG, NULL, 0, 0 },
  { "VirtualMachine_Memory", "EnableColdHint", FLAG, NULL, 0, 0 },
  { "VirtualMachine_Memory", "EnableColdDiscardHint", FLAG, NULL, 2, 0 },
  { "VirtualMachine_Memory", "EnableDeferredCommit", FLAG, NULL, 1, 0 },
  { "VirtualMachine_Memory", "LowMmioGapInMB", NUMBER, NULL, 3, 64 },
  { "VirtualMachine_Memory", "HighMmioBaseInMB", NUMBER, NULL, 3, 64 },
  { "VirtualMachine_Memory", "HighMmioGapInMB", NUMBER, NULL, 3, 64 },

  { "VirtualMachine_Processor", "Count", NUMBER, NULL, 0, 32 },
  { "VirtualMachine_Processor", "Limit", NUMBER, NULL, 1, 64 },
  { "VirtualMachine_Processor", "Weight", NUMBER, NULL, 1, 64 },
  { "VirtualMachine_Processor", "ExposeVirtualizationExtensions", FLAG, NULL, 0, 0 },
  { "VirtualMachine_Processor", "EnablePerfmonPmu", FLAG, NULL, 2, 0 },
  { "VirtualMachine_Processor", "EnablePerfmonPebs", FLAG, NULL, 2, 0 },
  { "VirtualMachine_Processor", "EnablePerfmonLbr", FLAG, NULL, 2, 0 },
  { "VirtualMachine_Processor", "EnablePerfmonIpt", FLAG, NULL, 2, 0 },

  { "Devices", "ComPorts", MAP, "ComPort", 1, 0 },
  { "Devices", "VirtioSerial", ANY, NULL, 2, 0 },
  { "Devices", "Scsi", MAP, "Scsi", 0, 0 },
  { "Devices", "VirtualPMem", ANY, NULL, 0, 0 },
  { "Devices", "NetworkAdapters", MAP, "NetworkAdapter", 0, 0 },
  { "Devices", "VideoMonitor", ANY, NULL, 0, 0 },
  { "Devices", "Keyboard", ANY, NULL, 0, 0 },
  { "Devices", "Mouse", ANY, NULL, 0, 0 },
  { "Devices", "HvSocket", OBJECT, "VirtualMachine_HvSocket", 1, 0 },
  { "Devices", "EnhancedModeVideo", ANY, NULL, 1, 0 },
  { "Devices", "GuestCrashReporting", OBJECT, "GuestCrashReporting", 0, 0 },
  { "Devices", "VirtualSmb", OBJECT, "VirtualSmb", 0, 0 },
  { "Devices", "Plan9", ANY, NULL, 0, 0 },
  { "Devices", "Battery", ANY, NULL, 0, 0 },
  { "Devices", "FlexibleIov", ANY, NULL, 1, 0 },
  { "Devices", "SharedMemory", ANY, NULL, 1, 0 },
  { "Devices", "VirtualPci", ANY, NULL, 3, 0 },

  { "ComPort", "NamedPipe", TEXT, NULL, 1, 0 },
  { "ComPort", "OptimizeForDebugger", FLAG, NULL, 1, 0 },

  { "Scsi", "Attachments", MAP, "Attachment", 0, 0 },

  { "Attachment", "Type", TEXT, "AttachmentType", 0, 0 },
  { "Attachment", "Path", TEXT, NULL, 0, 0 },
  { "Attachment", "CachingMode", TEXT, NULL, 1, 0 },
  { "Attachment", "ReadOnly", FLAG, NULL, 0, 0 },
  { "Attachment", "SupportCompressedVolumes", FLAG, NULL, 3, 0 },

  { "NetworkAdapter", "EndpointId", GUID, NULL, 0, 0 },
  { "NetworkAdapter", "MacAddress", TEXT, NULL, 0, 0 },

  { "VirtualMachine_HvSocket", "HvSocketConfig", OBJECT, "HvSocketSystemConfig", 1, 0 },

  { "HvSocketSystemConfig", "DefaultBindSecurityDescriptor", TEXT, NULL, 0, 0 },
  { "HvSocketSystemConfig", "DefaultConnectSecurityDescriptor", TEXT, NULL, 0, 0 },
  { "HvSocketSystemConfig", "ServiceTable", MAP, "HvSocketServiceConfig", 0, 0 },

  { "HvSocketServiceConfig", "BindSecurityDescriptor", TEXT, NULL, 0, 0 },
  { "HvSocketServiceConfig", "ConnectSecurityDescriptor", TEXT, NULL, 0, 0 },
  { "HvSocketServiceConfig", "AllowWildcardBinds", FLAG, NULL, 0, 0 },

  { "GuestCrashReporting", "WindowsCrashSettings", OBJECT, "WindowsCrashReporting", 0, 0 },

  { "WindowsCrashReporting", "DumpFileName", TEXT, NULL, 0, 0 },
  { "WindowsCrashReporting", "MaxDumpSize", NUMBER, NULL, 0, 63 },
  /* Not in the published reference; what Microsoft's own runtime sends to these builds. */
  { "WindowsCrashReporting", "DumpType", TEXT, "WindowsCrashDumpType", 0, 0 },

  { "VirtualSmb", "Shares", OBJECTS, "VirtualSmbShare", 1, 0 },
  { "VirtualSmb", "DirectFileMappingInMB", NUMBER, NULL, 1, 63 },

  { "VirtualSmbShare", "Name", TEXT, NULL, 0, 0 },
  { "VirtualSmbShare", "Path", TEXT, NULL, 0, 0 },
  { "VirtualSmbShare", "AllowedFiles", TEXTS, NULL, 0, 0 },
  { "VirtualSmbShare", "Options", OBJECT, "VirtualSmbShareOptions", 1, 0 },

  { "VirtualSmbShareOptions", "ReadOnly", FLAG, NULL, 1, 0 },
  { "VirtualSmbShareOptions", "ShareRead", FLAG, NULL, 1, 0 },
  { "VirtualSmbShareOptions", "CacheIo", FLAG, NULL, 1, 0 },
  { "VirtualSmbShareOptions", "NoOplocks", FLAG, NULL, 1, 0 },
  { "VirtualSmbShareOptions", "TakeBackupPrivilege", FLAG, NULL, 1, 0 },
  { "VirtualSmbShareOptions", "UseShareRootIdentity", FLAG, NULL, 1, 0 },
  { "VirtualSmbShareOptions", "NoDirectmap", FLAG, NULL, 1, 0 },
  { "VirtualSmbShareOptions", "NoLocks", FLAG, NULL, 1, 0 },
  { "VirtualSmbShareOptions", "NoDirnotify", FLAG, NULL, 1, 0 },
  { "VirtualSmbShareOptions", "VmSharedMemory", FLAG, NULL, 1, 0 },
  { "VirtualSmbShareOptions", "RestrictFileAccess", FLAG, NULL, 1, 0 },
  { "VirtualSmbShareOptions", "ForceLevelIIOplocks", FLAG, NULL, 1, 0 },
  { "VirtualSmbShareOptions", "ReparseBaseLayer", FLAG, NULL, 1, 0 },
  { "VirtualSmbShareOptions", "PseudoOplocks", FLAG, NULL, 1, 0 },
  { "VirtualSmbShareOptions", "NonCacheIo", FLAG, NULL, 1, 0 },
  { "VirtualSmbShareOptions", "PseudoDirnotify", FLAG, NULL, 1, 0 },
  { "VirtualSmbShareOptions", "SingleFileMapping", FLAG, NULL, 1, 0 },
  { "VirtualSmbShareOptions", "SupportCloudFiles", FLAG, NULL, 3, 0 },

  { "GuestState", "GuestStateFilePath", TEXT, NULL, 1, 0 },
  { "GuestState", "RuntimeStateFilePath", TEXT, NULL, 1, 0 },
  { "GuestState", "ForceTransientState", FLAG, NULL, 1, 0 },
  { "RestoreState", "SaveStateFilePath", TEXT, NULL, 0, 0 },
  { "RestoreState", "TemplateSystemId", TEXT, NULL, 1, 0 },
  { "GuestConnection", "UseVsock", FLAG, NULL, 1, 0 },
  { "GuestConnection", "UseConnectedSuspend", FLAG, NULL, 1, 0 },

  { "ProcessParameters", "ApplicationName", TEXT, NULL, 0, 0 },
  { "ProcessParameters", "CommandLine", TEXT, NULL, 0, 0 },
  { "ProcessParameters", "CommandArgs", TEXTS, NULL, 0, 0 },
  { "ProcessParameters", "User", TEXT, NULL, 0, 0 },
  { "ProcessParameters", "WorkingDirectory", TEXT, NULL, 0, 0 },
  { "ProcessParameters", "Environment", TEXT_MAP, NULL, 0, 0 },
  { "ProcessParameters", "RestrictedToken", FLAG, NULL, 0, 0 },
  { "ProcessParameters", "EmulateConsole", FLAG, NULL, 0, 0 },
  { "ProcessParameters", "CreateStdInPipe", FLAG, NULL, 0, 0 },
  { "ProcessParameters", "CreateStdOutPipe", FLAG, NULL, 0, 0 },
  { "ProcessParameters", "CreateStdErrPipe", FLAG, NULL, 0, 0 },
  { "ProcessParameters", "ConsoleSize", NUMBERS, NULL, 0, 16 },
  { "ProcessParameters", "UseExistingLogin", FLAG, NULL, 0, 0 },
  { "ProcessParameters", "UseLegacyConsole", FLAG, NULL, 0, 0 },

  { "ProcessModifyRequest", "Operation", TEXT, "ModifyOperation", 0, 0 },
  { "ProcessModifyRequest", "ConsoleSize", OBJECT, "ConsoleSize", 0, 0 },
  { "ProcessModifyRequest", "CloseHandle", OBJECT, "CloseHandle", 0, 0 },
  { "ConsoleSize", "Height", NUMBER, NULL, 0, 16 },
  { "ConsoleSize", "Width", NUMBER, NULL, 0, 16 },
  { "CloseHandle", "Handle", TEXT, "StdHandle", 0, 0 },
  { "SignalProcessOptions", "Signal", TEXT, "ProcessSignal", 1, 0 },

  { "System_PropertyQuery", "PropertyTypes", TEXTS, "System_PropertyType", 1, 0 },
  { "Service_PropertyQuery", "PropertyTypes", TEXTS, "GetPropertyType", 1, 0 },
  { "SystemQuery", "Ids", TEXTS, NULL, 1, 0 },
  { "SystemQuery", "Names", TEXTS, NULL, 1, 0 },
  { "SystemQuery", "Types", TEXTS, NULL, 1, 0 },
  { "SystemQuery", "Owners", TEXTS, NULL, 1, 0 },

  { "ModifySettingRequest", "ResourcePath", TEXT, NULL, 1, 0 },
  { "ModifySettingRequest", "RequestType", TEXT, "ModifyRequestType", 0, 0 },
  { "ModifySettingRequest", "Settings", ANY, NULL, 0, 0 },
  { "ModifySettingRequest", "GuestRequest", ANY, NULL, 1, 0 },
  { "GuestModifySettingRequest", "ResourceType", TEXT, "ModifyResourceType", 1, 0 },
  { "GuestModifySettingRequest", "RequestType", TEXT, "ModifyRequestType", 1, 0 },
  { "GuestModifySettingRequest", "Settings", ANY, NULL, 1, 0 },

  { "CombinedLayers", "Layers", OBJECTS, "Layer", 0, 0 },
  { "CombinedLayers", "ScratchPath", TEXT, NULL, 0, 0 },
  { "CombinedLayers", "ContainerRootPath", TEXT, NULL, 0, 0 },
  { "MappedVirtualDisk", "ContainerPath", TEXT, NULL, 1, 0 },
  { "MappedVirtualDisk", "Lun", NUMBER, NULL, 1, 8 },
  { "CpuGroup", "Id", GUID, NULL, 1, 0 },
  /* In the published reference without members; these are what Microsoft's own runtime sends. */
  { "ProcessorLimits", "Limit", NUMBER, NULL, 1, 64 },
  { "ProcessorLimits", "Weight", NUMBER, NULL, 1, 64 },
  /* Of the bridge's ModifySettings, not of the published reference. */
  { "GuestAdapter", "AdapterId", GUID, NULL, 0, 0 },
  { "GuestAdapter", "RequestType", TEXT, "AdapterRequest", 0, 0 },
  { "GuestAdapter", "Settings", ANY, NULL, 0, 0 },
};

static const struct value {
  const char *type, *name;
} values[] = {
  { "PathType", "AbsolutePath" },
  { "PathType", "VirtualSmbShareName" },
  { "MappedPipePathType", "AbsolutePath" },
  { "MappedPipePathType", "VirtualSmbPipeName" },
  { "CacheMode", "Unspecified" },
  { "CacheMode", "Disabled" },
  { "CacheMode", "Enabled" },
  { "RegistryHive", "System" },
  { "RegistryHive", "Software" },
  { "RegistryHive", "Security" },
  { "RegistryHive", "Sam" },
  { "RegistryValueType", "None" },
  { "RegistryValueType", "String" },
  { "RegistryValueType", "ExpandedString" },
  { "RegistryValueType", "MultiString" },
  { "RegistryValueType", "Binary" },
  { "RegistryValueType", "DWord" },
  { "RegistryValueType", "QWord" },
  { "RegistryValueType", "CustomType" },
  { "UefiBootDevice", "ScsiDrive" },
  { "UefiBootDevice", "VmbFs" },
  { "UefiBootDevice", "Network" },
  { "UefiBootDevice", "File" },
  { "AttachmentType", "VirtualDisk" },
  { "AttachmentType", "Iso" },
  { "AttachmentType", "PassThru" },
  { "WindowsCrashDumpType", "Full" },
  { "ModifyOperation", "ConsoleSize" },
  { "ModifyOperation", "CloseHandle" },
  { "StdHandle", "StdIn" },
  { "StdHandle", "StdOut" },
  { "StdHandle", "StdErr" },
  { "StdHandle", "All" },
  { "ProcessSignal", "CtrlC" },
  { "ProcessSignal", "CtrlBreak" },
  { "ProcessSignal", "CtrlClose" },
  { "ProcessSignal", "CtrlLogOff" },
  { "ProcessSignal", "CtrlShutdown" },
  { "System_PropertyType", "Memory" },
  { "System_PropertyType", "Statistics" },
  { "System_PropertyType", "ProcessList" },
  { "System_PropertyType", "TerminateOnLastHandleClosed" },
  { "System_PropertyType", "SharedMemoryRegion" },
  { "System_PropertyType", "GuestConnection" },
  { "GetPropertyType", "Basic" },
  { "GetPropertyType", "CpuGroup" },
  { "GetPropertyType", "ProcessorTopology" },
  { "GetPropertyType", "ContainerCredentialGuard" },
  { "GetPropertyType", "QoSCapabilities" },
  { "ModifyRequestType", "Add" },
  { "ModifyRequestType", "Remove" },
  { "ModifyRequestType", "Update" },
  { "ModifyResourceType", "Memory" },
  { "ModifyResourceType", "MappedDirectory" },
  { "ModifyResourceType", "MappedPipe" },
  { "ModifyResourceType", "MappedVirtualDisk" },
  { "ModifyResourceType", "CombinedLayers" },
  { "ModifyResourceType", "NetworkNamespace" },
  { "ModifyResourceType", "CimMount" },
  /* Of the bridge's ModifySettings, not of the published reference. */
  { "ModifyResourceType", "Network" },
  { "ModifyResourceType", "HvSocket" },
  { "AdapterRequest", "PreAdd" },
  { "AdapterRequest", "Add" },
  { "AdapterRequest", "Remove" },
};

enum {
  NEWEST_MINOR = 1,
  GUID_LEN = 36
};

struct walk {
  char *why;
  size_t size;
};

static int fail(const struct walk *w, const char *path, const char *what)
{
  (void)snprintf(w->why, w->size, "%s: %s", path, what);
  return 0;
}

static bool knows_value(const char *type, const char *name)
{
  for (size_t i = 0; i < COUNT(values); i++)
    if (strcmp(values[i].type, type) == 0 && strcmp(values[i].name, name) == 0)
      return true;
  return false;
}

static int check_text(const struct walk *w, const json_t *value, const char *type, const char *path)
{
  if (!json_is_string(value) || json_string_length(value) == 0)
    return fail(w, path, "no text, or an empty one");
  return type == NULL || knows_value(type, json_string_value(value))
             ? 1
             : fail(w, path, "not a value of its enum");
}

static bool is_guid(const char *text)
{
  for (size_t i = 0; i < GUID_LEN; i++)
    if (i == 8 || i == 13 || i == 18 || i == 23
            ? text[i] != '-'
            : text[i] == '\0' || strchr("0123456789abcdef", text[i]) == NULL)
      return false;
  return true;
}

static int check_guid(const struct walk *w, const json_t *value, const char *path)
{
  const char *text = json_string_value(value);

  if (text == NULL || strlen(text) != GUID_LEN)
    return fail(w, path, "no GUID");
  return is_guid(text) ? 1 : fail(w, path, "no GUID in lower case");
}

static int check_number(const struct walk *w, const json_t *value, unsigned bits, const char *path)
{
  json_int_t number = json_integer_value(value);

  if (!json_is_integer(value) || number <= 0)
    return fail(w, path, "no number above 0");
  return bits >= 63 || number >> bits == 0 ? 1 : fail(w, path, "too large for its type");
}

static int check_object(const struct walk *w, const json_t *object, const char *type,
                        const char *path);

/* Each entry of an array, or each member of a map. */
static int check_each(const struct walk *w, const json_t *value, const struct field *f,
                      const char *path)
{
  char place[1024];
  size_t count = json_is_array(value) ? json_array_size(value) : 0;

  if (!json_is_array(value) || count == 0)
    return fail(w, path, "no array, or an empty one");
  for (size_t i = 0; i < count; i++) {
    const json_t *item = json_array_get(value, i);
    int good;

    (void)snprintf(place, sizeof(place), "%s[%zu]", path, i);
    if (f->kind == OBJECTS)
      good = check_object(w, item, f->type, place);
    else if (f->kind == TEXTS)
      good = check_text(w, item, f->type, place);
    else
      good = check_number(w, item, f->bits, place);
    if (!good)
      return 0;
  }
  return 1;
}

static int check_map(const struct walk *w, const json_t *value, const struct field *f,
                     const char *path)
{
  char place[1024];
  void *it;

  if (!json_is_object(value) || json_object_size(value) == 0)
    return fail(w, path, "no object, or an empty one");
  /* json_object_foreach wants a json_t that is not const. */
  for (it = json_object_iter((json_t *)(uintptr_t)value); it != NULL;
       it = json_object_iter_next((json_t *)(uintptr_t)value, it)) {
    const json_t *item = json_object_iter_value(it);

    (void)snprintf(place, sizeof(place), "%s.%s", path, json_object_iter_key(it));
    if (!(f->kind == MAP ? check_object(w, item, f->type, place)
                         : check_text(w, item, NULL, place)))
      return 0;
  }
  return 1;
}

static int check_any(const struct walk *w, const json_t *value, const char *path)
{
  if (json_is_integer(value))
    return check_number(w, value, 64, path);
  return json_object_size(value) > 0 ? 1 : fail(w, path, "no object, or an empty one");
}

static int check_field(const struct walk *w, const json_t *value, const struct field *f,
                       const char *path)
{
  if (f->minor > NEWEST_MINOR)
    return fail(w, path, "newer than schema version 2.1");
  switch (f->kind) {
  case TEXT:
    return check_text(w, value, f->type, path);
  case GUID:
    return check_guid(w, value, path);
  case FLAG:
    return json_is_true(value) ? 1 : fail(w, path, "not true");
  case NUMBER:
    return check_number(w, value, f->bits, path);
  case OBJECT:
    return check_object(w, value, f->type, path);
  case OBJECTS:
  case TEXTS:
  case NUMBERS:
    return check_each(w, value, f, path);
  case MAP:
  case TEXT_MAP:
    return check_map(w, value, f, path);
  case ANY:
    return check_any(w, value, path);
  }
  return fail(w, path, "of a kind that is not known");
}

static const struct field *find(const char *object, const char *name)
{
  for (size_t i = 0; i < COUNT(fields); i++)
    if (strcmp(fields[i].object, object) == 0 && strcmp(fields[i].name, name) == 0)
      return &fields[i];
  return NULL;
}

static int check_object(const struct walk *w, const json_t *object, const char *type,
                        const char *path)
{
  const struct field *last = NULL;
  char place[1024];
  void *it;

  if (!json_is_object(object) || json_object_size(object) == 0)
    return fail(w, path, "no object, or an empty one");
  for (it = json_object_iter((json_t *)(uintptr_t)object); it != NULL;
       it = json_object_iter_next((json_t *)(uintptr_t)object, it)) {
    const struct field *f = find(type, json_object_iter_key(it));

    (void)snprintf(place, sizeof(place), "%s.%s", path, json_object_iter_key(it));
    if (f == NULL)
      return fail(w, place, "no such field");
    if (last != NULL && f < last)
      return fail(w, place, "not in the schema's order");
    if (!check_field(w, json_object_iter_value(it), f, place))
      return 0;
    last = f;
  }
  return 1;
}

int schema_check(const json_t *document, const char *type, char *why, size_t size)
{
  const struct walk walk = { why, size };

  return check_object(&walk, document, type, "$");
}

/* ---- Changes ---- */

/* "@" is a GUID, "#" a number, "*" the rest. */
static bool matches(const char *pattern, const char *path)
{
  for (; *pattern != '\0'; pattern++) {
    size_t len = 1;

    if (*pattern == '*')
      return *path != '\0';
    if (*pattern == '#')
      len = strspn(path, "0123456789");
    else if (*pattern == '@')
      len = is_guid(path) ? GUID_LEN : 0;
    else if (*pattern != *path)
      return false;
    if (len == 0)
      return false;
    path += len;
  }
  return *path == '\0';
}

const char *schema_of_path(const char *path)
{
  static const struct {
    const char *pattern, *type;
  } paths[] = {
    { "VirtualMachine/Devices/Scsi/@/Attachments/#", "Attachment" },
    { "VirtualMachine/Devices/VirtualSmb/Shares", "VirtualSmbShare" },
    { "VirtualMachine/Devices/NetworkAdapters/@", "NetworkAdapter" },
    { "VirtualMachine/ComputeTopology/Memory/SizeInMB", "" },
    { "VirtualMachine/ComputeTopology/Processor/Limits", "ProcessorLimits" },
    { "VirtualMachine/ComputeTopology/Processor/CpuGroup", "CpuGroup" },
    { "VirtualMachine/Devices/HvSocket/HvSocketConfig/ServiceTable/@", "HvSocketServiceConfig" },
    { "VirtualMachine/Devices/MappedPipes/\\\\.\\pipe\\*", "MappedPipe" },
    { "Container/MappedDirectories", "MappedDirectory" },
    { "Container/MappedPipes", "MappedPipe" },
    { "Container/Memory/SizeInMB", "" },
    { "Container/Processor", "Container_Processor" },
  };

  for (size_t i = 0; path != NULL && i < COUNT(paths); i++)
    if (matches(paths[i].pattern, path))
      return paths[i].type;
  return NULL;
}

const char *schema_of_resource(const char *resource)
{
  static const struct {
    const char *resource, *type;
  } resources[] = {
    { "MappedVirtualDisk", "MappedVirtualDisk" },
    { "CombinedLayers", "CombinedLayers" },
    { "Network", "GuestAdapter" },
    { "NetworkNamespace", "*" }, /* HCN's own document */
  };

  for (size_t i = 0; resource != NULL && i < COUNT(resources); i++)
    if (strcmp(resources[i].resource, resource) == 0)
      return resources[i].type;
  return NULL;
}
