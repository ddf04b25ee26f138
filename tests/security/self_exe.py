# SPDX-License-Identifier: Apache-2.0
"""CVE-2019-5736: a container has the runtime's own program executed inside it, by a command that is a script
of `#!/proc/self/exe`, or a link to it, and tries to overwrite the program's file on the host."""
import hashlib
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "integration"))
from zltest import BUILD, check, main, make_bundle, wait_for  # noqa: E402

WRITER = pathlib.Path(os.environ["ZLAYER_EXE_WRITER"])
OCI = BUILD / "zlayer-oci"


class Bundle:
    """A container that runs the writer, which looks for the file of zlayer-oci."""

    def __init__(self):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="zlayer-test-"))
        self.log = self.dir / "log"
        found = OCI.stat()
        make_bundle(self.dir, ["/bin/writer", str(found.st_dev), str(found.st_ino)], {"writer": WRITER}, self.privileged)
        script = self.dir / "rootfs/bin/script"
        script.write_text("#!/proc/self/exe\n")
        script.chmod(0o755)
        (self.dir / "rootfs/bin/link").symlink_to("/proc/self/exe")

    @staticmethod
    def privileged(config):
        """As much as a container may have that is still one."""
        every = ["CAP_DAC_OVERRIDE", "CAP_DAC_READ_SEARCH", "CAP_SYS_PTRACE", "CAP_KILL"]
        config["process"]["capabilities"] = {"bounding": every, "effective": every, "permitted": every}

    def __enter__(self):
        return self

    def oci(self, *args, **kwargs):
        return subprocess.run([OCI, "--root", self.dir / "state", *args], timeout=60, check=False, **kwargs)

    def __exit__(self, kind, value, trace):
        self.oci("delete", "--force", "attacked", capture_output=True)
        shutil.rmtree(self.dir)


def attack(command):
    before = hashlib.sha256(OCI.read_bytes()).hexdigest()
    with Bundle() as bundle:
        with bundle.log.open("wb") as log:
            made = bundle.oci("run", "--detach", "--bundle", bundle.dir, "attacked", stdin=subprocess.DEVNULL,
                              stdout=log, stderr=log)
        check(made.returncode == 0, f"run: exit {made.returncode}: {bundle.log.read_text()}")
        wait_for(lambda: bundle.oci("exec", "attacked", command, capture_output=True) and bundle.log.read_text(), 60,
                 "the writer's verdict")
        said = bundle.log.read_text()
    check(said == "read-only\n", f"the writer said: {said}")
    check(hashlib.sha256(OCI.read_bytes()).hexdigest() == before, "zlayer-oci has been changed")


def a_script_of_the_program_cannot_write_it():
    attack("/bin/script")


def a_link_to_the_program_cannot_write_it():
    attack("/bin/link")


if __name__ == "__main__":
    main(a_script_of_the_program_cannot_write_it, a_link_to_the_program_cannot_write_it)
