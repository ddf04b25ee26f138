#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Pulls by the configuration of other tools: containerd's hosts.toml, podman's registries.conf, directories of
certificates, auth.json. Usage: registry_routes.py [BUILD_DIR [NAME...]], or with $ZLAYER_BUILD.
Each case has its own servers on loopback and its own store."""
import base64
import json
import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import registry_evil as evil  # noqa: E402
from registry_evil import GOOD, NAME, Server, certificate, honest  # noqa: E402


class Case(evil.Case):
    def __init__(self, build, base, name):
        super().__init__(build, base, name)
        self.dir = os.path.join(base, name + '-etc')
        os.makedirs(self.dir)
        os.makedirs(self.tool.root)
        with open(self.tool.root + '/config.yaml', 'w') as f:
            f.write('registries_conf: %s/registries.conf\nhosts_dir: %s/certs.d\ncerts_dirs: [%s/docker]\n' % (
                (self.dir,) * 3))

    def put(self, name, text):
        path = os.path.join(self.dir, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, 'w') as f:
            f.write(text)
        return path

    def hosts(self, host, text):
        self.put('certs.d/%s/hosts.toml' % host, text)

    def get(self, reference, env=None):
        code, _, err = self.tool.run('pull', '--always', reference, env=env, timeout=300)
        assert 'Sanitizer' not in err, err
        return code, err

    def good(self, reference, **more):
        code, err = self.get(reference, **more)
        assert code == 0, err
        return err

    def bad(self, reference, code, *texts, **more):
        got, err = self.get(reference, **more)
        assert got == 1 and (code + ': ') in err, (got, err)
        for text in texts:
            assert text in err, (text, err)


def paths(server, part=''):
    return [p for p, _ in server.http.seen if part in p]


def test_hosts_toml_order_and_capabilities(case):
    """Tags only from who may resolve; blobs only from who may pull; then the server, with `ns`."""
    with Server(honest) as pulls, Server(honest) as resolves, Server(honest) as pushes, Server(honest) as last:
        case.hosts('img.example.com', '''server = "http://%s/up/"
            [host."http://%s"]
              capabilities = ["pull"]
            [host."http://%s"]
              capabilities = ["resolve"]
            [host."http://%s"]
              capabilities = ["push"]
            ''' % (last.host, pulls.host, resolves.host, pushes.host))
        case.good('img.example.com/%s:good' % NAME)
        assert not pushes.http.seen and not last.http.seen
        assert paths(resolves) == ['/v2/%s/manifests/good?ns=img.example.com' % NAME], resolves.http.seen
        assert len(paths(pulls, '/blobs/')) == 4 and not paths(pulls, '/manifests/good'), pulls.http.seen
    with Server(lambda h: h.reply(500)) as broken, Server(honest) as last:
        case.hosts('img.example.com', 'server = "http://%s/up/"\n[host."http://%s"]\n' % (last.host, broken.host))
        case.good('img.example.com/%s:good' % NAME)
        assert all(p.startswith('/up/v2/%s/' % NAME) and p.endswith('?ns=img.example.com') for p in paths(last))


def test_hosts_toml_override_path_and_headers(case):
    target = []

    def behave(h):
        if h.path.startswith('/elsewhere'):
            return h.reply(200, GOOD.blobs[h.path.rsplit('/', 1)[1]])
        if '/blobs/' in h.path and target:
            return h.reply(307, Location='http://%s/elsewhere/%s' % (target[0], h.path.rsplit('/', 1)[1].split('?')[0]))
        return False
    with Server(honest) as other, Server(behave) as s:
        case.hosts('img.example.com', '''[host."http://%s/own/api"]
            override_path = true
            [host."http://%s/own/api".header]
              X-Secret = ["one", "two"]
              X-Empty = ""
            ''' % (s.host, s.host))
        case.good('img.example.com/%s:good' % NAME)
        assert all(p.startswith('/own/api/%s/' % NAME) for p in paths(s)), s.http.seen
        for _, headers in s.http.seen:
            assert headers.get('X-Secret') in ('one', 'two') and headers.get('X-Empty') == '', headers
        # They are for that server: a redirect does not take them along, not even to itself.
        target.append(other.host)
        other.http.behave = behave
        case.tool.run('remove', 'img.example.com/%s:good' % NAME)
        case.good('img.example.com/%s:good' % NAME)
        assert all('X-Secret' not in headers for _, headers in other.http.seen), other.http.seen
        assert other.http.seen, 'the redirect was not followed'


def test_default_directory(case):
    with Server(honest) as s:
        case.hosts('_default', 'server = "http://%s"\n' % s.host)
        case.good('a.example.com/%s:good' % NAME)
        case.good('b.example.com:81/%s:good' % NAME)
        assert {p.split('?ns=')[1] for p in paths(s)} == {'a.example.com', 'b.example.com:81'}


def test_broken_files_are_named(case):
    case.hosts('img.example.com', 'server = "http://x"\nskip_verify = 1\n')
    case.bad('img.example.com/a', 'INVALID', 'certs.d/img.example.com/hosts.toml: skip_verify', 'line 2, column 15')
    case.put('registries.conf', '[[registry]]\nlocation = "c.example.com"\nblocked = "yes"\n')
    case.bad('c.example.com/a', 'INVALID', 'registries.conf: registry[0].blocked', 'line 3')


def test_unknown_keys_warn(case):
    with Server(honest) as s:
        case.hosts('img.example.com', 'server = "http://%s"\nlater = true\n' % s.host)
        err = case.good('img.example.com/%s:good' % NAME)
        assert "hosts.toml, line 2: key 'later' is not known: ignored" in err, err


def signed_by(case, name, authority):
    """A client's certificate of an authority: (certificate, key)."""
    stem = '%s/%s' % (case.dir, name)
    subprocess.run(['openssl', 'req', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-subj',
                    '/CN=' + name, '-keyout', stem + '.key', '-out', stem + '.csr'], check=True,
                   stderr=subprocess.DEVNULL)
    subprocess.run(['openssl', 'x509', '-req', '-in', stem + '.csr', '-CA', authority, '-CAkey', authority + '.key',
                    '-CAcreateserial', '-days', '2', '-out', stem + '.cert'], check=True, stderr=subprocess.DEVNULL)
    return stem + '.cert', stem + '.key'


def test_client_certificates(case):
    """In hosts.toml, in docker's directory and in config.yaml; the key beside it or in the same file."""
    server, authority = certificate(case, 'server', '127.0.0.1'), certificate(case, 'authority', '127.0.0.2')
    cert, key = signed_by(case, 'me', authority)
    stranger = certificate(case, 'stranger', '127.0.0.3')
    both = case.put('both.pem', open(cert).read() + open(key).read())
    with Server(honest, tls=server + '.both', client_ca=authority) as s:
        reference = '%s/%s:good' % (s.host, NAME)
        case.hosts(s.host, 'ca = "%s"\n' % server)
        case.bad(reference, 'REMOTE')
        case.hosts(s.host, 'ca = "%s"\nclient = [["%s", "%s"]]\n' % (server, stranger, stranger + '.key'))
        case.bad(reference, 'REMOTE')
        assert not s.http.seen
        case.hosts(s.host, 'ca = "%s"\nclient = [["%s", "%s"]]\n' % (server, cert, key))
        case.good(reference)
        case.hosts(s.host, 'ca = ["%s", "%s"]\nclient = "../../both.pem"\n' % (stranger, server))
        case.good(reference)
        case.hosts(s.host, 'skip_verify = true\nclient = "%s"\n' % both)
        case.good(reference)
        case.hosts(s.host, 'ca = "%s"\nclient = "/no/such"\n' % server)
        case.bad(reference, 'REMOTE', '/no/such')
        case.hosts(s.host, 'ca = "/no/ca"\n')
        case.bad(reference, 'NOT_FOUND', "'/no/ca'")
        os.unlink(case.dir + '/certs.d/%s/hosts.toml' % s.host)
        os.rmdir(case.dir + '/certs.d/' + s.host)
        for name, path in (('ca.crt', server), ('client.cert', cert), ('client.key', key)):
            case.put('docker/%s/%s' % (s.host, name), open(path).read())
        case.good(reference)
        os.rename(case.dir + '/docker', case.dir + '/certs.d')  # containerd reads that form, too
        case.good(reference)
        os.rename(case.dir + '/certs.d', case.dir + '/unused')
        case.bad(reference, 'REMOTE')
        with open(case.tool.root + '/config.yaml', 'a') as f:
            f.write('registries: {"%s": {ca_file: %s, client_cert: %s, client_key: %s}}\n' % (
                s.host, server, cert, key))
        case.good(reference)


def test_skip_verify_is_not_plain_http(case):
    cert = certificate(case, 'cert', '127.0.0.9')
    with Server(honest, tls=cert + '.both') as tls, Server(honest) as plain:
        case.hosts(tls.host, 'skip_verify = true\n')
        case.good('%s/%s:good' % (tls.host, NAME))
        case.hosts(plain.host, 'skip_verify = true\n')
        case.bad('%s/%s:good' % (plain.host, NAME), 'REMOTE')
        assert not plain.http.seen


def test_registries_conf(case):
    with Server(honest) as mirror, Server(honest) as place, Server(honest) as digests:
        case.put('registries.conf', '''unqualified-search-registries = ["quay.io"]
            [[registry]]
            prefix = "conf.example.com/ns"
            location = "%s/moved"
            insecure = true
            [[registry.mirror]]
            location = "%s/mirrored"
            insecure = true
            [[registry.mirror]]
            location = "%s"
            insecure = true
            pull-from-mirror = "digest-only"
            [[registry]]
            location = "blocked.example.com"
            blocked = true
            ''' % (place.host, mirror.host, digests.host))
        case.good('conf.example.com/ns/app:good')
        assert all(p.startswith('/v2/mirrored/app/') for p in paths(mirror)) and paths(mirror, '/manifests/good')
        assert not place.http.seen and not digests.http.seen
        case.tool.run('remove', 'conf.example.com/ns/app:good')
        mirror.http.behave = lambda h: h.reply(404)
        case.good('conf.example.com/ns/app:good')
        assert paths(place, '/v2/moved/app/manifests/good') and not digests.http.seen
        case.tool.run('remove', 'conf.example.com/ns/app:good')
        case.good('conf.example.com/ns/app@' + GOOD.digest)
        assert paths(digests, '/v2/app/blobs/')
        case.bad('blocked.example.com/any', 'PERMISSION', "'blocked.example.com' is blocked by", 'registries.conf, line')
        case.put('registries.conf.d/90-open.conf', '[[registry]]\nlocation = "blocked.example.com"\n[[registry.mirror]]\n'
                 'location = "%s"\ninsecure = true\n' % digests.host)
        case.good('blocked.example.com/any:good')
        # What config.yaml says of a registry goes before all that.
        with open(case.tool.root + '/config.yaml', 'a') as f:
            f.write('registries: {blocked.example.com: {mirrors: [{url: "http://%s", tags: true}]}, "%s": {insecure: true}}\n'
                    % (place.host, place.host))
        before = len(digests.http.seen)
        case.good('blocked.example.com/any:good')
        assert len(digests.http.seen) == before


def basic(h):
    wanted = 'Basic ' + base64.b64encode(b'u:' + h.path.split('/')[2].encode()).decode()
    return h.headers.get('Authorization') != wanted and h.reply(401, WWW_Authenticate='Basic realm="x"')


def test_auth_json(case):
    """containers' and docker's files: where they are, and the most specific key."""
    with Server(basic) as s:
        def auths(**names):
            return json.dumps({'auths': {('%s/%s' % (s.host, n)).rstrip('/'): {
                'auth': base64.b64encode(b'u:' + p.encode()).decode()} for n, p in names.items()}})
        env = {'ZLAYER_INSECURE_REGISTRIES': s.host, 'REGISTRY_AUTH_FILE': '', 'HOME': case.dir,
               'XDG_RUNTIME_DIR': case.dir + '/run'}
        one, two = '%s/one/app:good' % s.host, '%s/two/app:good' % s.host
        case.bad(one, 'AUTH', env=env)
        case.put('run/containers/auth.json', auths(**{'': 'wrong', 'one': 'one', 'two/app': 'two', 'two': 'wrong'}))
        case.good(one, env=env)
        case.good(two, env=env)
        case.put('run/containers/auth.json', auths(one='one'))
        case.bad(two, 'AUTH', env=env)
        case.put('.docker/config.json', auths(two='two'))
        case.good(two, env=env)
        case.put('only.json', auths(one='one'))
        case.bad(two, 'AUTH', env=dict(env, REGISTRY_AUTH_FILE=case.dir + '/only.json'))
        case.good(one, env=dict(env, REGISTRY_AUTH_FILE=case.dir + '/only.json'))
        case.put('.config/containers/auth.json', auths(two='wrong'))
        case.bad(two, 'AUTH', env=env)
        # A helper for one repository of containers' file.
        helper = case.put('bin/docker-credential-test', '#!/bin/sh\nread server\n'
                          'printf \'{"Username": "u", "Secret": "two"}\'\n')
        os.chmod(helper, 0o755)
        case.put('run/containers/auth.json', json.dumps({'credHelpers': {s.host: 'test'}}))
        case.good(two, env=dict(env, PATH='%s/bin:%s' % (case.dir, os.environ['PATH'])))


def main():
    build = sys.argv[1] if len(sys.argv) > 1 else os.environ.get('ZLAYER_BUILD')
    if build is None:
        sys.exit(__doc__)
    cases = {name[5:]: fn for name, fn in globals().items() if name.startswith('test_')}
    failed = []
    with tempfile.TemporaryDirectory(prefix='zl-routes-') as base:
        for name in sys.argv[2:] or cases:
            try:
                cases[name](Case(os.path.abspath(build), base, name))
                print('ok   ' + name, flush=True)
            except Exception as e:  # every case is to be reported
                print('FAIL %s: %s: %s' % (name, type(e).__name__, e), flush=True)
                failed.append(name)
    if failed:
        sys.exit('%d of %d failed' % (len(failed), len(cases)))


if __name__ == '__main__':
    main()
