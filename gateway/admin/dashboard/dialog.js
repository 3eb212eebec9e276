// Shows what a command would do, asks, and has it done.

import * as api from "./api.js";
import { el, say } from "./dom.js";
import { guardList, refuses } from "./guards.js";
import { commands } from "./phases.js";
import { held } from "./words.js";

// order opens the dialog for a command on a bucket.
export function order(s, name) {
  const command = commands[name];
  const title = el("h2", { id: "dialog-title" }, command.title(s));
  const state = el("p", { role: "status" }, "Looking at what stands in the way…");
  const plan = el("div", { class: "plan", tabindex: "0", role: "group", "aria-label": "Guards and steps" });
  const confirm = el("button", { type: "submit", class: "primary", disabled: true }, command.now);
  const close = el("button", { type: "button", class: "quiet", autofocus: true }, "Close");
  const form = el("form", {}, title, state, plan, el("div", { class: "buttons" }, close, confirm));
  const dialog = el("dialog", { "aria-labelledby": "dialog-title" }, form);
  let guards = [], sure = () => true;

  const picked = () => [...form.querySelectorAll("input[name=override]:checked")].map((box) => box.value);
  const weigh = () => {
    const passed = picked();
    confirm.disabled = !sure() || guards.some((g) => refuses(g) && !passed.includes(g.name));
  };

  const show = (report) => {
    guards = report.guards ?? [];
    const never = guards.filter((g) => refuses(g) && !g.overridable);
    const refused = guards.filter(refuses);
    if (never.length) say(state, "First put right what can not be passed over.");
    else if (refused.length) say(state, "Put right what refuses, or pass over it, each by itself.");
    else say(state, "Nothing stands in the way.");
    plan.replaceChildren(
      guardList(guards, weigh),
      el("h3", {}, "What will be done"),
      el("ol", {}, (report.steps ?? []).map((step) => el("li", {}, step))),
      ...(report.notes ?? []).map((note) => el("p", { class: "note" }, note)),
      ...doubleCheck(),
    );
    weigh();
  };

  // A step without a way back wants the bucket's name.
  const doubleCheck = () => {
    if (name !== "complete") return [];
    const input = el("input", { id: "sure", autocomplete: "off", spellcheck: "false", oninput: weigh });
    sure = () => input.value.trim() === s.bucket;
    return [el("label", { class: "field", for: "sure" }, `There is no way back. Type ${s.bucket} to go on.`), input];
  };

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const override = picked();
    confirm.disabled = true;
    say(state, "It is being done…");
    try {
      const report = await api.command(s.bucket, name, override.length ? { override } : {});
      say(state, `Done: ${s.bucket} is ${report.to} now. Writes were held for ${held(report.held_ns)}.`);
      plan.replaceChildren();
      confirm.remove();
      close.focus();
    } catch (refusal) {
      if (refusal.report) show(refusal.report);
      say(state, refusal.message);
      weigh();
    }
  });
  close.addEventListener("click", () => dialog.close());
  dialog.addEventListener("close", () => dialog.remove());

  document.body.append(dialog);
  dialog.showModal();
  api.plan(s.bucket, name).then(show, (refusal) => say(state, refusal.message));
}
