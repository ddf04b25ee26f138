# SPDX-License-Identifier: Apache-2.0
"""Members of Windows layers, what NTFS has for them, and what the tool says of an import."""
import base64
import collections
import struct
import subprocess

import layers

DIRECTORY, REPARSE = 0x10, 0x400
MTIME = 1000000000
EPOCH = 11644473600
#             revision, self-relative, owner at 20: S-1-1-0
DESCRIPTOR = struct.pack("<BBHIIII", 1, 0, 0x8000, 20, 0, 0, 0) + bytes([1, 1, 0, 0, 0, 0, 0, 1]) + bytes(4)
File = collections.namedtuple("File", "object attributes created accessed written changed how data")


def filetime(seconds):
    return round((seconds + EPOCH) * 10**7)


def b64(data):
    return base64.b64encode(data).decode()


def member(name, data=b"", kind=b"0", link=None, attr=None, sd=None, eas=(), records=(), mtime=MTIME):
    """Long names and links go into the PAX header, like all that is Windows'."""
    name = name if isinstance(name, bytes) else name.encode()
    link = link if isinstance(link, (bytes, type(None))) else link.encode()
    pax = [("path", name)] + list(records)
    if link is not None:
        pax.append(("linkpath", link))
    if attr is not None:
        pax.append(("MSWINDOWS.fileattr", attr))
    if sd is not None:
        pax.append(("MSWINDOWS.rawsd", b64(sd)))
    pax += [("MSWINDOWS.xattr." + key, b64(value)) for key, value in eas]
    return layers.pax(pax) + layers.entry(b"short", data, kind, mtime=mtime, link=b"l" if link is not None else b"")


def directory(name, **kw):
    return member(name, kind=b"5", **kw)


def symlink(name, target, **kw):
    return member(name, kind=b"2", link=target, **kw)


def junction(name, target, **kw):
    kw.setdefault("attr", DIRECTORY | REPARSE)
    return symlink(name, target, records=[("MSWINDOWS.mountpoint", "1")], **kw)


def hardlink(name, target, **kw):
    return member(name, kind=b"1", link=target, **kw)


FILES, HIVES = directory("Files"), directory("Hives")
UTILITY = directory("UtilityVM") + directory("UtilityVM/Files")


# ---- What NTFS has ----

def stream(kind, data, name=""):
    name = name.encode("utf-16-le")
    return struct.pack("<IIQI", kind, 0, len(data), len(name)) + name + data


def security(data=DESCRIPTOR):
    return stream(3, data)


def content(data):
    return stream(1, data)


def alternate(name, data):
    return stream(4, data, f":{name}:$DATA")


def eas(*pairs):
    out = b""
    for i, (name, value) in enumerate(pairs):
        one = struct.pack("<BBH", 0, len(name), len(value)) + name.encode() + b"\0" + value
        size = (4 + len(one) + 3) // 4 * 4
        out += (struct.pack("<I", size if i + 1 < len(pairs) else 0) + one).ljust(size, b"\0")
    return stream(2, out)


def reparse(target, substitute=None, mount_point=False):
    relative = substitute is None
    names = [text.encode("utf-16-le") for text in (target if relative else substitute, target)]
    head = struct.pack("<HHHH", 0, len(names[0]), len(names[0]) + 2, len(names[1]))
    if not mount_point:
        head += struct.pack("<I", 1 if relative else 0)
    body = head + names[0] + b"\0\0" + names[1] + b"\0\0"
    return stream(8, struct.pack("<IHH", 0xA0000003 if mount_point else 0xA000000C, len(body), 0) + body)


# ---- The tool ----

class Result:
    def __init__(self, text):
        lines = text.split("\n")
        self.outcome = lines[0]
        self.calls = [line[2:] for line in lines[1:] if line.startswith("J ")]
        self.files = {}
        for line in lines[1:]:
            if line.startswith("T "):
                root, rest = line[2:].split(" ", 1)
                path, rest = rest.split(" #", 1)
                fields = rest.split(" ")
                self.files[int(root), path] = File(int(fields[0]), int(fields[1], 16), *map(int, fields[2:6]),
                                                   fields[6], bytes.fromhex(fields[7]))

    def layer(self, root=-1):
        return {path: file for (where, path), file in self.files.items() if where == root}


def run(tool, parts, parents=0, below=(), fail_at=0):
    done = subprocess.run([tool, str(parents), str(fail_at), *below], input=layers.tar(*parts),
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60, check=False)
    if done.returncode != 0:
        raise AssertionError(f"the tool ended with {done.returncode}: {done.stderr.decode(errors='replace')}")
    return Result(done.stdout.decode("utf-8", "surrogateescape"))
