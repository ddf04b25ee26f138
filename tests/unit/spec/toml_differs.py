#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Mutated TOML documents through our reader and Python's tomllib, which have to agree on which are
TOML and on what is in them. Usage: toml_differs.py TOOL. $ZL_TEST_SEED, $ZL_TEST_ITERATIONS."""
import json
import math
import os
import random
import subprocess
import sys
import tomllib

PIECES = [
    'a = 1\n', 'b.c = "x"\n', '[t]\n', '[t.u]\n', '[[arr]]\n', '[[arr.in]]\n', '[arr.x]\n', 'k = true\n',
    "'q u' = 'l\\it'\n", '"e\\u00e9" = "\\t\\"\\\\"\n', 'm = """\nline\\\n   joined\n"""\n', "n = '''\nraw''' \n",
    'i = {x = 1, y.z = [1, 2,], w = {}}\n', 'l = [\n 1, # c\n [2, "3"],\n]\n', 'h = 0xfF\n', 'o = 0o17\n',
    'd = 0b101\n', 'f = 1.5e+3\n', 'g = -0\n', 'u = 1_000\n', '# comment\n', '\n', 'x.y = 1\n', 'x.z = 2\n',
    '[x]\n', '[x.y]\n', 'j = "snow ☃"\n', 'p = ""\n', 's = """a""b"""""\n', 'inf1 = inf\n', 'r = "\\U0001F600"\n',
    '[ t . "u" ]\n', 'v = 9223372036854775807\n', 'a = 2\n', 'i.x = 3\n', '[b.c.d]\n', '\r\n', ' \t',
]
NOISE = ['"', "'", '[', ']', '{', '}', '=', '.', ',', '#', '\n', '\r', '\t', '\\', '_', '0', '1', '-', '+', 'e',
         'true', 'nan', '"""', "'''", '\x00', '\x7f', 'é', '[[', ']]', '\\u0041', '\\x', ' ']


def document(rng):
    text = ''.join(rng.choice(PIECES) for _ in range(rng.randrange(1, 8)))
    for _ in range(rng.choice([0, 0, 1, 1, 2, 4])):
        at = rng.randrange(len(text) + 1)
        cut = rng.choice([0, 0, 1, 2])
        text = text[:at] + rng.choice(NOISE + ['']) + text[at + cut:]
    return text


def plain(value):
    """Floats by their text differ: compare what they are."""
    if isinstance(value, dict):
        return {k: plain(v) for k, v in value.items()}
    if isinstance(value, list):
        return [plain(v) for v in value]
    return 'nan' if isinstance(value, float) and math.isnan(value) else value


class NotSupported(Exception):
    pass


def theirs(text):
    def no_time(value):
        if isinstance(value, dict):
            value = list(value.values())
        if isinstance(value, list):
            for one in value:
                no_time(one)
        elif not isinstance(value, (str, int, float)):
            raise NotSupported
        elif isinstance(value, int) and not -2**63 <= value < 2**63:
            raise NotSupported
        elif isinstance(value, str) and '\0' in value:
            raise NotSupported
    try:
        value = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, ValueError, RecursionError):
        return None
    no_time(value)
    return plain(value)


def ours(line):
    if line.startswith('error: '):
        return None
    # JSON has no infinity; our numbers keep the text of the file without underscores.
    names = {'.inf': 'Infinity', '-.inf': '-Infinity', '.nan': 'NaN', '-.nan': 'NaN'}
    out, i, quoted = [], 0, False
    while i < len(line):
        if quoted and line[i] == '\\':
            out.append(line[i:i + 2])
            i += 2
            continue
        if line[i] == '"':
            quoted = not quoted
        for name, word in names.items():
            if not quoted and line.startswith(name, i):
                out.append(word)
                i += len(name)
                break
        else:
            out.append(line[i])
            i += 1
    return plain(json.loads(''.join(out)))


def main():
    seed = int(os.environ.get('ZL_TEST_SEED', random.randrange(2**32)))
    iterations = int(os.environ.get('ZL_TEST_ITERATIONS', 20000))
    print('seed', seed, flush=True)
    rng = random.Random(seed)
    tool = subprocess.Popen([sys.argv[1]], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    agreed = good = 0
    for i in range(iterations):
        text = document(rng)
        data = text.encode()
        tool.stdin.write(b'%d\n' % len(data) + data)
        tool.stdin.flush()
        line = tool.stdout.readline().decode().rstrip('\n')
        try:
            want = theirs(text)
        except NotSupported:
            continue
        got = ours(line)
        if got != want:
            sys.exit('document %d of seed %d:\n%r\nours   %r\ntheirs %r' % (i, seed, text, line, want))
        agreed += 1
        good += want is not None
    tool.stdin.close()
    if tool.wait() != 0 or good < iterations / 20:
        sys.exit('the tool ended with %r, %d good documents' % (tool.returncode, good))
    print('%d documents read alike, %d of them TOML' % (agreed, good))


main()
