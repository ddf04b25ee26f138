#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every call to the host fails once: its error is the import's, no call follows, and no file stays
open (the tool itself ends with an error then)."""
import sys

from wintar import *

TOOL = sys.argv[1]
VM = "UtilityVM/Files/"
LAYERS = {
    "base": ([FILES, HIVES, UTILITY, directory("Files/d"), member("Files/d/a", b"x", sd=DESCRIPTOR),
              member("Files/d/a:s", b"y"), hardlink("Files/b", "Files/d/a"), junction("Files/j", "C:\\d"),
              member("Hives/SAM", b"z"), directory(VM + "EFI"), directory(VM + "EFI/Microsoft"),
              directory(VM + "EFI/Microsoft/Boot"), member(VM + "EFI/Microsoft/Boot/BCD", b"boot")], 0, []),
    "diff": ([FILES, HIVES, UTILITY, directory("Files/d"), member("Files/d/a", b"x", sd=DESCRIPTOR),
              hardlink("Files/b", "Files/d/a"), hardlink("Files/c", "Files/old"), member("Files/.wh.gone"),
              member("Hives/SAM", b"z"), member(VM + "a", b"new"), member(VM + ".wh.dir"),
              member(VM + "EFI/Microsoft/Boot/BCD", b"boot")], 1,
             ["0:f:Files/old", "0:f:" + VM + "a", "0:f:" + VM + "dir/x", "0:f:" + VM + "EFI/Microsoft/Boot/BCD"]),
}


def check(name):
    parts, parents, below = LAYERS[name]
    whole = run(TOOL, parts, parents, below)
    if whole.outcome != "ok":
        sys.exit(f"{name}: {whole.outcome}")
    for n, call in enumerate(whole.calls, 1):
        failed = run(TOOL, parts, parents, below, fail_at=n)
        if not failed.outcome.startswith("error SYSTEM ") or not failed.outcome.endswith("injected: " + call):
            sys.exit(f"{name}, call {n} ({call}): {failed.outcome}")
        if failed.calls != whole.calls[:n - 1]:
            sys.exit(f"{name}, call {n} ({call}): {failed.calls[n - 1:]} followed")
    return len(whole.calls)


print({name: check(name) for name in LAYERS})
