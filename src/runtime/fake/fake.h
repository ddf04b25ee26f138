/* SPDX-License-Identifier: Apache-2.0
 *
 * A backend without host objects, for tests of everything above a backend. A workload is a script
 * (script.h) whose whole course is known when it starts; what is true now follows from the clock
 * and from fake.json in the container's directory, so that several runtimes on one root agree.
 */
#ifndef ZL_RUNTIME_FAKE_FAKE_H
#define ZL_RUNTIME_FAKE_FAKE_H

#include "runtime/runtime.h"

extern const struct zl_runtime_ops zl_fake_ops;

#endif
