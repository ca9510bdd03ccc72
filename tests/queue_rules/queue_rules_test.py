#!/usr/bin/env python3
"""A tracker whose events become tasks by rules: of a queue beside it, and of a queue in another process that reads its feed over HTTP. Both
processes are killed with SIGKILL again and again meanwhile; in the end each event is one task in each queue, in the order of the events.
queue_rules_test.py GANTRY [--kills N] [--reports N] [--seed N]"""
import argparse
import base64
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


class Server:
    """One that comes back at the same address."""

    def __init__(self, gantry, services, data, *options):
        self.command = [gantry, "serve", *services, "--data", str(data), *options, "--listen"]
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

    def ask(self, path, body=None, method=None, headers=None):
        """Status and answer; tried until the server is there."""
        data = None if body is None else json.dumps(body).encode()
        for _ in range(600):
            request = urllib.request.Request(self.url + path, data=data, method=method,
                                             headers={"Content-Type": "application/json", **(headers or {})})
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

    def events(self, service, kind):
        request = urllib.request.Request(f"{self.url}/{service}/v1/events?type={kind}", headers={"Accept": "application/x-ndjson"})
        with urllib.request.urlopen(request, timeout=60) as reply:
            return [json.loads(line) for line in reply if line.strip()]


def tasks_of(server, queue):
    """What the rule put, by the log of the queue: the id of the event and the key of the task."""
    puts = [event["data"] for event in server.events("queue", "put") if event["data"]["queue"] == queue]
    return [(json.loads(payload_of(put))["id"], put["key"]) for put in puts]


def payload_of(put):
    return base64.b64decode(put["content"]["payload"])


def caught_up(server, end, seconds=60):
    stop = time.monotonic() + seconds
    while time.monotonic() < stop:
        status, rule = server.ask("/queue/v1/rules/reports")
        if status == 200 and rule["state"] == "caught_up" and rule["after"] == end:
            return rule
        time.sleep(0.05)
    raise SystemExit(f"it does not catch up: {rule}")


def main():
    options = argparse.ArgumentParser()
    options.add_argument("gantry")
    options.add_argument("--kills", type=int, default=12)
    options.add_argument("--reports", type=int, default=1500)
    options.add_argument("--seed", type=int, default=7)
    options = options.parse_args()
    dice = random.Random(options.seed)
    where = pathlib.Path(tempfile.mkdtemp(prefix="gantry-rules-"))
    gantry = str(pathlib.Path(options.gantry).resolve())
    servers = []
    try:
        near = Server(gantry, ["tracker", "queue"], where / "near", "--queue.rule-sources", "/tracker")
        servers.append(near)
        feed = near.url + "/tracker/v1/events"
        far = Server(gantry, ["queue"], where / "far", "--queue.rule-sources", feed)
        servers.append(far)
        for server, source in ((near, "/tracker"), (far, feed)):
            rule = {"source": source, "types": ["reported"], "queue": "reports", "key_from": "/data/package"}
            status, said = server.ask("/queue/v1/rules/reports", rule, "PUT")
            assert status == 201, said
        status, said = far.ask("/queue/v1/rules/other", {"source": "/tracker", "types": ["reported"], "queue": "x"}, "PUT")
        assert (status, said["code"]) == (422, "source_not_allowed"), said

        def report():
            for n in range(options.reports):
                body = {"package": f"p{n % 7}", "version": f"1.0-{n}", "arch": "amd64", "stage": "done", "result": "accepted"}
                status, said = near.ask("/tracker/v1/reports", body, headers={"Idempotency-Key": f"r{n}"})
                assert status in (200, 201), said

        reporter = threading.Thread(target=report)
        reporter.start()
        for _ in range(options.kills):
            time.sleep(dice.uniform(0.05, 0.5))
            dice.choice(servers).kill()
        reporter.join()
        reported = near.events("tracker", "reported")
        assert len(reported) == options.reports, f"{len(reported)} of {options.reports} reports"
        _, page = near.ask("/tracker/v1/events?limit=1")
        wanted = [(event["id"], event["data"]["package"]) for event in reported]
        for name, server in (("near", near), ("far", far)):
            rule = caught_up(server, page["position"])
            found = tasks_of(server, "reports")
            doubled = len(found) - len(set(found))
            assert found == wanted, f"{name}: {len(found)} tasks of {len(wanted)} events, {doubled} twice"
            assert rule["tasks"] == len(wanted) and rule["behind"] == 0, rule
        status, text = near.ask("/queue/v1/queues/reports")
        assert text["counts"]["ready"] == len(wanted), text
        print(f"{options.kills} kills: {len(wanted)} events are {len(wanted)} tasks, here and over HTTP")
    finally:
        for server in servers:
            server.process.kill()
            server.process.wait()
        shutil.rmtree(where, ignore_errors=True)


if __name__ == "__main__":
    main()
