// The program and the browser that the tests of this folder share. GANTRY names the program, SCREENSHOTS where pictures are kept, CONSOLE
// a directory that console/embed.py wrote: its files take the place of those in the program, which then needs no building.
import { execFileSync, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { chromium } from "playwright-core";

export const here = import.meta.dirname;
export const gantry = resolve(process.env.GANTRY ?? join(here, "../../build/gantry"));
export const screenshots = resolve(process.env.SCREENSHOTS ?? join(here, "../../build/screenshots"));
export const PATIENCE_MS = 15000;
const browserPath = process.env.CHROMIUM ?? "/usr/bin/chromium";
const browserFlags = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync"];

// A server on a data directory: start() resolves with its address once it says that it listens. `services`: none for all.
export class Program {
  constructor(data, ...services) {
    this.data = data;
    this.services = services;
  }
  start(listen = "127.0.0.1:0") {
    const words = ["serve", ...this.services, "--listen", listen, "--data", this.data, "--observe.access-log-to", "none"];
    this.process = spawn(gantry, words, { stdio: ["ignore", "pipe", "inherit"] });
    return new Promise((ready, failed) => {
      this.text = "";
      this.process.stdout.on("data", (piece) => {
        this.text += piece;
        const found = this.text.match(/^listening (http\S+?)\/?$/m);
        if (found) ready((this.url = found[1]));
      });
      this.process.on("exit", (code) => failed(new Error(`the server ended with ${code} before it was ready: ${this.text}`)));
    });
  }
  // What it says on standard output, once it does.
  async said(pattern) {
    for (const end = Date.now() + PATIENCE_MS; Date.now() < end; await new Promise((rested) => setTimeout(rested, 20))) {
      const found = this.text.match(pattern);
      if (found) return found[1];
    }
    throw new Error(`the server didn't say ${pattern}: ${this.text}`);
  }
  async stop() {
    if (!this.process || this.process.exitCode !== null) return;
    const ended = new Promise((done) => this.process.on("exit", done));
    this.process.kill("SIGTERM");
    await ended;
  }
  // `gantry auth …` on its data.
  auth(...words) {
    return execFileSync(gantry, ["auth", ...words, "--data", this.data], { encoding: "utf8" });
  }
  // A caller with a password.
  addCaller(name, password, ...scopes) {
    const file = join(mkdtempSync(join(tmpdir(), "gantry-password-")), "password");
    writeFileSync(file, `${password}\n`, { mode: 0o600 });
    this.auth("add", name, "--password-file", file, ...scopes.flatMap((scope) => ["--scope", scope]));
    rmSync(dirname(file), { recursive: true });
  }
  // A report to the tracker.
  async report(fields, headers = {}) {
    const reply = await fetch(`${this.url}/tracker/v1/reports`, {
      method: "POST",
      headers: { "content-type": "application/json", ...headers },
      body: JSON.stringify({ arch: "amd64", reporter: "test", ...fields }),
    });
    if (!reply.ok) throw new Error(`${reply.status} ${await reply.text()}`);
  }
}

// What a reader of the screen can't be told of, and ids that are there twice: of the page as it stands.
export const unnamed = (page) =>
  page.evaluate(() => {
    const named = (control) =>
      [control.getAttribute("aria-label"), ...[...(control.labels ?? [])].map((label) => label.textContent), control.textContent]
        .some((text) => text?.trim());
    const controls = [...document.querySelectorAll("a[href], button, input, select, textarea, progress")];
    const nameless = controls.filter((control) => !named(control));
    const told = [...document.querySelectorAll("[aria-labelledby], [aria-describedby]")].flatMap((one) =>
      ["aria-labelledby", "aria-describedby"].flatMap((name) => (one.getAttribute(name) ?? "").split(" ").filter(Boolean)));
    const ids = [...document.querySelectorAll("[id]")].map((one) => one.id);
    return [...nameless.map((control) => control.outerHTML), ...told.filter((id) => !ids.includes(id)).map((id) => `no #${id}`),
      ...ids.filter((id, n) => ids.indexOf(id) !== n).map((id) => `two #${id}`)];
  });
export const isTooWide = (page) => page.evaluate(() => document.documentElement.scrollWidth > innerWidth);

export const scratchDirectory = () => mkdtempSync(join(tmpdir(), "gantry-console-"));

export async function openBrowser(scratch) {
  const browser = await chromium.launchPersistentContext(join(scratch, "profile"), { executablePath: browserPath, args: browserFlags });
  browser.setDefaultTimeout(PATIENCE_MS);
  if (process.env.CONSOLE) await browser.route((url) => url.pathname === "/" || url.pathname.startsWith("/console/"), fromFiles);
  return browser;
}

const TYPES = { html: "text/html", js: "text/javascript", css: "text/css", svg: "image/svg+xml", txt: "text/plain" };
// With the policy of the program's own page.
async function fromFiles(route) {
  const { pathname, port } = new URL(route.request().url());
  const file = join(resolve(process.env.CONSOLE), pathname === "/" ? "index.html" : pathname);
  const headers = { "content-type": TYPES[file.split(".").at(-1)] };
  const policy = "content-security-policy";
  if (pathname === "/") headers[policy] = (await fetch(`http://127.0.0.1:${port}/`)).headers.get(policy);
  await route.fulfill({ headers, body: readFileSync(file, "utf8") });
}
