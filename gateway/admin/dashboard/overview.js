// All buckets at a glance.

import { el, rebuild } from "./dom.js";
import { sentence } from "./sentence.js";
import { count } from "./words.js";

export const address = (bucket) => "#/" + encodeURIComponent(bucket);

export function overview() {
  const list = el("div", { class: "overview" });
  return {
    node: el("div", {}, el("h1", { class: "sentence" }, "Buckets"), list),
    update(live) {
      const rows = live.buckets.map((s) => ({ s, now: sentence(s, live.conditions) }));
      rebuild(list, [rows.map(({ s, now }) => [s.bucket, s.phase, now.text]), live.more], () => [
        rows.length === 0 && el("p", {}, "No bucket is open yet."),
        el("ul", {}, rows.map(({ s, now }) => el("li", { class: "card" },
          el("h2", {}, el("a", { href: address(s.bucket) }, s.bucket)),
          el("p", { class: "chip " + now.tone }, s.phase), el("p", {}, now.text)))),
        live.more > 0 && el("p", { class: "muted" }, `${count(live.more, "more bucket")} are not shown: sluice status has them all.`),
      ]);
    },
  };
}
