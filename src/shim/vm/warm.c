/* SPDX-License-Identifier: Apache-2.0
 *
 * The first containers of a machine are ours: they do what the real one will do. A machine that
 * knows its image runs the image's shell for that; it serves no other image afterwards.
 */
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/json.h"
#include "base/strv.h"
#include "base/time.h"
#include "bridge/guest.h"
#include "shim/vm/modes.h"
#include "shim/vm/stock.h"

#define WARM_ID    "warm-rep-0"
#define WARM_IMAGE "warm.erofs" /* beside the guest kernel */

enum {
  PASSES = 3 /* of a clone that has no code: what is translated at one is linked at the next */
};

static const struct zl_rpc_disk image = {
  .lun = ZL_GUEST_LUN_IMAGE, .mount_path = ZL_GUEST_IMAGE, .read_only = true, .filesystem = "erofs"
};

/* An address that is nobody's (RFC 5737); the real one replaces it. */
static const struct zl_rpc_network network = { .mac = "02:00:c0:00:02:02",
                                               .address = "192.0.2.2",
                                               .prefix = 24,
                                               .gateway = "192.0.2.1",
                                               .mtu = 1500 };

struct run {
  uint32_t pid;
  bool done;
  struct zl_error failure; /* code 0: none */
};

static void ended(void *ctx, int r, const json_t *reply, const struct zl_error *err)
{
  struct run *run = ctx;

  (void)reply;
  run->done = true;
  if (r < 0)
    run->failure = *err;
}

static void began(void *ctx, int r, const json_t *reply, const struct zl_error *err)
{
  struct run *run = ctx;

  if (r == 0)
    r = zl_rpc_parse_process_id(reply, &run->pid, &run->failure);
  else
    run->failure = *err;
  run->done = r < 0 || run->pid == 0;
}

/* How a machine is warmed: by a container of this bundle that is made from nothing, or by amending
 * the one that is prepared. */
struct pass {
  json_t *bundle, *amendment; /* one of them; borrowed */
  json_t *another;            /* a program that is executed in it meanwhile; NULL: none */
  bool mounts_image;
};

static void tell_about(struct vm_shim *vm, const struct pass *pass, struct guest_batch *batch)
{
  static const uint8_t zeroes[64];
  struct zl_rpc_identity identity = { .hostname = "warm",
                                      .wall_clock_ns = zl_time_wall(),
                                      .entropy = zeroes,
                                      .entropy_len = sizeof(zeroes),
                                      .machine_id = "00000000000000000000000000000000" };
  struct zl_bridge_client *client = vm->guest.client;

  guest_batch_made(batch, zl_rpc_identity(client, &identity, guest_batch_next(batch), &batch->err));
  guest_batch_made(batch, zl_rpc_network(client, &network, guest_batch_next(batch), &batch->err));
  if (pass->mounts_image)
    guest_batch_made(batch, zl_rpc_disk_add(client, &image, guest_batch_next(batch), &batch->err));
}

static int create(struct vm_shim *vm, const struct pass *pass, struct zl_error *err)
{
  struct zl_bridge_client *client = vm->guest.client;
  zl_autojson *files = stock_files();
  struct guest_batch batch;

  if (files == NULL)
    return zl_fail_nomem(err, "bundle");
  guest_batch_begin(&batch, &vm->guest, PATIENCE_GUEST);
  tell_about(vm, pass, &batch);
  guest_batch_made(&batch, pass->amendment != NULL
                               ? zl_rpc_create_prepared(client, WARM_ID, pass->amendment, files,
                                                        guest_batch_next(&batch), &batch.err)
                               : zl_rpc_create(client, WARM_ID, pass->bundle, files,
                                               guest_batch_next(&batch), &batch.err));
  return guest_batch_wait(&batch, err);
}

static int begin(struct vm_shim *vm, const struct zl_rpc_process *what, struct run *run,
                 struct zl_error *err)
{
  struct zl_rpc_then then = guest_then(began, run, PATIENCE_GUEST);
  int r = zl_rpc_execute(vm->guest.client, WARM_ID, what, &then, err);

  guest_flush(&vm->guest);
  while (r == 0 && !run->done && run->pid == 0)
    r = loop_turn(&vm->shim.loop, err);
  return r;
}

static int finish(struct vm_shim *vm, struct run *run, struct zl_error *err)
{
  struct zl_rpc_then then = guest_then(ended, run, PATIENCE_GUEST);
  int r = 0;

  if (!run->done) {
    r = zl_rpc_wait(vm->guest.client, WARM_ID, run->pid, &then, err);
    guest_flush(&vm->guest);
  }
  while (r == 0 && !run->done)
    r = loop_turn(&vm->shim.loop, err);
  if (r == 0 && run->failure.code != ZL_OK) {
    *err = run->failure;
    r = -(int)run->failure.code;
  }
  return r;
}

/* What `zlayer exec` asks for. */
static int run_another(struct vm_shim *vm, json_t *program, struct zl_error *err)
{
  struct run run = { 0 };
  struct zl_rpc_process what = { .oci = program };
  struct port *out = NULL;
  int r = port_to_nobody(&vm->ports, &out, err);

  what.out_port = port_number(out);
  if (r == 0)
    r = begin(vm, &what, &run, err);
  if (r == 0)
    r = finish(vm, &run, err);
  port_close(out);
  return r;
}

/* A program that waits for the end of its input. */
static int open_input(struct vm_shim *vm, struct port **ret, int *ret_end, struct zl_error *err)
{
  int ends[2], r = zl_fd_pipe(ends, err);

  if (r < 0)
    return r;
  r = port_from_fd(&vm->ports, ends[0], ret, err);
  if (r < 0)
    (void)close(ends[0]);
  *ret_end = ends[1];
  return r;
}

/* Its output goes where that of a container goes: through a port. */
static int run_it(struct vm_shim *vm, const struct pass *pass, struct zl_error *err)
{
  struct run run = { 0 };
  struct zl_rpc_process what = { .oci = NULL };
  struct port *in = NULL, *out = NULL;
  zl_autofd input = -1;
  int r = port_to_nobody(&vm->ports, &out, err);

  if (r == 0 && pass->another != NULL)
    r = open_input(vm, &in, &input, err);
  what.in_port = port_number(in);
  what.out_port = port_number(out);
  if (r == 0)
    r = begin(vm, &what, &run, err);
  if (r == 0 && pass->another != NULL && !run.done)
    r = run_another(vm, pass->another, err);
  zl_fd_closep(&input);
  if (r == 0)
    r = finish(vm, &run, err);
  port_close(in);
  port_close(out);
  return r;
}

static int delete (struct vm_shim *vm, const struct pass *pass, struct zl_error *err)
{
  struct zl_bridge_client *client = vm->guest.client;
  struct guest_batch batch;

  guest_batch_begin(&batch, &vm->guest, PATIENCE_GUEST);
  guest_batch_made(&batch, zl_rpc_delete(client, WARM_ID, guest_batch_next(&batch), &batch.err));
  if (pass->mounts_image)
    guest_batch_made(&batch,
                     zl_rpc_disk_remove(client, &image, guest_batch_next(&batch), &batch.err));
  return guest_batch_wait(&batch, err);
}

/* An image need not have the program: then the rest is warm all the same. */
static int make_pass(struct vm_shim *vm, const struct pass *pass, bool *ret_ran,
                     struct zl_error *err)
{
  struct zl_error why = { 0 };
  int r = create(vm, pass, err);

  if (r < 0)
    return r;
  r = run_it(vm, pass, &why);
  *ret_ran = r == 0;
  if (r < 0 && r != -ZL_E_NO_COMMAND && r != -ZL_E_NOT_EXECUTABLE) {
    *err = why;
    return r;
  }
  return delete (vm, pass, err);
}

/* ---- Machines of any image ----------------------------------------------------------------- */

static int set_args(json_t *bundle, json_t *args, struct zl_error *err)
{
  if (args == NULL || json_object_set_new(json_object_get(bundle, "process"), "args", args) < 0)
    return zl_fail_nomem(err, "bundle");
  return 0;
}

static int warm_up(struct vm_shim *vm, struct zl_error *err)
{
  zl_autojson *bundle = stock_bundle();
  struct pass pass = { .bundle = bundle, .mounts_image = true };
  bool ran = true;
  int r = set_args(bundle, json_pack("[s]", ZL_GUEST_WARM), err);

  /* What was translated at the first pass is linked at the second; code that was given is. */
  for (int i = 0; r == 0 && ran && i < (vm->has_code ? 1 : 2); i++)
    r = make_pass(vm, &pass, &ran, err);
  if (r == 0 && !ran)
    r = zl_fail(err, ZL_E_NO_COMMAND, 0, "its image has no '" ZL_GUEST_WARM "'");
  return r < 0 ? zl_wrap(err, "warming the machine") : 0;
}

/* ---- Machines of one image ----------------------------------------------------------------- */

/* What a start of the image's program looks at. */
static json_t *read_list(const struct machine_config *machine)
{
  json_t *list = json_pack("[s, s, s]", ZL_GUEST_WARM_PATH, "/etc/passwd", "/etc/group");

  if (list != NULL && machine->program != NULL)
    (void)json_array_append_new(list, json_string(machine->program));
  if (list != NULL && machine->cwd != NULL)
    (void)json_array_append_new(list, json_string(machine->cwd));
  return list;
}

/* The agent's own program in the container's /dev: it reads the image's files, and it can be
 * executed whatever the image has. */
static int add_own_program(json_t *bundle, const struct machine_config *machine,
                           struct zl_error *err)
{
  json_t *mount = json_pack("{s:s, s:s, s:s, s:[s, s, s]}", "destination", ZL_GUEST_WARM_PATH,
                            "type", "bind", "source", "/init", "options", "bind", "nosuid", "ro");

  if (mount == NULL || json_array_append_new(json_object_get(bundle, "mounts"), mount) < 0)
    return zl_fail_nomem(err, "bundle");
  return set_args(bundle, read_list(machine), err);
}

static json_t *shell(void)
{
  return json_pack("[s, s, s]", "/bin/sh", "-c", "echo warm");
}

/* The boot id is made up when it is read first; what runs before a machine is cloned must not. */
static int hide_boot_id(json_t *bundle, struct zl_error *err)
{
  json_t *masked = json_object_get(json_object_get(bundle, "linux"), "maskedPaths");

  if (json_array_append_new(masked, json_string("/proc/sys/kernel/random/boot_id")) < 0)
    return zl_fail_nomem(err, "bundle");
  return 0;
}

static int prepare_container(struct vm_shim *vm, json_t *bundle, struct zl_error *err)
{
  zl_autojson *files = stock_files();
  struct guest_batch batch;

  if (files == NULL)
    return zl_fail_nomem(err, "bundle");
  guest_batch_begin(&batch, &vm->guest, PATIENCE_GUEST);
  guest_batch_made(&batch, zl_rpc_prepare(vm->guest.client, WARM_ID, bundle, files,
                                          guest_batch_next(&batch), &batch.err));
  return guest_batch_wait(&batch, err);
}

/* What is read here is in the memory of every clone. */
static int read_image(struct vm_shim *vm, struct zl_error *err)
{
  zl_autojson *own = stock_bundle(), *theirs = stock_bundle();
  struct pass pass = { .bundle = own };
  bool ran = false;
  int r = own != NULL && theirs != NULL ? add_own_program(own, &vm->machine, err)
                                        : zl_fail_nomem(err, "bundle");

  if (r == 0)
    r = make_pass(vm, &pass, &ran, err);
  if (r == 0)
    r = hide_boot_id(theirs, err);
  if (r == 0)
    r = set_args(theirs, shell(), err);
  pass.bundle = theirs;
  return r < 0 ? r : make_pass(vm, &pass, &ran, err);
}

int warm_template(struct vm_shim *vm, json_t *bundle, struct zl_error *err)
{
  struct guest_batch batch;
  int r;

  guest_batch_begin(&batch, &vm->guest, PATIENCE_GUEST);
  guest_batch_made(&batch,
                   zl_rpc_disk_add(vm->guest.client, &image, guest_batch_next(&batch), &batch.err));
  r = guest_batch_wait(&batch, err);
  if (r == 0)
    r = read_image(vm, err);
  /* One is the container's, the others warm a pooled machine, which need not learn to prepare any.
   */
  for (int i = 0; r == 0 && i < PASSES + 1; i++)
    r = prepare_container(vm, bundle, err);
  return r < 0 ? zl_wrap(err, "warming the machine") : 0;
}

/* A shell that has a child, as most programs do, and goes on until its input ends. */
static json_t *waiting_shell(void)
{
  return json_pack("[s, s, s]", "/bin/sh", "-c", "(:); echo warm; read word");
}

/* The process of an exec: as the first one's, with another command. */
static json_t *other_program(const json_t *bundle)
{
  json_t *process = json_copy(json_object_get(bundle, "process"));

  (void)json_object_del(process, "capabilities");
  if (process != NULL && json_object_set_new(process, "args", shell()) < 0)
    zl_json_decref(&process);
  return process;
}

/* What makes the prepared container that of these arguments, which are taken over. */
static json_t *amend_to(const json_t *prepared, json_t *args, bool open_stdin)
{
  zl_autojson *bundle = json_deep_copy(prepared);

  if (set_args(bundle, args, NULL) < 0)
    return NULL;
  (void)json_object_set_new(json_object_get(bundle, "zlayer"), "openStdin",
                            json_boolean(open_stdin));
  return stock_amendment(bundle, prepared);
}

/* One that has to translate everything does so for the clones after it as well, most likely, and
 * leaves nothing out: first a container without input, as most are. */
static int warm_thoroughly(struct vm_shim *vm, const struct pass *pass, struct zl_error *err)
{
  zl_autojson *amendment = amend_to(vm->prepared, shell(), false);
  struct pass first = { .amendment = amendment };
  bool ran = true;
  int r = amendment != NULL ? make_pass(vm, &first, &ran, err) : zl_fail_nomem(err, "bundle");

  for (int i = 1; r == 0 && ran && i < PASSES; i++) {
    warm_settle();
    r = make_pass(vm, pass, &ran, err);
  }
  return r;
}

static int warm_prepared(struct vm_shim *vm, struct zl_error *err)
{
  zl_autojson *amendment = amend_to(vm->prepared, waiting_shell(), true);
  zl_autojson *another = other_program(vm->prepared);
  struct pass pass = { .amendment = amendment, .another = another };
  bool ran;
  int r;

  if (amendment == NULL || another == NULL)
    return zl_fail_nomem(err, "warming the machine");
  r = vm->has_code ? make_pass(vm, &pass, &ran, err) : warm_thoroughly(vm, &pass, err);
  return r < 0 ? zl_wrap(err, "warming the machine") : 0;
}

/* ---- Both ---------------------------------------------------------------------------------- */

void warm_settle(void)
{
  zl_time_pause(WARM_SETTLE_MS * ZL_NS_PER_MS);
}

int warm_open_image(const struct vm_shim *vm, int *ret_fd, struct zl_error *err)
{
  const char *slash = strrchr(vm->machine.kernel, '/');
  zl_autofree char *path =
      vm->machine.image != NULL
          ? strdup(vm->machine.image)
          : zl_asprintf("%.*s/" WARM_IMAGE, slash != NULL ? (int)(slash - vm->machine.kernel) : 0,
                        vm->machine.kernel);
  int fd;

  if (path == NULL)
    return zl_fail_nomem(err, "path of an image");
  fd = zl_fd_open(AT_FDCWD, path, O_RDONLY, 0);
  if (fd < 0)
    return zl_fail(err, ZL_E_NOT_FOUND, -fd, "opening '%s'", path);
  *ret_fd = fd;
  return 0;
}

int warm_clone(struct vm_shim *vm, struct zl_error *err)
{
  return vm->prepared != NULL ? warm_prepared(vm, err) : warm_up(vm, err);
}
