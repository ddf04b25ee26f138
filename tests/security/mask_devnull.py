#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""CVE-2025-31133 and CVE-2019-18837: files are masked with a null device, directories with an empty one. Neither may
be what the image, or somebody who changes a shared volume meanwhile, says it is."""
import os
import pathlib
import stat

from secbox import Canary, Racer, ROUNDS, all_cases, case, check, equal, expect, main, minimal, rounds

PATTERN = pathlib.Path("/proc/sys/kernel/core_pattern")
MASKED = ["/proc/keys", "/proc/timer_list", "/proc/version"]
SHOW = tuple("d:" + path for path in MASKED)
HIDDEN = "1:3\n" * len(MASKED)


def null_device(path):
    os.mknod(path, 0o666 | stat.S_IFCHR, os.makedev(1, 3))
    return path


def masked(box, look=SHOW, paths=MASKED):
    minimal(box).args("inside", "look", *look)
    box.linux["maskedPaths"] = list(paths)
    box.linux["readonlyPaths"] = ["/proc/sys"]
    return box


def foreign_dev(box):
    """/dev of somebody else: nothing is made in it."""
    shared = box.top / "raced"
    shared.mkdir()
    for name in ("zero", "full", "random", "urandom", "tty"):
        null_device(shared / name)
    box.config["mounts"][1] = {"destination": "/dev", "type": "bind", "source": str(shared), "options": ["rbind"]}
    return shared


@case
def null_of_the_image_is_a_link(box):
    """The image's own /dev, on which nothing is mounted."""
    masked(box)
    del box.config["mounts"][1]
    canary, before = Canary(box), PATTERN.read_text()
    for target in ("/proc/sys/kernel/core_pattern", str(canary.dir / "null"), "../../../../../../etc/passwd", "/proc/self/exe",
                   "/dev/zero", "null"):
        (box.rootfs / "dev" / "null").unlink(missing_ok=True)
        (box.rootfs / "dev" / "null").symlink_to(target)
        equal(box.output(), HIDDEN.strip(), target)
    canary.look("links")
    equal(PATTERN.read_text(), before)


@case
def null_of_a_foreign_dev_is_something_else(box):
    shared = foreign_dev(masked(box))
    canary = Canary(box)
    null = shared / "null"
    for make in (lambda: null.symlink_to("/proc/sys/kernel/core_pattern"), lambda: null.symlink_to(canary.dir / "null"),
                 null.touch, null.mkdir, lambda: os.mkfifo(null),
                 lambda: os.mknod(null, 0o666 | stat.S_IFCHR, os.makedev(1, 5)),
                 lambda: os.mknod(null, 0o600 | stat.S_IFBLK, os.makedev(1, 3))):
        make()
        box.refused("/dev/null")
        null.rmdir() if null.is_dir() and not null.is_symlink() else null.unlink()
    canary.look("kinds")


@case
def null_is_swapped_meanwhile(box):
    shared = foreign_dev(masked(box))
    canary, before = Canary(box), PATTERN.read_text()
    null_device(shared / "null")
    (shared / "evil").symlink_to("/proc/sys/kernel/core_pattern")
    with Racer("swap", shared / "null", shared / "evil"):
        found = rounds(box, ROUNDS // 2)
    expect(found, HIDDEN, "/dev/null", "Symbolic link loop", "Too many levels")
    canary.look("rounds")
    equal(PATTERN.read_text(), before)


@case
def a_masked_directory_is_swapped_meanwhile(box):
    """The first masked directory is what the others get a copy of: on no account one of /proc without its masks."""
    show = ["n:/sys", "f:/sys", "x:/sys/here", "w:/sys/sys/kernel/core_pattern"]
    masked(box, show, ["/vol/dir/proc", "/sys"])
    shared = box.top / "raced"
    (shared / "dir" / "proc").mkdir(parents=True)
    (shared / "link").symlink_to("/")
    box.mount("/vol", "bind", shared, "rbind")
    canary, before = Canary(box), PATTERN.read_text()
    with Racer("swap", shared / "dir", shared / "link"):
        found = rounds(box, ROUNDS // 2)
    expect(found, "0\n1021994\n30\n2\n")  # nothing, a tmpfs, EROFS, ENOENT
    canary.look("rounds")
    equal(PATTERN.read_text(), before)


@case
def links_on_the_way_to_a_mask(box):
    """What is masked is what the path leads to within the container; a link as its last part is refused."""
    canary = Canary(box)
    (box.rootfs / "data" / "secret").mkdir(parents=True)
    (box.rootfs / "data" / "secret" / "file").write_text("secret\n")
    (box.rootfs / "way").symlink_to("/data")
    (box.rootfs / "out").symlink_to(canary.dir)
    (box.rootfs / "up").symlink_to("../../../../../../" + str(canary.dir)[1:])
    masked(box, ["n:/data/secret"], ["/way/secret", "/out/sub", "/up/passwd", "/data/../../../way/secret"])
    equal(box.output(), "0")
    for link in ("/way", "/out", "/up"):
        for member in ("maskedPaths", "readonlyPaths"):
            box.linux["maskedPaths"], box.linux["readonlyPaths"] = [], []
            box.linux[member] = [link]
            box.refused(link, "symbolic link")
    canary.look("links")


if __name__ == "__main__":
    main(all_cases(globals()))
