// What people do with rules and with the mapping.
import assert from "node:assert/strict";
import { base, check, eventually, keep, look, vendors } from "./stage.mjs";

const main = (page) => page.locator("#main");
// A change of the form sends it; the answer is the form anew.
const redrawn = async (page, act) => {
  const answered = page.waitForResponse((answer) => answer.url().endsWith("/builder") && answer.request().method() === "POST");
  await act();
  await answered;
};

export const tell = (story, admin) => {
  story("a rule is built from nothing, tried, and acts", async () => {
    const page = admin();
    await page.goto(`${base}/rules`);
    await check(page);
    await page.getByRole("link", { name: "New rule" }).click();
    await check(page);
    await page.getByRole("link", { name: "Start with an empty rule" }).click();
    await check(page);
    await page.getByLabel("Name", { exact: true }).fill("Walk-ins: a tag");
    await redrawn(page, () => page.getByLabel("What has to happen").selectOption("webhook.ContactCreate"));
    await redrawn(page, () => page.getByRole("button", { name: "Add a condition" }).click());
    await page.getByLabel("Field", { exact: true }).fill("sorce");
    await page.getByText("did you mean `source`?").first().waitFor();
    await check(page);
    await page.getByLabel("Field", { exact: true }).fill("source");
    await redrawn(page, () => page.getByLabel("How", { exact: true }).selectOption("contains"));
    await page.getByLabel("Value", { exact: true }).fill("walk");
    await page.getByText("does not hold").waitFor();
    await page.getByLabel("What is to be done?").fill("add tags");
    const use = page.getByRole("button", { name: "Use contacts.add-tags" });
    await use.waitFor();
    await redrawn(page, () => use.click());
    await page.getByLabel("tags, entry 1", { exact: true }).fill("walk-in {firstName}");
    await page.locator(".comes", { hasText: "walk-in" }).first().waitFor();
    await check(page);
    // Seen with somebody who came: the contact's own values.
    // Others came before.
    const events = page.getByLabel("Seen with");
    const newest = async () => {
      await redrawn(page, () => page.getByRole("button", { name: "Look", includeHidden: true }).evaluate((button) => button.click()));
      const values = await events.locator("option").evaluateAll((options) => options.map((option) => option.value));
      return values[1];
    };
    const before = await newest();
    await vendors.contact({ firstName: "Petra", lastName: "Moll", phone: "+15125550144", source: "Walk-in" });
    await eventually("the event is offered", async () => (await newest()) !== before);
    await redrawn(page, () => events.selectOption({ index: 1 }));
    await page.locator("#outcome pre", { hasText: "walk-in Petra" }).waitFor();
    await page.getByRole("heading", { name: "If", exact: true }).scrollIntoViewIfNeeded();
    await page.evaluate(() => [...document.querySelectorAll("h2")].find((one) => one.textContent === "If").closest(".card, section").scrollIntoView());
    await keep(page, "builder");
    await redrawn(page, () => page.getByRole("button", { name: "Try it" }).click());
    await page.getByText("Nothing was sent.", { exact: false }).last().waitFor();
    await check(page);
    await page.getByRole("button", { name: "Save and switch on" }).click();
    await page.getByText("It runs from the next event on").waitFor();
    await check(page);

    const contact = await vendors.contact({ firstName: "Ines", lastName: "Roth", phone: "+15125550145", source: "Walk-in" });
    await eventually("the contact has its tag", async () =>
      JSON.stringify((await vendors.state()).highlevel).includes("walk-in Ines"));
    assert.ok(contact.id);
    await page.reload();
    await main(page).getByText("contacts.add-tags").last().waitFor();
    await page.getByText("accepted").first().waitFor();
    await page.getByRole("link", { name: "Its story" }).first().waitFor();
    await page.getByRole("link", { name: "Change" }).click();
    await check(page);
    await page.goBack();
    await page.getByRole("button", { name: "Switch off" }).click();
    await page.getByText("It is off.").waitFor();
  });

  story("Enter in a field of the builder loses nothing of what was typed", async () => {
    const page = admin();
    await page.goto(`${base}/builder`);
    await page.getByLabel("Name", { exact: true }).focus();
    await page.keyboard.type("By hand");
    await page.keyboard.press("Enter");
    await page.getByLabel("Name", { exact: true }).waitFor();
    assert.equal(await page.getByLabel("Name", { exact: true }).inputValue(), "By hand");
  });

  story("a rule file with a mistake is told where", async () => {
    const page = admin();
    await page.goto(`${base}/builder/start`);
    await page.getByLabel("The rule", { exact: true }).fill("id = \"x\"\nwhen = \"webhook.ContactCreated\"\n");
    await page.getByRole("button", { name: "Check and save" }).click();
    await page.getByText("did you mean `webhook.ContactCreate`?").waitFor();
    await check(page);
  });

  story("a mapping is changed with what it would have done", async () => {
    const page = admin();
    await page.goto(`${base}/mapping`);
    await check(page);
    await page.getByRole("link", { name: "Change", exact: true }).click();
    await page.getByRole("button", { name: /Add “Negotiation”/ }).waitFor();
    await check(page);
    await page.getByRole("button", { name: /Add “Negotiation”/ }).click();
    const negotiation = page.getByRole("group", { name: "Negotiation" });
    await negotiation.getByLabel("Pipeline").fill("Intake");
    await negotiation.getByLabel("Stage").fill("Signed");
    await page.locator("summary", { hasText: /^Fields$/ }).click();
    await page.getByLabel("City: goes", { exact: true }).selectOption("to_highlevel");
    await page.getByRole("button", { name: "See what it would have done" }).click();
    await page.getByText("Of the last events of").waitFor();
    await page.getByText('+ [firms.sync.statuses.Negotiation]').waitFor();
    await page.evaluate(() => document.querySelector("#outcome").closest(".card").scrollIntoView({ block: "end" }));
    await keep(page, "mapping");
    await check(page);
    await page.getByRole("button", { name: "Save", exact: true }).click();
    await page.getByText("It is in force from the next event on.").waitFor();
    await page.getByText("settled in the console").first().waitFor();
    await page.getByText("How it differs from the file").click();
    await check(page);
    await page.getByText("Go back to the file…").click();
    await page.getByRole("button", { name: "Use the mapping of the file again" }).click();
    await page.getByText("The mapping of the configuration file is in force again.").waitFor();
  });

  story("the pages of rules and mapping are well on a laptop and a phone, light and dark", async () => {
    for (const [path, name] of [["/rules", "rules"], ["/rules/walk-ins-a-tag", "rule"], ["/builder/start", "new-rule"],
      ["/builder?rule=walk-ins-a-tag", "builder"], ["/mapping/demo", "mapping"], ["/mapping/demo/edit", "mapping-edit"]]) {
      await look(admin(), path, name);
    }
  });
};
