/* SPDX-License-Identifier: Apache-2.0
 *
 * The tables of the model's structs. Their order is the order of docs/schema.md and of rendering.
 */
#ifndef ZL_SPEC_TABLES_H
#define ZL_SPEC_TABLES_H

#include "spec/field.h"

extern const struct zl_type zl_type_deployment; /* table_deployment.c */
extern const struct zl_type zl_type_service;    /* table_service.c */

extern const struct zl_type zl_type_image; /* table_workload.c: what runs */
extern const struct zl_type zl_type_command;
extern const struct zl_type zl_type_resources;
extern const struct zl_type zl_type_platform;
extern const struct zl_type zl_type_device;
extern const struct zl_type zl_type_ulimit;
extern const struct zl_type zl_type_storage;
extern const struct zl_type zl_type_logs;
extern const struct zl_type zl_type_lifecycle;
extern const struct zl_type zl_type_restart_policy;

extern const struct zl_type zl_type_endpoint; /* table_network.c: who reaches it */
extern const struct zl_type zl_type_port_mapping;
extern const struct zl_type zl_type_network_mode;
extern const struct zl_type zl_type_network;
extern const struct zl_type zl_type_overlay;
extern const struct zl_option zl_options_exposure[];
extern const struct zl_option zl_options_transport[]; /* tcp, udp */
extern const struct zl_option zl_options_protocol[];

extern const struct zl_type zl_type_scale; /* table_scale.c: how many, where, in which order */
extern const struct zl_type zl_type_replica_group;
extern const struct zl_type zl_type_depend;
extern const struct zl_type zl_type_health;
extern const struct zl_type zl_type_init;
extern const struct zl_type zl_type_errors;
extern const struct zl_type zl_type_node_selector;
extern const struct zl_type zl_type_affinity;

extern const struct zl_type zl_type_wasm; /* table_wasm.c */

#define ZL_FIELDS(array) .fields = (array), .n_fields = ZL_COUNT(array)

#endif
