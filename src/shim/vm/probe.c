/* SPDX-License-Identifier: Apache-2.0 */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "shim/vm/modes.h"
#include "vmm/accel.h"

int mode_probe(void)
{
  struct zl_accel accel = { 0 };
  struct zl_error err = { 0 };
  zl_autojson *json = NULL;
  zl_autofree char *text = NULL;

  if (zl_accel_probe(&accel, &err) < 0) {
    (void)fprintf(stderr, "zlayer-shim-vm: %s\n", err.msg);
    return EXIT_FAILURE;
  }
  json = json_pack("{s:s, s:s, s:I, s:I}", "accel", accel.accel == ZL_VM_KVM ? "kvm" : "tcg", "kvm",
                   accel.kvm, "mips", (json_int_t)accel.mips, "tsc_khz", (json_int_t)accel.tsc_khz);
  if (json == NULL || zl_json_render(json, &text, &err) < 0 || puts(text) < 0 ||
      fflush(stdout) != 0)
    return EXIT_FAILURE;
  return EXIT_SUCCESS;
}
