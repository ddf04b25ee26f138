#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The HTTP client by WinHTTP, under Wine, against a server on loopback. usage: test_http.py HTTP_TOOL.EXE"""
import hashlib
import http.server
import pathlib
import socket
import subprocess
import sys
import tempfile
import threading
import time

sys.dont_write_bytecode = True
from cases import WINE, run_cases  # noqa: E402  pylint: disable=wrong-import-position

BIG = bytes(range(256)) * 8192  # 2 MiB
NOTHING = hashlib.sha256(b"").hexdigest()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, status, body=b"", **headers):
        self.send_response(status)
        self.send_header("Content-Length", headers.pop("length", str(len(body))))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def do_GET(self):
        self.server.seen.append((self.command, self.path, self.headers.get("X-Test"), b""))
        if self.path == "/big?x=%2f":
            self.answer(200, BIG)
        elif self.path == "/moved":
            self.answer(307, b"", Location="/elsewhere")
        elif self.path == "/cut":
            self.close_connection = True
            self.answer(200, b"half", length="8")
        elif self.path in ("/slow", "/stall"):
            self.send_response(200)
            self.send_header("Content-Length", "10")
            self.end_headers()
            self.wfile.write(b"x")
            self.wfile.flush()
            time.sleep(6)
        else:
            self.answer(404, b"no such thing")

    do_HEAD = do_GET

    def do_PUT(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.seen.append((self.command, self.path, self.headers.get("Content-Type"), body))
        self.answer(201)

    do_POST = do_PUT


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
server.seen = []
server.daemon_threads = True
threading.Thread(target=server.serve_forever, daemon=True).start()
BASE = f"http://127.0.0.1:{server.server_port}"


def run(*args):
    """Into a file: see test_cli.py."""
    with tempfile.TemporaryFile() as out:
        subprocess.run([*WINE, sys.argv[1], *args], stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.DEVNULL,
                       timeout=60, check=False)
        out.seek(0)
        return out.read().decode().strip()


def a_body_comes_whole():
    assert run("GET", f"{BASE}/big?x=%2f") == f"200 - {len(BIG)} sha256:{hashlib.sha256(BIG).hexdigest()}"
    assert server.seen[-1] == ("GET", "/big?x=%2f", "yes", b"")


def a_head_has_no_body():
    assert run("HEAD", f"{BASE}/big?x=%2f") == f"200 - 0 sha256:{NOTHING}"
    assert server.seen[-1][0] == "HEAD"


def errors_are_answers():
    assert run("GET", f"{BASE}/none").startswith("404 - 13 ")


def redirects_are_not_followed():
    assert run("GET", f"{BASE}/moved").startswith("307 /elsewhere 0 ")
    assert server.seen[-1][1] == "/moved"


def forms_and_files_are_sent():
    assert run("FORM", f"{BASE}/form").startswith("201 ")
    assert server.seen[-1][1:] == ("/form", "application/x-www-form-urlencoded", b"a=1&b=2")
    with tempfile.TemporaryDirectory() as folder:
        file = pathlib.Path(folder) / "file"
        file.write_bytes(BIG)
        assert run("PUT", f"{BASE}/blob", str(file)).startswith("201 ")
    assert server.seen[-1][3] == BIG


def a_cut_body_may_be_tried_again():
    out = run("GET", f"{BASE}/cut")
    assert out.startswith("failed REMOTE 1: 127.0.0.1:"), out


def a_port_that_nobody_has_refuses():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        out = run("GET", f"http://127.0.0.1:{free.getsockname()[1]}/")
    assert out.startswith("failed REMOTE 2: "), out


def a_server_that_stalls_is_left():
    out = run("GET", f"{BASE}/stall")
    assert out.startswith("failed TIMEOUT 1: ") and "stalled" in out, out


def an_exchange_is_cancelled():
    start = time.monotonic()
    out = run("GET", f"{BASE}/slow")
    assert out == "failed CANCELLED 0: cancelled", out
    assert time.monotonic() - start < 5


sys.exit(run_cases([a_body_comes_whole, a_head_has_no_body, errors_are_answers, redirects_are_not_followed,
                    forms_and_files_are_sent, a_cut_body_may_be_tried_again, a_port_that_nobody_has_refuses,
                    a_server_that_stalls_is_left, an_exchange_is_cancelled]))
