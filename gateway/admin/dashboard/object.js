// What is known of one object: on both stores, in the cache, in the journal.

import * as api from "./api.js";
import { card, el, table } from "./dom.js";
import { bytes, clock, took } from "./words.js";

export function lookUp() {
  const key = el("input", { id: "object-key", required: true, autocomplete: "off", spellcheck: "false", placeholder: "accounts/avatars/…" });
  const form = el("form", { class: "line", role: "search", "aria-label": "Object" },
    el("div", { class: "field" }, el("label", { for: "object-key" }, "Key"), key), el("button", { type: "submit" }, "Look up"));
  const result = el("div", { "aria-live": "polite" });
  let bucket;
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    result.replaceChildren(el("p", { class: "muted" }, "Looking…"));
    try {
      result.replaceChildren(...show(await api.object(bucket, key.value)));
    } catch (refusal) {
      const unknown = refusal.status === 404 || refusal.status === 405;
      result.replaceChildren(el("p", {}, unknown && !refusal.kind ? "This gateway can not look up objects." : refusal.message));
    }
  });
  return {
    node: card("Object", form, result),
    update(s) {
      if (bucket !== s.bucket) result.replaceChildren();
      bucket = s.bucket;
    },
  };
}

function show(o) {
  const sides = [["old", o.old], ["new", o.new]].filter(([, side]) => side?.store);
  const row = (name, of) => [name, ...sides.map(([, side]) => of(side))];
  const headers = [...new Set(sides.flatMap(([, side]) => Object.keys(side.headers ?? {})))].sort();
  const waits = (o.intents ?? []).map((i) => [i.kind, i.outcome, i.age_ns > 0 && `for ${took(i.age_ns / 1e9)}`].filter(Boolean).join(", ")).join("; ");
  return [
    el("p", { class: "verdict" }, o.verdict ?? ""),
    el("p", { class: "muted" }, `Read from ${o.read_from === "none" ? "nowhere" : o.read_from}; ${o.dirty ? "writes wait: " + (waits || "one") : "no write waits"}; ${o.cached?.held ? "cached" : "not cached"}.`),
    table("The object on the stores", ["", ...sides.map(([which, side]) => `${side.store} (${which})`)], [
      row("there", (side) => side.error ? "✕ " + side.error : side.present ? "yes" : "no"),
      row("size", (side) => side.present ? bytes(side.size) : "–"),
      row("modified", (side) => side.modified && side.present ? clock(side.modified) : "–"),
      row("ETag", (side) => side.etag || "–"),
      ...headers.map((name) => row(name, (side) => String(side.headers?.[name] ?? "–"))),
    ]),
  ];
}
