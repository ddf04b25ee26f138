#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""An init that does not reap: ten thousand orphans in a container with ours, and none of them stays as a zombie."""
import pathlib

from nodebox import INSIDE, Node, check, equal, image, main, processes

ORPHANS = 10000


def of_the_init():
    with image({"bin/inside": (pathlib.Path(INSIDE).read_bytes(), 0o755)}) as name, Node() as node:
        for words in (["--init"], ["--init", "--pids-limit", "64"]):
            done = node.zlayer("run", "--rm", *words, name, "inside", "orphans", str(ORPHANS // 2), timeout=120)
            equal(done.stdout, "", f"{words}")
        node.expect_no_leaks()


def of_the_shim():
    """Children of an exec that outlive it, and processes of the shim's own."""
    with image({"bin/inside": (pathlib.Path(INSIDE).read_bytes(), 0o755)}) as name, Node() as node:
        node.zlayer("run", "-d", "--init", "--name", "box", name, "sleep", "1000")
        node.zlayer("exec", "box", "inside", "orphans", "2000", timeout=120)
        zombies = [pid for pid in processes() if state(pid) == "Z"]
        equal(zombies, [], "zombies of the node")
        check(len(node.shims()) == 1, f"{node.shims()}")
        node.zlayer("rm", "-f", "box")
        node.expect_no_leaks()


def state(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return None


if __name__ == "__main__":
    main(of_the_init, of_the_shim)
