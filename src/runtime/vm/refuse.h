/* SPDX-License-Identifier: Apache-2.0
 *
 * What a machine cannot do: everything that the engine does inside works there as it does on the
 * host; what needs an object of the host itself is refused.
 */
#ifndef ZL_RUNTIME_VM_REFUSE_H
#define ZL_RUNTIME_VM_REFUSE_H

#include "runtime/vm/machine.h"

/* ZL_E_UNSUPPORTED (ZL_E_NOT_FOUND: a source that is not there) with the path of the field. */
int zl_vm_refuse(const struct zl_vm_machine_plan *machine, const struct zl_service *service,
                 struct zl_error *err);

#endif
