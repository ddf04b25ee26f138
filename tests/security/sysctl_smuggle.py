#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""CVE-2022-0811 (CRI-O): a kernel setting whose value or name carried a second one, of the whole host."""
import os
import pathlib

from secbox import all_cases, case, check, contains, equal, main

KEY = "net.ipv4.ip_default_ttl"
TAIL = "kernel.core_pattern=|/evil %p"
VALUES = [f"33{separator}{TAIL}" for separator in ("\n", "\r", "\r\n", "\0", "\v", "\f", "\x1b", "\x7f", "\x85", "\u2028", "\u2029", "\u00a0")] + [
    f"33\n/proc/sys/kernel/core_pattern\n", "\n33", "33\n", "", "3" * 5000]
# One value for the kernel, of which it takes what it likes or answers with an error: never two.
ONE_VALUE = [f"33{separator}{TAIL}" for separator in ("+", " ", "\t", ",", ";", "&", "=", ":", "|", "#", "%0a", "\\n", "$(", "`", "'", '"')]
KEYS = ["kernel.core_pattern", "kernel/core_pattern", "net.ipv4.ip_default_ttl=1 kernel.core_pattern", "net.ipv4.ip_default_ttl\nkernel.core_pattern",
        "net.ipv4.ip_default_ttl+kernel.core_pattern", "net/../kernel/core_pattern", "net/ipv4/../../kernel/core_pattern", "net//kernel",
        "net/./ipv4/ip_forward", "net.ipv4/../../kernel/core_pattern", "net..kernel", ".net.ipv4.ip_forward", "/proc/sys/net/ipv4/ip_forward",
        "net.", "net", "", " ", "net.ipv4.ip_forward ", " net.ipv4.ip_forward", "NET.ipv4.ip_forward", "kernel.msgmax\0", "kernel.modprobe",
        "kernel.randomize_va_space", "kernel.yama.ptrace_scope", "kernel.unprivileged_bpf_disabled", "vm.overcommit_memory", "vm.mmap_min_addr",
        "fs.suid_dumpable", "fs.protected_symlinks", "fs.binfmt_misc.register", "fs.mqueue", "fs.mqueue/../suid_dumpable", "debug.kprobes-optimization",
        "dev.tty.ldisc_autoload", "sunrpc.rpc_debug", "user.max_user_namespaces", "net*", "net.ipv4.*", "net%2fipv4", "é", "x" * 5000]


def host():
    """Settings of the host that could be read back, as far as there are such."""
    names = ("kernel/core_pattern", "kernel/modprobe", "kernel/hotplug", "fs/suid_dumpable", "kernel/randomize_va_space", "vm/overcommit_memory",
             "net/ipv4/ip_default_ttl", "net/ipv4/ip_forward", "kernel/msgmax", "user/max_user_namespaces", "kernel/domainname")
    return {name: pathlib.Path("/proc/sys", name).read_bytes() for name in names if os.path.exists(f"/proc/sys/{name}")}


@case
def values_that_are_two(box):
    before = host()
    for value in VALUES:
        box.linux["sysctl"] = {KEY: value}
        done = box.args("cat", "/proc/sys/net/ipv4/ip_default_ttl").run(ok=None)
        check(done.returncode != 0 and done.stdout == "", f"{value[:40]!r}: exit {done.returncode}: {done.stdout}")
        check(done.stderr.count("\n") <= 2 and "\x1b" not in done.stderr, f"{value[:40]!r}: {done.stderr!r}")
        equal(host(), before, f"{value[:40]!r}")


@case
def values_that_are_one(box):
    before = host()
    for value in ONE_VALUE:
        box.linux["sysctl"] = {KEY: value}
        box.args("true").run(ok=None)
        equal(host(), before, f"{value!r}")


@case
def names_that_are_no_setting_of_the_container(box):
    before = host()
    for key in KEYS:
        box.linux["sysctl"] = {key: "1"}
        done = box.args("true").run(ok=None)
        check(done.returncode != 0, f"{key[:60]!r} was taken")
        equal(host(), before, f"{key[:60]!r}")


@case
def a_wrong_one_among_right_ones(box):
    """None is set, or the container does not start: in either case the host stays."""
    before = host()
    for place in range(3):
        keys = ["net.ipv4.ip_forward", "kernel.msgmax"]
        keys.insert(place, "kernel.core_pattern")
        box.linux["sysctl"] = {key: "1" for key in keys}
        contains(box.refused().stderr, "kernel.core_pattern")
        equal(host(), before)


@case
def what_is_the_containers_is_set(box):
    before = host()
    box.linux["sysctl"] = {KEY: "33", "net/ipv4/conf/lo.5/forwarding": "1"}
    contains(box.refused().stderr, "lo.5")  # an interface that does not exist: the name is one part of the path
    box.linux["sysctl"] = {KEY: "33", "net.ipv4.conf.lo.forwarding": "1"}
    equal(box.output("cat /proc/sys/net/ipv4/ip_default_ttl /proc/sys/net/ipv4/conf/lo/forwarding"), "33\n1")
    equal(host(), before)


if __name__ == "__main__":
    main(all_cases(globals()))
