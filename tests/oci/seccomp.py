#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""linux.seccomp: actions, conditions on arguments, the number of the error, architectures; what is refused."""
import errno
import fcntl
import json
import os
import socket
import struct
import threading

from ocibox import OURS, all_cases, case, check, contains, equal, main, ours, status_of

GETPPID, MKDIR, KILL, PERSONALITY, GETPRIORITY, UNAME = 110, 83, 62, 135, 140, 63  # of x86-64
NOT_A_CALL = 9999
ALLOWED = ("execve exit_group exit brk mmap munmap mprotect write read arch_prctl set_tid_address set_robust_list rseq prlimit64 "
           "readlinkat readlink getrandom fstat newfstatat close openat rt_sigaction rt_sigprocmask chdir fchdir getcwd "
           "capset prctl setgroups setresgid setresuid futex ioctl poll fcntl dup3 close_range sigaltstack").split()


def profile(*rules, default="SCMP_ACT_ALLOW", **more):
    return {"defaultAction": default, "syscalls": list(rules), **more}


def rule(name, action="SCMP_ACT_ERRNO", **more):
    names = [name] if isinstance(name, str) else list(name)
    return {"names": names, "action": action, **more}


def call(box, number, *args):
    """What the system call answers inside: 0, or the number of the error."""
    return int(box.args("helper", "syscall", str(number), *map(str, args)).run().stdout)




@case
def errno_by_default_is_eperm(box):
    box.linux["seccomp"] = profile(rule("getppid"))
    equal(call(box, GETPPID), errno.EPERM)
    equal(call(box, UNAME, 0), errno.EFAULT)


@case
def errno_that_is_given(box):
    for value in (0, errno.ENOSYS, errno.ENOENT, 4095):
        box.linux["seccomp"] = profile(rule("getppid", errnoRet=value))
        equal(call(box, GETPPID), value)


@case
def errno_of_the_default_action(box):
    box.linux["seccomp"] = profile(rule(ALLOWED, "SCMP_ACT_ALLOW"), default="SCMP_ACT_ERRNO", defaultErrnoRet=errno.ENOSYS)
    equal(call(box, GETPPID), errno.ENOSYS)
    equal(call(box, NOT_A_CALL), errno.ENOSYS)
    box.linux["seccomp"].pop("defaultErrnoRet")
    equal(call(box, GETPPID), errno.EPERM)


@case
def unknown_names_are_passed_over(box):
    box.linux["seccomp"] = profile(rule(["no_such_call", "getppid"]))
    equal(call(box, GETPPID), errno.EPERM)


@case
def conditions(box):
    table = (
        ("SCMP_CMP_EQ", 5, 0, [(5, True), (4, False), (6, False)]),
        ("SCMP_CMP_NE", 5, 0, [(5, False), (4, True)]),
        ("SCMP_CMP_LT", 5, 0, [(4, True), (5, False), (6, False)]),
        ("SCMP_CMP_LE", 5, 0, [(4, True), (5, True), (6, False)]),
        ("SCMP_CMP_GT", 5, 0, [(4, False), (5, False), (6, True)]),
        ("SCMP_CMP_GE", 5, 0, [(4, False), (5, True), (6, True)]),
        ("SCMP_CMP_MASKED_EQ", 0xf0, 0x30, [(0x35, True), (0x3f, True), (0x45, False)]),
        ("SCMP_CMP_EQ", 0x100000005, 0, [(0x100000005, True), (5, False)]),
        ("SCMP_CMP_GT", 0x100000000, 0, [(0x100000001, True), (0xffffffff, False), (0x200000000, True)]),
    )
    for op, value, second, tries in table:
        argument = {"index": 1, "value": value, "op": op}
        if op == "SCMP_CMP_MASKED_EQ":
            argument["valueTwo"] = second
        box.linux["seccomp"] = profile(rule("getpriority", errnoRet=77, args=[argument]))
        for number, hit in tries:
            equal(call(box, GETPRIORITY, 99, number) == 77, hit, f"{op} {value}: {number}")


@case
def conditions_on_two_arguments_are_both_needed(box):
    both = [{"index": 0, "value": 1, "op": "SCMP_CMP_EQ"}, {"index": 1, "value": 2, "op": "SCMP_CMP_EQ"}]
    box.linux["seccomp"] = profile(rule("getpriority", errnoRet=77, args=both))
    equal([call(box, GETPRIORITY, *pair) == 77 for pair in ((1, 2), (1, 3), (9, 2))], [True, False, False])


@case
def rules_of_one_call_are_alternatives(box):
    rules = [rule("getpriority", errnoRet=70 + i, args=[{"index": 1, "value": i, "op": "SCMP_CMP_EQ"}]) for i in range(3)]
    box.linux["seccomp"] = profile(*rules)
    equal([call(box, GETPRIORITY, 99, i) for i in range(4)][:3], [70, 71, 72])


@case
def kill_actions(box):
    box.without_namespace("pid")
    for action in ("SCMP_ACT_KILL", "SCMP_ACT_KILL_THREAD", "SCMP_ACT_KILL_PROCESS"):
        box.linux["seccomp"] = profile(rule("getppid", action))
        box.args("helper", "syscall", str(GETPPID)).run(ok=128 + 31)


@case
def trap(box):
    box.linux["seccomp"] = profile(rule("getppid", "SCMP_ACT_TRAP"))
    contains(box.args("helper", "trap", str(GETPPID)).run().stdout, f"SIGSYS {GETPPID}")


@case
def log_lets_it_through(box):
    box.linux["seccomp"] = profile(rule("getppid", "SCMP_ACT_LOG"))
    equal(call(box, GETPPID), 0)


@case
def trace_without_a_tracer_is_enosys(box):
    box.linux["seccomp"] = profile(rule("getppid", "SCMP_ACT_TRACE"))
    equal(call(box, GETPPID), errno.ENOSYS)


@case
def it_is_in_force(box):
    equal(status_of(box.args("cat", "/proc/self/status").run().stdout)["Seccomp"], "0")
    box.linux["seccomp"] = profile(rule("getppid"))
    for value in (True, False):
        box.process["noNewPrivileges"] = value
        status = status_of(box.args("cat", "/proc/self/status").run().stdout)
        equal((status["Seccomp"], status["NoNewPrivs"]), ("2", str(int(value))))


@case
def without_new_privileges_and_without_capabilities(box):
    box.process["noNewPrivileges"] = False
    box.process["capabilities"] = {}
    box.process["user"] = {"uid": 1000, "gid": 1000}
    box.linux["seccomp"] = profile(rule("getppid"))
    equal(call(box, GETPPID), errno.EPERM)


@case
def architectures(box):
    box.linux["seccomp"] = profile(rule("getppid"), architectures=["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"])
    equal(call(box, GETPPID), errno.EPERM)
    box.linux["seccomp"] = profile(rule("getppid"), architectures=["SCMP_ARCH_X86_64"])
    equal(call(box, GETPPID), errno.EPERM)


@case
def x32_is_no_way_around(box):
    box.linux["seccomp"] = profile(rule("getppid"), architectures=["SCMP_ARCH_X86_64"])
    done = box.args("helper", "syscall", str(0x40000000 + GETPPID)).run(ok=None)
    check(done.returncode != 0 or done.stdout != "0\n", "an x32 call came through")


@case
def flags(box):
    box.linux["seccomp"] = profile(rule("getppid"), flags=["SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_SPEC_ALLOW"])
    equal(call(box, GETPPID), errno.EPERM)
    box.linux["seccomp"] = profile(rule("getppid"), flags=[])
    equal(call(box, GETPPID), errno.EPERM)


@case
def an_empty_list_is_the_default_action(box):
    box.linux["seccomp"] = {"defaultAction": "SCMP_ACT_ALLOW"}
    equal(call(box, GETPPID), 0)


@case
def a_great_profile(box):
    """As large as Docker's: every call of the table but one."""
    names = [f"unknown_{i}" for i in range(300)] + ["getppid"]
    box.linux["seccomp"] = profile(*[rule(names[i:i + 30], errnoRet=5) for i in range(0, 301, 30)])
    equal(call(box, GETPPID), 5)


@case
def what_is_wrong_is_refused(box):
    for bad, path in ((profile(rule("getppid", "SCMP_ACT_NOTHING")), "linux.seccomp.syscalls[0].action"),
                      ({"defaultAction": "X"}, "linux.seccomp.defaultAction"), ({"syscalls": []}, "linux.seccomp.defaultAction"),
                      (profile(rule("getppid"), flags=["SECCOMP_FILTER_FLAG_NO"]), "linux.seccomp.flags[0]"),
                      (profile(rule("getppid", args=[{"index": 6, "value": 1, "op": "SCMP_CMP_EQ"}])), "args[0].index"),
                      (profile(rule("getppid", args=[{"index": 0, "value": 1, "op": "SCMP_CMP_X"}])), "args[0].op")):
        box.linux["seccomp"] = bad
        box.args("true").refused(path if OURS else "")


@case
@ours
def exec_has_it_too(box):
    box.linux["seccomp"] = profile(rule("getppid", errnoRet=77))
    box.detach()
    equal(box.exec("helper", "syscall", str(GETPPID)).stdout, "77\n")


@case
def calls_newer_than_the_profile_do_not_exist(box):
    """C libraries try new calls first: EPERM would be the end, ENOSYS makes them take the older one."""
    box.linux["seccomp"] = profile(rule(ALLOWED, "SCMP_ACT_ALLOW"), default="SCMP_ACT_ERRNO")
    equal(call(box, NOT_A_CALL), errno.ENOSYS)
    equal(call(box, GETPPID), errno.EPERM)
    box.linux["seccomp"]["defaultErrnoRet"] = errno.ENXIO
    equal(call(box, NOT_A_CALL), errno.ENXIO)


class Agent:
    """Takes one notify descriptor, as an agent does, and answers its first call with a number of an error."""

    def __init__(self, path, number):
        self.number, self.message = number, None
        self.server = socket.socket(socket.AF_UNIX)
        self.server.bind(str(path))
        self.server.listen(4)

    def serve(self):
        """Accepts, and answers in the background; *message is what the runtime has said."""
        conn, _ = self.server.accept()
        data, fds, _, _ = socket.recv_fds(conn, 1 << 16, 1)
        self.message = json.loads(data)
        self.answer(fds[0])
        os.close(fds[0])

    def answer(self, fd):
        request = bytearray(80)  # struct seccomp_notif
        fcntl.ioctl(fd, 0xC0502100, request)
        (ident,) = struct.unpack_from("=Q", request)
        fcntl.ioctl(fd, 0xC0182101, bytearray(struct.pack("=QqiI", ident, 0, -self.number, 0)))


@case
def an_exec_is_heard_of_by_the_agent(box):
    path = box.top / "agent"
    agent = Agent(path, errno.ENOTTY)
    box.linux["seccomp"] = profile(rule("getppid", "SCMP_ACT_NOTIFY"), listenerPath=str(path), listenerMetadata="meta")
    first = threading.Thread(target=lambda: agent.server.accept()[0].recv(1 << 16))
    first.start()
    box.detach()
    first.join(20)
    thread = threading.Thread(target=agent.serve)
    thread.start()
    equal(int(box.exec("helper", "syscall", str(GETPPID)).stdout), errno.ENOTTY)
    thread.join(20)
    message = agent.message
    equal((message["metadata"], message["state"]["status"], message["state"]["pid"]), ("meta", "running", box.pid()))
    check(message["pid"] not in (0, box.pid()), str(message))
    agent.server.close()
    contains(box.exec("true", ok="fail").stderr, "failed to connect with seccomp agent")


@case
def notify_of_write_is_refused(box):
    """Who reports that the program cannot be executed would wait for the agent."""
    box.linux["seccomp"] = profile(rule(["mkdir", "write"], "SCMP_ACT_NOTIFY"), listenerPath=str(box.top / "agent"))
    box.refused("SCMP_ACT_NOTIFY cannot be used for the write syscall")


if __name__ == "__main__":
    main(all_cases(globals()))
