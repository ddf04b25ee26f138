#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""exec: its exit codes, its options, the process document, and what it takes over from the container."""
import contextlib
import json
import os
import pathlib
import signal
import subprocess

from ocibox import OURS, V2, all_cases, case, check, contains, equal, main, status_of, v2_only, wait_for

CAPS = ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")
PROCESS = {"args": ["sh", "-c", "echo document"], "cwd": "/", "env": ["PATH=/bin"], "user": {"uid": 0, "gid": 0}}


def document(box, **members):
    """A file with a process document; its path."""
    path = box.top / "process.json"
    path.write_text(json.dumps({**PROCESS, **members}))
    return path


def programs(box):
    """The command lines of all processes in the container's cgroup."""
    found = []
    for pid in box.pids():
        with contextlib.suppress(OSError):
            found.append(pathlib.Path(f"/proc/{pid}/cmdline").read_bytes())
    return found


@case
def exit_codes(box):
    box.detach()
    for code in (0, 1, 42, 255):
        box.exec("helper", "exit", str(code), ok=code)


@case
def a_signal_is_128_and_its_number(box):
    box.detach()
    for number in (signal.SIGTERM, signal.SIGKILL, signal.SIGSEGV):
        box.exec("helper", "signal", str(int(number)), ok=128 + number)


@case
def a_missing_command(box):
    box.detach()
    for flags in ([], ["-d"]):
        for words in (["/nowhere"], ["nowhere"]):
            done = box.exec(*words, flags=flags, ok="fail")
            contains(done.stderr, "nowhere")
            check(not OURS or done.returncode == 255, f"{words}: exit {done.returncode}")
    equal(box.status(), "running")


@case
def a_command_that_is_not_executable(box):
    (box.rootfs / "bin" / "text").write_text("text\n")
    box.detach()
    for words in (["/bin/text"], ["/etc"]):
        done = box.exec(*words, ok="fail")
        check(not OURS or done.returncode == 255, f"{words}: exit {done.returncode}")


@case
def streams(box):
    box.detach()
    done = box.exec("sh", "-c", "read line; echo out-$line; echo err >&2", input="in\n")
    equal((done.stdout, done.stderr), ("out-in\n", "err\n"))


@case
def in_a_stopped_container_is_refused(box):
    box.args("true").create()
    box.start()
    box.wait_status("stopped")
    contains(box.exec("true", ok="fail").stderr, "stopped")


@case
def in_a_created_container(box):
    box.args("sleep", "1000").create()
    equal(box.exec("echo", "early").stdout, "early\n")
    equal(box.status(), "created")


@case
def in_a_paused_container(box):
    box.detach()
    box.oci("pause", box.id)
    contains(box.exec("true", ok="fail").stderr, "paused")
    process = box.spawn("exec", "--ignore-paused", box.id, "echo", "later", stdout=subprocess.PIPE)
    box.oci("resume", box.id)
    equal(process.communicate(timeout=30)[0], "later\n")


@case
def without_a_command_is_refused(box):
    box.detach()
    box.exec(ok="fail")


@case
def options_end_at_the_id(box):
    box.detach()
    equal(box.exec("echo", "-t", "--env", "x").stdout, "-t --env x\n")
    equal(box.exec("sh", "-c", "echo $0 $1", "-d", "--tty").stdout, "-d --tty\n")


@case
def detached(box):
    box.detach()
    box.exec("sh", "-c", "sleep 0.1; echo done > /tmp/mark", flags=["-d"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_for((box.rootfs / "tmp" / "mark").exists, what="the detached process")


@case
def pid_file(box):
    box.detach()
    path = box.top / "exec.pid"
    box.exec("sleep", "1000", flags=["--detach", "--pid-file", path], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    pid = int(path.read_text())
    check(pid != box.pid(), "the pid of exec is not that of the container")
    equal(pathlib.Path(f"/proc/{pid}/cmdline").read_bytes(), b"sleep\x001000\x00")
    box.exec("true", flags=["--pid-file", "relative.pid"])
    check((box.top / "relative.pid").read_text().isdigit(), "a relative pid file")


@case
def cwd(box):
    box.process["cwd"] = "/etc"
    box.detach()
    equal(box.exec("pwd").stdout, "/etc\n")
    equal(box.exec("pwd", flags=["--cwd", "/bin"]).stdout, "/bin\n")
    box.exec("pwd", flags=["--cwd", "bin"], ok="fail")


@case
def cwd_without_access_for_the_container_user(box):
    (box.rootfs / "root").chmod(0o700)
    os.chown(box.rootfs / "root", 42, 42)
    box.process["cwd"] = "/root"
    box.process["user"]["uid"] = 42
    box.detach()
    box.exec("true", flags=["--user", "0"])


@case
def environment(box):
    box.process["env"] += ["A=1", "B=2"]
    box.detach()
    out = box.exec("env", flags=["--env", "B=3", "-e", "C=4"]).stdout.splitlines()
    check("A=1" in out and "B=3" in out and "C=4" in out, f"{out}")
    check("B=2" not in out, f"overridden variable is still there: {out}")
    contains(box.exec("nowhere", flags=["-e", "PATH=/nothing"], ok="fail").stderr, "nowhere")


@case
def user(box):
    box.detach()
    for text, expected in (("1000:1000", "1000 1000"), ("0:0", "0 0"), ("65535:65535", "65535 65535"), ("7", "7 0"), ("7:8", "7 8")):
        equal(box.exec("sh", "-c", "echo $(id -u) $(id -g)", flags=["--user", text]).stdout.strip(), expected, text)
    for text in ("-1", "4294967295", "4294967296", "0x0", "1:", ":1", "1:-1", " 1", "1 ", "", "1:2:3", "name"):
        box.exec("true", flags=["--user", text], ok="fail")


@case
def user_sets_home(box):
    box.detach()
    for text, home in (("0", "/root"), ("1000", "/home/user"), ("4321", "/")):
        equal(box.exec("sh", "-c", "echo $HOME", flags=["--user", text]).stdout.strip(), home, text)


@case
def additional_groups(box):
    box.process["user"]["additionalGids"] = [77]
    box.detach()
    equal(sorted(box.inside("id -G").split()), ["0", "77"])
    out = box.exec("id", "-G", flags=["--user", "1000:1000", "--additional-gids", "100", "--additional-gids", "99"]).stdout
    equal(sorted(out.split()), ["100", "1000", "99"])
    equal(sorted(box.exec("id", "-G", flags=["-g", "5"]).stdout.split()), ["0", "5", "77"])


@case
def capabilities(box):
    names = {"bounding": [], "effective": [], "permitted": []}
    box.process["capabilities"] = names
    box.detach()
    for flags, bits in (([], 0), (["--cap", "CAP_KILL"], 0x20), (["-c", "CAP_SYS_ADMIN"], 0x200000),
                        (["--cap", "CAP_KILL", "--cap", "CAP_SYS_ADMIN"], 0x200020)):
        status = status_of(box.exec("cat", "/proc/self/status", flags=flags).stdout)
        expected = f"{bits:016x}"
        equal([status[name] for name in CAPS], ["0" * 16, expected, expected, expected, "0" * 16], str(flags))


@case
def an_unknown_capability_is_told_and_left_out(box):
    box.process["capabilities"] = {}
    box.detach()
    done = box.exec("cat", "/proc/self/status", flags=["--cap", "CAP_UNKNOWN"])
    equal(status_of(done.stdout)["CapEff"], "0" * 16)
    contains(done.stderr, "CAP_UNKNOWN")


@case
def capabilities_of_another_user(box):
    """Ids other than 0 lose what the kernel takes away, as at the container's own start."""
    box.detach()
    status = status_of(box.exec("cat", "/proc/self/status", flags=["--user", "1000"]).stdout)
    equal((status["CapInh"], status["CapAmb"]), ("0" * 16, "0" * 16))
    own = status_of(box.exec("cat", "/proc/self/status").stdout)
    equal(own["CapEff"], "0000000020000420")


@case
def no_new_privileges(box):
    box.process["noNewPrivileges"] = False
    box.detach()
    equal(status_of(box.exec("cat", "/proc/self/status").stdout)["NoNewPrivs"], "0")
    equal(status_of(box.exec("cat", "/proc/self/status", flags=["--no-new-privs"]).stdout)["NoNewPrivs"], "1")


@case
def preserve_fds(box):
    box.detach()
    (box.top / "three").write_text("third\n")
    fd = os.open(box.top / "three", os.O_RDONLY)
    try:
        os.dup2(fd, 3, inheritable=True)
        done = box.exec("sh", "-c", "cat <&3; helper fds", flags=["--preserve-fds", "1"], pass_fds=[3])
        equal(done.stdout, "third\n0 1 2 3 \n")
        equal(box.exec("helper", "fds", pass_fds=[3]).stdout, "0 1 2 \n")
    finally:
        os.close(fd)
    box.exec("true", flags=["--preserve-fds", "100000"], ok="fail")


@case
def no_descriptor_of_the_host(box):
    box.detach()
    equal(box.exec("helper", "fds").stdout, "0 1 2 \n")
    out = box.inside("for f in 0 1 2; do readlink /proc/self/fd/$f; done; ls /proc/1/fd")
    check("/work" not in out and "state" not in out, out)


@case
def process_document(box):
    box.detach()
    equal(box.oci("exec", "--process", document(box), box.id).stdout, "document\n")
    equal(box.oci("exec", "-p", document(box), box.id).stdout, "document\n")
    with open(document(box)) as stdin:
        equal(box.oci("exec", "--process", "-", box.id, stdin=stdin).stdout, "document\n")


@case
def process_document_through_a_pipe(box):
    box.detach()
    ends = os.pipe()
    os.write(ends[1], document(box).read_bytes())
    os.close(ends[1])
    equal(box.oci("exec", "--process", f"/dev/fd/{ends[0]}", box.id, pass_fds=[ends[0]]).stdout, "document\n")
    os.close(ends[0])


@case
def process_document_members(box):
    box.detach()
    path = document(box, args=["sh", "-c", "id -u; id -g; id -G; pwd; echo $X; umask; ulimit -n; cat /proc/self/oom_score_adj"],
                    user={"uid": 5, "gid": 6, "additionalGids": [432], "umask": 0o077}, cwd="/etc",
                    env=["PATH=/bin", "X=y"], rlimits=[{"type": "RLIMIT_NOFILE", "soft": 99, "hard": 99}], oomScoreAdj=555)
    out = box.oci("exec", "--process", path, box.id).stdout.splitlines()
    equal(out, ["5", "6", "6 432", "/etc", "y", "0077", "99", "555"])


@case
def process_document_with_the_least(box):
    box.detach()
    path = box.top / "least.json"
    path.write_text(json.dumps({"args": ["/bin/echo", "least"], "cwd": "/"}))
    equal(box.oci("exec", "--process", path, box.id).stdout, "least\n")


@case
def process_document_home(box):
    box.detach()
    path = document(box, args=["sh", "-c", "echo $HOME"], user={"uid": 1000, "gid": 1000})
    equal(box.oci("exec", "--process", path, box.id).stdout, "/home/user\n")


@case
def process_document_that_is_wrong(box):
    box.detach()
    for members, name in (({"args": []}, "args"), ({"cwd": "relative"}, "cwd"), ({"args": 3}, "args")):
        done = box.oci("exec", "--process", document(box, **members), box.id, ok="fail")
        contains(done.stderr, name)
    box.oci("exec", "--process", box.top / "missing.json", box.id, ok="fail")
    (box.top / "bad.json").write_text("{")
    box.oci("exec", "--process", box.top / "bad.json", box.id, ok="fail")


@case
def is_inside_the_namespaces_and_the_cgroup(box):
    box.detach()
    outer = box.inside("readlink /proc/1/ns/mnt; readlink /proc/1/ns/pid; hostname; cat /proc/1/cgroup")
    inner = box.inside("readlink /proc/self/ns/mnt; readlink /proc/self/ns/pid; hostname; cat /proc/self/cgroup")
    equal(inner, outer)
    contains(inner, "\nbox\n")


@case
def of_the_container_seccomp_filter(box):
    box.linux["seccomp"] = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO"}]}
    box.detach()
    contains(box.exec("mkdir", "/tmp/x", ok="fail").stderr, "not permitted")


@case
def into_a_cgroup_below(box):
    box.config["mounts"][-1]["options"].remove("ro")
    box.detach()
    for tree in [box.cgroup("pids")] if box.cgroup("pids") == box.cgroup("memory") else \
            [p for p in (box.cgroup(c.name) for c in pathlib.Path("/sys/fs/cgroup").iterdir()
                         if c.is_dir() and c.name != "cpuset")  # a new one has no processors to run on
             if p.is_dir()]:
        (tree / "below").mkdir()
    out = box.exec("cat", "/proc/self/cgroup", flags=["--cgroup", "below"]).stdout
    contains(out, "/below")
    box.exec("true", flags=["--cgroup", "missing"], ok="fail")


@case
def into_a_joined_network_namespace(box):
    box.join_namespace("network", f"/proc/{os.getpid()}/ns/net").detach()
    equal(box.inside("readlink /proc/self/ns/net"), os.readlink("/proc/self/ns/net"))


@case
def in_a_user_namespace(box):
    box.user_namespace().detach()
    equal(box.inside("id -u; cat /proc/self/uid_map | awk '{print $1,$2,$3}'"), "0\n0 100000 65536")
    path = box.top / "exec.pid"
    box.exec("sleep", "1000", flags=["-d", "--pid-file", path], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    equal(pathlib.Path(f"/proc/{path.read_text()}").stat().st_uid in (100000, 0), True)


@case
def fifty_in_a_row(box):
    box.detach()
    for i in range(50):
        box.exec("helper", "exit", str(i), ok=i)


@case
def ten_at_once(box):
    box.detach()
    running = [box.spawn("exec", box.id, "sh", "-c", f"sleep 0.1; exit {i}") for i in range(10)]
    equal([process.wait(60) for process in running], list(range(10)))


@case
def ends_with_the_container(box):
    box.detach()
    process = box.spawn("exec", box.id, "sleep", "1000")
    wait_for(lambda: programs(box).count(b"sleep\0001000\0") == 2, what="the process of exec")
    box.kill("KILL")
    equal(process.wait(30), 137)


@case
def unknown_options_are_refused(box):
    box.detach()
    for flags in (["--nothing"], ["--user"], ["--env"], ["--tty=perhaps"]):
        box.exec("true", flags=flags, ok="fail")


@case
def into_cgroups_of_named_controllers(box):
    box.config["mounts"][-1]["options"].remove("ro")
    box.detach()
    for path, text in (("..", ".. is not a sub cgroup path"), ("a/../../..", "is not a sub cgroup path"),
                       ("nowhere", "nowhere/cgroup.procs: no such file"), ("conjured:/", "unknown controller conjured")):
        contains(box.exec("true", flags=["--cgroup", path], ok=255).stderr, text)
    if V2:
        return
    box.inside("mkdir /sys/fs/cgroup/memory/one /sys/fs/cgroup/pids/two")
    out = box.exec("cat", "/proc/self/cgroup", flags=["--cgroup", "memory:one", "--cgroup", "pids:two"]).stdout.splitlines()
    check(any(line.endswith(":memory:/one") for line in out) and any(line.endswith(":pids:/two") for line in out), str(out))
    check(any(line.endswith(":devices:/") for line in out), str(out))
    contains(box.exec("true", flags=["--cgroup", "cpu,memory:one"], ok=255).stderr, "cpu/")


@case
@v2_only
def where_the_first_process_is(box):
    """A v2 cgroup that has handed controllers down takes no processes."""
    box.config["mounts"][-1]["options"].remove("ro")
    box.detach()
    box.inside("mkdir /sys/fs/cgroup/in; echo 1 > /sys/fs/cgroup/in/cgroup.procs; echo $$ > /sys/fs/cgroup/in/cgroup.procs; "
               "echo +memory > /sys/fs/cgroup/cgroup.subtree_control")
    equal(box.inside("cat /proc/self/cgroup"), "0::/in")
    box.exec("true", flags=["--cgroup", "/"], ok="fail")


if __name__ == "__main__":
    main(all_cases(globals()))
