#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The command line as a user has it, on real containers: codes, streams, signals, terminals, deployments."""
import fcntl
import json
import os
import pathlib
import pty
import re
import select
import signal
import struct
import subprocess
import tempfile
import termios
import time
import urllib.request

from zltest import HELLO, Node, check, main, wait_for

SHOP = f"""version: v1
deployment: shop
services:
  front:
    image: {{ name: "{HELLO}" }}
    command: {{ args: [sh, -c, "until wget -q -O - http://back/; do sleep 0.1; done; echo front-ready; trap 'echo front-ends; exit 0' TERM; while :; do sleep 0.1; done"] }}
    depends: [ {{ service: back, condition: started }} ]
    scale: {{ mode: fixed, replicas: 2 }}
  back:
    image: {{ name: "{HELLO}" }}
    command: {{ args: [sh, -c, "httpd -p 80 -h /www; trap 'echo back-ends; exit 0' TERM; while :; do sleep 0.1; done"] }}
"""


def read_until(process, is_enough, seconds=20):
    """What a program prints until is_enough(text); its end or too long a wait fails."""
    text, end = "", time.monotonic() + seconds
    while not is_enough(text):
        left = end - time.monotonic()
        check(left > 0 and select.select([process.stdout], [], [], left)[0], f"not within {seconds} s: {text!r}")
        chunk = os.read(process.stdout.fileno(), 65536).decode()
        check(chunk, f"ended: {text!r}")
        text += chunk
    return text


class Shop(Node):
    """A node with the image, so that no pull gets into the output."""

    def __enter__(self):
        super().__enter__()
        self.zlayer("pull", "-q", HELLO)
        return self

    def sh(self, script, *options, ok=0, **kwargs):
        return self.zlayer("run", "--rm", *options, HELLO, "sh", "-c", script, ok=ok, **kwargs)


def exit_codes():
    with Shop() as node:
        node.sh("exit 7", ok=7)
        run = node.start("run", "--rm", "--name", "victim", HELLO, "sh", "-c", "echo ready; sleep 100", stdout=subprocess.PIPE)
        read_until(run, lambda text: text == "ready\n")
        node.zlayer("kill", "victim")
        check(run.wait(20) == 137, f"killed: {run.returncode}")
        node.sh("exit 0")
        done = node.zlayer("run", "--rm", HELLO, "no-such-program", ok=127)
        check(re.fullmatch(r"zlayer: [^\n]*no-such-program[^\n]*\n", done.stderr), f"{done.stderr!r}")
        node.zlayer("run", "--rm", HELLO, "/etc/passwd", ok=126)
        node.zlayer("run", "--rm", "--network", "container:nobody", HELLO, "true", ok=125)
        check(node.zlayer("run", "--rm", HELLO).stdout.startswith("Hello from zlayer"), "the image's own command")
        check(node.ids() == [], f"--rm left {node.ids()}")
        node.expect_no_leaks()


def streams_stay_apart():
    with Shop() as node:
        done = node.sh("echo out; echo err >&2")
        check((done.stdout, done.stderr) == ("out\n", "err\n"), f"{done}")
        done = node.sh("wc -c", "-i", input="x" * 300000)
        check(done.stdout == "300000\n", f"{done}")
        done = node.sh("head -c 1000000 /dev/zero | tr '\\0' y")
        check(len(done.stdout) == 1000000, f"{len(done.stdout)} bytes came through")
        check(node.sh("cat; echo end").stdout == "end\n", "without -i, standard input is at its end")


def options_act():
    with Shop() as node:
        with tempfile.TemporaryDirectory() as folder:
            os.chmod(folder, 0o755)
            (pathlib.Path(folder) / "file").write_text("from the node\n")
            done = node.sh("cat /in/file; pwd; id -u; hostname; echo $A; cat /proc/sys/kernel/shmmax >/dev/null; touch /x 2>&1; ulimit -n",
                           "-v", f"{folder}:/in:ro", "-w", "/tmp", "-u", "1000", "-h", "inside", "-e", "A=b", "--read-only",
                           "--ulimit", "nofile=77:99")
        lines = done.stdout.splitlines()
        check(lines[:5] == ["from the node", "/tmp", "1000", "inside", "b"], f"{lines}")
        check("Read-only" in lines[5] and lines[6] == "77", f"{lines}")
        check("12.12.12.12" in node.sh("cat /etc/hosts", "--add-host", "friend:12.12.12.12").stdout, "--add-host")
        check("nameserver 9.8.7.6" in node.sh("cat /etc/resolv.conf", "--dns", "9.8.7.6").stdout, "--dns")
        mounts = node.sh("grep ' /scratch ' /proc/mounts", "--tmpfs", "/scratch:size=64Ki").stdout
        check("tmpfs" in mounts and "size=64k" in mounts, f"{mounts!r}")
        check(node.sh("ls /sys/class/net", "--network", "none").stdout.split() == ["lo"], "--network none")
        ours = os.readlink("/proc/self/ns/net")
        check(node.sh("readlink /proc/self/ns/net", "--network", "host").stdout.strip() == ours, "--network host")
        check(node.sh("exec head -c 67108864 /dev/zero | tail", "-m", "16Mi", ok=137).returncode == 137, "-m")
        check(node.sh("cat /proc/1/comm", "--init").stdout.strip() != "sh", "--init")


def a_detached_container():
    with Shop() as node:
        done = node.zlayer("run", "-d", "--name", "web", HELLO, "sh", "-c",
                           "trap 'echo bye; exit 3' TERM; echo ready; while :; do sleep 0.05; done")
        check(done.stdout == "web-rep-1\n", f"{done.stdout!r}")
        follow = node.start("logs", "-f", "web", stdout=subprocess.PIPE)
        read_until(follow, lambda text: text == "ready\n")
        done = node.zlayer("exec", "-e", "A=b", "-w", "/tmp", "-u", "1000", "web", "sh", "-c", "echo $A $(pwd) $(id -u); echo no >&2; exit 9", ok=9)
        check((done.stdout, done.stderr) == ("b /tmp 1000\n", "no\n"), f"{done}")
        check(node.zlayer("exec", "-i", "web", "cat", input="x\n").stdout == "x\n", "exec -i")
        node.zlayer("exec", "web", "no-such-program", ok=127)
        stats = node.json("stats", "--no-stream", "--json", "web")[0]
        check(stats["memoryBytes"] > 0 and stats["pids"] >= 1, f"{stats}")
        check(node.zlayer("stats", "--no-stream").stdout.splitlines()[1].startswith("web-rep-1"), "stats of all")
        node.zlayer("pause", "web")
        check(node.json("ps", "--json")[0]["paused"], "pause")
        node.zlayer("unpause", "web")
        node.zlayer("stop", "web")
        rest, _ = follow.communicate(timeout=10)
        check((rest, follow.returncode) == ("bye\n", 0), f"logs -f at the end: {rest!r} {follow.returncode}")
        check(node.zlayer("wait", "web").stdout == "3\n", "wait")
        check(node.zlayer("logs", "web").stdout == "ready\nbye\n", "logs afterwards")
        node.zlayer("rm", "web")
        node.expect_no_leaks()


def signals_reach_the_workload():
    with Shop() as node:
        script = "trap 'echo got; exit 5' USR1; trap 'exit 6' INT; echo ready; while :; do sleep 0.05; done"
        for number, code in ((signal.SIGUSR1, 5), (signal.SIGINT, 6)):
            run = node.start("run", "--rm", HELLO, "sh", "-c", script, stdout=subprocess.PIPE)
            read_until(run, lambda text: text == "ready\n")
            run.send_signal(number)
            run.communicate(timeout=20)
            check(run.returncode == code, f"{number.name}: exit {run.returncode}")
        node.expect_no_leaks()


def a_deaf_workload_is_left_alone():
    with Shop() as node:
        run = node.start("run", "--name", "deaf", HELLO, "sh", "-c", "trap '' INT; echo ready; while :; do sleep 0.05; done",
                         stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        read_until(run, lambda text: text == "ready\n")
        for _ in range(3):
            run.send_signal(signal.SIGINT)
            time.sleep(0.2)
        _, err = run.communicate(timeout=20)
        check(run.returncode == 130 and "goes on" in err, f"{run.returncode} {err!r}")
        check(node.state("deaf") == "running", "the container")


def the_view_may_be_killed():
    with Shop() as node:
        run = node.start("run", "--name", "alone", HELLO, "sh", "-c", "echo ready; while :; do sleep 0.05; done", stdout=subprocess.PIPE)
        read_until(run, lambda text: text == "ready\n")
        run.kill()
        run.wait()
        check(node.state("alone") == "running", "the container ended with its view")
        check(node.zlayer("exec", "alone", "echo", "alive").stdout == "alive\n", "exec afterwards")


class Terminal:
    """The program on a pseudo terminal of 30 x 90."""

    def __init__(self, command):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execv(command[0], command)
        self.size(30, 90)
        self.seen = ""

    def size(self, rows, cols):
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, cols, 0, 0))

    def type(self, text):
        os.write(self.fd, text.encode())

    def expect(self, pattern, seconds=10):
        end = time.monotonic() + seconds
        while not re.search(pattern, self.seen):
            left = end - time.monotonic()
            check(left > 0 and select.select([self.fd], [], [], left)[0], f"{pattern!r} did not come: {self.seen!r}")
            try:
                self.seen += os.read(self.fd, 4096).decode(errors="replace")
            except OSError:
                break
        found = re.search(pattern, self.seen)
        check(found, f"{pattern!r} did not come: {self.seen!r}")
        self.seen = self.seen[found.end():]

    def mode(self):
        return termios.tcgetattr(self.fd)[3] & (termios.ICANON | termios.ECHO | termios.ISIG)

    def wait(self):
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


def a_terminal():
    with Shop() as node:
        term = Terminal(node.command("run", "--rm", "-it", HELLO, "sh"))
        term.expect(r"# ")
        check(term.mode() == 0, "the terminal is not raw")
        term.type("tty; stty size\n")
        term.expect(r"/dev/pts/\d+\r\n\d+ \d+\r\n")
        term.size(40, 100)
        term.type("sleep 0.3; stty size\n")
        term.expect(r"40 100\r\n")
        term.type("sleep 1000\n")
        term.expect("sleep 1000\r\n")
        time.sleep(0.3)
        term.type("\x03")
        term.expect(r"# ")
        term.type("exit 11\n")
        term.expect("exit 11")
        wait_for(lambda: term.mode() != 0, what="the terminal's old mode")
        check(term.wait() == 11, "the code")
        node.expect_no_leaks()


def a_terminal_is_restored_after_a_signal():
    with Shop() as node:
        term = Terminal(node.command("run", "--name", "tty", "-it", HELLO, "sh"))
        term.expect(r"# ")
        os.kill(term.pid, signal.SIGTERM)
        wait_for(lambda: term.mode() != 0, what="the terminal's old mode")
        term.expect("goes on")
        check(term.wait() == 143, "the code")
        check(node.state("tty") == "running", "the container")
        term = Terminal(node.command("exec", "-it", "tty", "sh"))
        term.expect(r"# ")
        term.type("stty size; exit 4\n")
        term.expect(r"\d+ \d+\r\n")
        check(term.wait() == 4, "exec -it")


def a_published_port():
    with Shop() as node:
        node.zlayer("run", "-d", "--name", "web", "-p", "127.0.0.1:18080:80", "-p", "18081:80", HELLO, "httpd", "-f", "-p", "80", "-h", "/www")
        address = node.inspect("web")["network"]["address"]
        ports = node.json("ps", "--json")[0]["ports"]
        check("127.0.0.1:18080->80/tcp" in ports and "18081->80/tcp" in ports, ports)

        def fetch(url):
            try:
                return urllib.request.urlopen(url, timeout=2).read().decode()
            except OSError:
                return None

        for url in (f"http://{address}/", "http://127.0.0.1:18080/", "http://127.0.0.1:18081/"):
            page = wait_for(lambda: fetch(url), what=url)
            check("web service" in page, f"{url}: {page!r}")
        check(node.zlayer("run", "-d", "-p", "18081:80", HELLO, "true", ok=125).stderr.count("18081") == 1, "a taken port")


def a_deployment():
    with Shop() as node, tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "shop.yaml"
        path.write_text(SHOP)
        started = node.zlayer("up", "-d", path).stdout.splitlines()
        check(started == ["back-rep-1: started", "front-rep-1: started", "front-rep-2: started"], f"{started}")
        for name in ("front-rep-1", "front-rep-2"):
            wait_for(lambda: "front-ready" in node.zlayer("logs", name).stdout, what=f"{name} reaches back by its name")
        check(node.zlayer("up", "-d", path).stdout.count("runs unchanged") == 3, "up again")
        pids = {r["id"]: r["pid"] for r in node.json("ps", "--json")}
        path.write_text(SHOP.replace("front-ready", "front-changed"))
        changed = node.zlayer("up", "-d", path).stdout
        check(changed.count("changed, started anew") == 2 and changed.count("unchanged") == 1, changed)
        after = {r["id"]: r["pid"] for r in node.json("ps", "--json")}
        check(after["back-rep-1"] == pids["back-rep-1"] and after["front-rep-1"] != pids["front-rep-1"], "who was made anew")
        down = node.zlayer("down", path).stdout.splitlines()
        check(down[-1] == "back-rep-1: removed" or "back-rep-1: removed" in down, f"{down}")
        node.expect_no_leaks()


def up_in_the_foreground_and_ctrl_c():
    with Shop() as node, tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "shop.yaml"
        path.write_text(SHOP)
        up = node.start("up", path, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        read_until(up, lambda text: text.count("front-ready") == 2)
        up.send_signal(signal.SIGINT)
        out = read_until(up, lambda text: text.count("-ends") == 3)
        up.communicate(timeout=30)
        check(up.returncode == 130, f"exit {up.returncode}")
        ends = [line.split()[0] for line in out.splitlines() if line.endswith("-ends")]
        check(sorted(ends) == ["back-rep-1", "front-rep-1", "front-rep-2"] and ends[-1] == "back-rep-1", f"{ends}")
        node.zlayer("down", "-q", "shop")
        node.expect_no_leaks()


def a_failing_start_is_taken_back():
    with Shop() as node, tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "shop.yaml"
        path.write_text(SHOP.replace("args: [sh, -c, \"until", "args: [no-such-program, \"until"))
        done = node.zlayer("up", "-d", path, ok=1)
        check("service 'front'" in done.stderr and "no-such-program" in done.stderr, done.stderr)
        node.expect_no_leaks()


def what_goes_on_is_shown_as_it_happens():
    with Shop() as node:
        events = node.start("events", "-f", "--json", stdout=subprocess.PIPE)
        node.zlayer("run", "-d", "--name", "short", HELLO, "sleep", "3")
        stats = node.start("stats", "--json", "short", stdout=subprocess.PIPE)
        lines = [json.loads(line) for line in stats.communicate(timeout=20)[0].splitlines()]
        check(stats.returncode == 0 and len(lines) >= 1 and {line["id"] for line in lines} == {"short"}, f"stats: {lines}")
        text = read_until(events, lambda text: '"die"' in text)
        events.terminate()
        events.communicate(timeout=10)
        seen = [(e["action"], e["id"]) for e in map(json.loads, text.splitlines()) if e["type"] == "container"]
        check(seen == [("create", "short-rep-1"), ("start", "short-rep-1"), ("die", "short-rep-1")], f"{seen}")


def images_that_are_missing():
    with Node() as node:
        done = node.zlayer("run", "--rm", HELLO, "true")
        check("layer 1/2" in done.stderr and done.stdout == "", f"{done}")
        check(node.zlayer("run", "--rm", HELLO, "true").stderr == "", "a stored image is not announced")
        node.zlayer("run", "--rm", "--pull", "never", "oci:/no/such/place", "true", ok=125)
        check(node.ids() == [], f"{node.ids()}")


def memory_in_either_spelling():
    with Node() as node:
        node.zlayer("pull", HELLO)
        for text, size in (("64m", 64 << 20), ("64Mi", 64 << 20), ("64M", 64000000), ("67108864b", 64 << 20)):
            node.zlayer("run", "-d", "--name", "sized", "-m", text, HELLO, "sleep", "100")
            check(node.inspect("sized")["resources"]["memory"] == size, f"{text}: {node.inspect('sized')['resources']}")
            node.zlayer("rm", "-f", "sized")
        small = node.zlayer("run", "--rm", "-m", "4096", HELLO, "true", ok=125)
        check("memory limit is too small" in small.stderr, small.stderr)
        node.zlayer("run", "--rm", "-m", "64x", HELLO, "true", ok=125)
        node.expect_no_leaks()


main(exit_codes, streams_stay_apart, options_act, a_detached_container, signals_reach_the_workload,
     a_deaf_workload_is_left_alone, the_view_may_be_killed, a_terminal, a_terminal_is_restored_after_a_signal,
     a_published_port, a_deployment, up_in_the_foreground_and_ctrl_c, a_failing_start_is_taken_back,
     what_goes_on_is_shown_as_it_happens, images_that_are_missing, memory_in_either_spelling)
