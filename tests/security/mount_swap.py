#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""CVE-2021-30465: what a mount goes on is a link to the host's directory at one instant and a directory at the next."""
from secbox import Canary, Racer, ROUNDS, all_cases, case, check, expect, main, minimal, rounds

LOOK = ["inside", "look", "m: one-mark ", "m: two-mark ", "m: three-mark ", "f:/proc"]
SEEN = "1\n1\n1\n9fa0\n"  # no mount is missing; the magic number of procfs
REFUSED = ("making the mount point", "mounting on")


def met(box, canary):
    """Links were there at the right instant at least once: what they name has been made, within the root."""
    check((box.rootfs / str(canary.dir)[1:] / "sub" / "new").is_dir(), "no round has met a link")


def volume(box):
    """/vol, which is shared with the racer: directories, and links of the same names to the host's canary."""
    canary = Canary(box)
    shared = box.top / "raced"
    shared.mkdir()
    up = "../" * 12
    targets = {"one": canary.dir, "two": up + str(canary.dir)[1:], "three": "/"}
    for name, target in targets.items():
        (shared / name / "sub").mkdir(parents=True)
        (shared / name / "passwd").touch()
        (shared / f"{name}.link").symlink_to(target)
    minimal(box).mount("/vol", "bind", shared, "rbind")
    for name in targets:
        box.mount(f"/vol/{name}/sub/new", "tmpfs", f"{name}-mark", "size=64k")
        box.mount(f"/vol/{name}/passwd", "bind", canary.dir / "sub" / "inner", "ro")
    box.args(*LOOK)
    return canary, [shared / f"{name}{end}" for name in targets for end in ("", ".link")]


@case
def a_destination_that_is_swapped_for_a_link(box):
    canary, pairs = volume(box)
    with Racer("swap", *pairs):
        found = rounds(box, ROUNDS * 3 // 4)
    expect(found, SEEN, *REFUSED)
    met(box, canary)
    canary.look("all rounds")


@case
def the_same_while_hooks_see_the_host(box):
    """With such hooks the root is changed after the mounts have been made."""
    canary, pairs = volume(box)
    box.config["hooks"] = {"createContainer": [{"path": "/bin/true"}]}
    with Racer("swap", *pairs):
        found = rounds(box, ROUNDS // 4)
    expect(found, SEEN, *REFUSED)
    met(box, canary)
    canary.look("all rounds")


@case
def a_link_that_stays(box):
    """Without any race, each of the links in turn."""
    canary, pairs = volume(box)
    for path, link in zip(pairs[::2], pairs[1::2]):
        path.rename(path.with_suffix(".dir"))
        link.rename(path)
        expect(rounds(box, 2), SEEN, *REFUSED, least=0)
    canary.look("links")


if __name__ == "__main__":
    main(all_cases(globals()))
