#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Mounts of config.json: kinds, options, where they go, propagation; masked and read-only paths; the root's propagation."""
import os
import pathlib

from ocibox import LIBC, V2, all_cases, case, check, contains, equal, main, ours

MS_BIND, MS_REC, MS_SHARED, MS_SLAVE, MS_PRIVATE = 4096, 16384, 1 << 20, 1 << 19, 1 << 18


def info(box, point):
    """(mount options, file system options, propagation fields, type) of a mount point inside, the topmost."""
    return parse(box.args("cat", "/proc/self/mountinfo").run().stdout, point)


def parse(text, point):
    found = None
    for line in text.splitlines():
        left, _, right = line.partition(" - ")
        fields = left.split()
        if fields[4] == point:
            kind, _, options = right.split(" ", 2)
            found = (fields[5].split(","), options.split(","), fields[6:], kind)
    check(found is not None, f"nothing is mounted on {point}:\n{text}")
    return found


def host_mount(box, source, target, kind, flags=0, data=""):
    """A mount on the host side, in this test's own namespace; taken off at the end."""
    pathlib.Path(target).mkdir(parents=True, exist_ok=True)
    check(LIBC.mount(str(source).encode(), str(target).encode(), kind.encode(), flags, data.encode()) == 0, f"mount {target}")
    box.cleanups.append(lambda: LIBC.umount2(str(target).encode(), 2))


@case
def tmpfs_options(box):
    for option, present, absent in (("ro", "ro", "rw"), ("rw", "rw", "ro"), ("noexec", "noexec", None), ("exec", None, "noexec"),
                                    ("nosuid", "nosuid", None), ("suid", None, "nosuid"), ("nodev", "nodev", None),
                                    ("dev", None, "nodev"), ("noatime", "noatime", "relatime"), ("relatime", "relatime", None),
                                    ("strictatime", None, "relatime"), ("nodiratime", "nodiratime", None),
                                    ("nosymfollow", "nosymfollow", None)):
        box.config["mounts"] = box.config["mounts"][:7]
        flags = info(box.mount("/var/dir", "tmpfs", "tmpfs", option), "/var/dir")[0]
        check(present is None or present in flags, f"{option}: {flags}")
        check(absent is None or absent not in flags, f"{option}: {flags}")


@case
def options_of_the_file_system(box):
    for option in ("sync", "dirsync"):
        box.config["mounts"] = box.config["mounts"][:7]
        contains(info(box.mount("/var/dir", "tmpfs", "tmpfs", option), "/var/dir")[1], option)
    box.config["mounts"] = box.config["mounts"][:7]
    box.mount("/var/dir", "tmpfs", "tmpfs", "size=1m", "nr_inodes=100", "mode=0751", "uid=5", "gid=6")
    options = info(box, "/var/dir")[1]
    check({"size=1024k", "nr_inodes=100", "mode=751", "uid=5", "gid=6"} <= set(options), f"{options}")


@case
def the_last_option_wins(box):
    flags = info(box.mount("/var/dir", "tmpfs", "tmpfs", "ro", "rw", "exec", "noexec"), "/var/dir")[0]
    check("rw" in flags and "noexec" in flags, f"{flags}")


@case
def an_unknown_option_is_refused(box):
    box.mount("/var/dir", "tmpfs", "tmpfs", "nonsense=1").args("true").refused("/var/dir")


@case
def an_unknown_type_is_refused(box):
    box.mount("/var/dir", "nosuchfs", "none").args("true").refused("nosuchfs")


@case
def tmpfs_keeps_the_mode_of_its_directory(box):
    (box.rootfs / "kept").mkdir()
    (box.rootfs / "kept").chmod(0o710)
    (box.rootfs / "sticky").mkdir()
    (box.rootfs / "sticky").chmod(0o7777)
    box.mount("/kept", "tmpfs", "tmpfs").mount("/sticky", "tmpfs", "tmpfs", "noexec", "nosuid", "nodev", "rprivate")
    box.mount("/given", "tmpfs", "tmpfs", "mode=0444")
    box.mount("/kept/ro", "tmpfs", "tmpfs", "ro", "mode=0410")
    equal(box.output("stat -c %a /kept /sticky /given /kept/ro"), "710\n7777\n444\n410")
    equal(box.output("stat -c %a /given"), "444", "the second time, when its directory is there")


@case
def tmpfs_read_only_keeps_the_mode_too(box):
    (box.rootfs / "kept").mkdir()
    (box.rootfs / "kept").chmod(0o705)
    box.mount("/kept", "tmpfs", "tmpfs", "ro")
    equal(box.output("stat -c %a /kept"), "705")
    contains(info(box, "/kept")[0], "ro")


@case
def tmpcopyup(box):
    (box.rootfs / "data" / "deep").mkdir(parents=True)
    (box.rootfs / "data" / "deep").chmod(0o777)
    (box.rootfs / "data" / "file").write_text("text")
    (box.rootfs / "data" / "link").symlink_to("file")
    os.chown(box.rootfs / "data" / "file", 7, 8)
    box.mount("/data", "tmpfs", "tmpfs", "tmpcopyup")
    equal(box.output("stat -c %a /data/deep; cat /data/link; stat -c %u:%g /data/file; rm /data/link; echo new > /data/new"),
          "777\ntext7:8")
    equal(sorted(os.listdir(box.rootfs / "data")), ["deep", "file", "link"])


@case
def bind_directory_and_file(box):
    (box.top / "src").mkdir()
    (box.top / "src" / "file").write_text("from the host\n")
    box.mount("/a/new/place", None, box.top / "src", "bind").mount("/b/file", "bind", box.top / "src" / "file")
    box.mount("/c/file", "none", box.top / "src" / "file", "rbind")
    equal(box.output("cat /a/new/place/file /b/file /c/file; echo written > /b/file"), "from the host\n" * 2 + "from the host")
    equal((box.top / "src" / "file").read_text(), "written\n")


@case
def bind_file_over_a_file(box):
    (box.top / "passwd").write_text("other\n")
    box.mount("/etc/passwd", "bind", box.top / "passwd", "ro")
    equal(box.output("cat /etc/passwd"), "other")
    check("root" in (box.rootfs / "etc" / "passwd").read_text(), "the image's file was changed")


@case
def bind_read_only(box):
    (box.top / "src").mkdir()
    box.mount("/dst", "bind", box.top / "src", "ro", "noexec", "nosuid", "nodev")
    flags = info(box, "/dst")[0]
    check({"ro", "noexec", "nosuid", "nodev"} <= set(flags), f"{flags}")
    contains(box.script("touch /dst/x").run(ok="fail").stderr, "Read-only")


@case
def bind_keeps_flags_of_its_source(box):
    host_mount(box, "tmpfs", box.top / "src", "tmpfs", 2 | 8)
    box.mount("/dst", "bind", box.top / "src", "bind")
    flags = info(box, "/dst")[0]
    check({"nosuid", "noexec"} <= set(flags), f"{flags}")


@case
def bind_is_not_recursive(box):
    host_mount(box, "tmpfs", box.top / "src" / "below", "tmpfs")
    (box.top / "src" / "below" / "mark").touch()
    box.mount("/one", "bind", box.top / "src", "bind").mount("/all", "bind", box.top / "src", "rbind")
    equal(box.output("ls /one/below; echo -; ls /all/below"), "-\nmark")


@case
def recursive_read_only(box):
    host_mount(box, "tmpfs", box.top / "src" / "below", "tmpfs")
    box.mount("/rro", "bind", box.top / "src", "rbind", "rro").mount("/ro", "bind", box.top / "src", "rbind", "ro")
    text = box.args("cat", "/proc/self/mountinfo").run().stdout
    for point, flag in (("/rro", "ro"), ("/rro/below", "ro"), ("/ro", "ro"), ("/ro/below", "rw")):
        contains(parse(text, point)[0], flag, point)


@case
def recursive_flags(box):
    host_mount(box, "tmpfs", box.top / "src" / "below", "tmpfs")
    box.mount("/dst", "bind", box.top / "src", "rbind", "rnosuid", "rnodev", "rnoexec", "rnoatime")
    text = box.args("cat", "/proc/self/mountinfo").run().stdout
    for point in ("/dst", "/dst/below"):
        check({"nosuid", "nodev", "noexec", "noatime"} <= set(parse(text, point)[0]), f"{point}: {parse(text, point)[0]}")


@case
def a_relative_source_is_meant_from_the_bundle(box):
    (box.bundle / "beside").mkdir()
    (box.bundle / "beside" / "file").write_text("beside\n")
    box.mount("/dst", "bind", "beside").mount("/all", "bind", ".", "rbind")
    box.script("cat /dst/file; ls /all/config.json").write_config()
    equal(box.oci("run", "--bundle", box.bundle, box.id, cwd="/").stdout, "beside\n/all/config.json\n")
    equal(box.oci("run", "--bundle", "bundle", box.id, cwd=box.top).stdout, "beside\n/all/config.json\n")


@case
def a_missing_source_is_refused(box):
    box.mount("/dst", "bind", "/no/such/source").args("true").refused("/no/such/source")


@case
def a_source_that_is_a_link_is_followed(box):
    (box.top / "src").mkdir()
    (box.top / "src" / "file").write_text("behind\n")
    (box.top / "link").symlink_to("src")
    box.mount("/dst", "bind", box.top / "link")
    equal(box.output("cat /dst/file"), "behind")


@case
def missing_destinations_are_made(box):
    box.mount("/some/new/dir", "tmpfs", "tmpfs").mount("/some/new/dir/below", "tmpfs", "tmpfs")
    equal(box.output("stat -c %a /some /some/new; test -d /some/new/dir/below && echo there"), "755\n755\nthere")


@case
def destinations_through_links_stay_inside(box):
    (box.rootfs / "real" / "conf").mkdir(parents=True)
    (box.rootfs / "conf").symlink_to("/real/conf")
    (box.rootfs / "up").symlink_to("../../../../../../../../escape")
    (box.rootfs / "absolute").symlink_to("/tmp/zloci-escape")
    box.mount("/conf/stack", "tmpfs", "tmpfs", "ro").mount("/up/below", "tmpfs", "tmpfs").mount("/absolute/below", "tmpfs", "tmpfs")
    box.mount("/dotdot/../../../../in", "tmpfs", "tmpfs")
    points = box.output("awk '{print $5}' /proc/self/mountinfo").splitlines()
    for point in ("/real/conf/stack", "/escape/below", "/tmp/zloci-escape/below", "/in"):
        contains(points, point)
    check(not os.path.exists("/escape") and not os.path.exists("/tmp/zloci-escape"), "made outside the root")


@case
def a_destination_that_is_a_dangling_link(box):
    (box.rootfs / "dangling").symlink_to("/nowhere/yet")
    (box.top / "file").write_text("text\n")
    box.mount("/dangling", "bind", box.top / "file")
    done = box.script("cat /nowhere/yet || cat /dangling").run(ok=None)
    check(not os.path.exists("/nowhere"), "made outside the root")
    check(done.returncode != 0 or done.stdout == "text\n", done.stdout)


@case
def a_file_on_a_directory_is_refused(box):
    (box.top / "file").write_text("text\n")
    (box.top / "dir").mkdir()
    box.mount("/etc", "bind", box.top / "file").args("true").refused("/etc")
    box.config["mounts"].pop()
    box.mount("/etc/passwd", "bind", box.top / "dir").args("true").refused("/etc/passwd")


@case
def a_relative_destination_is_meant_from_the_root(box):
    box.mount("relative/dir", "tmpfs", "tmpfs")
    contains(box.output("awk '{print $5}' /proc/self/mountinfo").splitlines(), "/relative/dir")


@case
def proc_that_is_a_link_is_refused(box):
    (box.rootfs / "proc").rmdir()
    (box.rootfs / "proc").symlink_to("/tmp")
    done = box.args("true").run(ok="fail")
    contains(done.stderr, "must be mounted on ordinary directory")


@case
def sys_that_is_a_link_is_refused(box):
    (box.rootfs / "sys").rmdir()
    (box.rootfs / "sys").symlink_to("/tmp")
    box.args("true").run(ok="fail")


@case
def dev_that_is_a_link_reaches_nothing_outside(box):
    canary = box.top / "canary"
    canary.mkdir()
    (box.rootfs / "dev").rmdir()
    (box.rootfs / "dev").symlink_to(str(canary))
    box.args("true").run(ok=None)
    equal(list(canary.iterdir()), [])


@case
def standard_file_systems(box):
    text = box.args("cat", "/proc/self/mountinfo").run().stdout
    for point, kind in (("/proc", "proc"), ("/dev", "tmpfs"), ("/dev/pts", "devpts"), ("/dev/shm", "tmpfs"),
                        ("/dev/mqueue", "mqueue"), ("/sys", "sysfs")):
        equal(parse(text, point)[3], kind, point)
    check({"nosuid", "noexec", "nodev", "ro"} <= set(parse(text, "/sys")[0]), "flags of /sys")


@case
def dev_read_only(box):
    next(m for m in box.config["mounts"] if m["destination"] == "/dev")["options"].append("ro")
    contains(info(box, "/dev")[0], "ro")
    contains(box.script("touch /dev/x").run(ok="fail").stderr, "Read-only")
    equal(box.output("echo x > /dev/null && echo writable"), "writable")


@case
def cgroups_inside_are_read_only(box):
    for namespace in (True, False):
        if not namespace:
            box.without_namespace("cgroup")
        text = box.args("cat", "/proc/self/mountinfo").run().stdout
        lines = [line for line in text.splitlines() if line.split()[4].startswith("/sys/fs/cgroup")]
        check(lines, "no cgroups")
        for line in lines:
            contains(line.split()[5].split(","), "ro", line)


@case
def cgroups_inside_are_the_containers_own(box):
    for namespace in (True,) if V2 else (True, False):  # v2 without a namespace shows the host's, as everywhere
        if not namespace:
            box.without_namespace("cgroup")
        place = "/sys/fs/cgroup" if V2 else "/sys/fs/cgroup/pids"
        equal(box.output(f"cat {place}/cgroup.procs | wc -l").strip() in ("2", "3"), True, f"namespace {namespace}")


@case
def cgroups_inside_can_be_written(box):
    box.config["mounts"][-1]["options"].remove("ro")
    place = "/sys/fs/cgroup" if V2 else "/sys/fs/cgroup/memory"
    equal(box.output(f"mkdir {place}/own && test -d {place}/own && rmdir {place}/own && echo yes"), "yes")


@case
def remount_changes_flags(box):
    (box.top / "src").mkdir()
    box.mount("/dst", "bind", box.top / "src", "rbind").mount("/dst", "bind", box.top / "src", "bind", "remount", "ro", "nosuid")
    flags = info(box, "/dst")[0]
    check({"ro", "nosuid"} <= set(flags), f"{flags}")


@case
def mounts_over_mounts(box):
    box.mount("/x", "tmpfs", "one", "size=1m").mount("/x", "tmpfs", "two", "size=2m")
    contains(info(box, "/x")[1], "size=2048k")


@case
def the_order_is_kept(box):
    box.mount("/x", "tmpfs", "tmpfs").mount("/x/y", "tmpfs", "tmpfs").mount("/x/y/z", "tmpfs", "tmpfs")
    points = [p for p in box.output("awk '{print $5}' /proc/self/mountinfo").splitlines() if p.startswith("/x")]
    equal(points, ["/x", "/x/y", "/x/y/z"])


@case
def propagation_of_a_mount(box):
    host_mount(box, "tmpfs", box.top / "src", "tmpfs")
    LIBC.mount(None, str(box.top / "src").encode(), None, MS_SHARED, None)
    for option, expected in (("rprivate", ""), ("private", ""), ("rslave", "master"), ("slave", "master"), ("rshared", "shared"),
                             ("shared", "shared"), ("unbindable", "unbindable"), ("runbindable", "unbindable")):
        box.config["mounts"] = box.config["mounts"][:7]
        fields = info(box.mount("/dst", "bind", box.top / "src", "rbind", option), "/dst")[2]
        kinds = {f.split(":")[0] for f in fields} - {"propagate_from"}
        check(expected == "" and not kinds or expected in kinds, f"{option}: {fields}")


@case
def a_slave_sees_later_mounts_of_the_host(box):
    host_mount(box, "tmpfs", box.top / "src", "tmpfs")
    LIBC.mount(None, str(box.top / "src").encode(), None, MS_SHARED, None)
    (box.top / "src" / "below").mkdir()
    box.mount("/slave", "bind", box.top / "src", "rbind", "rslave").mount("/private", "bind", box.top / "src", "rbind").detach()
    host_mount(box, "tmpfs", box.top / "src" / "below", "tmpfs")
    (box.top / "src" / "below" / "mark").touch()
    equal(box.inside("ls /slave/below; echo -; ls /private/below"), "mark\n-")


@case
def nothing_propagates_to_the_host(box):
    host_mount(box, "tmpfs", box.top / "src", "tmpfs")
    LIBC.mount(None, b"/", None, MS_SHARED | MS_REC, None)
    box.cleanups.append(lambda: LIBC.mount(None, b"/", None, MS_PRIVATE | MS_REC, None))
    before = pathlib.Path("/proc/self/mountinfo").read_text().count("\n")
    box.mount("/dst", "bind", box.top / "src", "rbind").detach()
    equal(pathlib.Path("/proc/self/mountinfo").read_text().count("\n"), before)


@case
def propagation_of_the_root(box):
    LIBC.mount(None, b"/", None, MS_SHARED | MS_REC, None)
    box.cleanups.append(lambda: LIBC.mount(None, b"/", None, MS_PRIVATE | MS_REC, None))
    for value, expected in (("", ""), ("private", ""), ("rprivate", ""), ("slave", "master"), ("rslave", "master"),
                            ("shared", "shared"), ("rshared", "shared"), ("unbindable", "unbindable")):
        box.linux["rootfsPropagation"] = value
        fields = info(box, "/")[2]
        kinds = {f.split(":")[0] for f in fields} - {"propagate_from"}
        check(expected == "" and not kinds or expected in kinds, f"rootfsPropagation {value!r}: {fields}")


@case
def masked_paths(box):
    (box.rootfs / "dir").mkdir()
    (box.rootfs / "dir" / "secret").write_text("secret")
    (box.rootfs / "file").write_text("secret")
    box.linux["maskedPaths"] += ["/dir", "/file", "/not/there"]
    box.config["root"]["readonly"] = True
    box.detach()
    equal(box.inside("ls /dir; cat /file; cat /proc/kcore | wc -c"), "0")
    contains(box.exec("touch", "/dir/x", ok="fail").stderr, "Read-only")
    contains(box.exec("rm", "-f", "/file", ok="fail").stderr, "")
    for path in ("/dir", "/file"):
        contains(box.exec("umount", path, ok="fail").stderr, "not permitted")
    equal((box.rootfs / "file").read_text(), "secret")


@case
def readonly_paths(box):
    (box.rootfs / "dir" / "below").mkdir(parents=True)
    (box.rootfs / "file").write_text("text")
    box.linux["readonlyPaths"] += ["/dir", "/file", "/not/there"]
    out = box.output("touch /dir/x; touch /dir/below/x; echo x > /file; echo 1 > /proc/sys/kernel/domainname; cat /file; true", ok=None)
    check(out.endswith("text"), out)
    check(not (box.rootfs / "dir" / "x").exists() and not (box.rootfs / "dir" / "below" / "x").exists(), "written")
    contains(box.script("echo x > /proc/sys/kernel/domainname").run(ok="fail").stderr, "Read-only")


@case
def readonly_paths_keep_their_other_flags(box):
    text = box.args("cat", "/proc/self/mountinfo").run().stdout
    check({"ro"} <= set(parse(text, "/proc/sys")[0]), "flags of /proc/sys")


@case
def a_mask_over_a_volume(box):
    (box.top / "src").mkdir()
    (box.top / "src" / "secret").write_text("secret")
    box.mount("/vol", "bind", box.top / "src")
    box.linux["maskedPaths"].append("/vol/secret")
    equal(box.output("cat /vol/secret | wc -c"), "0")


@case
def ids_of_a_mount_are_mapped(box):
    (box.top / "src").mkdir()
    (box.top / "src" / "file").write_text("x")
    os.chown(box.top / "src" / "file", 1000, 1000)
    maps = [{"containerID": 1000, "hostID": 2000, "size": 1}]
    box.mount("/dst", "bind", box.top / "src", "bind", "idmap", uidMappings=maps, gidMappings=maps)
    equal(box.output("stat -c %u:%g /dst/file"), "2000:2000")


@case
def fifty_mounts(box):
    for i in range(50):
        box.mount(f"/many/m{i}", "tmpfs", "tmpfs", "size=4k")
    equal(box.output("grep -c ' /many/' /proc/self/mountinfo"), "50")


@case
def a_failed_mount_leaves_nothing(box):
    box.mount("/x", "tmpfs", "tmpfs").mount("/etc/passwd/below", "tmpfs", "tmpfs").args("true").refused("/etc/passwd/below")


@case
@ours
def links_are_mounted_or_made_anew(box):
    (box.top / "file").write_text("inside\n")
    (box.top / "link").symlink_to(box.top / "file")
    (box.top / "broken").symlink_to("nowhere")
    (box.rootfs / "target").symlink_to("nothing")
    box.mount("/target", "bind", box.top / "link", "bind", "dest-nofollow", "src-nofollow")
    equal(box.output("readlink /target"), str(box.top / "file"))
    box.config["mounts"].pop()
    box.mount("/target", "bind", box.top / "link", "bind", "dest-nofollow")
    equal(box.output("cat /target"), "inside")
    box.config["mounts"].pop()
    box.mount("/a/sym/link", "bind", box.top / "broken", "rbind", "copy-symlink")
    equal([box.output("readlink /a/sym/link") for _ in range(2)], ["nowhere"] * 2)  # the second time it is there
    box.config["mounts"][-1]["source"] = str(box.top / "link")
    box.refused("making a link")
    box.config["mounts"][-1]["destination"] = "/copied"
    box.config["mounts"][-1]["source"] = str(box.top / "file")
    equal(box.output("cat /copied"), "inside")  # no link: a mount like any other


@case
@ours
def masked_and_readonly_paths_are_absolute(box):
    for key in ("maskedPaths", "readonlyPaths"):
        box.linux[key] = ["proc/keys"]
        box.refused(f"linux.{key}[0]", "must be absolute")
        box.linux[key] = []


@case
@ours
def options_for_links_are_of_bind_mounts(box):
    for option in ("copy-symlink", "src-nofollow", "dest-nofollow"):
        box.mount("/x", "tmpfs", "tmpfs", option).refused("bind mount")
        box.config["mounts"].pop()
    (box.top / "link").symlink_to("nowhere")
    box.mount("/proc/self", "bind", box.top / "link", "bind", "dest-nofollow", "src-nofollow").refused("/proc/self")


@case
def a_dangling_link_is_followed_inside(box):
    (box.top / "file").write_text("seen\n")
    (box.rootfs / "etc" / "dangling").symlink_to("../made/for/it")
    box.mount("/etc/dangling", "bind", box.top / "file", "bind", "ro")
    equal(box.output("cat /made/for/it"), "seen")


@case
@ours
def ids_are_mapped_by_an_option(box):
    (box.top / "dir").mkdir()
    (box.top / "dir" / "file").write_text("")
    os.chown(box.top / "dir" / "file", 3, 4)
    box.mount("/x", "bind", box.top / "dir", "bind", "idmap=uids=0-1000-10;gids=0-2000-3#3-5000-10")
    equal(box.output("stat -c '%u %g' /x/file"), "1003 5001")
    for bad, part in (("idmap=uids=0-1-2", "go together"), ("idmap=uids=@0-1-2;gids=0-1-2", "with @"), ("idmap=x=1", "neither"),
                      ("idmap=uids=0-1;gids=0-1-2", "not a list")):
        box.config["mounts"][-1]["options"] = ["bind", bad]
        box.refused("mounts[7]", part)


@case
def mount_points_in_a_root_that_belongs_to_nobody_inside(box):
    """The root of the user namespace may not make them in files of the host's root."""
    (box.rootfs / "file").write_text("hello")
    box.user_namespace().mount("/not/there", "tmpfs", "tmpfs").mount("/nor/this", "bind", box.rootfs / "file", "bind")
    equal(box.output("stat -f -c %T /not/there; cat /nor/this"), "tmpfs\nhello")


if __name__ == "__main__":
    main(all_cases(globals()))
