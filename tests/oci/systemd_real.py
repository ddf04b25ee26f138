#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""--systemd-cgroup where systemd runs: what it then knows of a container, and what is in the files.

For a machine of which it is the first process: `make test-systemd` (tools/vmtest --systemd)."""
import pathlib
import subprocess

from ocibox import (CGROUPS, LIBC, RUNTIME, V2, all_cases, case, check, contains, equal, main, mount_points, v2_only,
                    wait_for)

MIB = 1 << 20


def systemctl(*args, ok=0):
    done = subprocess.run(["systemctl", *args], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    check(ok is None or done.returncode == ok, f"systemctl {' '.join(args)}: {done.returncode}: {done.stdout}")
    return done.stdout.strip()


def show(unit, *names):
    """The properties, as systemctl writes them."""
    lines = systemctl("show", unit, f"--property={','.join(names)}").splitlines()
    return dict(line.split("=", 1) for line in lines)


def is_known(unit):
    return show(unit, "LoadState")["LoadState"] != "not-found"


def use(box, path=None):
    """The box's containers are units; returns the unit's name."""
    box.options = ["--systemd-cgroup"]
    if path:
        box.linux["cgroupsPath"] = path
        return "-".join(path.split(":")[1:]) + ".scope"
    return f"zlayer-{box.id}.scope"


def own_cgroup(pid):
    lines = pathlib.Path(f"/proc/{pid}/cgroup").read_text().splitlines()
    return next(line for line in lines if line.startswith("0::" if V2 else "1:name=") or "name=systemd" in line).split(":", 2)[2]


def folder(unit, controller):
    path = show(unit, "ControlGroup")["ControlGroup"].lstrip("/")
    return CGROUPS / path if V2 else CGROUPS / controller / path


def value(unit, v2_file, v1_file):
    file = v2_file if V2 else v1_file
    return (folder(unit, v1_file.split(".")[0]) / file).read_text().strip()


@case
def scope_of_its_own(box):
    unit = use(box)
    box.detach()
    found = show(unit, "ActiveState", "Slice", "Delegate", "Description", "ControlGroup", "DefaultDependencies", "Transient")
    equal(found, {"ActiveState": "active", "Slice": "system.slice", "Delegate": "yes", "Transient": "yes",
                  "Description": f"zlayer container {box.id}", "DefaultDependencies": "no",
                  "ControlGroup": f"/system.slice/{unit}"})
    equal(own_cgroup(box.pid()), f"/system.slice/{unit}")
    equal((folder(unit, "systemd") / "cgroup.procs").read_text().split(), [str(box.pid())])
    box.delete("--force")
    check(not is_known(unit), "systemd still knows the scope")


@case
def slice_that_is_given(box):
    unit = use(box, f"zl-test-a.slice:podman:{box.id}")
    box.cleanups.append(lambda: systemctl("stop", "zl.slice"))
    box.detach()
    equal(own_cgroup(box.pid()), f"/zl.slice/zl-test.slice/zl-test-a.slice/{unit}")
    equal(show(unit, "Slice")["Slice"], "zl-test-a.slice")
    box.delete("--force")
    check(not is_known(unit), "systemd still knows the scope")


@case
def name_that_is_a_slice(box):
    use(box)
    box.linux["cgroupsPath"] = "::zltest-pod.slice"
    box.cleanups.append(lambda: systemctl("stop", "zltest.slice"))
    box.detach()
    contains(own_cgroup(box.pid()), "/zltest.slice/zltest-pod.slice")
    box.delete("--force")
    check(show("zltest-pod.slice", "ActiveState")["ActiveState"] == "inactive", "the slice is still there")


@case
def life(box):
    """Create, start, exec, pause, kill and delete; a container that has ended leaves no scope to stop."""
    unit = use(box)
    box.script("trap 'exit 3' TERM; while :; do sleep 0.1; done").create()
    equal(box.status(), "created")
    box.start()
    child = box.spawn("exec", box.id, "sleep", "1000")
    wait_for(lambda: len((folder(unit, "systemd") / "cgroup.procs").read_text().split()) >= 2, what="the second process")
    check(child.poll() is None, "exec has ended")
    box.oci("pause", box.id)
    equal(box.status(), "paused")
    box.oci("resume", box.id)
    contains(box.oci("ps", box.id).stdout, "sleep")
    box.kill("TERM")
    box.wait_status("stopped")
    box.delete()
    check(not is_known(unit), "systemd still knows the scope")


@case
def foreground(box):
    unit = use(box)
    equal(box.script("exit 7").run(ok=None).returncode, 7)
    check(not is_known(unit), "systemd still knows the scope")


@case
def limits(box):
    unit = use(box)
    box.resources["memory"] = {"limit": 64 * MIB, "reservation": 32 * MIB}
    box.resources["cpu"] = {"shares": 512, "quota": 20000, "period": 40000}
    box.resources["pids"] = {"limit": 50}
    box.detach()

    def all_are_right():
        found = show(unit, "MemoryMax", "MemoryLow", "MemoryLimit", "CPUWeight", "CPUShares", "CPUQuotaPerSecUSec",
                     "CPUQuotaPeriodUSec", "TasksMax")
        equal(found["MemoryMax" if V2 else "MemoryLimit"], str(64 * MIB))
        equal(found["TasksMax"], "50")
        equal(found["CPUQuotaPerSecUSec"], "500ms")
        equal(found["CPUQuotaPeriodUSec"], "40ms")
        if V2:
            equal((found["MemoryLow"], found["CPUWeight"]), (str(32 * MIB), "59"))
            equal(value(unit, "cpu.weight", "cpu."), "59")
            equal(value(unit, "cpu.max", "cpu."), "20000 40000")
            equal(value(unit, "memory.low", "memory."), str(32 * MIB))
        else:
            equal(found["CPUShares"], "512")
            equal(value(unit, "", "cpu.cfs_quota_us"), "20000")
        equal(value(unit, "memory.max", "memory.limit_in_bytes"), str(64 * MIB))
        equal(value(unit, "pids.max", "pids.max"), "50")

    all_are_right()
    systemctl("daemon-reload")
    all_are_right()


@case
@v2_only
def limits_of_v2(box):
    unit = use(box)
    box.resources["memory"] = {"limit": 64 * MIB, "swap": 96 * MIB}
    box.resources["cpu"] = {"cpus": "0"}
    box.resources["unified"] = {"memory.high": str(48 * MIB)}
    box.detach()
    for _ in range(2):
        found = show(unit, "MemorySwapMax", "AllowedCPUs", "MemoryHigh")
        equal(found, {"MemorySwapMax": str(32 * MIB), "AllowedCPUs": "0", "MemoryHigh": str(48 * MIB)})
        equal(value(unit, "cpuset.cpus.effective", ""), "0")
        equal(value(unit, "memory.high", ""), str(48 * MIB))
        systemctl("daemon-reload")


@case
def devices(box):
    """What is not allowed stays so when systemd reads its configuration anew."""
    unit = use(box)
    box.capabilities(**{name: ["CAP_MKNOD"] for name in ("bounding", "effective", "permitted")})
    box.detach()
    box.inside("mknod /kmsg c 1 11; mknod /zero c 1 5")
    for _ in range(2):
        equal(box.inside("head -c 1 /zero | wc -c"), "1")
        check(box.exec("sh", "-c", "head -c 1 /kmsg", ok=None).returncode != 0, "a device that no rule allows")
        systemctl("daemon-reload")
        systemctl("set-property", "--runtime", unit, "TasksMax=100")


@case
def updates(box):
    unit = use(box)
    box.resources["cpu"] = {"quota": 20000, "period": 40000}
    box.detach()
    box.oci("update", "--memory", "48m", "--pids-limit", "33", "--cpu-share", "2048", box.id)
    box.oci("update", "--cpu-quota", "9999", box.id)  # 24.9975 %: systemd's own is 25
    equal(value(unit, "cpu.max", "cpu.cfs_quota_us").split()[0], "9999")
    for _ in range(2):
        found = show(unit, "MemoryMax", "MemoryLimit", "TasksMax", "CPUQuotaPerSecUSec", "CPUQuotaPeriodUSec")
        equal(found["MemoryMax" if V2 else "MemoryLimit"], str(48 * MIB))
        equal((found["TasksMax"], found["CPUQuotaPerSecUSec"], found["CPUQuotaPeriodUSec"]), ("33", "250ms", "40ms"))
        equal(value(unit, "memory.max", "memory.limit_in_bytes"), str(48 * MIB))
        equal(value(unit, "pids.max", "pids.max"), "33")
        systemctl("daemon-reload")


@case
def annotations(box):
    unit = use(box)
    box.config["annotations"] = {"org.systemd.property.TimeoutStopUSec": "uint64 5000000",
                                 "org.systemd.property.CollectMode": "'inactive-or-failed'",
                                 "org.systemd.property.RuntimeMaxSec": "3600"}
    box.detach()
    equal(show(unit, "TimeoutStopUSec", "CollectMode", "RuntimeMaxUSec"),
          {"TimeoutStopUSec": "5s", "CollectMode": "inactive-or-failed", "RuntimeMaxUSec": "1h"})
    box.delete("--force")
    box.config["annotations"] = {"org.systemd.property.ExecStopPost": "[('/bin/sh', ['sh'], false)]"}
    box.args("true").refused("annotations: org.systemd.property.ExecStopPost")


@case
def memory_runs_out(box):
    """systemd remembers a scope of which a process was killed for want of memory as failed."""
    unit = use(box)
    box.resources["memory"] = {"limit": 24 * MIB, "swap": 24 * MIB}
    box.args("helper", "hog", "100").create()
    box.start(ok=None)
    box.wait_status("stopped")
    box.delete()
    check(not is_known(unit), "systemd still knows the scope")


@case
def failed_create_leaves_nothing(box):
    unit = use(box)
    box.config["hooks"] = {"prestart": [{"path": "/bin/false"}]}
    box.args("true").refused("prestart")
    check(not is_known(unit), "systemd still knows the scope")


@case
def same_unit_twice(box):
    unit = use(box, f"system.slice:twice:{box.id}")
    box.detach()
    box.write_config()
    done = box.oci("create", "--bundle", box.bundle, box.id + "-b", ok="fail")
    contains(done.stderr, f"twice-{box.id}.scope' already")
    equal((box.status(), show(unit, "ActiveState")["ActiveState"]), ("running", "active"))
    box.delete("--force")


@case
def without_a_bus(box):
    """Root talks to systemd itself."""
    unit = use(box)
    check(LIBC.mount(b"none", b"/run/dbus", b"tmpfs", 0, None) == 0, "hiding the bus")
    box.cleanups.append(lambda: LIBC.umount2(b"/run/dbus", 2))
    box.detach()
    equal(own_cgroup(box.pid()), f"/system.slice/{unit}")
    box.oci("update", "--memory", "48m", box.id)
    box.delete("--force")


@case
def podman(box):
    """With the cgroup manager that it takes by default where systemd runs."""
    def call(*args):
        command = ["podman", "--root", box.top / "store", "--runroot", box.top / "run", "--storage-driver", "vfs",
                   "--events-backend", "none", "--runtime", RUNTIME, "--cgroup-manager", "systemd", *args]
        done = subprocess.run(list(map(str, command)), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, check=False, timeout=100)
        check(done.returncode == 0, f"podman {' '.join(map(str, args))}: {done.returncode}: {done.stdout[-1500:]}")
        return done.stdout.strip()

    def unmount():
        for point in sorted(mount_points(), reverse=True):
            if point.startswith(str(box.top)):
                LIBC.umount2(point.encode(), 2)

    box.cleanups.append(unmount)
    name = call("run", "--detach", "--network", "none", "--log-driver", "none", "--memory", "64m", "--pids-limit", "50",
                "--security-opt", "seccomp=unconfined", "--rootfs", box.rootfs, "sleep", "1000").splitlines()[-1]
    unit = f"libpod-{name}.scope"
    found = show(unit, "ActiveState", "Slice", "MemoryMax", "MemoryLimit", "TasksMax")
    equal((found["ActiveState"], found["Slice"], found["TasksMax"]), ("active", "machine.slice", "50"))
    equal(found["MemoryMax" if V2 else "MemoryLimit"], str(64 * MIB))
    equal(own_cgroup(call("inspect", "--format", "{{.State.Pid}}", name)), f"/machine.slice/{unit}")
    equal(call("exec", name, "echo", "in"), "in")
    call("stop", "--time", "0", name)
    call("rm", name)
    check(not is_known(unit), "systemd still knows the scope")


@case
def stopped_by_systemd(box):
    unit = use(box)
    box.config["annotations"] = {"org.systemd.property.TimeoutStopSec": "1"}  # its program heeds no SIGTERM
    box.detach()
    systemctl("stop", unit)
    box.wait_status("stopped")
    box.delete()


if __name__ == "__main__":
    main(all_cases(globals()))
