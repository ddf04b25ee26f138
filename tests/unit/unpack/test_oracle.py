#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Unpacks honest layers with the real helper and compares every entry with what other programs
make of the same archive. usage: test_oracle.py TOOL HELPER"""
import gzip
import hashlib
import io
import json
import os
import shutil
import stat
import subprocess
import sys
import tarfile
import tempfile

import layers as L

CAPS = bytes.fromhex("0100000200200000000000000000000000000000")


def unpack(tool, helper, blob, staging, compression="none", lowers=(), env=None, devices="1"):
    os.mkdir(staging, 0o700)
    args = [tool, helper, compression, str(1 << 40), "1000000", devices, staging, *lowers]
    done = subprocess.run(args, input=blob, stdout=subprocess.PIPE, timeout=120, check=False,
                          env=env)
    return json.loads(done.stdout)


def attributes(path):
    st = os.lstat(path)
    seen = {"type": stat.S_IFMT(st.st_mode), "uid": st.st_uid, "gid": st.st_gid,
            "mtime": st.st_mtime_ns}
    if not stat.S_ISLNK(st.st_mode):
        seen["mode"] = stat.S_IMODE(st.st_mode)
    if stat.S_ISREG(st.st_mode):
        with open(path, "rb") as f:
            seen["content"] = hashlib.sha256(f.read()).hexdigest()
        seen["nlink"] = st.st_nlink
    if stat.S_ISLNK(st.st_mode):
        seen["target"] = os.readlink(path)
    if stat.S_ISCHR(st.st_mode) or stat.S_ISBLK(st.st_mode):
        seen["rdev"] = st.st_rdev
    seen["xattrs"] = {n: os.getxattr(path, n, follow_symlinks=False)
                      for n in os.listxattr(path, follow_symlinks=False)}
    return seen


def tree(top):
    out = {".": attributes(top)}
    for root, dirs, files in os.walk(top):
        for name in dirs + files:
            path = os.path.join(root, name)
            out[os.path.relpath(path, top)] = attributes(path)
    return out


# bsdtar writes the fraction of a time before 1970 as if it counted upwards, and never sets the time
# of the directory that it extracts into.
KNOWN = {("bsdtar", "before 1970"), ("bsdtar", ".")}


def compare(what, ours, theirs):
    wrong = []
    for path in sorted(set(ours) | set(theirs)):
        a, b = ours.get(path), theirs.get(path)
        if a and b and (what, path) in KNOWN:
            a, b = {**a, "mtime": 0}, {**b, "mtime": 0}
        if a != b:
            keys = [k for k in (a or b) if a is None or b is None or a.get(k) != b.get(k)]
            wrong.append(f"{what}: {path!r}: " + ", ".join(
                f"{k}={a and a.get(k)!r} not {b and b.get(k)!r}" for k in keys))
    return wrong


def make_source(top):
    """A tree with one of everything that a layer may hold."""
    def write(path, data, mode=0o644, owner=(0, 0), mtime=1234567890_123456789):
        full = os.path.join(top, path)
        os.makedirs(os.path.dirname(full), exist_ok=True)
        with open(full, "wb") as f:
            f.write(data)
        os.chown(full, *owner)
        os.chmod(full, mode)
        os.utime(full, ns=(mtime, mtime))
        return full

    write("bin/su", b"\x7fELF" + os.urandom(300000), 0o4755)
    write("bin/write", b"tty", 0o2755, (0, 5))
    full = write("bin/ping", b"ping" * 1000, 0o755)
    os.setxattr(full, "security.capability", CAPS)
    full = write("etc/with attributes", b"x")
    os.setxattr(full, "user.mime", b"a\0b\nc=d")
    write("empty", b"", 0o400, (1000, 1000))
    write("before 1970", b"old", mtime=-1500000000)
    write("n" * 150, b"long name")
    write("/".join(["deep%02d" % i for i in range(30)]) + "/" + "leaf" * 30, b"deep")
    write("odd \xe4\u20ac\n'\"\\ name", b"odd")
    write("home/u/.profile", b"p", 0o600, (4000000000, 3000000000))
    os.link(os.path.join(top, "bin/su"), os.path.join(top, "bin/sudo"))
    os.symlink("/etc/passwd", os.path.join(top, "abs link"))
    os.symlink("../" * 40 + "x" * 120, os.path.join(top, "bin/long link"))
    os.link(os.path.join(top, "abs link"), os.path.join(top, "hard to soft"),
            follow_symlinks=False)
    os.mkfifo(os.path.join(top, "fifo"), 0o620)
    os.mknod(os.path.join(top, "tty0"), 0o620 | stat.S_IFCHR, os.makedev(4, 0))
    os.mknod(os.path.join(top, "loop0"), 0o660 | stat.S_IFBLK, os.makedev(7, 300))
    os.mkdir(os.path.join(top, "tmp"))
    os.chmod(os.path.join(top, "tmp"), 0o1777)
    os.mkdir(os.path.join(top, "sgid"))
    os.chown(os.path.join(top, "sgid"), 0, 50)
    os.chmod(os.path.join(top, "sgid"), 0o2775)
    write("sgid/inside", b"x")
    os.mkdir(os.path.join(top, "sgid/dir"), 0o755)
    os.chown(os.path.join(top, "sgid/dir"), 0, 0)
    os.chmod(os.path.join(top, "sgid/dir"), 0o755)
    os.mkdir(os.path.join(top, "closed"), 0)
    with open(os.path.join(top, "sparse"), "wb") as f:
        for at in (0, 1 << 20, 5 << 20):
            f.seek(at)
            f.write(b"block" * 2000)
        f.truncate(7 << 20)
    with open(os.path.join(top, "all hole"), "wb") as f:
        f.truncate(3 << 20)
    for i, (root, dirs, files) in enumerate(os.walk(top, topdown=False)):
        for name in files:
            path = os.path.join(root, name)
            if os.lstat(path).st_mtime > 1.5e9:
                os.utime(path, ns=(0, 1111111111_000000000 + i), follow_symlinks=False)
        os.utime(root, ns=(0, 1400000000_000000000 + i * 1000000000))


GNU_TAR = {
    "gnu": ["--format=gnu"],
    "gnu-sparse": ["--format=gnu", "--sparse"],
    "pax": ["--format=posix", "--xattrs", "--xattrs-include=*"],
    "pax-sparse-0.0": ["--format=posix", "--sparse", "--sparse-version=0.0"],
    "pax-sparse-0.1": ["--format=posix", "--sparse", "--sparse-version=0.1"],
    "pax-sparse-1.0": ["--format=posix", "--sparse", "--sparse-version=1.0"],
}


def archive(source, fmt):
    if fmt == "python-pax":
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as t:
            t.add(source, ".")
        return out.getvalue()
    if fmt == "bsdtar":
        return subprocess.run(["bsdtar", "-c", "--format=pax", "-f", "-", "-C", source, "."],
                              stdout=subprocess.PIPE, check=True).stdout
    return subprocess.run(["tar", "-c", *GNU_TAR[fmt], "-C", source, "."], stdout=subprocess.PIPE,
                          check=True).stdout


def reference(blob, fmt, top):
    """What the archive's own program makes of it."""
    os.mkdir(top, 0o700)
    args = ["tar", "-xp", "--same-owner", "--numeric-owner", "-C", top]
    if fmt == "pax":
        args += ["--xattrs", "--xattrs-include=*"]
    if fmt == "bsdtar":
        args = ["bsdtar", "-xp", "--numeric-owner", "-f", "-", "-C", top]
    subprocess.run(args, input=blob, stderr=subprocess.DEVNULL, check=True)
    return tree(top)


def check_formats(tool, helper, top):
    source = os.path.join(top, "source")
    os.mkdir(source)
    make_source(source)
    wrong = []
    for fmt in [*GNU_TAR, "python-pax", "bsdtar"]:
        blob = archive(source, fmt)
        ours = os.path.join(top, "ours-" + fmt)
        result = unpack(tool, helper, blob, ours)
        if result["code"] != "OK":
            wrong.append(f"{fmt}: {result['message']}")
            continue
        if result["diff_id"] != "sha256:" + hashlib.sha256(blob).hexdigest():
            wrong.append(f"{fmt}: wrong diff id")
        if result["implicit"] or result["deferred"] or not result["root_entry"]:
            wrong.append(f"{fmt}: unexpected notes {result}")
        oracle = "gnu" if fmt == "python-pax" else fmt
        wrong += compare(fmt, tree(ours), reference(blob, oracle, os.path.join(top, "ref-" + fmt)))
        if "sparse" in fmt:
            for name in ("sparse", "all hole"):
                if os.stat(os.path.join(ours, name)).st_blocks * 512 > 1 << 20:
                    wrong.append(f"{fmt}: {name} has no holes")
    return wrong


def compressions(blob):
    """One archive, packed in every way that registries serve."""
    def run(*args):
        return subprocess.run(args, input=blob, stdout=subprocess.PIPE, check=True).stdout

    yield "none", blob
    for level in (0, 1, 6, 9):
        yield "gzip", gzip.compress(blob, level)
    yield "gzip", run("gzip", "-c")
    yield "gzip", b"".join(gzip.compress(blob[i:i + 77777]) for i in range(0, len(blob), 77777))
    named = io.BytesIO()
    with gzip.GzipFile("layer.tar", "wb", fileobj=named) as f:
        f.write(blob)
    yield "gzip", named.getvalue()
    for level in ("-1", "-3", "-19"):
        yield "zstd", run("zstd", "-c", level)
    yield "zstd", run("zstd", "-c", "--long=27", "--no-check")
    yield "zstd", run("zstd", "-c", "-B65536", "--single-thread")
    half = len(blob) // 2
    yield "zstd", b"".join(subprocess.run(["zstd", "-c"], input=part, stdout=subprocess.PIPE,
                                          check=True).stdout for part in (blob[:half], blob[half:]))


def check_compressions(tool, helper, top):
    source = os.path.join(top, "source")
    blob = archive(source, "pax")
    digest = "sha256:" + hashlib.sha256(blob).hexdigest()
    wrong, first = [], None
    for i, (kind, data) in enumerate(compressions(blob)):
        for declared in (kind, "auto"):
            ours = os.path.join(top, "packed")
            result = unpack(tool, helper, data, ours, declared)
            seen = tree(ours)
            first = first or seen
            if result["code"] != "OK" or result["diff_id"] != digest:
                wrong.append(f"packing {i} ({kind} as {declared}): {result}")
            wrong += compare(f"packing {i}", seen, first)
            shutil.rmtree(ours)
    return wrong


def check_fixups(tool, helper, top):
    """Three layers, the upper two leaning on those below."""
    base, middle, upper = (os.path.join(top, n) for n in ("base", "middle", "upper"))
    wrong = []

    def expect(condition, text):
        if not condition:
            wrong.append("fix-ups: " + text)

    unpack(tool, helper, L.tar(
        L.directory(b"opt", mode=0o750, uid=7, gid=8, mtime=111),
        L.directory(b"opt/app", mode=0o1777, uid=9, mtime=222),
        L.pax([("SCHILY.xattr.user.a", "1")]), L.directory(b"srv", mode=0o711),
        L.directory(b"gone", mode=0o700), L.directory(b"bin"),
        L.pax([("SCHILY.xattr.security.capability", CAPS), ("SCHILY.xattr.user.b", "2")]),
        L.entry(b"bin/tool", b"t" * 100000, mode=0o4755, uid=3, mtime=333),
        L.symlink(b"bin/soft", b"tool", uid=4)), base)
    result = unpack(tool, helper, L.tar(L.entry(b".wh.gone"), L.entry(b"opt/.wh..wh..opq"),
                                        L.entry(b"opt/m", b"m")), middle, lowers=[base])
    expect(result["code"] == "OK" and result["fixup"] == "d opt\n", f"middle layer: {result}")
    st = os.stat(os.path.join(middle, "opt"))
    expect((st.st_mode & 0o7777, st.st_uid, st.st_gid, st.st_mtime) == (0o750, 7, 8, 111),
           f"attributes of an implicit opaque directory: {st}")
    result = unpack(tool, helper, L.tar(
        L.directory(b"new", mtime=444), L.hardlink(b"new/tool", b"bin/tool"),
        L.hardlink(b"new/tool2", b"bin/tool"), L.hardlink(b"new/soft", b"bin/soft"),
        L.hardlink(b"new/late", b"new/target"), L.entry(b"new/target", b"x"),
        L.entry(b"opt/app/f", b"x"), L.entry(b"srv/f", b"x"), L.entry(b"gone/f", b"x")),
        upper, lowers=[middle, base])
    expect(result["code"] == "OK", result["message"])
    expect((result["implicit"], result["deferred"]) == (4, 3), f"counts: {result}")
    seen = tree(upper)
    below = tree(base)
    for name in ("new/tool", "new/tool2", "bin/tool"):
        expect(seen[name] == {**below["bin/tool"], "nlink": 3}, f"{name}: {seen.get(name)}")
    expect(seen["new/soft"] == below["bin/soft"], f"new/soft: {seen.get('new/soft')}")
    expect(seen["new"]["mtime"] == 444 * 10**9, "the time of an explicit directory")
    expect(os.path.samefile(os.path.join(upper, "new/late"), os.path.join(upper, "new/target")),
           "a link in front of its target")
    expect(seen["srv"] == below["srv"], f"srv: {seen['srv']} not {below['srv']}")
    expect(seen["opt"] == {**tree(middle)["opt"], "xattrs": {}}, f"opt: {seen['opt']}")
    expect(seen["opt/app"]["mode"] == 0o755, "a directory hidden by an opaque one was found")
    expect(seen["gone"]["mode"] == 0o755, "a deleted directory was found")
    expect(seen["gone"]["mtime"] == 0, "the time of an implicit directory")
    clean = os.path.join(top, "clean")
    result = unpack(tool, helper, L.tar(L.directory(b"./", mtime=555), L.directory(b"bin"),
                                        L.entry(b"opt", b"x"), L.entry(b".wh..wh..opq")),
                    clean, lowers=[upper, middle, base])
    expect(result["code"] == "OK" and result["fixup"] == "o .\n", f"opaque root: {result}")
    seen = tree(clean)
    expect(sorted(seen) == [".", "bin", "gone", "new", "opt", "srv"], f"opaque root: {list(seen)}")
    expect("trusted.overlay.opaque" in seen["bin"]["xattrs"], "bin is not opaque")
    expect(all(seen[n].get("rdev") == 0 for n in ("gone", "new", "srv")), "no whiteouts")
    expect(seen["opt"]["type"] == stat.S_IFREG, "a file of an opaque root was replaced")
    expect(seen["."]["mtime"] == 555 * 10**9, "the time of an opaque root")
    return wrong


def check_devices(tool, helper, top):
    ours = os.path.join(top, "without-devices")
    result = unpack(tool, helper, archive(os.path.join(top, "source"), "gnu"), ours, devices="0")
    if result["skipped"] != 2 or os.path.lexists(os.path.join(ours, "tty0")):
        return [f"devices were made: {result}"]
    return []


def main():
    tool, helper = sys.argv[1:3]
    top = tempfile.mkdtemp(prefix="zl-oracle-")
    try:
        wrong = check_formats(tool, helper, top)
        wrong += check_compressions(tool, helper, top)
        wrong += check_fixups(tool, helper, top)
        wrong += check_devices(tool, helper, top)
    finally:
        shutil.rmtree(top, ignore_errors=True)
    print("\n".join(wrong) or "all entries as other programs have them")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
