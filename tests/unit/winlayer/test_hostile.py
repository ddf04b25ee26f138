#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every attack is refused with its own words, before Windows is told to do anything with the layer;
layers below stay as they were. The host ends the tool when it is asked for a place outside."""
import sys

import hostile_windows as hostile
from wintar import *

TOOL = sys.argv[1]
ONLY = sys.argv[2:]


def check(name):
    message, parts, below = hostile.ATTACKS[name]
    parents = 1 if below else 0
    result = run(TOOL, parts, parents, below)
    if not result.outcome.startswith("error ") or not result.outcome.endswith(": " + message) and \
            not result.outcome.endswith(" " + message):
        return f"\n got {result.outcome}\n not {message}"
    done = [c for c in result.calls if c in ("ImportLayer", "ProcessBaseImage", "ProcessUtilityImage")]
    if done:
        return f"then {done}"
    untouched = run(TOOL, [hostile.FILES], parents, below)
    for root in range(parents):
        if {p: f._replace(object=0) for p, f in result.layer(root).items()} != \
                {p: f._replace(object=0) for p, f in untouched.layer(root).items()}:
            return "a layer below was changed"
    return None


def main():
    bad = 0
    names = ONLY or list(hostile.ATTACKS)
    for name in names:
        why = check(name)
        if why:
            bad += 1
            print(f"{name}: {why}", file=sys.stderr)
    print(f"{len(names)} attacks, {bad} not refused as they should be")
    return 1 if bad or not names else 0


sys.exit(main())
