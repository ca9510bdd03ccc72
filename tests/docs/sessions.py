"""The console sessions of a page, run in one shell against real servers. A block of commands stands behind a line `<!-- run: NAME -->`:
what a line `$ command` prints must be what stands under it, but for white space, for what differs each time (ids, times, positions, ports)
and for what `…` stands for. NAME says which server is at http://127.0.0.1:8080 in the page's words."""
import os
import pathlib
import re
import socket
import subprocess
import tempfile
import textwrap
import threading
import time
import http.server
import urllib.request

MASKS = [
    (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", "TIME"),
    (r"\w{3},\d\d\w{3}\d{4}\d\d:\d\d:\d\dGMT", "DATE"),
    (r"gnt_[0-9a-z]{12}_[\w-]{43}", "TOKEN"),
    (r"\b([a-z]+_)01[0-9a-z]{18}", r"\1ID"),
    (r"\b[0-9a-z]{13}\.(\d+)", r"POSITION.\1"),
    (r"\bhistory[0-9a-z]{13}", "HISTORY"),
    (r"127\.0\.0\.1:\d{4,5}", "SERVER"),
    (r'(?i)etag:"[^"]*"', "ETAG"),
    (r"dur=[\d.]+", "dur=MS"),
    (r"[\d.]+(ms|us|KiB|MiB)", r"SOME\1"),
    (r'"cursor":"[^"]*"|"next":"[^"]*"|cursor=[\w-]+', "CURSOR"),
    (r";t=\d+|Retry-After:\d+", "WAIT"),
    (r'\b[0-9a-f]{32}\b', "TRACE"),
    (r'"(duration_us|duration_ns|start_ns|span_id|parent_span_id)":"?\w+"?', r"\1"),
]


READ = re.compile(r"gantry (call GET|followers ls|log tail)")  # may be asked again until what it waits for has happened
SETTLED_S = 3


def masked(text):
    for pattern, instead in MASKS:
        text = re.sub(pattern, instead, text)
    return text


def plain(text):
    return masked(re.sub(r"\s+", "", masked(text)))


def same(expected, found):
    parts = [re.escape(plain(part)) for part in expected.split("…")]
    return re.fullmatch(".*".join(parts), plain(found), re.S) is not None


class Session:
    """Blocks of a page: [(first line, server, [(command, expected)])]."""

    BLOCK = re.compile(r"^<!-- run: (\w+) -->\n\n((?:    .*\n|\n(?=    ))+)", re.M)

    @classmethod
    def of(cls, text):
        for match in cls.BLOCK.finditer(text):
            commands = []
            lines = textwrap.dedent(match.group(2)).splitlines()
            for line in lines:
                if line.startswith("$ "):
                    commands.append([line[2:], ""])
                elif commands and not commands[-1][1] and commands[-1][0].endswith("\\"):
                    commands[-1][0] += "\n" + line
                else:
                    commands[-1][1] += line + "\n"
            yield text.count("\n", 0, match.start()) + 1, match.group(1), commands


class Hook(http.server.BaseHTTPRequestHandler):
    """Takes whatever is posted: the stand-in for a chat."""

    def do_POST(self):
        self.server.got.append(self.rfile.read(int(self.headers["Content-Length"])).decode())
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_):
        pass


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Servers:
    def __init__(self, gantry, with_reminders, place):
        self.gantry, self.with_reminders, self.place = gantry, with_reminders, pathlib.Path(place)
        self.running, self.hook = {}, None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process, _ in self.running.values():
            process.terminate()
            process.wait(timeout=30)
        if self.hook:
            self.hook.shutdown()

    def port(self, name):
        if name not in self.running:
            self.running[name] = self._start(name)
        return self.running[name][1]

    def _start(self, name):
        port, program, more = free_port(), self.gantry, []
        data = self.place / name / "data"
        data.parent.mkdir()
        if name == "reminders":
            self.hook = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hook)
            self.hook.got = []
            threading.Thread(target=self.hook.serve_forever, daemon=True).start()
            program, more = self.with_reminders, ["--reminders.hook", f"http://127.0.0.1:{self.hook.server_port}/hook"]
        if name == "guarded":
            auth = [self.gantry, "auth", "add", "--data", data]
            for line in (["ci", "--scope", "tracker:*"], ["slow", "--scope", "tracker:read", "--rate", "0.1", "--burst", "2"]):
                token = subprocess.run(auth + line, capture_output=True, text=True, check=True).stdout.strip()
                (data.parent / f"{line[0]}.token").write_text(token)
        process = subprocess.Popen([program, "serve", "--data", data, "--listen", f"127.0.0.1:{port}", *more],
                                   stdout=subprocess.PIPE, stderr=(self.place / f"{name}.err").open("w"), text=True)
        assert process.stdout.readline().startswith("listening"), (self.place / f"{name}.err").read_text()
        wait(lambda: urllib.request.urlopen(f"http://127.0.0.1:{port}/health/ready").status == 200)
        return process, port


def wait(condition, seconds=20):
    end = time.monotonic() + seconds
    while True:
        try:
            if condition():
                return
        except OSError:
            pass
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.05)


class Shell:
    END = "--end-of-a-command--"

    def __init__(self, with_reminders):
        env = dict(os.environ, LC_ALL="C.UTF-8", PATH=f"{pathlib.Path(with_reminders).parent}:{os.environ['PATH']}")
        self.process = subprocess.Popen(["bash"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                        env=env)

    def run(self, command):
        timer = threading.Timer(60, self.process.kill)
        timer.start()
        self.process.stdin.write(f"{command}\necho; echo {self.END}\n")
        self.process.stdin.flush()
        out = ""
        for line in self.process.stdout:
            if line.strip() == self.END:
                timer.cancel()
                return out.rstrip("\n") + "\n"
            out += line
        raise AssertionError(f"the shell ended in: {command}\n{out}")

    def close(self):
        self.process.stdin.close()
        self.process.wait(timeout=30)


def run_page(path, gantry, with_reminders):
    """Yields (line, command, expected, found) for each command of a page."""
    with tempfile.TemporaryDirectory(prefix="gantry-docs-") as place, Servers(gantry, with_reminders, place) as servers:
        shell = Shell(with_reminders)
        try:
            for line, name, commands in Session.of(path.read_text()):
                port = servers.port(name)
                program = with_reminders if name == "reminders" else gantry
                shell.run(f'cd {place}/{name}; gantry() {{ command {program} "$@"; }}; '
                          f'gantry_at() {{ gantry "$@" --server http://127.0.0.1:{port}; }}')
                for command, expected in commands:
                    real = command.replace("http://127.0.0.1:8080", f"http://127.0.0.1:{port}")
                    if re.match(r"gantry (call|flags|effects|followers|upgrade|backup|erase) ", real) and "--server" not in real:
                        real = re.sub(r"^gantry ", "gantry_at ", real)
                    found, end = shell.run(real), time.monotonic() + SETTLED_S
                    while READ.match(command) and not same(expected, found) and time.monotonic() < end:
                        time.sleep(0.2)
                        found = shell.run(real)
                    yield line, command, expected, found
        finally:
            shell.close()
