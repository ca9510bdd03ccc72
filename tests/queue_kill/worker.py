#!/usr/bin/env python3
"""A worker: worker.py URL STORE NAME SEED QUEUE…, or with --beanstalkd ADDRESS by that protocol. It notes what it is about to say before
it says so, and what it heard; it writes what it does, under its fence, into the store. Some of them oversleep their lease."""
import argparse
import random
import socket
import time

from asking import Asking
from store import Store

LEASE_MS = 1500


class HttpWorker:
    def __init__(self, options, store):
        self.asking, self.store, self.name, self.queues = Asking(options.url), store, options.name, options.queues
        self.random = random.Random(options.seed)
        self.reserves = 0

    def run(self):
        while True:
            self.reserves += 1
            body = {"worker": self.name, "max": self.random.randrange(1, 4), "wait_ms": 500, "lease_ms": LEASE_MS, "queues": self.queues}
            # With a key, a repeat after a lost answer gives the same leases; without one they run out.
            key = f"{self.name}-{self.reserves}" if self.random.random() < 0.5 else None
            status, said = self.asking.until_answered("POST", f"/queue/v1/queues/{self.queues[0]}/reserve", body, key)
            assert status == 200, said
            for lease in said["leases"]:
                self.store.note("took", lease["task"], lease["fence"], self.name, 0, lease["deadline"])
            for lease in said["leases"]:
                self.work(lease)

    def work(self, lease):
        dice = self.random.random()
        if dice < 0.1:
            return self.say(lease, "fail", {"reason": "not this time", "retry_after_ms": self.random.randrange(300)})
        if dice < 0.18:
            return self.say(lease, "release", {})
        if dice < 0.24:
            self.say(lease, "extend", {"lease_ms": LEASE_MS, "progress_permille": 500})
        if dice > 0.97:
            time.sleep(LEASE_MS / 1000 + 0.3)  # it is what the lease is about
        self.store.write(lease["task"], lease["fence"], self.name)
        self.say(lease, "complete", {"result": lease["fence"]} if dice < 0.6 else {})

    def say(self, lease, word, body):
        self.store.note("says", lease["task"], lease["fence"], word)
        key = f"{word}-{lease['lease']}" if self.random.random() < 0.7 else None
        status, said = self.asking.until_answered("POST", f"/queue/v1/leases/{lease['lease']}/{word}", body, key)
        assert status == 200 or said["code"] in ("lease_lost", "task_not_found"), (status, said)
        self.store.note("heard", lease["task"], lease["fence"], word, status, said.get("deadline") or "")


class BeanstalkdWorker:
    """It learns its fence over HTTP: the protocol has none. Only one of them at a time, so the holder that is shown is itself."""

    def __init__(self, options, store):
        self.store, self.queues, self.asking = store, options.queues, Asking(options.url)
        self.address = options.beanstalkd.rsplit(":", 1)

    def run(self):
        while True:
            try:
                with socket.create_connection((self.address[0], int(self.address[1])), timeout=30) as connection:
                    self.talk(connection.makefile("rwb"))
            except OSError:
                time.sleep(0.05)  # a server that was killed starts anew

    def ask(self, stream, line):
        stream.write(line.encode() + b"\r\n")
        stream.flush()
        said = stream.readline().decode().split()
        if not said:
            raise OSError("the connection has gone")
        return said

    def talk(self, stream):
        for queue in self.queues:
            self.ask(stream, f"watch {queue}")
        while True:
            said = self.ask(stream, "reserve-with-timeout 1")
            if said[0] != "RESERVED":
                continue
            job, size = said[1], int(said[2])
            stream.read(size + 2)
            answer = self.asking.once("GET", f"/queue/v1/tasks/t_{job}")
            lease = answer[1].get("task", {}).get("lease") if answer else None
            if not lease or not lease["worker"].startswith("beanstalkd/"):
                continue
            task, fence = f"t_{job}", lease["fence"]
            self.store.note("took", task, fence, lease["worker"], 0, lease["deadline"])
            self.store.write(task, fence, lease["worker"])
            self.store.note("says", task, fence, "complete")
            said = self.ask(stream, f"delete {job}")
            assert said[0] in ("DELETED", "NOT_FOUND"), said
            self.store.note("heard", task, fence, "complete", 200 if said[0] == "DELETED" else 409)


def main():
    options = argparse.ArgumentParser()
    options.add_argument("url")
    options.add_argument("store")
    options.add_argument("name")
    options.add_argument("seed", type=int)
    options.add_argument("queues", nargs="+")
    options.add_argument("--beanstalkd")
    options = options.parse_args()
    store = Store(options.store)
    (BeanstalkdWorker if options.beanstalkd else HttpWorker)(options, store).run()


main()
