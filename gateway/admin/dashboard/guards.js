// Lists guards, and answers "can I switch?" and "can I go back?" from dry runs.

import * as api from "./api.js";
import { card, el, mark, rebuild, say } from "./dom.js";
import { ways } from "./phases.js";
import { clock } from "./words.js";

export const refuses = (guard) => !guard.ok && !guard.overridden;

// guardList shows guards. With pick, who reads it can pass over those that allow it, one by
// one; pick is called with each change.
export function guardList(guards, pick) {
  return el("ul", { class: "guards" }, guards.map((guard) =>
    el("li", { class: guard.ok ? "good" : "bad" }, mark(guard.ok ? "good" : "bad"),
      el("div", {},
        el("strong", {}, guard.name), el("span", { class: "message" }, guard.message),
        !guard.ok && pick && guard.overridable && el("label", { class: "override" },
          el("input", { type: "checkbox", name: "override", value: guard.name, onchange: pick }), ` pass over ${guard.name}; the audit log records it`),
        !guard.ok && !guard.overridable && el("span", { class: "never" }, "This can not be passed over.")))));
}

// rest is the time between two dry runs that nobody asked for: each writes to the stores.
const rest = 5_000;

// question answers whether the command that leads on, or back, would be refused; instead says
// what there is to say where there is none.
function question(title, kind, instead) {
  const verdict = el("p", { class: "verdict", role: "status" });
  const list = el("div");
  const again = el("button", { type: "button", class: "quiet" }, "Look again");
  const looked = el("span", { class: "muted" });
  const foot = el("p", { class: "looked" }, again, looked);
  let shown = {}, guards = [], asked = 0, asking = false, latest;

  // Guards that are conditions too are told as they are now.
  function tell() {
    const fresh = guards.map((g) => ({ ...g, message: latest.conditions.find((c) => c.type === g.name && c.status === g.ok)?.message ?? g.message }));
    rebuild(list, fresh, () => fresh.length > 0 && guardList(fresh));
  }

  async function ask(s, name) {
    asking = true;
    asked = Date.now();
    again.disabled = true;
    try {
      const report = await api.plan(s.bucket, name);
      if (s.bucket !== shown.bucket || s.phase !== shown.phase) return;
      guards = report.guards;
      const no = guards.filter(refuses).length;
      say(verdict, no === 0 ? "Yes." : `Not yet: ${no === 1 ? "one guard refuses." : no + " guards refuse."}`);
    } catch (refusal) {
      guards = [];
      say(verdict, "It could not be found out: " + refusal.message);
    } finally {
      asking = false;
      again.disabled = false;
      say(looked, "looked at " + clock(Date.now()));
      tell();
    }
  }

  again.addEventListener("click", () => { shown.holds = ""; asked = 0; });
  return {
    node: card(title, verdict, list, foot),
    update(s) {
      latest = s;
      const name = ways[s.phase]?.[kind];
      const possible = Boolean(s.new && name && name !== "start" && name !== "complete");
      const moved = s.bucket !== shown.bucket || s.phase !== shown.phase;
      const holds = s.conditions.map((c) => c.type + c.status).join() + s.verify?.state;
      foot.hidden = !possible;
      if (!possible || moved) guards = [];
      if (!possible) say(verdict, instead(s));
      else if (moved) say(verdict, "Looking…");
      if (possible && !asking && (moved || (holds !== shown.holds && Date.now() - asked > rest))) {
        shown = { bucket: s.bucket, phase: s.phase, holds };
        ask(s, name);
      } else if (moved) shown = { bucket: s.bucket, phase: s.phase };
      tell();
    },
  };
}

export const canSwitch = () => question("Can I switch?", "on", (s) => {
  if (s.phase === "switched") return "You have switched.";
  if (s.phase === "completed") return "The migration is done.";
  return s.new ? `Start first: then writes go to both stores, and ${s.old} is copied to ${s.new}.` : "There is no second store to switch to.";
});

export const canGoBack = () => question("Can I go back?", "back", (s) =>
  s.phase === "completed" ? `No: ${s.old} does not get writes any more. A new migration leads anywhere you like.` : "There is nothing to go back from.");
