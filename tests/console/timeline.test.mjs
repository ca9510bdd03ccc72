// What the timeline of a report draws: lanes, overlaps, moments of the axis, repeats. No browser.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { DEPTH_MAX, LANES_MAX, repeated, ticks, timelineOf, took } from "../../console/src/timeline.js";

const row = (start_ms, end_ms, category = "SQL", detail = "SELECT 1") => ({ start_ms, end_ms, category, detail });

describe("a timeline", () => {
  it("has a lane for each category, the costliest first", () => {
    const { lanes, from, to } = timelineOf([row(5, 10, "http"), row(0, 100), row(120, 130)]);
    assert.deepEqual(lanes.map((lane) => [lane.category, lane.total_ms, lane.bars.length]), [["SQL", 110, 2], ["http", 5, 1]]);
    assert.deepEqual([from, to], [0, 130]);
  });
  it("reaches to the end of the request, and before its start where a row does", () => {
    assert.equal(timelineOf([row(0, 10)], 250).to, 250);
    assert.equal(timelineOf([row(-20, 10)]).from, -20);
  });
  it("puts what runs at the same time above one another, to a depth", () => {
    const three = timelineOf([row(0, 10), row(5, 15), row(10, 20)]).lanes[0];
    assert.deepEqual([three.depth, three.bars.map((bar) => bar.level)], [2, [0, 1, 0]]);
    assert.equal(timelineOf(Array.from({ length: DEPTH_MAX }, () => row(0, 10))).lanes[0].depth, DEPTH_MAX);
    assert.equal(timelineOf(Array.from({ length: DEPTH_MAX + 1 }, () => row(0, 10))).lanes[0].depth, DEPTH_MAX);
  });
  it("gathers the cheapest categories when there are too many", () => {
    const rows = (count) => Array.from({ length: count }, (_, n) => row(0, 100 - n, `c${n}`));
    assert.equal(timelineOf(rows(LANES_MAX)).lanes.at(-1).category, `c${LANES_MAX - 1}`);
    const { lanes } = timelineOf(rows(LANES_MAX + 1));
    assert.deepEqual([lanes.length, lanes.at(-1).category, lanes.at(-1).bars.length], [LANES_MAX, "2 more categories", 2]);
  });
  it("draws what makes no sense, too", () => {
    const { bars, to } = timelineOf([row(10, 5), { category: "", detail: "" }, row(-9e15, 9e15)]);
    assert.deepEqual(bars.map((bar) => bar.end >= bar.start), [true, true, true]);
    assert.equal(bars[1].category, "other");
    assert.ok(ticks(-9e15, to).length < 12);
  });
  it("has round moments on its axis", () => {
    assert.deepEqual(ticks(0, 130), [0, 50, 100]);
    assert.deepEqual(ticks(0, 1), [0, 0.2, 0.4, 0.6000000000000001, 0.8, 1]);
    assert.deepEqual(ticks(-20, 10), [-20, -10, 0, 10]);
  });
  it("finds what was done again and again", () => {
    const { bars } = timelineOf([row(0, 1), row(1, 3), row(3, 4, "http"), row(4, 9, "SQL", "SELECT 2"), row(9, 10, "SQL", ""),
      row(10, 11, "SQL", "")]);
    assert.deepEqual(repeated(bars).map(({ detail, count, total_ms }) => [detail, count, total_ms]), [["SELECT 1", 2, 3]]);
  });
  it("says how long things took", () => {
    assert.deepEqual([took(0), took(12.34), took(999), took(1234)], ["0 ms", "12.3 ms", "999 ms", "1.23 s"]);
  });
});
