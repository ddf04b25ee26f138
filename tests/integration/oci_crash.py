# SPDX-License-Identifier: Apache-2.0
"""zlayer-oci killed with SIGKILL at random instants of create, start, exec, kill and delete: whatever is left then
goes with `delete --force`, and the next container of the same name works."""
import os
import pathlib
import random
import re
import shutil
import signal
import subprocess
import tempfile
import time

from zltest import BUILD, CGROUPS, check, main, make_bundle, wait_for

OCI = BUILD / "zlayer-oci"
INSTANTS = 200
SEED = int(os.environ.get("ZLAYER_SEED", "0")) or random.SystemRandom().randrange(1, 1 << 32)


class Bundle:
    """One busybox that sleeps."""

    def __init__(self):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="zlayer-test-"))
        self.state = self.dir / "state"
        make_bundle(self.dir, ["/bin/sleep", "1000"],
                    change=lambda config: config["linux"].update(cgroupsPath="/" + self.dir.name))

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        self.oci("delete", "--force", "it")
        shutil.rmtree(self.dir)

    def argv(self, *args):
        return [OCI, "--root", self.state, *args]

    def oci(self, *args):
        # Not captured: a container's first process would hold the pipe open.
        return subprocess.run(self.argv(*args), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL, timeout=60, check=False).returncode

    def processes(self):
        """Of zlayer-oci and of the container; a zombie is for whoever adopts orphans here."""
        found = []
        for entry in pathlib.Path("/proc").glob("[0-9]*"):
            try:
                argv = (entry / "cmdline").read_bytes()
                cgroup = (entry / "cgroup").read_text()
                if re.search(r"^State:\s+[ZX]", (entry / "status").read_text(), re.M):
                    continue
            except OSError:
                continue
            if (self.dir.name in cgroup or str(self.state).encode() in argv) and entry.name != str(os.getpid()):
                found.append(entry.name)
        return found

    def left(self):
        left = [f"process {pid}" for pid in self.processes()]
        left += [f"state {path}" for path in (self.state.iterdir() if self.state.is_dir() else []) if path.name[-1] != "~"]
        left += [f"cgroup {path}" for path in [*CGROUPS.glob(self.dir.name), *CGROUPS.glob(f"*/{self.dir.name}")]]
        left += [line for line in pathlib.Path("/proc/self/mountinfo").read_text().splitlines() if str(self.dir) in line]
        return left


def took(bundle, *args):
    began = time.monotonic()
    check(bundle.oci(*args) == 0, f"{args[0]} fails")
    return time.monotonic() - began


def kill_in(bundle, seconds, *args):
    """Starts the command and kills it after so long, if it is still there."""
    command = subprocess.Popen(bundle.argv(*args), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL)
    time.sleep(seconds)
    command.send_signal(signal.SIGKILL)
    command.wait()


COMMANDS = {
    "create": [("create", "--bundle", None, "it")],
    "start": [("create", "--bundle", None, "it"), ("start", "it")],
    "exec": [("run", "--detach", "--bundle", None, "it"), ("exec", "it", "/bin/true")],
    "kill": [("run", "--detach", "--bundle", None, "it"), ("kill", "it", "KILL")],
    "delete": [("run", "--detach", "--bundle", None, "it"), ("delete", "--force", "it")],
}


def nothing_is_left_after_kills():
    print(f"# seed {SEED}", flush=True)
    choose = random.Random(SEED)
    with Bundle() as bundle:
        def command(words):
            return [str(bundle.dir) if word is None else word for word in words]

        for name, steps in COMMANDS.items():
            for step in steps[:-1]:
                took(bundle, *command(step))
            usual = took(bundle, *command(steps[-1]))
            bundle.oci("delete", "--force", "it")
            for _ in range(INSTANTS // len(COMMANDS)):
                for step in steps[:-1]:
                    took(bundle, *command(step))
                kill_in(bundle, choose.uniform(0, usual * 1.2), *command(steps[-1]))
                check(bundle.oci("delete", "--force", "it") == 0, f"{name}: delete --force after a kill fails")
                wait_for(lambda: not bundle.left(), 10, f"{name}: nothing left")
        took(bundle, "run", "--bundle", str(bundle.dir), "--detach", "it")
        took(bundle, "delete", "--force", "it")
        check(not bundle.left(), f"left: {bundle.left()}")


if __name__ == "__main__":
    main(nothing_is_left_after_kills)
