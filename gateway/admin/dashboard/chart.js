// A chart of a rate over the last minutes, by uPlot (a global: it is vendored as it is published).

import { bytes } from "./words.js";

const kept = 600; // seconds

// chart draws into a node. add takes a time in seconds and bytes a second.
export function chart(node) {
  const data = [[], []];
  let plot, scheduled = false;

  const color = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

  function draw() {
    plot?.destroy();
    const axis = { stroke: color("--muted"), grid: { stroke: color("--line"), width: 1 }, ticks: { show: false }, font: "12px system-ui, sans-serif" };
    plot = new uPlot({
      width: node.clientWidth, height: 180, legend: { show: false }, cursor: { show: false }, padding: [12, 8, 0, 0],
      scales: { y: { range: (_, __, most) => [0, Math.max(most * 1.15, 1 << 20)] } },
      axes: [
        { ...axis, space: 70, values: (_, times) => times.map((t) => new Date(t * 1000).toLocaleTimeString([], { timeStyle: "medium" })) },
        { ...axis, size: 76, space: 40, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000].map((n) => n * (1 << 20) / 4), values: (_, rates) => rates.map((r) => bytes(r) + "/s") },
      ],
      series: [{}, { stroke: color("--accent"), fill: color("--wash"), width: 2, points: { show: false } }],
    }, data, node);
  }

  new ResizeObserver(() => { if (node.clientWidth > 0) plot?.setSize({ width: node.clientWidth, height: 180 }); }).observe(node);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { if (plot) draw(); });

  return {
    clear() { data[0].length = data[1].length = 0; },
    add(second, rate) {
      if (second <= (data[0].at(-1) ?? 0)) return;
      data[0].push(second);
      data[1].push(rate);
      if (data[0].length > kept) { data[0].shift(); data[1].shift(); }
      if (scheduled || node.clientWidth === 0) return;
      scheduled = true;
      requestAnimationFrame(() => {
        scheduled = false;
        if (plot) plot.setData(data); else draw();
      });
    },
  };
}
