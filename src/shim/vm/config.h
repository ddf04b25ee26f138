/* SPDX-License-Identifier: Apache-2.0
 *
 * What the library says of a machine and its container: machine.json (docs/microvm.md) and the
 * guest's bundle, config.json.
 */
#ifndef ZL_SHIM_VM_CONFIG_H
#define ZL_SHIM_VM_CONFIG_H

#include <jansson.h>
#include <netinet/in.h>

#include "base/cleanup.h"
#include "shim/shim.h"
#include "vmm/command.h"

/* Strings are borrowed from `json`. */
struct machine_config {
  json_t *json;
  const char *qemu, *kernel, *initrd;
  const char *template; /* directory; NULL: none fits */
  const char *image; /* EROFS file; NULL: none, or not known yet (a template, a pooled machine) */
  /* Of a template with an image, most likely: the program and where it is run, or NULL. */
  const char *program, *cwd;
  const char *scratch; /* prepared disk; NULL: none */
  bool acpi, keep_on_failure;
  bool unrecorded; /* as in struct settings */
  enum zl_vm_accel accel;
  uint64_t tsc_khz;
  unsigned memory_mib, vcpus;
  struct {
    const char *source;
    bool read_only;
  } binds[ZL_VM_MAX_BINDS];
  size_t n_binds;
};

/* Reads (dir_fd, "machine.json"). ZL_E_INVALID names the member. */
int machine_config_load(int dir_fd, struct machine_config *ret, struct zl_error *err);
void machine_config_done(struct machine_config *config);

/* The container's own part. Strings are borrowed from `json` and `network`. */
struct bundle_config {
  json_t *json;    /* the whole bundle, as the guest is to have it */
  json_t *network; /* what the guest is not told: the node's side of its link */
  bool open_stdin;
  const char *hostname;          /* NULL: not said */
  bool bridged;                  /* on the node's bridge */
  bool pod;                      /* in the place of a link of the caller's network namespace */
  const char *bridge, *link;     /* `link`: the tap's name, or that link's */
  const char *address, *gateway; /* as text: the guest is told so; no gateway: NULL */
  const char *mac;               /* of that link; NULL: by the address */
  struct in_addr ip;
  unsigned prefix, mtu;
};

/* Reads (dir_fd, "config.json") and fills *settings too. */
int bundle_config_load(int dir_fd, struct bundle_config *ret, struct settings *settings,
                       struct zl_error *err);
void bundle_config_done(struct bundle_config *config);

#endif
