/* SPDX-License-Identifier: Apache-2.0
 *
 * A box (tests/unit/shim/box.h) whose shim is that of machines, with fake_qemu in QEMU's place.
 */
#ifndef ZL_TESTS_SHIM_VM_BOX_H
#define ZL_TESTS_SHIM_VM_BOX_H

#include "../shim/box.h"

enum {
  QUICK_S = 20 /* far below every patience, even on a busy host */
};

#define VM_CASE(name) cmocka_unit_test_setup_teardown(name, vm_case_begin, vm_case_end)

#define VM_TEMPLATE "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

/* Group set-up: as box_group_begin, and the files that every machine has. */
int vm_group_begin(void **state);

/* A container whose machine plays `role` (fake_qemu.c). */
struct box *vm_box(const char *role);
/* Sets a member of its machine.json. `value` is released. */
void vm_set(const struct box *box, const char *key, json_t *value);
/* Lets it be cloned from a template, whose directory is opened for the caller. */
int vm_template(const struct box *box);
/* The same of one that has an image in its memory, and this contents.json (NULL: none). */
int vm_template_of_image(const struct box *box, const char *image, const char *contents);
/* The image that its machine.json names; the caller frees it. */
char *vm_image(const struct box *box);

/* One that runs. The answer to the start may be lost with the machine. */
struct box *vm_running(const char *role);
/* Stops it and waits for the answer, which has to come within the grace and QUICK_S. */
void vm_stop(struct box *box, int grace_ms);
/* For the shims from now on: a guest that is silent is waited for, but not for a minute here.
 * `patience` is a name of src/shim/vm/patience.h with what the fault point shall do. */
void vm_be_hasty(const char *patience);

/* Set-up and tear-down of a case. */
int vm_case_begin(void **state);
int vm_case_end(void **state);

/* Frees it; fails the test when a machine still runs. */
void vm_free(struct box *box);

/* A member of the answer to the op "state", or of exit.json; the caller frees it. */
char *vm_state(struct box *box, const char *key);
char *vm_exit(const struct box *box, const char *key);

/* The creation has to fail, with these words in the message. */
void vm_expect_refused(struct box *box, const char *words);
/* Waits for the end, which is a failure of the machine with these words. */
void vm_expect_failed(struct box *box, const char *words);
/* Waits for the end: code and reason. */
void vm_expect_end(struct box *box, int code, const char *reason);

/* KiB of memory that the shim has had in use at most. */
size_t vm_memory(const struct box *box);
/* That it has not grown by more than a few MiB since. */
void vm_assert_no_growth(const struct box *box, size_t before);

#endif
