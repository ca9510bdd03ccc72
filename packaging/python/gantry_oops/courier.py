"""Takes reports from a program's threads, puts them on disk, and sends them: two threads in the background, one for each.

The threads are daemons, begun by the first report (or `start`) of each process: a child of fork begins its own, and leaves to its parent
what the parent had not yet written.
"""
import atexit
import collections
import contextlib
import json
import logging
import os
import threading
import time
import weakref

from .drain import Drained, Drainer
from .safe import encode
from .spool import SpoolFull
from .transport import Backoff, Means

say = logging.getLogger("gantry_oops")
IDLE_SECONDS = 30  # how often a spool is looked at that other processes may have filled
BUSY_SECONDS = 1.0


class Lost:
    """Counts of reports that found no room, by reason, until the service was told."""

    def __init__(self):
        self._lock, self._counts = threading.Lock(), collections.Counter()

    def add(self, reason):
        with self._lock:
            self._counts[reason] += 1

    def now(self):
        with self._lock:
            return {k: v for k, v in self._counts.items() if v > 0}

    def told(self, counts):
        with self._lock:
            self._counts.subtract(counts)


class _Handed:
    """One report on its way to the disk, or, when that takes none, in memory."""

    def __init__(self, report):
        self.id, self.body = report["id"], encode(report)
        self.done, self.kept = threading.Event(), True


class Courier:
    """`block_s`: the longest that hand() waits for the disk. At most `queue_max` reports and `queue_bytes_max` bytes are in memory."""

    def __init__(self, transport, spool, block_s=0.25, queue_max=200, queue_bytes_max=16 * 1024 * 1024, backoff=None, exit_s=2.0):
        self.transport, self.spool, self.block_s, self.exit_s = transport, spool, block_s, exit_s
        self.queue_max, self.queue_bytes_max = queue_max, queue_bytes_max
        self.backoff = backoff or Backoff()
        self.lost = Lost()
        self._begin()
        _all.add(self)

    def __call__(self, report):
        """As a publisher: [id], or [] when there was no room."""
        return [report["id"]] if self.hand(report) else []

    def hand(self, report):
        """True: it is on disk, or in memory on its way there. Waits at most `block_s`; not at all while the disk is stuck."""
        handed = _Handed(report)
        with self._changed:
            if not self._has_room(len(handed.body)):
                self.lost.add("queue_full")
                return False
            self._queue.append(handed)
            self._bytes += len(handed.body)
            wait_s = 0 if self._stuck else self.block_s
            self._changed.notify_all()
        if not self.start():
            self._write_next()
        if not handed.done.wait(wait_s) and wait_s:
            self._stuck = True
        return handed.kept

    def start(self):
        """Begins the threads, if this process has none: they also send what an earlier run left. False: the system gives none."""
        if len(self._threads) == 2:
            return True
        with self._changed:
            for name, run in (("writer", self._write_all), ("sender", self._send_all)):
                if name in self._threads:
                    continue
                thread = threading.Thread(target=run, name=f"gantry-oops {name}", daemon=True)
                try:
                    thread.start()
                except RuntimeError as why:
                    self._say_once("threads", "reports are only written to disk: %s", why)
                    return "writer" in self._threads
                self._threads[name] = thread
        return True

    def flush(self, timeout_s):
        """Waits until the service has all of this process's reports, or is away: True and False."""
        until_s = time.monotonic() + timeout_s
        with self._changed:
            if not self._threads and not self._queue and not self._held:
                return True
            self._hurry = True
            self._changed.notify_all()
            try:
                while self._queue or not (self._is_idle() or self._gave_up):
                    left_s = until_s - time.monotonic()
                    if left_s <= 0 or not self._changed.wait(left_s):
                        return False
                return self._is_idle() and not self._gave_up
            finally:
                self._hurry = False

    def _begin(self):
        self._changed = threading.Condition()
        self._queue, self._held, self._bytes = collections.deque(), collections.deque(), 0
        self._writing = threading.Lock()
        self._threads, self._news, self._sending = {}, True, False
        self._stuck = self._gave_up = self._hurry = False
        self._said = set()
        self._drainer = Drainer(self.spool, self.transport, self.lost)

    def _in_child(self):
        """The parent's threads and locks aren't here; its reports and counts are the parent's to send."""
        self.lost = Lost()
        self.transport = self.transport.again()
        self._begin()

    def _has_room(self, size_bytes):
        return len(self._queue) + len(self._held) < self.queue_max and self._bytes + size_bytes <= self.queue_bytes_max

    def _is_idle(self):
        return not self._queue and not self._held and not self._news and not self._sending

    # The writer.

    def _write_all(self):
        while True:
            with self._changed:
                while not self._queue:
                    self._changed.wait()
            self._write_next()

    def _write_next(self):
        with self._writing:
            if not self._queue:
                return
            handed = self._queue[0]
            where = self._write(handed)
            with self._changed:
                self._queue.popleft()
                if where == "memory":
                    self._held.append(handed)
                else:
                    self._bytes -= len(handed.body)
                handed.kept = where != "nowhere"
                self._news, self._stuck = True, False
                handed.done.set()
                self._changed.notify_all()

    def _write(self, handed):
        """Where the report is now: "disk", "memory", "nowhere"."""
        if self.spool is None:
            return "memory"
        try:
            self.spool.put(handed.id, handed.body)
            self._said -= {"disk", "full"}
            return "disk"
        except SpoolFull as why:
            self._count_lost("spool_full")
            self._say_once("full", "no room for reports, the newest are dropped: %s", why)
            return "nowhere"
        except Exception as why:  # a fault of ours loses no report either
            self._say_once("disk", "reports can't be written to disk, and wait in memory: %s", why)
            return "memory"

    def _count_lost(self, reason):
        try:
            self.spool.change_lost({reason: 1})
        except OSError:
            self.lost.add(reason)

    # The sender.

    def _send_all(self):
        wait_s = 0
        while True:
            with self._changed:
                self._wait(wait_s)
                self._news, self._sending, self._gave_up = False, True, False
            try:
                answer, busy, left = self._round()
            except Exception as why:  # a fault of ours doesn't end the thread
                self._say_once("round", "reports can't be sent: %s", why)
                answer, busy, left = None, False, True
            with self._changed:
                self._sending = False
                wait_s = self._next(answer, busy, left)
                self._changed.notify_all()

    def _wait(self, wait_s):
        """Until it is time; news and a flush end the wait only when the service isn't known to be away."""
        until_s = time.monotonic() + wait_s
        while (left_s := until_s - time.monotonic()) > 0:
            if (self._news or self._hurry and not self._is_idle()) and not self._gave_up:
                return
            self._changed.wait(left_s)

    def _next(self, answer, busy, left):
        """How long to wait after a round. Whoever flushes is told that there is no use in waiting."""
        if busy:
            self._gave_up = True
            return BUSY_SECONDS
        if answer is None and (not left or self._news):
            self.backoff.succeeded()
            self._said -= {"away", "refused", "round", "spool"}
            return IDLE_SECONDS
        self._gave_up = True
        if answer is not None and answer.means is Means.REFUSED:
            self._say_once("refused", "THE OOPS SERVICE REFUSES US (%s): reports are kept, and nobody sees them: %s",
                           answer.status, answer.text[:300])
        elif answer is not None:
            self._say_once("away", "the oops service is away, reports are kept: %s %s",
                           answer.status or "no answer from", answer.text[:300])
        return self.backoff.failed(answer.retry_after_s if answer else 0)

    def _round(self):
        """(what stopped it, whether another process sends, whether something was left)"""
        try:
            drained = self._drain()
            answer = drained.stopped
            if answer is None:
                answer = self._send_held()
            else:
                self._held_to_disk()
            return answer, drained.busy, bool(drained.left or self._held)
        finally:
            self.transport.close()

    def _drain(self):
        if self.spool is None:
            return Drained()
        try:
            return self._drainer.run()
        except OSError as why:  # what is in memory can go nevertheless
            self._say_once("spool", "%s can't be emptied: %s", self.spool.directory, why)
            return Drained(left=1)

    def _send_held(self):
        """What is in memory only."""
        while self._held:
            held = self._held[0]
            answer = self._drainer.send(json.loads(held.body))
            if answer.means not in (Means.DELIVERED, Means.BAD):
                self._held_to_disk()
                return answer
            if answer.means is Means.BAD:
                say.error("the service refuses %s for good (%d): %s", held.id, answer.status, answer.text[:300])
                self._keep_refused(held, answer)
            self._let_go()
        return None

    def _keep_refused(self, held, answer):
        if self.spool is not None:
            with contextlib.suppress(OSError, SpoolFull):
                self.spool.reject(self.spool.put(held.id, held.body), {"status": answer.status, "answer": answer.text})

    def _held_to_disk(self):
        """Perhaps there is room again."""
        while self._held and self.spool is not None:
            try:
                self.spool.put(self._held[0].id, self._held[0].body)
            except (OSError, SpoolFull):
                return
            self._let_go()

    def _let_go(self):
        with self._changed:
            self._bytes -= len(self._held.popleft().body)

    def _say_once(self, what, *words):
        if what not in self._said:
            self._said.add(what)
            say.error(*words)


_all = weakref.WeakSet()


def _in_child():
    for courier in list(_all):
        courier._in_child()


@atexit.register
def _at_exit():
    """What is only in memory gets a last chance, for all couriers together as long as the longest allows."""
    began_s = time.monotonic()
    for courier in list(_all):
        if courier.exit_s > 0:
            courier.flush(max(0.0, began_s + courier.exit_s - time.monotonic()))


os.register_at_fork(after_in_child=_in_child)
