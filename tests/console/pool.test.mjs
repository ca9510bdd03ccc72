// The pages of pool in a real browser against the real program, beside the queue whose workers clean.
import assert from "node:assert/strict";
import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { after, before, beforeEach, describe, it } from "node:test";
import { isTooWide, openBrowser, Program, scratchDirectory, screenshots, unnamed } from "./program.mjs";

const PASSWORD = "correct horse bättery staple";
const scratch = scratchDirectory();
const program = new Program(join(scratch, "data"), "queue", "pool");
const PICTURE = '<img src=x onerror="window.hit=1">';
let url, browser, page, complaints;

const keep = (name) => page.screenshot({ path: join(screenshots, `${name}.png`), fullPage: true });
const open = async (hash = "") => {
  await page.goto(`${url}/#/pool${hash}`);
  await page.locator("main .pool").first().waitFor();
};
const button = (name) => page.getByRole("button", { name, exact: true });
const alert = () => page.getByRole("alert");
const said = (text) => page.locator(".outcome", { hasText: text }).waitFor();
const resource = (name) => page.locator(`[data-resource="${name}"]`);
const field = (name) => page.locator(`[data-field=${name}]`);
const eventually = (what, pattern) => page.waitForFunction(([css, source]) =>
  new RegExp(source, "s").test(document.querySelector(css)?.innerText ?? ""), [what, pattern.source]);

async function call(method, path, body, headers = {}) {
  const reply = await fetch(`${url}/${path}`, { method, headers: { "content-type": "application/json", ...headers },
    body: body && JSON.stringify(body) });
  const text = await reply.text();
  if (!reply.ok) throw new Error(`${reply.status} ${text}`);
  return JSON.parse(text);
}
const pool = (method, path, body) => call(method, `pool/v1/${path}`, body);
const makeType = (type, settings = {}) => pool("PUT", `types/${type}`, { cleaning: "none", ...settings });
const add = (type, name, more = {}) => pool("POST", "resources", { name, type, ...more });
const acquire = (ticket, type, more = {}) => pool("POST", "acquire", { ticket, owner: "ann", wants: [{ type }], ...more });
const show = (name) => pool("GET", `resources/${encodeURIComponent(name)}`);

before(async () => {
  mkdirSync(screenshots, { recursive: true });
  url = await program.start();
  browser = await openBrowser(scratch);
});
after(async () => {
  await browser?.close();
  await program.stop();
  rmSync(scratch, { recursive: true, force: true });
});

describe("the pages of pool", { timeout: 180000 }, () => {
  beforeEach(async () => {
    await page?.close();
    page = await browser.newPage();
    complaints = [];
    page.on("console", (message) => ["error", "warning"].includes(message.type()) && complaints.push(message.text()));
    page.on("pageerror", (error) => complaints.push(String(error)));
  });

  it("make a type, add resources, and keep the list of types up to date", async () => {
    await open();
    await page.getByText("There is no type yet").waitFor();
    await page.getByLabel("New type").fill("arm");
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { level: 2, name: "arm" }).waitFor();
    await page.getByText("There is no resource of this type.").waitFor();
    await button("Add a resource").click();
    await page.getByLabel("Name", { exact: true }).fill("arm-1");
    await page.getByLabel("Labels").fill("series=noble, site=a=b");
    await page.getByLabel("Numbers").fill("memory_gb=lots");
    await button("Add it").click();
    await alert().waitFor();
    await page.getByLabel("Numbers").fill("memory_gb=16, load=0.5");
    await button("Add it").click();
    await said("arm-1 is there.");
    await resource("arm-1").waitFor();
    assert.deepEqual([(await show("arm-1")).labels, (await show("arm-1")).numbers],
      [{ series: "noble", site: "a=b" }, { memory_gb: 16, load: 0.5 }]);
    await open();
    await eventually('[data-type="arm"]', /arm\s+1\s+0\s+0\s+0\s+0\s+1\s+0\s+0 %/);
    await acquire("live-1", "arm");
    await eventually('[data-type="arm"]', /arm\s+0\s+1\s+0\s+0\s+0\s+1\s+0\s+100 %/);
    await page.locator("[data-lease]", { hasText: "arm-1" }).waitFor();
    await acquire("live-2", "arm", { owner: `bob ${PICTURE}` });
    await page.locator('[data-ticket="live-2"]').waitFor();
    await eventually('[data-ticket="live-2"]', /bob <img.*arm\s+1/);
    assert.deepEqual(await unnamed(page), []);
    await keep("pool");
    await page.keyboard.press("/");
    await page.keyboard.type("arm-1");
    await page.locator(".by-id a").first().waitFor();
    await page.keyboard.press("Enter");
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { level: 2, name: "arm-1" }).waitFor();
    assert.equal(await page.evaluate(() => window.hit), undefined);
    assert.deepEqual(complaints.filter((text) => !/40[0-9]|422/.test(text)), []);
  });

  it("list the resources of a type by what the address says, page by page, live", async () => {
    await makeType("many");
    for (let n = 0; n < 60; ++n) await add("many", `many-${String(n).padStart(2, "0")}`, { labels: { parity: n % 2 ? "odd" : "even" } });
    await open("/types/many");
    const rows = page.locator("[data-resource]");
    await rows.nth(49).waitFor();
    await button("more resources").click();
    await rows.nth(59).waitFor();
    await pool("POST", "resources/many-55/quarantine", { reason: "smoke" });
    await resource("many-55").getByText("quarantined").waitFor();
    await page.locator("[data-state=quarantined] a").click();
    await page.waitForFunction(() => document.querySelectorAll("[data-resource]").length === 1);
    await page.getByLabel("label").fill("parity=even");
    await page.keyboard.press("Enter");
    await page.getByText("No resource is like this.").waitFor();
    assert.match(decodeURIComponent(decodeURIComponent(page.url())), /state=quarantined&label=parity=even/);
    await page.keyboard.press("Escape");
    await rows.nth(49).waitFor();
    await page.keyboard.press("j");
    assert.ok(await page.evaluate(() => document.activeElement.matches("[data-row]")));
    await page.locator("#forecast").waitFor();
    assert.deepEqual(await unnamed(page), []);
    await keep("pool-type");
    assert.deepEqual(complaints, []);
  });

  it("draw when a type will be exhausted, by what the hours before were like", async () => {
    const start = Date.parse("2026-01-01T12:00:00Z");
    const hours = Array.from({ length: 24 }, (_, n) => ({ hour: new Date(start + n * 3600000).toISOString(), given: 1, freed: 0,
      free: Math.max(0, 5 - n) }));
    const told = { type: "arm", free: 5, days: 7, hours };
    await page.route(/\/forecast\/arm/, (route) =>
      (route.request().url().includes("live=") ? route.abort() : route.fulfill({ json: told })));
    await open("/types/arm");
    await page.getByText("It suffices for the next 24 hours, by the hours of the last 7 days.").waitFor();
    assert.equal(await page.locator(".chart canvas").count(), 1);
    assert.equal(await page.getByRole("img").getAttribute("aria-label"), "Free resources expected over the next 24 hours.");
    told.exhausted_at = hours[5].hour;
    await page.getByText(/Nothing will be left at \d\d:00/).waitFor();
    await keep("pool-forecast");
  });

  it("hold, free, quarantine, drain and steal a resource, and tell its history", async () => {
    await makeType("box");
    await add("box", "box-1", { data: { "serial": "x1" } });
    await open("/resources/box-1");
    await page.locator(".payload", { hasText: '"serial": "x1"' }).waitFor();
    await button("Hold").click();
    await page.getByLabel("For", { exact: true }).fill("soon");
    await page.getByLabel("For whom").fill("cat");
    await page.getByLabel("Why").fill("a demonstration");
    await button("Keep it back").click();
    await field("hold_ms").locator(".problem", { hasText: 'found "soon"' }).waitFor();
    await page.getByLabel("For", { exact: true }).fill("2 h");
    await button("Keep it back").click();
    await said("It is kept back.");
    await eventually("h2", /reserved/);
    await eventually("[aria-label='About it']", /by\s+cat.*until\s+in (1|2) h.*why\s+a demonstration/);
    await button("Free").click();
    await button("Free it").click();
    await said("It is free.");
    await acquire("one", "box");
    await eventually("h2", /in use/);
    assert.equal(await button("Free").count(), 0, "what is held isn't freed");
    await page.getByRole("link", { name: /^ls_/ }).first().waitFor();
    await button("Steal").click();
    await page.getByText("ann loses it at once").waitFor();
    await page.getByLabel("For the ticket").fill("one");
    await page.getByLabel("Whose").fill("eve");
    await page.getByLabel("Why").fill("an outage");
    await button("Take it").click();
    await alert().waitFor();
    assert.match(await alert().innerText(), /ticket_differs/);
    await page.getByLabel("For the ticket").fill("two");
    await button("Take it").click();
    await said("eve has it, by ls_");
    await eventually("[aria-label='About it']", /held by\s+eve/);
    await button("Drain").click();
    await button("Give it out no more").click();
    await eventually("h2", /drained/);
    await button("Give it out again").click();
    await said("It is given out again.");
    await page.getByRole("link", { name: /^ls_/ }).first().click();
    await button("Release").click();
    await page.getByLabel("it is broken").check();
    await page.getByLabel("Why").fill("no power");
    await button("Give it back for eve").click();
    await eventually("h2", /released/);
    await open("/resources/box-1");
    await page.locator("[data-step]").nth(4).waitFor();
    const told = await page.locator(".steps").innerText();
    assert.match(told, /broken.*eve.*stolen.*ann.*leased.*ann/s);
    assert.match(await page.locator("[aria-label=Health]").innerText(), /last broken by\s+eve/);
    await keep("pool-resource");
    await eventually("h2", /quarantined/);
    await button("Free").click();
    await button("Free it").click();
    await eventually("h2", /free/);
    await button("Quarantine").click();
    await page.getByLabel("Why").fill("smoke");
    await page.keyboard.press("Enter");
    await said("Nobody gets it until it is freed.");
    await button("Remove").click();
    await button("Remove box-1").click();
    await page.getByText("There is no resource of this type.").waitFor();
    assert.deepEqual(await unnamed(page), []);
    assert.deepEqual(complaints.filter((text) => !/40[0-9]|422/.test(text)), []);
  });

  it("lead to the task of the worker who cleans", async () => {
    await makeType("ppa", { cleaning: "queue", verification: "worker" });
    await add("ppa", "ppa-1", { verified: true });
    const { lease } = await acquire("clean-1", "ppa");
    await open("/resources/ppa-1");
    await eventually("h2", /in use/);
    await pool("POST", `leases/${lease.lease}/release`, { owner: "ann" });
    await eventually("h2", /dirty/);
    await page.getByRole("link", { name: /^t_\d+$/ }).click();
    await page.locator(".payload", { hasText: '"ppa-1"' }).waitFor();
    assert.match(await page.locator("[aria-label='About it']").innerText(), /pool-clean-ppa/);
    await open("/resources/ppa-1");
    await button("Free").click();
    await page.getByLabel("it is clean: I looked").check();
    await button("Free it").click();
    await said("It is free.");
    assert.deepEqual(complaints, []);
  });

  it("say where a ticket stands, why it waits and what would end that", async () => {
    await makeType("slow");
    for (const name of ["slow-1", "slow-2"]) await add("slow", name, { labels: { site: "a" } });
    await acquire("first", "slow");
    await acquire("second", "slow", { owner: "bob", wants: [{ type: "slow", count: 2, labels: { site: "a" } }], reason: PICTURE });
    await acquire("third", "slow", { owner: "cat", wants: [{ type: "slow", count: 2 }] });
    await open("/types/slow");
    await page.locator('[data-ticket="third"]').getByRole("link", { name: "third" }).click();
    await page.locator(".why", { hasText: "1 of type slow are free that fit, and 2 are wanted" }).waitFor();
    await eventually("[aria-label='About it']", /wants\s+2 ×\s+slow.*owner\s+cat.*place\s+2/);
    await page.locator("[data-freer]", { hasText: "ann" }).waitFor();
    await keep("pool-ticket");
    await open("/tickets/second");
    await page.getByText("site=a").first().waitFor();
    await button("Withdraw").click();
    await button("Take it out of the line").click();
    await eventually("h2", /withdrawn/);
    await open("/tickets/third");
    await eventually("[aria-label='About it']", /place\s+1/);
    await pool("POST", `leases/${(await acquire("first", "slow")).lease.lease}/release`, { owner: "ann" });
    await eventually("h2", /held/);
    assert.match(await page.locator(".why").innerText(), /it holds what it wants/);
    await page.getByRole("link", { name: /^ls_/ }).click();
    await page.getByRole("link", { name: "slow-2" }).waitFor();
    await open("/tickets/nobody");
    await alert().waitFor();
    assert.match(await alert().innerText(), /ticket_not_found/);
    assert.equal(await page.evaluate(() => window.hit), undefined);
    assert.deepEqual(complaints.filter((text) => !text.includes("404")), []);
  });

  it("drain a type, change its settings, and remove it once nothing is of it", async () => {
    await makeType("kind", { lease_ms: 90000 });
    await add("kind", "kind-1");
    await open("/types/kind");
    await button("Drain").click();
    await page.getByLabel("Why").fill("the site moves");
    await button("Give out none of it").click();
    await page.locator(".told", { hasText: "None of it is given out. the site moves" }).waitFor();
    await button("Give it out again").click();
    await said("It is given out again.");
    await page.getByText("Settings", { exact: true }).click();
    assert.equal(await page.getByLabel("A lease lasts").inputValue(), "90 s");
    await page.getByLabel("A lease lasts").fill("0");
    await page.getByLabel("At most", { exact: true }).fill("x");
    await button("Save").click();
    await field("lease_ms").locator(".problem").waitFor();
    await field("max").locator(".problem", { hasText: 'found "x"' }).waitFor();
    await page.getByLabel("A lease lasts").fill("2 h");
    await page.getByLabel("At most", { exact: true }).fill("0");
    await page.getByLabel("Further states").fill("parked: dirty, quarantined");
    await page.getByLabel("Of the free ones").selectOption("rested");
    await button("Save").click();
    await said("Saved.");
    const { settings } = await pool("GET", "types/kind");
    assert.deepEqual([settings.lease_ms, settings.prefer, settings.states, settings.cleaning],
      [7200000, "rested", [{ name: "parked", to: ["dirty", "quarantined"] }], "none"]);
    assert.deepEqual(await unnamed(page), []);
    await button("Remove the type").click();
    await button("Remove kind and its settings").click();
    await alert().waitFor();
    assert.match(await alert().innerText(), /type_used/);
    await pool("DELETE", "resources/kind-1");
    await button("Remove kind and its settings").click();
    await page.locator("#types").waitFor();
    assert.equal(await page.locator('[data-type="kind"]').count(), 0);
  });

  it("show what needs somebody, and how far a drain is", async () => {
    await makeType("worn");
    for (const name of ["worn-1", "worn-2"]) await add("worn", name);
    const { lease } = await acquire("worn-a", "worn");
    await pool("POST", "resources/worn-1/quarantine", { reason: `no disk ${PICTURE}` });
    await open();
    await eventually('[data-alert="worn-1"]', /quarantined.*worn-1.*no disk <img/);
    await open("/types/worn");
    await button("Drain").click();
    await page.getByLabel("retire what becomes free").check();
    await button("Give out none of it").click();
    await page.locator(".progress", { hasText: "0 of 2 retired, 1 held." }).waitFor();
    await pool("POST", `leases/${lease.lease}/release`, {});
    await page.locator(".progress", { hasText: "1 of 2 retired, 0 held." }).waitFor();
    assert.equal((await show("worn-2")).state, "retired");
    assert.deepEqual(await unnamed(page), []);
    assert.equal(await page.evaluate(() => window.hit), undefined);
  });

  it("are readable in the dark and on a narrow screen", async () => {
    const long = `narrow-${"long".repeat(20)}`;
    await makeType(long);
    await add(long, long, { labels: { [`l${"a".repeat(90)}`]: "b".repeat(300) } });
    const { lease } = await acquire(`t-${long}`, long, { owner: "o".repeat(190), reason: "r".repeat(500) });
    await acquire(`w-${long}`, long, { owner: "p".repeat(190) });
    await page.setViewportSize({ width: 360, height: 740 });
    await page.emulateMedia({ colorScheme: "dark" });
    const pages = ["", `/types/${long}`, `/resources/${long}`, `/tickets/w-${long}`, `/leases/${lease.lease}`];
    for (const [n, hash] of pages.entries()) {
      await open(hash);
      await page.locator("main .pool :is(table, dl)").first().waitFor();
      const questions = page.locator("main .buttons .button[aria-expanded]");
      for (let asked = 0; asked < (await questions.count()); ++asked) {
        await questions.nth(asked).click();
        await page.locator(".question").waitFor();
        assert.equal(await isTooWide(page), false, `no sideways scrolling by a question at ${hash}`);
      }
      await keep(`pool-narrow-${n}`);
      assert.equal(await isTooWide(page), false, `no sideways scrolling at ${hash}`);
    }
    assert.deepEqual(complaints, []);
  });
});

describe("the pages of pool, for callers of few rights", { timeout: 120000 }, () => {
  const guarded = new Program(join(scratch, "guarded"), "queue", "pool");
  let guarded_url;
  before(async () => {
    guarded.addCaller("boss", PASSWORD, "*");
    guarded.addCaller("looker", PASSWORD, "pool:read");
    guarded.addCaller("stranger", PASSWORD, "tracker:read");
    guarded_url = await guarded.start();
    const headers = { authorization: `Basic ${Buffer.from(`boss:${PASSWORD}`).toString("base64")}`, "content-type": "application/json" };
    const send = (method, path, body) => fetch(`${guarded_url}/pool/v1/${path}`, { method, headers, body: JSON.stringify(body) });
    for (const [method, path, body] of [["PUT", "types/box", { cleaning: "none" }], ["POST", "resources", { name: "box-1", type: "box" }],
      ["POST", "acquire", { ticket: "a", wants: [{ type: "box" }] }], ["POST", "acquire", { ticket: "b", wants: [{ type: "box" }] }]]) {
      const reply = await send(method, path, body);
      assert.ok(reply.ok, `${path}: ${reply.status}`);
    }
  });
  after(() => guarded.stop());
  beforeEach(async () => {
    await page?.close();
    await browser.clearCookies();
    page = await browser.newPage();
    complaints = [];
    page.on("pageerror", (error) => complaints.push(String(error)));
  });
  const enter = async (name) => {
    await page.goto(`${guarded_url}/#/pool`);
    await page.getByLabel("Name", { exact: true }).fill(name);
    await page.getByLabel("Password", { exact: true }).fill(PASSWORD);
    await button("Sign in").click();
  };

  it("offer nothing that the reader may not do", async () => {
    await enter("looker");
    await page.locator('[data-type="box"]').waitFor();
    assert.equal(await page.getByLabel("New type").count(), 0);
    for (const [hash, text] of [["/types/box", "pool:admin"], ["/resources/box-1", "pool:admin"], ["/tickets/b", "pool:write"]]) {
      await page.goto(`${guarded_url}/#/pool${hash}`);
      await page.locator(".look-only", { hasText: text }).first().waitFor();
      assert.deepEqual(await page.locator("main .button").allTextContents(), [], hash);
    }
    assert.deepEqual(complaints, []);
  });

  it("say what is missing to one who may not look", async () => {
    await enter("stranger");
    await alert().first().waitFor();
    assert.match(await alert().first().innerText(), /pool:read.*scope_missing/s);
    assert.deepEqual(complaints, []);
  });
});
