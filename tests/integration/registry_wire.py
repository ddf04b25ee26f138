#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Pulls from servers that misbehave below and around HTTP, and with the parts of a large blob.
Usage: registry_wire.py [BUILD_DIR [NAME...]]; without arguments the build directory is
$ZLAYER_BUILD. What is checked of each failure is in registry_evil.py."""
import base64
import email.utils
import os
import re
import socket
import struct
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import registry_image as ri  # noqa: E402
from registry_evil import (BIG, GOOD, Server, bearer, certificate, configure, honest,  # noqa: E402
                           login, main, of_blob)

LARGE_TAR = ri.Layer().add('large', data=os.urandom(26 << 20)).bytes()
LARGE = ri.Image([LARGE_TAR], ['none'])
IMAGES = {'good': GOOD, 'big': BIG, 'large': LARGE}


def raw(text):
    """Answers every request of a document with these bytes and hangs up."""
    def behave(h):
        if '/manifests/' not in h.path:
            return False
        h.wfile.write(text)
        return h.cut()
    return behave


def wire(case, text, expected='REMOTE', part='127.0.0.1'):
    with Server(raw(text)) as s:
        case.fails(s, expected, part)


# ---- Replies that are none -----------------------------------------------------------------------

def test_nothing_at_all(case):
    wire(case, b'')


def test_garbage(case):
    wire(case, os.urandom(4096))


def test_another_protocol(case):
    wire(case, b'SSH-2.0-OpenSSH_9.2p1\r\n')


def test_http_0_9(case):
    wire(case, GOOD.manifest)


def test_status_without_number(case):
    wire(case, b'HTTP/1.1 OK\r\n\r\n')


def test_status_out_of_range(case):
    wire(case, b'HTTP/1.1 999 Odd\r\nContent-Length: 0\r\n\r\n')


def test_head_cut(case):
    wire(case, b'HTTP/1.1 200 OK\r\nContent-Type: appl', 'CORRUPT', 'the manifest')


def test_no_end_of_head(case):
    wire(case, b'HTTP/1.1 200 OK\r\nX: ' + b'x' * 500000 + b'\r\n\r\n', 'REMOTE')


def test_negative_length(case):
    wire(case, b'HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nhello')


def test_two_lengths(case):
    wire(case, b'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 7\r\n\r\nhello', 'REMOTE')


def test_bad_chunk_size(case):
    wire(case, b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nhello\r\n')


def test_huge_chunk_size(case):
    wire(case, b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n' + b'f' * 40 + b'\r\nhello\r\n')


def test_endless_interim_replies(case):
    def behave(h):
        if '/manifests/' not in h.path:
            return False
        while True:
            h.wfile.write(b'HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n' * 100)
    with Server(behave) as s:
        case.fails(s, 'REMOTE', 'headers')


def test_reset(case):
    def behave(h):
        h.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
        h.connection.close()
        h.close_connection = True
        return True
    with Server(behave) as s:
        case.fails(s, 'REMOTE', '127.0.0.1')


def test_empty_manifest(case):
    with Server(lambda h: '/manifests/' in h.path and h.reply(
            200, b'', Content_Type=ri.OCI_MANIFEST)) as s:
        case.fails(s, 'CORRUPT', '')


def test_nul_in_head(case):
    wire(case, b'HTTP/1.1 200 OK\r\nContent-Type: a\0b\r\nContent-Length: 2\r\n\r\n{}', 'REMOTE', '')


# ---- Slowly --------------------------------------------------------------------------------------

def drip(h, data, head=b''):
    h.wfile.write(head)
    for at in range(len(data)):
        h.wfile.write(data[at:at + 1])
        h.wfile.flush()
        time.sleep(0.2)
    return h.cut()


def test_one_byte_at_a_time_of_a_blob(case):
    with Server(of_blob(lambda h, blob: drip(
            h, blob, b'HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n' % len(blob)))) as s:
        case.fails(s, 'TIMEOUT', 'stalled')


def test_one_byte_at_a_time_of_a_manifest(case):
    with Server(lambda h: '/manifests/' in h.path and drip(
            h, GOOD.manifest, b'HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n' % len(
                GOOD.manifest))) as s:
        case.fails(s, 'TIMEOUT', '127.0.0.1')


def test_one_byte_at_a_time_of_a_head(case):
    with Server(lambda h: '/manifests/' in h.path and drip(
            h, b'HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n')) as s:
        case.fails(s, 'TIMEOUT', '127.0.0.1')


def test_one_byte_at_a_time_of_a_token(case):
    me = []

    def behave(h):
        if h.path.startswith('/token'):
            return drip(h, b'{"token":"secret"}' * 10, b'HTTP/1.1 200 OK\r\n\r\n')
        return h.reply(401, WWW_Authenticate='Bearer realm="http://%s/token"' % me[0].host)
    with Server(behave) as s:
        me.append(s)
        case.fails(s, 'TIMEOUT', 'token server')


def test_above_the_limit_is_not_slow(case):
    """Slow but steady: pulled."""
    def behave(h, blob):
        h.send_response(200)
        h.send_header('Content-Length', str(len(blob)))
        h.end_headers()
        for at in range(0, len(blob), 40):
            h.wfile.write(blob[at:at + 40])
            h.wfile.flush()
            time.sleep(0.02)
        return True
    with Server(of_blob(behave)) as s:
        code, err, _ = case.pull(s)
        assert code == 0, err


# ---- Asking to wait ------------------------------------------------------------------------------

def waits(case, answer):
    """Seconds between the first request, which gets this Retry-After, and the second."""
    times = []

    def behave(h):
        times.append(time.monotonic())
        return len(times) == 1 and h.reply(503, Retry_After=answer)
    with Server(behave) as s:
        code, err, _ = case.pull(s)
        assert code == 0, err
    return times[1] - times[0]


def test_retry_after(case):
    assert 0.95 <= waits(case, '1') < 3
    # Dates have whole seconds.
    assert 0.9 <= waits(case, email.utils.formatdate(time.time() + 2, usegmt=True)) < 4
    for text in ('-1', 'soon', '', '1.5', '99999999999999999999999', 'Mon, 99 Foo 2020 00:00:00 GMT',
                 'Mon, 06 Nov 2006 08:49:37 GMT'):
        assert waits(case, text) < 1, text


def test_retry_after_of_a_far_date(case):
    text = email.utils.formatdate(time.time() + 86400, usegmt=True)
    with Server(lambda h: h.reply(429, Retry_After=text)) as s:
        case.fails(s, 'REMOTE', 'asks to wait', limit=3)


def test_503_for_ever(case):
    with Server(lambda h: h.reply(503)) as s:
        case.fails(s, 'REMOTE', 'status 503')
        assert len(s.http.seen) == 3


def test_429_of_a_blob(case):
    with Server(of_blob(lambda h, blob: h.reply(429, b'{"errors":[{"message":"toomany"}]}'))) as s:
        case.fails(s, 'REMOTE', 'toomany')


def test_statuses_of_a_blob(case):
    for status, code in ((204, 'REMOTE'), (300, 'REMOTE'), (304, 'REMOTE'), (400, 'REMOTE'),
                         (403, 'AUTH'), (404, 'NOT_FOUND'), (405, 'REMOTE'), (410, 'REMOTE'),
                         (416, 'REMOTE'), (500, 'REMOTE'), (502, 'REMOTE'), (504, 'REMOTE')):
        with Server(of_blob(lambda h, blob: h.reply(status))) as s:
            case.fresh().fails(s, code, '')


# ---- Elsewhere -----------------------------------------------------------------------------------

def test_redirects_back_and_forth(case):
    hosts = []
    behave = lambda h: h.reply(302, Location='http://%s%s' % (  # noqa: E731
        hosts[h.server is hosts[0].http].host, h.path))
    with Server(behave) as one, Server(behave, host='127.0.0.2') as two:
        hosts[:] = [one, two]
        case.fails(one, 'REMOTE', 'more than 10 redirects', insecure=one.host + ',' + two.host)


def test_redirect_with_endless_body(case):
    def behave(h):
        h.send_response(307)
        h.send_header('Location', h.path)
        h.end_headers()
        while True:
            h.wfile.write(b'x' * 65536)
    with Server(behave) as s:
        case.fails(s, 'REMOTE', 'more than 10 redirects')


def test_long_location(case):
    with Server(lambda h: h.reply(302, Location='/' + 'x' * 20000)) as s:
        case.fails(s, 'REMOTE', 'refused')


def test_token_stays_with_its_host(case):
    """Neither the token nor the password goes where a redirect leads, not even back home."""
    secret = base64.b64encode(b'me:pw').decode()
    me = []

    def behave(h):
        if h.path.startswith('/home'):
            assert 'Authorization' not in h.headers
            h.path = h.path[5:]
            return False
        return '/blobs/' in h.path and h.reply(307, Location='http://%s/home%s' % (
            me[0].host, h.path))
    with Server(bearer(me, behave)) as s:
        s.http.behave = lambda h: behave(h) if h.path.startswith('/home') else bearer(me, behave)(h)
        me.append(s)
        code, err, _ = case.pull(s, 'good', '--user', 'me:pw')
        assert code == 0, err
        assert all('Authorization' not in headers for headers in s.seen('/home'))
        assert [h.get('Authorization') for h in s.seen('/token')] == ['Basic ' + secret]


def test_token_server_redirects(case):
    """Credentials are not taken along to where a token server points."""
    me = []
    with Server(honest, host='127.0.0.2') as thief:
        def behave(h):
            if h.path.startswith('/token'):
                return h.reply(307, Location='http://%s/token' % thief.host)
            return h.reply(401, WWW_Authenticate='Bearer realm="http://%s/token"' % me[0].host)
        with Server(behave) as s:
            me.append(s)
            case.fails(s, 'AUTH', 'gave no token', insecure=s.host + ',' + thief.host,
                       env=login(case, s.host, auth='bWU6cHc='))
            assert not thief.http.seen


def test_token_server_says_no(case):
    for status, code in ((401, 'AUTH'), (403, 'AUTH'), (404, 'AUTH'), (500, 'REMOTE')):
        me = []

        def behave(h):
            if h.path.startswith('/token'):
                return h.reply(status)
            return h.reply(401, WWW_Authenticate='Bearer realm="http://%s/token"' % me[0].host)
        with Server(behave) as s:
            me.append(s)
            case.fails(s, code, 'gave no token')


def test_malformed_tokens(case):
    for body in (b'', b'{', b'[]', b'{}', b'{"token":5}', b'{"token":""}', b'{"token":"a","token":"b"}',
                 b'{"token":"t","expires_in":"x"}'):
        me = []

        def behave(h):
            if h.path.startswith('/token'):
                return h.reply(200, body)
            return h.reply(401, WWW_Authenticate='Bearer realm="http://%s/token"' % me[0].host)
        with Server(behave) as s:
            me.append(s)
            case.fails(s, 'REMOTE', 'token')


def foreign_image(urls):
    image = ri.small_image(2, 'foreign')
    image.layers[0]['urls'] = urls
    image.layers[0]['mediaType'] = 'application/vnd.oci.image.layer.nondistributable.v1.tar+gzip'
    image.seal()
    return image


def test_foreign_layer_gets_no_credentials(case):
    cert = certificate(case, 'foreign', '127.0.0.2')
    me = []
    with Server(lambda h: h.path == '/layer' and h.reply(200, image.blobs[digest]), host='127.0.0.2',
                tls=cert + '.both') as other:
        image = foreign_image(['https://%s/layer' % other.host])
        digest = image.layers[0]['digest']
        with Server(bearer(me, lambda h: h.path.endswith(digest) and h.reply(404)),
                    {'good': image}) as s:
            me.append(s)
            configure(case, 'registries:\n  "%s": {ca_file: %s}\n' % (other.host, cert))
            code, err, _ = case.pull(s, env=login(case, s.host, auth='bWU6cHc='))
            assert code == 0, err
            assert other.http.seen and not any(
                'Authorization' in headers for _, headers in other.http.seen), other.http.seen


def test_foreign_layer_over_plain_http(case):
    with Server(honest, host='127.0.0.2') as other:
        image = foreign_image(['http://%s/layer' % other.host])
        with Server(lambda h: h.path.endswith(image.layers[0]['digest']) and h.reply(404),
                    {'good': image}) as s:
            case.fails(s, 'REMOTE', 'plain HTTP only')
            assert not other.http.seen


# ---- Parts of a large blob -----------------------------------------------------------------------

def span(h):
    """(first, last) of what is asked for."""
    first, last = re.match(r'bytes=(\d+)-(\d*)$', h.headers.get('Range', 'bytes=0-')).groups()
    return int(first), int(last or len(LARGE_TAR) - 1)


def send_part(h, data, first, last, length=None):
    h.send_response(206)
    h.send_header('Content-Range', 'bytes %d-%d/%d' % (first, last, len(LARGE_TAR)))
    h.send_header('Content-Length', str(len(data) if length is None else length))
    h.end_headers()
    h.wfile.write(data)
    return True


def honest_large(h):
    if not h.path.endswith(LARGE.layers[0]['digest']):
        return False
    if 'Range' not in h.headers:
        return h.reply(200, LARGE_TAR)
    first, last = span(h)
    return send_part(h, LARGE_TAR[first:last + 1], first, last)


def large(behave):
    def of_large(h):
        if not h.path.endswith(LARGE.layers[0]['digest']):
            return False
        return behave(h, *span(h)) or honest_large(h)
    return Server(of_large, IMAGES)


def large_fails(case, behave, expected, text):
    with large(behave) as s:
        code, err, seconds = case.pull(s, 'large')
        assert code == 1 and err.startswith(expected + ': ') and text in err, err
        assert seconds < 12 and not case.tool.layers()[1], seconds
        assert expected in ('REMOTE', 'TIMEOUT') or not case.partials(), case.partials()
    with large(lambda h, first, last: False) as good:
        code, err, _ = case.pull(good, 'large')
        assert code == 0 and not case.partials() and not case.tool.layers()[1], err
    type(case).failures += 1


def large_works(case, behave, most=1.05):
    """Returns the ranges that were asked for."""
    asked = []

    def noted(h, first, last):
        asked.append(h.headers.get('Range'))
        return behave(h, first, last)
    with large(noted) as s:
        code, err, _ = case.pull(s, 'large')
        assert code == 0 and not case.partials() and not case.tool.layers()[1], err
    return asked


def test_parts(case):
    asked = large_works(case, lambda h, first, last: False)
    assert 'bytes=0-8388607' in asked and len(asked) >= 2, asked


def test_parts_ignored(case):
    asked = large_works(case, lambda h, first, last: h.reply(200, LARGE_TAR))
    assert asked == ['bytes=0-8388607'], asked


def test_parts_ignored_later(case):
    """The first part comes as asked, then everything at once."""
    large_works(case, lambda h, first, last: first > 0 and h.reply(200, LARGE_TAR))


def test_parts_refused(case):
    for status in (400, 416, 501):
        asked = large_works(case.fresh(),
                            lambda h, first, last: 'Range' in h.headers and h.reply(status))
        assert asked == ['bytes=0-8388607', None], asked


def test_parts_cut_short(case):
    """Each reply ends too early; what came of it counts."""
    large_works(case, lambda h, first, last: last - first > 3 << 20 and send_part(
        h, LARGE_TAR[first:first + (3 << 20)], first, last, last - first + 1) and h.cut())


def test_part_longer_than_it_says(case):
    def behave(h, first, last):
        h.send_response(206)
        h.send_header('Content-Range', 'bytes %d-%d/%d' % (first, last, len(LARGE_TAR)))
        h.end_headers()
        h.wfile.write(LARGE_TAR[first:last + 1] + b'more')
        return h.cut()
    large_fails(case, behave, 'CORRUPT', 'sends more')


def test_endless_part(case):
    def behave(h, first, last):
        h.send_response(206)
        h.send_header('Content-Range', 'bytes %d-%d/%d' % (first, last, len(LARGE_TAR)))
        h.end_headers()
        while True:
            h.wfile.write(b'x' * 65536)
    large_fails(case, behave, 'CORRUPT', '')  # the layer may be seen to be malformed before


def test_part_of_another_size(case):
    large_works(case, lambda h, first, last: 'Range' in h.headers and h.reply(
        206, LARGE_TAR[first:last + 1], Content_Range='bytes %d-%d/%d' % (first, last, 5)))


def test_many_parts_in_one_reply(case):
    large_works(case, lambda h, first, last: 'Range' in h.headers and h.reply(
        206, b'--x\r\n', Content_Type='multipart/byteranges; boundary=x'))


def test_wrong_bytes_in_a_part(case):
    large_fails(case, lambda h, first, last: 'Range' in h.headers and send_part(
        h, b'\0' * (last - first + 1), first, last), 'CORRUPT', '')


def test_wrong_bytes_in_a_late_part(case):
    large_fails(case, lambda h, first, last: first >= 16 << 20 and send_part(
        h, b'\0' * (last - first + 1), first, last), 'CORRUPT', "the blob's digest is")


def test_part_stalls(case):
    def behave(h, first, last):
        if first == 0:
            return False
        h.send_response(206)
        h.send_header('Content-Range', 'bytes %d-%d/%d' % (first, last, len(LARGE_TAR)))
        h.send_header('Content-Length', str(last - first + 1))
        h.end_headers()
        time.sleep(2)
        return h.cut()
    large_fails(case, behave, 'TIMEOUT', 'stalled')


def test_parts_vanish(case):
    large_fails(case, lambda h, first, last: first > 0 and h.reply(404), 'NOT_FOUND', '404')


def test_part_encoded(case):
    large_fails(case, lambda h, first, last: h.reply(
        206, b'\x1f\x8b', Content_Encoding='gzip',
        Content_Range='bytes %d-%d/%d' % (first, last, len(LARGE_TAR))), 'REMOTE', 'encoded')


def test_blob_announced_huge(case):
    large_fails(case, lambda h, first, last: h.reply(200, LARGE_TAR[:100], Content_Length='9' * 15),
                'CORRUPT', 'another size')


def test_broken_mirror_is_asked_once(case):
    with Server(lambda h: h.reply(500)) as broken, large(lambda h, first, last: False) as source:
        configure(case, 'registries:\n  "%s":\n    insecure: true\n    mirrors: ["http://%s"]\n' % (
            source.host, broken.host))
        code, err, _ = case.pull(source, 'large', insecure=broken.host + ',' + source.host)
        assert code == 0, err
        tries = len(broken.seen('/blobs/' + LARGE.layers[0]['digest']))
        assert tries <= 3, tries


if __name__ == '__main__':
    main(globals(), 60)
