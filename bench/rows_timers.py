"""One million timers of a service that has nothing else.

bench_timers: `--do memory` sets them in a state: bytes_each (as the state counts itself) and resident_bytes_each (growth of the process);
`--do fill --dir D` writes a log that sets them; `--do snapshot` saves the state; `--do restart --snapshot yes|no` times the way to a host
that could answer.
"""
from measure import median, rounds, row

TIMERS = 1_000_000


def timers(lab, count=3):
    log = lab.fresh("timers")
    lab.run("timers", do="fill", dir=log, count=TIMERS)
    lab.run("timers", do="snapshot", dir=log)
    got = rounds(count, {"memory": lambda: lab.run("timers", do="memory", count=TIMERS),
                         "snapshot": lambda: lab.run("timers", do="restart", dir=log, snapshot="yes"),
                         "replay": lambda: lab.run("timers", do="restart", dir=log, snapshot="no")})
    for results in got.values():
        if any(g["timers"] != TIMERS for g in results):
            raise RuntimeError(f"not all {TIMERS} timers are set: {results}")
    seconds = {name: median([g["seconds"] for g in got[name]]) for name in ("snapshot", "replay")}
    return [row("one million timers: resident memory of each", median([g["resident_bytes_each"] for g in got["memory"]]), "bytes", "lower",
                100, {"as the state counts itself": median([g["bytes_each"] for g in got["memory"]])}),
            row("one million timers: restart with a snapshot", seconds["snapshot"], "s", "lower", peers={"aim": 1}),
            row("one million timers: restart by replay", seconds["replay"], "s", "lower", peers={"aim": 1})]
