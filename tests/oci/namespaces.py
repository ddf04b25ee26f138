#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Namespaces: new, joined by a path, absent; user namespaces and their mappings; sysctls."""
import os
import pathlib
import time

from ocibox import LIBC, OURS, V2, all_cases, case, check, contains, equal, main, ours

FILES = {"pid": "pid", "network": "net", "ipc": "ipc", "uts": "uts", "mount": "mnt", "cgroup": "cgroup", "user": "user", "time": "time"}


def own(kind):
    return os.readlink(f"/proc/self/ns/{FILES[kind]}")


def inside(box, kind):
    """The namespace of the running container, as the host names it."""
    return os.readlink(f"/proc/{box.pid()}/ns/{FILES[kind]}")


@case
def all_are_new(box):
    box.detach()
    for kind in ("pid", "network", "ipc", "uts", "mount", "cgroup"):
        check(inside(box, kind) != own(kind), f"{kind} is the host's")
    for kind in ("user", "time"):
        equal(inside(box, kind), own(kind), kind)


@case
def an_absent_one_is_the_callers(box):
    del box.config["hostname"]
    for kind in ("pid", "network", "ipc", "uts", "cgroup"):
        box.without_namespace(kind)
    box.detach()
    for kind in ("pid", "network", "ipc", "uts", "cgroup"):
        equal(inside(box, kind), own(kind), kind)
    check(inside(box, "mount") != own("mount"), "the mount namespace is always new")


@case
def each_alone_can_be_absent(box):
    del box.config["hostname"]
    for kind in ("pid", "network", "ipc", "uts", "cgroup"):
        box.linux["namespaces"] = [{"type": k} for k in ("pid", "network", "ipc", "uts", "mount", "cgroup") if k != kind]
        box.detach()
        equal(inside(box, kind), own(kind), kind)
        box.delete("--force")


@case
def one_is_joined_by_its_path(box):
    """A second container in the namespaces of the first, one kind at a time."""
    box.detach()
    first, pid, name = box.id, box.pid(), box.config.pop("hostname")
    check(name, "the first has a name")
    for kind in ("pid", "network", "ipc", "uts", "cgroup"):
        box.id = f"{box.prefix}-second"
        box.linux["namespaces"] = [{"type": k} for k in ("pid", "network", "ipc", "uts", "mount", "cgroup") if k != kind]
        box.linux["namespaces"].append({"type": kind, "path": f"/proc/{pid}/ns/{FILES[kind]}"})
        box.detach()
        equal(inside(box, kind), os.readlink(f"/proc/{pid}/ns/{FILES[kind]}"), kind)
        if kind != "pid":
            check(inside(box, "pid") != os.readlink(f"/proc/{pid}/ns/pid"), "the others are its own")
        box.exec("true")
        box.delete("--force")
    box.id = first


@case
def one_is_joined_by_a_bound_file(box):
    """As Podman and CNI keep network namespaces: a bind mount of the namespace's file."""
    target = box.top / "netns"
    target.touch()
    box.detach()
    check(LIBC.mount(f"/proc/{box.pid()}/ns/net".encode(), str(target).encode(), b"none", 4096, None) == 0, "bind")
    box.cleanups.append(lambda: LIBC.umount2(str(target).encode(), 2))
    expected = inside(box, "network")
    box.id = f"{box.prefix}-second"
    box.join_namespace("network", target).detach()
    equal(inside(box, "network"), expected)


@case
def a_path_of_another_kind_is_refused(box):
    box.join_namespace("network", f"/proc/{os.getpid()}/ns/ipc").args("true").refused("ipc" if OURS else "")


@case
def a_missing_path_is_refused(box):
    box.join_namespace("network", "/no/such/ns").args("true").refused("/no/such/ns")


@case
def loopback_is_up(box):
    contains(box.output("ip addr show lo"), "127.0.0.1")
    contains(box.output("cat /proc/net/dev"), "lo:")


@case
def the_network_of_the_host_is_not_changed(box):
    before = pathlib.Path("/proc/net/dev").read_text().count("\n")
    box.args("true").run()
    equal(pathlib.Path("/proc/net/dev").read_text().count("\n"), before)


@case
def pid_namespace_of_its_own(box):
    equal(box.output("ps | wc -l").strip() in ("3", "4"), True)


@case
def cgroup_namespace_of_its_own(box):
    text = box.args("cat", "/proc/self/cgroup").run().stdout
    for line in text.splitlines():
        path = line.split(":", 2)[2]
        check(box.prefix not in path, line)


@case
def user_namespace(box):
    box.user_namespace()
    out = box.output("id -u; id -g; awk '{print $1,$2,$3}' /proc/self/uid_map /proc/self/gid_map")
    equal(out, "0\n0\n0 100000 65536\n0 100000 65536")


@case
def user_namespace_owns_its_processes(box):
    box.user_namespace().detach()
    equal(pathlib.Path(f"/proc/{box.pid()}/status").read_text().split("Uid:\t")[1].split()[0], "100000")


@case
def user_namespace_with_another_user(box):
    box.user_namespace()
    box.process["user"] = {"uid": 1000, "gid": 1000, "additionalGids": [5]}
    equal(box.output("id -u; id -G"), "1000\n1000 5")


@case
def user_namespace_with_several_ranges(box):
    box.linux["namespaces"].append({"type": "user"})
    box.linux["uidMappings"] = [{"containerID": 0, "hostID": 100000, "size": 10}, {"containerID": 10, "hostID": 200000, "size": 5}]
    box.linux["gidMappings"] = [{"containerID": 0, "hostID": 300000, "size": 10}]
    equal(box.output("awk '{print $1,$2,$3}' /proc/self/uid_map"), "0 100000 10\n10 200000 5")
    equal(box.output("awk '{print $1,$2,$3}' /proc/self/gid_map"), "0 300000 10")


@case
def user_namespace_without_mappings_is_refused(box):
    box.linux["namespaces"].append({"type": "user"})
    box.args("true").refused()


@case
def mappings_without_a_user_namespace_are_refused(box):
    box.linux["uidMappings"] = box.linux["gidMappings"] = [{"containerID": 0, "hostID": 100000, "size": 10}]
    box.args("true").refused("uidMappings" if OURS else "")


@case
def user_namespace_binds_what_its_root_could_not_reach(box):
    for name in ("one", "two"):
        (box.top / name / "dir").mkdir(parents=True)
        (box.top / name / "dir" / "file").write_text(name)
        (box.top / name).chmod(0o700)
        (box.rootfs / name).mkdir()  # the container's root may not make it in a directory of the host's
        box.mount(f"/{name}", "bind", box.top / name / "dir")
    box.user_namespace()
    equal(box.output("cat /one/file /two/file"), "onetwo")
    box.args("sleep", "1000").detach()
    equal(box.inside("cat /one/file /two/file"), "onetwo")


@case
def user_namespace_with_the_identity(box):
    box.user_namespace(0, 4294967295)
    equal(box.output("id -u; test -c /dev/null && echo x > /dev/null && echo null"), "0\nnull")


@case
def user_namespace_without_a_cgroup_namespace(box):
    box.user_namespace().without_namespace("cgroup")
    (box.rootfs / "beside").mkdir()
    box.mount("/beside", "tmpfs", "tmpfs")
    own = f"/sys/fs/cgroup/*/{box.id}/cgroup.procs /sys/fs/cgroup/{box.id}/cgroup.procs" if V2 else "/sys/fs/cgroup/pids/cgroup.procs"
    contains(box.output(f"cat {own} 2>/dev/null; true").split(), "1")


@case
def user_namespace_may_not_do_what_the_host_may(box):
    box.user_namespace()
    box.capabilities(**{name: ["CAP_SYS_ADMIN", "CAP_MKNOD", "CAP_SYS_TIME"] for name in ("bounding", "effective", "permitted")})
    before = time.time()
    box.output("mknod /tmp/n b 8 0; date -s 2020-01-01; true", ok=0)
    check(time.time() >= before, "the clock was set")
    check(not (box.rootfs / "tmp" / "n").exists(), "a block device was made")


@case
def a_user_namespace_is_joined(box):
    box.user_namespace().detach()
    pid, first = box.pid(), inside(box, "user")
    box.id = f"{box.prefix}-second"
    box.linux["namespaces"] = [ns for ns in box.linux["namespaces"] if ns["type"] != "user"] + [
        {"type": "user", "path": f"/proc/{pid}/ns/user"}]
    for with_maps in (True, False):
        if not with_maps:
            del box.linux["uidMappings"], box.linux["gidMappings"]
        box.args("sleep", "1000").detach()
        equal(inside(box, "user"), first)
        equal(box.inside("id -u"), "0")
        box.delete("--force")


@case
def a_new_time_namespace(box):
    box.linux["namespaces"].append({"type": "time"})
    box.detach()
    check(inside(box, "time") != own("time"), "the time namespace is the host's")
    box.exec("true")


@case
def sysctls(box):
    box.linux["sysctl"] = {"net.ipv4.ip_forward": "1", "net.ipv4.ping_group_range": "0 5", "kernel.msgmax": "4096",
                           "kernel.shmmax": "65536", "fs.mqueue.queues_max": "100", "net/ipv4/ip_default_ttl": "33"}
    out = box.output("cat /proc/sys/net/ipv4/ip_forward /proc/sys/net/ipv4/ping_group_range /proc/sys/kernel/msgmax "
                     "/proc/sys/kernel/shmmax /proc/sys/fs/mqueue/queues_max /proc/sys/net/ipv4/ip_default_ttl")
    equal(out.split(), ["1", "0", "5", "4096", "65536", "100", "33"])
    equal(pathlib.Path("/proc/sys/kernel/msgmax").read_text() != "4096\n", True)


@case
def sysctls_of_the_host_are_refused(box):
    for key in ("kernel.core_pattern", "vm.swappiness", "kernel.foo", "bar.baz", "fs.baz", "kernel.hostname", "fs.file-max"):
        box.linux["sysctl"] = {key: "1"}
        box.args("true").refused(key)


@case
def sysctls_without_their_namespace_are_refused(box):
    original = [dict(ns) for ns in box.linux["namespaces"]]
    for kind, key in (("network", "net.ipv4.ip_forward"), ("ipc", "kernel.msgmax"), ("ipc", "fs.mqueue.queues_max"),
                      ("uts", "kernel.domainname")):
        box.linux["namespaces"] = [dict(ns) for ns in original]
        box.without_namespace(kind)
        box.config.pop("hostname", None)
        box.linux["sysctl"] = {key: "1"}
        box.args("true").refused(key)


@case
def a_sysctl_value_is_one_value(box):
    box.linux["sysctl"] = {"net.ipv4.ip_forward": "1\nkernel.core_pattern=x"}
    before = pathlib.Path("/proc/sys/kernel/core_pattern").read_text()
    box.args("true").run(ok="fail")
    equal(pathlib.Path("/proc/sys/kernel/core_pattern").read_text(), before)


@case
def a_sysctl_path_stays_below(box):
    for key in ("net/../kernel/core_pattern", "net.ipv4/../../kernel/core_pattern", "net...kernel", "/net/ipv4/ip_forward"):
        box.linux["sysctl"] = {key: "1"}
        box.args("true").run(ok="fail")


@case
@ours
def no_mount_namespace_is_refused(box):
    box.without_namespace("mount").args("true").refused("mount namespace")


if __name__ == "__main__":
    main(all_cases(globals()))
