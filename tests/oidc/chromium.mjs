// One person's way through two tools and out again, in Chromium: chromium.mjs PROVIDER TOOL TOOL. The tools are on another site than the
// provider (localhost, 127.0.0.1), as they would be.
const [provider, first, second] = process.argv.slice(2);
const { chromium } = await import(process.env.PLAYWRIGHT);
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM, args: ["--no-sandbox"] });
const told = {};
try {
  const page = await browser.newPage();
  const shown = (tool) => page.waitForResponse((r) => r.url() === `${tool}/page` && r.status() === 200, { timeout: 20_000 });
  const user = async (tool, reply) => {
    const shown = (await reply).headers()["x-user"];
    await page.waitForURL(`${tool}/page`, { waitUntil: "load" });
    return shown;
  };

  await page.goto(`${first}/page`);
  await page.getByLabel("Name", { exact: true }).fill("bob@example.org");
  await page.locator("input[name=secret]").fill(process.env.PASSWORD);
  const back = shown(first);
  await page.getByRole("button", { name: "Sign in", exact: true }).click();
  told.user = await user(first, back);

  const again = shown(second);
  await page.goto(`${second}/page`);
  told.again = await user(second, again);

  await page.goto(`${provider}/#/portal`);
  await page.locator("[data-tool] a").nth(1).waitFor();
  told.portal = (await page.locator("[data-tool] a").allTextContents()).sort();

  await page.goto(`${first}/callback?logout=${encodeURIComponent(`${first}/public/bye`)}`);
  await page.waitForURL(`${first}/public/bye`);
  // The other tool is told by the server, so that it may take a moment.
  for (const end = Date.now() + 20_000; !told.out && Date.now() < end; ) {
    await page.goto(`${second}/page`);
    told.out = await page.locator("input[name=secret]").waitFor({ timeout: 500 }).then(() => true, () => false);
  }
  console.log(JSON.stringify(told));
} finally {
  await browser.close();
}
