"""What a GET and a command cost now, against a program of before: `run.py --before COMMIT` builds its `gantry` (before.py).

Both serve the same requests. The program of now asks who calls (a token, kept with the connection), writes the access log, counts and
traces; that of before did none of it. CPU of the server a request, user and system, server and load each on a CPU of its own; `itself` is a
second process of the program of now, and says how much of a ratio is noise.
"""
import contextlib

import before
import rows_http
from measure import LOAD_CPU, SERVER_CPU, median, ratio, rounds, row

REQUESTS = {"GET": 100_000, "POST": 60_000}


def price(lab, lives=7, count=3):
    """Seven lives of each, for two processes of one program differ by more than a few percent for as long as they run."""
    programs = [("now", None), ("itself", None), ("before", before.program(lab))]
    loads = {"GET": rows_http.get, "POST": rows_http.post}
    got = {verb: {name: [] for name, _ in programs} for verb in loads}
    for life in range(lives):
        lab.clear()
        turned = programs[life % len(programs):] + programs[:life % len(programs)]
        with contextlib.ExitStack() as running:
            servers = {name: running.enter_context(start(lab, name, program)) for name, program in turned}
            for server in servers.values():
                rows_http.fill(lab, server)
            for verb, load in loads.items():
                for name, costs in measure(lab, servers, count, load, REQUESTS[verb]).items():
                    got[verb][name] += costs
    return told("a GET of one package", got["GET"], 1.2) + told("a report", got["POST"], 1.1)


def start(lab, name, program):
    data = lab.fresh(f"price_{name}")
    return rows_http.serve_data(lab, data, f"price_{name}", program=program, cpu=SERVER_CPU, callers=program is None)


def measure(lab, servers, count, load, requests):
    """Microseconds of CPU a request, by server and round."""
    def once(server):
        before_s = server.cpu_s()
        load(lab, server, connections=64, requests=requests, cpu=LOAD_CPU)
        return (server.cpu_s() - before_s) / requests * 1e6

    return rounds(count, {name: (lambda server=server: once(server)) for name, server in servers.items()})


def told(what, got, goal):
    return [row(f"CPU of {what}, against the program of before", ratio(got["now"], got["before"]), "×", "lower", goal,
                {"the program of now against itself": ratio(got["itself"], got["now"])}),
            row(f"CPU of {what}, beside the program of before", median(got["now"]), "µs", "lower", peers={"before": median(got["before"])})]
