// The stage: a browser, a console, and the two simulated vendors behind it.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { chromium } from "playwright-core";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const { CHROMIUM, SCREENSHOTS, KEEP } = process.env;
// The README's pictures, by what is looked at.
const KEPT = {
  "home-1280-light": "home", "event-1280-light": "event", "question-1280-light": "question", "home-390-dark": "phone",
  "connections-1280-light": "firm", "set-up-1280-light": "set-up",
};

// The demo that has told its story, and the one without a firm.
export const setup = new URL(process.env.CONSOLE_SETUP);
export const base = setup.origin;
export const empty = { setup: new URL(process.env.EMPTY_CONSOLE_SETUP), home: process.env.EMPTY_HOME };
// How long something is waited for; a machine that builds meanwhile is slow.
const PATIENCE = 90_000;
export const PASSWORD = "correct horse battery";

const browser = await chromium.launch({
  executablePath: CHROMIUM,
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync"],
});

// A person with a browser of their own. What a page logs as an error fails the test.
export const person = async (options = {}) => {
  const context = await browser.newContext({ viewport: { width: 1280, height: 860 }, ...options });
  return watched(await context.newPage());
};
const watched = (page) => {
  // Generous: it is only ever waited so long for what does not come.
  page.setDefaultTimeout(PATIENCE);
  page.on("pageerror", (error) => { throw error; });
  page.on("console", (message) => {
    if (message.type() === "error" && !/status of (4|5)\d\d/.test(message.text())) throw new Error(message.text());
  });
  return page;
};

// The first administrator, by the link that was printed.
export const firstAdmin = async (page, link) => {
  await page.goto(link.href);
  await check(page);
  await page.getByLabel("Name", { exact: true }).fill("maria.lopez");
  await page.getByLabel("Password", { exact: true }).fill(PASSWORD);
  await page.getByLabel("The password again").fill(PASSWORD);
  await page.getByRole("button", { name: "Make the account" }).click();
  await page.getByRole("heading", { name: "Home" }).waitFor();
};

export const signIn = async (page, name) => {
  await page.goto(`${base}/sign-in`);
  await page.getByLabel("Name").fill(name);
  await page.getByLabel("Password").fill(PASSWORD);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("heading", { name: "Home" }).waitFor();
};

// The pages that were checked, and those there are.
const checked = new Set();
const ROUTES = JSON.parse(process.env.ROUTES ?? "[]");
const RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
const violations = async (page, runOnly) => {
  const found = await page.evaluate((runOnly) => axe.run(document, { runOnly, resultTypes: ["violations"] }), runOnly);
  const told = found.violations.map((one) => `${one.id}: ${one.help}\n  ${one.nodes.map((node) => `${node.html} ${node.failureSummary}`).join("\n  ")}`);
  assert.deepEqual(told, [], `axe at ${page.url()}`);
};

// Colours that fade from one to the other have arrived.
const settled = (page) => page.evaluate(() => document.getAnimations().forEach((one) => one.finish()));

// No violation of WCAG 2.2 AA that axe can find, light and dark, no name in address or title, no sideways scrolling.
export const check = async (page, colorScheme = "light") => {
  const title = await page.title();
  assert.ok(title.endsWith("· Casebridge"), title);
  checked.add(new URL(page.url()).pathname);
  await page.evaluate(axe);
  await settled(page);
  await violations(page, RULES);
  // What the other scheme changes is colours, and nothing else.
  await page.emulateMedia({ colorScheme: colorScheme === "light" ? "dark" : "light" });
  await settled(page);
  await violations(page, { type: "rule", values: ["color-contrast"] });
  await page.emulateMedia({ colorScheme });
  await settled(page);
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  assert.ok(wide <= 0, `${page.url()} scrolls sideways by ${wide} px`);
  for (const planted of ["Rivera", "Whitfield", "5125550", "example.com"]) {
    assert.ok(!decodeURIComponent(page.url()).includes(planted), page.url());
    assert.ok(!(await page.title()).includes(planted));
  }
};

// A picture for the README, of a page as a story has brought it.
export const keep = async (page, name) => {
  if (!KEEP) return;
  await settled(page);
  await page.screenshot({ path: `${KEEP}/${name}.jpg`, type: "jpeg", quality: 82, caret: "initial" });
};

// A page on a laptop and a phone, light and dark; kept, and in all four ways, if somebody wants to look.
const LOOKS = [[1280, 860, "light"], [390, 844, "dark"], [1280, 860, "dark"], [390, 844, "light"]];
export const look = async (page, path, name, at = base) => {
  for (const [width, height, colorScheme] of SCREENSHOTS ? LOOKS : LOOKS.slice(0, 2)) {
    await page.setViewportSize({ width, height });
    await page.emulateMedia({ colorScheme });
    // A chart is as wide as the page was when it came.
    if (width === 1280 && colorScheme === "light" || KEEP || SCREENSHOTS) await page.goto(`${at}${path}`);
    await check(page, colorScheme);
    const kept = KEPT[`${name}-${width}-${colorScheme}`];
    if (KEEP && kept) {
      if (path === "/") await page.locator(".uplot canvas").first().waitFor();
      await page.screenshot({ path: `${KEEP}/${kept}.jpg`, type: "jpeg", quality: 82 });
    }
    if (SCREENSHOTS) {
      if (path === "/") await page.locator(".uplot").first().waitFor();
      await page.screenshot({ path: `${SCREENSHOTS}/${name}-${width}-${colorScheme}.png`, fullPage: width === 390 });
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
const simulated = (twin, casepeer) => {
  const vendors = {
    state: () => ask(`${twin}/twin/state`, "GET"),
    fault: (fault) => ask(`${twin}/twin/faults`, "POST", fault),
    lead: (fields) => ask(`${casepeer}/api/v1/leads`, "POST", fields, { "idempotency-key": String(Date.now()) }),
    contact: async (fields) => {
      const { highlevel } = await vendors.state();
      return (await ask(`${twin}/contacts/`, "POST", { locationId: highlevel.location.id ?? highlevel.location, ...fields })).contact;
    },
  };
  return vendors;
};
export const vendors = simulated(process.env.TWIN, process.env.CASEPEER);
empty.vendors = simulated(process.env.EMPTY_TWIN, process.env.EMPTY_CASEPEER);

// Until something is so; the bridge works on its own time.
export const eventually = async (what, isSo) => {
  const until = Date.now() + PATIENCE;
  while (Date.now() < until) {
    const found = await isSo();
    if (found) return found;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`it never happened: ${what}`);
};

// Every page of the console was looked at by axe.
export const checkedAll = () => {
  const is = (route) => new RegExp(`^${route.replaceAll(/\{[^}]+\}/g, "[^/]+")}$`);
  const missing = ROUTES.filter((route) => ![...checked].some((path) => is(route).test(path)));
  assert.deepEqual(missing, [], "these pages were not checked");
};

// Another page of the same person's browser.
export const beside = async (page) => watched(await page.context().newPage());

export const end = () => browser.close();
