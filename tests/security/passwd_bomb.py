#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""CVE-2026-47262 (containerd), CVE-2024-9676 (podman): an image's passwd or group that is huge, never ends or blocks
whoever opens it, or is a link to a file of the host."""
import os
import shutil
import subprocess
import time

from secbox import Canary, all_cases, case, check, equal, main

MEMORY = 4 << 10  # KiB that it may take more than it takes for an ordinary file
PATIENCE = 5      # seconds; a FIFO would take for ever
GIB = 1 << 30
PAGES = 4          # busybox takes the kernel's KiB for pages


def measured(box, *words):
    """(exit code, its peak in KiB, what it printed) of the runtime and the processes that it waits for. Python would
    count itself in, as whoever was there before the exec."""
    began = time.monotonic()
    done = subprocess.run(["/bin/busybox", "time", "-f", "%M", *box.command(*words)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, cwd=box.top, timeout=PATIENCE, check=False)
    check(time.monotonic() - began < PATIENCE, f"{words}: it took longer than {PATIENCE} s")
    *lines, peak = done.stdout.splitlines(keepends=True)
    lines = [line for line in lines if not line.startswith("Command exited with")]
    return done.returncode, int(peak) // PAGES, "".join(lines)


def bombs(path, canary):
    """What the file can be: (name, how it is made, whether the start must fail)."""
    def sparse(size):
        with open(path, "wb") as file:
            file.truncate(size)

    def lines():
        with open(path, "wb") as file:
            for i in range(200):
                file.write(b"".join(b"user%d:x:%d:%d:,,,:/home/user%d:/bin/sh\n" % (i * 1000 + n, n, n, n) for n in range(1000)))

    return [
        ("4 GiB of nothing", lambda: sparse(4 * GIB), True),
        ("a line that does not end", lambda: path.write_bytes(b"x" * (64 << 20)), True),
        ("200,000 lines", lines, True),
        ("a FIFO", lambda: os.mkfifo(path), True),
        ("a directory", path.mkdir, True),
        ("an endless device", lambda: os.mknod(path, 0o020666, os.makedev(1, 5)), True),
        ("a block device", lambda: os.mknod(path, 0o060600, os.makedev(8, 0)), True),
        ("a link to an endless device", lambda: path.symlink_to("/dev/zero"), True),
        ("a link to a terminal", lambda: path.symlink_to("/dev/tty"), True),
        ("a link to itself", lambda: path.symlink_to(path.name), True),
        ("a link by a descriptor", lambda: path.symlink_to("/proc/self/fd/0"), True),
        ("a link to the host's", lambda: path.symlink_to(canary.dir / "passwd"), False),
        ("a link up to the host's", lambda: path.symlink_to("../" * 12 + str(canary.dir)[1:] + "/passwd"), False),
        ("a link to a memory", lambda: path.symlink_to("/proc/self/mem"), True),
    ]


def remove(path):
    shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink(missing_ok=True)


def check_one(box, canary, name, must_fail, usual, words):
    code, peak, text = measured(box, *words)
    check((code != 0) == must_fail, f"{name}: exit {code}: {text}")
    check(not must_fail or "/etc/passwd" in text, f"{name}: {text}")
    check(must_fail or text == "/\n", f"{name}: the host's file has been read: {text}")
    check(peak < usual + MEMORY, f"{name}: {peak} KiB, {usual} for an ordinary file")
    canary.look(name)


@case
def at_the_start(box):
    canary, path = Canary(box), box.rootfs / "etc" / "passwd"
    box.args("sh", "-c", "echo $HOME").write_config()
    usual = max(measured(box, "run", "--bundle", box.bundle, f"{box.id}-{i}")[1] for i in range(3))
    for name, make, must_fail in bombs(path, canary):
        remove(path)
        make()
        check_one(box, canary, name, must_fail, usual, ("run", "--bundle", box.bundle, box.id))
        equal(box.states(), [], name)


@case
def at_an_exec(box):
    """The container's own program has put it there meanwhile."""
    canary, path = Canary(box), box.rootfs / "etc" / "passwd"
    box.detach()
    words = ("exec", "--user", "1000", box.id, "sh", "-c", "echo $HOME")
    usual = max(measured(box, *words)[1] for _ in range(3))
    for name, make, must_fail in bombs(path, canary):
        remove(path)
        make()
        check_one(box, canary, name, must_fail, usual, words)
    equal(box.status(), "running")


if __name__ == "__main__":
    main(all_cases(globals()))
