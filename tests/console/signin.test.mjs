// Signing in to the console in a real browser, against the real program with callers of its own.
import assert from "node:assert/strict";
import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { after, before, beforeEach, describe, it } from "node:test";
import { openBrowser, Program, scratchDirectory, screenshots } from "./program.mjs";

const NAME = "ann";
const PASSWORD = "correct horse bättery staple";
const scratch = scratchDirectory();
const program = new Program(join(scratch, "data"));
let url, browser, page, complaints, token;

const keep = (name) => page.screenshot({ path: join(screenshots, `${name}.png`), fullPage: true });
const heading = () => page.getByRole("heading", { name: "Sign in" });
const alert = () => page.getByRole("alert");
const menu = () => page.locator(".account");
const service = () => page.locator('[data-service="tracker"]');
const submit = () => page.getByRole("button", { name: "Sign in", exact: true }).click();
async function signIn(name = NAME, password = PASSWORD) {
  await page.getByLabel("Name", { exact: true }).fill(name);
  await page.getByLabel("Password", { exact: true }).fill(password);
  await submit();
}
const headersOf = (name, password) => ({ authorization: `Basic ${Buffer.from(`${name}:${password}`).toString("base64")}` });

before(async () => {
  mkdirSync(screenshots, { recursive: true });
  program.addCaller(NAME, PASSWORD, "gantry:read", "tracker:*");
  program.addCaller("bob", PASSWORD, "tracker:*");
  program.addCaller("eve", PASSWORD, "gantry:read");
  token = JSON.parse(program.auth("add", "robot", "--token", "--scope", "*:read", "--json")).token;
  url = await program.start();
  browser = await openBrowser(scratch);
});
after(async () => {
  await browser?.close();
  await program.stop();
  rmSync(scratch, { recursive: true, force: true });
});

describe("signing in", { timeout: 120000 }, () => {
  beforeEach(async () => {
    await page?.close();
    await browser.clearCookies();
    page = await browser.newPage();
    complaints = [];
    page.on("pageerror", (error) => complaints.push(String(error)));
    await page.goto(url);
    await heading().waitFor();
  });

  it("is asked for before anything is shown, and told when the password is wrong", async () => {
    assert.equal(await page.getByRole("navigation").count(), 0);
    assert.equal(await page.title(), "Sign in · Gantry");
    await keep("signin");
    await page.emulateMedia({ colorScheme: "dark" });
    await keep("signin-dark");
    await page.emulateMedia({ colorScheme: "light" });
    await signIn(NAME, "wrong");
    await alert().waitFor();
    assert.match(await alert().textContent(), /name or the password is wrong.*password_wrong/);
    assert.equal(await page.getByLabel("Password", { exact: true }).inputValue(), "");
    await signIn(NAME, PASSWORD);
    await service().waitFor();
    assert.deepEqual(complaints, []);
  });

  it("is done by keyboard, and leaves no secret behind", async () => {
    await page.keyboard.type(NAME);
    await page.keyboard.press("Tab");
    await page.keyboard.type(PASSWORD);
    await page.keyboard.press("Enter");
    await service().waitFor();
    const cookies = await browser.cookies(url);
    assert.deepEqual(cookies.map((c) => [c.httpOnly, c.sameSite]), [[true, "Strict"]]);
    assert.deepEqual(await page.evaluate(() => [document.cookie, localStorage.length, sessionStorage.length]), ["", 0, 0]);
    await page.reload();
    await service().waitFor();
  });

  for (const host of ["localhost", "127.0.0.1", "main.localhost"])
    it(`keeps its cookie of http://${host}`, async () => {
      await page.goto(url.replace("127.0.0.1", host));
      await heading().waitFor();
      await signIn();
      await service().waitFor();
      await page.reload();
      await service().waitFor();
    });

  it("goes by a token, too", async () => {
    await page.getByLabel("Token", { exact: true }).check();
    await page.locator("input[name=secret]").fill(`${token}x`);
    await submit();
    await alert().waitFor();
    assert.match(await alert().textContent(), /token_/);
    await page.locator("input[name=secret]").fill(token);
    await submit();
    await service().waitFor();
    assert.match(await menu().textContent(), /robot/);
  });

  it("comes back to where one was", async () => {
    await page.goto(`${url}/#/tracker/stages/queued`);
    await signIn();
    await page.locator("#flight").waitFor();
    assert.equal(new URL(page.url()).hash, "#/tracker/stages/queued");
  });

  it("is over when one signs out", async () => {
    await signIn();
    await menu().locator("summary").click();
    await menu().getByText("Signed in as").waitFor();
    await menu().getByText("this one").waitFor();
    assert.match(await menu().textContent(), /gantry:read.*tracker:\*/);
    await keep("account");
    await page.setViewportSize({ width: 360, height: 740 });
    assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), "no sideways scrolling");
    await page.getByRole("button", { name: "Sign out" }).click();
    await heading().waitFor();
    assert.deepEqual(await browser.cookies(url), []);
    await page.reload();
    await heading().waitFor();
    assert.deepEqual(complaints, []);
  });

  it("lists one's own sessions, and ends the others: they lead back to signing in", async () => {
    await signIn();
    await service().waitFor();
    const other = page;
    page = await browser.newPage();
    await page.goto(url.replace("127.0.0.1", "localhost")); // cookies of its own, as another browser has
    await signIn();
    await service().waitFor();
    await menu().locator("summary").click();
    await page.getByRole("button", { name: "End all others" }).click();
    await menu().getByText("The other sessions are over.").waitFor();
    await page.waitForFunction(() => document.querySelectorAll(".sessions li").length === 1);
    await other.bringToFront();
    await other.getByRole("heading", { name: "Sign in" }).waitFor();
    assert.match(await other.getByRole("alert").textContent(), /session_ended/);
    await other.close();
    await page.reload();
    await service().waitFor();
  });

  it("ends one session of the list", async () => {
    await signIn();
    await service().waitFor();
    const headers = { ...headersOf(NAME, PASSWORD), "user-agent": "lost phone" };
    const made = await fetch(`${url}/_gantry/v1/session`, { method: "POST", headers });
    const lost = { cookie: made.headers.get("set-cookie").split(";")[0] };
    assert.equal((await fetch(`${url}/_gantry/v1/status`, { headers: lost })).status, 200);
    await menu().locator("summary").click();
    await page.getByRole("button", { name: /End the session of lost phone/ }).click();
    await menu().getByText("That session is over.").waitFor();
    await page.locator(".sessions").getByText("lost phone").waitFor({ state: "detached" });
    const refused = await fetch(`${url}/_gantry/v1/status`, { headers: lost });
    assert.equal((await refused.json()).code, "session_ended");
    await service().waitFor();
  });

  it("is asked for again when the session ends on any page, and goes on there", async () => {
    await signIn();
    await service().waitFor();
    await page.goto(`${url}/#/tracker`);
    await page.locator("#flight").waitFor();
    await program.stop(); // sessions are in memory
    await program.start(new URL(url).host);
    await heading().waitFor();
    assert.match(await alert().textContent(), /session_/);
    await keep("signin-again");
    await signIn();
    await page.locator("#flight").waitFor();
    assert.equal(new URL(page.url()).hash, "#/tracker");
  });

  it("tells who lacks a scope which one it is", async () => {
    await signIn("bob");
    await alert().waitFor();
    assert.match(await alert().textContent(), /gantry:read.*bob.*scope_missing.*can give you/s);
    await page.goto(`${url}/#/tracker`);
    await page.locator("#flight").waitFor();
    assert.equal(await alert().count(), 0);
  });

  it("is refused to a caller that is taken away meanwhile", async () => {
    await signIn("eve");
    await service().waitFor();
    program.auth("remove", "eve");
    await heading().waitFor();
    assert.match(await alert().textContent(), /session_ended|caller_unknown/);
  });

  it("waits where there were too many failures", async () => {
    for (let status; status !== 429; ) {
      const reply = page.waitForResponse((r) => r.request().method() === "POST");
      await signIn("nobody", "wrong");
      status = (await reply).status();
    }
    await page.locator(".wait").waitFor();
    assert.match(await alert().textContent(), /too_many_failures/);
    assert.ok(await page.getByRole("button", { name: "Sign in", exact: true }).isDisabled());
    await keep("signin-wait");
    await page.waitForFunction(() => !document.querySelector(".signin button").disabled, undefined, { timeout: 30000 });
  });
});
