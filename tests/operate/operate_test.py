#!/usr/bin/env python3
"""A server as its operator meets it: metrics, traces that go out, a configuration read again, starts that are refused.
operate_test.py GANTRY"""
import contextlib
import http.server
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import urllib.error
import urllib.request

GANTRY = str(pathlib.Path(sys.argv.pop(1)).resolve())
HERE = pathlib.Path(__file__).resolve().parent
GOLDEN = HERE / "goldens" / "metrics.txt"
REPORT = {"package": "hello", "version": "1.0-1", "arch": "amd64", "stage": "building"}


def eventually(check, seconds=20):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := check():
            return found
        time.sleep(0.05)
    return check()


class Server:
    """gantry serve on a directory of its own, with a gantry.toml if there is a text for it."""

    def __init__(self, *arguments, toml=None, data=None, services=("tracker",)):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="gantry-operate-"))
        self.data = data or self.dir / "data"
        self.toml = self.dir / "gantry.toml"
        command = [GANTRY, "serve", *services, "--data", str(self.data), "--listen", "127.0.0.1:0"]
        if toml is not None:
            self.toml.write_text(toml)
            command += ["--config", str(self.toml)]
        self.log = open(self.dir / "log", "w+")
        self.process = subprocess.Popen([*command, *arguments], stdout=subprocess.PIPE, stderr=self.log, text=True)
        self.url = self.process.stdout.readline().removeprefix("listening ").strip()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(timeout=30)
        self.process.stdout.close()
        self.log.close()
        shutil.rmtree(self.dir, ignore_errors=True)

    def lines(self):
        return [json.loads(line) for line in (self.dir / "log").read_text().splitlines() if line.startswith("{")]

    def said(self, **wanted):
        return [line for line in self.lines() if all(line.get(k) == v for k, v in wanted.items())]

    def get(self, path, headers=None, method="GET", body=None):
        request = urllib.request.Request(self.url + path, headers={"Content-Type": "application/json", **(headers or {})}, method=method,
                                         data=None if body is None else json.dumps(body).encode())
        try:
            with urllib.request.urlopen(request, timeout=30) as reply:
                return reply.status, reply.read().decode()
        except urllib.error.HTTPError as refused:
            with refused:
                return refused.code, refused.read().decode()


def families(text):
    return sorted(re.findall(r"^# TYPE (\S+ \S+)$", text, flags=re.M))


class Metrics(unittest.TestCase):
    def test_their_names_are_the_known_ones_and_promtool_takes_them(self):
        with Server("--server.sites", "main,acme") as server:
            server.get("/tracker/v1/reports", method="POST", body=REPORT)
            server.get("/tracker/v1/nothing")
            status, text = server.get("/metrics")
        self.assertEqual(status, 200)
        found = "\n".join(families(text)) + "\n"
        if os.environ.get("UPDATE_GOLDEN"):
            GOLDEN.parent.mkdir(exist_ok=True)
            GOLDEN.write_text(found)
        self.assertEqual(found, GOLDEN.read_text(), "a dashboard that names one breaks when it goes: UPDATE_GOLDEN=1 if that is meant")
        labels = 'site="main",service="tracker",route="/tracker/v1/reports",method="POST",code="2xx"'
        self.assertIn(f"gantry_http_requests_total{{{labels}}} 1", text)
        if not shutil.which("promtool"):
            self.skipTest("promtool isn't installed")
        checked = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True, timeout=60)
        self.assertEqual(checked.returncode, 0, checked.stdout + checked.stderr)

    @unittest.skipUnless(shutil.which("prometheus"), "prometheus isn't installed")
    def test_a_real_prometheus_scrapes_them(self):
        with Server() as server, tempfile.TemporaryDirectory() as where:
            config = pathlib.Path(where) / "prometheus.yml"
            config.write_text("global: {scrape_interval: 1s}\nscrape_configs:\n"
                              f"  - job_name: gantry\n    static_configs: [{{targets: ['{server.url.removeprefix('http://')}']}}]\n")
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", 0))
                port = probe.getsockname()[1]
            with open(pathlib.Path(where) / "log", "w") as log:
                prometheus = subprocess.Popen(["prometheus", f"--config.file={config}", f"--storage.tsdb.path={where}/tsdb",
                                               f"--web.listen-address=127.0.0.1:{port}"], stdout=log, stderr=log)

            def scraped():
                with contextlib.suppress(OSError, KeyError, IndexError):
                    with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v1/query?query=gantry_service_ready", timeout=5) as reply:
                        return json.load(reply)["data"]["result"][0]["value"][1] == "1"
            try:
                self.assertTrue(eventually(scraped, 40))
            finally:
                prometheus.terminate()
                prometheus.wait(timeout=30)


class Traces(unittest.TestCase):
    def test_they_go_to_a_collector_and_carry_the_callers_id(self):
        bodies = []

        class Collector(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                bodies.append((self.path, self.headers["Content-Type"], json.loads(self.rfile.read(int(self.headers["Content-Length"])))))
                self.send_response(200)
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"{}")

            def log_message(self, *_):
                pass

        collector = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Collector)
        threading.Thread(target=collector.serve_forever, daemon=True).start()
        trace = "4bf92f3577b34da6a3ce929d0e0e4736"
        with Server("--observe.otlp-url", f"http://127.0.0.1:{collector.server_port}") as server:
            server.get("/tracker/v1/reports", {"traceparent": f"00-{trace}-00f067aa0ba902b7-01"}, "POST", REPORT)
            # It's kept after the answer went out.
            kept = eventually(lambda: json.loads(server.get(f"/_gantry/v1/traces/{trace}")[1]).get("items"), 20)
            self.assertEqual(kept[0]["request_id"][:2], "q_")

            def exported():  # on a busy machine another request may have been slow enough to be kept, too
                return [span for _, _, body in list(bodies) for of in body["resourceSpans"] for scope in of["scopeSpans"]
                        for span in scope["spans"] if span["traceId"] == trace]
            self.assertTrue(eventually(exported, 20))
        collector.shutdown()
        collector.server_close()
        self.assertEqual({told[:2] for told in bodies}, {("/v1/traces", "application/json")})
        spans = exported()
        self.assertEqual(spans[0]["parentSpanId"], "00f067aa0ba902b7")
        self.assertIn("durable", {span["name"] for span in spans})


class ReadAgain(unittest.TestCase):
    def test_what_may_change_at_once_does_and_the_rest_is_said(self):
        with Server(toml='[server]\nlog_level = "info"\n[auth]\nallow = []\n') as server:
            self.assertEqual(server.get("/tracker/v1/summary")[0], 200)
            server.toml.write_text('[server]\nlog_level = "warning"\nstop_timeout = "5s"\n[auth]\nallow = ["192.0.2.0/24"]\n')
            server.process.send_signal(signal.SIGHUP)
            self.assertTrue(eventually(lambda: server.get("/tracker/v1/summary")[0] == 403))
            self.assertIn("address_refused", server.get("/tracker/v1/summary")[1])
            self.assertEqual(server.get("/health/ready")[0], 200, "health is told to everyone")
            self.assertTrue(eventually(lambda: server.said(message="changed", key="[auth] allow")))
            self.assertTrue(server.said(message="changed, and takes effect with the next start", key="[server] stop_timeout"))

    def test_a_wrong_file_changes_nothing(self):
        with Server(toml='[auth]\nallow = []\n') as server:
            server.toml.write_text('[auth]\nallow = ["10.0.0.1/8"]\nalow = []\n')
            server.process.send_signal(signal.SIGHUP)
            found = eventually(lambda: server.said(module="config", level="error"))
            self.assertIn("stays as it was", found[0]["message"])
            self.assertEqual(server.get("/tracker/v1/summary")[0], 200)

    def test_without_tls_a_hangup_ends_nothing(self):
        with Server() as server:
            server.process.send_signal(signal.SIGHUP)
            time.sleep(0.2)
            self.assertEqual(server.get("/health/live")[0], 200)

    def test_levels_change_while_it_runs(self):
        with Server() as server:
            self.assertEqual(server.get("/_gantry/v1/log-levels", method="PUT", body={"levels": "warning"})[0], 200)
            self.assertEqual(json.loads(server.get("/_gantry/v1/log-levels")[1]), {"levels": "warning"})
            status, problem = server.get("/_gantry/v1/log-levels", method="PUT", body={"levels": "loud"})
            self.assertEqual((status, json.loads(problem)["code"]), (400, "log_level_invalid"))


class Refused(unittest.TestCase):
    """Starts that can't be: an exit code, and a sentence that names the place."""

    def run_it(self, *arguments):
        ran = subprocess.run([GANTRY, "serve", "tracker", *arguments], capture_output=True, text=True, timeout=60)
        return ran.returncode, ran.stderr

    def test_a_port_in_use(self):
        with socket.socket() as taken, tempfile.TemporaryDirectory() as where:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            code, said = self.run_it("--data", where, "--listen", f"127.0.0.1:{taken.getsockname()[1]}")
            self.assertEqual(code, 1)
            self.assertIn("in use", said)

    def test_a_directory_where_the_configuration_should_be(self):
        with tempfile.TemporaryDirectory() as where:
            code, said = self.run_it("--config", where)
            self.assertEqual(code, 2)
            self.assertIn(where, said)

    def test_open_to_others_without_credentials(self):
        with tempfile.TemporaryDirectory() as where:
            code, said = self.run_it("--data", where, "--listen", "0.0.0.0:0")
            self.assertEqual(code, 2)
            self.assertIn("gantry auth add", said)

    @unittest.skipUnless(os.geteuid() == 0 and shutil.which("setpriv"), "needs root, to become someone who may not write")
    def test_a_data_directory_that_cannot_be_written(self):
        with tempfile.TemporaryDirectory() as where:
            data = pathlib.Path(where) / "data"
            data.mkdir(mode=0o755)
            os.chmod(where, 0o755)
            ran = subprocess.run(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", GANTRY, "serve", "--data", str(data),
                                  "--listen", "127.0.0.1:0"], capture_output=True, text=True, timeout=60)
            self.assertNotEqual(ran.returncode, 0)
            self.assertIn(str(data), ran.stderr)
            self.assertIn("ermission denied", ran.stderr)

    def test_callers_that_are_malformed(self):
        with tempfile.TemporaryDirectory() as where:
            file = pathlib.Path(where) / "main" / "callers.json"
            file.parent.mkdir()
            file.write_text('{"callers":[{"name":"ci","scope":["*"]}]}')
            file.chmod(0o600)
            code, said = self.run_it("--data", where, "--listen", "127.0.0.1:0")
            self.assertEqual(code, 4)
            self.assertIn("callers.json", said)
            self.assertIn("scopes", said)


if __name__ == "__main__":
    unittest.main()
