"""The judging: medians of ratios, goals from both sides, and the histogram's mirror of histogram.h."""
import sys
import unittest

sys.dont_write_bytecode = True
import measure  # noqa: E402
import page  # noqa: E402


class Judging(unittest.TestCase):
    def test_a_goal_holds_from_its_value_on(self):
        for better, good, bad in (("higher", [0.8, 0.9], [0.79]), ("lower", [0.8, 0.7], [0.81])):
            for value in good:
                self.assertTrue(measure.row("x", value, "×", better, 0.8)["holds"])
            for value in bad:
                self.assertFalse(measure.row("x", value, "×", better, 0.8)["holds"])

    def test_what_was_not_measured_does_not_hold(self):
        self.assertFalse(measure.row("x", None, "×", "higher", 0.8)["holds"])

    def test_a_value_is_judged_before_it_is_rounded(self):
        self.assertFalse(measure.row("x", 0.79999, "×", "higher", 0.8)["holds"])

    def test_a_recorded_figure_always_holds(self):
        found = measure.row("x", 12345.678, "µs", "lower", peers={"y": 0.123456})
        self.assertEqual(found, {"name": "x", "value": 12350.0, "unit": "µs", "better": "lower", "goal": None, "holds": True,
                                 "peers": {"y": 0.1235}})

    def test_a_ratio_is_taken_within_each_round(self):
        self.assertEqual(measure.ratio([2, 20, 200], [1, 10, 50]), 2)

    def test_rounds_interleave_and_turn(self):
        order = []
        measure.rounds(2, {"a": lambda: order.append("a"), "b": lambda: order.append("b")})
        self.assertEqual(order, ["a", "b", "b", "a"])


class Histogram(unittest.TestCase):
    def test_steps_join_without_gaps(self):
        middles = [measure.middle_ns(i) for i in range(1920)]
        self.assertEqual(middles, sorted(middles))
        self.assertEqual(middles[31], 31)
        self.assertAlmostEqual(measure.middle_ns(64), 65)

    def test_percentiles_are_of_what_came_between(self):
        before, after = [0] * 1920, [0] * 1920
        before[10] = after[10] = 1000
        after[20], after[30] = 90, 10
        self.assertEqual(measure.sync_percentiles(before, after), (0.02, 0.03, 100))
        self.assertIsNone(measure.sync_percentiles(after, after))


class Page(unittest.TestCase):
    def test_the_table_and_the_page_tell_each_verdict(self):
        rows = [measure.row("fast", 3, "×", "higher", 2.5, {"other": 1200}), measure.row("slow", 2, "×", "higher", 2.5),
                {**measure.row("gone: not measured", None, "", "higher"), "holds": False}]
        shown = "\n".join(page.table(rows, [("CPU", "one")], {"store": "synced"}))
        for expected in ("≥ 2.5 holds", "≥ 2.5 FAILS", "not measured", "other 1 200", "CPU: one", "store: synced"):
            self.assertIn(expected, shown)
        written = page.markdown(rows, [("CPU", "one")], {"store": "synced"}, "make bench PEERS=1")
        self.assertIn("| fast | 3 × | ≥ 2.5 holds | other 1 200 |", written)
        self.assertIn("| store | synced |", written)


if __name__ == "__main__":
    unittest.main()
