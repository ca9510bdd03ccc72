#!/usr/bin/env python3
"""Ten thousand workers that wait for a task at once, by HTTP and by beanstalkd's protocol: queue_waiting_test.py GANTRY [--waiters N]
[--memory-bytes-max BYTES]. What is put goes to exactly one each and wakes nobody else; who leaves gets nothing; who gets nothing is told
so at the end of its time, on a connection that stays; and what happens at the limits. 77: too few open files are allowed here."""
import argparse
import http.client
import json
import pathlib
import re
import resource
import shutil
import signal
import subprocess
import tempfile
import time

from crowd import PATIENCE_S, BeanstalkdMember, Crowd, HttpMember

LONG_MS, SHORT_MS = 3_000_000, 4_000
ROOM = 50  # waiting_commands_max of the small server


class Server:
    def __init__(self, gantry, data, *more):
        command = [gantry, "serve", "queue", "--data", data, "--listen", "127.0.0.1:0", "--queue.beanstalkd-listen", "127.0.0.1:0",
                   "--server.log-level", "warning", "--http.idle-timeout", "10m", *more]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.port, self.beanstalkd = (int(self.process.stdout.readline().rsplit(":", 1)[1]) for _ in range(2))
        self.connection = None

    def ask(self, method, path, body=None, kind="application/json"):
        if not self.connection:
            self.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        while True:
            self.connection.request(method, path, body, {"Content-Type": kind})
            reply = self.connection.getresponse()
            status, text = reply.status, reply.read().decode()
            if status != 503:
                return status, text

    def metric(self, name):
        return sum(float(value) for value in re.findall(rf"^{name}(?:\{{.*\}})? (\S+)$", self.ask("GET", "/metrics")[1], re.M))

    def memory_bytes(self):
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+) kB", status)[1]) * 1024

    def put(self, queue, count):
        """The ids of the new tasks."""
        lines = "".join('{"payload":1,"lease_s":3600}\n' for _ in range(count))
        status, text = self.ask("POST", f"/queue/v1/queues/{queue}/tasks", lines, "application/x-ndjson")
        assert status == 200, (status, text)
        return [json.loads(line)["reply"]["id"] for line in text.splitlines()]

    def until_waiting(self, count, crowd):
        deadline = time.monotonic() + PATIENCE_S
        while (found := self.metric("gantry_waiting_commands")) != count:
            assert time.monotonic() < deadline, f"{found} wait, not {count}"
            assert not crowd.hear(0.02), "one was answered, and nothing was put"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()


def wishes(number):
    """Two queues, and one in ten waits for both."""
    return ["a", "b"] if number % 10 == 0 else ["a"] if number % 2 else ["b"]


def given_once(members, tasks):
    given = [task for member in members for task in member.tasks()]
    assert len(given) == len(members), "one who waited for a task got none, or two"
    assert sorted(given) == sorted(tasks), "a task went to two, or to nobody"


class Waiters:
    def __init__(self, server, count):
        self.server, self.crowd = server, Crowd()
        self.members = []
        for number in range(count):
            kind, port = (BeanstalkdMember, server.beanstalkd) if number % 10 == 5 else (HttpMember, server.port)
            self.members.append(kind(self.crowd, number, port))

    def reserve(self, members, wait_ms):
        for member in members:
            member.reserve(wishes(member.number), wait_ms)

    def all_wait(self, memory_bytes_max):
        before = self.server.memory_bytes()  # with their connections
        self.reserve(self.members, LONG_MS)
        self.server.until_waiting(len(self.members), self.crowd)
        each = (self.server.memory_bytes() - before) // len(self.members)
        assert self.server.metric("gantry_waiting_commands_asked_total") == 0, "somebody was asked, and nothing was put"
        assert not memory_bytes_max or each < memory_bytes_max, f"one who waits takes {each} bytes"
        return each

    def some_are_served(self, count):
        """The rest is not disturbed: each put asks one, and those who took a part of a batch are not asked again."""
        began = time.monotonic()
        for queue in ("a", "b"):
            tasks = self.server.put(queue, count)
            answered = self.crowd.hear_so_many(count)
            given_once(answered, tasks)
            assert all(queue in wishes(member.number) for member in answered), "a task of another queue"
        asked = self.server.metric("gantry_waiting_commands_asked_total")
        assert asked <= 2.4 * count, f"{2 * count} tasks, and {asked} were asked"
        self.server.until_waiting(len(self.members) - 2 * count, self.crowd)
        return asked, time.monotonic() - began

    def some_leave(self, count):
        waiting = [member for member in self.members if not member.answer]
        for member in waiting[:count]:
            member.leave()
            self.members.remove(member)
        self.server.until_waiting(len(waiting) - count, self.crowd)
        return waiting[count:]

    def the_rest_is_served(self, waiting):
        mine = {"a": sum("a" in wishes(member.number) for member in waiting)}
        mine["b"] = len(waiting) - mine["a"]
        # Those who wait for both may take either, so one of the queues is emptied first.
        only_b = self.server.put("b", mine["b"])
        answered = self.crowd.hear_so_many(len(only_b))
        left = len(waiting) - len(answered)
        both = sum(len(wishes(member.number)) == 2 for member in answered)
        only_a = self.server.put("a", mine["a"] - both)
        answered += self.crowd.hear_so_many(len(only_a))
        rest = self.server.put("b", left - len(only_a))
        answered += self.crowd.hear_so_many(len(rest))
        given_once(answered, only_b + only_a + rest)
        self.server.until_waiting(0, self.crowd)

    def all_are_told_that_there_is_nothing(self):
        """On the connections that they have, and not before their time. How late the last one was."""
        self.reserve(self.members, SHORT_MS)
        self.crowd.hear_so_many(len(self.members))
        waited = [member.answer[2] - member.asked_at for member in self.members]
        assert not any(member.tasks() for member in self.members)
        assert min(waited) >= SHORT_MS / 1000 - 0.01, f"one was told after {min(waited)} s"
        assert max(waited) < SHORT_MS / 1000 + 20, f"one was told after {max(waited)} s"
        assert self.server.metric("gantry_waiting_commands") == 0
        return max(waited) - SHORT_MS / 1000


def many(options, place):
    with Server(options.gantry, str(place / "many"), "--http.connections", str(options.waiters + 100)) as server:
        waiters = Waiters(server, options.waiters)
        each = waiters.all_wait(options.memory_bytes_max)
        asked, took_s = waiters.some_are_served(options.waiters // 20)
        waiters.the_rest_is_served(waiters.some_leave(options.waiters // 20))
        late_s = waiters.all_are_told_that_there_is_nothing()
        served = options.waiters // 20 * 2
        print(f"{options.waiters} workers wait: {each} bytes each; {served} tasks asked {asked:.0f} of them and were given in "
              f"{took_s:.2f} s; {len(waiters.members)} were told that there is nothing, the last one {late_s:.2f} s after its time; "
              f"{waiters.crowd.refused} times one was told to come again (503)", flush=True)
        stop(server)


def stop(server):
    server.process.send_signal(signal.SIGTERM)
    assert server.process.wait(timeout=60) == 0, "the server did not stop in order"


def full_room(options, place):
    """As many wait as may: the next one is told so, and waits once there is a place."""
    with Server(options.gantry, str(place / "full"), "--server.waiting-commands-max", str(ROOM)) as server:
        crowd = Crowd()
        members = [HttpMember(crowd, 1, server.port) for _ in range(ROOM)]
        for member in members:
            member.reserve(["a"], LONG_MS)
        server.until_waiting(ROOM, crowd)
        late = HttpMember(crowd, 1, server.port)
        late.reserve(["a"], LONG_MS)
        assert crowd.hear_so_many(1) == [late]
        status, said, _, headers = late.answer
        assert (status, said["code"], headers["retry-after"]) == (429, "waiting_full", "1"), late.answer
        late.reserve(["a"], 0)  # who doesn't wait needs no place
        assert crowd.hear_so_many(1) == [late] and late.tasks() == [], late.answer
        members[0].leave()
        server.until_waiting(ROOM - 1, crowd)
        late.reserve(["a"], LONG_MS)
        server.until_waiting(ROOM, crowd)
        tasks = server.put("a", ROOM)
        given_once(crowd.hear_so_many(ROOM), tasks)
        stop(server)


def full_house(options, place):
    """As many connections as may be: the next one is told so; those that wait are left in peace."""
    with Server(options.gantry, str(place / "house"), "--http.connections", str(ROOM)) as server:
        crowd = Crowd()
        server.ask("GET", "/metrics")  # one of the connections
        members = [HttpMember(crowd, 1, server.port) for _ in range(ROOM - 1)]
        for member in members:
            member.reserve(["a"], LONG_MS)
        server.until_waiting(ROOM - 1, crowd)
        late = HttpMember(crowd, 1, server.port)
        late.asks_again = False
        assert crowd.hear_so_many(1) == [late]
        assert late.answer[0] == 503 and late.answer[1]["code"] == "overloaded", late.answer
        late.leave()
        tasks = server.put("a", ROOM - 1)
        given_once(crowd.hear_so_many(ROOM - 1), tasks)
        stop(server)


def any_size(options, place):
    """An answer is whole whoever makes it, the committer's thread or the lane (told_soon_bytes_max in kernel/runtime/host.cpp)."""
    with Server(options.gantry, str(place / "size")) as server:
        def leases(queue, wish):
            status, text = server.ask("POST", f"/queue/v1/queues/{queue}/reserve", json.dumps(wish))
            assert status == 200, (status, text)
            return [lease["payload"] for lease in json.loads(text)["leases"]]
        for size in (10, 4000, 4096, 4200, 100_000):
            server.ask("POST", "/queue/v1/queues/size/tasks", json.dumps({"payload": "x" * size}))
            assert leases("size", {"worker": "w"}) == ["x" * size], size
        server.ask("POST", "/queue/v1/queues/many/tasks", "".join(f'{{"payload":{n}}}\n' for n in range(1000)), "application/x-ndjson")
        assert sum((leases("many", {"worker": "w", "max": 100}) for _ in range(10)), []) == list(range(1000))
        stop(server)


def main():
    options = argparse.ArgumentParser()
    options.add_argument("gantry")
    options.add_argument("--waiters", type=int, default=10_000)
    options.add_argument("--memory-bytes-max", type=int, default=0)
    options = options.parse_args()
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if most < options.waiters + 500:
        print(f"{most} open files are allowed here, and {options.waiters + 500} are needed")
        return 77
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    place = pathlib.Path(tempfile.mkdtemp(prefix="gantry-waiting-"))
    try:
        many(options, place)
        full_room(options, place)
        full_house(options, place)
        any_size(options, place)
    finally:
        shutil.rmtree(place, ignore_errors=True)
    return 0


raise SystemExit(main())
