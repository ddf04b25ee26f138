# SPDX-License-Identifier: Apache-2.0
"""The cgroup file systems in a container, with and without a cgroup namespace of its own.

usage: test_view.py ZLAYER_OCI"""
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

PROGRAM = pathlib.Path(sys.argv[1]).resolve()
CGROUPS = pathlib.Path("/sys/fs/cgroup")
ID = f"zlayer-view-{os.getpid()}"
# A tree that every container is in.
TREE = "" if (CGROUPS / "cgroup.procs").exists() else "pids"
LOOK = f"cat /proc/self/mountinfo; echo --; cd /sys/fs/cgroup/{TREE}; ls -d */; echo --; cat cgroup.procs; touch x; echo $?"


def make_bundle(where, with_namespace):
    rootfs = where / "rootfs"
    (rootfs / "bin").mkdir(parents=True)
    shutil.copy("/bin/busybox", rootfs / "bin" / "busybox")
    for name in ("sh", "cat", "ls", "touch"):
        (rootfs / "bin" / name).symlink_to("busybox")
    subprocess.run([PROGRAM, "spec"], cwd=where, check=True)
    config = json.loads((where / "config.json").read_text())
    config["process"].update(args=["/bin/sh", "-c", LOOK], terminal=False)
    kept = [n for n in config["linux"]["namespaces"] if n["type"] != "cgroup"]
    config["linux"]["namespaces"] = kept + [{"type": "cgroup"}] * with_namespace
    (where / "config.json").write_text(json.dumps(config))


def look(with_namespace):
    """Mounts below /sys/fs/cgroup ({place: options}), directories and pids in the tree, and whether it can be
    written to."""
    with tempfile.TemporaryDirectory() as home:
        bundle = pathlib.Path(home) / "bundle"
        bundle.mkdir()
        make_bundle(bundle, with_namespace)
        done = subprocess.run([PROGRAM, "--root", f"{home}/root", "run", "-b", str(bundle), ID], text=True,
                              capture_output=True, stdin=subprocess.DEVNULL, check=False)
        assert done.returncode == 0, done.stderr
        mounts, directories, rest = done.stdout.split("--\n")
    places = {}
    for line in mounts.splitlines():
        fields = line.split()
        if fields[4].startswith("/sys/fs/cgroup"):
            places[fields[4]] = fields[5].split(",")
    *pids, touched = rest.split()
    return places, directories.split(), pids, touched == "0"


def main():
    shown = {f"/sys/fs/cgroup/{entry.name}" for entry in CGROUPS.iterdir() if os.path.ismount(entry)}
    for with_namespace in (False, True):
        places, directories, pids, writable = look(with_namespace)
        text = f"namespace {with_namespace}: {places} {directories} {pids}"
        assert all(options[0] == "ro" and "noexec" in options and "nodev" in options
                   for options in places.values()), text
        assert not writable, text
        if TREE == "":
            assert set(places) == {"/sys/fs/cgroup"}, text
            continue
        # Its own cgroup: nobody else's processes, and no cgroups below.
        assert directories == [] and "1" in pids and "0" not in pids, text
        if not with_namespace:
            assert set(places) == shown | {"/sys/fs/cgroup"}, text
    assert not (CGROUPS / TREE / ID).exists(), "a cgroup is left"
    print("2 views as they should be")


main()
