/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"
#include "base/compiler.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const names[] = { "error", "warning", "info", "debug" };
static atomic_int current = -1;
/* Set before there are threads. */
static zl_log_sink current_sink;
static void *sink_ctx;

void zl_log_set_level(enum zl_log_level level)
{
  atomic_store(&current, (int)level);
}

void zl_log_set_sink(zl_log_sink sink, void *ctx)
{
  current_sink = sink;
  sink_ctx = ctx;
}

const char *zl_log_level_name(enum zl_log_level level)
{
  return names[level];
}

static int level_now(void)
{
  int level = atomic_load(&current);
  const char *wanted;

  if (level >= 0)
    return level;
  level = ZL_LOG_WARNING;
  wanted = getenv("ZLAYER_LOG");
  for (int i = 0; wanted != NULL && i <= ZL_LOG_DEBUG; i++)
    if (strcmp(wanted, names[i]) == 0)
      level = i;
  atomic_store(&current, level);
  return level;
}

void zl_log(enum zl_log_level level, const char *fmt, ...)
{
  int saved = errno;
  ZL_UNCLEARED char line[1024];
  va_list ap;

  if ((int)level > level_now())
    return;
  va_start(ap, fmt);
  (void)vsnprintf(line, sizeof(line), fmt, ap);
  va_end(ap);
  if (current_sink != NULL)
    current_sink(sink_ctx, level, line);
  else
    (void)fprintf(stderr, "zlayer: %s: %s\n", names[level], line);
  errno = saved;
}
