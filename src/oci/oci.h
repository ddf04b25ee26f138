/* SPDX-License-Identifier: Apache-2.0
 *
 * The runc-compatible command line: what Podman, containerd, Docker and CRI-O call as their OCI
 * runtime. No daemon, no shim: a container is a process, a directory of state and a cgroup.
 */
#ifndef ZL_OCI_OCI_H
#define ZL_OCI_OCI_H

#include <stdbool.h>
#include <zlayer/error.h>

enum {
  OCI_VERSION_TEXT = 16
};
#define OCI_SPEC_VERSION "1.2.0"

/* What the options before the verb say. */
struct oci {
  const char *root;     /* directory of the state directories */
  const char *log;      /* file that errors are appended to; NULL: none */
  int log_fd;           /* of it; -1 */
  bool log_json, debug; /* --log-format json, --debug */
  int failed;           /* exit code of the verb's failures; 0: by their kind */
  bool systemd_cgroup;  /* --systemd-cgroup: cgroups of new containers are units of systemd */
};

/* Runs with the arguments after the verb, argv[0] being the verb. Returns the exit code of the
 * program, or negative with *err filled. */
typedef int (*oci_verb_fn)(const struct oci *oci, int argc, char **argv, struct zl_error *err);

int oci_checkpoint(const struct oci *oci, int argc, char **argv, struct zl_error *err);
int oci_create(const struct oci *oci, int argc, char **argv, struct zl_error *err);
int oci_delete(const struct oci *oci, int argc, char **argv, struct zl_error *err);
int oci_events(const struct oci *oci, int argc, char **argv, struct zl_error *err);
int oci_exec(const struct oci *oci, int argc, char **argv, struct zl_error *err);
int oci_features(const struct oci *oci, int argc, char **argv, struct zl_error *err);
int oci_kill(const struct oci *oci, int argc, char **argv, struct zl_error *err);
int oci_list(const struct oci *oci, int argc, char **argv, struct zl_error *err);
int oci_pause(const struct oci *oci, int argc, char **argv, struct zl_error *err);
int oci_ps(const struct oci *oci, int argc, char **argv, struct zl_error *err);
int oci_resume(const struct oci *oci, int argc, char **argv, struct zl_error *err);
int oci_run(const struct oci *oci, int argc, char **argv, struct zl_error *err);
int oci_spec(const struct oci *oci, int argc, char **argv, struct zl_error *err);
int oci_start(const struct oci *oci, int argc, char **argv, struct zl_error *err);
int oci_state(const struct oci *oci, int argc, char **argv, struct zl_error *err);
int oci_update(const struct oci *oci, int argc, char **argv, struct zl_error *err);

#endif
