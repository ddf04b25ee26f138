/* SPDX-License-Identifier: Apache-2.0
 *
 * The fields of Microsoft's "HCS schema reference", for the tests of our documents and for the
 * doubles of the services that take them. Included once per program.
 */
#ifndef TESTS_UNIT_HCS_SCHEMA_TABLES_H
#define TESTS_UNIT_HCS_SCHEMA_TABLES_H

#include <stddef.h>

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

/* Of changes of running systems: "@" is a GUID, "#" a number, "*" the rest. */
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

static const struct {
  const char *resource, *type;
} resources[] = {
  { "MappedVirtualDisk", "MappedVirtualDisk" },
  { "CombinedLayers", "CombinedLayers" },
  { "Network", "GuestAdapter" },
  { "NetworkNamespace", "*" }, /* HCN's own document */
};

#endif
