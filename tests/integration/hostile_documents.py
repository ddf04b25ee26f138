# SPDX-License-Identifier: Apache-2.0
"""Images whose documents attack: manifests, configurations, indexes, descriptors and the files of a layout. Each says
whether it must be taken or refused, and a part of what is said then."""
import dataclasses
import itertools
import json
import os

import layers as L
import registry_image as ri

LOCAL = ("oci", "oci-archive")
REGISTRY = ("registry",)
ALL = ("oci", "oci-archive", "registry")
OTHER = "sha256:" + "ab" * 32


@dataclasses.dataclass
class Document:
    name: str
    accepted: bool = False
    says: str = ""
    blobs: dict = dataclasses.field(default_factory=dict)
    descriptor: dict = None
    index: bytes = None
    files: dict = dataclasses.field(default_factory=dict)
    transports: tuple = ALL
    change: object = None


COUNTER = itertools.count(100000)


def image(how="none"):
    """With a layer that no other has: a layer that is there already is not fetched."""
    return ri.Image([L.tar(L.entry(b"f", b"%d" % next(COUNTER)))], [how])


def finish(made, name, accepted=False, says="", manifest=None, entry=None, **more):
    """The document of an image; `manifest` are other bytes for its manifest, `entry` changes the index's word on it."""
    data = manifest if manifest is not None else ri.dumps(made.document)
    blobs = {**made.blobs, ri.digest(data): data}
    descriptor = {"mediaType": made.media_type, "size": len(data), "digest": ri.digest(data), **(entry or {})}
    return Document(name, accepted, says, blobs, descriptor, **more)


def with_config(name, change, accepted=False, says="", raw=None, **more):
    made = image()
    body = json.loads(made.blobs[made.config["digest"]])
    change(body)
    made.document["config"] = made.put(raw if raw is not None else ri.dumps(body), ri.OCI_CONFIG)
    return finish(made, name, accepted, says, **more)


def with_manifest(name, change, accepted=False, says="", **more):
    made = image()
    change(made.document)
    return finish(made, name, accepted, says, **more)


def with_layer(name, accepted=False, says="", **fields):
    return with_manifest(name, lambda d: d["layers"][0].update(fields), accepted, says)


# ---- Manifests -----------------------------------------------------------------------------------

def manifests(canary):
    yield with_manifest("ambiguous-manifest", lambda d: d.update(manifests=[]), says="at once")
    made = image()
    text = ri.dumps(made.document)
    yield finish(made, "json-dup-key", manifest=text[:-1] + b',"layers":[]}')
    yield finish(made, "json-dup-key-nested", manifest=text.replace(b'"size":', b'"size":1,"size":', 1))
    yield finish(made, "json-deep", manifest=text[:-1] + b',"x":' + b"[" * 40 + b"]" * 40 + b"}")
    yield finish(made, "json-deep-100k", manifest=b'{"x":' * 100000)
    yield finish(made, "json-trailing", manifest=text + b"{}")
    yield finish(made, "json-not-utf8", manifest=text.replace(b'"layers"', b'"\xff":1,"layers"'))
    yield finish(made, "json-nul", manifest=text.replace(b'"layers"', b'"a\\u0000b":"\\u0000","layers"'))
    yield finish(made, "json-comment", manifest=b"/* */" + text)
    yield finish(made, "json-empty", manifest=b"")
    yield finish(made, "json-list", manifest=b"[" + text + b"]")
    yield finish(made, "manifest-5-mib", manifest=text[:-1] + b',"x":"' + b"x" * (5 << 20) + b'"}')
    yield with_manifest("schema-1", lambda d: d.update(schemaVersion=1), says="schema 1")
    yield with_manifest("schema-3", lambda d: d.update(schemaVersion=3), says="schemaVersion")
    yield with_manifest("schema-text", lambda d: d.update(schemaVersion="2"))
    yield with_manifest("no-layers", lambda d: d.pop("layers"), says="layers")
    yield with_manifest("layers-object", lambda d: d.update(layers={}))
    yield with_manifest("no-config", lambda d: d.pop("config"), says="config")
    yield with_manifest("config-list", lambda d: d.update(config=[]))
    yield with_manifest("artifact", lambda d: d["config"].update(mediaType="application/vnd.example+json"),
                        says="not a container image")
    yield with_manifest("129-layers", lambda d: d.update(layers=d["layers"] * 129), says="128")
    yield with_manifest("4000-layers", lambda d: d.update(layers=d["layers"] * 4000), says="4000")
    yield with_manifest("fs-layers", lambda d: d.update(fsLayers=[]), says="schema 1")


# ---- Descriptors: digests, sizes, media types ----------------------------------------------------

def descriptors(canary):
    for name, digest in {
            "digest-path": "sha256:../../../../../.." + canary + "/file", "digest-dotdot": "sha256:" + "../" * 21 + "x",
            "digest-slash": "../blobs/sha256/" + "0" * 64, "digest-upper": "sha256:" + "AB" * 32, "digest-short": "sha256:ab",
            "digest-long": "sha256:" + "ab" * 33, "digest-unknown": "blake3:" + "ab" * 32, "digest-md5": "md5:" + "ab" * 16,
            "digest-plus": "sha256+x:" + "ab" * 32, "digest-none": "", "digest-newline": "sha256:" + "ab" * 31 + "a\n",
            "digest-nul": "sha256:" + "ab" * 31 + "a\0", "digest-tmp": "tmp-1:" + "ab" * 32}.items():
        yield with_layer(name, digest=digest)
    yield with_layer("digest-absent", digest=OTHER)
    yield with_layer("digest-number", digest=5)
    yield with_manifest("config-digest-path", lambda d: d["config"].update(digest="sha256:" + "../" * 21 + "x"))
    yield with_manifest("config-absent", lambda d: d["config"].update(digest=OTHER))
    made = image()
    made.blobs[made.layers[0]["digest"]] = bytes(len(made.blobs[made.layers[0]["digest"]]))
    yield finish(made, "blob-other-bytes", says="")
    made = image()
    made.blobs[made.config["digest"]] = made.blobs[made.config["digest"]].replace(b"amd64", b"amd46")
    yield finish(made, "config-other-bytes")
    made = image()
    entry = finish(made, "manifest-other-bytes")
    entry.blobs[entry.descriptor["digest"]] = entry.blobs[entry.descriptor["digest"]].replace(b'"size":', b'"Size":', 1)
    entry.transports = LOCAL
    yield entry
    size = image().layers[0]["size"]
    for name, value in {"size-smaller": size - 512, "size-larger": size + 512, "size-zero": 0, "size-negative": -1,
                        "size-int64": 1 << 63, "size-huge": 10**30, "size-exa": 1 << 62, "size-float": float(size), "size-text": str(size),
                        "size-null": None}.items():
        yield with_layer(name, size=value)
    yield with_manifest("config-size", lambda d: d["config"].update(size=d["config"]["size"] + 1))
    yield finish(image(), "manifest-size", entry={"size": 7}, transports=LOCAL)
    for name, kind in {"mt-unknown": "application/octet-stream", "mt-empty": "", "mt-path": "../../../etc/passwd",
                       "mt-xz": ri.LAYER + "+xz", "mt-encrypted": ri.LAYER + "+gzip+encrypted", "mt-schema1": "application/vnd.docker.image.rootfs.diff.tar.xz",
                       "mt-says-gzip-is-tar": ri.LAYER + "+gzip", "mt-says-zstd-is-tar": ri.LAYER + "+zstd"}.items():
        yield with_layer(name, mediaType=kind)
    for name, how, kind in [("mt-says-zstd-is-gzip", "gzip", "+zstd"), ("mt-says-gzip-is-zstd", "zstd", "+gzip"), ("mt-says-tar-is-gzip", "gzip", "")]:
        made = image(how=how)
        made.document["layers"][0]["mediaType"] = ri.LAYER + kind
        yield finish(made, name)
    yield finish(image(), "mt-index-says-index", entry={"mediaType": ri.OCI_INDEX})
    yield with_manifest("mt-manifest-says-index", lambda d: d.update(mediaType=ri.OCI_INDEX))
    yield with_layer("data-lies", True, data="bm90IHRoZSBsYXllcg==")
    yield with_layer("urls-file", True, urls=["file://" + canary + "/file"])
    yield with_layer("urls-many", urls=["https://127.0.0.1:1/x"] * 6)
    yield with_layer("urls-text", urls="https://127.0.0.1:1/x")


# ---- Configurations ------------------------------------------------------------------------------

def configs(canary):
    def ids(value):
        return lambda c: c["rootfs"].update(diff_ids=value)

    yield with_config("diffid-mismatch", ids([OTHER]), says="configuration says")
    yield with_config("diffid-more", lambda c: c["rootfs"]["diff_ids"].append(OTHER), says="lists 1 layers")
    yield with_config("diffid-none", ids([]), says="lists 1 layers")
    yield with_config("diffid-path", ids(["sha256:../../" + "x" * 58]), says="digest")
    yield with_config("diffid-upper", lambda c: c["rootfs"].update(diff_ids=[c["rootfs"]["diff_ids"][0].upper()]))
    yield with_config("diffid-number", ids([1]))
    yield with_config("diffid-thousands", ids([OTHER] * 5000))
    yield with_config("rootfs-none", lambda c: c.pop("rootfs"))
    yield with_config("config-no-os", lambda c: c.pop("os"), says="os")
    yield with_config("config-other-os", lambda c: c.update(os="windows"), says="windows")
    yield with_config("config-other-arch", lambda c: c.update(architecture="s390x"), says="s390x")
    yield with_config("config-os-path", lambda c: c.update(os="../../" + canary))
    yield with_config("config-os-long", lambda c: c.update(os="l" * 5000))
    yield with_config("config-no-json", lambda c: None, raw=b"not JSON")
    yield with_config("config-dup-key", lambda c: None, raw=b'{"os":"linux","os":"linux","architecture":"amd64"}')
    yield with_config("config-5-mib", lambda c: c.update(x="x" * (5 << 20)))
    yield with_config("config-deep", lambda c: None, raw=b'{"config":' * 50 + b"1" + b"}" * 50)
    yield with_config("config-env-text", lambda c: c.update(config={"Env": "A=1"}))
    yield with_config("config-env-nul", lambda c: c.update(config={"Env": ["A=\0"]}))
    yield with_config("config-env-5000", lambda c: c.update(config={"Env": ["A=1"] * 5000}))
    yield with_config("config-label-number", lambda c: c.update(config={"Labels": {"a": 1}}))
    # Not for a pull to judge: run reads them, and tests/security/user_names.py and mount_source.py are about that.
    yield with_config("config-user-2p32", lambda c: c.update(config={"User": "4294967296:0"}), True)
    yield with_config("config-volume-dotdot", lambda c: c.update(config={"Volumes": {"/../.." + canary: {}}}), True)
    yield with_config("config-workdir-dotdot", lambda c: c.update(config={"WorkingDir": "../../.." + canary}), True)
    yield with_config("config-labels-of-tools", lambda c: c.update(config={"Labels": {"io.kubernetes.cri.sandbox": "x", "zlayer.id": "../x"}}), True)


# ---- Indexes -------------------------------------------------------------------------------------

def nested(name, depth, accepted, says=""):
    doc = finish(image(), name, accepted, says)
    for _ in range(depth):
        data = ri.dumps({"schemaVersion": 2, "mediaType": ri.OCI_INDEX, "manifests": [doc.descriptor]})
        doc.blobs[ri.digest(data)] = data
        doc.descriptor = {"mediaType": ri.OCI_INDEX, "size": len(data), "digest": ri.digest(data)}
    return doc


def with_index(name, change, accepted=False, says="", **more):
    doc = finish(image(), name, accepted, says, **more)
    body = {"schemaVersion": 2, "mediaType": ri.OCI_INDEX, "manifests": [doc.descriptor]}
    change(body)
    doc.index = ri.dumps(body)
    return doc


def indexes(canary):
    def entry(**fields):
        return lambda b: b["manifests"][0].update(fields)

    yield nested("index-nested", 1, True)
    yield nested("index-nested-5", 5, False, "nested")
    yield with_index("index-empty", lambda b: b.update(manifests=[]))
    yield with_index("index-1025", lambda b: b.update(manifests=b["manifests"] * 1025), says="1025")
    yield with_index("index-no-manifests", lambda b: b.pop("manifests"))
    yield with_index("index-with-layers", lambda b: b.update(layers=[], config={}), says="at once")
    yield with_index("index-digest-path", entry(digest="sha256:" + "../" * 21 + "x"))
    yield with_index("index-entry-absent", entry(digest=OTHER), transports=LOCAL)
    yield with_index("index-platform-long", entry(platform={"os": "l" * 64, "architecture": "amd64"}))
    yield with_index("index-platform-number", entry(platform={"os": 1, "architecture": "amd64"}))
    yield with_index("index-annotation-path", entry(annotations={"org.opencontainers.image.ref.name": "../../.." + canary}), True)
    yield with_index("index-annotation-escape", entry(annotations={"org.opencontainers.image.ref.name": "a\x1b[31m\nb"}), True)
    yield with_index("index-annotation-number", entry(annotations={"org.opencontainers.image.ref.name": 1}))
    yield with_layer("annotation-title-path", True, annotations={"org.opencontainers.image.title": "../../.." + canary + "/file"})
    yield with_layer("annotation-list", annotations=["a"])

    def tag_poisoning(body):
        body["manifests"] = [{**body["manifests"][0], "annotations": {"org.opencontainers.image.ref.name": "a"}},
                             {**body["manifests"][0], "digest": OTHER, "annotations": {"org.opencontainers.image.ref.name": "a"}}]
    yield with_index("index-two-of-one-name", tag_poisoning, transports=LOCAL)


# ---- Files of a layout ---------------------------------------------------------------------------

def replace(path, make):
    """Replaces a file of the layout by what make(full path) leaves there."""
    def change(top):
        full = os.path.join(top, path)
        os.unlink(full)
        make(full)
    return change


def layouts(canary):
    def on_disk(name, path, make, accepted=False):
        made = image()
        doc = finish(made, name, accepted, transports=("oci",))
        doc.change = replace(path or "blobs/" + made.layers[0]["digest"].replace(":", "/"), make)
        return doc

    def to_canary(full):
        os.symlink(canary + "/file", full)

    for name, path in {"index-is-link": "index.json", "layout-is-link": "oci-layout", "blob-is-link": None}.items():
        yield on_disk(name, path, to_canary)
    for name, path in {"index-is-fifo": "index.json", "blob-is-fifo": None}.items():
        yield on_disk(name, path, os.mkfifo)
    for name, path in {"index-is-dir": "index.json", "blob-is-dir": None}.items():
        yield on_disk(name, path, os.mkdir)
    yield on_disk("blob-is-device", None, lambda full: os.mknod(full, 0o020666, os.makedev(1, 5)))
    yield on_disk("blob-to-zero", None, lambda full: os.symlink("/dev/zero", full))
    yield on_disk("blob-to-proc", None, lambda full: os.symlink("/proc/self/environ", full))

    def link_dir(top):
        os.rename(top + "/blobs", top + "/real")
        os.symlink(canary, top + "/blobs")
    doc = finish(image(), "blobs-is-link", transports=("oci",))
    doc.change = link_dir
    yield doc
    yield finish(image(), "layout-version", files={"oci-layout": b'{"imageLayoutVersion":"9"}'}, transports=LOCAL)
    yield finish(image(), "layout-version-none", files={"oci-layout": b"{}"}, transports=LOCAL)
    yield finish(image(), "layout-huge", files={"oci-layout": b" " * (1 << 20)}, transports=LOCAL)
    yield finish(image(), "index-huge", files={"index.json": b'{"x":"' + b"x" * (5 << 20) + b'"}'}, transports=LOCAL)
    yield finish(image(), "archive-dotdot", says="leaves the archive", files={"../canary/file": b"pwned"}, transports=("oci-archive",))
    yield finish(image(), "archive-abs", True, files={canary + "/file": b"pwned"}, transports=("oci-archive",))
    yield finish(image(), "archive-elsewhere", True, files={canary.lstrip("/") + "/file": b"pwned"}, transports=("oci-archive",))


def documents(canary):
    for group in (manifests, descriptors, configs, indexes, layouts):
        yield from group(canary)


def references(canary):
    """Texts that are the names of no image."""
    digest = "@sha256:" + "ab" * 32
    return ["", " ", "UPPER/case", "a/../b", "../" + canary, "/abs", "a//b", "a/", "/a", "-a/b", "a/-b", "a/.b", "a..b/c/..", "a b", "a\nb", "a:b:c", "a:",
            "a:" + "t" * 129, "a:-x", "a:../x", "a@", "a@sha256:short", "a@sha256:" + "AB" * 32, "a@blake3:" + "ab" * 32, "a" + digest + digest, "a@md5:" + "0" * 32,
            "https://127.0.0.1/a", "127.0.0.1:99999/a", "127.0.0.1:-1/a", "127.0.0.1:1x/a", "[::1/a", "user@host/a", "u:p@127.0.0.1:1/a", "a" * 300 + "/b",
            "127.0.0.1:1/" + "a" * 300, "oci:", "oci-archive:", "docker-archive:", "oci:" + canary, "oci:" + canary + "/file", "oci-archive:" + canary + "/file",
            "docker-archive:" + canary + "/file", "oci-archive:/dev/zero", "oci-archive:" + canary, "oci:/proc/self/root" + canary, "dir:/tmp", "containers-storage:a", "file:///etc/passwd"]
