/* SPDX-License-Identifier: Apache-2.0
 *
 * Properties of the unit that annotations of the container ask for, as runc and crun take them:
 * "org.systemd.property.TimeoutStopUSec": "uint64 5000000", a value in GVariant's text form.
 *
 * CVE-2024-3154: whoever writes a container's annotations must not have systemd run a command. Only
 * properties that limit resources or say how the unit ends are taken; all others are refused.
 */
#ifndef ZL_SYSTEMD_ANNOTATION_H
#define ZL_SYSTEMD_ANNOTATION_H

#include "base/json.h"
#include "systemd/message.h"

/* Appends those of `annotations` (NULL: none). ZL_E_UNSUPPORTED: a property that is not taken;
 * ZL_E_INVALID: a value that is not of its type. Both name the annotation. */
int zl_annotations_put(struct zl_dbus_out *out, const json_t *annotations, struct zl_error *err);

#endif
