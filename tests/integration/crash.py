#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""kill -9 at random instants, of the CLI and of the shim: containers go on or are reaped, and after
`zlayer system check --repair` nothing is left. The seed is printed and can be given as argument."""
import ctypes
import os
import random
import signal
import subprocess
import sys
import tempfile
import time

from zltest import HELLO, Node, check, main, wait_for

ROUNDS = 50
SEED = int(sys.argv[1]) if len(sys.argv) > 1 else int(time.time())
RANDOM = random.Random(SEED)


def kill_after(process, seconds):
    time.sleep(seconds)
    process.send_signal(signal.SIGKILL)
    process.wait()


def typical_duration(node):
    """How long one whole `run` takes here, so that the kills fall inside it."""
    began = time.monotonic()
    for _ in range(5):
        node.zlayer("run", "--rm", "--entrypoint", "/bin/true", HELLO)
    return (time.monotonic() - began) / 5


def cli_killed_at_any_instant():
    print(f"# seed {SEED}")
    with Node() as node:
        node.zlayer("pull", HELLO)
        span = 1.3 * typical_duration(node)
        for i in range(ROUNDS):
            cli = node.start("run", "--rm", "--name", f"k{i}", "--entrypoint", "/bin/sh", HELLO, "-c", "exit 0",
                             stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            kill_after(cli, RANDOM.uniform(0, span))
            # The truth at once, from a new process: never an error, whatever was half-made.
            node.zlayer("ps", "-a", "--json")
        # What was started runs to its end; what was not started yet has nobody left to start it.
        wait_for(lambda: all(row["state"] != "running" for row in node.json("ps", "-a", "--json")), 10, "containers to end")
        node.zlayer("system", "check", "--repair")
        node.expect_no_leaks()
        node.zlayer("run", "--rm", "--entrypoint", "/bin/sh", HELLO, "-c", "exit 5", ok=5)
        node.expect_no_leaks()


def containers_go_on_without_the_cli():
    with Node() as node:
        node.zlayer("pull", HELLO)
        cli = node.start("run", "--name", "on", "--entrypoint", "/bin/sh", HELLO, "-c",
                         "i=0; while [ $i -lt 40 ]; do echo tick $i; i=$((i+1)); sleep 0.05; done; exit 9",
                         stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for(lambda: node.state("on") == "running", 10, "running")
        kill_after(cli, 0.1)
        check(node.zlayer("wait", "on").stdout.strip() == "9", "exit code is lost")
        lines = node.zlayer("logs", "on").stdout.splitlines()
        check(lines == [f"tick {i}" for i in range(40)], f"log: {len(lines)} lines")
        node.zlayer("rm", "on")
        node.expect_no_leaks()


def shim_killed_at_any_instant():
    with Node() as node:
        node.zlayer("pull", HELLO)
        span = 1.3 * typical_duration(node)
        for i in range(ROUNDS):
            name = f"s{i}"
            cli = node.start("run", "--name", name, "--entrypoint", "/bin/sh", HELLO, "-c", "exit 0",
                             stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            killed = kill_shim(node, f"{name}-rep-1", RANDOM.uniform(0, span))
            cli.wait(timeout=30)  # it must notice, not hang
            if killed:
                state = node.state(name)
                check(state in (None, "failed", "exited"), f"{name}: {state}")
        node.zlayer("system", "check", "--repair")
        node.zlayer("rm", "-f", *node.ids()) if node.ids() else None
        node.zlayer("system", "check", "--repair")
        node.expect_no_leaks()


def kill_shim(node, container, seconds):
    """Waits for the shim of `container` to appear, then `seconds`, then kills it. False: it was gone."""
    end = time.monotonic() + 2
    while time.monotonic() < end:
        pid = node.shims().get(container)
        if pid:
            time.sleep(seconds)
            try:
                os.kill(pid, signal.SIGKILL)
                return True
            except ProcessLookupError:
                return False
    return False


def a_killed_shim_is_reported_failed():
    with Node() as node:
        node.zlayer("pull", HELLO)
        node.zlayer("run", "-d", "--name", "lost", "--entrypoint", "/bin/sleep", HELLO, "1000")
        init = node.inspect("lost")["state"]["pid"]
        os.kill(node.shims()["lost-rep-1"], signal.SIGKILL)
        wait_for(lambda: not os.path.exists(f"/proc/{init}") or "Z" in open(f"/proc/{init}/stat").read().split()[2], 5, "workload to die with its shim")
        wait_for(lambda: node.state("lost") == "failed", 5, "state failed")
        node.zlayer("exec", "lost", "/bin/true", ok=125)
        node.zlayer("rm", "lost")
        node.expect_no_leaks()


def hold_as_tracer(pid, ready):
    """Seizes `pid` as a debugger does and never collects it: its end is kept from its parent meanwhile."""
    if ctypes.CDLL(None, use_errno=True).ptrace(0x4206, pid, 0, 0) != 0:  # PTRACE_SEIZE
        os._exit(1)
    os.write(ready, b"x")
    time.sleep(0.5)
    os._exit(0)


def a_debugger_may_hold_the_dead_workload():
    with Node() as node:
        node.zlayer("pull", HELLO)
        node.zlayer("run", "-d", "--name", "traced", "--entrypoint", "/bin/sleep", HELLO, "1000")
        out, ready = os.pipe()
        tracer = os.fork()
        if tracer == 0:
            hold_as_tracer(node.inspect("traced")["state"]["pid"], ready)
        os.close(ready)
        check(os.read(out, 1) == b"x", "could not trace")
        node.zlayer("kill", "traced")
        check(node.zlayer("wait", "traced").stdout.strip() == "137", "exit code")
        check(os.waitpid(tracer, 0)[1] == 0, "tracer")
        node.zlayer("rm", "traced")
        node.expect_no_leaks()


def exec_never_leaves_the_container():
    """In a chroot the container's mount namespace keeps the outer root, and setns leads there."""
    with Node() as node:
        node.zlayer("pull", HELLO)
        outer = tempfile.mkdtemp(prefix="zlayer-chroot-")
        subprocess.run(["mount", "--rbind", "/", outer], check=True)

        def inside(*args):
            return subprocess.run(["chroot", outer, *node.command(*args)], text=True, capture_output=True,
                                  stdin=subprocess.DEVNULL, check=False, timeout=30)

        try:
            check(inside("run", "-d", "--name", "caged", HELLO, "sleep", "100").returncode == 0, "run")
            done = inside("exec", "caged", "/bin/sh", "-c", "echo escaped")
            check(done.returncode == 125 and "chroot" in done.stderr and done.stdout == "", f"{done}")
            check(inside("rm", "-f", "caged").returncode == 0, "rm")
        finally:
            subprocess.run(["umount", "-R", "-l", outer], check=True)
            os.rmdir(outer)
        node.expect_no_leaks()


def the_database_may_be_lost():
    with Node() as node:
        node.zlayer("pull", HELLO)
        node.zlayer("run", "-d", "--name", "kept", "--entrypoint", "/bin/sleep", HELLO, "1000")
        pid = node.inspect("kept")["state"]["pid"]
        for name in ("zlayer.db", "zlayer.db-wal", "zlayer.db-shm"):
            (node.root / name).unlink(missing_ok=True)
        node.zlayer("system", "check", "--repair")
        check(node.state("kept-rep-1") == "running", "a running container was lost with the database")
        check(node.inspect("kept-rep-1")["state"]["pid"] == pid, "another process")
        node.zlayer("exec", "kept-rep-1", "/bin/sh", "-c", "exit 4", ok=4)
        node.zlayer("rm", "-f", "kept-rep-1")
        node.expect_no_leaks()


if __name__ == "__main__":
    main(cli_killed_at_any_instant, containers_go_on_without_the_cli, shim_killed_at_any_instant,
         a_killed_shim_is_reported_failed, a_debugger_may_hold_the_dead_workload,
         exec_never_leaves_the_container, the_database_may_be_lost)
