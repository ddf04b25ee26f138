/* SPDX-License-Identifier: Apache-2.0
 *
 * The client's side of a shim whose terminals are not on this host (docs/shim.md).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/path.h"
#include "base/strv.h"
#include "runtime/shim/shimclient.h"

enum {
  MESSAGE = 4096
};

/* A shim that answers one attach or exec, and keeps what comes after it. */
struct shim {
  char root[64];
  struct zl_runtime *rt;
  struct zl_backend *backend;
  int listener, terminal[2];
  bool resize; /* says so in its reply */
  char request[MESSAGE], after[MESSAGE];
  pthread_t thread;
};

static void take(int fd, char text[MESSAGE])
{
  int fds[4];
  size_t n_fds = 4;
  ssize_t n = zl_fd_recv(fd, text, MESSAGE - 1, fds, &n_fds);

  text[n > 0 ? n : 0] = '\0';
  for (size_t i = 0; i < n_fds; i++)
    (void)close(fds[i]);
}

static void *serve(void *arg)
{
  struct shim *shim = arg;
  zl_autofd fd = accept4(shim->listener, NULL, NULL, SOCK_CLOEXEC);
  const char *reply = shim->resize ? "{\"ok\":true,\"tty\":true,\"stdin\":true,\"resize\":true}"
                                   : "{\"ok\":true,\"tty\":true,\"stdin\":false}";

  take(fd, shim->request);
  (void)zl_fd_send(fd, reply, strlen(reply), &shim->terminal[1], shim->resize ? 1 : 0);
  take(fd, shim->after);
  return NULL;
}

static int setup(void **state)
{
  struct shim *shim = calloc(1, sizeof(*shim));
  struct sockaddr_un addr = { .sun_family = AF_UNIX };

  assert_non_null(shim);
  (void)snprintf(shim->root, sizeof(shim->root), "/tmp/zlayer-test-shim-XXXXXX");
  assert_non_null(mkdtemp(shim->root));
  assert_int_equal(
      zl_runtime_open(&(struct zl_runtime_options){ .root = shim->root }, &shim->rt, NULL), 0);
  assert_int_equal(zl_backend_get(shim->rt, "vm", &shim->backend, NULL), 0);
  assert_int_equal(mkdirat(shim->rt->containers_fd, "web-rep-1", 0700), 0);
  shim->listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
  (void)snprintf(addr.sun_path, sizeof(addr.sun_path), "%s/containers/web-rep-1/control",
                 shim->root);
  assert_int_equal(bind(shim->listener, (struct sockaddr *)&addr, sizeof(addr)), 0);
  assert_int_equal(listen(shim->listener, 1), 0);
  assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, shim->terminal), 0);
  *state = shim;
  return 0;
}

static int teardown(void **state)
{
  struct shim *shim = *state;

  zl_runtime_close(shim->rt);
  (void)close(shim->listener);
  (void)close(shim->terminal[0]);
  (void)close(shim->terminal[1]);
  assert_int_equal(zl_path_remove_tree(AT_FDCWD, shim->root), 0);
  free(shim);
  return 0;
}

static struct zl_session *attach(struct shim *shim)
{
  struct zl_session *session = NULL;

  assert_int_equal(pthread_create(&shim->thread, NULL, serve, shim), 0);
  assert_int_equal(zl_backend_attach(shim->backend, "web-rep-1", &session, NULL), 0);
  return session;
}

static void a_size_is_sent_where_the_shim_says_so(void **state)
{
  struct shim *shim = *state;
  struct zl_session *session;

  shim->resize = true;
  session = attach(shim);
  assert_int_equal(zl_session_resize(session, 30, 100, NULL), 0);
  assert_int_equal(pthread_join(shim->thread, NULL), 0);
  zl_session_close(session);
  assert_string_equal(shim->request, "{\"op\":\"attach\"}");
  assert_string_equal(shim->after, "{\"op\":\"resize\",\"rows\":30,\"cols\":100}");
}

/* A terminal that does not know its size is no reason to end the session. */
static void no_size_is_not_sent(void **state)
{
  struct shim *shim = *state;
  struct zl_session *session;

  shim->resize = true;
  session = attach(shim);
  assert_int_equal(zl_session_resize(session, 0, 0, NULL), 0);
  zl_session_close(session);
  assert_int_equal(pthread_join(shim->thread, NULL), 0);
  assert_string_equal(shim->after, "");
}

static void without_the_terminal_there_is_no_size(void **state)
{
  struct shim *shim = *state;
  struct zl_session *session = attach(shim);

  assert_int_equal(zl_session_resize(session, 30, 100, NULL), -ZL_E_CONFLICT);
  zl_session_close(session);
  assert_int_equal(pthread_join(shim->thread, NULL), 0);
  assert_string_equal(shim->after, "");
}

static void a_shim_that_dies_too_early_is_named(void **state)
{
  struct shim *shim = *state;
  zl_autofd dir = zl_fd_open(shim->rt->containers_fd, "web-rep-1", O_RDONLY | O_DIRECTORY, 0);
  struct zl_container_plan plan = { .dir_fd = dir };
  struct zl_error err = { 0 };
  int ends[2];

  assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
  plan.prepared_fd = ends[0];
  (void)close(ends[1]);
  assert_int_equal(zl_shimclient_launch(&plan, &err), -ZL_E_INTERNAL);
  assert_string_equal(err.msg, "the shim ended before it built the container");
  (void)close(ends[0]);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
  const struct CMUnitTest cases[] = {
    CASE(a_size_is_sent_where_the_shim_says_so),
    CASE(no_size_is_not_sent),
    CASE(without_the_terminal_there_is_no_size),
    CASE(a_shim_that_dies_too_early_is_named),
  };

  return cmocka_run_group_tests(cases, NULL, NULL);
}
