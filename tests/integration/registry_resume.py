#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Interrupted, concurrent and parallel downloads, from Debian's docker-registry behind a proxy that
counts bytes and can be slow or faulty. Usage: registry_resume.py [BUILD_DIR [NAME...]], or with
$ZLAYER_BUILD. Needs root (a tmpfs, mounts of EROFS images), docker-registry and skopeo. Everything
happens in a temporary directory, a private mount namespace and on loopback."""
import gzip
import hashlib
import http.client
import http.server
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import registry_image as ri  # noqa: E402
from registry_pull import Registry, private_mounts  # noqa: E402

NEEDED = ('docker-registry', 'skopeo')
KINDS = ('directory', 'erofs')
CHUNK = 32 << 10
SEND_BUFFER = 16 << 10


def noise(size, seed):
    return random.Random(seed).randbytes(size)


def make_images():
    """`parts`: layers of several sizes, one of them large enough for parallel requests."""
    def layer(size, seed):
        one = ri.Layer().dir('d%d' % seed)
        for i in range(0, size, 1 << 20):
            one.add('d%d/f%d' % (seed, i >> 20), data=noise(min(1 << 20, size - i), seed + i))
        return one.bytes()
    sizes = (25 << 20, 5 << 20, 3 << 20, 300 << 10, 1 << 10)
    tars = [layer(size, i + 1) for i, size in enumerate(sizes)]
    large = layer(60 << 20, 77)
    return {'parts': ri.Image(tars, ['gzip', 'none', 'gzip', 'gzip', 'gzip']),
            'large': ri.Image([large], ['none'])}


class Blob:
    """What was sent of one blob."""

    def __init__(self):
        self.requests, self.bytes = [], 0


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'

    def log_message(self, *args):
        pass

    def setup(self):
        self.request.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
        super().setup()

    def do_GET(self):
        try:
            self.forward()
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def forward(self):
        proxy = self.server.proxy
        upstream = http.client.HTTPConnection('127.0.0.1', proxy.port, timeout=60)
        headers = {k: v for k, v in self.headers.items() if k.lower() in ('accept', 'range',
                                                                         'if-range')}
        name = self.path.rsplit('/', 1)[1] if '/blobs/' in self.path else None
        blob = proxy.blob(name) if name else None
        if name:
            blob.requests.append(headers.get('Range'))
            if proxy.fault and proxy.fault(self, name, headers):
                return
        upstream.request('GET', self.path, headers=headers)
        reply = upstream.getresponse()
        self.send_response(reply.status)
        for key, value in reply.getheaders():
            if key.lower() not in ('connection', 'date', 'server'):
                self.send_header(key, value)
        self.end_headers()
        while True:
            data = reply.read(CHUNK)
            if not data:
                break
            self.wfile.write(data)
            if name:
                proxy.sent(blob, len(data))
        upstream.close()


class QuietServer(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        pass  # killed clients hang up


class Proxy:
    def __init__(self, port, rate=0):
        self.port, self.rate, self.fault = port, rate, None  # rate: bytes per second, each connection
        self.lock, self.blobs, self.gate = threading.Lock(), {}, threading.Event()
        self.gate.set()
        self.http = QuietServer(('127.0.0.1', 0), Handler)
        self.http.proxy = self
        self.host = '127.0.0.1:%d' % self.http.server_address[1]
        threading.Thread(target=self.http.serve_forever, args=(0.05,), daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.http.shutdown()
        self.http.server_close()

    def blob(self, name):
        with self.lock:
            return self.blobs.setdefault(name, Blob())

    def sent(self, blob, size):
        with self.lock:
            blob.bytes += size
        if self.rate:
            time.sleep(size / self.rate)
        self.gate.wait(30)

    def total(self):
        with self.lock:
            return sum(blob.bytes for blob in self.blobs.values())


class Setting:
    """What a test gets."""

    def __init__(self, base, build, registry, images):
        self.base, self.build, self.registry, self.images = base, build, registry, images
        self.count = 0

    def tool(self):
        self.count += 1
        return ri.Tool(self.build, '%s/root-%d' % (self.base, self.count))

    def start(self, tool, proxy, tag='parts', kind='erofs', *args, **more):
        env = {'ZLAYER_INSECURE_REGISTRIES': proxy.host, 'ZLAYER_LAYERS': kind, **more}
        return tool.start('pull', *args, '%s/resume:%s' % (proxy.host, tag), env=env)

    def pull(self, *args, **more):
        process = self.start(*args, **more)
        _, err = process.communicate(timeout=120)
        return process.returncode, err.decode('utf-8', 'replace')

    def size(self, tag='parts'):
        return sum(layer['size'] for layer in self.images[tag].layers)


def partials(tool):
    path = tool.root + '/partial'
    return sorted(os.listdir(path)) if os.path.isdir(path) else []


def assert_clean(tool, layers):
    published, staging = tool.layers()
    assert len(published) == layers and not staging and not partials(tool), (
        published, staging, partials(tool))


def assert_content(setting, tool, reference, tag):
    """The layers hold what the archives held."""
    code, out, err = tool.run('resolve', reference)
    assert code == 0, err
    found = [line[6:] for line in out.splitlines() if line.startswith('layer ')]
    assert len(found) == len(setting.images[tag].layers)
    for path in found:
        if path.endswith('.erofs'):
            subprocess.run(['fsck.erofs', path], check=True, stdout=subprocess.DEVNULL)


# ---- Killed --------------------------------------------------------------------------------------

def kill(process, proxy):
    """Kills a pull in the middle of what it does; returns the bytes that were sent and that it had
    not read: they are in sockets."""
    process.send_signal(signal.SIGSTOP)
    proxy.gate.clear()
    time.sleep(0.02)  # a sender that is in the middle of a piece ends it
    port, unread = ':%04X' % proxy.http.server_address[1], 0
    with open('/proc/net/tcp') as f:
        for line in f.readlines()[1:]:
            local, remote, _, queues = line.split()[1:5]
            sent, received = (int(n, 16) for n in queues.split(':'))
            unread += sent if local.endswith(port) else received if remote.endswith(port) else 0
    process.send_signal(signal.SIGKILL)
    process.communicate()
    proxy.gate.set()
    return unread


def killed_at(setting, proxy, kind, share):
    """Kills a pull once the proxy has sent that share of all; returns what came twice."""
    tool = setting.tool()
    before, size = proxy.total(), setting.size()
    process = setting.start(tool, proxy, 'parts', kind)
    deadline = time.monotonic() + 60
    while proxy.total() - before < share * size and process.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.001)
    alive = process.poll() is None
    unread = kill(process, proxy) if alive else 0
    code, err = setting.pull(tool, proxy, 'parts', kind)
    assert code == 0, err
    configs = setting.images['parts'].config['size'] * 2
    again = proxy.total() - before - size - configs - unread
    assert_clean(tool, len(setting.images['parts'].layers))
    assert_content(setting, tool, '%s/resume:parts' % proxy.host, 'parts')
    shutil.rmtree(tool.root)
    return alive, again


def test_killed_at_twenty_points(setting):
    for kind in KINDS:
        killed, worst = 0, 0
        with Proxy(setting.registry.port, rate=24 << 20) as proxy:
            for i in range(20):
                alive, again = killed_at(setting, proxy, kind, (i + 0.5) / 20)
                killed, worst = killed + alive, max(worst, again)
                assert again < setting.size() / 100, (kind, i, again)
        assert killed >= 18, killed
        print('     %s: killed %d times, at most %d of %d bytes came again' % (
            kind, killed, worst, setting.size()))


def test_killed_again_and_again(setting):
    """Every pull gets a little further."""
    tool = setting.tool()
    with Proxy(setting.registry.port, rate=24 << 20) as proxy:
        for _ in range(8):
            before = proxy.total()
            process = setting.start(tool, proxy)
            while proxy.total() - before < 3 << 20 and process.poll() is None:
                time.sleep(0.001)
            process.send_signal(signal.SIGKILL)
            process.communicate()
        code, err = setting.pull(tool, proxy)
        assert code == 0, err
        assert proxy.total() < setting.size() * 1.08, (proxy.total(), setting.size())
        assert_clean(tool, 5)


def test_cancelled_is_resumed(setting):
    tool = setting.tool()
    with Proxy(setting.registry.port, rate=24 << 20) as proxy:
        code, err = setting.pull(tool, proxy, 'parts', 'erofs', '--cancel-after', '12')
        assert code == 1 and err.startswith('CANCELLED'), err
        assert partials(tool) and not tool.layers()[1]
        before = proxy.total()
        assert 0 < before < setting.size()
        code, err = setting.pull(tool, proxy)
        assert code == 0, err
        assert proxy.total() < setting.size() * 1.03, (before, proxy.total())
        assert_clean(tool, 5)


# ---- What a partial file may be ------------------------------------------------------------------

def interrupted(setting, tag='large', share=0.5):
    """A store with one partial file."""
    tool = setting.tool()
    with Proxy(setting.registry.port, rate=30 << 20) as proxy:
        process = setting.start(tool, proxy, tag)
        while proxy.total() < share * setting.size(tag):
            assert process.poll() is None
            time.sleep(0.001)
        process.send_signal(signal.SIGKILL)
        process.communicate()
    names = partials(tool)
    assert len(names) == 1, names
    return tool, tool.root + '/partial/' + names[0]


def resume(setting, tool, fault=None):
    """Returns the bytes that it took."""
    with Proxy(setting.registry.port) as proxy:
        proxy.fault = fault
        code, err = setting.pull(tool, proxy, 'large')
        assert code == 0, err
        assert_clean(tool, 1)
        return proxy.total(), proxy


def test_damaged_content(setting):
    tool, path = interrupted(setting)
    with open(path, 'r+b') as f:
        f.seek(3 << 20)
        f.write(b'damage')
    total, _ = resume(setting, tool)
    assert total >= setting.size('large'), total


def test_damaged_head(setting):
    for damage in (b'', b'x', b'ZLPART1\0' + b'\xff' * 100, b'\0' * 5000):
        tool, path = interrupted(setting, share=0.2)
        with open(path, 'r+b') as f:
            f.write(damage)
            f.truncate(max(len(damage), 1) if len(damage) < 1000 else None)
        total, _ = resume(setting, tool)
        assert total >= setting.size('large'), total


def test_shorter_after_power_cut(setting):
    """The counts reached the disk, some of the bytes did not."""
    tool, path = interrupted(setting)
    size = os.path.getsize(path)
    os.truncate(path, 12 << 20)
    os.truncate(path, size)
    total, _ = resume(setting, tool)
    have = (12 << 20) - 4096
    assert setting.size('large') - have - 4096 <= total <= setting.size('large') - have + 4096, total


def test_server_ignores_range(setting):
    def without_range(handler, name, headers):
        headers.pop('Range', None)
    tool, _ = interrupted(setting)
    total, proxy = resume(setting, tool, without_range)
    assert total >= setting.size('large')
    ranged = [r for blob in proxy.blobs.values() for r in blob.requests if r]
    assert len(ranged) == 1, ranged


def test_server_refuses_range(setting):
    for status in (416, 400, 501):
        def refuse(handler, name, headers):
            if 'Range' not in headers:
                return False
            handler.send_response(status)
            handler.send_header('Content-Length', '0')
            handler.end_headers()
            return True
        tool, _ = interrupted(setting)
        total, _ = resume(setting, tool, refuse)
        assert total >= setting.size('large')


def wrong_part(content_range, also_whole=False):
    def fault(handler, name, headers):
        if 'Range' not in headers and not also_whole:
            return False
        handler.send_response(206)
        handler.send_header('Content-Range', content_range)
        handler.send_header('Content-Length', '100')
        handler.end_headers()
        handler.wfile.write(b'x' * 100)
        return True
    return fault


def test_wrong_part_then_whole(setting):
    size = setting.size('large')
    for text in ('bytes 0-99/%d' % size, 'bytes 5-104/%d' % size, 'bytes 0-99/100', 'bytes', '',
                 'bytes */%d' % size, 'items 1-2/3', 'bytes 99999999999999999999-1/2'):
        tool, _ = interrupted(setting, share=0.3)
        total, _ = resume(setting, tool, wrong_part(text))
        assert total >= size, (text, total)


def test_wrong_part_always(setting):
    tool, path = interrupted(setting)
    with Proxy(setting.registry.port) as proxy:
        digest = setting.images['large'].layers[0]['digest']
        fault = wrong_part('bytes 0-99/100', also_whole=True)
        proxy.fault = lambda h, name, headers: name == digest and fault(h, name, headers)
        code, err = setting.pull(tool, proxy, 'large')
        assert code == 1 and err.startswith('REMOTE') and 'not asked for' in err, err
        assert os.path.exists(path) and not tool.layers()[1]
    total, _ = resume(setting, tool)
    assert total < setting.size('large') * 0.7, total


def test_parts_of_another_blob(setting):
    """Right headers, wrong bytes: only the digest tells. Nothing of it is kept."""
    size = setting.size('large')
    digest = setting.images['large'].layers[0]['digest']

    def lie(handler, name, headers):
        if name != digest:
            return False
        first, last = re.match(r'bytes=(\d+)-(\d*)$', headers.get('Range', 'bytes=0-')).groups()
        last = int(last or size - 1)
        handler.send_response(206 if 'Range' in headers else 200)
        handler.send_header('Content-Length', str(last - int(first) + 1))
        if 'Range' in headers:
            handler.send_header('Content-Range', 'bytes %s-%d/%d' % (first, last, size))
        handler.end_headers()
        for at in range(int(first), last + 1, 1 << 20):
            handler.wfile.write(b'\0' * min(1 << 20, last + 1 - at))
        return True
    tool, _ = interrupted(setting)
    with Proxy(setting.registry.port) as proxy:
        proxy.fault = lie
        code, err = setting.pull(tool, proxy, 'large')
        assert code == 1 and err.startswith('CORRUPT'), err
        assert not partials(tool) and not tool.layers()[1], partials(tool)
    total, _ = resume(setting, tool)
    assert total >= size, total


# ---- Parallel ------------------------------------------------------------------------------------

def test_parallel_parts(setting):
    """A slow server is asked by several connections; the peak of them is bounded."""
    lock, now, peak = threading.Lock(), [0], [0]
    tool = setting.tool()
    with Proxy(setting.registry.port, rate=12 << 20) as proxy:
        plain = proxy.sent

        def sent(blob, size):
            with lock:
                now[0] += 1
                peak[0] = max(peak[0], now[0])
            plain(blob, size)
            with lock:
                now[0] -= 1
        proxy.sent = sent
        start = time.monotonic()
        code, err = setting.pull(tool, proxy, 'large')
        seconds = time.monotonic() - start
        assert code == 0, err
        assert_clean(tool, 1)
        digest = setting.images['large'].layers[0]['digest']
        requests = proxy.blobs[digest].requests
        alone = setting.size('large') / (12 << 20)
        assert len(requests) >= 6 and all(r for r in requests), requests
        assert 2 <= peak[0] <= 3, peak
        assert seconds < 0.75 * alone, (seconds, alone)
        assert proxy.blobs[digest].bytes == setting.size('large')
        print('     %.1f s with %d connections, one would need %.1f s' % (seconds, peak[0], alone))


def test_second_connection_refused(setting):
    """A server that bears one connection only is not a failure."""
    lock, busy = threading.Lock(), [0]
    digest = setting.images['large'].layers[0]['digest']
    tool = setting.tool()
    refused = []
    with Proxy(setting.registry.port, rate=20 << 20) as proxy:
        def fault(handler, name, headers):
            if name != digest:
                return False
            with lock:
                busy[0] += 1
                alone = busy[0] == 1
            try:
                if alone:
                    forwarding(handler, headers)
                else:
                    refused.append(1)
                    handler.send_response(503)
                    handler.send_header('Content-Length', '0')
                    handler.end_headers()
            finally:
                with lock:
                    busy[0] -= 1
            return True

        def forwarding(handler, headers):
            proxy.fault = None
            handler.forward_only = True
            upstream = http.client.HTTPConnection('127.0.0.1', setting.registry.port, timeout=60)
            upstream.request('GET', handler.path, headers=headers)
            reply = upstream.getresponse()
            proxy.fault = fault
            handler.send_response(reply.status)
            for key, value in reply.getheaders():
                handler.send_header(key, value)
            handler.end_headers()
            while True:
                data = reply.read(CHUNK)
                if not data:
                    break
                handler.wfile.write(data)
                proxy.sent(proxy.blob(digest), len(data))
            upstream.close()
        proxy.fault = fault
        code, err = setting.pull(tool, proxy, 'large')
        assert code == 0, err
        assert refused
        assert_clean(tool, 1)


# ---- Concurrent ----------------------------------------------------------------------------------

def test_four_processes(setting):
    for kind in KINDS:
        tool = setting.tool()
        with Proxy(setting.registry.port, rate=40 << 20) as proxy:
            running = [setting.start(tool, proxy, 'parts', kind) for _ in range(4)]
            for process in running:
                _, err = process.communicate(timeout=120)
                assert process.returncode == 0, err
            for layer in setting.images['parts'].layers:
                assert proxy.blobs[layer['digest']].bytes == layer['size'], layer
            assert_clean(tool, 5)


def test_the_next_goes_on(setting):
    """Of two pulls the one that downloads is killed: the other continues its download."""
    tool = setting.tool()
    with Proxy(setting.registry.port, rate=24 << 20) as proxy:
        first = setting.start(tool, proxy, 'large')
        while proxy.total() < 1 << 20:
            time.sleep(0.001)
        second = setting.start(tool, proxy, 'large')
        while proxy.total() < 0.5 * setting.size('large'):
            time.sleep(0.001)
        first.send_signal(signal.SIGKILL)
        first.communicate()
        _, err = second.communicate(timeout=120)
        assert second.returncode == 0, err
        assert proxy.total() < setting.size('large') * 1.01 + 10000, proxy.total()
        tool.run('gc')  # the first one's staging
        assert_clean(tool, 1)


# ---- The disk ------------------------------------------------------------------------------------

def mount_small(tool, mib):
    os.makedirs(tool.root)
    subprocess.run(['mount', '-t', 'tmpfs', '-o', 'size=%dm' % mib, 'zl-small', tool.root], check=True)


def test_full_disk(setting):
    """Too little for the layer: an error that says so, and a store as it was."""
    for kind in KINDS:
        tool = setting.tool()
        mount_small(tool, 280)  # the reserve is 256
        try:
            with Proxy(setting.registry.port) as proxy:
                code, err = setting.pull(tool, proxy, 'large', kind)
                assert code == 1 and 'reserve' in err, err
                assert_clean(tool, 0)
                used = os.statvfs(tool.root)
                assert (used.f_blocks - used.f_bfree) * used.f_frsize < 2 << 20
        finally:
            subprocess.run(['umount', tool.root], check=True)


def test_no_room_to_keep(setting):
    """Enough for the layer but not for keeping the download as well: pulled all the same."""
    tool = setting.tool()
    mount_small(tool, 256 + 72)
    try:
        with Proxy(setting.registry.port) as proxy:
            process = setting.start(tool, proxy, 'large', 'directory')
            seen = set()
            while process.poll() is None:
                seen.update(partials(tool))
                time.sleep(0.005)
            _, err = process.communicate()
            assert process.returncode == 0, err
            assert proxy.total() < setting.size('large') + 10000
            assert_clean(tool, 1)
    finally:
        subprocess.run(['umount', tool.root], check=True)


def test_writing_fails_midway(setting):
    """The partial file cannot be written any more: the rest goes past it."""
    tool = setting.tool()
    with Proxy(setting.registry.port) as proxy:
        code, err = setting.pull(tool, proxy, 'large', 'erofs', ZLAYER_LOG='debug',
                                 ZLAYER_FAULTS='image.partial.write=400*off->error(ENOSPC)')
        assert code == 0, err
        assert_clean(tool, 1)
        assert proxy.total() < setting.size('large') * 1.3, proxy.total()


# ---- The collector -------------------------------------------------------------------------------

def test_collected(setting):
    tool, path = interrupted(setting)
    code, out, err = tool.run('usage')
    assert code == 0 and int(out.split()[5]) >= 20 << 20 and out.split()[5] == out.split()[7], out
    code, out, err = tool.run('gc')
    assert code == 0 and int(out.split()[5]) >= 1 and os.path.exists(path), out  # the dead pull's staging
    old = time.time() - 8 * 24 * 3600
    os.utime(path, (old, old))
    code, out, err = tool.run('gc')
    assert code == 0 and 'staging 1' in out and not os.path.exists(path), out
    tool, path = interrupted(setting)
    code, out, err = tool.run('gc', '--partials')
    assert code == 0 and int(out.split()[7]) >= 20 << 20 and not os.path.exists(path), out


def main():
    build = sys.argv[1] if len(sys.argv) > 1 else os.environ.get('ZLAYER_BUILD')
    if build is None:
        sys.exit(__doc__)
    missing = [p for p in NEEDED if shutil.which(p) is None]
    if missing or os.geteuid() != 0:
        print('needs root and %s' % ', '.join(NEEDED))
        sys.exit(77)
    private_mounts()
    cases = {name[5:]: fn for name, fn in globals().items() if name.startswith('test_')}
    failed = []
    with tempfile.TemporaryDirectory(prefix='zl-resume-') as base:
        registry = Registry(base)
        try:
            images = make_images()
            ri.write_layout(base + '/layout', images)
            for tag in images:
                registry.push(base + '/layout', tag, 'resume:' + tag, '--preserve-digests')
            setting = Setting(base, os.path.abspath(build), registry, images)
            for name in sys.argv[2:] or cases:
                try:
                    cases[name](setting)
                    print('ok   ' + name, flush=True)
                except Exception as e:  # every case is to be reported
                    print('FAIL %s: %s: %s' % (name, type(e).__name__, e), flush=True)
                    failed.append(name)
        finally:
            registry.stop()
    if failed:
        sys.exit('%d of %d failed' % (len(failed), len(cases)))


if __name__ == '__main__':
    main()
