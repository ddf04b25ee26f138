#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""CVE-2026-1386 (Firecracker's jailer): files and links that somebody had put where the jail was to be made. Here they are
where the state of a container will be; root must have let it happen, and still nothing is followed or written through."""
import os
import shutil

from secbox import Canary, all_cases, case, check, contains, equal, main


def remove(path):
    shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink(missing_ok=True)


@case
def in_place_of_a_containers_directory(box):
    canary = Canary(box)
    box.root.mkdir(mode=0o700)
    place = box.root / box.id
    for name, make in (("link", lambda: place.symlink_to(canary.dir)), ("dangling link", lambda: place.symlink_to(canary.dir / "new")),
                       ("file", place.touch), ("FIFO", lambda: os.mkfifo(place)), ("directory", place.mkdir)):
        make()
        contains(box.args("true").run(ok="fail").stderr, "exists already", name)
        for words in (["start", box.id], ["kill", box.id, "KILL"], ["delete", "--force", box.id], ["state", box.id], ["exec", box.id, "true"]):
            box.oci(*words, ok=None)
        canary.look(name)
        remove(place)
    equal(box.args("echo", "clean").run().stdout, "clean\n")


@case
def in_place_of_the_filters(box):
    """Filters that others could have put there are not used, and the profile holds all the same."""
    canary = Canary(box)
    box.linux["seccomp"] = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO"}]}
    box.script("mkdir /tmp/x || echo refused")
    box.root.mkdir(mode=0o700)
    place = box.root / ".filters~"
    for name, make in (("link", lambda: place.symlink_to(canary.dir)), ("file", place.touch), ("FIFO", lambda: os.mkfifo(place)),
                       ("directory of others", lambda: (place.mkdir(), os.chown(place, 65534, 65534))),
                       ("directory for others", lambda: (place.mkdir(), place.chmod(0o777))), ("directory", place.mkdir)):
        remove(place)
        make()
        for _ in range(2):
            equal(box.run().stdout, "refused\n", name)
        canary.look(name)
    files = [path for path in place.iterdir()]
    equal(len(files), 1, "filters that are kept")
    good = files[0].read_bytes()
    for name, change in (("written by others", lambda p: p.chmod(0o666)), ("of others", lambda p: os.chown(p, 65534, 65534)),
                         ("cut", lambda p: p.write_bytes(good[:100])), ("empty", lambda p: p.write_bytes(b"")),
                         ("other instructions", lambda p: p.write_bytes(good[:72] + bytes(8) + good[80:])),
                         ("no filter", lambda p: p.write_bytes(b"x" * len(good))),
                         ("a link", lambda p: (p.unlink(), p.symlink_to(canary.dir / "null"))),
                         ("a directory", lambda p: (p.unlink(), p.mkdir()))):
        remove(files[0])
        files[0].write_bytes(good)
        files[0].chmod(0o600)
        change(files[0])
        for _ in range(2):
            equal(box.run().stdout, "refused\n", name)
        canary.look(name)


@case
def a_filter_is_not_taken_for_another_profile(box):
    """Profiles that differ in one letter, a space or the order of their members, each twice, in every order."""
    calls = {"mkdir": 83, "rmdir": 84, "link": 86, "chmod": 90}
    def profile(name, style):
        rule = {"names": [name], "action": "SCMP_ACT_ERRNO"}
        return {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [rule if style else dict(reversed(rule.items()))]}
    box.script("; ".join(f"helper syscall {number} 0 0" for number in calls.values()))
    for _ in range(3):
        for name in calls:
            for style in (True, False):
                box.linux["seccomp"] = profile(name, style)
                equal(box.run().stdout.split(), ["1" if other == name else "14" for other in calls], name)  # EPERM, EFAULT


if __name__ == "__main__":
    main(all_cases(globals()))
