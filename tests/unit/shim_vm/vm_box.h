/* SPDX-License-Identifier: Apache-2.0
 *
 * A box (tests/unit/shim/box.h) whose shim is that of machines, with fake_qemu in QEMU's place.
 */
#ifndef ZL_TESTS_SHIM_VM_BOX_H
#define ZL_TESTS_SHIM_VM_BOX_H

#include "../shim/box.h"

#define VM_TEMPLATE "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

/* Group set-up: as box_group_begin, and the files that every machine has. */
int vm_group_begin(void **state);

/* A container whose machine plays `role` (fake_qemu.c). */
struct box *vm_box(const char *role);
/* Sets a member of its machine.json. `value` is released. */
void vm_set(const struct box *box, const char *key, json_t *value);
/* Lets it be cloned from a template, whose directory is opened for the caller. */
int vm_template(const struct box *box);

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

/* KiB of memory that the shim has in use. */
size_t vm_memory(const struct box *box);
/* That it has not grown by more than a few MiB since. */
void vm_assert_no_growth(const struct box *box, size_t before);

#endif
