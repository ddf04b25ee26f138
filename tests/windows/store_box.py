# SPDX-License-Identifier: Apache-2.0
"""A store of layers on a machine of doubles, for tests under Wine."""
import json
import os
import pathlib
import shutil
import subprocess
import tempfile

from cases import WINE

LIBS = pathlib.Path(os.environ["HCS_SIM_LIBS"])


def windows_path(path):
    return "Z:" + str(path).replace("/", "\\")


class Box:
    """ROOT and a machine in a directory of their own. `programs`: by name, the .exe files."""

    def __init__(self, programs, registry):
        self.top = pathlib.Path(tempfile.mkdtemp(prefix="zl-winstore-"))
        self.root, self.machine = self.top / "root", self.top / "machine"
        self.machine.mkdir()
        self.programs = programs
        self.root.mkdir(mode=0o700)
        (self.root / "config.yaml").write_text(f'registries: {{ "{registry}": {{ insecure: true }} }}\n')
        self.env = dict(os.environ, HCS_SIM_DIR=windows_path(self.machine),
                        ZLAYER_HCS_DOUBLES=windows_path(LIBS / "hcssim.dll"))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sim("stop")
        shutil.rmtree(self.top)

    def start(self, program, *args, **env):
        """Output into files: Wine's services inherit what the first program of a prefix has."""
        out, err = tempfile.TemporaryFile(), tempfile.TemporaryFile()
        process = subprocess.Popen([*WINE, self.programs[program], *args], stdin=subprocess.DEVNULL, stdout=out,
                                   stderr=err, env={**self.env, **env})
        process.files = out, err
        return process

    @staticmethod
    def finish(process, timeout=120):
        process.wait(timeout=timeout)
        texts = []
        for file in process.files:
            file.seek(0)
            texts.append(file.read().decode("utf-8", "replace").replace("\r\n", "\n"))
            file.close()
        return process.returncode, *texts

    def run(self, program, *args, **env):
        return self.finish(self.start(program, *args, **env))

    def sim(self, *args):
        return self.run("sim_tool", *args)

    def store(self, *args, **env):
        return self.run("pull_tool", windows_path(self.root), "none", *args, **env)

    def start_store(self, *args, **env):
        return self.start("pull_tool", windows_path(self.root), "none", *args, **env)

    def good(self, *args, **env):
        code, out, err = self.store(*args, **env)
        assert code == 0, (args, code, err)
        return out

    def bad(self, *args, **env):
        code, out, err = self.store(*args, **env)
        assert code == 1, (args, code, out)
        return err

    def knobs(self, *lines):
        (self.machine / "knobs").write_text("".join(line + "\n" for line in lines))

    def policy(self, rules):
        """The node wants signatures."""
        with (self.root / "config.yaml").open("a") as config:
            config.write(f"signatures: {json.dumps(rules)}\n")

    def calls(self, name):
        """Arguments of each call of that name, in order."""
        journal = self.machine / "journal"
        lines = journal.read_text().splitlines() if journal.exists() else []
        return [entry["args"] for entry in map(json.loads, lines) if entry["call"] == name]

    def entries(self):
        """Names in ROOT/layers: of published layers, and all others."""
        folder = self.root / "layers"
        names = sorted(path.name for path in folder.iterdir()) if folder.exists() else []
        published = [name for name in names if (folder / name / "meta.json").exists()]
        return published, [name for name in names if name not in published]

    def partials(self):
        folder = self.root / "partial"
        return sorted(path.name for path in folder.iterdir()) if folder.exists() else []
