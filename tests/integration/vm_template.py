#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Templates with the real QEMU: when one is made, used, and not used any more."""
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import time

from zltest import BUILD, HELLO, VmNode, check, helpers, main, wait_for

CPUINFO = pathlib.Path("/proc/cpuinfo")
GUEST = pathlib.Path(os.environ.get("ZLAYER_GUEST_DIR", BUILD / "guest")).resolve()
QEMU = GUEST / "qemu/qemu-system-x86_64"
# A clone that hangs is given up after 15 s, then the machine boots: with room for a busy host. The
# agent's own patience is 120 s.
LIMIT_S = 100
BUILD_S = 120


class TemplateNode(VmNode):
    """With templates that serve any image only, unless `template` says otherwise."""

    def __init__(self, template="plain"):
        super().__init__()
        self.settings(f"{{ template: {template} }}")

    def __enter__(self):
        self.zlayer("pull", HELLO)
        return super().__enter__()

    def __exit__(self, *exception):
        self.zlayer("vm", "pool", "0", ok=None)
        try:
            wait_for(lambda: not helpers(self.root), BUILD_S, "the end of the template's builder")
        finally:
            super().__exit__(*exception)

    def keys(self):
        """Templates that can be cloned."""
        return {t["key"] for t in self.json("vm", "status", "--json")["templates"]}

    def folders(self):
        folder = self.root / "vm" / "templates"
        return {p.name for p in folder.iterdir() if len(p.name) == 64} if folder.is_dir() else set()

    def await_template(self, gone=frozenset()):
        """The key of the only template, when it is complete; none of `gone` may be left."""
        wait_for(lambda: self.keys() - gone and not helpers(self.root), BUILD_S, "a template")
        check(self.folders() == self.keys(), f"{self.folders()}, of which {self.keys()} are complete")
        check(len(self.keys()) == 1, f"{self.keys()}")
        return next(iter(self.keys()))

    def run(self):
        """Tier, standard error and seconds of one container."""
        began = time.monotonic()
        done = self.zlayer("run", "--rm", "--isolation", "hyperv", HELLO, "sh", "-c", "echo x; exit 7", ok=7,
                           timeout=LIMIT_S)
        seconds = time.monotonic() - began
        check(done.stdout == "x\n", f"{done.stdout!r}, {done.stderr!r}")
        ends = [e for e in self.json_lines("events", "--json") if e["action"] == "die"]
        return ends[-1]["tier"], done.stderr, seconds

    def expect(self, tier, *words):
        """One container that starts so; its warning has these words, or there is none."""
        got, said, seconds = self.run()
        said = "\n".join(line for line in said.splitlines() if "warning: " in line)
        check(got == tier, f"tier {got} instead of {tier}; {said}")
        check(bool(words) == bool(said) and all(word in said for word in words), f"{words} are to be in {said!r}")
        return seconds


def a_template_is_made_by_the_first_start_and_serves_the_second():
    with TemplateNode() as node:
        check(node.json("vm", "status", "--json")["tiers"] == ["boot"], "tiers before")
        node.expect("boot")
        code = node.root / "vm/templates" / node.await_template() / "code"
        check(code.exists() and code.stat().st_size > 1 << 20, "no code is kept: is our own QEMU there (make guest-qemu)?")
        check(node.json("vm", "status", "--json")["tiers"] == ["clone", "boot"], "tiers after")
        node.zlayer("run", "-d", "--name", "one", "--isolation", "hyperv", HELLO, "sleep", "1000")
        check(node.inspect("one")["machine"]["tier"] == "clone", "tier in inspect")
        stats = node.json("stats", "--no-stream", "--json", "one")
        check((stats[0] if isinstance(stats, list) else stats)["tier"] == "clone", f"tier in stats: {stats}")
        node.zlayer("rm", "-f", "one")
        node.expect_no_leaks()


# ---- Another machine ----

class Bound:
    """Another file in the place of one, for this program and what it starts only: zltest gave it a mount
    namespace of its own."""

    def __init__(self, target, content=None):
        self.target = target
        self.folder = tempfile.TemporaryDirectory(prefix="zlayer-test-bound-")
        self.source = pathlib.Path(self.folder.name) / target.name
        self.bound = False
        if content is None:
            shutil.copy(target, self.source)
        else:
            self.source.write_text(content)

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.release()
        self.folder.cleanup()

    def bind(self):
        subprocess.run(["mount", "--bind", str(self.source), str(self.target)], check=True)
        self.bound = True

    def release(self):
        if self.bound:
            subprocess.run(["umount", str(self.target)], check=True)
        self.bound = False


class Guests:
    """A copy of the guest kernels, which may be changed."""

    def __init__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="zlayer-test-guest-"))
        self.before = os.environ.get("ZLAYER_GUEST_DIR")

    def __enter__(self):
        for kernel in GUEST.iterdir():
            (self.folder / kernel.name).mkdir()
            for file in kernel.iterdir():
                shutil.copy(file, self.folder / kernel.name)
        os.environ["ZLAYER_GUEST_DIR"] = str(self.folder)
        return self

    def __exit__(self, *exception):
        os.environ.pop("ZLAYER_GUEST_DIR")
        if self.before is not None:
            os.environ["ZLAYER_GUEST_DIR"] = self.before
        shutil.rmtree(self.folder)

    def append(self, name):
        with open(self.folder / "zlayer" / name, "ab") as file:
            file.write(b"\0")


def replaced_by_another(change, undo=lambda: None):
    """With the machine as it is one template, after `change` another one and the first is gone."""
    with TemplateNode() as node:
        node.zlayer("vm", "template")
        first = node.await_template()
        node.expect("clone")
        change()
        check(node.run()[0] == "boot", "a template of another machine was cloned")
        second = node.await_template(gone={first})
        check(second != first and not (node.root / "vm/templates" / first).exists(), f"{first} is still there")
        node.expect("clone")
        undo()
        node.expect_no_leaks()


def another_kernel_has_another_template():
    with Guests() as guests:
        replaced_by_another(lambda: guests.append("kernel"))


def another_agent_has_another_template():
    with Guests() as guests:
        replaced_by_another(lambda: guests.append("initrd"))


def another_qemu_has_another_template():
    with Bound(QEMU) as copy:
        replaced_by_another(copy.bind, copy.release)


def another_processor_has_another_template():
    """A kernel or microcode update, or a root that was moved to another host."""
    for key in ("microcode", "flags"):
        check(f"\n{key}\t" in CPUINFO.read_text(), f"no {key} in {CPUINFO}")
        with Bound(CPUINFO, re.sub(rf"(?m)^({key}\s*: )", r"\g<1>1", CPUINFO.read_text())) as copy:
            replaced_by_another(copy.bind, copy.release)


def the_clock_rate_of_the_moment_is_no_other_processor():
    text = re.sub(r"(?m)^((cpu MHz|bogomips)\s*: )", r"\g<1>9", CPUINFO.read_text())
    with TemplateNode() as node, Bound(CPUINFO, text) as copy:
        node.zlayer("vm", "template")
        copy.bind()
        node.expect("clone")
        copy.release()
        node.expect_no_leaks()


if __name__ == "__main__":
    main(a_template_is_made_by_the_first_start_and_serves_the_second, another_kernel_has_another_template,
         another_agent_has_another_template, another_qemu_has_another_template,
         another_processor_has_another_template, the_clock_rate_of_the_moment_is_no_other_processor)
