"""Empties a spool: each report to the service, oldest first."""
import contextlib
import logging
from dataclasses import dataclass

from .safe import encode
from .transport import Answer, Means

say = logging.getLogger("gantry_oops")
FAILED_IN_A_ROW_MAX = 3
TIMES_REMEMBERED_MAX = 10_000


@dataclass
class Drained:
    sent: int = 0
    rejected: int = 0
    damaged: int = 0
    left: int = 0
    busy: bool = False              # another process sends
    stopped: Answer | None = None   # what ended it before the end


class Drainer:
    """Remembers which reports the service failed at: they come after the others, so that one can't hold up all."""

    def __init__(self, spool, transport, lost_here=None):
        self.spool, self.transport = spool, transport
        self._lost_here = lost_here  # a Lost of this process
        self._failed = {}
        self._in_a_row = 0

    def run(self):
        """Until nothing waits or the service is away. OSError when the directory can't be used."""
        done = Drained()
        if not self.spool.waiting():
            return done
        with self.spool.sole_sender() as alone:
            if not alone:
                done.busy = True
            else:
                self._alone(done)
        done.left = len(self.spool.waiting())
        return done

    def send(self, report):
        """One report, with the counts of those that found no room; Answer."""
        spooled = self.spool.lost() if self.spool else {}
        here = self._lost_here.now() if self._lost_here else {}
        if spooled or here:
            report = {**report, "lost": {k: spooled.get(k, 0) + here.get(k, 0) for k in {**spooled, **here}}}
        answer = self.transport.send(encode(report))
        if answer.means is Means.DELIVERED:
            if spooled:
                self._change_lost({k: -v for k, v in spooled.items()})
            if here:
                self._lost_here.told(here)
        return answer

    def _alone(self, done):
        self.spool.tidy()
        try:
            self._all(done)
        finally:
            self.transport.close()

    def _all(self, done):
        tried = set()
        self._in_a_row = 0
        while names := [n for n in self.spool.waiting() if n not in tried]:
            for name in sorted(names, key=lambda n: (self._failed.get(n, 0), n)):
                tried.add(name)
                if not self._tried(name, done):
                    return

    def _tried(self, name, done):
        """False: no more now."""
        try:
            return self._one(name, done)
        except OSError as why:  # of this file, or of a disk that takes no change: others may go nevertheless
            say.warning("%s in %s: %s", name, self.spool.directory, why)
            self._remember(name)
            return True

    def _one(self, name, done):
        try:
            report = self.spool.read(name)
        except ValueError as why:
            self.spool.damaged(name)
            self._change_lost({"damaged": 1})
            done.damaged += 1
            say.error("%s in %s is set aside: %s", name, self.spool.directory, why)
            return True
        return report is None or self._judged(name, self.send(report), done)

    def _judged(self, name, answer, done):
        if answer.means is Means.DELIVERED:
            self.spool.remove(name)
            self._failed.pop(name, None)
            self._in_a_row = 0
            done.sent += 1
            return True
        if answer.means is Means.BAD:
            self.spool.reject(name, {"status": answer.status, "answer": answer.text})
            done.rejected += 1
            say.error("the service refuses %s for good (%d): %s", name, answer.status, answer.text[:300])
            return True
        if answer.means is Means.FAILED and self._in_a_row + 1 < FAILED_IN_A_ROW_MAX:
            self._remember(name)
            self._in_a_row += 1
            done.stopped = answer
            return True
        done.stopped = answer
        return False

    def _remember(self, name):
        if len(self._failed) < TIMES_REMEMBERED_MAX:
            self._failed[name] = self._failed.get(name, 0) + 1

    def _change_lost(self, by):
        with contextlib.suppress(OSError):
            self.spool.change_lost(by)
