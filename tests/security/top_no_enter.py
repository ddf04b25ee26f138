#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""CVE-2022-1227 (podman top): a listing of processes that entered the container and ran what it found there. Here the
image has a program of every such name, which would leave a mark, and the calls of the runtime are traced."""
import json
import subprocess

from secbox import all_cases, case, check, contains, equal, main, wait_for

FALSE = "#!/bin/busybox sh\necho $0 $* >> /tmp/mark\nexec busybox ${0##*/} \"$@\"\n"
PROGRAMS = ("ps", "nsenter", "id", "getent", "newuidmap", "cat", "ls", "crictl", "runc", "zlayer-oci", "pgrep", "top")
ENTERING = {"setns", "chroot", "pivot_root", "unshare"}


def hostile(box):
    for folder in ("bin", "usr/bin", "sbin"):
        (box.rootfs / folder).mkdir(parents=True, exist_ok=True)
        for name in PROGRAMS:
            path = box.rootfs / folder / name
            path.unlink(missing_ok=True)
            path.write_text(FALSE)
            path.chmod(0o755)
    for name in ("libc.so.6", "libnss_files.so.2", "ld-linux-x86-64.so.2"):
        (box.rootfs / "lib").mkdir(exist_ok=True)
        (box.rootfs / "lib" / name).write_bytes(b"\x7fELF not a library")
    box.args("/bin/busybox", "sleep", "1000").detach()


def traced(box, *words):
    """(what it printed, {names of calls}, programs executed) of the runtime."""
    log = box.top / "trace"
    calls = ",".join(["execve", "execveat", *sorted(ENTERING)])
    done = subprocess.run(["strace", "-f", "-qq", "-o", log, "-e", f"trace={calls}", *box.command(*words)], capture_output=True, text=True,
                          timeout=60, check=False, stdin=subprocess.DEVNULL, cwd=box.top)
    check(done.returncode == 0, f"{words}: exit {done.returncode}: {done.stderr}")
    lines = [line.split(None, 1)[1] for line in log.read_text().splitlines() if "(" in line]
    return done.stdout, {line.partition("(")[0] for line in lines}, [line for line in lines if line.startswith("execve")]


@case
def listings_do_not_enter(box):
    hostile(box)
    for words in (["ps", box.id], ["ps", "-f", "json", box.id], ["ps", box.id, "-o", "pid,args"], ["state", box.id], ["list"],
                  ["list", "-f", "json"], ["events", "--stats", box.id]):
        text, calls, programs = traced(box, *words)
        equal(calls & ENTERING, set(), f"{words}")
        check(text.strip(), f"{words}: nothing was printed")
        for line in programs:
            check("/usr/bin/ps" in line or "zlayer-oci" in line or 'execveat(' in line, f"{words}: {line}")
    check(not (box.rootfs / "tmp" / "mark").exists(), "a program of the image has run")


@case
def processes_have_the_hosts_numbers(box):
    hostile(box)
    equal(json.loads(box.oci("ps", "-f", "json", box.id).stdout), [box.pid()])
    contains(box.oci("ps", box.id).stdout, str(box.pid()))


@case
def a_name_of_a_process_is_only_text(box):
    """Programs choose their own: escapes, lines and format signs of one are no output of ours."""
    box.args("sh", "-c", "sleep 1000; : %s%n\n 1 root 99\n\x1b[2J").detach()
    wait_for(lambda: len(box.pids()) == 2, what="the program's child")
    text = box.oci("ps", box.id).stdout
    equal(len(text.splitlines()), 1 + len(box.pids()), text)
    check("\x1b" not in text and "%s%n" in text, repr(text))


if __name__ == "__main__":
    main(all_cases(globals()))
