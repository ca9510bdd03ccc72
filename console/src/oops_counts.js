// How many reports of a group came, by day or by hour: drawn, and as a table.
import { useState } from "preact/hooks";
import { useLive } from "./api.js";
import { barsOf, STEPS } from "./counts.js";
import { API, count } from "./oops_parts.js";
import { html, Problem, useNow } from "./ui.js";

const HEIGHT = 60;
const WIDE = 10; // of a bar with the gap beside it
const BAR = 8;

// Hours are the reader's, days are UTC's.
const told = (step, at) => (step === "day" ? new Date(at).toISOString().slice(0, 10)
  : new Date(at).toLocaleString([], { dateStyle: "short", timeStyle: "short" }));

export function Counts({ id }) {
  const [step, setStep] = useState("day");
  const { data, error } = useLive(`${API}/groups/${encodeURIComponent(id)}/counts?step=${step}`);
  const now = useNow(60000);
  return html`
    <section class="counts" aria-labelledby="counts">
      <h3 id="counts">Reports by ${step}</h3>
      <p class="buttons" role="group" aria-label="Count them by">${Object.keys(STEPS).toReversed().map((name) => html`
        <button key=${name} type="button" class="button small" aria-pressed=${String(name === step)}
          onClick=${() => setStep(name)}>by ${name}</button>`)}</p>
      ${error && html`<${Problem} error=${error} />`}
      ${data && html`<${Bars} bars=${barsOf(data.counts, step, now)} step=${step} />`}
      ${data?.complete === false && html`<p class="incomplete">There are too many to count all: the newest are counted.</p>`}
    </section>`;
}

function Bars({ bars, step }) {
  const all = bars.reduce((sum, bar) => sum + bar.count, 0);
  const most = Math.max(...bars.map((bar) => bar.count));
  if (all === 0) return html`<p class="quiet">None came in ${STEPS[step].told}.</p>`;
  const each = step === "day" ? "a day" : "an hour";
  const label = `${count(all)} ${all === 1 ? "report" : "reports"} in ${STEPS[step].told}, at most ${count(most)} in ${each}`;
  return html`
    <figure>
      <svg role="img" aria-label=${label} viewBox=${`0 0 ${bars.length * WIDE} ${HEIGHT}`} preserveAspectRatio="none">
        ${bars.map((bar, n) => html`<${Bar} key=${bar.at} bar=${bar} x=${n * WIDE} most=${most} label=${told(step, bar.at)} />`)}
      </svg>
      <figcaption class="quiet"><span>${told(step, bars[0].at)}</span> <span class="whole">${label}</span>
        <span>${told(step, bars.at(-1).at)}</span></figcaption>
    </figure>
    <details><summary>The counts as a table</summary>
      <table class="told-table"><thead><tr><th scope="col">${step}</th><th scope="col" class="number">reports</th></tr></thead>
        <tbody>${bars.filter((bar) => bar.count > 0).toReversed().map((bar) => html`<tr key=${bar.at}>
          <th scope="row">${told(step, bar.at)}</th><td class="number">${count(bar.count)}</td></tr>`)}</tbody></table></details>`;
}

// All of the height is to be pointed at; what isn't nothing is to be seen.
function Bar({ bar, x, most, label }) {
  const height = bar.count === 0 ? 0 : Math.max(2, (bar.count / most) * HEIGHT);
  return html`<g data-at=${new Date(bar.at).toISOString()} data-count=${bar.count}><title>${label}: ${count(bar.count)}</title>
    <rect class="ground" x=${x} y="0" width=${WIDE} height=${HEIGHT} />
    <rect class="count-bar" x=${x + (WIDE - BAR) / 2} y=${HEIGHT - height} width=${BAR} height=${height} /></g>`;
}
