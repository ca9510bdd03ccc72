"""What all crash scenarios share: the server, clients that remember every promise they were given, and the audit that holds them to it.

A promise is a 2xx reply to a command (it is there, exactly once), any other reply to one (it isn't there), and what a read told (it stays).
A request that got no reply may have been done or not, but each of its commands whole; it is sent again, as it was, to the next server."""
import atexit
import collections
import http.client
import json
import os
import pathlib
import random
import select
import shutil
import signal
import subprocess
import tempfile
import threading
import time
import urllib.parse

SKIPPED = 77  # what ctest takes for a skip
COMMANDS_PER_PACKAGE = 150


class Broken(Exception):
    """A promise was broken."""


class Skipped(Exception):
    """The scenario can't run here, for the reason given."""


def expect(holds, said):
    if not holds:
        raise Broken(said)


class Server:
    """One life of `gantry serve`. `before` are the words of a program that runs it; without `wait` it may not be listening yet."""

    def __init__(self, gantry, data, before=(), environment=None, wait=True):
        self.data = pathlib.Path(data)
        self.errors = tempfile.TemporaryFile("w+")
        environment = dict(environment or os.environ)
        if before:  # the leak check of a sanitizer's build can't run beside a tracer
            environment["ASAN_OPTIONS"] = ":".join(filter(None, [environment.get("ASAN_OPTIONS"), "detect_leaks=0"]))
        serve = [*before, gantry, "serve", "tracker", "--data", str(data), "--listen", "127.0.0.1:0"]
        self.process = subprocess.Popen(serve, env=environment, stdout=subprocess.PIPE, stderr=self.errors, text=True)
        atexit.register(self.process.kill)
        self.url = self._wait_for_url() if wait else None

    def _wait_for_url(self):
        ready, _, _ = select.select([self.process.stdout], [], [], 60)
        expect(ready, "the server did not say within a minute that it listens")
        line = self.process.stdout.readline()
        return line.split()[1] if line.startswith("listening ") else None

    def listening(self):
        """This server; Broken with what it said if it didn't start."""
        expect(self.url, f"the server did not start, exit {self.end() if not self.url else 0}: {self.said()[-2000:]}")
        return self

    def kill(self, how=signal.SIGKILL):
        if self.process.poll() is None:
            self.process.send_signal(how)
        return self.end()

    def end(self, seconds=60):
        try:
            code = self.process.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise Broken(f"the server did not end within {seconds} s: {self.said()[-2000:]}") from None
        self.process.stdout.close()
        return code

    def alive(self):
        return self.process.poll() is None

    def said(self):
        self.errors.seek(0)
        return self.errors.read()


class Client:
    """One keep-alive connection."""

    def __init__(self, url):
        place = urllib.parse.urlsplit(url)
        self.connection = http.client.HTTPConnection(place.hostname, place.port, timeout=60)

    def open(self, method, path, body=None, headers=None):
        self.connection.request(method, path, body, headers or {})
        return self.connection.getresponse()

    def ask(self, method, path, body=None, headers=None):
        """(status, headers, parsed body)"""
        response = self.open(method, path, body, headers)
        content = response.read()
        return response.status, response.headers, json.loads(content) if content else None

    def close(self):
        self.connection.close()


LOST = (OSError, http.client.HTTPException)  # no reply, or half a one


class Request:
    """One HTTP request with one or more commands, known by their notes: `items`, in order."""

    def __init__(self, form, path, body, items, key):
        self.form, self.path, self.items, self.tries = form, path, items, 0
        kind = "application/x-ndjson" if form == "lines" else "application/json"
        self.headers = {"Content-Type": kind, **({"Idempotency-Key": key} if key else {})}
        self.body = body


class Promises:
    """All that was promised by all lives of a server, and the audit."""

    def __init__(self):
        self.lock = threading.Lock()
        self.packages = {}  # note -> package, of every command that was ever sent
        self.people = {}    # note -> who
        self.kept, self.refused, self.seen = set(), set(), set()
        self.open = {}  # id -> Request without a reply
        self.position, self.history = 0, None
        self.counts = collections.Counter()  # note -> how often the log has it
        self.audited_to = 0
        self.fresh = set()  # packages that were written to since the last audit

    def sending(self, request, package):
        with self.lock:
            for note in request.items:
                self.packages[note] = package
            self.fresh.add(package)
            self.open[id(request)] = request

    def told_position(self, text):
        history, position = text.split(".")
        with self.lock:
            expect(self.history in (None, history), f"the history changed from {self.history} to {history}")
            self.history, self.position = history, max(self.position, int(position))

    def settle(self, request):
        with self.lock:
            del self.open[id(request)]

    def unanswered(self):
        return [note for request in self.open.values() for note in request.items]

    def figures(self):
        return f"{len(self.kept)} commands acknowledged, {len(self.seen)} told by reads, position {self.position}"

    def audit(self, gantry, server, whole=False):
        """With nobody writing. `whole`: everything anew, else what came since the last audit."""
        if whole:
            self.audited_to, self.fresh = 0, set(self.packages.values())
            self.counts.clear()
        events = read_log(gantry, server.data, self.audited_to + 1)
        for event in events:
            if event["type"] == "reported":
                self.counts[event["data"]["note"]] += 1
        end = self.audited_to = events[-1]["position"] if events else self.audited_to
        expect(end >= self.position, f"position {self.position} was told, the log ends at {end}")
        self._check_counts()
        self._check_halves()
        self._check_reads(server, end)

    def _check_counts(self):
        twice = [note for note, n in self.counts.items() if n > 1]
        expect(not twice, f"twice in the log: {twice[:10]}")
        for what, notes in (("acknowledged", self.kept), ("told by a read", self.seen)):
            lost = [note for note in notes if self.counts[note] == 0]
            expect(not lost, f"{len(lost)} {what} and lost: {sorted(lost)[:10]}")
        done = [note for note in self.refused if self.counts[note] > 0]
        expect(not done, f"refused, and recorded nevertheless: {done[:10]}")
        unknown = [note for note in self.counts if note not in self.packages]
        expect(not unknown, f"nobody sent {unknown[:10]}")

    def _check_halves(self):
        for request in self.open.values():
            done = sum(self.counts[note] for note in request.items)
            expect(request.form != "chunk" or done in (0, len(request.items)), f"{done} of a chunk of {len(request.items)} were done")

    def _check_reads(self, server, end):
        """The model tells what the log has."""
        client, told = Client(server.url), collections.defaultdict(set)
        for note, package in self.packages.items():
            if package in self.fresh and self.counts[note]:
                told[package].add(note)
        for package in self.fresh:
            after = {"Gantry-After": f"tracker={self.history}.{self.position}"} if self.history else {}
            status, headers, body = client.ask("GET", f"/tracker/v1/packages/{package}", headers=after)
            expect(status == 200 or status == 404 and not told[package], f"GET of {package} after {after}: {status} {body}")
            stages = stages_of(body) if status == 200 else []
            notes = [stage["note"] for stage in stages]
            expect(len(notes) == len(set(notes)), f"{package} tells something twice")
            expect(set(notes) == told[package], f"{package} tells other than the log: {set(notes) ^ told[package]}")
            erased = [stage["note"] for stage in stages if stage.get("who") != self.people.get(stage["note"])]
            expect(not erased, f"{package} tells another person than was named: {erased}")
        self.fresh = {self.packages[note] for note in self.unanswered()}
        status, _, body = client.ask("GET", "/tracker/v1/summary")
        expect(status == 200 and body["reports"] == sum(self.counts.values()), f"the summary counts {body}, the log {end} events")
        client.close()


def stages_of(history):
    return [stage for run in history["runs"] for stage in run["stages"]]


def notes_of(history):
    return [stage["note"] for stage in stages_of(history)]


def read_log(gantry, data, first):
    out = subprocess.run([gantry, "log", "cat", "tracker", "--data", str(data), "--json", "--from", str(first)], capture_output=True,
                         text=True)
    expect(out.returncode == 0, f"log cat: exit {out.returncode}: {out.stderr}")
    return [json.loads(line) for line in out.stdout.splitlines()]


def verify_log(gantry, data):
    """Of a server that isn't running."""
    out = subprocess.run([gantry, "log", "verify", "tracker", "--data", str(data)], capture_output=True, text=True)
    expect(out.returncode == 0, f"log verify: exit {out.returncode}: {out.stdout}{out.stderr}")


class Writer:
    """Sends commands one request after another, in all forms, with and without keys and ids; each is made anew after a crash if it got no
    reply. Now and then it reads its own writes."""

    def __init__(self, name, promises, seed):
        self.name, self.promises, self.rng = name, promises, random.Random(f"{seed} {name}")
        self.sent = 0
        self.chunks = 0
        self.retry = None     # a request without a reply
        self.full = 0         # commands refused for want of space
        self.answered = None  # the last request with a key, and its reply
        self.failure = None

    def package(self):
        return f"{self.name}.{self.sent // COMMANDS_PER_PACKAGE}"

    def work(self, url, stop):
        """Until `stop`, or the server is gone; but what an earlier server didn't answer is sent in any case."""
        client = Client(url)
        try:
            self.repeat(client)
            while self.retry or not stop.is_set():
                self.retry = self.retry or self.make()
                if self.still_open(client, self.retry) and self.send(client, self.retry):
                    time.sleep(0.01)  # refused: not at once again
        except LOST:
            pass
        except Exception as failure:
            self.failure = failure
        finally:
            client.close()

    def make(self):
        form = self.rng.choices(["single", "array", "lines", "chunk"], [6, 1, 1, 1])[0]
        package, key = self.package(), f"{self.name}-{self.sent}" if self.rng.random() < 0.7 else None
        heavy = form == "lines" and self.rng.random() < 0.3
        count = 1 if form == "single" else 60 if heavy else self.rng.randint(1, 12)
        reports = [self.report(package, key, 1900 if heavy else 0) for _ in range(count)]
        path = "/tracker/v1/reports"
        if form == "single":
            body = json.dumps(reports[0])
        elif form == "lines":
            body = "".join(json.dumps(report) + "\n" for report in reports)
        elif form == "array":
            body = json.dumps(reports)
        else:
            path = f"/tracker/v1/imports/{self.name}/chunks"
            body = json.dumps({"from": str(self.chunks or ""), "to": str(self.chunks + 1), "reports": reports})
        request = Request(form, path, body.encode(), [report["note"] for report in reports], key)
        self.promises.sending(request, package)
        return request

    def report(self, package, key, url_bytes):
        """Without a key the id tells a repeat; with one, mostly the key alone."""
        note = f"{self.name}-{self.sent}"
        self.sent += 1
        report = {"package": package, "version": "1", "arch": "amd64", "stage": "building", "reporter": self.name, "note": note}
        if not key or self.rng.random() < 0.3:
            report["id"] = note
        if self.rng.random() < 0.02:
            report["who"] = self.promises.people[note] = f"Ann <ann{self.sent}@example.org>"
        if url_bytes:
            report["url"] = "https://example.org/" + "x" * self.rng.randrange(url_bytes)
        return report

    def repeat(self, client):
        """A command that another server acknowledged, with its key: the same reply once more, and nothing is done."""
        if not self.answered:
            return
        request, reply = self.answered
        response = client.open("POST", request.path, request.body, request.headers)
        again, replayed = response.read(), response.headers.get("Gantry-Replayed")
        same = response.status == 200 and again == reply and replayed == "true"
        expect(same or response.status == 507, f"a repeat of {request.items} got {response.status} {again} instead of {reply}")

    def settle(self, request):
        self.retry = None
        self.promises.settle(request)

    def still_open(self, client, request):
        """Whether the request is to be sent. A chunk without a key isn't if its import says that it was taken."""
        request.tries += 1
        if request.form != "chunk" or request.tries == 1 or "Idempotency-Key" in request.headers:
            return True
        status, _, body = client.ask("GET", f"/tracker/v1/imports/{self.name}")
        expect(status in (200, 404), f"GET of an import: {status}")
        if status == 404 or body["at"] == str(self.chunks or ""):
            return True
        expect(body["at"] == str(self.chunks + 1), f"the import {self.name} stands at {body['at']}, not {self.chunks + 1}")
        self.chunks += 1
        self.promises.kept.update(request.items)
        self.settle(request)
        return False

    def send(self, client, request):
        """Notes what is promised as far as the reply comes; LOST if it ends early. True: something was refused."""
        response = client.open("POST", request.path, request.body, request.headers)
        if request.form == "lines" and response.status == 200:
            refused = self.read_lines(response, request)
        else:
            reply = response.read()
            body = json.loads(reply)
            if request.form == "single" and "Idempotency-Key" in request.headers and response.status == 200:
                self.answered = request, reply
            each = request.form == "array" and response.status == 200
            results = body if each else [{"status": response.status, "problem": body}] * len(request.items)
            expect(len(results) == len(request.items), f"{len(results)} results of {len(request.items)} commands")
            refused = any([self.note(request, note, result) for note, result in zip(request.items, results)])
        if request.form == "chunk" and response.status == 200:
            self.chunks += 1
        self.settle(request)
        position = response.headers.get("Gantry-Position")
        if position and response.status == 200:
            self.promises.told_position(position)
            if self.rng.random() < 0.1:
                self.read_back(client, request, position)
        return refused

    def read_lines(self, response, request):
        done, refused = 0, False
        while line := response.readline():
            if not line.endswith(b"\n"):
                raise http.client.IncompleteRead(line)
            refused |= self.note(request, request.items[done], json.loads(line))
            done += 1
        if done < len(request.items):
            raise http.client.IncompleteRead(b"")
        return refused

    def note(self, request, note, result):
        """One command's result; whether it was refused."""
        if result["status"] == 200:
            self.promises.kept.add(note)
            return False
        code = result["problem"]["code"]
        expect(result["status"] == 507 or code in ("log_busy", "log_closed"), f"{note} was refused: {result}")
        self.full += result["status"] == 507
        if request.tries == 1:  # a refused repeat says nothing of the first
            self.promises.refused.add(note)
        return True

    def read_back(self, client, request, position):
        package = self.promises.packages[request.items[0]]
        status, _, body = client.ask("GET", f"/tracker/v1/packages/{package}", headers={"Gantry-After": f"tracker={position}"})
        expect(status == 200 and set(request.items) <= set(notes_of(body)), f"what was just written isn't told: {status} {request.items}")


class Reader:
    """Reads what the writers write. Everything that it is told is a promise, and no position of a page goes back."""

    def __init__(self, promises, writers, seed):
        self.promises, self.writers, self.rng = promises, writers, random.Random(f"{seed} reader")
        self.positions = {}
        self.reads = 0
        self.failure = None

    def work(self, url, stop):
        client = Client(url)
        try:
            while not stop.is_set():
                package = self.rng.choice(self.writers).package()
                status, headers, body = client.ask("GET", f"/tracker/v1/packages/{package}")
                expect(status in (200, 404), f"a read was answered {status} {body}")
                self.reads += 1
                if status == 200:
                    self.promises.seen.update(notes_of(body))
                if position := headers.get("Gantry-Position"):
                    self.promises.told_position(position)
                    number = int(position.split(".")[1])
                    expect(status != 200 or number >= self.positions.get(package, 0), f"the position of {package} went back to {number}")
                    self.positions[package] = max(number, self.positions.get(package, 0))
                time.sleep(0.001)
        except LOST:
            pass
        except Exception as failure:
            self.failure = failure
        finally:
            client.close()


class Crowd:
    """Writers and a reader that live through many servers."""

    def __init__(self, promises, seed, writers=6):
        self.writers = [Writer(f"w{n}", promises, seed) for n in range(writers)]
        self.reader = Reader(promises, self.writers, seed)
        self.promises, self.threads, self.stop = promises, [], threading.Event()

    def begin(self, server, only_open=False):
        self.stop = threading.Event()
        if only_open:
            self.stop.set()
        self.threads = [threading.Thread(target=one.work, args=(server.url, self.stop), daemon=True)
                        for one in [*self.writers, self.reader]]
        for thread in self.threads:
            thread.start()

    def end(self):
        self.stop.set()
        for thread in self.threads:
            thread.join()
        for one in [*self.writers, self.reader]:
            if one.failure:
                raise one.failure

    def finish(self, server):
        """Only what earlier servers didn't answer is sent; then nothing is open."""
        self.begin(server, only_open=True)
        self.end()
        expect(not self.promises.open, f"not answered by a server that lives: {self.promises.unanswered()}: {server.said()[-2000:]}")

    def refused_as_full(self):
        return sum(writer.full for writer in self.writers)


def wait_for(condition, seconds, what):
    give_up = time.monotonic() + seconds
    while not condition():
        expect(time.monotonic() < give_up, f"not within {seconds} s: {what}")
        time.sleep(0.01)


def tracing_refused():
    """Why strace can't be used here; nothing if it can."""
    if not shutil.which("strace"):
        return "strace is not installed"
    out = subprocess.run(["strace", "-qq", "-o", "/dev/null", "true"], capture_output=True, text=True)
    return f"strace may not trace: {out.stderr.strip()}" if out.returncode else None


class Place:
    """A directory of its own that is gone at the end, unless it shows how a promise was broken."""

    def __enter__(self):
        self.path = pathlib.Path(tempfile.mkdtemp(prefix="gantry-crash-"))
        return self.path

    def __exit__(self, kind, *_):
        if kind is Broken:
            print(f"kept to look at: {self.path}", flush=True)
        else:
            shutil.rmtree(self.path, ignore_errors=True)
