// The console in Debian's Chromium, over the demo: each page in both languages without an accessibility fault, an error on
// the console, or a request that leaves the origin; a whole case with two people, one of them by keyboard alone; the stale
// form; the letter on paper; everything once more without JavaScript.
//
//   npm install --prefix console/browser
//   node console/browser/check.mjs target/debug/fundwatch [FOLDER FOR PICTURES]

import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import assert from "node:assert/strict";
import { chromium } from "playwright-core";

const [program, pictures] = process.argv.slice(2);
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const BROWSER = process.env.FUNDWATCH_CHROMIUM ?? "/usr/bin/chromium";
const DEMO_WITHIN_MS = 120_000;
const PAGE_BYTES_MAX = 200_000;

const folder = mkdtempSync(join(tmpdir(), "fundwatch-console-"));
const demo = spawn(program, ["demo", "--stay", "--out", join(folder, "demo")], { stdio: ["ignore", "pipe", "inherit"] });
const faults = [];

/** Where the console is, and the passwords of this demo. */
async function started() {
  let text = "";
  demo.stdout.setEncoding("utf8");
  const until = new Promise((resolve, reject) => {
    demo.stdout.on("data", (more) => {
      text += more;
      if (text.includes("Ctrl-C")) resolve();
    });
    demo.on("exit", (code) => reject(new Error(`the demo ended (${code}):\n${text}`)));
    setTimeout(() => reject(new Error(`the demo is not there:\n${text}`)), DEMO_WITHIN_MS).unref();
  });
  await until;
  const base = text.match(/console: (http:\S+)/)[1];
  const people = Object.fromEntries([...text.matchAll(/^ {2}(\w+) +([0-9a-f]{32})$/gm)].map((found) => found.slice(1)));
  return { base, people };
}

/** Somebody's browser: whatever goes wrong in it is a fault. */
async function person(browser, base, login, password, options = {}) {
  const context = await browser.newContext({ baseURL: base, viewport: { width: 1366, height: 768 }, locale: "zh-CN", ...options });
  const page = await context.newPage();
  page.on("console", (message) => {
    // An answer that says no is asked for below; the browser notes it as an error.
    const isAnswer = /Failed to load resource.*(409|422|403|401|404)/.test(message.text());
    if (["error", "warning"].includes(message.type()) && !isAnswer) faults.push(`${page.url()}: ${message.text()}`);
  });
  page.on("pageerror", (error) => faults.push(`${page.url()}: ${error}`));
  page.on("request", (request) => {
    const url = request.url();
    if (!url.startsWith(base) && !url.startsWith("data:")) faults.push(`${page.url()} asks ${url}`);
  });
  if (login) {
    await page.goto("/login");
    await page.fill("#login", login);
    await page.fill("#password", password);
    await Promise.all([page.waitForURL((url) => !url.pathname.startsWith("/login")), page.press("#password", "Enter")]);
  }
  return page;
}

async function language(page, lang) {
  const now = await page.getAttribute("html", "lang");
  if (now.startsWith(lang)) return;
  await Promise.all([page.waitForLoadState("load"), page.click(`button[name=lang][value=${lang}]`)]);
  await page.waitForFunction((lang) => document.documentElement.lang.startsWith(lang), lang);
}

/** A page in both languages, looked at by axe, and drawn. */
async function look(page, path, name) {
  for (const lang of ["zh", "en"]) {
    await page.goto(path);
    await language(page, lang);
    // All that is folded away is part of the page.
    await page.evaluate(() => document.querySelectorAll("details").forEach((details) => (details.open = true)));
    await page.evaluate(axe);
    const found = await page.evaluate(() =>
      window.axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"] }),
    );
    for (const violation of found.violations) {
      faults.push(`${name} ${lang}: ${violation.id}: ${violation.help}: ${violation.nodes.map((node) => node.target).slice(0, 3).join(" | ")}`);
    }
    const over = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    if (over > 0) faults.push(`${name} ${lang}: ${over} px wider than 1366`);
    await page.evaluate(() => document.querySelectorAll("details").forEach((details) => (details.open = false)));
    // The queue as an office's screen shows it; what is longer, whole.
    if (pictures) await page.screenshot({ path: join(pictures, `${name}-${lang}.png`), fullPage: name !== "queue" });
  }
  await language(page, "zh");
}

/** How many bytes a first visit loads, and how soon something is seen. */
async function weight(page, path) {
  const bodies = [];
  const count = (response) => bodies.push(response.body().catch(() => Buffer.alloc(0)));
  page.on("response", count);
  const session = await page.context().newCDPSession(page);
  await session.send("Network.setCacheDisabled", { cacheDisabled: true });
  await page.goto(path, { waitUntil: "networkidle" });
  page.off("response", count);
  await session.detach();
  const bytes = (await Promise.all(bodies)).reduce((sum, body) => sum + body.length, 0);
  const paint = await page.evaluate(() => performance.getEntriesByName("first-contentful-paint")[0]?.startTime ?? 0);
  console.log(`${path}: ${bytes} bytes, first paint after ${Math.round(paint)} ms`);
  assert.ok(bytes < PAGE_BYTES_MAX, `${path} weighs ${bytes}`);
  assert.ok(paint < 1_000, `${path} is seen after ${paint} ms`);
}

async function walk({ base, people }, browser) {
  const nobody = await person(browser, base);
  await look(nobody, "/login", "login");
  await look(nobody, "/enrol", "enrol");

  const reviewer = await person(browser, base, "reviewer", people.reviewer);
  const supervisor = await person(browser, base, "supervisor", people.supervisor);
  await weight(reviewer, "/alerts");
  await look(reviewer, "/alerts", "queue");
  await look(reviewer, "/help", "help");
  await look(reviewer, "/account", "account");
  await look(reviewer, "/nowhere", "not-found");

  // The pages of an enterprise and of a person, with their charts; and a raw record, which needs a reason.
  for (const [detector, name] of [["arrears", "enterprise"], ["deceased-recipient", "person"]]) {
    await reviewer.goto(`/alerts?detector=${detector}`);
    const alert = await reviewer.getAttribute("table.queue a.open", "href");
    await reviewer.goto(`${alert}/subject`);
    await reviewer.waitForSelector("figure.chart canvas");
    await look(reviewer, `${alert}/subject`, name);
    await reviewer.goto(alert);
    await reviewer.evaluate(() => document.querySelectorAll("details").forEach((details) => (details.open = true)));
    await reviewer.fill("#raw-reason", "核对来源记录");
    await reviewer.click("form[action$='/raw'] button");
    assert.match(await reviewer.textContent("pre.raw"), /"id":"/);
  }

  // A filter is chosen; only the list is loaded anew, and the address says what is shown.
  await reviewer.goto("/alerts");
  await reviewer.selectOption("select[name=detector]", "late-remittance");
  await reviewer.waitForURL(/detector=late-remittance/);
  await reviewer.waitForFunction(() => document.querySelectorAll("table.queue a.open").length === 4);
  const first = await reviewer.getAttribute("table.queue a.open", "href");

  // The stale form: both open it, one writes, the other is shown what he wrote.
  await supervisor.goto(first);
  await reviewer.goto(first);
  await reviewer.evaluate(() => document.querySelectorAll("details").forEach((details) => (details.open = true)));
  await reviewer.fill("#note", "已电话联系财政局");
  await Promise.all([reviewer.waitForURL(/#case$/), reviewer.click("form[action$='/note'] button")]);
  await supervisor.click("button[name=to][value=me]");
  await supervisor.waitForSelector("text=已被他人更新");
  assert.match(await supervisor.textContent("main"), /李核查[\s\S]*已电话联系财政局/);
  if (pictures) await supervisor.screenshot({ path: join(pictures, "stale-zh.png") });

  // By keyboard alone: from the queue to a proposal.
  const keys = reviewer.keyboard;
  await reviewer.goto("/alerts?detector=late-remittance");
  await keys.press("j");
  await keys.press("j");
  await keys.press("k");
  await keys.press("Enter");
  await reviewer.waitForURL(first);
  await keys.press("e");
  assert.equal(await reviewer.evaluate(() => document.activeElement.id), "reason");
  // Letters are letters where something is typed, and while an input method composes.
  await keys.press("ArrowDown");
  await keys.press("Tab");
  await keys.type("经查属实 j k s ?");
  await keys.press("Tab");
  await Promise.all([reviewer.waitForURL(/#case$/), keys.press("Enter")]);
  await reviewer.waitForSelector(".state.review");
  await look(reviewer, first, "alert");

  // Four eyes: the reviewer is offered nothing, the supervisor approves.
  assert.equal(await reviewer.locator("button[value=approve]").count(), 0);
  await supervisor.goto("/alerts?tab=approval");
  assert.equal(await supervisor.locator(`a.open[href='${first}']`).count(), 1);
  await look(supervisor, first, "approval");
  await supervisor.goto(first);
  await Promise.all([supervisor.waitForURL(/#case$/), supervisor.click("button[value=approve]")]);

  // The letter, and the loop to its end.
  await reviewer.goto(first);
  await reviewer.selectOption("#letter-kind", "rectification");
  await reviewer.fill("#letter-to", "区财政局");
  await Promise.all([reviewer.waitForURL(/\/letters\/\d+$/), reviewer.click("form[action$='/letter'] button")]);
  const letter = reviewer.url();
  await look(reviewer, letter, "letter");
  const pdf = join(folder, "letter.pdf");
  await reviewer.pdf({ path: pdf, preferCSSPageSize: true });
  assert.ok(statSync(pdf).size > 10_000);
  for (const who of [reviewer, reviewer, reviewer, supervisor]) {
    await who.goto(first);
    await who.fill("#stage-note", "材料在卷");
    await Promise.all([who.waitForURL(/#case$/), who.click("form[action$='/advance'] button")]);
  }
  await supervisor.waitForSelector(".state.closed");
  await look(reviewer, "/precision", "precision");

  // Shortcuts can be turned off.
  await reviewer.goto("/account");
  await Promise.all([reviewer.waitForLoadState("load"), reviewer.click("button[name=keys]")]);
  await reviewer.goto("/alerts");
  await keys.press("?");
  assert.match(reviewer.url(), /\/alerts$/);

  const auditor = await person(browser, base, "auditor", people.auditor);
  await look(auditor, "/audit?verify=1", "audit");
  assert.equal(await auditor.locator("main .bad").count(), 0);
  await auditor.goto(first);
  // Whoever audits changes nothing.
  assert.equal(await auditor.locator("main form[method=post]").count(), 0);
  const administrator = await person(browser, base, "administrator", people.administrator);
  await look(administrator, "/people", "people");
  assert.equal((await administrator.goto("/alerts")).status(), 403);

  // Without JavaScript: filter, take, decide.
  const plain = await person(browser, base, "reviewer", people.reviewer, { javaScriptEnabled: false });
  await plain.goto("/alerts");
  await plain.selectOption("select[name=detector]", "undeclared");
  await Promise.all([plain.waitForURL(/detector=undeclared/), plain.click(".filter button")]);
  await plain.click("table.queue a.open >> nth=0");
  await Promise.all([plain.waitForURL(/#case$/), plain.click("button[name=to][value=me]")]);
  await plain.selectOption("#reason", "L1");
  await plain.fill("#decide-note", "入账时差");
  await Promise.all([plain.waitForURL(/#case$/), plain.click("form[action$='/decide'] button")]);
  assert.equal(await plain.locator(".right .state.closed").count(), 1);
}

let code = 0;
try {
  const stage = await started();
  const browser = await chromium.launch({
    executablePath: BROWSER,
    args: ["--no-sandbox", "--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run"],
  });
  await walk(stage, browser);
  await browser.close();
} catch (error) {
  faults.push(error.stack);
} finally {
  demo.removeAllListeners("exit");
  demo.kill("SIGINT");
  rmSync(folder, { recursive: true, force: true });
}
for (const fault of faults) console.error(`FAULT ${fault}`);
if (faults.length > 0) code = 1;
console.log(code === 0 ? "the console is as it should be" : `${faults.length} faults`);
process.exit(code);
