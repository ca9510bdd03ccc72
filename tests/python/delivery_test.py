"""From a program's threads to the service: whatever happens on the way, a report whose id was given arrives, once."""
import os
import signal
import subprocess
import threading
import time
import unittest
from unittest import mock

import service
import shared
from shared import Case, until

import gantry_oops

IMPORTS = """
import sys
import gantry_oops
before = set(sys.modules)
config = gantry_oops.Config(sys.argv[1], spool=sys.argv[2], timeout_s=30, gzip_above_bytes=100)
config.file(exc_info=ValueError("of many bytes " * 100))
config.flush(20)
print(sorted(set(sys.modules) - before))
"""
AT_EXIT = """
import sys
import gantry_oops
config = gantry_oops.Config(sys.argv[1], spool={spool}, timeout_s=30, exit_s=float(sys.argv[2]), backoff=gantry_oops.Backoff(0.05, 0.2))
print(config.file(exc_info=ValueError("the last")), flush=True)
"""
PREFORKED = """
import sys
import gantry_oops
def fails(environ, start_response):
    raise ValueError(environ["PATH_INFO"])
app = gantry_oops.wsgi(fails, {dsn!r}, spool={spool!r}, backoff=gantry_oops.Backoff(0.05, 0.2))
app.config.file(exc_info=ValueError("in the parent"))
"""


class Delivery(Case):
    def test_a_report_arrives_as_it_was_made(self):
        config = self.config(environment="tests")
        oops_id = config.file(exc_info=ValueError("caf\udce9 \0 é"), username="ann", timeline=[[0, 5, "SQL-main", "SELECT 1"]])
        self.arrived([oops_id])
        report = self.front.reports[oops_id]
        self.assertEqual((report["id"], report["type"], report["value"]), (oops_id, "ValueError", "caf\\udce9 \0 é"))
        self.assertEqual((report["username"], report["environment"]), ("ann", "tests"))
        self.assertEqual(report["timeline"], [[0, 5, "SQL-main", "SELECT 1"]])
        headers = self.front.requests[0]
        self.assertEqual((headers["X-Oops-Auth"], headers["Content-Type"]), (self.front.behind.username, "application/json"))
        self.assertRegex(headers["X-Oops-Sent-At"], r"^\d{4}-\d\d-\d\dT")

    def test_the_service_keeps_its_contract(self):
        self.serve()
        oops_id = gantry_oops.fresh_id()
        good = b'{"id":"%s","type":"T","value":"v"}' % oops_id.encode()
        self.assertEqual([self.post(good), self.post(good)], [200, 200])
        self.assertEqual(list(self.front.reports), [oops_id])
        rows = [(b"{", {}, {400}), (b"\xff", {}, {400}), (b"[]", {}, {400, 422}), (b"{}", {}, {400, 422}),
                (good, {"X-Oops-Auth": "wrong"}, {401, 403}), (good, {"X-Oops-Auth": ""}, {401, 403}),
                (good, {"Content-Type": "text/plain"}, {415}), (good, {"Content-Encoding": "compress"}, {415}),
                (good, {"Content-Encoding": "gzip"}, {400})]
        for body, headers, expected in rows:
            with self.subTest(body[:20], **headers):
                self.assertIn(self.post(body, headers), expected)

    def post(self, body, headers=None):
        import http.client
        connection = http.client.HTTPConnection("127.0.0.1", self.front.port, timeout=10)
        dsn = gantry_oops.Dsn(self.front.dsn)
        connection.request("POST", dsn.path, body, {"X-Oops-Auth": dsn.key, "Content-Type": "application/json", **(headers or {})})
        status = connection.getresponse().status
        connection.close()
        return status

    def test_reports_of_an_outage_arrive_once_when_the_service_is_back(self):
        self.serve()
        self.front.go_away()
        config = self.config()
        ids = [config.file(exc_info=ValueError(n)) for n in range(20)]
        self.assertNotIn(None, ids)
        self.assertTrue(until(lambda: self.told.count("service is away")))
        self.assertEqual(len(self.waiting()), 20)
        self.assertFalse(config.flush(5))
        self.front.come_back()
        self.arrived(ids)
        self.assertEqual(list(self.front.reports), ids)
        self.assertEqual(self.told.count("service is away"), 1)

    def test_a_later_run_sends_what_an_earlier_one_left(self):
        self.serve()
        self.front.go_away()
        done = self.python(AT_EXIT.format(spool=repr(str(self.spool))), self.front.dsn, 20)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.front.come_back()
        self.config().start()
        self.arrived([done.stdout.strip()])

    def test_every_fault_of_the_way_is_overcome(self):
        self.serve()
        self.front.faults += ["drop", "cut", (503, [], b""), (500, [], b""), (502, [], b"<html>"), (200, [], b"<html>"), "cut",
                              (401, [], b"")]
        config = self.config()
        ids = [config.file(exc_info=ValueError(n)) for n in range(5)]
        self.arrived(ids)

    def test_a_retry_after_is_waited_for_whatever_is_new(self):
        self.serve()
        self.front.faults.append((429, [("Retry-After", "1")], b""))
        config = self.config()
        ids = [config.file(exc_info=ValueError(1))]
        self.assertTrue(until(lambda: self.front.times_s))
        ids.append(config.file(exc_info=ValueError(2)))
        self.arrived(ids)
        self.assertGreaterEqual(self.front.times_s[1] - self.front.times_s[0], 0.99)

    def test_a_refused_key_is_said_once_and_loses_nothing(self):
        self.serve()
        self.front.always = (403, [], b'{"code":"key_wrong"}')
        config = self.config()
        ids = [config.file(exc_info=ValueError(n)) for n in range(3)]
        self.assertTrue(until(lambda: len(self.front.requests) >= 4))
        self.assertEqual(self.told.count("REFUSES US"), 1)
        self.assertNotIn(self.front.behind.username + "@", "".join(self.told.lines))
        self.front.always = None
        self.arrived(ids)

    def test_a_bad_report_is_never_sent_again(self):
        self.serve()
        self.front.faults.append((422, [], b'{"code":"report_invalid"}'))
        for spool in (self.spool, False):
            with self.subTest(spool):
                config = self.config(spool=spool)
                bad = config.file(exc_info=ValueError(1))
                self.assertTrue(config.flush(10))
                good = config.file(exc_info=ValueError(2))
                self.assertTrue(config.flush(10))
                self.assertIn(good, self.front.reports)
                self.assertNotIn(bad, self.front.reports)
                self.assertEqual(self.told.count("refuses"), 1)
                self.told.lines.clear()
                self.front.faults.append((400, [], b"no"))
        self.assertEqual(len(list((self.spool / "rejected").glob("*.answer"))), 1)

    def test_beyond_the_limit_of_the_spool_no_id_is_given_and_the_next_report_tells_how_many(self):
        self.serve()
        self.front.go_away()
        config = self.config(files_max=3)
        ids = [config.file(exc_info=ValueError(n)) for n in range(8)]
        self.assertEqual([i is None for i in ids], [False] * 3 + [True] * 5)
        self.assertEqual(gantry_oops.Spool(self.spool).lost(), {"spool_full": 5})
        self.assertEqual(self.told.count("no room"), 1)
        self.front.come_back()
        self.arrived(ids[:3])
        self.assertEqual([r.get("lost") for r in self.front.reports.values()], [{"spool_full": 5}, None, None])
        self.assertTrue(until(lambda: gantry_oops.Spool(self.spool).lost() == {}))

    def test_memory_is_bounded_too(self):
        self.serve()
        self.front.go_away()
        config = self.config(spool=False)
        config.publisher.queue_max = 4
        ids = [config.file(exc_info=ValueError(n)) for n in range(7)]
        self.assertEqual([i is None for i in ids], [False] * 4 + [True] * 3)
        config.publisher.queue_bytes_max = 0
        self.front.come_back()
        self.arrived(ids[:4])
        self.assertEqual(list(self.front.reports.values())[0]["lost"], {"queue_full": 3})
        self.assertIsNone(config.file(exc_info=ValueError()))

    def test_a_disk_that_is_stuck_costs_a_request_the_stated_time_once(self):
        config = self.config(block_ms=500)
        go_on = threading.Event()
        real = os.fsync
        with mock.patch("os.fsync", lambda handle: (go_on.wait(10), real(handle))):
            began_s = time.monotonic()
            ids = [config.file(exc_info=ValueError(0))]
            first_s = time.monotonic() - began_s
            ids += [config.file(exc_info=ValueError(n)) for n in range(1, 5)]
            all_s = time.monotonic() - began_s
            go_on.set()
            self.arrived(ids)
        self.assertGreaterEqual(first_s, 0.5)
        self.assertLess(all_s - first_s, 0.5)

    def test_a_slow_service_holds_up_nobody(self):
        self.serve()
        hole = service.socket.create_server(("127.0.0.1", 0))
        self.addCleanup(hole.close)
        config = gantry_oops.Config(f"http://k@127.0.0.1:{hole.getsockname()[1]}/oops/p", spool=self.spool, exit_s=0, timeout_s=30)
        began_s = time.monotonic()
        ids = [config.file(exc_info=ValueError(n)) for n in range(5)]
        self.assertLess(time.monotonic() - began_s, 10)
        self.assertEqual(len(self.waiting()), 5)
        self.assertFalse(config.flush(0.05))
        self.assertNotIn(None, ids)

    def test_without_threads_reports_still_reach_the_disk(self):
        config = self.config()
        with mock.patch("threading.Thread.start", side_effect=RuntimeError("can't start new thread")):
            oops_id = config.file(exc_info=ValueError())
            self.assertEqual(len(self.waiting()), 1)
        config.start()
        self.arrived([oops_id])

    def test_a_fault_of_ours_ends_no_thread(self):
        config = self.config()
        with mock.patch.object(config.publisher._drainer, "run", side_effect=RuntimeError("a fault")), \
                mock.patch.object(config.publisher.spool, "put", side_effect=TypeError("another")):
            ids = [config.file(exc_info=ValueError(0))]
            self.assertTrue(until(lambda: self.told.count("a fault")))
        ids.append(config.file(exc_info=ValueError(1)))
        self.arrived(ids)


class TheEnd(Case):
    """Of an interpreter."""

    def test_it_waits_for_what_is_on_its_way(self):
        self.serve()
        for spool in ("False", repr(str(self.spool))):
            done = self.python(AT_EXIT.format(spool=spool), self.front.dsn, 20)
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            self.assertIn(done.stdout.strip(), self.front.reports)

    def test_but_not_for_long(self):
        hole = service.socket.create_server(("127.0.0.1", 0))
        self.addCleanup(hole.close)
        began_s = time.monotonic()
        done = self.python(AT_EXIT.format(spool=repr(str(self.spool))), f"http://k@127.0.0.1:{hole.getsockname()[1]}/oops/p", 1)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertTrue(1.0 <= time.monotonic() - began_s < 15)
        self.assertEqual(len(self.waiting()), 1)

    def test_not_at_all_when_the_service_is_known_to_be_away(self):
        self.serve()
        self.front.go_away()
        began_s = time.monotonic()
        done = self.python(AT_EXIT.format(spool=repr(str(self.spool))), self.front.dsn, 20)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertLess(time.monotonic() - began_s, 15)
        self.assertEqual(len(self.waiting()), 1)
        self.front.come_back()


class Imported(Case):
    def test_no_thread_imports_anything(self):
        # A child that is forked meanwhile would wait for that module for ever.
        self.serve()
        done = self.python(IMPORTS, self.front.dsn, str(self.spool))
        self.assertEqual((done.returncode, done.stdout.strip(), len(self.front.reports)), (0, "[]", 1), done.stderr)


@unittest.skipUnless(os.access("/usr/bin/gunicorn", os.X_OK), "gunicorn isn't installed")
class Preforked(Case):
    def test_workers_of_gunicorn_report_for_themselves(self):
        self.serve()
        (self.place / "shop.py").write_text(PREFORKED.format(dsn=self.front.dsn, spool=str(self.spool)))
        address = f"unix:{self.place}/socket"
        process = subprocess.Popen(["/usr/bin/gunicorn", "--preload", "-w", "2", "-b", address, "--chdir", str(self.place), "shop:app"],
                                   stderr=subprocess.PIPE, text=True, cwd=self.place, env=shared.ENVIRONMENT)
        try:
            self.assertTrue(until(self.listens, 15))
            ids = {self.get(f"/{n}") for n in range(6)}
            self.assertEqual(len(ids), 6)
            self.assertTrue(until(lambda: len(self.front.reports) == 7, 30), list(self.front.reports))
            self.assertLessEqual(ids, set(self.front.reports))
        finally:
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=20)

    def connect(self):
        connection = service.socket.socket(service.socket.AF_UNIX)
        connection.settimeout(10)
        connection.connect(str(self.place / "socket"))
        return connection

    def listens(self):
        try:
            self.connect().close()
            return True
        except (FileNotFoundError, ConnectionRefusedError):
            return False

    def get(self, path):
        connection = self.connect()
        connection.sendall(f"GET {path} HTTP/1.0\r\n\r\n".encode())
        with connection.makefile("rb") as answer:
            head = answer.read().decode().partition("\r\n\r\n")[0]
        connection.close()
        return next(line.partition(": ")[2] for line in head.splitlines() if line.startswith("X-Oops-Id"))
