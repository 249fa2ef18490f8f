// The stage: a browser, a console, and the two simulated vendors behind it.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { chromium } from "playwright-core";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const { CONSOLE_SETUP, TWIN, CASEPEER, CHROMIUM, SCREENSHOTS } = process.env;

export const setup = new URL(CONSOLE_SETUP);
export const base = setup.origin;
export const PASSWORD = "correct horse battery";

const browser = await chromium.launch({
  executablePath: CHROMIUM,
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync"],
});

// A person with a browser of their own. What a page logs as an error fails the test.
export const person = async (options = {}) => {
  const context = await browser.newContext({ viewport: { width: 1280, height: 860 }, ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(10_000);
  page.on("pageerror", (error) => { throw error; });
  page.on("console", (message) => {
    if (message.type() === "error" && !/status of (4|5)\d\d/.test(message.text())) throw new Error(message.text());
  });
  return page;
};

export const signIn = async (page, name) => {
  await page.goto(`${base}/sign-in`);
  await page.getByLabel("Name").fill(name);
  await page.getByLabel("Password").fill(PASSWORD);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("heading", { name: "Home" }).waitFor();
};

// No violation of WCAG 2.2 AA that axe can find, no name in address or title, no sideways scrolling.
export const check = async (page) => {
  const policy = await page.evaluate(() => document.title);
  assert.ok(policy.endsWith("· Casebridge"), policy);
  await page.evaluate(axe);
  const found = await page.evaluate(() => axe.run(document, {
    runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
  }));
  const told = found.violations.map((one) => `${one.id}: ${one.help}\n  ${one.nodes.map((node) => `${node.html} ${node.failureSummary}`).join("\n  ")}`);
  assert.deepEqual(told, [], `axe at ${page.url()}`);
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  assert.ok(wide <= 0, `${page.url()} scrolls sideways by ${wide} px`);
  for (const planted of ["Rivera", "Whitfield", "5125550", "example.com"]) {
    assert.ok(!decodeURIComponent(page.url()).includes(planted), page.url());
    assert.ok(!(await page.title()).includes(planted));
  }
};

// A page at each width and in each scheme; kept if somebody wants to look.
export const look = async (page, path, name) => {
  for (const [width, height] of [[1280, 860], [390, 844]]) {
    for (const colorScheme of ["light", "dark"]) {
      await page.setViewportSize({ width, height });
      await page.emulateMedia({ colorScheme });
      await page.goto(`${base}${path}`);
      await check(page);
      if (SCREENSHOTS) {
        if (path === "/") await page.locator(".uplot").waitFor();
        await page.screenshot({ path: `${SCREENSHOTS}/${name}-${width}-${colorScheme}.png`, fullPage: width === 390 });
      }
    }
  }
  await page.setViewportSize({ width: 1280, height: 860 });
  await page.emulateMedia({ colorScheme: "light" });
};

// The simulated vendors: what people do in their own screens.
const ask = async (url, method, body, headers = {}) => {
  const answer = await fetch(url, {
    method,
    headers: { authorization: "Bearer twin-token", version: "2021-07-28", "content-type": "application/json", ...headers },
    body: body && JSON.stringify(body),
  });
  const text = await answer.text();
  assert.ok(answer.ok, `${method} ${url}: ${answer.status} ${text}`);
  return text ? JSON.parse(text) : null;
};
export const vendors = {
  state: () => ask(`${TWIN}/twin/state`, "GET"),
  fault: (fault) => ask(`${TWIN}/twin/faults`, "POST", fault),
  lead: (fields) => ask(`${CASEPEER}/api/v1/leads`, "POST", fields, { "idempotency-key": String(Date.now()) }),
  contact: async (fields) => {
    const { highlevel } = await vendors.state();
    return (await ask(`${TWIN}/contacts/`, "POST", { locationId: highlevel.location.id ?? highlevel.location, ...fields })).contact;
  },
};

// Until something is so; the bridge works on its own time.
export const eventually = async (what, isSo) => {
  for (let tries = 0; tries < 150; tries += 1) {
    const found = await isSo();
    if (found) return found;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  throw new Error(`it never happened: ${what}`);
};

export const end = () => browser.close();
