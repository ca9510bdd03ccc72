"""Config: how a program makes reports, and who gets them."""
import datetime
import logging
import os
import pathlib
import pprint
import re
import secrets
import socket
import sys

from . import hooks
from .courier import Courier
from .safe import Limits, encode, safe_report, text_of
from .spool import Spool
from .transport import Backoff, Dsn, Transport

say = logging.getLogger("gantry_oops")


def fresh_id():
    """In the form of an MD5, but drawn by chance: two equal failures are two reports."""
    return "OOPS-" + secrets.token_hex(16)


def default_spool(dsn):
    """Where reports wait unless somebody says: GANTRY_OOPS_SPOOL, STATE_DIRECTORY/oops (systemd's), or a directory of this user's in
    /var/tmp. A directory for each project. OSError when it isn't ours alone."""
    project = re.sub(r"[^\w.-]", "_", f"{dsn.host}-{dsn.port}{dsn.path.removesuffix('/report/').replace('/', '-')}")
    named = os.environ.get("GANTRY_OOPS_SPOOL") or (os.environ.get("STATE_DIRECTORY", "").partition(":")[0])
    if named:
        return pathlib.Path(named, project if os.environ.get("GANTRY_OOPS_SPOOL") else f"oops/{project}")
    ours = pathlib.Path(f"/var/tmp/gantry-oops-{os.geteuid()}")
    ours.mkdir(mode=0o700, exist_ok=True)
    found = ours.lstat()
    if found.st_uid != os.geteuid() or found.st_mode & 0o022 or not ours.is_dir() or ours.is_symlink():
        raise PermissionError(f"{ours} belongs to somebody else")
    return ours / project


class Config:
    """`template` begins every report. `on_create`: hook(report, context), in order. `filters`: filter(report), true drops it. `publisher`
    (report) -> list of ids, and/or `publishers`, each (report) -> id or None.

    With a DSN the publisher is a Courier: a spool on disk (`spool`: a directory, None: default_spool, False: memory only) and background
    threads. Without any, GANTRY_OOPS_DSN of the environment; and without that nothing is published.
    Nothing here raises into the program but __init__, for a wrong DSN. Any thread may use it.
    """

    def __init__(self, dsn=None, *, spool=None, reporter=None, secret_names=(), in_app=(), limits=Limits(), block_ms=250,
                 files_max=5_000, bytes_max=100 * 1024 * 1024, gzip_above_bytes=8192, timeout_s=5.0, backoff=None, exit_s=2.0, **template):
        self.template = {"reporter": reporter or os.path.basename(sys.argv[0]) or "python", "hostname": socket.gethostname(), **template}
        self.on_create = list(hooks.DEFAULT)
        self.filters, self.publisher, self.publishers = [], None, []
        self.secret_names, self.in_app, self.limits = tuple(secret_names), tuple(in_app), limits
        dsn = dsn or os.environ.get("GANTRY_OOPS_DSN")
        if dsn:
            dsn = dsn if isinstance(dsn, Dsn) else Dsn(dsn)
            self.publisher = Courier(Transport(dsn, timeout_s, gzip_above_bytes), self._spool(dsn, spool, files_max, bytes_max),
                                     block_ms / 1000, backoff=backoff or Backoff(), exit_s=exit_s)

    def create(self, context=None):
        """A report: the template and what the hooks say of the context. Its id is fixed from here on."""
        context = {"in_app": self.in_app, **(context or {})}
        report = {**self.template, "id": fresh_id(), "time": datetime.datetime.now(datetime.timezone.utc)}
        for hook in self.on_create:
            try:
                hook(report, context)
            except Exception as why:
                report.setdefault("hook_errors", []).append(f"{getattr(hook, '__name__', hook)}: {type(why).__name__}: {text_of(why)}")
        return report

    def publish(self, report):
        """None: filtered. Else the ids it has got; [] when no publisher took it."""
        if any(self._says(f, report) for f in self.filters):
            return None
        report = self._safe(report)
        ids = list(self._says(self.publisher, report) or []) if self.publisher else []
        for publisher in self.publishers:
            if ids:
                report["id"] = ids[-1]
            if one := self._says(publisher, report):
                ids.append(one)
        return ids

    def file(self, context=None, **more):
        """create and publish; the id that may be shown, or None."""
        try:
            report = self.create({**(context or {}), **more})
            ids = self.publish(report)
            return text_of(report["id"]) if ids else None
        except Exception as why:
            say.error("a report couldn't be made: %s: %s", type(why).__name__, text_of(why))
            return None

    def start(self):
        """Begins to send what an earlier run left; the middleware and the handler do it by themselves."""
        if isinstance(self.publisher, Courier):
            self.publisher.start()

    def flush(self, timeout_s=5.0):
        """Waits until the service has all reports, or is away: then False."""
        return self.publisher.flush(timeout_s) if isinstance(self.publisher, Courier) else True

    def _spool(self, dsn, spool, files_max, bytes_max):
        if spool is False:
            return None
        try:
            return Spool(default_spool(dsn) if spool is None else spool, files_max, bytes_max)
        except OSError as why:
            say.error("reports wait in memory only: %s", why)
            return None

    def _safe(self, report):
        try:
            return safe_report(report, self.limits, self.secret_names)
        except Exception as why:
            plain = {k: text_of(report.get(k))[:2000] for k in ("id", "time", "type", "value", "reporter") if k in report}
            return {**plain, "time": text_of(report.get("time")), "unserialisable": f"{type(why).__name__}: {text_of(why)}"}

    @staticmethod
    def _says(asked, report):
        try:
            return asked(report)
        except Exception as why:
            say.error("%r failed: %s: %s", asked, type(why).__name__, text_of(why))
            return None


def fallback(*publishers):
    """The first that takes the report is the last that is asked."""
    def publish(report):
        for publisher in publishers:
            if ids := publisher(report):
                return ids
        return []
    return publish


def to_many(*publishers):
    """All get it, each under the id that the one before gave."""
    def publish(report):
        given = []
        for publisher in publishers:
            if given:
                report["id"] = given[-1]
            given += publisher(report) or []
        return given
    return publish


def to_directory(directory, **limits):
    """Only writes to a spool; `gantry-oops drain` sends."""
    spool = Spool(directory, **limits)

    def publish(report):
        spool.put(report["id"], encode(report))
        return [report["id"]]
    return publish


def pretty_print(stream=None):
    """For the desk: each report as text."""
    def publish(report):
        print(pprint.pformat(report, sort_dicts=False), file=stream or sys.stderr)
        return [report["id"]]
    return publish
