#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""How machines start, as inspect, events and `vm status` tell it; what `bench/vm` relies on."""
import os
import pathlib
import tempfile
import time

import registry_image
from zltest import HELLO, VmNode, check, main, wait_for

SETTLED_S = 1  # after which a machine that waits executes nothing any more


def without_a_template_it_boots():
    with VmNode() as node:
        node.settings("{ template: off }")
        for _ in range(2):
            said, end = node.hyperv("echo", "x")
            check((said, end["tier"]) == ("x\n", "boot"), f"{said!r}, {end}")
        check(node.json("vm", "status", "--json")["tiers"] == ["boot"], "tiers")
        node.expect_no_leaks()


def with_a_template_it_is_cloned():
    with VmNode() as node:
        node.zlayer("vm", "template")
        said, end = node.hyperv("echo", "x")
        check((said, end["tier"]) == ("x\n", "clone"), f"{said!r}, {end}")
        node.zlayer("run", "-d", "--name", "one", "--isolation", "hyperv", HELLO, "sleep", "1000")
        facts = node.inspect("one")
        pid = facts["machine"]["qemuPid"]
        check(facts["machine"]["tier"] == "clone", f"{facts['machine']}")
        name = pathlib.Path(f"/proc/{pid}/comm").read_text().strip()
        check(name == "qemu-system-x86", f"process {pid} is {name}")
        node.zlayer("rm", "-f", "one")
        node.expect_no_leaks()


def cpu_ticks(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return int(fields[11]) + int(fields[12])


def a_pooled_machine_is_taken_and_replaced():
    with VmNode() as node:
        shown = dict(line.split(None, 1) for line in node.zlayer("vm", "pool", "1").stdout.splitlines())
        check(shown["ready"] == "1" and int(shown["machines.0.qemuPid"]) > 0, f"{shown}")
        first = node.json("vm", "status", "--json")["pool"]["machines"][0]["name"]
        # At once, while the machine goes on, and when it has been stopped.
        for pause in (0, SETTLED_S):
            time.sleep(pause)
            said, end = node.hyperv("echo", "x")
            check((said, end["tier"]) == ("x\n", "pool"), f"{said!r}, {end}")
            node.zlayer("vm", "pool", "1")
        second = node.json("vm", "status", "--json")["pool"]["machines"][0]
        time.sleep(SETTLED_S)
        used = cpu_ticks(second["qemuPid"])
        time.sleep(SETTLED_S)
        check(cpu_ticks(second["qemuPid"]) == used, "a machine that waits executes something")
        check(second["name"] != first, f"machine {first} waits again")
        check(second["pssKiB"] > 0, f"{second}")
        node.zlayer("vm", "pool", "0")
        wait_for(lambda: not node.keepers(), what="the end of the pool's machines")
        node.expect_no_leaks()


def clones_share_nothing_that_names_them():
    """A hundred clones of one memory: each has its own kernel, boot id, machine-wide name and random numbers."""
    script = "uname -r; cat /proc/sys/kernel/random/boot_id /proc/sys/kernel/random/uuid; hostname"
    seen = set()
    with VmNode() as node:
        node.zlayer("vm", "template")
        for _ in range(100):
            said, end = node.hyperv("sh", "-c", script)
            release, *own = said.split()
            check(end["tier"] == "clone" and release != os.uname().release, f"{release}, {end}")
            check(len(own) == 3 and not seen.intersection(own), f"{own} were seen before")
            seen.update(own)
        node.expect_no_leaks()


def image_templates(node):
    return [t for t in node.json("vm", "status", "--json")["templates"] if t["image"]]


def make_shell_less(folder):
    """An image with one program, and that is not called as a shell is."""
    program = pathlib.Path("/bin/busybox").read_bytes()
    layer = registry_image.Layer().dir("bin").add("bin/busybox", data=program, mode=0o755)
    image = registry_image.Image([layer.dir("etc").bytes()], ["none"], config={"Entrypoint": ["/bin/busybox", "echo"]})
    registry_image.write_layout(f"{folder}/layout", {"latest": image})
    return f"oci:{folder}/layout:latest"


def an_image_that_comes_again_has_machines():
    """The second container of an image has a template made of it, and the pool is for it from then on. The
    machine that has run something of one image is for that image alone."""
    with VmNode() as node, tempfile.TemporaryDirectory(prefix="zlayer-test-") as folder:
        node.settings("{ pool: 1 }")
        node.zlayer("vm", "template")
        check(not image_templates(node), "a template with an image that nobody has run")
        for _ in range(2):
            node.hyperv("echo", "x")
        wait_for(lambda: image_templates(node), 60, "the template of the image")
        node.hyperv("echo", "x")
        node.zlayer("vm", "pool", "1")
        said, end = node.hyperv("sh", "-c", "hostname; cat /etc/hostname; pwd; ls /dev; ls -A /root 2>/dev/null")
        names = said.split()
        check(end["tier"] == "pool" and names[0] == names[1] and names[2] == "/www", f"{said!r}, {end}")
        check("zlayer-warm" not in names and "warm" not in names, f"what warmed the machine is left: {said!r}")
        other = make_shell_less(folder)
        node.zlayer("pull", other)
        node.zlayer("vm", "pool", "1")
        for tier in ("clone", "pool"):  # the machine that waited was not for this image; the next one is for any
            said = node.zlayer("run", "--rm", "--isolation", "hyperv", other, "other").stdout
            end = [e for e in node.json_lines("events", "--json") if e["action"] == "die"][-1]
            check((said, end["tier"]) == ("other\n", tier), f"{said!r}, {end}, expected {tier}")
            node.zlayer("vm", "pool", "1")
        wait_for(lambda: len(image_templates(node)) == 2, 60, "the template of the image without a shell")
        node.zlayer("vm", "pool", "0")
        said = node.zlayer("run", "--rm", "--isolation", "hyperv", other, "other").stdout
        check(said == "other\n", f"{said!r} of a clone that has an image without a shell")
        node.zlayer("vm", "pool", "0")
        wait_for(lambda: not node.keepers(), what="the end of the pool's machines")
        node.zlayer("system", "prune", "-f", "-a")
        check(not image_templates(node), f"templates of images that are gone: {image_templates(node)}")
        node.expect_no_leaks()


def a_process_has_no_tier():
    with VmNode() as node:
        node.zlayer("run", "--rm", HELLO, "true")
        ends = [e for e in node.json_lines("events", "--json") if e["action"] == "die"]
        check(len(ends) == 1 and "tier" not in ends[0], f"{ends}")


if __name__ == "__main__":
    main(without_a_template_it_boots, with_a_template_it_is_cloned, a_pooled_machine_is_taken_and_replaced,
         clones_share_nothing_that_names_them, an_image_that_comes_again_has_machines, a_process_has_no_tier)
