/* SPDX-License-Identifier: Apache-2.0
 *
 * The credential helper protocol: `docker-credential-NAME get`, the server's name on standard
 * input, a JSON object on standard output.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/path.h"
#include "base/proc.h"
#include "base/strv.h"
#include "base/time.h"
#include "image/credentials.h"

enum {
  MAX_HELPER_NAME = 64,
  HELPER_TIMEOUT_MS = 30000 /* keyrings may ask a person */
};

static char *find_program(const char *name)
{
  const char *path = getenv("PATH");

  if (path == NULL)
    path = "/usr/local/bin:/usr/bin:/bin";
  while (*path != '\0') {
    size_t len = strcspn(path, ":");

    if (len > 0 && *path == '/') {
      zl_autofree char *file = zl_asprintf("%.*s/%s", (int)len, path, name);

      if (file != NULL && access(file, X_OK) == 0)
        return zl_steal_ptr(&file);
    }
    path += len + (path[len] == ':' ? 1 : 0);
  }
  return NULL;
}

static void kill_proc(struct zl_proc *proc)
{
  zl_proc_kill(proc);
}

/* Reads until end of file or the deadline. */
static int read_output(int fd, struct zl_buf *buf, struct zl_error *err)
{
  uint64_t deadline = zl_time_boot() + HELPER_TIMEOUT_MS * ZL_NS_PER_MS;

  for (;;) {
    struct pollfd p = { .fd = fd, .events = POLLIN };
    uint64_t now = zl_time_boot();
    ssize_t n;

    if (now >= deadline)
      return zl_fail(err, ZL_E_TIMEOUT, 0, "no answer within %d s", HELPER_TIMEOUT_MS / 1000);
    if (poll(&p, 1, (int)((deadline - now) / ZL_NS_PER_MS) + 1) <= 0)
      continue;
    if (zl_buf_reserve(buf, 4096, err) < 0)
      return -ZL_E_LIMIT;
    n = read(fd, buf->data + buf->len, 4096);
    if (n < 0 && errno != EINTR)
      return zl_fail_errno(err, "reading its answer");
    if (n == 0)
      return 0;
    if (n > 0) {
      buf->len += (size_t)n;
      buf->data[buf->len] = '\0';
    }
  }
}

/* A helper may close its output and hang. */
static int wait_end(const struct zl_proc *proc, struct zl_error *err)
{
  struct pollfd p = { .fd = proc->pidfd, .events = POLLIN };
  int n;

  do
    n = poll(&p, 1, HELPER_TIMEOUT_MS);
  while (n < 0 && errno == EINTR);
  return n > 0 ? 0 : zl_fail(err, ZL_E_TIMEOUT, 0, "it does not end after its answer");
}

static int run_helper(const char *path, const char *server, struct zl_buf *out, int *ret_status,
                      struct zl_error *err)
{
  ZL_CLEANUP(kill_proc) struct zl_proc proc = { .pidfd = -1 };
  zl_autofd in_read = -1, in_write = -1, out_read = -1, out_write = -1;
  const char *const argv[] = { path, "get", NULL };
  int ends[2], r;

  r = zl_fd_pipe(ends, err);
  if (r < 0)
    return r;
  in_read = ends[0];
  in_write = ends[1];
  r = zl_fd_pipe(ends, err);
  if (r < 0)
    return r;
  out_read = ends[0];
  out_write = ends[1];
  /* A server name fits the pipe, so this cannot block, and it is there before the child is. */
  r = zl_fd_write_full(in_write, server, strlen(server));
  if (r < 0)
    return zl_fail(err, ZL_E_SYSTEM, -r, "writing to a pipe");
  zl_fd_closep(&in_write);
  {
    const struct zl_proc_fd fds[] = { { in_read, STDIN_FILENO }, { out_write, STDOUT_FILENO } };
    const struct zl_proc_options opt = { .path = path,
                                         .exec_fd = -1,
                                         .argv = argv,
                                         .envp = (const char *const *)environ,
                                         .fds = fds,
                                         .n_fds = ZL_COUNT(fds) };

    r = zl_proc_spawn(&opt, &proc, err);
  }
  zl_fd_closep(&out_write);
  if (r == 0)
    r = read_output(out_read, out, err);
  if (r == 0)
    r = wait_end(&proc, err);
  return r < 0 ? r : zl_proc_wait(&proc, ret_status, err);
}

static int parse_answer(const struct zl_buf *out, struct zl_credentials *ret, struct zl_error *err)
{
  zl_autocredentials found = { 0 };
  zl_autojson *json = NULL;
  const char *user = NULL, *secret = NULL;

  if (zl_json_parse(out->data != NULL ? out->data : "", out->len, "its answer", &json, err) < 0 ||
      zl_json_get_string(json, "", "Username", &user, err) < 0 ||
      zl_json_get_string(json, "", "Secret", &secret, err) < 0)
    return -ZL_E_INVALID;
  if (secret == NULL || *secret == '\0')
    return 0;
  if (user != NULL && strcmp(user, "<token>") == 0) {
    found.identity_token = strdup(secret);
    if (found.identity_token == NULL)
      return zl_fail_nomem(err, "credentials");
  } else {
    found.username = strdup(user != NULL ? user : "");
    found.password = strdup(secret);
    if (found.username == NULL || found.password == NULL)
      return zl_fail_nomem(err, "credentials");
  }
  *ret = found;
  found = (struct zl_credentials){ 0 };
  return 1;
}

int zl_credential_helper_get(const char *name, const char *server, struct zl_credentials *ret,
                             struct zl_error *err)
{
  zl_autofree char *program = zl_asprintf("docker-credential-%s", name);
  zl_autofree char *path = NULL;
  zl_autobuf out = ZL_BUF_INIT((size_t)ZL_MAX_CREDENTIALS);
  int status = 0, r;

  if (program == NULL)
    return zl_fail_nomem(err, "credentials");
  if (!zl_path_is_name(name, MAX_HELPER_NAME))
    return zl_fail(err, ZL_E_INVALID, 0, "'%.64s' is not the name of a credential helper", name);
  path = find_program(program);
  if (path == NULL)
    return zl_fail(err, ZL_E_NO_COMMAND, 0, "the credential helper '%s' is not in $PATH", program);
  r = run_helper(path, server, &out, &status, err);
  if (r == 0 && status != 0) {
    if (out.data != NULL && strstr(out.data, "credentials not found") != NULL)
      return 0;
    r = zl_fail(err, ZL_E_AUTH, 0, "it failed: %.200s", out.data != NULL ? out.data : "");
  }
  if (r == 0)
    r = parse_answer(&out, ret, err);
  if (out.data != NULL)
    explicit_bzero(out.data, out.len);
  return r < 0 ? zl_wrap(err, "credential helper '%s'", program) : r;
}
