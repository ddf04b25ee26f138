/* SPDX-License-Identifier: Apache-2.0 */
#include "box.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/path.h"

/* ---- Descriptors, working directory -------------------------------------------------------- */

static void nothing_leaks_into_the_workload(void **state)
{
  struct box *box =
      BOX_SH("ls /proc/self/fd; env | sort; pwd; umask; cat /proc/self/oom_score_adj");

  (void)state;
  box_set(box, "process.oomScoreAdj", json_integer(300));
  box_expect(box, 0);
  box_assert_output(box,
                    "0\n1\n2\n3\nFOO=bar\nHOME=/root\nPATH=/bin\nPWD=/\nSHLVL=1\n/\n0022\n300\n");
  box_free(box);
}

static void created_process_holds_nothing_of_the_host(void **state)
{
  struct box *box = BOX("true");
  char path[64], target[256];

  (void)state;
  box_create(box);
  for (int fd = 0; fd < 64; fd++) {
    ssize_t n;

    (void)snprintf(path, sizeof(path), "/proc/%d/fd/%d", box->pid, fd);
    n = readlink(path, target, sizeof(target) - 1);
    if (n < 0)
      continue;
    target[n] = '\0';
    if (strcmp(target, "/") != 0 && strcmp(target, "/dev/null") != 0 &&
        strncmp(target, "pipe:", 5) != 0 && strncmp(target, "socket:", 7) != 0)
      fail_msg("descriptor %d is '%s'", fd, target);
  }
  box_do(box, json_pack("{s:s}", "op", "start"));
  box_end(box);
  box_free(box);
}

static void working_directories(void **state)
{
  static const char *const bad[] = { "/proc/self/fd/3", "/proc/self/fd/7", "/proc/1/cwd",
                                     "/proc/self/root/.." };

  (void)state;
  for (size_t i = 0; i < ZL_COUNT(bad); i++) {
    struct box *box = BOX("true");
    json_t *reply;
    int status;

    box_set(box, "process.cwd", json_string(bad[i]));
    reply = box_launch(box);
    assert_true(json_is_false(json_object_get(reply, "ok")));
    json_decref(reply);
    assert_int_equal(zl_proc_wait(&box->shim, &status, NULL), 0);
    box_free(box);
  }
  {
    struct box *box = BOX_SH("pwd; stat -c '%u %a' .");

    box_set(box, "process.cwd", json_string("/srv/made/here"));
    box_expect(box, 0);
    box_assert_output(box, "/srv/made/here\n0 755\n");
    box_free(box);
  }
}

/* ---- Identity ------------------------------------------------------------------------------ */

static void users_and_groups(void **state)
{
  static const struct {
    const char *user, *output;
  } cases[] = {
    { "user", "1000\n1000\n1000 2000\n/home/user\n" },
    { "0", "0\n0\n0\n/root\n" },
    { "4711", "4711\n0\n0\n/\n" },
    { "user:extra", "1000\n2000\n2000\n/home/user\n" },
  };

  (void)state;
  for (size_t i = 0; i < ZL_COUNT(cases); i++) {
    struct box *box = BOX_SH("id -u; id -g; id -G; echo $HOME");

    box_set(box, "zlayer.user", json_string(cases[i].user));
    box_expect(box, 0);
    box_assert_output(box, cases[i].output);
    box_free(box);
  }
  {
    struct box *box =
        BOX_SH("id -u; id -g; id -G; echo x > /dev/stdout; grep Cap /proc/self/status");

    box_set(box, "process.user",
            json_pack("{s:i, s:i, s:[i,i]}", "uid", 7, "gid", 8, "additionalGids", 9, 10));
    box_expect(box, 0);
    box_assert_output(box, "7\n8\n8 9 10\nx\nCapInh:\t0000000000000000\nCapPrm:\t0000000000000000\n"
                           "CapEff:\t0000000000000000\nCapBnd:\t00000000000020e3\n"
                           "CapAmb:\t0000000000000000\n");
    box_free(box);
  }
}

static void without_no_new_privileges(void **state)
{
  struct box *box = BOX_SH("grep -E '^(NoNewPrivs|Seccomp:)' /proc/self/status");

  (void)state;
  box_set(box, "process.noNewPrivileges", json_false());
  box_expect(box, 0);
  box_assert_output(box, "NoNewPrivs:\t0\nSeccomp:\t2\n");
  box_free(box);
}

static void unconfined(void **state)
{
  struct box *box = BOX_SH("grep -E '^Seccomp:' /proc/self/status");

  (void)state;
  box_set(box, "zlayer.seccomp", json_string("unconfined"));
  box_expect(box, 0);
  box_assert_output(box, "Seccomp:\t0\n");
  box_free(box);
}

/* ---- File systems -------------------------------------------------------------------------- */

static void read_only_root(void **state)
{
  struct box *box =
      BOX_SH("touch /x 2>/dev/null || echo ro; touch /dev/shm/x && echo shm;"
             "touch /proc/sys/kernel/hostname 2>/dev/null || echo sysctl;"
             "touch /sys/x 2>/dev/null || echo sys;"
             "mkdir /sys/fs/cgroup/x 2>/dev/null || echo cgroup;"
             "for d in /sys/fs/cgroup/*; do mkdir $d/x 2>/dev/null && echo open $d; done; :");

  (void)state;
  box_set(box, "root.readonly", json_true());
  box_expect(box, 0);
  box_assert_output(box, "ro\nshm\nsysctl\nsys\ncgroup\n");
  box_free(box);
}

static void own_cgroup_is_the_root(void **state)
{
  struct box *box = BOX_SH("cut -d: -f3 /proc/self/cgroup | sort -u;"
                           "cat /sys/fs/cgroup/pids/pids.max || cat /sys/fs/cgroup/pids.max");

  (void)state;
  box_expect(box, 0);
  box_assert_output(box, "/\n64\n");
  box_free(box);
}

static void bind_and_tmpfs_mounts(void **state)
{
  struct box *box = BOX_SH(
      "cat /data/file; echo new > /data/out; touch /ro/x 2>/dev/null || echo ro;"
      "touch /ro/sub/x 2>/dev/null || echo sub; cat /etc/onefile; stat -c %a /scratch;"
      "dd if=/dev/zero of=/scratch/big bs=64k count=32 2>/dev/null || echo full; ls /deep/er");
  char path[192];

  (void)state;
  (void)snprintf(path, sizeof(path), "%s/data", box->dir);
  assert_int_equal(mkdir(path, 0755), 0);
  box_add(
      box, "mounts",
      json_pack("{s:s, s:s, s:[s]}", "destination", "/data", "source", path, "options", "rbind"));
  box_add(box, "mounts",
          json_pack("{s:s, s:s, s:[s,s]}", "destination", "/ro", "source", path, "options", "rbind",
                    "rro"));
  box_add(box, "mounts",
          json_pack("{s:s, s:s, s:[s,s]}", "destination", "/deep/er", "source", path, "options",
                    "rbind", "ro"));
  (void)snprintf(path, sizeof(path), "%s/data/sub", box->dir);
  assert_int_equal(mkdir(path, 0755), 0);
  (void)snprintf(path, sizeof(path), "%s/data/file", box->dir);
  {
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);

    assert_true(write(fd, "content\n", 8) == 8);
    (void)close(fd);
  }
  box_add(box, "mounts",
          json_pack("{s:s, s:s, s:[s]}", "destination", "/etc/onefile", "source", path, "options",
                    "bind"));
  box_add(box, "mounts",
          json_pack("{s:s, s:s, s:s, s:[s,s,s]}", "destination", "/scratch", "type", "tmpfs",
                    "source", "tmpfs", "options", "size=1m", "mode=1750", "nosuid"));
  box_expect(box, 0);
  box_assert_output(box, "content\nro\nsub\ncontent\n1750\nfull\nfile\nout\nsub\n");
  box_free(box);
}

static void masked_paths(void **state)
{
  struct box *box = BOX_SH("cat /proc/keys /proc/timer_list | wc -c; ls /sys/firmware | wc -l;"
                           "ls /proc/scsi 2>/dev/null | wc -l; echo x > /proc/sysrq-trigger "
                           "2>/dev/null || echo refused");

  (void)state;
  box_expect(box, 0);
  box_assert_output(box, "0\n0\n0\nrefused\n");
  box_free(box);
}

static void host_mounts_are_gone(void **state)
{
  struct box *box = BOX_SH("cut -d' ' -f2 /proc/mounts | grep -vE '^/(proc|sys|dev|)($|/)'; :");

  (void)state;
  box_expect(box, 0);
  box_assert_output(box, "");
  box_free(box);
}

/* ---- Hostile images ------------------------------------------------------------------------ */

static void make_hostile_layer(const char *name, const char *link, const char *target)
{
  char path[256];

  (void)snprintf(path, sizeof(path), "%s/%s", box_home(), name);
  assert_int_equal(mkdir(path, 0755), 0);
  (void)snprintf(path, sizeof(path), "%s/%s/%s", box_home(), name, link);
  assert_int_equal(symlink(target, path), 0);
}

/* A layer above the real one makes /dev, /proc, … links to a directory of the host. The container
 * must not come into being, or must keep everything inside; the host's directory stays empty. */
static void links_in_place_of_system_directories(void **state)
{
  static const char *const names[] = { "dev", "proc", "sys" };
  char canary[128], layer[128], base[128];

  (void)state;
  (void)snprintf(canary, sizeof(canary), "%s/canary", box_home());
  (void)snprintf(base, sizeof(base), "%s/layer", box_home());
  assert_int_equal(mkdir(canary, 0777), 0);
  for (size_t i = 0; i < ZL_COUNT(names); i++) {
    struct box *box = BOX("true");
    char hostile[32];
    json_t *reply;
    int status;

    (void)snprintf(hostile, sizeof(hostile), "hostile-%s", names[i]);
    make_hostile_layer(hostile, names[i], canary);
    (void)snprintf(layer, sizeof(layer), "%s/%s", box_home(), hostile);
    box_set(box, "zlayer.layers", json_pack("[s,s]", layer, base));
    reply = box_launch(box);
    assert_true(json_is_false(json_object_get(reply, "ok")));
    json_decref(reply);
    assert_int_equal(zl_proc_wait(&box->shim, &status, NULL), 0);
    assert_int_equal(rmdir(canary), 0); /* empty */
    assert_int_equal(mkdir(canary, 0777), 0);
    box_free(box);
  }
}

/* A link to a directory of the host: what it names is made inside, and nothing there. */
static void mount_targets_stay_inside(void **state)
{
  struct box *box = BOX_SH("grep -c '/canary2/deep/mnt ' /proc/self/mountinfo");
  char canary[128], layer[128], base[128];

  (void)state;
  (void)snprintf(canary, sizeof(canary), "%s/canary2", box_home());
  (void)snprintf(base, sizeof(base), "%s/layer", box_home());
  assert_int_equal(mkdir(canary, 0777), 0);
  make_hostile_layer("hostile-lnk", "lnk", canary);
  (void)snprintf(layer, sizeof(layer), "%s/hostile-lnk", box_home());
  box_set(box, "zlayer.layers", json_pack("[s,s]", layer, base));
  box_add(box, "mounts",
          json_pack("{s:s, s:s, s:s}", "destination", "/lnk/deep/mnt", "type", "tmpfs", "source",
                    "tmpfs"));
  box_expect(box, 0);
  assert_int_equal(rmdir(canary), 0); /* empty */
  box_free(box);
}

static void null_device_of_the_image_is_not_used(void **state)
{
  struct box *box = BOX_SH("stat -c '%t:%T' /dev/null; cat /proc/keys | wc -c");
  char layer[128], base[128], path[256];

  (void)state;
  (void)snprintf(base, sizeof(base), "%s/layer", box_home());
  (void)snprintf(layer, sizeof(layer), "%s/hostile-null", box_home());
  assert_int_equal(mkdir(layer, 0755), 0);
  (void)snprintf(path, sizeof(path), "%s/dev", layer);
  assert_int_equal(mkdir(path, 0755), 0);
  (void)snprintf(path, sizeof(path), "%s/dev/null", layer);
  assert_int_equal(symlink("/proc/sys/kernel/core_pattern", path), 0);
  box_set(box, "zlayer.layers", json_pack("[s,s]", layer, base));
  box_expect(box, 0);
  box_assert_output(box, "1:3\n0\n");
  box_free(box);
}

static void a_volume_over_proc_is_refused(void **state)
{
  struct box *box = BOX("true");
  json_t *reply;
  int status;

  (void)state;
  box_add(box, "mounts",
          json_pack("{s:s, s:s, s:[s]}", "destination", "/proc", "source", box_home(), "options",
                    "rbind"));
  reply = box_launch(box);
  assert_true(json_is_false(json_object_get(reply, "ok")));
  json_decref(reply);
  assert_int_equal(zl_proc_wait(&box->shim, &status, NULL), 0);
  box_free(box);
}

/* ---- Our own program ----------------------------------------------------------------------- */

static void our_file_cannot_be_reached(void **state)
{
  struct box *box =
      BOX_SH("(: >> /proc/1/exe) 2>/dev/null && echo WRITABLE; readlink /proc/1/exe && echo SEEN;"
             "for f in /proc/1/fd/*; do readlink $f && echo FD; done; :");
  struct box *script = BOX("selfexe");
  char reason[32];
  struct stat before, after;
  int code;

  (void)state;
  assert_int_equal(stat(getenv("ZLAYER_SHIM"), &before), 0);
  box_set(box, "zlayer.init", json_true());
  box_expect(box, 0);
  box_assert_output(box, "");
  box_free(box);

  /* The kernel takes our image for the interpreter: it must end at once, without effect. */
  box_create(script);
  json_decref(box_ask(script, "{s:s}", "op", "start"));
  box_finish(script, &code, reason);
  assert_int_not_equal(code, 0);
  box_free(script);
  assert_int_equal(stat(getenv("ZLAYER_SHIM"), &after), 0);
  assert_int_equal(before.st_mtim.tv_nsec, after.st_mtim.tv_nsec);
  assert_int_equal(before.st_size, after.st_size);
}

static void namespaces_are_new(void **state)
{
  struct box *box = BOX_SH("hostname; echo $$; set -- /proc/[0-9]*; echo $#; ip -o link | wc -l;"
                           "ip -o addr show lo | grep -c 127.0.0.1");

  (void)state;
  box_expect(box, 0);
  box_assert_output(box, "box\n1\n1\n1\n1\n");
  box_free(box);
}

static void user_namespace(void **state)
{
  struct box *box =
      BOX_SH("id -u; cat /proc/self/uid_map | tr -s ' '; touch /made; stat -c %u /made /bin;"
             "echo x > /dev/null && echo null; mount -t tmpfs x /tmp 2>/dev/null || echo refused");
  char path[192];
  struct stat st;

  (void)state;
  box_add(box, "linux.namespaces", json_pack("{s:s}", "type", "user"));
  box_set(box, "linux.uidMappings",
          json_pack("[{s:i, s:i, s:i}]", "containerID", 0, "hostID", 100000, "size", 65536));
  box_set(box, "linux.gidMappings",
          json_pack("[{s:i, s:i, s:i}]", "containerID", 0, "hostID", 100000, "size", 65536));
  box_expect(box, 0);
  box_assert_output(box, "0\n 0 100000 65536\n0\n0\nnull\nrefused\n");
  (void)snprintf(path, sizeof(path), "%s/upper/made", box->dir);
  assert_int_equal(stat(path, &st), 0);
  assert_int_equal(st.st_uid, 100000);
  box_free(box);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(nothing_leaks_into_the_workload),
    cmocka_unit_test(created_process_holds_nothing_of_the_host),
    cmocka_unit_test(working_directories),
    cmocka_unit_test(users_and_groups),
    cmocka_unit_test(without_no_new_privileges),
    cmocka_unit_test(unconfined),
    cmocka_unit_test(read_only_root),
    cmocka_unit_test(own_cgroup_is_the_root),
    cmocka_unit_test(bind_and_tmpfs_mounts),
    cmocka_unit_test(masked_paths),
    cmocka_unit_test(host_mounts_are_gone),
    cmocka_unit_test(links_in_place_of_system_directories),
    cmocka_unit_test(mount_targets_stay_inside),
    cmocka_unit_test(null_device_of_the_image_is_not_used),
    cmocka_unit_test(a_volume_over_proc_is_refused),
    cmocka_unit_test(our_file_cannot_be_reached),
    cmocka_unit_test(namespaces_are_new),
    cmocka_unit_test(user_namespace),
  };

  return cmocka_run_group_tests(tests, box_group_begin, box_group_end);
}
