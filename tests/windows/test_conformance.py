#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The conformance suites for Windows' backend under Wine, on a machine of doubles, whose containers run programs of
Wine's own drive C: the commands of the suites are put there. usage: test_conformance.py BACKEND CONFORMANCE.EXE BUSY.EXE
SIM_TOOL.EXE SHIM.EXE [SUITE...]"""
import os
import pathlib
import random
import shutil
import subprocess
import sys

sys.dont_write_bytecode = True
import registry as reg  # noqa: E402  pylint: disable=wrong-import-position
from store_box import Box, windows_path  # noqa: E402  pylint: disable=wrong-import-position

COMMANDS = ("sh", "sleep", "true", "false", "echo", "cat", "hostname", "seq")


def put_commands(busy):
    folder = pathlib.Path(os.environ["WINEPREFIX"], "drive_c", "bin")
    folder.mkdir(exist_ok=True)
    for name in COMMANDS:
        new = folder / f"{name}-{os.getpid()}.new"
        shutil.copy(busy, new)
        new.replace(folder / f"{name}.exe")  # the other isolation's test may be running the old one


def main():
    backend, conformance, busy, sim_tool, shim = sys.argv[1:6]
    put_commands(busy)
    registry = reg.Registry()
    config = {"Cmd": ["C:\\bin\\sh", "-c", "echo from the image"], "Env": ["IMAGE=yes"], "WorkingDir": "C:\\"}
    large = reg.diff_layer("large", random.Random(1).randbytes(2 << 20), hide=(), links=False)  # kept while it comes
    image = registry.add("suite", reg.image([reg.base_layer(), large, reg.diff_layer()], config=config))
    with Box({"conformance": conformance, "sim_tool": sim_tool}, registry.host) as box:
        started = box.start("conformance", backend, *sys.argv[6:], BOX_IMAGE=image,
                            BOX_CONFIG=windows_path(box.root / "config.yaml"),
                            ZLAYER_HELPER_DIR=windows_path(pathlib.Path(shim).parent))
        try:
            started.wait(timeout=float(os.environ.get("BOX_PATIENCE_S", "1440")))
        except subprocess.TimeoutExpired:
            started.kill()
        code, out, err = box.finish(started)
        left = box.sim("leaks")
    sys.stdout.write(out)
    sys.stderr.write(err)
    clean = left[:2] == (0, "")
    if code != 0:
        print(f"conformance.exe ended with {code}", file=sys.stderr)
    print(("[       OK ] " if clean else "[  FAILED  ] ") + "nothing_is_left_on_the_host")
    if not clean:
        print(left[1], file=sys.stderr)
    return 1 if code != 0 or not clean else 0


sys.exit(main())
