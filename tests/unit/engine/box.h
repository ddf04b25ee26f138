/* SPDX-License-Identifier: Apache-2.0
 *
 * A container of a test: the host's /usr in a root of its own, a shell script as its program, what
 * that writes as the result. The document is put together from members that the case adds.
 */
#ifndef ZL_TEST_ENGINE_BOX_H
#define ZL_TEST_ENGINE_BOX_H

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/json.h"
#include "base/path.h"
#include "base/strv.h"
#include "engine/exec.h"

struct box {
  /* Set by the case; each may be NULL. Members begin with a comma. */
  const char *script; /* of /bin/sh in the container */
  const char *process, *top, *linux_part;
  const char *mounts, *namespaces; /* elements, each with a comma in front */
  const char *state;
  const char *keyring;
  /* Results. */
  struct zl_engine_config *config;
  struct zl_container container;
  int out; /* what the program writes */
  char text[16384];
  int status;            /* of waitpid */
  bool may_share_memory; /* of an exec */
};

static char box_dir[64];

static inline int box_setup(void **state)
{
  static const char *const links[][2] = {
    { "usr/bin", "bin" }, { "usr/sbin", "sbin" }, { "usr/lib", "lib" }, { "usr/lib64", "lib64" }
  };
  zl_autofree char *root = NULL;

  (void)state;
  (void)snprintf(box_dir, sizeof(box_dir), "/tmp/zlt-box-XXXXXX");
  if (mkdtemp(box_dir) == NULL || chmod(box_dir, 0755) < 0)
    return -1;
  root = zl_asprintf("%s/root", box_dir);
  if (mkdir(root, 0755) < 0)
    return -1;
  for (size_t i = 0; i < ZL_COUNT(links); i++) {
    zl_autofree char *path = zl_asprintf("%s/%s", root, links[i][1]);

    if (symlink(links[i][0], path) < 0)
      return -1;
  }
  return 0;
}

static inline int box_teardown(void **state)
{
  (void)state;
  return zl_path_remove_tree(AT_FDCWD, box_dir);
}

static inline char *box_document(const struct box *box)
{
#define BOX_PART(text) ((text) != NULL ? (text) : "")
  return zl_asprintf(
      "{\"process\":{\"args\":[\"/bin/sh\",\"-c\",\"%s\"],\"cwd\":\"/\",\"env\":[\"PATH=/bin:/"
      "sbin\"],"
      "\"capabilities\":{\"bounding\":[\"CAP_SYS_ADMIN\",\"CAP_CHOWN\",\"CAP_DAC_OVERRIDE\"],"
      "\"effective\":[\"CAP_SYS_ADMIN\",\"CAP_CHOWN\",\"CAP_DAC_OVERRIDE\"],"
      "\"permitted\":[\"CAP_SYS_ADMIN\",\"CAP_CHOWN\",\"CAP_DAC_OVERRIDE\"]}%s},"
      "\"root\":{\"path\":\"%s/root\"},\"hostname\":\"box\",\"mounts\":["
      "{\"destination\":\"/usr\",\"source\":\"/usr\",\"options\":[\"rbind\",\"ro\"]},"
      "{\"destination\":\"/proc\",\"type\":\"proc\",\"source\":\"proc\"},"
      "{\"destination\":\"/dev\",\"type\":\"tmpfs\",\"source\":\"tmpfs\"}%s],"
      "\"linux\":{\"namespaces\":[{\"type\":\"mount\"},{\"type\":\"pid\"},{\"type\":\"uts\"},"
      "{\"type\":\"ipc\"}%s]%s}%s}",
      BOX_PART(box->script), BOX_PART(box->process), box_dir, BOX_PART(box->mounts),
      BOX_PART(box->namespaces), BOX_PART(box->linux_part), BOX_PART(box->top));
}

/* Negative: it was not created, and *err says why. */
static inline int box_create(struct box *box, struct zl_error *err)
{
  zl_autofree char *text = box_document(box);
  struct zl_container_spec spec = { .dir_fd = -1,
                                    .gate_fd = -1,
                                    .stdio = { -1, -1, -1 },
                                    .cgroup_fd = -1,
                                    .netns_fd = -1,
                                    .state_json = box->state,
                                    .keyring = box->keyring };
  int ends[2], r = zl_engine_config_parse(text, strlen(text), &box->config, err);

  box->out = -1;
  box->container = (struct zl_container)ZL_CONTAINER_INIT;
  if (r == 0)
    r = zl_fd_pipe(ends, err);
  if (r < 0)
    return r;
  spec.config = box->config;
  spec.stdio[1] = spec.stdio[2] = ends[1];
  r = zl_container_create(&spec, &box->container, err);
  zl_fd_closep(&ends[1]);
  box->out = ends[0];
  return r;
}

/* Executes `script` in a started box; its output and status become those of the box. `process` is
 * more members of its process object. */
static inline int box_exec(struct box *box, const char *process, const char *script,
                           struct zl_error *err)
{
  zl_autofree char *text = zl_asprintf(
      "{\"args\":[\"/bin/sh\",\"-c\",\"%s\"],\"cwd\":\"/\",\"env\":[\"PATH=/bin:/sbin\"]%s}",
      script, BOX_PART(process));
  zl_autojson *doc = NULL;
  zl_autoprocess *p = NULL;
  struct zl_exec_spec spec = { .container = &box->container,
                               .config = box->config,
                               .stdio = { -1, -1, -1 },
                               .cgroup_fd = -1,
                               .state_json = box->state,
                               .keyring = box->keyring,
                               .may_share_memory = box->may_share_memory };
  struct zl_child child;
  int ends[2], master, r = zl_json_parse(text, strlen(text), "process", &doc, err);
  ssize_t n;

  if (r == 0)
    r = zl_engine_process_parse(doc, "process", &p, err);
  if (r == 0)
    r = zl_fd_pipe(ends, err);
  if (r < 0)
    return r;
  spec.process = p;
  spec.stdio[1] = spec.stdio[2] = ends[1];
  r = zl_exec_start(&spec, &child, &master, err);
  zl_fd_closep(&ends[1]);
  n = r == 0 ? zl_fd_read_full(ends[0], box->text, sizeof(box->text) - 1) : 0;
  zl_fd_closep(&ends[0]);
  box->text[n > 0 ? n : 0] = '\0';
  if (r == 0 && waitpid(child.pid, &box->status, 0) < 0)
    return zl_fail_errno(err, "waiting");
  if (r == 0)
    zl_fd_closep(&child.pidfd);
  return r;
}

/* Starts the program, reads what it writes and waits for its end. */
static inline int box_finish(struct box *box, struct zl_error *err)
{
  int r = zl_container_start(&box->container, err);
  ssize_t n;

  if (r < 0)
    return r;
  n = zl_fd_read_full(box->out, box->text, sizeof(box->text) - 1);
  box->text[n > 0 ? n : 0] = '\0';
  if (waitpid(box->container.init.pid, &box->status, 0) < 0)
    return zl_fail_errno(err, "waiting");
  zl_fd_closep(&box->container.init.pidfd);
  return 0;
}

static inline int box_run(struct box *box, struct zl_error *err)
{
  int r = box_create(box, err);

  return r == 0 ? box_finish(box, err) : r;
}

static inline void box_done(struct box *box)
{
  zl_container_done(&box->container);
  zl_engine_config_free(box->config);
  zl_fd_closep(&box->out);
}
#define autobox ZL_CLEANUP(box_done) struct box

/* The program has succeeded and written `want`. */
#define assert_box(box, want)                                                          \
  do {                                                                                 \
    struct zl_error err_ = { 0 };                                                      \
    if (box_run((box), &err_) < 0)                                                     \
      fail_msg("%s", err_.msg);                                                        \
    if ((box)->status != 0 || strcmp((box)->text, (want)) != 0)                        \
      fail_msg("status %#x: '%s', expected '%s'", (box)->status, (box)->text, (want)); \
  } while (0)

/* It was not made, with this code and a message that contains `part`. */
#define assert_no_box(box, code, part)                           \
  do {                                                           \
    struct zl_error err_ = { 0 };                                \
    int r_ = box_run((box), &err_);                              \
    if (r_ != -(code) || strstr(err_.msg, (part)) == NULL)       \
      fail_msg("%d: '%s', expected '%s'", r_, err_.msg, (part)); \
  } while (0)

#endif
