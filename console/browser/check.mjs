// The console in Debian's Chromium, over the demo: each page in both languages without an accessibility fault, an error on
// the console, or a request that leaves the origin; the whole life of a case by keyboard alone, by two people in two
// browsers; the stale form; foul texts wherever something can be typed; letters on paper; all once more without JavaScript.
//
//   npm install --prefix console/browser
//   node console/browser/check.mjs target/debug/fundwatch [FOLDER FOR PICTURES]

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import assert from "node:assert/strict";
import { Keyboard, faults, inspect, language, launched, leads, look, lookAfter, person, pictures, printed, started, unfold, weight } from "./kit.mjs";

/** What whoever is added chooses. */
const PASSWORD = "九月 桂花 开满 屯溪 老街";
/** A name that is a script: it stands on every page of its owner. */
const FOUL_NAME = "<img src=x onerror=hit()>";

/** Texts that are scripts if they are not taken as texts (S15). */
const FOUL_TEXTS = ["", "\">", "'>", "</textarea>", "</title>", "--></script>"].flatMap((before) =>
  [
    "<script>hit()</script>",
    "<img src=x onerror=hit()>",
    "<svg onload=hit()>",
    "<svg><script>hit()</script></svg>",
    "<body onload=hit()>",
    "<iframe srcdoc='<script>parent.hit()</script>'></iframe>",
    "<a href=javascript:hit()>x</a>",
    "<details open ontoggle=hit()>",
    "<input autofocus onfocus=hit()>",
    "<math><mtext><table><mglyph><style><img src=x onerror=hit()>",
  ].map((script) => before + script),
);

/** What can be looked at and changes nothing. */
async function pages({ reviewer, people, base, browser }) {
  const nobody = await person(browser, base);
  await look(nobody, "/login", "login");
  await look(nobody, "/enrol", "enrol");
  await nobody.context().close();
  await weight(reviewer, "/alerts");
  await look(reviewer, "/alerts", "queue");
  await look(reviewer, "/help", "help");
  // A token of the API is made and shown; the page then lists it.
  await lookAfter(reviewer, "/account", "api-token", async () => {
    await reviewer.fill("#token-name", "报表");
    await reviewer.fill("#token-password", people.reviewer);
    await reviewer.click("form[action='/account/tokens/make'] button");
  });
  await look(reviewer, "/account", "account");
  await look(reviewer, "/nowhere", "not-found");
  await look(reviewer, "/people", "denied");

  // The pages of an enterprise and of a person, with their charts; a number and a raw record, which need a reason.
  for (const [detector, name] of [["arrears", "enterprise"], ["deceased-recipient", "person"]]) {
    await reviewer.goto(`/alerts?detector=${detector}`);
    const alert = await reviewer.getAttribute("table.queue a.open", "href");
    await reviewer.goto(`${alert}/subject`);
    await reviewer.waitForSelector("figure.chart canvas");
    await look(reviewer, `${alert}/subject`, name);
    await reviewer.goto(alert);
    if (name === "person") {
      await lookAfter(reviewer, alert, "raw", async () => {
        await reviewer.fill("#raw-reason", "核对来源记录");
        await reviewer.press("#raw-reason", "Enter");
      });
      await lookAfter(reviewer, alert, "revealed", async () => {
        await reviewer.fill("#reveal-reason", "核对户籍");
        await reviewer.press("#reveal-reason", "Enter");
      });
    }
    await unfold(reviewer);
    await reviewer.fill("#raw-reason", "核对来源记录");
    await reviewer.press("#raw-reason", "Enter");
    await reviewer.waitForSelector("pre.raw");
    assert.match(await reviewer.textContent("pre.raw"), /"id":"/);
  }
  // A form that says too little, and several cases together.
  await lookAfter(reviewer, await firstOf(reviewer, "missed-payout"), "refused", async () => {
    await reviewer.evaluate(() => document.querySelectorAll("form").forEach((form) => (form.noValidate = true)));
    await reviewer.selectOption("#reason", "F1");
    await reviewer.click("form[action$='/decide'] button");
  });
  await lookAfter(reviewer, "/alerts?detector=missed-payout", "bulk", async () => {
    await reviewer.check("table.queue input[type=checkbox] >> nth=0");
    await reviewer.click("button[name=what][value=assign]");
  });
}

async function firstOf(page, detector) {
  await page.goto(`/alerts?detector=${detector}`);
  return page.getAttribute("table.queue a.open", "href");
}

/** A filter is chosen; only the list is loaded anew, and the address says what is shown. */
async function filter({ reviewer }) {
  await reviewer.goto("/alerts");
  await reviewer.selectOption("select[name=detector]", "late-remittance");
  await reviewer.waitForURL(/detector=late-remittance/);
  await reviewer.waitForFunction(() => document.querySelectorAll("table.queue a.open").length === 4);
}

/** Two browsers have the same form; one writes, the other is shown what was written, and nothing of it is done. */
async function stale({ reviewer, supervisor }) {
  const alert = await firstOf(reviewer, "late-remittance");
  for (const lang of ["en", "zh"]) {
    await supervisor.goto(alert);
    await language(supervisor, lang);
    await reviewer.goto(alert);
    await unfold(reviewer);
    await reviewer.fill("#note", "已电话联系财政局");
    await leads(reviewer, /#case$/, () => reviewer.click("form[action$='/note'] button"));
    await leads(supervisor, /\/assign$/, () => supervisor.click("button[name=to][value=me]"));
    assert.match(await supervisor.textContent("main"), /李核查[\s\S]*已电话联系财政局/);
    await inspect(supervisor, "stale", lang);
  }
  await supervisor.goto(alert);
  assert.equal(await supervisor.locator("button[name=to][value='']").count(), 0, "a stale form was done");
}

/** From the alert to the closed letter: two people, two browsers at once, no mouse. */
async function life({ base, browser, people }) {
  const [reviewer, supervisor] = [await Keyboard.of(browser, base), await Keyboard.of(browser, base)];
  await reviewer.logIn("reviewer", people.reviewer);
  await supervisor.logIn("supervisor", people.supervisor);

  // The most urgent one is opened and taken.
  for (const key of ["j", "j", "k"]) await reviewer.keys.press(key);
  await reviewer.hasFocus("table.queue tbody tr:first-child a.open");
  await reviewer.leads(/\/alerts\/[0-9a-f]{32}$/);
  const path = new URL(reviewer.page.url()).pathname;
  await reviewer.to("button[name=to][value=me]");
  await reviewer.leads(/#case$/);

  // Proposed: letters are letters where something is typed.
  await reviewer.keys.press("e");
  await reviewer.hasFocus("#reason");
  await reviewer.choose("S1");
  await reviewer.keys.press("Tab");
  await reviewer.type("经查属实 j k s ?");
  await reviewer.keys.press("Tab");
  await reviewer.leads(/#case$/);
  await reviewer.page.waitForSelector(".right .state.review");
  // Four eyes: who proposed is offered nothing, and it does not stand among what waits for him.
  assert.equal(await reviewer.page.locator("button[value=approve]").count(), 0);

  const approvals = async (who) => {
    await who.keys.press("/");
    if (!/\/alerts(\?|$)/.test(who.page.url())) await who.page.waitForURL(/\/alerts$/, { waitUntil: "load" });
    // The key leads to the field for a search; what is meant comes after it.
    await who.to("a[href*='tab=approval']");
    await who.leads(/tab=approval/);
    return who.page.locator(`a.open[href='${path}']`).count();
  };
  assert.equal(await approvals(supervisor), 1);
  await supervisor.to(`a.open[href='${path}']`);
  await supervisor.leads((url) => url.pathname === path);
  await supervisor.keys.press("e");
  await supervisor.hasFocus("#answer-note");
  await supervisor.type("同意");
  await supervisor.keys.press("Tab");
  await supervisor.hasFocus("button[value=approve]");
  await supervisor.leads(/#case$/);

  // The letter, on paper.
  await reviewer.keys.press("/");
  await reviewer.page.waitForURL(/\/alerts$/, { waitUntil: "load" });
  await reviewer.to("a[href*='tab=mine']");
  await reviewer.leads(/tab=mine/);
  await reviewer.to(`a.open[href='${path}']`);
  await reviewer.leads((url) => url.pathname === path);
  await reviewer.to("#letter-kind");
  await reviewer.choose("rectification");
  await reviewer.keys.press("Tab");
  await reviewer.type("区财政局");
  await reviewer.keys.press("Tab");
  await reviewer.leads(/\/letters\/\d+$/);
  const letter = new URL(reviewer.page.url()).pathname;
  assert.ok((await printed(reviewer.page)) <= 2, "a letter is a sheet or two");
  await reviewer.to(`a[href='${path}']`);
  await reviewer.leads((url) => url.pathname === path);

  // Acknowledged, verified, rectified; the last step is somebody else's.
  const step = async (who) => {
    await who.keys.press("e");
    await who.hasFocus("#stage-note");
    await who.type("材料在卷");
    await who.keys.press("Tab");
    const moved = who.page.waitForEvent("framenavigated");
    await who.keys.press("Enter");
    await moved;
    await who.page.waitForLoadState("load");
  };
  for (let n = 0; n < 3; n += 1) await step(reviewer);
  assert.equal(await reviewer.page.locator("#stage-note").count(), 0, "who reported it mended is asked to check it");
  assert.equal(await approvals(supervisor), 1);
  await supervisor.to(`a.open[href='${path}']`);
  await supervisor.leads((url) => url.pathname === path);
  await step(supervisor);
  await supervisor.page.waitForSelector(".right .state.closed");
  for (const who of [reviewer, supervisor]) await who.page.context().close();
  return { path, letter };
}

/** What waits for its approver; and a letter, a closed case and the precision that comes of it. */
async function decided({ reviewer, supervisor }, { path, letter }) {
  const alert = await firstOf(reviewer, "late-remittance");
  await reviewer.goto(alert);
  await reviewer.selectOption("#reason", "S1");
  await reviewer.fill("#decide-note", "经查属实");
  await leads(reviewer, /#case$/, () => reviewer.click("form[action$='/decide'] button"));
  await look(reviewer, alert, "alert");
  await look(supervisor, alert, "approval");
  // Who proposed it and asks all the same is told why not.
  await supervisor.goto(alert);
  await leads(supervisor, /#case$/, async () => {
    await supervisor.fill("#answer-note", "请补充银行流水");
    await supervisor.click("button[value=return]");
  });
  await supervisor.selectOption("#reason", "S1");
  await supervisor.fill("#decide-note", "经查属实");
  await leads(supervisor, /#case$/, () => supervisor.click("form[action$='/decide'] button"));
  const status = await supervisor.evaluate(async (alert) => {
    const value = (name) => document.querySelector(`form[action^='${alert}/'] input[name=${name}]`).value;
    const body = new URLSearchParams({ csrf: value("csrf"), version: value("version"), answer: "approve", note: "" });
    return (await fetch(`${alert}/answer`, { method: "POST", body })).status;
  }, alert);
  assert.equal(status, 422, "who proposed it has approved it");
  await look(reviewer, letter, "letter");
  await look(supervisor, path, "closed");
  await look(reviewer, "/precision", "precision");
  // An alert's page on paper.
  await reviewer.goto(path);
  assert.ok((await printed(reviewer, { format: "A4" })) >= 1);
}

/** Shortcuts can be turned off, and rest while an input method composes. */
async function keys({ reviewer }) {
  await reviewer.goto("/alerts");
  await reviewer.evaluate(() =>
    document.body.dispatchEvent(new KeyboardEvent("keydown", { key: "?", bubbles: true, isComposing: true })),
  );
  await leads(reviewer, /\/account/, () => reviewer.goto("/account"));
  await Promise.all([reviewer.waitForLoadState("load"), reviewer.click("button[name=keys][value=off]")]);
  await reviewer.waitForSelector("button[name=keys][value=on]");
  await reviewer.goto("/alerts");
  await reviewer.keyboard.press("?");
  assert.match(reviewer.url(), /\/alerts$/);
}

/** Somebody is added whose name is a script, enrols, and writes scripts wherever something can be written: every page
 * shows them as what they are. */
async function foul({ base, browser, people, reviewer, supervisor }) {
  const administrator = await person(browser, base, "administrator", people.administrator);
  await look(administrator, "/people", "people");
  assert.equal((await administrator.goto("/alerts")).status(), 403);
  await administrator.goto("/people");
  await administrator.fill("#login", "foul");
  await administrator.fill("#name", FOUL_NAME);
  await administrator.selectOption("#role", "reviewer");
  await leads(administrator, /\/people\/add$/, () => administrator.click("section form button.main"));
  for (const lang of ["zh", "en"]) {
    await administrator.goto("/people");
    await language(administrator, lang);
    await unfold(administrator);
    await leads(administrator, /\/people\/token$/, () =>
      administrator.click("form[action='/people/token']:has(input[value=foul]) button"),
    );
    await inspect(administrator, "token", lang);
  }
  const token = (await administrator.textContent(".reveal code")).trim();
  await look(administrator, "/people", "people");

  const page = await person(browser, base);
  for (const lang of ["en", "zh"]) {
    await page.goto("/enrol");
    await language(page, lang);
    await page.fill("#token", token);
    await leads(page, /\/enrol$/, () => page.press("#token", "Enter"));
    await inspect(page, "enrol-form", lang);
    // What everybody tries first is refused, and why.
    await page.fill("#password", "iloveyou2024!");
    await page.fill("#again", "iloveyou2024!");
    await leads(page, /\/enrol\/finish$/, () => page.press("#again", "Enter"));
    await inspect(page, "enrol-refused", lang);
    assert.match(await page.textContent("[role=alert]"), lang === "zh" ? /过于常见/ : /common/);
  }
  await page.fill("#password", PASSWORD);
  await page.fill("#again", PASSWORD);
  await leads(page, /\/login\?enrolled=1$/, () => page.press("#again", "Enter"));
  await page.fill("#login", "foul");
  await page.fill("#password", PASSWORD);
  await leads(page, /\/alerts$/, () => page.press("#password", "Enter"));

  const alert = await firstOf(page, "missed-payout");
  await page.goto(alert);
  await leads(page, /#case$/, () => page.click("button[name=to][value=me]"));
  const half = FOUL_TEXTS.length / 2;
  for (const text of [FOUL_TEXTS.slice(0, half).join("\n"), FOUL_TEXTS.slice(half).join("\n")]) {
    assert.ok(text.length <= 2_000);
    await unfold(page);
    await page.fill("#note", text);
    // The address is the same before and after.
    await Promise.all([page.waitForNavigation({ waitUntil: "load" }), page.click("form[action$='/note'] button")]);
  }
  await unfold(page);
  await page.selectOption("#letter-kind", "inspection");
  await page.fill("#letter-to", FOUL_NAME);
  await leads(page, /\/letters\/\d+$/, () => page.click("form[action$='/letter'] button"));
  const letter = new URL(page.url()).pathname;
  await look(page, letter, "foul-letter");
  await page.goto("/alerts?tab=mine");
  await unfold(page);
  await page.fill("input[name=name]", "<svg onload=hit()>");
  await page.click("form[action='/views/save'] button");
  await page.waitForLoadState("load");
  await page.goto("/alerts?tab=mine");
  await page.fill("#q", FOUL_TEXTS[1]);
  await Promise.all([page.waitForURL(/q=/), page.press("#q", "Enter")]);
  await page.goto(alert);
  await page.selectOption("#reason", "F1");
  await page.fill("#decide-note", FOUL_TEXTS.slice(0, half).join("\n"));
  await leads(page, /#case$/, () => page.click("form[action$='/decide'] button"));

  // Every page that it stands on, of those who read it.
  await look(page, "/alerts?tab=all&detector=missed-payout", "foul-queue");
  for (const reader of [page, reviewer, supervisor]) {
    await reader.goto(alert);
    await unfold(reader);
    assert.match(await reader.textContent("main"), /<iframe srcdoc=/, "a foul text is not there as a text");
  }
  await look(supervisor, alert, "foul-alert");
  await look(supervisor, `${alert}/subject`, "foul-subject");
  await page.context().close();
  await administrator.context().close();
}

/** Whoever audits sees it all, and changes nothing. */
async function audit({ base, browser, people }, { path }) {
  const auditor = await person(browser, base, "auditor", people.auditor);
  await look(auditor, "/audit?verify=1", "audit");
  assert.equal(await auditor.locator("main .bad").count(), 0);
  await auditor.goto(path);
  assert.equal(await auditor.locator("main form[method=post]").count(), 0);
  await auditor.context().close();
}

/** Without JavaScript: filter, take, decide. */
async function plain({ base, browser, people }) {
  const page = await person(browser, base, "reviewer", people.reviewer, { javaScriptEnabled: false });
  await page.goto("/alerts");
  await page.selectOption("select[name=detector]", "undeclared");
  await leads(page, /detector=undeclared/, () => page.click(".filter button"));
  await page.click("table.queue a.open >> nth=-1");
  await leads(page, /#case$/, () => page.click("button[name=to][value=me]"));
  await page.selectOption("#reason", "L1");
  await page.fill("#decide-note", "入账时差");
  await leads(page, /#case$/, () => page.click("form[action$='/decide'] button"));
  assert.equal(await page.locator(".right .state.closed").count(), 1);
  await page.context().close();
}

async function walk(stage) {
  const timed = async (name, what) => {
    const started = performance.now();
    const found = await what();
    console.log(`${name}: ${((performance.now() - started) / 1_000).toFixed(1)} s`);
    return found;
  };
  const { base, browser, people } = stage;
  stage.reviewer = await person(browser, base, "reviewer", people.reviewer);
  stage.supervisor = await person(browser, base, "supervisor", people.supervisor);
  await timed("pages", () => pages(stage));
  await timed("filter", () => filter(stage));
  await timed("stale form", () => stale(stage));
  const closed = await timed("a life by keyboard", () => life(stage));
  await timed("decisions and letters", () => decided(stage, closed));
  await timed("shortcuts", () => keys(stage));
  await timed("foul texts", () => foul(stage));
  await timed("audit", () => audit(stage, closed));
  await timed("without JavaScript", () => plain(stage));
}

const folder = mkdtempSync(join(tmpdir(), "fundwatch-console-"));
let stage;
try {
  stage = await started(process.argv[2], folder);
  stage.browser = await launched();
  await walk(stage);
} catch (error) {
  faults.push(error.stack);
} finally {
  await stage?.browser?.close();
  stage?.stop();
  rmSync(folder, { recursive: true, force: true });
}
for (const fault of faults) console.error(`FAULT ${fault}`);
console.log(faults.length === 0 ? "the console is as it should be" : `${faults.length} faults`);
process.exit(faults.length === 0 ? 0 : 1);
