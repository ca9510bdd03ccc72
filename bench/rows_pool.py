"""The pool: acquire + release beside bare durable commands of the kernel, and whether a caller feels cleaners that hang."""
import itertools
import json
import urllib.request

from measure import LOAD_CPU, Server, median, ratio, rounds, row
from rows_http import post
from rows_queue import CALLERS, at_pace

SECONDS = 2
CLEAN_RATE, CLEAN_SECONDS = 200, 4
DIRTY = 4 * CLEAN_RATE * CLEAN_SECONDS  # of those that nobody cleans; each cycle uses one up


def pool(lab, count=3):
    """Two commands a cycle: what of the tracker's reports, under the same server, does it reach?"""
    services = ["tracker", "queue", "pool"]
    command = [lab.program("gantry"), "serve", *services, "--data", lab.fresh("pool"), "--listen", "127.0.0.1:0"]
    with Server(lab, command, "listening http://", name="pool") as server:
        fresh = itertools.count()  # a ticket is for one lease alone, and is named after its type

        def cycles():
            label = make_type(server, f"plain{next(fresh)}", "none", 2 * CALLERS)
            return lab.run("queue", do="cycles", queue="pool", label=label, port=server.port, connections=CALLERS, seconds=SECONDS,
                           cpu=LOAD_CPU)

        def commands():
            return post(lab, server, connections=CALLERS, seconds=SECONDS, warmup=0.3, cpu=LOAD_CPU)["per_s"]

        got = rounds(count, {"pool": cycles, "commands": commands})
        hang = [hanging(lab, server, i) for i in range(count)]
    rate = [g["cycles_per_s"] for g in got["pool"]]
    return [row("pool: acquire + release, 64 callers, against bare durable commands", ratio([2 * r for r in rate], got["commands"]), "×",
                "higher", 0.7),
            row("pool: acquire + release, 64 callers", median(rate), "cycles/s", "higher",
                peers={"commands a second": median(got["commands"])}),
            row("pool: acquire + release, 64 callers: a cycle's p99", median([g["cycle_p99_us"] for g in got["pool"]]), "µs", "lower"),
            row("pool: a cycle's p99 while all cleaners hang, against none to clean", median([h / f for h, f in hang]), "×", "lower", 1.5,
                {"hang, µs": median([h for h, _ in hang]), "none, µs": median([f for _, f in hang])})]


def hanging(lab, server, number):
    """(p99 where what is released waits to be cleaned for ever, p99 where it is free at once), at a pace that both bear."""
    labels = make_type(server, f"dirty{number}", "queue", DIRTY), make_type(server, f"clean{number}", "none", 2 * CALLERS)
    flags = {"do": "cycles", "queue": "pool", "port": server.port, "connections": CALLERS, "rate": CLEAN_RATE, "seconds": CLEAN_SECONDS}
    return tuple(at_pace(lab.run("queue", **flags, label=label, cpu=LOAD_CPU), CLEAN_RATE)["cycle_p99_us"] for label in labels)


def make_type(server, name, cleaning, count):
    call(server, "PUT", f"/pool/v1/types/{name}-load", {"cleaning": cleaning})
    for start in range(0, count, 1000):
        made = call(server, "POST", "/pool/v1/resources", [{"name": f"{name}{i}", "type": f"{name}-load"}
                                                           for i in range(start, min(count, start + 1000))])
        if any(m["status"] // 100 != 2 for m in made):
            raise RuntimeError(f"not all resources were made: {made[0]}")
    return name


def call(server, method, path, body):
    data, headers = json.dumps(body).encode(), {"Content-Type": "application/json"}
    request = urllib.request.Request(f"http://127.0.0.1:{server.port}{path}", data, headers, method=method)
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)
