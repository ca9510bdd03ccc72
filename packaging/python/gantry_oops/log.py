"""A `logging` handler: what is logged as a warning or worse becomes a report, and its id goes on the record."""
import logging
import threading
import time

from .client import Config
from .wsgi import current


class LogHandler(logging.Handler):
    """record.oops_id is the report's id, "" when none was made, for the formatters of the handlers after this one (`install` puts it
    first). Beyond `a_minute_max` reports a minute records are only counted, which a later report tells as lost for `rate`. Never raises."""

    def __init__(self, dsn=None, *, config=None, level=logging.WARNING, a_minute_max=60, **settings):
        super().__init__()
        self.threshold = level
        self.config = config or Config(dsn, **settings)
        self.a_minute_max = a_minute_max
        self._inside = threading.local()
        self._minute, self._in_minute = None, 0

    def createLock(self):
        """None: threads wait for the disk, and shall not wait for one another."""
        self.lock = None

    def handle(self, record):
        """Sees records below `level`, too, so that every formatter finds the name."""
        if not hasattr(record, "oops_id"):
            record.oops_id = ""
        return super().handle(record)

    def emit(self, record):
        if record.levelno < self.threshold:
            return
        if record.name.split(".")[0] == "gantry_oops" or getattr(self._inside, "it", False) or record.oops_id:
            return
        self._inside.it = True
        try:
            record.oops_id = self._report(record) or ""
        except Exception:
            self.handleError(record)
        finally:
            self._inside.it = False

    def _report(self, record):
        if not self._within_rate():
            lost = getattr(self.config.publisher, "lost", None)
            if lost is not None:
                lost.add("rate")
            return None
        context = {"log_record": record}
        if record.exc_info and record.exc_info[1] is not None:
            context["exc_info"] = record.exc_info
        request = current()
        if request is not None and request.middleware.config.publisher is not None:
            return request.file(**context)
        return self.config.file({"duration": -1, **context})

    def _within_rate(self):
        minute = time.monotonic() // 60
        if minute != self._minute:
            self._minute, self._in_minute = minute, 0
        self._in_minute += 1
        return self._in_minute <= self.a_minute_max


def install(logger=None, dsn=None, **settings):
    """A LogHandler before all other handlers of `logger` (the root): their formatters may then show %(oops_id)s."""
    handler = LogHandler(dsn, **settings)
    logger = logger or logging.getLogger()
    logger.handlers.insert(0, handler)
    return handler
