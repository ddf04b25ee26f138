#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""CVE-2024-25621, CVE-2021-41103 (containerd), CVE-2021-41091 (moby): state below directories that every user of the
host could pass, down to the containers' files and their set-uid programs. Here user nobody tries every path."""
import os
import pathlib
import subprocess
import sys
import tempfile

from nodebox import BUILD, HELLO, Node, check, equal, main, make_bundle

NOBODY = 65534
# Lists every path of its input that nobody can read, write, list, enter or connect to.
PROBE = r'''
import os, socket, stat, sys
os.setgroups([]); os.setgid(65534); os.setuid(65534)
for line in sys.stdin:
    path = line.rstrip("\n")
    for flags, what in ((os.O_RDONLY, "read"), (os.O_WRONLY, "write")):
        try:
            os.close(os.open(path, flags | os.O_NONBLOCK | os.O_NOFOLLOW))
            print(what, path)
        except OSError:
            pass
    try:
        os.lstat(path + "/.")
        print("enter", path)
    except OSError:
        pass
    try:
        s = socket.socket(socket.AF_UNIX)
        s.connect(path)
        print("connect", path)
    except OSError:
        pass
'''


def paths(top):
    found = []
    for folder, folders, names in os.walk(top):
        found += [os.path.join(folder, name) for name in folders + names]
    return found


def as_nobody(top):
    """What nobody can do with the directory and all that is below it."""
    below = paths(top)
    done = subprocess.run([sys.executable, "-c", PROBE], input="\n".join([str(top), *below]), capture_output=True, text=True, check=True, timeout=120)
    return done.stdout.splitlines(), len(below)


def of_a_node():
    with Node() as node:
        node.root.chmod(0o755)  # as somebody may have made it; it is put right
        node.zlayer("pull", HELLO)
        node.zlayer("run", "-d", "--name", "box", "-v", "data:/data", HELLO, "sh", "-c", "cp /bin/busybox /data/su; chmod 4755 /data/su; sleep 1000")
        can, n = as_nobody(node.root)
        check(n > 25, f"only {n} paths")
        equal(can, [], "nobody can")
        equal(oct(node.root.stat().st_mode & 0o7777), "0o700")
        for path in node.root.iterdir():
            check(not path.is_dir() or path.stat().st_mode & 0o077 == 0, f"mode of {path.name}: {oct(path.stat().st_mode)}")
        node.zlayer("rm", "-f", "box")


class Bundle:
    def __enter__(self):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="zlayer-test-"))
        self.dir.chmod(0o755)
        make_bundle(self.dir, ["sleep", "1000"])
        self.state = self.dir / "state"
        return self

    def oci(self, *args, ok=0):
        done = subprocess.run([BUILD / "zlayer-oci", "--root", self.state, *args], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                              stderr=(self.dir / "stderr").open("w"), timeout=60, check=False)
        check(ok is None or done.returncode == ok, f"{args}: exit {done.returncode}: {(self.dir / 'stderr').read_text()}")
        return done.returncode

    def __exit__(self, *exception):
        self.state.exists() and self.state.chmod(0o700)
        os.path.exists(self.state) and os.chown(self.state, 0, 0)
        self.oci("delete", "--force", "box", ok=None)
        subprocess.run(["rm", "-rf", self.dir], check=True)


def of_zlayer_oci():
    """Created, when there is the FIFO that it waits at, and running."""
    with Bundle() as bundle:
        for mask in (0o022, 0):
            old = os.umask(mask)
            bundle.oci("create", "--bundle", bundle.dir, "box")
            os.umask(old)
            can, n = as_nobody(bundle.state)
            equal(can, [], f"created, umask {mask:o}: nobody can")
            check(n >= 4 and (bundle.state / "box" / "start").is_fifo(), f"{paths(bundle.state)}")
            bundle.oci("start", "box")
            equal(as_nobody(bundle.state)[0], [], f"running, umask {mask:o}: nobody can")
            bundle.oci("delete", "--force", "box")


def a_state_directory_of_others_is_refused():
    """Whoever could write there could say which process `kill` and `delete` mean."""
    with Bundle() as bundle:
        bundle.oci("run", "--detach", "--bundle", bundle.dir, "box")
        for mode, owner in ((0o777, 0), (0o1777, 0), (0o770, 0), (0o700, NOBODY)):
            bundle.state.chmod(mode)
            os.chown(bundle.state, owner, 0)
            for words in (["state", "box"], ["kill", "box", "KILL"], ["delete", "--force", "box"], ["run", "--bundle", bundle.dir, "other"]):
                check(bundle.oci(*words, ok=None) != 0, f"{mode:o}, owner {owner}: {words[0]} has done it")
        os.chown(bundle.state, 0, 0)
        bundle.state.chmod(0o755)
        bundle.oci("delete", "--force", "box")


if __name__ == "__main__":
    main(of_a_node, of_zlayer_oci, a_state_directory_of_others_is_refused)
