#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Kernels, and filters around the runtime, that do not have one of the newer system calls.

Those that zlayer can do without change nothing. Of the others each command either does its whole work, or says
which call is missing and what is needed; then nothing is half-made, and the same command works when the call is there."""
from ocibox import all_cases, case, check, contains, equal, main

NEEDED = ("clone3", "close_range", "execveat", "fsconfig", "fsmount", "fsopen", "mount_setattr", "move_mount", "open_tree",
          "openat2", "pidfd_open", "pidfd_send_signal")
NOT_NEEDED = ("memfd_create", "pidfd_getfd", "renameat2", "statx")


def furnish(box):
    """Something of everything that these calls are for."""
    (box.top / "volume").mkdir()
    box.mount("/volume", None, box.top / "volume", "rbind", "rro").mount("/made/tmp", "tmpfs", "tmpfs", "mode=700")


def attempt(box, *args):
    """The command without the call: whether it did its work. Otherwise it must have said why."""
    done = box.oci(*args, ok=None)
    if done.returncode != 0:
        contains(done.stderr, f"(missing here: {box.missing}; zlayer needs Linux 5.15 or later", f"{args[0]}: message")
    return done.returncode == 0


def gone(box):
    return box.id not in box.states() and not box.cgroups() and not box.pids()


def making(box):
    furnish(box)
    box.script("echo made; exit 3")
    box.write_config()
    done = box.oci("run", "--bundle", box.bundle, box.id, ok=None)
    if done.returncode == 3:
        equal(done.stdout, "made\n")
    else:
        equal(done.returncode, 1)
        contains(done.stderr, f"(missing here: {box.missing}; zlayer needs Linux 5.15 or later", "run: message")
    left, box.missing = not gone(box), None
    if left:  # what could not be killed without the call
        box.delete("--force")
    check(gone(box), "something is left of a container that was refused")
    equal(box.run(ok=3).stdout, "made\n")
    return done.returncode == 3, left


def using(box, call):
    furnish(box)
    box.args("sleep", "1000").detach()
    box.missing = call
    if attempt(box, "exec", box.id, "sh", "-c", "echo x >/tmp/was-here"):
        check((box.rootfs / "tmp" / "was-here").exists(), "exec has told of work that it did not do")
    if attempt(box, "pause", box.id):
        equal(status(box, call), "paused")
    if attempt(box, "resume", box.id):
        equal(status(box, call), "running")
    attempt(box, "ps", box.id)
    attempt(box, "list")
    attempt(box, "state", box.id)
    attempt(box, "update", "--pids-limit", "77", box.id)
    check(box.pids(), "the container has died of a command that was to leave it alive")
    if attempt(box, "kill", box.id, "KILL"):
        box.missing = None
        box.wait_status("stopped")
        box.missing = call
    if attempt(box, "delete", "--force", box.id):
        check(gone(box), "delete has told of work that it did not do")
    box.missing = None
    box.delete("--force")
    check(gone(box), "something is left")


def status(box, call):
    box.missing = None
    found = box.status()
    box.missing = call
    return found


def add(name, body):
    def run(box):
        body(box)
    run.__name__ = name
    globals()[name] = case(run)


def making_without(call, needed):
    def run(box):
        box.missing = call
        works, left = making(box)
        check(works or needed, f"{call} is one that can be done without")
        check(not left or call.startswith("pidfd_"), "a refused container has left something")
    return run


for name in NEEDED + NOT_NEEDED:
    add(f"making_without_{name}", making_without(name, name in NEEDED))
    add(f"using_without_{name}", lambda box, call=name: using(box, call))


@case
def starting_without_openat2_what_was_made_with_it(box):
    box.args("sleep", "1000").create()
    box.missing = "openat2"
    started = attempt(box, "start", box.id)
    box.missing = None
    equal(box.status(), "running" if started else "created")


@case
def two_that_are_missing_are_both_named(box):
    box.missing = "openat2,move_mount"
    box.refused("missing here: move_mount, openat2;")
    box.missing = None


if __name__ == "__main__":
    main(all_cases(globals()))
