// How far the copying is, how fast, and what holds it back.

import { chart } from "./chart.js";
import { card, el, figures, rebuild, say, table } from "./dom.js";
import { throttleForm } from "./throttle.js";
import { about, bytes, count, done, percent } from "./words.js";

const states = { running: "Copying", paused: "Paused", waiting: "Waiting to try failed objects again", finished: "Finished", stopped: "Stopped" };

export function progress() {
  const bar = el("progress", { max: 1, "aria-label": "Copied" });
  const far = el("p", { class: "big" });
  const state = el("p", { class: "muted" });
  const list = figures("Objects", "Bytes", "Rate", "Left", "Failed");
  const plot = el("div", { class: "chart", role: "img" });
  const failures = el("div");
  const nothing = el("p", { class: "muted" });
  const work = el("div", {}, el("div", { class: "far" }, far, state), bar, plot, list.node, failures);
  const limits = throttleForm();
  const node = card("Copying", nothing, work, limits.node);
  const drawn = chart(plot);
  let bucket;

  return {
    node,
    update(s, live) {
      if (bucket !== s.bucket) drawn.clear();
      bucket = s.bucket;
      const p = s.backfill;
      work.hidden = !p;
      nothing.hidden = Boolean(p);
      limits.update(live.throttle);
      if (!p) {
        say(nothing, !s.new ? "There is no second store to copy to." : s.phase === "passthrough"
          ? "Nothing is copied before the start." : s.phase === "completed" ? "The copying is over." : "The copying has not begun.");
        return;
      }
      const part = p.state === "finished" ? 1 : done(p);
      say(far, part === null ? count(p.done.objects, "object") : percent(part));
      say(state, states[p.state] + (p.counted ? "" : "; more is being counted"));
      if (part === null) bar.removeAttribute("value"); else bar.value = part;
      list.update(
        `${count(p.done.objects)} of ${count(p.total.objects)}`, `${bytes(p.done.bytes)} of ${bytes(p.total.bytes)}`,
        p.state === "running" ? `${bytes(p.rate.bytes)}/s, ${count(Math.round(p.rate.objects), "object")}/s` : "–",
        p.remaining_ns > 0 ? about(p.remaining_ns) : "–", count(p.failed));
      plot.hidden = p.state === "finished";
      plot.setAttribute("aria-label", `Rate of copying since this page was opened; now ${bytes(p.rate.bytes)} a second`);
      if (!plot.hidden) drawn.add(Math.floor(Date.parse(live.time) / 1000), p.rate.bytes);
      rebuild(failures, p.failures ?? [], () => p.failures?.length && [
        el("h3", {}, "Could not be copied yet"),
        table("Failures", ["Key", "Why", "Tries"], p.failures.map((f) => [el("code", {}, f.key), f.error, count(f.attempts)])),
      ]);
    },
  };
}
