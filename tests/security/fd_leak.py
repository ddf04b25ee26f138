#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""CVE-2024-21626: a descriptor of the host in the process, and a working directory by way of it, gave the host away."""
import errno
import json
import os
import pathlib
import re
import subprocess

from secbox import Canary, all_cases, case, check, contains, equal, main, wait_for

# What a process that waits for its start may hold: its streams, its container's root and working directory, and the
# FIFO that it waits at. Nothing of it is a directory of the host.
CREATED = re.compile(r"/|/work-dir|/dev/null|pipe:\[\d+\]|socket:\[\d+\]|anon_inode:\[\w+\]")
STREAMS = {0, 1, 2}


def open_files(pid):
    """{descriptor: what the host calls it}"""
    found = {}
    for entry in pathlib.Path(f"/proc/{pid}/fd").iterdir():
        found[int(entry.name)] = os.readlink(entry)
    return found


def check_confined(path):
    """Not mounted in the container: the procfs by which it finds its gate, where there is no more than its processes."""
    equal(sorted(name for name in os.listdir(path) if not name.isdigit() and name not in ("self", "thread-self")), [])
    for name in ("sys", "keys", "kcore", "sysrq-trigger"):
        check(not os.path.exists(f"{path}/{name}"), f"{path}: has {name}")
    try:
        os.close(os.open(f"{path}/1/oom_score_adj", os.O_WRONLY))
    except OSError as error:
        equal(error.errno, errno.EROFS, path)
    else:
        check(False, f"{path}: can be written")


def is_of_container(pid, fd):
    """The file's mount is one of the container's own namespace, and the file is not the host's root."""
    info = pathlib.Path(f"/proc/{pid}/fdinfo/{fd}").read_text()
    mount = re.search(r"mnt_id:\s*(\d+)", info).group(1)
    inside = {line.split()[0] for line in pathlib.Path(f"/proc/{pid}/mountinfo").read_text().splitlines()}
    return mount in inside


class Inherited:
    """Descriptors of the host that the caller has left open to its children: a directory, a file, a socket."""

    def __init__(self):
        self.fds = []
        for number, path in ((9, "/"), (10, "/etc/passwd"), (63, "/root"), (500, "/proc")):
            fd = os.open(path, os.O_RDONLY)
            os.dup2(fd, number, inheritable=True)
            os.close(fd)
            self.fds.append(number)

    def __enter__(self):
        return self.fds

    def __exit__(self, *exception):
        for fd in self.fds:
            os.close(fd)


@case
def in_a_created_process(box):
    box.process["cwd"] = "/work-dir"
    with Inherited() as fds, (box.top / "stderr").open("w") as stderr:
        box.args("sleep", "1000").write_config()
        box.oci("create", "--bundle", box.bundle, box.id, stdout=subprocess.DEVNULL, stderr=stderr, pass_fds=fds)
    pid = box.pid()
    found = open_files(pid)
    check(STREAMS <= set(found), f"{found}")
    for fd, target in found.items():
        if target in (f"{box.root}/{box.id}/start", str(box.top / "stderr")):
            continue  # the gate, which is a FIFO, and what the caller wants to be its stream
        check(CREATED.fullmatch(target) is not None, f"descriptor {fd} is '{target}'")
        if target == "/" and not is_of_container(pid, fd):
            check_confined(f"/proc/{pid}/fd/{fd}")
        elif target.startswith("/") and target != "/dev/null":
            check(is_of_container(pid, fd), f"descriptor {fd} is '{target}' of the host")
    check(len(found) <= 8, f"{found}")
    equal(os.readlink(f"/proc/{pid}/cwd"), "/")
    check(os.stat(f"/proc/{pid}/root").st_ino == box.rootfs.stat().st_ino, "another root than the container's")


@case
def in_a_started_process(box):
    with Inherited() as fds:
        box.detach(pass_fds=fds)
    wait_for(lambda: pathlib.Path(f"/proc/{box.pid()}/comm").read_text() == "sleep\n", what="the program")
    equal(set(open_files(box.pid())), STREAMS)
    box.delete("--force")
    with Inherited() as fds:
        equal(box.args("helper", "fds").run(pass_fds=fds).stdout, "0 1 2 \n")


@case
def in_a_process_of_exec(box):
    box.detach()
    with Inherited() as fds:
        equal(box.exec("helper", "fds", pass_fds=fds).stdout, "0 1 2 \n")
        box.exec("sleep", "1000", flags=["--detach", "--pid-file", box.top / "pid"], stdout=subprocess.DEVNULL,
                 stderr=subprocess.DEVNULL, pass_fds=fds)
    equal(set(open_files((box.top / "pid").read_text())), STREAMS)


@case
def while_it_enters(box):
    """What the container's first process, which looks all the time, sees in the process of an exec before its program."""
    box.capabilities(**{name: ["CAP_SYS_PTRACE", "CAP_DAC_READ_SEARCH", "CAP_DAC_OVERRIDE"]
                        for name in ("bounding", "effective", "permitted")})
    # Each descriptor that is neither a stream nor the watcher's own, and where its ".." is.
    box.script("while :; do for p in /proc/[0-9]*; do for f in $p/fd/*; do case ${f##*/} in [012]|[*]) ;; "
               "*) test -e $f/etc/hostname.of.the.host && echo $f >> /found;; esac; done; "
               "test -e $p/cwd/zl-canary && echo $p/cwd >> /found; test -e $p/root/zl-canary && echo $p/root >> /found; done; done")
    marks = [box.top / "zl-canary", box.bundle / "zl-canary"]
    for mark in marks:
        mark.touch()
    box.detach()
    for _ in range(150):
        box.exec("true", cwd=box.bundle)
    check(not (box.rootfs / "found").exists(), "the host was seen: " + ((box.rootfs / "found").read_text()[:500] if
                                                                      (box.rootfs / "found").exists() else ""))


PLACES = [f"/proc/self/fd/{n}" for n in range(51)] + [
    "/proc/1/cwd", "/proc/1/root", "/proc/1/root/..", "/proc/self/root/..", "/proc/self/root", "/proc/self/cwd", "/proc/self/cwd/..",
    "/proc/thread-self/cwd", "/proc/thread-self/fd/3", "/proc/self/task/1/cwd", "/proc/self/fd/3/../../..", "/proc/self/fd/7/etc"]


def documents(box):
    for place in PLACES:
        path = box.top / "process.json"
        path.write_text(json.dumps({"args": ["ls", ".."], "cwd": place, "env": ["PATH=/bin"]}))
        yield place, path


@case
def a_working_directory_by_a_descriptor_is_refused(box):
    canary = Canary(box)
    with Inherited() as fds:
        for place in PLACES:
            box.process["cwd"] = place
            done = box.args("ls", "..").run(ok=None, pass_fds=fds)
            check(done.returncode != 0 and not done.stdout, f"run in {place}: exit {done.returncode}: {done.stdout[:300]}")
            contains(done.stderr, "working directory")
    equal(box.states(), [])
    canary.look("run")


@case
def and_of_exec(box):
    canary = Canary(box)
    box.detach()
    with Inherited() as fds:
        for place, document in documents(box):
            for words in (["--cwd", place, box.id, "ls", ".."], ["--process", document, box.id]):
                done = box.oci("exec", *words, ok=None, pass_fds=fds)
                check(done.returncode != 0 and not done.stdout, f"{words}: exit {done.returncode}: {done.stdout[:300]}")
                contains(done.stderr, "working directory")
    canary.look("exec")


@case
def links_of_the_image_to_such_places(box):
    for place in ("/proc/self/fd/3", "/proc/self/fd/9", "/proc/self/cwd", "/proc/self/root"):
        (box.rootfs / "link").symlink_to(place)
        box.process["cwd"] = "/link"
        with Inherited() as fds:
            done = box.args("ls", "..").run(ok=None, pass_fds=fds)
        check(done.returncode != 0 and not done.stdout, f"{place}: {done.stdout[:300]}")
        (box.rootfs / "link").unlink()


@case
def a_program_by_a_descriptor(box):
    """The same way for the program: what is executed is a file of the container, and sees its root."""
    (box.rootfs / "mark-of-the-container").touch()
    box.detach()
    with Inherited() as fds:
        for number in range(3, 20):
            for place in (f"/proc/self/fd/{number}/bin/ls", f"/proc/self/fd/{number}/../../../bin/ls", f"/proc/self/fd/{number}"):
                done = box.exec(place, "/", ok=None, pass_fds=fds)
                check(done.returncode == 255 or "mark-of-the-container" in done.stdout,
                      f"{place}: exit {done.returncode}: {done.stdout[:200]} {done.stderr}")
        equal(box.exec("/proc/self/fd/9/bin/busybox", "true", ok=None, pass_fds=fds).returncode, 255, "by the caller's root")


@case
def the_working_directory_is_one_within_the_root(box):
    for place, expected in (("/", "/"), ("/etc", "/etc"), ("/a/b", "/a/b"), ("/etc/../bin", "/bin"), ("/..", "/"), ("//etc/.", "/etc")):
        box.process["cwd"] = place
        equal(box.output("/bin/pwd -P; readlink /proc/self/cwd"), f"{expected}\n{expected}", place)


if __name__ == "__main__":
    main(all_cases(globals()))
