#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What callers of crun rely on beside the specification: annotations, socket activation, hooks, `delete --regex`."""
import array
import contextlib
import json
import os
import pathlib
import socket
import subprocess
import time

from ocibox import LIBC, TIMEOUT, V2, all_cases, case, check, contains, equal, main, needs, ours, status_of

CLONE_NEWNET = 0x40000000


def hook(text, **more):
    return {"path": "/bin/sh", "args": ["sh", "-c", text], **more}


def receive(server):
    """The text and the descriptor that come over a unix socket."""
    peer, _ = server.accept()
    with peer:
        text, control, _, _ = peer.recvmsg(65536, socket.CMSG_SPACE(4))
    check(len(control) == 1, f"{len(control)} control messages")
    return text.decode(), array.array("i", control[0][2][:4])[0]


def listen(box, name):
    server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    server.bind(str(box.top / name))
    server.listen(1)
    server.settimeout(TIMEOUT)
    box.cleanups.append(server.close)
    return server


@case
def groups_of_the_caller_are_kept(box):
    os.setgroups([1, 2, 3])
    try:
        equal(status_of(box.args("cat", "/proc/self/status").run().stdout)["Groups"], "")
        box.config["annotations"] = {"run.oci.keep_original_groups": "1"}
        equal(status_of(box.run().stdout)["Groups"].split(), ["1", "2", "3"])
        box.config["annotations"] = {"run.oci.keep_original_groups": "0"}
        equal(status_of(box.run().stdout)["Groups"], "")
        box.config["annotations"] = {"run.oci.keep_original_groups": "1"}
        box.user_namespace().refused("run.oci.keep_original_groups")
    finally:
        os.setgroups([])


@case
def hooks_without_an_environment_have_the_callers(box):
    box.config["hooks"] = {"prestart": [hook(f"env >{box.top}/prestart")],
                           "poststop": [hook(f"env >{box.top}/poststop", env=["A=1"])]}
    box.args("true").run(env={**os.environ, "OF_THE_CALLER": "x"})
    contains((box.top / "prestart").read_text(), "OF_THE_CALLER=x")
    check("OF_THE_CALLER" not in (box.top / "poststop").read_text(), "an environment that was given is not all")


@case
@ours
def a_hook_inside_sees_nothing_of_the_host(box):
    box.config["hooks"] = {"startContainer": [{"path": "/bin/sh", "args": ["sh", "-c", "env >/tmp/env"]}]}
    text = box.output("cat /tmp/env", env={**os.environ, "OF_THE_CALLER": "x"})
    check("OF_THE_CALLER" not in text, text)


@case
@ours
def annotations_name_no_files_for_hooks(box):
    """Who may annotate a pod may not make root write to the host."""
    box.config["hooks"] = {"prestart": [hook("echo one; echo two >&2")]}
    box.config["annotations"] = {"run.oci.hooks.stdout": f"{box.top}/out", "run.oci.hooks.stderr": f"{box.top}/err"}
    box.args("true").run()
    check(not (box.top / "out").exists() and not (box.top / "err").exists(), "a file was written")


@case
@ours
def failing_hooks_at_the_end_are_told(box):
    box.config["hooks"] = {"poststop": [hook("exit 3"), hook(f"touch {box.top}/next")]}
    contains(box.args("true").run().stderr, "poststop hook failed with exit code 3")
    check((box.top / "next").exists(), "the next hook")


@case
@ours
def a_failing_poststart_hook_destroys_the_container(box):
    box.config["hooks"] = {"poststart": [hook("exit 1")], "poststop": [hook(f"touch {box.top}/stopped")]}
    box.args("sleep", "1000").create()
    contains(box.start(ok="fail").stderr, "poststart hook")
    equal(box.states(), [])
    check((box.top / "stopped").exists(), "the poststop hook")


@case
@ours
def a_failing_creation_runs_the_poststop_hooks(box):
    box.config["hooks"] = {"createRuntime": [hook("exit 1")], "poststop": [hook(f"cat >{box.top}/doc")]}
    box.args("true").refused("createRuntime hook failed")
    equal(json.loads((box.top / "doc").read_text())["status"], "stopped")


@case
def hooks_know_the_bundle_by_the_path_that_was_given(box):
    link = box.top / "link"
    link.symlink_to(box.bundle)
    box.config["hooks"] = {"prestart": [hook(f"cat >{box.top}/doc")]}
    box.args("true").write_config()
    box.oci("run", "--bundle", link, box.id)
    equal(json.loads((box.top / "doc").read_text())["bundle"], str(link))
    box.oci("run", box.id, cwd=box.bundle)
    equal(json.loads((box.top / "doc").read_text())["bundle"], str(box.bundle))


@case
def sockets_of_an_activation_are_passed_on(box):
    ends = os.pipe()
    os.dup2(ends[0], 3)
    os.set_inheritable(3, True)
    try:
        text = box.output("echo $LISTEN_FDS $LISTEN_PID; readlink /proc/self/fd/3", env={**os.environ, "LISTEN_FDS": "1"},
                          pass_fds=[3])
    finally:
        for fd in {*ends, 3}:
            os.close(fd)
    lines = text.splitlines()
    equal(lines[0], "1 1")
    contains(lines[1], "pipe:")


@case
@ours
def sockets_of_an_activation_are_a_number(box):
    box.args("true").refused("LISTEN_FDS", env={**os.environ, "LISTEN_FDS": "many"})


@case
@ours
def descriptors_that_are_not_open_are_passed_over(box):
    equal(box.args("helper", "fds").run("--preserve-fds", "40").stdout, "0 1 2 \n")


@case
@ours
def a_user_namespace_without_mappings_maps_root(box):
    box.linux["namespaces"].append({"type": "user"})
    for mount in box.config["mounts"]:
        mount["options"] = [word for word in mount.get("options", []) if word != "gid=5"]
    equal(box.output("tr -s ' ' </proc/self/uid_map; tr -s ' ' </proc/self/gid_map; id -u").split(), "0 0 1 0 0 1 0".split())


@case
@ours
def devices_that_the_host_has_not_in_a_user_namespace(box):
    box.user_namespace()
    box.linux["devices"] = [{"path": "/dev/own", "type": "c", "major": 1, "minor": 3, "uid": 10, "gid": 11, "fileMode": 0o640},
                            {"path": "/dev/pipe", "type": "p"}]
    equal(box.output("stat -c '%F %u %g %a %t:%T' /dev/own; stat -c '%F %u %g' /dev/pipe; cat /dev/own; grep -c own /proc/mounts"),
          "character special file 10 11 640 1:3\nfifo 0 0\n1")
    check("zlayer" not in pathlib.Path("/proc/self/mounts").read_text(), "a mount is left on the host")


@contextlib.contextmanager
def service(box):
    """The manager of a service: its socket, and the environment that names it."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(str(box.top / "manager"))
        sock.settimeout(TIMEOUT)
        yield sock, {**os.environ, "NOTIFY_SOCKET": str(box.top / "manager")}


@case
def readiness_is_told_to_the_manager(box):
    with service(box) as (sock, env):
        text = box.output("echo $NOTIFY_SOCKET; helper datagram $NOTIFY_SOCKET 'STATUS=x'; helper datagram $NOTIFY_SOCKET READY=1",
                          env=env)
        equal(text, f"{box.top}/manager/notify")
        equal(sock.recv(100).decode().split("\n")[0], "READY=1")


@case
@ours
def a_start_waits_for_readiness(box):
    with service(box) as (sock, env):
        box.script("helper datagram $NOTIFY_SOCKET READY=1; exec sleep 1000").create(env=env)
        box.start(env=env)
        sock.setblocking(False)
        equal(sock.recv(100), b"READY=1")
        box.delete("--force")
        box.args("true").create(env=env)
        box.start(env=env)  # it ends without a word, and nobody waits for ever
        box.delete("--force")


@contextlib.contextmanager
def own_network():
    """This process, and who it starts, in a network namespace of its own."""
    with open("/proc/self/ns/net") as before:
        check(LIBC.unshare(CLONE_NEWNET) == 0, "unshare")
        try:
            yield
        finally:
            check(LIBC.setns(before.fileno(), CLONE_NEWNET) == 0, "setns")


def ip(*words):
    subprocess.run(["ip", *words], check=True, timeout=TIMEOUT)


@case
@ours
def links_of_the_host_become_the_containers(box):
    with own_network():
        for user in (False, True):
            ip("link", "add", "zlown", "type", "veth", "peer", "name", f"zlpeer{user:d}")
            ip("addr", "add", "10.1.2.3/24", "brd", "10.1.2.254", "dev", "zlown")
            ip("addr", "add", "10.9.9.9/32", "dev", "zlown")
            box.linux["netDevices"] = {"zlown": {"name": "inside"}}
            if user:
                box.user_namespace()
            text = box.output("ip addr show inside; ip link show zlown || true")
            contains(text, "inet 10.1.2.3/24 brd 10.1.2.254 ")
            contains(text, "inet 10.9.9.9/32 ")
            contains(text, ",UP")
        box.refused("linux.netDevices", "zlown")  # it went with the namespace
        ip("link", "add", "zlown", "type", "veth", "peer", "name", "zlpeer")
        box.linux["netDevices"] = {"zlown": {"name": "lo"}}
        box.refused("linux.netDevices", "zlown")
        ip("link", "show", "zlown")  # still there
    box.linux["netDevices"] = {"zlown": 1}
    box.refused("linux.netDevices.zlown")
    box.without_namespace("network").refused("linux.netDevices: need a network namespace")


@case
@ours
def one_that_is_not_described_yet_is_not_there(box):
    """What a creator leaves that was killed at once: `state` and `start` never meet in between, `delete` removes it."""
    (box.root / box.id).mkdir(parents=True)
    contains(box.oci("state", box.id, ok="fail").stderr, "does not exist")
    equal(json.loads(box.oci("list", "--format", "json").stdout), [])
    box.delete("--force")
    equal(box.states(), [])


@case
def many_are_deleted_by_an_expression(box):
    names = [f"{box.prefix}-{i}" for i in "abc"]
    for box.id in names:
        box.detach()
    box.oci("delete", "--force", "--regex", f"{box.prefix}-[ab]$")
    equal(box.states(), names[2:])
    box.oci("delete", "--force", "--regex", "[", ok="fail")


@case
@ours
def ids_are_checked(box):
    for name in (".", "..", ".a", "a b", "a/b", "", "x" * 300):
        contains(box.oci("state", name, ok="fail").stderr, "invalid")
    contains(box.oci("state", "a/b", ok="fail").stderr, "invalid character `/` in the ID")


@case
@needs(not V2, "a frozen cgroup of v1")
def one_that_was_frozen_elsewhere_is_deleted(box):
    box.detach()
    folder = pathlib.Path(f"/sys/fs/cgroup/freezer/{box.prefix}-elsewhere")
    folder.mkdir()
    box.cleanups.append(folder.rmdir)
    (folder / "cgroup.procs").write_text(str(box.pid()))
    (folder / "freezer.state").write_text("FROZEN")
    began = time.monotonic()
    box.delete("--force")
    check(time.monotonic() - began < 8, "it took as long as the patience lasts")


@case
@ours
def a_listener_is_told_of_a_filter_that_asks_nothing(box):
    server = listen(box, "listener")
    box.linux["seccomp"] = {"defaultAction": "SCMP_ACT_ALLOW", "listenerPath": str(box.top / "listener"), "listenerMetadata": "m"}
    box.detach()
    text, fd = receive(server)
    os.close(fd)
    doc = json.loads(text)
    equal((doc["metadata"], doc["fds"], doc["state"]["id"], doc["state"]["status"]), ("m", ["seccompFd"], box.id, "creating"))
    box.delete("--force")
    box.linux["seccomp"]["listenerPath"] = "/nowhere"
    equal(box.output("echo runs"), "runs")


if __name__ == "__main__":
    main(all_cases(globals()))
