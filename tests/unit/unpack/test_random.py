#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Random layers, through the directory sink, the EROFS sink and, where their archive is one that all
programs read alike, GNU tar. All trees must be the same: types, modes, owners, times, attributes,
links, devices, content. What one sink refuses the other refuses as well.
usage: test_random.py TOOL HELPER
environment: ZL_TEST_ITERATIONS (default 40), ZL_TEST_SEED (default: random, printed), ZL_TEST_JOBS (1)"""
import ctypes
import json
import multiprocessing
import os
import random
import shutil
import stat
import subprocess
import sys
import tempfile

import erofs_reader
import layers as L
import test_oracle as T

CAPS = T.CAPS


def private_tmpfs(path):
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(0x20000) or libc.mount(b"none", b"/", None, 0x44000, None) or \
            libc.mount(b"tmpfs", path.encode(), b"tmpfs", 0, None):
        sys.exit("test_random.py: " + os.strerror(ctypes.get_errno()))


class Maker:
    """One archive. `plain`: every name once, parents first, no whiteouts."""

    def __init__(self, rng, plain):
        self.rng, self.plain = rng, plain
        self.parts, self.dirs, self.files, self.names = [], [b""], [], set()

    def name(self):
        r = self.rng
        kind = r.random()
        if kind < 0.7:
            return bytes(r.choice(b"abcdefgh!+-~._") for _ in range(r.randint(1, 3))).strip(b".") or b"x"
        if kind < 0.95:
            return b"n%d" % r.randrange(1000)
        return b"long" * r.randint(10, 63)

    def path(self):
        for _ in range(20):
            parent = self.rng.choice(self.dirs)
            if not self.plain and self.rng.random() < 0.15:
                parent = self.rng.choice([b"", b"a/", b"link/", b"a/b/", b"lower/", b"lower/sub/"])
            path = parent + self.name()
            if path not in self.names or not self.plain:
                break
        else:
            path = parent + b"u%d" % len(self.names)
        self.names.add(path)
        return path

    def attrs(self, special=True):
        r = self.rng
        mode = r.choice([0o644, 0o755, 0o600, 0o1777, 0o4755, 0o2755, 0])
        return {"mode": mode if special else mode & 0o777, "uid": r.choice([0, 0, 1, 1000, 70000, 2**32 - 2]),
                "gid": r.choice([0, 0, 5, 65534, 3000000000])}

    def head(self, path, xattrs=False, caps=False, link=None):
        """PAX records for names, times and attributes."""
        r = self.rng
        records = [("path", path), *([("linkpath", link)] if link else []), ("mtime", "%d.%09d" % (r.randrange(2**31), r.randrange(10**9)))]
        if xattrs and r.random() < 0.3:
            for _ in range(r.choice([1, 1, 2, 9])):
                value = r.randbytes(r.choice([0, 1, 3, 40, 1000]))
                records.append(("SCHILY.xattr.user.k%d" % r.randrange(99), value))
        if caps and r.random() < 0.1:
            records.append(("SCHILY.xattr.security.capability", CAPS))
        if not self.plain and r.random() < 0.1:
            records.append(("SCHILY.xattr.trusted.overlay.redirect", "/etc"))
        unique = dict(records)
        self.parts.append(L.pax(list(unique.items())))

    def add_dir(self):
        path = self.path()
        self.head(path, xattrs=True, caps=not self.plain)
        self.parts.append(L.directory(path, **self.attrs()))
        self.dirs.append(path + b"/")

    def add_file(self):
        r, path = self.rng, self.path()
        size = r.choice([0, 1, 100, r.randrange(4096), 3900, 4031, 4032, 4033, 4095, 4096, 4097, r.randrange(60000)])
        data = r.randbytes(size) if r.random() < 0.7 else bytes(size)
        self.head(path, xattrs=True, caps=True)
        self.parts.append(L.entry(path, data, **self.attrs()))
        self.files.append(path)

    def add_link(self):
        target = self.rng.choice([b"a", b"/etc/passwd", b"../x", b"b/c", b"t" * 99, b"."])
        if self.plain or self.rng.random() < 0.7:
            path = self.path()
        else:
            path = b"link"
        a = self.attrs()
        self.head(path, link=target)
        self.parts.append(L.symlink(path, target, uid=a["uid"], gid=a["gid"]))

    def add_hardlink(self):
        if self.plain and not self.files:
            return
        target = self.rng.choice(self.files or [b"absent"])
        if not self.plain and self.rng.random() < 0.2:
            target = self.rng.choice([b"lower/tool", b"lower/sub/deep", b"lower/soft", b"absent", b"a"])
        path = self.path()
        self.head(path, link=target)
        self.parts.append(L.hardlink(path, target))

    def add_special(self):
        path, r = self.path(), self.rng
        self.head(path)
        kind = r.choice([b"3", b"4", b"6"])
        numbers = {} if kind == b"6" else {"major": r.randint(1, 4095), "minor": r.choice([0, 255, 256, 1048575])}
        self.parts.append(L.entry(path, kind=kind, **numbers, **self.attrs(special=False)))

    def add_whiteout(self):
        parent, _, name = self.path().rpartition(b"/")
        hidden = b".wh..wh..opq" if self.rng.random() < 0.3 else b".wh." + name
        path = (parent + b"/" if parent else b"") + hidden
        self.head(path)
        self.parts.append(L.entry(path))

    def make(self):
        r = self.rng
        if self.plain or r.random() < 0.5:
            self.head(b"./", xattrs=True)
            self.parts.append(L.directory(b"./", **self.attrs()))
        actions = [self.add_file] * 6 + [self.add_dir] * 3 + [self.add_link, self.add_hardlink, self.add_special]
        if not self.plain:
            actions += [self.add_whiteout] * 2 + [self.add_hardlink]
        for _ in range(r.choice([0, 1, 3, 12, 12, 40, 150])):
            r.choice(actions)()
        if r.random() < 0.05:
            for name in [b"big/"] + [b"big/file with a name %05d" % i for i in range(700)]:
                self.head(name)
                self.parts.append(L.directory(name) if name == b"big/" else L.entry(name, b"x"))
        return L.tar(*self.parts)


def groups(top):
    """The names of each file that has several."""
    found = {}
    for root, dirs, files in os.walk(top):
        for name in dirs + files:
            path = os.path.join(root, name)
            st = os.lstat(path)
            if stat.S_ISDIR(st.st_mode):
                continue
            found.setdefault((st.st_dev, st.st_ino), []).append(os.path.relpath(path, top))
    return sorted(sorted(p) for p in found.values() if len(p) > 1)


def settle(tree):
    """Whiteouts have no attributes that mean anything."""
    for entry in tree.values():
        if entry["type"] == stat.S_IFCHR and entry["rdev"] == 0:
            entry.update(mtime=0, mode=0, uid=0, gid=0)
    return tree


def without_whiteouts(names, tree):
    return [g for g in names if not (tree[g[0]]["type"] == stat.S_IFCHR and tree[g[0]]["rdev"] == 0)]


def unpack(tool, helper, archive, staging, lower):
    args = [tool, helper, "none", str(1 << 30), "100000", "1", staging, lower or "-"]
    with open(archive, "rb") as stdin:
        done = subprocess.run(args, stdin=stdin, stdout=subprocess.PIPE, timeout=120, check=False)
    return json.loads(done.stdout)


LOWER = L.tar(
    L.pax([("SCHILY.xattr.user.a", "1")]), L.directory(b"lower", mode=0o750, uid=7, gid=8, mtime=111),
    L.directory(b"lower/sub", mode=0o1777, mtime=222), L.directory(b"a", mode=0o711, uid=3),
    L.pax([("SCHILY.xattr.security.capability", CAPS), ("SCHILY.xattr.user.b", "2")]),
    L.entry(b"lower/tool", b"t" * 10000, mode=0o4755, uid=3, mtime=333),
    L.entry(b"lower/sub/deep", b"d", mode=0o600), L.symlink(b"lower/soft", b"tool", uid=4))


def check(tool, helper, top, seed, lower, refused):
    rng = random.Random(seed)
    maker = Maker(rng, plain=rng.random() < 0.5)
    below = None if maker.plain or rng.random() < 0.3 else lower
    archive, image, folder, again = (os.path.join(top, n) for n in ("archive", "image", "folder", "again"))
    with open(archive, "wb") as f:
        f.write(maker.make())
    os.mkdir(folder, 0o700)
    a = unpack(tool, helper, archive, folder, below)
    b = unpack(tool, helper, archive, "erofs:" + image, below)
    if a["code"] != b["code"]:
        return [f"directory: {a['code']} {a['message']}; image: {b['code']} {b['message']}"]
    if a["code"] != "OK":
        refused.append(a["message"])
        return ["plain: refused: " + a["message"]] if maker.plain else []
    wrong = [f"{k}: {a[k]} not {b[k]}" for k in ("diff_id", "bytes", "entries", "skipped", "implicit", "root_entry")
             if a[k] != b[k] and not (k == "implicit" and a["deferred"])]
    reader = erofs_reader.Image(image)
    ours, theirs = settle(reader.tree()), settle(T.tree(folder))
    wrong += T.compare("directory", ours, theirs)
    if without_whiteouts(reader.groups(), ours) != without_whiteouts(groups(folder), theirs):
        wrong.append(f"hard links: {reader.groups()} not {groups(folder)}")
    fsck = subprocess.run(["fsck.erofs", image], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    if fsck.returncode != 0 or b"<E>" in fsck.stdout:
        wrong.append("fsck.erofs: " + fsck.stdout.decode(errors="replace"))
    unpack(tool, helper, archive, "erofs:" + again, below)
    with open(image, "rb") as f, open(again, "rb") as g:
        if f.read() != g.read():
            wrong.append("the same layer made two different images")
    if maker.plain:
        reference = os.path.join(top, "reference")
        os.mkdir(reference)
        subprocess.run(["tar", "-xpf", archive, "--same-owner", "--numeric-owner", "--delay-directory-restore",
                        "--xattrs", "--xattrs-include=*", "-C", reference], stderr=subprocess.DEVNULL, check=True)
        wrong += T.compare("tar", ours, T.tree(reference))
    return wrong


def try_seed(tool, helper, base, seed, refused):
    top = os.path.join(base, "work")
    os.mkdir(top)
    try:
        wrong = check(tool, helper, top, seed, os.path.join(base, "lower"), refused)
    except erofs_reader.Wrong as why:
        wrong = [f"reader: {why}"]
    for text in wrong[:10]:
        print(f"# seed {seed}: {text}", flush=True)
    shutil.rmtree(top)
    return bool(wrong)


def run_chunk(tool, helper, base, seeds):
    """(differ, refused) of these seeds, on a tmpfs that goes with this process."""
    private_tmpfs(base)
    lower, archive = os.path.join(base, "lower"), os.path.join(base, "lower.tar")
    os.mkdir(lower, 0o700)
    with open(archive, "wb") as f:
        f.write(LOWER)
    unpack(tool, helper, archive, lower, None)
    refused = []
    failed = sum(try_seed(tool, helper, base, seed, refused) for seed in seeds)
    return failed, len(refused)


def main():
    tool, helper = map(os.path.abspath, sys.argv[1:3])
    iterations = int(os.environ.get("ZL_TEST_ITERATIONS", "40"))
    first = int(os.environ.get("ZL_TEST_SEED", random.SystemRandom().randrange(2**32)))
    jobs = int(os.environ.get("ZL_TEST_JOBS", "1"))
    print(f"# ZL_TEST_SEED={first} ZL_TEST_ITERATIONS={iterations}", flush=True)
    base = tempfile.mkdtemp(prefix="zl-random-")
    chunks = [range(first + i, first + iterations, jobs) for i in range(jobs)]
    # A process for each chunk alone: a mount namespace cannot be left again.
    with multiprocessing.Pool(jobs, maxtasksperchild=1) as pool:
        done = pool.starmap(run_chunk, [(tool, helper, base, chunk) for chunk in chunks], chunksize=1)
    os.rmdir(base)
    failed, refused = (sum(column) for column in zip(*done))
    # Layers that are all refused would show nothing.
    failed += iterations >= 20 and refused > iterations // 2
    print(f"{'not ok' if failed else 'ok'} 1 - {iterations} random layers, {refused} refused by both sinks, "
          f"{failed} differ")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
