# SPDX-License-Identifier: Apache-2.0
"""Every system call of zlayer-oci's create, start, exec, kill and delete failed once, by strace: the command must
end by itself, with an error or without, never by a crash; `delete --force` then leaves nothing, and the next
container of the same name works.

In full that is some 3,000 points; a test run takes every Nth ($ZLAYER_SWEEP=full: all of them)."""
import collections
import os
import pathlib
import re
import signal
import subprocess
import time

from oci_crash import COMMANDS, Bundle
from zltest import check, main, wait_for

STRIDE = 1 if os.environ.get("ZLAYER_SWEEP") == "full" else 10
PATIENCE = 60
# What the kernel may really answer, by call; the others lack memory.
ERRORS = {
    "openat": ["ENOMEM", "EMFILE"], "openat2": ["ENOMEM", "EAGAIN"], "open": ["EMFILE"],
    "read": ["EINTR", "EIO"], "write": ["ENOSPC", "EINTR"], "mkdirat": ["ENOSPC"], "mkdir": ["ENOSPC"],
    "renameat2": ["ENOSPC"], "poll": ["EINTR"], "clone3": ["EAGAIN", "ENOMEM"], "recvmsg": ["EINTR", "ENOMEM"],
    "sendmsg": ["ENOBUFS"], "flock": ["EINTR"], "mknodat": ["ENOSPC"], "move_mount": ["ENOMEM", "EBUSY"],
    "setns": ["ENOMEM"], "unlinkat": ["EIO"], "wait4": ["EINTR"], "waitid": ["EINTR"],
    "seccomp": ["ENOMEM"], "execve": ["ENOMEM"], "ioctl": ["ENOMEM"], "fcntl": ["EMFILE"],
}
# Without these the program itself does not get as far as its first line, or strace cannot follow it; and the
# kernel closes a descriptor whatever it answers, which strace's fault would not.
SKIPPED = {"close", "execveat", "arch_prctl", "set_tid_address", "set_robust_list", "rseq", "exit_group", "exit", "brk",
           "rt_sigreturn", "prlimit64", "restart_syscall"}


def command_line(bundle, words):
    return [str(bundle.dir) if word is None else word for word in words]


def first_traced(tracer):
    """strace tries its means on a child of its own first."""
    try:
        for pid in pathlib.Path(f"/proc/{tracer}/task/{tracer}/children").read_text().split():
            if pathlib.Path(f"/proc/{pid}/comm").read_text() != "strace\n":
                return pid
    except OSError:
        pass
    return None


class Leader:
    """What strace was to start. It goes on as long as the container lives, which is none of its business here."""

    def __init__(self, tracer):
        self.tracer, self.pid, self.began = tracer, None, time.monotonic()

    def has_ended(self):
        if self.tracer.poll() is not None:
            return True
        if self.pid is None:
            self.pid = first_traced(self.tracer.pid)
            # One that was never seen was quicker than we.
            return self.pid is None and time.monotonic() > self.began + 2
        try:  # a pid that is somebody else's by now has another parent
            fields = pathlib.Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            return True
        return fields[1] != str(self.tracer.pid)


def run(bundle, words, *options):
    """The command under strace. Its exit code; negative: a signal ended it."""
    trace = bundle.dir / "trace"
    trace.unlink(missing_ok=True)
    argv = ["strace", "-f", "-q", "-o", str(trace), *options, *bundle.argv(*command_line(bundle, words))]
    process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                               start_new_session=True)
    leader = Leader(process)
    try:
        wait_for(leader.has_ended, PATIENCE, "the end")
    except AssertionError:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        raise AssertionError(f"{' '.join(map(str, words))} with {options}: hangs") from None
    bundle.oci("delete", "--force", "it")
    return process.wait(PATIENCE)


def prepare(bundle, steps):
    for step in steps:
        check(bundle.oci(*command_line(bundle, step)) == 0, f"{step[0]} without a fault fails")


def calls_of(bundle, words):
    """{name: how often} of all its processes, up to the user's program."""
    run(bundle, words)
    count = collections.Counter()
    for line in (bundle.dir / "trace").read_text(errors="replace").splitlines():
        found = re.match(r"\d+ +(?:<\.\.\. )?(\w+)\(", line)
        if found:
            count[found[1]] += 1
    return count


def sweep(name):
    steps = {**COMMANDS, "run": [("run", "--detach", "--bundle", None, "it")]}[name]
    points = number = 0
    with Bundle() as bundle:
        prepare(bundle, steps[:-1])
        count = calls_of(bundle, steps[-1])
        bundle.oci("delete", "--force", "it")
        for call, times in sorted(count.items()):
            for error in ERRORS.get(call, ["ENOMEM"]) if call not in SKIPPED else []:
                for when in range(1, times + 1):
                    number += 1
                    if number % STRIDE:
                        continue
                    points += 1
                    prepare(bundle, steps[:-1])
                    code = run(bundle, steps[-1], f"--inject={call}:error={error}:when={when}")
                    what = f"{name} with the {when}. {call} failing with {error}"
                    check(0 <= code < 128 or code == 255, f"{what}: ended by {code}")
                    check(bundle.oci("delete", "--force", "it") == 0, f"{what}: delete --force fails afterwards")
                    if bundle.left():
                        wait_for(lambda: not bundle.left(), 10, f"{what}: nothing left, but {bundle.left()}")
        prepare(bundle, steps[:-1])
        check(bundle.oci(*command_line(bundle, steps[-1])) == 0, f"{name} fails without a fault")
    print(f"# {name}: {points} points of {number}", flush=True)


def create_survives():
    sweep("create")


def start_survives():
    sweep("start")


def run_survives():
    sweep("run")


def exec_survives():
    sweep("exec")


def kill_survives():
    sweep("kill")


def delete_survives():
    sweep("delete")


if __name__ == "__main__":
    main(create_survives, start_survives, run_survives, exec_survives, kill_survives, delete_survives)
