"""Calls to the disk that fail: strace makes the n-th one of a thread give an error, and a preloaded library makes writes short.

A failed write or sync of the log ends the process with 74 and its cause; a full disk while a spare is prepared refuses commands; a start
that can't write says why. After each, a start without faults has what was acknowledged."""
import os
import pathlib
import random
import signal
import subprocess
import sys
import time

from shared import Crowd, Place, Promises, Server, Skipped, expect, tracing_refused, verify_log

IO_ERROR = 74
LOG_FAILED = "the log can't be written, so nothing more is answered"
CALLS = {"EIO": ["fdatasync", "fsync", "pwrite64", "fallocate", "rename", "ftruncate", "unlink", "mkdir"],
         "ENOSPC": ["pwrite64", "fallocate", "fdatasync", "mkdir"]}
ERRORS = {"EIO": "Input/output error", "ENOSPC": "No space left on device"}
FAULTS = [(call, error) for error, calls in CALLS.items() for call in calls]


class Faulty:
    """A server of which the n-th `call` of each thread fails with `error`."""

    def __init__(self, options, place, data, fault, nth, short=False, wait=True):
        call, error = self.fault = fault
        self.trace = place / "trace"
        self.trace.unlink(missing_ok=True)
        words = ["strace", "-D", "-f", "-q", "--seccomp-bpf", "-o", str(self.trace), "-e", f"trace={call}",
                 "-e", f"inject={call}:error={error}:when={nth}"]
        if short:
            words += ["-E", f"LD_PRELOAD={short_writes(options)}"]
        self.what = f"{error} of {call} number {nth}{', short writes' if short else ''}"
        self.server = Server(options.gantry, data, before=words, wait=wait)

    def happened(self):
        give_up = time.monotonic() + 5  # the tracer ends a moment after what it traces
        while time.monotonic() < give_up and f"{self.server.process.pid} +++ " not in (text := self.trace.read_text()):
            time.sleep(0.005)
        return "INJECTED" in text

    def check_end(self, code, allowed):
        """How it ended and what it said."""
        said = self.server.said()
        expect(code in allowed, f"{self.what}: exit {code} instead of one of {allowed}: {said[-1500:]}")
        expect(code == 0 or ERRORS[self.fault[1]] in said, f"{self.what}: exit {code} doesn't say why: {said[-1500:]}")
        expect((code == IO_ERROR) == (LOG_FAILED in said), f"{self.what}: exit {code}, but it said {said[-1500:]}")


def short_writes(options):
    return str(pathlib.Path(options.tools).resolve() / "libshort_writes.so")


def fail_a_start(options, place, number, fault, nth):
    """The start of an empty directory. Whether the fault happened."""
    data = place / f"start{number}"
    faulty = Faulty(options, place, data, fault, nth)
    code = faulty.server.kill(signal.SIGTERM) if faulty.server.url else faulty.server.end()
    happened = faulty.happened()
    faulty.check_end(code, (0, 1, IO_ERROR) if happened else (0,))
    server = Server(options.gantry, data).listening()
    expect(server.kill(signal.SIGTERM) == 0, f"{faulty.what}: the next life doesn't end in order")
    verify_log(options.gantry, data)
    return happened


def fail_at_work(options, place, crowd, fault, nth, short, seconds):
    """Until the server ends, or for `seconds`. Exit code, and whether the fault happened."""
    data = place / "data"
    faulty = Faulty(options, place, data, fault, nth, short)
    server, code = faulty.server, None
    if server.url:
        crowd.begin(server)
        give_up = time.monotonic() + seconds
        while server.alive() and time.monotonic() < give_up:
            time.sleep(0.01)
        if server.alive():
            server.process.send_signal(signal.SIGTERM)
        code = server.end()
        crowd.end()
    code = server.end() if code is None else code
    happened = faulty.happened()
    faulty.check_end(code, (0, 1, IO_ERROR) if happened else (0,))
    verify_log(options.gantry, data)
    return code, happened


def audit(options, crowd, data):
    server = Server(options.gantry, data).listening()
    crowd.finish(server)
    crowd.promises.audit(options.gantry, server)
    server.kill(signal.SIGTERM)


def check_that_writes_are_short(options, place):
    """Otherwise the scenario would show nothing."""
    code = "import os, sys; print(os.pwrite(os.open(sys.argv[1], os.O_CREAT | os.O_WRONLY), bytes(8192), 0))"
    out = subprocess.run([sys.executable, "-c", code, place / "short"], env={**os.environ, "LD_PRELOAD": short_writes(options)},
                         capture_output=True, text=True)
    expect(out.returncode == 0 and 0 < int(out.stdout) < 8192, f"writes are not short: {out.stdout}{out.stderr}")


def write_short(options, crowd, data):
    server = Server(options.gantry, data, environment={**os.environ, "LD_PRELOAD": short_writes(options)}).listening()
    crowd.begin(server)
    time.sleep(0.7)
    expect(server.alive(), f"short writes ended the server: {server.said()}")
    server.kill()
    crowd.end()
    audit(options, crowd, data)


def run(options):
    if refused := tracing_refused():
        raise Skipped(refused)
    rng = random.Random(options.seed)
    promises = Promises()
    crowd = Crowd(promises, options.seed, writers=4)
    starts, ends, hits = 0, {}, set()
    with Place() as place:
        nths = [1, 2, 3, 4, 5, 6, 8] if options.rounds else [1, 3]
        for number, (fault, nth) in enumerate((fault, nth) for fault in FAULTS for nth in nths):
            starts += fail_a_start(options, place, number, fault, nth)
        audit(options, crowd, place / "data")
        check_that_writes_are_short(options, place)
        write_short(options, crowd, place / "data")
        for n in range(options.rounds or 16):
            fault = FAULTS[n % len(FAULTS)] if n < len(FAULTS) else rng.choice(FAULTS[:3] + FAULTS[8:11])
            nth = rng.choice([2, 3, 4, 6, 10, 30, 100])
            code, happened = fail_at_work(options, place, crowd, fault, nth, rng.random() < 0.3, 1.5 if options.rounds else 0.5)
            if happened:
                ends[code] = ends.get(code, 0) + 1
                hits.add(fault)
            if options.rounds:
                print(f"fault {n + 1}: {fault[1]} of {fault[0]} number {nth}: exit {code}, {happened=}, {promises.figures()}", flush=True)
            audit(options, crowd, place / "data")
        server = Server(options.gantry, place / "data").listening()
        promises.audit(options.gantry, server, whole=True)
        server.kill()
    expect(ends.get(IO_ERROR, 0) > 0, f"no fault met the log: {ends}")
    return f"{starts} starts failed, {sum(ends.values())} faults at work, by exit code {ends}, of {len(hits)} kinds; {promises.figures()}"
