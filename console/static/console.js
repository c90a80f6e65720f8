// Keyboard shortcuts. All that they do can be done without them; they are off in fields, while an input method
// composes, with Ctrl, Alt or Meta, and where the reader has turned them off (WCAG 2.1.4).
"use strict";

(() => {
  const off = () => document.documentElement.dataset.keys === "off";
  const isTyping = (event) =>
    event.isComposing || event.keyCode === 229 || event.ctrlKey || event.altKey || event.metaKey ||
    event.target.closest("input, textarea, select, [contenteditable]") !== null;

  const rows = () => [...document.querySelectorAll("table.queue a.open")];
  const move = (step) => {
    const links = rows();
    if (links.length === 0) return;
    const at = links.findIndex((link) => link.closest("tr").contains(document.activeElement));
    const next = Math.min(Math.max(at + step, 0), links.length - 1);
    links[next].focus();
  };
  const focusOn = (selector) => {
    const field = document.querySelector(selector);
    if (!field) return false;
    const details = field.closest("details");
    if (details) details.open = true;
    field.focus();
    return true;
  };
  // In the queue: the row's own page, at the place where that is done.
  const open = (place) => {
    const row = document.activeElement.closest("tr");
    const link = row && row.querySelector("a.open");
    if (link) location.assign(link.href + place);
  };

  const acts = {
    j: () => move(1),
    k: () => move(-1),
    e: () => focusOn("#reason, #answer-note, #stage-note") || open("#decide"),
    a: () => focusOn("#assign-to") || open("#assign"),
    s: () => focusOn("#until") || open("#snooze"),
    "/": () => focusOn("#q") || location.assign("/alerts"),
    "?": () => location.assign("/help"),
  };

  document.addEventListener("keydown", (event) => {
    const act = acts[event.key];
    if (!act || off() || isTyping(event)) return;
    event.preventDefault();
    act();
  });

  // A link to a place that is folded away opens it.
  const unfold = () => {
    const place = location.hash.length > 1 && document.getElementById(location.hash.slice(1));
    if (place && place.tagName === "DETAILS") {
      place.open = true;
      place.querySelector("input:not([type=hidden]), select").focus();
    } else if (location.hash === "#decide") {
      focusOn("#reason");
    }
  };
  unfold();
  addEventListener("hashchange", unfold);
})();
