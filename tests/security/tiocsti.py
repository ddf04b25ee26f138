#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""CVE-2016-3135, CVE-2017-5226, CVE-2019-10063 (bubblewrap, flatpak): what a container typed into the terminal that it
was started from. A container has a session and a terminal of its own, or none."""
import os
import pty
import select
import shutil
import subprocess

from secbox import INSIDE, all_cases, case, check, equal, main


def prepare(box):
    shutil.copy2(INSIDE, box.rootfs / "bin" / "inside")
    return box


class Terminal:
    """Our own, as a user's, from which the runtime is started."""

    def __enter__(self):
        self.pid, self.master = None, None
        return self

    def run(self, box, *words):
        self.pid, self.master = pty.fork()
        if self.pid == 0:
            os.chdir(box.top)
            os.execv(box.command()[0], box.command(*words))
        shown = b""
        while True:
            if not select.select([self.master], [], [], 60)[0]:
                break
            try:
                shown += os.read(self.master, 4096)
            except OSError:
                break
        code = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        os.close(self.master)
        return code, shown.decode(errors="replace")

    def __exit__(self, *exception):
        pass


@case
def without_a_terminal_there_is_nothing_to_type_into(box):
    """The streams are the caller's terminal; the container has another session and none that controls it."""
    prepare(box).capabilities(**{name: ["CAP_SYS_ADMIN"] for name in ("bounding", "effective", "permitted")})
    box.process["noNewPrivileges"] = False
    box.script("cat /proc/self/stat | cut -d' ' -f7; (: < /dev/tty) 2>/dev/null && echo opened; true").write_config()
    with Terminal() as terminal:
        code, shown = terminal.run(box, "run", "--bundle", box.bundle, box.id)
    equal((code, shown.replace("\r", "")), (0, "0\n"), "the terminal that controls it")


@case
def a_user_of_the_container_cannot_type(box):
    """Without a privilege of the host, even into streams that are the caller's terminal."""
    prepare(box).args("inside", "type").write_config()
    with Terminal() as terminal:
        equal(terminal.run(box, "run", "--bundle", box.bundle, box.id), (0, ""))
    box.args("sleep", "1000").detach()
    with Terminal() as terminal:
        equal(terminal.run(box, "exec", box.id, "inside", "type"), (0, ""), "exec")


@case
def its_own_terminal_is_another(box):
    """What it types there, if the kernel lets it, is its own input."""
    prepare(box).process["terminal"] = True
    box.script("tty; readlink /proc/self/fd/0; inside type > /dev/null; true").write_config()
    with Terminal() as terminal:
        code, shown = terminal.run(box, "run", "--bundle", box.bundle, box.id)
    lines = shown.replace("\r", "").splitlines()
    equal(code, 0, shown)
    check(lines[0] in ("/dev/pts/0", "/dev/console") and "typed" not in shown, shown)
    box.script("sleep 1000")
    box.process["terminal"] = False
    box.detach()
    with Terminal() as terminal:
        code, shown = terminal.run(box, "exec", "--tty", box.id, "sh", "-c", "tty; inside type > /dev/null; true")
    check(code == 0 and "/dev/pts/" in shown and "typed" not in shown, shown)


@case
def the_session_is_new(box):
    own = os.getsid(0)
    box.detach()
    equal(os.getsid(box.pid()), box.pid())
    box.exec("sleep", "1000", flags=["--detach", "--pid-file", box.top / "pid"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    pid = int((box.top / "pid").read_text())
    equal(os.getsid(pid), pid)
    check(own not in (os.getsid(box.pid()), os.getsid(pid)), "the caller's session")


if __name__ == "__main__":
    main(all_cases(globals()))
