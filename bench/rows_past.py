"""The past of a real server, on a log that bench_tracker wrote.

bench_tracker --do live --dir L --snapshots S --count N writes N reports into the log L and leaves in S the snapshots that a server leaves
which ran all the while: {"snapshots": [positions]}. `--do some --count N` times a replay of N events, from the newest snapshot that leaves
as many: {"events", "seconds"}.
"""
import json
import time

import rows_http
from measure import LOAD_CPU, SERVER_CPU, fetch, median, ratio, rounds, row

REPORTS = 5_500_000
MILLION = 1_000_000


def past(lab, count=5):
    """The first GET of a moment, each time in a new life of the server, so that nothing of the past is in memory. Right before a snapshot
    is the worst moment: the one before that has to do."""
    data = lab.fresh("past")
    log, snapshots = data / "main" / "tracker" / "log", data / "main" / "tracker" / "snapshots"
    log.mkdir(parents=True)
    kept = lab.run("tracker", do="live", dir=log, snapshots=snapshots, count=REPORTS)["snapshots"]
    with serve(lab, data) as server:
        end, package = newest(server)
    worst = min(kept, key=lambda position: abs(position - (end - MILLION))) - 1
    contestants = {"worst": lambda: first_get(lab, data, package, worst), "million": lambda: first_get(lab, data, package, end - MILLION),
                   "replay": lambda: replay_of(lab, log, snapshots)}
    rounds(1, contestants)  # memory that nobody had since this machine started costs its host more than any replay
    got = rounds(count, contestants)
    what = "as_of a million events back, first GET"
    found = [row(f"{what}, against a replay of a million events", ratio(got["million"], got["replay"]), "×", "lower", 1.2),
             row(f"{what}, right before a snapshot, against the same", ratio(got["worst"], got["replay"]), "×", "lower", 1.2),
             row(what, median(got["million"]), "s", "lower",
                 peers={"right before a snapshot": median(got["worst"]), "replay of a million events": median(got["replay"])})]
    return found + kept_past(lab, data, package, end - MILLION)


def kept_past(lab, data, package, moment, count=5):
    """The same GET again, against that of now: CPU of the server a request."""
    with serve(lab, data) as server:
        now = f"/tracker/v1/packages/{package}"
        then = f"{now}?as_of={as_of(server, moment)}"
        ask(server, then)

        def measure(target):
            before = server.cpu_s()
            got = rows_http.get(lab, server, target, connections=64, seconds=1, cpu=LOAD_CPU)
            return (server.cpu_s() - before) / got["asked"] * 1e6

        got = rounds(count, {"past": lambda: measure(then), "present": lambda: measure(now)})
    what = "as_of again, CPU of the GET"
    return [row(f"{what}, against the same GET of now", ratio(got["past"], got["present"]), "×", "lower", 2.0),
            row(what, median(got["past"]), "µs", "lower", peers={"now": median(got["present"])})]


def serve(lab, data):
    return rows_http.serve_data(lab, data, "past", cpu=SERVER_CPU)


def ask(server, target):
    """Head fields and body of a 200."""
    answer = fetch(server.port, f"GET {target} HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\n\r\n")
    head, _, body = answer.decode().partition("\r\n\r\n")
    lines = head.split("\r\n")
    if lines[0] != "HTTP/1.1 200 OK":
        raise RuntimeError(f"{target}: {lines[0]}: {body[:200]}")
    return {name.lower(): value for name, _, value in (line.partition(": ") for line in lines[1:])}, body


def newest(server):
    """The newest position, and a package."""
    head, body = ask(server, "/tracker/v1/events?limit=1")
    return int(head["gantry-position"].rsplit(".", 1)[1]), json.loads(body)["items"][0]["data"]["package"]


def as_of(server, position):
    head, _ = ask(server, "/tracker/v1/events?limit=1")
    return f"{head['gantry-position'].rsplit('.', 1)[0].rsplit('=', 1)[-1]}.{position}"


def first_get(lab, data, package, position):
    with serve(lab, data) as server:
        target = f"/tracker/v1/packages/{package}?as_of={as_of(server, position)}"
        started = time.monotonic()
        ask(server, target)
        return time.monotonic() - started


def replay_of(lab, log, snapshots):
    return lab.run("tracker", do="some", dir=log, snapshots=snapshots, count=MILLION, cpu=SERVER_CPU)["seconds"]
