# SPDX-License-Identifier: Apache-2.0
"""What the tests of attacks on zlayer itself share: images of their own, made on the example's, and a node with one. The
node and its leak probe are those of tests/integration."""
import contextlib
import gzip
import hashlib
import io
import json
import os
import pathlib
import shutil
import sys
import tarfile
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "integration"))
from zltest import BUILD, CGROUPS, HELLO, IMAGES, Node, Skip, VmNode, check, main, make_bundle, processes, terminal, wait_for  # noqa: E402,F401

INSIDE = os.environ.get("ZLAYER_INSIDE")
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"


def equal(found, expected, what=""):
    check(found == expected, f"{what or 'value'}: {found!r}, expected {expected!r}")


def layer(entries):
    """A tar archive of {path: bytes, (bytes, mode), or "link:target"}."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, what in entries.items():
            info = tarfile.TarInfo(name)
            data, info.mode = what if isinstance(what, tuple) else (what, 0o644)
            if isinstance(data, str) and data.startswith("link:"):
                info.type, info.linkname, data = tarfile.SYMTYPE, data[5:], b""
            data = data.encode() if isinstance(data, str) else data
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


class Layout:
    """An OCI layout in a directory of its own: the example image, and changes on top of it."""

    def __init__(self, folder, entries=None, change_config=None, change_manifest=None, change_index=None, layers=None):
        """`entries` are those of one more layer; `layers` are all of them instead, as tar archives."""
        self.dir = pathlib.Path(folder)
        shutil.copytree(IMAGES / "hello", self.dir)
        index = self.read(self.dir / "index.json")
        manifest = self.blob(index["manifests"][0]["digest"])
        config = self.blob(manifest["config"]["digest"])
        if layers is not None:
            manifest["layers"], config["rootfs"]["diff_ids"], config["history"] = [], [], []
        for tar in layers if layers is not None else [layer(entries)] if entries else []:
            manifest["layers"].append({"mediaType": LAYER, **self.put(gzip.compress(tar, compresslevel=1, mtime=0))})
            config["rootfs"]["diff_ids"].append("sha256:" + hashlib.sha256(tar).hexdigest())
            config["history"].append({"created_by": "test"})
        if change_config:
            change_config(config)
        manifest["config"].update(self.put(json.dumps(config).encode()))
        if change_manifest:
            change_manifest(manifest)
        index["manifests"][0].update(self.put(json.dumps(manifest).encode()))
        if change_index:
            change_index(index)
        (self.dir / "index.json").write_text(json.dumps(index))

    @staticmethod
    def read(path):
        return json.loads(path.read_bytes())

    def blob(self, digest):
        return self.read(self.dir / "blobs" / digest.replace(":", "/"))

    def put(self, data):
        digest = hashlib.sha256(data).hexdigest()
        (self.dir / "blobs" / "sha256" / digest).write_bytes(data)
        return {"digest": f"sha256:{digest}", "size": len(data)}

    @property
    def name(self):
        return f"oci:{self.dir}"


@contextlib.contextmanager
def image(*args, **kwargs):
    """The name of an image that exists as long as that lasts."""
    top = tempfile.mkdtemp(prefix="zlayer-test-")
    try:
        yield Layout(pathlib.Path(top) / "image", *args, **kwargs).name
    finally:
        shutil.rmtree(top)


def tree(top, skip=()):
    """{path: (mode, owner, size, content)} of a directory of the host."""
    found = {}
    for folder, folders, names in os.walk(top):
        folders[:] = [name for name in folders if os.path.join(folder, name) not in skip]
        for name in folders + names:
            path = pathlib.Path(folder, name)
            st = path.lstat()
            content = os.readlink(path) if path.is_symlink() else path.read_bytes() if path.is_file() else b""
            found[str(path)] = (oct(st.st_mode), st.st_uid, st.st_size, hashlib.sha256(content if isinstance(content, bytes) else
                                                                                      content.encode()).hexdigest())
    return found
