"""The WSGI middleware: a failed request becomes a report, and whoever asked is told its id."""
import contextlib
import contextvars
import html
import json
import sys
import time

from .client import Config
from .timeline import Timeline

BROKEN = (BrokenPipeError, ConnectionResetError, ConnectionAbortedError)  # the other side went away: nobody's failure
PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>Something went wrong</title></head>
<body><h1>Something went wrong</h1>
<p>We have been told, and will look into it. Please name this if you speak with us about it:</p>
<p><code>{oops_id}</code></p></body></html>
"""
_current = contextvars.ContextVar("gantry_oops_request", default=None)


def current():
    """The request that this thread answers, or None: file(**context) gives a report its variables."""
    return _current.get()


def timeline():
    """The timeline of the request that this thread answers; outside of one, a fresh one that nobody reads."""
    request = _current.get()
    found = request.environ.get("timeline.timeline") if request else None
    return found if found is not None else Timeline()


def wsgi(app, dsn=None, *, config=None, oops_on_status=(), soft_start_timeout=None, lazr_header=False, error_page=None, **settings):
    """`app`, with reports. `config`: a Config; else one is made of `dsn` and `settings`.

    oops_on_status: beginnings of statuses (["404", "5"]) that are reported; the answer stays as it is.
    soft_start_timeout: milliseconds until the first bytes; a longer wait is reported, and the answer names the id.
    lazr_header: also answer with the older X-Lazr-OopsId.
    error_page(oops_id, environ) -> (content type, bytes), instead of ours.
    """
    return Middleware(app, config or Config(dsn, **settings), tuple(oops_on_status), soft_start_timeout,
                      ("X-Oops-Id", "X-Lazr-OopsId") if lazr_header else ("X-Oops-Id",), error_page or default_page)


class Middleware:
    def __init__(self, app, config, oops_on_status, soft_start_ms, id_headers, error_page):
        self.app, self.config, self.oops_on_status, self.soft_start_ms = app, config, oops_on_status, soft_start_ms
        self.id_headers, self.error_page = id_headers, error_page

    def __call__(self, environ, start_response):
        self.config.start()
        return Request(self, environ, start_response).begin()


class Request:
    """One request, and the body that the server iterates over and closes."""

    def __init__(self, middleware, environ, server_start):
        self.middleware, self.environ, self._server_start = middleware, environ, server_start
        self._began_s = time.monotonic()
        self._response = None        # (status, headers, exc_info), until the first bytes
        self._server_write = None
        self._sent = False           # the server has got status and headers
        self._body, self._chunks = None, iter(())
        self._shown_id = None        # of a failure or a soft time-out
        self._filed = []             # (exception, id): one failure is one report, however often it is told
        self._outer = _current.get()
        self._closed = False
        environ["oops.context"], environ["oops.report"] = {}, {}
        environ.setdefault("timeline.timeline", Timeline())

    def begin(self):
        _current.set(self)
        try:
            self._body = self.middleware.app(self.environ, self._start_response)
            self._chunks = iter(self._body)
        except BaseException as error:
            page = self._page_for(error)
            if page is None:
                self._leave()
                raise
            self._chunks = iter((page,))
        return self

    def __iter__(self):
        return self

    def __next__(self):
        try:
            chunk = next(self._chunks)
            while not chunk and not self._sent:
                chunk = next(self._chunks)
            if not self._sent:
                self._send_headers()
            return chunk
        except StopIteration:
            pass
        except BaseException as error:
            page = self._page_for(error)
            if page is None:
                raise
            return page
        return self._end()

    def close(self):
        """The application's body is closed once, whatever happened."""
        if self._closed:
            return
        self._closed = True
        try:
            if hasattr(self._body, "close"):
                self._body.close()
        except BaseException as error:
            self._report(error)
            raise
        finally:
            self._leave()

    def file(self, **context):
        """Reports something about this request; its id, or None."""
        error = exception_of(context.get("exc_info"))
        for known, oops_id in self._filed:
            if error is not None and known is error:
                return oops_id
        given = self.environ.get("oops.context")
        oops_id = self.middleware.config.file({
            "wsgi_environ": self.environ, "timeline": self.environ.get("timeline.timeline"),
            "duration": time.monotonic() - self._began_s, **(given if isinstance(given, dict) else {}), **context})
        self._filed.append((error, oops_id))
        if error is not None and oops_id:
            self._shown_id = oops_id
        return oops_id

    def _start_response(self, status, headers, exc_info=None):
        if exc_info:
            self._report(exc_info[1])
            if self._sent:
                return self._server_start(status, headers, exc_info)
        elif self._response or self._sent:
            raise AssertionError("start_response was called twice")
        elif status.startswith(self.middleware.oops_on_status) and not self._shown_id:
            self.file(http_status=status)
        self._response = (status, list(headers), exc_info)
        return self._write

    def _write(self, data):
        if data and not self._sent:
            self._send_headers()
        return self._server_write(data) if self._sent else None

    def _send_headers(self):
        if self._response is None:
            raise AssertionError("the application answers without having called start_response")
        status, headers, exc_info = self._response
        late_ms = (time.monotonic() - self._began_s) * 1000
        soft_ms = self.middleware.soft_start_ms
        late_id = None
        if soft_ms is not None and late_ms > soft_ms and not self._filed:
            late_id = self.file(soft_timeout_ms=late_ms)
        oops_id = self._shown_id if exc_info or status.startswith("5") else late_id
        if oops_id:
            headers += self._id_headers(oops_id, headers)
        self._server_write = self._server_start(status, headers, exc_info) if exc_info else self._server_start(status, headers)
        self._sent, self._response = True, None

    def _id_headers(self, oops_id, headers=()):
        there = {name.lower() for name, _ in headers}
        return [(name, oops_id) for name in self.middleware.id_headers if name.lower() not in there]

    def _end(self):
        """An answer without a body ends its headers here."""
        try:
            if not self._sent:
                self._send_headers()
        except BaseException as error:
            page = self._page_for(error)
            if page is None:
                raise
            return page
        raise StopIteration

    def _report(self, error):
        """The id of the report of a failure; None for what is none, or went nowhere."""
        if not isinstance(error, Exception) or isinstance(error, BROKEN):
            return None
        return self.file(exc_info=(type(error), error, error.__traceback__))

    def _page_for(self, error):
        """The page that tells the id, its headers sent; None: let the server see the exception."""
        oops_id = self._report(error)
        if oops_id is None or self._sent:
            return None
        content_type, page = self._page(oops_id)
        headers = [("Content-Type", content_type), ("Content-Length", str(len(page))), ("Cache-Control", "no-store"),
                   *self._id_headers(oops_id)]
        self._server_start("500 Internal Server Error", headers, (type(error), error, error.__traceback__))
        self._sent, self._response, self._chunks = True, None, iter(())
        return b"" if self.environ.get("REQUEST_METHOD") == "HEAD" else page

    def _page(self, oops_id):
        try:
            return self.middleware.error_page(oops_id, self.environ)
        except Exception:
            return default_page(oops_id, self.environ)

    def _leave(self):
        self._filed = []  # exceptions hold frames, and those the request
        with contextlib.suppress(ValueError):
            _current.set(self._outer)


def exception_of(info):
    return info if isinstance(info, BaseException) else info[1] if isinstance(info, tuple) else None


def default_page(oops_id, environ):
    """(content type, bytes), as the Accept header would have it."""
    wanted = json_type(environ.get("HTTP_ACCEPT", ""))
    if wanted:
        problem = {"type": "about:blank", "title": "Internal Server Error", "status": 500, "oops_id": oops_id}
        return wanted, json.dumps(problem).encode() + b"\n"
    return "text/html; charset=utf-8", PAGE.format(oops_id=html.escape(oops_id)).encode()


def json_type(accept):
    """The JSON type that is wanted more than HTML; None when HTML is."""
    weights = {}
    for number, part in enumerate(accept.split(",")):
        name, *parameters = (p.strip().lower() for p in part.split(";"))
        weight = 1.0
        for parameter in parameters:
            if parameter.startswith("q="):
                with contextlib.suppress(ValueError):
                    weight = float(parameter[2:])
        weights[name] = (weight, -number)
    html_weight = max((weights[n] for n in ("text/html", "application/xhtml+xml", "text/*") if n in weights), default=(0.0, -1000))
    for name, weight in sorted(weights.items(), key=lambda w: w[1], reverse=True):
        if name in ("application/json", "application/problem+json") and weight[0] > 0 and weight > html_weight:
            return name
    return None
