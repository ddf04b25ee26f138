#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""CVE-2022-1708 (CRI-O), CVE-2022-31030 (containerd): what an exec prints, gathered in memory without a limit. Programs
that print for ever, to readers that are slow, do not read or have gone: the shim stays as small as it was."""
import os
import pathlib
import re
import subprocess
import time

from nodebox import HELLO, Node, check, equal, main, wait_for

SECONDS = 2
GROWTH = 8 << 10  # KiB; the least that a buffer without a limit would hold after SECONDS is a hundred times that
READERS = 6
LOG = 110 << 20  # bytes of all log files of a container that says nothing of them, and a little


def memory(pid):
    """KiB that belong to it alone."""
    text = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
    return sum(map(int, re.findall(r"^(?:Private_Dirty|Private_Clean|Swap):\s+(\d+)", text, re.M)))


def written(pid):
    """Bytes that a program has got rid of."""
    return int(re.search(r"^wchar: (\d+)", pathlib.Path(f"/proc/{pid}/io").read_text(), re.M).group(1))


def size_of(file):
    """0 for one that has been rotated away meanwhile."""
    try:
        return file.stat().st_size
    except FileNotFoundError:
        return 0


def programs(node, name):
    """The programs called `name` in the container."""
    text = node.zlayer("exec", "box", "sh", "-c", f"pidof {name}; true").stdout
    return text.split()


def peak(pids, seconds):
    end, most = time.monotonic() + seconds, {pid: 0 for pid in pids}
    while time.monotonic() < end:
        for pid in pids:
            most[pid] = max(most[pid], memory(pid))
        time.sleep(0.05)
    return most


def readers_that_do_not_read():
    with Node() as node:
        node.zlayer("run", "-d", "--init", "--name", "box", HELLO, "sleep", "1000")
        shim = next(iter(node.shims().values()))
        before = memory(shim)
        # The second half prints to standard error; nobody reads of either.
        clients = [node.start("exec", "box", "sh", "-c", "exec yes" if i % 2 else "exec yes >&2", stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              stdin=subprocess.DEVNULL) for i in range(READERS)]
        wait_for(lambda: len(programs(node, "yes")) == READERS, 20, "all programs")
        most = peak([shim, *(c.pid for c in clients)], SECONDS)
        check(most[shim] < before + GROWTH, f"the shim: {before} KiB have become {most[shim]}")
        for client in clients:
            check(most[client.pid] < 32 << 10, f"a client has {most[client.pid]} KiB")
        equal(node.zlayer("exec", "box", "echo", "alive", timeout=20).stdout, "alive\n", "another exec meanwhile")
        for client in clients:
            client.kill()
            client.communicate(timeout=20)
        wait_for(lambda: memory(shim) < before + GROWTH // 4, 20, "the shim as small as before")
        node.zlayer("rm", "-f", "box")
        node.expect_no_leaks()


def a_slow_reader_gets_everything_in_order():
    with Node() as node:
        node.zlayer("run", "-d", "--name", "box", HELLO, "sleep", "1000")
        shim = next(iter(node.shims().values()))
        before = memory(shim)
        client = node.start("exec", "box", "seq", "1", "400000", stdout=subprocess.PIPE, stdin=subprocess.DEVNULL)
        text, most = [], 0
        for i in range(40):
            text.append(os.read(client.stdout.fileno(), 65536))
            most = max(most, memory(shim))
            time.sleep(0.02)
        text = b"".join(text).decode() + client.communicate(timeout=60)[0]
        check(most < before + GROWTH, f"{before} KiB have become {most}")
        check(text == "".join(f"{n}\n" for n in range(1, 400001)), f"{len(text)} bytes of another text")
        node.zlayer("rm", "-f", "box")
        node.expect_no_leaks()


def a_container_that_prints_for_ever():
    """Its log is bounded by its size, and the shim by its own."""
    with Node() as node:
        node.zlayer("run", "-d", "--name", "box", HELLO, "yes", "a line that is not short, so that the log fills quickly")
        shim = next(iter(node.shims().values()))
        most = peak([shim], SECONDS)[shim]
        check(most < GROWTH, f"the shim has {most} KiB")
        size = sum(map(size_of, (node.root / "containers").rglob("log/*")))
        check(size < LOG, f"{size} bytes of log")
        node.zlayer("rm", "-f", "box")
        node.expect_no_leaks()


if __name__ == "__main__":
    main(readers_that_do_not_read, a_slow_reader_gets_everything_in_order, a_container_that_prints_for_ever)
