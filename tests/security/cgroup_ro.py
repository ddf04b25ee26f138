#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""CVE-2023-25809 (runc): a container that could write the control groups it is in. Every file of them is tried from
inside; what is asked for as writable is the container's own cgroup and nothing above."""
import pathlib
import re
import shutil

from secbox import CGROUPS, INSIDE, V2, all_cases, case, check, equal, main

CAPS = ["CAP_DAC_OVERRIDE", "CAP_DAC_READ_SEARCH", "CAP_FOWNER", "CAP_CHOWN"]


def try_all(box, *places):
    """What can be written in the container, and how many files were tried."""
    shutil.copy2(INSIDE, box.rootfs / "bin" / "inside")
    box.capabilities(**{name: CAPS for name in ("bounding", "effective", "permitted")})
    lines = box.args("inside", "writable", *places).run().stdout.splitlines()
    return lines[:-1], int(lines[-1].split()[0])


def expect_all_refused(box, what):
    writable, tried = try_all(box, "/sys/fs/cgroup")
    equal(writable, [], what)
    check(tried > 20, f"only {tried} files were found")


@case
def read_only_everywhere(box):
    for namespaced in (True, False):
        if not namespaced:
            box.without_namespace("cgroup")
        expect_all_refused(box, f"cgroup namespace: {namespaced}")


@case
def in_a_user_namespace(box):
    for namespaced in (True, False):
        box.linux.pop("uidMappings", None)
        box.linux.pop("gidMappings", None)
        box.linux["namespaces"] = [ns for ns in box.linux["namespaces"] if ns["type"] != "user"]
        box.user_namespace()
        if not namespaced:
            box.without_namespace("cgroup")
        expect_all_refused(box, f"cgroup namespace: {namespaced}")


@case
def as_a_bind_of_the_hosts(box):
    """Its caller's `ro` holds for all below."""
    box.config["mounts"][-1] = {"destination": "/sys/fs/cgroup", "type": "bind", "source": str(CGROUPS), "options": ["rbind", "rro"]}
    expect_all_refused(box, "a bind")


@case
def the_rest_of_proc_and_sys(box):
    """Everything below /sys, and the read-only paths of /proc."""
    writable, tried = try_all(box, "/sys", "/proc/sys", "/proc/bus", "/proc/fs", "/proc/irq")
    equal(writable, [])
    check(tried > 500, f"only {tried} files were found")


@case
def what_is_delegated_is_its_own(box):
    """Without `ro` the container may have cgroups of its own; nothing of the host's changes."""
    box.config["mounts"][-1]["options"].remove("ro")
    writable, _ = try_all(box, "/sys/fs/cgroup")
    check(any(line.startswith("mkdir ") for line in writable), f"nothing can be written: {writable[:5]}")
    tree = "" if V2 else "/pids"
    box.script(f"mkdir /sys/fs/cgroup{tree}/own && echo $$ > /sys/fs/cgroup{tree}/own/cgroup.procs && sleep 1000").detach()
    own = pathlib.Path(f"/proc/{box.pid()}/cgroup").read_text()
    check(re.search(rf"/{box.id}(/own)?$", own, re.M), own)
    for line in own.splitlines():
        check(line.endswith(("/", box.id, f"{box.id}/own")), f"elsewhere: {line}")
    box.exec("sh", "-c", f"echo 1 > /sys/fs/cgroup{tree}/cgroup.procs; echo $$ > /sys/fs/cgroup{tree}/../../cgroup.procs", ok=None)
    above = box.cgroup("pids").parent / "cgroup.procs"
    check(not set(box.pids()) & set(map(int, above.read_text().split())), "a process has left its cgroup")


if __name__ == "__main__":
    main(all_cases(globals()))
