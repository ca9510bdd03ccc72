// The home page in a real browser against the real program.
import assert from "node:assert/strict";
import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { after, before, beforeEach, describe, it } from "node:test";
import { openBrowser, Program, scratchDirectory, screenshots } from "./program.mjs";

const scratch = scratchDirectory();
const program = new Program(join(scratch, "data"));
let url, browser, page, complaints;

const tracker = () => page.locator('[data-service="tracker"]');
const figure = (name) => tracker().locator(`[data-figure=${name}]`);
const line = (name) => figure(name).locator("path").getAttribute("d");
const keep = (name) => page.screenshot({ path: join(screenshots, `${name}.png`), fullPage: true });
const live = () => page.getByText("Live", { exact: true }).waitFor();

// The server's status with `change` made to it, until the page goes away.
const alter = (change) =>
  page.route("**/_gantry/v1/status", async (route) => {
    const reply = await route.fetch();
    const status = await reply.json();
    change(status, status.sites[0].services[0]);
    await route.fulfill({ response: reply, json: status });
  });

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

describe("the home page", { timeout: 120000 }, () => {
  beforeEach(async () => {
    await page?.close();
    page = await browser.newPage();
    complaints = [];
    page.on("console", (message) => ["error", "warning"].includes(message.type()) && complaints.push(message.text()));
    page.on("pageerror", (error) => complaints.push(String(error)));
    await page.goto(url);
    await live();
  });

  it("shows every service and the process, and has no sign-in where no credentials are", async () => {
    await tracker().getByText("ready", { exact: true }).waitFor();
    const process = await page.locator(".process").textContent();
    assert.match(process, /version.*up for.*CPU.*resident memory.*connections.*live readers.*disk free/);
    await page.getByText("all well").waitFor();
    assert.equal(await page.locator(".account").count(), 0);
    assert.equal(await page.getByRole("heading", { name: "Sign in" }).count(), 0);
    assert.equal(await page.title(), "Home · Gantry");
    await tracker().getByRole("link", { name: "tracker" }).click();
    await page.locator("#flight").waitFor();
    assert.equal(new URL(page.url()).hash, "#/tracker");
    assert.deepEqual(complaints, []);
  });

  it("moves its lines with the traffic, without being asked", async () => {
    await page.waitForFunction(() => document.querySelector('[data-figure="requests"] path')?.getAttribute("d").includes("L"));
    const before = { requests: await line("requests"), events: await line("events") };
    for (let n = 0; n < 20; ++n) await program.report({ package: "hello", version: String(n), stage: "queued" });
    await page.waitForFunction(() => /[1-9]/.test(document.querySelector('[data-figure="requests"] dd').textContent));
    await page.waitForFunction(() => Number(document.querySelector('[data-figure="position"] dd').textContent) >= 20);
    assert.notEqual(await line("requests"), before.requests);
    assert.notEqual(await line("events"), before.events);
    await keep("home");
    await page.emulateMedia({ colorScheme: "dark" });
    await keep("home-dark");
    await page.emulateMedia({ colorScheme: "light" });
    assert.deepEqual(complaints, []);
  });

  it("keeps the minutes before for who comes back to it", async () => {
    await page.waitForFunction(() => document.querySelector('[data-figure="cpu"] path')?.getAttribute("d").split("L").length > 3);
    await page.goto(`${url}/#/tracker`);
    await page.locator("#flight").waitFor();
    await page.goto(`${url}/#/`);
    await tracker().waitFor();
    assert.ok((await page.locator('[data-figure="cpu"] path').getAttribute("d")).split(/[LM]/).length > 3);
  });

  it("points at what is wrong and says what to do", async () => {
    await alter((status, service) => {
      Object.assign(service, { state: "stopped", effects_dead: 2 });
      service.followers = [{ source: "packages", state: "running", lag_events: 7, lag_s: 65, dead_letters: 1 }];
      status.disk_free_bytes = 100 * 1024 * 1024;
    });
    const alarm = (key) => page.locator(`[data-alarm="${key}"]`);
    await alarm("main/tracker stopped").waitFor();
    assert.match(await alarm("main/tracker stopped").textContent(), /tracker stopped itself.*DATA\/main\/reports\.d/);
    assert.match(await alarm("main/tracker effects").textContent(), /gave up 2 effects.*gantry effects ls tracker --dead/);
    assert.match(await alarm("main/tracker letters packages").textContent(), /gantry followers letters tracker packages/);
    assert.match(await alarm("disk").textContent(), /almost full.*507/);
    assert.match(await figure("followers").textContent(), /7 \(1 min\)/);
    assert.match(await figure("effects").textContent(), /2 dead/);
    assert.equal(await page.getByText("all well").count(), 0);
    await keep("home-wrong");
    await page.unroute("**/_gantry/v1/status");
    await page.getByText("all well").waitFor();
  });

  it("tells several sites apart, and links to the pages of its own", async () => {
    await alter((status, service) =>
      status.sites.push({ name: "acme", services: [{ ...service, state: "starting", events: 5, of: 90 }] }));
    const other = page.locator('[data-site="acme"][data-service="tracker"]');
    await other.waitFor();
    assert.match(await other.textContent(), /starting.*reads its log: 5 of 90 events/);
    assert.deepEqual(await page.locator("main h2").allTextContents(), ["main", "acme", "Process"]);
    assert.equal(await other.getByRole("link").count(), 0);
    const linked = await page.locator('[data-site="main"]').getByRole("link").allTextContents();
    assert.deepEqual(linked.sort(), ["oops", "pool", "queue", "tracker"]);
  });

  it("is used by keyboard: finds a service, opens it, comes back", async () => {
    await tracker().waitFor();
    await page.keyboard.press("/");
    await page.keyboard.type("nothing");
    await page.getByText("No service has").waitFor();
    await page.keyboard.press("Escape");
    await tracker().waitFor();
    await page.keyboard.press("j");
    await page.keyboard.press("Enter");
    await page.locator("#flight").waitFor();
    await page.keyboard.press("Escape");
    await tracker().waitFor();
    assert.deepEqual(complaints, []);
  });

  it("fits a narrow screen", async () => {
    await tracker().waitFor();
    await page.setViewportSize({ width: 360, height: 740 });
    assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), "no sideways scrolling");
    await keep("home-narrow");
  });

  it("asks nothing while nobody looks", async () => {
    await tracker().waitFor();
    await page.evaluate(() => {
      Object.defineProperty(document, "hidden", { value: true, configurable: true });
      document.dispatchEvent(new Event("visibilitychange"));
    });
    await page.getByText("Paused while the tab is hidden").waitFor();
    let asked = 0;
    page.on("request", () => ++asked);
    await new Promise((rested) => setTimeout(rested, 2500));
    assert.equal(asked, 0);
    await page.evaluate(() => {
      delete document.hidden;
      document.dispatchEvent(new Event("visibilitychange"));
    });
    await live();
  });

  it("says that what it shows is old while the server is away, and goes on when it is back", async () => {
    await tracker().waitFor();
    const events = await figure("position").locator("dd").textContent();
    await program.stop();
    await page.locator(".home.old").waitFor();
    await page.getByText("The server doesn't answer. What stands here is old").waitFor();
    await page.locator(".connection.offline").waitFor();
    assert.equal(await figure("position").locator("dd").textContent(), events, "what was shown stays");
    await keep("home-old");
    await program.start(new URL(url).host);
    await live();
    await page.locator(".home.old").waitFor({ state: "detached" });
    assert.match(await page.locator('[data-figure="uptime"]').textContent(), /\d s/);
  });
});
