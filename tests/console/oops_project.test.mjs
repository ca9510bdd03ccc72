// The pages of one project of oops, beside its groups, in a real browser against the real program: settings, rules and regroups, the
// summary of a day, source maps, counts.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, beforeEach, describe, it } from "node:test";
import { openBrowser, Program, scratchDirectory, screenshots } from "./program.mjs";

const scratch = scratchDirectory();
const program = new Program(join(scratch, "data"));
const PICTURE = '<img src=x onerror="window.hit=1">';
const DEBUG_ID = "01234567-89ab-cdef-0123-456789abcdef";
let url, browser, page, complaints;

const keep = (name) => page.screenshot({ path: join(screenshots, `${name}.png`), fullPage: true });
const open = async (hash) => {
  await page.goto(`${url}/#/oops${hash}`);
  await page.locator("main .oops h3").first().waitFor();
};
const button = (name) => page.getByRole("button", { name, exact: true });
const main = () => page.locator("main").innerText();

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
const report = (project, fields) => call("POST", "v1/reports", { project, report: fields });
function failure(type, fields) {
  const frames = [{ module: "shop", function: type, file: "shop.py", line: 7, in_app: true }];
  return { exceptions: [{ type, value: `${type} of the cart`, frames }], ...fields };
}
const field = (name) => page.locator(`[data-field=${name}]`);
const said = (text) => page.locator(".outcome", { hasText: text }).waitFor();

before(async () => {
  mkdirSync(screenshots, { recursive: true });
  url = await program.start();
  browser = await openBrowser(scratch);
  for (const name of ["settings", "rules", "summary", "maps"]) await call("POST", "v1/projects", { name });
});
after(async () => {
  await browser?.close();
  await program.stop();
  rmSync(scratch, { recursive: true, force: true });
});

describe("the pages of a project of oops", { timeout: 120000 }, () => {
  beforeEach(async () => {
    await page?.close();
    page = await browser.newPage();
    complaints = [];
    page.on("console", (message) => ["error", "warning"].includes(message.type()) && complaints.push(message.text()));
    page.on("pageerror", (error) => complaints.push(String(error)));
  });

  it("change its settings, and show at a field what the server says against it", async () => {
    await call("PATCH", "v1/projects/1", { limits: { group_a_minute: 77 }, alerts: { on_regressed: false, spike: 9 } });
    await open("/projects/1");
    await page.getByRole("link", { name: "Settings" }).click();
    const { key } = await call("GET", "v1/projects/1");
    await page.locator(".copyable code", { hasText: `${url.replace("://", `://${key}@`)}/oops/1` }).waitFor();
    await page.getByLabel("Reports a minute").fill("lots");
    await page.getByLabel("Mail addresses").fill("ann@shop.example\n\nx");
    await button("Save").click();
    await page.getByRole("alert").waitFor();
    assert.match(await field("reports_a_minute").locator(".problem").innerText(), /expected an integer.*found "lots"/);
    assert.match(await field("mails").locator(".problem").innerText(), /^x: expected text/);
    assert.equal(await page.locator(".field .problem").count(), 2, "at these fields alone");
    assert.equal(await page.evaluate(() => document.activeElement.name), "reports_a_minute", "the first is where the reader is led to");
    const { limits } = await call("GET", "v1/projects/1");
    assert.equal(limits.reports_a_minute, 60000);
    await keep("oops-settings-refused");
    await page.getByLabel("Reports a minute").fill("500");
    await page.getByLabel("Mail addresses").fill("ann@shop.example");
    await page.getByLabel("Hooks").fill(" http://hook.example/1\nhttp://hook.example/2 \n");
    await page.getByLabel("of each day, by its summary").check();
    await page.getByLabel("Name").fill("shop");
    await page.keyboard.press("Enter");
    await said("Saved.");
    assert.equal(await page.locator(".problem").count(), 0);
    const now = await call("GET", "v1/projects/1");
    assert.equal(now.name, "shop");
    assert.deepEqual(now.limits, { reports_a_minute: 500, group_a_minute: 77 }, "what wasn't touched stays");
    assert.deepEqual(now.alerts, { on_new: true, on_regressed: false, frequent: 0, spike: 9, crashed_percent: 0, daily_summary: true,
      hooks: ["http://hook.example/1", "http://hook.example/2"], mails: ["ann@shop.example"] });
    await page.getByRole("heading", { name: "shop" }).waitFor();
    await page.getByLabel("Mail addresses").fill("typing");
    await call("PATCH", "v1/projects/1", { name: "bazaar" });
    await page.waitForFunction(() => document.querySelector("[name=name]").value === "bazaar");
    assert.equal(await page.getByLabel("Mail addresses").inputValue(), "typing", "what somebody types stays");
    assert.deepEqual(complaints.filter((text) => !text.includes("400")), []);
  });

  it("set rules after they were tried, and say which line is wrong", async () => {
    for (const n of [1, 2, 3]) await report(2, { message: `basket ${"abc"[n - 1]} is lost`, logger: n < 3 ? "basket" : PICTURE });
    await open("/projects/2/rules");
    await page.getByText("Nobody merged or split").waitFor();
    const rules = page.getByLabel("Rules, one a line");
    await rules.fill("# baskets\nlogger:basket -> group: all");
    await button("Set these rules").click();
    await page.getByRole("alert").waitFor();
    assert.match(await page.getByRole("alert").innerText(), /line 2: unknown action "group: all".*rules_invalid/s);
    assert.equal(await page.locator(".wrong-line").innerText(), "2logger:basket -> group: all");
    assert.equal(await page.evaluate(() => getSelection().toString()), "logger:basket -> group: all", "the caret is there");
    assert.equal((await call("GET", "v1/projects/2/rules")).text, "");
    const text = "# baskets\nlogger:basket -> fingerprint: basket\nlogger:basket -> title: \"a basket\"";
    await rules.fill(text);
    await button("Try").click();
    await page.locator(".changes tbody tr").nth(1).waitFor();
    assert.match(await page.locator(".changes").innerText(), /g_\d\s+basket [ab] is lost\s+a new group a basket\s+1\b/);
    assert.match(await page.locator(".try").innerText(), /2 of 3 reports would be in another group/);
    assert.equal(await page.locator(".try .incomplete").count(), 0);
    assert.equal((await call("GET", "v1/groups?project=2")).items.length, 3, "nothing changed");
    await button("Set these rules").click();
    await said("These rules are set.");
    assert.equal((await call("GET", "v1/projects/2/rules")).text, text);
    await keep("oops-rules");
    await call("PUT", "v1/projects/2/rules", { text: `${text}\n` });
    await page.waitForFunction((text) => document.querySelector("#rules-text").value === text, `${text}\n`);
    await rules.fill("mine");
    await call("PUT", "v1/projects/2/rules", { text });
    await page.getByText("Other rules were set meanwhile.").waitFor();
    await button("Show the others").click();
    assert.equal(await rules.inputValue(), text);
    assert.deepEqual(complaints.filter((text) => !text.includes("400")), []);
  });

  it("regroup what came before, and take that back; merges, too", async () => {
    await open("/projects/2/rules");
    await button("Regroup").click();
    const first = page.locator("tr[data-regroup=rg_1]");
    await first.locator(".badge", { hasText: "done" }).waitFor();
    assert.match(await first.innerText(), /all reports\s+3 looked at, 2 moved/);
    await page.locator(".regroups input").fill("none");
    await button("Regroup").click();
    assert.match(await page.locator(".regroups").getByRole("alert").innerText(), /expected an integer/);
    await button("Undo rg_1").click();
    await page.locator("tr[data-regroup=rg_2]", { hasText: "what rg_1 moved" }).locator(".badge", { hasText: "done" }).waitFor();
    await first.getByText("undone by rg_2").waitFor();
    assert.equal(await button("Undo rg_1").count(), 0);
    const { items } = await call("GET", "v1/groups?project=2");
    const [a, b] = items.filter((group) => group.count > 0).map((group) => group.id);
    await call("POST", `v1/groups/${a}/merge`, { groups: [b] });
    const move = page.locator("tr[data-move=mv_1]");
    await move.waitFor();
    assert.match(await move.innerText(), new RegExp(`merge\\s+${b}\\s+${a}\\s+1 bucket`));
    await button("Undo mv_1").click();
    await move.getByText("undone by mv_2").waitFor();
    assert.match(await page.locator("tr[data-move=mv_2]").innerText(), new RegExp(`undo\\s+${a}\\s+${b}`));
    assert.equal((await call("GET", `v1/groups/${b}`)).group.merged_into, undefined);
    await keep("oops-regroups");
    assert.deepEqual(complaints.filter((text) => !text.includes("400")), []);
  });

  it("say plainly what isn't all, and end a regroup that somebody cancels", async () => {
    const { project } = await call("POST", "v1/projects", { name: "many" });
    await call("PATCH", `v1/projects/${project}`, { limits: { group_a_minute: 1e8, reports_a_minute: 1e8 } });
    const thousand = Array.from({ length: 1000 }, () => ({ project, report: { message: "a job failed", logger: "jobs" } }));
    for (let n = 0; n < 21; ++n) await call("POST", "v1/reports", thousand);
    await open(`/projects/${project}/rules`);
    await page.getByLabel("Rules, one a line").fill("logger:jobs -> fingerprint: jobs");
    await button("Try").click();
    await page.locator(".try .incomplete", { hasText: "only the newest 20,000 were looked at" }).waitFor();
    assert.match(await page.locator(".try").innerText(), /20,000 of 20,000 reports would be in another group/);
    await button("Set these rules").click();
    await said("These rules are set.");
    // Clicked within the page, as soon as it's there: a regroup takes less time than a word from here to the browser and back. One that
    // has ended before all the same is begun again.
    const row = page.locator("tr[data-regroup]").filter({ has: page.locator(".badge", { hasText: "cancelled" }) });
    const cancel = page.getByRole("button", { name: /^Cancel rg_/ });
    await page.evaluate(() => {
      const click = () => [...document.querySelectorAll("button:enabled")].find((b) => /^Cancel rg_/.test(b.innerText))?.click();
      new MutationObserver(click).observe(document.body, { childList: true, subtree: true });
    });
    for (let tries = 0; (await row.count()) === 0; ++tries) {
      assert.ok(tries < 30, "none could be cancelled in time");
      await button("Regroup").click();
      await page.waitForTimeout(50);
      await cancel.waitFor({ state: "detached" });
    }
    const [, examined] = (await row.innerText()).match(/([\d,]+) looked at/);
    assert.ok(Number(examined.replaceAll(",", "")) < 21000, `${examined} of 21,000`);
    assert.equal(await row.locator("progress").count(), 0, "it has ended");
    // 409: it had ended when it was cancelled.
    assert.deepEqual(complaints.filter((complaint) => !complaint.includes("409")), []);
  });

  it("tell what a day was like, with ways to its groups and reports", async () => {
    const timeline = (ms) => [{ start_ms: 0, end_ms: ms, category: "SQL-main", detail: "SELECT * FROM cart WHERE id = 7" }];
    const told = [];
    const cart = { kind: "timeout", topic: "/cart", method: "GET", url: "http://shop.example/cart?item=1",
      referrer: "http://shop.example/" };
    for (const ms of [400, 1600]) told.push(await report(3, failure("TimeoutError", { ...cart, duration_ms: ms, timeline: timeline(ms) })));
    const bad = { topic: PICTURE, url: `javascript:window.hit=1//${PICTURE}`, referrer: `data:text/html,${PICTURE}` };
    await report(3, failure(PICTURE, bad));
    await call("PATCH", `v1/groups/${told[0].group}`, { bug: "https://bugs.example/1" });
    const day = (await call("GET", `v1/reports/${told[0].id}`)).report.received_at.slice(0, 10);
    await open(`/projects/3/summary/${day}`);
    await page.locator("[data-class=timeout]").waitFor();
    assert.equal(await page.locator("[data-figure=reports] dd").innerText(), "3");
    assert.equal(await page.locator("[data-figure=timeout] dd").innerText(), "2");
    const table = (name) => page.getByRole("table", { name, exact: true }).innerText();
    assert.match(await table("Slowest pages"), /\/cart\s+1\.6 s\s+1 s\s+2/);
    assert.match(await table("Most statements"), /\/cart\s+1\s+1\s+1 s\s+2/);
    assert.match(await table("Time-outs by page"), /\/cart\s+2/);
    assert.match(await table("Time-outs by their costliest statement"), /SELECT \* FROM cart.*\s2/);
    const group = page.locator(`[data-group-day=${told[0].group}]`);
    const inGroup = /2 TimeoutError.*bugs\.example\/1.*GET: 2, led here by us: 2.*mostly led here by.*2× http:\/\/shop/s;
    assert.match(await group.innerText(), inGroup);
    assert.equal(await page.locator("main img").count(), 0);
    assert.equal(await page.evaluate(() => window.hit), undefined);
    const protocols = await page.locator("main a").evaluateAll((all) => all.map((a) => a.protocol));
    assert.deepEqual(protocols.filter((protocol) => !/^https?:$/.test(protocol)), []);
    assert.ok((await main()).includes(PICTURE), "it stands there, as text");
    await page.getByText("As text, as the mail has it").click();
    await page.locator(".as-text code", { hasText: `Reports of summary on ${day} (UTC): 3` }).waitFor();
    await keep("oops-summary");
    const before = new Date(Date.parse(day) - 86400000).toISOString().slice(0, 10);
    await page.getByRole("link", { name: `← ${before}` }).click();
    await page.getByText("Nothing was reported on that day.").waitFor();
    assert.equal(await page.getByLabel("Day").inputValue(), before);
    await page.getByLabel("Day").fill(day);
    await group.waitFor();
    await page.getByRole("link", { name: `← ${before}` }).click();
    await page.getByRole("link", { name: `${day} →` }).click();
    await group.getByRole("link", { name: told[1].id }).click();
    await page.locator(".lanes").waitFor();
    assert.equal(new URL(page.url()).hash, `#/oops/reports/${told[1].id}`);
    assert.deepEqual(complaints, []);
  });

  it("count the reports of a group by day and by hour, as they come", async () => {
    await open("/groups/g_1");
    const bars = () => page.locator(".counts g").evaluateAll((all) => all.map((one) => Number(one.dataset.count)));
    const sum = (all) => all.reduce((a, b) => a + b, 0);
    await page.locator(".counts svg").waitFor();
    assert.deepEqual([(await bars()).length, sum(await bars())], [30, 1]);
    await report(2, { message: "basket a is lost", logger: "other" });
    await page.locator(".counts svg[aria-label^='2 reports in the last 30 days']").waitFor();
    await button("by hour").click();
    await page.locator(".counts svg[aria-label^='2 reports in the last 24 hours']").waitFor();
    assert.deepEqual([(await bars()).length, sum(await bars())], [24, 2]);
    const highest = await page.locator(".counts .count-bar").evaluateAll((all) => Math.max(...all.map((bar) => bar.height.baseVal.value)));
    assert.equal(highest, 60, "the most is as high as there is room");
    await keep("oops-counts");
    assert.deepEqual(complaints, []);
  });

  it("keep source maps that the line for curl sends, show reports by them, and forget them", async () => {
    await open("/projects/4/source-maps");
    await page.getByText("There is no source map yet.").waitFor();
    writeFileSync(join(scratch, "app.js.map"), JSON.stringify({ version: 3, file: "app.js", sourceRoot: "src", sources: ["a.js"],
      sourcesContent: ["first\nlet a; total()\nlast"], names: ["total"], mappings: "AAAA,QACSA;EAAC" }));
    const line = await page.locator(".copyable code").innerText();
    execFileSync("bash", ["-c", line.replace("DEBUG_ID", DEBUG_ID).replace("curl ", "curl -sSf ")], { cwd: scratch });
    const row = page.locator(`tr[data-map="${DEBUG_ID}"]`);
    await row.waitFor();
    assert.match(await row.innerText(), /app\.js\s+\d+ B/);
    const { key } = await call("GET", "v1/projects/4");
    const frames = [{ function: "x", filename: "http://h/app.min.js", lineno: 1, colno: 12, in_app: true }];
    const { id } = await call("POST", "api/4/store/", { event_id: "0123456789abcdef0123456789abcdef", platform: "javascript",
      exception: { values: [{ type: "TypeError", value: "t is undefined", stacktrace: { frames } }] },
      debug_meta: { images: [{ type: "sourcemap", code_file: "http://h/app.min.js", debug_id: DEBUG_ID }] } },
      { "x-sentry-auth": `Sentry sentry_version=7, sentry_key=${key}` });
    await keep("oops-maps");
    const other = await browser.newPage();
    await other.goto(`${url}/#/oops/reports/${id}`);
    await other.locator(".frame", { hasText: "src/a.js:2" }).waitFor();
    assert.match(await other.locator(".frames").innerText(), /src\/a\.js:2:\d+\s+from http:\/\/h\/app\.min\.js:1:12.*let a; total\(\)/s);
    await other.screenshot({ path: join(screenshots, "oops-mapped.png"), fullPage: true });
    await other.close();
    await button(`Delete the map of ${DEBUG_ID}`).click();
    await button("Keep").click();
    await page.waitForFunction(() => document.activeElement.textContent === "Delete…");
    assert.equal((await call("GET", "v1/projects/4/source-maps")).items.length, 1);
    await button(`Delete the map of ${DEBUG_ID}`).click();
    await page.waitForFunction(() => document.activeElement.textContent === "Delete for good");
    await page.keyboard.press("Enter");
    await page.getByText("There is no source map yet.").waitFor();
    assert.equal((await call("GET", "v1/projects/4/source-maps")).items.length, 0);
    assert.deepEqual(complaints, []);
  });

  it("are used by keyboard alone, and are readable in the dark and on a narrow screen", async () => {
    await page.setViewportSize({ width: 360, height: 740 });
    await page.emulateMedia({ colorScheme: "dark" });
    await call("PUT", `api/4/source-maps/${DEBUG_ID}`, { version: 3, file: "app.js", sources: ["a.js"], names: [], mappings: "AAAA" });
    const day = (await call("GET", "v1/groups?project=3")).items[0].last_seen.slice(0, 10);
    for (const [name, hash, what] of [["settings", "/projects/1/settings", ".settings"], ["rules", "/projects/2/rules", "tr[data-move]"],
      ["summary", `/projects/3/summary/${day}`, "[data-class]"], ["maps", "/projects/4/source-maps", "tr[data-map]"]]) {
      await open(hash);
      await page.locator(what).first().waitFor();
      assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), `no sideways scrolling: ${name}`);
      const nameless = await page.locator("main :is(input, textarea, select)").evaluateAll((all) =>
        all.filter((one) => one.labels.length === 0 && !one.ariaLabel).map((one) => one.outerHTML));
      assert.deepEqual(nameless, [], `every control says what it is: ${name}`);
      await keep(`oops-${name}-narrow-dark`);
    }
    await open("/projects/2/rules");
    await page.getByLabel("Rules, one a line").focus();
    await page.keyboard.type("half a rule");
    await page.keyboard.press("Escape");
    assert.match(await page.getByLabel("Rules, one a line").inputValue(), /half a rule/, "Escape is for the form first");
    await page.keyboard.press("Escape");
    await page.locator("tr[data-group]").first().waitFor();
    assert.deepEqual(complaints, []);
  });
});
