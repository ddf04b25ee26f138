# SPDX-License-Identifier: Apache-2.0
"""What clang-tidy reads: a compilation database with each source once, and of each source a name that says
all that its verdict depends on. For tools/check."""
import hashlib
import json
import pathlib
import shlex
import subprocess

# Of a compiler's arguments: what says where its output goes, with the word that follows.
OUTPUTS = {"-o", "-MF", "-MQ"}


def arguments(command):
    """What the compiler is asked, without its outputs."""
    words, kept = iter(shlex.split(command["command"])), []
    for word in words:
        if word in OUTPUTS:
            next(words)
        elif word != "-MD":
            kept.append(word)
    return kept


def source(command):
    return (pathlib.Path(command["directory"]) / command["file"]).resolve()


def distinct(commands):
    """One command per source: another target compiles it as well. With other macros it is another source."""
    found = {}
    for command in commands:
        macros = frozenset(word for word in arguments(command) if word.startswith("-D"))
        found.setdefault((command["file"], macros), command)
    return list(found.values())


def write(folder, commands):
    """A database of these commands alone, as clang-tidy -p takes it."""
    folder.mkdir(exist_ok=True)
    (folder / "compile_commands.json").write_text(json.dumps(commands))
    return folder


class Names:
    """Names of sources under one clang-tidy and its settings."""

    def __init__(self, root):
        self.root, self.contents = root, {}
        version = subprocess.run(["clang-tidy", "--version"], check=True, capture_output=True).stdout
        settings = [file.read_bytes() for file in sorted(root.rglob(".clang-tidy"))]
        self.tool = hashlib.sha256(b"".join([version, *settings])).hexdigest()

    def content(self, file):
        if file not in self.contents:
            self.contents[file] = hashlib.sha256(file.read_bytes()).hexdigest()
        return self.contents[file]

    def files(self, command):
        """The source and all that it includes."""
        listed = subprocess.run([*arguments(command), "-M"], cwd=command["directory"], check=True,
                                stdout=subprocess.PIPE, text=True).stdout
        names = listed.split(":", 1)[1].replace("\\\n", " ").split()
        return [(pathlib.Path(command["directory"]) / name).resolve() for name in names]

    def of(self, commands):
        """The name of a source that is compiled by these commands: the same in each clone."""
        digest = hashlib.sha256(self.tool.encode())
        for command in commands:
            digest.update(" ".join(arguments(command)).replace(f"{self.root}/", "").encode())
            for file in self.files(command):
                place = file.relative_to(self.root) if file.is_relative_to(self.root) else file
                digest.update(f"\n{place} {self.content(file)}".encode())
        return digest.hexdigest()
