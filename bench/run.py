#!/usr/bin/env python3
"""Measures Gantry: run.py --build DIR [--peers] [--before COMMIT] [--only WORD] [--record-only] [--write-docs].
Prints a table, writes DIR/bench.json, and exits 1 when a goal does not hold. A goal is a ratio of contestants
interleaved in this run; absolute figures are recorded beside it."""
import argparse
import json
import os
import pathlib
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import page  # noqa: E402
import rows_accounts  # noqa: E402
import rows_disk  # noqa: E402
import rows_feed  # noqa: E402
import rows_follow  # noqa: E402
import rows_http  # noqa: E402
import rows_live  # noqa: E402
import rows_log  # noqa: E402
import rows_metrics  # noqa: E402
import rows_oops  # noqa: E402
import rows_overload  # noqa: E402
import rows_past  # noqa: E402
import rows_peers  # noqa: E402
import rows_pool  # noqa: E402
import rows_price  # noqa: E402
import rows_queue  # noqa: E402
import rows_replay  # noqa: E402
import rows_size  # noqa: E402
import rows_timers  # noqa: E402
from measure import Lab, Missing, row  # noqa: E402

SOURCE = pathlib.Path(__file__).resolve().parent.parent
# word for --only, measurement, the option that it needs, does it judge a goal
# Those of the disk come before those that write much, with others between them: a virtual disk that has written its fill is slower
# for a while.
MEASUREMENTS = [
    ("disk", rows_disk.idle_disk, None, False),
    ("commands", rows_http.durable_commands, None, True),
    ("get", rows_http.cpu_of_get, None, True),
    ("price", rows_price.price, "before", True),
    ("append-peers", rows_peers.append, "peers", True),
    ("size", rows_size.program, None, False),
    ("compile", rows_size.compile_time, None, False),
    ("group", rows_disk.group_commit, None, True),
    ("replay", rows_replay.replay, None, True),
    ("follow", rows_follow.follow, None, True),
    ("accounts", rows_accounts.accounts, None, True),
    ("oops", rows_oops.oops, None, True),
    ("live", rows_live.live, None, True),
    ("overload", rows_overload.overload, None, True),
    ("log-line", rows_log.log_line, None, True),
    ("metrics", rows_metrics.scrape, None, False),
    ("past", rows_past.past, None, True),
    ("timers", rows_timers.timers, None, True),
    ("queue", rows_queue.cycles, "peers", True),
    ("queue-wake", rows_queue.wake, None, True),
    ("pool", rows_pool.pool, None, True),
    ("queue-waiting", rows_queue.waiting, None, True),
    ("feed", rows_feed.feed, "peers", True),
    ("replay-peers", rows_peers.replay, "peers", True),
]


def measure(lab, options):
    """All rows; a measurement that can't be made leaves a row without a value, which does not hold if a goal hangs on it."""
    rows = []
    for word, measurement, needs, judges in MEASUREMENTS:
        if (needs and not getattr(options, needs)) or (options.only and word not in options.only):
            continue
        started = time.monotonic()
        lab.clear()
        try:
            rows += measurement(lab)
            print(f"bench: {word}: {time.monotonic() - started:.0f} s", file=sys.stderr)
        except (Missing, RuntimeError, subprocess.SubprocessError, OSError) as fault:
            print(f"bench: {word} was not measured: {fault}", file=sys.stderr)
            missing = row(f"{word}: not measured", None, "", "higher")
            rows.append({**missing, "holds": not judges})
    return rows


def main(arguments):
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", default="build")
    parser.add_argument("--json", help="where the figures go (BUILD/bench.json)")
    parser.add_argument("--peers", action="store_true", help="measure SQLite, LMDB, Redis, NATS, beanstalkd and RabbitMQ, too")
    parser.add_argument("--before", metavar="COMMIT", help="measure what a GET and a report cost against the program of that commit, too")
    parser.add_argument("--only", action="append", choices=[m[0] for m in MEASUREMENTS], help="only this measurement; may be repeated")
    parser.add_argument("--record-only", action="store_true", help="exit 0 whether the goals hold or not")
    parser.add_argument("--write-docs", action="store_true", help="rewrite docs/benchmarks.md from this run")
    parser.add_argument("--no-build", action="store_true", help="take the programs as they are")
    options = parser.parse_args(arguments)

    if not options.no_build:
        subprocess.run(["cmake", "--build", options.build, "--parallel", str(os.cpu_count()), "--target", "bench_programs"], check=True,
                       stdout=subprocess.DEVNULL)
    lab = Lab(options.build, SOURCE, note=lambda text: print(f"bench: {text}", file=sys.stderr))
    lab.before = options.before
    started = time.monotonic()
    try:
        rows = measure(lab, options)
    finally:
        lab.close()
    machine = page.machine(lab)
    print("\n".join(page.table(rows, machine, lab.sync_modes)))
    print(f"\n{len(rows)} figures in {time.monotonic() - started:.0f} s")
    pathlib.Path(options.json or lab.build / "bench.json").write_text(json.dumps(rows, indent=1, ensure_ascii=False) + "\n")
    if options.write_docs:
        command = "make bench" + (" PEERS=1" if options.peers else "") + (f" BEFORE={options.before}" if options.before else "")
        (SOURCE / "docs").mkdir(exist_ok=True)
        (SOURCE / "docs/benchmarks.md").write_text(page.markdown(rows, machine, lab.sync_modes, command))
    return 0 if options.record_only or all(r["holds"] for r in rows) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
