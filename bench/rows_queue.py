"""The queue: durable put + reserve + complete cycles beside what one would deploy instead, how soon a waiting worker has a task, and ten
million tasks that wait.

bench_queue (queue.cpp) drives all of them alike: `--do cycles` gives cycles_per_s and each step's percentiles, `--do wake` wake_p99_us.
"""
import contextlib
import re
import subprocess
import time

import rabbitmq
from measure import LOAD_CPU, Missing, Server, fetch, free_port, median, pin, ratio, rounds, row
from rows_http import JSON, accepted
from rows_peers import needed

CALLERS = 64
BATCHES = {1: "singly", 16: "in batches of 16"}
# Singly ahead of every peer, in batches at least twice the best.
GOALS = {1: 1.0, 16: 2.0}
OURS = "gantry"
PEERS = {"beanstalkd": "beanstalkd", "rabbitmq": "RabbitMQ quorum queue", "redis": "Redis Streams"}
SYNC_MODES = {"beanstalkd": "-f 0: synced a command", "redis": "appendfsync always: synced a turn of its event loop",
              "rabbitmq": "publisher confirms; acknowledgements are not answered"}
SECONDS = 2
WAKE_LOAD = {"connections": CALLERS, "rate": 1000, "every_us": 2000, "seconds": 3}
TASKS = 10_000_000
CHUNK, LINES = 500_000, 250


@contextlib.contextmanager
def opened(lab, name):
    """The port of one queue on a fresh directory."""
    directory = lab.fresh(f"queue_{name}")
    if name == "rabbitmq":
        if not rabbitmq.RabbitMq.installed():
            raise Missing("rabbitmq-server is not installed: run tools/setup.sh bench")
        with rabbitmq.RabbitMq(directory) as peer:
            yield peer.port
        return
    if name == OURS:
        server = serve(lab, directory)
    else:
        port = free_port()
        server = Server(lab, command(name, directory, port), ready_port=port, name=name)
    with server:
        yield server.port


def command(name, directory, port):
    if name == "beanstalkd":
        return [needed("beanstalkd"), "-l", "127.0.0.1", "-p", port, "-b", directory, "-f", "0"]
    return [needed("redis-server"), "--port", port, "--bind", "127.0.0.1", "--dir", directory, "--daemonize", "no", "--appendonly", "yes",
            "--appendfsync", "always", "--save", ""]


def serve(lab, directory, service="queue"):
    command = [lab.program("gantry"), "serve", service, "--data", directory, "--listen", "127.0.0.1:0"]
    return Server(lab, command, "listening http://", name=service)


def cycles(lab, count=3):
    """Each begins each round on an empty directory; the load is on a CPU of its own."""
    got = rounds(count, {name: (lambda name=name: cycles_once(lab, name)) for name in [OURS, *PEERS]})
    for peer, mode in SYNC_MODES.items():
        lab.sync_modes[PEERS[peer]] = mode
    return [r for batch in BATCHES for r in judge(batch, {name: [g[batch] for g in results] for name, results in got.items()})]


def cycles_once(lab, name):
    with opened(lab, name) as port:
        return {batch: not_idle(lab.run("queue", do="cycles", queue=name, port=port, label=f"b{batch}", batch=batch, connections=CALLERS,
                                        seconds=SECONDS, cpu=LOAD_CPU)) for batch in BATCHES}


def not_idle(got):
    if not got["cycles"]:
        raise RuntimeError("no cycle was made")
    return got


def at_pace(got, rate):
    """A load that fell behind measures something else."""
    if got["cycles_per_s"] < 0.9 * rate:
        raise RuntimeError(f"{got['cycles_per_s']} cycles a second, where {rate} were asked for")
    return got


def judge(batch, got):
    name = f"durable put + reserve + complete, 64 callers, {BATCHES[batch]}"
    speed = {store: [g["cycles_per_s"] for g in results] for store, results in got.items()}
    ratios = {PEERS[p]: ratio(speed[OURS], speed[p]) for p in PEERS}

    def figure(key):
        return median([g[key] for g in got[OURS]]), {PEERS[p]: median([g[key] for g in got[p]]) for p in PEERS}

    found = [row(f"{name}, against the best peer", min(ratios.values()), "×", "higher", GOALS[batch], ratios)]
    absolute, peers = figure("cycles_per_s")
    found.append(row(name, absolute, "cycles/s", "higher", peers={**peers, "aim": 30_000}))
    for share in ("p50", "p99"):
        absolute, peers = figure(f"cycle_{share}_us")
        found.append(row(f"{name}: a cycle's {share}", absolute, "µs", "lower", peers=peers))
    return found


def wake(lab, count=5):
    """From the put that is sent to the worker that has its task, while others work on a queue beside; against write+fdatasync at the same
    pace under the same load."""
    with opened(lab, OURS) as port:
        load = {"do": "wake", "queue": OURS, "port": port, **WAKE_LOAD}

        def woken():
            got = at_pace(lab.run("queue", **load, cpu=LOAD_CPU), WAKE_LOAD["rate"])
            if got["wakes"] < 0.3 * WAKE_LOAD["seconds"] * 1e6 / WAKE_LOAD["every_us"]:
                raise RuntimeError(f"only {got['wakes']} tasks were put for those who wait")
            return got

        def synced():
            flags = [word for key, value in load.items() for word in (f"--{key}", str(value))]
            beside = subprocess.Popen([*pin(LOAD_CPU), lab.program("queue"), *flags], stdout=subprocess.DEVNULL)
            try:
                return lab.run("floor_sync", dir=lab.data, bytes=4096, mib=16, every_us=WAKE_LOAD["every_us"], seconds=WAKE_LOAD["seconds"])
            finally:
                if beside.wait() != 0:
                    raise RuntimeError("the load beside broke off")

        got = rounds(count, {"ours": woken, "floor": synced})
    ours, floor = [g["wake_p99_us"] for g in got["ours"]], [g["sync_p99_us"] for g in got["floor"]]
    return [row("wake-up of a waiting worker p99, against a bare sync's under the same load", ratio(ours, floor), "×", "lower", 3.0),
            row("wake-up of a waiting worker: p50", median([g["wake_p50_us"] for g in got["ours"]]), "µs", "lower"),
            row("wake-up of a waiting worker: p99", median(ours), "µs", "lower", peers={"write+fdatasync": median(floor)})]


def waiting(lab):
    """Ten million tasks, a tenth of a per mille of them with the same key, tag or group."""
    directory = lab.fresh("queue_waiting")
    with serve(lab, directory) as server:
        before = server.rss_mb()
        seconds = sum(fill(lab, server, CHUNK, start) for start in range(0, TASKS // LINES, CHUNK // LINES))
        bytes_each = (server.rss_mb() - before) * 1024 * 1024 / TASKS
        counted = re.search(r'gantry_service_memory_bytes{[^}]*service="queue"[^}]*} ([0-9.e+]+)', metrics(server))
    with serve(lab, directory) as server:
        ready_s = server.ready_s
        found = {by: inspected(lab, server, query)
                 for by, query in {"key": "key=k7-{n%200}", "tag": "tag=t{n%10000}", "group": "group=g{n%10000}"}.items()}
    return [row("ten million waiting tasks: memory of each", bytes_each, "bytes", "lower", 150,
                peers={"as the state counts itself": float(counted.group(1)) / TASKS}),
            row("ten million waiting tasks: put", TASKS / seconds, "tasks/s", "higher"),
            row("ten million waiting tasks: restart with a snapshot", ready_s, "s", "lower", peers={"aim": 5})] + [
            row(f"ten million waiting tasks: those of one {by}, p95", ms, "ms", "lower", 20) for by, ms in found.items()]


def metrics(server):
    time.sleep(3)  # the state is measured now and then
    return fetch(server.port, f"GET /metrics HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\nConnection: close\r\n\r\n").decode()


def inspected(lab, server, query):
    """p95 in ms of a page of 100; there are as many of each."""
    target = f"/queue/v1/tasks?queue=waiting&limit=100&{query}"
    first = re.sub(r"{n%\d+}", "5", target)
    answer = fetch(server.port, f"GET {first} HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\n\r\n")
    if answer.count(b'"id":') < min(100, TASKS // 50_000):
        raise RuntimeError(f"{first} gives {answer.count(b'id')} tasks")
    return accepted(lab.run("load", port=server.port, target=target, connections=1, seconds=2))["p95_us"] / 1000


def fill(lab, server, tasks, start):
    """Arrays of LINES tasks; returns the seconds that it took."""
    line = '{{"payload":"{}","key":"k{}-{{n%200}}","tags":["t{{n%10000}}"],"group":"g{{n%10000}}"}}'
    body = "[" + ",".join(line.format("x" * 100, i) for i in range(LINES)) + "]"
    got = accepted(lab.run("load", port=server.port, target="/queue/v1/queues/waiting/tasks", header=JSON, body=body, connections=4,
                           requests=tasks // LINES, start=start))
    return got["seconds"]
