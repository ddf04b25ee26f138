#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Terminals: the console socket, run and exec in the foreground on a pty of ours, sizes, owners."""
import fcntl
import json
import os
import pty
import signal
import struct
import subprocess
import termios

from ocibox import Console, all_cases, case, check, contains, equal, main, read_until, wait_for


def set_size(fd, rows, cols):
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, cols, 0, 0))


class Pty:
    """Our own terminal, for a runtime in the foreground."""

    def __init__(self, box, rows=40, cols=100):
        self.master, self.slave = pty.openpty()
        set_size(self.master, rows, cols)
        box.cleanups.append(self.close)

    def spawn(self, box, *args):
        process = subprocess.Popen(box.command(*args), stdin=self.slave, stdout=self.slave, stderr=self.slave, cwd=box.top)
        box.processes.append(process)
        return process

    def write(self, text):
        os.write(self.master, text.encode())

    def until(self, part):
        text = read_until(self.master, part)
        contains(text, part, "terminal")
        return text

    def close(self):
        for fd in (self.master, self.slave):
            os.close(fd)


def with_terminal(box):
    box.process["terminal"] = True
    return box


@case
def console_socket_of_create(box):
    console = Console(box)
    with_terminal(box).script("tty; stty size; echo ready; read line; echo got-$line").create("--console-socket", console.path)
    master = console.receive()
    box.start()
    text = read_until(master, "ready")
    contains(text, "/dev/pts/")
    os.write(master, b"input\n")
    contains(read_until(master, "got-input"), "got-input")
    box.wait_status("stopped")


@case
def console_socket_of_run_detached(box):
    console = Console(box)
    with_terminal(box).script("echo hello; sleep 1000").detach("--console-socket", console.path)
    contains(read_until(console.receive(), "hello"), "hello")


@case
def console_socket_of_exec(box):
    console = Console(box)
    box.detach()
    box.exec("sh", "-c", "tty; echo hello", flags=["-t", "-d", "--console-socket", console.path], stdout=subprocess.DEVNULL,
             stderr=subprocess.DEVNULL)
    contains(read_until(console.receive(), "hello"), "/dev/pts/")


@case
def console_size_of_the_document(box):
    console = Console(box)
    box.process["consoleSize"] = {"height": 33, "width": 120}
    with_terminal(box).script("stty size; echo ready; sleep 1000").detach("--console-socket", console.path)
    contains(read_until(console.receive(), "ready"), "33 120")


@case
def console_size_of_an_exec_document(box):
    console = Console(box)
    box.detach()
    path = box.top / "process.json"
    path.write_text(json.dumps({"terminal": True, "consoleSize": {"height": 10, "width": 110}, "cwd": "/",
                                "args": ["/bin/sh", "-c", "/bin/stty size; echo ready"]}))
    box.oci("exec", "-t", "--pid-file", box.top / "pid", "-d", "--console-socket", console.path, "-p", path, box.id,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    contains(read_until(console.receive(), "ready"), "10 110")
    check((box.top / "pid").read_text().isdigit(), "the pid file")


@case
def resizing_the_master(box):
    console = Console(box)
    with_terminal(box).script("trap 'stty size' WINCH; echo ready; while :; do sleep 0.05; done").detach("--console-socket", console.path)
    master = console.receive()
    read_until(master, "ready")
    set_size(master, 17, 71)
    contains(read_until(master, "17 71"), "17 71")


@case
def a_long_socket_path(box):
    folder = box.top / ("d" * 90) / ("e" * 90)
    folder.mkdir(parents=True)
    console = Console(box)
    os.rename(console.path, folder / "sock")
    with_terminal(box).script("echo hello; sleep 1000").detach("--console-socket", folder / "sock")
    contains(read_until(console.receive(), "hello"), "hello")


@case
def a_socket_that_is_not_there_fails(box):
    with_terminal(box).args("sleep", "1000").create("--console-socket", "/no/such/socket", ok="fail")
    equal(box.states(), [])


@case
def a_socket_without_a_terminal_fails(box):
    console = Console(box)
    box.args("sleep", "1000").create("--console-socket", console.path, ok="fail")
    equal(box.states(), [])


@case
def detached_without_a_socket_fails(box):
    with_terminal(box).args("sleep", "1000").detach(ok="fail")
    equal(box.states(), [])


@case
def run_in_the_foreground(box):
    own = Pty(box)
    with_terminal(box).script("tty; stty size; echo ready; read line; echo got-$line; exit 7").write_config()
    process = own.spawn(box, "run", "--bundle", box.bundle, box.id)
    text = own.until("ready")
    contains(text, "/dev/pts/")
    contains(text, "40 100")
    own.write("input\n")
    own.until("got-input")
    equal(process.wait(30), 7)


@case
def our_terminal_is_raw_and_put_back(box):
    own = Pty(box)
    before = termios.tcgetattr(own.slave)
    with_terminal(box).script("echo ready; read line").write_config()
    process = own.spawn(box, "run", "--bundle", box.bundle, box.id)
    own.until("ready")
    check(not termios.tcgetattr(own.slave)[3] & termios.ICANON, "our terminal is not raw")
    own.write("\n")
    equal(process.wait(30), 0)
    equal(termios.tcgetattr(own.slave), before)


@case
def control_c_goes_to_the_program(box):
    own = Pty(box)
    with_terminal(box).script("trap 'echo interrupted; exit 5' INT; echo ready; while :; do sleep 0.05; done").write_config()
    process = own.spawn(box, "run", "--bundle", box.bundle, box.id)
    own.until("ready")
    own.write("\x03")
    own.until("interrupted")
    equal(process.wait(30), 5)


@case
def our_size_is_followed(box):
    own = Pty(box)
    with_terminal(box).script("trap 'stty size' WINCH; echo ready; while :; do sleep 0.05; done").write_config()
    process = own.spawn(box, "run", "--bundle", box.bundle, box.id)
    own.until("ready")
    set_size(own.master, 22, 66)
    process.send_signal(signal.SIGWINCH)
    own.until("22 66")


@case
def exec_in_the_foreground(box):
    box.detach()
    own = Pty(box)
    process = own.spawn(box, "exec", "-t", box.id, "sh", "-c", "tty; stty size; echo ready; read line; echo got-$line; exit 9")
    text = own.until("ready")
    contains(text, "40 100")
    own.write("input\n")
    own.until("got-input")
    equal(process.wait(30), 9)


@case
def without_a_terminal_of_ours(box):
    """stdin is no terminal, the program has one all the same."""
    with_terminal(box)
    out = box.output("for f in 0 1 2; do readlink /proc/self/fd/$f; done; stty size")
    equal(out.replace("\r", "").splitlines()[:3], ["/dev/pts/0"] * 3)
    box.process["terminal"] = False
    box.args("sleep", "1000").detach()
    out = box.exec("sh", "-c", "tty; stty size", flags=["-t"]).stdout
    contains(out, "/dev/pts/")


@case
def the_end_of_our_input_is_told(box):
    with_terminal(box).script("cat; echo ended")
    contains(box.run(input="line\n").stdout, "ended")


@case
def a_great_output_is_complete(box):
    with_terminal(box)
    text = box.output("seq 1 20000").replace("\r", "")
    equal(text.split("\n")[-1], "20000")
    equal(len(text.split("\n")), 20000)


@case
def the_owner_is_the_user_and_the_tty_group(box):
    with_terminal(box)
    contains(box.output("stat -c %u:%g $(tty)"), "0:5")
    box.process["user"] = {"uid": 1000, "gid": 100}
    contains(box.output("stat -c %u:%g $(tty)"), "1000:5")
    box.process["terminal"] = False
    box.process["user"] = {"uid": 0, "gid": 0}
    box.args("sleep", "1000").detach()
    contains(box.exec("sh", "-c", "stat -c %u:%g $(tty)", flags=["-t", "-u", "1:2"]).stdout, "1:5")


@case
def it_is_the_controlling_terminal(box):
    with_terminal(box)
    contains(box.output("echo yes > /dev/tty"), "yes")
    contains(box.output("ls -l /dev/console"), "136")


@case
def in_a_user_namespace(box):
    with_terminal(box).user_namespace()
    contains(box.output("tty; stat -c %u $(tty); echo x > /dev/console && echo console"), "console")


@case
def signals_to_the_runtime_reach_the_program(box):
    box.args("helper", "signals").write_config()
    process = box.spawn("run", "--bundle", box.bundle, box.id, stdout=subprocess.PIPE)
    equal(process.stdout.readline(), "ready\n")
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGUSR1, signal.SIGUSR2, signal.SIGCONT):
        process.send_signal(number)
        equal(process.stdout.readline(), f"got {int(number)}\n")
    process.send_signal(signal.SIGTERM)
    equal(process.wait(30), 0)


@case
def signals_at_once_reach_the_program(box):
    """As early as the program can be known to run."""
    box.script("trap 'exit 3' TERM; echo ready; while :; do sleep 0.01; done")
    for _ in range(15):
        box.write_config()
        process = box.spawn("run", "--bundle", box.bundle, box.id, stdout=subprocess.PIPE)
        equal(process.stdout.readline(), "ready\n")
        process.send_signal(signal.SIGTERM)
        equal(process.wait(30), 3)
    box.args("sleep", "1000").detach()
    for _ in range(15):
        process = box.spawn("exec", box.id, "sh", "-c", "trap 'exit 3' TERM; echo ready; while :; do sleep 0.01; done", stdout=subprocess.PIPE)
        equal(process.stdout.readline(), "ready\n")
        process.send_signal(signal.SIGTERM)
        equal(process.wait(30), 3)


@case
def a_closed_reader_ends_nothing_else(box):
    """Our output is closed: the runtime still waits for the program and removes the container."""
    with_terminal(box).script("sleep 0.2; echo text; echo done > /tmp/mark").write_config()
    process = box.spawn("run", "--bundle", box.bundle, box.id, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    process.stdout.close()
    process.stdout = None
    process.wait(30)
    wait_for(lambda: not box.states(), what="the end of the container")


if __name__ == "__main__":
    main(all_cases(globals()))
