# SPDX-License-Identifier: Apache-2.0
"""In the machine, once per boot: what the last cut left is checked, then a pull begins, in which the power fails.

The host (powercut.py) reads the lines. `began N` says that the pull to be cut has begun, and that one takes N s."""
import json
import os
import pathlib
import re
import socket
import subprocess
import sys
import time

import layers

VICTIM = pathlib.Path("/victim")
ROOT = VICTIM / "root"
FACTS = json.loads(pathlib.Path("/powercut.json").read_text(encoding="utf-8"))
HOST = "127.0.0.1:5000"
IMAGE = f"{HOST}/cut:latest"
OTHER = {"erofs": "directory", "directory": "erofs"}


def say(text):
    print(f"powercut: {text}", flush=True)


def check(condition, text):
    if not condition:
        raise AssertionError(text)


def zlayer(*args, ok=0):
    done = subprocess.run([FACTS["zlayer"], "--root", ROOT, *args], text=True, capture_output=True, check=False,
                          stdin=subprocess.DEVNULL)
    if ok is not None:
        check(done.returncode == ok, f"zlayer {' '.join(args)}: exit {done.returncode}: {done.stdout[-400:]} {done.stderr[-600:]}")
    return done


def parameter(name):
    return re.search(rf"powercut\.{name}=(\S+)", pathlib.Path("/proc/cmdline").read_text(encoding="utf-8"))[1]


def mount():
    """The disk that loses its cache; the journal is replayed here."""
    disk, = (block.name for block in pathlib.Path("/sys/block").iterdir()
             if (block / "serial").exists() and (block / "serial").read_text().strip() == "victim")
    subprocess.run(["modprobe", "-a", "loop", "erofs"], check=True)  # nobody makes /dev/loop-control otherwise
    subprocess.run(["mount", "-t", "ext4", f"/dev/{disk}", VICTIM], check=True)


def start_registry():
    config = pathlib.Path("/run/registry.yml")
    config.write_text(f"version: 0.1\nlog: {{level: error, accesslog: {{disabled: true}}}}\nstorage:\n"
                      f"  filesystem: {{rootdirectory: /registry}}\nhttp: {{addr: \"{HOST}\"}}\n", encoding="utf-8")
    subprocess.Popen(["/usr/bin/docker-registry", "serve", config], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    for _ in range(600):
        try:
            socket.create_connection(("127.0.0.1", 5000), 1).close()
            return
        except OSError:
            time.sleep(0.1)
    raise AssertionError("docker-registry does not start")


def configure(kind):
    ROOT.mkdir(exist_ok=True)
    (ROOT / "config.yaml").write_text(f"layers: {kind}\nregistries: {{ \"{HOST}\": {{ insecure: true }} }}\n", encoding="utf-8")


def verify(what):
    """Every layer that counts is whole, whoever made it and whatever happened since; how many."""
    found = layers.published(ROOT)
    for key, (kind, digest) in found.items():
        check(kind and FACTS[kind]["layers"].get(key) == digest, f"{what}: layer {key} ({kind or 'without content'}) is damaged")
    return len(found)


def wait_until_flushed():
    """The helper ends by itself."""
    for _ in range(1200):
        if all(map(layers.is_flushed, layers.named(ROOT))):
            return
        time.sleep(0.05)
    raise AssertionError("the layers are not flushed a minute after the pull")


def after_the_cut(kind):
    """What the cut left; then the pull that it ended must complete, and leave nothing but what it should."""
    survived = verify("after the cut")
    void = len(layers.named(ROOT)) - survived
    left = len([place for place in (ROOT / "layers").iterdir() if place.name.startswith("tmp-")]) if (ROOT / "layers").is_dir() else 0
    configure(kind)
    start = time.monotonic()
    zlayer("pull", "-q", IMAGE)
    seconds = time.monotonic() - start
    verify("after the next pull")
    zlayer("system", "check", "--repair")
    zlayer("system", "check")
    found, wanted = set(layers.names(ROOT)), set(FACTS[kind]["names"])
    stale = {name for name in found - wanted if not re.match(r"layers/(lock-)?[0-9a-f]{64}|layers/(lock-)?chain-", name)}
    check(not stale and not wanted - found, f"left behind: {sorted(stale)}; missing: {sorted(wanted - found)}")
    extra = set(layers.published(ROOT)) - set(FACTS[kind]["layers"]) - set(FACTS[OTHER[kind]]["layers"])
    check(not extra, f"layers of no image: {sorted(extra)}")
    say(f"well {survived} layers survived, {void} void, {left} interrupted; the next pull took {seconds:.1f} s")
    return seconds


def main():
    mount()
    start_registry()
    seconds = after_the_cut(parameter("last"))
    zlayer("rmi", IMAGE)
    check(not layers.named(ROOT), "the removal left layers")
    configure(parameter("next"))
    os.sync()
    say(f"began {seconds:.3f}")
    while True:  # a pull that is faster than the one before is not safe either
        zlayer("pull", "-q", IMAGE)
        say("pulled")
        wait_until_flushed()
        say("flushed")
        time.sleep(1)
        zlayer("rmi", IMAGE)


try:
    main()
except Exception as error:  # pylint: disable=broad-except
    say(f"failed {type(error).__name__}: {' '.join(str(error).split())}")
    sys.exit(1)
