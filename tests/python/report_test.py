"""What stands in a report: the pipeline, what is cut, what is hidden, the timeline."""
import datetime
import io
import json
import logging
import re
import unittest
from unittest import mock

import shared
from shared import recording

import gantry_oops
from gantry_oops.safe import HIDDEN, Limits, encode, safe_report


def failure(kind=ValueError, *words):
    try:
        raise kind(*words)
    except kind as error:
        return error


class Rude:
    def __repr__(self):
        raise RuntimeError("no")

    __str__ = __repr__


class Evil(dict):
    def items(self):
        raise RuntimeError("no")


class TheReport(shared.Case):
    def test_an_exception_has_its_frames_and_what_led_to_it(self):
        config, reports = recording(branch_nick="main", revno="7")

        def inner():
            raise KeyError("cart")

        try:
            try:
                inner()
            except KeyError as error:
                raise ValueError("no cart") from error
        except ValueError as error:
            oops_id = config.file(exc_info=error)
        report = json.loads(encode(reports[0]))
        self.assertRegex(oops_id, r"^OOPS-[0-9a-f]{32}$")
        self.assertEqual((report["id"], report["type"], report["value"]), (oops_id, "ValueError", "no cart"))
        self.assertEqual((report["branch_nick"], report["revno"]), ("main", "7"))
        self.assertRegex(report["time"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$")
        self.assertIn("direct cause", report["tb_text"])
        chained = report["exceptions"]
        self.assertEqual([(c["type"], c["value"], c["relation"]) for c in chained], [("KeyError", "'cart'", "cause")])
        frame = chained[0]["frames"][-1]
        self.assertEqual((frame["module"], frame["context_line"], frame["in_app"]), (__name__, 'raise KeyError("cart")', True))
        self.assertTrue(frame["function"].endswith("inner"))
        self.assertEqual(frame["file"], __file__)

    def test_equal_failures_are_two_reports(self):
        config, reports = recording()
        error = failure(ValueError, "same")
        self.assertNotEqual(config.file(exc_info=error), config.file(exc_info=error))
        self.assertEqual(len(reports), 2)

    def test_frames_of_libraries_are_not_of_the_program(self):
        config, reports = recording()
        try:
            json.loads("{")
        except ValueError as error:
            config.file(exc_info=error)
        frames = reports[0]["frames"]
        self.assertEqual([f["in_app"] for f in frames], [True] + [False] * (len(frames) - 1))
        self.assertEqual(frames[1]["module"], "json")

    def test_groups_and_deep_recursion_are_bounded(self):
        config, reports = recording()
        config.file(exc_info=failure(ExceptionGroup, "many", [ValueError(n) for n in range(50)]))
        self.assertEqual({c["relation"] for c in reports[0]["exceptions"]}, {"member"})
        self.assertEqual(len(reports[0]["exceptions"]), 20)

        def deep():
            deep()

        try:
            deep()
        except RecursionError as error:
            config.file(exc_info=error)
        self.assertEqual(len(reports[1]["frames"]), 100)

    def test_hooks_filters_and_publishers_have_their_order_and_cannot_break_a_program(self):
        config, reports = recording(environment="live")
        config.on_create += [lambda report, context: report.update(shop=context["shop"]), lambda report, context: 1 / 0]
        config.filters.append(lambda report: report.get("shop") == "closed")
        config.filters.append(lambda report: 1 / 0)
        self.assertIsNone(config.publish(config.create({"shop": "closed"})))
        report = config.create({"shop": "open"})
        self.assertEqual(config.publish(report), [report["id"]])
        self.assertEqual((reports[0]["shop"], reports[0]["environment"]), ("open", "live"))
        self.assertIn("ZeroDivisionError", reports[0]["hook_errors"][0])
        self.assertNotIn("shop", config.template)

        def broken(_):
            raise OSError("gone")

        config.publisher = gantry_oops.fallback(lambda report: [], lambda report: ["OOPS-1"], broken)
        seen = []
        config.publishers = [lambda report: seen.append(report["id"]) or "OOPS-2", lambda report: seen.append(report["id"])]
        self.assertEqual(config.publish(config.create({"shop": ""})), ["OOPS-1", "OOPS-2"])
        self.assertEqual(seen, ["OOPS-1", "OOPS-2"])
        config.publisher, config.publishers = broken, []
        self.assertEqual(config.publish(config.create({"shop": ""})), [])
        config.publisher = gantry_oops.to_many(lambda report: ["OOPS-3"], lambda report: [report["id"] + "x"])
        self.assertEqual(config.publish(config.create({"shop": ""})), ["OOPS-3", "OOPS-3x"])

    def test_without_a_publisher_nothing_is_published(self):
        self.assertEqual(gantry_oops.Config().publish(gantry_oops.Config().create()), [])
        self.assertIsNone(gantry_oops.Config().file())

    def test_a_directory_and_a_stream_are_publishers(self):
        config = gantry_oops.Config()
        text = io.StringIO()
        config.publisher = gantry_oops.to_many(gantry_oops.to_directory(self.spool), gantry_oops.pretty_print(text))
        oops_id = config.file(exc_info=failure())
        self.assertIn(oops_id, text.getvalue())
        self.assertEqual([n.partition("-")[2] for n in self.waiting()], [oops_id + ".json"])

    def test_a_wrong_dsn_is_refused_and_its_key_never_shown(self):
        for wrong in ("", "shop", "ftp://k@h/oops/p", "http://h/oops/p", "http://k@h/p", "http://k@h/oops/", "http://k@/oops/p",
                      "http://sesame:x@h/oops/p", "http://sesame@h/oops/p?x=1", "http://sesame@h:99999/oops/p", "http://a%0ab@h/oops/p"):
            with self.subTest(wrong), self.assertRaises(ValueError) as caught:
                gantry_oops.Dsn(wrong)
            self.assertNotIn("sesame", str(caught.exception))
        dsn = gantry_oops.Dsn("https://sesame@oops.example/base/oops/shop")
        self.assertEqual((dsn.key, dsn.host, dsn.port, dsn.path), ("sesame", "oops.example", 443, "/base/oops/api/shop/report/"))
        self.assertNotIn("sesame", repr(dsn))

    def test_a_clock_far_off_spoils_nothing(self):
        for wrong in (-1, 0, 4_102_444_800, 253_402_300_000):
            with self.subTest(wrong), mock.patch("time.time_ns", return_value=wrong * 10**9):
                gantry_oops.Spool(self.spool).put("OOPS-" + "0" * 32, b'{"id":"OOPS-1"}')
        names = self.waiting()
        self.assertEqual(len(names), 3)  # before 1970 is 1970
        self.assertTrue(all(re.fullmatch(r"\d{18}-OOPS-0{32}\.json", n) for n in names), names)
        self.assertEqual(gantry_oops.safe.iso(datetime.datetime.min), "0001-01-01T00:00:00.000000Z")
        east = datetime.timezone(datetime.timedelta(hours=14))
        self.assertEqual(gantry_oops.safe.iso(datetime.datetime(1, 1, 1, tzinfo=east))[:4], "0001")


class WhatIsSafe(unittest.TestCase):
    def told(self, limits=Limits(), **report):
        text = encode(safe_report({"id": "OOPS-1", **report}, limits))
        self.assertEqual(text.decode("utf-8").encode("utf-8"), text)
        return json.loads(text)

    def test_what_json_cannot_hold_is_text(self):
        loop = []
        loop.append(loop)
        rows = [(b"caf\xc3\xa9", "café"), (b"\xff\x00", "\\xff\0"), ("\ud800x", "\\ud800x"), (float("nan"), "nan"), (float("-inf"), "-inf"),
                (2**63 - 1, 2**63 - 1), (2**63, "0x8000000000000000"), (-2**63, -2**63), (Rude(), "<unprintable Rude>"), (None, None),
                (True, True), (datetime.datetime(2026, 1, 5, 10), "2026-01-05T10:00:00.000000Z"), (datetime.timedelta(seconds=1.5), 1.5),
                ({1, }, [1]), (Evil(a=1), "<unprintable Evil>"), (ValueError, "<class 'ValueError'>"), ((1, (2,)), [1, [2]])]
        for given, expected in rows:
            with self.subTest(expected):
                self.assertEqual(self.told(x=given)["x"], expected)
        self.assertIn("<too deep>", json.dumps(self.told(x=loop)["x"]))
        self.assertEqual(self.told(x={1: "a", "1": "b", b"\xff": "c"})["x"], {"1": "a", "1'": "b", "\\xff": "c"})
        self.assertTrue(self.told(x=10**5000)["x"].startswith("0x"))

    def test_what_is_huge_is_cut_and_counted(self):
        limits = Limits(text_characters_max=100, items_max=10, depth_max=4, report_bytes_max=4096)
        self.assertNotIn("cut", self.told(limits, x="y" * 100, z=list(range(10))))
        long = self.told(limits, x="a" * 101 + "b" * 900)
        self.assertEqual(long["cut"], {"values": 1, "characters": 901})
        self.assertRegex(long["x"], r"^a{75}\[… 901 characters cut …\]b{25}$")
        self.assertEqual(self.told(limits, z=list(range(11)))["cut"], {"items": 1})
        deep = {"a": {"b": {"c": {"d": {"e": 1}}}}}
        self.assertEqual(self.told(limits, x=deep)["cut"], {"items": 1})
        flood = {"req_vars": {str(n): "é" * 100 for n in range(10)}, "timeline": [[0, 1, "SQL", "x" * 100]] * 10, "value": "boom",
                 "tb_text": "tb"}
        told = self.told(Limits(report_bytes_max=2048), **flood, other=["x" * 100] * 10)
        self.assertEqual((told["value"], told["tb_text"]), ("boom", "tb"))
        self.assertGreater(told["cut"]["items"], 1)
        self.assertGreater(told["cut"]["characters"], 10)
        self.assertLess(len(encode(told)), 3000)

    def test_no_report_is_longer_than_its_limit_and_little(self):
        for text in ("\0" * 10_000_000, "\ud800" * 1_000_000, "😀" * 2_000_000):
            told = safe_report({"id": "OOPS-1", "tb_text": text, "x": [text[:70_000]] * 1000,
                                "y": {str(n): text[:500] for n in range(3000)}})
            self.assertLess(len(encode(told)), Limits().report_bytes_max * 1.1)

    def test_secrets_are_hidden_wherever_they_stand(self):
        rows = [{"PASSWORD": "hunter22"}, {"user_passwd": "hunter22"}, {"HTTP_COOKIE": "sid=hunter22; theme=dark"},
                {"oauth_signature": "hunter22"},
                {"HTTP_AUTHORIZATION": "Bearer hunter22"}, {"HTTP_AUTHORIZATION": "Basic YW5uOmh1bnRlcjIy"}, {"X-Api-Key": "hunter22"},
                {"a": [{"b": {"csrf_token": "hunter22"}}]}, {"list": [("password", "hunter22")]}, {"url": "http://h/?a=1&token=hunter22"},
                {"QUERY_STRING": "token=hunter22&x=1"}, {"url": "http://ann:hunter22@h/"}, {"url": "http://hunter22@h/oops/1"},
                {b"password": b"hunter22"}, {"tokens": ["hunter22", "other"]}]
        for row in rows:
            with self.subTest(row):
                text = json.dumps(self.told(req_vars=row))
                self.assertNotIn("hunter22", text)
                self.assertIn(HIDDEN, text)
        self.assertNotIn("YW5u", json.dumps(self.told(req_vars=rows[5])))
        quoted = self.told(req_vars={"password": "hunter22"}, value="bad login hunter22", tb_text="x" * 400_000 + "hunter22" * 9)
        self.assertNotIn("hunter22", json.dumps(quoted))
        self.assertNotIn("unter2", quoted["tb_text"])
        self.assertEqual(self.told(value="KeyError: password=x1 in f(token=x2, a=1)")["value"],
                         f"KeyError: password={HIDDEN} in f(token={HIDDEN}, a=1)")
        plain = {"req_vars": {"PATH_INFO": "/cart", "HTTP_ACCEPT": "text/html"}, "username": "ann", "duration": 1.5,
                 "url": "http://h/a?b=c"}
        self.assertEqual(self.told(**plain), {"id": "OOPS-1", **plain})

    def test_a_secret_is_not_left_in_halves_where_a_long_text_is_cut(self):
        limits = Limits(text_characters_max=100)
        for at in range(150, 215):
            for text in ("x" * at + "SesameSesame" + "y" * 1000, "y" * 1000 + "SesameSesame" + "x" * at):
                self.assertNotRegex(self.told(limits, password="SesameSesame", value=text)["value"], "Se|same")
        for size in (54, 60):
            secret = "".join(chr(ord("А") + n) for n in range(size))
            self.assertNotRegex(self.told(limits, password=secret, value=secret * 50)["value"], "[А-я]")

    def test_more_names_may_be_secret(self):
        self.assertEqual(safe_report({"id": "OOPS-1", "card": "4111"}, secret_names=["^card$"])["card"], HIDDEN)


class TheTimeline(unittest.TestCase):
    def setUp(self):
        self.now_s = 100.0
        self.timeline = gantry_oops.Timeline(actions_max=3, clock=lambda: self.now_s)

    def test_actions_are_rows_in_milliseconds(self):
        with self.timeline.action("SQL-main", "SELECT 1"):
            self.now_s += 0.25
        self.timeline.start("email", "to ann")
        self.now_s += 0.5
        self.assertEqual(self.timeline.rows(), [[0, 250, "SQL-main", "SELECT 1"], [250, 750, "email", "to ann"]])

    def test_only_what_nests_may_hold_others(self):
        outer = self.timeline.action("SQL-main", "SELECT 1")
        with self.assertRaises(gantry_oops.OverlappingAction):
            self.timeline.action("email")
        outer.finish()
        outer.finish()
        with self.timeline.action("page", "cart", nests=True):
            self.now_s += 0.1
            with self.timeline.action("memcache", "get"):
                self.now_s += 0.1
        self.assertEqual(self.timeline.rows()[1:],
                         [[0, 0, "page-start", "cart"], [100, 200, "memcache", "get"], [200, 200, "page-stop", "cart"]])

    def test_it_is_bounded_and_counts_the_rest(self):
        for _ in range(5):
            self.timeline.action("memcache").finish()
        self.assertEqual((len(self.timeline.rows()), self.timeline.dropped), (3, 2))
        config, reports = recording()
        config.file(timeline=self.timeline, duration=-1)
        self.assertEqual((len(reports[0]["timeline"]), reports[0]["timeline_dropped"], reports[0]["duration"]), (3, 2, -1))

    def test_it_can_tell_where_an_action_began(self):
        timeline = gantry_oops.Timeline(stacks=True)
        timeline.action("SQL-main").finish()
        self.assertIn("test_it_can_tell", timeline.rows()[0][4])


class TheHandler(shared.Case):
    def setUp(self):
        super().setUp()
        self.config_, self.reports = recording()
        self.logger = logging.Logger("shop")
        self.text = io.StringIO()
        shown = logging.StreamHandler(self.text)
        shown.setFormatter(logging.Formatter("%(message)s [%(oops_id)s]"))
        self.logger.addHandler(shown)

    def install(self, **settings):
        return gantry_oops.install(self.logger, config=self.config_, **settings)

    def test_what_is_a_warning_or_worse_is_a_report_whose_id_is_logged(self):
        self.install()
        self.logger.info("fine")
        self.logger.warning("disk at %d %%", 91)
        try:
            raise KeyError("cart")
        except KeyError:
            self.logger.exception("checkout failed")
        warned, failed = self.reports
        self.assertEqual(self.text.getvalue().splitlines()[:2], ["fine []", f"disk at 91 % [{warned['id']}]"])
        self.assertIn(f"[{failed['id']}]", self.text.getvalue())
        self.assertEqual((warned["type"], warned["value"], warned["message_template"], warned["level"], warned["logger"]),
                         ("WARNING", "disk at 91 %", "disk at %d %%", "WARNING", "shop"))
        self.assertEqual(warned["frames"][-1]["context_line"], 'self.logger.warning("disk at %d %%", 91)')
        self.assertIn("script_name", warned["req_vars"])
        self.assertEqual((failed["type"], failed["value"], failed["message"]), ("KeyError", "'cart'", "checkout failed"))
        self.assertEqual(warned["duration"], -1)

    def test_the_level_is_a_choice(self):
        self.install(level=logging.ERROR)
        self.logger.warning("no")
        self.logger.error("yes")
        self.assertEqual([r["value"] for r in self.reports], ["yes"])

    def test_it_does_not_report_what_reporting_logs(self):
        self.install()
        self.config_.on_create.append(lambda report, context: self.logger.error("again"))
        self.logger.error("once")
        self.assertEqual([r["value"] for r in self.reports], ["once"])
        logging.getLogger("gantry_oops").parent = self.logger
        self.addCleanup(setattr, logging.getLogger("gantry_oops"), "parent", logging.root)
        logging.getLogger("gantry_oops").propagate = True
        logging.getLogger("gantry_oops").error("away")
        self.assertEqual(len(self.reports), 1)

    def test_it_never_raises_into_the_program(self):
        handler = self.install()
        errors = []
        handler.handleError = errors.append
        self.logger.removeHandler(self.logger.handlers[1])
        self.logger.error("%d", "x")
        self.assertEqual((self.reports[0]["type"], self.reports[0]["value"]), ("ERROR", "%d"))
        self.config_.publisher = lambda report: 1 / 0
        self.logger.error("no publisher")
        self.logger.error(Rude())
        self.config_.create = None
        self.logger.error("a fault of ours")
        self.assertEqual((len(self.reports), errors), (1, []))

    def test_a_flood_is_bounded_and_counted(self):
        self.serve()
        config = self.config()
        handler = gantry_oops.LogHandler(config=config, a_minute_max=5)
        logger = logging.Logger("flood")
        logger.addHandler(handler)
        with mock.patch("gantry_oops.log.time.monotonic", return_value=60.0):
            for n in range(12):
                logger.warning("again %d", n)
        self.assertTrue(config.flush(10))
        self.assertEqual(len(self.front.reports), 5)
        with mock.patch("gantry_oops.log.time.monotonic", return_value=120.0):
            logger.warning("later")
        self.assertTrue(config.flush(10))
        counted = [r["lost"]["rate"] for r in self.front.reports.values() if "lost" in r]
        self.assertEqual(sum(counted), 7)
