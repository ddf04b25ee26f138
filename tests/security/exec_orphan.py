#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""CVE-2025-64329, CVE-2026-53495 (containerd): an exec whose child keeps its streams open, and what stayed behind of each.
Two thousand of them return at once, and the shim has as many descriptors, threads and pages afterwards as before."""
import concurrent.futures
import os
import pathlib
import re
import time

from nodebox import HELLO, Node, check, equal, main, wait_for

EXECS, AT_ONCE = 2000, 4
GRACE = 20      # seconds that an exec may take on a busy machine; its child would take a thousand
GROWTH = 1024   # KiB


def held(pid):
    """(descriptors, threads, children) of a process."""
    children = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return len(os.listdir(f"/proc/{pid}/fd")), len(os.listdir(f"/proc/{pid}/task")), len(children)


def at_rest(pid):
    """What it holds when the last exec's ends are closed, too, which is some time after its command."""
    seen = []

    def is_same():
        seen.append(held(pid))
        time.sleep(0.3)
        return len(seen) > 2 and seen[-1] == seen[-2] == seen[-3]

    wait_for(is_same, 20, "the shim at rest")
    return seen[-1]


def memory(pid):
    text = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
    return int(re.search(r"^Private_Dirty:\s+(\d+)", text, re.M).group(1))


def leave_one(node):
    began = time.monotonic()
    node.zlayer("exec", "box", "sh", "-c", "sleep 1000 & exit 3", ok=3, timeout=60)
    check(time.monotonic() - began < GRACE, "an exec has waited for its child")


def of_the_shim():
    with Node() as node:
        node.zlayer("pull", HELLO)
        node.zlayer("run", "-d", "--init", "--pids-limit", "-1", "--name", "box", HELLO, "sh", "-c", "trap 'killall sleep' USR1; while :; do sleep 0.2; done")
        pid = next(iter(node.shims().values()))
        for _ in range(20):
            leave_one(node)
        before, used = at_rest(pid), memory(pid)
        with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
            list(pool.map(lambda _: leave_one(node), range(EXECS)))
        # Each of the children still has the streams, and nobody of ours the other ends.
        wait_for(lambda: held(pid) == before, 20, f"the shim as before: {before}")
        check(memory(pid) < used + GROWTH, f"{used} KiB have become {memory(pid)}")
        left = node.zlayer("exec", "box", "sh", "-c", "ps | grep -c 'sleep 1000$'").stdout
        check(int(left) >= EXECS, f"only {left} children are there")
        equal(node.zlayer("exec", "box", "echo", "alive").stdout, "alive\n")
        node.zlayer("rm", "-f", "box")
        node.expect_no_leaks(20)


if __name__ == "__main__":
    main(of_the_shim)
