"""Servers, callers and clients of the tests of what stands in front."""
import dataclasses
import itertools
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import time

GANTRY = ""
PASSWORD = "correct horse battery staple"
NOBODY = 65534
request_ids = (f"front-{n}" for n in itertools.count(1))


def gantry(*arguments, stdin=None):
    done = subprocess.run([GANTRY, *map(str, arguments)], capture_output=True, text=True, input=stdin, timeout=60)
    if done.returncode != 0:
        raise AssertionError(f"gantry {arguments} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout


def eventually(what, condition, seconds=10):
    """Polls until the condition gives something true, and gives that."""
    end = time.monotonic() + seconds
    while True:
        found = condition()
        if found:
            return found
        if time.monotonic() > end:
            raise AssertionError(f"not within {seconds} s: {what}")
        time.sleep(0.02)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def listens(port, host="127.0.0.1"):
    with socket.socket() as probe:
        return probe.connect_ex((host, port)) == 0


@dataclasses.dataclass
class Answer:
    status: int
    headers: dict
    body: str
    request_id: str

    @property
    def code(self):
        """Of a problem document."""
        try:
            return json.loads(self.body).get("code")
        except (ValueError, AttributeError):
            return None


def ask(url, *arguments, source=None, user=None, token=None, headers=(), body=None, method=None):
    """One request by curl. `source` is the address that it comes from, `user` a name with the right password, or "name:password"."""
    request_id = next(request_ids)
    command = ["curl", "-sS", "-i", "--max-time", "20", "--noproxy", "*", "-H", f"X-Request-Id: {request_id}", *arguments]
    if source:
        command += ["--interface", source]
    if user:
        command += ["-u", user if ":" in user else f"{user}:{PASSWORD}"]
    for header in [*([f"Authorization: Bearer {token}"] if token else []), *headers]:
        command += ["-H", header]
    if body is not None:
        command += ["-H", "Content-Type: application/json", "-d", json.dumps(body)]
    if method:
        command += ["-X", method]
    done = subprocess.run([*command, url], capture_output=True, timeout=30)
    if done.returncode != 0:
        raise AssertionError(f"curl {url} ended with {done.returncode}: {done.stderr.decode()}")
    head, _, rest = done.stdout.decode().partition("\r\n\r\n")
    while head.startswith("HTTP/1.1 100"):
        head, _, rest = rest.partition("\r\n\r\n")
    first, *lines = head.split("\r\n")
    pairs = (line.partition(":") for line in lines)
    return Answer(int(first.split()[1]), {name.lower(): value.strip() for name, _, value in pairs}, rest, request_id)


def report(package, **more):
    return {"package": package, "version": "1", "arch": "amd64", "stage": "upload", **more}


class Callers:
    """A callers' file: ann has a password, bea a token, both may do everything."""

    def __init__(self, place):
        self.data = place / "callers"
        self.tokens = {}
        gantry("auth", "add", "ann", "--password", "--scope", "*", "--data", self.data, stdin=PASSWORD + "\n")
        self.add("bea")

    def add(self, name, *arguments):
        told = gantry("auth", "add", name, "--token", "--scope", "*", "--data", self.data, *arguments, "--json")
        self.tokens[name] = json.loads(told)["token"]
        return self.tokens[name]

    def into(self, data):
        (data / "main").mkdir(parents=True, mode=0o700)
        data.chmod(0o700)
        shutil.copy2(self.data / "main" / "callers.json", data / "main" / "callers.json")


class Server:
    """A server of its own data with those callers."""

    def __init__(self, place, callers, *settings, listen="127.0.0.1:0"):
        self.data = pathlib.Path(tempfile.mkdtemp(dir=place)) / "data"
        self.access = self.data.parent / "access"
        self.said = open(self.data.parent / "said", "w+")
        if callers:
            self.data.mkdir(mode=0o700)
            callers.into(self.data)
        self.process = subprocess.Popen(
            [GANTRY, "serve", "tracker", "--listen", listen, "--data", self.data, "--observe.access-log-to", f"file:{self.access}",
             "--observe.access-log-format", "json", *settings],
            stdout=subprocess.PIPE, stderr=self.said, text=True)
        line = self.process.stdout.readline().split()
        if len(line) < 2:
            self.process.wait(timeout=30)
            self.said.seek(0)
            raise AssertionError("the server did not start: " + self.said.read())
        self.url = line[1]
        self.port = int(self.url.rpartition(":")[2])
        self.address = f"127.0.0.1:{self.port}"

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(timeout=30)
        self.process.stdout.close()
        self.said.close()
        return code

    def logged(self, answer):
        """The access log's line of an answer."""
        def find():
            lines = self.access.read_text().splitlines() if self.access.exists() else []
            return next((row for row in map(json.loads, lines) if row.get("request_id") == answer.request_id), None)
        return eventually(f"the access log has {answer.request_id}", find)

    def requests(self):
        return self.access.read_text().count("\n") if self.access.exists() else 0

    def recorded_by(self, package):
        """Who recorded something of a package: `caller` of the batches."""
        lines = gantry("log", "cat", "tracker", "--data", self.data, "--json").splitlines()
        return [row["caller"] for row in map(json.loads, lines) if row.get("data", {}).get("package") == package]


def as_nobody():
    """Arguments of Popen for programs that are better not root."""
    return {"user": NOBODY, "group": NOBODY, "extra_groups": []} if os.geteuid() == 0 else {}


def place_for_nobody():
    place = pathlib.Path(tempfile.mkdtemp(prefix="gantry-front-"))
    place.chmod(0o755)
    return place
