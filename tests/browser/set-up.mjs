// A firm is set up where there is none, in the sandbox, and its secrets are changed.
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { check, empty, eventually, firstAdmin, look, person } from "./stage.mjs";

const base = empty.setup.origin;
const file = `${empty.home}/casebridge.toml`;
const step = (page, title) => page.locator(".steps > li", { hasText: title });
const isDone = (page, title) => step(page, title).locator("h2 .pill.good").waitFor();

export const tell = (story) => {
  let admin;

  story("a firm is set up from nothing to its first lead, connected by OAuth", async () => {
    admin = await person();
    await firstAdmin(admin, empty.setup);
    await admin.goto(`${base}/firms`);
    await check(admin);
    await admin.getByRole("link", { name: "Set up the first" }).click();
    await check(admin);

    // What is wrong is said beside the field, as one types.
    await admin.getByLabel("Short name").fill("acme law");
    await admin.getByText("Letters, digits, hyphens").waitFor();
    await admin.getByLabel("Short name").fill("acme");
    await admin.getByLabel("Full name").fill("Acme Injury Law");
    await admin.getByText("by a person in the browser").check();
    await admin.locator("#firm-lines", { hasText: 'name = "Acme Injury Law"' }).waitFor();
    await check(admin);
    const lines = await admin.locator("#firm-lines").textContent();
    assert.match(lines, /^\[\[firms\]\]\nid = "acme"/);
    await admin.getByRole("link", { name: "I have added them" }).click();
    await admin.getByRole("heading", { name: "It stands in the configuration waiting" }).waitFor();

    // A mistake is told on the page, then the right lines are taken over; nobody loads the page anew.
    const before = readFileSync(file, "utf8");
    writeFileSync(file, `${before}\n${lines.replace("oauth", "outh")}`);
    await admin.getByText("The changed file was refused").waitFor();
    writeFileSync(file, `${before}\n${lines}`);
    await isDone(admin, "It stands in the configuration");
    await check(admin);

    await admin.getByRole("button", { name: "Make a link to connect HighLevel" }).click();
    await admin.getByRole("link", { name: "Open it here" }).click();
    await admin.getByText("acme").first().waitFor();
    assert.ok(admin.url().includes("/oauth/highlevel/callback"), admin.url());
    await admin.goto(`${base}/firms/acme/set-up`);
    await admin.getByRole("button", { name: "Try both connections" }).click();
    await isDone(admin, "It is connected");
    await check(admin);

    await admin.getByRole("button", { name: "Create one in the sandbox" }).click();
    await admin.goto(`${base}/firms/acme/set-up`);
    await isDone(admin, "HighLevel tells of changes");
    await isDone(admin, "CASEpeer tells of changes");
    await admin.getByText("The first lead is synced.").waitFor();
    assert.ok(JSON.stringify((await empty.vendors.state()).casepeer).includes("robin@example.com"));
    await check(admin);
    await look(admin, "/firms/acme", "connections", base);
    await look(admin, "/firms/acme/set-up", "set-up", base);
  });

  story("a webhook secret is changed, and old and new are accepted meanwhile", async () => {
    await admin.goto(`${base}/firms/acme`);
    await admin.getByRole("link", { name: "Change secrets" }).click();
    await check(admin);
    await admin.getByRole("button", { name: "Make a new secret" }).click();
    const secret = await admin.locator("#new-secret").textContent();
    const line = await admin.locator("#new-line").textContent();
    await check(admin);
    writeFileSync(line.match(/file = "([^"]+)"/)[1], secret);
    writeFileSync(file, readFileSync(file, "utf8").replace(/^webhook_secrets = .*$/m, line));
    await admin.getByText("both webhook secrets are accepted").waitFor();
    await empty.vendors.lead({ client: { first_name: "Uma", last_name: "Old", phone: "+15125550155" } });
    await eventually("what the old secret signs is still taken", async () =>
      JSON.stringify((await empty.vendors.state()).highlevel.contacts).includes("+15125550155"));
    await look(admin, "/firms/acme/rotate", "rotate", base);
    await look(admin, "/firms/new", "new-firm", base);
  });
};
