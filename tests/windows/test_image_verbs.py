#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The verbs for images of zlayer.exe under Wine, on a store of layers with the doubles of Windows' services.
usage: test_image_verbs.py ZLAYER.EXE SIM_TOOL.EXE [CASE...]"""
import json
import sys
import tarfile

sys.dont_write_bytecode = True
from cases import run_cases  # noqa: E402  pylint: disable=wrong-import-position
import registry as reg  # noqa: E402  pylint: disable=wrong-import-position
from store_box import Box, windows_path  # noqa: E402  pylint: disable=wrong-import-position

PROGRAMS = {"zlayer": sys.argv[1], "sim_tool": sys.argv[2]}
REGISTRY = reg.Registry()
BASE, DIFF = reg.base_layer(), reg.diff_layer()
CONFIG = {"Entrypoint": ["cmd", "/c"], "Cmd": ["echo", "hi"], "Env": ["A=b"], "WorkingDir": "C:\\app"}


def box():
    return Box(PROGRAMS, REGISTRY.host)


def zlayer(b, *args, **env):
    return b.run("zlayer", "--root", windows_path(b.root), *args, **env)


def good(b, *args, **env):
    code, out, err = zlayer(b, *args, **env)
    assert code == 0, (args, code, err)
    return out


def same(got, expected):
    assert got == expected, f"\n got {got!r}\n not {expected!r}"


def images_are_pulled_listed_and_removed():
    one = reg.image([BASE, DIFF], config=CONFIG)
    name = REGISTRY.add("two", one)
    with box() as b:
        code, out, err = zlayer(b, "pull", name)
        assert code == 0, err
        same(out, one.digest + "\n")
        assert err.startswith(f"pulling {name}\nlayer 1/2 ") and err.count(": done, ") == 2, err
        same(good(b, "pull", "-q", name), one.digest + "\n")
        listed = json.loads(good(b, "images", "--json"))
        same([(i["reference"], i["digest"], i["os"], i["arch"], i["layers"], i["containers"]) for i in listed],
             [(name, one.digest, "windows", "amd64", 2, 0)])
        assert listed[0]["size"] > 3000, listed
        assert f"{name}  " in good(b, "images") and "windows/amd64" in good(b, "images")
        same(good(b, "rmi", name), name + "\n")
        same(json.loads(good(b, "images", "--json")), [])
        same(b.entries(), ([], []))


def facts_are_told():
    name = REGISTRY.add("two", reg.image([BASE, DIFF], config=CONFIG))
    with box() as b:
        good(b, "pull", "-q", name)
        facts = json.loads(good(b, "image", "inspect", name))[0]
        same((facts["Os"], facts["Architecture"], facts["OsVersion"]), ("windows", "amd64", "10.0.20348.2966"))
        same({key: facts["Config"][key] for key in CONFIG}, CONFIG)
        same(len(facts["RootFS"]["Layers"]), 2)
        same(len(json.loads(good(b, "image", "history", "--json", name))), 2)
        same(good(b, "image", "tag", name, "example.com/mine:1"), "")
        same(sorted(i["reference"] for i in json.loads(good(b, "images", "--json"))), [name, "example.com/mine:1"])


def archives_are_loaded():
    """Plain and compressed, from a file; docker's kind has no index."""
    one = reg.image([BASE, DIFF], ["none", "none"], docker=True)
    with box() as b:
        files = {one.config["digest"][7:] + ".json": one.blobs[one.config["digest"]]}
        names = []
        for at, layer in enumerate(one.layers):
            names.append(f"{at}/layer.tar")
            files[names[-1]] = one.blobs[layer["digest"]]
        files["manifest.json"] = reg.ri.dumps([{"Config": one.config["digest"][7:] + ".json", "RepoTags": ["loaded:1"],
                                                "Layers": names}])
        for mode, name in (("w", "plain.tar"), ("w:gz", "packed.tgz")):
            with tarfile.open(b.top / name, mode) as tar:
                for file, data in files.items():
                    info = tarfile.TarInfo(file)
                    info.size = len(data)
                    tar.addfile(info, reg.ri.io.BytesIO(data))
            same(good(b, "image", "load", "-q", "-i", windows_path(b.top / name)), "docker.io/library/loaded:1\n")
            same(len(b.entries()[0]), 2)
            same(good(b, "rmi", "loaded:1"), "loaded:1\n")
            same(b.entries(), ([], []))


def failures_are_told():
    with box() as b:
        code, out, err = zlayer(b, "pull", f"{REGISTRY.host}/windows/image:none")
        same((code, out), (1, ""))
        assert "windows/image:none" in err, err
        same(zlayer(b, "rmi", "none:1")[0], 1)
        for verb in (["image", "save", "x"], ["push", "x"]):
            same(zlayer(b, *verb)[::2], (1, f"zlayer: 'zlayer {' '.join(verb[:-1])}' does not work on Windows yet\n"))


def another_layer_kind_is_refused():
    name = REGISTRY.add("two", reg.image([BASE, DIFF]))
    with box() as b:
        code, _, err = zlayer(b, "pull", name, ZLAYER_LAYERS="erofs")
        assert code == 1 and "layers: erofs: on Windows a layer is a directory" in err, err
        good(b, "pull", name, ZLAYER_LAYERS="directory")


ALL = [images_are_pulled_listed_and_removed, facts_are_told, archives_are_loaded, failures_are_told,
       another_layer_kind_is_refused]
NAMED = sys.argv[3:]
sys.exit(run_cases([case for case in ALL if not NAMED or case.__name__ in NAMED]))
