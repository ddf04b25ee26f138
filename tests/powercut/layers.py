# SPDX-License-Identifier: Apache-2.0
"""What a store has on disk, read without zlayer: for the host, where it is right, and for the machine after a cut."""
import hashlib
import json
import os
import pathlib
import stat

DATABASE = "zlayer.db"
BOOT = pathlib.Path("/proc/sys/kernel/random/boot_id")
OWN = ("fs", "layer.erofs")  # what is in a layer is compared by its digest, not by names


def of_tree(top):
    """A digest of all that a directory shows: names, types, attributes, links, content."""
    digest = hashlib.sha256()
    for folder, folders, files in os.walk(top):
        folders.sort()
        for name in [".", *sorted(folders + files)]:
            path = os.path.join(folder, name)
            st = os.lstat(path)
            whiteout = stat.S_ISCHR(st.st_mode) and st.st_rdev == 0  # nobody sees the time of one
            facts = [os.path.relpath(path, top), st.st_mode, st.st_uid, st.st_gid, 0 if whiteout else st.st_mtime_ns, st.st_rdev,
                     {key: os.getxattr(path, key, follow_symlinks=False).hex()
                      for key in sorted(os.listxattr(path, follow_symlinks=False))}]
            if not stat.S_ISDIR(st.st_mode):
                facts += [st.st_nlink, st.st_size]
            if stat.S_ISLNK(st.st_mode):
                facts.append(os.readlink(path))
            digest.update(json.dumps(facts).encode())
            if stat.S_ISREG(st.st_mode):
                digest.update(pathlib.Path(path).read_bytes())
    return digest.hexdigest()


def of_layer(place):
    """(kind, digest) of a published layer; a kind of '' is a layer without content."""
    if (place / "layer.erofs").exists():
        return "erofs", hashlib.sha256((place / "layer.erofs").read_bytes()).hexdigest()
    if (place / "fs").exists():
        return "directory", of_tree(place / "fs")
    return "", ""


def named(root):
    """The directories that stand under the name of a layer."""
    folder = root / "layers"
    return [place for place in sorted(folder.iterdir()) if not place.name.startswith(("tmp-", "lock-", "void-", "."))] if folder.is_dir() else []


def is_flushed(place):
    return not stat.S_IMODE((place / "meta.json").stat().st_mode) & 0o200


def counts(place):
    """Whether zlayer may use the layer: it was flushed, or made since the machine came up."""
    try:
        return is_flushed(place) or json.loads((place / "meta.json").read_text()).get("boot") == BOOT.read_text().strip()
    except (OSError, ValueError):
        return False


def published(root):
    """{key: (kind, digest)} of all layers that count."""
    return {place.name: of_layer(place) for place in named(root) if counts(place)}


def names(root):
    """Every file of the store but what is in layers, and the database's, which come and go."""
    found = []
    for folder, folders, files in os.walk(root):
        folders[:] = sorted(name for name in folders if name not in OWN)
        found += [os.path.relpath(os.path.join(folder, name), root) for name in folders + sorted(files)]
    return sorted(name for name in found if not name.startswith(DATABASE))
