// Conditions, certificates and events.

import * as api from "./api.js";
import { card, el, mark, rebuild, table } from "./dom.js";
import { events } from "./live.js";
import { clock, day } from "./words.js";

// plain are conditions that are wanted or on their way: that they do not hold is no alarm.
const plain = new Set(["paused", "throttled", "backfilled", "caught-up", "verified", "baseline", "reversible"]);

export function conditions() {
  const list = el("div");
  const row = (c) => el("li", {}, mark(c.type === "paused" || c.type === "throttled" ? "wait" : c.status ? "good" : plain.has(c.type) ? "wait" : "bad"),
    el("div", {}, el("strong", {}, (c.status || !plain.has(c.type) ? "" : "not ") + c.type), el("span", { class: "message" }, c.message && c.message + "; ", "since " + clock(c.since))));
  return {
    node: card("Conditions", list),
    update(s, live) {
      const all = [...s.conditions, ...live.conditions].filter((c) => c.type !== "paused" || c.status);
      rebuild(list, all, () => (all.length ? el("ul", { class: "guards" }, all.map(row)) : el("p", { class: "muted" }, "There is nothing to tell.")));
    },
  };
}

const age = 60_000; // ms that certificates are believed

export function certificates() {
  const list = el("div");
  let asked = 0;
  async function ask() {
    asked = Date.now();
    try {
      const { mode, certificates: all } = await api.certificates();
      rebuild(list, all, () => all?.length
        ? table("Certificates", ["Name", "Issuer", "Until", "State"], all.map((c) => [c.name, c.issuer || "–", c.not_after ? `${day(c.not_after)}, ${c.days_left} days` : "–", c.error ? "✕ " + c.error : "✓ held"]))
        : el("p", { class: "muted" }, mode === "off" ? "TLS is off: a proxy in front is expected to do it." : "None is held yet."));
    } catch (refusal) {
      rebuild(list, refusal.message, () => el("p", {}, refusal.message));
    }
  }
  return { node: card("Certificates", list), update() { if (Date.now() - asked > age) ask(); } };
}

const kept = 200; // events

export function eventLog() {
  const list = el("ol");
  const log = el("div", { class: "events", role: "log", "aria-label": "Events", tabindex: "0", hidden: true }, list);
  const none = el("p", { class: "muted" }, "Nothing has happened since the gateway was started.");
  const node = card("Events", none, log);
  let last = 0;
  const show = (e) => {
    if (e.id <= last) return; // the last ones come again with each connection
    last = e.id;
    none.hidden = true;
    log.hidden = false;
    list.prepend(el("li", { class: e.level === "error" || e.level === "warn" ? "bad" : "" },
      el("time", { datetime: e.time }, clock(e.time)),
      el("span", {}, e.bucket && el("strong", {}, e.bucket + " "), e.message, e.by && el("span", { class: "muted" }, ` (${e.by})`))));
    if (list.children.length > kept) list.lastChild.remove();
  };
  const stop = events(show, () => { none.textContent = "This gateway tells no events. Who did what is in audit.log in its state directory."; });
  return { node, update() {}, stop };
}
