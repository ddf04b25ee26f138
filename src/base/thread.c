/* SPDX-License-Identifier: Apache-2.0 */
#include "base/thread.h"

int zl_thread_start(pthread_t *ret, size_t stack, void *(*run)(void *), void *arg)
{
  pthread_attr_t attr;
  int os_error;

  (void)pthread_attr_init(&attr);
  (void)pthread_attr_setstacksize(&attr, stack);
  os_error = pthread_create(ret, &attr, run, arg);
  (void)pthread_attr_destroy(&attr);
  return os_error;
}

int zl_thread_release(void *(*run)(void *), void *arg)
{
  pthread_attr_t attr;
  pthread_t thread;
  int os_error;

  (void)pthread_attr_init(&attr);
  (void)pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
  os_error = pthread_create(&thread, &attr, run, arg);
  (void)pthread_attr_destroy(&attr);
  return os_error;
}
