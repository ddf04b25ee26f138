#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""create, start, state, kill, delete, run: the states of a container and what each command refuses."""
import json
import os
import pathlib
import signal
import subprocess
import time

from ocibox import OURS, V2, all_cases, case, check, contains, equal, main, ours, wait_for


@case
def run_returns_the_exit_code(box):
    for code in (0, 1, 7, 125, 126, 127, 255):
        box.args("helper", "exit", str(code)).run(ok=code)


@case
def run_returns_128_and_the_signal(box):
    box.without_namespace("pid")  # the first process of a pid namespace cannot end by its own signal
    for number in (signal.SIGTERM, signal.SIGSEGV, signal.SIGUSR1):
        box.args("helper", "signal", str(int(number))).run(ok=128 + number)


@case
def run_joins_the_streams(box):
    done = box.script("read line; echo out-$line; echo err >&2").run(input="in\n")
    equal((done.stdout, done.stderr), ("out-in\n", "err\n"))


@case
def run_leaves_no_state(box):
    box.args("true").run()
    box.oci("state", box.id, ok="fail")
    equal(box.states(), [])


@case
def run_twice_with_one_id(box):
    for _ in range(2):
        equal(box.output("echo hi"), "hi")


@case
def run_keep_leaves_it_stopped(box):
    box.args("true").run("--keep")
    equal(box.status(), "stopped")
    box.refused_id = box.oci("run", "--bundle", box.bundle, box.id, ok="fail")
    box.delete()
    box.oci("state", box.id, ok="fail")


@case
def create_start_state_delete(box):
    box.args("sleep", "1000").create()
    state = box.state()
    equal((state["id"], state["status"], state["bundle"]), (box.id, "created", str(box.bundle)))
    check(state["ociVersion"].startswith("1."), state["ociVersion"])
    check(os.path.exists(f"/proc/{state['pid']}"), "the pid of a created container is a process")
    box.start()
    equal((box.status(), box.pid()), ("running", state["pid"]))
    equal(pathlib.Path(f"/proc/{state['pid']}/cmdline").read_bytes(), b"sleep\x001000\x00")
    box.kill("KILL")
    box.wait_status("stopped")
    equal(box.state().get("pid", 0), 0, "pid of a stopped container")
    box.delete()
    box.oci("state", box.id, ok="fail")


@case
def created_container_has_not_run_its_program(box):
    box.script("echo started > /tmp/mark; sleep 1000").create()
    time.sleep(0.2)
    check(not (box.rootfs / "tmp" / "mark").exists(), "the program has run before start")
    box.start()
    wait_for((box.rootfs / "tmp" / "mark").exists, what="the program")


@case
def changes_of_the_bundle_after_create_have_no_effect(box):
    box.script("echo first > /tmp/mark; sleep 1000").create()
    box.script("echo second > /tmp/mark; sleep 1000").write_config()
    box.start()
    mark = box.rootfs / "tmp" / "mark"
    wait_for(lambda: mark.exists() and mark.read_text(), what="the program")
    equal(mark.read_text(), "first\n")


@case
def create_without_process_args_is_refused(box):
    box.process["args"] = []
    box.refused("args")


@case
def create_twice_is_refused(box):
    box.detach()
    contains(box.create(ok="fail").stderr, "exist")
    equal(box.status(), "running")


@case
def create_of_a_stopped_id_is_refused(box):
    box.args("true").create()
    box.start()
    box.wait_status("stopped")
    box.create(ok="fail")
    box.delete()


@case
def start_twice_is_refused(box):
    box.detach()
    box.start(ok="fail")
    equal(box.status(), "running")


@case
def start_of_a_stopped_container_is_refused(box):
    box.args("true").create()
    box.start()
    box.wait_status("stopped")
    box.start(ok="fail")


@case
def two_starts_at_once(box):
    box.args("sleep", "1000").create()
    both = [box.spawn("start", box.id, stderr=subprocess.DEVNULL) for _ in range(2)]
    codes = sorted(process.wait(30) for process in both)
    equal([code == 0 for code in codes], [True, False], "exit codes of two starts")
    equal(box.status(), "running")


@case
def commands_on_an_unknown_id_fail(box):
    for command in (["start"], ["state"], ["kill"], ["delete"], ["pause"], ["resume"], ["ps"], ["update", "--pids-limit", "9"]):
        done = box.oci(*command, "nobody", ok="fail")
        contains(done.stderr, "does not exist", command[0])
    contains(box.oci("exec", "nobody", "true", ok="fail").stderr, "does not exist")


@case
def commands_without_an_id_fail(box):
    for command in ("create", "start", "state", "kill", "delete", "pause", "resume", "ps", "update", "exec", "run"):
        box.oci(command, ok="fail")


@case
def invalid_ids_are_refused(box):
    box.args("true").write_config()
    for name in ("..", ".", "a/b", "/a", "a b", "a\nb", "ä", "a:b", "x" * 1025):
        box.oci("run", "--bundle", box.bundle, name, ok="fail")
    box.oci("run", "--bundle", box.bundle, "", ok="fail")
    equal(box.states(), [])


@case
def unusual_ids_are_taken(box):
    box.args("true").write_config()
    for name in (f"{box.prefix}+_.-Az09", f"_{box.prefix}", f"{box.prefix}.", f"{box.prefix}-" + "y" * 60):
        box.oci("run", "--bundle", box.bundle, name)


@case
def delete_of_a_running_container_needs_force(box):
    box.detach()
    contains(box.delete(ok="fail").stderr, "not stopped")
    equal(box.status(), "running")
    box.delete("--force")
    box.oci("state", box.id, ok="fail")


@case
def delete_of_a_created_container_needs_force(box):
    box.args("sleep", "1000").create()
    if OURS:  # runc kills it
        contains(box.delete(ok="fail").stderr, "not stopped")
        equal(box.status(), "created")
    box.delete("--force")
    box.oci("state", box.id, ok="fail")


@case
def delete_force_of_nothing_succeeds(box):
    box.oci("delete", "--force", "nobody")
    box.oci("delete", "-f", "nobody")
    box.oci("delete", "nobody", ok="fail")


@case
def delete_force_of_a_paused_container(box):
    box.detach()
    box.oci("pause", box.id)
    box.delete("--force")
    equal(box.states(), [])


@case
def delete_force_of_a_stopped_container(box):
    box.args("true").create()
    box.start()
    box.wait_status("stopped")
    box.delete("-f")


@case
def delete_ends_processes_that_outlive_the_first(box):
    box.without_namespace("pid").detach()
    for _ in range(3):
        box.exec("sleep", "1000", flags=["-d"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    os.kill(box.pid(), signal.SIGKILL)
    box.wait_status("stopped")
    equal(len(box.pids()), 3, "processes that are left")
    box.delete()
    equal(box.pids(), [])


@case
def delete_removes_cgroups_made_inside(box):
    box.config["mounts"][-1]["options"].remove("ro")
    box.detach()
    place = "/sys/fs/cgroup" if V2 else "/sys/fs/cgroup/memory"
    box.inside(f"mkdir {place}/inner; sleep 1000 >/dev/null 2>&1 & echo $! > {place}/inner/cgroup.procs; cat {place}/inner/cgroup.procs"
               if not V2 else f"mkdir {place}/inner")
    box.delete("--force")
    equal(box.cgroups(), [])


@case
def kill_by_name_number_and_default(box):
    for word in ("KILL", "SIGKILL", "9", "kill", "sigkill"):
        box.detach()
        box.kill(word)
        box.wait_status("stopped")
        box.delete()
    box.without_namespace("pid").detach()  # no program is behind a default signal to PID 1
    box.oci("kill", box.id)
    box.wait_status("stopped")


@case
def kill_delivers_the_signal(box):
    box.args("helper", "signals").write_config()
    process = box.spawn("run", "--bundle", box.bundle, box.id, stdout=subprocess.PIPE)
    equal(process.stdout.readline(), "ready\n")
    for word, number in (("HUP", 1), ("USR1", 10), ("SIGUSR2", 12), ("10", 10), ("WINCH", 28), ("RTMIN+1", 35), ("RTMAX", 64)):
        box.kill(word)
        equal(process.stdout.readline(), f"got {number}\n", word)
    box.kill("TERM")
    equal(process.wait(30), 0)


@case
def kill_of_an_unknown_signal_fails(box):
    box.detach()
    for word in ("NOTHING", "SIGNOTHING", "-1", "65", "1000", "9x", ""):
        box.kill(word, ok="fail")
    equal(box.status(), "running")


@case
def kill_zero_asks_whether_it_runs(box):
    box.detach()
    box.kill("0")
    box.kill("KILL")
    box.wait_status("stopped")
    contains(box.kill("0", ok="fail").stderr, "container not running")


@case
def kill_of_a_stopped_container_fails(box):
    box.args("true").create()
    box.start()
    box.wait_status("stopped")
    contains(box.kill("TERM", ok="fail").stderr, "container not running")
    box.kill("KILL", "--all")


@case
def kill_of_a_created_container(box):
    box.args("sleep", "1000").create()
    box.kill("KILL")
    box.wait_status("stopped")


@case
def kill_all_reaches_every_process(box):
    box.without_namespace("pid").detach()
    for _ in range(3):
        box.exec("sleep", "1000", flags=["-d"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    equal(len(box.pids()), 4)
    box.kill("TERM", "--all")
    box.wait_status("stopped")
    wait_for(lambda: not box.pids(), what="the end of all processes")


@case
def kill_without_a_pid_namespace_ends_all(box):
    box.without_namespace("pid").detach()
    for _ in range(3):
        box.exec("sleep", "1000", flags=["-d"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    box.kill("KILL")
    box.wait_status("stopped")
    wait_for(lambda: not box.pids(), what="the end of all processes")


@case
def kill_reaches_what_a_dead_first_process_left(box):
    box.without_namespace("pid").detach()
    for _ in range(2):
        box.exec("sleep", "1000", flags=["-d"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    os.kill(box.pid(), signal.SIGKILL)
    box.wait_status("stopped")
    equal(len(box.pids()), 2)
    box.kill("KILL")
    wait_for(lambda: not box.pids(), what="the end of all processes")


@case
def kill_of_a_paused_container(box):
    box.detach()
    box.oci("pause", box.id)
    box.kill("KILL")
    box.wait_status("stopped")


@case
def pause_and_resume(box):
    box.script("i=0; while :; do i=$((i+1)); echo $i > /tmp/count; done").detach()
    count = box.rootfs / "tmp" / "count"
    wait_for(lambda: count.exists() and count.read_text(), what="a running program")
    box.oci("pause", box.id)
    equal(box.status(), "paused")
    before = count.read_text()
    time.sleep(0.1)
    equal(count.read_text(), before, "a paused program has gone on")
    box.oci("pause", box.id, ok="fail")
    box.exec("true", ok="fail")
    box.oci("resume", box.id)
    equal(box.status(), "running")
    wait_for(lambda: count.read_text() not in ("", before), what="a resumed program")
    box.oci("resume", box.id, ok="fail")


@case
def pause_of_a_stopped_container_fails(box):
    box.args("true").create()
    box.start()
    box.wait_status("stopped")
    box.oci("pause", box.id, ok="fail")
    box.oci("resume", box.id, ok="fail")


@case
def detach_returns_before_the_program_ends(box):
    box.detach()
    equal(box.status(), "running")


@case
def detach_tells_a_missing_program(box):
    box.args("/nowhere").detach(ok="fail")
    equal(box.states(), [])


@case
def a_missing_program_is_told(box):
    for words in (["/nowhere"], ["nowhere"], ["/bin/nowhere/x"]):
        done = box.args(*words).refused(words[0])
        check(not OURS or done.returncode == 127, f"{words}: exit {done.returncode}")
    (box.rootfs / "bin" / "script").write_text("#!/no/interpreter\n")
    (box.rootfs / "bin" / "script").chmod(0o755)
    done = box.args("/bin/script").run(ok="fail")
    check(not OURS or done.returncode == 127, f"interpreter: exit {done.returncode}")


@case
def a_file_that_is_not_executable_is_told(box):
    (box.rootfs / "bin" / "text").write_text("text\n")
    for words in (["/bin/text"], ["/etc"], ["/etc/passwd"]):
        done = box.args(*words).refused(words[0])
        check(not OURS or done.returncode == 126, f"{words}: exit {done.returncode}")


@case
def create_tells_a_missing_program(box):
    contains(box.args("/nowhere").create(ok="fail").stderr, "/nowhere")
    equal(box.states(), [])


@case
def pid_file_of_create_and_run(box):
    path = box.top / "pid"
    box.args("sleep", "1000").create("--pid-file", path)
    equal(path.read_text(), str(box.pid()))
    box.delete("-f")
    box.detach("--pid-file", "relative.pid")
    equal((box.top / "relative.pid").read_text(), str(box.pid()))
    box.delete("-f")
    box.args("true").run("--pid-file", path)
    check(path.read_text().isdigit(), "the pid file of run")


@case
def a_pid_file_that_cannot_be_written_fails(box):
    box.args("sleep", "1000")
    contains(box.create("--pid-file", "/no/such/pid", ok="fail").stderr, "pid-file" if OURS else "")
    equal(box.states(), [])


@case
def bundle_is_the_working_directory_when_not_given(box):
    box.args("echo", "here").write_config()
    equal(box.oci("run", box.id, cwd=box.bundle).stdout, "here\n")


@case
def a_relative_bundle_is_told_absolute(box):
    box.args("sleep", "1000").write_config()
    box.oci("create", "--bundle", "bundle", box.id, cwd=box.top, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    equal(box.state()["bundle"], str(box.bundle))


@case
def options_may_follow_the_id(box):
    box.args("echo", "here").write_config()
    equal(box.oci("run", box.id, "--bundle", box.bundle).stdout, "here\n")


@case
def a_missing_bundle_is_told(box):
    contains(box.oci("run", "--bundle", "/no/bundle", box.id, ok="fail").stderr, "/no/bundle")
    contains(box.oci("run", "--bundle", box.bundle, box.id, ok="fail").stderr, "config.json")
    equal(box.states(), [])


@case
def a_bundle_with_bad_json_is_told(box):
    for text in ("{ not json", "[]", "\"text\"", "", "{}", "{\"process\": 1}"):
        (box.bundle / "config.json").write_text(text)
        box.oci("run", "--bundle", box.bundle, box.id, ok="fail")
    equal(box.states(), [])


@case
@ours
def a_bad_member_is_named_by_its_path(box):
    bad = [
        (lambda c: c["process"].update(cwd="relative"), "process.cwd"),
        (lambda c: c["process"].update(args=["a", 1]), "process.args[1]"),
        (lambda c: c["process"].update(args="sh"), "process.args"),
        (lambda c: c["process"]["user"].update(uid=-1), "process.user.uid"),
        (lambda c: c["process"]["user"].update(uid=2**32), "process.user.uid"),
        (lambda c: c["process"]["user"].update(additionalGids=[1, "x"]), "process.user.additionalGids[1]"),
        (lambda c: c["process"]["rlimits"].append({"type": "RLIMIT_X", "soft": 1, "hard": 1}), "process.rlimits[1].type"),
        (lambda c: c["process"].update(oomScoreAdj=1001), "process.oomScoreAdj"),
        (lambda c: c["root"].update(path="missing"), "root.path"),
        (lambda c: c["root"].pop("path"), "root.path"),
        (lambda c: c["mounts"].append({"type": "tmpfs"}), "mounts[7].destination"),
        (lambda c: c["mounts"].append({"destination": "/x", "options": ["bind"]}), "mounts[7].source"),
        (lambda c: c["linux"]["namespaces"].append({"type": "pid"}), "linux.namespaces[6]"),
        (lambda c: c["linux"]["namespaces"].append({"type": "else"}), "linux.namespaces[6].type"),
        (lambda c: c["linux"]["namespaces"].append({"type": "user", "path": "x"}), "linux.namespaces[6].path"),
        (lambda c: c["linux"].update(devices=[{"path": "/dev/x", "type": "z"}]), "linux.devices[0].type"),
        (lambda c: c["linux"].update(devices=[{"path": "/dev/x", "type": "c"}]), "linux.devices[0].major"),
        (lambda c: c["linux"].update(rootfsPropagation="upward"), "linux.rootfsPropagation"),
        (lambda c: c["linux"].update(seccomp={"defaultAction": "SCMP_ACT_X"}), "linux.seccomp.defaultAction"),
        (lambda c: c["linux"]["resources"].update(memory={"limit": "x"}), "linux.resources.memory.limit"),
        (lambda c: c["linux"].update(uidMappings=[{"containerID": 0, "hostID": -1, "size": 1}]), "linux.uidMappings[0].hostID"),
    ]
    original = json.dumps(box.config)
    for change, path in bad:
        box.config = json.loads(original)
        change(box.config)
        box.refused(path)


@case
def annotations_are_in_the_state(box):
    box.config["annotations"] = {"org.example.key": "value", "empty": ""}
    box.detach()
    equal(box.state()["annotations"], {"org.example.key": "value", "empty": ""})


@case
def a_config_beside_the_bundle(box):
    """--config: another file than the bundle's config.json; crun's callers use it."""
    box.args("echo", "other")
    other = box.top / "other.json"
    other.write_text(json.dumps(box.config))
    box.args("echo", "own").write_config()
    equal(box.oci("run", "--bundle", box.bundle, "--config", other, box.id).stdout, "other\n")
    equal(box.oci("run", "--config", "config.json", box.id, cwd=box.bundle).stdout, "own\n")
    equal(box.oci("run", "-f", "config.json", box.id, cwd=box.bundle).stdout, "own\n")


@case
def a_hundred_lifecycles_leave_nothing(box):
    for i in range(40):
        box.args("helper", "exit", str(i % 3)).run(ok=i % 3)
    for _ in range(20):
        box.args("sleep", "1000").create()
        box.start()
        box.delete("--force")


@case
def ten_at_once(box):
    box.args("sleep", "1000").write_config()
    names = [f"{box.prefix}-{i}" for i in range(10)]
    runs = [box.spawn("run", "--detach", "--bundle", box.bundle, name, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            for name in names]
    equal([p.wait(60) for p in runs], [0] * 10)
    listed = json.loads(box.oci("list", "--format", "json").stdout)
    equal(sorted((c["id"], c["status"]) for c in listed), sorted((name, "running") for name in names))
    ends = [box.spawn("delete", "--force", name) for name in names]
    equal([p.wait(60) for p in ends], [0] * 10)


@case
def a_killed_runtime_leaves_what_delete_removes(box):
    """SIGKILL at several instants of create; then delete --force takes away all there is."""
    box.args("sleep", "1000").write_config()
    for delay in (0.0, 0.001, 0.002, 0.004, 0.008, 0.015):
        process = box.spawn("create", "--bundle", box.bundle, box.id, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(delay)
        process.kill()
        process.wait()
        box.oci("delete", "--force", box.id)
        wait_for(lambda: not box.left(), what=f"nothing left after {delay} s: {box.left()}")


@case
def a_version_of_another_specification_is_refused(box):
    for version in ("2.0.0", "one", ""):
        box.config["ociVersion"] = version
        box.refused("ociVersion")
    for version in ("1.0.0-rc5", "1.2.1"):
        box.config["ociVersion"] = version
        box.args("true").run()


@case
def create_container_hooks_begin_in_the_root(box):
    """As with runc, so that they name files of the image; prestart hooks hear of a created container."""
    box.config["hooks"] = {
        "prestart": [{"path": "/bin/sh", "args": ["sh", "-c", f"cat > {box.top}/told"]}],
        "createContainer": [{"path": "/bin/sh", "args": ["sh", "-c", "echo by-hook > ./etc/made"]}]}
    equal(box.output("cat /etc/made"), "by-hook")
    equal(json.loads((box.top / "told").read_text())["status"], "created" if OURS else "creating")


@case
def a_hook_that_a_signal_ends_is_told(box):
    box.config["hooks"] = {"createRuntime": [{"path": "/bin/sh", "args": ["sh", "-c", "kill -SYS $$"]}]}
    done = box.refused("error running hook" if OURS else "error running", "bad system call")
    check(done.returncode == 1, f"exit {done.returncode}")


if __name__ == "__main__":
    main(all_cases(globals()))
