#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Rules for devices that were gone after an update: 4,096 numbers of both kinds are made and opened in the container, at
its start, after every kind of change, and by an exec."""
import re
import shutil

from secbox import INSIDE, all_cases, case, check, equal, main

SIDE = 64
# What every container may open of the numbers below SIDE: null, zero, full, random, urandom, tty and console. 0:0 is no
# device but what overlayfs hides a file with, and never denied; a ptmx is none where no devpts is.
NONE = {"c 0:0"}
DEFAULT = NONE | {"c 1:3", "c 1:5", "c 1:7", "c 1:8", "c 1:9", "c 5:0", "c 5:1"}


def prepare(box, *rules):
    shutil.copy2(INSIDE, box.rootfs / "bin" / "inside")
    box.capabilities(**{name: ["CAP_MKNOD", "CAP_DAC_OVERRIDE"] for name in ("bounding", "effective", "permitted")})
    (box.rootfs / "grid").mkdir()
    box.mount("/grid", "tmpfs", "tmpfs", "size=64k")
    box.resources["devices"] = [{"allow": False, "access": "rwm"}, *rules]
    return box


def parse(text):
    """({what could be opened}, {what could be made})"""
    found = {"r": set(), "m": set()}
    for line in text.splitlines():
        match = re.fullmatch(r"([rm]) ([cb] \d+:\d+)", line)
        check(match is not None, f"odd: {line}")
        found[match.group(1)].add(match.group(2))
    return found["r"], found["m"]


def same(found, expected, what):
    """Sets of some thousands: what differs, and not much of it."""
    check(found == expected, f"{what}: {sorted(found ^ expected)[:20]}")


def grid(box):
    return parse(box.exec("inside", "grid", "/grid", str(SIDE)).stdout)


def usual(box):
    """All may be made, as elsewhere; a node that cannot be opened is a name."""
    opened, made = grid(box)
    same(opened, DEFAULT, "what can be opened")
    check(len(made) in (0, 2 * SIDE * SIDE), f"{len(made)} can be made")
    return opened, made


@case
def of_the_first_process(box):
    opened, _ = parse(prepare(box).args("inside", "grid", "/grid", str(SIDE)).run().stdout)
    same(opened, DEFAULT, "what can be opened")


@case
def before_and_after_changes(box):
    prepare(box).args("sleep", "1000").detach()
    before = usual(box)
    document = box.top / "resources.json"
    document.write_text('{"pids": {"limit": 99}, "memory": {"limit": 67108864}, "cpu": {"shares": 512}}')
    for words in (["update", "--pids-limit", "64", box.id], ["update", "--memory", "128m", box.id], ["update", "-r", document, box.id],
                  ["update", "--cpu-share", "256", box.id], ["pause", box.id], ["resume", box.id]):
        box.oci(*words)
        if words[0] != "pause":
            for found, expected in zip(grid(box), before):
                same(found, expected, f"after {words}")


@case
def rules_of_an_update(box):
    """They are the rules from then on, as a document's are, and stay through the next update."""
    prepare(box).args("sleep", "1000").detach()
    before = usual(box)
    document = box.top / "resources.json"
    document.write_text('{"devices": [{"allow": false, "access": "rwm"}, {"allow": true, "type": "c", "major": 62, "minor": 61, "access": "r"}]}')
    box.oci("update", "-r", document, box.id)
    opened, _ = grid(box)
    same(opened - {"c 62:61"}, before[0], "after an update with rules")
    box.oci("update", "--pids-limit", "64", box.id)
    same(grid(box)[0], opened, "after one without")


@case
def one_that_is_allowed(box):
    prepare(box, {"allow": True, "type": "c", "major": 10, "minor": 62, "access": "r"},
            {"allow": True, "type": "b", "major": 62, "minor": 61, "access": "rw"}).args("sleep", "1000").detach()
    opened, _ = grid(box)
    same(opened - {"c 10:62", "b 62:61"}, DEFAULT, "what can be opened")
    box.oci("update", "--pids-limit", "64", box.id)
    same(grid(box)[0], opened, "after an update")


@case
def in_a_user_namespace(box):
    """No node can be made there at all."""
    prepare(box).user_namespace().args("sleep", "1000").detach()
    opened, made = grid(box)
    equal((opened, made), (NONE, NONE))
    box.oci("update", "--pids-limit", "64", box.id)
    equal(grid(box), (NONE, NONE), "after an update")


if __name__ == "__main__":
    main(all_cases(globals()))
