#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""CVE-2017-5985, CVE-2018-6556, CVE-2026-39402, CVE-2022-47952 (LXC): programs that run as root for every caller. What an
installation puts in place has neither such a bit nor capabilities of a file, and nobody else may write it."""
import os
import pathlib
import stat
import subprocess
import tempfile

from nodebox import BUILD, check, main

PROGRAMS = {"zlayer", "zlayer-oci", "zlayer-shim", "zlayer-unpack"}


def check_file(path):
    st = path.lstat()
    check(not st.st_mode & (stat.S_ISUID | stat.S_ISGID), f"{path}: {oct(st.st_mode)}")
    check(path.is_symlink() or not st.st_mode & 0o022, f"{path}: others may write it: {oct(st.st_mode)}")
    check(st.st_uid == 0, f"{path}: of user {st.st_uid}")
    check(not [name for name in os.listxattr(path, follow_symlinks=False) if name.startswith("security.capability")], f"{path}: capabilities")


def of_an_installation():
    with tempfile.TemporaryDirectory(prefix="zlayer-test-") as top:
        done = subprocess.run(["/usr/bin/meson", "install", "--no-rebuild", "--destdir", top], cwd=BUILD, capture_output=True, text=True, check=False)
        check(done.returncode == 0, done.stderr[-1000:])
        found = [path for path in pathlib.Path(top).rglob("*")]
        check(PROGRAMS <= {path.name for path in found}, f"{sorted(path.name for path in found)[:40]}")
        for path in found:
            check_file(path)


def of_a_build():
    for name in PROGRAMS:
        path = BUILD / name
        st = path.stat()
        check(not st.st_mode & (stat.S_ISUID | stat.S_ISGID), f"{path}: {oct(st.st_mode)}")


if __name__ == "__main__":
    main(of_an_installation, of_a_build)
