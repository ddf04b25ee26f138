#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The shared library exports exactly the functions that the public headers mark ZL_PUBLIC."""
import pathlib
import re
import subprocess
import sys

library, source = sys.argv[1], pathlib.Path(sys.argv[2])
listed = subprocess.run(["nm", "-D", "--defined-only", library], check=True, text=True,
                        stdout=subprocess.PIPE).stdout
exported = {line.split()[-1] for line in listed.splitlines()}
declared = set()
for header in (source / "include/zlayer").glob("*.h"):
    text = re.sub(r"/\*.*?\*/", "", header.read_text(), flags=re.S)
    declared |= set(re.findall(r"\bZL_PUBLIC\b[^;{]*?\b(zl_\w+)\s*\(", text))
for name in sorted(exported - declared):
    print("exported but not public:", name)
for name in sorted(declared - exported):
    print("public but not exported:", name)
sys.exit(exported != declared)
