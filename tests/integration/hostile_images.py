#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Whole hostile images, pulled by the program itself: those around every layer of tests/unit/unpack/hostile.py, and
images whose documents attack. Each is pulled with layers as directories and as EROFS images, from an image layout, an
archive of one, or a registry in turn. After each, everything outside the store must be as it was, the store must hold
nothing half-made, and a good image must still come. docs/image-attacks.md says which attack is which.
usage: hostile_images.py [NAME...]: only those"""
import contextlib
import dataclasses
import hashlib
import http.server
import io
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tarfile
import tempfile
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "unit" / "unpack"))
import hostile
import layers as L
import test_hostile
from hostile_documents import Document, documents, references
from zltest import BUILD, check, isolate
import registry_image as ri

SECONDS = 60  # of one pull, on a busy machine
ROOM = "900m"  # of the store: bombs meet its end
SINKS = ("directory", "erofs")
TRANSPORTS = ("oci", "oci-archive", "registry")
MEDIA = {"none": ri.LAYER, "gzip": ri.LAYER + "+gzip", "zstd": ri.LAYER + "+zstd"}


# ---- Images --------------------------------------------------------------------------------------

@dataclasses.dataclass
class Pull:
    """One image, and what must come of it: accepted True, False, or None when the machine decides."""
    name: str
    files: dict  # of the layout: path below it: bytes
    accepted: bool
    says: str = ""
    transports: tuple = TRANSPORTS
    change: object = None  # what is done to the layout's directory besides
    by_index: bool = False  # a registry offers the index, not its only image
    ids: tuple = ()  # diff ids: what a store has already, it does not fetch


def layout(blobs, index):
    files = {f"blobs/{name.replace(':', '/')}": data for name, data in blobs.items()}
    return {"oci-layout": b'{"imageLayoutVersion":"1.0.0"}', "index.json": index, **files}


def diff_id(case):
    """As an author would write it; of bytes that are no stream, some digest."""
    if case.code == hostile.OK:
        return ri.digest(test_hostile.decoded(case))
    return ri.digest(case.blob)


def of_layer(case):
    image = ri.Image([], [])
    body = {"architecture": "amd64", "os": "linux", "config": {}, "rootfs": {"type": "layers", "diff_ids": []}}
    below = [hostile.Case("below", case.lower, hostile.OK)] if case.lower else []
    for part in [*below, case]:
        image.document["layers"].append(image.put(part.blob, MEDIA[part.compression]))
        body["rootfs"]["diff_ids"].append(diff_id(part))
    image.document["config"] = image.put(ri.dumps(body), ri.OCI_CONFIG)
    image.seal()
    image.blobs[image.digest] = image.manifest
    index = ri.dumps({"schemaVersion": 2, "mediaType": ri.OCI_INDEX, "manifests": [image.descriptor()]})
    # The limits of those cases are smaller than the product's.
    usual = case.max_bytes >= 1 << 30 and case.max_entries == 200000
    accepted = case.code == hostile.OK if usual and case.code != hostile.EITHER else None
    return Pull(case.name, layout(image.blobs, index), accepted, case.says if accepted is False else "",
                ids=tuple(body["rootfs"]["diff_ids"]))


def of_document(doc: Document):
    index = doc.index if doc.index is not None else ri.dumps({
        "schemaVersion": 2, "mediaType": ri.OCI_INDEX, "manifests": [doc.descriptor]})
    files = {**layout(doc.blobs, index), **doc.files}
    return Pull(doc.name, files, doc.accepted, doc.says, doc.transports, doc.change, by_index=doc.index is not None)


def pulls(canary):
    for case in hostile.all_cases(canary):
        yield of_layer(case)
    for doc in documents(canary):
        yield of_document(doc)


# ---- Where they come from ------------------------------------------------------------------------

class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def do_GET(self):
        files, name = self.server.files, self.path.rsplit("/", 1)[1]
        key = "blobs/" + name.replace(":", "/")
        by_tag = "/manifests/" in self.path and ":" not in name
        body = self.server.top if by_tag else files.get(key)
        with contextlib.suppress(ConnectionError):
            self.send_response(200 if body is not None else 404)
            self.send_header("Content-Length", str(len(body or b"")))
            self.send_header("Content-Type", self.server.type if by_tag else "application/json")
            self.end_headers()
            self.wfile.write(body or b"")


class QuietServer(http.server.ThreadingHTTPServer):
    def handle_error(self, request, client_address):
        pass  # the client hangs up on what it does not want


class Registry:
    """A registry with one image at a time, whatever name it is asked for."""

    def __init__(self):
        self.http = QuietServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        self.host = f"127.0.0.1:{self.http.server_address[1]}"
        threading.Thread(target=self.http.serve_forever, args=(0.05,), daemon=True).start()

    def offer(self, pull):
        """The tag names the only entry of the index, or the index itself."""
        self.http.files, self.http.top, self.http.type = pull.files, pull.files["index.json"], ri.OCI_INDEX
        if not pull.by_index:
            (entry,) = json.loads(pull.files["index.json"])["manifests"]
            self.http.top = pull.files["blobs/" + entry["digest"].replace(":", "/")]
            self.http.type = entry["mediaType"]
        return f"{self.host}/evil/image:tag"


def write_directory(top, pull):
    for name, data in pull.files.items():
        path = os.path.join(top, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as f:
            f.write(data)
    if pull.change:
        pull.change(top)


def write_archive(path, pull):
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as tar:
        for name, data in pull.files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))


# ---- The check -----------------------------------------------------------------------------------

def mounts():
    """Some of the host's may go meanwhile: removing a mount point takes its mounts from all namespaces."""
    return set(pathlib.Path("/proc/self/mountinfo").read_text().splitlines())


class Place:
    """A directory with a canary, and beside it the store of one sink."""

    def __init__(self, top, sink, registry):
        self.top, self.sink, self.registry = top, sink, registry
        self.canary, self.root = os.path.join(top, "canary"), os.path.join(top, "root")
        self.images = os.path.join(top, "images")
        os.makedirs(self.images)
        test_hostile.make_canary(self.canary)
        self.number, self.ids = 0, set()
        self.good()
        self.before = test_hostile.snapshot(self.canary)
        self.beside = sorted(os.listdir(top))
        self.mounts = mounts()

    def run(self, *args):
        env = {"PATH": os.environ["PATH"], "HOME": self.images, "REGISTRY_AUTH_FILE": "/dev/null",
               "ZLAYER_LAYERS": self.sink, "ZLAYER_INSECURE_REGISTRIES": self.registry.host}
        return subprocess.run([str(BUILD / "zlayer"), "--root", self.root, *args], env=env, timeout=SECONDS, check=False,
                              stdin=subprocess.DEVNULL, capture_output=True)

    def pull(self, reference):
        done = self.run("pull", "-q", reference)
        text = done.stderr.decode(errors="replace")
        check(done.returncode >= 0 and "Sanitizer" not in text and "internal error" not in text, f"{done.returncode}: {text}")
        return done.returncode == 0, text

    def layers(self):
        return set(os.listdir(os.path.join(self.root, "layers"))) if os.path.isdir(os.path.join(self.root, "layers")) else set()

    def complete(self):
        """Published layers, after a look that there is nothing else, and that none is half a layer."""
        names = {name for name in self.layers() if not name.startswith("lock-")}
        check(not any(name.startswith("tmp-") for name in names), f"staging is left: {names}")
        for name in names:
            inside = os.listdir(os.path.join(self.root, "layers", name))
            check(("layer.erofs" if self.sink == "erofs" else "fs") in inside, f"layer {name} has {inside}")
        return names

    def reference(self, pull, transport):
        where = os.path.join(self.images, str(self.number))
        if transport == "registry":
            return self.registry.offer(pull)
        if transport == "oci":
            write_directory(where, pull)
        else:
            write_archive(where, pull)
        return f"{transport}:{where}"

    def untouched(self):
        check(test_hostile.snapshot(self.canary) == self.before, "THE CANARY WAS TOUCHED")
        check(sorted(os.listdir(self.top)) == self.beside, f"beside the store: {os.listdir(self.top)}")
        check(not os.path.lexists("/zl-pwned") and not os.path.lexists("/etc/zl-pwned"), "ESCAPED")
        check(not mounts() - self.mounts, f"a mount was left: {mounts() - self.mounts}")
        check(not test_hostile.children(), "a process was left")

    def good(self):
        """An image that nobody has pulled yet comes, with its layer."""
        self.number += 1
        tar = L.tar(L.directory(b"./"), L.entry(b"number", b"%d" % self.number))
        image = ri.Image([tar], ["gzip"])
        image.blobs[image.digest] = image.manifest
        index = ri.dumps({"schemaVersion": 2, "manifests": [image.descriptor()]})
        before = self.complete()
        ok, text = self.pull(self.reference(Pull("good", layout(image.blobs, index), True), "oci"))
        check(ok, f"a good image does not come: {text}")
        check(len(self.complete() - before) == 1, "a good image has no layer")

    def attack(self, pull, transport):
        self.number += 1
        if self.ids.intersection(pull.ids):
            self.tidy()
        self.ids.update(pull.ids)
        before = self.complete()
        began = time.monotonic()
        ok, text = self.pull(self.reference(pull, transport))
        took = time.monotonic() - began
        check(pull.accepted in (None, ok), f"accepted: {ok}, expected {pull.accepted}: {text}")
        check(ok or (text.strip() and pull.says in text), f"it says {text!r}, not {pull.says!r}")
        self.untouched()
        new = self.complete() - before
        allowed = sum(name.startswith("blobs/") for name in pull.files)
        check(len(new) <= (allowed - 2 if ok else max(allowed - 3, 0)), f"{len(new)} layers of a {'good' if ok else 'bad'} image")
        if not ok:
            self.good()
        return took

    def tidy(self):
        """The layers of what was accepted, so that the store stays small."""
        done = self.run("system", "prune", "-f", "-a")
        check(done.returncode == 0, f"system prune: {done.stderr}")
        self.untouched()
        check(not self.complete(), f"layers of no image: {self.complete()}")
        self.ids.clear()
        shutil.rmtree(self.images)
        os.mkdir(self.images)


def private_tmpfs(path):
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={ROOM},nr_inodes=800000,mode=0755", "tmpfs", path], check=True)


def run_sink(top, sink, registry, images, wanted):
    failed, ran, slowest = 0, 0, (0.0, "")
    private_tmpfs(top)
    place = Place(top, sink, registry)
    for number, pull in enumerate(images):
        if wanted and pull.name not in wanted:
            continue
        transport = pull.transports[(number + SINKS.index(sink)) % len(pull.transports)]
        ran += 1
        try:
            slowest = max(slowest, (place.attack(pull, transport), pull.name))
        except (AssertionError, subprocess.TimeoutExpired) as why:
            failed += 1
            print(f"# {sink}, {transport}, {pull.name}: {why}", flush=True)
            if not os.path.isdir(place.canary) or test_hostile.snapshot(place.canary) != place.before:
                break
        if ran % 20 == 0:
            place.tidy()
    place.tidy()
    ran, failed = run_references(place, ran, failed) if not wanted else (ran, failed)
    subprocess.run(["umount", top], check=True)
    print(f"# {sink}: {ran} hostile images, slowest {slowest[1]} {slowest[0]:.1f} s", flush=True)
    return ran, failed


def run_references(place, ran, failed):
    """Names that are no names: nothing is asked for them."""
    for text in references(place.canary):
        ran += 1
        before, asked = place.layers(), hashlib.sha256(text.encode()).hexdigest()[:8]
        ok, said = place.pull(text)
        try:
            check(not ok and said.strip(), f"reference {text!r} ({asked}) was taken: {said}")
            check(place.layers() == before, f"reference {text!r} made something")
            place.untouched()
        except AssertionError as why:
            failed += 1
            print(f"# {place.sink}: {why}", flush=True)
    return ran, failed


def main():
    isolate()
    wanted = sys.argv[1:]
    top = tempfile.mkdtemp(prefix="zlayer-test-")
    registry, totals = Registry(), [0, 0]
    images = list(pulls(os.path.join(top, "canary")))
    check(len({pull.name for pull in images}) == len(images), "two images have one name")
    print(f"1..{len(SINKS)}", flush=True)
    try:
        for number, sink in enumerate(SINKS, 1):
            ran, failed = run_sink(top, sink, registry, images, wanted)
            totals = [totals[0] + ran, totals[1] + failed]
            good = failed == 0 and (wanted or ran >= 250)
            print(f"{'ok' if good else 'not ok'} {number} - {ran} images with layers as {sink}, {failed} failed", flush=True)
    finally:
        subprocess.run(["umount", "-l", top], check=False, stderr=subprocess.DEVNULL)
        shutil.rmtree(top, ignore_errors=True)
    return 1 if totals[1] or not totals[0] else 0


if __name__ == "__main__":
    sys.exit(main())
