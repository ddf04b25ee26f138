# SPDX-License-Identifier: Apache-2.0
"""What the programs in Python for tests under Wine share."""
import subprocess

WINE = ["env", "WINEDEBUG=-all", "WINEDLLOVERRIDES=mscoree,mshtml=", "DISPLAY=", "/usr/lib/wine/wine64"]


def run_cases(cases):
    """Tells of each as TAP; the program's exit code."""
    failed = 0
    print(f"1..{len(cases)}")
    for number, case in enumerate(cases, 1):
        try:
            case()
            print(f"ok {number} - {case.__name__}", flush=True)
        except (AssertionError, ValueError, subprocess.TimeoutExpired) as error:
            failed += 1
            print(f"not ok {number} - {case.__name__}: {error!r}", flush=True)
    return 1 if failed else 0
