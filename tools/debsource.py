# SPDX-License-Identifier: Apache-2.0
"""Debian's source packages, from the mirror that this machine's apt uses, with Debian's patches and their
signatures checked by apt; this machine's source lists stay as they are. For the tools here."""
import os

from buildcache import Trouble, logged, output

KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"


def mirrors():
    """(mirror, suite) of Debian as apt is set up here, its security suite among them."""
    found = []
    for line in output("apt-get", "indextargets", "--format", "$(REPO_URI) $(CODENAME) $(COMPONENT) $(ORIGIN)",
                       "Created-By: Packages").splitlines():
        fields = line.split()
        if len(fields) >= 4 and fields[2] == "main" and fields[3].startswith("Debian"):
            found.append((fields[0], fields[1]))
    if not found:
        raise Trouble("apt knows no package list of Debian: apt-get update, as root")
    return sorted(set(found))


def private_apt(work):
    """The environment of an apt with source lists of its own."""
    for folder in ("lists/partial", "cache/archives/partial"):
        (work / folder).mkdir(parents=True)
    (work / "sources.list").write_text("".join(
        f"deb-src [signed-by={KEYRING}] {mirror} {suite} main\n" for mirror, suite in mirrors()))
    config = work / "apt.conf"
    config.write_text(f'Dir::Etc::SourceList "{work}/sources.list";\nDir::Etc::SourceParts "-";\n'
                      f'Dir::State::Lists "{work}/lists";\nDir::Cache "{work}/cache";\n'
                      'Acquire::Languages "none";\nAPT::Sandbox::User "root";\n')
    return dict(os.environ, APT_CONFIG=str(config))


def fetch(package, version, work, log):
    """The patched tree of this version of a package, below `work`."""
    env = private_apt(work)
    folder = work / package
    folder.mkdir()
    logged(["apt-get", "update", "-q"], log, env=env)
    logged(["apt-get", "source", "-q", f"{package}={version}"], log, env=env, cwd=folder)
    return next(path for path in folder.iterdir() if path.is_dir())
