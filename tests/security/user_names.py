#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""As user_parse, for zlayer, which takes names of the image's passwd and group too."""
import re

from nodebox import Node, check, equal, image, main
from user_parse import TEXTS, number

PASSWD = ("root:x:0:0::/root:/bin/sh\nminus:x:-1:0::/:\nhex:x:0x0:0::/:\nhuge:x:4294967296:0::/:\nlast:x:4294967295:0::/:\n"
          "octal:x:00:0::/:\n4711:x:12:13::/:\nuser:x:1000:1001::/home/user:/bin/sh\nhost$:x:1006:1006::/:\na.b-c_d@e:x:1007:1008::/:\n"
          "short:x\n")
GROUP = "root:x:0:\nuser:x:1001:\nstaff:x:50:\nminus:x:-5:\n1000:x:48:\n"
USERS = {"root": (0, 0), "4711": (12, 13), "user": (1000, 1001), "host$": (1006, 1006), "a.b-c_d@e": (1007, 1008)}
GROUPS = {"root": 0, "user": 1001, "staff": 50, "1000": 48}


def with_names(text):
    """The model of zlayer: USER[:GROUP], digits are an id always, and an id's group is its line's."""
    user, colon, group = text.partition(":")
    if not re.fullmatch(r"[A-Za-z0-9_.@$][A-Za-z0-9_.@$-]*", user, re.A) or (colon and not re.fullmatch(
            r"[A-Za-z0-9_.@$][A-Za-z0-9_.@$-]*", group, re.A)):
        return None
    if user.isdigit():
        uid = number(user)
        gid = next((g for u, g in USERS.values() if u == uid), 0)
    else:
        uid, gid = USERS.get(user, (None, None))
    if colon:
        gid = number(group) if group.isdigit() else GROUPS.get(group)
    return None if uid is None or gid is None else (uid, gid)


def names_of_exec():
    with image({"etc/passwd": PASSWD, "etc/group": GROUP}) as name, Node() as node:
        node.zlayer("run", "-d", "--name", "box", name, "sleep", "1000")
        for text in TEXTS:
            done = node.zlayer("exec", f"--user={text}", "box", "sh", "-c", "echo $(id -u) $(id -g)", ok=None)
            expected = with_names(text)
            if expected is None:
                check(done.returncode != 0 and done.stdout == "", f"--user {text!r}: exit {done.returncode}: {done.stdout}")
            else:
                equal((done.returncode, done.stdout.strip()), (0, "%d %d" % expected), f"--user {text!r}")
        node.zlayer("rm", "-f", "box")
        node.expect_no_leaks()


def names_of_an_image():
    """USER of an image's configuration, which its maker has chosen, is read in the same way."""
    with Node() as node:
        for text in ("user:staff", "4711", "00", "-1", "4294967296", "root\n", "user:minus"):
            with image({"etc/passwd": PASSWD, "etc/group": GROUP}, lambda c, text=text: c["config"].update(User=text)) as name:
                done = node.zlayer("run", "--rm", name, "sh", "-c", "echo $(id -u) $(id -g)", ok=None)
            expected = with_names(text)
            if expected is None:
                check(done.returncode != 0 and done.stdout == "", f"User {text!r}: exit {done.returncode}: {done.stdout}")
            else:
                equal((done.returncode, done.stdout.strip()), (0, "%d %d" % expected), f"User {text!r}")


if __name__ == "__main__":
    main(names_of_exec, names_of_an_image)
