#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""CVE-2025-52881, CVE-2019-16884: what the runtime writes to /proc (settings of the kernel, labels, scores) went to
files that somebody had mounted there. Here the container's /proc is shared with one who mounts and unmounts."""
import pathlib
import shutil

from secbox import INSIDE, LIBC, Canary, Racer, all_cases, case, check, equal, expect, main, rounds, tree

MS_BIND, MS_SHARED = 4096, 1 << 20
SETTINGS = {"net.ipv4.ip_default_ttl": "33", "net.ipv4.ip_forward": "1", "kernel.domainname": "own.example"}
# From a procfs that nobody else has.
LOOK = ["inside", "look", *(f"c:/own/{name}" for name in ("sys/net/ipv4/ip_default_ttl", "sys/net/ipv4/ip_forward", "sys/kernel/domainname",
                                                          "1/oom_score_adj"))]
SEEN = "33\n1\nown.example\n500\n"


def mount(source, target, kind, flags=0):
    check(LIBC.mount(source and str(source).encode(), str(target).encode(), kind, flags, None) == 0, f"mount on {target}")


def shared_proc(box):
    """A procfs, of which the container has a copy that follows it; and the false files for it."""
    proc, false = box.top / "raced", box.top / "false"
    proc.mkdir()
    mount("proc", proc, b"proc")
    box.cleanups.append(lambda: LIBC.umount2(str(proc).encode(), 2))
    mount(None, proc, None, MS_SHARED)
    for name in ("net/ipv4/ip_default_ttl", "net/ipv4/ip_forward", "kernel/domainname"):
        (false / "sys" / name).parent.mkdir(parents=True, exist_ok=True)
        (false / "sys" / name).write_text("unwritten\n")
    box.config["mounts"] = [{"destination": "/proc", "type": "bind", "source": str(proc), "options": ["rbind", "rslave"]},
                            box.config["mounts"][1], {"destination": "/own", "type": "proc", "source": "proc"}]
    box.linux.update(sysctl=SETTINGS, maskedPaths=[], readonlyPaths=[])
    box.process["oomScoreAdj"] = 500
    shutil.copy2(INSIDE, box.rootfs / "bin" / "inside")
    box.args(*LOOK)
    return proc, false


@case
def settings_while_proc_sys_is_covered_and_uncovered(box):
    proc, false = shared_proc(box)
    canary, before = Canary(box), tree(false)
    with Racer("bind", false / "sys", proc / "sys"):
        found = rounds(box)
    equal(found, {(0, SEEN): sum(found.values())}, "what containers saw")
    equal(tree(false), before, "the false files")
    canary.look("rounds")


@case
def settings_while_proc_sys_stays_covered(box):
    proc, false = shared_proc(box)
    before = tree(false)
    mount(false / "sys", proc / "sys", None, MS_BIND)
    box.cleanups.append(lambda: LIBC.umount2(str(proc / "sys").encode(), 2))
    expect(rounds(box, 4), SEEN, least=4)
    box.script("cat /proc/sys/net/ipv4/ip_default_ttl")
    equal(box.output(), "unwritten", "the container does see the false one")
    box.script("sleep 1000").detach()
    equal(box.exec("cat", "/own/self/oom_score_adj").stdout, "500\n", "score of an exec")
    equal(tree(false), before, "the false files")


@case
def settings_of_the_host_stay(box):
    names = ("net/ipv4/ip_default_ttl", "net/ipv4/ip_forward", "kernel/domainname", "kernel/core_pattern")
    before = [pathlib.Path("/proc/sys", name).read_text() for name in names]
    shared_proc(box)
    expect(rounds(box, 2), SEEN, least=2)
    equal([pathlib.Path("/proc/sys", name).read_text() for name in names], before)


if __name__ == "__main__":
    main(all_cases(globals()))
