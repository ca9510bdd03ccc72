"""What every measurement needs: running the programs of this folder, servers with a deadline, CPU time, medians, and the rows."""
import contextlib
import glob
import json
import math
import os
import pathlib
import shutil
import signal
import socket
import statistics
import struct
import subprocess
import time

SERVER_CPU, LOAD_CPU = 0, 1
PATIENCE_S = 120


class Missing(Exception):
    """Something that a row needs is not there; the row says so and does not hold."""


def row(name, value, unit, better, goal=None, peers=None):
    """A figure. With a goal it is a ratio measured in one run, and holds or not; without one it is only recorded."""
    holds = goal is None or (value is not None and (value >= goal if better == "higher" else value <= goal))
    return {"name": name, "value": value and round_to(value, 4), "unit": unit, "better": better, "goal": goal, "holds": holds,
            "peers": {k: round_to(v, 4) for k, v in (peers or {}).items()}}


def round_to(value, digits):
    return 0.0 if value == 0 else round(value, digits - 1 - math.floor(math.log10(abs(value))))


median = statistics.median


def rounds(count, contestants):
    """Runs {name: function} in interleaved rounds, turning the order each time; returns {name: [result of each round]}. What the machine
    does beside us then falls on all of them alike, and a ratio is taken within a round."""
    results = {name: [] for name in contestants}
    names = list(contestants)
    for i in range(count):
        for name in names[i % len(names):] + names[:i % len(names)]:
            results[name].append(contestants[name]())
    return results


def ratio(above, below):
    """The median of the ratios of each round."""
    return median([a / b for a, b in zip(above, below)])


class Lab:
    """Where things are built and where they may write. `data` is on the disk that is measured, and is emptied at the end."""

    def __init__(self, build, source, note=print):
        self.build, self.source, self.note = pathlib.Path(build).resolve(), pathlib.Path(source), note
        self.data = self.build / "bench-data"
        self.sync_modes = {}
        self.before = None  # a commit, of rows_price.py
        self.made = 0
        self.clear()

    def close(self):
        shutil.rmtree(self.data, ignore_errors=True)

    def fresh(self, name):
        """A directory that never was. Nothing is deleted while anything is timed: freed blocks cost the disk time when the next contestant
        syncs; for the same reason what the last one left unwritten is written now."""
        self.made += 1
        path = self.data / f"{name}.{self.made}"
        path.mkdir()
        os.sync()
        return path

    def clear(self):
        """Empties `data`, between measurements."""
        shutil.rmtree(self.data, ignore_errors=True)
        self.data.mkdir(parents=True)
        os.sync()

    def program(self, name):
        path = self.build / "gantry" if name == "gantry" else self.build / "bench" / f"bench_{name}"
        if not path.exists():
            raise Missing(f"{path.name} is not built")
        return str(path)

    def run(self, name, *arguments, cpu=None, prefix=(), **flags):
        """Runs a program of this folder to its end; returns the JSON that it printed."""
        command = [*prefix, *pin(cpu), self.program(name), *arguments]
        for key, value in flags.items():
            for v in value if isinstance(value, list) else [value]:
                command += [f"--{key}", str(v)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S)
        if done.returncode != 0:
            raise Missing(f"{name} failed: {(done.stderr or done.stdout).strip().splitlines()[-1:]}")
        return json.loads(done.stdout.strip().splitlines()[-1])


def pin(cpu):
    return ["taskset", "-c", str(cpu)] if cpu is not None and (os.cpu_count() or 1) > 1 else []


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Server:
    """A process that we started; gone when the `with` ends. `probe` counts its syncs (sync_probe.cpp)."""

    def __init__(self, lab, command, ready_line=None, ready_port=None, cpu=None, probe=False, name="server"):
        environment = dict(os.environ)
        if probe:
            environment["LD_PRELOAD"] = str(lab.build / "bench" / "libbench_sync_probe.so")
        self.log = open(lab.data / f"{name}.log", "w+")
        started = time.monotonic()
        self.process = subprocess.Popen([*pin(cpu), *map(str, command)], stdout=subprocess.PIPE, stderr=self.log, text=True,
                                        env=environment)
        self.pid, self.name = self.process.pid, name
        self.shown = []  # headers that the load sends to it
        try:
            self.port = self._wait_line(ready_line) if ready_line else self._wait_port(ready_port)
        except BaseException:
            self.stop()
            raise
        self.ready_s = time.monotonic() - started

    def _wait_line(self, start):
        # A server that never speaks is ended by the alarm, so the read ends too.
        with alarm(PATIENCE_S):
            for line in self.process.stdout:
                if line.startswith(start):
                    return int(line.rsplit(":", 1)[1].strip().rstrip("/"))
        raise Missing(f"{self.name} ended before it was ready: {self.last_words()}")

    def _wait_port(self, port):
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline and self.process.poll() is None:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                return port
            time.sleep(0.01)
        raise Missing(f"{self.name} did not listen: {self.last_words()}")

    def last_words(self):
        self.log.seek(0)
        return self.log.read().strip()[-300:]

    def cpu_s(self):
        """User and system time of all its threads so far; nanosecond counts, where /proc/PID/stat has ticks of 10 ms."""
        return sum(int(open(p).read().split()[0]) for p in glob.glob(f"/proc/{self.pid}/task/*/schedstat")) / 1e9

    def rss_mb(self):
        for line in open(f"/proc/{self.pid}/status"):
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) / 1024

    def syncs(self):
        """Counts of its syncs so far, by step of sync_probe.cpp's Histogram; none when the probe is not loaded."""
        try:
            data = pathlib.Path(f"/dev/shm/gantry_bench_sync.{self.pid}").read_bytes()
        except OSError:
            return []
        return struct.unpack(f"{len(data) // 8}Q", data)

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.process.stdout.close()
        self.log.close()
        pathlib.Path(f"/dev/shm/gantry_bench_sync.{self.pid}").unlink(missing_ok=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


@contextlib.contextmanager
def alarm(seconds):
    def fire(*_):
        raise Missing(f"nothing happened for {seconds} s")

    before = signal.signal(signal.SIGALRM, fire)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def sync_percentiles(before, after):
    """(p50, p99, count) in microseconds of the syncs between two Server.syncs(); None without any."""
    counts = [a - b for a, b in zip(after, before or [0] * len(after))]
    if not sum(counts):
        return None
    return percentile_us(counts, 0.50), percentile_us(counts, 0.99), sum(counts)


def percentile_us(counts, share):
    """As Histogram::percentile_us of histogram.h."""
    left = int(share * sum(counts))
    for index, count in enumerate(counts):
        if count > left:
            return middle_ns(index) / 1000
        left -= count
    return 0.0


def middle_ns(index):
    if index < 32:
        return float(index)
    shift = index // 32 - 1
    return ((32 + index % 32) << shift) + (1 << shift) / 2


def fetch(port, request):
    """The bytes of one answer, head and body, to one request as the load generator sends it."""
    with socket.create_connection(("127.0.0.1", port), 10) as s:
        s.sendall(request.encode())
        got = b""
        while b"\r\n\r\n" not in got or len(got) < whole_length(got):
            more = s.recv(65536)
            if not more:
                break
            got += more
    return got


def whole_length(answer):
    head, _, _ = answer.partition(b"\r\n\r\n")
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"content-length":
            return len(head) + 4 + int(value)
    raise Missing("an answer without Content-Length")
