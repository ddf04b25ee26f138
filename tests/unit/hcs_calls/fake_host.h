/* SPDX-License-Identifier: Apache-2.0
 *
 * A Windows host for tests on Linux: a table of functions (runtime/hcs/api.h) over a small model of
 * the compute, storage and network services, with machines whose guests really dial and speak the
 * bridge's protocol. It is as strict as it has to be to find a wrong order, a wrong deallocator and
 * a leak; documents are checked elsewhere (tests/unit/hcs) and by the doubles under Wine.
 */
#ifndef ZL_TEST_FAKE_HOST_H
#define ZL_TEST_FAKE_HOST_H

#include <stdbool.h>

#include "runtime/hcs/api.h"

enum fake_command {
  FAKE_ECHO, /* writes "hello" and "oops" to its streams and exits with code 3 */
  FAKE_SLEEP /* runs until it is told to end: CtrlShutdown gives code 5, termination 1 */
};

struct fake_options {
  enum fake_command command;
  bool ignores_events; /* the command does not end by console events */
  bool quirk;          /* HcsCreateProcess completes at once, its operation fails (Server 2022) */
  bool never_dials;    /* machines' guests */
  bool dies_early;     /* the machine ends before its guest dials */
  bool not_ready;      /* the first two ActivateLayer say ERROR_NOT_READY */
  bool stays_attached; /* DeactivateLayer leaves the disk attached */
  bool hangs;          /* HcsShutDownComputeSystem is accepted, and nothing ends */
};

/* Makes this the host; one at a time. The table is valid until fake_stop. */
const struct zl_hcs_api *fake_start(const struct fake_options *options);
/* Ends all threads. What was left over (fake_leaks) fails the test. */
void fake_stop(void);

/* A layer's directory; with a UtilityVM if it is to be bootable. */
void fake_add_layer(const char *path, bool bootable);

/* The nth call (from 1) of that name fails with the code and does nothing. Names are the table's
 * ("HcsStartComputeSystem"), or a message to a guest ("guest:Create"). NULL: no call fails. */
void fake_fail(const char *name, unsigned nth, zl_hr hr);
bool fake_has_failed(void); /* it came to that */
/* Calls so far of all names, for a test that makes each of them fail. */
struct fake_count {
  const char *name;
  unsigned count;
};
size_t fake_counts(struct fake_count *ret, size_t max);
unsigned fake_count_of(const char *name);

/* Of the running machine or container: ends it as a crash does. */
void fake_crash(void);
/* vmcompute.exe ends: all handles are dead. */
void fake_disconnect(void);

/* All that is left of what was made; "" when the host is as it was. Static. */
const char *fake_leaks(void);
/* Things no caller may do ("LocalFree of a text of CoTaskMemAlloc"); "" for none. Static. */
const char *fake_misuse(void);

#endif
