/* SPDX-License-Identifier: Apache-2.0
 *
 * Which machine a service gets: shape, kernel, disks, template; and machine.json of it
 * (docs/microvm.md).
 */
#ifndef ZL_RUNTIME_VM_MACHINE_H
#define ZL_RUNTIME_VM_MACHINE_H

#include "runtime/shim/shimclient.h"
#include "runtime/vm/guest.h"
#include "runtime/vm/scratch.h"
#include "runtime/vm/shape.h"
#include "vmm/template.h"

struct zl_vm_machine_plan {
  struct zl_vm_settings settings;
  struct zl_vm_guest guest;
  struct zl_accel accel;
  char *qemu;    /* path */
  char *scratch; /* path of the prepared disk */
  unsigned memory_mib, vcpus;
  char key[ZL_VM_KEY_TEXT];       /* of the template that fits any image */
  char *image;                    /* path of its image's disk; NULL: not known */
  char image_key[ZL_VM_KEY_TEXT]; /* of the template that has this image; "": none can */
  bool may_clone;                 /* templates are in use, and it shares no directory */
  bool keep_on_failure;           /* scratch disk and console stay when the machine fails */
};

void zl_vm_machine_done(struct zl_vm_machine_plan *machine);
#define zl_automachine ZL_CLEANUP(zl_vm_machine_done) struct zl_vm_machine_plan

/* Memory and processors of a service (NULL: the node's default). */
unsigned zl_vm_memory_of(const struct zl_vm_settings *settings, const struct zl_service *service);
unsigned zl_vm_cpus_of(const struct zl_vm_settings *settings, const struct zl_service *service);
/* How many directories of the host it shares. */
size_t zl_vm_count_binds(const struct zl_service *service);

/* Settings, kernel, QEMU and $ZLAYER_KEEP_VM_ON_FAILURE, without any effect. */
int zl_vm_machine_look(struct zl_runtime *rt, struct zl_vm_machine_plan *ret, struct zl_error *err);
/* All of it; makes the scratch disk and asks for the accelerator when nobody has yet. `service`
 * NULL: the default shape. */
int zl_vm_machine_plan(struct zl_shimclient *client, const struct zl_service *service,
                       struct zl_vm_machine_plan *ret, struct zl_error *err);

/* The machine is for the image of this key (image.h). */
int zl_vm_machine_of_image(struct zl_runtime *rt, const char *image,
                           struct zl_vm_machine_plan *machine, struct zl_error *err);

/* How containers of an image begin, most likely. Members may be NULL: not known. */
struct zl_vm_habit {
  const char *program, *cwd;
};

struct zl_vm_machine_files {
  const char *template;             /* directory; NULL: it boots */
  const char *image;                /* NULL: none yet */
  struct zl_vm_habit habit;         /* for a template with an image */
  const struct zl_service *service; /* for its binds; NULL: none */
  char *const *volumes;             /* as in the plan */
};
/* machine.json as text, which the caller frees. */
int zl_vm_machine_render(const struct zl_vm_machine_plan *machine,
                         const struct zl_vm_machine_files *files, char **ret, struct zl_error *err);

/* zl_vm_accel_get by the client's helper program, in ROOT/vm. */
int zl_vm_machine_accel(struct zl_shimclient *client, int vm_fd, struct zl_accel *ret,
                        struct zl_error *err);

/* ROOT/vm/<name>, made when absent. */
int zl_vm_dir(struct zl_runtime *rt, const char *name, int *ret_fd, struct zl_error *err);

/* The template's directory when there is a finished one, else NULL; a new string. */
char *zl_vm_template_path(struct zl_runtime *rt, const char *key);
/* The same of the machine's image, else of any. */
char *zl_vm_template_best(struct zl_runtime *rt, const struct zl_vm_machine_plan *machine);

#endif
