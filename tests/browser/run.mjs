// What each person would do at the console, one story after another.
import assert from "node:assert/strict";
import { PASSWORD, base, beside, check, checkedAll, end, eventually, firstAdmin, look, person, setup, signIn, vendors } from "./stage.mjs";
import { tell as tellOfRules } from "./rules.mjs";
import { tell as tellOfSettingUp } from "./set-up.mjs";

const stories = [];
const story = (name, tell) => stories.push([name, tell]);
const main = (page) => page.locator("#main");

let admin;

story("the printed link makes the first administrator, once", async () => {
  admin = await person();
  await firstAdmin(admin, setup);
  const other = await person();
  assert.equal((await other.goto(setup.href)).status(), 404);
  await check(other);
  await other.goto(`${base}/`);
  assert.ok(other.url().endsWith("/sign-in"));
  await look(other, "/sign-in", "sign-in");
  await other.getByLabel("Name").fill("nobody");
  await other.getByLabel("Password").fill("not the password");
  await other.getByRole("button", { name: "Sign in" }).click();
  await other.getByText("wrong", { exact: false }).first().waitFor();
  await check(other);
});

story("home shows what happened, with the chart's table and CSV", async () => {
  await eventually("webhooks are counted", async () => {
    await admin.goto(`${base}/`);
    const received = await admin.locator(".card", { hasText: "Webhooks received" }).locator(".figure").textContent();
    return Number(received) > 5;
  });
  await admin.locator(".uplot canvas").nth(1).waitFor();
  await admin.getByRole("heading", { name: "From lead to settled" }).waitFor();
  await admin.getByText("The same as a table").first().click();
  assert.ok(await admin.locator("#activity-table tbody tr").count() >= 24);
  const csv = await admin.request.get(`${base}/activity.csv?span=7d`);
  assert.match(await csv.text(), /^from_utc,highlevel,casepeer,undelivered\n/);
  const sent = await admin.evaluate(() => performance.getEntriesByType("resource")
    .concat(performance.getEntriesByType("navigation")).reduce((sum, one) => sum + one.decodedBodySize, 0));
  assert.ok(sent < 200_000, `first paint weighs ${sent} bytes`);
});

story("a failed event is found by phone, understood and replayed", async () => {
  await vendors.fault({ vendor: "casepeer", method: "POST", path: "/leads", times: 1, kind: "status", status: 422 });
  await vendors.contact({ firstName: "Nora", lastName: "Quist", phone: "+15125550177", email: "nora@example.com" });
  await eventually("the event is found by its phone number", async () => {
    await admin.goto(`${base}/events`);
    await admin.getByLabel("Person, phone").fill("(512) 555-0177");
    await Promise.all([
      admin.waitForResponse((answer) => answer.request().method() === "POST" && answer.url() === `${base}/events`),
      admin.getByRole("button", { name: "Search" }).click(),
    ]);
    return admin.locator("#found .pill.bad").waitFor({ timeout: 500 }).then(() => true, () => false);
  });
  await check(admin);
  await admin.locator("#found").getByRole("link", { name: "Contact create" }).first().click();
  await admin.getByRole("heading", { name: "Contact create from HighLevel" }).waitFor();
  await check(admin);
  assert.equal(await admin.getByText("Nora").count(), 0, "personal data is hidden");
  await admin.getByText("Show what it carried…").click();
  await admin.getByLabel("Why you need to see it").fill("she called and asks where her case is");
  await admin.getByRole("button", { name: "Show", exact: true }).click();
  await admin.getByText('"firstName": "Nora"').waitFor();
  await check(admin);
  await admin.getByRole("link", { name: "Back to the event" }).click();

  await admin.getByRole("button", { name: "Replay…" }).click();
  await admin.getByRole("heading", { name: "What a replay would do now" }).waitFor();
  await admin.getByText("create a lead in CASEpeer").waitFor();
  await check(admin);
  await admin.getByRole("button", { name: "Replay it" }).click();
  await admin.getByText("It is in line again").waitFor();
  await eventually("the lead is there", async () =>
    JSON.stringify((await vendors.state()).casepeer).includes("nora@example.com"));
});

story("two who look alike are told apart by a person", async () => {
  // Somebody at the front desk took Ada down by her number and another name, and no webhook told of it.
  await vendors.fault({ vendor: "casepeer", kind: "drop_webhook", path: "lead.created" });
  await vendors.lead({ client: { first_name: "Ada", last_name: "King", phone: "+15125550199" } });
  await vendors.contact({ firstName: "Ada", lastName: "Byron", phone: "+15125550199", email: "ada@example.com" });
  await eventually("a question is asked", async () => {
    await admin.goto(`${base}/review`);
    return admin.getByRole("link", { name: "Is this the same person?" }).count();
  });
  await check(admin);
  await admin.getByRole("link", { name: "Look and decide" }).first().click();
  await admin.getByText("same phone (+4)", { exact: true }).waitFor();
  await check(admin);
  await look(admin, new URL(admin.url()).pathname, "question");
  await admin.getByRole("button", { name: "Yes, this one" }).click();
  await admin.getByText("Decided. What waited for it goes on.").waitFor();
  await admin.getByRole("link", { name: "Look at it again" }).click();
  await admin.getByText("Decided by maria.lopez").waitFor();
  await check(admin);
  const question = admin.url();
  // What waited for the answer is worked on first: until then there is no link to take back.
  await eventually("the link can be undone", async () => {
    await admin.goto(question);
    await admin.getByRole("button", { name: "Undo" }).click();
    return (await admin.getByText("They are two people now").count()) > 0;
  });
});

story("a firm is paused and resumed", async () => {
  await admin.goto(`${base}/firms`);
  await admin.getByRole("link", { name: "demo" }).click();
  await admin.getByText("heard").first().waitFor();
  await admin.getByText("Set up CASEpeer").click();
  await admin.getByText("/webhooks/casepeer/").waitFor();
  await check(admin);
  await admin.getByLabel("Why", { exact: true }).fill("a move of offices");
  await admin.getByRole("button", { name: "Pause" }).click();
  await admin.getByText("On hold for").waitFor();
  await check(admin);
  await admin.goto(`${base}/`);
  await admin.getByText("demo is paused").waitFor();
  await admin.getByRole("button", { name: "Resume" }).click();
  await admin.getByText("It goes on, in order.").waitFor();
});

story("the catalog is searched and an action called", async () => {
  await admin.goto(`${base}/catalog`);
  await admin.getByLabel("What it does").fill("contact notes");
  await admin.locator("#found").getByText(/^\d{1,2} of/).waitFor();
  await check(admin);
  await admin.goto(`${base}/catalog?word=tags&system=highlevel&kind=action`);
  await main(admin).locator("tbody a").first().click();
  await check(admin);
  await admin.getByRole("button", { name: "Call it" }).click();
  await admin.locator("#main").waitFor();
  await check(admin);
});

story("a person is seen across both systems", async () => {
  await admin.goto(`${base}/people`);
  await check(admin);
  await admin.getByLabel("Name, phone").fill("Dana Whitfield");
  await admin.getByRole("button", { name: "Find" }).click();
  await admin.getByRole("link", { name: /^Person \d+/ }).first().click();
  await admin.getByRole("heading", { name: "What happened" }).waitFor();
  await check(admin);
});

story("a person is held, exported, and what erasing means is seen", async () => {
  const here = admin.url();
  await admin.getByLabel("What the hold is for").fill("a lawsuit");
  await admin.getByRole("button", { name: "Hold", exact: true }).click();
  await admin.getByText("On legal hold since").waitFor();
  await check(admin);
  await admin.getByRole("button", { name: "Release" }).click();
  await admin.getByText("Released.", { exact: true }).waitFor();
  await admin.getByLabel("What it is for").fill("she asked for a copy");
  const [file] = await Promise.all([
    admin.waitForEvent("download"), admin.getByRole("button", { name: "Export" }).click(),
  ]);
  assert.match(file.suggestedFilename(), /^casebridge-person-\d+\.json$/);
  await admin.getByRole("link", { name: "Erase…" }).click();
  await admin.getByRole("button", { name: "Erase for good" }).waitFor();
  await check(admin);
  await admin.goto(here);
  await main(admin).locator('input[name="record"]').first().check();
  await admin.getByRole("button", { name: "Show who would be who" }).click();
  await admin.getByRole("heading", { name: "Are these two people?" }).waitFor();
  await check(admin);
  await look(admin, new URL(here).pathname, "person");
});

story("two people are seen beside each other, and one is erased", async () => {
  const contact = { firstName: "Kim", lastName: "Lowe", phone: "+15125550166", email: "kim@example.com" };
  const { id } = await vendors.contact(contact);
  const found = async (word) => {
    await admin.goto(`${base}/people`);
    await admin.getByLabel("Name, phone").fill(word);
    await admin.getByRole("button", { name: "Find" }).click();
    const link = admin.getByRole("link", { name: /^Person \d+/ }).first();
    return await link.count() ? link.textContent() : null;
  };
  const kim = (await eventually("she is found", () => found("kim@example.com"))).match(/\d+/)[0];
  await eventually("her lead is there", async () => JSON.stringify((await vendors.state()).casepeer).includes("kim@example.com"));
  await admin.goto(`${base}/people/${kim}`);
  await admin.getByText(id).first().waitFor();
  const other = (await found("Dana Whitfield")).match(/\d+/)[0];
  await admin.goto(`${base}/people/${kim}`);
  await admin.getByLabel("The other person's number").fill(other);
  await admin.getByRole("button", { name: "Show both" }).click();
  await admin.getByRole("heading", { name: "Are they the same person?" }).waitFor();
  await check(admin);
  await admin.getByRole("link", { name: "Leave them two" }).click();
  // Nothing of hers is being worked on: then she is erased, and the certificate is shown.
  await eventually("she is erased", async () => {
    await admin.goto(`${base}/people/${kim}/erase`);
    await admin.getByLabel("Why", { exact: true }).fill("she asked for it");
    await admin.getByLabel("The person's number, once more").fill(kim);
    await admin.getByRole("button", { name: "Erase for good" }).click();
    return (await admin.getByRole("heading", { name: "The person is erased" }).count()) > 0;
  });
  assert.match(await admin.locator("#certificate").textContent(), /casebridge erasure 1/);
  await check(admin);
});

story("the sandbox is a place to make, change and break things", async () => {
  await look(admin, "/sandbox", "sandbox");
  await admin.getByLabel("Last name").fill("Sand");
  await admin.getByLabel("Phone").fill("+1 512 555 0122");
  await admin.getByRole("button", { name: "Create the contact" }).click();
  await admin.getByText("Its webhook is on the way").waitFor();
  await eventually("the lead is there", async () => JSON.stringify((await vendors.state()).casepeer).includes("+15125550122"));
  await admin.goto(`${base}/sandbox`);
  await admin.getByLabel("Whose").selectOption({ label: "Ada Sand, contact in HighLevel" });
  await admin.getByLabel("What", { exact: true }).selectOption("city");
  await admin.getByLabel("Becomes").fill("Marfa");
  await admin.getByRole("button", { name: "Change it there" }).click();
  await admin.getByText("Changed there.").waitFor();
  await eventually("the other side follows", async () => JSON.stringify((await vendors.state()).casepeer.leads).includes("Marfa"));
  await admin.goto(`${base}/sandbox`);
  await admin.getByLabel("Whose").selectOption({ label: "Ada Sand, lead in CASEpeer" });
  await admin.getByLabel("Becomes").fill("Alpine");
  await admin.getByRole("button", { name: "Change it there" }).click();
  await eventually("HighLevel follows", async () => JSON.stringify((await vendors.state()).highlevel).includes("Alpine"));
});

story("a private token is pasted, refused where HighLevel does not take it", async () => {
  await admin.goto(`${base}/firms/demo`);
  await admin.getByRole("link", { name: "Paste a private token" }).click();
  await look(admin, "/firms/demo/token", "paste");
  await admin.getByLabel("Private token").fill("pit-that-nobody-made");
  await admin.getByRole("button", { name: "Try it and keep it" }).click();
  await admin.getByText("It was tried and not kept").waitFor();
  await check(admin);
  await admin.getByLabel("Private token").fill("twin-token");
  await admin.getByRole("button", { name: "Try it and keep it" }).click();
  await admin.getByText("it is kept, and used from now on").waitFor();
  await admin.getByText("stands before the configuration's").waitFor();
  await check(admin);
});

story("what is not there, not allowed or not possible is said on a page", async () => {
  for (const [path, status] of [["/firms/nobody", 404], ["/events/nothing", 404]]) {
    assert.equal((await admin.goto(`${base}${path}`)).status(), status);
    await look(admin, path, `error-${status}`);
  }
  await admin.goto(`${base}/firms/demo`);
  await admin.locator('form[action$="/resume"], form[action$="/pause"]').first().evaluate((form) => {
    form.action = form.action.replace("/pause", "/resume");
    form.querySelectorAll("[required]").forEach((field) => field.removeAttribute("required"));
  });
  await admin.getByRole("button", { name: "Pause" }).click();
  await admin.getByRole("heading", { name: "Not possible now" }).waitFor();
  await check(admin);
});

story("a viewer sees, and is refused what changes", async () => {
  await admin.goto(`${base}/users`);
  await check(admin);
  await admin.getByLabel("Name").fill("sam.viewer");
  await admin.getByLabel("First password").fill(PASSWORD);
  await admin.getByRole("button", { name: "Add" }).click();
  await admin.getByText("Added.").waitFor();
  await look(admin, "/users/sam.viewer", "user");
  const viewer = await person();
  await signIn(viewer, "sam.viewer");
  assert.equal(await viewer.getByRole("link", { name: "Users" }).count(), 0);
  assert.equal((await viewer.goto(`${base}/users`)).status(), 403);
  await check(viewer);
  await viewer.goto(`${base}/events`);
  await main(viewer).locator("tbody a").first().click();
  assert.equal(await viewer.getByRole("button", { name: "Replay…" }).count(), 0);
  assert.equal(await viewer.getByText("Show what it carried").count(), 0);
  const token = await viewer.locator("body").getAttribute("data-page-token");
  const forced = await viewer.request.post(`${viewer.url()}/replay`, { form: { page_token: token }, headers: { origin: base } });
  assert.equal(forced.status(), 403);
  await viewer.getByRole("link", { name: "Sign out" }).click();
  await check(viewer);
  await viewer.getByRole("button", { name: "Sign out" }).click();
  await viewer.getByRole("heading", { name: "Sign in" }).waitFor();
});

story("a program's token is made, shown once, and ended", async () => {
  await admin.goto(`${base}/tokens`);
  await check(admin);
  await admin.getByLabel("What it is for").fill("The intake Zap");
  await admin.getByLabel("demo").check();
  await admin.getByLabel("every action of contacts").check();
  await admin.getByRole("button", { name: "Make it" }).click();
  await admin.getByText("it is shown this once").waitFor();
  assert.match(await admin.locator("#new-token").textContent(), /^cbt_/);
  await check(admin);
  await admin.goto(`${base}/tokens`);
  assert.equal(await admin.getByText("cbt_").count(), 0);
  await admin.getByRole("button", { name: "End it: The intake Zap" }).click();
  await admin.getByText("Whoever shows it is refused").waitFor();
});

story("everything that was done stands in the audit log", async () => {
  await admin.goto(`${base}/audit`);
  for (const deed of ["looked at personal data", "replayed an event", "paused a firm", "added a user", "made a program's token",
    "exported a person", "put a person on legal hold"]) {
    await admin.getByText(deed).first().waitFor();
  }
  await admin.getByText("she called and asks where her case is").waitFor();
  await check(admin);
});

story("home tells news by itself", async () => {
  await admin.goto(`${base}/`);
  assert.equal(await admin.getByText(/undelivered at demo/).count(), 0);
  await vendors.fault({ vendor: "casepeer", method: "POST", path: "/leads", times: 1, kind: "status", status: 422 });
  await vendors.contact({ firstName: "Otis", lastName: "Vale", phone: "+15125550188" });
  await admin.getByText(/undelivered at demo/).waitFor();
});

story("it works by keyboard", async () => {
  await admin.goto(`${base}/events`);
  await admin.keyboard.press("Tab");
  assert.equal(await admin.evaluate(() => document.activeElement.textContent), "Skip to the content");
  await admin.keyboard.press("Enter");
  assert.equal(await admin.evaluate(() => document.activeElement.id), "main");
});

story("it works without JavaScript", async () => {
  const plain = await person({ javaScriptEnabled: false });
  await signIn(plain, "maria.lopez");
  await plain.getByRole("link", { name: "Events" }).click();
  await plain.getByLabel("Person, phone").fill("nora@example.com");
  await plain.getByRole("button", { name: "Search" }).click();
  await main(plain).getByRole("link", { name: "Contact create" }).first().waitFor();
});

// Only looked at: beside what is done to rules.
const looks = [];
looks.push(["each page is well on a laptop and a phone, light and dark", async () => {
  const page = await beside(admin);
  await page.goto(`${base}/events`);
  const event = await main(page).locator("tbody a").first().getAttribute("href");
  for (const [path, name] of [["/", "home"], ["/pipeline", "pipeline"], ["/events", "events"], [event, "event"], ["/review", "review"],
    ["/people", "people"], ["/firms", "firms"], ["/firms/demo", "firm"], ["/catalog", "catalog"],
    ["/users", "users"], ["/tokens", "tokens"], ["/audit", "audit"], ["/settings", "settings"]]) {
    await look(page, path, name);
  }
}]);

const rules = [];
tellOfRules((name, tell) => rules.push([name, tell]), () => admin);
// Those of the other demo need not wait for these.
const others = [];
tellOfSettingUp((name, tell) => others.push([name, tell]));

let failed = 0;
const tellAll = async (all) => {
  for (const [name, tell] of all.filter(([name]) => !process.env.ONLY || name.includes(process.env.ONLY))) {
    const begun = Date.now();
    try {
      await tell();
      console.log(`ok   ${name} (${Date.now() - begun} ms)`);
    } catch (error) {
      failed += 1;
      console.log(`FAIL ${name}\n${error.stack}`);
      // Without the first administrator nothing else can be told.
      if (stories[0][0] === name) return;
      if (process.env.SCREENSHOTS && admin) await admin.screenshot({ path: `${process.env.SCREENSHOTS}/failed-${failed}.png` }).catch(() => {});
    }
  }
};
await Promise.all([
  tellAll(stories).then(() => admin?.url().startsWith(base) && Promise.all([tellAll(rules), tellAll(looks)])),
  tellAll(others),
]);
if (!failed && !process.env.ONLY) {
  try {
    checkedAll();
  } catch (error) {
    failed += 1;
    console.log(`FAIL axe looked at every page\n${error.stack}`);
  }
}
await end();
process.exit(failed ? 1 : 0);
