/* SPDX-License-Identifier: Apache-2.0
 *
 * A service's processors, memory and host name as the compute service's schema has them.
 */
#ifndef ZL_RUNTIME_HCS_RESOURCES_H
#define ZL_RUNTIME_HCS_RESOURCES_H

#include <stdint.h>
#include <zlayer/error.h>
#include <zlayer/spec.h>

enum {
  ZL_HCS_CPU_ALL = 10000, /* Container.Processor.Maximum: hundredths of a per cent of a host */
  ZL_HCS_MACHINE_CPU_ALL = 100000, /* Processor.Limit of a machine: thousandths of a per cent of
                                    * each of its processors, as Msvm_ProcessorSettingData.Limit */
  ZL_HCS_MACHINE_CPUS = 2,         /* of a machine when nothing is said, if the host has two */
  ZL_HCS_MACHINE_MIB = 1024,       /* the same of memory */
  ZL_HCS_MACHINE_MAX_MIB =
      12 << 20,        /* a second-generation machine's maximum on Server 2016 to 2022 */
  ZL_HCS_HOSTNAME = 16 /* of a NetBIOS name, 15 characters, and its NUL */
};

/* Of a container on the host's kernel. 0: no limit. At most one of the three of processors. */
struct zl_hcs_limits {
  uint32_t cpu_count;   /* whole processors */
  uint32_t cpu_maximum; /* 1..ZL_HCS_CPU_ALL */
  uint32_t cpu_weight;  /* 1..10000 */
  uint64_t memory_mib;
};

/* Of a machine. */
struct zl_hcs_machine_size {
  uint32_t cpu_count;  /* not 0 */
  uint32_t cpu_limit;  /* 1..ZL_HCS_MACHINE_CPU_ALL; 0: none */
  uint32_t cpu_weight; /* 1..10000; 0: the default, 100 */
  uint64_t memory_mib; /* even, not 0: machines get memory in pages of 2 MiB */
};

/* Whole processors are counted, parts of one are a share of all that the host has. More than it has
 * is as much as it has. */
struct zl_hcs_limits zl_hcs_container_limits(const struct zl_service *service, uint32_t host_cpus);

/* The machine is as large as the container may get. ZL_E_LIMIT with the field's path. */
int zl_hcs_machine_size(const struct zl_service *service, uint32_t host_cpus,
                        struct zl_hcs_machine_size *ret, struct zl_error *err);

/* The service's host name if it has one, which has to be a NetBIOS name: letters, digits and "-",
 * a letter first, at most 15. ZL_E_INVALID with the field's path. Without one it is made of the
 * container's id, "web-rep-1"; of a longer one the end is a hash, since "shop-frontend-rep-1" and
 * "…-2" differ after 15 characters only. */
int zl_hcs_hostname(const struct zl_service *service, const char *id, char ret[ZL_HCS_HOSTNAME],
                    struct zl_error *err);

#endif
