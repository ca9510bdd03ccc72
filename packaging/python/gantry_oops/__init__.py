"""Error reports from Python programs to Gantry's oops service. See README.md beside the package."""
from .client import Config, default_spool, fallback, fresh_id, pretty_print, to_directory, to_many
from .courier import Courier
from .log import LogHandler, install
from .safe import HIDDEN, Limits, safe_report
from .spool import Spool, SpoolFull
from .timeline import OverlappingAction, Timeline
from .transport import Backoff, Dsn, Transport
from .wsgi import Middleware, current, timeline, wsgi

__version__ = "1.0"
__all__ = ["HIDDEN", "Backoff", "Config", "Courier", "Dsn", "Limits", "LogHandler", "Middleware", "OverlappingAction", "Spool",
           "SpoolFull", "Timeline", "Transport", "current", "default_spool", "fallback", "fresh_id", "install", "pretty_print",
           "safe_report", "timeline", "to_directory", "to_many", "wsgi"]
