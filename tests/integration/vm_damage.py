#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Templates whose files are damaged, with the real QEMU: each start boots its machine, warns, and has the template
made anew. It never hangs. Each case tries a few of its damages, spread over all of them; $ZLAYER_DAMAGES=all tries each."""
import hashlib
import json
import os

from vm_template import BUILD_S, TemplateNode
from zltest import check, helpers, main, wait_for

FEW = 3  # damages of one case: each costs a boot and a template


def some(damages):
    """Some of these, the first and the last among them, or all."""
    wanted = os.environ.get("ZLAYER_DAMAGES", str(FEW))
    n = len(damages) if wanted == "all" else min(int(wanted), len(damages))
    check(n > 0, f"ZLAYER_DAMAGES={wanted}")
    return [damages[i * (len(damages) - 1) // max(n - 1, 1)] for i in range(n)]


def cut(size):
    def damage(folder, name):
        os.truncate(folder / name, int((folder / name).stat().st_size * size))
    return damage


def flip(*places):
    """Bytes at these parts of the file; the file is as long as before."""
    def damage(folder, name):
        size = (folder / name).stat().st_size
        with open(folder / name, "r+b") as file:
            for place in places:
                file.seek(int((size - 1) * place))
                byte = file.read(1)
                file.seek(-1, os.SEEK_CUR)
                file.write(bytes([byte[0] ^ 0xff]))
    return damage


def fill(content):
    def damage(folder, name):
        size = (folder / name).stat().st_size
        with open(folder / name, "r+b") as file:
            file.write((content * (size // len(content) + 1))[:size])
    return damage


def zero(folder, name):
    """Without writing hundreds of megabytes."""
    size = (folder / name).stat().st_size
    os.truncate(folder / name, 0)
    os.truncate(folder / name, size)


def hole(at, size):
    def damage(folder, name):
        with open(folder / name, "r+b") as file:
            file.seek(at)
            file.write(bytes(size))
    return damage


def noise(at, size):
    def damage(folder, name):
        with open(folder / name, "r+b") as file:
            file.seek(at)
            file.write(os.urandom(size))
    return damage


def remove(folder, name):
    (folder / name).unlink()


def replace_by_directory(folder, name):
    remove(folder, name)
    (folder / name).mkdir()


def write(content):
    def damage(folder, name):
        (folder / name).write_bytes(content)
    return damage


def seal_anew(folder, *names):
    """As if a disk had changed the bytes behind the file system's back: the description fits."""
    seal = json.loads((folder / "template.json").read_text())
    for name in names:
        st = (folder / name).stat()
        seal[name].update(size=st.st_size, blocks=st.st_blocks, inode=st.st_ino, mtimeNs=st.st_mtime_ns,
                          ctimeNs=st.st_ctime_ns)
        if "digest" in seal[name]:
            seal[name]["digest"] = "sha256:" + hashlib.sha256((folder / name).read_bytes()).hexdigest()
    (folder / "template.json").write_text(json.dumps(seal))


def fall_back(*cases):
    """Each case: file, damage, whether the seal is made to fit, what the warning must say besides."""
    with TemplateNode() as node:
        node.zlayer("vm", "template")
        for name, damage, sealed, words in some(cases):
            node.expect("clone")
            key = node.await_template()
            folder = node.root / "vm/templates" / key
            damage(folder, name)
            if sealed:
                seal_anew(folder, name)
            seconds = node.expect("boot", "warning", f"template {key[:12]}", "booted", "made anew", words)
            print(f"# {name}, {damage.__qualname__.split('.')[0]}: {seconds:.1f} s", flush=True)
            check(node.await_template() == key, "another key")
        node.expect("clone")
        node.expect_no_leaks()


def a_damaged_file_is_noticed_before_it_is_used():
    fall_back(*[(name, damage, False, f"'{name}'") for name in ("memory", "state", "scratch", "code")
                for damage in (cut(0), cut(0.5), remove, replace_by_directory)],
              *[("state", damage, False, "'state'") for damage in (flip(0), flip(0.3, 0.7), flip(1),
                                                                   fill(b"garbage"))],
              ("memory", zero, False, "'memory'"), ("memory", flip(0.5), False, "'memory'"))


def a_damaged_manifest_is_noticed():
    fall_back(*[("template.json", write(content), False, "template.json")
                for content in (b"", b"garbage", b"{}", b"[1]", b'{"format":1,"key":"0"}', b"\0" * 4096,
                                b"{" * 100000)],
              ("template.json", cut(0.5), False, "template.json"))


def a_template_without_manifest_is_none():
    """Nobody is warned of what was never finished."""
    with TemplateNode() as node:
        node.zlayer("vm", "template")
        key = node.await_template()
        remove(node.root / "vm/templates" / key, "template.json")
        node.expect("boot")
        node.await_template()
        node.expect("clone")
        node.expect_no_leaks()


def a_state_that_does_not_load_is_given_up():
    fall_back(*[("state", damage, True, "cloning template") for damage in
                (cut(0), cut(0.25), cut(0.5), fill(b"garbage"), fill(b"\0"), flip(0))])


def a_state_that_loads_all_the_same_holds_up_nobody():
    """A device or the processor in a state that nobody gave it: it may well work; if not, it is given up."""
    with TemplateNode() as node:
        node.zlayer("vm", "template")
        for place in some(range(1, 40, 3)):
            key = node.await_template()
            folder = node.root / "vm/templates" / key
            flip(place / 100, place / 100 + 0.003)(folder, "state")
            seal_anew(folder, "state")
            tier, said, seconds = node.run()
            print(f"# state at {place} %: {tier}, {seconds:.1f} s", flush=True)
            check((tier == "boot") == ("made anew" in said) and tier in ("boot", "clone"), f"{tier}; {said}")
            if tier == "clone":
                node.zlayer("vm", "template", "--rebuild", timeout=BUILD_S)
        node.expect_no_leaks()


def code_that_is_not_what_was_kept_is_never_run():
    """Its content is looked at by our own QEMU (make guest-qemu)."""
    fall_back(*[("code", damage, True, "giving the machine its code") for damage in
                (cut(0), cut(0.5), fill(b"garbage"), flip(0), flip(0.01), flip(0.5), flip(1), hole(1 << 20, 4096),
                 noise(4 << 20, 1 << 20))])


def a_memory_that_does_not_run_is_given_up():
    fall_back(*[("memory", damage, True, "cloning template") for damage in
                (zero, cut(0), cut(0.5), hole(16 << 20, 8 << 20), noise(16 << 20, 8 << 20))])


def templates_of_images_are_no_exception():
    """Each damage of the template of the image that is in use."""
    with TemplateNode("auto") as node:
        node.zlayer("vm", "template")
        plain = node.await_template()
        node.expect("clone")
        wait_for(lambda: node.keys() - {plain} and not helpers(node.root), BUILD_S, "the image's template")
        key = next(iter(node.keys() - {plain}))
        folder = node.root / "vm/templates" / key
        for name, damage, sealed in some([("memory", cut(0.5), False), ("contents.json", remove, False),
                                          ("contents.json", fill(b"garbage"), False), ("machine.json", cut(0.5), False),
                                          ("state", flip(0), True), ("memory", zero, True)]):
            node.expect("clone")
            damage(folder, name)
            if sealed:
                seal_anew(folder, name)
            node.expect("boot", "warning", f"template {key[:12]}", "booted", "made anew")
            wait_for(lambda: key in node.keys() and not helpers(node.root), BUILD_S, "the image's template")
            check(node.keys() == {plain, key}, f"{node.keys()}")
        node.expect("clone")
        node.expect_no_leaks()


def a_pool_does_not_use_a_damaged_template():
    with TemplateNode() as node:
        node.zlayer("vm", "template")
        key = node.await_template()
        cut(0.5)(node.root / "vm/templates" / key, "memory")
        said = node.zlayer("vm", "pool", "1", timeout=BUILD_S).stderr
        check("'memory'" in said and "made anew" in said, f"{said!r}")
        node.expect("pool")
        node.zlayer("vm", "pool", "0")
        wait_for(lambda: not helpers(node.root), what="the end of the pool's machines")
        node.expect_no_leaks()


if __name__ == "__main__":
    main(a_damaged_file_is_noticed_before_it_is_used, a_damaged_manifest_is_noticed,
         a_template_without_manifest_is_none, a_state_that_does_not_load_is_given_up,
         a_state_that_loads_all_the_same_holds_up_nobody, code_that_is_not_what_was_kept_is_never_run,
         a_memory_that_does_not_run_is_given_up, templates_of_images_are_no_exception, a_pool_does_not_use_a_damaged_template)
