#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Good layers of every kind: what is made, byte by byte, and in which order."""
import struct
import sys

import layers
from wintar import *

TOOL = sys.argv[1]


def same(got, expected, what=""):
    if got != expected:
        raise AssertionError(f"{what}\n got {got!r}\n not {expected!r}")


def good(parts, **kw):
    result = run(TOOL, parts, **kw)
    same(result.outcome, "ok")
    return result


def base(*parts):
    return good([FILES, HIVES, *parts])


def base_layer():
    tree = base(directory("Files/Windows", attr=0x10, sd=DESCRIPTOR),
                member("Files/Windows/notepad.exe", b"MZ" * 700, attr=0x21, sd=DESCRIPTOR),
                member("Files/empty"), member("Hives/System_Base", b"regf", attr=0x20, sd=DESCRIPTOR))
    files = tree.layer()
    same(sorted(files), ["Files", "Files/Windows", "Files/Windows/notepad.exe", "Files/empty", "Hives",
                         "Hives/System_Base"])
    same(files["Files/Windows"].data, security())
    same(files["Files/Windows"].attributes, 0x10)
    same(files["Files/Windows/notepad.exe"].data, security() + content(b"MZ" * 700))
    same(files["Files/Windows/notepad.exe"].attributes, 0x21)
    same(files["Files/Windows/notepad.exe"].how, "security")
    same(files["Files/empty"].data, content(b""))
    # Hives are written without the rights for descriptors, so they are given none.
    same(files["Hives/System_Base"].data, content(b"regf"))
    same(files["Hives/System_Base"].how, "backup")
    same(tree.calls[-1], "ProcessBaseImage")
    same(tree.layer(-2), {})
    # Directories get their times again, the last first, before Windows takes over.
    same([c for c in tree.calls if " old" in c],
         [f"open -1 {p} old" for p in ("Files/Windows", "Hives", "Files")])


def all_streams():
    files = base(member("Files/a", b"data", sd=DESCRIPTOR, eas=[("ONE", b"1"), ("TWO", b"22222"), ("THREE", b"")]),
                 member("Files/a:Zone.Identifier", b"[ZoneTransfer]"), member("Files/a:\u00fcber", b"x" * 3000),
                 directory("Files/d"), member("Files/d:of a directory", b"y"),
                 symlink("Files/rel", "../x/y"), symlink("Files/abs", "C:\\Windows\\x"),
                 symlink("Files/unc", "\\\\server\\share\\x"), symlink("Files/long", "\\\\?\\C:\\x"),
                 symlink("Files/rooted", "\\Windows"), symlink("Files/dir", "d", attr=DIRECTORY | REPARSE),
                 junction("Files/mount", "C:\\d"),
                 junction("Files/volume", "\\\\?\\Volume{01234567-89ab-cdef-0123-456789abcdef}\\")).layer()
    same(files["Files/a"].data,
         security() + eas(("ONE", b"1"), ("TWO", b"22222"), ("THREE", b"")) + content(b"data") +
         alternate("Zone.Identifier", b"[ZoneTransfer]") + alternate("\u00fcber", b"x" * 3000))
    same(files["Files/d"].data, alternate("of a directory", b"y"))
    same(files["Files/rel"].data, reparse("..\\x\\y"))
    same(files["Files/rel"].attributes, REPARSE)
    same(files["Files/abs"].data, reparse("C:\\Windows\\x", "\\??\\C:\\Windows\\x"))
    same(files["Files/unc"].data, reparse("\\\\server\\share\\x", "\\??\\UNC\\server\\share\\x"))
    same(files["Files/long"].data, reparse("\\\\?\\C:\\x", "\\??\\C:\\x"))
    same(files["Files/rooted"].data, reparse("\\Windows"))
    same(files["Files/dir"].attributes, DIRECTORY | REPARSE)
    same(files["Files/mount"].data, reparse("C:\\d", "\\??\\C:\\d", mount_point=True))
    volume = "Volume{01234567-89ab-cdef-0123-456789abcdef}\\"
    same(files["Files/volume"].data, reparse("\\\\?\\" + volume, "\\??\\" + volume, mount_point=True))


def times():
    files = base(member("Files/all", records=[("mtime", "1600000000.25"), ("atime", "1600000001"),
                                              ("ctime", "1600000002.5"), ("LIBARCHIVE.creationtime", "-1.5")]),
                 member("Files/one", mtime=5)).layer()
    got = files["Files/all"]
    same((got.created, got.accessed, got.written, got.changed),
         tuple(filetime(t) for t in (-1.5, 1600000001, 1600000000.25, 1600000002.5)))
    got = files["Files/one"]
    same((got.created, got.accessed, got.written, got.changed), (filetime(5),) * 4)
    same(files["Files"].written, filetime(MTIME))


def sddl():
    files = base(member("Files/a", records=[("MSWINDOWS.sd", "O:WD")]),
                 member("Files/raw", sd=DESCRIPTOR, records=[("MSWINDOWS.sd", "this is not read")])).layer()
    same(files["Files/a"].data, security() + content(b""))
    same(files["Files/raw"].data, security() + content(b""))


def sparse():
    """Holes are zeros in the stream."""
    part = layers.pax([("path", "Files/holes"), ("GNU.sparse.size", 200000), ("GNU.sparse.numblocks", 1),
                       ("GNU.sparse.map", "100000,3")]) + layers.entry(b"short", b"xyz")
    same(base(part).layer()["Files/holes"].data, content(bytes(100000) + b"xyz" + bytes(99997)))


def names():
    """Every script, also outside of the basic plane; names that only look like devices."""
    good_names = ["\u65e5\u672c", "\U0001f600", "con1", "COM10", "xNUL", "nul_", "com", "a b", ".hidden", "x" * 255,
                  "\u00fc" * 255, "conin", "LPT\u00b4"]
    files = base(*(member("Files/" + name) for name in good_names)).layer()
    same(sorted(files), sorted(["Files", "Hives"] + ["Files/" + name for name in good_names]))
    same(sorted(base(member("./Files//a")).layer()), ["Files", "Files/a", "Hives"])


def base_links():
    tree = base(directory("Files/d"), member("Files/d/a", b"1"), hardlink("Files/b", "Files/d/a"),
                hardlink("Files/c", "Files/B"), symlink("Files/s", "d"), hardlink("Files/t", "Files/s"))
    files = tree.layer()
    same({files["Files/" + n].object for n in ("d/a", "b", "c")}, {files["Files/d/a"].object})
    same(files["Files/t"].object, files["Files/s"].object)
    same([c for c in tree.calls if c.startswith("link")],
         ["link -1 Files/d/a -1 Files/b", "link -1 Files/b -1 Files/c", "link -1 Files/s -1 Files/t"])


def boot_files():
    """The utility VM of a base layer, and its boot configuration as it was."""
    way = ["EFI", "EFI/Microsoft", "EFI/Microsoft/Boot"]
    boot = "UtilityVM/Files/EFI/Microsoft/Boot/"
    tree = base(UTILITY, *(directory("UtilityVM/Files/" + d) for d in way),
                member(boot + "BCD", b"one", sd=DESCRIPTOR, eas=[("EA", b"v")]), member(boot + "BCD.LOG", b"two"),
                member(boot + "BCD.LOG1"), member(boot + "bcd.log2", b"four"), member(boot + "bootmgfw.efi", b"five"))
    files = tree.layer()
    same(files[boot + "BCD"].data, security() + eas(("EA", b"v")) + content(b"one"))
    same(files[boot + "BCD"].how, "security")
    same(files["bcd.bak"].data, eas(("EA", b"v")) + content(b"one"))
    same(files["bcd.bak"].how, "backup")
    same([files[n].data for n in ("bcd.log.bak", "bcd.log1.bak", "bcd.log2.bak")],
         [content(b"two"), content(b""), content(b"four")])
    same(tree.calls[-2:], ["ProcessBaseImage", "ProcessUtilityImage"])


def staged(attributes, streams):
    return struct.pack("<I", attributes) + streams


def diff_layer():
    tree = good([FILES, HIVES, directory("Files/d", attr=0x12, sd=DESCRIPTOR, eas=[("E", b"v")]),
                 member("Files/d/a", b"data", attr=0x21, sd=DESCRIPTOR), member("Files/d/a:s", b"more"),
                 symlink("Files/l", "d\\a"), junction("Files/j", "C:\\d"), member("Hives/System_Delta", b"regf")],
                parents=1)
    stage = tree.layer(-2)
    same(sorted(stage), sorted(["Files", "Files.$wcidirs$", "Files/d", "Files/d.$wcidirs$", "Files/d/a", "Files/j",
                                "Files/j.$wcidirs$", "Files/l", "Hives", "Hives.$wcidirs$", "Hives/System_Delta"]))
    same(stage["Files.$wcidirs$"].data, staged(0x10, b""))
    same(stage["Files/d.$wcidirs$"].data, staged(0x12, security() + eas(("E", b"v"))))
    same(stage["Files/d/a"].data, staged(0x21, security() + content(b"data") + alternate("s", b"more")))
    same((stage["Files/d/a"].attributes, stage["Files/d/a"].how), (0, "content"))
    same(stage["Files/l"].data, staged(REPARSE, reparse("d\\a")))
    same(stage["Files/j.$wcidirs$"].data, staged(DIRECTORY | REPARSE, reparse("C:\\d", "\\??\\C:\\d", True)))
    same(stage["Files/j"].attributes, DIRECTORY)
    same((stage["Hives/System_Delta"].data, stage["Hives/System_Delta"].how), (content(b"regf"), "backup"))
    files = tree.layer()
    same(files["Files/d/a"].data, security() + content(b"data") + alternate("s", b"more"))
    same(files["Files/d/a"].attributes, 0x21)
    same(files["Files/j"].attributes, DIRECTORY | REPARSE)
    same(files["Hives/System_Delta"].data, content(b"regf"))
    # Nothing is done to the layer before Windows has imported it, and times come last.
    at = tree.calls.index("ImportLayer")
    same([c for c in tree.calls[:at] if "-1 " in c], [])
    same([c for c in tree.calls[at + 1:] if c.startswith("open")],
         [f"open -1 {p} old" for p in ("Files/d", "Hives", "Files")])
    same("ProcessBaseImage" in tree.calls, False)


def whiteouts():
    """They act after the import; one of a file that the same layer has means those below only."""
    tree = good([FILES, member("Files/.wh.gone"), directory("Files/d"), member("Files/d/.wh.x"), member("Files/both"),
                 member("Files/.wh.both"), member("Files/.wh.first"), member("Files/first", b"new"),
                 member("Files/unseen/deep/.wh.y"), member("Files/.wh.gone")],
                parents=1, below=["0:f:Files/gone", "0:f:Files/d/x", "0:f:Files/both", "0:f:Files/first",
                                  "-1:f:Files/gone", "-1:f:Files/d/x", "-1:f:Files/unseen/deep/y/z"])
    same(sorted(tree.layer()),
         ["Files", "Files/both", "Files/d", "Files/first", "Files/unseen", "Files/unseen/deep"])
    at = tree.calls.index("ImportLayer")
    same(tree.calls[at + 1:at + 5], ["remove -1 Files/gone", "remove -1 Files/d/x", "remove -1 Files/unseen/deep/y/z",
                                     "remove -1 Files/unseen/deep/y"])
    same(len(tree.layer(0)), 6)


def cross_links():
    """To this layer, to the nearest layer that has the file, and in a chain; made after the import."""
    tree = good([FILES, directory("Files/d"), member("Files/d/own", b"1"), hardlink("Files/z", "Files/d/own"),
                 hardlink("Files/y", "Files/win.dll"), hardlink("Files/x", "Files/deep/only1"),
                 hardlink("Files/w", "Files/y")],
                parents=2, below=["0:f:Files/WIN.DLL", "1:f:Files/win.dll", "1:f:Files/deep/only1"])
    at = tree.calls.index("ImportLayer")
    same([c for c in tree.calls if c.startswith("link")],
         ["link -1 Files/d/own -1 Files/z", "link 0 Files/win.dll -1 Files/y", "link 1 Files/deep/only1 -1 Files/x",
          "link -1 Files/y -1 Files/w"])
    same([c for c in tree.calls[:at] if c.startswith("link")], [])
    files = tree.layer()
    same(files["Files/w"].object, tree.files[0, "Files/WIN.DLL"].object)
    same(files["Files/x"].object, tree.files[1, "Files/deep/only1"].object)


BELOW = ["0:f:UtilityVM/Files/EFI/Microsoft/Boot/BCD", "0:f:UtilityVM/Files/Windows/a", "0:f:UtilityVM/Files/Windows/b",
         "0:j:UtilityVM/Files/junction", "0:f:UtilityVM/Files/old/x", "0:f:UtilityVM/Files/dir/y"]


def utility_clone():
    """Files are linked; directories, reparse points and what the import changes are copied."""
    tree = good([FILES, UTILITY], parents=1, below=BELOW)
    files, below = tree.layer(), tree.layer(0)
    vm = "UtilityVM/Files/"
    same(files[vm + "Windows/a"].object, below[vm + "Windows/a"].object)
    for name in ("EFI/Microsoft/Boot/BCD", "junction", "Windows"):
        same(files[vm + name].object != below[vm + name].object, True, name)
    same(files[vm + "junction"].attributes, DIRECTORY | REPARSE)
    same({p for p in below if p.startswith(vm)} - set(files), set())
    same(tree.calls[-1], "ProcessUtilityImage")


def utility_diff():
    """Entries replace what was cloned; the layer below stays as it was."""
    vm = "UtilityVM/Files/"
    before = good([FILES, UTILITY], parents=1, below=BELOW).layer(0)
    tree = good([FILES, UTILITY, member(vm + "Windows/a", b"new", sd=DESCRIPTOR), member(vm + "Windows/.wh.b"),
                 directory(vm + "Windows", attr=0x10), directory(vm + "junction"), member(vm + "junction/f", b"f"),
                 member(vm + "old", b"a file now"), member(vm + ".wh.dir"), hardlink(vm + "c", vm + "Windows/a"),
                 hardlink(vm + "d", vm + "EFI/Microsoft/Boot/BCD"),
                 member(vm + "EFI/Microsoft/Boot/BCD", b"boot")], parents=1, below=BELOW)
    files = tree.layer()
    same(files[vm + "Windows/a"].data, security() + content(b"new"))
    same(files[vm + "old"].data, content(b"a file now"))
    same(files[vm + "junction"].attributes, DIRECTORY)
    same(files[vm + "junction/f"].data, content(b"f"))
    same([p for p in files if p.startswith((vm + "dir", vm + "Windows/b", vm + "old/"))], [])
    same(files[vm + "c"].object, files[vm + "Windows/a"].object)
    same(files["bcd.bak"].data, content(b"boot"))
    same(tree.layer(0).keys(), before.keys())
    same({p: f._replace(object=0) for p, f in tree.layer(0).items()},
         {p: f._replace(object=0) for p, f in before.items()})
    same([p for p in tree.layer(-2) if "Utility" in p], [])


def whiteout_alone_clones():
    tree = good([FILES, member("UtilityVM/Files/Windows/.wh.b")], parents=1, below=BELOW)
    same("UtilityVM/Files/Windows/b" in tree.layer(), False)
    same("UtilityVM/Files/Windows/a" in tree.layer(), True)
    same(tree.calls[-1], "ProcessUtilityImage")


TESTS = [base_layer, all_streams, times, sddl, sparse, names, base_links, boot_files, diff_layer, whiteouts,
         cross_links, utility_clone, utility_diff, whiteout_alone_clones]
for test in TESTS:
    try:
        test()
    except AssertionError as failure:
        sys.exit(f"{test.__name__}: {failure}")
print(f"{len(TESTS)} kinds of layers")
