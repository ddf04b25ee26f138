#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""kill -9 at random instants of a machine's life, of QEMU, of its keeper and of the CLI: the end is told
as it was, nothing is left, and the next container runs. The seed is printed and can be given as argument."""
import concurrent.futures
import contextlib
import os
import pathlib
import random
import re
import signal
import subprocess
import sys
import time

from zltest import HELLO, VmNode, check, helpers, main, processes, wait_for

INSTANTS = 30
FRESH = 6
AT_ONCE = 5
PATIENCE = 180
SHIM = "zlayer-shim-vm"
WORKLOAD = "echo up; sleep 0.2; echo down; exit 7"
REASONS = r"zlayer: (?s:.*)(the virtual machine|the shim|the process that kept it was killed)"
SEED = int(sys.argv[1]) if len(sys.argv) > 1 else int(time.time())


class Life:
    """A container in the foreground, from the start of the CLI to whatever end."""

    def __init__(self, node, name, *options):
        self.node, self.name, self.random = node, name, random.Random(f"{SEED} {name}")
        self.cli = node.start("run", *options, "--name", name, "--isolation", "hyperv", HELLO, "sh", "-c", WORKLOAD,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def shim(self):
        """Its pid; None when the CLI has ended before there was one."""
        while self.cli.poll() is None:
            pid = self.node.shims(SHIM).get(f"{self.name}-rep-1")
            if pid:
                return pid
        return None

    def qemu(self):
        shim = self.shim()
        while shim and self.cli.poll() is None:
            pids = children(shim)
            if pids:
                return pids[0]
        return None

    def wait(self, span):
        time.sleep(self.random.uniform(0, span))

    def end(self):
        """(exit code, output, messages) of the CLI, which must notice and not hang."""
        out, err = self.cli.communicate(timeout=PATIENCE)
        return self.cli.returncode, out, err

    def expect_truth(self):
        """The workload's own end with all of its output, or 125 with the reason; True for its own."""
        code, out, err = self.end()
        state = self.settled_state()
        what = f"seed {SEED}, {self.name}: exit {code}, {out!r}, {err!r}, {state}"
        if code == 7:
            check(out == "up\ndown\n" and state == "exited", what)
            return True
        check(code == 125 and "up\ndown\n".startswith(out), what)
        check(re.match(REASONS, err), what)
        check(state in (None, "failed"), what)
        return False

    def settled_state(self):
        """A command beside this one may be clearing up after the death: until it has, nobody knows better than "pending"."""
        for _ in range(100):
            state = self.node.state(self.name)
            if state != "pending":
                return state
            time.sleep(0.05)
        return "pending"


def children(pid):
    try:
        return [int(child) for child in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def kill(pid):
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def at_once(function, items):
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(function, items))


def typical_span(node):
    """How long one whole life takes beside others, so that the kills fall inside it."""

    def live(i):
        began = time.monotonic()
        life = Life(node, f"typical{i}")
        check(life.expect_truth(), "a life without a kill")
        return time.monotonic() - began

    span = sum(at_once(live, range(AT_ONCE))) / AT_ONCE
    node.zlayer("rm", *[f"typical{i}" for i in range(AT_ONCE)])
    return span


def expect_health(node):
    """Nothing is left, and a container runs as if nothing had been."""
    node.zlayer("system", "check", "--repair")
    node.expect_no_leaks(60)
    node.zlayer("system", "check")
    check(node.hyperv("echo", "well")[0] == "well\n", "an ordinary run")
    wait_for(lambda: not node.keepers(), PATIENCE, "the end of helpers in the background")
    node.expect_no_leaks()


def qemu_killed_at_any_instant():
    print(f"# seed {SEED}")
    with VmNode() as node:
        node.small()
        span = typical_span(node)

        def strike(i):
            life = Life(node, f"q{i}")
            pid = life.qemu()
            life.wait(span)
            kill(pid) if pid else None
            own = life.expect_truth()
            node.zlayer("rm", life.name) if life.name in str(node.ids()) else None
            return own

        survived = sum(at_once(strike, range(INSTANTS)))
        print(f"# {survived} of {INSTANTS} ended by themselves")
        expect_health(node)


def keeper_killed_at_any_instant():
    with VmNode() as node:
        node.small()
        span = typical_span(node)

        def strike(i):
            life = Life(node, f"s{i}")
            pid = life.shim()
            life.wait(span)
            machines = children(pid) if pid else []
            kill(pid) if pid else None
            own = life.expect_truth()
            wait_for(lambda: not any(machine in processes() for machine in machines), 60, f"{life.name}: its machine's end")
            return own

        survived = sum(at_once(strike, range(INSTANTS)))
        print(f"# {survived} of {INSTANTS} ended by themselves")
        node.zlayer("system", "check", "--repair")
        node.zlayer("rm", *node.ids()) if node.ids() else None
        expect_health(node)


def cli_killed_at_any_instant():
    """With --rm nothing may remain; without it, a container that has ended or was never started."""
    with VmNode() as node:
        node.small()
        span = typical_span(node)

        def strike(i):
            life = Life(node, f"c{i}", *(["--rm"] if i % 2 else []))
            life.wait(1.2 * span)
            kill(life.cli.pid)
            life.end()
            node.zlayer("ps", "-a", "--json")  # the truth at once, whatever was half-made

        at_once(strike, range(INSTANTS))
        wait_for(lambda: all(row["state"] not in ("running", "stopping", "pending") for row in node.json("ps", "-a", "--json")),
                 PATIENCE, "containers to end")
        node.zlayer("system", "check", "--repair")
        rows = {row["name"]: row for row in node.json("ps", "-a", "--json")}
        left = [name for name in rows if int(name[1:]) % 2]
        check(not left, f"seed {SEED}: with --rm, yet there: {left}")
        ended = [row for row in rows.values() if row["state"] == "exited"]
        # One whose maker died while it was made is ended by the first who looks.
        wrong = [row for row in ended if row["exitCode"] != (7 if row["startedAt"] else 137)]
        check(not wrong, f"seed {SEED}: {wrong}")
        dead = [e["id"] for e in node.json_lines("events", "--json") if e["action"] == "die"]
        check(len(dead) == len(set(dead)), f"seed {SEED}: two ends of one container: {sorted(dead)}")
        print(f"# {len(ended)} ended by themselves, {len(rows) - len(ended)} were not started")
        node.zlayer("rm", "-f", *rows) if rows else None
        expect_health(node)


def a_failed_machines_disk_is_kept_on_wish():
    """Only with the variable; the reason says where it is, and it goes with the container."""
    with VmNode() as node:
        node.small()
        for name, wish in (("kept", "1"), ("dropped", "0"), ("unasked", "")):
            said = die(node, name, {"ZLAYER_KEEP_VM_ON_FAILURE": wish})
            folder = node.root / "containers" / f"{name}-rep-1"
            disk = folder / "scratch"
            check((folder / "console.log").exists(), "no console.log")
            check(disk.exists() == (wish == "1") == (f"its disk is kept as '{disk}'" in said), f"{name}: {said!r}")
            check(node.inspect(name)["state"]["error"] in said, f"{name}: {said!r}")
        disk = node.root / "containers" / "kept-rep-1" / "scratch"
        shown = subprocess.run(["/sbin/debugfs", "-R", "cat /upper/word", disk], capture_output=True, text=True, check=True)
        check(shown.stdout == "kept\n", f"{shown}")
        node.zlayer("rm", "kept", "dropped", "unasked")
        check(not disk.exists(), "the disk has outlived its container")
        refused = node.zlayer("run", "--rm", "--isolation", "hyperv", HELLO, "true", ok=125,
                              env=dict(os.environ, ZLAYER_KEEP_VM_ON_FAILURE="yes"))
        check("ZLAYER_KEEP_VM_ON_FAILURE" in refused.stderr, refused.stderr)
        node.expect_no_leaks()


def die(node, name, variables):
    """Runs a container that has written to its disk until QEMU is killed; what the CLI says of it."""
    cli = node.start("run", "--name", name, "--isolation", "hyperv", HELLO, "sh", "-c",
                     "echo kept > /word; sync; echo written; sleep 100000", stdin=subprocess.DEVNULL,
                     stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=dict(os.environ, **variables))
    check(cli.stdout.readline() == "written\n", "the workload does not write")
    kill(node.inspect(name)["machine"]["qemuPid"])
    err = cli.communicate(timeout=PATIENCE)[1]
    check(cli.returncode == 125 and err.startswith(f"zlayer: container '{name}-rep-1': the virtual machine ended"), err)
    return err


def cli_killed_in_its_first_run():
    """What a node makes once is half-made: template, image, disks."""

    def strike(i):
        with VmNode(slice_cidr=f"10.231.{i}.0/24") as node:
            node.settings("{ memory: 64Mi, scratch_size: 64Mi }")
            life = Life(node, f"f{i}", "--rm")
            life.wait(3.5)
            kill(life.cli.pid)
            life.end()
            wait_for(lambda: not node.ids() or node.state(life.name) == "initializing", PATIENCE, "the container's end")
            # What they make is not half-made yet.
            wait_for(lambda: not helpers(node.root), PATIENCE, "the end of those who work for it")
            node.zlayer("system", "check", "--repair")
            expect_fresh(node)
            check(node.hyperv("echo", "well")[0] == "well\n", "an ordinary run")
            wait_for(lambda: not node.keepers(), PATIENCE, "the end of helpers in the background")
            expect_fresh(node)

    at_once(strike, range(FRESH))


def expect_fresh(node):
    """Beside what the node keeps there is nothing half-made, in a network that it shares with others of this test."""
    left = {path for path in node.files() if path.split("/")[-1].startswith(("tmp-", ".gone-"))}
    check(not left, f"seed {SEED}: half-made: {left}")
    check(not node.ids() and not list((node.root / "locks").glob("[!.]*")), f"seed {SEED}: {node.ids()}")
    for table in ("containers", "leases", "ports", "journal"):
        check(node.rows(table) == 0, f"seed {SEED}: rows of {table}")


if __name__ == "__main__":
    main(qemu_killed_at_any_instant, keeper_killed_at_any_instant, cli_killed_at_any_instant,
         cli_killed_in_its_first_run, a_failed_machines_disk_is_kept_on_wish)
