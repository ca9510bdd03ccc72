// The timeline of a report, drawn: a lane a category, a bar an action. Pointing at a bar or walking to it by the arrow keys tells its
// detail; the same stands below as a table.
import { useMemo, useRef, useState } from "preact/hooks";
import { Told } from "./oops_parts.js";
import { repeated, ticks, timelineOf, took } from "./timeline.js";
import { html } from "./ui.js";

const BAR_PX = 14;
const STEP_PX = 17;
const STEPS = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 };

export function Timeline({ rows, duration_ms }) {
  const line = useMemo(() => timelineOf(rows, duration_ms), [rows, duration_ms]);
  const longest = useMemo(() => line.bars.reduce((a, b) => (b.end - b.start > a.end - a.start ? b : a)), [line]);
  const [active, setActive] = useState(longest);
  const place = useRef();
  const choose = (bar, focused) => {
    setActive(bar);
    if (focused) place.current.querySelector(`[data-bar="${bar.index}"]`).focus();
  };
  const onKey = (event) => {
    const at = line.bars.indexOf(active);
    const next = { Home: 0, End: line.bars.length - 1 }[event.key] ?? at + STEPS[event.key];
    if (!(next >= 0 && next < line.bars.length)) return;
    event.preventDefault();
    choose(line.bars[next], true);
  };
  const pointed = (event) => {
    const bar = event.target.dataset?.bar;
    if (bar !== undefined) setActive(line.bars.find((one) => one.index === Number(bar)));
  };
  const label = `${rows.length} actions in ${took(line.to - line.from)}; the arrow keys walk over them`;
  return html`
    <section class="timeline" aria-labelledby="timeline">
      <h3 id="timeline">Timeline <span class="quiet">${rows.length} actions in ${took(line.to - line.from)}</span></h3>
      <div class="lanes" role="group" aria-label=${label} ref=${place} onKeyDown=${onKey} onMouseOver=${pointed} onFocusIn=${pointed}>
        ${line.lanes.map((lane) => html`<${Lane} key=${lane.category} lane=${lane} line=${line} active=${active} />`)}
        <${Axis} line=${line} />
      </div>
      <${Action} bar=${active} />
      <${Repeated} bars=${line.bars} />
      <${AsTable} bars=${line.bars} />
    </section>`;
}

const percent = (line, ms) => `${(((ms - line.from) / (line.to - line.from)) * 100).toFixed(3)}%`;
const width = (line, bar) => `${(((bar.end - bar.start) / (line.to - line.from)) * 100).toFixed(3)}%`;

function Lane({ lane, line, active }) {
  const all = `${lane.bars.length}×, ${took(lane.total_ms)}`;
  return html`
    <div class=${`lane hue${lane.hue}`} data-lane=${lane.category}>
      <div class="lane-name"><b><${Told} text=${lane.category} /></b> <span class="quiet">${all}</span></div>
      <svg height=${lane.depth * STEP_PX}>
        ${ticks(line.from, line.to).map((at) => percent(line, at)).map((x) => html`<line class="grid" x1=${x} x2=${x} y1="0" y2="100%" />`)}
        ${lane.bars.map((bar) => html`<rect key=${bar.index} data-bar=${bar.index} class=${bar === active ? "bar active" : "bar"} role="img"
          tabindex=${bar === active ? 0 : -1} aria-label=${inWords(bar)} x=${percent(line, bar.start)} width=${width(line, bar)}
          y=${bar.level * STEP_PX + 1} height=${BAR_PX} />`)}
      </svg>
    </div>`;
}
const inWords = (bar) => `${bar.category}, from ${took(bar.start)}, took ${took(bar.end - bar.start)}: ${bar.detail}`;

function Axis({ line }) {
  return html`
    <div class="lane axis" aria-hidden="true"><div class="lane-name"></div><svg height="16">${ticks(line.from, line.to).map(
      (at) => html`<text x=${percent(line, at)} y="12" text-anchor=${anchor(line, at)}>${took(at)}</text>`,
    )}</svg></div>`;
}
// The first and the last label stay within the drawing.
function anchor(line, at) {
  const share = (at - line.from) / (line.to - line.from);
  return share < 0.05 ? "start" : share > 0.95 ? "end" : "middle";
}

function Action({ bar }) {
  const when = `from ${took(bar.start)} to ${took(bar.end)}: ${took(bar.end - bar.start)}`;
  return html`
    <div class="action" data-action=${bar.index}>
      <p><b><${Told} text=${bar.category} /></b> <span class="quiet">${when}</span></p>
      <pre>${bar.detail}</pre>
      ${bar.traceback && html`<details><summary>Where it was done</summary><pre>${bar.traceback}</pre></details>`}
    </div>`;
}

function Repeated({ bars }) {
  const found = useMemo(() => repeated(bars), [bars]);
  if (found.length === 0) return null;
  return html`<p class="quiet">Repeated most:</p>
    <ul class="repeated">${found.map((one) => html`<li><b>${one.count}×</b> ${took(one.total_ms)}${" "}
      <span class="quiet"><${Told} text=${one.category} /></span> <code><${Told} text=${one.detail} /></code></li>`)}</ul>`;
}

function AsTable({ bars }) {
  const [isOpen, setOpen] = useState(false);
  return html`
    <details onToggle=${(event) => setOpen(event.currentTarget.open)}>
      <summary>The timeline as a table</summary>
      ${isOpen && html`<table class="told-table">
        <thead><tr><th scope="col" class="number">from</th><th scope="col" class="number">took</th><th scope="col">category</th>
          <th scope="col">detail</th></tr></thead>
        <tbody>${bars.map((bar) => html`<tr key=${bar.index}><td class="number">${took(bar.start)}</td>
          <td class="number">${took(bar.end - bar.start)}</td><td>${bar.category}</td><td>${bar.detail}</td></tr>`)}</tbody>
      </table>`}
    </details>`;
}
