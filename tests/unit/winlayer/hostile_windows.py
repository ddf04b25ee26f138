# SPDX-License-Identifier: Apache-2.0
"""Windows layers that attack whoever imports them, and the whole of what each is told.

ATTACKS: name -> (message, members, layers below it has). {} in a message is the path, quoted."""
import struct

import layers
from wintar import *

NEAR = "0:f:Files/a"  # what a layer below has
BELOW = [NEAR, "0:d:Files/dir", "0:j:Files/junction", "0:f:UtilityVM/Files/f", "0:f:UtilityVM/Files/deep/f",
         "0:j:UtilityVM/Files/junction"]
ATTACKS = {}


def base(name, message, *parts):
    ATTACKS[name] = (message, [FILES, HIVES, *parts], [])


def diff(name, message, *parts):
    ATTACKS[name] = (message, [FILES, HIVES, *parts], BELOW)


def path(name, raw, why, **kw):
    """A file of this path, in a base layer and in one with others below it."""
    shown = kw.pop("shown", raw)
    base(name, f"'{shown}': {why}", member(raw, b"x", **kw))
    diff(name + "-diff", f"'{shown}': {why}", member(raw, b"x", **kw))


# ---- Paths ----
OUTSIDE = "a path outside of Files, Hives and UtilityVM/Files, where a Windows layer has all"
path("dotdot", "Files/../../evil", "a path with '..'")
path("dotdot-end", "Files/..", "a path with '..'")
path("dotdot-first", "../evil", "a path with '..'")
path("absolute", "/Files/evil", "an absolute path")
path("absolute-backslash", "\\Windows\\evil", "an absolute path", shown="\\x5cWindows\\x5cevil")
path("unc", "\\\\server\\share\\evil", "an absolute path", shown="\\x5c\\x5cserver\\x5cshare\\x5cevil")
path("unc-slashes", "//server/share/evil", "an absolute path")
path("device-namespace", "\\\\?\\C:\\evil", "an absolute path", shown="\\x5c\\x5c?\\x5cC:\\x5cevil")
path("nt-namespace", "\\??\\C:\\evil", "an absolute path", shown="\\x5c??\\x5cC:\\x5cevil")
path("drive", "C:/Windows/evil", "a path with a drive")
path("drive-relative", "c:evil", "a path with a drive")
path("drive-inside", "Files/C:/evil", "a colon in a name")
path("backslash", "Files/a\\b", "a backslash in a name", shown="Files/a\\x5cb")
path("backslash-climbs", "Files/..\\..\\evil", "a backslash in a name", shown="Files/..\\x5c..\\x5cevil")
path("backslash-top", "Files\\evil", "a backslash in a name", shown="Files\\x5cevil")
path("outside", "Windows/evil", OUTSIDE)
path("outside-disk", "sandbox.vhdx", OUTSIDE)
path("outside-backup", "bcd.bak", OUTSIDE)
path("outside-tombstones", "tombstones.txt", OUTSIDE)
path("outside-chain", "layerchain.json", OUTSIDE)
path("outside-case", "files/evil", OUTSIDE)
path("outside-prefix", "FilesX/evil", OUTSIDE)
path("utility-template", "UtilityVM/SystemTemplate.vhdx", OUTSIDE)
path("utility-outside", "UtilityVM/evil", OUTSIDE)
path("no-name", "./", "a path without a name")
path("deep", "Files/" + "d/" * 300 + "f", "a path that is too long or too deep",
     shown=("Files/" + "d/" * 300)[:152] + "...")
path("long", "Files/" + ("x" * 200 + "/") * 30 + "f", "a path that is too long or too deep",
     shown=("Files/" + "x" * 200)[:152] + "...")

# ---- Names ----
DEVICE = "the name of a device"
for number, device in enumerate(["CON", "nul", "Prn", "AUX.txt", "COM1", "com9.tar.gz", "LPT1", "NUL .txt", "CONIN$",
                                 "conout$", "lpt0", "nul.", "con "]):
    ends = device[-1] in ". "
    path(f"device-{number}", "Files/" + device, "a name that ends with a dot or a blank" if ends else DEVICE)
path("device-superscript", "Files/COM\u00b9", DEVICE, shown="Files/COM\\xc2\\xb9")
path("device-directory", "Files/nul/x", DEVICE)
path("trailing-dot", "Files/evil.", "a name that ends with a dot or a blank")
path("trailing-blank", "Files/evil ", "a name that ends with a dot or a blank")
path("trailing-dots", "Files/...", "a name that ends with a dot or a blank")
path("trailing-dot-directory", "Files/d./evil", "a name that ends with a dot or a blank")
path("trailing-dot-stream", "Files/evil.:stream", "a name that ends with a dot or a blank")
path("control", "Files/a\x1fb", "a control character in a name", shown="Files/a\\x1fb")
path("newline", "Files/a\nb", "a control character in a name", shown="Files/a\\x0ab")
for number, character in enumerate('"*<>?|'):
    path(f"wildcard-{number}", f"Files/a{character}b", "a character that no name may have")
UTF = "a name that is not UTF-8"
path("utf8-lone", b"Files/\xff", UTF, shown="Files/\\xff")
path("utf8-overlong", b"Files/\xc0\xafx", UTF, shown="Files/\\xc0\\xafx")
path("utf8-surrogate", b"Files/\xed\xa0\x80", UTF, shown="Files/\\xed\\xa0\\x80")
path("utf8-cut", b"Files/x\xe2\x82", UTF, shown="Files/x\\xe2\\x82")
path("utf8-beyond", b"Files/\xf4\x90\x80\x80", UTF, shown="Files/\\xf4\\x90\\x80\\x80")
path("name-units", "Files/" + "y" * 256, "a name of more than 255 characters of UTF-16",
     shown=("Files/" + "y" * 256)[:152] + "...")
path("name-units-pairs", "Files/" + "\U0001f600" * 128, "a name of more than 255 characters of UTF-16",
     shown="Files/" + "\\xf0\\x9f\\x98\\x80" * 9 + "\\xf0...")
path("mark", "Files/d.$wcidirs$", "a name that the import itself uses")
path("mark-case", "Files/d.$WCIdirs$", "a name that the import itself uses")
diff("mark-hidden", "'Files/.wh.d.$wcidirs$': a name that the import itself uses", member("Files/.wh.d.$wcidirs$"))

# ---- Case ----
path("case-file", "Files/A", "the layer has 'Files/a' already")
ATTACKS["case-file"][1].insert(2, member("Files/a"))
ATTACKS["case-file-diff"][1].insert(2, member("Files/a"))
base("case-greek", "'Files/\\xce\\xa3': the layer has 'Files/\\xcf\\x82' already", member("Files/\u03c2"),
     member("Files/\u03a3"))
base("case-directory", "'Files/DIR/x': its directory is written 'Files/dir' elsewhere", directory("Files/dir"),
     member("Files/DIR/x"))
base("case-directories", "'Files/DIR': the layer has 'Files/dir' already", directory("Files/dir"),
     directory("Files/DIR"))
base("case-link", "'Files/J': the layer has 'Files/j' already", junction("Files/j", "C:\\Windows"),
     directory("Files/J"))
base("twice", "'Files/a': the layer has 'Files/a' already", member("Files/a"), member("Files/a"))
base("top-twice", "'Files': the layer has 'Files' already", directory("Files"))

# ---- Streams ----
LATE = "a stream that does not follow its file"
path("stream-alone", "Files/a:s", LATE)
base("stream-late", f"'Files/a:s': {LATE}", member("Files/a"), member("Files/b"), member("Files/a:s", b"x"))
base("stream-case", f"'Files/A:s': {LATE}", member("Files/a"), member("Files/A:s", b"x"))
base("stream-of-link-target", f"'Files/l:s': {LATE}", member("Files/a"), hardlink("Files/l", "Files/a"),
     member("Files/l:s", b"x"))
base("stream-twice", "'Files/a:S': a stream that is there twice", member("Files/a"), member("Files/a:s", b"x"),
     member("Files/a:S", b"x"))
base("stream-empty", "'Files/a:': a stream without a name", member("Files/a"), member("Files/a:", b"x"))
base("stream-type", "'Files/a:s:$DATA': a colon in a name", member("Files/a"), member("Files/a:s:$DATA", b"x"))
base("stream-index", "'Files:$I30:$INDEX_ALLOCATION': a colon in a name", member("Files:$I30:$INDEX_ALLOCATION", b"x"))
base("stream-path", "'Files/a:s/b': a colon in a name", member("Files/a"), member("Files/a:s/b", b"x"))
base("stream-backslash", "'Files/a:s\\x5cb': a backslash in a name", member("Files/a"), member("Files/a:s\\b", b"x"))
base("stream-directory", "'Files/a:s': a stream that is no file", member("Files/a"), directory("Files/a:s"))
base("stream-link", "'Files/a:s': a stream that is no file", member("Files/a"), symlink("Files/a:s", "x"))
base("streams-many", "'Files/a:s64': more streams than a file may have", member("Files/a"),
     *(member(f"Files/a:s{i}", b"x") for i in range(65)))

# ---- What is on the way ----
NOT_DIRECTORY = "below what is no directory in this layer"
for how, parent in [("symlink", symlink("Files/l", "C:\\Windows", attr=DIRECTORY | REPARSE)),
                    ("symlink-relative", symlink("Files/l", "..\\..\\..\\Windows")),
                    ("junction", junction("Files/l", "C:\\Windows")), ("file", member("Files/l", b"x"))]:
    base("below-" + how, f"'Files/l/evil': {NOT_DIRECTORY}", parent, member("Files/l/evil", b"x"))
    diff("below-" + how + "-diff", f"'Files/L/evil': {NOT_DIRECTORY}", parent, member("Files/L/evil", b"x"))
base("no-parent", "'Files/d/evil': its directory has no entry before it", member("Files/d/evil", b"x"))
diff("no-parent-diff", "'Files/junction/evil': its directory has no entry before it",
     member("Files/junction/evil", b"x"))
ATTACKS["no-top"] = ("'Files/evil': its directory has no entry before it", [member("Files/evil", b"x")], [])
ATTACKS["no-files"] = ("the layer has no directory Files: is it a Windows layer?", [HIVES], [])
ATTACKS["no-files-diff"] = ("the layer has no directory Files: is it a Windows layer?", [HIVES], BELOW)
ATTACKS["no-hives"] = ("the base layer has no directory Hives", [FILES], [])
ATTACKS["empty"] = ("the layer has no directory Files: is it a Windows layer?", [], [])
ATTACKS["linux"] = (f"'etc/passwd': {OUTSIDE}", [member("etc/passwd", b"root")], [])
for how, top in [("file", member), ("link", lambda p: symlink(p, "C:\\")), ("hard", lambda p: hardlink(p, "Files/a"))]:
    for name in ("Files", "Hives", "UtilityVM"):
        ATTACKS[f"top-{how}-{name}"] = (f"'{name}': a part of the layer that is no directory", [top(name)], [])
ATTACKS["top-junction"] = ("'Files': a part of the layer that is no directory", [junction("Files", "C:\\Windows")], [])
base("utility-fs-link", "'UtilityVM/Files': a part of the layer that is no directory", directory("UtilityVM"),
     junction("UtilityVM/Files", "C:\\Windows"))
base("hive-link", "'Hives/SAM': a link among the hives", symlink("Hives/SAM", "C:\\Windows\\System32\\config\\SAM"))
base("hive-hard", "'Hives/SAM': a link among the hives", hardlink("Hives/SAM", "Files/a"))
diff("utility-alone", "'UtilityVM/Files/x': part of a utility VM that the layer does not have",
     member("UtilityVM/Files/x", b"x"))
diff("utility-junction", "'UtilityVM/Files/junction/x': its directory is neither in this layer nor below", UTILITY,
     member("UtilityVM/Files/junction/x", b"x"))
diff("utility-through", "'UtilityVM/Files/junction/d': a reparse point or file on the way", UTILITY,
     member("UtilityVM/Files/junction/d/x", b"x"))
diff("utility-file", "'UtilityVM/Files/f/x': its directory is neither in this layer nor below", UTILITY,
     member("UtilityVM/Files/f/x", b"x"))
diff("utility-missing", "'UtilityVM/Files/none/x': its directory is neither in this layer nor below", UTILITY,
     member("UtilityVM/Files/none/x", b"x"))
ATTACKS["utility-none-below"] = ("the utility VM of the layer below: 'UtilityVM/Files': no directory on the way",
                                 [FILES, UTILITY], [NEAR])
ATTACKS["utility-junction-below"] = (
    "the utility VM of the layer below: 'UtilityVM/Files': no directory in the layer below", [FILES, UTILITY],
    ["0:j:UtilityVM/Files"])
for kind, byte in [("char", b"3"), ("block", b"4"), ("fifo", b"6")]:
    base("device-node-" + kind, "'Files/n': a device node or pipe, which Windows layers do not have",
         member("Files/n", kind=byte))

# ---- Hard links ----
def link(name, target, why, *before, **kw):
    shown = kw.get("shown", target)
    base(name, f"'Files/evil': hard link to '{shown}': {why}", *before, hardlink("Files/evil", target))
    diff(name + "-diff", f"'Files/evil': hard link to '{shown}': {why}", *before, hardlink("Files/evil", target))


NOWHERE = "neither in the layer before it nor in one below"
link("hard-dotdot", "../../Windows/System32/config/SAM", "a path with '..'")
link("hard-absolute", "/Windows/win.ini", "an absolute path")
link("hard-drive", "C:/Windows/win.ini", "a path with a drive")
link("hard-unc", "\\\\server\\share", "an absolute path", shown="\\x5c\\x5cserver\\x5cshare")
link("hard-outside", "bcd.bak", OUTSIDE)
link("hard-missing", "Files/none", NOWHERE)
link("hard-self", "Files/evil", NOWHERE)
link("hard-directory", "Files/d", "a directory", directory("Files/d"))
link("hard-junction", "Files/j", "a directory", junction("Files/j", "C:\\Windows"))
link("hard-top", "Files", "nothing that has a second name")
link("hard-hive", "Hives/SAM", "nothing that has a second name", member("Hives/SAM", b"x"))
link("hard-stream", "Files/b:s", "no file", member("Files/b"))
link("hard-whiteout", "Files/.wh.b", "no file", member("Files/b"))
base("hard-later", f"'Files/evil': hard link to 'Files/b': {NOWHERE}", hardlink("Files/evil", "Files/b"),
     member("Files/b"))
base("hard-below-link", "'Files/evil': hard link to 'Files/j/win.ini': " + NOWHERE, junction("Files/j", "C:\\Windows"),
     hardlink("Files/evil", "Files/j/win.ini"))
diff("hard-directory-below", "'Files/evil': hard link to 'Files/dir': a directory", hardlink("Files/evil", "Files/dir"))
diff("hard-junction-below", "'Files/evil': hard link to 'Files/junction': a directory",
     hardlink("Files/evil", "Files/junction"))
diff("hard-through-below", "'Files/junction/win.ini': a reparse point or file on the way",
     hardlink("Files/evil", "Files/junction/win.ini"))
diff("hard-hidden", "'Files/evil': hard link to 'Files/a': hidden by this layer", member("Files/.wh.a"),
     hardlink("Files/evil", "Files/a"))
base("hard-over", "'Files/A': the layer has 'Files/a' already", member("Files/a"), member("Files/b"),
     hardlink("Files/A", "Files/b"))

# ---- Whiteouts ----
base("whiteout-base", "'Files/.wh.a': a whiteout in a base layer, which hides nothing", member("Files/.wh.a"))
for name in (".wh.", ".wh..", ".wh..."):
    diff("whiteout" + name, f"'Files/{name}': a whiteout of no name, '.' or '..'", member("Files/" + name))
diff("whiteout-opaque", "'Files/.wh..wh..opq': a mark that Windows layers do not have: a directory cannot be opaque",
     member("Files/.wh..wh..opq"))
diff("whiteout-hive", "'Hives/.wh.SAM': a whiteout outside of Files and UtilityVM/Files", member("Hives/.wh.SAM"))
diff("whiteout-top", "'.wh.Files': a whiteout outside of Files and UtilityVM/Files", member(".wh.Files"))
diff("whiteout-utility", "'UtilityVM/.wh.Files': a whiteout outside of Files and UtilityVM/Files",
     member("UtilityVM/.wh.Files"))
diff("whiteout-outside", "'.wh.sandbox.vhdx': " + OUTSIDE, member(".wh.sandbox.vhdx"))
diff("whiteout-backslash", "'Files/.wh.a\\x5cb': a backslash in a name", member("Files/.wh.a\\b"))
diff("whiteout-stream", "'Files/.wh.a:s': a colon in a name", member("Files/.wh.a:s"))
diff("whiteout-data", "'Files/.wh.a': a whiteout that is no empty file", member("Files/.wh.a", b"x"))
diff("whiteout-directory", "'Files/.wh.a': a whiteout that is no empty file", directory("Files/.wh.a"))
diff("whiteout-below", "'Files/.wh.a/b': an entry below a whiteout", member("Files/.wh.a/b"))
diff("whiteout-through", f"'Files/j/.wh.x': {NOT_DIRECTORY}", junction("Files/j", "C:\\Windows"),
     member("Files/j/.wh.x"))
diff("whiteout-deep", f"'Files/j/a/b/.wh.x': {NOT_DIRECTORY}", junction("Files/j", "C:\\Windows"),
     member("Files/j/a/b/.wh.x"))
diff("whiteout-then-directory", "'Files/a': a directory that the same layer hides", member("Files/.wh.a"),
     directory("Files/a"))
diff("directory-then-whiteout", "'Files/.wh.D': a whiteout of a directory that the same layer has",
     directory("Files/d"), member("Files/.wh.D"))
diff("whiteout-utility-none", "'UtilityVM/Files/.wh.none': a whiteout of what no layer below has",
     member("UtilityVM/Files/.wh.none"))
diff("whiteout-utility-through", "'UtilityVM/Files/junction/x': a reparse point or file on the way",
     member("UtilityVM/Files/junction/.wh.x"))

# ---- Links' targets ----
NAMESPACE = "a target in the namespace of devices"
STREAM = "a target with a stream, or relative to a drive"
for number, (target, why) in enumerate([
        ("\\\\.\\PhysicalDrive0", NAMESPACE), ("\\??\\C:\\x", NAMESPACE), ("\\\\?\\GLOBALROOT\\Device", NAMESPACE),
        ("//?/GLOBALROOT/Device", NAMESPACE), ("\\\\?\\pipe\\x", NAMESPACE), ("C:x", STREAM), ("a:b", STREAM),
        ("C:\\a:s", STREAM), ("\\\\?\\C:\\a:s", STREAM), ("xC:\\a", STREAM), ("a\x01", "a control character in the target"),
        (b"\xff", "a target that is not UTF-8"), ("x" * 5000, "a target that is too long")]):
    base(f"target-{number}", f"'Files/l': {why}", symlink("Files/l", target))
NO_VOLUME = "a mount point to what is no directory of a volume"
for number, (target, why) in enumerate([
        ("relative", NO_VOLUME), ("\\rooted", NO_VOLUME), ("\\\\server\\share", NO_VOLUME),
        ("\\\\?\\UNC\\server\\share", NAMESPACE), ("\\\\?\\Volume{not-a-guid}\\", NAMESPACE)]):
    base(f"junction-{number}", f"'Files/l': {why}", junction("Files/l", target))
base("mount-point-file", "'Files/a': a mount point that is not a link",
     member("Files/a", records=[("MSWINDOWS.mountpoint", "1")]))
base("mount-point-value", "'Files/a': MSWINDOWS.mountpoint: a value other than 1",
     symlink("Files/a", "C:\\", records=[("MSWINDOWS.mountpoint", "yes")]))

# ---- Attributes ----
def record(name, key, value, why, **kw):
    base(name, f"'Files/a': {key}: {why}", member("Files/a", records=[(key, value)], **kw))


for number, value in enumerate(["", "-1", "0x20", "4294967296", " 32", "99999999999999999999"]):
    record(f"attributes-{number}", "MSWINDOWS.fileattr", value, "no number of 32 bits")
FAKED = "a file with the attributes of a directory or a link"
base("attributes-directory", f"'Files/a': {FAKED}", member("Files/a", b"x", attr=0x10))
base("attributes-reparse", f"'Files/a': {FAKED}", member("Files/a", b"x", attr=0x400))
base("attributes-device", "'Files/a': the attributes of a device", member("Files/a", attr=0x40))
base("attributes-no-directory", "'Files/d': a directory without the attribute of one", directory("Files/d", attr=0x20))
base("attributes-directory-reparse", "'Files/d': a directory that is a reparse point without its data",
     directory("Files/d", attr=0x410))
for key in ("atime", "ctime", "LIBARCHIVE.creationtime"):
    for number, value in enumerate(["x", "-99999999999", "999999999999999999", "1.x"]):
        record(f"{key}-{number}", key, value, "no time that Windows has")
base("mtime", "'Files/a': a time that Windows does not have", member("Files/a", records=[("mtime", "-11644473601")]))
record("unknown", "MSWINDOWS.future", "x", "an unknown property of Windows files")
base("too-many", "'Files/a': too many properties of Windows",
     member("Files/a", records=[(f"MSWINDOWS.xattr.E{i}", "AA==") for i in range(80)]))

# ---- Descriptors ----
BASE64 = "not base64"
for number, value in enumerate(["", "A", "AAA", "AAAA=AAA", "AA=A", "AA\nAA==", "!!!!", b64(DESCRIPTOR)[:-1], b64(DESCRIPTOR) + "x"]):
    record(f"base64-{number}", "MSWINDOWS.rawsd", value, BASE64)


def descriptor(name, data, why="no self-relative security descriptor"):
    record("descriptor-" + name, "MSWINDOWS.rawsd", b64(data), why)


def header(owner=0, group=0, sacl=0, dacl=0, revision=1, control=0x8000):
    return struct.pack("<BBHIIII", revision, 0, control, owner, group, sacl, dacl)


SID = bytes([1, 1, 0, 0, 0, 0, 0, 1]) + bytes(4)
descriptor("short", header()[:19])
descriptor("revision", header(revision=2))
descriptor("absolute", header(control=0x0004))
descriptor("owner-outside", header(owner=4096) + SID)
descriptor("owner-in-header", header(owner=8) + SID)
descriptor("owner-odd", header(owner=21) + b"\0" + SID)
descriptor("owner-cut", header(owner=20) + SID[:-1])
descriptor("owner-huge", header(owner=20) + bytes([1, 255]) + SID)
descriptor("group-revision", header(group=20) + b"\2" + SID[1:])
descriptor("list-outside", header(dacl=20) + struct.pack("<BBHHH", 2, 0, 4096, 0, 0))
descriptor("list-short", header(dacl=20) + struct.pack("<BBHHH", 2, 0, 7, 0, 0))
descriptor("list-revision", header(sacl=20) + struct.pack("<BBHHH", 9, 0, 8, 0, 0))
descriptor("entries-more", header(dacl=20) + struct.pack("<BBHHH", 2, 0, 8, 1, 0))
descriptor("entry-zero", header(dacl=20) + struct.pack("<BBHHH", 2, 0, 12, 1, 0) + bytes(4))
descriptor("entry-long", header(dacl=20) + struct.pack("<BBHHHBBH", 2, 0, 12, 1, 0, 0, 0, 400))
descriptor("entry-odd", header(dacl=20) + struct.pack("<BBHHHBBH", 2, 0, 20, 1, 0, 0, 0, 7) + bytes(8))
descriptor("large", DESCRIPTOR + bytes(64 << 10))
record("descriptor-giant", "MSWINDOWS.rawsd", b64(DESCRIPTOR + bytes(200000)), "a security descriptor that is too large")
record("sddl-empty", "MSWINDOWS.sd", "", "empty or too long")
record("sddl-control", "MSWINDOWS.sd", "O:WD\x01", "a character that the descriptor language does not have")
record("sddl-nul", "MSWINDOWS.sd", b"O:WD\0", "a character that the descriptor language does not have")
base("sddl-wrong", "'Files/a': MSWINDOWS.sd: no security descriptor",
     member("Files/a", records=[("MSWINDOWS.sd", "O:??")]))

# ---- Extended attributes ----
def ea(name, message, *pairs):
    base("ea-" + name, f"'Files/a': {message}", member("Files/a", eas=pairs))


ea("no-name", "MSWINDOWS.xattr.: a name of no bytes, or of more than 254", ("", b"x"))
ea("long-name", f"{('MSWINDOWS.xattr.' + 'N' * 255)[:152]}...: a name of no bytes, or of more than 254", ("N" * 255, b"x"))
ea("bad-name", "MSWINDOWS.xattr.A:B: a character that no name of an extended attribute may have", ("A:B", b"x"))
ea("twice", "MSWINDOWS.xattr.a: there twice", ("A", b"x"), ("a", b"y"))
ea("large", "MSWINDOWS.xattr.A: more extended attributes than a file may have", ("A", bytes(65536)))
ea("large-together", "MSWINDOWS.xattr.E3: more extended attributes than a file may have",
   *((f"E{i}", bytes(20000)) for i in range(4)))
record("ea-base64", "MSWINDOWS.xattr.A", "*", BASE64)

# ---- The archive itself ----
ATTACKS["global-records"] = ("'Files/a': a file with the attributes of a directory or a link", [
    FILES, HIVES, layers.pax([("MSWINDOWS.fileattr", "16")], kind=b"g"), member("Files/a", attr=0x10)], [])
