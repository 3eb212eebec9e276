// What copying and verifying are allowed.

import * as api from "./api.js";
import { el, say, toast } from "./dom.js";
import { count } from "./words.js";

const MiB = 1 << 20;

export function throttleForm() {
  const bandwidth = el("input", { id: "bandwidth", type: "number", min: "0", step: "any", inputmode: "decimal", placeholder: "no limit" });
  const workers = el("input", { id: "workers", type: "number", min: "0", step: "1", inputmode: "numeric", placeholder: "default" });
  const now = el("p", { class: "muted", id: "throttle-now" });
  const form = el("form", { class: "throttle", "aria-label": "Throttle" },
    el("div", { class: "field" }, el("label", { for: "bandwidth" }, "Bandwidth, MiB/s"), bandwidth),
    el("div", { class: "field" }, el("label", { for: "workers" }, "Copies at once"), workers),
    el("button", { type: "submit", id: "apply-throttle" }, "Apply"));
  let touched = false;
  form.addEventListener("input", () => { touched = true; });
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    try {
      const { limits } = await api.throttle(); // the other limits stay
      limits.bandwidth = Math.round(Number(bandwidth.value) * MiB);
      limits.workers = Number(workers.value);
      await api.setThrottle(limits);
      touched = false;
      toast("The throttle is set, until the gateway is started again.");
    } catch (refusal) {
      toast(refusal.message, true);
    }
  });
  return {
    node: el("div", { class: "limits" }, el("h3", {}, "Throttle"), form, now),
    update({ limits, reason, workers: allowed }) {
      say(now, `${count(allowed, "copy").replace("copys", "copies")} at once now, held back by ${reason || "nothing"}. Clients are never held back.`);
      if (touched || form.contains(document.activeElement)) return;
      const set = (input, value) => { if (input.value !== value) input.value = value; };
      set(bandwidth, limits.bandwidth ? String(Math.round(limits.bandwidth / MiB * 100) / 100) : "");
      set(workers, limits.workers ? String(limits.workers) : "");
    },
  };
}
