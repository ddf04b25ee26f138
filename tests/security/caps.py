#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""CVE-2022-29162 (runc), CVE-2022-27649 (podman), CVE-2022-27650 (crun): capabilities that somebody could inherit. All
five sets of every process are compared with a model of what the document asks for and the kernel makes of it."""
import json
import random
import subprocess

from secbox import all_cases, case, check, equal, main, status_of

NAMES = ["CHOWN", "DAC_OVERRIDE", "FOWNER", "KILL", "SETGID", "SETUID", "NET_BIND_SERVICE", "NET_RAW", "SYS_CHROOT", "MKNOD",
         "AUDIT_WRITE", "SETFCAP", "SYS_ADMIN", "SYS_PTRACE", "NET_ADMIN"]
BITS = dict(zip(NAMES, (0, 1, 3, 5, 6, 7, 10, 13, 18, 27, 29, 31, 21, 19, 12)))
FIELDS = ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")
SETS = ("inheritable", "permitted", "effective", "bounding", "ambient")


def bits(names):
    return sum(1 << BITS[name] for name in names)


def sets_of(text):
    status = status_of(text)
    return [int(status[field], 16) for field in FIELDS]


def draw(rng):
    """Sets that the kernel takes: effective within permitted, inheritable within bounding, ambient within both."""
    def some(among):
        return {name for name in sorted(among) if rng.random() < 0.5}
    bounding = some(NAMES)
    permitted = some(NAMES)
    inheritable = some(permitted & bounding) if rng.random() < 0.3 else set()
    return {"bounding": bounding, "permitted": permitted, "effective": some(permitted), "inheritable": inheritable,
            "ambient": some(inheritable)}


def after_exec(sets, uid, no_new_privileges):
    """capabilities(7): what execve(2) makes of them, for a file that has none of its own."""
    inh, prm, bnd, amb = (bits(sets[name]) for name in ("inheritable", "permitted", "bounding", "ambient"))
    if uid != 0:
        return [inh, amb, amb, bnd, amb]
    new = inh | bnd
    if no_new_privileges:
        new &= prm
    new |= amb
    return [inh, new, new, bnd, amb]


def document(sets):
    return {name: [f"CAP_{cap}" for cap in sorted(caps)] for name, caps in sets.items()}


def cases(seed, n):
    rng = random.Random(seed)
    for _ in range(n):
        yield draw(rng), rng.choice([0, 0, 1000]), rng.random() < 0.5


@case
def of_the_first_process(box):
    for sets, uid, strict in cases(1, 40):
        box.capabilities(**document(sets))
        box.process["user"] = {"uid": uid, "gid": uid}
        box.process["noNewPrivileges"] = strict
        equal(sets_of(box.args("cat", "/proc/self/status").run().stdout), after_exec(sets, uid, strict),
              f"uid {uid}, no new privileges {strict}, {document(sets)}")


@case
def of_a_process_document(box):
    box.process["noNewPrivileges"] = False
    box.detach()
    for sets, uid, strict in cases(2, 60):
        path = box.top / "process.json"
        path.write_text(json.dumps({"args": ["cat", "/proc/self/status"], "cwd": "/", "env": ["PATH=/bin"], "noNewPrivileges": strict,
                                    "user": {"uid": uid, "gid": uid}, "capabilities": document(sets)}))
        equal(sets_of(box.oci("exec", "--process", path, box.id).stdout), after_exec(sets, uid, strict), f"uid {uid} {document(sets)}")


@case
def of_exec_and_exec_user(box):
    """They have the container's sets, and none of them is inheritable when the document has none such."""
    for strict in (True, False):
        sets = {"bounding": {"KILL", "CHOWN", "NET_RAW"}, "permitted": {"KILL", "CHOWN"}, "effective": {"KILL"}, "inheritable": set(),
                "ambient": set()}
        box.capabilities(**{name: caps for name, caps in document(sets).items() if name in ("bounding", "permitted", "effective")})
        box.process["noNewPrivileges"] = strict
        box.detach()
        for flags, uid in (([], 0), (["--user", "1000"], 1000), (["--user", "0:1000"], 0), (["--user", "65534:65534"], 65534)):
            equal(sets_of(box.exec("cat", "/proc/self/status", flags=flags).stdout), after_exec(sets, uid, strict), f"{flags} {strict}")
            more = {name: caps | ({"SYS_ADMIN"} if name in ("bounding", "permitted", "effective") else set()) for name, caps in sets.items()}
            equal(sets_of(box.exec("cat", "/proc/self/status", flags=[*flags, "--cap", "CAP_SYS_ADMIN"]).stdout),
                  after_exec(more, uid, strict), f"{flags} --cap {strict}")
        check(sets_of(box.exec("cat", "/proc/1/status").stdout)[0] == 0, "the first process")
        box.delete("--force")


@case
def none_at_all(box):
    for capabilities in ({}, None):
        if capabilities is None:
            del box.process["capabilities"]
        else:
            box.process["capabilities"] = capabilities
        for uid in (0, 1000):
            box.process["user"] = {"uid": uid, "gid": uid}
            equal(sets_of(box.args("cat", "/proc/self/status").run().stdout), [0] * 5, f"{capabilities} uid {uid}")


@case
def what_the_runtime_has_is_not_handed_on(box):
    """A caller that has inheritable and ambient capabilities itself."""
    box.capabilities(bounding=["CAP_KILL"], permitted=["CAP_KILL"], effective=["CAP_KILL"])
    box.args("cat", "/proc/self/status").write_config()

    command = ["setpriv", "--inh-caps=+kill,+chown,+setuid", "--ambient-caps=+kill,+chown,+setuid", *box.command("run", "--bundle", box.bundle, box.id)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60, cwd=box.top)
    check(done.returncode == 0, done.stderr)
    equal(sets_of(done.stdout), [0, 1 << 5, 1 << 5, 1 << 5, 0], done.stderr)


if __name__ == "__main__":
    main(all_cases(globals()))
