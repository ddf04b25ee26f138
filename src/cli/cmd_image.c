/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/verbs.h"

const struct zl_verb zl_verb_image = {
  .name = "image",
  .group = "Images",
  .summary = "Work with stored images: save, load, tag, inspect, history",
  .usage = "VERB [OPTIONS]",
  .sub =
      (const struct zl_verb *const[]){ &zl_verb_image_save, &zl_verb_image_load, &zl_verb_image_tag,
                                       &zl_verb_image_inspect, &zl_verb_image_history, NULL },
  .min_operands = 1,
  .max_operands = ZL_ANY_OPERANDS,
};
