// What the walks have in common: the demo, people's browsers, and how a page is looked at. Knows no page of its own.

import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import assert from "node:assert/strict";
import { chromium } from "playwright-core";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const BROWSER = process.env.FUNDWATCH_CHROMIUM ?? "/usr/bin/chromium";
const DEMO_WITHIN_MS = 120_000;
const PAGE_BYTES_MAX = 200_000;
const PAINT_MS_MAX = 1_000;
/** Steps of the Tab key before a thing counts as out of reach. */
const TABS_MAX = 250;

/** Whatever is wrong. */
export const faults = [];
/** Where pictures of the pages go; none: nowhere. */
export const pictures = process.argv[3];

/** The demo: where its console is, and the passwords of its people. */
export async function started(program, folder) {
  const demo = spawn(program, ["demo", "--stay", "--out", join(folder, "demo")], { stdio: ["ignore", "pipe", "inherit"] });
  let text = "";
  demo.stdout.setEncoding("utf8");
  const there = new Promise((resolve, reject) => {
    demo.stdout.on("data", (more) => {
      text += more;
      if (text.includes("Ctrl-C")) resolve();
    });
    demo.on("exit", (code) => reject(new Error(`the demo ended (${code}):\n${text}`)));
    setTimeout(() => reject(new Error(`the demo is not there:\n${text}`)), DEMO_WITHIN_MS).unref();
  });
  const stop = () => {
    demo.removeAllListeners("exit");
    demo.kill("SIGINT");
  };
  try {
    await there;
  } catch (error) {
    stop();
    throw error;
  }
  const base = text.match(/console: (http:\S+)/)[1];
  const people = Object.fromEntries([...text.matchAll(/^ {2}(\w+) +([0-9a-f]{32})$/gm)].map((found) => found.slice(1)));
  return { base, people, stop };
}

export function launched() {
  return chromium.launch({
    executablePath: BROWSER,
    args: ["--no-sandbox", "--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run"],
  });
}

/** Somebody's browser, a context of its own: whatever goes wrong in it is a fault. */
export async function person(browser, base, login, password, options = {}) {
  const context = await browser.newContext({ baseURL: base, viewport: { width: 1366, height: 768 }, locale: "zh-CN", ...options });
  const page = await context.newPage();
  // What a foul text calls if it is ever run.
  await page.exposeFunction("hit", () => faults.push(`${page.url()}: a stored script has run`));
  page.on("dialog", (dialog) => {
    faults.push(`${page.url()}: a dialog: ${dialog.message()}`);
    dialog.dismiss();
  });
  page.on("console", (message) => {
    // An answer that says no is asked for by the walks; the browser notes it as an error.
    const isAnswer = /Failed to load resource.*(409|422|403|401|404|400)/.test(message.text());
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

/** Clicks, or does something else, that leads to a place. */
export async function leads(page, place, act) {
  await Promise.all([page.waitForURL(place, { waitUntil: "load" }), act()]);
}

export const unfold = (page, open = true) =>
  page.evaluate((open) => document.querySelectorAll("details").forEach((details) => (details.open = open)), open);

export async function language(page, lang) {
  const now = await page.getAttribute("html", "lang");
  if (now.startsWith(lang)) return;
  await Promise.all([page.waitForLoadState("load"), page.click(`button[name=lang][value=${lang}]`)]);
  await page.waitForFunction((lang) => document.documentElement.lang.startsWith(lang), lang);
}

/** The page that is open, looked at by axe, and drawn. */
export async function inspect(page, name, lang) {
  const is = await page.getAttribute("html", "lang");
  if (!is.startsWith(lang)) faults.push(`${name}: is in ${is}, not in ${lang}`);
  // All that is folded away is part of the page.
  await unfold(page);
  await page.evaluate(axe);
  const found = await page.evaluate(() =>
    window.axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"] }),
  );
  for (const violation of found.violations) {
    faults.push(`${name} ${lang}: ${violation.id}: ${violation.help}: ${violation.nodes.map((node) => node.target).slice(0, 3).join(" | ")}`);
  }
  const over = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  if (over > 0) faults.push(`${name} ${lang}: ${over} px wider than 1366`);
  await unfold(page, false);
  // The queue as an office's screen shows it; what is longer, whole.
  if (pictures) await page.screenshot({ path: join(pictures, `${name}-${lang}.png`), fullPage: name !== "queue" });
}

/** A page in both languages. */
export async function look(page, path, name) {
  for (const lang of ["zh", "en"]) {
    await page.goto(path);
    await language(page, lang);
    await inspect(page, name, lang);
  }
  await language(page, "zh");
}

/** A page that a form leads to, in both languages. */
export async function lookAfter(page, path, name, send) {
  for (const lang of ["zh", "en"]) {
    await page.goto(path);
    await language(page, lang);
    await unfold(page);
    await Promise.all([page.waitForNavigation({ waitUntil: "load" }), send()]);
    await inspect(page, name, lang);
  }
  await page.goto(path);
  await language(page, "zh");
}

/** How many bytes a first visit loads, and how soon something is seen. */
export async function weight(page, path) {
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
  assert.ok(paint < PAINT_MS_MAX, `${path} is seen after ${paint} ms`);
}

/** A4 pages of a page on paper. */
export async function printed(page, options = {}) {
  const pdf = (await page.pdf({ preferCSSPageSize: true, ...options })).toString("latin1");
  const sheets = [...pdf.matchAll(/\/MediaBox \[0 0 ([\d.]+) ([\d.]+)\]/g)].map((found) => found.slice(1).map(Number));
  assert.ok(sheets.length > 0, "nothing was printed");
  for (const [width, height] of sheets) {
    assert.ok(Math.abs(width - 595.3) < 1.5 && Math.abs(height - 841.9) < 1.5, `${width} × ${height} points are no A4`);
  }
  return sheets.length;
}

/** Whoever has no mouse: each press of a pointer in the page is a fault. */
export class Keyboard {
  constructor(page) {
    this.page = page;
    this.keys = page.keyboard;
  }

  static async of(browser, base) {
    const page = await person(browser, base);
    await page.exposeFunction("pressed", () => faults.push(`${page.url()}: a pointer was pressed in a walk by keyboard`));
    await page.addInitScript(() => addEventListener("pointerdown", () => window.pressed(), true));
    return new Keyboard(page);
  }

  /** Tab, until what is meant has the focus. */
  async to(selector) {
    for (let n = 0; n < TABS_MAX; n += 1) {
      if (await this.page.evaluate((selector) => document.activeElement.matches(selector), selector)) return;
      await this.keys.press("Tab");
    }
    throw new Error(`${this.page.url()}: ${selector} is out of the keyboard's reach`);
  }

  /** A key, or what is done to come to it, that leads to another page. */
  async leads(place, key = "Enter") {
    await leads(this.page, place, () => this.keys.press(key));
  }

  /** Chooses in the list that has the focus. */
  async choose(value) {
    for (let n = 0; n < TABS_MAX; n += 1) {
      if ((await this.page.evaluate(() => document.activeElement.value)) === value) return;
      await this.keys.press("ArrowDown");
    }
    throw new Error(`${this.page.url()}: ${value} cannot be chosen`);
  }

  async type(text) {
    await this.keys.type(text);
  }

  async hasFocus(selector) {
    const is = await this.page.evaluate((selector) => document.activeElement.matches(selector), selector);
    assert.ok(is, `${this.page.url()}: ${selector} has not the focus`);
  }

  async logIn(login, password) {
    // An address is typed, too.
    await this.page.goto("/login");
    await this.to("#login");
    await this.type(login);
    await this.keys.press("Tab");
    await this.type(password);
    await this.leads((url) => url.pathname === "/alerts");
  }
}
