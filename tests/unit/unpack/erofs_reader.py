# SPDX-License-Identifier: Apache-2.0
"""A strict reader of uncompressed EROFS images, written from the kernel's description of the format:
every rule that a reader relies on is checked, whatever else the image says."""
import hashlib
import os
import stat
import struct
import sys

BLOCK = 4096
XATTR_PREFIX = {1: "user.", 2: "system.posix_acl_access", 3: "system.posix_acl_default", 4: "trusted.",
                6: "security."}
DIRENT_TYPE = {1: stat.S_IFREG, 2: stat.S_IFDIR, 3: stat.S_IFCHR, 4: stat.S_IFBLK, 5: stat.S_IFIFO,
               6: stat.S_IFSOCK, 7: stat.S_IFLNK}


class Wrong(Exception):
    pass


def need(condition, text):
    if not condition:
        raise Wrong(text)


def remainder(crc):
    for _ in range(8):
        crc = crc >> 1 ^ (0x82f63b78 if crc & 1 else 0)
    return crc


REMAINDERS = [remainder(byte) for byte in range(256)]


def crc32c(data):
    crc = 0xffffffff
    for byte in data:
        crc = crc >> 8 ^ REMAINDERS[(crc ^ byte) & 0xff]
    return crc


class Inode:
    def __init__(self, image, nid):
        at = nid * 32
        raw = image.data[at:at + 64]
        need(len(raw) == 64, f"inode {nid} beyond the end")
        (form, self.icount, self.mode, reserved, self.size, self.start, self.ino, self.uid, self.gid,
         self.mtime, self.mtime_ns, self.nlink) = struct.unpack("<HHHHQIIIIqII", raw[:48])
        need(form & 1 == 1 and form >> 1 in (0, 2), f"inode {nid} has format {form}")
        need(reserved == 0 and raw[48:] == bytes(16), f"inode {nid}: reserved bytes are set")
        need(self.mtime_ns < 10**9, f"inode {nid}: {self.mtime_ns} ns")
        self.nid, self.inline = nid, form >> 1 == 2
        self.xattr_size = 12 + 4 * (self.icount - 1) if self.icount else 0
        self.body = at + 64 + self.xattr_size


class Image:
    def __init__(self, path):
        with open(path, "rb") as f:
            self.data = f.read()
        sb = self.data[1024:1152]
        (magic, checksum, compat, bits, slots, root, self.inodes, epoch, fixed, blocks, meta, shared) = \
            struct.unpack("<IIIBBHQQIIII", sb[:48])
        need(magic == 0xe0f5e1e2 and bits == 12 and slots == 0 and meta == 0, "superblock")
        need(compat == 3 and epoch == 0 and fixed == 0, "features")
        need(sb[80:] == bytes(48), "superblock: unknown fields are set")
        need(blocks * BLOCK == len(self.data), f"{blocks} blocks of {len(self.data)} bytes")
        block = bytearray(self.data[1024:BLOCK])
        block[4:8] = bytes(4)
        need(crc32c(block) == checksum, "checksum")
        self.shared, self.root = shared * BLOCK, root
        self.seen, self.links, self.used = {}, {}, {}

    def content(self, i):
        whole = i.size // BLOCK * BLOCK if i.inline else i.size
        start = i.start * BLOCK
        data = self.data[start:start + whole]
        need(len(data) == whole, f"inode {i.nid}: content beyond the end")
        rest = i.size - whole if i.inline else 0
        if i.inline:
            need(0 < rest < BLOCK, f"inode {i.nid}: inline without a rest")
            need(i.body // BLOCK == (i.body + rest - 1) // BLOCK, f"inode {i.nid}: rest across blocks")
            data += self.data[i.body:i.body + rest]
        self.claim(i.nid * 32, 64 + i.xattr_size + rest, i.nid)
        if whole:
            self.claim(start, -(-whole // BLOCK) * BLOCK, i.nid)
        return data

    def claim(self, start, size, nid):
        """No two things may lie at one place."""
        for slot in range(start // 32, -(-(start + size) // 32)):
            need(self.used.setdefault(slot, nid) == nid, f"inodes {nid} and {self.used[slot]} overlap")

    def entry(self, at):
        name_len, index, size = struct.unpack("<BBH", self.data[at:at + 4])
        need(index in XATTR_PREFIX, f"attribute of name space {index}")
        name = XATTR_PREFIX[index] + self.data[at + 4:at + 4 + name_len].decode("latin-1")
        value = self.data[at + 4 + name_len:at + 4 + name_len + size]
        return name, value, (4 + name_len + size + 3) // 4 * 4

    def xattrs(self, i):
        out, at = {}, i.body - i.xattr_size
        if not i.icount:
            return out
        n_shared = self.data[at + 4]
        need(self.data[at:at + 4] == bytes(4) and self.data[at + 5:at + 12] == bytes(7), "attribute head")
        ids = struct.unpack(f"<{n_shared}I", self.data[at + 12:at + 12 + 4 * n_shared])
        places = [self.shared + 4 * number for number in ids]
        at += 12 + 4 * n_shared
        while at < i.body:
            places.append(at)
            at += self.entry(at)[2]
        need(at == i.body, f"inode {i.nid}: attributes of a wrong length")
        for place in places:
            name, value, _ = self.entry(place)
            need(name not in out, f"inode {i.nid}: attribute {name} twice")
            out[name] = value
        return out

    def entries(self, i):
        data, out = self.content(i), []
        for at in range(0, len(data), BLOCK):
            block = data[at:at + BLOCK]
            n, odd = divmod(struct.unpack("<H", block[8:10])[0], 12)
            need(n > 0 and odd == 0, f"directory {i.nid}: first name")
            heads = [struct.unpack("<QHBB", block[k * 12:k * 12 + 12]) for k in range(n)]
            ends = [h[1] for h in heads[1:]] + [len(block)]
            for (nid, start, kind, reserved), end in zip(heads, ends):
                name = block[start:end].rstrip(b"\0") if end == len(block) else block[start:end]
                need(name and b"\0" not in name and b"/" not in name and reserved == 0 and len(name) <= 255,
                     f"directory {i.nid}: name {name!r}")
                out.append((name, nid, DIRENT_TYPE[kind]))
        names = [e[0] for e in out]
        need(names == sorted(set(names)), f"directory {i.nid} is not sorted")
        need(b"." in names and b".." in names, f"directory {i.nid} without dots")
        return out

    def describe(self, i):
        seen = {"type": stat.S_IFMT(i.mode), "uid": i.uid, "gid": i.gid,
                "mtime": i.mtime * 10**9 + i.mtime_ns, "xattrs": self.xattrs(i)}
        if not stat.S_ISLNK(i.mode):
            seen["mode"] = stat.S_IMODE(i.mode)
        if stat.S_ISREG(i.mode):
            seen["content"] = hashlib.sha256(self.content(i)).hexdigest()
            seen["nlink"] = i.nlink
        elif stat.S_ISLNK(i.mode):
            seen["target"] = self.content(i).decode("utf-8", "surrogateescape")
        elif stat.S_ISCHR(i.mode) or stat.S_ISBLK(i.mode):
            seen["rdev"] = os.makedev(i.start >> 8 & 0xfff, i.start & 0xff | i.start >> 12 & 0xfff00)
        return seen

    def walk(self, nid, parent, path, out):
        i = Inode(self, nid)
        out[path] = self.describe(i)
        self.links.setdefault(nid, []).append(path)
        if not stat.S_ISDIR(i.mode):
            return
        subdirs = 0
        for name, child, kind in self.entries(i):
            if name in (b".", b".."):
                need(child == (nid if name == b"." else parent), f"directory {nid}: {name!r}")
                continue
            need(stat.S_IFMT(Inode(self, child).mode) == kind, f"{name!r}: another type than its inode")
            subdirs += kind == stat.S_IFDIR
            text = name.decode("utf-8", "surrogateescape")
            self.walk(child, nid, text if path == "." else path + "/" + text, out)
        need(i.nlink == 2 + subdirs, f"directory {nid}: {i.nlink} links")

    def tree(self):
        """As test_oracle.tree describes a directory."""
        out = {}
        self.walk(self.root, self.root, ".", out)
        for nid, paths in self.links.items():
            i = Inode(self, nid)
            need(stat.S_ISDIR(i.mode) or i.nlink == len(paths), f"{paths}: {i.nlink} links")
        return out

    def groups(self):
        """The names of each file that has several."""
        return sorted(sorted(p) for p in self.links.values() if len(p) > 1)


if __name__ == "__main__":
    Image(sys.argv[1]).tree()
