// Runs the page of browser_client.js in Chromium: browser_client.mjs <page URL> [<module folder of playwright-core>].
const {chromium} = await import(process.argv[3] ?? 'playwright-core');
const browser = await chromium.launch({executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium'});
try {
    const page = await browser.newPage();
    await page.goto(process.argv[2]);
    await page.waitForFunction(() => document.title === 'flushed', null, {timeout: 15_000});
} finally {
    await browser.close();
}
