#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""CVE-2024-45310: making the missing directories of a mount point followed links of a shared volume out of the root."""
import itertools

from secbox import Canary, all_cases, case, check, equal, main

DEPTH = 4


def volume(box, canary, at, target):
    """/vol, in which the directory number `at` of the path /vol/0/1/2/3 is a link; its missing rest is to be made."""
    for name in ("raced", "raced.old"):
        path = box.top / name
        if path.exists():
            path.rename(box.top / f"used-{at}-{abs(hash(target))}")
    shared = box.top / "raced"
    place = shared
    place.mkdir()
    for number in range(at):
        place = place / str(number)
        place.mkdir()
    (place / str(at)).symlink_to(target)
    return shared


def attempt(box, canary, what):
    """It may start or be refused; the host stays as it was."""
    done = box.args("true").run(ok=None)
    check(done.returncode == 0 or done.stderr.strip(), f"{what}: it failed without a word")
    canary.look(what)
    return done.returncode


def targets(canary):
    return str(canary.dir), "../" * 14 + str(canary.dir)[1:], f"{canary.dir}/not/yet", "/proc/self/root" + str(canary.dir)


@case
def a_link_at_every_part_of_a_destination(box):
    canary, base = Canary(box), list(box.config["mounts"])
    started = 0
    for at, target in itertools.product(range(DEPTH), targets(canary)):
        shared = volume(box, canary, at, target)
        box.config["mounts"] = list(base)
        box.mount("/vol", "bind", shared, "rbind")
        path = "/vol/" + "/".join(map(str, range(DEPTH)))
        box.mount(path, "tmpfs", "tmpfs").mount(path + "-file", "bind", canary.dir / "sub" / "inner", "ro")
        started += attempt(box, canary, f"part {at} -> {target}") == 0
    check(started >= DEPTH, f"only {started} have started")


@case
def what_links_name_is_made_within_the_root(box):
    """It is not by refusing all links that the host is safe."""
    canary = Canary(box)
    box.mount("/vol", "bind", volume(box, canary, 0, str(canary.dir)), "rbind").mount("/vol/0/made", "tmpfs", "tmpfs", "size=64k")
    equal(box.output(f"test -d {canary.dir}/made && grep -c ' {canary.dir}/made ' /proc/self/mountinfo"), "1")
    check((box.rootfs / str(canary.dir)[1:] / "made").is_dir(), "not within the root")
    canary.look("a link")


@case
def whatever_else_is_made(box):
    """Working directory, devices, cgroup hierarchies, a tmpfs with a copy."""
    canary, base = Canary(box), list(box.config["mounts"])
    for target in targets(canary):
        box.config["mounts"] = list(base)
        box.mount("/vol", "bind", volume(box, canary, 0, target), "rbind")
        box.process["cwd"] = "/vol/0/cwd"
        attempt(box, canary, f"cwd -> {target}")
        box.process["cwd"] = "/"
        box.linux["devices"] = [{"path": "/vol/0/dev/zero", "type": "c", "major": 1, "minor": 5}]
        attempt(box, canary, f"device -> {target}")
        box.linux["devices"] = []
        box.mount("/vol/0/cgroup", "cgroup", "cgroup", "ro")
        attempt(box, canary, f"cgroup -> {target}")
        box.config["mounts"].pop()
        box.mount("/vol/0", "tmpfs", "tmpfs", "tmpcopyup")
        attempt(box, canary, f"copy -> {target}")


if __name__ == "__main__":
    main(all_cases(globals()))
