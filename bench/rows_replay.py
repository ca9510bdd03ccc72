"""Replay of the tracker's log into its state, and restart from a snapshot.

bench_tracker --dir D prints one line of JSON with events, seconds, events_per_s, runs, in_flight, completed, packages:
`--do fill --count N` writes the workload into a log as the service would; `--do replay --fold real|plain` reads and folds it;
`--do snapshot` saves the real state; `--do restart --snapshot yes|no` times the way to a state that could answer.
"""
from measure import median, ratio, rounds, row

EVENTS = 5_000_000


def same(results, keys=("events", "runs", "in_flight", "completed", "packages")):
    """Contestants that did not fold the same state are not compared."""
    first = {k: results[0][k] for k in keys}
    for r in results[1:]:
        if {k: r[k] for k in keys} != first:
            raise RuntimeError(f"the folds differ: {first} and { {k: r[k] for k in keys} }")


def replay(lab, count=3):
    """bench_tracker fills a real log once, through the kernel; each contestant reads it in a process of its own, checksums on."""
    log = lab.fresh("replay")
    lab.run("tracker", do="fill", dir=log, count=EVENTS)
    got = rounds(count, {"real": lambda: lab.run("tracker", do="replay", dir=log, fold="real"),
                         "plain": lambda: lab.run("tracker", do="replay", dir=log, fold="plain")})
    same(got["real"] + got["plain"])
    speed = {name: [r["events_per_s"] for r in results] for name, results in got.items()}
    gain = ratio(speed["real"], speed["plain"])
    found = [row("replay into the tracker's state, against a plain map-of-strings fold", gain, "×", "higher", 2.5),
             row("replay into the tracker's state, 5 M events, 100 k packages, one thread", median(speed["real"]), "events/s", "higher",
                 peers={"plain fold": median(speed["plain"])})]
    return found + restart(lab, log, count)


def restart(lab, log, count):
    lab.run("tracker", do="snapshot", dir=log)
    got = rounds(count, {"snapshot": lambda: lab.run("tracker", do="restart", dir=log, snapshot="yes"),
                         "replay": lambda: lab.run("tracker", do="restart", dir=log, snapshot="no")})
    same(got["snapshot"] + got["replay"], ("runs", "in_flight", "completed", "packages"))
    seconds = {name: [r["seconds"] for r in results] for name, results in got.items()}
    gain = ratio(seconds["replay"], seconds["snapshot"])
    return [row("restart with a snapshot of that state, against replay without", gain, "×", "higher", 10.0),
            row("restart with a snapshot of that state", median(seconds["snapshot"]), "s", "lower",
                peers={"replay": median(seconds["replay"])})]
