#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Pulls from a registry that misbehaves. Usage: registry_evil.py [BUILD_DIR [NAME...]]; without
arguments the build directory is $ZLAYER_BUILD.
Each case gets its own server on loopback and its own store. Each failure has to be the expected one
within its time and a bounded amount of memory, nothing may be staged afterwards, downloads are kept
only where they can be continued, and a good pull into the same store must work."""
import base64
import http.server
import json
import os
import re
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import registry_image as ri  # noqa: E402

NAME = 'evil/image'
GOOD = ri.small_image(3, 'good')
BIG_TAR = ri.Layer().add('big', data=os.urandom(3 << 20)).bytes()
BIG = ri.Image([BIG_TAR], ['none'])


PEAK_KIB = (32 << 10) + 3 * (4 << 10)  # the most that a pull of three layers may use
NETWORK = ('REMOTE', 'TIMEOUT', 'AUTH', 'CANCELLED')  # after these a download can be continued


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'

    def log_message(self, *args):
        pass

    def do_GET(self):
        self.server.seen.append((self.path, dict(self.headers.items())))
        try:
            if not self.server.behave(self):
                self.serve(self.server.images)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    do_POST = do_GET

    def reply(self, status, body=b'', **headers):
        self.send_response(status)
        headers.setdefault('Content_Length', str(len(body)))
        for key, value in headers.items():
            if value is not None:
                self.send_header(key.replace('_', '-'), value)
        self.end_headers()
        self.wfile.write(body)
        return True

    def serve(self, images):
        """What an honest registry does."""
        name = self.path.rsplit('/', 1)[1].split('?')[0]
        for tag, image in images.items():
            if '/manifests/' in self.path and name in (tag, image.digest):
                return self.reply(200, image.manifest, Content_Type=image.media_type)
            if '/blobs/' in self.path and name in image.blobs:
                return self.send_blob(image.blobs[name])
        return self.reply(404, b'{"errors":[{"code":"MANIFEST_UNKNOWN","message":"not here"}]}')

    def send_blob(self, blob):
        ranged = self.headers.get('Range')
        if not ranged:
            return self.reply(200, blob, ETag='"e"')
        first = int(ranged.split('=')[1].rstrip('-'))
        return self.reply(206, blob[first:], ETag='"e"', Content_Range='bytes %d-%d/%d' % (
            first, len(blob) - 1, len(blob)))

    def cut(self):
        """Ends the connection in the middle of whatever was announced."""
        self.wfile.flush()
        self.connection.shutdown(socket.SHUT_RDWR)
        self.close_connection = True
        return True


class QuietServer(http.server.ThreadingHTTPServer):
    def handle_error(self, request, client_address):
        pass  # the client hangs up in half of the cases


class Server:
    def __init__(self, behave, images=None, host='127.0.0.1', tls=None, client_ca=None):
        self.http = QuietServer((host, 0), Handler)
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(tls)
            if client_ca:
                context.verify_mode = ssl.CERT_REQUIRED
                context.load_verify_locations(client_ca)
            self.http.socket = context.wrap_socket(self.http.socket, server_side=True,
                                                   do_handshake_on_connect=False)
        self.http.daemon_threads = True
        self.http.behave, self.http.seen = behave, []
        self.http.images = images or {'good': GOOD, 'big': BIG}
        self.host = '%s:%d' % (host, self.http.server_address[1])
        self.thread = threading.Thread(target=self.http.serve_forever, args=(0.05,), daemon=True)
        self.thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.http.shutdown()
        self.http.server_close()

    def seen(self, part):
        return [headers for path, headers in self.http.seen if part in path]


def honest(_):
    return False


class Case:
    """What a test gets: a store of its own."""

    def __init__(self, build, base, name):
        self.build, self.base, self.name = build, base, name
        self.tool = ri.Tool(build, os.path.join(base, name))

    def fresh(self):
        """The same with a new store."""
        Case.stores += 1
        return Case(self.build, self.base, '%s-%d' % (self.name, Case.stores))

    stores = 0
    failures = 0  # of all cases: each was checked by fails()

    def partials(self):
        path = os.path.join(self.tool.root, 'partial')
        return os.listdir(path) if os.path.isdir(path) else []

    def pull(self, server, tag='good', *args, env=None, insecure=None, timeout=30):
        hosts = insecure if insecure is not None else server.host
        all_env = dict({'ZLAYER_INSECURE_REGISTRIES': hosts, 'ZLAYER_PEAK': '1'}, **(env or {}))
        start = time.monotonic()
        code, out, err = self.tool.run('pull', '--impatient', '--always', *args,
                                       '%s/%s:%s' % (server.host, NAME, tag), env=all_env,
                                       timeout=timeout)
        seconds = time.monotonic() - start
        peak = int(re.search(r'^VmHWM:\s+(\d+) kB$', err, re.M).group(1))
        assert peak < PEAK_KIB or 'ASAN_OPTIONS' in os.environ, '%d KiB of memory' % peak
        return code, re.sub(r'^VmHWM:.*\n', '', err, flags=re.M), seconds

    def fails(self, server, expected, text, tag='good', limit=12, **more):
        """Fails as expected and in time, leaves nothing, and does not spoil the next pull."""
        code, err, seconds = self.pull(server, tag, **more)
        assert code == 1 and err.startswith(expected + ': '), (code, err)
        assert text in err, err
        assert 'Sanitizer' not in err, err
        assert seconds < limit, seconds
        assert not self.tool.layers()[1], self.tool.layers()
        assert expected in NETWORK or not self.partials(), self.partials()
        with Server(honest) as good:
            again, err, _ = self.pull(good, tag if tag in good.http.images else 'good')
            assert again == 0, err
        assert not self.tool.layers()[1] and not self.partials(), self.partials()
        Case.failures += 1
        return seconds


def of_blob(action):
    """The first layer of GOOD goes wrong in this way."""
    victim = GOOD.layers[0]['digest']
    return lambda h: action(h, GOOD.blobs[victim]) if h.path.endswith(victim) else False


# ---- Content -------------------------------------------------------------------------------------

def test_wrong_blob(case):
    def behave(h, blob):
        return h.reply(200, GOOD.blobs[GOOD.layers[1]['digest']][:len(blob)].ljust(len(blob)))
    with Server(of_blob(behave)) as s:
        case.fails(s, 'CORRUPT', 'layer ' + GOOD.layers[0]['digest'])


def test_wrong_manifest(case):
    with Server(lambda h: h.path.endswith(GOOD.digest) and h.reply(
            200, BIG.manifest, Content_Type=BIG.media_type)) as s:
        code, out, err = case.tool.run('pull', '--impatient', '%s/%s@%s' % (
            s.host, NAME, GOOD.digest), env={'ZLAYER_INSECURE_REGISTRIES': s.host})
        assert code == 1 and err.startswith('CORRUPT') and GOOD.digest in err, err


def test_wrong_config(case):
    config = GOOD.config['digest']
    with Server(lambda h: h.path.endswith(config) and h.reply(
            200, b'{}'.ljust(len(GOOD.blobs[config])))) as s:
        case.fails(s, 'CORRUPT', config)


def test_longer_than_announced_by_manifest(case):
    with Server(of_blob(lambda h, blob: h.reply(200, blob + b'more'))) as s:
        case.fails(s, 'CORRUPT', 'size')


def test_shorter_than_announced_by_manifest(case):
    with Server(of_blob(lambda h, blob: h.reply(200, blob[:-1]))) as s:
        case.fails(s, 'CORRUPT', 'size')


def chunked(h, pieces):
    h.send_response(200)
    h.send_header('Transfer-Encoding', 'chunked')
    h.send_header('Content-Type', ri.OCI_MANIFEST)
    h.end_headers()
    for piece in pieces:
        h.wfile.write(b'%x\r\n%s\r\n' % (len(piece), piece))
    h.wfile.write(b'0\r\n\r\n')
    return True


def endless(h):
    def pieces():
        while True:
            yield b' ' * 65536
    return chunked(h, pieces())


def test_endless_blob(case):
    with Server(of_blob(lambda h, blob: endless(h))) as s:
        case.fails(s, 'CORRUPT', 'sends more')


def test_endless_manifest(case):
    with Server(lambda h: '/manifests/' in h.path and endless(h)) as s:
        case.fails(s, 'LIMIT', 'more than')


def test_huge_manifest_announced(case):
    with Server(lambda h: '/manifests/' in h.path and h.reply(
            200, b'{', Content_Length='99999999999', Content_Type=ri.OCI_MANIFEST)) as s:
        case.fails(s, 'LIMIT', '99999999999')


def test_endless_error_page(case):
    def behave(h):
        if '/manifests/' not in h.path:
            return False
        h.send_response(404)
        h.end_headers()
        h.close_connection = True
        while True:
            h.wfile.write(b'x' * 65536)
    with Server(behave) as s:
        case.fails(s, 'NOT_FOUND', '404')


def test_endless_headers(case):
    def behave(h):
        h.wfile.write(b'HTTP/1.1 200 OK\r\n')
        for i in range(100000):
            h.wfile.write(b'X-%d: %s\r\n' % (i, b'y' * 100))
        return h.cut()
    with Server(behave) as s:
        case.fails(s, 'LIMIT', 'headers')


def test_compressed_transfer(case):
    with Server(lambda h: '/manifests/' in h.path and h.reply(
            200, b'\x1f\x8b', Content_Encoding='gzip', Content_Type=ri.OCI_MANIFEST)) as s:
        case.fails(s, 'REMOTE', "encoded with 'gzip'")


def test_types_disagree(case):
    with Server(lambda h: '/manifests/' in h.path and h.reply(
            200, GOOD.manifest, Content_Type=ri.OCI_INDEX)) as s:
        case.fails(s, 'CORRUPT', 'was delivered as')


def test_schema1(case):
    with Server(lambda h: '/manifests/' in h.path and h.reply(
            200, b'{"schemaVersion":1,"fsLayers":[]}',
            Content_Type='application/vnd.docker.distribution.manifest.v1+prettyjws')) as s:
        case.fails(s, 'UNSUPPORTED', 'schema 1')


def test_diff_id_mismatch(case):
    image = ri.small_image(2, 'diff')
    body = json.loads(image.blobs[image.config['digest']])
    body['rootfs']['diff_ids'].reverse()
    image.document['config'] = image.put(ri.dumps(body), ri.OCI_CONFIG)
    image.seal()
    with Server(honest, {'good': image}) as s:
        case.fails(s, 'CORRUPT', "configuration says")


def test_diff_id_count(case):
    image = ri.small_image(2, 'count')
    image.document['layers'] = image.layers[:1]
    image.seal()
    with Server(honest, {'good': image}) as s:
        case.fails(s, 'CORRUPT', 'lists 1 layers')


def test_too_many_layers(case):
    image = ri.small_image(1, 'many')
    image.document['layers'] = image.layers * 4000
    image.seal()
    with Server(honest, {'good': image}) as s:
        seconds = case.fails(s, 'LIMIT', '4000')
        assert seconds < 3 and not s.seen('/blobs/'), seconds


def test_nested_indexes(case):
    inner = GOOD.descriptor(platform={'os': 'linux', 'architecture': 'amd64'})
    images = {}
    for depth in range(4):
        index = ri.small_image(1)
        index.media_type = ri.OCI_INDEX
        index.document = {'schemaVersion': 2, 'mediaType': ri.OCI_INDEX, 'manifests': [inner]}
        index.seal()
        images['depth%d' % depth] = index
        inner = index.descriptor(platform={'os': 'linux', 'architecture': 'amd64'})
    images['good'] = GOOD
    with Server(honest, images) as s:
        assert case.pull(s, 'depth0')[0] == 0 and case.pull(s, 'depth1')[0] == 0
        case.fails(s, 'LIMIT', 'nested', tag='depth3')


def windows_index():
    image = ri.small_image(1)
    platform = {'os': 'windows', 'architecture': 'amd64', 'os.version': '10.0.20348.2966'}
    image.document = {'schemaVersion': 2, 'mediaType': ri.OCI_INDEX,
                      'manifests': [GOOD.descriptor(platform=platform)]}
    image.media_type = ri.OCI_INDEX
    image.seal()
    return image


def test_windows_only(case):
    images = {'index': windows_index(), 'single': ri.small_image(1, system='windows')}
    with Server(honest, images) as s:
        for tag in images:
            case.fails(s, 'WRONG_PLATFORM',
                       'is for windows/amd64 10.0.20348.2966, this node is linux/amd64', tag=tag)


# ---- Connections ---------------------------------------------------------------------------------

def test_truncated_and_resumed(case):
    seen = []

    def behave(h):
        if not h.path.endswith(BIG.layers[0]['digest']):
            return False
        seen.append(h.headers.get('Range'))
        first = int((seen[-1] or 'bytes=0-').split('=')[1].rstrip('-'))
        rest = BIG_TAR[first:]
        if len(seen) > 5:
            return h.send_blob(BIG_TAR)
        h.send_response(206 if first else 200)
        h.send_header('Content-Length', str(len(rest)))
        h.send_header('ETag', '"e"')
        if first:
            h.send_header('Content-Range', 'bytes %d-%d/%d' % (first, len(BIG_TAR) - 1, len(BIG_TAR)))
        h.end_headers()
        h.wfile.write(rest[:400000])
        return h.cut()
    with Server(behave) as s:
        code, err, _ = case.pull(s, 'big')
        assert code == 0, err
        assert len(seen) == 6 and all(seen[1:]), seen
        assert s.seen(BIG.layers[0]['digest'])[1].get('If-Range') == '"e"'


def test_resume_without_ranges(case):
    """A server that ignores Range sends all of it again: what was unpacked is skipped."""
    count = []

    def behave(h):
        if not h.path.endswith(BIG.layers[0]['digest']):
            return False
        count.append(1)
        if len(count) > 2:
            return h.reply(200, BIG_TAR)
        h.send_response(200)
        h.send_header('Content-Length', str(len(BIG_TAR)))
        h.end_headers()
        h.wfile.write(BIG_TAR[:1000000 * len(count)])
        return h.cut()
    with Server(behave) as s:
        code, err, _ = case.pull(s, 'big')
        assert code == 0 and len(count) == 3, err


def test_wrong_range(case):
    count = []

    def behave(h):
        if not h.path.endswith(BIG.layers[0]['digest']):
            return False
        count.append(1)
        if len(count) > 1:
            return h.reply(206, BIG_TAR[5:], Content_Range='bytes 5-%d/%d' % (
                len(BIG_TAR) - 1, len(BIG_TAR)))
        h.send_response(200)
        h.send_header('Content-Length', str(len(BIG_TAR)))
        h.end_headers()
        h.wfile.write(BIG_TAR[:1000000])
        return h.cut()
    with Server(behave) as s:
        case.fails(s, 'REMOTE', 'not asked for', tag='big')


def test_always_truncated(case):
    def behave(h, blob):
        h.send_response(200)
        h.send_header('Content-Length', str(len(blob)))
        h.end_headers()
        return h.cut()
    with Server(of_blob(behave)) as s:
        seconds = case.fails(s, 'REMOTE', '127.0.0.1')
        assert seconds < 10, seconds


def test_chunked_end_too_early(case):
    with Server(of_blob(lambda h, blob: chunked(h, [blob[:10]]) if not h.headers.get('Range')
                        else h.reply(500))) as s:
        case.fails(s, 'REMOTE', '')


def stall(h, blob):
    h.send_response(200)
    h.send_header('Content-Length', str(len(blob)))
    h.end_headers()
    h.wfile.write(blob[:10])
    h.wfile.flush()
    time.sleep(5)
    return h.cut()


def test_stall(case):
    with Server(of_blob(stall)) as s:
        seconds = case.fails(s, 'TIMEOUT', 'stalled')
        assert seconds < 8, seconds


def test_silence(case):
    with Server(lambda h: time.sleep(5) or h.cut()) as s:
        case.fails(s, 'TIMEOUT', 'stalled')


def test_429(case):
    times = []

    def behave(h):
        times.append(time.monotonic())
        return len(times) == 1 and h.reply(429, Retry_After='1')
    with Server(behave) as s:
        code, err, _ = case.pull(s)
        assert code == 0 and times[1] - times[0] >= 0.95, (err, times)


def test_429_for_ever(case):
    with Server(lambda h: h.reply(429, Retry_After='3600')) as s:
        seconds = case.fails(s, 'REMOTE', 'asks to wait 3600 s')
        assert seconds < 3, seconds


def test_503_passes(case):
    count = []

    def behave(h):
        count.append(1)
        return len(count) in (1, 4) and h.reply(503)
    with Server(behave) as s:
        code, err, _ = case.pull(s)
        assert code == 0, err


def test_nobody_listens(case):
    with Server(honest) as s:
        pass
    seconds = case.fails(s, 'REMOTE', '127.0.0.1')
    assert seconds < 5, seconds


def test_failure_stops_the_others(case):
    slow = GOOD.layers[2]['digest']

    def behave(h):
        if h.path.endswith(GOOD.layers[0]['digest']):
            return h.reply(404)
        if h.path.endswith(slow):
            for _ in range(100):
                h.wfile.write(b'')
                time.sleep(0.05)
            return h.cut()
        return False
    with Server(behave) as s:
        start = time.monotonic()
        code, out, err = case.tool.run('pull', '%s/%s:good' % (s.host, NAME),
                                       env={'ZLAYER_INSECURE_REGISTRIES': s.host})
        assert code == 1 and err.startswith('NOT_FOUND'), err
        assert time.monotonic() - start < 3
        assert not case.tool.layers()[1]


def test_cancel(case):
    with Server(of_blob(stall)) as s:
        start = time.monotonic()
        code, out, err = case.tool.run('pull', '--cancel-after', '2', '%s/%s:good' % (s.host, NAME),
                                       env={'ZLAYER_INSECURE_REGISTRIES': s.host})
        assert code == 1 and err.startswith('CANCELLED'), err
        assert time.monotonic() - start < 3 and not case.tool.layers()[1]


def test_killed_pull_leaves_only_staging(case):
    with Server(of_blob(stall)) as s:
        process = case.tool.start('pull', '%s/%s:good' % (s.host, NAME),
                                  env={'ZLAYER_INSECURE_REGISTRIES': s.host})
        deadline = time.monotonic() + 10
        while not case.tool.layers()[1] or not s.seen('/blobs/'):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        assert case.tool.run('gc')[1].find('staging 0') > 0, 'a live pull lost its staging'
        process.kill()
        process.communicate()
    deadline = time.monotonic() + 5  # the sandboxed child ends when it notices
    while case.tool.layers()[1] and time.monotonic() < deadline:
        assert case.tool.run('gc')[0] == 0
    assert not os.listdir(case.tool.root + '/layers'), os.listdir(case.tool.root + '/layers')


def test_pulls_removals_and_collections_race(case):
    """What a pull reports as stored is whole, whoever collects meanwhile."""
    stop = threading.Event()
    failures = []

    def disturb(*args):
        while not stop.is_set():
            code, _, err = case.tool.run(*args)
            if code and not err.startswith('NOT_FOUND'):
                failures.append(err)

    with Server(honest) as s:
        env = {'ZLAYER_INSECURE_REGISTRIES': s.host}
        name = '%s/%s' % (s.host, NAME)
        others = [threading.Thread(target=disturb, args=a) for a in (
            ('gc',), ('gc', '--images'), ('remove', '--force', name + ':other'))]
        case.tool.run('gc')
        s.http.images['other'] = ri.small_image(4, 'good')  # shares the first three layers
        for thread in others:
            thread.start()
        for i in range(25):
            for tag in ('other', 'good'):
                code, _, err = case.tool.run('pull', '--always', '%s:%s' % (name, tag), env=env)
                if code:
                    failures.append(err)
        stop.set()
        for thread in others:
            thread.join()
        assert not failures, failures[:3]
        code, _, err = case.tool.run('pull', name + ':good', env=env)
        assert code == 0, err
        code, out, err = case.tool.run('resolve', name + ':good')
        assert code == 0 and out.count('layer ') == 3, err
        assert not case.tool.layers()[1], case.tool.layers()


# ---- Redirects -----------------------------------------------------------------------------------

def test_redirect_loop(case):
    with Server(lambda h: h.reply(307, Location=h.path)) as s:
        case.fails(s, 'REMOTE', 'more than 10 redirects')
        assert len(s.http.seen) == 11


def bearer(server_of, then=None):
    """Wants a token; `then` says what happens to requests that have it."""
    def behave(h):
        if h.path.startswith('/token'):
            return h.reply(200, json.dumps({'token': 'secret-token', 'expires_in': 300}).encode())
        if h.headers.get('Authorization') != 'Bearer secret-token':
            return h.reply(401, WWW_Authenticate='Bearer realm="http://%s/token",service="s",scope='
                           '"repository:other/thing:pull,push"' % server_of[0].host)
        return then(h) if then else False
    return behave


def test_no_token_across_hosts(case):
    with Server(honest, host='127.0.0.2') as cdn:
        me = []
        with Server(bearer(me, lambda h: '/blobs/' in h.path and h.reply(
                307, Location='http://%s%s' % (cdn.host, h.path)))) as s:
            me.append(s)
            code, err, _ = case.pull(s, insecure='%s,%s' % (s.host, cdn.host))
            assert code == 0, err
            assert len(cdn.http.seen) == 4
            assert not any('Authorization' in headers for _, headers in cdn.http.seen)
            query = [path for path, _ in s.http.seen if path.startswith('/token')]
            assert query and 'repository%3Aevil%2Fimage%3Apull' in query[0], query
            assert 'other' not in query[0]


def test_redirect_to_file(case):
    for place in ('file:///etc/passwd', 'ftp://127.0.0.1/x', 'gopher://x/', 'http://a b/',
                  'http://user:pw@127.0.0.1/', '//', 'http://', 'HTTP:/x', 'http://127.0.0.1:99999/',
                  'data:text/plain,x'):
        with Server(lambda h: h.reply(302, Location=place)) as s:
            case.fails(s, 'REMOTE', 'refused')


def test_redirect_without_location(case):
    with Server(lambda h: h.reply(301)) as s:
        case.fails(s, 'REMOTE', 'redirects to nowhere')


# ---- Authentication ------------------------------------------------------------------------------

def test_401_loop(case):
    me = []

    def behave(h):
        if h.path.startswith('/token'):
            return h.reply(200, b'{"token":"never-enough"}')
        return h.reply(401, WWW_Authenticate='Bearer realm="http://%s/token"' % me[0].host)
    with Server(behave) as s:
        me.append(s)
        case.fails(s, 'AUTH', 'denies access')
        assert len(s.http.seen) <= 6, len(s.http.seen)


def test_401_basic_loop(case):
    with Server(lambda h: h.reply(401, WWW_Authenticate='Basic realm="x"')) as s:
        case.fails(s, 'AUTH', 'user name and a password')
        code, err, _ = case.pull(s, 'good', '--user', 'me:wrong')
        assert code == 1 and err.startswith('AUTH') and "user 'me'" in err, err


def test_401_without_challenge(case):
    with Server(lambda h: h.reply(401)) as s:
        case.fails(s, 'AUTH', 'without saying')


def test_malformed_challenges(case):
    for value in ('Bearer', 'Bearer realm=', 'Digest realm="x"', '"', ',,,', 'Bearer realm="http://',
                  'Bearer realm="file:///etc/passwd"', 'Bearer ' + 'a=b,' * 5000,
                  'Bearer realm="x" realm="y"'):
        with Server(lambda h: h.reply(401, WWW_Authenticate=value)) as s:
            code, err, _ = case.pull(s)
            assert code == 1 and err.split(':')[0] in ('AUTH', 'REMOTE', 'INVALID'), (value, err)


def test_basic(case):
    want = 'Basic ' + base64.b64encode(b'me:p:w').decode()
    with Server(lambda h: h.headers.get('Authorization') != want and h.reply(
            401, WWW_Authenticate='Basic realm="x"')) as s:
        code, err, _ = case.pull(s, 'good', '--user', 'me:p:w')
        assert code == 0, err


def login(case, host, **entry):
    path = case.tool.root + '-config.json'
    with open(path, 'w') as f:
        json.dump({'auths': {host: entry}}, f)
    return {'REGISTRY_AUTH_FILE': path}


def test_stored_credentials(case):
    want = 'Basic ' + base64.b64encode(b'u:p').decode()
    me = []

    def behave(h):
        if h.path.startswith('/token'):
            return h.headers.get('Authorization') == want and h.reply(
                200, b'{"access_token":"t"}') or h.reply(403)
        return h.headers.get('Authorization') != 'Bearer t' and h.reply(
            401, WWW_Authenticate='Basic realm="x", Bearer realm="http://%s/token"' % me[0].host)
    with Server(behave) as s:
        me.append(s)
        auth = base64.b64encode(b'u:p').decode()
        code, err, _ = case.pull(s, env=login(case, s.host, auth=auth))
        assert code == 0, err
        code, err, _ = case.pull(s, env=login(case, 'elsewhere:1', auth=auth))
        assert code == 1 and err.startswith('AUTH'), err


def test_identity_token(case):
    me, bodies = [], []

    def behave(h):
        if h.path.startswith('/token'):
            bodies.append(h.rfile.read(int(h.headers['Content-Length'])).decode())
            return h.reply(200, b'{"access_token":"t"}')
        return h.headers.get('Authorization') != 'Bearer t' and h.reply(
            401, WWW_Authenticate='Bearer realm="http://%s/token",service="s v"' % me[0].host)
    with Server(behave) as s:
        me.append(s)
        code, err, _ = case.pull(s, env=login(case, s.host, identitytoken='id&tok'))
        assert code == 0, err
        assert 'refresh_token=id%26tok' in bodies[0] and 'service=s%20v' in bodies[0], bodies


def helper(case, script):
    directory = case.tool.root + '-bin'
    os.makedirs(directory, exist_ok=True)
    path = directory + '/docker-credential-test'
    with open(path, 'w') as f:
        f.write('#!/bin/sh\n' + script)
    os.chmod(path, 0o755)
    config = case.tool.root + '-config.json'
    with open(config, 'w') as f:
        json.dump({'credsStore': 'test'}, f)
    return {'REGISTRY_AUTH_FILE': config, 'PATH': directory + ':' + os.environ['PATH']}


def test_credential_helper(case):
    want = 'Basic ' + base64.b64encode(b'hu:hp').decode()
    with Server(lambda h: h.headers.get('Authorization') != want and h.reply(
            401, WWW_Authenticate='Basic realm="x"')) as s:
        env = helper(case, 'read h; [ "$1 $h" = "get %s" ] && echo \'{"ServerURL":"x","Username":'
                     '"hu","Secret":"hp"}\'' % s.host)
        code, err, _ = case.pull(s, env=env)
        assert code == 0, err
        for script in ('echo "credentials not found in native keychain"; exit 1', 'exit 3',
                       'echo "{"', 'yes', 'kill -9 $$'):
            code, err, _ = case.pull(s, env=helper(case, script))
            assert code == 1 and 'AUTH' in err, (script, err)


def test_missing_helper_is_anonymous(case):
    me = []

    def behave(h):
        if h.path.startswith('/token'):
            return h.reply(200, b'{"token":"t"}')
        return h.headers.get('Authorization') != 'Bearer t' and h.reply(
            401, WWW_Authenticate='Bearer realm="http://%s/token"' % me[0].host)
    with Server(behave) as s:
        me.append(s)
        config = case.tool.root + '-config.json'
        with open(config, 'w') as f:
            json.dump({'credsStore': 'does-not-exist'}, f)
        code, err, _ = case.pull(s, env={'REGISTRY_AUTH_FILE': config})
        assert code == 0 and 'not in $PATH' in err, err


def test_token_with_line_break(case):
    me = []

    def behave(h):
        if h.path.startswith('/token'):
            return h.reply(200, b'{"token":"t\\r\\nX-Evil: 1"}')
        return h.reply(401, WWW_Authenticate='Bearer realm="http://%s/token"' % me[0].host)
    with Server(behave) as s:
        me.append(s)
        case.fails(s, 'REMOTE', 'characters')


def test_endless_token(case):
    me = []

    def behave(h):
        if h.path.startswith('/token'):
            return endless(h)
        return h.reply(401, WWW_Authenticate='Bearer realm="http://%s/token"' % me[0].host)
    with Server(behave) as s:
        me.append(s)
        case.fails(s, 'LIMIT', '')


# ---- TLS -----------------------------------------------------------------------------------------

def certificate(case, name, address):
    """A self-signed certificate with its key in one file."""
    path = '%s-%s.pem' % (case.tool.root, name)
    subprocess.run(['openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256',
                    '-nodes', '-days', '2', '-subj', '/CN=test', '-addext',
                    'subjectAltName=IP:' + address, '-keyout', path + '.key', '-out', path],
                   check=True, stderr=subprocess.DEVNULL)
    with open(path + '.both', 'w') as out:
        for part in (path, path + '.key'):
            with open(part) as f:
                out.write(f.read())
    return path


def test_tls_is_verified(case):
    cert = certificate(case, 'cert', '127.0.0.1')
    with Server(honest, tls=cert + '.both') as s:
        code, err, _ = case.pull(s, insecure='')
        assert code == 1 and err.startswith('REMOTE') and 'certificate' in err, err
        assert not s.http.seen
        configure(case, 'registries:\n  "%s": {ca_file: %s}\n' % (s.host, cert))
        code, err, _ = case.pull(s, insecure='')
        assert code == 0, err
    with Server(honest, tls=cert + '.both') as s:
        code, err, _ = case.pull(s)  # insecure: any certificate, but still TLS
        assert code == 0, err


def test_certificate_for_another_name(case):
    cert = certificate(case, 'other', '127.0.0.9')
    with Server(honest, tls=cert + '.both') as s:
        configure(case, 'registries:\n  "%s": {ca_file: %s}\n' % (s.host, cert))
        code, err, _ = case.pull(s, insecure='')
        assert code == 1 and err.startswith('REMOTE') and not s.http.seen, err


def test_no_way_down_from_tls(case):
    """Neither a redirect nor a realm leads from TLS to plain HTTP."""
    cert = certificate(case, 'cert', '127.0.0.1')
    with Server(honest) as plain:
        answers = [
            lambda h: h.reply(307, Location='http://%s%s' % (plain.host, h.path)),
            lambda h: h.reply(401, WWW_Authenticate='Bearer realm="http://%s/token"' % plain.host)]
        for answer in answers:
            with Server(answer, tls=cert + '.both') as s:
                configure(case, 'registries:\n  "%s": {ca_file: %s}\n' % (s.host, cert))
                code, err, _ = case.pull(s, insecure='', env=login(case, s.host, auth='dTpw'))
                assert code == 1 and 'refused' in err, err
        assert not plain.http.seen


# ---- Configuration -------------------------------------------------------------------------------

def test_plain_http_needs_configuration(case):
    with Server(honest) as s:
        code, err, _ = case.pull(s, insecure='')
        assert code == 1 and err.startswith('REMOTE') and 'insecure: true' in err, err
        assert not s.http.seen


def configure(case, text):
    os.makedirs(case.tool.root, exist_ok=True)
    with open(case.tool.root + '/config.yaml', 'w') as f:
        f.write(text)


def test_config_file(case):
    with Server(honest) as s:
        configure(case, 'registries:\n  "%s": {insecure: true}\n' % s.host)
        assert case.pull(s, insecure='')[0] == 0
        configure(case, 'registries:\n  "%s":\n    insecur: true\n' % s.host)
        code, err, _ = case.pull(s, insecure='')
        assert code == 1 and err.startswith('INVALID') and 'insecur' in err and 'line 3' in err, err


def test_mirrors(case):
    """A broken, a lying and a good mirror; tags come from the source."""
    with Server(lambda h: h.reply(500)) as broken, Server(honest) as good, \
            Server(lambda h: '/manifests/' in h.path and h.reply(
                200, BIG.manifest, Content_Type=BIG.media_type)) as liar, \
            Server(lambda h: '/blobs/' in h.path and h.reply(500)) as source:
        configure(case, 'registries:\n  "%s":\n    insecure: true\n    mirrors: ["%s", "%s", "http://'
                  '%s/prefix"]\n' % (source.host, broken.host, liar.host, good.host))
        hosts = ','.join(s.host for s in (broken, liar, good))
        code, err, _ = case.pull(source, insecure=hosts)
        assert code == 0, err
        assert len(source.seen('/manifests/good')) == 1 and not source.seen('/blobs/')
        assert not good.seen('/manifests/good') and not liar.seen('/manifests/good')
        assert all(path.startswith('/v2/prefix/' + NAME) for path, _ in good.http.seen)


def main(cases, least=0):
    build = sys.argv[1] if len(sys.argv) > 1 else os.environ.get('ZLAYER_BUILD')
    if build is None:
        sys.exit(__doc__)
    build = os.path.abspath(build)
    cases = {name[5:]: fn for name, fn in cases.items() if name.startswith('test_')}
    failed = []
    with tempfile.TemporaryDirectory(prefix='zl-evil-') as base:
        for name in sys.argv[2:] or cases:
            try:
                cases[name](Case(build, base, name))
                print('ok   ' + name, flush=True)
            except Exception as e:  # every case is to be reported
                print('FAIL %s: %s: %s' % (name, type(e).__name__, e), flush=True)
                failed.append(name)
    if not sys.argv[2:] and not failed:
        print('%d failures were checked' % Case.failures)
        assert Case.failures >= least, Case.failures
    if failed:
        sys.exit('%d of %d failed' % (len(failed), len(cases)))


if __name__ == '__main__':
    main(globals(), 40)
