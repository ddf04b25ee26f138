/* SPDX-License-Identifier: Apache-2.0
 *
 * Machines without a machine: settings, shapes, what is refused, machine.json, and the disks that
 * Debian's tools make.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/lock.h"
#include "base/path.h"
#include "base/proc.h"
#include "base/strv.h"
#include "runtime/bundle/bundle.h"
#include "runtime/vm/image.h"
#include "runtime/vm/refuse.h"
#include "runtime/vm/vm_private.h"

struct box {
  char path[64];
  int fd;
  struct zl_service *service;
  struct zl_vm_machine_plan machine;
};

static int setup(void **state)
{
  struct box *box = calloc(1, sizeof(*box));

  assert_non_null(box);
  (void)snprintf(box->path, sizeof(box->path), "/tmp/zlayer-test-vm-XXXXXX");
  assert_non_null(mkdtemp(box->path));
  box->fd = zl_fd_open(AT_FDCWD, box->path, O_RDONLY | O_DIRECTORY, 0);
  assert_true(box->fd >= 0);
  assert_int_equal(zl_service_new("web", &box->service, NULL), 0);
  assert_int_equal(zl_service_set_image(box->service, "busybox", NULL), 0);
  box->machine.settings = (struct zl_vm_settings){ .memory_mib = 256, .cpus = 1 };
  box->machine.guest.has_9p = true;
  box->machine.guest.name = "zlayer";
  *state = box;
  return 0;
}

static int teardown(void **state)
{
  struct box *box = *state;

  zl_service_free(box->service);
  assert_int_equal(close(box->fd), 0);
  assert_int_equal(zl_path_remove_tree(AT_FDCWD, box->path), 0);
  free(box);
  return 0;
}

static void put(struct box *box, const char *name, const char *text)
{
  assert_int_equal(zl_file_replace(box->fd, name, text, strlen(text), 0644, false, NULL), 0);
}

static char *inside(const struct box *box, const char *name)
{
  char *path = zl_asprintf("%s/%s", box->path, name);

  assert_non_null(path);
  return path;
}

/* ---- Settings ---- */

static void settings_have_defaults(void **state)
{
  struct box *box = *state;
  struct zl_vm_settings got;

  assert_int_equal(zl_vm_settings_load(box->fd, &got, NULL), 0);
  assert_true(got.scratch_bytes == UINT64_C(20) << 30 && got.memory_mib == 256 && got.cpus == 1);
  assert_true(got.pool == 0 && got.templates && got.image_templates &&
              got.kernel == ZL_VM_KERNEL_AUTO);
  put(box, "config.yaml", "slice_cidr: 10.9.0.0/28\n");
  assert_int_equal(zl_vm_settings_load(box->fd, &got, NULL), 0);
  assert_int_equal(got.memory_mib, 256);
}

static void settings_are_read(void **state)
{
  struct box *box = *state;
  struct zl_vm_settings got;

  put(box, "config.yaml",
      "vm: { scratch_size: 64Mi, memory: 512Mi, cpus: 2, pool: 3, template: off, kernel: debian "
      "}\n");
  assert_int_equal(zl_vm_settings_load(box->fd, &got, NULL), 0);
  assert_true(got.scratch_bytes == UINT64_C(64) << 20 && got.memory_mib == 512 && got.cpus == 2);
  assert_true(got.pool == 3 && !got.templates && !got.image_templates &&
              got.kernel == ZL_VM_KERNEL_DEBIAN);
  put(box, "config.yaml", "vm: { template: plain }\n");
  assert_int_equal(zl_vm_settings_load(box->fd, &got, NULL), 0);
  assert_true(got.templates && !got.image_templates);
}

static void wrong_settings_are_named(void **state)
{
  static const struct {
    const char *text, *message;
  } cases[] = {
    { "vm: 5\n", "config.yaml: vm, line 1: expected a mapping" },
    { "vm:\n  cpus: 33\n",
      "config.yaml: vm.cpus, line 2: expected a number from 1 to 32, not the number '33'" },
    { "vm:\n  cpus: 0\n",
      "config.yaml: vm.cpus, line 2: expected a number from 1 to 32, not the number '0'" },
    { "vm:\n  pool: -1\n",
      "config.yaml: vm.pool, line 2: expected a number from 0 to 64, not the number '-1'" },
    { "vm:\n  memory: 1Mi\n", "config.yaml: vm.memory, line 2: expected a size from 64Mi to 1Ti in "
                              "whole Mi, such as 256Mi, not the text '1Mi'" },
    { "vm:\n  scratch_size: []\n",
      "config.yaml: vm.scratch_size, line 2: expected a size from 64Mi to 1Ti in whole Mi, such as "
      "20Gi, not a list" },
    { "vm:\n  template: yes\n",
      "config.yaml: vm.template, line 2: expected auto, plain or off, not the text 'yes'" },
    { "vm:\n  kernel: bsd\n",
      "config.yaml: vm.kernel, line 2: expected auto, zlayer or debian, not the text 'bsd'" },
    { "vm:\n  memroy: 256Mi\n",
      "config.yaml: vm.memroy, line 2: unknown; known are scratch_size, memory, cpus, pool, "
      "template, kernel" },
  };
  struct box *box = *state;

  for (size_t i = 0; i < ZL_COUNT(cases); i++) {
    struct zl_vm_settings got;
    struct zl_error err = { 0 };

    put(box, "config.yaml", cases[i].text);
    assert_int_equal(zl_vm_settings_load(box->fd, &got, &err), -ZL_E_INVALID);
    assert_string_equal(err.msg, cases[i].message);
  }
}

/* ---- Guest kernels, QEMU, accelerator ---- */

static void put_guest(struct box *box, const char *name, const char *facts)
{
  static const char *const files[] = { "kernel", "initrd", "kernel.json" };

  assert_int_equal(mkdirat(box->fd, name, 0755), 0);
  for (size_t i = 0; i < ZL_COUNT(files); i++) {
    zl_autofree char *path = zl_asprintf("%s/%s", name, files[i]);
    zl_autofd fd = zl_fd_open(box->fd, path, O_WRONLY | O_CREAT, 0644);

    assert_true(fd >= 0);
    assert_int_equal(zl_fd_write_full(fd, i == 2 ? facts : "x", i == 2 ? strlen(facts) : 1), 0);
  }
}

static void the_better_kernel_is_found(void **state)
{
  struct box *box = *state;
  struct zl_error err = { 0 };
  zl_autoguest debian = { 0 }, own = { 0 }, forced = { 0 };

  assert_int_equal(zl_vm_guest_find(box->path, ZL_VM_KERNEL_AUTO, &own, &err), -ZL_E_UNSUPPORTED);
  assert_non_null(strstr(err.msg, "'make guest-kernel' (or 'make guest' for Debian's)"));
  put_guest(box, "debian", "{\"version\":\"6.1.0-x\",\"acpi\":true,\"features\":[]}");
  assert_int_equal(zl_vm_guest_find(box->path, ZL_VM_KERNEL_AUTO, &debian, NULL), 0);
  assert_string_equal(debian.name, "debian");
  assert_true(debian.acpi && !debian.has_9p);
  assert_int_equal(zl_vm_guest_find(box->path, ZL_VM_KERNEL_ZLAYER, &own, &err), -ZL_E_UNSUPPORTED);
  assert_non_null(strstr(err.msg, "no zlayer guest kernel"));
  put_guest(box, "zlayer", "{\"version\":\"6.1.192\",\"acpi\":false,\"features\":[\"9p\"]}");
  assert_int_equal(zl_vm_guest_find(box->path, ZL_VM_KERNEL_AUTO, &own, NULL), 0);
  assert_string_equal(own.version, "6.1.192");
  assert_true(!own.acpi && own.has_9p);
  assert_int_equal(zl_vm_guest_find(box->path, ZL_VM_KERNEL_DEBIAN, &forced, NULL), 0);
  assert_string_equal(forced.name, "debian");
}

static void a_damaged_kernel_is_named(void **state)
{
  struct box *box = *state;
  struct zl_error err = { 0 };
  zl_autoguest guest = { 0 };

  put_guest(box, "zlayer", "{\"features\":5}");
  assert_int_equal(zl_vm_guest_find(box->path, ZL_VM_KERNEL_AUTO, &guest, &err), -ZL_E_CORRUPT);
  assert_non_null(strstr(err.msg, "kernel.json"));
}

static void a_missing_qemu_names_its_package(void **state)
{
  struct zl_error err = { 0 };
  char *qemu = NULL;

  (void)state;
  assert_int_equal(zl_vm_qemu_find("/nowhere", "/nowhere/qemu", &qemu, &err), -ZL_E_UNSUPPORTED);
  assert_null(qemu);
  assert_string_equal(err.msg, "'/nowhere/qemu' is needed for isolation hyperv: install Debian's "
                               "package qemu-system-x86");
}

static void our_own_qemu_is_preferred(void **state)
{
  const struct box *box = *state;
  zl_autofree char *dir = zl_asprintf("%s/qemu", box->path);
  zl_autofree char *own = zl_asprintf("%s/qemu/qemu-system-x86_64", box->path);
  zl_autofree char *before = NULL, *after = NULL;
  struct zl_error err = { 0 };
  int fd;

  assert_int_equal(zl_vm_qemu_find(box->path, "/bin/sh", &before, &err), 0);
  assert_string_equal(before, "/bin/sh");
  assert_int_equal(mkdir(dir, 0755), 0);
  fd = open(own, O_WRONLY | O_CREAT | O_CLOEXEC, 0755);
  assert_true(fd >= 0);
  (void)close(fd);
  assert_int_equal(zl_vm_qemu_find(box->path, "/bin/sh", &after, &err), 0);
  assert_string_equal(after, own);
}

static void the_probe_is_understood(void **state)
{
  static const char good[] =
      "{\"accel\":\"kvm\",\"kvm\":\"present\",\"mips\":3000,\"tsc_khz\":2596103}\n";
  static const char *const bad[] = { "", "{}", "{\"accel\":\"xen\",\"tsc_khz\":1}",
                                     "{\"accel\":\"tcg\"}", "{\"accel\":\"tcg\",\"tsc_khz\":0}" };
  struct zl_accel got;

  (void)state;
  assert_int_equal(zl_vm_accel_parse(good, strlen(good), &got, NULL), 0);
  assert_true(got.accel == ZL_VM_KVM && got.mips == 3000 && got.tsc_khz == 2596103);
  assert_string_equal(got.kvm, "present");
  for (size_t i = 0; i < ZL_COUNT(bad); i++)
    assert_true(zl_vm_accel_parse(bad[i], strlen(bad[i]), &got, NULL) < 0);
}

/* ---- Shapes ---- */

static void memory_has_room_beside_the_limit(void **state)
{
  static const struct {
    uint64_t limit_mib;
    unsigned machine_mib;
  } cases[] = { { 0, 256 },   { 32, 256 },  { 160, 256 },  { 161, 384 },
                { 288, 384 }, { 289, 512 }, { 1024, 1152 } };
  struct box *box = *state;

  for (size_t i = 0; i < ZL_COUNT(cases); i++) {
    box->service->resources.memory = cases[i].limit_mib << 20;
    assert_int_equal(zl_vm_memory_of(&box->machine.settings, box->service), cases[i].machine_mib);
  }
  box->service->resources.memory = (UINT64_C(160) << 20) + 1;
  assert_int_equal(zl_vm_memory_of(&box->machine.settings, box->service), 384);
  assert_int_equal(zl_vm_memory_of(&box->machine.settings, NULL), 256);
}

static void processors_are_whole(void **state)
{
  struct box *box = *state;

  box->machine.settings.cpus = 2;
  assert_int_equal(zl_vm_cpus_of(&box->machine.settings, box->service), 2);
  box->service->resources.cpu = 0.5;
  assert_int_equal(zl_vm_cpus_of(&box->machine.settings, box->service), 1);
  box->service->resources.cpu = 2.1;
  assert_int_equal(zl_vm_cpus_of(&box->machine.settings, box->service), 3);
}

/* ---- Refusals ---- */

static void refuse(struct box *box, enum zl_code code, const char *field)
{
  struct zl_error err = { 0 };
  zl_autofree char *path = zl_asprintf("services.web.%s:", field);

  assert_int_equal(zl_vm_refuse(&box->machine, box->service, &err), -(int)code);
  assert_non_null(strstr(err.msg, path));
}

static void objects_of_the_host_are_refused(void **state)
{
  struct box *box = *state;
  struct zl_service *s = box->service;

  assert_int_equal(zl_vm_refuse(&box->machine, s, NULL), 0);
  s->network_mode.kind = ZL_NETWORK_HOST;
  refuse(box, ZL_E_UNSUPPORTED, "network_mode");
  s->network_mode.kind = ZL_NETWORK_CONTAINER;
  refuse(box, ZL_E_UNSUPPORTED, "network_mode");
  s->network_mode.kind = ZL_NETWORK_NONE;
  assert_int_equal(zl_vm_refuse(&box->machine, s, NULL), 0);
  s->pid_mode = ZL_NS_HOST;
  refuse(box, ZL_E_UNSUPPORTED, "pid_mode");
  s->pid_mode = ZL_NS_PRIVATE;
  s->ipc_mode = ZL_NS_HOST;
  refuse(box, ZL_E_UNSUPPORTED, "ipc_mode");
  s->ipc_mode = ZL_NS_PRIVATE;
  s->userns_mode = ZL_USERNS_PRIVATE;
  refuse(box, ZL_E_UNSUPPORTED, "userns_mode");
  s->userns_mode = ZL_USERNS_HOST;
  assert_int_equal(zl_device_parse(s, "/dev/null", NULL), 0);
  refuse(box, ZL_E_UNSUPPORTED, "devices");
}

static void resources_of_the_host_are_refused(void **state)
{
  struct box *box = *state;
  struct zl_resources *res = &box->service->resources;

  res->cpu = 33;
  refuse(box, ZL_E_UNSUPPORTED, "resources.cpu");
  res->cpu = 32;
  assert_int_equal(zl_vm_refuse(&box->machine, box->service, NULL), 0);
  res->cpu_shares = 512;
  refuse(box, ZL_E_UNSUPPORTED, "resources.cpu_shares");
  res->cpu_shares = 0;
  res->memory = UINT64_C(1) << 30;
  res->memory_swap = res->memory;
  assert_int_equal(zl_vm_refuse(&box->machine, box->service, NULL), 0);
  res->memory_swap = ZL_UNLIMITED;
  refuse(box, ZL_E_UNSUPPORTED, "resources.memory_swap");
  res->memory_swap = 0;
  res->memory = UINT64_C(2) << 40;
  refuse(box, ZL_E_UNSUPPORTED, "resources.memory");
}

static void add_bind(struct box *box, const char *source, const char *target)
{
  zl_autofree char *text = zl_asprintf("%s:%s", source, target);

  assert_int_equal(zl_storage_parse(box->service, text, NULL), 0);
}

static void only_directories_are_shared(void **state)
{
  struct box *box = *state;
  zl_autofree char *file = inside(box, "file"), *none = inside(box, "none");

  put(box, "file", "x");
  add_bind(box, box->path, "/data");
  assert_int_equal(zl_vm_refuse(&box->machine, box->service, NULL), 0);
  box->machine.guest.has_9p = false;
  refuse(box, ZL_E_UNSUPPORTED, "storage");
  box->machine.guest.has_9p = true;
  add_bind(box, file, "/file");
  refuse(box, ZL_E_UNSUPPORTED, "storage[1].source");
  free(box->service->storage[1].source);
  box->service->storage[1].source = zl_steal_ptr(&none);
  refuse(box, ZL_E_NOT_FOUND, "storage[1].source");
}

static void eight_directories_are_the_most(void **state)
{
  struct box *box = *state;

  for (unsigned i = 0; i < 9; i++) {
    char target[16];

    (void)snprintf(target, sizeof(target), "/data%u", i);
    add_bind(box, box->path, target);
    if (i == 7)
      assert_int_equal(zl_vm_refuse(&box->machine, box->service, NULL), 0);
  }
  refuse(box, ZL_E_UNSUPPORTED, "storage");
}

/* ---- machine.json and the bundle ---- */

static void a_machine_is_written_down(void **state)
{
  struct box *box = *state;
  struct zl_vm_machine_plan *machine = &box->machine;
  char volume[] = "/v/data", none[] = "";
  struct zl_vm_machine_files files = { .template = "/t/key",
                                       .image = "/i/key.erofs",
                                       .service = box->service,
                                       .volumes = (char *[]){ none, none, volume, NULL } };
  char qemu[] = "/usr/bin/q", kernel[] = "/g/kernel", initrd[] = "/g/initrd";
  char scratch[] = "/s/1.ext4";
  zl_autofree char *text = NULL, *bare = NULL;

  machine->qemu = qemu;
  machine->guest.kernel = kernel;
  machine->guest.initrd = initrd;
  machine->accel = (struct zl_accel){ .accel = ZL_VM_TCG, .tsc_khz = 2596103 };
  machine->memory_mib = 384;
  machine->vcpus = 2;
  machine->scratch = scratch;
  assert_int_equal(zl_tmpfs_parse(box->service, "/tmp", NULL), 0);
  add_bind(box, "/srv/data", "/data:ro");
  add_bind(box, "data", "/volume");
  assert_int_equal(zl_vm_machine_render(machine, &files, &text, NULL), 0);
  assert_string_equal(
      text,
      "{\"qemu\":\"/usr/bin/q\",\"kernel\":\"/g/kernel\",\"initrd\":\"/g/initrd\",\"acpi\":"
      "false,\"accel\":\"tcg\",\"tscKhz\":2596103,\"memoryMiB\":384,\"vcpus\":2,\"template\":"
      "\"/t/key\",\"image\":\"/i/key.erofs\",\"scratch\":\"/s/1.ext4\",\"binds\":[{\"source\":"
      "\"/srv/data\",\"readonly\":true},{\"source\":\"/v/data\",\"readonly\":false}],"
      "\"keepOnFailure\":false}");
  assert_int_equal(zl_vm_machine_render(machine, &(struct zl_vm_machine_files){ 0 }, &bare, NULL),
                   0);
  assert_null(strstr(bare, "template"));
  assert_null(strstr(bare, "\"image\""));
  assert_non_null(strstr(bare, "\"binds\":[]"));
  free(text);
  machine->keep_on_failure = true;
  assert_int_equal(zl_vm_machine_render(machine, &files, &text, NULL), 0);
  assert_non_null(strstr(text, "\"keepOnFailure\":true"));
}

static void a_bundle_names_nothing_of_the_host(void **state)
{
  static const char *const layers[] = { "/run/zlayer/image", NULL };
  static const char *const binds[] = { "/run/zlayer/binds/0", NULL };
  struct box *box = *state;
  struct zl_create_options options = { 0 };
  char *argv[] = { (char[]){ "sh" }, NULL }, *env[] = { NULL }, cwd[] = "/", host[] = "web";
  char *trees[] = { (char[]){ "/host/layers/a/fs" }, NULL };
  struct zl_container_plan plan = { .id = "web-rep-1",
                                    .service = box->service,
                                    .options = &options,
                                    .layers = trees,
                                    .argv = argv,
                                    .env = env,
                                    .cwd = cwd,
                                    .hostname = host,
                                    .network = ZL_PLAN_NET_NONE };
  struct zl_bundle_guest guest = { .layers = layers, .binds = binds };
  struct zl_bundle bundle = {
    .plan = &plan, .guest = &guest, .dir = "/run/zlayer/bundle", .cgroup = "/zlayer-web-rep-1"
  };
  zl_autofree char *text = NULL;

  box->service->privileged = true; /* the node's devices are not the machine's */
  add_bind(box, box->path, "/data");
  assert_int_equal(zl_bundle_render(&bundle, &text, NULL), 0);
  assert_non_null(strstr(text, "\"layers\":[\"/run/zlayer/image\"]"));
  assert_non_null(strstr(text, "\"source\":\"/run/zlayer/binds/0\""));
  assert_non_null(strstr(text, "\"source\":\"/run/zlayer/bundle/hosts\""));
  assert_non_null(strstr(text, "\"devices\":[]}"));
  assert_null(strstr(text, box->path));
  assert_null(strstr(text, "/host/layers"));
}

/* ---- Disks ---- */

static int run(const char *const *argv)
{
  static const struct zl_proc_fd fds[] = { { 2, 1 }, { 2, 2 } }; /* its diagnosis */
  struct zl_proc proc = { .pidfd = -1 };
  static const char *const environment[] = { "PATH=/usr/sbin:/usr/bin:/sbin:/bin", NULL };
  int status = -1;

  assert_int_equal(zl_proc_spawn(&(struct zl_proc_options){ .path = argv[0],
                                                            .exec_fd = -1,
                                                            .argv = argv,
                                                            .envp = environment,
                                                            .fds = fds,
                                                            .n_fds = ZL_COUNT(fds) },
                                 &proc, NULL),
                   0);
  assert_int_equal(zl_proc_wait(&proc, &status, NULL), 0);
  return status;
}

#define SH(script, ...) \
  assert_int_equal(     \
      run((const char *const[]){ "/bin/bash", "-euc", script, "sh", __VA_ARGS__, NULL }), 0)

/* Two layers with everything a file can be; the upper one hides and replaces. */
static void fill_layers(struct box *box)
{
  SH("cd \"$1\"; mkdir -p layers/a/fs layers/b/fs vm/images; cd layers/a/fs\n"
     "mkdir -m 0751 dir gone sticky; chmod 1777 sticky; echo one > dir/file; ln dir/file dir/link\n"
     "chown 1000:2000 dir/file; chmod 4755 dir/file; ln -s ../dir/file sym; mkfifo -m 0620 fifo\n"
     "mknod -m 0640 null c 1 3; truncate -s 3M sparse; echo old > replaced; echo bye > removed\n"
     "echo x > gone/inside; chown 70000:80000 replaced\n"
     "touch -d '2001-02-03 04:05:06.123456789' dir/file sym -h; touch -d 2002-01-01 dir\n"
     "cd ../../b/fs; mkdir dir; chmod 0751 dir; echo two > dir/added; echo new > replaced\n"
     "mknod removed c 0 0; mkdir gone; touch -d 2003-01-01 dir replaced",
     box->path);
  {
    zl_autofree char *opaque = inside(box, "layers/b/fs/gone");
    zl_autofree char *file = inside(box, "layers/a/fs/dir/file");

    assert_int_equal(setxattr(opaque, "trusted.overlay.opaque", "y", 1, 0), 0);
    assert_int_equal(setxattr(file, "user.test", "value", 5, 0), 0);
  }
}

/* Compares the EROFS image with the merged tree, in a mount namespace of its own. */
static const char compare[] =
    "cd \"$1\"; mkdir -p want got empty\n"
    "mount -t overlay -o ro,lowerdir=\"$2\" overlay want\n"
    "mount -t erofs -o ro,loop \"$3\" got\n"
    "list() { (cd \"$1\"; find . -printf '%p %y %m %U %G %s %t %l %i\\n' | sort |\n"
    "  awk '{ n = $NF; if (!(n in seen)) seen[n] = NR; $NF = seen[n];\n"
    "         if ($2 == \"d\") $6 = 0; print }'; getfattr -Rhd -m - . 2>/dev/null || true;\n"
    "  find . -type c -exec stat -c '%n %t %T' {} + ; find . -type f -exec sha256sum {} + | sort); "
    "}\n"
    "list want > want.txt; list got > got.txt; diff want.txt got.txt\n"
    "test -s want.txt; ! grep -q overlay got.txt; umount want got";

static int compare_images(const char *dir, const char *lower, const char *image)
{
  return run((const char *const[]){ "/usr/bin/unshare", "-m", "/bin/bash", "-euc", compare, "sh",
                                    dir, lower, image, NULL });
}

static void count_mounts(unsigned *ret)
{
  zl_autobuf text = ZL_BUF_INIT(4 << 20);

  *ret = 0;
  assert_int_equal(zl_file_read(AT_FDCWD, "/proc/self/mountinfo", &text, NULL), 0);
  for (const char *p = text.data; (p = strchr(p, '\n')) != NULL; p++)
    (*ret)++;
}

static void an_image_is_its_layers(void **state)
{
  struct box *box = *state;
  zl_autofree char *a = inside(box, "layers/a/fs"), *b = inside(box, "layers/b/fs"),
                   *dir = inside(box, "vm/images"), *image = NULL, *lower = NULL;
  const char *const trees[] = { b, a, NULL };
  char key[ZL_VM_IMAGE_KEY], again[ZL_VM_IMAGE_KEY];
  struct stat first, second;
  unsigned before = 0, after = 0;
  zl_autofd images = -1;

  fill_layers(box);
  images = zl_fd_open(box->fd, "vm/images", O_RDONLY | O_DIRECTORY, 0);
  assert_true(images >= 0);
  count_mounts(&before);
  assert_int_equal(zl_vm_image_ensure(images, dir, trees, key, NULL), 0);
  count_mounts(&after);
  assert_int_equal(before, after);
  image = zl_asprintf("%s/%s.erofs", dir, key);
  assert_int_equal(stat(image, &first), 0);
  lower = zl_asprintf("%s:%s", b, a);
  assert_int_equal(compare_images(box->path, lower, image), 0);
  assert_int_equal(zl_vm_image_ensure(images, dir, trees, again, NULL), 0);
  assert_string_equal(key, again);
  assert_int_equal(stat(image, &second), 0);
  assert_true(first.st_ino == second.st_ino); /* made once */
}

/* Alone, a layer has nothing to hide, and its marks must not show. */
static void an_image_of_one_layer_has_no_marks(void **state)
{
  struct box *box = *state;
  zl_autofree char *b = inside(box, "layers/b/fs"), *dir = inside(box, "vm/images"), *image = NULL,
                   *lower = NULL;
  const char *const trees[] = { b, NULL };
  char key[ZL_VM_IMAGE_KEY];
  zl_autofd images = -1;

  fill_layers(box);
  images = zl_fd_open(box->fd, "vm/images", O_RDONLY | O_DIRECTORY, 0);
  assert_true(images >= 0);
  assert_int_equal(zl_vm_image_ensure(images, dir, trees, key, NULL), 0);
  image = zl_asprintf("%s/%s.erofs", dir, key);
  lower = zl_asprintf("%s:%s/empty", b, box->path);
  assert_int_equal(mkdirat(box->fd, "empty", 0755), 0);
  assert_int_equal(compare_images(box->path, lower, image), 0);
}

static void a_failed_image_leaves_nothing(void **state)
{
  struct box *box = *state;
  zl_autofree char *dir = inside(box, "images");
  const char *const trees[] = { "/nowhere/layers/key/fs", NULL };
  char key[ZL_VM_IMAGE_KEY];
  struct zl_error err = { 0 };
  zl_autofd images = -1;

  assert_int_equal(mkdirat(box->fd, "images", 0700), 0);
  images = zl_fd_open(box->fd, "images", O_RDONLY | O_DIRECTORY, 0);
  assert_int_equal(zl_vm_image_ensure(images, dir, trees, key, &err), -ZL_E_NOT_FOUND);
  assert_non_null(strstr(err.msg, "/nowhere/layers/key/fs"));
  assert_int_equal(unlinkat(box->fd, "images", AT_REMOVEDIR), 0); /* it is empty */
}

static void keys_depend_on_order_and_parts(void **state)
{
  char ab[ZL_VM_IMAGE_KEY], ba[ZL_VM_IMAGE_KEY], joined[ZL_VM_IMAGE_KEY], trees[ZL_VM_IMAGE_KEY];

  (void)state;
  assert_int_equal(zl_vm_image_key((const char *const[]){ "a", "b", NULL }, ab, NULL), 0);
  assert_int_equal(zl_vm_image_key((const char *const[]){ "b", "a", NULL }, ba, NULL), 0);
  assert_int_equal(zl_vm_image_key((const char *const[]){ "ab", NULL }, joined, NULL), 0);
  assert_int_equal(
      zl_vm_image_key_of_trees((const char *const[]){ "/r/layers/a/fs", "/r/layers/b/fs", NULL },
                               trees, NULL),
      0);
  assert_string_not_equal(ab, ba);
  assert_string_not_equal(ab, joined);
  assert_string_equal(ab, trees);
  assert_int_equal(strlen(ab), 64);
}

static void a_scratch_disk_is_sparse_and_ready(void **state)
{
  static const char look[] =
      "/usr/sbin/e2fsck -fn \"$1\" >/dev/null 2>&1\n"
      "d=$(/usr/sbin/debugfs -R 'stat /upper' \"$1\" 2>/dev/null); [[ $d == *'Mode:  0755'* ]]\n"
      "d=$(/usr/sbin/debugfs -R 'stat /work' \"$1\" 2>/dev/null); [[ $d == *'Mode:  0700'* ]]\n"
      "d=$(/usr/sbin/dumpe2fs -h \"$1\" 2>/dev/null); [[ $d != *has_journal* ]]";
  struct box *box = *state;
  char name[ZL_VM_SCRATCH_NAME];
  zl_autofree char *path = NULL;
  struct stat st;

  assert_int_equal(zl_vm_scratch_ensure(box->fd, UINT64_C(20) << 30, name, NULL), 0);
  assert_string_equal(name, "21474836480.ext4");
  assert_int_equal(fstatat(box->fd, name, &st, 0), 0);
  assert_true(st.st_size == (off_t)20 << 30 && st.st_blocks * 512 < 64 << 20);
  path = inside(box, name);
  SH(look, path);
  assert_int_equal(unlinkat(box->fd, name, 0), 0);
  assert_int_equal(unlinkat(box->fd, "lock", 0), 0);
  {
    zl_autofree char *rest = zl_asprintf("rmdir %s && mkdir %s", box->path, box->path);

    SH(rest, ""); /* nothing was left beside it */
  }
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
  const struct CMUnitTest cases[] = {
    CASE(settings_have_defaults),
    CASE(settings_are_read),
    CASE(wrong_settings_are_named),
    CASE(the_better_kernel_is_found),
    CASE(a_damaged_kernel_is_named),
    CASE(a_missing_qemu_names_its_package),
    CASE(our_own_qemu_is_preferred),
    CASE(the_probe_is_understood),
    CASE(memory_has_room_beside_the_limit),
    CASE(processors_are_whole),
    CASE(objects_of_the_host_are_refused),
    CASE(resources_of_the_host_are_refused),
    CASE(only_directories_are_shared),
    CASE(eight_directories_are_the_most),
    CASE(a_machine_is_written_down),
    CASE(a_bundle_names_nothing_of_the_host),
    CASE(an_image_is_its_layers),
    CASE(an_image_of_one_layer_has_no_marks),
    CASE(a_failed_image_leaves_nothing),
    CASE(keys_depend_on_order_and_parts),
    CASE(a_scratch_disk_is_sparse_and_ready),
  };

  return cmocka_run_group_tests(cases, NULL, NULL);
}
