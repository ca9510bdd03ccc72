"""The middleware: rows of what an application does and what its caller and the service get; then real servers and Flask."""
import io
import json
import logging
import sys
import threading
import time
import unittest
import urllib.error
import urllib.request
import wsgiref.simple_server
import wsgiref.util
from unittest import mock
from wsgiref.validate import validator

import shared
from shared import Case, recording, until

import gantry_oops

try:
    import flask
except ImportError:
    flask = None


class Answer:
    """What a server does with an application: `events` in their order."""

    def __init__(self):
        self.events, self.status, self.headers, self.body, self.error = [], None, None, b"", None

    def start_response(self, status, headers, exc_info=None):
        if exc_info and "bytes" in self.events:
            raise exc_info[1]
        self.events.append("start again" if self.status else "start")
        self.status, self.headers = status, dict(headers)
        return self.take

    def take(self, chunk):
        assert self.status, "bytes before start_response"
        if chunk:
            self.events.append("bytes")
        self.body += chunk

    @property
    def oops_id(self):
        return self.headers.get("X-Oops-Id")


def ask(app, stop_after=None, **environ):
    """Serves one request as a careful server would."""
    environ = {"REQUEST_METHOD": "GET", "SCRIPT_NAME": "", "PATH_INFO": "/cart", "QUERY_STRING": "", **environ}
    wsgiref.util.setup_testing_defaults(environ)
    answer = Answer()
    body = None
    try:
        body = app(environ, answer.start_response)
        for number, chunk in enumerate(body):
            answer.take(chunk)
            if number + 1 == stop_after:
                break
    except BaseException as error:
        answer.error = error
    finally:
        if hasattr(body, "close"):
            try:
                body.close()
            except Exception as error:
                answer.error = error
    return answer


class Body:
    """Gives chunks, raises those that are exceptions, and knows whether it was closed."""

    def __init__(self, *chunks, at_close=None):
        self.chunks, self.closed, self.at_close = iter(chunks), 0, at_close

    def __iter__(self):
        return self

    def __next__(self):
        chunk = next(self.chunks)
        if isinstance(chunk, BaseException):
            raise chunk
        return chunk

    def close(self):
        self.closed += 1
        if self.at_close:
            raise self.at_close


class Middleware(unittest.TestCase):
    def setUp(self):
        self.config, self.reports = recording(reporter="tests")

    def wrap(self, app, **more):
        return gantry_oops.wsgi(app, config=self.config, **more)

    def answering(self, body, status="200 OK", **more):
        def app(environ, start_response):
            start_response(status, [("Content-Type", "text/plain")])
            return body
        return self.wrap(app, **more)

    def test_a_good_answer_passes_unchanged(self):
        body = Body(b"", b"one", b"", b"two")
        answer = ask(self.answering(body))
        self.assertEqual((answer.status, answer.headers, answer.body, answer.error),
                         ("200 OK", {"Content-Type": "text/plain"}, b"onetwo", None))
        self.assertEqual((self.reports, body.closed, answer.events[0]), ([], 1, "start"))

    def test_an_empty_answer_still_has_its_headers(self):
        for body in ([], Body(), Body(b"", b"")):
            answer = ask(self.answering(body, "204 No Content"))
            self.assertEqual((answer.status, answer.body, answer.error), ("204 No Content", b"", None))

    def test_an_exception_before_the_first_bytes_is_a_page_with_the_id(self):
        error = ValueError("secret words of the failure")

        def at_once(environ, start_response):
            raise error

        def after_start(environ, start_response):
            start_response("200 OK", [("X-Mine", "1")])
            raise error

        bodies = [Body(error), Body(b"", error)]
        for app in (self.wrap(at_once), self.wrap(after_start), *map(self.answering, bodies)):
            answer = ask(app)
            [report] = self.reports
            self.assertEqual((answer.status, answer.oops_id, answer.error), ("500 Internal Server Error", report["id"], None))
            self.assertEqual(answer.headers["Content-Type"], "text/html; charset=utf-8")
            self.assertEqual(answer.headers["Content-Length"], str(len(answer.body)))
            self.assertNotIn("X-Mine", answer.headers)
            self.assertIn(report["id"].encode(), answer.body)
            self.assertNotIn(b"secret words", answer.body)
            self.assertEqual((report["type"], report["value"]), ("ValueError", "secret words of the failure"))
            self.assertGreaterEqual(report["duration"], 0)
            self.reports.clear()
        self.assertEqual([b.closed for b in bodies], [1, 1])

    def test_the_page_is_html_or_json_as_is_wanted(self):
        rows = [("", "html"), ("*/*", "html"), ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "html"),
                ("application/json", "application/json"), ("application/problem+json, application/json;q=0.5", "application/problem+json"),
                ("text/html;q=0.5, application/json", "application/json"), ("application/json;q=0.5, text/html", "html"),
                ("application/json;q=0", "html"), ("application/json;q=x", "application/json"), (",;,=", "html")]
        for accept, expected in rows:
            with self.subTest(accept):
                answer = ask(self.answering(Body(ValueError())), HTTP_ACCEPT=accept)
                if expected == "html":
                    self.assertIn(b"<!DOCTYPE html>", answer.body)
                else:
                    self.assertEqual(answer.headers["Content-Type"], expected)
                    self.assertEqual(json.loads(answer.body)["oops_id"], answer.oops_id)

    def test_the_page_may_be_the_programs_own(self):
        answer = ask(self.answering(Body(ValueError()), error_page=lambda oops_id, environ: ("text/plain", f"oh: {oops_id}".encode())))
        self.assertEqual(answer.body.decode(), f"oh: {answer.oops_id}")
        answer = ask(self.answering(Body(ValueError()), error_page=lambda oops_id, environ: 1 / 0))
        self.assertIn(b"<!DOCTYPE html>", answer.body)

    def test_a_head_request_has_no_page(self):
        answer = ask(self.answering(Body(ValueError())), REQUEST_METHOD="HEAD")
        self.assertEqual((answer.status, answer.body), ("500 Internal Server Error", b""))
        self.assertIsNotNone(answer.oops_id)

    def test_an_exception_after_the_first_bytes_goes_through_untouched_and_is_reported(self):
        error, body = ValueError(), None
        body = Body(b"one", error)
        answer = ask(self.answering(body))
        self.assertIs(answer.error, error)
        self.assertEqual((answer.status, answer.body, answer.oops_id, body.closed), ("200 OK", b"one", None, 1))
        self.assertEqual(len(self.reports), 1)

    def test_filtered_or_without_a_publisher_it_goes_through_untouched(self):
        error = ValueError()
        for spoil in (lambda: self.config.filters.append(lambda report: True), lambda: setattr(self.config, "publisher", None),
                      lambda: setattr(self.config, "publisher", lambda report: [])):
            self.setUp()
            spoil()
            answer = ask(self.answering(Body(error)))
            self.assertIs(answer.error, error)
            self.assertEqual((answer.events, self.reports), ([], []))

    def test_an_exception_that_the_application_signals_is_reported_and_its_answer_kept(self):
        def app(environ, start_response):
            start_response("200 OK", [])
            try:
                raise KeyError("x")
            except KeyError:
                start_response("503 Busy", [("Content-Type", "text/plain")], sys.exc_info())
            return [b"my own words"]

        answer = ask(self.wrap(app, lazr_header=True))
        self.assertEqual((answer.status, answer.body, len(self.reports)), ("503 Busy", b"my own words", 1))
        self.assertEqual((answer.oops_id, answer.headers["X-Lazr-OopsId"]), (self.reports[0]["id"],) * 2)
        self.assertEqual(self.reports[0]["type"], "KeyError")

    def test_one_signalled_after_the_first_bytes_is_reported_and_raised_by_the_server(self):
        error = KeyError("x")

        def app(environ, start_response):
            start_response("200 OK", [])
            yield b"one"
            try:
                raise error
            except KeyError:
                start_response("500 No", [], sys.exc_info())
            yield b"never"

        answer = ask(self.wrap(app))
        self.assertIs(answer.error, error)
        self.assertEqual((answer.body, len(self.reports)), (b"one", 1))

    def test_statuses_that_are_asked_for_are_reported_and_stay_as_they_are(self):
        rows = [("404 Not Found", ["404"], True), ("404 Not Found", ["4"], True), ("200 OK", ["404", "5"], False),
                ("503 Busy", ["404", "5"], True), ("500 No", [], False)]
        for status, wanted, reported in rows:
            with self.subTest(status, wanted=wanted):
                self.reports.clear()
                answer = ask(self.answering([b"mine"], status, oops_on_status=wanted))
                self.assertEqual((answer.status, answer.headers, answer.body), (status, {"Content-Type": "text/plain"}, b"mine"))
                self.assertEqual([r["HTTP_STATUS"] for r in self.reports], [status[:3]] if reported else [])

    def test_a_late_first_byte_is_a_soft_time_out(self):
        for late_ms, reported in ((90, False), (110, True)):
            self.reports.clear()
            now = iter([100.0] + [100.0 + late_ms / 1000] * 50)
            with mock.patch("gantry_oops.wsgi.time.monotonic", lambda: next(now)):
                answer = ask(self.answering([b"late"], soft_start_timeout=100))
            self.assertEqual((answer.status, answer.body), ("200 OK", b"late"))
            self.assertEqual([r["type"] for r in self.reports], ["SoftRequestTimeout"] if reported else [])
            self.assertEqual(answer.oops_id, self.reports[0]["id"] if reported else None)

    def test_a_late_failure_is_one_report(self):
        ask(self.answering(Body(ValueError()), soft_start_timeout=0))
        ask(self.answering([b"x"], "404 Not Found", soft_start_timeout=0, oops_on_status=["404"]))
        self.assertEqual([r["type"] for r in self.reports], ["ValueError", "HTTP 404"])

    def test_who_goes_away_is_nobodys_failure(self):
        for error in (BrokenPipeError(), ConnectionResetError(), ConnectionAbortedError(), GeneratorExit(), KeyboardInterrupt(),
                      SystemExit()):
            with self.subTest(error):
                self.assertIs(ask(self.answering(Body(error))).error, error)
                self.assertIs(ask(self.answering(Body(b"one", error))).error, error)
        self.assertEqual(self.reports, [])
        ask(self.answering(Body(ConnectionRefusedError("database"))))
        self.assertEqual(len(self.reports), 1)

    def test_a_generator_that_is_left_early_is_closed_and_not_reported(self):
        ended = []

        def app(environ, start_response):
            start_response("200 OK", [])
            try:
                yield b"one"
                yield b"two"
            finally:
                ended.append(True)

        ask(self.wrap(app), stop_after=1)
        self.assertEqual((ended, self.reports), ([True], []))

    def test_a_failing_close_is_reported_and_raised(self):
        error = ValueError("close")
        self.assertIs(ask(self.answering(Body(b"one", at_close=error))).error, error)
        self.assertEqual([r["value"] for r in self.reports], ["close"])

    def test_write_is_a_way_to_answer(self):
        def app(environ, start_response):
            write = start_response("200 OK", [])
            write(b"")
            write(b"one")
            return [b"two"]

        def fails(environ, start_response):
            start_response("200 OK", [])(b"one")
            raise ValueError

        answer = ask(self.wrap(app))
        self.assertEqual((answer.body, answer.error, self.reports), (b"onetwo", None, []))
        answer = ask(self.wrap(fails))
        self.assertEqual((answer.body, type(answer.error), len(self.reports)), (b"one", ValueError, 1))

    def test_an_application_that_breaks_the_rules_gets_a_page(self):
        def twice(environ, start_response):
            start_response("200 OK", [])
            start_response("200 OK", [])
            return []

        for app in (twice, lambda environ, start_response: [b"x"], lambda environ, start_response: None,
                    lambda environ, start_response: []):
            answer = ask(self.wrap(app))
            self.assertEqual((answer.status, answer.error), ("500 Internal Server Error", None))
        self.assertEqual([r["type"] for r in self.reports], ["AssertionError", "AssertionError", "TypeError", "AssertionError"])

    def test_the_environment_lets_the_application_add(self):
        def app(environ, start_response):
            environ["oops.context"].update(topic="cart", username="ann")
            environ["oops.report"].update(cart_items=3, id="OOPS-mine")
            with environ["timeline.timeline"].action("SQL-main", "SELECT 1"):
                pass
            self.assertIs(gantry_oops.timeline(), environ["timeline.timeline"])
            raise ValueError

        answer = ask(self.wrap(app))
        [report] = self.reports
        self.assertEqual((report["topic"], report["username"], report["cart_items"], report["id"]), ("cart", "ann", 3, answer.oops_id))
        self.assertEqual(report["timeline"][0][2:], ["SQL-main", "SELECT 1"])
        self.assertIsNone(gantry_oops.current())

    def test_a_timeline_of_somebody_else_is_kept(self):
        mine = gantry_oops.Timeline()
        mine.action("email").finish()
        ask(self.answering(Body(ValueError())), **{"timeline.timeline": mine})
        self.assertEqual(self.reports[0]["timeline"][0][2], "email")

    def test_variables_come_without_secrets_and_without_the_processs_environment(self):
        ask(self.answering(Body(ValueError("no hunter22"))), HTTP_COOKIE="session=hunter22", HTTP_AUTHORIZATION="Bearer abcdefgh",
            HTTP_X="é".encode().decode("latin-1"), QUERY_STRING="token=hunter33&page=2", AWS_SECRET_ACCESS_KEY="hunter44",
            DATABASE_URL="postgres://a:b@c/", REMOTE_USER="ann", PATH_INFO="/caf\xc3\xa9\xff")
        [report] = self.reports
        self.assertNotRegex(json.dumps(report), "hunter|abcdefgh|postgres")
        variables = report["req_vars"]
        self.assertEqual((variables["HTTP_COOKIE"], variables["QUERY_STRING"], variables["HTTP_X"], variables["PATH_INFO"]),
                         ("<hidden>", "token=<hidden>&page=2", "é", "/café\\xff"))
        self.assertEqual((report["username"], report["url"]), ("ann", "http://127.0.0.1/caf%C3%A9%FF?token=<hidden>&page=2"))

    def test_an_id_of_somebody_behind_is_not_doubled(self):
        def app(environ, start_response):
            try:
                raise ValueError
            except ValueError:
                start_response("500 No", [("x-oops-id", "OOPS-theirs")], sys.exc_info())
            return [b"x"]

        self.assertEqual(ask(self.wrap(app)).headers, {"x-oops-id": "OOPS-theirs"})

    def test_what_is_logged_in_a_request_has_its_variables_and_is_the_same_report(self):
        logger = logging.Logger("shop")
        gantry_oops.install(logger, config=self.config)

        def app(environ, start_response):
            logger.warning("low")
            try:
                raise ValueError("x")
            except ValueError:
                logger.exception("failed")
            start_response("500 No", [])
            return [b"x"]

        answer = ask(self.wrap(app, oops_on_status=["5"]))
        self.assertEqual([r["type"] for r in self.reports], ["WARNING", "ValueError"])
        self.assertEqual([r["req_vars"]["PATH_INFO"] for r in self.reports], ["/cart"] * 2)
        self.assertEqual(answer.oops_id, self.reports[1]["id"])

    def test_it_obeys_the_rules_of_wsgi(self):
        def good(environ, start_response):
            start_response("200 OK", [("Content-Type", "text/plain")])
            return [b"", b"one"]

        def bad(environ, start_response):
            start_response("200 OK", [("Content-Type", "text/plain")])
            yield b""
            raise ValueError

        for app in (good, bad):
            answer = ask(validator(self.wrap(validator(app))))
            self.assertIsNone(answer.error)
        self.assertEqual(len(self.reports), 1)

    def test_nothing_of_a_request_outlives_it(self):
        import gc
        import weakref
        seen = []

        class Thing:
            pass

        def app(environ, start_response):
            environ["thing"] = Thing()
            seen.append(weakref.ref(environ["thing"]))
            raise ValueError

        gc.disable()
        self.addCleanup(gc.enable)
        ask(self.wrap(app))
        self.assertIsNone(seen[0]())


class Quiet(wsgiref.simple_server.WSGIRequestHandler):
    def log_message(self, *_):
        pass


class OverHttp(Case):
    """wsgiref's server, the front and the service, all with real sockets."""

    def serve_app(self, app):
        server = wsgiref.simple_server.make_server("127.0.0.1", 0, app, handler_class=Quiet)
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        return f"http://127.0.0.1:{server.server_port}"

    def get(self, url, **headers):
        try:
            with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=10) as answer:
                return answer.status, answer.headers, answer.read()
        except urllib.error.HTTPError as answer:
            with answer:
                return answer.code, answer.headers, answer.read()

    def settings(self):
        return {"spool": self.spool, "backoff": shared.soon(), "exit_s": 0}

    def test_one_line_is_enough_and_the_id_is_given_while_the_service_is_away(self):
        def app(environ, start_response):
            if environ["PATH_INFO"] == "/fails":
                raise ValueError("no cart")
            start_response("200 OK", [("Content-Type", "text/plain")])
            return [b"fine"]

        self.serve()
        self.front.go_away()
        url = self.serve_app(gantry_oops.wsgi(app, dsn=self.front.dsn, **self.settings()))
        self.assertEqual(self.get(url + "/")[2], b"fine")
        answers = [self.get(url + "/fails", Accept="application/json") for _ in range(3)]
        ids = [headers["X-Oops-Id"] for _, headers, _ in answers]
        self.assertEqual([status for status, _, _ in answers], [500] * 3)
        self.assertEqual([json.loads(body)["oops_id"] for _, _, body in answers], ids)
        self.front.come_back()
        self.arrived(ids)
        report = self.front.reports[ids[0]]
        self.assertEqual((report["value"], report["req_vars"]["PATH_INFO"]), ("no cart", "/fails"))
        self.assertEqual(report["url"], url + "/fails")

    def test_a_client_that_hangs_up_is_no_report(self):
        broken = threading.Event()

        def app(environ, start_response):
            start_response("200 OK", [("Content-Type", "text/plain")])
            try:
                while True:
                    yield b"x" * 65536
            finally:
                broken.set()

        self.serve()
        with mock.patch("sys.stderr", io.StringIO()):
            url = self.serve_app(gantry_oops.wsgi(app, dsn=self.front.dsn, **self.settings()))
            with urllib.request.urlopen(url, timeout=10) as answer:
                answer.read(10)
            self.assertTrue(broken.wait(10))
        self.assertEqual((self.waiting(), self.front.reports), ([], {}))

    @unittest.skipIf(flask is None, "python3-flask isn't installed")
    def test_flask_that_passes_exceptions_on(self):
        app = self.shop()
        app.config["PROPAGATE_EXCEPTIONS"] = True

        @app.before_request
        def topic():  # Flask forgets the request before the middleware sees the exception
            flask.request.environ["oops.context"]["topic"] = str(flask.request.url_rule)

        app.wsgi_app = gantry_oops.wsgi(app.wsgi_app, dsn=self.serve().dsn, oops_on_status=["404"], **self.settings())
        url = self.serve_app(app)
        self.assertEqual(self.get(url + "/items/1")[2], b"item 1")
        status, headers, body = self.get(url + "/items/0")
        missing = self.get(url + "/nowhere")
        self.assertEqual((status, missing[0], missing[1]["X-Oops-Id"]), (500, 404, None))
        self.assertIn(headers["X-Oops-Id"].encode(), body)
        self.assertTrue(until(lambda: len(self.front.reports) == 2))
        report = self.front.reports[headers["X-Oops-Id"]]
        self.assertEqual((report["type"], report["topic"]), ("ZeroDivisionError", "/items/<int:number>"))
        self.assertEqual([f["function"].rpartition(".")[2] for f in report["frames"] if f["in_app"]], ["item"])
        self.assertEqual([r.get("HTTP_STATUS") for r in self.front.reports.values()], [None, "404"])

    @unittest.skipIf(flask is None, "python3-flask isn't installed")
    def test_flask_that_answers_itself_and_logs(self):
        app = self.shop()
        config = gantry_oops.Config(self.serve().dsn, **self.settings())
        app.wsgi_app = gantry_oops.wsgi(app.wsgi_app, config=config)
        app.logger.handlers = []
        app.logger.propagate = False
        gantry_oops.install(app.logger, config=config)
        url = self.serve_app(app)
        status, headers, body = self.get(url + "/items/0")
        self.assertEqual(status, 500)
        self.assertIn(b"Internal Server Error", body)
        self.arrived([headers["X-Oops-Id"]])
        report = self.front.reports[headers["X-Oops-Id"]]
        self.assertEqual((report["type"], report["logger"], report["topic"]),
                         ("ZeroDivisionError", app.logger.name, "GET /items/<int:number>"))

    @staticmethod
    def shop():
        app = flask.Flask("shop")

        @app.route("/items/<int:number>")
        def item(number):
            with gantry_oops.timeline().action("SQL-main", "SELECT 1"):
                return f"item {number // number}"
        return app


if __name__ == "__main__":
    sys.exit(unittest.main())
