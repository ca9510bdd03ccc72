// The pages of queue in a real browser against the real program: queues, tasks, what operators do with them, who may only look.
import assert from "node:assert/strict";
import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { after, before, beforeEach, describe, it } from "node:test";
import { isTooWide, openBrowser, Program, scratchDirectory, screenshots, unnamed } from "./program.mjs";

const PASSWORD = "correct horse bättery staple";
const scratch = scratchDirectory();
const program = new Program(join(scratch, "data"), "queue");
const PICTURE = '<img src=x onerror="window.hit=1">';
let url, browser, page, complaints;

const keep = (name) => page.screenshot({ path: join(screenshots, `${name}.png`), fullPage: true });
const open = async (hash = "") => {
  await page.goto(`${url}/#/queue${hash}`);
  await page.locator("main .queue").first().waitFor();
};
const button = (name) => page.getByRole("button", { name, exact: true });
const row = (name) => page.locator(`[data-queue="${name}"]`);
const task = (id) => page.locator(`[data-task="${id}"]`);
const alert = () => page.getByRole("alert");
const said = (text) => page.locator(".outcome", { hasText: text }).waitFor();
const main = () => page.locator("main").innerText();
const field = (name) => page.locator(`[data-field=${name}]`);
const onRow = () => page.waitForFunction(() => document.activeElement.matches("[data-row]"));
const eventually = (what, pattern) => page.waitForFunction(([css, source]) =>
  new RegExp(source, "s").test(document.querySelector(css)?.innerText ?? ""), [what, pattern.source]);

async function call(method, path, body) {
  const headers = { "content-type": Array.isArray(body) ? "application/x-ndjson" : "application/json" };
  const lines = () => body.map((one) => JSON.stringify(one)).join("\n");
  const text = Array.isArray(body) ? lines() : typeof body === "string" ? body : JSON.stringify(body);
  const reply = await fetch(`${url}/queue/v1/${path}`, { method, headers, body: text });
  const told = await reply.text();
  if (!reply.ok) throw new Error(`${reply.status} ${told}`);
  return Array.isArray(body) ? told : JSON.parse(told);
}
const put = async (queue, fields = {}) => (await call("POST", `queues/${encodeURIComponent(queue)}/tasks`, { payload: {}, ...fields })).id;
const reserve = async (queue, worker = "w1") => (await call("POST", `queues/${queue}/reserve`, { worker })).leases[0];
const say = (lease, verb, fields = {}) => call("POST", `leases/${lease}/${verb}`, fields);
const show = (id) => call("GET", `tasks/${id}`);
const many = (n, fields = () => ({})) => Array.from({ length: n }, (_, i) => ({ payload: { n: i }, ...fields(i) }));

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

describe("the pages of queue", { timeout: 180000 }, () => {
  beforeEach(async () => {
    await page?.close();
    page = await browser.newPage();
    complaints = [];
    page.on("console", (message) => ["error", "warning"].includes(message.type()) && complaints.push(message.text()));
    page.on("pageerror", (error) => complaints.push(String(error)));
  });

  it("list the queues, and keep the list up to date", async () => {
    await open();
    await page.getByText("There is no queue yet").waitFor();
    await put("mail", { priority: 5 });
    await row("mail").waitFor();
    await put("mail", { delay_ms: 3600000 });
    await eventually('[data-queue="mail"]', /mail\s+2\s+1\s+0\s+1\s/);
    const lease = await reserve("mail");
    await eventually('[data-queue="mail"]', /mail\s+2\s+0\s+1\s+1\s/);
    await say(lease.lease, "complete");
    await eventually('[data-queue="mail"]', /mail\s+1\s+0\s+0\s+1\s+0\s+0\s+0\s+\d+ s\s+[\d.]+ m?s\s+[\d.]+ m?s/);
    await put("mail/of;ann$_(x):+.", {});
    await row("mail/of;ann$_(x):+.").getByRole("link").click();
    await page.getByRole("heading", { level: 2, name: "mail/of;ann$_(x):+." }).waitFor();
    assert.deepEqual(complaints, []);
  });

  it("find a queue by the beginning of its name, and are used by keyboard", async () => {
    await put("post");
    await open();
    await row("post").waitFor();
    await page.keyboard.press("/");
    await page.keyboard.type("po");
    await row("mail").waitFor({ state: "detached" });
    await page.keyboard.press("Enter");
    await onRow();
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { level: 2, name: "post" }).waitFor();
    assert.equal(await page.title(), "post · Queues · Gantry");
    await page.getByRole("navigation", { name: "Of this queue" }).getByRole("link", { name: "Tasks" }).press("Enter");
    await task("t_4").waitFor();
    await page.keyboard.press("j");
    await onRow();
    await page.keyboard.press("Enter");
    await page.locator(".payload").waitFor();
    assert.match(page.url(), /tasks\/t_4$/);
    await page.keyboard.press("Escape");
    await task("t_4").waitFor();
    await page.keyboard.press("Escape");
    await page.locator("[data-state=ready]").waitFor();
    await button("Purge").press("Enter");
    await page.locator(".sweep").waitFor();
    await page.waitForFunction(() => document.activeElement.name === "state");  // the question is where the reader is led to
    await page.keyboard.press("Escape");
    await page.locator(".sweep").waitFor({ state: "detached" });
    await page.waitForFunction(() => document.activeElement.textContent === "Purge");  // Escape closes the question alone
    await page.keyboard.press("Escape");
    await row("post").waitFor();
    await page.keyboard.press("/");
    await page.keyboard.type("t_4");
    await page.locator(".by-id a").waitFor();
    assert.deepEqual(complaints, []);
  });

  it("make a queue, and leave one alone that is there", async () => {
    await call("PUT", "queues/kept", { settings: { lease_ms: 1234 } });
    await open();
    await page.getByLabel("New queue").fill("-no");
    await page.getByLabel("New queue").press("Enter");
    await alert().waitFor();
    assert.match(await alert().innerText(), /doesn't begin with -.*queue_name_invalid/);
    await page.getByLabel("New queue").fill("made");
    await button("Make it").click();
    await page.getByRole("heading", { name: "Settings" }).waitFor();
    assert.equal((await call("GET", "queues/made")).settings.attempts_max, 20);
    await open();
    await page.getByLabel("New queue").fill("kept");
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: "Settings" }).waitFor();
    assert.equal((await call("GET", "queues/kept")).settings.lease_ms, 1234);
  });

  it("tell how a queue fares: what runs next, what holds the others back, who works", async () => {
    await call("PUT", "queues/fares", { settings: { concurrency_per_key_max: 1, weights: { ann: 3 } } });
    for (const key of ["ann", "ann", "bob", ""]) await put("fares", { ...(key && { key }), tags: ["x"] });
    const lease = await reserve("fares", `w ${PICTURE}`);
    await open("/queues/fares");
    await page.locator("[data-worker]").waitFor();
    assert.match(await page.locator("[data-state=leased]").innerText(), /leased 1/);
    assert.match(await page.locator("[data-state=ready]").innerText(), /ready 3/);
    assert.match(await page.locator("[data-worker]").innerText(), /w <img src=x/);
    const held = lease.key === "ann" ? "ann" : "bob";
    if (held === "ann") assert.match(await page.locator(".keys .why").innerText(), /its key runs 1 tasks, concurrency_per_key_max/);
    assert.match(await page.locator('[data-key="ann"]').innerText(), /ann\s+2\s+\d\s+\d\s+3/);
    const next = await page.locator("[data-next]").count();
    assert.ok(next >= 2, "what runs next");
    await page.locator("[data-times=waited]", { hasText: "1" }).waitFor();
    assert.ok(await page.locator("[data-figure=oldest] time").count());
    await keep("queue");
    await say(lease.lease, "complete");
    await eventually("[data-times=ran]", /ran\s+1\s+[\d.]+ m?s/);
    await page.getByText("Nobody has a task of it.").waitFor();
    await page.locator(".keys .why").waitFor({ state: "detached" });
    assert.equal(await page.evaluate(() => window.hit), undefined, "names are text");
    assert.deepEqual(await unnamed(page), []);
    assert.deepEqual(complaints, []);
  });

  it("pause a queue and resume it, live for others", async () => {
    await put("paused");
    await open("/queues/paused");
    await button("Pause").click();
    await page.getByLabel("For").selectOption({ label: "an hour" });
    await page.getByLabel("Why").fill("the relay is down");
    await button("Pause it").click();
    await said("It is paused");
    assert.match(await page.locator("p.paused").innerText(), /goes on in (59 min|1 h)\.\s*the relay is down/);
    await page.locator(".held-back", { hasText: "the queue is paused until" }).waitFor();
    await page.getByText("Nothing would start now.").waitFor();
    assert.equal(await reserve("paused"), undefined);
    await keep("queue-paused");
    await button("Resume").click();
    await page.locator("p.paused").waitFor({ state: "detached" });
    await call("POST", "queues/paused/pause", {});
    await page.getByText("until somebody resumes it").waitFor();
    assert.ok(await button("Resume").count());
    await call("POST", "queues/paused/resume", {});
    await button("Pause").waitFor();
    assert.deepEqual(complaints, []);
  });

  it("purge as many as there were, a thousand a call, with progress, and stop when asked", async () => {
    await call("POST", "queues/heap/tasks", many(2500, (i) => (i < 10 ? { delay_ms: 3600000 } : {})));
    await open("/queues/heap");
    const calls = [];
    await page.route("**/purge", async (route) => {
      calls.push(route.request().postDataJSON());
      if (calls.length === 2) await page.locator(".progress", { hasText: "1,000 of 2,490" }).waitFor();
      await route.continue();
    });
    await button("Purge").click();
    await page.getByLabel("Which").selectOption("ready");
    await button("Delete 2,490 tasks").click();
    await said("2,490 tasks deleted.");
    assert.deepEqual(calls, [{ state: "ready", max: 1000 }, { state: "ready", max: 1000 }, { state: "ready", max: 490 }]);
    assert.deepEqual((await call("GET", "queues/heap")).counts.delayed, 10);
    await call("POST", "queues/heap/tasks", many(1500));
    await page.unroute("**/purge");
    await page.route("**/purge", async (route) => {
      await button("Stop").click();
      await keep("queue-progress");
      await route.continue();
    });
    await button("Purge").click();
    await button("Delete 1,510 tasks").click();
    await said("1,000 tasks deleted; 510 are left.");
    assert.equal((await call("GET", "queues/heap")).depth, 510);
    await page.unroute("**/purge");
    let turn = 0;
    await page.route("**/purge", (route) => (++turn > 1 ? route.abort() : route.continue()));
    await call("POST", "queues/heap/tasks", many(1000));
    await button("Purge").click();
    await button("Delete 1,510 tasks").click();
    await alert().waitFor();
    assert.match(await alert().innerText(), /1,000 tasks deleted; then: The server doesn't answer/);
  });

  it("kick buried ones, redrive dead ones into another queue, and delete a queue once it is empty", async () => {
    await call("PUT", "queues/fails", { settings: { attempts_max: 1 } });
    await put("fails");
    await put("fails");
    await say((await reserve("fails")).lease, "fail", { reason: "no" });
    await say((await reserve("fails")).lease, "bury");
    await open("/queues/fails");
    await eventually(".chips", /buried 1\s+dead 1/);
    await button("Kick").click();
    await button("Kick 1 task").click();
    await said("1 task made ready.");
    await button("Redrive").click();
    await page.getByLabel("Into").fill("again");
    await button("Redrive 1 task").click();
    await said("1 task redriven.");
    assert.equal((await call("GET", "queues/again")).counts.ready, 1);
    await button("Delete the queue").click();
    await button("Delete fails and its settings").click();
    await alert().waitFor();
    assert.match(await alert().innerText(), /holds 1 tasks.*queue_not_empty/);
    await call("POST", "queues/fails/purge", {});
    await button("Delete fails and its settings").click();
    await row("again").waitFor();
    assert.equal(await row("fails").count(), 0);
  });

  it("change settings, and show at a field what the server says against it", async () => {
    await call("PUT", "queues/set", { settings: { rate_max: 7, weights: { "a=b": 2 } } });
    await open("/queues/set/settings");
    assert.equal(await page.getByLabel("A lease lasts").inputValue(), "1 min");
    assert.equal(await page.getByLabel("Shares of keys").inputValue(), "a=b = 2");
    await page.getByLabel("A lease lasts").fill("2 weeks");
    await page.getByLabel("Attempts", { exact: true }).fill("lots");
    await page.getByLabel("Shares of keys").fill("a=b = 2\nann = 0");
    await button("Save").click();
    await alert().waitFor();
    assert.match(await field("lease_ms").locator(".problem").innerText(), /expected an integer.*found "2 weeks"/);
    assert.match(await field("attempts_max").locator(".problem").innerText(), /found "lots"/);
    assert.match(await field("weights").locator(".problem").innerText(), /ann: expected an integer from 1 to 1000/);
    assert.equal(await page.locator(".field .problem").count(), 3, "at these fields alone");
    await page.waitForFunction(() => document.activeElement.name === "lease_ms");
    await keep("queue-settings-refused");
    await page.getByLabel("A lease lasts").fill("2.5 min");
    await page.getByLabel("Attempts", { exact: true }).fill("3");
    await page.getByLabel("Shares of keys").fill("a=b = 2\nann = 5");
    await page.getByLabel("Keys take turns").uncheck();
    await page.getByLabel("Attempts", { exact: true }).press("Enter");
    await said("Saved.");
    const { settings } = await call("GET", "queues/set");
    assert.deepEqual([settings.lease_ms, settings.attempts_max, settings.weights, settings.fair, settings.rate_max],
      [150000, 3, { "a=b": 2, ann: 5 }, false, 7]);
    await page.waitForFunction(() => document.querySelector("[name=lease_ms]").value === "150 s");
    await page.getByLabel("Longest wait").fill("500 ms");
    await button("Save").click();
    await field("backoff_max_ms").locator(".problem", { hasText: "expected backoff_ms or more" }).waitFor();
    await call("PUT", "queues/set", { settings: { ...settings, depth_max: 9 } });
    await page.waitForFunction(() => document.querySelector("[name=depth_max]").value === "9");
    assert.equal(await page.getByLabel("Longest wait").inputValue(), "500 ms", "what somebody types stays");
    assert.deepEqual(await unnamed(page), []);
    assert.deepEqual(complaints.filter((text) => !/400|422/.test(text)), []);
  });

  it("put a task by hand, every digit of it", async () => {
    await put("hand");
    await open("/queues/hand/put");
    const payload = page.getByLabel("The payload: JSON");
    await payload.fill('{"id": 12345678901234567890,');
    await button("Put it").click();
    await field("payload").locator(".problem", { hasText: "no JSON" }).waitFor();
    await page.waitForFunction(() => document.activeElement.name === "payload");
    await payload.fill('{"id": 12345678901234567890, "a": null}');
    await page.getByLabel("Priority").fill("7");
    await page.getByLabel("After").fill("1 h");
    await page.getByLabel("Key", { exact: true }).fill("ann");
    await page.getByText("Tags, headers, unique key").click();
    await page.getByLabel("Tags").fill("red\nblue");
    await page.getByLabel("Headers").fill("x-a: 1: 2");
    await page.getByLabel("Unique key").fill("u1");
    await button("Put it").click();
    await said("was put: delayed");
    await button("Put it").click();
    await alert().waitFor();
    assert.match(await alert().innerText(), /has this unique key.*task_exists/);
    await keep("queue-put");
    await page.getByLabel("Unique key").fill("");
    await page.getByLabel("After").fill("");
    await page.getByLabel("text", { exact: true }).check();
    await page.getByLabel("The payload: text").fill("grüße");
    await button("Put it").click();
    await said("was put: ready");
    const id = await page.locator(".outcome a").innerText();
    const whole = await show(id);
    assert.equal(Buffer.from(whole.payload_base64, "base64").toString(), "grüße");
    assert.deepEqual([whole.content_type, whole.task.priority, whole.task.tags, whole.headers],
      ["text/plain; charset=utf-8", 7, ["red", "blue"], { "x-a": "1: 2" }]);
    await page.getByLabel("an address").check();
    await page.getByLabel("The payload: an address").fill("https://files.example/1");
    await button("Put it").click();
    await field("payload_digest").locator(".problem").or(alert()).first().waitFor();
    assert.deepEqual(await unnamed(page), []);
    await page.locator(".problem").first().waitFor();
    await page.getByLabel("Its digest").fill("sha256:00");
    await button("Put it").click();
    await page.locator(".outcome a").click();
    await page.getByRole("link", { name: "https://files.example/1" }).waitFor();
    assert.match(await main(), /sha256:00/);
  });
});

describe("the pages of tasks", { timeout: 180000 }, () => {
  beforeEach(async () => {
    await page?.close();
    page = await browser.newPage();
    complaints = [];
    page.on("console", (message) => ["error", "warning"].includes(message.type()) && complaints.push(message.text()));
    page.on("pageerror", (error) => complaints.push(String(error)));
  });

  it("list tasks by what the address says, page by page", async () => {
    await call("POST", "queues/listed/tasks", many(60, (i) => ({ key: i % 2 ? "ann" : "bob", tags: i === 7 ? ["odd"] : [], priority: i })));
    await put("listed", { key: "ann", group: "g", delay_ms: 3600000, tags: [PICTURE] });
    await open("/queues/listed");
    await page.locator("[data-state=ready] a").click();
    const rows = page.locator("[data-task]");
    await rows.nth(49).waitFor();
    assert.equal(await rows.count(), 50);
    await button("more tasks").click();
    await rows.nth(59).waitFor();
    const ids = await rows.evaluateAll((all) => all.map((one) => one.dataset.task));
    assert.equal(new Set(ids).size, 60, "each once");
    assert.equal(await page.getByRole("button", { name: "more tasks" }).count(), 0);
    await call("DELETE", `tasks/${ids[55]}`);
    await task(ids[55]).waitFor({ state: "detached" });
    await page.getByLabel("key", { exact: true }).fill("ann");
    await page.keyboard.press("Enter");
    await page.waitForFunction(() => /key%3Dann/.test(location.hash) && document.querySelectorAll("[data-task]").length === 29);
    await page.getByLabel("tag", { exact: true }).fill("odd");
    await page.keyboard.press("Enter");
    await page.waitForFunction(() => document.querySelectorAll("[data-task]").length === 1);
    assert.match(await rows.innerText(), /ready\s+ann\s*odd\s+7\s+0/);
    await page.getByRole("link", { name: "all tasks" }).click();
    await page.getByLabel("state").selectOption("delayed");
    await page.waitForFunction(() => document.querySelectorAll("[data-task]").length === 1);
    assert.match(await rows.innerText(), /delayed.*<img src=x.*in (59 min|1 h)/s);
    await keep("queue-tasks");
    await page.getByLabel("older than").fill("5 min");
    await page.keyboard.press("Enter");
    await page.getByText("No task is like this.").waitFor();
    assert.match(decodeURIComponent(page.url()), /older_than_ms=300000/);
    assert.equal(await page.getByLabel("older than").inputValue(), "5 min");
    await page.getByLabel("older than").fill("long");
    await page.keyboard.press("Enter");
    await alert().waitFor();
    assert.match(await alert().innerText(), /found "long".*request_invalid/);
    assert.deepEqual(await unnamed(page), []);
    assert.deepEqual(complaints.filter((text) => !text.includes("400")), []);
  });

  it("search payloads, say how far they looked, and go on", async () => {
    await call("POST", "queues/texts/tasks", many(2100, (i) => ({ payload: { n: i, ...(i === 2050 && { name: "needle in it" }) } })));
    await open("/queues/texts/tasks");
    await page.locator("[data-task]").first().waitFor();
    await page.keyboard.press("/");
    await page.keyboard.type("needle");
    await page.getByText("None so far.").waitFor();
    await page.getByText("2000 payloads were read: go on by the cursor").waitFor();
    await keep("queue-text");
    await button("more tasks").click();
    await page.locator("[data-task]").waitFor();
    assert.equal(await page.getByText("None so far.").count(), 0);
    await page.keyboard.press("Escape");
    await open("/queues/texts");
    await page.keyboard.press("/");
    await page.keyboard.type('"n":17');
    await page.locator("[data-task]").nth(5).waitFor();
    await page.locator("[data-state=ready]").waitFor();
    await open("/tasks");
    await page.getByLabel("text in the payload").fill('{"n":99}');
    await page.keyboard.press("Enter");
    await page.locator("[data-task]").first().waitFor();
    assert.match(await page.locator("[data-task]").first().innerText(), /(heap|texts)/);
    assert.deepEqual(complaints, []);
  });

  it("show one task whole, live, and each attempt", async () => {
    await call("PUT", "queues/one", { settings: { attempts_max: 2, backoff_ms: 0, backoff_max_ms: 0 } });
    const before = await put("one", { key: "ann", group: "g" });
    const id = (await call("POST", "queues/one/tasks", `{"payload":{"id":12345678901234567890,"to":["${PICTURE.replaceAll('"', '\\"')}"]},
      "key":"ann","group":"g","tags":["red"],"headers":{"x-from":"shop"}}`)).id;
    await open(`/tasks/${id}`);
    await page.locator(".payload", { hasText: "12345678901234567890" }).waitFor();
    assert.match(await page.locator(".payload").innerText(), /^\{\n {2}"id": 12345678901234567890,\n {2}"to": \[\n {4}"<img src=x/);
    assert.match(await main(), /x-from\s+shop/);
    await page.locator(".why", { hasText: "an earlier task of its group has to end first" }).waitFor();
    assert.equal(await page.locator(".why").getByRole("link", { name: before }).count(), 1);
    await keep("queue-task");
    await call("DELETE", `tasks/${before}`);
    await eventually("h2", /ready/);
    const lease = await reserve("one", "w7");
    await eventually(".lease", /worker\s+w7/);
    await say(lease.lease, "extend", { progress_permille: 250, message: "a quarter", log: ["line one", "line two"] });
    await eventually(".lease", /25 %\s+a quarter/);
    await page.locator("[data-attempt=log]", { hasText: "line two" }).waitFor();
    assert.equal(await button("Edit").count(), 0, "nobody edits what runs");
    await button("Stop it").click();
    await page.getByLabel("Why", { exact: true }).fill("wrong address");
    await button("Ask its worker to stop").click();
    await eventually(".lease", /asked to stop/);
    assert.equal((await say(lease.lease, "extend", {})).cancel_reason, "wrong address");
    await keep("queue-task-runs");
    await say(lease.lease, "fail", { reason: "no route", detail: "Traceback\n  line 1" });
    await page.locator("[data-attempt=failed]", { hasText: "by w7" }).waitFor();
    const year = await page.locator("[data-attempt=failed] time").first().getAttribute("datetime");
    assert.ok(Math.abs(new Date(year) - Date.now()) < 60000, `the time of the attempt is ${year}`);
    await say((await reserve("one", "w8")).lease, "fail", { reason: "again" });
    await eventually("h2", /dead/);
    await eventually(".why", /it is dead after 2 attempts/);
    await button("Kick").click();
    await eventually("h2", /ready/);
    await call("DELETE", `tasks/${id}`);
    await alert().waitFor();
    assert.match(await alert().innerText(), /completed or deleted.*task_gone/);
    await page.getByText("It was ready in one when it was last seen here.").waitFor();
    assert.equal(await page.evaluate(() => window.hit), undefined);
    assert.deepEqual(complaints.filter((text) => !text.includes("410")), []);
  });

  it("edit, delay, move and delete one", async () => {
    const id = (await call("POST", "queues/edited/tasks", '{"payload":{"id":12345678901234567890}}')).id;
    await open(`/tasks/${id}`);
    await button("Edit").click();
    await page.getByLabel("Priority").fill("3");
    await page.getByLabel("Due in").fill("2 h");
    await button("Change it").click();
    await said("It is changed.");
    await eventually("h2", /delayed/);
    await eventually("[aria-label='About it']", /priority\s+3.*due\s+in 1 h/);
    await button("Run it now").click();
    await eventually("h2", /ready/);
    await button("Edit").click();
    const payload = page.getByLabel("The payload: JSON");
    assert.match(await payload.inputValue(), /12345678901234567890/);
    await payload.fill("{");
    await button("Change it").click();
    await field("payload").locator(".problem").waitFor();
    await payload.fill('{"id": 12345678901234567891}');
    await page.getByLabel("Priority").fill("x");
    await button("Change it").click();
    await field("priority").locator(".problem", { hasText: 'found "x"' }).waitFor();
    await keep("queue-task-edit");
    assert.deepEqual(await unnamed(page), []);
    await page.getByLabel("Priority").fill("4");
    await button("Change it").click();
    await page.locator(".payload", { hasText: "12345678901234567891" }).waitFor();
    await button("Edit").click();
    await page.getByLabel("base64").check();
    await page.getByLabel("The payload: base64").fill("AAH/");
    await button("Change it").click();
    await page.getByText("Bytes, as base64.").waitFor();
    assert.equal((await show(id)).payload_base64, "AAH/");
    await button("Move").click();
    await page.getByLabel("Into the queue").fill("elsewhere");
    await page.keyboard.press("Enter");
    await said("It is in elsewhere.");
    await eventually("[aria-label='About it']", /queue\s+elsewhere/);
    await button("Delete").click();
    await button(`Delete ${id}`).click();
    await page.getByText("There is no task.").or(page.getByText("No task is like this.")).first().waitFor();
    await assert.rejects(show(id), /task_gone/);
    assert.deepEqual(complaints.filter((text) => !/400|410/.test(text)), []);
  });

  it("are readable in the dark and on a narrow screen", async () => {
    const id = await put(`narrow-${"long".repeat(40)}`, { key: "k".repeat(200), tags: ["t".repeat(100)], headers: { a: "b".repeat(300) },
      payload: { text: "x".repeat(500) } });
    const queue = encodeURIComponent(`narrow-${"long".repeat(40)}`);
    await reserve(`narrow-${"long".repeat(40)}`, "w".repeat(200));
    await page.setViewportSize({ width: 360, height: 740 });
    await page.emulateMedia({ colorScheme: "dark" });
    const pages = ["", `/queues/${queue}`, `/queues/${queue}/tasks`, `/queues/${queue}/put`, `/queues/${queue}/settings`, "/tasks",
      `/tasks/${id}`];
    for (const [n, hash] of pages.entries()) {
      await open(hash);
      await page.locator("main .queue :is(table, form, pre)").first().waitFor();
      const questions = page.locator("main .buttons .button[aria-expanded]");
      for (let asked = 0; asked < (await questions.count()); ++asked) {
        await questions.nth(asked).click();
        await page.locator(".question").waitFor();
        assert.equal(await isTooWide(page), false, `no sideways scrolling by a question at ${hash}`);
      }
      assert.equal(await isTooWide(page), false, `no sideways scrolling at ${hash}`);
      await keep(`queue-narrow-${n}`);
    }
    assert.deepEqual(complaints, []);
  });
});

describe("the pages of queue, for callers of few rights", { timeout: 120000 }, () => {
  const guarded = new Program(join(scratch, "guarded"), "queue");
  let guarded_url;
  before(async () => {
    guarded.addCaller("boss", PASSWORD, "*");
    guarded.addCaller("looker", PASSWORD, "queue:read");
    guarded.addCaller("stranger", PASSWORD, "tracker:read");
    guarded_url = await guarded.start();
    const authorization = `Basic ${Buffer.from(`boss:${PASSWORD}`).toString("base64")}`;
    const reply = await fetch(`${guarded_url}/queue/v1/queues/mail/tasks`, { method: "POST", body: '{"payload":1}',
      headers: { authorization, "content-type": "application/json" } });
    assert.equal(reply.status, 201);
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
    await page.goto(`${guarded_url}/#/queue`);
    await page.getByLabel("Name", { exact: true }).fill(name);
    await page.getByLabel("Password", { exact: true }).fill(PASSWORD);
    await button("Sign in").click();
  };

  it("offer nothing that the reader may not do", async () => {
    await enter("looker");
    await row("mail").getByRole("link").click();
    await page.locator(".look-only", { hasText: "queue:operate" }).waitFor();
    assert.equal(await page.getByLabel("New queue").count(), 0);
    const missing = [["/queues/mail/put", "queue:put"], ["/queues/mail/settings", "queue:operate"], ["/tasks/t_1", "queue:operate"]];
    for (const [hash, text] of missing) {
      await page.goto(`${guarded_url}/#/queue${hash}`);
      await page.locator(".look-only", { hasText: text }).waitFor();
      assert.deepEqual(await page.locator("main .button").allTextContents(), [], hash);
    }
    await page.locator(".payload", { hasText: "1" }).waitFor();
    assert.deepEqual(complaints, []);
    await page.locator(".account summary").click();
  });

  it("say what is missing to one who may not look", async () => {
    await enter("stranger");
    await alert().first().waitFor();
    assert.match(await alert().first().innerText(), /queue:read.*scope_missing/s);
    await page.goto(`${guarded_url}/#/queue/tasks/t_1`);
    await alert().first().waitFor();
    assert.deepEqual(complaints, []);
  });

  it("offer all of it to one who may do all", async () => {
    await enter("boss");
    await row("mail").getByRole("link").click();
    await button("Purge").waitFor();
    assert.equal(await page.locator(".look-only").count(), 0);
  });
});

describe("rules on the page of queues", { timeout: 120000 }, () => {
  const followed = new Program(join(scratch, "followed"), "queue", "tracker", "--queue.rule-sources", "/tracker");
  let followed_url;
  const ask = async (method, path, body) => {
    const headers = { "content-type": "application/json" };
    const reply = await fetch(`${followed_url}/${path}`, { method, headers, body: JSON.stringify(body) });
    assert.ok(reply.ok, await reply.text());
  };
  const accepted = { package: "hello", arch: "amd64", stage: "done", result: "accepted" };
  const report = (version) => ask("POST", "tracker/v1/reports", { ...accepted, version });
  before(async () => { followed_url = await followed.start(); });
  after(() => followed.stop());
  beforeEach(async () => {
    await page?.close();
    page = await browser.newPage();
    complaints = [];
    page.on("console", (message) => ["error", "warning"].includes(message.type()) && complaints.push(message.text()));
    page.on("pageerror", (error) => complaints.push(String(error)));
  });

  it("say how far they are, and are paused and resumed", async () => {
    await page.goto(`${followed_url}/#/queue`);
    await page.getByText("There is no queue yet").waitFor();
    assert.equal(await page.locator(".rules").count(), 0);
    await report("2.10-3");
    await ask("PUT", "queue/v1/rules/done", { source: "/tracker", types: ["reported"], queue: "reports" });
    await eventually('[data-rule="done"]', /done\s+\/tracker reported\s+reports\s+1\s+0\s+\d+ s\s+caught up\s+pause/);
    await report("2.10-4");
    await eventually('[data-rule="done"]', /reports\s+2\s+0\s/);
    await keep("queue-rules");
    assert.equal(await isTooWide(page), false);
    await button("pause").click();
    await page.locator('[data-rule="done"][data-state="paused"]').waitFor();
    await report("2.10-5");
    await button("resume").click();
    await eventually('[data-rule="done"]', /reports\s+3\s+0\s/);
    await page.locator('[data-rule="done"]').getByRole("link", { name: "reports" }).click();
    await page.getByRole("heading", { level: 2, name: "reports" }).waitFor();
    assert.deepEqual(complaints, []);
  });
});
