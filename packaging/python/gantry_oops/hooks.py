"""The hooks that every Config begins with: what they know of the context goes into the report."""
import linecache
import logging
import os
import sys
import sysconfig
import traceback
import wsgiref.util

from .safe import text_of

FRAMES_MAX = 100
CHAINED_MAX = 20
OURS = os.path.dirname(os.path.abspath(__file__)) + os.sep
LOGGING = os.path.dirname(logging.__file__) + os.sep
LIBRARIES = tuple({os.path.join(sysconfig.get_path(k), "") for k in ("stdlib", "platstdlib", "purelib", "platlib")})
# Of a WSGI environment; a server may put the whole environment of its process there.
CGI_NAMES = {"REQUEST_METHOD", "SCRIPT_NAME", "PATH_INFO", "QUERY_STRING", "CONTENT_TYPE", "CONTENT_LENGTH", "REMOTE_ADDR", "REMOTE_HOST",
             "REMOTE_PORT", "REMOTE_USER", "AUTH_TYPE", "SERVER_NAME", "SERVER_PORT", "SERVER_PROTOCOL", "SERVER_SOFTWARE", "REQUEST_URI",
             "REQUEST_ID", "UNIQUE_ID", "HTTPS", "wsgi.url_scheme"}


def in_app(file, module, prefixes):
    """Whether a frame is of the program, not of Python or a library."""
    if any(module == p or module.startswith(p + ".") for p in prefixes):
        return True
    if file.startswith("<") or file.startswith(OURS):
        return False
    return not prefixes and not file.startswith(LIBRARIES) and "/dist-packages/" not in file and "/site-packages/" not in file


def frame_of(file, line, function, module, prefixes, names=None):
    return {"module": module, "function": function, "file": file, "line": line,
            "context_line": linecache.getline(file, line or 0, names).strip()[:300], "in_app": in_app(file, module, prefixes)}


def frames_of(walked, prefixes=()):
    """Of (frame, line) pairs: outermost first. Of a deep recursion the first and the last are kept."""
    walked = list(walked)
    if len(walked) > FRAMES_MAX:
        walked = walked[:FRAMES_MAX // 4] + walked[-(FRAMES_MAX - FRAMES_MAX // 4):]
    return [frame_of(f.f_code.co_filename, line, f.f_code.co_qualname, str(f.f_globals.get("__name__", "")), prefixes, f.f_globals)
            for f, line in walked]


def chained(error, prefixes, seen):
    """What led to `error`, the nearest first: its cause or context and so on, and the members of groups."""
    if len(seen) > CHAINED_MAX:
        return
    next_of = [(m, "member") for m in error.exceptions] if isinstance(error, BaseExceptionGroup) else []
    if error.__cause__ is not None:
        next_of.append((error.__cause__, "cause"))
    elif error.__context__ is not None and not error.__suppress_context__:
        next_of.append((error.__context__, "context"))
    for other, relation in next_of:
        if id(other) not in seen and len(seen) <= CHAINED_MAX:
            seen.add(id(other))
            yield {"type": type(other).__name__, "value": text_of(other), "relation": relation,
                   "frames": frames_of(traceback.walk_tb(other.__traceback__), prefixes)}
            yield from chained(other, prefixes, seen)


def attach_exception(report, context):
    """`exc_info`: as sys.exc_info() has it, or an exception."""
    info = context.get("exc_info")
    if isinstance(info, BaseException):
        info = (type(info), info, info.__traceback__)
    if not info or info[1] is None:
        return
    prefixes = context.get("in_app", ())
    report["type"], report["value"] = info[0].__name__, text_of(info[1])
    report["tb_text"] = "".join(traceback.format_exception(*info))
    report["frames"] = frames_of(traceback.walk_tb(info[2]), prefixes)
    if others := list(chained(info[1], prefixes, {id(info[1])})):
        report["exceptions"] = others


def decoded(value):
    """A WSGI text is bytes in Latin-1."""
    try:
        return value.encode("latin-1").decode("utf-8", "backslashreplace")
    except UnicodeError:
        return value


def attach_request(report, context):
    """`wsgi_environ`: the request's variables and URL, who asked, and which route it was where the framework says so."""
    environ = context.get("wsgi_environ")
    if environ is None:
        return
    report["req_vars"] = {k: decoded(v) for k, v in sorted(environ.items())
                          if isinstance(v, str) and (k in CGI_NAMES or (k.startswith("HTTP_") and k != "HTTP_PROXY"))}
    report["url"] = decoded(context.get("url") or wsgiref.util.request_uri(environ))
    if environ.get("REMOTE_USER"):
        report["username"] = decoded(environ["REMOTE_USER"])
    rule = getattr(getattr(environ.get("werkzeug.request"), "url_rule", None), "rule", None)
    if rule:
        report["topic"] = f"{environ.get('REQUEST_METHOD', '')} {rule}"
    if isinstance(environ.get("oops.report"), dict):
        report.update({k: v for k, v in environ["oops.report"].items() if k != "id"})


def attach_plain(report, context):
    """`topic`, `username`, `duration`, `timeline` as they are given."""
    for name in ("topic", "username", "duration"):
        if context.get(name) is not None:
            report[name] = context[name]
    timeline = context.get("timeline")
    if timeline is None:
        return
    rows = timeline.rows() if hasattr(timeline, "rows") else timeline
    if rows:
        report["timeline"] = rows
    if getattr(timeline, "dropped", 0):
        report["timeline_dropped"] = timeline.dropped


def attach_answer(report, context):
    """`http_status`: the status of an answer that isn't wanted; `soft_timeout_ms`: the wait for the first bytes."""
    status, late_ms = context.get("http_status"), context.get("soft_timeout_ms")
    if status is not None:
        report["HTTP_STATUS"] = status[:3]
        report.setdefault("type", f"HTTP {status[:3]}")
        report.setdefault("value", status)
    if late_ms is not None:
        report.update(type="SoftRequestTimeout", value=f"the first bytes came after {late_ms:.0f} ms")


def attach_log_record(report, context):
    """`log_record`: its message and where it was logged; an exception in it is told by attach_exception."""
    record = context.get("log_record")
    if record is None:
        return
    try:
        message = record.getMessage()
    except Exception:  # its arguments don't fit, or can't be shown
        message = text_of(record.msg)
    report.update(logger=record.name, level=record.levelname, message=message, message_template=text_of(record.msg))
    report["req_vars"] = {**report.get("req_vars", {}), "script_name": os.path.basename(sys.argv[0]), "path": sys.argv[0]}
    if "type" in report:
        return
    report.update(type=record.levelname, value=message)
    walked = logged_from(record)
    report["frames"] = frames_of(walked, context.get("in_app", ())) if walked else [
        frame_of(record.pathname, record.lineno, record.funcName, record.module, context.get("in_app", ()))]
    report["tb_text"] = "".join(traceback.format_list(traceback.StackSummary.extract(iter(walked)))) if walked else ""


def logged_from(record):
    """The stack that logged the record, outermost first; empty when that was in another thread."""
    walked = [(f, line) for f, line in traceback.walk_stack(sys._getframe()) if not f.f_code.co_filename.startswith((OURS, LOGGING))]
    at = next((n for n, (f, line) in enumerate(walked) if (f.f_code.co_filename, line) == (record.pathname, record.lineno)), None)
    return [] if at is None else walked[at:][::-1]


DEFAULT = (attach_exception, attach_request, attach_plain, attach_answer, attach_log_record)
