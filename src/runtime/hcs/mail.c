/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/hcs/mail.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "base/limits.h"
#include "base/time.h"

/* One lock for all boxes: what is done under it is short, and a callback has to find its box. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct zl_hcs_mail *boxes;
static uint64_t last_number;

void zl_hcs_mail_open(struct zl_hcs_mail *mail)
{
  *mail = (struct zl_hcs_mail){ .number = 0 };
  (void)pthread_cond_init(&mail->arrived, NULL);
  (void)pthread_mutex_lock(&lock);
  mail->number = ++last_number;
  mail->next = boxes;
  boxes = mail;
  (void)pthread_mutex_unlock(&lock);
}

void zl_hcs_mail_close(struct zl_hcs_mail *mail)
{
  if (mail->number == 0)
    return;
  (void)pthread_mutex_lock(&lock);
  for (struct zl_hcs_mail **p = &boxes; *p != NULL; p = &(*p)->next)
    if (*p == mail) {
      *p = mail->next;
      break;
    }
  (void)pthread_mutex_unlock(&lock);
  (void)pthread_cond_destroy(&mail->arrived);
  free(mail->exit);
  free(mail->crash);
  *mail = (struct zl_hcs_mail){ .number = 0 };
}

void *zl_hcs_mail_context(const struct zl_hcs_mail *mail)
{
  return (void *)(uintptr_t)mail->number;
}

static void deliver(struct zl_hcs_mail *mail, unsigned what, char **document)
{
  mail->have |= what;
  if (document != NULL && what == ZL_HCS_MAIL_EXITED && mail->exit == NULL)
    mail->exit = zl_steal_ptr(document);
  if (document != NULL && what == ZL_HCS_MAIL_CRASHED && mail->crash == NULL)
    mail->crash = zl_steal_ptr(document);
  (void)pthread_cond_broadcast(&mail->arrived);
}

/* A process whose system ended has ended, too, whether its own event comes or not. */
static void tell_processes(const struct zl_hcs_mail *system, unsigned what)
{
  if ((what & (ZL_HCS_MAIL_EXITED | ZL_HCS_MAIL_DISCONNECTED)) == 0)
    return;
  for (struct zl_hcs_mail *mail = boxes; mail != NULL; mail = mail->next)
    if (mail->of == system)
      deliver(mail, ZL_HCS_MAIL_SYSTEM_GONE, NULL);
}

static unsigned kind_of(uint32_t type)
{
  switch (type) {
  case ZL_HCS_EVENT_SYSTEM_EXITED:
  case ZL_HCS_EVENT_PROCESS_EXITED:
    return ZL_HCS_MAIL_EXITED;
  case ZL_HCS_EVENT_SYSTEM_CRASH_INITIATED:
  case ZL_HCS_EVENT_SYSTEM_CRASH_REPORT:
    return ZL_HCS_MAIL_CRASHED;
  case ZL_HCS_EVENT_SERVICE_DISCONNECT:
    return ZL_HCS_MAIL_DISCONNECTED;
  default:
    return 0;
  }
}

void zl_hcs_mail_event(struct zl_hcs_event *event, void *context)
{
  uint64_t number = (uintptr_t)context;
  unsigned what = kind_of(event->type);
  zl_autofree char *document = NULL;

  if (what == 0)
    return;
  if (event->data != NULL) /* one that is too long is no loss: that it came is what counts */
    (void)zl_wide_text(event->data, ZL_MAX_HCS_DOCUMENT, &document, NULL);
  (void)pthread_mutex_lock(&lock);
  for (struct zl_hcs_mail *mail = boxes; mail != NULL; mail = mail->next)
    if (mail->number == number) {
      deliver(mail, what, &document);
      tell_processes(mail, what);
    }
  (void)pthread_mutex_unlock(&lock);
}

void zl_hcs_mail_post(struct zl_hcs_mail *mail, unsigned what)
{
  (void)pthread_mutex_lock(&lock);
  deliver(mail, what, NULL);
  (void)pthread_mutex_unlock(&lock);
}

void zl_hcs_mail_take(struct zl_hcs_mail *mail, unsigned what)
{
  (void)pthread_mutex_lock(&lock);
  mail->have &= ~what;
  (void)pthread_mutex_unlock(&lock);
}

/* The clock of conditions may be set while one waits: so never longer than a second at a time, and
 * the deadline is that of the other clock. */
static void wait_a_while(struct zl_hcs_mail *mail, uint64_t left_ns)
{
  uint64_t at = zl_time_wall() + (left_ns < ZL_NS_PER_S ? left_ns : ZL_NS_PER_S);
  struct timespec until = { .tv_sec = (time_t)(at / ZL_NS_PER_S),
                            .tv_nsec = (long)(at % ZL_NS_PER_S) };

  (void)pthread_cond_timedwait(&mail->arrived, &lock, &until);
}

unsigned zl_hcs_mail_wait(struct zl_hcs_mail *mail, unsigned any, uint64_t deadline_ns)
{
  unsigned have;

  (void)pthread_mutex_lock(&lock);
  while ((mail->have & any) == 0) {
    uint64_t now = zl_time_boot();

    if (now >= deadline_ns)
      break;
    wait_a_while(mail, deadline_ns - now);
  }
  have = mail->have & any;
  (void)pthread_mutex_unlock(&lock);
  return have;
}

static char *copy_of(char *const *document)
{
  char *copy;

  (void)pthread_mutex_lock(&lock);
  copy = *document != NULL ? strdup(*document) : NULL;
  (void)pthread_mutex_unlock(&lock);
  return copy;
}

char *zl_hcs_mail_exit(struct zl_hcs_mail *mail)
{
  return copy_of(&mail->exit);
}

char *zl_hcs_mail_crash(struct zl_hcs_mail *mail)
{
  return copy_of(&mail->crash);
}
