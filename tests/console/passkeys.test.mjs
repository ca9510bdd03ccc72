// Passkeys in a real browser, by its virtual authenticator: added on one's own page, shown to sign in, and removed.
import assert from "node:assert/strict";
import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { openBrowser, Program, scratchDirectory, screenshots } from "./program.mjs";

const PASSWORD = "correct horse bättery staple";
const scratch = scratchDirectory();
const program = new Program(join(scratch, "data"));
const complaints = [];
let url, browser, page, cdp, authenticator, shown;

const press = (name) => page.getByRole("button", { name, exact: true }).click();
const credentials = async () => (await cdp.send("WebAuthn.getCredentials", { authenticatorId: authenticator })).credentials;
const signOut = async () => {
  await browser.clearCookies();
  await page.goto("about:blank");
  await page.goto(`${url}/`);
};

before(async () => {
  mkdirSync(screenshots, { recursive: true });
  // The page's address has a name: passkeys are for names.
  url = (await program.start()).replace("127.0.0.1", "localhost");
  const link = await program.said(/^first account: (\S+)$/m);
  browser = await openBrowser(scratch);
  page = await browser.newPage();
  page.on("pageerror", (error) => complaints.push(String(error)));
  cdp = await browser.newCDPSession(page);
  await cdp.send("WebAuthn.enable");
  const options = { protocol: "ctap2", transport: "internal", hasResidentKey: true, hasUserVerification: true, isUserVerified: true,
    automaticPresenceSimulation: true };
  authenticator = (await cdp.send("WebAuthn.addVirtualAuthenticator", { options })).authenticatorId;
  await page.goto(link.replace("127.0.0.1", "localhost"));
  await page.getByLabel("Name", { exact: true }).fill("Ann Lee");
  await page.getByLabel("Mail address").fill("ann@example.org");
  await page.getByLabel("Password").fill(PASSWORD);
  await press("Make the account");
  await page.locator(".account").waitFor();
});
after(async () => {
  await browser?.close();
  await program.stop();
  rmSync(scratch, { recursive: true, force: true });
});

describe("passkeys", { timeout: 120000 }, () => {
  it("are added on one's own page", async () => {
    await page.goto(`${url}/#/me`);
    await page.getByText("You have none yet.").waitFor();
    await page.getByLabel("Name", { exact: true }).fill("This laptop");
    await press("Add a passkey");
    await page.locator("[data-passkey='pk_1']").waitFor();
    await page.getByText("not used yet").waitFor();
    await page.screenshot({ path: join(screenshots, "passkeys.png"), fullPage: true });
    const [made] = await credentials();
    assert.equal(made.isResidentCredential, true);
    assert.equal(made.rpId, "localhost");
    assert.match(Buffer.from(made.userHandle, "base64").toString(), /^u_1\./);
  });

  it("are added once a device", async () => {
    await page.getByLabel("Name", { exact: true }).fill("The same");
    await press("Add a passkey");
    await page.getByRole("alert").getByText("This device has a passkey for the account already.").waitFor();
    assert.equal((await credentials()).length, 1);
  });

  it("sign in alone, by what the browser knows", async () => {
    await signOut();
    await page.getByRole("heading", { name: "Sign in" }).waitFor();
    await page.screenshot({ path: join(screenshots, "signin-passkey.png"), fullPage: true });
    const sent = page.waitForRequest((request) => request.method() === "POST" && request.url().endsWith("/_gantry/v1/session"));
    await press("Sign in with a passkey");
    shown = (await sent).headers().authorization;
    await page.locator(".account").waitFor();
    assert.equal((await page.evaluate(() => fetch("accounts/v1/me").then((r) => r.json()))).login, "ann@example.org");
    await page.goto(`${url}/#/me`);
    await page.getByText(/used .* ago/).waitFor();
  });

  it("are worth nothing to whoever repeats what they said", async () => {
    const repeat = (method, path) =>
      page.evaluate(async ([verb, at, authorization]) => {
        const reply = await fetch(at, { method: verb, headers: { authorization } });
        return (await reply.json()).code;
      }, [method, path, shown]);
    assert.equal(await repeat("POST", "_gantry/v1/session"), "passkey_challenge_used");
    assert.equal(await repeat("POST", "_gantry/v1/session"), "passkey_challenge_used");
    assert.equal(await repeat("GET", "accounts/v1/me"), "authorization_unsupported");
  });

  it("don't sign in when their user isn't verified", async () => {
    await signOut();
    await cdp.send("WebAuthn.setUserVerified", { authenticatorId: authenticator, isUserVerified: false });
    await press("Sign in with a passkey");
    await page.getByRole("alert").waitFor();
    assert.equal(await page.locator(".account").count(), 0);
    await cdp.send("WebAuthn.setUserVerified", { authenticatorId: authenticator, isUserVerified: true });
    await press("Sign in with a passkey");
    await page.locator(".account").waitFor();
  });

  it("are refused once they are removed", async () => {
    await page.goto(`${url}/#/me`);
    await page.getByRole("button", { name: "Remove the passkey This laptop" }).click();
    await page.getByText("You have none yet.").waitFor();
    await signOut();
    await press("Sign in with a passkey");
    await page.getByRole("alert").getByText("No account here has this passkey").waitFor();
  });

  it("are not for an address that is an IP, and the page says so", async () => {
    await page.goto(url.replace("localhost", "127.0.0.1"));
    await page.locator("[data-none]").getByText("An address that is an IP can't have passkeys").waitFor();
    assert.equal(await page.getByRole("button", { name: "Sign in with a passkey" }).count(), 0);
    assert.deepEqual(complaints, []);
  });
});
