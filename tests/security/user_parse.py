#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""CVE-2026-30892 (crun), CVE-2024-40635 and CVE-2026-46680 (containerd): a user's text that was half understood made
somebody root. Ids of documents and `exec --user` of zlayer-oci, which takes numbers; user_names.py has those of zlayer,
which takes names too, each by a model of its own. The engine's own table is tests/unit/engine/test_users.c."""
import json
import re

from secbox import all_cases, case, check, equal, main

TOP = 2**32 - 2  # 2**32 - 1 is what setuid(2) takes for "no change"
NUMBER = re.compile(r"0|[1-9][0-9]*")
ODD = ["-1", "-0", "+1", "+0", "--1", "0x0", "0X0", "0x10", "00", "01", "0000", "007", "0815", "08", "1e3", "1e0", "1.0", "0.0", ".5", "5.",
       "1_000", "1,000", " 1", "1 ", "\t1", "1\t", "1\n", "\n1", "1\r", "1\v", " ", "\n", "-", "+", ".", "..", "/", "*", "?", "%d", "%n%s",
       "$UID", "`id`", "0;id", "0|id", "0&", "root;", "root ", " root", "root\n", "root\nroot", "ROOT", "Root", "r", "roo", "rooty",
       "rootroot", "nil", "null", "None", "true", "false", "NaN", "inf", "0b1", "0o7", "1L", "1u", "1h", "1k", "٠", "０", "1٠", "é", "\x7f",
       "\x01", "1\u200b", "\ufeff1", "user\u00a0", "ů", "user:", ":", "::", ":0", ":user", "0:", "1:", "0:0:0", "0:0:", "::0", "1:2:3",
       "root:root:root", "0:-1", "0:+1", "0: 0", "0:0 ", "0:00", "0:0x0", "0:\n", "-1:0", "user:user:x", "user: user", "a" * 300, "0" * 300,
       "9" * 300, "x" * 5000, "1:" + "9" * 300, "'0'", '"0"', "(0)", "[0]", "{0}", "#0", "~0", "@0", "!root", "0,0", "0/0", "0=0"]
SIZES = [str(n) for n in (TOP, TOP + 1, TOP + 2, 2**32 + 1000, 2**31 - 1, 2**31, 2**33, 2**63 - 1, 2**63, 2**64 - 1, 2**64, 2**64 + 1,
                          2**64 + 1000, 2**65, 2**128, 10**40)]
RIGHT = ["0", "1", "7", "10", "999", "1000", "1001", "65534", "65535", "65536", "0:0", "1:2", "1000:1000", "1000:0", "0:1000", "7:8",
         f"{TOP}:{TOP}", f"0:{TOP}", f"{TOP}:0"]
NAMES = ["root", "user", "user:user", "user:root", "root:user", "user:0", "user:1000", "0:user", "1000:user", "4711", "4711:4711", "12:staff",
         "staff", "user:staff", "host$", "a.b-c_d@e", "nobody", "nogroup", "user:nogroup", "minus", "hex", "huge", "last", "octal", "short",
         "x", "0:minus"]
PAIRS = [f"{a}:{b}" for a in ("0", "1000") for b in SIZES[1:9]] + [f"{a}:0" for a in SIZES[1:9]]
TEXTS = list(dict.fromkeys(RIGHT + ODD + SIZES + NAMES + PAIRS))
PASSWD = "root:x:0:0::/root:/bin/sh\nuser:x:1000:1001::/home/user:/bin/sh\n4711:x:12:13::/:\n"


def number(text):
    return int(text) if NUMBER.fullmatch(text) and text.isascii() and int(text) <= TOP else None


def numbers_only(text):
    """The model of zlayer-oci: ID[:ID]; None: an error."""
    user, colon, group = text.partition(":")
    ids = number(user), number(group) if colon else 0
    return None if None in ids else ids


def prepare(box):
    (box.rootfs / "etc" / "passwd").write_text(PASSWD)


def ids(text):
    uid, gid = text.split()
    return int(uid), int(gid)


@case
def there_are_two_hundred(box):
    check(len(TEXTS) >= 200, f"{len(TEXTS)} texts")
    right = sum(numbers_only(text) is not None for text in TEXTS)
    check(15 < right < 60, f"the model takes {right}")


@case
def exec_user(box):
    prepare(box)
    box.detach()
    for text in TEXTS:
        done = box.exec("sh", "-c", "echo $(id -u) $(id -g)", flags=["--user", text], ok=None)
        expected = numbers_only(text)
        if expected is None:
            check(done.returncode != 0 and done.stdout == "", f"--user {text!r}: exit {done.returncode}: {done.stdout}")
        else:
            equal(ids(done.stdout), expected, f"--user {text!r}")


@case
def additional_groups_of_exec(box):
    prepare(box)
    box.detach()
    for text in TEXTS:
        done = box.exec("id", "-G", flags=["--additional-gids", text], ok=None)
        expected = number(text)
        check((done.returncode == 0) == (expected is not None), f"{text!r}: exit {done.returncode}: {done.stdout}")
        check(expected is None or set(done.stdout.split()) == {"0", str(expected)}, f"{text!r}: {done.stdout}")


VALUES = [0, 1, 1000, 65535, 2**31, TOP, TOP + 1, TOP + 2, -1, -2**31, -2**63, 2**63 - 1, "0", "root", "-1", "", None, True, False, [], [0], {},
          {"uid": 0}, 0.5]
RAW = ["1.0", "1e3", "1E0", "-0", "00", "01", "0x0", "+1", "1e400", "18446744073709551616", "9" * 400, "NaN", "Infinity", "1 1", "'0'", "1,"]


@case
def ids_of_documents(box):
    """As config.json for the first process and as `exec --process` for another one."""
    box.args("sh", "-c", "echo $(id -u) $(id -g) $(id -G)")
    base = json.dumps(dict(box.process, user="@"))
    box.script("sleep 1000").detach()
    for member in ("uid", "gid", "additionalGids"):
        for raw in [json.dumps(v) for v in VALUES] + RAW:
            user = '{"uid": 7, "gid": 8, "%s": %s}' % (member, f"[{raw}]" if member == "additionalGids" else raw)
            if member != "additionalGids":
                user = user.replace(f'"{member}": {7 if member == "uid" else 8}, ', "", 1)
            (box.top / "process.json").write_text(base.replace('"@"', user))
            done = box.oci("exec", "--process", box.top / "process.json", box.id, ok=None)
            value = int(raw) if re.fullmatch(r"0|[1-9]\d*", raw) and int(raw) <= TOP else None
            if raw == "-0":
                value = 0  # the same number in JSON
            if raw == "null" and member != "additionalGids":
                value = 0  # as if it were not given
            if value is None:
                check(done.returncode != 0 and done.stdout == "", f"{member}: {raw}: exit {done.returncode}: {done.stdout}")
                continue
            uid, gid, *groups = map(int, done.stdout.split())
            equal({"uid": uid, "gid": gid, "additionalGids": groups[-1]}[member], value, f"{member}: {raw}")


if __name__ == "__main__":
    main(all_cases(globals()))
