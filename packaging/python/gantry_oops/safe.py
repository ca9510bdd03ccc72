"""Makes a report fit for JSON: valid UTF-8, bounded in size, without secrets.

What is hidden: the value of every key whose name says that it is secret, at any depth; the same of NAME=VALUE in any text; what stands
before the @ of a URL; and the very texts hidden so wherever else the report quotes them (a message, a traceback).
"""
import base64
import contextlib
import dataclasses
import datetime
import json
import pathlib
import re
import urllib.parse
import uuid

HIDDEN = "<hidden>"
SECRET_NAME = (r"passw(or)?d|passphrase|secret|token|authori[sz]ation|cookie|credential|signature|api[-_]?key|private[-_]?key|"
               r"session[-_]?(id|key)|(^|[-_])(auth|otp|pin|pwd|sid|jwt|csrf|xsrf)($|[-_])")
QUERY_PAIR = re.compile(r"(^|[?&;])([\w.%\-\[\]]{1,100})=([^&;\s#\"'<>]+)")
NAMED_VALUE = re.compile(r"(^|[?&;\s(,\"'])([\w.%\-\[\]]{1,100})=([^&;,\s#\"'<>()]+)")
USER_OF_URL = re.compile(r"(?<=://)[^/\s@\"'<>]+(?=@)")
QUOTED_CHARACTERS_MIN = 4  # a shorter secret is hidden where it stands, but not looked for elsewhere
PART_CHARACTERS_MIN = 8    # the same of a part of one: a cookie's value, the word after "Bearer"
# What is told first, should a report be too long for all of it. The timeline is last.
FIRST = ("id", "time", "type", "value", "reporter", "topic", "url", "username", "duration", "HTTP_STATUS", "hostname", "branch_nick",
         "revno", "tb_text", "frames", "exceptions", "req_vars")
LAST = ("timeline",)


@dataclasses.dataclass(frozen=True)
class Limits:
    """Beyond them a report is cut, and its `cut` says how much is missing."""
    text_characters_max: int = 65_536
    items_max: int = 1_000
    depth_max: int = 10
    report_bytes_max: int = 512 * 1024


def text_of(value):
    """`value` as text that UTF-8 can carry; what can't be is escaped."""
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value).decode("utf-8", "backslashreplace")
    if not isinstance(value, str):
        try:
            value = str(value)
        except Exception:
            return unprintable(value)
    try:
        value.encode("utf-8")
        return str(value)
    except UnicodeEncodeError:
        return value.encode("utf-8", "backslashreplace").decode("utf-8")


def unprintable(value):
    return f"<unprintable {type(value).__name__}>"


def iso(time):
    """RFC 3339 in UTC; a time without a zone is one."""
    if time.tzinfo is None:
        time = time.replace(tzinfo=datetime.timezone.utc)
    try:
        time = time.astimezone(datetime.timezone.utc)
    except (OverflowError, ValueError):
        pass
    return time.replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


class Secrets:
    """Which names are secret, and the texts found under them."""

    def __init__(self, more_names=()):
        self._name = re.compile("|".join([SECRET_NAME, *more_names]), re.I)
        self._texts = set()
        self._ordered = []

    def is_secret(self, name):
        if isinstance(name, bytes):
            name = text_of(name)
        return isinstance(name, str) and self._name.search(name) is not None

    def find(self, value, depth, items_max):
        """Remembers what stands under secret names."""
        if depth >= 0:
            with contextlib.suppress(Exception):  # a value whose own methods fail is told as unprintable later
                self._find(value, depth, items_max)

    def _find(self, value, depth, items_max):
        if isinstance(value, dict):
            for key, item in list(value.items())[:items_max]:
                if self.is_secret(key):
                    self._note(item)
                else:
                    self.find(item, depth - 1, items_max)
        elif isinstance(value, (list, tuple)):
            if is_secret_pair(self, value):
                return self._note(value[1])
            for item in list(value)[:items_max]:
                self.find(item, depth - 1, items_max)
        elif isinstance(value, str):
            for _, name, found in QUERY_PAIR.findall(value[:8192]):
                if self.is_secret(name):
                    self._note(found)

    def order(self):
        """To be called once all are found: the longest first, so that none is left in halves."""
        self._ordered = sorted(self._texts, key=len, reverse=True)[:100]
        return len(self._ordered[0]) if self._ordered else 0

    def hide(self, text):
        for secret in self._ordered:
            text = text.replace(secret, HIDDEN)
        if "=" in text:
            text = NAMED_VALUE.sub(lambda m: f"{m[1]}{m[2]}={HIDDEN}" if self.is_secret(m[2]) else m[0], text)
        return USER_OF_URL.sub(HIDDEN, text) if "@" in text else text

    def _note(self, value):
        if isinstance(value, (list, tuple)):
            for item in value[:100]:
                self._note(item)
        if not isinstance(value, (str, bytes)):
            return
        text = text_of(value)[:8192]
        whole = {text, urllib.parse.unquote_plus(text), of_basic(text.partition(" ")[2])}
        parts = set(re.split(r"[;,\s]+", text))
        parts |= {p.partition("=")[2].strip('"') for p in parts}
        self._texts |= {t for t in whole if len(t) >= QUOTED_CHARACTERS_MIN and t.lower() not in ("none", "null", "true", "false")}
        self._texts |= {p for p in parts if len(p) >= PART_CHARACTERS_MIN}


def of_basic(text):
    """The password of Basic credentials."""
    try:
        return base64.b64decode(text, validate=True).decode("utf-8").partition(":")[2]
    except ValueError:
        return ""


def is_secret_pair(secrets, value):
    return len(value) == 2 and isinstance(value[0], (str, bytes)) and secrets.is_secret(value[0])


class _Maker:
    def __init__(self, secrets, limits, longest_secret):
        self.secrets, self.limits, self.longest_secret = secrets, limits, longest_secret
        self.left_bytes = limits.report_bytes_max
        self.cut = {"values": 0, "characters": 0, "items": 0}

    def value(self, value, depth):
        if value is None or isinstance(value, bool):
            return self.paid(value, 6)
        if isinstance(value, int):
            return self.paid(int(value), 20) if -2**63 <= value < 2**63 else self.text(hex(value))
        if isinstance(value, float):
            return self.paid(float(value), 24) if value - value == 0 else self.text(repr(value))
        if isinstance(value, (str, bytes, bytearray, memoryview, pathlib.PurePath, uuid.UUID)):
            return self.text(text_of(value))
        if isinstance(value, datetime.datetime):
            return self.text(iso(value))
        if isinstance(value, datetime.timedelta):
            return self.paid(value.total_seconds(), 24)
        if isinstance(value, dict):
            return self.mapping(value, depth)
        if isinstance(value, (list, tuple, set, frozenset)):
            return self.sequence(value, depth)
        return self.text(self.shown(value))

    @staticmethod
    def shown(value):
        try:
            return text_of(repr(value))
        except Exception:
            return unprintable(value)

    def mapping(self, value, depth):
        if depth <= 0:
            return self.too_deep(value)
        out = {}
        for number, (key, item) in enumerate(list(value.items())):
            if number >= self.limits.items_max or self.left_bytes <= 0:
                self.cut["items"] += len(value) - number
                break
            name = self.text(text_of(key)[:200])
            while name in out:
                name += "'"
            out[name] = self.paid(HIDDEN, 12) if self.secrets.is_secret(key) else self.guarded(item, depth - 1)
        return out

    def sequence(self, value, depth):
        if depth <= 0:
            return self.too_deep(value)
        if isinstance(value, (list, tuple)) and is_secret_pair(self.secrets, value):
            return [self.text(text_of(value[0])), self.paid(HIDDEN, 12)]
        out = []
        for number, item in enumerate(value):
            if number >= self.limits.items_max or self.left_bytes <= 0:
                self.cut["items"] += len(value) - number
                break
            out.append(self.guarded(item, depth - 1))
        return out

    def guarded(self, value, depth):
        """What a value's own methods raise costs this value only."""
        try:
            return self.value(value, depth)
        except Exception:
            return unprintable(value)

    def too_deep(self, value):
        self.cut["items"] += len(value)
        return self.paid("<too deep>", 12)

    def paid(self, value, size_bytes):
        self.left_bytes -= size_bytes + 2
        return value

    def text(self, text):
        characters_max, total = self.limits.text_characters_max, len(text)
        if total > 4 * characters_max:
            text = self.ends(text, 2 * characters_max)
        else:
            text = self.secrets.hide(text)
        if len(text) > characters_max:
            text = self.shortened(text, total, characters_max)
        size_bytes = encoded_size(text)
        if size_bytes > self.left_bytes:
            text = self.shortened(text, total, max(0, self.left_bytes) * len(text) // (size_bytes + 1))
            size_bytes = encoded_size(text)
        return self.paid(text, size_bytes)

    def ends(self, text, characters):
        """Beginning and end without secrets, nor the part of one that the cut left."""
        head, tail = self.secrets.hide(text[:characters]), self.secrets.hide(text[-characters:])
        return head[:max(0, len(head) - self.longest_secret)] + tail[self.longest_secret:]

    def shortened(self, text, total, characters):
        """Its beginning and end: of a traceback both matter."""
        self.cut["values"] += 1
        self.cut["characters"] += max(0, total - characters)
        tail = characters // 4
        return text[:characters - tail] + f"[… {total - characters} characters cut …]" + (text[-tail:] if tail else "")


def encoded_size(text):
    return len(json.dumps(text, ensure_ascii=False).encode("utf-8", "backslashreplace")) + 2


def safe_report(report, limits=Limits(), secret_names=()):
    """A copy of `report` of dicts, lists, texts and numbers; `cut` counts what it had to leave out."""
    secrets = Secrets(secret_names)
    secrets.find(report, limits.depth_max, limits.items_max)
    maker = _Maker(secrets, limits, secrets.order())
    keys = [k for k in FIRST if k in report] + [k for k in report if k not in FIRST + LAST] + [k for k in LAST if k in report]
    out = maker.mapping({k: report[k] for k in keys}, limits.depth_max)
    out["id"] = text_of(report["id"])
    if any(maker.cut.values()):
        out["cut"] = {k: v for k, v in maker.cut.items() if v}
    return out


def encode(report):
    return json.dumps(report, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode("utf-8")
