// The bars of how many reports a group had by hour or day. No browser.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { barsOf } from "../../console/src/counts.js";

const NOW = Date.parse("2026-11-22T10:17:00Z");

describe("the bars of counts", () => {
  it("are one a day, nothing where nothing came, the newest last", () => {
    const bars = barsOf([{ at: "2026-11-22T00:00:00Z", count: 3 }, { at: "2026-11-20T00:00:00.000000Z", count: 7 }], "day", NOW);
    assert.equal(bars.length, 30);
    assert.deepEqual(bars.slice(-3).map((bar) => bar.count), [7, 0, 3]);
    assert.equal(bars.at(-1).at, Date.parse("2026-11-22T00:00:00Z"));
    assert.equal(bars.reduce((sum, bar) => sum + bar.count, 0), 10);
  });
  it("are of whole hours, without the part of one that is a day ago", () => {
    const bars = barsOf([{ at: "2026-11-22T10:00:00Z", count: 1 }, { at: "2026-11-21T10:00:00Z", count: 9 }], "hour", NOW);
    assert.deepEqual([bars.length, bars[0].at, bars.at(-1).count], [24, Date.parse("2026-11-21T11:00:00Z"), 1]);
    assert.equal(bars.reduce((sum, bar) => sum + bar.count, 0), 1);
  });
  it("show the newest report to a reader whose clock is behind", () => {
    const bars = barsOf([{ at: "2026-11-22T13:00:00Z", count: 2 }], "hour", NOW);
    assert.deepEqual([bars.at(-1).at, bars.at(-1).count], [Date.parse("2026-11-22T13:00:00Z"), 2]);
    assert.equal(barsOf([], "hour", NOW).every((bar) => bar.count === 0), true);
  });
});
