"""What a GET and a command cost now, against a program of before: `run.py --before COMMIT` builds its `gantry` (before.py).

Both serve the same requests with everything that came since present and unused: no live reader, timer, effect, follower, or moment of the
past. CPU of the server a request, user and system, server and load each on a CPU of its own; `itself` is a second process of the program of
now, and says how much of a ratio is noise.
"""
import contextlib

import before
import rows_http
from measure import LOAD_CPU, SERVER_CPU, median, ratio, rounds, row

REQUESTS = {"GET": 100_000, "POST": 60_000}


def price(lab, count=21):
    programs = {"now": None, "itself": None, "before": before.program(lab)}
    with contextlib.ExitStack() as open_now:
        servers = {name: open_now.enter_context(rows_http.serve_data(lab, lab.fresh(f"price_{name}"), f"price_{name}", program=program,
                                                                     cpu=SERVER_CPU)) for name, program in programs.items()}
        for server in servers.values():
            rows_http.fill(lab, server)
        return judge(lab, servers, count, "GET", rows_http.get) + judge(lab, servers, count, "POST", rows_http.post)


def judge(lab, servers, count, verb, load):
    def measure(server):
        before_s = server.cpu_s()
        load(lab, server, connections=64, requests=REQUESTS[verb], cpu=LOAD_CPU)
        return (server.cpu_s() - before_s) / REQUESTS[verb] * 1e6

    got = rounds(count, {name: (lambda server=server: measure(server)) for name, server in servers.items()})
    what = f"CPU of a {'GET of one package' if verb == 'GET' else 'report'}"
    return [row(f"{what}, against the program of before", ratio(got["now"], got["before"]), "×", "lower", 1.03,
                {"the program of now against itself": ratio(got["itself"], got["now"])}),
            row(f"{what}, beside the program of before", median(got["now"]), "µs", "lower", peers={"before": median(got["before"])})]
