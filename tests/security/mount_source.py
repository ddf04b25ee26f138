#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""CVE-2024-1753, CVE-2024-9675 (buildah): the source of a mount that left the directory it was meant to be in. zlayer
builds no images; what has a root of its own are named volumes, by their names and by links that a container leaves there.
CVE-2025-9566 (podman): the second deployment wrote through a link that the first container had left on a volume."""
import pathlib
import tempfile

from nodebox import HELLO, Node, check, equal, image, main, tree

NAMES = ["..", ".", "../x", "../../etc", "a/..", "a/../../x", "x/y", "./x", "", " ", "a b", "a\nb", "-x", ".hidden", "..x", "~", "$HOME", "%2e%2e",
         "é", "x" * 300, "a:b:c:d", "\\..", "a\\b"]


def names_of_volumes():
    with Node() as node:
        node.zlayer("pull", HELLO)
        node.settle()
        for name in NAMES:
            done = node.zlayer("run", "--rm", "-v", f"{name}:/data", HELLO, "true", ok=None)
            check(done.returncode != 0, f"a volume called {name!r} was taken")
            equal(node.leaks(), {}, f"{name!r}")
        node.zlayer("run", "--rm", "-v", "good-1:/data", HELLO, "touch", "/data/file")
        check((node.root / "volumes" / "good-1").is_dir(), "a good name")


def links_within_a_volume():
    """What a container leaves in it: links in place of what the next one mounts below, and of the volume's own files."""
    with tempfile.TemporaryDirectory(prefix="zlayer-test-") as top, Node() as node:
        canary = pathlib.Path(top) / "canary"
        (canary / "sub").mkdir(parents=True)
        (canary / "file").write_text("of the host\n")
        before = tree(canary)
        up = "../" * 14 + str(canary)[1:]
        node.zlayer("run", "--rm", "-v", "data:/data", HELLO, "sh", "-c",
                    f"ln -s {canary} /data/absolute; ln -s {up} /data/up; ln -s /proc/self/root{canary} /data/magic; ln -s {canary}/file /data/file")
        for name in ("absolute", "up", "magic", "file"):
            for words in (["-v", f"inner:/data/{name}/below"], ["--tmpfs", f"/data/{name}/below"], ["-v", f"{canary}/file:/data/{name}/made"],
                          ["-w", f"/data/{name}/cwd"], ["--tmpfs", f"/data/{name}"]):
                node.zlayer("run", "--rm", "-v", "data:/data", *words, HELLO, "sh", "-c", "touch made; true", ok=None)
                equal(tree(canary), before, f"{name} {words}")
        node.zlayer("system", "prune", "-f", "--volumes")
        equal(tree(canary), before, "removing the volumes")


def a_volume_that_is_a_link():
    """In place of the volume itself, by somebody who could write there: it is refused."""
    with tempfile.TemporaryDirectory(prefix="zlayer-test-") as top, Node() as node:
        canary = pathlib.Path(top) / "canary"
        canary.mkdir()
        node.zlayer("run", "--rm", "-v", "data:/data", HELLO, "true")
        (node.root / "volumes" / "data").rmdir()
        (node.root / "volumes" / "data").symlink_to(canary)
        check(node.zlayer("run", "--rm", "-v", "data:/data", HELLO, "touch", "/data/x", ok=None).returncode != 0, "a link was taken for a volume")
        equal(list(canary.iterdir()), [])
        (node.root / "volumes" / "data").unlink()


def volumes_of_an_image():
    """Its maker names paths: where they lead is the container's matter."""
    with tempfile.TemporaryDirectory(prefix="zlayer-test-") as top, Node() as node:
        canary = pathlib.Path(top) / "canary"
        canary.mkdir()
        volumes = {"/../../x": {}, "/link/below": {}, "relative": {}, "/etc/../../y": {}}
        with image({"link": f"link:{canary}"}, lambda c: c["config"].update(Volumes=volumes)) as name:
            node.zlayer("run", "--rm", name, "true", ok=None)
        equal(list(canary.iterdir()), [])
        check(not pathlib.Path("/x").exists() and not pathlib.Path("/y").exists(), "made outside of the root")


if __name__ == "__main__":
    main(names_of_volumes, links_within_a_volume, a_volume_that_is_a_link, volumes_of_an_image)
