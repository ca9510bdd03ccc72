"""A follower in one process, against a bare replay of its source.

bench_follow --dir D --to E follows the tracker's log in D: for each event it decides, records one of its own in E, durably, and folds it;
one line of JSON with events, recorded, packages, seconds, events_per_s, and own_replay_per_s: how fast what it recorded is read and folded
again. The bare replay of the source is that of rows_replay.py.
"""
from measure import median, ratio, rounds, row

EVENTS = 2_000_000


def follow(lab, count=3):
    log = lab.fresh("followed")
    lab.run("tracker", do="fill", dir=log, count=EVENTS)
    got = rounds(count, {"follow": lambda: lab.run("follow", dir=log, to=lab.fresh("follower")),
                         "replay": lambda: lab.run("tracker", do="replay", dir=log, fold="real")})
    for f, r in zip(got["follow"], got["replay"]):
        if f["events"] != r["events"] or f["recorded"] != r["events"]:
            raise RuntimeError(f"of {r['events']} events {f['events']} were taken, {f['recorded']} recorded")
    speed = {name: [r["events_per_s"] for r in results] for name, results in got.items()}
    own = [g["own_replay_per_s"] for g in got["follow"]]
    return [row("follower in one process that records an event for each, durably, against a bare replay of what it recorded",
                ratio(speed["follow"], own), "×", "higher", 0.3),
            row("follower in one process that records an event for each, durably, against a bare replay of its source",
                ratio(speed["follow"], speed["replay"]), "×", "higher", 0.3),
            row("follower in one process that records an event for each", median(speed["follow"]), "events/s", "higher",
                peers={"bare replay of the source": median(speed["replay"]), "bare replay of what it recorded": median(own)})]
