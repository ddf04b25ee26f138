# SPDX-License-Identifier: Apache-2.0
"""A registry on loopback with images of Windows' layout, for tests under Wine."""
import http.server
import pathlib
import re
import sys
import threading
import time

TESTS = pathlib.Path(__file__).resolve().parents[1]
sys.path += [str(TESTS / part) for part in ("integration", "unit/unpack", "unit/winlayer")]
import layers  # noqa: E402
import registry_image as ri  # noqa: E402
import wintar  # noqa: E402

FOREIGN = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"


def base_layer(seed="base", utility=True, size=3000):
    """Files with descriptors and streams, hives, and what a machine boots from."""
    parts = [wintar.FILES, wintar.HIVES,
             wintar.directory("Files/Windows", attr=0x10, sd=wintar.DESCRIPTOR),
             wintar.member("Files/Windows/notepad.exe", (seed * size).encode()[:size], attr=0x21, sd=wintar.DESCRIPTOR),
             wintar.member("Files/Windows/notepad.exe:Zone.Identifier", b"[ZoneTransfer]"),
             wintar.member("Files/gone.txt", b"goes"), wintar.member("Files/linked.txt", b"linked " + seed.encode()),
             wintar.member("Hives/System_Base", b"regf" + seed.encode(), attr=0x20)]
    if utility:
        parts += [wintar.UTILITY] + [wintar.directory("UtilityVM/Files/" + "/".join(("EFI", "Microsoft", "Boot")[:n]))
                                     for n in (1, 2, 3)]
        parts += [wintar.member("UtilityVM/Files/EFI/Microsoft/Boot/" + name, name.encode())
                  for name in ("bootmgfw.efi", "BCD")]
    return layers.tar(*parts)


def diff_layer(seed="diff", data=b"app", hide=("Files/.wh.gone.txt",), links=True):
    parts = [wintar.FILES, wintar.directory("Files/app"),
             wintar.member("Files/app/" + seed + ".exe", data, sd=wintar.DESCRIPTOR)]
    parts += [wintar.member(name) for name in hide]
    if links:
        parts.append(wintar.hardlink("Files/app/again.txt", "Files/linked.txt"))
    return layers.tar(*parts)


def image(tars, how=None, version="10.0.20348.2966", foreign=(), **more):
    made = ri.Image(tars, how or ["gzip"] * len(tars), system="windows", **more)
    for at, urls in foreign:
        made.layers[at].update(mediaType=FOREIGN, urls=urls)
    config = made.blobs.pop(made.config["digest"]).replace(b"10.0.20348.2966", version.encode())
    made.document["config"] = made.config = made.put(config, made.config["mediaType"])
    made.seal()
    return made


def index(images, others=()):
    """An index of (image, os.version) pairs; None: the entry names no version. `others` are entries before them."""
    entries = list(others)
    for one, version in images:
        platform = {"os": "windows", "architecture": "amd64"}
        if version is not None:
            platform["os.version"] = version
        entries.append(one.descriptor(platform=platform))
    return ri.dumps({"schemaVersion": 2, "mediaType": ri.OCI_INDEX, "manifests": entries})


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_GET(self):
        registry = self.server.registry
        name = self.path.rsplit("/", 1)[1]
        if self.path == "/v2/":
            return self.answer(b"{}", "application/json")
        if "/manifests/" in self.path:
            found = registry.manifests.get(name)
            return self.answer(*found) if found else self.send_error(404)
        registry.asked.append((name, self.headers.get("Range")))
        data = registry.blobs.get(name)
        if data is None:
            return self.send_error(404)
        return self.send_blob(registry, name, data)

    do_HEAD = do_GET

    def answer(self, body, kind):
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def send_blob(self, registry, name, data):
        first, end = 0, len(data)
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if asked:
            first = int(asked[1])
            end = min(end, int(asked[2]) + 1) if asked[2] else end
        self.send_response(206 if asked else 200)
        if asked:
            self.send_header("Content-Range", f"bytes {first}-{end - 1}/{len(data)}")
        self.send_header("Content-Length", str(end - first))
        self.end_headers()
        cut = registry.cuts.pop(name, None)
        try:
            self.stream(registry, data[first:end if cut is None else first + cut])
        except OSError:
            self.close_connection = True
        if cut is not None:
            self.close_connection = True

    def stream(self, registry, data):
        for at in range(0, len(data), 65536):
            self.wfile.write(data[at:at + 65536])
            registry.sent += len(data[at:at + 65536])
            if registry.pause:
                self.wfile.flush()
                time.sleep(registry.pause)


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        pass  # killed clients hang up


class Registry:
    def __init__(self):
        self.manifests, self.blobs, self.asked, self.cuts = {}, {}, [], {}
        self.pause, self.sent = 0, 0
        self.http = Server(("127.0.0.1", 0), Handler)
        self.http.registry = self
        self.host = f"127.0.0.1:{self.http.server_port}"
        threading.Thread(target=self.http.serve_forever, daemon=True).start()

    def add(self, tag, one):
        """Under the name of the tag; returns the reference."""
        self.blobs.update(one.blobs)
        for name in (tag, one.digest):
            self.manifests[name] = (one.manifest, one.media_type)
        return f"{self.host}/windows/image:{tag}"

    def add_index(self, tag, text, images):
        for one in images:
            self.add(one.digest, one)
        for name in (tag, ri.digest(text)):
            self.manifests[name] = (text, ri.OCI_INDEX)
        return f"{self.host}/windows/image:{tag}"
