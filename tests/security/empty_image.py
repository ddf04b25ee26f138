#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""CVE-2026-24054 (Kata): an image without layers, whose root was then a disk of the host. Images of nothing are
containers without a program, in a namespace as in a machine."""
import pathlib
import shutil
import tempfile

from nodebox import Node, check, equal, image, layer, main, tree

NOTHING = {
    "no layer": [],
    "a layer of no bytes": [b""],
    "a layer of zeros": [b"\0" * 1024],
    "only whiteouts": [layer({"etc/.wh.passwd": "", ".wh.bin": ""})],
    "a whiteout of all": [layer({".wh..wh..opq": ""})],
    "an empty directory": [layer({"dir/": ""})],
    "twice nothing": [b"\0" * 1024, b"\0" * 1024],
}


def try_all(*options):
    etc = tree("/etc")
    with Node() as node:
        for name, layers in NOTHING.items():
            with image(layers=layers) as ref:
                for words in (["/bin/sh", "-c", "ls /"], ["sh"], ["/etc/passwd"]):
                    done = node.zlayer("run", "--rm", *options, "-w", "/", ref, *words, ok=None, timeout=200)
                    check(done.returncode in (125, 126, 127) and done.stdout == "", f"{name}: {words}: exit {done.returncode}: {done.stdout[:200]}")
        equal(node.ids(), [])
        node.expect_no_leaks()
    equal(tree("/etc"), etc, "the host's /etc")


def in_namespaces():
    try_all()


def with_a_volume():
    """The volume is all there is: neither the host's root nor its programs are."""
    with Node() as node, image(layers=[]) as ref:
        done = node.zlayer("run", "--rm", "-v", "/bin/busybox:/busybox:ro", "-w", "/", ref, "/busybox", "ls", "/")
        names = set(done.stdout.split())
        check("busybox" in names and names <= {"busybox", "dev", "etc", "proc", "sys"}, f"{names}")
        check(not pathlib.Path("/busybox").exists(), "made on the host")


def where_there_is_a_directory_of_that_name():
    """The bundle calls its root "rootfs": none that happens to be in the caller's directory, or the shim's."""
    with tempfile.TemporaryDirectory(prefix="zlayer-test-") as top, Node() as node, image(layers=[]) as ref:
        for name in ("rootfs", "upper"):
            shutil.copytree("/bin", pathlib.Path(top, name, "bin"), symlinks=True, ignore=lambda _, names: set(names) - {"busybox"})
        done = node.zlayer("run", "--rm", "-w", "/", ref, "/bin/busybox", "echo", "of the host", ok=None, cwd=top)
        check(done.returncode != 0 and done.stdout == "", f"exit {done.returncode}: {done.stdout}")
        node.expect_no_leaks()


if __name__ == "__main__":
    main(in_namespaces, with_a_volume, where_there_is_a_directory_of_that_name)
