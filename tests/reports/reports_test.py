#!/usr/bin/env python3
"""Reports of the shipped program's own failures: their way to oops here and elsewhere, its end, and gantry replay.
reports_test.py GANTRY"""
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.error
import urllib.request

GANTRY = str(pathlib.Path(sys.argv.pop(1)).resolve())


def eventually(check, seconds=20):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := check():
            return found
        time.sleep(0.05)
    return check()


class Server:
    def __init__(self, data, *, services=("tracker", "oops"), toml="", port=0):
        self.data = data
        config = data.parent / f"{data.name}.toml"
        config.write_text(toml)
        config.chmod(0o600)
        command = [GANTRY, "serve", *services, "--data", str(data), "--listen", f"127.0.0.1:{port}", "--config", str(config)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.url = self.process.stdout.readline().removeprefix("listening ").strip()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end(signal.SIGTERM)

    def end(self, by):
        if self.process.poll() is None:
            self.process.send_signal(by)
            self.process.wait(timeout=30)
        self.process.stdout.close()

    def ask(self, path, method="GET", body=None, headers=None):
        request = urllib.request.Request(self.url + path, method=method, headers={"Content-Type": "application/json", **(headers or {})},
                                         data=None if body is None else json.dumps(body).encode())
        try:
            with urllib.request.urlopen(request, timeout=30) as reply:
                return reply.status, json.loads(reply.read() or b"null"), reply.headers
        except urllib.error.HTTPError as refused:
            with refused:
                return refused.code, json.loads(refused.read() or b"null"), refused.headers

    def has(self, report):
        """The report, once oops has it."""
        return eventually(lambda: (lambda a: a[1] if a[0] == 200 else None)(self.ask(f"/oops/v1/reports/{report}")))

    def metric(self, name):
        with urllib.request.urlopen(self.url + "/metrics", timeout=30) as reply:
            found = re.search(rf"^{name}\{{[^}}]*\}} (\S+)$", reply.read().decode(), re.MULTILINE)
        return float(found[1]) if found else None


class Reports(unittest.TestCase):
    def setUp(self):
        self.place = pathlib.Path(tempfile.mkdtemp(prefix="gantry-reports-"))
        self.addCleanup(shutil.rmtree, self.place, ignore_errors=True)
        self.data = self.place / "data"

    def replay(self, report, *arguments, environment=None):
        return subprocess.run([GANTRY, "replay", report, "--data", str(self.data), *arguments], capture_output=True, text=True, timeout=60,
                              env={**os.environ, **(environment or {})}, check=False)

    def fails(self, server):
        """A 504: a position that the log doesn't have."""
        _, _, headers = server.ask("/tracker/v1/summary")
        history = headers["Gantry-Position"].split(".")[0]
        status, body, headers = server.ask("/tracker/v1/summary", headers={"Gantry-After": f"tracker={history}.7"})
        self.assertEqual(status, 504)
        self.assertEqual(body["oops_id"], headers["X-Oops-Id"])
        return body["oops_id"]

    def test_every_5xx_has_a_report_that_oops_gets(self):
        with Server(self.data) as server:
            report = self.fails(server)
            told = server.has(report)["report"]
            self.assertEqual(told["id"], report)
            self.assertEqual(told["exceptions"][0]["type"], "position_not_reached")
            self.assertEqual(told["request_id"][:2], "q_")
            self.assertEqual(told["platform"], "gantry")
            self.assertTrue(eventually(lambda: server.metric("gantry_reports_delivered_total") == 1))
            self.assertEqual(server.metric("gantry_reports_pending"), 0)
        ran = self.replay(report)
        self.assertEqual(ran.returncode, 1)
        self.assertIn("the report has no input", ran.stderr)

    @unittest.skipIf("UNDER_A_SANITIZER" in os.environ, "a sanitizer keeps the signals of the end to itself")
    def test_the_end_of_a_process_is_told_by_the_next_one(self):
        server = Server(self.data)
        server.end(signal.SIGSEGV)
        with Server(self.data) as server:
            groups = eventually(lambda: server.ask("/oops/v1/groups?project=1")[1].get("items"))
            self.assertEqual([g["title"] for g in groups], ["SIGSEGV"])
            self.assertEqual(groups[0]["level"], "fatal")
            found = server.ask("/oops/v1/reports?project=1")[1]["items"][0]["id"]
            frames = [frame["function"] for frame in server.has(found)["report"]["exceptions"][0]["frames"]]
            self.assertTrue(any("gantry::app::" in function for function in frames), frames)
        self.assertEqual(list((self.data / "main/reports.d").glob("*.dump")), [], "an orderly end leaves none")
        server = Server(self.data)
        server.end(signal.SIGKILL)
        with Server(self.data) as server:
            self.assertEqual(len(server.ask("/oops/v1/groups?project=1")[1]["items"]), 1, "whoever kills it knows")

    def test_they_go_to_an_oops_elsewhere_and_wait_while_it_is_away(self):
        there = self.place / "there"
        with Server(there, services=("oops",)) as oops:
            _, project, _ = oops.ask("/oops/v1/projects", "POST", {"name": "of others"})
            dsn = project["dsn"]
            port = oops.url.rsplit(":", 1)[1]
        with Server(self.data, services=("tracker",), toml=f'[reports]\ndsn = "{dsn}"\n') as server:
            report = self.fails(server)
            self.assertEqual(eventually(lambda: server.metric("gantry_reports_pending")), 1)
            with Server(there, port=int(port), services=("oops",)) as oops:
                told = oops.has(report)
                self.assertEqual(told["project"], project["project"])
            self.assertTrue(eventually(lambda: server.metric("gantry_reports_pending") == 0))
        wrong = subprocess.run([GANTRY, "serve", "tracker", "--data", str(self.data), "--reports.dsn", "http://oops.example"],
                               capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual(wrong.returncode, 2, wrong.stderr)
        self.assertIn("dsn", wrong.stderr)

    def test_a_replay_may_run_under_a_debugger(self):
        bin_ = self.place / "bin"
        bin_.mkdir()
        ran = self.replay("OOPS-1", "--debugger", environment={"PATH": str(bin_)})
        self.assertEqual(ran.returncode, 1)
        self.assertIn("apt-get install gdb", ran.stderr)
        gdb = bin_ / "gdb"
        gdb.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
        gdb.chmod(0o755)
        said = self.replay("OOPS-1", "--debugger", environment={"PATH": f"{bin_}:/usr/bin:/bin"}).stdout.splitlines()
        self.assertIn("break gantry_replay_decides", said)
        self.assertEqual(said[said.index("--args") + 1:], [GANTRY, "replay", "OOPS-1", "--data", str(self.data)])

    @unittest.skipUnless(shutil.which("gdb"), "there is no gdb here")
    def test_the_place_where_the_debugger_stops_is_there(self):
        ran = subprocess.run(["gdb", "-q", "-batch", "-ex", "info address gantry_replay_decides", GANTRY], capture_output=True, text=True,
                             timeout=60, check=False)
        self.assertIn('Symbol "gantry_replay_decides" is', ran.stdout)

    def test_what_is_not_there_is_said(self):
        self.data.mkdir()
        self.assertIn("has no report", self.replay("OOPS-00000000000000000000000000000000").stderr)
        self.assertEqual(self.replay("OOPS-1", "--url", "http://127.0.0.1:1").returncode, 5)


if __name__ == "__main__":
    unittest.main()
