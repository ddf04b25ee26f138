# SPDX-License-Identifier: Apache-2.0
"""Builds layer archives byte by byte, so that every field can be wrong."""
import gzip
import io
import struct

BLOCK = 512


def pad(data):
    return data + b"\0" * (-len(data) % BLOCK)


def octal(value, width):
    return b"%0*o\0" % (width - 1, value)


def base256(value, width):
    """Two's complement with the mark bit, as GNU tar writes large and negative numbers."""
    raw = bytearray((value & ((1 << (8 * width)) - 1)).to_bytes(width, "big"))
    raw[0] |= 0x80
    return bytes(raw)


def field(value, width):
    return value if isinstance(value, bytes) else octal(value, width)


def header(name, kind=b"0", size=0, mode=0o644, uid=0, gid=0, mtime=1000000000, link=b"",
           major=0, minor=0, prefix=b"", magic=b"ustar\00000", checksum=None, extra=None):
    """One header block. Numbers may be given as raw bytes; `extra` maps offsets to bytes."""
    block = bytearray(BLOCK)

    def put(at, data):
        block[at:at + len(data)] = data

    put(0, name[:100])
    put(100, field(mode, 8))
    put(108, field(uid, 8))
    put(116, field(gid, 8))
    put(124, field(size, 12))
    put(136, field(mtime, 12))
    put(148, b" " * 8)
    put(156, kind)
    put(157, link[:100])
    put(257, magic)
    put(329, field(major, 8))
    put(337, field(minor, 8))
    put(345, prefix[:155])
    for at, data in (extra or {}).items():
        put(at, data)
    put(148, checksum if checksum is not None else b"%06o\0 " % sum(block))
    return bytes(block)


def record(key, value):
    """One PAX record with the right length."""
    key = key if isinstance(key, bytes) else key.encode()
    value = value if isinstance(value, bytes) else str(value).encode()
    body = b" " + key + b"=" + value + b"\n"
    length = len(body)
    while len(str(length).encode()) + len(body) != length:
        length = len(str(length).encode()) + len(body)
    return str(length).encode() + body


def pax(records, kind=b"x", raw=None):
    data = raw if raw is not None else b"".join(record(k, v) for k, v in records)
    return header(b"PaxHeaders/x", kind, len(data)) + pad(data)


def gnu_long(kind, text):
    data = text + b"\0"
    return header(b"././@LongLink", kind, len(data), magic=b"ustar  \0") + pad(data)


def entry(name, data=b"", kind=b"0", **kw):
    kw.setdefault("size", len(data))
    return header(name, kind, **kw) + pad(data)


def directory(name, mode=0o755, **kw):
    return header(name, b"5", mode=mode, **kw)


def symlink(name, target, **kw):
    return header(name, b"2", link=target, mode=0o777, **kw)


def hardlink(name, target, **kw):
    return header(name, b"1", link=target, **kw)


END = b"\0" * (2 * BLOCK)


def tar(*parts, end=END):
    return b"".join(parts) + end


def gz(data, level=6):
    return gzip.compress(data, level, mtime=0)


def gz_zeros(size, level=9):
    """A gzip member of zeros, without holding them all in memory."""
    out = io.BytesIO()
    with gzip.GzipFile(fileobj=out, mode="wb", compresslevel=level, mtime=0) as f:
        chunk = b"\0" * (1 << 20)
        while size > 0:
            f.write(chunk[:size])
            size -= len(chunk)
    return out.getvalue()


def zstd_raw(data, single=True, window=None):
    """A zstd frame of raw blocks: no compressor is needed for the edges of the format."""
    out = struct.pack("<I", 0xFD2FB528)
    if window is not None:
        out += bytes([0, window])
    else:
        out += bytes([0xA0]) + struct.pack("<I", len(data))
    blocks = [data[i:i + 65536] for i in range(0, len(data), 65536)] or [b""]
    for i, block in enumerate(blocks):
        head = len(block) << 3 | (1 if i == len(blocks) - 1 else 0)
        out += struct.pack("<I", head)[:3] + block
    return out


def zstd_rle(byte, size, window=0x88):
    """A frame that expands `size` bytes out of a few: RLE blocks of 128 KiB."""
    out = struct.pack("<I", 0xFD2FB528) + bytes([0, window])
    step = 128 << 10
    while size > 0:
        n = min(step, size)
        size -= n
        out += struct.pack("<I", n << 3 | 2 | (1 if size == 0 else 0))[:3] + byte
    return out


def zstd_skippable(data=b"skipped"):
    return struct.pack("<II", 0x184D2A5F, len(data)) + data
