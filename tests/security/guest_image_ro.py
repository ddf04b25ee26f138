#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""CVE-2020-2023, CVE-2020-2025, CVE-2020-2026, GHSA-wwj6-vghv-5p64 (Kata): a guest that wrote to the image that all
machines share. QEMU has it open for reading only, whatever the guest does, and it has the same bytes afterwards."""
import hashlib
import os
import pathlib
import re

from nodebox import HELLO, VmNode, check, equal, main, processes

# Every number that a disk may have there, as root with all capabilities and without a filter.
HOSTILE = ("mkdir -p /tmp; n=0; for major in 8 179 $(seq 240 259); do for minor in 0 1 16 32; do mknod /tmp/d b $major $minor && n=$((n+1)); "
           "dd if=/dev/zero of=/tmp/d bs=4096 count=64 conv=notrunc,nocreat 2>/dev/null && echo wrote $major:$minor; rm -f /tmp/d; done; done; "
           "for f in /sys/block/*/ro; do (echo 0 > $f) 2>/dev/null && echo opened $f; done; mount -o remount,rw / 2>/dev/null; echo made $n")


def hashes(root):
    """{file: digest} of what machines share: images, kernels, templates."""
    found = {}
    for folder in ("images", "layers", "vm", "templates", "pool"):
        for path in (root / folder).rglob("*"):
            if path.is_file() and not path.is_symlink() and re.search(r"\.(erofs|img|ext4)$|/(image|kernel|initrd)", str(path)):
                found[str(path)] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found


def machines():
    return [pathlib.Path("/proc", str(pid)) for pid, name in processes().items() if name.startswith("qemu-system")]


def images_of(process):
    """{path: access mode} of what a QEMU has open."""
    found = {}
    for fd in (process / "fd").iterdir():
        target = os.readlink(fd)
        if ".erofs" in target or "/images/" in target or "kernel" in target or "initrd" in target:
            flags = int(re.search(r"flags:\s+(\d+)", (process / "fdinfo" / fd.name).read_text()).group(1), 8)
            found[target] = flags & os.O_ACCMODE
    return found


def the_image_of_machines():
    with VmNode() as node:
        node.settings("{ memory: 64Mi, scratch_size: 64Mi }")
        node.zlayer("run", "-d", "--isolation", "hyperv", "--name", "box", "--cap-add", "ALL", "--security-opt", "seccomp=unconfined", HELLO,
                    "sleep", "1000", timeout=300)
        before = hashes(node.root)
        check(before, f"no image was found: {sorted(p.name for p in node.root.iterdir())}")
        seen = {}
        for process in machines():
            seen.update(images_of(process))
        check(seen, "no machine has an image")
        equal({path for path, mode in seen.items() if mode != os.O_RDONLY}, set(), "open for writing")
        said = node.zlayer("exec", "box", "sh", "-c", HOSTILE, timeout=120).stdout
        print(f"# {said.split()}")
        check("made " in said and "wrote" not in said and "opened" not in said, said)
        equal(node.zlayer("exec", "box", "cat", "/www/index.html", timeout=120).stdout, "Hello from the web service of zlayer\n")
        now = hashes(node.root)
        equal({path: now.get(path) for path in before}, before, "images")
        node.zlayer("rm", "-f", "box", timeout=120)


if __name__ == "__main__":
    main(the_image_of_machines)
