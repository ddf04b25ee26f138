/* SPDX-License-Identifier: Apache-2.0
 *
 * The commands that a fake container understands: true, false, echo TEXT…, sleep SECONDS, exit N,
 * hostname, cat, oom (is killed for its memory), trap (ignores SIGTERM), and sh -c 'A; B; …' of
 * them, where ">&2" at the end of an echo sends it to standard error.
 */
#ifndef ZL_RUNTIME_FAKE_SCRIPT_H
#define ZL_RUNTIME_FAKE_SCRIPT_H

#include <stdbool.h>
#include <stdint.h>
#include <zlayer/error.h>

#include "base/buf.h"

struct zl_script {
  struct zl_buf out, err;
  uint64_t duration_ns;
  int exit_code;
  bool oom, ignores_term, copies_input;
};

/* ZL_E_NO_COMMAND: a command that it does not know. Release with zl_script_done. */
int zl_script_parse(const char *const *argv, const char *hostname, struct zl_script *ret,
                    struct zl_error *err);
void zl_script_done(struct zl_script *script);
#define zl_autoscript ZL_CLEANUP(zl_script_done) struct zl_script

#endif
