#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""CVE-2026-53488 (containerd): a label of an image became one of its container, which a part of the runtime acted on: a
command on the host, as root, from a pull. Here an image has every label and annotation that somebody acts on."""
import json
import pathlib
import re
import subprocess
import tempfile

from annotation_inert import KNOWN
from nodebox import BUILD, HELLO, Node, check, equal, image, main

OURS = ["zlayer", "zlayer.isolation", "zlayer.privileged", "zlayer.restart", "io.zlayer.mount", "zlayer.deployment", "zlayer.service", "zlayer.user"]
# What a run of a container executes on the host, some of it by a descriptor; the container's own programs come from busybox.
PROGRAMS = {"/proc/self/exe", ""} | {str(BUILD / name) for name in ("zlayer", "zlayer-complete", "zlayer-shim", "zlayer-unpack")}
INSIDE = ("/bin/", "/sbin/", "/usr/bin/", "/usr/sbin/", "/usr/local/")
SHOW = "env | sort; id; grep -E '^(Cap|NoNew|Seccomp)' /proc/self/status; cut -d' ' -f4- /proc/self/mountinfo | grep -v lowerdir | sort; hostname | wc -c"


def labels(mark):
    value = f"binary:///bin/touch?{mark}"
    return {name: value for name in KNOWN + OURS} | {"containerd.io/restart.loguri": value, "a": f"$(touch {mark})", "b\n": "c\n", "": "x"}


def executed(node, *words):
    """Programs that are executed on the host while zlayer runs."""
    with tempfile.NamedTemporaryFile() as log:
        done = subprocess.run(["strace", "-f", "-qq", "-o", log.name, "-e", "trace=execve,execveat", *node.command(*words)], capture_output=True,
                              text=True, timeout=120, check=False, stdin=subprocess.DEVNULL)
        check(done.returncode == 0, f"{words}: exit {done.returncode}: {done.stderr}")
        found = set(re.findall(r'execve(?:at)?\((?:\w+, )?"([^"]*)"[^\n]* = 0$', pathlib.Path(log.name).read_text(), re.M))
    return done.stdout, found


def labels_of_an_image():
    with tempfile.TemporaryDirectory(prefix="zlayer-test-") as top, Node() as node:
        mark = pathlib.Path(top) / "mark"
        change = {"change_config": lambda c: c["config"].update(Labels=labels(mark)),
                  "change_manifest": lambda m: (m.update(annotations=labels(mark)), [layer.update(annotations=labels(mark)) for layer in m["layers"]]),
                  "change_index": lambda i: (i.update(annotations=labels(mark)), i["manifests"][0]["annotations"].update(labels(mark)))}
        node.zlayer("pull", HELLO)
        with image(**change) as name:
            _, pulled = executed(node, "pull", name)
            text, ran = executed(node, "run", "--rm", "--name", "box", "--hostname", "box", name, "sh", "-c", SHOW)
            equal(pulled - PROGRAMS, set(), "programs of a pull")
            equal({p for p in ran - PROGRAMS if not p.startswith(INSIDE)}, set(), "programs of a run")
            plain, also = executed(node, "run", "--rm", "--name", "box", "--hostname", "box", HELLO, "sh", "-c", SHOW)
            equal(text, plain, "what the container sees")
            equal(ran, also, "programs with and without labels")
            node.zlayer("run", "-d", "--name", "box", name, "sleep", "1000")
            own = json.dumps(node.inspect("box").get("labels", {}))
            check("binary://" not in own, f"labels of the image have become the container's: {own[:300]}")
            for words in (["ps", "--json"], ["inspect", "box"], ["images", "--json"], ["stats", "--no-stream"], ["logs", "box"], ["events"]):
                node.zlayer(*words)
            node.zlayer("rm", "-f", "box")
        check(not mark.exists(), "a label has been executed")
        node.expect_no_leaks()


if __name__ == "__main__":
    main(labels_of_an_image)
