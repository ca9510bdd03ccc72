// The tools of a person in a real browser, and the way back to a tool from signing in.
import assert from "node:assert/strict";
import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { openBrowser, Program, scratchDirectory, screenshots } from "./program.mjs";

const PASSWORD = "correct horse bättery staple";
const scratch = scratchDirectory();
const program = new Program(join(scratch, "data"));
const complaints = [];
let url, browser, page;

const ask = (path, body) =>
  page.evaluate(([where, text]) => {
    const headers = { "content-type": "application/json" };
    return fetch(where, { method: "POST", headers, body: text }).then((r) => r.json());
  }, [path, JSON.stringify(body)]);

before(async () => {
  mkdirSync(screenshots, { recursive: true });
  url = await program.start();
  const link = await program.said(/^first account: (\S+)$/m);
  browser = await openBrowser(scratch);
  page = await browser.newPage();
  page.on("pageerror", (error) => complaints.push(String(error)));
  await page.goto(link);
  await page.getByLabel("Name", { exact: true }).fill("Ann Lee");
  await page.getByLabel("Mail address").fill("ann@example.org");
  await page.getByLabel("Password").fill(PASSWORD);
  await page.getByRole("button", { name: "Make the account" }).click();
  await page.locator(".account").waitFor();
});
after(async () => {
  await browser?.close();
  await program.stop();
  rmSync(scratch, { recursive: true, force: true });
});

describe("portal", { timeout: 120000 }, () => {
  it("lists the tools that one may use, with their first pages, and finds them", async () => {
    await page.goto(`${url}/#/portal`);
    await page.getByText("There are no tools for you yet.").waitFor();
    const tool = (name, more) => ({ name, home: `https://${name}.example/`, redirect_uris: [`https://${name}.example/cb`], ...more });
    for (const made of [tool("wiki"), tool("lists"), tool("secrets", { teams: ["others"] })]) await ask("accounts/v1/tools", made);
    await page.locator("[data-tool]").nth(1).waitFor();
    assert.deepEqual(await page.locator("[data-tool] a").allTextContents(), ["wiki", "lists"]);
    assert.equal(await page.getByRole("link", { name: "wiki" }).getAttribute("href"), "https://wiki.example/");
    await page.screenshot({ path: join(screenshots, "portal.png"), fullPage: true });
    await page.getByRole("searchbox").fill("list");
    await page.locator("[data-tool='tl_1']").waitFor({ state: "detached" });
    assert.deepEqual(await page.locator("[data-tool] a").allTextContents(), ["lists"]);
  });

  it("a forged way back stays here, and says so", async () => {
    const elsewhere = "client_id=tl_1&redirect_uri=https://evil.example/&gantry_return=1.x";
    for (const forged of ["https://evil.example/", "//evil.example", elsewhere]) {
      await page.goto("about:blank");
      await page.goto(`${url}/#/signin/once/${encodeURIComponent(forged)}`);
      await page.getByRole("heading", { name: "This request can't be answered" }).waitFor();
      assert.equal(new URL(page.url()).origin, url);
    }
    assert.deepEqual(complaints, []);
  });

  it("whoever is to sign in once more sees the form, with the name that the tool knows", async () => {
    await page.goto("about:blank");
    await page.goto(`${url}/#/signin/anew/${encodeURIComponent("client_id=tl_1&login_hint=ann%40example.org")}`);
    await page.getByText("wants you to sign in once more").waitFor();
    assert.equal(await page.getByLabel("Name", { exact: true }).inputValue(), "ann@example.org");
    await page.screenshot({ path: join(screenshots, "signin-for-tool.png"), fullPage: true });
  });
});
