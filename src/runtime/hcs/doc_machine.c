/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <string.h>

#include "base/json.h"
#include "base/limits.h"
#include "runtime/hcs/doc_private.h"
#include "runtime/hcs/modify.h"
#include "runtime/hcs/wintext.h"

/* SYSTEM and administrators, all rights; nobody else, nothing inherited. */
#define ADMINS_ONLY  "D:P(A;;FA;;;SY)(A;;FA;;;BA)"
/* Where a guest of Windows sends its log. */
#define LOG_SERVICE  "172dad59-976d-45f2-8b6c-6d1b13f2ac4d"
/* Below the boot files; without the first "\" the firmware finds nothing, and no guest ever dials.
 */
#define BOOT_MANAGER "\\EFI\\Microsoft\\Boot\\bootmgfw.efi"

enum {
  DIRECT_MAP_MIB = 1024, /* of the boot files, mapped into the machine instead of read by it */
  MAX_WEIGHT = 10000
};

static struct zl_doc_place place_of(const struct zl_hcs_machine *m)
{
  return (struct zl_doc_place){ "machine of", m->id };
}

/* ---- Checks ---- */

static int check_size(const struct zl_hcs_machine *m, struct zl_error *err)
{
  const struct zl_hcs_machine_size *size = &m->size;

  if (size->cpu_count == 0 || size->cpu_count > ZL_MAX_CPUS ||
      size->cpu_limit > ZL_HCS_MACHINE_CPU_ALL || size->cpu_weight > MAX_WEIGHT)
    return zl_fail(err, ZL_E_INVALID, 0,
                   "machine of '%s': Processor: count %" PRIu32 ", limit %" PRIu32
                   ", weight %" PRIu32,
                   m->id, size->cpu_count, size->cpu_limit, size->cpu_weight);
  if (size->memory_mib == 0 || size->memory_mib % 2 != 0 ||
      size->memory_mib > ZL_HCS_MACHINE_MAX_MIB)
    return zl_fail(err, ZL_E_INVALID, 0,
                   "machine of '%s': Memory: %" PRIu64 " MiB is not an even number up to %d", m->id,
                   size->memory_mib, ZL_HCS_MACHINE_MAX_MIB);
  return 0;
}

static int check_debugging(const struct zl_hcs_machine *m, struct zl_error *err)
{
  struct zl_doc_place place = place_of(m);
  int r = m->com1 != NULL ? zl_hcs_check_pipe(m->com1, "ComPorts", err) : 0;

  if (r < 0 || m->dump_file == NULL)
    return r;
  if (m->dump_max == 0)
    return zl_doc_refuse(&place, "GuestCrashReporting", m->dump_file, "has no largest size", err);
  return zl_doc_check_path(&place, "GuestCrashReporting", m->dump_file, err);
}

static int check(const struct zl_hcs_machine *m, struct zl_error *err)
{
  struct zl_doc_place place = place_of(m);
  int r = zl_doc_check_owner(&place, m->owner, err);

  if (r == 0)
    r = zl_doc_check_path(&place, "VirtualSmb.Shares.Path", m->boot_files, err);
  if (r == 0)
    r = zl_doc_check_path(&place, "Scsi.Attachments.Path", m->scratch, err);
  if (r == 0)
    r = zl_doc_check_number(&place, "StorageQoS.IopsMaximum", m->iops, err);
  if (r == 0)
    r = zl_doc_check_number(&place, "StorageQoS.BandwidthMaximum", m->bandwidth, err);
  if (r == 0)
    r = zl_doc_check_number(&place, "MaxDumpSize", m->dump_max, err);
  if (r == 0)
    r = check_size(m, err);
  return r < 0 ? r : check_debugging(m, err);
}

/* ---- Parts ---- */

static json_t *chipset(void)
{
  struct zl_doc boot;

  zl_doc_init(&boot);
  zl_doc_text(&boot, "DeviceType", "VmbFs");
  zl_doc_text(&boot, "DevicePath", BOOT_MANAGER);
  return zl_doc_one_part("Uefi", zl_doc_one_part("BootThis", zl_doc_end(&boot)));
}

static json_t *memory(const struct zl_hcs_machine *m)
{
  struct zl_doc doc;

  zl_doc_init(&doc);
  zl_doc_number(&doc, "SizeInMB", m->size.memory_mib);
  zl_doc_flag(&doc, "AllowOvercommit", !m->physical);
  zl_doc_flag(&doc, "EnableHotHint", !m->physical);
  return zl_doc_end(&doc);
}

static json_t *processor(const struct zl_hcs_machine *m)
{
  struct zl_doc doc;

  zl_doc_init(&doc);
  zl_doc_number(&doc, "Count", m->size.cpu_count);
  zl_doc_number(&doc, "Limit", m->size.cpu_limit);
  zl_doc_number(&doc, "Weight", m->size.cpu_weight);
  return zl_doc_end(&doc);
}

static json_t *topology(const struct zl_hcs_machine *m)
{
  struct zl_doc doc;

  zl_doc_init(&doc);
  zl_doc_part(&doc, "Memory", memory(m));
  zl_doc_part(&doc, "Processor", processor(m));
  return zl_doc_end(&doc);
}

static json_t *com_ports(const struct zl_hcs_machine *m)
{
  return m->com1 != NULL ? zl_doc_one_part("0", zl_doc_one_text("NamedPipe", m->com1))
                         : json_object();
}

static json_t *scsi(const struct zl_hcs_machine *m)
{
  struct zl_doc disk;

  zl_doc_init(&disk);
  zl_doc_text(&disk, "Type", "VirtualDisk");
  zl_doc_text(&disk, "Path", m->scratch);
  return zl_doc_one_part(zl_hcs_scsi_controller(0),
                         zl_doc_one_part("Attachments", zl_doc_one_part("0", zl_doc_end(&disk))));
}

static json_t *hvsocket(const struct zl_hcs_machine *m)
{
  static const struct zl_hcs_service log = { .bind = ADMINS_ONLY,
                                             .connect = ADMINS_ONLY,
                                             .wildcard = true };
  struct zl_doc config;

  zl_doc_init(&config);
  zl_doc_text(&config, "DefaultBindSecurityDescriptor", ADMINS_ONLY);
  if (m->log_forwarding)
    zl_doc_part(&config, "ServiceTable", zl_doc_one_part(LOG_SERVICE, zl_hcs_service_json(&log)));
  return zl_doc_one_part("HvSocketConfig", zl_doc_end(&config));
}

static json_t *crash_reporting(const struct zl_hcs_machine *m)
{
  struct zl_doc doc;

  zl_doc_init(&doc);
  if (m->dump_file != NULL) {
    zl_doc_text(&doc, "DumpFileName", m->dump_file);
    zl_doc_number(&doc, "MaxDumpSize", m->dump_max);
    zl_doc_text(&doc, "DumpType", "Full");
  }
  return zl_doc_one_part("WindowsCrashSettings", zl_doc_end(&doc));
}

/* The boot files alone: a share that the guest may write to, in this document, has kept machines
 * from starting. */
static json_t *virtual_smb(const struct zl_hcs_machine *m)
{
  const struct zl_hcs_share os = { .name = "os",
                                   .path = m->boot_files,
                                   .options = ZL_HCS_SHARE_LAYER |
                                              (m->physical ? ZL_HCS_SHARE_NO_DIRECT_MAP : 0u) };
  json_t *shares = json_array();
  struct zl_doc doc;

  zl_doc_init(&doc);
  zl_doc_item(&doc, shares, zl_hcs_share_json(&os));
  zl_doc_part(&doc, "Shares", shares);
  zl_doc_number(&doc, "DirectFileMappingInMB", m->physical ? 0 : DIRECT_MAP_MIB);
  return zl_doc_end(&doc);
}

static json_t *devices(const struct zl_hcs_machine *m)
{
  struct zl_doc doc;

  zl_doc_init(&doc);
  zl_doc_part(&doc, "ComPorts", com_ports(m));
  zl_doc_part(&doc, "Scsi", scsi(m));
  zl_doc_part(&doc, "HvSocket", hvsocket(m));
  zl_doc_part(&doc, "GuestCrashReporting", crash_reporting(m));
  zl_doc_part(&doc, "VirtualSmb", virtual_smb(m));
  return zl_doc_end(&doc);
}

static json_t *network_service_key(void)
{
  struct zl_doc doc;

  zl_doc_init(&doc);
  zl_doc_text(&doc, "Hive", "System");
  zl_doc_text(&doc, "Name", "CurrentControlSet\\Services\\gns");
  return zl_doc_end(&doc);
}

/* The guest's network service: a container's network is a compartment of the guest. */
static json_t *registry(void)
{
  json_t *values = json_array();
  struct zl_doc doc, value;

  zl_doc_init(&doc);
  zl_doc_init(&value);
  zl_doc_part(&value, "Key", network_service_key());
  zl_doc_text(&value, "Name", "EnableCompartmentNamespace");
  zl_doc_text(&value, "Type", "DWord");
  zl_doc_number(&value, "DWordValue", 1);
  zl_doc_item(&doc, values, zl_doc_end(&value));
  zl_doc_part(&doc, "AddValues", values);
  return zl_doc_end(&doc);
}

static json_t *machine_json(const struct zl_hcs_machine *m)
{
  struct zl_doc doc;

  zl_doc_init(&doc);
  zl_doc_flag(&doc, "StopOnReset", true);
  zl_doc_part(&doc, "Chipset", chipset());
  zl_doc_part(&doc, "ComputeTopology", topology(m));
  zl_doc_part(&doc, "Devices", devices(m));
  zl_doc_part(&doc, "RegistryChanges", registry());
  zl_doc_part(&doc, "StorageQoS", zl_doc_qos(m->iops, m->bandwidth));
  return zl_doc_end(&doc);
}

int zl_hcs_doc_machine(const struct zl_hcs_machine *machine, json_t **ret, struct zl_error *err)
{
  struct zl_doc doc;
  int r = check(machine, err);

  if (r < 0)
    return r;
  zl_doc_init(&doc);
  zl_doc_text(&doc, "Owner", machine->owner);
  zl_doc_part(&doc, "SchemaVersion", zl_doc_version());
  zl_doc_part(&doc, "VirtualMachine", machine_json(machine));
  zl_doc_flag(&doc, "ShouldTerminateOnLastHandleClosed", true);
  return zl_doc_finish(&doc, "document of a machine", ret, err);
}
