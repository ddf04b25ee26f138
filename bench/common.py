# SPDX-License-Identifier: Apache-2.0
"""What the benchmarks share: when they refuse, how they time, what is left of a list of times."""
import os
import pathlib
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
BUILD = ROOT / "build"
TESTS = ROOT / "build-test"
BUSY = 15.0  # some avg10 of /proc/pressure/cpu, in percent


def pressure():
    text = pathlib.Path("/proc/pressure/cpu").read_text()
    return float(text.split("avg10=")[1].split()[0])


def wait_until_quiet(force):
    for _ in range(12):
        if force or pressure() <= BUSY:
            return
        time.sleep(5)
    sys.exit(f"bench: the machine is busy (CPU pressure {pressure():.0f} % over 10 s, at most {BUSY:.0f} %): not measured")


def must(*argv, **kwargs):
    done = subprocess.run(argv, text=True, capture_output=True, **kwargs)
    if done.returncode != 0:
        sys.exit(f"bench: {' '.join(map(str, argv))}: exit {done.returncode}: {done.stderr.strip()[-600:]}")
    return done.stdout


def isolate():
    """Bridge, rules and mounts stay in namespaces of their own and go with them."""
    if os.environ.get("ZLAYER_BENCH_INSIDE") is None:
        os.environ["ZLAYER_BENCH_INSIDE"] = "1"
        os.execvp("unshare", ["unshare", "--net", "--mount", "--propagation", "private", sys.executable, *sys.argv])
    must("ip", "link", "set", "lo", "up")


def build(*programs):
    """Helper programs of the benchmarks, which are built with the tests."""
    if not (TESTS / "build.ninja").exists():
        must("/usr/bin/meson", "setup", TESTS, "-Dfaults=true")
    must("ninja", "-C", TESTS, "--quiet", *[f"bench/{name}" for name in programs])
    return [TESTS / "bench" / name for name in programs]


def p10(values):
    return sorted(values)[max(0, len(values) // 10 - 1)]


def pss_kib(pid):
    for line in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1])
    return 0
