#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs tests/integration/windows_hcs_hyperv_e2e.c under Wine, on a machine of doubles, with an image of
Windows' layout from a registry on loopback. usage: test_hcs_e2e.py ISOLATION E2E.EXE SIM_TOOL.EXE SHIM.EXE"""
import pathlib
import sys

sys.dont_write_bytecode = True
import registry as reg  # noqa: E402  pylint: disable=wrong-import-position
from store_box import Box, windows_path  # noqa: E402  pylint: disable=wrong-import-position


def main():
    isolation, e2e, sim_tool, shim = sys.argv[1:5]
    registry = reg.Registry()
    image = registry.add("nanoserver", reg.image([reg.base_layer(), reg.diff_layer()]))
    with Box({"e2e": e2e, "sim_tool": sim_tool}, registry.host) as box:
        started = box.start("e2e", isolation, ZLAYER_HCS_TEST_IMAGE=image,
                            ZLAYER_HCS_TEST_CONFIG=windows_path(box.root / "config.yaml"),
                            ZLAYER_HELPER_DIR=windows_path(pathlib.Path(shim).parent))
        code, out, err = box.finish(started, timeout=540)
        left = box.sim("leaks")
    lines = out.splitlines()
    print(f"1..{len(lines)}")  # the program's own plan is one line, and nothing left is one more case
    print("\n".join(lines[1:]))
    print(("ok" if left[:2] == (0, "") else "not ok") + f" {len(lines)} - nothing is left on the host")
    for text in (err, left[1]):
        if text.strip():
            print(text, file=sys.stderr)
    return 1 if code != 0 or left[:2] != (0, "") else 0


sys.exit(main())
