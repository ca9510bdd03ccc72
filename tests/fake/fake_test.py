#!/usr/bin/env python3
"""`gantry fake` as somebody's tests meet it. fake_test.py GANTRY"""
import http.client
import json
import pathlib
import signal
import socket
import subprocess
import sys
import unittest
import urllib.error
import urllib.request

GANTRY = str(pathlib.Path(sys.argv.pop(1)).resolve())
REPORT = {"package": "hello", "version": "1.0-1", "arch": "amd64", "stage": "building"}


class Fake:
    def __init__(self, *arguments):
        self.process = subprocess.Popen([GANTRY, "fake", "tracker", *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.ready = json.loads(self.process.stdout.readline())
        self.url = self.ready["url"]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate(timeout=30)

    def ask(self, method, path, body=None):
        """Status and decoded body."""
        request = urllib.request.Request(self.url + path, method=method, data=None if body is None else json.dumps(body).encode(),
                                         headers={"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=30) as reply:
                text = reply.read()
                return reply.status, json.loads(text) if text else None
        except urllib.error.HTTPError as refused:
            with refused:
                return refused.code, json.loads(refused.read())


class FakeTest(unittest.TestCase):
    def test_the_whole_way(self):
        with Fake("--port", "0", "--clock", "2026-01-01T00:00:00Z") as fake:
            self.assertEqual(fake.ready["service"], "tracker")
            self.assertEqual(fake.ready["clock"], "2026-01-01T00:00:00Z")
            self.assertEqual(fake.ask("POST", "/tracker/v1/reports", REPORT)[0], 200)
            status, run = fake.ask("GET", "/tracker/v1/runs/r_1")
            self.assertEqual((status, run["started_at"]), (200, "2026-01-01T00:00:00Z"))

            self.assertEqual(fake.ask("POST", "/_fake/faults", {"count": 2, "status": 503, "code": "busy", "method": "POST"})[0], 200)
            for _ in range(2):
                status, problem = fake.ask("POST", "/tracker/v1/reports", REPORT)
                self.assertEqual((status, problem["code"]), (503, "busy"))
            self.assertEqual(fake.ask("POST", "/tracker/v1/reports", REPORT)[0], 200)

            self.assertEqual(fake.ask("POST", "/_fake/faults", {"disconnect": True})[0], 200)
            with self.assertRaises((http.client.HTTPException, ConnectionError, urllib.error.URLError)):
                fake.ask("GET", "/tracker/v1/summary")

            self.assertEqual(fake.ask("PUT", "/_fake/clock", {"advance": "1h"})[1], {"now": "2026-01-01T01:00:00Z"})
            status, problem = fake.ask("PUT", "/_fake/clock", {"now": "2026-01-01T00:59:59Z"})
            self.assertEqual((status, problem["code"]), (409, "clock_back"))

            calls = fake.ask("GET", "/_fake/calls")[1]
            self.assertEqual([(c["method"], c.get("status")) for c in calls["items"]],
                             [("POST", 200), ("GET", 200), ("POST", 503), ("POST", 503), ("POST", 200), ("GET", None)])
            self.assertEqual(json.loads(calls["items"][0]["body"]), REPORT)

            self.assertEqual(fake.ask("POST", "/_fake/reset")[0], 204)
            self.assertEqual(fake.ask("GET", "/_fake/clock")[1], {"now": "2026-01-01T00:00:00Z"})
            self.assertEqual(fake.ask("GET", "/_fake/calls")[1]["items"], [])
            self.assertEqual(fake.ask("GET", "/tracker/v1/runs/r_1")[0], 404)

            fake.process.send_signal(signal.SIGTERM)
            self.assertEqual(fake.process.wait(timeout=30), 0)

    def test_an_interrupt_ends_it_too(self):
        with Fake() as fake:
            fake.process.send_signal(signal.SIGINT)
            self.assertEqual(fake.process.wait(timeout=30), 0)
            self.assertEqual(fake.process.stdout.read(), "", "one line and no more")

    def test_a_port_that_is_taken_is_said(self):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = str(taken.getsockname()[1])
            done = subprocess.run([GANTRY, "fake", "tracker", "--port", port], capture_output=True, text=True, timeout=30)
            self.assertEqual((done.returncode, done.stdout), (1, ""))
            self.assertIn(port, done.stderr)

    def test_a_service_that_does_not_exist_is_named_with_those_that_do(self):
        done = subprocess.run([GANTRY, "fake", "trakcer"], capture_output=True, text=True, timeout=30)
        self.assertEqual((done.returncode, done.stdout), (2, ""))
        self.assertIn("did you mean tracker?", done.stderr)
        self.assertIn("there are: tracker", done.stderr)


unittest.main()
