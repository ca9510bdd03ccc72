"""Who the package's reports go to in the tests: a service, and a front before it that can fail in every way a network does.

The service is GANTRY_OOPS_DSN where that is set; else a stand-in that keeps the contract of packaging/python/README.md.
"""
import collections
import gzip
import http.client
import http.server
import json
import os
import re
import socket
import threading
import time
import urllib.parse

REPORT_BYTES_MAX = 1024 * 1024
REAL_DSN = os.environ.pop("GANTRY_OOPS_DSN", None)
os.environ.pop("GANTRY_OOPS_SPOOL", None)
os.environ.pop("STATE_DIRECTORY", None)


class Server(http.server.ThreadingHTTPServer):
    daemon_threads, allow_reuse_address, request_queue_size = True, True, 64

    def handle_error(self, *_):
        pass


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version, timeout, disable_nagle_algorithm = "HTTP/1.1", 20, True

    def log_message(self, *_):
        pass

    def body(self):
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def answer(self, status, body, headers=()):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def listen(handler, port=0):
    server = Server(("127.0.0.1", port), handler)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    return server


class StandIn:
    """The contract, and no more. `stored`: the reports by id, each as it first came."""

    def __init__(self, key="k1", project="shop"):
        self.key, self.project, self.stored, self.posts = key, project, {}, collections.Counter()
        service = self

        class Post(Handler):
            def do_POST(self):
                status, body = service.take(self.path, self.headers, self.body())
                self.answer(status, json.dumps(body).encode(), [("Content-Type", "application/json")])

        self._server = listen(Post)
        self.dsn = f"http://{key}@127.0.0.1:{self._server.server_port}/oops/{project}"

    def take(self, path, headers, body):
        if path != f"/oops/api/{self.project}/report/":
            return 404, {"code": "project_not_found"}
        if not headers.get("X-Oops-Auth"):
            return 401, {"code": "key_missing"}
        if headers["X-Oops-Auth"] != self.key:
            return 403, {"code": "key_wrong"}
        if headers.get_content_type() != "application/json" or headers.get("Content-Encoding", "gzip") != "gzip":
            return 415, {"code": "type_unknown"}
        try:
            body = gzip.decompress(body) if headers.get("Content-Encoding") else body
            if len(body) > REPORT_BYTES_MAX:
                return 413, {"code": "report_too_long"}
            report = json.loads(body.decode("utf-8"))
        except (ValueError, OSError, EOFError) as why:
            return 400, {"code": "body_invalid", "detail": str(why)}
        if not isinstance(report, dict) or not re.fullmatch(r"OOPS-[0-9a-f]{32}", str(report.get("id"))):
            return 422, {"code": "report_invalid"}
        self.posts[report["id"]] += 1
        self.stored.setdefault(report["id"], report)
        return 200, {"id": report["id"]}

    def stop(self):
        self._server.shutdown()
        self._server.server_close()


class Front:
    """Passes requests on, and looks at what it passes. `faults`: what to do with the next ones instead, first to last: (status, headers,
    body) an answer of its own; "drop" hangs up unread by the service; "cut" hangs up once the service has it; a function of the report
    gives one of these, or None."""

    def __init__(self, dsn):
        self.behind = urllib.parse.urlsplit(dsn)
        self.faults, self.always = collections.deque(), None
        self.reports, self.refusals, self.requests, self.times_s = {}, [], [], []
        self._server, self.port = None, 0
        self.come_back()
        self.port = self._server.server_port
        self.dsn = f"http://{self.behind.username}@127.0.0.1:{self.port}{self.behind.path}"

    def come_back(self):
        front = self

        class Pass(Handler):
            def do_POST(self):
                front.take(self)

        self._server = listen(Pass, self.port)

    def go_away(self):
        self._server.shutdown()
        self._server.server_close()

    def take(self, request):
        body = request.body()
        self.requests.append(dict(request.headers))
        self.times_s.append(time.monotonic())
        fault = self.faults.popleft() if self.faults else self.always
        if callable(fault):
            fault = fault(json.loads(body))
        if isinstance(fault, tuple):
            return request.answer(fault[0], fault[2], fault[1])
        if fault != "drop":
            status, headers, answer = self.pass_on(request, body)
        if fault in ("drop", "cut"):
            request.close_connection = True
            return request.connection.shutdown(socket.SHUT_RDWR)
        request.answer(status, answer, headers)

    def pass_on(self, request, body):
        connection = http.client.HTTPConnection(self.behind.hostname, self.behind.port, timeout=20)
        connection.request("POST", request.path, body, {k: v for k, v in request.headers.items() if k not in ("Host", "Connection")})
        response = connection.getresponse()
        answer = response.read()
        connection.close()
        if response.status == 200:
            plain = gzip.decompress(body) if request.headers.get("Content-Encoding") == "gzip" else body
            self.reports.setdefault(json.loads(answer)["id"], json.loads(plain))
        else:
            self.refusals.append((response.status, answer, body))
        return response.status, [(k, v) for k, v in response.getheaders() if k in ("Content-Type", "Retry-After")], answer


def start():
    """(front, stand-in or None)"""
    stand_in = None if REAL_DSN else StandIn()
    return Front(REAL_DSN or stand_in.dsn), stand_in
