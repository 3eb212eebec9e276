// A chart of a rate over the last minutes, by uPlot (a global: it is vendored as it is published).

import { clock } from "./words.js";

const kept = 600; // seconds
const height = 220;

// chart draws into a node. add takes a time in seconds and bytes a second.
export function chart(node) {
  const data = [[], []];
  let plot, scheduled = false;

  const color = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

  function draw() {
    plot?.destroy();
    const axis = { stroke: color("--muted"), grid: { stroke: color("--line"), width: 1 }, ticks: { show: false }, font: "12px system-ui, sans-serif" };
    plot = new uPlot({
      width: node.clientWidth, height, legend: { show: false }, cursor: { show: false }, padding: [12, 32, 0, 0],
      scales: { y: { range: (_, __, most) => [0, Math.max(most * 1.15, 1 << 20)] } },
      axes: [
        { ...axis, space: 70, values: (_, times) => times.map((t) => clock(t * 1000)) },
        { ...axis, size: 76, space: 40, incrs: Array.from({ length: 20 }, (_, i) => 2 ** (18 + i)), values: (_, rates) => rates.map((r) => r / (1 << 20) + " MiB/s") },
      ],
      series: [{}, { stroke: color("--accent"), fill: color("--wash"), width: 2, points: { show: false } }],
    }, data, node);
  }

  new ResizeObserver(() => { if (node.clientWidth > 0) plot?.setSize({ width: node.clientWidth, height }); }).observe(node);
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
