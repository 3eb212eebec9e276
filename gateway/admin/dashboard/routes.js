// Draws the ways that requests take, with what goes on along each.

import { card, el, rebuild, svg, table } from "./dom.js";
import { away, primaryOf } from "./sentence.js";
import { count, perSecond, took } from "./words.js";

// Where things are in the picture, [x, y, width, height]: beside each other or, on a phone,
// below each other. A line of text is lead high.
const wide = { size: [960, 256], lead: 23, clients: [0, 76, 220, 104], sluice: [376, 76, 160, 104], old: [692, 0, 268, 118], new: [692, 138, 268, 118] };
const narrow = { size: [330, 434], lead: 20, clients: [55, 0, 220, 92], sluice: [85, 134, 160, 78], old: [0, 276, 158, 158], new: [172, 276, 158, 158], down: true };

const still = { requests: 0, errors: 0, p95: 0 };

// roles says what a phase means for the stores.
function roles(s) {
  const readOnly = !s.conditions.some((c) => c.type === "reversible" && c.status);
  switch (s.phase) {
    case "mirroring": return { old: "written first", new: "written too" };
    case "switched": return { new: "written first", old: readOnly ? "is only read" : "written too" };
    case "completed": return { new: "serves everything", old: "is left alone" };
  }
  return { old: "serves everything", new: "is not used yet" };
}

const fit = (text, most) => (text.length > most ? text.slice(0, most - 1) + "…" : text);

function errors(flow) {
  if (!(flow.errors > 0)) return "no errors";
  return (flow.errors < 10 ? flow.errors.toFixed(1) : count(Math.round(flow.errors))) + " errors/s";
}

// box is a place with lines of text; a line is a list of [text, look].
function box(layout, place, kind, lines) {
  const [x, y, w, h] = place, inset = kind === "sluice" ? w / 2 : layout.down ? 12 : 18;
  const first = y + (h - (lines.length - 1) * layout.lead) / 2 + 5;
  const room = (look) => Math.floor((w - 2 * 12) / (look === "title" ? 8.8 : 6.4));
  return svg("g", { class: "box " + kind },
    svg("rect", { x: x + 1, y: y + 1, width: w - 2, height: h - 2, rx: 14 }),
    lines.map((spans, i) => svg("text", { x: x + inset, y: first + i * layout.lead },
      spans.map(([text, look]) => svg("tspan", { class: look }, fit(text, room(look)))))));
}

function way(from, to, kind, flows, down) {
  const [fx, fy, fw, fh] = from, [tx, ty, tw, th] = to;
  const a = down ? [fx + fw / 2, fy + fh] : [fx + fw, fy + fh / 2];
  const b = down ? [tx + tw / 2, ty] : [tx, ty + th / 2];
  const bend = down ? `C${a[0]},${(a[1] + b[1]) / 2} ${b[0]},${(a[1] + b[1]) / 2}` : `C${(a[0] + b[0]) / 2},${a[1]} ${(a[0] + b[0]) / 2},${b[1]}`;
  const d = `M${a} ${bend} ${b}`;
  const middle = [(a[0] + b[0]) / 2, (a[1] + b[1]) / 2];
  return svg("g", { class: "way " + kind },
    svg("path", { d }), flows && svg("path", { d, class: "flow" }),
    kind === "broken" && svg("g", { class: "cross" },
      svg("circle", { cx: middle[0], cy: middle[1], r: 12 }), svg("text", { x: middle[0], y: middle[1] + 5 }, "✕")));
}

// store is what is told of a store: its lines and the look of the way to it.
function store(s, which, live) {
  const name = s[which], used = roles(s)[which];
  const flow = live.traffic.stores[name] ?? still;
  const primary = primaryOf(s) === name, broken = away(name, live.conditions);
  const idle = !primary && (s.phase === "passthrough" || s.phase === "completed");
  return {
    name, flow, used, primary, broken, idle,
    kind: broken ? "broken" : idle ? "idle" : primary ? "primary" : "mirror",
  };
}

// measured is what is told of the traffic on a way, in two lines or, where there is less room,
// in three.
function measured(layout, flow) {
  const rate = [perSecond(flow.requests), "figure"], wrong = [errors(flow), flow.errors > 0 ? "alarm" : "plain"];
  const slowest = "p95 " + took(flow.p95);
  return layout.down ? [[rate], [[slowest, "plain"]], [wrong]] : [[rate], [[slowest + " · ", "plain"], wrong]];
}

function storeLines(layout, t) {
  const role = t.primary ? "primary" : t.which === "old" ? "old store" : "new store";
  const look = t.primary ? "role" : "plain";
  const used = t.broken ? ["✕ does not answer", "alarm"] : [t.used, "plain"];
  const head = layout.down ? [[[t.name, "title"]], [[role, look]], [used]] : [[[t.name, "title"]], [[role + " · ", look], used]];
  return t.idle ? head : [...head, ...measured(layout, t.flow)];
}

function picture(layout, clients, stores) {
  const [w, h] = layout.size, down = Boolean(layout.down);
  return svg("svg", { viewBox: `0 0 ${w} ${h}`, class: down ? "narrow" : "wide", role: "img", "aria-labelledby": "routes-said" },
    way(layout.clients, layout.sluice, "primary", clients.requests > 0, down),
    stores.map((t) => way(layout.sluice, layout[t.which], t.kind, t.flow.requests > 0 && !t.broken, down)),
    box(layout, layout.clients, "clients", [[["Clients", "title"]], ...measured({}, clients)]),
    box(layout, layout.sluice, "sluice", [[["Sluice", "title"]], [["one endpoint", "plain"]]]),
    stores.map((t) => box(layout, layout[t.which], t.kind, storeLines(layout, t))));
}

export function routes() {
  const figure = el("figure", { class: "routes" });
  const node = card("Routes", figure);
  return {
    node,
    update(s, live) {
      const clients = live.traffic.clients;
      const stores = ["old", ...(s.new ? ["new"] : [])].map((which) => ({ which, ...store(s, which, live) }));
      rebuild(figure, [s.bucket, s.phase, clients, stores], () => [
        picture(wide, clients, stores), picture(narrow, clients, stores),
        el("figcaption", { id: "routes-said" },
          `Clients reach ${stores.filter((t) => !t.idle && !t.broken).map((t) => t.name).join(" and ") || "no store"} through Sluice; ${primaryOf(s)} is the primary.`,
          el("span", { class: "measured" }, " All buckets, over the last ten seconds.")),
        el("div", { class: "unseen" }, table("Traffic", ["Where", "Requests", "95 % within", "Errors", "State"], [
          ["Clients", perSecond(clients.requests), took(clients.p95), errors(clients), ""],
          ...stores.map((t) => [t.name, perSecond(t.flow.requests), took(t.flow.p95), errors(t.flow), t.broken ? "does not answer" : t.used]),
        ])),
      ]);
    },
  };
}
