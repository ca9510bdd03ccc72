"""One report to the service, once: POST <base>/oops/api/PROJECT/report/, and what its answer means."""
import contextlib
import datetime
import email.utils
import encodings.idna  # noqa: F401: the first connection asks for it, and a fork while a thread imports leaves its child waiting for ever
import enum
import gzip
import http.client
import json
import random
import re
import time
import urllib.parse
from dataclasses import dataclass

ANSWER_BYTES_MAX = 64 * 1024
RETRY_AFTER_SECONDS_MAX = 3600
RATIO_MAX, RATIO_FROM_BYTES = 100, 64 * 1024  # of what a packed body unpacks to


class Means(enum.Enum):
    DELIVERED = "delivered"
    BAD = "bad"              # the report itself: never sent again
    REFUSED = "refused"      # we are: kept, and somebody must be told
    LATER = "later"          # kept, and tried again
    FAILED = "failed"        # kept, and tried again after the others: perhaps it is this report that the service fails at


@dataclass(frozen=True)
class Answer:
    means: Means
    status: int = 0            # 0: none came
    text: str = ""             # what was said, or the connection's fault
    retry_after_s: float = 0


class Dsn:
    """http://KEY@host:port/oops/PROJECT, perhaps with a path before /oops. ValueError says what is wrong, without the key."""

    def __init__(self, text):
        parts = urllib.parse.urlsplit(text)
        path = re.fullmatch(r"((?:/[^/]+)*)/oops/([A-Za-z0-9_.-]+)/?", parts.path)
        if parts.scheme not in ("http", "https") or not parts.hostname or not path or parts.query or parts.fragment:
            raise ValueError("a DSN is http://KEY@host:port/oops/PROJECT")
        if not parts.username or parts.password is not None:
            raise ValueError("a DSN has the key of the project before its @, and no colon in it")
        self.key = urllib.parse.unquote(parts.username)
        self.scheme, self.host, self.project = parts.scheme, parts.hostname, path[2]
        self.port = parts.port or (443 if parts.scheme == "https" else 80)
        self.path = f"{path[1]}/oops/api/{path[2]}/report/"
        if not re.fullmatch(r"[\x21-\x7e]+", self.key):
            raise ValueError("the key of a DSN is plain ASCII")

    def __repr__(self):
        return f"{self.scheme}://<hidden>@{self.host}:{self.port}{self.path}"


class Transport:
    """Sends from one thread at a time. `timeout_s` bounds each wait for the network."""

    def __init__(self, dsn, timeout_s=5.0, gzip_above_bytes=8192):
        self.dsn, self.timeout_s, self.gzip_above_bytes = dsn, timeout_s, gzip_above_bytes
        self._connection = None

    def again(self):
        """One like it that shares nothing, for the child of a fork."""
        return Transport(self.dsn, self.timeout_s, self.gzip_above_bytes)

    def close(self):
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def send(self, body):
        packed = self.gzip_above_bytes is not None and len(body) > self.gzip_above_bytes
        answer = self._post(body, packed)
        if answer.status == 415 and packed:  # a service that doesn't unpack
            self.gzip_above_bytes = None
            answer = self._post(body, packed=False)
        return answer

    def _post(self, body, packed):
        headers = {"X-Oops-Auth": self.dsn.key, "Content-Type": "application/json", "User-Agent": "gantry-oops",
                   "X-Oops-Sent-At": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")}
        if packed:
            smaller = gzip.compress(body, 6)
            # What unpacks to much more looks like a bomb, which servers refuse.
            if len(body) <= RATIO_FROM_BYTES or len(smaller) * RATIO_MAX > len(body):
                headers["Content-Encoding"] = "gzip"
                body = smaller
        reused = self._connection is not None
        try:
            return self._exchange(headers, body)
        except (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError) as fault:
            self.close()
            if not reused:
                return Answer(Means.LATER, text=f"{self.dsn!r}: {fault}")
        except (OSError, http.client.HTTPException, ValueError) as fault:
            self.close()
            return Answer(Means.LATER, text=f"{self.dsn!r}: {fault}")
        try:  # the service had closed the idle connection
            return self._exchange(headers, body)
        except (OSError, http.client.HTTPException, ValueError) as fault:
            self.close()
            return Answer(Means.LATER, text=f"{self.dsn!r}: {fault}")

    def _exchange(self, headers, body):
        if self._connection is None:
            kind = http.client.HTTPSConnection if self.dsn.scheme == "https" else http.client.HTTPConnection
            self._connection = kind(self.dsn.host, self.dsn.port, timeout=self.timeout_s)
        self._connection.request("POST", self.dsn.path, body, headers)
        response = self._connection.getresponse()
        text = response.read(ANSWER_BYTES_MAX).decode("utf-8", "backslashreplace")
        if not response.isclosed() or response.will_close:
            self.close()
        return judge(response.status, text, response.headers.get("Retry-After"))


def judge(status, text, retry_after=None):
    """What an answer means. One that names no id is nobody's acceptance, whatever its status: a proxy's page must not swallow a report."""
    if 200 <= status < 300:
        with contextlib.suppress(ValueError):
            said = json.loads(text)
            if isinstance(said, dict) and isinstance(said.get("id"), str) and said["id"]:
                return Answer(Means.DELIVERED, status, text)
        return Answer(Means.REFUSED, status, "answered without an id: is it the oops service?")
    if status in (400, 413, 415, 422):
        return Answer(Means.BAD, status, text)
    if status in (408, 425, 429, 502, 503, 504):
        return Answer(Means.LATER, status, text, seconds_of(retry_after))
    if status >= 500:
        return Answer(Means.FAILED, status, text, seconds_of(retry_after))
    return Answer(Means.REFUSED, status, text)


def seconds_of(retry_after):
    """Of a Retry-After: a number of seconds, or a date, which counts from the answer on."""
    try:
        return float(min(max(0, int(retry_after)), RETRY_AFTER_SECONDS_MAX))
    except (TypeError, ValueError):
        pass
    try:
        until = email.utils.parsedate_to_datetime(retry_after).timestamp()
        return min(max(0.0, until - time.time()), RETRY_AFTER_SECONDS_MAX)
    except (TypeError, ValueError, OverflowError):
        return 0.0


class Backoff:
    """Seconds to wait after each failure in a row: doubled from `first_s` up to `max_s`, each between half and all of it by chance; never
    less than the service asked for."""

    def __init__(self, first_s=1.0, max_s=300.0):
        self.first_s, self.max_s = first_s, max_s
        self.failures = 0

    def failed(self, at_least_s=0.0):
        wait_s = min(self.max_s, self.first_s * 2 ** min(self.failures, 30))
        self.failures += 1
        return at_least_s + wait_s * random.uniform(0.5, 1.0) * (0.1 if at_least_s else 1.0)

    def succeeded(self):
        self.failures = 0
