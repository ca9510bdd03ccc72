"""Readers of live queries while reports come in.

bench_live --port P --pid PID --readers R --rate N --seconds S parks R readers, each on a package of its own, and then reports each package
in its turn, N a second over 64 connections. One line of JSON: bytes_a_reader (growth of the server's resident memory while they were
parked, which holds no socket buffers), reports, reports_per_s, evaluations (of live queries meanwhile, by /_gantry/v1/live), p50_us and
p99_us (from a report's request to its event at the reader: the event often comes before the report's own answer).
"""
import resource

import rows_http
from measure import LOAD_CPU, SERVER_CPU, Missing, Server, median, row

READERS = 10_000
RATE = 2000
SECONDS = 4
STAGES = 5
FILES = READERS + 2000  # a socket each, and what else a process opens


def live(lab, count=3):
    """The server is started anew before it is measured: what it freed after the fill would hide what readers take."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < FILES:
        raise Missing(f"{FILES} open files are needed, and at most {hard} may be")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, FILES), hard))
    try:
        data = lab.fresh("live")
        with serve(lab, data) as server:
            rows_http.post(lab, server, rows_http.report("pkg", READERS), requests=STAGES * READERS, connections=64)
        got = [once(lab, data) for _ in range(count)]
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    value = {name: median([g[name] for g in got]) for name in got[0]}
    name = f"{READERS // 1000} k live readers on as many packages, {RATE // 1000} k reports/s"
    return [row(f"{name}: evaluations a report", value["evaluations"] / value["reports"], "", "lower", 1.1),
            row(f"{name}: memory of a parked reader beyond its socket", value["bytes_a_reader"] / 1024, "KiB", "lower", 8),
            row(f"{name}: report sent to event read, p99", value["p99_us"] / 1000, "ms", "lower",
                peers={"p50": value["p50_us"] / 1000, "aim": 20}),
            row(f"{name}: reports taken", value["reports_per_s"], "reports/s", "higher")]


def once(lab, data):
    with serve(lab, data, cpu=SERVER_CPU) as server:
        return lab.run("live", port=server.port, pid=server.pid, readers=READERS, rate=RATE, seconds=SECONDS, cpu=LOAD_CPU)


def serve(lab, data, **options):
    return rows_http.serve_data(lab, data, "live", ["--http.connections", FILES], **options)
