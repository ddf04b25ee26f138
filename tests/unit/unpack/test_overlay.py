#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What the kernel shows of unpacked layers: stacks of layers are mounted with overlayfs and compared
with a plain tree to which the same changes were made; layers are directories, EROFS images, and both.
usage: test_overlay.py TOOL HELPER"""
import ctypes
import json
import os
import stat
import subprocess
import sys
import tempfile

import layers as L
from test_hostile import private_tmpfs
from test_oracle import unpack

# Each stack: layers from the base up, then what must be seen: path -> content, or "dir" and mode.
STACKS = {
    "files": ([
        [L.directory(b"d", mode=0o700), L.entry(b"d/a", b"1"), L.entry(b"d/b", b"2"),
         L.entry(b"keep", b"k"), L.symlink(b"l", b"d")],
        [L.entry(b"d/.wh.a"), L.entry(b"d/c", b"3"), L.entry(b".wh.l")],
        [L.entry(b"d/a", b"new")],
    ], {"d": 0o700, "d/a": b"new", "d/b": b"2", "d/c": b"3", "keep": b"k"}),
    "opaque": ([
        [L.directory(b"d", mode=0o750), L.entry(b"d/a", b"1"), L.directory(b"d/s"),
         L.entry(b"d/s/x", b"x")],
        [L.entry(b"d/n", b"n"), L.entry(b"d/.wh..wh..opq")],
        [L.entry(b"d/s/y", b"y")],
    ], {"d": 0o750, "d/n": b"n", "d/s": 0o755, "d/s/y": b"y"}),
    "replace": ([
        [L.directory(b"d"), L.entry(b"d/a", b"1"), L.entry(b"f", b"f"), L.directory(b"g"),
         L.entry(b"g/h", b"h")],
        [L.entry(b"d", b"file now"), L.directory(b"f", mode=0o711), L.entry(b"f/in", b"in"),
         L.entry(b".wh.g"), L.entry(b"g/other", b"o")],
    ], {"d": b"file now", "f": 0o711, "f/in": b"in", "g": 0o755, "g/other": b"o"}),
    "opaque root": ([
        [L.directory(b"a"), L.entry(b"a/x", b"x"), L.entry(b"b", b"b")],
        [L.entry(b"c", b"c")],
        [L.entry(b".wh..wh..opq"), L.entry(b"a/y", b"y")],
    ], {"a": 0o755, "a/y": b"y"}),
    "links below": ([
        [L.directory(b"bin"), L.entry(b"bin/tool", b"tool", mode=0o755)],
        [L.entry(b"x", b"x")],
        [L.hardlink(b"bin/alias", b"bin/tool")],
    ], {"bin": 0o755, "bin/tool": b"tool", "bin/alias": b"tool", "x": b"x"}),
}


def view(top):
    seen = {}
    for root, dirs, files in os.walk(top):
        for name in dirs + files:
            path = os.path.join(root, name)
            st = os.lstat(path)
            if stat.S_ISDIR(st.st_mode):
                what = stat.S_IMODE(st.st_mode)
            elif stat.S_ISREG(st.st_mode):
                with open(path, "rb") as f:
                    what = f.read()
            else:
                what = oct(st.st_mode)
            seen[os.path.relpath(path, top)] = what
    return seen


def show(top, dirs):
    """The merged tree of the directories, topmost first."""
    libc = ctypes.CDLL(None, use_errno=True)
    merged = os.path.join(top, "merged")
    os.makedirs(merged, exist_ok=True)
    lower = ":".join(dirs + ([os.path.join(top, "empty")] if len(dirs) == 1 else []))
    os.makedirs(os.path.join(top, "empty"), exist_ok=True)
    if libc.mount(b"overlay", merged.encode(), b"overlay", 0, ("lowerdir=" + lower).encode()) != 0:
        raise OSError(ctypes.get_errno(), "mounting an overlay")
    try:
        return view(merged)
    finally:
        libc.umount2(merged.encode(), 0)


def unpack_image(tool, helper, blob, place, lowers):
    """As unpack, but the layer is an image, mounted at `place`."""
    args = [tool, helper, "none", str(1 << 40), "1000000", "1", f"erofs:{place}.erofs", *(lowers or ["-"])]
    done = subprocess.run(args, input=blob, stdout=subprocess.PIPE, timeout=120, check=False)
    result = json.loads(done.stdout)
    if result["code"] == "OK":
        os.mkdir(place)
        subprocess.run(["mount", "-t", "erofs", "-o", "ro,loop", place + ".erofs", place], check=True)
    return result


def check(tool, helper, top, name, stack, wanted, image):
    """`image`: which layers are images."""
    dirs = []
    for i, parts in enumerate(stack):
        place = os.path.join(top, f"{name.replace(' ', '-')}-{image.__name__}-{i}")
        make = unpack_image if image(i) else unpack
        result = make(tool, helper, L.tar(*parts), place, lowers=dirs)
        if result["code"] != "OK":
            return [f"{name}: layer {i}: {result['message']}"]
        dirs.insert(0, place)
    try:
        seen = show(top, dirs)
    finally:
        for i, place in enumerate(reversed(dirs)):
            if image(i):
                subprocess.run(["umount", place], check=True)
    return [f"{name}: {p}: {seen.get(p)!r}, not {wanted.get(p)!r}"
            for p in sorted(set(seen) | set(wanted)) if seen.get(p) != wanted.get(p)]


def no_image(_i):
    return False


def all_images(_i):
    return True


def mixed(i):
    return i % 2 == 1


def main():
    tool, helper = sys.argv[1:3]
    top = tempfile.mkdtemp(prefix="zl-overlay-")
    wrong = []
    try:
        private_tmpfs(top)
        for image in (no_image, all_images, mixed):
            for name, (stack, wanted) in STACKS.items():
                wrong += check(tool, helper, top, name, stack, wanted, image)
    finally:
        ctypes.CDLL(None).umount2(top.encode(), 0)
        os.rmdir(top)
    print("\n".join(wrong) or "overlayfs shows what the layers say")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
