#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The guest kernels boot in QEMU and have what a container needs, and tools/mkguest keeps its promises.

The kernels come from the cache, which `make test` has filled (tools/mkguest)."""
import json
import os
import pathlib
import re
import signal
import subprocess
import tempfile

from zltest import SOURCE, check, main, wait_for

PROBE = os.environ["ZLAYER_GUEST_PROBE"]
CONTROLLERS = {"cpu", "cpuset", "io", "memory", "pids"}
FILESYSTEMS = {"cgroup2", "devpts", "devtmpfs", "erofs", "ext4", "mqueue", "overlay", "proc", "sysfs", "tmpfs"}
FINE = ["proc", "sysfs", "cgroup2", "ipv6", "packet", "namespaces", "devices", "seccomp", "filters", "end"]
TAG = "org.zlayer.test"
MAC = "02:00:0a:00:00:07"


def mkguest(which, out, *args, init=PROBE):
    command = [str(SOURCE / "tools" / "mkguest"), "--init", str(init), *args, which, str(out)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=200)
    check(done.returncode == 0, f"mkguest {which}: {done.stderr[-800:]}")


def tsc_khz():
    """A guest without another clock cannot measure this on a busy host: it hangs or takes a wrong rate."""
    found = re.search(r"^cpu MHz\s*: ([\d.]+)", pathlib.Path("/proc/cpuinfo").read_text(), re.M)
    check(found, "/proc/cpuinfo names no rate")
    return round(float(found[1]) * 1000)


def boot(guest, acpi, work):
    """What the probe says: {name: value}."""
    disk = work / "disk"
    with open(disk, "wb") as file:
        file.truncate(1 << 20)
    # Without tsc=reliable Debian's kernel, on a busy host, gives its TSC up for the tick.
    append = f"console=ttyS0 quiet panic=-1 reboot=t tsc_early_khz={tsc_khz()} no_timer_check tsc=reliable"
    command = ["qemu-system-x86_64", "-M", f"microvm,acpi={'on' if acpi else 'off'}", "-accel", "tcg,tb-size=64",
               "-cpu", "max", "-m", "256", "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
               "-serial", "stdio", "-device", "virtio-serial-device", "-chardev", "null,id=port",
               "-device", f"virtserialport,chardev=port,name={TAG}",
               "-drive", f"if=none,id=disk,format=raw,file={disk}", "-device", "virtio-blk-device,drive=disk",
               "-netdev", "hubport,id=net,hubid=0", "-device", f"virtio-net-device,netdev=net,mac={MAC}",
               "-device", "virtio-rng-device",
               "-kernel", str(guest / "kernel"), "-initrd", str(guest / "initrd"), "-append", append]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace",
                          check=False, timeout=120)
    facts = dict(re.findall(r"^probe (\S+) (.*?)\s*$", done.stdout, re.M))
    check(facts.get("end") == "ok", f"the probe did not end:\n{done.stdout[-1500:]}\n{done.stderr[-500:]}")
    return facts


def expect_guest(name, which, *filesystems):
    with tempfile.TemporaryDirectory(prefix="zlayer-test-") as folder:
        work = pathlib.Path(folder)
        mkguest(which, work)
        described = json.loads((work / name / "kernel.json").read_text())
        facts = boot(work / name, described["acpi"], work)
        check(facts["release"] == described["version"], f"{facts['release']} is not {described['version']}")
        check(("9p" in described["features"]) == ("9p" in facts["filesystems"].split()), "kernel.json is wrong on 9p")
        for wanted, have in ((CONTROLLERS, "controllers"), (FILESYSTEMS | set(filesystems), "filesystems")):
            missing = wanted - set(facts[have].split())
            check(not missing, f"{have} without {sorted(missing)}")
        bad = {fact: facts.get(fact) for fact in FINE if facts.get(fact) != "ok"}
        check(not bad, f"not there: {bad}")
        check(facts["port"] == TAG and facts["link"] == MAC and facts["disk"] == "2048", f"devices: {facts}")
        check(facts["random"].startswith("virtio_rng"), f"random numbers from {facts['random']}")
        check("tsc" in facts["clock"], f"clocks: {facts['clock']}")
        return facts


def own_kernel():
    facts = expect_guest("zlayer", "kernel", "9p", "fuse")
    check("modules" not in facts, "our kernel has no modules")


def debian_kernel():
    facts = expect_guest("debian", "debian")
    check(facts["modules"] == "ok", f"modules: {facts['modules']}")


def only_what_changed_is_replaced():
    """A template of a machine is valid as long as kernel and initrd are the same files."""
    with tempfile.TemporaryDirectory(prefix="zlayer-test-") as folder:
        out = pathlib.Path(folder)

        def inodes():
            return {file.name: file.stat().st_ino for file in (out / "zlayer").iterdir()}

        mkguest("kernel", out)
        first = inodes()
        check(set(first) == {"kernel", "initrd", "kernel.json", "warm.erofs"}, f"files: {sorted(first)}")
        mkguest("kernel", out)
        check(inodes() == first, "the same again replaced a file")
        mkguest("kernel", out, init="/bin/busybox")
        changed = {name for name, inode in inodes().items() if inode != first[name]}
        check(changed == {"initrd", "warm.erofs"}, f"a new init replaced {sorted(changed)}")


def an_interrupted_build_leaves_nothing():
    with tempfile.TemporaryDirectory(prefix="zlayer-test-") as folder:
        cache, out = pathlib.Path(folder) / "cache", pathlib.Path(folder) / "out"
        child = subprocess.Popen([str(SOURCE / "tools" / "mkguest"), "--init", PROBE, "--cache", str(cache), "kernel",
                                  str(out)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        # The source is being unpacked.
        wait_for(lambda: list(cache.glob(".work-*/linux-source-*/*")) or child.poll() is not None, 60, "the build")
        check(child.poll() is None, f"mkguest ended with {child.returncode}")
        child.send_signal(signal.SIGTERM)
        check(child.wait(60) == 143, f"mkguest ended with {child.returncode}")
        left = [path.name for path in cache.iterdir() if path.is_dir()]
        check(not left and not out.exists(), f"left: {left}")


if __name__ == "__main__":
    main(own_kernel, debian_kernel, only_what_changed_is_replaced, an_interrupted_build_leaves_nothing)
