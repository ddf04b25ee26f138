/* SPDX-License-Identifier: Apache-2.0
 *
 * One verb per file cmd_<verb>.c; those of `zlayer image` in cmd_image_<verb>.c.
 */
#ifndef ZL_CLI_VERBS_H
#define ZL_CLI_VERBS_H

#include "cli/verb.h"

extern const struct zl_verb zl_verb_completion;
extern const struct zl_verb zl_verb_down;
extern const struct zl_verb zl_verb_events;
extern const struct zl_verb zl_verb_exec;
extern const struct zl_verb zl_verb_help;
extern const struct zl_verb zl_verb_image;
extern const struct zl_verb zl_verb_image_history;
extern const struct zl_verb zl_verb_image_inspect;
extern const struct zl_verb zl_verb_image_load;
extern const struct zl_verb zl_verb_image_save;
extern const struct zl_verb zl_verb_image_tag;
extern const struct zl_verb zl_verb_images;
extern const struct zl_verb zl_verb_info;
extern const struct zl_verb zl_verb_inspect;
extern const struct zl_verb zl_verb_kill;
extern const struct zl_verb zl_verb_logs;
extern const struct zl_verb zl_verb_oci;
extern const struct zl_verb zl_verb_pause;
extern const struct zl_verb zl_verb_ps;
extern const struct zl_verb zl_verb_pull;
extern const struct zl_verb zl_verb_push;
extern const struct zl_verb zl_verb_rm;
extern const struct zl_verb zl_verb_rmi;
extern const struct zl_verb zl_verb_run;
extern const struct zl_verb zl_verb_stats;
extern const struct zl_verb zl_verb_stop;
extern const struct zl_verb zl_verb_system;
extern const struct zl_verb zl_verb_unpause;
extern const struct zl_verb zl_verb_up;
extern const struct zl_verb zl_verb_validate;
extern const struct zl_verb zl_verb_version;
extern const struct zl_verb zl_verb_vm;
extern const struct zl_verb zl_verb_wait;

#endif
