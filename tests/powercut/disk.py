# SPDX-License-Identifier: Apache-2.0
"""A disk with a write cache that a power cut empties: an NBD server for one machine.

A write is answered when it is in the cache; it is on the platter after a flush, or at once when it says so (FUA). The
kill of a machine alone loses nothing of what it wrote: the host has it. `cut()` does what the power's end does to a
disk: of the writes since the last flush all are lost, or those after some instant, or any of them, some torn between
two sectors. Never lost is what was flushed; that is all that a disk promises."""
import pathlib
import socket
import struct
import threading

SECTOR = 512
NBD_MAGIC, OPTION_MAGIC, REPLY_MAGIC = 0x4e42444d41474943, 0x49484156454F5054, 0x3e889045565a9
REQUEST_MAGIC, SIMPLE_MAGIC = 0x25609513, 0x67446698
FIXED_NEWSTYLE, NO_ZEROES = 1, 2
HAS_FLAGS, SEND_FLUSH, SEND_FUA = 1 << 0, 1 << 2, 1 << 3
EXPORT_NAME, ABORT, INFO, GO = 1, 2, 6, 7
ACK, REPLY_INFO, UNSUPPORTED = 1, 3, 0x80000001
READ, WRITE, DISCONNECT, FLUSH = 0, 1, 2, 3
FUA = 1
EINVAL = 22


class Disk:
    """One image in memory, served on a socket to one client after the other."""

    def __init__(self, image, path):
        self.current = bytearray(pathlib.Path(image).read_bytes())  # with what is in the cache
        self.platter = bytearray(self.current)
        self.cache = []  # (offset, bytes, stays) in the order in which they came
        self.flushes = 0
        self.lock = threading.Lock()
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.bind(str(path))
        self.socket.listen(1)
        threading.Thread(target=self.serve, daemon=True).start()

    def cut(self, rng):
        """The power fails; (how, writes in the cache, those of them that were lost)."""
        with self.lock:
            how = rng.choice(["all lost", "lost after an instant", "some lost", "some lost"])
            end = rng.randrange(len(self.cache) + 1)
            lost = 0
            for i, (offset, data, stays) in enumerate(self.cache):
                whole = stays or (how == "lost after an instant" and i < end) or (how == "some lost" and rng.random() < 0.5)
                if not whole and how != "all lost" and len(data) > SECTOR and rng.random() < 0.1:
                    data = data[:rng.randrange(1, len(data) // SECTOR) * SECTOR]  # torn
                elif not whole:
                    data = b""
                lost += not whole
                self.platter[offset:offset + len(data)] = data
            cached, self.cache = len(self.cache), []
            self.current = bytearray(self.platter)
        return how, cached, lost

    def serve(self):
        while True:
            client, _ = self.socket.accept()
            try:
                if self.negotiate(client):
                    while self.request(client):
                        pass
            except (ConnectionError, EOFError, struct.error):
                pass  # it was killed
            client.close()

    # ---- The protocol: https://github.com/NetworkBlockDevice/nbd/blob/master/doc/proto.md

    @staticmethod
    def take(client, size):
        data = bytearray(size)
        view, at = memoryview(data), 0
        while at < size:
            n = client.recv_into(view[at:])
            if n == 0:
                raise EOFError
            at += n
        return bytes(data)

    def flags(self):
        return HAS_FLAGS | SEND_FLUSH | SEND_FUA

    def negotiate(self, client):
        client.sendall(struct.pack(">QQH", NBD_MAGIC, OPTION_MAGIC, FIXED_NEWSTYLE | NO_ZEROES))
        no_zeroes = struct.unpack(">I", self.take(client, 4))[0] & NO_ZEROES
        while True:
            _, option, length = struct.unpack(">QII", self.take(client, 16))
            self.take(client, length)
            if option == EXPORT_NAME:
                client.sendall(struct.pack(">QH", len(self.current), self.flags()) + bytes(0 if no_zeroes else 124))
                return True
            if option in (INFO, GO):
                info = struct.pack(">HQH", 0, len(self.current), self.flags())
                client.sendall(struct.pack(">QIII", REPLY_MAGIC, option, REPLY_INFO, len(info)) + info
                               + struct.pack(">QIII", REPLY_MAGIC, option, ACK, 0))
                if option == GO:
                    return True
                continue
            client.sendall(struct.pack(">QIII", REPLY_MAGIC, option, ACK if option == ABORT else UNSUPPORTED, 0))
            if option == ABORT:
                return False

    def request(self, client):
        """Serves one; False at the end. One after the other, so a flush follows all that was answered before."""
        magic, flags, kind, handle, offset, length = struct.unpack(">IHHQQI", self.take(client, 28))
        if magic != REQUEST_MAGIC or kind == DISCONNECT:
            return False
        data = self.take(client, length) if kind == WRITE else b""
        error, answer = 0, b""
        with self.lock:
            if kind in (READ, WRITE) and offset + length > len(self.current):
                error = EINVAL
            elif kind == READ:
                answer = bytes(self.current[offset:offset + length])
            elif kind == WRITE:
                self.current[offset:offset + length] = data
                self.cache.append((offset, data, bool(flags & FUA)))
            elif kind == FLUSH:
                self.flush()
            else:
                error = EINVAL
        client.sendall(struct.pack(">IIQ", SIMPLE_MAGIC, error, handle) + answer)
        return True

    def flush(self):
        for offset, data, _ in self.cache:
            self.platter[offset:offset + len(data)] = data
        self.cache = []
        self.flushes += 1
