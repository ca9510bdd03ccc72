"""What the tests of the Python package have in common."""
import logging
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
PACKAGE = ROOT / "packaging" / "python"
sys.path.insert(0, str(PACKAGE))
sys.dont_write_bytecode = True

import service  # noqa: E402

import gantry_oops  # noqa: E402

ENVIRONMENT = {**os.environ, "PYTHONPATH": str(PACKAGE), "PYTHONDONTWRITEBYTECODE": "1", "PYTHONSAFEPATH": "1"}


def until(condition, seconds=10.0):
    """Waits for what another thread or process does; the last value of the condition."""
    end_s = time.monotonic() + seconds
    while not (value := condition()) and time.monotonic() < end_s:
        time.sleep(0.01)
    return value


def soon():
    return gantry_oops.Backoff(first_s=0.05, max_s=0.2)


class Told(logging.Handler):
    """What the package says of itself."""

    def __init__(self):
        super().__init__()
        self.lines = []

    def emit(self, record):
        self.lines.append(record.getMessage())

    def count(self, part):
        return sum(part in line for line in self.lines)


class Case(unittest.TestCase):
    def setUp(self):
        self.place = pathlib.Path(tempfile.mkdtemp(prefix="gantry-python-"))
        self.addCleanup(shutil.rmtree, self.place, ignore_errors=True)
        self.spool = self.place / "spool"
        self.told = Told()
        ours = logging.getLogger("gantry_oops")
        ours.addHandler(self.told)
        ours.propagate = False
        self.addCleanup(ours.removeHandler, self.told)

    def serve(self):
        self.front, self.stand_in = service.start()
        self.addCleanup(self.front.go_away)
        if self.stand_in:
            self.addCleanup(self.stand_in.stop)
        return self.front

    def config(self, **settings):
        """One that sends to the front, which it starts."""
        if not hasattr(self, "front"):
            self.serve()
        settings = {"spool": self.spool, "backoff": soon(), "exit_s": 0, "reporter": "tests", **settings}
        return gantry_oops.Config(self.front.dsn, **settings)

    def waiting(self):
        return gantry_oops.Spool(self.spool).waiting()

    def arrived(self, ids, seconds=10.0):
        """All of them and nothing else, each stored once."""
        self.assertTrue(until(lambda: set(ids) <= set(self.front.reports), seconds),
                        f"{len(set(ids) - set(self.front.reports))} of {len(ids)} haven't arrived; {self.told.lines}")
        self.assertEqual(set(self.front.reports), set(ids))
        self.assertEqual(self.front.refusals, [])
        if self.stand_in:
            self.assertEqual(set(self.stand_in.stored), set(ids))
        self.assertTrue(until(lambda: not self.waiting()), "something is left in the spool")

    def python(self, code, *arguments, interpreter="/usr/bin/python3", **more):
        return subprocess.run([interpreter, "-c", code, *map(str, arguments)], capture_output=True, text=True, timeout=60,
                              env={**ENVIRONMENT, **more.pop("env", {})}, **more)


class Recorded:
    """A publisher that keeps what it gets."""

    def __init__(self):
        self.reports = []

    def __call__(self, report):
        self.reports.append(report)
        return [report["id"]]


def recording(**settings):
    """A Config without a service, and what it publishes."""
    config, recorded = gantry_oops.Config(**settings), Recorded()
    config.publisher = recorded
    return config, recorded.reports
