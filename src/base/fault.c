/* SPDX-License-Identifier: Apache-2.0 */
#include "base/fault.h"

#ifdef ZL_FAULTS

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/proc.h"

enum {
  MAX_SITES = 32
};

static struct {
  char site[64];
  unsigned long hits;
} seen[MAX_SITES];
static pthread_mutex_t seen_lock = PTHREAD_MUTEX_INITIALIZER;

static unsigned long count_hit(const char *site)
{
  unsigned long hits = 1;

  (void)pthread_mutex_lock(&seen_lock);
  for (size_t i = 0; i < MAX_SITES; i++) {
    if (seen[i].site[0] == '\0')
      (void)snprintf(seen[i].site, sizeof(seen[i].site), "%s", site);
    if (strcmp(seen[i].site, site) == 0) {
      hits = ++seen[i].hits;
      break;
    }
  }
  (void)pthread_mutex_unlock(&seen_lock);
  return hits;
}

static int errno_named(const char *text)
{
  static const struct {
    const char *name;
    int value;
  } names[] = { { "ENOSPC", ENOSPC }, { "ENOMEM", ENOMEM }, { "EIO", EIO },
                { "EPERM", EPERM },   { "EMFILE", EMFILE }, { "EINTR", EINTR } };

  for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
    if (strncmp(text, names[i].name, strlen(names[i].name)) == 0)
      return names[i].value;
  return EIO;
}

static int act(const char *action)
{
  if (strncmp(action, "crash", 5) == 0)
    zl_proc_die();
  return strncmp(action, "error(", 6) == 0 ? errno_named(action + 6) : 0;
}

/* Walks "2*off->1*error(EIO)->crash" to the term that covers the n-th hit. */
static int evaluate(const char *terms, unsigned long hit)
{
  for (;;) {
    const char *star = strpbrk(terms, "*;-(");
    unsigned long count = star != NULL && *star == '*' ? strtoul(terms, NULL, 10) : 0;
    const char *action = count > 0 ? star + 1 : terms;
    const char *next = strstr(action, "->");
    const char *end = strchr(action, ';');

    if (next == NULL || (end != NULL && end < next))
      return count == 0 || hit <= count ? act(action) : 0;
    if (count == 0 || hit <= count)
      return act(action);
    hit -= count;
    terms = next + 2;
  }
}

int zl_fault_hit(const char *site)
{
  const char *p = getenv("ZLAYER_FAULTS");
  size_t len = strlen(site);

  while (p != NULL && *p != '\0') {
    if (strncmp(p, site, len) == 0 && p[len] == '=')
      return evaluate(p + len + 1, count_hit(site));
    p = strchr(p, ';');
    p = p != NULL ? p + 1 : NULL;
  }
  return 0;
}

#endif
