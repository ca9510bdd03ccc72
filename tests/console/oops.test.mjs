// The pages of oops in a real browser against the real program: reports come over HTTP, as programs send them.
import assert from "node:assert/strict";
import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { after, before, beforeEach, describe, it } from "node:test";
import { openBrowser, Program, scratchDirectory, screenshots } from "./program.mjs";

const scratch = scratchDirectory();
const program = new Program(join(scratch, "data"));
const PICTURE = '<img src=x onerror="window.hit=1">';
let url, browser, page, complaints;

const keep = (name) => page.screenshot({ path: join(screenshots, `${name}.png`), fullPage: true });
const group = (title) => page.locator("tr[data-group]", { hasText: title });
const titles = () => page.locator("tr[data-group] .title").allTextContents();
const asText = (locator) => locator.innerText();
const open = async (hash) => {
  await page.goto(`${url}/#/oops${hash}`);
  await page.locator("main .oops").waitFor();
};
const ask = async (name) => {
  await page.locator(".decisions").getByRole("button", { name, exact: true }).click();
  await page.waitForFunction(() => document.activeElement.matches(".question input"));
};
const rows = (what, count) => page.waitForFunction(([what, count]) => document.querySelectorAll(what).length === count, [what, count]);
// What is folded may hold what is folded.
async function unfold() {
  for (let n = 0; n < 3; ++n) {
    await page.evaluate(() => document.querySelectorAll("main details").forEach((one) => (one.open = true)));
    await page.evaluate(() => new Promise((drawn) => requestAnimationFrame(() => setTimeout(drawn))));
  }
}

async function call(method, path, body, headers = {}) {
  const reply = await fetch(`${url}/oops/${path}`, {
    method,
    headers: { "content-type": "application/json", ...headers },
    body: body && JSON.stringify(body),
  });
  const text = await reply.text();
  if (!reply.ok) throw new Error(`${reply.status} ${text}`);
  return JSON.parse(text);
}
const makeProject = (name) => call("POST", "v1/projects", { name });
const report = (project, fields) => call("POST", "v1/reports", { project: project.project, report: fields });
// As a program without Gantry's or Sentry's packages does.
const post = (project, fields) => call("POST", `api/${project.project}/report`, fields, { "x-oops-auth": project.key });
function failure(type, fields = {}) {
  const frames = [{ module: "shop", function: type, file: "shop.py", line: 7, in_app: true }];
  return { exceptions: [{ type, value: `${type} of the cart`, frames }], ...fields };
}
const fits = () => page.evaluate(() => document.documentElement.scrollWidth <= innerWidth);

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

describe("the pages of oops", { timeout: 120000 }, () => {
  beforeEach(async () => {
    await page?.close();
    page = await browser.newPage();
    complaints = [];
    page.on("console", (message) => ["error", "warning"].includes(message.type()) && complaints.push(message.text()));
    page.on("pageerror", (error) => complaints.push(String(error)));
  });

  it("makes a project and says how programs report to it", async () => {
    await open("");
    await page.getByText("There is no project yet.").waitFor();
    await page.getByLabel("New project").fill("shop");
    await page.keyboard.press("Enter");
    await page.getByText("Nothing has been reported yet.").waitFor();
    const project = await call("GET", "v1/projects/1");
    const dsn = await asText(page.locator(".setup > .copyable code"));
    assert.equal(dsn, url.replace("://", `://${project.key}@`) + "/oops/1");
    const snippets = await page.locator(".setup details code").evaluateAll((all) => all.map((one) => one.textContent));
    assert.equal(snippets.length, 6);
    for (const text of snippets.slice(0, 5)) assert.ok(text.includes(`"${dsn}"`), text);
    const [, key, address] = snippets[5].match(/X-Oops-Auth: (\S+)'[^]*?(http\S+)$/);
    const reply = await fetch(address, {
      method: "POST",
      headers: { "x-oops-auth": key, "content-type": "application/json" },
      body: snippets[5].match(/-d '(.*)'/)[1],
    });
    assert.equal(reply.status, 200, "the line for curl reports");
    await group("the nightly backup failed").waitFor();
    await page.getByRole("button", { name: "Copy: DSN" }).click();
    await page.getByText(/^(copied|selected: copy it by Ctrl\+C)$/).waitFor();
    await keep("oops-project");
    assert.deepEqual(complaints, []);
  });

  it("lists groups as they come, the newest first", async () => {
    const project = await makeProject("live");
    await report(project, failure("KeyError", { release: "shop@1.0" }));
    await report(project, failure("ValueError"));
    await open("/projects/2");
    await group("ValueError").waitFor();
    assert.match((await titles())[0], /ValueError/);
    const asked = [];
    page.on("request", (request) => request.url().includes("/oops/") && asked.push(request.url()));
    await report(project, failure("KeyError", { release: "shop@1.1" }));
    await page.locator("tr.fresh[data-group]", { hasText: "KeyError" }).waitFor();
    await page.waitForFunction(() => document.querySelector("tr[data-group] .title").textContent.includes("KeyError"));
    assert.match(await asText(group("KeyError")), /error\s+open\s+2\s.*shop@1\.0 … shop@1\.1/s);
    await page.locator('[data-figure="reports"]', { hasText: "3" }).waitFor();
    assert.deepEqual(asked, [], "nothing is asked for twice");
    assert.deepEqual(complaints, []);
  });

  it("narrows the list, and the address says to what", async () => {
    await call("PATCH", "v1/groups/g_3", { assignee: "ann" });
    await report({ project: 2 }, { message: "the stock is low", level: "warning" });
    await open("/projects/2");
    await group("the stock is low").waitFor();
    await page.getByLabel("level").selectOption("warning");
    await rows("tr[data-group]", 1);
    assert.match((await titles())[0], /the stock is low/);
    await page.getByRole("link", { name: "all groups" }).click();
    await rows("tr[data-group]", 3);
    await page.getByLabel("assignee").fill("ann");
    await page.keyboard.press("Enter");
    await rows("tr[data-group]", 1);
    assert.deepEqual((await titles()).map((title) => title.slice(0, 10)), ["ValueError"]);
    await page.reload();
    await group("ValueError").waitFor();
    assert.equal(await page.getByLabel("assignee").inputValue(), "ann");
    await page.getByLabel("status").selectOption("resolved");
    await page.getByText("No group is like this.").waitFor();
    await page.getByRole("link", { name: "all groups" }).click();
    await page.getByLabel("part of the title").fill("STOCK");
    await page.keyboard.press("Enter");
    await rows("tr[data-group]", 1);
    assert.match((await titles())[0], /the stock is low/);
    await page.goto(`${url}/#/oops/projects/99`);
    await page.getByText("there is no project of this number").waitFor();
  });

  it("pages on by a button", async () => {
    const project = await makeProject("many");
    const body = Array.from({ length: 60 }, (_, n) => ({ project: project.project, report: failure(`Error${n}`) }));
    await call("POST", "v1/reports", body);
    await open("/projects/3");
    await page.locator("tr[data-group]").nth(49).waitFor();
    assert.equal(await page.locator("tr[data-group]").count(), 50);
    await page.getByRole("button", { name: "more groups" }).click();
    await page.locator("tr[data-group]").nth(59).waitFor();
    assert.equal(new Set(await titles()).size, 60, "each once");
    assert.equal(await page.getByRole("button", { name: "more groups" }).count(), 0);
  });

  it("takes decisions about a group, and shows what the server says against one", async () => {
    const project = await makeProject("decisions");
    await report(project, failure("PriceError", { release: "shop@1.0", environment: "live", url: "http://shop.example/cart" }));
    await open("/projects/4");
    await group("PriceError").getByRole("link").click();
    await page.locator("tr[data-report]").waitFor();
    const said = (text) => page.locator(".outcome", { hasText: text }).waitFor();
    await ask("Assign");
    await page.keyboard.type("ann");
    await page.keyboard.press("Enter");
    await said("Assigned to ann.");
    await page.locator(".facts-of", { hasText: "assigned to" }).waitFor();
    await ask("Bug");
    await page.keyboard.type("https://bugs.example/1");
    await page.keyboard.press("Enter");
    await page.locator('.facts-of a[href="https://bugs.example/1"]').waitFor();
    await ask("Ignore");
    await page.getByLabel("Until").fill("2001-01-01T10:00");
    await page.getByRole("button", { name: "Ignore it" }).click();
    await page.getByRole("alert").waitFor();
    assert.match(await asText(page.getByRole("alert")), /ignored until a time that has passed.*expected a time in the future.*time_past/s);
    await page.getByLabel("Until").fill("");
    await page.getByRole("button", { name: "Ignore it" }).click();
    await page.getByText("somebody reopens it", { exact: true }).waitFor();
    await ask("Resolve");
    await page.keyboard.type("shop@2.0");
    await page.keyboard.press("Enter");
    await page.locator("p .badge", { hasText: "resolved" }).waitFor();
    await report(project, failure("PriceError", { release: "shop@1.9" }));
    await page.locator("tr[data-report]").nth(1).waitFor();
    await page.locator("p .badge", { hasText: "resolved" }).waitFor();
    await report(project, failure("PriceError", { release: "shop@2.1" }));
    await page.locator("p .badge", { hasText: "regressed" }).waitFor();
    await page.getByRole("button", { name: "Reopen" }).click();
    await page.locator("p .badge", { hasText: "open" }).waitFor();
    assert.match(await asText(page.locator(".facts-of")), /reports\s*3.*releases\s*shop@1\.0 … shop@2\.1/s);
    await keep("oops-group");
    assert.equal(complaints.filter((text) => !text.includes("422")).length, 0, complaints.join());
  });

  it("merges groups, splits buckets, and undoes either", async () => {
    const project = await makeProject("moves");
    for (const type of ["AError", "BError", "CError"]) await report(project, failure(type));
    await open("/projects/5");
    await group("AError").getByRole("link").click();
    await ask("Merge");
    await page.locator(".choices li", { hasText: "BError" }).getByRole("checkbox").check();
    await page.locator(".choices li", { hasText: "CError" }).getByRole("checkbox").check();
    await page.getByRole("button", { name: "Merge 2 into this one" }).click();
    await rows("tr[data-bucket]", 3);
    await rows("tr[data-report]", 3);
    await page.locator(".question").waitFor({ state: "detached" }); // it is answered
    await page.locator(".moved", { hasText: "went into" }).waitFor();
    await page.locator("tr[data-bucket]", { hasText: "CError" }).getByRole("checkbox").check();
    await page.getByRole("button", { name: "Split off 1" }).click();
    await page.locator(".moved", { hasText: "went to" }).waitFor();
    await page.getByRole("button", { name: "Undo mv_1" }).click();
    await page.getByRole("alert").waitFor();
    assert.match(await asText(page.getByRole("alert")), /has moved on since: undo what came later first/);
    await page.getByRole("button", { name: "Undo mv_2" }).click();
    await page.locator("tr[data-bucket]").nth(2).waitFor();
    await page.getByRole("button", { name: "Undo mv_1" }).click();
    await page.locator("tr[data-bucket]").nth(1).waitFor({ state: "detached" });
    await rows(".moved", 0);
    await page.keyboard.press("Escape");
    await group("CError").waitFor();
    assert.equal(await page.locator("tr[data-group]").count(), 3);
  });

  it("shows one report with its timeline drawn, and the reports beside it", async () => {
    const project = await makeProject("timelines");
    const ids = [1, 2, 3].map((n) => `OOPS-${String(n).padStart(32, "0")}`);
    const timeline = [[0, 12, "SQL-main", "SELECT * FROM cart"], [14, 200, "http", "GET http://prices.example/1"],
      [20, 30, "SQL-main", "SELECT 1"], [30, 40, "SQL-main", "SELECT 1"], [35, 50, "SQL-main", "SELECT 2", "  File \"cart.py\", line 7"]];
    const frames = [{ module: "wsgi", function: "serve", file: "wsgi.py", line: 3, context_line: "app()", in_app: false },
      { module: "shop", function: "price_of", file: "shop.py", line: 7, context_line: "return prices[item]", in_app: true }];
    for (const id of ids)
      await post(project, { id, type: "TimeoutError", value: "the prices took too long", timeline, duration: 0.25, frames, topic: "cart",
        url: "http://shop.example/cart?item=1", username: "ann", req_vars: { PATH_INFO: "/cart", HTTP_COOKIE: "secret" } });
    await open(`/reports/${ids[1]}`);
    await page.locator(".lanes").waitFor();
    assert.deepEqual(await page.locator("[data-lane]").evaluateAll((all) => all.map((lane) => lane.dataset.lane)), ["http", "SQL-main"]);
    const bar = (index) => page.locator(`[data-bar="${index}"]`);
    const box = await bar(1).boundingBox();
    const all = await page.locator("[data-lane=http] svg").boundingBox();
    assert.ok(Math.abs(box.width / all.width - 186 / 250) < 0.03, "a bar is as long as its action took");
    const action = () => asText(page.locator(".action"));
    assert.match(await action(), /http.*from 14 ms to 200 ms: 186 ms.*GET http:\/\/prices/s, "the longest, at first");
    await bar(0).hover();
    assert.match(await action(), /SELECT \* FROM cart/);
    await bar(1).focus();
    await page.keyboard.press("ArrowRight");
    assert.match(await action(), /SELECT 1/);
    await page.keyboard.press("End");
    assert.match(await action(), /SELECT 2/);
    assert.equal(await page.locator(".bar[tabindex='0']").count(), 1, "one stop for the Tab key");
    const label = await page.evaluate(() => document.activeElement.getAttribute("aria-label"));
    assert.equal(label, "SQL-main, from 35 ms, took 15 ms: SELECT 2");
    await page.getByText("Where it was done").click();
    await page.getByText("cart.py").waitFor();
    await page.getByText("The timeline as a table").click();
    await rows(".timeline table tbody tr", 5);
    assert.match(await asText(page.locator(".repeated")), /2×\s*20 ms\s*SQL-main\s*SELECT 1/);
    assert.match(await asText(page.locator(".frames").first()), /price_of shop\.py:7.*return prices\[item\].*1 call in libraries/s);
    const whole = await asText(page.locator("main"));
    assert.match(whole, /Request variables.*PATH_INFO\s+\/cart/s);
    assert.match(whole, /HTTP_COOKIE\s+<hidden>/);
    await keep("oops-report");
    await page.getByRole("link", { name: "newer" }).click();
    await page.locator("p code", { hasText: ids[2] }).waitFor();
    for (const id of [ids[1], ids[0]]) {
      await page.getByRole("link", { name: "older" }).click();
      await page.locator("p code", { hasText: id }).waitFor();
    }
    await page.getByRole("link", { name: "older" }).waitFor({ state: "detached" });
    await page.keyboard.press("Escape");
    await page.locator("tr[data-report]").nth(2).waitFor();
    assert.deepEqual(complaints, []);
  });

  it("draws what strangers wrote as text, wherever they wrote it", async () => {
    const p = PICTURE;
    const project = await makeProject(p);
    const frame = { module: p, function: p, file: p, line: 2, context_line: p, lines_before: [p], lines_after: [p], in_app: true,
      variables: [{ name: p, value: p }], generated: p };
    const told = await report(project, {
      message: p, topic: p, url: `javascript:window.hit=1//${p}`, method: p, referrer: `data:text/html,${p}`, user_agent: p, release: p,
      environment: p, hostname: p, reporter: p, platform: p, logger: p, trace_id: p, request_id: p, fingerprint: [p],
      exceptions: [{ type: p, value: p, module: p, mechanism: { type: p, handled: false }, frames: [{ ...frame, in_app: false }, frame] }],
      user: { id: p, name: p, email: p, ip: p, other: { [p]: p } }, tags: { [p]: p }, variables: { [p]: p }, flags: { [p]: p },
      timeline: [{ start_ms: 0, end_ms: 5, category: p, detail: p, traceback: p }, { start_ms: 5, end_ms: 6, category: p, detail: p }],
      breadcrumbs: [{ category: p, type: p, message: p, level: "error", data: { [p]: p } }], positions: [{ service: p, position: p }],
      extra: { [p]: { [p]: [p] } },
    });
    await call("PATCH", `v1/groups/${told.group}`, { assignee: p, bug: `javascript:window.hit=1//${p}` });
    await call("PATCH", `v1/groups/${told.group}`, { status: "resolved", resolved_in: p });
    const harmless = async () => {
      assert.equal(await page.locator("main img").count(), 0);
      assert.equal(await page.evaluate(() => window.hit), undefined);
      const protocols = await page.locator("main a").evaluateAll((all) => all.map((a) => a.protocol));
      assert.deepEqual(protocols.filter((protocol) => !/^https?:$/.test(protocol)), []);
      assert.ok((await asText(page.locator("main"))).includes(p), "it stands there, as text");
    };
    await open("");
    await page.locator("tr[data-project]").nth(6).waitFor();
    await harmless();
    await open(`/projects/${project.project}`);
    await page.locator("tr[data-group]").waitFor();
    await harmless();
    await open(`/groups/${told.group}`);
    await page.locator("tr[data-report]").waitFor();
    await harmless();
    await open(`/reports/${told.id}`);
    await page.locator(".lanes").waitFor();
    await unfold();
    await harmless();
    assert.ok((await asText(page.locator("main"))).split(p).length > 40);
    await page.setViewportSize({ width: 360, height: 740 });
    assert.ok(await fits(), "no sideways scrolling");
    assert.deepEqual(complaints, []);
  });

  it("finds a report by the id that somebody was shown, and is used by keyboard alone", async () => {
    await open("");
    await page.keyboard.press("/");
    await page.keyboard.type("OOPS-00000000000000000000000000000002");
    await page.locator(".by-id a").waitFor();
    await page.keyboard.press("Enter");
    await page.keyboard.press("Enter");
    await page.locator(".lanes").waitFor();
    await page.keyboard.press("Escape");
    await page.locator("tr[data-report]").first().waitFor();
    await page.keyboard.press("Escape");
    await page.locator("tr[data-group]").waitFor();
    await page.keyboard.press("j");
    await page.keyboard.press("Enter");
    await page.locator("tr[data-report]").first().waitFor();
    await page.keyboard.press("/");
    await page.keyboard.type("prices project:6");
    await page.locator("tr[data-report]", { hasText: "TimeoutError" }).nth(2).waitFor();
    await page.keyboard.press("Enter");
    await page.keyboard.press("Enter");
    await page.locator(".lanes").waitFor();
    await page.goto(`${url}/#/oops/reports/OOPS-ffffffffffffffffffffffffffffffff`);
    await page.getByText("no report with this id came here").waitFor();
  });

  it("is readable in the dark and on a narrow screen", async () => {
    await page.setViewportSize({ width: 360, height: 740 });
    await page.emulateMedia({ colorScheme: "dark" });
    for (const [name, hash, what] of [["project", "/projects/6", "tr[data-group]"], ["group", "/groups/g_4", ".decisions"],
      ["report", "/reports/OOPS-00000000000000000000000000000001", ".lanes"]]) {
      await open(hash);
      await page.locator(what).first().waitFor();
      await unfold();
      assert.ok(await fits(), `no sideways scrolling: ${name}`);
      await keep(`oops-${name}-narrow-dark`);
    }
    assert.notEqual(await page.evaluate(() => getComputedStyle(document.body).backgroundColor), "rgb(250, 249, 247)");
    assert.deepEqual(complaints, []);
  });
});
