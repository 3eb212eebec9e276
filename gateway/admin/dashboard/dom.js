// Builds the page. Text only ever becomes text: keys and messages come from strangers.

const SVG = "http://www.w3.org/2000/svg";

// el makes an element. Properties that begin with "on" are listeners, true is an attribute
// without a value; null, undefined and false are left out, among the children too.
export function el(tag, properties, ...children) {
  return furnish(document.createElement(tag), properties, children);
}

// svg is el for pictures.
export function svg(tag, properties, ...children) {
  return furnish(document.createElementNS(SVG, tag), properties, children);
}

function furnish(node, properties, children) {
  for (const [name, value] of Object.entries(properties ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...present(children));
  return node;
}

function present(children) {
  return children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false);
}

// say changes a text, and leaves alone one that is the same: it may be selected, or read aloud.
export function say(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

// rebuild replaces what is in a node if the key is another than the last time, so that focus
// and selection outlive the seconds in which nothing changed.
export function rebuild(node, key, build) {
  const text = JSON.stringify(key) ?? "";
  if (node.builtFor === text) return;
  node.builtFor = text;
  node.replaceChildren(...present([build()]));
}

// card is a section of the page with a heading.
export function card(title, ...children) {
  const id = "card-" + title.toLowerCase().replace(/[^a-z]+/g, "-");
  return el("section", { class: "card", "aria-labelledby": id }, el("h2", { id }, title), children);
}

// figures is a list of names and values; update sets values in the order of the names.
export function figures(...names) {
  const values = names.map(() => el("dd"));
  const node = el("dl", { class: "figures" }, names.map((name, i) => el("div", {}, el("dt", {}, name), values[i])));
  return { node, update: (...texts) => texts.forEach((text, i) => say(values[i], text)) };
}

// mark is a sign with a word beside it for who does not see the sign.
export function mark(kind) {
  const [sign, word] = { good: ["✓", "holds: "], bad: ["✕", "does not hold: "], wait: ["•", "in part: "] }[kind];
  return el("span", { class: "mark " + kind }, el("span", { "aria-hidden": "true" }, sign), el("span", { class: "unseen" }, word));
}

// table has headings in its first row and scrolls by itself where the screen is narrow.
export function table(caption, headings, rows) {
  return el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": caption },
    el("table", {},
      el("caption", { class: "unseen" }, caption),
      el("thead", {}, el("tr", {}, headings.map((h) => el("th", { scope: "col" }, h)))),
      el("tbody", {}, rows.map((row) => el("tr", {}, row.map((cell, i) => (i ? el("td", {}, cell) : el("th", { scope: "row" }, cell))))))));
}

let hiding;

// toast says for a while what became of something.
export function toast(text, bad = false) {
  const node = document.getElementById("toast");
  node.hidden = false;
  node.classList.toggle("bad", bad);
  say(node, text);
  clearTimeout(hiding);
  hiding = setTimeout(() => { node.hidden = true; node.textContent = ""; }, bad ? 15_000 : 6_000);
}
