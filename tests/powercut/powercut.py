#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Power cuts during pulls: a machine in QEMU whose disk loses what was not flushed (disk.py), cut at random instants.

Each round boots the machine on what the last cut left. guest.py compares every layer that counts with what it has to be,
pulls to the end, looks for anything left behind, removes the image and begins another pull; in that one the power fails,
or in the flush after it. Rounds take the two kinds of layers in turn. Prints its seed; the same seed draws the same
instants and the same losses, though the machine is not the same each time.
usage: tests/powercut/powercut.py [--cuts N] [--seed N] [--kinds erofs,directory] [--build DIR]"""
import argparse
import contextlib
import importlib.machinery
import importlib.util
import json
import os
import pathlib
import random
import re
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
SOURCE = HERE.parents[1]
sys.path[:0] = [str(HERE), str(SOURCE / "tests" / "integration")]
sys.dont_write_bytecode = True

import disk  # noqa: E402 pylint: disable=wrong-import-position
import layers  # noqa: E402 pylint: disable=wrong-import-position
import registry_image  # noqa: E402 pylint: disable=wrong-import-position

REGISTRY = "/usr/bin/docker-registry"
VICTIM_MIB = 768
BOOT_SECONDS = 600  # a busy host that emulates


def load_vmtest():
    loader = importlib.machinery.SourceFileLoader("vmtest", str(SOURCE / "tools" / "vmtest"))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(loader.name, loader))
    loader.exec_module(module)
    return module


vmtest = load_vmtest()


def layer_of_files(rng, folder, count, most):
    """Small files as packages have them, with something to compress."""
    layer = registry_image.Layer().dir(folder)
    for i in range(count):
        if i % 50 == 0:
            layer.dir(f"{folder}/{i // 50}")
        layer.add(f"{folder}/{i // 50}/{i}", data=rng.randbytes(rng.randrange(most // 2)) * 2)
    return layer


def make_image(rng):
    """Eleven layers: all that an archive may hold, many files, large files, and links to files of layers below. More
    than are pulled at a time, so that some are complete while others have not begun."""
    layers_ = [layer_of_files(rng, f"many{n}", 500, 6000) for n in range(3)]
    layers_ += [registry_image.Layer().dir(f"large{n}").add(f"large{n}/file", data=rng.randbytes(3 << 20)) for n in range(3)]
    layers_.append(registry_image.Layer())
    for i in range(0, 300, 3):
        layers_[-1].hardlink(f"links/{i}", f"many0/{i // 50}/{i}")
    tars = [*registry_image.tree_layers()[:4], *(layer.bytes() for layer in layers_)]
    return registry_image.Image(tars, ["gzip"] * len(tars))


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for_port(port):
    for _ in range(600):
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.1)
    sys.exit("powercut: docker-registry does not start")


@contextlib.contextmanager
def registry(layout, storage, work):
    """A docker-registry that is given the image `cut`; its files stay. The image's reference."""
    host = f"127.0.0.1:{free_port()}"
    (work / "registry.yml").write_text(f"version: 0.1\nlog: {{level: error}}\nstorage:\n  filesystem: "
                                       f"{{rootdirectory: {storage}}}\nhttp: {{addr: \"{host}\"}}\n")
    with subprocess.Popen([REGISTRY, "serve", work / "registry.yml"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            wait_for_port(int(host.rsplit(":", maxsplit=1)[1]))
            subprocess.run(["skopeo", "copy", "-q", "--insecure-policy", "--dest-tls-verify=false",
                            f"oci:{layout}:cut", f"docker://{host}/cut:latest"], check=True)
            yield f"{host}/cut:latest"
        finally:
            server.terminate()


def facts_of(build, reference, kind, work):
    """What a pull leaves that nobody interrupted."""
    root = work / f"reference-{kind}"
    root.mkdir()
    (root / "config.yaml").write_text(f"layers: {kind}\nregistries: {{ \"{reference.split('/')[0]}\": {{ insecure: true }} }}\n")
    zlayer = [build / "zlayer", "--root", root]
    subprocess.run([*zlayer, "pull", "-q", reference], check=True, stdout=subprocess.DEVNULL)
    for command in (["system", "check", "--repair"], ["system", "check"]):
        subprocess.run(["unshare", "--net", *zlayer, *command], check=True, stdout=subprocess.DEVNULL)
    found = layers.published(root)
    names = layers.names(root)
    shutil.rmtree(root)
    if {kind_ for kind_, _ in found.values()} != {kind}:
        sys.exit(f"powercut: the pull on this host did not make layers of the kind '{kind}'")
    return {"layers": {key: digest for key, (_, digest) in found.items()}, "names": names}


class Machine:
    """What boots again and again: a root file system that forgets, and the disk that loses."""

    def __init__(self, args, work, rng):
        self.args, self.work, self.rng = args, work, rng
        self.kernel = vmtest.mkguest.debian_kernel(args.cache, "vmtest-debian", vmtest.unpack_all_modules)
        self.layout = work / "layout"
        registry_image.write_layout(str(self.layout), {"cut": make_image(rng)})
        self.make_root()
        victim = work / "victim"
        vmtest.mkguest.output("mke2fs", "-q", "-t", "ext4", "-E", "lazy_itable_init=0,lazy_journal_init=0", str(victim), f"{VICTIM_MIB}M")
        self.disk = disk.Disk(victim, work / "nbd")
        victim.unlink()

    def make_root(self):
        tree, build = vmtest.Tree(self.work / "root"), self.args.build.resolve()
        vmtest.fill(tree, self.kernel, build, ["tests/powercut/guest.py"], False)
        tree.add(REGISTRY)
        (tree.top / "registry").mkdir()
        (tree.top / "victim").mkdir()
        with registry(self.layout, tree.top / "registry", self.work) as reference:
            facts = {kind: facts_of(build, reference, kind, self.work) for kind in ("erofs", "directory")}
        facts["zlayer"] = str(build / "zlayer")
        (tree.top / "powercut.json").write_text(json.dumps(facts))
        vmtest.make_disk(tree.top, self.work / "disk", 1024)
        shutil.rmtree(tree.top)
        vmtest.make_initrd(vmtest.mkguest.module_order(vmtest.mkguest.module_files(self.kernel / "modules")), self.work / "initrd")

    def command(self, last, following):
        self.args.append = f"powercut.last={last} powercut.next={following}"
        command = [word.replace("cache=unsafe,", "cache=unsafe,snapshot=on,") for word in vmtest.machine(self.kernel, self.work, self.args)]
        return [*command, "-drive", f"if=none,id=victim,format=raw,cache=writeback,file=nbd:unix:{self.work}/nbd",
                "-device", "virtio-blk-device,drive=victim,serial=victim"]

    def round(self, last, following):
        """Boots, until the cut; what the guest found and how the cut went."""
        child = subprocess.Popen(self.command(last, following), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                 stderr=subprocess.STDOUT)
        seen, begun, deadline = [], None, time.monotonic() + BOOT_SECONDS
        in_flush = self.rng.random() < 0.5
        try:
            for line in lines_of(child, lambda: deadline):
                seen.append(line)
                said = re.search(r"powercut: (\w+) ?(.*)", line)
                if said and said[1] == "failed":
                    raise AssertionError(said[2])
                if said and said[1] == "began":
                    begun = float(said[2])
                    deadline = time.monotonic() + (2 * begun if in_flush else self.rng.uniform(0, 1.1 * begun))
                if said and said[1] == "pulled" and in_flush:
                    deadline = time.monotonic() + self.rng.uniform(0, 1.5)
        finally:
            child.kill()
            child.wait()
        if begun is None:
            raise AssertionError("the machine did not come that far:\n" + "\n".join(seen[-25:]))
        well = [line.split("powercut: well ")[1] for line in seen if "powercut: well " in line]
        said = {word for word in ("pulled", "flushed") if any(f"powercut: {word}" in line for line in seen)}
        where = "after the flush" if "flushed" in said else "within the flush" if said else "within the pull"
        how, cached, lost = self.disk.cut(self.rng)
        return f"{well[0]}; cut {where}, {how}: {lost} of {cached} writes"


def lines_of(child, deadline):
    """Lines of the machine, until it ends or the deadline passes."""
    rest = b""
    while time.monotonic() < deadline():
        if not select.select([child.stdout], [], [], 0.05)[0]:
            continue
        read = os.read(child.stdout.fileno(), 65536)
        if not read:
            return
        *whole, rest = (rest + read).split(b"\n")
        yield from (line.decode(errors="replace").rstrip("\r") for line in whole)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("--cuts", type=int, default=30)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    parser.add_argument("--kinds", default="erofs,directory")
    parser.add_argument("--build", type=pathlib.Path, default=SOURCE / "build", help="default build")
    parser.add_argument("--cache", type=pathlib.Path, default="/var/cache/zlayer", help="default /var/cache/zlayer")
    parser.add_argument("--memory", type=int, default=1024, help="MiB (default 1024)")
    parser.add_argument("--cpus", type=int, default=min(2, os.cpu_count() or 1), help="processors (default 2)")
    return parser.parse_args()


def main():
    args = arguments()
    kinds = args.kinds.split(",")
    rng = random.Random(args.seed)
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    print(f"powercut: seed {args.seed}", flush=True)
    with tempfile.TemporaryDirectory(prefix="zlayer-powercut-", dir="/var/tmp") as folder:
        machine = Machine(args, pathlib.Path(folder), rng)
        for cut in range(args.cuts + 1):  # the last boot looks at what the last cut left
            last, following = kinds[(cut - 1) % len(kinds)], kinds[cut % len(kinds)]
            try:
                print(f"powercut: boot {cut}: {last}: {machine.round(last, following)} ({following})", flush=True)
            except AssertionError as error:
                print(f"powercut: boot {cut}: FAILED: after a cut in a pull of {last} layers: {error}", flush=True)
                return 1
    print(f"powercut: {args.cuts} cuts, {machine.disk.flushes} flushes, nothing was lost that counted")
    return 0


if __name__ == "__main__":
    sys.exit(main())
