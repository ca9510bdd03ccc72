// What the home page makes of the status: rates, gaps, what is wrong. No browser.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { alarms, bytes, History, keyOf, ownSite, short, SHOWN_MS, sparkPath } from "../../console/src/status.js";

const start = Date.parse("2026-01-01T00:00:00Z");
const service = (fields) => ({ name: "tracker", state: "ready", position: "x", events: 0, of: 0, durable_lag_events: 0, log_bytes: 0,
  memory_bytes: 0, effects_pending: 0, effects_dead: 0, requests: 0, errors: 0, failures: 0, p99_ms: 0, followers: [], ...fields });
const status = (second, fields, process) => ({ version: "1", now: new Date(start + second * 1000).toISOString(), started_at: "a",
  cpu_seconds: 0, resident_bytes: 0, connections: 0, live_readers: 0, sites: [{ name: "main", services: [service(fields)] }], ...process });
const taken = (...all) => {
  const history = new History();
  for (const one of all) history.take(one);
  return history;
};
const rows = (history) => history.of(keyOf("main", "tracker"));

describe("the history of a status", () => {
  it("makes rates of counters, by the server's clock", () => {
    const history = taken(status(0, { requests: 10, events: 5 }), status(2, { requests: 30, errors: 1, events: 6 }, { cpu_seconds: 1 }));
    const [first, second] = rows(history);
    assert.equal(first.requests_s, undefined, "nothing to compare with");
    assert.deepEqual([second.requests_s, second.errors_s, second.events_s], [10, 0.5, 0.5]);
    assert.equal(history.of("")[1].cpu_percent, 50);
  });
  it("tells no rate over a restart, nor of a log that is being read", () => {
    const restarted = taken(status(0, { requests: 10 }), status(1, { requests: 50 }, { started_at: "b" }));
    assert.equal(rows(restarted)[1].requests_s, undefined);
    const starting = taken(status(0, { state: "starting" }), status(1, { state: "starting", events: 1000 }));
    assert.equal(rows(starting)[1].events_s, undefined);
  });
  it("keeps the last minutes, and each moment once", () => {
    const history = taken(status(0), status(0), ...Array.from({ length: 400 }, (_, n) => status(n + 1)));
    assert.equal(rows(history).length, SHOWN_MS / 1000);
    assert.equal(new Set(rows(history).map((s) => s.at)).size, SHOWN_MS / 1000);
  });
  it("begins anew when the server's clock was set back", () => {
    const history = taken(status(100), status(101), status(50), status(51));
    assert.deepEqual(rows(history).map((s) => s.at), [start + 51000]);
  });
});

describe("what is wrong", () => {
  const keys = (fields, process) => alarms(status(0, fields, process), taken(status(0, fields, process))).map((a) => a.key);
  it("is nothing when all is well", () => {
    assert.deepEqual(keys({}, { disk_free_bytes: 2048 * 1024 * 1024 }), []);
    assert.deepEqual(keys({ followers: [{ source: "a", state: "caught_up", lag_events: 0, lag_s: 0, dead_letters: 0 }] }), []);
  });
  for (const [fields, process, expected] of [
    [{ state: "stopped" }, {}, "main/tracker stopped"],
    [{ failures: 1 }, {}, "main/tracker failures"],
    [{ effects_dead: 2 }, {}, "main/tracker effects"],
    [{ followers: [{ source: "a", state: "running", dead_letters: 1 }] }, {}, "main/tracker letters a"],
    [{ followers: [{ source: "a", state: "full", dead_letters: 9 }] }, {}, "main/tracker letters a"],
    [{ followers: [{ source: "a", state: "refused", dead_letters: 0, why: "no" }] }, {}, "main/tracker follower a"],
    [{ followers: [{ source: "a", state: "backing_off", dead_letters: 0 }] }, {}, "main/tracker follower a"],
    [{}, { disk_free_bytes: 2048 * 1024 * 1024 - 1 }, "disk"],
  ])
    it(`is ${expected} for ${JSON.stringify({ ...fields, ...process })}`, () => assert.deepEqual(keys(fields, process), [expected]));
  it("is an error of the last minutes, and no longer than that", () => {
    const failed = taken(status(0), status(1, { errors: 1 }));
    assert.deepEqual(alarms(status(1), failed).map((a) => a.key), ["main/tracker errors"]);
    for (let n = 2; n <= 302; ++n) failed.take(status(n, { errors: 1 }));
    assert.deepEqual(alarms(status(302), failed), []);
  });
  it("is a lag that lasts, not one group commit", () => {
    const lag = { durable_lag_events: 3 };
    const short = taken(status(0), status(1), status(6, lag));
    assert.deepEqual(alarms(status(6, lag), short), []);
    const long = taken(...[0, 1, 2, 3, 4, 5].map((n) => status(n, lag)));
    assert.deepEqual(alarms(status(5, lag), long).map((a) => a.key), ["main/tracker lag"]);
  });
  it("tells the worst first, each with what to do", () => {
    const told = alarms(status(0, { state: "stopped" }, { disk_free_bytes: 1024 ** 3 }), taken(status(0)));
    assert.deepEqual(told.map((a) => a.tone), ["bad", "warn"]);
    assert.equal(alarms(status(0, {}, { disk_free_bytes: 1 }), taken(status(0)))[0].tone, "bad");
    for (const alarm of told) assert.ok(alarm.remedy.length > 0);
  });
});

describe("a sparkline", () => {
  const box = { width: 60, height: 20 };
  const at = (second, value) => ({ at: start + second * 1000, value });
  const path = (samples, more) => sparkPath(samples, (s) => s.value, { ...box, ...more });
  it("goes from the left to the right edge, where now is", () => {
    assert.equal(path([at(0, 0), at(1, 10)]), "M59 20L60 0");
  });
  it("is as wide as the minutes that are known", () => {
    assert.equal(path([at(0, 0), at(60, 10)], { gap_ms: 60000 }), "M0 20L60 0");
    assert.equal(path([at(0, 0), at(150, 10), at(300, 0)], { gap_ms: 150000 }), "M0 20L30 0L60 20");
  });
  it("breaks where nothing was known", () => {
    assert.equal(path([at(0, 1), at(10, 1), at(11, undefined), at(12, 1)]), "M48 0M58 0L60 0");
  });
  it("is empty without values, and at the bottom for zeros", () => {
    assert.equal(path([]), "");
    assert.equal(path([at(0, undefined)]), "");
    assert.equal(path([at(0, 0), at(1, 0)]), "M59 20L60 20");
  });
  it("shows a small move of a large value as small", () => {
    assert.equal(path([at(0, 1000), at(1, 1010)], { from: "least" }), "M59 20L60 18");
  });
});

describe("figures", () => {
  it("are short", () => {
    assert.deepEqual([0, 0.123, 3.21, 120.4, 9999, 12500, 3.2e6].map(short), ["0", "0.12", "3.2", "120", "9,999", "13k", "3.2M"]);
    assert.deepEqual([0, 1023, 1024, 1536, 20 * 1024 ** 2, 1024 ** 3].map(bytes),
      ["0 B", "1,023 B", "1 KiB", "1.5 KiB", "20 MiB", "1 GiB"]);
  });
  it("of one's own site are those of the host's first label", () => {
    const two = { sites: [{ name: "main" }, { name: "acme" }] };
    const hosts = { localhost: "main", "acme.localhost": "acme", "127.0.0.1": "main", "[::1]": "main", "x.org": "main" };
    for (const [host, own] of Object.entries(hosts))
      assert.equal(ownSite(two, host), own);
  });
});
