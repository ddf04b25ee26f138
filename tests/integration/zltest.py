# SPDX-License-Identifier: Apache-2.0
"""What the whole-program tests share: a node of their own, a leak probe, TAP output.

A test file calls `main()` with its functions. It is started again in its own network and mount
namespace, so that bridges, rules and mounts of one test are seen by no other and by nobody else."""
import contextlib
import json
import os
import pathlib
import pty
import re
import select
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
import traceback

BUILD = pathlib.Path(os.environ.get("ZLAYER_BUILD", "build")).resolve()
SOURCE = pathlib.Path(__file__).resolve().parents[2]
IMAGES = pathlib.Path(os.environ.get("ZLAYER_IMAGES", SOURCE / "build" / "images")).resolve()
HELLO = f"oci:{IMAGES}/hello"
CGROUPS = pathlib.Path("/sys/fs/cgroup")


def check(condition, message):
    if not condition:
        raise AssertionError(message)


def wait_for(condition, seconds=10.0, what="condition"):
    """Polls until condition() is true and returns its value; fails after `seconds`."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"{what}: not within {seconds} s")
        time.sleep(0.01)


def terminal(command, feed=b"", seconds=60):
    """Runs the command at a terminal of its own; returns its exit code and what was shown."""
    pid, master = pty.fork()
    if pid == 0:
        os.execvp(command[0], [str(word) for word in command])
    shown, end = b"", time.monotonic() + seconds
    os.write(master, feed)
    while time.monotonic() < end:
        if not select.select([master], [], [], 0.2)[0]:
            continue
        try:
            shown += os.read(master, 4096)
        except OSError:  # the other side is closed
            break
    else:
        os.kill(pid, signal.SIGKILL)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    os.close(master)
    return code, shown.decode(errors="replace")


class Skip(Exception):
    """Raised by a test that cannot run here; the reason is printed, and the case counted as skipped."""


class Node:
    """One zlayer root in a temporary directory. `with Node() as node: node.run(...)`."""

    def __init__(self, slice_cidr="10.231.0.0/24"):
        self.root = pathlib.Path(tempfile.mkdtemp(prefix="zlayer-test-"))
        self.slice = slice_cidr
        self.before = None
        self.tag = self.json("info", "--json")["network"]["bridge"].removeprefix("zl-")

    def __enter__(self):
        self.before = self.host_objects()
        del self.before["files"]  # the first commands make those of the node
        return self

    def settle(self):
        """From now on files below the root count too: caches and the database are there."""
        wait_for(lambda: not self.keepers(), 120, "the end of helpers in the background")
        self.before = self.host_objects()

    def __exit__(self, kind, value, trace):
        self.zlayer("rm", "-f", *self.ids(), ok=None) if self.ids() else None
        self.zlayer("system", "check", "--repair", ok=None)
        self.zlayer("system", "prune", "-f", "-a", "--volumes", ok=None)
        shutil.rmtree(self.root, ignore_errors=True)

    def command(self, *args):
        return [str(BUILD / "zlayer"), "--root", str(self.root), "--slice-cidr", self.slice, *map(str, args)]

    def zlayer(self, *args, ok=0, timeout=60, **kwargs):
        """Runs the CLI; ok: the expected exit code, None: any."""
        kwargs.setdefault("stdin", subprocess.DEVNULL if "input" not in kwargs else None)
        if "input" in kwargs:
            kwargs.pop("stdin")
        done = subprocess.run(self.command(*args), text=True, capture_output=True, timeout=timeout, check=False, **kwargs)
        if ok is not None:
            check(done.returncode == ok, f"zlayer {' '.join(map(str, args))}: exit {done.returncode}, expected {ok}\n"
                  f"stdout: {done.stdout[-800:]}\nstderr: {done.stderr[-800:]}")
        return done

    def start(self, *args, **kwargs):
        """Starts the CLI in the background."""
        return subprocess.Popen(self.command(*args), text=True, **kwargs)

    def json(self, *args, **kwargs):
        return json.loads(self.zlayer(*args, **kwargs).stdout)

    def ids(self):
        folder = self.root / "containers"
        return sorted(p.name for p in folder.iterdir()) if folder.is_dir() else []

    def inspect(self, name):
        return self.json("inspect", name)[0]

    def state(self, name):
        for row in self.json("ps", "-a", "--json"):
            if name in (row.get("id"), row.get("name")):
                return row["state"]
        return None

    def shims(self, program="zlayer-shim"):
        """{container id: pid} of the live shims in this test's network namespace."""
        found = {}
        for pid, name in processes().items():
            with contextlib.suppress(OSError):
                argv = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
                # A child that has not become QEMU yet has the same arguments, and comes later.
                if name == program and len(argv) > 1 and argv[1]:
                    found.setdefault(argv[1].decode(), pid)
        return found

    def keepers(self):
        """Pids of the programs that hold something of this root open: shims, machines, their makers."""
        return [pid for pid in processes() if self.is_held_by(pid)]

    def is_held_by(self, pid):
        try:
            links = [os.readlink(fd) for fd in pathlib.Path(f"/proc/{pid}/fd").iterdir()]
        except OSError:
            return False
        return any(link.startswith(f"{self.root}/") for link in links)

    def files(self):
        """Paths below the root, without what is inside layers."""
        found = set()
        for folder, folders, names in os.walk(self.root):
            found |= {os.path.join(folder, name) for name in folders + names}
            folders[:] = [name for name in folders if name != "fs"]
        return {os.path.relpath(path, self.root) for path in found}

    def rows(self, table):
        database = self.root / "zlayer.db"
        if not database.exists():
            return 0
        with sqlite3.connect(database) as connection:
            return connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]

    def host_objects(self):
        """What may be left on the host: {kind: set of names}."""
        links = json.loads(subprocess.run(["ip", "-j", "link"], capture_output=True, text=True, check=True).stdout)
        cgroups = set()
        for top in [CGROUPS, *CGROUPS.iterdir()]:
            if top.is_dir():
                cgroups |= {str(p) for p in top.glob(f"zlayer-{self.tag}-*")}
        mounts = pathlib.Path("/proc/self/mountinfo").read_text().splitlines()
        return {
            "mounts": {" ".join(line.split()[4:5]) for line in mounts},
            "links": {link["ifname"] for link in links if not re.match(r"^zl-[0-9a-f]{8}$", link["ifname"])},
            "cgroups": cgroups,
            "processes": {f"{pid} {name}" for pid, name in processes().items()},
            "sockets": set(re.findall(r" ([/@].*)$", pathlib.Path("/proc/self/net/unix").read_text(), re.M)),
            "containers": set(self.ids()),
            "locks": {p.name for p in (self.root / "locks").glob("[!.]*")},
            "files": self.files(),
        }

    def leaks(self):
        """Objects that were not there when the test began. Cgroups are told apart by this root's tag."""
        now = self.host_objects()
        left = {kind: sorted(now[kind] - self.before[kind]) for kind in self.before}
        for table in ("containers", "leases", "ports", "journal"):
            count = self.rows(table)
            if count:
                left[f"rows of {table}"] = [str(count)]
        return {kind: names for kind, names in left.items() if names}

    def expect_no_leaks(self, seconds=120.0):
        """Some of it goes by itself, later on a busy machine: links of network namespaces that the kernel takes
        down, the maker of an image's template."""
        end = time.monotonic() + seconds
        while self.leaks() and time.monotonic() < end:
            time.sleep(0.02)
        left = self.leaks()
        check(not left, f"left behind: {json.dumps(left)[:1500]}")


class VmNode(Node):
    """A node with machines, those of the pool gone at the end too."""

    def __exit__(self, *exception):
        self.zlayer("vm", "pool", "0", ok=None)
        super().__exit__(*exception)

    def settings(self, text):
        (self.root / "config.yaml").write_text(f"vm: {text}\n")

    def small(self):
        """Makes the templates of small machines and all else that the first ones need, and settles."""
        self.settings("{ memory: 64Mi, scratch_size: 64Mi }")
        self.zlayer("vm", "template", timeout=300)
        for _ in range(2):
            self.zlayer("run", "--rm", "--isolation", "hyperv", HELLO, "true", timeout=300)
        wait_for(lambda: not helpers(self.root), 120, "the end of the builder of the image's template")
        self.settle()

    def hyperv(self, *args):
        """Runs a container to its end; what it printed and the event of its end."""
        said = self.zlayer("run", "--rm", "--isolation", "hyperv", HELLO, *args).stdout
        events = [e for e in self.json_lines("events", "--json") if e["action"] == "die"]
        return said, events[-1]

    def json_lines(self, *args):
        return [json.loads(line) for line in self.zlayer(*args).stdout.splitlines()]


def helpers(root):
    """Pids of the programs that keep machines of this root, or make them."""
    found = []
    for entry in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            links = [os.readlink(fd) for fd in (entry / "fd").iterdir()]
        except OSError:
            continue
        if any(link.startswith(f"{root}/") for link in links) and int(entry.name) != os.getpid():
            found.append(int(entry.name))
    return found


def processes():
    """{pid: name} of what runs in this test's network namespace, without the test itself."""
    mine, found = os.readlink("/proc/self/ns/net"), {}
    for pid in sorted(map(int, filter(str.isdigit, os.listdir("/proc")))):
        with contextlib.suppress(OSError):
            if pid != os.getpid() and os.readlink(f"/proc/{pid}/ns/net") == mine:
                found[pid] = pathlib.Path(f"/proc/{pid}/comm").read_text().strip()
    return found


def make_bundle(folder, args, programs=None, change=None):
    """An OCI bundle in `folder`: a root with `programs` ({name in /bin: file}) and Debian's busybox under some names,
    and the example of `zlayer-oci spec`, without a terminal, executing `args`, as `change`(config) leaves it."""
    root = folder / "rootfs"
    for name in ("bin", "proc", "dev", "sys", "tmp"):
        (root / name).mkdir(parents=True)
    for name, file in {"busybox": "/bin/busybox", **(programs or {})}.items():
        shutil.copy(file, root / "bin" / name)
    for name in ("sh", "sleep", "true"):
        (root / "bin" / name).symlink_to("busybox")
    subprocess.run([BUILD / "zlayer-oci", "spec", "--bundle", folder], check=True)
    config = json.loads((folder / "config.json").read_text())
    config["process"].update(terminal=False, args=list(args))
    if change:
        change(config)
    (folder / "config.json").write_text(json.dumps(config))


def isolate():
    if os.environ.get("ZLTEST_ISOLATED") == str(os.getppid()) or os.environ.get("ZLTEST_INSIDE"):
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        return
    os.environ["ZLTEST_INSIDE"] = "1"
    os.execvp("unshare", ["unshare", "--net", "--mount", "--propagation", "private", "/usr/bin/python3", *sys.argv])


def main(*tests):
    """Runs each test function, prints TAP, exits 1 when one failed."""
    isolate()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    failed = 0
    print(f"1..{len(tests)}", flush=True)
    for number, test in enumerate(tests, 1):
        began = time.monotonic()
        try:
            test()
            print(f"ok {number} - {test.__name__} ({time.monotonic() - began:.1f} s)", flush=True)
        except Skip as reason:
            print(f"ok {number} - {test.__name__} # SKIP {reason}", flush=True)
        except Exception as error:  # a test may fail in any way
            failed += 1
            print(f"not ok {number} - {test.__name__} ({time.monotonic() - began:.1f} s)", flush=True)
            for line in traceback.format_exc().splitlines()[-12:] + str(error).splitlines():
                print(f"# {line}", flush=True)
    sys.exit(1 if failed else 0)
