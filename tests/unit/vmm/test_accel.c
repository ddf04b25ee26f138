/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fd.h"
#include "vmm/accel.h"

static void the_tsc_is_measured_twice_alike(void **state)
{
  uint64_t one = 0, two = 0;
  struct zl_error err = { 0 };

  (void)state;
  assert_int_equal(zl_tsc_measure(&one, &err), 0);
  assert_int_equal(zl_tsc_measure(&two, &err), 0);
  assert_in_range(one, 500000, 10000000);
  /* One part in a thousand, which is more than the guest's own calibration allows. */
  assert_true((one > two ? one - two : two - one) < one / 1000);
}

static void the_probe_decides_and_says_why(void **state)
{
  struct zl_accel accel = { .mips = UINT64_MAX };
  struct zl_error err = { 0 };
  char text[ZL_ACCEL_TEXT];

  (void)state;
  assert_int_equal(zl_accel_probe(&accel, &err), 0);
  assert_in_range(accel.tsc_khz, 500000, 10000000);
  if (accel.accel == ZL_VM_KVM) {
    assert_true(accel.mips >= ZL_ACCEL_MIN_MIPS);
    (void)snprintf(text, sizeof(text), "kvm: %llu MIPS", (unsigned long long)accel.mips);
    assert_string_equal(accel.kvm, text);
  } else {
    assert_non_null(strstr(accel.kvm, ", using tcg"));
    assert_true(accel.mips < UINT64_MAX);
  }
  print_message("%s\n", accel.kvm);
  /* No child is left. */
  assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
}

/* In a mount namespace of its own, where something else lies over the device. */
static void probe_over(const char *source, const char *text)
{
  struct zl_accel accel = { .accel = ZL_VM_KVM };
  struct zl_error err = { 0 };

  assert_int_equal(mount(source, "/dev/kvm", NULL, MS_BIND, NULL), 0);
  assert_int_equal(zl_accel_probe(&accel, &err), 0);
  assert_int_equal(accel.accel, ZL_VM_TCG);
  assert_int_equal(accel.mips, 0);
  assert_string_equal(accel.kvm, text);
  assert_int_equal(umount("/dev/kvm"), 0);
}

static void what_is_no_kvm_is_not_used(void **state)
{
  struct zl_accel accel = { .accel = ZL_VM_KVM };
  struct zl_error err = { 0 };

  (void)state;
  assert_int_equal(unshare(CLONE_NEWNS), 0);
  assert_int_equal(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
  if (access("/dev/kvm", F_OK) == 0)
    probe_over("/dev/null", "kvm: present but runs no guest, using tcg");
  assert_int_equal(mount("none", "/dev", "tmpfs", 0, NULL), 0);
  assert_int_equal(zl_accel_probe(&accel, &err), 0);
  assert_int_equal(accel.accel, ZL_VM_TCG);
  assert_string_equal(accel.kvm, "no /dev/kvm, using tcg");
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(the_tsc_is_measured_twice_alike),
    cmocka_unit_test(the_probe_decides_and_says_why),
    cmocka_unit_test(what_is_no_kvm_is_not_used),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
