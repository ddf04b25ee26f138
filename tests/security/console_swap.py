#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""CVE-2025-52565: the terminal that becomes /dev/console is a descriptor of the pair that was opened, and never what a
path below /dev/pts, which somebody changes meanwhile, leads to."""
import os
import pathlib
import stat

from secbox import Canary, Racer, ROUNDS, all_cases, case, check, equal, expect, main, minimal, rounds

# The terminal, the devpts and its terminal bound over /dev/console; that one belongs to the new devpts.
LOOK = ["inside", "look", "t:", "m: - devpts ", "f:/proc"]
SEEN = "11\n2\n9fa0\n"
REFUSED = ("is not a devpts", "opening a terminal in the container's /dev/pts", "making the mount point", "mounting on",
           "/dev/console")
PATTERN = pathlib.Path("/proc/sys/kernel/core_pattern")


def foreign_dev(box):
    """/dev of somebody else, with a false pts in it; the true one is mounted there."""
    shared = box.top / "raced"
    (shared / "pts").mkdir(parents=True)
    (shared / "false").mkdir()
    os.mknod(shared / "null", 0o666 | stat.S_IFCHR, os.makedev(1, 3))
    os.mknod(shared / "false" / "ptmx", 0o666 | stat.S_IFCHR, os.makedev(5, 2))
    for number in range(3):
        (shared / "false" / str(number)).symlink_to("/proc/sys/kernel/core_pattern")
    minimal(box).process["terminal"] = True
    box.config["mounts"][1] = {"destination": "/dev", "type": "bind", "source": str(shared), "options": ["rbind"]}
    box.mount("/dev/pts", "devpts", "devpts", "newinstance", "ptmxmode=0666", "mode=0620")
    box.args(*LOOK)
    return shared


@case
def pts_is_swapped_meanwhile(box):
    shared = foreign_dev(box)
    canary, before = Canary(box), PATTERN.read_text()
    (shared / "pts.link").symlink_to("false")
    with Racer("swap", shared / "pts", shared / "pts.link"):
        found = rounds(box, ROUNDS // 2)
    expect(found, SEEN, *REFUSED)
    canary.look("rounds")
    equal(PATTERN.read_text(), before)


@case
def console_is_swapped_meanwhile(box):
    """Where it goes stays within the container; the host's files keep what they have."""
    shared = foreign_dev(box)
    canary, before = Canary(box), PATTERN.read_text()
    (shared / "console").touch()
    (shared / "console.link").symlink_to(canary.dir / "null")
    with Racer("swap", shared / "console", shared / "console.link"):
        found = rounds(box, ROUNDS // 2)
    expect(found, SEEN, *REFUSED)
    check(not (box.rootfs / "dev" / "console").is_symlink(), "the image has been changed")
    canary.look("rounds")
    equal(PATTERN.read_text(), before)


@case
def a_pts_that_is_none(box):
    """Without a race: what is not on a devpts is refused, whatever its number is."""
    shared = foreign_dev(box)
    canary, before = Canary(box), PATTERN.read_text()
    box.config["mounts"].pop()
    (shared / "pts").rmdir()
    for target in ("false", str(canary.dir), "/proc/self/fd"):
        (shared / "pts").symlink_to(target)
        box.refused("/dev/pts")
        (shared / "pts").unlink()
    (shared / "false").rename(shared / "pts")
    box.refused("/dev/pts")
    canary.look("links")
    equal(PATTERN.read_text(), before)


if __name__ == "__main__":
    main(all_cases(globals()))
