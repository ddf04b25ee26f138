#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The JSON schema that the runtime specification publishes, as Debian packages it: documents of ours keep it, and
a member whose value breaks it is refused with its path. Each case walks the schema itself, so that a member which
this build does not know is found missing here."""
import copy
import json
import pathlib

import jsonschema

from ocibox import all_cases, case, check, contains, equal, main

FOLDER = pathlib.Path("/usr/share/gocode/src/github.com/opencontainers/runtime-spec/schema")
WRONG = (True, -1, 1.5, "\x01", [], {}, {"a": []})
# Members that need a certain text before anything else of them is looked at.
TEXTS = {"destination": "/x", "path": "/x", "type": "mount", "pageSize": "2MB", "action": "SCMP_ACT_ALLOW",
         "defaultAction": "SCMP_ACT_ALLOW", "op": "SCMP_CMP_EQ", "domain": "LINUX", "policy": "SCHED_OTHER",
         "class": "IOPRIO_CLASS_BE", "cwd": "/", "ociVersion": "1.0.2"}
TEXTS_IN = {("devices", "type"): "c", ("rlimits", "type"): "RLIMIT_CORE"}
LISTS = {"args": ["true"], "names": ["getpid"]}
# Accepted although this edition of the schema has it otherwise.
TOLERATED = {
    "linux.resources.pids": "the limit is optional since 1.3",
    "linux.resources.devices[0]": "Go's encoders leave out a false `allow`",
    "process.consoleSize": "without a terminal it says nothing",
    "process.rlimits[0].hard": "-1 stands for 2^64-1, which JSON readers cannot carry",
    "process.rlimits[0].soft": "likewise",
    "linux.seccomp.syscalls[0].args[0].value": "likewise",
    "linux.seccomp.syscalls[0].args[0].valueTwo": "likewise",
}
REFUSED_WHOLE = ("linux.devices[0]", "linux.intelRdt", "linux.personality")  # before its members are looked at
# Parts of the document for other platforms; the specification has a runtime ignore what it does not know.
FOREIGN = {"solaris", "vm", "windows", "zos"}


def load(name):
    return json.loads((FOLDER / name).read_text())


def validator(name):
    return jsonschema.Draft4Validator(load(name), resolver=jsonschema.RefResolver(f"{FOLDER.as_uri()}/{name}", load(name)))


CONFIG = validator("config-schema.json")
STATE = validator("state-schema.json")


def complaint(schema, document):
    return next((f"{list(e.absolute_path)}: {e.message}" for e in schema.iter_errors(document)), None)


class Node:
    """A place of the schema: its rules with all references followed, and the base of those in it."""

    def __init__(self, rules, base):
        self.base = base
        while "$ref" in rules or "anyOf" in rules or "oneOf" in rules:
            if "$ref" in rules:
                self.base, rules = CONFIG.resolver.resolve(CONFIG.resolver._urljoin_cache(self.base, rules["$ref"]))
            else:
                rules = (rules.get("anyOf") or rules.get("oneOf"))[0]
        self.rules = rules

    def below(self):
        """(key, node) of what may be in it; a list's or a map's one entry."""
        for key, rules in self.rules.get("properties", {}).items():
            yield key, Node(rules, self.base)
        for rules in self.rules.get("patternProperties", {}).values():
            yield "eth0", Node(rules, self.base)
        if isinstance(self.rules.get("items"), dict):
            yield 0, Node(self.rules["items"], self.base)

    def sample(self, key=None, parent=None):
        """The least that keeps the rules."""
        kind = self.rules.get("type")
        if kind == "object" or "properties" in self.rules:
            return {name: Node(self.rules["properties"][name], self.base).sample(name, key)
                    for name in self.rules.get("required", [])}
        if kind == "array":
            return copy.copy(LISTS.get(key, []))
        if kind == "integer":
            return max(1, self.rules.get("minimum", 1))
        if kind == "boolean":
            return False
        return TEXTS_IN.get((parent, key)) or TEXTS.get(key) or self.rules.get("enum", ["x"])[0]


def places(node, path=()):
    yield path, node
    for key, inner in node.below():
        if not (not path and key in FOREIGN):
            yield from places(inner, (*path, key))


def put(document, path, value):
    """`value` at `path`, with the least that must be around it."""
    node, at = Node(CONFIG.schema, CONFIG.resolver.base_uri), document
    for depth, key in enumerate(path):
        node = dict(node.below())[key]
        last = depth + 1 == len(path)
        if key == 0:
            at[:] = [value if last else node.sample(path[depth - 1])]
        elif last:
            at[key] = value
        elif not isinstance(at.get(key), (dict, list)):
            at[key] = node.sample(key)
        at = at[key] if not last else at


def spelled(path):
    text = ""
    for key in path:
        text += f"[{key}]" if isinstance(key, int) else f".{key}" if text else key
    return text


def section(name):
    """A case: every member below `name` with every value that breaks the schema."""
    def run(box):
        tried, silent = 0, []
        whole = Node(CONFIG.schema, CONFIG.resolver.base_uri)
        for path, _ in places(dict(whole.below())[name], (name,)):
            for value in WRONG:
                config = copy.deepcopy(box.config)
                put(config, path, value)
                if complaint(CONFIG, config) is None:
                    continue
                tried += 1
                done = box.create(config=config, ok=None)
                where = spelled(path[:-1] if path[-1] in (0, "eth0") else path)
                told = any(word in done.stderr for word in (where, *filter(where.startswith, REFUSED_WHOLE)))
                if done.returncode == 0 and spelled(path) in TOLERATED:
                    box.oci("delete", "--force", box.id)
                elif done.returncode == 0 or not told:
                    silent.append(f"{spelled(path)} = {value!r}: exit {done.returncode} {done.stderr.strip()}")
                    box.oci("delete", "--force", box.id)
        check(tried > 0, "nothing was tried")
        check(not silent, f"{len(silent)} of {tried} pass:\n" + "\n".join(silent))
    run.__name__ = f"wrong_values_in_{name}"
    return case(run)


for section_name in ("ociVersion", "hostname", "domainname", "root", "process", "mounts", "hooks", "linux", "annotations"):
    globals()[f"wrong_values_in_{section_name}"] = section(section_name)


@case
def another_major_version_is_refused(box):
    for version, known in (("1.2.0", True), ("1.0.2-dev", True), ("2.0.0", False), ("", False), ("10.0.0", False)):
        box.config["ociVersion"] = version
        done = box.create(ok=None)
        equal(done.returncode, 0 if known else 1, version)
        check(known or "ociVersion" in done.stderr, done.stderr)
        box.delete("--force")


@case
def the_example_keeps_the_schema(box):
    box.oci("spec", "--bundle", box.bundle)
    equal(complaint(CONFIG, json.loads((box.bundle / "config.json").read_text())), None)


@case
def the_state_keeps_the_schema(box):
    box.config["annotations"] = {"org.example": "1"}
    box.args("sleep", "1000").create()
    equal(complaint(STATE, box.state()), None, "created")
    box.start()
    equal(complaint(STATE, box.state()), None, "running")
    box.kill()
    box.wait_status("stopped")
    equal(complaint(STATE, box.state()), None, "stopped")


@case
def text_that_is_no_json_is_refused(box):
    for text in ("", "{", "[]", "null", '{"ociVersion": 1.0.2}', "{}{}"):
        (box.bundle / "config.json").write_text(text)
        done = box.oci("create", "--bundle", box.bundle, box.id, ok=None)
        check(done.returncode == 1, f"{text!r}: {done}")
        contains(done.stderr, "config.json")


if __name__ == "__main__":
    main(all_cases(globals()))
