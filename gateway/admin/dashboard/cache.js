// What the cache does, and how to have it forget.

import * as api from "./api.js";
import { card, el, figures, toast } from "./dom.js";
import { bytes, count, percent } from "./words.js";

export function cache() {
  const list = figures("From the cache", "In memory", "On disk", "Spared the stores");
  const prefix = el("input", { id: "purge-prefix", autocomplete: "off", spellcheck: "false", placeholder: "empty: everything" });
  const form = el("form", { class: "line", "aria-label": "Purge" },
    el("div", { class: "field" }, el("label", { for: "purge-prefix" }, "Forget keys that begin with"), prefix),
    el("button", { type: "submit", id: "purge" }, "Purge"));
  let bucket;
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    try {
      const { purged } = await api.purge(bucket, { prefix: prefix.value });
      toast(`${count(purged, "object")} of ${bucket} forgotten.`);
    } catch (refusal) {
      toast(refusal.message, true);
    }
  });
  return {
    node: card("Cache", list.node, form, el("p", { class: "muted" }, "What is forgotten is read from the stores again.")),
    update(s, { cache: c }) {
      bucket = s.bucket;
      const reads = c.hits + c.misses;
      list.update(
        reads ? `${percent(c.hits / reads)} of ${count(reads, "read")}` : "–",
        `${count(c.items, "item")}, ${bytes(c.bytes)}`, `${count(c.disk.items, "item")}, ${bytes(c.disk.bytes)}`, bytes(c.saved_bytes));
    },
  };
}
