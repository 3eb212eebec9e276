// The ribbon of phases, and what leads on and back.

import { el, rebuild } from "./dom.js";

export const commands = {
  start: { title: (s) => `Start the move to ${s.new}`, button: () => "Start…", now: "Start now", does: "start" },
  cancel: { title: (s) => `Go back to ${s.old} alone`, button: () => "Cancel the move…", now: "Cancel the move now", does: "cancel" },
  switch: { title: (s) => `Switch ${s.bucket} to ${s.new}`, button: (s) => `Switch to ${s.new}…`, now: "Switch now", does: "switch" },
  rollback: { title: (s) => `Roll ${s.bucket} back to ${s.old}`, button: (s) => `Roll back to ${s.old}…`, now: "Roll back now", does: "roll back" },
  complete: { title: (s) => `Complete: leave ${s.old} alone`, button: () => "Complete…", now: "Complete now", does: "complete" },
};

// ways are the commands that lead out of a phase.
export const ways = {
  passthrough: { on: "start" },
  mirroring: { on: "switch", back: "cancel" },
  switched: { on: "complete", back: "rollback" },
  completed: {},
};

const steps = [
  ["passthrough", (s) => `${s.old} alone`],
  ["mirroring", (s) => `writes go to both, ${s.old} is right`],
  ["switched", (s) => `writes go to both, ${s.new} is right`],
  ["completed", (s) => `${s.new} alone`],
];

const back = {
  passthrough: () => "Nothing has changed yet: point the application at the store again, and Sluice is gone.",
  mirroring: (s) => `Way back: cancel, at any time. ${s.old} has everything.`,
  switched: (s) => s.conditions.some((c) => c.type === "reversible" && c.status)
    ? `Way back: roll back, at any time. ${s.old} gets every write too.`
    : `There is no way back: ${s.old} is read-only.`,
  completed: (s) => `There is no way back: ${s.old} does not get writes any more.`,
};

export function phases() {
  const node = el("section", { class: "phases", "aria-label": "Phase" });
  return {
    node,
    update(s) {
      node.hidden = !s.new;
      const at = steps.findIndex(([name]) => name === s.phase);
      rebuild(node, [s.bucket, s.phase, s.old, s.new, back[s.phase](s)], () => [
        el("ol", { class: "ribbon" }, steps.map(([name, means], i) =>
          el("li", { class: i < at ? "past" : i === at ? "here" : "ahead", "aria-current": i === at && "step" },
            el("span", { class: "stop", "aria-hidden": "true" }, i < at ? "✓" : String(i + 1)),
            el("span", { class: "name" }, name, i < at && el("span", { class: "unseen" }, " (done)")),
            el("span", { class: "means" }, means(s))))),
        el("p", { class: "back" }, back[s.phase](s)),
      ]);
    },
  };
}
