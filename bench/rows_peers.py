"""Replay and durable append against what one would deploy instead, each as its users drive it. Every server is started on a directory and
port of its own and stopped again."""
import contextlib
import shutil
import subprocess

from measure import Missing, Server, free_port, median, ratio, rounds, row

BATCHES = (1, 16, 256)
REPLAYED = 500_000
SECONDS = 0.5
PEERS = {"sqlite": "SQLite WAL", "lmdb": "LMDB", "redis": "Redis Streams", "nats_ordered": "NATS JetStream",
         "nats_pull": "NATS JetStream, pull"}
OURS = "gantry"


@contextlib.contextmanager
def opened(lab, store):
    """The flags that name one store on a fresh directory, with its server running if it has one."""
    directory = lab.fresh(f"peer_{store}")
    if store == "redis":
        port = free_port()
        command = [needed("redis-server"), "--port", port, "--bind", "127.0.0.1", "--dir", directory, "--daemonize", "no",
                   "--appendonly", "yes", "--appendfsync", "always", "--save", ""]
        with Server(lab, command, ready_port=port, name=store):
            yield {"store": store, "dir": directory, "port": port}
    elif store.startswith("nats"):
        port = free_port()
        command = [needed("nats-server"), "-c", nats_config(lab, store, directory, port)]
        with Server(lab, command, ready_port=port, name=store):
            yield {"store": store, "dir": directory, "port": port}
    else:
        yield {"store": store, "dir": directory}


def needed(program):
    found = shutil.which(program) or shutil.which(program, path="/usr/sbin:/sbin")
    if not found:
        raise Missing(f"{program} is not installed: run tools/setup.sh bench")
    return found


def nats_config(lab, name, directory, port):
    """Synced always where this server knows the key (2.10 and later), else as it is."""
    config = lab.data / f"{name}.conf"
    for extra, mode in ((', sync_interval: "always"', "sync_interval always"), ("", "acknowledged before any sync; synced every 2 min")):
        config.write_text(f'listen: "127.0.0.1:{port}"\njetstream {{ store_dir: "{directory}"{extra} }}\n')
        if subprocess.run([needed("nats-server"), "-t", "-c", config], capture_output=True).returncode == 0:
            lab.sync_modes[PEERS[name]] = mode
            return config
    raise Missing("nats-server refuses its configuration")


def append(lab, count=5):
    """Every store begins each round on an empty directory, a server in a new life."""
    stores = [OURS] + [s for s in PEERS if s != "nats_pull"]
    found = []
    for batch in BATCHES:
        got = rounds(count, {store: (lambda store=store: append_once(lab, store, batch)) for store in stores})
        ours = got.pop(OURS)
        best = {store: ratio(ours, theirs) for store, theirs in got.items()}
        name = f"durable append, {batch} a batch"
        against = {PEERS[s]: r for s, r in best.items()}
        # One at a time, whoever waits for the disk is behind whoever does not: there only those that sync are the same kind.
        judged = [r for s, r in best.items() if batch > 1 or not lab.sync_modes[PEERS[s]].startswith("acknowledged before any sync")]
        whom = "the best peer" if len(judged) == len(best) else "the best peer that syncs before it acknowledges"
        found += [row(f"{name}, against {whom}", min(judged), "×", "higher", 1.0, against),
                  row(name, median(ours), "events/s", "higher", peers={PEERS[s]: median(v) for s, v in got.items()})]
    return found


def append_once(lab, store, batch):
    with opened(lab, store) as flags:
        got = lab.run("stores", do="append", batch=batch, seconds=SECONDS, **flags)
    lab.sync_modes.setdefault(PEERS.get(store, "Gantry"), got["sync_mode"])
    return got["events_per_s"]


def replay(lab, count=5):
    """The same events out of each store into the plain fold, whose digests must agree, and out of ours into the tracker's state as well."""
    with contextlib.ExitStack() as open_now:
        flags = {store: open_now.enter_context(opened(lab, store)) for store in [OURS, *PEERS]}
        for f in flags.values():
            lab.run("stores", do="load", count=REPLAYED, **f)
        contestants = {store: (lambda f=f: lab.run("stores", do="replay", **f)) for store, f in flags.items()}
        log = lab.fresh("peer_tracker")
        lab.run("tracker", do="fill", dir=log, count=REPLAYED)
        contestants["tracker"] = lambda: lab.run("tracker", do="replay", dir=log, fold="real")
        got = rounds(count, contestants)
    digests = {r["digest"] for store, results in got.items() if store != "tracker" for r in results}
    if len(digests) != 1:
        raise RuntimeError(f"the stores gave back different events: {digests}")
    speed = {store: [r["events_per_s"] for r in results] for store, results in got.items()}
    peers = {store: speed[store] for store in PEERS}
    absolute = {PEERS[store]: median(v) for store, v in peers.items()}
    return [judge("replay into state, against the best peer into a plain fold", speed["tracker"], peers, goal=1.0),
            row("replay into state, 500 k events", median(speed["tracker"]), "events/s", "higher", peers=absolute),
            judge("replay into the same plain fold, against the best peer", speed[OURS], peers, goal=None)]


def judge(name, ours, peers, goal):
    ratios = {store: ratio(ours, theirs) for store, theirs in peers.items()}
    return row(name, min(ratios.values()), "×", "higher", goal, {PEERS[store]: r for store, r in ratios.items()})
