#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The signature policy: pulls of images signed with openssl(1) as cosign and notation sign, from Debian's
docker-registry and from a registry with the referrers API. Usage: registry_signed.py [BUILD_DIR], or with
$ZLAYER_BUILD. Needs root, docker-registry, skopeo and openssl.
Everything happens in a temporary directory and on loopback."""
import base64
import contextlib
import copy
import hashlib
import http.server
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import registry_image as ri  # noqa: E402
from registry_pull import Registry  # noqa: E402

PAYLOAD = 'application/vnd.dev.cosign.simplesigning.v1+json'
ANNOTATION = 'dev.cosignproject.cosign/signature'
COSIGN = 'application/vnd.dev.cosign.artifact.sig.v1+json'
NOTATION = 'application/vnd.cncf.notary.signature'
SCHEME, EXPIRY = 'io.cncf.notary.signingScheme', 'io.cncf.notary.expiry'
EMPTY = b'{}'


def openssl(*args, data=None):
    done = subprocess.run(('openssl',) + args, input=data, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert done.returncode == 0, (args, done.stderr)
    return done.stdout


class Key:
    """A key pair in files; `kind` as in openssl genpkey."""

    def __init__(self, base, name, kind='p256'):
        self.path, self.pub, self.kind = '%s/%s.key' % (base, name), '%s/%s.pub' % (base, name), kind
        options = {'p256': ('EC', '-pkeyopt', 'ec_paramgen_curve:P-256'),
                   'p384': ('EC', '-pkeyopt', 'ec_paramgen_curve:P-384'),
                   'secp256k1': ('EC', '-pkeyopt', 'ec_paramgen_curve:secp256k1'),
                   'rsa': ('RSA', '-pkeyopt', 'rsa_keygen_bits:2048'),
                   'rsa3072': ('RSA', '-pkeyopt', 'rsa_keygen_bits:3072'),
                   'rsa1024': ('RSA', '-pkeyopt', 'rsa_keygen_bits:1024'),
                   'ed25519': ('ED25519',)}[kind]
        openssl('genpkey', '-algorithm', *options, '-out', self.path)
        openssl('pkey', '-in', self.path, '-pubout', '-out', self.pub)

    def sign(self, data, *more, digest='sha256'):
        with tempfile.NamedTemporaryFile() as f:
            f.write(data)
            f.flush()
            if self.kind == 'ed25519':
                return openssl('pkeyutl', '-sign', '-inkey', self.path, '-rawin', '-in', f.name)
            return openssl('dgst', '-' + digest, '-sign', self.path, *more, f.name)

    def jws(self, data, alg):
        """RFC 7518: PSS, or the two numbers of ECDSA one after the other."""
        digest = 'sha' + alg[2:]
        if alg.startswith('PS'):
            return self.sign(data, '-sigopt', 'rsa_padding_mode:pss', '-sigopt', 'rsa_pss_saltlen:-1', digest=digest)
        der = self.sign(data, digest=digest)
        size, at, numbers = {'ES256': 32, 'ES384': 48}[alg], 2 if der[1] < 128 else 3, b''
        for _ in range(2):
            length = der[at + 1]
            numbers += der[at + 2:at + 2 + length].lstrip(b'\0').rjust(size, b'\0')
            at += 2 + length
        return numbers


def claim(digest, name, **critical):
    value = {'identity': {'docker-reference': name}, 'image': {'docker-manifest-digest': digest},
             'type': 'cosign container image signature'}
    value.update(critical)
    return json.dumps({'critical': value, 'optional': None}).encode()


def artifact(blobs, config=(EMPTY, 'application/vnd.oci.empty.v1+json'), kind=None, subject=None):
    """The manifest of [(data, media type, annotations)], and the blobs by digest."""
    def described(data, media, annotations=None):
        more = {'annotations': annotations} if annotations else {}
        return dict({'mediaType': media, 'size': len(data), 'digest': ri.digest(data)}, **more)
    document = {'schemaVersion': 2, 'mediaType': ri.OCI_MANIFEST, 'config': described(*config),
                'layers': [described(*b) for b in blobs]}
    if kind:
        document['artifactType'] = kind
    if subject:
        document['subject'] = {'mediaType': ri.OCI_MANIFEST, 'size': subject[1], 'digest': subject[0]}
    stored = {ri.digest(b[0]): b[0] for b in blobs}
    stored[ri.digest(config[0])] = config[0]
    return ri.dumps(document), stored


def cosign_layer(key, payload, signature=None):
    signature = key.sign(payload) if signature is None else signature
    return payload, PAYLOAD, {ANNOTATION: base64.b64encode(signature).decode()}


# ---- Registries ----------------------------------------------------------------------------------

def put(registry, path, data, media):
    request = urllib.request.Request('http://%s/v2/%s' % (registry.host, path), data, {'Content-Type': media},
                                     method='PUT')
    urllib.request.urlopen(request).close()


def push_blob(registry, repository, data):
    start = urllib.request.Request('http://%s/v2/%s/blobs/uploads/' % (registry.host, repository), b'', method='POST')
    with urllib.request.urlopen(start) as reply:
        place = reply.headers['Location']
    sign = '&' if '?' in place else '?'
    request = urllib.request.Request('%s%sdigest=%s' % (place, sign, ri.digest(data)), data,
                                     {'Content-Type': 'application/octet-stream'}, method='PUT')
    urllib.request.urlopen(request).close()


def push_artifact(registry, repository, tag, manifest, blobs):
    for data in blobs.values():
        push_blob(registry, repository, data)
    put(registry, '%s/manifests/%s' % (repository, tag), manifest, ri.OCI_MANIFEST)


def push_image(registry, repository, tag, image):
    for data in image.blobs.values():
        push_blob(registry, repository, data)
    put(registry, '%s/manifests/%s' % (repository, tag), image.manifest, image.media_type)
    return image.digest


def attach_cosign(registry, repository, digest, layers):
    manifest, blobs = artifact(layers, (EMPTY, ri.OCI_CONFIG))
    push_artifact(registry, repository, digest.replace(':', '-') + '.sig', manifest, blobs)


class Referring:
    """A registry with the referrers API that holds one repository in memory."""

    def __init__(self):
        outer, self.documents, self.blobs, self.referrers, self.seen = self, {}, {}, {}, []

        class Handler(http.server.BaseHTTPRequestHandler):
            def log_message(self, *_):
                pass

            def do_GET(self):
                outer.seen.append(self.path)
                what, name = self.path.split('?')[0].rsplit('/', 2)[1:]
                body, media = None, 'application/octet-stream'
                if what == 'manifests' and name in outer.documents:
                    body, media = outer.documents[name], ri.OCI_MANIFEST
                elif what == 'blobs':
                    body = outer.blobs.get(name)
                elif what == 'referrers':
                    media = ri.OCI_INDEX
                    body = ri.dumps({'schemaVersion': 2, 'mediaType': ri.OCI_INDEX,
                                     'manifests': outer.referrers.get(name, [])})
                self.send_response(200 if body is not None else 404)
                self.send_header('Content-Type', media)
                self.send_header('Content-Length', str(len(body or b'')))
                self.end_headers()
                self.wfile.write(body or b'')

        self.http = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Handler)
        self.http.daemon_threads = True
        self.host = '127.0.0.1:%d' % self.http.server_address[1]
        threading.Thread(target=self.http.serve_forever, args=(0.05,), daemon=True).start()

    def add_image(self, tag, image):
        self.blobs.update(image.blobs)
        self.documents[tag] = self.documents[image.digest] = image.manifest

    def refer(self, digest, manifest, blobs, kind):
        self.blobs.update(blobs)
        self.documents[ri.digest(manifest)] = manifest
        self.referrers.setdefault(digest, []).append(
            {'mediaType': ri.OCI_MANIFEST, 'artifactType': kind, 'size': len(manifest), 'digest': ri.digest(manifest)})

    def stop(self):
        self.http.shutdown()
        self.http.server_close()


# ---- The node ------------------------------------------------------------------------------------

class Node:
    """A store of its own with a policy."""
    count = 0

    def __init__(self, box, rules, extra=''):
        Node.count += 1
        self.tool = ri.Tool(box.build, '%s/node-%d' % (box.base, Node.count))
        self.box = box
        os.makedirs(self.tool.root)
        self.write(rules, extra)

    def write(self, rules, extra=''):
        with open(self.tool.root + '/config.yaml', 'w') as f:
            f.write('registries_conf: none\nhosts_dir: none\ncerts_dirs: []\n%ssignatures: %s\n' % (
                extra, json.dumps(rules)))

    def pull(self, reference, *args, insecure=''):
        code, out, err = self.tool.run('pull', *args, reference, timeout=300, env={
            'ZLAYER_INSECURE_REGISTRIES': ','.join(filter(None, (self.box.registry.host, insecure)))})
        assert 'Sanitizer' not in err, err
        return code, out.strip(), err

    def good(self, reference, *args, **more):
        code, out, err = self.pull(reference, *args, **more)
        assert code == 0, err
        return out

    def bad(self, reference, code, *texts, args=(), **more):
        got, _, err = self.pull(reference, *args, **more)
        assert got == 1 and err.startswith(code + ': '), (got, err)
        for text in texts:
            assert text in err, (text, err)
        assert not self.tool.layers()[0] if code == 'AUTH' and not args else True, 'layers were fetched'
        return err


class Box:
    def __init__(self, build, base, registry):
        self.build, self.base, self.registry = build, base, registry
        self.keys = {kind: Key(base, kind, kind) for kind in ('p256', 'p384', 'rsa', 'rsa3072', 'ed25519')}
        self.other = Key(base, 'other')
        self.images = 0

    def image(self, repository='prod/app', tag='1'):
        """A new image in the registry: (reference, digest, name of its repository)."""
        self.images += 1
        image = ri.small_image(1, 'image %d' % self.images)
        push_image(self.registry, repository, tag, image)
        name = '%s/%s' % (self.registry.host, repository)
        return '%s:%s' % (name, tag), image.digest, name

    def rule(self, key, **more):
        return dict({'prefix': self.registry.host + '/prod', 'key': key}, **more)


# ---- cosign --------------------------------------------------------------------------------------

def test_every_kind_of_key(box):
    for kind, key in box.keys.items():
        reference, digest, name = box.image(tag='key-' + kind)
        attach_cosign(box.registry, 'prod/app', digest, [cosign_layer(key, claim(digest, name))])
        node = Node(box, [box.rule(key.pub)])
        assert node.good(reference) == digest
        assert node.good(reference, '--never') == digest, 'what is stored does not ask again'
        Node(box, [box.rule(box.other.pub)]).bad(reference, 'AUTH', "'%s/prod'" % box.registry.host, box.other.pub,
                                                "not that key's")
        Node(box, [box.rule([box.other.pub, key.pub])]).good(reference)


def test_missing_signature(box):
    reference, digest, _ = box.image(tag='missing')
    node = Node(box, [box.rule(box.keys['p256'].pub)])
    node.bad(reference, 'AUTH', 'has no cosign signature', digest[:19], box.keys['p256'].pub)
    node.write([])
    node.good(reference)
    node.write([box.rule(box.keys['p256'].pub)])
    node.bad(reference, 'NOT_FOUND', 'no signature of it has been verified', args=('--never',))
    node.bad(reference, 'AUTH', 'has no cosign signature', args=('--newer',))


def test_what_a_payload_says(box):
    key = box.keys['p256']
    reference, digest, name = box.image(tag='says')
    other = 'sha256:' + 'a' * 64
    cases = [
        (claim(other, name), 'another manifest'),
        (claim(digest, name + 's'), "it is for '%ss'" % name),
        (claim(digest, box.registry.host + '/prod'), 'it is for'),
        (claim(digest, name + ':other'), "the tag 'other'"),
        (claim(digest, 'app'), 'names no repository'),
        (claim(digest, name, type='atomic container signature'), 'critical.type'),
        (claim(digest, name, more='x'), "'more', which is not known"),
        (claim(digest.upper(), name), 'is not a digest'),
        (claim(digest, name)[:-1], 'no simple signing document'),
        (claim(digest, name) + b'x', 'no simple signing document'),
        (claim(digest, name).replace(b'"type"', b'"type": "x", "type"'), 'no simple signing document'),
        (b'null', 'no simple signing document'),
        (os.urandom(5000), 'no simple signing document'),
        (b'[' * 60000, 'no simple signing document'),
        (b'{"critical": {"identity": 1, "image": [], "type": {}}}', 'is missing'),
    ]
    for payload, text in cases:
        attach_cosign(box.registry, 'prod/app', digest, [cosign_layer(key, payload)])
        Node(box, [box.rule(key.pub)]).bad(reference, 'AUTH', text)
    for payload in (claim(digest, name), claim(digest, name + ':says')):
        attach_cosign(box.registry, 'prod/app', digest, [cosign_layer(key, payload)])
        Node(box, [box.rule(key.pub)]).good(reference)


def test_damaged_signatures(box):
    key = box.keys['p256']
    reference, digest, name = box.image(tag='damaged')
    payload = claim(digest, name)
    signature = key.sign(payload)
    flipped = bytes([signature[0], signature[1]]) + signature[2:-1] + bytes([signature[-1] ^ 1])
    layers = [
        (cosign_layer(key, payload, flipped), "not that key's"),
        (cosign_layer(key, payload, signature[:-1]), "not that key's"),
        (cosign_layer(key, payload, b''), "not that key's"),
        (cosign_layer(key, payload.replace(b'app', b'apq'), signature), "not that key's"),
        (cosign_layer(box.keys['rsa'], payload), "not that key's"),
        (cosign_layer(box.keys['ed25519'], payload), "not that key's"),
        # What an HMAC with the public key as its secret would be: the key alone says how it signs.
        (cosign_layer(key, payload, hashlib.sha256(open(key.pub, 'rb').read() + payload).digest()), "not that key's"),
        ((payload, PAYLOAD, {ANNOTATION: '*not base64*'}), 'not base64'),
        ((payload, PAYLOAD, {ANNOTATION: 'A' * 100000}), 'not base64'),
        ((payload, PAYLOAD, None), 'annotation'),
        ((b'x' * (65 << 10), PAYLOAD, {ANNOTATION: 'AAAA'}), 'the limit is 65536'),
        ((payload, 'application/octet-stream', {ANNOTATION: base64.b64encode(signature).decode()}), 'has no cosign'),
    ]
    for layer, text in layers:
        attach_cosign(box.registry, 'prod/app', digest, [layer])
        Node(box, [box.rule(key.pub)]).bad(reference, 'AUTH', text)
    good = cosign_layer(key, payload)
    attach_cosign(box.registry, 'prod/app', digest, [layers[0][0], layers[7][0], good])
    Node(box, [box.rule(key.pub)]).good(reference)
    attach_cosign(box.registry, 'prod/app', digest, [layers[0][0]] * 70 + [good])
    Node(box, [box.rule(key.pub)]).bad(reference, 'LIMIT', 'more than 64 signatures')


def test_replaced_tag(box):
    key = box.keys['p256']
    reference, digest, name = box.image(tag='moves')
    attach_cosign(box.registry, 'prod/app', digest, [cosign_layer(key, claim(digest, name))])
    node = Node(box, [box.rule(key.pub)])
    assert node.good(reference) == digest
    _, second, _ = box.image(tag='moves')
    assert node.good(reference) == digest
    node.bad(reference, 'AUTH', 'has no cosign signature', second[:19], args=('--newer',))
    assert node.good(reference, '--never') == digest, 'the verified one stays'
    # The first one's signature under the second one's tag does not help.
    attach_cosign(box.registry, 'prod/app', second, [cosign_layer(key, claim(digest, name))])
    node.bad(reference, 'AUTH', 'another manifest', args=('--newer',))
    by_digest = '%s@%s' % (name, digest)
    assert node.good(by_digest) == digest
    node.bad('%s@%s' % (name, second), 'AUTH', 'another manifest', args=('--always',))


def test_other_repository(box):
    """A signed image copied into another repository, with its signature."""
    key = box.keys['p256']
    reference, digest, name = box.image(tag='copied')
    payload = cosign_layer(key, claim(digest, name))
    subprocess.run(['skopeo', 'copy', '-q', '--insecure-policy', '--src-tls-verify=false', '--dest-tls-verify=false',
                    'docker://' + reference, 'docker://%s/prod/copy:1' % box.registry.host], check=True)
    attach_cosign(box.registry, 'prod/copy', digest, [payload])
    copied = '%s/prod/copy:1' % box.registry.host
    Node(box, [box.rule(key.pub)]).bad(copied, 'AUTH', "it is for '%s'" % name)
    Node(box, [box.rule(key.pub, identity=name)]).good(copied)
    Node(box, [box.rule(key.pub, identity=box.registry.host + '/prod')]).good(copied)
    Node(box, [box.rule(key.pub, identity=box.registry.host + '/pro')]).bad(copied, 'AUTH', 'it is for')


def test_index(box):
    """An index of which one manifest is for this node: either may be signed."""
    key = box.keys['p256']
    arm, amd = ri.small_image(1, 'arm', arch='arm64'), ri.small_image(1, 'amd')
    for tag, image in (('arm', arm), ('amd', amd)):
        push_image(box.registry, 'prod/many', tag, image)
    index = ri.dumps({'schemaVersion': 2, 'mediaType': ri.OCI_INDEX, 'manifests': [
        arm.descriptor(platform={'os': 'linux', 'architecture': 'arm64'}),
        amd.descriptor(platform={'os': 'linux', 'architecture': 'amd64'})]})
    put(box.registry, 'prod/many/manifests/all', index, ri.OCI_INDEX)
    name = box.registry.host + '/prod/many'
    rules = [box.rule(key.pub)]
    Node(box, rules).bad(name + ':all', 'AUTH', 'has no cosign signature')
    attach_cosign(box.registry, 'prod/many', arm.digest, [cosign_layer(key, claim(arm.digest, name))])
    Node(box, rules).bad(name + ':all', 'AUTH', 'has no cosign signature')
    attach_cosign(box.registry, 'prod/many', amd.digest, [cosign_layer(key, claim(amd.digest, name))])
    node = Node(box, rules)
    node.good(name + ':all')
    node.good(name + ':all', '--never')
    attach_cosign(box.registry, 'prod/many', amd.digest, [cosign_layer(box.other, claim(amd.digest, name))])
    Node(box, rules).bad(name + ':all', 'AUTH')
    attach_cosign(box.registry, 'prod/many', ri.digest(index), [cosign_layer(key, claim(ri.digest(index), name))])
    Node(box, rules).good(name + ':all')


def test_prefixes(box):
    key = box.keys['p256']
    reference, _, _ = box.image('prod/app/deep', 'p')
    outside, _, _ = box.image('product', 'p')
    host = box.registry.host
    rules = [box.rule(key.pub), {'prefix': host + '/prod/app/deep', 'accept': 'unsigned'}]
    Node(box, rules).good(reference)
    Node(box, [box.rule(key.pub)]).bad(reference, 'AUTH', "'%s/prod'" % host)
    Node(box, [box.rule(key.pub)]).good(outside)
    Node(box, [{'prefix': '*', 'key': key.pub}]).bad(outside, 'AUTH', "'*'")
    Node(box, [{'prefix': '*', 'key': key.pub}, {'prefix': host, 'accept': 'unsigned'}]).good(outside)
    shouted = reference.replace('127.0.0.1', 'LOCALHOST')
    Node(box, [{'prefix': 'localhost:%d/prod' % box.registry.port, 'key': key.pub}]).bad(
        shouted, 'AUTH', 'has no cosign', insecure='localhost:%d' % box.registry.port)


def test_changed_policy(box):
    """What was verified with one key is not with another, nor when the key's file changes."""
    key = box.keys['p256']
    reference, digest, name = box.image(tag='changed')
    attach_cosign(box.registry, 'prod/app', digest, [cosign_layer(key, claim(digest, name))])
    path = box.base + '/rotating.pub'
    shutil.copy(key.pub, path)
    node = Node(box, [box.rule(path)])
    node.good(reference)
    shutil.copy(box.other.pub, path)
    node.bad(reference, 'NOT_FOUND', 'verified', args=('--never',))
    node.bad(reference, 'AUTH', "not that key's", args=('--newer',))
    shutil.copy(key.pub, path)
    node.good(reference, '--never')
    os.unlink(path)
    node.bad(reference, 'NOT_FOUND', path, 'signatures for', args=('--never',))
    # Another name for the same content is another question.
    twin = name + ':twin'
    subprocess.run(['skopeo', 'copy', '-q', '--insecure-policy', '--src-tls-verify=false', '--dest-tls-verify=false',
                    'docker://' + reference, 'docker://' + twin], check=True)
    shutil.copy(key.pub, path)
    node.bad(twin, 'NOT_FOUND', 'not stored', args=('--never',))
    node.good(twin)
    code, _, err = node.tool.run('remove', twin)
    assert code == 0, err


def test_bad_keys(box):
    reference, _, _ = box.image(tag='bad-keys')
    weak, odd = Key(box.base, 'weak', 'rsa1024'), Key(box.base, 'odd', 'secp256k1')
    garbage, private = box.base + '/garbage.pub', box.keys['p256'].path
    with open(garbage, 'wb') as f:
        f.write(os.urandom(1000))
    for path, code, text in ((weak.pub, 'UNSUPPORTED', 'RSA of 2048'), (odd.pub, 'UNSUPPORTED', 'P-256'),
                             (garbage, 'INVALID', 'no public key'), (private, 'INVALID', 'no public key'),
                             (box.base + '/none', 'NOT_FOUND', 'none'), (box.base, 'SYSTEM', box.base)):
        Node(box, [box.rule(path)]).bad(reference, code, text, 'signatures for')


def test_mirror(box):
    """Image and signature from a mirror; the source holds neither signature nor blobs any more."""
    key = box.keys['p256']
    mirror = Referring()
    image = ri.small_image(1, 'mirrored')
    push_image(box.registry, 'prod/mirrored', '1', image)
    name = box.registry.host + '/prod/mirrored'
    mirror.add_image('1', image)
    extra = 'registries: {"%s": {insecure: true, mirrors: ["http://%s"]}}\n' % (box.registry.host, mirror.host)
    rules = [box.rule(key.pub)]
    Node(box, rules, extra).bad(name + ':1', 'AUTH', 'has no cosign', insecure=mirror.host)
    manifest, blobs = artifact([cosign_layer(key, claim(image.digest, name))])
    mirror.blobs.update(blobs)
    mirror.documents[image.digest.replace(':', '-') + '.sig'] = manifest
    Node(box, rules, extra).good(name + ':1', insecure=mirror.host)
    # A mirror that lies: nothing valid until the source has it, which is asked next.
    liar, blobs = artifact([cosign_layer(box.other, claim(image.digest, name))])
    mirror.blobs.update(blobs)
    mirror.documents[image.digest.replace(':', '-') + '.sig'] = liar
    Node(box, rules, extra).bad(name + ':1', 'AUTH', "not that key's", insecure=mirror.host)
    attach_cosign(box.registry, 'prod/mirrored', image.digest, [cosign_layer(key, claim(image.digest, name))])
    Node(box, rules, extra).good(name + ':1', insecure=mirror.host)
    mirror.stop()


def test_referrers_api(box):
    key, server = box.keys['p256'], Referring()
    image = ri.small_image(1, 'referred')
    server.add_image('1', image)
    name = server.host + '/prod/app'
    rules = [{'prefix': name, 'key': key.pub}]
    Node(box, rules).bad(name + ':1', 'AUTH', 'has no cosign', insecure=server.host)
    assert any('/referrers/%s?artifactType=application/vnd.dev.cosign' % image.digest in p for p in server.seen)
    subject = (image.digest, len(image.manifest))
    layer = cosign_layer(key, claim(image.digest, name))
    server.refer(image.digest, *artifact([layer], kind=COSIGN, subject=('sha256:' + 'b' * 64, 3)), COSIGN)
    Node(box, rules).bad(name + ':1', 'AUTH', 'has no cosign', insecure=server.host)
    server.refer(image.digest, *artifact([layer], kind=COSIGN, subject=subject), COSIGN)
    Node(box, rules).good(name + ':1', insecure=server.host)
    server.referrers[image.digest] = [{'mediaType': 'x'}]
    Node(box, rules).bad(name + ':1', 'CORRUPT', 'referrers', insecure=server.host)
    server.stop()


# ---- Files ---------------------------------------------------------------------------------------

def test_layouts_and_archives(box):
    key, base = box.keys['p256'], box.base
    image = ri.small_image(1, 'filed')
    layout = base + '/signed-layout'
    ri.write_layout(layout, {'1': image})
    name = 'registry.example.com/prod/app'
    manifest, blobs = artifact([cosign_layer(key, claim(image.digest, name))])
    docker = base + '/saved.tar'
    subprocess.run(['skopeo', 'copy', '-q', '--insecure-policy', 'oci:%s:1' % layout,
                    'docker-archive:%s:example/app:1' % docker], check=True)
    rule = {'prefix': 'oci:' + base, 'key': key.pub, 'identity': 'registry.example.com/prod'}
    rules = [rule, dict(rule, prefix='docker-archive:'), dict(rule, prefix='oci-archive:')]
    reference = 'oci:%s:1' % layout
    Node(box, rules).bad(reference, 'AUTH', "'oci:%s'" % base, 'has no cosign')
    Node(box, rules).bad('docker-archive:%s' % docker, 'AUTH', 'holds no signatures')
    Node(box, [dict(rule, prefix='oci:/elsewhere')]).good(reference)
    Node(box, [{'prefix': '*', 'key': key.pub}]).bad(reference, 'AUTH', "'*'")
    for digest, data in list(blobs.items()) + [(ri.digest(manifest), manifest)]:
        with open('%s/blobs/%s' % (layout, digest.replace(':', '/')), 'wb') as f:
            f.write(data)
    with open(layout + '/index.json') as f:
        index = json.load(f)
    index['manifests'].append({
        'mediaType': ri.OCI_MANIFEST, 'size': len(manifest), 'digest': ri.digest(manifest),
        'annotations': {'org.opencontainers.image.ref.name': image.digest.replace(':', '-') + '.sig'}})
    with open(layout + '/index.json', 'w') as f:
        json.dump(index, f)
    Node(box, rules).good(reference)
    Node(box, [dict(rule, identity='registry.example.com/other')]).bad(reference, 'AUTH', 'it is for')
    archive = base + '/layout.tar'
    subprocess.run(['tar', '-cf', archive, '-C', layout, '.'], check=True)
    Node(box, rules).good('oci-archive:%s:1' % archive)


# ---- notation ------------------------------------------------------------------------------------

def b64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b'=').decode()


class Authority:
    """A certificate authority, and certificates of it."""

    def __init__(self, base, name):
        self.base, self.name, self.count = base, name, 0
        self.key = Key(base, name, 'p256')
        self.cert = '%s/%s.pem' % (base, name)
        openssl('req', '-x509', '-key', self.key.path, '-out', self.cert, '-days', '10', '-subj', '/CN=' + name)

    def issue(self, key, usage='digitalSignature', extended='codeSigning', days=('20200101000000Z', '20991231000000Z')):
        """DER of a certificate for the key."""
        self.count += 1
        stem = '%s/%s-%d' % (self.base, self.name, self.count)
        openssl('req', '-new', '-key', key.path, '-subj', '/CN=signer %d' % self.count, '-out', stem + '.csr')
        os.makedirs(stem + '.ca')
        for name in ('index.txt', 'serial'):
            with open('%s.ca/%s' % (stem, name), 'w') as f:
                f.write('01\n' if name == 'serial' else '')
        with open(stem + '.cnf', 'w') as f:
            f.write('[ca]\ndefault_ca = d\n[d]\ndatabase = %s.ca/index.txt\nserial = %s.ca/serial\nnew_certs_dir = %s.ca\n'
                    'default_md = sha256\npolicy = p\nx509_extensions = x\n[p]\ncommonName = supplied\n[x]\n'
                    'basicConstraints = CA:FALSE\n%s%s' % (
                        stem, stem, stem, 'keyUsage = critical,%s\n' % usage if usage else '',
                        'extendedKeyUsage = %s\n' % extended if extended else ''))
        openssl('ca', '-batch', '-config', stem + '.cnf', '-in', stem + '.csr', '-out', stem + '.pem', '-keyfile',
                self.key.path, '-cert', self.cert, '-startdate', days[0], '-enddate', days[1], '-notext')
        return openssl('x509', '-in', stem + '.pem', '-outform', 'DER')

    def der(self):
        return openssl('x509', '-in', self.cert, '-outform', 'DER')


def envelope(key, alg, chain, digest, size=2, header=None, payload=None, sign_alg=None, crit=(SCHEME,), scheme='notary.x509'):
    protected = {'alg': alg, 'cty': 'application/vnd.cncf.notary.payload.v1+json', 'crit': list(crit), SCHEME: scheme,
                 'io.cncf.notary.signingTime': '2026-01-01T00:00:00Z'}
    protected.update(header or {})
    protected = {k: v for k, v in protected.items() if v is not None}
    if payload is None:
        payload = {'targetArtifact': {'mediaType': ri.OCI_MANIFEST, 'digest': digest, 'size': size}}
    parts = [b64url(json.dumps(protected).encode()), b64url(json.dumps(payload).encode())]
    signature = key.jws('.'.join(parts).encode(), sign_alg or alg)
    return {'payload': parts[1], 'protected': parts[0], 'signature': b64url(signature),
            'header': {'x5c': [base64.b64encode(c).decode() for c in chain], 'io.cncf.notary.signingAgent': 'test'}}


def attach_notation(box, digest, document, media='application/jose+json'):
    """As notation does with registries that have no referrers API: by a tag."""
    data = document if isinstance(document, bytes) else json.dumps(document).encode()
    manifest, blobs = artifact([(data, media, None)], (EMPTY, NOTATION), subject=(digest, 2))
    push_artifact(box.registry, 'prod/app', ri.digest(manifest), manifest, blobs)
    index = ri.dumps({'schemaVersion': 2, 'mediaType': ri.OCI_INDEX, 'manifests': [
        {'mediaType': ri.OCI_MANIFEST, 'artifactType': NOTATION, 'size': len(manifest), 'digest': ri.digest(manifest)}]})
    put(box.registry, 'prod/app/manifests/' + digest.replace(':', '-'), index, ri.OCI_INDEX)


def test_notation(box):
    ca, foreign = Authority(box.base, 'ca'), Authority(box.base, 'foreign')
    key, rsa = box.keys['p256'], box.keys['rsa']
    reference, digest, _ = box.image(tag='notation')
    rules = [box.rule(None, format='notation', cert=ca.cert)]
    del rules[0]['key']
    Node(box, rules).bad(reference, 'AUTH', 'has no notation signature', ca.cert)
    leaf = ca.issue(key)
    for name, alg in (('p256', 'ES256'), ('p384', 'ES384'), ('rsa', 'PS256'), ('rsa3072', 'PS384')):
        attach_notation(box, digest, envelope(box.keys[name], alg, [ca.issue(box.keys[name]), ca.der()], digest))
        Node(box, rules).good(reference)
    attach_notation(box, digest, envelope(key, 'ES256', [leaf], digest))  # the authority is known anyway
    Node(box, rules).good(reference)
    good = envelope(key, 'ES256', [leaf], digest)
    self_signed = box.base + '/self.pem'
    openssl('req', '-x509', '-key', key.path, '-out', self_signed, '-days', '10', '-subj', '/CN=self', '-addext',
            'basicConstraints=critical,CA:FALSE', '-addext', 'keyUsage=digitalSignature')
    Node(box, [dict(rules[0], cert=self_signed)]).bad(reference, 'AUTH', 'certificate is not accepted')
    attach_notation(box, digest, envelope(key, 'ES256', [openssl('x509', '-in', self_signed, '-outform', 'DER')], digest))
    Node(box, [dict(rules[0], cert=[ca.cert, self_signed])]).good(reference)

    def changed(**parts):
        value = copy.deepcopy(good)
        value.update(parts)
        return value
    old = ('20200101000000Z', '20210101000000Z')
    later = ('20980101000000Z', '20991231000000Z')
    other_digest = 'sha256:' + 'c' * 64
    expiry = {'crit': (SCHEME, EXPIRY)}
    cases = [
        (envelope(key, 'ES256', [foreign.issue(key), foreign.der()], digest), 'not accepted'),
        (envelope(key, 'ES256', [foreign.issue(key), ca.der()], digest), 'not accepted'),
        (envelope(box.other, 'ES256', [leaf], digest), "not that key's"),
        (envelope(key, 'ES256', [ca.issue(key, days=old)], digest), 'expired'),
        (envelope(key, 'ES256', [ca.issue(key, days=later)], digest), 'not yet valid'),
        (envelope(key, 'ES256', [ca.issue(key, extended='serverAuth')], digest), 'signing code'),
        (envelope(key, 'ES256', [ca.issue(key, usage='keyEncipherment')], digest), 'digital signatures'),
        (envelope(key, 'ES256', [leaf], other_digest), 'another manifest'),
        (envelope(key, 'none', [leaf], digest, sign_alg='ES256'), "the algorithm is 'none'"),
        (envelope(key, 'HS256', [leaf], digest, sign_alg='ES256'), "the algorithm is 'HS256'"),
        (envelope(key, 'ES384', [leaf], digest), "not that key's"),
        (envelope(rsa, 'PS384', [ca.issue(rsa)], digest), "not that key's"),
        (envelope(rsa, 'RS256', [ca.issue(rsa)], digest, sign_alg='PS256'), "the algorithm is 'RS256'"),
        (envelope(key, 'ES256', [leaf], digest, scheme='notary.x509.signingAuthority'), 'signing scheme'),
        (envelope(key, 'ES256', [leaf], digest, crit=(SCHEME, 'b64'), header={'b64': False}), "'b64'"),
        (envelope(key, 'ES256', [leaf], digest, crit=(EXPIRY,), header={EXPIRY: '2099-01-01T00:00:00Z'}), 'not critical'),
        (envelope(key, 'ES256', [leaf], digest, header={'crit': None}), "'crit' is missing"),
        (envelope(key, 'ES256', [leaf], digest, header={EXPIRY: '2024-01-01T00:00:00Z'}, **expiry), 'has expired'),
        (envelope(key, 'ES256', [leaf], digest, header={EXPIRY: 'soon'}, **expiry), 'not a time'),
        (envelope(key, 'ES256', [leaf], digest, header={'cty': 'text/plain'}), 'the payload is'),
        (envelope(key, 'ES256', [leaf], digest, payload={}), 'targetArtifact'),
        (envelope(key, 'ES256', [leaf], digest, payload={'targetArtifact': {'digest': 7}}), 'digest'),
        (changed(payload=good['payload'][:-1]), "not that key's"),
        (changed(payload=b64url(json.dumps({'targetArtifact': {'digest': digest}}).encode())), "not that key's"),
        (changed(signature=good['signature'][:-4]), "not that key's"),
        (changed(signature=good['signature'] + '='), 'base64url'),
        (changed(signature=b64url(key.sign((good['protected'] + '.' + good['payload']).encode()))), "not that key's"),
        (changed(signature=''), "not that key's"),
        (changed(signature=b64url(bytes(64))), "not that key's"),
        (changed(signatures=[]), 'several signatures'),
        (changed(header={'x5c': []}), 'no certificates'),
        (changed(header={'x5c': good['header']['x5c'] * 11}), 'more than 10'),
        (changed(header={'x5c': ['!']}), 'not base64'),
        (changed(header={'x5c': ['AAAA']}), 'malformed'),
        (changed(header={'x5c': [good['header']['x5c'][0][:-8]]}), 'malformed'),
        (changed(header=7), 'no certificates'),
        (changed(protected=7), 'protected'),
        (b'', 'JSON'), (b'[]', 'JSON'), (os.urandom(3000), 'JSON'), (b'{' * 100000, 'JSON'),
        (b'"' + b'x' * (1 << 20) + b'"', 'the limit is 1048576'),
    ]
    for document, text in cases:
        attach_notation(box, digest, document)
        Node(box, rules).bad(reference, 'AUTH', text)
    attach_notation(box, digest, good, 'application/cose')
    Node(box, rules).bad(reference, 'AUTH', 'COSE')
    attach_notation(box, digest, good)
    Node(box, rules).good(reference)
    Node(box, [dict(rules[0], cert=key.pub)]).bad(reference, 'INVALID', 'no certificate')


def test_expiry_of_what_is_stored(box):
    """A signature that ends is not kept longer."""
    ca, key = Authority(box.base, 'short'), box.keys['p256']
    reference, digest, _ = box.image(tag='short')
    rules = [{'prefix': box.registry.host + '/prod', 'format': 'notation', 'cert': ca.cert}]
    leaf, expiry = ca.issue(key), {'crit': (SCHEME, EXPIRY)}
    end = int(time.time()) + 5 * 86400  # before the authority's own
    text = time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime(end))
    attach_notation(box, digest, envelope(key, 'ES256', [leaf], digest, header={EXPIRY: text}, **expiry))
    node = Node(box, rules)
    node.good(reference)
    node.good(reference, '--never')
    with contextlib.closing(sqlite3.connect(node.tool.root + '/zlayer.db')) as db:
        until = db.execute('SELECT until FROM verified').fetchall()
        assert until == [(end,)], until
        db.execute('UPDATE verified SET until = ?', (int(time.time()) - 1,))
        db.commit()
    node.bad(reference, 'NOT_FOUND', 'verified', args=('--never',))
    attach_notation(box, digest, envelope(key, 'ES256', [leaf], digest, header={EXPIRY: '2024-01-01T00:00:00Z'}, **expiry))
    node.bad(reference, 'AUTH', 'has expired', args=('--newer',))


def main():
    build = sys.argv[1] if len(sys.argv) > 1 else os.environ.get('ZLAYER_BUILD')
    if build is None:
        sys.exit(__doc__)
    missing = [p for p in ('docker-registry', 'skopeo', 'openssl') if shutil.which(p) is None]
    if missing or os.geteuid() != 0:
        print('needs root and docker-registry, skopeo, openssl')
        sys.exit(77)
    wanted = sys.argv[2:]
    with tempfile.TemporaryDirectory(prefix='zl-signed-') as base:
        registry = Registry(base)
        try:
            box = Box(os.path.abspath(build), base, registry)
            tests = [(n, f) for n, f in sorted(globals().items()) if n.startswith('test_')]
            tests = [(n, f) for n, f in tests if not wanted or n[5:] in wanted]
            failed = 0
            for number, (name, test) in enumerate(tests, 1):
                try:
                    test(box)
                    print('ok %d - %s' % (number, name[5:]), flush=True)
                except Exception:  # noqa: BLE001
                    failed += 1
                    print('not ok %d - %s' % (number, name[5:]), flush=True)
                    import traceback
                    print('# ' + traceback.format_exc().replace('\n', '\n# '), flush=True)
            print('1..%d' % len(tests))
            sys.exit(1 if failed else 0)
        finally:
            registry.stop()


if __name__ == '__main__':
    main()
