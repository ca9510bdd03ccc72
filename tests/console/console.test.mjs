// The tracker's pages in a real browser against the real program.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { after, before, beforeEach, describe, it } from "node:test";
import { promisify } from "node:util";
import { gantry, here, openBrowser, Program, scratchDirectory, screenshots } from "./program.mjs";

const scratch = scratchDirectory();
const program = new Program(join(scratch, "data"));
const report = (fields) => program.report(fields);
let url, browser, page, complaints;

const flight = (name) => page.locator(`section[aria-labelledby=flight] tr[data-package="${name}"]`);
const completed = (name) => page.locator(`section[aria-labelledby=completed] tr[data-package="${name}"]`);
const keep = (name) => page.screenshot({ path: join(screenshots, `${name}.png`), fullPage: true });
const focusedRow = () => page.evaluate(() => document.activeElement?.matches("[data-row]") && document.activeElement.textContent);

before(async () => {
  mkdirSync(screenshots, { recursive: true });
  url = await program.start();
  await promisify(execFile)(gantry, ["import", "dpkg-log", join(here, "fixtures/dpkg.log"), "--zone", "UTC", "--server", url]);
  browser = await openBrowser(scratch);
});

after(async () => {
  await browser?.close();
  await program.stop();
  rmSync(scratch, { recursive: true, force: true });
});

describe("the tracker's page", { timeout: 120000 }, () => {
  beforeEach(async () => {
    await page?.close();
    page = await browser.newPage();
    complaints = [];
    page.on("console", (message) => ["error", "warning"].includes(message.type()) && complaints.push(message.text()));
    page.on("pageerror", (error) => complaints.push(String(error)));
    await page.goto(`${url}/#/tracker`);
    await page.getByText("Live", { exact: true }).waitFor();
  });

  it("shows what is in flight, what completed, and the summary", async () => {
    await flight("libfoo1").waitFor();
    assert.match(await flight("libfoo1").textContent(), /1\.2-1.*unpacked/);
    await completed("hello").waitFor();
    assert.match(await completed("hello").textContent(), /2\.10-3.*installed/);
    assert.match(await completed("oldtool").textContent(), /removed/);
    const names = await page.locator("section[aria-labelledby=completed] tbody th").allTextContents();
    assert.deepEqual(names.slice(0, 3), ["oldtool", "tzdata", "hello"], "newest first");
    await page.locator(".chip", { hasText: "unpacked" }).waitFor();
    assert.match(await page.locator(".figures dl").textContent(), /in flight2completed3packages5/);
    assert.equal(await page.locator(".chart canvas").count(), 1);
    await keep("overview");
    assert.deepEqual(complaints, []);
  });

  it("has a policy that forbids everything inline, and keeps to it", async () => {
    const reply = await fetch(url);
    const policy = reply.headers.get("content-security-policy");
    assert.match(policy, /default-src 'none'.*script-src 'self'/);
    assert.doesNotMatch(policy, /unsafe/);
    const ran = await page.evaluate(() => {
      const script = document.createElement("script");
      script.textContent = "window.bad = 1";
      document.head.append(script);
      return window.bad;
    });
    assert.equal(ran, undefined);
    assert.equal(complaints.length, 1, "the refused script, and nothing before it");
    assert.match(complaints[0], /Content Security Policy/);
  });

  it("moves a package across the page while one watches", async () => {
    await completed("hello").waitFor();  // what the page begins with is nothing new
    await report({ package: "mover", version: "1.0-1", stage: "unpacked" });
    await flight("mover").waitFor();
    await page.locator('tr.fresh[data-package="mover"]').waitFor();
    await keep("moving");
    await report({ package: "mover", version: "1.0-1", stage: "half-configured" });
    await flight("mover").getByText("half-configured").waitFor();
    await report({ package: "mover", version: "1.0-1", stage: "installed", result: "installed" });
    await completed("mover").waitFor();
    assert.equal(await flight("mover").count(), 0);
    await keep("moved");
    assert.deepEqual(complaints, []);
  });

  it("asks once, and is told what changes", async () => {
    await completed("hello").waitFor();
    const asked = [];
    page.on("request", (request) => request.url().includes("/tracker/") && asked.push(request.url()));
    for (const stage of ["unpacked", "half-configured"]) {
      await report({ package: "streamed", version: "1.0-1", stage });
      await flight("streamed").getByText(stage).waitFor();
    }
    assert.deepEqual(asked, []);
  });

  it("asks once a second where no stream comes", async () => {
    await page.route(/live=patch/, (route) => route.abort());
    await page.reload();
    await completed("hello").waitFor();
    const statuses = [];
    page.on("response", (reply) => reply.url().endsWith("/summary") && statuses.push(reply.status()));
    for (let n = 0; n < 2; ++n) await page.waitForResponse((reply) => reply.url().endsWith("/summary"));
    assert.deepEqual([...new Set(statuses)], [304]);
    await report({ package: "polled", version: "1.0-1", stage: "unpacked" });
    await flight("polled").waitFor();
  });

  it("is used by keyboard alone", async () => {
    await flight("libfoo1").waitFor();
    await page.keyboard.press("j");
    const first = await focusedRow();
    await page.keyboard.press("j");
    assert.notEqual(await focusedRow(), first);
    await page.keyboard.press("k");
    assert.equal(await focusedRow(), first);
    await page.keyboard.press("/");
    await page.keyboard.type("libfoo");
    await page.locator(".found li").nth(1).waitFor();
    assert.deepEqual((await page.locator(".found a").allTextContents()).sort(), ["libfoo-dev", "libfoo1"]);
    await keep("search");
    await page.keyboard.press("Enter");
    const chosen = await focusedRow();
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { level: 2, name: chosen, exact: true }).waitFor();
    assert.equal(new URL(page.url()).hash, `#/tracker/packages/${chosen}`);
    await page.keyboard.press("Escape");
    await page.locator("#flight").waitFor();
    assert.deepEqual(complaints, []);
  });

  it("tells a package's whole history", async () => {
    await report({ package: "hello", version: "2.12-1", stage: "unpacked", note: "<b>bold</b>", url: "https://ci.example.org/1" });
    await page.goto(`${url}/#/tracker/packages/hello`);
    await page.locator(".history").nth(1).waitFor();
    assert.match(await page.locator(".history").nth(0).textContent(), /2\.12-1.*unpacked.*<b>bold<\/b>/s, "newest first, notes as text");
    assert.match(await page.locator(".history").nth(1).textContent(), /2\.10-3.*installed.*half-installed.*unpacked.*half-configured/s);
    assert.equal(await page.locator(".stages a").getAttribute("href"), "https://ci.example.org/1");
    await keep("package");
    await page.goto(`${url}/#/tracker/packages/no-such-package`);
    await page.getByRole("alert").waitFor();
    assert.match(await page.getByRole("alert").textContent(), /package_not_found/);
  });

  it("shows one stage when it is chosen", async () => {
    await report({ package: "uploader", version: "3", stage: "uploaded" });
    await page.locator(".chip", { hasText: "uploaded" }).click();
    await flight("uploader").waitFor();
    await page.waitForFunction(() => document.querySelectorAll("section[aria-labelledby=flight] tbody tr").length === 1);
    assert.equal(await page.locator(".chip[aria-current]").textContent().then((t) => t.trim()), "uploaded 1");
  });

  it("pages on by a button", async () => {
    for (let n = 0; n < 60; ++n) await report({ package: `many-${n}`, version: "1", stage: "queued" });
    await page.goto(`${url}/#/tracker/stages/queued`);
    const rows = page.locator("section[aria-labelledby=flight] tbody tr");
    await rows.nth(49).waitFor();
    assert.equal(await rows.count(), 50);
    await page.getByRole("button", { name: "more in flight" }).click();
    await rows.nth(59).waitFor();
    assert.equal(new Set(await rows.locator("th").allTextContents()).size, 60, "each once");
    assert.equal(await page.getByRole("button", { name: "more in flight" }).count(), 0);
  });

  it("is readable in the dark and on a narrow screen", async () => {
    await page.emulateMedia({ colorScheme: "dark" });
    const ground = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    const dark = await ground();
    await keep("dark");
    await page.emulateMedia({ colorScheme: "light" });
    assert.notEqual(await ground(), dark);
    await page.setViewportSize({ width: 360, height: 740 });
    await flight("libfoo1").waitFor();
    assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), "no sideways scrolling");
    await keep("narrow");
    assert.deepEqual(complaints, []);
  });

  it("says when the server is away, keeps what it showed, and comes back", async () => {
    await flight("libfoo1").waitFor();
    await program.stop();
    await page.locator(".connection.offline").waitFor();
    assert.equal(await flight("libfoo1").count(), 1);
    await program.start(new URL(url).host);
    await page.getByText("Live", { exact: true }).waitFor();
  });
});
