#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Lifecycles leave nothing: no mount, namespace, link, cgroup, process, lease, row or file."""
import concurrent.futures
import os

from zltest import HELLO, Node, check, main

LIFECYCLES = 200
AT_ONCE = 50


def two_hundred_lifecycles():
    with Node() as node:
        node.zlayer("pull", HELLO)
        for i in range(LIFECYCLES):
            code = i % 4
            node.zlayer("run", "--rm", "--entrypoint", "/bin/sh", HELLO, "-c", f"exit {code}", ok=code)
        node.expect_no_leaks()


def network_namespaces_go_with_their_containers():
    """Counts the kernel's namespaces by their anonymous files: a leaked one stays pinned by a process or mount."""
    with Node() as node:
        node.zlayer("pull", HELLO)
        seen = set()
        for i in range(5):
            node.zlayer("run", "-d", "--name", f"ns{i}", "--entrypoint", "/bin/sleep", HELLO, "100")
            pid = node.inspect(f"ns{i}")["state"]["pid"]
            seen.add(os.readlink(f"/proc/{pid}/ns/net"))
        check(len(seen) == 5, f"five containers share {len(seen)} network namespaces")
        node.zlayer("rm", "-f", *[f"ns{i}" for i in range(5)])
        held = all_net_namespaces()
        check(not (seen & held), f"namespaces still held: {seen & held}")
        node.expect_no_leaks()


def all_net_namespaces():
    held = set()
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            held.add(os.readlink(f"/proc/{pid}/ns/net"))
        except OSError:
            continue
    return held


def fifty_at_once():
    with Node() as node:
        node.zlayer("pull", HELLO)
        names = [f"many{i}" for i in range(AT_ONCE)]
        with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
            list(pool.map(lambda n: node.zlayer("run", "-d", "--name", n, "--entrypoint", "/bin/sleep", HELLO, "1000", timeout=120), names))
        rows = {r["name"]: r for r in node.json("ps", "--json")}
        check(set(rows) == set(names), f"running: {len(rows)} of {AT_ONCE}")
        addresses = {r["address"] for r in rows.values()}
        check(len(addresses) == AT_ONCE, f"{len(addresses)} distinct addresses")
        with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
            codes = list(pool.map(lambda n: node.zlayer("exec", n, "/bin/sh", "-c", "exit 3", ok=3).returncode, names))
        check(codes == [3] * AT_ONCE, "exec codes")
        with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
            list(pool.map(lambda n: node.zlayer("rm", "-f", n, timeout=120), names))
        node.expect_no_leaks()


def a_full_slice_refuses_and_leaves_nothing():
    with Node(slice_cidr="10.232.0.0/30") as node:
        node.zlayer("pull", HELLO)
        node.zlayer("run", "-d", "--name", "only", "--entrypoint", "/bin/sleep", HELLO, "100")
        refused = node.zlayer("run", "-d", "--name", "second", "--entrypoint", "/bin/sleep", HELLO, "100", ok=125)
        check("10.232.0.0/30" in refused.stderr, refused.stderr)
        check(node.ids() == ["only-rep-1"], f"containers: {node.ids()}")
        node.zlayer("rm", "-f", "only")
        node.expect_no_leaks()


if __name__ == "__main__":
    main(two_hundred_lifecycles, network_namespaces_go_with_their_containers, fifty_at_once,
         a_full_slice_refuses_and_leaves_nothing)
