#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The verbs for containers of zlayer.exe under Wine, on a machine of doubles, with an image of Windows' layout from
a registry on loopback. usage: test_container_verbs.py ZLAYER.EXE SIM_TOOL.EXE SHIM.EXE [CASE...]"""
import json
import os
import pathlib
import signal
import sys
import time

sys.dont_write_bytecode = True
from cases import run_cases  # noqa: E402  pylint: disable=wrong-import-position
import registry as reg  # noqa: E402  pylint: disable=wrong-import-position
from store_box import Box, windows_path  # noqa: E402  pylint: disable=wrong-import-position

PROGRAMS = {"zlayer": sys.argv[1], "sim_tool": sys.argv[2]}
HELPERS = windows_path(pathlib.Path(sys.argv[3]).parent)
REGISTRY = reg.Registry()
CONFIG = {"Cmd": ["cmd", "/c", "echo", "from-the-image"], "Env": ["IMAGE=yes"], "WorkingDir": "C:\\"}
IMAGE = REGISTRY.add("nano", reg.image([reg.base_layer(), reg.diff_layer()], config=CONFIG))
PING = ("cmd", "/c", "echo begun&ping -n 60 127.0.0.1")


class Node(Box):
    """A root with the slice of the acceptance; at its end nothing is left."""

    def __init__(self):
        super().__init__(PROGRAMS, REGISTRY.host)
        self.env.update(ZLAYER_HELPER_DIR=HELPERS, ZLAYER_SLICE_CIDR="10.220.99.16/28")

    def __exit__(self, kind, *rest):
        try:
            if kind is None:
                same(json.loads(good(self, "ps", "-a", "--json")), [])
                good(self, "system", "check", "--repair")
                same(self.sim("leaks")[:2], (0, ""))
        finally:
            super().__exit__(kind, *rest)


def zlayer(node, *args, **env):
    return node.run("zlayer", "--root", windows_path(node.root), *args, **env)


def good(node, *args, **env):
    code, out, err = zlayer(node, *args, **env)
    assert code == 0, (args, code, out, err)
    return out


def same(got, expected):
    assert got == expected, f"\n got {got!r}\n not {expected!r}"


def eventually(check, seconds=30):
    end = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < end, "it does not come"
        time.sleep(0.1)


def state_of(node, name):
    return json.loads(good(node, "inspect", name))[0]["state"]


def listed(node):
    return {c["id"]: c for c in json.loads(good(node, "ps", "-a", "--json"))}


# ---- Verbs ------------------------------------------------------------------------------------------------------


def a_container_runs_attached_and_its_code_is_ours():
    with Node() as node:
        same(good(node, "run", "--rm", IMAGE), "from-the-image\n")
        code, out, _ = zlayer(node, "run", "--rm", IMAGE, "cmd", "/c", "exit 7")
        same((code, out), (7, ""))
        same(good(node, "run", "--rm", "-e", "WHO=me", IMAGE, "cmd", "/c", "echo %WHO% %IMAGE%"), "me yes\n")
        code, _, err = zlayer(node, "run", "--rm", IMAGE, "no-such-program")
        same(code, 127)
        assert "no such command" in err and err.count("starting container") == 1, err


def a_container_lives_from_run_to_rm():
    with Node() as node:
        good(node, "run", "-d", "--name", "long", IMAGE, *PING)
        one = listed(node)["long-rep-1"]
        same((one["state"], one["address"], one["backend"], one["isolation"]),
             ("running", "10.220.99.18", "hcs", "process"))
        same(good(node, "exec", "long", "cmd", "/c", "echo", "inside").strip(), "inside")
        same(zlayer(node, "exec", "long", "cmd", "/c", "exit 9")[0], 9)
        eventually(lambda: "begun" in good(node, "logs", "long"))
        stats = json.loads(good(node, "stats", "--no-stream", "--json", "long"))
        assert stats[0]["memoryBytes"] > 0, stats
        code, _, err = zlayer(node, "pause", "long")
        assert code != 0 and "HcsPauseComputeSystem" in err, err
        good(node, "stop", "-t", "5", "long")
        same(state_of(node, "long")["status"], "exited")
        same(zlayer(node, "exec", "long", "cmd", "/c", "echo x")[0], 125)
        good(node, "rm", "long")


def one_is_killed_and_waited_for():
    with Node() as node:
        good(node, "run", "-d", "--name", "victim", IMAGE, *PING)
        waiter = node.start("zlayer", "--root", windows_path(node.root), "wait", "victim")
        good(node, "kill", "victim")
        code, out, _ = node.finish(waiter)
        same((code, out.strip()), (0, "137"))
        state = state_of(node, "victim")
        same((state["exitCode"], state["exitReason"]), (137, "signal"))
        code, _, err = zlayer(node, "kill", "-s", "USR1", "victim")
        assert code != 0 and "CtrlBreak" in err, err
        good(node, "rm", "victim")


def a_machine_is_asked_for():
    with Node() as node:
        good(node, "run", "-d", "--isolation", "hyperv", "--name", "vm", IMAGE, *PING)
        same(listed(node)["vm-rep-1"]["isolation"], "hyperv")
        same(good(node, "exec", "vm", "cmd", "/c", "echo", "inside").strip(), "inside")
        good(node, "pause", "vm")
        same(state_of(node, "vm")["paused"], True)
        good(node, "unpause", "vm")
        code, _, err = zlayer(node, "rm", "vm")
        assert code != 0 and "runs" in err, err
        good(node, "rm", "-f", "vm")


def a_deployment_goes_up_and_down():
    with Node() as node:
        file = node.top / "deploy.yaml"
        file.write_text("version: v1\ndeployment: demo\nservices:\n  web:\n    image: { name: \"%s\" }\n"
                        "    command: { entrypoint: [ping, -n, \"60\", 127.0.0.1] }\n"
                        "    scale: { mode: fixed, replicas: 2 }\n" % IMAGE)
        good(node, "up", "-d", windows_path(file))
        same(sorted((c["id"], c["state"], c["address"]) for c in listed(node).values()),
             [("web-rep-1", "running", "10.220.99.18"), ("web-rep-2", "running", "10.220.99.19")])
        good(node, "down", windows_path(file))


def facts_are_told():
    with Node() as node:
        info = json.loads(good(node, "info", "--json"))
        same((info["backends"], info["network"]["slice"]), (["hcs"], "10.220.99.16/28"))
        assert info["windows"].startswith("10.0.20348"), info
        good(node, "run", "--rm", "--name", "seen", IMAGE)
        actions = [json.loads(line)["action"] for line in good(node, "events", "--json").splitlines()]
        same([a for a in actions if a in ("create", "start", "die", "remove")], ["create", "start", "die", "remove"])


def what_windows_has_not_is_refused_by_name():
    with Node() as node:
        code, _, err = zlayer(node, "run", "--privileged", IMAGE)
        assert code == 125 and "privileged" in err, (code, err)
        code, _, err = zlayer(node, "vm", "status")
        assert code != 0 and "vm" in err, err


# ---- Deaths -----------------------------------------------------------------------------------------------------


def shim_pid(node, container):
    """Of Linux, for a signal: Wine's own numbers are others."""
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            line = pathlib.Path("/proc", pid, "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if b"zlayer-shim" in line[0] and container.encode() in line and str(node.top).replace("/", "\\").encode() in line[2]:
            return int(pid)
    return None


def die_with_shim(isolation):
    with Node() as node:
        good(node, "run", "-d", "--isolation", isolation, "--name", "orphan", IMAGE, *PING)
        pid = shim_pid(node, "orphan-rep-1")
        assert pid, "the shim is not found"
        os.kill(pid, signal.SIGKILL)
        eventually(lambda: state_of(node, "orphan")["status"] == "failed")
        assert "killed" in state_of(node, "orphan")["error"], state_of(node, "orphan")
        good(node, "rm", "orphan")
        same(good(node, "run", "--rm", "--isolation", isolation, IMAGE), "from-the-image\n")


def a_shim_that_dies_leaves_nothing_with_process():
    die_with_shim("process")


def a_shim_that_dies_leaves_nothing_with_hyperv():
    die_with_shim("hyperv")


def a_client_may_die():
    with Node() as node:
        client = node.start("zlayer", "--root", windows_path(node.root), "run", "--name", "stays", IMAGE, *PING)
        eventually(lambda: listed(node).get("stays-rep-1", {}).get("state") == "running")
        client.kill()
        client.wait()
        same(good(node, "exec", "stays", "cmd", "/c", "echo", "lives").strip(), "lives")
        good(node, "rm", "-f", "stays")


CASES = [a_container_runs_attached_and_its_code_is_ours, a_container_lives_from_run_to_rm, one_is_killed_and_waited_for,
         a_machine_is_asked_for, a_deployment_goes_up_and_down, facts_are_told, what_windows_has_not_is_refused_by_name,
         a_shim_that_dies_leaves_nothing_with_process, a_shim_that_dies_leaves_nothing_with_hyperv, a_client_may_die]
sys.exit(run_cases([case for case in CASES if len(sys.argv) < 5 or case.__name__ in sys.argv[4:]]))
