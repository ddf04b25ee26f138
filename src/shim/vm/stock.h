/* SPDX-License-Identifier: Apache-2.0
 *
 * The container that a machine has ready before anybody asks for one: made of the bundle that most
 * containers have, up to where its program matters.
 */
#ifndef ZL_SHIM_VM_STOCK_H
#define ZL_SHIM_VM_STOCK_H

#include <jansson.h>

/* That bundle, and its name files; new objects, NULL when out of memory. */
json_t *stock_bundle(void);
json_t *stock_files(void);

/* What has to be said so that a container that was prepared from the bundle `prepared` becomes that
 * of `bundle`; the caller releases it. NULL: it cannot become that one, since something differs
 * that has been made already (or `prepared` is NULL). */
json_t *stock_amendment(const json_t *bundle, const json_t *prepared);

#endif
