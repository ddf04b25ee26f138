#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Debian's containerd, through its shim io.containerd.runc.v2 and ctr, with zlayer-oci as the runc
binary. One containerd with root, state and address of its own serves all cases."""
import atexit
import concurrent.futures
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time
import types

from zltest import BUILD, CGROUPS, IMAGES, SOURCE, check, main, terminal, wait_for

RUNTIME = BUILD / os.environ.get("ZLAYER_OCI", "zlayer-oci")
IMAGE = "hello:latest"
NAMESPACE = f"zlt-{os.getpid()}"  # other tests have a containerd too
AT_ONCE = 10
KEPT = (".filters~", ".machine~")  # compiled system call filters, what the accelerator is: of all containers
FIRST_ID = 4_000_000  # of user namespaces; of no other test
FOREVER = ["sh", "-c", "trap 'echo term; exit 5' TERM; echo up; while :; do sleep 0.1; done"]
CONFIG = """version = 2
root = "{root}/root"
state = "{root}/state"
disabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.internal.v1.opt",
  "io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.btrfs",
  "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.zfs"]
[grpc]
  address = "{root}/socket"
[debug]
  level = "warn"
"""


class Containerd:
    """`with Containerd() as ctr: ctr("run", …)`; at the end nothing may be left of its containers."""

    root = process = None

    def __init__(self):
        if Containerd.process is None:
            self.start()

    @staticmethod
    def start():
        """Shims listen in /run/containerd. Options of a task make ctr forget --runc-binary, so that the
        name `runc` leads here too."""
        subprocess.run(["mount", "-t", "tmpfs", "own", "/run"], check=True)
        root = Containerd.root = pathlib.Path(tempfile.mkdtemp(prefix="zlayer-containerd-"))
        root.chmod(0o755)  # the roots of user namespaces look for their files in it
        (root / "bin").mkdir()
        (root / "bin/runc").symlink_to(RUNTIME)
        (root / "config.toml").write_text(CONFIG.format(root=root))
        atexit.register(Containerd.stop)
        with open(root / "log", "w", encoding="utf-8") as log:
            Containerd.process = subprocess.Popen(["containerd", "--config", str(root / "config.toml")], stdout=log, stderr=log,
                                                  stdin=subprocess.DEVNULL,
                                                  env=dict(os.environ, PATH=f"{root}/bin:{os.environ['PATH']}",
                                                           DBUS_SYSTEM_BUS_ADDRESS=f"unix:path={root}/bus.sock"))
        wait_for(lambda: subprocess.run(Containerd.command("version"), capture_output=True, check=False).returncode == 0, 30, "containerd")
        archive = root / "hello.tar"
        subprocess.run(["tar", "-C", str(IMAGES / "hello"), "-cf", str(archive), "."], check=True)
        subprocess.run(Containerd.command("images", "import", "--snapshotter", "native", "--base-name", "hello", str(archive)),
                       check=True, stdout=subprocess.DEVNULL)

    @staticmethod
    def stop():
        Containerd.process.terminate()
        Containerd.process.wait(30)
        shutil.rmtree(Containerd.root, ignore_errors=True)
        for top in [CGROUPS, *(p for p in CGROUPS.iterdir() if p.is_dir())]:
            if (top / NAMESPACE).is_dir():
                (top / NAMESPACE).rmdir()

    @staticmethod
    def command(*args):
        return ["ctr", "-a", f"{Containerd.root}/socket", "-n", NAMESPACE, *map(str, args)]

    def __call__(self, *args, ok=0, timeout=60, **kwargs):
        """Runs ctr; ok: the expected exit code, None: any."""
        if "input" not in kwargs:
            kwargs.setdefault("stdin", subprocess.DEVNULL)
        done = subprocess.run(self.command(*args), text=True, capture_output=True, timeout=timeout, check=False, **kwargs)
        if ok is not None:
            check(done.returncode == ok, f"ctr {' '.join(map(str, args))}: exit {done.returncode}, expected {ok}\n"
                  f"stdout: {done.stdout[-800:]}\nstderr: {done.stderr[-1200:]}")
        return done

    def options(self):
        return ["--snapshotter", "native", "--runc-binary", RUNTIME, "--runc-root", self.root / "runc"]

    def run(self, name, *command, options=(), **kwargs):
        """ctr run --rm of the image."""
        return self("run", "--rm", *self.options(), *options, IMAGE, name, *command, **kwargs)

    def background(self, name, *command, options=()):
        self("run", "-d", *self.options(), *options, IMAGE, name, *command)

    def status(self, name):
        rows = [line.split() for line in self("task", "ls").stdout.splitlines()]
        return next((row[2] for row in rows if row[0] == name), None)

    def pid(self, name):
        rows = [line.split() for line in self("task", "ls").stdout.splitlines()]
        return next(int(row[1]) for row in rows if row[0] == name)

    def remove(self, *names):
        for name in names:
            self("task", "delete", "-f", name, ok=None)
            self("container", "delete", name)

    def left(self):
        groups = [str(p) for top in [CGROUPS, *(p for p in CGROUPS.iterdir() if p.is_dir())]
                  for p in ((top / NAMESPACE).iterdir() if (top / NAMESPACE).is_dir() else ()) if p.is_dir()]
        states = [str(p) for base in (self.root / "runc" / NAMESPACE, pathlib.Path("/run/containerd/runc") / NAMESPACE)
                  if base.is_dir() for p in base.iterdir() if p.name not in KEPT]
        tasks = self.root / "state/io.containerd.runtime.v2.task" / NAMESPACE
        left = {
            "cgroups": groups,
            "states": states,
            "tasks": sorted(p.name for p in tasks.iterdir()) if tasks.is_dir() else [],
            "mounts": [line.split()[1] for line in pathlib.Path("/proc/mounts").read_text().splitlines() if str(self.root) in line],
            "containers": self("container", "ls", "-q").stdout.split(),
            "shims": [text[:120] for text in command_lines() if "containerd-shim" in text and str(self.root) in text],
        }
        return {what: names for what, names in left.items() if names}

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        if kind is not None:
            for name in self("container", "ls", "-q", ok=None).stdout.split() + self("task", "ls", "-q", ok=None).stdout.split():
                self("task", "kill", "-a", "-s", "KILL", name, ok=None)
                time.sleep(0.5)
                self("task", "delete", "-f", name, ok=None)
                self("container", "delete", name, ok=None)
            return
        try:
            wait_for(lambda: not self.left(), 15, "nothing left behind")
        except AssertionError as error:
            raise AssertionError(f"{error}: {json.dumps(self.left())[:1200]}") from error


def command_lines():
    for entry in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            yield (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue


# ---- Running --------------------------------------------------------------------------------------


def streams_and_the_exit_code():
    with Containerd() as ctr:
        done = ctr.run("one", "sh", "-c", "echo out; echo err >&2; exit 7", ok=7)
        check((done.stdout, done.stderr) == ("out\n", "err\n"), f"{done}")
        check(ctr.run("one", "head", "-n", "1", input="given\n").stdout == "given\n", "input")
        check(ctr.run("one", "sh", "-c", "echo $A; pwd", options=["--env", "A=b", "--cwd", "/tmp"]).stdout == "b\n/tmp\n", "process")


def missing_and_not_executable_commands():
    with Containerd() as ctr:
        for command, text in (("/no/such", "no such file or directory"), ("nosuch", "no such file or directory"),
                              ("/etc/passwd", "permission denied")):
            done = ctr.run("one", command, ok=1)
            check("OCI runtime create failed" in done.stderr and text in done.stderr.lower(), done.stderr)
            ctr("container", "delete", "one", ok=None)  # --rm is for what has run
        ctr.background("one", *FOREVER)
        done = ctr("task", "exec", "--exec-id", "e", "one", "nosuch", ok=1)
        check("OCI runtime exec failed" in done.stderr and "No such file" in done.stderr, done.stderr)
        ctr.remove("one")


def a_background_task_and_its_end():
    with Containerd() as ctr:
        ctr.background("one", *FOREVER)
        check(ctr.status("one") == "RUNNING", f"{ctr.status('one')}")
        ctr("task", "delete", "one", ok=1)
        time.sleep(0.5)  # its trap
        ctr("task", "kill", "-s", "TERM", "one")
        wait_for(lambda: ctr.status("one") == "STOPPED", 10, "end")
        check("not found" in ctr("task", "kill", "one", ok=1).stderr, "kill of an ended one")
        check("exit code 5" in ctr("task", "delete", "one").stderr, "its exit code")
        ctr("task", "start", "-d", "one")
        check(ctr.status("one") == "RUNNING", "started again")
        ctr("task", "kill", "-s", "KILL", "one")
        wait_for(lambda: ctr.status("one") == "STOPPED", 10, "end")
        check("exit code 137" in ctr("task", "delete", "one").stderr, "its exit code")
        ctr("container", "delete", "one")


def kill_all_processes():
    with Containerd() as ctr:
        ctr.background("one", "sh", "-c", "sleep 1000 & sleep 1000 & sleep 1000")
        ctr("task", "exec", "-d", "--exec-id", "e", "one", "sleep", "1000")
        wait_for(lambda: len(ctr("task", "ps", "one").stdout.splitlines()) == 5, 10, "four processes")
        ctr("task", "kill", "-a", "-s", "KILL", "one")
        wait_for(lambda: ctr.status("one") == "STOPPED", 10, "end")
        ctr.remove("one")


def a_process_of_the_host_namespace_is_killed_whole():
    """Without a pid namespace nobody ends what the first process leaves, but the runtime."""
    with Containerd() as ctr:
        ctr.background("one", "sh", "-c", "sleep 1234 & sleep 1234 & wait", options=["--with-ns", f"pid:/proc/{os.getpid()}/ns/pid"])
        pid = ctr.pid("one")
        ctr("task", "kill", "-a", "-s", "KILL", "one")
        wait_for(lambda: not os.path.exists(f"/proc/{pid}") or ctr.status("one") == "STOPPED", 10, "end")
        ctr.remove("one")
        wait_for(lambda: not [text for text in command_lines() if text == "sleep 1234 "], 10, "all processes gone")


def exec_in_a_task():
    with Containerd() as ctr:
        ctr.background("one", *FOREVER, options=["--env", "A=b"])
        done = ctr("task", "exec", "--exec-id", "e1", "one", "sh", "-c", "echo $A; echo err >&2; exit 9", ok=9)
        check((done.stdout, done.stderr) == ("b\n", "err\n"), f"{done}")
        done = ctr("task", "exec", "--exec-id", "e2", "--cwd", "/tmp", "--user", "1000", "one", "sh", "-c", "pwd; id -u")
        check(done.stdout == "/tmp\n1000\n", f"{done}")
        check(ctr("task", "exec", "--exec-id", "e3", "one", "head", "-n", "1", input="in\n").stdout == "in\n", "input")
        ctr("task", "exec", "-d", "--exec-id", "e4", "one", "sleep", "1000")
        ctr("task", "kill", "--exec-id", "e4", "-s", "KILL", "one")
        ctr("task", "delete", "--exec-id", "e4", "one", ok=None)
        check("true" not in ctr("task", "ps", "one").stdout, "ended execs are gone")
        ctr.remove("one")


def terminals():
    with Containerd() as ctr:
        command = ctr.command("run", "--rm", "-t", *ctr.options(), IMAGE, "one", "sh", "-c", "tty; stty size; read -r x; echo [$x]; exit 3")
        code, shown = terminal(command, b"typed\n")
        check(code == 3 and "/dev/pts/0" in shown and "[typed]" in shown, f"{code} {shown}")
        ctr.background("two", *FOREVER)
        code, shown = terminal(ctr.command("task", "exec", "-t", "--exec-id", "e", "two", "sh", "-c", "tty; read -r x; echo [$x]; exit 6"), b"typed\n")
        check(code == 6 and "/dev/pts/" in shown and "[typed]" in shown, f"{code} {shown}")
        ctr.remove("two")


def attach_to_a_task():
    with Containerd() as ctr:
        ctr.background("one", "sh", "-c", "sleep 2; echo seen; exit 4")
        done = ctr("task", "attach", "one", ok=None)
        check("seen" in done.stdout and done.returncode == 4, f"{done}")
        ctr.remove("one")


# ---- Control --------------------------------------------------------------------------------------


def pause_and_resume():
    with Containerd() as ctr:
        ctr.background("one", *FOREVER)
        ctr("task", "pause", "one")
        check(ctr.status("one") == "PAUSED", f"{ctr.status('one')}")
        ctr("task", "exec", "--exec-id", "e", "one", "true", ok=1)
        ctr("task", "resume", "one")
        check(ctr.status("one") == "RUNNING", f"{ctr.status('one')}")
        ctr("task", "exec", "--exec-id", "f", "one", "true")
        ctr("task", "pause", "one")
        ctr.remove("one")


def processes_and_metrics():
    with Containerd() as ctr:
        ctr.background("one", "sh", "-c", "sleep 1000 & while :; do :; done", options=["--memory-limit", "67108864"])
        pids = [line.split()[0] for line in ctr("task", "ps", "one").stdout.splitlines()[1:]]
        check(str(ctr.pid("one")) in pids and len(pids) == 2, f"{pids}")
        time.sleep(0.5)
        values = dict(line.split(None, 1) for line in ctr("task", "metrics", "one").stdout.splitlines() if "." in line.split(" ")[0])
        check(int(values["pids.current"]) == 2, f"{values}")
        if "cpuacct.usage" in values:
            check(int(values["cpuacct.usage"]) > 50_000_000 and values["memory.limit_in_bytes"].strip() == "67108864", f"{values}")
        check(json.loads(ctr("container", "info", "one").stdout)["Runtime"]["Name"] == "io.containerd.runc.v2", "info")
        ctr.remove("one")


def checkpoints_are_refused():
    with Containerd() as ctr:
        ctr.background("one", *FOREVER)
        check("unsupported" in ctr("task", "checkpoint", "one", ok=1).stderr, "text")
        check(ctr.status("one") == "RUNNING", "it goes on")
        ctr.remove("one")


# ---- What is in it --------------------------------------------------------------------------------


def own(pid, tree, v1, v2):
    """A file of the process's cgroup, as the host has it."""
    lines = [line.split(":", 2) for line in pathlib.Path(f"/proc/{pid}/cgroup").read_text().splitlines()]
    group = next(line for line in lines if line[1] == (tree if (CGROUPS / tree).is_dir() else ""))
    base = CGROUPS / group[1] if group[1] else CGROUPS
    return (base / group[2].strip("/") / (v1 if group[1] else v2)).read_text().strip()


def limits_of_resources():
    with Containerd() as ctr:
        ctr.background("one", *FOREVER, options=["--memory-limit", "67108864", "--cpus", "0.5", "--cpu-shares", "512"])
        pid = ctr.pid("one")
        check(own(pid, "memory", "memory.limit_in_bytes", "memory.max") == "67108864", "memory")
        check(own(pid, "cpu", "cpu.cfs_quota_us", "cpu.max") in ("50000", "50000 100000"), "cpus")
        check(own(pid, "cpu", "cpu.shares", "cpu.weight") in ("512", "20"), "shares")
        ctr.background("two", *FOREVER, options=["--cpu-period", "100000", "--cpu-quota", "30000"])
        check(own(ctr.pid("two"), "cpu", "cpu.cfs_quota_us", "cpu.max") in ("30000", "30000 100000"), "quota")
        ctr("task", "delete", "-f", "two")
        ctr.remove("one")
        ctr("container", "delete", "two")
        ctr.run("big", "sh", "-c", "a=x; while :; do a=$a$a; done", options=["--memory-limit", "16777216"], ok=137)


def cgroups_of_a_name():
    with Containerd() as ctr:
        ctr.background("one", *FOREVER, options=["--cgroup", f"/{NAMESPACE}/named/deep"])
        groups = pathlib.Path(f"/proc/{ctr.pid('one')}/cgroup").read_text()
        check(f"/{NAMESPACE}/named/deep\n" in groups, groups)
        ctr.remove("one")
        for top in [CGROUPS, *(p for p in CGROUPS.iterdir() if p.is_dir())]:
            if (top / NAMESPACE / "named").is_dir():
                (top / NAMESPACE / "named").rmdir()  # fails when the container's own is still there


def file_systems():
    with Containerd() as ctr:
        folder = ctr.root / "volume"
        folder.mkdir()
        (folder / "given").write_text("given\n")
        done = ctr.run("one", "touch", "/x", options=["--read-only"], ok=1)
        check("Read-only" in done.stderr, done.stderr)
        mount = f"type=bind,src={folder},dst=/v,options=rbind:"
        done = ctr.run("one", "sh", "-c", "cat /v/given; touch /v/new", options=["--mount", mount + "ro"], ok=1)
        check(done.stdout == "given\n" and "Read-only" in done.stderr, f"{done}")
        ctr.run("one", "touch", "/v/new", options=["--mount", mount + "rw"])
        check((folder / "new").exists(), "writable")
        done = ctr.run("one", "sh", "-c", "grep ' /t ' /proc/mounts", options=["--mount", "type=tmpfs,src=tmpfs,dst=/t,options=size=1m:noexec"])
        check("size=1024k" in done.stdout and "noexec" in done.stdout, done.stdout)
        done = ctr.run("one", "true", options=["--mount", f"type=bind,src={folder}/missing,dst=/v,options=rbind"], ok=1)
        check("no such file" in done.stderr.lower(), done.stderr)
        ctr("container", "delete", "one", ok=None)


def privileges():
    def status(field, *options):
        return ctr.run("one", "grep", f"^{field}:", "/proc/self/status", options=options).stdout.split()[1]

    with Containerd() as ctr:
        check(int(status("CapEff"), 16) == 0xa80425fb, "usual capabilities")
        check(int(status("CapEff", "--cap-add", "CAP_SYS_ADMIN"), 16) & (1 << 21), "--cap-add")
        check(int(status("CapEff", "--cap-drop", "CAP_CHOWN"), 16) & 1 == 0, "--cap-drop")
        check(int(status("CapEff", "--privileged"), 16) & (1 << 21), "--privileged")
        check(status("NoNewPrivs") == "1" and status("NoNewPrivs", "--allow-new-privs") == "0", "new privileges")
        check(status("Seccomp") == "0" and status("Seccomp", "--seccomp") == "2", "seccomp")
        text = ctr.run("one", "ls", "-l", "/dev/fuse", options=["--device", "/dev/fuse"]).stdout
        check("10, 229" in text, text)


def namespaces():
    with Containerd() as ctr:
        own_net = os.readlink("/proc/self/ns/net")
        check(ctr.run("one", "readlink", "/proc/self/ns/net", options=["--net-host"]).stdout.strip() == own_net, "host network")
        check(ctr.run("one", "readlink", "/proc/self/ns/net").stdout.strip() != own_net, "own network")
        ctr.background("one", *FOREVER)
        text = ctr.run("two", "readlink", "/proc/self/ns/ipc", options=["--with-ns", f"ipc:/proc/{ctr.pid('one')}/ns/ipc"]).stdout
        check(text.strip() == os.readlink(f"/proc/{ctr.pid('one')}/ns/ipc"), "joined")
        ctr.remove("one")


def a_user_namespace():
    with Containerd() as ctr:
        maps = ["--uidmap", f"0:{FIRST_ID}:65536", "--gidmap", f"0:{FIRST_ID}:65536"]
        done = ctr.run("one", "sh", "-c", "id -u; cat /proc/self/uid_map; touch /x; stat -c %u /x", options=maps)
        check(done.stdout.split() == ["0", "0", str(FIRST_ID), "65536", "0"], f"{done}")
        ctr.background("one", *FOREVER, options=maps)
        check(os.stat(f"/proc/{ctr.pid('one')}").st_uid == FIRST_ID, "the host's view")
        check(ctr("task", "exec", "--exec-id", "e", "one", "id", "-u").stdout == "0\n", "exec")
        ctr.remove("one")
        check(os.stat("/dev/null").st_uid != FIRST_ID, "the host's /dev/null was given away")


def ten_at_once():
    with Containerd() as ctr:
        names = [f"many{i}" for i in range(AT_ONCE)]
        with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
            list(pool.map(lambda n: ctr.background(n, *FOREVER), names))
            list(pool.map(lambda n: ctr("task", "exec", "--exec-id", "e", n, "sh", "-c", "exit 3", ok=3), names))
            list(pool.map(ctr.remove, names))


def cgroups_of_systemd():
    """Its option for them, with a bus of the tests' own in systemd's place."""
    sys.path.insert(0, str(SOURCE / "tests" / "oci"))
    from fakebus import FakeBus
    with Containerd() as ctr:
        box = types.SimpleNamespace(top=ctr.root, cleanups=[])
        bus = FakeBus(box)
        ctr.background("one", *FOREVER, options=["--runc-systemd-cgroup", "--cgroup", "zlt-a.slice:ctr:one", "--memory-limit", "67108864"])
        check(list(bus.units.values()) == ["zlt.slice/zlt-a.slice/ctr-one.scope"], f"units {bus.units}")
        check("/zlt.slice/zlt-a.slice/ctr-one.scope\n" in pathlib.Path(f"/proc/{ctr.pid('one')}/cgroup").read_text(), "its cgroup")
        check({("MemoryMax", 67108864), ("MemoryLimit", 67108864)} & set(
            pair for pair in bus.arguments("StartTransientUnit")[2] if pair[1] == 67108864), "its limit")
        check(ctr("task", "exec", "--exec-id", "e", "one", "echo", "in").stdout == "in\n", "exec")
        ctr.remove("one")
        check(not bus.units, f"units {bus.units}")
        for fn in reversed(box.cleanups):
            fn()


def containers_go_on_without_containerd():
    """Its restart finds them again: the shims live on, and the runtime knows its own."""
    with Containerd() as ctr:
        ctr.background("one", *FOREVER)
        pid = ctr.pid("one")
        Containerd.process.kill()
        Containerd.process.wait(30)
        check(os.path.exists(f"/proc/{pid}"), "the container went with containerd")
        with open(ctr.root / "log", "a", encoding="utf-8") as log:
            Containerd.process = subprocess.Popen(["containerd", "--config", str(ctr.root / "config.toml")], stdout=log, stderr=log,
                                                  stdin=subprocess.DEVNULL)
        wait_for(lambda: subprocess.run(ctr.command("version"), capture_output=True, check=False).returncode == 0, 30, "containerd")
        check(ctr.status("one") == "RUNNING" and ctr.pid("one") == pid, f"{ctr.status('one')}")
        ctr("task", "exec", "--exec-id", "e", "one", "true")
        ctr.remove("one")


if __name__ == "__main__":
    main(streams_and_the_exit_code, missing_and_not_executable_commands, a_background_task_and_its_end, kill_all_processes,
         a_process_of_the_host_namespace_is_killed_whole, exec_in_a_task, terminals, attach_to_a_task, pause_and_resume,
         processes_and_metrics, checkpoints_are_refused, limits_of_resources, cgroups_of_a_name, file_systems, privileges,
         namespaces, a_user_namespace, ten_at_once, cgroups_of_systemd,
         containers_go_on_without_containerd)
