#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""zlayer-oci-vm: bundles in machines, by hand, under Podman with conmon, and under containerd's shim. The programs are
copied to where an installation has them, since callers pass no environment on."""
import atexit
import contextlib
import functools
import json
import os
import pathlib
import platform
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

from zltest import BUILD, SOURCE, check, helpers, main, terminal, wait_for

HOME = pathlib.Path(tempfile.mkdtemp(prefix="zlayer-oci-vm-"))
RUNTIME = HOME / "zlayer-oci-vm"
GUESTS = pathlib.Path(os.environ.get("ZLAYER_GUEST_DIR", SOURCE / "build/guest")).resolve()
os.environ["OCI_RUNTIME"] = os.environ["ZLAYER_OCI"] = str(RUNTIME)
sys.path.insert(0, str(SOURCE / "tests/oci"))
import ocibox  # noqa: E402 (it reads the environment)
import oci_containerd  # noqa: E402
import oci_podman  # noqa: E402

WAITING = "trap 'echo term; exit 5' TERM; echo up; while :; do sleep 0.1; done"
TAP_HOST, TAP_POD = "10.78.0.1", "10.78.0.2"
BULK = 4 << 20
PR_SET_CHILD_SUBREAPER = 36


def install():
    """In the process that runs the cases, which is the second one (zltest.isolate)."""
    atexit.register(shutil.rmtree, HOME, ignore_errors=True)
    for name in ("zlayer-oci-vm", "zlayer-shim", "zlayer-shim-vm"):
        shutil.copy2(BUILD / name, HOME / name)
    (HOME / "guest").symlink_to(GUESTS)


def by_hand(case):
    """The case has a box of tests/oci and leaves nothing: no process, mount, cgroup, state."""
    def checked(box):
        case(box)
        box.tidy()
        wait_for(lambda: not helpers(box.root), 10, "the end of shim and machine")

    @functools.wraps(case)
    def test():
        ocibox.run_case(checked, case.__name__[:20])
    return test


def children(pid):
    """Of the process and its descendants: {name: pid}."""
    found = {}
    for child in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        found[pathlib.Path(f"/proc/{child}/comm").read_text().strip()] = int(child)
        found.update(children(child))
    return found


def parts(box):
    """The processes of a machine: what stands for the container's first one, the shim, QEMU."""
    pid = box.pid()
    found = children(pid)
    return pid, found["zlayer-shim-vm"], next(p for name, p in found.items() if name.startswith("qemu"))


def is_alive(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


# ---- By hand ---------------------------------------------------------------------------------------


@by_hand
def another_kernel_and_the_exit_code(box):
    done = box.script("uname -r; id -u; cat; echo error >&2; exit 7").run(input="given\n", ok=7)
    kernel, *rest = done.stdout.splitlines()
    check(kernel != platform.release() and "zlayer" in kernel, f"kernel {kernel}")
    check(rest == ["0", "given"] and done.stderr == "error\n", f"{done}")


@by_hand
def what_it_writes_is_in_the_bundle(box):
    box.capabilities(**{name: ["CAP_CHOWN", "CAP_DAC_OVERRIDE"] for name in ("bounding", "effective", "permitted")})
    box.script("echo kept > /root/file; busybox ln /root/file /root/second; chown 5:6 /root/file; ln -s file /root/link; rm /etc/group").run()
    file = box.rootfs / "root/file"
    check(file.read_text() == "kept\n" and (file.stat().st_uid, file.stat().st_nlink) == (5, 2), f"{file.stat()}")
    check((box.rootfs / "root/link").is_symlink() and not (box.rootfs / "etc/group").exists(), "link, removal")
    box.config["root"]["readonly"] = True
    check("Read-only" in box.script("echo > /new").run(ok=1).stderr, "a read-only root")


@by_hand
def what_it_writes_is_on_a_disk_of_the_machine(box):
    box.config["annotations"] = {"org.zlayer.rootfs": "scratch"}
    out = box.output("mkfifo /root/pipe && rm /etc/group && echo new > /etc/passwd && cat /etc/passwd && df / | grep -c overlay")
    check(out == "new\n1", out)
    check(list((box.rootfs / "root").iterdir()) == [] and "root:" in (box.rootfs / "etc/passwd").read_text(), "the bundle")
    box.config["annotations"]["org.zlayer.rootfs"] = "other"
    box.refused("annotations.org.zlayer.rootfs", "'other'")


@by_hand
def create_start_kill_delete(box):
    out = box.top / "out"
    with open(out, "wb") as file:
        box.script(WAITING).create("--pid-file", box.top / "pid", stdout=file)
    check(box.status() == "created" and box.pid() == int((box.top / "pid").read_text()), "created")
    check(out.read_text() == "", "it runs before its start")
    box.start()
    wait_for(lambda: out.read_text() == "up\n", 20, "its start")
    check(box.status() == "running", "running")
    box.delete(ok=1)
    box.kill("TERM")
    box.wait_status("stopped")
    check(out.read_text() == "up\nterm\n", "its trap")
    box.kill("TERM", ok=1)
    box.delete()
    check(box.states() == [], "state")


@by_hand
def the_end_is_that_of_the_program(box):
    """What stands for it is waited for by whoever adopts it, as if it were the program."""
    check(ocibox.LIBC.prctl(PR_SET_CHILD_SUBREAPER, 1) == 0, "prctl")
    for script, status in (("exit 9", 9), (WAITING, -signal.SIGKILL)):
        box.script(script).create()
        pid = box.pid()
        box.start()
        if status < 0:
            box.kill("KILL")
        check(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == status, f"the end of '{script}'")
        box.delete()
    ocibox.LIBC.prctl(PR_SET_CHILD_SUBREAPER, 0)


@by_hand
def exec_and_its_signals(box):
    box.detach()
    check(box.exec("sh", "-c", "cat; id -u; exit 4", flags=["-u", "3:4"], input="in\n", ok=4).stdout == "in\n3\n", "exec")
    box.exec("nosuch", ok=255)
    box.exec("/etc/passwd", ok=255)
    box.exec("sleep", "1001", flags=["-d", "--pid-file", box.top / "exec.pid"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    pid = int((box.top / "exec.pid").read_text())
    os.kill(pid, signal.SIGTERM)
    wait_for(lambda: not is_alive(pid), 20, "SIGTERM for an exec")
    check("sleep 1001" not in box.inside("ps"), "it is passed on")
    box.exec("sleep", "1002", flags=["-d", "--pid-file", box.top / "exec.pid"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    check("sleep 1002" in box.inside("ps"), "exec")
    os.kill(int((box.top / "exec.pid").read_text()), signal.SIGKILL)
    wait_for(lambda: "sleep 1002" not in box.inside("ps"), 20, "the end of the exec in the machine")


@by_hand
def terminals(box):
    box.script("tty; stty size; read x; echo [$x]; stty size; exit 6")
    box.process["terminal"] = True
    box.process["consoleSize"] = {"height": 30, "width": 90}
    console = ocibox.Console(box)
    box.create("--console-socket", console.path)
    master = console.receive()
    box.start()
    text = ocibox.read_until(master, "30 90")
    check("/dev/pts/0" in text, text)
    os.write(master, b"typed\n")
    check("[typed]" in ocibox.read_until(master, "]"), "input")
    box.wait_status("stopped")
    box.delete()
    box.process["terminal"] = False
    box.script(WAITING).detach()
    code, shown = terminal(box.command("exec", "-t", box.id, "sh", "-c", "tty; read x; echo [$x]; exit 3"), b"typed\n")
    check(code == 3 and "/dev/pts/" in shown and "[typed]" in shown, f"{code} {shown}")


@by_hand
def binds_of_directories_and_files(box):
    folder = box.top / "folder"
    folder.mkdir()
    (folder / "old").write_text("old\n")
    (box.top / "one").write_text("one\n")
    (box.top / "log").write_text("")
    box.mount("/dir", "bind", folder, "rbind", "rw").mount("/ro", "bind", folder, "bind", "ro")
    box.mount("/etc/one", "bind", box.top / "one", "bind", "ro").mount("/dev/log-file", "bind", box.top / "log", "bind")
    box.script("cat /dir/old /etc/one; echo new > /dir/new; echo told > /dev/log-file; touch /ro/x || touch /etc/one || echo refused; "
               "while [ ! -e /ro/later ]; do sleep 0.1; done; cat /ro/later")
    box.write_config()
    process = box.spawn("run", "--bundle", box.bundle, box.id, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    wait_for(lambda: (box.top / "log").read_text() == "told\n", 20, "the file that it writes to")
    check((folder / "new").read_text() == "new\n", "the directory that it writes to")
    (folder / "later").write_text("later\n")
    out, _ = process.communicate(timeout=30)
    check(out == "old\none\nrefused\nlater\n", out)


@by_hand
def pause_and_limits(box):
    box.resources["memory"] = {"limit": 64 << 20}
    box.resources["cpu"] = {"quota": 200000, "period": 100000, "shares": 512}
    box.resources["pids"] = {"limit": 20}
    box.script(WAITING).detach()
    check(box.inside("nproc") == "2", "processors")
    check(box.inside("cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/pids.max") == f"{64 << 20}\n20", "limits of the container")
    if not ocibox.V2:
        check(box.cgroup_value("cpu.shares", "cpu") == "512", "shares, between this host's processes")
    box.oci("pause", box.id)
    check(box.status() == "paused", "paused")
    box.exec("true", ok=255)
    box.oci("resume", box.id)
    check(box.status() == "running" and box.inside("echo on") == "on", "resumed")
    check("cannot be changed" in box.oci("update", "--memory", "128m", box.id, ok=1).stderr, "update")


@by_hand
def the_death_of_each_part_ends_all(box):
    for part in range(3):
        box.script(WAITING).detach()
        pids = parts(box)
        os.kill(pids[part], signal.SIGKILL)
        wait_for(lambda: not any(map(is_alive, pids)), 20, f"the end after part {part}")
        check(box.status() == "stopped", "status")
        box.delete()


@by_hand
def a_killed_create_leaves_no_process(box):
    box.write_config()
    begun = time.monotonic()
    box.create()
    whole = time.monotonic() - begun
    box.delete("--force")
    for part in (0.05, 0.3, 0.6):
        process = box.spawn("create", "--bundle", box.bundle, box.id, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(part * whole)
        process.kill()
        if process.wait() != 0:  # else it was faster than the first time: a container like any other
            wait_for(lambda: not helpers(box.root), 10, "the end of what it had started")
        box.delete("--force")
        check(box.states() == [] and box.cgroups() == [], "delete --force")


@by_hand
def delete_by_force(box):
    box.script(WAITING).detach()
    pids = parts(box)
    box.delete("--force")
    check(not any(map(is_alive, pids)) and box.states() == [] and box.cgroups() == [], "delete --force")
    box.create()
    box.delete("--force")


@by_hand
def what_no_machine_can_have_is_refused(box):
    clean = ocibox.deep(box.config)

    def refuse(*texts, flags=()):
        box.refused(*texts) if not flags else check(texts[0] in box.run(*flags, ok="fail").stderr, texts[0])
        box.config = ocibox.deep(clean)

    for kind in ("pid", "network", "ipc", "uts"):
        box.without_namespace(kind).config.pop("hostname")
        refuse(f"linux.namespaces: {kind}", "the host's")
    box.join_namespace("ipc", "/proc/self/ns/ipc")
    refuse("linux.namespaces: ipc", "another process")
    box.user_namespace()
    refuse("linux.namespaces: user")
    box.linux["devices"] = [{"path": "/dev/disk", "type": "b", "major": 7, "minor": 0}]
    refuse("linux.devices", "/dev/disk")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(box.top / "socket"))
        box.mount("/socket", "bind", box.top / "socket", "bind")
        refuse("/socket", "neither a directory nor a file")
    box.mount("/host", "bind", "/sys", "rbind")
    refuse("/host", "/sys")
    box.mount("/shared", "bind", box.top, "rbind", "rshared")
    refuse("/shared", "shared")
    box.mount("/disk", "ext4", "/dev/loop0")
    refuse("/disk", "ext4")
    box.config["hooks"] = {"createContainer": [{"path": "/bin/true"}]}
    refuse("hooks.createContainer")
    box.process["apparmorProfile"] = "some"
    refuse("process.apparmorProfile")
    box.resources["unified"] = {"memory.high": "1"}
    refuse("linux.resources.unified")
    refuse("--preserve-fds", flags=["--preserve-fds", "1"])
    features = json.loads(box.oci("features").stdout)
    check("user" not in features["linux"]["namespaces"] and "startContainer" not in features["hooks"] and
          "poststop" in features["hooks"] and "rshared" not in features["mountOptions"], "features")


@by_hand
def hooks_of_the_host(box):
    log = box.top / "hooks"
    for phase in ("prestart", "createRuntime", "poststart", "poststop"):
        box.config.setdefault("hooks", {})[phase] = [{"path": "/bin/sh", "args": ["sh", "-c", f"echo {phase} $(cat) >> {log}"]}]
    box.args("true").run()
    lines = log.read_text().splitlines()
    check([line.split()[0] for line in lines] == ["prestart", "createRuntime", "poststart", "poststop"], f"{lines}")
    told = [json.loads(line.split(" ", 1)[1])["status"] for line in lines]
    check(told == ["created", "creating", "running", "stopped"], f"{told}")


# ---- Networks --------------------------------------------------------------------------------------


@contextlib.contextmanager
def pod_network():
    """A network namespace as a CNI plugin leaves it; its process is the path."""
    with subprocess.Popen(["unshare", "--net", "sleep", "1000"]) as holder:
        try:
            wait_for(lambda: os.readlink(f"/proc/{holder.pid}/ns/net") != os.readlink("/proc/self/ns/net"), 10, "namespace")
            inside = ["nsenter", "-t", str(holder.pid), "-n", "ip"]
            for command in (["ip", "link", "add", "host0", "type", "veth", "peer", "name", "eth0", "netns", str(holder.pid)],
                            ["ip", "addr", "add", f"{TAP_HOST}/24", "dev", "host0"], ["ip", "link", "set", "host0", "up"],
                            [*inside, "addr", "add", f"{TAP_POD}/24", "dev", "eth0"], [*inside, "link", "set", "eth0", "up"],
                            [*inside, "link", "set", "lo", "up"], [*inside, "route", "add", "default", "via", TAP_HOST]):
                subprocess.run(command, check=True)
            yield holder.pid
        finally:
            subprocess.run(["ip", "link", "del", "host0"], check=False)
            holder.kill()


def serve(listener, got):
    while True:
        try:
            peer, address = listener.accept()
        except OSError:
            return
        with peer:
            data = b""
            while piece := peer.recv(1 << 16):
                data += piece
            got.append((address[0], len(data)))


@by_hand
def the_address_of_the_pod(box):
    with pod_network() as pid, socket.create_server((TAP_HOST, 7000)) as listener:
        got = []
        threading.Thread(target=serve, args=(listener, got), daemon=True).start()
        box.join_namespace("network", f"/proc/{pid}/ns/net")
        for _ in range(2):  # again in a namespace that had a machine
            out = box.output(f"ip addr show eth0; ip route; head -c {BULK} /dev/zero | nc {TAP_HOST} 7000")
            check(f"{TAP_POD}/24" in out and f"default via {TAP_HOST}" in out, out)
        wait_for(lambda: got == [(TAP_POD, BULK)] * 2, 10, f"all of it: {got}")
        box.script(f"echo hello | nc -l -p 7001; {WAITING}").detach()
        wait_for(lambda: said_by_pod() == b"hello\n", 20, "an answer of the machine")
        box.id += "-second"
        check("has a machine already" in box.run(ok="fail").stderr, "two machines")
        listener.shutdown(socket.SHUT_RDWR)


def said_by_pod():
    with contextlib.suppress(OSError), socket.create_connection((TAP_POD, 7001), 2) as peer:
        peer.shutdown(socket.SHUT_WR)
        return peer.recv(100)
    return None


@by_hand
def networks_that_no_machine_can_have(box):
    with pod_network() as pid:
        inside = ["nsenter", "-t", str(pid), "-n", "ip"]
        box.join_namespace("network", f"/proc/{pid}/ns/net")
        subprocess.run([*inside, "addr", "add", "10.79.0.1/24", "dev", "eth0"], check=True)
        box.refused("several IPv4 addresses")
        subprocess.run([*inside, "addr", "del", "10.79.0.1/24", "dev", "eth0"], check=True)
        subprocess.run([*inside, "route", "add", "10.80.0.0/16", "via", "10.78.0.9"], check=True)
        box.refused("the route to 10.80.0.0/16")


@by_hand
def a_network_that_comes_too_late(box):
    box.args("true").create()
    subprocess.run(["ip", "link", "add", "late0", "type", "veth", "peer", "name", "eth0", "netns", str(box.pid())], check=True)
    subprocess.run(["nsenter", "-t", str(box.pid()), "-n", "ip", "addr", "add", "10.81.0.2/24", "dev", "eth0"], check=True)
    check("after the machine was made" in box.start(ok=1).stderr, "start")


@by_hand
def only_loopback_without_a_network(box):
    check(box.output("ip -o link | wc -l; ip addr show lo | grep -c 127.0.0.1") == "1\n1", "links")


@by_hand
def a_pod_of_the_cri(box):
    """As containerd's CRI plugin makes it: a sandbox that holds the namespaces, and a container in them."""
    with pod_network() as pid:
        container = ocibox.deep(box.config)
        box.config["annotations"] = {"io.kubernetes.cri.container-type": "sandbox"}
        box.join_namespace("network", f"/proc/{pid}/ns/net")
        box.script("uname -r > /root/kernel; exec sleep 1000").detach()
        wait_for(lambda: (box.rootfs / "root/kernel").exists() and (box.rootfs / "root/kernel").read_text(), 10, "the sandbox")
        check((box.rootfs / "root/kernel").read_text().strip() == platform.release(), "a sandbox has no machine")
        sandbox, box.id, box.config = box.pid(), box.id + "-web", container
        box.config["annotations"] = {"io.kubernetes.cri.container-type": "container"}
        for kind in ("network", "ipc", "uts"):
            box.join_namespace(kind, f"/proc/{sandbox}/ns/{'net' if kind == 'network' else kind}")
        out = box.output("uname -r; ip addr show eth0")
        check("zlayer" in out and TAP_POD in out, out)


# ---- Under others ----------------------------------------------------------------------------------


def podman_runs_a_machine():
    with oci_podman.Podman() as podman:
        folder = podman.root / "shared"
        folder.mkdir()
        done = podman.run("--rm", "-v", f"{folder}:/v", "--hostname", "web", oci_podman.IMAGE, "sh", "-c",
                          "uname -r; hostname; cat /etc/hostname; echo kept > /v/file; exit 3", ok=3)
        kernel, *rest = done.stdout.splitlines()
        check("zlayer" in kernel and rest == ["web", "web"] and (folder / "file").read_text() == "kept\n", f"{done}")
        podman.run("--name", "made", oci_podman.IMAGE, "sh", "-c", "echo changed > /root/file")
        podman("commit", "-q", "made", "localhost/changed")
        check(podman.out("localhost/changed", "cat", "/root/file") == "changed\n", "commit")
        podman("rmi", "-f", "localhost/changed")


def containerd_runs_a_machine():
    with oci_containerd.Containerd() as ctr:
        done = ctr.run("one", "sh", "-c", "uname -r; exit 4", ok=4)
        check("zlayer" in done.stdout, f"{done}")


if __name__ == "__main__":
    if os.environ.get("ZLTEST_INSIDE"):
        install()
    else:
        HOME.rmdir()
    main(another_kernel_and_the_exit_code, what_it_writes_is_in_the_bundle,
         what_it_writes_is_on_a_disk_of_the_machine, create_start_kill_delete,
         the_end_is_that_of_the_program, exec_and_its_signals, terminals, binds_of_directories_and_files, pause_and_limits,
         the_death_of_each_part_ends_all, a_killed_create_leaves_no_process, delete_by_force,
         what_no_machine_can_have_is_refused, hooks_of_the_host, the_address_of_the_pod, networks_that_no_machine_can_have,
         a_network_that_comes_too_late, only_loopback_without_a_network, a_pod_of_the_cri, podman_runs_a_machine,
         oci_podman.the_exit_code_and_both_streams, oci_podman.missing_and_not_executable_commands,
         oci_podman.detached_logs_and_attach, oci_podman.a_terminal, oci_podman.stop_kill_and_remove,
         oci_podman.pause_and_unpause, oci_podman.volumes, oci_podman.out_of_memory, oci_podman.a_killed_container_is_seen,
         containerd_runs_a_machine, oci_containerd.streams_and_the_exit_code, oci_containerd.missing_and_not_executable_commands,
         oci_containerd.a_background_task_and_its_end, oci_containerd.exec_in_a_task, oci_containerd.terminals,
         oci_containerd.pause_and_resume)
