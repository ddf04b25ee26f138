/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/vm/ahead.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/strv.h"
#include "runtime/vm/vm_private.h"

struct zl_vm_due {
  struct zl_vm_machine_plan machine;
  char image[ZL_VM_KEY_TEXT];
  char *program, *cwd; /* a habit */
};

static void due_free(struct zl_vm_due *due)
{
  if (due == NULL)
    return;
  zl_vm_machine_done(&due->machine);
  free(due->program);
  free(due->cwd);
  free(due);
}

void zl_vm_ahead_init(struct zl_vm_ahead *ahead)
{
  *ahead = (struct zl_vm_ahead){ .due = NULL };
  (void)pthread_mutex_init(&ahead->lock, NULL);
}

void zl_vm_ahead_done(struct zl_vm_ahead *ahead)
{
  due_free(ahead->due);
  (void)pthread_mutex_destroy(&ahead->lock);
}

/* ---- Doing it ---- */

static bool is_default(const struct zl_vm_machine_plan *machine)
{
  return machine->memory_mib == machine->settings.memory_mib &&
         machine->vcpus == machine->settings.cpus;
}

/* One template after the other: that of any image first, since it serves every container; that of
 * an image when it is asked for again. */
static int look_for_templates(struct zl_shimclient *client, const struct zl_vm_due *due,
                              struct zl_error *err)
{
  const struct zl_vm_machine_plan *machine = &due->machine;
  const struct zl_vm_habit habit = { due->program, due->cwd };
  zl_autofree char *any = zl_vm_template_path(client->base.rt, machine->key);
  struct zl_vm_template_plan plan = any == NULL || machine->image_key[0] == '\0'
                                        ? zl_vm_template_of_any(machine)
                                        : zl_vm_template_of_image(machine, &habit);

  return zl_vm_template_start(client, machine, &plan, err);
}

/* The pool is of the node's default shape. */
static void look_ahead(struct zl_shimclient *client, const struct zl_vm_due *due)
{
  const struct zl_vm_machine_plan *machine = &due->machine;
  struct zl_error err = { 0 };
  int r = look_for_templates(client, due, &err);

  if (r == 0 && is_default(machine)) {
    bool again = zl_vm_recent_note(client->base.rt, due->image);

    r = zl_vm_pool_fill(client, machine, again && machine->image_key[0] != '\0', &err);
  }
  if (r < 0)
    zl_warning("preparing machines: %s", err.msg);
}

static struct zl_vm_due *swap(struct zl_vm_ahead *ahead, struct zl_vm_due *due)
{
  struct zl_vm_due *was;

  (void)pthread_mutex_lock(&ahead->lock);
  was = ahead->due;
  ahead->due = due;
  (void)pthread_mutex_unlock(&ahead->lock);
  return was;
}

void zl_vm_ahead_go(struct zl_vm_backend *backend)
{
  struct zl_vm_due *due = swap(&backend->ahead, NULL);

  if (due != NULL)
    look_ahead(&backend->client, due);
  due_free(due);
}

/* ---- Noting it ---- */

static char *copy_of(const char *text)
{
  return text != NULL ? strdup(text) : NULL;
}

void zl_vm_ahead_note(struct zl_vm_backend *backend, struct zl_vm_machine_plan *machine,
                      const char *image, const struct zl_vm_habit *habit)
{
  struct zl_vm_due *due;

  if (!machine->may_clone)
    return;
  zl_vm_ahead_go(backend);
  due = calloc(1, sizeof(*due));
  if (due == NULL) {
    zl_warning("preparing machines: out of memory");
    return;
  }
  due->machine = *machine;
  *machine = (struct zl_vm_machine_plan){ 0 };
  (void)snprintf(due->image, sizeof(due->image), "%s", image);
  due->program = copy_of(habit->program);
  due->cwd = copy_of(habit->cwd);
  due_free(swap(&backend->ahead, due));
}
