# SPDX-License-Identifier: Apache-2.0
"""A message bus with a systemd behind it, for hosts that have neither: a unix socket that speaks D-Bus, with a reader and
a writer of its own. Units are cgroups that it makes and removes, as systemd would on this host.

`calls` has what was called: (member, arguments). A function in `answers`, by member, replaces the usual answer: it gets
the Peer and the message."""
import contextlib
import os
import pathlib
import socket
import struct
import threading

from ocibox import CGROUPS, LIBC, V2, check

CALL, REPLY, ERROR, SIGNAL = 1, 2, 3, 4
MANAGER = "org.freedesktop.systemd1.Manager"
SYSTEMD, BUS = ":1.7", "org.freedesktop.DBus"
FIELDS = {1: ("path", "o"), 2: ("interface", "s"), 3: ("member", "s"), 4: ("error", "s"), 5: ("reply", "u"),
          6: ("destination", "s"), 7: ("sender", "s"), 8: ("signature", "g")}
FIXED = {"y": (1, "B"), "b": (4, "I"), "i": (4, "i"), "u": (4, "I"), "t": (8, "Q"), "x": (8, "q")}
# The trees in which systemd makes cgroups of delegated units.
TREES = [""] if V2 else ["systemd", "unified", "cpu", "cpuacct", "blkio", "memory", "devices", "pids"]


def alignment(kind):
    return FIXED[kind][0] if kind in FIXED else {"s": 4, "o": 4, "g": 1, "v": 1, "a": 4, "(": 8}[kind]


def split(signature):
    """The first complete type and the rest."""
    if signature[0] == "a":
        one, rest = split(signature[1:])
        return "a" + one, rest
    if signature[0] != "(":
        return signature[0], signature[1:]
    depth = 0
    for at, char in enumerate(signature):
        depth += (char == "(") - (char == ")")
        if depth == 0:
            return signature[:at + 1], signature[at + 1:]
    raise ValueError(f"signature {signature!r}")


def types(signature):
    while signature:
        one, signature = split(signature)
        yield one


class Reader:
    """Strict: padding must be zero, strings end with a NUL, nothing is left over where a message ends."""

    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, count):
        check(self.at + count <= len(self.data), "a message ends too early")
        self.at += count
        return self.data[self.at - count:self.at]

    def pad(self, align):
        check(not any(self.take(-self.at % align)), "padding that is not zero")

    def text(self, length):
        data = self.take(length + 1)
        check(data[-1] == 0 and 0 not in data[:-1], f"a string {data!r}")
        return data[:-1].decode()

    def value(self, kind):
        self.pad(alignment(kind[0]))
        if kind in FIXED:
            found = struct.unpack("<" + FIXED[kind][1], self.take(FIXED[kind][0]))[0]
            check(kind != "b" or found in (0, 1), f"a boolean {found}")
            return bool(found) if kind == "b" else found
        if kind in "so":
            return self.text(self.value("u"))
        if kind == "g":
            return self.text(self.take(1)[0])
        if kind == "v":
            return self.value(self.value("g"))
        if kind[0] == "(":
            return tuple(self.value(one) for one in types(kind[1:-1]))
        length = self.value("u")
        self.pad(alignment(kind[1]))
        end, found = self.at + length, []
        while self.at < end:
            found.append(self.value(kind[1:]))
        check(self.at == end, "an array that ends within an element")
        return found


class Writer:
    def __init__(self):
        self.data = bytearray()

    def pad(self, align):
        self.data += bytes(-len(self.data) % align)
        return self

    def put(self, kind, value):
        self.pad(alignment(kind[0]))
        if kind in FIXED:
            self.data += struct.pack("<" + FIXED[kind][1], value)
        elif kind in "so":
            self.put("u", len(value.encode()))
            self.data += value.encode() + b"\0"
        elif kind == "g":
            self.data += bytes([len(value)]) + value.encode() + b"\0"
        elif kind == "v":
            self.put("g", value[0]).put(*value)
        else:
            raise ValueError(kind)
        return self


def message(kind, serial, fields, signature="", values=()):
    body = Writer()
    for one, value in zip(types(signature), values):
        body.put(one, value)
    head = Writer()
    for code, (name, one) in FIELDS.items():
        if fields.get(name) is not None:
            head.pad(8).put("y", code).put("v", (one, fields[name]))
    if signature:
        head.pad(8).put("y", 8).put("v", ("g", signature))
    whole = bytes([ord("l"), kind, 0, 1]) + struct.pack("<III", len(body.data), serial, len(head.data)) + head.data
    return whole + bytes(-len(whole) % 8) + body.data


def parse(data):
    """(fields, arguments); the serial is among the fields."""
    reader = Reader(data)
    check(data[0] == ord("l") and data[3] == 1, f"the head {data[:4]!r}")
    length, serial = struct.unpack_from("<II", data, 4)
    reader.at = 12
    fields = {FIELDS[code][0]: value for code, value in reader.value("a(yv)")}
    reader.pad(8)
    body = Reader(data[reader.at:])
    check(len(body.data) == length, "the body's length")
    values = [body.value(one) for one in types(fields.get("signature", ""))]
    check(body.at == length, "bytes behind the arguments")
    return dict(fields, serial=serial, type=data[1]), values


class Peer:
    """A client that is connected."""

    def __init__(self, bus, sock):
        self.bus, self.sock, self.serial = bus, sock, 0

    def read(self, count):
        data = b""
        while len(data) < count:
            piece = self.sock.recv(count - len(data))
            if not piece:
                raise EOFError
            data += piece
        return data

    def line(self):
        text = b""
        while not text.endswith(b"\r\n"):
            text += self.read(1)
        return text[:-2].decode()

    def send(self, kind, fields, signature="", values=()):
        self.serial += 1
        self.sock.sendall(message(kind, self.serial, fields, signature, values))

    def reply(self, call, signature="", values=(), sender=SYSTEMD):
        self.send(REPLY, {"reply": call["serial"], "sender": self.bus.sender(sender)}, signature, values)

    def error(self, call, name, text):
        self.send(ERROR, {"reply": call["serial"], "error": name, "sender": self.bus.sender(SYSTEMD)}, "s", [text])

    def job_removed(self, number, unit, result="done", sender=SYSTEMD):
        self.send(SIGNAL, {"path": "/org/freedesktop/systemd1", "interface": MANAGER, "member": "JobRemoved",
                           "sender": self.bus.sender(sender)},
                  "uoss", [number, f"/org/freedesktop/systemd1/job/{number}", unit, result])

    def job(self, call, unit, result="done"):
        """The usual answer to a request for a job."""
        number = self.bus.next_job()
        self.reply(call, "o", [f"/org/freedesktop/systemd1/job/{number}"])
        self.job_removed(number, unit, result)

    def serve(self):
        check(self.read(1) == b"\0", "the first byte")
        greeting = self.line()
        check(greeting == "AUTH EXTERNAL " + str(os.getuid()).encode().hex(), f"greeting {greeting!r}")
        self.sock.sendall(self.bus.greeting.encode() + b"\r\n")
        check(self.line() == "BEGIN", "BEGIN after the greeting")
        while True:
            head = self.read(16)
            body, _, fields = struct.unpack_from("<III", head, 4)
            self.bus.handle(self, *parse(head + self.read(fields + -fields % 8 + body)))


class FakeBus:
    def __init__(self, box, place=None, version="252.39-1~deb12u1"):
        self.calls, self.answers, self.problems, self.units, self.jobs = [], {}, [], {}, 100
        self.version, self.greeting, self.has_broker = version, "OK 0123456789abcdef", place is None
        self.places = set()
        self.turn = threading.Lock()  # one call at a time, as systemd
        seem_to_have_systemd(box)
        self.path = str(place or box.top / "bus.sock")
        self.server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.server.bind(self.path)
        self.server.listen(8)
        if self.has_broker:
            set_address(box, f"unix:path={self.path},guid=00")
        threading.Thread(target=self.accept, daemon=True).start()
        box.cleanups.append(self.close)

    def accept(self):
        while True:
            try:
                sock, _ = self.server.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=[sock], daemon=True).start()

    def serve(self, sock):
        with sock:
            try:
                Peer(self, sock).serve()
            except (EOFError, OSError):
                pass
            except Exception as error:  # a case looks at them
                self.problems.append(error)

    def close(self):
        self.server.close()
        for unit in list(self.units):
            self.remove(unit)
        for place in sorted(self.places, key=len, reverse=True):
            for tree in CGROUPS.iterdir() if not V2 else [CGROUPS]:
                with contextlib.suppress(OSError):
                    os.rmdir(tree / place)
        check(not self.problems, f"the bus: {self.problems}")

    def sender(self, name):
        return name if self.has_broker else None

    def next_job(self):
        self.jobs += 1
        return self.jobs

    def members(self):
        return [member for member, _ in self.calls]

    def arguments(self, member):
        """Of the last call."""
        return [values for name, values in self.calls if name == member][-1]

    def properties(self, member="StartTransientUnit"):
        pairs = self.arguments(member)[2]
        check(len({name for name, _ in pairs}) == len(pairs), f"a property is there twice: {pairs}")
        return dict(pairs)

    def handle(self, peer, call, values):
        check(call["type"] == CALL, f"a message of type {call['type']}")
        if call.get("destination") == BUS:
            check(self.has_broker, "a call to a bus that is none")
            check(call["path"] == "/org/freedesktop/DBus" and call["interface"] == BUS, f"call {call}")
            peer.reply(call, *(("s", [":1.99"]) if call["member"] == "Hello" else ()), sender=BUS)
            return
        check(call.get("destination") == ("org.freedesktop.systemd1" if self.has_broker else None), f"call {call}")
        check(call["path"] == "/org/freedesktop/systemd1", f"call {call}")
        self.calls.append((call["member"], values))
        answer = self.answers.get(call["member"], getattr(self, "do_" + call["member"], None))
        if answer is None:
            peer.error(call, "org.freedesktop.DBus.Error.UnknownMethod", call["member"])
            return
        with self.turn:
            answer(peer, call, values)

    def do_Subscribe(self, peer, call, _values):
        check(call["interface"] == MANAGER, f"call {call}")
        peer.reply(call)

    def do_Get(self, peer, call, values):
        check((call["interface"], values) == ("org.freedesktop.DBus.Properties", [MANAGER, "Version"]), f"get {values}")
        peer.reply(call, "v", [("s", self.version)])

    def do_StartTransientUnit(self, peer, call, values):
        check(call["signature"] == "ssa(sv)a(sa(sv))" and values[1] == "replace" and values[3] == [], f"start {values}")
        if values[0] in self.units:
            peer.error(call, "org.freedesktop.systemd1.UnitExists", f"Unit {values[0]} was already loaded")
            return
        try:
            self.make(values[0], dict(values[2]))
        except OSError:  # the process has ended meanwhile
            self.remove(values[0])
            peer.error(call, "org.freedesktop.DBus.Error.InvalidArgs", "no such process")
            return
        peer.job(call, values[0])

    def do_SetUnitProperties(self, peer, call, values):
        check(call["signature"] == "sba(sv)" and values[0] in self.units and values[1] is True, f"change {values}")
        peer.reply(call)

    def do_StopUnit(self, peer, call, values):
        check(call["signature"] == "ss" and values[1] == "replace", f"stop {values}")
        if values[0] not in self.units:
            self.no_such_unit(peer, call, values)
            return
        self.remove(values[0])
        peer.job(call, values[0])

    def do_ResetFailedUnit(self, peer, call, values):
        self.no_such_unit(peer, call, values)

    @staticmethod
    def no_such_unit(peer, call, values):
        peer.error(call, "org.freedesktop.systemd1.NoSuchUnit", f"Unit {values[0]} not loaded.")

    def make(self, unit, properties):
        """The cgroup, with its processes."""
        at = slice_path(properties.get("Slice", unit)) + ([] if unit.endswith(".slice") else [unit])
        self.units[unit] = "/".join(at)
        self.places |= {"/".join(at[:n]) for n in range(1, len(at))}
        for tree in self.trees():
            (tree / self.units[unit]).mkdir(parents=True, exist_ok=True)
            for pid in properties.get("PIDs", []):
                (tree / self.units[unit] / "cgroup.procs").write_text(str(pid))

    def remove(self, unit):
        path = self.units.pop(unit)
        for tree in self.trees():
            with contextlib.suppress(OSError):
                os.rmdir(tree / path)

    def collect(self):
        """Scopes without processes go by themselves, as with systemd, also those that a dead caller had asked for."""
        with self.turn:
            for unit, path in list(self.units.items()):
                if not any((tree / path / "cgroup.procs").read_text() for tree in self.trees() if (tree / path).is_dir()):
                    self.remove(unit)

    @staticmethod
    def trees():
        return [CGROUPS / name for name in TREES if (CGROUPS / name).is_dir()]


def slice_path(name):
    parts = name.removesuffix(".slice").split("-")
    return ["-".join(parts[:n]) + ".slice" for n in range(1, len(parts) + 1)]


def set_address(box, text):
    before = os.environ.get("DBUS_SYSTEM_BUS_ADDRESS")
    os.environ["DBUS_SYSTEM_BUS_ADDRESS"] = text

    def restore():
        os.environ.pop("DBUS_SYSTEM_BUS_ADDRESS")
        if before is not None:
            os.environ["DBUS_SYSTEM_BUS_ADDRESS"] = before

    box.cleanups.append(restore)


def hide(box, path):
    """An empty directory there, for this process and its children (ocibox.isolate)."""
    if not os.path.isdir(path):
        os.mkdir(path)
        box.cleanups.append(lambda: os.rmdir(path))
    check(LIBC.mount(b"none", path.encode(), b"tmpfs", 0, None) == 0, f"hiding {path}")
    box.cleanups.append(lambda: LIBC.umount2(path.encode(), 2))


def seem_to_have_systemd(box):
    place = pathlib.Path("/run/systemd")
    if not any(line.split()[4] == str(place) for line in pathlib.Path("/proc/self/mountinfo").read_text().splitlines()):
        hide(box, str(place))
    (place / "system").mkdir(exist_ok=True)
