// The tracker's pages: what is in flight and at which stage, what completed, one package's history, the search.
import { useMemo } from "preact/hooks";
import { address, useLive, useLiveList } from "./api.js";
import { Chart } from "./chart.js";
import { Age, Badge, Count, html, More, Problem, span, useFresh } from "./ui.js";

const API = "tracker/v1";
const FLIGHT_PAGE = 50;
const RESULT_PAGE = 30;
const HOURS_SHOWN = 168;
const HOUR_MS = 3600000;

const packageLink = (name) => `#/tracker/packages/${encodeURIComponent(name)}`;

function Page({ path, query }) {
  if (query) return html`<${Search} query=${query} />`;
  if (path[0] === "packages" && path[1]) return html`<${Package} name=${path[1]} />`;
  return html`<${Overview} stage=${path[0] === "stages" ? path[1] : undefined} />`;
}

function Overview({ stage }) {
  const { data: summary, error } = useLive(`${API}/summary`);
  const flight = useLiveList(`${API}/packages`, { state: "in-flight", stage, limit: FLIGHT_PAGE });
  const results = useLiveList(`${API}/results`, { limit: RESULT_PAGE });
  return html`
    ${error && html`<${Problem} error=${error} />`}
    <${Figures} summary=${summary} />
    <div class="columns">
      <section aria-labelledby="flight">
        <h2 id="flight">In flight <span class="quiet"><${Count} value=${summary?.in_flight} /></span></h2>
        <${Stages} stages=${summary?.stages} chosen=${stage} />
        <${Runs} list=${flight} noun="in flight" empty=${stage ? `Nothing is at stage ${stage}.` : "Nothing is in flight."} />
      </section>
      <section aria-labelledby="completed">
        <h2 id="completed">Completed <span class="quiet"><${Count} value=${summary?.completed} /></span></h2>
        <${Tally} results=${summary?.results} />
        <${Runs} list=${results} completed noun="results" empty="Nothing has completed yet." />
      </section>
    </div>`;
}

function Figures({ summary }) {
  const rows = [["in flight", "in_flight"], ["completed", "completed"], ["packages", "packages"], ["reports", "reports"]];
  return html`
    <section class="figures" aria-label="Summary">
      <dl>${rows.map(([name, key]) => html`<div><dt>${name}</dt><dd><${Count} value=${summary?.[key]} /></dd></div>`)}</dl>
      <${Hours} hours=${summary?.hours} />
    </section>`;
}

// The last week of the history, hour by hour; an hour without reports is a zero, not a gap.
function lastHours(hours) {
  const told = new Map((hours ?? []).map((h) => [Date.parse(h.hour) / HOUR_MS, h]));
  const last = Math.max(...told.keys());
  const first = Math.max(Math.min(...told.keys()), last - HOURS_SHOWN + 1);
  const shown = { times: [], reports: [], completed: [] };
  // One hour more, so that the last one has its width.
  for (let hour = first; hour <= last + 1; ++hour) {
    shown.times.push((hour * HOUR_MS) / 1000);
    shown.reports.push(told.get(hour)?.reports ?? 0);
    shown.completed.push(told.get(hour)?.completed ?? 0);
  }
  return shown;
}

function Hours({ hours }) {
  const shown = useMemo(() => lastHours(hours), [hours]);
  const total = (values) => values.reduce((sum, n) => sum + n, 0).toLocaleString("en");
  const count = Math.max(0, shown.times.length - 1);
  const label = `${total(shown.reports)} reports and ${total(shown.completed)} completed runs over the last ${count} hours.`;
  return html`
    <figure class="hours">
      <figcaption class="quiet">by hour</figcaption>
      <${Chart} times=${shown.times} label=${label} series=${[
        { label: "reports", colour: "--accent", values: shown.reports },
        { label: "completed", colour: "--good", values: shown.completed },
      ]} />
    </figure>`;
}

// The stages with their counts; choosing one shows what stands there.
function Stages({ stages, chosen }) {
  const names = Object.keys(stages ?? {}).filter((name) => stages[name] > 0 || name === chosen).sort();
  if (chosen && !names.includes(chosen)) names.push(chosen);
  return html`
    <ul class="chips" aria-label="Stages">
      <li><a class="chip" href="#/tracker" aria-current=${chosen ? undefined : "true"}>all</a></li>
      ${names.map((name) => html`<li key=${name}><a class="chip" href=${`#/tracker/stages/${encodeURIComponent(name)}`}
        aria-current=${name === chosen ? "true" : undefined}>${name} <b><${Count} value=${stages?.[name] ?? 0} /></b></a></li>`)}
    </ul>`;
}

function Tally({ results }) {
  const names = Object.keys(results ?? {}).sort((a, b) => results[b] - results[a]);
  return html`<ul class="chips" aria-label="Results">
    ${names.map((name) => html`<li key=${name} class="chip"><${Badge} result=${name} /> <b><${Count} value=${results[name]} /></b></li>`)}
    ${names.length === 0 && html`<li class="chip quiet">no results</li>`}</ul>`;
}

function Runs({ list, completed = false, noun, empty }) {
  const fresh = useFresh(list);
  if (list.error) return html`<${Problem} error=${list.error} />`;
  if (!list.items) return html`<p class="empty">Loading…</p>`;
  if (list.items.length === 0) return html`<p class="empty">${empty}</p>`;
  return html`
    <table class="runs">
      <thead><tr><th scope="col" class="name">package</th><th scope="col" class="version">version</th><th scope="col" class="arch">arch</th>
        <th scope="col" class="series">series</th><th scope="col" class="stage">${completed ? "result" : "stage"}</th>
        <th scope="col" class="age">${completed ? "ago" : "age"}</th></tr></thead>
      <tbody>${list.items.map((run) => html`<${Run} key=${run.id} run=${run} completed=${completed} fresh=${fresh.has(run.id)} />`)}</tbody>
    </table>
    <${More} list=${list} noun=${noun} />`;
}

function Run({ run, completed, fresh }) {
  return html`
    <tr class=${fresh ? "fresh" : undefined} data-package=${run.package}>
      <th scope="row" class="name"><a data-row href=${packageLink(run.package)} title=${run.package}>${run.package}</a></th>
      <td class="version" title=${run.version}>${run.version}</td>
      <td class="arch">${run.arch}</td>
      <td class="series">${run.series}</td>
      <td class="stage">${completed ? html`<${Badge} result=${run.result} />` : run.stage}</td>
      <td class="age"><${Age} at=${completed ? run.completed_at : run.started_at} /></td>
    </tr>`;
}

function Search({ query }) {
  const list = useLiveList(`${API}/packages`, { prefix: query, limit: FLIGHT_PAGE });
  const names = useMemo(() => byPackage(list.items ?? []), [list.items]);
  return html`
    <section aria-labelledby="found">
      <h2 id="found">Packages that start with <q>${query}</q></h2>
      ${list.error && html`<${Problem} error=${list.error} />`}
      ${!list.items && !list.error && html`<p class="empty">Loading…</p>`}
      ${list.items && names.length === 0 && html`<p class="empty">No package starts with <q>${query}</q>.</p>`}
      <ul class="found">${names.map(
        ([name, runs]) => html`<li key=${name}><a data-row href=${packageLink(name)}>${name}</a>
          ${runs.slice(0, 4).map((run) => html` <span class="quiet">${run.version} ${run.arch}</span> <${Where} run=${run} />`)}
          ${runs.length > 4 && html` <span class="quiet">and ${runs.length - 4} more</span>`}</li>`,
      )}</ul>
      <${More} list=${list} noun="packages" />
    </section>`;
}

function byPackage(runs) {
  const names = new Map();
  for (const run of runs) names.set(run.package, [...(names.get(run.package) ?? []), run]);
  return [...names];
}

const Where = ({ run }) => (run.result ? html`<${Badge} result=${run.result} />` : html`<span class="badge moving">${run.stage}</span>`);

function Package({ name }) {
  const { data, error } = useLive(address(`${API}/packages/${encodeURIComponent(name)}`));
  return html`
    <article class="package">
      <p><a href="#/tracker">← all packages</a></p>
      <h2>${name}</h2>
      ${error && html`<${Problem} error=${error} />`}
      ${!data && !error && html`<p class="empty">Loading…</p>`}
      ${data && html`<p class="quiet">${data.runs.length} ${data.runs.length === 1 ? "run" : "runs"}, newest first</p>`}
      ${data?.complete === false && html`<p class="quiet">The server cut this history: there is more than it gives.</p>`}
      ${data && newestFirst(data.runs).map((run) => html`<${History} key=${run.id} run=${run} />`)}
    </article>`;
}

const newestFirst = (runs) => [...runs].sort((a, b) => Date.parse(b.started_at) - Date.parse(a.started_at));

function History({ run }) {
  const stages = run.stages ?? [];
  const facts = [["arch", run.arch], ["series", run.series], ["trigger", run.trigger], ["source", run.source], ["told by", run.reporter]];
  return html`
    <section class="history" aria-label=${`${run.version} ${run.arch}`}>
      <h3><a data-row href=${packageLink(run.package)}>${run.version}</a> <${Where} run=${run} />
        ${run.superseded && html` <span class="badge plain">superseded</span>`}
        ${" "}<span class="quiet"><${Age} at=${run.updated_at} ago /></span></h3>
      <p class="facts">${facts.filter(([, v]) => v).map(([k, v]) => html`<span><i>${k}</i> ${v}</span> `)}</p>
      <ol class="stages">${stages.map((stage, i) => html`<${Stage} key=${i} stage=${stage} before=${stages[i - 1]} />`)}</ol>
    </section>`;
}

function Stage({ stage, before }) {
  const took = before && (Date.parse(stage.at) - Date.parse(before.at)) / 1000;
  return html`<li><b>${stage.stage}</b> <time datetime=${stage.at}>${new Date(stage.at).toLocaleString()}</time>
    ${took > 0 && html` <span class="quiet">after ${span(took)}</span>`}
    ${stage.note && html` <span class="note">${typeof stage.note === "string" ? stage.note : "(erased)"}</span>`}
    ${/^https?:\/\//.test(stage.url ?? "") && html` <a href=${stage.url} rel="noopener noreferrer">log</a>`}</li>`;
}

export const page = { name: "tracker", title: "Tracker", find: "Find a package", Page };
