#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Debian's podman with zlayer-oci as its runtime. Podman gets its own storage and state below a
temporary directory, and /run and /dev/shm of its own: neither the machine's Podman nor another test
sees anything of it."""
import atexit
import concurrent.futures
import json
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import threading
import time

from zltest import BUILD, CGROUPS, Skip, check, main, terminal, wait_for

RUNTIME = BUILD / os.environ.get("ZLAYER_OCI", "zlayer-oci")
IMAGE = "localhost/box"
AT_ONCE = 20
KEPT = (".filters~", ".machine~")  # compiled system call filters, what the accelerator is: of all containers
PARENT = f"/zlayer-podman-{os.getpid()}"  # other tests have a Podman too
FIRST_ID = 3_000_000  # of user namespaces; of no other test
# Where CAP_SYS_RESOURCE is missing, Podman's own default limits cannot be set.
LIMITS = ["--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1000:1000"]
FOREVER = ["sh", "-c", "trap 'echo term; exit 5' TERM; echo up; while :; do sleep 0.1; done"]


def make_root(folder):
    """A root directory of Debian's static busybox."""
    for name in ("bin", "tmp", "etc", "root", "proc", "sys", "dev", "data/deep"):
        (folder / name).mkdir(parents=True)
    shutil.copy("/bin/busybox", folder / "bin/busybox")
    for name in subprocess.run(["/bin/busybox", "--list"], capture_output=True, text=True, check=True).stdout.split():
        if name != "busybox":
            (folder / "bin" / name).symlink_to("busybox")
    (folder / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\nweb:x:1000:1000::/:/bin/sh\n")
    (folder / "etc/group").write_text("root:x:0:\nweb:x:1000:\n")
    (folder / "etc/plain").write_text("no program\n")
    (folder / "tmp").chmod(0o1777)
    (folder / "data/deep/file").write_text("content\n")
    (folder / "data/deep/file").chmod(0o640)
    (folder / "data/link").symlink_to("deep/file")
    os.chown(folder / "data/deep", 1000, 1000)
    (folder / "data").chmod(0o751)


def prepare():
    """Our own /run and /dev/shm (Podman's locks and conmon's sockets have fixed names there), and a
    directory for the rest, which goes with us."""
    for folder in ("/run", "/dev/shm"):
        subprocess.run(["mount", "-t", "tmpfs", "own", folder], check=True)
    os.environ["CONTAINERS_CONF"] = "/dev/null"  # not the machine's settings
    root = pathlib.Path(tempfile.mkdtemp(prefix="zlayer-podman-"))
    root.chmod(0o755)  # the roots of user namespaces look for their files in it
    atexit.register(shutil.rmtree, root, ignore_errors=True)
    atexit.register(remove_parent_groups)
    return root


def remove_parent_groups():
    for top in [CGROUPS, *(p for p in CGROUPS.iterdir() if p.is_dir())]:
        if not os.path.ismount(top):  # Podman makes plain directories where a hierarchy is not mounted
            shutil.rmtree(top / PARENT.strip("/"), ignore_errors=True)
        for group in sorted((top / PARENT.strip("/")).rglob("*"), reverse=True):
            if group.is_dir():
                group.rmdir()
        if (top / PARENT.strip("/")).is_dir():
            (top / PARENT.strip("/")).rmdir()


class Podman:
    """`with Podman() as podman: podman(...)`; at the end nothing may be left of its containers. One
    storage with one image serves all cases."""

    shared_root = None

    def __init__(self):
        self.before = None
        if Podman.shared_root is None:
            Podman.shared_root = prepare()
            self.import_image()

    @property
    def root(self):
        return Podman.shared_root

    def command(self, *args):
        return ["podman", "--root", f"{self.root}/storage", "--runroot", f"{self.root}/run", "--tmpdir", f"{self.root}/tmp",
                "--runtime", str(RUNTIME), "--cgroup-manager", "cgroupfs", "--storage-driver", "vfs",
                "--events-backend", "file", "--log-level", "error", *map(str, args)]

    def __call__(self, *args, ok=0, timeout=90, **kwargs):
        """Runs podman; ok: the expected exit code, None: any."""
        if "input" not in kwargs:
            kwargs.setdefault("stdin", subprocess.DEVNULL)
        kwargs.setdefault("cwd", self.root)  # conmon leaves a file there when memory runs out
        done = subprocess.run(self.command(*args), text=True, capture_output=True, timeout=timeout, check=False,
                              **kwargs)
        if ok is not None:
            check(done.returncode == ok, f"podman {' '.join(map(str, args))}: exit {done.returncode}, expected {ok}\n"
                  f"stdout: {done.stdout[-800:]}\nstderr: {done.stderr[-800:]}")
        return done

    def run(self, *args, network="none", **kwargs):
        """podman run: limits that can be set, no network unless the case is about one."""
        return self("run", *LIMITS, "--cgroup-parent", PARENT, "--network", network, *args, **kwargs)

    def out(self, *args, **kwargs):
        return self.run("--rm", *args, **kwargs).stdout

    def inspect(self, name, what):
        return self("inspect", name, "--format", what).stdout.strip()

    def pid(self, name):
        return int(self.inspect(name, "{{.State.Pid}}"))

    def import_image(self):
        make_root(self.root / "image")
        archive = self.root / "image.tar"
        subprocess.run(["tar", "-C", str(self.root / "image"), "-cf", str(archive), "."], check=True)
        self("import", "-c", 'CMD ["/bin/sh"]', archive, IMAGE)

    def __enter__(self):
        self.before = host_objects()
        return self

    def __exit__(self, kind, value, trace):
        try:
            # Podman, with any runtime, may find the /dev/shm that it has just taken off still there.
            wait_for(lambda: self("rm", "-f", "-a", "-t", "0", ok=None).returncode == 0, 20, "podman rm")
            if kind is None:
                wait_for(lambda: not self.left(), 10, "nothing left behind")
        except AssertionError as error:
            raise AssertionError(f"{error}; left: {json.dumps(self.left())[:1200]}") from error

    def left(self):
        now = host_objects()
        left = {what: sorted(now[what] - self.before[what]) for what in now}
        states = pathlib.Path("/run", RUNTIME.name)
        left["states"] = sorted(p.name for p in states.iterdir() if p.name not in KEPT) if states.is_dir() else []
        # conmon and its runtime stay until they have told Podman of the end.
        left["processes"] = [f"{pid} {text[:100]}" for pid, text in command_lines() if str(self.root) in text and " ps " not in text]
        return {what: names for what, names in left.items() if names}


def command_lines():
    for entry in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            yield int(entry.name), (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue


def host_objects():
    groups = set()
    for top in [CGROUPS, *(p for p in CGROUPS.iterdir() if p.is_dir())]:
        base = top / PARENT.strip("/")
        groups |= {str(p) for p in base.rglob("libpod-*") if p.is_dir()} if base.is_dir() else set()
    mounts = {line.split()[4] for line in pathlib.Path("/proc/self/mountinfo").read_text().splitlines()}
    mounts -= {"/run/netns"}  # Podman's own, which stays
    return {"cgroups": groups, "mounts": mounts}


# ---- Running --------------------------------------------------------------------------------------


def the_exit_code_and_both_streams():
    with Podman() as podman:
        done = podman.run("--rm", IMAGE, "sh", "-c", "echo out; echo err >&2; exit 7", ok=7)
        check((done.stdout, done.stderr) == ("out\n", "err\n"), f"{done}")
        check(podman.out("-i", IMAGE, "cat", input="some\ninput\n") == "some\ninput\n", "input")
        check(podman("ps", "-aq").stdout == "", "--rm")


def missing_and_not_executable_commands():
    with Podman() as podman:
        for command, code, text in (("/no/such", 127, "not found"), ("nosuch", 127, "not found"),
                                    ("/etc/plain", 126, "permission denied"), ("/etc", 126, "ermission denied")):
            done = podman.run("--rm", IMAGE, command, ok=code)
            check(text in done.stderr, f"{command}: {done.stderr}")
        podman.run("-d", "--name", "on", IMAGE, *FOREVER)
        podman("exec", "on", "nosuch", ok=127)
        podman("exec", "on", "/etc/plain", ok=126)
        podman("create", *LIMITS, "--name", "later", "--network", "none", IMAGE, "nosuch")
        check("not found" in podman("start", "later", ok=125).stderr, "start")
        podman("rm", "-f", "-t", "0", "later")


def detached_logs_and_attach():
    with Podman() as podman:
        podman.run("-d", "--name", "on", IMAGE, "sh", "-c", "echo one; read -r line; echo got $line; exit 4", ok=0)
        wait_for(lambda: podman.inspect("on", "{{.State.Status}}") == "exited", 10, "end: its input is closed")
        check(podman("logs", "on").stdout == "one\ngot\n", "logs")
        podman("rm", "on")
        podman.run("-d", "-i", "--name", "on", IMAGE, "sh", "-c", "echo one; read -r line; echo got $line; exit 4")
        done = podman("attach", "on", input="a line\n")
        check("got a line" in done.stdout, f"{done}")
        check(podman("wait", "on").stdout == "4\n", "exit code")
        check("got a line" in podman("logs", "on").stdout, "logs")
        podman.run("-d", "-t", "--name", "tty", IMAGE, "sh", "-c", "tty; stty size; sleep 100")
        wait_for(lambda: "/dev/pts/0" in podman("logs", "tty").stdout, 10, "the terminal's name")


def a_terminal():
    with Podman() as podman:
        code, shown = terminal(podman.command("run", *LIMITS, "--network", "none", "--rm", "-it", IMAGE, "sh", "-c",
                                                 "tty; read -r x; echo [$x]; exit 3"), b"typed\n")
        check(code == 3 and "/dev/pts/0" in shown and "[typed]" in shown, f"{code} {shown}")
        podman.run("-d", "--name", "on", IMAGE, *FOREVER)
        code, shown = terminal(podman.command("exec", "-it", "on", "sh", "-c", "tty; read -r x; echo [$x]; exit 6"), b"typed\n")
        check(code == 6 and "/dev/pts/" in shown and "[typed]" in shown, f"{code} {shown}")
        code, shown = terminal(podman.command("exec", "-it", "-u", "web", "on", "sh", "-c", "echo own > $(tty); exit 0"))
        check(code == 0 and "own" in shown, f"{code} {shown}")


def exec_with_its_options():
    with Podman() as podman:
        podman.run("-d", "--name", "on", "-e", "BASE=b", IMAGE, *FOREVER)
        podman("exec", "on", "sh", "-c", "exit 9", ok=9)
        done = podman("exec", "-e", "X=1", "-w", "/tmp", "-u", "web", "on", "sh", "-c", "echo $BASE $X; pwd; id -u; echo e >&2")
        check((done.stdout, done.stderr) == ("b 1\n/tmp\n1000\n", "e\n"), f"{done}")
        check(podman("exec", "-i", "on", "cat", input="in").stdout == "in", "input")
        podman("exec", "-u", "web", "on", "sh", "-c", "echo z > /dev/stdout")
        podman("exec", "-d", "on", "sh", "-c", "echo done > /tmp/mark")
        wait_for(lambda: podman("exec", "on", "cat", "/tmp/mark", ok=None).stdout == "done\n", 10, "detached exec")
        caps = podman("exec", "--privileged", "on", "grep", "CapEff", "/proc/self/status").stdout
        check(caps.split()[1].lstrip("0") == "1fffeffffff" or int(caps.split()[1], 16) > 0xffffffff, caps)
        groups = [line for line in podman("exec", "on", "cat", "/proc/self/cgroup").stdout.splitlines() if "libpod-" not in line]
        check(not [g for g in groups if not g.split(":")[1].startswith(("perf_event", "net_", "misc", "rdma"))], f"{groups}")


# ---- Ending ---------------------------------------------------------------------------------------


def stop_kill_and_remove():
    with Podman() as podman:
        podman.run("-d", "--name", "on", IMAGE, *FOREVER)
        wait_for(lambda: "up" in podman("logs", "on").stdout, 10, "its trap")
        podman("stop", "on")
        check(podman.inspect("on", "{{.State.Status}} {{.State.ExitCode}}") == "exited 5", "stop")
        check(podman("logs", "on").stdout == "up\nterm\n", "SIGTERM")
        podman("start", "on")
        check(podman.inspect("on", "{{.State.Status}}") == "running", "start again")
        podman("restart", "-t", "0", "on")
        podman("kill", "on")
        check(podman("wait", "on").stdout.strip() == "137", "kill")
        podman("kill", "on", ok=125)
        podman("rm", "on")
        podman.run("-d", "--name", "deaf", IMAGE, "sh", "-c", "trap '' TERM; while :; do sleep 0.1; done")
        podman("stop", "-t", "1", "deaf")
        check(podman.inspect("deaf", "{{.State.ExitCode}}") == "137", "SIGKILL after the timeout")
        podman("start", "deaf")
        podman("rm", "deaf", ok=2)
        podman("rm", "-f", "-t", "0", "deaf")
        podman.run("-d", "--name", "usr", "--stop-signal", "USR1", IMAGE, "sh", "-c", "trap 'exit 8' USR1; while :; do sleep 0.1; done")
        time.sleep(0.5)
        podman("kill", "-s", "USR1", "usr")
        check(podman("wait", "usr").stdout.strip() == "8", "kill -s")


def pause_and_unpause():
    with Podman() as podman:
        podman.run("-d", "--name", "on", IMAGE, *FOREVER)
        podman("pause", "on")
        check(podman.inspect("on", "{{.State.Status}}") == "paused", "status")
        podman("exec", "on", "true", ok=255)
        podman("pause", "on", ok=125)
        podman("unpause", "on")
        podman("exec", "on", "true")
        podman("pause", "on")
        podman("rm", "-f", "-t", "0", "on")


def seen_from_outside():
    with Podman() as podman:
        podman.run("-d", "--name", "on", IMAGE, "sh", "-c", "sleep 1000 & while :; do :; done")
        time.sleep(1)
        row = json.loads(podman("stats", "--no-stream", "--format", "json", "on").stdout)[0]
        check(float(row["cpu_percent"].rstrip("%")) > 1 and row["pids"] == "2", f"{row}")
        top = podman("top", "on").stdout
        check("sleep 1000" in top and len(top.splitlines()) == 3, top)
        check("sleep" in podman("top", "on", "pid", "comm").stdout, "top with columns")
        whole = json.loads(podman("inspect", "on").stdout)[0]
        check(whole["OCIRuntime"] == str(RUNTIME) and whole["State"]["Running"], f"{whole['State']}")
        check(os.path.exists(f"/proc/{whole['State']['Pid']}"), "pid")
        podman("cp", "/etc/hostname", "on:/tmp/copied")
        podman("exec", "on", "test", "-s", "/tmp/copied")
        info = json.loads(podman("info", "--format", "json").stdout)
        check(f"{RUNTIME.name} version" in info["host"]["ociRuntime"]["version"], f"{info['host']['ociRuntime']}")


# ---- File systems ---------------------------------------------------------------------------------


def read_only_and_tmpfs():
    with Podman() as podman:
        done = podman.run("--rm", "--read-only", IMAGE, "sh", "-c", "touch /x; touch /tmp/y /run/z && echo kept", ok=0)
        check("Read-only" in done.stderr and done.stdout == "kept\n", f"{done}")
        text = podman.out("--tmpfs", "/mnt:size=1m,mode=1770,noexec", IMAGE, "sh", "-c", "grep ' /mnt ' /proc/mounts; ls -ld /mnt")
        check("size=1024k" in text and "noexec" in text and "drwxrwx--T" in text, text)
        # A tmpfs starts with what it covers, owner and modes kept.
        text = podman.out("--tmpfs", "/data", IMAGE, "sh", "-c",
                          "stat -c '%a %u' /data /data/deep /data/deep/file; cat /data/link; readlink /data/link; touch /data/x")
        check(text == "751 0\n755 1000\n640 0\ncontent\ndeep/file\n", text)
        done = podman.run("--rm", "--tmpfs", "/data:ro", IMAGE, "sh", "-c", "cat /data/link; touch /data/x", ok=1)
        check(done.stdout == "content\n" and "Read-only" in done.stderr, f"{done}")
        text = podman.out("--shm-size", "1m", IMAGE, "df", "/dev/shm")
        check(text.split()[8] == "1024", text)


def volumes():
    with Podman() as podman:
        folder = podman.root / "volume"
        folder.mkdir()
        (folder / "given").write_text("given\n")
        done = podman.run("--rm", "-v", f"{folder}:/v:ro", IMAGE, "sh", "-c", "cat /v/given; touch /v/new", ok=1)
        check(done.stdout == "given\n" and "Read-only" in done.stderr, f"{done}")
        podman.out("-v", f"{folder}:/v", IMAGE, "touch", "/v/new")
        check((folder / "new").exists(), "writable")
        podman.out("-v", "named:/v", IMAGE, "sh", "-c", "echo kept > /v/f")
        check(podman.out("-v", "named:/v", IMAGE, "cat", "/v/f") == "kept\n", "named volume")
        check(podman.out("-v", f"{folder}/given:/one:ro", IMAGE, "cat", "/one") == "given\n", "one file")
        done = podman.run("--rm", "-v", f"{folder}/missing:/v", IMAGE, "true", ok=125)
        check("no such file" in done.stderr, done.stderr)
        line = podman.out("--mount", f"type=bind,src={folder},dst=/v,bind-propagation=rslave,ro", IMAGE, "grep", " /v ", "/proc/self/mountinfo")
        check(" ro" in line, line)
        podman("volume", "rm", "-a", "-f")


def devices():
    with Podman() as podman:
        done = podman.run("--rm", "--device", "/dev/kmsg:/dev/mine:r", IMAGE, "sh", "-c",
                          "ls -l /dev/mine; : < /dev/mine; : > /dev/mine; mknod /dev/other c 1 2; : < /dev/other", ok=None)
        check("1,  11" in done.stdout and done.returncode != 0, f"{done}")
        check("/dev/mine: Operation not permitted" in done.stderr, f"it is for reading: {done}")
        usual = set(podman.out(IMAGE, "ls", "/dev").split())
        check({"null", "zero", "full", "random", "urandom", "tty", "ptmx", "pts", "shm", "fd", "stdout"} <= usual, f"{usual}")


# ---- Privileges -----------------------------------------------------------------------------------


def status_of(podman, field, *args):
    return podman.out(*args, IMAGE, "grep", f"^{field}:", "/proc/self/status").split()[1]


def capabilities():
    with Podman() as podman:
        text = podman.out("--cap-drop", "ALL", "--cap-add", "NET_RAW", IMAGE, "grep", "Cap", "/proc/self/status")
        check({line.split()[1] for line in text.splitlines() if not line.startswith(("CapInh", "CapAmb"))} == {"0000000000002000"}, text)
        check(int(status_of(podman, "CapEff", "--cap-add", "SYS_ADMIN"), 16) & (1 << 21), "--cap-add")
        check(int(status_of(podman, "CapEff", "--cap-drop", "CHOWN"), 16) & 1 == 0, "--cap-drop")
        check(status_of(podman, "CapEff", "--user", "1000") == "0000000000000000", "a user has none")


def seccomp_and_privileges():
    with Podman() as podman:
        profile = podman.root / "profile.json"
        profile.write_text(json.dumps({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
            {"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 95}]}))
        check(status_of(podman, "Seccomp") == "2", "default profile")
        check(status_of(podman, "Seccomp", "--security-opt", "seccomp=unconfined") == "0", "unconfined")
        done = podman.run("--rm", "--security-opt", f"seccomp={profile}", IMAGE, "mkdir", "/x", ok=1)
        check("Operation not supported" in done.stderr, done.stderr)
        check(status_of(podman, "NoNewPrivs", "--security-opt", "no-new-privileges") == "1", "no-new-privileges")
        check(status_of(podman, "NoNewPrivs") == "0", "without")


def privileged():
    with Podman() as podman:
        text = podman.out("--privileged", IMAGE, "sh", "-c",
                          "grep -E '^(CapEff|Seccomp):' /proc/self/status; mount -t tmpfs x /tmp && echo mounted; echo 1 > /proc/sys/net/ipv4/ip_forward && echo set; ls /dev | wc -l")
        lines = text.splitlines()
        check(int(lines[0].split()[1], 16) & (1 << 21) and lines[1].split()[1] == "0", text)
        check(lines[2:4] == ["mounted", "set"] and int(lines[4]) > 20, text)


def users():
    with Podman() as podman:
        check(podman.out("--user", "1000:1000", IMAGE, "id", "-u") == "1000\n", "ids")
        check(podman.out("--user", "web", "--group-add", "44", IMAGE, "id", "-G") == "1000 44\n", "groups")
        podman.out("--user", "web", IMAGE, "sh", "-c", "echo x > /dev/stdout; echo y > /dev/stderr")
        done = podman.run("--rm", "--user", "nobody-here", IMAGE, "true", ok=None)
        check(done.returncode in (125, 126), f"{done}")
        check(podman.out("--umask", "0077", IMAGE, "sh", "-c", "umask") == "0077\n", "umask")
        check(podman.out("-w", "/tmp", IMAGE, "pwd") == "/tmp\n", "directory")


def a_user_namespace():
    with Podman() as podman:
        maps = ["--uidmap", f"0:{FIRST_ID}:65536", "--gidmap", f"0:{FIRST_ID}:65536"]
        text = podman.out(*maps, IMAGE, "sh", "-c", "id -u; cat /proc/self/uid_map; touch /x; stat -c %u /x /data/deep")
        check(text.split() == ["0", "0", str(FIRST_ID), "65536", "0", "1000"], text)
        text = podman.out(*maps, "--memory", "64m", IMAGE, "cat", "/sys/fs/cgroup/memory/memory.limit_in_bytes"
                          if (CGROUPS / "memory").is_dir() else "/sys/fs/cgroup/cgroup.controllers")
        check(text.strip() in ("67108864", "") or "memory" in text, text)
        podman.run("-d", "--name", "on", *maps, "--device", "/dev/fuse", "--tmpfs", "/data", IMAGE, *FOREVER)
        check(podman("exec", "on", "sh", "-c", "id -u; cat /data/link").stdout == "0\ncontent\n", "exec")
        code, shown = terminal(podman.command("exec", "-it", "on", "sh", "-c", "tty; exit 3"))
        check(code == 3 and "/dev/pts" in shown, f"{code} {shown}")
        check(os.stat(f"/proc/{podman.pid('on')}").st_uid == FIRST_ID, "the host's view")
        check(os.stat("/dev/null").st_uid != FIRST_ID, "the host's /dev/null was given away")


def an_automatic_user_namespace():
    with Podman() as podman:
        ranges = [p for p in ("/etc/subuid", "/etc/subgid") if "containers:" in pathlib.Path(p).read_text()]
        if len(ranges) != 2:
            raise Skip("/etc/subuid and /etc/subgid have no ranges of 'containers'")
        check(int(podman.out("--userns", "auto", IMAGE, "cat", "/proc/self/uid_map").split()[1]) > 0, "mapped")


# ---- Namespaces -----------------------------------------------------------------------------------


def shared_namespaces():
    with Podman() as podman:
        for option, kind in (("--pid", "pid"), ("--ipc", "ipc"), ("--uts", "uts")):
            own = os.readlink(f"/proc/self/ns/{kind}")
            check((podman.out(option, "host", IMAGE, "readlink", f"/proc/self/ns/{kind}").strip() == own), f"{option} host")
            check((podman.out(IMAGE, "readlink", f"/proc/self/ns/{kind}").strip() != own), f"{option} of its own")
        podman.run("-d", "--name", "on", "--ipc", "shareable", IMAGE, *FOREVER)
        for option, kind in (("--pid", "pid"), ("--ipc", "ipc")):
            own = podman("exec", "on", "readlink", f"/proc/self/ns/{kind}").stdout
            check(podman.out(option, "container:on", IMAGE, "readlink", f"/proc/self/ns/{kind}") == own, f"{option} container")
        podman.run("-d", "--name", "all", "--pid", "host", IMAGE, "sh", "-c", "sleep 1000 & sleep 1000 & wait")
        podman("stop", "-t", "1", "all")


def names_and_settings():
    with Podman() as podman:
        check(podman.out("--hostname", "boxed", IMAGE, "hostname") == "boxed\n", "host name")
        text = podman.out("--sysctl", "kernel.msgmax=4096", "--sysctl", "net.ipv4.ip_forward=1", IMAGE,
                          "cat", "/proc/sys/kernel/msgmax", "/proc/sys/net/ipv4/ip_forward")
        check(text == "4096\n1\n", text)
        done = podman.run("--rm", "--sysctl", "kernel.panic=1", IMAGE, "true", ok=None)
        check(done.returncode != 0, "a setting of the host")
        check(podman.out("--oom-score-adj", "100", "--ulimit", "core=0:0", IMAGE, "sh", "-c", "cat /proc/self/oom_score_adj; ulimit -c") == "100\n0\n", "limits")
        check(podman.out("-e", "A=b c", "--unsetenv", "PATH", IMAGE, "/bin/sh", "-c", "echo $A") == "b c\n", "environment")


def networks():
    with Podman() as podman:
        links = podman.out(IMAGE, "sh", "-c", "ip -o addr; ip route").splitlines()
        check(all(" lo " in f"{line} " for line in links) and any("127.0.0.1" in line for line in links), f"none: {links}")
        own = os.readlink("/proc/self/ns/net")
        check(podman.out(IMAGE, "readlink", "/proc/self/ns/net", network="host").strip() == own, "host")
        podman.run("-d", "--name", "on", IMAGE, *FOREVER)
        shared = podman("exec", "on", "readlink", "/proc/self/ns/net").stdout
        check(podman.out(IMAGE, "readlink", "/proc/self/ns/net", network="container:on") == shared, "container")


def the_default_bridge():
    with Podman() as podman:
        if not (shutil.which("netavark", path="/usr/lib/podman:/usr/libexec/podman") or os.path.exists("/usr/lib/cni/bridge")):
            raise Skip("neither netavark nor the CNI plugins are installed")
        done = podman.run("--rm", "-d", "--name", "on", IMAGE, "sh", "-c", "busybox nc -l -p 80 -e echo served", network="bridge", ok=None)
        if done.returncode != 0:
            check("OCI runtime" not in done.stderr, done.stderr)
            raise Skip(f"this host has no bridge networks: {done.stderr.strip()[-120:]}")
        address = podman("exec", "on", "sh", "-c", "ip -4 -o addr show eth0").stdout.split()[3].split("/")[0]
        answer = wait_for(lambda: subprocess.run(["/bin/busybox", "nc", address, "80"], stdin=subprocess.DEVNULL,
                                                 capture_output=True, text=True, timeout=10, check=False).stdout, 10, "an answer")
        check(answer == "served\n", answer)


# ---- Resources ------------------------------------------------------------------------------------


def value(podman, name, v1, v2):
    """A file of the container's cgroup, as the host has it."""
    tree, file = v1
    group = next(line.split(":", 2) for line in pathlib.Path(f"/proc/{podman.pid(name)}/cgroup").read_text().splitlines()
                 if line.split(":")[1] == (tree if (CGROUPS / tree).is_dir() else ""))
    base = CGROUPS / group[1] if group[1] else CGROUPS
    return (base / group[2].strip("/") / (file if group[1] else v2)).read_text().strip()


def limits_of_resources():
    with Podman() as podman:
        podman.run("-d", "--name", "on", "--memory", "64m", "--pids-limit", "50", "--cpus", "0.5", "--cpu-shares", "512", "--cpuset-cpus", "0",
                   IMAGE, *FOREVER)
        check(value(podman, "on", ("memory", "memory.limit_in_bytes"), "memory.max") == "67108864", "memory")
        check(value(podman, "on", ("pids", "pids.max"), "pids.max") == "50", "pids")
        check(value(podman, "on", ("cpu", "cpu.cfs_quota_us"), "cpu.max") in ("50000", "50000 100000"), "cpus")
        check(value(podman, "on", ("cpuset", "cpuset.cpus"), "cpuset.cpus") == "0", "cpuset")
        check("\t0\n" in podman("exec", "on", "grep", "Cpus_allowed_list", "/proc/self/status").stdout, "processors")
        if (CGROUPS / "memory").is_dir():
            check(podman("exec", "on", "cat", "/sys/fs/cgroup/memory/memory.limit_in_bytes").stdout.strip() == "67108864", "its own view")
            check(podman("exec", "on", "cat", "/sys/fs/cgroup/pids/pids.max").stdout.strip() == "50", "its own view")
            podman("exec", "on", "sh", "-c", "echo 1 > /sys/fs/cgroup/pids/pids.max", ok=1)


def an_update():
    with Podman() as podman:
        if "unrecognized command" in podman("update", ok=None).stderr:
            raise Skip("this podman has no update")
        podman.run("-d", "--name", "on", "--memory", "64m", IMAGE, *FOREVER)
        podman("update", "--memory", "96m", "on")
        podman("update", "--cpus", "0.5", "on")
        check(value(podman, "on", ("memory", "memory.limit_in_bytes"), "memory.max") == "100663296", "memory")
        check(value(podman, "on", ("cpu", "cpu.cfs_quota_us"), "cpu.max") in ("50000", "50000 100000"), "cpus")


def out_of_memory():
    with Podman() as podman:
        podman.run("--name", "big", "--memory", "16m", "--memory-swap", "16m", IMAGE, "sh", "-c", "a=x; while :; do a=$a$a; done", ok=137)
        check(podman.inspect("big", "{{.State.ExitCode}}") == "137", "exit code")


def many_processes_are_refused():
    with Podman() as podman:
        done = podman.run("--rm", "--pids-limit", "6", IMAGE, "sh", "-c", "for i in 1 2 3 4 5 6 7 8; do sleep 5 & done; wait", ok=None)
        check("can't fork" in done.stderr, f"{done}")


# ---- The rest -------------------------------------------------------------------------------------


def an_init():
    with Podman() as podman:
        program = next((p for p in ("/usr/libexec/podman/catatonit", "/usr/bin/catatonit") if os.path.exists(p)), None)
        if program is None:
            raise Skip("catatonit is not installed")
        check("catatonit" in podman.out("--init", "--init-path", program, IMAGE, "cat", "/proc/1/cmdline"), "first process")


def descriptors_are_passed_on():
    with Podman() as podman:
        file = podman.root / "passed"
        file.write_text("passed\n")
        with open(file, encoding="utf-8") as one, open(file, encoding="utf-8") as two:
            fds = {3: one.fileno(), 4: two.fileno()}
            done = subprocess.run(["sh", "-c", f'exec 3<&{fds[3]} 4<&{fds[4]}; exec "$@"', "sh",
                                   *podman.command("run", *LIMITS, "--network", "none", "--rm", "--preserve-fds", "2", IMAGE,
                                                   "sh", "-c", "cat <&3; cat <&4")],
                                  pass_fds=list(fds.values()), capture_output=True, text=True, timeout=60, check=False,
                                  stdin=subprocess.DEVNULL)
        # Both are the same open file or each its own: podman's doing.
        check(done.returncode == 0 and done.stdout.startswith("passed\n"), f"{done}")


def a_health_check():
    with Podman() as podman:
        podman.run("-d", "--name", "on", "--health-cmd", "test -e /tmp/ok", "--health-interval", "disable", "--health-retries", "1", IMAGE, *FOREVER)
        podman("healthcheck", "run", "on", ok=1)
        podman("exec", "on", "touch", "/tmp/ok")
        podman("healthcheck", "run", "on")
        check(podman.inspect("on", "{{.State.Health.Status}}") == "healthy", "status")


def pods():
    with Podman() as podman:
        podman("pod", "create", "--infra=false", "--name", "both", "--cgroup-parent", PARENT)
        for name in ("a", "b"):
            podman("run", *LIMITS, "--network", "none", "-d", "--pod", "both", "--name", name, IMAGE, *FOREVER)
        rows = json.loads(podman("pod", "ps", "--format", "json").stdout)
        check(len(rows) == 1 and len(rows[0]["Containers"]) == 2 and rows[0]["Status"] == "Running", f"{rows}")
        podman("pod", "pause", "both")
        podman("pod", "unpause", "both")
        podman("pod", "stop", "-t", "0", "both")
        podman("pod", "rm", "-f", "both")


def twenty_at_once():
    with Podman() as podman:
        names = [f"many{i}" for i in range(AT_ONCE)]
        with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
            list(pool.map(lambda n: podman.run("-d", "--name", n, IMAGE, *FOREVER, timeout=120), names))
            check(len(podman("ps", "-q").stdout.split()) == AT_ONCE, "running")
            list(pool.map(lambda n: podman("exec", n, "sh", "-c", "exit 3", ok=3, timeout=120), names))
        podman("rm", "-f", "-a", "-t", "0", timeout=120)


def a_killed_container_is_seen():
    with Podman() as podman:
        podman.run("-d", "--name", "on", IMAGE, *FOREVER)
        os.kill(podman.pid("on"), signal.SIGKILL)
        check(podman("wait", "on").stdout.strip() == "137", "wait")
        podman("start", "on")
        follower = threading.Thread(target=lambda: podman("logs", "-f", "on"))
        follower.start()
        podman("kill", "on")
        follower.join(30)
        check(not follower.is_alive(), "logs -f does not end")


if __name__ == "__main__":
    main(the_exit_code_and_both_streams, missing_and_not_executable_commands, detached_logs_and_attach, a_terminal,
         exec_with_its_options, stop_kill_and_remove, pause_and_unpause, seen_from_outside, read_only_and_tmpfs, volumes, devices,
         capabilities, seccomp_and_privileges, privileged, users, a_user_namespace, an_automatic_user_namespace, shared_namespaces,
         names_and_settings, networks, the_default_bridge, limits_of_resources, an_update, out_of_memory, many_processes_are_refused,
         an_init, descriptors_are_passed_on, a_health_check, pods, twenty_at_once, a_killed_container_is_seen)
