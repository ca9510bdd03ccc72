#!/usr/bin/env python3
"""Real workers of the queue, by HTTP and by beanstalkd's protocol, and producers that repeat what wasn't acknowledged, while the server and
the workers are killed with SIGKILL again and again. queue_kill_test.py GANTRY [--rounds N] [--seed S]

In the end, by the log, by what everybody was told and by the store that the workers wrote into (check.py): every acknowledged put was done,
and put once; nothing that was acknowledged as done ran again; no task had two live holders; groups ran in their order; fences grew; and
`gantry log verify` finds the log whole. Then the same of a server that forgets (`--log memory:`): that must be noticed."""
import argparse
import base64
import json
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

from asking import PATIENCE_S, Asking
from check import Broken, check, check_the_check
from store import Store

HERE = pathlib.Path(__file__).resolve().parent
QUEUES = ["mail", "build"]
DEPTH_MAX = 150
WORKERS = 4
SETTINGS = {"lease_ms": 1500, "attempts_max": 0, "backoff_ms": 50, "backoff_max_ms": 500, "depth_max": DEPTH_MAX, "ageing_ms": 100}


class Server:
    """One that comes back at the same addresses."""

    def __init__(self, gantry, data, *more):
        self.command = [gantry, "serve", "queue", "--data", data, *more]
        self.starts = 0
        self.start("127.0.0.1:0", "127.0.0.1:0")

    def start(self, listen, beanstalkd):
        command = [*self.command, "--listen", listen, "--queue.beanstalkd-listen", beanstalkd]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        lines = [self.process.stdout.readline().split() for _ in range(2)]
        if not all(line and line[0] == "listening" for line in lines):
            raise SystemExit(f"the server said {lines!r}")
        self.url, self.beanstalkd = lines[0][1], lines[1][3]
        self.starts += 1

    def kill(self):
        self.process.kill()
        self.process.wait(timeout=60)
        self.start(self.url.removeprefix("http://"), self.beanstalkd)

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=60)

    def events(self):
        request = urllib.request.Request(self.url + "/queue/v1/events", headers={"Accept": "application/x-ndjson"})
        out = []
        with urllib.request.urlopen(request, timeout=60) as reply:
            for line in reply:
                if line.strip():
                    event = json.loads(line)
                    out.append({"type": event["type"].removeprefix("queue."), "position": int(event["id"].rsplit(".", 1)[1]),
                                "time": event["time"], "data": event["data"]})
                    if out[-1]["type"] == "put":
                        out[-1]["name"] = json.loads(base64.b64decode(event["data"]["content"]["payload"]))["name"]
        return out


class Workers:
    def __init__(self, server, store, seed):
        self.server, self.store, self.seed, self.made = server, store, seed, 0
        self.running = [self.make(place) for place in range(WORKERS + 1)]

    def make(self, place):
        self.made += 1
        about = [self.server.url, self.store, f"w{self.made}", str(self.seed + self.made)]
        command = [sys.executable, str(HERE / "worker.py"), *about, *QUEUES]
        return subprocess.Popen(command + (["--beanstalkd", self.server.beanstalkd] if place == WORKERS else []))

    def kill_one(self, rng):
        place = rng.randrange(len(self.running))
        self.end(self.running[place])
        self.running[place] = self.make(place)

    def end(self, process):
        if process.poll() is not None:
            raise SystemExit(f"a worker ended by itself, with {process.returncode}")
        process.kill()
        process.wait()

    def kill_all(self):
        for process in self.running:
            process.kill()
            process.wait()


class Producer(threading.Thread):
    is_done = False

    def __init__(self, *about):
        super().__init__(daemon=True)
        self.about = about

    def run(self):
        produce(*self.about)
        self.is_done = True


def produce(url, path, name, seed, stop):
    """Puts task after task, each until it is acknowledged, in one of five ways that bear a repeat."""
    asking, store, rng = Asking(url), Store(path), random.Random(seed)
    number = 0
    while not stop.is_set():
        queue = rng.choice(QUEUES)
        how = rng.choice(["key", "reject", "single_flight", "batch", "keyed_batch"])
        names = [f"{name}-{number + n}" for n in range(3 if "batch" in how else 1)]
        tasks = [task(one, how, rng) for one in names]
        number += len(tasks)
        acknowledge(asking, store, queue, how, names, tasks)


def task(name, how, rng):
    out = {"payload": {"name": name}, "priority": rng.randrange(4)}
    if rng.random() < 0.5:
        out["key"] = f"k{rng.randrange(5)}"
    if rng.random() < 0.3:
        out["group"] = f"g{rng.randrange(6)}"
    if rng.random() < 0.15:
        out["delay_ms"] = rng.randrange(500)
    if how not in ("key", "keyed_batch"):
        out["unique"] = {"key": name, "mode": "reject" if how == "reject" else "single_flight", "window_ms": 3_600_000}
    return out


def acknowledge(asking, store, queue, how, names, tasks):
    path = f"/queue/v1/queues/{queue}/tasks"
    for one in names:
        store.note("wants", one)
    while True:
        if how in ("batch", "keyed_batch"):
            lines = "".join(json.dumps(one) + "\n" for one in tasks)
            key = names[0] if how == "keyed_batch" else None
            _, answers = asking.until_answered("POST", path, lines, key, "application/x-ndjson")
            told = [(answer["status"], answer.get("reply") or answer["problem"]) for answer in answers]
            assert len(told) == len(tasks), answers
        else:
            told = [asking.until_answered("POST", path, tasks[0], names[0] if how == "key" else None)]
        left = [n for n, (name, (status, said)) in enumerate(zip(names, told)) if not is_acknowledged(store, name, status, said)]
        if left and how != "keyed_batch":  # with a key all lines are sent again: those that were done are not done twice
            names, tasks = [names[n] for n in left], [tasks[n] for n in left]
        if not left:
            return
        time.sleep(0.05)  # the workers are behind


def is_acknowledged(store, name, status, said):
    if status // 100 == 2:
        store.note("acknowledged", name, 0, said["id"])
    elif said["code"] == "task_exists":
        store.note("acknowledged", name)
    else:
        assert said["code"] == "queue_full" or status == 503, (status, said)
        return False
    return True


def disturb(server, workers, rng, rounds):
    """Kills of the server, a fraction of a second apart; of workers in between; and now and then nothing for as long as leases need to
    run out after a start (ten seconds of grace)."""
    for round_number in range(rounds):
        if round_number % 10 == 5:
            for _ in range(12):
                time.sleep(1)
                workers.kill_one(rng)
        time.sleep(rng.uniform(0.05, 0.9))
        if rng.random() < 0.6:
            workers.kill_one(rng)
        server.kill()


def until_empty(server, patience_s):
    """How many tasks are left then."""
    asking, deadline = Asking(server.url), time.monotonic() + patience_s
    depth = 1
    while depth > 0 and time.monotonic() < deadline:
        time.sleep(0.1)
        depth = sum(asking.until_answered("GET", f"/queue/v1/queues/{queue}")[1].get("depth", 0) for queue in QUEUES)
    return depth


def disturbed(options, place, rounds, patience_s, *more):
    """What a run with so many kills left behind: events, records, the world and the number of tasks that are left."""
    data, path = str(place / "data"), str(place / "store.sqlite")
    rng = random.Random(options.seed)
    store, server = Store(path), Server(str(pathlib.Path(options.gantry).resolve()), data, *more)
    workers = None
    try:
        for queue in QUEUES:
            Asking(server.url).until_answered("PUT", f"/queue/v1/queues/{queue}", {"settings": SETTINGS})
        stop = threading.Event()
        producers = [Producer(server.url, path, f"p{n}", options.seed + n, stop) for n in range(3)]
        workers = Workers(server, path, options.seed)
        for producer in producers:
            producer.start()
        disturb(server, workers, rng, rounds)
        stop.set()
        for producer in producers:
            producer.join(timeout=PATIENCE_S)
            assert producer.is_done, "a producer failed"
        depth = until_empty(server, patience_s)
        workers.kill_all()
        run = {"events": server.events(), "records": store.records(), "world": store.world(), "depth": depth}
        assert server.stop() == 0, "the server did not stop in order"
        return run, data
    finally:
        if workers:
            workers.kill_all()
        server.process.kill()


def told(run, tasks, completed):
    count = lambda wanted: sum(map(wanted, run["records"]))  # noqa: E731
    expired = sum(e["type"] == "failed" and e["data"]["ending"] == "expired" for e in run["events"])
    reserved = sum(e["type"] == "reserved" for e in run["events"])
    return (f"{len(tasks)} tasks, {reserved} leases, {expired} ran out, {len(completed)} heard that they were done, "
            f"{count(lambda r: r['kind'] == 'heard' and r['status'] == 409)} came too late, "
            f"{count(lambda r: r['kind'] == 'refused')} refused by the store")


def main():
    options = argparse.ArgumentParser()
    options.add_argument("gantry")
    options.add_argument("--rounds", type=int, default=8)
    options.add_argument("--seed", type=int, default=1)
    options = options.parse_args()
    place = pathlib.Path(tempfile.mkdtemp(prefix="gantry-queue-"))
    try:
        (place / "kept").mkdir(), (place / "forgotten").mkdir()
        run, data = disturbed(options, place / "kept", options.rounds, PATIENCE_S)
        assert run["depth"] == 0, f"{run['depth']} tasks were never given to anybody"
        tasks, completed = check(run)
        verified = subprocess.run([options.gantry, "log", "verify", "queue", "--data", data], capture_output=True, text=True)
        assert verified.returncode == 0, verified.stdout + verified.stderr
        print(f"queue, {options.rounds} kills: {told(run, tasks, completed)}", flush=True)
        check_the_check(run)
        forgotten, _ = disturbed(options, place / "forgotten", 2, 0.5, "--log", "memory:")
        try:
            check(forgotten)
        except Broken as noticed:
            print(f"a server that forgets is noticed: {noticed}")
        else:
            raise SystemExit("a server that forgets was not noticed")
    finally:
        shutil.rmtree(place, ignore_errors=True)


main()
