# SPDX-License-Identifier: Apache-2.0
"""Images for the registry tests, made by hand so that every byte is known: layers with all kinds of
entries, OCI layouts around them, and small helpers to run the tool under test."""
import gzip
import hashlib
import io
import json
import os
import subprocess
import tarfile

OCI_MANIFEST = 'application/vnd.oci.image.manifest.v1+json'
OCI_INDEX = 'application/vnd.oci.image.index.v1+json'
OCI_CONFIG = 'application/vnd.oci.image.config.v1+json'
DOCKER_MANIFEST = 'application/vnd.docker.distribution.manifest.v2+json'
DOCKER_LIST = 'application/vnd.docker.distribution.manifest.list.v2+json'
DOCKER_CONFIG = 'application/vnd.docker.container.image.v1+json'
LAYER = 'application/vnd.oci.image.layer.v1.tar'
DOCKER_LAYER = 'application/vnd.docker.image.rootfs.diff.tar.gzip'

# security.capability, version 2: cap_net_bind_service effective and permitted
CAPABILITY = bytes.fromhex('0100000200040000000000000000000000000000')


def digest(data):
    return 'sha256:' + hashlib.sha256(data).hexdigest()


class Layer:
    """A tar in memory, entry by entry."""

    def __init__(self):
        self.out = io.BytesIO()
        self.tar = tarfile.open(fileobj=self.out, mode='w', format=tarfile.PAX_FORMAT)

    def add(self, name, kind=tarfile.REGTYPE, data=b'', mode=0o644, uid=0, gid=0, mtime=1600000000,
            link='', xattrs=None, dev=(0, 0)):
        info = tarfile.TarInfo(name)
        info.type, info.mode, info.uid, info.gid = kind, mode, uid, gid
        info.mtime, info.linkname, info.size = mtime, link, len(data)
        info.devmajor, info.devminor = dev
        for key, value in (xattrs or {}).items():
            info.pax_headers['SCHILY.xattr.' + key] = value.decode('utf-8', 'surrogateescape')
        self.tar.addfile(info, io.BytesIO(data) if data else None)
        return self

    def dir(self, name, mode=0o755, **more):
        return self.add(name, tarfile.DIRTYPE, mode=mode, **more)

    def symlink(self, name, link, **more):
        return self.add(name, tarfile.SYMTYPE, link=link, mode=0o777, **more)

    def hardlink(self, name, link):
        return self.add(name, tarfile.LNKTYPE, link=link)

    def bytes(self):
        self.tar.close()
        return self.out.getvalue()


def compress(data, how):
    if how == 'gzip':
        return gzip.compress(data, 6, mtime=0)
    if how == 'gzip-members':  # RFC 1952: one after the other; eStargz and pigz -i write this
        half = len(data) // 2
        return gzip.compress(data[:half], 1, mtime=0) + gzip.compress(data[half:], 9, mtime=0)
    if how == 'zstd':
        return subprocess.run(['zstd', '-q', '-c'], input=data, stdout=subprocess.PIPE,
                              check=True).stdout
    assert how == 'none'
    return data


SUFFIX = {'gzip': '+gzip', 'gzip-members': '+gzip', 'zstd': '+zstd', 'none': ''}


def dumps(value):
    return json.dumps(value, separators=(',', ':')).encode()


class Image:
    """Config, manifest and blobs for a list of layer tars."""

    def __init__(self, tars, how, arch='amd64', system='linux', docker=False, config=None):
        self.blobs, self.layers = {}, []
        for tar, method in zip(tars, how):
            blob = compress(tar, method)
            media = DOCKER_LAYER if docker else LAYER + SUFFIX[method]
            self.layers.append(self.put(blob, media))
        body = {'architecture': arch, 'os': system, 'config': config or {},
                'rootfs': {'type': 'layers', 'diff_ids': [digest(t) for t in tars]}}
        body.update({} if system == 'linux' else {'os.version': '10.0.20348.2966'})
        self.config = self.put(dumps(body), DOCKER_CONFIG if docker else OCI_CONFIG)
        self.media_type = DOCKER_MANIFEST if docker else OCI_MANIFEST
        self.document = {'schemaVersion': 2, 'mediaType': self.media_type,
                         'config': self.config, 'layers': self.layers}
        self.seal()

    def put(self, data, media):
        self.blobs[digest(data)] = data
        return {'mediaType': media, 'size': len(data), 'digest': digest(data)}

    def seal(self):
        self.manifest = dumps(self.document)
        self.digest = digest(self.manifest)

    def descriptor(self, **more):
        return dict({'mediaType': self.media_type, 'size': len(self.manifest),
                     'digest': self.digest}, **more)


def write_layout(path, images):
    """images: {tag: Image}"""
    os.makedirs(path + '/blobs/sha256')
    with open(path + '/oci-layout', 'w') as f:
        json.dump({'imageLayoutVersion': '1.0.0'}, f)
    entries = []
    for tag, image in images.items():
        for name, data in list(image.blobs.items()) + [(image.digest, image.manifest)]:
            with open(path + '/blobs/' + name.replace(':', '/'), 'wb') as f:
                f.write(data)
        entries.append(image.descriptor(
            annotations={'org.opencontainers.image.ref.name': tag}))
    with open(path + '/index.json', 'wb') as f:
        f.write(dumps({'schemaVersion': 2, 'mediaType': OCI_INDEX, 'manifests': entries}))


def tree_layers():
    """Five layers that use what layers can use."""
    one = Layer()
    one.dir('./', mode=0o755, mtime=1500000000)
    one.dir('etc/', mtime=1500000001.5).dir('usr/', mode=0o711, uid=3, gid=4)
    one.dir('usr/bin').dir('usr/share').dir('usr/lib', mode=0o2775, gid=50).dir('tmp', mode=0o1777)
    one.dir('opaque', mode=0o700).dir('opaque/sub').dir('gone').dir('turns').dir('deep')
    one.add('etc/passwd', data=b'root:x:0:0::/root:/bin/sh\n', mtime=1500000002.25)
    one.add('etc/shadow', data=b'x' * 5000, mode=0o600, gid=42).add('etc/empty')
    one.add('usr/bin/su', data=b'\x7fELF' + b's' * 70000, mode=0o4755)
    one.add('usr/bin/ping', data=b'ping', mode=0o755, xattrs={'security.capability': CAPABILITY})
    one.add('usr/bin/note', data=b'note', xattrs={'user.note': b'some text'})
    one.hardlink('usr/bin/su2', 'usr/bin/su').hardlink('usr/lib/su3', './usr/bin/su')
    one.symlink('usr/bin/sh', '../../bin/busybox', mtime=1500000003)
    one.symlink('etc/absolute', '/etc/passwd').symlink('dangling', 'no/such')
    one.add('tmp/pipe', tarfile.FIFOTYPE, mode=0o620)
    one.add('tmp/null', tarfile.CHRTYPE, mode=0o666, dev=(1, 3))
    one.add('tmp/loop', tarfile.BLKTYPE, mode=0o660, gid=6, dev=(7, 300))
    one.add('opaque/a', data=b'a').add('opaque/sub/b', data=b'b').add('gone/x', data=b'x')
    one.add('turns/into', data=b'file').add('stays', data=b'1').add('deep/kept', data=b'k')
    one.add('linked', data=b'shared content').hardlink('linked-too', 'linked')
    one.add('n' * 255, data=b'long').add('/'.join(['deep'] + ['d' * 60] * 5) + '/f', data=b'far')
    one.add('etc/ünïcode ☃', data=b'snow', uid=70000, gid=70001)

    two = Layer()
    two.dir('opaque', mode=0o750, mtime=1500000010).add('opaque/.wh..wh..opq')
    two.add('opaque/new', data=b'new').add('.wh.gone').add('etc/.wh.shadow')
    two.add('.wh.turns').add('turns', data=b'a file now', mtime=1500000011)
    two.add('stays', data=b'22', mode=0o640, mtime=1500000012)
    two.dir('usr', mode=0o755, mtime=1500000013)

    three = Layer()  # directories that the archive does not contain: attributes come from below
    three.add('usr/share/implicit/down/file', data=b'i').add('etc/added', data=b'added')
    three.dir('turns').add('turns/.keep', data=b'and a directory again')

    four = Layer()  # a link to a file of a lower layer
    four.hardlink('again', 'linked').add('etc/.wh.empty')
    five = Layer().add('top', data=os.urandom(300000), mode=0o755, mtime=1500000020)
    return [layer.bytes() for layer in (one, two, three, four, five)]


def small_image(count=1, seed='', **more):
    tars = [Layer().dir('d').add('d/f%d' % i, data=('%s %d ' % (seed, i)).encode() * 9).bytes()
            for i in range(count)]
    return Image(tars, ['gzip'] * count, **more)


class Tool:
    """pull_tool of a build directory, on its own root."""

    def __init__(self, build, root):
        self.path = os.path.join(build, 'tests/unit/image/pull_tool')
        self.helpers = build
        self.root = root

    def start(self, *args, env=None):
        # What is configured on this machine must not leak into the tests.
        clean = {'PATH': os.environ['PATH'], 'HOME': self.root, 'REGISTRY_AUTH_FILE': '/dev/null'}
        for name in ('ASAN_OPTIONS', 'UBSAN_OPTIONS', 'TSAN_OPTIONS', 'ZLAYER_LOG'):
            if name in os.environ:
                clean[name] = os.environ[name]
        clean.update(env or {})
        return subprocess.Popen([self.path, self.root, self.helpers] + list(args), env=clean,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def run(self, *args, env=None, timeout=60):
        process = self.start(*args, env=env)
        try:
            out, err = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            raise
        return process.returncode, out.decode(), err.decode('utf-8', 'replace')

    def layers(self):
        """Names below ROOT/layers: (published, staging)."""
        path = os.path.join(self.root, 'layers')
        names = os.listdir(path) if os.path.isdir(path) else []
        return ([n for n in names if not n.startswith(('tmp-', 'lock-'))],
                [n for n in names if n.startswith('tmp-')])
