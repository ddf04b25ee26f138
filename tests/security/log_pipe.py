#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""CVE-2026-8052 (Nomad): a log file in a directory that the workload could reach, replaced by a link through which the
agent wrote. Logs lie where no container sees them, and are not opened by their path again but below their own directory."""
import os
import pathlib
import tempfile

from nodebox import HELLO, Node, check, equal, main, wait_for


def logs(node, name):
    folder = node.root / "containers" / node.inspect(name)["id"] / "log"
    check(folder.is_dir(), f"{folder}")
    return folder


def a_container_does_not_see_them():
    """Neither by a mount, a volume, a descriptor nor a link in its place."""
    with Node() as node:
        node.zlayer("run", "-d", "--name", "box", "-v", "data:/data", HELLO, "sh", "-c",
                    "for n in log container.log container.log.1; do ln -s /etc/passwd /data/$n; ln -s /etc/passwd /$n; done; "
                    "ln -s ../containers /data/containers; while :; do echo line; sleep 0.05; done")
        folder, pid = logs(node, "box"), node.inspect("box")["state"]["pid"]
        wait_for(lambda: (folder / "container.log").read_text().count("\n") > 3, 20, "output")
        equal(oct(folder.stat().st_mode & 0o7777), "0o700")
        device = node.root.stat().st_dev
        for line in pathlib.Path(f"/proc/{pid}/mountinfo").read_text().splitlines():
            _, _, number, place, *_ = line.split()
            check(number != f"{os.major(device)}:{os.minor(device)}" or not f"{folder}/".startswith(place.rstrip("/") + "/"),
                  f"the log is below a mount of the container: {line}")
        found = node.zlayer("exec", "box", "find", "/", "-xdev", "-name", "container.log*", "-type", "f").stdout
        equal(found, "", "a log within the container")
        for fd in pathlib.Path(f"/proc/{pid}/fd").iterdir():
            check("/log/" not in os.readlink(fd), f"{fd}: {os.readlink(fd)}")
        check("line" in node.zlayer("logs", "box").stdout, "logs")
        node.zlayer("rm", "-f", "box")
        node.zlayer("system", "prune", "-f", "--volumes")


def a_link_in_its_place_is_not_followed():
    """By somebody who can write there at all: at the next rotation, at a start and by a reader."""
    with tempfile.TemporaryDirectory(prefix="zlayer-test-") as top, Node() as node:
        canary = pathlib.Path(top) / "canary"
        canary.write_text("of the host\n")
        node.zlayer("run", "-d", "--name", "box", HELLO, "sh", "-c", "mkfifo /go; echo ready; while read x < /go; do echo said-$x; done")
        wait_for(lambda: "ready" in node.zlayer("logs", "box").stdout, 20, "output")
        folder = logs(node, "box")
        (folder / "container.log").rename(folder / "moved")
        (folder / "container.log").symlink_to(canary)
        node.zlayer("exec", "box", "sh", "-c", "echo one > /go")
        done = node.zlayer("logs", "box", ok=None)
        check("of the host" not in done.stdout, f"a reader has followed the link: {done.stdout}")
        node.zlayer("stop", "-t", "0", "box", ok=None)
        node.zlayer("rm", "-f", "box", ok=None)
        equal(canary.read_text(), "of the host\n")
        equal(canary.stat().st_nlink, 1)


if __name__ == "__main__":
    main(a_container_does_not_see_them, a_link_in_its_place_is_not_followed)
