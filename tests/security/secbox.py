# SPDX-License-Identifier: Apache-2.0
"""What the tests of attacks share: a tree of files that must not change, the host's mounts, and many rounds against
somebody who changes things meanwhile. The boxes are those of tests/oci."""
import collections
import hashlib
import os
import pathlib
import shutil
import subprocess
import sys
import threading

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "oci"))
from ocibox import CGROUPS, LIBC, RUNTIME, TIMEOUT, V2, check, contains, equal, wait_for  # noqa: E402,F401
from ocibox import all_cases, case, main, mount_points, status_of, Box, Skip  # noqa: E402,F401

RACER = os.environ.get("ZLAYER_RACER")
INSIDE = os.environ.get("ZLAYER_INSIDE")
ROUNDS = int(os.environ.get("ZLAYER_ROUNDS", "2000"))
JOBS = 2


def facts(path):
    """All of a file that could change."""
    st = os.lstat(path)
    kind = st.st_mode & 0o170000
    content = os.readlink(path) if kind == 0o120000 else hashlib.sha256(path.read_bytes()).hexdigest() if kind == 0o100000 else ""
    return (oct(st.st_mode), st.st_uid, st.st_gid, st.st_nlink, st.st_size, st.st_mtime_ns, st.st_ctime_ns, st.st_rdev, content)


def tree(top):
    """{path: facts} of everything below, without following links or leaving the file system."""
    found = {str(top): facts(pathlib.Path(top))}
    for folder, folders, names in os.walk(top):
        for name in folders + names:
            path = pathlib.Path(folder, name)
            found[str(path)] = facts(path)
    return found


class Canary:
    """A directory of the host with a file or two, which an attack would change; look() tells."""

    def __init__(self, box, name="canary"):
        self.dir = box.top / name
        (self.dir / "sub").mkdir(parents=True)
        (self.dir / "sub" / "inner").write_text("inner\n")
        (self.dir / "passwd").write_text("root:x:0:0::/canary:/bin/sh\n")
        (self.dir / "null").write_text("of the host\n")
        self.box = box
        self.before, self.mounts = tree(self.dir), host_mounts(box)

    def look(self, what=""):
        now = tree(self.dir)
        changed = sorted(p for p in now.keys() | self.before.keys() if now.get(p) != self.before.get(p))
        check(not changed, f"{what}: changed on the host: {[(p, self.before.get(p), now.get(p)) for p in changed]}")
        equal(sorted(host_mounts(self.box) - self.mounts), [], f"{what}: mounts of the host")


def host_mounts(box):
    """Lines of the host's mount table that are no racer's own."""
    lines = pathlib.Path("/proc/self/mountinfo").read_text().splitlines()
    return {line for line in lines if f"{box.top}/raced" not in line}


class Racer:
    """`with Racer("swap", a, b):` changes the two for each other as long as that lasts."""

    def __init__(self, *words):
        self.words = [RACER, *map(str, words)]

    def __enter__(self):
        self.process = subprocess.Popen(self.words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        return self

    def __exit__(self, kind, value, trace):
        changes = self.process.communicate(timeout=TIMEOUT)[0]
        if kind is None:
            check(changes.strip().isdigit() and int(changes) > 1000, f"{self.words}: changed only {changes!r} times")


def run_once(box, name, words):
    done = subprocess.run(box.command("run", "--bundle", box.bundle, *words, name), stdin=subprocess.DEVNULL, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=TIMEOUT, check=False, cwd=box.top)
    return done.returncode, done.stdout


def rounds(box, n=ROUNDS, words=()):
    """Runs the bundle n times, some at once. Returns how often it ended with each (exit code, output)."""
    found, failures = [], []
    box.write_config()

    def work(job):
        try:
            for i in range(job, n, JOBS):
                found.append(run_once(box, f"{box.prefix}-{i}", words))
        except Exception as error:  # told below, where the case is
            failures.append(error)

    workers = [threading.Thread(target=work, args=(job,)) for job in range(JOBS)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    check(not failures, f"{failures}")
    equal(len(found), n, "rounds")
    return collections.Counter(found)


def expect(found, output, *refusals, least=1):
    """Every round either printed exactly `output` or was refused with one of these texts. Both must have been seen
    `least` times, or the racer has not met the runtime at all."""
    good = sum(count for (code, text), count in found.items() if code == 0 and text == output)
    refused = 0
    for (code, text), count in found.items():
        if code == 0:
            equal(text, output, f"what {count} containers saw")
        else:
            check(any(part in text for part in refusals), f"{count} times exit {code}: {text[-600:]}")
            refused += count
    print(f"# {good} started, {refused} refused", flush=True)
    check(good >= least, f"only {good} of {sum(found.values())} have started")
    return good, refused


def minimal(box):
    """Rounds are many: no more than a container needs, and /bin/inside, which sees much at once."""
    shutil.copy2(INSIDE, box.rootfs / "bin" / "inside")
    box.config["mounts"] = box.config["mounts"][:2]
    box.linux["namespaces"] = [{"type": "mount"}, {"type": "pid"}]
    del box.config["hostname"]
    return box
