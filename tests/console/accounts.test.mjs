// The links of accounts in a real browser: the first account is made by the printed link, and codes are asked for when signing in.
import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { openBrowser, Program, scratchDirectory, screenshots } from "./program.mjs";

const PASSWORD = "correct horse bättery staple";
const scratch = scratchDirectory();
const program = new Program(join(scratch, "data"));
let url, link, browser, page;
const complaints = [];

const keep = (name) => page.screenshot({ path: join(screenshots, `${name}.png`), fullPage: true });

// RFC 6238
function codeOf(seed, step) {
  let bits = "";
  for (const c of seed) bits += "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".indexOf(c).toString(2).padStart(5, "0");
  const key = Buffer.from(bits.match(/.{8}/g).map((byte) => parseInt(byte, 2)));
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(step));
  const mac = createHmac("sha1", key).update(counter).digest();
  return String((mac.readUInt32BE(mac[19] & 15) & 0x7fffffff) % 1000000).padStart(6, "0");
}
const step = () => Math.floor(Date.now() / 30000);

before(async () => {
  mkdirSync(screenshots, { recursive: true });
  url = await program.start();
  link = await program.said(/^first account: (\S+)$/m);
  browser = await openBrowser(scratch);
  page = await browser.newPage();
  page.on("pageerror", (error) => complaints.push(String(error)));
});
after(async () => {
  await browser?.close();
  await program.stop();
  rmSync(scratch, { recursive: true, force: true });
});

describe("accounts", { timeout: 120000 }, () => {
  it("the printed link makes the first account, and signs it in", async () => {
    await page.goto(link);
    await page.getByRole("heading", { name: "The first account" }).waitFor();
    await keep("setup");
    await page.getByLabel("Name", { exact: true }).fill("Ann Lee");
    await page.getByLabel("Mail address").fill("ann@example.org");
    await page.getByLabel("Password").fill(PASSWORD);
    await page.getByRole("button", { name: "Make the account" }).click();
    await page.locator(".account").waitFor();
    assert.equal(new URL(page.url()).hash, "#/");
    assert.equal((await page.evaluate(() => fetch("accounts/v1/me").then((r) => r.json()))).login, "ann@example.org");
    await page.goto(`${url}/#/setup/${"x".repeat(32)}`);
    await page.getByLabel("Name", { exact: true }).fill("Eve");
    await page.getByLabel("Mail address").fill("eve@example.org");
    await page.getByLabel("Password").fill(PASSWORD);
    await page.getByRole("button", { name: "Make the account" }).click();
    await page.getByRole("alert").waitFor();
  });

  it("asks for a code where the account has them", async () => {
    const ask = (path, body) =>
      page.evaluate(([at, text]) => fetch(at, { method: "POST", headers: { "content-type": "application/json" }, body: text }).then((r) =>
        r.json()), [path, JSON.stringify(body)]);
    const { seed } = await ask("accounts/v1/me/codes", {});
    assert.equal((await ask("accounts/v1/me/codes/confirm", { code: codeOf(seed, step() - 1) })).recovery.length, 10);
    await browser.clearCookies();
    await page.goto("about:blank");
    await page.goto(url);
    await page.getByLabel("Name", { exact: true }).fill("ann@example.org");
    await page.getByLabel("Password", { exact: true }).fill(PASSWORD);
    await page.getByRole("button", { name: "Sign in", exact: true }).click();
    await page.getByLabel("Code").waitFor();
    await keep("signin-code");
    await page.getByLabel("Code").fill(codeOf(seed, step()));
    await page.getByRole("button", { name: "Sign in", exact: true }).click();
    await page.locator(".account").waitFor();
    assert.deepEqual(complaints, []);
  });
});
