#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""linux.resources, cgroupsPath, devices and their rules; update and events."""
import json
import math
import os
import pathlib
import subprocess
import time

from ocibox import OURS, V2, all_cases, case, check, contains, equal, main, ours, v1_controller, v1_only, v2_only, wait_for

MIB = 1 << 20
CGROUP_TOP = pathlib.Path("/sys/fs/cgroup")


def memory_limit(box):
    return box.cgroup_value("memory.max" if V2 else "memory.limit_in_bytes", "memory")


def cpu_max(box):
    if V2:
        return box.cgroup_value("cpu.max")
    return f"{box.cgroup_value('cpu.cfs_quota_us', 'cpu').replace('-1', 'max')} {box.cgroup_value('cpu.cfs_period_us', 'cpu')}"


def update(box, *options, ok=0):
    return box.oci("update", *options, box.id, ok=ok)


@case
def its_own_by_default(box):
    box.detach()
    equal((box.cgroup("pids") / "cgroup.procs").read_text().split(), [str(box.pid())])


@case
def path_that_is_given(box):
    box.linux["cgroupsPath"] = f"/{box.prefix}-pod/ctr"
    box.detach()
    equal((box.cgroup("pids") / "cgroup.procs").read_text().split(), [str(box.pid())])
    box.delete("--force")
    check(not box.cgroup("pids").exists(), "the cgroup is still there")
    for folder in box.cgroups():  # the parent is the caller's, not the container's
        os.rmdir(folder)


@case
def path_that_is_relative(box):
    box.linux["cgroupsPath"] = f"{box.prefix}-relative/ctr"
    box.detach()
    contains(pathlib.Path(f"/proc/{box.pid()}/cgroup").read_text(), f"{box.prefix}-relative/ctr")
    box.delete("--force")
    for folder in box.cgroups():
        os.rmdir(folder)


@case
def paths_that_climb_are_refused(box):
    for path in ("/../x", "/a/../../x", "/"):
        box.linux["cgroupsPath"] = path
        box.args("true").refused("cgroupsPath" if OURS else "")


@case
def memory(box):
    box.resources["memory"] = {"limit": 64 * MIB, "reservation": 32 * MIB}
    box.detach()
    equal(memory_limit(box), str(64 * MIB))
    equal(box.cgroup_value("memory.low" if V2 else "memory.soft_limit_in_bytes", "memory"), str(32 * MIB))


@case
def memory_is_enforced(box):
    box.resources["memory"] = {"limit": 32 * MIB, "swap": 32 * MIB}
    box.args("helper", "hog", "16").run()
    equal(box.args("helper", "hog", "100").run(ok=None).returncode, 137)


@case
def memory_without_limit(box):
    box.resources["memory"] = {"limit": -1}
    box.detach()
    equal(memory_limit(box) in ("max", "9223372036854771712"), True)


@case
def pids(box):
    box.resources["pids"] = {"limit": 20}
    box.without_namespace("pid").detach()
    equal(box.cgroup_value("pids.max"), "20")
    done = box.exec("helper", "forks", "100", ok=None)
    count, number = done.stdout.split()
    check(int(count) < 20 and int(number) == 11, done.stdout)


@case
def pids_without_limit(box):
    for limit in (-1, 0):
        box.resources["pids"] = {"limit": limit}
        if limit == 0 and not OURS:
            continue
        box.detach()
        value = box.cgroup_value("pids.max")
        check(limit == 0 or value == "max", value)
        box.delete("--force")


def weight_of(shares):
    """cpu.weight as runc and crun make it of v1's shares: 2, 1024 and 262144 become 1, 100 and 10000."""
    exponent = math.log2(shares)
    return str(math.ceil(10 ** ((exponent * exponent + 125 * exponent) / 612 - 7 / 34)))


@case
def cpu(box):
    box.resources["cpu"] = {"quota": 50000, "period": 100000, "shares": 512}
    box.detach()
    equal(cpu_max(box), "50000 100000")
    if V2:
        equal(box.cgroup_value("cpu.weight"), weight_of(512))
    else:
        equal(box.cgroup_value("cpu.shares"), "512")


@case
def cpu_quota_alone_and_period_alone(box):
    box.resources["cpu"] = {"quota": 30000}
    box.detach()
    equal(cpu_max(box), "30000 100000")
    box.delete("--force")
    box.resources["cpu"] = {"period": 50000}
    box.detach()
    equal(cpu_max(box), "max 50000")
    box.delete("--force")
    box.resources["cpu"] = {"quota": -1, "period": 50000}
    box.detach()
    equal(cpu_max(box), "max 50000")


@case
@v1_controller("cpuset")
def cpuset(box):
    box.resources["cpu"] = {"cpus": "0", "mems": "0"}
    equal(box.args("helper", "affinity").run().stdout.strip(), "0")
    box.args("sleep", "1000").detach()
    equal(box.cgroup_value("cpuset.cpus"), "0")
    equal(box.cgroup_value("cpuset.mems"), "0")


@case
def cpuset_that_is_not_there_is_refused(box):
    box.resources["cpu"] = {"cpus": "900-901"}
    box.args("true").refused("900-901" if OURS else "")


@case
@v1_only
@v1_controller("blkio")
def blkio_throttle_of_v1(box):
    stat = os.stat("/dev/vda") if os.path.exists("/dev/vda") else None
    if stat is None:
        return
    device = {"major": os.major(stat.st_rdev), "minor": os.minor(stat.st_rdev)}
    box.resources["blockIO"] = {"throttleReadBpsDevice": [{**device, "rate": 1000000}],
                                "throttleWriteIOPSDevice": [{**device, "rate": 500}]}
    box.detach()
    contains(box.cgroup_value("blkio.throttle.read_bps_device"), f"{device['major']}:{device['minor']} 1000000")
    contains(box.cgroup_value("blkio.throttle.write_iops_device"), f"{device['major']}:{device['minor']} 500")


@case
def hugetlb(box):
    sizes = [p.name.removeprefix("hugepages-") for p in pathlib.Path("/sys/kernel/mm/hugepages").glob("hugepages-2048kB")]
    file = "hugetlb.2MB.max"
    top = pathlib.Path("/sys/fs/cgroup") if V2 else pathlib.Path("/sys/fs/cgroup/unified")
    if not sizes or "hugetlb" not in (top / "cgroup.controllers").read_text():
        box.resources["hugepageLimits"] = [{"pageSize": "2MB", "limit": 2 * MIB}]
        box.args("true").run(ok=None)
        return
    box.resources["hugepageLimits"] = [{"pageSize": "2MB", "limit": 4 * MIB}]
    box.detach()
    place = box.cgroup("hugetlb") if V2 else pathlib.Path("/sys/fs/cgroup/unified") / box.id
    equal((place / file).read_text().strip(), str(4 * MIB))


@case
@v2_only
def unified(box):
    box.resources["unified"] = {"memory.high": str(64 * MIB), "pids.max": "33"}
    box.detach()
    equal((box.cgroup_value("memory.high"), box.cgroup_value("pids.max")), (str(64 * MIB), "33"))


@case
@v2_only
def unified_that_is_unknown_is_refused(box):
    box.resources["unified"] = {"nothing.max": "1"}
    box.args("true").refused("nothing.max")


# ---- Devices


@case
def devices_that_every_container_has(box):
    numbers = {"null": "1,3", "zero": "1,5", "full": "1,7", "random": "1,8", "urandom": "1,9", "tty": "5,0"}
    text = box.output("for d in " + " ".join(numbers) + "; do stat -c '%n %F %t,%T %a %u:%g' /dev/$d; done")
    for name, number in numbers.items():
        contains(text, f"/dev/{name} character special file {number} 666 0:0")
    equal(box.output("for d in fd stdin stdout stderr ptmx; do readlink /dev/$d; done"),
          "/proc/self/fd\n/proc/self/fd/0\n/proc/self/fd/1\n/proc/self/fd/2\npts/ptmx")
    equal(box.output("echo x > /dev/null; head -c 4 /dev/zero | od -An -tx1; head -c 4 /dev/urandom | wc -c; echo x > /dev/full || echo full"),
          " 00 00 00 00\n4\nfull")


@case
def devices_of_the_document(box):
    box.linux["devices"] = [
        {"path": "/dev/block", "type": "b", "major": 1, "minor": 5, "uid": 10, "gid": 11, "fileMode": 0o157},
        {"path": "/dev/char", "type": "c", "major": 251, "minor": 1},
        {"path": "/dev/fifo", "type": "p", "fileMode": 0o660, "uid": 1, "gid": 2},
        {"path": "/dev/deep/below/char", "type": "u", "major": 1, "minor": 3, "fileMode": 0o600},
        {"path": "/outside/dev", "type": "c", "major": 1, "minor": 3},
        {"path": "/trailing/", "type": "c", "major": 1, "minor": 3},
    ]
    text = box.output("stat -c '%n %F %t,%T %a %u:%g' /dev/block /dev/char /dev/fifo /dev/deep/below/char /outside/dev /trailing")
    equal(text.splitlines(), [
        "/dev/block block special file 1,5 157 10:11", "/dev/char character special file fb,1 666 0:0",
        "/dev/fifo fifo 0,0 660 1:2", "/dev/deep/below/char character special file 1,3 600 0:0",
        "/outside/dev character special file 1,3 666 0:0", "/trailing character special file 1,3 666 0:0"])


@case
def devices_over_those_that_are_there(box):
    box.linux["devices"] = [{"path": "/dev/tty", "type": "c", "major": 5, "minor": 0}, {"path": "/dev/null", "type": "c", "major": 1, "minor": 3},
                            {"path": "/dev/ptmx", "type": "c", "major": 5, "minor": 2}]
    contains(box.output("ls -lLn /dev/ptmx"), "5,   2")
    equal(box.output("echo x > /dev/null; stat -c %a /dev/tty"), "666")
    box.process["terminal"] = True
    contains(box.output("tty"), "/dev/pts/")


@case
def devices_with_the_host_dev(box):
    box.mount("/dev", "bind", "/dev", "rbind", "rw")
    equal(box.output("echo x > /dev/null && echo yes"), "yes")


def opens(box, how, path):
    return int(box.args("helper", "open", how, path).run(ok=None).stdout)


@case
def rules_deny_and_allow(box):
    box.linux["devices"] = [{"path": "/dev/mem-like", "type": "c", "major": 1, "minor": 11}]
    deny, path = {"allow": False, "access": "rwm"}, "/dev/mem-like"
    box.capabilities(**{name: ["CAP_SYSLOG", "CAP_MKNOD"] for name in ("bounding", "effective", "permitted")})
    box.resources["devices"] = [deny]
    equal((opens(box, "r", path), opens(box, "w", path)), (1, 1))
    box.resources["devices"] = [deny, {"allow": True, "type": "c", "major": 1, "minor": 11, "access": "r"}]
    equal((opens(box, "r", path), opens(box, "w", path), opens(box, "rw", path)), (0, 1, 1))
    box.resources["devices"] = [deny, {"allow": True, "type": "c", "major": 1, "minor": 11, "access": "rw"}]
    equal((opens(box, "r", path), opens(box, "w", path), opens(box, "rw", path)), (0, 0, 0))
    box.resources["devices"] = [deny, {"allow": True, "type": "c", "major": 1, "access": "rw"}]
    equal(opens(box, "rw", path), 0)
    box.resources["devices"] = [deny, {"allow": True, "type": "b", "major": 1, "minor": 11, "access": "rwm"}]
    equal(opens(box, "r", path), 1)
    box.resources["devices"] = [deny, {"allow": True, "type": "a", "access": "rwm"}]
    equal(opens(box, "rw", path), 0)
    box.resources["devices"] = [deny, {"allow": True, "access": "rwm"}, {"allow": False, "type": "c", "major": 1, "minor": 11, "access": "w"}]
    equal((opens(box, "r", path), opens(box, "w", path)), (0, 1))


@case
def rules_leave_the_usual_devices(box):
    box.resources["devices"] = [{"allow": False, "access": "rwm"}]
    for path in ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/pts/ptmx"):
        equal(opens(box, "rw", path), 0, path)


@case
def rules_and_mknod(box):
    box.capabilities(**{name: ["CAP_MKNOD"] for name in ("bounding", "effective", "permitted")})
    box.resources["devices"] = [{"allow": False, "access": "rwm"}]
    equal(box.output("mknod /tmp/n c 1 11 && echo made; cat /tmp/n 2>&1 | head -1; true").split("\n")[0], "made")
    equal(opens(box, "r", "/tmp/n"), 1)


@case
def rules_hold_after_update(box):
    box.linux["devices"] = [{"path": "/dev/x", "type": "c", "major": 1, "minor": 11}]
    box.capabilities(**{name: ["CAP_SYSLOG"] for name in ("bounding", "effective", "permitted")})
    box.detach()
    for _ in range(2):
        equal(box.exec("helper", "open", "r", "/dev/x").stdout, "1\n")
        update(box, "--pids-limit", "42")
    update_file = box.top / "r.json"
    update_file.write_text(json.dumps({"devices": [{"allow": True, "type": "c", "major": 1, "minor": 11, "access": "r"}]}))
    update(box, "--resources", update_file)
    equal(box.exec("helper", "open", "r", "/dev/x").stdout, "0\n")


# ---- update


@case
def update_memory_and_pids(box):
    box.resources["memory"] = {"limit": 64 * MIB}
    box.detach()
    for text, expected in ((str(128 * MIB), 128 * MIB), ("50M", 50 * MIB), ("1g", 1 << 30), ("40960k", 40 * MIB), ("33554432b", 32 * MIB)):
        if text[-1].isdigit() or OURS:
            update(box, "--memory", text)
            equal(memory_limit(box), str(expected), text)
    update(box, "--pids-limit", "10")
    equal(box.cgroup_value("pids.max"), "10")
    update(box, "--pids-limit", "-1")
    equal(box.cgroup_value("pids.max"), "max")
    update(box, "--memory-reservation", str(16 * MIB))
    equal(box.cgroup_value("memory.low" if V2 else "memory.soft_limit_in_bytes", "memory"), str(16 * MIB))
    update(box, "--memory", "-1")
    equal(memory_limit(box) in ("max", "9223372036854771712"), True)


@case
def update_memory_with_swap(box):
    box.resources["memory"] = {"limit": 32 * MIB, "swap": 64 * MIB}
    box.detach()
    if not V2 and not (box.cgroup("memory") / "memory.memsw.limit_in_bytes").exists():
        return
    for limit, swap in ((100, 200), (20, 40), (64, 64)):  # up and down: the order of the writes matters on v1
        update(box, "--memory", str(limit * MIB), "--memory-swap", str(swap * MIB))
        equal(memory_limit(box), str(limit * MIB))
        if V2:
            equal(box.cgroup_value("memory.swap.max"), str((swap - limit) * MIB))
        else:
            equal(box.cgroup_value("memory.memsw.limit_in_bytes", "memory"), str(swap * MIB))


@case
def update_cpu(box):
    box.resources["cpu"] = {"quota": 50000, "period": 100000}
    box.detach()
    for options, expected in ((["--cpu-quota", "60000"], "60000 100000"), (["--cpu-period", "50000"], "60000 50000"),
                              (["--cpu-quota", "20000", "--cpu-period", "200000"], "20000 200000"), (["--cpu-quota", "-1"], "max 200000")):
        update(box, *options)
        equal(cpu_max(box), expected, str(options))
    update(box, "--cpu-share", "200")
    equal(box.cgroup_value("cpu.weight") if V2 else box.cgroup_value("cpu.shares"), weight_of(200) if V2 else "200")


@case
@v1_controller("cpuset")
def update_cpuset(box):
    box.detach()
    update(box, "--cpuset-cpus", "0", "--cpuset-mems", "0")
    equal(box.cgroup_value("cpuset.cpus"), "0")
    equal(box.exec("helper", "affinity").stdout.strip(), "0")


@case
def update_by_a_document(box):
    box.detach()
    document = {"memory": {"limit": 96 * MIB}, "pids": {"limit": 11}, "cpu": {"shares": 300, "quota": 40000, "period": 100000}}
    path = box.top / "resources.json"
    path.write_text(json.dumps(document))
    update(box, "-r", path)
    equal((memory_limit(box), box.cgroup_value("pids.max"), cpu_max(box)), (str(96 * MIB), "11", "40000 100000"))
    document["pids"]["limit"] = 12
    box.oci("update", "--resources", "-", box.id, input=json.dumps(document))
    equal(box.cgroup_value("pids.max"), "12")


@case
def update_leaves_the_rest(box):
    box.resources.update(memory={"limit": 64 * MIB}, pids={"limit": 20}, cpu={"quota": 50000, "period": 100000})
    box.detach()
    update(box, "--pids-limit", "30")
    equal((memory_limit(box), box.cgroup_value("pids.max"), cpu_max(box)), (str(64 * MIB), "30", "50000 100000"))


@case
def update_of_a_created_container(box):
    box.args("sleep", "1000").create()
    update(box, "--pids-limit", "30")
    equal(box.cgroup_value("pids.max"), "30")


@case
def update_that_is_wrong_is_refused(box):
    box.detach()
    for options in (["--memory", "much"], ["--pids-limit", "x"], ["--cpuset-cpus", "900"], ["--resources", "/no/such"], ["--nothing", "1"]):
        update(box, *options, ok="fail")
    box.kill("KILL")
    box.wait_status("stopped")
    update(box, "--pids-limit", "3", ok="fail")


# ---- events


@case
def events_stats(box):
    box.detach()
    text = box.oci("events", "--stats", box.id).stdout
    check(text.startswith('{"type":"stats","id":"' + box.id + '"'), text)
    data = json.loads(text)["data"]
    check(data["cpu"]["usage"]["total"] > 0, text)
    check(data["memory"]["usage"]["usage"] > 0, text)
    equal(data["pids"]["current"], 1)


@case
def events_go_on_until_the_end(box):
    box.detach()
    process = box.spawn("events", "--interval", "100ms", box.id, stdout=subprocess.PIPE)
    for _ in range(3):
        equal(json.loads(process.stdout.readline())["type"], "stats")
    box.kill("KILL")
    process.stdout.read()
    equal(process.wait(30), 0)


@case
def events_tell_of_oom(box):
    box.resources["memory"] = {"limit": 32 * MIB, "swap": 32 * MIB}
    box.detach()
    process = box.spawn("events", "--interval", "100ms", box.id, stdout=subprocess.PIPE)
    process.stdout.readline()
    box.exec("helper", "hog", "100", ok=None)
    end = time.monotonic() + 20
    while time.monotonic() < end:
        line = process.stdout.readline()
        if json.loads(line)["type"] == "oom":
            equal(json.loads(line), {"type": "oom", "id": box.id})
            return
    raise AssertionError("no line of type oom")


@case
def events_of_a_stopped_container_fail(box):
    box.args("true").create()
    box.start()
    box.wait_status("stopped")
    box.oci("events", "--stats", box.id, ok="fail")


@case
def pids_of_a_dead_container_are_gone(box):
    box.detach()
    pid = box.pid()
    box.delete("--force")
    wait_for(lambda: not os.path.exists(f"/proc/{pid}/cmdline") or not pathlib.Path(f"/proc/{pid}/cmdline").read_bytes(), what="its end")


@case
@ours
def a_foreign_cgroup_with_processes_is_refused(box):
    """Two containers in one cgroup would share a fate that nobody asked for."""
    box.linux["cgroupsPath"] = f"/{box.prefix}-shared"
    box.detach()
    first, box.id = box.id, f"{box.prefix}-second"
    contains(box.create(ok="fail").stderr, "container's cgroup is not empty")
    box.id = first


@case
@ours
def a_cgroup_that_is_prepared_keeps_its_limits(box):
    """One that the caller has made and named: what config.json does not say stays."""
    box.linux["cgroupsPath"] = f"/{box.prefix}-prepared"
    place = box.cgroup("pids")
    if V2:
        (CGROUP_TOP / "cgroup.subtree_control").write_text("+pids")
    place.mkdir()
    (place / "pids.max").write_text("77")
    box.detach()
    equal(box.cgroup_value("pids.max"), "77")
    box.delete("--force")
    check(not place.exists(), f"{place} is left")


@case
@ours
def a_cgroup_that_is_frozen_is_refused(box):
    box.linux["cgroupsPath"] = f"/{box.prefix}-frozen"
    place = box.cgroup("freezer")
    place.mkdir()
    (place / ("cgroup.freeze" if V2 else "freezer.state")).write_text("1" if V2 else "FROZEN")
    contains(box.create(ok="fail").stderr, "container's cgroup unexpectedly frozen")
    place.rmdir()


@case
def update_lifts_the_memory_limit(box):
    """Together with that of memory and swap, which may not be below it."""
    box.resources["memory"] = {"limit": 64 * MIB, "swap": 64 * MIB}
    box.detach()
    update(box, "--memory", "-1")
    check(memory_limit(box) in ("max", "9223372036854771712"), memory_limit(box))


@case
@ours
def access_a_denies_all(box):
    """Some documents have it; it allows nothing."""
    box.resources["devices"].append({"allow": False, "type": "c", "major": 1, "minor": 11, "access": "rwa"})
    box.detach()
    box.delete("--force")
    box.resources["devices"][-1]["allow"] = True
    box.refused("devices[1].access")


@case
def cgroups_without_processes_are_in_nobodys_way(box):
    """What another program has left below the cgroup of our id."""
    for controller in ("memory", "devices", "freezer"):
        (box.cgroup(controller) / "left" / "over").mkdir(parents=True, exist_ok=True)
    box.detach()
    box.delete("--force")
    equal(box.cgroups(), [])


if __name__ == "__main__":
    main(all_cases(globals()))
