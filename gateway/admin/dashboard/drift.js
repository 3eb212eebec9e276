// Compares the stores, and shows what differs.

import * as api from "./api.js";
import { card, el, figures, rebuild, say, toast } from "./dom.js";
import { bytes, clock, count, done, percent } from "./words.js";

const most = 200; // lines that are shown
const signs = { "+": "missing on new", "-": "extra on new", "*": "different", "!": "could not be compared" };
const levels = [["list", "names, sizes, ETags"], ["meta", "headers, tags and ACLs too"], ["content", "every byte too"]];

export function drift() {
  const state = el("p", {});
  const bar = el("progress", { max: 1, "aria-label": "Verified" });
  const counts = figures("Same", "Missing on new", "Extra on new", "Different", "Failed", "Mended");
  const list = el("div");
  const level = el("select", { id: "level" }, levels.map(([name, means]) => el("option", { value: name }, `${name}: ${means}`)));
  const fix = el("input", { type: "checkbox", id: "fix" });
  const begin = el("button", { type: "submit", id: "verify" }, "Verify");
  const stop = el("button", { type: "button", id: "stop-verify" }, "Stop");
  const form = el("form", { class: "verify", "aria-label": "Verify" },
    el("div", { class: "field" }, el("label", { for: "level" }, "How closely"), level),
    el("label", { class: "check" }, fix, " mend what differs; nothing is deleted"),
    el("div", { class: "buttons" }, begin, stop));
  const node = card("Drift", state, bar, counts.node, list, form);
  let shown;

  const run = async (what, told) => {
    try {
      await what();
      toast(told);
    } catch (refusal) {
      toast(refusal.message, true);
    }
  };
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    run(() => api.verify(shown.bucket, { level: level.value, fix: fix.checked }), "The stores are being compared.");
  });
  stop.addEventListener("click", () => run(() => api.stopVerify(shown.bucket), "The verification rests; the next one goes on with it."));

  async function findings(s) {
    try {
      const { lines, more } = await api.findings(s.bucket, most);
      if (s.bucket === shown.bucket) rebuild(list, [s.bucket, lines], () => lines.length > 0 && lineList(s, lines, more));
    } catch { /* the counts stand above */ }
  }

  return {
    node,
    update(s) {
      const v = s.verify, both = s.phase === "mirroring" || s.phase === "switched";
      const found = v && [s.bucket, v.started, v.missing, v.extra, v.different, v.failed, v.fixed, v.state].join();
      const news = found !== shown?.found;
      shown = { bucket: s.bucket, found };
      form.hidden = !both;
      bar.hidden = v?.state !== "running" && v?.state !== "waiting";
      begin.disabled = v?.state === "running";
      stop.hidden = v?.state !== "running";
      counts.node.hidden = !v;
      say(state, said(s, v, both));
      if (!v) {
        rebuild(list, null, () => null);
        return;
      }
      const part = done(v);
      if (part === null) bar.removeAttribute("value"); else bar.value = part;
      counts.update(...[v.same, v.missing, v.extra, v.different, v.failed, v.fixed].map((n) => count(n)));
      if (news) findings(s);
    },
  };
}

function said(s, v, both) {
  if (!v) return both ? "The stores have not been compared." : "There is one store in use, and nothing to compare.";
  const part = done(v);
  if (v.state === "running") return `Comparing, ${v.level}${part === null ? "" : ": " + percent(part)}.`;
  if (v.state !== "finished") return `The verification is ${v.state}.`;
  const read = v.read.objects > 0 ? `; the content of ${count(v.read.objects, "object")} (${bytes(v.read.bytes)}) was read` : "; no content was read";
  return `Last compared ${clock(v.finished)}, ${v.level}${read}.`;
}

function lineList(s, lines, more) {
  return [
    el("ul", { class: "findings", "aria-label": "Findings", tabindex: "0" }, lines.map((line) =>
      el("li", {}, el("span", { "aria-hidden": "true" }, line.slice(0, 1)), el("span", { class: "unseen" }, signs[line.slice(0, 1)] + ": "), el("code", {}, line.slice(2))))),
    el("p", { class: "muted" }, more && `These are the first ${most}. `, el("a", { href: api.findingsPath(s.bucket), target: "_blank", rel: "noopener" }, "All lines as text"),
      ". + missing on new, - extra on new, * different, ! could not be compared"),
  ];
}
