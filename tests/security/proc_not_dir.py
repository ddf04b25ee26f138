#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""CVE-2019-19921, CVE-2023-27561, CVE-2023-28642: /proc or /sys of the image, or a volume on it, is no directory or no
procfs, and what should have been masked or made read-only is elsewhere."""
import os
import pathlib
import shutil
import socket

from secbox import Canary, Racer, ROUNDS, all_cases, case, check, contains, equal, main, minimal, rounds

PROC = {"destination": "/proc", "type": "proc", "source": "proc"}
PATTERN = pathlib.Path("/proc/sys/kernel/core_pattern")
# A procfs, whose masks hold.
SHOW = ("stat -f -c %t /proc; stat -c %t:%T /proc/keys; helper open w /proc/sys/kernel/core_pattern; "
        "ls /sys/firmware 2>/dev/null | wc -l")
SEEN = "9fa0\n1:3\n30\n0"  # 30: EROFS


def kinds(path, canary):
    """Everything that a path can be in an image, one after the other."""
    def bound():
        server = socket.socket(socket.AF_UNIX)
        server.bind(str(path))
        server.close()
    for name, make in (("link", lambda: path.symlink_to(canary.dir)), ("link to /", lambda: path.symlink_to("/")),
                       ("link up", lambda: path.symlink_to("../" * 12 + str(canary.dir)[1:])),
                       ("link to itself", lambda: path.symlink_to(path.name)), ("dangling link", lambda: path.symlink_to("/nothing")),
                       ("file", lambda: path.write_text("text")), ("FIFO", lambda: os.mkfifo(path)), ("socket", bound),
                       ("null device", lambda: os.mknod(path, 0o020666, os.makedev(1, 3))),
                       ("block device", lambda: os.mknod(path, 0o060600, os.makedev(8, 0)))):
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink(missing_ok=True)
        make()
        yield name


@case
def what_the_image_has_there(box):
    canary, before = Canary(box), PATTERN.read_text()
    for name in ("proc", "sys"):
        for kind in kinds(box.rootfs / name, canary):
            box.script(SHOW).refused(f"/{name}")
            canary.look(f"{name}: {kind}")
        (box.rootfs / name).unlink()
        (box.rootfs / name).mkdir()
    equal(PATTERN.read_text(), before)


@case
def however_it_is_written(box):
    canary = Canary(box)
    (box.rootfs / "x").mkdir()
    for text in ("/proc/", "//proc", "/./proc", "proc", "/proc/.", "/x/../proc", "/../proc"):
        box.config["mounts"][0] = {**PROC, "destination": text}
        equal(box.output(SHOW), SEEN, text)
        for kind in kinds(box.rootfs / "proc", canary):
            done = box.script(SHOW).run(ok=None)
            check(done.returncode != 0, f"{text}: {kind}: {done.stdout}")
        (box.rootfs / "proc").unlink()
        (box.rootfs / "proc").mkdir()
    canary.look("spellings")


def false_proc(box):
    """A directory that looks like a /proc."""
    top = box.top / "false"
    (top / "sys" / "kernel").mkdir(parents=True)
    (top / "self" / "fd").mkdir(parents=True)
    (top / "self" / "attr").mkdir()
    (top / "keys").write_text("keys")
    for number in range(30):
        os.mkfifo(top / "self" / "fd" / str(number))
    (top / "sys" / "kernel" / "core_pattern").symlink_to("/proc/sys/kernel/core_pattern")
    return top


@case
def a_volume_on_it(box):
    """Before or after the procfs, instead of it, by another spelling, or a tmpfs."""
    canary, first = Canary(box), box.config["mounts"][1:]
    volumes = [{"destination": text, "type": "bind", "source": str(false_proc(box) if not i else box.top / "false"), "options": ["rbind"]}
               for i, text in enumerate(("/proc", "/proc/", "//proc", "/x/../proc", "/../proc"))]
    volumes += [{"destination": "/proc", "type": "tmpfs", "source": "tmpfs"}]
    (box.rootfs / "x").mkdir()
    for volume in volumes:
        for mounts in ([PROC, volume], [volume]):
            box.config["mounts"] = [*mounts, *first]
            box.script(SHOW).refused("/proc")
        box.config["mounts"] = [volume, PROC, *first]
        equal(box.output(SHOW), SEEN)
    canary.look("volumes")


@case
def a_part_of_a_procfs_on_it(box):
    """A procfs it is, but not its root."""
    for part in ("sys", "self", "1"):
        box.config["mounts"][0] = {"destination": "/proc", "type": "bind", "source": f"/proc/{part}", "options": ["bind"]}
        box.script(SHOW).refused("is not the root of a procfs")


@case
def without_any(box):
    """An image's own empty /proc, or none, is nothing that is relied on."""
    box.config["mounts"].pop(0)
    box.process["user"] = {"uid": 1000, "gid": 1000}
    equal(box.output("echo $HOME; ls /proc | wc -l"), "/home/user\n0")
    box.script("sleep 1000").detach()
    contains(box.exec("sh", "-c", "echo $HOME").stdout, "/home/user")
    box.delete("--force")
    (box.rootfs / "proc").rmdir()
    equal(box.output("echo $HOME; ls -d /proc 2>&1 | grep -c 'No such'"), "/home/user\n1")


@case
def a_false_one_of_the_image_has_no_effect(box):
    """The image's own files below /proc, on which nothing is mounted: FIFOs that would block whoever opened them."""
    box.config["mounts"].pop(0)
    (box.rootfs / "proc").rmdir()
    false_proc(box).rename(box.rootfs / "proc")
    box.linux["maskedPaths"], box.linux["readonlyPaths"] = [], []
    box.linux["sysctl"] = {"net.ipv4.ip_default_ttl": "33"}
    box.process["user"] = {"uid": 1000, "gid": 1000}
    equal(box.output("echo $HOME; test -e /proc/sys/net || echo none"), "/home/user\nnone")


@case
def it_is_swapped_in_a_shared_root(box):
    """Of another container with the same root directory, between the mount and the masks."""
    (box.rootfs / "other").mkdir()
    minimal(box).linux.update(maskedPaths=["/proc/keys"], readonlyPaths=["/proc/sys"])
    box.script("for d in /proc /other; do cd $d; test $(stat -f -c %t .) = 9fa0 && stat -c %t:%T keys && "
               "helper open w sys/kernel/core_pattern; done; true")
    before = PATTERN.read_text()
    with Racer("swap", box.rootfs / "proc", box.rootfs / "other"):
        found = rounds(box, ROUNDS // 4)
    for (code, text), count in found.items():
        seen = set(text.splitlines())
        check(seen <= {"1:3", "30"} if code == 0 else "/proc" in text, f"{count} times exit {code}: {text[-600:]}")
    check(any("1:3" in text for code, text in found), "nobody has seen a procfs")
    equal(PATTERN.read_text(), before)


if __name__ == "__main__":
    main(all_cases(globals()))
