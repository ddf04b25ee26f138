/* SPDX-License-Identifier: Apache-2.0
 *
 * Numbers and times as people read them.
 */
#ifndef ZL_CLI_HUMAN_H
#define ZL_CLI_HUMAN_H

#include <stddef.h>
#include <stdint.h>
#include <zlayer/error.h>
#include <zlayer/runtime.h>

enum {
  ZL_HUMAN_TEXT = 48
};

/* "0 B", "999 B", "1.5 KiB", "23 MiB": three digits at most. Returns `text`. */
const char *zl_human_size(uint64_t bytes, char text[ZL_HUMAN_TEXT]);
/* "5 seconds", "About a minute" is not said: "1 minute", "3 hours", "2 days". */
const char *zl_human_duration(uint64_t ns, char text[ZL_HUMAN_TEXT]);
/* "3 minutes ago"; "never" for 0; "now" for less than a second or a time to come. */
const char *zl_human_ago(uint64_t wall_ns, uint64_t now_wall_ns, char text[ZL_HUMAN_TEXT]);

/* "sha256:0123456789ab…" cut to 12 digits; other texts are copied (and cut). */
const char *zl_human_digest(const char *digest, char text[ZL_HUMAN_TEXT]);

enum {
  ZL_STATUS_TEXT = 320
};

/* "running 3 minutes", "running 3 minutes (paused)", "exited (0) 5 seconds ago", "exited (137, out
 * of memory) …", "failed: <reason>", "created". */
const char *zl_human_status(const struct zl_container_info *info, uint64_t now_wall_ns,
                            char text[ZL_STATUS_TEXT]);

/* A moment on the command line: RFC 3339, seconds since 1970 ("1700000000", "1700000000.5"), or a
 * time back from now ("90s", "15m", "1h30m", "2d"). ZL_E_INVALID. */
int zl_human_parse_time(const char *text, uint64_t now_wall_ns, uint64_t *ret_wall_ns,
                        struct zl_error *err);

#endif
