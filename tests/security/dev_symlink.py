#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""CVE-2026-41579 (runc), CVE-2026-47766 (crun): an image whose /dev is a link has nodes and links made on the host."""
import shutil

from secbox import Canary, all_cases, case, check, equal, main

LINKS = ("dev", "proc", "sys", "etc", "run", "dev/pts", "dev/shm", "sys/fs/cgroup", "dev/null", "dev/fd", "dev/console", "etc/passwd")
MUST_FAIL = ("dev", "proc", "sys")


def plant(box, name, target):
    path = box.rootfs / name
    shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink(missing_ok=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(target)


def attempt(box, name):
    """Whatever comes of it; the home directory that the host's canary would name is not taken."""
    done = box.script("echo $HOME").run(ok=None)
    check(done.returncode == 0 or done.stderr.strip(), "it failed without a word")
    check("/canary" not in done.stdout, f"{name}: the host's passwd has been read: {done.stdout}")
    return done


def sweep(box, targets=1):
    canary = Canary(box)
    box.mount("/run/below", "tmpfs", "tmpfs").mount("/etc/hosts", "bind", canary.dir / "sub" / "inner", "ro")
    shutil.copytree(box.rootfs, box.top / "fresh", symlinks=True)
    ways = str(canary.dir), "../" * 12 + str(canary.dir)[1:], "/proc/self/root" + str(canary.dir), "/proc/self/cwd"
    for target in ways[:targets]:
        for name in LINKS:
            shutil.rmtree(box.rootfs)
            shutil.copytree(box.top / "fresh", box.rootfs, symlinks=True)
            plant(box, name, target)
            done = attempt(box, name)
            if name in MUST_FAIL:
                check(done.returncode != 0, f"/{name} -> {target}: it has started")
            canary.look(f"/{name} -> {target}")


@case
def links_in_place_of_system_directories(box):
    sweep(box, targets=4)


@case
def without_a_mount_on_dev(box):
    """Nodes and links are made in the image's own /dev."""
    box.config["mounts"] = [m for m in box.config["mounts"] if not m["destination"].startswith("/dev")]
    sweep(box)


@case
def in_a_user_namespace(box):
    """Nodes are bound there, on files that are made for them."""
    box.user_namespace()
    sweep(box)


@case
def before_hooks(box):
    """The root is changed after the mounts and nodes have been made."""
    box.config["hooks"] = {"createContainer": [{"path": "/bin/true"}]}
    sweep(box)


@case
def devices_at_links(box):
    """A device of the document whose directory is a link to the host."""
    canary = Canary(box)
    for target in (str(canary.dir), "../" * 12 + str(canary.dir)[1:]):
        plant(box, "nodes", target)
        box.linux["devices"] = [{"path": "/nodes/deep/zero", "type": "c", "major": 1, "minor": 5, "fileMode": 0o666}]
        equal(box.output("stat -c %t:%T /nodes/deep/zero"), "1:5", target)
        canary.look(target)
    plant(box, "elsewhere", canary.dir / "null")
    box.linux["devices"][0]["path"] = "/elsewhere"
    attempt(box, "elsewhere")
    canary.look("a node in place of a link")


if __name__ == "__main__":
    main(all_cases(globals()))
