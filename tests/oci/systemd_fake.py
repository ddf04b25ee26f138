#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""--systemd-cgroup with a bus of our own (fakebus.py): what is asked of systemd, and what is made of its answers.
A real systemd: systemd_real.py."""
import os
import pathlib
import subprocess
import time

from fakebus import ERROR, REPLY, SYSTEMD, FakeBus, hide, message, seem_to_have_systemd, set_address
from ocibox import V2, all_cases, case, check, contains, equal, main, ours, v2_only, wait_for

MIB = 1 << 20
INFINITY = 2**64 - 1


def start(box, path=None, **kwargs):
    """A bus, and the box's containers as units of it."""
    box.options = ["--systemd-cgroup"]
    if path:
        box.linux["cgroupsPath"] = path
    return FakeBus(box, **kwargs)


def unit(box):
    return f"zlayer-{box.id}.scope"


@case
def scope_of_its_own(box):
    bus = start(box)
    box.detach()
    name, _, _, _ = bus.arguments("StartTransientUnit")
    properties = bus.properties()
    equal(name, unit(box))
    holder = properties.pop("PIDs")
    check(len(holder) == 1 and holder[0] != box.pid(), f"PIDs {holder}")
    wait_for(lambda: not pathlib.Path(f"/proc/{holder[0]}").exists(), what="the holder's end")
    if not V2:
        equal(properties.pop("DevicePolicy"), "strict")
        devices = dict(properties.pop("DeviceAllow"))
        equal((devices["/dev/char/1:3"], devices["char-136"], devices["char-*"]), ("rwm", "rwm", "m"))
    equal(properties, {"Description": f"zlayer container {box.id}", "Slice": "system.slice", "Delegate": True,
                       "MemoryAccounting": True, "CPUAccounting": True, "IOAccounting": True, "TasksAccounting": True,
                       "DefaultDependencies": False})
    equal(bus.members(), ["Subscribe", "StartTransientUnit"])
    contains(pathlib.Path(f"/proc/{box.pid()}/cgroup").read_text(), f":/system.slice/{unit(box)}\n")
    equal((box.cgroup("pids", f"system.slice/{unit(box)}") / "cgroup.procs").read_text().split(), [str(box.pid())])
    bus.calls.clear()
    box.delete("--force")
    equal(bus.calls, [("Subscribe", []), ("StopUnit", [unit(box), "replace"]), ("ResetFailedUnit", [unit(box)])])


@case
def path_that_is_given(box):
    bus = start(box, f"zlfake-a-b.slice:cri-containerd:{box.id}")
    box.detach()
    equal(bus.arguments("StartTransientUnit")[0], f"cri-containerd-{box.id}.scope")
    equal(bus.properties()["Slice"], "zlfake-a-b.slice")
    contains(pathlib.Path(f"/proc/{box.pid()}/cgroup").read_text(),
             f":/zlfake.slice/zlfake-a.slice/zlfake-a-b.slice/cri-containerd-{box.id}.scope\n")
    equal(box.inside("echo in"), "in")
    box.delete("--force")


@case
def name_that_is_a_slice(box):
    bus = start(box, f"zlfake.slice::zlfake-{box.id.replace('-', '_')}.slice")
    box.detach()
    properties = bus.properties()
    equal(properties["Wants"], ["zlfake.slice"])
    check(not {"PIDs", "Slice", "Delegate"} & set(properties), f"properties of a scope: {properties}")
    box.delete("--force")
    check(not bus.units, "it was not stopped")


@case
def cgroup_manager_option(box):
    bus = start(box)
    box.options = ["--cgroup-manager", "systemd"]
    box.args("true").run()
    equal(bus.arguments("StopUnit"), [unit(box), "replace"])
    box.options = ["--cgroup-manager", "other"]
    box.refused("--cgroup-manager", "other")


@case
def limits(box):
    bus = start(box)
    box.resources["memory"] = {"limit": 64 * MIB, "reservation": 32 * MIB}
    box.resources["cpu"] = {"shares": 512, "quota": 33333, "period": 100000}
    box.resources["pids"] = {"limit": 50}
    box.detach()
    found = bus.properties()
    equal(found["MemoryMax" if V2 else "MemoryLimit"], 64 * MIB)
    equal(found.get("MemoryLow"), 32 * MIB if V2 else None)
    equal(found["CPUWeight" if V2 else "CPUShares"], 59 if V2 else 512)
    equal((found["CPUQuotaPerSecUSec"], found["CPUQuotaPeriodUSec"], found["TasksMax"]), (340000, 100000, 50))
    path = f"system.slice/{unit(box)}"
    file, expected = ("cpu.max", "33333 100000") if V2 else ("cpu.cfs_quota_us", "33333")
    equal((box.cgroup("cpu", path) / file).read_text().strip(), expected)
    equal((box.cgroup("pids", path) / "pids.max").read_text().strip(), "50")
    box.delete("--force")


@case
def limits_that_are_none(box):
    bus = start(box)
    box.resources.update({"memory": {"limit": -1}, "cpu": {"quota": -1}, "pids": {"limit": -1}})
    box.detach()
    found = bus.properties()
    equal((found["MemoryMax" if V2 else "MemoryLimit"], found["CPUQuotaPerSecUSec"], found["TasksMax"]), (INFINITY,) * 3)
    box.delete("--force")


@case
@v2_only
def limits_of_v2(box):
    bus = start(box)
    box.resources.update({"memory": {"limit": 64 * MIB, "swap": 96 * MIB}, "cpu": {"cpus": "0"},
                          "unified": {"memory.high": str(48 * MIB), "pids.max": "max"}})
    box.detach()
    found = bus.properties()
    equal((found["MemorySwapMax"], found["AllowedCPUs"], found["MemoryHigh"], found["TasksMax"]),
          (32 * MIB, [1], 48 * MIB, INFINITY))
    box.delete("--force")


@case
def old_systemd(box):
    """Properties that came later are not asked for."""
    bus = start(box, version="v239")
    box.resources["cpu"] = {"quota": 20000, "period": 40000, "cpus": "0"}
    box.detach()
    found = bus.properties()
    equal(found["CPUQuotaPerSecUSec"], 500000)
    check(not {"CPUQuotaPeriodUSec", "AllowedCPUs"} & set(found), f"properties {found}")
    box.delete("--force")


@case
def updates(box):
    bus = start(box)
    box.resources["cpu"] = {"quota": 20000, "period": 40000}
    box.detach()
    box.oci("update", "--memory", "48m", "--pids-limit", "33", box.id)
    equal(bus.properties("SetUnitProperties"), {"MemoryMax" if V2 else "MemoryLimit": 48 * MIB, "TasksMax": 33})
    equal((box.cgroup("pids", f"system.slice/{unit(box)}") / "pids.max").read_text().strip(), "33")
    # The period is the one in force.
    box.oci("update", "--cpu-quota", "10000", box.id)
    equal(bus.properties("SetUnitProperties"), {"CPUQuotaPeriodUSec": 40000, "CPUQuotaPerSecUSec": 250000})
    bus.answers["SetUnitProperties"] = lambda peer, call, values: peer.error(call, "org.x.Failed", "not today")
    contains(box.oci("update", "--pids-limit", "34", box.id, ok="fail").stderr, "not today (org.x.Failed)")
    equal((box.cgroup("pids", f"system.slice/{unit(box)}") / "pids.max").read_text().strip(), "33")
    box.delete("--force")


@case
def annotations(box):
    bus = start(box)
    prefix = "org.systemd.property."
    good = {"TimeoutStopUSec": ("uint64 5", 5), "CollectMode": ("'inactive-or-failed'", "inactive-or-failed"),
            "KillSignal": ("15", 15), "FinalKillSignal": ("int32 9", 9), "SendSIGHUP": ("true", True),
            "ManagedOOMMemoryPressureLimit": ("@u 7", 7), "OOMPolicy": ('"continue"', "continue")}
    box.config["annotations"] = {prefix + name: text for name, (text, _) in good.items()}
    box.config["annotations"] |= {prefix + "RuntimeMaxSec": "double 2.5", "org.other": "kept"}
    box.detach()
    found = bus.properties()
    for name, (_, value) in good.items():
        equal(found[name], value, name)
    equal(found["RuntimeMaxUSec"], 2500000)
    box.delete("--force")


@case
def annotations_that_are_refused(box):
    """CVE-2024-3154: none may run a command, or be anything else but a limit."""
    bus = start(box)
    bad = {"ExecStartPre": "[('/bin/sh', ['sh'], false)]", "ExecStop": "'x'", "Description": "'x'", "Slice": "'x.slice'",
           "PIDs": "[1]", "": "1", "TimeoutStopUSec": "5", "TimeoutStopSec": "uint64", "KillSignal": "'TERM'",
           "CollectMode": "'a\\nb'", "TasksMax": "uint64 -1", "MemoryMax": "uint64 18446744073709551616",
           "SendSIGKILL": "1", "RuntimeMaxSec": "1e5", "MemoryHigh": "uint64 " + "1" * 200, "memorymax": "uint64 1"}
    for name, text in bad.items():
        box.config["annotations"] = {f"org.systemd.property.{name}": text}
        box.args("true").refused(f"annotations: org.systemd.property.{name}")
    check("StartTransientUnit" not in bus.members(), "it was asked for nevertheless")


@case
def paths_that_are_refused(box):
    bus = start(box)
    for path in ("/a/path", "a:b", "a.slice:b:c:d", "a.slice:b:", "a:b:c", "a--b.slice:c:d", "-a.slice:c:d",
                 "a-.slice:c:d", "a.slice:b:c d", "a/b.slice:c:d", "a.slice:b/c:d", "a.slice:" + "b" * 250 + ":c",
                 "::x-.slice"):
        box.linux["cgroupsPath"] = path
        box.args("true").refused("cgroupsPath")
    check("StartTransientUnit" not in bus.members(), "it was asked for nevertheless")


@case
@ours
def systemd_form_without_systemd(box):
    box.linux["cgroupsPath"] = f"system.slice:x:{box.id}"
    box.args("true").refused("cgroupsPath", "needs --systemd-cgroup")


@case
def no_systemd_here(box):
    box.options = ["--systemd-cgroup"]
    hide(box, "/run/systemd")
    box.args("true").refused("no systemd runs here", "cgroupfs")


@case
def signal_before_the_reply(box):
    bus = start(box)

    def answer(peer, call, values):
        bus.make(values[0], dict(values[2]))
        for number in (1, 2, 3):
            peer.job_removed(number, "other.scope", "failed")
        peer.job_removed(55, values[0])
        peer.reply(call, "o", ["/org/freedesktop/systemd1/job/55"])

    bus.answers["StartTransientUnit"] = answer
    box.detach()
    box.delete("--force")


@case
def signals_of_others(box):
    """Anybody on the bus may send us one: only systemd's count."""
    bus = start(box)

    def answer(peer, call, values):
        peer.reply(call, "o", ["/org/freedesktop/systemd1/job/55"])
        for result in ("done", "failed"):
            peer.job_removed(55, values[0], result, sender=":1.666")
        time.sleep(0.3)
        bus.make(values[0], dict(values[2]))  # believing the forged one it would not be there
        peer.job_removed(55, values[0])
        for _ in range(1000):
            peer.job_removed(9, "other.scope", "failed")

    bus.answers["StartTransientUnit"] = answer
    box.detach()
    box.delete("--force")


@case
def unit_that_has_failed_before(box):
    bus = start(box)
    bus.units[unit(box)] = "system.slice/none"

    def forget(peer, call, values):
        bus.units.pop(values[0], None)
        peer.reply(call)

    bus.answers["ResetFailedUnit"] = forget
    box.detach()
    equal(bus.members(), ["Subscribe", "StartTransientUnit", "ResetFailedUnit", "StartTransientUnit"])
    box.delete("--force")


@case
def unit_of_somebody_else(box):
    bus = start(box)
    bus.answers["StartTransientUnit"] = lambda peer, call, values: peer.error(
        call, "org.freedesktop.systemd1.UnitExists", "Unit is there")
    box.args("true").refused(unit(box), "already")
    check("StopUnit" not in bus.members(), "it was stopped")


@case
def answers_that_fail(box):
    bus = start(box)
    answers = {
        "not allowed (org.freedesktop.DBus.Error.AccessDenied)":
            lambda peer, call, values: peer.error(call, "org.freedesktop.DBus.Error.AccessDenied", "not allowed"),
        "ended with 'failed'": lambda peer, call, values: peer.job(call, values[0], "failed"),
        "names no job": lambda peer, call, values: peer.reply(call, "s", ["/job"]),
        "has not put the process": lambda peer, call, values: peer.job(call, values[0]),
    }
    for text, answer in answers.items():
        bus.answers["StartTransientUnit"] = answer
        bus.calls.clear()
        box.args("true").refused(text)
        check("StopUnit" in bus.members(), f"nothing was undone after '{text}'")


@case
def answers_that_are_broken(box):
    bus = start(box)
    whole = {"sender": SYSTEMD}

    def cut(at, value):
        def answer(peer, call, _values):
            data = bytearray(message(REPLY, 77, dict(whole, reply=call["serial"]), "o", ["/job/1"]))
            data[at] = value
            peer.sock.sendall(data + bytes(64))
            time.sleep(0.5)
        return answer

    def close(peer, _call, _values):
        peer.sock.close()

    broken = [(cut(0, ord("B")), "malformed"), (cut(3, 9), "malformed"), (cut(7, 0x7f), "more than"), (cut(15, 0xff), "more than"),
              (cut(1, 0), "malformed"), (cut(20, 0xff), "malformed"), (close, "closed the connection")]
    for answer, text in broken:
        bus.answers["StartTransientUnit"] = answer
        box.args("true").refused(text)
    noise = [os.urandom(4096) for _ in range(8)]
    for data in noise:
        bus.answers["StartTransientUnit"] = lambda peer, call, values, data=data: (peer.sock.sendall(data), peer.sock.close())
        box.args("true").refused("StartTransientUnit")


@case
def silence(box):
    """It is waited for, but not for ever; meanwhile signals keep coming."""
    bus = start(box)

    def answer(peer, _call, _values):
        for number in range(400):
            peer.job_removed(number, "other.scope")
            time.sleep(0.1)

    bus.answers["StartTransientUnit"] = answer
    began = time.monotonic()
    box.args("true").refused("does not answer")
    check(29 < time.monotonic() - began < 45, "the time it took")


@case
def bus_that_lets_nobody_in(box):
    bus = start(box)
    bus.greeting = "REJECTED EXTERNAL"
    box.args("true").refused("does not let us in", "REJECTED")
    bus.greeting = "x" * 1000
    box.args("true").refused("too long a line")
    bus.greeting = "OK 00"
    bus.answers["Subscribe"] = lambda peer, call, values: peer.send(
        ERROR, {"reply": call["serial"], "error": "org.x.No", "sender": SYSTEMD})
    box.args("true").refused("org.x.No")


@case
def addresses(box):
    box.options = ["--systemd-cgroup"]
    seem_to_have_systemd(box)
    for address, text in (("tcp:host=localhost", "only unix:path="), (f"unix:path={box.top}/none", f"{box.top}/none"),
                          ("unix:path=/" + "x" * 200, "too long a path")):
        set_address(box, address)
        box.args("true").refused(text)
    bus = start(box)
    set_address(box, f"unix:abstract=x;unix:path={box.top}/none;unix:path={box.top}/bus%2esock,guid=00")
    box.run()
    equal(bus.arguments("StopUnit"), [unit(box), "replace"])


@case
def without_a_bus(box):
    """Root talks to systemd's own socket, where no name is asked for."""
    seem_to_have_systemd(box)
    hide(box, "/run/dbus")
    bus = start(box, place="/run/systemd/private")
    box.detach()
    box.oci("update", "--pids-limit", "33", box.id)
    box.delete("--force")
    equal(bus.members(), ["Subscribe", "StartTransientUnit", "Subscribe", "SetUnitProperties", "Get", "Subscribe",
                          "StopUnit", "ResetFailedUnit"])


@case
def failed_create_leaves_nothing(box):
    bus = start(box)
    box.config["hooks"] = {"prestart": [{"path": "/bin/false"}]}
    box.args("true").refused("prestart")
    equal((bus.arguments("StopUnit"), bus.units), ([unit(box), "replace"], {}))


@case
def killed_creates(box):
    """At any instant: `delete --force` finds what there is."""
    bus = start(box)
    box.args("sleep", "1000").write_config()
    for delay in range(40):
        process = box.spawn("create", "--bundle", box.bundle, box.id, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(delay / 1000)
        process.kill()
        process.wait()
        box.delete("--force")
        check(not box.states(), f"after {delay} ms: {box.states()}")
        wait_for(lambda: bus.collect() or not bus.units, 5, f"the end of {bus.units} after {delay} ms")


@case
def bus_that_is_gone_at_delete(box):
    """What cannot be stopped stays known, for another `delete`."""
    bus = start(box)
    box.script("exit 0").create()
    box.start()
    box.wait_status("stopped")
    bus.answers["StopUnit"] = lambda peer, call, values: peer.sock.close()
    contains(box.delete(ok="fail").stderr, "closed the connection")
    equal(box.status(), "stopped")
    bus.answers.clear()
    box.delete()


if __name__ == "__main__":
    main(all_cases(globals()))
