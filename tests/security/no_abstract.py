#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""CVE-2020-15257 (containerd): a control socket without a path, which a container with the host's network could reach.
CVE-2025-9074 (Docker Desktop): an interface on TCP. zlayer has sockets with paths in directories of root only."""
import pathlib
import re
import subprocess

from nodebox import HELLO, INSIDE, Node, check, equal, image, main


def unix_sockets():
    """Names of the sockets of this network namespace; "@…" is one without a path."""
    text = pathlib.Path("/proc/self/net/unix").read_text()
    return set(re.findall(r" ([/@].*)$", text, re.M))


def listeners():
    done = subprocess.run(["ss", "-Hlntuxw"], capture_output=True, text=True, check=True)
    return {re.sub(r"\s+", " ", line) for line in done.stdout.splitlines()}


def inodes_of(pids):
    """Sockets that these processes hold."""
    found = set()
    for pid in pids:
        for entry in pathlib.Path(f"/proc/{pid}/fd").iterdir():
            found |= set(re.findall(r"socket:\[(\d+)\]", str(entry.readlink()) if entry.is_symlink() else ""))
    return found


def no_socket_without_a_path():
    with image({"bin/inside": (pathlib.Path(INSIDE).read_bytes(), 0o755)}) as name, Node() as node:
        before = unix_sockets()
        node.zlayer("run", "-d", "--network", "host", "--name", "box", name, "sleep", "1000")
        node.zlayer("run", "-d", "--name", "other", HELLO, "sleep", "1000")
        new = unix_sockets() - before
        check(new, "no socket of the shims was found")
        for socket in new:
            check(socket.startswith(("/proc/self/fd/", f"{node.root}/")), f"a socket elsewhere: {socket}")
        held = inodes_of(node.shims().values())
        for line in pathlib.Path("/proc/self/net/unix").read_text().splitlines()[1:]:
            fields = line.split()
            check(fields[6] not in held or len(fields) < 8 or fields[7].startswith("/"), f"a shim holds {line}")
        # A container in this network tries all names that there are, and those that others have used.
        words = sorted({s.lstrip("@") for s in unix_sockets()} | {f"{node.root}/containers/{c}/control" for c in node.ids()} | {"containerd-shim", "zlayer"})
        equal(node.zlayer("exec", "box", "inside", "abstract", *words).stdout, "", "sockets that a container has reached")
        node.zlayer("rm", "-f", "box", "other")
        node.expect_no_leaks()


def nothing_listens():
    """With a bridge, a published port and a container: only the container's own port, by address translation."""
    with Node() as node:
        before = listeners()
        node.zlayer("run", "-d", "--name", "box", "-p", "8099:80", HELLO, "httpd", "-f", "-p", "80", "-h", "/www")
        node.zlayer("exec", "box", "true")
        for line in listeners() - before:
            check(re.match(r"u_\w+ LISTEN \d+ \d+ /proc/self/fd/\d+/control ", line) is not None or ":8099 " in line, f"somebody listens: {line}")
        node.zlayer("rm", "-f", "box")
        node.expect_no_leaks()


if __name__ == "__main__":
    main(no_socket_without_a_path, nothing_listens)
