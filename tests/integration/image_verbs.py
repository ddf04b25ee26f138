#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Images on their way out and in again: push, save, load, tag, history, rmi, df, prune.

What leaves the node is read by others (skopeo, umoci, podman, Debian's docker-registry) and compared
entry by entry with the image that came in."""
import gzip
import io
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import registry_evil as evil  # noqa: E402
import registry_image as ri  # noqa: E402
import registry_pull as rp  # noqa: E402
from zltest import BUILD, HELLO, Node, Skip, check, main, wait_for  # noqa: E402

KINDS = ("directory", "erofs")
NEEDED = ("docker-registry", "skopeo", "umoci", "podman", "zstd")
HISTORY = [{"created": "2024-01-02T03:04:05Z", "created_by": f"step {i}", "comment": f"c{i}"} for i in range(5)]


def tool(*command, **kwargs):
    done = subprocess.run([str(word) for word in command], capture_output=True, timeout=120, check=False, **kwargs)
    check(done.returncode == 0, f"{command}: {done.stderr[-600:]!r}")
    return done.stdout


def skopeo(source, target, *more):
    tool("skopeo", "copy", "-q", "--insecure-policy", "--src-tls-verify=false", "--dest-tls-verify=false", *more,
         source, target)


class Bench:
    """A scratch directory, the image with everything in it, and what umoci makes of that."""

    def __init__(self):
        missing = [name for name in NEEDED if shutil.which(name) is None]
        if missing:
            raise Skip(f"needs {', '.join(missing)}")
        self.base = pathlib.Path(tempfile.mkdtemp(prefix="zlayer-verbs-"))
        self.registry = None

    def __enter__(self):
        image = ri.Image(tree_layers(), ["gzip"] * 5, config={"Cmd": ["/bin/sh"], "Env": ["A=b"]})
        config = json.loads(image.blobs[image.config["digest"]])
        config["history"] = HISTORY
        del image.blobs[image.config["digest"]]
        image.document["config"] = image.config = image.put(ri.dumps(config), ri.OCI_CONFIG)
        image.document["annotations"] = {"org.example.note": "kept"}
        image.seal()
        self.image, self.layout = image, f"{self.base}/layout"
        ri.write_layout(self.layout, {"tree": image})
        self.source = f"oci:{self.layout}:tree"
        self.tree = rp.umoci_tree(str(self.base), self.layout, "tree")
        return self

    def __exit__(self, *_):
        if self.registry:
            self.registry.stop()
        shutil.rmtree(self.base, ignore_errors=True)

    def serve(self):
        self.registry = rp.Registry(str(self.base))
        os.environ["ZLAYER_INSECURE_REGISTRIES"] = self.registry.host
        return self.registry.host

    def plain(self, layout, name):
        """A layout of the same image with the layers as they are inside."""
        image = blob(layout, first(layout))
        tars = [tool("zstd", "-q", "-d", "-c", path_of(layout, item["digest"])) for item in image["layers"]]
        again = ri.Image(tars, ["none"] * len(tars))
        config = blob(layout, image["config"]["digest"])
        check(config["rootfs"]["diff_ids"] == [ri.digest(tar) for tar in tars], "diff ids are wrong")
        again.document["config"] = again.put(ri.dumps(config), ri.OCI_CONFIG)
        again.seal()
        ri.write_layout(f"{layout}-plain", {name: again})
        return f"{layout}-plain"

    def same(self, name, source):
        """The tree of an image that others can read is the one that came in."""
        layout = f"{self.base}/back-{name}"
        skopeo(source, f"oci:{layout}:{name}")
        if "+zstd" in json.dumps(blob(layout, first(layout))):  # Debian's umoci does not know it
            layout = self.plain(layout, name)
        lines = rp.differences(rp.umoci_tree(f"{self.base}", layout, name), copy_of(self.tree))
        check(not lines, f"{name} differs:\n" + "\n".join(lines[:8]))
        manifest = blob(f"{self.base}/back-{name}", first(f"{self.base}/back-{name}"))
        return manifest, blob(f"{self.base}/back-{name}", manifest["config"]["digest"])


def tree_layers():
    """The layers of the pull tests, and a file that is mostly a hole."""
    layers = ri.tree_layers()
    last = ri.Layer().add("top", data=b"top" * 100000, mode=0o755, mtime=1500000020)
    last.add("hole", data=b"\0" * (3 << 20) + b"end", mtime=1500000021)
    last.add("user-overlay", data=b"x", xattrs={"user.kept": b"yes"})
    return layers[:-1] + [last.bytes()]


def copy_of(tree):
    """rp.differences() changes what it compares."""
    return {path: dict(entry) for path, entry in tree[0].items()}, [list(group) for group in tree[1]]


def path_of(layout, digest):
    return pathlib.Path(layout, "blobs", *digest.split(":"))


def blob(layout, digest):
    return json.loads(path_of(layout, digest).read_text())


def first(layout):
    return json.loads(pathlib.Path(layout, "index.json").read_text())["manifests"][0]["digest"]


class KindNode(Node):
    """A node whose pulls make layers of one kind."""

    def __init__(self, kind):
        self.kind = kind
        super().__init__()
        (self.root / "config.yaml").write_text(f"layers: {kind}\n")

    def kinds(self):
        layers = [p for p in (self.root / "layers").iterdir() if p.is_dir()]
        return {"erofs" if (p / "layer.erofs").exists() else "directory" for p in layers}

    def staging(self):
        return sorted(p.name for p in (self.root / "layers").glob("tmp-*"))


# ---- Push ----------------------------------------------------------------------------------------


def pushed_layers_are_the_same_files():
    digests = set()
    with Bench() as bench:
        host = bench.serve()
        for kind in KINDS:
            with KindNode(kind) as node:
                node.zlayer("pull", "-q", bench.source)
                check(node.kinds() == {kind}, f"{node.kinds()}")
                facts = node.json("push", "--json", bench.source, f"{host}/{kind}:1")
                check(not facts["unchanged"] and facts["uploaded"] == 5, f"{facts}")
                manifest, config = bench.same(kind, f"docker://{host}/{kind}:1")
                check(config["history"] == HISTORY and config["config"]["Env"] == ["A=b"], f"{config}")
                check(manifest["annotations"] == {"org.example.note": "kept"}, f"{manifest}")
                digests.add(facts["digest"])
                again = node.json("push", "--json", bench.source, f"{host}/{kind}:again")
                check(again["existing"] == 5 and again["uploaded"] == 0 and again["digest"] == facts["digest"], f"{again}")
                zstd = node.json("push", "--json", "--compression", "zstd", bench.source, f"{host}/{kind}:zstd")
                manifest, _ = bench.same(f"{kind}-zstd", f"docker://{host}/{kind}:zstd")
                check(zstd["uploaded"] == 5 and {d["mediaType"] for d in manifest["layers"]} == {ri.LAYER + "+zstd"},
                      f"{zstd} {manifest}")
                check(node.staging() == [], f"{node.staging()}")
    check(len(digests) == 1, f"the two kinds of layers gave {digests}")


def nothing_is_sent_that_is_there():
    with Bench() as bench, KindNode("directory") as node:
        host = bench.serve()
        skopeo(f"oci:{bench.layout}:tree", f"docker://{host}/a:1")
        node.zlayer("pull", "-q", f"{host}/a:1")
        facts = node.json("push", "--json", f"{host}/a:1", f"{host}/a:2")
        check(facts["unchanged"] and facts["existing"] == 5 and facts["digest"] == bench.image.digest, f"{facts}")
        # Another repository of the same registry takes the blobs over from where they were pulled.
        facts = node.json("push", "--json", f"{host}/a:1", f"{host}/b/c:1")
        check(facts["unchanged"] and facts["uploaded"] == 0 and facts["digest"] == bench.image.digest, f"{facts}")
        log = pathlib.Path(bench.registry.log.name).read_text()
        check(log.count('"POST /v2/b/c/blobs/uploads/?mount=sha256') == 5, "the blobs were not mounted")
        check(log.count('"PUT /v2/b/c/blobs') == 1, "more than the configuration was sent")
        # Some are there: those stay as they are, the others are written anew.
        victim = bench.image.layers[2]["digest"].split(":")[1]
        storage = pathlib.Path(f"{bench.base}/registry/docker/registry/v2")
        for link in storage.glob(f"repositories/*/_layers/sha256/{victim}"):
            shutil.rmtree(link)
        for link in storage.glob(f"repositories/b/*/_layers/sha256/{victim}"):
            shutil.rmtree(link)
        shutil.rmtree(storage / "blobs" / "sha256" / victim[:2] / victim)
        bench.registry.stop()
        host2 = restart(bench)
        node.zlayer("image", "tag", f"{host}/a:1", f"{host2}/a:1")
        facts = node.json("push", "--json", f"{host2}/a:1", f"{host2}/a:3")
        check(not facts["unchanged"] and (facts["existing"], facts["uploaded"]) == (4, 1), f"{facts}")
        manifest, config = bench.same("mixed", f"docker://{host2}/a:3")
        for i, layer in enumerate(manifest["layers"]):
            check((layer["digest"] == bench.image.layers[i]["digest"]) == (i != 2), f"layer {i}: {layer}")
        check(len(config["rootfs"]["diff_ids"]) == 5, f"{config}")


def restart(bench):
    """The registry forgets what it remembers of blobs."""
    old = bench.registry.log.name
    bench.registry = rp.Registry(str(bench.base))
    check(old == bench.registry.log.name, "another registry")
    os.environ["ZLAYER_INSECURE_REGISTRIES"] = bench.registry.host
    return bench.registry.host


def targets_that_are_none():
    with KindNode("directory") as node:
        node.zlayer("pull", "-q", HELLO)
        for words, text in ((["push", HELLO], "give a target"), (["push", "nobody/nothing:1"], "no image"),
                            (["push", HELLO, "127.0.0.1:1/x@sha256:" + "0" * 64], "give a tag"),
                            (["push", HELLO, "oci:/tmp/x"], "give a target"), (["push", HELLO, "UPPER/x"], "UPPER")):
            done = node.zlayer(*words, ok=1)
            check(text in done.stderr, f"{words}: {done.stderr!r}")
        done = node.zlayer("push", "--compression", "brotli", HELLO, "127.0.0.1:1/x", ok=2)
        check("none of" in done.stderr, done.stderr)


# ---- Save and load -------------------------------------------------------------------------------


def saved_archives_are_read_by_others():
    archives = []
    with Bench() as bench:
        for kind in KINDS:
            with KindNode(kind) as node:
                node.zlayer("pull", "-q", bench.source)
                node.zlayer("image", "tag", bench.source, "example.com/tree:1")
                archive = bench.base / f"{kind}.tar"
                node.zlayer("image", "save", "-o", archive, "example.com/tree:1")
                archives.append(archive.read_bytes())
                piped = subprocess.run(node.command("image", "save", "-q", "example.com/tree:1"), capture_output=True,
                                       check=True).stdout
                check(piped == archives[-1], "a pipe gets other bytes than a file")
                bench.same(f"oci-{kind}", f"oci-archive:{archive}:example.com/tree:1")
                bench.same(f"docker-{kind}", f"docker-archive:{archive}:example.com/tree:1")
                check(sorted(p.name for p in bench.base.glob(".*.tar*")) == [], "a temporary file is left")
        check(archives[0] == archives[1], "the two kinds of layers give different archives")
        with KindNode("erofs") as node:  # and back: what was written anew is the same a second time
            said = node.zlayer("image", "load", "-i", bench.base / "erofs.tar").stdout
            check(said == "example.com/tree:1\n", said)
            again = bench.base / "again.tar"
            node.zlayer("image", "save", "-o", again, "example.com/tree:1")
            check(again.read_bytes() == archives[0], "save, load and save again differ")


def podman(bench, *words, **kwargs):
    return tool("podman", "--root", bench.base / "podman", "--runroot", bench.base / "podman-run", "--storage-driver",
                "vfs", "--cgroup-manager", "cgroupfs", "--events-backend", "none", *words, **kwargs)


def podman_loads_and_saves():
    with Bench() as bench, KindNode("directory") as node:
        node.zlayer("pull", "-q", HELLO, bench.source)
        node.zlayer("image", "tag", HELLO, "example.com/hello:1")
        node.zlayer("image", "tag", bench.source, "example.com/tree:1")
        node.zlayer("image", "save", "-o", bench.base / "two.tar", "example.com/hello:1", "example.com/tree:1")
        podman(bench, "load", "-q", "-i", bench.base / "two.tar")
        names = podman(bench, "images", "--format", "{{.Repository}}:{{.Tag}}").decode().split()
        check(sorted(names) == ["example.com/hello:1", "example.com/tree:1"], f"{names}")
        for form in ("docker-archive", "oci-archive"):
            podman(bench, "save", "-q", "--format", form, "-o", bench.base / f"{form}.tar", "example.com/tree:1")
            with KindNode("erofs") as other:
                said = other.zlayer("image", "load", "-q", "-i", bench.base / f"{form}.tar").stdout
                check(said == "example.com/tree:1\n", f"{form}: {said!r}")
                other.zlayer("image", "save", "-o", bench.base / f"{form}-back.tar", "example.com/tree:1")
                bench.same(form, f"oci-archive:{bench.base}/{form}-back.tar")
        podman(bench, "save", "-q", "--multi-image-archive", "-o", bench.base / "multi.tar", "example.com/hello:1",
               "example.com/tree:1")
        with KindNode("directory") as other:
            said = other.zlayer("image", "load", "-i", bench.base / "multi.tar").stdout
            check(sorted(said.split()) == ["example.com/hello:1", "example.com/tree:1"], said)
            check(len(other.json("images", "--json")) == 2, "images")


def archives_are_read_from_anywhere():
    with Bench() as bench, KindNode("directory") as node:
        plain = bench.base / "plain.tar"
        node.zlayer("pull", "-q", bench.source)
        node.zlayer("image", "tag", bench.source, "example.com/tree:1")
        node.zlayer("image", "save", "-o", plain, "example.com/tree:1")
        data = plain.read_bytes()
        forms = {"plain": data, "gzip": gzip.compress(data), "zstd": tool("zstd", "-q", "-c", plain)}
        for name, content in forms.items():
            (bench.base / name).write_bytes(content)
            for way in ("file", "pipe"):
                with KindNode("directory") as other:
                    if way == "file":
                        said = other.zlayer("image", "load", "-i", bench.base / name).stdout
                    else:
                        said = subprocess.run(other.command("image", "load", "-q"), input=content, capture_output=True,
                                              check=True).stdout.decode()
                    check(said == "example.com/tree:1\n", f"{name} from a {way}: {said!r}")
                    check(other.staging() == [], f"{name}: {other.staging()}")
        with KindNode("directory") as other:  # a layout's name that is a tag alone names nothing
            skopeo(bench.source, f"oci-archive:{bench.base}/tag.tar:1.0")
            said = other.zlayer("image", "load", "-i", bench.base / "tag.tar").stdout.strip()
            check(said == bench.image.digest, said)
            check([i["reference"] for i in other.json("images", "--json")] == [said], "it is not kept by its digest")
            other.zlayer("image", "tag", said[:20], "example.com/named:2")
            check([i["reference"] for i in other.json("images", "--json")] == ["example.com/named:2"], "named")
            other.zlayer("run", "--rm", "--network", "none", "example.com/named:2", "/nothing", ok=127)


# ---- Evil archives -------------------------------------------------------------------------------


def archive(members):
    """[(name, data or None, more)] as a tar."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, data, more in members:
            info = tarfile.TarInfo(name)
            info.size = len(data or b"")
            for key, value in more.items():
                setattr(info, key, value)
            tar.addfile(info, io.BytesIO(data) if data else None)
    return out.getvalue()


def layout_members(image, name="example.com/evil:1", **changes):
    entry = image.descriptor(annotations={"org.opencontainers.image.ref.name": name})
    entry.update(changes)
    members = [("oci-layout", b'{"imageLayoutVersion":"1.0.0"}', {}),
               ("index.json", ri.dumps({"schemaVersion": 2, "manifests": [entry]}), {})]
    blobs = dict(image.blobs)
    blobs[image.digest] = image.manifest
    return members + [("blobs/" + digest.replace(":", "/"), data, {}) for digest, data in blobs.items()]


def docker_members(image, tags, layers=None, config=None):
    names = [d["digest"].split(":")[1] + ".tar" for d in image.layers]
    files = [(name, gzip.decompress(image.blobs[d["digest"]]), {}) for name, d in zip(names, image.layers)]
    entry = {"Config": config or "config.json", "RepoTags": tags, "Layers": layers or names}
    return files + [("config.json", image.blobs[image.config["digest"]], {}), ("manifest.json", ri.dumps([entry]), {})]


def swapped(members, name, data):
    return [(n, data if n == name else d, m) for n, d, m in members]


def evil_archives():
    good = ri.small_image(2, "archive")
    layer = "blobs/" + good.layers[0]["digest"].replace(":", "/")
    oci, docker = layout_members(good), docker_members(good, ["example.com/evil:1"])
    return {
        "empty": (b"", "oci-layout"),
        "text": (b"not an archive at all" * 60, ""),
        "neither": (archive([("x", b"y", {})]), "neither an OCI archive"),
        "no image": (archive([oci[0], ("index.json", b'{"schemaVersion":2,"manifests":[]}', {})]), "no image"),
        "name climbs": (archive(oci + [("../../etc/evil", b"x", {})]), "leaves the archive"),
        "name twice": (archive(oci + [oci[-1]]), "twice"),
        "symlink out": (archive([("index.json", None, dict(type=tarfile.SYMTYPE, linkname="/etc/passwd")), oci[0]] +
                                oci[2:]), ""),
        "symlink loop": (archive([("index.json", None, dict(type=tarfile.SYMTYPE, linkname="index.json")), oci[0]] +
                                 oci[2:]), "links"),
        "link climbs": (archive([("oci-layout", None, dict(type=tarfile.LNKTYPE, linkname="../../../etc/passwd"))]),
                        "leaves the archive"),
        "wrong layer": (archive(swapped(oci, layer, same_length(good.blobs[good.layers[0]["digest"]]))), ""),
        "garbage layer": (archive(swapped(oci, layer, b"x" * len(good.blobs[good.layers[0]["digest"]]))), "gzip"),
        "short layer": (archive(swapped(oci, layer, b"x")), "bytes"),
        "wrong manifest": (archive(swapped(oci, "blobs/" + good.digest.replace(":", "/"),
                                           good.manifest.replace(b"schemaVersion", b"schemaversioN"))), "digest"),
        "missing layer": (archive([m for m in oci if m[0] != layer]), "no file"),
        "huge index": (archive([oci[0], ("index.json", b" " * (5 << 20), {})]), "limit"),
        "huge member": (huge_member(), "cut off"),
        "cut off": (archive(oci)[:len(archive(oci)) // 2 // 512 * 512 + 100], "cut off"),
        "index of itself": (archive(layout_members(good, mediaType=ri.OCI_INDEX)), ""),
        "name is a path": (archive(layout_members(good, name="../../../etc:1")), "no name"),
        "name is a file": (archive(layout_members(good, name="oci:/etc/passwd")), "no name"),
        "docker: name": (archive(docker_members(good, ["../x:1"])), "no name"),
        "docker: layer climbs": (archive(docker_members(good, ["example.com/evil:1"],
                                                        layers=["../../etc/passwd", "x"])), ""),
        "docker: config climbs": (archive(docker_members(good, ["example.com/evil:1"], config="/etc/shadow")), ""),
        "docker: one layer less": (archive(docker_members(good, ["example.com/evil:1"],
                                                          layers=[good.layers[0]["digest"][7:] + ".tar"])), "layers"),
        "docker: other content": (archive(swapped(docker, docker[0][0], b"\0" * 10240)), ""),
        "docker: list is text": (archive([("manifest.json", b'"x"', {})]), "manifest.json"),
        "gzip cut off": (gzip.compress(archive(oci))[:-20], ""),
        "gzip of garbage": (gzip.compress(b"x" * 100000), ""),
        "gzip in gzip": (gzip.compress(gzip.compress(archive(oci))), "decompress it first"),
        "zstd of nothing": (b"\x28\xb5\x2f\xfd", ""),
    }


def same_length(data):
    """Another gzip file of the same length."""
    other = bytearray(gzip.compress(ri.Layer().dir("other").bytes()))
    return bytes(other[:len(data)]).ljust(len(data), b"\0")


def huge_member():
    """A member that claims 7 GiB, the most that the header's field can say, behind a good beginning."""
    info = tarfile.TarInfo("oci-layout")
    info.size = 7 << 30
    return info.tobuf(tarfile.USTAR_FORMAT) + b"\0" * 1024


def evil_archives_change_nothing():
    with KindNode("directory") as node:
        node.zlayer("pull", "-q", HELLO)
        before = node.files()
        for name, (data, text) in evil_archives().items():
            done = subprocess.run(node.command("image", "load", "-q"), input=data, capture_output=True, timeout=60,
                                  check=False)
            said = done.stderr.decode(errors="replace")
            check(done.returncode == 1 and said.startswith("zlayer: loading images: ") and text in said,
                  f"{name}: exit {done.returncode}: {said!r}")
            check(len(node.json("images", "--json")) == 1, f"{name}: an image was stored")
            check(node.staging() == [], f"{name}: {node.staging()}")
        node.zlayer("system", "prune", "-f")
        left = {path for path in node.files() - before if not path.startswith(("events", "locks"))}
        check(not left, f"left behind: {sorted(left)[:10]}")
        good = archive(layout_members(ri.small_image(2, "archive")))
        said = subprocess.run(node.command("image", "load", "-q"), input=good, capture_output=True, check=True).stdout
        check(said == b"example.com/evil:1\n", f"{said}")


def a_bomb_stops_at_the_reserve():
    """1 GiB of zeros in 32 KiB, on a disk of 640 MiB."""
    with tempfile.TemporaryDirectory(prefix="zlayer-bomb-") as base:
        disk = pathlib.Path(base, "disk")
        disk.mkdir()
        tool("mount", "-t", "tmpfs", "-o", "size=640m", "tmpfs", disk)
        try:
            bomb = tool("sh", "-c", "head -c 1G /dev/zero | zstd -q -c")
            command = [str(BUILD / "zlayer"), "--root", str(disk), "image", "load", "-q"]
            done = subprocess.run(command, input=bomb, capture_output=True, timeout=120, check=False)
            check(done.returncode == 1 and b"reserve" in done.stderr, f"{done.returncode} {done.stderr!r}")
            check(not list((disk / "layers").iterdir()), "staging is left")
        finally:
            tool("umount", disk)


# ---- Hostile registries --------------------------------------------------------------------------


class Pushed(evil.Server):
    """A registry that takes pushes, or does what `behave` does instead."""


def take_push(handler, location=None):
    """What an honest registry does with an upload, in the little that a push needs."""
    server, path = handler.server, handler.path.split("?")[0]
    length = int(handler.headers.get("Content-Length") or 0)
    body = handler.rfile.read(length) if handler.command != "HEAD" else b""
    server.got = getattr(server, "got", {})
    if handler.command == "HEAD":
        return handler.reply(200 if path.rsplit("/", 1)[1] in server.got else 404)
    if handler.command == "POST":
        return handler.reply(202, Location=location or "/v2/up/1?state=a%20b")
    if handler.command == "PATCH":
        server.parts = getattr(server, "parts", b"") + body
        return handler.reply(202, Location="/v2/up/1?state=c")
    if handler.command == "PUT" and "/manifests/" in path:
        server.got[path.rsplit("/", 1)[1]] = body
        return handler.reply(201, Docker_Content_Digest=ri.digest(body))
    if handler.command == "PUT":
        whole = getattr(server, "parts", b"") + body
        server.parts = b""
        digest = handler.path.split("digest=")[1].replace("%3A", ":")
        if ri.digest(whole) != digest:
            return handler.reply(400, b'{"errors":[{"code":"DIGEST_INVALID","message":"other content"}]}')
        server.got[digest] = whole
        return handler.reply(201)
    return handler.reply(204)


for verb in ("HEAD", "PUT", "PATCH", "DELETE"):
    setattr(evil.Handler, f"do_{verb}", evil.Handler.do_GET)


def pushes_to(behave, expected, text="", limit=30, env=None, **more):
    """One push of a small image to a server that behaves so; what it saw."""
    with KindNode("directory") as node, evil.Server(behave, **more) as server:
        node.zlayer("pull", "-q", HELLO)
        settings = dict(os.environ, ZLAYER_INSECURE_REGISTRIES=server.host, **(env or {}))
        began = time.monotonic()
        done = node.zlayer("push", "-q", HELLO, f"{server.host}/a/b:1", ok=None, env=settings, timeout=limit)
        check(done.returncode == expected and text in done.stderr, f"exit {done.returncode}: {done.stderr!r}")
        check(time.monotonic() - began < limit, "too slow")
        check(node.staging() == [], f"{node.staging()}")
        return server, done


def on(command, part, action):
    """`action` for requests with this method and text in their path; the rest is honest."""
    return lambda h: action(h) if h.command == command and part in h.path else take_push(h)


def honest_uploads():
    server, done = pushes_to(take_push, 0)
    digest = done.stdout.strip()
    check(digest == ri.digest(server.http.got["1"]), digest)
    manifest = json.loads(server.http.got["1"])
    for item in manifest["layers"] + [manifest["config"]]:
        check(len(server.http.got[item["digest"]]) == item["size"], f"{item}")


def failures_that_pass():
    """What may pass is tried again; Retry-After is honoured."""
    seen = []

    def flaky(handler):
        if handler.command in ("PUT", "POST") and handler.path not in seen:
            seen.append(handler.path)
            handler.rfile.read(int(handler.headers.get("Content-Length") or 0))
            if len(seen) % 2:
                return handler.reply(503, Retry_After="1")
            return handler.reply(500)
        return take_push(handler)
    pushes_to(flaky, 0)
    check(len(seen) >= 4, f"{seen}")


def too_large_goes_in_pieces():
    big = os.urandom(20 << 20)
    layout = tempfile.mkdtemp(prefix="zlayer-big-")
    try:
        ri.write_layout(f"{layout}/l", {"big": ri.Image([ri.Layer().add("big", data=big).bytes()], ["none"])})
        pieces = []

        def narrow(handler):
            length = int(handler.headers.get("Content-Length") or 0)
            if handler.command in ("PUT", "PATCH") and length > 9 << 20:
                handler.close_connection = True
                return handler.reply(413)
            if handler.command == "PATCH":
                pieces.append((handler.headers["Content-Range"], length))
            return take_push(handler)
        with KindNode("directory") as node, evil.Server(narrow) as server:
            node.zlayer("pull", "-q", f"oci:{layout}/l:big")
            settings = dict(os.environ, ZLAYER_INSECURE_REGISTRIES=server.host)
            node.zlayer("push", "-q", f"oci:{layout}/l:big", f"{server.host}/a:1", env=settings)
            check(len(pieces) == 3 and pieces[1][0].startswith(f"{8 << 20}-"), f"{pieces}")
            manifest = json.loads(server.http.got["1"])
            data = gzip.decompress(server.http.got[manifest["layers"][0]["digest"]])
            with tarfile.open(fileobj=io.BytesIO(data)) as tar:
                check(tar.extractfile("big").read() == big, "the pieces are not the file")
    finally:
        shutil.rmtree(layout)


def hostile_registries():
    pushes_to(on("POST", "uploads", lambda h: h.reply(413)), 1, "413")
    pushes_to(on("PUT", "up/1", lambda h: h.rfile.read(int(h.headers["Content-Length"])) and h.reply(400)), 1, "400")
    pushes_to(on("POST", "uploads", lambda h: h.reply(202)), 1, "does not say where")
    pushes_to(on("POST", "uploads", lambda h: h.reply(202, Location="file:///etc/passwd")), 1, "refused")
    pushes_to(on("POST", "uploads", lambda h: h.reply(202, Location="http://user@127.0.0.1/x")), 1, "refused")
    pushes_to(on("POST", "uploads", lambda h: h.reply(202, Location="http://192.0.2.1/x")), 1, "plain HTTP")
    pushes_to(on("POST", "uploads", lambda h: h.reply(307, Location="/v2/")), 1, "refused")
    pushes_to(on("PUT", "manifests", lambda h: h.rfile.read(int(h.headers["Content-Length"])) and h.reply(
        201, Docker_Content_Digest="sha256:" + "0" * 64)), 1, "it is sha256:")
    pushes_to(on("PUT", "manifests", lambda h: h.rfile.read(int(h.headers["Content-Length"])) and h.reply(
        201, b"x" * (2 << 20))), 1, "1048576")
    pushes_to(lambda h: h.reply(401, WWW_Authenticate='Basic realm="x"'), 1, "user name and a password")


def tokens_stay_at_home():
    """Credentials go to the registry and to nobody that it names."""
    with tempfile.TemporaryDirectory() as folder, evil.Server(take_push) as other:
        def behave(handler):
            if handler.path.startswith("/token"):
                scopes = handler.path
                handler.server.scopes = getattr(handler.server, "scopes", []) + [scopes]
                return handler.reply(200, b'{"token":"secret"}')
            if handler.headers.get("Authorization") != "Bearer secret":
                handler.rfile.read(int(handler.headers.get("Content-Length") or 0))
                realm = f"http://{handler.headers['Host']}/token"
                return handler.reply(401, WWW_Authenticate=f'Bearer realm="{realm}",service="s"')
            if handler.command == "POST":
                return take_push(handler, location=f"http://{other.host}/v2/up/1")
            return take_push(handler)
        with KindNode("directory") as node, evil.Server(behave) as server:
            pathlib.Path(folder, "config.json").write_text(json.dumps(
                {"auths": {server.host: {"auth": "dXNlcjpwYXNz"}, other.host: {"auth": "dXNlcjpwYXNz"}}}))
            settings = dict(os.environ, ZLAYER_INSECURE_REGISTRIES=f"{server.host},{other.host}", DOCKER_CONFIG=folder)
            node.zlayer("pull", "-q", HELLO)
            node.zlayer("push", "-q", HELLO, f"{server.host}/a/b:1", env=settings)
            check(len(other.http.got) == 3, f"{other.http.got.keys()}")
            leaks = [h for _, h in other.http.seen if "Authorization" in h]
            check(not leaks, f"the other host was given {leaks}")
            check(all("a%2Fb%3Apull%2Cpush" in s for s in server.http.scopes), f"{server.http.scopes}")
    # A token that never satisfies: an error, not a loop.
    count = []

    def never(handler):
        count.append(handler.path)
        if handler.path.startswith("/token"):
            return handler.reply(200, b'{"token":"worthless"}')
        realm = f"http://{handler.headers['Host']}/token"
        return handler.reply(401, WWW_Authenticate=f'Bearer realm="{realm}",service="s"')
    pushes_to(never, 1, "denies access")
    check(len(count) < 12, f"{len(count)} requests")


# ---- Kills ---------------------------------------------------------------------------------------


def killed_at_any_time():
    with Bench() as bench, KindNode("directory") as node:
        host = bench.serve()
        node.zlayer("pull", "-q", bench.source)
        node.zlayer("image", "tag", bench.source, "example.com/tree:1")
        node.zlayer("image", "save", "-o", bench.base / "good.tar", "example.com/tree:1")
        packed = bench.base / "good.tar.gz"
        packed.write_bytes(gzip.compress((bench.base / "good.tar").read_bytes(), 1))
        before = {path for path in node.files() if path.startswith("layers/")}
        for i in range(24):
            words = (["push", "-q", bench.source, f"{host}/killed:{i}"],
                     ["image", "save", "-q", "-o", bench.base / "out" / "killed.tar", "example.com/tree:1"],
                     ["image", "load", "-q", "-i", packed])[i % 3]
            (bench.base / "out").mkdir(exist_ok=True)
            process = node.start(*words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            time.sleep(0.004 * i)
            process.send_signal(signal.SIGKILL)
            process.wait()
        wait_for(lambda: not node.keepers(), 20, "the end of helpers")
        node.zlayer("rmi", "example.com/tree:1")  # the loaded image's, where a load was faster than its kill
        node.zlayer("system", "prune", "-f")
        left = {path for path in node.files() if path.startswith("layers/")} - before
        check(not left, f"left in the store: {sorted(left)}")
        names = {p.name for p in (bench.base / "out").iterdir()}
        # linkat(2) replaces nothing: killed between its two names a whole archive keeps the first one.
        whole = {name for name in names if name.startswith(".killed.tar.")}
        check(names - whole <= {"killed.tar"} and len(whole) <= 1, f"left beside the archive: {names}")
        node.zlayer("push", "-q", bench.source, f"{host}/killed:end")
        bench.same("killed", f"docker://{host}/killed:end")


# ---- The small verbs -----------------------------------------------------------------------------


def names_history_and_facts():
    with Bench() as bench, KindNode("directory") as node:
        node.zlayer("pull", "-q", bench.source, HELLO)
        node.zlayer("image", "tag", bench.source, "tree", "example.com/tree:2")
        names = [i["reference"] for i in node.json("images", "--json") if i["digest"] == bench.image.digest]
        check(sorted(names) == sorted([bench.source, "docker.io/library/tree:latest", "example.com/tree:2"]), f"{names}")
        node.zlayer("rmi", "tree")
        check(node.json("image", "inspect", "example.com/tree:2")[0]["Digest"] == bench.image.digest, "rmi of one name")
        facts = node.json("image", "inspect", bench.image.digest[:20])[0]
        check(facts["RepoTags"] == ["example.com/tree:2"], f"{facts['RepoTags']}")
        check(facts["RepoDigests"] == [f"example.com/tree@{bench.image.digest}"], f"{facts['RepoDigests']}")
        check(facts["Id"] == bench.image.config["digest"] and facts["Config"]["Cmd"] == ["/bin/sh"], f"{facts}")
        check(len(facts["RootFS"]["Layers"]) == 5 and facts["Size"] > 3 << 20, f"{facts}")
        steps = node.json("image", "history", "--json", "example.com/tree:2")
        check([s["createdBy"] for s in steps] == [f"step {i}" for i in (4, 3, 2, 1, 0)], f"{steps}")
        check(steps[0]["size"] > 3 << 20 and steps[0]["comment"] == "c4", f"{steps[0]}")
        text = node.zlayer("image", "history", "example.com/tree:2").stdout
        check(text.startswith("CREATED ") and "step 3" in text and "years ago" in text or "days ago" in text, text)
        # A name that is taken moves.
        node.zlayer("image", "tag", HELLO, "example.com/tree:2")
        check(node.json("image", "inspect", "example.com/tree:2")[0]["Digest"] != bench.image.digest, "the name stayed")
        for words, word in ((["tag", "nobody:1", "x:1"], "no image"), (["tag", HELLO, "x@sha256:" + "0" * 64], "tag"),
                            (["tag", HELLO, "oci:/x"], "registry"), (["history", "nobody:1"], "no image"),
                            (["save", "-o", "/nonexistent/dir/x", HELLO], "/nonexistent"),
                            (["load", "-i", "/nonexistent"], "/nonexistent"), (["inspect", "nobody:1"], "no image")):
            done = node.zlayer("image", *words, ok=1)
            check(word in done.stderr, f"{words}: {done.stderr!r}")


TESTS = (pushed_layers_are_the_same_files, nothing_is_sent_that_is_there, targets_that_are_none,
         saved_archives_are_read_by_others, podman_loads_and_saves, archives_are_read_from_anywhere,
         evil_archives_change_nothing, a_bomb_stops_at_the_reserve, honest_uploads, failures_that_pass,
         too_large_goes_in_pieces, hostile_registries, tokens_stay_at_home, killed_at_any_time, names_history_and_facts)

if __name__ == "__main__":
    chosen = os.environ.get("ZLTEST_ONLY", "").split()
    main(*(test for test in TESTS if not chosen or test.__name__ in chosen))
