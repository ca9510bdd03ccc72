"""What a scrape of /metrics costs where one process serves thirty instances of a service."""
import time
import urllib.request

import rows_http
from measure import median, row

INSTANCES, SCRAPES = 30, 50


def scrape(lab):
    sites = [f"s{i}" for i in range(INSTANCES)]
    with rows_http.serve(lab, "metrics", flags=["--server.sites", ",".join(sites)]) as server:
        for site in sites:
            ask(server, "/tracker/v1/summary", site)
        size, times = 0, []
        for _ in range(SCRAPES):
            started = time.perf_counter()
            size = len(ask(server, "/metrics", sites[0]))
            times.append((time.perf_counter() - started) * 1e3)
    return [row(f"/metrics with {INSTANCES} instances of the tracker", median(times), "ms", "lower"),
            row("size of that answer", size, "bytes", "lower")]


def ask(server, path, site):
    request = urllib.request.Request(f"http://127.0.0.1:{server.port}{path}", headers={"Host": f"{site}.localhost"})
    with urllib.request.urlopen(request, timeout=30) as reply:
        return reply.read()
