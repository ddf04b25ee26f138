#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Every verb of the command line on the backend without host objects: output, errors, exit codes."""
import json
import os
import pathlib
import re
import subprocess
import tempfile
import time

from zltest import HELLO, Node, check, main, wait_for

VERBS = ["run", "exec", "ps", "logs", "inspect", "stats", "wait", "stop", "kill", "pause", "unpause", "rm", "up", "down",
         "validate", "pull", "push", "images", "rmi", "image", "events", "info", "system", "vm", "version", "completion", "help"]
SUBS = {"system": ("check", "prune", "df"), "vm": ("status", "pool", "template"),
        "image": ("save", "load", "tag", "inspect", "history")}
REPOSITORY = pathlib.Path(__file__).resolve().parents[2]

DEMO = """version: v1
deployment: demo
services:
  web:
    image: {{ name: "{image}" }}
    command: {{ entrypoint: [sh, -c, "echo {word}; sleep {seconds}"] }}
    depends: [ {{ service: db, condition: started }} ]
    scale: {{ mode: fixed, replicas: {replicas} }}
  db:
    image: {{ name: "{image}" }}
    command: {{ entrypoint: [sh, -c, "echo base; sleep {seconds}; exit {code}"] }}
"""


class FakeNode(Node):
    def command(self, *args):
        return super().command("--backend", "fake", *args)

    def fails(self, code, pattern, *args):
        """One line on standard error, nothing on standard output."""
        done = self.zlayer(*args, ok=code)
        check(done.stdout == "", f"{args}: standard output of a failure: {done.stdout!r}")
        check(re.fullmatch(rf"zlayer: [^\n]*{pattern}[^\n]*\n", done.stderr), f"{args}: {done.stderr!r} is not {pattern!r}")


def demo(folder, word="start", seconds=60, replicas=1, code=0, **changes):
    path = pathlib.Path(folder) / "demo.yaml"
    text = DEMO.format(image=HELLO, word=word, seconds=seconds, replicas=replicas, code=code)
    for old, new in changes.items():
        text = text.replace(old, new)
    path.write_text(text)
    return str(path)


def help_of_every_verb():
    with FakeNode() as node:
        overview = node.zlayer("--help").stdout
        check(overview == node.zlayer("help").stdout, "--help and help differ")
        paths = [[v] for v in VERBS] + [[verb, s] for verb, subs in SUBS.items() for s in subs]
        for path in paths:
            check(re.search(rf"^  {path[0]}\s+[A-Z]", overview, re.M), f"{path} is not in the overview")
            text = node.zlayer(*path, "--help").stdout
            check(text == node.zlayer("help", *path).stdout, f"{path}: --help and help differ")
            check(text.startswith(f"Usage: zlayer {' '.join(path)} "), f"{path}: {text[:60]!r}")
            check(max(map(len, text.splitlines())) <= 100, f"{path}: a line is too long")
            check(not re.search(r"[ \t]$", text, re.M), f"{path}: trailing blanks")
            check("--backend" not in text, f"{path}: shows a hidden option")
        for topic in ("exit-codes", "references"):
            check(len(node.zlayer("help", topic).stdout) > 200, topic)
        node.fails(1, "no help on 'quux'", "help", "quux")


def wrong_lines():
    with FakeNode() as node:
        node.fails(2, r"unknown verb 'rum' \(did you mean 'run'\?\)", "rum")
        node.fails(2, "unknown option '--quux'", "--quux")
        node.fails(2, r"ps: unknown option '--filtre' \(did you mean '--filter'\?\)", "ps", "--filtre=x")
        node.fails(2, "stop: too few arguments", "stop")
        node.fails(2, "logs: unexpected argument 'b'", "logs", "a", "b")
        node.fails(2, "option '--log-level': 'loud' is none of", "--log-level", "loud", "ps")
        node.fails(2, "unknown verb 'chekck'", "system", "chekck")
        node.fails(2, "filter 'x'", "ps", "--filter", "x")
        node.fails(2, "'--time': 'soon' is no number", "stop", "-t", "soon", "x")
        node.fails(2, "'NOPE'", "kill", "-s", "NOPE", "x")
        node.fails(2, "option '--since'", "logs", "--since", "tomorrow", "x")
        node.fails(2, "give --force", "system", "prune")
        node.fails(2, "vm pool: 'many' is not a number from 0 to 64", "vm", "pool", "many")
        node.fails(2, "vm pool: '65' is not a number", "vm", "pool", "65")
        node.fails(2, "only bash", "completion", "fish")
        node.fails(125, "run: unknown option '--nmae'", "run", "--nmae", "x", HELLO)
        node.fails(125, "run: too few arguments", "run")
        node.fails(125, "'--memory'", "run", "-m", "lots", HELLO)
        node.fails(125, "'--publish'", "run", "-p", "99999:80", HELLO)
        node.fails(125, "'--env': '=x'", "run", "-e", "=x", HELLO)
        node.fails(125, "'--network'", "run", "--network", "moon", HELLO)
        node.fails(125, "'--ulimit'", "run", "--ulimit", "nofile", HELLO)
        node.fails(125, "'--sysctl'", "run", "--sysctl", "a", HELLO)
        node.fails(125, "'--name' is given twice", "run", "--name", "a", "--name", "b", HELLO)
        node.fails(125, "'--pids-limit': 'many'", "run", "--pids-limit", "many", HELLO)
        node.fails(125, "-t needs a terminal", "run", "-t", HELLO, "true")
        node.fails(125, "exec: unknown option '-d'", "exec", "-d", "x", "true")
        node.fails(125, "exec: too few arguments", "exec", "x")
        for verb in ("stop", "kill", "pause", "unpause", "rm", "wait", "inspect", "logs", "stats"):
            done = node.zlayer(verb, "nobody", ok=1)
            check("nobody" in done.stderr, f"{verb}: {done.stderr!r}")
        node.zlayer("rm", "-f", "nobody")
        node.fails(125, "nobody", "exec", "nobody", "true")
        check(node.ids() == [], "a refused line made a container")


def run_and_its_codes():
    with FakeNode() as node:
        node.zlayer("pull", "-q", HELLO)
        done = node.zlayer("run", "--rm", "--entrypoint", "sh", HELLO, "-c", "echo out; echo err >&2; exit 7", ok=7)
        check((done.stdout, done.stderr) == ("out\n", "err\n"), f"{done.stdout!r} {done.stderr!r}")
        node.zlayer("run", "--rm", "--entrypoint", "true", HELLO)
        node.zlayer("run", "--rm", "--entrypoint", "oom", HELLO, ok=137)
        node.fails(127, "no such command", "run", "--rm", "--entrypoint", "nosuch", HELLO)
        check(node.ids() == [], f"--rm left {node.ids()}")
        node.zlayer("run", "--entrypoint", "exit", HELLO, "3", ok=3)
        check(len(node.ids()) == 1 and node.ids()[0].startswith("hello-"), f"{node.ids()}")
        node.zlayer("run", "-d", "--name", "echo", "--entrypoint", "sleep", HELLO, "60")
        echo = node.zlayer("exec", "-i", "echo", "cat", input="typed\n")
        check(echo.stdout == "typed\n", f"stdin: {echo.stdout!r}")


def options_reach_the_container():
    with FakeNode() as node, tempfile.TemporaryDirectory() as folder:
        env_file = pathlib.Path(folder) / "env"
        env_file.write_text("# comment\nFROM_FILE=1\nBOTH=file\n\nHOME_OF\n")
        cidfile = pathlib.Path(folder) / "cid"
        done = node.zlayer("run", "-d", "--name", "box", "-e", "BOTH=line", "-e", "CALLER", "-e", "NOBODY_HAS_IT", "--env-file",
                           env_file, "-l", "a=b", "-l", "flag", "-w", "/tmp", "-u", "1000:1000", "-h", "inside", "-m", "64Mi",
                           "--cpus", "0.5", "--pids-limit", "50", "--stop-signal", "QUIT", "--stop-timeout", "3",
                           "--read-only", "--init", "--cidfile", cidfile, "--entrypoint", "sleep", HELLO, "60",
                           env=dict(os.environ, CALLER="mine"))
        check(done.stdout == "box-rep-1\n", f"{done.stdout!r}")
        check(cidfile.read_text() == "box-rep-1", "the cidfile")
        facts = node.inspect("box")
        config, env = facts["config"], facts["config"]["env"]
        for entry in ("BOTH=line", "FROM_FILE=1", "CALLER=mine"):
            check(entry in env, f"{entry} is not in {env}")
        check(not any(e.startswith(("NOBODY", "HOME_OF")) for e in env), f"{env}")
        check(config["labels"] == {"a": "b", "flag": ""}, f"{config['labels']}")
        check((config["cwd"], config["user"], config["hostname"]) == ("/tmp", "1000:1000", "inside"), f"{config}")
        check((config["stopSignal"], config["stopGraceMs"]) == (3, 3000), f"{config}")
        check(config["readOnlyRootFs"] and config["init"], f"{config}")
        check(facts["resources"] == {"cpu": 0.5, "memory": 64 << 20, "pidsLimit": 50}, f"{facts['resources']}")
        node.fails(125, "exists: remove it first", "run", "-d", "--cidfile", cidfile, HELLO)
        node.fails(125, "box", "run", "-d", "--name", "box", "--entrypoint", "true", HELLO)


def life_of_a_container():
    with FakeNode() as node:
        node.zlayer("run", "-d", "--name", "web", "--entrypoint", "sh", HELLO, "-c", "echo one; echo two; echo bad >&2; sleep 60")
        rows = node.json("ps", "--json")
        check([(r["id"], r["name"], r["state"], r["exitCode"]) for r in rows] == [("web-rep-1", "web", "running", None)], f"{rows}")
        table = node.zlayer("ps").stdout.splitlines()
        check(table[0].split()[:2] == ["CONTAINER", "NAME"] and table[1].startswith("web-rep-1  web  "), f"{table}")
        check(node.zlayer("ps", "-q").stdout == "web-rep-1\n", "ps -q")
        check(node.zlayer("exec", "web", "echo", "hi").stdout == "hi\n", "exec")
        node.zlayer("exec", "web", "exit", "4", ok=4)
        node.fails(127, "no such command", "exec", "web", "nosuch")
        logs = node.zlayer("logs", "web")
        check((logs.stdout, logs.stderr) == ("one\ntwo\n", "bad\n"), f"{logs}")
        check(node.zlayer("logs", "--tail", "1", "--stdout", "web").stdout == "two\n", "logs --tail --stdout")
        check(re.fullmatch(r"(20\S+Z (one|two)\n){2}", node.zlayer("logs", "-t", "--stdout", "web").stdout), "logs -t")
        lines = [json.loads(line) for line in node.zlayer("logs", "--json", "web").stdout.splitlines()]
        check({(e["stream"], e["text"]) for e in lines} == {("stdout", "one"), ("stdout", "two"), ("stderr", "bad")}, f"{lines}")
        check(node.zlayer("logs", "--until", "1h", "web").stdout == "", "logs --until")
        node.zlayer("pause", "web")
        check(node.json("ps", "--json")[0]["paused"], "paused")
        node.zlayer("unpause", "web")
        check(node.zlayer("stop", "web", "-t", "1").stdout == "web\n", "stop")
        check(node.zlayer("wait", "web").stdout == "143\n", "wait")
        check(node.json("wait", "--json", "web")[0]["reason"] == "signal", "wait --json")
        check(node.zlayer("ps").stdout.count("\n") == 1, "ps shows an ended container")
        check(node.zlayer("ps", "--filter", "state=exited", "-q").stdout == "web-rep-1\n", "ps --filter state")
        check(node.zlayer("ps", "-a", "--filter", "name=other", "-q").stdout == "", "ps --filter name")
        node.fails(125, "web", "exec", "web", "true")
        check(node.zlayer("rm", "web").stdout == "web\n" and node.ids() == [], "rm")


def machines_without_a_kernel():
    """A node that makes no machines says what is missing."""
    with FakeNode() as node:
        os.environ["ZLAYER_GUEST_DIR"] = "/nowhere"
        facts = node.json("vm", "status", "--json")
        check("'/nowhere'" in facts["missing"] and "make guest-kernel" in facts["missing"], f"{facts}")
        check((facts["accel"], facts["tiers"], facts["templates"]) == (None, [], []), f"{facts}")
        for line in (("vm", "pool"), ("vm", "pool", "1"), ("vm", "template")):
            node.fails(1, "no guest kernel in '/nowhere'", *line)
        del os.environ["ZLAYER_GUEST_DIR"]


def several_at_once():
    with FakeNode() as node:
        for name in ("one", "two", "three"):
            node.zlayer("run", "-d", "--name", name, "--entrypoint", "sleep", HELLO, "60")
        done = node.zlayer("stop", "one", "nobody", "two", ok=1)
        check(done.stdout == "one\ntwo\n" and "nobody" in done.stderr, f"{done}")
        node.zlayer("rm", "three", ok=1)
        check(node.zlayer("rm", "-f", "-q", "one", "two", "three").stdout == "", "rm -q")
        check(node.ids() == [], f"{node.ids()}")


def json_everywhere():
    with FakeNode() as node:
        node.zlayer("pull", "-q", HELLO)
        node.zlayer("run", "--name", "done", "--entrypoint", "true", HELLO)
        for args in (["ps", "-a", "--json"], ["images", "--json"], ["inspect", "--json", "done"], ["info", "--json"],
                     ["system", "df", "--json"], ["system", "check", "--json"], ["version", "--json"],
                     ["system", "prune", "--dry-run", "--json"], ["wait", "--json", "done"],
                     ["validate", "--json", REPOSITORY / "examples/hello.yaml"]):
            check(node.json(*args) not in (None, ""), f"{args}")
        for args in (["events", "--json"], ["logs", "--json", "done"]):
            for line in node.zlayer(*args).stdout.splitlines():
                check(isinstance(json.loads(line), dict), f"{args}: {line}")
        check(node.json("images", "--json")[0]["digest"].startswith("sha256:"), "images --json")
        check(re.search(r"container create done-rep-1", node.zlayer("events").stdout), "events")
        check(node.zlayer("events", "--since", "2100-01-01T00:00:00Z").stdout == "", "events --since")
        for args in (["info"], ["system", "df"], ["images"], ["version"]):
            check(node.zlayer(*args).stdout.strip(), f"{args}")


def images_and_pruning():
    with FakeNode() as node:
        digest = node.zlayer("pull", HELLO).stdout
        check(re.fullmatch(r"sha256:[0-9a-f]{64}\n", digest), f"{digest!r}")
        check(node.zlayer("pull", "-q", "--policy", "never", HELLO).stdout == digest, "pull -q")
        reference = node.zlayer("images", "-q").stdout.strip()
        check(node.json("inspect", "--type", "image", reference), "inspect of an image")
        node.zlayer("run", "--name", "user", "--entrypoint", "true", HELLO)
        node.fails(1, "uses it", "rmi", reference)
        check(node.json("system", "prune", "-a", "--dry-run", "--json")["containers"] == 1, "a dry run counts")
        check(node.ids() == ["user-rep-1"], "a dry run removed something")
        node.zlayer("system", "prune", "-f")
        check(node.ids() == [], "prune left a container")
        node.zlayer("rmi", reference)
        check(node.json("images", "--json") == [], "rmi left an image")
        node.fails(1, "nowhere", "pull", "-q", "oci:/nowhere/at/all")
        node.fails(125, "nowhere", "run", "--rm", "--pull", "never", "nowhere:1")


def validate_lists_all_errors():
    with FakeNode() as node, tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "bad.yaml"
        path.write_text("version: v1\ndeployment: demo\nservices:\n  web:\n    image: { name: busybox }\n    colour: red\n"
                        "    resources: { memory: lots }\n    scale: { mode: fixed, replicas: 1 }\n")
        done = node.zlayer("validate", path, ok=1)
        check(re.search(r"bad\.yaml:6:\d+: services\.web\.?\S*: ", done.stdout), f"{done.stdout!r}")
        check(re.search(r"bad\.yaml:7:\d+: services\.web\.resources\.memory: ", done.stdout), f"{done.stdout!r}")
        facts = json.loads(node.zlayer("validate", "--json", path, ok=1).stdout)
        check(not facts["valid"] and [e["line"] for e in facts["errors"]] == [6, 7], f"{facts}")
        check("valid" in node.zlayer("validate", REPOSITORY / "examples/hello.yaml").stdout, "the example")
        check(node.zlayer("validate", "-q", REPOSITORY / "examples/hello.yaml").stdout == "", "validate -q")
        node.fails(1, "none.yaml", "validate", pathlib.Path(folder) / "none.yaml")
        node.fails(1, "validate", "up", path)


def up_again_and_down():
    with FakeNode() as node, tempfile.TemporaryDirectory() as folder:
        first = node.zlayer("up", "-d", demo(folder, replicas=2)).stdout.splitlines()
        check(first == ["db-rep-1: started", "web-rep-1: started", "web-rep-2: started"], f"{first}")
        check({r["deployment"] for r in node.json("ps", "--json")} == {"demo"}, "ps --json: deployment")
        again = node.zlayer("up", "-d", demo(folder, replicas=2)).stdout
        check(again.count("runs unchanged") == 3, again)
        changed = node.zlayer("up", "-d", demo(folder, word="other")).stdout.splitlines()
        check(changed == ["db-rep-1: runs unchanged", "web-rep-1: changed, started anew",
                          "web-rep-2: no longer in the file, removed"], f"{changed}")
        node.zlayer("kill", "db-rep-1")
        wait_for(lambda: node.state("db-rep-1") == "exited", what="the end of db")
        check("db-rep-1: had ended, started anew" in node.zlayer("up", "-d", demo(folder, word="other")).stdout, "renewed")
        down = node.zlayer("down", "demo").stdout.splitlines()
        check(down[-1] in ("web-rep-1: removed", "db-rep-1: removed") and len(down) == 2, f"{down}")
        check(node.ids() == [], f"{node.ids()}")
        check(node.zlayer("down", demo(folder)).stdout == "", "down of nothing")
        node.fails(1, "no file and no containers", "down", "nothing")


def up_takes_back_what_it_made():
    with FakeNode() as node, tempfile.TemporaryDirectory() as folder:
        path = demo(folder, word="x", **{'[sh, -c, "echo x; sleep 60"]': "[nosuch]"})
        done = node.zlayer("up", "-d", path, ok=1)
        check("service 'web'" in done.stderr and "no such command" in done.stderr, done.stderr)
        check(node.ids() == [], f"left: {node.ids()}")
        node.zlayer("run", "-d", "--name", "web", "--entrypoint", "sleep", HELLO, "60")
        done = node.zlayer("up", "-d", demo(folder), ok=1)
        check("is not of deployment 'demo'" in done.stderr, done.stderr)
        check(node.ids() == ["web-rep-1"], f"a stranger was touched: {node.ids()}")


def up_in_the_foreground():
    with FakeNode() as node, tempfile.TemporaryDirectory() as folder:
        done = node.zlayer("up", demo(folder, seconds=1, replicas=2, code=3), ok=3)
        lines = sorted(done.stdout.splitlines())
        check(lines == ["db-rep-1  | base", "web-rep-1 | start", "web-rep-2 | start"], f"{lines}")
        check("\x1b" not in done.stdout, "colour without a terminal")
        check(len(node.ids()) == 3, "containers stay until down")
        node.zlayer("down", "-q", "demo")


def interrupted_up_stops_in_reverse_order():
    with FakeNode() as node, tempfile.TemporaryDirectory() as folder:
        up = node.start("up", demo(folder), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        wait_for(lambda: node.state("web-rep-1") == "running", what="web")
        time.sleep(0.2)
        up.send_signal(2)
        up.communicate(timeout=20)
        check(up.returncode == 130, f"exit {up.returncode}")
        stops = re.findall(r"container stop (\S+)", node.zlayer("events").stdout)
        check(stops == ["web-rep-1", "db-rep-1"], f"{stops}")


def detached_view_ends_with_its_reader():
    with FakeNode() as node:
        node.zlayer("run", "-d", "--name", "talk", "--entrypoint", "sh", HELLO, "-c", "echo a; echo b; sleep 60")
        done = subprocess.run(" ".join(node.command("logs", "talk")) + " | head -n 1", shell=True, capture_output=True, text=True,
                              check=False)
        check((done.stdout, done.stderr) == ("a\n", ""), f"{done}")


def completion_is_up_to_date():
    with FakeNode() as node:
        made = node.zlayer("completion", "bash").stdout
        check(made == (REPOSITORY / "completions/zlayer.bash").read_text(),
              "completions/zlayer.bash is old: build/zlayer completion bash >completions/zlayer.bash")
        node.zlayer("run", "-d", "--name", "web", "--entrypoint", "sleep", HELLO, "60")
        for line, expected in (("ru", {"run"}), ("run --de", {"--detach", "--device"}), ("run --isolation pro", {"process"}),
                               ("system pr", {"prune"}), ("--root X system prune --dry", {"--dry-run"}),
                               ("stop we", {"web-rep-1"}), ("run --pull n", {"newer", "never"})):
            check(complete(node, made, line) == expected, f"{line!r}: {complete(node, made, line)}")


def complete(node, script, line):
    """What bash would offer for a line, with this node behind the program."""
    words = ["zlayer"] + line.replace("--root X", f"--root {node.root}").split()
    program = (f"zlayer() {{ {' '.join(node.command())} \"$@\"; }}\n{script}\nCOMP_WORDS=({' '.join(words)})\n"
               f"COMP_CWORD={len(words) - 1}\n_zlayer\nprintf '%s\\n' \"${{COMPREPLY[@]}}\"")
    done = subprocess.run(["bash", "-c", program], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def manual_names_everything():
    """The man page and docs/cli.md mention each verb and each option of its help."""
    with FakeNode() as node:
        for page in ("docs/man/zlayer.1", "docs/cli.md"):
            text = (REPOSITORY / page).read_text().replace("\\-", "-")
            for verb in VERBS:
                check(re.search(rf"\b{verb}\b", text), f"{page}: no verb {verb}")
                pages = [[verb, s] for s in SUBS[verb]] if verb in SUBS else [[verb]]
                for option in {o for p in pages for o in re.findall(r"--[a-z][a-z-]+", node.zlayer("help", *p).stdout)}:
                    check(option in text, f"{page}: no {option} of {verb}")


main(help_of_every_verb, wrong_lines, run_and_its_codes, options_reach_the_container, life_of_a_container,
     machines_without_a_kernel, several_at_once,
     json_everywhere, images_and_pruning, validate_lists_all_errors, up_again_and_down, up_takes_back_what_it_made,
     up_in_the_foreground, interrupted_up_stops_in_reverse_order, detached_view_ends_with_its_reader,
     completion_is_up_to_date, manual_names_everything)
