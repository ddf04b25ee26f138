#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What is not about one container's inside: list, ps, features, spec, version, help, logs, --root and the options of Go."""
import json
import os
import pathlib
import re
import subprocess

from ocibox import OURS, RUNTIME, V2, all_cases, case, check, contains, equal, main, ours, wait_for


@case
def list_of_nothing(box):
    equal(box.oci("list", "-q").stdout, "")
    contains(box.oci("list").stdout, "ID")
    check(json.loads(box.oci("list", "--format", "json").stdout or "null") in (None, []), "list of nothing")


@case
def list_in_its_forms(box):
    ids = []
    for i in range(3):
        box.id = f"{box.prefix}-{i}"
        ids.append(box.id)
        box.detach()
    table = box.oci("list").stdout.splitlines()
    equal(table[0].split(), ["ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER"])
    equal(sorted(line.split()[0] for line in table[1:]), ids)
    check(all(line.split()[2] == "running" and line.split()[3] == str(box.bundle) for line in table[1:]), str(table))
    equal(box.oci("list", "-q").stdout.split(), ids)
    equal(sorted(box.oci("list", "--quiet").stdout.split()), ids)
    for flags in (["--format", "json"], ["-f", "json"], ["--format=json"]):
        equal(sorted(c["id"] for c in json.loads(box.oci("list", *flags).stdout)), ids)
    one = json.loads(box.oci("list", "-f", "json").stdout)[0]
    check(one["status"] == "running" and one["pid"] > 0 and one["bundle"] == str(box.bundle) and one["created"], str(one))
    box.oci("list", "--format", "xml", ok="fail")


@case
def list_passes_over_what_is_no_container(box):
    box.detach()
    (box.root / "half").mkdir()
    (box.root / "file").write_text("x")
    contains(box.oci("list", "-q").stdout.split(), box.id)
    (box.root / "half").rmdir()
    (box.root / "file").unlink()


@case
def created_is_a_time(box):
    box.detach()
    check(re.match(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$", box.state()["created"]), box.state()["created"])


@case
def ps_in_its_forms(box):
    box.detach()
    box.exec("sleep", "1001", flags=["-d"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    pids = json.loads(box.oci("ps", "--format", "json", box.id).stdout)
    equal(len(pids), 2)
    contains(pids, box.pid())
    equal(json.loads(box.oci("ps", "-f", "json", box.id).stdout), pids)


@case
def ps_of_the_host_is_used(box):
    if not os.path.exists("/usr/bin/ps") or os.path.islink("/usr/bin/ps"):
        return
    box.detach()
    table = box.oci("ps", box.id).stdout.splitlines()
    contains(table[0], "PID")
    equal(len(table), 2)
    contains(table[1], "sleep 1000")
    table = box.oci("ps", box.id, "-o", "pid,comm").stdout.splitlines()
    equal(table[0].split(), ["PID", "COMMAND"])
    equal(table[1].split()[1], "sleep")
    contains(box.oci("ps", box.id, "-e", "-x").stdout, "sleep")
    box.oci("ps", box.id, "-o", "comm", ok="fail")


@case
def version(box):
    for flag in ("--version", "-v"):
        done = subprocess.run([RUNTIME, flag], capture_output=True, text=True, check=True)
        check(re.search(r"version \S+", done.stdout), done.stdout)
        lines = done.stdout.splitlines()
        check(re.fullmatch(r"commit: \S+", lines[1]) and lines[2].startswith("spec: 1.") or not OURS, done.stdout)


@case
def help_of_all_and_of_one(box):
    for args in (["--help"], ["-h"], ["help"]):
        contains(box.oci(*args).stdout, "create")
    for command in ("create", "delete", "events", "exec", "kill", "list", "pause", "ps", "resume", "run", "spec", "start", "state",
                    "update", "features"):
        for flag in ("--help", "-h"):
            done = box.oci(command, flag)
            contains(done.stdout, command)
    box.oci(ok=None)


@case
def an_unknown_command_fails(box):
    contains(box.oci("conjure", ok="fail").stderr, "conjure")
    contains(box.oci("conjure", "-h", ok="fail").stderr, "No help topic for 'conjure'")
    box.oci("--conjure", ok="fail")


@case
def features_shape(box):
    doc = json.loads(box.oci("features").stdout)
    check(doc["ociVersionMin"] == "1.0.0" and doc["ociVersionMax"].startswith("1."), str(doc)[:200])
    for name in ("createRuntime", "createContainer", "startContainer", "poststart", "poststop", "prestart"):
        contains(doc["hooks"], name)
    for name in ("ro", "rw", "bind", "rbind", "rro", "nosuid", "rprivate", "rslave", "remount"):
        contains(doc["mountOptions"], name)
    linux = doc["linux"]
    equal(sorted(linux["namespaces"])[:3], ["cgroup", "ipc", "mount"])
    contains(linux["capabilities"], "CAP_CHOWN")
    check(all(name.startswith("CAP_") for name in linux["capabilities"]), "capabilities")
    check(linux["cgroup"]["v1"] is True and linux["cgroup"]["v2"] is True, str(linux["cgroup"]))
    check(linux["seccomp"]["enabled"], "seccomp")
    for key, name in (("actions", "SCMP_ACT_ERRNO"), ("operators", "SCMP_CMP_MASKED_EQ"), ("archs", "SCMP_ARCH_X86_64")):
        contains(linux["seccomp"][key], name)
    for key in ("apparmor", "selinux", "intelRdt"):
        check(isinstance(linux[key]["enabled"], bool), key)


@case
@ours
def features_are_true(box):
    """Each mount option that is told is taken by a document."""
    for option in json.loads(box.oci("features").stdout)["mountOptions"]:
        if option in ("tmpcopyup", "remount", "bind", "rbind", "idmap", "ridmap", "copy-symlink", "src-nofollow", "dest-nofollow"):
            continue
        box.config["mounts"] = box.config["mounts"][:7]
        box.mount("/x", "tmpfs", "tmpfs", option).args("true")
        done = box.run(ok=None)
        check(done.returncode == 0, f"{option}: {done.stderr}")


@case
def spec_writes_an_example(box):
    box.oci("spec", cwd=box.bundle)
    config = json.loads((box.bundle / "config.json").read_text())
    for member in ("ociVersion", "process", "root", "mounts", "linux"):
        check(member in config, member)
    equal({"type": "cgroup"} in config["linux"]["namespaces"], V2, "a cgroup namespace")
    box.oci("spec", cwd=box.bundle, ok="fail")
    other = box.top / "other"
    other.mkdir()
    box.oci("spec", "--bundle", other)
    check((other / "config.json").exists(), "spec --bundle")
    config["process"].update(terminal=False, args=["echo", "example"])
    box.config = config
    equal(box.run().stdout, "example\n")


@case
def spec_without_privileges(box):
    box.oci("spec", "--rootless", cwd=box.bundle)
    config = json.loads((box.bundle / "config.json").read_text())
    contains([ns["type"] for ns in config["linux"]["namespaces"]], "user")
    check("network" not in [ns["type"] for ns in config["linux"]["namespaces"]], "a network that nobody could set up")
    equal(config["linux"]["uidMappings"], [{"containerID": 0, "hostID": os.getuid(), "size": 1}])
    check(not config["linux"].get("resources"), "limits that nobody could set")


@case
def log_as_text_and_json(box):
    path = box.top / "log"
    box.oci("state", "nobody", ok="fail", options=["--log", path])
    contains(path.read_text(), "level=error")
    contains(path.read_text(), "does not exist")
    path.unlink()
    for _ in range(2):
        box.oci("state", "nobody", ok="fail", options=["--log", path, "--log-format", "json"])
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    equal([line["level"] for line in lines], ["error", "error"])
    check(all("does not exist" in line["msg"] and line["time"] for line in lines), str(lines))


@case
def log_quotes_what_is_told(box):
    for form in ("text", "json"):
        path = box.top / f"log-{form}"
        box.oci("state", 'a"b\nc', ok="fail", options=["--log", path, "--log-format", form])
        text = path.read_text()
        equal(text.count("\n"), 1, "one line for one error")
        if form == "json":
            contains(json.loads(text)["msg"], 'a"b')
        else:
            contains(text, '\\"b')


@case
def log_is_made_at_once_and_must_be_there(box):
    path = box.top / "log"
    box.oci("list", options=["--log", path])
    check(path.exists(), "no log")
    box.oci("list", options=["--log", "/no/such/log"], ok="fail")
    box.oci("list", options=["--log-format", "xml"], ok="fail")


@case
def log_of_a_failed_create(box):
    path = box.top / "log"
    box.args("/nowhere").write_config()
    box.oci("create", "--bundle", box.bundle, box.id, ok="fail", options=["--log", path, "--log-format", "json"])
    contains(json.loads(path.read_text().splitlines()[-1])["msg"], "/nowhere")


@case
def log_of_a_bad_option(box):
    path = box.top / "log"
    box.oci("create", "--nothing", box.id, ok="fail", options=["--log", path])
    contains(path.read_text(), "--nothing")


@case
def errors_go_to_standard_error(box):
    done = box.oci("state", "nobody", ok="fail")
    equal(done.stdout, "")
    check(done.stderr.strip(), "silence")


@case
def root_keeps_containers_apart(box):
    box.detach()
    other = subprocess.run([RUNTIME, "--root", str(box.top / "elsewhere"), "list", "-q"], capture_output=True, text=True, check=True)
    equal(other.stdout, "")
    equal(subprocess.run([RUNTIME, "--root", str(box.top / "elsewhere"), "state", box.id], capture_output=True, check=False).returncode != 0, True)


@case
def root_is_for_its_owner(box):
    box.detach()
    mode = (box.root / box.id).stat().st_mode & 0o777
    check(mode & 0o066 == 0, f"{mode:o}")
    for file in (box.root / box.id).iterdir():
        if file.is_file():
            check(file.stat().st_mode & 0o077 == 0, str(file))


@case
def global_options_of_callers(box):
    box.args("true").write_config()
    for options in (["--debug"], ["--debug=false"], ["--systemd-cgroup=false"], ["--rootless", "false"], ["--rootless=auto"],
                    ["--cgroup-manager", "cgroupfs"], ["--log=/dev/null"]):
        if not OURS and options[0] in ("--rootless", "--cgroup-manager", "--rootless=auto"):
            continue
        box.oci("run", "--bundle", box.bundle, box.id, options=options)


@case
@ours
def checkpoint_is_refused_in_words(box):
    box.detach()
    for command in ("checkpoint", "restore"):
        contains(box.oci(command, box.id, ok="fail").stderr, "unsupported")
    equal(box.status(), "running")


@case
def a_broken_state_can_be_deleted(box):
    box.detach()
    pid = box.pid()
    (box.root / box.id / ("state.json" if OURS else "nothing")).write_text("{ broken")
    done = box.oci("delete", "--force", box.id, ok=None)
    if done.returncode != 0:  # it is told, and nothing else is harmed
        check(os.path.exists(f"/proc/{pid}"), "the container has ended all the same")
        for process in box.pids():
            os.kill(process, 9)
        wait_for(lambda: not box.pids(), what="the end of its processes")
        for folder in box.cgroups():
            os.rmdir(folder)
        for file in (box.root / box.id).iterdir():
            file.unlink()
        (box.root / box.id).rmdir()


@case
def the_state_of_a_recycled_pid_is_stopped(box):
    """A pid that belongs to somebody else by now is not the container's."""
    if not OURS:
        return
    box.args("true").create()
    box.start()
    box.wait_status("stopped")
    path = box.root / box.id / "state.json"
    state = json.loads(path.read_text())
    state["pid"] = os.getpid()
    path.write_text(json.dumps(state))
    equal(box.status(), "stopped")
    box.kill("KILL", ok="fail")
    box.delete("--force")
    check(pathlib.Path(f"/proc/{os.getpid()}").exists(), "we are dead")


@case
def debug_tells_each_step(box):
    """On standard error without --log, in the log's own format with it."""
    log = box.top / "log"
    steps = ("container setup", "child process in init()", "init: closing the pipe")
    box.args("true").write_config()
    done = box.oci("run", "--bundle", box.bundle, box.id, options=["--debug"])
    for step in steps:
        contains(done.stderr, step)
    contains(done.stderr, "level=debug")
    done = box.oci("run", "--bundle", box.bundle, box.id, options=["--debug", "--log", log, "--log-format", "json"])
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    check("debug" not in done.stderr and all(line["level"] == "debug" and line["time"] for line in lines), log.read_text())
    for step in steps:
        contains(log.read_text(), step)
    box.args("sleep", "1000").detach()
    contains(box.oci("exec", box.id, "true", options=["--debug"]).stderr, "about to exec")
    equal(box.oci("exec", box.id, "true").stderr, "")


if __name__ == "__main__":
    main(all_cases(globals()))
