"""What the line of a request in the access log costs the threads that serve, against a cached GET."""
import json
import subprocess

import rows_http
from measure import LOAD_CPU, SERVER_CPU, median, pin, ratio, row

ADDED, WRITTEN = "access_added", "access_drained_to_dev_null"


def log_line(lab, count=5):
    costs = [line_ns(lab) for _ in range(count)]
    with rows_http.serve(lab, "log", cpu=SERVER_CPU) as server:
        rows_http.fill(lab, server)
        gets = [get_ns(lab, server) for _ in range(count)]
    added, written = ([cost[name] for cost in costs] for name in (ADDED, WRITTEN))
    return [row("the access log's line of a request: added and written, against the CPU of a cached GET",
                ratio([sum(cost.values()) for cost in costs], gets), "×", "lower", 0.1),
            row("a line of the access log: added by the request", median(added), "ns", "lower"),
            row("a line of the access log: made JSON and written, later", median(written), "ns", "lower")]


def line_ns(lab):
    """Nanoseconds of a line, by what is done with it."""
    command = [*pin(SERVER_CPU), lab.program("log_lines"), f"--benchmark_filter=^({ADDED}|{WRITTEN})$", "--benchmark_format=json",
               "--benchmark_min_time=0.2"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    told = json.loads(done.stdout)["benchmarks"]
    return {one["name"]: 1e9 / one["items_per_second"] if "items_per_second" in one else one["cpu_time"] for one in told}


def get_ns(lab, server):
    before_s = server.cpu_s()
    got = rows_http.get(lab, server, connections=64, seconds=1, cpu=LOAD_CPU)
    return (server.cpu_s() - before_s) / got["asked"] * 1e9
