#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Pulls from Debian's docker-registry and compares the merged trees, entry by entry, with what
umoci unpacks. Usage: registry_pull.py [BUILD_DIR], or with $ZLAYER_BUILD. Needs root,
docker-registry, skopeo, umoci and zstd.
Everything happens in a temporary directory, a private mount namespace and on loopback."""
import ctypes
import hashlib
import os
import shutil
import socket
import stat
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import registry_image as ri  # noqa: E402

NEEDED = ('docker-registry', 'skopeo', 'umoci', 'zstd')
CLONE_NEWNS = 0x20000


def private_mounts():
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNS) != 0:
        raise OSError(ctypes.get_errno(), 'unshare')
    subprocess.run(['mount', '--make-rprivate', '/'], check=True)


def free_port():
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        return s.getsockname()[1]


class Registry:
    def __init__(self, base):
        self.port = free_port()
        self.host = '127.0.0.1:%d' % self.port
        self.log = open(base + '/registry.log', 'wb')
        config = base + '/registry.yml'
        with open(config, 'w') as f:
            f.write('version: 0.1\nlog: {level: info}\nstorage:\n  filesystem: {rootdirectory: %s}\n'
                    'http: {addr: "%s"}\n' % (base + '/registry', self.host))
        self.process = subprocess.Popen(['docker-registry', 'serve', config], stdout=self.log,
                                        stderr=self.log)
        deadline = time.monotonic() + 20
        while True:
            try:
                socket.create_connection(('127.0.0.1', self.port), 1).close()
                return
            except OSError:
                if time.monotonic() > deadline or self.process.poll() is not None:
                    raise
                time.sleep(0.05)

    def push(self, layout, tag, name, *more):
        subprocess.run(['skopeo', 'copy', '-q', '--insecure-policy', '--dest-tls-verify=false',
                        *more, 'oci:%s:%s' % (layout, tag), 'docker://%s/%s' % (self.host, name)],
                       check=True)

    def blob_gets(self):
        self.log.flush()
        with open(self.log.name) as f:
            return sum(1 for line in f if '"GET /v2/' in line and '/blobs/' in line)

    def stop(self):
        self.process.kill()
        self.process.wait()
        self.log.close()


def describe(root):
    """path -> everything that can be compared, and the groups of hard links."""
    entries, inodes = {}, {}
    for top, dirs, files in os.walk(root):
        for name in dirs + files + (['.'] if top == root else []):
            path = os.path.join(top, name)
            st = os.lstat(path)
            rel = os.path.relpath(path, root)
            entry = {'mode': oct(st.st_mode), 'owner': (st.st_uid, st.st_gid)}
            if rel != '.':
                entry['mtime'] = st.st_mtime_ns
            if stat.S_ISLNK(st.st_mode):
                entry['link'] = os.readlink(path)
            if stat.S_ISCHR(st.st_mode) or stat.S_ISBLK(st.st_mode):
                entry['rdev'] = st.st_rdev
            if stat.S_ISREG(st.st_mode):
                entry['size'] = st.st_size
                with open(path, 'rb') as f:
                    entry['content'] = hashlib.sha256(f.read()).hexdigest()
            entry['xattrs'] = sorted((n, os.getxattr(path, n, follow_symlinks=False))
                                     for n in os.listxattr(path, follow_symlinks=False)
                                     if not n.startswith('trusted.overlay.'))
            entries[rel] = entry
            if not stat.S_ISDIR(st.st_mode):
                inodes.setdefault((st.st_dev, st.st_ino), set()).add(rel)
    groups = sorted(sorted(g) for g in inodes.values() if len(g) > 1)
    return entries, groups


def tree(layer, where, mounted):
    """The directory of a layer; an image is mounted for it, after fsck.erofs has had its say."""
    if not layer.endswith('.erofs'):
        return layer
    subprocess.run(['fsck.erofs', layer], check=True, stdout=subprocess.DEVNULL)
    os.makedirs(where)
    subprocess.run(['mount', '-t', 'erofs', '-o', 'ro,loop', layer, where], check=True)
    mounted.append(where)
    return where


def merged(tool, reference, where):
    code, out, err = tool.run('resolve', reference)
    assert code == 0, err
    layers = [line[6:] for line in out.splitlines() if line.startswith('layer ')]
    os.makedirs(where)
    mounted = []
    try:
        layers = [tree(layer, '%s-%d' % (where, i), mounted) for i, layer in enumerate(layers)]
        options = (['--bind', layers[0]] if len(layers) == 1 else
                   ['-t', 'overlay', 'overlay', '-o', 'ro,lowerdir=' + ':'.join(layers)])
        subprocess.run(['mount', *options, where], check=True)
        mounted.append(where)
        return describe(where)
    finally:
        for place in reversed(mounted):
            subprocess.run(['umount', place], check=True)


# Directories that no layer contains have the time at which they were made, and umoci touches those
# in which it makes them. A link to a file of a lower layer stays together with that name; overlayfs
# cannot join it with the file's other names down there.
UNTIMED = ('deep', 'usr/share')
OTHER_NAME = 'linked-too'


def differences(ours, theirs):
    lines = []
    for entries, groups in (ours, theirs):
        for path in entries:
            if path.startswith(UNTIMED) and stat.S_ISDIR(int(entries[path]['mode'], 8)):
                entries[path].pop('mtime', None)
        for group in groups:
            if OTHER_NAME in group:
                group.remove(OTHER_NAME)
    for path in sorted(set(ours[0]) | set(theirs[0])):
        a, b = ours[0].get(path), theirs[0].get(path)
        if a != b:
            lines.append('%s:\n  zlayer %s\n  umoci  %s' % (path, a, b))
    if ours[1] != theirs[1]:
        lines.append('hard links:\n  zlayer %s\n  umoci  %s' % (ours[1], theirs[1]))
    return lines


def umoci_tree(base, layout, tag):
    bundle = '%s/umoci-%s' % (base, tag)
    subprocess.run(['umoci', 'unpack', '--image', '%s:%s' % (layout, tag), bundle], check=True,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return describe(bundle + '/rootfs')


def check_same(name, ours, theirs):
    lines = differences(ours, theirs)
    assert not lines, '%s differs from umoci:\n%s' % (name, '\n'.join(lines))
    print('ok   %s: %d entries, %d groups of hard links are the same' % (name, len(ours[0]),
                                                                      len(ours[1])))


def pull(tool, env, *args):
    code, out, err = tool.run('pull', *args, env=env)
    assert code == 0, err
    return out.strip()


def test_trees(base, build, registry, env):
    tars = ri.tree_layers()
    plain = ri.Image(tars, ['gzip'] * 5, config={'Cmd': ['/bin/sh'], 'Env': ['A=b']})
    mixed = ri.Image(tars, ['gzip', 'zstd', 'gzip-members', 'none', 'zstd'])
    layout = base + '/layout'
    ri.write_layout(layout, {'plain': plain, 'mixed': mixed})
    theirs = umoci_tree(base, layout, 'plain')
    registry.push(layout, 'plain', 'tree:oci')
    registry.push(layout, 'mixed', 'tree:mixed')
    registry.push(layout, 'plain', 'tree:docker', '-f', 'v2s2')
    subprocess.run(['skopeo', 'copy', '-q', '--insecure-policy', 'oci:%s:plain' % layout,
                    'docker-archive:%s/saved.tar:example/tree:1' % base], check=True)
    subprocess.run(['skopeo', 'copy', '-q', '--insecure-policy', 'oci:%s:mixed' % layout,
                    'oci-archive:%s/layout.tar:mixed' % base], check=True)
    references = ['%s/tree:%s' % (registry.host, tag) for tag in ('oci', 'mixed', 'docker')]
    references += ['oci:%s:mixed' % layout, 'oci-archive:%s/layout.tar:mixed' % base,
                   'docker-archive:%s/saved.tar:example/tree:1' % base,
                   'docker-archive:%s/saved.tar' % base]
    for kind in ('directory', 'erofs'):
        for i, reference in enumerate(references):
            tool = ri.Tool(build, '%s/root-%s-%d' % (base, kind, i))  # a fresh store: nothing is reused
            found = pull(tool, {**env, 'ZLAYER_LAYERS': kind}, reference)
            assert found.startswith('sha256:') and len(found) == 71, found
            assert not tool.layers()[1], 'staging is left behind'
            check_same('%s, %s' % (reference.replace(base, ''), kind),
                       merged(tool, reference, '%s/m-%s-%d' % (base, kind, i)), theirs)


def test_sharing(base, build, registry, env):
    """Ten concurrent pulls of two images with the same layers, in processes: one download each."""
    images = {'a': ri.small_image(6, 'shared'), 'b': ri.small_image(6, 'shared', config={'Cmd': ['b']})}
    layout = base + '/layout-shared'
    ri.write_layout(layout, images)
    for tag in images:
        registry.push(layout, tag, 'shared:' + tag)
    tool = ri.Tool(build, base + '/root-shared')
    before = registry.blob_gets()
    running = [tool.start('pull', '%s/shared:%s' % (registry.host, 'ab'[i % 2]), env=env)
               for i in range(10)]
    for process in running:
        _, err = process.communicate(timeout=120)
        assert process.returncode == 0, err
    # Six layers once; each of the ten pulls reads its configuration.
    gets = registry.blob_gets() - before
    assert gets == 16, '%d blobs were fetched, expected 16' % gets
    published, staging = tool.layers()
    assert len(published) == 6 and not staging, (published, staging)
    code, _, err = tool.run('remove', '%s/shared:a' % registry.host)
    assert code == 0 and len(tool.layers()[0]) == 6, err
    code, _, err = tool.run('remove', '%s/shared:b' % registry.host)
    assert code == 0 and not os.listdir(tool.root + '/layers'), err
    print('ok   ten concurrent pulls downloaded each layer once; removal left nothing')


def test_policies(base, build, registry, env):
    tool = ri.Tool(build, base + '/root-policy')
    reference = '%s/moving:tag' % registry.host
    layout = base + '/layout-policy'
    ri.write_layout(layout, {'1': ri.small_image(1, 'one'), '2': ri.small_image(1, 'two')})
    code, _, err = tool.run('pull', '--never', reference, env=env)
    assert code == 1 and err.startswith('NOT_FOUND'), err
    registry.push(layout, '1', 'moving:tag')
    first = pull(tool, env, reference)
    registry.push(layout, '2', 'moving:tag')
    assert pull(tool, env, reference) == first
    assert pull(tool, env, '--never', reference) == first
    second = pull(tool, env, '--newer', reference)
    assert second != first
    assert pull(tool, env, '--newer', reference) == second
    assert pull(tool, env, '--always', reference) == second
    by_digest = '%s/moving@%s' % (registry.host, first)
    assert pull(tool, env, by_digest) == first
    code, out, _ = tool.run('gc')
    assert code == 0 and out.startswith('images 0 layers 0'), out
    code, out, err = tool.run('remove', first[7:20])
    assert code == 0, err
    code, out, _ = tool.run('resolve', by_digest)
    assert code == 1
    print('ok   pull policies, pulls and removal by digest')


def main():
    build = sys.argv[1] if len(sys.argv) > 1 else os.environ.get('ZLAYER_BUILD')
    if build is None:
        sys.exit(__doc__)
    missing = [p for p in NEEDED if shutil.which(p) is None]
    if missing or os.geteuid() != 0:
        print('needs root and %s' % ', '.join(NEEDED))
        sys.exit(77)
    build = os.path.abspath(build)
    private_mounts()
    with tempfile.TemporaryDirectory(prefix='zl-registry-') as base:
        registry = Registry(base)
        env = {'ZLAYER_INSECURE_REGISTRIES': registry.host}
        try:
            test_trees(base, build, registry, env)
            test_sharing(base, build, registry, env)
            test_policies(base, build, registry, env)
        finally:
            registry.stop()


if __name__ == '__main__':
    main()
