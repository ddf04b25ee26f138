#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Machines leave nothing: no process, tap, lease, disk, socket, lock, row or file, however many at once."""
import concurrent.futures
import os
import pathlib

from zltest import HELLO, VmNode, check, main, wait_for

LIFECYCLES = 100
AT_ONCE = 20
PATIENCE = 300


def machines(node):
    """Pids of the machines of this node."""
    return [pid for pid in node.keepers() if pathlib.Path(f"/proc/{pid}/comm").read_text().startswith("qemu")]


def one_lifecycle(node, number):
    code = number % 5
    done = node.zlayer("run", "--rm", "--isolation", "hyperv", HELLO, "sh", "-c",
                       f"echo out {number}; echo err {number} >&2; exit {code}", ok=code, timeout=PATIENCE)
    check((done.stdout, done.stderr) == (f"out {number}\n", f"err {number}\n"), f"{number}: {done}")


def a_hundred_lifecycles_twenty_at_once():
    with VmNode() as node:
        node.small()
        with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
            list(pool.map(lambda number: one_lifecycle(node, number), range(LIFECYCLES)))
        ends = [e for e in node.json_lines("events", "--json") if e["action"] == "die"]
        check(len(ends) == LIFECYCLES + 2, f"{len(ends)} ends")  # two of small()
        node.expect_no_leaks()


def twenty_that_run_at_the_same_time():
    names = [f"many{i}" for i in range(AT_ONCE)]
    with VmNode() as node, concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        node.small()

        def each(*args, ok=0):
            return list(pool.map(lambda name: node.zlayer(*[name if a is None else a for a in args], ok=ok, timeout=PATIENCE), names))

        each("run", "-d", "--name", None, "--isolation", "hyperv", HELLO, "sleep", "100000")
        rows = {row["name"]: row for row in node.json("ps", "--json")}
        check(set(rows) == set(names), f"running: {len(rows)} of {AT_ONCE}")
        check(len({row["address"] for row in rows.values()}) == AT_ONCE, f"addresses: {rows}")
        check(len(machines(node)) == AT_ONCE, f"{len(machines(node))} machines")
        said = each("exec", None, "cat", "/proc/sys/kernel/random/boot_id")
        check(len({done.stdout for done in said}) == AT_ONCE, "two containers share a kernel")
        each("exec", None, "sh", "-c", "exit 3", ok=3)
        each("stop", "-t", "0", None)
        wait_for(lambda: not machines(node), 60, "the end of the machines")
        check(all(row["state"] == "exited" for row in node.json("ps", "-a", "--json")), "states")
        each("rm", None)
        node.expect_no_leaks()


def a_machines_disk_goes_with_it():
    """It has no name: what counts is who holds it open."""
    with VmNode() as node:
        node.small()
        node.zlayer("run", "-d", "--name", "disk", "--isolation", "hyperv", HELLO, "sh", "-c",
                    "dd if=/dev/zero of=/filled bs=1M count=8 2>/dev/null; echo filled; sleep 100000")
        wait_for(lambda: node.zlayer("logs", "disk").stdout == "filled\n", 60, "the disk to be filled")
        folder = node.root / "containers" / "disk-rep-1"
        check(disks_of(folder), "nobody holds the disk")
        check(not (folder / "scratch").exists(), "the disk has a name")
        node.zlayer("rm", "-f", "disk")
        check(not disks_of(folder), f"held by {disks_of(folder)}")
        node.expect_no_leaks()


def disks_of(folder):
    """Who holds files of a container's directory open that have no name any more."""
    found = set()
    for fd in pathlib.Path("/proc").glob("[0-9]*/fd/*"):
        try:
            link = os.readlink(fd)
        except OSError:
            continue
        if link.startswith(f"{folder}/") and link.endswith(" (deleted)"):
            found.add(fd.parts[2])
    return found


if __name__ == "__main__":
    main(a_hundred_lifecycles_twenty_at_once, twenty_that_run_at_the_same_time, a_machines_disk_goes_with_it)
