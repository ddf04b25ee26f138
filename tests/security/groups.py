#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""CVE-2023-25173 (containerd), CVE-2022-36109 (moby): supplementary groups that were not set, or not dropped. The group
of the caller is none of the container's."""
import json
import os

from secbox import all_cases, case, equal, main

USERS = [
    {"uid": 0, "gid": 0},
    {"uid": 0, "gid": 0, "additionalGids": []},
    {"uid": 0, "gid": 0, "additionalGids": [0]},
    {"uid": 1000, "gid": 1000},
    {"uid": 1000, "gid": 0},
    {"uid": 1000, "gid": 1000, "additionalGids": [5]},
    {"uid": 1000, "gid": 1000, "additionalGids": [1000]},
    {"uid": 65534, "gid": 65534, "additionalGids": [7, 3, 9]},
    {"uid": 4294967294, "gid": 4294967294, "additionalGids": [4294967294, 1]},
    {"uid": 12, "gid": 34, "additionalGids": list(range(100, 200))},
]
SHOW = ["sh", "-c", "id -u; id -g; sed -n 's/^Groups:[[:space:]]*//p' /proc/self/status; sed -n 's/^[GU]id:[[:space:]]*//p' /proc/self/status"]


def expected(user):
    """All four ids of a kind are the same: nothing is left to go back to. The list is as the kernel sorts it."""
    groups = " ".join(map(str, sorted(user.get("additionalGids", []))))
    uids, gids = "\t".join([str(user["uid"])] * 4), "\t".join([str(user["gid"])] * 4)
    return [str(user["uid"]), str(user["gid"]), groups, uids, gids]


def seen(text):
    return [line.rstrip() for line in text.splitlines()]


class WithGroups:
    """While it lasts the caller is in more groups."""

    def __enter__(self):
        self.before = os.getgroups()
        os.setgroups([0, 4, 27, 999])

    def __exit__(self, *exception):
        os.setgroups(self.before)


@case
def of_the_first_process(box):
    for user in USERS:
        box.process["user"] = user
        with WithGroups():
            equal(seen(box.args(*SHOW).run().stdout), expected(user), f"{user}")


@case
def of_exec(box):
    """By a document: exactly its own; by options: its own, not those of the container's first user."""
    box.process["user"] = {"uid": 0, "gid": 0, "additionalGids": [77, 88]}
    box.detach()
    for user in USERS:
        (box.top / "process.json").write_text(json.dumps({"args": SHOW, "cwd": "/", "env": ["PATH=/bin"], "user": user}))
        with WithGroups():
            equal(seen(box.oci("exec", "--process", box.top / "process.json", box.id).stdout), expected(user), f"{user}")
            flags = ["--user", f"{user['uid']}:{user['gid']}"]
            for gid in user.get("additionalGids", []):
                flags += ["--additional-gids", str(gid)]
            equal(seen(box.exec(*SHOW, flags=flags).stdout), expected(user), f"{flags}")
    with WithGroups():
        equal(seen(box.exec(*SHOW).stdout), expected(box.process["user"]), "no options")


@case
def in_a_user_namespace(box):
    """Groups of the caller that are not mapped would be there as 65534."""
    box.user_namespace()
    for user in USERS[:6]:
        box.process["user"] = user
        with WithGroups():
            equal(seen(box.args(*SHOW).run().stdout), expected(user), f"{user}")
    box.process["user"] = USERS[0]
    with WithGroups():
        box.args("sleep", "1000").detach()
        equal(seen(box.exec(*SHOW).stdout), expected(USERS[0]), "exec")


if __name__ == "__main__":
    main(all_cases(globals()))
