"""The feed of events of a real server, against what one would deploy instead.

bench_read --port P --target T reads one NDJSON stream to its end: events, bytes, seconds, events_per_s.
"""
import rows_http
import rows_peers
from measure import median, ratio, rounds, row

EVENTS = 1_000_000


def feed(lab, count=5):
    """A reader that counts, of the server's NDJSON and of JetStream's ordered consumer, both over loopback. Ours are whole CloudEvents in
    JSON, theirs the peers' records of about 100 bytes as they lie."""
    data = lab.fresh("feed")
    log = data / "main" / "tracker" / "log"
    log.mkdir(parents=True)
    lab.run("tracker", do="fill", dir=log, count=EVENTS)
    with rows_http.serve_data(lab, data, "feed") as server, rows_peers.opened(lab, "nats_ordered") as nats:
        lab.run("stores", do="load", count=EVENTS, **nats)
        got = rounds(count, {"ours": lambda: lab.run("read", port=server.port, target="/tracker/v1/events"),
                             "nats": lambda: lab.run("stores", do="replay", fold="no", **nats)})
    if min(g["events"] for g in got["ours"] + got["nats"]) < EVENTS:
        raise RuntimeError(f"not all {EVENTS} events came: {got}")
    speed = {name: [g["events_per_s"] for g in results] for name, results in got.items()}
    return [row("feed as NDJSON to a counting reader, against a replay by NATS JetStream", ratio(speed["ours"], speed["nats"]), "×",
                "higher", 2.0),
            row("feed as NDJSON to a counting reader", median(speed["ours"]), "events/s", "higher",
                peers={"NATS JetStream": median(speed["nats"]), "aim": 1_000_000}),
            row("size of an event in that feed", got["ours"][0]["bytes"] / got["ours"][0]["events"], "bytes", "lower")]
