#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Pulls of Windows images under Wine: from a registry on loopback into a store of layers, imported with the
doubles of Windows' services. usage: test_pull.py PULL_TOOL.EXE SIM_TOOL.EXE [CASE...]"""
import hashlib
import json
import pathlib
import random
import sqlite3
import sys
import time

sys.dont_write_bytecode = True
from cases import run_cases  # noqa: E402  pylint: disable=wrong-import-position
import registry as reg  # noqa: E402  pylint: disable=wrong-import-position
import registry_signed as signed  # noqa: E402  pylint: disable=wrong-import-position
from store_box import Box, windows_path  # noqa: E402  pylint: disable=wrong-import-position

PROGRAMS = {"pull_tool": sys.argv[1], "sim_tool": sys.argv[2]}
REGISTRY = reg.Registry()
BASE, DIFF = reg.base_layer(), reg.diff_layer()


def box():
    REGISTRY.asked, REGISTRY.cuts, REGISTRY.pause, REGISTRY.sent = [], {}, 0, 0
    return Box(PROGRAMS, REGISTRY.host)


def chain_keys(tars):
    """Names of layers, base first, as image-spec defines chain ids."""
    keys, chain = [], None
    for tar in tars:
        diff = "sha256:" + hashlib.sha256(tar).hexdigest()
        chain = diff if chain is None else "sha256:" + hashlib.sha256(f"{chain} {diff}".encode()).hexdigest()
        keys.append("chain-" + chain[7:])
    return keys


def same(got, expected, what=""):
    assert got == expected, f"{what}\n got {got!r}\n not {expected!r}"


def check_clean(b):
    """Nothing is staged, and no handle, text or rule of Windows was left or broken."""
    same(b.entries()[1], [name for name in b.entries()[1] if name.startswith("lock-chain-")], "staging")
    same(b.sim("leaks"), (0, "", ""), "leaks")


def tree(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def check_whole(b, tars):
    """The layers of base and diff are what they have to be."""
    keys = chain_keys(tars)
    base, diff = (b.root / "layers" / key for key in keys)
    files = tree(base)
    same(files["Files/Windows/notepad.exe"], b"base" * 750)
    same(files["Hives/System_Base"], b"regfbase")
    assert {"blank.vhdx", "blank-base.vhdx", "meta.json", "UtilityVM/SystemTemplate.vhdx"} <= set(files), files.keys()
    same(files["UtilityVM/Files/EFI/Microsoft/Boot/BCD"], b"BCDchanged")
    same(files["bcd.bak"], b"BCD")
    files = tree(diff)
    same(files["Files/app/diff.exe"], b"app")
    same(files["Files/app/again.txt"], b"linked base")
    assert (diff / "Files/app/again.txt").samefile(base / "Files/linked.txt")
    assert "UtilityVM/SystemTemplate.vhdx" not in files
    for key, tar in zip(keys, tars):
        meta = json.loads((b.root / "layers" / key / "meta.json").read_text())
        same(meta["diff_id"], "sha256:" + hashlib.sha256(tar).hexdigest())
        assert meta["files"] > 2 and meta["bytes"] > 2, meta


# ---- What a pull does -------------------------------------------------------------------------------------------


def an_image_is_imported():
    name = REGISTRY.add("two", reg.image([BASE, DIFF]))
    with box() as b:
        digest = b.good("pull", name).strip()
        keys = chain_keys([BASE, DIFF])
        same(b.entries()[0], sorted(keys))
        check_whole(b, [BASE, DIFF])
        check_clean(b)
        same(len(b.calls("ProcessBaseImage")), 1)
        same(len(b.calls("ProcessUtilityImage")), 1)
        same(len(b.calls("ImportLayer")), 1)
        call = b.calls("ImportLayer")[0]
        assert call["layer"].endswith("\\layers\\" + keys[1]) and "\\layers\\tmp-" in call["other"], call
        same([parent["path"].rsplit("\\", 1)[1] for parent in call["parents"]], [keys[0]])
        lines = b.good("resolve", name).splitlines()
        same([line.rsplit("\\", 1)[1] for line in lines if line.startswith("layer ")], keys[::-1], "top first")
        assert "platform windows/amd64" in lines and f"digest {digest}" in lines, lines


def a_second_pull_finds_everything():
    name = REGISTRY.add("two", reg.image([BASE, DIFF]))
    with box() as b:
        b.good("pull", name)
        asked = len(REGISTRY.asked)
        b.good("pull", name)
        same(len(REGISTRY.asked), asked, "if not present")
        b.good("pull", "--newer", name)
        same(len(REGISTRY.asked), asked, "newer")
        err = b.store("pull", "--always", name, ZLAYER_PROGRESS="1")[2]
        same(len([line for line in err.splitlines() if line.startswith("exists ")]), 2)
        b.good("pull", "--never", name)
        same(len(b.calls("ImportLayer")), 1)
        check_clean(b)


def a_base_is_shared():
    one = REGISTRY.add("one", reg.image([BASE, reg.diff_layer("one", b"1")]))
    two = REGISTRY.add("other", reg.image([BASE, reg.diff_layer("two", b"2"), reg.diff_layer("three", b"3", hide=())]))
    with box() as b:
        b.good("pull", one)
        b.good("pull", two)
        same(len(b.entries()[0]), 4)
        same(len(b.calls("ProcessBaseImage")), 1)
        same([len(call["parents"]) for call in b.calls("ImportLayer")], [1, 1, 2])
        check_clean(b)


def every_compression_is_read():
    tars = [BASE, reg.diff_layer("a"), reg.diff_layer("b"), reg.diff_layer("c"), reg.diff_layer("d", links=False)]
    name = REGISTRY.add("how", reg.image(tars, ["none", "gzip", "zstd", "gzip-members", "none"]))
    with box() as b:
        b.good("pull", name)
        same(len(b.entries()[0]), 5)
        files = tree(b.root / "layers" / chain_keys(tars)[3])
        same(files["Files/app/c.exe"], b"app")
        same(files["Files/app/again.txt"], b"linked base")
        check_clean(b)


def a_layout_in_a_directory_is_imported():
    with box() as b:
        reg.ri.write_layout(str(b.top / "layout"), {"x": reg.image([BASE, DIFF])})
        b.good("pull", f"oci:{str(b.top / 'layout')}:x")
        check_whole(b, [BASE, DIFF])
        check_clean(b)


def a_foreign_layer_comes_from_the_registry_if_it_has_it():
    name = REGISTRY.add("foreign", reg.image([BASE, DIFF], foreign=[(0, ["http://127.0.0.1:1/layer"])]))
    with box() as b:
        b.good("pull", name)
        check_whole(b, [BASE, DIFF])


def a_foreign_layer_is_not_fetched_without_tls():
    one = reg.image([reg.base_layer("elsewhere"), DIFF], foreign=[(0, ["http://127.0.0.1:1/layer"])])
    name = REGISTRY.add("foreign", one)
    del REGISTRY.blobs[one.layers[0]["digest"]]
    with box() as b:
        err = b.bad("pull", name)
        assert "is offered over plain HTTP only: refused" in err, err
        same(b.entries()[0], [])
        check_clean(b)


# ---- Which image -------------------------------------------------------------------------------------------------


def builds():
    return {version: reg.image([reg.base_layer(version, utility=False, size=64)], version=version)
            for version in ("10.0.17763.5", "10.0.20348.10", "10.0.20348.20", "10.0.26100.1")}


def an_index_gives_the_build_of_the_host():
    made = builds()
    text = reg.index([(one, version) for version, one in made.items()])
    name = REGISTRY.add_index("all", text, made.values())
    for build, expected in ((17763, "10.0.17763.5"), (20348, "10.0.20348.20"), (25398, "10.0.20348.20"),
                            (26100, "10.0.26100.1"), (30000, "10.0.26100.1")):
        with box() as b:
            b.knobs(f"host build={build}")
            same(b.good("pull", name).strip(), made[expected].digest, build)


def an_entry_that_is_no_image_is_not_chosen():
    """Signatures and lists of parts stand in an index as well, for the same platform."""
    made = builds()["10.0.20348.20"]
    other = {"mediaType": "application/vnd.example.sbom+json", "size": 2, "digest": reg.ri.digest(b"{}"),
             "platform": {"os": "windows", "architecture": "amd64", "os.version": "10.0.20348.9999"}}
    name = REGISTRY.add_index("parts", reg.index([(made, "10.0.20348.20")], [other]), [made])
    with box() as b:
        same(b.good("pull", name).strip(), made.digest)


def an_index_without_a_build_for_the_host_is_refused():
    made = builds()
    name = REGISTRY.add_index("new", reg.index([(made["10.0.26100.1"], "10.0.26100.1")]), made.values())
    with box() as b:
        err = b.bad("pull", name)
        assert err.startswith("WRONG_PLATFORM") and "Windows 10.0.26100.1" in err and "10.0.20348" in err, err
        same(b.entries(), ([], []))


def what_the_configuration_says_counts():
    lying = builds()["10.0.26100.1"]
    name = REGISTRY.add_index("lies", reg.index([(lying, "10.0.20348.20")]), [lying])
    linux = REGISTRY.add("linux", reg.ri.small_image())
    with box() as b:
        err = b.bad("pull", name)
        assert err.startswith("WRONG_PLATFORM") and "is for Windows 10.0.26100.1" in err, err
        err = b.bad("pull", linux)
        assert "is for linux/amd64, this node is windows/amd64" in err, err
        same(b.entries(), ([], []))


# ---- Signatures --------------------------------------------------------------------------------------------------


def sign(one, key, name):
    """As cosign does: under a tag that names the digest."""
    text, blobs = signed.artifact([signed.cosign_layer(key, signed.claim(one.digest, name))])
    REGISTRY.blobs.update(blobs)
    REGISTRY.manifests[one.digest.replace(":", "-") + ".sig"] = (text, reg.ri.OCI_MANIFEST)


def a_policy_takes_signatures_of_its_key():
    name = f"{REGISTRY.host}/windows/image"
    for kind in ("p256", "p384", "rsa"):
        one = reg.image([BASE, reg.diff_layer(kind)])
        with box() as b:
            keys = [signed.Key(str(b.top), word, kind) for word in ("ours", "theirs")]
            b.policy([{"prefix": name, "key": windows_path(keys[0].pub)}])
            REGISTRY.add(kind, one)
            err = b.bad("pull", f"{name}:{kind}")
            assert err.startswith("AUTH") and "has no cosign signature" in err, err
            sign(one, keys[1], name)
            err = b.bad("pull", f"{name}:{kind}")
            assert err.startswith("AUTH") and "not that key's" in err, err
            same(b.entries(), ([], []))
            sign(one, keys[0], name)
            b.good("pull", f"{name}:{kind}")
            same(len(b.entries()[0]), 2)
            check_clean(b)


def kinds_of_signatures_that_cannot_be_checked_refuse():
    name = f"{REGISTRY.host}/windows/image"
    one = reg.image([BASE, reg.diff_layer("ed")])
    REGISTRY.add("ed", one)
    with box() as b:
        key = signed.Key(str(b.top), "ed", "ed25519")
        sign(one, key, name)
        b.policy([{"prefix": name, "key": windows_path(key.pub)}])
        err = b.bad("pull", f"{name}:ed")
        assert err.startswith("UNSUPPORTED") and "a key of this kind or size is not supported" in err, err
        same(b.entries(), ([], []))


# ---- What goes wrong ---------------------------------------------------------------------------------------------


def damaged_blobs_are_refused():
    one = reg.image([BASE, DIFF])
    name = REGISTRY.add("bad", one)
    for at in (0, 1):
        good = one.blobs[one.layers[at]["digest"]]
        for damaged in (good[:-1] + bytes([good[-1] ^ 1]), good[:40] + bytes([good[40] ^ 255]) + good[41:]):
            with box() as b:
                REGISTRY.blobs[one.layers[at]["digest"]] = damaged
                err = b.bad("pull", name)
                assert err.startswith("CORRUPT"), err
                assert len(b.entries()[0]) <= at, "the damaged layer"
                check_clean(b)
                same(b.partials(), [])
                REGISTRY.blobs[one.layers[at]["digest"]] = good
                b.good("pull", name)
                check_whole(b, [BASE, DIFF])


def a_wrong_diff_id_is_refused():
    one = reg.image([BASE, DIFF])
    config = json.loads(one.blobs[one.config["digest"]])
    config["rootfs"]["diff_ids"][1] = "sha256:" + "1" * 64
    one.document["config"] = one.put(reg.ri.dumps(config), one.config["mediaType"])
    one.seal()
    name = REGISTRY.add("diff", one)
    with box() as b:
        err = b.bad("pull", name)
        assert err.startswith("CORRUPT") and "the image's configuration says sha256:1111" in err, err
        same(b.entries()[0], chain_keys([BASE]))
        check_clean(b)


def hostile_layers_are_refused():
    bad = {"Files/../x": "", "Files/C:x": "", "Windows/x": "", "Files/con": "", "Files/a.": ""}
    for path in bad:
        tar = reg.layers.tar(reg.wintar.FILES, reg.wintar.member(path, b"x"))
        name = REGISTRY.add("hostile", reg.image([BASE, tar]))
        with box() as b:
            err = b.bad("pull", name)
            assert err.startswith("CORRUPT") and path.rsplit("/", 1)[1].split(":")[0] in err, (path, err)
            same(b.entries()[0], chain_keys([BASE]))
            check_clean(b)


def a_linux_layer_is_no_windows_layer():
    tar = reg.ri.Layer().dir("etc").add("etc/passwd", data=b"x").bytes()
    name = REGISTRY.add("nolayer", reg.image([tar]))
    with box() as b:
        err = b.bad("pull", name)
        assert err.startswith("CORRUPT") and "etc" in err, err
        same(b.entries()[0], [])
        check_clean(b)


def failing_calls_leave_nothing():
    name = REGISTRY.add("two", reg.image([BASE, DIFF]))
    for knob, call in (("ImportLayer hr=0x80070005", "ImportLayer"), ("ProcessBaseImage hr=0x80004005", "ProcessBaseImage"),
                       ("ProcessUtilityImage hr=0x80070002", "ProcessUtilityImage"), ("NameToGuid hr=0x80070057", "NameToGuid"),
                       ("BackupWrite nth=3 hr=0x80070070", "streams"), ("ImportLayer hr=0x80070020 do=after", "ImportLayer"),
                       ("host privileges=0", "SeBackupPrivilege")):
        with box() as b:
            b.knobs(knob)
            err = b.bad("pull", name)
            assert call in err, (knob, err)
            check_clean(b)
            b.knobs()
            b.good("pull", name)
            check_whole(b, [BASE, DIFF])
            check_clean(b)


def a_host_without_containers_is_told():
    name = REGISTRY.add("two", reg.image([BASE, DIFF]))
    with box() as b:
        err = b.bad("pull", name, ZLAYER_HCS_DOUBLES="Z:\\none.dll")
        assert err.startswith("UNSUPPORTED") and "enable its Containers feature" in err, err
        same(b.good("list", ZLAYER_HCS_DOUBLES="Z:\\none.dll"), "")
        b.good("gc", ZLAYER_HCS_DOUBLES="Z:\\none.dll")


# ---- Interruptions -----------------------------------------------------------------------------------------------


def large_image(seed):
    noise = random.Random(seed).randbytes(3 << 20)
    tars = [reg.base_layer("base"), reg.diff_layer("big", noise), reg.diff_layer("top", noise[:70000], hide=())]
    return tars, reg.image(tars, ["gzip", "none", "gzip"])


def a_cut_download_is_continued():
    tars, one = large_image(1)
    name, big = REGISTRY.add("cut", one), one.layers[1]
    with box() as b:
        REGISTRY.cuts[big["digest"]] = 1 << 20
        b.good("pull", name)
        asked = [span for blob, span in REGISTRY.asked if blob == big["digest"]]
        assert len(asked) == 2 and asked[1].startswith("bytes=1048576-"), asked
        same(b.entries()[0], sorted(chain_keys(tars)))
        same(b.partials(), [])
        check_clean(b)


def a_stopped_pull_is_continued():
    tars, one = large_image(2)
    name, big = REGISTRY.add("stop", one), one.layers[1]
    with box() as b:
        REGISTRY.pause = 0.02
        process = b.start_store("pull", name)
        wait_for(lambda: REGISTRY.sent > 1 << 20)
        process.kill()
        b.finish(process)
        REGISTRY.pause = 0
        wait_for(lambda: b.partials() != [])
        del REGISTRY.asked[:]
        b.good("pull", name)
        asked = [span for blob, span in REGISTRY.asked if blob == big["digest"]]
        assert asked and all(span and not span.startswith("bytes=0-") for span in asked), asked
        same(b.entries()[0], sorted(chain_keys(tars)))
        same(b.partials(), [])
        check_clean(b)


def wait_for(condition):
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end, "timed out"
        time.sleep(0.01)


def pulls_that_are_killed_at_any_time_leave_nothing_half_made():
    """One store, killed again and again: what is published is whole, and in the end all of it is there."""
    chance = random.Random(20)
    tars, one = large_image(3)
    name = REGISTRY.add("kill", one)
    with box() as b:
        kills = 0
        for _ in range(40):
            process = b.start_store("pull", "--always", name)
            time.sleep(chance.uniform(0.02, 0.9))
            kills += process.poll() is None
            process.kill()
            b.finish(process)
            for key in b.entries()[0]:
                assert key in chain_keys(tars), key
                check_layer(b, key, tars)
            if chance.random() < 0.3:
                b.good("gc", "--partials")
                check_no_staging(b)
        assert kills > 10, kills
        b.good("pull", name)
        for key in chain_keys(tars):
            check_layer(b, key, tars)
        b.good("remove", name)
        same(b.entries(), ([], []))


def check_no_staging(b):
    same([e for e in b.entries()[1] if not e.startswith("lock-chain-")], [])


def check_layer(b, key, tars):
    files = tree(b.root / "layers" / key)
    at = chain_keys(tars).index(key)
    if at == 0:
        same(files["Files/Windows/notepad.exe"], b"base" * 750)
        assert "blank.vhdx" in files and "UtilityVM/SystemTemplate.vhdx" in files
    else:
        wanted, size = (("Files/app/big.exe", 3 << 20), ("Files/app/top.exe", 70000))[at - 1]
        same(len(files[wanted]), size)
        same(files["Files/app/again.txt"], b"linked base")


def pulls_at_once_make_each_layer_once():
    name = REGISTRY.add("two", reg.image([BASE, DIFF]))
    other = REGISTRY.add("alike", reg.image([BASE, DIFF, reg.diff_layer("third", hide=())]))
    with box() as b:
        pulls = [b.start_store("pull", ref) for ref in (name, other, name, other)]
        results = [b.finish(pull) for pull in pulls]
        same([code for code, _, _ in results], [0] * 4, results)
        same(len(b.calls("ProcessBaseImage")), 1)
        same(len(b.calls("ImportLayer")), 2)
        check_whole(b, [BASE, DIFF])
        check_clean(b)


# ---- Removal -----------------------------------------------------------------------------------------------------


def layers_stay_while_an_image_has_them():
    one = REGISTRY.add("one", reg.image([BASE, reg.diff_layer("one", b"1")]))
    two = REGISTRY.add("other", reg.image([BASE, DIFF]))
    with box() as b:
        b.good("pull", one)
        b.good("pull", two)
        b.good("remove", one)
        same(b.entries()[0], sorted(chain_keys([BASE, DIFF])))
        check_whole(b, [BASE, DIFF])
        b.good("remove", two)
        same(b.entries(), ([], []))
        check_clean(b)


def a_container_holds_its_image():
    name = REGISTRY.add("two", reg.image([BASE, DIFF]))
    with box() as b:
        digest = b.good("pull", name).strip()
        canonical = b.good("list").split(" ")[0]
        with sqlite3.connect(b.root / "zlayer.db") as db:
            db.execute("INSERT INTO containers (id, service, replica, role, node_id, backend, isolation, image, image_digest,"
                       " config, boot_id, auto_remove, created_at) VALUES ('c', 's', 0, 'r', 0, 'hcs', 'process', ?, ?, '{}',"
                       " 'b', 0, 0)", (canonical, digest))
        db.close()
        err = b.bad("remove", name)
        assert err.startswith("CONFLICT") and "container 'c' uses it" in err, err
        b.good("remove", "--force", name)
        same(len(b.entries()[0]), 2)
        with sqlite3.connect(b.root / "zlayer.db") as db:
            db.execute("DELETE FROM containers")
        db.close()
        b.good("gc")
        same(b.entries(), ([], []))


def what_the_dead_left_is_collected():
    name = REGISTRY.add("two", reg.image([BASE, DIFF]))
    with box() as b:
        b.good("pull", name)
        folder = b.root / "layers"
        for left in ("tmp-dead/Files", "chain-half/Files/Windows"):
            (folder / left).mkdir(parents=True)
            (folder / left / "file").write_bytes(b"x" * 5000)
        (folder / "lock-chain-none").write_bytes(b"")
        (folder / "chain-half/Files/Windows/file").chmod(0o444)
        out = b.good("gc")
        assert out.startswith("images 0 layers 0 staging 2 "), out
        same(b.entries()[0], sorted(chain_keys([BASE, DIFF])))
        check_clean(b)
        check_whole(b, [BASE, DIFF])


def a_layer_without_its_metadata_is_made_again():
    name = REGISTRY.add("two", reg.image([BASE, DIFF]))
    with box() as b:
        b.good("pull", name)
        (b.root / "layers" / chain_keys([BASE, DIFF])[1] / "meta.json").unlink()
        err = b.bad("resolve", name)
        assert "is not on disk any more: pull the image again" in err, err
        b.good("pull", name)
        check_whole(b, [BASE, DIFF])
        same(len(b.calls("ImportLayer")), 2)
        check_clean(b)


ALL = [an_image_is_imported, a_second_pull_finds_everything, a_base_is_shared, every_compression_is_read,
       a_layout_in_a_directory_is_imported, a_foreign_layer_comes_from_the_registry_if_it_has_it,
       a_foreign_layer_is_not_fetched_without_tls, an_index_gives_the_build_of_the_host,
       an_entry_that_is_no_image_is_not_chosen,
       an_index_without_a_build_for_the_host_is_refused, what_the_configuration_says_counts,
       a_policy_takes_signatures_of_its_key, kinds_of_signatures_that_cannot_be_checked_refuse,
       damaged_blobs_are_refused, a_wrong_diff_id_is_refused, hostile_layers_are_refused,
       a_linux_layer_is_no_windows_layer, failing_calls_leave_nothing, a_host_without_containers_is_told,
       a_cut_download_is_continued, a_stopped_pull_is_continued,
       pulls_that_are_killed_at_any_time_leave_nothing_half_made, pulls_at_once_make_each_layer_once,
       layers_stay_while_an_image_has_them, a_container_holds_its_image, what_the_dead_left_is_collected,
       a_layer_without_its_metadata_is_made_again]
NAMED = sys.argv[3:]
sys.exit(run_cases([case for case in ALL if not NAMED or case.__name__ in NAMED]))
