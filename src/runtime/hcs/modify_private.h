/* SPDX-License-Identifier: Apache-2.0
 *
 * What the kinds of changes have in common.
 */
#ifndef ZL_RUNTIME_HCS_MODIFY_PRIVATE_H
#define ZL_RUNTIME_HCS_MODIFY_PRIVATE_H

#include "runtime/hcs/doc_private.h"
#include "runtime/hcs/modify.h"

#define ZL_MODIFY_MACHINE "VirtualMachine/"
#define ZL_MODIFY_DEVICES ZL_MODIFY_MACHINE "Devices/"

/* Of no name: the caller knows whose change it is, and says so in front. */
extern const struct zl_doc_place zl_modify_place;

const char *zl_modify_verb(bool add); /* "Add" or "Remove" */

/* The host's document. Takes `settings` over: an object, or a number where the path names one
 * value. `request` NULL: none, as for those values. NULL: out of memory. */
json_t *zl_modify_host(const char *path, const char *request, json_t *settings);

/* Each hands a change out; takes over what was made for it, any of which may be NULL, for which it
 * fails. `modify` has the guest's half. */
int zl_modify_finish_host(json_t *host, struct zl_hcs_modify *ret, struct zl_error *err);
int zl_modify_finish_guest(const char *request, const char *resource, json_t *settings,
                           struct zl_hcs_modify *ret, struct zl_error *err);
int zl_modify_finish_both(json_t *host, struct zl_hcs_modify *modify, struct zl_hcs_modify *ret,
                          struct zl_error *err);

#endif
