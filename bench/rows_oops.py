"""Error reports: how many come in, durable and grouped; the text index behind them; the list of groups, and the memory, of a million.

bench_oops --dir D prints one line of JSON: `--do ingest --seconds S --inflight N` decodes reports of 3 KB, fingerprints and records them,
with N of them waiting for the log at any moment; `--do index` indexes what it left from nothing, on disk; `--do fill --count N --groups G`
writes the facts of N small reports and says what they take in memory. The bare loop of bench_floor_sync writes as many bytes a sync, for as
many records.
"""
from measure import LOAD_CPU, SERVER_CPU, Server, median, ratio, rounds, row

IN_FLIGHT = 256
SECONDS = 1.5
REPORTS, GROUPS = 1_000_000, 10_000


def oops(lab, count=3):
    return ingest(lab, count) + million(lab, count)


def ingest(lab, count):
    shape = {}
    logs = []

    def ours():
        logs.append(lab.fresh("oops") / "log")
        logs[-1].mkdir()
        got = lab.run("oops", do="ingest", dir=logs[-1], seconds=SECONDS, inflight=IN_FLIGHT)
        shape.update(bytes=max(1, round(got["bytes_per_sync"])), records=got["reports_per_sync"])
        return got

    ours()
    got = rounds(count, {"ours": ours, "floor": lambda: lab.run("floor_sync", dir=lab.data, seconds=SECONDS, **shape)})
    speed = [g["reports_per_s"] for g in got["ours"]]
    bare = [g["records_per_s"] for g in got["floor"]]
    indexed = [lab.run("oops", do="index", dir=log) for log in logs[-count:]]
    size = got["ours"][0]["report_bytes"]
    name = f"reports of {size} bytes as JSON, durable and grouped, {IN_FLIGHT} in flight"
    return [row(f"{name}, against a bare write+fdatasync loop at equal batch", ratio(speed, bare), "×", "higher", 0.3),
            row("reports, durable and grouped", median(speed), "reports/s", "higher", peers={"bare loop": median(bare)}),
            row("reports a sync", median([g["reports_per_sync"] for g in got["ours"]]), "reports", "higher"),
            row("text index of reports, from nothing", median([i["per_s"] for i in indexed]), "reports/s", "higher", 2000)]


def million(lab, count):
    data = lab.fresh("oops")
    log = data / "main" / "oops" / "log"
    log.mkdir(parents=True)
    filled = lab.run("oops", do="fill", dir=log, count=REPORTS, groups=GROUPS)
    command = [lab.program("gantry"), "serve", "oops", "--data", data, "--listen", "127.0.0.1:0"]
    with Server(lab, command, "listening http://", name="oops", cpu=SERVER_CPU) as server:
        def get(target):
            got = lab.run("load", port=server.port, target=target, connections=4, seconds=1, cpu=LOAD_CPU)
            if got["non_2xx"] or got["errors"] or not got["requests"]:
                raise RuntimeError(f"{target}: {got}")
            return got["p95_us"]

        lists, trivial = "/oops/v1/groups?project=1&limit=50", "/oops/v1/projects/1"
        get(lists), get(trivial)
        got = rounds(count, {"list": lambda: get(lists), "trivial": lambda: get(trivial)})
    return [row("bytes of memory a report, of a million in ten thousand groups", filled["bytes_per_report"], "bytes", "lower", 200),
            row("groups of a million reports, p95 against that of a trivial GET", ratio(got["list"], got["trivial"]), "×", "lower", 5),
            row("groups of a million reports, p95", median(got["list"]), "µs", "lower")]
