#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The command line for Windows, under Wine: what works, and that the rest is refused.
usage: test_cli.py ZLAYER.EXE"""
import json
import pathlib
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
from cases import WINE, run_cases  # noqa: E402  pylint: disable=wrong-import-position

ROOT = pathlib.Path(__file__).resolve().parents[2]
EXE = sys.argv[1]
REFUSED = {"push": 1, "vm": 1, "oci": 1}


def zlayer(*args):
    """Into files: Wine's services inherit what the first program of a prefix has, and would keep pipes open."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        done = subprocess.run([*WINE, EXE, *args], stdin=subprocess.DEVNULL, stdout=out, stderr=err, timeout=60,
                              check=False)
        out.seek(0)
        err.seek(0)
        return done.returncode, out.read().decode(), err.read().decode()


def version_is_printed():
    assert zlayer("version") == (0, "zlayer 0.1.0\n", "")
    assert json.loads(zlayer("version", "--json")[1]) == {"version": "0.1.0"}


def examples_are_valid():
    for file in sorted((ROOT / "examples").glob("*.yaml")):
        code, out, _ = zlayer("validate", str(file))
        assert code == 0 and ": valid: deployment " in out, (file, out)


def errors_have_their_place():
    with tempfile.TemporaryDirectory() as folder:
        file = pathlib.Path(folder) / "grün ☃.yaml"
        file.write_text("version: v1\ndeployment: shop\nservices: {web: {image: 3, foo: 1}}\n")
        code, out, _ = zlayer("validate", str(file))
        assert code == 1
        assert f"{file}:3:25: services.web.image: expected a mapping" in out, out
        assert "services.web: unknown key 'foo'" in out
        code, out, _ = zlayer("validate", "--json", str(file))
        assert code == 1 and len(json.loads(out)["errors"]) == 2


def what_is_missing_is_told():
    code, _, err = zlayer("validate", "none.yaml")
    assert code == 1 and "none.yaml" in err and "No such file" in err, err


def other_verbs_are_refused():
    for verb, expected in REFUSED.items():
        code, out, err = zlayer(verb, "--some", "thing")
        assert (code, out) == (expected, ""), (verb, code, out)
        assert err == f"zlayer: 'zlayer {verb}' does not work on Windows yet\n", err
        assert f"  {verb} " not in zlayer("--help")[1]


def mistakes_are_usage():
    assert zlayer()[0] == 2
    code, _, err = zlayer("versoin")
    assert code == 2 and "did you mean 'version'" in err
    assert zlayer("validate", "--nothing", "x")[0] == 2


sys.exit(run_cases([version_is_printed, examples_are_valid, errors_have_their_place, what_is_missing_is_told,
                    other_verbs_are_refused, mistakes_are_usage]))
