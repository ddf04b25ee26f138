#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Debian's dockerd with zlayer-oci as a runtime, driven by the docker command. One daemon with directories and a
socket of its own serves all cases; it makes no bridge and no packet filter rules: containers have no network but
that of their namespace, or the test's."""
import atexit
import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import time

from zltest import BUILD, CGROUPS, IMAGES, Skip, check, main, terminal, wait_for

RUNTIME = BUILD / os.environ.get("ZLAYER_OCI", "zlayer-oci")
IMAGE = "hello:test"
PARENT = "zltdocker"  # of all cgroups
AT_ONCE = 10
FOREVER = ["sh", "-c", "trap 'echo term; exit 5' TERM; echo up; while :; do sleep 0.1; done"]


class Docker:
    """`with Docker() as docker: docker("run", …)`; at the end nothing may be left of its containers."""

    root = process = None

    def __init__(self):
        if Docker.process is None:
            self.start()

    @staticmethod
    def start():
        """Its containerd listens in /run/docker, shims in /run/containerd."""
        subprocess.run(["mount", "-t", "tmpfs", "own", "/run"], check=True)
        root = Docker.root = pathlib.Path(tempfile.mkdtemp(prefix="zlayer-docker-"))
        (root / "daemon.json").write_text("{}")
        for folder in ("data", "config"):
            (root / folder).mkdir()
        command = ["dockerd", "--data-root", root / "data", "--exec-root", root / "exec", "--pidfile", root / "pid",
                   "--host", f"unix://{root}/socket", "--bridge", "none", "--iptables=false", "--ip6tables=false",
                   "--ip-forward=false", "--ip-masq=false", "--storage-driver", "vfs", "--exec-opt", "native.cgroupdriver=cgroupfs",
                   "--cgroup-parent", f"/{PARENT}", "--add-runtime", f"zlayer={RUNTIME}", "--default-runtime", "zlayer",
                   "--config-file", root / "daemon.json", "--log-level", "warn"]
        atexit.register(Docker.stop)
        with open(root / "log", "w", encoding="utf-8") as log:
            Docker.process = subprocess.Popen(list(map(str, command)), stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        try:
            wait_for(lambda: subprocess.run(Docker.command("version"), env=Docker.environment(), capture_output=True,
                                            check=False).returncode == 0, 60, "dockerd")
        except AssertionError as error:
            raise Skip(f"dockerd does not start: {(root / 'log').read_text()[-300:]}") from error
        archive = root / "hello.tar"
        subprocess.run(["skopeo", "copy", "-q", f"oci:{IMAGES / 'hello'}", f"docker-archive:{archive}:{IMAGE}"], check=True)
        subprocess.run(Docker.command("load", "-q", "-i", archive), env=Docker.environment(), check=True, stdout=subprocess.DEVNULL)

    @staticmethod
    def stop():
        if Docker.process is not None:
            Docker.process.terminate()
            Docker.process.wait(60)
        subprocess.run(["umount", "-R", "-q", str(Docker.root)], check=False)
        shutil.rmtree(Docker.root, ignore_errors=True)
        for folder in cgroups():
            folder.rmdir()

    @staticmethod
    def environment():
        return dict(os.environ, DOCKER_HOST=f"unix://{Docker.root}/socket", DOCKER_CONFIG=f"{Docker.root}/config")

    @staticmethod
    def command(*args):
        return ["docker", *map(str, args)]

    def __call__(self, *args, ok=0, timeout=60, **kwargs):
        """Runs docker; ok: the expected exit code, None: any."""
        if "input" not in kwargs:
            kwargs.setdefault("stdin", subprocess.DEVNULL)
        done = subprocess.run(self.command(*args), text=True, capture_output=True, timeout=timeout, check=False,
                              env=self.environment(), **kwargs)
        if ok is not None:
            check(done.returncode == ok, f"docker {' '.join(map(str, args))}: exit {done.returncode}, expected {ok}\n"
                  f"stdout: {done.stdout[-800:]}\nstderr: {done.stderr[-1200:]}")
        return done

    def run(self, *command, options=(), **kwargs):
        return self("run", "--rm", *options, IMAGE, *command, **kwargs)

    def background(self, name, *command, options=()):
        self("run", "-d", "--name", name, *options, IMAGE, *command)

    def inspect(self, name, what):
        return json.loads(self("inspect", "--format", f"{{{{json {what}}}}}", name).stdout)

    def wait_running(self, name, running=True):
        wait_for(lambda: self.inspect(name, ".State.Running") == running, 20, f"{name}: running {running}")

    def left(self):
        states = [str(p) for top in (self.root / "exec", pathlib.Path("/run")) for p in top.rglob("runtime-*/moby/*")
                  if p.name not in (".filters~",)]
        left = {"containers": self("ps", "-aq").stdout.split(), "states": states,
                "cgroups": [str(p) for folder in cgroups() for p in folder.iterdir() if p.is_dir()]}
        return {what: names for what, names in left.items() if names}

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        if kind is not None:
            for name in self("ps", "-aq", ok=None).stdout.split():
                self("rm", "-f", name, ok=None)
            return
        try:
            wait_for(lambda: not self.left(), 15, "nothing left behind")
        except AssertionError as error:
            raise AssertionError(f"{error}: {json.dumps(self.left())[:1200]}") from error


def cgroups():
    return [top / PARENT for top in (CGROUPS, *(p for p in CGROUPS.iterdir() if p.is_dir())) if (top / PARENT).is_dir()]


def streams_and_the_exit_code():
    with Docker() as docker:
        done = docker.run("sh", "-c", "echo out; echo err >&2; exit 7", ok=7)
        check((done.stdout, done.stderr) == ("out\n", "err\n"), f"{done}")
        check(docker.run("head", "-n", "1", options=["-i"], input="given\n").stdout == "given\n", "input")
        check(docker.run("sh", "-c", "echo $A; pwd; id -u", options=["-e", "A=b", "-w", "/tmp", "-u", "1000"]).stdout == "b\n/tmp\n1000\n", "process")
        check(docker("info", "--format", "{{.DefaultRuntime}}").stdout == "zlayer\n", "the runtime")


def missing_and_not_executable_commands():
    with Docker() as docker:
        check("no such file" in docker.run("/no/such", ok=127).stderr.lower(), "missing")
        check("permission denied" in docker.run("/etc/passwd", ok=126).stderr.lower(), "not executable")
        docker.background("one", *FOREVER)
        docker("exec", "one", "nosuch", ok=126)  # Docker 20.10 has one code for both
        docker("exec", "one", "/etc/passwd", ok=126)
        docker("rm", "-f", "one")


def a_container_and_its_end():
    with Docker() as docker:
        docker.background("one", *FOREVER)
        wait_for(lambda: "up" in docker("logs", "one").stdout, 20, "its output")
        docker("stop", "one")
        check(docker.inspect("one", ".State.ExitCode") == 5 and "term" in docker("logs", "one").stdout, "stopped by its trap")
        docker("start", "one")
        docker.wait_running("one")
        docker("kill", "one")
        docker.wait_running("one", False)
        check(docker.inspect("one", ".State.ExitCode") == 137, "killed")
        docker("restart", "-t", "1", "one")
        docker.wait_running("one")
        docker("rm", "-f", "one")


def wait_and_attach():
    with Docker() as docker:
        docker.background("one", "sh", "-c", "sleep 2; echo seen; exit 4")
        done = docker("attach", "one", ok=4)
        check("seen" in done.stdout, f"{done}")
        check(docker("wait", "one").stdout == "4\n", "wait")
        docker("rm", "one")


def exec_in_a_container():
    with Docker() as docker:
        docker.background("one", *FOREVER, options=["-e", "A=b"])
        done = docker("exec", "one", "sh", "-c", "echo $A; echo err >&2; exit 9", ok=9)
        check((done.stdout, done.stderr) == ("b\n", "err\n"), f"{done}")
        check(docker("exec", "-i", "-u", "1000", "-w", "/tmp", "one", "sh", "-c", "id -u; pwd; cat", input="in\n").stdout == "1000\n/tmp\nin\n", "options")
        docker("exec", "-d", "one", "sh", "-c", "echo done >/tmp/file")
        wait_for(lambda: docker("exec", "one", "cat", "/tmp/file", ok=None).stdout == "done\n", 20, "the detached one")
        docker("rm", "-f", "one")


def terminals():
    with Docker() as docker:
        os.environ.update({name: docker.environment()[name] for name in ("DOCKER_HOST", "DOCKER_CONFIG")})
        code, shown = terminal(docker.command("run", "--rm", "-it", IMAGE, "sh", "-c", "tty; read -r x; echo [$x]; exit 3"), b"typed\n")
        check(code == 3 and "/dev/pts/0" in shown and "[typed]" in shown, f"{code} {shown}")


def pause_and_statistics():
    with Docker() as docker:
        docker.background("one", "sh", "-c", "sleep 1000 & while :; do :; done", options=["-m", "64m", "--pids-limit", "20", "--cpus", "0.5"])
        stats = json.loads(docker("stats", "--no-stream", "--format", "{{json .}}", "one").stdout)
        check("64MiB" in stats["MemUsage"] and stats["PIDs"] == "2", f"{stats}")
        check(len(docker("top", "one").stdout.splitlines()) == 3, "top")
        docker("pause", "one")
        check(docker.inspect("one", ".State.Status") == "paused", "paused")
        docker("exec", "one", "true", ok=1)
        docker("unpause", "one")
        docker("exec", "one", "true")
        docker("update", "-m", "96m", "--memory-swap", "96m", "--cpus", "0.7", "one")
        pid = docker.inspect("one", ".State.Pid")
        path = next(line.split(":", 2)[2] for line in pathlib.Path(f"/proc/{pid}/cgroup").read_text().splitlines()
                    if line.split(":", 2)[1] == "memory" or line.startswith("0::"))
        files = [CGROUPS / "memory" / path.strip("/") / "memory.limit_in_bytes", CGROUPS / path.strip("/") / "memory.max"]
        check(next(file for file in files if file.exists()).read_text() == f"{96 << 20}\n", "updated")
        docker("rm", "-f", "one")


def a_container_that_takes_too_much():
    with Docker() as docker:
        docker.background("one", "sh", "-c", "a=x; while :; do a=$a$a; done", options=["-m", "16m", "--memory-swap", "16m"])
        docker.wait_running("one", False)
        check(docker.inspect("one", ".State.ExitCode") == 137, "killed")
        wait_for(lambda: docker.inspect("one", ".State.OOMKilled"), 10, "told as such")
        docker("rm", "one")


def file_systems_and_privileges():
    with Docker() as docker:
        folder = docker.root / "volume"
        folder.mkdir()
        (folder / "given").write_text("given\n")
        docker.run("touch", "/x", options=["--read-only"], ok=1)
        check(docker.run("cat", "/v/given", options=["-v", f"{folder}:/v:ro"]).stdout == "given\n", "volume")
        docker.run("touch", "/v/x", options=["-v", f"{folder}:/v:ro"], ok=1)
        docker.run("sh", "-c", "echo new >/v/new && touch /t/x", options=["-v", f"{folder}:/v", "--tmpfs", "/t"])
        check((folder / "new").read_text() == "new\n", "written")
        docker.run("mount", "-t", "tmpfs", "x", "/tmp", ok=1)
        docker.run("mount", "-t", "tmpfs", "x", "/tmp", options=["--privileged"])
        check(docker.run("sh", "-c", "ls /sys/class/net", options=["--network", "none"]).stdout == "lo\n", "network")
        check(docker.run("hostname", options=["--hostname", "given"]).stdout == "given\n", "host name")


def what_dies_is_restarted():
    with Docker() as docker:
        docker.background("one", *FOREVER, options=["--restart", "always"])
        first = docker.inspect("one", ".State.Pid")
        os.kill(first, 9)
        wait_for(lambda: docker.inspect("one", ".State.Pid") not in (0, first), 20, "a new process")
        docker("rm", "-f", "one")


def ten_at_once():
    with Docker() as docker:
        started = time.monotonic()
        running = [subprocess.Popen(docker.command("run", "--rm", IMAGE, "sh", "-c", f"echo {i}; exit {i}"), stdout=subprocess.PIPE,
                                    stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL, text=True, env=docker.environment())
                   for i in range(AT_ONCE)]
        for i, process in enumerate(running):
            shown = process.communicate(timeout=120)[0]
            check((process.returncode, shown) == (i, f"{i}\n"), f"{i}: {process.returncode} {shown!r} after {time.monotonic() - started:.0f} s")


main(streams_and_the_exit_code, missing_and_not_executable_commands, a_container_and_its_end, wait_and_attach, exec_in_a_container,
     terminals, pause_and_statistics, a_container_that_takes_too_much, file_systems_and_privileges, what_dies_is_restarted, ten_at_once)
