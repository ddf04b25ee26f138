# SPDX-License-Identifier: Apache-2.0
"""What the tests of the OCI command line share: a bundle, the runtime under test, and the check that nothing is left.

A case is a function that takes a Box: a directory with a bundle and a state root of its own, and ids that nobody
else has. The program under test is $OCI_RUNTIME, or zlayer-oci of $ZLAYER_BUILD; cases that only hold for ours say
so with `ours`. Needed beside it: this Python, Debian's static busybox, the helper $OCI_HELPER (helper.c)."""
import array
import contextlib
import copy
import ctypes
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import traceback

BUILD = pathlib.Path(os.environ.get("ZLAYER_BUILD", "build")).resolve()
RUNTIME = os.environ.get("OCI_RUNTIME", str(BUILD / "zlayer-oci"))
OURS = os.path.basename(RUNTIME).startswith("zlayer")
HELPER = os.environ.get("OCI_HELPER", str(BUILD / "tests" / "oci" / "oci_helper"))
NOSYS = os.environ.get("OCI_NOSYS", str(pathlib.Path(HELPER).parent / "oci_nosys"))
BUSYBOX = os.environ.get("OCI_BUSYBOX", "/bin/busybox")
CGROUPS = pathlib.Path("/sys/fs/cgroup")
V2 = (CGROUPS / "cgroup.controllers").exists()
TIMEOUT = 60
CASE_TIMEOUT = 120
LIBC = ctypes.CDLL(None, use_errno=True)
CLONE_NEWNS, MS_REC_PRIVATE = 0x20000, 0x4000 | (1 << 18)
APPLETS = ("sh ash cat chmod chown cp cut date dd df echo env false grep head hostname id ip ls mkdir mkfifo mknod mount "
           "mv nc ps pwd readlink rm rmdir sed seq sleep sort stat stty sync tail tee test touch tr true tty ulimit umount "
           "uname wc whoami xargs id dmesg nproc sysctl awk find od printf kill unshare [").split()
CAPS = ["CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"]
NAMESPACES = ("pid", "network", "ipc", "uts", "mount", "cgroup")
MASKED = ["/proc/acpi", "/proc/kcore", "/proc/keys", "/proc/timer_list", "/proc/sched_debug", "/sys/firmware"]
READONLY = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"]


class Skip(Exception):
    """The case cannot be shown on this host; the message says why."""


def check(condition, message):
    if not condition:
        raise AssertionError(message)


def equal(found, expected, what=""):
    check(found == expected, f"{what or 'value'}: {found!r}, expected {expected!r}")


def contains(text, part, what=""):
    check(part in text, f"{what or 'text'}: {text!r} has no {part!r}")


def wait_for(condition, seconds=20.0, what="condition"):
    """Polls until condition() is true and returns its value."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        check(time.monotonic() < end, f"{what}: not within {seconds} s")
        time.sleep(0.005)


def base_config():
    return {
        "ociVersion": "1.0.2",
        "process": {
            "terminal": False, "user": {"uid": 0, "gid": 0}, "args": ["sh"], "cwd": "/",
            "env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "TERM=xterm"],
            "capabilities": {name: list(CAPS) for name in ("bounding", "effective", "permitted")},
            "rlimits": [{"type": "RLIMIT_NOFILE", "hard": 1024, "soft": 1024}], "noNewPrivileges": True,
        },
        "root": {"path": "rootfs", "readonly": False},
        "hostname": "box",
        "mounts": [
            {"destination": "/proc", "type": "proc", "source": "proc"},
            {"destination": "/dev", "type": "tmpfs", "source": "tmpfs",
             "options": ["nosuid", "strictatime", "mode=755", "size=65536k"]},
            {"destination": "/dev/pts", "type": "devpts", "source": "devpts",
             "options": ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"]},
            {"destination": "/dev/shm", "type": "tmpfs", "source": "shm",
             "options": ["nosuid", "noexec", "nodev", "mode=1777", "size=65536k"]},
            {"destination": "/dev/mqueue", "type": "mqueue", "source": "mqueue", "options": ["nosuid", "noexec", "nodev"]},
            {"destination": "/sys", "type": "sysfs", "source": "sysfs", "options": ["nosuid", "noexec", "nodev", "ro"]},
            {"destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup",
             "options": ["nosuid", "noexec", "nodev", "relatime", "ro"]},
        ],
        "linux": {
            "resources": {"devices": [{"allow": False, "access": "rwm"}]},
            "namespaces": [{"type": name} for name in NAMESPACES],
            "maskedPaths": list(MASKED), "readonlyPaths": list(READONLY),
        },
    }


class Box:
    """A bundle `self.bundle` with config `self.config`, a state root, and ids that begin with `self.prefix`."""

    def __init__(self, number):
        self.top = pathlib.Path(tempfile.mkdtemp(prefix="zloci-"))
        self.top.chmod(0o755)
        self.root = self.top / "state"
        self.bundle = self.top / "bundle"
        self.rootfs = self.bundle / "rootfs"
        self.prefix = f"{self.top.name}-{number}"
        self.id = self.prefix
        self.config = base_config()
        self.options = []  # in front of every command
        self.missing = None  # a system call that the runtime's kernel seems to lack (nosys.c)
        self.processes = []
        self.cleanups = []
        self.mounts_before = mount_points()
        self.fill_rootfs()

    def fill_rootfs(self):
        for name in ("bin", "dev", "etc", "proc", "root", "sys", "tmp", "usr", "var", "sbin"):
            (self.rootfs / name).mkdir(parents=True)
        (self.rootfs / "tmp").chmod(0o1777)
        (self.rootfs / "root").chmod(0o700)
        for source, name in ((BUSYBOX, "busybox"), (HELPER, "helper")):
            shutil.copy2(source, self.rootfs / "bin" / name)
            (self.rootfs / "bin" / name).chmod(0o755)
        for name in APPLETS:
            with contextlib.suppress(FileExistsError):
                (self.rootfs / "bin" / name).symlink_to("busybox")
        (self.rootfs / "etc" / "passwd").write_text("root:x:0:0:root:/root:/bin/sh\nuser:x:1000:1000::/home/user:/bin/sh\n")
        (self.rootfs / "etc" / "group").write_text("root:x:0:\nuser:x:1000:\n")

    # ---- The configuration

    def args(self, *words):
        self.config["process"]["args"] = list(words)
        return self

    def script(self, text):
        return self.args("sh", "-c", text)

    @property
    def process(self):
        return self.config["process"]

    @property
    def linux(self):
        return self.config["linux"]

    @property
    def resources(self):
        return self.config["linux"]["resources"]

    def mount(self, destination, kind=None, source=None, *options, **more):
        entry = {"destination": destination, "options": list(options), **more}
        if kind:
            entry["type"] = kind
        if source:
            entry["source"] = str(source)
        self.config["mounts"].append(entry)
        return self

    def without_namespace(self, kind):
        self.linux["namespaces"] = [ns for ns in self.linux["namespaces"] if ns["type"] != kind]
        return self

    def join_namespace(self, kind, path):
        self.without_namespace(kind)
        self.linux["namespaces"].append({"type": kind, "path": str(path)})
        return self

    def user_namespace(self, host=100000, size=65536):
        self.linux["namespaces"].append({"type": "user"})
        for name in ("uidMappings", "gidMappings"):
            self.linux[name] = [{"containerID": 0, "hostID": host, "size": size}]
        return self

    def capabilities(self, **sets):
        self.process["capabilities"] = {name: list(caps) for name, caps in sets.items()}
        return self

    def write_config(self, config=None):
        (self.bundle / "config.json").write_text(json.dumps(self.config if config is None else config))
        return self

    # ---- The runtime

    def command(self, *args, options=()):
        without = [NOSYS, self.missing] if self.missing else []
        return [*without, RUNTIME, "--root", str(self.root), *map(str, [*self.options, *options, *args])]

    def oci(self, *args, ok=0, options=(), timeout=TIMEOUT, **kwargs):
        """Runs it; ok: the expected exit code, None: any, "fail": any but 0. Returns the finished process."""
        if "input" not in kwargs:
            kwargs.setdefault("stdin", subprocess.DEVNULL)
        kwargs.setdefault("cwd", self.top)
        command = self.command(*args, options=options)
        if "stdout" not in kwargs:
            kwargs["stdout"], kwargs["stderr"] = subprocess.PIPE, subprocess.PIPE
        done = subprocess.run(command, text=True, timeout=timeout, check=False, **kwargs)
        wrong = done.returncode == 0 if ok == "fail" else ok is not None and done.returncode != ok
        check(not wrong, f"{' '.join(map(str, args))}: exit {done.returncode}, expected {ok}\n"
              f"stdout: {(done.stdout or '')[-800:]}\nstderr: {(done.stderr or '')[-800:]}")
        return done

    def spawn(self, *args, options=(), **kwargs):
        """Starts it in the background; it is killed at the end of the case."""
        process = subprocess.Popen(self.command(*args, options=options), cwd=self.top, text=True, **kwargs)
        self.processes.append(process)
        return process

    def run(self, *flags, ok=0, **kwargs):
        """`run` in the foreground."""
        self.write_config()
        return self.oci("run", "--bundle", self.bundle, *flags, self.id, ok=ok, **kwargs)

    def output(self, text=None, **kwargs):
        """What `run` of this script prints, without the last newline."""
        if text is not None:
            self.script(text)
        return self.run(**kwargs).stdout.rstrip("\n")

    def refused(self, *parts, **kwargs):
        """`run` fails with a message that has all the parts, and leaves no state."""
        done = self.run(ok="fail", **kwargs)
        for part in parts:
            contains(done.stderr, part, "message")
        check(self.id not in self.states(), "a refused container has left its state directory")
        return done

    def create(self, *flags, ok=0, config=None, **kwargs):
        """`create`; the container's streams go nowhere, since they outlive the command."""
        self.write_config(config)
        kwargs.setdefault("stdout", subprocess.DEVNULL)
        with tempfile.TemporaryFile("w+") as stderr:
            done = self.oci("create", "--bundle", self.bundle, *flags, self.id, ok=None, stderr=stderr, **kwargs)
            stderr.seek(0)
            done.stderr = stderr.read()
        wrong = done.returncode == 0 if ok == "fail" else ok is not None and done.returncode != ok
        check(not wrong, f"create: exit {done.returncode}, expected {ok}: {done.stderr[-800:]}")
        return done

    def start(self, **kwargs):
        return self.oci("start", self.id, **kwargs)

    def detach(self, *flags, ok=0, **kwargs):
        """`run --detach`, of a sleeping container unless args were set."""
        if self.process["args"] == ["sh"]:
            self.args("sleep", "1000")
        self.write_config()
        kwargs.setdefault("stdout", subprocess.DEVNULL)
        with tempfile.TemporaryFile("w+") as stderr:
            done = self.oci("run", "--detach", "--bundle", self.bundle, *flags, self.id, ok=None, stderr=stderr, **kwargs)
            stderr.seek(0)
            done.stderr = stderr.read()
        wrong = done.returncode == 0 if ok == "fail" else done.returncode != ok
        check(not wrong, f"run --detach: exit {done.returncode}, expected {ok}: {done.stderr[-800:]}")
        return done

    def exec(self, *args, flags=(), ok=0, **kwargs):
        return self.oci("exec", *flags, self.id, *args, ok=ok, **kwargs)

    def inside(self, text, **kwargs):
        """What a script prints in the running container."""
        return self.exec("sh", "-c", text, **kwargs).stdout.rstrip("\n")

    def state(self):
        return json.loads(self.oci("state", self.id).stdout)

    def status(self):
        return self.state()["status"]

    def pid(self):
        return self.state()["pid"]

    def wait_status(self, expected, seconds=20):
        wait_for(lambda: self.status() == expected, seconds, f"status {expected}")

    def kill(self, sig="KILL", *flags, ok=0):
        return self.oci("kill", *flags, self.id, sig, ok=ok)

    def delete(self, *flags, ok=0):
        return self.oci("delete", *flags, self.id, ok=ok)

    def states(self):
        return sorted(p.name for p in self.root.iterdir() if p.name[-1] != "~") if self.root.is_dir() else []

    # ---- Cgroups

    def cgroup(self, controller, path=None):
        """The directory of the container's cgroup in the tree of `controller`."""
        path = (path or self.linux.get("cgroupsPath") or f"/{self.id}").lstrip("/")
        return CGROUPS / path if V2 else CGROUPS / controller / path

    def cgroup_value(self, file, controller=None):
        return (self.cgroup(controller or file.split(".")[0]) / file).read_text().strip()

    def cgroups(self):
        """The cgroups of this box, in all trees, the deepest first."""
        found = []
        for top in [CGROUPS] if V2 else [p for p in CGROUPS.iterdir() if p.is_dir()]:
            for folder, names, _ in os.walk(top):
                found += [os.path.join(folder, n) for n in names if self.prefix in n or self.prefix in folder]
        return sorted(found, key=len, reverse=True)

    # ---- The end

    def left(self):
        """What is there that was not there before: {kind: names}."""
        kinds = {
            "processes": self.pids(),
            "mounts": sorted(mount_points() - self.mounts_before),
            "cgroups": self.cgroups(),
            "state": self.states(),
        }
        return {kind: names for kind, names in kinds.items() if names}

    def pids(self):
        """Processes in our cgroups."""
        found = set()
        for folder in self.cgroups():
            with contextlib.suppress(OSError):
                found |= {int(pid) for pid in pathlib.Path(folder, "cgroup.procs").read_text().split()}
        return sorted(found)

    def tidy(self):
        """Ends what a case leaves running on purpose, with the runtime's own means."""
        for process in self.processes:
            if process.poll() is None:
                process.kill()
            process.wait()
            for stream in (process.stdin, process.stdout, process.stderr):
                if stream:
                    stream.close()
        for name in self.states():
            self.oci("delete", "--force", name, ok=None)
        for fn in reversed(self.cleanups):
            fn()

    def sweep(self):
        """After a failed case: by force, and only what is ours."""
        for pid in self.pids():
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        with contextlib.suppress(AssertionError):
            wait_for(lambda: not self.pids(), 5)
        for folder in self.cgroups():
            with contextlib.suppress(OSError):
                os.rmdir(folder)
        for point in sorted(mount_points() - self.mounts_before, key=len, reverse=True):
            LIBC.umount2(point.encode(), 2)

    def expect_nothing_left(self):
        end = time.monotonic() + 3
        while self.left() and time.monotonic() < end:
            time.sleep(0.01)
        left = self.left()
        check(not left, f"left behind: {json.dumps(left)[:1200]}")


def mount_points():
    lines = pathlib.Path("/proc/self/mountinfo").read_text().splitlines()
    return {line.split()[4] for line in lines}


def too_long(*_):
    raise AssertionError(f"it took longer than {CASE_TIMEOUT} s")


def run_case(case, number):
    signal.signal(signal.SIGALRM, too_long)
    signal.alarm(CASE_TIMEOUT)
    box = Box(number)
    try:
        try:
            case(box)
        finally:
            signal.alarm(CASE_TIMEOUT)
            box.tidy()
        box.expect_nothing_left()
    finally:
        signal.alarm(0)
        box.sweep()
        shutil.rmtree(box.top, ignore_errors=True)


def needs(condition, reason):
    """Decorator: on a host without it the case is skipped, which is printed."""
    def wrap(case):
        def run(box):
            if not (condition() if callable(condition) else condition):
                raise Skip(reason)
            case(box)
        run.__name__ = case.__name__
        return run
    return wrap


v1_only = needs(not V2, "cgroup v1 alone has it")
v2_only = needs(V2, "cgroup v2 alone has it")
ours = needs(OURS, "a promise of zlayer-oci alone")


def v1_controller(name):
    return needs(lambda: V2 or (CGROUPS / name).is_dir(), f"no cgroup controller {name}")


def isolate():
    """A mount namespace of our own: mounts of a case are seen by nobody else."""
    check(LIBC.unshare(CLONE_NEWNS) == 0, "unshare")
    check(LIBC.mount(b"none", b"/", None, MS_REC_PRIVATE, None) == 0, "private mounts")


def main(cases):
    """Runs the cases (all functions of the module with one argument `box`), prints TAP, exits 1 when one failed.
    With arguments: only those whose name has one of them."""
    chosen = [c for c in cases if len(sys.argv) < 2 or any(word in c.__name__ for word in sys.argv[1:])]
    isolate()
    os.umask(0o022)
    failed = 0
    print(f"1..{len(chosen)}", flush=True)
    for number, case in enumerate(chosen, 1):
        began, line = time.monotonic(), f"{number} - {case.__name__}"
        try:
            run_case(case, number)
            print(f"ok {line} ({time.monotonic() - began:.2f} s)", flush=True)
        except Skip as reason:
            print(f"ok {line} # SKIP {reason}", flush=True)
        except Exception as error:  # a case may fail in any way
            failed += 1
            print(f"not ok {line} ({time.monotonic() - began:.2f} s)", flush=True)
            for text in traceback.format_exc().splitlines()[-7:-1] + str(error).splitlines():
                print(f"# {text}", flush=True)
    sys.exit(1 if failed else 0)


def all_cases(module):
    """The cases of a module (its globals), in the order of the file."""
    return [value for value in module.values() if getattr(value, "is_case", False)]


def case(fn):
    """Marks a function as a case; outermost decorator."""
    fn.is_case = True
    return fn


class Console:
    """A console socket: what a caller of `create` listens at for the master of the terminal."""

    def __init__(self, box, name="console.sock"):
        self.path = str(box.top / name)
        self.server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.server.bind(self.path)
        self.server.listen(1)
        self.server.settimeout(TIMEOUT)
        self.master = None
        box.cleanups.append(self.close)

    def receive(self):
        """The master's descriptor; the text that came with it is self.text."""
        peer, _ = self.server.accept()
        with peer:
            text, control, _, _ = peer.recvmsg(4096, socket.CMSG_SPACE(4))
        check(len(control) == 1, f"{len(control)} control messages with the terminal")
        fds = array.array("i", control[0][2][:4])
        self.text, self.master = text, fds[0]
        return self.master

    def close(self):
        self.server.close()
        if self.master is not None:
            os.close(self.master)
            self.master = None


def read_until(fd, part, seconds=20):
    """Reads a terminal until `part` has come, or its other end is closed."""
    text, end = b"", time.monotonic() + seconds
    os.set_blocking(fd, False)
    while part.encode() not in text and time.monotonic() < end:
        try:
            piece = os.read(fd, 4096)
            if not piece:
                break
            text += piece
        except BlockingIOError:
            time.sleep(0.005)
        except OSError:
            break
    return text.decode(errors="replace")


def status_of(text):
    """/proc/<pid>/status as a dictionary."""
    return {k: v.strip() for k, _, v in (line.partition(":") for line in text.splitlines())}


def deep(config):
    return copy.deepcopy(config)
