#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""CVE-2024-3154 (CRI-O): an annotation that became a property of systemd, and so a command on the host. A thousand of
them, with all names that other runtimes act on, change nothing of a container but what `state` says of it."""
import random
import re
import subprocess

from secbox import Canary, all_cases, case, check, equal, main

KNOWN = ["org.systemd.property.ExecStartPre", "org.systemd.property.DevicePolicy", "org.systemd.property.SuccessAction", "run.oci.handler",
         "run.oci.hooks.stdout", "run.oci.hooks.stderr", "run.oci.keep_original_groups", "run.oci.mount_context_type", "run.oci.pidfd_receiver",
         "run.oci.seccomp.receiver", "run.oci.seccomp_fail_unknown_syscall", "run.oci.seccomp.plugins", "run.oci.systemd.force_cgroup_v1",
         "run.oci.systemd.subgroup", "run.oci.delegate-cgroup", "run.oci.timens_offset", "run.oci.tmpcopyup", "module.wasm.image/variant",
         "io.kubernetes.cri-o.Devices", "io.kubernetes.cri-o.userns-mode", "io.kubernetes.cri-o.ShmSize", "io.kubernetes.cri-o.TrySkipVolumeSELinuxLabel",
         "io.kubernetes.cri-o.UnifiedCgroup.box", "io.kubernetes.cri-o.cgroup2-mount-hierarchy-rw", "io.kubernetes.cri-o.seccompNotifierAction",
         "io.kubernetes.cri.container-type", "io.kubernetes.cri.sandbox-id", "io.podman.annotations.privileged", "io.podman.annotations.init",
         "io.podman.annotations.seccomp", "io.container.manager", "io.containers.capabilities", "org.criu.config", "cdi.k8s.io/vendor",
         "io.katacontainers.config.hypervisor.kernel_params", "io.katacontainers.config.hypervisor.virtio_fs_extra_args",
         "io.katacontainers.config.hypervisor.path", "containerd.io/restart.loguri", "containerd.io/restart.status", "io.zlayer", "zlayer",
         "zlayer.privileged", "org.opencontainers.image.ref.name", "linux", "process", "hooks", "root", "mounts", "/etc/passwd", "..", "../../x"]
SHOW = ("cat /proc/self/mountinfo | cut -d' ' -f4-; grep -vE '^(Pid|Tgid|NSpid|NStgid|NSpgid|NSsid|Vm|Rss|voluntary|nonvoluntary|Mems|Cpus)' /proc/self/status; "
        "cat /proc/self/limits /proc/self/oom_score_adj /proc/self/cgroup; ulimit -a; env; ls -l /dev /proc/self/fd; hostname; id; umask")


def values(rng, canary):
    return ["true", "1", "false", "", "privileged", "unconfined", "'; touch %s/x; '" % canary.dir, "$(touch %s/x)" % canary.dir,
            "file:///%s" % canary.dir, "binary:///bin/touch?%s/x" % canary.dir, "[('%s', ['/bin/sh', '-c', 'touch %s/x'])]" % ("a", canary.dir),
            "/dev/mem:/dev/mem:rwm", "../" * 20, "\n", "\x1b[2J", "%n%s", "9" * 400, "{\"path\": \"/bin/sh\"}", "x" * rng.randint(1, 300)]


def thousand(canary):
    rng = random.Random(5)
    found = {}
    for key in KNOWN:
        for _ in range(4):
            found.setdefault(key, rng.choice(values(rng, canary)))
            found[key + "".join(rng.choices("abc./-_", k=3))] = rng.choice(values(rng, canary))
    while len(found) < 1000:
        key = "".join(rng.choices("abcdefghijklmnopqrstuvwxyz0123456789./-_:@", k=rng.randint(1, 60)))
        found[key] = rng.choice(values(rng, canary))
    return found


def report(box):
    """What the container sees of itself, without what is another one each time."""
    box.script(SHOW).write_config()
    log = box.top / "trace"
    done = subprocess.run(["strace", "-f", "-qq", "-o", log, "-e", "trace=execve,execveat,mount,move_mount,fsopen,connect,setns,symlink,symlinkat,linkat",
                           *box.command("run", "--bundle", box.bundle, box.id)],
                          capture_output=True, text=True, timeout=60, check=False, stdin=subprocess.DEVNULL, cwd=box.top)
    check(done.returncode == 0, done.stderr)
    calls = [re.sub(r"\d+", "N", line.split(None, 1)[1].partition("(")[0]) for line in log.read_text().splitlines() if "(" in line]
    text = re.sub(r"\[\d+\]|\d\d:\d\d|size=\d+k|inode\w*=\d+", "", done.stdout)
    return re.sub(r"(?m)^(d|l|c)([rwxst-]+)(.*)$", r"\1\2", text), sorted(calls)


@case
def a_thousand_change_nothing(box):
    canary = Canary(box)
    without = report(box)
    box.config["annotations"] = thousand(canary)
    having = report(box)
    for name, a, b in zip(("what it sees", "calls"), without, having):
        check(a == b, f"{name}: {diff(a, b)}")
    canary.look("annotations")


def diff(a, b):
    a, b = (x.splitlines() if isinstance(x, str) else x for x in (a, b))
    return f"without: {[line for line in a if line not in b][:5]}, with: {[line for line in b if line not in a][:5]}"


@case
def they_are_in_the_state_as_they_were_given(box):
    canary = Canary(box)
    box.config["annotations"] = thousand(canary)
    box.detach()
    equal(box.state()["annotations"], box.config["annotations"])
    canary.look("state")


if __name__ == "__main__":
    main(all_cases(globals()))
