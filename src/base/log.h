/* SPDX-License-Identifier: Apache-2.0
 *
 * Diagnostics for programs. Library code returns errors and does not log them; it may log what it
 * decided (debug) or what the operator should know although the call succeeds (warning).
 */
#ifndef ZL_BASE_LOG_H
#define ZL_BASE_LOG_H

#include <zlayer/error.h>

enum zl_log_level {
  ZL_LOG_ERROR,
  ZL_LOG_WARNING,
  ZL_LOG_INFO,
  ZL_LOG_DEBUG
};

/* Process-wide; default ZL_LOG_WARNING, or $ZLAYER_LOG = error|warning|info|debug. */
void zl_log_set_level(enum zl_log_level level);
/* One line "zlayer: <level>: ..." on standard error. errno is kept. */
void zl_log(enum zl_log_level level, const char *fmt, ...) ZL_PRINTF(2, 3);

/* Where lines go instead of standard error, for programs that have a log; NULL: back there. To be
 * called before there are threads. */
typedef void (*zl_log_sink)(void *ctx, enum zl_log_level level, const char *line);
void zl_log_set_sink(zl_log_sink sink, void *ctx);
/* "error", "warning", "info", "debug". */
const char *zl_log_level_name(enum zl_log_level level);

#define zl_debug(...)   zl_log(ZL_LOG_DEBUG, __VA_ARGS__)
#define zl_warning(...) zl_log(ZL_LOG_WARNING, __VA_ARGS__)

#endif
