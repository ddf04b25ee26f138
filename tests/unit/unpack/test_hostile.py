#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Unpacks every hostile layer with the real helper beside a canary tree.
usage: test_hostile.py TOOL HELPER memory|disk|image [CASE...]
memory: all of them on a tmpfs of its own; disk: those about places on the file system of $TMPDIR;
image: all of them, made into EROFS images"""
import ctypes
import hashlib
import json
import os
import shutil
import stat
import subprocess
import sys
import tempfile
import time

import hostile

SECONDS = 20.0 * float(os.environ.get("ZL_TEST_SLOW", "1"))  # of a busy machine
# Resident memory of helper and tool: small, except where a format itself asks for a window.
RSS_KIB = 48 << 10
RSS_ZSTD_KIB = (128 << 10) + RSS_KIB


def attributes(path):
    return tuple((name, os.getxattr(path, name, follow_symlinks=False))
                 for name in os.listxattr(path, follow_symlinks=False))


def snapshot(top):
    """All that an attack could change about a tree, access times aside."""
    seen = {}
    for root, dirs, files in os.walk(top):
        for path in [root] + [os.path.join(root, n) for n in dirs + files]:
            st = os.lstat(path)
            content = b""
            if stat.S_ISREG(st.st_mode):
                with open(path, "rb") as f:
                    content = hashlib.sha256(f.read()).digest()
            seen[path] = (st.st_ino, st.st_mode, st.st_uid, st.st_gid, st.st_nlink, st.st_mtime_ns,
                          st.st_ctime_ns, content, attributes(path))
    return seen


def make_canary(top):
    os.makedirs(os.path.join(top, "dir/sub"))
    for name in ("file", "dir/inner"):
        with open(os.path.join(top, name), "w") as f:
            f.write("canary " + name)
        os.chmod(os.path.join(top, name), 0o600)
        os.setxattr(os.path.join(top, name), "trusted.canary", b"as it was")
    os.link(os.path.join(top, "file"), os.path.join(top, "second name"))
    os.chown(os.path.join(top, "dir/inner"), 7, 8)
    os.symlink("file", os.path.join(top, "link"))


def describe(path):
    st = os.lstat(path)
    if stat.S_ISDIR(st.st_mode):
        return "opaque" if "trusted.overlay.opaque" in os.listxattr(path) else "dir"
    if stat.S_ISCHR(st.st_mode):
        return "whiteout" if st.st_rdev == 0 else "char"
    kinds = ((stat.S_ISREG, "file"), (stat.S_ISLNK, "link"), (stat.S_ISFIFO, "fifo"),
             (stat.S_ISBLK, "block"))
    return next(name for test, name in kinds if test(st.st_mode))


def unpack(tool, helper, blob, staging, compression="none", max_bytes=1 << 30, max_entries=200000,
           lowers=()):
    args = [tool, helper, compression, str(max_bytes), str(max_entries), "0", staging, *lowers]
    done = subprocess.run(args, input=blob, stdout=subprocess.PIPE, timeout=60, check=False)
    return json.loads(done.stdout)


class Failure(Exception):
    pass


def expect(condition, text):
    if not condition:
        raise Failure(text)


def check_tree(case, staging):
    for path, what in case.tree.items():
        real = os.path.join(staging, path)
        expect(os.path.lexists(real), f"{path!r} is missing")
        expect(describe(real) == what, f"{path!r} is {describe(real)}, not {what}")
    for path in case.absent:
        expect(not os.path.lexists(os.path.join(staging, path)), f"{path!r} exists")
    for path, names in case.xattrs.items():
        have = os.listxattr(os.path.join(staging, path), follow_symlinks=False)
        expect(sorted(have) == sorted(names), f"{path!r} has attributes {have}")


def private_tmpfs(path):
    """A tmpfs that only this process and its children see, and that goes with them."""
    libc = ctypes.CDLL(None, use_errno=True)
    new_ns, recursive_private = 0x00020000, 0x4000 | 0x40000

    def check(result):
        if result != 0:
            raise OSError(ctypes.get_errno(), "making a private tmpfs")

    check(libc.unshare(new_ns))
    check(libc.mount(None, b"/", None, recursive_private, None))
    check(libc.mount(b"tmpfs", path.encode(), b"tmpfs", 0, b"size=512m,nr_inodes=500000"))


def children():
    me = os.getpid()
    with open(f"/proc/{me}/task/{me}/children") as f:
        return f.read().split()


def mounted(image, target):
    """Mounts an image that was made, so that the same questions can be asked of it."""
    os.mkdir(target)
    subprocess.run(["fsck.erofs", image], stdout=subprocess.DEVNULL, check=True)
    subprocess.run(["mount", "-t", "erofs", "-o", "ro,loop", image, target], check=True)


def run_case(tool, helper, case, base, image=False):
    staging, canary = os.path.join(base, "staging"), os.path.join(base, "canary")
    lowers = ["-"] if image else []
    os.mkdir(staging, 0o700)
    if case.lower:
        lower = os.path.join(base, "lower")
        os.mkdir(lower, 0o700)
        expect(unpack(tool, helper, case.lower, lower)["code"] == "OK", "the lower layer failed")
        lowers = [lower]
    before = snapshot(canary)
    mounts = open("/proc/self/mountinfo").read()
    start = time.monotonic()
    place = f"erofs:{staging}/image" if image else staging
    result = unpack(tool, helper, case.blob, place, case.compression, case.max_bytes,
                    case.max_entries, lowers)
    took = time.monotonic() - start
    expect(result["code"] in case.code.split(" or "), f"{result['code']} ({result['message']}), not {case.code}")
    expect(case.says in result["message"], f"message {result['message']!r}")
    if case.code == "OK":
        digest = "sha256:" + hashlib.sha256(decoded(case)).hexdigest()
        expect(result["diff_id"] == digest, "wrong diff id")
        if image:
            mounted(os.path.join(staging, "image"), os.path.join(staging, "tree"))
        try:
            check_tree(case, os.path.join(staging, "tree") if image else staging)
        finally:
            if image:
                subprocess.run(["umount", os.path.join(staging, "tree")], check=True)
    if image:
        expect(set(os.listdir(staging)) <= {"image", "tree"}, "something appeared beside the image")
    expect(snapshot(canary) == before, "THE CANARY WAS TOUCHED")
    expect(sorted(os.listdir(base)) == sorted(["canary", "staging"] + ["lower"] * bool(case.lower)),
           f"something appeared beside the staging directory: {os.listdir(base)}")
    expect(not os.path.lexists("/zl-pwned") and not os.path.lexists("/etc/zl-pwned"), "ESCAPED")
    expect(open("/proc/self/mountinfo").read() == mounts, "a mount was left")
    expect(not children(), "a process was left")
    expect(took < SECONDS, f"took {took:.1f} s")
    bound = RSS_ZSTD_KIB if case.compression == "zstd" else RSS_KIB
    if "ZL_TEST_SANITIZED" not in os.environ:
        expect(result["maxrss_kib"] < bound, f"{result['maxrss_kib']} KiB resident")
    return took


def decoded(case):
    """The uncompressed stream, by somebody else's decoder."""
    if case.compression == "none":
        return case.blob
    if case.compression == "gzip":
        import gzip
        return gzip.decompress(case.blob)
    return subprocess.run(["zstd", "-dc"], input=case.blob, stdout=subprocess.PIPE,
                          check=True).stdout


def good_after(tool, helper, base):
    """Whatever happened before, the next layer is none the worse for it."""
    staging = os.path.join(base, "good")
    os.mkdir(staging, 0o700)
    result = unpack(tool, helper, hostile.good_layer(), staging, "gzip")
    expect(result["code"] == "OK", f"a good layer fails afterwards: {result['message']}")
    expect(os.stat(os.path.join(staging, "bin/sh")).st_nlink == 2, "hard link lost")
    shutil.rmtree(staging)


def main():
    tool, helper, where, wanted = sys.argv[1], sys.argv[2], sys.argv[3], sys.argv[4:]
    failed = ran = 0
    slowest = (0.0, "")
    top = tempfile.mkdtemp(prefix="zl-hostile-")
    groups = hostile.PLACES + (hostile.BYTES if where != "disk" else ())
    try:
        if where != "disk":
            private_tmpfs(top)
        canary = os.path.join(top, "w", "canary")
        for case in hostile.all_cases(canary, groups):
            if wanted and case.name not in wanted:
                continue
            base = os.path.join(top, "w")
            make_canary(canary)
            try:
                ran += 1
                slowest = max(slowest, (run_case(tool, helper, case, base, where == "image"), case.name))
                good_after(tool, helper, base)
            except Failure as why:
                failed += 1
                print(f"FAIL {case.name}: {why}", flush=True)
            shutil.rmtree(base)
    finally:
        if where != "disk":
            ctypes.CDLL(None).umount(top.encode())
        shutil.rmtree(top, ignore_errors=True)
    print(f"{ran} hostile layers, {failed} failed, slowest {slowest[1]} {slowest[0]:.2f} s")
    return 1 if failed or not ran else 0


if __name__ == "__main__":
    sys.exit(main())
