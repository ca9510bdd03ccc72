// A line chart over time on uPlot, in the colours of the page, as wide as its place.
import { useEffect, useRef, useState } from "preact/hooks";
import uPlot from "uplot";
import { html } from "./ui.js";

const HEIGHT_PX = 150;
// Labels of the time axis, in uPlot's form: from this increment in seconds on, the label, and what follows it when the year, day or
// minute turns.
const DAY = "\n{YYYY}-{MM}-{DD}";
const TIMES = [
  [3600 * 24, "{MM}-{DD}", "\n{YYYY}", null, null, null, null, null, 1],
  [60, "{HH}:{mm}", DAY, null, DAY, null, null, null, 1],
  [1, ":{ss}", DAY, null, DAY, null, "\n{HH}:{mm}", null, 1],
];

function useColourScheme() {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const [isDark, setDark] = useState(dark.matches);
  useEffect(() => {
    const onChange = () => setDark(dark.matches);
    dark.addEventListener("change", onChange);
    return () => dark.removeEventListener("change", onChange);
  }, []);
  return isDark;
}

// `series` is [{ label, colour: a custom property of the page, values }], `times` seconds since 1970, `label` says the chart in a sentence.
export function Chart({ times, series, label }) {
  const place = useRef();
  const plot = useRef();
  const isDark = useColourScheme();
  const data = [times, ...series.map((s) => s.values)];
  useEffect(() => {
    const box = place.current;
    const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
    const grid = { stroke: colour("--line"), width: 1 };
    const axis = { stroke: colour("--quiet"), grid, ticks: { show: false }, font: "11px sans-serif" };
    plot.current = new uPlot(
      {
        width: box.clientWidth,
        height: HEIGHT_PX,
        cursor: { y: false, points: { size: 5 } },
        legend: { show: false },
        scales: { y: { range: (_, low, high) => [0, Math.max(high, 1) * 1.05] } },
        axes: [{ ...axis, values: TIMES }, { ...axis, size: 38, values: (_, ticks) => ticks.map(whole) }],
        series: [{}, ...series.map((s) => line(s.label, colour(s.colour)))],
      },
      data,
      box,
    );
    const resized = new ResizeObserver(() => plot.current.setSize({ width: box.clientWidth, height: HEIGHT_PX }));
    resized.observe(box);
    return () => {
      resized.disconnect();
      plot.current.destroy();
    };
  }, [isDark]);
  useEffect(() => plot.current?.setData(data), [times, ...series.map((s) => s.values)]);
  return html`
    <div class="legend" aria-hidden="true">${series.map((s) => html`<span class=${`key ${s.colour.slice(2)}`}>${s.label}</span>`)}</div>
    <div class="chart" ref=${place} role="img" aria-label=${label}></div>`;
}

const line = (label, stroke) => ({
  label,
  stroke,
  fill: `${stroke}22`,
  width: 1.5,
  paths: uPlot.paths.stepped({ align: 1 }),
  points: { show: false },
});
const whole = (n) => (Number.isInteger(n) ? compact(n) : "");
const compact = (n) => (n >= 1000 ? `${(n / 1000).toLocaleString("en", { maximumFractionDigits: 1 })}k` : String(n));
