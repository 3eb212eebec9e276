// Says in one sentence where a bucket is and what to do next.

import { about, condition, count, done, percent } from "./words.js";

// sentence is {tone, text}; tone is work, ready, trouble, calm or done.
export function sentence(s, conditions) {
  const trouble = unreachable(s, conditions);
  if (trouble) return trouble;
  switch (s.phase) {
    case "mirroring": return mirroring(s);
    case "switched": return switched(s);
    case "completed":
      return { tone: "done", text: `${s.bucket} is on ${s.new} alone. The migration is done, and ${s.old} is left as it is.` };
  }
  if (!s.new) return { tone: "calm", text: `${s.bucket} is served from ${s.old}. There is nowhere to move it: it has one store.` };
  return { tone: "calm", text: `${s.bucket} is served from ${s.old} alone. Start when you are ready; ${s.old} stays as it is.` };
}

// away tells whether a store does not answer.
export function away(name, conditions) {
  return conditions.some((c) => c.type === "store " + name && !c.status);
}

function unreachable(s, conditions) {
  const [primary, secondary] = primaryOf(s) === s.old ? [s.old, s.new] : [s.new, s.old];
  const both = s.phase === "mirroring" || s.phase === "switched";
  if (away(primary, conditions)) {
    const reads = both ? "reads of what the other store holds go on" : "the cache answers what it holds";
    return { tone: "trouble", text: `${primary} does not answer, and it is the primary: writes fail, ${reads}. Bring ${primary} back.` };
  }
  if (both && away(secondary, conditions)) {
    return { tone: "trouble", text: `${secondary} does not answer. ${primary} serves everything, and what ${secondary} misses is repaired when it is back.` };
  }
  return null;
}

// primaryOf names the store that is right.
export function primaryOf(s) {
  return s.phase === "switched" || s.phase === "completed" ? s.new : s.old;
}

function mirroring(s) {
  if (!condition(s, "backfilled")?.status) return copying(s, `${s.bucket} is being copied`);
  const v = s.verify;
  if (v?.state === "running") {
    const part = done(v);
    return { tone: "work", text: `Everything is on ${s.new} and is being verified${part === null ? "" : ": " + percent(part)}. Nothing to do.` };
  }
  if (condition(s, "caught-up")?.status === false) {
    return { tone: "work", text: `Everything is on ${s.new}, and ${count(s.pending, "write")} ${s.pending === 1 ? "is" : "are"} being repaired. Nothing to do.` };
  }
  if (!condition(s, "baseline")?.status) {
    return { tone: "trouble", text: `Everything is copied, but ${s.new} holds what ${s.old} does not. Look at it under drift.` };
  }
  if (condition(s, "verified")?.status) return { tone: "ready", text: `Everything is on ${s.new} and verified. You can switch.` };
  const wrong = v?.state === "finished" && !v.prefix ? v.missing + v.extra + v.different + v.failed - v.fixed : 0;
  if (wrong > 0) return { tone: "trouble", text: `The stores differ in ${count(wrong, "object")}. Look at the drift, and mend it before you switch.` };
  return { tone: "ready", text: `Everything is on ${s.new}. Verify it, then switch.` };
}

function switched(s) {
  if (!condition(s, "backfilled")?.status) return copying(s, `${s.new} is the primary, and the rest of ${s.bucket} is being copied`);
  if (!condition(s, "reversible")?.status) {
    return { tone: "ready", text: `${s.new} is the primary, and there is no way back: ${s.old} is read-only. Complete when all is well.` };
  }
  return { tone: "ready", text: `${s.new} is the primary, and every write still goes to ${s.old} too. Complete when all is well; until then you can go back.` };
}

function copying(s, what) {
  const p = s.backfill, part = done(p);
  const far = part !== null ? percent(part) : p ? count(p.done.objects, "object") + " so far" : "just begun";
  if (p?.state === "paused") return { tone: "calm", text: `${what}, but the copying rests at ${far}. Resume it when you like; writes go to both stores all the time.` };
  if (p?.state === "waiting") return { tone: "work", text: `${what}: ${far}, and ${count(p.failed, "object")} ${p.failed === 1 ? "is" : "are"} tried again. Look at the failures below if it lasts.` };
  const left = p?.remaining_ns > 0 ? ", " + about(p.remaining_ns) + " left" : "";
  return { tone: "work", text: `${what}: ${far}${left}. Nothing to do.` };
}
