#!/usr/bin/env python3
"""Callers, and workers that clean by tasks of the queue, while the server is killed with SIGKILL again and again. In the end the log says
that no resource was given twice at a time, nor without having been cleaned and verified since it was held, that fences only grew, and that
every ticket had exactly what it wanted. pool_kill_test.py GANTRY [--kills N] [--tickets N] [--seed N]"""
import argparse
import json
import pathlib
import random
import shutil
import signal
import subprocess
import tempfile
import threading
import time
import urllib.error
import urllib.request

RESOURCES = [f"ci_pool-{n:03}" for n in range(1, 6)]


class Server:
    """One that comes back at the same address."""

    def __init__(self, gantry, data):
        self.command = [gantry, "serve", "pool", "queue", "--data", data, "--listen"]
        self.url = None
        self.start("127.0.0.1:0")

    def start(self, listen):
        self.process = subprocess.Popen([*self.command, listen], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        line = self.process.stdout.readline()
        if not line.startswith("listening "):
            raise SystemExit(f"the server said {line!r}")
        self.url = line.split()[1]

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(timeout=60)
        self.start(self.url.removeprefix("http://"))

    def ask(self, path, body=None, method=None):
        """Status and answer; tried until the server is there."""
        data = None if body is None else json.dumps(body).encode()
        for _ in range(600):
            request = urllib.request.Request(self.url + path, data=data, method=method, headers={"Content-Type": "application/json"})
            try:
                with urllib.request.urlopen(request, timeout=30) as reply:
                    return reply.status, json.load(reply)
            except urllib.error.HTTPError as refused:
                if refused.code != 503:
                    return refused.code, json.load(refused)
            except (OSError, json.JSONDecodeError):
                pass
            time.sleep(0.05)
        raise SystemExit("the server does not come back")

    def events(self):
        request = urllib.request.Request(self.url + "/pool/v1/events", headers={"Accept": "application/x-ndjson"})
        with urllib.request.urlopen(request, timeout=60) as reply:
            return [json.loads(line) for line in reply if line.strip()]


def call(server, tickets, rng, done):
    """Takes ticket after ticket: gets its set, says that it is alive, gives it back."""
    for ticket, count in tickets:
        wish = {"ticket": ticket, "owner": f"owner{rng.randrange(3)}", "wants": [{"type": "ppa", "count": count}], "wait_ms": 2000}
        while True:
            status, said = server.ask("/pool/v1/acquire", wish)
            if status == 200:
                break
            assert status == 202, (status, said)
        lease = said["lease"]["lease"]
        assert len(said["lease"]["resources"]) == count
        assert server.ask(f"/pool/v1/leases/{lease}/heartbeat", {})[0] == 200
        status, said = server.ask(f"/pool/v1/leases/{lease}/release", {})
        assert status == 200, said
        done.append(ticket)


def clean(server, name, stop):
    """A worker: reserves a task, cleans (one in five fails), says so, completes the task."""
    rng = random.Random(name)
    while not stop.is_set():
        _, said = server.ask("/queue/v1/queues/pool-clean-ppa/reserve", {"worker": name, "wait_ms": 200, "lease_ms": 2000})
        for lease in said.get("leases", []):
            task = lease["payload"]
            about = {"fence": task["fence"], "worker": name}
            path = f"/pool/v1/resources/{task['resource']}"
            if server.ask(f"{path}/cleaning", about)[0] == 200:
                if rng.random() < 0.2:
                    server.ask(f"{path}/clean_failed", {**about, "reason": "not this time"})
                else:
                    server.ask(f"{path}/cleaned", {**about, "verified": True})
            server.ask(f"/queue/v1/leases/{lease['lease']}/complete", {})


def check(events, tickets):
    holder, usable, fence = {}, {}, {}
    had = {}

    def grows(name, value):
        assert value >= fence.get(name, 0), f"the fence of {name} went back"
        fence[name] = value

    for event in events:
        kind, data = event["type"].removeprefix("pool."), event["data"]
        if kind == "added":
            usable[data["name"]] = data["state"] == "free"
        elif kind == "cleaned":
            assert data["verified"], data
            assert data["name"] not in holder, f"{data['name']} was cleaned while it was held"
            usable[data["name"]] = True
        elif kind == "leased":
            assert data["ticket"] not in had, f"{data['ticket']} was served twice"
            had[data["ticket"]] = len(data["resources"])
            for name in data["resources"]:
                assert usable[name] and name not in holder, f"{name} was given, and is {holder.get(name) or 'not verified'}"
                assert int(data["lease"][3:]) > fence.get(name, 0), f"a fence of {name} came twice"
                holder[name], usable[name] = data["lease"], False
                grows(name, int(data["lease"][3:]))
        elif kind == "released":
            for name in data["resources"]:
                assert holder.pop(name) == data["lease"], f"{name} was given back by another"
                grows(name, data["fence"])
        elif kind == "clean_failed":
            grows(data["name"], data["fence"])
    assert had == dict(tickets), "a ticket had less than it wanted, or nothing"


def main():
    options = argparse.ArgumentParser()
    options.add_argument("gantry")
    options.add_argument("--kills", type=int, default=8)
    options.add_argument("--tickets", type=int, default=400)
    options.add_argument("--seed", type=int, default=1)
    options = options.parse_args()
    rng = random.Random(options.seed)
    data = tempfile.mkdtemp(prefix="gantry-pool-")
    server = Server(str(pathlib.Path(options.gantry).resolve()), data)
    try:
        server.ask("/pool/v1/types/ppa", {"verification": "worker", "clean_ms": 2000, "clean_attempts": 100, "clean_wait_ms": 50,
                                          "patience_ms": 500}, "PUT")
        for name in RESOURCES:
            assert server.ask("/pool/v1/resources", {"name": name, "type": "ppa", "verified": True})[0] in (200, 201)
        tickets = [(f"t{n}", rng.choice([1, 1, 1, 2, 3, 5])) for n in range(options.tickets)]
        done, stop = [], threading.Event()
        callers = [threading.Thread(target=call, args=(server, tickets[n::4], random.Random(n), done), daemon=True) for n in range(4)]
        cleaners = [threading.Thread(target=clean, args=(server, f"w{n}", stop), daemon=True) for n in range(3)]
        for thread in callers + cleaners:
            thread.start()
        kills = 0
        while any(thread.is_alive() for thread in callers):
            time.sleep(rng.uniform(0.1, 0.6))
            if kills < options.kills:
                server.kill()
                kills += 1
        stop.set()
        for thread in cleaners:
            thread.join(timeout=30)
        assert len(done) == options.tickets, f"{options.tickets - len(done)} tickets were not served"
        events = server.events()
        check(events, tickets)
        print(f"pool: {len(done)} tickets, {kills} kills, {len(events)} events: no resource had two holders, none was given unverified")
    finally:
        server.process.kill()
        shutil.rmtree(data, ignore_errors=True)


main()
