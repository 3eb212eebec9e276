// Puts the page together: logged out, all buckets, or one.

import * as api from "./api.js";
import { cache } from "./cache.js";
import { el, rebuild, say } from "./dom.js";
import { drift } from "./drift.js";
import { canGoBack, canSwitch } from "./guards.js";
import { certificates, conditions, eventLog } from "./health.js";
import { hero } from "./hero.js";
import { follow } from "./live.js";
import { loginForm } from "./login.js";
import { lookUp } from "./object.js";
import { address, overview } from "./overview.js";
import { phases } from "./phases.js";
import { progress } from "./progress.js";
import { routes } from "./routes.js";

const main = document.getElementById("main");
const connection = document.getElementById("connection");
const logout = document.getElementById("logout");
const buckets = document.getElementById("buckets");

let page, stop, live;

// bucketPage is all there is of one bucket.
function bucketPage() {
  const log = eventLog();
  const views = [hero(), phases(), routes(), progress(), canSwitch(), canGoBack(), drift(), conditions(), lookUp(), cache(), log, certificates()];
  const [head, ribbon, picture, ...cards] = views.map((view) => view.node);
  const pair = (...sides) => el("div", { class: "pair" }, sides.map((side) => el("div", { class: "stack" }, side.map((i) => cards[i]))));
  return {
    node: el("div", { class: "bucket" }, head, ribbon, picture, pair([0], [1, 2]), pair([3], [4]), pair([5], [6]), pair([7], [8])),
    update(s) { for (const view of views) view.update(s, live); },
    stop: log.stop,
  };
}

// wanted is the bucket that the address names; the only one, where it names none.
function wanted() {
  return live.buckets.find((s) => address(s.bucket) === location.hash) ?? (live.buckets.length === 1 ? live.buckets[0] : undefined);
}

function show() {
  const s = wanted();
  const kind = s ? "bucket" : "overview";
  if (page?.kind !== kind) {
    page?.stop?.();
    page = { kind, ...(s ? bucketPage() : overview()) };
    main.replaceChildren(page.node);
  }
  page.update(s ?? live);
  document.title = s ? `${s.bucket}: ${s.phase} – Sluice` : "Sluice";
  choose(s);
}

// choose lets operators go from bucket to bucket, where there are several.
function choose(s) {
  const names = live.buckets.map((b) => b.bucket);
  rebuild(buckets, [names, s?.bucket], () => names.length > 1 && el("select", {
    "aria-label": "Bucket", onchange: (event) => { location.hash = event.target.value; },
  }, el("option", { value: "#/" }, "All buckets"), names.map((name) => el("option", { value: address(name), selected: name === s?.bucket }, name))));
}

function connected(yes) {
  connection.className = "connection " + (yes ? "good" : "bad");
  say(connection, yes ? "● live" : "○ connection lost; trying again");
}

async function lost() {
  connected(false);
  const { open } = await api.session().catch(() => ({ open: true }));
  if (!open) leave();
}

function enter() {
  logout.hidden = false;
  stop?.();
  stop = follow((told) => {
    live = told;
    for (const s of live.buckets) s.conditions ??= []; // a bucket at rest has none
    connected(true);
    show();
  }, lost);
}

function leave() {
  stop?.();
  page?.stop?.();
  stop = page = live = undefined;
  logout.hidden = true;
  connection.textContent = "";
  buckets.replaceChildren();
  buckets.builtFor = undefined;
  for (const dialog of document.querySelectorAll("dialog")) dialog.close();
  const form = loginForm(enter);
  main.replaceChildren(form.node);
  form.focus();
}

addEventListener("loggedout", () => { if (!logout.hidden) leave(); });
addEventListener("hashchange", () => { if (live && location.hash.startsWith("#/")) show(); });
logout.addEventListener("click", () => api.logout().finally(leave));
document.querySelector(".skip").addEventListener("click", (event) => { event.preventDefault(); main.focus(); });

api.session().then(({ open }) => (open ? enter() : leave()), leave);
