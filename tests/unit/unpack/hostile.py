# SPDX-License-Identifier: Apache-2.0
"""Layers that attack whoever unpacks them. Each case says what must come of it: a refusal with its
code, or success with the whole attack confined to the staging directory (and what stands there)."""
import base64
import struct
from dataclasses import dataclass, field as dc_field

import layers as L

REFUSED = "CORRUPT"
LIMIT = "LIMIT"
OK = "OK"
EITHER = "OK or LIMIT"  # some file systems can hold it

MIB = 1 << 20
SMALL = 8 * MIB  # limit of unpacked bytes for the bombs


@dataclass
class Case:
    name: str
    blob: bytes
    code: str = REFUSED
    compression: str = "none"
    tree: dict = dc_field(default_factory=dict)  # path: what (see test_hostile.describe)
    absent: tuple = ()
    max_bytes: int = 1 << 30
    max_entries: int = 200000
    lower: bytes = b""   # a layer below, for attacks across layers
    says: str = ""       # part of the message
    xattrs: dict = dc_field(default_factory=dict)  # path: exactly these names


PWN = b"pwned"


def path_cases(canary):
    """Names that lead out of the root."""
    c = canary.encode()
    up = b"../" * 12
    yield Case("dotdot", L.tar(L.entry(b"../canary/file", PWN)), OK, tree={"canary/file": "file"})
    yield Case("dotdot-many", L.tar(L.entry(up + c.lstrip(b"/") + b"/file", PWN)), OK)
    yield Case("dotdot-mid", L.tar(L.entry(b"a/../../canary/file", PWN)), OK,
               tree={"canary/file": "file"})
    yield Case("dotdot-dir", L.tar(L.directory(b"../canary/dir", mode=0o777, uid=77)), OK,
               tree={"canary/dir": "dir"})
    yield Case("abs-path", L.tar(L.entry(c + b"/file", PWN)), OK)
    yield Case("abs-double-slash", L.tar(L.entry(b"//" + c + b"//file", PWN)), OK)
    yield Case("pax-path-dotdot", L.tar(L.pax([("path", up + b"etc/zl-pwned")]),
                                        L.entry(b"innocent", PWN)), OK,
               tree={"etc/zl-pwned": "file"}, absent=("innocent",))
    yield Case("pax-global-path", L.tar(L.pax([("path", "../../zl-pwned")], b"g"),
                                        L.entry(b"a", PWN)))
    yield Case("gnu-long-dotdot", L.tar(L.gnu_long(b"L", up * 5 + b"zl-pwned"),
                                        L.entry(b"x", PWN)), OK, tree={"zl-pwned": "file"})
    yield Case("prefix-dotdot", L.tar(L.header(b"canary/file", prefix=b".." + b"/.." * 8)), OK,
               tree={"canary/file": "file"})
    yield Case("backslash", L.tar(L.entry(b"..\\..\\zl-pwned", PWN)), OK,
               tree={"..\\..\\zl-pwned": "file"})
    yield Case("win-drive", L.tar(L.entry(b"C:\\zl-pwned", PWN), L.entry(b"a:ads", PWN)), OK,
               tree={"C:\\zl-pwned": "file", "a:ads": "file"})
    yield Case("empty-name", L.tar(L.entry(b"", PWN)))
    yield Case("newline-name", L.tar(L.entry(b"a\nb\x1b[31m", PWN)), OK,
               tree={"a\nb\x1b[31m": "file"})
    yield Case("not-utf8-name", L.tar(L.entry(b"d\xff\xfe/x\x80", PWN)), OK)


def link_cases(canary):
    """Symbolic links on the way, at the end, and replaced under way."""
    c = canary.encode()
    yield Case("sym-abs-write", L.tar(L.symlink(b"l", c), L.entry(b"l/file", PWN)),
               says="parent")
    yield Case("sym-rel-write", L.tar(L.symlink(b"l", b"../canary"), L.entry(b"l/file", PWN)))
    yield Case("sym-abs-dir", L.tar(L.symlink(b"l", c), L.directory(b"l/dir", mode=0o777)))
    yield Case("sym-inside", L.tar(L.directory(b"d"), L.symlink(b"l", b"/d"),
                                   L.entry(b"l/f", b"x")), OK, tree={"d/f": "file", "l": "link"})
    yield Case("sym-dotdot-inside", L.tar(L.directory(b"d"), L.symlink(b"d/l", b"../../../.."),
                                          L.entry(b"d/l/f", b"x")), OK, tree={"f": "file"})
    yield Case("sym-final-overwrite", L.tar(L.symlink(b"l", c + b"/file"), L.entry(b"l", PWN)),
               OK, tree={"l": "file"})
    yield Case("sym-final-chmod", L.tar(L.symlink(b"l", c + b"/dir"),
                                        L.directory(b"l", mode=0o777, uid=1000)), OK,
               tree={"l": "dir"})
    yield Case("sym-dir-replace", L.tar(L.directory(b"d"), L.entry(b"d/f", b"x"),
                                        L.symlink(b"d", c), L.entry(b"d/file", PWN)))
    yield Case("sym-chain", L.tar(L.symlink(b"a", b"b"), L.symlink(b"b", b"c"),
                                  L.symlink(b"c", c), L.entry(b"a/file", PWN)))
    yield Case("sym-loop", L.tar(L.symlink(b"a", b"b"), L.symlink(b"b", b"a"),
                                 L.entry(b"a/file", PWN)))
    yield Case("sym-self", L.tar(L.symlink(b"a", b"a"), L.entry(b"a/x", PWN)))
    yield Case("sym-magic", L.tar(L.symlink(b"p", b"/proc/self/root"), L.entry(b"p/zl-pwned", PWN)))
    yield Case("sym-empty", L.tar(L.symlink(b"l", b"")))
    yield Case("sym-long", L.tar(L.gnu_long(b"K", b"x/" * 3000), L.symlink(b"l", b"x")))
    yield Case("sym-xlayer", L.tar(L.entry(b"l/file", PWN)), OK,
               lower=L.tar(L.symlink(b"l", c)), tree={"l": "dir", "l/file": "file"})


def hardlink_cases(canary):
    c = canary.encode()
    yield Case("hard-abs", L.tar(L.hardlink(b"h", c + b"/file"), L.entry(b"h", PWN)), OK,
               tree={"h": "file"})
    yield Case("hard-abs-alone", L.tar(L.hardlink(b"h", c + b"/file")), REFUSED,
               lower=L.tar(L.entry(b"x")), says="in no layer")
    yield Case("hard-dotdot", L.tar(L.hardlink(b"h", b"../canary/file")))
    yield Case("hard-via-sym", L.tar(L.symlink(b"l", c), L.hardlink(b"h", b"l/file")), REFUSED,
               lower=L.tar(L.entry(b"x")))
    yield Case("hard-to-sym", L.tar(L.symlink(b"l", c + b"/file"),
                                    L.hardlink(b"h", b"l", mode=0o777, uid=1000),
                                    L.entry(b"h", PWN)), OK, tree={"h": "file", "l": "link"})
    yield Case("hard-to-sym-keeps", L.tar(L.symlink(b"l", c + b"/file"),
                                          L.hardlink(b"h", b"l", mode=0o777, uid=1000)), OK,
               tree={"h": "link"})
    yield Case("hard-dir", L.tar(L.directory(b"d"), L.hardlink(b"h", b"d")))
    yield Case("hard-self", L.tar(L.hardlink(b"h", b"h")))
    yield Case("hard-self-alias", L.tar(L.entry(b"h", b"x"), L.hardlink(b"./h", b"/h")))
    yield Case("hard-root", L.tar(L.hardlink(b"h", b"/")))
    yield Case("hard-eats-target", L.tar(L.directory(b"d"), L.entry(b"d/f", b"x"),
                                         L.hardlink(b"d", b"d/f")))
    yield Case("hard-missing", L.tar(L.hardlink(b"h", b"nothing")), REFUSED,
               lower=L.tar(L.entry(b"x")))
    yield Case("hard-data", L.tar(L.entry(b"t", b"good"), L.entry(b"h", PWN, b"1", link=b"t")))
    yield Case("hard-to-whiteout", L.tar(L.entry(b".wh.x"), L.hardlink(b"h", b"x")))
    yield Case("hard-lower-whiteout", L.tar(L.hardlink(b"h", b"x")), REFUSED,
               lower=L.tar(L.entry(b".wh.x")))
    yield Case("many-hard", L.tar(L.entry(b"t", b"x"),
                                  *(L.hardlink(b"h%d" % i, b"t") for i in range(70000))), EITHER)


def root_cases(canary):
    c = canary.encode()
    yield Case("root-is-sym", L.tar(L.symlink(b".", c), L.entry(b"file", PWN)), says="root")
    yield Case("root-sym-slash", L.tar(L.symlink(b"/", c), L.entry(b"file", PWN)))
    yield Case("root-is-file", L.tar(L.entry(b"./", PWN)))
    yield Case("root-by-dotdot", L.tar(L.symlink(b"a/..", c), L.entry(b"file", PWN)))
    yield Case("root-is-hardlink", L.tar(L.entry(b"a"), L.hardlink(b".", b"a")))
    yield Case("root-mode", L.tar(L.directory(b"./", mode=0o1777, uid=5)), OK,
               tree={".": "dir"})


def whiteout_cases(canary):
    c = canary.encode()
    yield Case("wh-dotdot", L.tar(L.entry(b"../.wh.canary")), OK, tree={"canary": "whiteout"})
    yield Case("wh-sym", L.tar(L.symlink(b"l", c), L.entry(b"l/.wh.file")))
    yield Case("wh-sym-inside", L.tar(L.directory(b"d"), L.symlink(b"l", b"d"),
                                      L.entry(b"l/.wh.x")))
    yield Case("wh-opq-sym", L.tar(L.directory(b"d"), L.symlink(b"l", b"d"),
                                   L.entry(b"l/.wh..wh..opq")))
    yield Case("wh-dot", L.tar(L.entry(b".wh..")), says="whiteout")
    yield Case("wh-dotdot2", L.tar(L.entry(b".wh...")), says="whiteout")
    yield Case("wh-empty", L.tar(L.entry(b"a/.wh.")), says="whiteout")
    yield Case("wh-root-opaque", L.tar(L.entry(b".wh..wh..opq"), L.entry(b"a", b"x")), OK,
               tree={"a": "file"})
    yield Case("wh-name-double", L.tar(L.entry(b".wh..wh.a")), OK, absent=(".wh..wh.a", "a"))
    yield Case("wh-aufs", L.tar(L.directory(b".wh..wh.plnk"), L.entry(b".wh..wh.plnk/1.2", b"x"),
                                L.entry(b".wh..wh.aufs", b"")), OK, absent=(".wh..wh.plnk",))
    yield Case("wh-children", L.tar(L.entry(b".wh.a/b", PWN)))
    yield Case("wh-as-dir", L.tar(L.directory(b".wh.a")), OK, tree={"a": "whiteout"},
               absent=(".wh.a",))
    yield Case("wh-as-link", L.tar(L.symlink(b".wh.a", c)), OK, tree={"a": "whiteout"})
    yield Case("wh-same-layer", L.tar(L.entry(b"a", b"x"), L.entry(b".wh.a"),
                                      L.directory(b"d"), L.entry(b"d/f", b"x"),
                                      L.entry(b".wh.d")), OK,
               tree={"a": "file", "d/f": "file", "d": "opaque"})
    yield Case("wh-before", L.tar(L.entry(b".wh.d"), L.entry(b"d/f", b"x")), OK,
               tree={"d/f": "file", "d": "opaque"})
    yield Case("wh-with-data", L.tar(L.entry(b".wh.a", b"x" * 5000), L.entry(b"b", b"y")), OK,
               tree={"a": "whiteout", "b": "file"})


def metadata_cases(_canary):
    def x(**attrs):
        return L.pax([("SCHILY.xattr." + k.replace("__", "."), v) for k, v in attrs.items()])

    yield Case("ovl-xattr", L.tar(x(trusted__overlay__redirect="/../../etc",
                                    trusted__overlay__opaque="y",
                                    trusted__overlay__metacopy="",
                                    user__overlay__metacopy="y",
                                    user__overlay__redirect="/etc"), L.directory(b"d")), OK,
               tree={"d": "dir"}, xattrs={"d": []})
    yield Case("ovl-xattr-file", L.tar(x(trusted__overlay__metacopy="", user__overlay__origin="y",
                                         user__good="1"), L.entry(b"f", b"x")), OK,
               tree={"f": "file"}, xattrs={"f": ["user.good"]})
    yield Case("ovl-whiteout-dev", L.tar(L.header(b"etc", b"3", major=0, minor=0)),
               says="whiteout")
    yield Case("sec-selinux", L.tar(x(security__selinux="system_u:object_r:etc_t:s0\0",
                                      security__ima="\1", security__evm="\2",
                                      security__SMACK64="_"), L.entry(b"f", b"x")), OK,
               xattrs={"f": []})
    cap = base64.b64decode("AQAAAgAgAAAAAAAAAAAAAAAAAAA=")
    yield Case("setuid-caps", L.tar(L.pax([("SCHILY.xattr.security.capability", cap)]),
                                    L.entry(b"f", b"x", mode=0o6755, uid=3, gid=4)), OK,
               tree={"f": "file"}, xattrs={"f": ["security.capability"]})
    yield Case("bad-caps", L.tar(L.pax([("SCHILY.xattr.security.capability", b"zz")]),
                                 L.entry(b"f", b"x")))
    yield Case("caps-on-dir", L.tar(L.pax([("SCHILY.xattr.security.capability", cap)]),
                                    L.directory(b"d")), OK, xattrs={"d": []})
    yield Case("posix-acl", L.tar(L.pax([("SCHILY.xattr.system.posix_acl_access", b"junk")]),
                                  L.entry(b"f", b"x")), OK, xattrs={"f": []})
    yield Case("nul-in-xattr-key", L.tar(L.pax([(b"SCHILY.xattr.user.a\0b", b"1")]),
                                         L.entry(b"f")))
    yield Case("xattr-no-name", L.tar(L.pax([("SCHILY.xattr.", "1")]), L.entry(b"f")))
    yield Case("xattr-long-name", L.tar(L.pax([("SCHILY.xattr.user." + "n" * 300, "1")]),
                                        L.entry(b"f")))
    yield Case("xattr-huge", L.tar(L.pax([("SCHILY.xattr.user.a", b"v" * 70000)]),
                                   L.entry(b"f")), LIMIT)
    yield Case("dev-mem", L.tar(L.header(b"mem", b"3", major=1, minor=1, mode=0o666),
                                L.header(b"sda", b"4", major=8, minor=0)), OK,
               absent=("mem", "sda"))
    yield Case("dev-maj-huge", L.tar(L.header(b"d", b"3", major=0o7777777, minor=1)))
    yield Case("dev-min-huge", L.tar(L.header(b"d", b"4", major=1,
                                              minor=L.base256(1 << 30, 8))))
    yield Case("dev-negative", L.tar(L.header(b"d", b"3", major=L.base256(-1, 8))))
    yield Case("fifo", L.tar(L.header(b"p", b"6")), OK, tree={"p": "fifo"})


def number_cases(_canary):
    big = 1 << 62
    yield Case("uid-4294967295", L.tar(L.pax([("uid", 0xffffffff)]), L.entry(b"f")))
    yield Case("uid-overflow", L.tar(L.pax([("uid", 1 << 32)]), L.entry(b"f")))
    yield Case("gid-overflow-b256", L.tar(L.header(b"f", gid=L.base256(1 << 32, 8))))
    yield Case("uid-negative", L.tar(L.header(b"f", uid=L.base256(-2, 8))))
    yield Case("uid-negative-pax", L.tar(L.pax([("uid", "-1")]), L.entry(b"f")))
    yield Case("uid-max", L.tar(L.pax([("uid", 0xfffffffe)]), L.entry(b"f")), OK,
               tree={"f": "file"})
    yield Case("uid-blank", L.tar(L.pax([("uid", " 7")]), L.entry(b"f")))
    yield Case("size-pax-vs-hdr", L.tar(L.pax([("size", 5)]),
                                        L.header(b"f", size=0) + L.pad(PWN),
                                        L.entry(b"g")), OK, tree={"f": "file", "g": "file"})
    yield Case("size-pax-neg", L.tar(L.pax([("size", "-1")]), L.entry(b"f")))
    yield Case("size-pax-hex", L.tar(L.pax([("size", "0x10")]), L.entry(b"f")))
    yield Case("size-negative-b256", L.tar(L.header(b"f", size=L.base256(-512, 12))))
    yield Case("size-huge-b256", L.tar(L.header(b"f", size=L.base256(big, 12))), LIMIT)
    yield Case("size-2p63", L.tar(L.header(b"f", size=L.base256(1 << 63, 12))))
    yield Case("size-pax-2p63", L.tar(L.pax([("size", 1 << 63)]), L.entry(b"f")))
    yield Case("size-pax-2p64", L.tar(L.pax([("size", (1 << 64) + 5)]), L.entry(b"f")))
    yield Case("size-octal-garbage", L.tar(L.header(b"f", size=b"0000000001x\0")))
    yield Case("size-dir", L.tar(L.header(b"d", b"5", size=4096), L.entry(b"e", b"x")), OK,
               tree={"d": "dir", "e": "file"})
    yield Case("size-old-dir", L.tar(L.header(b"d/", b"\0", size=512), L.entry(b"e", b"x")))
    yield Case("mtime-junk", L.tar(L.pax([("mtime", "1e9")]), L.entry(b"f")))
    yield Case("mtime-extreme", L.tar(L.pax([("mtime", "-9223372036854775807.5")]),
                                      L.entry(b"f")), OK, tree={"f": "file"})
    yield Case("bad-checksum", L.tar(L.header(b"f", checksum=b"000123\0 ")))
    yield Case("unknown-type", L.tar(L.header(b"f", b"Z")))
    yield Case("multi-volume", L.tar(L.header(b"f", b"M", size=512)))


def header_bomb_cases(_canary):
    yield Case("pax-4g-claim", L.header(b"x", b"x", size=L.base256(4 << 30, 12)), LIMIT,
               max_bytes=1 << 40)
    yield Case("gnu-longname-4g-claim", L.header(b"x", b"L", size=L.base256(4 << 30, 12)), LIMIT,
               max_bytes=1 << 40)
    yield Case("pax-1m-and-1", L.tar(L.header(b"x", b"x", size=MIB + 1)), LIMIT)
    yield Case("pax-many-xattr", L.tar(L.pax([("SCHILY.xattr.user.%d" % i, "v")
                                              for i in range(5000)]), L.entry(b"f")), LIMIT)
    yield Case("pax-chain", L.tar(*[L.pax([("comment", "x")])] * 9, L.entry(b"f")), LIMIT)
    yield Case("pax-chain-of-globals", L.tar(*[L.pax([("comment", "x")], b"g")] * 9,
                                             L.entry(b"f")), LIMIT)
    yield Case("pax-chain-8", L.tar(*[L.pax([("comment", "x")])] * 8, L.entry(b"f")), OK)
    for name, raw in {"lie": b"99 path=a\n", "zero": b"0 path=a\n", "neg": b"-9 path=a\n",
                      "short": b"5 path=a\n", "huge": b"99999999999999999999 path=a\n",
                      "none": b"path=a\n", "plus": b"+9 path=a\n", "noeq": b"9 pathaa\n",
                      "nokey": b"5 =a\n", "nonl": b"9 path=aa"}.items():
        yield Case("pax-len-" + name, L.tar(L.pax(None, raw=raw), L.entry(b"f")))
    yield Case("nul-in-pax-path", L.tar(L.pax([("path", b"a\0b")]), L.entry(b"f")))
    yield Case("nul-in-pax-link", L.tar(L.pax([("linkpath", b"a\0b")]), L.symlink(b"l", b"x")))
    yield Case("ext-at-end", L.tar(L.pax([("path", "a")])))
    yield Case("gnu-long-empty", L.tar(L.header(b"x", b"L", size=0), L.entry(b"f")))


def sparse_cases(_canary):
    def old(realsize, segments, data=b"", more=b"\0"):
        extra = {483: realsize if isinstance(realsize, bytes) else L.octal(realsize, 12),
                 482: more}
        for i, (at, n) in enumerate(segments):
            extra[386 + 24 * i] = L.base256(at, 12) + L.base256(n, 12)
        return L.header(b"s", b"S", size=len(data), magic=b"ustar  \0",
                        extra=extra) + (b"" if more != b"\0" else L.pad(data))

    def v10(realsize, text, data=b""):
        body = L.pad(text) + data
        return L.pax([("GNU.sparse.major", 1), ("GNU.sparse.minor", 0), ("GNU.sparse.name", "s"),
                      ("GNU.sparse.realsize", realsize)]) + L.entry(b"GNUSparseFile.0/s", body)

    exa = 1 << 62
    yield Case("sparse-ok", L.tar(old(4096, [(0, 5), (1024, 5)], b"helloworld")), OK,
               tree={"s": "file"})
    yield Case("sparse-huge", L.tar(old(L.base256(exa, 12), [])), LIMIT)
    yield Case("sparse-huge-pax", L.tar(v10(exa, b"0\n")), LIMIT)
    yield Case("sparse-huge-01", L.tar(L.pax([("GNU.sparse.size", exa), ("GNU.sparse.map", "")]),
                                       L.entry(b"s")), LIMIT)
    yield Case("sparse-map-bomb", L.tar(v10(100, b"99999999\n")), LIMIT)
    yield Case("sparse-map-bomb-real", L.tar(v10(200000, b"90000\n" + b"".join(
        b"%d\n1\n" % (2 * i) for i in range(90000)), b"")), LIMIT)
    yield Case("sparse-neg", L.tar(old(100, [(-5, 5)], b"hello")))
    yield Case("sparse-overlap", L.tar(old(100, [(0, 5), (3, 5)], b"helloworld")))
    yield Case("sparse-past-end", L.tar(old(4, [(0, 10)], b"helloworld")))
    yield Case("sparse-wrap", L.tar(old(100, [((1 << 63) - 3, 5)], b"hello")))
    yield Case("sparse-missing-data", L.tar(old(100, [(0, 50)], b"hello")))
    yield Case("sparse-extra-data", L.tar(old(100, [(0, 2)], b"hello")))
    yield Case("sparse-endless-map", old(100, [(0, 0)] * 4, more=b"\1") +
               (b"1" * 24 + b"\0" * 480 + b"\1" + b"\0" * 7) * 4)
    yield Case("sparse-no-size", L.tar(L.pax([("GNU.sparse.map", "0,5")]), L.entry(b"s", PWN)))
    yield Case("sparse-odd-map", L.tar(L.pax([("GNU.sparse.size", 9), ("GNU.sparse.map", "0,5,7")]),
                                       L.entry(b"s", PWN)))
    yield Case("sparse-v9", L.tar(L.pax([("GNU.sparse.major", 9), ("GNU.sparse.minor", 0),
                                         ("GNU.sparse.realsize", 5)]), L.entry(b"s", PWN)))
    yield Case("sparse-00-half", L.tar(L.pax([("GNU.sparse.size", 9), ("GNU.sparse.offset", 0)]),
                                       L.entry(b"s", PWN)))
    yield Case("sparse-map-cut", L.tar(v10(100, b"3\n0\n")))
    yield Case("sparse-map-text", L.tar(v10(100, b"one\n")))


def end_cases(_canary):
    good = L.entry(b"f", b"x" * 2000)
    yield Case("truncated-data", good[:-1024])
    yield Case("truncated-header", good + L.header(b"g")[:200])
    yield Case("truncated-padding", L.entry(b"f", b"x")[:-100])
    yield Case("no-trailer", good, OK, tree={"f": "file"})
    yield Case("half-trailer", good + b"\0" * 512, OK, tree={"f": "file"})
    yield Case("lone-zero-block", good + b"\0" * 512 + L.entry(b"g") + L.END)
    yield Case("trailing-garbage", L.tar(good) + b"garbage" * 999, OK, tree={"f": "file"})
    yield Case("concat-tar", L.tar(good) + L.tar(L.entry(b"second", PWN)), OK,
               tree={"f": "file"}, absent=("second",))
    yield Case("empty", b"", OK)
    yield Case("one-byte", b"a")
    yield Case("random", bytes((i * 7919 >> 3) & 0xff for i in range(5000)))
    yield Case("trailing-flood", L.tar(good) + b"\0" * (2 * SMALL), LIMIT, max_bytes=SMALL)


def gzip_cases(_canary):
    plain = L.tar(L.entry(b"f", b"x" * 100000))
    good = L.gz(plain)

    def flip(at):
        return good[:at] + bytes([good[at] ^ 0xff]) + good[at + 1:]

    def g(name, blob, code=REFUSED, **kw):
        return Case("gzip-" + name, blob, code, "gzip", **kw)

    yield g("good", good, OK, tree={"f": "file"})
    yield g("bomb", L.gz_zeros(200 * MIB), LIMIT, max_bytes=SMALL)
    yield g("bomb-file", L.gz(L.tar(L.header(b"f", size=200 * MIB))[:512]) +
            L.gz_zeros(200 * MIB), LIMIT, max_bytes=SMALL)
    yield g("bomb-after-end", L.gz(plain) + L.gz_zeros(200 * MIB), LIMIT, max_bytes=SMALL)
    yield g("bad-crc", flip(len(good) - 8), says="checksum")
    yield g("bad-isize", flip(len(good) - 1), says="length")
    yield g("truncated", good[:-20], says="cut off")
    yield g("no-trailer", good[:-8], says="cut off")
    yield g("trailing", good + b"x", says="follow")
    yield g("trailing-zeros", good + b"\0" * 512)
    yield g("trailing-half-magic", good + b"\x1f")
    yield g("multimember", L.gz(plain[:700]) + L.gz(plain[700:]), OK, tree={"f": "file"})
    yield g("many-empty-members", L.gz(b"") * 5000 + good, OK, tree={"f": "file"})
    yield g("empty", b"")
    yield g("is-zstd", L.zstd_raw(plain))
    yield g("is-tar", plain)
    yield g("reserved-flag", good[:3] + b"\x80" + good[4:])
    yield g("bad-method", good[:2] + b"\x07" + good[3:])
    yield g("endless-name", good[:3] + b"\x08" + good[4:10] + b"n" * 200000)
    yield g("bad-header-crc", good[:3] + b"\x02" + good[4:10] + b"\0\0" + good[10:])
    yield g("bad-deflate", good[:10] + b"\xff" * 50 + good[60:])
    yield g("corrupt-middle", flip(len(good) // 2))


def zstd_cases(_canary):
    plain = L.tar(L.entry(b"f", b"x" * 100000))
    good = L.zstd_raw(plain)

    def z(name, blob, code=REFUSED, **kw):
        return Case("zstd-" + name, blob, code, "zstd", **kw)

    yield z("good", good, OK, tree={"f": "file"})
    yield z("two-frames", L.zstd_raw(plain[:1000]) + L.zstd_raw(plain[1000:]), OK,
            tree={"f": "file"})
    yield z("skippable", L.zstd_skippable() + good + L.zstd_skippable(b"y" * 5000), OK,
            tree={"f": "file"})
    yield z("truncated", good[:-10], says="cut off")
    yield z("trailing", good + b"garbage", says="follow")
    yield z("empty", b"")
    yield z("is-gzip", L.gz(plain))
    yield z("window-too-large", L.zstd_raw(plain, window=0xA8), LIMIT)
    yield z("bomb", L.zstd_raw(L.header(b"f", size=1 << 30)) + L.zstd_rle(b"\0", 1 << 30), LIMIT,
            max_bytes=SMALL)
    yield z("bomb-endless-zeros", L.zstd_raw(L.tar(L.entry(b"a"))) + L.zstd_rle(b"\0", 1 << 30),
            LIMIT, max_bytes=SMALL)
    yield z("skippable-truncated", good + struct.pack("<II", 0x184D2A50, 100000) + b"x")
    yield z("bad-block", good[:12] + b"\xff\xff\xff" + good[15:])


def size_cases(_canary):
    deep = b"/".join([b"d"] * 300) + b"/f"
    yield Case("deep-path", L.tar(L.gnu_long(b"L", deep), L.entry(b"x")), LIMIT)
    yield Case("deep-path-ok", L.tar(L.gnu_long(b"L", b"/".join([b"d"] * 250)), L.entry(b"x")),
               OK)
    yield Case("deep-replaced", L.tar(*(p for i in range(3) for p in (
        L.directory(b"d"), L.gnu_long(b"L", b"/".join([b"d"] * 250)), L.entry(b"x"), L.entry(b"d", b"y")))), OK,
               tree={"d": "file"})
    yield Case("name-256", L.tar(L.gnu_long(b"L", b"n" * 256), L.entry(b"x")), LIMIT)
    yield Case("name-255", L.tar(L.gnu_long(b"L", b"n" * 255), L.entry(b"x")), OK)
    yield Case("path-4097", L.tar(L.gnu_long(b"L", (b"n" * 200 + b"/") * 21), L.entry(b"x")),
               LIMIT)
    yield Case("path-1m", L.tar(L.gnu_long(b"L", b"a/" * 500000), L.entry(b"x")), LIMIT)
    yield Case("too-many-entries", L.tar(*(L.entry(b"f%d" % i) for i in range(101))), LIMIT,
               max_entries=100)
    yield Case("too-many-bytes", L.tar(*(L.entry(b"f%d" % i, b"x" * MIB) for i in range(9))),
               LIMIT, max_bytes=SMALL)
    yield Case("many-implicit", L.tar(*(L.entry(b"%d/f" % i) for i in range(70000))), LIMIT)
    yield Case("many-deferred", L.tar(*(L.hardlink(b"h%d" % i, b"no/t") for i in range(70000))),
               LIMIT)
    yield Case("dup-path", L.tar(L.entry(b"a", b"1"), L.entry(b"a", b"22"), L.directory(b"a"),
                                 L.entry(b"a/b", b"3"), L.symlink(b"a", b"x"),
                                 L.entry(b"a", b"4444")), OK, tree={"a": "file"})
    yield Case("dup-50k", L.tar(*(L.entry(b"a", b"%d" % i) for i in range(50000))), OK,
               tree={"a": "file"})
    yield Case("dup-dir-tree", L.tar(*(p for i in range(3000) for p in
                                       (L.directory(b"d"), L.entry(b"d/a/b/c", b"x"),
                                        L.entry(b"d", b"y")))), OK, tree={"d": "file"})
    yield Case("file-as-parent", L.tar(L.entry(b"a", b"x"), L.entry(b"a/b", PWN)),
               says="not a directory")
    yield Case("contig-type7", L.tar(L.entry(b"c", b"data", b"7")), OK, tree={"c": "file"})
    yield Case("compat-pax-global", L.tar(L.pax([("comment", "made by git"), ("mtime", "5")], b"g"),
                                          L.entry(b"f", b"x")), OK, tree={"f": "file"})
    yield Case("compat-hard-lower-layer", L.tar(L.hardlink(b"new", b"d/old")), OK,
               lower=L.tar(L.directory(b"d", mode=0o750), L.entry(b"d/old", b"text", mode=0o640)),
               tree={"new": "file", "d/old": "file"})


PLACES = (path_cases, link_cases, hardlink_cases, root_cases, whiteout_cases, metadata_cases)
BYTES = (number_cases, header_bomb_cases, sparse_cases, end_cases, gzip_cases, zstd_cases,
         size_cases)


def all_cases(canary, groups=PLACES + BYTES):
    for group in groups:
        yield from group(canary)


def good_layer():
    return L.gz(L.tar(L.directory(b"./"), L.directory(b"bin"),
                      L.entry(b"bin/sh", b"#!" + b"x" * 70000, mode=0o755),
                      L.hardlink(b"bin/bash", b"bin/sh"), L.symlink(b"lib", b"usr/lib")))
