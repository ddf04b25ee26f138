#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The members of config.json's process, root and names, as the program sees them."""
import os

from ocibox import OURS, all_cases, case, check, contains, equal, main, needs, ours, status_of

CAPS = ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")


def sets(box):
    status = status_of(box.args("cat", "/proc/self/status").run().stdout)
    return [int(status[name], 16) for name in CAPS]


@case
def user_ids(box):
    box.process["user"] = {"uid": 1000, "gid": 1001, "additionalGids": [5, 6]}
    equal(box.output("id -u; id -g; id -G"), "1000\n1001\n1001 5 6")


@case
def no_group_of_the_caller(box):
    box.process["user"] = {"uid": 1000, "gid": 1000}
    equal(status_of(box.args("cat", "/proc/self/status").run().stdout)["Groups"], "")


@case
def many_groups(box):
    gids = list(range(2000, 2100))
    box.process["user"] = {"uid": 0, "gid": 0, "additionalGids": gids}
    equal(status_of(box.args("cat", "/proc/self/status").run().stdout)["Groups"].split(), [str(g) for g in gids])


@case
def umask(box):
    equal(box.output("umask"), "0022")
    for value in (0, 0o027, 0o077, 0o777):
        box.process["user"]["umask"] = value
        equal(box.output("umask"), f"{value:04o}")


@case
def umask_of_the_caller_does_not_matter(box):
    box.process["cwd"] = "/made/here"
    old = os.umask(0o077)
    try:
        equal(box.output("umask; stat -c %a /made /made/here /dev/null /dev/pts/ptmx /dev"), "0022\n755\n755\n666\n666\n755")
    finally:
        os.umask(old)


@case
def arguments_are_kept(box):
    words = ["helper-no", "", " two words ", "q\"uote", "new\nline", "ünïcode", "$HOME", "\\"]
    equal(box.args("sh", "-c", "for a in \"$@\"; do echo \"<$a>\"; done", *words).run().stdout,
          "".join(f"<{w}>\n" for w in words[1:]))


@case
def environment_is_what_was_given(box):
    box.process["env"] = ["PATH=/bin", "A=b=c", "EMPTY=", "SPACE= x "]
    os.environ["LEAKED"] = "1"
    try:
        out = box.args("env").run().stdout.splitlines()
    finally:
        del os.environ["LEAKED"]
    equal(sorted(out), sorted(["PATH=/bin", "A=b=c", "EMPTY=", "SPACE= x ", "HOME=/root"]))


@case
def a_variable_given_twice_is_there_once(box):
    box.process["env"] = ["PATH=/bin", "ONE=two", "ONE=three"]
    equal(sorted(box.args("env").run().stdout.splitlines()), ["HOME=/root", "ONE=three", "PATH=/bin"])
    box.process["env"] = ["ONE=two", "ONE=", "PATH=/bin"]
    equal(sorted(box.args("env").run().stdout.splitlines()), ["HOME=/root", "ONE=", "PATH=/bin"])


@case
def home(box):
    for env, expected in (([], "/root"), (["HOME=/given"], "/given"), (["HOME="], "/root"), (["HOME=/a", "HOME="], "/root"),
                          (["HOME=", "HOME=/b"], "/b")):
        box.process["env"] = ["PATH=/bin", *env]
        equal(box.output("echo $HOME"), expected, str(env))
    box.process["env"] = ["PATH=/bin"]
    box.process["user"] = {"uid": 1000, "gid": 1000}
    equal(box.output("echo $HOME"), "/home/user")
    box.process["user"] = {"uid": 4321, "gid": 0}
    equal(box.output("echo $HOME"), "/")


@case
def home_without_passwd(box):
    (box.rootfs / "etc" / "passwd").unlink()
    equal(box.output("echo $HOME") in ("/", "/root"), True)


@case
def the_program_is_searched_in_its_path(box):
    (box.rootfs / "tools").mkdir()
    (box.rootfs / "tools" / "mine").symlink_to("/bin/helper")
    box.process["env"] = ["PATH=/nothing:/tools"]
    box.args("mine", "exit", "9").run(ok=9)
    box.process["env"] = ["PATH=/nothing"]
    box.args("mine").run(ok="fail")


@case
def a_relative_program_is_meant_from_the_cwd(box):
    box.process["cwd"] = "/bin"
    box.args("./helper", "exit", "9").run(ok=9)
    box.process["cwd"] = "/"
    box.args("bin/helper", "exit", "9").run(ok=9)
    box.args("./helper").run(ok="fail")


@case
def cwd_is_made(box):
    box.process["cwd"] = "/some/new/place"
    equal(box.output("pwd; stat -c '%a %u' /some/new"), "/some/new/place\n755 0")


@case
def cwd_made_on_a_read_only_root(box):
    box.config["root"]["readonly"] = True
    box.process["cwd"] = "/some/new/place"
    equal(box.output("pwd"), "/some/new/place")


@case
def cwd_through_a_link_stays_inside(box):
    (box.rootfs / "link").symlink_to("/etc")
    (box.rootfs / "up").symlink_to("../../../../etc")
    for path in ("/link", "/up"):
        box.process["cwd"] = path
        equal(box.output("/bin/pwd -P; test -f passwd && echo found"), "/etc\nfound")


@case
def cwd_outside_is_refused(box):
    for path in ("/proc/self/fd/7", "/proc/self/fd/3/..", "/proc/1/cwd", "/proc/self/root/.."):
        box.process["cwd"] = path
        done = box.script("pwd; ls").run(ok=None)
        check(done.returncode != 0 or "bundle" not in done.stdout, f"{path}: {done.stdout}")


@case
def cwd_that_is_a_file_is_refused(box):
    box.process["cwd"] = "/etc/passwd"
    box.args("true").refused("/etc/passwd")


@case
def rlimits(box):
    box.process["rlimits"] = [{"type": f"RLIMIT_{n}", "soft": s, "hard": h} for n, s, h in (
        ("NOFILE", 100, 200), ("CORE", 0, 0), ("FSIZE", 1 << 20, 1 << 21), ("CPU", 100, 200), ("STACK", 1 << 20, 1 << 21),
        ("NPROC", 500, 600), ("AS", 1 << 30, 1 << 31), ("DATA", 1 << 29, 1 << 30), ("MEMLOCK", 4096, 8192))]
    text = box.args("cat", "/proc/self/limits").run().stdout
    found = {line[:26].strip(): line[26:].split()[:2] for line in text.splitlines()[1:]}
    equal(found["Max open files"], ["100", "200"])
    equal(found["Max core file size"], ["0", "0"])
    equal(found["Max file size"], [str(1 << 20), str(1 << 21)])
    equal(found["Max cpu time"], ["100", "200"])
    equal(found["Max stack size"], [str(1 << 20), str(1 << 21)])
    equal(found["Max processes"], ["500", "600"])
    equal(found["Max address space"], [str(1 << 30), str(1 << 31)])
    equal(found["Max locked memory"], ["4096", "8192"])


@case
def a_soft_limit_above_the_hard_one_is_refused(box):
    box.process["rlimits"] = [{"type": "RLIMIT_NOFILE", "soft": 200, "hard": 100}]
    box.args("true").refused("process.rlimits[0]" if OURS else "")


@case
def a_limit_given_twice_is_refused(box):
    box.process["rlimits"] = [{"type": "RLIMIT_NOFILE", "soft": 1, "hard": 1}] * 2
    box.args("true").refused()


@case
def capability_sets(box):
    kill, chown, net = 1 << 5, 1 << 0, 1 << 10
    names = {kill: "CAP_KILL", chown: "CAP_CHOWN", net: "CAP_NET_BIND_SERVICE"}
    box.capabilities(bounding=names.values(), permitted=[names[kill], names[chown]], effective=[names[kill]], inheritable=[])
    # A program of uid 0 gains all that is permitted at its exec, unless no_new_privs or securebits stand against it.
    _, permitted, effective, bounding, ambient = sets(box)
    equal((bounding, ambient), (kill | chown | net, 0))
    check(effective & kill and permitted & kill, f"{permitted:x} {effective:x}")


@case
def ambient_capabilities_reach_other_users(box):
    box.process["user"] = {"uid": 1000, "gid": 1000}
    box.capabilities(**{name: ["CAP_KILL"] for name in ("bounding", "permitted", "effective", "inheritable", "ambient")})
    equal(sets(box), [0x20] * 5)
    box.capabilities(**{name: ["CAP_KILL"] for name in ("bounding", "permitted", "effective")})
    equal(sets(box), [0, 0, 0, 0x20, 0])


@case
def no_capability_at_all(box):
    box.process["capabilities"] = {}
    equal(sets(box), [0] * 5)
    del box.process["capabilities"]
    equal(sets(box)[4], 0)


@case
def an_unknown_capability_is_told_and_left_out(box):
    box.capabilities(**{name: ["CAP_NOTHING", "CAP_KILL"] for name in ("bounding", "permitted", "effective")})
    done = box.args("cat", "/proc/self/status").run()
    equal(status_of(done.stdout)["CapBnd"], "0000000000000020")
    contains(done.stderr, "CAP_NOTHING")


@case
def no_new_privileges(box):
    for value in (True, False):
        box.process["noNewPrivileges"] = value
        equal(status_of(box.args("cat", "/proc/self/status").run().stdout)["NoNewPrivs"], str(int(value)))


@case
def oom_score_adj(box):
    for value in (0, 500, 1000):
        box.process["oomScoreAdj"] = value
        equal(box.args("cat", "/proc/self/oom_score_adj").run().stdout.strip(), str(value))


@case
def oom_score_of_the_caller_when_not_given(box):
    with open("/proc/self/oom_score_adj") as file:
        equal(box.args("cat", "/proc/self/oom_score_adj").run().stdout, file.read())


@case
def only_the_streams_are_open(box):
    reading = os.open("/etc/hostname" if os.path.exists("/etc/hostname") else "/dev/null", os.O_RDONLY)
    os.dup2(reading, 9, inheritable=True)
    try:
        equal(box.args("helper", "fds").run(pass_fds=[9]).stdout, "0 1 2 \n")
    finally:
        os.close(reading)
        os.close(9)


@case
def preserve_fds(box):
    (box.top / "three").write_text("third\n")
    fd = os.open(box.top / "three", os.O_RDONLY)
    os.dup2(fd, 3, inheritable=True)
    os.dup2(fd, 4, inheritable=True)
    try:
        done = box.script("helper fds; cat <&3").run("--preserve-fds", "1", pass_fds=[3, 4])
        equal(done.stdout, "0 1 2 3 \nthird\n")
        equal(box.args("helper", "fds").run("--preserve-fds", "2", pass_fds=[3, 4]).stdout, "0 1 2 3 4 \n")
    finally:
        os.close(fd)
    box.args("true").run("--preserve-fds", "100000", ok="fail")


@case
def streams_of_another_user_can_be_opened_anew(box):
    box.process["user"] = {"uid": 1000, "gid": 1000}
    done = box.script("echo out > /dev/stdout; echo err > /dev/stderr").run()
    equal((done.stdout, done.stderr), ("out\n", "err\n"))


@case
def closed_streams(box):
    """A caller without standard streams."""
    box.script("helper fds > /tmp/fds").write_config()
    box.oci("run", "--bundle", box.bundle, box.id, preexec_fn=lambda: [os.close(fd) for fd in (0, 1, 2)])
    equal((box.rootfs / "tmp" / "fds").read_text(), "0 1 2 \n")


@case
def signals_are_unblocked_and_default(box):
    import signal
    box.args("cat", "/proc/self/status").write_config()
    def prepare():
        signal.signal(signal.SIGPIPE, signal.SIG_IGN)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1, signal.SIGTERM])
    status = status_of(box.oci("run", "--bundle", box.bundle, box.id, preexec_fn=prepare).stdout)
    equal(int(status["SigBlk"], 16), 0, "blocked signals")
    equal(int(status["SigIgn"], 16), 0, "ignored signals")


@case
def it_is_process_one_and_its_session(box):
    equal(box.output("echo $$; cut -d' ' -f5,6 /proc/self/stat"), "1\n1 1")


@case
def hostname_and_domainname(box):
    box.config["hostname"] = "name-of.host"
    box.config["domainname"] = "domain.example"
    equal(box.output("hostname; cat /proc/sys/kernel/domainname"), "name-of.host\ndomain.example")


@case
def hostname_without_its_namespace_is_refused(box):
    before = os.uname().nodename
    box.without_namespace("uts").args("true").refused("hostname" if OURS else "")
    equal(os.uname().nodename, before)


@case
def an_unusual_hostname(box):
    for name in ("a" * 64, "UPPER", "under_score"):
        box.config["hostname"] = name
        equal(box.output("hostname"), name)
    box.config["hostname"] = "a" * 65
    box.args("true").refused("hostname" if OURS else "")


@case
def root_readonly(box):
    box.config["root"]["readonly"] = True
    contains(box.script("touch /file").run(ok="fail").stderr, "Read-only")
    equal(box.output("touch /dev/shm/file && echo written"), "written")
    check(not (box.rootfs / "file").exists(), "a file on a read-only root")


@case
def root_writable(box):
    box.script("echo text > /file").run()
    equal((box.rootfs / "file").read_text(), "text\n")


@case
def root_absolute(box):
    box.config["root"]["path"] = str(box.rootfs)
    equal(box.output("echo here"), "here")


@case
def root_through_a_link(box):
    (box.bundle / "other").symlink_to("rootfs")
    box.config["root"]["path"] = "other"
    equal(box.output("echo here"), "here")


@case
def nothing_of_the_host_is_visible(box):
    equal(box.output("ls /proc/1/root/"), box.output("ls /"))
    points = box.output("awk '{print $5}' /proc/self/mountinfo").splitlines()
    equal([p for p in points if not p.startswith(("/dev", "/proc", "/sys")) and p != "/"], [])


@case
def the_runtime_cannot_be_reached(box):
    """CVE-2019-5736: /proc/self/exe of whatever enters the container is no way to our file."""
    (box.rootfs / "bin" / "evil").write_text("#!/proc/self/exe\n")
    (box.rootfs / "bin" / "evil").chmod(0o755)
    box.args("/bin/evil").run(ok=None)
    box.detach()
    box.exec("/bin/evil", ok=None)


@case
@ours
def a_terminal_needs_a_place_for_create(box):
    box.process["terminal"] = True
    contains(box.args("sh").create(ok="fail").stderr, "--console-socket")


@case
@ours
def deadline_scheduling_is_checked(box):
    for words, part in (({"deadline": 2000000, "period": 2000000}, "requires `runtime`"), ({"runtime": 1000000}, "requires `deadline`"),
                        ({"runtime": 0, "deadline": 2000000}, "greater than 0"),
                        ({"runtime": 1023, "deadline": 2000000}, "must be between 1024"),
                        ({"runtime": 3000000, "deadline": 2000000}, "runtime must be <= the deadline"),
                        ({"runtime": 1000000, "deadline": 3000000, "period": 2000000}, "deadline must be <= the period")):
        box.process["scheduler"] = {"policy": "SCHED_DEADLINE", **words}
        box.args("true").refused("process.scheduler", part)


def policy_of(box, mode, **more):
    """How numa_maps(5) names the policy of the program's memory."""
    box.linux["memoryPolicy"] = {"mode": mode, **more}
    return box.args("cat", "/proc/self/numa_maps").run().stdout.splitlines()[0].split(" ", 1)[1]


@case
@ours
@needs(os.path.exists("/proc/self/numa_maps"), "a kernel without NUMA")
def memory_policies(box):
    for expected, mode, more in (("default", "MPOL_DEFAULT", {}), ("local", "MPOL_LOCAL", {}), ("bind:0", "MPOL_BIND", {"nodes": "0"}),
                                 ("prefer=static:0", "MPOL_PREFERRED", {"nodes": "0", "flags": ["MPOL_F_STATIC_NODES"]}),
                                 ("prefer (many):0", "MPOL_PREFERRED_MANY", {"nodes": "0"}),
                                 ("interleave:0", "MPOL_INTERLEAVE", {"nodes": "0"})):
        found = policy_of(box, mode, **more)
        check(found.startswith(expected + " "), f"{mode}: {found}")
    for mode, more in (("MPOL_INTERLEAVE", {}), ("MPOL_BIND", {"nodes": "8000"}), ("MPOL_LOCAL", {"nodes": "0"})):
        box.linux["memoryPolicy"] = {"mode": mode, **more}
        box.args("true").refused("linux.memoryPolicy")


if __name__ == "__main__":
    main(all_cases(globals()))
