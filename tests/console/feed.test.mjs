// The event feed and live queries as their users have them: the CloudEvents SDK, and EventSource in a real browser.
import assert from "node:assert/strict";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { CloudEvent, HTTP } from "cloudevents";
import { openBrowser, Program, scratchDirectory } from "./program.mjs";

const scratch = scratchDirectory();
const program = new Program(join(scratch, "data"));
let url, browser, page;

before(async () => {
  url = await program.start();
  browser = await openBrowser(scratch);
  page = await browser.newPage();
  await page.goto(`${url}/health/live`); // a page of the same origin, with nothing on it
});
after(async () => {
  await browser?.close();
  await program.stop();
  rmSync(scratch, { recursive: true, force: true });
});

// Opens an EventSource in the page and collects what it gets, by the names given, in window[name].
const listen = (name, address, names) =>
  page.evaluate(
    ([name, address, names]) => {
      const source = new EventSource(address);
      window[name] = { source, events: [] };
      for (const kind of names)
        source.addEventListener(kind, (e) => window[name].events.push({ kind, id: e.lastEventId, data: JSON.parse(e.data) }));
    },
    [name, address, names],
  );
const heard = async (name, count) => {
  await page.waitForFunction(([name, count]) => window[name].events.length >= count, [name, count]);
  return page.evaluate((name) => window[name].events, name);
};

describe("the event feed", { timeout: 60000 }, () => {
  it("is CloudEvents to the SDK, as a batch and line by line", async () => {
    for (const stage of ["queued", "building", "built"]) await program.report({ package: "hello", version: "1", stage });
    const batch = await fetch(`${url}/tracker/v1/events?limit=2`, { headers: { accept: "application/cloudevents-batch+json" } });
    const events = HTTP.toEvent({ headers: Object.fromEntries(batch.headers), body: await batch.text() });
    assert.equal(events.length, 2);
    for (const event of events) {
      assert.ok(event.validate());
      assert.equal(event.type, "tracker.reported");
      assert.equal(event.source, "/tracker");
      assert.equal(event.data.package, "hello");
    }
    const rest = await fetch(`${url}/tracker/v1/events?after=${batch.headers.get("gantry-next")}`, {
      headers: { accept: "application/x-ndjson" },
    });
    const lines = (await rest.text()).trim().split("\n");
    assert.equal(lines.length, 1);
    assert.ok(new CloudEvent(JSON.parse(lines[0])).validate());
    assert.equal(JSON.parse(lines[0]).data.stage, "built");
  });

  it("goes on in an EventSource, also over a restart", async () => {
    await listen("feed", "/tracker/v1/events", ["message", "moved", "gap"]);
    await heard("feed", 3);
    await program.report({ package: "hello", version: "1", stage: "tested" });
    const four = await heard("feed", 4);
    assert.deepEqual(four.map((e) => e.id), four.map((e) => e.data.id));
    await program.stop();
    await program.start(new URL(url).host);
    await program.report({ package: "hello", version: "1", stage: "accepted" });
    const all = await heard("feed", 6);
    assert.deepEqual(
      all.map((e) => e.data.data?.stage ?? e.kind),
      ["queued", "building", "built", "tested", "moved", "accepted"],
      "told to come back, and then exactly what it missed",
    );
  });
});

describe("a live query", { timeout: 60000 }, () => {
  it("tells an EventSource the answer and each changed one", async () => {
    await listen("live", "/tracker/v1/packages/hello?live=full", ["message"]);
    await heard("live", 1);
    await program.report({ package: "hello", version: "1", stage: "published" });
    const [first, second] = await heard("live", 2);
    assert.match(JSON.stringify(first.data), /accepted/);
    assert.match(JSON.stringify(second.data), /published/);
    await program.report({ package: "other", version: "1", stage: "queued" });
    await program.report({ package: "hello", version: "1", stage: "done", result: "accepted" });
    const three = await heard("live", 3);
    assert.equal(three.length, 3, "another package's report is no change");
  });
});
