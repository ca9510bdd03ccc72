"""A directory of reports that wait for the service. Any number of processes write to it; one at a time empties it.

    NNNNNNNNNNNNNNNNNN-ID.json   a report: names sort by the time of writing
    *.tmp                        one that is being written: never sent, removed when it is an hour old
    lock                         whoever sends holds flock(2) on it
    lost                         counts of reports that found no room, by reason: JSON, changed under flock(2)
    rejected/NAME.json, .answer  what the service refused for good, and its words; the newest 100
    damaged/NAME.json            what is no report: empty, cut, not JSON; the newest 100
"""
import contextlib
import fcntl
import json
import os
import re
import stat
import threading
import time

REPORT_BYTES_MAX = 16 * 1024 * 1024
ASIDE_MAX = 100
STALE_SECONDS = 3600


class SpoolFull(Exception):
    """There are as many reports as may be, or as many bytes."""


class Spool:
    """When it is full the new report is refused, not an old one dropped: an id that a user was shown stays good. With several writers
    the limits may be passed by one report each. Safe from any thread, and over fork."""

    def __init__(self, directory, files_max=5_000, bytes_max=100 * 1024 * 1024):
        self.directory = os.path.abspath(os.fspath(directory))
        self.files_max, self.bytes_max = files_max, bytes_max
        self._used, self._counted_s = (0, 0), None

    def prepare(self):
        """Makes the directory, for its owner alone. OSError when that can't be."""
        os.makedirs(self.directory, mode=0o700, exist_ok=True)
        return self

    def put(self, oops_id, body):
        """When it returns the report survives a loss of power. SpoolFull, or OSError: then nothing is there."""
        self._reserve(len(body))
        name = f"{max(0, time.time_ns() // 1000):018d}-{re.sub(r'[^A-Za-z0-9_-]', '_', oops_id)[:80]}.json"
        try:
            self._write_durably(name, body)
        except FileNotFoundError:
            self.prepare()
            self._write_durably(name, body)
        return name

    def waiting(self):
        """The names of the reports, oldest first. Empty when there is no directory."""
        try:
            return sorted(n for n in os.listdir(self.directory) if n.endswith(".json"))
        except FileNotFoundError:
            return []

    @contextlib.contextmanager
    def sole_sender(self):
        """Yields whether this process may send now."""
        handle = os.open(self._path("lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        _open_locks.add(handle)
        try:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                got = True
            except BlockingIOError:
                got = False
            yield got
        finally:
            if handle in _open_locks:  # not in a child, which closed it
                fcntl.flock(handle, fcntl.LOCK_UN)
                _open_locks.discard(handle)
                os.close(handle)

    def read(self, name):
        """The report; None when it is gone. A ValueError says that it is none."""
        path = self._path(name)
        try:
            found = os.lstat(path)
            if not stat.S_ISREG(found.st_mode) or found.st_size > REPORT_BYTES_MAX:
                raise ValueError("no plain file, or too long")
            with open(path, "rb") as file:
                report = json.loads(file.read())
        except FileNotFoundError:
            return None
        except RecursionError:
            raise ValueError("too deep") from None
        if not isinstance(report, dict) or not isinstance(report.get("id"), str) or not report["id"]:
            raise ValueError("no report with an id")
        return report

    def remove(self, name):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._path(name))

    def reject(self, name, answer):
        """`answer`: what the service said, to be read by people; left out when the disk is full."""
        self._set_aside("rejected", name)
        with contextlib.suppress(OSError):
            text = json.dumps(answer, indent=1).encode() + b"\n"
            self._write_durably(os.path.join("rejected", name.removesuffix(".json") + ".answer"), text)

    def damaged(self, name):
        self._set_aside("damaged", name)

    def lost(self):
        """How many reports found no room, by reason, that the service doesn't know of."""
        try:
            with open(self._path("lost"), "rb") as file:
                return _counts(file.read(4096))
        except OSError:
            return {}

    def change_lost(self, by):
        """Adds to the counts; a negative number takes away."""
        handle = os.open(self._path("lost"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            counts = _counts(os.pread(handle, 4096, 0))
            for reason, number in by.items():
                counts[reason] = max(0, counts.get(reason, 0) + number)
            text = json.dumps({k: v for k, v in counts.items() if v}).encode()
            if os.pwrite(handle, text, 0) == len(text):
                os.ftruncate(handle, len(text))
        finally:
            os.close(handle)

    def tidy(self):
        """Removes what a killed writer left."""
        with contextlib.suppress(OSError):
            for entry in os.scandir(self.directory):
                with contextlib.suppress(OSError):
                    if entry.name.endswith(".tmp") and time.time() - entry.stat().st_mtime > STALE_SECONDS:
                        os.unlink(entry.path)

    def _path(self, name):
        return os.path.join(self.directory, name)

    def _reserve(self, size_bytes):
        """Counts files again when that is a second old or the limit is near: others write here, too."""
        files, used_bytes = self._used
        near = files >= self.files_max * 9 // 10 or used_bytes + size_bytes >= self.bytes_max * 9 // 10
        if self._counted_s is None or near or not 0 <= time.monotonic() - self._counted_s < 1:
            files, used_bytes = self._count()
            self._counted_s = time.monotonic()
        if files >= self.files_max or used_bytes + size_bytes > self.bytes_max:
            self._used = files, used_bytes
            raise SpoolFull(f"{self.directory}: {files} reports, {used_bytes} bytes")
        self._used = files + 1, used_bytes + size_bytes

    def _count(self):
        files = used_bytes = 0
        with contextlib.suppress(FileNotFoundError):
            for entry in os.scandir(self.directory):
                if entry.name.endswith(".json"):
                    with contextlib.suppress(OSError):
                        used_bytes += entry.stat(follow_symlinks=False).st_size
                    files += 1
        return files, used_bytes

    def _write_durably(self, name, body):
        path = self._path(name)
        temporary = f"{path}.{os.getpid()}-{threading.get_ident()}.tmp"
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            try:
                rest = memoryview(body)
                while rest:
                    rest = rest[os.write(handle, rest):]
                os.fsync(handle)
            finally:
                os.close(handle)
            os.rename(temporary, path)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
            raise
        _sync_directory(os.path.dirname(path))

    def _set_aside(self, folder, name):
        os.makedirs(self._path(folder), mode=0o700, exist_ok=True)
        with contextlib.suppress(FileNotFoundError):
            os.rename(self._path(name), self._path(os.path.join(folder, name)))
        kept = sorted(n for n in os.listdir(self._path(folder)) if n.endswith(".json"))
        for old in kept[:-ASIDE_MAX]:
            for other in (old, old.removesuffix(".json") + ".answer"):
                self.remove(os.path.join(folder, other))


def _counts(text):
    try:
        found = json.loads(text)
        return {k: v for k, v in found.items() if isinstance(v, int) and v > 0}
    except (ValueError, AttributeError):
        return {}


def _sync_directory(path):
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


# A child shares the parent's locks through the descriptors that it inherits: it must not keep them.
_open_locks = set()


def _in_child():
    for handle in list(_open_locks):
        _open_locks.discard(handle)
        with contextlib.suppress(OSError):
            os.close(handle)


os.register_at_fork(after_in_child=_in_child)
