# SPDX-License-Identifier: Apache-2.0
"""What is expensive to build is kept in a cache under a name that says what it was made of: one
directory per result, made under another name and renamed when it is complete. For the tools here."""
import contextlib
import fcntl
import hashlib
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile

CACHE = "/var/cache/zlayer"
FORMAT = 1  # of the cache's directories: another one is another name


class Trouble(Exception):
    """An error that the user is told in one line."""


def output(*command, **kwargs):
    """What a short command prints."""
    try:
        return subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                              **kwargs).stdout
    except FileNotFoundError as error:
        raise Trouble(f"no program '{command[0]}': sudo tools/setup (its groups: tools/setup help)") from error
    except subprocess.CalledProcessError as error:
        raise Trouble(f"{' '.join(command)}: {error.stderr.strip() or error.returncode}") from error


def logged(command, log, **kwargs):
    """Runs a long command; when it fails, the end of what it printed is the error. Its children go with us."""
    with open(log, "ab") as file:
        child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=file, stderr=file, start_new_session=True,
                                 **kwargs)
        try:
            status = child.wait()
        except BaseException:
            os.killpg(child.pid, signal.SIGTERM)
            child.wait()
            raise
    if status != 0:
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-20:])
        raise Trouble(f"{' '.join(map(str, command))} ended with {status}:\n{tail}")


@contextlib.contextmanager
def locked(cache, name):
    """One maker at a time. What a killed one has left is removed by the next."""
    try:
        cache.mkdir(parents=True, exist_ok=True)
        lock = open(cache / f".lock-{name}", "w")
    except OSError as error:
        raise Trouble(f"cache {cache}: {error.strerror} (run as root, or use --cache)") from error
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for left in cache.glob(f".work-{name}-*"):
            shutil.rmtree(left, ignore_errors=True)
        yield


def cached(cache, name, parts, make):
    """The directory of this result; make(work, result) fills it when it is not there yet."""
    digest = hashlib.sha256()
    for part in [str(FORMAT), *parts]:
        digest.update(hashlib.sha256(part.encode() if isinstance(part, str) else part).digest())
    place = cache / f"{name}-{digest.hexdigest()[:16]}"
    if place.is_dir():
        return place
    with locked(cache, name):
        if place.is_dir():  # the one we waited for has made it
            return place
        work = pathlib.Path(tempfile.mkdtemp(prefix=f".work-{name}-", dir=cache))
        try:
            result = work / "result"
            result.mkdir()
            make(work, result)
            result.rename(place)
        finally:
            shutil.rmtree(work, ignore_errors=True)
    return place


def put(file, data, mode=0o644):
    """Replaces a file in one step, when its content is another one."""
    if file.is_file() and file.stat().st_size == len(data) and file.read_bytes() == data:
        return
    new = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        new.write_bytes(data)
        new.chmod(mode)
        new.rename(file)
    finally:
        new.unlink(missing_ok=True)


def end_on_signals():
    """As an exception, so that what is half made goes, and children with it."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda caught, _: sys.exit(128 + caught))
