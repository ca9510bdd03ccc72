"""The program under test, and what is found in the files of its data directory."""
import json
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import time
import unittest
import urllib.error
import urllib.request

GANTRY = ""
ANN, BEA = "Ann Quillfeather <ann.quillfeather@example.org>", "Bea Okonkwo-Lindqvist <bea.okonkwo@example.org>"
NOW = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
PARTS_OF_ANN = ("Quillfeather", "ann.quillfeather")


def gantry(*arguments, code=0, stdin=None):
    """Runs it, expects the exit code, gives standard output and error."""
    done = subprocess.run([GANTRY, *map(str, arguments)], capture_output=True, text=True, input=stdin, timeout=120)
    if done.returncode != code:
        raise AssertionError(f"gantry {arguments} ended with {done.returncode} instead of {code}:\n{done.stdout}{done.stderr}")
    return done.stdout, done.stderr


def parsed(answer):
    text = answer.read()
    if "ndjson" in answer.headers.get("Content-Type", ""):
        return [json.loads(line) for line in text.splitlines()]
    return json.loads(text or "null")


class Server:
    def __init__(self, data, *arguments):
        self.log = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen([GANTRY, "serve", "--listen", "127.0.0.1:0", "--data", str(data), *map(str, arguments)],
                                        stdout=subprocess.PIPE, stderr=self.log, text=True)
        line = self.process.stdout.readline().split()
        if len(line) < 2:
            self.log.seek(0)
            raise AssertionError("the server did not start: " + self.log.read())
        self.url = line[1]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self, how=signal.SIGTERM):
        if self.process.poll() is None:
            self.process.send_signal(how)
        self.process.stdout.close()
        self.log.close()
        return self.process.wait(timeout=60)

    def call(self, method, path, body=None, headers=None):
        """Status, headers and the JSON that came, problems too."""
        data = None if body is None else (body if isinstance(body, bytes) else json.dumps(body).encode())
        request = urllib.request.Request(self.url + path, data, {"Content-Type": "application/json", **(headers or {})}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.status, answer.headers, parsed(answer)
        except urllib.error.HTTPError as error:
            return error.code, error.headers, parsed(error)

    def report(self, package, who=None, **more):
        body = {"package": package, "version": "1", "arch": "amd64", "stage": "upload", "at": NOW, **more}
        if who:
            body["who"] = who
        return body

    def fill(self, count, who=ANN, first=0):
        lines = "".join(json.dumps(self.report(f"p{n}", who if n % 2 else BEA)) + "\n" for n in range(first, first + count))
        status, headers, _ = self.call("POST", "/tracker/v1/reports", lines.encode(), {"Content-Type": "application/x-ndjson"})
        assert status == 200, status
        return headers

    def position(self):
        return self.call("GET", "/tracker/v1/summary")[1]["Gantry-Position"]


def until(what, condition, seconds=30):
    """Waits for a condition of the world outside, with a limit."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = condition()
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError(f"not reached in {seconds} s: {what}")


def files_holding(place, texts):
    """Every file below a place in which one of the texts stands, in UTF-8 or UTF-16."""
    wanted = [form for text in texts for form in (text.encode(), text.encode("utf-16-le"))]
    return [str(path) for path in sorted(pathlib.Path(place).rglob("*")) if path.is_file()
            if any(form in path.read_bytes() for form in wanted)]


class Case(unittest.TestCase):
    def setUp(self):
        self.place = pathlib.Path(tempfile.mkdtemp(prefix="gantry-keep-"))
        self.data = self.place / "data"
        self.addCleanup(shutil.rmtree, self.place, ignore_errors=True)
