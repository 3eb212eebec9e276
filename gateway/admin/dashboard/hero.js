// The state in a sentence, and the buttons for what comes next.

import * as api from "./api.js";
import { order } from "./dialog.js";
import { el, rebuild, say, toast } from "./dom.js";
import { commands, ways } from "./phases.js";
import { sentence } from "./sentence.js";
import { condition, done } from "./words.js";

const words = { work: ["At work", "↻"], ready: ["Ready", "→"], trouble: ["Look at this", "!"], calm: ["At rest", "–"], done: ["Done", "✓"] };

export function hero() {
  const sign = el("span", { class: "sign", "aria-hidden": "true" });
  const word = el("span");
  const chip = el("p", { class: "chip" }, sign, word);
  const text = el("h1", { class: "sentence" });
  const aloud = el("p", { class: "unseen", role: "status", "aria-live": "polite" });
  const why = el("p", { class: "why" });
  const buttons = el("div", { class: "buttons", role: "group", "aria-label": "What you can do" });
  const node = el("section", { class: "hero", "aria-label": "State" }, chip, text, aloud, why, buttons);
  let said;

  const steer = (bucket, name, told) => async () => {
    try {
      await api.command(bucket, name);
      toast(told);
    } catch (refusal) {
      toast(refusal.message, true);
    }
  };

  return {
    node,
    update(s, live) {
      const now = sentence(s, live.conditions);
      node.className = "hero " + now.tone;
      say(sign, words[now.tone][1]);
      say(word, words[now.tone][0]);
      say(text, now.text);
      // Whoever listens hears of every step, and of every ten percent.
      const step = [s.bucket, s.phase, now.tone, now.text.replace(/, (about .*|less than a minute) left|\d[\d,.]*/g, ""), Math.floor((done(s.backfill) ?? 0) * 10)].join();
      if (step !== said) say(aloud, now.text);
      said = step;

      const throttled = condition(s, "throttled");
      const running = s.backfill?.state === "running" || s.verify?.state === "running";
      say(why, throttled?.status && running ? `Held back by: ${throttled.message}. Clients never are.` : "");

      const { on, back } = s.new ? ways[s.phase] : {};
      const crawls = s.backfill && (s.phase === "mirroring" || s.phase === "switched") && s.backfill.state !== "finished";
      const paused = condition(s, "paused")?.status;
      rebuild(buttons, [s.bucket, s.phase, s.new, crawls, paused, now.tone === "ready"], () => [
        on && el("button", { type: "button", id: on, class: now.tone === "ready" || on === "start" ? "primary" : "", onclick: () => order(s, on) }, commands[on].button(s)),
        crawls && (paused
          ? el("button", { type: "button", id: "resume", onclick: steer(s.bucket, "resume", "The copying goes on.") }, "Resume copying")
          : el("button", { type: "button", id: "pause", onclick: steer(s.bucket, "pause", "The copying rests; writes still go to both stores.") }, "Pause copying")),
        back && el("button", { type: "button", id: back, class: "quiet", onclick: () => order(s, back) }, commands[back].button(s)),
      ]);
    },
  };
}
